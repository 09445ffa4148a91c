//! Following a loop's paths and judging its iterations, beside the program.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use scaly_interp::program::{LoopId, Pc, Program};
use scaly_interp::routine::{Effect, Routine};
use scaly_tracer::effects;
use scaly_tracer::parameters::Parameters;
use scaly_tracer::region::{Op, Region};
use scaly_tracer::walker::Walker;

use super::parallel::Parallel;
use scaly_tracer::explain::Judge;

/// Why not, in words, what to change, and where.
pub struct Why {
    pub text: String,
    pub help: Option<String>,
    pub at: Pc,
}

impl Why {
    /// What the programmer can do nothing about.
    pub fn new(text: impl Into<String>, at: Pc) -> Why {
        Why { text: text.into(), help: None, at }
    }
}

/// What was found out about a loop.
pub struct Analysis {
    pub id: LoopId,
    pub region: Result<Box<Region>, Why>,
    /// If it was asked for.
    pub parallel: Option<Result<Parallel, Why>>,
}

/// The walker recurses.
const STACK: usize = 16 << 20;

/// On a thread of its own; gives the loops back where there is none.
pub fn begin(
    program: Arc<Program>,
    parameters: Parameters,
    ids: Vec<LoopId>,
    parallel: bool,
) -> Result<Receiver<Analysis>, Vec<LoopId>> {
    let (results, receiver) = channel();
    let own = ids.clone();
    // Nobody waits for the rest where the program has ended.
    let work = move || of(&program, parameters, &own, parallel, |analysis| results.send(analysis).is_ok());
    match std::thread::Builder::new().name("scaly-walker".into()).stack_size(STACK).spawn(work) {
        Ok(_) => Ok(receiver),
        Err(_) => Err(ids),
    }
}

/// Hands on what is found out about each loop, as long as that is wanted.
pub fn of(
    program: &Program,
    parameters: Parameters,
    ids: &[LoopId],
    parallel: bool,
    mut found: impl FnMut(Analysis) -> bool,
) {
    let waits = effects::waits(program);
    let mut walker = Walker::new(program, parameters).keeping();
    let mut judge = parallel.then(|| Judge::new(program, parameters));
    for &id in ids {
        let region = walk(&mut walker, &waits, id);
        let judge = judge.as_mut().filter(|_| region.is_ok());
        let parallel = judge.map(|judge| Parallel::of(program, judge, id));
        if !found(Analysis { id, region, parallel }) {
            break;
        }
    }
}

/// The region of a loop, if it may be compiled.
fn walk(walker: &mut Walker<'_>, waits: &[bool], id: LoopId) -> Result<Box<Region>, Why> {
    let region = walker.walk(id).map_err(|open| Why::new(open.text(), open.pc))?;
    match waiting(waits, &region) {
        Some(pc) => Err(Why::new("it waits for something outside of the program", pc)),
        None => Ok(Box::new(region)),
    }
}

/// Where it may wait.
fn waiting(waits: &[bool], region: &Region) -> Option<Pc> {
    let blocks = |routine: Routine| routine.signature().effects.contains(&Effect::Blocks);
    let found = region.insts.iter().find(|inst| match inst.op {
        Op::Runtime(routine) => blocks(routine),
        Op::Call(id) => waits.get(id.0 as usize).copied().unwrap_or(true),
        Op::CallAny => waits.iter().any(|&waits| waits),
        _ => false,
    });
    found.map(|inst| inst.pc)
}
