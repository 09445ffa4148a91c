//! A loop whose iterations are independent, on all cores.
//!
//! A chunk runs the same code as the whole loop, on a private copy of the frame whose counter and remaining trips are
//! those of the chunk. What it leaves in its frame is combined at the join: reductions in the order of the iterations,
//! everything else from the last chunk. An error in a chunk is the program's if no chunk before it has one; its frame is
//! then the program's, and the interpreter raises it.

#![allow(unsafe_code)]

mod gathered;
mod own;
mod reductions;
mod rooms;
mod run;
mod stretches;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use scaly_interp::interpreter::{Helper, State};
use scaly_interp::program::{LoopId, LoopKind, Pc, Program};
use scaly_interp::room;
use scaly_interp::tier::{Goes, Position};
use scaly_runtime::pool::{Chunk, InOrder, Pieces, Plan, Pool, Status};
use scaly_runtime::vm_stack::DEFAULT_SLOTS;
use scaly_tracer::explain::{Judge, check_in_words};
use scaly_tracer::independence::{
    Condition, Counter, CounterStart, EntryCheck, Poly, Refusal, Verdict, holds, number, wanted,
};
use scaly_tracer::parameters::Parameters;
use scaly_tracer::region::{ExitKind, Op, Region};

use super::analysis::Why;
use super::gain::{Gain, Next};
use crate::interrupt::{self, Cutoff};
use crate::lower::Needs;
use crate::lower::native_stack::{self, BYTES_PER_SLOT};
use crate::native::Native;
use gathered::{Arrays, NoRoom};
use own::{Annexed, Regions, Stack};
use reductions::{Partial, Reductions};
use rooms::Rooms;
use run::{Caller, Run};
use stretches::Stretches;

pub use own::{HELPER_STACK, RESERVE};

/// What is known of an independent loop.
pub struct Parallel {
    region: Region,
    /// With their words.
    checks: Vec<(EntryCheck, String)>,
    /// Where it appends to arrays.
    rooms: Rooms,
    start: CounterStart,
    /// Slots that the loop writes, counters apart.
    written: Vec<u16>,
    reductions: Reductions,
    /// That it gathers.
    arrays: Arrays,
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
    /// Nanoseconds of an iteration that can be shared, times [`COST`], as last measured; 0: never.
    cost: AtomicU64,
    said: AtomicBool,
    /// Runs in a row that were too short.
    short: AtomicU32,
    gain: Mutex<Gain>,
    parameters: Parameters,
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

/// What was measured of an iteration.
struct Iteration {
    /// Nanoseconds on one core.
    cost: f64,
    /// Appended to arrays.
    bytes: f64,
}

/// Slots of a header, before each frame.
const HEADER: usize = 2;

/// Whether this thread's native stack does not end before so many slots do.
fn has_native_room(state: &State, slots: usize) -> bool {
    let here = 0u8;
    (&raw const here as usize).saturating_sub(state.native_limit()) >= slots * BYTES_PER_SLOT + native_stack::LAST
}

/// Nanoseconds for each worker that the first iterations together take whose arrays are put together.
const FIRST_BATCH: f64 = 1e6;

/// How much finer than by nanoseconds costs are kept.
const COST: f64 = 16.0;

/// How many times as long as compiled whole an iteration may take in traces or interpreted.
const SLOWER: f64 = 64.0;

/// The worker that calls a loop.
const CALLER: usize = 0;

/// Where chunks run.
#[derive(Clone, Copy)]
pub struct Cores<'a> {
    pub pool: &'a Pool,
    pub helpers: &'a Helpers,
    /// Memory is: what suffices for one part at a time may not for several.
    pub limited: bool,
}

/// Helpers that no loop needs.
#[derive(Default)]
pub struct Helpers(Mutex<Vec<Helper>>);

impl Helpers {
    /// So many, each with annexes of the regions; none if there is no memory for them.
    fn annexed(&self, state: &State, regions: &Regions, count: usize) -> Option<Vec<Annexed>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = || kept.pop().unwrap_or_else(|| Helper::of(state));
        // SAFETY: the regions are the program's, which waits until the loop is done.
        (0..count).map(|_| unsafe { regions.annexed(next()) }).collect()
    }

    fn put(&self, helper: Helper) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(helper);
    }
}

/// How long the pieces of a loop are.
fn pieces(parameters: &Parameters) -> Pieces {
    let Parameters { chunk_time, chunk_growth, split_awake, split_asleep, .. } = *parameters;
    Pieces { chunk_ns: chunk_time, growth: chunk_growth, awake_ns: split_awake, asleep_ns: split_asleep }
}

/// Why not all iterations have been made.
enum Stop {
    /// One of them came to an error.
    Iteration,
    NoRoom(NoRoom),
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
    pub fn of(program: &Program, judge: &mut Judge<'_>, id: LoopId, parameters: Parameters) -> Result<Parallel, Why> {
        let scope = &program.loops[id.0 as usize];
        let header = Pc(scope.code.start);
        let (region, verdict) = judge.judge(id);
        let found = match verdict {
            Verdict::Serial(refusals) => {
                let first = refusals.first();
                let why = |refusal: &Refusal| Why { text: refusal.text(), help: refusal.help(), at: refusal.pc };
                return Err(first.map_or_else(|| Why::new("it is serial", header), why));
            }
            Verdict::Independent(found) => *found,
        };
        let Ok(region) = region else { return Err(Why::new("its region is open", header)) };
        let calls = region.insts.iter().any(|i| matches!(i.op, Op::Call(_) | Op::CallAny(_)));
        if found.start == CounterStart::Unknown {
            return Err(Why::new("where it began is not known when it is entered in the middle", header));
        }
        let until = match (scope.kind, found.condition) {
            (LoopKind::Counted { counter }, _) => Until::Trips(counter + 1),
            (LoopKind::Open, Some(condition)) => Until::Limit(condition),
            (LoopKind::Open, None) => return Err(Why::new("its condition counts nothing", header)),
        };
        let reductions = Reductions::of(&region, &found.reductions);
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
            rooms: Rooms::of(program, found.rooms),
            start: found.start,
            written,
            region,
            reductions,
            arrays: Arrays::of(&found.gathered),
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
            gain: Mutex::new(Gain::new(&parameters)),
            parameters,
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
        state: &mut State,
        at: Position,
        Cores { pool, helpers, limited }: Cores<'_>,
        forced: bool,
        tell: impl Fn(Turn),
    ) -> Result<Goes, Alone<'_>> {
        if self.condition().is_some() && !native.can_end_early() {
            return Err(Alone::Other("its condition is not found in what was compiled"));
        }
        if matches!(native.needs(), Needs::Program(_)) {
            return Err(Alone::Other("a function that it calls is not compiled with it"));
        }
        let slots = (state.slots_limit() as usize).saturating_sub(at.base() as usize) / 8;
        if self.calls && slots > DEFAULT_SLOTS {
            return Err(Alone::Other("the stack is so large that native ones would end first"));
        }
        if !native.is_exact() {
            return Err(Alone::Other(
                "the functions that it calls are too many to be compiled for the end of a stack too",
            ));
        }
        if !native.slots_end_first() {
            return Err(Alone::Other(
                "a function that it calls needs so much of the native stack that it could end first",
            ));
        }
        if !interrupt::is_possible() {
            return Err(Alone::Other("the system gives no way to end iterations behind an error"));
        }
        if !native.has_room(state, at) || (self.calls && !has_native_room(state, slots)) {
            return Err(Alone::Other("calls are nested too deeply around it"));
        }
        // SAFETY: the frame is one of the loop's function.
        let slot = |slot: u16| unsafe { at.base().add(usize::from(slot)).read() };
        let known = self.cost.load(Ordering::Relaxed);
        let worth = |trips: u64, cost: f64| forced || trips as f64 * cost >= f64::from(self.parameters.divided);
        let long = |trips: u64| {
            let long = trips >= 2 && (known == 0 || worth(trips, known as f64 / COST));
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
        let reductions = &self.reductions;
        let initial: Vec<u64> = reductions.slots().map(slot).collect();
        if !reductions.begin_within(&initial) {
            return Err(Alone::Check("what is wrapped to a type as it accumulates begins as a value of that type"));
        }
        let next = if forced { Next::Divided } else { self.gain().next() };
        if next == Next::Alone {
            return Err(Alone::Slower);
        }
        let slots = if self.calls { slots } else { native.frame_slots() as usize };
        // One more than can run: that of the first error is kept.
        let count = pool.workers() + 1;
        self.make_stacks(slots, count).ok_or(Alone::Other("there is no memory for the frames of its parts"))?;
        let (mut regions, mut annexed) = (Regions::default(), None);
        if native.needs() == Needs::Routines {
            if limited {
                return Err(Alone::Other(
                    "memory is limited, and its parts would take more of it than one after the other",
                ));
            }
            // A handle that is used behind the loop would be the last part's.
            let handles = native.regions().filter(|slots| !slots.iter().any(|slot| self.left.contains(slot)));
            let no_region = Alone::Other("in which region it allocates is not known where it is entered");
            let known = handles.filter(|slots| self.arrays.handles().all(|handle| slots.contains(&handle)));
            regions = known.and_then(|slots| Regions::of(state, slots, slot)).ok_or(no_region)?;
            let no_helpers = Alone::Other("there is no memory for the regions of its parts");
            annexed = Some(Mutex::new(helpers.annexed(state, &regions, count).ok_or(no_helpers)?));
        }
        let frame = self.frame(at);
        let run = Run {
            parallel: self,
            native,
            frame,
            initial: initial.clone(),
            ended: Mutex::new(None),
            last: Mutex::new(None),
            begin,
            slots,
            caller: Caller::of(state),
            cutoff: Cutoff::new(pool.workers()),
            regions,
            annexed,
            helpers,
        };
        // What an iteration costs is measured on the first ones. Where one takes longer than that may, others would wait for it.
        let start = Instant::now();
        let (mut done, mut pilot) = (0, 1);
        let mut partial = reductions.first(&initial, self.arrays.whole(slot));
        let before = self.arrays.bytes(&partial.appended);
        let known = known as f64 / COST;
        let piloted = forced || known < f64::from(self.parameters.pilot);
        let cost = loop {
            if !piloted {
                break known + self.behind(0.0);
            }
            let to = trips.min(done + pilot);
            if run.chunk(CALLER, done, to, &mut partial) != Status::Done {
                return Ok(run.resume(state, at));
            }
            done = to;
            let took = start.elapsed().as_nanos() as f64;
            if took >= f64::from(self.parameters.pilot) || done == trips || forced {
                break took / done as f64;
            }
            pilot *= 2;
        };
        // Bytes that the first iterations have appended tell how many at a time are to be divided.
        let bytes = (self.arrays.bytes(&partial.appended) - before) as f64 / done.max(1) as f64;
        let mut measured = Iteration { cost, bytes };
        let shared = self.shared(&measured);
        if piloted {
            self.costs(shared.max(1.0 / COST));
        }
        if done < trips && next == Next::Divided && !worth(trips - done, shared) {
            if run.chunk(CALLER, done, trips, &mut partial) != Status::Done {
                return Ok(run.resume(state, at));
            }
            done = trips;
        }
        let mut stretches = Stretches::new(self.parameters.stretch, pool.workers(), cost, forced);
        let (mut how, mut doubtful) = (next, false);
        while done < trips {
            let (start, to) = (Instant::now(), stretches.end(done, trips, how));
            if how == Next::Divided {
                self.short.store(0, Ordering::Relaxed);
                tell(Turn::Parallel { first: !self.said.swap(true, Ordering::Relaxed) });
                match self.divide(&run, state, pool, done..to, &mut measured, &mut partial) {
                    Ok(()) => {}
                    Err(Stop::Iteration) => return Ok(run.resume(state, at)),
                    Err(Stop::NoRoom(room)) => return Ok(run.fail(state, at, room)),
                }
            } else if run.chunk(CALLER, done, to, &mut partial) != Status::Done {
                return Ok(run.resume(state, at));
            }
            let (made, took) = (to - done, start.elapsed().as_nanos() as f64);
            let expected = made as f64 * cost;
            stretches.made(how, made, took, took >= expected);
            doubtful |= how == Next::Divided && took >= expected;
            match how {
                Next::Divided if self.gain().divided(made, took, expected) => tell(Turn::Back),
                Next::Trial => self.gain().tried(made, took),
                _ => {}
            }
            done = to;
            if done < trips {
                how = match how {
                    // Both ways are to be tested.
                    Next::Divided if forced => Next::Alone,
                    _ if forced => Next::Divided,
                    _ => self.gain().next(),
                };
            }
        }
        if !piloted {
            // It is no more than all together took; what is taken for slower on all cores may only have become longer.
            let most = start.elapsed().as_nanos() as f64 * pool.workers() as f64 / trips as f64;
            self.costs(if doubtful { 0.0 } else { most.min(known) });
        }
        Ok(run.finish(at, &partial))
    }

    /// An iteration has taken so long before the loop was compiled. That counts if it takes long then, too, as long as
    /// nothing is measured.
    pub fn expect(&self, trip: Duration) {
        let trip = trip.as_nanos() as f64;
        if self.cost.load(Ordering::Relaxed) == 0 && trip >= SLOWER * f64::from(self.parameters.pilot) {
            self.costs(trip);
        }
    }

    /// An iteration takes so many nanoseconds on one core; 0: that is to be measured.
    fn costs(&self, nanoseconds: f64) {
        self.cost.store((nanoseconds * COST) as u64, Ordering::Relaxed);
    }

    /// Runs some iterations on all cores, and adds to the partial result of those before.
    fn divide(
        &self,
        run: &Run<'_>,
        state: &State,
        pool: &Pool,
        iterations: Range<u64>,
        measured: &mut Iteration,
        partial: &mut Partial,
    ) -> Result<(), Stop> {
        let (reductions, initial) = (&self.reductions, &run.initial);
        // Neither all terms of sums whose order matters nor all that is appended is kept at the same time.
        let most = u64::from(self.parameters.terms);
        let by_terms = most.checked_div(reductions.terms() as u64).unwrap_or(u64::MAX).max(1);
        // How much is appended may change: as much again is a guess, and four times as much.
        let workers = pool.workers() as u64;
        let begin = ((FIRST_BATCH * workers as f64 / measured.cost) as u64).max(workers);
        let mut by_bytes = if self.arrays.is_empty() { u64::MAX } else { begin.max(iterations.start) };
        let mut done = iterations.start;
        while done < iterations.end {
            by_bytes = by_bytes.min((most as f64 * 8.0 / measured.bytes) as u64).max(1);
            let to = iterations.end.min(done.saturating_add(by_terms.min(by_bytes)));
            by_bytes = by_bytes.saturating_mul(4);
            let partials = InOrder::new(pool);
            let plan = Plan::new(to - done).expect(measured.cost).pieces(pieces(&self.parameters));
            let status = state.run_loop(pool, &plan, &|chunk: &Chunk<'_>| {
                let (lo, hi) = (done + chunk.lo, done + chunk.hi);
                let later = || reductions.later(initial, self.arrays.parts());
                let add = |partial: &mut Partial| run.chunk(chunk.worker, lo, hi, partial);
                match partials.with(chunk, later, add) {
                    Status::Stopped(k) => Status::Stopped(k - done),
                    Status::Done => Status::Done,
                }
            });
            if status != Status::Done {
                return Err(Stop::Iteration);
            }
            let before = self.arrays.bytes(&partial.appended);
            for (_, _, mut later) in partials.into_ordered() {
                let appended = std::mem::replace(&mut later.appended, self.arrays.parts());
                reductions.join(partial, later, initial);
                // SAFETY: no chunk runs; their regions are annexes, which are joined behind the loop.
                unsafe { self.arrays.append(&mut partial.appended, &appended) }.map_err(Stop::NoRoom)?;
            }
            measured.bytes = (self.arrays.bytes(&partial.appended) - before) as f64 / (to - done) as f64;
            done = to;
        }
        Ok(())
    }

    /// Nanoseconds of an iteration that can be shared.
    fn shared(&self, &Iteration { cost, bytes }: &Iteration) -> f64 {
        cost - self.behind(bytes)
    }

    /// What an iteration that appends so many bytes loses since these, and terms of sums, are put in order behind it: that
    /// is done by one core, and what the others gain must make up for it.
    fn behind(&self, bytes: f64) -> f64 {
        let Parameters { term, byte, .. } = self.parameters;
        2.0 * (self.reductions.terms() as f64 * f64::from(term) + bytes * f64::from(byte)) / 1000.0
    }

    fn gain(&self) -> MutexGuard<'_, Gain> {
        self.gain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its runs take so little time that one core does them as soon.
    pub fn too_short(&self) -> bool {
        self.short.load(Ordering::Relaxed) >= self.parameters.short_runs
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
        let fails = |check: &EntryCheck| !holds(&self.region, [check], at_start, room::capacity) || lost.get();
        self.checks.iter().find(|(check, _)| fails(check)).map(|(_, words)| words.as_str())
    }

    pub fn reductions(&self) -> &Reductions {
        &self.reductions
    }

    /// Instructions that are taken to find room; a region of the loop for machine code has guards there.
    pub fn rooms(&self) -> &BTreeSet<Pc> {
        &self.rooms.looks
    }

    /// Sees to it that the arrays to which a run of the loop appends have room for that, if there is memory for it and it
    /// is known how much. Without it the loop is left and entered again wherever there is none.
    pub fn make_room(&self, at: Position) {
        if self.rooms.looks.is_empty() {
            return;
        }
        // SAFETY: the frame is one of the loop's function.
        let slot = |slot: u16| unsafe { at.base().add(usize::from(slot)).read() };
        let Some(begin) = self.begin(slot) else { return };
        for (check, _) in &self.checks {
            let lost = Cell::new(false);
            let at_start = |at: u16| self.at_start(&slot, &begin.by, &lost, at);
            if let Some((place, bytes)) = wanted(&self.region, check, at_start)
                && !lost.get()
            {
                self.rooms.make(at, place, bytes);
            }
        }
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_and_the_table_have_the_same_defaults() {
        assert_eq!(pieces(&Parameters::default()), Pieces::default());
    }
}
