//! `scaly explain`: what became of every loop of a run, on its source line, the hottest first, and of the recursive
//! functions that were compiled whole.
//!
//! Figures are those of the run: iterations are counted, the time of loops compiled whole is measured, and the rest of the
//! time is divided among the others by how often they were found running. What stands in a loop's way is judged afresh
//! from its bytecode, since the run itself stops at the first reason.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use scaly_interp::interpreter::Finished;
use scaly_interp::program::LoopId;
use scaly_tracer::explain::{Judge, LoopReport};
use scaly_tracer::log::{self, Abort, At, HotLoop, Report, Statistics, Variant};
use scaly_tracer::parameters::Parameters;
use serde::Serialize;

use super::functions::ExplainedFunction;
use super::place;
use crate::engine::Compiled;

/// Version of the JSON document.
pub const SCHEMA: u32 = 1;

/// Loops that are shown in words.
const SHOWN: usize = 20;

/// Looks at the running program that are enough for a share of the time: its standard error is 16 points at most then.
const SAMPLES: u64 = 10;

/// Percent of the time from which a loop of the library is shown.
const LIBRARY: f64 = 1.0;

/// What became of a run's loops. The types below are the schema of the JSON document; `docs/explain.md` describes it.
#[derive(Clone, Serialize, Debug)]
pub struct Explanation<'a> {
    pub v: u32,
    pub event: &'static str,
    /// Of the run, where the time was measured.
    pub seconds: Option<f64>,
    /// Those that ran, the hottest first.
    pub loops: Vec<Explained<'a>>,
    /// Recursive functions that were compiled whole.
    pub functions: Vec<ExplainedFunction<'a>>,
    #[serde(skip)]
    compiled: &'a Compiled,
}

#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct Explained<'a> {
    #[serde(flatten)]
    pub at: At<'a>,
    /// As `scaly dump` numbers it.
    pub id: u32,
    pub source: &'a str,
    pub tier: Tier,
    /// The line of a loop around it, in the same routine, that ran in a higher tier: this one is a part of its code there.
    pub part_of: Option<u32>,
    pub iterations: u64,
    /// Passes of its header from which it ran as compiled whole, and those of them on all cores.
    pub entries: u64,
    pub parallel_entries: u64,
    /// Starts at which a check did not hold, so that they ran on one core.
    pub failed_checks: u64,
    /// Those of them at which it was left to loops inside, and not entered.
    pub left_inside: u64,
    pub time: Option<Time>,
    /// All of its paths could be followed.
    pub closed: bool,
    pub independent: bool,
    /// What is checked when it starts.
    pub checks: Vec<String>,
    /// Variables that gather something, and what is kept of others.
    pub reductions: Vec<String>,
    /// Why it did not get further.
    pub because: Vec<Because<'a>>,
}

/// The best that a loop has run in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Debug)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    Interpreted,
    Traces,
    Whole,
    Parallel,
}

/// What a loop took. Of one that was compiled whole that of all that it contains, of others their own.
#[derive(Clone, Copy, PartialEq, Serialize, Debug)]
pub struct Time {
    pub seconds: f64,
    /// Percent of the run.
    pub share: f64,
    /// Not estimated from samples.
    pub measured: bool,
}

/// A reason, its line, and what to change.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct Because<'a> {
    /// What it keeps the loop from: [`Tier`]s.
    pub not: Tier,
    pub reason: String,
    pub help: Option<String>,
    #[serde(flatten)]
    pub at: Option<At<'a>>,
}

impl Tier {
    /// The least first.
    pub const ALL: [Tier; 4] = [Tier::Interpreted, Tier::Traces, Tier::Whole, Tier::Parallel];

    fn of(each: &HotLoop<'_>) -> Tier {
        let whole = each.region.is_some() && !each.refused.iter().any(|r| r.what == Variant::Sequential.name());
        match each.standing {
            _ if each.runs.parallel > 0 => Tier::Parallel,
            _ if whole => Tier::Whole,
            "native" => Tier::Traces,
            _ if each.iterations.native > 0 => Tier::Traces,
            _ => Tier::Interpreted,
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Tier::Interpreted => "interpreted",
            Tier::Traces => "native traces",
            Tier::Whole => "compiled whole, on one core",
            Tier::Parallel => "on all cores",
        }
    }

    /// Behind a number of loops.
    fn plural(self) -> &'static str {
        if self == Tier::Whole { "compiled whole" } else { self.words() }
    }
}

impl<'a> Explanation<'a> {
    /// `threads`: how many a parallel loop was allowed, if that was said.
    pub fn new(
        compiled: &'a Compiled,
        statistics: &Statistics,
        finished: &Finished,
        threads: Option<usize>,
    ) -> Explanation<'a> {
        let report = Report::new(&compiled.program, &compiled.sources, statistics, finished);
        let seconds = report
            .spent
            .map(|spent| spent.interpreter_s + spent.native_s + spent.recording_s + spent.compiler_s + spent.region_s);
        let mut judge = Judge::new(&compiled.program, Parameters::default());
        let whole: u64 = report.hottest.iter().map(|each| each.runs.nanoseconds).sum();
        let samples: u64 = report.hottest.iter().map(|each| each.samples).sum();
        let clock = seconds.map(|seconds| Clock { seconds, others: (seconds - whole as f64 / 1e9).max(0.0), samples });
        let mut loops: Vec<Explained<'a>> =
            report.hottest.iter().map(|each| explain(compiled, &mut judge, each, clock)).collect();
        let tiers: BTreeMap<u32, Tier> = loops.iter().map(|each| (each.id, each.tier)).collect();
        for each in &mut loops {
            each.part_of = around(compiled, &tiers, each);
            each.stays(threads);
        }
        // As they stand, those of most iterations come first.
        let time = |each: &Explained<'_>| each.time.map_or(0.0, |time| time.seconds);
        loops.sort_by(|a, b| time(b).total_cmp(&time(a)));
        let functions = report.whole.iter().map(|each| ExplainedFunction::new(each, threads)).collect();
        Explanation { v: SCHEMA, event: "explanation", seconds, loops, functions, compiled }
    }

    /// One line.
    pub fn json(&self) -> String {
        // Serializing plain data with keys of text does not fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn explain<'a>(
    compiled: &'a Compiled,
    judge: &mut Judge<'_>,
    each: &HotLoop<'a>,
    clock: Option<Clock>,
) -> Explained<'a> {
    let id = each.place.id.unwrap_or_default();
    let verdict = judge.report(LoopId(id));
    let independent = verdict.verdict.is_independent();
    let tier = Tier::of(each);
    let notes = verdict.notes(&compiled.program);
    let gathered = notes.iter().filter(|_| independent).skip(verdict.checks.len());
    Explained {
        at: each.place.at,
        id,
        source: each.source,
        tier,
        iterations: each.iterations.interpreted + each.iterations.native,
        entries: each.runs.entries,
        parallel_entries: each.runs.parallel,
        failed_checks: each.runs.failed_checks,
        left_inside: each.runs.left,
        time: clock.and_then(|clock| clock.time(each)),
        part_of: None,
        closed: verdict.shape.is_ok(),
        independent,
        reductions: gathered.map(|note| note.text.clone()).collect(),
        because: because(compiled, each, &verdict, tier),
        checks: verdict.checks,
    }
}

impl Explained<'_> {
    /// Why it ran on one core only, where nothing else says so.
    fn stays(&mut self, threads: Option<usize>) {
        if !self.independent || self.failed_checks > 0 || !self.because.is_empty() {
            return;
        }
        if self.tier == Tier::Traces && self.part_of.is_some() {
            return;
        }
        if self.tier == Tier::Traces {
            let reason = "it took too little time so far for that to pay".into();
            return self.because.push(Because { not: Tier::Whole, reason, help: None, at: None });
        }
        if self.tier != Tier::Whole {
            return;
        }
        let (reason, help) = match threads {
            Some(1) => ("one thread was asked for", Some("leave --threads out, or raise it".into())),
            _ => ("its runs were too short for several cores", None),
        };
        self.because.push(Because { not: Tier::Parallel, reason: reason.into(), help, at: None });
    }
}

/// The time of a run.
#[derive(Clone, Copy)]
struct Clock {
    seconds: f64,
    /// Outside of loops compiled whole.
    others: f64,
    /// Looks at the program then.
    samples: u64,
}

impl Clock {
    fn time(self, each: &HotLoop<'_>) -> Option<Time> {
        let sampled = if self.samples >= SAMPLES { each.samples } else { 0 };
        let seconds = each.runs.nanoseconds as f64 / 1e9 + self.others * sampled as f64 / self.samples.max(1) as f64;
        let share = (seconds / self.seconds * 100.0).min(100.0);
        (seconds > 0.0).then_some(Time { seconds, share, measured: sampled == 0 })
    }
}

fn around(compiled: &Compiled, tiers: &BTreeMap<u32, Tier>, each: &Explained<'_>) -> Option<u32> {
    let loops = &compiled.program.loops;
    let mut outer = loops[each.id as usize].parent;
    while let Some(id) = outer {
        let scope = &loops[id.0 as usize];
        if tiers.get(&id.0).is_some_and(|&tier| tier >= Tier::Whole && tier > each.tier) {
            return Some(compiled.sources.place(scope.span).line);
        }
        outer = scope.parent;
    }
    None
}

fn because<'a>(compiled: &'a Compiled, each: &HotLoop<'a>, verdict: &LoopReport, tier: Tier) -> Vec<Because<'a>> {
    let mut all = Vec::new();
    if let (Tier::Interpreted, Some(name)) = (tier, each.reason)
        && let Some(abort) = Abort::ALL.iter().find(|abort| abort.name() == name)
    {
        let (reason, help) = (abort.text().to_string(), abort.help().map(String::from));
        all.push(Because { not: Tier::Traces, reason, help, at: None });
    }
    if tier < Tier::Whole {
        all.extend(
            each.refused.iter().filter(|r| r.what == Variant::Sequential.name()).map(|r| refused(r, Tier::Whole)),
        );
    }
    if tier == Tier::Parallel {
        return all;
    }
    if verdict.verdict.is_independent() {
        all.extend(
            each.refused.iter().filter(|r| r.what == Variant::Parallel.name()).map(|r| refused(r, Tier::Parallel)),
        );
        return all;
    }
    for note in verdict.notes(&compiled.program) {
        let at = note.span.and_then(|span| {
            let file = compiled.sources.get(span.file)?;
            Some(At { file: &file.name, line: file.line_column(span.start).0, function: "" })
        });
        all.push(Because { not: Tier::Parallel, reason: note.text, help: note.help, at });
    }
    all
}

pub(super) fn refused<'a>(why: &log::Unscaled<'a>, not: Tier) -> Because<'a> {
    Because { not, reason: why.reason.clone(), help: why.help.clone(), at: Some(why.at) }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.loops.is_empty() && self.functions.is_empty() {
            return writeln!(f, "no loop has run");
        }
        match self.seconds {
            Some(seconds) => writeln!(f, "a run of {seconds:.3} s; its loops, the hottest first")?,
            None => writeln!(f, "the loops of the run, those of most iterations first")?,
        }
        let own = |each: &&Explained<'_>| !self.library(each);
        let shown = |each: &&Explained<'_>| own(each) || each.time.is_some_and(|time| time.share >= LIBRARY);
        self.loops.iter().filter(shown).take(SHOWN).try_for_each(|each| self.one(f, each))?;
        self.functions.iter().try_for_each(|each| each.write(f, self.compiled))?;
        let hidden = self.loops.iter().filter(own).count().saturating_sub(SHOWN);
        if hidden > 0 {
            writeln!(f, "\n… and {hidden} more")?;
        }
        let mut tiers: BTreeMap<Tier, usize> = BTreeMap::new();
        self.loops.iter().for_each(|each| *tiers.entry(each.tier).or_default() += 1);
        let tiers: Vec<String> = tiers.iter().rev().map(|(tier, n)| format!("{n} {}", tier.plural())).collect();
        writeln!(f, "\n{}: {}", counted(self.loops.len() as u64, "loop"), tiers.join(", "))
    }
}

impl Explanation<'_> {
    /// Whether a loop is none that the programmer wrote.
    fn library(&self, each: &Explained<'_>) -> bool {
        let span = self.compiled.program.loops[each.id as usize].span;
        each.source.is_empty() || self.compiled.sources.file(span.file).library
    }

    fn one(&self, f: &mut fmt::Formatter<'_>, each: &Explained<'_>) -> fmt::Result {
        let (program, sources) = (&self.compiled.program, &self.compiled.sources);
        let span = program.loops[each.id as usize].span;
        let file = sources.file(span.file);
        let text = file.line_text(each.at.line).trim_end();
        if each.source.is_empty() {
            writeln!(f, "\n      | (generated) {}", each.at.function)?;
        } else if file.library {
            writeln!(f, "\n{}:{} | {}", each.at.file, each.at.line, text.trim_start())?;
        } else {
            writeln!(f, "\n{:5} | {text}", each.at.line)?;
        }
        let mut line = format!("{}: {}", each.tier.words(), counted(each.iterations, "iteration"));
        if let Some(Time { seconds, share, measured }) = each.time {
            let about = if measured { "" } else { "about " };
            let _ = write!(line, ", {about}{share:.0} % of the time, {seconds:.3} s");
        }
        if each.parallel_entries > 0 && each.parallel_entries < each.entries {
            let _ = write!(line, " ({} of {} runs divided)", grouped(each.parallel_entries), grouped(each.entries));
        }
        writeln!(f, "      = {line}")?;
        if let Some(outer) = each.part_of {
            writeln!(f, "        and the rest as a part of the loop in line {outer}")?;
            // What keeps it from more by itself, in short: it is seldom what to change.
            return each.because.first().map_or(Ok(()), |first| self.reason(f, each, first));
        }
        if each.independent {
            let word = if each.tier == Tier::Parallel { "" } else { "independent; " };
            match each.checks.as_slice() {
                [] if word.is_empty() => {}
                [] => writeln!(f, "        its iterations are independent")?,
                checks => {
                    checks.iter().try_for_each(|check| writeln!(f, "        {word}checked when it starts: {check}"))?
                }
            }
        }
        each.reductions.iter().try_for_each(|text| writeln!(f, "        {text}"))?;
        if each.failed_checks > 0 {
            let (times, starts) = (grouped(each.failed_checks), grouped(each.entries + each.left_inside));
            let then = match each.left_inside {
                0 => "they ran on one core".into(),
                left if left == each.failed_checks => "they were left to loops inside".into(),
                left => format!("{} were left to loops inside, the others ran on one core", grouped(left)),
            };
            writeln!(f, "        a check did not hold at {times} of {starts} starts; {then}")?;
        }
        for because in &each.because {
            self.reason(f, each, because)?;
            if let Some(help) = &because.help {
                writeln!(f, "        help: {help}")?;
            }
        }
        Ok(())
    }

    fn reason(&self, f: &mut fmt::Formatter<'_>, each: &Explained<'_>, because: &Because<'_>) -> fmt::Result {
        let what = match because.not {
            Tier::Parallel if each.independent => "not on all cores: ",
            Tier::Parallel => "serial: ",
            Tier::Whole => "not compiled whole: ",
            _ => "no native code: ",
        };
        let file = self.compiled.sources.file(self.compiled.program.loops[each.id as usize].span.file);
        let elsewhere = |at: &&At<'_>| (at.file, at.line) != (each.at.file, each.at.line);
        let place = because.at.as_ref().filter(elsewhere).map_or(String::new(), |at| place(file, at));
        writeln!(f, "        {what}{place}{}", because.reason)
    }
}

fn counted(n: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(n), if n == 1 { "" } else { "s" })
}

/// With a comma every three digits.
fn grouped(n: u64) -> String {
    if n < 1000 { n.to_string() } else { format!("{},{:03}", grouped(n / 1000), n % 1000) }
}
