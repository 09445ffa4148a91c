//! Trees back to text, in one canonical form: what it prints parses to the same tree, spans apart.
//!
//! Bodies are blocks, calls have parentheses, operators have their canonical spelling, comments are gone. Parentheses
//! stand where the tree needs them: below an operator that binds as tightly or tighter, and around `if`, lambdas and
//! their like wherever they are not a whole value, since those reach as far right as they can.

mod expression;
#[cfg(test)]
mod tests;

use super::ast::{
    AssignOp, Body, Define, DefineKind, ExprKind, Field, File, Implement, Name, Param, Payload, Routine, RoutineBody,
    RoutineKind, Stmt, StmtKind, Trait, Type, TypeKind,
};
use super::ast::{Mark, MarkKind};
use super::symbol::{Interner, Symbol};
use super::token::TokenKind;

/// The canonical text of a file.
pub fn print(file: &File, interner: &Interner) -> String {
    let mut printer = Printer { interner, text: String::new(), indent: 0 };
    for (i, stmt) in file.body.stmts.iter().enumerate() {
        printer.stmt_before(stmt, file.body.stmts.get(i + 1));
        printer.text.push('\n');
    }
    printer.text
}

struct Printer<'a> {
    interner: &'a Interner,
    text: String,
    /// Depth of the blocks around.
    indent: usize,
}

impl Printer<'_> {
    fn put(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn line(&mut self) {
        self.text.push('\n');
        for _ in 0..self.indent {
            self.text.push_str("    ");
        }
    }

    /// A name where a keyword needs quotes.
    fn name(&mut self, name: &Name) {
        self.symbol(name.symbol);
    }

    fn symbol(&mut self, symbol: Symbol) {
        self.quoted(symbol, TokenKind::of_word(symbol) == TokenKind::Name);
    }

    /// A name behind `.`, `function` and in arguments, where keywords are plain names.
    fn any_name(&mut self, name: &Name) {
        self.quoted(name.symbol, true);
    }

    fn quoted(&mut self, symbol: Symbol, plain: bool) {
        let text = self.interner.text(symbol);
        let identifier = text.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_alphanumeric() || c == '_');
        if plain && identifier {
            self.text.push_str(text);
        } else {
            self.text.push('\'');
            self.text.push_str(text);
            self.text.push('\'');
        }
    }

    fn path(&mut self, path: &[Name]) {
        for (i, name) in path.iter().enumerate() {
            if i > 0 {
                self.put(".");
                self.any_name(name);
            } else {
                self.name(name);
            }
        }
    }

    fn list<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Self, &T)) {
        for (i, value) in items.iter().enumerate() {
            if i > 0 {
                self.put(", ");
            }
            item(self, value);
        }
    }

    /// `{ … }` with a statement a line.
    fn body(&mut self, body: &Body) {
        let mut next = body.stmts.iter().skip(1);
        self.braces(&body.stmts, |p, stmt| p.stmt_before(stmt, next.next()));
    }

    /// A statement, and the empty braces it needs if the next one is a block that would be taken for its members.
    fn stmt_before(&mut self, stmt: &Stmt, next: Option<&Stmt>) {
        self.stmt(stmt);
        let block = next.is_some_and(|n| matches!(&n.kind, StmtKind::Expr(e) if matches!(e.kind, ExprKind::Block(_))));
        let open = matches!(&stmt.kind, StmtKind::Define(d) if d.kind.members().is_empty() && matches!(
            d.kind,
            DefineKind::Struct { .. } | DefineKind::Union { .. } | DefineKind::Intrinsic { .. }
        ));
        if block && open {
            self.put(" {}");
        }
    }

    fn braces<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Self, &T)) {
        if items.is_empty() {
            self.put("{}");
            return;
        }
        self.put("{");
        self.indent += 1;
        for value in items {
            self.line();
            item(self, value);
        }
        self.indent -= 1;
        self.line();
        self.put("}");
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Expr(e) => self.expr_stmt(e),
            StmtKind::Let(l) => {
                self.put(if l.mutable { "var " } else { "let " });
                self.name(&l.name);
                self.annotation(l.ty.as_ref());
                if let Some(value) = &l.value {
                    self.put(" = ");
                    self.value(value);
                }
            }
            StmtKind::Assign(a) => {
                if a.op == AssignOp::Set {
                    self.put("set ");
                }
                self.unary(&a.place);
                match a.op {
                    AssignOp::Set => self.put(": "),
                    AssignOp::Equals => self.put(" = "),
                    AssignOp::Compound(op) => {
                        self.put(" ");
                        self.put(op.text());
                        self.put("= ");
                    }
                }
                self.value(&a.value);
            }
            StmtKind::While(w) => {
                self.put("while ");
                self.header(&w.condition);
                self.label(w.label.as_ref());
                self.body(&w.body);
            }
            StmtKind::WhileLet(w) => {
                self.put("while let ");
                self.name(&w.name);
                self.annotation(w.ty.as_ref());
                self.put(" = ");
                self.header(&w.value);
                self.label(w.label.as_ref());
                self.body(&w.body);
            }
            StmtKind::For(f) => {
                self.put("for ");
                self.name(&f.name);
                self.annotation(f.ty.as_ref());
                self.put(" in ");
                self.header(&f.iterable);
                self.label(f.label.as_ref());
                self.body(&f.body);
            }
            StmtKind::Repeat(r) => {
                self.put("repeat");
                self.label(r.label.as_ref());
                self.body(&r.body);
            }
            StmtKind::Break(label) => self.jump("break", label.as_ref()),
            StmtKind::Continue(label) => self.jump("continue", label.as_ref()),
            StmtKind::Return(value) => {
                self.put("return");
                if let Some(value) = value {
                    self.put(" ");
                    self.value(value);
                }
            }
            StmtKind::Throw(value) => {
                self.put("throw");
                if let Some(value) = value {
                    self.put(" ");
                    self.value(value);
                }
            }
            StmtKind::Define(define) => self.define(define),
            StmtKind::Routine(routine) => self.routine(routine),
            StmtKind::Trait(t) => self.trait_(t),
            StmtKind::Implement(i) => self.implement(i),
            StmtKind::Module(name) => {
                self.put("module ");
                self.name(name);
            }
            StmtKind::Package(name) => {
                self.put("package ");
                self.name(name);
            }
            StmtKind::Use(path) => {
                self.put("use ");
                self.path(path);
            }
            StmtKind::Error => self.put(";* error *;"),
        }
    }

    fn label(&mut self, label: Option<&Name>) {
        if let Some(label) = label {
            self.put(": label ");
            self.name(label);
        }
        self.put(" ");
    }

    fn jump(&mut self, word: &str, label: Option<&Name>) {
        self.put(word);
        if let Some(label) = label {
            self.put(" loop ");
            self.name(label);
        }
    }

    fn annotation(&mut self, ty: Option<&Type>) {
        if let Some(ty) = ty {
            self.put(": ");
            self.ty(ty);
        }
    }

    fn generics(&mut self, generics: &[Name]) {
        if !generics.is_empty() {
            self.put("[");
            self.list(generics, Self::name);
            self.put("]");
        }
    }

    fn define(&mut self, define: &Define) {
        if define.private {
            self.put("private ");
        }
        self.put("define ");
        self.name(&define.name);
        self.generics(&define.generics);
        match &define.kind {
            DefineKind::Struct { fields, members } => {
                self.fields(fields);
                self.members(members);
            }
            DefineKind::Union { variants, members } => {
                self.put(" union(");
                self.list(variants, |p, variant| {
                    p.name(&variant.name);
                    match &variant.payload {
                        Payload::None => {}
                        Payload::Type(ty) => p.annotation(Some(ty)),
                        Payload::Fields(fields) => p.fields(fields),
                    }
                });
                self.put(")");
                self.members(members);
            }
            DefineKind::Namespace { members } => {
                self.put(" ");
                self.braces(members, |p, member| p.stmt(member));
            }
            DefineKind::Intrinsic { members } => {
                self.put(" intrinsic");
                self.members(members);
            }
            DefineKind::Constant { ty, value } => {
                self.annotation(ty.as_ref());
                let literal = matches!(
                    value.kind,
                    ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Bool(_) | ExprKind::Str(_) | ExprKind::Char(_)
                );
                self.put(if literal { " " } else { " = " });
                self.value(value);
            }
            DefineKind::Alias { target } => {
                self.put(" ");
                self.ty(target);
            }
            DefineKind::Error => self.put(" ;* error *;"),
        }
    }

    fn members(&mut self, members: &[Stmt]) {
        if !members.is_empty() {
            self.put(" ");
            self.braces(members, |p, member| p.stmt(member));
        }
    }

    fn fields(&mut self, fields: &[Field]) {
        self.put("(");
        self.list(fields, |p, field| {
            if field.private {
                p.put("private ");
            }
            p.name(&field.name);
            p.annotation(Some(&field.ty));
            p.default(field.default.as_ref());
        });
        self.put(")");
    }

    fn default(&mut self, default: Option<&super::ast::Expr>) {
        if let Some(default) = default {
            self.put(" (");
            self.value(default);
            self.put(")");
        }
    }

    fn param(&mut self, param: &Param) {
        self.name(&param.name);
        self.annotation(param.ty.as_ref());
        self.default(param.default.as_ref());
    }

    fn routine(&mut self, routine: &Routine) {
        if routine.private {
            self.put("private ");
        }
        match routine.kind {
            RoutineKind::Function => self.put("function "),
            RoutineKind::Procedure => self.put("procedure "),
            RoutineKind::Operator => self.put("operator "),
            RoutineKind::Init | RoutineKind::Deinit => {}
        }
        if routine.kind == RoutineKind::Operator {
            self.put(self.interner.text(routine.name.symbol));
        } else {
            self.any_name(&routine.name);
        }
        self.generics(&routine.generics);
        self.put("(");
        self.list(&routine.params, Self::param);
        self.put(")");
        if let Some(ty) = &routine.returns {
            self.put(" returns ");
            self.ty(ty);
        }
        if let Some(ty) = &routine.throws {
            self.put(" throws ");
            self.ty(ty);
        }
        match &routine.body {
            RoutineBody::Code(body) => {
                self.put(" ");
                self.body(body);
            }
            RoutineBody::Intrinsic => self.put(" intrinsic"),
            RoutineBody::Extern => self.put(" extern"),
            RoutineBody::Missing => {}
        }
    }

    fn trait_(&mut self, t: &Trait) {
        self.put("trait ");
        self.name(&t.name);
        self.generics(&t.generics);
        if !t.extends.is_empty() {
            self.put(" extends ");
            self.list(&t.extends, Self::ty);
        }
        self.put(" ");
        self.braces(&t.members, |p, member| p.stmt(member));
    }

    fn implement(&mut self, i: &Implement) {
        self.put("implement ");
        if let Some(ty) = &i.trait_ {
            self.ty(ty);
            self.put(" for ");
        }
        self.ty(&i.target);
        self.put(" ");
        self.braces(&i.members, |p, member| p.stmt(member));
    }

    fn ty(&mut self, ty: &Type) {
        match &ty.kind {
            TypeKind::Named { path, args } => {
                self.path(path);
                if !args.is_empty() {
                    self.put("[");
                    self.list(args, Self::ty);
                    self.put("]");
                }
            }
            TypeKind::Optional(inner) => {
                let function = matches!(inner.kind, TypeKind::Function { .. });
                if function {
                    self.put("(");
                }
                self.ty(inner);
                self.put(if function { ")?" } else { "?" });
            }
            TypeKind::Function { params, returns } => {
                self.put("function(");
                self.list(params, Self::ty);
                self.put(")");
                if let Some(returns) = returns {
                    self.put(" returns ");
                    self.ty(returns);
                }
            }
            TypeKind::Marked { ty, mark } => {
                self.ty(ty);
                self.mark(mark);
            }
            TypeKind::Error => self.put(";* error *;"),
        }
    }

    fn mark(&mut self, mark: &Mark) {
        match mark.kind {
            MarkKind::Local => self.put("$"),
            MarkKind::Caller => self.put("#"),
            MarkKind::Thrown => self.put("!"),
            MarkKind::Of(name) => {
                self.put("^");
                self.name(&name);
            }
        }
    }
}
