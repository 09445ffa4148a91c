//! Conditions, where they are used: by a guard as a jump, by `CondWord` as a word. One that cannot wait until there is
//! kept as a word.

use dynasmrt::{DynamicLabel, DynasmLabelApi, dynasm};
use scaly_interp::machine::{FloatCompare, IntCompare};
use scaly_tracer::region;
use scaly_tracer::trace::{Const, Inst, Op, Ref};

use super::Emitter;
use super::encode::*;
use super::operands::place;

/// A condition in the flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flags {
    Constant(bool),
    Code(Code),
    /// Equal and not unordered.
    FloatEqual,
    FloatUnequal,
}

impl Flags {
    pub fn negated(self) -> Flags {
        match self {
            Flags::Constant(value) => Flags::Constant(!value),
            Flags::Code(code) => Flags::Code(code.negated()),
            Flags::FloatEqual => Flags::FloatUnequal,
            Flags::FloatUnequal => Flags::FloatEqual,
        }
    }
}

impl Emitter<'_> {
    pub fn flags(&mut self, cond: Ref) -> Flags {
        match self.trace.constant(cond) {
            Some(Const::Cond(value)) => return Flags::Constant(value),
            Some(_) => unreachable!("{cond} is no condition"),
            None => {}
        }
        if let Some(kept) = self.home(cond).and_then(place) {
            self.alu_imm(CMP, kept, 0);
            return Flags::Code(Code::NotEqual);
        }
        self.compared(self.trace.inst(cond))
    }

    fn compared(&mut self, inst: &Inst) -> Flags {
        match inst.op {
            Op::Common(region::Op::Not) => self.flags(inst.a).negated(),
            Op::Common(region::Op::Compare(op)) => self.compare_ints(op, inst.a, inst.b),
            Op::Common(region::Op::FloatCompare(op)) => self.compare_floats(UCOMISD, op, inst.a, inst.b),
            Op::Common(region::Op::SingleCompare(op)) => self.compare_floats(UCOMISS, op, inst.a, inst.b),
            op => unreachable!("{op:?} is no condition"),
        }
    }

    fn compare_ints(&mut self, op: IntCompare, a: Ref, b: Ref) -> Flags {
        let code = match op {
            IntCompare::Eq => Code::Equal,
            IntCompare::Ne => Code::NotEqual,
            IntCompare::LtS => Code::Less,
            IntCompare::LeS => Code::LessEqual,
            IntCompare::LtU => Code::Below,
            IntCompare::LeU => Code::BelowEqual,
        };
        Flags::Code(if self.compare_words(a, b) { code.swapped() } else { code })
    }

    /// Unordered sets carry, zero and parity: "above" and "above or equal" are the codes that it makes false.
    fn compare_floats(&mut self, form: Form, op: FloatCompare, a: Ref, b: Ref) -> Flags {
        let (flags, a, b) = match op {
            FloatCompare::Lt => (Flags::Code(Code::Above), b, a),
            FloatCompare::Le => (Flags::Code(Code::AboveEqual), b, a),
            FloatCompare::Eq => (Flags::FloatEqual, a, b),
            FloatCompare::Ne => (Flags::FloatUnequal, a, b),
        };
        let left = self.float_reg(a, XMM15);
        let right = self.float_rm(b);
        self.op(form, left, right);
        flags
    }

    pub fn jump_if(&mut self, flags: Flags, to: DynamicLabel) {
        match flags {
            Flags::Constant(false) => {}
            Flags::Constant(true) => dynasm!(self.ops; .arch x64; jmp =>to),
            Flags::Code(code) => self.jump_code(code, to),
            Flags::FloatEqual => dynasm!(self.ops; .arch x64; jp >unordered; je =>to; unordered:),
            Flags::FloatUnequal => dynasm!(self.ops; .arch x64; jne =>to; jp =>to),
        }
    }

    pub fn jump_unless(&mut self, flags: Flags, to: DynamicLabel) {
        self.jump_if(flags.negated(), to);
    }

    pub fn jump_code(&mut self, code: Code, to: DynamicLabel) {
        match code {
            Code::Below => dynasm!(self.ops; .arch x64; jb =>to),
            Code::AboveEqual => dynasm!(self.ops; .arch x64; jae =>to),
            Code::Equal => dynasm!(self.ops; .arch x64; je =>to),
            Code::NotEqual => dynasm!(self.ops; .arch x64; jne =>to),
            Code::BelowEqual => dynasm!(self.ops; .arch x64; jbe =>to),
            Code::Above => dynasm!(self.ops; .arch x64; ja =>to),
            Code::Sign => dynasm!(self.ops; .arch x64; js =>to),
            Code::NotSign => dynasm!(self.ops; .arch x64; jns =>to),
            Code::Parity => dynasm!(self.ops; .arch x64; jp =>to),
            Code::NoParity => dynasm!(self.ops; .arch x64; jnp =>to),
            Code::Less => dynasm!(self.ops; .arch x64; jl =>to),
            Code::GreaterEqual => dynasm!(self.ops; .arch x64; jge =>to),
            Code::LessEqual => dynasm!(self.ops; .arch x64; jle =>to),
            Code::Greater => dynasm!(self.ops; .arch x64; jg =>to),
        }
    }

    pub fn cond_word(&mut self, i: usize, cond: Ref) {
        let flags = self.flags(cond);
        self.flags_word(i, flags);
    }

    /// A condition that is kept.
    pub fn keep_condition(&mut self, i: usize, inst: &Inst) {
        let flags = self.compared(inst);
        self.flags_word(i, flags);
    }

    fn flags_word(&mut self, i: usize, flags: Flags) {
        let work = self.work(i, &[]);
        match flags {
            Flags::Constant(value) => self.constant(work, i64::from(value)),
            Flags::Code(code) => self.op(SETCC.plus(code as u8), 0, Rm::Register(RAX)),
            Flags::FloatEqual => dynasm!(self.ops; .arch x64; sete al; setnp cl; and al, cl),
            Flags::FloatUnequal => dynasm!(self.ops; .arch x64; setne al; setp cl; or al, cl),
        }
        if !matches!(flags, Flags::Constant(_)) {
            self.op(MOVZX8, work, Rm::Register(RAX));
        }
        self.word_done(i, work);
    }
}
