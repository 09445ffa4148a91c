//! Text to tokens, all at once: the parser looks back and ahead in them.
//!
//! Line breaks are no tokens but a mark on the token behind them, since only the parser knows where one separates.
//! What is wrong in a text (an unknown character, a string without end, a comment of another language) is reported
//! here and leaves no token, or the token that was likely meant, so that the parser does not complain again.

mod literal;
#[cfg(test)]
mod tests;

use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Span};

use super::symbol::Interner;
use super::token::{Token, TokenKind, foreign_operator};

/// Behind so many errors in a file nobody reads on.
pub const MAX_ERRORS: usize = 50;

/// The tokens of a text.
pub struct Lexed {
    /// The last is [`TokenKind::End`].
    pub tokens: Vec<Token>,
    /// Values of the integer literals.
    pub ints: Vec<u64>,
    /// Where among the tokens `define` stands.
    pub defines: Vec<u32>,
    pub diagnostics: Vec<Diagnostic>,
}

pub fn lex(file: FileId, text: &str, interner: &mut Interner) -> Lexed {
    let lexed = Lexed {
        tokens: Vec::with_capacity(text.len() / 4 + 1),
        ints: Vec::new(),
        defines: Vec::new(),
        diagnostics: Vec::new(),
    };
    let mut lexer = Lexer {
        file,
        text,
        bytes: text.as_bytes(),
        at: 0,
        interner,
        lexed,
        after_break: true,
        after_blank: true,
        foreign_comment_seen: false,
        buffer: String::new(),
    };
    if text.starts_with('\u{feff}') {
        lexer.at = 3;
    }
    if text.starts_with("#!") {
        lexer.skip_line();
    }
    while lexer.token() {}
    lexer.lexed
}

struct Lexer<'a> {
    file: FileId,
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    interner: &'a mut Interner,
    lexed: Lexed,
    after_break: bool,
    after_blank: bool,
    /// `#` or `//` was reported once; a file full of them needs no more.
    foreign_comment_seen: bool,
    /// Content of the string being read.
    buffer: String,
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_name_part(byte: u8) -> bool {
    IN_WORD[byte as usize] || byte >= 0x80
}

/// Which bytes go on with a word of ASCII: looked up, because two thirds of a text are words.
const IN_WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'_';
        byte += 1;
    }
    table
};

fn is_operator(byte: u8) -> bool {
    matches!(byte, b'+' | b'-' | b'*' | b'/' | b'=' | b'%' | b'&' | b'|' | b'~' | b'<' | b'>')
}

impl Lexer<'_> {
    fn byte(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.file, start as u32, end as u32)
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        if self.lexed.diagnostics.len() < MAX_ERRORS {
            self.lexed.diagnostics.push(diagnostic);
        }
    }

    fn push(&mut self, kind: TokenKind, start: usize, payload: u32) {
        if kind == TokenKind::Define {
            self.lexed.defines.push(self.lexed.tokens.len() as u32);
        }
        self.lexed.tokens.push(Token {
            start: start as u32,
            end: self.at as u32,
            payload,
            kind,
            after_break: self.after_break,
            after_blank: self.after_blank,
        });
        self.after_break = false;
        self.after_blank = false;
    }

    fn sign(&mut self, kind: TokenKind, length: usize) {
        let start = self.at;
        self.at += length;
        self.push(kind, start, 0);
    }

    /// Reads one token or piece of white space; `false` at the end.
    fn token(&mut self) -> bool {
        let Some(&byte) = self.bytes.get(self.at) else {
            // Behind the last token, not behind the white space and comments after it: where something is missing.
            self.at = self.lexed.tokens.last().map_or(0, |t| t.end as usize);
            self.push(TokenKind::End, self.at, 0);
            return false;
        };
        match byte {
            b' ' | b'\t' | b'\r' => self.blanks(),
            b'\n' => {
                self.after_break = true;
                self.blanks();
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word(),
            b'0'..=b'9' => self.number(),
            b';' => self.comment(),
            b'(' => self.sign(TokenKind::LeftParen, 1),
            b')' => self.sign(TokenKind::RightParen, 1),
            b'[' => self.sign(TokenKind::LeftBracket, 1),
            b']' => self.sign(TokenKind::RightBracket, 1),
            b'{' => self.sign(TokenKind::LeftBrace, 1),
            b'}' => self.sign(TokenKind::RightBrace, 1),
            b',' => self.sign(TokenKind::Comma, 1),
            b':' => self.sign(TokenKind::Colon, 1),
            b'?' => self.sign(TokenKind::Question, 1),
            b'$' => self.sign(TokenKind::Dollar, 1),
            b'.' => match (self.byte(1), self.byte(2)) {
                (b'.', b'=') => self.sign(TokenKind::DotDotEqual, 3),
                (b'.', b'.') => self.ellipsis(),
                (b'.', _) => self.sign(TokenKind::DotDot, 2),
                _ => self.sign(TokenKind::Dot, 1),
            },
            b'!' if self.byte(1) == b'=' => self.sign(TokenKind::BangEqual, 2),
            b'!' => self.sign(TokenKind::Bang, 1),
            b'^' if self.byte(1) == b'=' => self.sign(TokenKind::CaretEqual, 2),
            b'^' => self.sign(TokenKind::Caret, 1),
            b'\\' => self.backslash(),
            b'#' => self.hash(),
            b'"' => self.string(),
            b'`' => self.character(),
            b'\'' => self.quoted_name(),
            _ if is_operator(byte) => self.operator(),
            _ => self.unusual(),
        }
        true
    }

    /// A byte of white space, and the spaces behind it.
    fn blanks(&mut self) {
        self.at += 1;
        while self.byte(0) == b' ' {
            self.at += 1;
        }
        self.after_blank = true;
    }

    fn word(&mut self) {
        let start = self.at;
        let rest = &self.bytes[start..];
        self.at += rest.iter().position(|&b| !IN_WORD[b as usize]).unwrap_or(rest.len());
        if self.byte(0) >= 0x80 {
            self.wide_name(start);
            return;
        }
        let symbol = self.interner.intern(&self.text[start..self.at]);
        self.push(TokenKind::of_word(symbol), start, symbol.0);
    }

    /// The rest of a name that has letters beyond ASCII.
    fn wide_name(&mut self, start: usize) {
        let rest = &self.text[self.at..];
        self.at += rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let symbol = self.interner.intern(&self.text[start..self.at]);
        self.push(TokenKind::Name, start, symbol.0);
    }

    fn operator(&mut self) {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(|&b| is_operator(b) || b == b'^') {
            self.at += 1;
        }
        let text = &self.text[start..self.at];
        let kind = TokenKind::operator(text);
        if kind == TokenKind::UnknownOperator {
            if text.starts_with("//") {
                self.foreign_comment(start, 2);
                return;
            }
            if text.starts_with("/*") {
                self.foreign_block_comment(start);
                return;
            }
            if foreign_operator(text).is_none() && self.split_operator(start) {
                return;
            }
        }
        self.push(kind, start, 0);
    }

    /// `x=-1` and `a*-b`: takes a run of operator characters that is no operator as one with prefix ones behind it.
    fn split_operator(&mut self, start: usize) -> bool {
        let end = self.at;
        let text = &self.text[start..end];
        for length in (1..text.len()).rev() {
            let kind = TokenKind::operator(&text[..length]);
            let rest = &text.as_bytes()[length..];
            if kind == TokenKind::UnknownOperator || !rest.iter().all(|b| matches!(b, b'-' | b'~' | b'*' | b'&' | b'+'))
            {
                continue;
            }
            self.at = start + length;
            self.push(kind, start, 0);
            for at in start + length..end {
                self.at = at + 1;
                self.push(TokenKind::operator(&self.text[at..at + 1]), at, 0);
            }
            return true;
        }
        false
    }

    fn foreign_comment(&mut self, start: usize, length: usize) {
        if !self.foreign_comment_seen {
            self.foreign_comment_seen = true;
            let sign = &self.text[start..start + length];
            let diagnostic = Diagnostic::error(
                self.span(start, start + length),
                format!("a comment begins with `;`, not with `{sign}`"),
            )
            .help(format!("write `;` instead of `{sign}`"));
            self.report(diagnostic);
        }
        self.at = start;
        self.skip_line();
    }

    fn foreign_block_comment(&mut self, start: usize) {
        let diagnostic = Diagnostic::error(self.span(start, start + 2), "a comment of several lines begins with `;*`")
            .help("write `;* … *;` instead of `/* … */`");
        self.report(diagnostic);
        self.at = self.text[start..].find("*/").map_or(self.text.len(), |i| start + i + 2);
        self.after_blank = true;
    }

    fn skip_line(&mut self) {
        let rest = &self.bytes[self.at..];
        self.at += rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
        self.after_blank = true;
    }

    fn comment(&mut self) {
        if self.byte(1) != b'*' {
            self.skip_line();
            return;
        }
        let start = self.at;
        let mut depth = 0;
        self.after_blank = true;
        while let Some(&byte) = self.bytes.get(self.at) {
            match (byte, self.byte(1)) {
                (b';', b'*') => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b';') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                }
                (b'\n', _) => {
                    self.at += 1;
                    self.after_break = true;
                }
                _ => self.at += 1,
            }
        }
        let diagnostic = Diagnostic::error(self.span(start, start + 2), "this comment has no end")
            .label("begins here")
            .help("end it with `*;`; comments nest, so each `;*` inside needs its own");
        self.report(diagnostic);
    }

    fn hash(&mut self) {
        let previous = self.lexed.tokens.last().map(|t| t.kind);
        let after_head = !self.after_blank
            && previous.is_some_and(|k| k.is_word() || matches!(k, TokenKind::RightBracket | TokenKind::Question));
        if after_head {
            self.sign(TokenKind::Hash, 1);
        } else {
            self.foreign_comment(self.at, 1);
        }
    }

    fn ellipsis(&mut self) {
        let diagnostic = Diagnostic::error(self.span(self.at, self.at + 3), "`...` is no operator")
            .help("a half open range is `a..b`, a closed one `a..=b`");
        self.report(diagnostic);
        self.sign(TokenKind::DotDot, 3);
    }

    fn backslash(&mut self) {
        let rest = &self.bytes[self.at + 1..];
        let blanks = rest.iter().take_while(|&&b| matches!(b, b' ' | b'\t' | b'\r')).count();
        if rest.get(blanks) == Some(&b'\n') {
            self.at += blanks + 2;
            self.after_blank = true;
        } else {
            self.sign(TokenKind::Backslash, 1);
        }
    }

    fn quoted_name(&mut self) {
        let start = self.at;
        let rest = &self.text[start + 1..];
        let end = rest.find(['\'', '\n']).unwrap_or(rest.len());
        let closed = rest[end..].starts_with('\'');
        let name = &rest[..end];
        self.at = start + 1 + end + usize::from(closed);
        if !closed || name.is_empty() {
            let message = if closed { "an empty name" } else { "this quoted name has no end" };
            let diagnostic = Diagnostic::error(self.span(start, self.at), message)
                .help("a string stands between `\"`, a character between backticks; `'any text'` is a name");
            self.report(diagnostic);
        }
        let symbol = self.interner.intern(name);
        self.push(TokenKind::Name, start, symbol.0);
    }

    /// Letters beyond ASCII, other kinds of white space, and characters without a meaning.
    fn unusual(&mut self) {
        let start = self.at;
        // The bytes before were whole characters, so this is one too.
        let Some(c) = self.text[start..].chars().next() else { return };
        if c.is_alphabetic() {
            self.wide_name(start);
            return;
        }
        self.at += c.len_utf8();
        if c.is_whitespace() {
            self.after_blank = true;
            return;
        }
        let span = self.span(start, self.at);
        let diagnostic = match c {
            '\u{201c}' | '\u{201d}' | '\u{201e}' => {
                Diagnostic::error(span, format!("`{c}` does not quote a string")).help("write `\"`")
            }
            '\u{2018}' | '\u{2019}' => {
                Diagnostic::error(span, format!("`{c}` has no meaning here")).help("write `'` or a backtick")
            }
            '@' => Diagnostic::error(span, "attributes are not supported yet"),
            c if c.is_control() => {
                Diagnostic::error(span, format!("the control character U+{:04X} has no meaning here", c as u32))
            }
            c => Diagnostic::error(span, format!("the character `{c}` has no meaning here")),
        };
        self.report(diagnostic);
    }
}
