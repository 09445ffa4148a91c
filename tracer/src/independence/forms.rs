//! What each value of a region is in terms of the loops' counters: invariant, affine, or neither.
//!
//! The counters of the region's cycles are recognized here: hidden ones of counted loops, and slots that a `while` adds a
//! constant to. A form holds modulo 2^64 because the arithmetic it came from wraps; where it went through a narrower
//! type, it holds if the value fits there, which is noted as an assumption.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use scaly_interp::machine::{IntCompare, IntKind, IntOp, IntUnary};
use scaly_interp::program::LoopKind;

use super::poly::{Atom, Poly};
use super::{Counter, CounterStart};
use crate::parameters::Parameters;
use crate::region::{BlockId, CycleId, Def, Dominators, Effects, Op, Param, Region, Terminator, Value};
use crate::walker::{Base, Linear};

/// A value's polynomial and what must hold for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Form {
    pub poly: Poly,
    pub assumes: BTreeSet<Assumption>,
}

/// This polynomial fits into an integer type everywhere in the loop.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Assumption {
    pub poly: Poly,
    pub kind: Kind,
}

/// [`IntKind`] with an order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Kind(pub u8);

impl Kind {
    pub fn of(kind: IntKind) -> Kind {
        Kind(IntKind::ALL.iter().position(|&k| k == kind).unwrap_or(3) as u8)
    }

    pub fn int(self) -> IntKind {
        IntKind::ALL[usize::from(self.0)]
    }

    /// Smallest and largest value.
    pub fn range(self) -> (i128, i128) {
        match self.int() {
            IntKind::I8 => (i8::MIN.into(), i8::MAX.into()),
            IntKind::I16 => (i16::MIN.into(), i16::MAX.into()),
            IntKind::I32 => (i32::MIN.into(), i32::MAX.into()),
            IntKind::I64 => (i64::MIN.into(), i64::MAX.into()),
            IntKind::U8 => (0, u8::MAX.into()),
            IntKind::U16 => (0, u16::MAX.into()),
            IntKind::U32 => (0, u32::MAX.into()),
            IntKind::U64 => (0, u64::MAX.into()),
        }
    }

    pub fn name(self) -> &'static str {
        ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"][usize::from(self.0)]
    }
}

/// How a cycle counts.
#[derive(Clone, PartialEq, Debug)]
pub struct Trip {
    /// The header's parameter that counts; none where nothing reads it.
    pub counter: Option<Value>,
    pub start: Poly,
    /// The counter becomes smaller.
    pub down: bool,
    /// How far it goes each time round: positive, and always the same.
    pub step: Poly,
    /// Upper bound of the counter's distance from its start, wherever the body runs.
    pub last: Poly,
    /// What must hold for `last`.
    pub assumes: BTreeSet<Assumption>,
    /// The block whose branch leaves the cycle when it is done.
    pub test: BlockId,
    /// Of a `while`.
    pub limit: Option<Limit>,
}

/// What the counter of a `while` is compared with.
#[derive(Clone, PartialEq, Debug)]
pub struct Limit {
    pub poly: Poly,
    /// The counter plus this is compared, with the limit plus this.
    pub shift: i128,
    /// The counter does not reach it.
    pub strict: bool,
    pub signed: bool,
    /// Of the comparison.
    pub operand: usize,
}

/// Why a cycle has no trip count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Uncounted {
    /// No slot grows by a constant on every way round.
    NoCounter,
    /// The condition compares with something that changes in the loop, or does not compare at all.
    LimitVaries(BlockId),
    /// Something happens before the condition is tested.
    TestedLate(BlockId),
}

/// How a value behaves in the region's loop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Variance {
    /// The same in every iteration.
    Uniform,
    /// A sum of counters with invariant coefficients.
    Affine,
    Varying,
}

/// How a slot grows each time round a loop.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Growth {
    pub by: Poly,
    /// The narrow type that it wraps to.
    pub narrow: Option<Kind>,
    /// What must hold for `by`.
    pub assumes: BTreeSet<Assumption>,
}

/// What comes in for a parameter over one edge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Incoming {
    pub from: BlockId,
    /// Number of the edge among those of its block.
    pub edge: usize,
    pub value: Value,
}

pub struct Forms<'a> {
    pub region: &'a Region,
    pub dominators: &'a Dominators,
    preds: Vec<Vec<(BlockId, usize)>>,
    invariant: Vec<bool>,
    /// Of the values that enter the loop: constants, and those that are another one plus a constant.
    known: FxHashMap<Value, Poly>,
    /// The comparison that let the region's counted loop begin is signed.
    signed: bool,
    pub trips: Vec<Result<Trip, Uncounted>>,
    memo: FxHashMap<Value, Form>,
    /// Values whose form is being computed.
    busy: BTreeSet<Value>,
    terms: usize,
}

impl<'a> Forms<'a> {
    /// `linear` is what is known of the slots at the loop's entry, `signed` how its trips were counted.
    pub fn of(
        region: &'a Region,
        dominators: &'a Dominators,
        linear: &[Option<Linear>],
        signed: bool,
        parameters: &Parameters,
    ) -> Forms<'a> {
        let mut forms = Forms {
            region,
            known: related(region, linear),
            signed,
            dominators,
            preds: region.predecessors(),
            invariant: invariant(region),
            trips: vec![Err(Uncounted::NoCounter); region.cycles.len()],
            memo: FxHashMap::default(),
            busy: BTreeSet::new(),
            terms: parameters.polynomial_terms as usize,
        };
        // From the outside in: an inner loop's start may be in terms of an outer one's counter.
        for i in 0..region.cycles.len() {
            let trip = forms.trip(CycleId(i as u32));
            forms.trips[i] = trip;
            forms.memo.clear();
        }
        forms
    }

    pub fn is_invariant(&self, value: Value) -> bool {
        self.invariant[value.index()]
    }

    pub fn variance(&mut self, value: Value) -> Variance {
        if self.is_invariant(value) {
            return Variance::Uniform;
        }
        let form = self.form(value);
        let known = form.poly.atoms().all(|a| match a {
            Atom::Value(v) => self.is_invariant(v),
            Atom::Iter(_) | Atom::Trips(_) => true,
        });
        if known { Variance::Affine } else { Variance::Varying }
    }

    fn opaque(value: Value) -> Form {
        Form { poly: Poly::atom(Atom::Value(value)), assumes: BTreeSet::new() }
    }

    pub fn form(&mut self, value: Value) -> Form {
        if let Some(form) = self.memo.get(&value) {
            return form.clone();
        }
        if !self.busy.insert(value) {
            return Self::opaque(value);
        }
        let form = self.compute(value).filter(|f| f.poly.size() <= self.terms).unwrap_or_else(|| Self::opaque(value));
        self.busy.remove(&value);
        self.memo.insert(value, form.clone());
        form
    }

    fn compute(&mut self, value: Value) -> Option<Form> {
        let region = self.region;
        let inst = match region.values[value.index()].def {
            Def::Param(block, position) => return self.parameter(value, block, position as usize),
            Def::Result(inst, _) => region.inst(inst),
        };
        let simple = |poly: Poly| Some(Form { poly, assumes: BTreeSet::new() });
        match inst.op {
            Op::Const(c) => simple(Poly::constant(c.into())),
            Op::Int(op) => {
                let (a, b) = (self.form(inst.args[0]), self.form(inst.args[1]));
                let poly = match op {
                    IntOp::Add => a.poly.add(&b.poly)?,
                    IntOp::Sub => a.poly.sub(&b.poly)?,
                    IntOp::Mul => a.poly.mul(&b.poly)?,
                    IntOp::Shl => {
                        let count = b.poly.as_constant().filter(|c| (0..63).contains(c))?;
                        a.poly.scale(1 << count)?
                    }
                    _ => return None,
                };
                Some(Form { poly, assumes: a.assumes.union(&b.assumes).cloned().collect() })
            }
            Op::IntUnary(IntUnary::Neg) => {
                let a = self.form(inst.args[0]);
                Some(Form { poly: a.poly.scale(-1)?, assumes: a.assumes })
            }
            Op::IntUnary(IntUnary::Wrap(kind)) if !self.is_invariant(value) => {
                let mut a = self.form(inst.args[0]);
                // Of a value of which nothing is known, nothing is known behind either.
                if a.poly == Poly::atom(Atom::Value(inst.args[0])) {
                    return None;
                }
                a.assumes.insert(Assumption { poly: a.poly.clone(), kind: Kind::of(kind) });
                Some(a)
            }
            _ => None,
        }
    }

    fn parameter(&mut self, value: Value, block: BlockId, position: usize) -> Option<Form> {
        if block == Region::ENTRY {
            return Some(Form { poly: self.known.get(&value)?.clone(), assumes: BTreeSet::new() });
        }
        let Some(cycle) = self.header_of(block) else {
            // A join of ways that agree.
            let args = self.arguments(block, position);
            let (first, rest) = args.split_first()?;
            let form = self.form(first.value);
            for arg in rest {
                if self.form(arg.value) != form {
                    return None;
                }
            }
            return Some(form);
        };
        let trip = self.trips[cycle.index()].clone().ok()?;
        if trip.counter == Some(value) {
            let far = Poly::atom(Atom::Iter(cycle)).scale(if trip.down { -1 } else { 1 })?;
            return Some(Form { poly: trip.start.add(&far)?, assumes: trip.assumes });
        }
        // A second slot that grows by the same amount each time round.
        let (start, Growth { by, narrow: wrapped, assumes }) = self.growth(value, cycle)?;
        let mut form = self.form(start);
        if !self.outside(&by, cycle) {
            return None;
        }
        let by = match (trip.step.as_constant(), by.as_constant()) {
            (Some(1), _) => by,
            (Some(step), Some(by)) if by % step == 0 => Poly::constant(by / step),
            _ if by == trip.step => Poly::constant(1),
            _ if by == trip.step.scale(-1)? => Poly::constant(-1),
            _ => return None,
        };
        form.poly = form.poly.add(&by.mul(&Poly::atom(Atom::Iter(cycle)))?)?;
        form.assumes.extend(trip.assumes);
        form.assumes.extend(assumes);
        if let Some(kind) = wrapped {
            form.assumes.insert(Assumption { poly: form.poly.clone(), kind });
        }
        Some(form)
    }

    /// Whether nothing in a polynomial changes while a cycle runs.
    pub fn outside(&self, poly: &Poly, cycle: CycleId) -> bool {
        poly.atoms().all(|atom| match atom {
            Atom::Value(v) => {
                self.is_invariant(v) || !self.region.within(self.region.block(self.region.def_block(v)).cycle, cycle)
            }
            Atom::Iter(c) => !self.region.within(Some(c), cycle),
            Atom::Trips(_) => true,
        })
    }

    fn header_of(&self, block: BlockId) -> Option<CycleId> {
        self.region.cycles.iter().position(|c| c.header == block).map(|i| CycleId(i as u32))
    }

    /// What comes in for a block's parameter, with where it comes from.
    pub fn arguments(&self, block: BlockId, position: usize) -> Vec<Incoming> {
        self.preds[block.index()]
            .iter()
            .filter_map(|&(from, edge)| {
                let value = *self.region.block(from).end.edges().nth(edge)?.args.get(position)?;
                Some(Incoming { from, edge, value })
            })
            .collect()
    }

    /// The edges that lead to a block: where from, and their number there.
    pub fn edges_to(&self, block: BlockId) -> &[(BlockId, usize)] {
        &self.preds[block.index()]
    }

    /// What a header's parameter starts as, and what it becomes on each way round.
    pub fn around(&self, cycle: CycleId, position: usize) -> (Vec<Value>, Vec<Value>) {
        let header = self.region.cycle(cycle).header;
        let (back, start): (Vec<_>, Vec<_>) =
            self.arguments(header, position).into_iter().partition(|arg| arg.from >= header);
        (start.into_iter().map(|arg| arg.value).collect(), back.into_iter().map(|arg| arg.value).collect())
    }

    /// Of a header's parameter that grows by the same on every way round: its start, and the growth.
    pub fn growth(&mut self, param: Value, cycle: CycleId) -> Option<(Value, Growth)> {
        let Def::Param(_, position) = self.region.values[param.index()].def else { return None };
        let (start, back) = self.around(cycle, position as usize);
        let (&[start], Some((&first, rest))) = (&start[..], back.split_first()) else { return None };
        let mut growth = Growth::default();
        growth.by = self.round(first, param, cycle, &mut growth)?;
        for &other in rest {
            if self.round(other, param, cycle, &mut growth)? != growth.by {
                return None;
            }
        }
        Some((start, growth))
    }

    /// value - param, where the value comes round as this parameter of a cycle's header.
    fn round(&mut self, value: Value, param: Value, cycle: CycleId, growth: &mut Growth) -> Option<Poly> {
        let by = self.distance(value, param, growth, 0)?;
        let left = self.left_cycles(self.region.def_block(value), self.region.cycle(cycle).header);
        self.behind(by, &left)
    }

    /// What a distance is behind cycles, from the innermost on: only their last iterations lead out.
    fn behind(&self, mut by: Poly, left: &[CycleId]) -> Option<Poly> {
        for &cycle in left {
            let (each, rest) = by.split(Atom::Iter(cycle))?;
            if each.is_zero() {
                continue;
            }
            // So this is how often it went round.
            let trip = self.trips[cycle.index()].as_ref().ok()?;
            let counted = matches!(self.region.cycle(cycle).kind, LoopKind::Counted { .. });
            if !counted || !self.leaves_only_by(cycle, trip.test) {
                return None;
            }
            by = rest.add(&each.mul(&trip.last)?)?;
        }
        Some(by)
    }

    /// value - param, if it is the same polynomial on every path between them.
    fn distance(&mut self, value: Value, param: Value, growth: &mut Growth, depth: u32) -> Option<Poly> {
        if value == param {
            return Some(Poly::default());
        }
        if depth > 16 || self.is_invariant(value) {
            return None;
        }
        let inst = match self.region.values[value.index()].def {
            Def::Param(Region::ENTRY, _) => return None,
            Def::Param(block, position) => {
                return match self.header_of(block) {
                    Some(cycle) => self.distance_in(cycle, value, param, growth, depth),
                    None => self.distance_at_join(block, position as usize, param, growth, depth),
                };
            }
            Def::Result(inst, _) => self.region.inst(inst),
        };
        match inst.op {
            Op::Int(IntOp::Add) => {
                let (a, b) = (inst.args[0], inst.args[1]);
                if let Some(by) = self.distance(a, param, growth, depth + 1) {
                    return by.add(&self.addend(b)?);
                }
                let by = self.distance(b, param, growth, depth + 1)?;
                by.add(&self.addend(a)?)
            }
            Op::Int(IntOp::Sub) => {
                let by = self.distance(inst.args[0], param, growth, depth + 1)?;
                by.sub(&self.addend(inst.args[1])?)
            }
            Op::IntUnary(IntUnary::Wrap(kind)) => {
                let by = self.distance(inst.args[0], param, growth, depth + 1)?;
                let kind = Kind::of(kind);
                if growth.narrow.replace(kind).is_some_and(|other| other != kind) {
                    return None;
                }
                Some(by)
            }
            _ => None,
        }
    }

    /// Within an inner cycle that takes it further by the same each time round: so far, and as often as it has been round.
    fn distance_in(
        &mut self,
        cycle: CycleId,
        value: Value,
        param: Value,
        growth: &mut Growth,
        depth: u32,
    ) -> Option<Poly> {
        let Def::Param(_, position) = self.region.values[value.index()].def else { return None };
        let trip = self.trips[cycle.index()].clone().ok()?;
        // Else the parameter itself is of this cycle, or of one inside of it.
        let (start, _) = self.around(cycle, position as usize);
        let &[start] = &start[..] else { return None };
        if trip.step.as_constant() != Some(1) || value == param {
            return None;
        }
        let so_far = self.distance(start, param, growth, depth + 1)?;
        let (_, each) = self.growth(value, cycle)?;
        if !self.outside(&each.by, cycle) || each.narrow.is_some() {
            return None;
        }
        growth.assumes.extend(each.assumes);
        growth.assumes.extend(trip.assumes);
        so_far.add(&each.by.mul(&Poly::atom(Atom::Iter(cycle)))?)
    }

    /// Where ways meet that have gone equally far; or one of them through a counted loop, and the other around it because
    /// it had no trips.
    fn distance_at_join(
        &mut self,
        block: BlockId,
        position: usize,
        param: Value,
        growth: &mut Growth,
        depth: u32,
    ) -> Option<Poly> {
        let args = self.arguments(block, position);
        let mut far = Vec::new();
        for arg in &args {
            let by = self.distance(arg.value, param, growth, depth + 1)?;
            let by = self.behind(by, &self.left_cycles(self.region.def_block(arg.value), block))?;
            far.push((arg.from, by));
        }
        let (first, rest) = far.split_first()?;
        if rest.iter().all(|(_, by)| *by == first.1) {
            return Some(first.1.clone());
        }
        let &[(a, ref x), (b, ref y)] = &far[..] else { return None };
        let ((around, short), (through, long)) =
            if self.left_cycles(a, block).is_empty() { ((a, x), (b, y)) } else { ((b, y), (a, x)) };
        let &[cycle] = &self.left_cycles(through, block)[..] else { return None };
        let trip = self.trips[cycle.index()].clone().ok()?;
        let times = trip.last.plus(1)?;
        if !self.skips(around, cycle, &times) || !multiple(&long.sub(short)?, &times) {
            return None;
        }
        growth.assumes.extend(trip.assumes);
        growth.assumes.insert(Assumption { poly: times, kind: Kind::of(IntKind::U64) });
        Some(long.clone())
    }

    /// Cycles that an edge leads out of.
    fn left_cycles(&self, from: BlockId, to: BlockId) -> Vec<CycleId> {
        let mut left = Vec::new();
        let mut at = self.region.block(from).cycle;
        while let Some(cycle) = at {
            if self.region.within(self.region.block(to).cycle, cycle) {
                break;
            }
            left.push(cycle);
            at = self.region.cycle(cycle).parent;
        }
        left
    }

    /// Whether every edge out of a cycle is of this block; errors apart.
    fn leaves_only_by(&self, cycle: CycleId, test: BlockId) -> bool {
        self.region.blocks.iter().enumerate().all(|(i, block)| {
            let inside = self.region.within(block.cycle, cycle);
            !inside
                || BlockId(i as u32) == test
                || block.end.edges().all(|e| self.region.within(self.region.block(e.to).cycle, cycle))
        })
    }

    /// Whether a block decides that a counted cycle of so many trips, if any, is not entered: on first < end.
    fn skips(&mut self, guard: BlockId, cycle: CycleId, times: &Poly) -> bool {
        let region = self.region;
        let Terminator::Branch(cond, yes, no) = &region.block(guard).end else { return false };
        let Some(mut inst) = region.def_inst(*cond) else { return false };
        let mut enters = true;
        if inst.op == Op::Not {
            let Some(inner) = region.def_inst(inst.args[0]) else { return false };
            (inst, enters) = (inner, false);
        }
        let more = match inst.op {
            Op::Compare(IntCompare::LtS) => 0,
            Op::Compare(IntCompare::LeS) => 1,
            _ => return false,
        };
        let inside = if enters { yes.to } else { no.to };
        let header = region.cycle(cycle).header;
        let leads_in = inside == header || matches!(&region.block(inside).end, Terminator::Jump(e) if e.to == header);
        let (first, end) = (self.form(inst.args[0]), self.form(inst.args[1]));
        let count = end.poly.sub(&first.poly).and_then(|d| d.plus(more));
        leads_in && count.as_ref() == Some(times)
    }

    /// The form of what is added, where it needs no assumption.
    fn addend(&mut self, value: Value) -> Option<Poly> {
        let form = self.form(value);
        form.assumes.is_empty().then_some(form.poly)
    }

    /// How a cycle counts.
    fn trip(&mut self, cycle: CycleId) -> Result<Trip, Uncounted> {
        match self.region.cycle(cycle).kind {
            LoopKind::Counted { counter } => self.counted(cycle, counter).ok_or(Uncounted::NoCounter),
            LoopKind::Open => self.conditional(cycle),
        }
    }

    /// The opcode pair keeps the remaining trips in the slot behind the counter.
    fn counted(&mut self, cycle: CycleId, slot: u16) -> Option<Trip> {
        let header = self.region.cycle(cycle).header;
        let params = &self.region.block(header).params;
        let find = |slot: u16| params.iter().position(|p| p.slot == slot);
        let trips = find(slot + 1)?;
        let (start, _) = self.around(cycle, trips);
        let &[left] = &start[..] else { return None };
        let mut assumes = BTreeSet::new();
        let counter = find(slot);
        let mut begin = Poly::default();
        if let Some(position) = counter {
            let (start, _) = self.around(cycle, position);
            let &[first] = &start[..] else { return None };
            let form = self.form(first);
            begin = form.poly;
            assumes.extend(form.assumes);
        }
        let param = params[trips].value;
        let test = self.test_of(param)?;
        let last = if cycle == Region::ROOT {
            let known = self.known.get(&left).filter(|known| self.signed || known.as_constant().is_some());
            match (self.region.constant(left), known) {
                (Some(c), _) => Poly::constant((c as u64).into()),
                (_, Some(known)) if known.as_constant().is_some() => {
                    Poly::constant((known.as_constant()? as i64 as u64).into())
                }
                // The loop has begun, so the first value is below the end, and this is how far.
                (_, Some(known)) if begin.as_constant().is_some() && counter.is_some() => {
                    let end = known.add(&begin)?.plus(1)?;
                    if !end.is_simple() {
                        assumes.insert(Assumption { poly: end, kind: Kind::of(IntKind::I64) });
                    }
                    known.clone()
                }
                _ => Poly::atom(Atom::Trips(left)),
            }
        } else {
            let form = self.form(left);
            assumes.extend(form.assumes);
            // The true number of trips is end - first - 1; so it is this polynomial if first and end are theirs.
            let signed = self.signed_entry(cycle);
            if form.poly.as_constant().is_none() {
                let end = form.poly.add(&begin)?.plus(1)?;
                let kind = Kind::of(IntKind::I64);
                for edge in [&begin, &end] {
                    if !signed {
                        let kind = Kind::of(IntKind::U32);
                        assumes.insert(Assumption { poly: edge.clone(), kind });
                    } else if !edge.is_simple() {
                        assumes.insert(Assumption { poly: edge.clone(), kind });
                    }
                }
            } else if form.poly.as_constant()? < 0 {
                return None;
            }
            form.poly
        };
        let counter = counter.map(|at| params[at].value);
        Some(Trip { counter, start: begin, down: false, step: Poly::constant(1), last, assumes, test, limit: None })
    }

    /// The block that branches on the remaining trips.
    fn test_of(&self, trips: Value) -> Option<BlockId> {
        self.region
            .blocks
            .iter()
            .position(|block| {
                let Terminator::Branch(cond, ..) = block.end else { return false };
                let Some(inst) = self.region.def_inst(cond) else { return false };
                inst.op == Op::Compare(IntCompare::Ne)
                    && inst.args[0] == trips
                    && self.region.constant(inst.args[1]) == Some(0)
            })
            .map(|i| BlockId(i as u32))
    }

    /// Whether the comparison that lets a counted loop begin is signed. One that was decided by constants is.
    fn signed_entry(&self, cycle: CycleId) -> bool {
        let header = self.region.cycle(cycle).header;
        let mut at = match self.preds[header.index()].iter().find(|(from, _)| *from < header) {
            Some(&(from, _)) => from,
            None => return true,
        };
        loop {
            if let Terminator::Branch(cond, ..) = self.region.block(at).end {
                let Some(mut inst) = self.region.def_inst(cond) else { return true };
                if inst.op == Op::Not {
                    match self.region.def_inst(inst.args[0]) {
                        Some(inner) => inst = inner,
                        None => return true,
                    }
                }
                return !matches!(inst.op, Op::Compare(IntCompare::LtU | IntCompare::LeU));
            }
            // Only a straight line leads from the preparation to the header.
            match self.preds[at.index()][..] {
                [(from, _)] if from < at => at = from,
                _ => return true,
            }
        }
    }

    /// A `while`: the header's parameter in a comparison that leaves the cycle, going the same distance each time.
    fn conditional(&mut self, cycle: CycleId) -> Result<Trip, Uncounted> {
        let region = self.region;
        let header = region.cycle(cycle).header;
        let mut why = Uncounted::NoCounter;
        for (i, block) in region.blocks.iter().enumerate() {
            let id = BlockId(i as u32);
            let Terminator::Branch(cond, yes, no) = &block.end else { continue };
            if block.cycle != Some(cycle) {
                continue;
            }
            let stays = |to: BlockId| self.returns(to, cycle);
            let goes_on = match (stays(yes.to), stays(no.to)) {
                (true, false) => true,
                (false, true) => false,
                _ => continue,
            };
            match self.bound(cycle, id, *cond, goes_on) {
                Ok(trip) => {
                    // The bound holds behind the test only.
                    if !self.first_thing(header, id) {
                        why = Uncounted::TestedLate(id);
                        continue;
                    }
                    return Ok(trip);
                }
                Err(Uncounted::NoCounter) if why != Uncounted::NoCounter => {}
                Err(other) => why = other,
            }
        }
        Err(why)
    }

    /// Whether a block leads back to the header of a cycle.
    pub fn returns(&self, from: BlockId, cycle: CycleId) -> bool {
        let header = self.region.cycle(cycle).header;
        let mut seen = BTreeSet::new();
        let mut todo = vec![from];
        while let Some(block) = todo.pop() {
            if block == header {
                return true;
            }
            if block > header && seen.insert(block) {
                todo.extend(self.region.block(block).end.edges().map(|e| e.to));
            }
        }
        false
    }

    /// Whether only pure instructions stand between a header and the branch of a block, and every way goes through it.
    fn first_thing(&self, header: BlockId, test: BlockId) -> bool {
        (header.0..=test.0).map(BlockId).all(|id| {
            let on_the_way = self.dominators.dominates(header, id);
            !on_the_way
                || (self.dominators.dominates(id, test)
                    && self
                        .region
                        .block(id)
                        .insts
                        .iter()
                        .all(|&i| matches!(self.region.inst(i).op.effects(), Effects::Pure | Effects::Guard)))
        })
    }

    fn bound(&mut self, cycle: CycleId, test: BlockId, cond: Value, goes_on: bool) -> Result<Trip, Uncounted> {
        let region = self.region;
        let varies = Uncounted::LimitVaries(test);
        let Some(mut inst) = region.def_inst(cond) else { return Err(varies) };
        let mut positive = goes_on;
        while inst.op == Op::Not {
            positive = !positive;
            inst = region.def_inst(inst.args[0]).ok_or(varies)?;
        }
        let Op::Compare(op) = inst.op else { return Err(varies) };
        // As `a < b` or `a <= b` that goes on.
        let (first, second) = if positive { (0, 1) } else { (1, 0) };
        let (strict, signed) = match (op, positive) {
            (IntCompare::LtS, true) | (IntCompare::LeS, false) => (true, true),
            (IntCompare::LeS, true) | (IntCompare::LtS, false) => (false, true),
            (IntCompare::LtU, true) | (IntCompare::LeU, false) => (true, false),
            (IntCompare::LeU, true) | (IntCompare::LtU, false) => (false, false),
            _ => return Err(varies),
        };
        let header = region.cycle(cycle).header;
        let params: Vec<Value> = region.block(header).params.iter().map(|p| p.value).collect();
        for (counts, limits, down) in [(first, second, false), (second, first, true)] {
            for &param in &params {
                let mut ahead = Growth::default();
                // What is compared is the counter, or a little more or less.
                let shift = self.distance(inst.args[counts], param, &mut ahead, 0).and_then(|by| by.as_constant());
                let Some(shift) = shift.filter(|&by| ahead == Growth::default() && (signed || by == 0)) else {
                    continue;
                };
                let Some((start, growth)) = self.growth(param, cycle) else { continue };
                let away = growth.by.as_constant().is_some_and(|by| if down { by >= 0 } else { by <= 0 });
                if away || !self.outside(&growth.by, cycle) {
                    continue;
                }
                let limit = self.form(inst.args[limits]);
                if !self.outside(&limit.poly, cycle) {
                    return Err(varies);
                }
                let start = self.form(start);
                let trip = limit.poly.plus(-shift).and_then(|poly| {
                    let compared = Limit { poly, shift, strict, signed, operand: limits };
                    self.until(param, &start, growth, down, compared, limit.assumes, test)
                });
                return trip.ok_or(varies);
            }
        }
        Err(Uncounted::NoCounter)
    }

    /// How a counter goes from a start to a limit.
    #[expect(clippy::too_many_arguments)]
    fn until(
        &self,
        counter: Value,
        start: &Form,
        growth: Growth,
        down: bool,
        limit: Limit,
        limit_assumes: BTreeSet<Assumption>,
        test: BlockId,
    ) -> Option<Trip> {
        let ahead = if down { -1 } else { 1 };
        let step = growth.by.scale(ahead)?;
        let short = -i128::from(limit.strict);
        let last = limit.poly.sub(&start.poly)?.scale(ahead)?.plus(short)?;
        let mut assumes: BTreeSet<Assumption> = limit_assumes.union(&start.assumes).cloned().collect();
        assumes.extend(growth.assumes);
        // What the comparison sees are these polynomials.
        for poly in [&limit.poly, &start.poly] {
            if !poly.is_simple() {
                assumes.insert(Assumption { poly: poly.clone(), kind: Kind::of(IntKind::I64) });
            }
            if !limit.signed && poly.as_constant().is_none_or(|c| c < 0) {
                assumes.insert(Assumption { poly: poly.clone(), kind: Kind::of(IntKind::U32) });
            }
        }
        // Counting never goes over the top, or below the bottom.
        let over = limit.poly.add(&growth.by)?.plus(short * ahead)?;
        let harmless = limit.strict && step.as_constant() == Some(1);
        if limit.shift != 0 {
            for poly in [&start.poly, &over] {
                assumes.insert(Assumption { poly: poly.plus(limit.shift)?, kind: Kind::of(IntKind::I64) });
            }
        }
        if !harmless || growth.narrow.is_some() {
            let kind = growth.narrow.unwrap_or(Kind::of(IntKind::I64));
            assumes.insert(Assumption { poly: over.clone(), kind });
            if !limit.signed && down {
                assumes.insert(Assumption { poly: over, kind: Kind::of(IntKind::U32) });
            }
        }
        if step.as_constant().is_none() {
            assumes.insert(Assumption { poly: step.plus(-1)?, kind: Kind::of(IntKind::U32) });
        }
        Some(Trip {
            counter: Some(counter),
            start: start.poly.clone(),
            down,
            step,
            last,
            assumes,
            test,
            limit: Some(limit),
        })
    }
}

/// Whether a polynomial vanishes where another one does because it is a multiple of it: by a constant or one atom.
fn multiple(poly: &Poly, of: &Poly) -> bool {
    let atoms = poly.atoms().map(Poly::atom).chain([Poly::constant(1)]);
    let Some((_, c)) = of.terms().next() else { return false };
    atoms.into_iter().any(|factor| {
        let Some(product) = of.mul(&factor) else { return false };
        let lead = product.terms().next().and_then(|(m, _)| poly.terms().find(|(n, _)| *n == m));
        let Some((_, d)) = lead else { return false };
        d % c == 0 && product.scale(d / c).as_ref() == Some(poly)
    })
}

/// Values that are the same in every iteration: from before the loop, or computed from such without effects.
fn invariant(region: &Region) -> Vec<bool> {
    let mut invariant = vec![false; region.values.len()];
    for (i, block) in region.blocks.iter().enumerate() {
        for param in &block.params {
            invariant[param.value.index()] = i == Region::ENTRY.index();
        }
        for &inst in &block.insts {
            let inst = region.inst(inst);
            let same = inst.op.effects() == Effects::Pure && inst.args.iter().all(|a| invariant[a.index()]);
            for result in &inst.results {
                invariant[result.index()] = same;
            }
        }
    }
    invariant
}

/// What [`related`] says of a loop's counter, the first of these, and of the others.
pub fn counter_start(region: &Region, linear: &[Option<Linear>], counters: &[Counter]) -> CounterStart {
    let of = |slot: u16| linear.get(usize::from(slot)).copied().flatten();
    let entry = &region.block(Region::ENTRY).params;
    let params = |block: BlockId| region.block(block).params.iter().map(|p| p.slot);
    let written: Vec<u16> = region.root().into_iter().flat_map(|root| params(root.header)).collect();
    if let Some(start) = counters.first().and_then(|counter| of(counter.slot)) {
        let Some(base) = start.base else { return CounterStart::Constant(start.add) };
        let others = params(Region::ENTRY).filter(|slot| !written.contains(slot));
        let first = others.filter_map(|slot| Some((slot, of(slot)?))).find(|(_, other)| other.base == Some(base));
        if let Some((slot, other)) = first {
            return CounterStart::Slot(slot, start.add.wrapping_sub(other.add));
        }
    }
    // No proof knows the remaining trips of a `for` without what it counts from.
    let trips = match region.root().map(|root| root.kind) {
        Some(LoopKind::Counted { counter }) => Some(counter + 1),
        _ => None,
    };
    // Nothing that is proven may speak of the first iteration, then.
    let told = |slot: u16| match of(slot) {
        Some(Linear { base: None, .. }) => true,
        Some(Linear { base: Some(base), .. }) => {
            entry.iter().any(|p| p.slot != slot && of(p.slot).is_some_and(|other| other.base == Some(base)))
        }
        None => false,
    };
    let mut counting = counters.iter().map(|c| c.slot).filter(|&slot| Some(slot) != trips);
    if counting.any(told) { CounterStart::Unknown } else { CounterStart::Any }
}

/// The values that enter the loop in terms of one another: of those with one base the first stands for it.
fn related(region: &Region, linear: &[Option<Linear>]) -> FxHashMap<Value, Poly> {
    let mut known = FxHashMap::default();
    let mut first: FxHashMap<Base, (Value, i64)> = FxHashMap::default();
    let hidden = |slot: u16| match region.root().map(|root| root.kind) {
        Some(LoopKind::Counted { counter }) => slot == counter || slot == counter + 1,
        _ => false,
    };
    let (counters, others): (Vec<Param>, Vec<Param>) =
        region.block(Region::ENTRY).params.iter().copied().partition(|param| hidden(param.slot));
    for param in others.into_iter().chain(counters) {
        let Some(of) = linear.get(usize::from(param.slot)).copied().flatten() else { continue };
        let Some(base) = of.base else {
            known.insert(param.value, Poly::constant(of.add.into()));
            continue;
        };
        let &mut (value, add) = first.entry(base).or_insert((param.value, of.add));
        let difference = of.add.wrapping_sub(add);
        if value != param.value
            && let Some(poly) = Poly::atom(Atom::Value(value)).plus(difference.into())
        {
            known.insert(param.value, poly);
        }
    }
    known
}
