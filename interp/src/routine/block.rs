//! Regions, blocks and plain memory.

use std::ptr::{self, NonNull};
use std::sync::Arc;

use scaly_runtime::memory::{self, MemoryError, Region, Window};

use super::slots::Slots;
use crate::interpreter::{Outcome, State, index_message};
use crate::machine::Fault;

pub(super) fn region_enter(state: &mut State, s: Slots) -> Outcome {
    match state.regions.enter() {
        Ok(region) => s.set(0, region.as_ptr().expose_provenance() as i64),
        Err(error) => state.refused(error),
    }
}

pub(super) fn region_reset(s: Slots) -> Outcome {
    // SAFETY: lowering resets a region only where no value of it lives.
    unsafe { memory::reset(s.region(0)) };
    Outcome::Done
}

pub(super) fn region_exit(state: &mut State, s: Slots) -> Outcome {
    if let Some(region) = NonNull::new(s.region(0)) {
        // SAFETY: lowering leaves a region only where no value of it lives.
        unsafe { state.regions.exit_to(region) };
    }
    Outcome::Done
}

/// A zeroed block; none for 0 bytes.
#[inline(always)]
fn zeroed(state: &mut State, region: *mut Region, bytes: u64) -> Result<*mut u8, Outcome> {
    if bytes == 0 {
        return Ok(ptr::null_mut());
    }
    // SAFETY: a region argument is an entered region of this fiber.
    match unsafe { memory::alloc_zeroed(region, bytes) } {
        Ok(block) => Ok(block.as_ptr()),
        Err(error) => Err(state.refused(error)),
    }
}

/// Bytes of so many elements.
#[inline(always)]
fn bytes_of(state: &mut State, length: i64, stride: i64) -> Result<u64, Outcome> {
    if length < 0 {
        return Err(negative(state, length));
    }
    (length as u64)
        .checked_mul(stride as u64)
        .ok_or_else(|| state.refused(MemoryError::TooLarge { requested: u64::MAX }))
}

#[cold]
fn negative(state: &mut State, length: i64) -> Outcome {
    state.fault(Fault::NegativeLength, format!("negative length {length}"))
}

pub(super) fn alloc(state: &mut State, s: Slots) -> Outcome {
    match zeroed(state, s.region(0), s.word(1) as u64) {
        Ok(block) => s.set(0, block.expose_provenance() as i64),
        Err(outcome) => outcome,
    }
}

pub(super) fn free(s: Slots) -> Outcome {
    // SAFETY: lowering frees what it overwrites, once, in the region that owns it.
    unsafe { memory::free(s.region(0), s.pointer(1)) };
    Outcome::Done
}

pub(super) fn array_new(state: &mut State, s: Slots) -> Outcome {
    let (length, stride) = (s.word(1), s.word(2));
    let block = bytes_of(state, length, stride).and_then(|bytes| zeroed(state, s.region(0), bytes));
    match block {
        Ok(block) => s.set_pair(block, length as usize),
        Err(outcome) => outcome,
    }
}

pub(super) fn array_grow(state: &mut State, s: Slots) -> Outcome {
    let (length, stride, extra) = (s.word(2), s.word(3), s.word(4));
    let needed = match length.checked_add(extra) {
        Some(room) => bytes_of(state, room, stride),
        None => Err(state.refused(MemoryError::TooLarge { requested: u64::MAX })),
    };
    let needed = match needed {
        Ok(0) => return s.set(0, s.word(1)),
        Ok(needed) => needed,
        Err(outcome) => return outcome,
    };
    // SAFETY: an array's block is of the region that its owner names, and holds its elements.
    match unsafe { memory::grow(s.region(0), s.pointer(1), (length * stride) as u64, needed) } {
        Ok(block) => s.set(0, block.as_ptr().expose_provenance() as i64),
        Err(error) => state.refused(error),
    }
}

pub(super) fn array_copy(state: &mut State, s: Slots) -> Outcome {
    let length = s.word(2);
    let bytes = (length * s.word(3)) as usize;
    if bytes == 0 {
        return s.set_pair(ptr::null(), length as usize);
    }
    // SAFETY: the array has so many elements of the stride; the new block has room for them.
    unsafe {
        match memory::alloc(s.region(0), bytes as u64) {
            Ok(block) => {
                block.as_ptr().copy_from_nonoverlapping(s.pointer(1), bytes);
                s.set_pair(block.as_ptr(), length as usize)
            }
            Err(error) => state.refused(error),
        }
    }
}

/// Bytes of a pixel: red, green, blue.
const PIXEL: i64 = 3 * size_of::<f32>() as i64;

pub(super) fn picture_new(state: &mut State, s: Slots) -> Outcome {
    let (width, height) = (s.word(1), s.word(2));
    let length = width.wrapping_mul(height);
    let block = bytes_of(state, length, PIXEL).and_then(|bytes| match window(state, width, height, bytes) {
        Some(window) => shown(state, s.region(0), bytes, window),
        None => zeroed(state, s.region(0), bytes),
    });
    match block {
        Ok(block) => s.set_pair(block, length as usize),
        Err(outcome) => outcome,
    }
}

pub(super) fn picture_copy(state: &mut State, s: Slots) -> Outcome {
    let (length, width, height) = (s.word(2), s.word(4), s.word(5));
    let bytes = (length * s.word(3)) as u64;
    // Its array may have been made longer or shorter since.
    let whole = width.checked_mul(height) == Some(length);
    let window = if whole { window(state, width, height, bytes) } else { None };
    let Some(window) = window else { return array_copy(state, s) };
    match shown(state, s.region(0), bytes, window) {
        Ok(block) => {
            // SAFETY: the array has so many bytes, and so has the new block.
            unsafe { block.copy_from_nonoverlapping(s.pointer(1), bytes as usize) };
            s.set_pair(block, length as usize)
        }
        Err(outcome) => outcome,
    }
}

/// Where somebody watches. A product that wrapped around is the size of no picture.
fn window(state: &State, width: i64, height: i64, bytes: u64) -> Option<Arc<Window>> {
    let screen = state.screen.as_ref().filter(|_| bytes > 0 && width.checked_mul(height).is_some())?;
    screen.picture(usize::try_from(width).ok()?, usize::try_from(height).ok()?)
}

#[cold]
fn shown(state: &mut State, region: *mut Region, bytes: u64, window: Arc<Window>) -> Result<*mut u8, Outcome> {
    // SAFETY: a region argument is an entered region of this fiber.
    match unsafe { memory::alloc_shown(region, bytes, window) } {
        Ok(block) => Ok(block.as_ptr()),
        Err(error) => Err(state.refused(error)),
    }
}

/// Doubles the filled part until all is filled.
pub(super) fn array_repeat(s: Slots) -> Outcome {
    let (base, length, stride) = (s.pointer(0), s.word(1), s.word(2) as usize);
    if length > 1 {
        let total = length as usize * stride;
        let mut filled = stride;
        while filled < total {
            let count = filled.min(total - filled);
            // SAFETY: both parts lie inside the array and do not overlap.
            unsafe { base.add(filled).copy_from_nonoverlapping(base, count) };
            filled += count;
        }
    }
    Outcome::Done
}

pub(super) fn memory_move(s: Slots) -> Outcome {
    // SAFETY: both ranges are the program's.
    unsafe { s.pointer(0).copy_from(s.pointer(1), s.word(2) as usize) };
    Outcome::Done
}

pub(super) fn memory_zero(s: Slots) -> Outcome {
    let bytes = s.word(1) as usize;
    if bytes > 0 {
        // SAFETY: the range is the program's.
        unsafe { s.pointer(0).write_bytes(0, bytes) };
    }
    Outcome::Done
}

pub(super) fn memory_equal(s: Slots) -> Outcome {
    let bytes = s.word(2) as usize;
    let range = |slot| match bytes {
        0 => &[][..],
        // SAFETY: the range is the program's.
        _ => unsafe { std::slice::from_raw_parts(s.pointer(slot).cast_const(), bytes) },
    };
    s.set(0, i64::from(range(0) == range(1)))
}

pub(super) fn memory_swap(s: Slots) -> Outcome {
    let (a, b, bytes) = (s.pointer(0), s.pointer(1), s.word(2) as usize);
    if a != b && bytes > 0 {
        // SAFETY: the ranges are the program's and do not overlap.
        unsafe { ptr::swap_nonoverlapping(a, b, bytes) };
    }
    Outcome::Done
}

pub(super) fn slice_fault(state: &mut State, start: i64, end: i64, length: i64) -> Outcome {
    state.fault(Fault::IndexOutOfRange, format!("slice {start}..{end} is out of range for length {length}"))
}

pub(super) fn check_slice(state: &mut State, s: Slots) -> Outcome {
    let (start, end, length) = (s.word(0), s.word(1), s.word(2));
    if 0 <= start && start <= end && end <= length {
        return Outcome::Done;
    }
    slice_fault(state, start, end, length)
}

pub(super) fn check_length(state: &mut State, s: Slots) -> Outcome {
    if s.word(0) < 0 { negative(state, s.word(0)) } else { Outcome::Done }
}

pub(super) fn check_insert(state: &mut State, s: Slots) -> Outcome {
    let (index, length) = (s.word(0), s.word(1));
    if 0 <= index && index <= length {
        return Outcome::Done;
    }
    state.fault(Fault::IndexOutOfRange, index_message(index, length))
}
