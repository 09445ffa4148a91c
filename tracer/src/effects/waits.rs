//! Which functions may wait for something outside of the program: no native code calls these.

use scaly_interp::bytecode::Opcode;
use scaly_interp::program::{Class, Program};
use scaly_interp::routine::{Effect, Routine};

use super::taken;

/// By function: whether it may. By fixpoint over the calls; a function value may be any function whose id the program takes.
pub fn waits(program: &Program) -> Vec<bool> {
    let mut waits = vec![false; program.functions.len()];
    let taken = taken(program);
    loop {
        let waiting = taken.iter().filter(|id| waits[id.0 as usize]);
        let any: Vec<Class> = waiting.map(|id| program.function(*id).class()).collect();
        let mut grew = false;
        for i in 0..waits.len() {
            let code = program.functions[i].code.clone();
            let found = !waits[i]
                && program.code[code.start as usize..code.end as usize].iter().any(|ins| match ins.op {
                    Opcode::Call => waits[ins.x as usize],
                    Opcode::CallIndirect => any.contains(&Class(ins.x)),
                    Opcode::Runtime => Routine::from_number(ins.x)
                        .is_some_and(|routine| routine.signature().effects.contains(&Effect::Blocks)),
                    _ => false,
                });
            if found {
                waits[i] = true;
                grew = true;
            }
        }
        if !grew {
            return waits;
        }
    }
}
