//! What becomes part of a value.

use rustc_hash::FxHashSet;

use super::{Expr, ExprKind, LocalId};

impl Expr {
    /// Adds the locals that are what the expression gives, or part of it.
    pub fn given_back(&self, found: &mut FxHashSet<LocalId>) {
        match &self.kind {
            ExprKind::Local(local) => {
                found.insert(*local);
            }
            ExprKind::Move(place) => place.given_back(found),
            ExprKind::Struct(items) | ExprKind::Variant { payload: items, .. } | ExprKind::Elements(items) => {
                items.iter().for_each(|item| item.given_back(found));
            }
            ExprKind::Block(items) => items.iter().next_back().into_iter().for_each(|item| item.given_back(found)),
            ExprKind::If { then, otherwise, .. } => {
                then.given_back(found);
                otherwise.iter().for_each(|e| e.given_back(found));
            }
            ExprKind::Match { arms, otherwise, .. } => {
                arms.iter().for_each(|arm| arm.body.given_back(found));
                otherwise.iter().for_each(|e| e.given_back(found));
            }
            ExprKind::Choose { arms, otherwise, .. } => {
                arms.iter().for_each(|arm| arm.body.given_back(found));
                otherwise.iter().for_each(|e| e.given_back(found));
            }
            _ => {}
        }
    }
}
