//! Matches the rules, and does what they cannot say: operands with numbers of their own (offsets, types), ranges.

use scaly_interp::interpreter::int_bytes;
use scaly_interp::machine::{IntKind, IntMemory, IntOp, IntUnary};
use scaly_interp::program::Pc;

use super::range::Range;
use super::rules::{self, Rule, Term, commutes, kind_bits};
use super::{Builder, frame};
use crate::region::{self, Op, Type};
use crate::trace::{self, Const, Ref};

/// The largest offset of a memory operand: the assembler has 31 bits for it.
pub const MAX_OFFSET: i64 = i32::MAX as i64;

/// What the letters of a rule stand for.
type Bindings = [Ref; rules::LETTERS];

impl Builder {
    /// The operation that computes a value, where it may be looked through: not behind the loop's marker through what
    /// changes from one iteration to the next, or two iterations' values would have to be carried.
    pub(super) fn look(&self, r: Ref) -> Option<(Op, Ref, Ref)> {
        if r.is_constant() || r.is_none() || self.varies(r) {
            return None;
        }
        match self.trace.inst(r) {
            trace::Inst { op: trace::Op::Common(op), a, b, .. } => Some((*op, *a, *b)),
            _ => None,
        }
    }

    /// A simpler way to compute a pure operation, if there is one.
    pub(super) fn simplify(&mut self, op: Op, a: Ref, b: Ref, pc: Pc) -> Option<Ref> {
        match op {
            Op::Reread(ty) => return self.reread(ty, a, pc),
            Op::BitsFloat => return Some(self.common(Op::Reread(Type::Float), a, Ref::NONE, pc)),
            Op::BitsSingle => return Some(self.common(Op::Reread(Type::Single), a, Ref::NONE, pc)),
            Op::Element { stride, offset } => return self.element(stride, offset, a, b, pc),
            Op::IntUnary(IntUnary::Wrap(kind)) => return self.wrap_less(kind, a, pc),
            Op::CondWord | Op::Not => {
                if let Some(known) = self.known(a) {
                    let known = self.constant(Const::Cond(known));
                    return Some(self.common(op, known, Ref::NONE, pc));
                }
            }
            Op::Int(IntOp::And) => {
                if let Some(masked) = self.mask_only(a, b, pc) {
                    return Some(masked);
                }
            }
            Op::Compare(_) => {
                if let Some(known) = self.decided(op, a, b) {
                    return Some(self.constant(Const::Cond(known)));
                }
            }
            _ => {}
        }
        for rule in rules::rules(op) {
            if let Some(bindings) = self.matches_rule(rule, op, a, b) {
                return Some(self.build(&rule.right, &bindings, pc));
            }
        }
        None
    }

    fn matches_rule(&mut self, rule: &Rule, op: Op, a: Ref, b: Ref) -> Option<Bindings> {
        let Term::Op(_, terms) = &rule.left else { return None };
        let bindings = self.match_operands(op, terms, a, b, [Ref::NONE; rules::LETTERS])?;
        rule.conditions.iter().all(|condition| self.holds(condition, &bindings)).then_some(bindings)
    }

    fn match_operands(&self, op: Op, terms: &[Term], a: Ref, b: Ref, bindings: Bindings) -> Option<Bindings> {
        match *terms {
            [ref one] => self.match_term(one, a, bindings),
            [ref left, ref right] => {
                let both = |a, b| self.match_term(right, b, self.match_term(left, a, bindings)?);
                both(a, b).or_else(|| if commutes(op) { both(b, a) } else { None })
            }
            _ => None,
        }
    }

    fn match_term(&self, term: &Term, r: Ref, mut bindings: Bindings) -> Option<Bindings> {
        let same = |constant: Const| self.trace.constant(r) == Some(constant);
        match term {
            Term::Any(letter) | Term::AnyConst(letter) => {
                if matches!(term, Term::AnyConst(_)) && !r.is_constant() {
                    return None;
                }
                let bound = &mut bindings[*letter];
                if bound.is_none() {
                    *bound = r;
                }
                (*bound == r).then_some(bindings)
            }
            Term::Const(constant) => same(*constant).then_some(bindings),
            Term::Width(less) => same(Const::Word(64 - less)).then_some(bindings),
            Term::NonNegative(_) => None,
            Term::Op(op, terms) => {
                let (found, a, b) = self.look(r)?;
                if found == *op { self.match_operands(*op, terms, a, b, bindings) } else { None }
            }
        }
    }

    /// A condition of a rule: it computes with constants only.
    fn holds(&mut self, condition: &Term, bindings: &Bindings) -> bool {
        if let Term::NonNegative(letter) = condition {
            return self.range(bindings[*letter]).low >= 0;
        }
        self.evaluate(condition, bindings) == Some(Const::Cond(true))
    }

    fn evaluate(&self, term: &Term, bindings: &Bindings) -> Option<Const> {
        match term {
            Term::Any(letter) | Term::AnyConst(letter) => self.trace.constant(bindings[*letter]),
            Term::Const(constant) => Some(*constant),
            Term::Width(less) => Some(Const::Word(64 - less)),
            Term::NonNegative(_) => None,
            Term::Op(op, terms) => {
                let a = self.evaluate(terms.first()?, bindings)?;
                let b = match terms.get(1) {
                    Some(term) => Some(self.evaluate(term, bindings)?),
                    None => None,
                };
                super::constant::value(*op, a, b)
            }
        }
    }

    fn build(&mut self, term: &Term, bindings: &Bindings, pc: Pc) -> Ref {
        match term {
            Term::Any(letter) | Term::AnyConst(letter) => bindings[*letter],
            Term::Const(constant) => self.constant(*constant),
            Term::Width(less) => self.word(64 - less),
            Term::NonNegative(_) => Ref::NONE,
            Term::Op(op, terms) => {
                let a = terms.first().map_or(Ref::NONE, |term| self.build(term, bindings, pc));
                let b = terms.get(1).map_or(Ref::NONE, |term| self.build(term, bindings, pc));
                self.common(*op, a, b, pc)
            }
        }
    }

    /// A wrap needs none inside that is as wide or wider, and none at all of what is in range.
    fn wrap_less(&mut self, kind: IntKind, a: Ref, pc: Pc) -> Option<Ref> {
        if self.range(a).fits(kind) {
            return Some(a);
        }
        let outer = Op::IntUnary(IntUnary::Wrap(kind));
        let (op, left, right) = self.look(a)?;
        let (less, other) = (self.unwrapped(kind, left), self.unwrapped(kind, right));
        match op {
            Op::IntUnary(IntUnary::Wrap(inner)) if kind_bits(inner) >= kind_bits(kind) => {
                return Some(self.common(outer, left, Ref::NONE, pc));
            }
            Op::IntUnary(IntUnary::Neg | IntUnary::Not) => {}
            Op::Int(IntOp::Add | IntOp::And | IntOp::Mul | IntOp::Or | IntOp::Sub | IntOp::Xor) => {}
            _ => return None,
        }
        if less == left && other == right {
            return None;
        }
        let inner = self.common(op, less, other, pc);
        Some(self.common(outer, inner, Ref::NONE, pc))
    }

    /// Of an unsigned wrap and a mask one mask.
    fn mask_only(&mut self, a: Ref, b: Ref, pc: Pc) -> Option<Ref> {
        let mask = self.trace.word(b)?;
        let (Op::IntUnary(IntUnary::Wrap(kind)), from, _) = self.look(a)? else { return None };
        let kept = Range::of_kind(kind);
        let mask = self.word(mask & kept.high);
        (kept.low == 0).then(|| self.common(Op::Int(IntOp::And), from, mask, pc))
    }

    /// A value whose low bits are the same.
    fn unwrapped(&self, kind: IntKind, r: Ref) -> Ref {
        match self.look(r) {
            Some((Op::IntUnary(IntUnary::Wrap(inner)), from, _)) if kind_bits(inner) >= kind_bits(kind) => from,
            _ => r,
        }
    }

    /// What is in a slot has no type: reading it as another one is reading the slot so. The detour through an f32 loses
    /// the upper half.
    fn reread(&mut self, ty: Type, a: Ref, pc: Pc) -> Option<Ref> {
        if self.trace.ty(a) == Some(ty) {
            return Some(a);
        }
        if a.is_constant() || self.varies(a) {
            return None;
        }
        match *self.trace.inst(a) {
            trace::Inst { op: trace::Op::Slot { slot, epoch, .. }, .. } => {
                // If memory still holds what was read.
                let since = &self.trace.insts[a.index()..];
                if since.iter().any(|inst| frame::writes(inst.op).contains(&slot)) {
                    return None;
                }
                Some(self.emit(trace::Op::Slot { slot, ty, epoch }, Ref::NONE, Ref::NONE, pc))
            }
            trace::Inst { op: trace::Op::Inherit { .. }, .. } => None,
            trace::Inst { op: trace::Op::Common(Op::Reread(between)), a: from, .. } => {
                let lost = between == Type::Single && self.trace.ty(from) != Some(Type::Single);
                (!lost).then(|| self.common(Op::Reread(ty), from, Ref::NONE, pc))
            }
            _ => None,
        }
    }

    /// Constant parts of base and index go to the offset, so that the fields and the neighbours of an element share one
    /// address. Constant factors of the index stay there: the stride is the size of the array's elements, by which arrays
    /// are told from one another (`owners`).
    fn element(&mut self, stride: u32, offset: u32, base: Ref, index: Ref, pc: Pc) -> Option<Ref> {
        let (stride, offset) = (i64::from(stride), i64::from(offset));
        if let Some(index) = self.trace.word(index) {
            let bytes = self.word(index.wrapping_mul(stride).wrapping_add(offset));
            return Some(self.common(Op::Int(IntOp::Add), base, bytes, pc));
        }
        let element = |stride: i64, offset: i64| {
            let fits = (0..=MAX_OFFSET).contains(&stride) && (0..=MAX_OFFSET).contains(&offset);
            fits.then_some(Op::Element { stride: stride as u32, offset: offset as u32 })
        };
        if let Some((from, bytes)) = self.plus(base)
            && let Some(op) = offset.checked_add(bytes).and_then(|offset| element(stride, offset))
        {
            return Some(self.common(op, from, index, pc));
        }
        if let Some((from, count)) = self.plus(index)
            && let Some(bytes) = count.checked_mul(stride)
            && let Some(op) = offset.checked_add(bytes).and_then(|offset| element(stride, offset))
        {
            return Some(self.common(op, base, from, pc));
        }
        None
    }

    /// A value as another one and a constant that is added to it.
    fn plus(&self, r: Ref) -> Option<(Ref, i64)> {
        let (Op::Int(IntOp::Add), a, b) = self.look(r)? else { return None };
        Some((a, self.trace.word(b)?))
    }

    /// The address and offset of a load or store, with what is constant in the offset.
    pub(super) fn address(&mut self, mut address: Ref, offset: u32, pc: Pc) -> (Ref, u32) {
        let mut offset = i64::from(offset);
        loop {
            let (next, bytes) = match self.look(address) {
                Some((Op::Element { stride, offset: bytes }, base, index)) if bytes > 0 => {
                    if offset + i64::from(bytes) > MAX_OFFSET {
                        break;
                    }
                    (self.common(Op::Element { stride, offset: 0 }, base, index, pc), i64::from(bytes))
                }
                _ => match self.plus(address) {
                    Some(plus) => plus,
                    None => break,
                },
            };
            match offset.checked_add(bytes) {
                Some(sum) if (0..=MAX_OFFSET).contains(&sum) => (address, offset) = (next, sum),
                _ => break,
            }
        }
        (address, offset as u32)
    }

    /// What a store to so many bytes needs of a value: a wrap to as many or more changes nothing.
    pub(super) fn stored(&self, kind: IntMemory, mut value: Ref) -> Ref {
        while let Some((Op::IntUnary(IntUnary::Wrap(wrap)), from, _)) = self.look(value) {
            if kind_bits(wrap) < int_bytes(kind) * 8 {
                break;
            }
            value = from;
        }
        value
    }

    pub(super) fn common(&mut self, op: region::Op, a: Ref, b: Ref, pc: Pc) -> Ref {
        self.emit(trace::Op::Common(op), a, b, pc)
    }
}

#[cfg(test)]
mod tests {
    use scaly_interp::program::LoopId;

    use super::super::proofs::{all_rules, letter_types};
    use super::super::rules::LETTERS;
    use super::super::testing::*;
    use super::*;
    use crate::trace::Root;

    /// A value for a letter that no rule knows anything of, but whether it is negative.
    fn value(b: &mut Builder, slot: u32, ty: Type, natural: bool) -> Ref {
        let (none, pc) = (Ref::NONE, Pc(0));
        let read = |b: &mut Builder, ty| b.emit(trace::Op::Slot { slot, ty, epoch: 0 }, none, none, pc);
        match ty {
            Type::Word if natural => {
                let address = read(b, Type::Word);
                b.common(Op::LoadInt(IntMemory::U32, 0), address, none, pc)
            }
            Type::Cond => {
                let x = read(b, Type::Float);
                let zero = b.constant(Const::Float(0));
                b.common(Op::FloatCompare(scaly_interp::machine::FloatCompare::Lt), x, zero, pc)
            }
            ty => read(b, ty),
        }
    }

    /// Both sides of a law, with these constants.
    fn sides(rule: &Rule, constants: [i64; 2]) -> Option<(Ref, Ref, Builder)> {
        let kinds = letter_types(rule);
        let mut b = Builder::new(Root::Loop(LoopId(0)));
        let mut bindings = [Ref::NONE; LETTERS];
        let natural = rule.conditions.iter().any(|condition| matches!(condition, Term::NonNegative(_)));
        for (letter, ty) in kinds.into_iter().enumerate() {
            let Some(ty) = ty else { continue };
            bindings[letter] = match (letter, ty) {
                (0 | 1, Type::Float) => b.constant(Const::Float((constants[letter] as f64).to_bits())),
                (0 | 1, _) => b.word(constants[letter]),
                _ => value(&mut b, letter as u32, ty, natural),
            };
        }
        if !rule.conditions.iter().all(|condition| b.holds(condition, &bindings)) {
            return None;
        }
        let left = b.build(&rule.left, &bindings, Pc(0));
        let right = b.build(&rule.right, &bindings, Pc(0));
        Some((left, right, b))
    }

    #[test]
    fn each_law_is_applied() {
        for rule in all_rules() {
            let law = rule.law;
            let some = [[3, 5], [8, 3], [-8, 61], [4, 1], [64, 65], [65, 64], [40, 40], [-8, 3]];
            let applied = some.into_iter().find_map(|constants| sides(&rule, constants));
            let Some((left, right, b)) = applied else { panic!("no constants for {law}") };
            assert_eq!(left, right, "{law}\n{}", b.trace);
        }
    }

    fn emitted(text: &str) -> String {
        record(&parsed(text)).trace.to_string()
    }

    #[test]
    fn a_slot_is_read_as_what_it_is_used_as() {
        let found = emitted(
            "loop0 root
            v0: i64 = slot 4 @1
            v1: f64 = reread.f64 v0 @2
            v2: i64 = reread.i64 v1 @2
            v3: f32 = reread.f32 v1 @2
            end return",
        );
        let expected = "loop0 root\nv0: i64 = slot 4 @1\nv1: f64 = slot 4 @2\nv2: f32 = slot 4 @2\nend return\n";
        assert_eq!(found, expected);
    }

    #[test]
    fn a_slot_that_was_overwritten_is_not_read_again() {
        let text = "loop0 root\nk0: i64 = 1\nv0: i64 = slot 4 @1\nstore.slot 4, k0 @1\n\
            v2: f64 = reread.f64 v0 @2\nend return\n";
        assert_eq!(emitted(text), text);
    }

    #[test]
    fn an_f32_in_between_loses_the_upper_half() {
        let text = "loop0 root\nv0: i64 = inherit 0 @1\nv1: f32 = reread.f32 v0 @1\nv2: i64 = reread.i64 v1 @1\n\
            end return\n";
        assert_eq!(emitted(text), text);
    }

    #[test]
    fn fields_and_neighbours_share_an_address() {
        let found = emitted(
            "loop0 root
            k0: i64 = 1
            k1: i64 = 3
            k2: i64 = 24
            v0: i64 = slot 0 @1
            v1: i64 = slot 2 @1
            v2: i64 = element v0, v1 * 24 + 8 @1
            v3: f64 = load.f64 v2 + 8 @1
            v4: i64 = add v1, k0 @1
            v5: i64 = element v0, v4 * 24 + 0 @1
            v6: f64 = load.f64 v5 + 16 @1
            v7: i64 = mul v1, k1 @1
            v8: i64 = element v0, v7 * 24 + 8 @1
            v9: f64 = load.f64 v8 + 24 @1
            v10: i64 = add v0, k2 @1
            v11: i64 = load.i64 v10 + 8 @1
            end return",
        );
        let expected = "
            v5: i64 = element v0, v1 * 24 + 0 @1
            v6: f64 = load.f64 v5 + 16 @1";
        assert!(found.contains("v3: i64 = element v0, v1 * 24 + 0 @1\nv4: f64 = load.f64 v3 + 16 @1\n"), "{found}");
        assert!(found.contains("= load.f64 v3 + 40 @1\n"), "{found}");
        // The factor is not one of the elements' size.
        assert!(found.contains("= element v0, v8 * 24 + 0 @1\nv11: f64 = load.f64 v10 + 32 @1\n"), "{found}");
        assert!(found.contains("= load.i64 v0 + 32 @1\n") && !found.contains(expected.trim()), "{found}");
    }
}
