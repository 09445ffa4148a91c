//! Runs a program under the oracle.

use std::sync::Arc;

use super::log::Log;
use super::machine::Noting;
use super::report::Report;
use crate::bytecode::{Instruction, Opcode};
use crate::interpreter::{
    Driver, Flow, Left, Native, Options, Outcome, Position, RunError, State, World, count_back_edge, count_call, fault,
    follow, run_with, stop, stopped,
};
use crate::machine::Next;
use crate::program::{LoopId, Pc, Program};
use crate::room::{Array, capacity};
use crate::routine::{self, Effect, Extent, Routine, Signature};
use crate::step::step;

/// The frame of a loop that is entered: a counted loop's counter holds its first value and the trips after the first.
pub struct Frame<'a> {
    base: *mut u64,
    slots: u16,
    log: &'a mut Log,
}

impl Frame<'_> {
    /// What is in a slot; 0 where the frame has none.
    pub fn slot(&self, slot: u16) -> u64 {
        // SAFETY: the slot is in the frame, which lives while the watcher looks.
        if slot < self.slots { unsafe { *self.base.add(slot as usize) } } else { 0 }
    }

    /// For how many bytes the block of an array of the frame has room.
    pub fn capacity(&self, block: u64) -> u64 {
        capacity(block)
    }

    /// Makes room for so many bytes in an array of the frame, before the loop is entered. That is noted as the growth that
    /// it is: a loop around may have it in each of its iterations.
    pub fn make_room(&mut self, array: Array, bytes: u64) {
        let address = self.slot(array.block);
        let used = self.slot(array.length) * u64::from(array.stride);
        let old = OldBlock { address, length: Some(used), capacity: capacity(address) };
        // SAFETY: the frame lives while the watcher looks; the array is one of its function.
        unsafe { array.make_room(self.base, bytes) };
        let block = self.slot(array.block);
        if capacity(block) > old.capacity {
            for slot in [array.block, array.length, array.handle] {
                self.log.use_slot(slot);
            }
            renewed(self.log, Routine::ArrayGrow.signature(), Some(old), block, used);
            self.log.set_slot(array.block);
        }
    }
}

/// Runs a program and reports on its loops. The watcher says of each loop that is entered whether this run of it counts
/// or goes to [`Report::refused`].
pub fn run(
    program: Arc<Program>,
    world: World,
    options: Options,
    watcher: impl FnMut(LoopId, &mut Frame<'_>) -> bool,
) -> Result<Report, RunError> {
    let mut oracle = Oracle { log: Log::new(&program), stack: None, watcher };
    let finished = run_with(program, world, options, &mut oracle)?;
    Ok(Report { ended: finished.ended, loops: oracle.log.loops, refused: oracle.log.refused })
}

struct Oracle<W> {
    log: Log,
    /// The lowest frame's base; slots are numbered from there.
    stack: Option<*mut u64>,
    watcher: W,
}

impl<W: FnMut(LoopId, &mut Frame<'_>) -> bool> Driver for Oracle<W> {
    unsafe fn drive(&mut self, state: &mut State, from: Position) -> Left {
        let code = state.code;
        let program = state.program.clone();
        let stack = *self.stack.get_or_insert(from.base);
        let mut pc = code.wrapping_add(from.pc.0 as usize);
        let mut base = from.base;
        let mut counted_out = None;
        // SAFETY: by the promise of `Driver::drive`, as the interpreter's own loop.
        unsafe {
            loop {
                let at = Pc(pc.offset_from_unsigned(code) as u32);
                let index = base.offset_from_unsigned(stack);
                self.log.at(at, index);
                if self.log.must_follow(at) {
                    let Oracle { log, watcher, .. } = self;
                    let slots = log.frame_slots();
                    log.follow(&program, at, counted_out.take(), |log, id| {
                        watcher(id, &mut Frame { base, slots, log })
                    });
                }
                counted_out = None;
                let ins: Instruction = *pc;
                let native = Native { base, tables: Arc::as_ptr(&state.tables) };
                let next = step(&mut Noting { native, log: &mut self.log }, ins);
                match next {
                    Next::Loop { id, .. } => self.log.iterate(&program, LoopId(id)),
                    Next::Return { from, count } => {
                        self.log.leave_frame(&program);
                        self.log.move_slots(index, index + from as usize, count as usize);
                    }
                    Next::CallIndirect { value, frame } => {
                        self.log.use_slot(value);
                        self.log.move_slots(index + frame as usize, index + value as usize + 1, 1);
                    }
                    Next::Seq if ins.op == Opcode::ForLoop => counted_out = Some(LoopId(ins.y)),
                    _ => {}
                }
                match follow(next, pc, base, code, state) {
                    Flow::Go(next, frame) => (pc, base) = (next, frame),
                    Flow::Loop(next, id) => {
                        pc = next;
                        if count_back_edge(state, id) {
                            state.loop_hook(id);
                        }
                    }
                    Flow::Call(next, frame, entry) => {
                        (pc, base) = (next, frame);
                        if count_call(entry) {
                            state.function_hook(state.function(entry).0);
                        }
                    }
                    Flow::Stop(left, pc, base) => {
                        stop(left, pc, base, code, state);
                        return left;
                    }
                    Flow::Fault(kind) => {
                        fault(pc, base, code, state, kind);
                        return state.left;
                    }
                    Flow::Runtime(number, frame) => {
                        let outcome = self.routine(state, number, base, frame);
                        if outcome != Outcome::Done {
                            stopped(pc, base, code, state, outcome);
                            return state.left;
                        }
                        pc = pc.add(1);
                    }
                }
            }
        }
    }
}

impl<W> Oracle<W> {
    /// Runs a routine and notes what its row says.
    unsafe fn routine(&mut self, state: &mut State, number: u32, base: *mut u64, frame: u16) -> Outcome {
        // SAFETY: the routine's slots are in the frame.
        let slot = |k: u16| unsafe { *base.add(frame as usize + k as usize) };
        let Some(routine) = Routine::from_number(number) else { return Outcome::Done };
        let signature = routine.signature();
        for k in 0..signature.param_slots() {
            self.log.use_slot(frame + k);
        }
        // An error is not in the order of the iterations: that of the first is the program's.
        if signature.external() && !signature.only_fails() {
            self.log.external();
        }
        let range = |extent: Extent| {
            let stride = extent.stride.map_or(1, slot);
            (slot(extent.pointer), slot(extent.count).wrapping_mul(stride))
        };
        for effect in signature.effects {
            match *effect {
                Effect::Reads(extent) => {
                    let (address, bytes) = range(extent);
                    self.log.load(address, bytes);
                }
                Effect::Writes(extent) => {
                    let (address, bytes) = range(extent);
                    self.log.store(address, bytes);
                }
                _ => {}
            }
        }
        let old = old_block(signature, slot);
        // SAFETY: as for the interpreter's own loop.
        let outcome = unsafe { routine::call(state, number, base.add(frame as usize)) };
        if outcome == Outcome::Done || outcome == Outcome::Park {
            for k in 0..signature.result_slots() {
                self.log.set_slot(frame + k);
            }
            // SAFETY: the results are in the frame.
            let slot = |k: u16| unsafe { *base.add(frame as usize + k as usize) };
            renewed(&mut self.log, signature, old, slot(0), slot(1));
        }
        outcome
    }
}

/// Notes the block that a routine made, or what it appended to the old one.
fn renewed(log: &mut Log, signature: &Signature, old: Option<OldBlock>, block: u64, length: u64) {
    if let Some(old) = old {
        if old.address == block {
            // What a block gains where it lies was another's before.
            let gained = capacity(block).saturating_sub(old.capacity);
            log.allocate(block.wrapping_add(old.capacity), gained);
            if let Some(before) = old.length {
                log.store(block.wrapping_add(before), length.saturating_sub(before));
            }
            return;
        }
        if let Some(before) = old.length {
            log.load(old.address, before);
        }
    }
    if signature.effects.iter().any(|effect| matches!(effect, Effect::Allocates { .. })) {
        log.allocate(block, capacity(block));
    }
}

/// The block that a routine may keep and give back as its result.
#[derive(Clone, Copy)]
struct OldBlock {
    address: u64,
    /// In bytes, where the routine appends to it.
    length: Option<u64>,
    /// Before the routine.
    capacity: u64,
}

fn old_block(signature: &Signature, slot: impl Fn(u16) -> u64) -> Option<OldBlock> {
    let (pointer, length) = signature.effects.iter().find_map(|effect| match *effect {
        Effect::Appends { pointer, count } => Some((pointer, Some(slot(count)))),
        Effect::Frees { pointer } => Some((pointer, None)),
        _ => None,
    })?;
    let address = slot(pointer);
    Some(OldBlock { address, length, capacity: capacity(address) })
}
