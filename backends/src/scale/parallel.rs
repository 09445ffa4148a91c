//! A loop whose iterations are independent, on all cores.
//!
//! A chunk runs the same code as the whole loop, on a private copy of the frame whose counter and remaining trips are
//! those of the chunk. What it leaves in its frame is combined at the join: reductions in the order of the iterations,
//! everything else from the last chunk. An error in a chunk is the program's if no chunk before it has one; its frame is
//! then the program's, and the interpreter raises it.

#![allow(unsafe_code)]

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use scaly_interp::machine::{IntKind, IntOp, IntUnary};
use scaly_interp::program::{LoopId, LoopKind, Pc, Program};
use scaly_interp::tier::{Goes, Position};
use scaly_runtime::pool::{InOrder, Plan, Pool, Status};
use scaly_tracer::explain::Judge;
use scaly_tracer::independence::{Combine, EntryCheck, Reduction, Refusal, Verdict, holds};
use scaly_tracer::parameters::Parameters;
use scaly_tracer::region::{ExitKind, Op, Region};
use scaly_tracer::walker::{fold_int, fold_unary};

use super::analysis::Why;
use crate::lower::Leave;
use crate::native::Native;

/// What a parallel loop must take for it to be worth starting, in nanoseconds.
const WORTH: f64 = 40_000.0;

/// What is known of an independent loop.
pub struct Parallel {
    region: Region,
    checks: Vec<EntryCheck>,
    reductions: Vec<(u16, Combine, Option<IntKind>)>,
    counter: u16,
    /// Of the function, inlined ones apart.
    frame_slots: u16,
    /// Slots that something reads behind the loop.
    left: Vec<u16>,
    /// The instructions of the loop.
    code: Range<u32>,
    /// Nanoseconds of an iteration, times 16, as last measured; 0: never.
    cost: AtomicU64,
    said: AtomicBool,
    /// Runs in a row that were too short.
    short: AtomicU32,
}

/// Runs in a row after which a loop counts as too short.
const SHORT: u32 = 16;

/// Slots of a header, before each frame.
const HEADER: usize = 2;

/// A chunk's private frame that an error ended, and how.
struct Ended {
    lo: u64,
    frame: Vec<u64>,
    leave: Leave,
}

/// Why a run stays on one core.
pub enum Alone {
    /// One core does it as soon.
    Short,
    /// What was to be checked does not hold.
    Check,
}

impl Parallel {
    /// Or why not, and where.
    pub fn of(program: &Program, parameters: Parameters, id: LoopId) -> Result<Parallel, Why> {
        let scope = &program.loops[id.0 as usize];
        let header = Pc(scope.code.start);
        let (region, verdict) = Judge::new(program, parameters).judge(id);
        let found = match verdict {
            Verdict::Serial(refusals) => {
                let first = refusals.first();
                let why = |refusal: &Refusal| Why { text: refusal.text(), help: refusal.help(), at: refusal.pc };
                return Err(first.map_or_else(|| Why::new("it is serial", header), why));
            }
            Verdict::Independent(found) => found,
        };
        let Ok(region) = region else { return Err(Why::new("its region is open", header)) };
        let LoopKind::Counted { counter } = scope.kind else {
            return Err(Why {
                text: "only `for` loops are divided so far".into(),
                help: Some("write it as a `for` loop".into()),
                at: header,
            });
        };
        if let Some(inst) = region.insts.iter().find(|i| matches!(i.op, Op::Runtime(_) | Op::Call(_) | Op::CallAny)) {
            return Err(Why::new("calls and allocations in the loop are not run on other cores so far", inst.pc));
        }
        let slots = |at: u16| at == counter || at == counter + 1;
        if found.counters.iter().any(|&at| !slots(at)) {
            return Err(Why::new("a second counter in the loop is not divided so far", header));
        }
        let mut reductions = Vec::new();
        for Reduction { slot, combine, narrow, along, .. } in &found.reductions {
            if !along.is_empty() || identity(*combine, 0).is_none() {
                return Err(Why::new(format!("{} is not divided so far", combine.words()), header));
            }
            reductions.push((*slot, *combine, narrow.map(|kind| kind.int())));
        }
        let done = region.exits.iter().find(|exit| exit.kind == ExitKind::Done);
        let left = done.map(|exit| exit.slots.clone()).unwrap_or_default();
        Ok(Parallel {
            checks: found.checks.iter().cloned().collect(),
            region,
            reductions,
            counter,
            frame_slots: program.function(scope.function).frame_slots,
            left,
            code: scope.code.clone(),
            cost: AtomicU64::new(0),
            said: AtomicBool::new(false),
            short: AtomicU32::new(0),
        })
    }

    /// Runs the rest of the loop, which stands at its header, on all cores, where that is better and allowed. `began` is called when it does so for the first time.
    pub fn run(
        &self,
        native: &Native,
        at: Position,
        pool: &Pool,
        forced: bool,
        began: impl FnOnce(),
    ) -> Result<Goes, Alone> {
        // SAFETY: the frame is one of the loop's function.
        let slot = |slot: u16| unsafe { at.base().add(usize::from(slot)).read() };
        let trips = slot(self.counter + 1).checked_add(1).ok_or(Alone::Short)?;
        let known = self.cost.load(Ordering::Relaxed);
        let worth = |trips: u64, cost: f64| forced || trips as f64 * cost >= WORTH;
        if (known != 0 && !worth(trips, known as f64 / 16.0)) || trips < 2 {
            self.short.fetch_add(1, Ordering::Relaxed);
            return Err(Alone::Short);
        }
        if !holds(&self.region, &self.checks, slot) {
            return Err(Alone::Check);
        }
        let frame = self.frame(native, at);
        let initial: Vec<u64> = self.reductions.iter().map(|&(at, ..)| slot(at)).collect();
        let run = Run { parallel: self, native, frame, ended: Mutex::new(None), last: Mutex::new(None), trips };
        // What an iteration costs is measured on the first ones.
        let start = Instant::now();
        let (mut done, mut pilot) = (0, 1);
        let mut results: Vec<Vec<u64>> = Vec::new();
        let mut partial = self.identities(&initial);
        let cost = loop {
            let to = trips.min(done + pilot);
            if run.chunk(done, to, &mut partial) != Status::Done {
                return Ok(run.resume(at));
            }
            done = to;
            let took = start.elapsed().as_nanos() as f64;
            if took >= PILOT || done == trips || forced {
                break took / done as f64;
            }
            pilot *= 2;
        };
        self.cost.store((cost * 16.0).max(1.0) as u64, Ordering::Relaxed);
        results.push(partial);
        if done < trips && !worth(trips - done, cost) {
            let mut partial = self.identities(&initial);
            if run.chunk(done, trips, &mut partial) != Status::Done {
                return Ok(run.resume(at));
            }
            results.push(partial);
        } else if done < trips {
            self.short.store(0, Ordering::Relaxed);
            if !self.said.swap(true, Ordering::Relaxed) {
                began();
            }
            let partials = InOrder::new(pool);
            let plan = Plan::new(trips - done).expect(cost);
            let status = pool.run(&plan, &|chunk: &scaly_runtime::pool::Chunk<'_>| {
                let (lo, hi) = (done + chunk.lo, done + chunk.hi);
                let ended = partials.with(chunk, || self.identities(&initial), |partial| run.chunk(lo, hi, partial));
                match ended {
                    Status::Stopped(k) => Status::Stopped(k - done),
                    Status::Done => Status::Done,
                }
            });
            if status != Status::Done {
                return Ok(run.resume(at));
            }
            results.extend(partials.into_ordered().into_iter().map(|(_, _, partial)| partial));
        }
        Ok(run.finish(at, &initial, results))
    }

    /// Whether its runs take so little time that one core does them as soon.
    pub fn too_short(&self) -> bool {
        self.short.load(Ordering::Relaxed) >= SHORT
    }

    /// A copy of the loop's frame and of the headers around it, with room for what is inlined.
    fn frame(&self, native: &Native, at: Position) -> Vec<u64> {
        let mut frame = vec![0; HEADER + native.frame_slots() as usize];
        let copied = HEADER + usize::from(self.frame_slots);
        for (i, word) in frame.iter_mut().enumerate().take(copied) {
            // SAFETY: the frame has its header before it, and so many slots.
            *word = unsafe { at.base().sub(HEADER).add(i).read() };
        }
        frame
    }

    fn identities(&self, initial: &[u64]) -> Vec<u64> {
        let each = self.reductions.iter().zip(initial);
        each.map(|(&(_, combine, _), &initial)| identity(combine, initial).unwrap_or(initial)).collect()
    }

    fn combine(&self, into: &mut [u64], partial: &[u64]) {
        for (&(_, combine, narrow), (into, &partial)) in self.reductions.iter().zip(into.iter_mut().zip(partial)) {
            let both = operation(combine).and_then(|op| fold_int(op, *into as i64, partial as i64));
            let wrapped = both.and_then(|v| narrow.map_or(Some(v), |kind| fold_unary(IntUnary::Wrap(kind), v)));
            *into = wrapped.map_or(*into, |v| v as u64);
        }
    }
}

/// Nanoseconds of the first iterations, on which the cost of one is measured.
const PILOT: f64 = 10_000.0;

/// One run of a loop.
struct Run<'a> {
    parallel: &'a Parallel,
    native: &'a Native,
    /// As at the loop's header, with its header before it.
    frame: Vec<u64>,
    /// Of the lowest chunk that an error ended.
    ended: Mutex<Option<Ended>>,
    /// The frame that the last iteration left.
    last: Mutex<Option<Vec<u64>>>,
    trips: u64,
}

impl Run<'_> {
    /// Runs some iterations, and adds to a partial result.
    fn chunk(&self, lo: u64, hi: u64, partial: &mut [u64]) -> Status {
        let parallel = self.parallel;
        let mut frame = self.frame.clone();
        let counter = HEADER + usize::from(parallel.counter);
        frame[counter] = frame[counter].wrapping_add(lo);
        frame[counter + 1] = hi - lo - 1;
        for (&(slot, combine, _), word) in parallel.reductions.iter().zip(&*partial) {
            frame[HEADER + usize::from(slot)] = identity(combine, *word).unwrap_or(*word);
        }
        // SAFETY: the frame has the room that the code needs. A loop of this kind calls nothing, so no state is used.
        let leave = unsafe { self.native.run(std::ptr::null_mut(), frame.as_mut_ptr().add(HEADER)) };
        let done = matches!(leave, Leave::Goes { pc, base: 0 } if !parallel.code.contains(&pc.0));
        if !done {
            let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            if ended.as_ref().is_none_or(|other| lo < other.lo) {
                *ended = Some(Ended { lo, frame, leave });
            }
            return Status::Stopped(lo);
        }
        let own: Vec<u64> = parallel.reductions.iter().map(|&(slot, ..)| frame[HEADER + usize::from(slot)]).collect();
        parallel.combine(partial, &own);
        if hi == self.trips {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(frame);
        }
        Status::Done
    }

    /// All iterations are done: what the loop leaves in its frame, and where the interpreter goes on.
    fn finish(self, at: Position, initial: &[u64], results: Vec<Vec<u64>>) -> Goes {
        let last = self.last.into_inner().unwrap_or_else(PoisonError::into_inner).unwrap_or_default();
        let parallel = self.parallel;
        let mut reduced = initial.to_vec();
        for partial in &results {
            parallel.combine(&mut reduced, partial);
        }
        let write = |slot: u16, word: u64| {
            // SAFETY: the frame is one of the loop's function, and this one of its slots.
            unsafe { at.base().add(usize::from(slot)).write(word) }
        };
        for &slot in &parallel.left {
            write(slot, last[HEADER + usize::from(slot)]);
        }
        for (&(slot, ..), &word) in parallel.reductions.iter().zip(&reduced) {
            write(slot, word);
        }
        Goes::On(at.at(Pc(parallel.code.end), 0))
    }

    /// An error ended the loop: the frame of the lowest chunk that had one is the program's.
    fn resume(self, at: Position) -> Goes {
        let ended = self.ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        let Some(Ended { mut frame, leave: Leave::Goes { pc, base }, .. }) = ended else {
            unreachable!("a chunk that calls nothing leaves by an error or at its end")
        };
        let private = frame.as_ptr() as u64 + 8 * HEADER as u64;
        // The headers of inlined frames hold addresses of their callers.
        let mut inner = base as usize;
        while inner > 0 {
            let caller = (frame[HEADER + inner - 2] - private) / 8;
            frame[HEADER + inner - 2] = at.base() as u64 + 8 * caller;
            inner = caller as usize;
        }
        for (i, &word) in frame.iter().enumerate().skip(HEADER) {
            // SAFETY: the stack has room for the frames of the region: they were asked for before.
            unsafe { at.base().add(i - HEADER).write(word) };
        }
        Goes::On(at.at(pc, base))
    }
}

/// What changes nothing when it is combined; the initial value itself where doing so twice is doing so once.
fn identity(combine: Combine, initial: u64) -> Option<u64> {
    Some(match combine {
        Combine::Sum | Combine::Or | Combine::Xor => 0,
        Combine::Product => 1,
        Combine::And => u64::MAX,
        Combine::MinSigned | Combine::MaxSigned | Combine::MinUnsigned | Combine::MaxUnsigned => initial,
        _ => return None,
    })
}

fn operation(combine: Combine) -> Option<IntOp> {
    Some(match combine {
        Combine::Sum => IntOp::Add,
        Combine::Product => IntOp::Mul,
        Combine::And => IntOp::And,
        Combine::Or => IntOp::Or,
        Combine::Xor => IntOp::Xor,
        Combine::MinSigned => IntOp::MinS,
        Combine::MaxSigned => IntOp::MaxS,
        Combine::MinUnsigned => IntOp::MinU,
        Combine::MaxUnsigned => IntOp::MaxU,
        _ => return None,
    })
}
