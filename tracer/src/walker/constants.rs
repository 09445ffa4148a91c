//! Which slots are constants when a loop begins.
//!
//! Forward over a function's blocks: a slot is a constant where every path gives it the same one. Enough for what a
//! counter starts from and how far it goes; the optimizer's folding is something else.

use scaly_interp::bytecode::Opcode;
use scaly_interp::program::Program;

use super::code::Code;
use super::operands::{Flow, Slots};

/// What is known of a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Known {
    /// No path has come by yet.
    Nothing,
    Constant(i64),
    Varies,
}

impl Known {
    fn meet(self, other: Known) -> Known {
        match (self, other) {
            (Known::Nothing, k) | (k, Known::Nothing) => k,
            (a, b) if a == b => a,
            _ => Known::Varies,
        }
    }
}

/// The constants at the header of a loop when it is entered, back edges apart, by slot.
pub fn at_entry(program: &Program, code: &Code, header: u32) -> Vec<Option<i64>> {
    let slots = program.function(code.function).frame_slots;
    let count = usize::from(slots);
    let Some(target) = code.block_at(header) else { return vec![None; count] };
    let mut entry = vec![vec![Known::Nothing; count]; code.blocks.len()];
    if let Some(first) = entry.first_mut() {
        first.fill(Known::Varies);
    }
    let mut into_header = vec![Known::Nothing; count];
    loop {
        let mut changed = false;
        into_header.fill(Known::Nothing);
        for (at, block) in code.blocks.iter().enumerate() {
            if entry[at].iter().all(|&k| k == Known::Nothing) && at > 0 {
                continue;
            }
            let mut frame = entry[at].clone();
            for pc in block.start..block.end {
                transfer(program, pc, &mut frame, slots);
            }
            let flow = Flow::of(program.code[block.end as usize - 1]);
            for to in [flow.falls.then_some(block.end), flow.jumps].into_iter().flatten() {
                let Some(to) = code.block_at(to) else { continue };
                if to == target && block.start < header {
                    meet(&mut into_header, &frame);
                }
                changed |= meet(&mut entry[to], &frame);
            }
        }
        if !changed {
            break;
        }
    }
    let constant = |k: &Known| match k {
        Known::Constant(c) => Some(*c),
        _ => None,
    };
    into_header.iter().map(constant).collect()
}

/// True if something changed.
fn meet(into: &mut [Known], frame: &[Known]) -> bool {
    let mut changed = false;
    for (a, &b) in into.iter_mut().zip(frame) {
        let met = a.meet(b);
        changed |= met != *a;
        *a = met;
    }
    changed
}

fn transfer(program: &Program, pc: u32, frame: &mut [Known], slots: u16) {
    let ins = program.code[pc as usize];
    let get = |frame: &[Known], slot: u16| frame.get(usize::from(slot)).copied().unwrap_or(Known::Varies);
    let new: Vec<(u16, Known)> = match ins.op {
        Opcode::Const => vec![(ins.a, Known::Constant(ins.imm()))],
        Opcode::Zero => (0..ins.x as u16).map(|i| (ins.a + i, Known::Constant(0))).collect(),
        Opcode::Move => vec![(ins.a, get(frame, ins.b))],
        Opcode::MoveN => (0..ins.x as u16).map(|i| (ins.a + i, get(frame, ins.b + i))).collect(),
        Opcode::ForPrepS | Opcode::ForPrepU | Opcode::ForPrepInclS | Opcode::ForPrepInclU => {
            let inclusive = matches!(ins.op, Opcode::ForPrepInclS | Opcode::ForPrepInclU);
            let trips = match (get(frame, ins.a), get(frame, ins.b)) {
                (Known::Constant(first), Known::Constant(end)) => {
                    Known::Constant(end.wrapping_sub(first).wrapping_sub(i64::from(!inclusive)))
                }
                _ => Known::Varies,
            };
            vec![(ins.a + 1, trips)]
        }
        _ => Vec::new(),
    };
    let operands = Slots::of(program, ins, slots);
    if let Some(from) = operands.clobbers {
        let from = usize::from(from).min(frame.len());
        frame[from..].fill(Known::Varies);
    }
    for (first, count) in operands.defs {
        for slot in first..first.saturating_add(count) {
            if let Some(known) = frame.get_mut(usize::from(slot)) {
                *known = Known::Varies;
            }
        }
    }
    for (slot, known) in new {
        if let Some(place) = frame.get_mut(usize::from(slot)) {
            *place = known;
        }
    }
}
