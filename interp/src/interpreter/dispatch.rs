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
use super::state::{Entry, Outcome, State};
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
    let pc = state.code.wrapping_add(from.pc.0 as usize);
    // SAFETY: by the caller's promise.
    unsafe { engine::start(pc, from.base, state) };
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
    let code = state.code;
    // SAFETY: by the caller's promise.
    unsafe { stopped(code.add(at.pc.0 as usize), at.base, code, state, outcome) }
}

/// Where an instruction leads.
pub(crate) enum Flow {
    Go(*const Instruction, *mut u64),
    /// By the back edge of this loop to its header.
    Loop(*const Instruction, u32),
    /// Into a new frame of this function.
    Call(*const Instruction, *mut u64, *mut Entry),
    Stop(Left, *const Instruction, *mut u64),
    /// At this instruction.
    Fault(Fault),
    /// Of this routine at this slot.
    Runtime(u32, u16),
}

/// Whether back edges and calls are ever counted; if not, nothing gets hot.
const COUNTED: bool = !cfg!(feature = "uncounted");

/// Counts a back edge of a loop; true if its hook is due.
///
/// # Safety
/// The state is live, and the loop is one of its program's.
#[inline(always)]
pub(crate) unsafe fn count_back_edge(state: *mut State, id: u32) -> bool {
    // SAFETY: by the caller's promise.
    let counter = unsafe { &mut *(*state).loops.as_ptr().add(id as usize).cast_mut() };
    *counter = counter.wrapping_sub(u32::from(COUNTED));
    COUNTED && *counter == 0
}

/// The same for a call of a function.
///
/// # Safety
/// The entry is of a live state.
#[inline(always)]
pub(crate) unsafe fn count_call(entry: *mut Entry) -> bool {
    // SAFETY: by the caller's promise.
    let entry = unsafe { &mut *entry };
    entry.counter = entry.counter.wrapping_sub(u32::from(COUNTED));
    COUNTED && entry.counter == 0
}

/// Where an instruction leads.
///
/// # Safety
/// As for [`run`], for the instruction at `pc`.
#[inline(always)]
pub(crate) unsafe fn follow(
    next: Next,
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
            Next::Loop { target, id } => Flow::Loop(code.add(target as usize), id),
            Next::Call { function, frame } => enter(function, base.add(frame as usize), pc, base, code, state),
            Next::CallIndirect { value, frame } => {
                let function = *base.add(value as usize) as u32;
                let environment = *base.add(value as usize + 1);
                debug_assert_eq!((*state).program.function(FunctionId(function)).class(), Class((*pc).x));
                let callee = base.add(frame as usize);
                // The slot is the caller's own, in case the callee's frame does not fit.
                *callee = environment;
                enter(function, callee, pc, base, code, state)
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
        Flow::Call(code.add((*entry).start as usize), callee, entry)
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
    use super::*;
    use crate::interpreter::counting::{Counts, SOONER};
    use crate::step::{Semantics, each, for_each_opcode};

    /// All that running needs, in registers; last, the back edges and calls until one is looked at, where some are. With one
    /// more, the code's address, each seventh handler would have to save a register of its own.
    type Handler = unsafe fn(*const Instruction, *mut u64, *mut State, u32);

    /// By opcode. A copy in the state itself saves the register that would hold its address.
    pub(crate) struct Handlers([Handler; Opcode::ALL.len()]);

    /// What a back edge or a call leads to.
    enum Due {
        Nothing,
        /// To be looked at, since some are.
        Look,
        Hook,
    }

    /// Which back edges and calls are counted; a [`Counts`] as a type.
    trait Counting {
        unsafe fn back_edge(state: *mut State, ticks: &mut u32, id: u32) -> Due;
        unsafe fn call(ticks: &mut u32, entry: *mut Entry) -> Due;
    }

    struct CountNone;
    struct CountSome;
    struct CountAll;

    impl Counting for CountNone {
        #[inline(always)]
        unsafe fn back_edge(_: *mut State, _: &mut u32, _: u32) -> Due {
            Due::Nothing
        }

        #[inline(always)]
        unsafe fn call(_: &mut u32, _: *mut Entry) -> Due {
            Due::Nothing
        }
    }

    impl CountSome {
        #[inline(always)]
        fn tick(ticks: &mut u32) -> Due {
            *ticks = ticks.wrapping_sub(u32::from(COUNTED));
            if COUNTED && *ticks == 0 { Due::Look } else { Due::Nothing }
        }
    }

    impl Counting for CountSome {
        #[inline(always)]
        unsafe fn back_edge(_: *mut State, ticks: &mut u32, _: u32) -> Due {
            CountSome::tick(ticks)
        }

        #[inline(always)]
        unsafe fn call(ticks: &mut u32, _: *mut Entry) -> Due {
            CountSome::tick(ticks)
        }
    }

    impl Counting for CountAll {
        #[inline(always)]
        unsafe fn back_edge(state: *mut State, _: &mut u32, id: u32) -> Due {
            // SAFETY: by the caller's promise.
            if unsafe { count_back_edge(state, id) } { Due::Hook } else { Due::Nothing }
        }

        #[inline(always)]
        unsafe fn call(_: &mut u32, entry: *mut Entry) -> Due {
            // SAFETY: by the caller's promise.
            if unsafe { count_call(entry) } { Due::Hook } else { Due::Nothing }
        }
    }

    macro_rules! handlers {
        ($($op:ident)*) => {
            /// All of them, counting all.
            const fn handlers() -> Handlers {
                let mut handlers: [Handler; Opcode::ALL.len()] = [handler::<each::Nop, CountAll>; Opcode::ALL.len()];
                $(handlers[Opcode::$op as usize] = handler::<each::$op, CountAll>;)*
                Handlers(handlers)
            }
        };
    }

    for_each_opcode!(handlers);

    impl Handlers {
        /// Those that count all.
        pub fn new() -> Handlers {
            handlers()
        }

        /// From the next instruction on this is counted.
        pub fn count(&mut self, what: Counts) {
            match what {
                Counts::Nothing => self.counting::<CountNone>(),
                Counts::Some => self.counting::<CountSome>(),
                Counts::All => self.counting::<CountAll>(),
            }
        }

        fn counting<C: Counting>(&mut self) {
            self.0[Opcode::Loop as usize] = handler::<each::Loop, C>;
            self.0[Opcode::ForLoop as usize] = handler::<each::ForLoop, C>;
            self.0[Opcode::Call as usize] = handler::<each::Call, C>;
            self.0[Opcode::CallIndirect as usize] = handler::<each::CallIndirect, C>;
        }
    }

    pub(super) unsafe fn start(pc: *const Instruction, base: *mut u64, state: *mut State) {
        // SAFETY: by the promise of `run`.
        unsafe { go(pc, base, state, (*state).counting.ticks) }
    }

    /// To be called in tail position.
    #[inline(always)]
    unsafe fn go(pc: *const Instruction, base: *mut u64, state: *mut State, ticks: u32) {
        // SAFETY: by the promise of `run`.
        unsafe { (*state).handlers.0[(*pc).op as usize](pc, base, state, ticks) }
    }

    unsafe fn handler<S: Semantics, C: Counting>(
        pc: *const Instruction,
        base: *mut u64,
        state: *mut State,
        mut ticks: u32,
    ) {
        // SAFETY: by the promise of `run`.
        unsafe {
            let mut machine = Native { base, tables: Arc::as_ptr(&(*state).tables) };
            let code = (*state).code;
            match follow(S::run(&mut machine, *pc), pc, base, code, state) {
                Flow::Go(pc, base) => go(pc, base, state, ticks),
                Flow::Loop(pc, id) => match C::back_edge(state, &mut ticks, id) {
                    Due::Nothing => go(pc, base, state, ticks),
                    Due::Look => look_at_loop(pc, base, state, id),
                    Due::Hook => loop_hook(pc, base, state, id),
                },
                Flow::Call(pc, base, entry) => match C::call(&mut ticks, entry) {
                    Due::Nothing => go(pc, base, state, ticks),
                    Due::Look => look_at_function(pc, base, state, entry),
                    Due::Hook => function_hook(pc, base, state, entry),
                },
                Flow::Stop(left, pc, base) => {
                    (*state).counting.ticks = ticks;
                    stop(left, pc, base, code, state)
                }
                Flow::Fault(kind) => fault(pc, base, code, state, kind),
                Flow::Runtime(routine, frame) => {
                    let outcome = routine::call(&mut *state, routine, base.add(frame as usize));
                    if outcome == Outcome::Done {
                        // It may have taken long: a loop that calls it is looked at soon.
                        go(pc.add(1), base, state, ticks - ticks / SOONER)
                    } else {
                        (*state).counting.ticks = ticks;
                        stopped(pc, base, code, state, outcome)
                    }
                }
            }
        }
    }

    #[cold]
    #[inline(never)]
    unsafe fn look_at_loop(pc: *const Instruction, base: *mut u64, state: *mut State, id: u32) {
        // SAFETY: by the promise of `run`.
        unsafe {
            if (*state).look_at_loop(id) {
                loop_hook(pc, base, state, id)
            } else {
                go(pc, base, state, (*state).counting.ticks)
            }
        }
    }

    #[cold]
    #[inline(never)]
    unsafe fn look_at_function(pc: *const Instruction, base: *mut u64, state: *mut State, entry: *mut Entry) {
        // SAFETY: by the promise of `run`.
        unsafe {
            if (*state).look_at_function((*state).function(entry)) {
                function_hook(pc, base, state, entry)
            } else {
                go(pc, base, state, (*state).counting.ticks)
            }
        }
    }

    #[cold]
    #[inline(never)]
    unsafe fn loop_hook(pc: *const Instruction, base: *mut u64, state: *mut State, id: u32) {
        // SAFETY: by the promise of `run`; where the tier says to go on is a place of this program.
        unsafe {
            let goes = (*state).loop_goes(LoopId(id), position(pc, base, (*state).code));
            went(goes, state)
        }
    }

    #[cold]
    #[inline(never)]
    unsafe fn function_hook(pc: *const Instruction, base: *mut u64, state: *mut State, entry: *mut Entry) {
        // SAFETY: as for `loop_hook`.
        unsafe {
            let goes = (*state).function_goes((*state).function(entry), position(pc, base, (*state).code));
            went(goes, state)
        }
    }

    /// Goes on where a hook said. That is in the state and not in a local: a call behind one whose result is in this
    /// frame is no jump, and each hook would leave its frame on the stack.
    #[inline(always)]
    unsafe fn went(goes: bool, state: *mut State) {
        // SAFETY: as for `loop_hook`.
        unsafe {
            if goes {
                let at = (*state).went;
                go((*state).code.add(at.pc.0 as usize), at.base, state, (*state).counting.ticks)
            }
        }
    }
}

#[cfg(not(all(threaded, not(debug_assertions))))]
mod engine {
    use super::*;
    use crate::interpreter::counting::{Counts, SOONER};
    use crate::step::step;

    /// What is counted is all that the loop needs.
    pub(crate) struct Handlers(Counts);

    impl Handlers {
        /// Counts all.
        pub fn new() -> Handlers {
            Handlers(Counts::All)
        }

        /// From the next instruction on this is counted.
        pub fn count(&mut self, what: Counts) {
            self.0 = what;
        }
    }

    /// Whether the hook of a back edge or a call is due, by what is counted of `all` or by a `look` at some.
    fn is_due(state: &mut State, all: impl FnOnce(*mut State) -> bool, look: impl FnOnce(&mut State) -> bool) -> bool {
        match state.handlers.0 {
            Counts::Nothing => false,
            Counts::Some => {
                state.counting.ticks -= u32::from(COUNTED);
                state.counting.ticks == 0 && look(state)
            }
            Counts::All => all(state),
        }
    }

    pub(super) unsafe fn start(mut pc: *const Instruction, mut base: *mut u64, state: *mut State) {
        // SAFETY: by the promise of `run`.
        unsafe {
            let code = (*state).code;
            loop {
                let mut machine = Native { base, tables: Arc::as_ptr(&(*state).tables) };
                match follow(step(&mut machine, *pc), pc, base, code, state) {
                    Flow::Go(next, frame) => (pc, base) = (next, frame),
                    Flow::Loop(next, id) => {
                        pc = next;
                        if is_due(&mut *state, |state| count_back_edge(state, id), |state| state.look_at_loop(id)) {
                            if !(*state).loop_goes(LoopId(id), position(next, base, code)) {
                                return;
                            }
                            (pc, base) = (code.add((*state).went.pc.0 as usize), (*state).went.base);
                        }
                    }
                    Flow::Call(next, frame, entry) => {
                        (pc, base) = (next, frame);
                        let id = (*state).function(entry);
                        if is_due(&mut *state, |_| count_call(entry), |state| state.look_at_function(id)) {
                            if !(*state).function_goes((*state).function(entry), position(next, frame, code)) {
                                return;
                            }
                            (pc, base) = (code.add((*state).went.pc.0 as usize), (*state).went.base);
                        }
                    }
                    Flow::Stop(left, pc, base) => return stop(left, pc, base, code, state),
                    Flow::Fault(kind) => return fault(pc, base, code, state, kind),
                    Flow::Runtime(routine, frame) => {
                        let outcome = routine::call(&mut *state, routine, base.add(frame as usize));
                        if outcome != Outcome::Done {
                            return stopped(pc, base, code, state, outcome);
                        }
                        (*state).counting.ticks -= (*state).counting.ticks / SOONER;
                        pc = pc.add(1);
                    }
                }
            }
        }
    }
}
