//! What each slot that a loop hands from one iteration to the next is good for: a counter, a reduction, a value that only
//! leaves at the end, or a real dependence.
//!
//! A slot that is written before it is read on every path is no parameter of the header, so it is private by
//! construction. Of the others, a *web* is followed: the parameter, what is accumulated from it, and the parameters that
//! these become. If nothing outside of the web reads it, and it accumulates by one operation that is exact in any
//! grouping, partial results of runs of iterations combine in the order of the runs.

mod in_order;

use std::collections::BTreeSet;

pub use in_order::Update;
use scaly_interp::machine::{FloatCompare, FloatOp, IntCompare, IntOp, IntUnary};
use scaly_interp::program::{LoopKind, Pc};
use scaly_interp::routine::{Effect, Routine};

use super::Counter;
use super::forms::{Assumption, Forms, Incoming, Kind};
use super::names::Names;
use super::poly::{Atom, Poly};
use super::refusal::{Growth, Reason, Refusal};
use super::uses::{Use, Uses};
use crate::region::{BlockId, Effects, ExitKind, InstId, Op, Region, Terminator, Value};

/// An operation that accumulates, exact in any grouping.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Combine {
    Sum,
    Product,
    MinSigned,
    MaxSigned,
    MinUnsigned,
    MaxUnsigned,
    And,
    Or,
    Xor,
    /// Of f64: `min` keeps its first argument unless the second is less, so the order of the runs suffices.
    MinFloat,
    MaxFloat,
    MinSingle,
    MaxSingle,
    /// The first smallest by a strict comparison.
    Least,
    /// The first largest.
    Greatest,
    /// Set to one and the same value on some paths, like `found`.
    Set,
    /// By an operation on floats: terms are kept, and accumulated in the order of the iterations behind them.
    InOrder(FloatOp),
}

impl Combine {
    pub fn words(self) -> &'static str {
        match self {
            Combine::Sum => "sum",
            Combine::Product => "product",
            Combine::MinSigned | Combine::MinUnsigned | Combine::MinFloat | Combine::MinSingle => "minimum",
            Combine::MaxSigned | Combine::MaxUnsigned | Combine::MaxFloat | Combine::MaxSingle => "maximum",
            Combine::And => "and",
            Combine::Or => "or",
            Combine::Xor => "xor",
            Combine::Least => "first smallest",
            Combine::Greatest => "first largest",
            Combine::Set => "set to the same value by any iteration",
            Combine::InOrder(FloatOp::Mul | FloatOp::Div) => "product in the order of the iterations",
            Combine::InOrder(_) => "sum in the order of the iterations",
        }
    }

    fn of(op: Op, operand: usize) -> Option<Combine> {
        Some(match op {
            Op::Int(IntOp::Add) => Combine::Sum,
            Op::Int(IntOp::Sub) if operand == 0 => Combine::Sum,
            Op::Int(IntOp::Mul) => Combine::Product,
            Op::Int(IntOp::MinS) => Combine::MinSigned,
            Op::Int(IntOp::MaxS) => Combine::MaxSigned,
            Op::Int(IntOp::MinU) => Combine::MinUnsigned,
            Op::Int(IntOp::MaxU) => Combine::MaxUnsigned,
            Op::Int(IntOp::And) => Combine::And,
            Op::Int(IntOp::Or) => Combine::Or,
            Op::Int(IntOp::Xor) => Combine::Xor,
            Op::Float(FloatOp::Min) if operand == 0 => Combine::MinFloat,
            Op::Float(FloatOp::Max) if operand == 0 => Combine::MaxFloat,
            Op::Single(FloatOp::Min) if operand == 0 => Combine::MinSingle,
            Op::Single(FloatOp::Max) if operand == 0 => Combine::MaxSingle,
            _ => return None,
        })
    }

    /// A narrow result is that of the wide computation, wrapped.
    fn wraps(self) -> bool {
        matches!(self, Combine::Sum | Combine::Product | Combine::And | Combine::Or | Combine::Xor)
    }
}

/// A slot that accumulates.
#[derive(Clone, PartialEq, Debug)]
pub struct Reduction {
    pub slot: u16,
    /// The header's parameter.
    pub param: Value,
    pub combine: Combine,
    /// Partial results are wrapped to this type.
    pub narrow: Option<Kind>,
    /// Slots that are set together with a first smallest or largest.
    pub along: Vec<u16>,
    /// Where it accumulates, if that is in the order of the iterations.
    pub updates: Vec<Update>,
    pub name: String,
}

/// A slot whose value behind the loop is that of the last iteration.
#[derive(Clone, PartialEq, Debug)]
pub struct CopiedOut {
    pub slot: u16,
    pub name: String,
}

/// What the header's parameters are.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Scalars {
    pub reductions: Vec<Reduction>,
    pub copied_out: Vec<CopiedOut>,
    /// Slots that count in step with the loop, its own counter first.
    pub counters: Vec<Counter>,
    /// What must hold for these.
    pub assumes: BTreeSet<Assumption>,
    pub refusals: Vec<Refusal>,
}

/// A parameter, what accumulates from it, and who else reads it.
struct Web {
    /// The header's parameter.
    start: Value,
    values: BTreeSet<Value>,
    combines: BTreeSet<Combine>,
    wraps: BTreeSet<Kind>,
    /// Operations on floats by which it accumulates: products and quotients, or sums and differences.
    products: bool,
    updates: BTreeSet<InstId>,
    compares: Vec<Value>,
    /// The first reader that is none of these.
    reader: Option<Pc>,
    grows: Option<Growth>,
    /// The instructions that look for room behind it.
    rooms: BTreeSet<Pc>,
    /// Parameters that also become something else.
    foreign: Vec<(Value, Incoming)>,
}

/// A branch that keeps the better of two values: the blocks where the new one was taken begin here.
struct Select {
    combine: Combine,
    branch: BlockId,
    /// The number of the edge on which the new value is taken, its target and that of the other edge.
    edge: usize,
    taken: BlockId,
    other: BlockId,
}

/// A first smallest or largest that was found, and the values of all that is set with it.
struct Selected {
    select: Select,
    web: Web,
    set: BTreeSet<Value>,
}

struct Analysis<'a, 'b> {
    region: &'a Region,
    forms: &'b mut Forms<'a>,
    names: &'b Names<'a>,
    uses: Uses,
    but: &'b BTreeSet<Value>,
    dear: u32,
}

/// All but these parameters. `dear`: instructions of an iteration for each term of what accumulates in order.
pub fn classify<'a>(forms: &mut Forms<'a>, names: &Names<'a>, uses: Uses, but: &BTreeSet<Value>, dear: u32) -> Scalars {
    let region = forms.region;
    let mut analysis = Analysis { region, forms, names, uses, but, dear };
    analysis.run()
}

impl Analysis<'_, '_> {
    fn run(&mut self) -> Scalars {
        let region = self.region;
        let mut scalars = Scalars::default();
        let Some(root) = region.root() else { return scalars };
        let counter = match root.kind {
            LoopKind::Counted { counter } => Some(counter),
            LoopKind::Open => None,
        };
        let own = self.forms.trips[0].as_ref().ok().and_then(|trip| trip.counter);
        let mut selects: Vec<Selected> = Vec::new();
        let mut left: Vec<(u16, Web, String)> = Vec::new();
        for param in region.block(root.header).params.iter().filter(|param| !self.but.contains(&param.value)) {
            let hidden = counter.is_some_and(|c| param.slot == c || param.slot == c + 1);
            if let Some((by, assumed)) = self.counts(param.value, hidden) {
                let own = own.map_or(counter == Some(param.slot), |own| own == param.value);
                let at = if own { 0 } else { scalars.counters.len() };
                scalars.counters.insert(at, Counter { slot: param.slot, by });
                scalars.assumes.extend(assumed);
                continue;
            }
            let name = self.names.slot(param.slot);
            let web = self.web(param.value, param.slot, false);
            if root.kind == LoopKind::Open && web.values.len() == 1 && self.only_leaves(param.value, param.slot) {
                scalars.copied_out.push(CopiedOut { slot: param.slot, name });
                continue;
            }
            if let Some(select) = self.select(&web) {
                let combine = select.combine;
                let set = web.values.clone();
                selects.push(Selected { select, web, set });
                let (slot, param) = (param.slot, param.value);
                let (along, updates) = (Vec::new(), Vec::new());
                scalars.reductions.push(Reduction { slot, param, combine, narrow: None, along, updates, name });
                continue;
            }
            let plain = self.reduction(&web).map(|(combine, narrow)| (combine, narrow, Vec::new()));
            let in_order = || {
                let products = self.web(param.value, param.slot, true);
                let found = self.in_order(&web).or_else(|| self.in_order(&products));
                found.map(|(combine, updates)| (combine, None, updates))
            };
            match plain.or_else(in_order) {
                Some((combine, narrow, updates)) => scalars.reductions.push(Reduction {
                    slot: param.slot,
                    param: param.value,
                    combine,
                    narrow,
                    along: Vec::new(),
                    updates,
                    name,
                }),
                None => left.push((param.slot, web, name)),
            }
        }
        let refuse = |refusals: &mut Vec<Refusal>, refusal: Refusal| {
            if !refusals.contains(&refusal) {
                refusals.push(refusal);
            }
        };
        for (slot, web, name) in left {
            match selects.iter_mut().find(|selected| self.goes_along(&web, &selected.select)) {
                Some(selected) => {
                    let of = |reduction: &&mut Reduction| reduction.param == selected.web.start;
                    scalars.reductions.iter_mut().find(of).into_iter().for_each(|r| r.along.push(slot));
                    selected.set.extend(web.values);
                }
                None if self.is_flag(&web) => scalars.reductions.push(Reduction {
                    slot,
                    param: web.start,
                    combine: Combine::Set,
                    narrow: None,
                    along: Vec::new(),
                    updates: Vec::new(),
                    name,
                }),
                None => refuse(&mut scalars.refusals, self.refuse(&web, name)),
            }
        }
        for selected in selects.iter().filter(|selected| !self.decides_nothing_else(selected)) {
            let of = |reduction: &Reduction| reduction.param == selected.web.start;
            let Some(at) = scalars.reductions.iter().position(of) else { continue };
            let variable = scalars.reductions.remove(at).name;
            let pc = self.refuse(&selected.web, variable.clone()).pc;
            refuse(&mut scalars.refusals, Refusal::new(Reason::DecidesMore { variable }, pc));
        }
        self.leaving(&mut scalars);
        scalars
    }

    /// Slots that have no parameter at the header, written on every path, and are read behind the loop.
    fn leaving(&mut self, scalars: &mut Scalars) {
        let region = self.region;
        let Some(root) = region.root() else { return };
        let params: Vec<u16> = region.block(root.header).params.iter().map(|p| p.slot).collect();
        for block in &region.blocks {
            let Terminator::Exit(exit, args) = &block.end else { continue };
            let exit = region.exit(*exit);
            if !matches!(exit.kind, ExitKind::Done | ExitKind::Leave) {
                continue;
            }
            for (&slot, &arg) in exit.slots.iter().zip(args) {
                let known = params.contains(&slot) || scalars.copied_out.iter().any(|c| c.slot == slot);
                if !known && !self.forms.is_invariant(arg) {
                    scalars.copied_out.push(CopiedOut { slot, name: self.names.slot(slot) });
                }
            }
        }
    }

    /// Grows by the same in every iteration, so its value follows from the iteration's number; under these assumptions.
    fn counts(&mut self, param: Value, hidden: bool) -> Option<(Poly, BTreeSet<Assumption>)> {
        let (_, growth) = self.forms.growth(param, Region::ROOT)?;
        if hidden {
            return Some((growth.by, BTreeSet::new()));
        }
        if !self.forms.outside(&growth.by, Region::ROOT) {
            return None;
        }
        let mut assumes = growth.assumes;
        if growth.narrow.is_some() {
            // It is wrapped on its way, not always at the end of it.
            let form = self.forms.form(param);
            if form.poly == Poly::atom(Atom::Value(param)) {
                return None;
            }
            assumes.extend(form.assumes);
        }
        Some((growth.by, assumes))
    }

    /// Nobody in the loop reads it, nor does another slot keep it: what it is at the header of an iteration is what the
    /// one before has left.
    fn only_leaves(&self, value: Value, own: u16) -> bool {
        self.uses.get(value).iter().all(|u| matches!(*u, Use::Exit { slot, .. } if slot == own))
    }

    /// `products`: of floats, instead of sums.
    fn web(&self, param: Value, own: u16, products: bool) -> Web {
        let region = self.region;
        let mut web = Web {
            start: param,
            values: BTreeSet::new(),
            combines: BTreeSet::new(),
            wraps: BTreeSet::new(),
            products,
            updates: BTreeSet::new(),
            compares: Vec::new(),
            reader: None,
            grows: None,
            rooms: BTreeSet::new(),
            foreign: Vec::new(),
        };
        let mut todo = vec![param];
        while let Some(value) = todo.pop() {
            if !web.values.insert(value) {
                continue;
            }
            for &at in self.uses.get(value) {
                match at {
                    Use::Inst(id) => self.reader(&mut web, id, value, &mut todo),
                    Use::Param { param, .. } => todo.push(param),
                    Use::Exit { from, exit, slot } => {
                        // Another slot has what it was on the way.
                        if slot != own || !matches!(region.exit(exit).kind, ExitKind::Done | ExitKind::Leave) {
                            web.reader.get_or_insert(self.names.end(from));
                        }
                    }
                    // A condition is no slot's value.
                    Use::Branch(_) => {}
                }
            }
        }
        for &value in &web.values {
            let Some((block, position)) = Uses::block_of(region, value) else { continue };
            for arg in self.forms.arguments(block, position) {
                let start = value == param && arg.from < block;
                if !start && !web.values.contains(&arg.value) {
                    web.foreign.push((value, arg));
                }
            }
        }
        web
    }

    /// One instruction that reads a value of the web.
    fn reader(&self, web: &mut Web, id: InstId, value: Value, todo: &mut Vec<Value>) {
        let inst = self.region.inst(id);
        let operand = inst.args.iter().position(|&a| a == value).unwrap_or(0);
        let once = inst.args.iter().filter(|&&a| a == value).count() == 1;
        if let (Some(combine), true) = (Combine::of(inst.op, operand), once) {
            web.combines.insert(combine);
            todo.push(inst.results[0]);
            return;
        }
        match inst.op {
            Op::Float(op) | Op::Single(op) if once && in_order::accumulates(op, operand, web.products) => {
                web.updates.insert(id);
                todo.push(inst.results[0]);
            }
            Op::IntUnary(IntUnary::Wrap(kind)) => {
                web.wraps.insert(Kind::of(kind));
                todo.push(inst.results[0]);
            }
            Op::Compare(_) | Op::FloatCompare(_) | Op::SingleCompare(_) => {
                web.compares.push(inst.results[0]);
                // Only a branch that keeps the better one may follow; else this counts as the reader.
            }
            Op::Capacity => {
                web.grows.get_or_insert(Growth::of(self.names.called(inst.block)));
                web.rooms.insert(inst.pc);
                web.reader.get_or_insert(self.names.inst(inst));
            }
            Op::Runtime(routine) => {
                // The array itself, not what is appended.
                let is = |slot: u16| inst.args.get(usize::from(slot)) == Some(&value);
                let growth = routine.signature().effects.iter().find_map(|effect| match *effect {
                    Effect::Appends { pointer, count } if is(pointer) || is(count) => Some(Growth::Text),
                    Effect::Reads(e) if routine == Routine::ArrayGrow && (is(e.pointer) || is(e.count)) => {
                        Some(Growth::of(self.names.called(inst.block)))
                    }
                    _ => None,
                });
                web.grows = web.grows.or(growth);
                web.reader.get_or_insert(self.names.inst(inst));
            }
            _ => {
                web.reader.get_or_insert(self.names.inst(inst));
            }
        }
    }

    /// Whether the other operand of each accumulation lies outside of the web.
    fn separate(&self, web: &Web) -> bool {
        web.values.iter().all(|&v| match self.region.def_inst(v) {
            Some(inst) => inst.args.iter().filter(|a| web.values.contains(a)).count() == 1,
            None => true,
        })
    }

    fn reduction(&self, web: &Web) -> Option<(Combine, Option<Kind>)> {
        if web.reader.is_some() || !web.updates.is_empty() || !web.compares.is_empty() || !web.foreign.is_empty() {
            return None;
        }
        let mut combines = web.combines.iter();
        let (&combine, None) = (combines.next()?, combines.next()) else { return None };
        if !self.separate(web) {
            return None;
        }
        let narrow = match (web.wraps.len(), web.wraps.first()) {
            (0, _) => None,
            (1, Some(&kind)) if combine.wraps() && self.always_wrapped(web, combine) => Some(kind),
            _ => return None,
        };
        Some((combine, narrow))
    }

    /// Whatever iteration sets it, it is set to the same value, and nobody looks at it before the end.
    fn is_flag(&self, web: &Web) -> bool {
        let untouched = web.reader.is_none()
            && web.updates.is_empty()
            && web.combines.is_empty()
            && web.wraps.is_empty()
            && web.compares.is_empty();
        let Some(&(_, first)) = web.foreign.first() else { return false };
        // Variables that exchange their values are in one web.
        let Some(root) = self.region.root() else { return false };
        let mut carried = self.region.block(root.header).params.iter().map(|param| param.value);
        untouched
            && carried.all(|param| param == web.start || !web.values.contains(&param))
            && self.forms.is_invariant(first.value)
            && web.foreign.iter().all(|(_, arg)| arg.value == first.value)
            && self.always_current(web)
    }

    /// Sums and products are wrapped before anything else is done with them.
    fn always_wrapped(&self, web: &Web, combine: Combine) -> bool {
        if !matches!(combine, Combine::Sum | Combine::Product) {
            return true;
        }
        web.values.iter().all(|&v| match self.region.def_inst(v) {
            Some(inst) if matches!(inst.op, Op::Int(_)) => self.uses.get(v).iter().all(|&u| match u {
                Use::Inst(id) => matches!(self.region.inst(id).op, Op::IntUnary(IntUnary::Wrap(_))),
                _ => false,
            }),
            _ => true,
        })
    }

    /// `if x < best set best: x`: a strict comparison with the web on one side, whose branch alone replaces the value by
    /// the other side.
    fn select(&self, web: &Web) -> Option<Select> {
        let plain = web.reader.is_none() && web.updates.is_empty() && web.combines.is_empty() && web.wraps.is_empty();
        let &[cond] = &web.compares[..] else { return None };
        if !plain || web.foreign.is_empty() || !self.always_current(web) {
            return None;
        }
        let inst = self.region.def_inst(cond)?;
        let (a, b) = (inst.args[0], inst.args[1]);
        let kept_first = web.values.contains(&a);
        if kept_first == web.values.contains(&b) {
            return None;
        }
        let new = if kept_first { b } else { a };
        // Who tests it, and whether negated.
        let (mut cond, mut holds) = (cond, true);
        let branch = loop {
            let &[only] = self.uses.get(cond) else { return None };
            match only {
                Use::Branch(block) => break block,
                Use::Inst(id) if self.region.inst(id).op == Op::Not => {
                    cond = self.region.inst(id).results[0];
                    holds = !holds;
                }
                _ => return None,
            }
        };
        let Terminator::Branch(_, yes, no) = &self.region.block(branch).end else { return None };
        // The side on which `new` is strictly better. Of integers `not (a <= b)` is `b < a`; a NaN makes both false.
        let (strict_holds, less_first) = match inst.op {
            Op::Compare(IntCompare::LtS) => (true, true),
            Op::Compare(IntCompare::LeS) => (false, false),
            Op::FloatCompare(FloatCompare::Lt) | Op::SingleCompare(FloatCompare::Lt) => (true, true),
            _ => return None,
        };
        // `first < second` on the taken side, if less_first; else `second < first`.
        let first_is_new = !kept_first;
        let combine = if first_is_new == less_first { Combine::Least } else { Combine::Greatest };
        let edge = usize::from(strict_holds != holds);
        let (taken, other) = if edge == 0 { (yes.to, no.to) } else { (no.to, yes.to) };
        let select = Select { combine, branch, edge, taken, other };
        let fits = self.replaced_where_taken(web, &select) && web.foreign.iter().all(|(_, arg)| arg.value == new);
        fits.then_some(select)
    }

    /// Whether the web takes another value exactly on the ways through the taken side.
    fn replaced_where_taken(&self, web: &Web, select: &Select) -> bool {
        let region = self.region;
        let replaced: BTreeSet<Value> = web.foreign.iter().map(|&(param, _)| param).collect();
        replaced.iter().all(|&param| {
            let Some((block, position)) = Uses::block_of(region, param) else { return false };
            if region.cycles.iter().any(|c| c.header == block) {
                return false;
            }
            let arguments = self.forms.arguments(block, position);
            let both = arguments.iter().any(|arg| web.values.contains(&arg.value));
            both && arguments.iter().all(|arg| {
                let through = self.through(select, arg.from, arg.edge);
                through.is_some_and(|through| through != web.values.contains(&arg.value))
            })
        })
    }

    /// Whether every way over an edge went through the taken side; none if some do and some do not.
    fn through(&self, select: &Select, from: BlockId, edge: usize) -> Option<bool> {
        if from == select.branch {
            return Some(edge == select.edge);
        }
        let d = self.forms.dominators;
        // Past the branch altogether.
        if !self.reaches(select.branch, from, Region::ENTRY) {
            return Some(false);
        }
        let only_from_branch =
            |side: BlockId| matches!(self.forms.edges_to(side), &[(only, _)] if only == select.branch);
        for (side, taken) in [(select.taken, true), (select.other, false)] {
            if only_from_branch(side) && d.dominates(side, from) {
                return Some(taken);
            }
        }
        // Below the branch, and the one side never gets there: through the other.
        for (side, taken) in [(select.taken, false), (select.other, true)] {
            if only_from_branch(side) && d.dominates(select.branch, from) && !self.reaches(side, from, select.branch) {
                return Some(taken);
            }
        }
        None
    }

    /// Whether a block is reached from another without going through a third.
    fn reaches(&self, from: BlockId, to: BlockId, without: BlockId) -> bool {
        let mut seen = BTreeSet::new();
        let mut todo = vec![from];
        while let Some(block) = todo.pop() {
            if block == to {
                return true;
            }
            if block != without && seen.insert(block) {
                todo.extend(self.region.block(block).end.edges().map(|e| e.to).filter(|&next| next > block));
            }
        }
        false
    }

    /// Set exactly where a first smallest or largest is replaced, and read by nobody.
    fn goes_along(&self, web: &Web, select: &Select) -> bool {
        let untouched = web.reader.is_none()
            && web.updates.is_empty()
            && web.combines.is_empty()
            && web.wraps.is_empty()
            && web.compares.is_empty();
        untouched && !web.foreign.is_empty() && self.always_current(web) && self.replaced_where_taken(web, select)
    }

    /// Whether the branch decides about the values that are set with it alone. A run of iterations begins without what
    /// those before have found, and takes the side more often than the program does: nothing else may show that, neither
    /// a count of the times, nor a store, nor an error.
    fn decides_nothing_else(&self, Selected { select, set, .. }: &Selected) -> bool {
        let region = self.region;
        let quiet = |block: BlockId| {
            let mut insts = region.block(block).insts.iter().map(|&id| region.inst(id).op.effects());
            insts.all(|effects| matches!(effects, Effects::Pure | Effects::Load))
        };
        // The blocks between the branch and where its ways meet. An edge leads to a later block, or back to a header.
        let mut between = BTreeSet::from([select.branch]);
        let mut ahead = BTreeSet::from([select.taken, select.other]);
        while let Some(block) = ahead.pop_first() {
            let differs = |position: usize| {
                let arguments = self.forms.arguments(block, position);
                let mut inside = arguments.iter().filter(|arg| between.contains(&arg.from)).map(|arg| arg.value);
                inside.next().is_some_and(|first| inside.any(|value| value != first))
            };
            let params = region.block(block).params.iter().enumerate();
            let mut shown = params.filter(|(_, p)| !set.contains(&p.value) && !self.uses.get(p.value).is_empty());
            if shown.any(|(position, _)| differs(position)) {
                return false;
            }
            if ahead.is_empty() {
                return true;
            }
            let end = &region.block(block).end;
            if !quiet(block) || matches!(end, Terminator::Exit(..)) || end.edges().any(|edge| edge.to <= block) {
                return false;
            }
            ahead.extend(end.edges().map(|edge| edge.to));
            between.insert(block);
        }
        false
    }

    /// Whether no value of the web is read where another one has taken its place: an older value must not come back.
    fn always_current(&self, web: &Web) -> bool {
        let d = self.forms.dominators;
        web.values.iter().all(|&later| {
            let Some((block, position)) = Uses::block_of(self.region, later) else { return true };
            let before = self.forms.arguments(block, position).into_iter().filter(|arg| arg.from < block);
            before.filter(|arg| web.values.contains(&arg.value)).all(|arg| {
                self.uses.get(arg.value).iter().all(|&at| {
                    let reader = match at {
                        Use::Inst(id) => self.region.inst(id).block,
                        Use::Branch(from) | Use::Param { from, .. } | Use::Exit { from, .. } => from,
                    };
                    !d.dominates(block, reader)
                })
            })
        })
    }

    fn refuse(&self, web: &Web, variable: String) -> Refusal {
        let names = self.names;
        let accumulates = !web.combines.is_empty() || !web.updates.is_empty();
        let compared = web.compares.first().and_then(|&c| self.region.def_inst(c)).map(|i| names.inst(i));
        let reader = web.reader.or(compared);
        let update = web.values.iter().find_map(|&v| self.region.def_inst(v)).map(|i| names.inst(i));
        let set = web.foreign.first().map(|(_, arg)| match self.region.def_inst(arg.value) {
            Some(inst) if !self.forms.is_invariant(arg.value) => names.inst(inst),
            _ => names.end(arg.from),
        });
        let fallback = names.program.loops[names.id.0 as usize].code.start;
        let at = |places: [Option<Pc>; 3]| places.into_iter().flatten().next().unwrap_or(Pc(fallback));
        let changes = web.foreign.is_empty();
        if let Some(by) = web.grows.or(self.is_lengthened(web).then_some(Growth::Text)) {
            let rooms = web.rooms.clone();
            return Refusal::new(Reason::Grows { variable, by, rooms }, at([reader, update, set]));
        }
        if reader.is_none() && accumulates && changes {
            let reason = if web.combines.is_empty() {
                Reason::FloatSum { variable }
            } else {
                Reason::MixedReduction { variable }
            };
            return Refusal::new(reason, at([update, set, None]));
        }
        if reader.is_none() && !accumulates {
            return Refusal::new(Reason::SometimesSet { variable }, at([set, update, None]));
        }
        if accumulates && changes && reader.is_some() && self.plain_accumulation(web) {
            return Refusal::new(Reason::ReadHalfway { variable }, at([reader, update, set]));
        }
        Refusal::new(Reason::Carried { variable }, at([reader, set, update]))
    }

    /// Whether what comes round is the text that it was, and something behind it.
    fn is_lengthened(&self, web: &Web) -> bool {
        web.foreign.iter().any(|(_, arg)| {
            self.region.def_inst(arg.value).is_some_and(|inst| {
                let joins = matches!(inst.op, Op::Runtime(Routine::StringConcat));
                joins && inst.args.iter().any(|arg| web.values.contains(arg))
            })
        })
    }

    /// Whether what comes round is the accumulated value, so that only the extra reader stands in the way.
    fn plain_accumulation(&self, web: &Web) -> bool {
        web.combines.len() + usize::from(!web.updates.is_empty()) == 1 && self.separate(web)
    }
}
