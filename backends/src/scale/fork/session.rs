//! The time in which several threads run one call: who offers and takes what.

use std::cell::{Cell, RefCell};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_deque::{Steal, Stealer, Worker as Deque};
use scaly_runtime::pool::{Chunk, Plan, Pool, Status};
use scaly_runtime::vm_stack::VmStack;

use super::ahead::Ahead;
use super::task::Task;
use super::{Entry, Recursion, Worker, recurse};
use crate::interrupt::{AGAIN, Inside};
use crate::lower::restart::{GAVE_UP, MOST_PASSED, RETURNED};
use crate::restart;
use crate::run::Run;
use crate::scale::parallel::{HELPER_STACK, RESERVE};

/// Slots between the frames of a call that waits and those of one that is run meanwhile: a frame's header, and what the
/// call that waits has in its frame.
const APART: usize = HEADER + MOST_PASSED;

/// Stacks that no session needs.
#[derive(Debug, Default)]
pub struct Stacks(Mutex<Vec<VmStack>>);

impl Stacks {
    fn take(&self, slots: usize) -> Option<VmStack> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.pop().filter(|stack| stack.slots() >= slots).or_else(|| VmStack::new(slots).ok())
    }

    fn put(&self, stack: VmStack) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(stack);
    }
}

/// Tasks, each at an address of its own, which others know: they do not move when there are more of them.
type Tasks = Vec<Box<Task>>;

/// A task that lies in a deque. Tasks live as long as their session.
#[derive(Clone, Copy)]
struct Offered(*const Task);

// SAFETY: a task is shared by design.
unsafe impl Send for Offered {}

/// The runs of a session, whose limits end all of them, and the stays of their threads.
struct Runs(Vec<(*mut Run, *const Inside)>);

// SAFETY: only the limits of runs are used by other threads, atomically; a stay is so by design.
unsafe impl Send for Runs {}

pub struct Session<'a> {
    recursion: &'a Recursion,
    entry: &'a Entry<'a>,
    stealers: Vec<Stealer<Offered>>,
    deques: Mutex<Vec<Option<Deque<Offered>>>>,
    runs: Mutex<Runs>,
    /// Tasks of places that were left: whoever took one may not have ended it.
    tasks: Mutex<Tasks>,
    /// Nothing is needed any more.
    done: AtomicBool,
    /// Something gave up.
    failed: AtomicBool,
    /// Slots of a stack.
    slots: usize,
}

/// The caller's run and frame, handed to the piece of the session that runs on its thread.
struct Own(*mut Run, *mut u64);

// SAFETY: only the thread that owns them uses them.
unsafe impl Sync for Own {}

/// A thread's place in a session.
pub struct Place<'a> {
    session: &'a Session<'a>,
    run: *mut Run,
    deque: Deque<Offered>,
    /// All tasks that were made here, and those of them that are free.
    tasks: RefCell<Tasks>,
    free: RefCell<Vec<*mut Task>>,
    random: Cell<u32>,
    ahead: Ahead,
}

impl<'a> Session<'a> {
    /// Runs a call at a depth, of which others take parts. The caller runs it, and waits until all others are done.
    ///
    /// # Safety
    /// As for [`recurse`].
    pub unsafe fn run(worker: &Worker<'_>, pool: &Pool, run: *mut Run, frame: *mut u64, depth: u32) -> u32 {
        if let Some(tell) = worker.tell {
            tell();
        }
        let width = if worker.entry.forced { pool.workers() } else { pool.width() };
        let deques: Vec<_> = (0..width).map(|_| Deque::new_lifo()).collect();
        let session = Session {
            recursion: worker.recursion,
            entry: worker.entry,
            stealers: deques.iter().map(Deque::stealer).collect(),
            deques: Mutex::new(deques.into_iter().map(Some).collect()),
            runs: Mutex::new(Runs(Vec::new())),
            tasks: Mutex::default(),
            done: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            // SAFETY: the run is live.
            slots: unsafe { room((*run).slots_limit, frame) } + APART,
        };
        let (own, status) = (Own(run, frame), AtomicU32::new(GAVE_UP));
        let job = |chunk: &Chunk<'_>| {
            let own = &own;
            for number in chunk.lo..chunk.hi {
                if number > 0 {
                    session.help(number as usize);
                    continue;
                }
                // SAFETY: the first piece is the caller's, on its own thread.
                status.store(unsafe { session.own(own.0, own.1, depth) }, Ordering::Relaxed);
                session.done.store(true, Ordering::Release);
            }
            Status::Done
        };
        // Each place is a long piece: all are offered at once.
        pool.run(&Plan::new(width as u64).expect(1e9).width(width), &job);
        if session.failed.into_inner() { GAVE_UP } else { status.into_inner() }
    }

    /// # Safety
    /// As for [`recurse`].
    unsafe fn own(&self, run: *mut Run, frame: *mut u64, depth: u32) -> u32 {
        let Some(worker) = self.worker(run, 0) else { return GAVE_UP };
        // SAFETY: the run is live, and the worker outlives the call.
        let status = unsafe {
            let (before, limit) = ((*run).worker, (*run).slots_limit);
            (*run).worker = (&raw const worker).cast();
            // Who gives up says so before it leaves, so that it ends what the others are about.
            let call = || self.ended(restart::enter(self.recursion.code, run, frame, depth));
            let status = self.enrolled(run, call);
            (*run).worker = before;
            self.set_limit(run, limit);
            status
        };
        self.keep(worker);
        status
    }

    /// Takes calls until none is needed.
    fn help(&self, number: usize) {
        if self.done.load(Ordering::Acquire) {
            return;
        }
        let Some(stack) = self.entry.stacks.take(self.slots) else { return };
        let here = 0u8;
        let mut run = Run {
            slots_limit: stack.limit().as_ptr(),
            // Little of a helper's stack is in use here.
            native_limit: (&raw const here as usize) - (HELPER_STACK - RESERVE),
            ..Run::NOWHERE
        };
        let run = &raw mut run;
        if let Some(worker) = self.worker(run, number) {
            // SAFETY: the run is live, its stack is this thread's, and the worker outlives the calls.
            unsafe {
                (*run).worker = (&raw const worker).cast();
                if let Some(place) = &worker.place {
                    self.enrolled(run, || place.take_until_done(stack.base().as_ptr()));
                }
            }
            self.keep(worker);
        }
        self.entry.stacks.put(stack);
    }

    /// Who runs calls in a place of the session; none if somebody does.
    fn worker<'s>(&'s self, run: *mut Run, number: usize) -> Option<Worker<'s>> {
        let deque = self.deques.lock().unwrap_or_else(PoisonError::into_inner).get_mut(number)?.take()?;
        let (tasks, free, ahead) = Default::default();
        let place = Place { session: self, run, deque, tasks, free, random: Cell::new(number as u32 + 1), ahead };
        let Session { recursion, entry, .. } = *self;
        Some(Worker::new(recursion, entry, Some(place)))
    }

    fn keep(&self, worker: Worker<'_>) {
        worker.share();
        if let Some(place) = worker.place {
            self.tasks.lock().unwrap_or_else(PoisonError::into_inner).append(&mut place.tasks.into_inner());
        }
    }

    /// What a status means for the others.
    fn ended(&self, status: u32) -> u32 {
        if status != RETURNED {
            self.fail();
        }
        status
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what a thread does in this session. If all shall give up it waits for the others, and ends what they are about.
    ///
    /// # Safety
    /// The run is this thread's.
    unsafe fn enrolled<T>(&self, run: *mut Run, call: impl FnOnce() -> T) -> T {
        let inside = Inside::new(self.recursion.addresses.clone(), run);
        self.runs().0.push((run, &raw const inside));
        // SAFETY: the code is entered with this run only, and by `restart::enter`.
        let result = unsafe { inside.during(call) };
        self.runs().0.retain(|&(other, _)| other != run);
        while self.failed.load(Ordering::SeqCst) && self.end_others() {
            thread::sleep(AGAIN);
        }
        result
    }

    /// Whether there are any.
    fn end_others(&self) -> bool {
        let runs = self.runs();
        // SAFETY: who is enrolled is inside.
        runs.0.iter().for_each(|&(_, inside)| unsafe { (*inside).ask() });
        !runs.0.is_empty()
    }

    /// All that runs gives up at its next call.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::SeqCst);
        for &(run, _) in &self.runs().0 {
            // SAFETY: a run that is enrolled lives.
            unsafe { limit_of(run) }.store(ptr::null_mut(), Ordering::SeqCst);
        }
    }

    /// Changes the limit of a run, unless all shall give up: whoever says so sets it after that, or is seen here.
    ///
    /// # Safety
    /// The run lives.
    unsafe fn set_limit(&self, run: *mut Run, limit: *mut u64) {
        // SAFETY: by the caller's promise.
        let place = unsafe { limit_of(run) };
        place.store(limit, Ordering::SeqCst);
        if self.failed.load(Ordering::SeqCst) {
            place.store(ptr::null_mut(), Ordering::SeqCst);
        }
    }
}

/// # Safety
/// The run lives as long as the place is used.
unsafe fn limit_of<'r>(run: *mut Run) -> &'r AtomicPtr<u64> {
    // SAFETY: by the caller's promise; whoever else changes it does so by the same atomic, or is the run's thread before
    // others know of it.
    unsafe { AtomicPtr::from_ptr(&raw mut (*run).slots_limit) }
}

/// Slots from a frame of a run to its limit.
///
/// # Safety
/// The run is live, and this thread's.
pub unsafe fn room_above(run: *mut Run, frame: *mut u64) -> usize {
    // SAFETY: by the caller's promise.
    room(unsafe { limit_of(run) }.load(Ordering::Relaxed), frame)
}

/// Slots from a frame to a limit.
fn room(limit: *mut u64, frame: *mut u64) -> usize {
    (limit as usize).saturating_sub(frame as usize) / size_of::<u64>()
}

impl Place<'_> {
    pub fn ahead(&self) -> &Ahead {
        &self.ahead
    }

    /// Slots of a call's arguments.
    pub fn params(&self) -> usize {
        self.session.recursion.of.params.into()
    }

    /// Offers a call, whose frames may take so many slots.
    pub fn offer(&self, arguments: &[u64], depth: u32, room: usize) -> *const Task {
        let task = self.free.borrow_mut().pop().unwrap_or_else(|| {
            let mut tasks = self.tasks.borrow_mut();
            tasks.push(Box::default());
            tasks.last_mut().map_or(ptr::null_mut(), |task| &raw mut **task)
        });
        // SAFETY: it is one of this place's that nobody uses.
        unsafe { (*task).set(arguments, depth, room) };
        self.deque.push(Offered(task));
        task
    }

    /// Whether nobody has taken the newest one; it is not offered any more.
    pub fn take_back(&self) -> bool {
        self.deque.pop().is_some()
    }

    /// A task of this place that is not needed any more.
    pub fn forget(&self, task: *const Task) {
        self.free.borrow_mut().push(task.cast_mut());
    }

    /// Waits for a call that another has taken, and makes calls of others meanwhile. Its results are in the frame then.
    ///
    /// # Safety
    /// As for [`super::join`].
    pub unsafe fn wait(&self, frame: *mut u64, task: *const Task) -> u32 {
        let mut idle = Idle::default();
        loop {
            // Also where what this thread made meanwhile gave up: its tasks lie in the deque still.
            if self.session.failed.load(Ordering::Relaxed) {
                return GAVE_UP;
            }
            // SAFETY: tasks live as long as their session.
            if let Some(status) = unsafe { (*task).ended() } {
                let results = usize::from(self.session.recursion.of.results);
                // SAFETY: who ended it does not use it any more; the frame has slots for the results.
                unsafe { ptr::copy_nonoverlapping((*task).words(), frame, results) };
                self.forget(task);
                return status;
            }
            let free = frame.wrapping_add(APART);
            // SAFETY: the run is this thread's; what lies above the frame is free while its call is away.
            let other = unsafe { room(limit_of(self.run).load(Ordering::Relaxed), free) > APART }.then(|| self.steal());
            match other.flatten() {
                // SAFETY: as above.
                Some(other) => unsafe {
                    self.make(free, other);
                    idle = Idle::default();
                },
                None => idle.wait(),
            }
        }
    }

    /// Makes calls of others until none is needed.
    ///
    /// # Safety
    /// The run is this thread's, which stands nowhere, and its slots begin at `free`.
    unsafe fn take_until_done(&self, free: *mut u64) {
        let mut idle = Idle::default();
        let ended = || self.session.done.load(Ordering::Acquire) || self.session.failed.load(Ordering::Acquire);
        while !ended() {
            match self.steal() {
                // SAFETY: by the caller's promise.
                Some(task) => unsafe {
                    self.make(free, task);
                    idle = Idle::default();
                },
                None => idle.wait(),
            }
        }
    }

    /// Makes a call of another.
    ///
    /// # Safety
    /// The run is this thread's, with as many free slots as [`APART`].
    unsafe fn make(&self, free: *mut u64, task: *const Task) {
        let (session, run) = (self.session, self.run);
        let (params, results) = (usize::from(session.recursion.of.params), usize::from(session.recursion.of.results));
        let frame = free.wrapping_add(HEADER);
        // SAFETY: tasks live as long as their session, and this one's words are this thread's until it has ended.
        unsafe {
            ptr::copy_nonoverlapping((*task).words(), frame, params);
            let limit = limit_of(run).load(Ordering::Relaxed);
            session.set_limit(run, frame.wrapping_add((*task).room).min(limit));
            let status = recurse(run, frame, (*task).depth);
            session.set_limit(run, limit);
            ptr::copy_nonoverlapping(frame, (*task).words(), results);
            (*task).end(session.ended(status));
        }
    }

    fn steal(&self) -> Option<*const Task> {
        let stealers = &self.session.stealers;
        let random = self.random.get().wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        self.random.set(random);
        let start = (random >> 16) as usize;
        (0..stealers.len()).map(|i| &stealers[start.wrapping_add(i) % stealers.len()]).find_map(|victim| {
            loop {
                match victim.steal() {
                    Steal::Success(Offered(task)) => return Some(task),
                    Steal::Empty => return None,
                    Steal::Retry => std::hint::spin_loop(),
                }
            }
        })
    }
}

/// Slots of a header, before each frame.
const HEADER: usize = 2;

/// How long nothing was found.
#[derive(Default)]
struct Idle(u32);

impl Idle {
    /// Waits a little longer each time.
    fn wait(&mut self) {
        match self.0 {
            0..64 => std::hint::spin_loop(),
            64..96 => thread::yield_now(),
            looked => thread::sleep(Duration::from_micros(20 << ((looked - 96) / 4).min(5))),
        }
        self.0 = self.0.saturating_add(1);
    }
}
