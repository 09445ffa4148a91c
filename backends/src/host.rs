//! What code calls in this process.
#![allow(unsafe_code)]

use std::io::Write;

use scaly_interp::interpreter::State;
use scaly_interp::routine::{self, Routine};
use scaly_interp::tier;
use scaly_tracer::backend::code;

use crate::lower::CALL;
use crate::lower::in_order::MORE;
use crate::lower::restart::{FORK, GIVE_UP, JOIN, RECURSE};
use crate::lower::routines::{self, COMPARE, HASH};
use crate::lower::run_ahead::{RECURSE_AHEAD, SEEN_AHEAD};
use crate::restart;
use crate::scale::fork;
use crate::terms;

/// The function returned; its results are in its slots.
pub const CALL_DONE: u32 = 0;
/// It does not come back; the state says why.
pub const CALL_ABANDONED: u32 = 1;
/// There is no room for it here: nothing was done.
pub const CALL_REFUSED: u32 = 2;

/// The names that lowered modules use, and their addresses.
pub fn symbols() -> Vec<(String, usize)> {
    let named = [
        (CALL, call as *const () as usize),
        (HASH, hash as *const () as usize),
        (COMPARE, compare as *const () as usize),
        (GIVE_UP, restart::give_up as *const () as usize),
        (RECURSE, fork::recurse as *const () as usize),
        (FORK, fork::fork as *const () as usize),
        (JOIN, fork::join as *const () as usize),
        (RECURSE_AHEAD, fork::recurse_ahead as *const () as usize),
        (MORE, terms::more as *const () as usize),
        (SEEN_AHEAD, fork::seen_ahead as *const () as usize),
    ];
    let named = named.map(|(name, address)| (name.to_string(), address));
    let routines =
        Routine::ALL.iter().map(|&routine| (routines::symbol(routine), routine.entry() as *const () as usize));
    named.into_iter().chain(routines).collect()
}

/// # Safety
/// So many bytes are there.
unsafe extern "C" fn hash(text: *const u8, count: usize) -> u64 {
    // SAFETY: by the caller's promise.
    routine::hash_text(unsafe { bytes(text, count) })
}

/// # Safety
/// So many bytes are there, of both.
unsafe extern "C" fn compare(a: *const u8, count: usize, b: *const u8, other: usize) -> i64 {
    // SAFETY: by the caller's promise.
    unsafe { routine::compare_texts(bytes(a, count), bytes(b, other)) }
}

/// # Safety
/// So many bytes are there; without any the address is whatever it is.
unsafe fn bytes<'a>(first: *const u8, count: usize) -> &'a [u8] {
    // SAFETY: by the caller's promise.
    if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(first, count) } }
}

/// Ends the process without the destructors of LLVM's globals, which would run under the feet of a thread that loads LLVM
/// or compiles. For whoever has made a `Compiler`, instead of `std::process::exit`; standard output is flushed.
pub fn end_process(status: i32) -> ! {
    let _ = std::io::stdout().flush();
    // SAFETY: ends the process.
    unsafe { libc::_exit(status) }
}

/// Calls a function whose frame has its header and its arguments: below the native caller, by whatever runs it.
///
/// # Safety
/// The state is the one that runs, with a tier; the frame lies on its stack.
unsafe extern "C" fn call(state: *mut State, function: u32, frame: *mut u64) -> u32 {
    // SAFETY: by the caller's promise; the reference ends before the function runs.
    let room = {
        let state = unsafe { &*state };
        let program = state.program();
        let slots = program.functions.get(function as usize).map(|f| usize::from(f.frame_slots));
        // Compared as addresses: the sum may lie behind the stack.
        slots.is_some_and(|slots| frame.wrapping_add(slots) <= state.slots_limit()) && state.native_room()
    };
    if !room {
        return CALL_REFUSED;
    }
    // SAFETY: as above; there is no native code that left, so no root.
    let done = unsafe {
        // Functions of a module call each other without headers.
        tier::mark_last_known(frame);
        tier::finish_call(state, function, frame, code::INTERPRET, frame, 0)
    };
    if done != 0 { CALL_DONE } else { CALL_ABANDONED }
}
