//! Every rule of the grammar: texts, and the trees or messages that they must give.

mod definitions;
mod errors;
mod expressions;
mod sketch;
mod speed;
mod statements;

use std::path::Path;

use crate::diagnostic::Diagnostic;
use crate::source::{FileId, SourceFile, SourceMap};
use crate::syntax::{Interner, parse};

/// The tree of a text without errors, as [`sketch`] writes it.
fn tree(text: &str) -> String {
    let mut interner = Interner::new();
    let parsed = parse(FileId(0), text, &mut interner, true);
    assert!(parsed.diagnostics.is_empty(), "{text}\n{}", shown(text, &parsed.diagnostics));
    sketch::body(&parsed.file.body, &interner)
}

#[track_caller]
fn same(texts: &[&str], expected: &str) {
    for text in texts {
        assert_eq!(tree(text), expected, "{text}");
    }
}

fn diagnostics(text: &str) -> Vec<Diagnostic> {
    parse(FileId(0), text, &mut Interner::new(), false).diagnostics
}

fn shown(text: &str, diagnostics: &[Diagnostic]) -> String {
    let mut sources = SourceMap::default();
    sources.add(SourceFile::new("test.scaly", text, false));
    diagnostics.iter().map(|d| d.render(&sources, false)).collect()
}

/// Exactly these messages, each with what it marks: `message @ marked`.
#[track_caller]
fn wrong(text: &str, expected: &[&str]) {
    let found = diagnostics(text);
    let listed: Vec<String> = found
        .iter()
        .map(|d| format!("{} @ {}", d.message, &text[d.span.start as usize..d.span.end as usize]))
        .collect();
    assert_eq!(listed, expected, "\n{}", shown(text, &found));
}

/// One message, and a part of its advice.
#[track_caller]
fn advises(text: &str, message: &str, help: &str) {
    let found = diagnostics(text);
    assert_eq!(found.len(), 1, "{text}\n{}", shown(text, &found));
    assert_eq!(found[0].message, message, "{text}");
    assert!(found[0].help.iter().any(|h| h.contains(help)), "{text}: {:?}", found[0].help);
}

/// All programs of the repository that are meant to be right, and the library.
fn programs(folder: &Path, found: &mut Vec<(String, String)>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("errors") {
                programs(&path, found);
            }
        } else if path.extension().is_some_and(|e| e == "scaly") {
            let text = std::fs::read_to_string(&path).unwrap();
            // The header of a language test says so if errors are what it is about.
            if !text.lines().take_while(|line| line.starts_with(';')).any(|line| line.starts_with("; error:")) {
                found.push((path.display().to_string(), text));
            }
        }
    }
}

pub(in crate::syntax) fn all_programs() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["tests", "examples", "bench", "src"] {
        programs(&root.join(folder), &mut found);
    }
    // Those that are wrong on purpose say so in their first comment.
    let wrong = |text: &str| text.lines().take_while(|l| l.starts_with(';')).any(|l| l.starts_with("; error:"));
    found.retain(|(_, text)| !wrong(text));
    found.sort();
    found
}

#[test]
fn every_program_of_the_repository_parses() {
    let programs = all_programs();
    assert!(!programs.is_empty());
    let mut messages = String::new();
    for (path, text) in programs {
        let library = path.contains("stdlib");
        let parsed = parse(FileId(0), &text, &mut Interner::new(), library);
        if !parsed.diagnostics.is_empty() {
            messages += &format!("{path}\n{}", shown(&text, &parsed.diagnostics));
        }
    }
    assert!(messages.is_empty(), "{messages}");
}
