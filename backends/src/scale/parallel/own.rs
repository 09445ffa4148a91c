//! What a chunk has for itself: slots for its frames, and regions where it allocates.

use std::ptr::NonNull;

use scaly_interp::interpreter::{Helper, State};
use scaly_runtime::memory::Region;
use scaly_runtime::vm_stack::{DEFAULT_SLOTS, VmStack};

use crate::lower::native_stack::{BYTES_PER_SLOT, LAST};

/// Bytes that a helper's native stack has: as a fiber's, so that the slots end first.
pub const HELPER_STACK: usize = 256 << 20;
/// Bytes at the end of it that native frames leave alone.
pub const RESERVE: usize = 2 << 20;

const _: () = assert!(DEFAULT_SLOTS * BYTES_PER_SLOT + LAST <= HELPER_STACK - RESERVE);

/// The slots of a chunk.
pub enum Stack {
    Small(Vec<u64>),
    /// Committed as it is touched.
    Deep(VmStack),
}

impl Stack {
    pub fn new(slots: usize, deep: bool) -> Option<Stack> {
        if deep { VmStack::new(slots).ok().map(Stack::Deep) } else { Some(Stack::Small(vec![0; slots])) }
    }

    pub fn slots(&self) -> usize {
        match self {
            Stack::Small(slots) => slots.len(),
            Stack::Deep(stack) => stack.slots(),
        }
    }

    /// Of the frame's header.
    pub fn start(&mut self) -> *mut u64 {
        match self {
            Stack::Small(slots) => slots.as_mut_ptr(),
            Stack::Deep(stack) => stack.base().as_ptr(),
        }
    }
}

// SAFETY: a stack is memory that its owner alone uses.
unsafe impl Send for Stack {}

/// The regions of the program that a loop allocates in, and the slots that hold their handles.
#[derive(Default)]
pub struct Regions {
    slots: Vec<(u16, usize)>,
    /// The outermost first.
    bases: Vec<NonNull<Region>>,
}

// SAFETY: addresses, of which annexes are made on the program's thread only.
unsafe impl Sync for Regions {}

/// A helper with an annex of each of these regions.
pub struct Annexed {
    pub helper: Helper,
    annexes: Vec<NonNull<Region>>,
}

// SAFETY: annexes go with their helper, and are made for other threads than that of their region.
unsafe impl Send for Annexed {}

impl Regions {
    /// None if a slot does not hold a handle.
    pub fn of(state: &State, slots: &[u16], slot: impl Fn(u16) -> u64) -> Option<Regions> {
        let found = |&at: &u16| state.find_region(slot(at)).map(|(region, after)| (at, region, after));
        let mut found: Vec<_> = slots.iter().map(found).collect::<Option<_>>()?;
        found.sort_by_key(|&(_, _, after)| std::cmp::Reverse(after));
        let mut regions = Regions::default();
        for (at, region, _) in found {
            if regions.bases.last() != Some(&region) {
                regions.bases.push(region);
            }
            regions.slots.push((at, regions.bases.len() - 1));
        }
        Some(regions)
    }

    /// Lets a helper allocate in these regions; none if there is no memory for that.
    ///
    /// # Safety
    /// The regions are used by helpers only until all of them have joined.
    pub unsafe fn annexed(&self, mut helper: Helper) -> Option<Annexed> {
        // SAFETY: by the caller's promise.
        let annexes = self.bases.iter().map(|&base| unsafe { helper.annex(base) }.ok()).collect::<Option<_>>()?;
        Some(Annexed { helper, annexes })
    }

    /// Slots, and the handles that they hold where a helper runs.
    pub fn handles<'a>(&'a self, annexed: &'a Annexed) -> impl Iterator<Item = (u16, u64)> + 'a {
        self.slots.iter().map(|&(slot, at)| (slot, annexed.annexes[at].addr().get() as u64))
    }
}
