//! A thread that raises a flag from time to time, as long as somebody takes it down.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Raises a flag every so often. While nobody takes the flag down it sleeps, so that a waiting program uses no time.
#[derive(Debug)]
pub struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    flag: Flag,
    asleep: AtomicBool,
    ended: Mutex<bool>,
    changed: Condvar,
}

#[derive(Debug)]
struct Flag(*const AtomicU32);

// SAFETY: an atomic, which lives as long as the ticker by the promise of `start`.
unsafe impl Send for Flag {}
// SAFETY: as above.
unsafe impl Sync for Flag {}

impl Ticker {
    /// Starts the thread; none where the system refuses it.
    ///
    /// # Safety
    /// The flag lives longer than the ticker.
    pub unsafe fn start(flag: *const AtomicU32, period: Duration) -> Option<Ticker> {
        let shared = Arc::new(Shared {
            flag: Flag(flag),
            asleep: AtomicBool::new(false),
            ended: Mutex::new(false),
            changed: Condvar::new(),
        });
        let own = shared.clone();
        let builder = thread::Builder::new().name("scaly-ticker".into()).stack_size(64 << 10);
        let thread = builder.spawn(move || own.tick(period)).ok()?;
        Some(Ticker { shared, thread: Some(thread) })
    }

    /// The flag has been taken down: it is raised again.
    pub fn wake(&self) {
        // The lock orders this with the thread's falling asleep; the flag alone would not.
        if self.shared.asleep.load(Ordering::SeqCst) {
            let _ended = self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner);
            self.shared.asleep.store(false, Ordering::SeqCst);
            self.shared.changed.notify_one();
        }
    }
}

impl Shared {
    fn tick(&self, period: Duration) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        while !*ended {
            (ended, _) = self.changed.wait_timeout(ended, period).unwrap_or_else(PoisonError::into_inner);
            // SAFETY: by the promise of `start`; whoever drops the ticker waits for this thread.
            let before = unsafe { (*self.flag.0).swap(1, Ordering::Relaxed) };
            if before != 0 && !*ended {
                self.asleep.store(true, Ordering::SeqCst);
                while self.asleep.load(Ordering::SeqCst) && !*ended {
                    ended = self.changed.wait(ended).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        *self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

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
    fn the_flag_is_raised_as_long_as_it_is_taken_down() {
        let flag = AtomicU32::new(0);
        // SAFETY: the flag is dropped last.
        let ticker = unsafe { Ticker::start(&raw const flag, Duration::from_millis(1)) }.unwrap();
        for _ in 0..20 {
            assert!(raised(&flag));
            flag.store(0, Ordering::Relaxed);
            ticker.wake();
        }
        assert!(raised(&flag));
        let end = Instant::now() + Duration::from_secs(5);
        while !ticker.shared.asleep.load(Ordering::SeqCst) {
            assert!(Instant::now() < end, "it ticks on though nobody looks");
        }
        flag.store(0, Ordering::Relaxed);
        ticker.wake();
        assert!(raised(&flag));
    }
}
