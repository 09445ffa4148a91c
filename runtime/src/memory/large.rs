//! Blocks above [`MAX_SMALL`](super::MAX_SMALL): memory of their own, linked into their region.
//!
//! ```text
//! ┌─────────────────────┬─────────────┬───────────────┬ …
//! │ LargeLink, 48 bytes │ BlockHeader │ contents      │
//! └─────────────────────┴─────────────┴───────────────┴ …
//! 0                     48            64, the base: a multiple of 64
//! ```
//!
//! Up to 256 KiB the memory is a span of the pool, above it a mapping that goes back to the system, or to a few that the
//! pool keeps, when the block is freed, and grows by `mremap`.

use std::ptr::{self, NonNull};
use std::sync::Arc;

use super::arena::{order_for, span_bytes};
use super::error::MemoryError;
use super::mappings::Fit;
use super::pages::{Contents, PagePool, RegionMode};
use super::region::BlockHeader;
use super::window::Window;
use crate::os;

/// Bytes from the start of the memory to the base.
const FRONT: usize = 64;

#[repr(C)]
pub(super) struct LargeLink {
    next: *mut LargeLink,
    /// The place that points to this: of the block before, or the list itself.
    place: *mut *mut LargeLink,
    /// Bytes of the span or mapping.
    bytes: usize,
    /// The span's order, or `MAPPED`.
    order: usize,
    /// Through which another thread looks at it; mostly null.
    window: *const Window,
    reserved: usize,
}

const MAPPED: usize = usize::MAX;
const _: () = assert!(size_of::<LargeLink>() + size_of::<BlockHeader>() == FRONT);

/// Makes a large block with a capacity of at least `bytes` and links it into `list`.
///
/// # Safety
/// `list` is a list of live large blocks.
pub(super) unsafe fn create(
    pool: &mut PagePool,
    list: &mut *mut LargeLink,
    bytes: u64,
    fit: Fit,
) -> Result<(NonNull<u8>, Contents), MemoryError> {
    let total = total_for(bytes)?;
    let span = match pool.mode() {
        RegionMode::Reuse => order_for(total),
        RegionMode::Guard => None,
    };
    let (memory, held, order, contents) = match span {
        Some(order) => (pool.take(order)?, span_bytes(order), order, Contents::Anything),
        None => {
            let least = os::round_to_pages(total).ok_or(MemoryError::TooLarge { requested: bytes })?;
            let (memory, held, contents) = pool.map(least, fit)?;
            (memory, held, MAPPED, contents)
        }
    };
    let link = memory.as_ptr().cast::<LargeLink>();
    // SAFETY: `held` bytes, at least FRONT, are ours and aligned; the list's blocks are live.
    unsafe {
        link.write(LargeLink { next: *list, place: list, bytes: held, order, window: ptr::null(), reserved: 0 });
        if !(*list).is_null() {
            (**list).place = &raw mut (*link).next;
        }
        *list = link;
        let base = memory.add(FRONT);
        BlockHeader::write(base, (held - FRONT) as u64);
        Ok((base, contents))
    }
}

/// Lets others look at the first `bytes` bytes of a large block.
///
/// # Safety
/// `base` is a large block with so much room and no window.
pub(super) unsafe fn show(base: NonNull<u8>, bytes: usize, window: Arc<Window>) {
    // SAFETY: a large block has its link FRONT bytes before its base; whoever ends the block closes the window before.
    unsafe { (*base.sub(FRONT).cast::<LargeLink>().as_ptr()).window = window.open(base, bytes) };
}

/// Unlinks a large block and gives its memory back.
///
/// # Safety
/// `base` is a large block, made by a pool of the same source, and nothing uses it any more; nobody else uses its list.
pub(super) unsafe fn destroy(pool: &mut PagePool, base: NonNull<u8>) {
    // SAFETY: a large block has its link FRONT bytes before its base; its neighbours in the list are live.
    unsafe {
        let link = base.sub(FRONT).cast::<LargeLink>();
        let LargeLink { next, place, bytes, order, window, .. } = link.read();
        Window::close(window);
        *place = next;
        if !next.is_null() {
            (*next).place = place;
        }
        release(pool, link.cast(), bytes, order);
    }
}

/// Moves all blocks of a list to another.
///
/// # Safety
/// Both are lists of live large blocks, that nobody else uses.
pub(super) unsafe fn append(to: &mut *mut LargeLink, from: &mut *mut LargeLink) {
    if from.is_null() {
        return;
    }
    // SAFETY: by the caller's promise the blocks are live; each is linked where it stands.
    unsafe {
        let mut end: *mut *mut LargeLink = from;
        while !(*end).is_null() {
            end = &raw mut (**end).next;
        }
        *end = *to;
        if !(*to).is_null() {
            (**to).place = end;
        }
        *to = *from;
        (**to).place = to;
        *from = ptr::null_mut();
    }
}

/// Gives the memory of all blocks of the list back and empties it.
///
/// # Safety
/// As for [`destroy`], for each block.
pub(super) unsafe fn destroy_all(pool: &mut PagePool, list: &mut *mut LargeLink) {
    while let Some(link) = NonNull::new(*list) {
        // SAFETY: the list's blocks are live until released here.
        unsafe {
            let LargeLink { next, bytes, order, window, .. } = link.read();
            Window::close(window);
            *list = next;
            release(pool, link.cast(), bytes, order);
        }
    }
}

/// Lets a mapped block have a capacity of at least `bytes` without copying it; `None` if it
/// isn't mapped, or if copying to kept memory is better.
///
/// # Safety
/// `base` is a large block; its old address is not used any more if this succeeds. Nobody else uses its list.
pub(super) unsafe fn grow_in_place(
    pool: &mut PagePool,
    base: NonNull<u8>,
    bytes: u64,
) -> Option<Result<NonNull<u8>, MemoryError>> {
    if pool.mode() == RegionMode::Guard {
        return None;
    }
    // SAFETY: as in `destroy`; after the move the neighbours are told of the new address.
    unsafe {
        let link = base.sub(FRONT).cast::<LargeLink>();
        let LargeLink { next, place, bytes: old, order, window, .. } = link.read();
        // A block that is shown stays where it is looked for until it ends.
        if order != MAPPED || !window.is_null() {
            return None;
        }
        let new = match total_for(bytes).map(os::round_to_pages) {
            Ok(Some(new)) => new,
            _ => return Some(Err(MemoryError::TooLarge { requested: bytes })),
        };
        // Memory that was touched before is worth the copy: a page fault costs more than copying the page.
        if pool.keeps(new, Fit::Growing) {
            return None;
        }
        let (memory, new) = match pool.remap(link.cast(), old, new) {
            Ok(mapping) => mapping,
            Err(error) => return Some(Err(error)),
        };
        let link = memory.cast::<LargeLink>().as_ptr();
        (*link).bytes = new;
        *place = link;
        if !next.is_null() {
            (*next).place = &raw mut (*link).next;
        }
        let base = memory.add(FRONT);
        BlockHeader::write(base, (new - FRONT) as u64);
        Some(Ok(base))
    }
}

fn total_for(bytes: u64) -> Result<usize, MemoryError> {
    let total = usize::try_from(bytes).ok().and_then(|bytes| bytes.checked_add(FRONT));
    total.filter(|&total| total <= isize::MAX as usize).ok_or(MemoryError::TooLarge { requested: bytes })
}

unsafe fn release(pool: &mut PagePool, memory: NonNull<u8>, bytes: usize, order: usize) {
    // SAFETY: the caller names memory of this kind and size that nothing uses any more.
    unsafe {
        if order == MAPPED {
            pool.unmap(memory, bytes);
        } else {
            pool.give(memory, order);
        }
    }
}
