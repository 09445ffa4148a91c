//! What the interpreter needs to go on where a trace leaves.

use scaly_interp::program::Pc;

use super::{Ref, Slot};

/// What happens after an exit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ExitKind {
    /// The interpreter goes on at the snapshot's instruction.
    Resume,
    /// The same; the instruction is not in the root's loop any more, so this is how the loop ends.
    Leave,
    /// A routine did not just compute: it has failed, waits, or ends the program. Its instruction is not run again.
    Outcome,
    /// A tree that was called left by another exit than expected; memory is exact already, and the exit in this value is
    /// the one to go on with.
    PassOn(Ref),
}

/// The frame of an inlined call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Frame {
    /// Its slot 0. The two slots before are its header: the caller's base, the return pc.
    pub base: Slot,
    /// Where the caller goes on.
    pub return_pc: Pc,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    pub kind: ExitKind,
    /// The instruction to go on at, in the innermost frame.
    pub pc: Pc,
    /// The inlined calls, outermost first; the root's own frame is not among them.
    pub frames: Vec<Frame>,
    /// Slots to write, ascending, and their values: words, floats or singles.
    pub slots: Vec<(Slot, Ref)>,
}

impl Snapshot {
    /// Where the innermost frame begins.
    pub fn base(&self) -> Slot {
        self.frames.last().map_or(0, |frame| frame.base)
    }
}
