//! When back edges and calls are counted.
//!
//! To count takes 5 % of the time of tight loops, and is in vain as long as nothing may be compiled, or nothing gets
//! hot. So a run with a tier is counted in windows:
//!
//! ```text
//! window ── hook in the warm-up ──> not counting, until that is over ──> window
//!        ── hook behind it ───────> counting, to the end
//!        ── none ─────────────────> rest, longer each time ────────────> window
//! ```
//!
//! Timers lead from one to the next: their signals exchange the handlers of the few opcodes that count
//! ([`Handlers::count`]). The end of the warm-up is exact. Windows and rests are of processor time and end at the kernel's
//! ticks, of 1 to 10 ms; a rest is so many times as long as the window before it was. Tried: such a timer for the
//! warm-up too. Where ticks are 4 ms apart, compiling began half a millisecond later on average, and runs of 10 ms took
//! 4 % more.

use std::cell::Cell;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
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

/// An exact timer takes as long as counting does in this time: 5 us, and 30 under a hypervisor that emulates timers. Most
/// runs are over before it has passed.
const TIMER: Duration = Duration::from_micros(400);

/// What changes counting, if anything does.
#[derive(Debug, Default)]
pub(super) struct Counting {
    // Before what they ring.
    ticks: Option<Ticker>,
    warm: Option<Ticker>,
    watch: Option<Box<Watch>>,
}

/// Used by the thread and within its signals, of which none comes while another runs.
#[derive(Debug)]
struct Watch {
    handlers: *const Handlers,
    windows: Windows,
    began: Instant,
    stage: AtomicU8,
    /// Nanoseconds of processor time at its beginning.
    since: AtomicU64,
    /// Length of the next rest, in windows.
    rest: AtomicU32,
    /// Rings when the warm-up is over.
    over: Over,
}

/// Of its watch.
#[derive(Debug)]
struct Over(Cell<*const Watch>);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Stage {
    Warmup,
    Window,
    Rest,
}

impl Watch {
    /// May be called in a signal.
    fn enter(&self, stage: Stage) {
        let now = thread_time().as_nanos() as u64;
        self.since.store(now, Ordering::Relaxed);
        self.stage.store(stage as u8, Ordering::Relaxed);
        // SAFETY: the state that the handlers are of ends its windows before it moves or goes.
        unsafe { (*self.handlers).count(stage == Stage::Window) };
    }

    fn is_in(&self, stage: Stage) -> bool {
        self.stage.load(Ordering::Relaxed) == stage as u8
    }
}

/// At the ticks.
// SAFETY: reads clocks and stores to atomics.
unsafe impl Bell for Watch {
    fn ring(&self) -> Option<Duration> {
        const NEXT: Duration = Duration::from_nanos(1);
        if self.is_in(Stage::Warmup) {
            return Some(NEXT);
        }
        if self.is_in(Stage::Rest) {
            self.enter(Stage::Window);
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
        self.enter(Stage::Rest);
        Some(passed * length)
    }
}

// SAFETY: stores to atomics, of the watch that it is in.
unsafe impl Bell for Over {
    fn ring(&self) -> Option<Duration> {
        // SAFETY: as above, the watch lies in its box.
        unsafe { (*self.0.get()).enter(Stage::Window) };
        None
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

    /// Counts in windows until a counter comes to its end behind the warm-up, and everything from then on; where the
    /// system gives no timer, at once. The state stays where it is while it runs.
    pub fn count_in_windows(&mut self, windows: Windows) {
        self.count_always();
        let watch = self.counting.watch.insert(Box::new(Watch {
            handlers: &raw const self.handlers,
            windows,
            began: Instant::now(),
            stage: AtomicU8::new(Stage::Window as u8),
            since: AtomicU64::default(),
            rest: AtomicU32::new(FIRST_REST.min(windows.rest)),
            over: Over(Cell::new(std::ptr::null())),
        }));
        watch.over.0.set(&raw const **watch);
        watch.enter(Stage::Window);
        // SAFETY: the watch lies in a box that is dropped after the ticker.
        self.counting.ticks = unsafe { Ticker::by(Clock::Processor, &raw const **watch, windows.window) };
        if self.counting.ticks.is_none() {
            self.count_always();
        }
    }

    /// A counter has come to its end: whether the tier is to be asked.
    pub(super) fn found_hot(&mut self) -> bool {
        let Some(watch) = &self.counting.watch else { return true };
        let passed = watch.began.elapsed();
        let left = watch.windows.warmup.saturating_sub(passed);
        if left.is_zero() {
            self.count_always();
            return true;
        }
        if passed < TIMER || left < TIMER {
            return false;
        }
        // The one before, if there is any, has rung.
        self.counting.warm = None;
        watch.enter(Stage::Warmup);
        // SAFETY: as above.
        self.counting.warm = unsafe { Ticker::start(&raw const watch.over, left) };
        if self.counting.warm.is_none() {
            watch.enter(Stage::Window);
        }
        false
    }

    /// Counting stays as it is.
    pub(super) fn end_windows(&mut self) {
        self.counting.ticks = None;
        self.counting.warm = None;
        self.counting.watch = None;
    }
}
