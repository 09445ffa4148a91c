//! What each opcode does, written once over [`Machine`].
//!
//! Invariants that all tiers rely on: an opcode makes all its checks before its first effect; it decides at most once,
//! after the checks and before any effect; control is only in the result. So an exit of compiled code resumes at an
//! instruction's start, and a machine that is told which side a decision takes sees exactly that side's effects.
//!
//! The table at the end of this file makes two things of each row: an arm of [`step`], and a type of its own in [`each`],
//! of which the interpreter makes one function an opcode. In these all helpers are inlined and [`Next`] vanishes.

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

/// False if the index is out of an array of this length. One unsigned compare refuses negative indices too.
#[inline(always)]
fn in_range<M: Machine>(m: &mut M, index: M::Word, length: M::Word) -> bool {
    let cond = m.compare(IntCompare::LtU, index, length);
    m.check(cond, Fault::IndexOutOfRange)
}

const INDEX_FAULT: Next = Next::Fault(Fault::IndexOutOfRange);

/// Address of the element that a checked load reads, without the field's offset.
#[inline(always)]
fn load_address<M: Machine>(m: &mut M, ins: Instruction) -> Option<M::Word> {
    let (index, length) = (m.word(ins.c), m.length(ins.b));
    if !in_range(m, index, length) {
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

/// Pointer and length that lie at an address.
#[inline(always)]
fn load_pair<M: Machine>(m: &mut M, to: u16, address: M::Word, offset: u32) -> Next {
    let base = m.load_pointer(address, offset);
    let length = m.load_int(IntMemory::I64, address, offset + 8);
    m.set_word(to, base);
    m.set_word(to + 1, length);
    Next::Seq
}

/// Address of the element that a checked store writes, without the field's offset.
#[inline(always)]
fn store_address<M: Machine>(m: &mut M, ins: Instruction) -> Option<M::Word> {
    let (index, length) = (m.word(ins.b), m.length(ins.a));
    if !in_range(m, index, length) {
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

#[inline(always)]
fn numbered_fault(number: u32) -> Next {
    Next::Fault(Fault::from_number(number).unwrap_or(Fault::Message))
}

/// One opcode's meaning as a type.
pub trait Semantics {
    fn run<M: Machine>(m: &mut M, ins: Instruction) -> Next;
}

macro_rules! semantics {
    ($dollar:tt ($m:ident, $ins:ident) $($op:ident => $body:expr,)*) => {
        /// Executes one instruction on a machine and says where to go on.
        #[inline(always)]
        pub fn step<M: Machine>($m: &mut M, $ins: Instruction) -> Next {
            match $ins.op {
                $(Opcode::$op => $body,)*
            }
        }

        /// The opcodes one by one.
        pub mod each {
            use super::*;
            $(
                pub struct $op;

                impl Semantics for $op {
                    #[inline(always)]
                    #[allow(unused_variables)]
                    fn run<M: Machine>($m: &mut M, $ins: Instruction) -> Next {
                        $body
                    }
                }
            )*
        }

        /// Hands the names of all opcodes to a macro.
        macro_rules! for_each_opcode {
            ($dollar callback:ident) => {
                $dollar callback! { $($op)* }
            };
        }
        pub(crate) use for_each_opcode;
    };
}

semantics! {
    $ (m, ins)
    Nop => Next::Seq,
    Move => {
        m.move_slots(ins.a, ins.b, 1);
        Next::Seq
    },
    MoveN => {
        m.move_slots(ins.a, ins.b, ins.x);
        Next::Seq
    },
    Const => {
        let value = m.const_word(ins.imm());
        m.set_word(ins.a, value);
        Next::Seq
    },
    ConstF64 => {
        let value = m.const_float(ins.imm() as u64);
        m.set_float(ins.a, value);
        Next::Seq
    },
    ConstF32 => {
        let value = m.const_single(ins.x);
        m.set_single(ins.a, value);
        Next::Seq
    },
    Zero => {
        for i in 0..ins.x as u16 {
            let value = m.const_word(0);
            m.set_word(ins.a + i, value);
        }
        Next::Seq
    },
    Text => {
        let (pointer, length) = m.text(ins.x);
        m.set_word(ins.a, pointer);
        m.set_word(ins.a + 1, length);
        Next::Seq
    },
    Global => {
        let value = m.global(ins.x);
        m.set_word(ins.a, value);
        Next::Seq
    },

    Add => int(m, ins, IntOp::Add),
    Sub => int(m, ins, IntOp::Sub),
    Mul => int(m, ins, IntOp::Mul),
    DivS => divide(m, ins, IntOp::DivS),
    DivU => divide(m, ins, IntOp::DivU),
    RemS => divide(m, ins, IntOp::RemS),
    RemU => divide(m, ins, IntOp::RemU),
    And => int(m, ins, IntOp::And),
    Or => int(m, ins, IntOp::Or),
    Xor => int(m, ins, IntOp::Xor),
    Shl => int(m, ins, IntOp::Shl),
    ShrS => int(m, ins, IntOp::ShrS),
    ShrU => int(m, ins, IntOp::ShrU),
    MinS => int(m, ins, IntOp::MinS),
    MaxS => int(m, ins, IntOp::MaxS),
    MinU => int(m, ins, IntOp::MinU),
    MaxU => int(m, ins, IntOp::MaxU),
    MulHighU => int(m, ins, IntOp::MulHighU),
    AddImm => int_imm(m, ins, IntOp::Add),
    MulImm => int_imm(m, ins, IntOp::Mul),
    AndImm => int_imm(m, ins, IntOp::And),
    OrImm => int_imm(m, ins, IntOp::Or),
    XorImm => int_imm(m, ins, IntOp::Xor),
    ShlImm => int_imm(m, ins, IntOp::Shl),
    ShrSImm => int_imm(m, ins, IntOp::ShrS),
    ShrUImm => int_imm(m, ins, IntOp::ShrU),
    // The divisor is not zero: the verifier has looked.
    DivSImm => int_imm(m, ins, IntOp::DivS),
    DivUImm => int_imm(m, ins, IntOp::DivU),
    RemSImm => int_imm(m, ins, IntOp::RemS),
    RemUImm => int_imm(m, ins, IntOp::RemU),
    Neg => int_unary(m, ins, IntUnary::Neg),
    Not => int_unary(m, ins, IntUnary::Not),
    AbsS => int_unary(m, ins, IntUnary::AbsS),
    PopCount => int_unary(m, ins, IntUnary::PopCount),
    LeadingZeros => int_unary(m, ins, IntUnary::LeadingZeros),
    TrailingZeros => int_unary(m, ins, IntUnary::TrailingZeros),
    WrapI8 => int_unary(m, ins, IntUnary::Wrap(IntKind::I8)),
    WrapI16 => int_unary(m, ins, IntUnary::Wrap(IntKind::I16)),
    WrapI32 => int_unary(m, ins, IntUnary::Wrap(IntKind::I32)),
    WrapU8 => int_unary(m, ins, IntUnary::Wrap(IntKind::U8)),
    WrapU16 => int_unary(m, ins, IntUnary::Wrap(IntKind::U16)),
    WrapU32 => int_unary(m, ins, IntUnary::Wrap(IntKind::U32)),
    Eq => compare(m, ins, IntCompare::Eq),
    Ne => compare(m, ins, IntCompare::Ne),
    LtS => compare(m, ins, IntCompare::LtS),
    LeS => compare(m, ins, IntCompare::LeS),
    LtU => compare(m, ins, IntCompare::LtU),
    LeU => compare(m, ins, IntCompare::LeU),
    EqImm => compare_imm(m, ins, IntCompare::Eq),
    NeImm => compare_imm(m, ins, IntCompare::Ne),
    LtSImm => compare_imm(m, ins, IntCompare::LtS),
    LeSImm => compare_imm(m, ins, IntCompare::LeS),
    GtSImm => compare_imm_swapped(m, ins, IntCompare::LtS),
    GeSImm => compare_imm_swapped(m, ins, IntCompare::LeS),
    NotBool => {
        let (b, one) = (m.word(ins.b), m.const_word(1));
        let value = m.int(IntOp::Xor, b, one);
        m.set_word(ins.a, value);
        Next::Seq
    },
    EqF64 => compare_f64(m, ins, FloatCompare::Eq),
    NeF64 => compare_f64(m, ins, FloatCompare::Ne),
    LtF64 => compare_f64(m, ins, FloatCompare::Lt),
    LeF64 => compare_f64(m, ins, FloatCompare::Le),
    EqF32 => compare_f32(m, ins, FloatCompare::Eq),
    NeF32 => compare_f32(m, ins, FloatCompare::Ne),
    LtF32 => compare_f32(m, ins, FloatCompare::Lt),
    LeF32 => compare_f32(m, ins, FloatCompare::Le),
    AddF64 => float(m, ins, FloatOp::Add),
    SubF64 => float(m, ins, FloatOp::Sub),
    MulF64 => float(m, ins, FloatOp::Mul),
    DivF64 => float(m, ins, FloatOp::Div),
    MinF64 => float(m, ins, FloatOp::Min),
    MaxF64 => float(m, ins, FloatOp::Max),
    NegF64 => float_unary(m, ins, FloatUnary::Neg),
    AbsF64 => float_unary(m, ins, FloatUnary::Abs),
    SqrtF64 => float_unary(m, ins, FloatUnary::Sqrt),
    FloorF64 => float_unary(m, ins, FloatUnary::Floor),
    CeilF64 => float_unary(m, ins, FloatUnary::Ceil),
    TruncF64 => float_unary(m, ins, FloatUnary::Trunc),
    RoundF64 => float_unary(m, ins, FloatUnary::Round),
    AddF32 => single(m, ins, FloatOp::Add),
    SubF32 => single(m, ins, FloatOp::Sub),
    MulF32 => single(m, ins, FloatOp::Mul),
    DivF32 => single(m, ins, FloatOp::Div),
    MinF32 => single(m, ins, FloatOp::Min),
    MaxF32 => single(m, ins, FloatOp::Max),
    NegF32 => single_unary(m, ins, FloatUnary::Neg),
    AbsF32 => single_unary(m, ins, FloatUnary::Abs),
    SqrtF32 => single_unary(m, ins, FloatUnary::Sqrt),
    I64ToF64 => {
        let b = m.word(ins.b);
        let value = m.int_to_float(true, b);
        m.set_float(ins.a, value);
        Next::Seq
    },
    U64ToF64 => {
        let b = m.word(ins.b);
        let value = m.int_to_float(false, b);
        m.set_float(ins.a, value);
        Next::Seq
    },
    I64ToF32 => {
        let b = m.word(ins.b);
        let value = m.int_to_single(true, b);
        m.set_single(ins.a, value);
        Next::Seq
    },
    U64ToF32 => {
        let b = m.word(ins.b);
        let value = m.int_to_single(false, b);
        m.set_single(ins.a, value);
        Next::Seq
    },
    F32ToF64 => {
        let b = m.single(ins.b);
        let value = m.single_to_float(b);
        m.set_float(ins.a, value);
        Next::Seq
    },
    F64ToF32 => {
        let b = m.float(ins.b);
        let value = m.float_to_single(b);
        m.set_single(ins.a, value);
        Next::Seq
    },
    F64ToInt => {
        let b = m.float(ins.b);
        let value = m.float_to_int(IntKind::from_number(ins.x).unwrap_or(IntKind::I64), b);
        m.set_word(ins.a, value);
        Next::Seq
    },
    BitsF64 => {
        let b = m.float(ins.b);
        let value = m.float_bits(b);
        m.set_word(ins.a, value);
        Next::Seq
    },
    BitsF32 => {
        let b = m.single(ins.b);
        let value = m.single_bits(b);
        m.set_word(ins.a, value);
        Next::Seq
    },
    FromBitsF64 => {
        let b = m.word(ins.b);
        let value = m.bits_float(b);
        m.set_float(ins.a, value);
        Next::Seq
    },
    FromBitsF32 => {
        let b = m.word(ins.b);
        let value = m.bits_single(b);
        m.set_single(ins.a, value);
        Next::Seq
    },
    Jump => Next::Jump(ins.x),
    JIf => {
        let (a, zero) = (m.word(ins.a), m.const_word(0));
        let cond = m.compare(IntCompare::Ne, a, zero);
        branch(m, ins, cond)
    },
    JIfNot => {
        let (a, zero) = (m.word(ins.a), m.const_word(0));
        let cond = m.compare(IntCompare::Eq, a, zero);
        branch(m, ins, cond)
    },
    JEq => branch_int(m, ins, IntCompare::Eq),
    JNe => branch_int(m, ins, IntCompare::Ne),
    JLtS => branch_int(m, ins, IntCompare::LtS),
    JLeS => branch_int(m, ins, IntCompare::LeS),
    JLtU => branch_int(m, ins, IntCompare::LtU),
    JLeU => branch_int(m, ins, IntCompare::LeU),
    JEqImm => branch_short(m, ins, IntCompare::Eq),
    JNeImm => branch_short(m, ins, IntCompare::Ne),
    JLtSImm => branch_short(m, ins, IntCompare::LtS),
    JLeSImm => branch_short(m, ins, IntCompare::LeS),
    JGtSImm => branch_short_swapped(m, ins, IntCompare::LtS),
    JGeSImm => branch_short_swapped(m, ins, IntCompare::LeS),
    JEqF64 => branch_f64(m, ins, FloatCompare::Eq, false),
    JNeF64 => branch_f64(m, ins, FloatCompare::Ne, false),
    JLtF64 => branch_f64(m, ins, FloatCompare::Lt, false),
    JLeF64 => branch_f64(m, ins, FloatCompare::Le, false),
    JNotLtF64 => branch_f64(m, ins, FloatCompare::Lt, true),
    JNotLeF64 => branch_f64(m, ins, FloatCompare::Le, true),
    JEqF32 => branch_f32(m, ins, FloatCompare::Eq, false),
    JNeF32 => branch_f32(m, ins, FloatCompare::Ne, false),
    JLtF32 => branch_f32(m, ins, FloatCompare::Lt, false),
    JLeF32 => branch_f32(m, ins, FloatCompare::Le, false),
    JNotLtF32 => branch_f32(m, ins, FloatCompare::Lt, true),
    JNotLeF32 => branch_f32(m, ins, FloatCompare::Le, true),
    Loop => Next::Loop { target: ins.x, id: ins.y },
    ForPrepS => for_prepare(m, ins, IntCompare::LtS, false),
    ForPrepU => for_prepare(m, ins, IntCompare::LtU, false),
    ForPrepInclS => for_prepare(m, ins, IntCompare::LeS, true),
    ForPrepInclU => for_prepare(m, ins, IntCompare::LeU, true),
    ForLoop => {
        let (trips, zero) = (m.length(ins.a), m.const_word(0));
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
    },
    JRoom => {
        let (block, length) = (m.word(ins.a), m.word(ins.b));
        let zero = m.const_word(0);
        let needed = m.element(zero, length, ins.y, ins.y);
        let capacity = m.capacity(block);
        let cond = m.compare(IntCompare::LeU, needed, capacity);
        branch(m, ins, cond)
    },

    Call => Next::Call { function: ins.x, frame: ins.a },
    CallIndirect => Next::CallIndirect { value: ins.b, frame: ins.a },
    Return => Next::Return { from: 0, count: 0 },
    Return1 => Next::Return { from: ins.b, count: 1 },
    ReturnN => Next::Return { from: ins.b, count: ins.x as u16 },
    Runtime => Next::Runtime { routine: ins.x, frame: ins.a },
    Fault => numbered_fault(ins.x),
    FunctionId => {
        let value = m.const_word(i64::from(ins.x));
        m.set_word(ins.a, value);
        Next::Seq
    },

    LoadElemI8 => load_elem_int(m, ins, IntMemory::I8),
    LoadElemU8 => load_elem_int(m, ins, IntMemory::U8),
    LoadElemI16 => load_elem_int(m, ins, IntMemory::I16),
    LoadElemU16 => load_elem_int(m, ins, IntMemory::U16),
    LoadElemI32 => load_elem_int(m, ins, IntMemory::I32),
    LoadElemU32 => load_elem_int(m, ins, IntMemory::U32),
    LoadElemI64 => load_elem_int(m, ins, IntMemory::I64),
    LoadElemF32 => {
        let Some(address) = load_address(m, ins) else { return INDEX_FAULT };
        let value = m.load_single(address, ins.y);
        m.set_single(ins.a, value);
        Next::Seq
    },
    LoadElemF64 => {
        let Some(address) = load_address(m, ins) else { return INDEX_FAULT };
        let value = m.load_float(address, ins.y);
        m.set_float(ins.a, value);
        Next::Seq
    },
    LoadElemPair => {
        let Some(address) = load_address(m, ins) else { return INDEX_FAULT };
        load_pair(m, ins.a, address, ins.y)
    },
    StoreElemI8 => store_elem_int(m, ins, IntMemory::I8),
    StoreElemI16 => store_elem_int(m, ins, IntMemory::I16),
    StoreElemI32 => store_elem_int(m, ins, IntMemory::I32),
    StoreElemI64 => store_elem_int(m, ins, IntMemory::I64),
    StoreElemF32 => {
        let Some(address) = store_address(m, ins) else { return INDEX_FAULT };
        let value = m.single(ins.c);
        m.store_single(address, ins.y, value);
        Next::Seq
    },
    StoreElemF64 => {
        let Some(address) = store_address(m, ins) else { return INDEX_FAULT };
        let value = m.float(ins.c);
        m.store_float(address, ins.y, value);
        Next::Seq
    },
    ElemAddr => {
        let (index, length) = (m.word(ins.c), m.length(ins.b));
        if !in_range(m, index, length) {
            return INDEX_FAULT;
        }
        let base = m.word(ins.b);
        let address = m.element(base, index, ins.x, ins.y);
        m.set_word(ins.a, address);
        Next::Seq
    },
    ElemAddrRaw => {
        let (base, index) = (m.word(ins.b), m.word(ins.c));
        let address = m.element(base, index, ins.x, ins.y);
        m.set_word(ins.a, address);
        Next::Seq
    },
    CheckIndex => {
        let (index, length) = (m.word(ins.a), m.word(ins.b));
        if in_range(m, index, length) { Next::Seq } else { INDEX_FAULT }
    },
    LoadI8 => load_int(m, ins, IntMemory::I8),
    LoadU8 => load_int(m, ins, IntMemory::U8),
    LoadI16 => load_int(m, ins, IntMemory::I16),
    LoadU16 => load_int(m, ins, IntMemory::U16),
    LoadI32 => load_int(m, ins, IntMemory::I32),
    LoadU32 => load_int(m, ins, IntMemory::U32),
    LoadI64 => load_int(m, ins, IntMemory::I64),
    LoadF32 => {
        let address = m.word(ins.b);
        let value = m.load_single(address, ins.x);
        m.set_single(ins.a, value);
        Next::Seq
    },
    LoadF64 => {
        let address = m.word(ins.b);
        let value = m.load_float(address, ins.x);
        m.set_float(ins.a, value);
        Next::Seq
    },
    LoadPair => {
        let address = m.word(ins.b);
        load_pair(m, ins.a, address, ins.x)
    },
    LoadWords => {
        // The address is read before slot a, which may be the same.
        let address = m.word(ins.b);
        for i in 0..ins.x as u16 {
            let offset = ins.y + u32::from(i) * 8;
            let value = if ins.may_point(i) {
                m.load_pointer(address, offset)
            } else {
                m.load_int(IntMemory::I64, address, offset)
            };
            m.set_word(ins.a + i, value);
        }
        Next::Seq
    },
    StoreI8 => store_int(m, ins, IntMemory::I8),
    StoreI16 => store_int(m, ins, IntMemory::I16),
    StoreI32 => store_int(m, ins, IntMemory::I32),
    StoreI64 => store_int(m, ins, IntMemory::I64),
    StoreF32 => {
        let (address, value) = (m.word(ins.a), m.single(ins.c));
        m.store_single(address, ins.x, value);
        Next::Seq
    },
    StoreF64 => {
        let (address, value) = (m.word(ins.a), m.float(ins.c));
        m.store_float(address, ins.x, value);
        Next::Seq
    },
    StoreWords => {
        let address = m.word(ins.a);
        for i in 0..ins.x as u16 {
            let value = m.word(ins.c + i);
            m.store_int(IntMemory::I64, address, ins.y + u32::from(i) * 8, value);
        }
        Next::Seq
    },
}
