//! Interned names: each different text is stored once and compared as a number.
//!
//! Names and the contents of string literals share one table; both outlive the source text this way, and a tree
//! that holds them needs no lifetime parameter.

use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use rustc_hash::FxBuildHasher;

use super::token::WORDS;

/// A text of an [`Interner`]; equal symbols are equal texts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(pub u32);

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sym{}", self.0)
    }
}

/// All texts that symbols stand for, [`WORDS`] first. One for a whole run: symbols of different interners don't compare.
///
/// The texts lie end to end in one string, and the table is an open-addressing one over indices: interning a
/// known name touches no allocator.
#[derive(Debug)]
pub struct Interner {
    /// All texts, one behind the other.
    texts: String,
    /// End of each text; it starts where the one before ends.
    ends: Vec<u32>,
    /// Power-of-two table of symbol + 1 and the hash, which says where to begin to look; 0 is free.
    table: Vec<(u32, u32)>,
}

impl Default for Interner {
    fn default() -> Self {
        Interner::new()
    }
}

impl Interner {
    pub fn new() -> Self {
        let mut interner = Interner { texts: String::new(), ends: Vec::new(), table: vec![(0, 0); 1024] };
        for word in WORDS {
            interner.intern(word);
        }
        interner
    }

    /// The symbol of `text`, a new one if it was never seen.
    pub fn intern(&mut self, text: &str) -> Symbol {
        let hash = hash(text);
        let at = match self.look_up(text, hash) {
            Ok(known) => return known,
            Err(free) => free,
        };
        let symbol = Symbol(self.ends.len() as u32);
        self.texts.push_str(text);
        self.ends.push(self.texts.len() as u32);
        self.table[at] = (symbol.0 + 1, hash);
        if self.ends.len() * 2 > self.table.len() {
            self.grow();
        }
        symbol
    }

    /// The symbol of `text` if it was interned before.
    pub fn find(&self, text: &str) -> Option<Symbol> {
        self.look_up(text, hash(text)).ok()
    }

    /// The symbol of a text, or where in the table it belongs.
    #[inline]
    fn look_up(&self, text: &str, hash: u32) -> Result<Symbol, usize> {
        let mask = self.table.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let (entry, known) = self.table[at];
            if entry == 0 {
                return Err(at);
            }
            let symbol = Symbol(entry - 1);
            if known == hash && self.texts.as_bytes()[self.range(symbol)] == *text.as_bytes() {
                return Ok(symbol);
            }
            at = (at + 1) & mask;
        }
    }

    fn range(&self, symbol: Symbol) -> Range<usize> {
        let index = symbol.0 as usize;
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        start..self.ends[index] as usize
    }

    pub fn text(&self, symbol: Symbol) -> &str {
        &self.texts[self.range(symbol)]
    }

    /// How many symbols there are; they are numbered from 0.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn grow(&mut self) {
        let size = self.table.len() * 2;
        let mask = size - 1;
        let mut table = vec![(0, 0); size];
        for &(entry, hash) in self.table.iter().filter(|slot| slot.0 != 0) {
            let mut at = hash as usize & mask;
            while table[at].0 != 0 {
                at = (at + 1) & mask;
            }
            table[at] = (entry, hash);
        }
        self.table = table;
    }
}

fn hash(text: &str) -> u32 {
    let mut hasher = FxBuildHasher.build_hasher();
    hasher.write(text.as_bytes());
    let hash = hasher.finish();
    (hash ^ (hash >> 32)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_symbol() {
        let mut interner = Interner::new();
        let names: Vec<String> = (0..5000).map(|i| format!("name{i}")).collect();
        let symbols: Vec<Symbol> = names.iter().map(|n| interner.intern(n)).collect();
        for (name, &symbol) in names.iter().zip(&symbols) {
            assert_eq!(interner.intern(name), symbol);
            assert_eq!(interner.find(name), Some(symbol));
            assert_eq!(interner.text(symbol), name);
        }
        assert_eq!(interner.find("other"), None);
        assert_eq!(interner.len(), WORDS.len() + 5000);
        let empty = interner.intern("");
        assert_eq!(interner.text(empty), "");
    }
}
