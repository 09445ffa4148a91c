//! A routine's arguments and results, in the slots from the `Runtime` instruction's `a` on.

use std::ptr::NonNull;

use scaly_runtime::memory::{self, Region};

use crate::interpreter::{Outcome, State};

/// Values lie where the routine's row says. All are read before the first result is written.
#[derive(Clone, Copy)]
pub(super) struct Slots(*mut u64);

impl Slots {
    /// # Safety
    /// The slots of the routine's row are in the frame, and hold what its row says.
    pub unsafe fn new(first: *mut u64) -> Slots {
        Slots(first)
    }

    #[inline(always)]
    pub fn word(self, slot: usize) -> i64 {
        // SAFETY: by the promise of `new`, as for all below.
        unsafe { *self.0.add(slot) as i64 }
    }

    #[inline(always)]
    pub fn float(self, slot: usize) -> f64 {
        f64::from_bits(self.word(slot) as u64)
    }

    #[inline(always)]
    pub fn single(self, slot: usize) -> f32 {
        f32::from_bits(self.word(slot) as u32)
    }

    #[inline(always)]
    pub fn region(self, slot: usize) -> *mut Region {
        std::ptr::with_exposed_provenance_mut(self.word(slot) as usize)
    }

    #[inline(always)]
    pub fn pointer(self, slot: usize) -> *mut u8 {
        std::ptr::with_exposed_provenance_mut(self.word(slot) as usize)
    }

    /// Text or a byte array. It lives as long as the routine runs and frees or changes nothing of it.
    #[inline(always)]
    pub fn bytes<'a>(self, slot: usize) -> &'a [u8] {
        let length = self.word(slot + 1) as usize;
        if length == 0 {
            return &[];
        }
        // SAFETY: a pair is a pointer to so many bytes.
        unsafe { std::slice::from_raw_parts(self.pointer(slot), length) }
    }

    /// The same as text; invalid UTF-8, which only a byte array can hold, becomes U+FFFD.
    pub fn text<'a>(self, slot: usize) -> std::borrow::Cow<'a, str> {
        String::from_utf8_lossy(self.bytes(slot))
    }

    #[inline(always)]
    pub fn set(self, slot: usize, value: i64) -> Outcome {
        // SAFETY: by the promise of `new`.
        unsafe { *self.0.add(slot) = value as u64 };
        Outcome::Done
    }

    pub fn set_float(self, slot: usize, value: f64) -> Outcome {
        self.set(slot, value.to_bits() as i64)
    }

    #[inline(always)]
    pub fn set_pair(self, pointer: *const u8, length: usize) -> Outcome {
        self.set(0, pointer.expose_provenance() as i64);
        self.set(1, length as i64)
    }

    /// A new block of the region with these pieces, as the result pair in slots 0 and 1.
    #[inline(always)]
    pub fn set_joined(self, state: &mut State, region: *mut Region, pieces: [&[u8]; 2]) -> Outcome {
        let length = pieces[0].len() + pieces[1].len();
        if length == 0 {
            return self.set_pair(std::ptr::null(), 0);
        }
        // SAFETY: a region argument is an entered region of this fiber; the block has room for the pieces.
        unsafe {
            match memory::alloc(region, length as u64) {
                Ok(block) => {
                    copy_to(block, 0, pieces[0]);
                    copy_to(block, pieces[0].len(), pieces[1]);
                    self.set_pair(block.as_ptr(), length)
                }
                Err(error) => state.refused(error),
            }
        }
    }

    pub fn set_bytes(self, state: &mut State, region: *mut Region, bytes: &[u8]) -> Outcome {
        self.set_joined(state, region, [bytes, &[]])
    }
}

#[inline(always)]
unsafe fn copy_to(block: NonNull<u8>, at: usize, bytes: &[u8]) {
    // SAFETY: the caller's block has the room.
    unsafe { block.add(at).as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
}
