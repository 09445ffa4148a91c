//! The contract between the interpreter and native code.
//!
//! A [`Tier`] is asked when a counter has come to zero: it may run native code on the frame, record a trace, or only set
//! the counter anew. It answers with where the interpreter goes on. All state of a running function is in its frame then:
//! slots, and the header before them.
//!
//! A native caller calls a native callee without the interpreter between them. Where the callee leaves its native code,
//! the interpreter finishes that activation *below* the caller, in [`run_nested`]: the return pc in the activation's
//! header is marked, and a marked return ends the run. Call traces read through the mark. What ends a nested run
//! otherwise (an error, `exit`) ends all native callers too, by a status that each of them hands on: no native stack is
//! ever unwound. So nothing that may wait is ever called from native code.

use scaly_runtime::memory::MemoryError;
use scaly_runtime::pool::{Job, Plan, Pool, Status};

pub use crate::interpreter::Position;
use crate::interpreter::{LAST_KNOWN, Left, NESTED, OUTSIDE, Outcome, State, continue_at, resume_stopped};
use crate::program::{FunctionId, LoopId, LoopKind, Pc, Program};

/// Where a run goes on.
#[derive(Clone, Copy, Debug)]
pub enum Goes {
    /// In the interpreter, here.
    On(Position),
    /// Nowhere: the state says why and where it stopped.
    Stopped,
}

/// What compiles and runs native code. It is entered again from native code that it runs.
pub trait Tier {
    /// A loop's counter has come to zero at its back edge; `at` is its header.
    fn hot_loop(&self, state: &mut State, id: LoopId, at: Position) -> Goes;

    /// A function's counter has come to zero at a call; `at` is its first instruction, in its own frame.
    fn hot_function(&self, state: &mut State, id: FunctionId, at: Position) -> Goes;

    /// A function that native code called has left its native code, or has none. Brings the activation to its end, with
    /// the results in its slots; false if it does not return, and the state says why.
    fn finish_call(&self, state: &mut State, call: NativeCall) -> bool;
}

/// An activation that native code has called and that is not finished.
#[derive(Clone, Copy, Debug)]
pub struct NativeCall {
    pub function: FunctionId,
    /// At its first instruction, in its frame.
    pub frame: Position,
    /// What its native code returned; never 0, which means that all is done.
    pub code: u32,
    /// The frame of the root of the tree that left.
    pub root: *mut u64,
    /// The exit that it went through, or 0.
    pub via: u32,
}

/// [`Tier::finish_call`] for native code; 1 or 0.
///
/// # Safety
/// The state is the one that runs, with a tier; the frame has its header and its arguments.
pub unsafe extern "C" fn finish_call(
    state: *mut State,
    function: u32,
    frame: *mut u64,
    code: u32,
    root: *mut u64,
    via: u32,
) -> u8 {
    // SAFETY: by the caller's promise.
    let state = unsafe { &mut *state };
    let Some(tier) = state.tier.clone() else { return 0 };
    let function = FunctionId(function);
    let first = Pc(state.program.function(function).code.start);
    let frame = Position { pc: first, base: frame };
    u8::from(tier.finish_call(state, NativeCall { function, frame, code, root, via }))
}

/// What a routine's [entry](crate::routine::Routine::entry) gives if it has only computed. Anything else is kept in the
/// state for [`stopped_in_routine`].
pub const ROUTINE_DONE: u8 = Outcome::Done as u8;

/// Stops a run whose native code came back because of a routine's outcome; `at` is the routine's instruction.
pub fn stopped_in_routine(state: &mut State, at: Position) -> Goes {
    let outcome = state.outcome;
    // SAFETY: a position is of this program, with its frames intact.
    unsafe { resume_stopped(state, at, outcome) };
    Goes::Stopped
}

/// Ends a run for want of memory, at this instruction.
pub fn out_of_memory(state: &mut State, at: Position, error: MemoryError) -> Goes {
    state.outcome = state.refused(error);
    stopped_in_routine(state, at)
}

/// The function at `at` has returned with its results in its slots: where its caller goes on.
#[inline]
pub fn returned(state: &mut State, at: Position) -> Goes {
    // SAFETY: each frame has its header before it.
    unsafe {
        let (caller, back) = (*at.base.sub(2) as *mut u64, *at.base.sub(1));
        if back & NESTED != 0 {
            state.stopped = Some(at);
            state.left = Left::Returned;
            return Goes::Stopped;
        }
        Goes::On(Position { pc: Pc(back as u32), base: caller })
    }
}

/// Where the caller of the activation at `at` goes on; none for the first of all, nor where that is not known.
pub fn caller(at: Position) -> Option<Position> {
    // SAFETY: a frame whose callers are known has its header before it.
    let (caller, back) = unsafe { (*at.base.sub(2) as *mut u64, *at.base.sub(1)) };
    (back & LAST_KNOWN == 0).then_some(Position { pc: Pc((back & !NESTED) as u32), base: caller })
}

/// The activations that a program is in, the innermost first, and the instruction that each is at: of callers the call,
/// not what follows it, which may lie behind a loop that the call is in. They end where no more are known.
pub fn activations(at: Position) -> impl Iterator<Item = (Position, Pc)> {
    std::iter::successors(Some((at, at.pc())), |&(at, _)| {
        let caller = caller(at)?;
        Some((caller, Pc(caller.pc().0.saturating_sub(1))))
    })
}

/// The loops of a program by function, the innermost first.
#[derive(Debug)]
pub struct Loops(Vec<Vec<LoopId>>);

impl Loops {
    pub fn of(program: &Program) -> Loops {
        let mut by_function = vec![Vec::new(); program.functions.len()];
        for (id, scope) in program.loops.iter().enumerate() {
            by_function[scope.function.0 as usize].push(LoopId(id as u32));
        }
        for loops in &mut by_function {
            loops.sort_by_key(|id| program.loops[id.0 as usize].code.len());
        }
        Loops(by_function)
    }

    /// Those that an instruction lies in, the innermost first.
    pub fn around(&self, program: &Program, pc: Pc) -> impl Iterator<Item = LoopId> {
        let all = program.function_at(pc).map_or(&[][..], |function| &self.0[function.0 as usize]);
        all.iter().copied().filter(move |id| program.loops[id.0 as usize].code.contains(&pc.0))
    }
}

/// The slot of the back edges that a loop has yet to take; none where they are not counted.
pub fn trips_slot(program: &Program, id: LoopId) -> Option<u16> {
    match program.loops.get(id.0 as usize)?.kind {
        LoopKind::Counted { counter } => Some(counter + 1),
        LoopKind::Open => None,
    }
}

/// Back edges that a loop has yet to take, by its function's frame; none where they are not counted.
pub fn trips_left(program: &Program, id: LoopId, at: Position) -> Option<u64> {
    trips_slot(program, id).map(|slot| word(at, slot))
}

/// What a slot of the frame at `at` holds.
#[inline]
pub fn word(at: Position, slot: u16) -> u64 {
    // SAFETY: a position is of a frame of its program, and slots that loops and traces name are in it.
    unsafe { at.base.add(usize::from(slot)).read() }
}

/// Whether native code called the activation at `at`: it may hold the slots of its own frame elsewhere.
pub fn is_nested(at: Position) -> bool {
    // SAFETY: each frame has its header before it.
    let back = unsafe { *at.base.sub(1) };
    back != OUTSIDE && back & NESTED != 0
}

/// Runs the activation whose frame is `frame` from `from` on, which is in it or in a call that it made, until it returns
/// to its native caller. False if it does not: the state says why.
pub fn run_nested(state: &mut State, frame: Position, from: Goes) -> bool {
    // SAFETY: each frame has its header before it.
    unsafe { *frame.base.sub(1) |= NESTED };
    match from {
        // SAFETY: a position is of this program, with its frames intact.
        Goes::On(at) => unsafe { continue_at(state, at) == Left::Returned },
        Goes::Stopped => state.left == Left::Returned,
    }
}

/// Marks an activation as called from native code, before it runs.
pub fn mark_nested(frame: Position) {
    // SAFETY: each frame has its header before it.
    unsafe { *frame.base.sub(1) |= NESTED };
}

/// Marks an activation as called from native code that need not have written the headers below its own frame.
///
/// # Safety
/// The frame has its header.
pub unsafe fn mark_last_known(frame: *mut u64) {
    // SAFETY: by the caller's promise.
    unsafe { *frame.sub(1) |= NESTED | LAST_KNOWN };
}

/// Bytes of native stack that are kept for routines and for one turn of interpreter and compiler.
const NATIVE_RESERVE: usize = 1 << 20;

impl State {
    /// Lowest address of the native stack that native frames may reach.
    pub fn native_limit(&self) -> usize {
        self.native_limit + NATIVE_RESERVE
    }

    /// Runs a loop on a pool's threads, this one among them; while it waits for the others its fiber parks.
    pub fn run_loop(&self, pool: &Pool, plan: &Plan, job: &dyn Job) -> Status {
        match self.worker {
            // SAFETY: the worker resumed the fiber whose state this is, and waits for it.
            Some(worker) => unsafe { worker.as_ref() }.run_loop(pool, plan, job),
            None => pool.run(plan, job),
        }
    }

    /// Whether there is room on the native stack to enter native code.
    #[inline]
    pub fn native_room(&self) -> bool {
        let here = 0u8;
        &raw const here as usize > self.native_limit()
    }

    /// The stack of regions; for native code, which enters and leaves them.
    #[inline]
    pub fn regions(&self) -> *mut u8 {
        self.regions.address()
    }

    /// The next call from this frame ends the program: the stack ends here.
    pub fn exhaust_stack(&mut self, at: Position) {
        self.limit = at.base();
    }

    /// Address behind the last slot of the stack of frames.
    pub fn slots_limit(&self) -> *mut u64 {
        self.limit
    }

    /// Back edges of a loop until the tier is asked again.
    #[inline]
    pub fn set_loop_counter(&mut self, id: LoopId, count: u32) {
        self.restart_loop(id.0, count);
    }

    /// Those that are left.
    #[inline]
    pub fn loop_counter(&self, id: LoopId) -> u32 {
        self.loops[id.0 as usize]
    }

    /// Calls of a function until the tier is asked again.
    #[inline]
    pub fn set_function_counter(&mut self, id: FunctionId, count: u32) {
        self.restart_function(id.0, count);
    }

    /// Counts a call of a function by native code; true if the tier is to be asked.
    pub fn count_call(&mut self, id: FunctionId) -> bool {
        let counter = &mut self.entries[id.0 as usize].counter;
        *counter = counter.wrapping_sub(1);
        *counter == 0
    }

    /// The program that runs.
    pub fn program(&self) -> &std::sync::Arc<crate::program::Program> {
        &self.program
    }

    /// Address and length of a string constant.
    pub fn text_address(&self, id: u32) -> (i64, i64) {
        self.tables.text(id)
    }

    /// Address of a byte of the program's globals.
    pub fn global_address(&self, offset: u32) -> i64 {
        self.tables.global(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_called_by_native_code_is_told_from_who_was_not() {
        let nested = |back: u64, mark: bool| {
            let mut frame = [0, back, 0];
            let at = Position { pc: Pc(0), base: &raw mut frame[2] };
            if mark {
                mark_nested(at);
            }
            is_nested(at)
        };
        assert!(!nested(7, false) && nested(7, true));
        assert!(!nested(OUTSIDE, false), "the first of all is called by nobody");
    }

    #[test]
    fn activations_end_where_headers_are_not_known() {
        let callers = |back: u64, known: bool| {
            let mut frames = [0, OUTSIDE, 0, 0, back, 0];
            frames[3] = &raw const frames[2] as u64;
            let at = Position { pc: Pc(0), base: &raw mut frames[5] };
            if !known {
                // SAFETY: it has a header.
                unsafe { mark_last_known(at.base) };
            }
            activations(at).count()
        };
        assert_eq!((callers(7, true), callers(7 | NESTED, true), callers(7, false)), (2, 2, 1));
    }
}
