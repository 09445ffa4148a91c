//! When back edges and calls are counted.
//!
//! To count takes 5 % of the time of tight loops, and is in vain as long as nothing may be compiled, or nothing gets
//! hot. Where counters come to their end soon that ends by itself, and nobody is asked before a warm-up is over
//! ([`State::count_behind`]). Else a run with a tier is counted in windows ([`State::count_in_windows`]):
//!
//! ```text
//! window ── hook behind the warm-up ──> counting, to the end
//!        ── none ─────────────────────> rest, longer each time ──> window
//! ```
//!
//! A timer leads from one to the next: its signals exchange the handlers of the few opcodes that count
//! ([`Handlers::count`]). Windows and rests are of processor time and end at the kernel's ticks, of 1 to 10 ms; a rest is so
//! many times as long as the window before it was.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use scaly_runtime::os::thread_time;
use scaly_runtime::ticker::{Bell, Clock, Ticker};

use super::dispatch::Handlers;
use super::state::State;

/// How a run is counted that need not be counted all the time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Windows {
    /// Time at the beginning in which nobody asks what is hot.
    pub warmup: Duration,
    /// Processor time in which what is hot shows; at least to the kernel's next tick.
    pub window: Duration,
    /// The longest rest, in windows.
    pub rest: u32,
}

/// The first rest, in windows.
const FIRST_REST: u32 = 3;

/// What changes counting, if anything does.
#[derive(Debug, Default)]
pub(super) struct Counting {
    // Before what they ring.
    ticks: Option<Ticker>,
    watch: Option<Box<Watch>>,
    /// When it began, and how long it takes, until it is over.
    warmup: Option<(Instant, Duration)>,
}

/// Used by the thread and within its signals, of which none comes while another runs.
#[derive(Debug)]
struct Watch {
    handlers: *const Handlers,
    windows: Windows,
    rests: AtomicBool,
    /// Nanoseconds of processor time at its beginning.
    since: AtomicU64,
    /// Length of the next rest, in windows.
    rest: AtomicU32,
}

impl Watch {
    /// May be called in a signal.
    fn enter(&self, rests: bool) {
        let now = thread_time().as_nanos() as u64;
        self.since.store(now, Ordering::Relaxed);
        self.rests.store(rests, Ordering::Relaxed);
        // SAFETY: the state that the handlers are of ends its windows before it moves or goes.
        unsafe { (*self.handlers).count(!rests) };
    }
}

/// At the ticks.
// SAFETY: reads clocks and stores to atomics.
unsafe impl Bell for Watch {
    fn ring(&self) -> Option<Duration> {
        if self.rests.load(Ordering::Relaxed) {
            self.enter(false);
            return Some(self.windows.window);
        }
        let since = Duration::from_nanos(self.since.load(Ordering::Relaxed));
        let passed = thread_time().saturating_sub(since);
        if passed < self.windows.window {
            // It began behind the tick before.
            return Some(self.windows.window - passed);
        }
        let length = self.rest.load(Ordering::Relaxed);
        if length == 0 {
            return Some(self.windows.window);
        }
        self.rest.store((2 * length + 1).min(self.windows.rest), Ordering::Relaxed);
        self.enter(true);
        Some(passed * length)
    }
}

impl State {
    /// Nothing is counted, and nothing gets hot.
    pub fn count_never(&mut self) {
        self.end_windows();
        self.handlers.count(false);
    }

    /// Everything is, from now on: what a run does by itself.
    pub fn count_always(&mut self) {
        self.end_windows();
        self.handlers.count(true);
    }

    /// Counts everything, and asks nobody before the warm-up is over.
    pub fn count_behind(&mut self, warmup: Duration) {
        self.count_always();
        self.counting.warmup = Some((Instant::now(), warmup));
    }

    /// Counts in windows until a counter comes to its end behind the warm-up, and everything from then on; where the
    /// system gives no timer, at once. The state stays where it is while it runs.
    pub fn count_in_windows(&mut self, windows: Windows) {
        self.count_behind(windows.warmup);
        let watch = Box::new(Watch {
            handlers: &raw const self.handlers,
            windows,
            rests: AtomicBool::new(false),
            since: AtomicU64::default(),
            rest: AtomicU32::new(FIRST_REST.min(windows.rest)),
        });
        watch.enter(false);
        let watch = self.counting.watch.insert(watch);
        // SAFETY: the watch lies in a box that is dropped after the ticker.
        self.counting.ticks = unsafe { Ticker::by(Clock::Processor, &raw const **watch, windows.window) };
        if self.counting.ticks.is_none() {
            self.count_always();
        }
    }

    /// A counter has come to its end: whether the tier is to be asked.
    #[inline]
    pub(super) fn found_hot(&mut self) -> bool {
        let Some((began, warmup)) = self.counting.warmup else { return true };
        let over = began.elapsed() >= warmup;
        if over {
            self.count_always();
        }
        over
    }

    /// Counting stays as it is, and the warm-up is over.
    pub(super) fn end_windows(&mut self) {
        self.counting.warmup = None;
        self.counting.ticks = None;
        self.counting.watch = None;
    }
}
