//! The loops that a program is in.

use scaly_interp::program::{FunctionId, LoopId, Pc, Program};
use scaly_interp::tier::{self, Position};

/// Activations that are looked at, the innermost included.
const DEPTH: usize = 16;

/// A loop that runs, and where its function is.
#[derive(Clone, Copy, Debug)]
pub struct Running {
    pub id: LoopId,
    pub at: Position,
}

/// Through calls, the innermost first; each once.
pub fn loops(program: &Program, at: Position) -> Vec<Running> {
    let mut found: Vec<Running> = Vec::new();
    let (mut at, mut pc) = (at, at.pc());
    for _ in 0..DEPTH {
        if let Some(function) = program.function_at(pc) {
            for id in around(program, function, pc) {
                if found.iter().all(|other| other.id != id) {
                    found.push(Running { id, at });
                }
            }
        }
        let Some(caller) = tier::caller(at) else { break };
        // The call, not what follows it: that may lie behind the loop.
        (at, pc) = (caller, Pc(caller.pc().0.saturating_sub(1)));
    }
    found
}

fn around(program: &Program, function: FunctionId, pc: Pc) -> Vec<LoopId> {
    let all = (0..program.loops.len() as u32).map(LoopId);
    let mut found: Vec<LoopId> = all
        .filter(|id| {
            let scope = &program.loops[id.0 as usize];
            scope.function == function && scope.code.contains(&pc.0)
        })
        .collect();
    found.sort_by_key(|id| program.loops[id.0 as usize].code.len());
    found
}
