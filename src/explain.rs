//! `scaly explain`: what became of every loop of a run, and with `--static` what is known of it before, on its source
//! lines.

mod functions;
mod run;

use std::collections::BTreeMap;
use std::fmt::Write;

use scaly_interp::program::Program;
use scaly_interp::source::{SourceFile, SourceMap, Span};
use scaly_tracer::explain::{LoopReport, judge_where};
use scaly_tracer::log::At;

use crate::engine::Compiled;
pub use functions::ExplainedFunction;
pub use run::{Because, Explained, Explanation, Tier, Time};

/// The loops of the program's own routines in the order of the source, each under its first line; the library's are
/// part of those that call them.
pub fn static_report(compiled: &Compiled) -> String {
    let (program, sources) = (&*compiled.program, &compiled.sources);
    let reports = judge_where(program, |id| !program.function(id).library);
    if reports.is_empty() {
        return "there is no loop in this program\n".to_string();
    }
    let mut text = String::new();
    let mut shared: BTreeMap<Span, u32> = BTreeMap::new();
    for report in &reports {
        *shared.entry(report.span).or_default() += 1;
    }
    let mut file = None;
    for report in &reports {
        if file != Some(report.span.file) {
            file = Some(report.span.file);
            let _ = writeln!(text, "{}", sources.file(report.span.file).name);
        }
        // One loop of the source may be several of the program: in instances of a generic routine.
        let several = shared.get(&report.span).is_some_and(|&count| count > 1);
        one(&mut text, report, program, sources, several);
    }
    let closed = reports.iter().filter(|r| r.shape.is_ok()).count();
    let free = reports.iter().filter(|r| r.verdict.is_independent()).count();
    let _ = writeln!(text, "\n{} loops: {closed} closed, {free} independent", reports.len());
    text
}

fn one(text: &mut String, report: &LoopReport, program: &Program, sources: &SourceMap, several: bool) {
    let line = |span: Span| sources.place(span).line;
    let first = line(report.span);
    let _ = writeln!(text, "\n{first:5} | {}", sources.file(report.span.file).line_text(first).trim_end());
    let within = if several { format!(" (in {})", program.function(report.function).name) } else { String::new() };
    let _ = writeln!(text, "      = {}{within}", report.headline());
    for note in report.notes(program) {
        let place = match note.span {
            Some(span) if span.file == report.span.file && line(span) == first => String::new(),
            Some(span) => {
                let file = sources.file(span.file);
                let at = At { file: &file.name, line: line(span), function: "" };
                place(sources.file(report.span.file), &at)
            }
            None => String::new(),
        };
        let _ = writeln!(text, "        {place}{}", note.text);
        if let Some(help) = note.help {
            let _ = writeln!(text, "        help: {help}");
        }
    }
}

/// A line of the same file by its number and text, of another one by its name too.
fn place(near: &SourceFile, at: &At<'_>) -> String {
    if at.file == near.name {
        format!("line {} `{}`: ", at.line, near.line_text(at.line).trim())
    } else {
        format!("{}:{}: ", at.file, at.line)
    }
}
