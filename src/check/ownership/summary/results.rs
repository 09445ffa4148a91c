//! What the results of routines that give slices view.

use crate::check::hir::{Expr, ExprKind};
use crate::check::ownership::place::{Places, Step};
use crate::check::ownership::views::Views;
use crate::check::ownership::walk::children;

/// The places that returned slices show; notes declarations on the way. Bindings and a `let` of a place are taken for
/// views of the place: where they turn out to be copies, returning a slice of them is an error.
pub(super) fn results(e: &Expr, views: &mut Views, depth: u32, out: &mut Places) {
    match &e.kind {
        ExprKind::Let { local, value, .. } => {
            results(value, views, depth, out);
            if value.is_place() || views.is_slice(value.ty) {
                let places = views.of(value, depth);
                views.show(*local, places);
            }
        }
        ExprKind::Choose { subject, arms, otherwise } => {
            results(subject, views, depth, out);
            let shown = views.of(subject, depth);
            for arm in arms {
                for (field, binding) in arm.bindings.iter().enumerate() {
                    if let Some(local) = binding {
                        let places = views.payload(&shown, subject.ty, arm.variant, field as u32);
                        views.show(*local, places);
                    }
                }
                results(&arm.body, views, depth, out);
            }
            if let Some(e) = otherwise {
                results(e, views, depth, out);
            }
        }
        ExprKind::ForEach { variable, collection: shown, body, .. }
        | ExprKind::WhileLet { variable, value: shown, body, .. } => {
            results(shown, views, depth, out);
            let mut places = views.of(shown, depth);
            let step = match e.kind {
                ExprKind::ForEach { .. } => Step::Index,
                _ => Step::Payload { variant: 1, field: 0 },
            };
            places.iter_mut().for_each(|place| place.push(step, false));
            views.show(*variable, places);
            results(body, views, depth, out);
        }
        ExprKind::Return(Some(value)) => {
            results(value, views, depth, out);
            out.extend(views.of(value, depth));
        }
        _ => children(e, &mut |part| results(part, views, depth, out)),
    }
}
