//! Text to tokens, all at once: the parser looks back and ahead in them.
//!
//! Line breaks are no tokens but a mark on the token behind them, since only the parser knows where one separates.
//! What is wrong in a text (an unknown character, a string without end, a comment of another language) is reported
//! here and leaves no token, or the token that was likely meant, so that the parser does not complain again.

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
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

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
            b' ' | b'\t' | b'\r' => {
                self.at += 1;
                self.after_blank = true;
            }
            b'\n' => {
                self.at += 1;
                self.after_blank = true;
                self.after_break = true;
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

    fn word(&mut self) {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(|&b| b.is_ascii_alphanumeric() || b == b'_') {
            self.at += 1;
        }
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
        while self.bytes.get(self.at).is_some_and(|&b| b != b'\n') {
            self.at += 1;
        }
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

    fn number(&mut self) {
        let start = self.at;
        if self.byte(0) == b'0' && self.byte(1).is_ascii_alphabetic() {
            self.based_number(start);
            return;
        }
        let mut float = false;
        self.digits();
        if self.byte(0) == b'.' && self.byte(1).is_ascii_digit() {
            float = true;
            self.at += 1;
            self.digits();
        }
        if matches!(self.byte(0), b'e' | b'E') {
            let sign = usize::from(matches!(self.byte(1), b'+' | b'-'));
            if self.byte(1 + sign).is_ascii_digit() {
                float = true;
                self.at += 1 + sign;
                self.digits();
            }
        }
        if is_name_start(self.byte(0)) || self.bytes[self.at - 1] == b'_' {
            self.bad_number(start);
            return;
        }
        let text = &self.text[start..self.at];
        if float {
            self.buffer.clear();
            self.buffer.extend(text.chars().filter(|&c| c != '_'));
            let symbol = self.interner.intern(&self.buffer);
            if self.buffer.parse::<f64>().is_ok_and(f64::is_infinite) {
                let diagnostic = Diagnostic::error(self.span(start, self.at), "this number is too large for an `f64`");
                self.report(diagnostic);
            }
            self.push(TokenKind::Float, start, symbol.0);
        } else {
            let value = text
                .bytes()
                .filter(|&b| b != b'_')
                .try_fold(0u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
            self.int(start, value);
        }
    }

    fn digits(&mut self) {
        while matches!(self.byte(0), b'0'..=b'9' | b'_') {
            self.at += 1;
        }
    }

    fn int(&mut self, start: usize, value: Option<u64>) {
        if value.is_none() {
            let diagnostic =
                Diagnostic::error(self.span(start, self.at), "this number is too large for any integer type")
                    .help("the largest is 18446744073709551615, of `u64`");
            self.report(diagnostic);
        }
        let index = self.lexed.ints.len() as u32;
        self.lexed.ints.push(value.unwrap_or(0));
        self.push(TokenKind::Int, start, index);
    }

    /// `0x…`, and the bases that other languages have.
    fn based_number(&mut self, start: usize) {
        let base = self.byte(1);
        self.at += 2;
        if !matches!(base, b'x' | b'X') {
            self.bad_number(start);
            return;
        }
        let mut value = Some(0u64);
        let mut digits = 0;
        while let Some(&byte) = self.bytes.get(self.at) {
            if byte != b'_' {
                let Some(digit) = (byte as char).to_digit(16) else { break };
                value = value.filter(|v| v >> 60 == 0).map(|v| v << 4 | u64::from(digit));
                digits += 1;
            }
            self.at += 1;
        }
        if digits == 0 || is_name_start(self.byte(0)) || self.bytes[self.at - 1] == b'_' {
            self.bad_number(start);
            return;
        }
        self.int(start, value);
    }

    /// Reports a number with something behind it that belongs to none, and goes on behind that.
    fn bad_number(&mut self, start: usize) {
        let digits_end = self.at;
        while is_name_part(self.byte(0)) {
            self.at += 1;
        }
        let text = &self.text[start..self.at];
        let mut diagnostic = Diagnostic::error(self.span(start, self.at), format!("`{text}` is no number"));
        let suffix = &self.text[digits_end..self.at];
        diagnostic = match text.as_bytes() {
            [b'0', b'b' | b'B' | b'o' | b'O', ..] => {
                let radix = if matches!(text.as_bytes()[1], b'b' | b'B') { 2 } else { 8 };
                match u64::from_str_radix(&text[2..].replace('_', ""), radix) {
                    Ok(value) => diagnostic.help(format!("write it in hexadecimal digits: `0x{value:X}`")),
                    Err(_) => diagnostic.help("write it in hexadecimal digits, as in `0xFF`"),
                }
            }
            [b'0', b'x' | b'X', ..] => diagnostic.help("hexadecimal digits are 0 to 9 and A to F"),
            _ if suffix.is_empty() => diagnostic.help("a `_` stands between digits, as in `1_000`"),
            _ if suffix.starts_with(['f', 'F', 'l', 'L', 'u', 'U', 'i', 'd', 'D']) => diagnostic
                .help("a number takes the type that its context asks for; write `as` and the type to choose one, as in `1 as u8`"),
            _ => diagnostic.help("a name begins with a letter or `_`"),
        };
        self.report(diagnostic);
        let index = self.lexed.ints.len() as u32;
        self.lexed.ints.push(0);
        self.push(TokenKind::Int, start, index);
    }

    fn string(&mut self) {
        let start = self.at;
        self.at += 1;
        self.buffer.clear();
        loop {
            let plain = self.at;
            while self.bytes.get(self.at).is_some_and(|&b| b != b'"' && b != b'\\') {
                self.at += 1;
            }
            match self.byte(0) {
                b'"' => {
                    let piece = &self.text[plain..self.at];
                    // Most strings are one piece and need no copy.
                    let symbol = if self.buffer.is_empty() {
                        self.interner.intern(piece)
                    } else {
                        self.buffer.push_str(piece);
                        self.interner.intern(&self.buffer)
                    };
                    self.at += 1;
                    self.push(TokenKind::Str, start, symbol.0);
                    return;
                }
                b'\\' => {
                    self.buffer.push_str(&self.text[plain..self.at]);
                    if let Some(c) = self.escape() {
                        self.buffer.push(c);
                    }
                }
                _ => break,
            }
        }
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |i| start + i);
        let diagnostic = Diagnostic::error(self.span(start, line_end), "this string has no end")
            .label("begins here")
            .help("end it with `\"`; a quotation mark inside a string is written `\\\"`");
        self.report(diagnostic);
        let symbol = self.interner.intern("");
        self.push(TokenKind::Str, start, symbol.0);
    }

    /// Reads an escape sequence from its `\` on; `None` if it was reported.
    fn escape(&mut self) -> Option<char> {
        let start = self.at;
        self.at += 1;
        let c = self.text[self.at..].chars().next()?;
        self.at += c.len_utf8();
        let value = match c {
            '"' | '\\' | '`' => c,
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '0' => '\0',
            'u' => return self.unicode_escape(start),
            _ => {
                let shown = if c.is_control() { String::new() } else { format!(" `\\{c}`") };
                let diagnostic =
                    Diagnostic::error(self.span(start, self.at), format!("unknown escape sequence{shown}")).help(
                        "there are `\\n \\r \\t \\0 \\\" \\\\ \\uXXXX` and `\\u{…}`; a backslash itself is `\\\\`",
                    );
                self.report(diagnostic);
                return None;
            }
        };
        Some(value)
    }

    fn unicode_escape(&mut self, start: usize) -> Option<char> {
        let braces = self.byte(0) == b'{';
        self.at += usize::from(braces);
        let digits_start = self.at;
        let limit = if braces { usize::MAX } else { 4 };
        while self.byte(0).is_ascii_hexdigit() && self.at - digits_start < limit {
            self.at += 1;
        }
        let digits = &self.text[digits_start..self.at];
        let well_formed = if braces { !digits.is_empty() && self.byte(0) == b'}' } else { digits.len() == 4 };
        let value = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
        if well_formed {
            self.at += usize::from(braces);
            if value.is_some() {
                return value;
            }
        }
        let message = if well_formed {
            "there is no such character"
        } else {
            "`\\u` is followed by four hexadecimal digits, or by some in braces"
        };
        let diagnostic = Diagnostic::error(self.span(start, self.at), message).help("write `\\u00E9` or `\\u{1F600}`");
        self.report(diagnostic);
        None
    }

    fn character(&mut self) {
        let start = self.at;
        self.at += 1;
        let mut value = None;
        let mut count = 0;
        let mut reported = false;
        loop {
            match self.text[self.at..].chars().next() {
                Some('`') => {
                    self.at += 1;
                    break;
                }
                Some('\\') => {
                    let escaped = self.escape();
                    reported |= escaped.is_none();
                    value = escaped;
                }
                Some('\n') | None => {
                    let diagnostic = Diagnostic::error(self.span(start, self.at), "this character has no end")
                        .help("a character stands between backticks, as in `` `a` ``");
                    self.report(diagnostic);
                    reported = true;
                    break;
                }
                Some(c) => {
                    self.at += c.len_utf8();
                    value = Some(c);
                }
            }
            count += 1;
        }
        if count != 1 && !reported {
            let message = if count == 0 { "an empty character" } else { "more than one character between backticks" };
            let diagnostic = Diagnostic::error(self.span(start, self.at), message)
                .help("a string stands between `\"`, a character is exactly one code point");
            self.report(diagnostic);
        }
        self.push(TokenKind::Char, start, value.unwrap_or('\0') as u32);
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

#[cfg(test)]
mod tests {
    use super::*;
    use TokenKind::*;

    fn kinds(text: &str) -> Vec<TokenKind> {
        let lexed = lex(FileId(0), text, &mut Interner::new());
        assert!(lexed.diagnostics.is_empty(), "{text}: {:?}", lexed.diagnostics);
        let mut kinds: Vec<_> = lexed.tokens.iter().map(|t| t.kind).collect();
        assert_eq!(kinds.pop(), Some(End));
        kinds
    }

    fn only(text: &str) -> (TokenKind, u32, Interner, Vec<u64>) {
        let mut interner = Interner::new();
        let lexed = lex(FileId(0), text, &mut interner);
        assert!(lexed.diagnostics.is_empty(), "{text}: {:?}", lexed.diagnostics);
        assert_eq!(lexed.tokens.len(), 2, "{text}");
        (lexed.tokens[0].kind, lexed.tokens[0].payload, interner, lexed.ints)
    }

    fn message(text: &str) -> String {
        let lexed = lex(FileId(0), text, &mut Interner::new());
        assert_eq!(lexed.diagnostics.len(), 1, "{text}: {:?}", lexed.diagnostics);
        lexed.diagnostics[0].message.clone()
    }

    #[test]
    fn numbers() {
        for (text, value) in [
            ("42", 42),
            ("1_000", 1000),
            ("0xFF", 255),
            ("0XfF_01", 0xff01),
            ("18446744073709551615", u64::MAX),
            ("0", 0),
        ] {
            let (kind, index, _, ints) = only(text);
            assert_eq!((kind, ints[index as usize]), (Int, value));
        }
        for (text, value) in [("3.14", "3.14"), ("1.0e-5", "1.0e-5"), ("1e5", "1e5"), ("1_0.2_5E+3", "10.25E+3")] {
            let (kind, symbol, interner, _) = only(text);
            assert_eq!((kind, interner.text(crate::syntax::Symbol(symbol))), (Float, value));
        }
        assert_eq!(kinds("1..5"), [Int, DotDot, Int]);
        assert_eq!(kinds("1..=5"), [Int, DotDotEqual, Int]);
        assert_eq!(kinds("1.max"), [Int, Dot, Name]);
        assert_eq!(message("18446744073709551616"), "this number is too large for any integer type");
        assert_eq!(message("0x1_0000_0000_0000_0000"), "this number is too large for any integer type");
        assert_eq!(message("1e999"), "this number is too large for an `f64`");
        for bad in ["0b101", "12ab", "1_", "0x", "1.5f", "0xG"] {
            assert_eq!(message(bad), format!("`{bad}` is no number"));
        }
    }

    #[test]
    fn strings_and_characters() {
        for (text, value) in [
            (r#""""#, ""),
            (r#""a b""#, "a b"),
            (r#""a\n\t\\\"\0\r""#, "a\n\t\\\"\0\r"),
            (r#""\u00e9\u{1F600}é""#, "é😀é"),
            ("\"two\nlines\"", "two\nlines"),
        ] {
            let (kind, symbol, interner, _) = only(text);
            assert_eq!((kind, interner.text(crate::syntax::Symbol(symbol))), (Str, value));
        }
        for (text, value) in [("`a`", 'a'), ("`\\n`", '\n'), ("`é`", 'é'), ("`\\u{1F600}`", '😀'), ("`\\``", '`')] {
            let (kind, payload, ..) = only(text);
            assert_eq!((kind, payload), (Char, value as u32));
        }
        assert_eq!(message("\"abc"), "this string has no end");
        assert_eq!(message("\"abc\\"), "this string has no end");
        assert_eq!(message(r#""\q""#), "unknown escape sequence `\\q`");
        assert_eq!(message(r#""\ud800""#), "there is no such character");
        assert_eq!(message(r#""\u{}""#), "`\\u` is followed by four hexadecimal digits, or by some in braces");
        assert_eq!(message("`ab`"), "more than one character between backticks");
        assert_eq!(message("``"), "an empty character");
        assert_eq!(message("`a"), "this character has no end");
    }

    #[test]
    fn names_and_comments() {
        assert_eq!(kinds("let 'any text' größe _x set"), [Let, Name, Name, Name, Set]);
        assert_eq!(kinds("a ; b\nc ;* d ;* e *; f *; g"), [Name, Name, Name]);
        assert_eq!(message("'abc\n"), "this quoted name has no end");
        assert_eq!(message(";* a ;* b *;"), "this comment has no end");
        assert_eq!(message("a // b\nc // d"), "a comment begins with `;`, not with `//`");
        assert_eq!(message("# a\n# b"), "a comment begins with `;`, not with `#`");
        assert_eq!(message("a /* b */ c"), "a comment of several lines begins with `;*`");
        assert_eq!(kinds("T#(x)"), [Name, Hash, LeftParen, Name, RightParen]);
        assert_eq!(message("a § b"), "the character `§` has no meaning here");
    }

    #[test]
    fn operators_are_maximal_runs() {
        assert_eq!(kinds("a <= b <> c << d"), [Name, LessEqual, Name, LessGreater, Name, ShiftLeft, Name]);
        assert_eq!(kinds("a*-b"), [Name, Star, Minus, Name]);
        assert_eq!(kinds("x=-1"), [Name, Equal, Minus, Int]);
        assert_eq!(kinds("a<=-~b"), [Name, LessEqual, Minus, Tilde, Name]);
        assert_eq!(kinds("a++ b-- c**d"), [Name, UnknownOperator, Name, UnknownOperator, Name, UnknownOperator, Name]);
        assert_eq!(kinds("a -> b => c"), [Name, UnknownOperator, Name, UnknownOperator, Name]);
        assert_eq!(
            kinds("a != b ^ c ^= d ! ?"),
            [Name, BangEqual, Name, Caret, Name, CaretEqual, Name, Bang, Question]
        );
    }

    #[test]
    fn breaks_and_blanks_are_marks() {
        let lexed = lex(FileId(0), "a b[c]\nd \\\n e ;* \n *; f", &mut Interner::new());
        let marks: Vec<_> = lexed.tokens.iter().map(|t| (t.after_break, t.after_blank)).collect();
        let (none, blank, both) = ((false, false), (false, true), (true, true));
        assert_eq!(marks, [both, blank, none, none, none, both, blank, both, none]);
    }
}
