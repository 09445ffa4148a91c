//! Everything that the command itself writes: results on standard output, complaints on standard error.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use super::arguments::Color;
use super::input;
use crate::diagnostic::{Diagnostic, Severity};
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
