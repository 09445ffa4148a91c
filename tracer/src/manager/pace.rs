//! How much of a run's time may go into recording and compiling.
//!
//! Whether a trace pays is not known before it has run, but a program that ends soon must not have spent more on traces
//! than they gained. So recording and compiling may take a share of the time that the program is known to take without
//! them:
//!
//! - what has passed, and what the loops that it is in have left ([`Foresight`]): a loop that is known to take a tenth of a
//!   second is recorded within a millisecond;
//! - of what a loop has left a quarter, where that pays for all the traces that it may need, by its size ([`Sizes`]). Once
//!   it has been granted it stays: a nest with half of its traces may be slower than the interpreter. Without it runs of 5
//!   and 10 ms take 1.1 and 1.3 times as long (`bench/short.py`);
//! - of long stretches of native code half, for they have proven themselves. Without it programs of 50 ms take 1.03 times
//!   as long, word count 1.3 times.
//!
//! [`Sizes`]: super::sizes::Sizes
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

use super::foresight::{Foresight, Known, Nest};
use super::standing::Standing;
use crate::parameters::Parameters;

/// What the first trace and another one cost where nothing tells how many there will be. With 500 for the first one, and
/// `effort=14`, runs of 5 ms take up to 1.16 times as long as interpreted (`bench/short.py`, `bench/traces.py --user`).
const FIRST: Duration = Duration::from_micros(1000);
const NEXT: Duration = Duration::from_micros(100);
/// What it costs that there are traces at all: code memory, timers, code of the compiler that is not in memory yet. The
/// first trace of a short loop adds 160 us of processor time to a run in all, another one 20. With 200 short runs take the
/// same in the mean, and up to 1.13 times as long as interpreted instead of 1.07 (`bench/traces.py --user`).
const START: Duration = Duration::from_micros(300);
/// What the traces of a loop cost, by the instructions of it and of all that it calls: recorded and compiled 1.5 us each, and
/// as much again for side traces and what fails. The more there are, the more ways lead through them, and each ends in copies
/// of what follows: with so many it is twice as much. Short runs take the same with half the first in the mean, and up to
/// 1.14 times as long as interpreted instead of 1.10; the same with half the second.
const INSTRUCTION: Duration = Duration::from_nanos(3000);
const MANY: u32 = 128;
/// What a loop that pays for its traces may spend on them of what it has left, one part of so many. With 3 and 5 short runs
/// take the same.
const GRANTED: u32 = 4;
/// The most that native code gains at an instruction that runs once in an iteration: routines take as long as before.
const GAIN: Duration = Duration::from_nanos(2);
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
/// the last answer has expired is in one, and who asks so soon again is in a shorter one yet; with 4 for all runs of 2 to 9
/// ms of such loops take 1.02 times as long.
const WAITING: u32 = 4;
const WAITING_AGAIN: u32 = 16;
const WAITING_SOON: u32 = 64;
const SOON: Duration = Duration::from_micros(5);

impl Nest {
    /// What all its traces cost, about.
    fn cost(&self) -> Duration {
        let instructions = self.size.instructions;
        INSTRUCTION * (instructions + instructions * instructions / MANY)
    }

    /// What they may cost.
    fn grant(&self) -> Duration {
        let gained = || GAIN.checked_mul(self.size.instructions)?.checked_mul(u32::try_from(self.trips).ok()?);
        let most = if self.size.flat { gained() } else { None };
        self.takes.min(most.unwrap_or(Duration::MAX)) / GRANTED
    }
}

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
    /// When it was given, the first time or again, and what it is to who waits.
    asked: Cell<Option<Instant>>,
    patience: Cell<u32>,
    /// To a loop whose size is known.
    granted: Cell<Duration>,
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
            asked: Cell::default(),
            patience: Cell::new(WAITING),
            granted: Cell::default(),
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
            let soon = self.asked.replace(Some(now)).is_some_and(|before| now - before < SOON);
            self.patience.set(if soon { WAITING_SOON } else { WAITING_AGAIN });
            return answer;
        }
        self.asked.set(Some(now));
        self.patience.set(WAITING);
        let run = thread_time().saturating_sub(start);
        if run < self.warmup {
            self.answer.set(Some((false, now + (self.warmup - run))));
            return false;
        }
        let known = self.foresight.borrow_mut().look(run.saturating_sub(self.spent.get()), standings());
        let allowed = self.affords(known, run);
        self.answer.set(Some((allowed, now + LOOK)));
        allowed
    }

    /// What multiplies the threshold of what was not allowed.
    pub fn patience(&self) -> u32 {
        self.patience.get()
    }

    /// Whether one more trace may be made in a run that has taken so long.
    fn affords(&self, known: Known, run: Duration) -> bool {
        let (spent, first) = (self.spent.get(), self.recorded.get() == 0);
        let share = known.all.max(run) * self.effort / 100 + self.native.get() / 2;
        if let Some(nest) = &known.nest {
            let start = if first { START } else { Duration::ZERO };
            if nest.grant() >= start + nest.cost() {
                self.granted.set(self.granted.get().max(nest.grant()));
            }
        }
        let granted = self.granted.get();
        let next = if first { Duration::ZERO } else { NEXT };
        share >= spent + if first { FIRST } else { NEXT } || !granted.is_zero() && share + granted >= spent + next
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
    use super::super::sizes::Size;
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

    /// In a loop of so many instructions, that are run once or more often, with so many milliseconds and trips left.
    fn nest(instructions: u32, flat: bool, ms: u64, trips: u64) -> Option<Nest> {
        Some(Nest { size: Size { instructions, flat }, trips, takes: Duration::from_millis(ms) })
    }

    #[test]
    fn a_loop_pays_for_its_traces_by_its_size() {
        let ms = Duration::from_millis;
        let affords = |nest| pace(0, 1).affords(Known { all: ms(1), nest }, ms(1));
        assert!(!affords(None));
        // 300 and 70 us are a quarter of less than two milliseconds.
        assert!(affords(nest(20, false, 2, 100)) && !affords(nest(20, false, 1, 100)));
        assert!(!affords(nest(200, false, 2, 100)) && affords(nest(200, false, 8, 100)));
        // Its time is that of routines.
        assert!(!affords(nest(20, true, 1000, 100)) && affords(nest(20, true, 1000, 100_000)));
        assert!(affords(nest(20, true, 2, u64::MAX)));
    }

    #[test]
    fn what_was_granted_stays() {
        let pace = pace(0, 1);
        let ms = Duration::from_millis;
        assert!(pace.affords(Known { all: ms(1), nest: nest(20, false, 8, 1000) }, ms(1)));
        pace.begin();
        pass(1);
        pace.end();
        let later = Known { all: ms(3), nest: nest(20, false, 1, 100) };
        assert!(pace.affords(later, ms(3)));
        pace.begin();
        pass(1);
        pace.end();
        assert!(!pace.affords(later, ms(4)), "it is spent");
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
        // Another thread may come between.
        assert!((0..100).any(|_| !run(|| {})) && !allows(&pace));
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
