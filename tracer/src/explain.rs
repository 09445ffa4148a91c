//! What `scaly explain --static` says of each loop: closed or what was left open, and the verdict, in words.
//!
//! This module has the words and their places; showing source lines is the command's business.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use scaly_interp::program::{FunctionId, LoopId, Pc, Program};
use scaly_interp::source::Span;

use crate::effects::{Calls, FunctionFlow, Summaries};
use crate::independence::names::Names;
use crate::independence::{
    Atom, Context, EntryCheck, Gathered, Independence, Poly, Reason, Refusal, Verdict, decide, is_formality,
};
use crate::parameters::Parameters;
use crate::region::{Def, Op, Region, Value};
use crate::walker::{Open, Walker, linear_at_entry};

/// How large a closed region is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    pub blocks: usize,
    pub instructions: usize,
    /// Calls walked in place.
    pub inlined: usize,
    /// Calls that count with their summary.
    pub calls: usize,
}

/// One loop, judged.
#[derive(Clone, PartialEq, Debug)]
pub struct LoopReport {
    pub id: LoopId,
    pub function: FunctionId,
    /// The loop's statement, up to its body.
    pub span: Span,
    /// Of the closed region; or what was left open and why.
    pub shape: Result<Shape, Open>,
    pub verdict: Verdict,
    /// Independent, and no loop around it in its function is.
    pub outermost: bool,
    /// Entry checks in words, formalities left out.
    pub checks: Vec<String>,
}

/// A line beside a verdict: a sentence, and the place that it is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    pub text: String,
    pub span: Option<Span>,
    /// What to change.
    pub help: Option<String>,
}

/// Judges the loops of a program.
pub struct Judge<'a> {
    program: &'a Program,
    parameters: Parameters,
    walker: Walker<'a>,
    /// Goes into no call.
    flat: Walker<'a>,
    calls: Calls<'a>,
    summaries: Summaries,
    /// Of the functions with loops that were judged.
    flows: FxHashMap<FunctionId, FunctionFlow>,
}

impl<'a> Judge<'a> {
    pub fn new(program: &'a Program, parameters: Parameters) -> Judge<'a> {
        Judge {
            program,
            parameters,
            walker: Walker::new(program, parameters),
            flat: Walker::new(program, Parameters { region_depth: 0, ..parameters }),
            calls: Calls::of_program(program),
            summaries: Summaries::default(),
            flows: FxHashMap::default(),
        }
    }

    /// Follows the pointers of a function, if that has not been done.
    fn follow(&mut self, function: FunctionId) {
        if self.flows.contains_key(&function) {
            return;
        }
        let Judge { program, walker, calls, summaries, .. } = self;
        let called: Vec<FunctionId> = calls.of(function).flat_map(|callee| calls.entered(callee)).collect();
        summaries.add(calls, &called, |id| walker.code(id));
        if calls.touches_globals(function) {
            summaries.add_globals(calls, |id| walker.code(id));
        }
        let flow = FunctionFlow::of(program, &walker.code(function), summaries);
        self.flows.insert(function, flow);
    }

    /// The region of a loop, or why it is open, and the verdict.
    pub fn judge(&mut self, id: LoopId) -> (Result<Region, Open>, Verdict) {
        let program = self.program;
        let l = &program.loops[id.0 as usize];
        let region = match self.walker.walk(id) {
            Ok(region) => region,
            Err(open) => {
                let refusal = Refusal::new(Reason::Open(open), open.pc);
                return (Err(open), Verdict::Serial(vec![refusal]));
            }
        };
        let none = BTreeSet::new();
        let verdict = self.decide(id, &region, &none, false);
        let Verdict::Serial(refusals) = &verdict else { return (Ok(region), verdict) };
        let grows = refusals.iter().filter_map(|refusal| match &refusal.reason {
            Reason::Grows { rooms, .. } => Some(rooms),
            _ => None,
        });
        let rooms: BTreeSet<Pc> = grows.flatten().copied().collect();
        // In the loop's own frame it is known in which region an array lies.
        if !rooms.is_empty()
            && rooms.iter().all(|pc| l.code.contains(&pc.0))
            && let Ok(roomy) = self.walker.walk_with_room(id, &rooms)
            && let found @ Verdict::Independent(_) = self.decide(id, &roomy, &rooms, false)
        {
            return (Ok(roomy), found);
        }
        if refusals.iter().any(|refusal| matches!(refusal.reason, Reason::Grows { .. })) {
            // Where something else stands in the way, what could be gathered does not.
            let gathered = self.decide(id, &region, &none, true);
            return (Ok(region), gathered);
        }
        // What is called with a slice may take that apart by what it finds there, but stays in it.
        if region.chains.len() > 1
            && refusals.iter().any(|refusal| matches!(refusal.reason, Reason::UnknownIndex { .. }))
            && let Ok(flat) = self.flat.walk(id)
            && let found @ Verdict::Independent(_) = self.decide(id, &flat, &none, false)
        {
            return (Ok(flat), found);
        }
        (Ok(region), verdict)
    }

    /// The verdict on a loop's region, in which these instructions are taken to find room, or arrays are gathered.
    fn decide(&mut self, id: LoopId, region: &Region, rooms: &BTreeSet<Pc>, gathers: bool) -> Verdict {
        let program = self.program;
        let l = &program.loops[id.0 as usize];
        debug_assert_eq!(region.verify(), Ok(()), "{region}");
        let code = self.walker.code(l.function);
        self.follow(l.function);
        let flow = &self.flows[&l.function];
        let header = code.block_at(l.code.start);
        let origins = header.and_then(|h| flow.entry[h].clone()).unwrap_or_default();
        let linear = linear_at_entry(program, &code, l.code.start);
        let live: Vec<u16> = header.map(|h| code.live[h].iter().collect()).unwrap_or_default();
        let context = Context {
            program,
            id,
            region,
            summaries: &self.summaries,
            flow,
            origins: &origins,
            live: &live,
            linear: &linear,
            rooms,
            gathers,
            parameters: self.parameters,
        };
        decide(&context)
    }

    pub fn report(&mut self, id: LoopId) -> LoopReport {
        let (region, verdict) = self.judge(id);
        let l = &self.program.loops[id.0 as usize];
        let checks = match (&region, &verdict) {
            (Ok(region), Verdict::Independent(found)) => checks_in_words(self.program, id, region, found),
            _ => Vec::new(),
        };
        let shape = region.map(|region| Shape {
            blocks: region.blocks.len() - 1,
            instructions: region.size(),
            inlined: region.chains.len() - 1,
            calls: region.insts.iter().filter(|i| matches!(i.op, Op::Call(_) | Op::CallAny(_))).count(),
        });
        LoopReport { id, function: l.function, span: l.span, shape, verdict, outermost: false, checks }
    }
}

/// Judges every loop of a program, in the order of the source.
pub fn judge(program: &Program) -> Vec<LoopReport> {
    judge_where(program, |_| true)
}

/// Judges the loops of some functions.
pub fn judge_where(program: &Program, wanted: impl Fn(FunctionId) -> bool) -> Vec<LoopReport> {
    let mut judge = Judge::new(program, Parameters::default());
    let ids = (0..program.loops.len() as u32).map(LoopId);
    let mut reports: Vec<LoopReport> =
        ids.filter(|id| wanted(program.loops[id.0 as usize].function)).map(|id| judge.report(id)).collect();
    mark_outermost(program, &mut reports);
    reports.sort_by_key(|r| (r.span.file, r.span.start, r.id));
    reports
}

fn mark_outermost(program: &Program, reports: &mut [LoopReport]) {
    let free: Vec<LoopId> = reports.iter().filter(|r| r.verdict.is_independent()).map(|r| r.id).collect();
    for report in reports.iter_mut().filter(|r| r.verdict.is_independent()) {
        let mut around = program.loops[report.id.0 as usize].parent;
        report.outermost = true;
        while let Some(id) = around {
            report.outermost &= !free.contains(&id);
            around = program.loops[id.0 as usize].parent;
        }
    }
}

impl LoopReport {
    /// Whether the loop touches the world outside of the program.
    pub fn external(&self) -> bool {
        matches!(&self.verdict, Verdict::Serial(refusals) if refusals.iter().any(Refusal::external))
    }

    /// One line: the verdict, then the region.
    pub fn headline(&self) -> String {
        let verdict = match &self.verdict {
            Verdict::Independent(_) if self.outermost => "independent, outermost of its nest",
            Verdict::Independent(_) => "independent",
            Verdict::Serial(_) => "serial",
        };
        match &self.shape {
            Ok(shape) => {
                let mut text = format!(
                    "{verdict}; closed: {} and {}",
                    counted(shape.blocks, "block"),
                    counted(shape.instructions, "instruction")
                );
                if shape.inlined > 0 {
                    text.push_str(&format!(", {} inlined", counted(shape.inlined, "call")));
                }
                if shape.calls > 0 {
                    text.push_str(&format!(", {} left", counted(shape.calls, "call")));
                }
                text
            }
            Err(_) => format!("{verdict}; left open"),
        }
    }

    /// What the verdict rests on, or what stands in its way.
    pub fn notes(&self, program: &Program) -> Vec<Note> {
        let plain = |text: String| Note { text, span: None, help: None };
        match &self.verdict {
            Verdict::Independent(found) => {
                let mut notes = Vec::new();
                for check in &self.checks {
                    notes.push(plain(format!("checked when it starts: {check}")));
                }
                for reduction in &found.reductions {
                    let mut text = format!("{} is a reduction: {}", reduction.name, reduction.combine.words());
                    if !reduction.along.is_empty() {
                        text.push_str(&format!(", with {}", counted(reduction.along.len(), "value")));
                    }
                    // Once for a variable of several slots.
                    let note = plain(text);
                    if notes.last() != Some(&note) {
                        notes.push(note);
                    }
                }
                for Gathered { name, .. } in &found.gathered {
                    let text = format!("{name} is gathered: what parts of the loop append is put in order behind them");
                    notes.push(plain(text));
                }
                let mut names: Vec<&str> = found.copied_out.iter().map(|c| c.name.as_str()).collect();
                names.dedup();
                for name in names {
                    notes.push(plain(format!("{name} keeps the value of the last iteration")));
                }
                notes
            }
            Verdict::Serial(refusals) => refusals
                .iter()
                .map(|refusal| Note { text: refusal.text(), span: span(program, refusal.pc), help: refusal.help() })
                .collect(),
        }
    }
}

fn span(program: &Program, pc: Pc) -> Option<Span> {
    program.spans.get(pc.0 as usize).copied()
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn checks_in_words(program: &Program, id: LoopId, region: &Region, found: &Independence) -> Vec<String> {
    let mut all = Vec::new();
    for check in found.checks.iter().filter(|c| !is_formality(c)) {
        let text = check_in_words(program, id, region, check);
        if !all.contains(&text) {
            all.push(text);
        }
    }
    all
}

/// What is checked when a loop starts.
pub fn check_in_words(program: &Program, id: LoopId, region: &Region, check: &EntryCheck) -> String {
    let names = Names { program, region, id };
    let value_name = |value: Value| match region.values[value.index()].def {
        Def::Param(block, position) if region.block(block).chain.index() == 0 => {
            let slot = region.block(block).params[position as usize].slot;
            match names.variable(slot) {
                Some((name, slots)) if slots.len() == 2 && slot == slots.start + 1 => format!("{name}.length()"),
                Some((name, slots)) if slots.len() > 2 => format!("a field of {name}"),
                Some((name, _)) => name.into(),
                None => "a value".into(),
            }
        }
        Def::Param(..) | Def::Result(..) => "a value".into(),
    };
    let quoted = |value: Value| match value_name(value).strip_prefix("a ") {
        Some(rest) => format!("a {rest}"),
        None => format!("`{}`", value_name(value)),
    };
    let words = |poly: &Poly| {
        poly.describe(|atom| match atom {
            Atom::Value(v) => value_name(v),
            Atom::Iter(_) => "the counter".into(),
            Atom::Trips(_) => "the number of iterations".into(),
        })
    };
    match check {
        EntryCheck::AtLeastZero(poly) => {
            let (more, less) = poly.sides();
            format!("{} >= {}", words(&more), words(&less))
        }
        EntryCheck::Fits(low, high, kind) if low == high => format!("{} fits {}", words(low), kind.name()),
        EntryCheck::Fits(low, high, kind) => {
            format!("{} and {} fit {}", words(low), words(high), kind.name())
        }
        EntryCheck::Apart(a, b) if a.base == b.base => {
            format!(
                "bytes {}..{} and {}..{} of {} do not overlap",
                words(&a.from),
                words(&a.to),
                words(&b.from),
                words(&b.to),
                quoted(a.base)
            )
        }
        EntryCheck::Room { base, .. } => format!("there is memory for what is appended to {}", quoted(*base)),
        EntryCheck::Either(a, b) => {
            let all = |checks: &BTreeSet<EntryCheck>| {
                let told = checks.iter().filter(|check| !is_formality(check));
                told.map(|check| check_in_words(program, id, region, check)).collect::<Vec<_>>().join(" and ")
            };
            format!("{}, or {}", all(a), all(b))
        }
        EntryCheck::Apart(a, b) => {
            format!("the memory of {} and {} does not overlap", quoted(a.base), quoted(b.base))
        }
    }
}
