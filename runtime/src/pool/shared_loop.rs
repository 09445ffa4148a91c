//! A parallel loop while it runs: what all its workers see.
//!
//! It lies on its owner's stack. A **piece** is a part of its iterations that somebody holds: a worker that runs it, a
//! deque, or the mailbox. The owner waits until there are none, and everybody else touches the loop only while holding
//! one, so the loop outlives all uses.

use std::any::Any;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Waker;

use crossbeam_utils::CachePadded;

use super::job::{Job, Status};
use super::pace::Policy;
use super::park::Parker;

pub(super) struct Loop<'a> {
    pub(super) job: &'a dyn Job,
    pub(super) policy: Policy,
    /// The most pieces that may be held at a time.
    pub(super) width: u32,
    /// Iterations from this one on are not wanted. Every access is relaxed: it only grows less, a worker that sees it
    /// late runs more than it needs to, and the owner reads it after the last piece.
    pub(super) bound: CachePadded<AtomicU64>,
    pieces: CachePadded<AtomicU32>,
    pub(super) mailbox: Mailbox,
    /// Where the owner waits; it lives as long as the pool.
    owner: &'a Parker,
    /// Instead of the parker.
    waker: Option<&'a Waker>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl<'a> Loop<'a> {
    /// A loop in one piece, which its owner holds.
    pub(super) fn new(
        job: &'a dyn Job,
        policy: Policy,
        width: usize,
        owner: &'a Parker,
        waker: Option<&'a Waker>,
    ) -> Loop<'a> {
        Loop {
            job,
            policy,
            width: u32::try_from(width).unwrap_or(u32::MAX),
            bound: CachePadded::new(AtomicU64::new(u64::MAX)),
            pieces: CachePadded::new(AtomicU32::new(1)),
            mailbox: Mailbox::default(),
            owner,
            waker,
            panic: Mutex::new(None),
        }
    }

    pub(super) fn is_wide(&self) -> bool {
        self.pieces.load(Ordering::Relaxed) >= self.width
    }

    /// A piece becomes two. Relaxed: the caller holds one, so the count can't be seen as zero, and the new piece's
    /// taker gets it by a release and an acquire of the deque or the mailbox.
    pub(super) fn add_piece(&self) {
        self.pieces.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends a piece of somebody who holds another.
    pub(super) fn end_one_of_several(&self) {
        // Release: as in `end_last`.
        self.pieces.fetch_sub(1, Ordering::Release);
    }

    /// Ends the only piece that the caller holds, and wakes the owner if it was the last of all.
    ///
    /// # Safety
    /// The caller holds one piece of this loop, which lives until then. A pointer, since the loop may end within this.
    pub(super) unsafe fn end_last(this: *const Loop) {
        // SAFETY: by the caller's promise the loop lives until the count goes down. The parker belongs to the pool,
        // whose threads keep it, and the waker is a clone.
        unsafe {
            let owner: *const Parker = (*this).owner;
            let waker = (*this).waker.cloned();
            // Release: all that the piece wrote comes before, for the owner's acquire of the zero; the changes in
            // between are read-modify-writes too and hand it on.
            if (*this).pieces.fetch_sub(1, Ordering::Release) == 1 {
                match waker {
                    Some(waker) => waker.wake(),
                    None => (*owner).unpark(),
                }
            }
        }
    }

    /// Ends a piece that the owner itself holds; it then waits for the others.
    pub(super) fn end_owners(&self) {
        self.pieces.fetch_sub(1, Ordering::Release);
    }

    pub(super) fn is_finished(&self) -> bool {
        self.pieces.load(Ordering::Acquire) == 0
    }

    pub(super) fn stop(&self, iteration: u64) {
        self.bound.fetch_min(iteration, Ordering::Relaxed);
    }

    /// Keeps a panic of a chunk for the owner, and stops everything.
    pub(super) fn panicked(&self, payload: Box<dyn Any + Send>) {
        self.panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(payload);
        self.stop(0);
    }

    /// Gives a piece to the waiting owner.
    pub(super) fn deliver(&self, slot: Filling, lo: u64, hi: u64) {
        slot.fill(lo, hi);
        // The caller still holds a piece of its own, so the loop is there.
        match self.waker {
            Some(waker) => waker.wake_by_ref(),
            None => self.owner.unpark(),
        }
    }

    /// How it ended, once it is finished.
    pub(super) fn outcome(self) -> Status {
        if let Some(payload) = self.panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
            std::panic::resume_unwind(payload);
        }
        match self.bound.load(Ordering::Relaxed) {
            u64::MAX => Status::Done,
            iteration => Status::Stopped(iteration),
        }
    }
}

/// Where the waiting owner of a loop gets a piece of it; a deque may hold those of other loops, which it must not run.
///
/// ```text
///          want             claim               fill
///   EMPTY ─────> WANTED ───────────> FILLING ───────> FULL
///     ^                                                │ take
///     └────────────────────────────────────────────────┘
/// ```
#[derive(Default)]
pub(super) struct Mailbox {
    state: AtomicU32,
    lo: AtomicU64,
    hi: AtomicU64,
}

const EMPTY: u32 = 0;
const WANTED: u32 = 1;
const FILLING: u32 = 2;
const FULL: u32 = 3;

/// The right to fill a mailbox, once.
pub(super) struct Filling<'a>(&'a Mailbox);

impl Mailbox {
    /// By the owner, again and again. Release: what it read from the mailbox before, it read before the next claimant
    /// writes there.
    pub(super) fn want(&self) {
        if self.state.load(Ordering::Relaxed) == EMPTY {
            self.state.store(WANTED, Ordering::Release);
        }
    }

    #[inline]
    pub(super) fn is_wanted(&self) -> bool {
        self.state.load(Ordering::Relaxed) == WANTED
    }

    pub(super) fn is_full(&self) -> bool {
        self.state.load(Ordering::Relaxed) == FULL
    }

    pub(super) fn claim(&self) -> Option<Filling<'_>> {
        let claimed = self.state.compare_exchange(WANTED, FILLING, Ordering::Acquire, Ordering::Relaxed);
        claimed.is_ok().then_some(Filling(self))
    }

    /// By the owner.
    pub(super) fn take(&self) -> Option<(u64, u64)> {
        if self.state.load(Ordering::Acquire) != FULL {
            return None;
        }
        let piece = (self.lo.load(Ordering::Relaxed), self.hi.load(Ordering::Relaxed));
        self.state.store(EMPTY, Ordering::Relaxed);
        Some(piece)
    }
}

impl Filling<'_> {
    /// There is nothing to give after all.
    pub(super) fn give_up(self) {
        // Release: as the owner's own wish, whose order this hands on.
        self.0.state.store(WANTED, Ordering::Release);
    }

    fn fill(self, lo: u64, hi: u64) {
        self.0.lo.store(lo, Ordering::Relaxed);
        self.0.hi.store(hi, Ordering::Relaxed);
        self.0.state.store(FULL, Ordering::Release);
    }
}
