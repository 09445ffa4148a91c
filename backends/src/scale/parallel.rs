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
use scaly_tracer::independence::{Combine, EntryCheck, Reduction, Verdict, holds};
use scaly_tracer::parameters::Parameters;
use scaly_tracer::region::{ExitKind, Op, Region, Type};
use scaly_tracer::walker::{fold_int, fold_unary};

use crate::lower::Leave;
use crate::native::Native;

/// What a parallel loop must take for it to be worth starting, in nanoseconds.
const WORTH: f64 = 40_000.0;

/// What is known of an independent loop.
pub struct Parallel {
    region: Region,
    checks: Vec<EntryCheck>,
    reductions: Vec<Reduced>,
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

/// A slot that accumulates, and those that are set with it.
struct Reduced {
    /// The slot itself first.
    slots: Vec<u16>,
    combine: Combine,
    narrow: Option<IntKind>,
    ty: Type,
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

impl Parallel {
    /// Or why not, and where.
    pub fn of(program: &Program, parameters: Parameters, id: LoopId) -> Result<Parallel, (String, Pc)> {
        let scope = &program.loops[id.0 as usize];
        let header = Pc(scope.code.start);
        let (region, verdict) = Judge::new(program, parameters).judge(id);
        let found = match verdict {
            Verdict::Serial(refusals) => {
                let first = refusals.first();
                return Err(first.map_or(("it is serial".into(), header), |r| (r.text(), r.pc)));
            }
            Verdict::Independent(found) => found,
        };
        let Ok(region) = region else { return Err(("its region is open".into(), header)) };
        let LoopKind::Counted { counter } = scope.kind else {
            return Err(("only `for` loops are divided so far: write it as one".into(), header));
        };
        if let Some(inst) = region.insts.iter().find(|i| matches!(i.op, Op::Runtime(_) | Op::Call(_) | Op::CallAny)) {
            return Err(("calls and allocations in the loop are not run on other cores so far".into(), inst.pc));
        }
        let slots = |at: u16| at == counter || at == counter + 1;
        if found.counters.iter().any(|&at| !slots(at)) {
            return Err(("a second counter in the loop is not divided so far".into(), header));
        }
        let reduced = |reduction: &Reduction| Reduced {
            slots: std::iter::once(reduction.slot).chain(reduction.along.iter().copied()).collect(),
            combine: reduction.combine,
            narrow: reduction.narrow.map(|kind| kind.int()),
            ty: region.ty(reduction.param),
        };
        let reductions = found.reductions.iter().map(reduced).collect();
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

    /// Runs the rest of the loop, which stands at its header, on all cores; none where one core is better, or a check
    /// fails. `began` is called when it does so for the first time.
    pub fn run(&self, native: &Native, at: Position, pool: &Pool, forced: bool, began: impl FnOnce()) -> Option<Goes> {
        // SAFETY: the frame is one of the loop's function.
        let slot = |slot: u16| unsafe { at.base().add(usize::from(slot)).read() };
        let trips = slot(self.counter + 1).checked_add(1)?;
        let known = self.cost.load(Ordering::Relaxed);
        let worth = |trips: u64, cost: f64| forced || trips as f64 * cost >= WORTH;
        if (known != 0 && !worth(trips, known as f64 / 16.0)) || trips < 2 {
            self.short.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        if !holds(&self.region, &self.checks, slot) {
            return None;
        }
        let frame = self.frame(native, at);
        let initial: Vec<u64> = self.reduced_slots().map(slot).collect();
        let (ended, last) = (Mutex::new(None), Mutex::new(None));
        let run = Run { parallel: self, native, frame, initial: initial.clone(), ended, last, trips };
        // What an iteration costs is measured on the first ones.
        let start = Instant::now();
        let (mut done, mut pilot) = (0, 1);
        let mut results: Vec<Vec<u64>> = Vec::new();
        let mut partial = self.identities(&initial);
        let cost = loop {
            let to = trips.min(done + pilot);
            if run.chunk(done, to, &mut partial) != Status::Done {
                return Some(run.resume(at));
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
                return Some(run.resume(at));
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
                return Some(run.resume(at));
            }
            results.extend(partials.into_ordered().into_iter().map(|(_, _, partial)| partial));
        }
        Some(run.finish(at, results))
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

    /// Slots of all reductions: the words of a partial result in their order.
    fn reduced_slots(&self) -> impl Iterator<Item = u16> + '_ {
        self.reductions.iter().flat_map(|reduced| reduced.slots.iter().copied())
    }

    /// What partial results begin with.
    fn identities(&self, initial: &[u64]) -> Vec<u64> {
        let mut words = initial.to_vec();
        let mut at = 0;
        for reduced in &self.reductions {
            words[at] = identity(reduced.combine).unwrap_or(words[at]);
            at += reduced.slots.len();
        }
        words
    }

    /// Adds a partial result of later iterations.
    fn combine(&self, into: &mut [u64], partial: &[u64], initial: &[u64]) {
        let mut at = 0;
        for reduced in &self.reductions {
            let words = at..at + reduced.slots.len();
            at = words.end;
            reduced.add(&mut into[words.clone()], &partial[words.clone()], initial[words.start]);
        }
    }
}

impl Reduced {
    fn add(&self, into: &mut [u64], partial: &[u64], initial: u64) {
        if let Some(op) = operation(self.combine) {
            let both = fold_int(op, into[0] as i64, partial[0] as i64);
            let wrapped = both.and_then(|v| self.narrow.map_or(Some(v), |kind| fold_unary(IntUnary::Wrap(kind), v)));
            into[0] = wrapped.map_or(into[0], |v| v as u64);
            return;
        }
        let better = match self.combine {
            Combine::Set => partial[0] != initial,
            Combine::Least | Combine::MinFloat | Combine::MinSingle => less(self.ty, partial[0], into[0]),
            _ => less(self.ty, into[0], partial[0]),
        };
        if better {
            into.copy_from_slice(partial);
        }
    }
}

/// Whether a slot's value is less than another's; no NaN is.
fn less(ty: Type, a: u64, b: u64) -> bool {
    match ty {
        Type::Float => f64::from_bits(a) < f64::from_bits(b),
        Type::Single => f32::from_bits(a as u32) < f32::from_bits(b as u32),
        Type::Word | Type::Cond => (a as i64) < b as i64,
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
    /// Of the reductions.
    initial: Vec<u64>,
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
        for (slot, word) in parallel.reduced_slots().zip(parallel.identities(partial)) {
            frame[HEADER + usize::from(slot)] = word;
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
        let own: Vec<u64> = parallel.reduced_slots().map(|slot| frame[HEADER + usize::from(slot)]).collect();
        parallel.combine(partial, &own, &self.initial);
        if hi == self.trips {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(frame);
        }
        Status::Done
    }

    /// All iterations are done: what the loop leaves in its frame, and where the interpreter goes on.
    fn finish(self, at: Position, results: Vec<Vec<u64>>) -> Goes {
        let last = self.last.into_inner().unwrap_or_else(PoisonError::into_inner).unwrap_or_default();
        let parallel = self.parallel;
        let mut reduced = self.initial.clone();
        for partial in &results {
            parallel.combine(&mut reduced, partial, &self.initial);
        }
        let write = |slot: u16, word: u64| {
            // SAFETY: the frame is one of the loop's function, and this one of its slots.
            unsafe { at.base().add(usize::from(slot)).write(word) }
        };
        for &slot in &parallel.left {
            write(slot, last[HEADER + usize::from(slot)]);
        }
        for (slot, &word) in parallel.reduced_slots().zip(&reduced) {
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

/// What changes nothing when it is combined; none where doing so twice is doing so once, and the value itself does.
fn identity(combine: Combine) -> Option<u64> {
    match combine {
        Combine::Sum | Combine::Or | Combine::Xor => Some(0),
        Combine::Product => Some(1),
        Combine::And => Some(u64::MAX),
        _ => None,
    }
}

/// Of integers that are combined by an operation.
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
