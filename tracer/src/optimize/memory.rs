//! What is known to lie in memory, and which stores nobody has seen yet.
//!
//! A place is an address as a linear form and a width. Two places whose forms have the same parts differ by a constant,
//! so it is known whether they overlap, exactly; any two others may, unless they are known to belong to different blocks
//! ([`super::owners`]). The types of what lies there say nothing: unions and
//! boxes are copied by words. The header of a block, with its capacity, is no one's element: only routines change it. Nor
//! are slots: no program holds the address of one, `slot.address` goes into headers and is compared.
//!
//! A store is dead if a later one covers it and nothing between may read it: no load that may alias, nothing that leaves,
//! no call.

use rustc_hash::FxHashMap;
use scaly_interp::machine::{IntKind, IntMemory, IntUnary};
use scaly_interp::program::Pc;
use scaly_interp::routine::{Effect, Routine};

use super::linear::Linear;
use super::owners::Owners;
use super::{Builder, owners};
use crate::region::{Op, Type};
use crate::trace::{self, Inst, Ref};

/// What lies in memory, or how it is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Content {
    Int(IntMemory),
    Float,
    Single,
}

#[derive(Clone, Debug)]
pub struct Place {
    pub address: Linear,
    width: u64,
    /// The address of the block that it is in.
    block: Ref,
}

impl Place {
    /// Of a load or store.
    pub fn of(trace: &trace::Trace, op: Op, address: Ref) -> Option<Place> {
        let (width, offset) = op.access()?;
        let block = owners::block(trace, address);
        let mut address = Linear::of(trace, address);
        address.constant = address.constant.wrapping_add(i64::from(offset));
        Some(Place { address, width: u64::from(width), block })
    }

    /// How far the other begins behind this, where that is known.
    fn distance(&self, other: &Place) -> Option<u64> {
        (self.address.parts == other.address.parts)
            .then(|| other.address.constant.wrapping_sub(self.address.constant) as u64)
    }

    pub fn may_overlap(&self, other: &Place, owners: &Owners) -> bool {
        match self.distance(other) {
            Some(distance) => distance < self.width || distance.wrapping_neg() < other.width,
            None => !owners.apart(self.block, other.block),
        }
    }

    fn same(&self, other: &Place) -> bool {
        self.distance(other) == Some(0) && self.width == other.width
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

    fn read(&mut self, place: &Place, owners: &Owners) {
        self.unread.retain(|(_, unread)| !unread.may_overlap(place, owners));
    }

    fn write(&mut self, place: &Place, owners: &Owners) {
        self.known.retain(|known| !known.place.may_overlap(place, owners));
    }

    /// The word that is known to lie behind one.
    pub fn word_behind(&self, word: &Place) -> Option<Ref> {
        let behind = |known: &&Known| {
            known.content == Content::Int(IntMemory::I64) && word.distance(&known.place) == Some(word.width)
        };
        self.known.iter().rev().find(behind).map(|known| known.value)
    }
}

/// What a load reads, or a store writes.
fn content(op: Op) -> Option<Content> {
    match op {
        Op::LoadInt(kind, _) | Op::StoreInt(kind, _) => Some(Content::Int(kind)),
        Op::LoadPointer(_) => Some(Content::Int(IntMemory::I64)),
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
        self.learn_owner(address);
        if let Some(value) = self.forwarded(&place, wanted, pc) {
            return value;
        }
        self.memory.read(&place, &self.owners);
        let value = self.push(inst(op, address, Ref::NONE, pc));
        self.memory.known.push(Known { place, content: wanted, value });
        value
    }

    /// What is known to lie at a place, as the load would give it.
    fn forwarded(&mut self, place: &Place, wanted: Content, pc: Pc) -> Option<Ref> {
        let known = self.memory.known.iter().rev().find(|known| known.place.same(place))?;
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
        self.learn_owner(address);
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
        self.memory.write(&place, &self.owners);
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
            trace::Op::CallTree { .. } | trace::Op::CallFunction { .. } | trace::Op::CallValue { .. } => {
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

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    /// The lines of what a straight trace becomes, without places and snapshots.
    fn emitted(text: &str) -> Vec<String> {
        let head = "loop0 root\nk0: i64 = 3\nk1: f64 = 0x3ff0000000000000\nv0: i64 = slot 0 @1\nv1: i64 = slot 1 @1\n";
        let trace = finished(&format!("{head}{text}\nend leave snap0\nsnap0 resume @1 (8 = v20, 9 = v21)\n"));
        let skipped = ["loop0", "k0", "k1", "k2", "v0", "v1", "end", "snap"];
        let text = trace.to_string();
        let lines = text.lines().filter(|line| !skipped.iter().any(|&skip| line.starts_with(skip)));
        lines.map(|line| line.replace(" @1", "")).collect()
    }

    fn finished(text: &str) -> crate::trace::Trace {
        super::super::testing::optimized(text)
    }

    /// Where the two values of the snapshot come from.
    fn values(text: &str) -> String {
        let head =
            "loop0 root\nk0: i64 = 300\nk1: f64 = 0x3ff0000000000000\nv0: i64 = slot 0 @1\nv1: i64 = slot 1 @1\n";
        let text = format!("{head}{text}\nend leave snap0\nsnap0 resume @1 (8 = v20, 9 = v21)\n");
        let trace = optimized(&text);
        let value = |i: usize| {
            let r = trace.snapshots[0].slots[i].1;
            match trace.constant(r) {
                Some(constant) => constant.to_string(),
                None => trace.inst(r).to_string(),
            }
        };
        format!("{}; {}", value(0), value(1))
    }

    #[test]
    fn a_load_gives_what_was_stored_or_loaded() {
        let found = values(
            "v2: i64 = element v0, v1 * 8 + 0
            store.i64 v2 + 8, v1
            v20: i64 = load.i64 v2 + 8
            v4: i64 = load.i64 v2 + 16
            v21: i64 = load.i64 v2 + 16",
        );
        assert_eq!(found, "slot 1; load.i64 v2 + 16");
    }

    #[test]
    fn a_narrow_load_gives_the_low_bits() {
        let found = values(
            "store.i8 v0 + 0, k0
            v20: i64 = load.u8 v0 + 0
            store.i16 v0 + 2, v1
            v21: i64 = load.u16 v0 + 2",
        );
        assert_eq!(found, "44; wrap.u16 v1");
    }

    #[test]
    fn between_types_it_is_the_same_bits() {
        let found = values(
            "store.f64 v0 + 0, k1
            v20: i64 = load.i64 v0 + 0
            store.i64 v0 + 8, v1
            v21: f64 = load.f64 v0 + 8",
        );
        assert_eq!(found, "4607182418800017408; slot 1");
    }

    #[test]
    fn a_store_may_change_what_is_not_known_to_be_elsewhere() {
        let found = values(
            "v3: i64 = load.i64 v0 + 0
            store.i64 v0 + 8, v1
            v4: i64 = load.i64 v0 + 0
            v20: i64 = sub v3, v4
            v5: i64 = load.i64 v0 + 16
            store.i8 v0 + 23, v1
            v6: i64 = load.i64 v0 + 16
            v21: i64 = sub v5, v6",
        );
        assert_eq!(found, "0; sub v3, v5");
        let elsewhere = "v3: i64 = load.i64 v0 + 0\nstore.i64 v1 + 8, v1\nv20: i64 = load.i64 v0 + 0\n\
            v21: i64 = sub v3, v20";
        assert!(values(elsewhere).contains("; sub "));
    }

    #[test]
    fn neighbours_of_one_index_do_not_overlap() {
        let found = values(
            "v2: i64 = add v1, k0
            v3: i64 = element v0, v1 * 8 + 0
            v4: i64 = element v0, v2 * 8 + 0
            store.i64 v3 + 0, v1
            store.i64 v4 + 0, v0
            v20: i64 = load.i64 v3 + 0
            v21: i64 = load.i64 v4 + 0",
        );
        assert_eq!(found, "slot 1; slot 0");
    }

    #[test]
    fn routines_change_what_they_write() {
        let with = |routine: &str| {
            let text = format!(
                "v3: i64 = load.i64 v0 + 0\nv4: i64 = capacity v0\nroutine {routine} 30 -> snap0\n\
                v5: i64 = load.i64 v0 + 0\nv6: i64 = capacity v0\nv20: i64 = sub v5, v3\nv21: i64 = sub v6, v4"
            );
            let text = text.replace(" -> snap0", "");
            values(&text)
        };
        for reads in ["MemoryEqual", "Alloc", "ConsolePrint", "TimeNow"] {
            assert_eq!(with(reads), "0; 0", "{reads}");
        }
        for writes in ["MemoryMove", "Free", "BuilderText", "RegionReset", "ArrayGrow"] {
            assert_ne!(with(writes), "0; 0", "{writes}");
        }
    }

    #[test]
    fn a_store_that_nobody_saw_goes() {
        let dead = emitted("store.i64 v0 + 0, k0\nstore.i64 v0 + 0, v1\nv20: i64 = neg v0\nv21: i64 = neg v1");
        assert_eq!(dead[0], "store.i64 v0 + 0, v1");
        let covered = emitted("store.i8 v0 + 3, k0\nstore.i64 v0 + 0, v1\nv20: i64 = neg v0\nv21: i64 = neg v1");
        assert_eq!(covered[0], "store.i64 v0 + 0, v1");
    }

    #[test]
    fn a_store_that_somebody_may_see_stays() {
        for between in [
            "v3: i64 = load.i64 v1 + 0\nstore.i64 v1 + 40, v3",
            "v3: bool = eq v0, v1\nguard v3 true -> snap0",
            "routine MemoryEqual 30",
            "call.tree trace1 0\n".trim_end(),
        ] {
            let between = if between.starts_with("call") { "v3: i64 = call.tree trace1 0" } else { between };
            let between = between.replace("-> snap0", "-> snap1");
            let text = format!(
                "loop0 root\nk0: i64 = 3\nv0: i64 = slot 0 @1\nv1: i64 = slot 1 @1\nstore.i64 v0 + 0, k0\n{between}\n\
                store.i64 v0 + 0, v1\nend leave snap0\nsnap0 resume @1 ()\nsnap1 resume @1 ()\n"
            );
            let found = optimized(&text).to_string();
            assert_eq!(found.matches("store.i64 v0 + 0").count(), 2, "{found}");
        }
        let narrower = emitted("store.i64 v0 + 0, k0\nstore.i8 v0 + 0, v1\nv20: i64 = neg v0\nv21: i64 = neg v1");
        assert_eq!(narrower.iter().filter(|line| line.contains("store")).count(), 2, "{narrower:#?}");
    }
}
