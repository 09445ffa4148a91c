//! Ending what code does on another thread: an iteration that nobody wants any more since an earlier one came to an error,
//! a call whose caller has given up. It may be endless.
//!
//! Code has no polls for that, which would keep LLVM from making vectors of inner loops. The thread gets a signal instead.
//! Where it is in the code then, it goes back to where it entered ([`crate::restart`]), as if the code had given up; where
//! it is in a routine that the code calls, nothing happens, and whoever asks asks again. What the code was about is
//! forgotten: it must be nothing that anybody looks at later. Regions of memory stay in order: what code
//! does to them by itself it does by a single store, before which nothing has changed.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_utils::CachePadded;
use scaly_runtime::os;

use crate::restart::give_up;
use crate::run::Run;

/// A thread's stay in code that others may end.
#[derive(Debug)]
pub struct Inside {
    code: Range<usize>,
    run: *mut Run,
    thread: libc::pthread_t,
    asked: AtomicBool,
}

// SAFETY: other threads only ask; the run is used by the thread that is inside.
unsafe impl Send for Inside {}
// SAFETY: as above.
unsafe impl Sync for Inside {}

thread_local! {
    static INSIDE: Cell<*const Inside> = const { Cell::new(ptr::null()) };
    /// The thread takes the signal.
    static LISTENS: Cell<bool> = const { Cell::new(false) };
}

impl Inside {
    /// Of this thread, in code at these addresses.
    pub fn new(code: Range<usize>, run: *mut Run) -> Inside {
        // SAFETY: asks for a number.
        let thread = unsafe { libc::pthread_self() };
        Inside { code, run, thread, asked: AtomicBool::new(false) }
    }

    /// Calls code, which others may end from now on.
    ///
    /// # Safety
    /// All code at these addresses that the call runs was entered by `restart::enter` with this run.
    pub unsafe fn during<T>(&self, call: impl FnOnce() -> T) -> T {
        if !LISTENS.replace(true) {
            os::take_signal(SIGNAL);
        }
        let before = INSIDE.replace(self);
        let result = call();
        INSIDE.set(before);
        result
    }

    /// Asks the thread to end, which it need not have done when this returns. To be repeated until it has.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Release);
        // Else the signal would end the process.
        if !is_possible() {
            return;
        }
        // SAFETY: the thread is inside: it lives.
        unsafe { libc::pthread_kill(self.thread, SIGNAL) };
    }
}

/// From where on nobody wants what code is about: iterations behind one that came to an error.
#[derive(Debug)]
pub struct Cutoff {
    /// What is above is not wanted.
    most: AtomicU64,
    /// By worker: whether it is inside, and where.
    inside: Box<[CachePadded<Mutex<Stay>>]>,
}

/// None: it is not inside.
#[derive(Debug, Default)]
struct Stay(Option<(u64, *const Inside)>);

// SAFETY: who is inside is so until it has left.
unsafe impl Send for Stay {}

/// From one time of asking to the next, while somebody is in a routine.
pub const AGAIN: Duration = Duration::from_micros(100);

impl Cutoff {
    /// For so many workers.
    pub fn new(workers: usize) -> Cutoff {
        Cutoff { most: AtomicU64::new(u64::MAX), inside: (0..workers).map(|_| CachePadded::default()).collect() }
    }

    fn stay(&self, worker: usize) -> MutexGuard<'_, Stay> {
        self.inside[worker].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this place is wanted; then the worker is inside, until it leaves.
    pub fn enter(&self, worker: usize, at: u64, inside: &Inside) -> bool {
        // Whoever ends what is above says so before it looks here.
        let mut stay = self.stay(worker);
        let is_wanted = at <= self.most.load(Ordering::SeqCst);
        *stay = Stay(is_wanted.then_some((at, ptr::from_ref(inside))));
        is_wanted
    }

    pub fn leave(&self, worker: usize) {
        *self.stay(worker) = Stay(None);
    }

    /// What is above this place is not wanted any more: it has ended when this returns. The caller is not inside.
    pub fn end_above(&self, at: u64) {
        let most = self.most.fetch_min(at, Ordering::SeqCst).min(at);
        let ask = |worker: usize| match self.stay(worker).0 {
            Some((at, inside)) if at > most => {
                // SAFETY: it is inside until it has got the lock.
                unsafe { (*inside).ask() };
                true
            }
            _ => false,
        };
        while (0..self.inside.len()).filter(|&worker| ask(worker)).count() > 0 {
            thread::sleep(AGAIN);
        }
    }
}

/// One that nobody uses. It is none of the real-time signals: those wait in a queue, and are refused where that is full.
const SIGNAL: libc::c_int = libc::SIGSTKFLT;

/// Installs the handler, once a process; false where the system refuses: then nothing must run that may have to be ended.
pub fn is_possible() -> bool {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    *INSTALLED.get_or_init(|| {
        // SAFETY: zero is a valid action; its fields are set by name. What the handler does is allowed wherever the thread
        // is.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = leave as *const () as libc::sighandler_t;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
            libc::sigemptyset(&mut action.sa_mask);
            libc::sigaction(SIGNAL, &action, ptr::null_mut()) == 0
        }
    })
}

/// Has the thread give up where it is in the code, once it was asked to.
extern "C" fn leave(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let inside = INSIDE.get();
    if inside.is_null() {
        return;
    }
    // SAFETY: what this thread is inside of lives, on its stack; the context is the one of the signal. In the code the way
    // back is set, and no registers but the stack's are needed there.
    unsafe {
        let inside = &*inside;
        let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
        let at = registers[libc::REG_RIP as usize] as usize;
        if inside.asked.load(Ordering::Acquire) && inside.code.contains(&at) {
            registers[libc::REG_RIP as usize] = give_up as *const () as i64;
            registers[libc::REG_RDI as usize] = inside.run as i64;
        }
    }
}
