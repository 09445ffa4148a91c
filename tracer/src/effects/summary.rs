//! What a function does, over all of its bytecode and that of everything it calls.
//!
//! Summaries of functions that call one another are found by iteration from nothing; they only grow, and there are
//! finitely many places.

use std::rc::Rc;

use scaly_interp::bytecode::Opcode;
use scaly_interp::program::{FunctionId, Pc, Program};

use super::flow::FunctionFlow;
use super::place::Places;
use crate::effects::Place;
use crate::walker::Code;

/// An effect beyond the program's memory, and the instruction of the summarized function that has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum External {
    Output(u32),
    Input(u32),
    Blocks(u32),
    /// A function value that is not known is called.
    Unknown(u32),
}

impl External {
    /// The same, from a call at this instruction.
    pub fn at(self, pc: u32) -> External {
        match self {
            External::Output(_) => External::Output(pc),
            External::Input(_) => External::Input(pc),
            External::Blocks(_) => External::Blocks(pc),
            External::Unknown(_) => External::Unknown(pc),
        }
    }

    pub fn pc(self) -> Pc {
        match self {
            External::Output(pc) | External::Input(pc) | External::Blocks(pc) | External::Unknown(pc) => Pc(pc),
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
    pub stores: Vec<(Place, Place)>,
    pub output: Option<External>,
    pub input: Option<External>,
    pub blocks: Option<External>,
    pub unknown: Option<External>,
}

impl Summary {
    /// True if it is news.
    pub fn add_external(&mut self, external: External) -> bool {
        let place = match external {
            External::Output(_) => &mut self.output,
            External::Input(_) => &mut self.input,
            External::Blocks(_) => &mut self.blocks,
            External::Unknown(_) => &mut self.unknown,
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
}

impl Summaries {
    /// `code` gives the facts about a function's bytecode.
    pub fn of(program: &Program, mut code: impl FnMut(FunctionId) -> Rc<Code>) -> Summaries {
        let count = program.functions.len();
        let mut callers = vec![Vec::new(); count];
        for (i, f) in program.functions.iter().enumerate() {
            for pc in f.code.clone() {
                let ins = program.code[pc as usize];
                if ins.op == Opcode::Call && (ins.x as usize) < count {
                    callers[ins.x as usize].push(i);
                }
            }
        }
        let mut of: Vec<Summary> = program
            .functions
            .iter()
            .map(|f| Summary { results: vec![Places::default(); f.result_slots.into()], ..Summary::default() })
            .collect();
        // Callees tend to stand before their callers; a later change comes back to the callers.
        let mut todo: Vec<usize> = (0..count).rev().collect();
        let mut queued = vec![true; count];
        while let Some(i) = todo.pop() {
            queued[i] = false;
            let code = code(FunctionId(i as u32));
            let new = FunctionFlow::of(program, &code, &|id| of[id.0 as usize].clone()).summary;
            if new != of[i] {
                of[i] = new;
                for &caller in &callers[i] {
                    if !std::mem::replace(&mut queued[caller], true) {
                        todo.push(caller);
                    }
                }
            }
        }
        Summaries { of }
    }

    pub fn get(&self, function: FunctionId) -> &Summary {
        &self.of[function.0 as usize]
    }
}
