//! A loop whose iterations are independent, on all cores.
//!
//! A chunk runs the same code as the whole loop, on a private copy of the frame whose counter and remaining trips are
//! those of the chunk. What it leaves in its frame is combined at the join: reductions in the order of the iterations,
//! everything else from the last chunk. An error in a chunk is the program's if no chunk before it has one; its frame is
//! then the program's, and the interpreter raises it.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Instant;

use scaly_interp::interpreter::State;
use scaly_interp::machine::{IntKind, IntOp, IntUnary};
use scaly_interp::program::{LoopId, LoopKind, Pc, Program};
use scaly_interp::tier::{Goes, Position};
use scaly_runtime::pool::{InOrder, Plan, Pool, Status};
use scaly_runtime::vm_stack::VmStack;
use scaly_tracer::explain::{Judge, check_in_words};
use scaly_tracer::independence::{
    Combine, Condition, Counter, CounterStart, EntryCheck, Poly, Reduction, Refusal, Verdict, holds, number,
};
use scaly_tracer::region::{ExitKind, Inst, Op, Region, Type};
use scaly_tracer::walker::{fold_int, fold_unary};

use super::analysis::Why;
use super::gain::{Gain, Next};
use crate::lower::Leave;
use crate::native::{Computed, Native};

/// What a parallel loop must take for it to be worth starting, in nanoseconds.
const WORTH: f64 = 40_000.0;

/// What is known of an independent loop.
pub struct Parallel {
    region: Region,
    /// With their words.
    checks: Vec<(EntryCheck, String)>,
    start: CounterStart,
    /// Slots that the loop writes, counters apart.
    written: Vec<u16>,
    reductions: Vec<Reduced>,
    /// The first counts the iterations.
    counters: Vec<Counter>,
    until: Until,
    /// Of the function, inlined ones apart.
    frame_slots: u16,
    /// Slots that something reads behind the loop.
    left: Vec<u16>,
    /// It calls functions, which may call others: how deep is not known.
    calls: bool,
    /// For the frames of chunks, as many as run at the same time.
    stacks: Mutex<Vec<Stack>>,
    /// Where the interpreter goes on behind the loop.
    end: Pc,
    /// Nanoseconds of an iteration, times 16, as last measured; 0: never.
    cost: AtomicU64,
    said: AtomicBool,
    /// Runs in a row that were too short.
    short: AtomicU32,
    gain: Mutex<Gain>,
}

/// How it is known when a loop ends.
enum Until {
    /// A `for` keeps its remaining trips in a slot.
    Trips(u16),
    /// A `while` compares its counter.
    Limit(Condition),
}

/// What the slots say where a loop is entered.
struct Begin {
    /// Iterations that are left.
    trips: u64,
    /// By counter, how far it goes each time round.
    by: Vec<i64>,
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

/// A chunk's private frames that an error ended, and how.
struct Ended {
    lo: u64,
    stack: Stack,
    /// Slots from the loop's frame to the one in which the interpreter goes on.
    at: usize,
    leave: Leave,
}

/// What becomes of a loop.
pub enum Turn {
    /// It goes on on all cores, for the first time or again.
    Parallel { first: bool },
    /// One core has turned out to be faster.
    Back,
}

/// Why a run stays on one core.
pub enum Alone<'a> {
    /// One core does it as soon.
    Short,
    /// One core does it sooner: that has been said.
    Slower,
    /// What was to be checked does not hold.
    Check(&'a str),
    Other(&'static str),
}

impl Parallel {
    /// Or why not, and where.
    pub fn of(program: &Program, judge: &mut Judge<'_>, id: LoopId) -> Result<Parallel, Why> {
        let scope = &program.loops[id.0 as usize];
        let header = Pc(scope.code.start);
        let (region, verdict) = judge.judge(id);
        let found = match verdict {
            Verdict::Serial(refusals) => {
                let first = refusals.first();
                let why = |refusal: &Refusal| Why { text: refusal.text(), help: refusal.help(), at: refusal.pc };
                return Err(first.map_or_else(|| Why::new("it is serial", header), why));
            }
            Verdict::Independent(found) => found,
        };
        let Ok(region) = region else { return Err(Why::new("its region is open", header)) };
        let ending = region.ending();
        let allocates = |i: &&Inst| matches!(i.op, Op::Runtime(_) | Op::CallAny) && !ending[i.block.index()];
        if let Some(inst) = region.insts.iter().find(allocates) {
            return Err(Why::new("allocations in the loop are not made on other cores so far", inst.pc));
        }
        let calls = region.insts.iter().any(|i| matches!(i.op, Op::Call(_)));
        if found.start == CounterStart::Unknown {
            return Err(Why::new("where it began is not known when it is entered in the middle", header));
        }
        let until = match (scope.kind, found.condition) {
            (LoopKind::Counted { counter }, _) => Until::Trips(counter + 1),
            (LoopKind::Open, Some(condition)) => Until::Limit(condition),
            (LoopKind::Open, None) => return Err(Why::new("its condition counts nothing", header)),
        };
        let reduced = |reduction: &Reduction| Reduced {
            slots: std::iter::once(reduction.slot).chain(reduction.along.iter().copied()).collect(),
            combine: reduction.combine,
            narrow: reduction.narrow.map(|kind| kind.int()),
            ty: region.ty(reduction.param),
        };
        let reductions = found.reductions.iter().map(reduced).collect();
        let ends = |kind: ExitKind| matches!(kind, ExitKind::Done | ExitKind::Leave);
        let Some(done) = region.exits.iter().find(|exit| ends(exit.kind)) else {
            return Err(Why::new("it never makes all of its trips", header));
        };
        let (left, end) = (done.slots.clone(), done.pc);
        let words = |check: &EntryCheck| (check.clone(), check_in_words(program, id, &region, check));
        let checks = found.checks.iter().map(words).collect();
        let root = region.cycles.first().map(|root| root.header);
        let params = root.map(|header| region.block(header).params.iter().map(|param| param.slot));
        let counts = |at: u16| found.counters.iter().any(|counter| counter.slot == at);
        let written = params.into_iter().flatten().filter(|&at| !counts(at)).collect();
        Ok(Parallel {
            checks,
            start: found.start,
            written,
            region,
            reductions,
            counters: found.counters,
            until,
            frame_slots: program.function(scope.function).frame_slots,
            left,
            end,
            cost: AtomicU64::new(0),
            calls,
            stacks: Mutex::new(Vec::new()),
            said: AtomicBool::new(false),
            short: AtomicU32::new(0),
            gain: Mutex::default(),
        })
    }

    /// Of a `while`.
    pub fn condition(&self) -> Option<&Condition> {
        match &self.until {
            Until::Trips(_) => None,
            Until::Limit(condition) => Some(condition),
        }
    }

    /// Runs the rest of the loop, which stands at its header, on all cores, where that is better and allowed. `tell` is
    /// called where that is news.
    pub fn run(
        &self,
        native: &Native,
        state: &State,
        at: Position,
        pool: &Pool,
        forced: bool,
        tell: impl Fn(Turn),
    ) -> Result<Goes, Alone<'_>> {
        if self.condition().is_some() && !native.can_end_early() {
            return Err(Alone::Other("its condition is not found in what was compiled"));
        }
        if !native.computes_only() {
            return Err(Alone::Other("a function that it calls is not compiled with it"));
        }
        let slots = (state.slots_limit() as usize).saturating_sub(at.base() as usize) / 8;
        if !native.has_room(state, at) {
            return Err(Alone::Other("calls are nested too deeply around it"));
        }
        // SAFETY: the frame is one of the loop's function.
        let slot = |slot: u16| unsafe { at.base().add(usize::from(slot)).read() };
        let known = self.cost.load(Ordering::Relaxed);
        let worth = |trips: u64, cost: f64| forced || trips as f64 * cost >= WORTH;
        let long = |trips: u64| {
            let long = trips >= 2 && (known == 0 || worth(trips, known as f64 / 16.0));
            self.short.fetch_add(u32::from(!long), Ordering::Relaxed);
            if long { Ok(()) } else { Err(Alone::Short) }
        };
        // The way of many short runs: nothing else is computed.
        if let Until::Trips(trips) = self.until {
            long(slot(trips).saturating_add(1))?;
        }
        let begin = self.begin(slot).ok_or(Alone::Other("how often it will go round is not known here"))?;
        let trips = begin.trips;
        if matches!(self.until, Until::Limit(_)) {
            long(trips)?;
        }
        if let Some(failed) = self.failing(slot, &begin.by) {
            return Err(Alone::Check(failed));
        }
        let next = if forced { Next::Divided } else { self.gain().next() };
        if next == Next::Alone {
            return Err(Alone::Slower);
        }
        let slots = if self.calls { slots } else { native.frame_slots() as usize };
        self.make_stacks(slots, pool.workers())
            .ok_or(Alone::Other("there is no memory for the frames of its parts"))?;
        let frame = self.frame(at);
        let initial: Vec<u64> = self.reduced_slots().map(slot).collect();
        let (ended, last) = (Mutex::new(None), Mutex::new(None));
        let caller = Caller { thread: thread::current().id(), native_limit: state.native_limit() };
        let run = Run { parallel: self, native, frame, initial: initial.clone(), ended, last, begin, slots, caller };
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
        if done < trips && (next == Next::Trial || !worth(trips - done, cost)) {
            let (start, rest) = (Instant::now(), trips - done);
            let mut partial = self.identities(&initial);
            if run.chunk(done, trips, &mut partial) != Status::Done {
                return Ok(run.resume(at));
            }
            results.push(partial);
            if next == Next::Trial && self.gain().tried(rest, start.elapsed().as_nanos() as f64) {
                tell(Turn::Back);
            }
        } else if done < trips {
            self.short.store(0, Ordering::Relaxed);
            tell(Turn::Parallel { first: !self.said.swap(true, Ordering::Relaxed) });
            let partials = InOrder::new(pool);
            let plan = Plan::new(trips - done).expect(cost);
            let start = Instant::now();
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
            let rest = trips - done;
            self.gain().divided(rest, start.elapsed().as_nanos() as f64, rest as f64 * cost);
            results.extend(partials.into_ordered().into_iter().map(|(_, _, partial)| partial));
        }
        Ok(run.finish(at, results))
    }

    fn gain(&self) -> MutexGuard<'_, Gain> {
        self.gain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its runs take so little time that one core does them as soon.
    pub fn too_short(&self) -> bool {
        self.short.load(Ordering::Relaxed) >= SHORT
    }

    /// None where it cannot be computed, or is more than can be counted.
    fn begin(&self, slot: impl Fn(u16) -> u64) -> Option<Begin> {
        let lost = Cell::new(false);
        let unchanged = |at: u16| self.unchanged(&slot, &lost, at);
        let word = |poly: &Poly| Some(number(&self.region, poly, &unchanged)? as i64);
        let by = self.counters.iter().map(|counter| word(&counter.by)).collect::<Option<Vec<i64>>>()?;
        let trips = match self.until {
            Until::Trips(trips) => slot(trips).checked_add(1)?,
            Until::Limit(ref condition) => {
                let limit = number(&self.region, &condition.limit, &|at| self.at_start(&slot, &by, &lost, at))?;
                let far = (limit - i128::from(slot(self.counters.first()?.slot) as i64))
                    * if condition.down { -1 } else { 1 };
                let step = i128::from(by[0].unsigned_abs());
                // The last iteration is the last one before the limit, or that which reaches it.
                let last = far - i128::from(condition.strict);
                let trips = if last < 0 { 0 } else { last.checked_div(step)? + 1 };
                u64::try_from(trips).ok()?
            }
        };
        (!lost.get()).then_some(Begin { trips, by })
    }

    /// A slot's value in the first iteration, if the loop does not change it.
    fn unchanged(&self, slot: &impl Fn(u16) -> u64, lost: &Cell<bool>, at: u16) -> u64 {
        let counts = self.counters.iter().any(|counter| counter.slot == at);
        lost.set(lost.get() || counts || self.written.contains(&at));
        slot(at)
    }

    /// A slot's value in the first iteration: what is proven is proven of the loop from there on, so counters are reckoned
    /// back to it; anything else that the loop writes is not known any more.
    fn at_start(&self, slot: &impl Fn(u16) -> u64, by: &[i64], lost: &Cell<bool>, at: u16) -> u64 {
        let Some(place) = self.counters.iter().position(|counter| counter.slot == at) else {
            return self.unchanged(slot, lost, at);
        };
        let now = slot(self.counters[0].slot);
        let start = match self.start {
            CounterStart::Any | CounterStart::Unknown => now,
            CounterStart::Constant(start) => start as u64,
            CounterStart::Slot(at, add) => self.unchanged(slot, lost, at).wrapping_add(add as u64),
        };
        let far = now.wrapping_sub(start) as i64;
        let done = far.checked_div(by[0]).filter(|done| *done >= 0 && done.checked_mul(by[0]) == Some(far));
        lost.set(lost.get() || done.is_none());
        slot(at).wrapping_sub(by[place].wrapping_mul(done.unwrap_or(0)) as u64)
    }

    /// The first check that does not hold, by what the slots are at the header.
    fn failing(&self, slot: impl Fn(u16) -> u64, by: &[i64]) -> Option<&str> {
        let lost = Cell::new(false);
        let at_start = |at: u16| self.at_start(&slot, by, &lost, at);
        let fails = |check: &EntryCheck| !holds(&self.region, [check], at_start) || lost.get();
        self.checks.iter().find(|(check, _)| fails(check)).map(|(_, words)| words.as_str())
    }

    /// A copy of the loop's frame, with its header.
    fn frame(&self, at: Position) -> Vec<u64> {
        // SAFETY: the frame has its header before it, and so many slots.
        (0..HEADER + usize::from(self.frame_slots)).map(|i| unsafe { at.base().sub(HEADER).add(i).read() }).collect()
    }

    /// Stacks for all who may run chunks; none if there is no memory for them.
    fn make_stacks(&self, slots: usize, count: usize) -> Option<()> {
        let mut stacks = self.stacks.lock().unwrap_or_else(PoisonError::into_inner);
        stacks.retain(|stack| stack.slots() >= HEADER + slots);
        while stacks.len() < count {
            stacks.push(Stack::new(HEADER + slots, self.calls)?);
        }
        Some(())
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

/// What a counter is so many iterations later; one of a narrow type has been checked not to wrap.
fn after(now: u64, by: i64, iterations: u64) -> u64 {
    now.wrapping_add((by as u64).wrapping_mul(iterations))
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
    begin: Begin,
    /// Slots that frames may take from the loop's on: as many as on the program's own stack.
    slots: usize,
    caller: Caller,
}

/// The thread that runs the program.
struct Caller {
    thread: ThreadId,
    native_limit: usize,
}

/// Bytes that a helper's native stack has: as a fiber's, so that the slots end first.
pub const HELPER_STACK: usize = 256 << 20;
/// Bytes at the end of it that native frames leave alone.
const RESERVE: usize = 2 << 20;

/// The slots of a chunk.
enum Stack {
    Small(Vec<u64>),
    /// Committed as it is touched.
    Deep(VmStack),
}

impl Stack {
    fn new(slots: usize, deep: bool) -> Option<Stack> {
        if deep { VmStack::new(slots).ok().map(Stack::Deep) } else { Some(Stack::Small(vec![0; slots])) }
    }

    fn slots(&self) -> usize {
        match self {
            Stack::Small(slots) => slots.len(),
            Stack::Deep(stack) => stack.slots(),
        }
    }

    /// Of the frame's header.
    fn start(&mut self) -> *mut u64 {
        match self {
            Stack::Small(slots) => slots.as_mut_ptr(),
            Stack::Deep(stack) => stack.base().as_ptr(),
        }
    }
}

// SAFETY: a stack is memory that its owner alone uses.
unsafe impl Send for Stack {}

impl Run<'_> {
    /// Runs some iterations, and adds to a partial result.
    fn chunk(&self, lo: u64, hi: u64, partial: &mut [u64]) -> Status {
        let parallel = self.parallel;
        let stack = self.parallel.stacks.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(mut stack) = stack else { unreachable!("there is a stack for each worker") };
        let start = stack.start();
        // SAFETY: the stack has room for the loop's frame and its header.
        let frame = unsafe {
            ptr::copy_nonoverlapping(self.frame.as_ptr(), start, self.frame.len());
            start.add(HEADER)
        };
        // SAFETY: all slots that are named are in the loop's frame, which nobody else knows.
        let read = |slot: u16| unsafe { frame.add(usize::from(slot)).read() };
        // SAFETY: as above.
        let write = |slot: u16, word: u64| unsafe { frame.add(usize::from(slot)).write(word) };
        for (counter, by) in parallel.counters.iter().zip(&self.begin.by) {
            write(counter.slot, after(read(counter.slot), *by, lo));
        }
        let limit = match &parallel.until {
            Until::Trips(trips) => {
                write(*trips, hi - lo - 1);
                None
            }
            Until::Limit(_) if hi == self.begin.trips => None,
            Until::Limit(condition) => {
                let (counter, by) = (&parallel.counters[0], self.begin.by[0]);
                // The chunk's own frame stands `lo` iterations further already.
                let end = after(read(counter.slot), by, hi - lo) as i64;
                let inclusive = i64::from(!condition.strict) * if condition.down { 1 } else { -1 };
                Some(end.wrapping_add(inclusive).wrapping_add(condition.shift))
            }
        };
        for (at, word) in parallel.reduced_slots().zip(parallel.identities(partial)) {
            write(at, word);
        }
        // SAFETY: iterations are independent: nobody stores what this chunk loads, or uses what it stores. The limits are
        // those of this stack and of this thread.
        let computed = unsafe { self.native.compute(frame.add(self.slots), self.native_limit(), frame, limit) };
        let Some(Computed::Left { leave, frame: at }) = computed else { unreachable!("there was room for the frame") };
        let done = at == frame && matches!(leave, Leave::Goes { pc, .. } if pc == parallel.end);
        if !done {
            let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            if ended.as_ref().is_none_or(|other| lo < other.lo) {
                let at = (at as usize - frame as usize) / 8;
                *ended = Some(Ended { lo, stack, at, leave });
            }
            return Status::Stopped(lo);
        }
        let own: Vec<u64> = parallel.reduced_slots().map(read).collect();
        parallel.combine(partial, &own, &self.initial);
        if hi == self.begin.trips {
            // SAFETY: the loop's frame is on the stack.
            let frame = unsafe { std::slice::from_raw_parts(start, self.frame.len()) }.to_vec();
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(frame);
        }
        self.parallel.stacks.lock().unwrap_or_else(PoisonError::into_inner).push(stack);
        Status::Done
    }

    fn native_limit(&self) -> usize {
        if thread::current().id() == self.caller.thread {
            return self.caller.native_limit;
        }
        let here = 0u8;
        // Little of a helper's stack is in use where it runs chunks.
        (&raw const here as usize) - (HELPER_STACK - RESERVE)
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
        Goes::On(at.at(parallel.end, 0))
    }

    /// An error ended the loop: the frame of the lowest chunk that had one is the program's.
    fn resume(self, at: Position) -> Goes {
        let ended = self.ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        let Some(Ended { mut stack, at: inner, leave: Leave::Goes { pc, .. }, .. }) = ended else {
            unreachable!("a chunk that only computes leaves by an error or at its end")
        };
        let private = stack.start().wrapping_add(HEADER);
        // The headers of the frames above the loop's hold addresses of their callers.
        let mut frame = inner;
        while frame > 0 {
            // SAFETY: each frame has its header before it, all in the stack that the chunk ran on.
            let caller = unsafe {
                let place = private.add(frame - HEADER);
                let caller = (*place as usize - private as usize) / 8;
                *place = at.base() as u64 + 8 * caller as u64;
                caller
            };
            frame = caller;
        }
        let slots = (inner + INNERMOST).min(self.slots);
        // SAFETY: the program's stack has as many slots from the loop's frame on as the chunk's had.
        unsafe { ptr::copy_nonoverlapping(private, at.base(), slots) };
        Goes::On(at.at(pc, inner as u32))
    }
}

/// Most slots of a frame.
const INNERMOST: usize = u16::MAX as usize + 1;

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
