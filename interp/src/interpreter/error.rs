//! A runtime error: what happened, where in the user's program, and by which calls.

use std::collections::VecDeque;
use std::fmt;

use super::dispatch::{OUTSIDE, Position};
use super::state::State;
use crate::bytecode::{Instruction, Opcode};
use crate::machine::Fault;
use crate::program::{FunctionId, Pc, Program};
use crate::source::Span;

/// Calls shown from the innermost on, before the middle is left out.
pub const TRACE_INNER: usize = 10;
/// Calls shown at the outer end.
pub const TRACE_OUTER: usize = 5;

/// Why a program ended; data for a report, which the command renders.
#[derive(Clone, PartialEq, Debug)]
pub struct RuntimeError {
    pub fault: Fault,
    /// One line: `index 7 is out of range for length 5`.
    pub message: String,
    /// The instruction that faulted; it may be the library's.
    pub pc: Pc,
    /// The innermost place that is not the library's.
    pub span: Option<Span>,
    /// The function of that place.
    pub function: Option<FunctionId>,
    /// The calls that led there, innermost first, library left out. Empty if the main program itself failed.
    pub trace: Vec<TraceLine>,
}

/// A line of a call trace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TraceLine {
    /// A call in this function at this place.
    Call { function: FunctionId, name: String, span: Span },
    /// So many calls are left out here.
    Skipped(u64),
}

impl fmt::Display for RuntimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RuntimeError {}

impl RuntimeError {
    /// Reads operands and call chain of a run that stopped at a fault.
    ///
    /// # Safety
    /// The position is of a run that stopped; its frames are intact.
    pub(crate) unsafe fn read(state: &mut State, at: Position) -> RuntimeError {
        let program = &state.program;
        let (fault, known) = state.pending.fault.take().unwrap_or((Fault::Message, None));
        let message = match known {
            Some(message) => message,
            // SAFETY: by the caller's promise the frame is intact.
            None => unsafe { message(fault, program.code[at.pc.0 as usize], at.base) },
        };
        let mut calls = Calls::default();
        let mut place = None;
        // SAFETY: each frame's header names the one of its caller.
        unsafe {
            let (mut pc, mut base) = (at.pc, at.base);
            loop {
                calls.visit(program, pc, &mut place);
                let back = *base.sub(1);
                if back == OUTSIDE {
                    break;
                }
                base = *base.sub(2) as *mut u64;
                // The call stands before the instruction that the callee returns to; a native caller's mark is above.
                pc = Pc(back as u32 - 1);
            }
        }
        RuntimeError {
            fault,
            message,
            pc: at.pc,
            span: place.map(|(_, span)| span),
            function: place.map(|(function, _)| function),
            trace: calls.lines(program),
        }
    }
}

/// The numbers in a message are the operands of the instruction that faulted.
unsafe fn message(fault: Fault, ins: Instruction, base: *mut u64) -> String {
    // SAFETY: operands of an instruction lie in its frame.
    let slot = |slot: u16| unsafe { *base.add(slot as usize) as i64 };
    match fault {
        Fault::IndexOutOfRange => {
            use Opcode as Op;
            let (index, length) = match ins.op {
                Op::CheckIndex => (slot(ins.a), slot(ins.b)),
                Op::StoreElemI8
                | Op::StoreElemI16
                | Op::StoreElemI32
                | Op::StoreElemI64
                | Op::StoreElemF32
                | Op::StoreElemF64 => (slot(ins.b), slot(ins.a + 1)),
                Op::Fault => return "index out of range".to_string(),
                _ => (slot(ins.c), slot(ins.b + 1)),
            };
            index_message(index, length)
        }
        Fault::DivisionByZero => "division by zero".to_string(),
        Fault::StackExhausted => "the stack is exhausted".to_string(),
        Fault::OutOfMemory => "out of memory".to_string(),
        Fault::NegativeLength => "negative length".to_string(),
        Fault::WrongVariant => "the value is of another variant".to_string(),
        Fault::Null => "the value is null".to_string(),
        Fault::KeyAbsent => "the key is absent".to_string(),
        Fault::StringCut => "a string is cut inside a character".to_string(),
        Fault::AssertionFailed => "assertion failed".to_string(),
        Fault::Message => "error".to_string(),
        Fault::InputOutput => "input or output failed".to_string(),
    }
}

pub(crate) fn index_message(index: i64, length: i64) -> String {
    format!("index {index} is out of range for length {length}")
}

/// A place in a function, or in a routine that was inlined into it.
#[derive(Clone, Copy)]
struct Call {
    function: FunctionId,
    inlined: Option<u32>,
    span: Span,
}

/// The calls of a chain from the inside out: the first few, the last few, and how many between.
#[derive(Default)]
struct Calls {
    inner: Vec<Call>,
    outer: VecDeque<Call>,
    skipped: u64,
}

impl Calls {
    /// The first place that is not the library's is where the error is; those further out are calls.
    fn visit(&mut self, program: &Program, pc: Pc, place: &mut Option<(FunctionId, Span)>) {
        let Some(id) = program.function_at(pc) else { return };
        let function = program.function(id);
        if function.library {
            return;
        }
        let mut span = program.span(pc);
        for (number, inlined) in function.inlined.iter().enumerate().rev() {
            if inlined.code.contains(&pc.0) {
                self.add(Call { function: id, inlined: Some(number as u32), span }, place);
                span = inlined.call;
            }
        }
        self.add(Call { function: id, inlined: None, span }, place);
    }

    fn add(&mut self, call: Call, place: &mut Option<(FunctionId, Span)>) {
        if place.is_none() {
            *place = Some((call.function, call.span));
        } else if self.inner.len() < TRACE_INNER {
            self.inner.push(call);
        } else {
            self.outer.push_back(call);
            if self.outer.len() > TRACE_OUTER {
                self.outer.pop_front();
                self.skipped += 1;
            }
        }
    }

    fn lines(self, program: &Program) -> Vec<TraceLine> {
        let line = |call: Call| {
            let function = program.function(call.function);
            let name = match call.inlined {
                Some(number) => &function.inlined[number as usize].name,
                None => &function.name,
            };
            TraceLine::Call { function: call.function, name: name.clone(), span: call.span }
        };
        let mut lines: Vec<_> = self.inner.into_iter().map(line).collect();
        if self.skipped > 0 {
            lines.push(TraceLine::Skipped(self.skipped));
        }
        lines.extend(self.outer.into_iter().map(line));
        lines
    }
}
