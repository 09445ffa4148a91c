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
//! frame counts whoever runs it, in the processor's time. While traces are added they are not what they will be, and
//! making them takes time: the measurement begins anew.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use scaly_interp::program::LoopId;
use scaly_runtime::os::thread_time;

use super::standing::{Here, Progress, Standing};
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

struct Measurement {
    /// Nothing can be measured from much later on.
    first: Duration,
    begun: Duration,
    before: Vec<Standing>,
    /// Traces that had been made.
    traces: u32,
}

impl Measurement {
    fn begin(here: Here) -> Measurement {
        let now = thread_time();
        Measurement { first: now, begun: now, before: here.standings(), traces: here.traces }
    }

    /// Whether a loop is around another one.
    fn is_around(&self, id: LoopId, other: Option<LoopId>) -> bool {
        let place = |id| self.before.iter().position(|standing| Some(standing.id) == id);
        place(Some(id)) > place(other)
    }

    fn anew(&mut self, now: Duration, before: Vec<Standing>, traces: u32) {
        (self.begun, self.before, self.traces) = (now, before, traces);
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
    pub fn turn(&self, here: Here) -> Turn {
        let turn = self.look(here);
        self.native.set(matches!(turn, Turn::Native | Turn::ToNative));
        turn
    }

    fn look(&self, here: Here) -> Turn {
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
                self.begin(mode, here, None);
                Turn::Native
            }
            Mode::Resting { until } if Instant::now() < *until => Turn::Interpreter,
            Mode::Resting { .. } => {
                self.begin(mode, here, None);
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
                let standings = here.standings();
                let progress = if now.traces == here.traces {
                    Progress::between(&now.before, &standings)
                } else {
                    Progress::Ended
                };
                match progress {
                    Progress::Took(id, trips) if self.about.get().is_none_or(|about| about == id) && trips >= least => {
                        self.measured(mode, here, id, trips as f64 / took.as_secs_f64())
                    }
                    // The loop that was measured comes to its end too soon: one around it tells.
                    Progress::Took(id, trips) if trips >= least && now.is_around(id, self.about.get()) => {
                        self.begin(mode, here, Some(id));
                        Turn::ToNative
                    }
                    // Nothing tells how far the program has come: traces go on, and nobody asks for a long time.
                    _ if late => self.native_wins(mode),
                    Progress::Ended => {
                        now.anew(time, standings, here.traces);
                        stay
                    }
                    _ => stay,
                }
            }
        }
    }

    /// Measures both, about this loop if one is named.
    fn begin(&self, mode: &mut Mode, here: Here, about: Option<LoopId>) {
        self.measured.set(0);
        self.about.set(about);
        self.quotients.set(1.0);
        self.next(mode, here);
    }

    fn next(&self, mode: &mut Mode, here: Here) {
        let native = self.measured.get().is_multiple_of(2);
        *mode = Mode::Measuring { native, now: Measurement::begin(here) };
    }

    /// One measurement is done: trips a second of this loop.
    fn measured(&self, mode: &mut Mode, here: Here, id: LoopId, rate: f64) -> Turn {
        self.about.set(Some(id));
        let native = self.measured.get().is_multiple_of(2);
        self.measured.set(self.measured.get() + 1);
        if native {
            self.rate.set(rate);
        } else {
            self.quotients.set(self.quotients.get() * rate / self.rate.get());
        }
        if self.measured.get() < 2 * ROUNDS {
            self.next(mode, here);
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
