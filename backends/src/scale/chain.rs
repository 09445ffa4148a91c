//! The loops that a program is in.

use scaly_interp::program::{FunctionId, LoopId, Program};
use scaly_interp::tier::{self, Position};

/// A loop that runs, and where its function is.
#[derive(Clone, Copy, Debug)]
pub struct Running {
    pub id: LoopId,
    pub at: Position,
    /// It runs below native code that has not left: if it is in a trace its slots are not in its frame.
    pub below: bool,
}

/// The function with the most activations of so many, the innermost ones, if it has several.
pub fn recursive(program: &Program, at: Position, depth: u32) -> Option<FunctionId> {
    let mut counts: Vec<(FunctionId, u32)> = Vec::new();
    for (_, pc) in tier::activations(at).take(depth as usize) {
        if let Some(function) = program.function_at(pc) {
            match counts.iter_mut().find(|(id, _)| *id == function) {
                Some((_, count)) => *count += 1,
                None => counts.push((function, 1)),
            }
        }
    }
    let most = counts.into_iter().max_by_key(|&(_, count)| count)?;
    (most.1 > 1).then_some(most.0)
}

/// The loops of a program by function, the innermost first.
pub struct Chains(Vec<Vec<LoopId>>);

impl Chains {
    pub fn of(program: &Program) -> Chains {
        let mut by_function = vec![Vec::new(); program.functions.len()];
        for (id, scope) in program.loops.iter().enumerate() {
            by_function[scope.function.0 as usize].push(LoopId(id as u32));
        }
        for loops in &mut by_function {
            loops.sort_by_key(|id| program.loops[id.0 as usize].code.len());
        }
        Chains(by_function)
    }

    /// Through calls, of so many activations, the innermost first; each once.
    pub fn at(&self, program: &Program, at: Position, depth: u32) -> Vec<Running> {
        let mut found: Vec<Running> = Vec::new();
        let mut below = false;
        for (at, pc) in tier::activations(at).take(depth as usize) {
            let loops = program.function_at(pc).map_or(&[][..], |function| &self.0[function.0 as usize]);
            for &id in loops.iter().filter(|id| program.loops[id.0 as usize].code.contains(&pc.0)) {
                if found.iter().all(|other| other.id != id) {
                    found.push(Running { id, at, below });
                }
            }
            below |= tier::is_nested(at);
        }
        found
    }
}
