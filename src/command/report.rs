//! Everything that the command itself writes: results on standard output, complaints on standard error.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use scaly_interp::interpreter::{Ended, RunError, RuntimeError, TraceLine};
use scaly_interp::oracle::{self, Obstacle};
use scaly_interp::program::{LoopId, Pc, Program, Variable};
use scaly_tracer::log::{Form, Report};

use super::arguments::Color;
use super::input;
use crate::diagnostic::{Diagnostic, Severity};
use crate::engine::{Compiled, Ran, Unrun};
use crate::explain::Explanation;
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

/// What is told of a run at its end.
#[derive(Clone, Copy)]
pub struct Wanted {
    pub stats: Option<Form>,
    /// What became of its loops.
    pub explain: Option<Form>,
    /// That a parallel loop was allowed, if that was said.
    pub threads: Option<usize>,
}

/// What a run came to: its status, or its error with place and calls; then what else is wanted.
pub fn outcome(compiled: &Compiled, result: Result<Ran, Unrun>, wanted: Wanted, color: bool) -> ExitCode {
    let Ran { finished, statistics } = match result {
        Ok(ran) => ran,
        Err(error) => return failed(&error),
    };
    let mut text = String::new();
    if let Some(statistics) = &statistics {
        let report = || Report::new(&compiled.program, &compiled.sources, statistics, &finished);
        match wanted.stats {
            Some(Form::Text) => text += &report().to_string(),
            Some(Form::Json) => text += &(report().json() + "\n"),
            None => {}
        }
        let explanation = || Explanation::new(compiled, statistics, &finished, wanted.threads);
        match wanted.explain {
            Some(Form::Text) => text += &explanation().to_string(),
            Some(Form::Json) => text += &(explanation().json() + "\n"),
            None => {}
        }
    }
    let status = ended(compiled, finished.ended, color);
    // Where standard error is closed, nobody is left to tell.
    let _ = io::stderr().write_all(text.as_bytes());
    status
}

fn ended(compiled: &Compiled, ended: Ended, color: bool) -> ExitCode {
    match ended {
        Ended::Status(status) => ExitCode::from(status as u8),
        Ended::Error(error) => {
            runtime_error(compiled, &error, color);
            ExitCode::FAILURE
        }
    }
}

fn failed(error: &dyn Error) -> ExitCode {
    line(&error.to_string());
    ExitCode::FAILURE
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

/// What the oracle saw, loop by loop in the order of the source, on standard error: the program has the output.
pub fn oracle(compiled: &Compiled, result: Result<oracle::Report, RunError>, color: bool) -> ExitCode {
    let report = match result {
        Ok(report) => report,
        Err(error) => return failed(&error),
    };
    let program = &compiled.program;
    let mut text = String::new();
    for (index, seen) in report.loops.iter().enumerate() {
        let id = LoopId(index as u32);
        let function = program.function(program.loops[index].function);
        if function.library || seen.runs == 0 {
            continue;
        }
        let place = compiled.sources.place(program.loops[index].span);
        text += &format!("{place}: {id}: {} in {}: ", count(seen.iterations, "iteration"), count(seen.runs, "run"));
        text += &match seen.obstacle(|_| false) {
            None if seen.longest < 2 => "never more than one iteration in a run\n".to_string(),
            None => "free\n".to_string(),
            Some(Obstacle::External(pc)) => format!("input or output at {}\n", at(compiled, pc)),
            Some(Obstacle::Conflict(conflict)) => {
                let what = match conflict.place {
                    oracle::Place::Slot(slot) => match variable(program, id, slot) {
                        Some(name) => format!("'{name}' is carried"),
                        None => "a value is carried".to_string(),
                    },
                    oracle::Place::Memory(_) => "iterations meet in memory".to_string(),
                };
                format!("{what} from {} to {}\n", at(compiled, conflict.earlier), at(compiled, conflict.later))
            }
        };
    }
    // Where standard error is closed, nobody is left to tell.
    let _ = io::stderr().write_all(text.as_bytes());
    ended(compiled, report.ended, color)
}

fn count(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// The line of an instruction.
fn at(compiled: &Compiled, pc: Pc) -> String {
    format!("line {}", compiled.sources.place(compiled.program.span(pc)).line)
}

/// The variable that lies in a slot of a loop's frame.
fn variable(program: &Program, id: LoopId, slot: u16) -> Option<&str> {
    let scope = &program.loops[id.0 as usize];
    let variables = &program.function(scope.function).variables;
    let holds =
        |v: &&Variable| v.slots.contains(&slot) && v.code.start < scope.code.end && scope.code.start < v.code.end;
    variables.iter().find(holds).map(|v| v.name.as_str())
}
