//! Arithmetic that is the same in every iteration of an innermost loop, computed once before it.
//!
//! The trace compiler does this better; the interpreter pays for `i * columns` in each iteration otherwise. Only what
//! has no effect and no error is moved, from places that each iteration comes to.

use rustc_hash::FxHashSet;

use super::analysis;
use super::body::Body;
use super::operators::known;
use super::regions::Want;
use crate::check::hir::{BinaryOp, Expr, ExprKind, LocalId, Type, UnaryOp};

/// How many values wait in slots during a loop.
const MOST: usize = 8;
/// Nodes of the largest loop that is looked at.
const LARGEST: u32 = 400;

/// What a loop writes.
#[derive(Default)]
struct Written {
    locals: FxHashSet<LocalId>,
    nodes: u32,
    /// Another loop is in it, or it is too large.
    given_up: bool,
}

impl<'h> Body<'_, 'h> {
    /// Computes before a loop what its parts compute in each iteration; `also` are the loop's own variables.
    pub fn hoist_invariants(&mut self, parts: &[&'h Expr], also: &[LocalId]) {
        let mut written = Written { locals: also.iter().copied().collect(), ..Written::default() };
        for part in parts {
            self.note_written(part, &mut written);
        }
        if written.given_up {
            return;
        }
        let mut found = Vec::new();
        for part in parts {
            self.find_invariants(part, &written.locals, &mut found);
        }
        for e in found {
            let slot = self.code.frame.take(1);
            self.into(e, slot, Want::Borrow);
            self.invariants.insert(std::ptr::from_ref(e), slot);
        }
    }

    fn note_written(&self, e: &'h Expr, written: &mut Written) {
        written.nodes += 1;
        written.given_up |= written.nodes > LARGEST;
        if written.given_up {
            return;
        }
        match &e.kind {
            ExprKind::ForRange { .. }
            | ExprKind::ForEach { .. }
            | ExprKind::While { .. }
            | ExprKind::WhileLet { .. }
            | ExprKind::Repeat { .. } => return written.given_up = true,
            ExprKind::Let { local, .. } => {
                written.locals.insert(*local);
            }
            ExprKind::Assign { place, .. } | ExprKind::Move(place) => written.locals.extend(analysis::root(place)),
            ExprKind::Modify { place, operand, old, .. } => {
                written.locals.extend([*operand, *old]);
                written.locals.extend(analysis::root(place));
            }
            ExprKind::Match { subject, .. } => {
                written.locals.insert(*subject);
            }
            ExprKind::Choose { arms, .. } => {
                written.locals.extend(arms.iter().flat_map(|arm| &arm.bindings).flatten());
            }
            ExprKind::Call { routine, arguments } => {
                let params = &self.hir.routine(*routine).summary.params;
                for (argument, param) in arguments.iter().zip(params) {
                    if param.changes || param.reshapes {
                        written.locals.extend(analysis::root(argument));
                    }
                }
            }
            _ => {}
        }
        analysis::parts(e, &mut |part| self.note_written(part, written));
    }

    fn find_invariants(&self, e: &'h Expr, written: &FxHashSet<LocalId>, found: &mut Vec<&'h Expr>) {
        if found.len() >= MOST {
            return;
        }
        let operation = matches!(e.kind, ExprKind::Binary { .. } | ExprKind::Unary { .. } | ExprKind::Convert(_));
        if operation && known(self.types(), e).is_none() && self.is_invariant(e, written, 8) {
            return found.push(e);
        }
        match &e.kind {
            // Parts that not every iteration comes to stay where they are.
            ExprKind::If { condition, .. } => self.find_invariants(condition, written, found),
            ExprKind::Match { value, .. } => self.find_invariants(value, written, found),
            ExprKind::Choose { subject, .. } => self.find_invariants(subject, written, found),
            ExprKind::And(left, _) | ExprKind::Or(left, _) => self.find_invariants(left, written, found),
            _ => analysis::parts(e, &mut |part| self.find_invariants(part, written, found)),
        }
    }

    fn is_invariant(&self, e: &Expr, written: &FxHashSet<LocalId>, depth: u32) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        if !matches!(self.types().get(e.ty), Type::Int(_) | Type::F32 | Type::F64) {
            return false;
        }
        match &e.kind {
            ExprKind::Int(_) | ExprKind::Float(_) => true,
            ExprKind::Local(_) | ExprKind::Field { .. } => is_variable(e, written),
            ExprKind::Unary { op: UnaryOp::Neg | UnaryOp::Not, operand } | ExprKind::Convert(operand) => {
                self.is_invariant(operand, written, depth)
            }
            ExprKind::Binary { op, left, right } => {
                let total = match op {
                    BinaryOp::Concat => false,
                    BinaryOp::Div | BinaryOp::Rem => !matches!(self.types().get(e.ty), Type::Int(_)),
                    _ => true,
                };
                total && self.is_invariant(left, written, depth) && self.is_invariant(right, written, depth)
            }
            _ => false,
        }
    }
}

/// A variable, or a field of one, that the loop does not write.
fn is_variable(e: &Expr, written: &FxHashSet<LocalId>) -> bool {
    match &e.kind {
        ExprKind::Local(local) => !written.contains(local),
        ExprKind::Field { base, .. } => is_variable(base, written),
        _ => false,
    }
}
