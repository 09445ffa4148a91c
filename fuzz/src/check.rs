//! What must hold of every text and every program; one function a check.

use std::panic::{AssertUnwindSafe, catch_unwind};

use scaly::diagnostic::Diagnostic;
use scaly::source::{FileId, SourceFile, SourceMap};
use scaly::syntax::{self, Interner, printer};

/// What a check found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    Pass,
    Fail(Failure),
}

/// A failure: what kind, the same for the same bug as far as one can tell, and the details.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    pub kind: String,
    pub detail: String,
}

impl Verdict {
    pub fn fail(kind: impl Into<String>, detail: impl Into<String>) -> Verdict {
        Verdict::Fail(Failure { kind: kind.into(), detail: detail.into() })
    }
}

/// Runs a check; a panic is a failure of its own.
pub fn guarded(check: impl FnOnce() -> Verdict) -> Verdict {
    match catch_unwind(AssertUnwindSafe(check)) {
        Ok(verdict) => verdict,
        Err(panic) => {
            let message = panic
                .downcast_ref::<&str>()
                .map(|s| s.to_string())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            Verdict::fail(format!("panic: {}", shape(&message)), message)
        }
    }
}

/// A message without what differs between two cases of one bug: numbers and quoted names.
pub fn shape(message: &str) -> String {
    let mut result = String::new();
    let mut quoted = false;
    for c in message.chars() {
        match c {
            '`' | '"' => quoted = !quoted,
            c if quoted || c.is_ascii_digit() => {}
            c => result.push(c),
        }
    }
    result.truncate(result.char_indices().nth(160).map_or(result.len(), |(i, _)| i));
    result.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn sources(text: &str) -> SourceMap {
    let mut sources = SourceMap::default();
    sources.add(SourceFile::new("fuzz.scaly", text, false));
    sources
}

fn refused(sources: &SourceMap, diagnostics: &[Diagnostic]) -> Verdict {
    let first = &diagnostics[0];
    let text: Vec<String> = diagnostics.iter().map(|d| d.render(sources, false)).collect();
    Verdict::fail(format!("refused: {}", shape(&first.message)), text.join("\n"))
}

/// The parser takes the text without a complaint, and what the printer makes of its tree has the same tree.
pub fn parses(text: &str) -> Verdict {
    let mut interner = Interner::new();
    let parsed = syntax::parse(FileId(0), text, &mut interner, false);
    if !parsed.diagnostics.is_empty() {
        return refused(&sources(text), &parsed.diagnostics);
    }
    let printed = printer::print(&parsed.file, &interner);
    let again = syntax::parse(FileId(0), &printed, &mut interner, false);
    if !again.diagnostics.is_empty() {
        let Verdict::Fail(failure) = refused(&sources(&printed), &again.diagnostics) else { return Verdict::Pass };
        return Verdict::fail("the printed tree does not parse", failure.detail);
    }
    let twice = printer::print(&again.file, &interner);
    if printed != twice {
        Verdict::fail("printing is not stable", format!("{printed}\n---\n{twice}"))
    } else {
        Verdict::Pass
    }
}

/// Whatever the text, the front end ends with a program or with diagnostics that can be shown.
pub fn survives(text: &str) -> Verdict {
    let mut interner = Interner::new();
    let parsed = syntax::parse(FileId(0), text, &mut interner, false);
    let sources = sources(text);
    for diagnostic in &parsed.diagnostics {
        let shown = diagnostic.render(&sources, true);
        if shown.is_empty() {
            return Verdict::fail("an empty diagnostic", diagnostic.message.clone());
        }
    }
    Verdict::Pass
}
