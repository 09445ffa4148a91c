//! Values as operands, and results brought home.

use scaly_tracer::region::{self, Type};
use scaly_tracer::trace::{Const, Op, Ref};

use super::Emitter;
use super::encode::*;
use crate::allocate::{Handling, Home};
use crate::context::SLOTS_LIMIT;

/// A word as an operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    Rm(Rm),
    Constant(i64),
}

pub const fn spill_offset(number: u32) -> i32 {
    -8 * (number as i32 + 1)
}

pub fn spill(number: u32) -> Rm {
    Rm::Memory(Address::of(RBP, spill_offset(number)))
}

pub fn context(offset: i32) -> Rm {
    Rm::Memory(Address::of(R15, offset))
}

pub fn slot(slot: u32) -> Rm {
    Rm::Memory(Address::of(RBX, 8 * slot as i32))
}

/// The operand that a home is. The address of a slot is none, but for the base itself.
pub fn place(home: Home) -> Option<Rm> {
    Some(match home {
        Home::General(register) | Home::Vector(register) => Rm::Register(register),
        Home::Spill(number) => spill(number),
        Home::Slot(number) => slot(number),
        Home::SlotAddress(0) => Rm::Register(RBX),
        Home::SlotAddress(_) => return None,
        Home::StackLimit => context(SLOTS_LIMIT),
    })
}

impl Emitter<'_> {
    pub fn op(&mut self, form: Form, reg: u8, rm: Rm) {
        let used = encode(&mut self.ops, form, reg, rm, 0);
        self.pool_uses.extend(used);
    }

    pub fn op_imm8(&mut self, form: Form, reg: u8, rm: Rm, immediate: i8) {
        use dynasmrt::DynasmApi;
        let used = encode(&mut self.ops, form, reg, rm, 1);
        self.pool_uses.extend(used);
        self.ops.push_i8(immediate);
    }

    pub fn op_imm16(&mut self, form: Form, reg: u8, rm: Rm, immediate: i16) {
        use dynasmrt::DynasmApi;
        let used = encode(&mut self.ops, form, reg, rm, 2);
        self.pool_uses.extend(used);
        self.ops.push_i16(immediate);
    }

    pub fn op_imm32(&mut self, form: Form, reg: u8, rm: Rm, immediate: i32) {
        use dynasmrt::DynasmApi;
        let used = encode(&mut self.ops, form, reg, rm, 4);
        self.pool_uses.extend(used);
        self.ops.push_i32(immediate);
    }

    /// An operation of group 1 (`ADD` … `CMP`) with an immediate.
    pub fn alu_imm(&mut self, form: Form, rm: Rm, immediate: i32) {
        match i8::try_from(immediate) {
            Ok(short) => self.op_imm8(GROUP1_IMM8, form.group1(), rm, short),
            Err(_) => self.op_imm32(GROUP1_IMM, form.group1(), rm, immediate),
        }
    }

    /// The same with any word.
    pub fn alu(&mut self, form: Form, reg: u8, word: Word) {
        match word {
            Word::Rm(rm) => self.op(form, reg, rm),
            Word::Constant(value) => match i32::try_from(value) {
                Ok(value) => self.alu_imm(form, Rm::Register(reg), value),
                Err(_) => unreachable!("a wide constant is loaded first"),
            },
        }
    }

    pub fn home(&self, value: Ref) -> Option<Home> {
        if value.is_constant() || value.is_none() { None } else { self.homes[value.index()] }
    }

    /// Whether it is part of those that use it.
    pub fn is_folded(&self, value: Ref) -> bool {
        !value.is_constant()
            && self.handling[value.index()] == Handling::Deferred
            && self.homes[value.index()].is_none()
    }

    pub fn home_of(&self, value: Ref) -> Home {
        match self.home(value) {
            Some(home) => home,
            None => unreachable!("{value} is read and has no home"),
        }
    }

    /// A word; a constant that is no immediate of 32 bits is loaded into `scratch`.
    pub fn word(&mut self, value: Ref, scratch: u8) -> Word {
        match self.trace.word(value) {
            Some(constant) if i32::try_from(constant).is_ok() => Word::Constant(constant),
            _ => Word::Rm(self.word_rm(value, scratch)),
        }
    }

    /// A word in a register or in memory. The address of a load that is part of its reader takes rdx too.
    pub fn word_rm(&mut self, value: Ref, scratch: u8) -> Rm {
        if let Some(constant) = self.trace.word(value) {
            self.constant(scratch, constant);
            return Rm::Register(scratch);
        }
        if self.is_folded(value) {
            return self.folded_load(value, scratch);
        }
        let home = self.home_of(value);
        place(home).unwrap_or_else(|| {
            self.load_home(scratch, home);
            Rm::Register(scratch)
        })
    }

    fn folded_load(&mut self, value: Ref, scratch: u8) -> Rm {
        let inst = *self.trace.inst(value);
        let Op::Common(region::Op::LoadInt(_, offset) | region::Op::LoadFloat(offset) | region::Op::LoadSingle(offset)) =
            inst.op
        else {
            unreachable!("{value} is part of its readers and no load")
        };
        Rm::Memory(self.address(inst.a, offset, [scratch, RDX]))
    }

    /// A word in a register; one that is not is loaded into `scratch`.
    pub fn word_reg(&mut self, value: Ref, scratch: u8) -> u8 {
        match self.word_rm(value, scratch) {
            Rm::Register(register) => register,
            memory => {
                self.op(MOV, scratch, memory);
                scratch
            }
        }
    }

    pub fn load_word(&mut self, to: u8, value: Ref) {
        match self.word_rm(value, to) {
            Rm::Register(from) if from == to => {}
            from => self.op(MOV, to, from),
        }
    }

    pub fn load_home(&mut self, to: u8, home: Home) {
        match (home, place(home)) {
            (Home::Vector(from), _) => self.op(MOVQ_FROM, from, Rm::Register(to)),
            (_, Some(from)) => self.op(MOV, to, from),
            (Home::SlotAddress(number), None) => self.op(LEA, to, slot(number)),
            (home, None) => unreachable!("{home:?} is an operand"),
        }
    }

    /// Loads a constant; flags stay.
    pub fn constant(&mut self, to: u8, value: i64) {
        use dynasmrt::DynasmApi;
        if let Ok(value) = u32::try_from(value) {
            if to >= 8 {
                self.ops.push(0x41);
            }
            self.ops.push(0xb8 | to & 7);
            self.ops.push_u32(value);
        } else if let Ok(value) = i32::try_from(value) {
            self.op_imm32(MOV_IMM, 0, Rm::Register(to), value);
        } else {
            self.ops.push(0x48 | to >> 3);
            self.ops.push(0xb8 | to & 7);
            self.ops.push_i64(value);
        }
    }

    /// The register to compute a word in: its home, unless that is a spill slot, or one of what is read later has it.
    pub fn work(&self, inst: usize, read_later: &[Ref]) -> u8 {
        match self.homes[inst] {
            Some(Home::General(register)) if !read_later.iter().any(|&value| self.reads(value, register)) => register,
            _ => RAX,
        }
    }

    /// Whether an operand is in a register, or is a load whose address is.
    fn reads(&self, value: Ref, register: u8) -> bool {
        if value.is_none() || value.is_constant() {
            return false;
        }
        if self.is_folded(value) {
            let inst = self.trace.inst(value);
            return [inst.a, inst.b].iter().any(|&operand| self.reads(operand, register));
        }
        self.home(value) == Some(Home::General(register))
    }

    /// Brings a word that was computed in a register home.
    pub fn word_done(&mut self, inst: usize, register: u8) {
        match self.homes[inst] {
            Some(Home::General(home)) if home != register => self.op(MOV, home, Rm::Register(register)),
            Some(Home::Spill(number)) => self.op(STORE64, register, spill(number)),
            _ => {}
        }
    }

    /// The number of a constant behind the code.
    pub fn pooled(&mut self, bits: u64) -> Rm {
        let number = *self.pool_index.entry(bits).or_insert_with(|| {
            self.pool.push(bits);
            self.pool.len() as u32 - 1
        });
        Rm::Pool(number)
    }

    /// A double or single in a register or in memory.
    pub fn float_rm(&mut self, value: Ref) -> Rm {
        match self.trace.constant(value) {
            Some(Const::Float(bits)) => self.pooled(bits),
            Some(Const::Single(bits)) => self.pooled(u64::from(bits)),
            Some(_) => unreachable!("{value} is no float"),
            None if self.is_folded(value) => self.folded_load(value, RAX),
            None => match place(self.home_of(value)) {
                Some(rm) => rm,
                None => unreachable!("{value} is no float"),
            },
        }
    }

    pub fn is_single(&self, value: Ref) -> bool {
        self.trace.ty(value) == Some(Type::Single)
    }

    /// A double or single in a register; one that is not is loaded into `scratch`.
    pub fn float_reg(&mut self, value: Ref, scratch: u8) -> u8 {
        match self.home(value) {
            Some(Home::Vector(register)) => register,
            _ => {
                self.load_float(scratch, value);
                scratch
            }
        }
    }

    pub fn load_float(&mut self, to: u8, value: Ref) {
        match self.trace.constant(value) {
            Some(Const::Float(0) | Const::Single(0)) => self.op(XORPS, to, Rm::Register(to)),
            _ => match self.float_rm(value) {
                Rm::Register(from) if from == to => {}
                Rm::Register(from) => self.op(MOVAPS, to, Rm::Register(from)),
                memory => self.op(if self.is_single(value) { MOVSS_LOAD } else { MOVSD_LOAD }, to, memory),
            },
        }
    }

    pub fn float_work(&self, inst: usize, read_later: &[Ref]) -> u8 {
        match self.homes[inst] {
            Some(Home::Vector(register))
                if !read_later.iter().any(|&value| self.home(value) == Some(Home::Vector(register))) =>
            {
                register
            }
            _ => XMM15,
        }
    }

    pub fn float_done(&mut self, inst: usize, register: u8) {
        match self.homes[inst] {
            Some(Home::Vector(home)) if home != register => self.op(MOVAPS, home, Rm::Register(register)),
            Some(Home::Spill(number)) => self.op(MOVSD_STORE, register, spill(number)),
            _ => {}
        }
    }

    /// The address of a load or store, from registers; what is not in one is loaded into the scratch registers.
    pub fn address(&mut self, value: Ref, offset: u32, scratch: [u8; 2]) -> Address {
        if !self.is_folded(value) {
            let (base, more) = self.base(value, scratch[0]);
            return match i32::try_from(i64::from(offset) + i64::from(more)) {
                Ok(displacement) => Address::of(base, displacement),
                Err(_) => {
                    self.constant(scratch[1], i64::from(offset));
                    Address { base, index: Some((scratch[1], 0)), displacement: more }
                }
            };
        }
        let inst = *self.trace.inst(value);
        let Op::Common(region::Op::Element { stride, offset: element }) = inst.op else {
            unreachable!("{value} is no address")
        };
        let (base, more) = self.base(inst.a, scratch[0]);
        let displacement = offset as i32 + element as i32 + more;
        match self.trace.word(inst.b) {
            Some(index) => Address::of(base, displacement + index as i32 * stride as i32),
            None => {
                let index = self.word_reg(inst.b, scratch[1]);
                Address { base, index: Some((index, stride.trailing_zeros() as u8)), displacement }
            }
        }
    }

    /// A word as a register and a displacement.
    fn base(&mut self, value: Ref, scratch: u8) -> (u8, i32) {
        match self.home(value) {
            Some(Home::SlotAddress(slot)) => (RBX, 8 * slot as i32),
            _ => (self.word_reg(value, scratch), 0),
        }
    }
}

impl Form {
    /// The number in group 1 of an operation that has one.
    fn group1(self) -> u8 {
        self.opcode() >> 3 & 7
    }
}
