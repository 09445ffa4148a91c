//! The way into native code, and code that all traces share.
//!
//! ```text
//! trampoline(entry, frame, context) -> status    saves what C wants saved, sets rbx and r15, calls the entry
//! common exit, eax = exit                        stores all registers, has the frames written, returns eax
//! interpret                                      what native calls reach of a function without code
//! nothing                                        where the tree of a trace would be called that is no root
//! ```

use dynasmrt::{DynasmApi, dynasm};
use scaly_tracer::backend::code;

use crate::context as at;
use crate::context::Context;
use crate::emit::Assembler;
use crate::exits::{SAVED_BYTES, SAVED_GENERAL, restore};

/// Enters native code; gives its status.
pub type Trampoline = unsafe extern "C" fn(entry: usize, frame: *mut u64, context: *mut Context) -> u32;

/// Offsets of the parts of the shared code.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    pub trampoline: usize,
    pub common_exit: usize,
    pub interpret: usize,
    pub nothing: usize,
}

pub fn shared_code() -> (Vec<u8>, Parts) {
    let mut ops = Assembler::new(0);
    let trampoline = ops.offset().0;
    dynasm!(ops
        ; .arch x64
        ; push rbx
        ; push rbp
        ; push r12
        ; push r13
        ; push r14
        ; push r15
        ; sub rsp, BYTE 8
        ; mov rbx, rsi
        ; mov r15, rdx
        ; call rdi
        ; add rsp, BYTE 8
        ; pop r15
        ; pop r14
        ; pop r13
        ; pop r12
        ; pop rbp
        ; pop rbx
        ; ret
        ; .align 16
    );
    let common_exit = ops.offset().0;
    dynasm!(ops; .arch x64; sub rsp, SAVED_BYTES);
    for register in 0..14u8 {
        dynasm!(ops; .arch x64; movsd [rsp + 8 * i32::from(register)], Rx(register));
    }
    for register in [6, 7, 8, 9, 10, 11, 12, 13, 14u8] {
        dynasm!(ops; .arch x64; mov [rsp + SAVED_GENERAL + 8 * i32::from(register)], Rq(register));
    }
    dynasm!(ops
        ; .arch x64
        ; mov edi, eax
        ; mov rsi, rsp
        ; mov rdx, rbp
        ; mov rcx, rbx
        ; mov r8, r15
        ; mov rax, QWORD restore as *const () as i64
        ; call rax
        ; mov rsp, rbp
        ; pop rbp
        ; ret
        ; .align 16
    );
    let interpret = ops.offset().0;
    dynasm!(ops; .arch x64; mov DWORD [r15 + at::VIA], 0; mov eax, DWORD code::INTERPRET as i32; ret; .align 16);
    let nothing = ops.offset().0;
    dynasm!(ops; .arch x64; ud2);
    match ops.finalize() {
        Ok(bytes) => (bytes, Parts { trampoline, common_exit, interpret, nothing }),
        Err(error) => unreachable!("no labels: {error}"),
    }
}
