//! How much of a run's time may go into recording and compiling.
//!
//! Whether a trace pays is not known before it has run, but a program that ends soon must not have spent more on traces
//! than it ran. So nothing is recorded in the first moments, and later only as long as recording and compiling have
//! taken a fixed share of the time: what is hot waits until it is due, and the hottest asks most often. It is the
//! processor's time that counts, so that neighbours on a busy machine change nothing.
//!
//! The first traces cost most: half a millisecond, for the compiler's code is not in memory yet. Rejected: a share that
//! grows with the time. Trees wait for their side traces then, and a tree that is left and entered again and again is
//! slower than the interpreter.

use std::cell::Cell;
use std::time::{Duration, Instant};

use scaly_runtime::os::thread_time;

use crate::parameters::Parameters;

#[derive(Debug)]
pub struct Pace {
    warmup: Duration,
    /// Percent.
    effort: u32,
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
            effort: parameters.effort,
            start: Cell::default(),
            spent: Cell::default(),
            since: Cell::default(),
            not_before: Cell::default(),
        }
    }

    /// Without bounds the time is never read.
    fn unbounded(&self) -> bool {
        self.warmup.is_zero() && self.effort >= 100
    }

    /// A run begins.
    pub fn start(&self) {
        if !self.unbounded() {
            self.start.set(Some(thread_time()));
        }
    }

    /// Whether something may be recorded now.
    pub fn allows(&self) -> bool {
        let Some(start) = self.start.get() else { return true };
        // To ask for a thread's time is a call of the system, a hundred times in the first moments of some programs. It
        // passes no faster than the time of day.
        let now = Instant::now();
        if self.not_before.get().is_some_and(|then| now < then) {
            return false;
        }
        let run = thread_time().saturating_sub(start);
        let due = self.warmup.max(self.spent.get() * 100 / self.effort);
        self.not_before.set(due.checked_sub(run).map(|left| now + left));
        run >= due
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

    fn pace(warmup: u32, effort: u32) -> Pace {
        let pace = Pace::new(&Parameters { warmup, effort, ..Parameters::default() });
        pace.start();
        pace
    }

    fn pass(milliseconds: u64) {
        let end = thread_time() + Duration::from_millis(milliseconds);
        while thread_time() < end {}
    }

    #[test]
    fn nothing_is_recorded_in_the_first_moments() {
        let pace = pace(20_000, 100);
        assert!(!pace.allows());
        pass(20);
        assert!(pace.allows());
    }

    #[test]
    fn a_share_of_the_time_is_spent() {
        let pace = pace(0, 50);
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
    fn without_bounds_all_is_allowed() {
        let pace = pace(0, 100);
        pace.begin();
        pass(1);
        pace.end();
        assert!(pace.allows() && pace.spent.get().is_zero());
    }
}
