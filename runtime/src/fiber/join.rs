//! How a fiber waits for the threads that help with its loop: the others of its scheduler run meanwhile.
//!
//! A loop is run from the middle of native code, so a fiber that waits for it keeps its native stack
//! ([`Worker::suspend`]). Whoever ends the loop's last part on another thread rings for the fiber, and the scheduler's
//! thread hears that wherever it is: between two turns it looks at those who wait, and where it sleeps, for descriptors
//! and timers, a byte in a pipe wakes it. Where there is no other fiber, or no pipe to be had, the thread itself waits.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};
use std::thread::{self, Thread};

use super::scheduler::Worker;
use crate::pool::{Job, Parking, Plan, Pool, Status};

/// What wakes a scheduler's thread.
#[derive(Debug)]
pub(super) struct Bell {
    thread: Thread,
    /// The thread waits in the pipe, or is about to.
    sleeps: AtomicBool,
    /// Made when a fiber waits beside another one; none where the system refuses.
    pipe: OnceLock<Option<(PipeReader, PipeWriter)>>,
}

impl Bell {
    /// Of this thread.
    pub(super) fn new() -> Bell {
        Bell { thread: thread::current(), sleeps: AtomicBool::new(false), pipe: OnceLock::new() }
    }

    fn pipe(&self) -> Option<&(PipeReader, PipeWriter)> {
        self.pipe.get_or_init(|| io::pipe().ok()).as_ref()
    }

    fn ring(&self) {
        self.thread.unpark();
        // One order for this, what was rung for, and the thread's two accesses: it sees the one or this sees the other.
        if self.sleeps.load(Ordering::SeqCst)
            && let Some((_, pipe)) = self.pipe()
        {
            // Nothing can be done about an error; the pipe never fills, for one byte is written for each sleep and part.
            let _ = (&*pipe).write(&[0]);
        }
    }

    /// Waits by `wait`, which ends when the descriptor that it gets is readable; not at all if somebody `is_rung` for.
    pub(super) fn sleep(&self, is_rung: impl Fn() -> bool, wait: impl FnOnce(Option<RawFd>)) {
        let Some((pipe, _)) = self.pipe() else { return wait(None) };
        self.sleeps.store(true, Ordering::SeqCst);
        if !is_rung() {
            wait(Some(pipe.as_raw_fd()));
        }
        self.sleeps.store(false, Ordering::SeqCst);
    }

    /// Takes what is in the pipe, which is readable.
    pub(super) fn silence(&self) {
        if let Some((pipe, _)) = self.pipe() {
            let _ = (&*pipe).read(&mut [0; 64]);
        }
    }
}

/// Wakes one fiber.
#[derive(Debug)]
pub(super) struct Rung {
    bell: Arc<Bell>,
    rung: AtomicBool,
}

impl Rung {
    pub(super) fn new(bell: &Arc<Bell>) -> Rung {
        Rung { bell: Arc::clone(bell), rung: AtomicBool::new(false) }
    }

    pub(super) fn is_rung(&self) -> bool {
        self.rung.load(Ordering::SeqCst)
    }

    /// Whether it was rung for since the last time.
    fn take(&self) -> bool {
        self.rung.swap(false, Ordering::SeqCst)
    }
}

impl Wake for Rung {
    fn wake(self: Arc<Rung>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Rung>) {
        self.rung.store(true, Ordering::SeqCst);
        self.bell.ring();
    }
}

impl Worker {
    /// Runs a loop for the fiber that calls this: while it waits for the loop's last parts the others have their turns. As
    /// [`Pool::run`] outside of a fiber.
    pub fn run_loop(&self, pool: &Pool, plan: &Plan, job: &dyn Job) -> Status {
        if !self.in_fiber() {
            return pool.run(plan, job);
        }
        let status = pool.run_parking(plan, job, self);
        if self.is_over() {
            // It was waited for, since helpers were on its stack; it is dropped like the others.
            self.suspend();
        }
        status
    }
}

impl Parking for Worker {
    fn waker(&self) -> Waker {
        Waker::from(self.rung())
    }

    fn park(&self) {
        if self.rung().take() {
            return;
        }
        if self.is_alone() || self.bell().pipe().is_none() {
            thread::park();
        } else {
            self.suspend_until_rung();
        }
    }
}
