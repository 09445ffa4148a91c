//! What a run came to, in figures.
//!
//! The events fill most of it; what is counted elsewhere (iterations, exits, memory) is put in at the end.

use std::collections::BTreeMap;

use scaly_interp::program::LoopId;

use super::{Abort, Compiled, Event, Start};

/// Figures of one run of the tracer.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Statistics {
    /// From the events: by loop, those that got hot.
    pub loops: BTreeMap<LoopId, LoopState>,
    /// From the events: every trace that was made.
    pub traces: Vec<Made>,
    pub dropped: u64,
    pub stable: u64,
    pub recordings: u64,
    pub aborts: BTreeMap<Abort, u64>,
    /// Put in at the end: by [`LoopId`], back edges that native code counted. Empty if it did not count.
    pub native: Vec<u64>,
    /// Put in at the end: how often native code was entered from the interpreter, and left by an exit.
    pub entries: u64,
    pub exits: u64,
    /// Put in at the end: machine code in use, in bytes.
    pub code_bytes: u64,
}

/// What became of a loop that got hot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoopState {
    /// Recorded without success so far; the last reason.
    Tried(Option<Abort>),
    Native,
    Blacklisted(Abort),
    /// Its trace was dropped.
    Dropped,
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

impl Start {
    pub fn kind(self) -> TraceKind {
        match self {
            Start::Loop(_) => TraceKind::Loop,
            Start::Function(_) => TraceKind::Function,
            Start::Side { .. } => TraceKind::Side,
        }
    }
}

impl Statistics {
    /// Takes note of an event.
    pub fn note(&mut self, event: &Event<'_>) {
        match *event {
            Event::Hot { start, .. } => self.state(start, |old| old.unwrap_or(LoopState::Tried(None))),
            Event::Record { .. } => self.recordings += 1,
            Event::Abort { start, reason, .. } => {
                *self.aborts.entry(reason).or_default() += 1;
                self.state(start, |old| match old {
                    Some(LoopState::Native) => LoopState::Native,
                    _ => LoopState::Tried(Some(reason)),
                });
            }
            Event::Blacklisted { start, reason, .. } => self.state(start, |_| LoopState::Blacklisted(reason)),
            Event::Compiled(Compiled { start, bytes, microseconds, .. }) => {
                self.traces.push(Made { kind: start.kind(), bytes, microseconds });
                self.state(start, |_| LoopState::Native);
            }
            Event::TreeStable { .. } => self.stable += 1,
            Event::Dropped { start, .. } => {
                self.dropped += 1;
                self.state(start, |_| LoopState::Dropped);
            }
            Event::ExitHot { .. }
            | Event::Link { .. }
            | Event::SideTrace { .. }
            | Event::Specialized { .. }
            | Event::Memory(_) => {}
        }
    }

    fn state(&mut self, start: Start, new: impl FnOnce(Option<LoopState>) -> LoopState) {
        if let Start::Loop(id) = start {
            let state = new(self.loops.get(&id).copied());
            self.loops.insert(id, state);
        }
    }
}
