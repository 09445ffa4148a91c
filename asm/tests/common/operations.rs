//! All operations of the machine, operands at their edges, and what the interpreter makes of them: for every compiler's
//! tests.
#![allow(dead_code, reason = "each test binary uses its part")]

use scaly_interp::interpreter::Native;
use scaly_interp::machine::{FloatCompare, FloatOp, FloatUnary, IntCompare, IntKind, IntOp, IntUnary, Machine};
use scaly_tracer::region::{Op, Type};

pub const WORDS: [i64; 33] = [
    0,
    1,
    2,
    3,
    5,
    7,
    8,
    9,
    24,
    63,
    64,
    65,
    100,
    127,
    128,
    255,
    256,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1234_5678_9abc_def0,
    i64::MAX,
    i64::MIN,
    i64::MIN + 1,
    -1,
    -2,
    -7,
    -128,
    -0x8000_0000,
    -0x8000_0001,
];

pub fn floats() -> Vec<u64> {
    let mut values: Vec<f64> = vec![
        0.0,
        0.49999999999999994,
        0.5,
        0.9999999999999999,
        1.0,
        1.5,
        2.5,
        127.5,
        128.0,
        255.9,
        256.0,
        32767.99,
        65536.0,
        2147483647.0,
        2147483648.0,
        4294967296.5,
        2251799813685248.5,
        4503599627370495.5,
        4503599627370497.0,
        9007199254740993.0,
        9223372036854774784.0,
        9223372036854775808.0,
        18446744073709549568.0,
        18446744073709551616.0,
        1e300,
        f64::MIN_POSITIVE,
        5e-324,
        f64::MAX,
        f64::INFINITY,
        3.3333333333333335,
    ];
    values.extend(values.clone().iter().map(|v| -v));
    let mut bits: Vec<u64> = values.into_iter().map(f64::to_bits).collect();
    bits.extend([f64::NAN.to_bits(), 0x7ff0_0000_0000_0001, 0xfff8_0000_0000_1234]);
    bits
}

pub fn singles() -> Vec<u64> {
    let mut values: Vec<f32> = vec![
        0.0,
        0.49999997,
        0.5,
        1.0,
        1.5,
        2.5,
        8388607.5,
        4194304.5,
        8388609.0,
        16777217.0,
        3.4e38,
        f32::MIN_POSITIVE,
        1e-45,
        f32::INFINITY,
        0.1,
    ];
    values.extend(values.clone().iter().map(|v| -v));
    let mut bits: Vec<u64> = values.into_iter().map(|v| u64::from(v.to_bits())).collect();
    bits.extend([u64::from(f32::NAN.to_bits()), 0x7f80_0001, 0xffc0_1234]);
    bits
}

/// The bits of all operands of a type.
pub fn values(ty: Type) -> Vec<u64> {
    match ty {
        Type::Word => WORDS.iter().map(|&v| v as u64).collect(),
        Type::Float => floats(),
        Type::Single => singles(),
        Type::Cond => vec![0, 1],
    }
}

/// All operations that compute.
pub fn operations() -> Vec<Op> {
    use IntOp::*;
    let ints = [Add, Sub, Mul, DivS, DivU, RemS, RemU, And, Or, Xor, Shl, ShrS, ShrU, MinS, MaxS, MinU, MaxU, MulHighU];
    let unaries = [
        IntUnary::Neg,
        IntUnary::Not,
        IntUnary::AbsS,
        IntUnary::PopCount,
        IntUnary::LeadingZeros,
        IntUnary::TrailingZeros,
    ];
    let floats = [FloatOp::Add, FloatOp::Sub, FloatOp::Mul, FloatOp::Div, FloatOp::Min, FloatOp::Max];
    let float_unaries = [
        FloatUnary::Neg,
        FloatUnary::Abs,
        FloatUnary::Sqrt,
        FloatUnary::Floor,
        FloatUnary::Ceil,
        FloatUnary::Trunc,
        FloatUnary::Round,
    ];
    let mut all: Vec<Op> = ints.map(Op::Int).to_vec();
    all.extend(unaries.map(Op::IntUnary));
    all.extend(IntKind::ALL.map(|kind| Op::IntUnary(IntUnary::Wrap(kind))));
    all.extend(floats.map(Op::Float));
    all.extend(floats.map(Op::Single));
    all.extend(float_unaries.map(Op::FloatUnary));
    all.extend(float_unaries.map(Op::SingleUnary));
    all.extend(IntKind::ALL.map(Op::FloatToInt));
    all.extend([true, false].map(Op::IntToFloat));
    all.extend([true, false].map(Op::IntToSingle));
    all.extend([Op::SingleToFloat, Op::FloatToSingle, Op::FloatBits, Op::SingleBits, Op::BitsFloat, Op::BitsSingle]);
    for stride in [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 40, 56, 72, 1 << 20, u32::MAX] {
        all.extend([0, 16, u32::MAX].map(|offset| Op::Element { stride, offset }));
    }
    all.extend(comparisons());
    all
}

pub fn comparisons() -> Vec<Op> {
    let ints = [IntCompare::Eq, IntCompare::Ne, IntCompare::LtS, IntCompare::LeS, IntCompare::LtU, IntCompare::LeU];
    let floats = [FloatCompare::Eq, FloatCompare::Ne, FloatCompare::Lt, FloatCompare::Le];
    let mut all = ints.map(Op::Compare).to_vec();
    all.extend(floats.map(Op::FloatCompare));
    all.extend(floats.map(Op::SingleCompare));
    all
}

/// An operation of the machine on the bits of its operands.
pub fn evaluated(op: Op, a: u64, b: u64) -> u64 {
    let mut m = Native::nowhere();
    let (ia, ib) = (a as i64, b as i64);
    let (fa, fb) = (f64::from_bits(a), f64::from_bits(b));
    let (sa, sb) = (f32::from_bits(a as u32), f32::from_bits(b as u32));
    let single = |value: f32| u64::from(value.to_bits());
    match op {
        Op::Int(op) => m.int(op, ia, ib) as u64,
        Op::IntUnary(op) => m.int_unary(op, ia) as u64,
        Op::Compare(op) => u64::from(m.compare(op, ia, ib)),
        Op::Float(op) => m.float_op(op, fa, fb).to_bits(),
        Op::FloatUnary(op) => m.float_unary(op, fa).to_bits(),
        Op::FloatCompare(op) => u64::from(m.float_compare(op, fa, fb)),
        Op::Single(op) => single(m.single_op(op, sa, sb)),
        Op::SingleUnary(op) => single(m.single_unary(op, sa)),
        Op::SingleCompare(op) => u64::from(m.single_compare(op, sa, sb)),
        Op::CondWord => a,
        Op::Not => a ^ 1,
        Op::IntToFloat(signed) => m.int_to_float(signed, ia).to_bits(),
        Op::IntToSingle(signed) => single(m.int_to_single(signed, ia)),
        Op::SingleToFloat => m.single_to_float(sa).to_bits(),
        Op::FloatToSingle => single(m.float_to_single(fa)),
        Op::FloatToInt(kind) => m.float_to_int(kind, fa) as u64,
        Op::FloatBits => m.float_bits(fa) as u64,
        Op::SingleBits => m.single_bits(sa) as u64,
        Op::BitsFloat => m.bits_float(ia).to_bits(),
        Op::BitsSingle => single(m.bits_single(ia)),
        Op::Element { stride, offset } => m.element(ia, ib, stride, offset) as u64,
        Op::LoadInt(kind, offset) => m.load_int(kind, ia, offset) as u64,
        Op::LoadFloat(offset) => m.load_float(ia, offset).to_bits(),
        Op::LoadSingle(offset) => single(m.load_single(ia, offset)),
        Op::StoreInt(kind, offset) => {
            m.store_int(kind, ia, offset, ib);
            0
        }
        Op::StoreFloat(offset) => {
            m.store_float(ia, offset, fb);
            0
        }
        Op::StoreSingle(offset) => {
            m.store_single(ia, offset, sb);
            0
        }
        Op::Capacity => m.capacity(ia) as u64,
        op => unreachable!("{op:?}"),
    }
}

/// Which of several NaNs an operation gives is not fixed; programs see one.
pub fn same(ty: Type, found: u64, expected: u64) -> bool {
    let nan = |bits: u64| match ty {
        Type::Float => f64::from_bits(bits).is_nan(),
        Type::Single => f32::from_bits(bits as u32).is_nan() && bits >> 32 == 0,
        _ => false,
    };
    found == expected || nan(found) && nan(expected)
}
