//! Where the library's declarations come from: today from its text, parsed when a program starts.
//!
//! Everything else in `check` sees the library only as the files of [`Library`], so that an image made at build time can
//! take their place.

use crate::diagnostic::Diagnostic;
use crate::source::{SourceFile, SourceMap};
use crate::syntax::{self, Interner, Names, ast};

macro_rules! texts {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../stdlib/", $name, ".scaly")))),*]
    };
}

/// Name and text of the library's files.
const TEXTS: &[(&str, &str)] = texts! {
    "arcs" "args" "array" "assert" "builder" "console" "exponential" "file" "format" "hash" "hashmap" "hashset"
    "image" "list" "numbers" "option" "random" "range" "roots" "slice" "string" "time" "trigonometry" "twofold"
    "vector"
};

/// The library's syntax trees.
#[derive(Debug, Default)]
pub struct Library {
    pub files: Vec<ast::File>,
    /// What the parser had to say: empty, or the library is broken.
    pub diagnostics: Vec<Diagnostic>,
}

impl Library {
    /// Parses the library and adds its texts to `sources`; `names` gets its types and variants.
    pub fn parse(sources: &mut SourceMap, interner: &mut Interner, names: &mut Names) -> Library {
        let mut library = Library::default();
        for (name, text) in TEXTS {
            let file = sources.add(SourceFile::new(format!("library/{name}.scaly"), *text, true));
            let parsed = syntax::parse_with(file, text, interner, names, true);
            library.files.push(parsed.file);
            library.diagnostics.extend(parsed.diagnostics);
        }
        library
    }
}
