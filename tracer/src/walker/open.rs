//! Why a region was left open: the reasons, in words.

use std::fmt;

use scaly_interp::program::{LoopId, Pc};

/// Why the walker could not follow every path of a loop.
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
    pub id: LoopId,
    pub reason: OpenReason,
    pub pc: Pc,
}

impl Open {
    /// The reason as a sentence without its place.
    pub fn text(&self) -> String {
        match self.reason {
            OpenReason::TooLarge { limit } => {
                format!("an iteration has more than {limit} instructions; move inner work into functions")
            }
            OpenReason::Malformed => "its bytecode is malformed".into(),
        }
    }
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} open at {}: {:?}", self.id, self.pc, self.reason)
    }
}
