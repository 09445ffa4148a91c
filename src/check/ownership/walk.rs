//! The parts of an expression, in the order in which they are evaluated.

use crate::check::hir::{Expr, ExprKind, ShowPart};

/// Generates the shared and the exclusive form of the same walk.
macro_rules! children {
    ($(#[$doc:meta])* $name:ident, $as:ident, [$($mutable:tt)?]) => {
        $(#[$doc])*
        pub fn $name<'e>(e: &'e $($mutable)? Expr, f: &mut dyn FnMut(&'e $($mutable)? Expr)) {
            match & $($mutable)? e.kind {
                ExprKind::Void
                | ExprKind::Int(_)
                | ExprKind::Float(_)
                | ExprKind::Bool(_)
                | ExprKind::Char(_)
                | ExprKind::Text(_)
                | ExprKind::Zero
                | ExprKind::Local(_)
                | ExprKind::Global(_)
                | ExprKind::Lambda { .. }
                | ExprKind::RoutineValue(_)
                | ExprKind::Break(_)
                | ExprKind::Continue(_)
                | ExprKind::Nothing => {}
                ExprKind::Field { base, .. } | ExprKind::Payload { base, .. } | ExprKind::AnyPayload { base } => f(base),
                ExprKind::Index { base, index } => {
                    f(base);
                    f(index);
                }
                ExprKind::Move(x)
                | ExprKind::Copy(x)
                | ExprKind::Not(x)
                | ExprKind::Convert(x)
                | ExprKind::AsSlice(x)
                | ExprKind::Drop(x)
                | ExprKind::Unary { operand: x, .. }
                | ExprKind::Is { operand: x, .. } => f(x),
                ExprKind::Binary { left, right, .. }
                | ExprKind::Compare { left, right, .. }
                | ExprKind::Equal { left, right, .. }
                | ExprKind::And(left, right)
                | ExprKind::Or(left, right) => {
                    f(left);
                    f(right);
                }
                ExprKind::Struct(es) | ExprKind::Elements(es) | ExprKind::Block(es) => es.$as().for_each(f),
                ExprKind::Variant { payload, .. } => payload.$as().for_each(f),
                ExprKind::Show(parts) | ExprKind::Print { parts, .. } => {
                    for part in parts {
                        match part {
                            ShowPart::Literal(_) => {}
                            ShowPart::Value(e, _) => f(e),
                        }
                    }
                }
                ExprKind::Call { arguments, .. } => arguments.$as().for_each(f),
                ExprKind::CallValue { callee, arguments } => {
                    f(callee);
                    arguments.$as().for_each(f);
                }
                ExprKind::If { condition, then, otherwise } => {
                    f(condition);
                    f(then);
                    if let Some(e) = otherwise {
                        f(e);
                    }
                }
                ExprKind::Match { value, arms, otherwise, .. } => {
                    f(value);
                    for arm in arms {
                        arm.values.$as().for_each(&mut *f);
                        f(& $($mutable)? arm.body);
                    }
                    if let Some(e) = otherwise {
                        f(e);
                    }
                }
                ExprKind::Choose { subject, arms, otherwise } => {
                    f(subject);
                    for arm in arms {
                        f(& $($mutable)? arm.body);
                    }
                    if let Some(e) = otherwise {
                        f(e);
                    }
                }
                ExprKind::ForRange { lo, hi, body, .. } => {
                    f(lo);
                    f(hi);
                    f(body);
                }
                ExprKind::ForEach { collection: first, body, .. }
                | ExprKind::While { condition: first, body, .. }
                | ExprKind::WhileLet { value: first, body, .. } => {
                    f(first);
                    f(body);
                }
                ExprKind::Repeat { body, .. } => f(body),
                ExprKind::Return(value) => {
                    if let Some(e) = value {
                        f(e);
                    }
                }
                ExprKind::Let { value, .. } => f(value),
                ExprKind::Assign { place, value } => {
                    f(value);
                    f(place);
                }
                ExprKind::Modify { place, value, new, .. } => {
                    f(value);
                    f(place);
                    f(new);
                }
            }
        }
    };
}

children!(
    /// Calls `f` on each part of `e`.
    children, iter, []
);
children!(
    /// Calls `f` on each part of `e`, to change it.
    children_mut, iter_mut, [mut]
);
