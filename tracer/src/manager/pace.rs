//! How much of a run's time may go into recording and compiling.
//!
//! Whether a trace pays is not known before it has run, but a program that ends soon must not have spent more on traces
//! than it ran. So nothing is recorded in the first moments, and later only as long as recording and compiling have
//! taken a share of the time: what is hot waits until it is due, and the hottest asks most often. The share grows with
//! the time that the program has run, up to a limit: of what ends within milliseconds little can be gained, and that it
//! goes on for long is the likelier the longer it has. It is the processor's time that counts, so that neighbours on a
//! busy machine change nothing.

use std::cell::Cell;
use std::time::{Duration, Instant};

use scaly_runtime::os::thread_time;

use crate::parameters::Parameters;

#[derive(Debug)]
pub struct Pace {
    warmup: Duration,
    /// The share, as a part of 1, and from when on it is all of that.
    effort: f64,
    ramp: Duration,
    start: Cell<Option<Duration>>,
    spent: Cell<Duration>,
    /// Recording or compiling since then.
    since: Cell<Option<Duration>>,
    /// Before this nothing is due.
    not_before: Cell<Option<Instant>>,
}

impl Pace {
    pub fn new(parameters: &Parameters) -> Pace {
        Pace {
            warmup: Duration::from_micros(u64::from(parameters.warmup)),
            effort: f64::from(parameters.effort) / 100.0,
            ramp: Duration::from_micros(u64::from(parameters.ramp)),
            start: Cell::default(),
            spent: Cell::default(),
            since: Cell::default(),
            not_before: Cell::default(),
        }
    }

    /// Without bounds the time is never read.
    fn unbounded(&self) -> bool {
        self.warmup.is_zero() && self.effort >= 1.0
    }

    /// A run begins.
    pub fn start(&self) {
        if !self.unbounded() {
            self.start.set(Some(thread_time()));
        }
    }

    /// Whether a side trace may be recorded now. A tree that is left and entered again and again, where it waits for one,
    /// is slower than the interpreter: so its share is all of the effort from the beginning.
    pub fn allows_side(&self) -> bool {
        let Some(start) = self.start.get() else { return true };
        let run = thread_time().saturating_sub(start);
        run >= self.warmup && self.spent.get().as_secs_f64() <= run.as_secs_f64() * self.effort
    }

    /// Whether a tree may be begun now.
    pub fn allows(&self) -> bool {
        let Some(start) = self.start.get() else { return true };
        // To ask for a thread's time is a call of the system, a hundred times in the first moments of some programs. It
        // passes no faster than the time of day.
        let now = Instant::now();
        if self.not_before.get().is_some_and(|then| now < then) {
            return false;
        }
        let (run, due) = (thread_time().saturating_sub(start), self.due());
        self.not_before.set(due.checked_sub(run).map(|left| now + left));
        run >= due
    }

    /// How long the program must have run until more may be spent.
    fn due(&self) -> Duration {
        let spent = self.spent.get().as_secs_f64() / self.effort;
        let ramp = self.ramp.as_secs_f64();
        // Until then the share is in proportion to the time.
        let due = if spent < ramp { (spent * ramp).sqrt() } else { spent };
        self.warmup.max(Duration::from_secs_f64(due))
    }

    /// A recording begins.
    pub fn begin(&self) {
        self.since.set(self.start.get().map(|_| thread_time()));
    }

    /// Its trace has been made, or given up.
    pub fn end(&self) {
        if let Some(since) = self.since.take() {
            self.spent.set(self.spent.get() + thread_time().saturating_sub(since));
        }
    }

    /// Runs what is no work of the compiler, within a recording.
    pub fn apart<T>(&self, run: impl FnOnce() -> T) -> T {
        let recording = self.since.get().is_some();
        self.end();
        let result = run();
        if recording {
            self.begin();
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(warmup: u32, effort: u32, ramp: u32) -> Pace {
        let pace = Pace::new(&Parameters { warmup, effort, ramp, ..Parameters::default() });
        pace.start();
        pace
    }

    fn pass(milliseconds: u64) {
        let end = thread_time() + Duration::from_millis(milliseconds);
        while thread_time() < end {}
    }

    #[test]
    fn nothing_is_recorded_in_the_first_moments() {
        let pace = pace(20_000, 100, 0);
        assert!(!pace.allows());
        pass(20);
        assert!(pace.allows());
    }

    #[test]
    fn a_share_of_the_time_is_spent() {
        let pace = pace(0, 50, 0);
        pass(5);
        assert!(pace.allows());
        pace.begin();
        pass(40);
        // The program itself.
        pace.apart(|| pass(5));
        pace.end();
        assert!(!pace.allows());
        pass(60);
        assert!(pace.allows());
    }

    #[test]
    fn the_share_grows() {
        let pace = pace(0, 50, 100_000);
        pace.begin();
        pass(10);
        pace.end();
        // A tenth of the time is the share at 20 ms, a quarter at 50: sqrt(20 * 100) = 44.7.
        let due = pace.due().as_secs_f64();
        assert!((0.044..0.06).contains(&due), "{due}");
        pass(20);
        assert!(!pace.allows());
        pass(40);
        assert!(pace.allows());
        pace.spent.set(Duration::from_millis(60));
        assert_eq!(pace.due(), Duration::from_millis(120));
    }

    #[test]
    fn without_bounds_all_is_allowed() {
        let pace = pace(0, 100, 100_000);
        pace.begin();
        pass(1);
        pace.end();
        assert!(pace.allows() && pace.spent.get().is_zero());
    }
}
