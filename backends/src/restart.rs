//! The way into code that may give up, or be ended by others, and its way back then: [`crate::lower::restart`],
//! [`crate::interrupt`].
//!
//! ```text
//! enter     saves what C wants saved and the way back that was, notes its own, calls the code
//! give_up   forgets all frames of the code above the way back, and returns from there
//! ```
//!
//! Only frames of such code are forgotten: whatever calls it again goes through `enter`.
#![allow(unsafe_code)]

use std::arch::naked_asm;

use crate::lower::restart::GAVE_UP;
use crate::run::{Run, WAY_BACK};

/// Calls code on a frame; gives what it returns, or [`GAVE_UP`].
///
/// # Safety
/// The code is the entry of a module, for a run and a frame that it may be given.
#[unsafe(naked)]
pub unsafe extern "C" fn enter(code: usize, run: *mut Run, frame: *mut u64, depth: u32) -> u32 {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "push rsi",
        "push qword ptr [rsi + {way_back}]",
        // Aligned as at a call: the return address and eight words.
        "sub rsp, 8",
        "mov [rsi + {way_back}], rsp",
        "mov rax, rdi",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "mov edx, ecx",
        "call rax",
        "jmp {leave}",
        way_back = const WAY_BACK,
        leave = sym leave,
    )
}

/// The end of `enter`: takes back what it has saved.
#[unsafe(naked)]
unsafe extern "C" fn leave() {
    naked_asm!(
        "add rsp, 8",
        "pop rcx",
        "pop rsi",
        "mov [rsi + {way_back}], rcx",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        way_back = const WAY_BACK,
    )
}

/// Called by code: goes on behind the call of the innermost `enter`.
///
/// # Safety
/// The run is one that `enter` was given, on this thread.
#[unsafe(naked)]
pub unsafe extern "C" fn give_up(run: *mut Run) -> ! {
    naked_asm!(
        "mov rsp, [rdi + {way_back}]",
        "mov eax, {gave_up}",
        "jmp {leave}",
        way_back = const WAY_BACK,
        gave_up = const GAVE_UP,
        leave = sym leave,
    )
}
