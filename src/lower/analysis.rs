//! What can be seen of an expression without lowering it.
//!
//! Questions that are asked at every node get a budget, so that lowering stays linear; the answer behind it is the
//! careful one.

use rustc_hash::FxHashSet;

use crate::check::hir::{Body, Expr, ExprKind, LocalId, LocalKind, Program, Routine, ShowPart};

/// Nodes that a question at one node may look at.
const BUDGET: u32 = 64;

/// Calls `f` with each direct part of an expression, in the order of evaluation.
pub fn parts<'h>(e: &'h Expr, f: &mut dyn FnMut(&'h Expr)) {
    match &e.kind {
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
        | ExprKind::Return(None)
        | ExprKind::Nothing => {}
        ExprKind::Field { base, .. } | ExprKind::Payload { base, .. } | ExprKind::AnyPayload { base } => f(base),
        ExprKind::Index { base, index } => {
            f(base);
            f(index);
        }
        ExprKind::Move(e)
        | ExprKind::Copy(e)
        | ExprKind::Not(e)
        | ExprKind::Convert(e)
        | ExprKind::AsSlice(e)
        | ExprKind::Return(Some(e))
        | ExprKind::Drop(e) => f(e),
        ExprKind::Unary { operand, .. } | ExprKind::Is { operand, .. } => f(operand),
        ExprKind::Binary { left, right, .. }
        | ExprKind::Compare { left, right, .. }
        | ExprKind::Equal { left, right, .. }
        | ExprKind::And(left, right)
        | ExprKind::Or(left, right) => {
            f(left);
            f(right);
        }
        ExprKind::Struct(items)
        | ExprKind::Elements(items)
        | ExprKind::Block(items)
        | ExprKind::Variant { payload: items, .. }
        | ExprKind::Call { arguments: items, .. } => items.iter().for_each(f),
        ExprKind::CallValue { callee, arguments } => {
            f(callee);
            arguments.iter().for_each(f);
        }
        ExprKind::Show(items) | ExprKind::Print { parts: items, .. } => {
            for item in items {
                if let ShowPart::Value(value, _) = item {
                    f(value);
                }
            }
        }
        ExprKind::If { condition, then, otherwise } => {
            f(condition);
            f(then);
            otherwise.iter().for_each(|e| f(e));
        }
        ExprKind::Match { value, arms, otherwise, .. } => {
            f(value);
            for arm in arms {
                arm.values.iter().for_each(&mut *f);
                f(&arm.body);
            }
            otherwise.iter().for_each(|e| f(e));
        }
        ExprKind::Choose { subject, arms, otherwise } => {
            f(subject);
            arms.iter().for_each(|arm| f(&arm.body));
            otherwise.iter().for_each(|e| f(e));
        }
        ExprKind::ForRange { lo, hi, body, .. } => {
            f(lo);
            f(hi);
            f(body);
        }
        ExprKind::ForEach { collection, body, .. } => {
            f(collection);
            f(body);
        }
        ExprKind::While { condition: first, body, .. } | ExprKind::WhileLet { value: first, body, .. } => {
            f(first);
            f(body);
        }
        ExprKind::Repeat { body, .. } => f(body),
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

/// Whether evaluating the expression surely writes no variable of the routine and always comes to its end.
pub fn quiet(program: &Program, e: &Expr) -> bool {
    quiet_within(program, e, &mut BUDGET.clone())
}

fn quiet_within(program: &Program, e: &Expr, budget: &mut u32) -> bool {
    if *budget == 0 {
        return false;
    }
    *budget -= 1;
    let here = match &e.kind {
        ExprKind::Call { routine, .. } => {
            let routine = program.routine(*routine);
            let pure = |p: &crate::check::hir::ParamSummary| !p.changes && !p.reshapes && !p.writes;
            routine.summary.params.iter().all(pure)
        }
        // What an unknown routine does to elements is unknown.
        ExprKind::CallValue { .. }
        | ExprKind::Block(_)
        | ExprKind::Match { .. }
        | ExprKind::Choose { .. }
        | ExprKind::ForRange { .. }
        | ExprKind::ForEach { .. }
        | ExprKind::While { .. }
        | ExprKind::WhileLet { .. }
        | ExprKind::Repeat { .. }
        | ExprKind::Break(_)
        | ExprKind::Continue(_)
        | ExprKind::Return(_)
        | ExprKind::Let { .. }
        | ExprKind::Assign { .. }
        | ExprKind::Modify { .. } => false,
        // Moving out may zero what it moves.
        ExprKind::Move(_) => is_scalar(program, e),
        _ => true,
    };
    let mut all = here;
    if all {
        parts(e, &mut |part| all = all && quiet_within(program, part, budget));
    }
    all
}

fn is_scalar(program: &Program, e: &Expr) -> bool {
    use crate::check::hir::Type;
    matches!(program.types.get(e.ty), Type::Bool | Type::Char | Type::Int(_) | Type::F32 | Type::F64)
}

/// Whether building the expression piece by piece where the local lies could go wrong: it names the local, or may leave
/// halfway.
pub fn needs(e: &Expr, local: LocalId) -> bool {
    needs_within(e, local, &mut BUDGET.clone())
}

fn needs_within(e: &Expr, local: LocalId, budget: &mut u32) -> bool {
    if *budget == 0 {
        return true;
    }
    *budget -= 1;
    match &e.kind {
        ExprKind::Local(l) => *l == local,
        ExprKind::Break(_) | ExprKind::Continue(_) | ExprKind::Return(_) | ExprKind::Lambda { .. } => true,
        _ => {
            let mut any = false;
            parts(e, &mut |part| any = any || needs_within(part, local, budget));
            any
        }
    }
}

/// The variable at the left end of a place.
pub fn root(e: &Expr) -> Option<LocalId> {
    match &e.kind {
        ExprKind::Local(local) => Some(*local),
        ExprKind::Field { base, .. }
        | ExprKind::Index { base, .. }
        | ExprKind::Payload { base, .. }
        | ExprKind::AnyPayload { base }
        | ExprKind::AsSlice(base)
        | ExprKind::Move(base) => root(base),
        _ => None,
    }
}

/// Whether resolving the place has no effect but a runtime error, so that it may be done later or earlier.
pub fn is_simple_place(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Local(_) | ExprKind::Global(_) => true,
        ExprKind::Field { base, .. } | ExprKind::AsSlice(base) | ExprKind::Move(base) => is_simple_place(base),
        ExprKind::Payload { base, .. } | ExprKind::AnyPayload { base } => is_simple_place(base),
        ExprKind::Index { base, index } => {
            is_simple_place(base) && matches!(index.kind, ExprKind::Local(_) | ExprKind::Int(_))
        }
        _ => false,
    }
}

/// The locals that are what a routine returns, or part of it: their storage is made in the region of the result.
pub fn escaping(routine: &Routine, body: &Expr) -> Vec<bool> {
    let mut found = FxHashSet::default();
    body.given_back(&mut found);
    returns(body, &mut found);
    let mut flags = vec![false; routine.locals.len()];
    for local in found {
        let index = local.0 as usize;
        flags[index] = matches!(routine.locals[index].kind, LocalKind::Let | LocalKind::Var | LocalKind::Temporary);
    }
    flags
}

fn returns(e: &Expr, found: &mut FxHashSet<LocalId>) {
    if let ExprKind::Return(Some(value)) = &e.kind {
        value.given_back(found);
    }
    parts(e, &mut |part| returns(part, found));
}

/// The name of a routine that has no body in the tree.
pub fn intrinsic(routine: &Routine) -> Option<&str> {
    match &routine.body {
        Body::Intrinsic { name, .. } => Some(name),
        Body::Code(_) => None,
    }
}
