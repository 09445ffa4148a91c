//! The host's allocator: while a thread compiles, its blocks come from one stretch of memory; all others are the
//! system's.
//!
//! A compiler makes twenty small blocks for each line of a program, of which three in ten stay until the process ends:
//! the system's allocator was 28 % of the front end's instructions. Here a block is the head of a list or the next
//! bytes of the stretch, and what is freed goes to the list of its size; that is a quarter of the work, and the front
//! end takes 0.80 of the time. Mimalloc in its place took 0.92, and made a start dearer by half (230,000 instructions).
//! An arena for the trees would give them a lifetime, and leave out the seven in ten blocks that are freed again.
//!
//! - A process opens at most one [`Stretch`], and never unmaps it: blocks may outlive it.
//! - Only the thread that opened it takes blocks from it, and only while it is open. A block that is freed elsewhere,
//!   or later, is given up. The system's allocator never sees an address of the stretch, nor its lists one of the
//!   system's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

use crate::memory::{CLASSES, MAX_SMALL, SizeClass};
use crate::os;

/// The allocator, for `#[global_allocator]`; without it a [`Stretch`] does nothing.
pub struct Heap;

/// Alignment of every block, as the system's allocator has it.
const ALIGN: usize = 16;

/// Lists of freed blocks: of the size classes, then of each power of two up to [`LARGEST`].
const LISTS: usize = CLASSES + 5;

/// Bytes of the largest block of a stretch, 1 MiB. What is larger grows in the system's mappings, which move without a
/// copy; with all sizes from the stretch the most memory in use was a fifth more.
const LARGEST: usize = (MAX_SMALL as usize) << (LISTS - CLASSES);

/// Where the process's stretch lies; written once, the length last.
static START: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
static LENGTH: AtomicUsize = AtomicUsize::new(0);

/// Whether a stretch has been opened, or is about to be.
static OPENED: AtomicBool = AtomicBool::new(false);

/// What this thread may take.
struct Room {
    /// Null where it has no stretch.
    next: Cell<*mut u8>,
    left: Cell<usize>,
    /// Each freed block begins with the address of the next one.
    freed: [Cell<*mut u8>; LISTS],
}

thread_local! {
    // Nothing to make and nothing to drop: the allocator can use it at any time in a thread's life.
    static ROOM: Room = const {
        Room {
            next: Cell::new(ptr::null_mut()),
            left: Cell::new(0),
            freed: [const { Cell::new(ptr::null_mut()) }; LISTS],
        }
    };
}

/// The list of blocks that hold so many bytes, at most [`LARGEST`], and what they hold.
#[inline(always)]
fn list(bytes: usize) -> (usize, usize) {
    if bytes as u64 <= MAX_SMALL {
        let class = SizeClass::of(bytes as u64);
        return (class.index(), class.capacity() as usize);
    }
    let capacity = bytes.next_power_of_two();
    (CLASSES - 1 + (capacity.ilog2() - MAX_SMALL.ilog2()) as usize, capacity)
}

impl Room {
    /// A block, or null where there is none for such a layout.
    #[inline(always)]
    fn take(&self, layout: Layout) -> *mut u8 {
        if layout.align() > ALIGN || layout.size() > LARGEST {
            return ptr::null_mut();
        }
        if layout.size() as u64 > MAX_SMALL { self.take_large(layout.size()) } else { self.take_of(layout.size()) }
    }

    #[cold]
    fn take_large(&self, bytes: usize) -> *mut u8 {
        self.take_of(bytes)
    }

    #[inline(always)]
    fn take_of(&self, bytes: usize) -> *mut u8 {
        let (number, bytes) = list(bytes);
        let list = &self.freed[number];
        let block = list.get();
        if !block.is_null() {
            // SAFETY: a freed block of this list; it is at least 16 bytes, aligned to 16, and begins with the next.
            list.set(unsafe { block.cast::<*mut u8>().read() });
            return block;
        }
        let left = self.left.get();
        if left < bytes {
            return ptr::null_mut();
        }
        let block = self.next.get();
        self.left.set(left - bytes);
        // SAFETY: there are that many bytes left.
        self.next.set(unsafe { block.add(bytes) });
        block
    }

    /// # Safety
    /// The block is of the stretch and of this layout, and nobody uses it any more.
    #[inline(always)]
    unsafe fn give(&self, block: *mut u8, layout: Layout) {
        if self.next.get().is_null() {
            return;
        }
        let list = &self.freed[list(layout.size()).0];
        // SAFETY: by the caller's promise; every block has room for an address.
        unsafe { block.cast::<*mut u8>().write(list.get()) };
        list.set(block);
    }
}

/// Whether a block is of the process's stretch.
#[inline(always)]
fn in_stretch(block: *mut u8) -> bool {
    let length = LENGTH.load(Ordering::Acquire);
    (block as usize).wrapping_sub(START.load(Ordering::Relaxed) as usize) < length
}

// SAFETY: blocks of the stretch are disjoint, as large and aligned as asked for, and given back to it alone; all others
// are the system's, which gets back what it gave.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = ROOM.with(|room| room.take(layout));
        if !block.is_null() {
            return block;
        }
        // SAFETY: by the caller's promise.
        unsafe { System.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let block = ROOM.with(|room| room.take(layout));
        if !block.is_null() {
            // SAFETY: the block is that large; it may have been used before.
            unsafe { block.write_bytes(0, layout.size()) };
            return block;
        }
        // SAFETY: by the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: by the caller's promise, who had the block from here.
        unsafe {
            if in_stretch(block) {
                ROOM.with(|room| room.give(block, layout));
            } else {
                System.dealloc(block, layout);
            }
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: by the caller's promise; the new block is at least as large as what is copied to it.
        unsafe {
            if !in_stretch(block) {
                return System.realloc(block, layout, size);
            }
            if size <= LARGEST && list(size) == list(layout.size()) {
                return block;
            }
            let fresh = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !fresh.is_null() {
                ptr::copy_nonoverlapping(block, fresh, layout.size().min(size));
                self.dealloc(block, layout);
            }
            fresh
        }
    }
}

/// While it lives, blocks of its thread come from the process's stretch.
#[derive(Debug)]
pub struct Stretch(PhantomData<*mut u8>);

impl Stretch {
    /// Opens the process's stretch, once: later there is none, nor where the system has no room. The bytes are address
    /// space until they are used; when they all are, blocks are the system's again. In `huge` pages, where the system
    /// has them, there is no fault for each 4 KiB.
    pub fn open(bytes: usize, huge: bool) -> Option<Stretch> {
        if OPENED.swap(true, Ordering::Relaxed) {
            return None;
        }
        let align = if huge { os::HUGE_PAGE } else { os::PAGE };
        let whole = os::round_to_pages(bytes.checked_add(align)?)?;
        let base = os::reserve(whole).ok()?.as_ptr();
        let skip = base.align_offset(align);
        // SAFETY: at most one alignment of the mapping, which is longer, is passed over.
        let (start, length) = unsafe { (base.add(skip), whole - skip) };
        if huge && let Some(start) = NonNull::new(start) {
            // SAFETY: the rest of that mapping.
            unsafe { os::advise_huge(start, length) };
        }
        START.store(start, Ordering::Relaxed);
        LENGTH.store(length, Ordering::Release);
        ROOM.with(|room| {
            room.next.set(start);
            room.left.set(length);
        });
        Some(Stretch(PhantomData))
    }
}

impl Drop for Stretch {
    fn drop(&mut self) {
        ROOM.with(|room| {
            room.next.set(ptr::null_mut());
            room.left.set(0);
            room.freed.iter().for_each(|list| list.set(ptr::null_mut()));
        });
    }
}
