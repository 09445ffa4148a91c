//! What a parallel loop is asked to do, and what its iterations are told.

use std::sync::atomic::{AtomicU64, Ordering};

/// How a chunk or a loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All iterations that were wanted ran. A chunk that gives up because of its bound says so, too.
    Done,
    /// This iteration ended the loop: an error, or an exit. For a loop it is the lowest one that did, and all below
    /// have run to their end.
    Stopped(u64),
}

/// The body of a parallel loop, called by several threads at once.
pub trait Job: Sync {
    /// Runs the iterations `chunk.lo..chunk.hi` in order. It stops at the first one that ends the loop, and says which.
    ///
    /// A panic stops the loop as an end at iteration 0 would, and goes on in the caller of the loop.
    fn run(&self, chunk: &Chunk) -> Status;
}

impl<F: Fn(&Chunk) -> Status + Sync> Job for F {
    fn run(&self, chunk: &Chunk) -> Status {
        self(chunk)
    }
}

/// Some consecutive iterations; never none.
#[derive(Debug)]
pub struct Chunk<'a> {
    pub lo: u64,
    /// The first iteration behind it.
    pub hi: u64,
    /// Who runs it, below [`super::Pool::workers`]. No two chunks of a loop have the same worker at the same time.
    pub worker: usize,
    /// It continues the chunk that this worker ran last in this loop, whose `hi` is this `lo`; partial results may go on.
    pub follows: bool,
    pub(super) bound: &'a AtomicU64,
}

impl Chunk<'_> {
    /// Iterations from this one on are no longer wanted; it only sinks. For native code to poll, by relaxed loads: it
    /// is a hint to stop, and orders nothing.
    pub fn bound(&self) -> &AtomicU64 {
        self.bound
    }

    /// Whether this iteration is still wanted.
    #[inline]
    pub fn wants(&self, iteration: u64) -> bool {
        iteration < self.bound.load(Ordering::Relaxed)
    }
}

/// How long the pieces of a loop are, where nothing fixes it. The defaults were measured by `benches/pool.rs`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pieces {
    /// What a chunk should take, in nanoseconds.
    pub chunk_ns: u32,
    /// A chunk is at most so many times the one before: a few cheap iterations say little about the next ones.
    pub growth: u32,
    /// The shorter part of a split must take so long, in nanoseconds, if somebody is awake to take the other.
    pub awake_ns: u32,
    /// The same, if somebody has to be woken first.
    pub asleep_ns: u32,
}

impl Default for Pieces {
    fn default() -> Pieces {
        Pieces { chunk_ns: 20_000, growth: 4, awake_ns: 1000, asleep_ns: 25_000 }
    }
}

/// A loop over `0..trips` and how it may be cut.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub(super) trips: u64,
    pub(super) align: u64,
    pub(super) first: u64,
    pub(super) ns_per_trip: Option<f64>,
    pub(super) width: Option<usize>,
    pub(super) pieces: Pieces,
}

impl Plan {
    /// Cut anywhere, by measured time.
    pub fn new(trips: u64) -> Plan {
        Plan { trips, align: 1, first: 0, ns_per_trip: None, width: None, pieces: Pieces::default() }
    }

    /// Chunks begin and end at `first` + a multiple of `align` iterations (cache lines of what they write), or at an
    /// end of the loop.
    pub fn align(self, align: u64, first: u64) -> Plan {
        Plan { align: align.max(1), first, ..self }
    }

    /// What an iteration is expected to take, in nanoseconds. A loop that is too short for a second thread then wakes
    /// none; without it the first split is made blindly.
    pub fn expect(self, ns_per_trip: f64) -> Plan {
        Plan { ns_per_trip: Some(ns_per_trip), ..self }
    }

    pub fn pieces(self, pieces: Pieces) -> Plan {
        Plan { pieces, ..self }
    }

    /// Asks for at most so many threads, whatever the load.
    pub fn width(self, threads: usize) -> Plan {
        Plan { width: Some(threads), ..self }
    }
}
