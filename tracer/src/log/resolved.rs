//! Events with their lines of the source: what both forms of the log write.
//!
//! These types are the schema of the JSON lines; `docs/trace-log.md` describes it. Whoever changes a name or a meaning
//! here counts [`SCHEMA`] up; a new event or field leaves it.

use scaly_interp::program::{FunctionId, LoopId, Pc, Program};
use scaly_interp::source::{SourceMap, Span};
use serde::Serialize;

use super::report::Unscaled;
use super::statistics::{self, Statistics};
use super::{Abort, CodeMemory, Compiled, Dropped, Event, SideEnd, Start, Variant};

/// Version of the JSON lines.
pub const SCHEMA: u32 = 1;

/// A line of the source, and the routine that it is in.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Debug)]
pub struct At<'a> {
    pub file: &'a str,
    pub line: u32,
    pub function: &'a str,
}

/// What a trace is of.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Debug)]
pub struct From<'a> {
    pub kind: &'static str,
    /// Of a loop or function, as `scaly dump` numbers them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    /// Of a side trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<u32>,
    #[serde(flatten)]
    pub at: At<'a>,
}

#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Resolved<'a> {
    Hot {
        start: From<'a>,
        count: u32,
    },
    ExitHot {
        exit: u32,
        of: u32,
        at: At<'a>,
        count: u32,
    },
    Record {
        start: From<'a>,
        attempt: u32,
    },
    Abort {
        start: From<'a>,
        at: At<'a>,
        reason: &'static str,
        text: &'static str,
        help: Option<&'static str>,
        retry: u32,
    },
    Blacklisted {
        start: From<'a>,
        attempts: u32,
        reason: &'static str,
        text: &'static str,
        help: Option<&'static str>,
        retry: u32,
    },
    Compiled {
        trace: u32,
        start: From<'a>,
        before: u32,
        after: u32,
        exits: u32,
        bytes: u32,
        microseconds: u32,
    },
    Link {
        exit: u32,
        of: u32,
        at: At<'a>,
        to: u32,
    },
    SideTrace {
        trace: u32,
        tree: u32,
        exit: u32,
        at: At<'a>,
        end: &'static str,
        count: u32,
    },
    Specialized {
        trace: u32,
        start: From<'a>,
        values: &'a str,
        number: u32,
    },
    TreeStable {
        tree: u32,
        start: From<'a>,
        traces: u32,
    },
    Rests {
        start: From<'a>,
        milliseconds: u32,
        times: f64,
    },
    Dropped {
        trace: u32,
        start: From<'a>,
        why: &'static str,
    },
    Memory {
        state: &'static str,
        used: Option<u64>,
    },
    Region {
        start: From<'a>,
        blocks: u32,
        instructions: u32,
        calls: u32,
        predictable: u32,
        divisors: u32,
    },
    Variant {
        start: From<'a>,
        kind: &'static str,
        lines: u32,
        bytes: u32,
        microseconds: u32,
    },
    Switched {
        start: From<'a>,
        kind: &'static str,
    },
    Refused {
        start: From<'a>,
        what: &'static str,
        reason: &'a str,
        help: Option<&'a str>,
        at: At<'a>,
    },
    Ir {
        trace: u32,
        text: &'a str,
    },
    Asm {
        trace: u32,
        text: &'a str,
    },
}

/// Finds the lines of the source.
#[derive(Clone, Copy, Debug)]
pub struct Resolver<'a> {
    pub program: &'a Program,
    pub sources: &'a SourceMap,
}

impl<'a> Resolver<'a> {
    pub fn at(self, pc: Pc) -> At<'a> {
        let span = self.program.spans.get(pc.0 as usize).copied().unwrap_or_default();
        self.line(span, self.program.function_at(pc))
    }

    pub fn start(self, start: Start) -> From<'a> {
        let (id, exit, of, at) = match start {
            Start::Loop(id) => {
                let scope = &self.program.loops[id.0 as usize];
                (Some(id.0), None, None, self.line(scope.span, Some(scope.function)))
            }
            Start::Function(id) => (Some(id.0), None, None, self.line(self.program.function(id).span, Some(id))),
            Start::Side { exit, of, at } => (None, Some(exit.0), Some(of.0), self.at(at)),
        };
        From { kind: start.kind().name(), id, exit, of, at }
    }

    /// The first line of a loop; empty for routines that lowering has generated, which have none.
    pub fn source_of(self, id: LoopId) -> &'a str {
        let scope = &self.program.loops[id.0 as usize];
        let users = self.sources.get(scope.span.file).is_none_or(|file| !file.library);
        let generated = users && self.program.function(scope.function).library;
        if generated { "" } else { self.source(scope.span) }
    }

    /// The text of a span's first line.
    pub fn source(self, span: Span) -> &'a str {
        self.sources.get(span.file).map_or("", |file| file.line_text(file.line_column(span.start).0).trim())
    }

    /// The first line of a function.
    pub fn source_of_function(self, id: FunctionId) -> &'a str {
        self.source(self.program.function(id).span)
    }

    /// Why a loop or function did not get further.
    pub fn refused(self, statistics: &Statistics, start: Start) -> Vec<Unscaled<'a>> {
        let all = statistics.unscaled.iter().filter(|((of, _), _)| *of == start);
        let one = |(&(_, what), why): (&(Start, Variant), &statistics::Unscaled)| Unscaled {
            what: what.name(),
            reason: why.reason.clone(),
            help: why.help.clone(),
            at: self.at(why.at),
            pc: why.at,
        };
        all.map(one).collect()
    }

    /// The text form of a trace, whose lines end in `@pc`, with the lines of the source before what comes from them.
    pub fn annotate(self, text: &str) -> String {
        let mut annotated = String::new();
        let mut last = None;
        for line in text.lines() {
            let pc = line.rsplit_once(" @").and_then(|(_, pc)| pc.parse().ok()).map(Pc);
            let span = pc.and_then(|pc| self.program.spans.get(pc.0 as usize));
            if let Some(&span) = span {
                let At { file, line, .. } = self.line(span, None);
                if last != Some((file, line)) {
                    annotated += &format!("; {file}:{line} | {}\n", self.source(span));
                    last = Some((file, line));
                }
            }
            annotated += line;
            annotated.push('\n');
        }
        annotated
    }

    fn line(self, span: Span, function: Option<FunctionId>) -> At<'a> {
        let function = function.map_or("", |id| self.program.function(id).name.as_str());
        match self.sources.get(span.file) {
            Some(file) => At { file: &file.name, line: file.line_column(span.start).0, function },
            None => At { file: "?", line: 0, function },
        }
    }

    pub fn resolve<'e>(self, event: &Event<'e>) -> Resolved<'e>
    where
        'a: 'e,
    {
        match *event {
            Event::Hot { start, count } => Resolved::Hot { start: self.start(start), count },
            Event::ExitHot { exit, of, at, count } => {
                Resolved::ExitHot { exit: exit.0, of: of.0, at: self.at(at), count }
            }
            Event::Record { start, attempt } => Resolved::Record { start: self.start(start), attempt },
            Event::Abort { start, reason, at, retry } => {
                let (reason, text, help) = words(reason);
                Resolved::Abort { start: self.start(start), at: self.at(at), reason, text, help, retry }
            }
            Event::Blacklisted { start, attempts, reason, retry } => {
                let (reason, text, help) = words(reason);
                Resolved::Blacklisted { start: self.start(start), attempts, reason, text, help, retry }
            }
            Event::Compiled(Compiled { trace, start, before, after, exits, bytes, microseconds }) => {
                let (trace, start) = (trace.0, self.start(start));
                Resolved::Compiled { trace, start, before, after, exits, bytes, microseconds }
            }
            Event::Link { exit, of, at, to } => Resolved::Link { exit: exit.0, of: of.0, at: self.at(at), to: to.0 },
            Event::SideTrace { trace, tree, exit, at, end, count } => Resolved::SideTrace {
                trace: trace.0,
                tree: tree.0,
                exit: exit.0,
                at: self.at(at),
                end: end.name(),
                count,
            },
            Event::Specialized { trace, start, values, number } => {
                Resolved::Specialized { trace: trace.0, start: self.start(start), values, number }
            }
            Event::Rests { start, milliseconds, times } => {
                Resolved::Rests { start: self.start(start), milliseconds, times }
            }
            Event::TreeStable { tree, start, traces } => {
                Resolved::TreeStable { tree: tree.0, start: self.start(start), traces }
            }
            Event::Dropped { trace, start, why } => {
                Resolved::Dropped { trace: trace.0, start: self.start(start), why: why.name() }
            }
            Event::Memory(CodeMemory::Full { used }) => Resolved::Memory { state: "full", used: Some(used as u64) },
            Event::Memory(CodeMemory::Refused) => Resolved::Memory { state: "refused", used: None },
            Event::Region { start, blocks, instructions, calls, predictable, divisors } => {
                Resolved::Region { start: self.start(start), blocks, instructions, calls, predictable, divisors }
            }
            Event::Variant { start, kind, lines, bytes, microseconds } => {
                Resolved::Variant { start: self.start(start), kind: kind.name(), lines, bytes, microseconds }
            }
            Event::Switched { start, kind } => Resolved::Switched { start: self.start(start), kind: kind.name() },
            Event::Refused { start, what, reason, help, at } => {
                let start = self.start(start);
                Resolved::Refused { start, what: what.name(), reason, help, at: self.at(at) }
            }
        }
    }
}

fn words(reason: Abort) -> (&'static str, &'static str, Option<&'static str>) {
    (reason.name(), reason.text(), reason.help())
}

impl SideEnd {
    pub fn name(self) -> &'static str {
        match self {
            SideEnd::Loop => "loop",
            SideEnd::Leaves => "leaves",
            SideEnd::Returns => "returns",
        }
    }
}

impl Dropped {
    pub fn name(self) -> &'static str {
        match self {
            Dropped::Room => "room",
            Dropped::Tree => "tree",
            Dropped::Replaced => "replaced",
            Dropped::Seldom => "seldom",
        }
    }
}
