//! What the oracle says of a loop.

use std::collections::BTreeMap;

use crate::interpreter::Ended;
use crate::program::{LoopId, Pc};

/// All loops of a program, over one run of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    pub ended: Ended,
    /// By [`LoopId`]: over the runs of the loop that the watcher accepted.
    pub loops: Vec<Seen>,
    /// The same over those that it refused.
    pub refused: Vec<Seen>,
}

/// A loop, over some of its runs.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Seen {
    /// How often it was entered.
    pub runs: u64,
    /// In all runs together.
    pub iterations: u64,
    /// Of the longest run. Below 2 nothing can conflict.
    pub longest: u64,
    /// Of a counted loop: how often it was left before its count ended.
    pub left_early: u64,
    /// The first use of a value of an earlier iteration, by the slot of the loop's frame that held it.
    pub carried: BTreeMap<u16, Conflict>,
    /// The first conflict in memory.
    pub memory: Option<Conflict>,
    /// How many accesses conflicted in memory.
    pub memory_conflicts: u64,
    /// The first instruction that touched the world outside.
    pub external: Option<Pc>,
}

impl Seen {
    /// Whether the iterations could have run in any order.
    pub fn free(&self) -> bool {
        self.free_but(|_| false)
    }

    /// The same, with slots left out that are carried in a known way: inductions, reductions.
    pub fn free_but(&self, known: impl Fn(u16) -> bool) -> bool {
        self.obstacle(known).is_none()
    }

    /// The first thing that orders the iterations, slots left out that `known` names. Having been left early counts
    /// only in words: the loop's other iterations may have been free.
    pub fn obstacle(&self, known: impl Fn(u16) -> bool) -> Option<Obstacle> {
        if let Some(conflict) = self.memory {
            return Some(Obstacle::Conflict(conflict));
        }
        if let Some((_, &conflict)) = self.carried.iter().find(|(slot, _)| !known(**slot)) {
            return Some(Obstacle::Conflict(conflict));
        }
        self.external.map(Obstacle::External)
    }

    pub(super) fn carry(&mut self, slot: u16, conflict: Conflict) {
        self.carried.entry(slot).or_insert(conflict);
    }

    pub(super) fn conflict(&mut self, conflict: Conflict) {
        self.memory.get_or_insert(conflict);
        self.memory_conflicts += 1;
    }
}

/// What orders a loop's iterations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Obstacle {
    Conflict(Conflict),
    /// I/O at this instruction.
    External(Pc),
}

/// Two accesses of different iterations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conflict {
    pub kind: ConflictKind,
    pub place: Place,
    pub earlier: Pc,
    pub later: Pc,
    /// The later one's iteration, from 0.
    pub iteration: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConflictKind {
    ReadAfterWrite,
    WriteAfterRead,
    WriteAfterWrite,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Of the loop's frame.
    Slot(u16),
    /// An address.
    Memory(u64),
}

impl std::fmt::Display for Conflict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.kind {
            ConflictKind::ReadAfterWrite => "reads what an earlier one wrote",
            ConflictKind::WriteAfterRead => "overwrites what an earlier one read",
            ConflictKind::WriteAfterWrite => "overwrites what an earlier one wrote",
        };
        let Conflict { iteration, earlier, later, .. } = self;
        match self.place {
            Place::Slot(slot) => write!(f, "iteration {iteration} {what} in s{slot}: {earlier}, {later}"),
            Place::Memory(_) => write!(f, "iteration {iteration} {what} in memory: {earlier}, {later}"),
        }
    }
}

impl Report {
    pub fn of(&self, id: LoopId) -> &Seen {
        &self.loops[id.0 as usize]
    }
}
