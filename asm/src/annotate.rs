//! What a listing says between the lines of machine code: the trace's instructions, and where values live.

use scaly_tracer::trace::{Ref, Trace};

use crate::allocate::{Allocation, Home};
use crate::listing::Note;

const GENERAL: [&str; 16] =
    ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

/// A note for each instruction that has code, ending in the instruction of the bytecode that it comes from.
pub fn notes(trace: &Trace, allocation: &Allocation, marks: &[(u32, u32)]) -> Vec<Note> {
    let note = |&(offset, i): &(u32, u32)| {
        let inst = &trace.insts[i as usize];
        let home =
            allocation.homes[i as usize].map(|home| format!("{} in {} = ", Ref::instruction(i as usize), name(home)));
        Note { offset: offset as usize, text: format!("{}{inst} @{}", home.unwrap_or_default(), inst.pc.0) }
    };
    marks.iter().map(note).collect()
}

fn name(home: Home) -> String {
    match home {
        Home::General(register) => GENERAL[register as usize].to_string(),
        Home::Vector(register) => format!("xmm{register}"),
        Home::Spill(number) => format!("[rbp - {:#x}]", 8 * (number + 1)),
        Home::Slot(slot) => format!("slot {slot}"),
        Home::SlotAddress(slot) => format!("address of slot {slot}"),
        Home::StackLimit => "context".into(),
    }
}
