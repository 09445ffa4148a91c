//! One worker that runs tasks until the main one is done.
//!
//! Each turn gives a task a native stack from a small supply and resumes it. The task comes back by return (the stack
//! is free again) or, switched away inside native code, keeps it. Fibers woken by a completion run before those that
//! merely yielded; among equals the order is that of waking, so a run is repeatable as far as the world is.
//!
//! ```text
//!            spawn                resume               Done
//!   ────────────────────> ready ────────> running ──────────> gone
//!                          ^  ^              │  │
//!                          │  └── Yield, ────┘  │ Park, or a join
//!                          │      suspend       v
//!                          └─── completed ── waiting
//! ```
//!
//! A fiber joins when its parallel loop has only parts left that other threads run ([`Worker::run_loop`]).

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::Fiber;
use super::join::{Bell, Rung};
use super::stack::{DEFAULT_STACK, NativeStack};
use super::switch::{Resumed, Suspend};
use super::wait::{Look, Operation, Waiting};
use crate::memory::{PagePool, PageSource};
use crate::vm_stack::{DEFAULT_SLOTS, VmStack, VmStackError, VmStackPool};

/// Turns after which descriptors and timers are looked at even though fibers are ready. A look costs some 320 ns, a
/// turn 60, so this adds less than a tenth to the shortest turns.
const TURNS_PER_LOOK: u32 = 61;

/// An idle worker gives the pages of idle stacks back, but not more often than this.
const TRIM_EVERY: Duration = Duration::from_secs(1);

/// Idle native stacks kept.
const STACKS_KEEP: usize = 8;

/// What a task wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is finished, with this status.
    Done(i32),
    /// Resume it when the operation would not block.
    Park(Operation),
    /// Resume it when the others had their turn.
    Yield,
}

/// The state of a Scaly fiber.
pub trait Task {
    /// Goes on until it is done, has to wait, or had enough. It runs on a native stack of its own.
    fn resume(&mut self, worker: &Worker) -> Step;
}

/// Why tasks cannot run.
#[derive(Debug, Error)]
pub enum FiberError {
    #[error("no address space for a native stack: {0}")]
    NoStack(std::io::Error),
}

/// Sizes of what the scheduler hands out.
#[derive(Clone, Copy, Debug)]
pub struct SchedulerOptions {
    /// Slots of a VM stack.
    pub vm_slots: usize,
    /// Bytes of a native stack.
    pub native_stack: usize,
}

impl std::default::Default for SchedulerOptions {
    fn default() -> SchedulerOptions {
        SchedulerOptions { vm_slots: DEFAULT_SLOTS, native_stack: DEFAULT_STACK }
    }
}

/// What a task may ask of the worker that runs it.
pub struct Worker {
    /// From a box, so that its address is stable.
    pool: NonNull<PagePool>,
    vm_stacks: RefCell<VmStackPool>,
    spawned: RefCell<Vec<Box<dyn Task>>>,
    suspend: Cell<Option<NonNull<dyn Suspend>>>,
    native_limit: Cell<usize>,
    bell: OnceCell<Arc<Bell>>,
    /// Of the running fiber, if it ever joined.
    rung: RefCell<Option<Arc<Rung>>>,
    /// The running fiber is the only one.
    alone: Cell<bool>,
    /// The running fiber was switched away since it joins.
    joins: Cell<bool>,
    /// The main task is done.
    over: Cell<bool>,
}

impl Worker {
    fn new(source: &Arc<PageSource>, vm_slots: usize) -> Worker {
        Worker {
            pool: NonNull::from(Box::leak(Box::new(PagePool::new(source)))),
            vm_stacks: RefCell::new(VmStackPool::new(vm_slots)),
            spawned: RefCell::default(),
            suspend: Cell::new(None),
            native_limit: Cell::new(0),
            bell: OnceCell::new(),
            rung: RefCell::default(),
            alone: Cell::new(true),
            joins: Cell::new(false),
            over: Cell::new(false),
        }
    }

    /// The pool that regions of tasks on this worker are attached to; it lives as long as the scheduler.
    pub fn pool(&self) -> NonNull<PagePool> {
        self.pool
    }

    /// A VM stack; to be given back when the task ends.
    pub fn take_vm_stack(&self) -> Result<VmStack, VmStackError> {
        self.vm_stacks.borrow_mut().take()
    }

    pub fn give_vm_stack(&self, stack: VmStack) {
        self.vm_stacks.borrow_mut().give(stack);
    }

    /// Starts another fiber; it is ready after those that are.
    pub fn spawn(&self, task: Box<dyn Task>) {
        self.spawned.borrow_mut().push(task);
    }

    /// Lowest usable address of the native stack that the running task is on.
    pub fn native_limit(&self) -> usize {
        self.native_limit.get()
    }

    /// Lets the others have a turn without returning: the native stack stays with the task. No borrow of shared state
    /// may be held across it. Does nothing outside of a task.
    pub fn suspend(&self) {
        let Some(suspend) = self.suspend.get() else { return };
        let limit = self.native_limit.get();
        // SAFETY: set by the turn that runs the task that calls this; its suspender lives on the task's stack.
        unsafe { suspend.as_ref() }.suspend();
        self.suspend.set(Some(suspend));
        self.native_limit.set(limit);
    }

    pub(super) fn in_fiber(&self) -> bool {
        self.suspend.get().is_some()
    }

    /// Lets the others have turns until the running fiber is rung for.
    pub(super) fn suspend_until_rung(&self) {
        self.joins.set(true);
        self.suspend();
    }

    pub(super) fn bell(&self) -> &Arc<Bell> {
        self.bell.get_or_init(|| Arc::new(Bell::new()))
    }

    /// What wakes the running fiber.
    pub(super) fn rung(&self) -> Arc<Rung> {
        Arc::clone(self.rung.borrow_mut().get_or_insert_with(|| Arc::new(Rung::new(self.bell()))))
    }

    pub(super) fn is_alone(&self) -> bool {
        self.alone.get() && self.spawned.borrow().is_empty()
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.get()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // SAFETY: leaked from a box in `new`; tasks, which use it, are gone before the worker.
        drop(unsafe { Box::from_raw(self.pool.as_ptr()) });
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FiberId(u32);

const MAIN: FiberId = FiberId(0);

struct Slot<'a> {
    task: TaskRef<'a>,
    /// Of a task that was switched away.
    native: Option<Running>,
    /// Of one that has joined.
    rung: Option<Arc<Rung>>,
}

impl<'a> Slot<'a> {
    fn new(task: TaskRef<'a>) -> Slot<'a> {
        Slot { task, native: None, rung: None }
    }

    fn is_rung(&self) -> bool {
        self.rung.as_ref().is_some_and(|rung| rung.is_rung())
    }
}

/// A turn on a native stack, and where its step will be.
type Running = (Fiber, Box<Cell<Option<Step>>>);

enum TaskRef<'a> {
    Main(&'a mut dyn Task),
    Spawned(Box<dyn Task>),
}

/// Runs tasks on this thread.
pub struct Scheduler {
    worker: Box<Worker>,
    native_bytes: usize,
    stacks: Vec<NativeStack>,
    trimmed: Instant,
}

impl Scheduler {
    /// A scheduler with one worker, whose regions take memory from `source`.
    pub fn new(source: &Arc<PageSource>, options: SchedulerOptions) -> Scheduler {
        Scheduler {
            worker: Box::new(Worker::new(source, options.vm_slots)),
            native_bytes: options.native_stack,
            stacks: Vec::new(),
            trimmed: Instant::now(),
        }
    }

    pub fn worker(&self) -> &Worker {
        &self.worker
    }

    /// Runs `main` and what it spawns until `main` is done, and returns its status; fibers that are left then are
    /// dropped. A panic of a task goes on here.
    pub fn run(&mut self, main: &mut dyn Task) -> Result<i32, FiberError> {
        let mut run = Run {
            slots: vec![Some(Slot::new(TaskRef::Main(main)))],
            free: Vec::new(),
            ready: VecDeque::from([MAIN]),
            waiting: Waiting::new(),
            joining: Vec::new(),
        };
        self.worker.over.set(false);
        let mut turns = 0;
        loop {
            turns += 1;
            if run.ready.is_empty() {
                self.trim();
                run.wait(&self.worker);
            } else if turns % TURNS_PER_LOOK == 0 && !run.waiting.is_empty() {
                run.wake();
            }
            run.wake_joining();
            let Some(id) = run.ready.pop_front() else { continue };
            self.worker.alone.set(run.slots.len() - run.free.len() == 1);
            let Some(slot) = run.slots[id.0 as usize].as_mut() else { continue };
            let step = match self.turn(slot) {
                Ok(step) => step,
                Err(error) => {
                    self.end_joins(run)?;
                    return Err(error);
                }
            };
            match step {
                Some(Step::Done(status)) if id == MAIN => {
                    self.end_joins(run)?;
                    return Ok(status);
                }
                Some(Step::Done(_)) => {
                    run.slots[id.0 as usize] = None;
                    run.free.push(id);
                }
                Some(Step::Park(operation)) => run.waiting.park(id, operation),
                None if self.worker.joins.take() => run.joining.push(id),
                Some(Step::Yield) | None => run.ready.push_back(id),
            }
            for task in self.worker.spawned.take() {
                run.add(task);
            }
        }
    }

    /// The main task is done, or nothing can go on. What is left is dropped, but not before no helper uses its stack.
    fn end_joins(&mut self, mut run: Run) -> Result<(), FiberError> {
        self.worker.over.set(true);
        run.ready.clear();
        while !run.joining.is_empty() {
            run.wait(&self.worker);
            run.wake_joining();
            while let Some(id) = run.ready.pop_front() {
                let Some(slot) = run.slots[id.0 as usize].as_mut() else { continue };
                if self.turn(slot)?.is_none() && self.worker.joins.take() {
                    run.joining.push(id);
                }
            }
        }
        Ok(())
    }

    fn trim(&mut self) {
        if self.trimmed.elapsed() >= TRIM_EVERY {
            self.trimmed = Instant::now();
            self.stacks.iter_mut().for_each(NativeStack::trim);
        }
    }

    /// Resumes a task; `None` if it was switched away.
    fn turn(&mut self, slot: &mut Slot) -> Result<Option<Step>, FiberError> {
        let (mut fiber, result) = match slot.native.take() {
            Some(native) => native,
            None => self.start(slot)?,
        };
        self.worker.rung.replace(slot.rung.take());
        let resumed = fiber.resume();
        slot.rung = self.worker.rung.take();
        self.worker.suspend.set(None);
        if resumed == Resumed::Suspended {
            slot.native = Some((fiber, result));
            return Ok(None);
        }
        if self.stacks.len() < STACKS_KEEP {
            self.stacks.push(fiber.into_stack());
        }
        // A finished closure has left its step, or its panic went past us.
        Ok(Some(result.take().unwrap_or(Step::Yield)))
    }

    fn start(&mut self, slot: &mut Slot) -> Result<Running, FiberError> {
        let stack = match self.stacks.pop() {
            Some(stack) => stack,
            None => NativeStack::new(self.native_bytes).map_err(FiberError::NoStack)?,
        };
        let limit = stack.limit().as_ptr() as usize;
        let result = Box::new(Cell::new(None));
        let place: *const Cell<Option<Step>> = &raw const *result;
        let worker: *const Worker = &raw const *self.worker;
        let task: *mut (dyn Task + '_) = match &mut slot.task {
            TaskRef::Main(task) => *task,
            TaskRef::Spawned(task) => &mut **task,
        };
        // SAFETY: only the lifetime changes, which the closure needs and the fiber does not outlive: it is dropped or
        // abandoned with its slot, before the task.
        let task: *mut (dyn Task + 'static) = unsafe { std::mem::transmute(task) };
        let fiber = Fiber::new(stack, move |suspend| {
            // SAFETY: worker, task and place are boxed or borrowed for longer than the fiber lives, and while it runs
            // nobody else uses the task. The suspender is forgotten when the turn ends.
            unsafe {
                let suspend: NonNull<dyn Suspend> = std::mem::transmute(NonNull::from(suspend));
                (*worker).suspend.set(Some(suspend));
                (*worker).native_limit.set(limit);
                (*place).set(Some((*task).resume(&*worker)));
            }
        });
        Ok((fiber, result))
    }
}

/// The fibers of one run.
struct Run<'a> {
    slots: Vec<Option<Slot<'a>>>,
    free: Vec<FiberId>,
    ready: VecDeque<FiberId>,
    waiting: Waiting<FiberId>,
    /// Waiting until they are rung for.
    joining: Vec<FiberId>,
}

impl Run<'_> {
    fn add(&mut self, task: Box<dyn Task>) {
        let slot = Some(Slot::new(TaskRef::Spawned(task)));
        let id = match self.free.pop() {
            Some(id) => {
                self.slots[id.0 as usize] = slot;
                id
            }
            None => {
                self.slots.push(slot);
                FiberId(self.slots.len() as u32 - 1)
            }
        };
        self.ready.push_back(id);
    }

    /// Those who need not wait any more come next.
    fn wake(&mut self) {
        let mut woken = Vec::new();
        self.waiting.collect(Look::Once, |id| woken.push(id));
        self.go_first(woken);
    }

    /// The same, and waits for somebody if there is none.
    fn wait(&mut self, worker: &Worker) {
        let mut woken = Vec::new();
        if self.joining.is_empty() {
            self.waiting.collect(Look::Wait(None), |id| woken.push(id));
        } else {
            let (bell, joining, waiting) = (worker.bell(), &self.joining, &mut self.waiting);
            let is_rung = || joining.iter().any(|&id| rung(&self.slots, id));
            bell.sleep(is_rung, |descriptor| {
                if waiting.collect(Look::Wait(descriptor), |id| woken.push(id)) {
                    bell.silence();
                }
            });
        }
        self.go_first(woken);
    }

    fn wake_joining(&mut self) {
        let woken: Vec<_> = self.joining.extract_if(.., |id| rung(&self.slots, *id)).collect();
        self.go_first(woken);
    }

    fn go_first(&mut self, woken: Vec<FiberId>) {
        for id in woken.into_iter().rev() {
            self.ready.push_front(id);
        }
    }
}

fn rung(slots: &[Option<Slot>], id: FiberId) -> bool {
    slots[id.0 as usize].as_ref().is_some_and(Slot::is_rung)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryOptions;
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::rc::Rc;

    /// A task from a closure.
    struct Act<F>(F);

    impl<F: FnMut(&Worker) -> Step> Task for Act<F> {
        fn resume(&mut self, worker: &Worker) -> Step {
            (self.0)(worker)
        }
    }

    fn run(main: impl FnMut(&Worker) -> Step) -> i32 {
        let source = PageSource::new(MemoryOptions::default());
        Scheduler::new(&source, SchedulerOptions::default()).run(&mut Act(main)).unwrap()
    }

    #[test]
    fn the_main_task_gives_the_status() {
        let mut turns = 0;
        let status = run(|_| {
            turns += 1;
            if turns < 1000 { Step::Yield } else { Step::Done(7) }
        });
        assert_eq!((status, turns), (7, 1000));
    }

    #[test]
    fn fibers_take_turns_and_are_gone_when_done() {
        let log = Rc::new(RefCell::new(Vec::new()));
        let mut started = false;
        let mut left = 5;
        run(|worker| {
            if !started {
                started = true;
                for name in ["a", "b"] {
                    let log = Rc::clone(&log);
                    let mut turns = 0;
                    worker.spawn(Box::new(Act(move |_: &Worker| {
                        log.borrow_mut().push(name);
                        turns += 1;
                        if turns < 3 { Step::Yield } else { Step::Done(0) }
                    })));
                }
            }
            left -= 1;
            if left == 0 { Step::Done(0) } else { Step::Yield }
        });
        // The main task yields before the two are spawned, so it goes first each time.
        assert_eq!(*log.borrow(), ["a", "b", "a", "b", "a", "b"]);
        assert_eq!(Rc::strong_count(&log), 1);
    }

    #[test]
    fn a_task_switched_away_keeps_its_native_stack() {
        let others = Rc::new(Cell::new(0));
        let counted = Rc::clone(&others);
        let status = run(move |worker| {
            let counted_in = Rc::clone(&counted);
            let mut turns = 0;
            worker.spawn(Box::new(Act(move |_: &Worker| {
                counted_in.set(counted_in.get() + 1);
                turns += 1;
                if turns < 10 { Step::Yield } else { Step::Done(0) }
            })));
            let limit = worker.native_limit();
            let local = std::hint::black_box([3; 4]);
            for _ in 0..20 {
                worker.suspend();
            }
            assert_eq!(worker.native_limit(), limit);
            Step::Done(local.iter().sum())
        });
        assert_eq!((status, others.get()), (12, 10));
    }

    fn cpu_time() -> Duration {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: a live timespec.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }

    #[test]
    fn sleepers_wake_in_the_order_of_their_time_and_use_no_cpu() {
        let log = Rc::new(RefCell::new(Vec::new()));
        let (begun, cpu) = (Instant::now(), cpu_time());
        let mut state = 0;
        run(|worker| {
            state += 1;
            if state == 1 {
                for span in [60, 20, 40] {
                    let log = Rc::clone(&log);
                    let mut slept = false;
                    worker.spawn(Box::new(Act(move |_: &Worker| {
                        if slept {
                            log.borrow_mut().push(span);
                            return Step::Done(0);
                        }
                        slept = true;
                        Step::Park(Operation::Sleep(Duration::from_millis(span)))
                    })));
                }
                return Step::Park(Operation::sleep(0.1));
            }
            Step::Done(0)
        });
        assert_eq!(*log.borrow(), [20, 40, 60]);
        assert!(begun.elapsed() >= Duration::from_millis(100));
        assert!(cpu_time() - cpu < Duration::from_millis(50));
    }

    #[test]
    fn odd_spans_of_sleep() {
        assert_eq!(Operation::sleep(-1.0), Operation::Sleep(Duration::ZERO));
        assert_eq!(Operation::sleep(f64::NAN), Operation::Sleep(Duration::ZERO));
        assert_eq!(Operation::sleep(f64::INFINITY), Operation::Sleep(Duration::MAX));
    }

    #[test]
    fn a_reader_waits_for_bytes_and_others_run_meanwhile() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let fd = reader.as_raw_fd();
        let mut state = 0;
        let mut turns = 0;
        let mut input = crate::console::Input::new(fd);
        let busy = Rc::new(Cell::new(0u32));
        let counter = Rc::clone(&busy);
        run(|worker| {
            state += 1;
            if state == 1 {
                let counter = Rc::clone(&counter);
                let mut writer = writer.try_clone().unwrap();
                worker.spawn(Box::new(Act(move |_: &Worker| {
                    counter.set(counter.get() + 1);
                    if counter.get() == 500 {
                        writer.write_all(b"hello\n").unwrap();
                    }
                    Step::Yield
                })));
            }
            if input.needs_more() {
                turns += 1;
                if turns > 1 {
                    input.fill().unwrap();
                } else {
                    return Step::Park(Operation::Readable(fd));
                }
            }
            assert_eq!(input.take_line().unwrap(), "hello");
            Step::Done(0)
        });
        assert!((500..1000).contains(&busy.get()), "{}", busy.get());
        writer.flush().unwrap();
    }

    #[test]
    fn a_panic_of_a_task_reaches_the_caller_and_the_scheduler_survives() {
        let source = PageSource::new(MemoryOptions::default());
        let mut scheduler = Scheduler::new(&source, SchedulerOptions::default());
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            scheduler.run(&mut Act(|_: &Worker| panic!("a bug")))
        }));
        assert!(result.is_err());
        assert_eq!(scheduler.run(&mut Act(|_: &Worker| Step::Done(3))).unwrap(), 3);
    }

    #[test]
    fn stacks_that_cannot_be_had_are_errors() {
        let source = PageSource::new(MemoryOptions::default());
        let options = SchedulerOptions { native_stack: usize::MAX / 4, vm_slots: usize::MAX };
        let mut scheduler = Scheduler::new(&source, options);
        assert!(scheduler.worker().take_vm_stack().is_err());
        let error = scheduler.run(&mut Act(|_: &Worker| Step::Done(0))).unwrap_err();
        assert!(error.to_string().starts_with("no address space for a native stack"));
    }
}
