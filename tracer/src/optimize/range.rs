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

    const fn of_memory(kind: IntMemory) -> Range {
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
        self.range_within(r, DEPTH)
    }

    fn range_within(&self, r: Ref, depth: u32) -> Range {
        if let Some(constant) = self.trace.constant(r) {
            return match constant {
                Const::Word(value) => Range::new(value, value),
                _ => Range::ALL,
            };
        }
        let guarded = self.facts.range(r);
        let trace::Inst { op: trace::Op::Common(op), a, b, .. } = *self.trace.inst(r) else { return guarded };
        if depth == 0 || op.shape().is_none_or(|(_, result)| result != Some(Type::Word)) {
            return guarded;
        }
        let computed = match op {
            Op::Int(op) => self.int_range(op, a, b, depth - 1),
            Op::IntUnary(IntUnary::Wrap(kind)) => {
                let inner = self.range_within(a, depth - 1);
                if inner.fits(kind) { inner } else { Range::of_kind(kind) }
            }
            Op::IntUnary(IntUnary::PopCount | IntUnary::LeadingZeros | IntUnary::TrailingZeros) => Range::new(0, 64),
            Op::IntUnary(IntUnary::Neg) => Range::new(0, 0).corners(self.range_within(a, depth - 1), i64::checked_sub),
            Op::CondWord => Range::new(0, 1),
            Op::FloatToInt(kind) => Range::of_kind(kind),
            Op::SingleBits => Range::of_kind(IntKind::U32),
            Op::LoadInt(kind, _) => Range::of_memory(kind),
            Op::Capacity => Range::new(0, i64::MAX),
            _ => Range::ALL,
        };
        computed.and(guarded)
    }

    fn int_range(&self, op: IntOp, a: Ref, b: Ref, depth: u32) -> Range {
        let (a, b) = (self.range_within(a, depth), self.range_within(b, depth));
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
}
