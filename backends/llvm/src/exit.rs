//! The end of the process while LLVM is at work.
//!
//! A process that exits runs the destructors of LLVM's globals, under the feet of the thread that compiles; it has crashed
//! more often than not. So while somebody is in LLVM, the process ends without them: nothing of the library's is worth
//! anything behind the end. When nobody is, nobody gets in any more.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::mem::forget;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// Held by whoever is in LLVM; by the end of the process for good.
static INSIDE: RwLock<()> = RwLock::new(());
static ENDED: AtomicBool = AtomicBool::new(false);

unsafe extern "C" {
    /// GNU's `atexit` with the status.
    fn on_exit(function: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
}

extern "C" fn ending(status: c_int, _: *mut c_void) {
    if ENDED.swap(true, Ordering::SeqCst) {
        return;
    }
    match INSIDE.try_write() {
        Ok(guard) => forget(guard),
        // SAFETY: ends the process.
        Err(_) => unsafe { libc::_exit(status) },
    }
}

/// To be held while LLVM works.
pub fn enter() -> RwLockReadGuard<'static, ()> {
    let inside = INSIDE.read().unwrap_or_else(PoisonError::into_inner);
    // Each time, so that it comes before the destructors that LLVM's own lazy globals have asked for since.
    // SAFETY: the function lives as long as the process: the library is never closed.
    unsafe { on_exit(ending, null_mut()) };
    inside
}
