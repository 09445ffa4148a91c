//! Builds a trace instruction by instruction, optimizing as it goes.

use rustc_hash::{FxHashMap, FxHashSet};
use scaly_interp::program::Pc;

use super::constant;
use super::facts::Facts;
use super::memory::Memory;
use super::owners::Owners;
use super::rules::commutes;
use crate::region;
use crate::trace::{Const, Effects, Inst, Op, Ref, Root, Snapshot, SnapshotId, Trace};

#[derive(Debug)]
pub struct Builder {
    pub trace: Trace,
    /// Values are fixed at the entry, for which other entries of the loop may have others.
    pub fixes: bool,
    constants: FxHashMap<Const, Ref>,
    /// Pure operations that have been computed.
    computed: FxHashMap<(Op, Ref, Ref), Ref>,
    pub(super) facts: Facts,
    pub(super) memory: Memory,
    pub(super) owners: Owners,
    /// Instructions that are of no use any more: their places stay, nothing refers to them.
    pub(super) dropped: FxHashSet<usize>,
    /// Behind the loop's marker: which instructions before it give other values in other iterations.
    pub(super) variant: Vec<bool>,
}

impl Builder {
    pub fn new(root: Root) -> Builder {
        Builder {
            trace: Trace::new(root),
            fixes: false,
            constants: FxHashMap::default(),
            computed: FxHashMap::default(),
            facts: Facts::default(),
            memory: Memory::default(),
            owners: Owners::default(),
            dropped: FxHashSet::default(),
            variant: Vec::new(),
        }
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
        match (op.effects(), op) {
            (Effects::Pure, Op::Common(common)) => self.compute(common, a, b, pc),
            (Effects::Load, Op::Common(common)) => self.load(common, a, pc),
            (Effects::Store, Op::Common(common)) => self.store(common, a, b, pc),
            (Effects::Pure, _) => {
                self.pass_memory(op);
                self.once(op, a, b, pc)
            }
            _ => {
                self.pass_memory(op);
                self.push(Inst { op, a, b, snapshot: None, pc })
            }
        }
    }

    /// The same, of one that may leave.
    pub fn emit_with(&mut self, op: Op, a: Ref, b: Ref, pc: Pc, snapshot: SnapshotId) -> Ref {
        if let Op::Guard { expected } = op {
            self.guard(a, expected, pc, |_| snapshot);
            return Ref::NONE;
        }
        self.pass_memory(op);
        self.push(Inst { op, a, b, snapshot: Some(snapshot), pc })
    }

    /// Leaves unless the condition is `expected`. The snapshot is asked for only if it is needed.
    pub fn guard(&mut self, cond: Ref, expected: bool, pc: Pc, snapshot: impl FnOnce(&mut Builder) -> SnapshotId) {
        let (mut cond, mut expected) = (cond, expected);
        while let Some((region::Op::Not, inner, _)) = self.look(cond) {
            (cond, expected) = (inner, !expected);
        }
        // One that is known not to hold stays: it always leaves.
        if self.known(cond) == Some(expected) {
            return;
        }
        let snapshot = snapshot(self);
        let op = Op::Guard { expected };
        self.pass_memory(op);
        self.push(Inst { op, a: cond, b: Ref::NONE, snapshot: Some(snapshot), pc });
        self.assume(cond, expected);
    }

    /// Equal to its neighbour: the same one.
    pub fn snapshot(&mut self, snapshot: Snapshot) -> SnapshotId {
        let snapshots = &mut self.trace.snapshots;
        if snapshots.last() != Some(&snapshot) {
            snapshots.push(snapshot);
        }
        SnapshotId(snapshots.len() as u32 - 1)
    }

    fn compute(&mut self, op: region::Op, a: Ref, b: Ref, pc: Pc) -> Ref {
        if let Some(folded) = self.fold(op, a, b) {
            return self.constant(folded);
        }
        let (a, b) = if a.is_constant() && commutes(op) { (b, a) } else { (a, b) };
        match self.simplify(op, a, b, pc) {
            Some(simpler) => simpler,
            None => self.once(Op::Common(op), a, b, pc),
        }
    }

    fn fold(&self, op: region::Op, a: Ref, b: Ref) -> Option<Const> {
        let first = self.trace.constant(a)?;
        let second = if b.is_none() { None } else { Some(self.trace.constant(b)?) };
        constant::value(op, first, second)
    }

    /// An operation that is the same wherever it stands: it stands once.
    fn once(&mut self, op: Op, a: Ref, b: Ref, pc: Pc) -> Ref {
        let ordered = match op {
            Op::Common(common) if commutes(common) && b < a => (b, a),
            _ => (a, b),
        };
        let key = (op, ordered.0, ordered.1);
        if let Some(&found) = self.computed.get(&key)
            && !(self.varies(found) && op.result() == Some(region::Type::Cond))
        {
            return found;
        }
        let value = self.push(Inst { op, a, b, snapshot: None, pc });
        self.computed.insert(key, value);
        value
    }

    /// What has been computed from an instruction on is not found again: it is none of the iteration's.
    pub(super) fn forget_computed_from(&mut self, first: usize) {
        self.computed.retain(|_, value| value.index() < first);
    }

    /// Whether an instruction stands before the loop's marker, we are behind it, and it gives another value in each
    /// iteration.
    pub(super) fn varies(&self, r: Ref) -> bool {
        !r.is_constant() && !r.is_none() && self.variant.get(r.index()).copied().unwrap_or(false)
    }

    pub(super) fn push(&mut self, inst: Inst) -> Ref {
        self.trace.insts.push(inst);
        if inst.op.result().is_some() { Ref::instruction(self.trace.insts.len() - 1) } else { Ref::NONE }
    }

    pub(super) fn drop_inst(&mut self, at: usize) {
        self.dropped.insert(at);
    }
}
