//! Writes decisions into the tree.

use super::decide::Decisions;
use super::flow::node;
use super::walk::children_mut;
use crate::check::hir::{Body, Expr, ExprKind, Local, LocalId, LocalKind, Routine, Types};

pub fn apply(routine: &mut Routine, mut decisions: Decisions) {
    let Body::Code(body) = &mut routine.body else { return };
    if decisions.is_empty() {
        return;
    }
    let mut apply = Apply { locals: &mut routine.locals, decisions: &mut decisions };
    apply.visit(body);
}

struct Apply<'a> {
    locals: &'a mut Vec<Local>,
    decisions: &'a mut Decisions,
}

impl Apply<'_> {
    fn visit(&mut self, e: &mut Expr) {
        if let ExprKind::Let { local, value, view } = &mut e.kind {
            *view = self.decisions.views.contains(local);
            if *view {
                // What is viewed is not moved.
                self.decisions.moves.remove(&node(value));
            }
        }
        let this = node(e);
        children_mut(e, &mut |part| self.visit(part));
        match &mut e.kind {
            ExprKind::Choose { arms, .. } => {
                for arm in arms {
                    for binding in arm.bindings.iter_mut().flatten() {
                        self.own(binding, &mut arm.body);
                    }
                }
            }
            ExprKind::Lambda { direct, .. } => *direct &= !self.decisions.kept.contains(&this),
            ExprKind::ForEach { variable, body, .. } | ExprKind::WhileLet { variable, body, .. } => {
                self.own(variable, body)
            }
            _ => {}
        }
        if self.decisions.copies.contains(&this) {
            wrap(e, ExprKind::Copy);
        } else if self.decisions.moves.contains(&this) {
            wrap(e, ExprKind::Move);
        }
    }

    /// Where the binding needs a value of its own: binds another name, and declares this one as a copy of it.
    fn own(&mut self, binding: &mut LocalId, body: &mut Expr) {
        if !self.decisions.copied.contains(binding) {
            return;
        }
        let bound = &self.locals[binding.0 as usize];
        let viewed = Local { kind: LocalKind::Binding, ..bound.clone() };
        let (ty, span) = (viewed.ty, viewed.span);
        self.locals.push(viewed);
        let view = LocalId((self.locals.len() - 1) as u32);
        let value = Box::new(Expr::new(ExprKind::Local(view), ty, span));
        let copy = Expr::new(ExprKind::Let { local: *binding, value, view: false }, Types::VOID, span);
        *binding = view;
        let (ty, span) = (body.ty, body.span);
        let inner = std::mem::replace(body, Expr::new(ExprKind::Void, ty, span));
        body.kind = ExprKind::Block(vec![copy, inner]);
    }
}

fn wrap(e: &mut Expr, kind: fn(Box<Expr>) -> ExprKind) {
    let (ty, span) = (e.ty, e.span);
    let inner = std::mem::replace(e, Expr::new(ExprKind::Void, ty, span));
    e.kind = kind(Box::new(inner));
}
