//! Why a region was left open: the reasons, in words.

use std::fmt;

use scaly_interp::program::{FunctionId, LoopId, Pc};

/// What is walked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Root {
    Loop(LoopId),
    Function(FunctionId),
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Root::Loop(id) => write!(f, "{id}"),
            Root::Function(id) => write!(f, "{id}"),
        }
    }
}

/// Why the walker could not follow every path of a loop or a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenReason {
    /// More instructions than the limit, even with no call inlined.
    TooLarge { limit: u32 },
    /// The bytecode jumps into the middle of a loop, backwards without one, or to nowhere.
    Malformed,
}

/// A region that was left open, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Open {
    pub root: Root,
    pub reason: OpenReason,
    pub pc: Pc,
}

impl Open {
    /// The reason as a sentence without its place.
    pub fn text(&self) -> String {
        match self.reason {
            OpenReason::TooLarge { limit } => {
                let of = match self.root {
                    Root::Loop(_) => "an iteration",
                    Root::Function(_) => "a call",
                };
                format!("{of} has more than {limit} instructions; move inner work into functions")
            }
            OpenReason::Malformed => "its bytecode is malformed".into(),
        }
    }
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} open at {}: {:?}", self.root, self.pc, self.reason)
    }
}
