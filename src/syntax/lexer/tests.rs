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
    for (text, value) in
        [("42", 42), ("1_000", 1000), ("0xFF", 255), ("0XfF_01", 0xff01), ("18446744073709551615", u64::MAX), ("0", 0)]
    {
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
    assert_eq!(kinds("a != b ^ c ^= d ! ?"), [Name, BangEqual, Name, Caret, Name, CaretEqual, Name, Bang, Question]);
}

#[test]
fn breaks_and_blanks_are_marks() {
    let lexed = lex(FileId(0), "a b[c]\nd \\\n e ;* \n *; f", &mut Interner::new());
    let marks: Vec<_> = lexed.tokens.iter().map(|t| (t.after_break, t.after_blank)).collect();
    let (none, blank, both) = ((false, false), (false, true), (true, true));
    assert_eq!(marks, [both, blank, none, none, none, both, blank, both, none]);
}
