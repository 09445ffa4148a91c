//! The loops that a program is in.

use scaly_interp::program::{FunctionId, LoopId, Program};
use scaly_interp::tier::{self, Loops, Position};

/// A loop that runs, and where its function is.
#[derive(Clone, Copy, Debug)]
pub struct Running {
    pub id: LoopId,
    pub at: Position,
    /// It runs below native code that has not left: if it is in a trace its slots are not in its frame.
    pub below: bool,
    /// Several activations of its function are in it: it calls its own function.
    pub recurs: bool,
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

/// The loops that a program is in, through calls, of so many activations, the innermost first; each once.
pub fn chain(loops: &Loops, program: &Program, at: Position, depth: u32) -> Vec<Running> {
    let mut found: Vec<Running> = Vec::new();
    let mut below = false;
    for (at, pc) in tier::activations(at).take(depth as usize) {
        for id in loops.around(program, pc) {
            match found.iter_mut().find(|other| other.id == id) {
                Some(other) => other.recurs = true,
                None => found.push(Running { id, at, below, recurs: false }),
            }
        }
        below |= tier::is_nested(at);
    }
    found
}
