//! The `scaly` command: arguments to actions, actions to an exit status.
//!
//! Exit status: what the program returns; 1 on an error in the program or its run; 2 on misuse of the command. Every
//! complaint is one message on standard error.

mod arguments;
mod help;
mod input;
mod native;
mod report;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use crate::check::ownership::Choice;
use crate::diagnostic::Severity;
use crate::engine::{self, Compiled, Options};
use crate::live::Live;
use arguments::{Action, Arguments, CommandOptions, Misuse};
pub(crate) use input::reason;

/// Runs the command with the arguments behind its name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match arguments::parse(arguments) {
        Ok(arguments) => act(arguments),
        Err(misuse) => misused(&misuse),
    }
}

fn misused(misuse: &Misuse) -> ExitCode {
    report::line(&format!("{misuse}"));
    if let Some(help) = misuse.help() {
        report::plain(&format!("  help: {help}"));
    }
    ExitCode::from(2)
}

fn act(arguments: Arguments) -> ExitCode {
    let Arguments { action, source, program_arguments, options } = arguments;
    let source = match (&action, source) {
        (Action::Help(topic), _) => return report::print(&help::text(*topic)),
        (Action::Version { verbose }, _) => return report::print(&help::version(*verbose)),
        (_, Some(source)) => source,
        (_, None) => return misused(&Misuse::NoProgram),
    };
    let program_arguments = match utf8(program_arguments) {
        Ok(arguments) => arguments,
        Err(misuse) => return misused(&misuse),
    };
    if let (input::Source::File(program), Some(log)) = (&source, &options.run.trace_log)
        && log.file.as_ref().is_some_and(|log| input::same(log, program))
    {
        return misused(&Misuse::Value { option: "--trace-log", problem: "that file is the program".into() });
    }
    let file = match input::load(&source) {
        Ok(file) => file,
        Err(error) => {
            report::line(&error.to_string());
            if let (input::Source::File(path), Some(next)) = (&source, program_arguments.first())
                && !path.exists()
                && Path::new(next).is_file()
            {
                report::plain(&format!("  help: write `scaly {next}`"));
            }
            return ExitCode::FAILURE;
        }
    };
    let color = report::color(options.color);
    let echo = matches!(source, input::Source::Text(_));
    let choice = if options.copies { Choice::Copies } else { Choice::Best };
    let compiled = match engine::compile(file, Options { echo, strict: options.strict, once: true, choice }) {
        Ok(compiled) => compiled,
        Err(failure) => {
            let mut diagnostics = failure.diagnostics;
            // A run says what keeps it from running, `check` what else might be better.
            if !matches!(action, Action::Check) {
                diagnostics.retain(|d| d.severity == Severity::Error);
            }
            return report::diagnostics(&failure.sources, &diagnostics, color);
        }
    };
    match action {
        Action::Check => {
            report::diagnostics(&compiled.sources, &compiled.warnings, color);
            ExitCode::SUCCESS
        }
        Action::Dump { all } => report::print(&engine::dump(&compiled, all)),
        Action::ExplainStatic => report::print(&crate::explain::static_report(&compiled)),
        Action::Run if options.live => live(&compiled, &source, program_arguments, &options, color),
        Action::Run | Action::Explain(_) => {
            let explain = if let Action::Explain(form) = action { Some(form) } else { None };
            let wanted = report::Wanted { stats: options.stats, explain, threads: options.run.threads };
            report::outcome(&compiled, engine::run(&compiled, program_arguments, &options.run), wanted, color)
        }
        Action::Oracle => report::oracle(&compiled, engine::oracle(&compiled, program_arguments, &options.run), color),
        Action::Help(_) | Action::Version { .. } => ExitCode::SUCCESS,
    }
}

/// Runs a program beside a page that shows it.
fn live(
    compiled: &Compiled,
    source: &input::Source,
    arguments: Vec<String>,
    options: &CommandOptions,
    color: bool,
) -> ExitCode {
    let live = match Live::start(source.to_string(), compiled) {
        Ok(live) => live,
        Err(error) => {
            report::line(&error.to_string());
            report::plain("  help: the program runs without --live");
            return ExitCode::FAILURE;
        }
    };
    report::plain(&format!("live: {}", live.url()));
    if !live.has_pictures() {
        report::plain("live: the program makes no Image, so the page shows how its loops run only");
    }
    let mut run = options.run.clone();
    run.watcher = Some(live.watcher());
    let result = engine::run(compiled, arguments, &run);
    let ended = result.as_ref().ok().map(|ran| ran.finished.ended.clone());
    let wanted = report::Wanted { stats: options.stats, explain: None, threads: run.threads };
    let status = report::outcome(compiled, result, wanted, color);
    live.end(ended.as_ref());
    status
}

/// The program's arguments are Scaly strings.
fn utf8(arguments: Vec<OsString>) -> Result<Vec<String>, Misuse> {
    arguments
        .into_iter()
        .map(|argument| {
            argument.into_string().map_err(|argument| {
                Misuse::Other(format!("the argument '{}' is not valid UTF-8", argument.to_string_lossy()))
            })
        })
        .collect()
}
