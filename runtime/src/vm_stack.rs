//! The stack of a fiber's frames: a run of 64-bit slots that is reserved whole and committed as it is touched.
//!
//! One contiguous run needs no check but the limit, and its addresses are stable for compiled code. What is reserved
//! costs address space and 32 bytes of page tables an entry; a fiber that is 100 slots deep holds one page.
//!
//! There is no guard page: a frame is entered only if its slots lie below [`VmStack::limit`], on every tier.

use std::ptr::NonNull;

use thiserror::Error;

use crate::os::{self, PAGE};

/// Slots of a stack unless asked otherwise: 64 MiB.
pub const DEFAULT_SLOTS: usize = 8 << 20;

/// Slots that a stack keeps committed when it is idle, 64 KiB: faulting them in again would cost 35 us.
const KEEP_SLOTS: usize = 8 << 10;

/// Stacks that a pool keeps: 4 MiB at most. Giving back and taking costs 1 us, mapping anew 13.
const POOL_KEEP: usize = 64;

/// The address space for a stack is not to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no address space for a stack of {slots} slots")]
pub struct VmStackError {
    pub slots: usize,
}

/// A run of slots. Fresh slots are zero; slots of a stack used before hold anything.
#[derive(Debug)]
pub struct VmStack {
    base: NonNull<u64>,
    slots: usize,
    bytes: usize,
}

// SAFETY: the mapping belongs to this value alone and is not bound to a thread.
unsafe impl Send for VmStack {}

impl VmStack {
    /// Reserves a stack of `slots` slots, at least one.
    pub fn new(slots: usize) -> Result<VmStack, VmStackError> {
        let refused = VmStackError { slots };
        let bytes = slots.max(1).checked_mul(size_of::<u64>()).and_then(os::round_to_pages).ok_or(refused)?;
        let base = os::reserve(bytes).map_err(|_| refused)?;
        // SAFETY: the range was just mapped. A huge page would commit 2 MiB for the first frame.
        unsafe { os::advise_small(base, bytes) };
        Ok(VmStack { base: base.cast(), slots: slots.max(1), bytes })
    }

    /// Address of the first slot.
    #[inline]
    pub fn base(&self) -> NonNull<u64> {
        self.base
    }

    /// Address behind the last slot.
    #[inline]
    pub fn limit(&self) -> NonNull<u64> {
        // SAFETY: the mapping has at least `slots` slots.
        unsafe { self.base.add(self.slots) }
    }

    /// Number of slots.
    #[inline]
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Gives the pages above the first `live` slots back, but for a small reserve; what was in them is lost.
    /// For a stack that parks, or that has come back from a deep recursion.
    pub fn trim(&mut self, live: usize) {
        let keep = live.max(KEEP_SLOTS).saturating_mul(size_of::<u64>());
        let keep = keep.next_multiple_of(PAGE);
        if keep < self.bytes {
            // SAFETY: whole pages of our mapping; the caller names what is live, and `&mut` that nobody else looks.
            unsafe { os::discard(self.base.cast().add(keep), self.bytes - keep) };
        }
    }
}

impl Drop for VmStack {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody can have frames in it any more.
        unsafe { os::unmap(self.base.cast(), self.bytes) };
    }
}

/// Stacks of one size for fibers that come and go.
#[derive(Debug)]
pub struct VmStackPool {
    slots: usize,
    idle: Vec<VmStack>,
}

impl VmStackPool {
    /// A pool of stacks of `slots` slots each.
    pub fn new(slots: usize) -> VmStackPool {
        VmStackPool { slots, idle: Vec::new() }
    }

    pub fn take(&mut self) -> Result<VmStack, VmStackError> {
        self.idle.pop().map_or_else(|| VmStack::new(self.slots), Ok)
    }

    /// Keeps the stack for later, its pages above a small reserve given back; drops it if there are enough.
    pub fn give(&mut self, mut stack: VmStack) {
        if stack.slots == self.slots.max(1) && self.idle.len() < POOL_KEEP {
            stack.trim(0);
            self.idle.push(stack);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of the range that are in memory.
    fn resident(stack: &VmStack) -> usize {
        let mut pages = vec![0u8; stack.bytes / PAGE];
        // SAFETY: the vector has a byte for each page of the mapping.
        let rc = unsafe { libc::mincore(stack.base.as_ptr().cast(), stack.bytes, pages.as_mut_ptr().cast()) };
        assert_eq!(rc, 0);
        pages.iter().filter(|&&page| page & 1 != 0).count() * PAGE
    }

    #[test]
    fn pages_are_committed_on_touch_and_given_back() {
        let mut stack = VmStack::new(DEFAULT_SLOTS).unwrap();
        assert_eq!(resident(&stack), 0);
        // SAFETY: within the slots.
        unsafe {
            stack.base().write(1);
            assert_eq!(resident(&stack), PAGE);
            for slot in 0..1 << 20 {
                stack.base().add(slot).write(7);
            }
            stack.limit().sub(1).write(3);
            assert!(resident(&stack) > 8 << 20);
            stack.trim(100_000);
            assert!((800_000..=800_000 + PAGE).contains(&resident(&stack)));
            assert_eq!(stack.base().add(99_999).read(), 7);
            stack.trim(0);
            assert_eq!(resident(&stack), KEEP_SLOTS * 8);
        }
    }

    #[test]
    fn absurd_sizes_are_errors() {
        for slots in [usize::MAX, usize::MAX / 8, 1 << 58] {
            assert_eq!(VmStack::new(slots).unwrap_err(), VmStackError { slots });
        }
    }

    #[test]
    fn a_pool_hands_the_same_stack_out_again() {
        let mut pool = VmStackPool::new(1000);
        let stack = pool.take().unwrap();
        let base = stack.base();
        pool.give(stack);
        assert_eq!(pool.take().unwrap().base(), base);
        assert_eq!(pool.take().unwrap().slots(), 1000);
    }
}
