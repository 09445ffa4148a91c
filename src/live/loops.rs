//! The loops of a running program: how far each has come, since when, and what keeps it from going further.

use std::collections::BTreeMap;
use std::sync::Arc;

use scaly_interp::program::{LoopId, Program};
use scaly_interp::source::{SourceFile, SourceMap, Span};
use scaly_tracer::explain::Judge;
use scaly_tracer::log::{Start, Statistics, Variant};
use scaly_tracer::now::Doing;
use scaly_tracer::parameters::Parameters;
use serde::Serialize;

use crate::explain::Tier;

/// Loops that are shown: as many as a page has room for beside the picture.
const SHOWN: usize = 8;

pub struct Loops {
    program: Arc<Program>,
    sources: Arc<SourceMap>,
    /// Those that ran, as far as anybody has noticed.
    rows: BTreeMap<LoopId, Row>,
}

struct Row {
    tier: Tier,
    /// Seconds from the program's start until it got there.
    since: f64,
    /// Seconds in which it was found to be running.
    seconds: f64,
    judged: Option<Judged>,
}

/// What is known without a run.
struct Judged {
    independent: bool,
    notes: Vec<Why>,
}

/// A loop as the page shows it.
#[derive(Serialize, Debug)]
pub struct LoopLine {
    /// None: that of the program.
    pub file: Option<String>,
    pub line: u32,
    pub source: String,
    pub tier: Tier,
    pub since: f64,
    /// Percent of the time so far; with all that it contains from when it was compiled whole, else its own.
    pub share: f64,
    /// The line of a loop around it whose code it is a part of.
    pub part_of: Option<u32>,
    pub why: Vec<Why>,
}

/// Why a loop does not get further.
#[derive(Clone, Serialize, Debug)]
pub struct Why {
    /// The tier that it is kept from.
    pub not: Tier,
    /// What it is because of: `serial because …`, or another tier that it does not get to.
    pub serial: bool,
    pub reason: String,
    pub help: Option<String>,
    pub line: Option<u32>,
}

/// What runs, as the page names it.
pub fn tier_of(doing: Doing) -> Tier {
    match doing {
        Doing::Interpreting => Tier::Interpreted,
        Doing::Native(_) => Tier::Traces,
        Doing::Whole(_) => Tier::Whole,
        Doing::Parallel(..) => Tier::Parallel,
    }
}

fn loop_of(doing: Doing) -> Option<LoopId> {
    match doing {
        Doing::Interpreting => None,
        Doing::Native(id) => id,
        Doing::Whole(id) | Doing::Parallel(id, _) => Some(id),
    }
}

impl Loops {
    pub fn new(program: Arc<Program>, sources: Arc<SourceMap>) -> Loops {
        Loops { program, sources, rows: BTreeMap::new() }
    }

    /// At `now` seconds it was found doing this, for so long.
    pub fn found(&mut self, doing: Doing, now: f64, seconds: f64) {
        if let Some(id) = loop_of(doing) {
            self.reaches(id, tier_of(doing), now);
            if let Some(row) = self.rows.get_mut(&id) {
                row.seconds += seconds;
            }
        }
    }

    /// Takes in what the events have come to at `now`.
    pub fn follow(&mut self, statistics: &Statistics, now: f64) {
        for (&id, place) in &statistics.loops {
            self.reaches(id, if place.traces > 0 { Tier::Traces } else { Tier::Interpreted }, now);
        }
        for region in statistics.regions.iter().filter(|region| region.entered) {
            let tier = if region.kind == Variant::Parallel { Tier::Parallel } else { Tier::Whole };
            if let Start::Loop(id) = region.start {
                self.reaches(id, tier, now);
            }
        }
    }

    fn reaches(&mut self, id: LoopId, tier: Tier, now: f64) {
        if id.0 as usize >= self.program.loops.len() {
            return;
        }
        let row = self.rows.entry(id).or_insert(Row { tier, since: now, seconds: 0.0, judged: None });
        if tier > row.tier {
            (row.tier, row.since) = (tier, now);
        }
    }

    /// The line of the loop that runs, as far as that is known.
    pub fn line_of(&self, doing: Doing) -> Option<u32> {
        let scope = self.program.loops.get(loop_of(doing)?.0 as usize)?;
        let (file, line) = self.place(scope.span);
        (!file.library).then_some(line)
    }

    /// Those that took the most time first, after a run of so many seconds.
    pub fn lines(&self, statistics: &Statistics, seconds: f64) -> Vec<LoopLine> {
        self.shown().into_iter().map(|id| self.line(id, statistics, seconds)).collect()
    }

    fn shown(&self) -> Vec<LoopId> {
        let mut ids: Vec<LoopId> = self.rows.keys().copied().filter(|&id| self.has_source(id)).collect();
        let time = |id: &LoopId| self.rows[id].seconds;
        ids.sort_by(|a, b| time(b).total_cmp(&time(a)));
        ids.truncate(SHOWN);
        ids
    }

    /// Whether a programmer wrote it; of the library's, those that take time.
    fn has_source(&self, id: LoopId) -> bool {
        let (file, line) = self.place(self.program.loops[id.0 as usize].span);
        !file.line_text(line).trim().is_empty() && (!file.library || self.rows[&id].seconds > 0.0)
    }

    fn place(&self, span: Span) -> (&SourceFile, u32) {
        let file = self.sources.file(span.file);
        (file, file.line_column(span.start).0)
    }

    /// Judges those of them that have not been. It calls itself as deeply as a program's routines do.
    pub fn judge(&mut self) {
        let program = self.program.clone();
        let mut judge = None;
        for id in self.shown() {
            if self.rows[&id].judged.is_some() {
                continue;
            }
            let judge = judge.get_or_insert_with(|| Judge::new(&program, Parameters::default()));
            let report = judge.report(id);
            let independent = report.verdict.is_independent();
            let notes = if independent { Vec::new() } else { report.notes(&program) };
            let why = |note: scaly_tracer::explain::Note| Why {
                not: Tier::Parallel,
                serial: true,
                reason: note.text,
                help: note.help,
                line: note.span.map(|span| self.place(span).1),
            };
            let notes = notes.into_iter().map(why).collect();
            if let Some(row) = self.rows.get_mut(&id) {
                row.judged = Some(Judged { independent, notes });
            }
        }
    }

    fn line(&self, id: LoopId, statistics: &Statistics, seconds: f64) -> LoopLine {
        let scope = &self.program.loops[id.0 as usize];
        let (file, line) = self.place(scope.span);
        let row = &self.rows[&id];
        let part_of = self.around(id);
        LoopLine {
            file: file.library.then(|| file.name.clone()),
            line,
            source: file.line_text(line).trim().to_string(),
            tier: row.tier,
            since: row.since,
            share: if seconds > 0.0 { (row.seconds / seconds * 100.0).min(100.0) } else { 0.0 },
            part_of,
            why: if part_of.is_some() { Vec::new() } else { self.why(id, statistics) },
        }
    }

    fn around(&self, id: LoopId) -> Option<u32> {
        let loops = &self.program.loops;
        let mut outer = loops[id.0 as usize].parent;
        while let Some(around) = outer {
            let scope = &loops[around.0 as usize];
            if self.rows.get(&around).is_some_and(|row| row.tier >= Tier::Whole && row.tier > self.rows[&id].tier) {
                return Some(self.place(scope.span).1);
            }
            outer = scope.parent;
        }
        None
    }

    fn why(&self, id: LoopId, statistics: &Statistics) -> Vec<Why> {
        let row = &self.rows[&id];
        let mut all = Vec::new();
        let mut refused = |what: Variant, not: Tier| {
            if let Some(why) = statistics.unscaled.get(&(Start::Loop(id), what)) {
                let line = Some(self.place(self.program.span(why.at)).1);
                let (reason, help) = (why.reason.clone(), why.help.clone());
                all.push(Why { not, serial: false, reason, help, line });
            }
        };
        if row.tier < Tier::Whole {
            refused(Variant::Sequential, Tier::Whole);
        }
        match &row.judged {
            _ if row.tier == Tier::Parallel => {}
            Some(judged) if !judged.independent => all.extend(judged.notes.iter().cloned()),
            _ => refused(Variant::Parallel, Tier::Parallel),
        }
        all
    }
}
