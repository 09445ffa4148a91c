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
//! - `limit <= 2^61`, and constants are below 2^60, as is the step (one that is no constant is checked to lie between 1
//!   and 2^60). So `y` never wraps: it is below the limit where the guard stands, and
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
//! # Indices that cannot be large
//!
//! `x & mask` is at most the mask, without sign, and `x % divisor` without sign is less than the divisor; of other
//! indices the range may be known. If what an index is at most does not change, it is enough that this is below the
//! length.
//!
//! # Guards that are relied on
//!
//! The guard on `y` may be a check of another index, without sign. It must not have been moved before this one: two
//! checks that are moved because of each other would check nothing.

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
        let (op, a, b) = if expected { (op, a, b) } else { op.negated(a, b) };
        guards.push(Guard { at, op, a, b, pc: inst.pc });
    }
    guards
}

/// What has to hold before the loop.
type Check = (IntCompare, Ref, Ref);

/// What a guard says of a value that goes up or down: it is below (or above) a limit.
#[derive(Clone, Copy)]
struct Limit {
    at: usize,
    y: Ref,
    limit: Ref,
    /// Of `y`; up if the limit is above.
    step: Step,
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
    let hold = FxHashSet::default();
    let mut hoist = Hoist { builder, induction, left: None, limits: Vec::new(), hold, pc: Pc(0) };
    hoist.find_limits(&guards);
    let mut checked = FxHashSet::default();
    for guard in guards.iter().filter(|guard| guard.op == IntCompare::LtU) {
        hoist.pc = guard.pc;
        let Some(checks) = hoist.checks(guard) else { continue };
        hoist.hold.insert(guard.at);
        for check in checks.into_iter().filter(|&check| checked.insert(check)) {
            let exit = *hoisted.exit.get_or_insert_with(|| hoist.builder.snapshot_apart(end));
            hoist.check_once(check, exit);
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
            if let (IntCompare::Ne, true, Some((left, step))) = (guard.op, zero, self.induction.variable(guard.a))
                && step.fixed() == Some(-1)
            {
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
        let step = self.induction.step(self.trace(), y)?;
        let right = match step.fixed() {
            Some(step) if up => (1..SMALL).contains(&step),
            Some(step) => (1 - SMALL..0).contains(&step),
            None => up,
        };
        (right && (up || !unsigned)).then_some(Limit { at: guard.at, y, limit, step, inclusive, unsigned })
    }

    /// Conditions that are enough for a guard to hold in all further iterations. None if none are known, or one does not
    /// hold for sure.
    fn checks(&mut self, guard: &Guard) -> Option<Vec<Check>> {
        let (index, length) = (guard.a, guard.b);
        if !self.induction.invariant(length) || self.induction.invariant(index) {
            return None;
        }
        let step = self.induction.step(self.trace(), index);
        if let (Some(left), Some(step)) = (self.left, step)
            && let Some(checks) = self.counted(index, length, step, left)
            && let Some(checks) = self.worthwhile(checks)
        {
            return Some(checks);
        }
        let checks = if step.is_some() { self.limited(guard) } else { None };
        checks.or_else(|| self.ranged(index, length).and_then(|checks| self.worthwhile(checks)))
    }

    /// What an index is at most does not change.
    fn ranged(&mut self, index: Ref, length: Ref) -> Option<Vec<Check>> {
        // Not from guards: one of them is this one.
        let range = self.builder.computed_range(index);
        if range.low >= 0 && range.high < SMALL {
            return Some(vec![(IntCompare::LtU, self.word(range.high), length)]);
        }
        let Inst { op: trace::Op::Common(Op::Int(op)), a, b, .. } = *self.trace().inst(index) else { return None };
        let most = [b, a].into_iter().find(|&r| self.induction.invariant(r));
        match (op, most) {
            (IntOp::And, Some(mask)) => Some(vec![(IntCompare::LtU, mask, length)]),
            (IntOp::RemU, Some(divisor)) if divisor == b => Some(vec![(IntCompare::LeU, divisor, length)]),
            _ => None,
        }
    }

    /// Without those that hold for sure.
    fn worthwhile(&self, checks: Vec<Check>) -> Option<Vec<Check>> {
        let known = |&(op, a, b): &Check| self.builder.decided(Op::Compare(op), a, b);
        (!checks.iter().any(|check| known(check) == Some(false)))
            .then(|| checks.into_iter().filter(|check| known(check).is_none()).collect())
    }

    fn int(&mut self, op: IntOp, a: Ref, b: Ref) -> Ref {
        self.builder.common(Op::Int(op), a, b, self.pc)
    }

    /// A guard here and now: nothing is assumed of it, since it is not made again in further iterations.
    fn check_once(&mut self, (op, a, b): Check, exit: SnapshotId) {
        let cond = self.builder.common(Op::Compare(op), a, b, self.pc);
        if self.builder.known(cond) == Some(true) {
            return;
        }
        let op = trace::Op::Guard { expected: true };
        self.builder.pass_memory(op);
        self.builder.push(Inst { op, a: cond, b: Ref::NONE, snapshot: Some(exit), pc: self.pc });
    }

    fn word(&mut self, value: i64) -> Ref {
        self.builder.word(value)
    }

    fn counted(&mut self, index: Ref, length: Ref, step: Step, left: Ref) -> Option<Vec<Check>> {
        use IntCompare::{Eq, LeU, LtU};
        let first = self.induction.next(self.builder, index, self.pc)?;
        let mut checks = Vec::new();
        let fixed = step.fixed();
        if fixed == Some(0) {
            return Some(vec![(LtU, first, length)]);
        }
        let down = fixed.is_some_and(|step| step < 0);
        let way = match fixed {
            Some(step) => {
                let size = step.unsigned_abs();
                let most = self.word((u64::MAX / size) as i64);
                checks.push((LeU, left, most));
                let size = self.word(size as i64);
                self.int(IntOp::Mul, left, size)
            }
            None => {
                let size = self.size(step);
                let (high, zero) = (self.int(IntOp::MulHighU, left, size), self.word(0));
                checks.push((Eq, high, zero));
                self.int(IntOp::Mul, left, size)
            }
        };
        let last = self.int(if down { IntOp::Sub } else { IntOp::Add }, first, way);
        let (low, high) = if down { (last, first) } else { (first, last) };
        checks.push((LeU, low, high));
        checks.push((LtU, high, length));
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

    fn limited(&mut self, guard: &Guard) -> Option<Vec<Check>> {
        for i in 0..self.limits.len() {
            let Limit { at, step, .. } = self.limits[i];
            let up = step.fixed().is_none_or(|step| step > 0);
            if at == guard.at || self.hold.contains(&at) {
                continue;
            }
            let checks = if up { self.below(i, guard) } else { self.above(i, guard) };
            let checks = checks.and_then(|checks| self.worthwhile(checks));
            if checks.is_some() {
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

    fn below(&mut self, limit: usize, guard: &Guard) -> Option<Vec<Check>> {
        use IntCompare::{LeS, LeU, LtU};
        let Limit { at, y, limit, step, inclusive, unsigned } = self.limits[limit];
        let distance = self.distance(guard.a, y)?;
        let first = self.induction.next(self.builder, y, self.pc)?;
        let large = self.word(LARGE);
        let mut checks = vec![(if unsigned { LeU } else { LeS }, limit, large)];
        if step.fixed().is_none() {
            let (size, one, small) = (self.size(step), self.word(-1), self.word(SMALL));
            let less = self.int(IntOp::Add, size, one);
            checks.push((LtU, less, small));
        }
        // How much the index may be above the limit, and the distance's parts apart.
        let behind = if at < guard.at { 0 } else { step.fixed()? };
        let above = distance.constant + behind + i64::from(inclusive);
        let (low, high) = if distance.parts.is_empty() {
            let least = self.word(-distance.constant);
            checks.push((LeS, least, first));
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
            checks.push((LeS, least, low));
        }
        let form = Linear::of(self.trace(), high).plus(&Linear::of(self.trace(), guard.b), -1);
        let sure = form.parts.is_empty() && (1 - SMALL..=0).contains(&form.constant.saturating_add(above));
        if !sure {
            let above = self.word(above);
            let most = self.int(IntOp::Add, high, above);
            checks.push((LeS, most, guard.b));
        }
        Some(checks)
    }

    /// Between -2^61 and 2^61.
    fn moderate(&mut self, value: Ref) -> Check {
        let (large, twice) = (self.word(LARGE), self.word(LARGE.wrapping_mul(2)));
        let moved = self.int(IntOp::Add, value, large);
        (IntCompare::LeU, moved, twice)
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
    fn above(&mut self, limit: usize, guard: &Guard) -> Option<Vec<Check>> {
        use IntCompare::{LeS, LtS};
        let Limit { at, y, limit, step, inclusive, .. } = self.limits[limit];
        let distance = self.distance(guard.a, y).filter(|distance| distance.parts.is_empty())?;
        let first = self.induction.next(self.builder, y, self.pc)?;
        // The least index is the limit plus this.
        let behind = if at < guard.at { 0 } else { step.fixed()? };
        let least = distance.constant + behind + i64::from(!inclusive);
        let (least, large) = (self.word(-least), self.word(LARGE));
        let mut checks = vec![(LeS, least, limit), (LeS, first, large)];
        let constant = self.word(distance.constant);
        let highest = self.int(IntOp::Add, first, constant);
        checks.push((LtS, highest, guard.b));
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
}

#[cfg(test)]
mod tests {
    use super::super::Finished;
    use super::super::testing::*;
    use super::*;

    /// A loop with these instructions between the counter in slot 2 and what ends an iteration; the length of the array
    /// is in slot 1, another invariant in slot 6.
    fn looped(between: &str, behind: &str, carried: &str) -> String {
        format!(
            "loop0 root
            k0: i64 = 0
            k1: i64 = 1
            k2: i64 = -2
            v0: i64 = slot 2 @1
            v1: i64 = slot 1 @1
            v2: i64 = slot 6 @1
            {between}
            {behind}
            carried {carried}
            end loop snap0
            snap0 resume @1 ()"
        )
    }

    const TRIPS: &str = "v90: i64 = slot 3 @5
        v91: bool = ne v90, k0 @5
        guard v91 true -> snap0 @5
        v93: i64 = sub v90, k1 @5
        v94: i64 = add v0, k1 @5";

    fn counted(between: &str) -> Finished {
        finished(&looped(between, TRIPS, "2 = v94, 3 = v93"), &AllLive, true)
    }

    /// The instructions of a trace from the recorded back edge to the loop's marker, and whether the loop checks anything
    /// else than the trips.
    fn moved(finished: &Finished) -> (Vec<String>, bool) {
        let text = finished.trace.to_string();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('k')).collect();
        let from = lines.iter().position(|line| line.contains("@5") && line.contains("= add v0")).unwrap();
        let marker = lines.iter().position(|line| line.starts_with("loop @")).unwrap();
        let checks = lines[marker..].iter().filter(|line| line.starts_with("guard")).count() > 1;
        (lines[from + 1..marker].iter().map(|line| line.replace(" @1", "")).collect(), checks)
    }

    #[test]
    fn a_counted_index_is_checked_once() {
        let found = counted("v5: bool = lt_u v0, v1\nguard v5 true -> snap0");
        let expected = [
            "v9: i64 = add v8, v7",
            "v10: bool = le_u v8, v9",
            "guard v10 true -> snap1",
            "v12: bool = lt_u v9, v1",
            "guard v12 true -> snap1",
        ];
        assert_eq!(moved(&found), (expected.map(String::from).to_vec(), false), "{}", found.trace);
        assert_eq!(found.hoisted, [SnapshotId(1)]);
    }

    #[test]
    fn a_scaled_index_must_not_wrap() {
        let found =
            counted("v4: i64 = mul v0, v2\nv6: i64 = add v4, v1\nv5: bool = lt_u v6, v1\nguard v5 true -> snap0");
        let (lines, checks) = moved(&found);
        assert!(!checks, "{}", found.trace);
        assert!(lines.iter().any(|line| line.contains("mul_high_u")), "{lines:#?}");
        let constant =
            counted("v4: i64 = mul v0, k2\nv6: i64 = add v4, v2\nv5: bool = lt_u v6, v1\nguard v5 true -> snap0");
        let (lines, checks) = moved(&constant);
        assert!(!checks, "{}", constant.trace);
        // Down by 2: left is at most half of all, the last is the lowest.
        assert!(constant.trace.constants.contains(&trace::Const::Word(i64::MAX)), "{}", constant.trace);
        let last =
            constant.trace.insts.iter().position(|inst| matches!(inst.op, trace::Op::Common(Op::Int(IntOp::Sub))));
        assert!(lines.iter().any(|line| line.contains(&format!("le_u v{}, ", last.unwrap()))), "{lines:#?}");
    }

    #[test]
    fn what_is_not_known_stays() {
        let load = counted("v4: i64 = load.i64 v0 + 0\nv5: bool = lt_u v4, v1\nguard v5 true -> snap0");
        assert!(load.hoisted.is_empty() && moved(&load).1);
        let length = counted("v4: i64 = load.i64 v0 + 0\nv5: bool = lt_u v0, v4\nguard v5 true -> snap0");
        assert!(length.hoisted.is_empty() && moved(&length).1);
        let square = counted("v4: i64 = mul v0, v0\nv5: bool = lt_u v4, v1\nguard v5 true -> snap0");
        assert!(square.hoisted.is_empty() && moved(&square).1);
        let text = looped("v5: bool = lt_u v0, v1\nguard v5 true -> snap0", TRIPS, "2 = v94, 3 = v93");
        assert!(moved(&finished(&text, &AllLive, false)).1);
    }

    fn open(guard: &str, between: &str, step: &str) -> Finished {
        let behind = format!("v94: i64 = add v0, {step} @5");
        finished(&looped(&format!("{guard}\n{between}"), &behind, "2 = v94"), &AllLive, true)
    }

    const BELOW: &str = "v10: bool = lt_s v0, v2\nguard v10 true -> snap0";
    const CHECK: &str = "v5: bool = lt_u v0, v1\nguard v5 true -> snap0";

    #[test]
    fn an_index_below_a_limit_is_checked_once() {
        let found = open(BELOW, CHECK, "k1");
        let (lines, checks) = moved(&found);
        assert!(!checks, "{}", found.trace);
        let expected = [
            "v8: bool = le_s v2, k1",
            "guard v8 true -> snap1",
            "v10: bool = le_s k2, v7",
            "guard v10 true -> snap1",
            "v12: bool = le_s v2, v1",
            "guard v12 true -> snap1",
        ];
        assert_eq!(lines, expected, "{}", found.trace);
    }

    #[test]
    fn the_length_as_limit_needs_no_check() {
        let found = open("v10: bool = lt_s v0, v1\nguard v10 true -> snap0", CHECK, "k1");
        let (lines, checks) = moved(&found);
        assert_eq!((lines.iter().filter(|line| line.starts_with("guard")).count(), checks), (2, false), "{lines:#?}");
    }

    #[test]
    fn the_wrong_direction_is_no_limit() {
        assert!(moved(&open(BELOW, CHECK, "k2")).1);
        let above = "v10: bool = lt_s v2, v0\nguard v10 true -> snap0";
        assert!(moved(&open(above, CHECK, "k1")).1);
        assert!(!moved(&open(above, CHECK, "k2")).1);
    }

    /// The step is what is in slot 6, as in a sieve.
    #[test]
    fn a_step_may_be_any_that_does_not_change() {
        let found = open("v10: bool = le_s v0, v1\nguard v10 true -> snap0", CHECK, "v2");
        let (lines, checks) = moved(&found);
        assert!(!checks, "{}", found.trace);
        // It must go up, by no more than a limit.
        let most = found.trace.constants.iter().position(|&c| c == trace::Const::Word(SMALL)).unwrap();
        assert!(lines.iter().any(|line| line.contains("lt_u") && line.ends_with(&format!(", k{most}"))), "{lines:#?}");
        let varies = open("v10: bool = le_s v0, v1\nguard v10 true -> snap0", CHECK, "v0");
        assert!(moved(&varies).1, "{}", varies.trace);
    }

    #[test]
    fn an_index_that_cannot_be_large_is_checked_once() {
        let index = |index: &str| {
            let between = format!("v4: i64 = load.i64 v0 + 0\n{index}\nv5: bool = lt_u v6, v1\nguard v5 true -> snap0");
            moved(&counted(&between))
        };
        let (lines, checks) = index("v6: i64 = and v4, v2");
        assert_eq!((lines.iter().filter(|line| line.starts_with("guard")).count(), checks), (1, false), "{lines:#?}");
        assert!(!index("v6: i64 = rem_u v4, v2").1);
        assert!(!index("v6: i64 = load.u8 v4 + 0").1);
        assert!(index("v6: i64 = and v4, v0").1);
        assert!(index("v6: i64 = rem_s v4, v2").1);
        assert!(index("v6: i64 = rem_u v2, v4").1);
    }

    /// Of two arrays without a limit one check stays, the other holds because of it.
    #[test]
    fn two_checks_do_not_hold_because_of_each_other() {
        let found = open(CHECK, "v6: bool = lt_u v0, v2\nguard v6 true -> snap0", "k1");
        let text = found.trace.to_string();
        let marker = text.find("\nloop @").unwrap();
        assert_eq!(text[marker..].matches("\nguard").count(), 1, "{text}");
    }
}
