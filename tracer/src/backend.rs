//! What the trace compiler asks of the machine's side: code from a trace, its exits, and the way in and back.
//!
//! An x86-64 emitter is behind this trait; one for another architecture is a second implementation.

use std::sync::atomic::AtomicU32;

use scaly_interp::interpreter::State;
use scaly_interp::program::{FunctionId, LoopId};
use scaly_interp::tier::Position;

use crate::trace::{ExitId, Trace, TraceId};

/// A trace to make code of.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    pub id: TraceId,
    pub trace: &'a Trace,
    /// Exits of its snapshots are this one and those that follow.
    pub first_exit: ExitId,
    /// By snapshot: the exit that it returns. The ways out of a loop that lead to one place return one exit, whichever it
    /// was, so that a caller expects one. Of all other kinds the snapshot's own.
    pub returns: &'a [ExitId],
}

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Assembled {
    /// Of machine code, constants and cold parts included.
    pub bytes: usize,
}

/// Why there is no code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The code memory is full.
    NoRoom,
    /// No code memory is to be had.
    NoMemory,
    /// More values at once than a native frame holds.
    Spills,
}

/// How native code came back.
#[derive(Clone, Copy, Debug)]
pub enum Left {
    /// By this exit. The frames are as its snapshot says; this is the base of the frame of the root of its tree.
    Exit {
        exit: ExitId,
        root: Position,
        /// Where it went through native callers that did not expect it: the exit of the innermost of them.
        via: Option<ExitId>,
    },
    /// The function returned; its results are in its frame.
    Returned,
    /// A function called by it did not come back: the state says why.
    Abandoned,
}

/// What native code returns in its status register. Exits are counted from [`code::FIRST_EXIT`].
pub mod code {
    /// The function returned.
    pub const RETURNED: u32 = 0;
    /// The function that was called has no native code.
    pub const INTERPRET: u32 = 1;
    /// A function called further in did not come back.
    pub const ABANDONED: u32 = 2;
    pub const FIRST_EXIT: u32 = 16;
}

/// One per process that runs Scaly code. All methods take `&self`: native code that [`Backend::enter`] runs may come back
/// into the trace compiler, which assembles and links below it.
pub trait Backend {
    /// Makes code; nothing leads to it yet but [`Backend::enter`].
    fn assemble(&self, job: Job<'_>) -> Result<Assembled, Refusal>;

    /// From now on an exit goes on in a side trace that begins with its values.
    fn link(&self, exit: ExitId, to: TraceId);

    /// An exit leaves again.
    fn unlink(&self, exit: ExitId);

    /// Native calls of a function enter this trace; without one the interpreter runs the callee below its caller.
    fn publish(&self, function: FunctionId, trace: Option<TraceId>);

    /// The memory of a trace may be reused: nothing leads there, no activation is in it.
    fn free(&self, id: TraceId);

    /// Bytes of code in use.
    fn used(&self) -> usize;

    /// Those of a trace.
    fn bytes(&self, id: TraceId) -> usize;

    /// How often native code took the back edges of a loop, where traces count them.
    fn iterations(&self, id: LoopId) -> u64;

    /// Not 0: native code leaves at its next poll. None where there are no polls.
    fn poll(&self) -> Option<&AtomicU32> {
        None
    }

    /// Runs a root trace on the frame at `at`.
    fn enter(&self, id: TraceId, state: &mut State, at: Position) -> Left;

    /// The machine code of a trace as text, a line an instruction, with the source line before what comes from it.
    fn listing(&self, id: TraceId) -> String;
}
