//! Words as sums of multiples of other words and a constant, modulo 2^64.
//!
//! The identity is exact, so two forms with the same parts differ by exactly the difference of their constants, whatever
//! wraps on the way.

use scaly_interp::machine::{IntOp, IntUnary};

use crate::region::Op;
use crate::trace::{self, Ref, Trace};

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Linear {
    /// Ascending, no factor is 0.
    pub parts: Vec<(Ref, i64)>,
    pub constant: i64,
}

/// Parts of a form; what has more is a part itself.
const PARTS: usize = 6;
/// Operations looked through.
const DEPTH: u32 = 12;

impl Linear {
    fn of_constant(constant: i64) -> Linear {
        Linear { parts: Vec::new(), constant }
    }

    fn of_part(r: Ref) -> Linear {
        Linear { parts: vec![(r, 1)], constant: 0 }
    }

    pub fn of(trace: &Trace, r: Ref) -> Linear {
        Self::within(trace, r, DEPTH)
    }

    fn within(trace: &Trace, r: Ref, depth: u32) -> Linear {
        if let Some(value) = trace.word(r) {
            return Linear::of_constant(value);
        }
        let trace::Inst { op: trace::Op::Common(op), a, b, .. } = *trace.inst(r) else { return Linear::of_part(r) };
        if depth == 0 {
            return Linear::of_part(r);
        }
        let form = |r| Self::within(trace, r, depth - 1);
        let sum = match op {
            Op::Int(IntOp::Add) => form(a).plus(&form(b), 1),
            Op::Int(IntOp::Sub) => form(a).plus(&form(b), -1),
            Op::Int(IntOp::Mul) => match trace.word(b) {
                Some(factor) => Linear::default().plus(&form(a), factor),
                None => return Linear::of_part(r),
            },
            Op::Int(IntOp::Shl) => match trace.word(b) {
                Some(count) => Linear::default().plus(&form(a), 1i64.wrapping_shl(count as u32)),
                None => return Linear::of_part(r),
            },
            Op::IntUnary(IntUnary::Neg) => Linear::default().plus(&form(a), -1),
            Op::Element { stride, offset } => {
                let mut sum = form(a).plus(&form(b), i64::from(stride));
                sum.constant = sum.constant.wrapping_add(i64::from(offset));
                sum
            }
            _ => return Linear::of_part(r),
        };
        if sum.parts.len() > PARTS { Linear::of_part(r) } else { sum }
    }

    /// This and a multiple of another.
    pub fn plus(mut self, other: &Linear, factor: i64) -> Linear {
        for &(r, n) in &other.parts {
            let n = n.wrapping_mul(factor);
            match self.parts.binary_search_by_key(&r, |part| part.0) {
                Ok(at) => self.parts[at].1 = self.parts[at].1.wrapping_add(n),
                Err(at) => self.parts.insert(at, (r, n)),
            }
        }
        self.parts.retain(|part| part.1 != 0);
        self.constant = self.constant.wrapping_add(other.constant.wrapping_mul(factor));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::parsed;
    use super::*;

    #[test]
    fn sums_are_those_of_their_parts() {
        let trace = parsed(
            "loop0 root
            k0: i64 = 3
            k1: i64 = -5
            v0: i64 = slot 0 @1
            v1: i64 = slot 1 @1
            v2: i64 = mul v0, k0 @1
            v3: i64 = add v2, k1 @1
            v4: i64 = sub v1, v3 @1
            v5: i64 = shl v4, k0 @1
            v6: i64 = element v0, v5 * 2 + 7 @1
            v7: i64 = mul v0, v1 @1
            v8: i64 = neg v7 @1
            v9: i64 = sub v6, v6 @1
            end return",
        );
        let form = |i: usize| Linear::of(&trace, Ref::instruction(i));
        let v = Ref::instruction;
        assert_eq!(form(4), Linear { parts: vec![(v(0), -3), (v(1), 1)], constant: 5 });
        assert_eq!(form(6), Linear { parts: vec![(v(0), 1 - 48), (v(1), 16)], constant: 87 });
        assert_eq!(form(8), Linear { parts: vec![(v(7), -1)], constant: 0 });
        assert_eq!(form(9), Linear::default());
    }
}
