//! What guards have made known: conditions, orders of pairs of words, ranges.
//!
//! Of a pair of words there are five possible orders: equal, or one of two by sign times one of two without. A comparison
//! is the set of those for which it holds; what is known of a pair is the set of those that are left. So a comparison is
//! implied if it holds for all that are left, and refuted if it holds for none.

use rustc_hash::FxHashMap;
use scaly_interp::machine::IntCompare;

use super::Builder;
use super::range::Range;
use crate::region::Op;
use crate::trace::{self, Const, Ref};

/// A set of orders of a pair, a bit each: equal; then less by sign, less and greater without; greater by sign, the same.
type Orders = u8;

const EVERY: Orders = 0b1_1111;
const EQUAL: Orders = 0b0_0001;
const LESS_S: Orders = 0b0_0110;
const LESS_U: Orders = 0b0_1010;

fn orders(op: IntCompare) -> Orders {
    match op {
        IntCompare::Eq => EQUAL,
        IntCompare::Ne => EVERY & !EQUAL,
        IntCompare::LtS => LESS_S,
        IntCompare::LeS => LESS_S | EQUAL,
        IntCompare::LtU => LESS_U,
        IntCompare::LeU => LESS_U | EQUAL,
    }
}

/// The orders of the pair the other way round.
fn swapped(orders: Orders) -> Orders {
    let bit = |from: u32, to: u32| (orders >> from & 1) << to;
    orders & EQUAL | bit(1, 4) | bit(4, 1) | bit(2, 3) | bit(3, 2)
}

#[derive(Debug, Default)]
pub struct Facts {
    conditions: FxHashMap<Ref, bool>,
    /// By the pair with the smaller reference first.
    pairs: FxHashMap<(Ref, Ref), Orders>,
    ranges: FxHashMap<Ref, Range>,
}

impl Facts {
    pub fn range(&self, r: Ref) -> Range {
        self.ranges.get(&r).copied().unwrap_or(Range::ALL)
    }

    fn pair(&self, a: Ref, b: Ref) -> Orders {
        if a == b {
            EQUAL
        } else if a < b {
            self.pairs.get(&(a, b)).copied().unwrap_or(EVERY)
        } else {
            swapped(self.pairs.get(&(b, a)).copied().unwrap_or(EVERY))
        }
    }

    fn narrow_pair(&mut self, a: Ref, b: Ref, orders: Orders) {
        let (key, orders) = if a < b { ((a, b), orders) } else { ((b, a), swapped(orders)) };
        *self.pairs.entry(key).or_insert(EVERY) &= orders;
    }

    fn narrow_range(&mut self, r: Ref, range: Range) {
        if !r.is_constant() {
            let known = self.ranges.entry(r).or_insert(Range::ALL);
            *known = known.and(range);
        }
    }
}

/// The orders that two ranges leave.
fn orders_of(a: Range, b: Range) -> Orders {
    // Less by sign, equal, greater by sign.
    let (less, greater) = (a.low < b.high, a.high > b.low);
    let equal = a.low <= b.high && b.low <= a.high;
    let mut left = 0;
    if equal {
        left |= EQUAL;
    }
    // Less by sign is less without too unless only the first is negative.
    let may_be_negative = |range: Range| range.low < 0;
    let may_be_natural = |range: Range| range.high >= 0;
    let same_sign = may_be_negative(a) && may_be_negative(b) || may_be_natural(a) && may_be_natural(b);
    if less {
        left |= if same_sign { 0b0_0010 } else { 0 };
        left |= if may_be_negative(a) && may_be_natural(b) { 0b0_0100 } else { 0 };
    }
    if greater {
        left |= if same_sign { 0b1_0000 } else { 0 };
        left |= if may_be_natural(a) && may_be_negative(b) { 0b0_1000 } else { 0 };
    }
    left
}

impl Builder {
    /// The value of a comparison of words, if it is known.
    pub(super) fn decided(&self, op: Op, a: Ref, b: Ref) -> Option<bool> {
        let Op::Compare(op) = op else { return None };
        let left = self.facts.pair(a, b) & orders_of(self.range(a), self.range(b));
        let holds = orders(op);
        if left & !holds == 0 {
            Some(true)
        } else if left & holds == 0 {
            Some(false)
        } else {
            None
        }
    }

    /// The value of a condition, if it is known.
    pub fn known(&self, cond: Ref) -> Option<bool> {
        if let Some(Const::Cond(value)) = self.trace.constant(cond) {
            return Some(value);
        }
        if let Some(&value) = self.facts.conditions.get(&cond) {
            return Some(value);
        }
        match *self.trace.inst(cond) {
            trace::Inst { op: trace::Op::Common(op @ Op::Compare(_)), a, b, .. } => self.decided(op, a, b),
            _ => None,
        }
    }

    /// From here on a condition has this value.
    pub(super) fn assume(&mut self, cond: Ref, value: bool) {
        if cond.is_constant() {
            return;
        }
        self.facts.conditions.insert(cond, value);
        let trace::Inst { op: trace::Op::Common(Op::Compare(op)), a, b, .. } = *self.trace.inst(cond) else { return };
        let holds = if value { orders(op) } else { EVERY & !orders(op) };
        match holds {
            LESS_U => self.owners.add_limit(b),
            _ if swapped(holds) == LESS_U => self.owners.add_limit(a),
            _ => {}
        }
        self.facts.narrow_pair(a, b, holds);
        self.narrow(a, b, holds);
        self.narrow(b, a, swapped(holds));
    }

    /// What the orders that are left say of the first word's range.
    fn narrow(&mut self, a: Ref, b: Ref, orders: Orders) {
        let other = self.range(b);
        let within = |set: Orders| orders & !set == 0;
        if within(EQUAL) {
            self.facts.narrow_range(a, other);
        }
        if within(LESS_S) && other.high > i64::MIN {
            self.facts.narrow_range(a, Range::new(i64::MIN, other.high - 1));
        } else if within(LESS_S | EQUAL) {
            self.facts.narrow_range(a, Range::new(i64::MIN, other.high));
        }
        if within(swapped(LESS_S)) && other.low < i64::MAX {
            self.facts.narrow_range(a, Range::new(other.low + 1, i64::MAX));
        } else if within(swapped(LESS_S) | EQUAL) {
            self.facts.narrow_range(a, Range::new(other.low, i64::MAX));
        }
        // Below something that is not negative, without sign.
        if other.low >= 0 && within(LESS_U) && other.high > 0 {
            self.facts.narrow_range(a, Range::new(0, other.high - 1));
        } else if other.low >= 0 && within(LESS_U | EQUAL) {
            self.facts.narrow_range(a, Range::new(0, other.high));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    /// How many guards are left of these, of `v0` and `v1`, or of `v0` and a constant.
    fn left(guards: &str) -> usize {
        let mut text = String::from(
            "loop0 root\nk0: i64 = 5\nk1: i64 = 10\nk2: i64 = 0\nv0: i64 = slot 0 @1\nv1: i64 = slot 1 @1\n",
        );
        for (i, guard) in guards.split(", ").enumerate() {
            let (cond, expected) = guard.rsplit_once(' ').unwrap();
            text +=
                &format!("v{}: bool = {}\nguard v{} {expected} -> snap0\n", i + 5, cond.replace(" with ", ", "), i + 5);
        }
        text += "end leave snap0\nsnap0 resume @1 ()\n";
        optimized(&text).insts.iter().filter(|inst| matches!(inst.op, trace::Op::Guard { .. })).count()
    }

    #[test]
    fn what_was_guarded_holds() {
        assert_eq!(left("lt_s v0 with v1 true, lt_s v0 with v1 true"), 1);
        assert_eq!(left("lt_s v0 with v1 true, le_s v1 with v0 false"), 1);
        assert_eq!(left("lt_s v0 with v1 true, le_s v0 with v1 true"), 1);
        assert_eq!(left("lt_s v0 with v1 true, ne v0 with v1 true"), 1);
        assert_eq!(left("lt_s v0 with v1 true, eq v1 with v0 false"), 1);
        assert_eq!(left("eq v0 with v1 true, le_u v1 with v0 true"), 1);
        assert_eq!(left("le_s v0 with v1 true, le_s v1 with v0 true, eq v0 with v1 true"), 2);
        assert_eq!(left("lt_s v0 with k0 true, lt_s v0 with k1 true"), 1);
        assert_eq!(left("lt_u v0 with k0 true, lt_s v0 with k1 true"), 1);
        assert_eq!(left("lt_u v0 with k0 true, lt_u v0 with k1 true"), 1);
        assert_eq!(left("eq v0 with k0 true, lt_s v0 with k1 true"), 1);
    }

    #[test]
    fn what_was_not_guarded_may_not_hold() {
        assert_eq!(left("le_s v0 with v1 true, lt_s v0 with v1 true"), 2);
        assert_eq!(left("lt_s v0 with v1 true, lt_u v0 with v1 true"), 2);
        assert_eq!(left("lt_s v0 with k0 true, lt_u v0 with k1 true"), 2);
        assert_eq!(left("lt_s v0 with k1 true, lt_s v0 with k0 true"), 2);
        assert_eq!(left("ne v0 with v1 true, lt_s v0 with v1 true"), 2);
        // Any word but one is below one that is negative, without sign.
        assert_eq!(left("lt_u v0 with v1 true, le_s v0 with k0 true"), 2);
        assert_eq!(left("lt_u v0 with v1 true, lt_s v0 with k2 false"), 2);
    }

    #[test]
    fn a_guard_that_never_holds_stays() {
        assert_eq!(left("lt_s v0 with v1 true, lt_s v0 with v1 false"), 2);
        assert_eq!(left("lt_s v0 with v0 true"), 1);
    }

    /// Each comparison is its set of orders, both ways round.
    #[test]
    fn orders_are_those_for_which_it_holds() {
        let samples = [(3i64, 3), (1, 2), (-1, 2), (2, -1), (2, 1)];
        for (bit, (a, b)) in samples.into_iter().enumerate() {
            use IntCompare::{Eq, LeS, LeU, LtS, LtU, Ne};
            for op in [Eq, Ne, LtS, LeS, LtU, LeU] {
                let holds = scaly_interp::interpreter::int_compare(op, a, b);
                assert_eq!(orders(op) >> bit & 1 == 1, holds, "{op:?} {a} {b}");
                let back = scaly_interp::interpreter::int_compare(op, b, a);
                assert_eq!(swapped(orders(op)) >> bit & 1 == 1, back, "{op:?} {b} {a}");
            }
        }
    }

    /// For all ranges and words of few values, where orders could be left out.
    #[test]
    fn no_order_of_two_ranges_is_missing() {
        let values = [i64::MIN, -2, -1, 0, 1, 2, i64::MAX];
        let ranges: Vec<Range> = values
            .iter()
            .flat_map(|&low| values.iter().filter(move |&&high| low <= high).map(move |&high| Range::new(low, high)))
            .collect();
        for &a in &ranges {
            for &b in &ranges {
                let left = orders_of(a, b);
                for &x in values.iter().filter(|&&x| a.low <= x && x <= a.high) {
                    for &y in values.iter().filter(|&&y| b.low <= y && y <= b.high) {
                        use IntCompare::{Eq, LtS, LtU};
                        let holds = |op| scaly_interp::interpreter::int_compare(op, x, y);
                        let equal = if holds(Eq) { EQUAL } else { EVERY & !EQUAL };
                        let signed = if holds(LtS) { LESS_S } else { EVERY & !LESS_S };
                        let unsigned = if holds(LtU) { LESS_U } else { EVERY & !LESS_U };
                        assert_ne!(left & equal & signed & unsigned, 0, "{a:?} {b:?} {x} {y}");
                    }
                }
            }
        }
    }
}
