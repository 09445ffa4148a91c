//! Loops, `break` and `continue`.

use super::Checker;
use super::hir::{BinaryOp, CompareOp, Expr, ExprKind, LocalId, LocalKind, LoopTag, RoutineKind, Type, TypeId, Types};
use super::scope::Loop;
use super::statements::Want;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast;

impl<'a> Checker<'a> {
    /// Runs the check of a loop's body; the result tells whether a `break` leaves the loop.
    fn looped<R>(&mut self, label: Option<ast::Name>, f: impl FnOnce(&mut Self, LoopTag) -> R) -> (R, bool) {
        let frame = self.frame();
        let tag = LoopTag(frame.tags);
        frame.tags += 1;
        frame.loops.push(Loop { label: label.map(|l| l.symbol), tag, broken: false });
        let result = f(self, tag);
        let broken = self.frame().loops.pop().is_some_and(|l| l.broken);
        (result, broken)
    }

    pub fn while_(&mut self, w: &'a ast::While, span: Span) -> Expr {
        let condition = self.alone(|c| c.condition(&w.condition));
        let ((tag, body), _) = self.looped(w.label, |c, tag| (tag, c.body(&w.body, Want::Nothing)));
        if condition.ty == Types::ERROR {
            return self.failed(span);
        }
        let kind = ExprKind::While { tag, condition: Box::new(condition), body: Box::new(body) };
        Expr::new(kind, Types::VOID, span)
    }

    pub fn repeat(&mut self, r: &'a ast::Repeat, span: Span) -> Expr {
        let ((tag, body), broken) = self.looped(r.label, |c, tag| (tag, c.body(&r.body, Want::Nothing)));
        let ty = if broken { Types::VOID } else { Types::NEVER };
        Expr::new(ExprKind::Repeat { tag, body: Box::new(body) }, ty, span)
    }

    pub fn while_let(&mut self, w: &'a ast::WhileLet, span: Span) -> Expr {
        let hint = w.ty.as_ref().map(|ty| (self.resolve(ty), ty.span));
        let value = self.alone(|c| c.value(&w.value, None));
        let optional = self.option(value.ty);
        if optional.is_none() && value.ty != Types::ERROR && value.ty != Types::NEVER {
            let found = self.type_name(value.ty);
            self.report(
                Diagnostic::error(value.span, "`while let` goes on until its value is null")
                    .label(format!("a `{found}` is never null"))
                    .help("use `while`, and `let` inside of the loop"),
            );
        }
        let (payload, shape) = match optional {
            Some((payload, shape)) => (payload, Some(shape)),
            None => (Types::ERROR, None),
        };
        if let Some((ty, at)) = hint
            && ty != payload
            && ty != Types::ERROR
            && payload != Types::ERROR
        {
            let (expected, found) = (self.type_name(ty), self.type_name(payload));
            self.report(
                Diagnostic::error(at, format!("expected `{expected}`, found `{found}`"))
                    .label("another type than the payload's"),
            );
        }
        let ((tag, variable, body), _) = self.looped(w.label, |c, tag| {
            let mark = c.scopes.open();
            let variable = c.bind(w.name, payload, LocalKind::Binding);
            let body = c.body(&w.body, Want::Nothing);
            c.scopes.close(mark);
            (tag, variable, body)
        });
        let Some(shape) = shape else { return self.failed(span) };
        if (shape.none, shape.some) == (0, 1) {
            let kind = ExprKind::WhileLet { tag, variable, value: Box::new(value), body: Box::new(body) };
            return Expr::new(kind, Types::VOID, span);
        }
        // A program's own Option may have its variants in the other order.
        let leave = Expr::new(ExprKind::Break(tag), Types::NEVER, span);
        let arm = |variant, bindings, body| super::hir::ChooseArm { variant, bindings, body, span };
        let arms = vec![arm(shape.some, vec![Some(variable)], body), arm(shape.none, Vec::new(), leave)];
        let choose = ExprKind::Choose { subject: Box::new(value), arms, otherwise: None };
        let body = Box::new(Expr::new(choose, Types::VOID, span));
        Expr::new(ExprKind::Repeat { tag, body }, Types::VOID, span)
    }

    pub fn for_(&mut self, f: &'a ast::For, span: Span) -> Expr {
        let declared = f.ty.as_ref().map(|ty| (self.resolve(ty), ty.span));
        if let ast::ExprKind::Range(range) = &f.iterable.kind {
            let (lo, hi) = self.ends(range, declared.map(|(ty, _)| ty));
            return self.for_range(f, lo, hi, range.closed, declared, span);
        }
        let value = self.value(&f.iterable, declared.map(|(ty, _)| ty).filter(|_| self.flexible(&f.iterable)));
        let ty = value.ty;
        if self.int_kind(ty).is_some() {
            let zero = Expr::new(ExprKind::Int(0), ty, value.span);
            return self.for_range(f, zero, value, false, declared, span);
        }
        let element = match self.out.types.get(ty) {
            Type::String => Some(Types::CHAR),
            _ => self.out.types.element(ty),
        };
        if let Some(element) = element {
            self.check_declared_type(declared, element);
            let (tag, variable, body) = self.for_body(f, element);
            let kind = ExprKind::ForEach { tag, variable, collection: Box::new(value), body: Box::new(body) };
            return Expr::new(kind, Types::VOID, span);
        }
        if let Some(element) = self.range_of(ty) {
            return self.for_range_value(f, value, element, declared, span);
        }
        if ty != Types::ERROR && ty != Types::NEVER && self.walks(ty) {
            return self.for_walk(f, value, declared, span);
        }
        if ty != Types::ERROR && ty != Types::NEVER {
            self.not_iterable(&value);
        }
        self.for_body(f, Types::ERROR);
        self.failed(span)
    }

    fn check_declared_type(&mut self, declared: Option<(TypeId, Span)>, element: TypeId) {
        if let Some((ty, at)) = declared
            && ty != element
            && ty != Types::ERROR
            && element != Types::ERROR
        {
            let (expected, found) = (self.type_name(ty), self.type_name(element));
            self.report(
                Diagnostic::error(at, format!("the loop variable is a `{found}`, not a `{expected}`"))
                    .label("another type"),
            );
        }
    }

    pub fn for_body(&mut self, f: &'a ast::For, element: TypeId) -> (LoopTag, LocalId, Expr) {
        let (result, _) = self.looped(f.label, |c, tag| {
            let mark = c.scopes.open();
            let variable = c.bind(f.name, element, LocalKind::Binding);
            let body = c.body(&f.body, Want::Nothing);
            c.scopes.close(mark);
            (tag, variable, body)
        });
        result
    }

    fn for_range(
        &mut self,
        f: &'a ast::For,
        lo: Expr,
        hi: Expr,
        inclusive: bool,
        declared: Option<(TypeId, Span)>,
        span: Span,
    ) -> Expr {
        let ty = if lo.ty == Types::NEVER { hi.ty } else { lo.ty };
        let failed = lo.ty == Types::ERROR || hi.ty == Types::ERROR;
        let integer = self.int_kind(ty).is_some();
        if !failed && !integer {
            let found = self.type_name(ty);
            let mut diagnostic = Diagnostic::error(lo.span, "a loop counts in integers").label(format!("a `{found}`"));
            if self.is_float(ty) {
                diagnostic = diagnostic.help("count in `int` and compute the float from it: `let x = i * step`");
            }
            self.report(diagnostic);
        }
        if failed || !integer {
            self.for_body(f, if integer { ty } else { Types::ERROR });
            return self.failed(span);
        }
        self.check_declared_type(declared, ty);
        let (tag, variable, body) = self.for_body(f, ty);
        let (lo, hi, body) = (Box::new(lo), Box::new(hi), Box::new(body));
        Expr::new(ExprKind::ForRange { tag, variable, lo, hi, inclusive, body }, Types::VOID, span)
    }

    /// Over a `Range` value: up to its end if it is closed, else up to the number before, if there are any.
    fn for_range_value(
        &mut self,
        f: &'a ast::For,
        value: Expr,
        element: TypeId,
        declared: Option<(TypeId, Span)>,
        span: Span,
    ) -> Expr {
        if self.int_kind(element).is_none() {
            let found = self.type_name(element);
            self.report(
                Diagnostic::error(value.span, "a loop counts in integers").label(format!("a range of `{found}`")),
            );
            self.for_body(f, Types::ERROR);
            return self.failed(span);
        }
        self.check_declared_type(declared, element);
        let at = value.span;
        let (range_ty, (range, first)) = (value.ty, self.hold(value));
        let part = |c: &Self, field| c.field(Expr::new(ExprKind::Local(range), range_ty, at), field, at);
        let b = |kind, ty| Box::new(Expr::new(kind, ty, at));
        let (start, end, closed) = (0, 1, 2);
        let less = ExprKind::Compare {
            op: CompareOp::Lt,
            left: Box::new(part(self, start)),
            right: Box::new(part(self, end)),
        };
        let equal =
            ExprKind::Equal { left: Box::new(part(self, start)), right: Box::new(part(self, end)), negate: false };
        let last = ExprKind::And(Box::new(part(self, closed)), b(equal, Types::BOOL));
        let some = b(ExprKind::Or(b(less, Types::BOOL), b(last, Types::BOOL)), Types::BOOL);
        let before = ExprKind::Binary {
            op: BinaryOp::Sub,
            left: Box::new(part(self, end)),
            right: b(ExprKind::Int(1), element),
        };
        let hi = ExprKind::If {
            condition: Box::new(part(self, closed)),
            then: Box::new(part(self, end)),
            otherwise: Some(b(before, element)),
        };
        let lo = Box::new(part(self, start));
        let (tag, variable, body) = self.for_body(f, element);
        let count = ExprKind::ForRange { tag, variable, lo, hi: b(hi, element), inclusive: true, body: Box::new(body) };
        let all =
            ExprKind::If { condition: some, then: Box::new(Expr::new(count, Types::VOID, span)), otherwise: None };
        Expr::new(ExprKind::Block(vec![first, Expr::new(all, Types::VOID, span)]), Types::VOID, span)
    }

    fn not_iterable(&mut self, value: &Expr) {
        let found = self.type_name(value.ty);
        let text = self.short_source(value.span).unwrap_or("x");
        let mut diagnostic = Diagnostic::error(value.span, format!("`for` cannot go over a `{found}`"))
            .label("an integer, a range or a collection is expected");
        if self.is_float(value.ty) {
            diagnostic = self.help_convert(diagnostic, value.span, "int");
        } else if self.option(value.ty).is_some() {
            diagnostic = diagnostic.help(format!("`{text}` may be null: use `choose` first, or `while let`"));
        } else if matches!(self.out.types.get(value.ty), Type::Struct(_)) {
            diagnostic = diagnostic.help(
                "a type is walked by three methods: `begin(this) returns int`, `advance(this, p: int) returns int` and \
                 `element(this, p: int) returns T`",
            );
        }
        self.report(diagnostic);
    }

    pub fn break_(&mut self, label: Option<ast::Name>, span: Span) -> Expr {
        match self.find_loop(label, "break", span) {
            Some(at) => {
                let found = &mut self.frame().loops[at];
                found.broken = true;
                let tag = found.tag;
                Expr::new(ExprKind::Break(tag), Types::NEVER, span)
            }
            None => self.failed(span),
        }
    }

    pub fn continue_(&mut self, label: Option<ast::Name>, span: Span) -> Expr {
        match self.find_loop(label, "continue", span) {
            Some(at) => {
                let tag = self.frame().loops[at].tag;
                Expr::new(ExprKind::Continue(tag), Types::NEVER, span)
            }
            None => self.failed(span),
        }
    }

    fn find_loop(&mut self, label: Option<ast::Name>, word: &str, span: Span) -> Option<usize> {
        let loops = &self.frame().loops;
        let found = match label {
            None => loops.len().checked_sub(1),
            Some(label) => loops.iter().rposition(|l| l.label == Some(label.symbol)),
        };
        if found.is_none() {
            let labels: Vec<_> = loops.iter().filter_map(|l| l.label).collect();
            let diagnostic = match label {
                None => Diagnostic::error(span, format!("`{word}` stands in no loop")).label("nothing to leave here"),
                Some(label) => {
                    let name = self.text(label.symbol);
                    let near = self.near(label.symbol, labels);
                    Diagnostic::error(label.span, format!("no loop around here has the label `{name}`"))
                        .label("unknown label")
                        .help_near(near)
                }
            };
            let around = self.frames.split_last().is_some_and(|(_, outer)| {
                self.frames[self.frames.len() - 1].kind == RoutineKind::Lambda
                    && outer.iter().flat_map(|f| &f.loops).any(|l| label.is_none_or(|n| l.label == Some(n.symbol)))
            });
            let diagnostic = if around {
                diagnostic.help("a lambda is a routine of its own: it cannot leave a loop around it")
            } else {
                diagnostic
            };
            self.report(diagnostic);
        }
        found
    }
}
