//! Values that advance by the same amount in each iteration.
//!
//! A slot that ends an iteration with its first value plus a constant, or plus what does not change, is an induction
//! variable. A sum of multiples of such, of products with what does not change, and of what does not change, advances by
//! the same step each time, modulo 2^64, whatever wraps.

use rustc_hash::FxHashMap;
use scaly_interp::machine::IntOp;
use scaly_interp::program::Pc;

use super::Builder;
use super::linear::Linear;
use crate::region::{Op, Type};
use crate::trace::{self, Inst, Ref, SlotState, Trace};

/// By how much a value advances: a constant, and a multiple of a value that does not change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Step {
    pub constant: i64,
    pub scaled: Option<(Ref, i64)>,
}

impl Step {
    /// The step, if it is a constant.
    pub fn fixed(self) -> Option<i64> {
        self.scaled.is_none().then_some(self.constant)
    }

    /// This and a multiple of another. None if more than one value would be scaled.
    fn plus(self, other: Step, factor: i64) -> Option<Step> {
        let constant = self.constant.wrapping_add(other.constant.wrapping_mul(factor));
        let scaled = match (self.scaled, other.scaled) {
            (one, None) => one,
            (None, Some((r, n))) => Some((r, n.wrapping_mul(factor))),
            (Some((a, n)), Some((b, m))) if a == b => Some((a, n.wrapping_add(m.wrapping_mul(factor)))),
            _ => return None,
        };
        Some(Step { constant, scaled: scaled.filter(|&(_, n)| n != 0) })
    }
}

/// The induction variables of a recorded iteration.
pub struct Induction<'a> {
    variant: &'a [bool],
    /// By the value at the begin of the iteration: that at its end, and the step.
    variables: FxHashMap<Ref, (Ref, Step)>,
}

impl<'a> Induction<'a> {
    pub fn of(trace: &Trace, variant: &'a [bool]) -> Induction<'a> {
        let mut induction = Induction { variant, variables: FxHashMap::default() };
        for (at, inst) in trace.insts.iter().enumerate() {
            let trace::Op::Slot { slot, ty: Type::Word, epoch: 0 } = inst.op else { continue };
            let Ok(carried) = trace.carried.binary_search_by_key(&slot, |entry| entry.0) else { continue };
            let SlotState::Value(next) = trace.carried[carried].1 else { continue };
            let first = Ref::instruction(at);
            if trace.ty(next) != Some(Type::Word) {
                continue;
            }
            let advance = Linear::of(trace, next).plus(&Linear::of(trace, first), -1);
            let scaled = match advance.parts[..] {
                [] => None,
                [part] if induction.invariant(part.0) => Some(part),
                _ => continue,
            };
            induction.variables.insert(first, (next, Step { constant: advance.constant, scaled }));
        }
        induction
    }

    /// Slots of the loop's frame that advance by a constant in each iteration, and by which; not by 0.
    pub fn counters(trace: &Trace) -> Vec<(u16, i64)> {
        let found = Induction::of(trace, &[]);
        let slot = |r: Ref| match trace.inst(r).op {
            trace::Op::Slot { slot, .. } => u16::try_from(slot).ok(),
            _ => None,
        };
        let counter =
            |(&first, &(_, step)): (&Ref, &(Ref, Step))| Some((slot(first)?, step.fixed().filter(|&by| by != 0)?));
        let mut counters: Vec<_> = found.variables.iter().filter_map(counter).collect();
        counters.sort_unstable();
        counters
    }

    pub fn is_empty(&self) -> bool {
        self.variables.is_empty()
    }

    /// Whether a value is the same in all iterations.
    pub fn invariant(&self, r: Ref) -> bool {
        r.is_constant() || !self.variant.get(r.index()).copied().unwrap_or(true)
    }

    /// The value of a variable at the end of the recorded iteration, and its step.
    pub fn variable(&self, r: Ref) -> Option<(Ref, Step)> {
        self.variables.get(&r).copied()
    }

    /// By how much a value advances with each iteration.
    pub fn step(&self, trace: &Trace, r: Ref) -> Option<Step> {
        let mut sum = Step::default();
        for (part, factor) in Linear::of(trace, r).parts {
            if !self.invariant(part) {
                sum = sum.plus(self.step_of_part(trace, part)?, factor)?;
            }
        }
        Some(sum)
    }

    fn step_of_part(&self, trace: &Trace, part: Ref) -> Option<Step> {
        if let Some((_, step)) = self.variable(part) {
            return Some(step);
        }
        let Inst { op: trace::Op::Common(Op::Int(IntOp::Mul)), a, b, .. } = *trace.inst(part) else { return None };
        let (advances, factor) = if self.invariant(b) { (a, b) } else { (b, a) };
        if !self.invariant(factor) {
            return None;
        }
        let step = self.step(trace, advances)?.fixed()?;
        Some(Step { constant: 0, scaled: Some((factor, step)) })
    }

    /// What a value is in the next iteration, computed at the end of the recorded one.
    pub fn next(&self, b: &mut Builder, r: Ref, pc: Pc) -> Option<Ref> {
        if r.is_none() || self.invariant(r) {
            return Some(r);
        }
        if let Some((next, _)) = self.variable(r) {
            return Some(next);
        }
        let inst = *b.trace.inst(r);
        match inst.op {
            trace::Op::Common(op @ (Op::Int(_) | Op::IntUnary(_))) => {
                let (x, y) = (self.next(b, inst.a, pc)?, self.next(b, inst.b, pc)?);
                Some(b.common(op, x, y, pc))
            }
            _ => None,
        }
    }
}
