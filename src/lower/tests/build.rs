//! Typed trees by hand.

use crate::check::hir::*;
use crate::source::Span;

pub fn e(kind: ExprKind, ty: TypeId) -> Expr {
    Expr::new(kind, ty, Span::default())
}

pub fn local(n: u32, ty: TypeId) -> Expr {
    e(ExprKind::Local(LocalId(n)), ty)
}

pub fn int(n: i64) -> Expr {
    e(ExprKind::Int(n), Types::I64)
}

pub fn text(t: &str) -> Expr {
    e(ExprKind::Text(t.into()), Types::STRING)
}

pub fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    let ty = left.ty;
    e(ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) }, ty)
}

pub fn compare(op: CompareOp, left: Expr, right: Expr) -> Expr {
    e(ExprKind::Compare { op, left: Box::new(left), right: Box::new(right) }, Types::BOOL)
}

pub fn index(base: Expr, i: Expr, ty: TypeId) -> Expr {
    e(ExprKind::Index { base: Box::new(base), index: Box::new(i) }, ty)
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

pub fn conditional(condition: Expr, then: Expr, otherwise: Expr) -> Expr {
    let ty = then.ty;
    let kind =
        ExprKind::If { condition: Box::new(condition), then: Box::new(then), otherwise: Some(Box::new(otherwise)) };
    e(kind, ty)
}

pub fn bind(n: u32, value: Expr) -> Expr {
    e(ExprKind::Let { local: LocalId(n), value: Box::new(value), view: false }, Types::VOID)
}

pub fn for_range(variable: u32, lo: Expr, hi: Expr, body: Expr) -> Expr {
    let kind = ExprKind::ForRange {
        tag: LoopTag(variable),
        variable: LocalId(variable),
        lo: Box::new(lo),
        hi: Box::new(hi),
        inclusive: false,
        body: Box::new(body),
    };
    e(kind, Types::VOID)
}

pub fn print(value: Expr) -> Expr {
    let parts = vec![ShowPart::Value(value, ShowFormat::default())];
    e(ExprKind::Print { parts, newline: true, stream: Stream::Output }, Types::VOID)
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
