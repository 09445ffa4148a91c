//! Where the pointers in a function's slots come from, at each of its blocks.
//!
//! Slots are followed along the paths, memory is not: what was stored into a block anywhere in the function may be loaded
//! from it anywhere. Numbers take part as well (a sum of a pointer and a number points where the pointer does), which
//! only ever adds places.

use std::collections::BTreeMap;

use scaly_interp::bytecode::{Instruction, Opcode};
use scaly_interp::program::{Class, FunctionId, Program};
use scaly_interp::routine::{Effect, Kind, Routine};

use super::place::{Place, Places, Source};
use super::summary::{External, Summaries, Summary};
use crate::walker::{Code, Flow, Slots};

type Frame = Vec<Places>;

/// What is known of one function.
#[derive(Clone, Debug)]
pub struct FunctionFlow {
    /// For each block of the function's [`Code`], the slots' places at its start; none if it is not reached.
    pub entry: Vec<Option<Frame>>,
    /// What may be loaded from a place beside what it owned from the start.
    pub contents: BTreeMap<Place, Places>,
    pub summary: Summary,
}

impl FunctionFlow {
    /// Follows the pointers of a function, given what its callees do.
    pub fn of(program: &Program, code: &Code, summaries: &Summaries) -> FunctionFlow {
        let function = program.function(code.function);
        let slots = usize::from(function.frame_slots);
        let results = usize::from(function.result_slots);
        let mut start: Frame = vec![Places::default(); slots];
        for (slot, places) in start.iter_mut().enumerate().take(usize::from(function.param_slots)) {
            places.add(Place::of(Source::Param(slot as u16)));
        }
        let mut flow = FunctionFlow {
            entry: vec![None; code.blocks.len()],
            contents: BTreeMap::new(),
            summary: Summary { results: vec![Places::default(); results], ..Summary::default() },
        };
        if let Some(entry) = flow.entry.first_mut() {
            *entry = Some(start);
        }
        // Contents may grow by a block that was already followed, so all are followed until nothing grows.
        loop {
            let mut step = Step { program, summaries, flow: &mut flow, frame: Vec::new(), block_start: 0, grew: false };
            for (at, block) in code.blocks.iter().enumerate() {
                let Some(frame) = step.flow.entry[at].clone() else { continue };
                step.frame = frame;
                step.block_start = block.start;
                for pc in block.start..block.end {
                    step.instruction(pc, program.code[pc as usize], slots as u16);
                }
                let last = Flow::of(program.code[block.end as usize - 1]);
                for target in [last.falls.then_some(block.end), last.jumps].into_iter().flatten() {
                    if let Some(to) = code.block_at(target) {
                        step.join(to, &code.live[to]);
                    }
                }
            }
            if !step.grew {
                return flow;
            }
        }
    }

    /// What a pointer loaded from one of these places may point to.
    pub fn loaded(&self, from: &Places) -> Places {
        let mut to = Places::default();
        for place in from.iter() {
            if place.source != Source::Text {
                to.add(place.below());
            }
            if let Some(contents) = self.contents.get(&place) {
                to.unite(contents);
            }
        }
        to
    }

    /// Everything that is reached through pointers from these places, themselves apart.
    pub fn reached(&self, from: &Places) -> Places {
        let mut all = self.loaded(from);
        loop {
            let more = self.loaded(&all);
            if !all.unite(&more) {
                return all;
            }
        }
    }
}

struct Step<'a> {
    program: &'a Program,
    summaries: &'a Summaries,
    flow: &'a mut FunctionFlow,
    frame: Frame,
    /// The first instruction of the block that is followed.
    block_start: u32,
    grew: bool,
}

/// The constant that a slot was set to last before an instruction, if that is in the same block.
fn constant_before(program: &Program, start: u32, pc: u32, slot: u16) -> Option<i64> {
    for at in (start..pc).rev() {
        let ins = program.code[at as usize];
        if ins.op == Opcode::Const && ins.a == slot {
            return Some(ins.imm());
        }
        let slots = Slots::of(program, ins, u16::MAX);
        let written = slots.defs.iter().any(|&(first, count)| (first..first.saturating_add(count)).contains(&slot));
        if written || slots.clobbers.is_some_and(|from| slot >= from) {
            return None;
        }
    }
    None
}

impl Step<'_> {
    fn get(&self, slot: u16) -> Places {
        self.frame.get(usize::from(slot)).cloned().unwrap_or_default()
    }

    fn set(&mut self, slot: u16, places: Places) {
        if let Some(place) = self.frame.get_mut(usize::from(slot)) {
            *place = places;
        }
    }

    fn join(&mut self, to: usize, live: &crate::walker::SlotSet) {
        let slots = self.frame.len();
        let entry = self.flow.entry[to].get_or_insert_with(|| {
            self.grew = true;
            vec![Places::default(); slots]
        });
        for (slot, places) in self.frame.iter().enumerate() {
            if live.has(slot as u16) {
                self.grew |= entry[slot].unite(places);
            }
        }
    }

    fn reads(&mut self, places: &Places) {
        self.grew |= self.flow.summary.reads.unite(&outside(places));
    }

    fn writes(&mut self, places: &Places) {
        self.grew |= self.flow.summary.writes.unite(&outside(places));
    }

    /// A pointer to one of `values` is stored in each of `to`.
    fn store(&mut self, to: &Places, values: &Places) {
        for target in to.iter() {
            self.grew |= self.flow.contents.entry(target).or_default().unite(values);
            for value in values.iter() {
                // Back where it was is no news.
                if value == target.below() {
                    continue;
                }
                let pair = (outer(target), outer(value));
                if !matches!(target.source, Source::Fresh { .. }) {
                    self.grew |= self.flow.summary.stores.insert(pair);
                }
            }
        }
    }

    fn external(&mut self, external: External) {
        self.grew |= self.flow.summary.add_external(external);
    }

    fn instruction(&mut self, pc: u32, ins: Instruction, frame_slots: u16) {
        use Opcode as Op;
        let (a, b, c) = (ins.a, ins.b, ins.c);
        match ins.op {
            Op::Move => self.set(a, self.get(b)),
            Op::MoveN => {
                let moved: Vec<Places> = (0..ins.x as u16).map(|i| self.get(b + i)).collect();
                for (i, places) in moved.into_iter().enumerate() {
                    self.set(a + i as u16, places);
                }
            }
            Op::Text => {
                self.set(a, Places::one(Place::of(Source::Text)));
                self.set(a + 1, Places::default());
            }
            Op::Global => self.set(a, Places::one(Place::of(Source::Global))),
            Op::Add | Op::Sub => {
                let mut sum = self.get(b);
                sum.unite(&self.get(c));
                self.set(a, sum);
            }
            Op::AddImm | Op::ElemAddr | Op::ElemAddrRaw => self.set(a, self.get(b)),
            Op::LoadPair | Op::LoadElemPair => {
                let from = self.get(b);
                self.reads(&from);
                self.set(a, self.flow.loaded(&from));
                self.set(a + 1, Places::default());
            }
            Op::LoadWords => {
                let from = self.get(b);
                self.reads(&from);
                let loaded = self.flow.loaded(&from);
                for i in 0..ins.x as u16 {
                    self.set(a + i, if ins.may_point(i) { loaded.clone() } else { Places::default() });
                }
            }
            Op::StoreI64 | Op::StoreWords => {
                let (to, count) = (self.get(a), if ins.op == Op::StoreWords { ins.x as u16 } else { 1 });
                self.writes(&to);
                for i in 0..count {
                    self.store(&to, &self.get(c + i));
                }
            }
            Op::StoreElemI64 => {
                let to = self.get(a);
                self.writes(&to);
                self.store(&to, &self.get(c));
            }
            Op::StoreI8 | Op::StoreI16 | Op::StoreI32 | Op::StoreF32 | Op::StoreF64 => self.writes(&self.get(a)),
            Op::StoreElemI8 | Op::StoreElemI16 | Op::StoreElemI32 | Op::StoreElemF32 | Op::StoreElemF64 => {
                self.writes(&self.get(a));
            }
            Op::LoadElemI8
            | Op::LoadElemU8
            | Op::LoadElemI16
            | Op::LoadElemU16
            | Op::LoadElemI32
            | Op::LoadElemU32
            | Op::LoadElemI64
            | Op::LoadElemF32
            | Op::LoadElemF64
            | Op::LoadI8
            | Op::LoadU8
            | Op::LoadI16
            | Op::LoadU16
            | Op::LoadI32
            | Op::LoadU32
            | Op::LoadI64
            | Op::LoadF32
            | Op::LoadF64 => {
                self.reads(&self.get(b));
                self.set(a, Places::default());
            }
            Op::Call => self.call(pc, self.summaries.get(FunctionId(ins.x)), a),
            Op::CallIndirect => {
                // The environment becomes the callee's first slot.
                self.set(a, self.get(b + 1));
                self.call(pc, self.summaries.any(Class(ins.x)), a);
            }
            Op::Runtime => self.runtime(pc, ins.x, a),
            Op::Return1 => self.returns(b, 1),
            Op::ReturnN => self.returns(b, ins.x as u16),
            // A counter is a number, whatever stood there.
            Op::ForLoop | Op::ForPrepS | Op::ForPrepU | Op::ForPrepInclS | Op::ForPrepInclU => {}
            _ => {
                for (first, count) in Slots::of(self.program, ins, frame_slots).defs {
                    for slot in first..first.saturating_add(count) {
                        self.set(slot, Places::default());
                    }
                }
            }
        }
    }

    fn returns(&mut self, from: u16, count: u16) {
        for i in 0..count {
            let places = self.get(from + i);
            if let Some(result) = self.flow.summary.results.get_mut(usize::from(i)) {
                for place in places.iter() {
                    let place = match place.source {
                        Source::Fresh { .. } => Place { source: Source::Fresh { pc: u32::MAX, result: i }, ..place },
                        _ => place,
                    };
                    self.grew |= result.add(place);
                }
            }
        }
    }

    /// The caller's places for one of a callee's.
    fn translate(&self, pc: u32, frame: u16, place: Place) -> Places {
        match place.source {
            Source::Param(slot) => {
                let argument = self.get(frame + slot);
                if place.below { self.flow.reached(&argument) } else { argument }
            }
            Source::Fresh { result, .. } => Places::one(Place { source: Source::Fresh { pc, result }, ..place }),
            Source::Text | Source::Global => Places::one(place),
        }
    }

    fn call(&mut self, pc: u32, summary: &Summary, frame: u16) {
        let all = |step: &Self, places: &Places| {
            let mut to = Places::default();
            for place in places.iter() {
                to.unite(&step.translate(pc, frame, place));
            }
            to
        };
        let (reads, writes) = (all(self, &summary.reads), all(self, &summary.writes));
        self.reads(&reads);
        self.writes(&writes);
        for &(target, value) in &summary.stores {
            let (to, values) = (self.translate(pc, frame, target), self.translate(pc, frame, value));
            self.store(&to, &values);
        }
        for external in [summary.output, summary.input, summary.blocks].into_iter().flatten() {
            self.external(external.at(pc));
        }
        let results: Vec<Places> = summary.results.iter().map(|places| all(self, places)).collect();
        for (i, places) in results.into_iter().enumerate() {
            self.set(frame + i as u16, places);
        }
    }

    fn runtime(&mut self, pc: u32, routine: u32, frame: u16) {
        let Some(routine) = Routine::from_number(routine) else { return };
        let row = routine.signature();
        let mut result = Places::default();
        for &effect in row.effects {
            match effect {
                Effect::Reads(extent) => self.reads(&self.get(frame + extent.pointer)),
                Effect::Writes(extent) => {
                    let to = self.get(frame + extent.pointer);
                    self.writes(&to);
                }
                Effect::Appends { pointer, .. } => {
                    let to = self.get(frame + pointer);
                    self.reads(&to);
                    self.writes(&to);
                    result.unite(&to);
                }
                Effect::Frees { pointer } => self.writes(&self.get(frame + pointer)),
                Effect::Allocates { .. } => {
                    result.add(Place::of(Source::Fresh { pc, result: 0 }));
                }
                Effect::Output => self.external(External::Output(pc)),
                Effect::Input => self.external(External::Input(pc)),
                Effect::Blocks => self.external(External::Blocks(pc)),
                Effect::EntersRegion
                | Effect::ResetsRegion { .. }
                | Effect::ExitsRegion { .. }
                | Effect::Faults
                | Effect::Stops => {}
            }
        }
        // What is copied brings the pointers in it along.
        let start = self.block_start;
        let constant = |slot: u16| constant_before(self.program, start, pc, frame + slot);
        for (from, to) in copies(routine, constant) {
            let moved = self.flow.loaded(&self.get(frame + from));
            let to = match to {
                Some(to) => self.get(frame + to),
                None => result.clone(),
            };
            self.store(&to, &moved);
        }
        let mut slot = frame;
        for value in row.results {
            let points = matches!(value.kind, Kind::Pointer | Kind::Bytes | Kind::Array);
            self.set(slot, if points { result.clone() } else { Places::default() });
            if value.kind.slots() == 2 {
                self.set(slot + 1, Places::default());
            }
            slot += value.kind.slots();
        }
    }
}

/// The argument slots between which a routine copies words that may be pointers; none is the result. `constant` gives the
/// value of an argument slot where it is known: elements that are no multiple of a word have no pointers in them.
pub fn copies(routine: Routine, constant: impl Fn(u16) -> Option<i64>) -> Vec<(u16, Option<u16>)> {
    match routine {
        Routine::ArrayGrow | Routine::ArrayCopy if constant(3).is_some_and(|stride| stride % 8 != 0) => Vec::new(),
        Routine::ArrayGrow | Routine::ArrayCopy => vec![(1, None)],
        Routine::MemoryMove => vec![(1, Some(0))],
        Routine::MemorySwap => vec![(0, Some(1)), (1, Some(0))],
        _ => Vec::new(),
    }
}

/// Without what the function made itself: nobody outside knows it.
fn outside(places: &Places) -> Places {
    places.iter().filter(|p| !matches!(p.source, Source::Fresh { .. } | Source::Text)).collect()
}

/// As a caller sees it.
fn outer(place: Place) -> Place {
    match place.source {
        Source::Fresh { .. } => Place { source: Source::Fresh { pc: u32::MAX, result: u16::MAX }, ..place },
        _ => place,
    }
}
