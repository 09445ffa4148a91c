//! Whole programs: text, checked, analyzed.

use super::build::marks;
use crate::check::hir::{Body, Program};
use crate::check::ownership::analyze;
use crate::check::{Library, Options, check};
use crate::diagnostic::Severity;
use crate::source::{SourceFile, SourceMap};
use crate::syntax::{self, Interner, Names};

/// Checks and analyzes; the messages as `line:column: text`, or all of them rendered.
pub fn analyzed(text: &str, strict: bool, rendered: bool) -> (Option<Program>, Vec<String>) {
    let mut sources = SourceMap::default();
    let mut interner = Interner::new();
    let mut names = Names::new(&mut interner);
    let library = Library::parse(&mut sources, &mut interner, &mut names);
    let file = sources.add(SourceFile::new("test.scaly", text, false));
    let parsed = syntax::parse_with(file, text, &mut interner, &mut names, false);
    let checked = check(&sources, &library, &parsed.file, &mut interner, Options::default());
    let mut found = parsed.diagnostics;
    found.extend(checked.diagnostics);
    let mut program = checked.program;
    if let Some(program) = &mut program {
        found.extend(analyze(program, strict));
    }
    let text = |d: &crate::diagnostic::Diagnostic| {
        if rendered {
            return d.render(&sources, false);
        }
        let (line, column) = sources.file(d.span.file).line_column(d.span.start);
        format!("{line}:{column}: {}", d.message)
    };
    let messages = found.iter().filter(|d| strict || rendered || d.severity == Severity::Error).map(text).collect();
    (program, messages)
}

/// What the pass decided in the first routine of that name.
fn decided(text: &str, routine: &str) -> Vec<String> {
    let (program, messages) = analyzed(text, false, false);
    assert!(messages.is_empty(), "{messages:?}");
    let program = program.expect("no messages, so there is a program");
    let routine = program.routines.iter().find(|r| r.name == routine).expect("the routine is used");
    match &routine.body {
        Body::Code(body) => marks(body),
        Body::Intrinsic { .. } => Vec::new(),
    }
}

/// Everything that the tests and examples hold passes through without a panic; for looking at messages by eye.
#[test]
#[ignore = "prints what is found in the file that SCALY_FILE names"]
fn look() {
    let file = std::env::var("SCALY_FILE").expect("a file");
    let text = std::fs::read_to_string(&file).expect("readable");
    let (_, messages) = analyzed(&text, std::env::var("STRICT").is_ok(), true);
    for message in messages {
        println!("{message}");
    }
}
