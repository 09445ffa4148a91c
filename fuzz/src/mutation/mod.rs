//! Changed meanings of opcodes: what the tests must notice.
//!
//! A mutation rewrites every instruction of one opcode in a program's image into one with the same operands and another
//! meaning: a wrong operator, off by one, the other signedness. So nothing in the interpreter knows of it, and a test that
//! fails on the image fails on an interpreter with that mistake.

mod table;

use scaly_interp::bytecode::{Instruction, Opcode};
use scaly_interp::machine::{Fault, IntKind};
use scaly_interp::program::{LoopKind, Program};

pub use table::mutations;

/// How an instruction's meaning changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mutation {
    /// Another opcode, the same operands.
    Becomes(Opcode),
    /// Another opcode, a's and b's roles or b's and c's exchanged.
    Swapped(Opcode),
    /// The result is the first operand.
    Copies,
    /// The 64-bit immediate is one more.
    ImmediatePlusOne,
    /// The compared constant is one more.
    ShortPlusOne,
    /// x is one more, or one less where it would be none of the program's.
    OtherX,
    /// One slot, word or byte less.
    Fewer,
    /// So many bytes more of stride.
    Stride(u32),
    /// So many bytes more of offset.
    Offset(u32),
    /// The next integer type.
    OtherKind,
    /// The next kind of error.
    OtherFault,
    /// The result is taken from the slot before, or behind.
    OtherSlot,
    /// Nothing happens.
    Skipped,
    /// Loops with this back edge run once.
    OnePass,
    /// A branch is taken whatever its condition.
    Always,
}

impl std::fmt::Display for Mutation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Mutation::Becomes(op) => write!(f, "as {}", op.name()),
            Mutation::Swapped(op) => write!(f, "as {} with its operands exchanged", op.name()),
            Mutation::Copies => write!(f, "as Move"),
            Mutation::ImmediatePlusOne | Mutation::ShortPlusOne => write!(f, "constant + 1"),
            Mutation::OtherX => write!(f, "the next one"),
            Mutation::Fewer => write!(f, "one less"),
            Mutation::Stride(by) => write!(f, "stride + {by}"),
            Mutation::Offset(by) => write!(f, "offset + {by}"),
            Mutation::OtherKind => write!(f, "another integer type"),
            Mutation::OtherFault => write!(f, "another error"),
            Mutation::OtherSlot => write!(f, "the slot beside"),
            Mutation::Skipped => write!(f, "does nothing"),
            Mutation::OnePass => write!(f, "does not go back"),
            Mutation::Always => write!(f, "always jumps"),
        }
    }
}

/// Which opcodes a program has.
pub fn opcodes(program: &Program) -> Vec<bool> {
    let mut found = vec![false; Opcode::ALL.len()];
    for ins in &program.code {
        found[ins.op as usize] = true;
    }
    found
}

/// The program with the changed opcode; none if no instruction can be changed so.
pub fn mutated(program: &Program, opcode: Opcode, mutation: Mutation) -> Option<Program> {
    let mut changed = program.clone();
    if mutation == Mutation::OnePass {
        drop_loops(&mut changed, opcode);
    } else {
        for pc in 0..program.code.len() {
            let ins = program.code[pc];
            if ins.op == opcode {
                changed.code[pc] = instruction(program, pc, ins, mutation);
            }
        }
    }
    (changed != *program).then_some(changed)
}

fn instruction(program: &Program, pc: usize, ins: Instruction, mutation: Mutation) -> Instruction {
    let nothing = Instruction::new(Opcode::Nop, 0, 0, 0);
    match mutation {
        Mutation::Becomes(op) => Instruction { op, ..ins },
        Mutation::Swapped(op) if is_branch(op) => Instruction { op, a: ins.b, b: ins.a, ..ins },
        Mutation::Swapped(op) => Instruction { op, b: ins.c, c: ins.b, ..ins },
        Mutation::Copies => Instruction::new(Opcode::Move, ins.a, ins.b, 0),
        Mutation::ImmediatePlusOne => match ins.imm().wrapping_add(1) {
            // A division by the constant 0 is no program.
            0 => Instruction::wide(ins.op, ins.a, ins.b, ins.c, 1),
            imm => Instruction::wide(ins.op, ins.a, ins.b, ins.c, imm),
        },
        Mutation::ShortPlusOne => Instruction { y: ins.y.wrapping_add(1), ..ins },
        Mutation::OtherX => {
            // Globals that all move by the same are the same: the second takes the place of the first.
            if ins.op == Opcode::Global {
                return Instruction { x: ins.x.saturating_sub(16), ..ins };
            }
            let most = match ins.op {
                Opcode::Text => program.texts.len() as u32,
                Opcode::FunctionId => program.functions.len() as u32,
                _ => u32::MAX,
            };
            let x = if ins.x + 1 < most { ins.x + 1 } else { ins.x.saturating_sub(1) };
            Instruction { x, ..ins }
        }
        Mutation::Fewer => Instruction { x: ins.x.saturating_sub(1), ..ins },
        Mutation::Stride(by) => match ins.op {
            Opcode::JRoom => Instruction { y: ins.y + by, ..ins },
            _ => Instruction { x: ins.x + by, ..ins },
        },
        Mutation::Offset(by) => match ins.op {
            Opcode::LoadWords | Opcode::StoreWords => Instruction { y: ins.y + by, ..ins },
            _ if with_stride(ins.op) => Instruction { y: ins.y + by, ..ins },
            _ => Instruction { x: ins.x + by, ..ins },
        },
        Mutation::OtherKind => Instruction { x: (ins.x + 4) % IntKind::ALL.len() as u32, ..ins },
        Mutation::OtherFault => Instruction { x: (ins.x + 1) % Fault::ALL.len() as u32, ..ins },
        Mutation::OtherSlot => Instruction { b: if ins.b > 0 { ins.b - 1 } else { ins.b + 1 }, ..ins },
        Mutation::Skipped => nothing,
        Mutation::Always => Instruction::with(Opcode::Jump, 0, 0, 0, ins.x.max(pc as u32 + 1), 0),
        Mutation::OnePass => ins,
    }
}

fn with_stride(op: Opcode) -> bool {
    use scaly_interp::bytecode::Role;
    op.operands().x == Role::Stride
}

fn is_branch(op: Opcode) -> bool {
    use scaly_interp::bytecode::Role;
    op.operands().x == Role::Target
}

/// Takes the back edges of one kind away, and their loops out of the table.
fn drop_loops(program: &mut Program, opcode: Opcode) {
    let counted = opcode == Opcode::ForLoop;
    let dropped: Vec<bool> =
        program.loops.iter().map(|l| matches!(l.kind, LoopKind::Counted { .. }) == counted).collect();
    let number = |old: u32| (0..old as usize).filter(|&i| !dropped[i]).count() as u32;
    for pc in 0..program.code.len() {
        let ins = program.code[pc];
        if !matches!(ins.op, Opcode::Loop | Opcode::ForLoop) {
            continue;
        }
        program.code[pc] = if !dropped[ins.y as usize] {
            Instruction { y: number(ins.y), ..ins }
        } else if ins.op == Opcode::Loop {
            Instruction::with(Opcode::Jump, 0, 0, 0, pc as u32 + 1, 0)
        } else {
            Instruction::new(Opcode::Nop, 0, 0, 0)
        };
    }
    let loops = std::mem::take(&mut program.loops);
    // The nearest loop around that is left.
    let parent = |mut at: Option<scaly_interp::program::LoopId>| {
        while let Some(id) = at {
            if !dropped[id.0 as usize] {
                return Some(scaly_interp::program::LoopId(number(id.0)));
            }
            at = loops[id.0 as usize].parent;
        }
        None
    };
    let left: Vec<_> = loops
        .iter()
        .zip(&dropped)
        .filter(|&(_, &dropped)| !dropped)
        .map(|(each, _)| scaly_interp::program::Loop { parent: parent(each.parent), ..each.clone() })
        .collect();
    program.loops = left;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_opcode_has_a_mutation_or_a_reason() {
        for &op in Opcode::ALL {
            let without = matches!(op, Opcode::Nop);
            assert_eq!(mutations(op).is_empty(), without, "{}", op.name());
        }
    }

    #[test]
    fn other_opcodes_have_the_same_operands() {
        for &op in Opcode::ALL {
            for mutation in mutations(op) {
                if let Mutation::Becomes(to) | Mutation::Swapped(to) = mutation {
                    let (from, to) = (op.operands(), to.operands());
                    assert!(from == to || from.a == to.a, "{}: {mutation}", op.name());
                }
            }
        }
    }
}
