//! Text to syntax tree: lexer, parser, and the printer that turns a tree back into canonical text.

pub mod ast;
mod lexer;
mod names;
mod parser;
pub mod printer;
pub mod symbol;
mod token;

use crate::diagnostic::Diagnostic;
use crate::source::FileId;

pub use names::Names;
pub use symbol::{Interner, Symbol};

/// How high trees of expressions and types may get where the stack is a main thread's of 8 MiB: parsing and checking
/// the highest ones took less than 4 MiB in a debug build.
pub const MAX_HEIGHT: u32 = 500;

/// What [`parse`] makes of one file.
#[derive(Debug)]
pub struct Parsed {
    /// Always a tree, with `Error` nodes where something was reported.
    pub file: ast::File,
    /// In the order of their places.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether something was refused only because its tree would be higher than allowed.
    pub too_high: bool,
}

/// Parses one file. `library` allows `intrinsic`.
pub fn parse(file: FileId, text: &str, interner: &mut Interner, library: bool) -> Parsed {
    let mut names = Names::new(interner);
    parse_with(file, text, interner, &mut names, library)
}

/// Parses one of several files that see one another's types and variants: `names` knows those of the files before it,
/// and gets those of this one.
pub fn parse_with(file: FileId, text: &str, interner: &mut Interner, names: &mut Names, library: bool) -> Parsed {
    parse_up_to(MAX_HEIGHT, file, text, interner, names, library)
}

/// The same with trees of this height; who recurses over them needs a stack for it.
pub fn parse_up_to(
    max_height: u32,
    file: FileId,
    text: &str,
    interner: &mut Interner,
    names: &mut Names,
    library: bool,
) -> Parsed {
    let lexed = lexer::lex(file, text, interner);
    names.collect(&lexed);
    let mut parser = parser::Parser::new(file, text, lexed, interner, names, library, max_height);
    let tree = parser.file();
    let too_high = parser.too_high;
    let mut diagnostics = parser.diagnostics;
    diagnostics.sort_by_key(|d| (d.span.start, d.span.end));
    Parsed { file: tree, diagnostics, too_high }
}
