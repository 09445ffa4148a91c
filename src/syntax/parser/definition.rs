//! Declarations: types, constants, routines, and what is not supported yet.

use super::routine::Place;
use super::{Context, Parse, Parser};
use crate::diagnostic::Diagnostic;
use crate::syntax::ast::{Define, DefineKind, Expr, Field, Name, Payload, Stmt, StmtKind, Type, TypeKind, Variant};
use crate::syntax::names::begins_fields;
use crate::syntax::token::TokenKind;

impl Parser<'_> {
    /// A declaration among statements; the current token is its first word.
    pub(super) fn declaration(&mut self) -> Parse<StmtKind> {
        let first = self.token();
        let private = self.eat(TokenKind::Private);
        let span = self.span();
        match self.kind() {
            TokenKind::Define => self.define(private),
            TokenKind::Function | TokenKind::Procedure | TokenKind::Operator => self.routine(private, Place::Free),
            TokenKind::Init | TokenKind::Deinit => {
                let message = format!("`{}` stands in the braces of a type", self.kind().text());
                self.report(Diagnostic::error(span, message).help("write `define T(x: int) { init(a: int) { … } }`"));
                self.routine(private, Place::Member)
            }
            TokenKind::Trait => self.trait_(),
            TokenKind::Implement => self.implement(),
            TokenKind::Module => {
                self.not_yet(span, "modules are");
                self.bump();
                Ok(StmtKind::Module(self.new_name("the name of a module")?))
            }
            TokenKind::Package => {
                self.not_yet(span, "packages are");
                self.bump();
                let name = self.new_name("the name of a package")?;
                // The version: 1.2.3 is a float and more to the lexer.
                while !self.at_break() && matches!(self.kind(), TokenKind::Int | TokenKind::Float | TokenKind::Dot) {
                    self.bump();
                }
                Ok(StmtKind::Package(name))
            }
            TokenKind::Use => {
                self.not_yet(span, "`use` is");
                self.bump();
                Ok(StmtKind::Use(self.path("a name")?))
            }
            TokenKind::Macro => {
                self.not_yet(span, "macros are");
                Err(super::Reported)
            }
            TokenKind::Delegate => Err(self.delegate()),
            _ if private => {
                let help = "private are members and fields of a type, and declarations";
                Err(self.expected_with("a declaration behind `private`", |d| d.help(help)))
            }
            _ => {
                let what = self.describe(first);
                Err(self.report(Diagnostic::error(span, format!("{what} begins no declaration"))))
            }
        }
    }

    fn delegate(&mut self) -> super::Reported {
        let help = "a type of routines is `function(int) returns int`";
        self.report(Diagnostic::error(self.span(), "delegates are not supported yet").help(help))
    }

    /// `define name[T] …`, from `define` on.
    fn define(&mut self, private: bool) -> Parse<StmtKind> {
        self.nested(|p| {
            p.bump();
            let name = p.new_name("the name of what is defined")?;
            let generics =
                if p.at(TokenKind::LeftBracket) && !p.token().after_blank { p.generics()? } else { Vec::new() };
            p.skip_colons();
            let kind = p.define_kind()?;
            if p.at(TokenKind::Extends) {
                let help = "a type that has all of another one keeps it in a field";
                let message = "types extend no others";
                return Err(p.report(Diagnostic::error(p.span(), message).help(help)));
            }
            p.raise(p.height, name.span)?;
            Ok(StmtKind::Define(Box::new(Define { name, generics, private, kind })))
        })
    }

    fn define_kind(&mut self) -> Parse<DefineKind> {
        self.height = 0;
        match self.kind() {
            TokenKind::LeftParen if begins_fields(&self.tokens, self.at) => {
                let mut fields = self.fields(TokenKind::RightParen)?;
                let height = self.height;
                let members = self.members_if_any(&mut fields)?;
                self.height = self.height.max(height);
                Ok(DefineKind::Struct { fields, members })
            }
            TokenKind::LeftBrace => {
                let mut fields = Vec::new();
                let members = self.members(&mut fields)?;
                if fields.is_empty() {
                    return Ok(DefineKind::Namespace { members });
                }
                Ok(DefineKind::Struct { fields, members })
            }
            TokenKind::Union => {
                self.bump();
                self.skip_colons();
                let variants = self.variants()?;
                let height = self.height;
                let mut fields = Vec::new();
                let members = self.members_if_any(&mut fields)?;
                self.no_fields(&fields, "a union has variants instead of fields");
                self.height = self.height.max(height);
                Ok(DefineKind::Union { variants, members })
            }
            TokenKind::Intrinsic => {
                self.intrinsic();
                let mut fields = Vec::new();
                let members = self.members_if_any(&mut fields)?;
                self.no_fields(&fields, "what is built in has no fields of its own");
                Ok(DefineKind::Intrinsic { members })
            }
            TokenKind::Delegate => Err(self.delegate()),
            _ => self.constant_or_alias(),
        }
    }

    fn no_fields(&mut self, fields: &[Field], message: &str) {
        for field in fields {
            self.report(Diagnostic::error(field.span, message));
        }
    }

    /// `define N: int 5`, `define N 5`, `define Num int`.
    fn constant_or_alias(&mut self) -> Parse<DefineKind> {
        let behind = self.skim_type(self.at);
        if let Some(behind) = behind {
            let token = self.tokens[behind];
            let ends = token.after_break && self.context.breaks
                || matches!(token.kind, TokenKind::Colon | TokenKind::RightBrace | TokenKind::End);
            let is_type =
                self.at(TokenKind::Function) || self.kind().is_word() && self.names.is_type(self.token().symbol());
            // `(` behind it makes it a call; an operator makes it an operand, unless it can only be a type.
            let value_follows = match token.kind {
                TokenKind::LeftParen | TokenKind::LeftBrace => false,
                TokenKind::Dot | TokenKind::DotDot | TokenKind::DotDotEqual | TokenKind::As | TokenKind::Is => false,
                TokenKind::Equal => true,
                kind if kind.prefix().is_some() => is_type,
                kind => kind.infix().is_none(),
            };
            if ends {
                let target = self.type_()?;
                return Ok(DefineKind::Alias { target });
            }
            if value_follows {
                let ty = self.type_before_value()?;
                let height = self.height;
                self.eat(TokenKind::Equal);
                let value = self.operation()?;
                self.height = self.height.max(height);
                return Ok(DefineKind::Constant { ty: Some(ty), value });
            }
        }
        self.eat(TokenKind::Equal);
        let value = if self.at_value_end() {
            return Err(self.expected_with("fields, a type or a value", |d| {
                d.help("write `define P(x: int, y: int)`, `define U union(A: int, B)` or `define N: int 5`")
            }));
        } else {
            self.operation()?
        };
        Ok(DefineKind::Constant { ty: None, value })
    }

    /// `intrinsic`, which only the library may say.
    pub(super) fn intrinsic(&mut self) {
        if !self.library {
            let help = "only the library is built in; give the routine a body";
            self.report(Diagnostic::error(self.span(), "`intrinsic` stands in the library only").help(help));
        }
        self.bump();
    }

    /// `[T, U]` behind the name of what is defined.
    pub(super) fn generics(&mut self) -> Parse<Vec<Name>> {
        let open = self.span();
        self.bump();
        self.within(Context::BRACKETS, |p| {
            let mut names = Vec::new();
            loop {
                names.push(p.new_name("the name of a type parameter")?);
                if p.at(TokenKind::Colon) {
                    let help = "what a type parameter must offer is checked where it is used";
                    return Err(p.report(Diagnostic::error(p.span(), "a type parameter is a plain name").help(help)));
                }
                if !p.eat(TokenKind::Comma) || p.at(TokenKind::RightBracket) {
                    break;
                }
            }
            p.close(TokenKind::RightBracket, open, "`,` or `]`")?;
            Ok(names)
        })
    }

    /// The elements of a definition's parentheses (or of an inline payload's braces), from the opening sign on: a
    /// break separates them like a comma. An error in one of them ends here.
    pub(super) fn list<T>(&mut self, end: TokenKind, mut item: impl FnMut(&mut Self) -> Parse<T>) -> Parse<Vec<T>> {
        let open = self.span();
        self.bump();
        let mut height = 0;
        let items = self.within(Context::BLOCK, |p| {
            let mut items = Vec::new();
            loop {
                while p.eat(TokenKind::Comma) || p.eat(TokenKind::Colon) {}
                if p.at(end) {
                    break;
                }
                let other_bracket = matches!(
                    p.kind(),
                    TokenKind::End | TokenKind::RightBrace | TokenKind::RightBracket | TokenKind::RightParen
                );
                // The list was not closed, and here begins what follows it.
                let behind = matches!(p.kind(), TokenKind::Returns | TokenKind::Throws)
                    || p.at_break()
                        && matches!(
                            p.kind(),
                            TokenKind::Define
                                | TokenKind::Function
                                | TokenKind::Procedure
                                | TokenKind::Operator
                                | TokenKind::Return
                                | TokenKind::While
                                | TokenKind::For
                        );
                if other_bracket || behind {
                    break;
                }
                let nesting = p.nesting;
                let start = p.at;
                match item(p) {
                    Ok(item) => {
                        items.push(item);
                        height = height.max(p.height);
                        if p.at_break() || p.at(TokenKind::Comma) || p.at(TokenKind::Colon) || p.at(end) {
                            continue;
                        }
                        p.expected_with(&format!("`,` or `{}`", end.text()), |d| d.secondary(open, "opened here"));
                    }
                    Err(_) => {
                        p.nesting = nesting;
                        p.context = Context::BLOCK;
                    }
                }
                p.skip_item(start);
                if matches!(p.kind(), TokenKind::LeftBrace) || p.at == start {
                    break;
                }
            }
            items
        });
        self.close(end, open, &format!("`,` or `{}`", end.text()))?;
        self.height = height;
        Ok(items)
    }

    /// The fields of a type or inline payload, from the opening sign on.
    fn fields(&mut self, end: TokenKind) -> Parse<Vec<Field>> {
        self.list(end, |p| {
            let private = p.eat(TokenKind::Private);
            p.eat_field_word();
            p.field(private)
        })
    }

    /// `var` and its kin before a field say nothing that its place does not.
    fn eat_field_word(&mut self) -> bool {
        self.eat(TokenKind::Var) || self.eat(TokenKind::Mutable) || self.eat(TokenKind::Let)
    }

    /// `x: T`, `x: T (default)`, `x: T default`.
    fn field(&mut self, private: bool) -> Parse<Field> {
        let start = self.token().start;
        let name = self.new_name("the name of a field")?;
        if !self.at(TokenKind::Colon) {
            self.c_style_field(name)?;
            return Err(self.expected_behind("`:` and the field's type", "a field is `name: type`"));
        }
        self.bump();
        let ty = self.type_before_value()?;
        let height = self.height;
        let default = self.default_value(&ty)?;
        let span = self.span_from(start);
        self.raise(self.height.max(height), span)?;
        Ok(Field { name, private, ty, default, span })
    }

    /// `int x` for `x: int`.
    pub(super) fn c_style_field(&mut self, first: Name) -> Parse<()> {
        if self.at(TokenKind::Name) && !self.at_break() {
            let (one, other) = (self.symbol_text(first.symbol).to_string(), self.text_of(self.token()));
            let span = first.span.to(self.span());
            if self.names.is_type(self.token().symbol()) && !self.names.is_type(first.symbol) {
                let help = format!("write `{one}: {other}`");
                return Err(self.report(Diagnostic::error(span, "a `:` stands before the type").help(help)));
            }
            let help = format!("write `{other}: {one}`");
            let message = "the name stands before the type";
            return Err(self.report(Diagnostic::error(span, message).help(help)));
        }
        Ok(())
    }

    /// The default behind a type, in parentheses or, where nothing else can follow, without.
    pub(super) fn default_value(&mut self, ty: &Type) -> Parse<Option<Expr>> {
        self.height = 0;
        if self.at(TokenKind::Equal) && !self.at_break() {
            self.bump();
            return self.operation().map(Some);
        }
        if self.at_value_end() {
            return Ok(None);
        }
        if self.at(TokenKind::LeftParen) {
            let mut depth = 0usize;
            let mut commas = false;
            for token in &self.tokens[self.at..] {
                match token.kind {
                    TokenKind::LeftParen | TokenKind::LeftBracket | TokenKind::LeftBrace => depth += 1,
                    TokenKind::RightParen | TokenKind::RightBracket | TokenKind::RightBrace => depth -= 1,
                    TokenKind::Comma if depth == 1 => commas = true,
                    _ => {}
                }
                if depth == 0 || token.kind == TokenKind::End {
                    break;
                }
            }
            if commas && let TypeKind::Named { path, .. } = &ty.kind {
                let name = path.last().map_or("T", |n| self.symbol_text(n.symbol));
                let help = format!("write `({name}(…))`");
                let message = "a default is one value in parentheses";
                return Err(self.report(Diagnostic::error(self.span(), message).help(help)));
            }
        }
        self.operation().map(Some)
    }

    fn variants(&mut self) -> Parse<Vec<Variant>> {
        if !self.at(TokenKind::LeftParen) {
            return Err(self.expected_with("`(` and the variants", |d| d.help("write `union(A: int, B)`")));
        }
        self.list(TokenKind::RightParen, Self::variant)
    }

    /// `A`, `A: T`, `A(T)`, `A(f: T, …)`, `A { f: T, … }`.
    fn variant(&mut self) -> Parse<Variant> {
        let start = self.token().start;
        let name = self.new_name("the name of a variant")?;
        self.height = 0;
        let payload = match self.kind() {
            _ if self.at_break() => Payload::None,
            TokenKind::LeftBrace => Payload::Fields(self.fields(TokenKind::RightBrace)?),
            TokenKind::LeftParen if begins_fields(&self.tokens, self.at) => {
                Payload::Fields(self.fields(TokenKind::RightParen)?)
            }
            TokenKind::LeftParen => {
                let open = self.span();
                self.bump();
                let ty = self.within(Context::BRACKETS, |p| {
                    let ty = p.type_()?;
                    if p.at(TokenKind::Comma) {
                        let help = "name its parts: `A(x: int, y: int)`";
                        return Err(p.report(Diagnostic::error(p.span(), "a payload has one type").help(help)));
                    }
                    p.close(TokenKind::RightParen, open, "`)`")?;
                    Ok(ty)
                })?;
                Payload::Type(ty)
            }
            TokenKind::Colon => {
                self.bump();
                Payload::Type(self.type_()?)
            }
            _ => Payload::None,
        };
        if let Payload::Fields(fields) = &payload
            && fields.is_empty()
        {
            let span = self.span_from(name.span.start);
            self.report(Diagnostic::error(span, "a payload without a field").help("write the variant's name only"));
        }
        let span = self.span_from(start);
        self.raise(self.height, span)?;
        Ok(Variant { name, payload, span })
    }

    fn members_if_any(&mut self, fields: &mut Vec<Field>) -> Parse<Vec<Stmt>> {
        let mut at = self.at;
        while self.tokens[at].kind == TokenKind::Colon {
            at += 1;
        }
        if self.tokens[at].kind != TokenKind::LeftBrace {
            self.height = 0;
            return Ok(Vec::new());
        }
        self.at = at;
        self.members(fields)
    }

    /// The braces of a definition: routines and definitions; fields go to `fields`. Errors in a member end here.
    fn members(&mut self, fields: &mut Vec<Field>) -> Parse<Vec<Stmt>> {
        let open = self.span();
        self.bump();
        let mut members = Vec::new();
        let mut height = 0;
        let nesting = self.nesting;
        self.within(Context::BLOCK, |p| {
            loop {
                while p.eat(TokenKind::Colon) || p.eat(TokenKind::Comma) {}
                if matches!(p.kind(), TokenKind::RightBrace | TokenKind::End) {
                    return;
                }
                let start = p.token();
                let start_at = p.at;
                let result = p.member_of_type(fields);
                height = height.max(p.height);
                let separated = p.at_break()
                    || matches!(p.kind(), TokenKind::Colon | TokenKind::Comma | TokenKind::RightBrace | TokenKind::End);
                let failed = match result {
                    Ok(kind) => {
                        let span = p.span_from(start.start);
                        members.extend(kind.map(|kind| Stmt { kind, span }));
                        if !separated {
                            p.expected("a line break or `}`");
                        }
                        !separated
                    }
                    Err(_) => {
                        p.context = Context::BLOCK;
                        p.nesting = nesting;
                        true
                    }
                };
                if failed {
                    p.synchronize(start_at);
                }
            }
        });
        self.close(TokenKind::RightBrace, open, "`}`")?;
        self.height = height;
        Ok(members)
    }

    /// A member; `None` for a field.
    fn member_of_type(&mut self, fields: &mut Vec<Field>) -> Parse<Option<StmtKind>> {
        let private = self.eat(TokenKind::Private);
        self.height = 0;
        match self.kind() {
            TokenKind::Define => self.define(private).map(Some),
            TokenKind::Function | TokenKind::Procedure | TokenKind::Operator | TokenKind::Init | TokenKind::Deinit => {
                self.routine(private, Place::Member).map(Some)
            }
            TokenKind::Implement
            | TokenKind::Trait
            | TokenKind::Use
            | TokenKind::Module
            | TokenKind::Macro
            | TokenKind::Delegate => {
                // Reported there; what stands in a type stays out of its members.
                self.declaration()?;
                Ok(None)
            }
            _ => {
                let var = self.eat_field_word();
                let next = self.next();
                let field = self.kind().is_word() && next.kind == TokenKind::Colon || var || self.at(TokenKind::Name);
                if !field {
                    let help = "in the braces of a definition stand fields (`x: int`), routines and definitions";
                    return Err(self.expected_with("a member", |d| d.help(help)));
                }
                let field = self.field(private)?;
                fields.push(field);
                Ok(None)
            }
        }
    }
}
