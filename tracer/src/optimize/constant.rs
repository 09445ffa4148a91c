//! Operations on constants, as the interpreter computes them.

use scaly_interp::interpreter::{
    NAN_F32, NAN_F64, float_compare, float_op, float_to_int, float_unary_op, int_compare, int_op, int_unary_op,
    single_compare, single_op, single_unary_op,
};

use crate::region::{Op, Type};
use crate::trace::Const;

/// The 64 bits that a slot holds of a constant.
fn bits(constant: Const) -> u64 {
    match constant {
        Const::Word(value) => value as u64,
        Const::Float(bits) => bits,
        Const::Single(bits) => u64::from(bits),
        Const::Cond(value) => u64::from(value),
    }
}

/// A slot's 64 bits read as a type.
fn reread(ty: Type, bits: u64) -> Const {
    match ty {
        Type::Word => Const::Word(bits as i64),
        Type::Float => Const::Float(bits),
        Type::Single => Const::Single(bits as u32),
        Type::Cond => Const::Cond(bits != 0),
    }
}

fn float(bits: u64) -> f64 {
    f64::from_bits(bits)
}

fn single(bits: u32) -> f32 {
    f32::from_bits(bits)
}

fn one(op: Op, a: Const) -> Option<Const> {
    use Const::{Cond, Float, Single, Word};
    Some(match (op, a) {
        (Op::IntUnary(op), Word(a)) => Word(int_unary_op(op, a)),
        (Op::FloatUnary(op), Float(a)) => Float(float_unary_op(op, float(a)).to_bits()),
        (Op::SingleUnary(op), Single(a)) => Single(single_unary_op(op, single(a)).to_bits()),
        (Op::CondWord, Cond(a)) => Word(i64::from(a)),
        (Op::Not, Cond(a)) => Cond(!a),
        (Op::IntToFloat(true), Word(a)) => Float((a as f64).to_bits()),
        (Op::IntToFloat(false), Word(a)) => Float((a as u64 as f64).to_bits()),
        (Op::IntToSingle(true), Word(a)) => Single((a as f32).to_bits()),
        (Op::IntToSingle(false), Word(a)) => Single((a as u64 as f32).to_bits()),
        (Op::SingleToFloat, Single(a)) => Float(f64::from(single(a)).to_bits()),
        (Op::FloatToSingle, Float(a)) => Single((float(a) as f32).to_bits()),
        (Op::FloatToInt(kind), Float(a)) => Word(float_to_int(kind, float(a))),
        (Op::FloatBits, Float(a)) => Word(if float(a).is_nan() { NAN_F64 } else { a } as i64),
        (Op::SingleBits, Single(a)) => Word(i64::from(if single(a).is_nan() { NAN_F32 } else { a })),
        (Op::BitsFloat, Word(a)) => Float(a as u64),
        (Op::BitsSingle, Word(a)) => Single(a as u32),
        (Op::Reread(ty), a) => reread(ty, bits(a)),
        _ => return None,
    })
}

fn two(op: Op, a: Const, b: Const) -> Option<Const> {
    use Const::{Cond, Float, Single, Word};
    Some(match (op, a, b) {
        (Op::Int(op), Word(a), Word(b)) => Word(int_op(op, a, b)),
        (Op::Compare(op), Word(a), Word(b)) => Cond(int_compare(op, a, b)),
        (Op::Float(op), Float(a), Float(b)) => Float(float_op(op, float(a), float(b)).to_bits()),
        (Op::FloatCompare(op), Float(a), Float(b)) => Cond(float_compare(op, float(a), float(b))),
        (Op::Single(op), Single(a), Single(b)) => Single(single_op(op, single(a), single(b)).to_bits()),
        (Op::SingleCompare(op), Single(a), Single(b)) => Cond(single_compare(op, single(a), single(b))),
        (Op::Element { stride, offset }, Word(base), Word(index)) => {
            Word(base.wrapping_add(index.wrapping_mul(i64::from(stride))).wrapping_add(i64::from(offset)))
        }
        _ => return None,
    })
}

/// The value of a pure operation, one operand or two. None for operands of other types than it takes.
pub fn value(op: Op, a: Const, b: Option<Const>) -> Option<Const> {
    match b {
        None => one(op, a),
        Some(b) => two(op, a, b),
    }
}

#[cfg(test)]
mod tests {
    use scaly_interp::machine::{FloatOp, IntKind, IntOp, IntUnary};

    use super::*;

    #[test]
    fn computes_as_the_interpreter_does() {
        let word = |op, a, b| value(Op::Int(op), Const::Word(a), Some(Const::Word(b)));
        assert_eq!(word(IntOp::Add, i64::MAX, 1), Some(Const::Word(i64::MIN)));
        assert_eq!(word(IntOp::DivS, i64::MIN, -1), Some(Const::Word(i64::MIN)));
        assert_eq!(word(IntOp::DivS, 1, 0), Some(Const::Word(0)));
        assert_eq!(word(IntOp::Shl, 1, 65), Some(Const::Word(2)));
        let wrap = value(Op::IntUnary(IntUnary::Wrap(IntKind::I8)), Const::Word(200), None);
        assert_eq!(wrap, Some(Const::Word(-56)));
        let zero = Const::Float(0);
        let minus_zero = Const::Float((-0.0f64).to_bits());
        assert_eq!(value(Op::Float(FloatOp::Min), minus_zero, Some(zero)), Some(minus_zero));
        assert_eq!(value(Op::FloatBits, Const::Float(f64::NAN.to_bits() | 1), None), Some(Const::Word(NAN_F64 as i64)));
    }

    #[test]
    fn a_single_lies_in_the_low_half() {
        let bits = 1.5f32.to_bits();
        let word = value(Op::Reread(Type::Word), Const::Single(bits), None);
        assert_eq!(word, Some(Const::Word(i64::from(bits))));
        let high = Const::Word(-1 << 32 | i64::from(bits));
        assert_eq!(value(Op::Reread(Type::Single), high, None), Some(Const::Single(bits)));
        assert_eq!(value(Op::Not, high, None), None);
    }
}
