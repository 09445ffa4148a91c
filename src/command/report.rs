//! Everything that the command itself writes: results on standard output, complaints on standard error.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use scaly_interp::interpreter::{Ended, Finished, RunError, RuntimeError, TraceLine};

use super::arguments::Color;
use super::input;
use crate::diagnostic::{Diagnostic, Severity};
use crate::engine::Compiled;
use crate::source::SourceMap;

/// One complaint of the command's own.
pub fn line(message: &str) {
    plain(&format!("scaly: {message}"));
}

/// A line on standard error. Where that is closed, nobody is left to tell.
pub fn plain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints a result. A closed pipe ends quietly: whoever read has seen enough.
pub fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            line(&format!("cannot write to standard output: {}", input::reason(&error)));
            ExitCode::FAILURE
        }
    }
}

pub fn color(choice: Color) -> bool {
    match choice {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
    }
}

/// Prints diagnostics with their source lines, then how many errors there were.
pub fn diagnostics(sources: &SourceMap, diagnostics: &[Diagnostic], color: bool) -> ExitCode {
    for diagnostic in diagnostics {
        let _ = io::stderr().write_all(diagnostic.render(sources, color).as_bytes());
    }
    let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    if errors > 1 {
        line(&format!("{errors} errors"));
    }
    if errors > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// What a run came to: its status, or its error with place and calls.
pub fn outcome(compiled: &Compiled, result: Result<Finished, RunError>, color: bool) -> ExitCode {
    match result {
        Ok(Finished { ended: Ended::Status(status), .. }) => ExitCode::from(status as u8),
        Ok(Finished { ended: Ended::Error(error), .. }) => {
            runtime_error(compiled, &error, color);
            ExitCode::FAILURE
        }
        Err(error) => {
            line(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn runtime_error(compiled: &Compiled, error: &RuntimeError, color: bool) {
    let Some(span) = error.span else {
        plain(&format!("error: {}", error.message));
        return;
    };
    let mut text = Diagnostic::error(span, &error.message).render(&compiled.sources, color);
    for call in &error.trace {
        match call {
            TraceLine::Call { name, span, .. } => {
                text += &format!("  called in {name} at {}\n", compiled.sources.place(*span));
            }
            TraceLine::Skipped(count) => text += &format!("  … {count} more calls …\n"),
        }
    }
    // Where standard error is closed, nobody is left to tell.
    let _ = io::stderr().write_all(text.as_bytes());
}
