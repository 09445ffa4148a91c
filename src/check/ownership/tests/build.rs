//! Typed trees by hand.

use crate::check::hir::*;
use crate::source::Span;

pub fn e(kind: ExprKind, ty: TypeId) -> Expr {
    Expr::new(kind, ty, Span::default())
}

pub fn b(kind: ExprKind, ty: TypeId) -> Box<Expr> {
    Box::new(e(kind, ty))
}

pub fn local(n: u32, ty: TypeId) -> Expr {
    e(ExprKind::Local(LocalId(n)), ty)
}

pub fn int(n: i64) -> Expr {
    e(ExprKind::Int(n), Types::I64)
}

pub fn index(base: Expr, i: i64, ty: TypeId) -> Expr {
    e(ExprKind::Index { base: Box::new(base), index: Box::new(int(i)) }, ty)
}

pub fn assign(place: Expr, value: Expr) -> Expr {
    e(ExprKind::Assign { place: Box::new(place), value: Box::new(value) }, Types::VOID)
}

pub fn call(routine: u32, arguments: Vec<Expr>, ty: TypeId) -> Expr {
    e(ExprKind::Call { routine: RoutineId(routine), arguments }, ty)
}

pub fn block(parts: Vec<Expr>, ty: TypeId) -> Expr {
    e(ExprKind::Block(parts), ty)
}

/// A routine whose first locals are its parameters.
pub fn routine(name: &str, params: &[TypeId], locals: &[(LocalKind, TypeId)], result: TypeId, body: Body) -> Routine {
    let all = params.iter().map(|&ty| (LocalKind::Param, ty)).chain(locals.iter().copied());
    Routine {
        name: name.into(),
        kind: RoutineKind::Function,
        params: (0..params.len() as u32).map(LocalId).collect(),
        result,
        locals: all
            .enumerate()
            .map(|(i, (kind, ty))| Local { name: format!("l{i}"), ty, kind, span: Span::default() })
            .collect(),
        body,
        captures: Vec::new(),
        span: Span::default(),
        library: false,
        summary: Summary::default(),
    }
}

pub fn code(e: Expr) -> Body {
    Body::Code(Box::new(e))
}

pub fn intrinsic(name: &str) -> Body {
    Body::Intrinsic { name: name.into(), arguments: Vec::new() }
}
