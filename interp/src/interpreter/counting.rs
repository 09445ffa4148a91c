//! When back edges and calls are counted.
//!
//! To count takes up to a tenth of a tight loop's time, and is in vain as long as nothing may be compiled, or nothing gets
//! hot. So a run with a tier may begin without, and then look for what is hot in windows:
//!
//! ```text
//!                 warm-up over           a whole window without a hook
//!   not counting ──────────────> window ───────────────────────────────> rest, longer each time
//!                                 │  ^                                    │
//!                            hook │  └────────────────────────────────────┘
//!                                 v
//!                              counting, to the end
//! ```
//!
//! A timer of the thread's processor time leads from one to the next: its signal exchanges the handlers of the few opcodes
//! that count ([`Handlers::count`]). It comes at the kernel's ticks, of 1 to 10 ms. So a warm-up ends at the tick that is
//! nearest, and a rest is measured by the window before it. Tried: a timer that is exact. Under a hypervisor it costs a
//! run of three milliseconds two per cent, as much as counting in its warm-up; this one costs it 6 us.

use std::cell::Cell;
use std::time::Duration;

use scaly_runtime::os::thread_time;
use scaly_runtime::ticker::{Bell, Clock, Ticker, tick};

use super::dispatch::Handlers;
use super::state::State;

/// How a run is counted that begins without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Windows {
    /// Processor time at the beginning in which nothing needs to be counted.
    pub warmup: Duration,
    /// Processor time in which what is hot shows; at least to the kernel's next tick.
    pub window: Duration,
    /// The longest rest, in windows.
    pub rest: u32,
}

/// What changes counting, if anything does.
#[derive(Debug, Default)]
pub(super) struct Counting {
    /// Before what it rings.
    ticker: Option<Ticker>,
    watch: Option<Box<Watch>>,
}

/// Of the thread, and within its signals: none of them comes while another runs.
#[derive(Debug)]
struct Watch {
    handlers: *const Handlers,
    windows: Windows,
    stage: Cell<Stage>,
    /// Processor time at its beginning.
    since: Cell<Duration>,
    /// Length of the next rest, in windows.
    rest: Cell<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Warmup,
    Window,
    /// For so long.
    Rest(Duration),
}

impl Watch {
    /// May be called in a signal.
    fn enter(&self, stage: Stage, now: Duration) -> Duration {
        // SAFETY: the state that the handlers are of ends its windows before it moves or goes.
        unsafe { (*self.handlers).count(stage == Stage::Window) };
        self.stage.set(stage);
        self.since.set(now);
        match stage {
            // The first tick tells where in it the run began.
            Stage::Warmup => Duration::from_nanos(1),
            Stage::Window => self.windows.window,
            Stage::Rest(length) => length,
        }
    }
}

// SAFETY: reads clocks, and stores to its own cells, which nobody else uses after the timer is set, and to atomics.
unsafe impl Bell for Watch {
    fn ring(&self) -> Option<Duration> {
        let now = thread_time();
        let passed = now.saturating_sub(self.since.get());
        Some(match self.stage.get() {
            Stage::Warmup if passed + tick() <= self.windows.warmup * 5 / 4 => Duration::from_nanos(1),
            Stage::Warmup | Stage::Rest(_) => self.enter(Stage::Window, now),
            Stage::Window => {
                let length = self.rest.get();
                self.rest.set((2 * length + 1).min(self.windows.rest));
                self.enter(Stage::Rest(passed * length), now)
            }
        })
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

    /// Counts in windows until a counter comes to its end, and everything from then on; where the system gives no timer,
    /// at once. The state stays where it is while it runs.
    pub fn count_in_windows(&mut self, windows: Windows) {
        self.count_always();
        let rest = FIRST_REST.min(windows.rest);
        let watch = Watch {
            handlers: &raw const self.handlers,
            windows,
            stage: Cell::new(Stage::Warmup),
            since: Cell::default(),
            rest: Cell::new(rest),
        };
        let watch = self.counting.watch.insert(Box::new(watch));
        // One that is over long before the first tick is counted: it would be late.
        let first = if 2 * windows.warmup < tick() { Stage::Window } else { Stage::Warmup };
        let period = watch.enter(first, thread_time());
        // SAFETY: the watch lies in a box that is dropped after the ticker.
        self.counting.ticker = unsafe { Ticker::start(&raw const **watch, Clock::Processor, period) };
        if self.counting.ticker.is_none() {
            self.count_always();
        }
    }

    /// A counter has come to its end.
    pub(super) fn found_hot(&mut self) {
        if self.counting.ticker.is_some() {
            self.count_always();
        }
    }

    /// Counting stays as it is.
    pub(super) fn end_windows(&mut self) {
        self.counting.ticker = None;
        self.counting.watch = None;
    }
}

/// In windows.
const FIRST_REST: u32 = 3;
