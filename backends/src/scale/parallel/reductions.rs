//! What iterations accumulate, in parts and together.

use scaly_interp::machine::{IntKind, IntOp, IntUnary};
use scaly_tracer::independence::{Combine, Reduction};
use scaly_tracer::region::{Region, Type};
use scaly_tracer::walker::{fold_int, fold_unary};

/// All that a loop accumulates.
pub struct Reductions(Vec<Reduced>);

/// A slot that accumulates, and those that are set with it.
struct Reduced {
    /// The slot itself first.
    slots: Vec<u16>,
    combine: Combine,
    narrow: Option<IntKind>,
    ty: Type,
}

impl Reductions {
    pub fn of(region: &Region, found: &[Reduction]) -> Reductions {
        let reduced = |reduction: &Reduction| Reduced {
            slots: std::iter::once(reduction.slot).chain(reduction.along.iter().copied()).collect(),
            combine: reduction.combine,
            narrow: reduction.narrow.map(|kind| kind.int()),
            ty: region.ty(reduction.param),
        };
        Reductions(found.iter().map(reduced).collect())
    }

    /// The slots: the words of a partial result in their order.
    pub fn slots(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().flat_map(|reduced| reduced.slots.iter().copied())
    }

    /// Whether what is wrapped as it accumulates is there as a value of its type. Where no iteration adds anything, another
    /// would stay as it is.
    pub fn begin_within(&self, initial: &[u64]) -> bool {
        let mut at = 0;
        self.0.iter().all(|reduced| {
            let word = initial[at] as i64;
            at += reduced.slots.len();
            reduced.narrow.is_none_or(|kind| fold_unary(IntUnary::Wrap(kind), word) == Some(word))
        })
    }

    /// What partial results begin with.
    pub fn identities(&self, initial: &[u64]) -> Vec<u64> {
        let mut words = initial.to_vec();
        let mut at = 0;
        for reduced in &self.0 {
            words[at] = identity(reduced.combine).unwrap_or(words[at]);
            at += reduced.slots.len();
        }
        words
    }

    /// Adds a partial result of later iterations.
    pub fn combine(&self, into: &mut [u64], partial: &[u64], initial: &[u64]) {
        let mut at = 0;
        for reduced in &self.0 {
            let words = at..at + reduced.slots.len();
            at = words.end;
            reduced.add(&mut into[words.clone()], &partial[words.clone()], initial[words.start]);
        }
    }
}

impl Reduced {
    fn add(&self, into: &mut [u64], partial: &[u64], initial: u64) {
        if let Some(op) = operation(self.combine) {
            let both = fold_int(op, into[0] as i64, partial[0] as i64);
            let wrapped = both.and_then(|v| self.narrow.map_or(Some(v), |kind| fold_unary(IntUnary::Wrap(kind), v)));
            into[0] = wrapped.map_or(into[0], |v| v as u64);
            return;
        }
        let better = match self.combine {
            Combine::Set => partial[0] != initial,
            Combine::Least | Combine::MinFloat | Combine::MinSingle => less(self.ty, partial[0], into[0]),
            _ => less(self.ty, into[0], partial[0]),
        };
        if better {
            into.copy_from_slice(partial);
        }
    }
}

/// Whether a slot's value is less than another's; no NaN is.
fn less(ty: Type, a: u64, b: u64) -> bool {
    match ty {
        Type::Float => f64::from_bits(a) < f64::from_bits(b),
        Type::Single => f32::from_bits(a as u32) < f32::from_bits(b as u32),
        Type::Word | Type::Cond => (a as i64) < b as i64,
    }
}

/// What changes nothing when it is combined; none where doing so twice is doing so once, and the value itself does.
fn identity(combine: Combine) -> Option<u64> {
    match combine {
        Combine::Sum | Combine::Or | Combine::Xor => Some(0),
        Combine::Product => Some(1),
        Combine::And => Some(u64::MAX),
        _ => None,
    }
}

/// Of integers that are combined by an operation.
fn operation(combine: Combine) -> Option<IntOp> {
    Some(match combine {
        Combine::Sum => IntOp::Add,
        Combine::Product => IntOp::Mul,
        Combine::And => IntOp::And,
        Combine::Or => IntOp::Or,
        Combine::Xor => IntOp::Xor,
        Combine::MinSigned => IntOp::MinS,
        Combine::MaxSigned => IntOp::MaxS,
        Combine::MinUnsigned => IntOp::MinU,
        Combine::MaxUnsigned => IntOp::MaxU,
        _ => return None,
    })
}
