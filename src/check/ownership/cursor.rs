//! Cursors: `var`s that are only ever moved to a part of themselves, as in `set cur: cur.next`.
//!
//! Such a variable need not own what it stands at. It is a view of where it started, and moving it copies slots.

use super::flow::{may_recur, variable};
use super::summary::{Flags, Summaries};
use super::walk::children;
use crate::check::hir::{Expr, ExprKind, LocalId, LocalKind, Program, Routine, Types};

/// The cursors of a routine, as far as one can tell without knowing what else is written.
pub fn cursors(program: &Program, summaries: &Summaries, routine: &Routine, body: &Expr) -> Vec<LocalId> {
    let possible = |kind: LocalKind, ty| kind == LocalKind::Var && may_recur(&program.types, ty);
    if !routine.locals.iter().any(|l| possible(l.kind, l.ty)) {
        return Vec::new();
    }
    let mut find = Find {
        routine,
        summaries,
        part_of: (0..routine.locals.len() as u32).map(LocalId).collect(),
        moved: vec![false; routine.locals.len()],
        changed: vec![false; routine.locals.len()],
    };
    find.visit(body);
    let found = routine
        .locals
        .iter()
        .enumerate()
        .filter(|(i, l)| possible(l.kind, l.ty) && find.moved[*i] && !find.changed[*i]);
    found.map(|(i, _)| LocalId(i as u32)).collect()
}

struct Find<'p> {
    routine: &'p Routine,
    summaries: &'p Summaries,
    /// By local: what it is a part of, for bindings and `let`s of places.
    part_of: Vec<LocalId>,
    moved: Vec<bool>,
    changed: Vec<bool>,
}

impl Find<'_> {
    /// The variable that a place or a binding leads back to.
    fn origin(&self, e: &Expr) -> Option<LocalId> {
        let mut local = variable(e)?;
        while self.part_of[local.0 as usize] != local {
            local = self.part_of[local.0 as usize];
        }
        Some(local)
    }

    fn bind(&mut self, local: LocalId, of: &Expr) {
        if let Some(origin) = self.origin(of)
            && origin != local
        {
            self.part_of[local.0 as usize] = origin;
        }
    }

    fn change(&mut self, e: &Expr) {
        if let Some(local) = variable(e) {
            self.changed[local.0 as usize] = true;
        }
        if let ExprKind::AsSlice(x) = &e.kind {
            self.change(x);
        }
    }

    fn visit(&mut self, e: &Expr) {
        match &e.kind {
            ExprKind::Choose { subject, arms, .. } => {
                for binding in arms.iter().flat_map(|arm| &arm.bindings).flatten() {
                    self.bind(*binding, subject);
                }
            }
            ExprKind::ForEach { variable, collection: of, .. } | ExprKind::WhileLet { variable, value: of, .. } => {
                self.bind(*variable, of)
            }
            ExprKind::Let { local, value, .. } if self.routine.locals[local.0 as usize].kind != LocalKind::Var => {
                self.bind(*local, value)
            }
            ExprKind::Assign { place, value } => match place.kind {
                ExprKind::Local(local) => {
                    if self.part(value, local) {
                        // A variable that is only ever emptied owns what it had.
                        self.moved[local.0 as usize] |= !matches!(value.kind, ExprKind::Variant { .. });
                    } else {
                        self.changed[local.0 as usize] = true;
                    }
                }
                _ => self.change(place),
            },
            ExprKind::Modify { place, .. } => self.change(place),
            ExprKind::Call { routine, arguments } => {
                for (i, argument) in arguments.iter().enumerate() {
                    if self.summaries.parameter(*routine, i).has(Flags::ANY_WRITE) {
                        self.change(argument);
                    }
                }
            }
            _ => {}
        }
        children(e, &mut |part| self.visit(part));
    }

    /// Whether the value is a part of the variable, or nothing.
    fn part(&self, value: &Expr, of: LocalId) -> bool {
        match &value.kind {
            _ if value.ty == Types::NEVER => true,
            ExprKind::Variant { payload, .. } => payload.is_empty(),
            ExprKind::Block(body) => body.last().is_some_and(|last| self.part(last, of)),
            ExprKind::If { then, otherwise: Some(otherwise), .. } => self.part(then, of) && self.part(otherwise, of),
            _ => self.origin(value) == Some(of),
        }
    }
}
