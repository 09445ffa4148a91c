//! The way into compiled code and back.
#![allow(unsafe_code)]

use scaly_interp::interpreter::State;
use scaly_interp::program::{LoopId, LoopKind, Program};
use scaly_interp::tier::{self, Goes, Position};

use crate::library::{Code, Costs};
use crate::lower::Leave;

type Function = unsafe extern "C" fn(state: *mut State, frame: *mut u64) -> u32;

/// A compiled region.
#[derive(Debug)]
pub struct Native {
    code: Code,
    leaves: Vec<Leave>,
    frame_slots: u32,
    /// The slot of the remaining trips of a counted loop.
    trips: Option<u16>,
}

/// How a run of it ended.
#[derive(Clone, Copy, Debug)]
pub enum Left {
    /// It was not entered: its frames do not fit on the stack.
    NoRoom,
    /// By this way; here the run goes on.
    By(Leave, Goes),
}

fn trips_slot(program: &Program, id: LoopId) -> Option<u16> {
    match program.loops.get(id.0 as usize)?.kind {
        LoopKind::Counted { counter } => Some(counter + 1),
        LoopKind::Open => None,
    }
}

/// Back edges that a loop has yet to take, by its function's frame; none where they are not counted.
pub fn trips_left(program: &Program, id: LoopId, at: Position) -> Option<u64> {
    trips_slot(program, id).map(|slot| word(at, slot))
}

fn word(at: Position, slot: u16) -> u64 {
    // SAFETY: a position is of a frame of its program, and slots that loops name are in it.
    unsafe { at.base().add(usize::from(slot)).read() }
}

impl Native {
    pub fn new(code: Code, leaves: Vec<Leave>, frame_slots: u32) -> Native {
        Native { code, leaves, frame_slots, trips: None }
    }

    pub fn costs(&self) -> Costs {
        self.code.costs
    }

    pub fn code(&self) -> &Code {
        &self.code
    }

    /// It is the code of this loop, whose trips can be told if it is a `for`.
    pub fn counts(&mut self, program: &Program, id: LoopId) {
        self.trips = trips_slot(program, id);
    }

    /// Back edges that a counted loop has yet to take, by its frame; 0 of others.
    pub fn trips(&self, at: Position) -> u64 {
        self.trips.map_or(0, |slot| word(at, slot))
    }

    /// Slots from the frame's base that it takes, what is inlined included.
    pub fn frame_slots(&self) -> u32 {
        self.frame_slots
    }

    /// Runs it on a frame that stands at the loop's header; says how it left.
    ///
    /// # Safety
    /// The frame has [`Native::frame_slots`] slots and its header before them. The state is the one that runs, or null if
    /// the region calls nothing.
    pub unsafe fn run(&self, state: *mut State, frame: *mut u64) -> Leave {
        // SAFETY: the address is that of a function of this type, which lives as long as its code; the rest by the
        // caller's promise.
        let number = unsafe {
            let function: Function = std::mem::transmute(self.code.address);
            function(state, frame)
        };
        self.leaves.get(number as usize).copied().unwrap_or(Leave::Abandoned)
    }

    /// Runs it on a frame that stands at the loop's header.
    pub fn enter(&self, state: &mut State, at: Position) -> Left {
        if at.base().wrapping_add(self.frame_slots as usize) > state.slots_limit() || !state.native_room() {
            return Left::NoRoom;
        }
        // SAFETY: the code was made of the bytecode of the state's program, the frame is one of the loop's function, at
        // its header, and there is room for all.
        let leave = unsafe { self.run(state, at.base()) };
        let goes = match leave {
            Leave::Abandoned => Goes::Stopped,
            Leave::Goes { pc, base } => Goes::On(at.at(pc, base)),
            Leave::Returned { pc } => tier::returned(state, at.at(pc, 0)),
            Leave::Routine { pc, base } => tier::stopped_in_routine(state, at.at(pc, base)),
        };
        Left::By(leave, goes)
    }
}
