//! Statements, and how the parser goes on behind a wrong one.

use super::{Context, Parse, Parser};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast::{Assign, AssignOp, Expr, ExprKind, For, Let, Name, Repeat, Stmt, StmtKind, While, WhileLet};
use crate::syntax::token::TokenKind;

impl Parser<'_> {
    /// The statements of a block up to `end`, which is not read. Errors end here.
    pub(super) fn statements(&mut self, end: TokenKind) -> Vec<Stmt> {
        let mut stmts = Vec::new();
        let mut height = 0;
        let context = self.context;
        let nesting = self.nesting;
        loop {
            self.skip_colons();
            if self.at(end) || self.at(TokenKind::End) {
                self.height = height;
                return stmts;
            }
            let start = self.at;
            match self.try_statement() {
                Ok(stmt) => {
                    height = height.max(self.height);
                    stmts.push(stmt);
                    if !self.at_statement_end() {
                        self.no_separator();
                        self.synchronize(start);
                    }
                }
                Err(_) => {
                    self.context = context;
                    self.nesting = nesting;
                    let begin = self.tokens[start].start;
                    self.synchronize(start);
                    stmts.push(Stmt { kind: StmtKind::Error, span: self.span_from(begin) });
                }
            }
        }
    }

    fn at_statement_end(&self) -> bool {
        self.at_break() || matches!(self.kind(), TokenKind::Colon | TokenKind::RightBrace | TokenKind::End)
    }

    fn no_separator(&mut self) {
        match self.kind() {
            TokenKind::RightParen | TokenKind::RightBracket => {
                let closing = self.found();
                self.report(Diagnostic::error(self.span(), format!("{closing} closes nothing")));
            }
            TokenKind::Comma => {
                self.expected("a line break");
            }
            _ => {
                self.expected_with("an operator, a line break or `:`", |d| {
                    d.help("two statements in one line are separated by `:`")
                });
            }
        }
    }

    /// One statement of any kind.
    pub(super) fn try_statement(&mut self) -> Parse<Stmt> {
        let token = self.token();
        self.height = 0;
        let kind = match token.kind {
            TokenKind::Let | TokenKind::Var | TokenKind::Mutable => self.let_()?,
            TokenKind::Set => self.set()?,
            TokenKind::While => self.while_()?,
            TokenKind::For => self.for_()?,
            TokenKind::Repeat => self.repeat()?,
            TokenKind::Break => {
                self.bump();
                StmtKind::Break(self.loop_name()?)
            }
            TokenKind::Continue => {
                self.bump();
                StmtKind::Continue(self.loop_name()?)
            }
            TokenKind::Return => {
                self.bump();
                StmtKind::Return(self.result()?)
            }
            TokenKind::Throw => {
                self.not_yet(self.span(), "`throw` is");
                self.bump();
                StmtKind::Throw(self.result()?)
            }
            TokenKind::If | TokenKind::Match | TokenKind::Choose | TokenKind::Try | TokenKind::LeftBrace => {
                StmtKind::Expr(self.postfix()?)
            }
            TokenKind::Define
            | TokenKind::Function
            | TokenKind::Procedure
            | TokenKind::Operator
            | TokenKind::Private
            | TokenKind::Trait
            | TokenKind::Implement
            | TokenKind::Module
            | TokenKind::Package
            | TokenKind::Use
            | TokenKind::Init
            | TokenKind::Deinit
            | TokenKind::Macro
            | TokenKind::Delegate => self.declaration()?,
            TokenKind::Else | TokenKind::When | TokenKind::Case => {
                let owner = match token.kind {
                    TokenKind::Else => "`if`, `match` or `choose`",
                    TokenKind::When => "`choose`",
                    _ => "`match`",
                };
                let message = format!("`{}` without its {owner}", token.kind.text());
                let help = "several statements in one branch stand in braces";
                return Err(self.report(Diagnostic::error(self.span(), message).help(help)));
            }
            TokenKind::Equal if self.at > 0 && self.tokens[self.at - 1].kind == TokenKind::Colon => {
                let help = "write `let x = value`, or `set x: value` if there is one already";
                return Err(self.report(Diagnostic::error(self.span(), "`:=` does not declare a variable").help(help)));
            }
            TokenKind::RightBrace | TokenKind::RightParen | TokenKind::RightBracket => {
                let message = format!("`{}` closes nothing", token.kind.text());
                return Err(self.report(Diagnostic::error(self.span(), message)));
            }
            TokenKind::Name if self.foreign_statement() => return Err(super::Reported),
            _ => self.expression_statement()?,
        };
        Ok(Stmt { kind, span: self.span_from(token.start) })
    }

    /// An operation, or `place = e`, `place += e`.
    fn expression_statement(&mut self) -> Parse<StmtKind> {
        if self.at(TokenKind::Not) {
            return Ok(StmtKind::Expr(self.operation()?));
        }
        let left = self.unary()?;
        if self.at_break() {
            return Ok(StmtKind::Expr(left));
        }
        let op = match self.kind() {
            TokenKind::Equal if left.is_place() => AssignOp::Equals,
            kind => match kind.compound() {
                Some(op) => AssignOp::Compound(op),
                None => {
                    self.foreign_declaration(&left)?;
                    return Ok(StmtKind::Expr(self.binary_rest(left, 0)?));
                }
            },
        };
        self.assignment(left, op)
    }

    /// Behind a place, from the sign that assigns on.
    fn assignment(&mut self, place: Expr, op: AssignOp) -> Parse<StmtKind> {
        let below = self.height;
        let op_span = self.span();
        self.bump();
        let value = self.operation()?;
        self.raise(below.max(self.height), value.span)?;
        Ok(StmtKind::Assign(Box::new(Assign { place, op, op_span, value })))
    }

    /// `set place: e`; `=` and `+=` are fine too.
    fn set(&mut self) -> Parse<StmtKind> {
        self.bump();
        let place = self.within(Context { no_adjacent: true, ..self.context }, Self::unary)?;
        let op = match self.kind() {
            _ if self.at_break() => None,
            TokenKind::Colon | TokenKind::Equal => Some(AssignOp::Set),
            kind => kind.compound().map(AssignOp::Compound),
        };
        let Some(op) = op else {
            return Err(self.expected_behind("`:` and the new value", "an assignment is `set place: value`"));
        };
        self.assignment(place, op)
    }

    /// `let x e`, `let x: T e`, `var x: T`, an `=` before the value or not.
    fn let_(&mut self) -> Parse<StmtKind> {
        let mutable = self.bump().kind != TokenKind::Let;
        let (name, ty) = self.binding()?;
        let mut height = self.height;
        let value = if self.at_value_end() {
            if !mutable || ty.is_none() {
                let what = if mutable { "a type or a value" } else { "a value" };
                return Err(self.expected_behind(what, "write `let x = value`; only `var x: T` needs no value"));
            }
            None
        } else {
            let value = self.operation()?;
            height = height.max(self.height);
            Some(value)
        };
        let span = name.span;
        self.raise(height, span)?;
        Ok(StmtKind::Let(Box::new(Let { mutable, name, ty, value })))
    }

    /// The name, type and `=` of a declaration.
    pub(super) fn binding(&mut self) -> Parse<(Name, Option<crate::syntax::ast::Type>)> {
        if matches!(self.kind(), TokenKind::Mutable | TokenKind::Var) {
            let help = "a variable that changes is declared with `var x`";
            self.report(Diagnostic::error(self.span(), "one word declares a variable").help(help));
            self.bump();
        }
        if self.at(TokenKind::Name)
            && self.next().kind == TokenKind::Name
            && !self.next().after_break
            && self.text_of(self.token()) == "mut"
        {
            let help = format!("write `var {}`", self.text_of(self.next()));
            self.report(Diagnostic::error(self.span(), "`mut` does not declare a variable").help(help));
            self.bump();
        }
        if self.at(TokenKind::LeftParen) {
            let help = "declare each variable by itself";
            return Err(self.report(Diagnostic::error(self.span(), "a value cannot be taken apart here").help(help)));
        }
        let name = self.new_name("a name")?;
        self.height = 0;
        let mut ty = None;
        if self.at(TokenKind::Colon) && !self.at_break() {
            self.bump();
            if self.at(TokenKind::Equal) && !self.token().after_blank {
                let help = "write `let x = value`";
                self.report(Diagnostic::error(self.span(), "`:=` does not declare a variable").help(help));
            } else {
                ty = Some(self.type_before_value()?);
            }
        }
        if !self.at_break() {
            self.eat(TokenKind::Equal);
        }
        Ok((name, ty))
    }

    /// Where a value that may be missing is missing.
    pub(super) fn at_value_end(&self) -> bool {
        // Behind an `=` a break is white space.
        let behind_equal = self.at > 0 && self.tokens[self.at - 1].kind == TokenKind::Equal;
        (self.at_break() && !behind_equal)
            || matches!(
                self.kind(),
                TokenKind::Colon
                    | TokenKind::RightBrace
                    | TokenKind::RightParen
                    | TokenKind::RightBracket
                    | TokenKind::Comma
                    | TokenKind::End
                    | TokenKind::Else
                    | TokenKind::When
                    | TokenKind::Case
            )
    }

    /// The value of `return` and `throw`.
    fn result(&mut self) -> Parse<Option<Box<Expr>>> {
        if self.at_value_end() {
            return Ok(None);
        }
        let value = self.operation()?;
        self.raise(self.height, value.span)?;
        Ok(Some(Box::new(value)))
    }

    /// `loop name` behind `break` and `continue`.
    fn loop_name(&mut self) -> Parse<Option<Name>> {
        if self.at_value_end() {
            return Ok(None);
        }
        if self.eat(TokenKind::Loop) {
            return self.new_name("the label of a loop").map(Some);
        }
        if self.at(TokenKind::If) {
            let help = "write `if c: break`";
            return Err(self.report(Diagnostic::error(self.span(), "the condition comes first").help(help)));
        }
        let name = match self.kind() {
            TokenKind::Name => self.text_of(self.token()).to_string(),
            _ => "name".into(),
        };
        Err(self.expected_with("`loop` and a label, or a line break", |d| {
            d.help(format!("a loop that has a label is left with `break loop {name}`; no loop gives a value"))
        }))
    }

    fn while_(&mut self) -> Parse<StmtKind> {
        let start = self.bump().start;
        if self.at(TokenKind::Let) || self.at(TokenKind::Var) {
            self.bump();
            let (name, ty) = self.binding()?;
            let value = self.header()?;
            let height = self.height;
            let (label, body) = self.loop_body("the value")?;
            let span = self.span_from(start);
            self.raise(self.height.max(height), span)?;
            return Ok(StmtKind::WhileLet(Box::new(WhileLet { name, ty, value, label, body })));
        }
        let condition = self.header()?;
        let height = self.height;
        let (label, body) = self.loop_body("the condition")?;
        let span = self.span_from(start);
        self.raise(self.height.max(height), span)?;
        Ok(StmtKind::While(Box::new(While { condition, label, body })))
    }

    /// `for i in e: body`; `for item in items process(item)` too: beside the collection begins the body.
    fn for_(&mut self) -> Parse<StmtKind> {
        let start = self.bump().start;
        if self.at(TokenKind::LeftParen) || matches!(self.kind(), TokenKind::Let | TokenKind::Var | TokenKind::Mutable)
        {
            let help = "write `for i in 0..n { … }`";
            return Err(self.report(
                Diagnostic::error(self.span(), "a `for` goes over a collection, a range or an integer").help(help),
            ));
        }
        let name = self.new_name("a name for the element")?;
        let mut ty = None;
        if self.at(TokenKind::Colon) {
            self.bump();
            ty = Some(self.type_()?);
        }
        if !self.at(TokenKind::In) {
            return Err(self.expected_with("`in`", |d| d.help("a loop is `for x in collection: …`, with one name")));
        }
        self.bump();
        let iterable = self.within(Context { header: true, no_adjacent: true, ..self.context }, Self::operation)?;
        let height = self.height;
        let follows = self.at_break()
            || matches!(self.kind(), TokenKind::Colon | TokenKind::LeftBrace | TokenKind::Name)
            || self.kind().begins_statement()
            || matches!(
                self.kind(),
                TokenKind::If | TokenKind::Match | TokenKind::Choose | TokenKind::Try | TokenKind::Label
            );
        if !follows {
            return Err(self.expected("`:`, a line break or `{` behind the collection"));
        }
        let (label, body) = self.labelled_body()?;
        let span = self.span_from(start);
        self.raise(self.height.max(height), span)?;
        Ok(StmtKind::For(Box::new(For { name, ty, iterable, label, body })))
    }

    fn repeat(&mut self) -> Parse<StmtKind> {
        let start = self.bump().start;
        let (label, body) = self.labelled_body()?;
        let span: Span = self.span_from(start);
        self.raise(self.height, span)?;
        Ok(StmtKind::Repeat(Box::new(Repeat { label, body })))
    }

    fn loop_body(&mut self, behind: &str) -> Parse<(Option<Name>, crate::syntax::ast::Body)> {
        if !self.at_break() && !matches!(self.kind(), TokenKind::Colon | TokenKind::LeftBrace | TokenKind::Label) {
            return Err(self.expected(&format!("`:`, a line break or `{{` behind {behind}")));
        }
        self.labelled_body()
    }

    fn labelled_body(&mut self) -> Parse<(Option<Name>, crate::syntax::ast::Body)> {
        self.skip_colons();
        let mut label = None;
        if self.eat(TokenKind::Label) {
            label = Some(self.new_name("the label of this loop")?);
        }
        Ok((label, self.body("the loop's body")?))
    }

    /// `int x = 5`, an assignment of other languages behind a type.
    fn foreign_declaration(&mut self, left: &Expr) -> Parse<()> {
        let ExprKind::Call(call) = &left.kind else { return Ok(()) };
        let (ExprKind::Name(ty), Some(arg)) = (&call.callee.kind, call.args.first()) else { return Ok(()) };
        let ExprKind::Name(name) = arg.value.kind else { return Ok(()) };
        if !self.at(TokenKind::Equal) || !call.is_juxtaposed(left.span) || !self.names.is_type(*ty) {
            return Ok(());
        }
        let help = format!("write `var {}: {} = …`", self.symbol_text(name), self.symbol_text(*ty));
        Err(self.report(Diagnostic::error(left.span, "a variable is declared with `let` or `var`").help(help)))
    }
}
