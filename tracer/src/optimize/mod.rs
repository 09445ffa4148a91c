//! What makes a recorded trace fast.
//!
//! Forward, while recording, in [`Builder::emit`]: folding, common subexpressions, forwarding of loads, guards that are
//! known to hold. Behind the recording, in [`finish`]: peeling, bounds checks, dead code, snapshots.

mod bounds;
mod builder;
mod constant;
mod dead;
mod entry;
#[cfg(test)]
mod evaluate;
mod facts;
mod frame;
mod induction;
mod linear;
mod memory;
mod owners;
mod peel;
#[cfg(test)]
mod proofs;
#[cfg(test)]
mod random;
pub mod range;
mod rules;
mod shrink;
mod simplify;
#[cfg(test)]
mod testing;

use bounds::Hoisted;
pub use builder::Builder;
use induction::Induction;
use scaly_interp::program::Pc;

use crate::trace::{SnapshotId, Trace};

/// What the optimizer asks about the bytecode.
pub trait Liveness {
    /// Whether a slot of the frame of the function that `pc` lies in may be read at `pc` or behind it, before it is
    /// written.
    fn live(&self, pc: Pc, slot: u16) -> bool;
}

/// A trace that is ready for the assembler.
#[derive(Debug)]
pub struct Finished {
    pub trace: Trace,
    /// The exits of checks that were moved before the loop. Where one fails again and again, the trace is better off
    /// without: `finish` it anew with `hoist` false.
    pub hoisted: Vec<SnapshotId>,
    /// Of a loop: slots of its frame that advance by a constant in each iteration, and by which.
    pub counters: Vec<(u16, i64)>,
}

/// All that is done once a trace is complete. `hoist`: checks of indices may be moved before the loop.
pub fn finish(mut builder: Builder, live: &dyn Liveness, hoist: bool) -> Finished {
    check(&builder.trace, "recording");
    builder = entry::hoist(builder);
    check(&builder.trace, "moving the entry guards");
    let mut hoisted = Hoisted::default();
    let mut counters = Vec::new();
    if builder.peelable() {
        counters = Induction::counters(&builder.trace);
        let recorded = builder.trace.insts.len();
        let variant = peel::variant(&builder);
        if hoist {
            hoisted = bounds::hoist(&mut builder, &variant);
        }
        builder.variant = variant;
        builder.peel(live, recorded, &hoisted.hold);
        check(&builder.trace, "peeling");
    }
    shrink::shrink(&mut builder.trace, live);
    let apart: Vec<SnapshotId> = hoisted.exit.into_iter().chain(builder.trace.entry).collect();
    let (trace, snapshots) = dead::sweep(&builder.trace, &builder.dropped, &apart);
    check(&trace, "sweeping");
    let hoisted = hoisted.exit.iter().filter_map(|id| snapshots.get(id).copied()).collect();
    Finished { trace, hoisted, counters }
}

/// In debug builds, that a pass has left a trace that keeps its promises.
fn check(trace: &Trace, pass: &str) {
    if cfg!(debug_assertions)
        && let Err(error) = trace.verify()
    {
        panic!("{pass} broke {error}\n{trace}");
    }
}
