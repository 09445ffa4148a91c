//! The regions of a fiber: entered and left like frames, their headers at stable addresses.
//!
//! Headers are made in blocks and linked both ways once; entering is one load and one store, since the headers above
//! the top are always in the unused state.

use std::mem::{ManuallyDrop, offset_of};
use std::ptr::{self, NonNull};
use std::sync::Arc;

use super::error::MemoryError;
use super::pages::{PagePool, PageSource};
use super::region::{Keep, Region};

/// Headers in the first block; each further block has twice as many, up to [`MOST_HEADERS`].
const FIRST_HEADERS: usize = 32;
const MOST_HEADERS: usize = 4096;

#[repr(C)]
struct Inner {
    /// What the regions read: the pool of the worker that runs the fiber.
    pool: *mut PagePool,
    top: *mut Region,
    /// Below the first region, never handed out.
    bottom: Region,
    blocks: Vec<NonNull<[Region]>>,
}

/// A fiber's stack of regions. It may move; its regions don't.
pub struct RegionStack {
    inner: NonNull<Inner>,
}

// SAFETY: the headers and their memory belong to this stack alone; `attach` is due on the new worker.
unsafe impl Send for RegionStack {}

impl RegionStack {
    /// Where compiled code finds the region on top, in bytes from [`RegionStack::address`].
    pub const TOP: usize = offset_of!(Inner, top);

    /// The part that does not move.
    pub fn address(&self) -> *mut u8 {
        self.inner.as_ptr().cast()
    }

    /// An empty stack that takes memory from `pool`.
    ///
    /// # Safety
    /// `pool` stays at its place and alive, used by one thread at a time, until the stack is attached to another or
    /// dropped. (References to the pool must not be held across calls on regions.)
    pub unsafe fn new(pool: NonNull<PagePool>) -> RegionStack {
        let inner = Box::new(Inner {
            pool: pool.as_ptr(),
            top: ptr::null_mut(),
            bottom: Region::unused(ptr::null(), ptr::null_mut(), ptr::null_mut()),
            blocks: Vec::new(),
        });
        let inner = Box::leak(inner);
        inner.top = &raw mut inner.bottom;
        RegionStack { inner: NonNull::from(inner) }
    }

    /// Takes memory from another pool from now on: the fiber moved to another worker.
    ///
    /// # Safety
    /// As for [`RegionStack::new`]; both pools are of one source.
    pub unsafe fn attach(&mut self, pool: NonNull<PagePool>) {
        // SAFETY: the inner part lives as long as the stack.
        unsafe { (*self.inner.as_ptr()).pool = pool.as_ptr() };
    }

    /// Enters a new region, on top. Acquires no memory for its blocks yet.
    #[inline(always)]
    pub fn enter(&mut self) -> Result<NonNull<Region>, MemoryError> {
        // SAFETY: the inner part and all headers live as long as the stack.
        unsafe {
            let inner = self.inner.as_ptr();
            match NonNull::new((*(*inner).top).next) {
                Some(region) => {
                    (*inner).top = region.as_ptr();
                    Ok(region)
                }
                None => self.enter_slow(),
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn enter_slow(&mut self) -> Result<NonNull<Region>, MemoryError> {
        // SAFETY: only this stack uses its inner part.
        let inner = unsafe { &mut *self.inner.as_ptr() };
        let count = inner.blocks.last().map_or(FIRST_HEADERS, |block| (2 * block.len()).min(MOST_HEADERS));
        let refused = |_| MemoryError::OutOfMemory { requested: (count * size_of::<Region>()) as u64 };
        let mut block = Vec::new();
        block.try_reserve_exact(count).map_err(refused)?;
        inner.blocks.try_reserve(1).map_err(refused)?;
        let pool = &raw const inner.pool;
        block.extend((0..count).map(|_| Region::unused(pool, ptr::null_mut(), ptr::null_mut())));
        let block = Box::leak(block.into_boxed_slice());
        let mut previous = inner.top;
        for region in block.iter_mut() {
            region.previous = previous;
            // SAFETY: `previous` is the top, or the header before in this block.
            unsafe { (*previous).next = region };
            previous = region;
        }
        inner.blocks.push(NonNull::from(block));
        // SAFETY: the top's successor was just linked.
        inner.top = unsafe { (*inner.top).next };
        NonNull::new(inner.top).ok_or(MemoryError::OutOfMemory { requested: 0 })
    }

    /// Leaves `region` and every region entered after it; their memory goes back to the pool.
    ///
    /// # Safety
    /// `region` was entered on this stack and not left; no block of the regions left is used any more.
    #[inline(always)]
    pub unsafe fn exit_to(&mut self, region: NonNull<Region>) {
        // SAFETY: the headers from the top down to `region` are entered ones of this stack.
        unsafe {
            let inner = self.inner.as_ptr();
            let mut top = (*inner).top;
            loop {
                if (*top).holds_memory() {
                    release(top);
                }
                let previous = (*top).previous;
                debug_assert!(!previous.is_null(), "the region was not entered");
                (*inner).top = previous;
                if top == region.as_ptr() {
                    return;
                }
                top = previous;
            }
        }
    }

    /// Leaves all regions; after a runtime error for example.
    ///
    /// # Safety
    /// No block of any region is used any more.
    pub unsafe fn exit_all(&mut self) {
        // SAFETY: by the caller's promise; the first block's first header is the lowest region.
        unsafe {
            let inner = self.inner.as_ptr();
            let lowest = (*inner).bottom.next;
            if (*inner).top != &raw mut (*inner).bottom
                && let Some(lowest) = NonNull::new(lowest)
            {
                self.exit_to(lowest);
            }
        }
    }

    /// Enters an annex of a region of another stack: blocks that are made in it belong to that region, and blocks of that
    /// region may be freed in it, as if they were of this one. So several threads can work on one region, each in an annex
    /// of its own, while nobody uses the region itself.
    ///
    /// # Safety
    /// The region stays entered, and unused but for its annexes, until [`RegionStack::join`] or
    /// [`RegionStack::append`]. The pools of both stacks are of one source.
    pub unsafe fn annex(&mut self, of: NonNull<Region>) -> Result<NonNull<Region>, MemoryError> {
        let mut annex = self.enter()?;
        // SAFETY: just entered.
        unsafe { annex.as_mut().annex_of = of.as_ptr() };
        Ok(annex)
    }

    /// Leaves all regions. Those that are annexes hand what they hold to the regions that they belong to.
    ///
    /// # Safety
    /// No block of the regions that are no annexes is used any more, and no other thread uses the regions or their pools.
    pub unsafe fn join(&mut self) {
        // SAFETY: by the caller's promise; headers from the top down to the bottom are entered ones of this stack.
        unsafe {
            let inner = self.inner.as_ptr();
            while let Some(top) = NonNull::new((*inner).top).filter(|top| top.as_ptr() != &raw mut (*inner).bottom) {
                if let Some(mut owner) = NonNull::new(top.as_ref().annex_of) {
                    let top = &mut *top.as_ptr();
                    owner.as_mut().adopt(top);
                    top.annex_of = ptr::null_mut();
                }
                self.exit_to(top);
            }
        }
    }

    /// Puts the regions of another stack on top of this one's, with all that they hold. Annexes are regions then.
    ///
    /// # Safety
    /// Both stacks are this thread's, and attached to pools of one source.
    pub unsafe fn append(&mut self, other: RegionStack) {
        // SAFETY: the headers live as long as the stack that has their blocks, which is this one from now on.
        unsafe {
            let inner = &mut *self.inner.as_ptr();
            let mut from = Box::from_raw(ManuallyDrop::new(other).inner.as_ptr());
            for block in &from.blocks {
                for region in &mut *block.as_ptr() {
                    region.pool = &raw const inner.pool;
                    region.annex_of = ptr::null_mut();
                }
            }
            if from.top != &raw mut from.bottom {
                let (lowest, highest, above) = (from.bottom.next, from.top, (*inner.top).next);
                (*lowest).previous = inner.top;
                (*inner.top).next = lowest;
                if !above.is_null() {
                    (*highest).next = above;
                    (*above).previous = highest;
                }
                inner.top = highest;
            }
            inner.blocks.append(&mut from.blocks);
        }
    }

    /// The region at this address, if it is an entered one of this stack, and how many were entered after it.
    pub fn find(&self, address: usize) -> Option<(NonNull<Region>, usize)> {
        let mut after = 0;
        // SAFETY: the inner part and all headers live as long as the stack.
        unsafe {
            let inner = self.inner.as_ptr();
            let mut region = (*inner).top;
            while region != &raw mut (*inner).bottom {
                if region.addr() == address {
                    return NonNull::new(region).map(|region| (region, after));
                }
                (region, after) = ((*region).previous, after + 1);
            }
        }
        None
    }

    /// Where its pool gets memory from.
    pub fn source(&self) -> Arc<PageSource> {
        // SAFETY: the pool lives as long as the stack is attached to it.
        unsafe { Arc::clone((*(*self.inner.as_ptr()).pool).source()) }
    }

    /// Number of regions entered.
    pub fn depth(&self) -> usize {
        // SAFETY: the inner part and all headers live as long as the stack.
        unsafe {
            let inner = self.inner.as_ptr();
            let bottom = &raw mut (*inner).bottom;
            let (mut count, mut region) = (0, (*inner).top);
            while region != bottom {
                count += 1;
                region = (*region).previous;
            }
            count
        }
    }
}

#[inline(never)]
unsafe fn release(region: *mut Region) {
    // SAFETY: the caller leaves the region, so its blocks are unused.
    unsafe { (*region).release(Keep::Nothing) };
}

impl Drop for RegionStack {
    fn drop(&mut self) {
        // SAFETY: nobody can use the regions without the stack; the inner part and the blocks were leaked from boxes.
        unsafe {
            self.exit_all();
            let inner = Box::from_raw(self.inner.as_ptr());
            for block in &inner.blocks {
                drop(Box::from_raw(block.as_ptr()));
            }
        }
    }
}
