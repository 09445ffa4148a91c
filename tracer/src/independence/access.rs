//! Every access of a region to memory that other iterations may know.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use scaly_interp::machine::IntCompare;
use scaly_interp::program::{ParamKind, Pc, Program};
use scaly_interp::routine::Effect;

use super::forms::{Assumption, Form, Forms};
use super::names::Names;
use super::owners::{Address, Owner, Owners, Way};
use super::poly::{Atom, Poly};
use crate::effects::{Place, Places, Source, Summaries};
use crate::region::{BlockId, Effects, Inst, InstId, Op, Region, Value};

/// Bytes of a block: from an offset, so many. What is not known is none.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Extent {
    pub offset: Option<Poly>,
    pub width: Option<Poly>,
    /// Greatest common divisor of the strides that the offset is made of; 0 if there is none.
    pub stride: u32,
}

impl Extent {
    pub const WHOLE: Extent = Extent { offset: None, width: None, stride: 0 };
}

#[derive(Clone, PartialEq, Debug)]
pub struct Access {
    pub owner: Owner,
    pub extent: Extent,
    /// The accessed bytes lie within so many from the block's start, because an index was checked.
    pub within: Option<Poly>,
    /// All of the elements that the index may be of, likewise.
    pub span: Option<Span>,
    pub write: bool,
    /// What its offset assumes.
    pub assumes: BTreeSet<Assumption>,
    pub inst: InstId,
    /// In what the programmer wrote.
    pub pc: Pc,
}

/// What is accessed by an index that depends on data: elements from a place on, such as those of a slice.
#[derive(Clone, PartialEq, Debug)]
pub struct Span {
    pub extent: Extent,
    /// What it assumes.
    pub assumes: BTreeSet<Assumption>,
}

/// A pointer that is stored where other iterations may find it.
#[derive(Clone, PartialEq, Debug)]
pub struct Stored {
    pub owner: Owner,
    pub extent: Extent,
    pub values: Vec<Address>,
    pub pc: Pc,
}

#[derive(Default)]
pub struct Accesses {
    pub all: Vec<Access>,
    pub stored: Vec<Stored>,
}

struct Collector<'a, 'b> {
    region: &'a Region,
    forms: &'b mut Forms<'a>,
    owners: &'b mut Owners,
    names: &'b Names<'a>,
    program: &'b Program,
    summaries: &'b Summaries,
    /// For each index, the lengths that a guard compares it with, and where.
    lengths: FxHashMap<Value, Vec<(Value, BlockId)>>,
    rooms: &'b BTreeSet<Pc>,
    found: Accesses,
}

/// All but what is read of the room behind arrays where there is enough: nobody changes that; and but what is done to
/// `own` arrays of a part of the loop.
pub fn collect<'a>(
    forms: &mut Forms<'a>,
    owners: &mut Owners,
    names: &Names<'a>,
    program: &Program,
    summaries: &Summaries,
    rooms: &BTreeSet<Pc>,
    own: &BTreeSet<InstId>,
) -> Accesses {
    let region = forms.region;
    let lengths = lengths(region);
    let mut collector =
        Collector { region, forms, owners, names, program, summaries, lengths, rooms, found: Accesses::default() };
    for block in &region.blocks {
        for &id in block.insts.iter().filter(|id| !own.contains(id)) {
            collector.inst(id, region.inst(id));
        }
    }
    collector.found
}

fn lengths(region: &Region) -> FxHashMap<Value, Vec<(Value, BlockId)>> {
    let mut lengths: FxHashMap<Value, Vec<(Value, BlockId)>> = FxHashMap::default();
    for inst in &region.insts {
        if let (Op::Guard(_), Some(cond)) = (inst.op, inst.args.first())
            && let Some(compare) = region.def_inst(*cond)
            && compare.op == Op::Compare(IntCompare::LtU)
        {
            lengths.entry(compare.args[0]).or_default().push((compare.args[1], inst.block));
        }
    }
    lengths
}

impl Collector<'_, '_> {
    fn inst(&mut self, id: InstId, inst: &Inst) {
        match inst.op {
            Op::Capacity if self.rooms.contains(&inst.pc) => {}
            Op::Capacity => {
                let header = Extent { offset: Some(Poly::constant(-16)), width: Some(Poly::constant(8)), stride: 0 };
                self.each(id, inst, inst.args[0], false, |_| header.clone());
            }
            Op::Runtime(routine) => self.runtime(id, inst, routine.signature().effects),
            Op::Call(_) | Op::CallAny(_) => self.call(id, inst),
            op => {
                let Some((width, plus)) = op.access() else { return };
                let write = op.effects() == Effects::Store;
                let extent = |address: &Address| Extent {
                    offset: address.offset.as_ref().and_then(|o| o.plus(plus.into())),
                    width: Some(Poly::constant(width.into())),
                    stride: address.stride,
                };
                self.each(id, inst, inst.args[0], write, extent);
                if let Op::StoreInt(scaly_interp::machine::IntMemory::I64, _) = op {
                    self.stored(inst, inst.args[0], inst.args[1], extent);
                }
            }
        }
    }

    /// Adds an access at each address that a value may be.
    fn each(&mut self, id: InstId, inst: &Inst, at: Value, write: bool, extent: impl Fn(&Address) -> Extent) {
        let within = self.within(inst.block, at);
        let spans = self.spans(inst.block, at);
        let mut addresses: Vec<Address> = self.owners.addresses(at).cloned().collect();
        let pc = self.names.inst(inst);
        if addresses.is_empty() && !self.owners.is_null(self.forms, at) {
            addresses.push(self.owners.unknown());
        }
        for address in addresses {
            if self.owners.is_private(address.owner) || *self.owners.way(address.owner) == Way::Text {
                continue;
            }
            let (extent, within, owner) = (extent(&address), within.clone(), address.owner);
            let span = spans.iter().find(|(of, _)| *of == owner).map(|(_, span)| span.clone());
            let access = Access { owner, extent, within, span, write, assumes: address.assumes, inst: id, pc };
            self.add(access);
        }
    }

    fn add(&mut self, access: Access) {
        let same = |a: &&mut Access| {
            a.owner == access.owner && a.extent == access.extent && a.span == access.span && a.write == access.write
        };
        match self.found.all.iter_mut().find(same) {
            Some(known) => known.assumes.extend(access.assumes),
            None => self.found.all.push(access),
        }
    }

    /// The lengths that an index has been checked to be below of.
    fn lengths(&self, block: BlockId, index: Value) -> Vec<Value> {
        let all = self.lengths.get(&index).into_iter().flatten();
        all.filter(|&&(_, guard)| self.forms.dominators.dominates(guard, block)).map(|&(length, _)| length).collect()
    }

    /// By owner, the elements that the one at this address is among, as its index has been checked. Of an owner that it may
    /// be at several addresses of nothing is said.
    fn spans(&mut self, block: BlockId, at: Value) -> Vec<(Owner, Span)> {
        let Some(inst) = self.region.def_inst(at) else { return Vec::new() };
        let Op::Element { stride, .. } = inst.op else { return Vec::new() };
        let lengths = self.lengths(block, inst.args[1]);
        self.elements(inst.args[0], &lengths, stride)
    }

    /// All elements from a place on, by owner: as many as one of these lengths says.
    fn elements(&mut self, first: Value, lengths: &[Value], stride: u32) -> Vec<(Owner, Span)> {
        let forms: Vec<Form> = lengths.iter().map(|&length| self.forms.form(length)).collect();
        let is_known = |atom| !matches!(atom, Atom::Value(value) if !self.forms.is_invariant(value));
        let Some(length) = forms.iter().find(|form| form.poly.atoms().all(is_known)) else { return Vec::new() };
        let Some(width) = length.poly.scale(stride.into()) else { return Vec::new() };
        let first: Vec<&Address> = self.owners.addresses(first).collect();
        let alone = |address: &&&Address| first.iter().filter(|other| other.owner == address.owner).count() == 1;
        let of = |address: &Address| {
            let offset = address.offset.clone()?;
            let assumes = address.assumes.union(&length.assumes).cloned().collect();
            let extent = Extent { offset: Some(offset), width: Some(width.clone()), stride: 0 };
            Some((address.owner, Span { extent, assumes }))
        };
        first.iter().filter(alone).filter_map(|address| of(address)).collect()
    }

    /// From the guard of the index: bytes from the block's start that the element lies within.
    fn within(&mut self, block: BlockId, at: Value) -> Option<Poly> {
        let inst = self.region.def_inst(at)?;
        let Op::Element { stride, .. } = inst.op else { return None };
        let from_start = self.owners.addresses(inst.args[0]).all(|a| a.offset.as_ref().is_some_and(Poly::is_zero));
        if !from_start {
            return None;
        }
        let length = self.lengths(block, inst.args[1]).into_iter().find(|&length| self.forms.is_invariant(length))?;
        let form = self.forms.form(length);
        // The length itself, not what it was computed from: it is the value in memory that counts.
        let poly = if form.poly.is_simple() { form.poly } else { Poly::atom(Atom::Value(length)) };
        poly.scale(stride.into())
    }

    fn stored(&mut self, inst: &Inst, to: Value, value: Value, extent: impl Fn(&Address) -> Extent) {
        let values: Vec<Address> = self.owners.addresses(value).cloned().collect();
        if values.is_empty() {
            return;
        }
        let targets: Vec<Address> = self.owners.addresses(to).cloned().collect();
        for target in targets {
            if !self.owners.is_private(target.owner) {
                let extent = extent(&target);
                let pc = self.names.inst(inst);
                self.found.stored.push(Stored { owner: target.owner, extent, values: values.clone(), pc });
            }
        }
    }

    fn runtime(&mut self, id: InstId, inst: &Inst, effects: &[Effect]) {
        for &effect in effects {
            match effect {
                Effect::Reads(e) | Effect::Writes(e) => {
                    let write = matches!(effect, Effect::Writes(_));
                    let count = self.forms.form(inst.args[e.count as usize]);
                    let stride = e.stride.map(|s| self.forms.form(inst.args[s as usize]));
                    let width = match &stride {
                        Some(stride) => count.poly.mul(&stride.poly),
                        None => Some(count.poly.clone()),
                    };
                    // A count that wrapped on its way is none that can be reasoned about.
                    let plain = count.assumes.is_empty() && count.poly.is_simple();
                    let width = width.filter(|_| plain);
                    self.each(id, inst, inst.args[e.pointer as usize], write, |address| Extent {
                        offset: address.offset.clone(),
                        width: width.clone(),
                        stride: 0,
                    });
                }
                Effect::Appends { pointer, .. } | Effect::Frees { pointer } => {
                    self.each(id, inst, inst.args[pointer as usize], true, |_| Extent::WHOLE);
                }
                _ => {}
            }
        }
        if let Op::Runtime(routine) = inst.op {
            let constant = |slot: u16| self.region.constant(inst.args[usize::from(slot)]);
            for (from, to) in crate::effects::copies(routine, constant) {
                let Some(to) = to else { continue };
                let (from, to) = (inst.args[from as usize], inst.args[to as usize]);
                // What is copied may be pointers out of that block: they are somewhere below it.
                let values: Vec<Address> = self.owners.addresses(from).cloned().collect();
                let targets: Vec<Address> = self.owners.addresses(to).cloned().collect();
                let pc = self.names.inst(inst);
                for target in targets.into_iter().filter(|_| !values.is_empty()) {
                    if !self.owners.is_private(target.owner) {
                        let values = values.clone();
                        self.found.stored.push(Stored { owner: target.owner, extent: Extent::WHOLE, values, pc });
                    }
                }
            }
        }
    }

    /// The elements of the array or slice that a callee gets in a parameter: it goes nowhere else through that. What it
    /// may make longer, or give back, it gets in another way.
    fn given(&mut self, inst: &Inst, args: &[Value], place: Place, write: bool) -> Vec<(Owner, Span)> {
        let (Op::Call(function), Place { source: Source::Param(slot), below: false }) = (inst.op, place) else {
            return Vec::new();
        };
        let params = &self.program.function(function).params;
        let Some(param) = params.iter().find(|param| param.slots.start == slot) else { return Vec::new() };
        let only_elements = match param.kind {
            ParamKind::View => true,
            ParamKind::Value => !write,
            _ => false,
        };
        let at = usize::from(slot);
        match args.get(at..at + 2) {
            Some(&[first, length]) if only_elements && param.stride > 0 => {
                self.elements(first, &[length], param.stride)
            }
            _ => Vec::new(),
        }
    }

    fn call(&mut self, id: InstId, inst: &Inst) {
        let Some((summary, params)) = self.summaries.callee(inst) else { return };
        let made = inst.results.first().or(inst.args.first()).copied();
        let pc = self.names.inst(inst);
        let touch = |collector: &mut Self, places: &Places, write: bool| {
            for place in places.iter() {
                let spans = collector.given(inst, params, place, write);
                // A function without parameters and results knows globals only.
                let made = made.unwrap_or(Value(0));
                for address in collector.owners.translate(params, place, made) {
                    let owner = address.owner;
                    if collector.owners.is_private(owner) || *collector.owners.way(owner) == Way::Text {
                        continue;
                    }
                    let (extent, assumes) = (Extent::WHOLE, BTreeSet::new());
                    let within = None;
                    let span = spans.iter().find(|(of, _)| *of == owner).map(|(_, span)| span.clone());
                    collector.add(Access { owner, extent, within, span, write, assumes, inst: id, pc });
                }
            }
        };
        touch(self, &summary.reads, false);
        touch(self, &summary.writes, true);
        for &(target, value) in &summary.stores {
            let made = made.unwrap_or(Value(0));
            let values = self.owners.translate(params, value, made);
            for target in self.owners.translate(params, target, made) {
                if !self.owners.is_private(target.owner) {
                    let values = values.clone();
                    self.found.stored.push(Stored { owner: target.owner, extent: Extent::WHOLE, values, pc });
                }
            }
        }
    }
}
