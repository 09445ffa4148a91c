//! Types where only a type can stand: annotations, parameters, results, `as`, `sizeof`.

use super::{Context, Parse, Parser};
use crate::diagnostic::Diagnostic;
use crate::syntax::ast::{Expr, ExprKind, Mark, MarkKind, Type, TypeKind};
use crate::syntax::token::TokenKind;

impl Parser<'_> {
    /// A type. A `[` behind a blank belongs to it too, as in `a: Array [int]`.
    pub(super) fn type_(&mut self) -> Parse<Type> {
        self.type_before(false)
    }

    /// A type behind which a value may stand: `let x: Array[int] [1, 2]`. A `[` behind a blank begins the value.
    pub(super) fn type_before_value(&mut self) -> Parse<Type> {
        self.type_before(true)
    }

    fn type_before(&mut self, value: bool) -> Parse<Type> {
        self.nested(|p| {
            let mut ty = p.type_head(value)?;
            while !p.at_break() {
                let below = p.height;
                let start = ty.span.start;
                match p.kind() {
                    TokenKind::Question => {
                        p.bump();
                        ty = Type { kind: TypeKind::Optional(Box::new(ty)), span: p.span_from(start) };
                    }
                    TokenKind::LeftBracket if !p.token().after_blank && p.next().kind == TokenKind::RightBracket => {
                        let span = p.span();
                        let shown = &p.text[start as usize..ty.span.end as usize];
                        let help = format!("write `Array[{shown}]`");
                        p.report(Diagnostic::error(span, "an array's type is written with its name").help(help));
                        p.bump();
                        p.bump();
                    }
                    _ => match p.mark()? {
                        Some(mark) => {
                            let kind = TypeKind::Marked { ty: Box::new(ty), mark };
                            ty = Type { kind, span: p.span_from(start) };
                        }
                        None => break,
                    },
                }
                p.raise(below, ty.span)?;
            }
            Ok(ty)
        })
    }

    fn type_head(&mut self, value: bool) -> Parse<Type> {
        let token = self.token();
        self.height = 0;
        let kind = match token.kind {
            TokenKind::Name => {
                let path = self.path("a type")?;
                let brackets =
                    self.at(TokenKind::LeftBracket) && !self.at_break() && !(value && self.token().after_blank);
                let args = if brackets && self.next().kind != TokenKind::RightBracket {
                    self.type_arguments()?
                } else {
                    Vec::new()
                };
                TypeKind::Named { path, args }
            }
            TokenKind::Function | TokenKind::Procedure => return self.function_type(),
            TokenKind::LeftParen => {
                let open = self.span();
                self.bump();
                let ty = self.within(Context::TYPE_ARGUMENTS, |p| {
                    let ty = p.type_()?;
                    p.close(TokenKind::RightParen, open, "`)`")?;
                    Ok(ty)
                })?;
                return Ok(Type { kind: ty.kind, span: self.span_from(token.start) });
            }
            TokenKind::Amp | TokenKind::Star => {
                let help = "a reference to an object is `ref[T]`, an address `pointer[T]`; a parameter needs neither: \
                            what is changed is passed in place";
                self.report(Diagnostic::error(self.span(), "a type is a name").help(help));
                self.bump();
                return self.type_head(value);
            }
            TokenKind::LeftBracket => {
                let help = "an array's type is `Array[T]`, one of a view `Slice[T]`";
                return Err(self.report(Diagnostic::error(self.span(), "a type is a name").help(help)));
            }
            _ => return Err(self.expected("a type")),
        };
        Ok(Type { kind, span: self.span_from(token.start) })
    }

    fn type_arguments(&mut self) -> Parse<Vec<Type>> {
        let open = self.span();
        self.bump();
        let mut height = 0;
        let args = self.within(Context::TYPE_ARGUMENTS, |p| {
            let mut args = Vec::new();
            loop {
                args.push(p.type_()?);
                height = height.max(p.height);
                if !p.eat(TokenKind::Comma) || p.at(TokenKind::RightBracket) {
                    break;
                }
            }
            p.close(TokenKind::RightBracket, open, "`,` or `]`")?;
            Ok(args)
        })?;
        self.raise(height, open)?;
        Ok(args)
    }

    /// `function(int, f64) returns int`.
    pub(super) fn function_type(&mut self) -> Parse<Type> {
        let start = self.bump().start;
        let open = self.span();
        if !self.at(TokenKind::LeftParen) || self.at_break() {
            return Err(self.expected("`(` and the parameters' types"));
        }
        self.bump();
        let mut height = 0;
        let params = self.within(Context::TYPE_ARGUMENTS, |p| {
            let mut params = Vec::new();
            while !p.at(TokenKind::RightParen) {
                params.push(p.type_()?);
                height = height.max(p.height);
                if !p.eat(TokenKind::Comma) {
                    break;
                }
            }
            p.close(TokenKind::RightParen, open, "`,` or `)`")?;
            Ok(params)
        })?;
        let mut returns = None;
        if self.at(TokenKind::Returns) {
            self.bump();
            returns = Some(Box::new(self.type_before_value()?));
            height = height.max(self.height);
        }
        let span = self.span_from(start);
        self.raise(height, span)?;
        Ok(Type { kind: TypeKind::Function { params, returns }, span })
    }

    /// `$`, `#`, `!` and `^p` right behind a type or call head. They are reported, since nothing runs them yet.
    pub(super) fn mark(&mut self) -> Parse<Option<Mark>> {
        let token = self.token();
        if token.after_blank {
            return Ok(None);
        }
        let kind = match token.kind {
            TokenKind::Dollar => MarkKind::Local,
            TokenKind::Hash => MarkKind::Caller,
            TokenKind::Bang => MarkKind::Thrown,
            TokenKind::Caret => {
                self.bump();
                MarkKind::Of(self.new_name("the name of a place")?)
            }
            _ => return Ok(None),
        };
        if !matches!(kind, MarkKind::Of(_)) {
            self.bump();
        }
        let span = self.span_from(token.start);
        self.not_yet(span, "the marks `$`, `#`, `^` and `!`, which choose a region, are");
        Ok(Some(Mark { kind, span }))
    }

    /// Whether at token `at` begins a type; the index behind it then. Reports nothing.
    pub(super) fn skim_type(&self, mut at: usize) -> Option<usize> {
        let kind = |at: usize| self.tokens.get(at).map_or(TokenKind::End, |t| t.kind);
        if matches!(kind(at), TokenKind::Function | TokenKind::Procedure) {
            at = self.skim_group(at + 1, TokenKind::LeftParen)?;
            if kind(at) == TokenKind::Returns {
                at = self.skim_type(at + 1)?;
            }
            return Some(at);
        }
        if kind(at) == TokenKind::LeftParen {
            // Parentheses around a type have a use before `?` only; else they hold a value.
            let inside = self.skim_type(at + 1)?;
            if kind(inside) != TokenKind::RightParen || kind(inside + 1) != TokenKind::Question {
                return None;
            }
            at = inside + 1;
            while kind(at) == TokenKind::Question {
                at += 1;
            }
            return Some(at);
        }
        if kind(at) != TokenKind::Name {
            return None;
        }
        at += 1;
        while kind(at) == TokenKind::Dot && kind(at + 1).is_word() {
            at += 2;
        }
        if kind(at) == TokenKind::LeftBracket && !self.tokens[at].after_blank {
            at = self.skim_group(at, TokenKind::LeftBracket)?;
        }
        while kind(at) == TokenKind::Question {
            at += 1;
        }
        Some(at)
    }

    fn skim_group(&self, mut at: usize, open: TokenKind) -> Option<usize> {
        if self.tokens.get(at)?.kind != open {
            return None;
        }
        let mut depth = 0usize;
        loop {
            match self.tokens.get(at)?.kind {
                TokenKind::LeftParen | TokenKind::LeftBracket | TokenKind::LeftBrace => depth += 1,
                TokenKind::RightParen | TokenKind::RightBracket | TokenKind::RightBrace => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 {
                return Some(at);
            }
        }
    }

    /// A type in a place where expressions stand: `function(int) returns int` in the brackets of a generic.
    pub(super) fn type_operand(&mut self) -> Parse<Expr> {
        let ty = self.function_type()?;
        let span = ty.span;
        Ok(Expr { kind: ExprKind::Type(Box::new(ty)), span })
    }
}
