//! How long each value of a trace is needed, and how much it would cost to keep it in memory.
//!
//! Lives are single ranges of positions. A value that is defined before the loop and used in it is needed until the back
//! edge. What becomes part of those that use it has no life, but its operands live until there: [`fold`], and conditions,
//! which are compared where they are used. Not so a condition or address that the loop uses and that was made before it
//! from a value that changes at the back edge.
//!
//! A phi's right is one value with its left where the left is not needed any more when the right is computed: then the
//! back edge has nothing to move.

use scaly_tracer::region::Type;
use scaly_tracer::trace::{Effects, End, ExitKind, Op, Ref, Slot, SnapshotId, Trace};

use super::{Home, Left, Source, fold};
use crate::inline::inlined;

/// Positions within an instruction: operands are read, registers are clobbered, what an exit behind that needs is read,
/// the result is written.
pub const USE: u32 = 0;
pub const CLOBBER: u32 = 1;
pub const LATE: u32 = 2;
pub const DEFINE: u32 = 3;

pub const fn position(inst: usize, within: u32) -> u32 {
    inst as u32 * 4 + within
}

/// How often the loop is taken to run.
const LOOP_WEIGHT: u32 = 10;

/// What becomes of an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Handling {
    /// Nobody needs it.
    Dead,
    /// It is part of those that use it.
    Deferred,
    Emitted,
}

/// One value, or several that have one home.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unit {
    /// The instruction that defines it first.
    pub first: usize,
    pub start: u32,
    pub end: u32,
    /// Its reads and writes.
    pub weight: u32,
    /// Read at most once for each time that it is defined.
    pub once: bool,
    pub vector: bool,
    /// The slot that holds it all its life.
    pub slot: Option<Slot>,
}

/// What an instruction does to registers that nobody mentions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clobber {
    /// Those that C does not save.
    Call,
    All,
}

#[derive(Debug)]
pub struct Lifetimes {
    pub handling: Vec<Handling>,
    /// By start.
    pub units: Vec<Unit>,
    /// The unit of an instruction's value.
    pub unit: Vec<Option<u32>>,
    /// Positions, ascending.
    pub clobbers: Vec<(u32, Clobber)>,
}

impl Lifetimes {
    pub fn of(trace: &Trace, inherited: &[Left]) -> Lifetimes {
        let mut walk = Walk::new(trace, inherited);
        walk.end();
        for i in (0..trace.insts.len()).rev() {
            walk.inst(i);
        }
        let clobber = |i| clobber(trace, i).map(|kind| (position(i, CLOBBER), kind));
        let clobbers = (0..trace.insts.len()).filter_map(clobber).collect();
        let (units, unit) = walk.units();
        Lifetimes { handling: walk.handling, units, unit, clobbers }
    }
}

fn clobber(trace: &Trace, i: usize) -> Option<Clobber> {
    match trace.insts[i].op {
        Op::CallTree { .. } | Op::CallFunction { .. } | Op::CallValue { .. } => Some(Clobber::All),
        Op::Routine { .. } if inlined(trace, i).is_none() => Some(Clobber::Call),
        _ => None,
    }
}

/// Where a snapshot's values are read: a routine leaves behind its call, all others before theirs.
fn snapshot_use(op: Op) -> Option<u32> {
    match op {
        Op::Guard { .. } | Op::Poll | Op::CallFunction { .. } | Op::CallValue { .. } => Some(USE),
        Op::Routine { .. } => Some(LATE),
        _ => None,
    }
}

/// The home of what is always at hand, and changes in no trace.
pub fn at_hand(op: Op) -> Option<Home> {
    match op {
        Op::SlotAddress(slot) => Some(Home::SlotAddress(slot)),
        Op::StackLimit => Some(Home::StackLimit),
        _ => None,
    }
}

struct Walk<'a> {
    trace: &'a Trace,
    inherited: &'a [Left],
    /// Behind the last instruction.
    end: usize,
    loop_start: usize,
    folded: Vec<bool>,
    left: Vec<bool>,
    handling: Vec<Handling>,
    /// The last read, where it is only by being a phi's left that it is needed longer.
    last: Vec<u32>,
    weight: Vec<u32>,
    /// Needed until the back edge.
    carried: Vec<bool>,
}

impl<'a> Walk<'a> {
    fn new(trace: &'a Trace, inherited: &'a [Left]) -> Walk<'a> {
        let end = trace.insts.len();
        let mut left = vec![false; end];
        trace.phis.iter().for_each(|phi| left[phi.left.index()] = true);
        Walk {
            trace,
            inherited,
            end,
            loop_start: trace.loop_start().unwrap_or(end),
            folded: fold::folded(trace),
            left,
            handling: vec![Handling::Dead; end],
            last: vec![0; end],
            weight: vec![0; end],
            carried: vec![false; end],
        }
    }

    fn has_loop(&self) -> bool {
        self.loop_start < self.end
    }

    fn frequency(&self, inst: usize) -> u32 {
        if inst > self.loop_start { LOOP_WEIGHT } else { 1 }
    }

    /// The end of the trace reads what its snapshot and its phis name.
    fn end(&mut self) {
        let at = position(self.end, USE);
        match self.trace.end {
            End::Loop(snapshot) if !self.has_loop() => self.snapshot(snapshot, at),
            End::Link(_, snapshot) | End::Leave(snapshot) => self.snapshot(snapshot, at),
            End::Loop(_) | End::Return => {}
        }
        if self.has_loop() {
            for phi in &self.trace.phis {
                self.read(phi.right, at, LOOP_WEIGHT);
                self.handling[phi.left.index()] = Handling::Emitted;
                self.carried[phi.left.index()] = true;
            }
        }
    }

    fn inst(&mut self, i: usize) {
        let inst = self.trace.insts[i];
        let acts = !matches!(inst.op.effects(), Effects::Pure | Effects::Load);
        if acts {
            self.handling[i] = Handling::Emitted;
        } else if self.handling[i] != Handling::Emitted {
            return;
        }
        let at = position(i, USE);
        let weight = self.frequency(i);
        self.read(inst.a, at, weight);
        self.read(inst.b, at, weight);
        if let (Some(snapshot), Some(within)) = (inst.snapshot, snapshot_use(inst.op)) {
            self.snapshot(snapshot, position(i, within));
        }
    }

    fn snapshot(&mut self, id: SnapshotId, at: u32) {
        let snapshot = self.trace.snapshot(id);
        for &(_, value) in &snapshot.slots {
            self.read(value, at, 0);
        }
        if let ExitKind::PassOn(value) = snapshot.kind {
            self.read(value, at, 0);
        }
    }

    fn read(&mut self, value: Ref, at: u32, weight: u32) {
        if value.is_none() || value.is_constant() {
            return;
        }
        let i = value.index();
        let inst = self.trace.insts[i];
        let over_marker = i < self.loop_start && at > position(self.loop_start, USE);
        // The walk is backward: where an instruction is emitted for the loop, uses before the loop find it so.
        if self.deferrable(i) && self.handling[i] != Handling::Emitted && !(over_marker && self.changes(i)) {
            self.handling[i] = Handling::Deferred;
            self.read(inst.a, at, weight);
            self.read(inst.b, at, weight);
            return;
        }
        self.handling[i] = Handling::Emitted;
        self.last[i] = self.last[i].max(at);
        self.weight[i] += weight;
        self.carried[i] |= over_marker;
    }

    fn deferrable(&self, i: usize) -> bool {
        let op = self.trace.insts[i].op;
        self.folded[i] || op.result() == Some(Type::Cond) || at_hand(op).is_some() && !self.left[i]
    }

    /// Whether computing it in the loop would not give what it is before the loop.
    fn changes(&self, i: usize) -> bool {
        let inst = &self.trace.insts[i];
        [inst.a, inst.b].into_iter().filter(|value| !value.is_none() && !value.is_constant()).any(|value| {
            let operand = value.index();
            self.left[operand] || self.deferrable(operand) && self.changes(operand)
        })
    }

    fn units(&self) -> (Vec<Unit>, Vec<Option<u32>>) {
        let mut unit = vec![None; self.end];
        let mut units: Vec<Unit> = Vec::new();
        let same_as = self.coalesced();
        // Inherited values are there before all others, wherever their instructions stand.
        let inherited = |i: &usize| matches!(self.trace.insts[*i].op, Op::Inherit { .. });
        for i in (0..self.end).filter(inherited).chain((0..self.end).filter(|i| !inherited(i))) {
            if self.handling[i] != Handling::Emitted || self.last[i] == 0 {
                continue;
            }
            if let Some(left) = same_as[i]
                && let Some(u) = unit[left]
            {
                unit[i] = Some(u);
                units[u as usize].weight += self.weight[i] + self.frequency(i);
                continue;
            }
            unit[i] = Some(units.len() as u32);
            units.push(self.unit(i));
        }
        self.mark_slots(&mut units);
        (units, unit)
    }

    fn unit(&self, i: usize) -> Unit {
        let op = self.trace.insts[i].op;
        let slot = match op {
            Op::Slot { slot, .. } => Some(slot),
            Op::Inherit { index, .. } => match self.inherited.get(index as usize) {
                Some(Left { at: Source::Home(Home::Slot(slot)), .. }) => Some(*slot),
                _ => None,
            },
            _ => None,
        };
        Unit {
            first: i,
            start: if matches!(op, Op::Inherit { .. }) { 0 } else { position(i, DEFINE) },
            end: if self.carried[i] { position(self.end, LATE) } else { self.last[i] },
            weight: self.weight[i] + self.frequency(i),
            once: self.weight[i] <= self.frequency(i),
            vector: matches!(op.result(), Some(Type::Float | Type::Single)),
            slot: slot.filter(|_| !self.left[i]),
        }
    }

    /// Takes the slot from values whose slot is written while they live.
    fn mark_slots(&self, units: &mut [Unit]) {
        let mut writes: Vec<(u32, Slot, Slot)> = Vec::new();
        for (i, inst) in self.trace.insts.iter().enumerate() {
            match inst.op {
                Op::StoreSlot(slot) => writes.push((position(i, DEFINE), slot, slot + 1)),
                Op::Routine { routine, slot } => {
                    writes.push((position(i, CLOBBER), slot, slot + Slot::from(routine.signature().slots())));
                }
                Op::CallTree { slot, .. } | Op::CallFunction { slot, .. } | Op::CallValue { slot, .. } => {
                    writes.push((position(i, CLOBBER), slot, Slot::MAX));
                }
                _ => {}
            }
        }
        for unit in units.iter_mut() {
            let Some(slot) = unit.slot else { continue };
            let from = writes.partition_point(|&(at, ..)| at <= unit.start);
            let during = writes[from..].iter().take_while(|&&(at, ..)| at < unit.end);
            if during.into_iter().any(|&(_, first, end)| (first..end).contains(&slot)) {
                unit.slot = None;
            }
        }
    }

    /// The left that a phi's right shares its home with.
    fn coalesced(&self) -> Vec<Option<usize>> {
        let mut same_as = vec![None; self.end];
        for phi in self.trace.phis.iter().filter(|_| self.has_loop()) {
            let (left, right) = (phi.left.index(), phi.right);
            if right.is_constant() || right.index() <= self.loop_start || same_as[right.index()].is_some() {
                continue;
            }
            if self.last[left] <= position(right.index(), USE) {
                same_as[right.index()] = Some(left);
            }
        }
        same_as
    }
}
