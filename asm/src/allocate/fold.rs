//! Which instructions become part of those that use them.
//!
//! - Addresses that are nothing but operands of loads and stores, and fit an addressing mode.
//! - Loads with one reader that can have its operand in memory, where nothing writes memory in between.
//!
//! Conditions do so too, but where they are kept depends on where they are used: `Lifetimes`.

use scaly_interp::machine::{IntMemory, IntOp};
use scaly_tracer::region::{Op as Common, Type};
use scaly_tracer::trace::{Effects, End, ExitKind, Inst, Op, Ref, Trace};

/// The largest displacement that an address takes from each of the instructions it is made of.
const MAX_OFFSET: u32 = 1 << 29;

/// By instruction.
pub fn folded(trace: &Trace) -> Vec<bool> {
    let uses = Uses::of(trace);
    let count = trace.insts.len();
    (0..count).map(|i| address(trace, &trace.insts[i], &uses.of[i]) || load(trace, i, &uses)).collect()
}

/// Who reads a value.
#[derive(Clone, Copy, Default)]
struct Use {
    /// As the address of a load or store.
    addressing: u32,
    /// As any other operand.
    operand: u32,
    /// In a snapshot, or at the back edge.
    held: bool,
    /// The instruction whose operand it is, if that is one.
    reader: u32,
}

struct Uses {
    of: Vec<Use>,
    /// How many instructions before one write memory, begin the loop, or may do anything.
    writes: Vec<u32>,
}

impl Uses {
    fn of(trace: &Trace) -> Uses {
        let mut of = vec![Use::default(); trace.insts.len()];
        let mut seen = vec![false; trace.snapshots.len()];
        let mut writes = Vec::with_capacity(trace.insts.len());
        let mut written = 0;
        for (i, inst) in trace.insts.iter().enumerate() {
            let is_access = matches!(inst.op, Op::Common(op) if op.access().is_some_and(|(_, at)| at <= MAX_OFFSET));
            for (operand, addressing) in [(inst.a, is_access), (inst.b, false)] {
                if let Some(used) = instruction(operand) {
                    let used = &mut of[used];
                    used.addressing += u32::from(addressing);
                    used.operand += u32::from(!addressing);
                    used.reader = i as u32;
                }
            }
            if let Some(id) = inst.snapshot {
                seen[id.index()] = true;
            }
            writes.push(written);
            written += u32::from(writes_memory(inst.op));
        }
        let mut uses = Uses { of, writes };
        uses.hold(trace, seen);
        uses
    }

    fn hold(&mut self, trace: &Trace, mut seen: Vec<bool>) {
        let mut hold = |value: Ref| {
            if let Some(held) = instruction(value) {
                self.of[held].held = true;
            }
        };
        if let End::Loop(id) | End::Link(_, id) | End::Leave(id) = trace.end {
            seen[id.index()] = true;
        }
        for (snapshot, _) in trace.snapshots.iter().zip(seen).filter(|(_, seen)| *seen) {
            snapshot.slots.iter().for_each(|&(_, value)| hold(value));
            if let ExitKind::PassOn(value) = snapshot.kind {
                hold(value);
            }
        }
        for phi in &trace.phis {
            hold(phi.left);
            hold(phi.right);
        }
    }
}

fn instruction(value: Ref) -> Option<usize> {
    (!value.is_none() && !value.is_constant()).then(|| value.index())
}

/// Stores of slots write no memory that loads read.
fn writes_memory(op: Op) -> bool {
    matches!(op.effects(), Effects::Store | Effects::Call) || op == Op::Loop
}

fn address(trace: &Trace, inst: &Inst, used: &Use) -> bool {
    let Op::Common(Common::Element { stride, offset }) = inst.op else { return false };
    if used.operand > 0 || used.held || offset > MAX_OFFSET || inst.a.is_constant() {
        return false;
    }
    match trace.word(inst.b) {
        Some(index) => index.checked_mul(i64::from(stride)).is_some_and(|at| at.unsigned_abs() < u64::from(MAX_OFFSET)),
        None => matches!(stride, 1 | 2 | 4 | 8),
    }
}

fn load(trace: &Trace, i: usize, uses: &Uses) -> bool {
    let used = uses.of[i];
    if used.held || used.addressing > 0 || used.operand != 1 {
        return false;
    }
    let ty = match trace.insts[i].op {
        Op::Common(Common::LoadInt(IntMemory::I64, offset)) if offset <= MAX_OFFSET => Type::Word,
        Op::Common(Common::LoadFloat(offset)) if offset <= MAX_OFFSET => Type::Float,
        Op::Common(Common::LoadSingle(offset)) if offset <= MAX_OFFSET => Type::Single,
        _ => return false,
    };
    let reader = used.reader as usize;
    let value = Ref::instruction(i);
    let Some(at) = reading(trace, reader, value, ty, uses) else { return false };
    uses.writes[i] == uses.writes[at]
}

/// Where the reader of a value is emitted, if it may have it in memory.
fn reading(trace: &Trace, reader: usize, value: Ref, ty: Type, uses: &Uses) -> Option<usize> {
    let inst = &trace.insts[reader];
    let Op::Common(op) = inst.op else { return None };
    // One operand in memory is all that an instruction can have: the first only if the second is no load.
    let second = inst.b == value;
    let is_load = |r: Ref| instruction(r).is_some_and(|r| trace.insts[r].op.effects() == Effects::Load);
    match op {
        Common::Float(_) | Common::Single(_) => second.then_some(reader),
        Common::Int(IntOp::Add | IntOp::Sub | IntOp::And | IntOp::Or | IntOp::Xor) => {
            (ty == Type::Word && second && !inst.a.is_constant()).then_some(reader)
        }
        Common::Compare(_) => {
            let used = uses.of[reader];
            let guard = used.operand == 1 && matches!(trace.insts[used.reader as usize].op, Op::Guard { .. });
            (guard && (second || !is_load(inst.b))).then_some(used.reader as usize)
        }
        _ => None,
    }
}
