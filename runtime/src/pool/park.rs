//! One thread's place to wait in.
//!
//! ```text
//!           unpark                park                     unpark, then a wake-up
//!   TOKEN <──────── EMPTY ──────────────────> PARKED ─────────────────────────────> TOKEN
//!     └──── park ────^
//! ```
//!
//! An `unpark` before the `park` is not lost: it leaves a token, which the `park` takes without waiting. The releasing
//! swap in `unpark` and the acquiring take in `park` order everything before the one before everything after the other.

use std::sync::atomic::{AtomicU32, Ordering};

const EMPTY: u32 = 0;
const TOKEN: u32 = 1;
const PARKED: u32 = u32::MAX;

/// Only one thread at a time may park in it; any may unpark.
pub(super) struct Parker {
    state: AtomicU32,
    futex: futex::Futex,
}

impl Parker {
    pub(super) fn new() -> Parker {
        Parker { state: AtomicU32::new(EMPTY), futex: futex::Futex::new() }
    }

    /// Waits for a token and takes it.
    pub(super) fn park(&self) {
        // TOKEN -> EMPTY, or EMPTY -> PARKED.
        if self.state.fetch_sub(1, Ordering::Acquire) == TOKEN {
            return;
        }
        loop {
            self.futex.wait(&self.state, PARKED);
            if self.state.compare_exchange(TOKEN, EMPTY, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return;
            }
        }
    }

    /// Leaves a token, and wakes the thread that waits for it.
    pub(super) fn unpark(&self) {
        if self.state.swap(TOKEN, Ordering::Release) == PARKED {
            self.futex.wake(&self.state);
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod futex {
    use std::ptr;
    use std::sync::atomic::AtomicU32;

    pub(super) struct Futex;

    impl Futex {
        pub(super) fn new() -> Futex {
            Futex
        }

        /// Sleeps while the word has this value; may return early.
        pub(super) fn wait(&self, word: &AtomicU32, value: u32) {
            let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
            // SAFETY: the word is borrowed, aligned, and only read by the kernel; there is no time limit.
            unsafe {
                libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, ptr::null::<libc::timespec>());
            }
        }

        pub(super) fn wake(&self, word: &AtomicU32) {
            let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
            // SAFETY: the address is a key for the kernel, and is not written.
            unsafe {
                libc::syscall(libc::SYS_futex, word.as_ptr(), operation, 1);
            }
        }
    }
}

/// A futex by a lock and a condition, for systems that have none.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod futex {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::{Condvar, Mutex, PoisonError};

    pub(super) struct Futex {
        lock: Mutex<()>,
        changed: Condvar,
    }

    impl Futex {
        pub(super) fn new() -> Futex {
            Futex { lock: Mutex::new(()), changed: Condvar::new() }
        }

        pub(super) fn wait(&self, word: &AtomicU32, value: u32) {
            let mut held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            // The word changes before `wake` takes the lock, so no change falls between this look and the waiting.
            while word.load(Ordering::Relaxed) == value {
                held = self.changed.wait(held).unwrap_or_else(PoisonError::into_inner);
            }
        }

        pub(super) fn wake(&self, _word: &AtomicU32) {
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_for_the_next_park() {
        let parker = Parker::new();
        parker.unpark();
        parker.unpark();
        parker.park();
        assert_eq!(parker.state.load(Ordering::Relaxed), EMPTY);
    }

    #[test]
    fn two_threads_hand_a_token_to_and_fro() {
        let (here, there) = (Parker::new(), Parker::new());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    there.park();
                    here.unpark();
                }
            });
            for _ in 0..20_000 {
                there.unpark();
                here.park();
            }
        });
    }
}
