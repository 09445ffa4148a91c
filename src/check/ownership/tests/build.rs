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

pub fn text(t: &str) -> Expr {
    e(ExprKind::Text(t.into()), Types::STRING)
}

pub fn bind(n: u32, value: Expr) -> Expr {
    e(ExprKind::Let { local: LocalId(n), value: Box::new(value), view: false }, Types::VOID)
}

pub fn print(value: Expr) -> Expr {
    let parts = vec![ShowPart::Value(value, ShowFormat::default())];
    e(ExprKind::Print { parts, newline: true, stream: Stream::Output }, Types::VOID)
}

pub fn field(base: Expr, field: u32, ty: TypeId) -> Expr {
    e(ExprKind::Field { base: Box::new(base), field }, ty)
}

pub fn slice_of(base: Expr, ty: TypeId) -> Expr {
    e(ExprKind::AsSlice(Box::new(base)), ty)
}

/// A program around the body of `main` with these locals, and the types it needs.
pub struct World {
    pub types: Types,
    pub ints: TypeId,
    pub rows: TypeId,
    pub slice: TypeId,
    pub node: TypeId,
    pub link: TypeId,
}

pub const PUSH: u32 = 1;
pub const PEEK: u32 = 2;
pub const BUMP: u32 = 3;

impl World {
    pub fn new() -> World {
        let mut types = Types::default();
        let ints = types.intern(Type::Array(Types::I64));
        let rows = types.intern(Type::Array(ints));
        let slice = types.intern(Type::Slice(Types::I64));
        let f = |name: &str, ty, boxed| Field { name: name.into(), ty, private: false, boxed, span: Span::default() };
        let span = Span::default();
        let (s, node) = types.add_struct(Struct { name: "Node".into(), arguments: vec![], fields: vec![], span });
        let some = Variant { name: "Some".into(), payload: vec![f("value", node, true)], inline: false };
        let none = Variant { name: "None".into(), payload: vec![], inline: false };
        let (_, link) =
            types.add_union(Union { name: "Option".into(), arguments: vec![node], variants: vec![none, some], span });
        types.set_option(node, link);
        types.struct_mut(s).fields = vec![f("value", Types::I64, false), f("next", link, false)];
        World { types, ints, rows, slice, node, link }
    }

    /// Runs the pass over `main` with the locals; gives the body and the messages.
    pub fn main(self, locals: &[(LocalKind, TypeId)], parts: Vec<Expr>) -> (Expr, Vec<String>) {
        let v = Types::VOID;
        let (ints, slice) = (self.ints, self.slice);
        let mut program = Program { types: self.types, ..Program::default() };
        let set = assign(local(0, ints), e(ExprKind::Elements(vec![]), ints));
        program.routines = vec![
            routine("main", &[], locals, v, code(block(parts, v))),
            routine("push", &[ints, Types::I64], &[], v, intrinsic("Array.push")),
            // Gives a view of its parameter.
            routine("peek", &[slice], &[], slice, code(local(0, slice))),
            // Empties its parameter and gives its length.
            routine("bump", &[ints], &[], Types::I64, code(block(vec![set, int(1)], Types::I64))),
        ];
        program.routines[0].kind = RoutineKind::Main;
        let found = crate::check::ownership::analyze(&mut program, false);
        let messages =
            found.into_iter().filter(|d| d.severity == crate::diagnostic::Severity::Error).map(|d| d.message).collect();
        match program.routines.swap_remove(0).body {
            Body::Code(body) => (*body, messages),
            Body::Intrinsic { .. } => unreachable!("main has code"),
        }
    }
}

/// What stands where the pass has something to say, in order: `view 1`, `own 1`, `move`, `copy`.
pub fn marks(body: &Expr) -> Vec<String> {
    fn visit(e: &Expr, out: &mut Vec<String>) {
        match &e.kind {
            ExprKind::Let { local, view, .. } => {
                out.push(format!("{} {}", if *view { "view" } else { "own" }, local.0))
            }
            ExprKind::Move(_) => out.push("move".into()),
            ExprKind::Copy(_) => out.push("copy".into()),
            _ => {}
        }
        crate::check::ownership::walk::children(e, &mut |part| visit(part, out));
    }
    let mut out = Vec::new();
    visit(body, &mut out);
    out
}
