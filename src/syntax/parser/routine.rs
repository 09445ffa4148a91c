//! Routines, and the declarations that hold nothing else.

use super::{Context, Parse, Parser};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast::{Implement, Name, Param, Routine, RoutineBody, RoutineKind, Stmt, StmtKind, Trait};
use crate::syntax::token::TokenKind;

/// Where a routine stands, which decides what may be one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Among statements.
    Free,
    /// In the braces of a type or namespace.
    Member,
    /// In a `trait`, where a routine needs no body.
    Trait,
}

impl Parser<'_> {
    /// `function f(…) …` and its kin, from the first word on.
    pub(super) fn routine(&mut self, private: bool, place: Place) -> Parse<StmtKind> {
        let routine = self.nested(|p| p.routine_inner(private, place))?;
        Ok(StmtKind::Routine(Box::new(routine)))
    }

    fn routine_inner(&mut self, private: bool, place: Place) -> Parse<Routine> {
        let first = self.bump();
        let kind = match first.kind {
            TokenKind::Procedure => RoutineKind::Procedure,
            TokenKind::Operator => RoutineKind::Operator,
            TokenKind::Init => RoutineKind::Init,
            TokenKind::Deinit => RoutineKind::Deinit,
            _ => RoutineKind::Function,
        };
        let name = match kind {
            RoutineKind::Init | RoutineKind::Deinit => Name { symbol: first.symbol(), span: self.span_of(first) },
            RoutineKind::Operator => self.operator_name()?,
            _ => self.any_name("the name of the routine")?,
        };
        let generics = if self.at(TokenKind::LeftBracket) && !self.at_break() { self.generics()? } else { Vec::new() };
        self.mark()?;
        let mut height = 0;
        let mut params = Vec::new();
        if self.at(TokenKind::LeftParen) {
            params = self.list(TokenKind::RightParen, Self::param)?;
            height = self.height;
        }
        if self.at(TokenKind::LeftParen) && !self.at_break() {
            let help = "set the fields in the body: `set x: value`";
            return Err(self.report(Diagnostic::error(self.span(), "a second list behind the parameters").help(help)));
        }
        self.foreign_result()?;
        let mut returns = None;
        if self.at(TokenKind::Returns) {
            self.bump();
            returns = Some(self.type_()?);
            height = height.max(self.height);
        }
        let mut throws = None;
        if self.at(TokenKind::Throws) {
            self.not_yet(self.span(), "`throws` is");
            self.bump();
            throws = Some(self.type_()?);
            height = height.max(self.height);
        }
        let head_span = self.span_from(first.start);
        self.height = 0;
        let body = self.routine_body(place, returns.is_some(), head_span)?;
        self.raise(self.height.max(height), head_span)?;
        Ok(Routine { kind, name, private, generics, params, returns, throws, body, head_span })
    }

    /// `-> T` and `: T {`, results as other languages write them.
    fn foreign_result(&mut self) -> Parse<()> {
        if self.at(TokenKind::UnknownOperator) && self.text_of(self.token()) == "->" {
            let next = self.next();
            let ty = if next.kind == TokenKind::Name { self.text_of(next) } else { "T" };
            let help = format!("write `returns {ty}`");
            self.report(Diagnostic::error(self.span(), "a result's type stands behind `returns`").help(help));
            self.bump();
            self.type_()?;
        } else if self.at(TokenKind::Colon)
            && let Some(behind) = self.skim_type(self.at + 1)
            && self.tokens[behind].kind == TokenKind::LeftBrace
            && self.next().kind == TokenKind::Name
            && self.names.is_type(self.next().symbol())
            && !self.next().after_break
        {
            let help = format!("write `returns {}`", self.text_of(self.next()));
            self.report(Diagnostic::error(self.span(), "a result's type stands behind `returns`").help(help));
            self.bump();
            self.type_()?;
        }
        Ok(())
    }

    fn routine_body(&mut self, place: Place, returns: bool, head: Span) -> Parse<RoutineBody> {
        let mut at = self.at;
        while self.tokens[at].kind == TokenKind::Colon {
            at += 1;
        }
        let word = self.tokens[at].kind;
        match word {
            TokenKind::Intrinsic => {
                self.at = at;
                self.intrinsic();
                return Ok(RoutineBody::Intrinsic);
            }
            TokenKind::Extern | TokenKind::Instruction => {
                self.at = at;
                let what = if word == TokenKind::Extern { "foreign routines are" } else { "machine instructions are" };
                self.not_yet(self.span(), what);
                self.bump();
                return Ok(RoutineBody::Extern);
            }
            _ => {}
        }
        let follows = self.at_break() || matches!(self.kind(), TokenKind::Colon | TokenKind::LeftBrace);
        // The next routine in the next line is no body of this one: a body that only declares would do nothing.
        let declares = matches!(
            self.kind(),
            TokenKind::Function
                | TokenKind::Procedure
                | TokenKind::Operator
                | TokenKind::Define
                | TokenKind::Private
                | TokenKind::Init
                | TokenKind::Deinit
        );
        let ends = matches!(self.kind(), TokenKind::RightBrace | TokenKind::End) || self.at_break() && declares;
        if place == Place::Trait && ends {
            return Ok(RoutineBody::Missing);
        }
        if ends {
            let message = "this routine has no body";
            return Err(self.report(Diagnostic::error(head, message).help("a body that does nothing is `{}`")));
        }
        if !follows {
            let what = if returns {
                "`:`, a line break or `{` and the body"
            } else {
                "`returns`, or `:`, a line break or `{` and the body"
            };
            if self.at(TokenKind::Equal) || self.at(TokenKind::Name) {
                return Err(self.expected_with(what, |d| d.help("write `function f(a: int) returns int: a + 1`")));
            }
            return Err(self.expected(what));
        }
        Ok(RoutineBody::Code(self.body("the routine's body")?))
    }

    /// The sign behind `operator`. Spellings that mean the same give the same name.
    fn operator_name(&mut self) -> Parse<Name> {
        let start = self.token();
        let close = match start.kind {
            TokenKind::LeftBracket => TokenKind::RightBracket,
            TokenKind::LeftParen if self.next().kind == TokenKind::RightParen => TokenKind::RightParen,
            kind => {
                let text = match (kind.infix(), kind) {
                    (Some(op), _) => op.text(),
                    (None, TokenKind::Tilde | TokenKind::Not) => kind.text(),
                    _ => {
                        let help = "there are `+ - * / % = <> < > <= >= & | ^ ~ << >>`, `div mod and or not`, `[]` \
                                    and `[]=`";
                        return Err(self.expected_with("an operator", |d| d.help(help)));
                    }
                };
                self.bump();
                let symbol = self.interner.intern(text);
                return Ok(Name { symbol, span: self.span_of(start) });
            }
        };
        self.bump();
        self.expect(close)?;
        let mut text = if close == TokenKind::RightParen { "()" } else { "[]" };
        if text == "[]" && self.at(TokenKind::Equal) {
            self.bump();
            text = "[]=";
        }
        let symbol = self.interner.intern(text);
        Ok(Name { symbol, span: self.span_from(start.start) })
    }

    /// `a: T`, `b: int (5)`, `this`.
    fn param(&mut self) -> Parse<Param> {
        let start = self.token().start;
        if matches!(self.kind(), TokenKind::Var | TokenKind::Mutable | TokenKind::Let) {
            let help = "a parameter that is changed is passed in place by itself";
            self.report(Diagnostic::error(self.span(), "a parameter has no word before its name").help(help));
            self.bump();
        }
        let name = self.new_name("the name of a parameter")?;
        self.height = 0;
        let mut ty = None;
        let mut default = None;
        if self.at(TokenKind::Colon) {
            self.bump();
            let given = self.type_before_value()?;
            let height = self.height;
            default = self.default_value(&given)?;
            self.height = self.height.max(height);
            ty = Some(given);
        } else {
            self.c_style_field(name)?;
        }
        let span = self.span_from(start);
        self.raise(self.height, span)?;
        Ok(Param { name, ty, default, span })
    }

    /// `trait T[U] extends A { … }`.
    pub(super) fn trait_(&mut self) -> Parse<StmtKind> {
        self.not_yet(self.span(), "traits are");
        self.bump();
        let name = self.new_name("the name of a trait")?;
        let generics = if self.at(TokenKind::LeftBracket) { self.generics()? } else { Vec::new() };
        let mut extends = Vec::new();
        if self.eat(TokenKind::Extends) {
            extends.push(self.type_()?);
            while self.eat(TokenKind::Comma) {
                extends.push(self.type_()?);
            }
        }
        let members = self.routines(Place::Trait)?;
        Ok(StmtKind::Trait(Box::new(Trait { name, generics, extends, members })))
    }

    /// `implement T for U { … }`, `implement U { … }`.
    pub(super) fn implement(&mut self) -> Parse<StmtKind> {
        self.not_yet(self.span(), "`implement` is");
        self.bump();
        let first = self.type_()?;
        let (trait_, target) = if self.eat(TokenKind::For) { (Some(first), self.type_()?) } else { (None, first) };
        let members = self.routines(Place::Member)?;
        Ok(StmtKind::Implement(Box::new(Implement { trait_, target, members })))
    }

    fn routines(&mut self, place: Place) -> Parse<Vec<Stmt>> {
        self.skip_colons();
        if !self.at(TokenKind::LeftBrace) {
            return Err(self.expected("`{`"));
        }
        let open = self.span();
        self.bump();
        let mut members = Vec::new();
        let mut height = 0;
        let nesting = self.nesting;
        self.within(Context::BLOCK, |p| {
            loop {
                p.skip_colons();
                if matches!(p.kind(), TokenKind::RightBrace | TokenKind::End) {
                    return;
                }
                let (start, start_at) = (p.token().start, p.at);
                let result = match p.kind() {
                    TokenKind::Function | TokenKind::Procedure | TokenKind::Operator => p.routine(false, place),
                    _ => Err(p.expected("a routine")),
                };
                height = height.max(p.height);
                match result {
                    Ok(kind) => members.push(Stmt { kind, span: p.span_from(start) }),
                    Err(_) => {
                        p.context = Context::BLOCK;
                        p.nesting = nesting;
                        p.synchronize(start_at);
                    }
                }
            }
        });
        self.close(TokenKind::RightBrace, open, "`}`")?;
        self.raise(height, open)?;
        Ok(members)
    }
}
