//! Takes out of snapshots what nobody reads.
//!
//! That is: slots that are dead where the exit goes on, and slots that memory holds already, as it did at the entry. The
//! second only of slots that the trace writes nowhere, behind a write memory holds something else; and of values without
//! a phi, which stand for what the slot held in the iteration before.

use rustc_hash::FxHashSet;

use super::{Liveness, frame};
use crate::trace::{ExitKind, Op, Ref, Slot, Trace};

/// What changes from one iteration of a trace to the next, found once for all snapshots.
struct Changing {
    /// Slots that are written one by one.
    slots: FxHashSet<Slot>,
    /// All from here on may be written.
    from: Slot,
    /// Values that are another one in the next iteration.
    carried: FxHashSet<Ref>,
}

impl Changing {
    fn of(trace: &Trace) -> Changing {
        let carried = trace.phis.iter().map(|phi| phi.left).collect();
        let mut changing = Changing { slots: FxHashSet::default(), from: Slot::MAX, carried };
        for written in trace.insts.iter().map(|inst| frame::writes(inst.op)) {
            if written.end == Slot::MAX {
                changing.from = changing.from.min(written.start);
            } else {
                changing.slots.extend(written);
            }
        }
        changing
    }

    /// Whether the value is what the slot held at the entry, and memory still holds.
    fn leaves(&self, trace: &Trace, slot: Slot, value: Ref) -> bool {
        !value.is_constant()
            && matches!(trace.inst(value).op, Op::Slot { slot: read, epoch: 0, .. } if read == slot)
            && !(self.carried.contains(&value) || slot >= self.from || self.slots.contains(&slot))
    }
}

pub fn shrink(trace: &mut Trace, live: &dyn Liveness) {
    let changing = Changing::of(trace);
    let mut snapshots = std::mem::take(&mut trace.snapshots);
    for snapshot in &mut snapshots {
        // Where a tree has left everything is in memory, and the exit that is handed on says where to go on.
        if matches!(snapshot.kind, ExitKind::PassOn(_)) {
            continue;
        }
        let mut slots = std::mem::take(&mut snapshot.slots);
        slots.retain(|&(slot, value)| frame::live(live, snapshot, slot) && !changing.leaves(trace, slot, value));
        snapshot.slots = slots;
    }
    trace.snapshots = snapshots;
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    /// The first snapshot of what a straight trace becomes.
    fn shrunk(snapshot: &str, live: &'static [u16]) -> String {
        let text = format!(
            "loop0 root\nk0: i64 = 7\nv0: i64 = slot 4 @1\nv1: i64 = slot 5 @1\nstore.slot 5, k0 @1\n\
            end leave snap0\nsnap0 {snapshot}\n"
        );
        finished(&text, &OnlyLive(live), false).trace.snapshots[0].to_string()
    }

    #[test]
    fn dead_slots_are_not_restored() {
        assert_eq!(shrunk("leave @1 (2 = k0, 3 = k0)", &[3]), "leave @1 (3 = k0)");
    }

    #[test]
    fn slots_are_those_of_the_frame_that_they_are_in() {
        let found =
            shrunk("resume @9 in 20 @3, 30 @5 (2 = k0, 3 = k0, 22 = k0, 23 = k0, 29 = k0, 32 = k0, 34 = k0)", &[2, 9]);
        assert_eq!(found, "resume @9 in 20 @3, 30 @5 (2 = k0, 22 = k0, 32 = k0)");
    }

    #[test]
    fn what_memory_holds_is_not_written_again() {
        let all = &[4, 5, 6];
        assert_eq!(shrunk("leave @1 (4 = v0, 5 = v1, 6 = v0)", all), "leave @1 (5 = v1, 6 = v0)");
    }

    #[test]
    fn a_trees_exit_is_handed_on() {
        let text = "loop0 root\nk0: i64 = 7\nv0: i64 = call.tree trace1 0 @1\nv1: bool = eq v0, k0 @1\n\
            guard v1 true -> snap0 @1\nend return\nsnap0 pass v0 @1 (0 = v0)\n";
        assert_eq!(finished(text, &OnlyLive(&[]), false).trace.to_string(), text);
    }

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
