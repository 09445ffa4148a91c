//! Loads and stores: of the program's memory, of slots, of blocks' headers.

use dynasmrt::{DynasmApi, DynasmLabelApi, dynasm};
use scaly_interp::machine::IntMemory;
use scaly_runtime::memory::BLOCK_HEADER;
use scaly_tracer::region::Type;
use scaly_tracer::trace::{Const, Ref, Slot};

use super::Emitter;
use super::encode::*;
use super::operands::slot;
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

    /// What the slot holds then is the value's 64 bits, a single's with zeros above. Flags stay.
    pub fn store_slot(&mut self, to: Slot, value: Ref) {
        if let Some(constant) = self.trace.constant(value) {
            return self.store_constant(slot(to), constant);
        }
        let ty = self.trace.ty(value);
        match (self.home(value), ty) {
            (Some(Home::Vector(register)), Some(Type::Single)) => {
                self.op(MOVD_FROM, register, Rm::Register(RAX));
                self.op(STORE64, RAX, slot(to));
            }
            (Some(Home::Vector(register)), _) => self.op(MOVSD_STORE, register, slot(to)),
            (Some(Home::Spill(number)), Some(Type::Single)) => {
                self.op(MOV32, RAX, super::operands::spill(number));
                self.op(STORE64, RAX, slot(to));
            }
            _ => {
                let register = self.word_like_reg(value);
                self.op(STORE64, register, slot(to));
            }
        }
    }

    fn word_like_reg(&mut self, value: Ref) -> u8 {
        match self.home(value) {
            Some(Home::General(register)) => register,
            Some(Home::Spill(number)) => {
                self.op(MOV, RAX, super::operands::spill(number));
                RAX
            }
            home => unreachable!("{value} in {home:?} is no word"),
        }
    }

    fn store_constant(&mut self, to: Rm, constant: Const) {
        let bits = constant_bits(constant) as i64;
        match i32::try_from(bits) {
            Ok(short) => self.op_imm32(MOV_IMM, 0, to, short),
            Err(_) => {
                self.constant(RAX, bits);
                self.op(STORE64, RAX, to);
            }
        }
    }

    /// Bytes that a block has room for: in its header; none has none.
    pub fn capacity(&mut self, i: usize, a: Ref) {
        let base = self.word_reg(a, RCX);
        let at = Address::of(base, -(BLOCK_HEADER as i32));
        dynasm!(self.ops; .arch x64; xor eax, eax; test Rq(base), Rq(base); jz >none);
        self.op(MOV, RAX, Rm::Memory(at));
        dynasm!(self.ops; .arch x64; none:);
        self.word_done(i, RAX);
    }
}
