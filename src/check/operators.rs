//! Operators: arithmetic, comparison, logic, and those that types define.

use super::Checker;
use super::calls::Argument;
use super::convert::article;
use super::declarations::RoutineDeclId;
use super::hir::{self, CompareOp, Expr, ExprKind, LocalKind, Type, TypeId, Types, UnaryOp};
use super::names::Overloads;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::Symbol;
use crate::syntax::ast::{self, BinaryOp, PrefixOp};

/// A left operand: as written, or `place = value` read as a comparison.
#[derive(Clone, Copy)]
pub enum Side<'a> {
    Ast(&'a ast::Expr),
    Equality { place: &'a ast::Expr, op_span: Span, value: &'a ast::Expr },
}

impl<'a> Checker<'a> {
    /// What `place = e` means where it does not assign: the row of operands with `=` in its usual precedence.
    pub fn comparison(
        &mut self,
        place: &'a ast::Expr,
        op_span: Span,
        value: &'a ast::Expr,
        hint: Option<TypeId>,
    ) -> Expr {
        let span = place.span.to(value.span);
        let starts = |inner: &ast::Expr| inner.span.start == value.span.start;
        match &value.kind {
            ast::ExprKind::Binary(b) if b.op.precedence() <= BinaryOp::Equal.precedence() && starts(&b.left) => {
                let left = Side::Equality { place, op_span, value: &b.left };
                self.binary(b.op, b.op_span, left, &b.right, span, hint)
            }
            _ => self.binary(BinaryOp::Equal, op_span, Side::Ast(place), value, span, hint),
        }
    }

    fn side(&mut self, side: Side<'a>, hint: Option<TypeId>) -> Expr {
        match side {
            Side::Ast(e) => self.value(e, hint),
            Side::Equality { place, op_span, value } => self.comparison(place, op_span, value, hint),
        }
    }

    fn side_flexible(&self, side: Side<'a>) -> bool {
        match side {
            Side::Ast(e) => self.flexible(e),
            Side::Equality { .. } => false,
        }
    }

    pub fn binary(
        &mut self,
        op: BinaryOp,
        op_span: Span,
        left: Side<'a>,
        right: &'a ast::Expr,
        span: Span,
        hint: Option<TypeId>,
    ) -> Expr {
        match op {
            BinaryOp::And | BinaryOp::Or => return self.logic(op, left, right, span),
            BinaryOp::ShiftLeft | BinaryOp::ShiftRight => return self.shift(op, op_span, left, right, span, hint),
            _ => {}
        }
        let arithmetic = op.precedence() > BinaryOp::Equal.precedence() && !is_order(op)
            || matches!(op, BinaryOp::BitAnd | BinaryOp::BitXor | BinaryOp::BitOr);
        let right_flexible = self.flexible(right);
        let left_flexible = self.side_flexible(left);
        let both = if arithmetic {
            hint.filter(|&h| self.inner_hint(Some(h)).is_some_and(|h| self.is_number(h)))
        } else {
            None
        };
        let left_leans = left_flexible || !arithmetic && matches!(left, Side::Ast(e) if self.leans(e));
        let (l, r) = if left_leans && !right_flexible && !self.leans(right) {
            let r = self.value(right, None);
            if let (Side::Ast(literal), Some(free)) = (left, self.free_operator(op, op_span, None, Some(r.ty))) {
                return self.call_overloads(free, vec![Argument::of(literal), Argument::done(r)], span, hint);
            }
            let l = self.side(left, Some(r.ty));
            (l, r)
        } else {
            let l = self.side(left, if left_flexible { both } else { None });
            if self.own_operator(&l, op) {
                return self.call_operator(l, op, op_span, Argument::of(right), span, hint);
            }
            if let Some(free) = self.free_operator(op, op_span, Some(l.ty), None) {
                return self.call_overloads(free, vec![Argument::done(l), Argument::of(right)], span, hint);
            }
            let expected = match (&right.kind, left_flexible) {
                (_, true) => both.or(Some(l.ty)),
                // Names of variants, arrays of literals and `null` look at the other side too.
                (ast::ExprKind::Name(_) | ast::ExprKind::Member(..) | ast::ExprKind::Call(_), _) if !arithmetic => {
                    Some(l.ty)
                }
                _ => right_flexible.then_some(l.ty),
            };
            let r = self.value(right, expected);
            (l, r)
        };
        if l.ty == Types::ERROR || r.ty == Types::ERROR {
            return self.failed(span);
        }
        self.operate(op, op_span, l, r, span)
    }

    /// Whether the left operand's type has the operator itself; `=` gives `<>` too.
    fn own_operator(&mut self, l: &Expr, op: BinaryOp) -> bool {
        if !self.is_composite(l.ty) {
            return false;
        }
        let named = |c: &mut Self, op: BinaryOp| {
            c.interner.find(op.text()).is_some_and(|symbol| c.find_methods(l.ty, symbol).is_some())
        };
        named(self, op) || op == BinaryOp::NotEqual && named(self, BinaryOp::Equal)
    }

    /// A call of an operator that the left operand's type defines.
    fn call_operator(
        &mut self,
        l: Expr,
        op: BinaryOp,
        op_span: Span,
        right: Argument<'a>,
        span: Span,
        hint: Option<TypeId>,
    ) -> Expr {
        // The collections of the library compare what is in them.
        let library = |c: &Self| c.declaration(l.ty).is_some_and(|(decl, _)| c.decls.ty(decl).library);
        if matches!(op, BinaryOp::Equal | BinaryOp::NotEqual)
            && library(self)
            && self.reports_incomparable(l.ty, op_span)
        {
            return self.failed(span);
        }
        let mut symbol = self.interner.find(op.text());
        let mut found = symbol.and_then(|s| self.find_methods(l.ty, s));
        let mut negate = false;
        if found.is_none() && op == BinaryOp::NotEqual {
            symbol = self.interner.find(BinaryOp::Equal.text());
            found = symbol.and_then(|s| self.find_methods(l.ty, s));
            negate = true;
        }
        let (Some((routines, owner, _)), Some(name)) = (found, symbol) else { return self.failed(span) };
        let overloads = Overloads {
            name,
            routines: routines.into_iter().map(|r| (r, 0)).collect(),
            this: Some(l),
            owner: Some(owner),
            explicit: Vec::new(),
            span: op_span,
        };
        let call = self.call_overloads(overloads, vec![right], span, hint);
        if negate && call.ty == Types::BOOL {
            return Expr::new(ExprKind::Not(Box::new(call)), Types::BOOL, span);
        }
        call
    }

    /// An operation on two checked operands.
    pub fn operate(&mut self, op: BinaryOp, op_span: Span, l: Expr, r: Expr, span: Span) -> Expr {
        if l.ty == Types::ERROR || r.ty == Types::ERROR {
            return self.failed(span);
        }
        if l.ty == Types::NEVER {
            return l;
        }
        if r.ty == Types::NEVER {
            let at = l.span;
            let dropped = Expr::new(ExprKind::Drop(Box::new(l)), Types::VOID, at);
            return Expr::new(ExprKind::Block(vec![dropped, r]), Types::NEVER, span);
        }
        for side in [&l, &r] {
            if side.ty == Types::VOID {
                return self.void_operand(side, op, span);
            }
        }
        if self.own_operator(&l, op) {
            return self.call_operator(l, op, op_span, Argument::done(r), span, None);
        }
        if matches!(op, BinaryOp::Equal | BinaryOp::NotEqual) {
            return self.equality(op, op_span, l, r, span);
        }
        let (l, r) = self.promote(l, r);
        if l.ty == r.ty {
            let ty = l.ty;
            let number = self.is_number(ty);
            if is_order(op) {
                if number || matches!(ty, Types::CHAR | Types::STRING | Types::BOOL) {
                    let compare = match op {
                        BinaryOp::Less => CompareOp::Lt,
                        BinaryOp::Greater => CompareOp::Gt,
                        BinaryOp::LessEqual => CompareOp::Le,
                        _ => CompareOp::Ge,
                    };
                    let kind = ExprKind::Compare { op: compare, left: Box::new(l), right: Box::new(r) };
                    return Expr::new(kind, Types::BOOL, span);
                }
                return self.no_operator(op, op_span, &l, &r, span);
            }
            let integer = self.int_kind(ty).is_some();
            if self.is_float(ty) && matches!(op, BinaryOp::Remainder | BinaryOp::Mod) {
                return self.float_remainder(l, r, span);
            }
            let arithmetic = match op {
                BinaryOp::Add if ty == Types::STRING => Some(hir::BinaryOp::Concat),
                BinaryOp::Add if number => Some(hir::BinaryOp::Add),
                BinaryOp::Subtract if number => Some(hir::BinaryOp::Sub),
                BinaryOp::Multiply if number => Some(hir::BinaryOp::Mul),
                BinaryOp::Divide if number => Some(hir::BinaryOp::Div),
                BinaryOp::Div if integer => Some(hir::BinaryOp::Div),
                BinaryOp::Remainder | BinaryOp::Mod if integer => Some(hir::BinaryOp::Rem),
                BinaryOp::BitAnd if integer || ty == Types::BOOL => Some(hir::BinaryOp::And),
                BinaryOp::BitXor if integer || ty == Types::BOOL => Some(hir::BinaryOp::Xor),
                BinaryOp::BitOr if integer || ty == Types::BOOL => Some(hir::BinaryOp::Or),
                _ => None,
            };
            if let Some(op) = arithmetic {
                let kind = ExprKind::Binary { op, left: Box::new(l), right: Box::new(r) };
                return Expr::new(kind, ty, span);
            }
        }
        if let Some(call) = self.free_operator(op, op_span, Some(l.ty), Some(r.ty)) {
            let args = vec![Argument::done(l), Argument::done(r)];
            return self.call_overloads(call, args, span, None);
        }
        self.no_operator(op, op_span, &l, &r, span)
    }

    /// `%` on floats: a routine of the library. The rest of two f32 is one too, so it is computed in f64.
    fn float_remainder(&mut self, l: Expr, r: Expr, span: Span) -> Expr {
        let ty = l.ty;
        let entry = self.decls.space(self.library_space).names.get(&self.known.float_remainder);
        let Some(&routine) = entry.and_then(|e| e.routines.first()) else { return self.failed(span) };
        let wide = |e: Expr| {
            let at = e.span;
            if e.ty == Types::F64 { e } else { Expr::new(ExprKind::Convert(Box::new(e)), Types::F64, at) }
        };
        let none = self.no_types.clone();
        let call = self.emit_call(routine, &none, None, vec![wide(l), wide(r)], span);
        if ty == Types::F64 { call } else { Expr::new(ExprKind::Convert(Box::new(call)), ty, span) }
    }

    /// `int` op `f64` is computed in f64.
    pub fn promote(&self, l: Expr, r: Expr) -> (Expr, Expr) {
        let convert = |e: Expr| {
            let span = e.span;
            Expr::new(ExprKind::Convert(Box::new(e)), Types::F64, span)
        };
        match (l.ty, r.ty) {
            (Types::I64, Types::F64) => (convert(l), r),
            (Types::F64, Types::I64) => (l, convert(r)),
            _ => (l, r),
        }
    }

    /// Operators outside of a type, with two parameters, of operands of which one is a struct or union.
    fn free_operator(
        &mut self,
        op: BinaryOp,
        op_span: Span,
        left: Option<TypeId>,
        right: Option<TypeId>,
    ) -> Option<Overloads> {
        let equality = matches!(op, BinaryOp::Equal | BinaryOp::NotEqual);
        if equality || ![left, right].into_iter().flatten().any(|ty| self.is_composite(ty)) {
            return None;
        }
        let name = self.interner.find(op.text())?;
        let mut at = Some(self.ctx.space);
        while let Some(id) = at {
            let space = self.decls.space(id);
            if space.owner.is_none()
                && let Some(entry) = space.names.get(&name)
                && !entry.routines.is_empty()
            {
                let routines = entry.routines.iter().map(|&r| (r, 0)).collect();
                return Some(Overloads {
                    name,
                    routines,
                    this: None,
                    owner: None,
                    explicit: Vec::new(),
                    span: op_span,
                });
            }
            at = space.parent;
        }
        None
    }

    fn logic(&mut self, op: BinaryOp, left: Side<'a>, right: &'a ast::Expr, span: Span) -> Expr {
        let l = match left {
            Side::Ast(e) => self.condition(e),
            side => {
                let value = self.side(side, Some(Types::BOOL));
                self.coerce(value, Types::BOOL, None)
            }
        };
        let r = self.alone(|c| c.condition(right));
        if l.ty == Types::ERROR || r.ty == Types::ERROR {
            return self.failed(span);
        }
        if l.ty == Types::NEVER {
            return l;
        }
        let (l, r) = (Box::new(l), Box::new(r));
        let kind = if op == BinaryOp::And { ExprKind::And(l, r) } else { ExprKind::Or(l, r) };
        Expr::new(kind, Types::BOOL, span)
    }

    /// The count of a shift is of any integer type.
    fn shift(
        &mut self,
        op: BinaryOp,
        op_span: Span,
        left: Side<'a>,
        right: &'a ast::Expr,
        span: Span,
        hint: Option<TypeId>,
    ) -> Expr {
        let flexible = self.side_flexible(left);
        let l = self.side(left, if flexible { hint.filter(|&h| self.int_kind(h).is_some()) } else { None });
        if self.own_operator(&l, op) {
            return self.call_operator(l, op, op_span, Argument::of(right), span, hint);
        }
        let r = self.value(right, None);
        if l.ty == Types::ERROR || r.ty == Types::ERROR {
            return self.failed(span);
        }
        self.shifted(op, op_span, l, r, span)
    }

    fn shifted(&mut self, op: BinaryOp, op_span: Span, l: Expr, r: Expr, span: Span) -> Expr {
        if self.int_kind(l.ty).is_none() || self.int_kind(r.ty).is_none() {
            return self.no_operator(op, op_span, &l, &r, span);
        }
        let ty = l.ty;
        let op = if op == BinaryOp::ShiftLeft { hir::BinaryOp::Shl } else { hir::BinaryOp::Shr };
        Expr::new(ExprKind::Binary { op, left: Box::new(l), right: Box::new(r) }, ty, span)
    }

    /// What `place op= value` stores: the operation on what the place held and the value.
    pub fn compound(&mut self, op: BinaryOp, op_span: Span, old: Expr, operand: Expr, span: Span) -> Expr {
        match op {
            BinaryOp::ShiftLeft | BinaryOp::ShiftRight if !self.is_composite(old.ty) => {
                self.shifted(op, op_span, old, operand, span)
            }
            _ => self.operate(op, op_span, old, operand, span),
        }
    }

    fn void_operand(&mut self, side: &Expr, op: BinaryOp, span: Span) -> Expr {
        let text = self.source(span);
        let mut diagnostic =
            Diagnostic::error(side.span, format!("this gives no value to which `{}` could be applied", op.text()))
                .label("no value");
        if let ExprKind::Print { .. } | ExprKind::Call { .. } = &side.kind {
            let name_end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(0);
            let name = &text[..name_end];
            let rest = text[name_end..].trim();
            if !name.is_empty()
                && !rest.is_empty()
                && rest.len() <= 40
                && side.span.start == span.start
                && !rest.starts_with('(')
            {
                diagnostic =
                    diagnostic.help(format!("a call without parentheses takes one operand: write `{name}({rest})`"));
            }
        }
        self.report(diagnostic);
        self.failed(span)
    }

    pub fn no_operator(&mut self, op: BinaryOp, op_span: Span, l: &Expr, r: &Expr, span: Span) -> Expr {
        let (left, right) = (self.type_name(l.ty), self.type_name(r.ty));
        let sign = op.text();
        let mut diagnostic = Diagnostic::error(op_span, format!("`{sign}` is not defined for `{left}` and `{right}`"))
            .secondary(l.span, format!("{} `{left}`", article(&left)))
            .secondary(r.span, format!("{} `{right}`", article(&right)));
        diagnostic.label = "no such operation".into();
        let (number_l, number_r) = (self.is_number(l.ty), self.is_number(r.ty));
        let bit = matches!(op, BinaryOp::BitAnd | BinaryOp::BitXor | BinaryOp::BitOr);
        if bit && r.ty == Types::BOOL && number_l {
            // `a & 1 = 0`: the comparison binds tighter.
            if let (Some(a), Some(rest)) = (self.short_source(l.span), self.short_source(r.span))
                && let Some((mask, sign, other)) = split_comparison(rest)
            {
                diagnostic = Diagnostic::error(op_span, format!("`{}` binds looser than `{sign}`", op.text()))
                    .label(format!("`{left}` and `bool`"))
                    .secondary(r.span, "this is a `bool`")
                    .help(format!("write `({a} {} {mask}) {sign} {other}`", op.text()));
            }
        } else if matches!(op, BinaryOp::ShiftLeft | BinaryOp::ShiftRight) {
            diagnostic.label = "only integers are shifted, by integers".into();
        } else if number_l && number_r && l.ty != r.ty {
            let wide = self.wider(l.ty, r.ty);
            let narrow = if wide == l.ty { r } else { l };
            let wide = self.type_name(wide);
            diagnostic = self.help_convert(diagnostic, narrow.span, &wide);
        } else if op == BinaryOp::Add && (l.ty == Types::STRING || r.ty == Types::STRING) {
            let other = if l.ty == Types::STRING { r } else { l };
            if let Some(text) = self.short_source(other.span) {
                let text = if text.contains(' ') && !text.starts_with('(') { format!("({text})") } else { text.into() };
                diagnostic =
                    diagnostic.help(format!("make it text: `{text}.to_string()`, or use `format(\"{{}}\", …)`"));
            }
        } else if self.is_float(l.ty) && l.ty == r.ty {
            if bit {
                diagnostic = diagnostic.help("bits belong to integers: `bits(x)` gives those of a float");
            } else if let (Some(a), Some(b)) = (self.short_source(l.span), self.short_source(r.span)) {
                diagnostic = match op {
                    BinaryOp::Div => diagnostic.help(format!("write `trunc({a} / {b})`")),
                    _ => diagnostic.help(format!("write `{a} - trunc({a} / {b}) * {b}`")),
                };
            }
        } else if let Some((payload, _)) = self.option(l.ty).or_else(|| self.option(r.ty)) {
            let side = if self.option(l.ty).is_some() { l } else { r };
            let name = self.short_source(side.span).unwrap_or("x");
            let _ = payload;
            diagnostic = diagnostic.help(format!("`{name}` may be null: use `choose`, or `{name}.or(…)`"));
        } else if number_l
            && let Some(symbol) = self.interner.find(sign)
            && self.find_methods(r.ty, symbol).is_some()
        {
            if let (Some(a), Some(b)) = (self.short_source(l.span), self.short_source(r.span)) {
                diagnostic = diagnostic.help(format!("`{right}` defines it with itself on the left: `{b} {sign} {a}`"));
            }
        } else if matches!(self.out.types.get(l.ty), Type::Struct(_)) && l.ty == r.ty {
            let result = if is_order(op) { "bool" } else { "…" };
            diagnostic =
                diagnostic.help(format!("`{left}` can define it: `operator {sign}(other: {left}) returns {result}`"));
        } else if let (true, Types::BOOL, Some(first)) = (is_order(op), l.ty, self.short_source(l.span))
            && let Some((_, _, middle)) = split_comparison(first)
            && let Some(last) = self.short_source(r.span)
        {
            diagnostic = diagnostic.help(format!("compare twice: `{first} and {middle} {sign} {last}`"));
        } else if l.ty == Types::CHAR && r.ty == Types::STRING || l.ty == Types::STRING && r.ty == Types::CHAR {
            diagnostic = diagnostic.help("characters stand in backticks, strings in quotes");
        }
        self.report(diagnostic);
        self.failed(span)
    }

    /// Of two number types the one that is the better common one.
    fn wider(&self, a: TypeId, b: TypeId) -> TypeId {
        let rank = |ty: TypeId| match ty {
            Types::F64 => 20,
            Types::F32 => 18,
            Types::I64 => 16,
            Types::U64 => 15,
            Types::I32 => 12,
            Types::U32 => 11,
            Types::I16 => 9,
            Types::U16 => 8,
            _ => 5,
        };
        if rank(a) >= rank(b) { a } else { b }
    }

    pub fn prefix(&mut self, op: PrefixOp, operand: &'a ast::Expr, span: Span, hint: Option<TypeId>) -> Expr {
        match op {
            PrefixOp::Not => {
                let value = self.condition(operand);
                if value.ty == Types::ERROR || value.ty == Types::NEVER {
                    return value;
                }
                Expr::new(ExprKind::Not(Box::new(value)), Types::BOOL, span)
            }
            PrefixOp::Minus => match operand.kind {
                // A parenthesized literal too: `-(5)`.
                ast::ExprKind::Int(n) => self.int_literal(n, true, span, hint),
                ast::ExprKind::Float(text) => self.float_literal(self.text(text), true, span, hint),
                _ => self.negated(op, operand, span, hint),
            },
            PrefixOp::Plus | PrefixOp::Complement => self.negated(op, operand, span, hint),
            PrefixOp::Deref => {
                let value = self.value(operand, hint);
                if let ExprKind::Local(local) = value.kind
                    && self.frame().locals[local.0 as usize].kind == LocalKind::Binding
                {
                    return value;
                }
                if value.ty != Types::ERROR {
                    self.report(
                        Diagnostic::error(span, "pointers are not supported yet")
                            .label("`*` reads through a pointer")
                            .help("values need no `*`; write the name alone"),
                    );
                }
                self.failed(span)
            }
            PrefixOp::AddressOf => {
                self.report(
                    Diagnostic::error(span, "pointers are not supported yet")
                        .label("`&` takes an address")
                        .help("parameters that are changed are passed in place without a mark: write the name alone"),
                );
                self.failed(span)
            }
        }
    }

    fn negated(&mut self, op: PrefixOp, operand: &'a ast::Expr, span: Span, hint: Option<TypeId>) -> Expr {
        let hint = if self.flexible(operand) { hint } else { None };
        let value = self.value(operand, hint);
        if value.ty == Types::ERROR || value.ty == Types::NEVER {
            return value;
        }
        if let Some(call) = self.unary_operator(&value, op) {
            let overloads = Overloads { this: Some(value), ..call };
            return self.call_overloads(overloads, Vec::new(), span, None);
        }
        let ty = value.ty;
        let fits = if op == PrefixOp::Complement { self.int_kind(ty).is_some() } else { self.is_number(ty) };
        if !fits {
            let name = self.type_name(ty);
            let mut diagnostic = Diagnostic::error(span, format!("`{}` is not defined for `{name}`", op.text()))
                .label(format!("{} `{name}`", article(&name)));
            if op == PrefixOp::Complement && ty == Types::BOOL {
                diagnostic = diagnostic.help("the opposite of a `bool` is written `not x`");
            }
            self.report(diagnostic);
            return self.failed(span);
        }
        let unary = match op {
            PrefixOp::Minus => UnaryOp::Neg,
            PrefixOp::Complement => UnaryOp::Not,
            _ => return value,
        };
        Expr::new(ExprKind::Unary { op: unary, operand: Box::new(value) }, ty, span)
    }

    /// The prefix operator that a type defines: one without parameters.
    fn unary_operator(&mut self, value: &Expr, op: PrefixOp) -> Option<Overloads> {
        if !matches!(self.out.types.get(value.ty), Type::Struct(_) | Type::Union(_)) {
            return None;
        }
        let name: Symbol = self.interner.find(op.text())?;
        let (routines, owner, _) = self.find_methods(value.ty, name)?;
        let unary: Vec<(RoutineDeclId, u8)> = routines
            .into_iter()
            .filter(|&r| self.decls.routine(r).routine.params.iter().all(|p| p.name.symbol == self.known.this))
            .map(|r| (r, 0))
            .collect();
        (!unary.is_empty()).then_some(Overloads {
            name,
            routines: unary,
            this: None,
            owner: Some(owner),
            explicit: Vec::new(),
            span: value.span,
        })
    }
}

fn is_order(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::Less | BinaryOp::Greater | BinaryOp::LessEqual | BinaryOp::GreaterEqual)
}

/// Left side, sign and right side of a written comparison.
fn split_comparison(text: &str) -> Option<(&str, &str, &str)> {
    for sign in ["<=", ">=", "<>", "==", "!=", "=", "<", ">"] {
        if let Some((left, right)) = text.split_once(sign) {
            let (left, right) = (left.trim(), right.trim());
            if !left.is_empty() && !right.is_empty() && !text.starts_with('(') {
                return Some((left, sign, right));
            }
        }
    }
    None
}
