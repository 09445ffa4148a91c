//! The short ways of routines for regions and blocks: what `scaly_runtime::memory` does where there is room and nothing
//! to give back. For the rest the routine is called from the cold part, with all registers kept.

use dynasmrt::{DynamicLabel, DynasmLabelApi, dynasm};
use scaly_interp::routine::Routine;
use scaly_runtime::memory::{BLOCK_HEADER, Region, RegionStack, SizeClass};
use scaly_tracer::trace::{Inst, Slot};

use super::Emitter;
use super::calls::Cold;
use super::encode::*;
use super::operands::{context, slot as slot_operand};
use crate::context as at;
use crate::inline::Inlined;

const fn field(register: u8, offset: usize) -> Rm {
    Rm::Memory(Address::of(register, offset as i32))
}

impl Emitter<'_> {
    pub fn inlined_routine(&mut self, inst: &Inst, routine: Routine, slot: Slot, inlined: Inlined) {
        let from = self.ops.new_dynamic_label();
        let back = self.ops.new_dynamic_label();
        let exit = self.stub(inst);
        self.cold.push(Cold::Routine { routine, slot, from, back, exit });
        match inlined {
            Inlined::Enter => {
                self.op(MOV, RAX, context(at::REGIONS));
                self.op(MOV, RCX, field(RAX, RegionStack::TOP));
                self.op(MOV, RCX, field(RCX, Region::NEXT));
                dynasm!(self.ops; .arch x64; test rcx, rcx; jz =>from);
                self.op(STORE64, RCX, field(RAX, RegionStack::TOP));
                self.op(STORE64, RCX, slot_operand(slot));
            }
            Inlined::Reset => {
                self.op(MOV, RAX, slot_operand(slot));
                self.op(MOV, RCX, field(RAX, Region::START));
                self.op(CMP, RCX, field(RAX, Region::BUMP));
                dynasm!(self.ops; .arch x64; jne =>from);
            }
            Inlined::Exit => {
                self.op(MOV, RAX, context(at::REGIONS));
                self.op(MOV, RCX, field(RAX, RegionStack::TOP));
                self.op(CMP, RCX, slot_operand(slot));
                dynasm!(self.ops; .arch x64; jne =>from);
                // Without memory.
                self.alu_imm(CMP, field(RCX, Region::END), 0);
                dynasm!(self.ops; .arch x64; jne =>from);
                self.op(MOV, RCX, field(RCX, Region::PREVIOUS));
                self.op(STORE64, RCX, field(RAX, RegionStack::TOP));
            }
            Inlined::Alloc(bytes) => self.alloc(slot, bytes, from),
            Inlined::Free => self.free(slot, from, back),
        }
        dynasm!(self.ops; .arch x64; =>back);
    }

    /// The newest free block of the class, else one cut from the chunk.
    fn alloc(&mut self, slot: Slot, bytes: u64, from: DynamicLabel) {
        let class = SizeClass::of(bytes);
        let capacity = class.capacity() as i32;
        let head = field(RCX, 8 * class.index());
        self.op(MOV, RAX, slot_operand(slot));
        self.op(MOV, RCX, field(RAX, Region::LISTS));
        dynasm!(self.ops; .arch x64; test rcx, rcx; jz >cut);
        self.op(MOV, RDX, head);
        dynasm!(self.ops; .arch x64; test rdx, rdx; jz >cut);
        self.op(MOV, RAX, field(RDX, 0));
        self.op(STORE64, RAX, head);
        dynasm!(self.ops; .arch x64; jmp >made; cut:);
        self.op(MOV, RDX, field(RAX, Region::BUMP));
        self.op(LEA, RCX, field(RDX, (capacity as u64 + BLOCK_HEADER) as usize));
        self.op(CMP, RCX, field(RAX, Region::END));
        dynasm!(self.ops; .arch x64; ja =>from);
        self.op(STORE64, RCX, field(RAX, Region::BUMP));
        self.op_imm32(MOV_IMM, 0, field(RDX, 0), capacity);
        self.op_imm32(MOV_IMM, 0, field(RDX, 8), 0);
        self.alu_imm(ADD, Rm::Register(RDX), BLOCK_HEADER as i32);
        dynasm!(self.ops; .arch x64; made: ; xorps xmm15, xmm15);
        for at in (0..bytes.next_multiple_of(16)).step_by(16) {
            self.op(MOVUPS_STORE, XMM15, field(RDX, at as usize));
        }
        self.op(STORE64, RDX, slot_operand(slot));
    }

    /// The newest block of the chunk is taken back.
    fn free(&mut self, slot: Slot, from: DynamicLabel, back: DynamicLabel) {
        self.op(MOV, RAX, slot_operand(slot + 1));
        dynasm!(self.ops; .arch x64; test rax, rax; jz =>back);
        let header = -(BLOCK_HEADER as i32);
        self.op(MOV, RCX, Rm::Memory(Address::of(RAX, header)));
        dynasm!(self.ops; .arch x64; test rcx, rcx; jz =>back; add rcx, rax);
        self.op(MOV, RDX, slot_operand(slot));
        self.op(CMP, RCX, field(RDX, Region::BUMP));
        dynasm!(self.ops; .arch x64; jne =>from);
        self.alu_imm(ADD, Rm::Register(RAX), header);
        self.op(STORE64, RAX, field(RDX, Region::BUMP));
    }
}
