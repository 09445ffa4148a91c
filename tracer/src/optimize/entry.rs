//! Moves the guards that choose between the specializations of a loop to its entry.
//!
//! They leave by the snapshot of the header with nothing to write, so nothing may have happened before them. Their
//! operands are slots that the loop does not write, and what is computed from these alone: all of it can stand first.

use super::Builder;
use crate::trace::{Const, Op, Ref, Snapshot, SnapshotId, Trace};

/// The same trace with its entry guards, and what they need, before everything else.
pub fn hoist(builder: Builder) -> Builder {
    let Some(entry) = builder.trace.entry else { return builder };
    let first = needed(&builder.trace, entry);
    if first.iter().skip_while(|&&moved| moved).all(|&moved| !moved) {
        return builder;
    }
    let old = builder.trace;
    let mut copy = Copy { builder: Builder::new(old.root), map: vec![Ref::NONE; old.insts.len()] };
    copy.builder.trace.snapshots = old.snapshots.clone();
    copy.builder.trace.entry = old.entry;
    for wanted in [true, false] {
        for i in (0..old.insts.len()).filter(|&i| first[i] == wanted) {
            copy.inst(&old, i);
        }
    }
    copy.finish(old)
}

/// For each instruction, whether an entry guard is it or needs it.
fn needed(trace: &Trace, entry: SnapshotId) -> Vec<bool> {
    let mut needed = vec![false; trace.insts.len()];
    for i in (0..trace.insts.len()).rev() {
        let inst = &trace.insts[i];
        needed[i] |= matches!(inst.op, Op::Guard { .. }) && inst.snapshot == Some(entry);
        if needed[i] {
            for r in [inst.a, inst.b] {
                if !r.is_none() && !r.is_constant() {
                    needed[r.index()] = true;
                }
            }
        }
    }
    needed
}

struct Copy {
    builder: Builder,
    /// By old instruction.
    map: Vec<Ref>,
}

impl Copy {
    fn of(&mut self, old: &Trace, r: Ref) -> Ref {
        match old.constant(r) {
            _ if r.is_none() => r,
            Some(Const::Word(value)) => self.builder.word(value),
            Some(constant) => self.builder.constant(constant),
            None => self.map[r.index()],
        }
    }

    fn inst(&mut self, old: &Trace, i: usize) {
        let inst = old.insts[i];
        let (a, b) = (self.of(old, inst.a), self.of(old, inst.b));
        self.map[i] = match (inst.op, inst.snapshot) {
            (Op::Guard { expected }, Some(snapshot)) => {
                self.builder.guard(a, expected, inst.pc, |_| snapshot);
                Ref::NONE
            }
            (op, Some(snapshot)) => self.builder.emit_with(op, a, b, inst.pc, snapshot),
            (op, None) => self.builder.emit(op, a, b, inst.pc),
        };
    }

    fn finish(mut self, old: Trace) -> Builder {
        let snapshots: Vec<Snapshot> = old.snapshots.iter().map(|snapshot| self.snapshot(&old, snapshot)).collect();
        self.builder.trace.snapshots = snapshots;
        let carried = old.carried.iter().map(|&(slot, state)| (slot, self.state(&old, state))).collect();
        let trace = &mut self.builder.trace;
        (trace.carried, trace.end, trace.epochs) = (carried, old.end, old.epochs);
        self.builder
    }

    fn snapshot(&mut self, old: &Trace, snapshot: &Snapshot) -> Snapshot {
        use crate::trace::ExitKind;
        let kind = match snapshot.kind {
            ExitKind::PassOn(r) => ExitKind::PassOn(self.of(old, r)),
            kind => kind,
        };
        let slots = snapshot.slots.iter().map(|&(slot, r)| (slot, self.of(old, r))).collect();
        Snapshot { kind, pc: snapshot.pc, frames: snapshot.frames.clone(), slots }
    }

    fn state(&mut self, old: &Trace, state: crate::trace::SlotState) -> crate::trace::SlotState {
        use crate::trace::SlotState;
        match state {
            SlotState::Value(r) => SlotState::Value(self.of(old, r)),
            memory => memory,
        }
    }
}
