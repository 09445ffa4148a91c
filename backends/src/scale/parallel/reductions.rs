//! What iterations accumulate, in parts and together.

use std::ops::{Add, Div, Mul, Sub};
use std::sync::{Mutex, MutexGuard, PoisonError};

use scaly_interp::machine::{FloatOp, IntKind, IntOp, IntUnary};
use scaly_tracer::independence::{Combine, Reduction, Update};
use scaly_tracer::region::{Region, Type};
use scaly_tracer::walker::{fold_int, fold_unary};

use super::gathered::Appended;

/// All that a loop accumulates.
pub struct Reductions {
    all: Vec<Reduced>,
    /// Where those accumulate whose order matters.
    sums: Vec<Vec<Update>>,
    /// Lists that no partial result needs, with memory that has been touched.
    spare: Mutex<Vec<Vec<u64>>>,
}

/// What some iterations in a row have accumulated.
pub struct Partial {
    /// By slot. Of sums whose order matters: what they come to, if these are the first iterations.
    words: Vec<u64>,
    /// Of each of these the terms, if they are others.
    terms: Option<Vec<Vec<u64>>>,
    pub appended: Appended,
}

impl Partial {
    /// By slot: what iterations that go on with it begin with.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    pub fn terms(&mut self) -> Option<&mut [Vec<u64>]> {
        self.terms.as_deref_mut()
    }
}

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
        let sums = found.iter().filter(|reduction| !reduction.updates.is_empty());
        Reductions {
            all: found.iter().map(reduced).collect(),
            sums: sums.map(|sum| sum.updates.clone()).collect(),
            spare: Mutex::default(),
        }
    }

    /// Where sums accumulate whose order matters.
    pub fn sums(&self) -> &[Vec<Update>] {
        &self.sums
    }

    /// Terms that an iteration adds at most, of all sums whose order matters.
    pub fn terms(&self) -> usize {
        self.sums.iter().map(Vec::len).sum()
    }

    /// The slots: the words of a partial result in their order.
    pub fn slots(&self) -> impl Iterator<Item = u16> + '_ {
        self.all.iter().flat_map(|reduced| reduced.slots.iter().copied())
    }

    /// Whether what is wrapped as it accumulates is there as a value of its type. Where no iteration adds anything, another
    /// would stay as it is.
    pub fn begin_within(&self, initial: &[u64]) -> bool {
        let mut at = 0;
        self.all.iter().all(|reduced| {
            let word = initial[at] as i64;
            at += reduced.slots.len();
            reduced.narrow.is_none_or(|kind| fold_unary(IntUnary::Wrap(kind), word) == Some(word))
        })
    }

    /// What iterations begin with whose results are combined with these.
    pub fn identities(&self, initial: &[u64]) -> Vec<u64> {
        let mut words = initial.to_vec();
        let mut at = 0;
        for reduced in &self.all {
            words[at] = identity(reduced.combine).unwrap_or(words[at]);
            at += reduced.slots.len();
        }
        words
    }

    /// A partial result of no iterations: of the first ones, or of any.
    pub fn first(&self, initial: &[u64], appended: Appended) -> Partial {
        Partial { words: self.identities(initial), terms: None, appended }
    }

    pub fn later(&self, initial: &[u64], appended: Appended) -> Partial {
        let terms = if self.sums.is_empty() {
            Vec::new()
        } else {
            let mut spare = self.spare();
            self.sums.iter().map(|_| spare.pop().unwrap_or_default()).collect()
        };
        Partial { terms: Some(terms), ..self.first(initial, appended) }
    }

    /// Adds to a partial result what slots hold behind later iterations that began with [`Reductions::identities`] of its
    /// words.
    pub fn combine(&self, into: &mut Partial, slot: impl Fn(u16) -> u64, initial: &[u64]) {
        let own: Vec<u64> = self.slots().map(slot).collect();
        self.add(&mut into.words, &own, initial);
    }

    /// Adds a partial result of later iterations, but for what they have appended.
    pub fn join(&self, into: &mut Partial, later: Partial, initial: &[u64]) {
        self.accumulate(&mut into.words, &later.words, later.terms, initial);
    }

    /// What all iterations have come to, by slot.
    pub fn finish(&self, all: &Partial, initial: &[u64]) -> Vec<u64> {
        let mut words = initial.to_vec();
        self.accumulate(&mut words, &all.words, None, initial);
        words
    }

    fn accumulate(&self, into: &mut [u64], later: &[u64], terms: Option<Vec<Vec<u64>>>, initial: &[u64]) {
        let before = into.to_vec();
        self.add(into, later, initial);
        let Some(mut all) = terms.filter(|terms| !terms.is_empty()) else { return };
        let (mut at, mut terms) = (0, all.iter());
        for reduced in &self.all {
            if let Combine::InOrder(op) = reduced.combine {
                let terms = terms.next().map_or(&[][..], Vec::as_slice);
                into[at] = in_order(op, reduced.ty, before[at], terms);
            }
            at += reduced.slots.len();
        }
        all.iter_mut().for_each(Vec::clear);
        self.spare().append(&mut all);
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Vec<u64>>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, into: &mut [u64], later: &[u64], initial: &[u64]) {
        let mut at = 0;
        for reduced in &self.all {
            let words = at..at + reduced.slots.len();
            at = words.end;
            reduced.add(&mut into[words.clone()], &later[words.clone()], initial[words.start]);
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
            // They went on with what it was.
            Combine::InOrder(_) => true,
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

/// A value with these terms behind it.
fn in_order(op: FloatOp, ty: Type, value: u64, terms: &[u64]) -> u64 {
    match ty {
        Type::Single => {
            let terms = terms.iter().map(|&term| f32::from_bits(term as u32));
            u64::from(accumulated(op, f32::from_bits(value as u32), terms).to_bits())
        }
        _ => accumulated(op, f64::from_bits(value), terms.iter().map(|&term| f64::from_bits(term))).to_bits(),
    }
}

/// Each step needs the one before: what it is is decided once.
fn accumulated<T>(op: FloatOp, value: T, terms: impl Iterator<Item = T>) -> T
where
    T: Add<Output = T> + Sub<Output = T> + Mul<Output = T> + Div<Output = T>,
{
    match op {
        FloatOp::Add => terms.fold(value, T::add),
        FloatOp::Sub => terms.fold(value, T::sub),
        FloatOp::Mul => terms.fold(value, T::mul),
        FloatOp::Div => terms.fold(value, T::div),
        FloatOp::Min | FloatOp::Max => unreachable!("of these, parts are combined"),
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
