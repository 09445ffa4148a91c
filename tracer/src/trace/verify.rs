//! Whether a trace keeps the promises in this module's header.

use std::fmt;

use super::{End, ExitKind, Inst, Op, Ref, SlotState, SnapshotId, Trace};
use crate::region::{self, Type};

/// What is broken, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifyError {
    pub place: String,
    pub message: String,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl std::error::Error for VerifyError {}

type Result<T = ()> = std::result::Result<T, VerifyError>;

/// What an operand may be.
#[derive(Clone, Copy)]
enum Want {
    Exactly(Type),
    /// What a slot can hold.
    Value,
}

const VALUE: &[Want] = &[Want::Value];
const COND: &[Want] = &[Want::Exactly(Type::Cond)];

/// The operands of an instruction; none of an operation that a trace has no place for.
fn operands(op: Op) -> Option<Vec<Want>> {
    use region::Op as Common;
    Some(match op {
        Op::Common(Common::Reread(_)) | Op::StoreSlot(_) => VALUE.to_vec(),
        Op::Common(
            Common::Const(_)
            | Common::ConstF64(_)
            | Common::ConstF32(_)
            | Common::Text(_)
            | Common::Global(_)
            | Common::Guard(_),
        ) => return None,
        Op::Common(common) => common.shape()?.0.iter().map(|&ty| Want::Exactly(ty)).collect(),
        Op::Guard { .. } => COND.to_vec(),
        Op::CallValue { .. } => vec![Want::Exactly(Type::Word)],
        Op::Slot { .. }
        | Op::SlotAddress(_)
        | Op::StackLimit
        | Op::Inherit { .. }
        | Op::Routine { .. }
        | Op::CallTree { .. }
        | Op::CallFunction { .. }
        | Op::Poll
        | Op::Count(_)
        | Op::Loop => Vec::new(),
    })
}

struct Verifier<'a> {
    trace: &'a Trace,
    place: String,
}

impl Verifier<'_> {
    fn error<T>(&self, message: impl Into<String>) -> Result<T> {
        Err(VerifyError { place: self.place.clone(), message: message.into() })
    }

    fn ensure(&self, holds: bool, message: impl FnOnce() -> String) -> Result {
        if holds { Ok(()) } else { self.error(message()) }
    }

    /// The type of what is read by instruction `at`.
    fn read(&self, r: Ref, at: usize) -> Result<Type> {
        self.ensure(!r.is_none(), || "an operand is missing".into())?;
        if r.is_constant() {
            self.ensure(r.index() < self.trace.constants.len(), || format!("{r} does not exist"))?;
        } else {
            self.ensure(r.index() < at.min(self.trace.insts.len()), || format!("{r} is read before it is defined"))?;
        }
        match self.trace.ty(r) {
            Some(ty) => Ok(ty),
            None => self.error(format!("{r} is no value")),
        }
    }

    /// The same, of what lies in slots.
    fn read_value(&self, r: Ref, at: usize) -> Result<Type> {
        let ty = self.read(r, at)?;
        self.ensure(ty != Type::Cond, || format!("{r} is a condition"))?;
        Ok(ty)
    }

    fn operand(&self, r: Ref, want: Want, at: usize) -> Result {
        match want {
            Want::Value => self.read_value(r, at).map(|_| ()),
            Want::Exactly(ty) => {
                let found = self.read(r, at)?;
                self.ensure(found == ty, || format!("{r} is {}, not {}", found.name(), ty.name()))
            }
        }
    }

    fn inst(&mut self, inst: &Inst, at: usize) -> Result {
        self.place = format!("v{at}");
        let Some(wants) = operands(inst.op) else { return self.error("not an operation of traces") };
        for (i, r) in [inst.a, inst.b].into_iter().enumerate() {
            match wants.get(i) {
                Some(&want) => self.operand(r, want, at)?,
                None => self.ensure(r.is_none(), || format!("{r} is an operand too many"))?,
            }
        }
        let condition = match inst.op {
            Op::Slot { ty, .. } | Op::Inherit { ty, .. } => ty == Type::Cond,
            Op::Common(region::Op::Reread(ty)) => ty == Type::Cond,
            _ => false,
        };
        self.ensure(!condition, || "a condition in a slot".into())?;
        if let Op::Slot { epoch, .. } = inst.op {
            self.ensure(epoch <= self.trace.epochs, || format!("epoch {epoch} does not exist"))?;
        }
        match (inst.op, inst.snapshot) {
            (Op::Guard { .. } | Op::Poll | Op::CallFunction { .. } | Op::CallValue { .. }, None) => {
                self.error("a snapshot is missing")
            }
            (Op::Routine { .. } | Op::CallTree { .. }, None) => Ok(()),
            (_, Some(snapshot)) if may_leave(inst.op) => self.snapshot(snapshot, at),
            (_, snapshot) => self.ensure(snapshot.is_none(), || "it never leaves".into()),
        }
    }

    /// A snapshot, as it is used by instruction `at`.
    fn snapshot(&self, id: SnapshotId, at: usize) -> Result {
        let Some(snapshot) = self.trace.snapshots.get(id.index()) else {
            return self.error(format!("{id} does not exist"));
        };
        for &(_, value) in &snapshot.slots {
            self.read_value(value, at)?;
        }
        if let ExitKind::PassOn(exit) = snapshot.kind {
            self.operand(exit, Want::Exactly(Type::Word), at)?;
        }
        let ascending = snapshot.slots.is_sorted_by(|a, b| a.0 < b.0);
        self.ensure(ascending, || format!("the slots of {id} do not ascend"))?;
        let ascending = snapshot.frames.is_sorted_by(|a, b| a.base < b.base);
        self.ensure(ascending, || format!("the frames of {id} do not ascend"))
    }

    fn phis(&mut self) -> Result {
        let all = self.trace.insts.len();
        let marker = self.trace.loop_start().unwrap_or(0);
        for (i, phi) in self.trace.phis.iter().enumerate() {
            self.place = format!("phi {}", phi.left);
            self.ensure(!phi.left.is_constant(), || "the left is a constant".into())?;
            let left = self.read_value(phi.left, marker)?;
            let right = self.read_value(phi.right, all)?;
            self.ensure(left == right, || format!("{} is {}, not {}", phi.right, right.name(), left.name()))?;
            self.ensure(phi.left != phi.right, || "it does not change".into())?;
            let twice = self.trace.phis[..i].iter().any(|other| other.left == phi.left);
            self.ensure(!twice, || "it stands there twice".into())?;
        }
        Ok(())
    }

    fn carried(&mut self) -> Result {
        self.place = "carried".into();
        let all = self.trace.insts.len();
        for &(_, state) in &self.trace.carried {
            if let SlotState::Value(value) = state {
                self.read_value(value, all)?;
            }
        }
        self.ensure(self.trace.carried.is_sorted_by(|a, b| a.0 < b.0), || "the slots do not ascend".into())
    }

    fn end(&mut self) -> Result {
        self.place = "end".into();
        let all = self.trace.insts.len();
        match self.trace.end {
            End::Loop(snapshot) | End::Link(_, snapshot) | End::Leave(snapshot) => self.snapshot(snapshot, all)?,
            End::Return => {}
        }
        let markers = self.trace.insts.iter().filter(|inst| inst.op == Op::Loop).count();
        self.ensure(markers <= 1, || "more than one loop".into())?;
        let looping = matches!(self.trace.end, End::Loop(_));
        self.ensure(markers == 0 || looping, || "a loop without an end".into())
    }
}

fn may_leave(op: Op) -> bool {
    matches!(op, Op::Guard { .. } | Op::Poll) || op.effects() == super::Effects::Call
}

impl Trace {
    /// Checks everything that optimizer and assembler rely on.
    pub fn verify(&self) -> Result {
        let mut verifier = Verifier { trace: self, place: String::new() };
        for (at, inst) in self.insts.iter().enumerate() {
            verifier.inst(inst, at)?;
        }
        verifier.phis()?;
        verifier.carried()?;
        verifier.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOP: &str = "\
loop3 root
k0: i64 = 10
v0: i64 = slot 4 @2
v1: bool = lt_s v0, k0 @2
guard v1 true -> snap0 @2
v3: i64 = add v0, k0 @3
loop @4
poll -> snap1 @4
v6: bool = lt_s v3, k0 @2
guard v6 true -> snap1 @2
v8: i64 = add v3, k0 @3
phi v3, v8
end loop snap2
snap0 resume @2 ()
snap1 resume @2 (4 = v3)
snap2 resume @2 (4 = v8)
";

    fn broken(from: &str, to: &str) -> String {
        assert!(LOOP.contains(from), "{from}");
        LOOP.replace(from, to).parse::<Trace>().unwrap().verify().unwrap_err().to_string()
    }

    #[test]
    fn a_good_trace_passes() {
        assert_eq!(LOOP.parse::<Trace>().unwrap().verify(), Ok(()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(broken("guard v1", "guard v0"), "v2: v0 is i64, not bool");
        assert_eq!(broken("lt_s v3, k0", "lt_s v3"), "v6: an operand is missing");
        assert_eq!(broken("add v3, k0", "neg v3, k0"), "v8: k0 is an operand too many");
        assert_eq!(broken("add v3, k0", "add v3, k1"), "v8: k1 does not exist");
        assert_eq!(broken("poll -> snap1", "poll"), "v5: a snapshot is missing");
        assert_eq!(broken("poll -> snap1", "poll -> snap2"), "v5: v8 is read before it is defined");
        assert_eq!(broken("poll -> snap1", "poll -> snap3"), "v5: snap3 does not exist");
        assert_eq!(broken("(4 = v8)", "(4 = v8, 3 = v0)"), "end: the slots of snap2 do not ascend");
        assert_eq!(broken("(4 = v8)", "(4 = v6)"), "end: v6 is a condition");
        assert_eq!(broken("phi v3, v8", "phi v8, v3"), "phi v8: v8 is read before it is defined");
        assert_eq!(broken("phi v3, v8", "phi v3, v3"), "phi v3: it does not change");
        assert_eq!(broken("phi v3, v8", "phi v3, v8\nphi v3, v0"), "phi v3: it stands there twice");
        assert_eq!(broken("slot 4 @2", "slot 4 epoch 1 @2"), "v0: epoch 1 does not exist");
        assert_eq!(broken("end loop snap2", "end leave snap2"), "end: a loop without an end");
    }
}
