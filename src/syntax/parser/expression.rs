//! Operations: rows of operands with operators between them.

use super::{Context, Parse, Parser, Reported};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast::{
    Arg, As, Binary, BinaryOp, Body, Call, Expr, ExprKind, Index, Is, Lambda, Name, Param, PrefixOp, Range,
};
use crate::syntax::token::{Token, TokenKind};

/// Where `not` stands among the precedences of [`BinaryOp::precedence`].
const NOT: u8 = 5;
const RANGE: u8 = 0;

impl Parser<'_> {
    /// A whole row of operands.
    pub(super) fn operation(&mut self) -> Parse<Expr> {
        self.binary(RANGE)
    }

    /// The condition or subject of `if`, `while`, `match`, `choose`, `case`: a `{` at bracket depth 0 ends it.
    pub(super) fn header(&mut self) -> Parse<Expr> {
        self.within(Context { header: true, ..self.context }, Self::operation)
    }

    fn binary(&mut self, min: u8) -> Parse<Expr> {
        self.nested(|p| {
            let left = p.row_start()?;
            p.binary_rest(left, min)
        })
    }

    fn row_start(&mut self) -> Parse<Expr> {
        let token = self.token();
        if token.kind != TokenKind::Not {
            return self.unary();
        }
        self.bump();
        let operand = self.binary(NOT)?;
        self.prefixed(PrefixOp::Not, token.start, operand)
    }

    /// Goes on behind the first operand of a row.
    pub(super) fn binary_rest(&mut self, mut left: Expr, min: u8) -> Parse<Expr> {
        loop {
            let token = self.token();
            if self.context.breaks && token.after_break {
                return Ok(left);
            }
            let below = self.height;
            let start = left.span.start;
            left = match token.kind {
                TokenKind::Is => {
                    if BinaryOp::Less.precedence() < min {
                        return Ok(left);
                    }
                    self.bump();
                    let variant = self.is_target()?;
                    Expr { kind: ExprKind::Is(Box::new(Is { value: left, variant })), span: self.span_from(start) }
                }
                TokenKind::DotDot | TokenKind::DotDotEqual => {
                    if RANGE < min {
                        return Ok(left);
                    }
                    self.bump();
                    let high = self.binary(RANGE + 1)?;
                    let span = left.span.to(high.span);
                    let closed = token.kind == TokenKind::DotDotEqual;
                    Expr { kind: ExprKind::Range(Box::new(Range { low: left, high, closed })), span }
                }
                TokenKind::UnknownOperator | TokenKind::Question | TokenKind::Bang => {
                    return Err(self.unknown_operator());
                }
                kind => {
                    let Some(op) = kind.infix() else { return Ok(left) };
                    let precedence = op.precedence();
                    if precedence < min {
                        return Ok(left);
                    }
                    let op_span = self.span();
                    self.bump();
                    let right = self.binary(precedence + 1)?;
                    let span = left.span.to(right.span);
                    Expr { kind: ExprKind::Binary(Box::new(Binary { op, op_span, left, right })), span }
                }
            };
            self.raise(below.max(self.height), left.span)?;
        }
    }

    /// `null` (an empty path) or a variant.
    fn is_target(&mut self) -> Parse<Vec<Name>> {
        if self.at(TokenKind::Not) {
            let help = "write `not (x is V)`";
            self.report(Diagnostic::error(self.span(), "there is no `is not`").help(help));
            self.bump();
        }
        if self.eat(TokenKind::Null) {
            self.height = 0;
            return Ok(Vec::new());
        }
        self.height = 0;
        self.path("a variant or `null`")
    }

    /// Prefix operators, an operand, and `as` behind it.
    pub(super) fn unary(&mut self) -> Parse<Expr> {
        let token = self.token();
        let mut operand = match token.kind.prefix() {
            Some(op) => {
                self.bump();
                let operand = self.nested(Self::prefix_operand)?;
                self.prefixed(op, token.start, operand)?
            }
            None => self.prefix_operand()?,
        };
        while self.at(TokenKind::As) && !self.at_break() {
            let below = self.height;
            self.bump();
            let ty = self.type_before_value()?;
            let span = operand.span.to(ty.span);
            operand = Expr { kind: ExprKind::As(Box::new(As { value: operand, ty })), span };
            self.raise(below.max(self.height), span)?;
        }
        Ok(operand)
    }

    /// What a prefix operator applies to: another one, or an operand with its calls.
    fn prefix_operand(&mut self) -> Parse<Expr> {
        let token = self.token();
        match token.kind {
            TokenKind::Bang => {
                let help = "write `not x`";
                self.report(Diagnostic::error(self.span(), "`!` does not negate").help(help));
                self.bump();
                let operand = self.nested(Self::prefix_operand)?;
                self.prefixed(PrefixOp::Not, token.start, operand)
            }
            TokenKind::UnknownOperator if self.text_of(token) == "**" => {
                self.bump();
                let operand = self.nested(Self::prefix_operand)?;
                let inner = self.prefixed(PrefixOp::Deref, token.start + 1, operand)?;
                self.prefixed(PrefixOp::Deref, token.start, inner)
            }
            TokenKind::UnknownOperator => Err(self.unknown_operator()),
            kind => match kind.prefix() {
                Some(op) => {
                    self.bump();
                    let operand = self.nested(Self::prefix_operand)?;
                    self.prefixed(op, token.start, operand)
                }
                None => self.adjacent(),
            },
        }
    }

    fn prefixed(&mut self, op: PrefixOp, start: u32, operand: Expr) -> Parse<Expr> {
        let span = Span::new(self.file, start, operand.span.end);
        self.raise(self.height, span)?;
        Ok(Expr { kind: ExprKind::Prefix(op, Box::new(operand)), span })
    }

    /// `f x`: an operand, and perhaps one more that it is applied to.
    fn adjacent(&mut self) -> Parse<Expr> {
        let callee = self.postfix()?;
        if !self.begins_adjacent() || self.context.no_adjacent {
            return Ok(callee);
        }
        let applies =
            matches!(callee.kind, ExprKind::Name(_) | ExprKind::Member(..) | ExprKind::Index(_) | ExprKind::Marked(..));
        // Behind anything else, and on a new line in brackets, the operand is none: the caller misses a separator.
        if !applies || self.token().after_break || self.foreign_separator() {
            return Ok(callee);
        }
        let below = self.height;
        let value = self.postfix()?;
        let span = callee.span.to(value.span);
        if self.begins_adjacent() && !self.token().after_break {
            let second = self.span();
            let help = if self.at(TokenKind::If) {
                "write `if c: x` instead of `x if c`".to_string()
            } else {
                let mut call = format!("{}({}", self.source(callee.span), self.source(value.span));
                while self.begins_adjacent() && !self.token().after_break {
                    let more = self.postfix()?;
                    call += ", ";
                    call += self.source(more.span);
                }
                format!("write `{call})`, or separate statements by a line break or `:`")
            };
            let diagnostic = Diagnostic::error(second, "a call without parentheses has only one argument")
                .secondary(callee.span, "called here")
                .help(help);
            return Err(self.report(diagnostic));
        }
        self.raise(below.max(self.height), span)?;
        Ok(Expr { kind: ExprKind::Call(Box::new(Call { callee, args: vec![Arg { name: None, value }] })), span })
    }

    fn source(&self, span: Span) -> &str {
        &self.text[span.start as usize..span.end as usize]
    }

    /// Whether the current token begins an operand that the one before it is applied to.
    fn begins_adjacent(&self) -> bool {
        let token = self.token();
        if self.context.breaks && token.after_break {
            return false;
        }
        match token.kind {
            TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Str
            | TokenKind::Char
            | TokenKind::True
            | TokenKind::False
            | TokenKind::Null
            | TokenKind::Backslash
            | TokenKind::Sizeof
            | TokenKind::Alignof
            | TokenKind::If
            | TokenKind::Match
            | TokenKind::Choose
            | TokenKind::Try => true,
            TokenKind::LeftBracket => token.after_blank,
            TokenKind::LeftBrace => !self.context.header,
            _ => false,
        }
    }

    /// An operand with its calls, members and indexes.
    pub(super) fn postfix(&mut self) -> Parse<Expr> {
        let first = self.kind();
        let mut operand = self.primary()?;
        if matches!(
            first,
            TokenKind::If
                | TokenKind::Match
                | TokenKind::Choose
                | TokenKind::Try
                | TokenKind::LeftBrace
                | TokenKind::Backslash
                | TokenKind::Sizeof
                | TokenKind::Alignof
        ) {
            return Ok(operand);
        }
        // A `(` behind a literal is no call of it.
        let literal = matches!(
            first,
            TokenKind::Int
                | TokenKind::Float
                | TokenKind::Str
                | TokenKind::Char
                | TokenKind::True
                | TokenKind::False
                | TokenKind::Null
                | TokenKind::LeftBracket
        );
        let literal_end = operand.span.end;
        loop {
            let token = self.token();
            let below = self.height;
            let start = operand.span.start;
            operand = match token.kind {
                TokenKind::Dot => self.member(operand)?,
                TokenKind::LeftParen if !(self.at_break() || literal && operand.span.end == literal_end) => {
                    let args = self.arguments()?;
                    let span = self.span_from(start);
                    Expr { kind: ExprKind::Call(Box::new(Call { callee: operand, args })), span }
                }
                TokenKind::LeftBracket if !token.after_blank => {
                    let args = self.index()?;
                    let span = self.span_from(start);
                    Expr { kind: ExprKind::Index(Box::new(Index { head: operand, args })), span }
                }
                TokenKind::Question if self.context.type_arguments => {
                    self.bump();
                    self.height = 0;
                    Expr { kind: ExprKind::Optional(Box::new(operand)), span: self.span_from(start) }
                }
                TokenKind::Dollar | TokenKind::Hash | TokenKind::Bang | TokenKind::Caret
                    if self.begins_mark(&operand) =>
                {
                    let Some(mark) = self.mark()? else { return Ok(operand) };
                    self.height = 0;
                    Expr { kind: ExprKind::Marked(Box::new(operand), Box::new(mark)), span: self.span_from(start) }
                }
                _ => return Ok(operand),
            };
            self.raise(below.max(self.height), operand.span)?;
        }
    }

    fn member(&mut self, head: Expr) -> Parse<Expr> {
        self.bump();
        self.height = 0;
        if matches!(self.kind(), TokenKind::Int | TokenKind::Float) && !self.token().after_blank {
            let help = "there are no tuples; an element is `a[0]`, a field has a name";
            return Err(self.report(Diagnostic::error(self.span(), "a member has a name, no number").help(help)));
        }
        let name = self.any_name("the name of a member")?;
        let span = head.span.to(name.span);
        Ok(Expr { kind: ExprKind::Member(Box::new(head), name), span })
    }

    /// Whether a sign right behind a head is a mark of it. `a^b` is xor unless `a` is a type that is called.
    fn begins_mark(&self, head: &Expr) -> bool {
        let token = self.token();
        if token.after_blank {
            return false;
        }
        match token.kind {
            TokenKind::Dollar | TokenKind::Hash => true,
            TokenKind::Bang => self.next().kind == TokenKind::LeftParen && !self.next().after_blank,
            _ => {
                let is_type = match &head.kind {
                    ExprKind::Name(name) => self.names.is_type(*name),
                    ExprKind::Index(index) => matches!(index.head.kind, ExprKind::Name(n) if self.names.is_type(n)),
                    _ => false,
                };
                is_type && self.next().kind == TokenKind::Name && !self.next().after_blank
            }
        }
    }

    /// `(a, name: b)`, from the `(` on.
    fn arguments(&mut self) -> Parse<Vec<Arg>> {
        let open = self.span();
        self.bump();
        let mut height = 0;
        let args = self.within(Context::BRACKETS, |p| {
            let mut args = Vec::new();
            while !p.at(TokenKind::RightParen) {
                let mut name = None;
                if p.next().kind == TokenKind::Colon && p.kind().is_word() {
                    name = Some(p.any_name("a name")?);
                    p.bump();
                }
                let value = p.operation()?;
                height = height.max(p.height);
                args.push(Arg { name, value });
                if !p.eat(TokenKind::Comma) {
                    break;
                }
            }
            p.close(TokenKind::RightParen, open, "`,` or `)`")?;
            Ok(args)
        })?;
        self.height = height;
        Ok(args)
    }

    /// `[a, b]`, from the `[` on: of an index or of a generic.
    fn index(&mut self) -> Parse<Vec<Expr>> {
        if self.next().kind == TokenKind::RightBracket {
            let help = "an empty array is written with its type, as in `Array[int]()`";
            return Err(self.report(Diagnostic::error(self.span(), "nothing between the brackets").help(help)));
        }
        self.elements(Context::TYPE_ARGUMENTS)
    }

    fn elements(&mut self, context: Context) -> Parse<Vec<Expr>> {
        let open = self.span();
        self.bump();
        let mut height = 0;
        let elements = self.within(context, |p| {
            let mut elements = Vec::new();
            while !p.at(TokenKind::RightBracket) {
                elements.push(p.operation()?);
                height = height.max(p.height);
                if !p.eat(TokenKind::Comma) {
                    break;
                }
            }
            p.close(TokenKind::RightBracket, open, "`,` or `]`")?;
            Ok(elements)
        })?;
        self.height = height;
        Ok(elements)
    }

    fn primary(&mut self) -> Parse<Expr> {
        let token = self.token();
        self.height = 0;
        let kind = match token.kind {
            TokenKind::Name => ExprKind::Name(token.symbol()),
            TokenKind::Int => ExprKind::Int(self.ints[token.payload as usize]),
            TokenKind::Float => ExprKind::Float(token.symbol()),
            TokenKind::Str => ExprKind::Str(token.symbol()),
            TokenKind::Char => ExprKind::Char(char::from_u32(token.payload).unwrap_or('\0')),
            TokenKind::True => ExprKind::Bool(true),
            TokenKind::False => ExprKind::Bool(false),
            TokenKind::Null => ExprKind::Null,
            TokenKind::LeftParen => return self.parenthesized(),
            TokenKind::LeftBracket => {
                let elements = self.elements(Context::BRACKETS)?;
                let span = self.span_from(token.start);
                self.raise(self.height, span)?;
                return Ok(Expr { kind: ExprKind::Array(elements), span });
            }
            TokenKind::LeftBrace => {
                if let Some(reported) = self.foreign_collection() {
                    return Err(reported);
                }
                let body = self.block()?;
                let span = body.span;
                return Ok(Expr { kind: ExprKind::Block(Box::new(body)), span });
            }
            TokenKind::If => return self.if_(),
            TokenKind::Match => return self.match_(),
            TokenKind::Choose => return self.choose(),
            TokenKind::Try => return self.try_(),
            TokenKind::Backslash => return self.nested(Self::lambda),
            TokenKind::Sizeof | TokenKind::Alignof => {
                self.bump();
                let ty = Box::new(self.type_before_value()?);
                let span = self.span_from(token.start);
                let kind = if token.kind == TokenKind::Sizeof { ExprKind::SizeOf(ty) } else { ExprKind::AlignOf(ty) };
                return Ok(Expr { kind, span });
            }
            TokenKind::Function | TokenKind::Procedure if self.context.type_arguments => return self.type_operand(),
            _ => return Err(self.no_operand(token)),
        };
        self.bump();
        Ok(Expr { kind, span: self.span_of(token) })
    }

    fn parenthesized(&mut self) -> Parse<Expr> {
        let open = self.span();
        self.bump();
        let context = if self.context.type_arguments { Context::TYPE_ARGUMENTS } else { Context::BRACKETS };
        self.within(context, |p| {
            if p.at(TokenKind::RightParen) {
                return Err(p.report(Diagnostic::error(open.to(p.span()), "nothing between the parentheses")));
            }
            let mut inner = p.operation()?;
            if p.at(TokenKind::Comma) {
                let help = "there are no tuples; `define` a type with a field for each value";
                return Err(p.report(Diagnostic::error(p.span(), "a list of values in parentheses").help(help)));
            }
            p.close(TokenKind::RightParen, open, "`)`")?;
            inner.span = p.span_from(open.start);
            Ok(inner)
        })
    }

    /// Reports a token that begins no operand.
    fn no_operand(&mut self, token: Token) -> Reported {
        let what = token.kind.text();
        let help = match token.kind {
            TokenKind::While | TokenKind::For | TokenKind::Repeat => {
                Some(format!("`{what}` is a statement and gives no value; fill a `var` in it"))
            }
            TokenKind::Return | TokenKind::Break | TokenKind::Continue | TokenKind::Throw => {
                Some(format!("`{what}` is a statement; it can stand in an arm of `if`, as in `if c: x else {what}`"))
            }
            TokenKind::Loop => Some("an endless loop is `repeat { … }`, left with `break`".into()),
            TokenKind::Function | TokenKind::Procedure => {
                Some("a routine without a name is a lambda: `\\x y: x + y`".into())
            }
            TokenKind::Dot if self.next().kind == TokenKind::Int && !self.next().after_blank => {
                Some(format!("write `0.{}`", self.text_of(self.next())))
            }
            kind if kind.infix().is_some() && token.after_break => Some(
                "where an operation goes on in the next line, the operator stands at the end of the line before".into(),
            ),
            _ => None,
        };
        self.expected_with("an expression", |d| match help {
            Some(help) => d.help(help),
            None => d,
        })
    }

    /// `\x y: e`, `\x: int { … }`.
    fn lambda(&mut self) -> Parse<Expr> {
        let start = self.bump().start;
        let mut params: Vec<Param> = Vec::new();
        while self.kind().is_word() && !self.at(TokenKind::Is) {
            let name = self.new_name("the name of a parameter")?;
            let mut ty = None;
            if self.at(TokenKind::Colon) && self.typed_parameter(self.at + 1) {
                self.bump();
                ty = Some(self.type_before_value()?);
            }
            params.push(Param { name, ty, default: None, span: self.span_from(name.span.start) });
        }
        if self.at(TokenKind::Comma) && !params.is_empty() {
            let help = "write `\\x y: e`";
            return Err(self.report(
                Diagnostic::error(self.span(), "the parameters of a lambda stand side by side, without commas")
                    .help(help),
            ));
        }
        if !matches!(self.kind(), TokenKind::Colon | TokenKind::LeftBrace) {
            return Err(self.expected_with("`:` and the lambda's value", |d| d.help("a lambda is `\\x y: x + y`")));
        }
        let body = self.body("the lambda's value")?;
        let span = Span::new(self.file, start, body.span.end);
        self.raise(self.height, span)?;
        Ok(Expr { kind: ExprKind::Lambda(Box::new(Lambda { params, body })), span })
    }

    /// Whether behind the `:` of a lambda's parameter stands its type: then a block follows, or further parameters and
    /// a block, or a second `:`.
    fn typed_parameter(&self, mut at: usize) -> bool {
        loop {
            let Some(behind) = self.skim_type(at) else { return false };
            let token = self.tokens[behind];
            match token.kind {
                TokenKind::LeftBrace => return !token.after_break,
                TokenKind::Colon => return self.names.is_type(self.tokens[at].symbol()) && !token.after_break,
                TokenKind::Name if !token.after_break => {
                    at = behind + 1;
                    while self.tokens[at].kind == TokenKind::Name {
                        at += 1;
                    }
                    match self.tokens[at].kind {
                        TokenKind::Colon => at += 1,
                        kind => return kind == TokenKind::LeftBrace,
                    }
                }
                _ => return false,
            }
        }
    }

    /// `{ … }`, from the `{` on.
    pub(super) fn block(&mut self) -> Parse<Body> {
        self.nested(|p| {
            let open = p.span();
            p.bump();
            let stmts = p.within(Context::BLOCK, |p| p.statements(TokenKind::RightBrace));
            p.close(TokenKind::RightBrace, open, "`}`")?;
            let span = p.span_from(open.start);
            p.raise(p.height, span)?;
            Ok(Body { stmts, span })
        })
    }
}
