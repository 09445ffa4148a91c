//! Trees in a short form with every grouping visible: `(+ a (* b c))`.

use crate::syntax::ast::*;
use crate::syntax::{Interner, Symbol};

pub fn body(body: &Body, names: &Interner) -> String {
    let s = Sketch { names };
    s.list(&body.stmts, |stmt| s.stmt(stmt))
}

struct Sketch<'a> {
    names: &'a Interner,
}

impl Sketch<'_> {
    fn text(&self, symbol: Symbol) -> &str {
        self.names.text(symbol)
    }

    fn name(&self, name: &Name) -> String {
        self.text(name.symbol).to_string()
    }

    fn path(&self, path: &[Name]) -> String {
        path.iter().map(|n| self.name(n)).collect::<Vec<_>>().join(".")
    }

    fn list<T>(&self, items: &[T], show: impl Fn(&T) -> String) -> String {
        items.iter().map(show).collect::<Vec<_>>().join(" ")
    }

    fn body(&self, body: &Body) -> String {
        format!("{{{}}}", self.list(&body.stmts, |s| self.stmt(s)))
    }

    fn opt<T>(&self, before: &str, value: &Option<T>, show: impl Fn(&T) -> String) -> String {
        value.as_ref().map_or(String::new(), |v| format!("{before}{}", show(v)))
    }

    fn ty(&self, ty: &Type) -> String {
        match &ty.kind {
            TypeKind::Named { path, args } if args.is_empty() => self.path(path),
            TypeKind::Named { path, args } => format!("{}[{}]", self.path(path), self.list(args, |t| self.ty(t))),
            TypeKind::Optional(ty) => format!("{}?", self.ty(ty)),
            TypeKind::Function { params, returns } => {
                format!("fn({}){}", self.list(params, |t| self.ty(t)), self.opt("->", returns, |t| self.ty(t)))
            }
            TypeKind::Marked { ty, .. } => format!("{}$", self.ty(ty)),
            TypeKind::Error => "ERROR".into(),
        }
    }

    fn annotation(&self, ty: &Option<Type>) -> String {
        self.opt(":", ty, |t| self.ty(t))
    }

    fn field(&self, field: &Field) -> String {
        let private = if field.private { "private " } else { "" };
        format!(
            "{private}{}:{}{}",
            self.name(&field.name),
            self.ty(&field.ty),
            self.opt("=", &field.default, |e| self.expr(e))
        )
    }

    fn param(&self, param: &Param) -> String {
        let default = self.opt("=", &param.default, |e| self.expr(e));
        format!("{}{}{default}", self.name(&param.name), self.annotation(&param.ty))
    }

    fn generics(&self, generics: &[Name]) -> String {
        if generics.is_empty() { String::new() } else { format!("[{}]", self.list(generics, |n| self.name(n))) }
    }

    fn stmt(&self, stmt: &Stmt) -> String {
        match &stmt.kind {
            StmtKind::Expr(e) => self.expr(e),
            StmtKind::Let(l) => {
                let word = if l.mutable { "var" } else { "let" };
                let value = self.opt(" ", &l.value, |e| self.expr(e));
                format!("({word} {}{}{value})", self.name(&l.name), self.annotation(&l.ty))
            }
            StmtKind::Assign(a) => {
                let op = match a.op {
                    AssignOp::Set => "set".into(),
                    AssignOp::Equals => ":=".into(),
                    AssignOp::Compound(op) => format!("{}=", op.text()),
                };
                format!("({op} {} {})", self.expr(&a.place), self.expr(&a.value))
            }
            StmtKind::While(w) => {
                format!("(while{} {} {})", self.label(&w.label), self.expr(&w.condition), self.body(&w.body))
            }
            StmtKind::WhileLet(w) => format!(
                "(while-let{} {}{} {} {})",
                self.label(&w.label),
                self.name(&w.name),
                self.annotation(&w.ty),
                self.expr(&w.value),
                self.body(&w.body)
            ),
            StmtKind::For(f) => format!(
                "(for{} {}{} {} {})",
                self.label(&f.label),
                self.name(&f.name),
                self.annotation(&f.ty),
                self.expr(&f.iterable),
                self.body(&f.body)
            ),
            StmtKind::Repeat(r) => format!("(repeat{} {})", self.label(&r.label), self.body(&r.body)),
            StmtKind::Break(l) => format!("(break{})", self.label(l)),
            StmtKind::Continue(l) => format!("(continue{})", self.label(l)),
            StmtKind::Return(e) => format!("(return{})", self.opt(" ", e, |e| self.expr(e))),
            StmtKind::Throw(e) => format!("(throw{})", self.opt(" ", e, |e| self.expr(e))),
            StmtKind::Define(d) => self.define(d),
            StmtKind::Routine(r) => self.routine(r),
            StmtKind::Trait(t) => format!("(trait {} {})", self.name(&t.name), self.list(&t.members, |m| self.stmt(m))),
            StmtKind::Implement(i) => format!(
                "(implement{} {} {})",
                self.opt(" ", &i.trait_, |t| self.ty(t)),
                self.ty(&i.target),
                self.list(&i.members, |m| self.stmt(m))
            ),
            StmtKind::Module(n) => format!("(module {})", self.name(n)),
            StmtKind::Package(n) => format!("(package {})", self.name(n)),
            StmtKind::Use(path) => format!("(use {})", self.path(path)),
            StmtKind::Error => "ERROR".into(),
        }
    }

    fn label(&self, label: &Option<Name>) -> String {
        self.opt(" @", label, |n| self.name(n))
    }

    fn define(&self, define: &Define) -> String {
        let members = |members: &[Stmt]| {
            if members.is_empty() { String::new() } else { format!(" {{{}}}", self.list(members, |m| self.stmt(m))) }
        };
        let kind = match &define.kind {
            DefineKind::Struct { fields, members: m } => {
                format!("({}){}", self.list(fields, |f| self.field(f)), members(m))
            }
            DefineKind::Union { variants, members: m } => {
                let variants = self.list(variants, |v| match &v.payload {
                    Payload::None => self.name(&v.name),
                    Payload::Type(ty) => format!("{}:{}", self.name(&v.name), self.ty(ty)),
                    Payload::Fields(f) => format!("{}({})", self.name(&v.name), self.list(f, |f| self.field(f))),
                });
                format!("union({variants}){}", members(m))
            }
            DefineKind::Namespace { members } => format!("{{{}}}", self.list(members, |m| self.stmt(m))),
            DefineKind::Intrinsic { members: m } => format!("intrinsic{}", members(m)),
            DefineKind::Constant { ty, value } => {
                format!("const{} {}", self.annotation(ty), self.expr(value))
            }
            DefineKind::Alias { target } => format!("alias {}", self.ty(target)),
            DefineKind::Error => "ERROR".into(),
        };
        let private = if define.private { "private " } else { "" };
        format!("({private}define {}{} {kind})", self.name(&define.name), self.generics(&define.generics))
    }

    fn routine(&self, routine: &Routine) -> String {
        let word = match routine.kind {
            RoutineKind::Function => "function ",
            RoutineKind::Procedure => "procedure ",
            RoutineKind::Operator => "operator ",
            RoutineKind::Init | RoutineKind::Deinit => "",
        };
        let body = match &routine.body {
            RoutineBody::Code(body) => self.body(body),
            RoutineBody::Intrinsic => "intrinsic".into(),
            RoutineBody::Extern => "extern".into(),
            RoutineBody::Missing => "missing".into(),
        };
        format!(
            "({}{word}{}{}({}){}{} {body})",
            if routine.private { "private " } else { "" },
            self.name(&routine.name),
            self.generics(&routine.generics),
            self.list(&routine.params, |p| self.param(p)),
            self.opt("->", &routine.returns, |t| self.ty(t)),
            self.opt("!", &routine.throws, |t| self.ty(t)),
        )
    }

    fn arms(&self, arms: &[WhenArm], otherwise: &Option<Body>) -> String {
        let arms = self.list(arms, |a| {
            let binding = match &a.binding {
                WhenBinding::None => String::new(),
                WhenBinding::Whole(n) => format!("={}", self.name(n)),
                WhenBinding::Fields(names) => format!("({})", self.list(names, |n| self.name(n))),
            };
            format!("(when {}{binding} {})", self.path(&a.variant), self.body(&a.body))
        });
        format!("{arms}{}", self.opt(" else ", otherwise, |b| self.body(b)))
    }

    fn expr(&self, expr: &Expr) -> String {
        match &expr.kind {
            ExprKind::Int(v) => v.to_string(),
            ExprKind::Float(s) => self.text(*s).to_string(),
            ExprKind::Bool(b) => b.to_string(),
            ExprKind::Null => "null".into(),
            ExprKind::Str(s) => format!("{:?}", self.text(*s)),
            ExprKind::Char(c) => format!("{c:?}"),
            ExprKind::Name(s) => self.text(*s).to_string(),
            ExprKind::Member(e, n) => format!("{}.{}", self.expr(e), self.name(n)),
            ExprKind::Index(i) => format!("{}[{}]", self.expr(&i.head), self.list(&i.args, |e| self.expr(e))),
            ExprKind::Call(c) => {
                let args = self.list(&c.args, |a| {
                    format!("{}{}", self.opt("", &a.name, |n| format!("{}:", self.name(n))), self.expr(&a.value))
                });
                format!("{}({args})", self.expr(&c.callee))
            }
            ExprKind::Array(elements) => format!("[{}]", self.list(elements, |e| self.expr(e))),
            ExprKind::Prefix(op, e) => format!("({} {})", op.text(), self.expr(e)),
            ExprKind::Binary(b) => format!("({} {} {})", b.op.text(), self.expr(&b.left), self.expr(&b.right)),
            ExprKind::As(a) => format!("(as {} {})", self.expr(&a.value), self.ty(&a.ty)),
            ExprKind::Is(i) => {
                let what = if i.variant.is_empty() { "null".into() } else { self.path(&i.variant) };
                format!("(is {} {what})", self.expr(&i.value))
            }
            ExprKind::Range(r) => {
                let op = if r.closed { "..=" } else { ".." };
                format!("({op} {} {})", self.expr(&r.low), self.expr(&r.high))
            }
            ExprKind::If(i) => {
                let otherwise = self.opt(" ", &i.otherwise, |b| self.body(b));
                format!("(if {} {}{otherwise})", self.expr(&i.condition), self.body(&i.then))
            }
            ExprKind::Match(m) => {
                let arms = self.list(&m.arms, |a| {
                    format!("(case {} {})", self.list(&a.values, |e| self.expr(e)), self.body(&a.body))
                });
                let otherwise = self.opt(" else ", &m.otherwise, |b| self.body(b));
                format!("(match {} {arms}{otherwise})", self.expr(&m.subject))
            }
            ExprKind::Choose(c) => format!("(choose {} {})", self.expr(&c.subject), self.arms(&c.arms, &c.otherwise)),
            ExprKind::Try(t) => {
                let binding =
                    self.opt(" let ", &t.binding, |b| format!("{}{}", self.name(&b.name), self.annotation(&b.ty)));
                format!("(try{binding} {} {})", self.expr(&t.value), self.arms(&t.arms, &t.otherwise))
            }
            ExprKind::Block(b) => self.body(b),
            ExprKind::Lambda(l) => format!("(\\{} {})", self.list(&l.params, |p| self.param(p)), self.body(&l.body)),
            ExprKind::SizeOf(ty) => format!("(sizeof {})", self.ty(ty)),
            ExprKind::AlignOf(ty) => format!("(alignof {})", self.ty(ty)),
            ExprKind::Optional(e) => format!("{}?", self.expr(e)),
            ExprKind::Type(ty) => self.ty(ty),
            ExprKind::Marked(e, _) => format!("{}$", self.expr(e)),
            ExprKind::Error => "ERROR".into(),
        }
    }
}
