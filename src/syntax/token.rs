//! Tokens, and the words and signs that are more than names.

use super::ast::{BinaryOp, PrefixOp};
use super::symbol::Symbol;

/// One token: 16 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    pub start: u32,
    pub end: u32,
    /// Of words, strings and floats their [`Symbol`], of characters the code point, of integers the index in
    /// [`super::lexer::Lexed::ints`].
    pub payload: u32,
    pub kind: TokenKind,
    /// A line break before it that no `\` continued.
    pub after_break: bool,
    /// White space, a comment or the start of the file before it.
    pub after_blank: bool,
}

const _: () = assert!(size_of::<Token>() == 16);

impl Token {
    pub fn symbol(self) -> Symbol {
        Symbol(self.payload)
    }
}

macro_rules! tokens {
    (words { $($word:ident $text:literal),* $(,)? } signs { $($sign:ident $spelling:literal),* $(,)? }) => {
        /// What a token is. The words come first, in the order in which every interner holds them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum TokenKind {
            $($word,)*
            $($sign,)*
            /// A run of operator characters that is no operator.
            UnknownOperator,
            /// A name, quoted or not.
            Name,
            Int,
            Float,
            Str,
            Char,
            End,
        }

        use TokenKind::*;

        /// The words that are not names, in the order of their kinds; an interner is born with them.
        pub const WORDS: &[&str] = &[$($text),*];
        const WORD_KINDS: &[TokenKind] = &[$($word),*];

        impl TokenKind {
            /// How the token is spelled, or described where it has no one spelling.
            pub fn text(self) -> &'static str {
                match self {
                    $($word => $text,)*
                    $($sign => $spelling,)*
                    UnknownOperator => "operator",
                    Name => "name",
                    Int | Float => "number",
                    Str => "string",
                    Char => "character",
                    End => "end of the file",
                }
            }

            /// The operator of exactly this run of operator characters.
            pub fn operator(text: &str) -> TokenKind {
                match text {
                    $($spelling => $sign,)*
                    _ => UnknownOperator,
                }
            }
        }
    };
}

tokens! {
    words {
        Alignof "alignof", As "as", Break "break", Case "case", Choose "choose", Continue "continue",
        Define "define", Deinit "deinit", Delegate "delegate", Else "else", Extends "extends", Extern "extern",
        For "for", Function "function", If "if", Implement "implement", In "in", Init "init",
        Instruction "instruction", Intrinsic "intrinsic", Is "is", Label "label", Let "let", Loop "loop",
        Macro "macro", Match "match", Module "module", Mutable "mutable", Operator "operator", Package "package",
        Private "private", Procedure "procedure", Repeat "repeat", Return "return", Returns "returns", Set "set",
        Sizeof "sizeof", Throw "throw", Throws "throws", Trait "trait", Try "try", Union "union", Use "use",
        Var "var", When "when", While "while",
        // No keywords of the published grammar, but words that no name can be without quotes.
        And "and", Or "or", Xor "xor", Not "not", Div "div", Mod "mod", True "true", False "false", Null "null",
    }
    signs {
        LeftParen "(", RightParen ")", LeftBracket "[", RightBracket "]", LeftBrace "{", RightBrace "}",
        Comma ",", Colon ":", Dot ".", DotDot "..", DotDotEqual "..=", Question "?", Bang "!", Dollar "$", Hash "#",
        Backslash "\\",
        Plus "+", Minus "-", Star "*", Slash "/", Percent "%", Equal "=", EqualEqual "==", LessGreater "<>",
        BangEqual "!=", Less "<", Greater ">", LessEqual "<=", GreaterEqual ">=", ShiftLeft "<<", ShiftRight ">>",
        Amp "&", AmpAmp "&&", Pipe "|", PipePipe "||", Caret "^", Tilde "~",
        PlusEqual "+=", MinusEqual "-=", StarEqual "*=", SlashEqual "/=", PercentEqual "%=", AmpEqual "&=",
        PipeEqual "|=", CaretEqual "^=", ShiftLeftEqual "<<=", ShiftRightEqual ">>=",
    }
}

impl TokenKind {
    /// What the word of this symbol is.
    pub fn of_word(symbol: Symbol) -> TokenKind {
        WORD_KINDS.get(symbol.0 as usize).copied().unwrap_or(Name)
    }

    /// A word or quoted identifier.
    pub fn is_word(self) -> bool {
        self <= Null || self == Name
    }

    pub fn infix(self) -> Option<BinaryOp> {
        Some(match self {
            Star => BinaryOp::Multiply,
            Slash => BinaryOp::Divide,
            Percent => BinaryOp::Remainder,
            Div => BinaryOp::Div,
            Mod => BinaryOp::Mod,
            Plus => BinaryOp::Add,
            Minus => BinaryOp::Subtract,
            ShiftLeft => BinaryOp::ShiftLeft,
            ShiftRight => BinaryOp::ShiftRight,
            Less => BinaryOp::Less,
            Greater => BinaryOp::Greater,
            LessEqual => BinaryOp::LessEqual,
            GreaterEqual => BinaryOp::GreaterEqual,
            Equal | EqualEqual => BinaryOp::Equal,
            LessGreater | BangEqual => BinaryOp::NotEqual,
            Amp => BinaryOp::BitAnd,
            Caret | Xor => BinaryOp::BitXor,
            Pipe => BinaryOp::BitOr,
            AmpAmp | And => BinaryOp::And,
            PipePipe | Or => BinaryOp::Or,
            _ => return None,
        })
    }

    pub fn prefix(self) -> Option<PrefixOp> {
        Some(match self {
            Minus => PrefixOp::Minus,
            Plus => PrefixOp::Plus,
            Tilde => PrefixOp::Complement,
            Star => PrefixOp::Deref,
            Amp => PrefixOp::AddressOf,
            _ => return None,
        })
    }

    /// The operator of `+=` and its kin.
    pub fn compound(self) -> Option<BinaryOp> {
        Some(match self {
            PlusEqual => BinaryOp::Add,
            MinusEqual => BinaryOp::Subtract,
            StarEqual => BinaryOp::Multiply,
            SlashEqual => BinaryOp::Divide,
            PercentEqual => BinaryOp::Remainder,
            AmpEqual => BinaryOp::BitAnd,
            PipeEqual => BinaryOp::BitOr,
            CaretEqual => BinaryOp::BitXor,
            ShiftLeftEqual => BinaryOp::ShiftLeft,
            ShiftRightEqual => BinaryOp::ShiftRight,
            _ => return None,
        })
    }

    /// Begins a statement and nothing else: where a parser that lost its way goes on.
    pub fn begins_statement(self) -> bool {
        matches!(
            self,
            Let | Var
                | Mutable
                | Set
                | While
                | For
                | Repeat
                | Break
                | Continue
                | Return
                | Throw
                | Define
                | Function
                | Procedure
                | Operator
                | Private
                | Trait
                | Implement
                | Module
                | Package
                | Use
        )
    }
}

/// What to write instead of an operator that other languages have.
pub fn foreign_operator(text: &str) -> Option<&'static str> {
    Some(match text {
        "++" => "write `x += 1`",
        "--" => "write `x -= 1`",
        "**" => "a power is `pow(x, y)`",
        "===" => "equality is `=`",
        "=>" => "greater or equal is `>=`; a lambda is `\\x: e`",
        "=<" => "less or equal is `<=`",
        "->" => "a result's type is written `returns T`; a lambda is `\\x: e`; members are reached with `.`",
        "<-" => "an assignment is `set x: value`",
        "<=>" => "compare with `<`, `=` and `>`",
        ">>>" => "`>>` on an unsigned type shifts in zeros: `(x as u64) >> n`",
        "|>" => "write `f(x)`",
        "&&=" | "||=" => "write `set x: x and y`",
        "**=" => "write `set x: pow(x, y)`",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::Interner;

    #[test]
    fn interners_are_born_with_the_words() {
        let interner = Interner::new();
        for (i, word) in WORDS.iter().enumerate() {
            let symbol = interner.find(word).unwrap();
            assert_eq!(symbol.0 as usize, i);
            assert_eq!(TokenKind::of_word(symbol).text(), *word);
            assert!(TokenKind::of_word(symbol).is_word());
        }
        assert!(!LeftParen.is_word());
    }
}
