//! Runs traces on a model of frame and memory: recorded ones and finished ones alike.
//!
//! Memory has all addresses; a byte that was never written depends on its address only. Calls are models too: what they
//! give depends on all that they may read, so that a slot that is not in memory when it should be shows.

use std::collections::HashMap;

use scaly_interp::program::Pc;

use super::constant;
use super::memory::routine_writes;
use crate::region::{Op as Common, Type};
use crate::trace::{Const, Effects, End, ExitKind, Inst, Op, Phi, Ref, Slot, SnapshotId, Trace};

/// Slots of the frame.
pub const SLOTS: usize = 32;
/// Slots that a called tree writes.
pub const TREE_WRITES: [usize; 2] = [12, 13];
/// What a called tree returns.
pub const TREE_EXIT: i64 = 77;

#[derive(Clone, PartialEq, Debug)]
pub struct World {
    pub slots: [u64; SLOTS],
    bytes: HashMap<u64, u8>,
    /// What routines with effects outside have been given.
    pub log: Vec<u64>,
}

/// Where a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exit {
    pub pc: Pc,
    pub kind: ExitKind,
    /// Iterations that were completed.
    pub iterations: u32,
    pub snapshot: SnapshotId,
}

fn mix(hash: u64, value: u64) -> u64 {
    (hash ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23)
}

impl World {
    pub fn new(slots: [u64; SLOTS]) -> World {
        World { slots, bytes: HashMap::new(), log: Vec::new() }
    }

    fn byte(&self, address: u64) -> u8 {
        self.bytes.get(&address).copied().unwrap_or((address.wrapping_mul(31) >> 3) as u8 & 7)
    }

    fn load(&self, address: u64, width: u32) -> u64 {
        (0..width).map(|i| u64::from(self.byte(address.wrapping_add(i.into()))) << (8 * i)).sum()
    }

    fn store(&mut self, address: u64, width: u32, value: u64) {
        for i in 0..width {
            self.bytes.insert(address.wrapping_add(i.into()), (value >> (8 * i)) as u8);
        }
    }

    /// The bytes that were written, by address.
    pub fn memory(&self) -> Vec<(u64, u8)> {
        let mut bytes: Vec<_> = self.bytes.iter().map(|(&address, &byte)| (address, byte)).collect();
        bytes.sort_unstable();
        bytes
    }

    fn hash(&self, slots: std::ops::Range<usize>) -> u64 {
        self.slots[slots].iter().fold(1, |hash, &slot| mix(hash, slot))
    }

    /// Something of the memory where arrays are.
    fn hash_memory(&self) -> u64 {
        (0x1000..0x1100).fold(1, |hash, address| mix(hash, self.byte(address).into()))
    }
}

pub fn bits(constant: Const) -> u64 {
    match constant::value(Common::Reread(Type::Word), constant, None) {
        Some(Const::Word(value)) => value as u64,
        other => panic!("{other:?}"),
    }
}

fn typed(ty: Type, bits: u64) -> Const {
    constant::value(Common::Reread(ty), Const::Word(bits as i64), None).unwrap()
}

/// A run of a trace.
pub struct Run<'a> {
    trace: &'a Trace,
    pub world: World,
    values: Vec<Option<Const>>,
    iterations: u32,
    /// Iterations after which the scheduler wants the fiber.
    budget: u32,
}

/// Runs a trace; a poll leaves when so many iterations are complete, so does the end of a loop that was not peeled.
pub fn run(trace: &Trace, world: World, budget: u32) -> (Exit, World) {
    let values = vec![None; trace.insts.len()];
    let mut run = Run { trace, world, values, iterations: 0, budget };
    let exit = run.all();
    (exit, run.world)
}

impl<'a> Run<'a> {
    /// Of a trace that is not complete: values are computed one by one.
    pub fn start(trace: &'a Trace, world: World, values: Vec<Option<Const>>) -> Run<'a> {
        Run { trace, world, values, iterations: 0, budget: 0 }
    }

    pub fn values(self) -> (World, Vec<Option<Const>>) {
        (self.world, self.values)
    }

    pub fn get(&self, r: Ref) -> Const {
        match self.trace.constant(r) {
            Some(constant) => constant,
            None => self.values[r.index()].unwrap_or_else(|| panic!("{r} was not computed\n{}", self.trace)),
        }
    }

    fn word(&self, r: Ref) -> u64 {
        bits(self.get(r))
    }

    fn all(&mut self) -> Exit {
        let marker = self.trace.loop_start();
        let mut at = 0;
        loop {
            if at < self.trace.insts.len() {
                if let Some(exit) = self.inst(at) {
                    return exit;
                }
                at += 1;
                continue;
            }
            let End::Loop(id) = self.trace.end else { panic!("no loop") };
            self.iterations += 1;
            match marker {
                Some(marker) => {
                    self.phis();
                    at = marker;
                }
                None => {
                    self.restore(id);
                    if self.iterations >= self.budget {
                        return self.exit(id);
                    }
                    at = 0;
                }
            }
        }
    }

    fn phis(&mut self) {
        let rights: Vec<Const> = self.trace.phis.iter().map(|phi| self.get(phi.right)).collect();
        for (Phi { left, .. }, value) in self.trace.phis.iter().zip(rights) {
            self.values[left.index()] = Some(value);
        }
    }

    fn restore(&mut self, id: SnapshotId) {
        let snapshot = self.trace.snapshot(id);
        if matches!(snapshot.kind, ExitKind::PassOn(_)) {
            return;
        }
        for &(slot, value) in &snapshot.slots {
            self.world.slots[slot as usize] = self.word(value);
        }
    }

    fn exit(&self, id: SnapshotId) -> Exit {
        let snapshot = self.trace.snapshot(id);
        let kind = if matches!(snapshot.kind, ExitKind::PassOn(_)) { ExitKind::Outcome } else { snapshot.kind };
        Exit { pc: snapshot.pc, kind, iterations: self.iterations, snapshot: id }
    }

    fn leave(&mut self, id: Option<SnapshotId>) -> Option<Exit> {
        let id = id.unwrap();
        self.restore(id);
        Some(self.exit(id))
    }

    pub fn inst(&mut self, at: usize) -> Option<Exit> {
        let Inst { op, a, b, snapshot, .. } = self.trace.insts[at];
        match op {
            Op::Common(common) => self.values[at] = self.common(common, a, b),
            Op::Slot { slot, ty, .. } => self.values[at] = Some(typed(ty, self.world.slots[slot as usize])),
            Op::StoreSlot(slot) => self.world.slots[slot as usize] = self.word(a),
            Op::SlotAddress(slot) => self.values[at] = Some(Const::Word(i64::from(slot) * 8)),
            Op::StackLimit => self.values[at] = Some(Const::Word(1 << 40)),
            Op::Inherit { .. } => panic!("a side trace"),
            Op::Guard { expected } if self.get(a) != Const::Cond(expected) => return self.leave(snapshot),
            Op::Poll if self.iterations >= self.budget => return self.leave(snapshot),
            // The first iteration has been peeled off.
            Op::Loop if self.iterations == 0 => self.iterations = 1,
            Op::Guard { .. } | Op::Poll | Op::Count(_) | Op::Loop => {}
            Op::Routine { routine, slot } => self.routine(routine, slot as usize),
            Op::CallTree { slot, .. } => self.values[at] = Some(self.tree(slot)),
            Op::CallFunction { function, slot } => self.function(function.0.into(), slot as usize),
            Op::CallValue { slot, .. } => match self.get(a) {
                Const::Word(id) => self.function(id as u64, slot as usize),
                other => panic!("{other:?} is no function"),
            },
        }
        None
    }

    fn common(&mut self, op: Common, a: Ref, b: Ref) -> Option<Const> {
        let Some((width, offset)) = op.access() else {
            if op == Common::Capacity {
                return Some(Const::Word((self.word(a) >> 4) as i64 & 0xff));
            }
            let second = if b.is_none() { None } else { Some(self.get(b)) };
            let value = constant::value(op, self.get(a), second);
            return Some(value.unwrap_or_else(|| panic!("{op:?} of {a} and {b}")));
        };
        let address = self.word(a).wrapping_add(offset.into());
        if Op::Common(op).effects() == Effects::Store {
            self.world.store(address, width, self.word(b));
            return None;
        }
        let loaded = self.world.load(address, width);
        Some(match op {
            Common::LoadInt(kind, _) => {
                let up = 64 - 8 * width;
                let signed = format!("{kind:?}").starts_with('I');
                Const::Word(if signed { (loaded << up) as i64 >> up } else { loaded as i64 })
            }
            Common::LoadPointer(_) => Const::Word(loaded as i64),
            Common::LoadFloat(_) => Const::Float(loaded),
            _ => Const::Single(loaded as u32),
        })
    }

    fn routine(&mut self, routine: scaly_interp::routine::Routine, first: usize) {
        let row = routine.signature();
        let mut hash = self.world.hash(first..first + row.param_slots() as usize);
        if !row.effects.is_empty() {
            hash = mix(hash, self.world.hash_memory());
        }
        if routine_writes(routine) {
            self.world.store(0x1000 + hash % 64, 8, hash);
        }
        if row.external() {
            self.world.log.push(hash);
        }
        for i in 0..row.result_slots() as usize {
            self.world.slots[first + i] = mix(hash, i as u64) % 16;
        }
    }

    fn tree(&mut self, _: Slot) -> Const {
        // The slots below a frame at 14, all of them exact.
        let hash = mix(self.world.hash(0..14), self.world.hash_memory());
        self.world.store(0x1000 + hash % 64, 4, hash);
        for (i, slot) in TREE_WRITES.into_iter().enumerate() {
            self.world.slots[slot] = mix(hash, i as u64) % 16;
        }
        Const::Word(TREE_EXIT)
    }

    fn function(&mut self, id: u64, frame: usize) {
        let hash = mix(mix(self.world.hash(frame..frame + 2), self.world.hash_memory()), id);
        self.world.store(0x1000 + hash % 64, 2, hash);
        self.world.slots[frame] = hash % 16;
        for slot in frame + 1..SLOTS {
            self.world.slots[slot] = 0xdead;
        }
    }
}
