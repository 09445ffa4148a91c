//! Where the parts meet: source text to program image to result.
//!
//! The only place that knows all tiers: the interpreter, native traces, and loops compiled whole.

use std::collections::HashMap;
use std::fmt;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use scaly_asm::observers::{self, Observers};
use scaly_asm::{Watch, X64};
use scaly_backends::Native;
use scaly_backends::scale::parallel::HELPER_STACK;
use scaly_backends::scale::{self, Scaling};
use scaly_interp::dump::Printer;
use scaly_interp::interpreter::{self, Finished, MakeTier, RunError, Screen, State, World};
use scaly_interp::oracle::{self, Report};
use scaly_interp::program::{LoopId, Pc, Program};
use scaly_interp::tier::Tier;
use scaly_runtime::heap::Stretch;
use scaly_runtime::memory::{MemoryOptions, RegionMode};
use scaly_runtime::os;
use scaly_runtime::pool::{Pool, PoolOptions};
use scaly_tracer::explain::Judge;
use scaly_tracer::independence::{Independence, Verdict, make_room};
use scaly_tracer::log::{self, Follower, Log, Statistics};
use scaly_tracer::manager::{Make, Tracing, set_counters};
use scaly_tracer::parameters::Parameters;
use scaly_tracer::recorder::Place;
use scaly_tracer::region::Region;

use crate::check;
use crate::check::ownership::Choice;
use crate::diagnostic::{Diagnostic, Severity};
use crate::lower;
use crate::source::{SourceFile, SourceMap};
use crate::syntax::{self, Interner, Names};

/// How a program is compiled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Print the last value of the program, as `-e` does.
    pub echo: bool,
    /// A `function` that breaks its promise is an error.
    pub strict: bool,
    /// The process ends with this program: its trees need not be freed.
    pub once: bool,
    /// What is chosen where a value may be a view, a moved one or a copy.
    pub choice: Choice,
}

/// How a program is run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Every memory region in a mapping of its own, freed storage poisoned.
    pub guard_regions: bool,
    /// Bytes that regions may hold altogether; four fifths of the machine's memory by default, so that a program that
    /// runs away ends with an error of its own and not by the kernel's hand.
    pub memory_limit: Option<u64>,
    /// 64-bit slots that the frames of nested calls may take.
    pub stack_slots: Option<u64>,
    /// Of the trace compiler; without them there is none.
    pub jit: Option<Parameters>,
    pub trace_log: Option<log::Request>,
    /// Whether a run gives statistics.
    pub statistics: bool,
    /// Threads that parallel loops may use; by default one for each core that is free.
    pub threads: Option<usize>,
    /// Who is told of native code.
    pub observers: observers::Options,
    /// Who watches the run while it lasts.
    pub watcher: Option<Watcher>,
}

/// Another thread that follows a run.
#[derive(Clone)]
pub struct Watcher {
    pub follower: Follower,
    /// It looks at the program's pictures.
    pub screen: Arc<dyn Screen>,
}

impl RunOptions {
    /// Whether nothing tells of the run but what it prints.
    fn is_followed_by_nobody(&self) -> bool {
        let RunOptions { trace_log, statistics, observers, watcher, .. } = self;
        trace_log.is_none() && !statistics && *observers == observers::Options::default() && watcher.is_none()
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").finish_non_exhaustive()
    }
}

impl Default for RunOptions {
    fn default() -> Self {
        RunOptions {
            guard_regions: false,
            memory_limit: None,
            stack_slots: None,
            jit: Some(Parameters::default()),
            trace_log: None,
            statistics: false,
            threads: None,
            observers: observers::Options::default(),
            watcher: None,
        }
    }
}

/// Why there was no run.
#[derive(Debug, thiserror::Error)]
pub enum Unrun {
    #[error(transparent)]
    Log(#[from] log::OpenError),
    #[error(transparent)]
    Observer(#[from] observers::Error),
    #[error(transparent)]
    Program(#[from] RunError),
}

/// A run that ended.
#[derive(Debug)]
pub struct Ran {
    pub finished: Finished,
    /// If they were asked for.
    pub statistics: Option<Statistics>,
}

/// A program that can run.
#[derive(Debug)]
pub struct Compiled {
    pub sources: Arc<SourceMap>,
    pub program: Arc<Program>,
    pub warnings: Vec<Diagnostic>,
}

/// A program that can't, and why not: at least one error, in the order of their places.
#[derive(Debug)]
pub struct Failure {
    pub sources: SourceMap,
    pub diagnostics: Vec<Diagnostic>,
    /// Something is wrong only because its tree is higher than it may be here.
    pub too_high: bool,
}

/// Bytes of a source text from which on its trees are worth huge pages, a dozen of them.
const LONG: usize = 1 << 19;

/// Bytes of address space for the trees and tables of a text's byte; they take 33 and 44 in `bench/front_end.py`.
const TREES: usize = 60;

/// The same for the library, all of whose text is 62 KiB.
const LIBRARY: usize = 4 << 20;

/// How high trees may get on a stack of [`DEEP_STACK`] bytes: sums of so many operands, and types in types.
const DEEP: u32 = 25_000;

/// Bytes of stack for the highest trees, of which only those are taken that are needed.
const DEEP_STACK: usize = 512 << 20;

/// From text to a program image.
pub fn compile(file: SourceFile, options: Options) -> Result<Compiled, Box<Failure>> {
    let _stretch = options.once.then(|| Stretch::open(LIBRARY + file.text.len() * TREES, file.text.len() >= LONG));
    let extent = check::Extent::of(&file.text);
    let (name, text) = (file.name.clone(), file.text.clone());
    let again = |max_height| {
        let file = SourceFile::new(name.clone(), text.clone(), false);
        compile_with(check::Extent::WHOLE, max_height, file, options)
    };
    let mut result = compile_with(extent, syntax::MAX_HEIGHT, file, options);
    let too_high = |result: &Result<_, Box<Failure>>| result.as_ref().is_err_and(|failure| failure.too_high);
    // What looks wrong may be a part of the library that was left out.
    if result.is_err() && !too_high(&result) && extent != check::Extent::WHOLE {
        result = again(syntax::MAX_HEIGHT);
    }
    if too_high(&result) {
        result = on_a_deep_stack(|| again(DEEP)).unwrap_or(result);
    }
    result.map_err(|mut failure| {
        failure.diagnostics.sort_by_key(|d| d.span);
        failure
    })
}

/// Runs something on a thread with a stack for high trees; none if the system refuses it.
fn on_a_deep_stack<R: Send>(body: impl FnOnce() -> R + Send) -> Option<R> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(DEEP_STACK).spawn_scoped(scope, body).ok()?;
        Some(thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

fn compile_with(
    extent: check::Extent,
    max_height: u32,
    file: SourceFile,
    options: Options,
) -> Result<Compiled, Box<Failure>> {
    let mut sources = SourceMap::default();
    let mut too_high = false;
    match front_end(extent, max_height, &mut sources, file, options, &mut too_high) {
        Ok((program, warnings)) => Ok(Compiled { sources: Arc::new(sources), program: Arc::new(program), warnings }),
        Err(diagnostics) => Err(Box::new(Failure { sources, diagnostics, too_high })),
    }
}

fn front_end(
    extent: check::Extent,
    max_height: u32,
    sources: &mut SourceMap,
    file: SourceFile,
    options: Options,
    too_high: &mut bool,
) -> Result<(Program, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut interner = Interner::new();
    let mut names = Names::new(&mut interner);
    let library = check::Library::parse(extent, sources, &mut interner, &mut names);
    let file = sources.add(file);
    let parsed = syntax::parse_up_to(max_height, file, &sources.file(file).text, &mut interner, &mut names, false);
    *too_high |= parsed.too_high;
    let mut diagnostics = library.diagnostics.clone();
    diagnostics.extend(parsed.diagnostics);
    if has_errors(&diagnostics) {
        // What follows from text that was not understood is seldom worth reading.
        return Err(diagnostics);
    }
    let wanted = check::Options { echo: options.echo, max_height };
    let checked = check::check(sources, &library, &parsed.file, &mut interner, wanted);
    *too_high |= checked.too_high;
    diagnostics.extend(checked.diagnostics);
    let Some(mut program) = checked.program else { return Err(diagnostics) };
    if has_errors(&diagnostics) {
        return Err(diagnostics);
    }
    diagnostics.extend(check::ownership::analyze_with(&mut program, options.strict, options.choice));
    if has_errors(&diagnostics) {
        return Err(diagnostics);
    }
    let lowered = lower::lower(&program);
    if options.once {
        // Taking the trees apart node by node is a sixth of all the front end's time; they are a kilobyte a line.
        std::mem::forget((parsed.file, program, library));
    }
    match lowered {
        Ok(program) => Ok((program, diagnostics)),
        Err(errors) => {
            diagnostics.extend(errors);
            Err(diagnostics)
        }
    }
}

fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|d| d.severity == Severity::Error)
}

/// Runs a program with standard input and output.
pub fn run(compiled: &Compiled, arguments: Vec<String>, options: &RunOptions) -> Result<Ran, Unrun> {
    run_in(compiled, World::standard(arguments), options)
}

/// Runs a program in a world of its own.
pub fn run_in(compiled: &Compiled, world: World, options: &RunOptions) -> Result<Ran, Unrun> {
    let log = Rc::new(open_log(compiled, options)?);
    let program = compiled.program.clone();
    let screen = options.watcher.as_ref().map(|watcher| watcher.screen.clone());
    let Some(parameters) = options.jit else {
        let finished = interpreter::run_prepared(program, world, limits(options), |state| {
            state.screen = screen;
            // There is nobody else to tell.
            if !options.statistics {
                state.count_never();
            }
        })?;
        return Ok(Ran { finished, statistics: log.statistics().filter(|_| options.statistics) });
    };
    let watch = open_observers(compiled, options)?;
    // Most programs end before anything is hot: what compiles is made late where nobody asks what it did.
    if options.is_followed_by_nobody() && parameters.llvm != FORCED {
        let (counted, began) = (program.clone(), Instant::now());
        let (compiled, options) = (program.clone(), options.clone());
        let limits = limits(&options);
        let make: MakeTier = Box::new(move || {
            let tiers = Tiers::new(compiled, log, parameters, &options, None);
            // Nobody read the processor's clock when the run began: that is an occasion for the system to let others
            // run, which costs a short run more than all else that is prepared here.
            tiers.tracing.began(os::thread_time().saturating_sub(began.elapsed()));
            tiers.tier()
        });
        let prepare = move |state: &mut State| set_counters(&counted, &parameters, state);
        let finished = interpreter::run_with_late_tier(program, world, limits, prepare, make)?;
        return Ok(Ran { finished, statistics: None });
    }
    let tiers = Tiers::new(program.clone(), log.clone(), parameters, options, watch);
    let finished = interpreter::run_with_tier(program, world, limits(options), |state| {
        state.screen = screen;
        tiers.begin(state);
        tiers.tier()
    })?;
    let mut statistics = log.statistics().filter(|_| options.statistics);
    if let Some(statistics) = &mut statistics {
        tiers.count_into(statistics);
    }
    Ok(Ran { finished, statistics })
}

/// What compiles in a run.
struct Tiers {
    tracing: Rc<Tracing<X64>>,
    /// Goes beyond traces.
    whole: Option<Rc<Scaling<X64>>>,
}

impl Tiers {
    fn new(
        program: Arc<Program>,
        log: Rc<Log>,
        parameters: Parameters,
        options: &RunOptions,
        watch: Option<Rc<Watch>>,
    ) -> Tiers {
        let listings = options.trace_log.as_ref().is_some_and(|request| request.asm);
        let backend = native_backend(program.clone(), listings, watch.clone());
        let tracing = Rc::new(Tracing::new(program.clone(), backend, parameters, log.clone()));
        let choices = scaling(options, parameters, watch);
        let whole = choices.map(|choices| Scaling::new(tracing.clone(), program, log, parameters, choices));
        Tiers { tracing, whole }
    }

    /// A run begins.
    fn begin(&self, state: &mut State) {
        match &self.whole {
            Some(whole) => whole.begin(state),
            None => self.tracing.begin(state),
        }
    }

    /// The one that the interpreter asks.
    fn tier(&self) -> Rc<dyn Tier> {
        match &self.whole {
            Some(whole) => whole.clone(),
            None => self.tracing.clone(),
        }
    }

    fn count_into(&self, statistics: &mut Statistics) {
        self.tracing.count_into(statistics);
        if let Some(whole) = &self.whole {
            whole.count_into(statistics);
        }
    }
}

/// The value of the parameter `llvm` that compiles all loops whole.
const FORCED: u32 = 2;

/// What goes beyond traces; none where nothing does.
fn scaling(options: &RunOptions, parameters: Parameters, watch: Option<Rc<Watch>>) -> Option<scale::Options> {
    let choice = match parameters.llvm {
        0 => return None,
        FORCED => scale::Choice::Forced,
        _ => scale::Choice::Measured,
    };
    let threads = options.threads;
    let chunk = (parameters.chunk != 0).then_some(u64::from(parameters.chunk));
    let seed = (parameters.steal != 0).then_some(u64::from(parameters.steal));
    let pool = move || {
        Pool::of_process(|| PoolOptions { threads, chunk, seed, stack: HELPER_STACK, ..PoolOptions::default() })
    };
    let (alone, limited) = (threads == Some(1), options.memory_limit.is_some());
    let observer = watch.map(|watch| {
        Box::new(move |of: Place, first: Pc, code: &Native| {
            let kind = if matches!(of, Place::Loop(_)) { "loop" } else { "function" };
            watch.whole(kind, first, code.machine_code());
        }) as scale::Observer
    });
    Some(scale::Options { choice, pool: (!alone).then(|| Box::new(pool) as scale::MakePool), limited, observer })
}

/// Makes the backend for this machine; none where there is no memory for code.
fn native_backend(program: Arc<Program>, listings: bool, watch: Option<Rc<Watch>>) -> Make<X64> {
    let seed = |seed: u32| (seed != 0).then_some(u64::from(seed));
    Box::new(move |parameters| {
        let options = scaly_asm::Options {
            code_bytes: parameters.code_memory as usize * 1024,
            spills: parameters.spills,
            registers: seed(parameters.random_registers),
            forced_exits: seed(parameters.forced_exits),
            listings,
            ..scaly_asm::Options::default()
        };
        let backend = X64::new(program.clone(), options).ok()?;
        Some(match &watch {
            Some(watch) => backend.watched(watch.clone()),
            None => backend,
        })
    })
}

fn open_observers(compiled: &Compiled, options: &RunOptions) -> Result<Option<Rc<Watch>>, observers::Error> {
    if options.observers == observers::Options::default() {
        return Ok(None);
    }
    let (observers, errors) = Observers::open(&options.observers);
    if let Some(error) = errors.into_iter().next() {
        return Err(error);
    }
    // One that is lost later is no reason to end the program.
    let lost = |error: &observers::Error| eprintln!("scaly: {error}; it is not written any more");
    let watch = || Rc::new(Watch::new(observers, compiled.program.clone(), compiled.sources.clone(), lost));
    Ok(Some(watch()))
}

fn open_log(compiled: &Compiled, options: &RunOptions) -> Result<Log, log::OpenError> {
    let log = match &options.trace_log {
        Some(request) => Log::open(request, compiled.program.clone(), compiled.sources.clone(), options.jit.as_ref())?,
        None if options.statistics => Log::statistics_only(),
        None => Log::none(),
    };
    Ok(match &options.watcher {
        Some(watcher) => log.followed(&watcher.follower),
        None => log,
    })
}

/// Runs a program, and reports of each loop what its iterations had to do with one another. Loops have the room that an
/// ordinary run makes for what they append: with it an array stays where it is, and only its length is handed on.
pub fn oracle(compiled: &Compiled, arguments: Vec<String>, options: &RunOptions) -> Result<Report, RunError> {
    let program = &compiled.program;
    let mut judge = Judge::new(program, Parameters::default());
    let ids = (0..program.loops.len() as u32).map(LoopId);
    let appending: HashMap<LoopId, (Region, Box<Independence>)> = ids
        .filter(|_| options.memory_limit.is_none())
        .filter_map(|id| match judge.judge(id) {
            (Ok(region), Verdict::Independent(found)) if !found.rooms.is_empty() || !found.gathered.is_empty() => {
                Some((id, (region, found)))
            }
            _ => None,
        })
        .collect();
    oracle::run(program.clone(), World::standard(arguments), limits(options), |id, frame| {
        if let Some((region, found)) = appending.get(&id) {
            make_room(program, region, found, frame);
        }
        true
    })
}

fn limits(options: &RunOptions) -> interpreter::Options {
    let limit = options.memory_limit.or_else(|| os::memory_total().map(|bytes| bytes / 5 * 4));
    let mode = if options.guard_regions { RegionMode::Guard } else { RegionMode::Reuse };
    interpreter::Options { memory: MemoryOptions { mode, limit }, stack_slots: options.stack_slots }
}

/// The bytecode as a listing with source lines; the library's and generated functions only with `all`.
pub fn dump(compiled: &Compiled, all: bool) -> String {
    Printer::new(&compiled.program).sources(&compiled.sources).library(all).to_string()
}
