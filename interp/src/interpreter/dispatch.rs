//! The loop.
//!
//! `pc` and `base` are locals, the machine is made of them for each step, and what is rare is a call that gets values:
//! kept so, all of them stay in registers (facts: a `pc` behind a reference costs a fifth).
//!
//! ```text
//! caller's frame:  … | a - 2: caller's base | a - 1: return pc | a: callee's slot 0 …
//! ```
//!
//! The return pc is the index of the instruction behind the call; the entry's frame has [`OUTSIDE`] there.

use super::native::Native;
use super::state::{Outcome, State};
use crate::bytecode::Instruction;
use crate::machine::{Fault, Next};
use crate::program::Pc;
use crate::routine;
use crate::step::step;

/// The return pc of the first frame.
pub(crate) const OUTSIDE: u64 = u64::MAX;

/// Where a run stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    pub pc: Pc,
    pub base: *mut u64,
}

/// Why the loop returned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Left {
    /// The first function returned; results from its slot 0.
    Returned,
    /// At the faulting instruction. The details are in `pending` where a routine knew more.
    Fault(Fault),
    /// At the instruction to go on at.
    Park,
    Exit,
}

/// Runs until something else than running is due.
///
/// # Safety
/// The position is of the state's program, its frame lies on the stack that ends at `limit`; the program is verified
/// and was lowered correctly: its addresses are of its own blocks.
pub(crate) unsafe fn run(state: &mut State, from: Position, limit: *mut u64) -> (Left, Position) {
    let code = state.code();
    let tables = &raw const *state.tables;
    let entries = state.entries.as_mut_ptr();
    let loops = state.loops.as_mut_ptr();
    let mut pc = code.wrapping_add(from.pc.0 as usize);
    let mut base = from.base;
    // SAFETY: by the caller's promise all slots, targets, functions and loops that instructions name exist, and frames
    // are entered only below the limit.
    unsafe {
        loop {
            let ins: Instruction = *pc;
            let mut machine = Native { base, tables };
            match step(&mut machine, ins) {
                Next::Seq => pc = pc.add(1),
                Next::Jump(target) => pc = code.add(target as usize),
                Next::Loop { target, id } => {
                    pc = code.add(target as usize);
                    let counter = loops.add(id as usize);
                    *counter = (*counter).wrapping_sub(1);
                    if *counter == 0 {
                        state.loop_hook(id);
                    }
                }
                Next::Call { function, frame } => {
                    let entry = entries.add(function as usize);
                    let callee = base.add(frame as usize);
                    // Compared as addresses: the sum may lie behind the stack.
                    if callee.wrapping_add((*entry).frame_slots as usize) > limit {
                        return (Left::Fault(Fault::StackExhausted), position(code, pc, base));
                    }
                    *callee.sub(2) = base as u64;
                    *callee.sub(1) = pc.add(1).offset_from_unsigned(code) as u64;
                    base = callee;
                    pc = code.add((*entry).start as usize);
                    (*entry).counter = (*entry).counter.wrapping_sub(1);
                    if (*entry).counter == 0 {
                        state.function_hook(function);
                    }
                }
                Next::CallIndirect { value, frame } => {
                    let function = *base.add(value as usize) as u32;
                    let environment = *base.add(value as usize + 1);
                    let entry = entries.add(function as usize);
                    let callee = base.add(frame as usize);
                    if callee.wrapping_add((*entry).frame_slots as usize) > limit {
                        return (Left::Fault(Fault::StackExhausted), position(code, pc, base));
                    }
                    *callee.sub(2) = base as u64;
                    *callee.sub(1) = pc.add(1).offset_from_unsigned(code) as u64;
                    *callee = environment;
                    base = callee;
                    pc = code.add((*entry).start as usize);
                    (*entry).counter = (*entry).counter.wrapping_sub(1);
                    if (*entry).counter == 0 {
                        state.function_hook(function);
                    }
                }
                Next::Return { from, count } => {
                    let caller = *base.sub(2) as *mut u64;
                    let back = *base.sub(1);
                    if count == 1 {
                        *base = *base.add(from as usize);
                    } else {
                        base.copy_from(base.add(from as usize), count as usize);
                    }
                    if back == OUTSIDE {
                        return (Left::Returned, position(code, pc, base));
                    }
                    base = caller;
                    pc = code.add(back as usize);
                }
                Next::Runtime { routine, frame } => {
                    let outcome = routine::call(state, routine, base.add(frame as usize));
                    pc = pc.add(1);
                    if outcome != Outcome::Done {
                        let (left, back) = stopped(outcome, state);
                        return (left, position(code, pc.sub(back), base));
                    }
                }
                Next::Fault(fault) => return (Left::Fault(fault), position(code, pc, base)),
            }
        }
    }
}

/// Why the loop ends after a routine, and how many instructions before the next one it stands.
#[cold]
#[inline(never)]
fn stopped(outcome: Outcome, state: &State) -> (Left, usize) {
    match outcome {
        Outcome::Fault => {
            let fault = state.pending.fault.as_ref().map_or(Fault::Message, |(fault, _)| *fault);
            (Left::Fault(fault), 1)
        }
        Outcome::Wait => (Left::Park, 1),
        Outcome::Park | Outcome::Done => (Left::Park, 0),
        Outcome::Exit => (Left::Exit, 1),
    }
}

#[inline(always)]
unsafe fn position(code: *const Instruction, pc: *const Instruction, base: *mut u64) -> Position {
    // SAFETY: both are of the program's code.
    Position { pc: Pc(unsafe { pc.offset_from_unsigned(code) } as u32), base }
}
