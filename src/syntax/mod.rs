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
pub use parser::MAX_HEIGHT;
pub use symbol::{Interner, Symbol};

/// What [`parse`] makes of one file.
#[derive(Debug)]
pub struct Parsed {
    /// Always a tree, with `Error` nodes where something was reported.
    pub file: ast::File,
    /// In the order of their places.
    pub diagnostics: Vec<Diagnostic>,
}

/// Parses one file. `library` allows `intrinsic`.
pub fn parse(file: FileId, text: &str, interner: &mut Interner, library: bool) -> Parsed {
    let mut names = Names::new(interner);
    parse_with(file, text, interner, &mut names, library)
}

/// Parses one of several files that see one another's types and variants: `names` knows those of the files before it,
/// and gets those of this one.
pub fn parse_with(file: FileId, text: &str, interner: &mut Interner, names: &mut Names, library: bool) -> Parsed {
    let lexed = lexer::lex(file, text, interner);
    names.collect(&lexed);
    let mut parser = parser::Parser::new(file, text, lexed, interner, names, library);
    let tree = parser.file();
    let mut diagnostics = parser.diagnostics;
    diagnostics.sort_by_key(|d| (d.span.start, d.span.end));
    Parsed { file: tree, diagnostics }
}
