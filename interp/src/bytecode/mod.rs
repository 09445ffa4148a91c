//! Register bytecode over untagged 64-bit slots.
//!
//! One table, [`opcode`], defines every opcode: its operands for printing, parsing and analysis. What an opcode does is
//! written once in `step`, over the `Machine` trait.

mod instruction;
mod opcode;

pub use instruction::Instruction;
pub use opcode::{Opcode, Operands, Role};
