//! Moves checks of indices before the loop.
//!
//! A recorded `guard (lt_u index, length)` holds in all further iterations if some checks hold at the end of the first;
//! these leave by a snapshot of their own, as the loop's poll does: the interpreter goes on at the header. What follows
//! is why that is enough. `index` advances by the same step in each iteration ([`super::induction`]), `length` does not
//! change. Iterations are counted from the second, which is 0: in it the index is `first`, in iteration k it is
//! `first + k * step` modulo 2^64.
//!
//! # Counted loops
//!
//! A variable `trips` goes down by one in each iteration, and a guard leaves where it is 0. It is `left` at the beginning
//! of iteration 0, so `left - k` in iteration k; iteration k + 1 is only entered if that is not 0. So k never gets beyond
//! `left`, and the index is `first + k * step` for `0 <= k <= left`. Without sign, with `step` and `left` as numbers from
//! 0 up to 2^64:
//!
//! - `left * step < 2^64`, checked by a division made here, or by the upper half of the product;
//! - `last = first + left * step` modulo 2^64, and `first <= last`: so the sum has not wrapped, for it would have come out
//!   less by 2^64 - left * step, which is more than 0; so none of the smaller ones has;
//! - `last < length`: so all of them are.
//!
//! Of an index that goes down it is the same the other way round, with `last <= first` and `first < length`.
//!
//! # Other loops
//!
//! A guard leaves unless `y < limit` with sign, where the limit does not change, `y` goes up by a constant, and the index
//! is `y + d`. With `first_y` the value of `y` in iteration 0:
//!
//! - `limit <= 2^61`, and constants are below 2^60. So `y` never wraps: it is below the limit where the guard stands, and
//!   one step further in the next iteration. So `first_y <= y`.
//! - `0 <= first_y + d`, so no index is negative. (For a constant d, as `-d <= first_y`, which cannot wrap.)
//! - Where the guard on `y` stands before the check `y < limit` holds, else `y < limit + step` (it held in the iteration
//!   before); so if `limit + d <= length`, or `limit + step + d <= length`, the index is below the length with sign, and
//!   as neither is negative, without.
//!
//! If d is no constant but does not change, it is checked to lie between -2^61 and 2^61, and `first_y` too, so that none
//! of these sums wraps. `y <= limit` is `y < limit + 1`. `limit < y` with a `y` that goes down is the mirror image. A
//! limit below -2^61 makes sums wrap, but then the guard on `y` leaves before the check.
//!
//! The guard on `y` may be a check of another index, without sign. Then it stays in the loop: two checks that are moved
//! because of each other would check nothing.

use rustc_hash::FxHashSet;
use scaly_interp::machine::{IntCompare, IntOp};
use scaly_interp::program::Pc;

use super::Builder;
use super::induction::{Induction, Step};
use super::linear::Linear;
use crate::region::Op;
use crate::trace::{self, End, Inst, Ref, SnapshotId, Trace};

/// Constants that are added to limits are smaller.
const SMALL: i64 = 1 << 60;
/// Limits, and what is added to them and no constant, are not larger.
const LARGE: i64 = 1 << 61;

/// What was hoisted.
#[derive(Default)]
pub struct Hoisted {
    /// Guards of the first iteration that hold in all others.
    pub hold: FxHashSet<usize>,
    /// The exit of the checks, if there are any.
    pub exit: Option<SnapshotId>,
}

/// A guard of the recorded iteration, as a comparison that holds behind it.
#[derive(Clone, Copy)]
struct Guard {
    at: usize,
    op: IntCompare,
    a: Ref,
    b: Ref,
    pc: Pc,
}

fn guards(trace: &Trace) -> Vec<Guard> {
    let mut guards = Vec::new();
    for (at, inst) in trace.insts.iter().enumerate() {
        let trace::Op::Guard { expected } = inst.op else { continue };
        if inst.a.is_constant() {
            continue;
        }
        let Inst { op: trace::Op::Common(Op::Compare(op)), a, b, .. } = *trace.inst(inst.a) else { continue };
        let (op, a, b) = if expected { (op, a, b) } else { negated(op, a, b) };
        guards.push(Guard { at, op, a, b, pc: inst.pc });
    }
    guards
}

fn negated(op: IntCompare, a: Ref, b: Ref) -> (IntCompare, Ref, Ref) {
    match op {
        IntCompare::Eq => (IntCompare::Ne, a, b),
        IntCompare::Ne => (IntCompare::Eq, a, b),
        IntCompare::LtS => (IntCompare::LeS, b, a),
        IntCompare::LeS => (IntCompare::LtS, b, a),
        IntCompare::LtU => (IntCompare::LeU, b, a),
        IntCompare::LeU => (IntCompare::LtU, b, a),
    }
}

/// What a guard says of a value that goes up or down: it is below (or above) a limit.
struct Limit {
    at: usize,
    y: Ref,
    limit: Ref,
    /// Of `y`; up if the limit is above.
    step: i64,
    /// `y` may be the limit.
    inclusive: bool,
    /// Compared without sign.
    unsigned: bool,
}

struct Hoist<'a> {
    builder: &'a mut Builder,
    induction: Induction<'a>,
    /// Iterations behind the second, if the loop is counted.
    left: Option<Ref>,
    limits: Vec<Limit>,
    /// Guards that others rely on, so that they have to stay.
    relied: FxHashSet<usize>,
    /// Guards that go.
    hold: FxHashSet<usize>,
    pc: Pc,
}

/// Moves what can be moved. The builder stands at the end of the recorded iteration.
pub fn hoist(builder: &mut Builder, variant: &[bool]) -> Hoisted {
    let mut hoisted = Hoisted::default();
    let End::Loop(end) = builder.trace.end else { return hoisted };
    let induction = Induction::of(&builder.trace, variant);
    if induction.is_empty() {
        return hoisted;
    }
    let recorded = builder.trace.insts.len();
    let guards = guards(&builder.trace);
    let (hold, relied) = Default::default();
    let mut hoist = Hoist { builder, induction, left: None, limits: Vec::new(), relied, hold, pc: Pc(0) };
    hoist.find_limits(&guards);
    let mut checked = FxHashSet::default();
    for guard in guards.iter().filter(|guard| guard.op == IntCompare::LtU) {
        hoist.pc = guard.pc;
        if hoist.relied.contains(&guard.at) {
            continue;
        }
        let Some(checks) = hoist.checks(guard) else { continue };
        hoist.hold.insert(guard.at);
        for check in checks.into_iter().filter(|&check| checked.insert(check)) {
            let exit = *hoisted.exit.get_or_insert_with(|| hoist.builder.snapshot_apart(end));
            hoist.builder.check_once(check, guard.pc, exit);
        }
    }
    hoisted.hold = hoist.hold;
    builder.forget_computed_from(recorded);
    hoisted
}

impl Hoist<'_> {
    fn trace(&self) -> &Trace {
        &self.builder.trace
    }

    fn find_limits(&mut self, guards: &[Guard]) {
        for guard in guards {
            let zero = self.trace().word(guard.b) == Some(0);
            if let (IntCompare::Ne, true, Some((left, -1))) = (guard.op, zero, self.induction.variable(guard.a)) {
                self.left.get_or_insert(left);
            }
            self.limits.extend(self.limit(guard));
        }
    }

    fn limit(&self, guard: &Guard) -> Option<Limit> {
        let (inclusive, unsigned) = match guard.op {
            IntCompare::LtS => (false, false),
            IntCompare::LeS => (true, false),
            IntCompare::LtU => (false, true),
            IntCompare::LeU => (true, true),
            IntCompare::Eq | IntCompare::Ne => return None,
        };
        let up = self.induction.invariant(guard.b);
        let (y, limit) = if up { (guard.a, guard.b) } else { (guard.b, guard.a) };
        if !self.induction.invariant(limit) || self.induction.invariant(y) {
            return None;
        }
        let step = self.induction.step(self.trace(), y)?.fixed()?;
        let right = if up { (1..SMALL).contains(&step) } else { (1 - SMALL..0).contains(&step) };
        (right && (up || !unsigned)).then_some(Limit { at: guard.at, y, limit, step, inclusive, unsigned })
    }

    /// Conditions that are enough for a guard to hold in all further iterations. None if none are known, or one does not
    /// hold for sure.
    fn checks(&mut self, guard: &Guard) -> Option<Vec<Ref>> {
        let (index, length) = (guard.a, guard.b);
        if !self.induction.invariant(length) || self.induction.invariant(index) {
            return None;
        }
        let step = self.induction.step(self.trace(), index)?;
        if let Some(left) = self.left
            && let Some(checks) = self.counted(index, length, step, left)
            && let Some(checks) = self.worthwhile(checks)
        {
            return Some(checks);
        }
        self.limited(guard)
    }

    /// Without those that hold for sure.
    fn worthwhile(&self, checks: Vec<Ref>) -> Option<Vec<Ref>> {
        let known = |check: &Ref| self.builder.known(*check);
        (!checks.iter().any(|check| known(check) == Some(false)))
            .then(|| checks.into_iter().filter(|check| known(check).is_none()).collect())
    }

    fn int(&mut self, op: IntOp, a: Ref, b: Ref) -> Ref {
        self.builder.common(Op::Int(op), a, b, self.pc)
    }

    fn compare(&mut self, op: IntCompare, a: Ref, b: Ref) -> Ref {
        self.builder.common(Op::Compare(op), a, b, self.pc)
    }

    fn word(&mut self, value: i64) -> Ref {
        self.builder.word(value)
    }

    fn counted(&mut self, index: Ref, length: Ref, step: Step, left: Ref) -> Option<Vec<Ref>> {
        use IntCompare::{Eq, LeU, LtU};
        let first = self.induction.next(self.builder, index, self.pc)?;
        let mut checks = Vec::new();
        let fixed = step.fixed();
        if fixed == Some(0) {
            return Some(vec![self.compare(LtU, first, length)]);
        }
        let down = fixed.is_some_and(|step| step < 0);
        let way = match fixed {
            Some(step) => {
                let size = step.unsigned_abs();
                let most = self.word((u64::MAX / size) as i64);
                checks.push(self.compare(LeU, left, most));
                let size = self.word(size as i64);
                self.int(IntOp::Mul, left, size)
            }
            None => {
                let size = self.size(step);
                let (high, zero) = (self.int(IntOp::MulHighU, left, size), self.word(0));
                checks.push(self.compare(Eq, high, zero));
                self.int(IntOp::Mul, left, size)
            }
        };
        let last = self.int(if down { IntOp::Sub } else { IntOp::Add }, first, way);
        let (low, high) = if down { (last, first) } else { (first, last) };
        checks.push(self.compare(LeU, low, high));
        checks.push(self.compare(LtU, high, length));
        Some(checks)
    }

    /// A step as a value.
    fn size(&mut self, step: Step) -> Ref {
        let constant = self.word(step.constant);
        match step.scaled {
            Some((r, factor)) => {
                let factor = self.word(factor);
                let scaled = self.int(IntOp::Mul, r, factor);
                self.int(IntOp::Add, scaled, constant)
            }
            None => constant,
        }
    }

    fn limited(&mut self, guard: &Guard) -> Option<Vec<Ref>> {
        for i in 0..self.limits.len() {
            let Limit { at, step, .. } = self.limits[i];
            if at == guard.at || self.hold.contains(&at) {
                continue;
            }
            let checks = if step > 0 { self.below(i, guard) } else { self.above(i, guard) };
            let checks = checks.and_then(|checks| self.worthwhile(checks));
            if checks.is_some() {
                self.relied.insert(at);
                return checks;
            }
        }
        None
    }

    /// The index less a value, if that does not change: its parts and its constant.
    fn distance(&self, index: Ref, y: Ref) -> Option<Linear> {
        let trace = self.trace();
        let distance = Linear::of(trace, index).plus(&Linear::of(trace, y), -1);
        let small = (1 - SMALL..SMALL).contains(&distance.constant);
        (small && distance.parts.iter().all(|part| self.induction.invariant(part.0))).then_some(distance)
    }

    fn below(&mut self, limit: usize, guard: &Guard) -> Option<Vec<Ref>> {
        use IntCompare::{LeS, LeU};
        let Limit { at, y, limit, step, inclusive, unsigned } = self.limits[limit];
        let distance = self.distance(guard.a, y)?;
        let first = self.induction.next(self.builder, y, self.pc)?;
        let large = self.word(LARGE);
        let mut checks = vec![self.compare(if unsigned { LeU } else { LeS }, limit, large)];
        // How much the index may be above the limit, and the distance's parts apart.
        let above = distance.constant + if at < guard.at { 0 } else { step } + i64::from(inclusive);
        let (low, high) = if distance.parts.is_empty() {
            let least = self.word(-distance.constant);
            checks.push(self.compare(LeS, least, first));
            (None, limit)
        } else {
            let parts = self.sum(&distance.parts);
            for value in [parts, first] {
                checks.push(self.moderate(value));
            }
            let (low, high) = (self.int(IntOp::Add, first, parts), self.int(IntOp::Add, limit, parts));
            (Some(low), high)
        };
        if let Some(low) = low {
            let least = self.word(-distance.constant);
            checks.push(self.compare(LeS, least, low));
        }
        let form = Linear::of(self.trace(), high).plus(&Linear::of(self.trace(), guard.b), -1);
        let sure = form.parts.is_empty() && (1 - SMALL..=0).contains(&form.constant.saturating_add(above));
        if !sure {
            let above = self.word(above);
            let most = self.int(IntOp::Add, high, above);
            checks.push(self.compare(LeS, most, guard.b));
        }
        Some(checks)
    }

    /// Between -2^61 and 2^61.
    fn moderate(&mut self, value: Ref) -> Ref {
        let (large, twice) = (self.word(LARGE), self.word(LARGE.wrapping_mul(2)));
        let moved = self.int(IntOp::Add, value, large);
        self.compare(IntCompare::LeU, moved, twice)
    }

    fn sum(&mut self, parts: &[(Ref, i64)]) -> Ref {
        let mut sum = self.word(0);
        for &(r, factor) in parts {
            let factor = self.word(factor);
            let product = self.int(IntOp::Mul, r, factor);
            sum = self.int(IntOp::Add, sum, product);
        }
        sum
    }

    /// The index goes down to a limit, a constant apart.
    fn above(&mut self, limit: usize, guard: &Guard) -> Option<Vec<Ref>> {
        use IntCompare::{LeS, LtS};
        let Limit { at, y, limit, step, inclusive, .. } = self.limits[limit];
        let distance = self.distance(guard.a, y).filter(|distance| distance.parts.is_empty())?;
        let first = self.induction.next(self.builder, y, self.pc)?;
        // The least index is the limit plus this.
        let least = distance.constant + if at < guard.at { 0 } else { step } + i64::from(!inclusive);
        let (least, large) = (self.word(-least), self.word(LARGE));
        let mut checks = vec![self.compare(LeS, least, limit), self.compare(LeS, first, large)];
        let constant = self.word(distance.constant);
        let highest = self.int(IntOp::Add, first, constant);
        checks.push(self.compare(LtS, highest, guard.b));
        Some(checks)
    }
}

impl Builder {
    /// A snapshot of its own with the same state.
    fn snapshot_apart(&mut self, id: SnapshotId) -> SnapshotId {
        let snapshot = self.trace.snapshot(id).clone();
        self.trace.snapshots.push(snapshot);
        SnapshotId(self.trace.snapshots.len() as u32 - 1)
    }

    /// A guard here and now: nothing is assumed of it, since it is not made again in further iterations.
    fn check_once(&mut self, cond: Ref, pc: Pc, exit: SnapshotId) {
        let op = trace::Op::Guard { expected: true };
        self.pass_memory(op);
        self.push(Inst { op, a: cond, b: Ref::NONE, snapshot: Some(exit), pc });
    }
}
