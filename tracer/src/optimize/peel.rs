//! Peels the first iteration off a loop, which hoists what does not change.
//!
//! The recorded iteration stays in front of the loop. Behind the marker every instruction of it is emitted once more,
//! with the values that the first iteration ended with in the slots that it began with, through the same forward
//! optimizations. What is found to be computed already stands before the marker, so it is hoisted. (As in LuaJIT's
//! `lj_opt_loop.c`.)
//!
//! # Why that is right
//!
//! Behind the marker, a reference before it stands for *what the instruction gave in the iteration before*. Of the
//! loop's first round this is so by itself. At the back edge it becomes so again if each such value takes the value of
//! its copy: that is a phi. The left of a phi is whatever is used behind the marker, and its right the copy of the
//! instruction; an instruction whose copy is itself needs none.
//!
//! Under this reading everything that the first iteration has made known is true at each begin of the loop's body:
//!
//! - What a pure operation has computed from others, it has in the iteration before too. A value that is found again
//!   where it varies costs a phi and nothing else (`a[i + 1]` of the iteration before is `a[i]`: a load less).
//! - A guard that held in the first iteration has a copy that holds in each, or was implied.
//! - What is known to lie in memory is known by references; the stores between are those of the iteration before and of
//!   this one, their addresses compared as sums of references, and a sum means the same in both readings.
//!
//! Only a fact of the first iteration alone would break it: so nothing is assumed of what is hoisted by other passes.
//!
//! Conditions live in flags, not in registers, so none becomes a phi: one that varies is computed again.
//!
//! # Slots
//!
//! Memory holds the slots as they were at the entry of the trace. So a snapshot behind the marker lists also the slots
//! that the iteration before has changed and this one has not yet ([`Peel::pending`]). Trees, functions and routines read
//! slots from memory: such slots are stored before a call that may read them, and are in memory from then on.

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};
use scaly_interp::program::Pc;

use super::memory::{Place, routine_writes};
use super::{Builder, Liveness, frame};
use crate::region;
use crate::trace::{Effects, End, ExitKind, Inst, Op, Phi, Ref, Slot, SlotState, Snapshot, SnapshotId, Trace};

/// Which instructions of a recorded iteration may give other values in the next ones.
pub fn variant(builder: &Builder) -> Vec<bool> {
    let trace = &builder.trace;
    let carried: FxHashSet<Slot> = trace.carried.iter().map(|&(slot, _)| slot).collect();
    let written = Written::by(trace);
    let mut variant: Vec<bool> = Vec::with_capacity(trace.insts.len());
    for inst in &trace.insts {
        let varies = |r: Ref| !r.is_none() && !r.is_constant() && variant[r.index()];
        let varies = match inst.op {
            Op::Slot { slot, epoch: 0, .. } => carried.contains(&slot),
            Op::SlotAddress(_) | Op::StackLimit | Op::Inherit { .. } => false,
            Op::Common(op) => match inst.op.effects() {
                Effects::Pure => varies(inst.a) || varies(inst.b),
                Effects::Load => varies(inst.a) || written.may_change(builder, op, inst.a),
                _ => true,
            },
            _ => true,
        };
        variant.push(varies);
    }
    variant
}

/// What an iteration writes.
struct Written {
    /// Anything, headers of blocks too.
    everything: bool,
    places: Vec<Place>,
}

impl Written {
    fn by(trace: &Trace) -> Written {
        let mut written = Written { everything: false, places: Vec::new() };
        for inst in &trace.insts {
            match inst.op {
                Op::CallTree { .. } | Op::CallFunction { .. } | Op::CallValue { .. } => written.everything = true,
                Op::Routine { routine, .. } => written.everything |= routine_writes(routine),
                Op::Common(op) if inst.op.effects() == Effects::Store => match Place::of(trace, op, inst.a) {
                    Some(place) => written.places.push(place),
                    None => written.everything = true,
                },
                _ => {}
            }
        }
        written
    }

    /// Whether a load may give something else in the next iteration, from the same address.
    fn may_change(&self, builder: &Builder, op: region::Op, address: Ref) -> bool {
        let overlaps = |place: &Place| self.places.iter().any(|other| other.may_overlap(place, &builder.owners));
        match Place::of(&builder.trace, op, address) {
            Some(place) => self.everything || overlaps(&place),
            None => self.everything,
        }
    }
}

struct Peel<'a> {
    live: &'a dyn Liveness,
    /// What each instruction of the first iteration is in the second.
    copies: Vec<Ref>,
    carried: FxHashMap<Slot, SlotState>,
    /// Slots that hold what the iteration before has left there, while memory holds something else.
    pending: BTreeMap<Slot, Ref>,
    /// Of the first iteration.
    epochs: u32,
}

/// Slots whose last value of the iteration is in memory already.
fn stored_last(trace: &Trace) -> FxHashMap<Slot, Ref> {
    let mut stored = FxHashMap::default();
    for inst in &trace.insts {
        let written = frame::writes(inst.op);
        if !written.is_empty() {
            stored.retain(|slot, _| !written.contains(slot));
        }
        if let Op::StoreSlot(slot) = inst.op {
            stored.insert(slot, inst.a);
        }
    }
    stored
}

/// The snapshot of the state at a call. A tree's call has none, but the guard on its exit is of the same place.
fn state_before(trace: &Trace, at: usize) -> Option<SnapshotId> {
    let inst = &trace.insts[at];
    if !matches!(inst.op, Op::CallTree { .. }) || inst.snapshot.is_some() {
        return inst.snapshot;
    }
    let passes = |id: &SnapshotId| trace.snapshot(*id).kind == ExitKind::PassOn(Ref::instruction(at));
    trace.insts[at..].iter().filter_map(|inst| inst.snapshot).find(passes)
}

impl Peel<'_> {
    fn copy(&self, r: Ref) -> Ref {
        if r.is_none() || r.is_constant() { r } else { self.copies[r.index()] }
    }

    /// The snapshot of an instruction's copy.
    fn snapshot(&self, builder: &mut Builder, id: SnapshotId, pending: bool) -> SnapshotId {
        let mut snapshot = builder.trace.snapshot(id).clone();
        if let ExitKind::PassOn(exit) = &mut snapshot.kind {
            *exit = self.copy(*exit);
        }
        for (_, value) in &mut snapshot.slots {
            *value = self.copy(*value);
        }
        if pending {
            self.add_pending(&mut snapshot);
        }
        builder.snapshot(snapshot)
    }

    fn add_pending(&self, snapshot: &mut Snapshot) {
        for (&slot, &value) in &self.pending {
            if let Err(at) = snapshot.slots.binary_search_by_key(&slot, |entry| entry.0)
                && frame::live(self.live, snapshot, slot)
            {
                snapshot.slots.insert(at, (slot, value));
            }
        }
    }

    /// What a slot holds at the begin of the next iteration.
    fn slot(&self, builder: &mut Builder, op: Op, pc: Pc) -> Ref {
        let Op::Slot { slot, ty, epoch } = op else { return Ref::NONE };
        let state = if epoch == 0 { self.carried.get(&slot) } else { None };
        let (none, again) = (Ref::NONE, |epoch| Op::Slot { slot, ty, epoch });
        match state {
            Some(&SlotState::Value(value)) => builder.common(region::Op::Reread(ty), value, none, pc),
            Some(&SlotState::Memory(epoch)) => builder.emit(again(epoch), none, none, pc),
            None if epoch == 0 => builder.emit(op, none, none, pc),
            None => builder.emit(again(epoch + self.epochs), none, none, pc),
        }
    }

    /// Before a call: stores what it may read of the slots that are not in memory.
    fn store_pending(&mut self, builder: &mut Builder, at: usize, inst: &Inst) {
        let snapshot = state_before(&builder.trace, at).map(|id| builder.trace.snapshot(id).clone());
        let live = |slot| snapshot.as_ref().is_none_or(|snapshot| frame::live(self.live, snapshot, slot));
        let read = |slot: Slot| match inst.op {
            Op::Routine { routine, slot: first } => {
                (first..first + Slot::from(routine.signature().param_slots())).contains(&slot)
            }
            Op::CallFunction { slot: first, .. } | Op::CallValue { slot: first, .. } => slot >= first && live(slot),
            Op::CallTree { .. } => live(slot),
            _ => false,
        };
        let stores: Vec<(Slot, Ref)> =
            self.pending.iter().filter(|&(&slot, _)| read(slot)).map(|(&slot, &value)| (slot, value)).collect();
        for (slot, value) in stores {
            builder.emit(Op::StoreSlot(slot), value, Ref::NONE, inst.pc);
            self.pending.remove(&slot);
        }
    }

    fn inst(&mut self, builder: &mut Builder, at: usize, holds: bool) -> Ref {
        let inst = builder.trace.insts[at];
        let Inst { op, pc, snapshot, .. } = inst;
        let (a, b) = (self.copy(inst.a), self.copy(inst.b));
        match (op, snapshot) {
            (Op::Slot { .. }, _) => return self.slot(builder, op, pc),
            (Op::Guard { expected }, _) if holds => {
                builder.assume(a, expected);
                return Ref::NONE;
            }
            (Op::Guard { expected }, Some(id)) => {
                builder.guard(a, expected, pc, |builder| self.snapshot(builder, id, true));
                return Ref::NONE;
            }
            _ => {}
        }
        self.store_pending(builder, at, &inst);
        let written = frame::writes(op);
        self.pending.retain(|slot, _| !written.contains(slot));
        match snapshot {
            Some(id) => {
                let id = self.snapshot(builder, id, true);
                builder.emit_with(op, a, b, pc, id)
            }
            None => builder.emit(op, a, b, pc),
        }
    }
}

impl Builder {
    /// Whether the trace is a loop that has been recorded and not peeled. What begins with the values of another trace's
    /// exit is none: they are not in the slots.
    pub(super) fn peelable(&self) -> bool {
        let inherits = |inst: &Inst| matches!(inst.op, Op::Inherit { .. });
        let trace = &self.trace;
        matches!(trace.end, End::Loop(_)) && trace.loop_start().is_none() && !trace.insts.iter().any(inherits)
    }

    /// Peels the recorded iteration. The guards in `hold` hold in every further one and need not be copied.
    pub(super) fn peel(&mut self, live: &dyn Liveness, recorded: usize, hold: &FxHashSet<usize>) {
        let End::Loop(end) = self.trace.end else { return };
        let stored = stored_last(&self.trace);
        let mut peel = Peel {
            live,
            copies: vec![Ref::NONE; recorded],
            carried: self.trace.carried.iter().copied().collect(),
            pending: BTreeMap::new(),
            epochs: self.trace.epochs,
        };
        for &(slot, state) in &self.trace.carried {
            if let SlotState::Value(value) = state
                && stored.get(&slot) != Some(&value)
            {
                peel.pending.insert(slot, value);
            }
        }
        let pc = self.trace.snapshot(end).pc;
        let marker = self.trace.insts.len();
        self.emit(Op::Loop, Ref::NONE, Ref::NONE, pc);
        self.emit_with(Op::Poll, Ref::NONE, Ref::NONE, pc, end);
        for at in 0..recorded {
            if !self.dropped.contains(&at) {
                peel.copies[at] = peel.inst(self, at, hold.contains(&at));
            }
        }
        self.trace.end = End::Loop(peel.snapshot(self, end, false));
        self.trace.epochs *= 2;
        self.phis(marker, &peel.copies);
        self.variant.clear();
        self.trace.carried.clear();
    }

    /// A phi for each value from before the marker that is read behind it and changes.
    fn phis(&mut self, marker: usize, copies: &[Ref]) {
        let mut work = Vec::new();
        for inst in &self.trace.insts[marker..] {
            work.extend([inst.a, inst.b]);
            work.extend(inst.snapshot.iter().flat_map(|&id| super::dead::values(self.trace.snapshot(id))));
        }
        let end = super::dead::end_snapshot(self.trace.end);
        work.extend(end.iter().flat_map(|&id| super::dead::values(self.trace.snapshot(id))));
        let mut phis: BTreeMap<Ref, Ref> = BTreeMap::new();
        while let Some(left) = work.pop() {
            if left.is_none() || left.is_constant() || left.index() >= marker || phis.contains_key(&left) {
                continue;
            }
            let right = copies.get(left.index()).copied().unwrap_or(Ref::NONE);
            if !self.varies(left) || right == left {
                continue;
            }
            debug_assert!(self.trace.ty(left) != Some(region::Type::Cond), "{left} is a condition");
            phis.insert(left, right);
            work.push(right);
        }
        self.trace.phis = phis.into_iter().map(|(left, right)| Phi { left, right }).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    /// `for i in …: sum += a[i]`, the array in slots 0 and 1, i in 2, the trips in 3, the sum in 4.
    const SUM: &str = "
        loop0 root
        k0: i64 = 0
        k1: i64 = 1
        v0: i64 = slot 2 @3
        v1: i64 = slot 1 @3
        v2: bool = lt_u v0, v1 @3
        guard v2 true -> snap0 @3
        v4: i64 = slot 0 @3
        v5: i64 = element v4, v0 * 8 + 0 @3
        v6: f64 = load.f64 v5 + 0 @3
        v7: f64 = slot 4 @4
        v8: f64 = f64.add v7, v6 @4
        v9: i64 = slot 3 @5
        v10: bool = ne v9, k0 @5
        guard v10 true -> snap1 @5
        v12: i64 = sub v9, k1 @5
        v13: i64 = add v0, k1 @5
        count loop0 @5
        carried 2 = v13, 3 = v12, 4 = v8, 5 = v6
        end loop snap2
        snap0 resume @3 ()
        snap1 leave @5 (4 = v8, 5 = v6)
        snap2 resume @3 (2 = v13, 3 = v12, 4 = v8, 5 = v6)
    ";

    #[test]
    fn what_does_not_change_is_hoisted() {
        let expected = "
            loop0 root
            k0: i64 = 0
            k1: i64 = -1
            k2: i64 = 1
            v0: i64 = slot 2 @3
            v1: i64 = slot 1 @3
            v2: bool = lt_u v0, v1 @3
            guard v2 true -> snap0 @3
            v4: i64 = slot 0 @3
            v5: i64 = element v4, v0 * 8 + 0 @3
            v6: f64 = load.f64 v5 + 0 @3
            v7: f64 = slot 4 @4
            v8: f64 = f64.add v7, v6 @4
            v9: i64 = slot 3 @5
            v10: bool = ne v9, k0 @5
            guard v10 true -> snap1 @5
            v12: i64 = add v9, k1 @5
            v13: i64 = add v0, k2 @5
            count loop0 @5
            loop @3
            poll -> snap2 @3
            v17: bool = lt_u v13, v1 @3
            guard v17 true -> snap3 @3
            v19: i64 = element v4, v13 * 8 + 0 @3
            v20: f64 = load.f64 v19 + 0 @3
            v21: f64 = f64.add v8, v20 @4
            v22: bool = ne v12, k0 @5
            guard v22 true -> snap4 @5
            v24: i64 = add v12, k1 @5
            v25: i64 = add v13, k2 @5
            count loop0 @5
            phi v8, v21
            phi v12, v24
            phi v13, v25
            end loop snap5
            snap0 resume @3 ()
            snap1 leave @5 (4 = v8)
            snap2 resume @3 (2 = v13, 3 = v12, 4 = v8)
            snap3 resume @3 (2 = v13, 3 = v12, 4 = v8)
            snap4 leave @5 (2 = v13, 3 = v12, 4 = v21)
            snap5 resume @3 (2 = v25, 3 = v24, 4 = v21)
        ";
        // Slot 5 is a temporary: its phi goes with it.
        let live = OnlyLive(&[0, 1, 2, 3, 4]);
        assert_text(&finished(SUM, &live, false).trace, expected);
    }

    /// An outer loop: its counter is in slot 2, the inner tree reads it and writes slot 5, to which slot 6 is added.
    const NEST: &str = "
        loop0 root
        k0: i64 = 100
        k1: i64 = 1
        k2: i64 = 21
        v0: i64 = slot 2 @3
        v1: bool = lt_s v0, k0 @3
        guard v1 true -> snap0 @3
        store.slot 4, k1 @4
        v4: i64 = call.tree trace1 0 @5
        v5: bool = eq v4, k2 @5
        guard v5 true -> snap1 @5
        v7: i64 = slot 5 epoch 1 @6
        v8: i64 = slot 6 @6
        v9: i64 = add v8, v7 @6
        v10: i64 = add v0, k1 @7
        carried 2 = v10, 4 = memory 1, 5 = memory 1, 6 = v9, 9 = v10
        epochs 1
        end loop snap2
        snap0 leave @3 ()
        snap1 pass v4 @5 (0 = v4)
        snap2 resume @3 (2 = v10, 6 = v9)
    ";

    #[test]
    fn slots_are_stored_before_a_tree_reads_them() {
        let expected = "
            loop0 root
            k0: i64 = 100
            k1: i64 = 1
            k2: i64 = 21
            v0: i64 = slot 2 @3
            v1: bool = lt_s v0, k0 @3
            guard v1 true -> snap0 @3
            store.slot 4, k1 @4
            v4: i64 = call.tree trace1 0 @5
            v5: bool = eq v4, k2 @5
            guard v5 true -> snap1 @5
            v7: i64 = slot 5 epoch 1 @6
            v8: i64 = slot 6 @6
            v9: i64 = add v8, v7 @6
            v10: i64 = add v0, k1 @7
            loop @3
            poll -> snap2 @3
            v13: bool = lt_s v10, k0 @3
            guard v13 true -> snap3 @3
            store.slot 4, k1 @4
            store.slot 2, v10 @5
            store.slot 6, v9 @5
            v18: i64 = call.tree trace1 0 @5
            v19: bool = eq v18, k2 @5
            guard v19 true -> snap4 @5
            v21: i64 = slot 5 epoch 2 @6
            v22: i64 = add v9, v21 @6
            v23: i64 = add v10, k1 @7
            phi v9, v22
            phi v10, v23
            epochs 2
            end loop snap5
            snap0 leave @3 ()
            snap1 pass v4 @5 (0 = v4)
            snap2 resume @3 (2 = v10, 6 = v9)
            snap3 leave @3 (2 = v10, 6 = v9)
            snap4 pass v18 @5 (0 = v18)
            snap5 resume @3 (2 = v23, 6 = v22)
        ";
        // Slot 9 is dead where the tree is called.
        let live = OnlyLive(&[0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_text(&finished(NEST, &live, false).trace, expected);
    }

    /// Whether the next value is below the limit is computed as a word; the next iteration branches on it.
    #[test]
    fn a_condition_that_varies_is_computed_again() {
        let text = "
            loop0 root
            k0: i64 = 1
            k1: i64 = 9
            v0: i64 = slot 2 @3
            v1: bool = lt_s v0, k1 @3
            guard v1 true -> snap0 @3
            v3: i64 = add v0, k0 @4
            v4: bool = lt_s v3, k1 @4
            v5: i64 = word v4 @4
            carried 2 = v3, 3 = v5
            end loop snap1
            snap0 resume @3 ()
            snap1 resume @3 (2 = v3, 3 = v5)
        ";
        let found = optimized(text).to_string();
        let marker = found.find("loop @").unwrap();
        assert_eq!(found[marker..].matches("lt_s").count(), 2, "{found}");
    }

    /// What is added to one element is read of the next: the loop loads one, not two.
    #[test]
    fn a_neighbours_load_is_carried() {
        let text = "
            loop0 root
            k0: i64 = 1
            k1: i64 = 9
            v0: i64 = slot 2 @3
            v1: i64 = slot 0 @3
            v2: i64 = element v1, v0 * 8 + 0 @3
            v3: f64 = load.f64 v2 + 0 @3
            v4: f64 = load.f64 v2 + 8 @3
            v5: f64 = f64.add v3, v4 @3
            v6: bool = lt_s v0, k1 @3
            guard v6 true -> snap0 @3
            v8: i64 = add v0, k0 @4
            carried 2 = v8, 3 = v5
            end loop snap1
            snap0 resume @3 (3 = v5)
            snap1 resume @3 (2 = v8, 3 = v5)
        ";
        let found = optimized(text).to_string();
        let marker = found.find("loop @").unwrap();
        assert_eq!(found[marker..].matches("load.f64").count(), 1, "{found}");
        assert!(found.contains("phi v4, v"), "{found}");
    }
}
