//! The way into native code, and code that all traces share.
//!
//! ```text
//! trampoline(entry, frame, context, lower)       saves what C wants saved, sets rbx and r15, puts the stack lower by what
//!   -> status                                      tells it from the frame, calls the entry
//! common exit, eax = exit                        stores all registers, has the frames written, returns eax
//! careful routine, eax = routine, rdx = slots     calls it, keeps all registers with values; al is the outcome
//! interpret                                      what native calls reach of a function without code
//! nothing                                        where the tree of a trace would be called that is no root
//! ```

use dynasmrt::{DynasmApi, dynasm};
use scaly_tracer::backend::code;

use crate::context as at;
use crate::context::Context;
use crate::emit::encode::{Address, Assembler, MOV, MOVSD_LOAD, MOVSD_STORE, RSP, Rm, STORE64, encode};
use crate::exits::{SAVED_BYTES, SAVED_GENERAL, restore};

/// Enters native code; gives its status. `lower`: [`LOWER`], or 0 for no byte more of the stack than it must.
///
/// A load is taken for one of what was stored just before where the two addresses differ by a multiple of 4 KB, and waits. The
/// frames of a recursion go up, and its native stack goes down: they meet, modulo that, once in some fifty calls. So native
/// code's stack begins right below the frame, modulo that, and they meet as late as they can. fib(35) takes 1.03 to 1.25
/// times as long where they meet among the calls that it does most.
pub type Trampoline = unsafe extern "C" fn(entry: usize, frame: *mut u64, context: *mut Context, lower: usize) -> u32;

/// The bits of addresses that tell stores apart, as far as the stack is aligned.
pub const LOWER: usize = 4096 - 16;
/// Of the frames around, the innermost are written and read yet.
const BELOW: i32 = 256;

/// Offsets of the parts of the shared code.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    pub trampoline: usize,
    pub common_exit: usize,
    pub interpret: usize,
    pub careful_routine: usize,
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
        ; mov rbp, rsp
        ; lea rax, [rsp + BELOW]
        ; sub rax, rsi
        ; and rax, rcx
        ; sub rsp, rax
        ; mov rbx, rsi
        ; mov r15, rdx
        ; call rdi
        ; lea rsp, [rbp + 8]
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
    for register in 0..VECTORS {
        encode(&mut ops, MOVSD_STORE, register, on_stack(8 * i32::from(register)), 0);
    }
    for register in LOST.into_iter().chain(12..15) {
        encode(&mut ops, STORE64, register, on_stack(SAVED_GENERAL + 8 * i32::from(register)), 0);
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
    let careful_routine = ops.offset().0;
    careful(&mut ops);
    let nothing = ops.offset().0;
    dynasm!(ops; .arch x64; ud2);
    match ops.finalize() {
        Ok(bytes) => (bytes, Parts { trampoline, common_exit, interpret, careful_routine, nothing }),
        Err(error) => unreachable!("no labels: {error}"),
    }
}

/// The general registers that C does not save and that hold values.
const LOST: [u8; 6] = [6, 7, 8, 9, 10, 11];
const VECTORS: u8 = 14;
/// So that the stack is aligned behind a call.
const LOST_BYTES: i32 = 8 * (LOST.len() as i32 + VECTORS as i32) + 8;
const _: () = assert!(LOST_BYTES % 16 == 8);

fn on_stack(offset: i32) -> Rm {
    Rm::Memory(Address::of(RSP, offset))
}

/// Calls the routine whose entry is in rax on the slots at rdx. All registers with values survive.
fn careful(ops: &mut Assembler) {
    let place = |i: usize| 8 * (i as i32 + i32::from(VECTORS));
    dynasm!(ops; .arch x64; sub rsp, LOST_BYTES);
    for register in 0..VECTORS {
        encode(ops, MOVSD_STORE, register, on_stack(8 * i32::from(register)), 0);
    }
    for (i, &register) in LOST.iter().enumerate() {
        encode(ops, STORE64, register, on_stack(place(i)), 0);
    }
    dynasm!(ops
        ; .arch x64
        ; mov rsi, rdx
        ; mov rdi, [r15 + at::STATE]
        ; call rax
    );
    for register in 0..VECTORS {
        encode(ops, MOVSD_LOAD, register, on_stack(8 * i32::from(register)), 0);
    }
    for (i, &register) in LOST.iter().enumerate() {
        encode(ops, MOV, register, on_stack(place(i)), 0);
    }
    dynasm!(ops; .arch x64; add rsp, LOST_BYTES; ret; .align 16);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::CodeMemory;

    #[test]
    fn the_stack_begins_right_below_the_frame_as_far_as_stores_are_told_apart_by() {
        let mut memory = CodeMemory::new(1 << 20).unwrap();
        let (shared, parts) = shared_code();
        let mut ops = Assembler::new(0);
        dynasm!(ops; .arch x64; mov rax, rsp; ret);
        let tells = ops.finalize().unwrap();
        let [shared, tells] = [shared, tells].map(|code| {
            let block = memory.reserve(code.len()).unwrap();
            memory.write(block.address(), &code);
            block.address()
        });
        // SAFETY: the trampoline lies there.
        let trampoline: Trampoline = unsafe { std::mem::transmute(shared + parts.trampoline) };
        let mut slots = [0; 1024];
        let mut stacks = |lower| {
            let of = |frame: &mut u64| {
                // SAFETY: the code that is entered uses neither frame nor context.
                let stack = unsafe { trampoline(tells, frame, std::ptr::null_mut(), lower) };
                (stack as usize, frame as *mut u64 as usize)
            };
            slots.iter_mut().map(of).collect::<Vec<_>>()
        };
        for (stack, frame) in stacks(LOWER) {
            // Behind the call of the entry.
            assert_eq!((stack + 8 + BELOW as usize).wrapping_sub(frame) & LOWER, 0);
            assert_eq!(stack % 16, 8);
        }
        assert!(stacks(0).windows(2).all(|two| two[0].0 == two[1].0));
    }
}
