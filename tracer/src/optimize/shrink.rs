//! Takes out of snapshots what nobody reads.
//!
//! That is: slots that are dead where the exit goes on, and slots that memory holds already, as it did at the entry. The
//! second only of slots that the trace writes nowhere: behind a write memory holds something else.

use super::{Liveness, frame};
use crate::trace::{ExitKind, Op, Ref, Slot, Trace};

/// Whether the value is what the slot held at the entry.
fn unchanged(trace: &Trace, slot: Slot, value: Ref) -> bool {
    if value.is_constant() {
        return false;
    }
    let here = matches!(trace.inst(value).op, Op::Slot { slot: read, epoch: 0, .. } if read == slot);
    here && !trace.insts.iter().any(|inst| frame::writes(inst.op).contains(&slot))
}

pub fn shrink(trace: &mut Trace, live: &dyn Liveness) {
    let mut snapshots = std::mem::take(&mut trace.snapshots);
    for snapshot in &mut snapshots {
        // Where a tree has left everything is in memory, and the exit that is handed on says where to go on.
        if matches!(snapshot.kind, ExitKind::PassOn(_)) {
            continue;
        }
        let mut slots = std::mem::take(&mut snapshot.slots);
        slots.retain(|&(slot, value)| frame::live(live, snapshot, slot) && !unchanged(trace, slot, value));
        snapshot.slots = slots;
    }
    trace.snapshots = snapshots;
}
