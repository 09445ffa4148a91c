//! The slots of a recorded activation and of the calls inlined into it: what each holds, and what memory holds.

use rustc_hash::FxHashMap;
use scaly_interp::program::{FunctionId, Pc};

use super::facts::Facts;
use crate::optimize::{Builder, Liveness};
use crate::region::{Op as Common, Type};
use crate::trace::{Const, ExitKind, Frame, Op, Ref, Slot, SlotState, Snapshot};

/// An activation: the root's, or an inlined one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Activation {
    pub function: FunctionId,
    pub base: Slot,
    /// Where the caller goes on; of no meaning for the root's.
    pub return_pc: Pc,
}

/// What is known of a slot. Slots without an entry are as they were at the entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Known {
    /// Memory holds it, as it is behind the call of this epoch; 0 is the entry.
    Memory(u32),
    /// The same, and read already.
    Loaded(Ref, u32),
    /// Written by the trace; memory may hold something older.
    Written(Ref),
}

/// The frames of a recording.
pub struct Frames {
    pub activations: Vec<Activation>,
    slots: FxHashMap<Slot, Known>,
}

impl Frames {
    pub fn new(activations: Vec<Activation>) -> Frames {
        Frames { activations, slots: FxHashMap::default() }
    }

    pub fn depth(&self) -> usize {
        self.activations.len() - 1
    }

    /// The innermost activation.
    pub fn current(&self) -> Activation {
        *self.activations.last().unwrap_or(&Activation { function: FunctionId(0), base: 0, return_pc: Pc(0) })
    }

    pub fn base(&self) -> Slot {
        self.current().base
    }

    pub fn enter(&mut self, function: FunctionId, base: Slot, return_pc: Pc) {
        self.activations.push(Activation { function, base, return_pc });
    }

    /// The value of a slot as a type.
    pub fn read(&mut self, b: &mut Builder, slot: Slot, ty: Type, pc: Pc) -> Ref {
        let known = self.slots.get(&slot).copied().unwrap_or(Known::Memory(0));
        let (value, epoch) = match known {
            Known::Memory(epoch) => {
                let value = b.emit(Op::Slot { slot, ty, epoch }, Ref::NONE, Ref::NONE, pc);
                self.slots.insert(slot, Known::Loaded(value, epoch));
                return value;
            }
            Known::Loaded(value, epoch) => (value, Some(epoch)),
            Known::Written(value) => (value, None),
        };
        if b.trace.ty(value) == Some(ty) {
            return value;
        }
        let same = reread(b, value, ty, pc);
        // What it is read as is what it most likely is; both are the same bits.
        self.slots.insert(slot, epoch.map_or(Known::Written(same), |epoch| Known::Loaded(same, epoch)));
        same
    }

    /// The value of a slot whatever it is.
    pub fn read_any(&mut self, b: &mut Builder, slot: Slot, pc: Pc) -> Ref {
        match self.slots.get(&slot) {
            Some(&(Known::Loaded(value, _) | Known::Written(value))) => value,
            _ => self.read(b, slot, Type::Word, pc),
        }
    }

    pub fn write(&mut self, slot: Slot, value: Ref) {
        self.slots.insert(slot, Known::Written(value));
    }

    /// A call wrote a slot.
    pub fn written_by_call(&mut self, slot: Slot, epoch: u32) {
        self.slots.insert(slot, Known::Memory(epoch));
    }

    /// Everything from a slot on is garbage.
    pub fn forget_from(&mut self, slot: Slot) {
        self.slots.retain(|&s, _| s < slot);
    }

    pub fn copy(&mut self, b: &mut Builder, to: Slot, from: Slot, count: u32, pc: Pc) {
        let values: Vec<Ref> = (0..count).map(|i| self.read_any(b, from + i, pc)).collect();
        for (i, value) in values.into_iter().enumerate() {
            self.write(to + i as u32, value);
        }
    }

    /// Slots that memory does not hold and that may be read when the innermost activation goes on at `pc`, ascending.
    fn live(&mut self, facts: &Facts, pc: Pc) -> Vec<Slot> {
        let mut live: Vec<Slot> = self
            .slots
            .iter()
            .filter(|(_, known)| !matches!(known, Known::Memory(0) | Known::Loaded(_, 0)))
            .map(|(&slot, _)| slot)
            .filter(|&slot| self.reads(facts, slot, pc))
            .collect();
        live.sort_unstable();
        live
    }

    fn reads(&self, facts: &Facts, slot: Slot, pc: Pc) -> bool {
        let Some(at) = self.activations.iter().rposition(|a| a.base <= slot) else { return false };
        let inner = self.activations.get(at + 1);
        let at_pc = inner.map_or(pc, |a| a.return_pc);
        // The header of the next frame, and what lies behind its results, is not this one's.
        inner.is_none_or(|a| slot < a.base - 2) && facts.live(at_pc, (slot - self.activations[at].base) as u16)
    }

    /// The inlined frames as snapshots have them.
    pub fn headers(&self) -> Vec<Frame> {
        self.activations[1..].iter().map(|a| Frame { base: a.base, return_pc: a.return_pc }).collect()
    }

    /// The state as the interpreter needs it to go on at `pc`.
    pub fn snapshot(&mut self, b: &mut Builder, facts: &Facts, kind: ExitKind, pc: Pc) -> Snapshot {
        let slots = self.live(facts, pc).into_iter().map(|slot| (slot, self.read_any(b, slot, pc))).collect();
        Snapshot { kind, pc, frames: self.headers(), slots }
    }

    /// Writes all that the interpreter would find in memory at `pc`: live slots and headers.
    pub fn flush(&mut self, b: &mut Builder, facts: &Facts, pc: Pc) {
        for slot in self.live(facts, pc) {
            if let Some(&Known::Written(value)) = self.slots.get(&slot) {
                b.emit(Op::StoreSlot(slot), value, Ref::NONE, pc);
            }
        }
        self.flush_headers(b, pc);
    }

    /// Writes the headers of all inlined frames.
    pub fn flush_headers(&self, b: &mut Builder, pc: Pc) {
        for pair in self.activations.windows(2) {
            self.store_header(b, pair[1].base, pair[0].base, pair[1].return_pc, pc);
        }
    }

    pub fn store_header(&self, b: &mut Builder, base: Slot, caller: Slot, return_pc: Pc, pc: Pc) {
        let address = b.emit(Op::SlotAddress(caller), Ref::NONE, Ref::NONE, pc);
        b.emit(Op::StoreSlot(base - 2), address, Ref::NONE, pc);
        let back = b.constant(Const::Word(i64::from(return_pc.0)));
        b.emit(Op::StoreSlot(base - 1), back, Ref::NONE, pc);
    }

    /// Writes slots from `first` on to memory.
    pub fn store(&mut self, b: &mut Builder, first: Slot, count: u32, pc: Pc) {
        for slot in first..first + count {
            if let Some(&Known::Written(value)) = self.slots.get(&slot) {
                b.emit(Op::StoreSlot(slot), value, Ref::NONE, pc);
            }
        }
    }

    /// What the root's frame holds where that differs from the entry.
    pub fn carried(&self) -> Vec<(Slot, SlotState)> {
        let mut carried: Vec<(Slot, SlotState)> = self
            .slots
            .iter()
            .filter_map(|(&slot, &known)| match known {
                Known::Memory(0) | Known::Loaded(_, 0) => None,
                Known::Memory(epoch) | Known::Loaded(_, epoch) => Some((slot, SlotState::Memory(epoch))),
                Known::Written(value) => Some((slot, SlotState::Value(value))),
            })
            .collect();
        carried.sort_unstable_by_key(|&(slot, _)| slot);
        carried
    }
}

/// The bits of a value as another type.
pub fn reread(b: &mut Builder, value: Ref, ty: Type, pc: Pc) -> Ref {
    b.emit(Op::Common(Common::Reread(ty)), value, Ref::NONE, pc)
}
