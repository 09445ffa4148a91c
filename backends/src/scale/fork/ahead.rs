//! Calls that are seen before the code that forks comes to them: in loops, and on any way.
//!
//! At a call with nothing offered behind it the function is run ahead ([`crate::lower::run_ahead`]), which tells the calls
//! that follow this one; they are offered, the last one first, so that they are taken back in the order in which they are
//! made.

use std::cell::{Cell, RefCell};
use std::ptr;

use super::session::{Place, room_above};
use super::task::Task;
use super::{Worker, join, recurse};
use crate::lower::restart::{GAVE_UP, MOST_PASSED, RETURNED};
use crate::restart;
use crate::run::Run;

/// Calls that are offered at once: as many as were made before, so that little is seen several times, but no fewer and no
/// more than this.
const FEWEST: u64 = 64;
const MOST: u64 = 16_384;

/// An activation of a function that runs ahead of its calls; it lies in the activation's native frame.
#[derive(Debug)]
#[repr(C)]
pub struct Activation {
    /// The address of what runs ahead.
    pub code: usize,
    pub frame: *mut u64,
    /// Calls that could be seen ahead, and have been made or are being made.
    pub made: u64,
    /// Those that follow and are offered.
    pub offered: u64,
    /// 1: nothing more can be seen.
    pub stopped: u64,
    pub arguments: [u64; MOST_PASSED],
}

/// What a thread sees ahead.
#[derive(Default)]
pub struct Ahead {
    /// Calls that are known already, and how many more are asked for.
    known: Cell<u64>,
    wanted: Cell<u64>,
    /// Slots from the activation's frame to the call's, and arguments, of each call.
    seen: RefCell<Vec<(u32, [u64; MOST_PASSED])>>,
    /// Tasks of all activations of this thread that were offered and not taken back: the next one last.
    offered: RefCell<Vec<*const Task>>,
}

/// Makes the next call of an activation, whose arguments are in its frame, or waits for who makes it.
///
/// # Safety
/// As for [`recurse`]; the activation is the caller's.
pub unsafe extern "C" fn recurse_ahead(run: *mut Run, frame: *mut u64, depth: u32, activation: *mut Activation) -> u32 {
    // SAFETY: by the caller's promise; a worker outlives what it runs, and nobody else knows of the activation.
    let (worker, at) = unsafe { (&*(*run).worker.cast::<Worker<'_>>(), &mut *activation) };
    let Some(place) = &worker.place else {
        // SAFETY: as above.
        return unsafe { recurse(run, frame, depth) };
    };
    at.made += 1;
    if at.offered > 0 {
        at.offered -= 1;
        let task = place.ahead().offered.borrow_mut().pop().unwrap_or(ptr::null());
        // SAFETY: as above; activations take back what they have offered, the newest first.
        return unsafe { join(run, frame, depth, task) };
    }
    // SAFETY: as above.
    if at.stopped == 0 && unsafe { look(run, depth, place, at) } != RETURNED {
        return GAVE_UP;
    }
    // SAFETY: as above.
    unsafe { recurse(run, frame, depth) }
}

/// Offers what follows a call that is being made.
///
/// # Safety
/// As for [`recurse_ahead`].
unsafe fn look(run: *mut Run, depth: u32, place: &Place<'_>, at: &mut Activation) -> u32 {
    let ahead = place.ahead();
    ahead.known.set(at.made);
    ahead.wanted.set(at.made.clamp(FEWEST, MOST));
    // SAFETY: the code is that of the function, and these are its arguments. It may be ended in the middle, so it is
    // entered as such code is.
    let status = unsafe { restart::enter(at.code, run, at.arguments.as_mut_ptr(), depth) };
    let seen = ahead.seen.take();
    if ahead.wanted.get() > 0 {
        at.stopped = 1;
    }
    let params = place.params();
    for (frame, arguments) in seen.iter().rev() {
        // SAFETY: the run is live, and this thread's.
        let room = unsafe { room_above(run, at.frame.wrapping_add(*frame as usize)) };
        let task = place.offer(&arguments[..params], depth, room);
        ahead.offered.borrow_mut().push(task);
    }
    at.offered = seen.len() as u64;
    status
}

/// A call is seen whose frame lies so many slots above that of its caller; whether to go on.
///
/// # Safety
/// As for [`recurse_ahead`]; there are as many arguments as the function has parameters.
pub unsafe extern "C" fn seen_ahead(run: *mut Run, arguments: *const u64, frame: u32) -> bool {
    // SAFETY: by the caller's promise.
    let worker = unsafe { &*(*run).worker.cast::<Worker<'_>>() };
    let Some(place) = &worker.place else { return false };
    let ahead = place.ahead();
    if ahead.known.get() > 0 {
        ahead.known.set(ahead.known.get() - 1);
        return true;
    }
    let params = place.params();
    let mut words = [0; MOST_PASSED];
    // SAFETY: by the caller's promise.
    words[..params].copy_from_slice(unsafe { std::slice::from_raw_parts(arguments, params) });
    ahead.seen.borrow_mut().push((frame, words));
    ahead.wanted.set(ahead.wanted.get() - 1);
    ahead.wanted.get() > 0
}
