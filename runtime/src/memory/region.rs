//! One region: its header and what can be done with it.
//!
//! States of the header's words, which make the frequent questions one compare each:
//!
//! ```text
//! unused           bump = end = start = 0
//! clean, a chunk   bump = start < end             after a reset, or when all was freed in reverse
//! in use           bump != start
//! large blocks     start = MARKED, which bump never is; without a chunk bump = end = 16
//! guard mode       start = MARKED, bump = end = 16 when in use: the fast paths never succeed
//! ```
//!
//! So `reset` has nothing to do when `bump == start`, and leaving a region nothing when `end == 0`.

use std::mem::offset_of;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::arena::{order_for, span_bytes};
use super::error::MemoryError;
use super::guard::{FRESH, POISON};
use super::large::{self, LargeLink};
use super::mappings::Fit;
use super::pages::{Contents, PagePool, RegionMode};
use super::size_class::{CLASSES, MAX_SMALL, SizeClass};
use super::window::Window;

/// Bytes of the header before each block's base.
pub const BLOCK_HEADER: u64 = 16;

/// What precedes the base of each block.
#[repr(C)]
pub struct BlockHeader {
    /// Bytes of contents that the block has room for; 0 for a constant.
    pub capacity: u64,
    pub reserved: u64,
}

const _: () = assert!(size_of::<BlockHeader>() as u64 == BLOCK_HEADER);

/// In `reserved` of a block freed in guard mode.
const FREED: u64 = 0x6465_6572_6665_6466;

impl BlockHeader {
    /// # Safety
    /// The 16 bytes before `base` are the caller's to write, and `base` is a multiple of 16.
    #[inline(always)]
    pub(super) unsafe fn write(base: NonNull<u8>, capacity: u64) {
        // SAFETY: by the caller's promise.
        unsafe { Self::of(base).write(BlockHeader { capacity, reserved: 0 }) };
    }

    #[inline(always)]
    fn of(base: NonNull<u8>) -> *mut BlockHeader {
        base.as_ptr().wrapping_sub(BLOCK_HEADER as usize).cast()
    }
}

/// A region's header, at a stable address in its fiber's [`super::RegionStack`].
///
/// The layout is fixed: compiled code reads and writes it, by the distances below.
#[repr(C)]
pub struct Region {
    /// Address of the first free byte of the newest chunk.
    bump: usize,
    /// Address behind the newest chunk.
    end: usize,
    /// Free blocks by class; null until a block is freed that isn't the newest.
    lists: *mut FreeLists,
    /// Where `bump` stands when nothing is allocated.
    start: usize,
    chunk: *mut Chunk,
    large: *mut LargeLink,
    /// The pool of the worker that runs the fiber.
    pub(super) pool: *const *mut PagePool,
    pub(super) next: *mut Region,
    pub(super) previous: *mut Region,
    /// The region of another stack whose blocks it holds meanwhile ([`RegionStack::annex`](super::RegionStack::annex));
    /// mostly null.
    pub(super) annex_of: *mut Region,
}

#[repr(C)]
struct FreeLists {
    heads: [*mut u8; CLASSES],
}

/// The head of each chunk. In guard mode a chunk is a mapping, and blocks are cut from `bump`.
#[repr(C)]
struct Chunk {
    previous: *mut Chunk,
    bytes: usize,
    bump: usize,
    reserved: usize,
}

/// In `start` of a region that a reset must look at, whatever `bump` is.
const MARKED: usize = 1;
/// `bump` and `end` of a marked region without chunks to cut from.
const NO_ROOM: usize = 16;

const CHUNK_HEAD: usize = size_of::<Chunk>();
const _: () = assert!(CHUNK_HEAD.is_multiple_of(16));

/// Order of a region's first chunk. A million frames deep with a block in each: 512 bytes need 0.5 GB and 88 ns a frame,
/// 4 KiB 4 GB and 414 ns; in exchange a region that allocates 4 KB in all takes 61 ns instead of 41.
const FIRST_ORDER: usize = 0;
/// Order of the largest chunks, 256 KiB; from there on a region grows by equal chunks. A chunk costs some 10 ns.
const LAST_ORDER: usize = 9;
/// A reset keeps the newest chunk up to this size, in bytes, else the oldest. A bound on what idle regions hold; a body
/// that needs more pays 10 ns a chunk, for at least as many bytes.
const RESET_KEEP: usize = 64 << 10;
/// What an annex borrows of its region at once: so many blocks, and bytes. A lock is taken for it.
const LENT: u64 = 64;
const LENT_BYTES: u64 = 64 << 10;

/// Bytes of a chunk in guard mode, unless a block needs more.
const GUARD_CHUNK: usize = 16 << 10;

impl Region {
    pub const BUMP: usize = offset_of!(Region, bump);
    pub const END: usize = offset_of!(Region, end);
    pub const LISTS: usize = offset_of!(Region, lists);
    pub const START: usize = offset_of!(Region, start);
    pub const NEXT: usize = offset_of!(Region, next);
    pub const PREVIOUS: usize = offset_of!(Region, previous);

    pub(super) fn unused(pool: *const *mut PagePool, previous: *mut Region, next: *mut Region) -> Region {
        Region {
            bump: 0,
            end: 0,
            lists: ptr::null_mut(),
            start: 0,
            chunk: ptr::null_mut(),
            large: ptr::null_mut(),
            pool,
            next,
            previous,
            annex_of: ptr::null_mut(),
        }
    }

    /// Whether the region holds any memory.
    #[inline(always)]
    pub(super) fn holds_memory(&self) -> bool {
        self.end != 0
    }

    /// Chunks and the bytes in them, for tests and statistics.
    pub fn chunks(&self) -> (usize, usize) {
        let (mut count, mut bytes, mut chunk) = (0, 0, self.chunk);
        while !chunk.is_null() {
            count += 1;
            // SAFETY: a region's chunks are live as long as it links them.
            unsafe {
                bytes += (*chunk).bytes;
                chunk = (*chunk).previous;
            }
        }
        (count, bytes)
    }

    #[inline(always)]
    unsafe fn pool(&mut self) -> &mut PagePool {
        // SAFETY: the stack's promise: attached to the pool of the worker that runs this fiber, which alone uses it.
        unsafe { &mut **self.pool }
    }
}

/// Bytes that the block at `base` has room for; 0 for null and for constants.
///
/// # Safety
/// `base` is null or the base of a live block or constant.
#[inline(always)]
pub unsafe fn capacity(base: *const u8) -> u64 {
    // SAFETY: by the caller's promise.
    if base.is_null() { 0 } else { unsafe { (*base.sub(BLOCK_HEADER as usize).cast::<BlockHeader>()).capacity } }
}

/// A block of the region with a capacity of at least `bytes`, a multiple of 16 as its base. Contents: anything.
///
/// # Safety
/// `region` is entered, its fiber runs on this thread, and its stack is attached to this worker's pool.
#[inline(always)]
pub unsafe fn alloc(region: *mut Region, bytes: u64) -> Result<NonNull<u8>, MemoryError> {
    if bytes <= MAX_SMALL {
        // SAFETY: the region is live by the caller's promise; `[bump, end)` is its own memory, and `bump` a multiple
        // of 16; what a list holds are free blocks of the class, with their header in place.
        unsafe {
            let class = SizeClass::of(bytes);
            let lists = (*region).lists;
            if !lists.is_null() {
                let head = &mut (*lists).heads[class.index()];
                if let Some(base) = NonNull::new(*head) {
                    *head = base.cast::<*mut u8>().read();
                    return Ok(base);
                }
            }
            let capacity = class.capacity();
            let bump = (*region).bump;
            let total = (capacity + BLOCK_HEADER) as usize;
            if (*region).end - bump >= total {
                (*region).bump = bump + total;
                let base = NonNull::new_unchecked((bump + BLOCK_HEADER as usize) as *mut u8);
                BlockHeader::write(base, capacity);
                return Ok(base);
            }
        }
    }
    // SAFETY: by the caller's promise.
    unsafe { alloc_slow(region, bytes, Fit::Close) }.map(|(base, _)| base)
}

/// As [`alloc`], the first `bytes` bytes zero.
///
/// # Safety
/// As for [`alloc`].
#[inline]
pub unsafe fn alloc_zeroed(region: *mut Region, bytes: u64) -> Result<NonNull<u8>, MemoryError> {
    // SAFETY: by the caller's promise; a block has room for the bytes asked for.
    unsafe {
        let (base, contents) = if bytes <= MAX_SMALL {
            (alloc(region, bytes)?, Contents::Anything)
        } else {
            alloc_slow(region, bytes, Fit::Close)?
        };
        if contents == Contents::Anything {
            base.write_bytes(0, bytes as usize);
        }
        Ok(base)
    }
}

/// As [`alloc_zeroed`], a block that can be looked at through `window` until it is freed or moved. It is a large one even
/// if few bytes are asked for.
///
/// # Safety
/// As for [`alloc`].
#[cold]
pub unsafe fn alloc_shown(region: *mut Region, bytes: u64, window: Arc<Window>) -> Result<NonNull<u8>, MemoryError> {
    // SAFETY: by the caller's promise; more than MAX_SMALL bytes are a large block.
    unsafe {
        let base = alloc_zeroed(region, bytes.max(MAX_SMALL + 1))?;
        large::show(base, bytes as usize, window);
        Ok(base)
    }
}

#[cold]
#[inline(never)]
unsafe fn alloc_slow(region: *mut Region, bytes: u64, fit: Fit) -> Result<(NonNull<u8>, Contents), MemoryError> {
    // SAFETY: the region is live and only this thread uses it.
    unsafe {
        let region = &mut *region;
        if bytes > MAX_SMALL {
            let guard = region.pool().mode() == RegionMode::Guard;
            let pool = &mut **region.pool;
            let (base, contents) = large::create(pool, &mut region.large, bytes, fit)?;
            region.mark();
            if guard {
                base.write_bytes(FRESH, bytes as usize);
                return Ok((base, Contents::Anything));
            }
            return Ok((base, contents));
        }
        let base = if region.pool().mode() == RegionMode::Guard {
            region.cut_guarded(bytes)?
        } else if let Some(lent) = region.borrow(SizeClass::of(bytes)) {
            lent
        } else {
            region.add_chunk(bytes)?;
            alloc(region, bytes)?
        };
        Ok((base, Contents::Anything))
    }
}

/// Gives a block back to its region. Null and constants are ignored.
///
/// # Safety
/// As for [`alloc`]; `base` is null, a constant, or a live block of this region that nothing uses any more.
#[inline(always)]
pub unsafe fn free(region: *mut Region, base: *mut u8) {
    let Some(block) = NonNull::new(base) else { return };
    // SAFETY: by the caller's promise the header is there and the block the region's.
    unsafe {
        let capacity = (*BlockHeader::of(block)).capacity;
        if capacity == 0 {
            return;
        }
        // The newest block of the chunk: take the cut back. Temporaries freed in reverse need no list.
        if base as usize + capacity as usize == (*region).bump {
            (*region).bump = base as usize - BLOCK_HEADER as usize;
            return;
        }
        let lists = (*region).lists;
        if capacity <= MAX_SMALL && !lists.is_null() {
            let head = &mut (*lists).heads[SizeClass::of(capacity).index()];
            block.cast::<*mut u8>().write(*head);
            *head = base;
            return;
        }
        free_slow(region, block, capacity);
    }
}

#[cold]
#[inline(never)]
unsafe fn free_slow(region: *mut Region, base: NonNull<u8>, capacity: u64) {
    // SAFETY: the region is live, the block its own and unused.
    unsafe {
        let region = &mut *region;
        if region.pool().mode() == RegionMode::Guard {
            let header = BlockHeader::of(base);
            assert_ne!((*header).reserved, FREED, "block freed twice");
            (*header).reserved = FREED;
            if capacity <= MAX_SMALL {
                base.write_bytes(POISON, capacity as usize);
                return;
            }
        }
        if capacity > MAX_SMALL {
            let _alone = region.alone_in_lists();
            return large::destroy(&mut **region.pool, base);
        }
        // The lists are cut from the region's own memory. If there is none the block waits for the region's end.
        let Ok(table) = alloc(region, size_of::<FreeLists>() as u64) else { return };
        let lists = table.cast::<FreeLists>().as_ptr();
        lists.write(FreeLists { heads: [ptr::null_mut(); CLASSES] });
        region.lists = lists;
        free(region, base.as_ptr());
    }
}

/// A block with a capacity of at least `needed` bytes that begins with the first `used` bytes of `base`: `base` itself
/// if it has the room, else at least twice its capacity, and `base` is freed. `base` may be null or a constant.
///
/// # Safety
/// As for [`free`]; `used` bytes at `base` may be read, and the old base is not used any more after success. On an error the block is
/// unchanged.
#[inline]
pub unsafe fn grow(region: *mut Region, base: *mut u8, used: u64, needed: u64) -> Result<NonNull<u8>, MemoryError> {
    // SAFETY: by the caller's promise.
    unsafe {
        if let Some(block) = NonNull::new(base)
            && needed <= (*BlockHeader::of(block)).capacity
        {
            return Ok(block);
        }
        grow_slow(region, base, used, needed)
    }
}

#[cold]
#[inline(never)]
unsafe fn grow_slow(region: *mut Region, base: *mut u8, used: u64, needed: u64) -> Result<NonNull<u8>, MemoryError> {
    // SAFETY: by the caller's promise.
    unsafe {
        let old = capacity(base);
        debug_assert!(used <= needed);
        let generous = needed.max(old.saturating_mul(2));
        // Twice as much may be refused where just enough is still to be had.
        let result = match grow_to(region, base, used, old, generous) {
            Err(_) if generous > needed => grow_to(region, base, used, old, needed),
            result => result,
        };
        result.map_err(|error| match error {
            MemoryError::TooLarge { .. } => MemoryError::TooLarge { requested: needed },
            other => other,
        })
    }
}

unsafe fn grow_to(
    region: *mut Region,
    base: *mut u8,
    used: u64,
    old: u64,
    wanted: u64,
) -> Result<NonNull<u8>, MemoryError> {
    // SAFETY: by the caller's promise `base` is null, a constant, or a block of the region with `used` bytes in it.
    unsafe {
        if let Some(block) = NonNull::new(base)
            && old > 0
        {
            let at_end = base as usize + old as usize == (*region).bump;
            if at_end && wanted <= MAX_SMALL {
                let capacity = SizeClass::of(wanted).capacity();
                if base as usize + capacity as usize <= (*region).end {
                    (*region).bump = base as usize + capacity as usize;
                    BlockHeader::write(block, capacity);
                    return Ok(block);
                }
            }
            if old > MAX_SMALL {
                let _alone = (*region).alone_in_lists();
                if let Some(grown) = large::grow_in_place(&mut **(*region).pool, block, wanted) {
                    return grown;
                }
            }
        }
        let fresh =
            if wanted > MAX_SMALL { alloc_slow(region, wanted, Fit::Growing)?.0 } else { alloc(region, wanted)? };
        ptr::copy_nonoverlapping(base, fresh.as_ptr(), if base.is_null() { 0 } else { used as usize });
        free(region, base);
        Ok(fresh)
    }
}

/// Empties the region: all its blocks are gone. A bounded part of its memory stays with it.
///
/// # Safety
/// As for [`alloc`]; no block of the region is used any more.
#[inline(always)]
pub unsafe fn reset(region: *mut Region) {
    // SAFETY: by the caller's promise.
    unsafe {
        if (*region).bump != (*region).start {
            reset_slow(region);
        }
    }
}

#[inline(never)]
unsafe fn reset_slow(region: *mut Region) {
    // SAFETY: the region is live and its blocks are unused.
    unsafe {
        let region = &mut *region;
        // One chunk that stays is the usual state of a loop body; a guarded one has its end elsewhere.
        if region.large.is_null()
            && let Some(chunk) = region.chunk.as_ref()
            && chunk.previous.is_null()
            && region.end == region.chunk as usize + chunk.bytes
        {
            region.lists = ptr::null_mut();
            region.start = region.chunk as usize + CHUNK_HEAD;
            region.bump = region.start;
            return;
        }
        region.release(Keep::One);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// A chunk, bounded in size.
    One,
    Nothing,
}

/// The last of a list of chunks.
unsafe fn oldest(chunk: *mut Chunk) -> Option<NonNull<Chunk>> {
    let mut oldest = NonNull::new(chunk)?;
    // SAFETY: the caller's chunks are live.
    while let Some(previous) = NonNull::new(unsafe { oldest.as_ref().previous }) {
        oldest = previous;
    }
    Some(oldest)
}

/// Puts a list of free blocks before another.
unsafe fn prepend(head: &mut *mut u8, more: *mut u8) {
    let Some(mut last) = NonNull::new(more.cast::<*mut u8>()) else { return };
    // SAFETY: free blocks hold the address of the next one.
    unsafe {
        while let Some(next) = NonNull::new(last.read().cast()) {
            last = next;
        }
        last.write(*head);
    }
    *head = more;
}

impl Region {
    /// Gives the region's memory back to the pool.
    ///
    /// # Safety
    /// As for [`reset`].
    pub(super) unsafe fn release(&mut self, keep: Keep) {
        // SAFETY: the chunks and large blocks are the region's, and unused by the caller's promise.
        unsafe {
            let pool = &mut **self.pool;
            large::destroy_all(pool, &mut self.large);
            let guard = pool.mode() == RegionMode::Guard;
            let mut kept = ptr::null_mut::<Chunk>();
            let mut chunk = self.chunk;
            while let Some(current) = NonNull::new(chunk) {
                let Chunk { previous, bytes, .. } = current.read();
                let keep_it =
                    keep == Keep::One && !guard && kept.is_null() && (bytes <= RESET_KEEP || previous.is_null());
                if keep_it {
                    kept = chunk;
                    (*kept).previous = ptr::null_mut();
                } else if guard {
                    pool.unmap(current.cast(), bytes);
                } else {
                    // A chunk's size is an order's by construction.
                    pool.give(current.cast(), order_for(bytes).unwrap_or(LAST_ORDER));
                }
                chunk = previous;
            }
            self.lists = ptr::null_mut();
            self.chunk = kept;
            if kept.is_null() {
                (self.bump, self.end, self.start) = (0, 0, 0);
            } else {
                self.start = kept as usize + CHUNK_HEAD;
                self.bump = self.start;
                self.end = kept as usize + (*kept).bytes;
            }
        }
    }

    /// Who holds this may change the list of a large block. An annex may free blocks of the region that it belongs to, and
    /// so may all others of that.
    fn alone_in_lists(&self) -> Option<MutexGuard<'static, ()>> {
        static LISTS: Mutex<()> = Mutex::new(());
        (!self.annex_of.is_null()).then(|| LISTS.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes all that another region holds; that one is unused then.
    ///
    /// # Safety
    /// As for [`alloc`], of both; their pools are of one source.
    pub(super) unsafe fn adopt(&mut self, other: &mut Region) {
        // SAFETY: chunks, lists and blocks are live ones of the two regions.
        unsafe {
            // All was freed, in reverse or by a reset.
            if other.large.is_null() && other.bump == other.start {
                return other.release(Keep::Nothing);
            }
            let (chunk, lists) = (other.chunk, other.lists);
            large::append(&mut self.large, &mut other.large);
            if let Some(oldest) = oldest(chunk) {
                if self.chunk.is_null() {
                    (self.chunk, self.bump, self.end) = (chunk, other.bump, other.end);
                } else {
                    // The newest one stays the one that blocks are cut from.
                    (*oldest.as_ptr()).previous = (*self.chunk).previous;
                    (*self.chunk).previous = chunk;
                }
            }
            self.mark();
            (other.bump, other.end, other.start) = (0, 0, 0);
            (other.chunk, other.lists) = (ptr::null_mut(), ptr::null_mut());
            if self.lists.is_null() {
                self.lists = lists;
            } else if let Some(table) = NonNull::new(lists) {
                for (head, more) in (*self.lists).heads.iter_mut().zip(table.as_ref().heads) {
                    prepend(head, more);
                }
                free(self, table.cast().as_ptr());
            }
        }
    }

    /// A free block of the region that an annex belongs to, with some more of its class for the annex's own list: else what
    /// is made in annexes and freed behind them, time and again, takes new memory each time.
    unsafe fn borrow(&mut self, class: SizeClass) -> Option<NonNull<u8>> {
        // SAFETY: the region that an annex belongs to is live, and used by its annexes only, one of them at a time here;
        // free blocks hold the address of the next one.
        unsafe {
            let _alone = self.alone_in_lists()?;
            let owner = &mut *self.annex_of;
            let theirs = &mut owner.lists.as_mut()?.heads;
            let mut take = |class: SizeClass| {
                let base = NonNull::new(theirs[class.index()])?;
                theirs[class.index()] = base.cast::<*mut u8>().read();
                Some(base)
            };
            let first = take(class)?;
            if self.lists.is_null()
                && let Some(table) = take(SizeClass::of(size_of::<FreeLists>() as u64))
            {
                table.cast().write(FreeLists { heads: [ptr::null_mut(); CLASSES] });
                self.lists = table.cast().as_ptr();
            }
            if let Some(own) = self.lists.as_mut() {
                let more = (LENT_BYTES / class.capacity()).min(LENT);
                for block in std::iter::from_fn(|| take(class)).take(more as usize) {
                    block.cast::<*mut u8>().write(own.heads[class.index()]);
                    own.heads[class.index()] = block.as_ptr();
                }
            }
            // It holds something, if only free blocks.
            self.mark();
            Some(first)
        }
    }

    /// Adds a chunk that has room for a block of `bytes`, at most [`MAX_SMALL`].
    unsafe fn add_chunk(&mut self, bytes: u64) -> Result<(), MemoryError> {
        let least = (SizeClass::of(bytes).capacity() + BLOCK_HEADER) as usize + CHUNK_HEAD;
        // SAFETY: chunks linked here are live; the fresh one is ours.
        unsafe {
            let next = if self.chunk.is_null() { span_bytes(FIRST_ORDER) } else { 2 * (*self.chunk).bytes };
            let order = order_for(next.max(least)).unwrap_or(LAST_ORDER);
            let memory = self.pool().take(order)?;
            let chunk = memory.as_ptr().cast::<Chunk>();
            chunk.write(Chunk { previous: self.chunk, bytes: span_bytes(order), bump: 0, reserved: 0 });
            self.chunk = chunk;
            self.bump = chunk as usize + CHUNK_HEAD;
            self.end = chunk as usize + span_bytes(order);
            if self.start == 0 {
                self.start = self.bump;
            }
        }
        Ok(())
    }

    /// Makes the next reset look at the region.
    fn mark(&mut self) {
        self.start = MARKED;
        if self.end == 0 {
            (self.bump, self.end) = (NO_ROOM, NO_ROOM);
        }
    }

    unsafe fn cut_guarded(&mut self, bytes: u64) -> Result<NonNull<u8>, MemoryError> {
        let capacity = SizeClass::of(bytes).capacity();
        let total = (capacity + BLOCK_HEADER) as usize;
        // SAFETY: chunks linked here are live; the block is cut from room that the chunk has.
        unsafe {
            if self.chunk.is_null() || (*self.chunk).bytes - (*self.chunk).bump < total {
                let held = GUARD_CHUNK.max((total + CHUNK_HEAD).next_multiple_of(crate::os::PAGE));
                let (memory, held, _) = self.pool().map(held, Fit::Close)?;
                memory.write_bytes(FRESH, held);
                let chunk = memory.as_ptr().cast::<Chunk>();
                chunk.write(Chunk { previous: self.chunk, bytes: held, bump: CHUNK_HEAD, reserved: 0 });
                self.chunk = chunk;
            }
            self.mark();
            let chunk = NonNull::new_unchecked(self.chunk);
            let base = chunk.cast::<u8>().add((*self.chunk).bump + BLOCK_HEADER as usize);
            (*self.chunk).bump += total;
            BlockHeader::write(base, capacity);
            Ok(base)
        }
    }
}
