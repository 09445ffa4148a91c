//! A work-stealing pool that runs the chunks of parallel loops.
//!
//! ```
//! use std::sync::atomic::{AtomicU64, Ordering};
//! use scaly_runtime::pool::{Chunk, Plan, Pool, PoolOptions, Status};
//!
//! let pool = Pool::new(PoolOptions::default());
//! let sum = AtomicU64::new(0);
//! let body = |chunk: &Chunk| {
//!     sum.fetch_add((chunk.lo..chunk.hi).sum(), Ordering::Relaxed);
//!     Status::Done
//! };
//! assert_eq!(pool.run(&Plan::new(1000), &body), Status::Done);
//! assert_eq!(sum.into_inner(), 499_500);
//! ```
//!
//! **Splitting is lazy.** A loop starts as one piece, run by the thread that calls it. A worker gives half of what it
//! has left away only when somebody is hungry; so a loop that nobody helps with costs a look between chunks, and one
//! piece for each theft is all there is to combine. Dividing beforehand was not tried: it needs to know the costs.
//!
//! **Threads.** A pool for n threads has n - 1 helpers, since callers take part. A helper's thread starts when work is
//! first offered to it, by whoever offers. A caller runs nothing but its own loop; when none of it is left it spins for
//! a while and then sleeps, or parks its fiber ([`Parking`]). Helpers run what they find.
//!
//! **The lowest end wins.** A chunk may end the loop at an iteration. What lies above is then skipped, or asked to stop
//! through the chunk's bound; what lies below runs and may end the loop earlier. So the result is that of the loop run
//! in order.
//!
//! **In order.** Chunks are ranges of consecutive iterations, each run by one worker; [`InOrder`] keeps their results
//! and hands them over by iteration, [`PerWorker`] keeps what a worker makes once for a loop.

mod cores;
mod job;
mod load;
mod pace;
mod park;
mod results;
mod shared_loop;
mod sleep;
mod spin;
mod sync;
mod worker;

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::thread::{self, Builder, JoinHandle};
use std::time::Instant;

use crossbeam_deque::{Stealer, Worker as Deque};
use crossbeam_utils::CachePadded;
use thiserror::Error;

pub use job::{Chunk, Job, Pieces, Plan, Status};
pub use results::{InOrder, PerWorker};

use load::Load;
use pace::Policy;
use park::Parker;
use shared_loop::Loop;
use sleep::Sleep;
use worker::{AbortOnPanic, Context, Piece};

/// Callers from outside whose loops can be helped with at the same time; those of more run on their callers alone.
const SEATS: usize = 16;
/// The most threads that a pool can be asked for.
pub const MOST_THREADS: usize = 1024;

/// How a pool starts a thread; replaced by tests.
pub type Spawn = fn(Builder, Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>>;

/// Settings of a pool.
#[derive(Clone, Copy, Debug)]
pub struct PoolOptions {
    /// Threads that run a loop, the caller's included (`--threads`); may be more than there are cores. `None`: one for
    /// each usable core, and fewer while others use the machine.
    pub threads: Option<usize>,
    /// All chunks have so many iterations, but for borders. For tests.
    pub chunk: Option<u64>,
    /// Splits and thefts are chosen at random from this seed, also where nobody is hungry. For tests.
    pub seed: Option<u64>,
    /// Bytes of a helper's stack.
    pub stack: usize,
    pub spawn: Spawn,
}

impl Default for PoolOptions {
    fn default() -> PoolOptions {
        PoolOptions {
            threads: None,
            chunk: None,
            seed: None,
            stack: 2 << 20,
            spawn: |builder, body| builder.spawn(body),
        }
    }
}

/// The system refused a thread; the pool goes on with those it has.
#[derive(Debug, Error)]
#[error("only {threads} of {wanted} threads: {error}")]
pub struct ThreadsRefused {
    /// Those that the pool has, the caller's included.
    pub threads: usize,
    pub wanted: usize,
    pub error: io::Error,
}

/// What a fiber scheduler does while a loop that a fiber called waits for its helpers.
pub trait Parking {
    /// Called from any thread when the fiber should look again.
    fn waker(&self) -> Waker;
    /// Runs others until the waker was called since the last `park`, or for less. It returns on the same thread.
    fn park(&self);
}

/// Figures of a pool since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolCounts {
    /// Threads started.
    pub started: usize,
    /// Pieces that helpers took.
    pub steals: u64,
}

/// What the threads of a pool share.
struct Shared {
    sleep: Sleep,
    /// Of the helpers, then of the seats.
    stealers: Box<[Stealer<Piece>]>,
    /// Where owners of loops wait, by the same places; here, since a helper may wake an owner that has gone on and ended.
    /// The last is of those without a place, whom nobody helps.
    parkers: Box<[CachePadded<Parker>]>,
    /// The stealer of the newest piece. A hint.
    last_offer: AtomicUsize,
    closing: AtomicBool,
    /// More threads than cores.
    crowded: bool,
    chunk: Option<u64>,
    seed: Option<u64>,
    stack: usize,
    spawn: Spawn,
    helpers: Mutex<Helpers>,
    steals: AtomicU64,
}

struct Helpers {
    /// Deques of those that were not started yet.
    unstarted: Vec<Option<Deque<Piece>>>,
    threads: Vec<JoinHandle<()>>,
    refused: Option<ThreadsRefused>,
}

impl Shared {
    fn helpers(&self) -> MutexGuard<'_, Helpers> {
        self.helpers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A piece was put into the deque of this place.
    fn announce(self: &Arc<Shared>, place: usize) {
        self.last_offer.store(place, Ordering::Relaxed);
        if let Some(helper) = self.sleep.announce() {
            self.rouse(helper);
        }
    }

    /// Wakes a helper that was claimed, or starts its thread.
    fn rouse(self: &Arc<Shared>, mut helper: usize) {
        loop {
            let Some(deque) = self.helpers().unstarted[helper].take() else {
                return self.sleep.unpark(helper);
            };
            let Err(error) = self.start(helper, deque) else { return };
            let mut helpers = self.helpers();
            self.sleep.retire(helper, |other| helpers.unstarted[other].is_none());
            let wanted = helpers.unstarted.len() + 1;
            let threads = helpers.threads.len() + 1;
            helpers.refused.get_or_insert(ThreadsRefused { threads, wanted, error });
            drop(helpers);
            match self.sleep.claim() {
                Some(other) => helper = other,
                None => return,
            }
        }
    }

    fn start(self: &Arc<Shared>, helper: usize, deque: Deque<Piece>) -> io::Result<()> {
        let shared = Arc::clone(self);
        let body = move || {
            let _abort = AbortOnPanic;
            Context::new(&shared, helper + 1, Some(helper), deque).help(helper);
        };
        let builder = Builder::new().name(format!("scaly-{}", helper + 1)).stack_size(self.stack);
        let thread = (self.spawn)(builder, Box::new(body))?;
        self.helpers().threads.push(thread);
        Ok(())
    }
}

/// Threads that share the iterations of loops.
pub struct Pool {
    shared: Arc<Shared>,
    threads: usize,
    load: Option<Load>,
    /// Those that are free.
    seats: Mutex<Vec<Context>>,
}

impl Pool {
    /// A pool whose threads start when they are first needed.
    pub fn new(options: PoolOptions) -> Pool {
        let affinity = cores::affinity();
        let usable = cores::usable(&affinity, Path::new("/"));
        let threads = options.threads.unwrap_or(usable).clamp(1, MOST_THREADS);
        let load = options.threads.is_none().then(|| Load::new(threads, affinity)).flatten();
        let helpers = threads - 1;
        let mut deques: Vec<_> = (0..helpers + SEATS).map(|_| Deque::new_lifo()).collect();
        let stealers = deques.iter().map(Deque::stealer).collect();
        let seats = deques.split_off(helpers);
        let shared = Arc::new(Shared {
            sleep: Sleep::new(helpers),
            stealers,
            parkers: (0..=helpers + SEATS).map(|_| CachePadded::new(Parker::new())).collect(),
            last_offer: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            crowded: threads > usable,
            chunk: options.chunk,
            seed: options.seed,
            stack: options.stack,
            spawn: options.spawn,
            helpers: Mutex::new(Helpers {
                unstarted: deques.into_iter().map(Some).collect(),
                threads: Vec::new(),
                refused: None,
            }),
            steals: AtomicU64::new(0),
        });
        let seat = |(i, deque)| Context::new(&shared, 0, Some(helpers + i), deque);
        let seats = Mutex::new(seats.into_iter().enumerate().map(seat).collect());
        Pool { shared, threads, load, seats }
    }

    /// The pool of this process, made by the first call.
    pub fn of_process(options: impl FnOnce() -> PoolOptions) -> &'static Pool {
        static POOL: OnceLock<Pool> = OnceLock::new();
        POOL.get_or_init(|| Pool::new(options()))
    }

    /// Workers that chunks may be run by; their numbers are below.
    pub fn workers(&self) -> usize {
        self.threads
    }

    /// Threads that a loop would ask for now: all, or fewer while others use the machine.
    pub fn width(&self) -> usize {
        self.load.as_ref().map_or(self.threads, |load| load.width(Instant::now()))
    }

    /// Whether the system refused threads; told once.
    pub fn take_refused(&self) -> Option<ThreadsRefused> {
        self.shared.helpers().refused.take()
    }

    pub fn counts(&self) -> PoolCounts {
        PoolCounts { started: self.shared.helpers().threads.len(), steals: self.shared.steals.load(Ordering::Relaxed) }
    }

    /// Runs the iterations `0..trips` of a plan, each once, and returns when all have ended that were wanted. Loops may
    /// be run within chunks of others, and by several threads at once.
    ///
    /// # Panics
    /// With the first panic of a chunk, after all others have stopped.
    pub fn run(&self, plan: &Plan, job: &dyn Job) -> Status {
        self.run_with(plan, job, None)
    }

    /// As [`Pool::run`], for a fiber that parks when it has to wait.
    pub fn run_parking(&self, plan: &Plan, job: &dyn Job, parking: &dyn Parking) -> Status {
        self.run_with(plan, job, Some(parking))
    }

    fn run_with(&self, plan: &Plan, job: &dyn Job, parking: Option<&dyn Parking>) -> Status {
        if plan.trips == 0 {
            return Status::Done;
        }
        let run = |context: &Context| self.run_on(context, plan, job, parking);
        if let Some(status) = Context::with_current(&self.shared, run) {
            return status;
        }
        let seat = self.seats.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let seat = Seat { pool: self, context: seat };
        match &seat.context {
            Some(context) => context.enter(|| run(context)),
            None => {
                let alone = Context::new(&self.shared, 0, None, Deque::new_lifo());
                alone.enter(|| run(&alone))
            }
        }
    }

    fn run_on(&self, context: &Context, plan: &Plan, job: &dyn Job, parking: Option<&dyn Parking>) -> Status {
        let policy = Policy::new(plan, self.shared.chunk);
        let width = plan.width.unwrap_or_else(|| self.width());
        let waker = parking.map(Parking::waker);
        let work = Loop::new(job, policy, width, context.parker(), waker.as_ref());
        context.run_owned(&work, plan.trips, parking);
        work.outcome()
    }
}

/// A seat that goes back to its pool.
struct Seat<'a> {
    pool: &'a Pool,
    context: Option<Context>,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if let Some(context) = self.context.take() {
            self.pool.seats.lock().unwrap_or_else(PoisonError::into_inner).push(context);
        }
    }
}

impl Drop for Pool {
    /// Ends the helpers, which are idle: every loop borrows the pool.
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        self.shared.sleep.wake_all(|helper| self.shared.helpers().unstarted[helper].is_none());
        let threads = std::mem::take(&mut self.shared.helpers().threads);
        for helper in threads {
            if helper.thread().id() != thread::current().id() {
                // A helper that panicked has ended the process.
                let _ = helper.join();
            }
        }
    }
}
