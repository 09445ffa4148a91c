//! Arithmetic on constants, as the interpreter does it.
//!
//! Only what the walker needs to see where a branch or a call of a constant leads; division is left to who optimizes.

use scaly_interp::machine::{IntCompare, IntKind, IntOp, IntUnary};

pub fn int(op: IntOp, a: i64, b: i64) -> Option<i64> {
    Some(match op {
        IntOp::Add => a.wrapping_add(b),
        IntOp::Sub => a.wrapping_sub(b),
        IntOp::Mul => a.wrapping_mul(b),
        IntOp::And => a & b,
        IntOp::Or => a | b,
        IntOp::Xor => a ^ b,
        IntOp::Shl => a.wrapping_shl(b as u32),
        IntOp::ShrS => a.wrapping_shr(b as u32),
        IntOp::ShrU => (a as u64).wrapping_shr(b as u32) as i64,
        IntOp::MinS => a.min(b),
        IntOp::MaxS => a.max(b),
        IntOp::MinU => (a as u64).min(b as u64) as i64,
        IntOp::MaxU => (a as u64).max(b as u64) as i64,
        IntOp::DivS | IntOp::DivU | IntOp::RemS | IntOp::RemU | IntOp::MulHighU => return None,
    })
}

/// Wraps to a narrow kind, extended by its own sign.
pub fn wrap(kind: IntKind, a: i64) -> i64 {
    match kind {
        IntKind::I8 => i64::from(a as i8),
        IntKind::I16 => i64::from(a as i16),
        IntKind::I32 => i64::from(a as i32),
        IntKind::U8 => i64::from(a as u8),
        IntKind::U16 => i64::from(a as u16),
        IntKind::U32 => i64::from(a as u32),
        IntKind::I64 | IntKind::U64 => a,
    }
}

pub fn int_unary(op: IntUnary, a: i64) -> Option<i64> {
    Some(match op {
        IntUnary::Neg => a.wrapping_neg(),
        IntUnary::Not => !a,
        IntUnary::Wrap(kind) => wrap(kind, a),
        IntUnary::AbsS | IntUnary::PopCount | IntUnary::LeadingZeros | IntUnary::TrailingZeros => return None,
    })
}

pub fn compare(op: IntCompare, a: i64, b: i64) -> bool {
    match op {
        IntCompare::Eq => a == b,
        IntCompare::Ne => a != b,
        IntCompare::LtS => a < b,
        IntCompare::LeS => a <= b,
        IntCompare::LtU => (a as u64) < b as u64,
        IntCompare::LeU => a as u64 <= b as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_and_masks() {
        assert_eq!(int(IntOp::Add, i64::MAX, 1), Some(i64::MIN));
        assert_eq!(int(IntOp::Shl, 1, 65), Some(2));
        assert_eq!(int(IntOp::ShrU, -1, 63), Some(1));
        assert_eq!(int(IntOp::DivS, 4, 2), None);
        assert_eq!(int_unary(IntUnary::Wrap(IntKind::I8), 200), Some(-56));
        assert_eq!(int_unary(IntUnary::Wrap(IntKind::U8), -1), Some(255));
        assert!(compare(IntCompare::LtU, 1, -1) && !compare(IntCompare::LtS, 1, -1));
    }
}
