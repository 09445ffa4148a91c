//! Integer operations: what a two's complement machine does, without its traps.

use dynasmrt::{DynasmApi, dynasm};
use scaly_interp::machine::{IntKind, IntOp, IntUnary};
use scaly_tracer::trace::Ref;

use super::Emitter;
use super::encode::*;
use super::operands::{Word, spill};
use crate::allocate::Home;

impl Emitter<'_> {
    pub fn int(&mut self, i: usize, op: IntOp, a: Ref, b: Ref) {
        match op {
            IntOp::Add => self.add(i, a, b),
            IntOp::Sub => match self.trace.word(b).map(i64::wrapping_neg) {
                Some(negated) if i32::try_from(negated).is_ok() => self.add_constant(i, a, negated as i32),
                _ => self.binary(i, SUB, a, b, false),
            },
            IntOp::Mul => self.multiply(i, a, b),
            IntOp::And => self.binary(i, AND, a, b, true),
            IntOp::Or => self.binary(i, OR, a, b, true),
            IntOp::Xor => self.binary(i, XOR, a, b, true),
            IntOp::Shl => self.shift(i, 4, a, b),
            IntOp::ShrU => self.shift(i, 5, a, b),
            IntOp::ShrS => self.shift(i, 7, a, b),
            IntOp::DivS | IntOp::RemS => self.divide_signed(i, op == IntOp::RemS, a, b),
            IntOp::DivU | IntOp::RemU => self.divide_unsigned(i, op == IntOp::RemU, a, b),
            IntOp::MinS => self.choose(i, Code::Greater, a, b),
            IntOp::MaxS => self.choose(i, Code::Less, a, b),
            IntOp::MinU => self.choose(i, Code::Above, a, b),
            IntOp::MaxU => self.choose(i, Code::Below, a, b),
            IntOp::MulHighU => {
                self.load_word(RAX, a);
                let by = self.word_rm(b, RCX);
                self.op(GROUP3, 4, by);
                self.word_done(i, RDX);
            }
        }
    }

    /// a op b, computed where a can be overwritten.
    fn binary(&mut self, i: usize, form: Form, a: Ref, b: Ref, commutes: bool) {
        let (mut a, mut b) = (a, b);
        let at_home = |this: &Self, value: Ref| this.home(value).is_some() && this.home(value) == this.homes[i];
        if commutes && (a.is_constant() || at_home(self, b)) {
            (a, b) = (b, a);
        }
        if at_home(self, a)
            && form != IMUL
            && let Some(Home::Spill(number)) = self.homes[i]
            && self.in_memory(form, spill(number), b)
        {
            return;
        }
        let work = self.work(i, &[b]);
        let b = self.word(b, RCX);
        self.load_word(work, a);
        self.alu(form, work, b);
        self.word_done(i, work);
    }

    /// Computes on a spill slot, if the other operand needs no load.
    fn in_memory(&mut self, form: Form, memory: Rm, b: Ref) -> bool {
        match (self.trace.word(b).map(i32::try_from), self.home(b)) {
            (Some(Ok(constant)), _) => self.alu_imm(form, memory, constant),
            (None, Some(Home::General(register))) => self.op(form.to_memory(), register, memory),
            _ => return false,
        }
        true
    }

    fn add(&mut self, i: usize, a: Ref, b: Ref) {
        let (a, b) = if a.is_constant() { (b, a) } else { (a, b) };
        if let Some(Ok(constant)) = self.trace.word(b).map(i32::try_from) {
            return self.add_constant(i, a, constant);
        }
        match (self.homes[i], self.home(a), self.home(b)) {
            (Some(Home::General(to)), Some(Home::General(x)), Some(Home::General(y))) if to != x && to != y => {
                self.op(LEA, to, Rm::Memory(Address { base: x, index: Some((y, 0)), displacement: 0 }));
            }
            _ => self.binary(i, ADD, a, b, true),
        }
    }

    fn add_constant(&mut self, i: usize, a: Ref, constant: i32) {
        if let (Some(to), Some(Home::General(from))) = (self.homes[i], self.home(a))
            && to != Home::General(from)
        {
            let work = self.work(i, &[]);
            self.op(LEA, work, Rm::Memory(Address::of(from, constant)));
            return self.word_done(i, work);
        }
        if let Some(home @ Home::Spill(number)) = self.homes[i]
            && self.home(a) == Some(home)
        {
            return self.alu_imm(ADD, spill(number), constant);
        }
        let work = self.work(i, &[]);
        self.load_word(work, a);
        if constant != 0 {
            self.alu_imm(ADD, Rm::Register(work), constant);
        }
        self.word_done(i, work);
    }

    fn multiply(&mut self, i: usize, a: Ref, b: Ref) {
        let (a, b) = if a.is_constant() { (b, a) } else { (a, b) };
        match self.trace.word(b) {
            Some(constant) => self.multiply_constant(i, a, constant),
            None => self.binary(i, IMUL, a, b, true),
        }
    }

    fn multiply_constant(&mut self, i: usize, a: Ref, constant: i64) {
        let work = self.work(i, &[]);
        if constant > 0 && constant & (constant - 1) == 0 {
            self.load_word(work, a);
            self.shift_by(4, work, constant.trailing_zeros() as u8);
        } else if matches!(constant, 3 | 5 | 9) {
            // a + a << 1, 2, 3
            let register = self.word_reg(a, RAX);
            let shift = (constant - 1).trailing_zeros() as u8;
            self.op(LEA, work, Rm::Memory(Address { base: register, index: Some((register, shift)), displacement: 0 }));
        } else if let Ok(short) = i8::try_from(constant) {
            let rm = self.word_rm(a, RAX);
            self.op_imm8(IMUL_IMM8, work, rm, short);
        } else if let Ok(constant) = i32::try_from(constant) {
            let rm = self.word_rm(a, RAX);
            self.op_imm32(IMUL_IMM, work, rm, constant);
        } else {
            self.constant(RCX, constant);
            self.load_word(work, a);
            self.op(IMUL, work, Rm::Register(RCX));
        }
        self.word_done(i, work);
    }

    pub fn shift_by(&mut self, kind: u8, register: u8, by: u8) {
        if by != 0 {
            self.op_imm8(SHIFT_IMM, kind, Rm::Register(register), by as i8);
        }
    }

    fn shift(&mut self, i: usize, kind: u8, a: Ref, b: Ref) {
        let constant = self.trace.word(b);
        if constant.is_none() {
            self.load_word(RCX, b);
        }
        let work = self.work(i, &[]);
        self.load_word(work, a);
        match constant {
            Some(by) => self.shift_by(kind, work, by as u8 & 63),
            None => self.op(SHIFT_CL, kind, Rm::Register(work)),
        }
        self.word_done(i, work);
    }

    /// b where `code` holds of (a, b), else a.
    fn choose(&mut self, i: usize, code: Code, a: Ref, b: Ref) {
        // Both orders give the same.
        let taken = self.home(b).is_some() && self.home(b) == self.homes[i];
        let (a, b) = if a.is_constant() || taken { (b, a) } else { (a, b) };
        let work = self.work(i, &[b]);
        let other = self.word_rm(b, RCX);
        self.load_word(work, a);
        self.op(CMP, work, other);
        self.op(CMOV.plus(code as u8), work, other);
        self.word_done(i, work);
    }

    pub fn int_unary(&mut self, i: usize, op: IntUnary, a: Ref) {
        match op {
            IntUnary::Neg => self.group3(i, 3, a),
            IntUnary::Not => self.group3(i, 2, a),
            IntUnary::AbsS => {
                let from = self.word_rm(a, RCX);
                self.op(MOV, RAX, from);
                self.op(GROUP3, 3, Rm::Register(RAX));
                // The negated one, unless that is negative.
                self.op(CMOV.plus(Code::Sign as u8), RAX, from);
                self.word_done(i, RAX);
            }
            IntUnary::PopCount => self.popcount(i, a),
            IntUnary::LeadingZeros => self.leading_zeros(i, a),
            IntUnary::TrailingZeros => self.trailing_zeros(i, a),
            IntUnary::Wrap(kind) => self.wrap(i, kind, a),
        }
    }

    fn group3(&mut self, i: usize, number: u8, a: Ref) {
        let work = self.work(i, &[]);
        self.load_word(work, a);
        self.op(GROUP3, number, Rm::Register(work));
        self.word_done(i, work);
    }

    fn wrap(&mut self, i: usize, kind: IntKind, a: Ref) {
        let form = match kind {
            IntKind::I8 => MOVSX8,
            IntKind::I16 => MOVSX16,
            IntKind::I32 => MOVSXD,
            IntKind::U8 => MOVZX8,
            IntKind::U16 => MOVZX16,
            IntKind::U32 => MOV32,
            IntKind::I64 | IntKind::U64 => MOV,
        };
        let work = self.work(i, &[]);
        let from = self.word_rm(a, RAX);
        if form != MOV || from != Rm::Register(work) {
            self.op(form, work, from);
        }
        self.word_done(i, work);
    }

    fn popcount(&mut self, i: usize, a: Ref) {
        if self.target.features.popcnt() {
            return self.count(i, POPCNT, a);
        }
        // Bits are added in pairs, fours and bytes; the product adds the bytes.
        self.load_word(RAX, a);
        self.constant(RCX, 0x5555_5555_5555_5555);
        dynasm!(self.ops; .arch x64; mov rdx, rax; shr rdx, BYTE 1; and rdx, rcx; sub rax, rdx);
        self.constant(RCX, 0x3333_3333_3333_3333);
        dynasm!(self.ops; .arch x64; mov rdx, rax; and rax, rcx; shr rdx, BYTE 2; and rdx, rcx; add rax, rdx);
        self.constant(RCX, 0x0f0f_0f0f_0f0f_0f0f);
        dynasm!(self.ops; .arch x64; mov rdx, rax; shr rdx, BYTE 4; add rax, rdx; and rax, rcx);
        self.constant(RCX, 0x0101_0101_0101_0101);
        dynasm!(self.ops; .arch x64; imul rax, rcx; shr rax, BYTE 56);
        self.word_done(i, RAX);
    }

    /// Of an instruction that on old processors depends on what its result register held.
    fn count(&mut self, i: usize, form: Form, a: Ref) {
        let work = self.work(i, &[]);
        let from = self.word_rm(a, RAX);
        if from != Rm::Register(work) {
            self.op(XOR.narrow(), work, Rm::Register(work));
        }
        self.op(form, work, from);
        self.word_done(i, work);
    }

    fn leading_zeros(&mut self, i: usize, a: Ref) {
        if self.target.features.lzcnt() {
            return self.count(i, LZCNT, a);
        }
        let from = self.word_rm(a, RAX);
        // 127 ^ 63 is 64, the answer for 0.
        self.constant(RCX, 127);
        self.op(BSR, RAX, from);
        dynasm!(self.ops; .arch x64; cmovz rax, rcx; xor rax, BYTE 63);
        self.word_done(i, RAX);
    }

    fn trailing_zeros(&mut self, i: usize, a: Ref) {
        if self.target.features.bmi1() {
            return self.count(i, TZCNT, a);
        }
        let from = self.word_rm(a, RAX);
        self.constant(RCX, 64);
        self.op(BSF, RAX, from);
        dynasm!(self.ops; .arch x64; cmovz rax, rcx);
        self.word_done(i, RAX);
    }

    /// `Element` as a value of its own: a + b * stride + offset.
    pub fn element(&mut self, i: usize, a: Ref, b: Ref, stride: u32, offset: u32) {
        let index = match (self.trace.word(b), stride) {
            (Some(index), _) => {
                let at = index.wrapping_mul(i64::from(stride)).wrapping_add(i64::from(offset));
                return self.offset_by(i, a, at);
            }
            (None, 1 | 2 | 4 | 8) => (self.word_reg(b, RCX), stride.trailing_zeros() as u8),
            (None, _) => self.scaled(b, stride),
        };
        let base = self.word_reg(a, RAX);
        let work = self.work(i, &[]);
        match i32::try_from(offset) {
            Ok(displacement) => self.op(LEA, work, Rm::Memory(Address { base, index: Some(index), displacement })),
            Err(_) => {
                self.op(LEA, RAX, Rm::Memory(Address { base, index: Some(index), displacement: 0 }));
                self.constant(RCX, i64::from(offset));
                self.op(LEA, work, Rm::Memory(Address { base: RAX, index: Some((RCX, 0)), displacement: 0 }));
            }
        }
        self.word_done(i, work);
    }

    /// An index and a shift of it that give b * stride; in rcx.
    fn scaled(&mut self, b: Ref, stride: u32) -> (u8, u8) {
        let low = stride.trailing_zeros().min(3);
        match stride >> low {
            odd @ (3 | 5 | 9) => {
                let register = self.word_reg(b, RCX);
                let shift = (odd - 1).trailing_zeros() as u8;
                let at = Address { base: register, index: Some((register, shift)), displacement: 0 };
                self.op(LEA, RCX, Rm::Memory(at));
                (RCX, low as u8)
            }
            rest if rest.is_power_of_two() => {
                self.load_word(RCX, b);
                self.shift_by(4, RCX, rest.trailing_zeros() as u8);
                (RCX, low as u8)
            }
            _ => {
                let from = self.word_rm(b, RCX);
                match i32::try_from(stride) {
                    Ok(stride) => self.op_imm32(IMUL_IMM, RCX, from, stride),
                    Err(_) => {
                        self.constant(RDX, i64::from(stride));
                        self.op(MOV, RCX, from);
                        self.op(IMUL, RCX, Rm::Register(RDX));
                    }
                }
                (RCX, 0)
            }
        }
    }

    fn offset_by(&mut self, i: usize, a: Ref, by: i64) {
        if let Ok(by) = i32::try_from(by) {
            return self.add_constant(i, a, by);
        }
        self.constant(RCX, by);
        let base = self.word_reg(a, RAX);
        let work = self.work(i, &[]);
        self.op(LEA, work, Rm::Memory(Address { base, index: Some((RCX, 0)), displacement: 0 }));
        self.word_done(i, work);
    }

    /// What `word_done` is for an operand that is somewhere already.
    pub fn copy_word(&mut self, i: usize, from: Rm) {
        let work = self.work(i, &[]);
        if from != Rm::Register(work) {
            self.op(MOV, work, from);
        }
        self.word_done(i, work);
    }

    pub fn compare_words(&mut self, a: Ref, b: Ref) -> bool {
        let swap = a.is_constant() && !b.is_constant();
        let (a, b) = if swap { (b, a) } else { (a, b) };
        let right = self.word(b, RCX);
        let left = match right {
            Word::Rm(Rm::Register(_)) | Word::Constant(_) => self.word_rm(a, RAX),
            // One operand in memory is all that an instruction can have.
            Word::Rm(_) => Rm::Register(self.word_reg(a, RAX)),
        };
        match (left, right) {
            (Rm::Register(register), Word::Constant(0)) => self.op(TEST, register, left),
            (_, Word::Constant(constant)) => self.alu_imm(CMP, left, constant as i32),
            (Rm::Register(register), Word::Rm(right)) => self.op(CMP, register, right),
            (memory, Word::Rm(Rm::Register(register))) => self.op(CMP.to_memory(), register, memory),
            (_, Word::Rm(_)) => unreachable!("one of the two is in a register"),
        }
        swap
    }
}
