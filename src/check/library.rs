//! Where the library's declarations come from: its text, of which a start parses the files that a program can reach.
//!
//! Parsing all of it would take longer than the rest of a start (1,850 lines, 1.8 ms of 2.6); an image of its trees would
//! have to be read, node by node, at about the same cost. Almost every program mentions a few of its names only, so the
//! build makes a table of which names lead to which files (`build.rs`), and a start looks the program's words up in it.
//! To find too many files costs time. To miss one would be an error that is none, so a program with errors is checked
//! again with everything, which is also what near names are looked for in.
//!
//! Everything else in `check` sees the library only as the files of [`Library`].

use rustc_hash::FxHashMap;

use super::words::{Word, words};
use crate::diagnostic::Diagnostic;
use crate::source::{SourceFile, SourceMap};
use crate::syntax::{self, Interner, Names, ast};

mod tables {
    use super::Word;

    include!(concat!(env!("OUT_DIR"), "/library_tables.rs"));
}

/// Bytes of a text from which on to look at its words costs more than they can save: 26 instructions a byte against 5.5
/// million for all of the library.
const LONG: usize = 200 << 10;

/// How much of the library there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent(u64);

impl Extent {
    pub const WHOLE: Extent = Extent(u64::MAX >> (64 - tables::FILES.len()));

    /// What a program's text mentions, and all that this needs.
    pub fn of(text: &str) -> Extent {
        if text.len() >= LONG {
            return Extent::WHOLE;
        }
        let table: FxHashMap<&str, u64> = tables::NAMES.iter().copied().collect();
        let mut set = tables::ALWAYS;
        for word in words(text) {
            set |= match word {
                Word::Name(name) => table.get(name).copied().unwrap_or(0),
                sign => tables::SIGNS.iter().find(|(known, _)| *known == sign).map_or(0, |&(_, files)| files),
            };
            if set == Extent::WHOLE.0 {
                break;
            }
        }
        Extent(set)
    }
}

/// The library's syntax trees.
#[derive(Debug, Default)]
pub struct Library {
    pub files: Vec<ast::File>,
    /// What the parser had to say: empty, or the library is broken.
    pub diagnostics: Vec<Diagnostic>,
}

impl Library {
    /// Parses files of the library and adds their texts to `sources`; `names` gets their types and variants.
    pub fn parse(extent: Extent, sources: &mut SourceMap, interner: &mut Interner, names: &mut Names) -> Library {
        let mut library = Library::default();
        for (index, (name, text)) in tables::FILES.iter().enumerate() {
            if extent.0 >> index & 1 == 0 {
                continue;
            }
            let file = sources.add(SourceFile::new(format!("library/{name}.scaly"), *text, true));
            let parsed = syntax::parse_with(file, text, interner, names, true);
            library.files.push(parsed.file);
            library.diagnostics.extend(parsed.diagnostics);
        }
        library
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> Vec<&'static str> {
        let extent = Extent::of(text);
        let named = |(index, (name, _)): (usize, &(&'static str, &str))| (extent.0 >> index & 1 == 1).then_some(*name);
        tables::FILES.iter().enumerate().filter_map(named).collect()
    }

    #[test]
    fn a_number_needs_almost_nothing() {
        assert_eq!(files("1"), ["option"]);
        assert_eq!(files("print 1 + 2 ; sqrt"), ["option"]);
    }

    #[test]
    fn names_bring_what_they_need() {
        assert!(["hashmap", "array"].iter().all(|f| files("let m HashMap[int, int]()").contains(f)));
        assert!(files("print sin(1.0)").contains(&"trigonometry"));
        assert!(files("[1, 2].map(\\x: x)").contains(&"slice"));
        assert!(files("\"a b\".split()").contains(&"array"));
        assert!(files("1.0.is_nan()").contains(&"numbers"));
        assert!(!files("\"a\"").contains(&"hashmap"));
    }

    #[test]
    fn a_long_text_is_not_searched() {
        let text = |bytes: usize| format!("1;{}", " ".repeat(bytes - 2));
        assert_eq!(files(&text(LONG - 1)), ["option"]);
        assert_eq!(Extent::of(&text(LONG)), Extent::WHOLE);
    }
}
