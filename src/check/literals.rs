//! Literals: they take the type that their context asks for.

use std::rc::Rc;

use super::Checker;
use super::hir::{Expr, ExprKind, IntKind, Type, TypeId, Types};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast::{self, PrefixOp};

/// The least and the greatest value of an integer type.
pub fn bounds(kind: IntKind) -> (i128, i128) {
    match kind {
        IntKind::I8 => (i8::MIN.into(), i8::MAX.into()),
        IntKind::I16 => (i16::MIN.into(), i16::MAX.into()),
        IntKind::I32 => (i32::MIN.into(), i32::MAX.into()),
        IntKind::I64 => (i64::MIN.into(), i64::MAX.into()),
        IntKind::U8 => (0, u8::MAX.into()),
        IntKind::U16 => (0, u16::MAX.into()),
        IntKind::U32 => (0, u32::MAX.into()),
        IntKind::U64 => (0, u64::MAX.into()),
    }
}

impl<'a> Checker<'a> {
    /// Whether an expression consists of literals, so that its type depends on what is expected.
    pub fn flexible(&self, e: &ast::Expr) -> bool {
        match &e.kind {
            ast::ExprKind::Int(_) | ast::ExprKind::Float(_) | ast::ExprKind::Null => true,
            ast::ExprKind::Array(items) => items.iter().all(|i| self.flexible(i)),
            ast::ExprKind::Prefix(PrefixOp::Minus | PrefixOp::Plus | PrefixOp::Complement, e) => self.flexible(e),
            // What is shifted has the type; the count may be of any.
            ast::ExprKind::Binary(b) if matches!(b.op, ast::BinaryOp::ShiftLeft | ast::BinaryOp::ShiftRight) => {
                self.flexible(&b.left)
            }
            ast::ExprKind::Binary(b) => {
                b.op.precedence() > ast::BinaryOp::Equal.precedence()
                    && !matches!(
                        b.op,
                        ast::BinaryOp::Less
                            | ast::BinaryOp::Greater
                            | ast::BinaryOp::LessEqual
                            | ast::BinaryOp::GreaterEqual
                    )
                    && self.flexible(&b.right)
                    && self.flexible(&b.left)
            }
            ast::ExprKind::If(i) => {
                self.flexible_body(&i.then) && i.otherwise.as_ref().is_some_and(|o| self.flexible_body(o))
            }
            ast::ExprKind::Block(body) => self.flexible_body(body),
            _ => false,
        }
    }

    /// Whether what a body gives consists of literals.
    fn flexible_body(&self, body: &ast::Body) -> bool {
        match body.stmts.last().map(|s| &s.kind) {
            Some(ast::StmtKind::Expr(e)) => self.flexible(e),
            _ => false,
        }
    }

    /// Whether an expression should see the types of those beside it first: literals, and variants of generic unions.
    pub fn leans(&self, e: &ast::Expr) -> bool {
        self.flexible(e) || self.generic_variant(e)
    }

    /// The same for what a body gives.
    pub fn leaning_body(&self, body: &ast::Body) -> bool {
        match body.stmts.last().map(|s| &s.kind) {
            Some(ast::StmtKind::Expr(e)) => self.leans(e),
            _ => false,
        }
    }

    /// `Leaf`, `Tree.Leaf`, `Err(x)` of a generic union whose arguments are not written.
    fn generic_variant(&self, e: &ast::Expr) -> bool {
        match &e.kind {
            &ast::ExprKind::Name(name) => {
                let generic = |(union, _): &(super::declarations::TypeDeclId, u32)| {
                    !self.decls.ty(*union).define.generics.is_empty()
                };
                let known = |table: &rustc_hash::FxHashMap<_, Vec<_>>| {
                    table.get(&name).is_some_and(|list| list.iter().any(generic))
                };
                (known(&self.decls.variants) || known(&self.decls.library_variants)) && self.scopes.get(name).is_none()
            }
            ast::ExprKind::Member(base, name) => match &base.kind {
                ast::ExprKind::Name(_) => {
                    let variant = ast::Expr { kind: ast::ExprKind::Name(name.symbol), span: e.span };
                    self.generic_variant(&variant)
                }
                _ => false,
            },
            ast::ExprKind::Call(call) => self.generic_variant(&call.callee),
            _ => false,
        }
    }

    /// The innermost payload of optionals.
    pub fn inner_hint(&self, hint: Option<TypeId>) -> Option<TypeId> {
        let mut ty = hint?;
        while let Some((payload, _)) = self.option(ty) {
            ty = payload;
        }
        Some(ty)
    }

    pub fn int_literal(&mut self, value: u64, negative: bool, span: Span, hint: Option<TypeId>) -> Expr {
        let hint = self.inner_hint(hint);
        match hint {
            Some(Types::F64) => {
                let x = value as f64;
                return Expr::new(ExprKind::Float(if negative { -x } else { x }), Types::F64, span);
            }
            Some(Types::F32) => {
                let x = f64::from(value as f32);
                return Expr::new(ExprKind::Float(if negative { -x } else { x }), Types::F32, span);
            }
            _ => {}
        }
        let (ty, kind) = match hint.and_then(|ty| Some((ty, self.int_kind(ty)?))) {
            Some(found) => found,
            None => (Types::I64, IntKind::I64),
        };
        let exact = if negative { -i128::from(value) } else { i128::from(value) };
        let (low, high) = bounds(kind);
        if exact < low || exact > high {
            let name = self.type_name(ty);
            let text = self.source(span);
            let mut diagnostic = Diagnostic::error(span, format!("`{text}` is out of range for `{name}`"))
                .label(format!("{} `{name}` holds {low} to {high}", super::convert::article(&name)));
            if kind == IntKind::I64 && exact > high {
                diagnostic = diagnostic.help(format!("as a `u64` it fits: `{text} as u64`, or declare the type"));
            } else if negative && low == 0 {
                diagnostic = diagnostic.help(format!("to wrap it, write `{text} as {name}`"));
            }
            self.report(diagnostic);
            return self.failed(span);
        }
        Expr::new(ExprKind::Int(exact as i64), ty, span)
    }

    pub fn float_literal(&mut self, text: &str, negative: bool, span: Span, hint: Option<TypeId>) -> Expr {
        let single = self.inner_hint(hint) == Some(Types::F32);
        let (value, ty) = if single {
            (f64::from(text.parse::<f32>().unwrap_or(f32::INFINITY)), Types::F32)
        } else {
            (text.parse::<f64>().unwrap_or(f64::INFINITY), Types::F64)
        };
        if value.is_infinite() {
            let name = self.type_name(ty);
            self.report(
                Diagnostic::error(span, format!("`{text}` is out of range for `{name}`"))
                    .label("greater than any of it"),
            );
            return self.failed(span);
        }
        Expr::new(ExprKind::Float(if negative { -value } else { value }), ty, span)
    }

    pub fn null_literal(&mut self, span: Span, hint: Option<TypeId>) -> Expr {
        match hint {
            Some(Types::ERROR) => self.failed(span),
            Some(ty) if self.option(ty).is_some() => self.none(ty, span),
            // `null` beside a T makes the whole a T?.
            Some(ty) if ty != Types::VOID && ty != Types::NEVER => {
                let option = self.optional(ty, span);
                self.none(option, span)
            }
            _ => {
                self.report(
                    Diagnostic::error(span, "`null` alone has no type")
                        .label("of which type is it none?")
                        .help("declare it: `var x: int? = null`"),
                );
                self.failed(span)
            }
        }
    }

    pub fn text_literal(&mut self, text: &str, span: Span) -> Expr {
        Expr::new(ExprKind::Text(Rc::from(text)), Types::STRING, span)
    }

    /// `[a, b]`: an Array, or a Vector where one is expected.
    pub fn array_literal(&mut self, items: &'a [ast::Expr], span: Span, hint: Option<TypeId>) -> Expr {
        let hint = self.inner_hint(hint);
        let (mut element, vector) = match hint.map(|ty| self.out.types.get(ty)) {
            Some(&(Type::Array(t) | Type::Slice(t))) => (Some(t), false),
            Some(&Type::Vector(t)) => (Some(t), true),
            _ => (None, false),
        };
        let expected = element.is_some();
        let mut teller = None;
        let mut values: Vec<Option<Expr>> = Vec::with_capacity(items.len());
        values.resize_with(items.len(), || None);
        for flexible in [false, true] {
            for (i, item) in items.iter().enumerate() {
                if self.leans(item) != flexible {
                    continue;
                }
                // Literals of different kinds among themselves: 1 beside 2.5 is a float.
                let hint = match element {
                    None if flexible && items.iter().any(has_float) => Some(Types::F64),
                    known => known,
                };
                let value = self.value(item, hint);
                if matches!(value.ty, Types::ERROR | Types::VOID) {
                    if value.ty == Types::VOID {
                        self.no_value(&value);
                    }
                    for rest in &items[i + 1..] {
                        if !self.flexible(rest) {
                            self.expr(rest, element);
                        }
                    }
                    return self.failed(span);
                }
                if !expected && value.ty != Types::NEVER {
                    match element {
                        None => {
                            element = Some(value.ty);
                            teller = Some(item.span);
                        }
                        Some(known) => {
                            if let Some(joined) = self.join(known, value.ty) {
                                element = Some(joined);
                            }
                        }
                    }
                }
                values[i] = Some(value);
            }
        }
        let Some(element) = element else {
            if hint == Some(Types::ERROR) {
                return self.failed(span);
            }
            self.report(
                Diagnostic::error(span, "the type of this empty array is not known")
                    .label("no elements that could tell it")
                    .help("declare it: `var x: Array[int] = []`, or write `Array[int]()`"),
            );
            return self.failed(span);
        };
        let why = teller.map(|at| (at, "this element tells the type"));
        let values: Vec<Expr> = values.into_iter().flatten().map(|v| self.coerce(v, element, why)).collect();
        if values.iter().any(|v| v.ty == Types::ERROR) {
            return self.failed(span);
        }
        let ty = self.out.types.intern(if vector { Type::Vector(element) } else { Type::Array(element) });
        Expr::new(ExprKind::Elements(values), ty, span)
    }
}

/// Whether there is a float among the literals.
fn has_float(e: &ast::Expr) -> bool {
    match &e.kind {
        ast::ExprKind::Float(_) => true,
        ast::ExprKind::Prefix(_, e) => has_float(e),
        ast::ExprKind::Binary(b) => has_float(&b.left) || has_float(&b.right),
        _ => false,
    }
}
