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
//! Every two milliseconds native code is asked to leave at its next poll ([`samples`]). Where it was then is a sample: of
//! the innermost loop and of all that it runs in, through calls. Of these loops, those that come round in so short a time
//! are candidates; an outer one that takes seconds for one iteration could not be entered. The outermost independent one
//! is compiled, or else the outermost.
//!
//! A loop is walked when it will take as long as the cheapest compilation must repay: most runs end before. Where samples
//! find nothing more to decide they become rare, and each counts for the time since the one before.

mod analysis;
mod chain;
mod functions;
mod gain;
pub mod parallel;
mod samples;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use scaly_interp::interpreter::State;
use scaly_interp::program::{FunctionId, LoopId, Pc, Program};
use scaly_interp::tier::{self, Goes, NativeCall, Position, Tier};
use scaly_runtime::pool::Pool;
use scaly_tracer::backend::{Backend, code};
use scaly_tracer::log::{Event, Log, RegionRuns, SAMPLE_NS, Start, Statistics, Variant};
use scaly_tracer::manager::{Above, Tracing};
use scaly_tracer::parameters::Parameters;
use scaly_tracer::recorder::Place;

use crate::compiler::{Building, Compiler};
use crate::library::Error;
use crate::lower::Addresses;
use crate::native::{Left, Native, trips_left};
use analysis::{Analysis, Prepared, Why};
use chain::{Chains, Running};
use functions::Functions;
use parallel::{Alone, Parallel, Turn};
use samples::Samples;

/// From one sample to the next.
const PERIOD: Duration = Duration::from_nanos(SAMPLE_NS);
/// Samples without news after which they come half as often, and how rare they get.
const QUIET: u32 = 16;
const RAREST: u32 = 32;
/// Samples after which a loop that is neither chosen nor given up is no news.
const UNDECIDED: u32 = 128;
/// Samples until a loop is walked.
const SAMPLES: u32 = 3;
/// Samples that a loop's last pass may be old.
const TURNING: u32 = 3;
/// Trips that make a loop long enough for itself.
const LONG: u64 = 2_000;
/// Runs after which it is asked whether they are long enough, and how long that is, in nanoseconds.
const TRIED: u64 = 256;
const SHORT_RUN_NS: u64 = 2_000;
/// What compiling costs, in microseconds: loading LLVM, a region, an instruction of it.
const LOADING: u64 = 14_000;
const COST: u64 = 8_000;
const INSTRUCTION_COST: u64 = 80;
/// How many times its cost the loop must take yet.
const REPAY: u64 = 5;

enum Stage {
    Counting,
    /// Another thread follows its paths.
    Analyzing,
    /// Waiting until it is chosen, and has taken as long as compiling it will.
    Walked(Box<Prepared>),
    Building(Box<Building>),
    Ready(Rc<Native>),
    Refused,
}

struct LoopState {
    stage: Stage,
    /// Where the program goes on when a `for` has made all its trips, if nothing else leads there.
    end: Option<Pc>,
    /// If its iterations are independent.
    parallel: Option<Rc<Parallel>>,
    samples: u32,
    /// Those of them in which no loop was inside of it.
    innermost: u64,
    /// The most trips that a sample found it to have yet, of a `for`.
    trips: u64,
    /// Of the run that it is in, as far as samples know it: the first one, and the trips that were left then.
    run: Option<(u32, u64)>,
    /// Microseconds that it will take yet, by the trips that are left.
    remaining: u64,
    /// The sample at the time of its last pass.
    passed: u32,
    /// An independent loop inside of it that was chosen instead.
    inside: Option<LoopId>,
    switched: bool,
    /// Why it stays on one core has been told.
    told: bool,
    runs: RegionRuns,
    /// Its counter was set so that the next pass comes here: the passes that it would have taken.
    due: Option<u32>,
}

impl LoopState {
    fn new() -> LoopState {
        LoopState {
            stage: Stage::Counting,
            end: None,
            parallel: None,
            samples: 0,
            innermost: 0,
            trips: 0,
            run: None,
            remaining: 0,
            passed: 0,
            inside: None,
            switched: false,
            told: false,
            runs: RegionRuns::default(),
            due: None,
        }
    }

    /// A sample found it with so many trips left.
    fn sampled(&mut self, now: u32, trips: u64) {
        self.trips = self.trips.max(trips);
        let (first, before) = match self.run {
            Some((first, before)) if trips <= before && self.samples > 1 => (first, before),
            _ => *self.run.insert((now, trips)),
        };
        let took = u64::from(now - first) * PERIOD.as_micros() as u64;
        self.remaining = took.saturating_mul(trips).checked_div(before - trips).unwrap_or(0);
    }

    /// Whether it is, or will be, run on all cores.
    fn scales(&self) -> bool {
        self.parallel.as_ref().is_some_and(|parallel| !parallel.too_short())
            && matches!(self.stage, Stage::Walked(_) | Stage::Building(_) | Stage::Ready(_))
    }
}

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
}

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
    chains: OnceCell<Chains>,
    /// Periods that have passed.
    samples: Cell<u32>,
    /// Periods from one sample to the next, and samples without news since that last changed.
    rare: Cell<u32>,
    quiet: Cell<u32>,
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
                chains: OnceCell::new(),
                samples: Cell::new(0),
                rare: Cell::new(1),
                quiet: Cell::new(0),
            }
        })
    }

    /// Sets the counters of a run that begins.
    pub fn begin(&self, state: &mut State) {
        self.tracing().begin(state);
        if self.options.choice == Choice::Forced {
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
    fn watch(&self, id: Option<LoopId>) {
        if self.traces.tried() || self.options.choice == Choice::Forced || !self.tracing().may_record() {
            return;
        }
        if let (false, Some(id)) = (self.traces.start(PERIOD), id) {
            let why = Why::new(
                "the system gives no timer that tells what takes time; all loops stay as they are",
                self.header(id),
            );
            self.refuse(Place::Loop(id), Variant::Sequential, &why);
        }
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
        self.compiler.get_or_init(|| Compiler::new().ok()).as_ref()
    }

    fn refuse(&self, of: Place, what: Variant, why: &Why) {
        let (start, reason, help) = (start(of), why.text.as_str(), why.help.as_deref());
        self.log.event(|| Event::Refused { start, what, reason, help, at: why.at });
    }

    /// Takes in what was found out about a loop or function.
    fn analyzed(&self, Analysis { of, prepared, parallel }: Analysis) {
        if let Place::Loop(id) = of {
            match parallel {
                Some(Ok(parallel)) => self.loops.borrow_mut()[id.0 as usize].parallel = Some(Rc::new(parallel)),
                Some(Err(why)) => self.refuse(of, Variant::Parallel, &why),
                None => {}
            }
            self.loops.borrow_mut()[id.0 as usize].end = prepared.as_ref().ok().and_then(|prepared| prepared.end);
        }
        let stage = self.walked(of, prepared);
        self.set_stage(of, stage);
    }

    fn walked(&self, of: Place, prepared: Result<Box<Prepared>, Why>) -> Stage {
        let why = match prepared {
            Err(why) => why,
            Ok(prepared) => {
                let Prepared { blocks, instructions, calls, .. } = *prepared;
                self.log.event(|| Event::Region { start: start(of), blocks, instructions, calls });
                if self.options.choice == Choice::Forced || prepared.lowered.computes_only {
                    return Stage::Walked(prepared);
                }
                let text = "it allocates, or calls what is not compiled with it: traces do that sooner so far";
                Why::new(text, self.first(of))
            }
        };
        self.refuse(of, Variant::Sequential, &why);
        Stage::Refused
    }

    fn set_stage(&self, of: Place, stage: Stage) {
        match of {
            Place::Loop(id) => self.loops.borrow_mut()[id.0 as usize].stage = stage,
            Place::Function(id) => self.functions.borrow_mut().get_mut(id).stage = stage,
        }
    }

    /// Takes the stage out.
    fn take_stage(&self, of: Place) -> Stage {
        match of {
            Place::Loop(id) => std::mem::replace(&mut self.loops.borrow_mut()[id.0 as usize].stage, Stage::Refused),
            Place::Function(id) => {
                std::mem::replace(&mut self.functions.borrow_mut().get_mut(id).stage, Stage::Refused)
            }
        }
    }

    fn addresses(&self, state: &State) -> Arc<Addresses> {
        self.addresses.get_or_init(|| Arc::new(Addresses::of(state))).clone()
    }

    fn take_analyses(&self) {
        let mut arrived = Vec::new();
        self.analyses.borrow_mut().retain(|results| {
            loop {
                match results.try_recv() {
                    Ok(analysis) => arrived.push(analysis),
                    Err(TryRecvError::Empty) => return true,
                    Err(TryRecvError::Disconnected) => return false,
                }
            }
        });
        arrived.into_iter().for_each(|analysis| self.analyzed(analysis));
    }

    fn build(&self, of: Place, prepared: Prepared) -> Stage {
        match self.compiler() {
            Some(compiler) => Stage::Building(Box::new(compiler.submit(prepared.lowered, prepared.lowering_us))),
            None => {
                self.refuse(of, Variant::Sequential, &Why::new("there is no thread to compile it", self.first(of)));
                Stage::Refused
            }
        }
    }

    /// What has been built becomes what is entered.
    fn settle(&self, of: Place) {
        let stage = match self.take_stage(of) {
            Stage::Building(mut building) => match building.poll() {
                Some(built) => self.built(of, built),
                None => Stage::Building(building),
            },
            stage => stage,
        };
        self.set_stage(of, stage);
    }

    fn built(&self, of: Place, built: Result<Native, Error>) -> Stage {
        match built {
            Ok(mut native) => {
                if let Place::Loop(id) = of {
                    native.counts(&self.program, id);
                }
                let costs = native.costs();
                let microseconds =
                    costs.lowering_us + costs.parse_us + costs.passes_us + costs.codegen_us + costs.link_us;
                let (bytes, microseconds) = (costs.code_bytes as u32, u32::try_from(microseconds).unwrap_or(u32::MAX));
                let kind = Variant::Sequential;
                self.log.event(|| Event::Variant { start: start(of), kind, bytes, microseconds });
                self.tracing().retire(of);
                Stage::Ready(Rc::new(native))
            }
            Err(error) => {
                self.refuse(of, Variant::Sequential, &Why::new(error.to_string(), self.first(of)));
                if !matches!(error, Error::Refused(_)) {
                    // Nothing else will fare better: nothing is looked for any more, and this is said once.
                    self.traces.stop();
                }
                Stage::Refused
            }
        }
    }

    /// Compiles it and waits for it.
    fn force(&self, state: &State, of: Place) {
        self.analyze_here(state, &[of]);
        let stage = match self.take_stage(of) {
            Stage::Walked(prepared) => match self.build(of, *prepared) {
                Stage::Building(building) => self.built(of, building.wait()),
                stage => stage,
            },
            stage => stage,
        };
        self.set_stage(of, stage);
    }

    /// Enters what was compiled, if it was; the frame stands at the loop's header.
    fn enter(&self, state: &mut State, id: LoopId, at: Position) -> Option<Goes> {
        let (native, parallel, end, first) = {
            let mut loops = self.loops.borrow_mut();
            let slot = &mut loops[id.0 as usize];
            let Stage::Ready(native) = &slot.stage else { return None };
            (native.clone(), slot.parallel.clone(), slot.end, !std::mem::replace(&mut slot.switched, true))
        };
        state.set_loop_counter(id, 1);
        let (began_at, trips) = (Instant::now(), native.trips(at));
        let forced = self.options.choice == Choice::Forced;
        let of = Place::Loop(id);
        let tell = |turn: Turn| match turn {
            Turn::Parallel { first } => {
                if first {
                    self.log.event(|| Event::Switched { start: start(of), kind: Variant::Parallel });
                }
                if let (Some(now), Some(pool)) = (self.log.now(), &self.options.pool) {
                    now.enters(id, pool().width());
                }
            }
            Turn::Back => {
                let text = "several cores took longer than one; the next runs are made on one";
                self.refuse(of, Variant::Parallel, &Why::new(text, self.header(id)));
            }
        };
        if let Some(now) = self.log.now() {
            now.enters(id, 1);
        }
        let divided = match (&parallel, &self.options.pool) {
            (Some(parallel), Some(pool)) => {
                self.tracing().apart(|| parallel.run(&native, state, at, pool(), forced, tell))
            }
            _ => Err(Alone::Short),
        };
        let (whole, failed) = (divided.is_ok(), matches!(divided, Err(Alone::Check(_))));
        if let (Some(parallel), Err(alone)) = (&parallel, &divided) {
            self.stays_alone(id, parallel, alone);
        }
        let entered = match divided {
            Ok(goes) => Some(goes),
            Err(_) => match self.tracing().apart(|| native.enter(state, at)) {
                Left::NoRoom => None,
                Left::By(_, goes) => {
                    if first {
                        self.log.event(|| Event::Switched { start: start(of), kind: Variant::Sequential });
                    }
                    Some(goes)
                }
            },
        };
        let mut loops = self.loops.borrow_mut();
        let slot = &mut loops[id.0 as usize];
        let runs = &mut slot.runs;
        runs.entries += u64::from(entered.is_some());
        runs.parallel += u64::from(whole);
        runs.failed_checks += u64::from(failed);
        runs.nanoseconds += began_at.elapsed().as_nanos() as u64;
        // Left in the middle, it has what is left in its frame.
        let done = matches!(entered, Some(Goes::On(to)) if to.base() == at.base() && Some(to.pc()) == end);
        runs.iterations += if done { trips } else { trips.saturating_sub(native.trips(at)) };
        let short = runs.entries == TRIED && runs.nanoseconds < TRIED * SHORT_RUN_NS && !forced;
        if short {
            // Traces enter one another without leaving native code.
            slot.stage = Stage::Refused;
            drop(loops);
            let why = Why::new("its runs are too short for the way into it and out; back to traces", self.header(id));
            self.refuse(of, Variant::Sequential, &why);
        }
        entered
    }

    /// Says once why an independent loop runs on one core; that it is short only when it stays so.
    fn stays_alone(&self, id: LoopId, parallel: &Parallel, alone: &Alone<'_>) {
        let lasting = self.options.choice == Choice::Forced || parallel.too_short();
        if matches!(alone, Alone::Slower)
            || matches!(alone, Alone::Short) && !lasting
            || self.loops.borrow()[id.0 as usize].told
        {
            return;
        }
        self.loops.borrow_mut()[id.0 as usize].told = true;
        let text = match alone {
            Alone::Slower | Alone::Short => "its runs are too short for several cores".into(),
            Alone::Check(check) => format!("what is checked when it starts does not hold: {check}"),
            Alone::Other(text) => (*text).into(),
        };
        self.refuse(Place::Loop(id), Variant::Parallel, &Why::new(text, self.header(id)));
    }

    /// Makes samples as rare as is fit after one that did, or did not, find something to decide.
    fn pace(&self, news: bool) {
        let quiet = if news { 0 } else { self.quiet.get() + 1 };
        let rare = match (news, quiet) {
            (true, _) => 1,
            (false, QUIET) => (2 * self.rare.get()).min(RAREST),
            _ => self.rare.get(),
        };
        self.quiet.set(quiet % QUIET);
        if self.rare.replace(rare) != rare {
            self.traces.set_period(PERIOD * rare);
        }
    }

    /// Chooses what to compile of the loops that the program is in, the innermost first; whether there is anything.
    fn choose(&self, state: &State, chain: &[Running]) -> bool {
        let now = self.samples.get();
        let turning = |slot: &LoopState| slot.samples >= SAMPLES && slot.passed + TURNING >= now;
        let (mut unknown, mut candidates) = (Vec::new(), Vec::new());
        // Where the loops around it stay in traces, it is entered from the interpreter each time: only a long one pays.
        let mut alone = false;
        {
            let loops = self.loops.borrow();
            for &Running { id, .. } in chain.iter().rev() {
                let slot = &loops[id.0 as usize];
                match slot.stage {
                    // It is on its way, and what it contains with it.
                    Stage::Building(_) | Stage::Ready(_) | Stage::Analyzing => return true,
                    Stage::Refused => alone |= turning(slot),
                    _ if alone && slot.trips < LONG => {}
                    _ if !turning(slot) || slot.inside.is_some_and(|id| loops[id.0 as usize].scales()) => {}
                    Stage::Counting => unknown.push(id),
                    Stage::Walked(_) => candidates.push(id),
                }
            }
        }
        let pays = |id: LoopId, instructions: usize| self.pays(self.remaining(chain, id), instructions);
        if !unknown.is_empty() {
            // If the outermost does not pay, none does.
            if unknown.iter().any(|&id| pays(id, 0)) {
                self.analyze(state, unknown.into_iter().map(Place::Loop).collect());
            }
            return true;
        }
        let scales = |id: &&LoopId| self.loops.borrow()[id.0 as usize].scales();
        let Some(&id) = candidates.iter().find(scales).or(candidates.first()) else { return false };
        let parallel = scales(&&id);
        self.build_if(Place::Loop(id), |instructions| pays(id, instructions));
        let mut loops = self.loops.borrow_mut();
        let around = chain.iter().map(|running| running.id).skip_while(|&inner| inner != id).skip(1);
        around.for_each(|outer| loops[outer.0 as usize].inside = parallel.then_some(id));
        true
    }

    /// Compiles what has been walked, if that pays for so many instructions.
    fn build_if(&self, of: Place, pays: impl FnOnce(usize) -> bool) {
        let stage = match self.take_stage(of) {
            Stage::Walked(prepared) if pays(prepared.lowered.instructions) => self.build(of, *prepared),
            stage => stage,
        };
        self.set_stage(of, stage);
    }

    /// Whether compiling so many instructions repays in so many microseconds.
    fn pays(&self, remaining: u64, instructions: usize) -> bool {
        let loading = if self.compiler.get().is_some() { 0 } else { LOADING };
        remaining >= REPAY * (loading + COST + INSTRUCTION_COST * instructions as u64)
    }

    /// Microseconds that a loop will take yet: by the trips that it and the loops around it have left, or else as long as
    /// it has taken so far.
    fn remaining(&self, chain: &[Running], id: LoopId) -> u64 {
        let loops = self.loops.borrow();
        let so_far = u64::from(loops[id.0 as usize].samples) * PERIOD.as_micros() as u64;
        let around = chain.iter().skip_while(|running| running.id != id);
        around.map(|running| loops[running.id.0 as usize].remaining).max().unwrap_or(0).max(so_far)
    }

    /// Has their paths followed, on another thread if there is one.
    fn analyze(&self, state: &State, all: Vec<Place>) {
        all.iter().for_each(|&of| self.set_stage(of, Stage::Analyzing));
        let (program, parameters, parallel) = (self.program.clone(), self.parameters, self.options.pool.is_some());
        match analysis::begin(program, self.addresses(state), parameters, all, parallel) {
            Ok(results) => self.analyses.borrow_mut().push(results),
            Err(all) => self.analyze_here(state, &all),
        }
    }

    fn analyze_here(&self, state: &State, all: &[Place]) {
        let (addresses, parallel) = (self.addresses(state), self.options.pool.is_some());
        analysis::of(&self.program, &addresses, self.parameters, all, parallel, |analysis| {
            self.analyzed(analysis);
            true
        });
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
        let periods = self.rare.get();
        self.samples.set(self.samples.get() + periods);
        self.take_analyses();
        let chain = self.chains.get_or_init(|| Chains::of(&self.program)).at(&self.program, at);
        if let Some(innermost) = chain.first() {
            self.loops.borrow_mut()[innermost.id.0 as usize].innermost += u64::from(periods);
            if let Some(now) = self.log.now() {
                now.sampled(innermost.id);
            }
        }
        let mut news = false;
        for &Running { id, at } in &chain {
            self.settle(Place::Loop(id));
            let mut loops = self.loops.borrow_mut();
            let slot = &mut loops[id.0 as usize];
            slot.samples += 1;
            news |= match slot.stage {
                Stage::Refused | Stage::Ready(_) => false,
                Stage::Analyzing | Stage::Building(_) => true,
                Stage::Counting | Stage::Walked(_) => slot.samples < UNDECIDED,
            };
            if let Some(trips) = trips_left(&self.program, id, at) {
                slot.sampled(self.samples.get(), trips);
            }
            // Its next pass comes here.
            if slot.due.is_none() {
                slot.due = Some(state.loop_counter(id));
                state.set_loop_counter(id, 1);
            }
        }
        if !self.choose(state, &chain) {
            news |= self.sampled_function(state, at);
        }
        self.pace(news);
        self.traces.taken();
    }
}

impl<B: Backend + 'static> Tier for Scaling<B> {
    fn hot_loop(&self, state: &mut State, id: LoopId, at: Position) -> Goes {
        let (stage, due) = {
            let mut loops = self.loops.borrow_mut();
            let slot = &mut loops[id.0 as usize];
            slot.passed = self.samples.get();
            (std::mem::discriminant(&slot.stage), slot.due.take())
        };
        if self.options.choice == Choice::Forced && stage == std::mem::discriminant(&Stage::Counting) {
            self.force(state, Place::Loop(id));
        }
        self.settle(Place::Loop(id));
        if let Some(goes) = self.enter(state, id, at) {
            return goes;
        }
        self.watch(Some(id));
        if self.tracing().take_poll() {
            self.sampled(state, at);
        }
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
        if let Some(goes) = self.enter_function(state, id, at) {
            return goes;
        }
        self.watch(None);
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
