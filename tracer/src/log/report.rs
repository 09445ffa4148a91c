//! Statistics with the interpreter's part and the lines of the source: what `--stats` prints.

use std::collections::BTreeMap;
use std::fmt;

use scaly_interp::interpreter::Finished;
use scaly_interp::program::{FunctionId, LoopId, Pc, Program};
use scaly_interp::source::SourceMap;
use serde::Serialize;

use super::resolved::{At, From, Resolver};
use super::statistics::{RegionRuns, Standing, Statistics, TraceKind};
use super::{SCHEMA, Start, Variant};
use crate::manager::Spent;

/// Loops that are listed one by one in words.
const HOTTEST: usize = 10;

/// What a run came to. As JSON it is one line with the version of the trace log's schema.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct Report<'a> {
    pub v: u32,
    pub event: &'static str,
    /// Loops that ran, by how they stand.
    pub loops: BTreeMap<&'static str, u64>,
    /// Functions that got hot, by how they stand.
    pub functions: BTreeMap<&'static str, u64>,
    /// Of all loops.
    pub iterations: Iterations,
    /// The loops that ran, the hottest first.
    pub hottest: Vec<HotLoop<'a>>,
    /// The recursive functions that ran as compiled whole.
    pub whole: Vec<WholeFunction<'a>>,
    /// Made, by kind.
    pub traces: BTreeMap<&'static str, u64>,
    pub dropped: u64,
    pub stable: u64,
    pub recordings: u64,
    /// By reason.
    pub aborts: BTreeMap<&'static str, u64>,
    pub compile: Compile,
    /// Wall-clock seconds of the run by who had the worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spent>,
    pub entries: u64,
    pub exits: u64,
    pub code_bytes: u64,
    /// Loops that were compiled whole, and those of them that the program ran.
    pub regions: usize,
    pub regions_entered: usize,
    /// How often code memory was full, or not to be had.
    pub code_memory_full: u64,
    pub code_memory_refused: u64,
    /// Most bytes of data at any moment.
    pub peak_memory: u64,
}

/// Back edges.
#[derive(Clone, Copy, PartialEq, Serialize, Debug, Default)]
pub struct Iterations {
    pub interpreted: u64,
    pub native: u64,
    /// Percent, rounded down to hundredths; 100 where nothing ran.
    pub native_percent: f64,
}

#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct HotLoop<'a> {
    #[serde(flatten)]
    pub place: From<'a>,
    pub standing: &'static str,
    /// Why there is no trace, where one was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    #[serde(flatten)]
    pub iterations: Iterations,
    /// Of the interpreted ones: under a recording.
    pub recorded: u64,
    /// Of its trace, from the interpreter.
    pub entries: u64,
    /// What it ran in when it was compiled whole: `sequential` or `parallel`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<&'static str>,
    /// Its runs in that.
    #[serde(flatten)]
    pub runs: RegionRuns,
    /// Why it was not compiled whole, or not run on all cores, where that was tried; and the line of that.
    pub refused: Vec<Unscaled<'a>>,
    /// How often it was the innermost loop of the program when it was looked at, outside of loops compiled whole.
    pub samples: u64,
    pub source: &'a str,
}

/// A recursive function that was compiled whole.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct WholeFunction<'a> {
    #[serde(flatten)]
    pub place: From<'a>,
    /// `sequential`, or `parallel` if other threads took calls of it.
    pub region: &'static str,
    /// Why it did not get further.
    pub refused: Vec<Unscaled<'a>>,
    pub source: &'a str,
}

/// Why a loop or function did not get further.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct Unscaled<'a> {
    /// Not `sequential`, or not `parallel`.
    pub what: &'static str,
    pub reason: String,
    /// What to change, where something can be.
    pub help: Option<String>,
    #[serde(flatten)]
    pub at: At<'a>,
    #[serde(skip)]
    pub pc: Pc,
}

/// Microseconds of optimizing and assembling.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Debug)]
pub struct Compile {
    pub total_us: u64,
    pub median_us: u32,
    pub longest_us: u32,
}

impl Iterations {
    fn of(interpreted: u64, native: u64) -> Iterations {
        let all = interpreted + native;
        let hundredths = u128::from(native) * 10_000;
        let native_percent = hundredths.checked_div(u128::from(all)).map_or(100.0, |share| share as f64 / 100.0);
        Iterations { interpreted, native, native_percent }
    }

    fn all(&self) -> u64 {
        self.interpreted + self.native
    }
}

impl Compile {
    fn of(mut times: Vec<u32>) -> Compile {
        times.sort_unstable();
        Compile {
            total_us: times.iter().map(|&us| u64::from(us)).sum(),
            median_us: median(&times),
            longest_us: times.last().copied().unwrap_or(0),
        }
    }
}

/// Of sorted times; the mean of the two in the middle where there are two.
fn median(times: &[u32]) -> u32 {
    let Some(last) = times.len().checked_sub(1) else { return 0 };
    times[last / 2].midpoint(times[last.div_ceil(2)])
}

impl<'a> Report<'a> {
    pub fn new(
        program: &'a Program,
        sources: &'a SourceMap,
        statistics: &Statistics,
        finished: &Finished,
    ) -> Report<'a> {
        let mut loops = all_loops(program, sources, statistics, finished);
        let count = |of: &mut dyn Iterator<Item = &'static str>| {
            let mut counts = BTreeMap::new();
            of.for_each(|name| *counts.entry(name).or_insert(0) += 1);
            counts
        };
        let standings = count(&mut loops.iter().map(|each| each.standing));
        let sum = |part: fn(&Iterations) -> u64| loops.iter().map(|each| part(&each.iterations)).sum();
        let iterations = Iterations::of(sum(|i| i.interpreted), sum(|i| i.native));
        loops.sort_by_key(|each| (std::cmp::Reverse(each.iterations.all()), each.place.id));
        Report {
            v: SCHEMA,
            event: "statistics",
            loops: standings,
            functions: count(&mut statistics.functions.values().map(|place| place.standing().name())),
            iterations,
            hottest: loops,
            whole: all_functions(program, sources, statistics),
            traces: count(&mut statistics.traces.iter().map(|made| made.kind.name())),
            dropped: statistics.dropped,
            stable: statistics.stable,
            recordings: statistics.recordings,
            aborts: statistics.aborts.iter().map(|(reason, &times)| (reason.name(), times)).collect(),
            compile: Compile::of(statistics.traces.iter().map(|made| made.microseconds).collect()),
            spent: statistics.spent,
            entries: statistics.entries,
            exits: statistics.exits,
            code_bytes: statistics.code_bytes,
            regions: statistics.regions.len(),
            regions_entered: statistics.regions.iter().filter(|region| region.entered).count(),
            code_memory_full: statistics.full,
            code_memory_refused: statistics.refused,
            peak_memory: finished.peak_memory,
        }
    }

    /// One line.
    pub fn json(&self) -> String {
        // Serializing plain data with keys of text does not fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The recursive functions that ran as compiled whole.
fn all_functions<'a>(program: &'a Program, sources: &'a SourceMap, statistics: &Statistics) -> Vec<WholeFunction<'a>> {
    let resolver = Resolver { program, sources };
    let mut found: BTreeMap<FunctionId, Variant> = BTreeMap::new();
    for region in statistics.regions.iter().filter(|region| region.entered) {
        if let Start::Function(id) = region.start {
            let best = found.entry(id).or_insert(region.kind);
            *best = region.kind.max(*best);
        }
    }
    let one = |(id, region): (FunctionId, Variant)| WholeFunction {
        place: resolver.start(Start::Function(id)),
        region: region.name(),
        refused: resolver.refused(statistics, Start::Function(id)),
        source: resolver.source_of_function(id),
    };
    found.into_iter().map(one).collect()
}

/// The loops that ran.
fn all_loops<'a>(
    program: &'a Program,
    sources: &'a SourceMap,
    statistics: &Statistics,
    finished: &Finished,
) -> Vec<HotLoop<'a>> {
    let resolver = Resolver { program, sources };
    let ids = (0..program.loops.len() as u32).map(LoopId);
    let one = |id: LoopId| {
        let count = |counts: &[u64]| counts.get(id.0 as usize).copied().unwrap_or(0);
        let runs = statistics.runs.get(&id).copied().unwrap_or_default();
        let iterations = Iterations::of(count(&finished.loops), count(&statistics.native) + runs.iterations);
        let place = statistics.loops.get(&id);
        let standing = match place.map_or(Standing::Cold, |place| place.standing()) {
            // Its iterations are part of a trace around it.
            Standing::Cold | Standing::Tried if iterations.native > iterations.interpreted => Standing::Native,
            standing => standing,
        };
        let reason = place.and_then(|place| place.abort).filter(|_| standing != Standing::Native);
        HotLoop {
            place: resolver.start(Start::Loop(id)),
            standing: standing.name(),
            reason: reason.map(|reason| reason.name()),
            iterations,
            recorded: count(&statistics.recorded),
            entries: count(&statistics.entered),
            region: statistics
                .regions
                .iter()
                .filter(|r| r.start == Start::Loop(id) && r.entered)
                .map(|r| r.kind.name())
                .next_back(),
            runs,
            refused: resolver.refused(statistics, Start::Loop(id)),
            samples: statistics.samples.get(&id).copied().unwrap_or(0),
            source: resolver.source_of(id),
        }
    };
    ids.map(one).filter(|each| each.iterations.all() > 0 || each.runs.entries > 0).collect()
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Iterations { interpreted, native, native_percent } = self.iterations;
        let standings = Standing::ALL.map(Standing::name);
        let kinds = [TraceKind::Loop, TraceKind::Function, TraceKind::Side].map(TraceKind::name);
        line(f, "loops", format_args!("{}", Counts(&self.loops, &standings)))?;
        line(f, "functions", format_args!("{}", Counts(&self.functions, &standings)))?;
        let all = Grouped(interpreted + native);
        let (native, interpreted) = (Grouped(native), Grouped(interpreted));
        let share = format_args!("{all}: {native_percent:.2} % native ({native} native, {interpreted} interpreted)");
        line(f, "iterations", share)?;
        self.hottest.iter().take(HOTTEST).try_for_each(|each| line(f, "", format_args!("{each}")))?;
        self.whole.iter().try_for_each(|each| line(f, "whole", format_args!("{each}")))?;
        let (dropped, stable) = (self.dropped, self.stable);
        line(f, "traces", format_args!("{}; dropped {dropped}, stable trees {stable}", Counts(&self.traces, &kinds)))?;
        let reasons: Vec<&str> = self.aborts.keys().copied().collect();
        let aborts = Counts(&self.aborts, &reasons);
        line(f, "recordings", format_args!("{}, aborted {aborts}", self.recordings))?;
        let Compile { total_us, median_us, longest_us } = self.compile;
        line(f, "compiling", format_args!("{total_us} µs, {median_us} µs in the median, {longest_us} µs the longest"))?;
        if let Some(Spent { interpreter_s, native_s, recording_s, compiler_s, region_s }) = self.spent {
            let ms = |seconds: f64| seconds * 1e3;
            let (interpreter, native) = (ms(interpreter_s), ms(native_s));
            let (recording, compiler) = (ms(recording_s), ms(compiler_s));
            let mut text = format!(
                "{interpreter:.1} ms interpreted, {native:.1} native, {recording:.1} recording, {compiler:.1} compiling"
            );
            if self.regions > 0 {
                text += &format!(", {:.1} in whole loops", ms(region_s));
            }
            line(f, "time", format_args!("{text}"))?;
        }
        let memory = match (self.code_memory_full, self.code_memory_refused) {
            (0, 0) => String::new(),
            (full, 0) => format!("; code memory full: {full}"),
            (_, refused) => format!("; code memory refused: {refused}"),
        };
        if self.regions > 0 {
            let (made, entered) = (self.regions, self.regions_entered);
            line(f, "regions", format_args!("{made} compiled whole, {entered} entered"))?;
        }
        line(f, "native code", format_args!("{} bytes{memory}", Grouped(self.code_bytes)))?;
        line(f, "entered", format_args!("{}, left by an exit {}", Grouped(self.entries), Grouped(self.exits)))?;
        line(f, "data", format_args!("{} bytes at most", Grouped(self.peak_memory)))
    }
}

fn line(f: &mut fmt::Formatter<'_>, what: &str, text: fmt::Arguments<'_>) -> fmt::Result {
    writeln!(f, "[stats] {what:<11} {text}")
}

impl fmt::Display for HotLoop<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, share) = (Grouped(self.iterations.all()).to_string(), self.iterations.native_percent);
        let standing = self.reason.unwrap_or(self.standing);
        write!(f, "{all:>14} {share:>6.2} % {standing:<11} {}", self.place)?;
        if self.source.is_empty() { f.write_str(" (generated)") } else { write!(f, " | {}", self.source) }
    }
}

impl fmt::Display for WholeFunction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<10} {} | {}", self.region, self.place, self.source)
    }
}

/// How many there are, and of which.
struct Counts<'a>(&'a BTreeMap<&'static str, u64>, &'a [&'a str]);

impl fmt::Display for Counts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.values().sum::<u64>())?;
        let parts = self.1.iter().filter_map(|name| Some((name, self.0.get(name)?)));
        parts.enumerate().try_for_each(|(i, (name, count))| {
            let mark = if i == 0 { ':' } else { ',' };
            write!(f, "{mark} {count} {name}")
        })
    }
}

/// With a comma every three digits.
struct Grouped(u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1000 {
            return write!(f, "{}", self.0);
        }
        write!(f, "{},{:03}", Grouped(self.0 / 1000), self.0 % 1000)
    }
}
