//! A timer that raises a flag once, each time that it is set.
//!
//! It is a timer of the kernel whose signal comes to the thread that made it. A thread that sleeps and raises the flag
//! did the same before; starting one costs a run of five milliseconds 0.3 more of processor time (`bench/traces.py
//! --user`), the timer three system calls. The signal is SIGURG, which nobody uses, which is ignored where no handler is
//! installed, and which debuggers let pass; system calls that it interrupts are restarted.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::os;

const SIGNAL: libc::c_int = libc::SIGURG;

/// Of one thread, by the time of day. Once the flag is up it rests, so that a waiting program uses no time. To set it and to
/// be interrupted takes 30 us under a hypervisor that emulates timers, 5 elsewhere; timers of the thread's processor time are
/// looked at by the kernel at its own ticks only, of 1 to 10 ms.
pub struct Ticker {
    timer: libc::timer_t,
    period: Cell<Duration>,
    /// It is deleted on the thread that its signals come to: none is on its way there any more.
    _here: PhantomData<*const ()>,
}

impl fmt::Debug for Ticker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticker").field("period", &self.period).finish_non_exhaustive()
    }
}

impl Ticker {
    /// Makes it, and sets it; none where the system refuses.
    ///
    /// # Safety
    /// The flag lives longer than the ticker, and stays where it is.
    pub unsafe fn start(flag: *const AtomicU32, period: Duration) -> Option<Ticker> {
        static HANDLER: OnceLock<bool> = OnceLock::new();
        if !HANDLER.get_or_init(install) {
            return None;
        }
        os::take_signal(SIGNAL);
        let mut timer = ptr::null_mut();
        // SAFETY: zero is a valid event; its fields are set by name.
        let mut event: libc::sigevent = unsafe { mem::zeroed() };
        event.sigev_value = libc::sigval { sival_ptr: flag.cast_mut().cast() };
        event.sigev_signo = SIGNAL;
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        // SAFETY: asks for a number.
        event.sigev_notify_thread_id = unsafe { libc::gettid() };
        // SAFETY: both structures outlive the call.
        if unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, &mut timer) } != 0 {
            return None;
        }
        let ticker = Ticker { timer, period: Cell::new(period), _here: PhantomData };
        ticker.wake();
        Some(ticker)
    }

    /// How long it waits, from the next time on.
    pub fn set_period(&self, period: Duration) {
        self.period.set(period);
    }

    /// What it rang for has been seen: it is set again.
    pub fn wake(&self) {
        let period = self.period.get();
        // SAFETY: zero is a valid time; its fields are set by name.
        let mut when: libc::itimerspec = unsafe { mem::zeroed() };
        when.it_value.tv_sec = period.as_secs() as libc::time_t;
        when.it_value.tv_nsec = libc::c_long::from(period.subsec_nanos() as i32);
        // SAFETY: the timer is this one's, and the time outlives the call.
        unsafe { libc::timer_settime(self.timer, 0, &when, ptr::null_mut()) };
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        // SAFETY: the timer is this one's. Its signals come to this thread, before this call returns or not at all.
        unsafe { libc::timer_delete(self.timer) };
    }
}

/// Once a process.
fn install() -> bool {
    // SAFETY: zero is a valid action; its fields are set by name. The handler does only what is allowed wherever the
    // thread is; it runs on the thread's stack for signals if it has one.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = raise as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(SIGNAL, &action, ptr::null_mut()) == 0
    }
}

extern "C" fn raise(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel passes what belongs to the signal. One of a timer of this process is one of a ticker, whose
    // flag lives longer by the promise of `start`.
    unsafe {
        if (*info).si_code == libc::SI_TIMER {
            let flag: *const AtomicU32 = (*info).si_value().sival_ptr.cast();
            (*flag).store(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Instant;

    use super::*;

    const SOON: Duration = Duration::from_millis(1);

    fn raised(flag: &AtomicU32) -> bool {
        let end = Instant::now() + Duration::from_secs(5);
        while flag.load(Ordering::Relaxed) == 0 {
            if Instant::now() > end {
                return false;
            }
            thread::yield_now();
        }
        true
    }

    #[test]
    fn the_flag_is_raised_once_each_time_that_it_is_taken_down() {
        let flag = AtomicU32::new(0);
        // SAFETY: the flag is dropped last.
        let ticker = unsafe { Ticker::start(&raw const flag, SOON) }.unwrap();
        for _ in 0..20 {
            assert!(raised(&flag));
            flag.store(0, Ordering::Relaxed);
            ticker.wake();
        }
        assert!(raised(&flag));
        flag.store(0, Ordering::Relaxed);
        thread::sleep(20 * SOON);
        assert_eq!(flag.load(Ordering::Relaxed), 0, "it ticks on though nobody looks");
        ticker.set_period(Duration::from_secs(3600));
        ticker.wake();
        drop(ticker);
        thread::sleep(20 * SOON);
        assert_eq!(flag.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn each_thread_has_its_own() {
        let tick = || {
            let flag = AtomicU32::new(0);
            // SAFETY: the flag is dropped last.
            let ticker = unsafe { Ticker::start(&raw const flag, SOON) }.unwrap();
            (0..50).all(|_| {
                let came = raised(&flag);
                flag.store(0, Ordering::Relaxed);
                ticker.wake();
                came
            })
        };
        let threads: Vec<_> = (0..4).map(|_| thread::spawn(tick)).collect();
        assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
    }
}
