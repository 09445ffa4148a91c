//! The trace compiler as a tier: decides what is recorded, keeps the trees, and goes between interpreter and native code.
//!
//! ```text
//!             hot                    recorded, assembled
//!   counting ─────> recording ───────────────────────────> tree: its counter is always 1, so that each pass asks here
//!      ^                │ aborted                           │ exit taken often
//!      └── later ───────┘                                   v
//!                                                        side trace, linked to the exit
//! ```
//!
//! Native code is entered again below itself: it calls functions that are not native yet, whose interpreter comes back
//! here. So nothing is borrowed while a program runs. There is one recording at a time, and others while it goes through a
//! call.

mod clock;
mod contest;
mod foresight;
mod pace;
mod paths;
mod places;
mod profile;
mod room;
mod sizes;
mod standing;
mod trees;
mod values;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use clock::Clock;
pub use clock::{Running, Spent};
use contest::{Contest, QUESTION, Turn};
use pace::Pace;
use paths::Before;
use places::Places;
pub use profile::Profile;
use scaly_interp::interpreter::State;
use scaly_interp::program::{FunctionId, LoopId, Pc, Program};
use scaly_interp::tier::{self, Goes, Loops, NativeCall, Position, Tier};
use scaly_runtime::os::thread_time;
use sizes::Sizes;
use standing::Here;
use trees::Trees;

use crate::backend::{Backend, Job, Left, Refusal, code};
use crate::log::{Abort, CodeMemory, Compiled, Dropped, Event, Log, SideEnd, Start, Statistics};
use crate::optimize::{self, Builder};
use crate::parameters::Parameters;
use crate::recorder::{self, Bounds, Facts, Place, Ran, Recorded, Task};
use crate::trace::{End, ExitId, ExitKind, Op, Root, Trace, TraceId};

/// Who is told where a program is from time to time: the tier above.
pub trait Above {
    /// Native code was asked to leave and has: the interpreter goes on at `at`.
    fn sampled(&self, state: &mut State, at: Position);
}

/// Makes the backend when the first trace is to be assembled, so that a program in which nothing gets hot does not pay
/// for it.
pub type Make<B> = Box<dyn Fn(&Parameters) -> Option<B>>;

/// What multiplies the threshold of a place that is recorded already, in calls around this one, or whose calls are nested too
/// deeply for native code: to ask takes as long as several calls. Without it, a recursion that only goes down takes 1.04
/// times as long as interpreted.
const DOWN: u32 = 16;

/// Sets the counters of a run that begins.
// Inline: it is all that most runs use of this crate, whose code need not come into memory for it.
#[inline]
pub fn set_counters(program: &Program, parameters: &Parameters, state: &mut State) {
    let &Parameters { count, hot, hot_function, warmup, stride, .. } = parameters;
    // Statistics tell of the whole run, and thresholds that are given hold from its beginning.
    if count == 0 && warmup > 0 {
        state.count_some(stride, Duration::from_micros(warmup.into()));
    }
    (0..program.loops.len() as u32).for_each(|i| state.set_loop_counter(LoopId(i), hot));
    (0..program.functions.len() as u32).for_each(|i| state.set_function_counter(FunctionId(i), hot_function));
}

pub struct Tracing<B> {
    facts: Rc<Facts>,
    loops: OnceCell<Loops>,
    sizes: Sizes,
    make: Make<B>,
    /// None inside: there is no code memory, and nothing is recorded.
    backend: OnceCell<Option<B>>,
    parameters: Parameters,
    log: Rc<Log>,
    places: RefCell<Places>,
    trees: RefCell<Trees>,
    /// How often the interpreter entered native code, and how often that left by an exit.
    passes: Cell<(u64, u64)>,
    /// What is recorded: one that goes on, those that go through a call below it.
    under_way: RefCell<Vec<Root>>,
    /// Runs of native code below one another.
    depth: Cell<u32>,
    /// Dropped traces whose code may still be on the native stack.
    leftover: RefCell<Vec<TraceId>>,
    clock: Clock,
    pace: Pace,
    contest: Contest,
    above: OnceCell<Weak<dyn Above>>,
}

impl<B: Backend> Tracing<B> {
    /// Where the backend cannot be made, `make` gives none.
    pub fn new(program: Arc<Program>, make: Make<B>, parameters: Parameters, log: Rc<Log>) -> Tracing<B> {
        Tracing {
            places: RefCell::new(Places::new(&program, &parameters)),
            trees: RefCell::default(),
            facts: Rc::new(Facts::new(program)),
            loops: OnceCell::new(),
            sizes: Sizes::default(),
            make,
            backend: OnceCell::new(),
            parameters,
            passes: Cell::default(),
            under_way: RefCell::default(),
            depth: Cell::new(0),
            leftover: RefCell::default(),
            clock: Clock::new(log.now().cloned()),
            pace: Pace::new(&parameters),
            contest: Contest::new(&parameters),
            above: OnceCell::new(),
            log,
        }
    }

    fn backend(&self) -> Option<&B> {
        let made = self.backend.get_or_init(|| {
            let made = (self.make)(&self.parameters);
            if made.is_none() {
                self.log.event(|| Event::Memory(CodeMemory::Refused));
            }
            made
        });
        made.as_ref()
    }

    /// From now on this is told of samples.
    pub fn tell(&self, above: Weak<dyn Above>) {
        let _ = self.above.set(above);
    }

    /// The flag that makes native code leave; none as long as there is no native code.
    pub fn poll(&self) -> Option<&AtomicU32> {
        self.backend.get()?.as_ref()?.poll()
    }

    /// The same, with what makes native code made ready.
    pub fn prepare(&self) -> Option<&AtomicU32> {
        self.backend()?.poll()
    }

    /// Whether native code was asked to leave; it is not any more.
    pub fn take_poll(&self) -> bool {
        // Nothing else is handed over with the flag.
        self.poll().is_some_and(|poll| poll.load(Ordering::Relaxed) != 0 && poll.swap(0, Ordering::Relaxed) != 0)
    }

    /// A loop or function has something better: its traces and those that call them are dropped.
    pub fn retire(&self, place: Place) {
        let tree = self.places.borrow().get(place).tree;
        if let Some(tree) = tree.filter(|_| !self.places.borrow().recording) {
            self.drop_tree(tree, Dropped::Replaced);
            self.settle();
        }
    }

    /// Runs a loop that was compiled whole; for the statistics.
    pub fn apart<T>(&self, run: impl FnOnce() -> T) -> T {
        let before = self.clock.switch(Running::Region);
        let result = run();
        self.clock.switch(before);
        result
    }

    /// Whether a loop has traces.
    pub fn has_tree(&self, id: LoopId) -> bool {
        self.places.borrow().get(Place::Loop(id)).tree.is_some()
    }

    /// Whether something was recorded.
    pub fn has_recorded(&self) -> bool {
        self.pace.has_recorded()
    }

    /// The loops of the program.
    pub fn loops(&self) -> &Loops {
        self.loops.get_or_init(|| Loops::of(&self.facts.program))
    }

    /// Which way branches nearly always go.
    pub fn profile(&self) -> Profile {
        self.trees.borrow().profile(&self.facts.program)
    }

    /// Processor time that was spent on traces, where that is bounded.
    pub fn spent(&self) -> Duration {
        self.pace.spent()
    }

    fn allows(&self, at: Position) -> bool {
        self.pace.allows(|| self.here(at).standings())
    }

    fn here(&self, at: Position) -> Here<'_> {
        let (program, loops) = (&*self.facts.program, self.loops());
        let traces = self.trees.borrow().next_id().0;
        Here { program, loops, sizes: &self.sizes, at, depth: self.parameters.sample_depth, traces }
    }

    /// Puts what is counted here into statistics.
    pub fn count_into(&self, statistics: &mut Statistics) {
        (statistics.entries, statistics.exits) = self.passes.get();
        statistics.spent = self.clock.spent();
        let loops = self.facts.program.loops.len();
        let (places, trees) = (self.places.borrow(), self.trees.borrow());
        statistics.entered = trees.runs(loops);
        statistics.recorded = (0..loops as u32).map(|i| places.get(Place::Loop(LoopId(i))).recorded).collect();
        if let Some(Some(backend)) = self.backend.get() {
            statistics.code_bytes = backend.used() as u64;
            let loops = 0..self.facts.program.loops.len() as u32;
            statistics.native = loops.map(|i| backend.iterations(LoopId(i))).collect();
        }
    }

    /// A run begins.
    pub fn begin(&self, state: &mut State) {
        set_counters(&self.facts.program, &self.parameters, state);
        self.began(thread_time());
    }

    /// A run whose counters were set has begun, at this processor time.
    pub fn began(&self, at: Duration) {
        if self.parameters.count != 0 || self.clock.followed() {
            self.clock.start();
        }
        self.pace.start(at);
    }

    fn set_counter(&self, state: &mut State, place: Place, count: u32) {
        match place {
            Place::Loop(id) => state.set_loop_counter(id, count),
            Place::Function(id) => state.set_function_counter(id, count),
        }
    }

    /// A counter has come to zero.
    fn hot(&self, state: &mut State, place: Place, at: Position) -> Goes {
        let tree = self.places.borrow().get(place).tree;
        if self.contest.is_due(tree.is_some()) && self.leaves_alone(state, place, at) {
            return Goes::On(at);
        }
        if let Some(tree) = tree {
            if !state.native_room() {
                // Calls are nested deeply, and most of them are below: the interpreter does this one.
                self.set_counter(state, place, self.parameters.hot.saturating_mul(DOWN));
                return Goes::On(at);
            }
            // What would make its stretches longer is not due yet.
            if self.trees.borrow_mut().is_left_early(tree) && !self.allows(at) {
                self.set_counter(state, place, self.parameters.hot.saturating_mul(self.pace.patience()));
                return Goes::On(at);
            }
            if let Some(rest) = self.rests(tree, place, at) {
                self.set_counter(state, place, rest);
                return Goes::On(at);
            }
            self.set_counter(state, place, 1);
            return self.enter(state, tree, at);
        }
        let retry = self.places.borrow().get(place).threshold;
        self.set_counter(state, place, retry);
        let dropped = std::mem::take(&mut self.places.borrow_mut().get_mut(place).dropped);
        let root = match place {
            Place::Loop(id) => Root::Loop(id),
            Place::Function(id) => Root::Function(id),
        };
        let under_way = self.under_way.borrow().contains(&root);
        let recorded = self.places.borrow().recording || under_way;
        if dropped || recorded || !state.native_room() {
            if under_way || !state.native_room() {
                // That lasts as long as calls go down.
                self.places.borrow_mut().wait(place);
                self.set_counter(state, place, retry.saturating_mul(DOWN));
            }
            return Goes::On(at);
        }
        if !self.allows(at) {
            self.places.borrow_mut().wait(place);
            self.set_counter(state, place, retry.saturating_mul(self.pace.patience()));
            return Goes::On(at);
        }
        if let Some(around) = self.is_followed_in(place) {
            self.set_counter(state, Place::Loop(around), 1);
            return Goes::On(at);
        }
        if self.is_in_its_last_iteration(place, at)
            && let Some(soon) = self.places.borrow_mut().soon(place)
        {
            self.set_counter(state, place, soon);
            return Goes::On(at);
        }
        self.settle();
        self.pace.begin();
        let refused = self.backend().is_none();
        self.pace.pause();
        if refused {
            self.set_counter(state, place, u32::MAX);
            return Goes::On(at);
        }
        // What is made is entered whenever the interpreter comes there.
        state.count_always();
        let start = start_of(place);
        self.log.event(|| Event::Hot { start, count: retry });
        let tree = self.trees.borrow().next_id();
        let goes = self.record(
            state,
            at,
            Task {
                root,
                place,
                tree,
                parent: None,
                passed: None,
                specialization: false,
                fix: self.may_fix(0),
                ways: 0,
            },
            start,
        );
        // It mostly ends where it began, and the rest of the loop is native at once; behind the first trace at the next pass,
        // for whoever looks from then on what takes time: the rest of the program may be one stay in native code.
        self.wake(state);
        let made = self.places.borrow().get(place).tree;
        match (goes, made) {
            (Goes::On(to), Some(tree)) if to == at && !self.pace.is_at_first() => self.enter(state, tree, to),
            _ => goes,
        }
    }

    /// Something was recorded, so that more may be: the other loops of a nest are asked at once.
    fn wake(&self, state: &mut State) {
        let waiting = self.places.borrow_mut().take_waiting();
        for place in waiting.into_iter().filter(|&place| self.places.borrow().get(place).tree.is_none()) {
            self.set_counter(state, place, 1);
        }
    }

    /// For how many back edges a tree is left alone, for too little is left of its loop.
    #[inline]
    fn rests(&self, tree: TraceId, place: Place, at: Position) -> Option<u32> {
        let Place::Loop(id) = place else { return None };
        let left = tier::trips_left(&self.facts.program, id, at)?;
        self.trees.borrow_mut().rests(tree, left, self.parameters.short_entry)
    }

    /// The loop around a loop that a trace of that one follows trip by trip, as far as that can be recorded: a trace of its
    /// own is too short to be entered.
    fn is_followed_in(&self, place: Place) -> Option<LoopId> {
        let Place::Loop(id) = place else { return None };
        let around = self.facts.program.loops[id.0 as usize].parent?;
        let small = self.facts.straight(id).is_some_and(|size| size <= u64::from(self.parameters.unroll_size));
        let fails = self.places.borrow().get(Place::Loop(around)).aborts > 0;
        (self.parameters.short_entry > 0 && small && !fails).then_some(around)
    }

    /// Whether a place is a loop that does not come round any more, as far as its frame tells: what is recorded must.
    fn is_in_its_last_iteration(&self, place: Place, at: Position) -> bool {
        matches!(place, Place::Loop(id) if tier::trips_left(&self.facts.program, id, at) == Some(0))
    }

    /// Whether native code is left alone for now, since the interpreter is faster or may be.
    fn leaves_alone(&self, state: &mut State, place: Place, at: Position) -> bool {
        if self.places.borrow().recording {
            return false;
        }
        let turn = self.contest.turn(self.here(at));
        if let Turn::Rest(id, time, times) = turn {
            let (start, milliseconds) = (Start::Loop(id), time.as_millis() as u32);
            self.log.event(|| Event::Rests { start, milliseconds, times });
        }
        let count = match turn {
            Turn::Native => return false,
            Turn::ToNative => 1,
            Turn::ToInterpreter | Turn::Rest(..) => QUESTION,
            Turn::Interpreter => {
                self.set_counter(state, place, QUESTION);
                return true;
            }
        };
        let with_trees: Vec<Place> = self.places.borrow().with_trees().collect();
        with_trees.into_iter().for_each(|place| self.set_counter(state, place, count));
        if count != 1 {
            self.set_counter(state, place, count);
        }
        count != 1
    }

    fn enter(&self, state: &mut State, tree: TraceId, at: Position) -> Goes {
        let mut before = Before::default();
        let quiet = self.trees.borrow_mut().count_entry(tree, at, &mut before);
        if quiet == self.parameters.stable {
            let trees = self.trees.borrow();
            let (start, traces) = (start_of(trees.trace(tree).place), 1 + trees.trace(tree).sides);
            self.log.event(|| Event::TreeStable { tree, start, traces });
        }
        let (outermost, stretch) = (self.depth.get() == 0, self.pace.measure(quiet < self.parameters.stable));
        let left = self.run_native(state, tree, at);
        if let Some(stretch) = stretch {
            let long = self.pace.was_long(stretch, outermost);
            self.trees.borrow_mut().count_stretch(tree, long, &left);
        }
        self.count_iterations(tree, &before, at, &left);
        self.left(state, left, at, false)
    }

    fn run_native(&self, state: &mut State, tree: TraceId, at: Position) -> Left {
        let Some(backend) = self.backend() else { return Left::Abandoned };
        self.depth.set(self.depth.get() + 1);
        let before = self.clock.switch(Running::Native);
        let left = backend.enter(tree, state, at);
        self.clock.switch(before);
        self.depth.set(self.depth.get() - 1);
        let (entries, exits) = self.passes.get();
        self.passes.set((entries + 1, exits + u64::from(matches!(left, Left::Exit { .. }))));
        left
    }

    /// Where the interpreter goes on behind native code that ran on the frame at `at`.
    /// `follow`: its exit is hot, however seldom it was taken.
    fn left(&self, state: &mut State, left: Left, at: Position, follow: bool) -> Goes {
        let (exit, root, via) = match left {
            Left::Returned => return tier::returned(state, at),
            Left::Abandoned => return Goes::Stopped,
            Left::Exit { exit, root, via } => (exit, root, via),
        };
        let polled = self.take_poll();
        let (kind, to, hoisted, hot) = {
            let mut trees = self.trees.borrow_mut();
            let data = trees.exit_of(exit);
            let (kind, to, hoisted) = (data.snapshot.kind, root.at(data.snapshot.pc, data.base), data.hoisted);
            // What a caller did not expect is the caller's to follow if the callee's loop has ended, else the callee's.
            let taken = match (kind, via) {
                (ExitKind::Leave, Some(via)) => Some((via, Some(exit))),
                (ExitKind::Leave, None) | (ExitKind::Outcome, _) => None,
                _ => Some((exit, None)),
            };
            (kind, to, hoisted, taken.filter(|&(taken, _)| !polled && (trees.count_exit(taken) || follow)))
        };
        if kind == ExitKind::Outcome {
            return tier::stopped_in_routine(state, to);
        }
        if polled {
            if let Some(above) = self.above.get().and_then(Weak::upgrade) {
                above.sampled(state, to);
            }
            return Goes::On(to);
        }
        if hoisted && via.is_none() && self.failed_before_loop(state, exit) {
            return Goes::On(to);
        }
        match hot {
            Some((taken, passed)) if !self.places.borrow().recording && state.native_room() => {
                if !follow && !self.allows(to) {
                    self.trees.borrow_mut().delay_exit(taken, self.parameters.hot_exit);
                    return Goes::On(to);
                }
                self.trees.borrow_mut().keep_share(taken);
                if !follow && kind == ExitKind::Resume && self.is_common(state, taken) {
                    return Goes::On(to);
                }
                self.hot_exit(state, taken, passed, to)
            }
            _ => Goes::On(to),
        }
    }

    /// A check that was moved before a loop has failed. Where that happens again, the checks go back into the loop: its
    /// tree is dropped, and recorded anew. True if it was.
    fn failed_before_loop(&self, state: &mut State, exit: ExitId) -> bool {
        let tree = {
            let mut trees = self.trees.borrow_mut();
            let data = trees.exit(exit);
            let (trace, again) = (data.trace, data.count >= 2);
            Some(trees.trace(trace).tree).filter(|_| again)
        };
        let Some(tree) = tree.filter(|_| !self.places.borrow().recording) else { return false };
        let place = self.trees.borrow().trace(tree).place;
        self.places.borrow_mut().get_mut(place).hoist = false;
        self.record_anew(state, tree, Dropped::Replaced);
        true
    }

    /// Drops a tree, to be recorded anew when its loop comes round next.
    fn record_anew(&self, state: &mut State, tree: TraceId, why: Dropped) {
        let place = self.trees.borrow().trace(tree).place;
        self.drop_tree(tree, why);
        self.settle();
        self.places.borrow_mut().get_mut(place).dropped = false;
        self.set_counter(state, place, 1);
    }

    /// Grows a side trace from an exit that is taken often.
    fn hot_exit(&self, state: &mut State, exit: ExitId, passed: Option<ExitId>, at: Position) -> Goes {
        let (task, start) = {
            let mut trees = self.trees.borrow_mut();
            let trace = trees.exit(exit).trace;
            let tree = trees.trace(trace).tree;
            if trees.trace(trace).dropped || self.under_way.borrow().contains(&Root::Side(exit)) {
                return Goes::On(at);
            }
            let place = trees.trace(tree).place;
            let specialization = trees.exit(exit).entry && trees.may_specialize(tree, self.parameters.specializations);
            if specialization
                && self.is_in_its_last_iteration(place, at)
                && let Some(soon) = self.places.borrow_mut().soon(place)
            {
                trees.delay_exit(exit, soon);
                return Goes::On(at);
            }
            let data = trees.exit(exit);
            let (count, snapshot, types) = (data.count, data.snapshot.clone(), data.types.clone());
            let start = Start::Side { exit, of: trace, at: at.pc() };
            self.log.event(|| Event::ExitHot { exit, of: trace, at: at.pc(), count });
            if trees.trace(tree).sides >= self.parameters.max_side_traces {
                trees.rest_exit(exit, self.parameters.blacklist);
                let (at_pc, retry) = (at.pc(), trees.exit(exit).threshold);
                self.log.event(|| Event::Abort { start, reason: Abort::TooManySideTraces, at: at_pc, retry });
                return Goes::On(at);
            }
            let (root, parent) = (Root::Side(exit), Some((snapshot, types)));
            let fix = self.may_fix(trees.trace(tree).fixes);
            let ways = trees.ways(exit);
            (Task { root, place, tree, parent, passed, specialization, fix, ways }, start)
        };
        self.record(state, at, task, start)
    }

    fn record(&self, state: &mut State, at: Position, task: Task, start: Start) -> Goes {
        let parameters = &self.parameters;
        let side = matches!(task.root, Root::Side(_));
        let bounds = Bounds {
            instructions: parameters.max_trace as usize,
            depth: parameters.inline_depth as usize,
            size: parameters.inline_size,
            branches: if side { parameters.side_branches as usize } else { usize::MAX },
            unrolled: parameters.unroll,
            // What became too long so is recorded with calls of the trees.
            unrolled_size: if self.attempts(&task) == 0 { parameters.unroll_size.into() } else { 0 },
            callees: parameters.callees,
            count: parameters.count != 0,
            forced: self.forced(),
        };
        self.log.event(|| Event::Record { start, attempt: self.attempts(&task) + 1 });
        self.places.borrow_mut().recording = true;
        self.under_way.borrow_mut().push(task.root);
        let known = self.trees.borrow().next_id();
        self.pace.begin();
        let before = self.clock.switch(Running::Recording);
        let Recorded { result, pc, goes } = recorder::record(state, at, self.facts.clone(), task.clone(), bounds, self);
        self.clock.switch(before);
        self.places.borrow_mut().recording = false;
        self.under_way.borrow_mut().pop();
        let result =
            result.and_then(
                |builder| if self.has_lost_a_tree(&builder, &task) { Err(Abort::TreeDropped) } else { Ok(builder) },
            );
        match result.and_then(|builder| self.compile(builder, &task, start)) {
            Ok(trace) => self.publish(state, &task, trace),
            Err(abort) => {
                let grown = self.trees.borrow().next_id() != known;
                self.aborted(state, &task, start, abort, pc, grown);
            }
        }
        self.pace.end();
        goes
    }

    /// Whether a tree that a recording belongs to, or calls, was dropped while it went through a call.
    fn has_lost_a_tree(&self, builder: &Builder, task: &Task) -> bool {
        let trees = self.trees.borrow();
        let own = match task.root {
            Root::Side(exit) => Some(trees.exit_of(exit).trace),
            Root::Loop(_) | Root::Function(_) => None,
        };
        let called = builder.trace.insts.iter().filter_map(|inst| match inst.op {
            Op::CallTree { tree, .. } => Some(tree),
            _ => None,
        });
        own.into_iter().chain(called).any(|trace| trees.trace(trace).dropped)
    }

    /// Whether values may be fixed in one more of a tree's traces. Those that come behind are for all others.
    fn may_fix(&self, fixes: u32) -> bool {
        fixes < self.parameters.fixed_divisors && self.parameters.specializations > 0
    }

    /// The seed of exits without a reason, another one for each trace; 0 if there are to be none.
    fn forced(&self) -> u64 {
        let next = u64::from(self.trees.borrow().next_exit().0);
        u64::from(self.parameters.forced_exits) * (next << 32 | 1)
    }

    fn attempts(&self, task: &Task) -> u32 {
        match task.root {
            Root::Side(exit) => self.trees.borrow_mut().exit(exit).aborts,
            Root::Loop(_) | Root::Function(_) => self.places.borrow().get(task.place).aborts,
        }
    }

    fn compile(&self, builder: Builder, task: &Task, start: Start) -> Result<TraceId, Abort> {
        let (began, before) = (Instant::now(), self.clock.switch(Running::Compiler));
        let made = self.assemble(builder, task, start, began);
        self.clock.switch(before);
        made
    }

    fn assemble(&self, builder: Builder, task: &Task, start: Start, began: Instant) -> Result<TraceId, Abort> {
        let (before, fixes) = (builder.trace.insts.len() as u32, builder.fixes);
        let hoist = self.places.borrow().get(task.place).hoist;
        let finished = optimize::finish(builder, &*self.facts, hoist);
        let trace = &finished.trace;
        if trace.snapshots.len() > self.parameters.max_exits as usize {
            return Err(Abort::TooManyExits);
        }
        let (id, first_exit, returns) = {
            let trees = self.trees.borrow();
            (trees.next_id(), trees.next_exit(), trees.returns(trace, task))
        };
        self.log.ir(id, || trace.to_string());
        let Some(backend) = self.backend() else { return Err(Abort::CodeMemoryRefused) };
        let job = Job { id, trace, first_exit, returns: &returns };
        let assembled = match backend.assemble(job) {
            Err(Refusal::NoRoom) => {
                self.log.event(|| Event::Memory(CodeMemory::Full { used: backend.used() }));
                self.make_room(backend, trace, task);
                backend.assemble(job)
            }
            assembled => assembled,
        };
        let assembled = assembled.map_err(|refusal| match refusal {
            Refusal::NoRoom => Abort::CodeMemoryFull,
            Refusal::NoMemory => {
                self.log.event(|| Event::Memory(CodeMemory::Refused));
                Abort::CodeMemoryRefused
            }
            Refusal::Spills => Abort::TooManyValues,
        })?;
        self.trees.borrow_mut().add(&finished, task, fixes, self.parameters.hot_exit);
        self.log.event(|| {
            Event::Compiled(Compiled {
                trace: id,
                start,
                before,
                after: trace.insts.len() as u32,
                exits: trace.snapshots.len() as u32,
                bytes: assembled.bytes as u32,
                microseconds: u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX),
            })
        });
        self.log.asm(id, || backend.listing(id));
        if fixes || task.specialization {
            self.told_values(id, task, trace);
        }
        if let Root::Side(exit) = task.root {
            self.told_side(id, task, exit, trace);
        }
        Ok(id)
    }

    fn told_values(&self, id: TraceId, task: &Task, trace: &Trace) {
        let Place::Loop(of) = task.place else { return };
        let values = values::conditions(trace, &self.facts.program, of);
        let number = {
            let trees = self.trees.borrow();
            trees.trace(task.tree).specializations + trees.trace(task.tree).fixes
        };
        self.log.event(|| Event::Specialized { trace: id, start: Start::Loop(of), values: &values, number });
    }

    fn told_side(&self, id: TraceId, task: &Task, exit: ExitId, trace: &Trace) {
        let end = match trace.end {
            End::Loop(_) | End::Link(..) => SideEnd::Loop,
            End::Leave(_) => SideEnd::Leaves,
            End::Return => SideEnd::Returns,
        };
        let mut trees = self.trees.borrow_mut();
        let at = trees.exit(exit).snapshot.pc;
        let of = trees.exit(exit).trace;
        let count = trees.trace(task.tree).sides;
        self.log.event(|| Event::SideTrace { trace: id, tree: task.tree, exit, at, end, count });
        self.log.event(|| Event::Link { exit, of, at, to: id });
    }

    fn publish(&self, state: &mut State, task: &Task, trace: TraceId) {
        let Some(backend) = self.backend() else { return };
        if let Root::Side(exit) = task.root {
            backend.link(exit, trace);
            return;
        }
        self.places.borrow_mut().get_mut(task.place).tree = Some(trace);
        self.set_counter(state, task.place, 1);
        if let Place::Function(id) = task.place {
            backend.publish(id, Some(trace));
        }
    }

    /// Tries again later; after several attempts much later. `grown`: at least there are traces now that it can use.
    fn aborted(&self, state: &mut State, task: &Task, start: Start, reason: Abort, at: Pc, grown: bool) {
        let parameters = &self.parameters;
        if let (true, Root::Loop(_) | Root::Function(_)) = (grown, task.root) {
            let retry = self.places.borrow().get(task.place).threshold;
            self.set_counter(state, task.place, retry);
            self.log.event(|| Event::Abort { start, reason, at, retry });
            return;
        }
        let (retry, attempts) = match task.root {
            Root::Side(exit) => {
                let mut trees = self.trees.borrow_mut();
                let retry =
                    self.places.borrow_mut().later(trees.exit(exit).threshold, trees.exit(exit).aborts, parameters);
                let data = trees.exit(exit);
                (data.threshold, data.count) = (retry, 0);
                data.aborts += 1;
                (retry, data.aborts)
            }
            Root::Loop(_) | Root::Function(_) => {
                let mut places = self.places.borrow_mut();
                let place = *places.get(task.place);
                let retry = places.later(place.threshold, place.aborts, parameters);
                let place = places.get_mut(task.place);
                place.threshold = retry;
                place.aborts += 1;
                let attempts = place.aborts;
                drop(places);
                self.set_counter(state, task.place, retry);
                (retry, attempts)
            }
        };
        self.log.event(|| Event::Abort { start, reason, at, retry });
        if attempts.is_multiple_of(parameters.attempts) {
            self.log.event(|| Event::Blacklisted { start, attempts, reason, retry });
        }
    }
}

fn start_of(place: Place) -> Start {
    match place {
        Place::Loop(id) => Start::Loop(id),
        Place::Function(id) => Start::Function(id),
    }
}

impl<B: Backend> Tier for Tracing<B> {
    fn hot_loop(&self, state: &mut State, id: LoopId, at: Position) -> Goes {
        self.hot(state, Place::Loop(id), at)
    }

    fn hot_function(&self, state: &mut State, id: FunctionId, at: Position) -> Goes {
        self.hot(state, Place::Function(id), at)
    }

    fn finish_call(&self, state: &mut State, call: NativeCall) -> bool {
        tier::mark_nested(call.frame);
        self.pace.interprets();
        let before = self.clock.switch(Running::Interpreter);
        let goes = match call.code {
            code::INTERPRET if state.count_call(call.function) => self.hot_function(state, call.function, call.frame),
            code::INTERPRET => Goes::On(call.frame),
            exit => {
                let via = (call.via != 0).then_some(ExitId(call.via));
                let left = Left::Exit { exit: ExitId(exit), root: call.frame.of_frame(call.root), via };
                self.left(state, left, call.frame, false)
            }
        };
        let returned = tier::run_nested(state, call.frame, goes);
        self.clock.switch(before);
        returned
    }
}

impl<B: Backend> recorder::Trees for Tracing<B> {
    fn tree_of(&self, id: LoopId) -> Option<TraceId> {
        self.places.borrow().get(Place::Loop(id)).tree
    }

    fn back_edge(&self, id: LoopId) {
        self.places.borrow_mut().get_mut(Place::Loop(id)).recorded += 1;
    }

    fn run(&self, state: &mut State, tree: TraceId, at: Position) -> Ran {
        if !state.native_room() {
            return Ran::Else(Goes::On(at));
        }
        self.trees.borrow_mut().count_run(tree);
        let left = self.pace.apart(|| self.run_native(state, tree, at));
        if let Left::Exit { exit, root, via: None } = left {
            let mut trees = self.trees.borrow_mut();
            let snapshot = &trees.exit(exit).snapshot;
            if snapshot.kind == ExitKind::Leave {
                return Ran::Done(exit, root.at(snapshot.pc, snapshot.base()));
            }
        }
        // The recording has come to nothing. What it needs is a trace of the path that was taken here; left to itself it
        // may never come: interpreted, the loop is entered behind its first iteration.
        self.places.borrow_mut().recording = false;
        Ran::Else(self.left(state, left, at, true))
    }

    fn apart(&self, run: &mut dyn FnMut() -> bool) -> bool {
        self.places.borrow_mut().recording = false;
        // The code of what is dropped meanwhile stays: the recording is about it.
        self.depth.set(self.depth.get() + 1);
        let before = self.clock.switch(Running::Interpreter);
        let went = self.pace.apart(run);
        self.clock.switch(before);
        self.depth.set(self.depth.get() - 1);
        self.places.borrow_mut().recording = true;
        went
    }
}
