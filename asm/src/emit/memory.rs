//! Loads and stores: of the program's memory, of slots, of blocks' headers.

use dynasmrt::{DynasmLabelApi, dynasm};
use scaly_interp::machine::IntMemory;
use scaly_runtime::memory::BLOCK_HEADER;
use scaly_tracer::region::Type;
use scaly_tracer::trace::{Ref, Slot};

use super::Emitter;
use super::encode::*;
use super::operands::{place, slot};
use crate::allocate::Home;
use crate::exits::constant_bits;

impl Emitter<'_> {
    pub fn load_int(&mut self, i: usize, kind: IntMemory, a: Ref, offset: u32) {
        let form = match kind {
            IntMemory::I8 => MOVSX8,
            IntMemory::U8 => MOVZX8,
            IntMemory::I16 => MOVSX16,
            IntMemory::U16 => MOVZX16,
            IntMemory::I32 => MOVSXD,
            IntMemory::U32 => MOV32,
            IntMemory::I64 => MOV,
        };
        let at = self.address(a, offset, [RAX, RCX]);
        let work = self.work(i, &[]);
        self.op(form, work, Rm::Memory(at));
        self.word_done(i, work);
    }

    pub fn load_float_at(&mut self, i: usize, single: bool, a: Ref, offset: u32) {
        let at = self.address(a, offset, [RAX, RCX]);
        let work = self.float_work(i, &[]);
        self.op(if single { MOVSS_LOAD } else { MOVSD_LOAD }, work, Rm::Memory(at));
        self.float_done(i, work);
    }

    pub fn store_int(&mut self, kind: IntMemory, a: Ref, offset: u32, value: Ref) {
        let at = Rm::Memory(self.address(a, offset, [RAX, RCX]));
        if let Some(constant) = self.trace.word(value)
            && (kind != IntMemory::I64 || i32::try_from(constant).is_ok())
        {
            return match kind {
                IntMemory::I8 | IntMemory::U8 => self.op_imm8(STORE8_IMM, 0, at, constant as i8),
                IntMemory::I16 | IntMemory::U16 => self.op_imm16(STORE16_IMM, 0, at, constant as i16),
                IntMemory::I32 | IntMemory::U32 => self.op_imm32(STORE32_IMM, 0, at, constant as i32),
                IntMemory::I64 => self.op_imm32(MOV_IMM, 0, at, constant as i32),
            };
        }
        let form = match kind {
            IntMemory::I8 | IntMemory::U8 => STORE8,
            IntMemory::I16 | IntMemory::U16 => STORE16,
            IntMemory::I32 | IntMemory::U32 => STORE32,
            IntMemory::I64 => STORE64,
        };
        let value = self.word_reg(value, RDX);
        self.op(form, value, at);
    }

    pub fn store_float(&mut self, single: bool, a: Ref, offset: u32, value: Ref) {
        let at = Rm::Memory(self.address(a, offset, [RAX, RCX]));
        let value = self.float_reg(value, XMM15);
        self.op(if single { MOVSS_STORE } else { MOVSD_STORE }, value, at);
    }

    pub fn load_slot(&mut self, i: usize, from: Slot, ty: Type) {
        if self.homes[i].is_none_or(|home| matches!(home, Home::Slot(_))) {
            return;
        }
        match ty {
            Type::Word | Type::Cond => {
                let work = self.work(i, &[]);
                self.op(MOV, work, slot(from));
                self.word_done(i, work);
            }
            Type::Float | Type::Single => {
                let work = self.float_work(i, &[]);
                self.op(if ty == Type::Single { MOVSS_LOAD } else { MOVSD_LOAD }, work, slot(from));
                self.float_done(i, work);
            }
        }
    }

    /// What the slot holds then is the value's 64 bits, a single's with zeros above. Flags and rax stay.
    pub fn store_slot(&mut self, to: Slot, value: Ref) {
        match self.trace.constant(value) {
            Some(constant) => self.store_bits(slot(to), constant_bits(constant)),
            None => self.store_home(to, self.home_of(value), self.trace.ty(value)),
        }
    }

    pub fn store_home(&mut self, to: Slot, from: Home, ty: Option<Type>) {
        match from {
            Home::General(register) => self.op(STORE64, register, slot(to)),
            Home::SlotAddress(0) => self.op(STORE64, RBX, slot(to)),
            Home::Vector(register) if ty != Some(Type::Single) => self.op(MOVSD_STORE, register, slot(to)),
            _ => {
                match (from, place(from)) {
                    (Home::Vector(register), _) => self.op(MOVD_FROM, register, Rm::Register(RCX)),
                    (_, Some(memory)) if ty == Some(Type::Single) => self.op(MOV32, RCX, memory),
                    _ => self.load_home(RCX, from),
                }
                self.op(STORE64, RCX, slot(to));
            }
        }
    }

    pub fn store_bits(&mut self, to: Rm, bits: u64) {
        match i32::try_from(bits as i64) {
            Ok(short) => self.op_imm32(MOV_IMM, 0, to, short),
            Err(_) => {
                self.constant(RCX, bits as i64);
                self.op(STORE64, RCX, to);
            }
        }
    }

    /// Bytes that a block has room for: in its header; none has none.
    pub fn capacity(&mut self, i: usize, a: Ref) {
        let base = self.word_reg(a, RCX);
        let at = Address::of(base, -(BLOCK_HEADER as i32));
        self.op(XOR.narrow(), RAX, Rm::Register(RAX));
        self.op(TEST, base, Rm::Register(base));
        dynasm!(self.ops; .arch x64; jz >none);
        self.op(MOV, RAX, Rm::Memory(at));
        dynasm!(self.ops; .arch x64; none:);
        self.word_done(i, RAX);
    }
}
