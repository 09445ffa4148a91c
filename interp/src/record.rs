//! Runs a program instruction by instruction under a recorder.
//!
//! The recorder is a [`Machine`] whose values are real ones with something beside them. It is asked before each
//! instruction, told where each leads, and ends the recording when it likes; the program runs on meanwhile as ever.

use std::sync::Arc;

use crate::bytecode::Instruction;
use crate::interpreter::{
    Flow, Native, Outcome, Position, State, count_back_edge, count_call, fault, follow, position, stop, stopped,
};
use crate::machine::{Machine, Next};
use crate::routine;
use crate::step::step;
use crate::tier::{Goes, mark_nested, run_nested};

/// What a recorder wants before an instruction.
#[derive(Clone, Copy, Debug)]
pub enum Before {
    /// To see it run.
    Run,
    /// No more: the recording has ended.
    End,
    /// It has run something itself, and goes on where that left.
    Went(Goes),
    /// The same, and the recording has ended.
    Left(Goes),
}

/// What a recorder wants when it knows where an instruction leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum After {
    /// Go there, calls included.
    Follow,
    /// Of a call: let it run to its end unrecorded.
    Through,
    /// The recording has ended at the instruction, whose effects on slots and memory have not happened yet; for
    /// instructions that only say where to go.
    End,
}

pub trait Recorder: Machine {
    /// The real machine for the frame that an instruction works on.
    fn attach(&mut self, native: Native);

    /// Before an instruction.
    fn before(&mut self, state: &mut State, at: Position, ins: Instruction) -> Before;

    /// Behind the instruction, before control goes where it leads.
    fn after(&mut self, state: &mut State, at: Position, ins: Instruction, next: Next) -> After;

    /// Runs what a call lets run unrecorded, which may take long. False if it stopped the program.
    fn through(&mut self, state: &mut State, run: impl FnOnce(&mut State) -> bool) -> bool;

    /// The program stopped under the recording: an error, an end, or something to wait for.
    fn stopped(&mut self);
}

/// Records from a position on until the recorder or the program ends it.
pub fn record<R: Recorder>(state: &mut State, from: Position, recorder: &mut R) -> Goes {
    let code = state.code;
    let mut pc = code.wrapping_add(from.pc.0 as usize);
    let mut base = from.base;
    // SAFETY: a position is of this program, with its frames intact, as in the interpreter's own loop.
    unsafe {
        loop {
            let at = position(pc, base, code);
            let ins = *pc;
            match recorder.before(state, at, ins) {
                Before::Run => {}
                Before::End => return Goes::On(at),
                Before::Left(goes) => return goes,
                Before::Went(Goes::On(to)) => {
                    (pc, base) = (code.add(to.pc.0 as usize), to.base);
                    continue;
                }
                Before::Went(Goes::Stopped) => {
                    recorder.stopped();
                    return Goes::Stopped;
                }
            }
            recorder.attach(Native { base, tables: Arc::as_ptr(&state.tables) });
            let next = step(recorder, ins);
            let after = recorder.after(state, at, ins, next);
            if after == After::End {
                return Goes::On(at);
            }
            match follow(next, pc, base, code, state) {
                Flow::Call(to, frame, entry) if after == After::Through => {
                    let callee = position(to, frame, code);
                    let (hot, id) = (count_call(entry), state.function(entry));
                    let run = |state: &mut State| {
                        let goes = if hot {
                            mark_nested(callee);
                            state.hot_function(id, callee)
                        } else {
                            Goes::On(callee)
                        };
                        run_nested(state, callee, goes)
                    };
                    if !recorder.through(state, run) {
                        recorder.stopped();
                        return Goes::Stopped;
                    }
                    pc = pc.add(1);
                }
                Flow::Go(to, frame) => (pc, base) = (to, frame),
                // A hook under a recording comes again soon.
                Flow::Loop(to, id) => {
                    if count_back_edge(state, id) {
                        state.restart_loop(id, 1);
                    }
                    pc = to;
                }
                Flow::Call(to, frame, entry) => {
                    if count_call(entry) {
                        state.restart_function(state.function(entry).0, 1);
                    }
                    (pc, base) = (to, frame);
                }
                Flow::Stop(left, pc, base) => {
                    recorder.stopped();
                    stop(left, pc, base, code, state);
                    return Goes::Stopped;
                }
                Flow::Fault(kind) => {
                    recorder.stopped();
                    fault(pc, base, code, state, kind);
                    return Goes::Stopped;
                }
                Flow::Runtime(number, frame) => {
                    let outcome = routine::call(state, number, base.add(frame as usize));
                    if outcome != Outcome::Done {
                        recorder.stopped();
                        stopped(pc, base, code, state, outcome);
                        return Goes::Stopped;
                    }
                    pc = pc.add(1);
                }
            }
        }
    }
}
