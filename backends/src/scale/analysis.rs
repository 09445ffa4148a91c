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
    let work = move || {
        for id in own {
            if results.send(of(&program, parameters, id, parallel)).is_err() {
                break;
            }
        }
    };
    match std::thread::Builder::new().name("scaly-walker".into()).stack_size(STACK).spawn(work) {
        Ok(_) => Ok(receiver),
        Err(_) => Err(ids),
    }
}

pub fn of(program: &Program, parameters: Parameters, id: LoopId, parallel: bool) -> Analysis {
    let region = walk(program, parameters, id);
    let parallel = (parallel && region.is_ok()).then(|| Parallel::of(program, parameters, id));
    Analysis { id, region, parallel }
}

/// The region of a loop, if it may be compiled.
fn walk(program: &Program, parameters: Parameters, id: LoopId) -> Result<Box<Region>, Why> {
    let region = Walker::new(program, parameters).keeping().walk(id).map_err(|open| Why::new(open.text(), open.pc))?;
    if let Some(pc) = waiting(program, &region) {
        return Err(Why::new("it waits for something outside of the program", pc));
    }
    Ok(Box::new(region))
}

/// Where it may wait.
fn waiting(program: &Program, region: &Region) -> Option<Pc> {
    let waits = effects::waits(program);
    let blocks = |routine: Routine| routine.signature().effects.contains(&Effect::Blocks);
    let found = region.insts.iter().find(|inst| match inst.op {
        Op::Runtime(routine) => blocks(routine),
        Op::Call(id) => waits.get(id.0 as usize).copied().unwrap_or(true),
        Op::CallAny => waits.iter().any(|&waits| waits),
        _ => false,
    });
    found.map(|inst| inst.pc)
}
