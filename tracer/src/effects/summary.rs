//! What a function does, over all of its bytecode and that of everything it calls.
//!
//! Summaries of functions that call one another are found by iteration from nothing; they only grow, and there are
//! finitely many places.

use std::collections::BTreeSet;
use std::rc::Rc;

use rustc_hash::FxHashMap;
use scaly_interp::bytecode::Opcode;
use scaly_interp::program::{Class, FunctionId, Program};

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

/// The summaries of all functions of a program.
pub struct Summaries {
    of: Vec<Summary>,
    /// Of a function value, by class: of every function whose id the program takes.
    any: FxHashMap<Class, Summary>,
    /// Of a class of which there is none.
    nothing: Summary,
    constant_globals: bool,
}

/// The functions that a function value may be.
pub fn taken(program: &Program) -> Vec<FunctionId> {
    let ids = program.code.iter().filter(|ins| ins.op == Opcode::FunctionId).map(|ins| FunctionId(ins.x));
    let mut taken: Vec<FunctionId> = ids.filter(|id| (id.0 as usize) < program.functions.len()).collect();
    taken.sort_unstable();
    taken.dedup();
    taken
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
    /// `code` gives the facts about a function's bytecode.
    pub fn of(program: &Program, mut code: impl FnMut(FunctionId) -> Rc<Code>) -> Summaries {
        let count = program.functions.len();
        let mut callers = vec![Vec::new(); count];
        let mut indirect = Vec::new();
        for (i, f) in program.functions.iter().enumerate() {
            for pc in f.code.clone() {
                let ins = program.code[pc as usize];
                match ins.op {
                    Opcode::Call if (ins.x as usize) < count => callers[ins.x as usize].push(i),
                    Opcode::CallIndirect => indirect.push((i, Class(ins.x))),
                    _ => {}
                }
            }
        }
        let taken = taken(program);
        let blank = |f: &scaly_interp::program::Function| Summary {
            results: vec![Places::default(); f.result_slots.into()],
            ..Summary::default()
        };
        let mut all = Summaries {
            of: program.functions.iter().map(blank).collect(),
            any: FxHashMap::default(),
            nothing: Summary::default(),
            constant_globals: false,
        };
        // Callees tend to stand before their callers; a later change comes back to the callers.
        let mut todo: Vec<usize> = (0..count).rev().collect();
        let mut queued = vec![true; count];
        while let Some(i) = todo.pop() {
            queued[i] = false;
            let id = FunctionId(i as u32);
            let code = code(id);
            let new = FunctionFlow::of(program, &code, &all).summary;
            if new == all.of[i] {
                continue;
            }
            let class = program.functions[i].class();
            let spreads = taken.binary_search(&id).is_ok() && all.any.entry(class).or_default().unite(&new);
            all.of[i] = new;
            let of_value = indirect.iter().filter(|&&(_, called)| spreads && called == class).map(|(caller, _)| caller);
            for &caller in callers[i].iter().chain(of_value) {
                if !std::mem::replace(&mut queued[caller], true) {
                    todo.push(caller);
                }
            }
        }
        all.constant_globals = (0..count).all(|i| {
            let straight = || program.loops.iter().all(|l| l.function.0 as usize != i);
            let entry = i == program.main.0 as usize && straight();
            entry || all.of[i].writes.iter().all(|place| place.source != Source::Global)
        });
        all
    }

    /// Whether no loop runs while the globals, or what they own, are written: at most the main function does, before and
    /// between its calls. Then what a loop writes is no global, whoever made the slice through which it does.
    pub fn constant_globals(&self) -> bool {
        self.constant_globals
    }

    pub fn get(&self, function: FunctionId) -> &Summary {
        &self.of[function.0 as usize]
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
