//! What people write who come from other languages, and what to tell them.

use super::Parser;
use crate::diagnostic::Diagnostic;
use crate::syntax::symbol::Symbol;
use crate::syntax::token::{TokenKind, foreign_operator};

impl Parser<'_> {
    /// Advice for a token that no rule of the grammar expects.
    pub(super) fn habit_at_token(&self) -> Option<String> {
        let token = self.token();
        let behind_operand = self.at > 0
            && !token.after_break
            && matches!(
                self.tokens[self.at - 1].kind,
                TokenKind::Name | TokenKind::RightParen | TokenKind::RightBracket | TokenKind::Char | TokenKind::Int
            );
        Some(match token.kind {
            TokenKind::UnknownOperator => return foreign_operator(self.text_of(token)).map(String::from),
            TokenKind::Question if self.next().kind == TokenKind::Question => {
                "the value of an optional or another one is `x.or(y)`".into()
            }
            TokenKind::Question if self.next().kind == TokenKind::Dot => {
                "an optional is looked into with `choose`, or with `x.or(y)`".into()
            }
            TokenKind::Question => "a choice between two values is `if c: a else b`".into(),
            TokenKind::Bang => "`not x` negates".into(),
            TokenKind::In if behind_operand => {
                "whether a collection has an element is asked with `xs.contains(x)`".into()
            }
            TokenKind::BangEqual => "`<>` and `!=` compare".into(),
            TokenKind::Name => match self.text_of(token) {
                "then" => "write `if c: a else b`".into(),
                "do" => "write `while c: body`, or the body in braces".into(),
                "where" => "conditions on types are not part of the language".into(),
                _ => return None,
            },
            _ => return None,
        })
    }

    /// `then`, `do` behind a condition: words that other languages separate with.
    pub(super) fn foreign_separator(&self) -> bool {
        self.context.header && self.at(TokenKind::Name) && matches!(self.text_of(self.token()), "then" | "do")
    }

    /// `elif` and its spellings behind a body: reported, and to be read like `else if`. Goes to the word.
    pub(super) fn foreign_else_if(&mut self) -> bool {
        let mut at = self.at;
        while self.tokens[at].kind == TokenKind::Colon {
            at += 1;
        }
        let token = self.tokens[at];
        if token.kind != TokenKind::Name || !matches!(self.text_of(token), "elif" | "elsif" | "elseif") {
            return false;
        }
        let word = self.text_of(token);
        self.at = at;
        self.report(
            Diagnostic::error(self.span(), format!("`{word}` is written in two words")).help("write `else if`"),
        );
        true
    }

    /// A statement that begins with a word of another language; reported then.
    pub(super) fn foreign_statement(&mut self) -> bool {
        let (token, next) = (self.token(), self.next());
        let beside = !next.after_break;
        // `type(x)` and `data.x` are what they look like, and so is `type x` if the program has such a routine.
        if beside && !next.after_blank {
            return false;
        }
        let operand = matches!(next.kind, TokenKind::Name | TokenKind::Not | TokenKind::LeftParen | TokenKind::Bang);
        let word = self.text_of(token);
        let name = if next.kind == TokenKind::Name { self.text_of(next) } else { "name" };
        let (message, help) = match word {
            "def" | "fn" | "func" | "fun" | "sub" | "proc" if beside && next.kind == TokenKind::Name => (
                format!("`{word}` does not declare a routine"),
                format!("write `function {name}(a: int) returns int {{ … }}`, or `procedure` if it changes something"),
            ),
            "const" | "val" | "final" if beside && next.kind == TokenKind::Name => (
                format!("`{word}` does not declare a constant"),
                format!("write `let {name} = value`, or `define {name}: int 5` for one that all routines see"),
            ),
            "class" | "struct" | "record" | "type" | "interface" | "data" if beside && next.kind == TokenKind::Name => {
                (format!("`{word}` does not define a type"), format!("write `define {name}(x: int, y: int) {{ … }}`"))
            }
            "enum" | "variant" if beside && next.kind == TokenKind::Name => {
                (format!("`{word}` does not define a type"), format!("write `define {name} union(A: int, B)`"))
            }
            "import" | "from" | "include" | "using" | "require" if beside && next.kind == TokenKind::Name => {
                (format!("`{word}` does not load anything"), "the library is there without it".into())
            }
            "do" | "forever" if next.kind == TokenKind::LeftBrace => {
                (format!("`{word}` is not a loop"), "write `repeat { … }`, and leave it with `break`".into())
            }
            "switch" | "case" | "select" if beside && next.kind == TokenKind::Name => {
                (format!("`{word}` does not choose"), format!("write `match {name} {{ case 1: … else … }}`"))
            }
            "elif" | "elsif" | "elseif" if beside && operand => {
                (format!("`{word}` without its `if`"), "write `else if`".into())
            }
            "foreach" if beside && next.kind == TokenKind::Name => {
                ("`foreach` is not a loop".into(), format!("write `for {name} in collection: …`"))
            }
            "unless" | "until" if beside && next.kind == TokenKind::Name => {
                let word_for = if word == "unless" { "if" } else { "while" };
                (format!("there is no `{word}`"), format!("write `{word_for} not …: …`"))
            }
            _ => return false,
        };
        if self.declares(token.symbol()) {
            return false;
        }
        self.report(Diagnostic::error(self.span(), message).help(help));
        true
    }

    /// `{"a": 1}`, `{1, 2}`: a map or a set where a value is expected; reported then. A literal that a `:` or `,`
    /// follows would be lost in a block.
    pub(super) fn foreign_collection(&mut self) -> Option<super::Reported> {
        let open = self.token();
        let at = |behind: usize| self.tokens[(self.at + behind).min(self.tokens.len() - 1)];
        let first = at(1);
        let element = literal_type(first.kind)?;
        let entry = self.text_of(first);
        let (what, help) = match at(2).kind {
            TokenKind::Colon => {
                let (value, behind) = (at(3), at(4).kind);
                let whole = matches!(behind, TokenKind::Comma | TokenKind::RightBrace);
                let (ty, text) = match literal_type(value.kind).filter(|_| whole) {
                    Some(ty) => (ty, self.text_of(value)),
                    None => ("V", "…"),
                };
                let help =
                    format!("make a map, then fill it: `var m HashMap[{element}, {ty}]()`, `m.set({entry}, {text})`");
                ("map", help)
            }
            TokenKind::Comma => {
                ("set", format!("make a set, then fill it: `var s HashSet[{element}]()`, `s.add({entry})`"))
            }
            _ => return None,
        };
        let message = format!("`{{ … }}` is a block of statements, not a {what}");
        Some(self.report(Diagnostic::error(self.span_of(open), message).help(help)))
    }

    /// A run of operator characters that is no operator.
    pub(super) fn unknown_operator(&mut self) -> super::Reported {
        let text = self.text_of(self.token());
        let diagnostic = Diagnostic::error(self.span(), format!("`{text}` is not an operator"));
        let help = self.habit_at_token().unwrap_or_else(|| "a blank separates two operators".into());
        self.report(diagnostic.help(help))
    }

    /// Whether a routine, variable, parameter or type of this name is declared in the text.
    fn declares(&self, name: Symbol) -> bool {
        self.tokens.windows(3).any(|w| {
            let introduced = matches!(
                w[0].kind,
                TokenKind::Function | TokenKind::Procedure | TokenKind::Define | TokenKind::Let | TokenKind::Var
            );
            w[1].kind == TokenKind::Name
                && w[1].symbol() == name
                && (introduced
                    || matches!(w[0].kind, TokenKind::LeftParen | TokenKind::Comma) && w[2].kind == TokenKind::Colon)
        })
    }
}

/// The type of a literal by its first token.
fn literal_type(kind: TokenKind) -> Option<&'static str> {
    Some(match kind {
        TokenKind::Str => "String",
        TokenKind::Int => "int",
        TokenKind::Float => "f64",
        TokenKind::Char => "char",
        TokenKind::True | TokenKind::False => "bool",
        _ => return None,
    })
}
