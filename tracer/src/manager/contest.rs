//! Whether traces beat the interpreter where they are entered and left all the time.
//!
//! ```text
//!              short stretches for a while           both were measured twice
//!   Watching ─────────────────────────────> Measuring ───────────────────────> Resting: the interpreter runs all
//!      ^                                       │ traces are faster                 │ the time is over
//!      └───────────────────────────────────────┘ <───────── Measuring <────────────┘
//! ```
//!
//! To enter and leave native code costs as much as the interpreter needs for some ten instructions, and a trace that has as
//! many side traces as it may, one for each of hundreds of functions that a place calls, looks through all of them in vain.
//! No count tells what a stretch was good for. So both are measured: by the iterations that a `for` around takes, which its
//! frame counts whoever runs it, in the processor's time.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use scaly_interp::program::{LoopId, Program};
use scaly_interp::tier::{self, Position};
use scaly_runtime::os::thread_time;

use crate::parameters::Parameters;

/// What is to be done where native code would be entered.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Turn {
    /// Enter it.
    Native,
    /// Leave it alone, and ask again after a while.
    Interpreter,
    /// From now on enter all, or leave all alone.
    ToNative,
    ToInterpreter,
    /// The same for so long, as this loop comes round so many times as often without.
    Rest(LoopId, Duration, f64),
}

/// Entries between looks at the clock.
const PASSES: u32 = 256;
/// Back edges or calls between questions where native code is left alone.
pub const QUESTION: u32 = 1000;
/// From an entry to the next one: longer stretches are worth it.
const SHORT: Duration = Duration::from_micros(2);
/// A measurement takes so long, and so many iterations; or twenty times as long, and one.
const LEAST: Duration = Duration::from_millis(1);
const TRIPS: u64 = 8;
const LONGEST: Duration = Duration::from_millis(20);
/// How often both are measured.
const ROUNDS: u32 = 2;
/// The interpreter must be so many times as fast.
const FASTER: f64 = 1.2;
/// The first rest, by the time after which both are measured; the longest one; and the factor from one to the next.
const FIRST_REST: u32 = 5;
const LONGEST_REST: Duration = Duration::from_secs(10);
const GROWTH: u32 = 4;

/// A `for` in a frame, and the trips that it has left.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Standing {
    frame: usize,
    id: LoopId,
    left: u64,
}

/// The `for`s that the program is in, the innermost first.
fn standings(program: &Program, at: Position) -> Vec<Standing> {
    let mut found = Vec::new();
    for (at, pc) in tier::activations(at) {
        let mut here: Vec<_> =
            program.loops.iter().enumerate().filter(|(_, scope)| scope.code.contains(&pc.0)).collect();
        here.sort_by_key(|(_, scope)| scope.code.len());
        found.extend(here.into_iter().filter_map(|(id, _)| {
            let id = LoopId(id as u32);
            Some(Standing { frame: at.base() as usize, id, left: tier::trips_left(program, id, at)? })
        }));
    }
    found
}

/// What came of the `for`s that the program was in.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Progress {
    /// None has come round.
    Still,
    /// The outermost that has, and its trips: those inside of it may have begun anew.
    Took(LoopId, u64),
    /// One of them has ended.
    Ended,
}

fn progress(before: &[Standing], now: &[Standing]) -> Progress {
    for old in before.iter().rev() {
        match now.iter().find(|new| (new.frame, new.id) == (old.frame, old.id)) {
            Some(new) if new.left == old.left => {}
            Some(new) if new.left < old.left => return Progress::Took(old.id, old.left - new.left),
            _ => return Progress::Ended,
        }
    }
    Progress::Still
}

struct Measurement {
    /// Nothing can be measured from much later on.
    first: Duration,
    begun: Duration,
    before: Vec<Standing>,
}

impl Measurement {
    fn begin(program: &Program, at: Position) -> Measurement {
        let now = thread_time();
        Measurement { first: now, begun: now, before: standings(program, at) }
    }

    /// Whether a loop is around another one.
    fn is_around(&self, id: LoopId, other: Option<LoopId>) -> bool {
        let place = |id| self.before.iter().position(|standing| Some(standing.id) == id);
        place(Some(id)) > place(other)
    }

    fn anew(&mut self, now: Duration, before: Vec<Standing>) {
        (self.begun, self.before) = (now, before);
    }
}

enum Mode {
    Watching,
    /// `native`: traces run, else the interpreter.
    Measuring {
        native: bool,
        now: Measurement,
    },
    Resting {
        until: Instant,
    },
}

pub struct Contest {
    /// Microseconds of short stretches until both are measured; 0: never.
    bouncing: u32,
    mode: RefCell<Mode>,
    native: Cell<bool>,
    passes: Cell<u32>,
    looked: Cell<Option<Instant>>,
    /// Time in which stretches were short; and how much of that is needed.
    short: Cell<Duration>,
    needed: Cell<Duration>,
    /// Of the measurements so far: how many, the loop that they are about, and its trips a second by traces.
    measured: Cell<u32>,
    about: Cell<Option<LoopId>>,
    rate: Cell<f64>,
    /// The product of the quotients of both.
    quotients: Cell<f64>,
    rest: Cell<Duration>,
}

impl Contest {
    pub fn new(parameters: &Parameters) -> Contest {
        let needed = Duration::from_micros(parameters.bouncing.into());
        Contest {
            bouncing: parameters.bouncing,
            mode: RefCell::new(Mode::Watching),
            native: Cell::new(true),
            passes: Cell::new(0),
            looked: Cell::new(None),
            short: Cell::default(),
            needed: Cell::new(needed),
            measured: Cell::new(0),
            about: Cell::new(None),
            rate: Cell::new(0.0),
            quotients: Cell::new(1.0),
            rest: Cell::new(needed * FIRST_REST),
        }
    }

    /// Whether [`Contest::turn`] is to be asked where something hot is met, which may have traces.
    #[inline]
    pub fn is_due(&self, has_tree: bool) -> bool {
        if !self.native.get() {
            return true;
        }
        if !has_tree || self.bouncing == 0 {
            return false;
        }
        self.passes.set(self.passes.get().wrapping_add(1));
        self.passes.get().is_multiple_of(PASSES)
    }

    #[cold]
    pub fn turn(&self, program: &Program, at: Position) -> Turn {
        let turn = self.look(program, at);
        self.native.set(matches!(turn, Turn::Native | Turn::ToNative));
        turn
    }

    fn look(&self, program: &Program, at: Position) -> Turn {
        let mode = &mut *self.mode.borrow_mut();
        match mode {
            Mode::Watching => {
                let now = Instant::now();
                let took = self.looked.replace(Some(now)).map_or(Duration::MAX, |then| now - then);
                if took > SHORT * PASSES {
                    self.short.set(self.short.get() / 2);
                    return Turn::Native;
                }
                self.short.set(self.short.get() + took);
                if self.short.get() < self.needed.get() {
                    return Turn::Native;
                }
                self.begin(mode, program, at, None);
                Turn::Native
            }
            Mode::Resting { until } if Instant::now() < *until => Turn::Interpreter,
            Mode::Resting { .. } => {
                self.begin(mode, program, at, None);
                Turn::ToNative
            }
            Mode::Measuring { native, now } => {
                let (time, stay) = (thread_time(), if *native { Turn::Native } else { Turn::Interpreter });
                let took = time.saturating_sub(now.begun);
                if took < LEAST {
                    return stay;
                }
                let late = time.saturating_sub(now.first) >= LONGEST;
                let least = if late { 1 } else { TRIPS };
                let standings = standings(program, at);
                match progress(&now.before, &standings) {
                    Progress::Took(id, trips) if self.about.get().is_none_or(|about| about == id) && trips >= least => {
                        self.measured(mode, program, at, id, trips as f64 / took.as_secs_f64())
                    }
                    // The loop that was measured comes to its end too soon: one around it tells.
                    Progress::Took(id, trips) if trips >= least && now.is_around(id, self.about.get()) => {
                        self.begin(mode, program, at, Some(id));
                        Turn::ToNative
                    }
                    // Nothing tells how far the program has come: traces go on, and nobody asks for a long time.
                    _ if late => self.native_wins(mode),
                    Progress::Ended => {
                        now.anew(time, standings);
                        stay
                    }
                    _ => stay,
                }
            }
        }
    }

    /// Measures both, about this loop if one is named.
    fn begin(&self, mode: &mut Mode, program: &Program, at: Position, about: Option<LoopId>) {
        self.measured.set(0);
        self.about.set(about);
        self.quotients.set(1.0);
        self.next(mode, program, at);
    }

    fn next(&self, mode: &mut Mode, program: &Program, at: Position) {
        let native = self.measured.get().is_multiple_of(2);
        *mode = Mode::Measuring { native, now: Measurement::begin(program, at) };
    }

    /// One measurement is done: trips a second of this loop.
    fn measured(&self, mode: &mut Mode, program: &Program, at: Position, id: LoopId, rate: f64) -> Turn {
        self.about.set(Some(id));
        let native = self.measured.get().is_multiple_of(2);
        self.measured.set(self.measured.get() + 1);
        if native {
            self.rate.set(rate);
        } else {
            self.quotients.set(self.quotients.get() * rate / self.rate.get());
        }
        if self.measured.get() < 2 * ROUNDS {
            self.next(mode, program, at);
            return if native { Turn::ToInterpreter } else { Turn::ToNative };
        }
        let times = self.quotients.get().powf(1.0 / f64::from(ROUNDS));
        if times < FASTER {
            return self.native_wins(mode);
        }
        let rest = self.rest.get();
        self.rest.set((rest * GROWTH).min(LONGEST_REST));
        *mode = Mode::Resting { until: Instant::now() + rest };
        Turn::Rest(id, rest, times)
    }

    fn native_wins(&self, mode: &mut Mode) -> Turn {
        *mode = Mode::Watching;
        self.short.set(Duration::ZERO);
        self.looked.set(None);
        self.needed.set(self.needed.get() * GROWTH);
        self.rest.set(Duration::from_micros(self.bouncing.into()) * FIRST_REST);
        Turn::ToNative
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(frame: usize, id: u32, left: u64) -> Standing {
        Standing { frame, id: LoopId(id), left }
    }

    #[test]
    fn the_outermost_loop_that_came_round_tells() {
        let before = [standing(9, 2, 5), standing(8, 1, 100), standing(8, 0, 1000)];
        let progress = |now: &[Standing]| progress(&before, now);
        // What is inside of it may run anew.
        assert_eq!(
            progress(&[standing(9, 2, 4), standing(8, 1, 95), standing(8, 0, 1000)]),
            Progress::Took(LoopId(1), 5)
        );
        assert_eq!(
            progress(&[standing(9, 2, 3), standing(8, 1, 100), standing(8, 0, 1000)]),
            Progress::Took(LoopId(2), 2)
        );
        assert_eq!(progress(&before), Progress::Still);
        assert_eq!(progress(&[standing(8, 1, 200), standing(8, 0, 1000)]), Progress::Ended);
        // Its frame has gone.
        assert_eq!(progress(&[standing(7, 0, 900)]), Progress::Ended);
    }
}
