//! What a thread does in the pool: its own part of a loop, a helper's life, an owner's wait.
//!
//! A worker runs the piece it holds chunk by chunk. Between chunks it looks whether somebody is hungry, and then puts
//! half of what it has left into its deque, if nothing is there already. When the piece is done it takes back what
//! nobody stole. That is always a piece of the same loop: thieves take the oldest, so while one of this loop's is left
//! those above it are, too. So no foreign work ever runs on top of a chunk, the stack is as deep as the program nests
//! its loops, and an owner waits only for pieces that somebody runs: there is no deadlock.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crossbeam_deque::{Steal, Worker as Deque};

use super::Shared;
use super::job::{Chunk, Status};
use super::pace::Pace;
use super::park::Parker;
use super::shared_loop::Loop;
use super::sleep::Hunger;
use super::spin::Spin;

/// Iterations of a loop that lie in a deque. It counts as one of the loop's pieces, so the loop is alive.
pub(super) struct Piece {
    of: *const Loop<'static>,
    lo: u64,
    hi: u64,
}

// SAFETY: a loop is shared by design: its job is `Sync`, the rest are atomics and locks.
unsafe impl Send for Piece {}

/// A thread's belongings in a pool.
pub(super) struct Context {
    pub(super) shared: Arc<Shared>,
    /// As jobs are told: 0 for a caller from outside, the helper's number + 1 for helpers.
    worker: usize,
    /// Of its deque among the stealers; `None` if nobody knows its deque.
    place: Option<usize>,
    deque: Deque<Piece>,
    random: Cell<u64>,
    idle_spin: Spin,
    join_spin: Spin,
}

thread_local! {
    /// Of the helper, or of the loop that this thread called and is in.
    static CURRENT: Cell<*const Context> = const { Cell::new(ptr::null()) };
}

/// Makes a context this thread's again when it is dropped.
struct Restore(*const Context);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

impl Context {
    pub(super) fn new(shared: &Arc<Shared>, worker: usize, place: Option<usize>, deque: Deque<Piece>) -> Context {
        let seed = shared.seed.unwrap_or(1) ^ (place.map_or(0, |place| place as u64 + 1) << 32);
        Context {
            shared: Arc::clone(shared),
            worker,
            place,
            deque,
            random: Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            idle_spin: Spin::new(shared.crowded),
            join_spin: Spin::new(shared.crowded),
        }
    }

    /// Calls back with this thread's context if it is in a loop of this pool already.
    pub(super) fn with_current<R>(shared: &Arc<Shared>, then: impl FnOnce(&Context) -> R) -> Option<R> {
        let current = CURRENT.get();
        // SAFETY: the pointer is set only while its context lives and is borrowed by a frame of this thread further up.
        let current = unsafe { current.as_ref() }?;
        Arc::ptr_eq(&current.shared, shared).then(|| then(current))
    }

    /// Makes this the context of what `then` calls.
    pub(super) fn enter<R>(&self, then: impl FnOnce() -> R) -> R {
        let _restore = Restore(CURRENT.replace(self));
        then()
    }

    /// For what is not in the loop that this thread is in: another fiber may call loops of its own, and park in them.
    fn apart<R>(then: impl FnOnce() -> R) -> R {
        let _restore = Restore(CURRENT.replace(ptr::null()));
        then()
    }

    /// Where it waits for the loops that it owns.
    pub(super) fn parker(&self) -> &Parker {
        let parkers = &self.shared.parkers;
        &parkers[self.place.unwrap_or(parkers.len() - 1)]
    }

    fn random(&self) -> u64 {
        // xorshift64
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random.set(x);
        x
    }

    /// The life of a helper. It counts as searching when it begins.
    pub(super) fn help(&self, helper: usize) {
        self.enter(|| {
            while let Some(piece) = self.next_piece(helper) {
                // SAFETY: the piece keeps its loop alive. The borrow ends before the piece does.
                self.run_piece(unsafe { &*piece.of }, piece.lo, piece.hi, false);
                // First of all, so that a loop that follows finds this helper hungry: it may look once for a long time.
                self.shared.sleep.search();
                // SAFETY: the stolen piece, or one that took its place.
                unsafe { Loop::end_last(piece.of) };
            }
        });
    }

    /// Searches, spins and sleeps until there is a piece; `None` when the pool ends.
    fn next_piece(&self, helper: usize) -> Option<Piece> {
        let shared = &self.shared;
        loop {
            let epoch = shared.sleep.epoch();
            // Relaxed: the epoch is announced after it is set.
            if shared.closing.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(piece) = self.steal() {
                if shared.sleep.found()
                    && shared.stealers.iter().any(|stealer| !stealer.is_empty())
                    && let Some(next) = shared.sleep.claim()
                {
                    shared.rouse(next);
                }
                return Some(piece);
            }
            if self.idle_spin.until(|| shared.sleep.is_news(epoch)) {
                continue;
            }
            let begun = Instant::now();
            if shared.sleep.sleep(helper, epoch) {
                self.idle_spin.slept(begun.elapsed());
            }
        }
    }

    fn steal(&self) -> Option<Piece> {
        let stealers = &self.shared.stealers;
        // Where the last piece was offered, most likely; in tests, anywhere.
        let start = match self.shared.seed {
            None => self.shared.last_offer.load(Ordering::Relaxed),
            Some(_) => self.random() as usize,
        };
        for i in 0..stealers.len() {
            let victim = start.wrapping_add(i) % stealers.len();
            if Some(victim) == self.place || stealers[victim].is_empty() {
                continue;
            }
            loop {
                match stealers[victim].steal() {
                    Steal::Success(piece) => {
                        self.shared.steals.fetch_add(1, Ordering::Relaxed);
                        return Some(piece);
                    }
                    Steal::Empty => break,
                    Steal::Retry => std::hint::spin_loop(),
                }
            }
        }
        None
    }

    /// Runs all of the loop that this thread gets to see, as its owner.
    pub(super) fn run_owned(&self, work: &Loop, trips: u64, parking: Option<&dyn super::Parking>) {
        self.run_piece(work, 0, trips, true);
        work.end_owners();
        while !work.is_finished() {
            work.mailbox.want();
            if let Some((lo, hi)) = work.mailbox.take() {
                self.run_piece(work, lo, hi, true);
                work.end_owners();
                continue;
            }
            let is_ready = || work.is_finished() || work.mailbox.is_full();
            if self.join_spin.until(is_ready) {
                continue;
            }
            // An end or a piece since the last look has left a token, so this returns at once.
            let begun = Instant::now();
            match parking {
                Some(parking) => Context::apart(|| parking.park()),
                None => self.parker().park(),
            }
            self.join_spin.slept(begun.elapsed());
        }
    }

    /// Runs a piece, and those split off it that nobody took. One piece is held throughout.
    fn run_piece(&self, work: &Loop, mut lo: u64, mut hi: u64, owner: bool) {
        let mut running = Running { owner, offered: 0, pace: Pace::default(), end: None };
        loop {
            self.run_range(work, lo, hi, &mut running);
            let Some(piece) = self.take_back(&mut running) else { return };
            work.end_one_of_several();
            (lo, hi) = (piece.lo, piece.hi);
        }
    }

    fn take_back(&self, running: &mut Running) -> Option<Piece> {
        if running.offered == 0 {
            return None;
        }
        let piece = self.deque.pop();
        // Thieves have all the others, if they have the newest.
        running.offered = if piece.is_some() { running.offered - 1 } else { 0 };
        piece
    }

    fn run_range(&self, work: &Loop, mut lo: u64, mut hi: u64, running: &mut Running) {
        let timed = Pace::is_measured(&work.policy);
        let mut begun = timed.then(Instant::now);
        loop {
            hi = hi.min(work.bound.load(Ordering::Relaxed));
            if lo >= hi {
                return;
            }
            if self.place.is_some() {
                self.share(work, lo, &mut hi, running);
            }
            let end = running.pace.next(&work.policy, lo, hi);
            let follows = running.end == Some(lo);
            let chunk = Chunk { lo, hi: end, worker: self.worker, follows, bound: &work.bound };
            // The job is not used again after a panic but by those who run already; its states are its own business.
            match catch_unwind(AssertUnwindSafe(|| work.job.run(&chunk))) {
                Ok(Status::Done) => {}
                Ok(Status::Stopped(iteration)) => work.stop(iteration),
                Err(payload) => work.panicked(payload),
            }
            running.end = Some(end);
            if let Some(before) = begun {
                let now = Instant::now();
                running.pace.ran(&work.policy, end - lo, now.duration_since(before).as_nanos() as f64);
                begun = Some(now);
            }
            lo = end;
        }
    }

    /// Gives a part of `lo..hi` away, if somebody wants it.
    #[inline]
    fn share(&self, work: &Loop, lo: u64, hi: &mut u64, running: &mut Running) {
        if !running.owner && work.mailbox.is_wanted() {
            self.share_with_owner(work, lo, hi, running);
        }
        let hunger = self.shared.sleep.hunger();
        let hungry = hunger.searching + hunger.asleep;
        let wanted = match self.shared.seed {
            None => hungry > 0,
            // A test splits now and then without being asked.
            Some(_) => self.random() & 1 == 0,
        };
        if wanted && self.deque.is_empty() && self.offer(work, lo, hi, running, hunger) {
            // Whoever comes later in a long iteration should find something as well.
            while work.policy.is_slow() && self.deque.len() < hungry && self.offer(work, lo, hi, running, hunger) {}
        }
    }

    #[cold]
    fn share_with_owner(&self, work: &Loop, lo: u64, hi: &mut u64, running: &mut Running) {
        let Some(slot) = work.mailbox.claim() else { return };
        if let Some(piece) = self.take_back(running) {
            return work.deliver(slot, piece.lo, piece.hi);
        }
        match work.policy.split(lo, *hi, self.split_point(lo, *hi), OWNER) {
            Some(middle) => {
                work.add_piece();
                work.deliver(slot, middle, *hi);
                *hi = middle;
            }
            None => slot.give_up(),
        }
    }

    #[cold]
    fn offer(&self, work: &Loop, lo: u64, hi: &mut u64, running: &mut Running, hunger: Hunger) -> bool {
        if work.is_wide() {
            return false;
        }
        let Some(middle) = work.policy.split(lo, *hi, self.split_point(lo, *hi), hunger) else { return false };
        work.add_piece();
        self.deque.push(Piece { of: ptr::from_ref(work).cast(), lo: middle, hi: *hi });
        running.offered += 1;
        *hi = middle;
        if let Some(place) = self.place {
            self.shared.announce(place);
        }
        true
    }

    fn split_point(&self, lo: u64, hi: u64) -> u64 {
        match self.shared.seed {
            None => lo + (hi - lo) / 2,
            Some(_) => lo + self.random() % (hi - lo),
        }
    }
}

/// A waiting owner is likely to be awake.
const OWNER: Hunger = Hunger { searching: 1, asleep: 0 };

/// A worker's stay in one loop.
struct Running {
    owner: bool,
    /// Pieces of this stay that may be in the deque still.
    offered: u32,
    pace: Pace,
    /// Of the last chunk.
    end: Option<u64>,
}

/// Ends the process if a helper ends by a panic, which is a bug in the pool: loops would wait for it forever.
pub(super) struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::AtomicU32;
    use std::task::{Wake, Waker};
    use std::thread::{self, Thread};
    use std::time::Duration;

    use super::super::{Parking, Plan, Pool, PoolOptions};
    use super::*;

    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Unpark>) {
            self.0.unpark();
        }
    }

    /// Counts how often a thread waits, and how often it is in a loop then.
    struct Looks<'a>(&'a Pool, AtomicU32, AtomicU32);

    impl Parking for Looks<'_> {
        fn waker(&self) -> Waker {
            Waker::from(Arc::new(Unpark(thread::current())))
        }

        fn park(&self) {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.2.fetch_add(u32::from(Context::with_current(&self.0.shared, |_| ()).is_some()), Ordering::Relaxed);
            thread::park();
        }
    }

    #[test]
    fn a_thread_whose_fiber_has_parked_is_in_no_loop() {
        let pool = Pool::new(PoolOptions { threads: Some(2), ..PoolOptions::default() });
        let looks = Looks(&pool, AtomicU32::new(0), AtomicU32::new(0));
        let both = Barrier::new(2);
        let body = |chunk: &Chunk| {
            for _ in chunk.lo..chunk.hi {
                both.wait();
                if chunk.worker > 0 {
                    thread::sleep(Duration::from_millis(20));
                }
            }
            Status::Done
        };
        for _ in 0..5 {
            assert_eq!(pool.run_parking(&Plan::new(2), &body, &looks), Status::Done);
        }
        assert!(looks.1.into_inner() > 0);
        assert_eq!(looks.2.into_inner(), 0);
    }
}
