//! Which routines have a short way that traces take themselves, and are called only when it is not open.

use scaly_interp::routine::Routine;
use scaly_runtime::memory::MAX_INLINED;
use scaly_tracer::trace::{Effects, Op, Slot, Trace};

/// The short way of a routine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inlined {
    Enter,
    Reset,
    Exit,
    /// A block of so many bytes.
    Alloc(u64),
    Free,
}

/// That of the instruction at `i`, if it is a routine that has one. All registers survive it.
pub fn inlined(trace: &Trace, i: usize) -> Option<Inlined> {
    let Op::Routine { routine, slot } = trace.insts[i].op else { return None };
    match routine {
        Routine::RegionEnter => Some(Inlined::Enter),
        Routine::RegionReset => Some(Inlined::Reset),
        Routine::RegionExit => Some(Inlined::Exit),
        Routine::Alloc => {
            let bytes = stored(trace, i, slot + 1)?;
            (1..=MAX_INLINED).contains(&(bytes as u64)).then_some(Inlined::Alloc(bytes as u64))
        }
        Routine::Free => Some(Inlined::Free),
        _ => None,
    }
}

/// The constant that a slot holds before an instruction.
fn stored(trace: &Trace, before: usize, slot: Slot) -> Option<i64> {
    for inst in trace.insts[..before].iter().rev() {
        match inst.op {
            Op::StoreSlot(to) if to == slot => return trace.word(inst.a),
            Op::Loop => return None,
            op if op.effects() == Effects::Call => return None,
            _ => {}
        }
    }
    None
}
