//! Text that is almost a program: what a front end must refuse without losing its head.

use crate::choice::Choices;

const SNIPPETS: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ":",
    "\n",
    "\"",
    "`",
    "\\",
    ";*",
    "*;",
    ";",
    ",",
    ".",
    "..",
    "..=",
    "=",
    "==",
    "<>",
    "->",
    "^",
    "&",
    "#",
    "$",
    "!",
    "?",
    "é",
    "\u{0}",
    "\r",
    "\t",
    "0x",
    "1e",
    "9999999999999999999999",
    "1.",
    "1..",
    "-",
    "not ",
    "if ",
    "else ",
    "for ",
    "in ",
    "while ",
    "let ",
    "var ",
    "set ",
    "choose ",
    "when ",
    "match ",
    "case ",
    "define ",
    "union",
    "function ",
    "procedure ",
    "operator ",
    "returns ",
    "return ",
    "break ",
    "continue ",
    "loop ",
    "label ",
    "repeat ",
    "init",
    "deinit",
    "this",
    "null",
    "true",
    "is ",
    "as ",
    "int",
    "String",
    "Array[",
    "HashMap[",
    "Slice[int]",
    "Option",
    "Some",
    "None",
    "try ",
    "throw ",
    "throws ",
    "trait ",
    "implement ",
    "extern ",
    "pointer[",
    "ref[",
    "intrinsic",
    "module ",
    "use ",
    "package ",
    "\\u{110000}",
    "\\uD800",
    "\"\\u{",
    "i8",
    "f32",
    "char",
    "void",
    "_",
    "''",
    "'",
    "\u{FEFF}",
];

/// One to eight small changes to a text.
pub fn mutate(text: &str, choices: &mut Choices) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..1 + choices.below(8) {
        let at = choices.below(chars.len() + 1);
        let end = (at + 1 + choices.below(12)).min(chars.len());
        match choices.below(7) {
            0 => drop(chars.drain(at..end.max(at))),
            1 | 2 => drop(chars.splice(at..at, choices.pick(SNIPPETS).chars())),
            3 => {
                let part: Vec<char> = chars[at..end.max(at)].to_vec();
                let to = choices.below(chars.len() + 1);
                drop(chars.splice(to..to, part));
            }
            4 => {
                // A token in place of another.
                let word = |c: char| c.is_alphanumeric() || c == '_';
                let start = (0..at).rev().find(|&i| !word(chars[i])).map_or(0, |i| i + 1);
                let stop = (at..chars.len()).find(|&i| !word(chars[i])).unwrap_or(chars.len());
                drop(chars.splice(start..stop, choices.pick(SNIPPETS).chars()));
            }
            5 => {
                // A line elsewhere.
                let start = (0..at).rev().find(|&i| chars[i] == '\n').map_or(0, |i| i + 1);
                let stop = (at..chars.len()).find(|&i| chars[i] == '\n').unwrap_or(chars.len());
                let line: Vec<char> = chars.drain(start..stop).collect();
                let to = choices.below(chars.len() + 1);
                drop(chars.splice(to..to, line));
            }
            _ => {
                let depth = 1 + choices.below(300);
                let opening = *choices.pick(&["(", "[", "{", "-", "if ", "f(", "\\x: ", ";*", "not "]);
                drop(chars.splice(at..at, opening.repeat(depth).chars()));
            }
        }
        chars.truncate(100_000);
    }
    chars.into_iter().collect()
}
