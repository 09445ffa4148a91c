//! Conditions: comparisons, `and`, `or`, `not`, as branches and as values.
//!
//! A condition of an `if` or a loop is a branch that compares; no bool is made.

use scaly_interp::bytecode::Opcode;
use scaly_interp::machine::IntKind;
use scaly_interp::routine::Routine;

use super::body::Body;
use super::code::Label;
use super::frame::Slot;
use super::operators::{int_kind, known_int};
use super::regions::Want;
use crate::check::hir::{CompareOp, Expr, ExprKind, Type, Types};

/// `a op b` the other way round.
fn swapped(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Lt => CompareOp::Gt,
        CompareOp::Gt => CompareOp::Lt,
        CompareOp::Le => CompareOp::Ge,
        CompareOp::Ge => CompareOp::Le,
    }
}

/// The opposite of `a op b`; of floats it is not, for a NaN.
fn negated(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Lt => CompareOp::Ge,
        CompareOp::Gt => CompareOp::Le,
        CompareOp::Le => CompareOp::Gt,
        CompareOp::Ge => CompareOp::Lt,
    }
}

impl<'h> Body<'_, 'h> {
    /// Jumps to `target` if the condition is `sense`, else goes on behind.
    pub fn branch(&mut self, e: &'h Expr, sense: bool, target: Label) {
        if self.code.is_dead() {
            return;
        }
        let outer = self.at(e.span);
        let mark = self.code.frame.mark();
        self.branch_here(e, sense, target);
        self.code.frame.reset(mark);
        self.code.span = outer;
    }

    fn branch_here(&mut self, e: &'h Expr, sense: bool, target: Label) {
        match &e.kind {
            ExprKind::Bool(value) => {
                if *value == sense {
                    self.code.jump(target);
                }
            }
            ExprKind::Not(operand) => self.branch(operand, !sense, target),
            ExprKind::And(left, right) if sense => {
                let no = self.code.label();
                self.branch(left, false, no);
                self.branch(right, true, target);
                self.code.place(no);
            }
            ExprKind::And(left, right) => {
                self.branch(left, false, target);
                self.branch(right, false, target);
            }
            ExprKind::Or(left, right) if sense => {
                self.branch(left, true, target);
                self.branch(right, true, target);
            }
            ExprKind::Or(left, right) => {
                let yes = self.code.label();
                self.branch(left, true, yes);
                self.branch(right, false, target);
                self.code.place(yes);
            }
            ExprKind::Compare { op, left, right } => self.branch_compare(e, *op, left, right, sense, target),
            ExprKind::Equal { left, right, negate } => self.branch_equal(left, right, sense != *negate, target),
            ExprKind::Is { operand, variant } => {
                let place = self.place(operand);
                let tag = self.tag(place);
                let op = if sense { Opcode::JEqImm } else { Opcode::JNeImm };
                self.code.branch(op, tag, Slot(0), target, *variant);
            }
            ExprKind::Call { routine, arguments } if self.inline_branch(*routine, arguments, sense, target) => {}
            _ => {
                let slot = self.any(e, Want::Borrow);
                let op = if sense { Opcode::JIf } else { Opcode::JIfNot };
                self.code.branch(op, slot, Slot(0), target, 0);
            }
        }
    }

    fn branch_compare(
        &mut self,
        e: &'h Expr,
        op: CompareOp,
        left: &'h Expr,
        right: &'h Expr,
        sense: bool,
        target: Label,
    ) {
        match (self.types().get(left.ty), int_kind(self.types(), left.ty)) {
            (Type::F32 | Type::F64, _) => {
                let single = left.ty == Types::F32;
                let (a, b) = self.operands(left, right);
                let (less, a, b) = match op {
                    CompareOp::Lt => (true, a, b),
                    CompareOp::Gt => (true, b, a),
                    CompareOp::Le => (false, a, b),
                    CompareOp::Ge => (false, b, a),
                };
                let opcode = match (less, sense, single) {
                    (true, true, false) => Opcode::JLtF64,
                    (true, false, false) => Opcode::JNotLtF64,
                    (false, true, false) => Opcode::JLeF64,
                    (false, false, false) => Opcode::JNotLeF64,
                    (true, true, true) => Opcode::JLtF32,
                    (true, false, true) => Opcode::JNotLtF32,
                    (false, true, true) => Opcode::JLeF32,
                    (false, false, true) => Opcode::JNotLeF32,
                };
                self.code.branch(opcode, a, b, target, 0);
            }
            (_, Some(kind)) => {
                let op = if sense { op } else { negated(op) };
                if kind != IntKind::U64 {
                    if let Some(value) = known_int(self.types(), right).and_then(|v| i32::try_from(v).ok()) {
                        let a = self.any(left, Want::Borrow);
                        return self.branch_constant(op, a, value, target);
                    }
                    if let Some(value) = known_int(self.types(), left).and_then(|v| i32::try_from(v).ok()) {
                        let b = self.any(right, Want::Borrow);
                        return self.branch_constant(swapped(op), b, value, target);
                    }
                }
                let (a, b) = self.operands(left, right);
                let (less, a, b) = match op {
                    CompareOp::Lt => (true, a, b),
                    CompareOp::Gt => (true, b, a),
                    CompareOp::Le => (false, a, b),
                    CompareOp::Ge => (false, b, a),
                };
                let opcode = match (less, kind == IntKind::U64) {
                    (true, false) => Opcode::JLtS,
                    (false, false) => Opcode::JLeS,
                    (true, true) => Opcode::JLtU,
                    (false, true) => Opcode::JLeU,
                };
                self.code.branch(opcode, a, b, target, 0);
            }
            (Type::String, _) => {
                let order = self.string_order(left, right);
                let op = if sense { op } else { negated(op) };
                self.branch_constant(op, order, 0, target);
            }
            _ => self.m.internal(e.span, "an order on a type without one"),
        }
    }

    fn branch_constant(&mut self, op: CompareOp, a: Slot, value: i32, target: Label) {
        let opcode = match op {
            CompareOp::Lt => Opcode::JLtSImm,
            CompareOp::Gt => Opcode::JGtSImm,
            CompareOp::Le => Opcode::JLeSImm,
            CompareOp::Ge => Opcode::JGeSImm,
        };
        self.code.branch(opcode, a, Slot(0), target, value as u32);
    }

    fn string_order(&mut self, left: &'h Expr, right: &'h Expr) -> Slot {
        let base = self.code.frame.take(4);
        self.into(left, base, Want::Borrow);
        self.into(right, base.plus(2), Want::Borrow);
        self.code.runtime(base, Routine::StringCompare);
        base
    }

    fn branch_equal(&mut self, left: &'h Expr, right: &'h Expr, sense: bool, target: Label) {
        if int_kind(self.types(), left.ty).is_some() {
            for (value, other) in [(right, left), (left, right)] {
                if let Some(value) = known_int(self.types(), value).and_then(|v| i32::try_from(v).ok()) {
                    let a = self.any(other, Want::Borrow);
                    let op = if sense { Opcode::JEqImm } else { Opcode::JNeImm };
                    return self.code.branch(op, a, Slot(0), target, value as u32);
                }
            }
        }
        if let Some(equal) = self.equal_called(left, right) {
            let op = if sense { Opcode::JIf } else { Opcode::JIfNot };
            return self.code.branch(op, equal, Slot(0), target, 0);
        }
        let (a, b) = self.operands(left, right);
        self.branch_equal_slots(left.ty, a, b, sense, target);
    }

    /// A condition as 1 or 0.
    pub fn condition_value(&mut self, e: &'h Expr, to: Slot) {
        match &e.kind {
            ExprKind::Not(operand) if !is_branchy(operand) => {
                let from = self.any(operand, Want::Borrow);
                self.code.op2(Opcode::NotBool, to, from);
            }
            ExprKind::Compare { op, left, right }
                if matches!(self.types().get(left.ty), Type::F32 | Type::F64)
                    || int_kind(self.types(), left.ty).is_some() =>
            {
                self.compare_value(*op, left, right, to);
            }
            ExprKind::Equal { left, right, negate } if self.is_scalar(left) => {
                let float = match left.ty {
                    Types::F64 => Some(if *negate { Opcode::NeF64 } else { Opcode::EqF64 }),
                    Types::F32 => Some(if *negate { Opcode::NeF32 } else { Opcode::EqF32 }),
                    _ => None,
                };
                if float.is_none() {
                    for (value, other) in [(right, left), (left, right)] {
                        if let Some(value) = known_int(self.types(), value) {
                            let a = self.any(other, Want::Borrow);
                            let op = if *negate { Opcode::NeImm } else { Opcode::EqImm };
                            return self.code.imm(op, to, a, value);
                        }
                    }
                }
                let (a, b) = self.operands(left, right);
                let op = float.unwrap_or(if *negate { Opcode::Ne } else { Opcode::Eq });
                self.code.op(op, to, a, b);
            }
            ExprKind::Equal { left, right, negate } => {
                let equal = match self.equal_called(left, right) {
                    Some(equal) => equal,
                    None => {
                        let (a, b) = self.operands(left, right);
                        self.equal_slots(left.ty, a, b)
                    }
                };
                let op = if *negate { Opcode::NotBool } else { Opcode::Move };
                self.code.op2(op, to, equal);
            }
            ExprKind::Is { operand, variant } => {
                let place = self.place(operand);
                let tag = self.tag(place);
                self.code.imm(Opcode::EqImm, to, tag, i64::from(*variant));
            }
            _ => {
                let (no, end) = (self.code.label(), self.code.label());
                self.branch(e, false, no);
                self.code.constant(to, 1);
                self.code.jump(end);
                self.code.place(no);
                self.code.constant(to, 0);
                self.code.place(end);
            }
        }
    }

    fn is_scalar(&self, e: &Expr) -> bool {
        matches!(self.types().get(e.ty), Type::F32 | Type::F64) || int_kind(self.types(), e.ty).is_some()
    }

    fn compare_value(&mut self, op: CompareOp, left: &'h Expr, right: &'h Expr, to: Slot) {
        let Some(kind) = int_kind(self.types(), left.ty) else {
            let single = left.ty == Types::F32;
            let (a, b) = self.operands(left, right);
            let (opcode, a, b) = match (op, single) {
                (CompareOp::Lt, false) => (Opcode::LtF64, a, b),
                (CompareOp::Gt, false) => (Opcode::LtF64, b, a),
                (CompareOp::Le, false) => (Opcode::LeF64, a, b),
                (CompareOp::Ge, false) => (Opcode::LeF64, b, a),
                (CompareOp::Lt, true) => (Opcode::LtF32, a, b),
                (CompareOp::Gt, true) => (Opcode::LtF32, b, a),
                (CompareOp::Le, true) => (Opcode::LeF32, a, b),
                (CompareOp::Ge, true) => (Opcode::LeF32, b, a),
            };
            return self.code.op(opcode, to, a, b);
        };
        let signed = kind != IntKind::U64;
        let constant = if signed {
            let of_right = known_int(self.types(), right).map(|v| (op, left, v));
            of_right.or_else(|| known_int(self.types(), left).map(|v| (swapped(op), right, v)))
        } else {
            None
        };
        if let Some((op, operand, value)) = constant {
            let a = self.any(operand, Want::Borrow);
            let opcode = match op {
                CompareOp::Lt => Opcode::LtSImm,
                CompareOp::Gt => Opcode::GtSImm,
                CompareOp::Le => Opcode::LeSImm,
                CompareOp::Ge => Opcode::GeSImm,
            };
            return self.code.imm(opcode, to, a, value);
        }
        let (a, b) = self.operands(left, right);
        let (less, a, b) = match op {
            CompareOp::Lt => (true, a, b),
            CompareOp::Gt => (true, b, a),
            CompareOp::Le => (false, a, b),
            CompareOp::Ge => (false, b, a),
        };
        let opcode = match (less, signed) {
            (true, true) => Opcode::LtS,
            (false, true) => Opcode::LeS,
            (true, false) => Opcode::LtU,
            (false, false) => Opcode::LeU,
        };
        self.code.op(opcode, to, a, b);
    }
}

/// Whether the opposite of a condition is best made by branching.
fn is_branchy(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::And(..) | ExprKind::Or(..) => true,
        ExprKind::Not(operand) => is_branchy(operand),
        _ => false,
    }
}
