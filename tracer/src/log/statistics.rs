//! What a run came to, in figures.
//!
//! The events fill most of it; what is counted elsewhere (iterations, exits, memory) is put in at the end. [`super::Report`]
//! is what a user sees of it.

use std::collections::BTreeMap;

use scaly_interp::program::{FunctionId, LoopId, Pc};

use super::{Abort, CodeMemory, Compiled, Event, Start, Variant};
use crate::manager::Spent;

/// Figures of one run of the tracer.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Statistics {
    /// From the events: what became of the loops and functions that got hot.
    pub loops: BTreeMap<LoopId, Place>,
    pub functions: BTreeMap<FunctionId, Place>,
    /// From the events: every trace that was made.
    pub traces: Vec<Made>,
    pub dropped: u64,
    /// From the events: trees that were stable at some time.
    pub stable: u64,
    pub recordings: u64,
    pub aborts: BTreeMap<Abort, u64>,
    /// From the events: how often code memory was full, or not to be had.
    pub full: u64,
    pub refused: u64,
    /// From the events: loops that were compiled whole.
    pub regions: Vec<Region>,
    /// Put in at the end: how loops ran that were compiled whole.
    pub runs: BTreeMap<LoopId, RegionRuns>,
    /// From the events: why a loop or function has no such code, and where.
    pub unscaled: BTreeMap<(Start, Variant), Unscaled>,
    /// Put in at the end: how often each loop was the innermost one of the program when it was looked at, every two
    /// milliseconds (`sample`), outside of loops that were compiled whole.
    pub samples: BTreeMap<LoopId, u64>,
    /// Put in at the end: by [`LoopId`], back edges that native code counted. Empty if it did not count.
    pub native: Vec<u64>,
    /// Put in at the end: by [`LoopId`], how often the interpreter entered the loop's tree, and back edges that it took
    /// under a recording, of whatever.
    pub entered: Vec<u64>,
    pub recorded: Vec<u64>,
    /// Put in at the end: how often the interpreter entered native code, and how often that left by an exit.
    pub entries: u64,
    pub exits: u64,
    /// Put in at the end: where the time went, if it was measured.
    pub spent: Option<Spent>,
    /// Put in at the end: machine code in use, in bytes.
    pub code_bytes: u64,
}

/// A loop or function that got hot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// Root traces that it has.
    pub traces: u32,
    /// It had one that was dropped.
    pub dropped: bool,
    /// The last reason why a recording came to nothing.
    pub abort: Option<Abort>,
    pub blacklisted: bool,
}

/// How a loop or function stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Standing {
    Native,
    /// Not hot yet.
    Cold,
    /// Hot, without a trace so far.
    Tried,
    /// Its trace was dropped.
    Dropped,
    Blacklisted,
}

/// A loop or function that was compiled whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Region {
    pub start: Start,
    pub kind: Variant,
    pub bytes: u32,
    pub microseconds: u32,
    /// The program ran it.
    pub entered: bool,
}

/// How a loop ran that was compiled whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct RegionRuns {
    #[serde(rename = "region_entries")]
    pub entries: u64,
    /// Of those of a `for` that nothing ends early, whose trips are known.
    #[serde(rename = "region_iterations")]
    pub iterations: u64,
    #[serde(rename = "region_ns")]
    pub nanoseconds: u64,
    /// Entries that ran on several cores.
    #[serde(rename = "parallel_entries")]
    pub parallel: u64,
    /// Entries of an independent loop at which what must hold for that did not.
    pub failed_checks: u64,
    /// Those of them at which it was left to loops inside, and not entered.
    #[serde(rename = "left_inside")]
    pub left: u64,
}

/// Why a loop or function did not get further.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unscaled {
    pub reason: String,
    /// What to change.
    pub help: Option<String>,
    pub at: Pc,
}

/// A trace that was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Made {
    pub kind: TraceKind,
    pub bytes: u32,
    pub microseconds: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TraceKind {
    Loop,
    Function,
    Side,
}

impl TraceKind {
    pub fn name(self) -> &'static str {
        match self {
            TraceKind::Loop => "loop",
            TraceKind::Function => "function",
            TraceKind::Side => "side",
        }
    }
}

impl Start {
    pub fn kind(self) -> TraceKind {
        match self {
            Start::Loop(_) => TraceKind::Loop,
            Start::Function(_) => TraceKind::Function,
            Start::Side { .. } => TraceKind::Side,
        }
    }
}

impl Standing {
    pub const ALL: [Standing; 5] =
        [Standing::Native, Standing::Cold, Standing::Tried, Standing::Dropped, Standing::Blacklisted];

    pub fn name(self) -> &'static str {
        match self {
            Standing::Native => "native",
            Standing::Cold => "cold",
            Standing::Tried => "tried",
            Standing::Dropped => "dropped",
            Standing::Blacklisted => "blacklisted",
        }
    }
}

impl Place {
    pub fn standing(&self) -> Standing {
        match self {
            Place { traces: 1.., .. } => Standing::Native,
            Place { blacklisted: true, .. } => Standing::Blacklisted,
            Place { dropped: true, .. } => Standing::Dropped,
            _ => Standing::Tried,
        }
    }
}

impl Statistics {
    /// Takes note of an event.
    pub fn note(&mut self, event: &Event<'_>) {
        match *event {
            Event::Hot { start, .. } => self.place(start, |_| {}),
            Event::Record { .. } => self.recordings += 1,
            Event::Abort { start, reason, .. } => {
                *self.aborts.entry(reason).or_default() += 1;
                self.place(start, |place| place.abort = Some(reason));
            }
            Event::Blacklisted { start, reason, .. } => {
                self.place(start, |place| (place.abort, place.blacklisted) = (Some(reason), true));
            }
            Event::Compiled(Compiled { start, bytes, microseconds, .. }) => {
                self.traces.push(Made { kind: start.kind(), bytes, microseconds });
                self.place(start, |place| (place.traces, place.blacklisted) = (place.traces + 1, false));
            }
            Event::TreeStable { .. } => self.stable += 1,
            Event::Dropped { start, .. } => {
                self.dropped += 1;
                self.place(start, |place| (place.traces, place.dropped) = (place.traces.saturating_sub(1), true));
            }
            Event::ExitHot { .. } | Event::Link { .. } | Event::SideTrace { .. } | Event::Specialized { .. } => {}
            Event::Memory(CodeMemory::Full { .. }) => self.full += 1,
            Event::Memory(CodeMemory::Refused) => self.refused += 1,
            Event::Variant { start, kind, bytes, microseconds, .. } => {
                self.regions.push(Region { start, kind, bytes, microseconds, entered: false });
            }
            Event::Switched { start, kind } => {
                let of = |region: &&mut Region| (region.start, region.kind) == (start, kind);
                match self.regions.iter_mut().find(of) {
                    Some(region) => region.entered = true,
                    // The same code, on all cores.
                    None => self.regions.push(Region { start, kind, bytes: 0, microseconds: 0, entered: true }),
                }
            }
            Event::Refused { start, what, reason, help, at } => {
                let why = Unscaled { reason: reason.into(), help: help.map(String::from), at };
                self.unscaled.insert((start, what), why);
            }
            Event::Region { .. } | Event::Rests { .. } => {}
        }
    }

    /// Whether an event of its kind has been noted that is worth saying only once.
    pub(super) fn said(&self, event: &Event<'_>) -> bool {
        match event {
            Event::Memory(CodeMemory::Full { .. }) => self.full > 0,
            Event::Memory(CodeMemory::Refused) => self.refused > 0,
            _ => false,
        }
    }

    fn place(&mut self, start: Start, change: impl FnOnce(&mut Place)) {
        match start {
            Start::Loop(id) => change(self.loops.entry(id).or_default()),
            Start::Function(id) => change(self.functions.entry(id).or_default()),
            Start::Side { .. } => {}
        }
    }
}
