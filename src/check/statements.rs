//! Bodies and statements, and the expressions that are neither a call nor an operation.

use super::Checker;
use super::assign::after;
use super::declarations::Declarations;
use super::hir::{Expr, ExprKind, LocalId, LocalKind, RoutineKind, ShowFormat, ShowPart, Stream, TypeId, Types};
use super::instances::zero_status;
use super::operators::Side;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast::{self, AssignOp, ExprKind as Ast, PrefixOp, StmtKind};

/// What is wanted of a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Want {
    /// It is a statement: `place = e` assigns, values are not used.
    Nothing,
    /// Its value, of this type if it is known: `place = e` as its end compares.
    Value(Option<TypeId>),
}

impl<'a> Checker<'a> {
    /// An expression, with the type that is expected of it, if one is: a wish, not a duty.
    pub fn expr(&mut self, e: &'a ast::Expr, hint: Option<TypeId>) -> Expr {
        let span = e.span;
        match &e.kind {
            Ast::Error | Ast::Try(_) | Ast::Marked(..) => self.failed(span),
            &Ast::Int(n) => self.int_literal(n, false, span, hint),
            &Ast::Float(text) => self.float_literal(self.text(text), false, span, hint),
            &Ast::Bool(b) => Expr::new(ExprKind::Bool(b), Types::BOOL, span),
            &Ast::Char(c) => Expr::new(ExprKind::Char(c), Types::CHAR, span),
            &Ast::Str(text) => self.text_literal(self.text(text), span),
            Ast::Null => self.null_literal(span, hint),
            Ast::Name(_) | Ast::Member(..) | Ast::Index(_) => {
                let head = self.head(e, hint);
                self.head_value(head, span, hint)
            }
            Ast::Call(call) => self.call(call, span, hint),
            Ast::Array(items) => self.array_literal(items, span, hint),
            Ast::Prefix(op, operand) => self.prefix(*op, operand, span, hint),
            Ast::Binary(b) => self.binary(b.op, b.op_span, Side::Ast(&b.left), &b.right, span, hint),
            Ast::As(a) => self.conversion(a, span),
            Ast::Is(is) => self.is(is, span),
            Ast::Range(range) => self.range(range, span, hint),
            Ast::If(i) => self.if_(i, span, Want::Value(hint)),
            Ast::Match(m) => self.match_(m, span, Want::Value(hint)),
            Ast::Choose(c) => self.choose(c, span, Want::Value(hint)),
            Ast::Block(body) => self.body(body, Want::Value(hint)),
            Ast::Lambda(lambda) => self.lambda_for(lambda, span, hint),
            Ast::SizeOf(_) | Ast::AlignOf(_) => {
                self.report(
                    Diagnostic::error(span, "`sizeof` and `alignof` are not supported yet")
                        .label("they come with pointers, in a later version"),
                );
                self.failed(span)
            }
            Ast::Optional(_) | Ast::Type(_) => {
                self.report(Diagnostic::error(span, "a type stands where a value is expected").label("a type"));
                self.failed(span)
            }
        }
    }

    /// An expression that must have a value.
    pub fn value(&mut self, e: &'a ast::Expr, hint: Option<TypeId>) -> Expr {
        let value = self.expr(e, hint);
        if value.ty == Types::VOID && !matches!(e.kind, Ast::Call(_)) {
            self.no_value(&value);
            return self.failed(e.span);
        }
        value
    }

    pub fn no_value(&mut self, e: &Expr) {
        let label = match &e.kind {
            ExprKind::If { otherwise: None, .. } => "an `if` without `else` gives no value",
            ExprKind::Match { otherwise: None, .. } => "a `match` without `else` gives no value",
            ExprKind::Block(list) => match list.last().map(|e| &e.kind) {
                Some(ExprKind::If { otherwise: None, .. }) => "it ends in an `if` without `else`",
                _ => "its end gives no value",
            },
            _ => "this call gives no value",
        };
        self.report(Diagnostic::error(e.span, "a value is expected here").label(label));
    }

    fn range(&mut self, range: &'a ast::Range, span: Span, hint: Option<TypeId>) -> Expr {
        let hint = hint.and_then(|ty| self.range_of(ty));
        let (low, high) = self.ends(range, hint);
        if low.ty == Types::ERROR || high.ty == Types::ERROR {
            return self.failed(span);
        }
        self.range_value(low, high, range.closed, span)
    }

    /// The ends of a range, of one type.
    pub fn ends(&mut self, range: &'a ast::Range, hint: Option<TypeId>) -> (Expr, Expr) {
        let (low, high) = if self.flexible(&range.low) && !self.flexible(&range.high) {
            let high = self.value(&range.high, hint);
            let low = self.value(&range.low, Some(high.ty));
            (low, high)
        } else {
            let low = self.value(&range.low, hint);
            let expected = if self.flexible(&range.high) { Some(low.ty) } else { hint };
            let high = self.value(&range.high, expected);
            (low, high)
        };
        if low.ty != Types::ERROR && high.ty != Types::ERROR && low.ty != high.ty && high.ty != Types::NEVER {
            let (a, b) = (self.type_name(low.ty), self.type_name(high.ty));
            let diagnostic =
                Diagnostic::error(high.span, format!("the ends of a range have different types: `{a}` and `{b}`"))
                    .label(format!("a `{b}`"))
                    .secondary(low.span, format!("a `{a}`"));
            let diagnostic = if self.is_number(low.ty) && self.is_number(high.ty) {
                self.help_convert(diagnostic, high.span, &a)
            } else {
                diagnostic
            };
            self.report(diagnostic);
            let failed = self.failed(high.span);
            return (low, failed);
        }
        (low, high)
    }

    /// A body: a region and a scope of its own.
    pub fn body(&mut self, body: &'a ast::Body, want: Want) -> Expr {
        let mark = self.scopes.open();
        let result = self.inner_body(body, want);
        self.scopes.close(mark);
        result
    }

    /// A body in the scope that is open already.
    pub fn inner_body(&mut self, body: &'a ast::Body, want: Want) -> Expr {
        let outer = self.ctx.space;
        if body.stmts.iter().any(Declarations::declares) {
            let space = self.decls.new_space(Some(outer), None, self.decls.space(outer).library);
            let generics = self.ctx.generics.clone();
            let doubles = self.decls.doubles.len();
            self.decls.collect(&body.stmts, space, &generics);
            self.ctx.space = space;
            self.report_doubles(doubles);
            self.check_space(space);
        }
        let result = self.statements(body, want);
        self.ctx.space = outer;
        result
    }

    fn statements(&mut self, body: &'a ast::Body, want: Want) -> Expr {
        let mut list = Vec::with_capacity(body.stmts.len());
        let last = body.stmts.iter().rposition(|s| !Declarations::declares(s));
        let mut ty = Types::VOID;
        let mut left = false;
        for (i, stmt) in body.stmts.iter().enumerate() {
            let before = list.len();
            let given = match want {
                Want::Value(hint) if Some(i) == last => {
                    let e = self.last_statement(stmt, hint, &mut list);
                    let given = e.ty;
                    list.push(e);
                    given
                }
                _ => {
                    self.statement(stmt, &mut list);
                    Types::VOID
                }
            };
            if left {
                list.truncate(before);
            } else if list[before..].iter().any(|e| e.ty == Types::NEVER) {
                left = true;
                ty = Types::NEVER;
            } else {
                ty = given;
            }
        }
        Expr::new(ExprKind::Block(list), ty, body.span)
    }

    /// The end of a body whose value is wanted.
    fn last_statement(&mut self, stmt: &'a ast::Stmt, hint: Option<TypeId>, list: &mut Vec<Expr>) -> Expr {
        let outer = self.prelude.replace(Vec::new());
        let e = match &stmt.kind {
            // Without an `else` there is no value; where none is asked for, that is fine.
            StmtKind::Expr(e) if hint.is_none() && is_partial(e) => self.expression_statement(e),
            StmtKind::Expr(e) => self.expr(e, hint),
            StmtKind::Assign(a) if a.op == AssignOp::Equals => {
                if hint.is_none_or(|ty| ty == Types::BOOL || ty == Types::ERROR || self.option(ty).is_some()) {
                    self.comparison(&a.place, a.op_span, &a.value, hint)
                } else {
                    let e = self.comparison(&a.place, a.op_span, &a.value, hint);
                    self.compares_here(a, &e, hint);
                    self.failed(stmt.span)
                }
            }
            _ => {
                self.statement(stmt, list);
                list.pop().unwrap_or_else(|| Expr::new(ExprKind::Nothing, Types::VOID, stmt.span))
            }
        };
        list.extend(std::mem::replace(&mut self.prelude, outer).unwrap_or_default());
        e
    }

    /// A value that is computed more than once, or perhaps not at all: what goes before it is no part of the statement.
    pub fn alone(&mut self, f: impl FnOnce(&mut Self) -> Expr) -> Expr {
        let outer = self.prelude.replace(Vec::new());
        let value = f(self);
        let before = std::mem::replace(&mut self.prelude, outer).unwrap_or_default();
        if before.is_empty() { value } else { after(before, value) }
    }

    /// `x = e` at the end of a routine with another result than a `bool`: an assignment was meant.
    fn compares_here(&mut self, a: &'a ast::Assign, e: &Expr, hint: Option<TypeId>) {
        if e.ty == Types::ERROR {
            return;
        }
        let expected = hint.map_or_else(String::new, |ty| self.type_name(ty));
        let place = self.short_source(a.place.span).unwrap_or("x");
        self.report(
            Diagnostic::error(a.op_span, "`=` compares here: this is the value of the body")
                .label("a `bool`")
                .help(format!("to assign, write `set {place}: …`, and then the result, of type `{expected}`")),
        );
    }

    /// A statement whose value is not wanted. Declarations give nothing.
    pub fn statement(&mut self, stmt: &'a ast::Stmt, list: &mut Vec<Expr>) {
        let span = stmt.span;
        let outer = self.prelude.replace(Vec::new());
        let e = match &stmt.kind {
            StmtKind::Define(_) | StmtKind::Routine(_) => None,
            StmtKind::Expr(e) => Some(self.expression_statement(e)),
            StmtKind::Let(l) => Some(self.let_(l, span)),
            StmtKind::Assign(a) => Some(self.assign(a, span)),
            StmtKind::While(w) => Some(self.while_(w, span)),
            StmtKind::WhileLet(w) => Some(self.while_let(w, span)),
            StmtKind::For(f) => Some(self.for_(f, span)),
            StmtKind::Repeat(r) => Some(self.repeat(r, span)),
            StmtKind::Break(label) => Some(self.break_(*label, span)),
            StmtKind::Continue(label) => Some(self.continue_(*label, span)),
            StmtKind::Return(value) => Some(self.return_(value.as_deref(), span)),
            StmtKind::Throw(_) => Some(self.failed(span)),
            StmtKind::Trait(_)
            | StmtKind::Implement(_)
            | StmtKind::Module(_)
            | StmtKind::Package(_)
            | StmtKind::Use(_)
            | StmtKind::Error => None,
        };
        list.extend(std::mem::replace(&mut self.prelude, outer).unwrap_or_default());
        list.extend(e);
    }

    fn expression_statement(&mut self, e: &'a ast::Expr) -> Expr {
        match &e.kind {
            Ast::If(i) => self.if_(i, e.span, Want::Nothing),
            Ast::Match(m) => self.match_(m, e.span, Want::Nothing),
            Ast::Choose(c) => self.choose(c, e.span, Want::Nothing),
            Ast::Block(body) => self.body(body, Want::Nothing),
            _ => {
                let value = self.expr(e, None);
                match value.ty {
                    Types::VOID | Types::NEVER | Types::ERROR => value,
                    _ => {
                        if !has_effect(e, &value) {
                            self.lost(e, &value);
                        }
                        Expr::new(ExprKind::Drop(Box::new(value)), Types::VOID, e.span)
                    }
                }
            }
        }
    }

    /// A value that nobody gets.
    fn lost(&mut self, e: &'a ast::Expr, value: &Expr) {
        let ty = self.type_name(value.ty);
        let mut diagnostic = Diagnostic::error(e.span, "the value of this statement is lost")
            .label(format!("{} `{ty}` that nothing uses", super::convert::article(&ty)));
        match &e.kind {
            Ast::Binary(b) => {
                if let Ast::Call(call) = &b.left.kind
                    && call.is_juxtaposed(b.left.span)
                    && let (Some(name), Some(rest)) = (
                        self.short_source(call.callee.span),
                        call.args.first().and_then(|a| self.short_source(a.value.span.to(b.right.span))),
                    )
                {
                    diagnostic = diagnostic
                        .help(format!("a call without parentheses takes one operand: write `{name}({rest})`"));
                } else if b.op == ast::BinaryOp::Equal
                    && b.left.is_place()
                    && let (Some(place), Some(right)) =
                        (self.short_source(b.left.span), self.short_source(b.right.span))
                {
                    diagnostic = diagnostic.help(format!("to assign, write `set {place}: {right}`"));
                } else if b.op == ast::BinaryOp::Equal {
                    diagnostic =
                        diagnostic.help("to the left of an assignment stands a variable, a field or an element");
                } else {
                    diagnostic = diagnostic.help("print it, assign it, or leave it out");
                }
            }
            _ if matches!(value.kind, ExprKind::RoutineValue(_)) => {
                if let Some(name) = self.short_source(e.span) {
                    diagnostic = diagnostic.help(format!("to call it, write `{name}()`"));
                }
            }
            _ => diagnostic = diagnostic.help("print it, assign it, or leave it out"),
        }
        if begins_with_a_sign(e) {
            diagnostic = diagnostic
                .help("where an operation goes on in the next line, the operator stands at the end of the line before");
        }
        self.report(diagnostic);
    }

    fn let_(&mut self, l: &'a ast::Let, span: Span) -> Expr {
        let declared = l.ty.as_ref().map(|ty| (self.resolve(ty), ty.span));
        let name = self.text(l.name.symbol);
        let value = match (&l.value, declared) {
            (Some(value), Some((ty, at))) => self.expr_as(value, ty, Some((at, "declared here"))),
            (Some(value), None) => self.value(value, None),
            (None, Some((Types::ERROR, _))) | (None, None) => self.failed(span),
            (None, Some((ty, at))) => match self.default_of(ty, span) {
                Some(value) => value,
                None => {
                    self.no_zero(ty, at, name);
                    self.failed(span)
                }
            },
        };
        let mut ty = declared.map_or(value.ty, |(ty, _)| ty);
        if ty == Types::VOID {
            if value.ty == Types::VOID {
                self.report(
                    Diagnostic::error(value.span, format!("`{name}` gets no value")).label("this gives no value"),
                );
            } else if value.ty != Types::ERROR {
                self.report(Diagnostic::error(span, format!("`{name}` cannot be of type `void`")));
            }
            ty = Types::ERROR;
        }
        let kind = if l.mutable { LocalKind::Var } else { LocalKind::Let };
        if value.ty == Types::NEVER {
            self.bind(l.name, if ty == Types::NEVER { Types::ERROR } else { ty }, kind);
            return value;
        }
        let failed = value.ty == Types::ERROR;
        let local = self.bind(l.name, ty, kind);
        if failed {
            return self.failed(span);
        }
        Expr::new(ExprKind::Let { local, value: Box::new(value), view: false }, Types::VOID, span)
    }

    fn return_(&mut self, value: Option<&'a ast::Expr>, span: Span) -> Expr {
        let (kind, result) = (self.frame().kind, self.frame().result);
        let inner = match (kind, value, result) {
            (RoutineKind::Main, None, _) => Some(zero_status(span)),
            (RoutineKind::Init, None, _) => self.this(span),
            (RoutineKind::Init, Some(value), _) => {
                self.report(
                    Diagnostic::error(value.span, "an `init` gives no value of its own")
                        .label("remove this")
                        .help("what was made is given back by itself"),
                );
                return self.failed(span);
            }
            (RoutineKind::Lambda, value, None) => {
                let known = self.frame().returned;
                match value {
                    None => {
                        self.frame().returned.get_or_insert(Types::VOID);
                        None
                    }
                    Some(value) => {
                        let value = self.value(value, known);
                        let joined = match known {
                            Some(known) => self.join(known, value.ty),
                            None => Some(value.ty),
                        };
                        let value = match joined {
                            Some(ty) => value_of(self, value, ty),
                            None => self.coerce(value, known.unwrap_or(Types::ERROR), None),
                        };
                        if value.ty != Types::NEVER {
                            self.frame().returned = Some(value.ty);
                        }
                        Some(value)
                    }
                }
            }
            (_, None, Some(Types::VOID | Types::ERROR)) | (_, None, None) => None,
            (_, None, Some(ty)) => {
                let ty = self.type_name(ty);
                self.report(
                    Diagnostic::error(span, format!("`return` must give a value of type `{ty}` here"))
                        .label("the value is missing"),
                );
                return Expr::new(ExprKind::Return(None), Types::NEVER, span);
            }
            (_, Some(value), Some(Types::VOID)) => {
                let checked = self.expr(value, None);
                if checked.ty == Types::VOID {
                    let returned = Expr::new(ExprKind::Return(None), Types::NEVER, span);
                    return Expr::new(ExprKind::Block(vec![checked, returned]), Types::NEVER, span);
                }
                if checked.ty != Types::ERROR {
                    let ty = self.type_name(checked.ty);
                    let name = self.out.routine(self.frames[self.frames.len() - 1].routine).name.clone();
                    self.report(
                        Diagnostic::error(value.span, format!("`{name}` has no result"))
                            .label(format!("a `{ty}` is returned here"))
                            .help(format!("declare it: `returns {ty}` behind the parameters")),
                    );
                }
                return Expr::new(ExprKind::Return(None), Types::NEVER, span);
            }
            (RoutineKind::Main, Some(value), _) => {
                let value = self.expr_as(value, Types::I64, Some((span, "the main program returns its exit status")));
                Some(self.exit_status(value))
            }
            (_, Some(value), Some(ty)) => Some(self.expr_as(value, ty, None)),
            (_, Some(value), None) => Some(self.value(value, None)),
        };
        Expr::new(ExprKind::Return(inner.map(Box::new)), Types::NEVER, span)
    }

    /// The statements of the file: the main program.
    pub fn top_level_body(&mut self, body: &'a ast::Body) -> Expr {
        let mut list = Vec::with_capacity(body.stmts.len() + 1);
        let last = body.stmts.iter().rposition(|s| !Declarations::declares(s));
        for (i, stmt) in body.stmts.iter().enumerate() {
            if Some(i) == last
                && self.options.echo
                && let Some(echo) = self.echo(stmt)
            {
                list.push(echo);
                continue;
            }
            self.statement(stmt, &mut list);
        }
        let left = list.iter().position(|e| e.ty == Types::NEVER);
        if let Some(left) = left {
            list.truncate(left + 1);
            return Expr::new(ExprKind::Block(list), Types::NEVER, body.span);
        }
        list.push(zero_status(body.span));
        Expr::new(ExprKind::Block(list), Types::I64, body.span)
    }

    /// The last statement under `-e`: its value is printed.
    fn echo(&mut self, stmt: &'a ast::Stmt) -> Option<Expr> {
        let value = match &stmt.kind {
            StmtKind::Expr(e) => self.expr(e, None),
            _ => return None,
        };
        if matches!(value.ty, Types::VOID | Types::NEVER | Types::ERROR) {
            return Some(value);
        }
        let span = value.span;
        if !self.printable(value.ty, span) {
            return Some(self.failed(span));
        }
        let parts = vec![ShowPart::Value(value, ShowFormat::default())];
        Some(Expr::new(ExprKind::Print { parts, newline: true, stream: Stream::Output }, Types::VOID, span))
    }

    /// A local that holds a value, and the statement that makes it.
    pub fn hold(&mut self, value: Expr) -> (LocalId, Expr) {
        let (ty, span) = (value.ty, value.span);
        let local = self.temporary(ty, span);
        (local, Expr::new(ExprKind::Let { local, value: Box::new(value), view: false }, Types::VOID, span))
    }
}

fn value_of(c: &mut Checker<'_>, value: Expr, ty: TypeId) -> Expr {
    c.coerce(value, ty, None)
}

/// An `if` or `match` that may do nothing.
fn is_partial(e: &ast::Expr) -> bool {
    match &e.kind {
        Ast::If(i) => i.otherwise.is_none(),
        Ast::Match(m) => m.otherwise.is_none(),
        _ => false,
    }
}

/// Whether it may have been meant to go on from the line before.
fn begins_with_a_sign(e: &ast::Expr) -> bool {
    match &e.kind {
        Ast::Binary(b) => begins_with_a_sign(&b.left),
        Ast::Prefix(op, _) => matches!(op, PrefixOp::Minus | PrefixOp::Plus),
        _ => false,
    }
}

/// Whether a statement does something besides computing a value: calls do, as far as can be told here.
fn has_effect(e: &ast::Expr, value: &Expr) -> bool {
    let called = match &value.kind {
        ExprKind::Call { .. } | ExprKind::CallValue { .. } | ExprKind::Print { .. } => true,
        ExprKind::Block(list) => {
            list.last().is_some_and(|e| matches!(e.kind, ExprKind::Call { .. } | ExprKind::CallValue { .. }))
        }
        _ => false,
    };
    called && matches!(e.kind, Ast::Call(_) | Ast::Member(..) | Ast::Name(_) | Ast::Index(_))
}
