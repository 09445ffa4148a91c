//! The slots of a recorded activation and of the calls inlined into it: what each holds, and what memory holds.

use scaly_interp::program::{FunctionId, Pc};

use super::facts::Facts;
use crate::optimize::Builder;
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

/// What is known of a slot.
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
    /// By slot; those behind the end are as they were at the entry.
    slots: Vec<Known>,
    /// What some slots of the root's are known to be there, ascending.
    constants: Vec<(u16, Const)>,
}

/// As at the entry, and not read yet.
const ENTRY: Known = Known::Memory(0);

impl Frames {
    pub fn new(activations: Vec<Activation>, constants: Vec<(u16, Const)>) -> Frames {
        Frames { activations, slots: Vec::new(), constants }
    }

    fn constant(&self, slot: Slot) -> Option<Const> {
        let at = self.constants.binary_search_by_key(&slot, |&(slot, _)| slot.into()).ok()?;
        Some(self.constants[at].1)
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

    fn known(&self, slot: Slot) -> Known {
        self.slots.get(slot as usize).copied().unwrap_or(ENTRY)
    }

    fn set(&mut self, slot: Slot, known: Known) {
        let at = slot as usize;
        if self.slots.len() <= at {
            self.slots.resize(at + 1, ENTRY);
        }
        self.slots[at] = known;
    }

    /// The value of a slot as a type.
    pub fn read(&mut self, b: &mut Builder, slot: Slot, ty: Type, pc: Pc) -> Ref {
        let (value, epoch) = match (self.known(slot), self.constant(slot)) {
            (Known::Memory(0), Some(constant)) => {
                let value = b.constant(constant);
                self.set(slot, Known::Loaded(value, 0));
                (value, Some(0))
            }
            (Known::Memory(epoch), _) => {
                let value = b.emit(Op::Slot { slot, ty, epoch }, Ref::NONE, Ref::NONE, pc);
                self.set(slot, Known::Loaded(value, epoch));
                return value;
            }
            (Known::Loaded(value, epoch), _) => (value, Some(epoch)),
            (Known::Written(value), _) => (value, None),
        };
        if b.trace.ty(value) == Some(ty) {
            return value;
        }
        let same = reread(b, value, ty, pc);
        // What it is read as is what it most likely is; both are the same bits.
        self.set(slot, epoch.map_or(Known::Written(same), |epoch| Known::Loaded(same, epoch)));
        same
    }

    /// The value of a slot whatever it is.
    pub fn read_any(&mut self, b: &mut Builder, slot: Slot, pc: Pc) -> Ref {
        match self.known(slot) {
            Known::Loaded(value, _) | Known::Written(value) => value,
            Known::Memory(_) => self.read(b, slot, Type::Word, pc),
        }
    }

    pub fn write(&mut self, slot: Slot, value: Ref) {
        self.set(slot, Known::Written(value));
    }

    /// A call wrote a slot.
    pub fn written_by_call(&mut self, slot: Slot, epoch: u32) {
        self.set(slot, Known::Memory(epoch));
    }

    /// Everything from a slot on is garbage.
    pub fn forget_from(&mut self, slot: Slot) {
        self.slots.truncate(slot as usize);
    }

    pub fn copy(&mut self, b: &mut Builder, to: Slot, from: Slot, count: u32, pc: Pc) {
        let values: Vec<Ref> = (0..count).map(|i| self.read_any(b, from + i, pc)).collect();
        for (i, value) in values.into_iter().enumerate() {
            self.write(to + i as u32, value);
        }
    }

    /// Slots that memory does not hold and that may be read when the innermost activation goes on at `pc`, ascending.
    fn live(&self, facts: &Facts, pc: Pc) -> Vec<Slot> {
        let mut live = Vec::new();
        for (i, activation) in self.activations.iter().enumerate() {
            let inner = self.activations.get(i + 1);
            // The header of the next frame, and what lies behind its results, is not this one's.
            let end = inner.map_or(Slot::MAX, |a| a.base - 2);
            facts.for_each_live(inner.map_or(pc, |a| a.return_pc), |slot| {
                let slot = activation.base + Slot::from(slot);
                if slot < end && !matches!(self.known(slot), Known::Memory(0) | Known::Loaded(_, 0)) {
                    live.push(slot);
                }
            });
        }
        live
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
            if let Known::Written(value) = self.known(slot) {
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
            if let Known::Written(value) = self.known(slot) {
                b.emit(Op::StoreSlot(slot), value, Ref::NONE, pc);
            }
        }
    }

    /// What the root's frame holds where that differs from the entry.
    pub fn carried(&self) -> Vec<(Slot, SlotState)> {
        let differ = |(slot, &known): (usize, &Known)| match known {
            Known::Memory(0) | Known::Loaded(_, 0) => None,
            Known::Memory(epoch) | Known::Loaded(_, epoch) => Some((slot as Slot, SlotState::Memory(epoch))),
            Known::Written(value) => Some((slot as Slot, SlotState::Value(value))),
        };
        self.slots.iter().enumerate().filter_map(differ).collect()
    }
}

/// The bits of a value as another type.
pub fn reread(b: &mut Builder, value: Ref, ty: Type, pc: Pc) -> Ref {
    b.emit(Op::Common(Common::Reread(ty)), value, Ref::NONE, pc)
}
