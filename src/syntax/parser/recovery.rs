//! How the parser goes on behind an error: to the next statement, or to the next element of a list.

use super::Parser;
use crate::syntax::token::TokenKind;

impl Parser<'_> {
    /// Skips to the next place where a statement can begin. `start` is where the wrong one began: something is always
    /// skipped, and brackets that it opened are skipped to their end. Only a `{` is trusted to have one: behind an open
    /// `(` a word that begins a statement ends the search too.
    pub(super) fn synchronize(&mut self, start: usize) {
        let mut open = self.open_since(start);
        loop {
            let token = self.token();
            let moved = self.at > start;
            match token.kind {
                TokenKind::End => return,
                TokenKind::RightBrace if open.braces == 0 && (moved || self.context_is_block()) => return,
                // These go on with the statement that was wrong.
                TokenKind::Else
                | TokenKind::When
                | TokenKind::Case
                | TokenKind::RightParen
                | TokenKind::RightBracket => {}
                kind if moved
                    && token.after_break
                    && (open.kinds.is_empty() || open.braces == 0 && kind.begins_statement()) =>
                {
                    return;
                }
                _ => {}
            }
            open.track(token.kind);
            self.bump();
        }
    }

    /// Whether a `}` here ends a block, and is not a stray one between top-level statements.
    fn context_is_block(&self) -> bool {
        self.nesting > 0
    }

    /// After an error in an element of a bracketed list that began at `start`: goes to the next `,` or break of this
    /// list, or to its end.
    pub(super) fn skip_item(&mut self, start: usize) {
        let mut open = self.open_since(start);
        loop {
            let kind = self.kind();
            if kind == TokenKind::End {
                return;
            }
            if open.kinds.is_empty() {
                let ends = matches!(
                    kind,
                    TokenKind::Comma
                        | TokenKind::RightParen
                        | TokenKind::RightBracket
                        | TokenKind::RightBrace
                        | TokenKind::LeftBrace
                );
                if ends || self.at > start && self.at_break() {
                    return;
                }
            } else if self.at_break() && kind.begins_statement() && open.braces == 0 {
                return;
            }
            open.track(kind);
            self.bump();
        }
    }

    fn open_since(&self, start: usize) -> Open {
        let mut open = Open::default();
        for token in &self.tokens[start..self.at] {
            open.track(token.kind);
        }
        open
    }
}

/// The brackets that are open at a token.
#[derive(Default)]
struct Open {
    kinds: Vec<TokenKind>,
    /// How many of them are `{`.
    braces: usize,
}

impl Open {
    fn track(&mut self, kind: TokenKind) {
        let opening = match kind {
            TokenKind::LeftParen | TokenKind::LeftBracket | TokenKind::LeftBrace => {
                self.kinds.push(kind);
                self.braces += usize::from(kind == TokenKind::LeftBrace);
                return;
            }
            TokenKind::RightParen => TokenKind::LeftParen,
            TokenKind::RightBracket => TokenKind::LeftBracket,
            TokenKind::RightBrace if self.braces > 0 => {
                // A `}` closes what was left open inside its braces too.
                while self.kinds.pop().is_some_and(|k| k != TokenKind::LeftBrace) {}
                self.braces -= 1;
                return;
            }
            _ => return,
        };
        if self.kinds.last() == Some(&opening) {
            self.kinds.pop();
        }
    }
}
