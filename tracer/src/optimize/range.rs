//! Between which bounds a word lies.

use scaly_interp::machine::{IntKind, IntMemory, IntOp, IntUnary};

use super::Builder;
use crate::region::{Op, Type};
use crate::trace::{self, Const, Ref};

/// From `low` to `high`, signed, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    pub low: i64,
    pub high: i64,
}

/// Operations looked through for a range.
const DEPTH: u32 = 6;

impl Range {
    pub const ALL: Range = Range { low: i64::MIN, high: i64::MAX };

    pub const fn new(low: i64, high: i64) -> Range {
        Range { low, high }
    }

    pub const fn of_kind(kind: IntKind) -> Range {
        match kind {
            IntKind::I8 => Range::new(i8::MIN as i64, i8::MAX as i64),
            IntKind::I16 => Range::new(i16::MIN as i64, i16::MAX as i64),
            IntKind::I32 => Range::new(i32::MIN as i64, i32::MAX as i64),
            IntKind::U8 => Range::new(0, u8::MAX as i64),
            IntKind::U16 => Range::new(0, u16::MAX as i64),
            IntKind::U32 => Range::new(0, u32::MAX as i64),
            IntKind::I64 | IntKind::U64 => Range::ALL,
        }
    }

    pub const fn of_memory(kind: IntMemory) -> Range {
        Range::of_kind(match kind {
            IntMemory::I8 => IntKind::I8,
            IntMemory::U8 => IntKind::U8,
            IntMemory::I16 => IntKind::I16,
            IntMemory::U16 => IntKind::U16,
            IntMemory::I32 => IntKind::I32,
            IntMemory::U32 => IntKind::U32,
            IntMemory::I64 => IntKind::I64,
        })
    }

    /// Whether wrapping to a kind changes nothing.
    pub fn fits(self, kind: IntKind) -> bool {
        let kind = Range::of_kind(kind);
        kind.low <= self.low && self.high <= kind.high
    }

    pub fn constant(self) -> Option<i64> {
        (self.low == self.high).then_some(self.low)
    }

    /// What lies in both; any of them where nothing does (that code never runs).
    pub fn and(self, other: Range) -> Range {
        let both = Range::new(self.low.max(other.low), self.high.min(other.high));
        if both.low <= both.high { both } else { self }
    }

    /// What lies in either, and between them.
    pub fn or(self, other: Range) -> Range {
        Range::new(self.low.min(other.low), self.high.max(other.high))
    }

    /// Of the results of an operation for all operands in these ranges; `operand` gives those of its operands. All for what
    /// is no word.
    pub fn of_op(op: Op, operand: impl Fn(usize) -> Range) -> Range {
        match op {
            Op::Const(value) => Range::new(value, value),
            Op::Int(op) => of_int(op, operand(0), operand(1)),
            Op::IntUnary(IntUnary::Wrap(kind)) => {
                let range = operand(0);
                if range.fits(kind) { range } else { Range::of_kind(kind) }
            }
            Op::IntUnary(IntUnary::PopCount | IntUnary::LeadingZeros | IntUnary::TrailingZeros) => Range::new(0, 64),
            Op::IntUnary(IntUnary::Neg) => Range::new(0, 0).corners(operand(0), i64::checked_sub),
            Op::IntUnary(IntUnary::AbsS) => of_abs(operand(0)),
            Op::CondWord => Range::new(0, 1),
            Op::FloatToInt(kind) => Range::of_kind(kind),
            Op::SingleBits => Range::of_kind(IntKind::U32),
            Op::LoadInt(kind, _) => Range::of_memory(kind),
            Op::Capacity => Range::new(0, i64::MAX),
            _ => Range::ALL,
        }
    }

    /// Of the results for all corners, if none wraps.
    fn corners(self, other: Range, op: impl Fn(i64, i64) -> Option<i64>) -> Range {
        let corner = |a, b| op(a, b);
        let all = [
            corner(self.low, other.low),
            corner(self.low, other.high),
            corner(self.high, other.low),
            corner(self.high, other.high),
        ];
        let mut range: Option<Range> = None;
        for corner in all {
            let Some(value) = corner else { return Range::ALL };
            let old = range.unwrap_or(Range::new(value, value));
            range = Some(Range::new(old.low.min(value), old.high.max(value)));
        }
        range.unwrap_or(Range::ALL)
    }
}

impl Builder {
    /// What is known of a word, from how it is computed and from guards.
    pub(super) fn range(&self, r: Ref) -> Range {
        self.range_within(r, DEPTH, true)
    }

    /// What is known of a word from how it is computed alone: without any guard.
    pub(super) fn computed_range(&self, r: Ref) -> Range {
        self.range_within(r, DEPTH, false)
    }

    fn range_within(&self, r: Ref, depth: u32, guards: bool) -> Range {
        if let Some(constant) = self.trace.constant(r) {
            return match constant {
                Const::Word(value) => Range::new(value, value),
                _ => Range::ALL,
            };
        }
        let guarded = if guards { self.facts.range(r) } else { Range::ALL };
        let inner = |r| self.range_within(r, depth - 1, guards);
        let trace::Inst { op: trace::Op::Common(op), a, b, .. } = *self.trace.inst(r) else { return guarded };
        if depth == 0 || op.shape().is_none_or(|(_, result)| result != Some(Type::Word)) {
            return guarded;
        }
        Range::of_op(op, |n| inner(if n == 0 { a } else { b })).and(guarded)
    }
}

fn of_abs(range: Range) -> Range {
    let (Some(low), Some(high)) = (range.low.checked_abs(), range.high.checked_abs()) else { return Range::ALL };
    let least = if range.low <= 0 && range.high >= 0 { 0 } else { low.min(high) };
    Range::new(least, low.max(high))
}

/// Of the results for all operands in two ranges.
fn of_int(op: IntOp, a: Range, b: Range) -> Range {
    let natural = |range: Range| range.low >= 0;
    match op {
        IntOp::Add => a.corners(b, i64::checked_add),
        IntOp::Sub => a.corners(b, i64::checked_sub),
        IntOp::Mul => a.corners(b, i64::checked_mul),
        IntOp::MinS => Range::new(a.low.min(b.low), a.high.min(b.high)),
        IntOp::MaxS => Range::new(a.low.max(b.low), a.high.max(b.high)),
        IntOp::And if natural(a) && natural(b) => Range::new(0, a.high.min(b.high)),
        IntOp::And if natural(b) => Range::new(0, b.high),
        IntOp::And if natural(a) => Range::new(0, a.high),
        // No bit above the highest of either.
        IntOp::Or | IntOp::Xor if natural(a) && natural(b) => {
            Range::new(0, u64::MAX.checked_shr((a.high | b.high).leading_zeros()).unwrap_or(0) as i64)
        }
        IntOp::Shl => match b.constant().filter(|count| (0..63).contains(count)) {
            Some(count) => a.corners(Range::new(1 << count, 1 << count), i64::checked_mul),
            None => Range::ALL,
        },
        IntOp::ShrS => match b.constant().filter(|count| (0..64).contains(count)) {
            Some(count) => Range::new(a.low >> count, a.high >> count),
            None => Range::ALL,
        },
        IntOp::ShrU => match b.constant().filter(|count| (0..64).contains(count)) {
            Some(count) if natural(a) => Range::new(a.low >> count, a.high >> count),
            Some(count) if count > 0 => Range::new(0, (u64::MAX >> count) as i64),
            _ => Range::ALL,
        },
        IntOp::DivS => match b.constant().filter(|&divisor| divisor > 0) {
            Some(divisor) => Range::new(a.low / divisor, a.high / divisor),
            None => Range::ALL,
        },
        IntOp::RemS => match b.constant().filter(|&divisor| divisor > 0) {
            Some(divisor) if natural(a) => Range::new(0, a.high.min(divisor - 1)),
            Some(divisor) => Range::new(1 - divisor, divisor - 1),
            None => Range::ALL,
        },
        IntOp::RemU => match b.constant().filter(|&divisor| divisor > 0) {
            Some(divisor) => Range::new(0, divisor - 1),
            None => Range::ALL,
        },
        _ => Range::ALL,
    }
}

#[cfg(test)]
mod tests {
    use scaly_interp::interpreter::int_op;

    use super::super::testing::*;
    use super::*;

    const VALUES: [i64; 11] = [i64::MIN, i64::MIN + 1, -300, -8, -1, 0, 1, 3, 64, 300, i64::MAX];

    fn ranges() -> Vec<Range> {
        let from =
            |low: i64| VALUES.into_iter().filter(move |&high| low <= high).map(move |high| Range::new(low, high));
        VALUES.into_iter().flat_map(from).collect()
    }

    #[test]
    fn results_lie_in_the_range_of_the_results() {
        use IntOp::*;
        for op in [Add, Sub, Mul, DivS, DivU, RemS, RemU, And, Or, Xor, Shl, ShrS, ShrU, MinS, MaxS, MinU, MaxU] {
            for a in ranges() {
                for b in ranges() {
                    let range = of_int(op, a, b);
                    for x in VALUES.into_iter().filter(|&x| a.low <= x && x <= a.high) {
                        for y in VALUES.into_iter().filter(|&y| b.low <= y && y <= b.high) {
                            let z = int_op(op, x, y);
                            assert!(range.low <= z && z <= range.high, "{op:?} {a:?} {b:?}: {x} {y} {z} {range:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn absolute_values_lie_in_the_range_of_them() {
        for range in ranges() {
            let found = of_abs(range);
            for x in VALUES.into_iter().filter(|&x| range.low <= x && x <= range.high) {
                let z = x.wrapping_abs();
                assert!(found.low <= z && z <= found.high, "{range:?}: {x} {found:?}");
            }
        }
    }

    #[test]
    fn what_is_in_range_needs_no_wrap() {
        let text = "
            loop0 root
            k0: i64 = 100
            k1: i64 = 0
            v0: i64 = slot 0 @1
            v1: i64 = load.u8 v0 + 0 @1
            v2: i64 = add v1, v1 @1
            v3: i64 = wrap.i16 v2 @1
            v4: i64 = wrap.i8 v2 @1
            v5: bool = lt_u v0, k0 @1
            guard v5 true -> snap0 @1
            v7: i64 = wrap.i8 v0 @1
            v8: bool = lt_s v0, k1 @1
            v9: i64 = word v8 @1
            end leave snap1
            snap0 leave @1 ()
            snap1 leave @1 (3 = v3, 4 = v4, 7 = v7, 9 = v9)
        ";
        let trace = optimized(text);
        let found = trace.snapshots[1].to_string();
        assert_eq!(found, "leave @1 (3 = v2, 4 = v3, 7 = v0, 9 = k1)", "{trace}");
        assert_eq!(trace.constants[1], Const::Word(0));
    }
}
