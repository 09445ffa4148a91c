//! The trace IR: one path that really ran, in linear SSA form.
//!
//! ```text
//! loop3 root                       what the trace is of
//! k0: i64 = 10                     constants
//! v0: i64 = slot 4 @2              a slot of the frame as it was at the entry
//! v1: bool = lt_s v0, k0 @2
//! guard v1 true -> snap0 @2        leaves by snap0 unless v1 is true
//! …
//! loop @9                          what follows is the loop, what precedes its first iteration, peeled off
//! …
//! phi v0, v8                       at the back edge v0 becomes v8
//! end loop snap1
//! snap0 resume @5 (4 = v0, 5 = k1)
//! ```
//!
//! Opcodes that compute are those of the region IR. A reference below [`Ref::BIAS`] is a constant, any other an
//! instruction: one compare tells them apart, constants grow downward and instructions upward.
//!
//! # Invariants
//!
//! - Operands are defined before they are used; behind the `loop` marker a phi's left is the loop's variable: it holds
//!   the value of the iteration before until the back edge, where all phis take their right values at once.
//! - The frame of the root's function is the lowest; slots are counted from its base, those of inlined calls too, and a
//!   trace never leaves it downward: a return from it is an exit, or the end of a function's trace.
//! - Memory holds the slots as they were at the entry until the trace leaves, except for what `store.slot` and calls
//!   write. A `slot` instruction of epoch 0 reads a slot as it was at the entry; one of epoch n as it is behind the nth
//!   call that writes frames.
//! - A snapshot lists the slots whose values differ from what memory holds and that may be read after it, and the frames
//!   of the calls inlined there. Snapshot n of a trace is its exit n.
//!
//! Rejected: a snapshot an instruction (most instructions cannot leave); separate parameters for the loop (LuaJIT's form,
//! in which the first iteration's values are the initial ones, gives hoisting for nothing: `optimize::peel`).

mod op;
mod parse;
mod print;
mod snapshot;
mod verify;

use std::fmt;

pub use op::{Effects, Op};
use scaly_interp::program::{FunctionId, LoopId, Pc};
pub use snapshot::{ExitKind, Frame, Snapshot};
pub use verify::VerifyError;

use crate::region::Type;

macro_rules! index {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub struct $name(pub u32);

        impl $name {
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

index!(
    /// A compiled trace, counted through the process.
    TraceId, "trace"
);
index!(
    /// A snapshot of a trace.
    SnapshotId, "snap"
);
index!(
    /// An exit of a compiled trace, counted through the process: the trace's first exit plus the snapshot's number.
    ExitId, "exit"
);

/// A slot, counted from the base of the root's frame.
pub type Slot = u32;

/// An instruction or a constant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ref(pub u32);

impl Ref {
    pub const BIAS: u32 = 1 << 31;
    /// No operand.
    pub const NONE: Ref = Ref(u32::MAX);

    pub fn instruction(index: usize) -> Ref {
        Ref(Ref::BIAS + index as u32)
    }

    pub fn constant(index: usize) -> Ref {
        Ref(Ref::BIAS - 1 - index as u32)
    }

    pub fn is_constant(self) -> bool {
        self.0 < Ref::BIAS
    }

    pub fn is_none(self) -> bool {
        self == Ref::NONE
    }

    /// Index among the constants or among the instructions.
    pub fn index(self) -> usize {
        if self.is_constant() { (Ref::BIAS - 1 - self.0) as usize } else { (self.0 - Ref::BIAS) as usize }
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_none(), self.is_constant()) {
            (true, _) => f.write_str("-"),
            (_, true) => write!(f, "k{}", self.index()),
            _ => write!(f, "v{}", self.index()),
        }
    }
}

impl fmt::Debug for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A constant; floats by their bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Const {
    Word(i64),
    Float(u64),
    Single(u32),
    Cond(bool),
}

impl Const {
    pub fn ty(self) -> Type {
        match self {
            Const::Word(_) => Type::Word,
            Const::Float(_) => Type::Float,
            Const::Single(_) => Type::Single,
            Const::Cond(_) => Type::Cond,
        }
    }
}

/// An instruction: at most two operands, at most one result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inst {
    pub op: Op,
    pub a: Ref,
    pub b: Ref,
    /// Where it leaves: of guards, polls, and calls.
    pub snapshot: Option<SnapshotId>,
    /// The instruction of the bytecode that it comes from.
    pub pc: Pc,
}

/// At the back edge `left` takes the value of `right`. Both have the same type, never a condition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Phi {
    pub left: Ref,
    pub right: Ref,
}

/// What a trace is of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Root {
    /// Entered at the loop's header.
    Loop(LoopId),
    /// Entered at the function's first instruction.
    Function(FunctionId),
    /// Goes on where an exit of another trace left.
    Side(ExitId),
}

/// How a trace ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// At its own `loop` marker: from the beginning of the next iteration. Until it has been peeled a loop's trace has no
    /// marker, and this means its own entry, with the snapshot's slots.
    Loop(SnapshotId),
    /// Writes the snapshot's slots and goes to the entry of the root trace of its tree.
    Link(TraceId, SnapshotId),
    /// Writes the snapshot's slots and returns with its exit: what follows is not the tree's.
    Leave(SnapshotId),
    /// The function returns; its results are in slots 0 and up, by `store.slot`.
    Return,
}

/// Where a slot's value is at the end of a recorded loop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SlotState {
    Value(Ref),
    /// In memory, as it is behind the call of this epoch.
    Memory(u32),
}

#[derive(Clone, PartialEq, Debug)]
pub struct Trace {
    pub root: Root,
    pub constants: Vec<Const>,
    pub insts: Vec<Inst>,
    pub snapshots: Vec<Snapshot>,
    pub phis: Vec<Phi>,
    pub end: End,
    /// Of a recorded loop: what its root's frame holds at the end where that differs from the entry, by slot, all of it,
    /// read later or not.
    pub carried: Vec<(Slot, SlotState)>,
    /// Calls that write frames, so far.
    pub epochs: u32,
    /// Of a loop's trace: the snapshot of the header, with nothing to write, that guards on what the loop does not change
    /// leave by. They stand before everything else, and choose between the specializations of the loop.
    pub entry: Option<SnapshotId>,
}

impl Trace {
    pub fn new(root: Root) -> Trace {
        Trace {
            root,
            constants: Vec::new(),
            insts: Vec::new(),
            snapshots: Vec::new(),
            phis: Vec::new(),
            end: End::Return,
            carried: Vec::new(),
            epochs: 0,
            entry: None,
        }
    }

    pub fn inst(&self, r: Ref) -> &Inst {
        &self.insts[r.index()]
    }

    /// The constant that a reference is.
    pub fn constant(&self, r: Ref) -> Option<Const> {
        r.is_constant().then(|| self.constants[r.index()])
    }

    pub fn word(&self, r: Ref) -> Option<i64> {
        match self.constant(r) {
            Some(Const::Word(value)) => Some(value),
            _ => None,
        }
    }

    /// The type of a value; none of an instruction without a result.
    pub fn ty(&self, r: Ref) -> Option<Type> {
        if r.is_constant() { Some(self.constants[r.index()].ty()) } else { self.inst(r).op.result() }
    }

    pub fn snapshot(&self, id: SnapshotId) -> &Snapshot {
        &self.snapshots[id.index()]
    }

    /// Whether a guard leaves to in front of itself, so that it may leave for no reason: what goes on there checks again.
    pub fn repeats(&self, guard: &Inst) -> bool {
        let Some(id) = guard.snapshot else { return false };
        let snapshot = self.snapshot(id);
        // The entry's guards stand before everything else, wherever they come from.
        snapshot.kind == ExitKind::Resume && (snapshot.pc == guard.pc || self.entry == Some(id))
    }

    /// Where the loop begins: the index of the marker.
    pub fn loop_start(&self) -> Option<usize> {
        self.insts.iter().position(|inst| inst.op == Op::Loop)
    }
}
