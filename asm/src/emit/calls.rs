//! Calls: of routines, of the trees of inner loops, of functions.
//!
//! A callee's frame lies in the caller's, so a native call moves rbx there and back. All registers are the callee's; what
//! is needed behind the call is in the native frame. A callee that does not just return is finished below its caller, in
//! the cold part.

use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, dynasm};
use scaly_interp::program::{Class, FunctionId};
use scaly_interp::routine::Routine;
use scaly_interp::tier;
use scaly_tracer::backend::code;
use scaly_tracer::trace::{Inst, Slot, TraceId};

use super::Emitter;
use super::encode::*;
use super::operands::{context, slot as slot_operand};
use crate::context as at;
use crate::context::Shared;

/// A function that was called.
#[derive(Clone, Copy)]
pub enum Callee {
    Known(FunctionId),
    /// Its id is in rcx.
    InRcx,
}

/// What is emitted behind the trace.
pub enum Cold {
    /// A function came back with more than its results.
    Finish { function: Callee, slot: Slot, from: DynamicLabel, back: DynamicLabel },
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
        self.check_room(inst, slot, self.target.program.function(function).frame_slots);
        self.move_base(slot as i32);
        self.op(GROUP5.narrow(), 2, context(Shared::entry_offset(function.0)));
        self.move_base(-(slot as i32));
        self.back_from(Callee::Known(function), slot);
    }

    /// Of the function with this id, which is one of the class.
    pub fn call_value(&mut self, inst: &Inst, class: Class, slot: Slot) {
        let functions = self.target.program.functions.iter().filter(|function| function.class() == class);
        self.check_room(inst, slot, functions.map(|function| function.frame_slots).max().unwrap_or(0));
        let id = self.word_rm(inst.a, RAX);
        if id != Rm::Register(RAX) {
            self.op(MOV, RAX, id);
        }
        self.move_base(slot as i32);
        // Twice, since the stack is aligned where native code is entered.
        dynasm!(self.ops; .arch x64; push rax; push rax);
        let entry = Address { base: R15, index: Some((RAX, 3)), displacement: Shared::entry_offset(0) };
        self.op(GROUP5.narrow(), 2, Rm::Memory(entry));
        dynasm!(self.ops; .arch x64; pop rcx; pop rcx);
        self.move_base(-(slot as i32));
        self.back_from(Callee::InRcx, slot);
    }

    /// Leaves unless a frame of so many slots fits, and native code below.
    fn check_room(&mut self, inst: &Inst, slot: Slot, frame_slots: u16) {
        let exit = self.stub(inst);
        let behind = slot + u32::from(frame_slots);
        self.op(LEA, RAX, Rm::Memory(Address::of(RBX, 8 * behind as i32)));
        self.op(CMP, RAX, context(at::SLOTS_LIMIT));
        dynasm!(self.ops; .arch x64; ja =>exit);
        self.op(CMP, RSP, context(at::NATIVE_LIMIT));
        dynasm!(self.ops; .arch x64; jb =>exit);
        // Recursion may have no back edge that polls.
        self.poll_at(exit);
    }

    fn back_from(&mut self, function: Callee, slot: Slot) {
        let from = self.ops.new_dynamic_label();
        let back = self.ops.new_dynamic_label();
        dynasm!(self.ops; .arch x64; test eax, eax; jnz =>from; =>back);
        self.cold.push(Cold::Finish { function, slot, from, back });
    }

    pub fn finish_call(&mut self, function: Callee, slot: Slot, from: DynamicLabel, back: DynamicLabel) {
        let abandon = self.abandon();
        dynasm!(self.ops; .arch x64; =>from; cmp eax, code::ABANDONED as i32; je =>abandon);
        match function {
            Callee::Known(id) => self.constant(RSI, i64::from(id.0)),
            Callee::InRcx => dynasm!(self.ops; .arch x64; mov esi, ecx),
        }
        dynasm!(self.ops; .arch x64; mov ecx, eax);
        self.op(LEA, RDX, slot_operand(slot));
        self.op(MOV, 8, context(at::EXIT_ROOT));
        self.op(MOV32, 9, context(at::VIA));
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
