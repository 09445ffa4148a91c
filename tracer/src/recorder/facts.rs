//! What the recorder knows of the bytecode: live slots, loops by header, slots that loops write, what may wait.
//!
//! Made function by function when first asked for.

use std::cell::{OnceCell, RefCell};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use scaly_interp::bytecode::{Instruction, Opcode};
use scaly_interp::program::{Class, FunctionId, LoopId, Pc, Program};
use scaly_interp::trips;

use crate::effects::waits;
use crate::optimize::Liveness;
use crate::trace::Const;
use crate::walker::{Code, CodeBlock, Constants, Flow, SlotSet, Slots};

pub struct Facts {
    pub program: Arc<Program>,
    functions: RefCell<FxHashMap<FunctionId, Rc<FunctionFacts>>>,
    /// Of the function that was asked about last: most questions are about one.
    last: RefCell<Option<Rc<FunctionFacts>>>,
    /// By function: whether it may wait for something outside of the program.
    waits: OnceCell<Vec<bool>>,
}

/// Facts about one function.
struct FunctionFacts {
    code: Range<u32>,
    /// For each instruction, the slots that are read at it or behind it, in `stride` words.
    live: Vec<u64>,
    stride: usize,
    /// Headers and their loops, outer ones first where a header is shared.
    headers: FxHashMap<u32, Vec<LoopId>>,
    /// For each loop, the slots that it writes.
    written: FxHashMap<LoopId, SlotSet>,
    /// For each loop, what waits in slots that it does not write: constants, ascending.
    constants: FxHashMap<LoopId, Vec<(u16, Const)>>,
    /// For each loop that goes the same way each time, with the same number of trips, the instructions of a run.
    straight: FxHashMap<LoopId, u64>,
    /// Instructions behind which it goes on in one of two ways.
    branches: usize,
}

impl FunctionFacts {
    fn live_at(&self, pc: Pc) -> &[u64] {
        let at = (pc.0 - self.code.start) as usize * self.stride;
        &self.live[at..at + self.stride]
    }

    fn of(program: &Program, id: FunctionId) -> FunctionFacts {
        let f = program.function(id);
        let loops: Vec<LoopId> = (0..program.loops.len() as u32)
            .map(LoopId)
            .filter(|l| program.loops[l.0 as usize].function == id)
            .collect();
        let code = Code::of(program, id, &loops);
        let stride = SlotSet::new(f.frame_slots).words().len();
        let mut live = vec![0; f.code.len() * stride];
        for (i, block) in code.blocks.iter().enumerate() {
            let mut now = code.live_out(program, i);
            for pc in (block.start..block.end).rev() {
                step_back(program, pc, f.frame_slots, &mut now);
                let at = (pc - f.code.start) as usize * stride;
                live[at..at + stride].copy_from_slice(now.words());
            }
        }
        let (mut headers, mut written) = (FxHashMap::<u32, Vec<LoopId>>::default(), FxHashMap::default());
        for &id in &loops {
            let range = program.loops[id.0 as usize].code.clone();
            headers.entry(range.start).or_default().push(id);
            written.insert(id, crate::walker::written(program, range.start, range.end, f.frame_slots));
        }
        for ids in headers.values_mut() {
            ids.sort_by_key(|l| std::cmp::Reverse(program.loops[l.0 as usize].code.end));
        }
        let straight = loops.iter().filter_map(|&id| Some((id, straight(program, id)?))).collect();
        let jumps = jumps(program, &code);
        let waiting: FxHashMap<LoopId, Vec<(u16, Const)>> = loops
            .iter()
            .filter(|id| program.loops[id.0 as usize].parent.is_none())
            .map(|&id| (id, constants(program, &code, &jumps, id, &written[&id])))
            .collect();
        let constants = loops.iter().map(|&id| (id, waiting[&outermost(program, id)].clone())).collect();
        let branches = code.blocks.iter().filter(|block| {
            let flow = Flow::of(program.code[block.end as usize - 1]);
            flow.falls && flow.jumps.is_some()
        });
        FunctionFacts {
            branches: branches.count(),
            code: f.code.clone(),
            live,
            stride,
            headers,
            written,
            constants,
            straight,
        }
    }
}

/// Whether an instruction is one of a counted loop's.
fn counts(op: Opcode) -> bool {
    use Opcode::{ForLoop, ForPrepInclS, ForPrepInclU, ForPrepS, ForPrepU};
    matches!(op, ForLoop | ForPrepS | ForPrepU | ForPrepInclS | ForPrepInclU)
}

/// The instructions of a run of a loop in which nothing branches but the loops in it, all with constant trips.
fn straight(program: &Program, id: LoopId) -> Option<u64> {
    let code = program.loops[id.0 as usize].code.clone();
    let branches = |ins: &Instruction| {
        let flow = Flow::of(*ins);
        !flow.falls || flow.jumps.is_some() && !counts(ins.op)
    };
    let code = &program.code[code.start as usize..code.end as usize];
    if code.iter().any(branches) { None } else { trips::instructions(program, id) }
}

/// The loop that lies in no other one, around a loop or itself.
fn outermost(program: &Program, id: LoopId) -> LoopId {
    program.loops[id.0 as usize].parent.map_or(id, |around| outermost(program, around))
}

/// By instruction that blocks jump to, where these begin.
fn jumps(program: &Program, code: &Code) -> FxHashMap<u32, Vec<u32>> {
    let mut jumps: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
    for block in &code.blocks {
        if let Some(to) = Flow::of(program.code[block.end as usize - 1]).jumps {
            jumps.entry(to).or_default().push(block.start);
        }
    }
    jumps
}

/// The constants that are set right before a loop, and stay in their slots while it runs.
fn constants(
    program: &Program,
    code: &Code,
    jumps: &FxHashMap<u32, Vec<u32>>,
    id: LoopId,
    written: &SlotSet,
) -> Vec<(u16, Const)> {
    let inside = &program.loops[id.0 as usize].code;
    let before = code.blocks.partition_point(|block| block.end < inside.start);
    let falls = |block: &&CodeBlock| block.end == inside.start && Flow::of(program.code[block.end as usize - 1]).falls;
    let Some(before) = code.blocks.get(before).filter(falls) else { return Vec::new() };
    if jumps.get(&inside.start).is_some_and(|from| from.iter().any(|at| !inside.contains(at))) {
        return Vec::new();
    }
    let frame_slots = program.function(code.function).frame_slots;
    let mut constants = Constants::default();
    (before.start..before.end).for_each(|pc| constants.pass(program, program.code[pc as usize], frame_slots));
    constants.by_slot().filter(|&(slot, _)| !written.has(slot)).collect()
}

/// From what is live behind an instruction to what is live at it.
fn step_back(program: &Program, pc: u32, frame_slots: u16, live: &mut SlotSet) {
    let slots = Slots::of(program, program.code[pc as usize], frame_slots);
    if let Some(from) = slots.clobbers {
        (from..frame_slots).for_each(|slot| live.remove(slot));
    }
    for &(first, count) in &slots.defs {
        (first..first.saturating_add(count)).for_each(|slot| live.remove(slot));
    }
    for &(first, count) in &slots.uses {
        (first..first.saturating_add(count)).for_each(|slot| live.add(slot));
    }
}

impl Facts {
    pub fn new(program: Arc<Program>) -> Facts {
        Facts { program, functions: RefCell::default(), last: RefCell::default(), waits: OnceCell::new() }
    }

    fn function(&self, id: FunctionId) -> Rc<FunctionFacts> {
        if let Some(facts) = self.functions.borrow().get(&id) {
            return facts.clone();
        }
        let facts = Rc::new(FunctionFacts::of(&self.program, id));
        self.functions.borrow_mut().insert(id, facts.clone());
        facts
    }

    fn with<T>(&self, pc: Pc, ask: impl FnOnce(&FunctionFacts) -> T) -> T {
        let mut last = self.last.borrow_mut();
        match &*last {
            Some(facts) if facts.code.contains(&pc.0) => ask(facts),
            _ => ask(last.insert(self.function(self.function_at(pc)))),
        }
    }

    /// The function that an instruction lies in; main for one outside of all, which there is none of.
    pub fn function_at(&self, pc: Pc) -> FunctionId {
        self.program.function_at(pc).unwrap_or(self.program.main)
    }

    /// The loops whose header an instruction is, outer ones first.
    pub fn headers(&self, pc: Pc) -> Vec<LoopId> {
        self.with(pc, |facts| facts.headers.get(&pc.0).cloned().unwrap_or_default())
    }

    /// The slots of its function's frame that are read at an instruction or behind it, ascending.
    pub fn for_each_live(&self, pc: Pc, mut slot: impl FnMut(u16)) {
        self.with(pc, |facts| {
            for (i, &word) in facts.live_at(pc).iter().enumerate() {
                let mut rest = word;
                while rest != 0 {
                    slot(i as u16 * 64 + rest.trailing_zeros() as u16);
                    rest &= rest - 1;
                }
            }
        });
    }

    /// Slots of its function's frame that a loop may write.
    pub fn written(&self, id: LoopId) -> SlotSet {
        let function = self.program.loops[id.0 as usize].function;
        self.function(function).written.get(&id).cloned().unwrap_or_else(|| SlotSet::new(0))
    }

    /// What waits in slots of its function's frame that a loop does not write: constants, ascending.
    pub fn constants(&self, id: LoopId) -> Vec<(u16, Const)> {
        let function = self.program.loops[id.0 as usize].function;
        self.function(function).constants.get(&id).cloned().unwrap_or_default()
    }

    /// The instructions of a run of a loop that goes the same way each time, with the same number of trips.
    pub fn straight(&self, id: LoopId) -> Option<u64> {
        let function = self.program.loops[id.0 as usize].function;
        self.function(function).straight.get(&id).copied()
    }

    pub fn contains(&self, id: LoopId, pc: Pc) -> bool {
        self.program.loops[id.0 as usize].code.contains(&pc.0)
    }

    /// Whether a loop is `outer` or lies in it, in the same function.
    pub fn within(&self, id: LoopId, outer: LoopId) -> bool {
        let mut at = Some(id);
        while let Some(id) = at {
            if id == outer {
                return true;
            }
            at = self.program.loops[id.0 as usize].parent;
        }
        false
    }

    /// Branches of a function, without those of what it calls.
    pub fn branches(&self, id: FunctionId) -> usize {
        self.function(id).branches
    }

    /// Whether a call of a function may wait.
    pub fn may_wait(&self, id: FunctionId) -> bool {
        self.waits.get_or_init(|| waits(&self.program))[id.0 as usize]
    }

    /// Whether a call of any function of a class may.
    pub fn any_may_wait(&self, class: Class) -> bool {
        let mut functions = (0..self.program.functions.len() as u32).map(FunctionId);
        functions.any(|id| self.program.function(id).class() == class && self.may_wait(id))
    }
}

impl Liveness for Facts {
    fn live(&self, pc: Pc, slot: u16) -> bool {
        self.with(pc, |facts| {
            facts.live_at(pc).get(usize::from(slot) / 64).is_some_and(|word| word >> (slot % 64) & 1 != 0)
        })
    }
}
