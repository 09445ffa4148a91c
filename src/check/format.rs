//! `print`, `format`, `to_string`: values become text.

use std::rc::Rc;

use super::Checker;
use super::hir::{Align, Expr, ExprKind, Radix, ShowFormat, ShowPart, Stream, Type, TypeId, Types};
use super::types::count;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast;

impl<'a> Checker<'a> {
    /// `print(a, …)`: the values with a blank between, and a newline.
    pub fn print(&mut self, args: &'a [ast::Arg], callee: Span, span: Span) -> Expr {
        let mut parts = Vec::new();
        let mut failed = false;
        for (i, arg) in args.iter().enumerate() {
            if let Some(name) = arg.name {
                self.report(
                    Diagnostic::error(name.span, "what is printed has no names").label("write the value alone"),
                );
            }
            let value = self.printed(&arg.value);
            failed |= value.ty == Types::ERROR;
            if i > 0 {
                parts.push(ShowPart::Literal(Rc::from(" ")));
            }
            parts.push(ShowPart::Value(value, ShowFormat::default()));
        }
        let _ = callee;
        if failed {
            return Expr::new(ExprKind::Void, Types::VOID, span);
        }
        Expr::new(ExprKind::Print { parts, newline: true, stream: Stream::Output }, Types::VOID, span)
    }

    fn printed(&mut self, e: &'a ast::Expr) -> Expr {
        let value = self.expr(e, None);
        match value.ty {
            Types::ERROR | Types::NEVER => value,
            Types::VOID => {
                self.no_value(&value);
                self.failed(e.span)
            }
            ty => {
                if self.printable(ty, e.span) {
                    value
                } else {
                    self.failed(e.span)
                }
            }
        }
    }

    /// Whether values of a type can be shown; it is reported if not.
    pub fn printable(&mut self, ty: TypeId, span: Span) -> bool {
        let mut seen: Vec<TypeId> = Vec::new();
        let mut open = vec![ty];
        while let Some(part) = open.pop() {
            match self.out.types.get(part) {
                Type::Function { .. } => {
                    let (name, part_name) = (self.type_name(ty), self.type_name(part));
                    let message = if part == ty {
                        "a function cannot be printed".to_string()
                    } else {
                        format!("a `{name}` cannot be printed: there is a `{part_name}` in it")
                    };
                    let mut diagnostic = Diagnostic::error(span, message).label("functions have no text");
                    if let (true, Some(text)) = (part == ty, self.short_source(span))
                        && text.chars().all(|c| c.is_alphanumeric() || c == '_')
                    {
                        diagnostic = diagnostic.help(format!("to call it, write `{text}(…)`"));
                    }
                    self.report(diagnostic);
                    return false;
                }
                Type::Array(t) | Type::Vector(t) | Type::Slice(t) => open.push(*t),
                Type::Struct(_) | Type::Union(_) if seen.contains(&part) => {}
                Type::Struct(id) => {
                    seen.push(part);
                    let id = *id;
                    if self.struct_decls[id.0 as usize].is_some() && self.walks(part) {
                        self.note_walk(part, span);
                        if let Some(walk) = self.out.walks.get(&part) {
                            open.push(walk.item);
                        }
                    } else {
                        open.extend(self.out.types.structure(id).fields.iter().map(|f| f.ty));
                    }
                }
                Type::Union(id) => {
                    seen.push(part);
                    let id = *id;
                    if self.walks(part) {
                        self.note_walk(part, span);
                        if let Some(walk) = self.out.walks.get(&part) {
                            open.push(walk.item);
                        }
                    } else {
                        open.extend(self.out.types.union(id).variants.iter().flat_map(|v| &v.payload).map(|f| f.ty));
                    }
                }
                _ => {}
            }
        }
        true
    }

    /// `x.to_string()` of a type without one of its own.
    pub fn show_value(&mut self, value: Expr, span: Span) -> Expr {
        if !self.printable(value.ty, value.span) {
            return self.failed(span);
        }
        Expr::new(ExprKind::Show(vec![ShowPart::Value(value, ShowFormat::default())]), Types::STRING, span)
    }

    /// `format("…", a, …)`: the text is read now.
    pub fn format(&mut self, args: &'a [ast::Arg], span: Span) -> Expr {
        let text = match args.first().map(|a| (&a.value.kind, a.value.span)) {
            Some((&ast::ExprKind::Str(text), at)) => (self.text(text), at),
            first => {
                let at = first.map_or(span, |(_, at)| at);
                self.report(
                    Diagnostic::error(at, "the first argument of `format` is a literal text")
                        .label("expected a string in quotes")
                        .help("write `format(\"{}\", x)`"),
                );
                for arg in args {
                    self.expr(&arg.value, None);
                }
                return self.failed(span);
            }
        };
        let (text, text_span) = text;
        let mut values: Vec<Option<Expr>> = args[1..].iter().map(|a| Some(self.printed(&a.value))).collect();
        let pieces = match parse(text) {
            Ok(pieces) => pieces,
            Err(wrong) => {
                self.report(
                    Diagnostic::error(text_span, wrong)
                        .label("in this text")
                        .help("`{}` shows a value, `{:>8.2}` aligned and with digits, `{{` and `}}` are braces"),
                );
                return self.failed(span);
            }
        };
        let holes = pieces.iter().filter(|p| matches!(p, Piece::Hole(..))).count();
        if holes != values.len() {
            let message = format!(
                "the text has {}, but there {} {}",
                count(holes, "place"),
                if values.len() == 1 { "is" } else { "are" },
                if values.is_empty() { "no values".to_string() } else { count(values.len(), "value") }
            );
            let at = match args.get(holes + 1) {
                Some(extra) => extra.value.span,
                None => text_span,
            };
            let label = if holes < values.len() { "no `{}` for this" } else { "a `{}` without a value" };
            self.report(Diagnostic::error(at, message).label(label));
            return self.failed(span);
        }
        if values.iter().flatten().any(|v| v.ty == Types::ERROR) {
            return self.failed(span);
        }
        let mut parts = Vec::new();
        let mut next = 0;
        for piece in pieces {
            match piece {
                Piece::Text(text) => parts.push(ShowPart::Literal(Rc::from(text))),
                Piece::Hole(format, spec) => {
                    let Some(value) = values[next].take() else { continue };
                    next += 1;
                    if !self.fits(&value, format, &spec) {
                        return self.failed(span);
                    }
                    parts.push(ShowPart::Value(value, format));
                }
            }
        }
        Expr::new(ExprKind::Show(parts), Types::STRING, span)
    }

    /// Whether a value can be shown as asked.
    fn fits(&mut self, value: &Expr, format: ShowFormat, spec: &str) -> bool {
        let number = self.is_number(value.ty);
        let integer = self.int_kind(value.ty).is_some();
        let wrong = if format.precision.is_some() && !number {
            Some("digits behind the point belong to numbers")
        } else if format.radix != Radix::Decimal && !integer {
            Some("hexadecimal and binary digits belong to integers")
        } else if format.zero && !number {
            Some("leading zeros belong to numbers")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            let ty = self.type_name(value.ty);
            self.report(Diagnostic::error(value.span, format!("`{{:{spec}}}` does not fit a `{ty}`")).label(wrong));
        }
        wrong.is_none()
    }
}

enum Piece {
    Text(String),
    Hole(ShowFormat, String),
}

/// Reads a text with `{}` and `{:SPEC}`.
fn parse(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' if chars.peek() == Some(&'{') => {
                chars.next();
                literal.push('{');
            }
            '}' if chars.peek() == Some(&'}') => {
                chars.next();
                literal.push('}');
            }
            '}' => return Err("a `}` stands alone in the text of `format`".into()),
            '{' => {
                let mut inner = String::new();
                loop {
                    match chars.next() {
                        Some('}') => break,
                        Some(c) => inner.push(c),
                        None => return Err("a `{` is not closed in the text of `format`".into()),
                    }
                }
                if !literal.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut literal)));
                }
                let spec = match inner.strip_prefix(':') {
                    Some(spec) => spec,
                    None if inner.is_empty() => "",
                    None => return Err(format!("`{{{inner}}}` is not understood in the text of `format`")),
                };
                let format =
                    spec_of(spec).ok_or_else(|| format!("`{{:{spec}}}` is not understood in the text of `format`"))?;
                pieces.push(Piece::Hole(format, spec.to_string()));
            }
            c => literal.push(c),
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    Ok(pieces)
}

/// `[[fill]align][0][width][.digits][x|X|b]`
fn spec_of(spec: &str) -> Option<ShowFormat> {
    let align = |c: char| match c {
        '<' => Some(Align::Left),
        '>' => Some(Align::Right),
        '^' => Some(Align::Center),
        _ => None,
    };
    let chars: Vec<char> = spec.chars().collect();
    let mut format = ShowFormat::default();
    let mut at = 0;
    if let (Some(&fill), Some(side)) = (chars.first(), chars.get(1).and_then(|&c| align(c))) {
        format.fill = Some(fill);
        format.align = side;
        at = 2;
    } else if let Some(side) = chars.first().and_then(|&c| align(c)) {
        format.align = side;
        at = 1;
    }
    if chars.get(at) == Some(&'0') {
        format.zero = true;
        at += 1;
    }
    let number = |at: &mut usize| {
        let start = *at;
        while chars.get(*at).is_some_and(char::is_ascii_digit) {
            *at += 1;
        }
        let digits: String = chars[start..*at].iter().collect();
        digits.parse::<u32>().ok().filter(|&n| n <= 10_000)
    };
    if chars.get(at).is_some_and(char::is_ascii_digit) {
        format.width = number(&mut at)?;
    }
    if chars.get(at) == Some(&'.') {
        at += 1;
        format.precision = Some(number(&mut at).filter(|&n| n <= 100)?);
    }
    format.radix = match chars.get(at) {
        Some('x') => Radix::Hex,
        Some('X') => Radix::HexUpper,
        Some('b') => Radix::Binary,
        _ => Radix::Decimal,
    };
    if format.radix != Radix::Decimal {
        at += 1;
    }
    (at == chars.len()).then_some(format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs() {
        let plain = ShowFormat::default();
        assert_eq!(spec_of(""), Some(plain));
        assert_eq!(spec_of(".3"), Some(ShowFormat { precision: Some(3), ..plain }));
        assert_eq!(
            spec_of("*^12.2"),
            Some(ShowFormat { precision: Some(2), width: 12, align: Align::Center, fill: Some('*'), ..plain })
        );
        assert_eq!(spec_of("08X"), Some(ShowFormat { width: 8, zero: true, radix: Radix::HexUpper, ..plain }));
        assert_eq!(spec_of("<5"), Some(ShowFormat { width: 5, align: Align::Left, ..plain }));
        for wrong in ["q", "5q", ".", "x5", "999999", ".200"] {
            assert_eq!(spec_of(wrong), None, "{wrong}");
        }
    }
}
