//! Which functions call themselves, directly or through others.

use scaly_interp::bytecode::Opcode;
use scaly_interp::program::{FunctionId, Program};

/// In the order of their ids. What is called through function values does not count.
pub fn recursive(program: &Program) -> Vec<FunctionId> {
    let calls = |id: FunctionId| {
        let code = program.function(id).code.clone();
        let code = &program.code[code.start as usize..code.end as usize];
        code.iter().filter(|ins| ins.op == Opcode::Call).map(|ins| FunctionId(ins.x))
    };
    let reaches_itself = |&of: &FunctionId| {
        let mut seen = vec![false; program.functions.len()];
        let mut todo: Vec<FunctionId> = calls(of).collect();
        while let Some(id) = todo.pop() {
            if !std::mem::replace(&mut seen[id.0 as usize], true) {
                todo.extend(calls(id));
            }
        }
        seen[of.0 as usize]
    };
    (0..program.functions.len() as u32).map(FunctionId).filter(reaches_itself).collect()
}
