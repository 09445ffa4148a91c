//! The state of a thread that takes a part of a loop.
//!
//! It runs no bytecode: native code that only computes and allocates calls the routines on it. It has regions of its own,
//! annexes of the program's among them, and memory from a pool of its own.

use std::ptr::NonNull;

use scaly_runtime::console::{Input, Output};
use scaly_runtime::memory::{MemoryError, PagePool, Region};

use super::state::{State, World};

/// No descriptor: independent iterations neither write nor read.
const NOWHERE: i32 = -1;

/// What a thread needs to run a part of a program's loop.
pub struct Helper {
    state: Box<State>,
    /// Behind the state, whose regions use it.
    pool: Box<PagePool>,
}

// SAFETY: it is made and moved as a whole; its state has no tier, and what it shares with the program's is not written.
unsafe impl Send for Helper {}

impl Helper {
    /// A helper of the program that runs in a state.
    pub fn of(program: &State) -> Helper {
        let mut pool = Box::new(PagePool::new(&program.regions.source()));
        let world = World {
            output: Output::new(NOWHERE),
            input: Input::new(NOWHERE),
            arguments: program.world.arguments.clone(),
        };
        // SAFETY: the pool lies in a box that goes where the state goes, and is freed after it.
        let mut state = unsafe { State::sharing(program, NonNull::from(&mut *pool), world) };
        state.screen = program.screen.clone();
        Helper { state: Box::new(state), pool }
    }

    /// The state, for native code; it stays where it is.
    pub fn state(&mut self) -> *mut State {
        &raw mut *self.state
    }

    /// Its stack of regions, for native code.
    pub fn regions(&self) -> *mut u8 {
        self.state.regions()
    }

    /// Enters an annex of a region of the program; where blocks of that region are made and freed meanwhile.
    ///
    /// # Safety
    /// As for [`RegionStack::annex`], until [`Helper::join`] or [`Helper::become_of`].
    pub unsafe fn annex(&mut self, of: NonNull<Region>) -> Result<NonNull<Region>, MemoryError> {
        // SAFETY: by the caller's promise; the pool is of the program's source.
        unsafe { self.state.regions.annex(of) }
    }

    /// Hands what was made in annexes to the regions of the program.
    ///
    /// # Safety
    /// As for [`RegionStack::join`].
    pub unsafe fn join(&mut self) {
        // SAFETY: by the caller's promise.
        unsafe { self.state.regions.join() };
        // What is only kept for later counts, too, and the program cannot take it back from here.
        if self.pool.source().limited() {
            self.pool.trim();
        }
    }

    /// The program goes on in frames of this helper: its regions, and what a routine has said, become the program's.
    ///
    /// # Safety
    /// The program's state is this thread's, and nobody uses the helper's regions any more but through those frames.
    pub unsafe fn become_of(self, program: &mut State) {
        let State { regions, pending, outcome, .. } = *self.state;
        program.pending = pending;
        program.outcome = outcome;
        // SAFETY: by the caller's promise; the pools are of one source.
        unsafe { program.regions.append(regions) };
    }
}

impl State {
    /// The region at this address, if it is an entered one, and how many were entered after it.
    pub fn find_region(&self, address: u64) -> Option<(NonNull<Region>, usize)> {
        self.regions.find(usize::try_from(address).ok()?)
    }
}
