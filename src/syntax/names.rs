//! The types and variants that a text defines, collected before it is parsed.
//!
//! `when x: V` binds a payload if `V` is a variant and `x` is not, and `define N a - 5` has the type `a` only if there
//! is one: the grammar asks what a name is before its definition was read. A pass over the `define`s of the token list
//! answers that well enough; it reports nothing, since the parser sees the same text after it.

use rustc_hash::FxHashSet;

use super::lexer::Lexed;
use super::symbol::{Interner, Symbol};
use super::token::{Token, TokenKind};

/// Names of types and variants, of one file or of several: those of modules and the library too, where a caller
/// collects them all with [`super::parse_with`].
#[derive(Clone, Debug)]
pub struct Names {
    types: FxHashSet<Symbol>,
    variants: FxHashSet<Symbol>,
}

impl Names {
    /// The types that are built in, and the library's variants.
    pub fn new(interner: &mut Interner) -> Self {
        let types = "bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char void String int uint size_t float double Option \
                     Array Vector Slice List HashMap HashSet Range ref pointer StringBuilder Random Image Pixel";
        Names {
            types: types.split_whitespace().map(|name| interner.intern(name)).collect(),
            variants: ["Some", "None"].into_iter().map(|name| interner.intern(name)).collect(),
        }
    }

    pub fn is_type(&self, name: Symbol) -> bool {
        self.types.contains(&name)
    }

    pub fn is_variant(&self, name: Symbol) -> bool {
        self.variants.contains(&name)
    }

    pub(super) fn collect(&mut self, lexed: &Lexed) {
        let tokens = &lexed.tokens;
        // What `define A B` makes of A depends on B, which may be defined further down.
        let mut undecided = Vec::new();
        for &define in &lexed.defines {
            let at = define as usize + 1;
            let name = tokens[at];
            if name.kind != TokenKind::Name {
                continue;
            }
            let mut at = after_generics(tokens, at + 1);
            while tokens[at].kind == TokenKind::Colon {
                at += 1;
            }
            match tokens[at].kind {
                TokenKind::Union => {
                    self.types.insert(name.symbol());
                    self.collect_variants(tokens, at + 1);
                }
                TokenKind::LeftBrace | TokenKind::Intrinsic | TokenKind::Function => {
                    self.types.insert(name.symbol());
                }
                TokenKind::LeftParen if begins_fields(tokens, at) => {
                    self.types.insert(name.symbol());
                }
                TokenKind::Name if tokens[at + 1].after_break || tokens[at + 1].kind != TokenKind::LeftParen => {
                    undecided.push((name.symbol(), tokens[at].symbol(), tokens[at + 1]));
                }
                _ => {}
            }
        }
        undecided.retain(|(_, _, next)| ends_alias(*next));
        loop {
            let before = undecided.len();
            undecided.retain(|&(name, target, _)| {
                let is_type = self.types.contains(&target);
                if is_type {
                    self.types.insert(name);
                }
                !is_type
            });
            if undecided.len() == before {
                return;
            }
        }
    }

    fn collect_variants(&mut self, tokens: &[Token], mut at: usize) {
        while tokens[at].kind == TokenKind::Colon {
            at += 1;
        }
        if tokens[at].kind != TokenKind::LeftParen {
            return;
        }
        let mut depth = 0;
        let mut item = false;
        loop {
            let token = tokens[at];
            match token.kind {
                TokenKind::LeftParen | TokenKind::LeftBracket | TokenKind::LeftBrace => {
                    depth += 1;
                    item = depth == 1;
                }
                TokenKind::RightParen | TokenKind::RightBracket | TokenKind::RightBrace => {
                    depth -= 1;
                    if depth == 0 {
                        return;
                    }
                }
                TokenKind::Comma => item = depth == 1,
                TokenKind::End => return,
                TokenKind::Name if depth == 1 && (item || token.after_break) => {
                    self.variants.insert(token.symbol());
                    item = false;
                }
                _ => item = false,
            }
            at += 1;
        }
    }
}

/// Where the token at `at` ends an alias: `define Num int`, `define Names Array[String]`.
fn ends_alias(token: Token) -> bool {
    token.after_break
        || matches!(
            token.kind,
            TokenKind::End | TokenKind::RightBrace | TokenKind::Colon | TokenKind::LeftBracket | TokenKind::Question
        )
}

fn after_generics(tokens: &[Token], mut at: usize) -> usize {
    if tokens[at].kind == TokenKind::LeftBracket && !tokens[at].after_blank {
        while !matches!(tokens[at].kind, TokenKind::RightBracket | TokenKind::End) {
            at += 1;
        }
        if tokens[at].kind == TokenKind::RightBracket {
            at += 1;
        }
    }
    at
}

/// Whether the `(` at `at` opens the fields of a definition and not an expression: `()`, `(x: …`, `(private …`.
pub(super) fn begins_fields(tokens: &[Token], at: usize) -> bool {
    match tokens[at + 1].kind {
        TokenKind::RightParen | TokenKind::Private | TokenKind::Var | TokenKind::Let | TokenKind::Mutable => true,
        // `(int x, …`, `P(int x)`: wrong, but meant so.
        TokenKind::Name if tokens[at + 2].kind == TokenKind::Name && !tokens[at + 2].after_break => {
            let one = tokens[at + 3].kind == TokenKind::RightParen && !tokens[at].after_blank;
            tokens[at + 3].kind == TokenKind::Comma || one
        }
        kind => kind.is_word() && tokens[at + 2].kind == TokenKind::Colon,
    }
}
