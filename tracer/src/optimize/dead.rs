//! Drops what nothing needs: computations, loads, phis, constants, snapshots; and numbers the rest anew.
//!
//! What leaves, stores or calls stays, with all that it reads. A phi is needed if its left is read behind the loop's
//! marker by something needed other than phis; then its right is read there. So phis that only feed each other go.
//!
//! Equal neighbours among the snapshots become one. A poll keeps its own: a side trace at an exit that it shared would run
//! on where the fiber has to stop.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::trace::{Effects, End, ExitKind, Inst, Op, Phi, Ref, Snapshot, SnapshotId, Trace};

/// What is needed, by instruction.
struct Marks<'a> {
    trace: &'a Trace,
    dropped: &'a FxHashSet<usize>,
    start: usize,
    /// For each left its right.
    phis: FxHashMap<Ref, Ref>,
    needed: Vec<bool>,
    /// Needed behind the marker.
    looped: Vec<bool>,
    work: Vec<(Ref, bool)>,
}

impl Marks<'_> {
    fn add(&mut self, r: Ref, looped: bool) {
        if r.is_none() || r.is_constant() {
            return;
        }
        let at = r.index();
        let inside = at >= self.start;
        let news = !self.needed[at] || looped && !inside && !self.looped[at];
        self.needed[at] = true;
        if looped && !inside {
            self.looped[at] = true;
        }
        if news {
            self.work.push((r, looped));
        }
    }

    fn add_inst(&mut self, at: usize) {
        let Inst { a, b, snapshot, .. } = self.trace.insts[at];
        let looped = at >= self.start;
        self.add(a, looped);
        self.add(b, looped);
        if let Some(id) = snapshot {
            self.add_snapshot(id, looped);
        }
    }

    fn add_snapshot(&mut self, id: SnapshotId, looped: bool) {
        let trace = self.trace;
        for r in values(trace.snapshot(id)) {
            self.add(r, looped);
        }
    }

    fn run(&mut self) {
        for (at, inst) in self.trace.insts.iter().enumerate() {
            let stays = !matches!(inst.op.effects(), Effects::Pure | Effects::Load);
            if stays && !self.dropped.contains(&at) {
                self.needed[at] = true;
                self.add_inst(at);
            }
        }
        if let Some(id) = end_snapshot(self.trace.end) {
            self.add_snapshot(id, true);
        }
        while let Some((r, looped)) = self.work.pop() {
            self.add_inst(r.index());
            if looped && let Some(&right) = self.phis.get(&r) {
                self.add(right, true);
            }
        }
    }
}

/// What a snapshot reads.
pub fn values(snapshot: &Snapshot) -> impl Iterator<Item = Ref> {
    let exit = if let ExitKind::PassOn(exit) = snapshot.kind { Some(exit) } else { None };
    snapshot.slots.iter().map(|&(_, value)| value).chain(exit)
}

pub fn end_snapshot(end: End) -> Option<SnapshotId> {
    match end {
        End::Loop(id) | End::Link(_, id) | End::Leave(id) => Some(id),
        End::Return => None,
    }
}

/// The new trace, as far as it is written.
struct Copy<'a> {
    from: &'a Trace,
    to: Trace,
    constants: FxHashMap<Ref, Ref>,
    snapshots: FxHashMap<SnapshotId, SnapshotId>,
    /// Snapshots that are not shared.
    apart: &'a [SnapshotId],
    /// The last snapshot may be.
    shared: bool,
    renamed: Vec<Ref>,
}

impl Copy<'_> {
    fn value(&mut self, r: Ref) -> Ref {
        if r.is_none() {
            return r;
        }
        if !r.is_constant() {
            return self.renamed[r.index()];
        }
        let (from, to) = (self.from, &mut self.to);
        *self.constants.entry(r).or_insert_with(|| {
            to.constants.push(from.constants[r.index()]);
            Ref::constant(to.constants.len() - 1)
        })
    }

    fn snapshot(&mut self, id: SnapshotId) -> SnapshotId {
        if let Some(&known) = self.snapshots.get(&id) {
            return known;
        }
        let snapshot = self.renamed_snapshot(id);
        let alone = self.apart.contains(&id);
        if !alone
            && self.shared
            && let Some(last) = self.to.snapshots.last()
            && *last == snapshot
        {
            let last = SnapshotId(self.to.snapshots.len() as u32 - 1);
            self.snapshots.insert(id, last);
            return last;
        }
        let new = self.add_snapshot(snapshot, !alone);
        self.snapshots.insert(id, new);
        new
    }

    fn renamed_snapshot(&mut self, id: SnapshotId) -> Snapshot {
        let mut snapshot = self.from.snapshot(id).clone();
        if let ExitKind::PassOn(exit) = &mut snapshot.kind {
            *exit = self.value(*exit);
        }
        for (_, value) in &mut snapshot.slots {
            *value = self.value(*value);
        }
        snapshot
    }

    fn add_snapshot(&mut self, snapshot: Snapshot, shared: bool) -> SnapshotId {
        self.shared = shared;
        self.to.snapshots.push(snapshot);
        SnapshotId(self.to.snapshots.len() as u32 - 1)
    }

    fn inst(&mut self, at: usize) {
        let Inst { op, a, b, snapshot, pc } = self.from.insts[at];
        let (a, b) = (self.value(a), self.value(b));
        let snapshot = match (op, snapshot) {
            (Op::Poll, Some(id)) => {
                let snapshot = self.renamed_snapshot(id);
                Some(self.add_snapshot(snapshot, false))
            }
            (_, snapshot) => snapshot.map(|id| self.snapshot(id)),
        };
        self.renamed[at] = Ref::instruction(self.to.insts.len());
        self.to.insts.push(Inst { op, a, b, snapshot, pc });
    }
}

/// What is left of a trace, and which snapshots became which. Those in `apart` are shared with no neighbour.
pub fn sweep(
    trace: &Trace,
    dropped: &FxHashSet<usize>,
    apart: &[SnapshotId],
) -> (Trace, FxHashMap<SnapshotId, SnapshotId>) {
    let count = trace.insts.len();
    let mut marks = Marks {
        trace,
        dropped,
        start: trace.loop_start().unwrap_or(count),
        phis: trace.phis.iter().map(|phi| (phi.left, phi.right)).collect(),
        needed: vec![false; count],
        looped: vec![false; count],
        work: Vec::new(),
    };
    marks.run();
    let Marks { needed, looped, .. } = marks;
    let mut copy = Copy {
        from: trace,
        to: Trace::new(trace.root),
        constants: FxHashMap::default(),
        snapshots: FxHashMap::default(),
        apart,
        shared: false,
        renamed: vec![Ref::NONE; count],
    };
    for (at, _) in needed.iter().enumerate().filter(|(_, needed)| **needed) {
        copy.inst(at);
    }
    for phi in trace.phis.iter().filter(|phi| looped[phi.left.index()]) {
        let (left, right) = (copy.value(phi.left), copy.value(phi.right));
        copy.to.phis.push(Phi { left, right });
    }
    copy.to.end = match trace.end {
        End::Loop(id) => End::Loop(copy.snapshot(id)),
        End::Link(to, id) => End::Link(to, copy.snapshot(id)),
        End::Leave(id) => End::Leave(copy.snapshot(id)),
        End::Return => End::Return,
    };
    copy.to.epochs = trace.epochs;
    copy.to.entry = trace.entry.map(|id| copy.snapshot(id));
    (copy.to, copy.snapshots)
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn what_nothing_needs_goes() {
        let text = "
            loop0 root
            k0: i64 = 1
            k1: i64 = 2
            v0: i64 = slot 4 @1
            v1: i64 = add v0, k0 @1
            v2: f64 = load.f64 v0 + 8 @1
            v3: i64 = add v0, k1 @1
            store.i64 v0 + 0, v3 @1
            end leave snap1
            snap0 leave @1 (4 = v1)
            snap1 leave @2 ()
        ";
        let expected = "
            loop0 root
            k0: i64 = 2
            v0: i64 = slot 4 @1
            v1: i64 = add v0, k0 @1
            store.i64 v0 + 0, v1 @1
            end leave snap0
            snap0 leave @2 ()
        ";
        assert_text(&optimized(text), expected);
    }

    /// Slots 4 and 5 change places, 6 counts them, nobody reads any of the three.
    #[test]
    fn phis_that_only_feed_each_other_go() {
        let text = "
            loop0 root
            k0: i64 = 1
            k1: i64 = 9
            v0: i64 = slot 4 @1
            v1: i64 = slot 5 @1
            v2: i64 = slot 6 @1
            v3: i64 = add v2, v0 @1
            v4: i64 = slot 7 @1
            v5: bool = lt_s v4, k1 @1
            guard v5 true -> snap0 @1
            v7: i64 = add v4, k0 @1
            carried 4 = v1, 5 = v0, 6 = v3, 7 = v7
            end loop snap1
            snap0 leave @2 (6 = v2)
            snap1 resume @1 (4 = v1, 5 = v0, 6 = v3, 7 = v7)
        ";
        let phis = |live| finished(text, &OnlyLive(live), false).trace.phis.len();
        assert_eq!(phis(&[7]), 1);
        // Which of two values is added changes with each iteration.
        assert_eq!(phis(&[6, 7]), 4);
    }

    #[test]
    fn equal_neighbours_share_a_snapshot_but_not_with_a_poll() {
        let text = "
            loop0 root
            v0: i64 = slot 4 @1
            v1: i64 = slot 5 @1
            v2: bool = lt_s v0, v1 @1
            guard v2 true -> snap0 @1
            v4: bool = lt_u v0, v1 @1
            guard v4 true -> snap1 @1
            poll -> snap2 @1
            v7: bool = ne v0, v1 @1
            end leave snap3
            snap0 resume @1 (4 = v1)
            snap1 resume @1 (3 = v0, 4 = v1)
            snap2 resume @1 (4 = v1)
            snap3 resume @1 (4 = v1)
        ";
        let trace = finished(text, &OnlyLive(&[4]), false).trace;
        let used: Vec<u32> = trace.insts.iter().filter_map(|inst| inst.snapshot).map(|id| id.0).collect();
        assert_eq!((used, trace.snapshots.len()), (vec![0, 0, 1], 3), "{trace}");
    }
}
