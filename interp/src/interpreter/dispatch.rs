//! From one instruction to the next.
//!
//! One function an opcode, each ending in a call of the next one in tail position, which the optimizer makes a jump:
//! each opcode predicts what follows it, and `pc`, `base` and the rest stay in argument registers. What is rare is in
//! functions of its own, called in tail position too, so that the common path saves no register: nothing on it calls,
//! `memmove` included. Where tail calls are
//! not to be had (`build.rs`; debug assertions take addresses of locals, which ends them too), a loop over one `match`
//! does the same. `tests/listings.rs` would overflow the native stack if an opcode really called.
//!
//! Tried: that loop alone. With 53 opcodes it was as fast (facts: dispatch table); with 230 LLVM kept a single indirect
//! jump for all and hoisted the loads of all operands before it. Seconds, best of 5, `luajit -joff` beside it:
//!
//! | | fib 32 | mandelbrot 400 | sieve 3·10⁶ | matmul 200 |
//! |---|---|---|---|---|
//! | loop | 0.058 | 0.200 | 0.070 | 0.128 |
//! | one function an opcode | 0.043 | 0.085 | 0.054 | 0.081 |
//! | `luajit -joff` | 0.082 | 0.117 | 0.102 | 0.107 |
//!
//! ```text
//! caller's frame:  … | a - 2: caller's base | a - 1: return pc | a: callee's slot 0 …
//! ```
//!
//! The return pc is the index of the instruction behind the call; the entry's frame has [`OUTSIDE`] there.

use std::sync::Arc;

use super::native::{Native, move_slots};
use super::state::{Outcome, State};
use crate::bytecode::{Instruction, Opcode};
use crate::machine::{Fault, Next};
use crate::program::{Class, FunctionId, LoopId, Pc};
use crate::routine;

/// The return pc of the first frame.
pub(crate) const OUTSIDE: u64 = u64::MAX;
/// In the return pc of an activation that native code called: it returns there, and the interpreter's run ends. Set in
/// [`OUTSIDE`] too.
pub(crate) const NESTED: u64 = 1 << 63;
/// Beside [`NESTED`]: as long as the activation runs, headers below its caller's frame need not have been written. Set in
/// [`OUTSIDE`] too.
pub(crate) const LAST_KNOWN: u64 = 1 << 62;

/// Where a run stands: an instruction of the program, and the frame that it works on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    pub(crate) pc: Pc,
    pub(crate) base: *mut u64,
}

impl Position {
    pub fn pc(self) -> Pc {
        self.pc
    }

    /// Slot 0 of the frame.
    pub fn base(self) -> *mut u64 {
        self.base
    }

    /// Another instruction, in the frame that begins `slots` slots higher.
    pub fn at(self, pc: Pc, slots: u32) -> Position {
        Position { pc, base: self.base.wrapping_add(slots as usize) }
    }

    /// Another frame of the same stack; for native code, which knows its address.
    pub fn of_frame(self, base: *mut u64) -> Position {
        Position { pc: self.pc, base }
    }
}

/// Why running stopped, at `State::stopped`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Left {
    /// The first function returned; results from its slot 0.
    Returned,
    /// At the faulting instruction; the fault is `pending`.
    Fault,
    /// At the instruction to go on at.
    Park,
    Exit,
}

pub(crate) use engine::Handlers;

/// Runs until something else than running is due; `State::stopped` says where.
///
/// # Safety
/// The position is of the state's program, its frame lies on the stack that ends at `State::limit`; the program is
/// verified and was lowered correctly: its addresses are of its own blocks.
pub(crate) unsafe fn run(state: &mut State, from: Position) -> Left {
    let code = state.code();
    let pc = code.wrapping_add(from.pc.0 as usize);
    // SAFETY: by the caller's promise.
    unsafe { engine::start(pc, from.base, code, state) };
    state.left
}

/// Goes on at a position.
///
/// # Safety
/// As for [`run`].
pub(crate) unsafe fn continue_at(state: &mut State, at: Position) -> Left {
    // SAFETY: by the caller's promise.
    unsafe { run(state, at) }
}

/// Stops at a routine's instruction because of its outcome.
///
/// # Safety
/// As for [`run`].
pub(crate) unsafe fn resume_stopped(state: &mut State, at: Position, outcome: Outcome) {
    let code = state.code();
    // SAFETY: by the caller's promise.
    unsafe { stopped(code.add(at.pc.0 as usize), at.base, code, state, outcome) }
}

/// Where an instruction leads.
pub(crate) enum Flow {
    Go(*const Instruction, *mut u64),
    /// The same, after the hook of this loop.
    LoopHook(*const Instruction, u32),
    /// The same, after the hook of this function.
    FunctionHook(*const Instruction, *mut u64, u32),
    Stop(Left, *const Instruction, *mut u64),
    /// At this instruction.
    Fault(Fault),
    /// Of this routine at this slot.
    Runtime(u32, u16),
}

/// Whether back edges and calls are ever counted; if not, nothing gets hot.
const COUNTED: bool = !cfg!(feature = "uncounted");

/// Where an instruction leads, with back edges and calls `counted` or not.
///
/// # Safety
/// As for [`run`], for the instruction at `pc`.
#[inline(always)]
pub(crate) unsafe fn follow(
    next: Next,
    counted: bool,
    pc: *const Instruction,
    base: *mut u64,
    code: *const Instruction,
    state: *mut State,
) -> Flow {
    // SAFETY: by the caller's promise all slots, targets, functions and loops that instructions name exist, and frames
    // are entered only below the limit.
    unsafe {
        match next {
            Next::Seq => Flow::Go(pc.add(1), base),
            Next::Jump(target) => Flow::Go(code.add(target as usize), base),
            Next::Loop { target, .. } if !(COUNTED && counted) => Flow::Go(code.add(target as usize), base),
            Next::Loop { target, id } => {
                let counter = (*state).loops.as_ptr().add(id as usize).cast_mut();
                let left = (*counter).wrapping_sub(1);
                *counter = left;
                let header = code.add(target as usize);
                if left == 0 { Flow::LoopHook(header, id) } else { Flow::Go(header, base) }
            }
            Next::Call { function, frame } => enter(function, counted, base.add(frame as usize), pc, base, code, state),
            Next::CallIndirect { value, frame } => {
                let function = *base.add(value as usize) as u32;
                let environment = *base.add(value as usize + 1);
                debug_assert_eq!((*state).program.function(FunctionId(function)).class(), Class((*pc).x));
                let callee = base.add(frame as usize);
                // The slot is the caller's own, in case the callee's frame does not fit.
                *callee = environment;
                enter(function, counted, callee, pc, base, code, state)
            }
            Next::Return { from, count } => {
                let caller = *base.sub(2) as *mut u64;
                let back = *base.sub(1);
                if count == 1 {
                    *base = *base.add(from as usize);
                } else {
                    move_slots(base, base.add(from as usize), count as usize);
                }
                if back & NESTED != 0 {
                    return Flow::Stop(Left::Returned, pc, base);
                }
                Flow::Go(code.add(back as usize), caller)
            }
            Next::Runtime { routine, frame } => Flow::Runtime(routine, frame),
            Next::Fault(fault) => Flow::Fault(fault),
        }
    }
}

#[inline(always)]
unsafe fn enter(
    function: u32,
    counted: bool,
    callee: *mut u64,
    pc: *const Instruction,
    base: *mut u64,
    code: *const Instruction,
    state: *mut State,
) -> Flow {
    // SAFETY: as for `follow`.
    unsafe {
        let entry = (*state).entries.as_ptr().add(function as usize).cast_mut();
        // Compared as addresses: the sum may lie behind the stack.
        if callee.wrapping_add((*entry).frame_slots as usize) > (*state).limit {
            return Flow::Fault(Fault::StackExhausted);
        }
        *callee.sub(2) = base as u64;
        *callee.sub(1) = pc.add(1).offset_from_unsigned(code) as u64;
        let first = code.add((*entry).start as usize);
        if !(COUNTED && counted) {
            return Flow::Go(first, callee);
        }
        let left = (*entry).counter.wrapping_sub(1);
        (*entry).counter = left;
        if left == 0 { Flow::FunctionHook(first, callee, function) } else { Flow::Go(first, callee) }
    }
}

#[inline(always)]
pub(crate) unsafe fn position(pc: *const Instruction, base: *mut u64, code: *const Instruction) -> Position {
    // SAFETY: `pc` is of the program's code.
    Position { pc: Pc(unsafe { pc.offset_from_unsigned(code) } as u32), base }
}

#[inline(always)]
pub(crate) unsafe fn stop(
    left: Left,
    pc: *const Instruction,
    base: *mut u64,
    code: *const Instruction,
    state: *mut State,
) {
    // SAFETY: `pc` is of the program's code, the state is live.
    unsafe {
        (*state).stopped = Some(position(pc, base, code));
        (*state).left = left;
    }
}

#[cold]
#[inline(never)]
pub(crate) unsafe fn fault(
    pc: *const Instruction,
    base: *mut u64,
    code: *const Instruction,
    state: *mut State,
    fault: Fault,
) {
    // SAFETY: as for `stop`.
    unsafe {
        (*state).pending.fault = Some((fault, None));
        stop(Left::Fault, pc, base, code, state)
    }
}

/// After a routine that did not just compute.
#[cold]
#[inline(never)]
pub(crate) unsafe fn stopped(
    pc: *const Instruction,
    base: *mut u64,
    code: *const Instruction,
    state: *mut State,
    outcome: Outcome,
) {
    // SAFETY: as for `stop`; behind a `Runtime` there is another instruction.
    unsafe {
        match outcome {
            Outcome::Fault => stop(Left::Fault, pc, base, code, state),
            Outcome::Wait => stop(Left::Park, pc, base, code, state),
            Outcome::Done | Outcome::Park => stop(Left::Park, pc.add(1), base, code, state),
            Outcome::Exit => stop(Left::Exit, pc, base, code, state),
        }
    }
}

#[cfg(all(threaded, not(debug_assertions)))]
mod engine {
    use std::mem;
    use std::sync::atomic::{AtomicPtr, Ordering};

    use super::*;
    use crate::step::{Semantics, each, for_each_opcode};

    /// All that running needs, in registers.
    type Handler = unsafe fn(*const Instruction, *mut u64, *const Instruction, *mut State);

    /// By opcode, each a [`Handler`]. A copy in the state itself saves the register that would hold its address.
    /// Atomic, since a signal may exchange some between two instructions.
    pub(crate) struct Handlers([AtomicPtr<()>; Opcode::ALL.len()]);

    macro_rules! handlers {
        ($($op:ident)*) => {
            /// All of them, counting.
            const fn handlers() -> Handlers {
                let mut handlers = [const { AtomicPtr::new(handler::<each::Nop, true> as *mut ()) }; Opcode::ALL.len()];
                $(handlers[Opcode::$op as usize] = AtomicPtr::new(handler::<each::$op, true> as *mut ());)*
                Handlers(handlers)
            }
        };
    }

    for_each_opcode!(handlers);

    macro_rules! counters {
        ($($op:ident)*) => {
            /// The opcodes that count, with a handler that does and one that doesn't.
            const COUNTERS: &[(Opcode, Handler, Handler)] =
                &[$((Opcode::$op, handler::<each::$op, true>, handler::<each::$op, false>)),*];
        };
    }

    counters!(Loop ForLoop Call CallIndirect);

    impl Handlers {
        /// Those that count.
        pub fn new() -> Handlers {
            handlers()
        }

        /// From the next instruction on back edges and calls are counted, or not. May be called in a signal.
        pub fn count(&self, on: bool) {
            for &(op, counting, resting) in COUNTERS {
                self.0[op as usize].store(if on { counting } else { resting } as *mut (), Ordering::Relaxed);
            }
        }
    }

    pub(super) unsafe fn start(pc: *const Instruction, base: *mut u64, code: *const Instruction, state: *mut State) {
        // SAFETY: by the promise of `run`.
        unsafe { go(pc, base, code, state) }
    }

    /// To be called in tail position. The table is read plainly: an atomic load would be an instruction more than the jump,
    /// and programs take 1 % longer. Beside this thread nobody stores there but its own signals, which come before or
    /// behind the one instruction that reads.
    #[inline(always)]
    unsafe fn go(pc: *const Instruction, base: *mut u64, code: *const Instruction, state: *mut State) {
        // SAFETY: by the promise of `run`; the table holds nothing but handlers.
        unsafe {
            let handler = *(*state).handlers.0[(*pc).op as usize].as_ptr();
            mem::transmute::<*mut (), Handler>(handler)(pc, base, code, state)
        }
    }

    unsafe fn handler<S: Semantics, const COUNTING: bool>(
        pc: *const Instruction,
        base: *mut u64,
        code: *const Instruction,
        state: *mut State,
    ) {
        // SAFETY: by the promise of `run`.
        unsafe {
            let mut machine = Native { base, tables: Arc::as_ptr(&(*state).tables) };
            match follow(S::run(&mut machine, *pc), COUNTING, pc, base, code, state) {
                Flow::Go(pc, base) => go(pc, base, code, state),
                Flow::LoopHook(pc, id) => loop_hook(pc, base, code, state, id),
                Flow::FunctionHook(pc, base, id) => function_hook(pc, base, code, state, id),
                Flow::Stop(left, pc, base) => stop(left, pc, base, code, state),
                Flow::Fault(kind) => fault(pc, base, code, state, kind),
                Flow::Runtime(routine, frame) => {
                    let outcome = routine::call(&mut *state, routine, base.add(frame as usize));
                    if outcome == Outcome::Done {
                        go(pc.add(1), base, code, state)
                    } else {
                        stopped(pc, base, code, state, outcome)
                    }
                }
            }
        }
    }

    #[cold]
    #[inline(never)]
    unsafe fn loop_hook(pc: *const Instruction, base: *mut u64, code: *const Instruction, state: *mut State, id: u32) {
        // SAFETY: by the promise of `run`; where the tier says to go on is a place of this program.
        unsafe {
            let goes = (*state).loop_goes(LoopId(id), position(pc, base, code));
            went(goes, code, state)
        }
    }

    #[cold]
    #[inline(never)]
    unsafe fn function_hook(
        pc: *const Instruction,
        base: *mut u64,
        code: *const Instruction,
        state: *mut State,
        id: u32,
    ) {
        // SAFETY: as for `loop_hook`.
        unsafe {
            let goes = (*state).function_goes(FunctionId(id), position(pc, base, code));
            went(goes, code, state)
        }
    }

    /// Goes on where a hook said. That is in the state and not in a local: a call behind one whose result is in this
    /// frame is no jump, and each hook would leave its frame on the stack.
    #[inline(always)]
    unsafe fn went(goes: bool, code: *const Instruction, state: *mut State) {
        // SAFETY: as for `loop_hook`.
        unsafe {
            if goes {
                let at = (*state).went;
                go(code.add(at.pc.0 as usize), at.base, code, state)
            }
        }
    }
}

#[cfg(not(all(threaded, not(debug_assertions))))]
mod engine {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::step::step;

    /// Whether to count is all that the loop needs.
    pub(crate) struct Handlers(AtomicBool);

    impl Handlers {
        /// Counts.
        pub fn new() -> Handlers {
            Handlers(AtomicBool::new(true))
        }

        /// From the next instruction on back edges and calls are counted, or not. May be called in a signal.
        pub fn count(&self, on: bool) {
            self.0.store(on, Ordering::Relaxed);
        }
    }

    pub(super) unsafe fn start(
        mut pc: *const Instruction,
        mut base: *mut u64,
        code: *const Instruction,
        state: *mut State,
    ) {
        // SAFETY: by the promise of `run`.
        unsafe {
            loop {
                let mut machine = Native { base, tables: Arc::as_ptr(&(*state).tables) };
                let counting = (*state).handlers.0.load(Ordering::Relaxed);
                match follow(step(&mut machine, *pc), counting, pc, base, code, state) {
                    Flow::Go(next, frame) => (pc, base) = (next, frame),
                    Flow::LoopHook(next, id) => {
                        if !(*state).loop_goes(LoopId(id), position(next, base, code)) {
                            return;
                        }
                        (pc, base) = (code.add((*state).went.pc.0 as usize), (*state).went.base);
                    }
                    Flow::FunctionHook(next, frame, id) => {
                        if !(*state).function_goes(FunctionId(id), position(next, frame, code)) {
                            return;
                        }
                        (pc, base) = (code.add((*state).went.pc.0 as usize), (*state).went.base);
                    }
                    Flow::Stop(left, pc, base) => return stop(left, pc, base, code, state),
                    Flow::Fault(kind) => return fault(pc, base, code, state, kind),
                    Flow::Runtime(routine, frame) => {
                        let outcome = routine::call(&mut *state, routine, base.add(frame as usize));
                        if outcome != Outcome::Done {
                            return stopped(pc, base, code, state, outcome);
                        }
                        pc = pc.add(1);
                    }
                }
            }
        }
    }
}
