//! What converts silently, what does not and how to say so, and the common type of several values.

use super::Checker;
use super::construct::is_row;
use super::hir::{BinaryOp, Expr, ExprKind, Type, TypeId, Types};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast;

/// Where a type is asked for, and in which words.
pub type Why = Option<(Span, &'static str)>;

impl<'a> Checker<'a> {
    /// Whether a value of one type may stand where the other is expected.
    pub fn converts(&self, from: TypeId, to: TypeId) -> bool {
        if from == to || matches!(from, Types::ERROR | Types::NEVER) || to == Types::ERROR {
            return true;
        }
        if let Some((payload, _)) = self.option(to) {
            return self.converts(from, payload);
        }
        match (self.out.types.get(from), self.out.types.get(to)) {
            (Type::Array(a) | Type::Vector(a), Type::Slice(b)) => a == b,
            _ => false,
        }
    }

    /// A value where another type is expected: converted if that happens silently, reported if not. What blocks, arms and
    /// branches give is converted where it is given.
    pub fn coerce(&mut self, mut e: Expr, ty: TypeId, why: Why) -> Expr {
        if e.ty == ty || ty == Types::ERROR || matches!(e.ty, Types::ERROR | Types::NEVER) {
            return e;
        }
        match &mut e.kind {
            ExprKind::Block(list) => {
                if let Some(last) = list.pop() {
                    let last = self.coerce(last, ty, why);
                    e.ty = last.ty;
                    list.push(last);
                    return e;
                }
            }
            ExprKind::If { then, otherwise: Some(otherwise), .. } => {
                self.coerce_in(then, ty, why);
                self.coerce_in(otherwise, ty, why);
                e.ty = given(ty, [&**then, &**otherwise].into_iter());
                return e;
            }
            ExprKind::Match { arms, otherwise: Some(otherwise), .. } => {
                for arm in arms.iter_mut() {
                    self.coerce_in(&mut arm.body, ty, why);
                }
                self.coerce_in(otherwise, ty, why);
                e.ty = given(ty, arms.iter().map(|a| &a.body).chain([&**otherwise]));
                return e;
            }
            ExprKind::Choose { arms, otherwise, .. } if e.ty != Types::VOID => {
                for arm in arms.iter_mut() {
                    self.coerce_in(&mut arm.body, ty, why);
                }
                if let Some(otherwise) = otherwise {
                    self.coerce_in(otherwise, ty, why);
                }
                e.ty = given(ty, arms.iter().map(|a| &a.body).chain(otherwise.as_deref()));
                return e;
            }
            _ => {}
        }
        if let Some((payload, _)) = self.option(ty)
            && self.converts(e.ty, payload)
        {
            let inner = self.coerce(e, payload, why);
            return self.some(inner, ty);
        }
        if self.converts(e.ty, ty) {
            let span = e.span;
            return Expr::new(ExprKind::AsSlice(Box::new(e)), ty, span);
        }
        self.mismatch(&e, ty, why);
        self.failed(e.span)
    }

    fn coerce_in(&mut self, e: &mut Expr, ty: TypeId, why: Why) {
        let span = e.span;
        let inner = std::mem::replace(e, Expr::new(ExprKind::Nothing, Types::VOID, span));
        *e = self.coerce(inner, ty, why);
    }

    fn mismatch(&mut self, e: &Expr, ty: TypeId, why: Why) {
        let expected = self.type_name(ty);
        let found = self.type_name(e.ty);
        let mut diagnostic = if e.ty == Types::VOID {
            let label = match &e.kind {
                ExprKind::If { otherwise: None, .. } => "an `if` without `else` gives no value",
                ExprKind::Call { .. } | ExprKind::Print { .. } | ExprKind::CallValue { .. } => {
                    "this call gives no value"
                }
                _ => "no value",
            };
            Diagnostic::error(e.span, format!("expected a value of type `{expected}`")).label(label)
        } else {
            Diagnostic::error(e.span, format!("expected `{expected}`, found `{found}`"))
                .label(format!("{} `{found}`", article(&found)))
        };
        if let Some((span, words)) = why
            && span.file == e.span.file
        {
            diagnostic = diagnostic.secondary(span, words);
        }
        let text = self.operand_text(e.span);
        if let (Types::CHAR, ExprKind::Text(literal)) = (ty, &e.kind) {
            if literal.chars().count() == 1 {
                diagnostic = diagnostic.help(format!("a character stands in backticks: `` `{literal}` ``"));
            }
        } else if let (Types::BOOL, &ExprKind::Int(n @ (0 | 1))) = (ty, &e.kind) {
            diagnostic = diagnostic.help(format!("write `{}`", n == 1));
        } else if self.source(e.span) == "null" {
            diagnostic.message = format!("a `{expected}` is never null");
            diagnostic.label = "only optional values can be null".into();
            diagnostic = diagnostic.help(format!("declare it as `{expected}?` if it may be missing"));
        } else if self.is_number(e.ty) && self.is_number(ty)
            || ty == Types::CHAR && self.int_kind(e.ty).is_some()
            || e.ty == Types::CHAR && self.int_kind(ty).is_some()
        {
            if let Some(text) = text {
                diagnostic = diagnostic.help(format!("write `{text} as {expected}`"));
            }
        } else if ty == Types::STRING && e.ty != Types::VOID {
            if let Some(text) = text {
                diagnostic = diagnostic.help(format!("write `{text}.to_string()`"));
            }
        } else if ty == Types::BOOL && self.is_number(e.ty) {
            if let Some(text) = text {
                let zero = if self.is_float(e.ty) { "0.0" } else { "0" };
                diagnostic = diagnostic.help(match &e.kind {
                    // As an order is told in other languages.
                    ExprKind::Binary { op: BinaryOp::Sub, left, right } => {
                        format!("an order is told by `{} < {}`", self.source(left.span), self.source(right.span))
                    }
                    _ => format!("compare it: `{text} <> {zero}`"),
                });
            }
        } else if e.ty == Types::STRING && self.is_number(ty) {
            if let Some(text) = text {
                let method = if self.is_float(ty) { "to_float" } else { "to_int" };
                diagnostic = diagnostic.help(format!("`{text}.{method}()` gives an optional number"));
            }
        } else if let Some((payload, _)) = self.option(e.ty) {
            if payload == ty {
                let name = text.unwrap_or_else(|| "x".into());
                diagnostic = diagnostic.help(format!(
                    "it may be null: use `choose {name} {{ when Some(v): … when None: … }}`, or `{name}.or(…)`"
                ));
            }
        } else if let (Type::Slice(a), Type::Array(b)) = (self.out.types.get(e.ty), self.out.types.get(ty)) {
            if a == b {
                let name = text.unwrap_or_else(|| "x".into());
                diagnostic = diagnostic.help(format!("make an array of its elements: `{name}.copy()`"));
            }
        } else if let Type::Function { params, result } = self.out.types.get(e.ty)
            && *result == ty
            && params.is_empty()
            && let Some(text) = text
        {
            diagnostic = diagnostic.help(format!("call it: `{text}()`"));
        }
        self.report(diagnostic);
    }

    /// The character of a string literal that has only one.
    fn quoted_character(&self, span: Span) -> Option<char> {
        let mut inside = self.source(span).strip_prefix('"')?.strip_suffix('"')?.chars();
        inside.next().filter(|&c| inside.next().is_none() && c != '`')
    }

    /// Source text that can stand before `as` or `.`, in parentheses where it needs them.
    fn operand_text(&self, span: Span) -> Option<String> {
        let text = self.short_source(span)?;
        let plain = text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'))
            || text.ends_with([')', ']', '"']) && !text.contains(' ');
        Some(if plain || text.starts_with('(') { text.to_string() } else { format!("({text})") })
    }

    /// Proposes a conversion with `as`.
    pub fn help_convert(&self, diagnostic: Diagnostic, span: Span, ty: &str) -> Diagnostic {
        match self.operand_text(span) {
            Some(text) => diagnostic.help(format!("write `{text} as {ty}`")),
            None => diagnostic.help(format!("convert it with `as {ty}`")),
        }
    }

    /// The type that values of both types can be given silently; none if there is none.
    pub fn join(&self, a: TypeId, b: TypeId) -> Option<TypeId> {
        if matches!(a, Types::NEVER) || b == Types::ERROR {
            return Some(b);
        }
        if matches!(b, Types::NEVER) || a == Types::ERROR {
            return Some(a);
        }
        if self.converts(a, b) {
            return Some(b);
        }
        self.converts(b, a).then_some(a)
    }

    /// An expression where a type is expected.
    pub fn expr_as(&mut self, e: &'a ast::Expr, ty: TypeId, why: Why) -> Expr {
        let value = self.expr(e, Some(ty));
        self.coerce(value, ty, why)
    }

    /// A condition.
    pub fn condition(&mut self, e: &'a ast::Expr) -> Expr {
        let value = self.expr(e, Some(Types::BOOL));
        if let Some((_, shape)) = self.option(value.ty) {
            let _ = shape;
            let text = self.operand_text(e.span).unwrap_or_else(|| "x".into());
            let found = self.type_name(value.ty);
            self.report(
                Diagnostic::error(e.span, format!("a condition is a `bool`, not a `{found}`"))
                    .label("an optional value")
                    .help(format!("write `not ({text} is null)`, or `choose`")),
            );
            return self.failed(e.span);
        }
        self.coerce(value, Types::BOOL, None)
    }

    /// `e as T`.
    pub fn conversion(&mut self, a: &'a ast::As, span: Span) -> Expr {
        let ty = self.resolve(&a.ty);
        // `(7 / 2) as f64` is 3.0: what is converted has its own type. Only a literal by itself goes straight to its target.
        let literal = matches!(a.value.kind, ast::ExprKind::Int(_));
        let hint = (literal && self.is_float(ty) || !self.is_number(ty)).then_some(ty);
        let value = match (&a.value.kind, self.int_kind(ty)) {
            // Any 64 bits can be cut to an integer.
            (&ast::ExprKind::Int(n), Some(_)) if n > i64::MAX as u64 => {
                Expr::new(ExprKind::Int(n as i64), Types::U64, a.value.span)
            }
            (ast::ExprKind::Float(_), _) => self.expr(&a.value, None),
            _ => self.value(&a.value, hint),
        };
        if value.ty == Types::ERROR || ty == Types::ERROR {
            return self.failed(span);
        }
        if value.ty == ty || value.ty == Types::NEVER {
            return value;
        }
        let integer = |t: TypeId| self.int_kind(t).is_some();
        let fits = match (value.ty, ty) {
            (from, to) if self.is_number(from) && self.is_number(to) => true,
            (Types::CHAR | Types::BOOL, to) => integer(to),
            (from, Types::CHAR) => integer(from),
            _ => false,
        };
        if fits {
            return Expr::new(ExprKind::Convert(Box::new(value)), ty, span);
        }
        if self.converts(value.ty, ty) {
            return self.coerce(value, ty, None);
        }
        let (from, to) = (self.type_name(value.ty), self.type_name(ty));
        let mut diagnostic = Diagnostic::error(span, format!("a `{from}` cannot be converted to `{to}` by `as`"))
            .label("`as` converts between numbers, and `bool` and `char` to and from integers");
        let text = if is_row(&a.value) { None } else { self.operand_text(a.value.span) };
        if ty == Types::STRING {
            let text = text.unwrap_or_else(|| "x".into());
            diagnostic = diagnostic.help(format!("write `{text}.to_string()`"));
        } else if value.ty == Types::STRING && self.is_number(ty) {
            let text = text.unwrap_or_else(|| "x".into());
            let method = if self.is_float(ty) { "to_float" } else { "to_int" };
            diagnostic = diagnostic.help(format!("`{text}.{method}()` gives an optional number"));
        } else if ty == Types::BOOL && self.is_number(value.ty) {
            let text = text.unwrap_or_else(|| "x".into());
            diagnostic = diagnostic.help(format!("write `{text} <> 0`"));
        } else if let Some(c) = self.quoted_character(a.value.span).filter(|_| ty == Types::CHAR) {
            diagnostic = diagnostic.help(format!("a character stands in backticks: `` `{c}` ``"));
        }
        self.report(diagnostic);
        self.failed(span)
    }
}

/// The type of a choice whose arms give `ty` or leave.
fn given<'e>(ty: TypeId, mut arms: impl Iterator<Item = &'e Expr>) -> TypeId {
    if arms.all(|a| a.ty == Types::NEVER) { Types::NEVER } else { ty }
}

/// `a` or `an`.
pub fn article(noun: &str) -> &'static str {
    match noun.as_bytes().first() {
        Some(b'a' | b'e' | b'i' | b'o' | b'A' | b'E' | b'I' | b'O') => "an",
        // `f64`, `u8`: as spoken.
        Some(b'f') if noun.len() <= 3 => "an",
        _ => "a",
    }
}
