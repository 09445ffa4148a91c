//! The tier above native traces: loops that take the program's time are compiled whole, beside the program, and the
//! running loop goes on in what was compiled.
//!
//! ```text
//!             samples               walked            compiled
//!   Counting ─────────> Walked ───────────> Building ──────────> Ready: each pass of its header enters it
//!                          │ may not, or not worth it    │ refused
//!                          └──────────> Refused <────────┘
//! ```
//!
//! Every two milliseconds native code is asked to leave at its next poll ([`samples`]). Where it was then is a sample: of
//! the innermost loop and of all that it runs in, through calls. The outermost of these loops that comes round in so
//! short a time is the one to compile; an outer one that takes seconds for one iteration could not be entered.

mod chain;
mod parallel;
mod samples;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use scaly_interp::interpreter::State;
use scaly_interp::program::{FunctionId, LoopId, Pc, Program};
use scaly_interp::tier::{Goes, NativeCall, Position, Tier};
use scaly_runtime::pool::Pool;
use scaly_tracer::backend::Backend;
use scaly_tracer::effects;
use scaly_tracer::log::{Event, Log, Variant};
use scaly_tracer::manager::{Above, Tracing};
use scaly_tracer::parameters::Parameters;
use scaly_tracer::region::{Op, Region};
use scaly_tracer::walker::Walker;

use crate::compiler::{Building, Compiler};
use crate::lower::{Addresses, Context};
use crate::native::{Left, Native};
use parallel::Parallel;
use samples::Samples;

/// From one sample to the next.
const PERIOD: Duration = Duration::from_millis(2);
/// Samples until a loop is walked.
const SAMPLES: u32 = 3;
/// Samples that a loop's last pass may be old.
const TURNING: u32 = 3;
/// What compiling costs: microseconds, and those of an instruction of the region.
const COST: (u64, u64) = (6_000, 25);

enum Stage {
    Counting,
    /// Waiting until it has taken as long as compiling it will.
    Walked(Box<Region>),
    Building(Box<Building>),
    Ready(Rc<Native>, Option<Rc<Parallel>>),
    Refused,
}

struct LoopState {
    stage: Stage,
    samples: u32,
    /// The sample at the time of its last pass.
    passed: u32,
    switched: bool,
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
    waits: OnceCell<Vec<bool>>,
    addresses: OnceCell<Addresses>,
    compiler: OnceCell<Option<Compiler>>,
    loops: RefCell<Vec<LoopState>>,
    samples: Cell<u32>,
}

impl<B: Backend + 'static> Scaling<B> {
    pub fn new(tracing: Rc<Tracing<B>>, program: Arc<Program>, log: Rc<Log>, parameters: Parameters, options: Options) -> Rc<Scaling<B>> {
        let state = |_| LoopState { stage: Stage::Counting, samples: 0, passed: 0, switched: false };
        let loops = (0..program.loops.len()).map(state).collect();
        Rc::new_cyclic(|own: &Weak<Scaling<B>>| {
            let above: Weak<dyn Above> = own.clone();
            tracing.tell(above);
            Scaling {
                traces: Samples::of(tracing),
                program,
                parameters,
                options,
                log,
                waits: OnceCell::new(),
                addresses: OnceCell::new(),
                compiler: OnceCell::new(),
                loops: RefCell::new(loops),
                samples: Cell::new(0),
            }
        })
    }

    /// Sets the counters of a run that begins.
    pub fn begin(&self, state: &mut State) {
        self.tracing().begin(state);
        if self.options.choice == Choice::Forced {
            (0..self.program.loops.len() as u32).for_each(|id| state.set_loop_counter(LoopId(id), 2));
        }
    }

    pub fn tracing(&self) -> &Rc<Tracing<B>> {
        self.traces.tracing()
    }

    /// Samples are taken from when traces are made.
    fn watch(&self) {
        if self.traces.running() || self.options.choice == Choice::Forced || !self.tracing().may_record() {
            return;
        }
        self.traces.start(PERIOD);
    }

    fn compiler(&self) -> Option<&Compiler> {
        self.compiler.get_or_init(|| Compiler::new().ok()).as_ref()
    }

    fn refuse(&self, id: LoopId, what: Variant, at: Pc, reason: &str) {
        self.log.event(|| Event::Refused { id, what, reason, at });
    }

    /// The region of a loop, if it may be compiled.
    fn walk(&self, id: LoopId) -> Option<Box<Region>> {
        let mut walker = Walker::new(&self.program, self.parameters).keeping();
        let region = match walker.walk(id) {
            Ok(region) => region,
            Err(open) => {
                self.refuse(id, Variant::Sequential, open.pc, &open.text());
                return None;
            }
        };
        if let Some(pc) = self.waiting(&region) {
            self.refuse(id, Variant::Sequential, pc, "it waits for something outside of the program");
            return None;
        }
        let (blocks, instructions) = (region.blocks.len() as u32, region.size() as u32);
        let calls = region.chains.len() as u32 - 1;
        self.log.event(|| Event::Region { id, blocks, instructions, calls });
        Some(Box::new(region))
    }

    fn waits(&self) -> &[bool] {
        self.waits.get_or_init(|| effects::waits(&self.program))
    }

    fn waiting(&self, region: &Region) -> Option<Pc> {
        let waits = self.waits();
        let blocks = |routine: scaly_interp::routine::Routine| {
            routine.signature().effects.contains(&scaly_interp::routine::Effect::Blocks)
        };
        let found = region.insts.iter().find(|inst| match inst.op {
            Op::Runtime(routine) => blocks(routine),
            Op::Call(id) => waits.get(id.0 as usize).copied().unwrap_or(true),
            Op::CallAny => waits.iter().any(|&waits| waits),
            _ => false,
        });
        found.map(|inst| inst.pc)
    }

    fn build(&self, state: &State, id: LoopId, region: &Region) -> Stage {
        let Some(compiler) = self.compiler() else {
            self.refuse(id, Variant::Sequential, Pc(0), "there is no thread to compile it");
            return Stage::Refused;
        };
        let addresses = self.addresses.get_or_init(|| Addresses::of(state));
        let context = Context { program: &self.program, addresses, waits: self.waits() };
        match compiler.begin(region, context) {
            Ok(building) => Stage::Building(Box::new(building)),
            Err(refusal) => {
                self.refuse(id, Variant::Sequential, region.blocks[0].pc, &refusal.to_string());
                Stage::Refused
            }
        }
    }

    /// What has been built becomes what is entered.
    fn settle(&self, id: LoopId) {
        let mut loops = self.loops.borrow_mut();
        let slot = &mut loops[id.0 as usize];
        let Stage::Building(building) = &mut slot.stage else { return };
        let Some(built) = building.poll() else { return };
        slot.stage = Stage::Refused;
        drop(loops);
        let stage = self.built(id, built);
        self.loops.borrow_mut()[id.0 as usize].stage = stage;
    }

    fn built(&self, id: LoopId, built: Result<Native, crate::library::Error>) -> Stage {
        match built {
            Ok(native) => {
                let costs = native.costs();
                let microseconds = costs.lowering_us + costs.parse_us + costs.passes_us + costs.codegen_us + costs.link_us;
                let (bytes, microseconds) = (costs.code_bytes as u32, u32::try_from(microseconds).unwrap_or(u32::MAX));
                self.log.event(|| Event::Variant { id, kind: Variant::Sequential, bytes, microseconds });
                self.tracing().retire(id);
                let parallel = self.parallel(id);
                Stage::Ready(Rc::new(native), parallel.map(Rc::new))
            }
            Err(error) => {
                self.refuse(id, Variant::Sequential, Pc(self.program.loops[id.0 as usize].code.start), &error.to_string());
                Stage::Refused
            }
        }
    }

    fn parallel(&self, id: LoopId) -> Option<Parallel> {
        self.options.pool.as_ref()?;
        match Parallel::of(&self.program, self.parameters, id) {
            Ok(parallel) => Some(parallel),
            Err((reason, at)) => {
                self.refuse(id, Variant::Parallel, at, &reason);
                None
            }
        }
    }

    /// Compiles a loop and waits for it.
    fn force(&self, state: &State, id: LoopId) {
        let stage = match self.walk(id) {
            None => Stage::Refused,
            Some(region) => match self.build(state, id, &region) {
                Stage::Building(building) => self.built(id, building.wait()),
                stage => stage,
            },
        };
        self.loops.borrow_mut()[id.0 as usize].stage = stage;
    }

    /// Enters what was compiled, if it was; the frame stands at the loop's header.
    fn enter(&self, state: &mut State, id: LoopId, at: Position) -> Option<Goes> {
        let (native, parallel, first) = {
            let mut loops = self.loops.borrow_mut();
            let slot = &mut loops[id.0 as usize];
            let Stage::Ready(native, parallel) = &slot.stage else { return None };
            let found = (native.clone(), parallel.clone());
            (found.0, found.1, !std::mem::replace(&mut slot.switched, true))
        };
        state.set_loop_counter(id, 1);
        if let (Some(parallel), Some(pool)) = (&parallel, &self.options.pool) {
            if let Some(goes) = parallel.run(&native, at, pool(), self.options.choice == Choice::Forced, &mut || {
                self.log.event(|| Event::Variant { id, kind: Variant::Parallel, bytes: 0, microseconds: 0 });
                self.log.event(|| Event::Switched { id, kind: Variant::Parallel });
            }) {
                return Some(goes);
            }
        }
        match native.enter(state, at) {
            Left::NoRoom => None,
            Left::By(_, goes) => {
                if first {
                    self.log.event(|| Event::Switched { id, kind: Variant::Sequential });
                }
                Some(goes)
            }
        }
    }

    /// Chooses what to compile of the loops that the program is in, the innermost first.
    fn choose(&self, state: &State, chain: &[LoopId]) {
        let now = self.samples.get();
        for &id in chain.iter().rev() {
            let stage = {
                let mut loops = self.loops.borrow_mut();
                let slot = &mut loops[id.0 as usize];
                match slot.stage {
                    // It is on its way, and what it contains with it.
                    Stage::Building(_) | Stage::Ready(..) => return,
                    Stage::Refused => continue,
                    _ if slot.samples < SAMPLES || slot.passed + TURNING < now => continue,
                    _ => std::mem::replace(&mut slot.stage, Stage::Refused),
                }
            };
            let walked = match stage {
                Stage::Walked(region) => Some(region),
                _ => self.walk(id),
            };
            let Some(region) = walked else { continue };
            let samples = self.loops.borrow()[id.0 as usize].samples;
            let took = u64::from(samples) * PERIOD.as_micros() as u64;
            let stage = if took >= COST.0 + COST.1 * region.size() as u64 {
                self.build(state, id, &region)
            } else {
                Stage::Walked(region)
            };
            let refused = matches!(stage, Stage::Refused);
            self.loops.borrow_mut()[id.0 as usize].stage = stage;
            if !refused {
                return;
            }
        }
    }
}

impl<B: Backend + 'static> Above for Scaling<B> {
    fn sampled(&self, state: &mut State, at: Position) {
        self.samples.set(self.samples.get() + 1);
        self.traces.taken();
        let chain = chain::loops(&self.program, at);
        for &id in &chain {
            self.loops.borrow_mut()[id.0 as usize].samples += 1;
            self.settle(id);
            // Its next pass comes here.
            state.set_loop_counter(id, 1);
        }
        self.choose(state, &chain);
    }
}

impl<B: Backend + 'static> Tier for Scaling<B> {
    fn hot_loop(&self, state: &mut State, id: LoopId, at: Position) -> Goes {
        let stage = {
            let mut loops = self.loops.borrow_mut();
            let slot = &mut loops[id.0 as usize];
            slot.passed = self.samples.get();
            std::mem::discriminant(&slot.stage)
        };
        if self.options.choice == Choice::Forced && stage == std::mem::discriminant(&Stage::Counting) {
            self.force(state, id);
        }
        self.settle(id);
        if let Some(goes) = self.enter(state, id, at) {
            return goes;
        }
        self.watch();
        if self.tracing().take_poll() {
            self.sampled(state, at);
        }
        self.tracing().hot_loop(state, id, at)
    }

    fn hot_function(&self, state: &mut State, id: FunctionId, at: Position) -> Goes {
        self.watch();
        self.tracing().hot_function(state, id, at)
    }

    fn finish_call(&self, state: &mut State, call: NativeCall) -> bool {
        self.tracing().finish_call(state, call)
    }
}
