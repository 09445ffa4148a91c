//! Calls: of routines, of the trees of inner loops, of functions.
//!
//! A callee's frame lies in the caller's, so a native call moves rbx there and back. All registers are the callee's; what
//! is needed behind the call is in the native frame. A callee that does not just return is finished below its caller, in
//! the cold part.

use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, dynasm};
use scaly_interp::program::FunctionId;
use scaly_interp::routine::Routine;
use scaly_interp::tier;
use scaly_tracer::backend::code;
use scaly_tracer::trace::{Inst, Slot, TraceId};

use super::Emitter;
use super::encode::*;
use super::operands::{context, slot as slot_operand};
use crate::context as at;
use crate::context::Shared;

/// What is emitted behind the trace.
pub enum Cold {
    /// A function came back with more than its results.
    Finish { function: FunctionId, slot: Slot, from: DynamicLabel, back: DynamicLabel },
    /// The short way of a routine is not open.
    Routine { routine: Routine, slot: Slot, from: DynamicLabel, back: DynamicLabel, exit: DynamicLabel },
    /// The forced poll's turn has come.
    Rearm { from: DynamicLabel, exit: DynamicLabel },
}

impl Emitter<'_> {
    pub fn routine(&mut self, inst: &Inst, routine: Routine, slot: Slot) {
        self.op(LEA, RSI, slot_operand(slot));
        self.call_helper(routine.entry() as *const ());
        self.test_outcome();
        let exit = self.stub(inst);
        dynasm!(self.ops; .arch x64; jne =>exit);
    }

    pub fn call_tree(&mut self, i: usize, tree: TraceId, slot: Slot) {
        self.move_base(slot as i32);
        self.op(MOV, RAX, context(at::TREES));
        self.op(GROUP5.narrow(), 2, Rm::Memory(Address::of(RAX, 8 * tree.0 as i32)));
        self.move_base(-(slot as i32));
        let abandon = self.abandon();
        self.op_imm8(GROUP1_IMM8.narrow(), 7, Rm::Register(RAX), code::ABANDONED as i8);
        dynasm!(self.ops; .arch x64; je =>abandon);
        // The status is 32 bits wide, the word has zeros above.
        if self.homes[i].is_some() {
            let work = self.work(i, &[]);
            self.op(MOV32, work, Rm::Register(RAX));
            self.word_done(i, work);
        }
    }

    /// Calls a function of ours with the state, before what other registers hold; eax has its answer.
    fn call_helper(&mut self, helper: *const ()) {
        self.op(MOV, RDI, context(at::STATE));
        self.constant(RAX, helper as i64);
        self.op(GROUP5.narrow(), 2, Rm::Register(RAX));
    }

    /// Adds slots to the base; flags stay.
    fn move_base(&mut self, slots: i32) {
        if slots != 0 {
            self.op(LEA, RBX, Rm::Memory(Address::of(RBX, 8 * slots)));
        }
    }

    pub fn call_function(&mut self, inst: &Inst, function: FunctionId, slot: Slot) {
        let exit = self.stub(inst);
        let behind = slot + u32::from(self.target.program.function(function).frame_slots);
        self.op(LEA, RAX, Rm::Memory(Address::of(RBX, 8 * behind as i32)));
        self.op(CMP, RAX, context(at::SLOTS_LIMIT));
        dynasm!(self.ops; .arch x64; ja =>exit);
        self.op(CMP, RSP, context(at::NATIVE_LIMIT));
        dynasm!(self.ops; .arch x64; jb =>exit);
        // Recursion may have no back edge that polls.
        self.poll_at(exit);
        let from = self.ops.new_dynamic_label();
        let back = self.ops.new_dynamic_label();
        self.move_base(slot as i32);
        self.op(GROUP5.narrow(), 2, context(Shared::entry_offset(function.0)));
        self.move_base(-(slot as i32));
        dynasm!(self.ops; .arch x64; test eax, eax; jnz =>from; =>back);
        self.cold.push(Cold::Finish { function, slot, from, back });
    }

    pub fn finish_call(&mut self, function: FunctionId, slot: Slot, from: DynamicLabel, back: DynamicLabel) {
        let abandon = self.abandon();
        dynasm!(self.ops; .arch x64; =>from; cmp eax, code::ABANDONED as i32; je =>abandon; mov ecx, eax);
        self.op(LEA, RDX, slot_operand(slot));
        self.op(MOV, 8, context(at::EXIT_ROOT));
        self.op(MOV32, 9, context(at::VIA));
        self.constant(RSI, i64::from(function.0));
        self.call_helper(tier::finish_call as *const ());
        dynasm!(self.ops; .arch x64; test al, al; jnz =>back; mov eax, DWORD code::ABANDONED as i32; jmp =>abandon);
    }

    /// Calls a routine and keeps all registers.
    pub fn careful_routine(&mut self, routine: Routine, slot: Slot, from: DynamicLabel, back: DynamicLabel) {
        dynasm!(self.ops; .arch x64; =>from);
        self.constant(RAX, routine.entry() as *const () as i64);
        self.op(LEA, RDX, slot_operand(slot));
        self.call_outside(self.target.careful_routine);
        self.test_outcome();
        dynasm!(self.ops; .arch x64; je =>back);
    }

    /// Whether a routine has just computed: equal.
    fn test_outcome(&mut self) {
        if tier::ROUTINE_DONE == 0 {
            dynasm!(self.ops; .arch x64; test al, al);
        } else {
            dynasm!(self.ops; .arch x64; cmp al, BYTE tier::ROUTINE_DONE as i8);
        }
    }

    /// Where the status in eax, which says that a callee did not come back, is handed on.
    pub fn abandon(&mut self) -> DynamicLabel {
        *self.abandon.get_or_insert_with(|| self.ops.new_dynamic_label())
    }
}
