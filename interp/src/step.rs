//! What each opcode does, written once over [`Machine`].
//!
//! Invariants that all tiers rely on: an opcode makes all its checks before its first effect; it decides at most once,
//! after the checks and before any effect; control is only in the result. So an exit of compiled code resumes at an
//! instruction's start, and a machine that is told which side a decision takes sees exactly that side's effects.
//!
//! The helpers are inlined into one `match`; for the interpreter each arm becomes a handful of machine instructions, and
//! [`Next`] vanishes.

use crate::bytecode::{Instruction, Opcode};
use crate::machine::{
    Fault, FloatCompare, FloatOp, FloatUnary, IntCompare, IntKind, IntMemory, IntOp, IntUnary, Machine, Next,
};

#[inline(always)]
fn int<M: Machine>(m: &mut M, ins: Instruction, op: IntOp) -> Next {
    let (b, c) = (m.word(ins.b), m.word(ins.c));
    let value = m.int(op, b, c);
    m.set_word(ins.a, value);
    Next::Seq
}

#[inline(always)]
fn int_imm<M: Machine>(m: &mut M, ins: Instruction, op: IntOp) -> Next {
    let (b, c) = (m.word(ins.b), m.const_word(ins.imm()));
    let value = m.int(op, b, c);
    m.set_word(ins.a, value);
    Next::Seq
}

/// Division and remainder: the divisor is checked first.
#[inline(always)]
fn divide<M: Machine>(m: &mut M, ins: Instruction, op: IntOp) -> Next {
    let (b, c) = (m.word(ins.b), m.word(ins.c));
    let zero = m.const_word(0);
    let cond = m.compare(IntCompare::Ne, c, zero);
    if !m.check(cond, Fault::DivisionByZero) {
        return Next::Fault(Fault::DivisionByZero);
    }
    let value = m.int(op, b, c);
    m.set_word(ins.a, value);
    Next::Seq
}

#[inline(always)]
fn int_unary<M: Machine>(m: &mut M, ins: Instruction, op: IntUnary) -> Next {
    let b = m.word(ins.b);
    let value = m.int_unary(op, b);
    m.set_word(ins.a, value);
    Next::Seq
}

#[inline(always)]
fn set_cond<M: Machine>(m: &mut M, slot: u16, cond: M::Cond) -> Next {
    let value = m.cond_word(cond);
    m.set_word(slot, value);
    Next::Seq
}

#[inline(always)]
fn compare<M: Machine>(m: &mut M, ins: Instruction, op: IntCompare) -> Next {
    let (b, c) = (m.word(ins.b), m.word(ins.c));
    let cond = m.compare(op, b, c);
    set_cond(m, ins.a, cond)
}

#[inline(always)]
fn compare_imm<M: Machine>(m: &mut M, ins: Instruction, op: IntCompare) -> Next {
    let (b, c) = (m.word(ins.b), m.const_word(ins.imm()));
    let cond = m.compare(op, b, c);
    set_cond(m, ins.a, cond)
}

/// `b > imm` is `imm < b`, `b >= imm` is `imm <= b`.
#[inline(always)]
fn compare_imm_swapped<M: Machine>(m: &mut M, ins: Instruction, op: IntCompare) -> Next {
    let (b, c) = (m.word(ins.b), m.const_word(ins.imm()));
    let cond = m.compare(op, c, b);
    set_cond(m, ins.a, cond)
}

#[inline(always)]
fn compare_f64<M: Machine>(m: &mut M, ins: Instruction, op: FloatCompare) -> Next {
    let (b, c) = (m.float(ins.b), m.float(ins.c));
    let cond = m.float_compare(op, b, c);
    set_cond(m, ins.a, cond)
}

#[inline(always)]
fn compare_f32<M: Machine>(m: &mut M, ins: Instruction, op: FloatCompare) -> Next {
    let (b, c) = (m.single(ins.b), m.single(ins.c));
    let cond = m.single_compare(op, b, c);
    set_cond(m, ins.a, cond)
}

#[inline(always)]
fn float<M: Machine>(m: &mut M, ins: Instruction, op: FloatOp) -> Next {
    let (b, c) = (m.float(ins.b), m.float(ins.c));
    let value = m.float_op(op, b, c);
    m.set_float(ins.a, value);
    Next::Seq
}

#[inline(always)]
fn float_unary<M: Machine>(m: &mut M, ins: Instruction, op: FloatUnary) -> Next {
    let b = m.float(ins.b);
    let value = m.float_unary(op, b);
    m.set_float(ins.a, value);
    Next::Seq
}

#[inline(always)]
fn single<M: Machine>(m: &mut M, ins: Instruction, op: FloatOp) -> Next {
    let (b, c) = (m.single(ins.b), m.single(ins.c));
    let value = m.single_op(op, b, c);
    m.set_single(ins.a, value);
    Next::Seq
}

#[inline(always)]
fn single_unary<M: Machine>(m: &mut M, ins: Instruction, op: FloatUnary) -> Next {
    let b = m.single(ins.b);
    let value = m.single_unary(op, b);
    m.set_single(ins.a, value);
    Next::Seq
}

#[inline(always)]
fn branch<M: Machine>(m: &mut M, ins: Instruction, cond: M::Cond) -> Next {
    if m.decide(cond) { Next::Jump(ins.x) } else { Next::Seq }
}

#[inline(always)]
fn branch_int<M: Machine>(m: &mut M, ins: Instruction, op: IntCompare) -> Next {
    let (a, b) = (m.word(ins.a), m.word(ins.b));
    let cond = m.compare(op, a, b);
    branch(m, ins, cond)
}

#[inline(always)]
fn branch_short<M: Machine>(m: &mut M, ins: Instruction, op: IntCompare) -> Next {
    let (a, b) = (m.word(ins.a), m.const_word(ins.short()));
    let cond = m.compare(op, a, b);
    branch(m, ins, cond)
}

#[inline(always)]
fn branch_short_swapped<M: Machine>(m: &mut M, ins: Instruction, op: IntCompare) -> Next {
    let (a, b) = (m.word(ins.a), m.const_word(ins.short()));
    let cond = m.compare(op, b, a);
    branch(m, ins, cond)
}

/// `negated`: jumps where the comparison does not hold, thus on NaN.
#[inline(always)]
fn branch_f64<M: Machine>(m: &mut M, ins: Instruction, op: FloatCompare, negated: bool) -> Next {
    let (a, b) = (m.float(ins.a), m.float(ins.b));
    let mut cond = m.float_compare(op, a, b);
    if negated {
        cond = m.not(cond);
    }
    branch(m, ins, cond)
}

#[inline(always)]
fn branch_f32<M: Machine>(m: &mut M, ins: Instruction, op: FloatCompare, negated: bool) -> Next {
    let (a, b) = (m.single(ins.a), m.single(ins.b));
    let mut cond = m.single_compare(op, a, b);
    if negated {
        cond = m.not(cond);
    }
    branch(m, ins, cond)
}

/// Trips after the first are end - first - 1 for a half-open range, end - first for a closed one: neither can wrap
/// where there is a first trip.
#[inline(always)]
fn for_prepare<M: Machine>(m: &mut M, ins: Instruction, op: IntCompare, inclusive: bool) -> Next {
    let (first, end) = (m.word(ins.a), m.word(ins.b));
    let any = m.compare(op, first, end);
    let none = m.not(any);
    if m.decide(none) {
        return Next::Jump(ins.x);
    }
    let mut trips = m.int(IntOp::Sub, end, first);
    if !inclusive {
        let one = m.const_word(1);
        trips = m.int(IntOp::Sub, trips, one);
    }
    m.set_word(ins.a + 1, trips);
    Next::Seq
}

/// False if the index in `index` is out of the array whose length is in `length`. One unsigned compare refuses negative
/// indices too.
#[inline(always)]
fn in_range<M: Machine>(m: &mut M, index: M::Word, length: u16) -> bool {
    let length = m.word(length);
    let cond = m.compare(IntCompare::LtU, index, length);
    m.check(cond, Fault::IndexOutOfRange)
}

const INDEX_FAULT: Next = Next::Fault(Fault::IndexOutOfRange);

/// Address of the element that a checked load reads, without the field's offset.
#[inline(always)]
fn load_address<M: Machine>(m: &mut M, ins: Instruction) -> Option<M::Word> {
    let index = m.word(ins.c);
    if !in_range(m, index, ins.b + 1) {
        return None;
    }
    let base = m.word(ins.b);
    Some(m.element(base, index, ins.x, 0))
}

#[inline(always)]
fn load_elem_int<M: Machine>(m: &mut M, ins: Instruction, kind: IntMemory) -> Next {
    let Some(address) = load_address(m, ins) else { return INDEX_FAULT };
    let value = m.load_int(kind, address, ins.y);
    m.set_word(ins.a, value);
    Next::Seq
}

/// Address of the element that a checked store writes, without the field's offset.
#[inline(always)]
fn store_address<M: Machine>(m: &mut M, ins: Instruction) -> Option<M::Word> {
    let index = m.word(ins.b);
    if !in_range(m, index, ins.a + 1) {
        return None;
    }
    let base = m.word(ins.a);
    Some(m.element(base, index, ins.x, 0))
}

#[inline(always)]
fn store_elem_int<M: Machine>(m: &mut M, ins: Instruction, kind: IntMemory) -> Next {
    let Some(address) = store_address(m, ins) else { return INDEX_FAULT };
    let value = m.word(ins.c);
    m.store_int(kind, address, ins.y, value);
    Next::Seq
}

#[inline(always)]
fn load_int<M: Machine>(m: &mut M, ins: Instruction, kind: IntMemory) -> Next {
    let address = m.word(ins.b);
    let value = m.load_int(kind, address, ins.x);
    m.set_word(ins.a, value);
    Next::Seq
}

#[inline(always)]
fn store_int<M: Machine>(m: &mut M, ins: Instruction, kind: IntMemory) -> Next {
    let (address, value) = (m.word(ins.a), m.word(ins.c));
    m.store_int(kind, address, ins.x, value);
    Next::Seq
}

/// Executes one instruction on a machine and says where to go on.
#[inline(always)]
pub fn step<M: Machine>(m: &mut M, ins: Instruction) -> Next {
    use Opcode as Op;
    match ins.op {
        Op::Nop => Next::Seq,
        Op::Move => {
            m.move_slots(ins.a, ins.b, 1);
            Next::Seq
        }
        Op::MoveN => {
            m.move_slots(ins.a, ins.b, ins.x);
            Next::Seq
        }
        Op::Const => {
            let value = m.const_word(ins.imm());
            m.set_word(ins.a, value);
            Next::Seq
        }
        Op::ConstF64 => {
            let value = m.const_float(ins.imm() as u64);
            m.set_float(ins.a, value);
            Next::Seq
        }
        Op::ConstF32 => {
            let value = m.const_single(ins.x);
            m.set_single(ins.a, value);
            Next::Seq
        }
        Op::Zero => {
            for i in 0..ins.x as u16 {
                let value = m.const_word(0);
                m.set_word(ins.a + i, value);
            }
            Next::Seq
        }
        Op::Text => {
            let (pointer, length) = m.text(ins.x);
            m.set_word(ins.a, pointer);
            m.set_word(ins.a + 1, length);
            Next::Seq
        }
        Op::Global => {
            let value = m.global(ins.x);
            m.set_word(ins.a, value);
            Next::Seq
        }

        Op::Add => int(m, ins, IntOp::Add),
        Op::Sub => int(m, ins, IntOp::Sub),
        Op::Mul => int(m, ins, IntOp::Mul),
        Op::DivS => divide(m, ins, IntOp::DivS),
        Op::DivU => divide(m, ins, IntOp::DivU),
        Op::RemS => divide(m, ins, IntOp::RemS),
        Op::RemU => divide(m, ins, IntOp::RemU),
        Op::And => int(m, ins, IntOp::And),
        Op::Or => int(m, ins, IntOp::Or),
        Op::Xor => int(m, ins, IntOp::Xor),
        Op::Shl => int(m, ins, IntOp::Shl),
        Op::ShrS => int(m, ins, IntOp::ShrS),
        Op::ShrU => int(m, ins, IntOp::ShrU),
        Op::MinS => int(m, ins, IntOp::MinS),
        Op::MaxS => int(m, ins, IntOp::MaxS),
        Op::MinU => int(m, ins, IntOp::MinU),
        Op::MaxU => int(m, ins, IntOp::MaxU),
        Op::MulHighU => int(m, ins, IntOp::MulHighU),
        Op::AddImm => int_imm(m, ins, IntOp::Add),
        Op::MulImm => int_imm(m, ins, IntOp::Mul),
        Op::AndImm => int_imm(m, ins, IntOp::And),
        Op::OrImm => int_imm(m, ins, IntOp::Or),
        Op::XorImm => int_imm(m, ins, IntOp::Xor),
        Op::ShlImm => int_imm(m, ins, IntOp::Shl),
        Op::ShrSImm => int_imm(m, ins, IntOp::ShrS),
        Op::ShrUImm => int_imm(m, ins, IntOp::ShrU),
        // The divisor is not zero: the verifier has looked.
        Op::DivSImm => int_imm(m, ins, IntOp::DivS),
        Op::DivUImm => int_imm(m, ins, IntOp::DivU),
        Op::RemSImm => int_imm(m, ins, IntOp::RemS),
        Op::RemUImm => int_imm(m, ins, IntOp::RemU),
        Op::Neg => int_unary(m, ins, IntUnary::Neg),
        Op::Not => int_unary(m, ins, IntUnary::Not),
        Op::AbsS => int_unary(m, ins, IntUnary::AbsS),
        Op::PopCount => int_unary(m, ins, IntUnary::PopCount),
        Op::LeadingZeros => int_unary(m, ins, IntUnary::LeadingZeros),
        Op::TrailingZeros => int_unary(m, ins, IntUnary::TrailingZeros),
        Op::WrapI8 => int_unary(m, ins, IntUnary::Wrap(IntKind::I8)),
        Op::WrapI16 => int_unary(m, ins, IntUnary::Wrap(IntKind::I16)),
        Op::WrapI32 => int_unary(m, ins, IntUnary::Wrap(IntKind::I32)),
        Op::WrapU8 => int_unary(m, ins, IntUnary::Wrap(IntKind::U8)),
        Op::WrapU16 => int_unary(m, ins, IntUnary::Wrap(IntKind::U16)),
        Op::WrapU32 => int_unary(m, ins, IntUnary::Wrap(IntKind::U32)),
        Op::Eq => compare(m, ins, IntCompare::Eq),
        Op::Ne => compare(m, ins, IntCompare::Ne),
        Op::LtS => compare(m, ins, IntCompare::LtS),
        Op::LeS => compare(m, ins, IntCompare::LeS),
        Op::LtU => compare(m, ins, IntCompare::LtU),
        Op::LeU => compare(m, ins, IntCompare::LeU),
        Op::EqImm => compare_imm(m, ins, IntCompare::Eq),
        Op::NeImm => compare_imm(m, ins, IntCompare::Ne),
        Op::LtSImm => compare_imm(m, ins, IntCompare::LtS),
        Op::LeSImm => compare_imm(m, ins, IntCompare::LeS),
        Op::GtSImm => compare_imm_swapped(m, ins, IntCompare::LtS),
        Op::GeSImm => compare_imm_swapped(m, ins, IntCompare::LeS),
        Op::NotBool => {
            let (b, one) = (m.word(ins.b), m.const_word(1));
            let value = m.int(IntOp::Xor, b, one);
            m.set_word(ins.a, value);
            Next::Seq
        }
        Op::EqF64 => compare_f64(m, ins, FloatCompare::Eq),
        Op::NeF64 => compare_f64(m, ins, FloatCompare::Ne),
        Op::LtF64 => compare_f64(m, ins, FloatCompare::Lt),
        Op::LeF64 => compare_f64(m, ins, FloatCompare::Le),
        Op::EqF32 => compare_f32(m, ins, FloatCompare::Eq),
        Op::NeF32 => compare_f32(m, ins, FloatCompare::Ne),
        Op::LtF32 => compare_f32(m, ins, FloatCompare::Lt),
        Op::LeF32 => compare_f32(m, ins, FloatCompare::Le),
        Op::AddF64 => float(m, ins, FloatOp::Add),
        Op::SubF64 => float(m, ins, FloatOp::Sub),
        Op::MulF64 => float(m, ins, FloatOp::Mul),
        Op::DivF64 => float(m, ins, FloatOp::Div),
        Op::MinF64 => float(m, ins, FloatOp::Min),
        Op::MaxF64 => float(m, ins, FloatOp::Max),
        Op::NegF64 => float_unary(m, ins, FloatUnary::Neg),
        Op::AbsF64 => float_unary(m, ins, FloatUnary::Abs),
        Op::SqrtF64 => float_unary(m, ins, FloatUnary::Sqrt),
        Op::FloorF64 => float_unary(m, ins, FloatUnary::Floor),
        Op::CeilF64 => float_unary(m, ins, FloatUnary::Ceil),
        Op::TruncF64 => float_unary(m, ins, FloatUnary::Trunc),
        Op::RoundF64 => float_unary(m, ins, FloatUnary::Round),
        Op::AddF32 => single(m, ins, FloatOp::Add),
        Op::SubF32 => single(m, ins, FloatOp::Sub),
        Op::MulF32 => single(m, ins, FloatOp::Mul),
        Op::DivF32 => single(m, ins, FloatOp::Div),
        Op::MinF32 => single(m, ins, FloatOp::Min),
        Op::MaxF32 => single(m, ins, FloatOp::Max),
        Op::NegF32 => single_unary(m, ins, FloatUnary::Neg),
        Op::AbsF32 => single_unary(m, ins, FloatUnary::Abs),
        Op::SqrtF32 => single_unary(m, ins, FloatUnary::Sqrt),
        Op::I64ToF64 => {
            let b = m.word(ins.b);
            let value = m.int_to_float(true, b);
            m.set_float(ins.a, value);
            Next::Seq
        }
        Op::U64ToF64 => {
            let b = m.word(ins.b);
            let value = m.int_to_float(false, b);
            m.set_float(ins.a, value);
            Next::Seq
        }
        Op::I64ToF32 => {
            let b = m.word(ins.b);
            let value = m.int_to_single(true, b);
            m.set_single(ins.a, value);
            Next::Seq
        }
        Op::U64ToF32 => {
            let b = m.word(ins.b);
            let value = m.int_to_single(false, b);
            m.set_single(ins.a, value);
            Next::Seq
        }
        Op::F32ToF64 => {
            let b = m.single(ins.b);
            let value = m.single_to_float(b);
            m.set_float(ins.a, value);
            Next::Seq
        }
        Op::F64ToF32 => {
            let b = m.float(ins.b);
            let value = m.float_to_single(b);
            m.set_single(ins.a, value);
            Next::Seq
        }
        Op::F64ToInt => {
            let b = m.float(ins.b);
            let value = m.float_to_int(IntKind::from_number(ins.x).unwrap_or(IntKind::I64), b);
            m.set_word(ins.a, value);
            Next::Seq
        }
        Op::BitsF64 => {
            let b = m.float(ins.b);
            let value = m.float_bits(b);
            m.set_word(ins.a, value);
            Next::Seq
        }
        Op::BitsF32 => {
            let b = m.single(ins.b);
            let value = m.single_bits(b);
            m.set_word(ins.a, value);
            Next::Seq
        }
        Op::FromBitsF64 => {
            let b = m.word(ins.b);
            let value = m.bits_float(b);
            m.set_float(ins.a, value);
            Next::Seq
        }
        Op::FromBitsF32 => {
            let b = m.word(ins.b);
            let value = m.bits_single(b);
            m.set_single(ins.a, value);
            Next::Seq
        }
        Op::Jump => Next::Jump(ins.x),
        Op::JIf => {
            let (a, zero) = (m.word(ins.a), m.const_word(0));
            let cond = m.compare(IntCompare::Ne, a, zero);
            branch(m, ins, cond)
        }
        Op::JIfNot => {
            let (a, zero) = (m.word(ins.a), m.const_word(0));
            let cond = m.compare(IntCompare::Eq, a, zero);
            branch(m, ins, cond)
        }
        Op::JEq => branch_int(m, ins, IntCompare::Eq),
        Op::JNe => branch_int(m, ins, IntCompare::Ne),
        Op::JLtS => branch_int(m, ins, IntCompare::LtS),
        Op::JLeS => branch_int(m, ins, IntCompare::LeS),
        Op::JLtU => branch_int(m, ins, IntCompare::LtU),
        Op::JLeU => branch_int(m, ins, IntCompare::LeU),
        Op::JEqImm => branch_short(m, ins, IntCompare::Eq),
        Op::JNeImm => branch_short(m, ins, IntCompare::Ne),
        Op::JLtSImm => branch_short(m, ins, IntCompare::LtS),
        Op::JLeSImm => branch_short(m, ins, IntCompare::LeS),
        Op::JGtSImm => branch_short_swapped(m, ins, IntCompare::LtS),
        Op::JGeSImm => branch_short_swapped(m, ins, IntCompare::LeS),
        Op::JEqF64 => branch_f64(m, ins, FloatCompare::Eq, false),
        Op::JNeF64 => branch_f64(m, ins, FloatCompare::Ne, false),
        Op::JLtF64 => branch_f64(m, ins, FloatCompare::Lt, false),
        Op::JLeF64 => branch_f64(m, ins, FloatCompare::Le, false),
        Op::JNotLtF64 => branch_f64(m, ins, FloatCompare::Lt, true),
        Op::JNotLeF64 => branch_f64(m, ins, FloatCompare::Le, true),
        Op::JEqF32 => branch_f32(m, ins, FloatCompare::Eq, false),
        Op::JNeF32 => branch_f32(m, ins, FloatCompare::Ne, false),
        Op::JLtF32 => branch_f32(m, ins, FloatCompare::Lt, false),
        Op::JLeF32 => branch_f32(m, ins, FloatCompare::Le, false),
        Op::JNotLtF32 => branch_f32(m, ins, FloatCompare::Lt, true),
        Op::JNotLeF32 => branch_f32(m, ins, FloatCompare::Le, true),
        Op::Loop => Next::Loop { target: ins.x, id: ins.y },
        Op::ForPrepS => for_prepare(m, ins, IntCompare::LtS, false),
        Op::ForPrepU => for_prepare(m, ins, IntCompare::LtU, false),
        Op::ForPrepInclS => for_prepare(m, ins, IntCompare::LeS, true),
        Op::ForPrepInclU => for_prepare(m, ins, IntCompare::LeU, true),
        Op::ForLoop => {
            let (trips, zero) = (m.word(ins.a + 1), m.const_word(0));
            let more = m.compare(IntCompare::Ne, trips, zero);
            if !m.decide(more) {
                return Next::Seq;
            }
            let one = m.const_word(1);
            let left = m.int(IntOp::Sub, trips, one);
            m.set_word(ins.a + 1, left);
            let value = m.word(ins.a);
            let value = m.int(IntOp::Add, value, one);
            m.set_word(ins.a, value);
            Next::Loop { target: ins.x, id: ins.y }
        }
        Op::JRoom => {
            let (block, length) = (m.word(ins.a), m.word(ins.b));
            let zero = m.const_word(0);
            let needed = m.element(zero, length, ins.y, ins.y);
            let capacity = m.capacity(block);
            let cond = m.compare(IntCompare::LeU, needed, capacity);
            branch(m, ins, cond)
        }

        Op::Call => Next::Call { function: ins.x, frame: ins.a },
        Op::CallIndirect => Next::CallIndirect { value: ins.b, frame: ins.a },
        Op::Return => Next::Return { from: 0, count: 0 },
        Op::Return1 => Next::Return { from: ins.b, count: 1 },
        Op::ReturnN => Next::Return { from: ins.b, count: ins.x as u16 },
        Op::Runtime => Next::Runtime { routine: ins.x, frame: ins.a },
        Op::Fault => Next::Fault(Fault::from_number(ins.x).unwrap_or(Fault::Message)),
        Op::FunctionId => {
            let value = m.const_word(i64::from(ins.x));
            m.set_word(ins.a, value);
            Next::Seq
        }

        Op::LoadElemI8 => load_elem_int(m, ins, IntMemory::I8),
        Op::LoadElemU8 => load_elem_int(m, ins, IntMemory::U8),
        Op::LoadElemI16 => load_elem_int(m, ins, IntMemory::I16),
        Op::LoadElemU16 => load_elem_int(m, ins, IntMemory::U16),
        Op::LoadElemI32 => load_elem_int(m, ins, IntMemory::I32),
        Op::LoadElemU32 => load_elem_int(m, ins, IntMemory::U32),
        Op::LoadElemI64 => load_elem_int(m, ins, IntMemory::I64),
        Op::LoadElemF32 => {
            let Some(address) = load_address(m, ins) else { return INDEX_FAULT };
            let value = m.load_single(address, ins.y);
            m.set_single(ins.a, value);
            Next::Seq
        }
        Op::LoadElemF64 => {
            let Some(address) = load_address(m, ins) else { return INDEX_FAULT };
            let value = m.load_float(address, ins.y);
            m.set_float(ins.a, value);
            Next::Seq
        }
        Op::StoreElemI8 => store_elem_int(m, ins, IntMemory::I8),
        Op::StoreElemI16 => store_elem_int(m, ins, IntMemory::I16),
        Op::StoreElemI32 => store_elem_int(m, ins, IntMemory::I32),
        Op::StoreElemI64 => store_elem_int(m, ins, IntMemory::I64),
        Op::StoreElemF32 => {
            let Some(address) = store_address(m, ins) else { return INDEX_FAULT };
            let value = m.single(ins.c);
            m.store_single(address, ins.y, value);
            Next::Seq
        }
        Op::StoreElemF64 => {
            let Some(address) = store_address(m, ins) else { return INDEX_FAULT };
            let value = m.float(ins.c);
            m.store_float(address, ins.y, value);
            Next::Seq
        }
        Op::ElemAddr => {
            let index = m.word(ins.c);
            if !in_range(m, index, ins.b + 1) {
                return INDEX_FAULT;
            }
            let base = m.word(ins.b);
            let address = m.element(base, index, ins.x, ins.y);
            m.set_word(ins.a, address);
            Next::Seq
        }
        Op::ElemAddrRaw => {
            let (base, index) = (m.word(ins.b), m.word(ins.c));
            let address = m.element(base, index, ins.x, ins.y);
            m.set_word(ins.a, address);
            Next::Seq
        }
        Op::CheckIndex => {
            let index = m.word(ins.a);
            if in_range(m, index, ins.b) { Next::Seq } else { INDEX_FAULT }
        }
        Op::LoadI8 => load_int(m, ins, IntMemory::I8),
        Op::LoadU8 => load_int(m, ins, IntMemory::U8),
        Op::LoadI16 => load_int(m, ins, IntMemory::I16),
        Op::LoadU16 => load_int(m, ins, IntMemory::U16),
        Op::LoadI32 => load_int(m, ins, IntMemory::I32),
        Op::LoadU32 => load_int(m, ins, IntMemory::U32),
        Op::LoadI64 => load_int(m, ins, IntMemory::I64),
        Op::LoadF32 => {
            let address = m.word(ins.b);
            let value = m.load_single(address, ins.x);
            m.set_single(ins.a, value);
            Next::Seq
        }
        Op::LoadF64 => {
            let address = m.word(ins.b);
            let value = m.load_float(address, ins.x);
            m.set_float(ins.a, value);
            Next::Seq
        }
        Op::LoadWords => {
            // The address is read before slot a, which may be the same.
            let address = m.word(ins.b);
            for i in 0..ins.x as u16 {
                let value = m.load_int(IntMemory::I64, address, ins.y + u32::from(i) * 8);
                m.set_word(ins.a + i, value);
            }
            Next::Seq
        }
        Op::StoreI8 => store_int(m, ins, IntMemory::I8),
        Op::StoreI16 => store_int(m, ins, IntMemory::I16),
        Op::StoreI32 => store_int(m, ins, IntMemory::I32),
        Op::StoreI64 => store_int(m, ins, IntMemory::I64),
        Op::StoreF32 => {
            let (address, value) = (m.word(ins.a), m.single(ins.c));
            m.store_single(address, ins.x, value);
            Next::Seq
        }
        Op::StoreF64 => {
            let (address, value) = (m.word(ins.a), m.float(ins.c));
            m.store_float(address, ins.x, value);
            Next::Seq
        }
        Op::StoreWords => {
            let address = m.word(ins.a);
            for i in 0..ins.x as u16 {
                let value = m.word(ins.c + i);
                m.store_int(IntMemory::I64, address, ins.y + u32::from(i) * 8, value);
            }
            Next::Seq
        }
    }
}
