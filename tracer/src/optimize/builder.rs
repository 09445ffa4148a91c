//! Builds a trace instruction by instruction, optimizing as it goes.

use rustc_hash::FxHashMap;
use scaly_interp::program::Pc;

use crate::trace::{Const, Inst, Op, Ref, Root, Snapshot, SnapshotId, Trace};

#[derive(Debug)]
pub struct Builder {
    pub trace: Trace,
    constants: FxHashMap<Const, Ref>,
}

impl Builder {
    pub fn new(root: Root) -> Builder {
        Builder { trace: Trace::new(root), constants: FxHashMap::default() }
    }

    pub fn constant(&mut self, value: Const) -> Ref {
        let constants = &mut self.trace.constants;
        *self.constants.entry(value).or_insert_with(|| {
            constants.push(value);
            Ref::constant(constants.len() - 1)
        })
    }

    pub fn word(&mut self, value: i64) -> Ref {
        self.constant(Const::Word(value))
    }

    /// The value of an operation: a new instruction, a constant, or what was there already. [`Ref::NONE`] for one
    /// without a result. Operands that an operation lacks are [`Ref::NONE`].
    pub fn emit(&mut self, op: Op, a: Ref, b: Ref, pc: Pc) -> Ref {
        self.push(Inst { op, a, b, snapshot: None, pc })
    }

    /// The same, of one that may leave.
    pub fn emit_with(&mut self, op: Op, a: Ref, b: Ref, pc: Pc, snapshot: SnapshotId) -> Ref {
        self.push(Inst { op, a, b, snapshot: Some(snapshot), pc })
    }

    /// Leaves unless the condition is `expected`. The snapshot is asked for only if it is needed.
    pub fn guard(&mut self, cond: Ref, expected: bool, pc: Pc, snapshot: impl FnOnce(&mut Builder) -> SnapshotId) {
        if self.trace.constant(cond) == Some(Const::Cond(expected)) {
            return;
        }
        let snapshot = snapshot(self);
        self.push(Inst { op: Op::Guard { expected }, a: cond, b: Ref::NONE, snapshot: Some(snapshot), pc });
    }

    /// Equal to its neighbour: the same one.
    pub fn snapshot(&mut self, snapshot: Snapshot) -> SnapshotId {
        let snapshots = &mut self.trace.snapshots;
        if snapshots.last() != Some(&snapshot) {
            snapshots.push(snapshot);
        }
        SnapshotId(snapshots.len() as u32 - 1)
    }

    fn push(&mut self, inst: Inst) -> Ref {
        self.trace.insts.push(inst);
        if inst.op.result().is_some() { Ref::instruction(self.trace.insts.len() - 1) } else { Ref::NONE }
    }
}
