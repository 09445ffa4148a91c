//! Whether the iterations of a loop may run in any order: decided on its closed region, on every path, run or not.
//!
//! 1. *Counted*: a trip count known when the loop starts, and no way out but the last iteration's ([`forms`]).
//! 2. *No carried scalar*: what one iteration hands to the next is a counter, a reduction, or only leaves at the end
//!    ([`scalars`]).
//! 3. *Private or disjoint stores* and 4. *no crossing loads* ([`owners`], [`access`], [`memory`]).
//! 5. *No other effect* (here).
//!
//! What depends on values that are known only when the loop starts becomes an entry check ([`check`]). What is not proven
//! is serial, with a reason ([`refusal`]).

mod access;
mod check;
mod evaluate;
mod forms;
mod gather;
mod memory;
pub(crate) mod names;
mod owners;
mod poly;
mod refusal;
mod scalars;
#[cfg(test)]
mod tests;
mod uses;

use std::collections::BTreeSet;

use check::Proof;
pub use check::{Bytes, EntryCheck};
pub use evaluate::{covers, holds, make_room, number, wanted};
pub use forms::{Form, Forms, Kind, Trip, Uncounted, Variance};
pub use gather::Gathered;
use gather::Gathering;
pub use memory::is_formality;
use memory::{Memory, Origins};
use names::Names;
use owners::Owners;
pub use poly::{Atom, Poly};
pub use refusal::{Growth, NotCounted, Reason, Refusal};
pub use scalars::{Combine, CopiedOut, Reduction, Update};
use scaly_interp::bytecode::Opcode;
use scaly_interp::machine::Fault;
use scaly_interp::program::{LoopId, LoopKind, Pc, Program};
use scaly_interp::routine::Effect;
use uses::Uses;

use crate::effects::{FunctionFlow, Places, Summaries};
use crate::parameters::Parameters;
use crate::region::{Dominators, ExitKind, Inst, Op, Region, Terminator, Value};
use crate::walker::Linear;

/// What a loop may do in any order, and what it takes.
///
/// Everything is said of the loop from its first iteration on: where it is entered in the middle, the checks are
/// evaluated with the counters and trips that it started with.
#[derive(Clone, PartialEq, Debug)]
pub struct Independence {
    /// Tested when the loop starts; if one fails, the sequential variant runs.
    pub checks: BTreeSet<EntryCheck>,
    pub reductions: Vec<Reduction>,
    pub copied_out: Vec<CopiedOut>,
    /// Arrays that parts of the loop append to, each to one of its own.
    pub gathered: Vec<Gathered>,
    /// Slots whose value follows from the iteration's number; the first counts the iterations.
    pub counters: Vec<Counter>,
    pub start: CounterStart,
    /// Of a `while`.
    pub condition: Option<Condition>,
    /// Slots that the loop writes and hands on unread, or as they were: what is not in the region orders nothing.
    pub unread: Vec<u16>,
    /// For each value of the region, whether it is the same in all iterations.
    pub uniform: Vec<bool>,
    /// Instructions that find room where the checks hold: the region is one with room.
    pub rooms: BTreeSet<Pc>,
}

/// A slot that goes the same distance in each iteration; if it is of a narrow type, without wrapping.
#[derive(Clone, PartialEq, Debug)]
pub struct Counter {
    pub slot: u16,
    /// In terms of what does not change in the loop.
    pub by: Poly,
}

/// What the first of the counters is in the first iteration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CounterStart {
    Constant(i64),
    /// What this slot holds, plus a constant.
    Slot(u16, i64),
    /// Not known, and no proof asks: what is proven of the loop is so of the rest of it.
    Any,
    /// Not known, though something else is known of the first iteration.
    Unknown,
}

/// The condition of a `while` that counts.
#[derive(Clone, PartialEq, Debug)]
pub struct Condition {
    /// The instruction that branches on it.
    pub pc: Pc,
    /// What the counter is compared with, which operand of the comparison that is, and how.
    pub limit: Poly,
    /// The counter plus this is compared, with the limit plus this.
    pub shift: i64,
    pub operand: usize,
    pub signed: bool,
    /// The counter does not reach the limit.
    pub strict: bool,
    /// The counter goes down to the limit.
    pub down: bool,
}

/// Whether iterations may run in any order.
#[derive(Clone, PartialEq, Debug)]
pub enum Verdict {
    Independent(Box<Independence>),
    /// Why not; never empty, the first is what to look at first.
    Serial(Vec<Refusal>),
}

impl Independence {
    /// Slots that iterations hand on in a way that does not order them: counters, reductions, what only leaves.
    pub fn known_slots(&self) -> impl Iterator<Item = u16> + '_ {
        let reduced = self.reductions.iter().flat_map(|r| std::iter::once(r.slot).chain(r.along.iter().copied()));
        reduced
            .chain(self.unread.iter().copied())
            .chain(self.counters.iter().map(|c| c.slot))
            .chain(self.copied_out.iter().map(|c| c.slot))
            .chain(self.gathered.iter().flat_map(|g| [g.array.block, g.array.length]))
    }
}

impl Verdict {
    pub fn is_independent(&self) -> bool {
        matches!(self, Verdict::Independent(_))
    }
}

/// What is known around a region.
pub struct Context<'a> {
    pub program: &'a Program,
    pub id: LoopId,
    pub region: &'a Region,
    pub summaries: &'a Summaries,
    /// Of the region's function.
    pub flow: &'a FunctionFlow,
    /// Where the pointers in the slots come from at the loop's header.
    pub origins: &'a [Places],
    /// Slots of the function's frame that are live at the header.
    pub live: &'a [u16],
    /// What is known of the slots when the loop is entered.
    pub linear: &'a [Option<Linear>],
    /// Instructions that look for room, and are taken to find it.
    pub rooms: &'a BTreeSet<Pc>,
    /// Whether parts of the loop may append to arrays of their own.
    pub gathers: bool,
    pub parameters: Parameters,
}

/// Decides the five conditions.
pub fn decide(context: &Context<'_>) -> Verdict {
    let region = context.region;
    let names = Names { program: context.program, region, id: context.id };
    let dominators = Dominators::of(region);
    let prepared = context.program.code.get(context.program.loops[context.id.0 as usize].code.start as usize - 1);
    let signed = prepared.is_none_or(|ins| !matches!(ins.op, Opcode::ForPrepU | Opcode::ForPrepInclU));
    let mut forms = Forms::of(region, &dominators, context.linear, signed, &context.parameters);

    let mut refusals = external(context, &names);
    refusals.extend(counted(context, &forms, &names));
    let uses = Uses::of(region);
    let gathering = if context.gathers { gather::of(&names, &uses) } else { Gathering::default() };
    let scalars = scalars::classify(&mut forms, &names, uses, &gathering.params, context.parameters.dear);
    refusals.extend(scalars.refusals.iter().cloned());

    let mut owners = Owners::of(&mut forms, context.summaries, &context.parameters);
    let accesses = access::collect(
        &mut forms,
        &mut owners,
        &names,
        context.program,
        context.summaries,
        context.rooms,
        &gathering.own,
    );
    let ends = rooms(context, &mut forms);
    let mut checks = BTreeSet::new();
    if let Ok(trip) = forms.trips[0].clone() {
        let origins = Origins { region, flow: context.flow, frame: context.origins };
        let function = context.program.function(region.chains[0].function);
        let mut memory = Memory {
            forms: &forms,
            owners: &owners,
            names: &names,
            origins: &origins,
            function,
            trip: &trip,
            constant_globals: context.summaries.constant_globals(),
            proof: Proof::default(),
            by_offset: BTreeSet::new(),
            by_span: BTreeSet::new(),
        };
        refusals.extend(memory.prove(&accesses));
        let Memory { mut proof, by_offset, by_span, .. } = memory;
        let offsets = by_offset.iter().flat_map(|&i| &accesses.all[i].assumes);
        let spans = by_span.iter().filter_map(|&i| accesses.all[i].span.as_ref()).flat_map(|span| &span.assumes);
        let mut assumes = offsets.chain(spans).chain(&trip.assumes).chain(&scalars.assumes);
        let assumed = assumes.all(|a| proof.assume(&forms, &a.poly, a.kind).is_some())
            && ends.is_some_and(|ends| ends.iter().all(|(base, end)| proof.room(&forms, *base, end).is_some()));
        if !assumed && refusals.is_empty() {
            refusals
                .push(Refusal::new(Reason::UnknownMemory, Pc(context.program.loops[context.id.0 as usize].code.start)));
        }
        checks = proof.checks;
    }
    condense(&mut refusals);
    if !refusals.is_empty() {
        return Verdict::Serial(refusals);
    }
    let params = region.root().map_or(&[][..], |root| &region.block(root.header).params);
    let unread = context.live.iter().copied().filter(|&slot| params.iter().all(|p| p.slot != slot)).collect();
    let condition = forms.trips[0].as_ref().ok().and_then(|trip| condition(region, trip));
    let start = forms::counter_start(region, context.linear, &scalars.counters);
    let uniform = (0..region.values.len() as u32).map(|v| forms.is_invariant(Value(v))).collect();
    Verdict::Independent(Box::new(Independence {
        checks,
        reductions: scalars.reductions,
        copied_out: scalars.copied_out,
        gathered: gathering.arrays,
        counters: scalars.counters,
        start,
        condition,
        unread,
        uniform,
        rooms: context.rooms.clone(),
    }))
}

/// The arrays that are looked for room behind, and how many bytes behind their bases what is appended ends; none if one may
/// be another array in another iteration.
fn rooms(context: &Context<'_>, forms: &mut Forms<'_>) -> Option<Vec<(Value, Form)>> {
    let region = context.region;
    let guards = region.insts.iter().filter(|inst| inst.op == Op::Guard(Fault::OutOfMemory));
    let end = |inst: &Inst| {
        let compare = region.def_inst(inst.args[0])?;
        let (needed, capacity) = (region.def_inst(*compare.args.first()?)?, region.def_inst(*compare.args.get(1)?)?);
        let (Op::Element { stride, offset }, Op::Capacity) = (needed.op, capacity.op) else { return None };
        let (base, length) = (capacity.args[0], forms.form(needed.args[1]));
        let poly = length.poly.scale(stride.into())?.plus(offset.into())?;
        forms.is_invariant(base).then_some((base, Form { poly, ..length }))
    };
    guards.map(end).collect()
}

fn condition(region: &Region, trip: &Trip) -> Option<Condition> {
    let limit = trip.limit.as_ref()?;
    Some(Condition {
        pc: region.block(trip.test).end_pc,
        limit: limit.poly.clone(),
        shift: limit.shift.try_into().ok()?,
        operand: limit.operand,
        signed: limit.signed,
        strict: limit.strict,
        down: trip.down,
    })
}

/// Leaves one of each kind, one about the elements of each variable, and none about those of an array that grows or is
/// handed on: the rest follows from these. Where nothing counts, of course something without a name is handed on.
fn condense(refusals: &mut Vec<Refusal>) {
    let uncounted = refusals.iter().any(|r| matches!(r.reason, Reason::NotCounted(_)));
    refusals
        .retain(|r| !(uncounted && matches!(&r.reason, Reason::Carried { variable } if variable == names::NAMELESS)));
    // An array that grows is refused for its block and for its length.
    let mut all = BTreeSet::new();
    for refusal in refusals.iter_mut() {
        if let Reason::Grows { rooms, .. } = &mut refusal.reason {
            all.append(rooms);
        }
    }
    for refusal in refusals.iter_mut() {
        if let Reason::Grows { rooms, .. } = &mut refusal.reason {
            rooms.clone_from(&all);
        }
    }
    let mut settled: Vec<String> =
        refusals.iter().filter(|r| r.name() == "grows").filter_map(|r| r.variable()).collect();
    let mut seen: Vec<Reason> = Vec::new();
    refusals.retain(|refusal| {
        let carried = matches!(refusal.reason, Reason::Carried { .. });
        if carried || refusal.about_elements() {
            let Some(variable) = refusal.variable() else { return true };
            if settled.contains(&variable) {
                return false;
            }
            if variable != names::NAMELESS {
                settled.push(variable);
            }
        }
        let news = !seen.contains(&refusal.reason);
        seen.push(refusal.reason.clone());
        news
    });
    refusals.truncate(5);
}

/// Condition 5: output, input, waiting.
fn external(context: &Context<'_>, names: &Names<'_>) -> Vec<Refusal> {
    let mut found: Vec<Refusal> = Vec::new();
    for inst in &context.region.insts {
        let pc = names.inst(inst);
        let mut refuse = |reason: Reason| {
            let refusal = Refusal::new(reason, pc);
            if !found.contains(&refusal) {
                found.push(refusal);
            }
        };
        match inst.op {
            Op::Runtime(routine) => {
                let by = called(context, inst).unwrap_or_else(|| names::routine(routine));
                for effect in routine.signature().effects {
                    match effect {
                        Effect::Output => refuse(Reason::Prints { by: by.clone() }),
                        Effect::Input => refuse(Reason::Reads { by: by.clone() }),
                        Effect::Blocks => refuse(Reason::Waits { by: by.clone() }),
                        _ => {}
                    }
                }
            }
            Op::Call(_) | Op::CallAny(_) => {
                let name = || match inst.op {
                    Op::Call(function) => format!("`{}`", context.program.function(function).name),
                    _ => "the function that is called here".into(),
                };
                let by = called(context, inst).unwrap_or_else(name);
                let Some((summary, _)) = context.summaries.callee(inst) else { continue };
                if summary.output.is_some() {
                    refuse(Reason::Prints { by: by.clone() });
                }
                if summary.input.is_some() {
                    refuse(Reason::Reads { by: by.clone() });
                }
                if summary.blocks.is_some() {
                    refuse(Reason::Waits { by });
                }
            }
            _ => {}
        }
    }
    // One line for what both reads and waits.
    let reads: Vec<Pc> = found.iter().filter(|r| !matches!(r.reason, Reason::Waits { .. })).map(|r| r.pc).collect();
    found.retain(|r| !matches!(r.reason, Reason::Waits { .. }) || !reads.contains(&r.pc));
    found
}

/// The library routine that the programmer called, in whose bytecode an instruction stands.
fn called(context: &Context<'_>, inst: &Inst) -> Option<String> {
    let chain = context.region.block(inst.block).chain;
    let calls = context.region.calls_to(chain);
    let library = calls.iter().find(|(_, f)| context.program.function(*f).library);
    library.map(|&(_, f)| format!("`{}`", context.program.function(f).name))
}

/// Condition 1.
fn counted(context: &Context<'_>, forms: &Forms<'_>, names: &Names<'_>) -> Vec<Refusal> {
    let region = context.region;
    let trip = &forms.trips[0];
    let mut refusals = Vec::new();
    let counted = region.root().is_some_and(|root| matches!(root.kind, LoopKind::Counted { .. }));
    let header = Pc(context.program.loops[context.id.0 as usize].code.start);
    let mut leaves = Vec::new();
    for (i, block) in region.blocks.iter().enumerate() {
        let Terminator::Exit(exit, _) = &block.end else { continue };
        match region.exit(*exit).kind {
            ExitKind::Return => leaves.push((true, names.end(crate::region::BlockId(i as u32)))),
            ExitKind::Leave => {
                let from = forms.edges_to(crate::region::BlockId(i as u32));
                let by_test = trip.as_ref().is_ok_and(|t| from.iter().all(|&(from, _)| from == t.test));
                if counted || !by_test {
                    let at = from.first().map_or(header, |&(from, _)| names.end(from));
                    leaves.push((false, at));
                }
            }
            // The end of the last iteration, and the end of the program.
            ExitKind::Done | ExitKind::Fault(_) | ExitKind::Stop => {}
        }
    }
    match trip {
        Ok(_) => {}
        Err(why) => {
            let (why, at) = match *why {
                Uncounted::NoCounter => (NotCounted::NoCounter, header),
                Uncounted::LimitVaries(block) => (NotCounted::LimitVaries, names.end(block)),
                Uncounted::TestedLate(block) => (NotCounted::TestedLate, names.end(block)),
            };
            refusals.push(Refusal::new(Reason::NotCounted(why), at));
            // Without a count there is no telling which way out is the right one.
            leaves.retain(|&(returns, _)| returns);
        }
    }
    for (returns, pc) in leaves {
        let refusal = Refusal::new(Reason::Leaves { returns }, pc);
        if !refusals.contains(&refusal) {
            refusals.push(refusal);
        }
    }
    refusals
}
