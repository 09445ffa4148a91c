//! Assignments: `set place: e`, `place = e`, `place += e`.

use super::Checker;
use super::calls::Argument;
use super::declarations::RoutineDeclId;
use super::hir::{Expr, ExprKind, LocalId, LocalKind, Type, TypeId, Types};
use super::names::Overloads;
use super::overloads::is_constant;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast::{self, AssignOp, BinaryOp};

impl<'a> Checker<'a> {
    pub fn assign(&mut self, a: &'a ast::Assign, span: Span) -> Expr {
        let place;
        if let ast::ExprKind::Index(index) = &a.place.kind {
            let head = self.head(&index.head, None);
            let base = self.head_value(head, index.head.span, None);
            if base.ty == Types::ERROR {
                self.expr(&a.value, None);
                return self.failed(span);
            }
            if let Some((routines, owner, _)) = self.find_methods(base.ty, self.known.index_set) {
                let set = Overloads {
                    name: self.known.index_set,
                    routines: routines.into_iter().map(|r| (r, 0)).collect(),
                    this: Some(base),
                    owner: Some(owner),
                    explicit: Vec::new(),
                    span,
                };
                return self.assign_by_operator(a, index, set, span);
            }
            place = self.element(base, &index.args, a.place.span);
        } else {
            self.assigned = (a.op == AssignOp::Equals).then_some(a.place.span);
            place = Some(self.expr(&a.place, None));
            self.assigned = None;
        }
        let Some(place) = place.and_then(|p| self.as_place(p, &a.place)) else {
            if !self.flexible(&a.value) && !matches!(a.value.kind, ast::ExprKind::Lambda(_)) {
                self.expr(&a.value, None);
            }
            return self.failed(span);
        };
        match a.op {
            AssignOp::Set | AssignOp::Equals => {
                let ty = place.ty;
                let declared = self.declaration_of(&place);
                let value = self.expr_as(&a.value, ty, declared.map(|at| (at, "declared here")));
                match value.ty {
                    Types::ERROR => self.failed(span),
                    Types::NEVER => value,
                    _ => {
                        let (place, value) = (Box::new(place), Box::new(value));
                        Expr::new(ExprKind::Assign { place, value }, Types::VOID, span)
                    }
                }
            }
            AssignOp::Compound(op) => self.modify(a, op, place, span),
        }
    }

    /// Where the variable was declared whose own type is assigned to.
    fn declaration_of(&mut self, place: &Expr) -> Option<Span> {
        match place.kind {
            ExprKind::Local(local) => {
                let local = &self.frame().locals[local.0 as usize];
                (!matches!(local.kind, LocalKind::Temporary)).then_some(local.span)
            }
            _ => None,
        }
    }

    /// An expression that names storage.
    fn as_place(&mut self, place: Expr, e: &'a ast::Expr) -> Option<Expr> {
        if place.ty == Types::ERROR || place.ty == Types::NEVER {
            return None;
        }
        if place.is_place() && !matches!(place.kind, ExprKind::Global(_)) {
            // A byte of a string would be one, but strings are immutable.
            return Some(place);
        }
        let text = self.short_source(e.span).unwrap_or("this");
        let mut diagnostic = Diagnostic::error(e.span, format!("`{text}` cannot be assigned"));
        diagnostic = match (&e.kind, &place.kind) {
            (_, ExprKind::Global(_)) => diagnostic.label("a constant").help("keep a changed copy in a `var`"),
            (ast::ExprKind::Name(_), kind) if !matches!(kind, ExprKind::Call { .. } | ExprKind::RoutineValue(_)) => {
                diagnostic.label("a constant").help("keep a changed copy in a `var`")
            }
            (_, ExprKind::RoutineValue(_)) => diagnostic.label("a routine"),
            (ast::ExprKind::Index(index), ExprKind::Call { .. }) if place.ty == Types::CHAR => {
                let name = self.short_source(index.head.span).unwrap_or("it");
                diagnostic
                    .label("strings do not change")
                    .help(format!("make a new one from parts of `{name}`, or collect them in a `StringBuilder`"))
            }
            (ast::ExprKind::Index(index), ExprKind::Call { .. }) => {
                let base = self.short_source(index.head.span).unwrap_or("it").to_string();
                diagnostic
                    .label("computed by `operator []`")
                    .help(format!("the type of `{base}` can define `operator []=(…)` for that"))
            }
            (_, ExprKind::Call { .. }) => diagnostic.label("a value that a call gave"),
            _ => diagnostic.label("a value, not a place"),
        };
        self.report(diagnostic);
        None
    }

    fn modify(&mut self, a: &'a ast::Assign, op: BinaryOp, place: Expr, span: Span) -> Expr {
        let ty = place.ty;
        let hint = self.operand_hint(ty, op, &a.value);
        let value = self.value(&a.value, hint);
        match value.ty {
            Types::ERROR => return self.failed(span),
            Types::NEVER => return value,
            Types::VOID => {
                self.no_value(&value);
                return self.failed(span);
            }
            _ => {}
        }
        let shift = matches!(op, BinaryOp::ShiftLeft | BinaryOp::ShiftRight);
        let promoted = ty == Types::F64 && value.ty == Types::I64 || self.is_float(value.ty) && !self.is_float(ty);
        if self.is_number(ty) && self.is_number(value.ty) && value.ty != ty && !shift && !promoted {
            let (expected, found) = (self.type_name(ty), self.type_name(value.ty));
            let diagnostic = Diagnostic::error(value.span, format!("expected `{expected}`, found `{found}`"))
                .label(format!("a `{found}`"))
                .secondary(place.span, format!("a `{expected}`"));
            let diagnostic = self.help_convert(diagnostic, value.span, &expected);
            self.report(diagnostic);
            return self.failed(span);
        }
        let (operand_ty, value_span, place_span) = (value.ty, value.span, place.span);
        let operand = self.temporary(operand_ty, value_span);
        let old = self.temporary(ty, place_span);
        let old_value = Expr::new(ExprKind::Local(old), ty, place_span);
        let operand_value = Expr::new(ExprKind::Local(operand), operand_ty, value_span);
        let new = self.compound(op, a.op_span, old_value, operand_value, span);
        let new = self.stored(new, ty, &a.place, op, value_span);
        if new.ty == Types::ERROR {
            return self.failed(span);
        }
        Expr::new(
            ExprKind::Modify { place: Box::new(place), operand, value: Box::new(value), old, new: Box::new(new) },
            Types::VOID,
            span,
        )
    }

    /// What is stored must be of the place's type.
    fn stored(&mut self, new: Expr, ty: TypeId, place: &ast::Expr, op: BinaryOp, value: Span) -> Expr {
        if new.ty == ty || matches!(new.ty, Types::ERROR | Types::NEVER) {
            return new;
        }
        if self.converts(new.ty, ty) {
            return self.coerce(new, ty, None);
        }
        let (found, expected) = (self.type_name(new.ty), self.type_name(ty));
        let text = self.short_source(place.span).unwrap_or("the place");
        let message = format!("`{}=` gives a `{found}` here, but `{text}` is a `{expected}`", op.text());
        let mut diagnostic =
            Diagnostic::error(place.span.to(value), message).label(format!("cannot store a `{found}`"));
        if self.is_number(new.ty) && self.is_number(ty) {
            diagnostic = self.help_convert(diagnostic, value, &expected);
        }
        self.report(diagnostic);
        self.failed(value)
    }

    /// The type that a literal operand takes: the place's, or that of the parameter of the type's own operator.
    fn operand_hint(&mut self, ty: TypeId, op: BinaryOp, value: &ast::Expr) -> Option<TypeId> {
        if matches!(self.out.types.get(ty), Type::Struct(_) | Type::Union(_)) {
            let name = self.interner.find(op.text())?;
            let (routines, owner, _) = self.find_methods(ty, name)?;
            let [routine] = routines.as_slice() else { return None };
            let signature = self.signature(*routine, &owner);
            return signature.params.first().copied();
        }
        let shift = matches!(op, BinaryOp::ShiftLeft | BinaryOp::ShiftRight);
        (!shift && self.flexible(value)).then_some(ty)
    }

    /// `c[k] = v` and `c[k] += v` where c's type has `operator []=`.
    fn assign_by_operator(&mut self, a: &'a ast::Assign, index: &'a ast::Index, set: Overloads, span: Span) -> Expr {
        let AssignOp::Compound(op) = a.op else {
            let mut args: Vec<Argument<'a>> = index.args.iter().map(Argument::of).collect();
            args.push(Argument::of(&a.value));
            let mut call = self.call_overloads(set, args, span, None);
            // The value is evaluated before the place.
            if let ExprKind::Call { arguments, .. } = &mut call.kind
                && let Some(last) = arguments.pop()
            {
                if is_constant(&last) || arguments[1..].iter().all(is_constant) {
                    arguments.push(last);
                    return call;
                }
                let (ty, at) = (last.ty, last.span);
                let local = self.temporary(ty, at);
                arguments.push(Expr::new(ExprKind::Local(local), ty, at));
                let first = Expr::new(ExprKind::Let { local, value: Box::new(last), view: false }, Types::VOID, at);
                return after(vec![first], call);
            }
            return call;
        };
        let Overloads { this: Some(base), owner, routines, name, explicit, .. } = set else { return self.failed(span) };
        let Some(base) = self.stable(base) else {
            let text = self.short_source(index.head.span).unwrap_or("this");
            self.report(
                Diagnostic::error(span, format!("`{text}` is evaluated twice here"))
                    .label("read, then written")
                    .help("keep it in a `var` first"),
            );
            return self.failed(span);
        };
        let Some((getters, _, _)) = self.find_methods(base.ty, self.known.index) else {
            let ty = self.type_name(base.ty);
            self.report(
                Diagnostic::error(a.op_span, format!("`{ty}` has `operator []=`, but no `operator []` to read with"))
                    .label("reads the element first"),
            );
            return self.failed(span);
        };
        // The value first, then the index, once each.
        let mut list = Vec::new();
        let value = self.value(&a.value, None);
        let mut held = Vec::new();
        for arg in &index.args {
            let value = self.value(arg, None);
            if value.ty == Types::ERROR {
                return self.failed(span);
            }
            let (local, first) = self.hold(value);
            held.push((local, first));
        }
        if value.ty == Types::ERROR {
            return self.failed(span);
        }
        let (operand, first) = self.hold(value);
        list.push(first);
        let mut indexes: Vec<LocalId> = Vec::new();
        for (local, first) in held {
            indexes.push(local);
            list.push(first);
        }
        let read = |c: &mut Self, local: LocalId| c.local_expr(local, span);
        let Some(receiver) = self.duplicate(&base) else { return self.failed(span) };
        let args = indexes.iter().map(|&l| Argument::done(read(self, l))).collect();
        let getters: Vec<(RoutineDeclId, u8)> = getters.into_iter().map(|r| (r, 0)).collect();
        let get = Overloads {
            name: self.known.index,
            routines: getters,
            this: Some(receiver),
            owner: owner.clone(),
            explicit: Vec::new(),
            span,
        };
        let old = self.call_overloads(get, args, span, None);
        let operand = read(self, operand);
        let new = self.compound(op, a.op_span, old, operand, span);
        if new.ty == Types::ERROR {
            return self.failed(span);
        }
        let mut args: Vec<Argument<'a>> = indexes.iter().map(|&l| Argument::done(read(self, l))).collect();
        args.push(Argument::done(new));
        let set = Overloads { name, routines, this: Some(base), owner, explicit, span };
        let call = self.call_overloads(set, args, span, None);
        after(list, call)
    }
}

/// Statements before an expression, in a block of the expression's type.
pub fn after(mut list: Vec<Expr>, e: Expr) -> Expr {
    let (ty, span) = (e.ty, e.span);
    list.push(e);
    Expr::new(ExprKind::Block(list), ty, span)
}
