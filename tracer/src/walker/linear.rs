//! How the slots at a loop's beginning relate: which are constants, and which are another one plus a constant.
//!
//! Forward over a function's blocks: a slot is what an instruction made, or that plus a constant, where every path says the
//! same. Enough for what a counter starts from, how far it goes, and bounds like `n - 1`; a second visit of an
//! instruction makes something new, so whatever was made of its old result is forgotten.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;
use scaly_interp::bytecode::{Instruction, Opcode};
use scaly_interp::program::{FunctionId, Program};

use super::code::Code;
use super::operands::{Flow, Slots};
use crate::trace::Const;

/// Who made a value: a parameter, or the result of an instruction in this slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Base {
    Param(u16),
    Made { pc: u32, slot: u16 },
}

/// base + add, modulo 2^64; without a base a constant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Linear {
    pub base: Option<Base>,
    pub add: i64,
}

impl Linear {
    fn plus(self, add: i64) -> Linear {
        Linear { add: self.add.wrapping_add(add), ..self }
    }
}

/// What is known of a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Known {
    /// No path has come by yet.
    Nothing,
    Linear(Linear),
    Float(u64),
    Single(u32),
    Varies,
}

/// Blocks of a function times slots of its frame up to which it is looked at: 24 MB. With none a main program of 2,500 loops and as
/// many variables took two seconds more.
const LARGEST: usize = 1 << 20;

/// The constants in the slots of a frame along code without jumps.
#[derive(Default)]
pub struct Constants(BTreeMap<u16, Const>);

impl Constants {
    /// Behind an instruction.
    pub fn pass(&mut self, program: &Program, ins: Instruction, frame_slots: u16) {
        let constant = match ins.op {
            Opcode::Const => Some(Const::Word(ins.imm())),
            Opcode::ConstF64 => Some(Const::Float(ins.imm() as u64)),
            Opcode::ConstF32 => Some(Const::Single(ins.imm() as u32)),
            Opcode::Move => self.0.get(&ins.b).copied(),
            _ => None,
        };
        let slots = Slots::of(program, ins, frame_slots);
        let defined = |slot: u16| slots.defs.iter().any(|&(first, count)| slot.wrapping_sub(first) < count);
        self.0.retain(|&slot, _| !defined(slot) && slots.clobbers.is_none_or(|from| slot < from));
        self.0.extend(constant.map(|constant| (ins.a, constant)));
    }

    /// Ascending.
    pub fn by_slot(&self) -> impl Iterator<Item = (u16, Const)> {
        self.0.iter().map(|(&slot, &constant)| (slot, constant))
    }
}

impl Known {
    fn constant(c: i64) -> Known {
        Known::Linear(Linear { base: None, add: c })
    }

    fn meet(self, other: Known) -> Known {
        match (self, other) {
            (Known::Nothing, k) | (k, Known::Nothing) => k,
            (a, b) if a == b => a,
            _ => Known::Varies,
        }
    }
}

/// What the slots are at the header of a loop when it is entered, back edges apart.
pub fn at_entry(program: &Program, code: &Code, header: u32) -> Vec<Option<Linear>> {
    let linear = |k: Known| match k {
        Known::Linear(linear) => Some(linear),
        _ => None,
    };
    into_header(program, code, header).into_iter().map(linear).collect()
}

/// Which slots are constants there; `params`: what is known of those of the function.
pub fn constants_at_entry(program: &Program, code: &Code, header: u32, params: &[Option<Const>]) -> Vec<Option<Const>> {
    let constant = |k: Known| match k {
        Known::Linear(Linear { base: None, add }) => Some(Const::Word(add)),
        Known::Float(bits) => Some(Const::Float(bits)),
        Known::Single(bits) => Some(Const::Single(bits)),
        Known::Linear(Linear { base: Some(Base::Param(slot)), add: 0 }) => {
            params.get(usize::from(slot)).copied().flatten()
        }
        _ => None,
    };
    into_header(program, code, header).into_iter().map(constant).collect()
}

/// By function, the parameters that all calls set to the same constant right before. `taken`: functions that are called as
/// values, too.
pub fn constant_params(program: &Program, taken: &[FunctionId]) -> Vec<Vec<Option<Const>>> {
    /// None: no call has been seen yet.
    type Param = Option<Option<Const>>;
    let mut found: Vec<Vec<Param>> =
        program.functions.iter().map(|function| vec![None; usize::from(function.param_slots)]).collect();
    for function in &program.functions {
        let code = function.code.clone();
        let targets: FxHashSet<u32> = code.clone().filter_map(|pc| Flow::of(program.code[pc as usize]).jumps).collect();
        let mut constants = Constants::default();
        for pc in code {
            if targets.contains(&pc) {
                constants = Constants::default();
            }
            let ins = program.code[pc as usize];
            if ins.op == Opcode::Call
                && let Some(params) = found.get_mut(ins.x as usize)
            {
                for (i, param) in params.iter_mut().enumerate() {
                    let argument = ins.a.checked_add(i as u16).and_then(|slot| constants.0.get(&slot).copied());
                    *param = Some(argument.filter(|_| param.is_none_or(|before| before == argument)));
                }
            }
            constants.pass(program, ins, function.frame_slots);
        }
    }
    for id in taken {
        found[id.0 as usize].fill(None);
    }
    found.into_iter().map(|params| params.into_iter().map(Option::flatten).collect()).collect()
}

fn into_header(program: &Program, code: &Code, header: u32) -> Vec<Known> {
    let function = program.function(code.function);
    let count = usize::from(function.frame_slots);
    let Some(target) = code.block_at(header).filter(|_| code.blocks.len() * count <= LARGEST) else {
        return vec![Known::Varies; count];
    };
    let mut entry = vec![vec![Known::Nothing; count]; code.blocks.len()];
    if let Some(first) = entry.first_mut() {
        for (slot, known) in first.iter_mut().enumerate() {
            let slot = slot as u16;
            *known = if slot < function.param_slots {
                Known::Linear(Linear { base: Some(Base::Param(slot)), add: 0 })
            } else {
                Known::Varies
            };
        }
    }
    let mut into_header = vec![Known::Nothing; count];
    loop {
        let mut changed = false;
        into_header.fill(Known::Nothing);
        for (at, block) in code.blocks.iter().enumerate() {
            if at > 0 && entry[at].iter().all(|&k| k == Known::Nothing) {
                continue;
            }
            let mut frame = entry[at].clone();
            for pc in block.start..block.end {
                transfer(program, pc, &mut frame);
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
    into_header
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

fn transfer(program: &Program, pc: u32, frame: &mut [Known]) {
    let ins = program.code[pc as usize];
    let new = result(ins, frame);
    // What was made here before is another value from now on.
    for known in frame.iter_mut() {
        if matches!(known, Known::Linear(Linear { base: Some(Base::Made { pc: at, .. }), .. }) if *at == pc) {
            *known = Known::Varies;
        }
    }
    let slots = Slots::of(program, ins, frame.len() as u16);
    if let Some(from) = slots.clobbers {
        let from = usize::from(from).min(frame.len());
        frame[from..].fill(Known::Varies);
    }
    for (first, count) in slots.defs {
        for slot in first..first.saturating_add(count) {
            if let Some(known) = frame.get_mut(usize::from(slot)) {
                *known = Known::Linear(Linear { base: Some(Base::Made { pc, slot }), add: 0 });
            }
        }
    }
    for (slot, known) in new {
        if let Some(place) = frame.get_mut(usize::from(slot)) {
            *place = known;
        }
    }
}

/// Slots whose new value is a constant or follows from another slot.
fn result(ins: Instruction, frame: &[Known]) -> Vec<(u16, Known)> {
    let get = |slot: u16| frame.get(usize::from(slot)).copied().unwrap_or(Known::Varies);
    let plus = |slot: u16, add: i64| match get(slot) {
        Known::Linear(linear) => vec![(ins.a, Known::Linear(linear.plus(add)))],
        _ => Vec::new(),
    };
    let constant = |slot: u16| match get(slot) {
        Known::Linear(Linear { base: None, add }) => Some(add),
        _ => None,
    };
    let range = |count: u32| 0..count.min(u32::from(u16::MAX)) as u16;
    match ins.op {
        Opcode::Const => vec![(ins.a, Known::constant(ins.imm()))],
        Opcode::ConstF64 => vec![(ins.a, Known::Float(ins.imm() as u64))],
        Opcode::ConstF32 => vec![(ins.a, Known::Single(ins.imm() as u32))],
        Opcode::Zero => range(ins.x).map(|i| (ins.a + i, Known::constant(0))).collect(),
        Opcode::Move => vec![(ins.a, get(ins.b))],
        Opcode::MoveN => range(ins.x).map(|i| (ins.a + i, get(ins.b + i))).collect(),
        Opcode::AddImm => plus(ins.b, ins.imm()),
        Opcode::Add => match (constant(ins.b), constant(ins.c)) {
            (_, Some(c)) => plus(ins.b, c),
            (Some(b), None) => plus(ins.c, b),
            _ => Vec::new(),
        },
        Opcode::Sub => constant(ins.c).map_or(Vec::new(), |c| plus(ins.b, c.wrapping_neg())),
        Opcode::ForPrepS | Opcode::ForPrepU | Opcode::ForPrepInclS | Opcode::ForPrepInclU => {
            let inclusive = matches!(ins.op, Opcode::ForPrepInclS | Opcode::ForPrepInclU);
            let trips = match (get(ins.a), get(ins.b)) {
                (Known::Linear(first), Known::Linear(end)) if first.base.is_none() || first.base == end.base => {
                    let base = if first.base.is_none() { end.base } else { None };
                    let add = end.add.wrapping_sub(first.add).wrapping_sub(i64::from(!inclusive));
                    Known::Linear(Linear { base, add })
                }
                _ => return Vec::new(),
            };
            vec![(ins.a + 1, trips)]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use scaly_interp::dump::parse;
    use scaly_interp::program::FunctionId;

    use super::*;

    /// `last: n - 1; i: 1; for i in i..last`, in a loop that changes m.
    #[test]
    fn slots_that_differ_by_a_constant() {
        let program = parse(
            "
main f
function f(params 2, results 1, frame 12)
  Const s2, 0
  ForPrepS s2..4, s1 -> @done
loop counted s2..4 @outer..@done
outer: AddImm s5, s0, -1
  LoadI64 s6, s0, +0
  Move s7, s6
  Const s8, 1
  ForPrepS s8..10, s5 -> @next
loop counted s8..10 @inner..@next in loop0
inner: ForLoop s8..10, loop1 -> @inner
next: ForLoop s2..4, loop0 -> @outer
done: Return1 s0
",
        )
        .unwrap();
        let loops: Vec<_> = (0..2).map(scaly_interp::program::LoopId).collect();
        let code = Code::of(&program, FunctionId(0), &loops);
        let at = at_entry(&program, &code, program.loops[1].code.start);
        let n = |add| Some(Linear { base: Some(Base::Param(0)), add });
        assert_eq!((at[0], at[5]), (n(0), n(-1)));
        assert_eq!((at[8], at[9]), (Some(Linear { base: None, add: 1 }), n(-3)));
        assert_eq!(at[6], at[7]);
        // The outer counter is no constant here.
        assert_eq!(at[2], None);
    }
}
