//! Tests of checking: whole programs, the library, messages.

mod messages;
mod programs;

use super::{Checked, Library, Options, check};
use crate::source::{SourceFile, SourceMap};
use crate::syntax::{self, Interner, Names};

/// Checks a program; the texts of its messages, rendered.
fn checked(text: &str) -> (Checked, Vec<String>) {
    let mut sources = SourceMap::default();
    let mut interner = Interner::new();
    let mut names = Names::new(&mut interner);
    let library = Library::parse(crate::check::Extent::WHOLE, &mut sources, &mut interner, &mut names);
    assert!(library.diagnostics.is_empty(), "{:?}", library.diagnostics);
    let file = sources.add(SourceFile::new("test.scaly", text, false));
    let parsed = syntax::parse_with(file, text, &mut interner, &mut names, false);
    let mut rendered: Vec<String> = parsed.diagnostics.iter().map(|d| d.render(&sources, false)).collect();
    let checked = check(&sources, &library, &parsed.file, &mut interner, Options::default());
    rendered.extend(checked.diagnostics.iter().map(|d| d.render(&sources, false)));
    (checked, rendered)
}

/// What is said about a program: `line:column message: label | advice`.
fn said(text: &str) -> Vec<String> {
    let file = SourceFile::new("", text, false);
    let (checked, _) = checked(text);
    checked
        .diagnostics
        .iter()
        .map(|d| {
            let (line, column) = file.line_column(d.span.start);
            let label = if d.label.is_empty() { String::new() } else { format!(": {}", d.label) };
            let help: String = d.help.iter().map(|h| format!(" | {h}")).collect();
            format!("{line}:{column} {}{label}{help}", d.message)
        })
        .collect()
}
