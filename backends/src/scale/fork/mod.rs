//! Calls of a recursive function that other threads take.
//!
//! ```text
//! enter(depth 0) ─ fork ─ fork ─ …        code that forks: the calls next to the root, above the cut
//!            └ whole ┘                    code that does not: everything below
//! ```
//!
//! How deep calls fork, the *cut*, follows what is measured: calls at the cut should take long enough that what forking
//! costs does not count, and be so many that nobody is idle. Nobody is asked to help before a call has proven to be long;
//! then its calls of itself that are above the cut are offered ([`session`]).
//!
//! A call that another thread has taken sees the limits that it would see here, so that a stack ends at the same depth. It
//! only loads; nobody stores meanwhile, since whoever runs the program waits for it. If any part gives up, all do.
#![allow(unsafe_code)]

mod ahead;
mod session;
mod task;

use std::cell::Cell;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;
use scaly_interp::interpreter::State;
use scaly_interp::program::Pc;
use scaly_interp::tier::Position;
use scaly_runtime::pool::Pool;
use scaly_tracer::parameters::Parameters;

use crate::lower::Restart;
use crate::lower::restart::{ALONE, RETURNED};
use crate::native::Native;
use crate::restart;
use crate::run::Run;
pub use ahead::{Activation, recurse_ahead, seen_ahead};
pub use session::Stacks;
use session::{Place, Session};
pub use task::Task;

/// What is known of a function whose calls may be taken by others.
#[derive(Debug)]
pub struct Recursion {
    /// Address of the code.
    code: usize,
    /// Of all machine code of its module.
    addresses: Range<usize>,
    of: Restart,
    /// Calls so deep or deeper do not fork. All threads read it all the time.
    cut: CachePadded<AtomicU32>,
    /// Calls at the cut since it was last looked at, and their nanoseconds.
    calls: CachePadded<AtomicU32>,
    nanoseconds: AtomicU64,
    /// Nanoseconds of a call at the cut, as last looked at.
    mean: AtomicU64,
    /// Of calls above the cut by their depth, as long as one thread made them: the mean of the last one and those before.
    above: [AtomicU64; DEEPEST as usize],
    entries: AtomicU32,
    said: AtomicBool,
    parameters: Parameters,
}

/// Nothing forks deeper.
const DEEPEST: u32 = 48;
/// Calls whose mean moves the cut.
const WINDOW: u32 = 64;
/// Calls of one thread that it counts by itself before it says so: what all count is a place that all wait for.
const SHARE: u32 = 16;
/// One of so many entries is measured where none forks.
const RARELY: u32 = 16;

/// How a call was entered.
pub struct Entry<'a> {
    /// None: nobody helps.
    pub pool: Option<&'a Pool>,
    pub stacks: &'a Stacks,
    /// Everything that can be is offered, for tests.
    pub forced: bool,
}

impl Recursion {
    pub fn new(native: &Native, of: Restart, parameters: Parameters) -> Recursion {
        Recursion {
            code: native.code().address,
            addresses: native.addresses(),
            of,
            cut: AtomicU32::new(parameters.fork_depth).into(),
            calls: AtomicU32::new(0).into(),
            nanoseconds: AtomicU64::new(0),
            mean: AtomicU64::new(0),
            above: [const { AtomicU64::new(0) }; DEEPEST as usize],
            entries: AtomicU32::new(0),
            said: AtomicBool::new(false),
            parameters,
        }
    }

    /// Whether it is the first time that others take part.
    pub fn is_news(&self) -> bool {
        !self.said.swap(true, Ordering::Relaxed)
    }

    /// Runs a call that stands at the function's first instruction, on its frame; where it returned. Its arguments are in
    /// the frame if it gave up. `tell` is called when others take part.
    pub fn enter(&self, state: &mut State, at: Position, entry: &Entry<'_>, tell: impl Fn()) -> Option<Pc> {
        let base = at.base();
        let params = usize::from(self.of.params);
        // SAFETY: the frame is the function's; its parameters are its first slots.
        let arguments: Vec<u64> = unsafe { std::slice::from_raw_parts(base, params) }.to_vec();
        let mut run = Run { slots_limit: state.slots_limit(), native_limit: state.native_limit(), ..Run::NOWHERE };
        let tell: &dyn Fn() = &tell;
        let worker = Worker { tell: Some(tell), ..Worker::new(self, entry, None) };
        run.worker = (&raw const worker).cast();
        let forks = self.of.forks && entry.pool.is_some_and(|pool| pool.workers() > 1);
        let measured = forks && (entry.forced || self.cut() > 0 || self.is_rare());
        // SAFETY: the code was made of the bytecode of the state's program, and the frame is one of the function, at its
        // beginning. The run lives through the call.
        let status = unsafe {
            if measured { recurse(&mut run, base, 0) } else { restart::enter(self.code, &mut run, base, ALONE) }
        };
        worker.share();
        if status != RETURNED {
            // SAFETY: as above.
            unsafe { ptr::copy_nonoverlapping(arguments.as_ptr(), base, params) };
        }
        (status == RETURNED).then_some(self.of.returns)
    }

    fn cut(&self) -> u32 {
        self.cut.load(Ordering::Relaxed)
    }

    fn is_rare(&self) -> bool {
        self.entries.fetch_add(1, Ordering::Relaxed).is_multiple_of(RARELY)
    }

    /// A call at the cut took so long that those before it have said nothing about it. All is relaxed: these are hints.
    fn took_long(&self, depth: u32, nanoseconds: u64) {
        let most = u64::from(self.parameters.fork_most);
        let deeper = (nanoseconds / most).ilog2();
        self.cut.fetch_max((depth + deeper).min(DEEPEST), Ordering::Relaxed);
        self.mean.store(most, Ordering::Relaxed);
        self.calls.store(0, Ordering::Relaxed);
        self.nanoseconds.store(0, Ordering::Relaxed);
    }

    /// So many calls at the cut took so long; `last`: there may be no more. As above.
    fn took(&self, calls: u32, nanoseconds: u64, last: bool) {
        let Parameters { fork_least, fork_most, .. } = self.parameters;
        let (least, most) = (u64::from(fork_least), u64::from(fork_most));
        let all = self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed) + nanoseconds;
        if self.calls.fetch_add(calls, Ordering::Relaxed) + calls < WINDOW && !last {
            return;
        }
        let calls = u64::from(self.calls.swap(0, Ordering::Relaxed).max(1));
        self.nanoseconds.store(0, Ordering::Relaxed);
        let mean = (all / calls).max(1);
        self.mean.store(mean, Ordering::Relaxed);
        let cut = self.cut();
        if mean > most {
            self.cut.store((cut + 1).min(DEEPEST), Ordering::Relaxed);
        } else if mean < least {
            self.cut.store(cut.saturating_sub((least / mean).ilog2().max(1)), Ordering::Relaxed);
        }
    }

    /// A call above the cut took so long.
    fn took_above(&self, depth: u32, nanoseconds: u64) {
        if let Some(mean) = self.above.get(depth as usize) {
            let before = mean.load(Ordering::Relaxed);
            mean.store(if before == 0 { nanoseconds } else { before.midpoint(nanoseconds) }, Ordering::Relaxed);
        }
    }

    /// Nanoseconds that a call at a depth may take: as long as others there, if there were some.
    fn expected(&self, depth: u32) -> f64 {
        let known = self.above.get(depth as usize).map_or(0, |mean| mean.load(Ordering::Relaxed));
        if known > 0 {
            return known as f64;
        }
        let deeper = self.cut().saturating_sub(depth).min(DEEPEST);
        // Two calls each, of which one is deep.
        self.mean.load(Ordering::Relaxed) as f64 * 1.5f64.powi(deeper as i32)
    }
}

/// Who runs calls on a thread; code knows its address by its run.
pub struct Worker<'a> {
    recursion: &'a Recursion,
    entry: &'a Entry<'a>,
    begun: Instant,
    /// In a session: none until somebody is asked to help.
    place: Option<Place<'a>>,
    tell: Option<&'a dyn Fn()>,
    /// Calls at the cut that nobody else knows of, and their nanoseconds.
    calls: Cell<u32>,
    nanoseconds: Cell<u64>,
}

impl<'a> Worker<'a> {
    fn new(recursion: &'a Recursion, entry: &'a Entry<'a>, place: Option<Place<'a>>) -> Worker<'a> {
        let (calls, nanoseconds) = Default::default();
        Worker { recursion, entry, begun: Instant::now(), place, tell: None, calls, nanoseconds }
    }

    /// A call at the cut took so long.
    fn took(&self, depth: u32, nanoseconds: u64) {
        if nanoseconds > 16 * u64::from(self.recursion.parameters.fork_most) {
            self.recursion.took_long(depth, nanoseconds);
            self.calls.set(0);
            self.nanoseconds.set(0);
            return;
        }
        self.calls.set(self.calls.get() + 1);
        self.nanoseconds.set(self.nanoseconds.get() + nanoseconds);
        if depth == 0 || self.calls.get() == SHARE {
            self.recursion.took(self.calls.take(), self.nanoseconds.take(), depth == 0);
        }
    }

    /// Says what it has counted.
    fn share(&self) {
        if self.calls.get() > 0 {
            self.recursion.took(self.calls.take(), self.nanoseconds.take(), false);
        }
    }

    fn cut(&self) -> u32 {
        if self.entry.forced { self.recursion.parameters.fork_depth } else { self.recursion.cut() }
    }

    /// The pool, where it is time to ask for help with a call at a depth.
    fn asks(&self, depth: u32) -> Option<&Pool> {
        let pool = self.entry.pool.filter(|_| self.place.is_none())?;
        if self.entry.forced {
            return Some(pool);
        }
        let Parameters { divided, .. } = self.recursion.parameters;
        let long = Duration::from_nanos(divided.into());
        let is_long = self.begun.elapsed() >= long && self.recursion.expected(depth) >= 4.0 * f64::from(divided);
        (is_long && pool.width() > 1).then_some(pool)
    }
}

/// Makes a call at a depth, whose arguments are in its frame; its results are there when it has returned.
///
/// # Safety
/// The run is that of code that runs on this thread, and has a worker; the frame lies on its stack.
pub unsafe extern "C" fn recurse(run: *mut Run, frame: *mut u64, depth: u32) -> u32 {
    // SAFETY: by the caller's promise; a worker outlives what it runs.
    let worker = unsafe { &*(*run).worker.cast::<Worker<'_>>() };
    let recursion = worker.recursion;
    if depth < worker.cut() {
        return match worker.asks(depth) {
            // SAFETY: as above.
            Some(pool) => unsafe { Session::run(worker, pool, run, frame, depth) },
            None => {
                let begun = worker.place.is_none().then(Instant::now);
                // SAFETY: the code is that of the function, whose frame this is.
                let status = unsafe { restart::enter(recursion.code, run, frame, depth) };
                if let Some(begun) = begun {
                    recursion.took_above(depth, begun.elapsed().as_nanos() as u64);
                }
                status
            }
        };
    }
    let begun = Instant::now();
    // SAFETY: as above.
    let status = unsafe { restart::enter(recursion.code, run, frame, ALONE) };
    if !worker.entry.forced {
        worker.took(depth, begun.elapsed().as_nanos() as u64);
    }
    status
}

/// Offers a call with these arguments to others, whose frame would be this; null if there are none.
///
/// # Safety
/// As for [`recurse`]; there are as many arguments as the function has parameters.
pub unsafe extern "C" fn fork(run: *mut Run, frame: *mut u64, depth: u32, arguments: *const u64) -> *const Task {
    // SAFETY: by the caller's promise.
    let (worker, arguments, room) = unsafe {
        let worker = &*(*run).worker.cast::<Worker<'_>>();
        let params = usize::from(worker.recursion.of.params);
        (worker, std::slice::from_raw_parts(arguments, params), session::room_above(run, frame))
    };
    worker.place.as_ref().map_or(ptr::null(), |place| place.offer(arguments, depth, room))
}

/// Makes a call that was offered, whose arguments are in its frame, or waits for who has taken it.
///
/// # Safety
/// As for [`recurse`]; the task is what [`fork`] gave, and the newest that was not joined yet.
pub unsafe extern "C" fn join(run: *mut Run, frame: *mut u64, depth: u32, task: *const Task) -> u32 {
    // SAFETY: by the caller's promise.
    let worker = unsafe { &*(*run).worker.cast::<Worker<'_>>() };
    let Some(place) = worker.place.as_ref().filter(|_| !task.is_null()) else {
        // SAFETY: as above.
        return unsafe { recurse(run, frame, depth) };
    };
    if place.take_back() {
        // SAFETY: as above.
        let status = unsafe { recurse(run, frame, depth) };
        place.forget(task);
        return status;
    }
    // SAFETY: what lies above the frame is free while the call is away.
    unsafe { place.wait(frame, task) }
}
