//! What the recorder knows of the bytecode: live slots, loops by header, slots that loops write, what may wait.
//!
//! Made function by function when first asked for.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use scaly_interp::program::{FunctionId, LoopId, Pc, Program};

use crate::effects::waits;
use crate::optimize::Liveness;
use crate::walker::{Code, SlotSet, Slots};

pub struct Facts {
    pub program: Arc<Program>,
    functions: RefCell<FxHashMap<FunctionId, Rc<FunctionFacts>>>,
    /// By function: whether it may wait for something outside of the program.
    waits: OnceCell<Vec<bool>>,
}

/// Facts about one function.
struct FunctionFacts {
    start: u32,
    /// For each instruction, the slots that are read at it or behind it.
    live: Vec<SlotSet>,
    /// Headers and their loops, outer ones first where a header is shared.
    headers: FxHashMap<u32, Vec<LoopId>>,
    /// For each loop, the slots that it writes.
    written: FxHashMap<LoopId, SlotSet>,
}

impl FunctionFacts {
    fn of(program: &Program, id: FunctionId) -> FunctionFacts {
        let f = program.function(id);
        let loops: Vec<LoopId> = (0..program.loops.len() as u32)
            .map(LoopId)
            .filter(|l| program.loops[l.0 as usize].function == id)
            .collect();
        let code = Code::of(program, id, &loops);
        let mut live = vec![SlotSet::new(f.frame_slots); f.code.len()];
        for (i, block) in code.blocks.iter().enumerate() {
            let mut now = code.live_out(program, i);
            for pc in (block.start..block.end).rev() {
                step_back(program, pc, f.frame_slots, &mut now);
                live[(pc - f.code.start) as usize] = now.clone();
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
        FunctionFacts { start: f.code.start, live, headers, written }
    }
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
        Facts { program, functions: RefCell::default(), waits: OnceCell::new() }
    }

    fn function(&self, id: FunctionId) -> Rc<FunctionFacts> {
        if let Some(facts) = self.functions.borrow().get(&id) {
            return facts.clone();
        }
        let facts = Rc::new(FunctionFacts::of(&self.program, id));
        self.functions.borrow_mut().insert(id, facts.clone());
        facts
    }

    /// The function that an instruction lies in; main for one outside of all, which there is none of.
    pub fn function_at(&self, pc: Pc) -> FunctionId {
        self.program.function_at(pc).unwrap_or(self.program.main)
    }

    /// The loops whose header an instruction is, outer ones first.
    pub fn headers(&self, function: FunctionId, pc: Pc) -> Vec<LoopId> {
        self.function(function).headers.get(&pc.0).cloned().unwrap_or_default()
    }

    /// Slots of its function's frame that a loop may write.
    pub fn written(&self, id: LoopId) -> SlotSet {
        let function = self.program.loops[id.0 as usize].function;
        self.function(function).written.get(&id).cloned().unwrap_or_else(|| SlotSet::new(0))
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

    /// Whether a call of a function may wait.
    pub fn may_wait(&self, id: FunctionId) -> bool {
        self.waits.get_or_init(|| waits(&self.program))[id.0 as usize]
    }
}

impl Liveness for Facts {
    fn live(&self, pc: Pc, slot: u16) -> bool {
        let facts = self.function(self.function_at(pc));
        facts.live.get((pc.0 - facts.start) as usize).is_some_and(|live| live.has(slot))
    }
}
