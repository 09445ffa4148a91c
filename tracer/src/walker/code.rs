//! What the walker knows of a function's bytecode before it walks: blocks, live slots, slots written by each loop.

use scaly_interp::program::{FunctionId, LoopId, Program};

use super::operands::{Flow, Slots};

/// A set of slots.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SlotSet(Vec<u64>);

impl SlotSet {
    pub fn new(slots: u16) -> SlotSet {
        SlotSet(vec![0; usize::from(slots).div_ceil(64) + 1])
    }

    /// One bit a slot, the lowest first.
    pub fn words(&self) -> &[u64] {
        &self.0
    }

    pub fn has(&self, slot: u16) -> bool {
        self.0.get(usize::from(slot) / 64).is_some_and(|w| w >> (slot % 64) & 1 != 0)
    }

    pub fn add(&mut self, slot: u16) {
        if let Some(word) = self.0.get_mut(usize::from(slot) / 64) {
            *word |= 1 << (slot % 64);
        }
    }

    pub fn remove(&mut self, slot: u16) {
        if let Some(word) = self.0.get_mut(usize::from(slot) / 64) {
            *word &= !(1 << (slot % 64));
        }
    }

    /// True if it grew.
    pub fn unite(&mut self, other: &SlotSet) -> bool {
        let mut grew = false;
        for (a, &b) in self.0.iter_mut().zip(&other.0) {
            grew |= b & !*a != 0;
            *a |= b;
        }
        grew
    }

    pub fn iter(&self) -> impl Iterator<Item = u16> {
        (0..self.0.len() as u16 * 64).filter(|&slot| self.has(slot))
    }
}

/// A run of instructions that is entered at its first and left at its last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CodeBlock {
    pub start: u32,
    pub end: u32,
}

/// Facts about one function's bytecode.
#[derive(Clone, Debug)]
pub struct Code {
    pub function: FunctionId,
    /// In the order of their instructions, which is one where only back edges lead backwards.
    pub blocks: Vec<CodeBlock>,
    /// For each block, the slots whose values are read later.
    pub live: Vec<SlotSet>,
    /// For each block that is the header of a loop: the loop and the slots that it writes.
    headers: Vec<Option<(LoopId, SlotSet)>>,
}

impl Code {
    pub fn of(program: &Program, function: FunctionId, loops: &[LoopId]) -> Code {
        let f = program.function(function);
        let blocks = cut(program, f.code.start, f.code.end, loops);
        let live = liveness(program, &blocks, f.frame_slots);
        let mut headers = vec![None; blocks.len()];
        for &id in loops {
            let code = &program.loops[id.0 as usize].code;
            if let Ok(at) = blocks.binary_search_by_key(&code.start, |b| b.start) {
                headers[at] = Some((id, written(program, code.start, code.end, f.frame_slots)));
            }
        }
        Code { function, blocks, live, headers }
    }

    /// The slots that are read behind a block.
    pub fn live_out(&self, program: &Program, block: usize) -> SlotSet {
        let CodeBlock { end, .. } = self.blocks[block];
        let flow = Flow::of(program.code[end as usize - 1]);
        let next = flow.falls.then_some(end);
        let mut live = SlotSet::new(program.function(self.function).frame_slots);
        for block in [next, flow.jumps].into_iter().flatten().filter_map(|pc| self.block_at(pc)) {
            live.unite(&self.live[block]);
        }
        live
    }

    /// The slots that are read from an instruction on, and those that are read behind it and were there before.
    pub fn live_around(&self, program: &Program, pc: u32) -> (SlotSet, SlotSet) {
        let frame_slots = program.function(self.function).frame_slots;
        let block = self.blocks.partition_point(|b| b.start <= pc).saturating_sub(1);
        let mut now = self.live_out(program, block);
        let mut past = now.clone();
        for at in (pc..self.blocks[block].end).rev() {
            let slots = Slots::of(program, program.code[at as usize], frame_slots);
            kill(&mut now, &slots, frame_slots);
            past = now.clone();
            add_uses(&mut now, &slots);
        }
        (now, past)
    }

    /// The block that begins at an instruction.
    pub fn block_at(&self, pc: u32) -> Option<usize> {
        self.blocks.binary_search_by_key(&pc, |b| b.start).ok()
    }

    /// The loop whose header a block is, and the slots that the loop writes.
    pub fn header(&self, block: usize) -> Option<(LoopId, &SlotSet)> {
        self.headers[block].as_ref().map(|(id, slots)| (*id, slots))
    }
}

fn cut(program: &Program, start: u32, end: u32, loops: &[LoopId]) -> Vec<CodeBlock> {
    let mut starts = vec![start];
    for pc in start..end {
        let flow = Flow::of(program.code[pc as usize]);
        starts.extend(flow.jumps);
        if flow.ends_block() {
            starts.push(pc + 1);
        }
    }
    for &id in loops {
        let code = &program.loops[id.0 as usize].code;
        starts.extend([code.start, code.end]);
    }
    starts.retain(|&pc| (start..end).contains(&pc));
    starts.sort_unstable();
    starts.dedup();
    let ends = starts.iter().skip(1).copied().chain([end]);
    starts.iter().copied().zip(ends).map(|(start, end)| CodeBlock { start, end }).collect()
}

fn liveness(program: &Program, blocks: &[CodeBlock], frame_slots: u16) -> Vec<SlotSet> {
    let mut live = vec![SlotSet::new(frame_slots); blocks.len()];
    let at = |pc: u32| blocks.binary_search_by_key(&pc, |b| b.start).ok();
    loop {
        let mut grew = false;
        for i in (0..blocks.len()).rev() {
            let mut now = SlotSet::new(frame_slots);
            let last = blocks[i].end - 1;
            let flow = Flow::of(program.code[last as usize]);
            let next = flow.falls.then_some(blocks[i].end);
            for block in [next, flow.jumps].into_iter().flatten().filter_map(at) {
                now.unite(&live[block]);
            }
            for pc in (blocks[i].start..blocks[i].end).rev() {
                let slots = Slots::of(program, program.code[pc as usize], frame_slots);
                kill(&mut now, &slots, frame_slots);
                add_uses(&mut now, &slots);
            }
            grew |= live[i].unite(&now);
        }
        if !grew {
            return live;
        }
    }
}

fn kill(live: &mut SlotSet, slots: &Slots, frame_slots: u16) {
    if let Some(from) = slots.clobbers {
        (from..frame_slots).for_each(|slot| live.remove(slot));
    }
    for &(first, count) in &slots.defs {
        (first..first.saturating_add(count)).for_each(|slot| live.remove(slot));
    }
}

fn add_uses(live: &mut SlotSet, slots: &Slots) {
    for &(first, count) in &slots.uses {
        (first..first.saturating_add(count)).for_each(|slot| live.add(slot));
    }
}

/// The slots that the instructions of a range write.
pub fn written(program: &Program, start: u32, end: u32, frame_slots: u16) -> SlotSet {
    let mut set = SlotSet::new(frame_slots);
    for pc in start..end {
        let slots = Slots::of(program, program.code[pc as usize], frame_slots);
        for (first, count) in slots.defs {
            (first..first.saturating_add(count)).for_each(|slot| set.add(slot));
        }
        if let Some(from) = slots.clobbers {
            (from..frame_slots).for_each(|slot| set.add(slot));
        }
    }
    set
}
