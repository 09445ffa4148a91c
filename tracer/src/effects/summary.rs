//! What a function does, over all of its bytecode and that of everything it calls.
//!
//! A loop is judged while the program waits to be compiled, so only functions that it reaches are summed up.
//!
//! Summaries of functions that call one another are found by iteration from nothing; they only grow, and there are
//! finitely many places.

use std::collections::BTreeSet;
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};
use scaly_interp::program::{Class, FunctionId};

use super::calls::{Callee, Calls};
use super::flow::FunctionFlow;
use super::place::{Place, Places, Source};
use crate::region::{Inst, Op, Value};
use crate::walker::Code;

/// An effect beyond the program's memory, and the instruction of the summarized function that has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum External {
    Output(u32),
    Input(u32),
    Blocks(u32),
}

impl External {
    /// The same, from a call at this instruction.
    pub fn at(self, pc: u32) -> External {
        match self {
            External::Output(_) => External::Output(pc),
            External::Input(_) => External::Input(pc),
            External::Blocks(_) => External::Blocks(pc),
        }
    }
}

/// A function's effects. What it made itself is left out: nobody else knows it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Summary {
    pub reads: Places,
    /// Freeing counts as writing.
    pub writes: Places,
    /// For each result slot, where a pointer in it may point.
    pub results: Vec<Places>,
    /// A pointer to the second may have been stored in the first.
    pub stores: BTreeSet<(Place, Place)>,
    pub output: Option<External>,
    pub input: Option<External>,
    pub blocks: Option<External>,
}

impl Summary {
    /// True if it is news.
    pub fn add_external(&mut self, external: External) -> bool {
        let place = match external {
            External::Output(_) => &mut self.output,
            External::Input(_) => &mut self.input,
            External::Blocks(_) => &mut self.blocks,
        };
        let news = place.is_none();
        place.get_or_insert(external);
        news
    }

    /// Touches the world outside of the program's memory.
    pub fn external(&self) -> bool {
        self.output.is_some() || self.input.is_some() || self.blocks.is_some()
    }
}

/// Summaries of functions: of those asked for, and of all that these call.
#[derive(Default)]
pub struct Summaries {
    of: FxHashMap<FunctionId, Summary>,
    /// Of a function value, by class: of every function whose id the program takes.
    any: FxHashMap<Class, Summary>,
    /// Of a class of which there is none.
    nothing: Summary,
    /// None as long as nobody has asked.
    constant_globals: Option<bool>,
}

impl Summary {
    /// True if it grew.
    fn unite(&mut self, other: &Summary) -> bool {
        let mut grew = self.reads.unite(&other.reads) | self.writes.unite(&other.writes);
        if self.results.len() < other.results.len() {
            self.results.resize(other.results.len(), Places::default());
            grew = true;
        }
        for (mine, places) in self.results.iter_mut().zip(&other.results) {
            grew |= mine.unite(places);
        }
        for &pair in &other.stores {
            grew |= self.stores.insert(pair);
        }
        for external in [other.output, other.input, other.blocks].into_iter().flatten() {
            grew |= self.add_external(external);
        }
        grew
    }
}

impl Summaries {
    /// Sums up what these functions do, and those that they call. `code` gives the facts about a function's bytecode.
    pub fn add(&mut self, calls: &Calls<'_>, roots: &[FunctionId], mut code: impl FnMut(FunctionId) -> Rc<Code>) {
        let program = calls.program;
        // Callees come before their callers; a later change comes back to the callers.
        let mut todo = calls.reached(roots, |id| self.of.contains_key(&id));
        let mut callers: FxHashMap<FunctionId, Vec<FunctionId>> = FxHashMap::default();
        let mut of_value: FxHashMap<Class, Vec<FunctionId>> = FxHashMap::default();
        for &id in &todo {
            let results = vec![Places::default(); program.function(id).result_slots.into()];
            self.of.insert(id, Summary { results, ..Summary::default() });
            for callee in calls.of(id) {
                match callee {
                    Callee::Function(callee) => callers.entry(callee).or_default().push(id),
                    Callee::Any(class) => of_value.entry(class).or_default().push(id),
                }
            }
        }
        let mut queued: FxHashSet<FunctionId> = todo.iter().copied().collect();
        todo.reverse();
        while let Some(id) = todo.pop() {
            queued.remove(&id);
            let new = FunctionFlow::of(program, &code(id), self).summary;
            if new == self.of[&id] {
                continue;
            }
            let class = program.function(id).class();
            let spreads = calls.is_taken(id) && self.any.entry(class).or_default().unite(&new);
            self.of.insert(id, new);
            let any = of_value.get(&class).filter(|_| spreads);
            for &caller in callers.get(&id).into_iter().chain(any).flatten() {
                if queued.insert(caller) {
                    todo.push(caller);
                }
            }
        }
    }

    /// Finds out whether no loop runs while the globals, or what they own, are written: at most the main function does,
    /// before and between its calls. Then what a loop writes is no global, whoever made the slice through which it does.
    pub fn add_globals(&mut self, calls: &Calls<'_>, code: impl FnMut(FunctionId) -> Rc<Code>) {
        if self.constant_globals.is_some() {
            return;
        }
        let program = calls.program;
        let mut others = calls.touching_globals();
        others.retain(|&id| id != program.main || program.loops.iter().any(|l| l.function == id));
        self.add(calls, &others, code);
        let constant = |id: &FunctionId| self.of[id].writes.iter().all(|place| place.source != Source::Global);
        self.constant_globals = Some(others.iter().all(constant));
    }

    /// What was found out about that; false if nothing was.
    pub fn constant_globals(&self) -> bool {
        self.constant_globals.unwrap_or(false)
    }

    /// Of a function that was asked for, or is called by one that was.
    pub fn get(&self, function: FunctionId) -> &Summary {
        &self.of[&function]
    }

    /// Of a call of a function value.
    pub fn any(&self, class: Class) -> &Summary {
        self.any.get(&class).unwrap_or(&self.nothing)
    }

    /// Of the callee of a region's instruction, with the values of its parameter slots; none of what is no call.
    pub fn callee<'r>(&self, inst: &'r Inst) -> Option<(&Summary, &'r [Value])> {
        match inst.op {
            Op::Call(function) => Some((self.get(function), &inst.args)),
            Op::CallAny(class) => Some((self.any(class), inst.args.get(1..).unwrap_or(&[]))),
            _ => None,
        }
    }
}
