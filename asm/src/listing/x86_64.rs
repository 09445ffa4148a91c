//! x86-64 by iced-x86, in Intel's spelling.

use iced_x86::{
    Decoder, DecoderOptions, Formatter, FormatterOperandOptions, FormatterOptionsProvider, FormatterOutput,
    FormatterTextKind, Instruction, IntelFormatter, NumberFormattingOptions, NumberKind, OpKind,
};

use super::{Decoded, MNEMONIC, Resolve};

/// Calls `each` with every instruction and its offset.
pub(super) fn decode(code: &[u8], address: u64, name: &Resolve<'_>, mut each: impl FnMut(usize, Decoded)) {
    let mut formatter = IntelFormatter::with_options(None, Some(Box::new(Signs)));
    let options = formatter.options_mut();
    options.set_first_operand_char_index(MNEMONIC as u32);
    options.set_space_after_operand_separator(true);
    options.set_space_between_memory_add_operators(true);
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_uppercase_hex(false);
    options.set_branch_leading_zeros(false);
    options.set_show_branch_size(false);
    for instruction in Decoder::with_ip(64, code, address, DecoderOptions::NONE) {
        let mut output = Output { text: String::new(), name };
        if instruction.is_invalid() {
            output.text.push_str("(bad)");
        } else {
            formatter.format(&instruction, &mut output);
        }
        let decoded = Decoded { target: target(&instruction), text: output.text };
        each((instruction.ip() - address) as usize, decoded);
    }
}

fn target(instruction: &Instruction) -> Option<u64> {
    let branches = instruction.op_count() == 1 && instruction.op0_kind() == OpKind::NearBranch64;
    if branches {
        Some(instruction.near_branch64())
    } else {
        instruction.is_ip_rel_memory_operand().then(|| instruction.ip_rel_memory_address())
    }
}

/// Minus where the machine extends a sign: `add rax, -1`, but the mask of a float as it is.
struct Signs;

impl FormatterOptionsProvider for Signs {
    fn operand_options(
        &mut self,
        instruction: &Instruction,
        _: u32,
        operand: Option<u32>,
        _: &mut FormatterOperandOptions,
        number: &mut NumberFormattingOptions<'_>,
    ) {
        let Some(operand) = operand else { return };
        let kind = instruction.op_kind(operand);
        if matches!(kind, OpKind::Immediate8to32 | OpKind::Immediate8to64 | OpKind::Immediate32to64) {
            number.signed_number = true;
        }
    }
}

/// Text in which the names of numbers stand for them.
struct Output<'a> {
    text: String,
    name: &'a Resolve<'a>,
}

impl FormatterOutput for Output<'_> {
    fn write(&mut self, text: &str, _: FormatterTextKind) {
        self.text.push_str(text);
    }

    fn write_number(
        &mut self,
        _: &Instruction,
        _: u32,
        _: Option<u32>,
        text: &str,
        value: u64,
        _: NumberKind,
        _: FormatterTextKind,
    ) {
        match (self.name)(value) {
            Some(name) => self.text.push_str(&name),
            None => self.text.push_str(text),
        }
    }
}
