//! Where the values of a trace live.
//!
//! Each value has one home for all of its life, a register or a spill slot. So a snapshot names the same places
//! whichever guard uses it, and nothing is shuffled between instructions; the price is that a value that is spilled
//! somewhere is spilled everywhere, so the scan spills what is used least.
//!
//! [`Lifetimes`] says how long each value is needed, [`scan`] gives the homes, [`moves`] brings values from one set of
//! places to another at once: at a back edge, and where a side trace begins.
//!
//! Rejected: second-chance allocation with splitting (LuaJIT's reverse allocation, yk's). It gains where a value is idle
//! for long; a trace's loop is short, and what is idle in it is invariant and comes from memory at its use.

mod fold;
mod lifetimes;
pub mod moves;
mod scan;

use scaly_tracer::region::Type;
use scaly_tracer::trace::{Const, Slot, Trace};

pub use lifetimes::{Handling, Lifetimes};

/// Where a value lives. Registers by their hardware numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Home {
    General(u8),
    Vector(u8),
    /// In the native frame, 8 bytes at `rbp - 8 * (number + 1)`.
    Spill(u32),
    /// In this slot, where it came from.
    Slot(Slot),
    /// Nowhere: it is the address of this slot.
    SlotAddress(Slot),
    /// In the context.
    StackLimit,
}

/// Where a value is to be found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    Home(Home),
    Constant(Const),
}

/// A value that an exit leaves behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Left {
    pub at: Source,
    pub ty: Type,
}

/// The registers that may hold values, the first choice first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Files {
    pub general: Vec<u8>,
    pub vector: Vec<u8>,
    /// Of both, those that survive a call of C, by bit.
    pub general_saved: u16,
}

/// Homes for a trace.
#[derive(Debug)]
pub struct Allocation {
    pub handling: Vec<Handling>,
    /// By instruction; none of what has no result, or none that anybody reads.
    pub homes: Vec<Option<Home>>,
    /// Spill slots of the native frame.
    pub spills: u32,
}

/// More spill slots than allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooManySpills;

/// `inherited` is what the parent's exit leaves behind, by index.
pub fn allocate(
    trace: &Trace,
    inherited: &[Left],
    files: &Files,
    most_spills: u32,
) -> Result<Allocation, TooManySpills> {
    let lifetimes = Lifetimes::of(trace, inherited);
    let (homes, spills) = scan::scan(trace, &lifetimes, inherited, files);
    if spills > most_spills {
        return Err(TooManySpills);
    }
    Ok(Allocation { handling: lifetimes.handling, homes, spills })
}
