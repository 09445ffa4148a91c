//! The text form of a trace. The parser reads it back.
//!
//! ```text
//! loop3 root
//! k0: i64 = 10
//! k1: f64 = 0x3ff0000000000000
//! v0: i64 = slot 4 @2
//! v1: i64 = slot 5 epoch 1 @2
//! store.slot 20, v0 @2
//! v3: i64 = element v1, v0 * 8 + 0 @3
//! v4: f64 = load.f64 v3 + 8 @3
//! v5: bool = lt_s v0, k0 @3
//! guard v5 true -> snap0 @3
//! routine StringHash 20 -> snap1 @4
//! v8: i64 = call.tree trace2 0 @5
//! call.function function1 30 -> snap0 @5
//! count loop3 @6
//! loop @6
//! poll -> snap0 @6
//! phi v0, v9
//! carried 4 = v9, 5 = memory 1
//! epochs 1
//! end loop snap0
//! snap0 resume @3 (4 = v0)
//! snap1 outcome @4 in 30 @7, 40 @9 (4 = v0, 5 = k0)
//! ```
//!
//! A value's number is the position of its instruction. `in 30 @7` is a call inlined there: where its frame begins and
//! where its caller goes on.

use std::fmt;

use super::{Const, End, ExitKind, Inst, Op, Ref, Root, SlotState, Snapshot, Trace};
use crate::region;

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Root::Loop(id) => write!(f, "{id} root"),
            Root::Function(id) => write!(f, "{id} root"),
            Root::Side(exit) => write!(f, "{exit} side"),
        }
    }
}

impl fmt::Display for Const {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Const::Word(value) => write!(f, "{value}"),
            Const::Float(bits) => write!(f, "{bits:#018x}"),
            Const::Single(bits) => write!(f, "{bits:#010x}"),
            Const::Cond(value) => write!(f, "{value}"),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Loop(snapshot) => write!(f, "loop {snapshot}"),
            End::Link(trace, snapshot) => write!(f, "link {trace} {snapshot}"),
            End::Leave(snapshot) => write!(f, "leave {snapshot}"),
            End::Return => f.write_str("return"),
        }
    }
}

impl fmt::Display for SlotState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SlotState::Value(value) => write!(f, "{value}"),
            SlotState::Memory(epoch) => write!(f, "memory {epoch}"),
        }
    }
}

impl fmt::Display for ExitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitKind::Resume => f.write_str("resume"),
            ExitKind::Leave => f.write_str("leave"),
            ExitKind::Outcome => f.write_str("outcome"),
            ExitKind::PassOn(exit) => write!(f, "pass {exit}"),
        }
    }
}

/// `slot = value`, with commas between.
struct Slots<'a, T>(&'a [(u32, T)]);

impl<T: fmt::Display> fmt::Display for Slots<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (slot, value)) in self.0.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{slot} = {value}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.pc)?;
        for (i, frame) in self.frames.iter().enumerate() {
            let before = if i > 0 { "," } else { " in" };
            write!(f, "{before} {} {}", frame.base, frame.return_pc)?;
        }
        write!(f, " ({})", Slots(&self.slots))
    }
}

/// The operands as they are: none, one, or two with a comma.
struct Operands(Ref, Ref);

impl fmt::Display for Operands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.is_none(), self.1.is_none()) {
            (true, _) => Ok(()),
            (false, true) => write!(f, " {}", self.0),
            (false, false) => write!(f, " {}, {}", self.0, self.1),
        }
    }
}

impl fmt::Display for Inst {
    /// Without the result and the instruction of the bytecode.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use region::Op as Common;
        let Inst { op, a, b, .. } = *self;
        match op {
            Op::Common(common) => {
                f.write_str(&common.name())?;
                match common {
                    Common::Element { stride, offset } => write!(f, " {a}, {b} * {stride} + {offset}")?,
                    Common::LoadInt(_, offset)
                    | Common::LoadPointer(offset)
                    | Common::LoadFloat(offset)
                    | Common::LoadSingle(offset) => write!(f, " {a} + {offset}")?,
                    Common::StoreInt(_, offset) | Common::StoreFloat(offset) | Common::StoreSingle(offset) => {
                        write!(f, " {a} + {offset}, {b}")?
                    }
                    _ => write!(f, "{}", Operands(a, b))?,
                }
            }
            Op::Slot { slot, epoch: 0, .. } => write!(f, "slot {slot}")?,
            Op::Slot { slot, epoch, .. } => write!(f, "slot {slot} epoch {epoch}")?,
            Op::StoreSlot(slot) => write!(f, "store.slot {slot}, {a}")?,
            Op::SlotAddress(slot) => write!(f, "slot.address {slot}")?,
            Op::StackLimit => f.write_str("stack.limit")?,
            Op::Inherit { index, .. } => write!(f, "inherit {index}")?,
            Op::Guard { expected } => write!(f, "guard {a} {expected}")?,
            Op::Routine { routine, slot } => write!(f, "routine {} {slot}", routine.name())?,
            Op::CallTree { tree, slot } => write!(f, "call.tree {tree} {slot}")?,
            Op::CallFunction { function, slot } => write!(f, "call.function {function} {slot}")?,
            Op::CallValue { class, slot } => write!(f, "call.value class{} {slot}, {a}", class.0)?,
            Op::Poll => f.write_str("poll")?,
            Op::Count(id) => write!(f, "count {id}")?,
            Op::Loop => f.write_str("loop")?,
        }
        match self.snapshot {
            Some(snapshot) => write!(f, " -> {snapshot}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.root)?;
        for (i, constant) in self.constants.iter().enumerate() {
            writeln!(f, "k{i}: {} = {constant}", constant.ty().name())?;
        }
        for (i, inst) in self.insts.iter().enumerate() {
            if let Some(ty) = inst.op.result() {
                write!(f, "v{i}: {} = ", ty.name())?;
            }
            writeln!(f, "{inst} {}", inst.pc)?;
        }
        for phi in &self.phis {
            writeln!(f, "phi {}, {}", phi.left, phi.right)?;
        }
        if !self.carried.is_empty() {
            writeln!(f, "carried {}", Slots(&self.carried))?;
        }
        if self.epochs > 0 {
            writeln!(f, "epochs {}", self.epochs)?;
        }
        if let Some(entry) = self.entry {
            writeln!(f, "entry {entry}")?;
        }
        writeln!(f, "end {}", self.end)?;
        for (i, snapshot) in self.snapshots.iter().enumerate() {
            writeln!(f, "snap{i} {snapshot}")?;
        }
        Ok(())
    }
}
