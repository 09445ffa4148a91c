//! Compiled traces and their exits.

use rustc_hash::FxHashMap;
use scaly_interp::program::Pc;

use crate::backend::code::FIRST_EXIT;
use crate::recorder::{Place, Task};
use crate::region::Type;
use crate::trace::{ExitId, ExitKind, Root, Snapshot, Trace, TraceId};

#[derive(Clone, Debug)]
pub struct TraceData {
    /// What its tree grows from.
    pub place: Place,
    /// The tree's root trace; itself for a root.
    pub tree: TraceId,
    pub root: Root,
    /// Of a root: the side traces of its tree.
    pub sides: u32,
}

#[derive(Clone, Debug)]
pub struct ExitData {
    pub trace: TraceId,
    pub snapshot: Snapshot,
    /// Of the snapshot's values.
    pub types: Vec<Type>,
    /// Times it was taken since the threshold was set.
    pub count: u32,
    pub threshold: u32,
    /// Recordings from it that came to nothing.
    pub aborts: u32,
}

#[derive(Debug, Default)]
pub struct Trees {
    traces: Vec<TraceData>,
    exits: Vec<ExitData>,
    /// The ways out of a tree's loop: the exit that stands for all that lead to this instruction.
    leaves: FxHashMap<(TraceId, Pc), ExitId>,
}

impl Trees {
    pub fn next_id(&self) -> TraceId {
        TraceId(self.traces.len() as u32)
    }

    pub fn next_exit(&self) -> ExitId {
        ExitId(FIRST_EXIT + self.exits.len() as u32)
    }

    pub fn trace(&self, id: TraceId) -> &TraceData {
        &self.traces[id.index()]
    }

    pub fn exit(&mut self, id: ExitId) -> &mut ExitData {
        &mut self.exits[(id.0 - FIRST_EXIT) as usize]
    }

    /// For each snapshot of the next trace, the exit that it returns.
    pub fn returns(&mut self, trace: &Trace, task: &Task) -> Vec<ExitId> {
        let (first, id) = (self.next_exit(), self.next_id());
        let tree = if matches!(task.root, Root::Side(_)) { task.tree } else { id };
        let own = (0..).map(|i| ExitId(first.0 + i));
        let mut standing = |(snapshot, own): (&Snapshot, ExitId)| match snapshot.kind {
            ExitKind::Leave => *self.leaves.entry((tree, snapshot.pc)).or_insert(own),
            _ => own,
        };
        trace.snapshots.iter().zip(own).map(&mut standing).collect()
    }

    /// Adds a trace with the next id, and its exits.
    pub fn add(&mut self, trace: &Trace, task: &Task, threshold: u32) {
        let id = self.next_id();
        let side = matches!(task.root, Root::Side(_));
        let tree = if side { task.tree } else { id };
        self.traces.push(TraceData { place: task.place, tree, root: task.root, sides: 0 });
        if side {
            self.traces[tree.index()].sides += 1;
        }
        self.exits.extend(trace.snapshots.iter().map(|snapshot| ExitData {
            trace: id,
            snapshot: snapshot.clone(),
            types: snapshot.slots.iter().map(|&(_, r)| trace.ty(r).unwrap_or(Type::Word)).collect(),
            count: 0,
            threshold,
            aborts: 0,
        }));
    }

    /// Counts an exit; true if it is hot now.
    pub fn count_exit(&mut self, id: ExitId) -> bool {
        let data = self.exit(id);
        data.count += 1;
        data.count >= data.threshold
    }

    /// Leaves an exit alone for a long time.
    pub fn rest_exit(&mut self, id: ExitId, factor: u32) {
        let data = self.exit(id);
        data.count = 0;
        data.threshold = data.threshold.saturating_mul(factor);
    }
}
