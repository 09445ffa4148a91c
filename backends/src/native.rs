//! The way into compiled code and back.
#![allow(unsafe_code)]

use std::ops::Range;
use std::ptr;

use scaly_interp::interpreter::{Helper, State};
use scaly_interp::program::{LoopId, Program};
use scaly_interp::tier::{self, Goes, Position};

use crate::interrupt::{Cutoff, Inside};
use crate::library::{Code, Costs};
use crate::lower::restart::GAVE_UP;
use crate::lower::{Interface, Leave, Needs, Restart};
use crate::restart;
use crate::run::Run;
use crate::terms::{SCRATCH, Terms};

type Function = unsafe extern "C" fn(run: *mut Run, frame: *mut u64) -> u32;

/// A compiled region.
#[derive(Debug)]
pub struct Native {
    code: Code,
    interface: Interface,
    /// The slot of the remaining trips of a counted loop.
    trips: Option<u16>,
}

/// How a run of it ended.
#[derive(Clone, Copy, Debug)]
pub enum Left {
    /// It was not entered, or did nothing: its frames do not fit on the stack.
    NoRoom,
    /// By this way; here the run goes on.
    By(Leave, Goes),
}

/// How a run without the program's state ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Computed {
    /// Nothing was done: its frames do not fit on the stack.
    NoRoom,
    /// By this way. The frame is that of the activation in which the interpreter goes on, at the way's instruction; all
    /// frames below it are as the interpreter would have left them, headers included.
    Left { leave: Leave, frame: *mut u64 },
    /// Nobody wants it any more: it was not begun, or ended anywhere.
    Unwanted,
}

/// As long as what code is about at a place is wanted, it runs.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub cutoff: &'a Cutoff,
    /// Who runs it.
    pub worker: usize,
    pub at: u64,
}

/// What belongs to a run of a part of a loop, on any thread.
#[derive(Default)]
pub struct Part<'a> {
    /// Where a `while` ends that was compiled to be divided: its condition is true as long as it would be if this were what
    /// its counter is compared with.
    pub limit: Option<i64>,
    /// With a state for routines.
    pub helper: Option<&'a mut Helper>,
    pub wanted: Option<Wanted<'a>>,
    /// To the ends of which the terms of its sums go whose order matters.
    pub terms: Option<&'a mut [Vec<u64>]>,
}

impl Native {
    pub fn new(code: Code, interface: Interface) -> Native {
        Native { code, interface, trips: None }
    }

    /// What it and all that it calls need of a run, so that [`Native::compute`] may run it or not.
    pub fn needs(&self) -> Needs {
        self.interface.needs
    }

    /// Slots that hold handles of regions when it is entered; none if not all are known.
    pub fn regions(&self) -> Option<&[u16]> {
        self.interface.regions.as_deref()
    }

    /// Whether a call that it refuses has no room in the interpreter either.
    pub fn is_exact(&self) -> bool {
        self.interface.exact
    }

    /// Whether slots end before the native stack, however deeply its calls are nested.
    pub fn slots_end_first(&self) -> bool {
        !self.code.large_frames
    }

    /// If it gives up instead of leaving: what `scale::fork` runs.
    pub fn restart(&self) -> Option<Restart> {
        self.interface.restart
    }

    /// Whether it is a `while` that can be given a limit.
    pub fn can_end_early(&self) -> bool {
        self.interface.no_limit.is_some()
    }

    pub fn costs(&self) -> Costs {
        self.code.costs
    }

    pub fn code(&self) -> &Code {
        &self.code
    }

    /// It is the code of this loop, whose trips can be told if it is a `for`.
    pub fn counts(&mut self, program: &Program, id: LoopId) {
        self.trips = tier::trips_slot(program, id);
    }

    /// Back edges that a counted loop has yet to take, by its frame; 0 of others.
    pub fn trips(&self, at: Position) -> u64 {
        self.trips.map_or(0, |slot| tier::word(at, slot))
    }

    /// Slots from the frame's base that it takes itself, what is inlined included.
    pub fn frame_slots(&self) -> u32 {
        self.interface.frame_slots
    }

    /// Whether there is room for its frames, so that it can be entered.
    pub fn has_room(&self, state: &State, at: Position) -> bool {
        let slots = (state.slots_limit() as usize).saturating_sub(at.base() as usize) / 8;
        state.native_room() && self.frame_slots() as usize <= slots
    }

    /// Runs it on a frame that stands at the loop's header, or at the function's first instruction.
    pub fn enter(&self, state: &mut State, at: Position) -> Left {
        if !state.native_room() {
            return Left::NoRoom;
        }
        let (slots_limit, native_limit) = (state.slots_limit(), state.native_limit());
        let limit = self.interface.no_limit.unwrap_or(0);
        let regions = state.regions();
        let mut scratch = SCRATCH;
        let mut terms = Terms::unwanted(self.interface.sums, &mut scratch);
        let terms = terms.place();
        let mut run = Run { slots_limit, native_limit, state, regions, left: at.base(), limit, terms, ..Run::NOWHERE };
        // SAFETY: the code was made of the bytecode of the state's program, and the frame is one of the loop's function,
        // at its header, or of the function, at its beginning.
        let leave = unsafe { self.call(&mut run, at.base()) };
        let left = at.of_frame(run.left);
        let goes = match leave {
            Leave::NoRoom => return Left::NoRoom,
            Leave::Abandoned => Goes::Stopped,
            Leave::Goes { pc, base } | Leave::NoRoomToCall { pc, base } => Goes::On(left.at(pc, base)),
            Leave::Returned { pc } => tier::returned(state, at.at(pc, 0)),
            Leave::Routine { pc, base } => tier::stopped_in_routine(state, left.at(pc, base)),
        };
        Left::By(leave, goes)
    }

    /// Runs it, or a part of it, on a frame of any stack, on any thread; none if it needs the program's state, or a
    /// helper's and there is none. It may turn out not to be wanted.
    ///
    /// # Safety
    /// The frame is one of the loop's function, at its header, or of the function, at its beginning, of a run of the
    /// program that the code was made of; the slots up to the limit are this thread's. What the region loads nobody
    /// stores meanwhile, and what it stores nobody else loads or stores. The native limit is one of this thread's stack,
    /// with room below it for the frames of two functions and all that they call outside of the program. If it turns out
    /// to be unwanted, nobody looks at what it has made.
    pub unsafe fn compute(
        &self,
        slots_limit: *mut u64,
        native_limit: usize,
        frame: *mut u64,
        Part { limit, helper, wanted, terms }: Part<'_>,
    ) -> Option<Computed> {
        let (state, regions) = match (self.needs(), helper) {
            (Needs::Nothing, _) => (ptr::null_mut(), ptr::null_mut()),
            (Needs::Routines, Some(helper)) => (helper.state(), helper.regions()),
            (Needs::Routines, None) | (Needs::Program(_), _) => return None,
        };
        let limit = limit.or(self.interface.no_limit).unwrap_or(0);
        let mut scratch = SCRATCH;
        let mut terms = match terms {
            Some(lists) if lists.len() >= self.interface.sums => Terms::behind(lists),
            _ => Terms::unwanted(self.interface.sums, &mut scratch),
        };
        let place = terms.place();
        let mut run =
            Run { slots_limit, native_limit, state, regions, left: frame, limit, terms: place, ..Run::NOWHERE };
        if frame.wrapping_add(self.frame_slots() as usize) > slots_limit {
            return Some(Computed::NoRoom);
        }
        let run = &raw mut run;
        let inside = Inside::new(self.addresses(), run);
        if wanted.is_some_and(|Wanted { cutoff, worker, at }| !cutoff.enter(worker, at, &inside)) {
            return Some(Computed::Unwanted);
        }
        // SAFETY: by the caller's promise; what only computes reads neither state nor regions. The address is that of a
        // function of this type, which lives as long as its code.
        let number = unsafe { inside.during(|| restart::enter(self.code.address, run, frame, 0)) };
        if let Some(Wanted { cutoff, worker, .. }) = wanted {
            cutoff.leave(worker);
        }
        if number == GAVE_UP {
            return Some(Computed::Unwanted);
        }
        terms.keep();
        let leave = self.interface.leaves.get(number as usize).copied().unwrap_or(Leave::Abandoned);
        // SAFETY: the run is this call's.
        let left = unsafe { (*run).left };
        Some(match leave {
            Leave::NoRoom => Computed::NoRoom,
            Leave::Goes { base, .. } | Leave::NoRoomToCall { base, .. } | Leave::Routine { base, .. } => {
                Computed::Left { leave, frame: left.wrapping_add(base as usize) }
            }
            leave => Computed::Left { leave, frame },
        })
    }

    /// That of all functions that were compiled together.
    pub fn machine_code(&self) -> &[u8] {
        let addresses = self.addresses();
        // SAFETY: the code's sections lie there, which may be read, and as long as the code lives nobody changes them.
        unsafe { std::slice::from_raw_parts(addresses.start as *const u8, addresses.len()) }
    }

    /// Of its machine code; its entry comes first.
    pub fn addresses(&self) -> Range<usize> {
        self.code.address..self.code.address + self.code.costs.code_bytes
    }

    /// # Safety
    /// As the methods above say.
    unsafe fn call(&self, run: &mut Run, frame: *mut u64) -> Leave {
        if frame.wrapping_add(self.frame_slots() as usize) > run.slots_limit {
            return Leave::NoRoom;
        }
        // SAFETY: the address is that of a function of this type, which lives as long as its code.
        let number = unsafe {
            let function: Function = std::mem::transmute(self.code.address);
            function(run, frame)
        };
        self.interface.leaves.get(number as usize).copied().unwrap_or(Leave::Abandoned)
    }
}
