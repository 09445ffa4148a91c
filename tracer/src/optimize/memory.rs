//! What is known to lie in memory, and which stores nobody has seen yet.
//!
//! A place is an address as a linear form and a width. Two places whose forms have the same parts differ by a constant,
//! so it is known whether they overlap, exactly; any two others may. The types of what lies there say nothing: unions and
//! boxes are copied by words. The header of a block, with its capacity, is no one's element: only routines change it. Nor
//! are slots: no program holds the address of one, `slot.address` goes into headers and is compared.
//!
//! A store is dead if a later one covers it and nothing between may read it: no load that may alias, nothing that leaves,
//! no call.

use rustc_hash::FxHashMap;
use scaly_interp::machine::{IntKind, IntMemory, IntUnary};
use scaly_interp::program::Pc;
use scaly_interp::routine::{Effect, Routine};

use super::Builder;
use super::linear::Linear;
use crate::region::{Op, Type};
use crate::trace::{self, Inst, Ref};

/// What lies in memory, or how it is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Content {
    Int(IntMemory),
    Float,
    Single,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    address: Linear,
    width: u64,
}

impl Place {
    /// Of a load or store.
    pub fn of(trace: &trace::Trace, op: Op, address: Ref) -> Option<Place> {
        let (width, offset) = op.access()?;
        let mut address = Linear::of(trace, address);
        address.constant = address.constant.wrapping_add(i64::from(offset));
        Some(Place { address, width: u64::from(width) })
    }

    /// How far the other begins behind this, where that is known.
    fn distance(&self, other: &Place) -> Option<u64> {
        (self.address.parts == other.address.parts)
            .then(|| other.address.constant.wrapping_sub(self.address.constant) as u64)
    }

    pub fn may_overlap(&self, other: &Place) -> bool {
        match self.distance(other) {
            Some(distance) => distance < self.width || distance.wrapping_neg() < other.width,
            None => true,
        }
    }

    /// Whether all bytes of the other are among these.
    fn covers(&self, other: &Place) -> bool {
        self.distance(other).is_some_and(|d| d < self.width && other.width <= self.width - d)
    }
}

#[derive(Debug)]
struct Known {
    place: Place,
    content: Content,
    value: Ref,
}

#[derive(Debug, Default)]
pub struct Memory {
    known: Vec<Known>,
    capacities: FxHashMap<Ref, Ref>,
    /// Stores that nothing may have read yet, by instruction.
    unread: Vec<(usize, Place)>,
}

impl Memory {
    /// All that was known may have changed.
    pub fn forget(&mut self) {
        self.known.clear();
        self.capacities.clear();
    }

    /// Whoever goes on from here reads memory.
    pub fn read_by_others(&mut self) {
        self.unread.clear();
    }

    fn read(&mut self, place: &Place) {
        self.unread.retain(|(_, unread)| !unread.may_overlap(place));
    }

    fn write(&mut self, place: &Place) {
        self.known.retain(|known| !known.place.may_overlap(place));
    }
}

/// What a load reads, or a store writes.
fn content(op: Op) -> Option<Content> {
    match op {
        Op::LoadInt(kind, _) | Op::StoreInt(kind, _) => Some(Content::Int(kind)),
        Op::LoadFloat(_) | Op::StoreFloat(_) => Some(Content::Float),
        Op::LoadSingle(_) | Op::StoreSingle(_) => Some(Content::Single),
        _ => None,
    }
}

fn wrap_of(kind: IntMemory) -> IntKind {
    match kind {
        IntMemory::I8 => IntKind::I8,
        IntMemory::U8 => IntKind::U8,
        IntMemory::I16 => IntKind::I16,
        IntMemory::U16 => IntKind::U16,
        IntMemory::I32 => IntKind::I32,
        IntMemory::U32 => IntKind::U32,
        IntMemory::I64 => IntKind::I64,
    }
}

/// Whether memory that was known may be another one behind a routine. What is only allocated nobody has seen before.
pub fn routine_writes(routine: Routine) -> bool {
    routine.signature().effects.iter().any(|effect| match effect {
        Effect::Writes(_)
        | Effect::Appends { .. }
        | Effect::Frees { .. }
        | Effect::ResetsRegion { .. }
        | Effect::ExitsRegion { .. }
        | Effect::Blocks => true,
        Effect::Reads(_)
        | Effect::Allocates { .. }
        | Effect::EntersRegion
        | Effect::Output
        | Effect::Input
        | Effect::Faults
        | Effect::Stops => false,
    })
}

impl Builder {
    pub(super) fn load(&mut self, op: Op, address: Ref, pc: Pc) -> Ref {
        if op == Op::Capacity {
            if let Some(&capacity) = self.memory.capacities.get(&address) {
                return capacity;
            }
            let capacity = self.push(inst(op, address, Ref::NONE, pc));
            self.memory.capacities.insert(address, capacity);
            return capacity;
        }
        let (address, offset) = self.address(address, op.access().map_or(0, |access| access.1), pc);
        let op = op.with_offset(offset);
        let (Some(place), Some(wanted)) = (Place::of(&self.trace, op, address), content(op)) else {
            return self.push(inst(op, address, Ref::NONE, pc));
        };
        if let Some(value) = self.forwarded(&place, wanted, pc) {
            return value;
        }
        self.memory.read(&place);
        let value = self.push(inst(op, address, Ref::NONE, pc));
        self.memory.known.push(Known { place, content: wanted, value });
        value
    }

    /// What is known to lie at a place, as the load would give it.
    fn forwarded(&mut self, place: &Place, wanted: Content, pc: Pc) -> Option<Ref> {
        let known = self.memory.known.iter().rev().find(|known| known.place == *place)?;
        let (found, value) = (known.content, known.value);
        if found == wanted {
            // A store's value may have bits that do not fit; a load's has none.
            return Some(match wanted {
                Content::Int(kind) => self.wrap(kind, value, pc),
                Content::Float | Content::Single => value,
            });
        }
        let ty = |content| match content {
            Content::Int(_) => Type::Word,
            Content::Float => Type::Float,
            Content::Single => Type::Single,
        };
        let value = self.common(Op::Reread(ty(wanted)), value, Ref::NONE, pc);
        Some(match wanted {
            Content::Int(kind) => self.wrap(kind, value, pc),
            Content::Float | Content::Single => value,
        })
    }

    fn wrap(&mut self, kind: IntMemory, value: Ref, pc: Pc) -> Ref {
        self.common(Op::IntUnary(IntUnary::Wrap(wrap_of(kind))), value, Ref::NONE, pc)
    }

    pub(super) fn store(&mut self, op: Op, address: Ref, mut value: Ref, pc: Pc) -> Ref {
        let (address, offset) = self.address(address, op.access().map_or(0, |access| access.1), pc);
        let op = op.with_offset(offset);
        if let Op::StoreInt(kind, _) = op {
            value = self.stored(kind, value);
        }
        let (Some(place), Some(content)) = (Place::of(&self.trace, op, address), content(op)) else {
            self.memory.forget();
            self.memory.read_by_others();
            return self.push(inst(op, address, value, pc));
        };
        let mut dead = Vec::new();
        self.memory.unread.retain(|(at, unread)| {
            let covered = place.covers(unread);
            if covered {
                dead.push(*at);
            }
            !covered
        });
        for at in dead {
            self.drop_inst(at);
        }
        self.memory.write(&place);
        self.memory.unread.push((self.trace.insts.len(), place.clone()));
        self.push(inst(op, address, value, pc));
        self.memory.known.push(Known { place, content, value });
        Ref::NONE
    }

    /// What an instruction that is neither a load nor a store does to memory.
    pub(super) fn pass_memory(&mut self, op: trace::Op) {
        match op {
            trace::Op::Routine { routine, .. } => {
                self.memory.read_by_others();
                if routine_writes(routine) {
                    self.memory.forget();
                }
            }
            trace::Op::CallTree { .. } | trace::Op::CallFunction { .. } => {
                self.memory.read_by_others();
                self.memory.forget();
            }
            trace::Op::Guard { .. } | trace::Op::Poll | trace::Op::Loop => self.memory.read_by_others(),
            _ => {}
        }
    }
}

fn inst(op: Op, a: Ref, b: Ref, pc: Pc) -> Inst {
    Inst { op: trace::Op::Common(op), a, b, snapshot: None, pc }
}
