//! Takes out of snapshots what nobody reads.
//!
//! That is: slots that are dead where the exit goes on, and slots that memory holds already, as it did at the entry. The
//! second only of slots that the trace writes nowhere, behind a write memory holds something else; and of values without
//! a phi, which stand for what the slot held in the iteration before.

use super::{Liveness, frame};
use crate::trace::{ExitKind, Op, Ref, Slot, Trace};

/// Whether the value is what the slot held at the entry.
fn unchanged(trace: &Trace, slot: Slot, value: Ref) -> bool {
    if value.is_constant() {
        return false;
    }
    let here = matches!(trace.inst(value).op, Op::Slot { slot: read, epoch: 0, .. } if read == slot);
    here && !trace.phis.iter().any(|phi| phi.left == value)
        && !trace.insts.iter().any(|inst| frame::writes(inst.op).contains(&slot))
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

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    /// Two slots exchange their values, a third counts.
    const SWAP: &str = "
        loop0 root
        k0: i64 = 0
        k1: i64 = 1
        v0: i64 = slot 2 @3
        v1: i64 = slot 3 @3
        v2: i64 = slot 4 @5
        v3: bool = ne v2, k0 @5
        guard v3 true -> snap0 @5
        v5: i64 = sub v2, k1 @5
        carried 2 = v1, 3 = v0, 4 = v5
        end loop snap1
        snap0 leave @5 (2 = v1, 3 = v0)
        snap1 resume @3 (2 = v1, 3 = v0, 4 = v5)
    ";

    #[test]
    fn what_a_slot_held_an_iteration_before_is_not_in_memory() {
        let trace = finished(SWAP, &AllLive, false).trace.to_string();
        assert!(trace.contains("leave @5 (2 = v0, 3 = v1, 4 = v5)"), "{trace}");
    }
}
