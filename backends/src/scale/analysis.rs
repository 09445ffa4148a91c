//! Following the paths of a loop or function, judging a loop's iterations, and lowering, beside the program.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use scaly_interp::program::{FunctionId, Pc, Program};
use scaly_interp::routine::{Effect, Routine};
use scaly_tracer::effects;
use scaly_tracer::manager::Profile;
use scaly_tracer::parameters::Parameters;
use scaly_tracer::recorder::Place;
use scaly_tracer::region::{Block, ExitKind, Op, Region, Terminator};
use scaly_tracer::walker::Walker;

use super::parallel::Parallel;
use super::samples::Bell;
use crate::lower::{Addresses, Context, Divided, Lowered, likely_divisor, lower_divided, lower_restart};
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

/// What was found out about a loop or function.
pub struct Analysis {
    pub of: Place,
    pub prepared: Result<Box<Prepared>, Why>,
    /// Of a loop, if it was asked for.
    pub parallel: Option<Result<Parallel, Why>>,
    /// Of a function: why other threads take none of its calls.
    pub serial: Option<Why>,
}

/// What can be compiled.
pub struct Prepared {
    pub lowered: Lowered,
    /// For when that gives up: code of the same function that leaves.
    pub leaving: Option<Box<Lowered>>,
    pub lowering_us: u64,
    /// Of its region.
    pub blocks: u32,
    pub instructions: u32,
    pub calls: u32,
    /// Branches of it that nearly always go one way, as far as that is known.
    pub predictable: u32,
    /// Divisions by what is always the same so far, as far as that is known.
    pub divisors: u32,
    /// Where the program goes on when a `for` has made all its trips, if nothing else leads there.
    pub end: Option<Pc>,
}

/// What must be known of a program for that.
pub struct Known {
    pub program: Arc<Program>,
    pub addresses: Arc<Addresses>,
    pub parameters: Parameters,
    pub profile: Profile,
    /// There are other cores.
    pub parallel: bool,
}

/// The walker recurses.
const STACK: usize = 16 << 20;

/// On a thread of its own, which rings when it is done; gives the loops back where there is none. What is to be loaded
/// meanwhile is asked for by that thread: one that begins while a library is opened waits until that is done, for the C
/// library's lock, under which it notes the destructors of its variables.
pub fn begin(
    known: Known,
    ids: Vec<Place>,
    bell: Bell,
    load: Option<Box<dyn FnOnce() + Send>>,
) -> Result<Receiver<Analysis>, Vec<Place>> {
    let (results, receiver) = channel();
    let own = ids.clone();
    // Nobody waits for the rest where the program has ended.
    let work = move || {
        if let Some(load) = load {
            load();
        }
        of(&known, &own, |analysis| results.send(analysis).is_ok());
        bell.ring();
    };
    match std::thread::Builder::new().name("scaly-walker".into()).stack_size(STACK).spawn(work) {
        Ok(_) => Ok(receiver),
        Err(_) => Err(ids),
    }
}

/// Hands on what is found out about each loop, as long as that is wanted.
pub fn of(known: &Known, all: &[Place], mut found: impl FnMut(Analysis) -> bool) {
    let Known { program, addresses, parameters, profile, parallel } = known;
    let parameters = *parameters;
    let waits = effects::waits(program);
    let mut walker = Walker::new(program, parameters).keeping();
    let mut judge = parallel.then(|| Judge::new(program, parameters));
    let none = BTreeSet::new();
    for &of in all {
        let (mut parallel, mut serial) = (None, None);
        let prepared = followed(&mut walker, &waits, of, &none).and_then(|mut region| {
            if let (Place::Loop(id), Some(judge)) = (of, &mut judge) {
                parallel = Some(Parallel::of(program, judge, id, parameters).and_then(|found| {
                    if !found.rooms().is_empty() {
                        region = followed(&mut walker, &waits, of, found.rooms())?;
                    }
                    let mut updates = found.reductions().sums().iter().flatten();
                    if let Some(update) = updates.find(|update| update.of(&region).is_none()) {
                        return Err(Why::new("what it accumulates is not found in what is compiled", update.pc));
                    }
                    Ok(found)
                }));
            }
            let context = Context { program, addresses, waits: &waits, parameters, profile };
            if let Place::Function(id) = of {
                return prepare_function(&region, context, id, &mut serial);
            }
            let divided = parallel.as_ref().and_then(|parallel| parallel.as_ref().ok());
            let divided =
                divided.map(|found| Divided { condition: found.condition(), sums: found.reductions().sums() });
            prepare(&region, context, of, divided)
        });
        if !found(Analysis { of, prepared, parallel, serial }) {
            break;
        }
    }
}

fn followed(walker: &mut Walker<'_>, waits: &[bool], of: Place, rooms: &BTreeSet<Pc>) -> Result<Region, Why> {
    let walked = match of {
        Place::Loop(id) => walker.walk_with_room(id, rooms),
        Place::Function(id) => walker.walk_function(id),
    };
    let region = walked.map_err(|open| Why::new(open.text(), open.pc))?;
    match waiting(walker, waits, &region) {
        Some(pc) => Err(Why::new("it waits for something outside of the program", pc)),
        None => Ok(region),
    }
}

fn prepare(
    region: &Region,
    context: Context<'_>,
    of: Place,
    divided: Option<Divided<'_>>,
) -> Result<Box<Prepared>, Why> {
    let start = Instant::now();
    let lowered = lower_divided(region, context, &name(of), divided);
    let header = region.blocks.first().map_or(Pc(0), |block| block.pc);
    Ok(Box::new(Prepared {
        lowered: lowered.map_err(|refusal| Why::new(refusal.to_string(), header))?,
        leaving: None,
        lowering_us: start.elapsed().as_micros() as u64,
        blocks: region.blocks.len() as u32,
        instructions: region.size() as u32,
        calls: region.chains.len() as u32 - 1,
        predictable: region.blocks.iter().filter(|block| is_predictable(block, context.profile)).count() as u32,
        divisors: region.insts.iter().filter(|inst| likely_divisor(region, inst, context.profile).is_some()).count()
            as u32,
        end: end(region),
    }))
}

fn is_predictable(block: &Block, profile: &Profile) -> bool {
    matches!(block.end, Terminator::Branch(..)) && profile.jumps(block.end_pc).is_some()
}

fn name(of: Place) -> String {
    match of {
        Place::Loop(id) => format!("loop_{}", id.0),
        Place::Function(id) => format!("function_{}", id.0),
    }
}

/// A function that can be begun again is compiled as one: then it is walked in itself more often.
fn prepare_function(
    region: &Region,
    context: Context<'_>,
    id: FunctionId,
    serial: &mut Option<Why>,
) -> Result<Box<Prepared>, Why> {
    let of = Place::Function(id);
    let mut prepared = prepare(region, context, of, None)?;
    let start = Instant::now();
    let walked = |recursion_depth| {
        let parameters = Parameters { recursion_depth, ..context.parameters };
        Walker::new(context.program, parameters).keeping().walk_function(id)
    };
    let (Ok(nested), Ok(single)) = (walked(context.parameters.restart_depth), walked(0)) else { return Ok(prepared) };
    let Ok((restart, why)) = lower_restart(&nested, &single, context, &format!("{}_again", name(of))) else {
        return Ok(prepared);
    };
    *serial = why.map(|why| Why::new(why.text, why.at));
    if let Some(lowered) = restart {
        prepared.leaving = Some(Box::new(std::mem::replace(&mut prepared.lowered, lowered)));
        prepared.lowering_us += start.elapsed().as_micros() as u64;
    }
    Ok(prepared)
}

fn end(region: &Region) -> Option<Pc> {
    let done = region.exits.iter().find(|exit| exit.kind == ExitKind::Done)?.pc;
    let only = region.exits.iter().all(|exit| exit.kind == ExitKind::Done || exit.pc != done);
    only.then_some(done)
}

/// Where it may wait, while the program goes on behind that.
fn waiting(walker: &Walker<'_>, waits: &[bool], region: &Region) -> Option<Pc> {
    let blocks = |routine: Routine| routine.signature().effects.contains(&Effect::Blocks);
    let ending = region.ending();
    let found = region.insts.iter().filter(|inst| !ending[inst.block.index()]).find(|inst| match inst.op {
        Op::Runtime(routine) => blocks(routine),
        Op::Call(id) => waits.get(id.0 as usize).copied().unwrap_or(true),
        Op::CallAny(class) => walker.callable(class).any(|id| waits[id.0 as usize]),
        _ => false,
    });
    found.map(|inst| inst.pc)
}
