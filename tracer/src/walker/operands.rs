//! Which slots an instruction reads and writes.
//!
//! A call's come from its callee's row: the opcode table knows only where the callee's frame begins. Everything from the
//! frame's header on is lost by a call but for the results.

use arrayvec::ArrayVec;
use scaly_interp::bytecode::{Instruction, Opcode, Role};
use scaly_interp::program::Program;
use scaly_interp::routine::Routine;

/// As many as an instruction has operands, and what a call adds.
pub type Runs = ArrayVec<(u16, u16), 4>;

/// Slots of one instruction, each a run: first and count.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Slots {
    pub uses: Runs,
    pub defs: Runs,
    /// Every slot from here on has no value behind the instruction, results apart.
    pub clobbers: Option<u16>,
}

impl Slots {
    pub fn of(program: &Program, ins: Instruction, frame_slots: u16) -> Slots {
        let mut slots = Slots::default();
        let roles = ins.op.operands();
        for (role, at) in [(roles.a, ins.a), (roles.b, ins.b), (roles.c, ins.c)] {
            match role {
                Role::Use => slots.uses.push((at, 1)),
                Role::Use2 => slots.uses.push((at, 2)),
                Role::UseN => slots.uses.push((at, ins.x as u16)),
                Role::Def => slots.defs.push((at, 1)),
                Role::Def2 => slots.defs.push((at, 2)),
                Role::DefN => slots.defs.push((at, ins.x as u16)),
                Role::Count2 => {
                    let both = ins.op == Opcode::ForLoop;
                    slots.uses.push((at, 1 + u16::from(both)));
                    // The preparation leaves the value as it is; both slots count as written by the back edge.
                    slots.defs.push(if both { (at, 2) } else { (at + 1, 1) });
                }
                _ => {}
            }
        }
        let frame = ins.a;
        match ins.op {
            Opcode::Call => {
                let callee = &program.functions[ins.x as usize];
                slots.uses.push((frame, callee.param_slots));
                slots.defs.push((frame, callee.result_slots));
                slots.clobbers = Some(frame.saturating_sub(2));
            }
            // Which function it is, and so how many arguments, is not known here: whatever stands there may be read.
            Opcode::CallIndirect => {
                slots.uses.push((frame, frame_slots.saturating_sub(frame)));
                slots.clobbers = Some(frame.saturating_sub(2));
            }
            Opcode::Runtime => {
                if let Some(routine) = Routine::from_number(ins.x) {
                    let row = routine.signature();
                    slots.uses.push((frame, row.param_slots()));
                    slots.defs.push((frame, row.result_slots()));
                }
            }
            _ => {}
        }
        slots
    }
}

/// Where control goes behind an instruction, within its function.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flow {
    /// The next instruction.
    pub falls: bool,
    /// The instruction that it may jump to.
    pub jumps: Option<u32>,
}

impl Flow {
    pub fn of(ins: Instruction) -> Flow {
        let roles = ins.op.operands();
        let jumps = (roles.x == Role::Target).then_some(ins.x);
        let stops = match ins.op {
            Opcode::Jump | Opcode::Loop | Opcode::Return | Opcode::Return1 | Opcode::ReturnN | Opcode::Fault => true,
            Opcode::Runtime => Routine::from_number(ins.x).is_some_and(stops),
            _ => false,
        };
        Flow { falls: !stops, jumps }
    }

    /// Whether an instruction ends a block.
    pub fn ends_block(self) -> bool {
        !self.falls || self.jumps.is_some()
    }
}

/// Whether a routine never comes back.
pub fn stops(routine: Routine) -> bool {
    routine.signature().effects.contains(&scaly_interp::routine::Effect::Stops)
}
