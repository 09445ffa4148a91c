//! What instructions do to the slots of the frame in memory, and which of them may be read later.

use std::ops::Range;

use super::Liveness;
use crate::trace::{Op, Slot, Snapshot};

/// The slots that an instruction may write in memory.
pub fn writes(op: Op) -> Range<Slot> {
    match op {
        Op::StoreSlot(slot) => slot..slot + 1,
        Op::Routine { routine, slot } => slot..slot + Slot::from(routine.signature().result_slots()),
        // The header lies before the frame.
        Op::CallFunction { slot, .. } | Op::CallValue { slot, .. } => slot.saturating_sub(2)..Slot::MAX,
        Op::CallTree { .. } => 0..Slot::MAX,
        _ => 0..0,
    }
}

/// Whether a slot may be read where a snapshot goes on: by the innermost frame from its instruction on, by the others
/// from where they go on. Each slot is that of the innermost frame that it is in; what an outer frame reads above is
/// written by the return.
pub fn live(liveness: &dyn Liveness, snapshot: &Snapshot, slot: Slot) -> bool {
    let mut pc = snapshot.pc;
    for frame in snapshot.frames.iter().rev() {
        if slot >= frame.base {
            return read(liveness, pc, slot - frame.base);
        }
        // The header is written with the frames.
        if slot + 2 >= frame.base {
            return false;
        }
        pc = frame.return_pc;
    }
    read(liveness, pc, slot)
}

fn read(liveness: &dyn Liveness, pc: scaly_interp::program::Pc, slot: Slot) -> bool {
    u16::try_from(slot).is_ok_and(|slot| liveness.live(pc, slot))
}
