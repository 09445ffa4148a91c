//! The opcodes of the trace IR: name, operands, effects.

use scaly_interp::program::{Class, FunctionId, LoopId};
use scaly_interp::routine::Routine;

use super::{Slot, TraceId};
use crate::region::{self, Type};

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Op {
    /// What computes, loads and stores, as in the region IR. Never one of its constants (`Trace::constants` has them,
    /// `Text` and `Global` as their addresses), guards or calls.
    Common(region::Op),
    /// A slot of the frame, read as this type; see the invariants of the trace for epochs.
    Slot { slot: Slot, ty: Type, epoch: u32 },
    /// Writes a value (first) to a slot of the frame.
    StoreSlot(Slot),
    /// Address of a slot.
    SlotAddress(Slot),
    /// Address behind the last slot that frames may use; the same all through a trace.
    StackLimit,
    /// The value that entry `index` of the parent's snapshot has where this side trace begins.
    Inherit { index: u32, ty: Type },
    /// Leaves unless the condition (first) is `expected`.
    Guard { expected: bool },
    /// Runs a routine on the slots from here on. Leaves if it does more than compute. An epoch begins.
    Routine { routine: Routine, slot: Slot },
    /// Enters the tree of a loop of the frame that begins at this slot, and gives the exit that it left by. An epoch
    /// begins.
    CallTree { tree: TraceId, slot: Slot },
    /// Calls a function whose frame begins at this slot; header and arguments are stored already. Leaves before it if the
    /// stack has no room. Comes back with its results in the slots. An epoch begins.
    CallFunction { function: FunctionId, slot: Slot },
    /// The same of one of a class of functions: the one with this id (first).
    CallValue { class: Class, slot: Slot },
    /// Leaves if the scheduler wants the fiber to.
    Poll,
    /// Counts a back edge of a loop, for statistics.
    Count(LoopId),
    /// What follows is the loop.
    Loop,
}

/// What an instruction may do beside giving a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effects {
    Pure,
    Load,
    Store,
    /// May leave.
    Guard,
    /// Memory and frames may be other ones behind it.
    Call,
    /// Stays where it is, for what it means to control or to memory outside.
    Fixed,
}

impl Op {
    pub fn effects(self) -> Effects {
        match self {
            Op::Common(op) => match op.effects() {
                region::Effects::Pure => Effects::Pure,
                region::Effects::Load => Effects::Load,
                region::Effects::Store => Effects::Store,
                region::Effects::Guard => Effects::Guard,
                region::Effects::Call => Effects::Call,
            },
            Op::Slot { .. } | Op::SlotAddress(_) | Op::StackLimit | Op::Inherit { .. } => Effects::Pure,
            Op::Guard { .. } | Op::Poll => Effects::Guard,
            Op::Routine { .. } | Op::CallTree { .. } | Op::CallFunction { .. } | Op::CallValue { .. } => Effects::Call,
            Op::StoreSlot(_) | Op::Count(_) | Op::Loop => Effects::Fixed,
        }
    }

    /// The type of the result, if there is one.
    pub fn result(self) -> Option<Type> {
        match self {
            Op::Common(region::Op::Reread(ty)) | Op::Slot { ty, .. } | Op::Inherit { ty, .. } => Some(ty),
            Op::Common(op) => op.shape().and_then(|(_, result)| result),
            Op::SlotAddress(_) | Op::StackLimit | Op::CallTree { .. } => Some(Type::Word),
            Op::StoreSlot(_)
            | Op::Guard { .. }
            | Op::Routine { .. }
            | Op::CallFunction { .. }
            | Op::CallValue { .. }
            | Op::Poll
            | Op::Count(_)
            | Op::Loop => None,
        }
    }
}
