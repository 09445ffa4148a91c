//! What the trace compiler tells of itself.

use scaly_interp::program::{FunctionId, LoopId, Pc};

use super::Abort;
use crate::trace::{ExitId, TraceId};

/// What a trace is of, with what the log needs to say where that is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Start {
    Loop(LoopId),
    Function(FunctionId),
    /// An exit, its trace, and the instruction that it goes on at.
    Side {
        exit: ExitId,
        of: TraceId,
        at: Pc,
    },
}

/// How a side trace ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SideEnd {
    /// At the header of its tree's loop.
    Loop,
    /// Behind the loop, or at a return from it.
    Leaves,
    /// At the return of its tree's function.
    Returns,
}

/// Why a trace was dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dropped {
    /// Others needed its memory.
    Room,
    /// The tree that it belongs to, or that it calls, was dropped.
    Tree,
    /// A better one took its place.
    Replaced,
    /// The path that was recorded is seldom taken.
    Seldom,
}

/// What is wrong with the code memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CodeMemory {
    /// Full, with this many bytes in use: traces are dropped from now on.
    Full { used: usize },
    /// Not to be had: the program runs in the interpreter.
    Refused,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Event<'a> {
    /// A counter has come to its threshold.
    Hot {
        start: Start,
        count: u32,
    },
    /// An exit has come to its threshold.
    ExitHot {
        exit: ExitId,
        of: TraceId,
        at: Pc,
        count: u32,
    },
    /// A recording begins, the nth at this place.
    Record {
        start: Start,
        attempt: u32,
    },
    /// A recording came to nothing at `at`; the place is tried again after `retry` more back edges, calls or exits.
    Abort {
        start: Start,
        reason: Abort,
        at: Pc,
        retry: u32,
    },
    /// A place has failed so often that it is left alone for `retry` more back edges, calls or exits.
    Blacklisted {
        start: Start,
        attempts: u32,
        reason: Abort,
        retry: u32,
    },
    Compiled(Compiled),
    /// An exit goes on in a trace from now on.
    Link {
        exit: ExitId,
        of: TraceId,
        at: Pc,
        to: TraceId,
    },
    /// A tree has a new side trace, its nth.
    SideTrace {
        trace: TraceId,
        tree: TraceId,
        exit: ExitId,
        at: Pc,
        end: SideEnd,
        count: u32,
    },
    /// A loop has a trace for values that do not change in it, its nth.
    Specialized {
        trace: TraceId,
        start: Start,
        values: &'a str,
        number: u32,
    },
    /// A tree has not grown for a while.
    TreeStable {
        tree: TraceId,
        start: Start,
        traces: u32,
    },
    Dropped {
        trace: TraceId,
        start: Start,
        why: Dropped,
    },
    /// All traces are left alone for so long: without them this loop comes round so many times as often.
    Rests {
        start: Start,
        milliseconds: u32,
        times: f64,
    },
    /// Said once of each.
    Memory(CodeMemory),
    /// A loop or function takes enough time to be compiled as a whole, with all of its paths.
    Region {
        start: Start,
        blocks: u32,
        instructions: u32,
        /// Calls inlined.
        calls: u32,
        /// Branches that nearly always go one way.
        predictable: u32,
        /// Divisions by what is always the same so far.
        divisors: u32,
    },
    /// It has become code.
    Variant {
        start: Start,
        kind: Variant,
        /// That LLVM was given.
        lines: u32,
        bytes: u32,
        /// Of lowering and compiling, beside the program.
        microseconds: u32,
    },
    /// The running loop goes on in it, or the function is called.
    Switched {
        start: Start,
        kind: Variant,
    },
    /// A loop or function stays in the tier that it is in.
    Refused {
        start: Start,
        what: Variant,
        reason: &'a str,
        /// What to change, where something can be.
        help: Option<&'a str>,
        at: Pc,
    },
}

/// Code of a whole loop.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Variant {
    Sequential,
    /// On all cores.
    Parallel,
}

impl Variant {
    pub fn name(self) -> &'static str {
        match self {
            Variant::Sequential => "sequential",
            Variant::Parallel => "parallel",
        }
    }
}

/// A trace that has become code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Compiled {
    pub trace: TraceId,
    pub start: Start,
    /// Instructions of the IR as it was recorded, and as code was made of it.
    pub before: u32,
    pub after: u32,
    pub exits: u32,
    /// Of machine code.
    pub bytes: u32,
    /// Of optimizing and assembling; the program runs while it is recorded.
    pub microseconds: u32,
}
