//! Numbers, strings and characters.

use super::{Lexer, is_name_part, is_name_start};
use crate::diagnostic::Diagnostic;
use crate::syntax::token::TokenKind;

impl Lexer<'_> {
    pub(super) fn number(&mut self) {
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

    pub(super) fn string(&mut self) {
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

    pub(super) fn character(&mut self) {
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
}
