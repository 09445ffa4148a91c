//! The tier above native traces: loops that take the program's time are compiled whole, beside the program, and the
//! running loop goes on in what was compiled.
//!
//! ```text
//!             samples             walked, judged           chosen            compiled
//!   Counting ─────────> Analyzing ──────────────> Walked ──────────> Building ──────────> Ready: each pass of its
//!                           │ open                                       │ refused               header enters it
//!                           └──────────────────> Refused <───────────────┘
//! ```
//!
//! Every two milliseconds (`sample`) native code is asked to leave at its next poll ([`samples`]). Where it was then is a
//! sample: of the innermost loop and of all that it runs in, through calls. Of these loops, those that come round in so short a time
//! are candidates; an outer one that takes seconds for one iteration could not be entered. The outermost independent one
//! is compiled, or else the outermost.
//!
//! A loop is walked when it will take as long as the cheapest compilation must repay: most runs end before. A sample costs
//! some 50 µs: the timer, its signal, and the way out of native code and back. So where samples find nothing to decide the
//! next one comes after a share of the time that has passed, and each counts for the time since the one before. That is
//! processor time: beside busy neighbours everything seems to take several times as long, and short runs would be
//! compiled. What other threads have found out or compiled is not waited for until then: they ring ([`samples::Bell`]).

mod analysis;
mod chain;
mod choose;
mod enter;
pub mod fork;
mod functions;
mod gain;
pub mod parallel;
mod samples;
mod stages;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use scaly_interp::interpreter::State;
use scaly_interp::program::{FunctionId, LoopId, Pc, Program};
use scaly_interp::tier::{self, Goes, NativeCall, Position, Tier};
use scaly_runtime::os::thread_time;
use scaly_runtime::pool::Pool;
use scaly_tracer::backend::{Backend, code};
use scaly_tracer::log::{Event, Log, Start, Statistics, Variant};
use scaly_tracer::manager::{Above, Tracing};
use scaly_tracer::parameters::Parameters;
use scaly_tracer::recorder::Place;

use crate::compiler::Compiler;
use crate::lower::Addresses;
use crate::native::Native;
use analysis::{Analysis, Why};
use chain::{Running, chain, recursive};
use fork::Stacks;
use functions::Functions;
use parallel::Helpers;
use samples::Samples;
use stages::{LoopState, Stage};

/// How loops are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    /// By the time that they take.
    Measured,
    /// All of them, at once, and waited for: for tests.
    Forced,
}

/// Gives the pool, which starts no thread before a loop needs it.
pub type MakePool = Box<dyn Fn() -> &'static Pool>;

/// Settings beside the parameters.
pub struct Options {
    pub choice: Choice,
    /// None: no loop goes parallel.
    pub pool: Option<MakePool>,
    /// A limit was set on the program's data.
    pub limited: bool,
    /// Is told of all code before it is entered.
    pub observer: Option<Observer>,
}

/// Of a loop or a function, whose first instruction this is.
pub type Observer = Box<dyn Fn(Place, Pc, &Native)>;

pub struct Scaling<B: Backend + 'static> {
    traces: Samples<B>,
    program: Arc<Program>,
    parameters: Parameters,
    options: Options,
    log: Rc<Log>,
    addresses: OnceCell<Arc<Addresses>>,
    compiler: OnceCell<Option<Compiler>>,
    loops: RefCell<Vec<LoopState>>,
    functions: RefCell<Functions>,
    analyses: RefCell<Vec<Receiver<Analysis>>>,
    helpers: Helpers,
    stacks: Stacks,
    samples: Cell<u32>,
    /// Periods of processor time that have passed, and the program's processor time when the last one had.
    periods: Cell<u32>,
    passed: Cell<Duration>,
    /// Time in loops compiled whole since the last sample.
    apart: Cell<Duration>,
    /// Periods from one sample to the next.
    rare: Cell<u32>,
}

impl<B: Backend + 'static> Scaling<B> {
    pub fn new(
        tracing: Rc<Tracing<B>>,
        program: Arc<Program>,
        log: Rc<Log>,
        parameters: Parameters,
        options: Options,
    ) -> Rc<Scaling<B>> {
        let loops = (0..program.loops.len()).map(|_| LoopState::new()).collect();
        Rc::new_cyclic(|own: &Weak<Scaling<B>>| {
            let above: Weak<dyn Above> = own.clone();
            tracing.tell(above);
            Scaling {
                traces: Samples::of(tracing),
                program,
                parameters,
                options,
                log,
                addresses: OnceCell::new(),
                compiler: OnceCell::new(),
                loops: RefCell::new(loops),
                functions: RefCell::default(),
                analyses: RefCell::default(),
                helpers: Helpers::default(),
                stacks: Stacks::default(),
                samples: Cell::new(0),
                periods: Cell::new(0),
                passed: Cell::default(),
                apart: Cell::default(),
                rare: Cell::new(1),
            }
        })
    }

    /// Sets the counters of a run that begins.
    pub fn begin(&self, state: &mut State) {
        self.tracing().begin(state);
        if self.options.choice == Choice::Forced {
            state.count_always();
            (0..self.program.loops.len() as u32).for_each(|id| state.set_loop_counter(LoopId(id), 2));
            self.functions.borrow_mut().force(&self.program, state);
        }
    }

    /// Puts what is counted here into statistics.
    pub fn count_into(&self, statistics: &mut Statistics) {
        let loops = self.loops.borrow();
        let all = || loops.iter().enumerate().map(|(id, slot)| (LoopId(id as u32), slot));
        statistics.runs = all().filter(|(_, slot)| slot.runs.entries > 0).map(|(id, slot)| (id, slot.runs)).collect();
        let sampled = all().filter(|(_, slot)| slot.innermost > 0);
        statistics.samples = sampled.map(|(id, slot)| (id, slot.innermost)).collect();
    }

    pub fn tracing(&self) -> &Rc<Tracing<B>> {
        self.traces.tracing()
    }

    /// Samples are taken from when traces are made.
    fn watch(&self, of: Place) {
        if self.traces.tried() || self.options.choice == Choice::Forced || !self.tracing().has_recorded() {
            return;
        }
        self.passed.set(thread_time());
        if !self.traces.start(self.period()) {
            let text = "the system gives no timer that tells what takes time; all loops and functions stay as they are";
            self.refuse(of, Variant::Sequential, &Why::new(text, self.first(of)));
        }
    }

    /// From one sample to the next, where there is something to decide.
    fn period(&self) -> Duration {
        Duration::from_micros(self.parameters.sample.into())
    }

    /// Periods of processor time since they were last counted.
    fn count_periods(&self, now: Duration) -> u32 {
        let (before, period) = (self.passed.get(), self.period());
        let periods = now.saturating_sub(before).as_nanos() / period.as_nanos();
        let periods = u32::try_from(periods).unwrap_or(u32::MAX);
        self.passed.set(before + period * periods);
        self.periods.set(self.periods.get().saturating_add(periods));
        periods
    }

    fn header(&self, id: LoopId) -> Pc {
        self.first(Place::Loop(id))
    }

    /// The first instruction.
    fn first(&self, of: Place) -> Pc {
        match of {
            Place::Loop(id) => Pc(self.program.loops[id.0 as usize].code.start),
            Place::Function(id) => Pc(self.program.function(id).code.start),
        }
    }

    fn compiler(&self) -> Option<&Compiler> {
        let start = || {
            let bell = self.traces.bell();
            Compiler::telling(move || bell.ring()).ok()
        };
        self.compiler.get_or_init(start).as_ref()
    }

    fn refuse(&self, of: Place, what: Variant, why: &Why) {
        let (start, reason, help) = (start(of), why.text.as_str(), why.help.as_deref());
        self.log.event(|| Event::Refused { start, what, reason, help, at: why.at });
    }

    fn addresses(&self, state: &State) -> Arc<Addresses> {
        self.addresses.get_or_init(|| Arc::new(Addresses::of(state))).clone()
    }
}

fn start(of: Place) -> Start {
    match of {
        Place::Loop(id) => Start::Loop(id),
        Place::Function(id) => Start::Function(id),
    }
}

impl<B: Backend + 'static> Above for Scaling<B> {
    fn sampled(&self, state: &mut State, at: Position) {
        let rung = self.traces.rung();
        self.take_analyses();
        let (now, last) = (thread_time(), self.samples.get());
        // It may be none: then another thread has rung, and no sample is due.
        let periods = self.count_periods(now);
        let due = periods > 0;
        if !due && !rung {
            return self.traces.taken();
        }
        self.samples.set(last + u32::from(due));
        let Parameters { sample, sample_depth: depth, few_samples, undecided, .. } = self.parameters;
        let chain = chain(self.tracing().loops(), &self.program, at, depth);
        if let (true, Some(innermost)) = (due, chain.first()) {
            let apart = self.apart.take().as_micros() as u64 / u64::from(sample.max(1));
            self.loops.borrow_mut()[innermost.id.0 as usize].innermost += u64::from(periods).saturating_sub(apart);
            if let Some(now) = self.log.now() {
                now.sampled(innermost.id);
            }
        }
        let (mut news, mut around, mut again) = (false, false, u64::MAX);
        // Trips do not take what is spent on traces.
        let own = now.saturating_sub(self.tracing().spent());
        let mut outer = None;
        for &Running { id, at, below, recurs } in chain.iter().rev() {
            self.settle(Place::Loop(id));
            let mut loops = self.loops.borrow_mut();
            let slot = &mut loops[id.0 as usize];
            slot.recurs |= recurs;
            slot.around = outer.replace(id);
            if due {
                slot.samples += 1;
                slot.periods += u64::from(periods);
                news |= match slot.stage {
                    Stage::Refused | Stage::Ready(_) => false,
                    Stage::Analyzing | Stage::Building(_) => true,
                    Stage::Counting | Stage::Walked(_) => slot.samples < undecided,
                };
                around |= match tier::trips_left(&self.program, id, at) {
                    // What its frame says is of when native code was entered.
                    Some(_) if below && self.tracing().has_tree(id) => false,
                    Some(trips) => slot.sampled(own, trips, around, few_samples),
                    None => slot.passed >= last,
                };
            }
            // Its next pass comes here, unless it does by itself; whoever is asked then may set the counter anew.
            let counter = state.loop_counter(id);
            if counter > 1 {
                slot.due = Some(counter);
                state.set_loop_counter(id, 1);
            }
        }
        let several = recursive(&self.program, at, depth);
        let (chosen, later) = self.choose(state, &chain, several);
        again = again.min(later);
        if !chosen && let Some(id) = several {
            let (soon, later) = self.sampled_function(state, id, periods);
            (news, again) = (news || soon, again.min(later));
        }
        if due {
            self.pace(news, again);
        }
        self.traces.taken();
    }
}

impl<B: Backend + 'static> Scaling<B> {
    /// Behind what was compiled: if another thread has rung meanwhile, something around it may be ready, and is entered at
    /// its next pass. Where all is compiled at once nobody waits for that.
    #[inline]
    fn come_out(&self, state: &mut State, goes: Goes) -> Goes {
        if let Goes::On(at) = goes
            && self.traces.has_rung()
            && self.options.choice != Choice::Forced
        {
            self.sampled(state, at);
        }
        goes
    }
}

impl<B: Backend + 'static> Tier for Scaling<B> {
    fn hot_loop(&self, state: &mut State, id: LoopId, at: Position) -> Goes {
        let forced = self.options.choice == Choice::Forced;
        let (due, counting, built) = {
            let mut loops = self.loops.borrow_mut();
            let slot = &mut loops[id.0 as usize];
            slot.passed = self.samples.get();
            let built = matches!(slot.stage, Stage::Building(_) | Stage::Ready(_));
            (slot.due.take(), matches!(slot.stage, Stage::Counting), built)
        };
        if forced && counting {
            self.force(state, Place::Loop(id));
        }
        // Before what is compiled is entered: while that takes all the time nobody else looks.
        if self.tracing().take_poll() {
            self.sampled(state, at);
        }
        if built || forced {
            self.settle(Place::Loop(id));
            if let Some(goes) = self.enter(state, id, at) {
                return self.come_out(state, goes);
            }
        }
        self.watch(Place::Loop(id));
        match due {
            // It is not hot yet, or not again.
            Some(left) if left > 1 => {
                state.set_loop_counter(id, left - 1);
                Goes::On(at)
            }
            _ => self.tracing().hot_loop(state, id, at),
        }
    }

    fn hot_function(&self, state: &mut State, id: FunctionId, at: Position) -> Goes {
        if self.tracing().take_poll() {
            self.sampled(state, at);
        }
        if let Some(goes) = self.enter_function(state, id, at) {
            return self.come_out(state, goes);
        }
        self.watch(Place::Function(id));
        self.tracing().hot_function(state, id, at)
    }

    fn finish_call(&self, state: &mut State, call: NativeCall) -> bool {
        if call.code == code::INTERPRET && self.has_function(call.function) {
            tier::mark_nested(call.frame);
            if let Some(goes) = self.enter_function(state, call.function, call.frame) {
                return tier::run_nested(state, call.frame, goes);
            }
        }
        self.tracing().finish_call(state, call)
    }
}
