//! The algebra: laws by which an operation is replaced by a simpler one.
//!
//! A rule is its law, nothing else: the left side is what is matched, the right side what is computed instead. The same
//! terms are what the tests prove, the laws of integers for all values of 8 bits, so no rule has code that could differ
//! from its law. Letters from `x` on stand for any value, `c` and `d` for any constant, `p` for any condition. `W` is the
//! width of a word and `V` that less one; operations on constants are folded, so the right side may compute constants.
//! Behind `if` stand conditions on the constants; `(nonneg x)` asks what is known of the value's range. Operands of
//! operations that commute match either way; constants have been moved to their right side before.
//!
//! NaN bits are invisible to programs (`f64.bits` gives the canonical ones), so a law of floats may change them:
//! `x * 1.0` is `x` though it would make a signaling NaN quiet. It may change nothing else: `x + 0.0` is not `x`, for
//! `-0.0`.
//!
//! The tables are constants of the program. (Read from text when first needed they cost the first trace 6 ms.)

use scaly_interp::machine::{FloatCompare, FloatOp, FloatUnary, IntCompare, IntKind, IntOp, IntUnary};

use crate::region::Op;
use crate::trace::Const;

/// One side of a law, or a part of one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Term {
    /// Any value, by the number of its letter.
    Any(usize),
    /// Any constant.
    AnyConst(usize),
    Const(Const),
    /// The width of a word, less this.
    Width(i64),
    /// Whether a value is known not to be negative.
    NonNegative(usize),
    Op(Op, &'static [Term]),
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rule {
    pub left: Term,
    pub right: Term,
    pub conditions: &'static [Term],
    #[cfg(test)]
    pub law: &'static str,
}

/// Letters that may stand in a law.
pub const LETTERS: usize = 6;

/// An operation by its name, `.` written `_`.
#[rustfmt::skip]
macro_rules! op {
    (abs_s) => { Op::IntUnary(IntUnary::AbsS) };
    (add) => { Op::Int(IntOp::Add) };
    (and) => { Op::Int(IntOp::And) };
    (ctz) => { Op::IntUnary(IntUnary::TrailingZeros) };
    (div_s) => { Op::Int(IntOp::DivS) };
    (div_u) => { Op::Int(IntOp::DivU) };
    (eq) => { Op::Compare(IntCompare::Eq) };
    (f32_abs) => { Op::SingleUnary(FloatUnary::Abs) };
    (f32_add) => { Op::Single(FloatOp::Add) };
    (f32_div) => { Op::Single(FloatOp::Div) };
    (f32_eq) => { Op::SingleCompare(FloatCompare::Eq) };
    (f32_from_f64) => { Op::FloatToSingle };
    (f32_max) => { Op::Single(FloatOp::Max) };
    (f32_min) => { Op::Single(FloatOp::Min) };
    (f32_mul) => { Op::Single(FloatOp::Mul) };
    (f32_ne) => { Op::SingleCompare(FloatCompare::Ne) };
    (f32_neg) => { Op::SingleUnary(FloatUnary::Neg) };
    (f32_sub) => { Op::Single(FloatOp::Sub) };
    (f64_abs) => { Op::FloatUnary(FloatUnary::Abs) };
    (f64_add) => { Op::Float(FloatOp::Add) };
    (f64_bits) => { Op::FloatBits };
    (f64_ceil) => { Op::FloatUnary(FloatUnary::Ceil) };
    (f64_div) => { Op::Float(FloatOp::Div) };
    (f64_eq) => { Op::FloatCompare(FloatCompare::Eq) };
    (f64_floor) => { Op::FloatUnary(FloatUnary::Floor) };
    (f64_from_f32) => { Op::SingleToFloat };
    (f64_from_s) => { Op::IntToFloat(true) };
    (f64_max) => { Op::Float(FloatOp::Max) };
    (f64_min) => { Op::Float(FloatOp::Min) };
    (f64_mul) => { Op::Float(FloatOp::Mul) };
    (f64_ne) => { Op::FloatCompare(FloatCompare::Ne) };
    (f64_neg) => { Op::FloatUnary(FloatUnary::Neg) };
    (f64_round) => { Op::FloatUnary(FloatUnary::Round) };
    (f64_sub) => { Op::Float(FloatOp::Sub) };
    (f64_trunc) => { Op::FloatUnary(FloatUnary::Trunc) };
    (invert) => { Op::IntUnary(IntUnary::Not) };
    (le_s) => { Op::Compare(IntCompare::LeS) };
    (le_u) => { Op::Compare(IntCompare::LeU) };
    (lt_s) => { Op::Compare(IntCompare::LtS) };
    (lt_u) => { Op::Compare(IntCompare::LtU) };
    (max_s) => { Op::Int(IntOp::MaxS) };
    (max_u) => { Op::Int(IntOp::MaxU) };
    (min_s) => { Op::Int(IntOp::MinS) };
    (min_u) => { Op::Int(IntOp::MinU) };
    (mul) => { Op::Int(IntOp::Mul) };
    (mul_high_u) => { Op::Int(IntOp::MulHighU) };
    (ne) => { Op::Compare(IntCompare::Ne) };
    (neg) => { Op::IntUnary(IntUnary::Neg) };
    (not) => { Op::Not };
    (or) => { Op::Int(IntOp::Or) };
    (popcount) => { Op::IntUnary(IntUnary::PopCount) };
    (rem_s) => { Op::Int(IntOp::RemS) };
    (rem_u) => { Op::Int(IntOp::RemU) };
    (shl) => { Op::Int(IntOp::Shl) };
    (shr_s) => { Op::Int(IntOp::ShrS) };
    (shr_u) => { Op::Int(IntOp::ShrU) };
    (sub) => { Op::Int(IntOp::Sub) };
    (word) => { Op::CondWord };
    (xor) => { Op::Int(IntOp::Xor) };
}

macro_rules! term {
    (c) => { Term::AnyConst(0) };
    (d) => { Term::AnyConst(1) };
    (p) => { Term::Any(2) };
    (x) => { Term::Any(3) };
    (y) => { Term::Any(4) };
    (z) => { Term::Any(5) };
    (W) => { Term::Width(0) };
    (V) => { Term::Width(1) };
    (true) => { Term::Const(Const::Cond(true)) };
    (false) => { Term::Const(Const::Cond(false)) };
    (f64_zero) => { Term::Const(Const::Float(0.0_f64.to_bits())) };
    (f64_minus_zero) => { Term::Const(Const::Float((-0.0_f64).to_bits())) };
    (f64_one) => { Term::Const(Const::Float(1.0_f64.to_bits())) };
    (f64_minus_one) => { Term::Const(Const::Float((-1.0_f64).to_bits())) };
    (f32_zero) => { Term::Const(Const::Single(0.0_f32.to_bits())) };
    (f32_minus_zero) => { Term::Const(Const::Single((-0.0_f32).to_bits())) };
    (f32_one) => { Term::Const(Const::Single(1.0_f32.to_bits())) };
    (f32_minus_one) => { Term::Const(Const::Single((-1.0_f32).to_bits())) };
    ((nonneg x)) => { Term::NonNegative(3) };
    ((-$number:literal)) => { Term::Const(Const::Word(-$number)) };
    (($op:ident $($operand:tt)+)) => { Term::Op(op!($op), &[$(term!($operand)),+]) };
    ($number:literal) => { Term::Const(Const::Word($number)) };
}
#[cfg(test)]
pub(super) use {op, term};

macro_rules! rule {
    ($left:tt => $right:tt $(if [$($condition:tt)+])?) => {
        const { Rule {
            left: term!($left),
            right: term!($right),
            conditions: &[$($(term!($condition)),+)?],
            #[cfg(test)]
            law: stringify!($left => $right $(if $($condition)+)?),
        } }
    };
}
#[cfg(test)]
pub(super) use rule;

macro_rules! table {
    ($($op:ident { $($left:tt => $right:tt $(if [$($condition:tt)+])?;)* })*) => {
        /// The rules for an operation. The first that matches is taken.
        pub fn rules(op: Op) -> &'static [Rule] {
            match op {
                $(op!($op) => const { &[$(rule!($left => $right $(if [$($condition)+])?)),*] },)*
                _ => &[],
            }
        }

        /// All operations that there are rules for, and their names.
        #[cfg(test)]
        pub const RULED: &[(Op, &str)] = &[$((op!($op), stringify!($op))),*];
    };
}

// Alphabetical. Of an operation, special laws stand before others.
table! {
    abs_s {
        (abs_s (abs_s x)) => (abs_s x);
        (abs_s (neg x)) => (abs_s x);
    }
    add {
        (add x 0) => x;
        (add x (neg y)) => (sub x y);
        (add x (sub y x)) => y;
        (add (add x c) d) => (add x (add c d));
        (add (sub c x) d) => (sub (add c d) x);
    }
    and {
        (and x 0) => 0;
        (and x (-1)) => x;
        (and x x) => x;
        (and x (and x y)) => (and x y);
        (and x (invert x)) => 0;
        (and (and x c) d) => (and x (and c d));
    }
    div_s {
        (div_s x 1) => x;
        (div_s x (-1)) => (neg x);
        (div_s x c) => (shr_u x (ctz c)) if [(nonneg x) (eq (popcount c) 1) (lt_s 0 c)];
        (div_s x c) => (shr_s (add x (shr_u (shr_s x V) (sub W (ctz c)))) (ctz c))
            if [(eq (popcount c) 1) (lt_s 1 c)];
    }
    div_u {
        (div_u x c) => (shr_u x (ctz c)) if [(eq (popcount c) 1)];
    }
    eq {
        (eq x x) => true;
        (eq (add x c) d) => (eq x (sub d c));
        (eq (invert x) c) => (eq x (invert c));
        (eq (neg x) c) => (eq x (neg c));
        (eq (sub c x) d) => (eq x (sub c d));
        // What is left of the signed remainder by a power of two, compared with 0: the sign does not matter.
        (eq (sub x (and (add x (shr_u (shr_s x V) d)) c)) 0) => (eq (and x (invert c)) 0)
            if [(eq (popcount (neg c)) 1) (eq (add (ctz c) d) W) (lt_u d W)];
        (eq (sub x y) 0) => (eq x y);
        (eq (word p) 0) => (not p);
        (eq (word p) 1) => p;
        (eq (xor x c) d) => (eq x (xor c d));
        (eq (xor x y) 0) => (eq x y);
    }
    f32_abs {
        (f32_abs (f32_abs x)) => (f32_abs x);
        (f32_abs (f32_neg x)) => (f32_abs x);
    }
    f32_add {
        (f32_add x f32_minus_zero) => x;
        (f32_add x (f32_neg y)) => (f32_sub x y);
    }
    f32_div {
        (f32_div x f32_one) => x;
    }
    f32_from_f64 {
        (f32_from_f64 (f64_from_f32 x)) => x;
    }
    f32_max {
        (f32_max x x) => x;
    }
    f32_min {
        (f32_min x x) => x;
    }
    f32_mul {
        (f32_mul x f32_one) => x;
        (f32_mul x f32_minus_one) => (f32_neg x);
    }
    f32_neg {
        (f32_neg (f32_neg x)) => x;
    }
    f32_sub {
        (f32_sub x f32_zero) => x;
        (f32_sub x (f32_neg y)) => (f32_add x y);
    }
    f64_abs {
        (f64_abs (f64_abs x)) => (f64_abs x);
        (f64_abs (f64_neg x)) => (f64_abs x);
    }
    f64_add {
        (f64_add x f64_minus_zero) => x;
        (f64_add x (f64_neg y)) => (f64_sub x y);
    }
    f64_ceil {
        (f64_ceil (f64_from_s x)) => (f64_from_s x);
    }
    f64_div {
        // By a power of two whose reciprocal is exact: the mantissa is 0, neither exponent is of a subnormal.
        (f64_div x c) => (f64_mul x (f64_div f64_one c))
            if [(eq (shl (f64_bits c) 12) 0) (lt_u (sub (and (shr_u (f64_bits c) 52) 2047) 1) 2045)];
    }
    f64_floor {
        (f64_floor (f64_from_s x)) => (f64_from_s x);
    }
    f64_max {
        (f64_max x x) => x;
    }
    f64_min {
        (f64_min x x) => x;
    }
    f64_mul {
        (f64_mul x f64_one) => x;
        (f64_mul x f64_minus_one) => (f64_neg x);
    }
    f64_neg {
        (f64_neg (f64_neg x)) => x;
    }
    f64_round {
        (f64_round (f64_from_s x)) => (f64_from_s x);
    }
    f64_sub {
        (f64_sub x f64_zero) => x;
        (f64_sub x (f64_neg y)) => (f64_add x y);
    }
    f64_trunc {
        (f64_trunc (f64_from_s x)) => (f64_from_s x);
    }
    invert {
        (invert (invert x)) => x;
    }
    le_s {
        (le_s x x) => true;
    }
    le_u {
        (le_u x x) => true;
        (le_u x 0) => (eq x 0);
        (le_u x (-1)) => true;
        (le_u 0 x) => true;
    }
    lt_s {
        (lt_s x x) => false;
    }
    lt_u {
        (lt_u x x) => false;
        (lt_u x 0) => false;
        (lt_u x 1) => (eq x 0);
        (lt_u 0 x) => (ne x 0);
        (lt_u (-1) x) => false;
    }
    max_s {
        (max_s x x) => x;
        (max_s (max_s x c) d) => (max_s x (max_s c d));
    }
    max_u {
        (max_u x x) => x;
    }
    min_s {
        (min_s x x) => x;
        (min_s (min_s x c) d) => (min_s x (min_s c d));
    }
    min_u {
        (min_u x x) => x;
    }
    mul {
        (mul x 0) => 0;
        (mul x 1) => x;
        (mul x (-1)) => (neg x);
        (mul x c) => (shl x (ctz c)) if [(eq (popcount c) 1)];
        (mul (mul x c) d) => (mul x (mul c d));
        (mul (neg x) c) => (mul x (neg c));
        (mul (shl x c) d) => (mul x (shl d c));
    }
    mul_high_u {
        (mul_high_u x 0) => 0;
        (mul_high_u x 1) => 0;
    }
    ne {
        (ne x x) => false;
        (ne (add x c) d) => (ne x (sub d c));
        (ne (invert x) c) => (ne x (invert c));
        (ne (neg x) c) => (ne x (neg c));
        (ne (sub c x) d) => (ne x (sub c d));
        (ne (sub x (and (add x (shr_u (shr_s x V) d)) c)) 0) => (ne (and x (invert c)) 0)
            if [(eq (popcount (neg c)) 1) (eq (add (ctz c) d) W) (lt_u d W)];
        (ne (sub x y) 0) => (ne x y);
        (ne (word p) 0) => p;
        (ne (word p) 1) => (not p);
        (ne (xor x c) d) => (ne x (xor c d));
        (ne (xor x y) 0) => (ne x y);
    }
    neg {
        (neg (neg x)) => x;
        (neg (sub x y)) => (sub y x);
    }
    not {
        (not (eq x y)) => (ne x y);
        (not (f32_eq x y)) => (f32_ne x y);
        (not (f32_ne x y)) => (f32_eq x y);
        (not (f64_eq x y)) => (f64_ne x y);
        (not (f64_ne x y)) => (f64_eq x y);
        (not (le_s x y)) => (lt_s y x);
        (not (le_u x y)) => (lt_u y x);
        (not (lt_s x y)) => (le_s y x);
        (not (lt_u x y)) => (le_u y x);
        (not (ne x y)) => (eq x y);
        (not (not p)) => p;
    }
    or {
        (or x 0) => x;
        (or x (-1)) => (-1);
        (or x x) => x;
        (or x (or x y)) => (or x y);
        (or (or x c) d) => (or x (or c d));
    }
    rem_s {
        (rem_s x 1) => 0;
        (rem_s x (-1)) => 0;
        (rem_s x c) => (and x (sub c 1)) if [(nonneg x) (eq (popcount c) 1) (lt_s 0 c)];
        (rem_s x c) => (sub x (and (add x (shr_u (shr_s x V) (sub W (ctz c)))) (neg c)))
            if [(eq (popcount c) 1) (lt_s 1 c)];
    }
    rem_u {
        (rem_u x c) => (and x (sub c 1)) if [(eq (popcount c) 1)];
    }
    shl {
        (shl x 0) => x;
        (shl x c) => (shl x (and c V)) if [(lt_u V c)];
        (shl (shl x c) d) => (shl x (add c d)) if [(lt_u c W) (lt_u d W) (lt_u (add c d) W)];
        (shl (shl x c) d) => 0 if [(lt_u c W) (lt_u d W) (lt_u V (add c d))];
        (shl (shr_s x c) c) => (and x (shl (-1) c));
        (shl (shr_u x c) c) => (and x (shl (-1) c));
    }
    shr_s {
        (shr_s x 0) => x;
        (shr_s x c) => (shr_s x (and c V)) if [(lt_u V c)];
        (shr_s (shr_s x c) d) => (shr_s x (min_u (add c d) V)) if [(lt_u c W) (lt_u d W)];
    }
    shr_u {
        (shr_u x 0) => x;
        (shr_u x c) => (shr_u x (and c V)) if [(lt_u V c)];
        (shr_u (shl x c) c) => (and x (shr_u (-1) c));
        (shr_u (shr_u x c) d) => (shr_u x (add c d)) if [(lt_u c W) (lt_u d W) (lt_u (add c d) W)];
        (shr_u (shr_u x c) d) => 0 if [(lt_u c W) (lt_u d W) (lt_u V (add c d))];
    }
    sub {
        (sub x c) => (add x (neg c));
        (sub x x) => 0;
        (sub x (add x y)) => (neg y);
        (sub x (neg y)) => (add x y);
        (sub x (sub x y)) => y;
        (sub 0 x) => (neg x);
        (sub c (add x d)) => (sub (sub c d) x);
        (sub c (sub d x)) => (add x (sub c d));
        (sub (add x y) x) => y;
        (sub (add x c) (add x d)) => (sub c d);
        (sub (sub x y) x) => (neg y);
    }
    xor {
        (xor x 0) => x;
        (xor x (-1)) => (invert x);
        (xor x x) => 0;
        (xor x (xor x y)) => y;
        (xor (word p) 1) => (word (not p));
        (xor (xor x c) d) => (xor x (xor c d));
    }
}

/// Whether operands may be exchanged. NaN bits are not told apart.
pub fn commutes(op: Op) -> bool {
    match op {
        Op::Int(op) => matches!(
            op,
            IntOp::Add
                | IntOp::Mul
                | IntOp::And
                | IntOp::Or
                | IntOp::Xor
                | IntOp::MinS
                | IntOp::MaxS
                | IntOp::MinU
                | IntOp::MaxU
                | IntOp::MulHighU
        ),
        Op::Compare(op) => matches!(op, IntCompare::Eq | IntCompare::Ne),
        Op::Float(op) | Op::Single(op) => matches!(op, FloatOp::Add | FloatOp::Mul),
        Op::FloatCompare(op) | Op::SingleCompare(op) => matches!(op, FloatCompare::Eq | FloatCompare::Ne),
        _ => false,
    }
}

/// Bits of a kind in memory.
pub fn kind_bits(kind: IntKind) -> u32 {
    match kind {
        IntKind::I8 | IntKind::U8 => 8,
        IntKind::I16 | IntKind::U16 => 16,
        IntKind::I32 | IntKind::U32 => 32,
        IntKind::I64 | IntKind::U64 => 64,
    }
}
