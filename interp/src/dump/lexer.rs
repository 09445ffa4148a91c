//! One line of a listing as tokens.

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Token {
    /// An identifier or keyword; slots, loops and the like are words too.
    Word(String),
    /// Digits with what may follow them in a number; the reader decides what kind it is.
    Number(String),
    /// Contents of `"…"`, escapes resolved.
    Quoted(String),
    /// `, : ( ) { } * + & @ -> ..`
    Mark(&'static str),
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Token::Word(text) | Token::Number(text) => write!(f, "`{text}`"),
            Token::Quoted(text) => write!(f, "{text:?}"),
            Token::Mark(mark) => write!(f, "`{mark}`"),
        }
    }
}

const MARKS: &[&str] = &["->", "..", ",", ":", "(", ")", "{", "}", "*", "+", "&", "@"];

pub(super) fn is_word(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_') && chars.all(|c| c.is_alphanumeric() || c == '_')
}

/// The tokens of a line up to its comment.
pub(super) fn tokens(line: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == ';' {
            break;
        }
        let length = if let Some(mark) = MARKS.iter().find(|m| rest.starts_with(**m)) {
            found.push(Token::Mark(mark));
            mark.len()
        } else if first == '"' {
            let (text, length) = quoted(rest)?;
            found.push(Token::Quoted(text));
            length
        } else if first.is_ascii_digit() || first == '-' {
            let length = number(rest);
            found.push(Token::Number(rest[..length].to_string()));
            length
        } else if first.is_alphabetic() || first == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            found.push(Token::Word(rest[..length].to_string()));
            length
        } else {
            return Err(format!("unexpected character `{first}`"));
        };
        rest = rest[length..].trim_start();
    }
    Ok(found)
}

/// Length of the number at the start of a text: `-12`, `0xff`, `1.5e-7`, `-inf`. Two points end it: `0..5`.
fn number(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut i = usize::from(bytes[0] == b'-');
    while let Some(&b) = bytes.get(i) {
        let exponent_sign = (b == b'-' || b == b'+') && matches!(bytes[i - 1], b'e') && !text.contains("0x");
        let point = b == b'.' && bytes.get(i + 1).is_some_and(u8::is_ascii_digit);
        if !(b.is_ascii_alphanumeric() || b == b'_' || point || i > 0 && exponent_sign) {
            break;
        }
        i += 1;
    }
    i
}

/// The text of a quoted string at the start of `text`, and how long it is with its quotes.
fn quoted(text: &str) -> Result<(String, usize), String> {
    let mut result = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((result, at + 1)),
            '\\' => {
                let escape = chars.next().map(|(_, c)| c);
                result.push(match escape {
                    Some('n') => '\n',
                    Some('r') => '\r',
                    Some('t') => '\t',
                    Some('0') => '\0',
                    Some(c @ ('"' | '\\' | '\'')) => c,
                    Some('u') => unicode(&mut chars).ok_or("bad `\\u{…}`")?,
                    _ => return Err("unknown escape in a quoted text".to_string()),
                });
            }
            c => result.push(c),
        }
    }
    Err("a quoted text does not end".to_string())
}

fn unicode(chars: &mut impl Iterator<Item = (usize, char)>) -> Option<char> {
    if chars.next()?.1 != '{' {
        return None;
    }
    let mut code = 0u32;
    loop {
        match chars.next()?.1 {
            '}' => return char::from_u32(code),
            digit => code = code.checked_mul(16)?.checked_add(digit.to_digit(16)?)?,
        }
    }
}
