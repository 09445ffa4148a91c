//! A call that others may take.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::lower::restart::MOST_PASSED;

/// It waits, or runs.
const OPEN: u32 = u32::MAX;

/// Written by who offers it, then by who takes it, then read by who offered it.
#[derive(Debug)]
pub struct Task {
    /// [`OPEN`], then the status of the call.
    status: AtomicU32,
    pub depth: u32,
    /// Slots that the frames of the call may take.
    pub room: usize,
    words: UnsafeCell<[u64; MOST_PASSED]>,
}

// SAFETY: the words belong to one thread at a time: the deque hands the task over, and the status hands it back.
unsafe impl Sync for Task {}
// SAFETY: as above.
unsafe impl Send for Task {}

impl Default for Task {
    fn default() -> Task {
        Task { status: AtomicU32::new(OPEN), depth: 0, room: 0, words: UnsafeCell::new([0; MOST_PASSED]) }
    }
}

impl Task {
    /// Another call.
    pub fn set(&mut self, arguments: &[u64], depth: u32, room: usize) {
        *self.status.get_mut() = OPEN;
        (self.depth, self.room) = (depth, room);
        self.words.get_mut()[..arguments.len()].copy_from_slice(arguments);
    }

    /// Arguments, then results.
    pub fn words(&self) -> *mut u64 {
        self.words.get().cast()
    }

    /// The call has ended, and its results are in the words if it returned.
    pub fn end(&self, status: u32) {
        self.status.store(status, Ordering::Release);
    }

    pub fn ended(&self) -> Option<u32> {
        Some(self.status.load(Ordering::Acquire)).filter(|&status| status != OPEN)
    }
}
