//! What decides between bodies: `if`, `match`, `choose`, `try`; and bodies themselves.

use super::{Parse, Parser};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast::{
    Body, Choose, Expr, ExprKind, If, Match, MatchArm, Name, Stmt, StmtKind, Try, TryBinding, WhenArm, WhenBinding,
};
use crate::syntax::token::TokenKind;

/// The arms of `choose` or `try`, and what stands behind their `else`.
type WhenArms = (Vec<WhenArm>, Option<Body>);

impl Parser<'_> {
    /// A separator, if one is there, and behind it one statement or a block.
    pub(super) fn body(&mut self, what: &str) -> Parse<Body> {
        self.skip_colons();
        if self.at(TokenKind::LeftBrace) {
            return self.block();
        }
        if matches!(
            self.kind(),
            TokenKind::End
                | TokenKind::RightBrace
                | TokenKind::RightParen
                | TokenKind::RightBracket
                | TokenKind::Comma
                | TokenKind::Else
                | TokenKind::When
                | TokenKind::Case
        ) {
            return Err(self.expected_with(what, |d| d.help("a body that does nothing is `{}`")));
        }
        self.nested(|p| {
            let stmt = p.try_statement()?;
            let span = stmt.span;
            Ok(Body { stmts: vec![stmt], span })
        })
    }

    /// A body behind a condition, where a separator or `{` must stand.
    pub(super) fn separated_body(&mut self, behind: &str) -> Parse<Body> {
        if !self.at_break() && !matches!(self.kind(), TokenKind::Colon | TokenKind::LeftBrace) {
            return Err(self.expected(&format!("`:`, a line break or `{{` behind {behind}")));
        }
        self.body("a body")
    }

    pub(super) fn skip_colons(&mut self) {
        while self.at(TokenKind::Colon) {
            self.bump();
        }
    }

    /// Goes to `word` if that is what stands behind separators here. Only a word that cannot begin a statement does so.
    fn continues_with(&mut self, word: TokenKind) -> bool {
        let mut at = self.at;
        while self.tokens[at].kind == TokenKind::Colon {
            at += 1;
        }
        let found = self.tokens[at].kind == word;
        if found {
            self.at = at;
        }
        found
    }

    /// `if c: a else b`. A chain of `else if` is read in a loop, so that it needs no stack; the tree nests.
    pub(super) fn if_(&mut self) -> Parse<Expr> {
        let mut chain: Vec<(u32, Expr, Body)> = Vec::new();
        let mut height = 0;
        let mut otherwise = None;
        loop {
            let start = self.bump().start;
            if self.at(TokenKind::Let) {
                let help = "write `choose e { when Some(x): … when None: … }`, or ask with `is` before";
                return Err(self.report(Diagnostic::error(self.span(), "`if` takes a condition, no `let`").help(help)));
            }
            let condition = self.header()?;
            height = height.max(self.height);
            let then = self.separated_body("the condition")?;
            height = height.max(self.height);
            chain.push((start, condition, then));
            self.raise(height + chain.len() as u32, self.span_from(start))?;
            if self.foreign_else_if() {
                continue;
            }
            if !self.continues_with(TokenKind::Else) {
                break;
            }
            self.bump();
            // `else` and a break or colon before the next `if` mean the same as none.
            let if_start = self.at;
            self.skip_colons();
            if self.at(TokenKind::If) {
                continue;
            }
            self.at = if_start;
            otherwise = Some(self.body("a body behind `else`")?);
            height = height.max(self.height);
            break;
        }
        let height = height + chain.len() as u32;
        let mut result: Option<Expr> = None;
        let end = self.span_from(chain[0].0).end;
        for (start, condition, then) in chain.into_iter().rev() {
            let span = Span::new(self.file, start, end);
            if let Some(inner) = result {
                let span = inner.span;
                otherwise = Some(Body { stmts: vec![Stmt { kind: StmtKind::Expr(inner), span }], span });
            }
            result =
                Some(Expr { kind: ExprKind::If(Box::new(If { condition, then, otherwise: otherwise.take() })), span });
        }
        let Some(result) = result else { unreachable!("the loop pushed at least one branch") };
        self.height = height;
        Ok(result)
    }

    /// Runs `arms` in the braces, if some follow the header, else without.
    fn arms<T>(&mut self, arms: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        if !self.at_break() && !matches!(self.kind(), TokenKind::Colon | TokenKind::LeftBrace) {
            let kind = self.kind();
            // `choose x when V: …` misses nothing that could be meant otherwise.
            if kind != TokenKind::When && kind != TokenKind::Case {
                return Err(self.expected("`:`, a line break or `{`"));
            }
        }
        self.skip_colons();
        if !self.at(TokenKind::LeftBrace) {
            return arms(self);
        }
        let open = self.span();
        self.bump();
        self.within(super::Context::BLOCK, |p| {
            p.skip_colons();
            let result = arms(p)?;
            p.skip_colons();
            let help = match p.kind() {
                TokenKind::When | TokenKind::Case => "`else` is the last arm",
                _ => "an arm has one statement or a block in braces",
            };
            if !p.at(TokenKind::RightBrace) {
                return Err(p.expected_with("another arm or `}`", |d| d.secondary(open, "opened here").help(help)));
            }
            p.bump();
            Ok(result)
        })
    }

    /// `match e: case a case b: x else y`.
    pub(super) fn match_(&mut self) -> Parse<Expr> {
        self.nested(|p| {
            let start = p.bump().start;
            let subject = p.header()?;
            let mut height = p.height;
            let (arms, otherwise) = p.arms(|p| {
                let mut arms = Vec::new();
                while p.continues_with(TokenKind::Case) {
                    arms.push(p.match_arm()?);
                    height = height.max(p.height);
                }
                if arms.is_empty() {
                    return Err(p.expected("`case`"));
                }
                let otherwise = p.otherwise()?;
                height = height.max(p.height);
                Ok((arms, otherwise))
            })?;
            let span = p.span_from(start);
            p.raise(height, span)?;
            Ok(Expr { kind: ExprKind::Match(Box::new(Match { subject, arms, otherwise })), span })
        })
    }

    fn match_arm(&mut self) -> Parse<MatchArm> {
        let start = self.token().start;
        let mut values = Vec::new();
        let mut height = 0;
        while self.continues_with(TokenKind::Case) {
            self.bump();
            values.push(self.header()?);
            height = height.max(self.height);
            if self.at(TokenKind::Comma) {
                let help = "write `case a case b: …`";
                return Err(self.report(Diagnostic::error(self.span(), "a `case` has one value").help(help)));
            }
        }
        let body = self.separated_body("the value")?;
        self.height = self.height.max(height);
        Ok(MatchArm { values, body, span: self.span_from(start) })
    }

    fn otherwise(&mut self) -> Parse<Option<Body>> {
        if !self.continues_with(TokenKind::Else) {
            return Ok(None);
        }
        self.bump();
        self.body("a body behind `else`").map(Some)
    }

    /// `choose e: when V(p): x else y`.
    pub(super) fn choose(&mut self) -> Parse<Expr> {
        self.nested(|p| {
            let start = p.bump().start;
            let subject = p.header()?;
            let mut height = p.height;
            let (arms, otherwise) = p.arms(Self::when_arms)?;
            height = height.max(p.height);
            let span = p.span_from(start);
            p.raise(height, span)?;
            Ok(Expr { kind: ExprKind::Choose(Box::new(Choose { subject, arms, otherwise })), span })
        })
    }

    fn when_arms(&mut self) -> Parse<WhenArms> {
        let mut arms = Vec::new();
        let mut height = 0;
        while self.continues_with(TokenKind::When) {
            arms.push(self.when_arm()?);
            height = height.max(self.height);
        }
        if arms.is_empty() && !self.at(TokenKind::Else) {
            return Err(self.expected_with("`when`", |d| {
                d.help("an arm is `when V(x): …`, where `V` is a variant and `x` its payload")
            }));
        }
        let otherwise = self.otherwise()?;
        self.height = self.height.max(height);
        Ok((arms, otherwise))
    }

    /// `when V(p, …)`, `when x: V` or `when V`, and a body.
    fn when_arm(&mut self) -> Parse<WhenArm> {
        let start = self.bump().start;
        if matches!(self.kind(), TokenKind::Int | TokenKind::Float | TokenKind::Str | TokenKind::Char) {
            let help = "values are compared by `match x { case 1: … else … }`";
            return Err(self.expected_with("a variant", |d| d.help(help)));
        }
        let first = self.path("a variant")?;
        let mut binding = WhenBinding::None;
        let mut variant = first;
        if self.at(TokenKind::LeftParen) && !self.at_break() {
            binding = WhenBinding::Fields(self.payload_names()?);
        } else if variant.len() == 1 && self.at(TokenKind::Colon) && !self.names.is_variant(variant[0].symbol) {
            // `when x: V` if V is a variant; else what follows the colon is the body.
            let mut last = self.at + 1;
            while self.tokens[last].kind == TokenKind::Name && self.tokens[last + 1].kind == TokenKind::Dot {
                last += 2;
            }
            let token = self.tokens[last];
            if token.kind == TokenKind::Name && self.names.is_variant(token.symbol()) {
                let name = variant[0];
                self.bump();
                variant = self.path("a variant")?;
                binding = WhenBinding::Whole(name);
            }
        }
        let body = self.body("a body of this arm")?;
        Ok(WhenArm { variant, binding, body, span: self.span_from(start) })
    }

    fn payload_names(&mut self) -> Parse<Vec<Name>> {
        let open = self.span();
        self.bump();
        self.within(super::Context::BRACKETS, |p| {
            let mut names = Vec::new();
            while !p.at(TokenKind::RightParen) {
                names.push(p.new_name("a name for the payload")?);
                if matches!(p.kind(), TokenKind::LeftParen | TokenKind::Dot | TokenKind::Colon) {
                    let help = "give the payload a name, and `choose` again in the body";
                    return Err(p.report(Diagnostic::error(p.span(), "the payload gets a plain name").help(help)));
                }
                if !p.eat(TokenKind::Comma) {
                    break;
                }
            }
            p.close(TokenKind::RightParen, open, "`,` or `)`")?;
            if names.is_empty() {
                let span = p.span_from(open.start);
                let help = "a variant without a payload is written without parentheses";
                p.report(Diagnostic::error(span, "nothing between the parentheses").help(help));
            }
            Ok(names)
        })
    }

    /// `try e: arms`, `try let x e: arms`. Reported, since nothing runs it yet.
    pub(super) fn try_(&mut self) -> Parse<Expr> {
        self.nested(|p| {
            let start = p.bump();
            p.not_yet(p.span_of(start), "`try` is");
            let mut binding = None;
            if matches!(p.kind(), TokenKind::Let | TokenKind::Var | TokenKind::Mutable) {
                let mutable = p.bump().kind != TokenKind::Let;
                let name = p.new_name("a name")?;
                let ty = if p.eat(TokenKind::Colon) { Some(p.type_before_value()?) } else { None };
                p.eat(TokenKind::Equal);
                binding = Some(TryBinding { mutable, name, ty });
            }
            let value = p.header()?;
            let mut height = p.height;
            let mut arms = (Vec::new(), None);
            let mut at = p.at;
            while p.tokens[at].kind == TokenKind::Colon {
                at += 1;
            }
            let follows = p.tokens[at].kind;
            let braces = follows == TokenKind::LeftBrace && p.tokens[at + 1].kind == TokenKind::When;
            if braces || matches!(follows, TokenKind::When | TokenKind::Else) {
                arms = p.arms(Self::when_arms)?;
                height = height.max(p.height);
            }
            let (arms, otherwise) = arms;
            let span = p.span_from(start.start);
            p.raise(height, span)?;
            Ok(Expr { kind: ExprKind::Try(Box::new(Try { binding, value, arms, otherwise })), span })
        })
    }
}
