//! Recursive descent over the token list, operators by precedence climbing.
//!
//! **Breaks.** Whether a line break separates depends on the brackets around it, so [`Context`] says what counts here
//! and is replaced when a bracket opens.
//!
//! **Errors.** A function that meets something it cannot go on with reports it and returns [`Reported`]; the nearest
//! block ([`Parser::statements`]) or list of a definition catches that, skips to where the next element begins, and
//! goes on, so that one run finds several independent errors. What is wrong but clear (`!x`, `else if` as `elif`) is
//! reported and parsed as it was meant.
//!
//! **Depth.** The tree's height is bounded, chains of operators and calls included, so that everything behind the parser
//! may recurse over it. Chains are read in a loop: how high they may get is a matter of who recurses behind.

mod choice;
mod definition;
mod expression;
mod habits;
mod recovery;
mod routine;
mod statement;
#[cfg(test)]
pub(in crate::syntax) mod tests;
mod types;

use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Span};

use super::ast::{Body, File, Name};
use super::lexer::{Lexed, MAX_ERRORS};
use super::names::Names;
use super::symbol::{Interner, Symbol};
use super::token::{Token, TokenKind};

/// How deep brackets, bodies and operators may nest: bounds the parser's own stack. The worst mixture takes less than
/// the 2 MiB of a test's thread in a debug build (`depth_is_bounded`).
const MAX_NESTING: u32 = 200;

/// Something was reported and the caller cannot go on either.
pub(super) struct Reported;

type Parse<T> = Result<T, Reported>;

/// What counts at the current place.
#[derive(Clone, Copy)]
struct Context {
    /// A line break separates.
    breaks: bool,
    /// In a header (`if c`, `for i in e`): a `{` begins the body.
    header: bool,
    /// In the header of a `for`: an operand beside another one begins the body.
    no_adjacent: bool,
    /// In the brackets behind a name: `?` and function types may occur.
    type_arguments: bool,
}

impl Context {
    const BLOCK: Context = Context { breaks: true, header: false, no_adjacent: false, type_arguments: false };
    const BRACKETS: Context = Context { breaks: false, header: false, no_adjacent: false, type_arguments: false };
    const TYPE_ARGUMENTS: Context = Context { breaks: false, header: false, no_adjacent: false, type_arguments: true };
}

pub(super) struct Parser<'a> {
    file: FileId,
    text: &'a str,
    tokens: Vec<Token>,
    ints: Vec<u64>,
    at: usize,
    interner: &'a mut Interner,
    names: &'a Names,
    library: bool,
    max_height: u32,
    /// Whether something was refused for its height alone.
    pub(super) too_high: bool,
    pub(super) diagnostics: Vec<Diagnostic>,
    context: Context,
    nesting: u32,
    /// Height of the tree that was built last: a second result of every function that returns one.
    height: u32,
}

impl<'a> Parser<'a> {
    pub(super) fn new(
        file: FileId,
        text: &'a str,
        lexed: Lexed,
        interner: &'a mut Interner,
        names: &'a Names,
        library: bool,
        max_height: u32,
    ) -> Self {
        Parser {
            file,
            text,
            tokens: lexed.tokens,
            ints: lexed.ints,
            at: 0,
            interner,
            names,
            library,
            max_height,
            too_high: false,
            diagnostics: lexed.diagnostics,
            context: Context::BLOCK,
            nesting: 0,
            height: 0,
        }
    }

    pub(super) fn file(&mut self) -> File {
        let stmts = self.statements(TokenKind::End);
        File { body: Body { stmts, span: Span::new(self.file, 0, self.text.len() as u32) } }
    }

    fn token(&self) -> Token {
        self.tokens[self.at]
    }

    fn kind(&self) -> TokenKind {
        self.tokens[self.at].kind
    }

    /// The token behind the current one; the last one is its own successor.
    fn next(&self) -> Token {
        self.tokens[(self.at + 1).min(self.tokens.len() - 1)]
    }

    fn at(&self, kind: TokenKind) -> bool {
        self.kind() == kind
    }

    fn bump(&mut self) -> Token {
        let token = self.token();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        token
    }

    fn eat(&mut self, kind: TokenKind) -> bool {
        let found = self.at(kind);
        if found {
            self.bump();
        }
        found
    }

    /// Whether a line break that separates stands before the current token.
    fn at_break(&self) -> bool {
        self.context.breaks && self.token().after_break
    }

    fn span_of(&self, token: Token) -> Span {
        Span::new(self.file, token.start, token.end)
    }

    fn span(&self) -> Span {
        self.span_of(self.token())
    }

    /// From the start of a token to the end of the one that was read last.
    fn span_from(&self, start: u32) -> Span {
        let end = self.tokens[self.at.saturating_sub(1)].end;
        Span::new(self.file, start, end.max(start))
    }

    fn text_of(&self, token: Token) -> &'a str {
        &self.text[token.start as usize..token.end as usize]
    }

    fn symbol_text(&self, symbol: Symbol) -> &str {
        self.interner.text(symbol)
    }

    fn within<T>(&mut self, context: Context, parse: impl FnOnce(&mut Self) -> T) -> T {
        let saved = std::mem::replace(&mut self.context, context);
        let result = parse(self);
        self.context = saved;
        result
    }

    /// Runs `parse` one level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        if self.nesting >= MAX_NESTING {
            return Err(self.too_deep(self.span()));
        }
        self.nesting += 1;
        let result = parse(self);
        self.nesting -= 1;
        result
    }

    /// Notes that a node stands above trees no higher than `below`.
    fn raise(&mut self, below: u32, span: Span) -> Parse<()> {
        self.height = below + 1;
        if self.height <= self.max_height {
            return Ok(());
        }
        self.too_high = true;
        Err(self.too_deep(span))
    }

    fn too_deep(&mut self, span: Span) -> Reported {
        let end =
            self.text[span.start as usize..span.end as usize].find('\n').map_or(span.end, |i| span.start + i as u32);
        let span = Span::new(self.file, span.start, end);
        self.report(
            Diagnostic::error(span, "this is nested too deeply")
                .help("give a part of it a name with `let`, or make it a routine of its own"),
        )
    }

    fn report(&mut self, diagnostic: Diagnostic) -> Reported {
        // A second complaint about the same place is a consequence of the first.
        let start = diagnostic.span.start;
        if !self.diagnostics.iter().rev().take(4).any(|d| d.span.start == start) && self.diagnostics.len() < MAX_ERRORS
        {
            self.diagnostics.push(diagnostic);
        }
        Reported
    }

    /// The current token as a message names it.
    fn found(&self) -> String {
        self.describe(self.token())
    }

    fn describe(&self, token: Token) -> String {
        match token.kind {
            TokenKind::End => "the end of the file".into(),
            TokenKind::Name => format!("the name `{}`", self.text_of(token)),
            TokenKind::Int | TokenKind::Float => format!("the number `{}`", self.text_of(token)),
            TokenKind::Str => "a string".into(),
            TokenKind::Char => "a character".into(),
            kind if kind.is_word() => format!("the keyword `{}`", kind.text()),
            _ => format!("`{}`", self.text_of(token)),
        }
    }

    /// Reports that something else was expected than what stands here.
    fn expected(&mut self, what: &str) -> Reported {
        self.expected_with(what, |d| d)
    }

    fn expected_with(&mut self, what: &str, more: impl FnOnce(Diagnostic) -> Diagnostic) -> Reported {
        let diagnostic = Diagnostic::error(self.span(), format!("expected {what}, found {}", self.found()))
            .label(format!("expected {what}"));
        let diagnostic = match self.habit_at_token() {
            Some(help) => diagnostic.help(help),
            None => more(diagnostic),
        };
        self.report(diagnostic)
    }

    /// Reports that something is missing behind the token that was read last, which may be the last one of its line.
    fn expected_behind(&mut self, what: &str, help: &str) -> Reported {
        if self.at_break() && self.at > 0 {
            let span = self.span_of(self.tokens[self.at - 1]);
            let diagnostic = Diagnostic::error(span, format!("expected {what}, found the end of the line"));
            return self.report(diagnostic.label(format!("expected {what} behind this")).help(help));
        }
        self.expected_with(what, |d| d.help(help))
    }

    fn expect(&mut self, kind: TokenKind) -> Parse<Token> {
        if self.at(kind) { Ok(self.bump()) } else { Err(self.expected(&format!("`{}`", kind.text()))) }
    }

    /// The end of a bracket; a message about a missing one shows where it was opened.
    fn close(&mut self, kind: TokenKind, open: Span, what: &str) -> Parse<Token> {
        if self.at(kind) {
            return Ok(self.bump());
        }
        Err(self.expected_with(what, |d| d.secondary(open, "opened here")))
    }

    /// Says that a part of the language does not run in this version; the parser goes on.
    fn not_yet(&mut self, span: Span, what: &str) {
        self.report(Diagnostic::error(span, format!("{what} not supported yet")));
    }

    /// A name that something gets. Keywords need quotes there.
    fn new_name(&mut self, what: &str) -> Parse<Name> {
        let token = self.token();
        if token.kind == TokenKind::Name {
            self.bump();
            return Ok(Name { symbol: token.symbol(), span: self.span_of(token) });
        }
        let follows_name = self.next().kind == TokenKind::Colon || token.kind != TokenKind::In;
        if token.kind.is_word() && !self.at_break() && follows_name {
            let word = token.kind.text();
            self.report(
                Diagnostic::error(self.span(), format!("`{word}` is a keyword and cannot be {what}"))
                    .help(format!("choose another name, or write `'{word}'` in quotes")),
            );
            self.bump();
            return Ok(Name { symbol: token.symbol(), span: self.span_of(token) });
        }
        Err(self.expected(what))
    }

    /// A name behind `.`, `function` and its kin, where keywords are plain names.
    fn any_name(&mut self, what: &str) -> Parse<Name> {
        let token = self.token();
        if !token.kind.is_word() {
            return Err(self.expected(what));
        }
        self.bump();
        Ok(Name { symbol: token.symbol(), span: self.span_of(token) })
    }

    /// A `.`-separated path of names.
    fn path(&mut self, what: &str) -> Parse<Vec<Name>> {
        let mut path = vec![self.new_name(what)?];
        while self.at(TokenKind::Dot) && self.next().kind.is_word() {
            self.bump();
            path.push(self.any_name("a name")?);
        }
        Ok(path)
    }
}
