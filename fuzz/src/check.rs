//! What must hold of every text and every program; one function a check.

use std::panic::{AssertUnwindSafe, catch_unwind};

use scaly::diagnostic::Diagnostic;
use scaly::source::{FileId, SourceFile, SourceMap};
use scaly::syntax::{self, Interner, printer};
use scaly_interp::dump::{self, Printer};
use scaly_interp::machine::Fault;
use scaly_interp::program::Program;
use scaly_interp::verify::verify;

use crate::program::{self, End};

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

pub fn refused(sources: &SourceMap, diagnostics: &[Diagnostic]) -> Verdict {
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

/// What a generated program must do, by whoever knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expected {
    pub output: String,
    pub fault: Option<Fault>,
}

/// The program compiles, verifies, reads back from its listing, and does what is expected, in every way to run it.
pub fn runs(text: &str, expected: &Expected) -> Verdict {
    let compiled = match program::compile("fuzz.scaly", text) {
        Ok(compiled) => compiled,
        Err(failure) => return refused(&failure.sources, &failure.diagnostics),
    };
    let image = &compiled.program;
    if let Err(error) = verify(image) {
        return Verdict::fail(format!("invalid image: {}", shape(&error.message)), error.to_string());
    }
    match reads_back(image) {
        Verdict::Pass => {}
        fail => return fail,
    }
    for (name, guard) in [("the result differs", false), ("the result differs with guarded regions", true)] {
        let run = match program::run(image, guard, &[], "") {
            Ok(run) => run,
            Err(error) => return Verdict::fail(format!("cannot run: {}", shape(&error)), error),
        };
        let output = String::from_utf8_lossy(&run.output);
        let (fault, message) = match &run.end {
            End::Status(_) => (None, String::new()),
            End::Error { fault, message, .. } => (Some(*fault), message.clone()),
        };
        if output != expected.output || fault.map(kind) != expected.fault.map(kind) {
            let kind = match (fault, expected.fault) {
                (Some(fault), None) => format!("{name}: {fault:?}"),
                (None, Some(_)) => format!("{name}: no error"),
                _ => name.to_string(),
            };
            return Verdict::fail(kind, difference(&expected.output, &output) + &message);
        }
    }
    Verdict::Pass
}

/// The library says some errors in words of its own.
fn kind(fault: Fault) -> Fault {
    match fault {
        Fault::KeyAbsent | Fault::StringCut | Fault::AssertionFailed => Fault::Message,
        fault => fault,
    }
}

pub fn difference(expected: &str, output: &str) -> String {
    let (mut wanted, mut got) = (expected.lines(), output.lines());
    for number in 1.. {
        match (wanted.next(), got.next()) {
            (None, None) => break,
            (a, b) if a == b => {}
            (a, b) => {
                return format!(
                    "line {number} of the output:\n  {}\nexpected:\n  {}\n",
                    b.unwrap_or("(nothing)"),
                    a.unwrap_or("(nothing)")
                );
            }
        }
    }
    "the same output\n".to_string()
}

/// A listing parses to the image that it was made of.
pub fn reads_back(image: &Program) -> Verdict {
    let text = Printer::new(image).spans(true).to_string();
    match dump::parse(&text) {
        Ok(again) if again == *image => Verdict::Pass,
        Ok(again) => {
            let twice = Printer::new(&again).spans(true).to_string();
            Verdict::fail("the listing reads back as another program", difference(&text, &twice))
        }
        Err(error) => Verdict::fail("the listing does not parse", error.to_string()),
    }
}

/// Whatever the text, the front end ends with an image that verifies or with diagnostics that can be shown.
pub fn survives_checking(text: &str) -> Verdict {
    match program::compile("fuzz.scaly", text) {
        Ok(compiled) => match verify(&compiled.program) {
            Ok(()) => Verdict::Pass,
            Err(error) => Verdict::fail(format!("invalid image: {}", shape(&error.message)), error.to_string()),
        },
        Err(failure) if failure.diagnostics.is_empty() => Verdict::fail("refused without a reason", ""),
        Err(failure) => {
            program::rendered(&failure.sources, &failure.diagnostics);
            Verdict::Pass
        }
    }
}
