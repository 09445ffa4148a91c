//! aarch64 by capstone.

use capstone::arch::arm64::{ArchMode, Arm64OperandType};
use capstone::prelude::*;

use super::{Decoded, MNEMONIC, Resolve};

/// Bytes of any instruction.
const WIDTH: usize = 4;

/// Calls `each` with every instruction and its offset.
pub(super) fn decode(code: &[u8], address: u64, name: &Resolve<'_>, mut each: impl FnMut(usize, Decoded)) {
    let disassembler = Capstone::new().arm64().mode(ArchMode::Arm).detail(true).build();
    for (index, word) in code.chunks(WIDTH).enumerate() {
        let offset = index * WIDTH;
        // One by one, because capstone ends at the first that it does not know.
        let decoded =
            disassembler.as_ref().ok().and_then(|disassembler| one(disassembler, word, address + offset as u64, name));
        each(offset, decoded.unwrap_or(Decoded { target: None, text: "(bad)".into() }));
    }
}

fn one(disassembler: &Capstone, word: &[u8], address: u64, name: &Resolve<'_>) -> Option<Decoded> {
    let instructions = disassembler.disasm_count(word, address, 1).ok()?;
    let instruction = instructions.first()?;
    let mut operands = instruction.op_str()?.to_owned();
    let detail = disassembler.insn_detail(instruction).ok()?;
    let mut target = None;
    for operand in detail.arch_detail().arm64()?.operands() {
        let Arm64OperandType::Imm(value) = operand.op_type else { continue };
        target = Some(value as u64);
        if let Some(name) = name(value as u64) {
            operands = operands.replace(&format!("#{value:#x}"), &name);
        }
    }
    let text = format!("{:MNEMONIC$}{operands}", instruction.mnemonic()?);
    Some(Decoded { target, text: text.trim_end().to_owned() })
}
