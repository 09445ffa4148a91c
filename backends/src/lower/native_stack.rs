//! Which stack ends first, where a loop is divided: a call has to be refused for want of slots, as the interpreter refuses
//! it, and never because the native stack ends. Each slot by which calls advance has so many bytes of native stack behind
//! it; LLVM tells of a function whose frames take more (`warn-stack-size`), and its loop stays on one core.

use scaly_runtime::fiber::DEFAULT_STACK;
use scaly_runtime::vm_stack::DEFAULT_SLOTS;
use scaly_tracer::region::Op;

use super::callees::Callees;
use super::{Lowering, Refusal};

/// Bytes of native stack for each slot of the program's.
pub const BYTES_PER_SLOT: usize = 28;
/// Bytes of native stack beside them: half for the last calls, which are not in place; half for a function that calls none.
pub const LAST: usize = 1 << 20;
/// A native call's address, and what alignment adds.
const CALL: usize = 16;
/// Of the function that chooses which function is called; its call advances by nothing.
const CHOICE: usize = 64;

const _: () = assert!(DEFAULT_SLOTS * BYTES_PER_SLOT + LAST + (8 << 20) <= DEFAULT_STACK);

/// As it is written behind a function's attributes.
fn attribute(bytes: usize) -> String {
    format!(" \"warn-stack-size\"=\"{bytes}\"")
}

impl Callees {
    /// Most slots that are left where an activation of a function, with all that is in place in it, finds no room.
    pub fn last_slots(&self) -> usize {
        self.functions.iter().map(|callee| callee.frame_slots as usize).max().unwrap_or(0)
    }

    /// Of a function that chooses which is called.
    pub fn choice_limit(&self) -> String {
        self.native_per_slot.map_or_else(String::new, |_| attribute(CHOICE))
    }
}

impl Lowering<'_> {
    /// Of a function that may be active any number of times.
    pub fn frame_limit(&self) -> Result<String, Refusal> {
        let Some(per_slot) = self.callees.native_per_slot else { return Ok(String::new()) };
        let mut most = LAST / 2;
        for block in &self.region.blocks {
            for &id in &block.insts {
                let inst = self.region.inst(id);
                let beside = match inst.op {
                    Op::Call(_) => CALL,
                    Op::CallAny(_) => CALL + CHOICE + CALL,
                    _ => continue,
                };
                let advance = self.call_frame(block.chain, inst)? as usize;
                most = most.min((advance * per_slot).saturating_sub(beside));
            }
        }
        Ok(attribute(most))
    }
}
