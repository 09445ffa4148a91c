//! The words of a text, without parsing it: enough to tell what a program cannot mention.

/// A word, or a sign that makes a value of a library type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Word<'a> {
    Name(&'a str),
    /// `"`
    Text,
    /// A backtick.
    Char,
    /// `[` where no index can stand.
    Bracket,
    /// `..`
    Dots,
}

/// All words and signs, those in strings too: to find too many does no harm. Comments to the end of a line are left
/// out.
pub fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let start = at;
            let before = start.checked_sub(1).map(|i| bytes[i]);
            at += 1;
            match bytes[start] {
                b if b.is_ascii_alphabetic() || b == b'_' || b >= 0x80 => {
                    while at < bytes.len() && is_word(bytes[at]) {
                        at += 1;
                    }
                    // Both ends are next to bytes that are no part of a longer character.
                    return text.get(start..at).map(Word::Name);
                }
                b'"' => return Some(Word::Text),
                b'`' => return Some(Word::Char),
                b'[' if !before.is_some_and(|b| is_word(b) || matches!(b, b']' | b')' | b'\'')) => {
                    return Some(Word::Bracket);
                }
                b'.' if bytes.get(at) == Some(&b'.') => return Some(Word::Dots),
                b';' if bytes.get(at) != Some(&b'*') && before != Some(b'*') => {
                    while at < bytes.len() && bytes[at] != b'\n' {
                        at += 1;
                    }
                }
                _ => {}
            }
        }
        None
    })
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80
}
