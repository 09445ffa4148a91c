//! How much of a run's time may go into recording and compiling.
//!
//! Whether a trace pays is not known before it has run, but a program that ends soon must not have spent more on traces
//! than they gained. So recording and compiling may take a share of the time that the program is known to take without
//! them:
//!
//! - what has passed, and what the loops that it is in have left ([`Foresight`]): a loop that is known to take a tenth of a
//!   second is recorded within a millisecond;
//! - of what loops without calls have left a quarter: few traces are all that they need, and gain several times as much.
//!   Without it programs of 50 ms take 1.04 times as long, one of several loops of 10 ms 1.6 times;
//! - of long stretches of native code half, for they have proven themselves. Without it programs of 50 ms take 1.03 times
//!   as long, word count 1.3 times.
//!
//! What is hot waits until it is due, and the hottest asks most often. It is the processor's time that counts, so that
//! neighbours on a busy machine change nothing.
//!
//! Rejected: a share that grows with the time. Trees wait for their side traces then, and a tree that is left and entered
//! again and again is slower than the interpreter. Rejected as well: a third of all the time from the second millisecond
//! on. Runs of 10 ms that go many ways took up to 1.7 times as long.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use scaly_runtime::os::thread_time;

use super::foresight::{Foresight, Known};
use super::standing::Standing;
use crate::parameters::Parameters;

/// What the first trace and another one cost, as reckoned before: recorded and compiled, by `--stats`. The first one comes
/// with the code memory and timers, and with code of the compiler that is not in memory yet: some 700 us in all. With 400
/// programs of 6 to 14 ms take up to 1.3 times as long as interpreted and those of bench/parameters.py 1.03 times, with
/// 700 1.2 times and the same, with 1500 these take 1.04 times.
const FIRST: Duration = Duration::from_micros(1000);
const NEXT: Duration = Duration::from_micros(100);
/// From one look at the loops to the next; it takes a microsecond or two.
const LOOK: Duration = Duration::from_micros(100);
/// A stretch of native code is long from this on: it costs little to enter and to leave. From 100 ns to 2 us the programs of
/// bench/parameters.py take the same, with 10 us one takes 1.3 times as long.
const LONG: Duration = Duration::from_nanos(500);
/// Of runs of trees that grow, and of those that do not any more, every so many is timed: that takes as long as to enter
/// native code.
const OFTEN: u32 = 3;
const RARELY: u32 = 17;

/// What multiplies the threshold of what waits: asking takes as long as the back edges of a short loop. Who asks before
/// the last answer has expired is in one. XXX
const WAITING: u32 = 4;
const SHORT_AND_WAITING: u32 = 16;

#[derive(Debug)]
pub struct Pace {
    warmup: Duration,
    /// Percent.
    effort: u32,
    start: Cell<Option<Duration>>,
    spent: Cell<Duration>,
    /// Traces for which it was spent, failed ones too.
    recorded: Cell<u32>,
    /// Recording or compiling since then.
    since: Cell<Option<Duration>>,
    /// The last answer, and how long it holds.
    answer: Cell<Option<(bool, Instant)>>,
    /// Whether it was given again.
    again: Cell<bool>,
    foresight: RefCell<Foresight>,
    runs: Cell<u32>,
    /// Calls of the interpreter by native code.
    interpreted: Cell<u32>,
    /// In long stretches of native code.
    native: Cell<Duration>,
}

impl Pace {
    pub fn new(parameters: &Parameters) -> Pace {
        Pace {
            warmup: Duration::from_micros(u64::from(parameters.warmup)),
            effort: parameters.effort,
            start: Cell::default(),
            spent: Cell::default(),
            recorded: Cell::new(0),
            since: Cell::default(),
            answer: Cell::default(),
            again: Cell::default(),
            foresight: RefCell::new(Foresight::new(parameters.foresight)),
            runs: Cell::new(0),
            interpreted: Cell::new(0),
            native: Cell::default(),
        }
    }

    /// Without bounds the time is never read.
    fn unbounded(&self) -> bool {
        self.warmup.is_zero() && self.effort >= 100
    }

    /// A run began at this processor time.
    pub fn start(&self, at: Duration) {
        if !self.unbounded() {
            self.start.set(Some(at));
        }
    }

    /// Whether something may be recorded now. `standings`: the loops that the program is in.
    pub fn allows(&self, standings: impl FnOnce() -> Vec<Standing>) -> bool {
        let Some(start) = self.start.get() else { return true };
        // To ask for a thread's time is a call of the system, a hundred times in the first moments of some programs. It
        // passes no faster than the time of day.
        let now = Instant::now();
        if let Some((answer, until)) = self.answer.get()
            && now < until
        {
            self.again.set(true);
            return answer;
        }
        self.again.set(false);
        let run = thread_time().saturating_sub(start);
        if run < self.warmup {
            self.answer.set(Some((false, now + (self.warmup - run))));
            return false;
        }
        let known = self.foresight.borrow_mut().look(run.saturating_sub(self.spent.get()), standings());
        let due = self.spent.get() + if self.recorded.get() == 0 { FIRST } else { NEXT };
        let allowed = self.budget(known, run) >= due;
        self.answer.set(Some((allowed, now + LOOK)));
        allowed
    }

    /// What multiplies the threshold of what was not allowed.
    pub fn patience(&self) -> u32 {
        if self.again.get() { SHORT_AND_WAITING } else { WAITING }
    }

    /// What may be spent in all, in a run that has taken so long.
    fn budget(&self, known: Known, run: Duration) -> Duration {
        known.all.max(run) * self.effort / 100 + known.plain / 4 + self.native.get() / 2
    }

    /// Whether something was.
    pub fn has_recorded(&self) -> bool {
        self.start.get().is_none() || self.recorded.get() > 0
    }

    /// Whether nothing but a first trace was.
    pub fn is_at_first(&self) -> bool {
        self.start.get().is_some() && self.recorded.get() == 1
    }

    /// What was spent so far.
    pub fn spent(&self) -> Duration {
        self.spent.get()
    }

    /// Work for traces begins.
    pub fn begin(&self) {
        self.since.set(self.start.get().map(|_| thread_time()));
    }

    /// Its trace has been made, or given up.
    pub fn end(&self) {
        self.recorded.set(self.recorded.get() + 1);
        self.answer.set(None);
        self.pause();
    }

    /// Something else is done.
    pub fn pause(&self) {
        if let Some(since) = self.since.take() {
            self.spent.set(self.spent.get() + thread_time().saturating_sub(since));
        }
    }

    /// Runs what is no work of the compiler, within a recording.
    pub fn apart<T>(&self, run: impl FnOnce() -> T) -> T {
        let recording = self.since.get().is_some();
        self.pause();
        let result = run();
        if recording {
            self.begin();
        }
        result
    }

    /// What measures a run of native code, of some.
    #[inline]
    pub fn measure(&self, grows: bool) -> Option<Stretch> {
        let runs = self.runs.get().wrapping_add(1);
        self.runs.set(runs);
        // Divisions by constants.
        let due = if grows { runs.is_multiple_of(OFTEN) } else { runs.is_multiple_of(RARELY) };
        if due { self.begin_stretch(if grows { OFTEN } else { RARELY }) } else { None }
    }

    #[inline(never)]
    fn begin_stretch(&self, times: u32) -> Option<Stretch> {
        self.start.get()?;
        Some(Stretch { began: Instant::now(), spent: self.spent.get(), interpreted: self.interpreted.get(), times })
    }

    /// Native code has called the interpreter.
    pub fn interprets(&self) {
        self.interpreted.set(self.interpreted.get().wrapping_add(1));
    }

    /// Whether a run of native code was long. `outermost`: none runs it.
    pub fn was_long(&self, Stretch { began, spent, interpreted, times }: Stretch, outermost: bool) -> bool {
        // What it calls may be recorded.
        let took = began.elapsed().saturating_sub(self.spent.get() - spent);
        if took < LONG {
            return false;
        }
        if outermost && interpreted == self.interpreted.get() {
            self.native.set(self.native.get() + took * times);
        }
        true
    }
}

/// A run of native code.
pub struct Stretch {
    began: Instant,
    spent: Duration,
    interpreted: u32,
    /// Runs that it stands for.
    times: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(warmup: u32, effort: u32) -> Pace {
        let pace = Pace::new(&Parameters { warmup, effort, ..Parameters::default() });
        pace.start(thread_time());
        pace
    }

    fn pass(milliseconds: u64) {
        let end = thread_time() + Duration::from_millis(milliseconds);
        while thread_time() < end {}
    }

    /// Whether it allows something where the program is in no loop.
    fn allows(pace: &Pace) -> bool {
        pace.allows(Vec::new)
    }

    #[test]
    fn nothing_is_recorded_in_the_first_moments() {
        let pace = pace(20_000, 100);
        assert!(!allows(&pace));
        pass(20);
        assert!(allows(&pace));
    }

    #[test]
    fn a_share_of_the_time_is_spent() {
        let pace = pace(0, 25);
        pass(5);
        assert!(allows(&pace));
        pace.begin();
        pass(40);
        // The program itself.
        pace.apart(|| pass(5));
        pace.end();
        assert!(!allows(&pace));
        // A quarter of twice the time that it took for itself, which is 5 ms more than this.
        pass(80);
        assert!(allows(&pace));
    }

    #[test]
    fn loops_without_calls_may_cost_a_quarter_of_what_they_take() {
        let ms = Duration::from_millis;
        let known = Known { all: ms(100), plain: ms(8) };
        assert_eq!(pace(0, 10).budget(known, ms(1)), ms(10 + 2));
        assert_eq!(pace(0, 10).budget(known, ms(200)), ms(20 + 2), "it has taken longer than was known");
    }

    #[test]
    fn long_stretches_of_native_code_earn_more() {
        let pace = pace(0, 1);
        let run = |pass: fn()| {
            let stretch = (0..OFTEN).find_map(|_| pace.measure(true)).expect("one of them is timed");
            pass();
            pace.was_long(stretch, true)
        };
        pace.begin();
        pass(5);
        pace.end();
        assert!(!run(|| {}) && !allows(&pace));
        pace.answer.set(None);
        assert!(run(|| pass(4)) && allows(&pace), "each stands for {OFTEN}");
    }

    #[test]
    fn without_bounds_all_is_allowed() {
        let pace = pace(0, 100);
        pace.begin();
        pass(1);
        pace.end();
        assert!(allows(&pace) && pace.spent.get().is_zero());
    }
}
