//! Guard mode's quarantine: address ranges that stay forbidden after their memory has gone back.
//!
//! Unmapping alone would let the next mapping take the same addresses, and a use after free would read somebody's
//! data instead of faulting. The quarantine is bounded, oldest out first, since map entries are.

use std::collections::VecDeque;
use std::ptr::NonNull;

use crate::os;

/// What freed blocks are filled with in guard mode.
pub const POISON: u8 = 0xdb;
/// What fresh blocks are filled with in guard mode, unless asked for as zeros.
pub const FRESH: u8 = 0xcd;

/// Most ranges kept: a quarter of the 65,530 mappings that Linux allows, of which each needs up to one.
const MOST: usize = 16_384;

#[derive(Default)]
pub(crate) struct Quarantine {
    ranges: VecDeque<(NonNull<u8>, usize)>,
}

impl Quarantine {
    /// Takes the memory of a whole mapping and forbids its addresses.
    ///
    /// # Safety
    /// The mapping is of [`os::map`], and nothing may use it any more (what does will fault).
    pub(crate) unsafe fn put(&mut self, base: NonNull<u8>, bytes: usize) {
        // SAFETY: by the caller's promise; a range in quarantine belongs to it.
        unsafe {
            if !os::forbid(base, bytes) {
                return os::unmap(base, bytes);
            }
            self.ranges.push_back((base, bytes));
            if self.ranges.len() > MOST
                && let Some((base, bytes)) = self.ranges.pop_front()
            {
                os::unmap(base, bytes);
            }
        }
    }
}

impl Drop for Quarantine {
    fn drop(&mut self) {
        for (base, bytes) in self.ranges.drain(..) {
            // SAFETY: ranges in quarantine belong to it.
            unsafe { os::unmap(base, bytes) };
        }
    }
}
