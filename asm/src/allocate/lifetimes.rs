//! How long each value of a trace is needed, and how much it would cost to keep it in memory.
//!
//! Lives are single ranges of positions. A value that is defined before the loop and used in it is needed until the back
//! edge. Conditions have no home: they are compared where they are used, so their operands live until there; so do the
//! operands of an address that only loads and stores use, which becomes part of these.
//!
//! A phi's right is one value with its left where the left is not needed any more when the right is computed: then the
//! back edge has nothing to move.

use scaly_tracer::region::{self, Type};
use scaly_tracer::trace::{Effects, End, ExitKind, Inst, Op, Ref, SnapshotId, Trace};

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
    pub vector: bool,
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
    pub fn of(trace: &Trace) -> Lifetimes {
        let mut walk = Walk::new(trace);
        walk.end();
        for i in (0..trace.insts.len()).rev() {
            walk.inst(i);
        }
        let clobbers = trace
            .insts
            .iter()
            .enumerate()
            .filter_map(|(i, inst)| clobber(inst.op).map(|kind| (position(i, CLOBBER), kind)));
        let clobbers = clobbers.collect();
        let (units, unit) = walk.units();
        Lifetimes { handling: walk.handling, units, unit, clobbers }
    }
}

fn clobber(op: Op) -> Option<Clobber> {
    match op {
        Op::CallTree { .. } | Op::CallFunction { .. } => Some(Clobber::All),
        Op::Routine { .. } => Some(Clobber::Call),
        _ => None,
    }
}

/// Where a snapshot's values are read: a routine leaves behind its call, all others before theirs.
fn snapshot_use(op: Op) -> Option<u32> {
    match op {
        Op::Guard { .. } | Op::Poll | Op::CallFunction { .. } => Some(USE),
        Op::Routine { .. } => Some(LATE),
        _ => None,
    }
}

struct Walk<'a> {
    trace: &'a Trace,
    /// Behind the last instruction.
    end: usize,
    loop_start: usize,
    has_loop: bool,
    folded: Vec<bool>,
    left: Vec<bool>,
    handling: Vec<Handling>,
    last: Vec<u32>,
    weight: Vec<u32>,
    /// Defined before the loop, used in it.
    carried: Vec<bool>,
}

impl<'a> Walk<'a> {
    fn new(trace: &'a Trace) -> Walk<'a> {
        let end = trace.insts.len();
        let start = trace.loop_start();
        let mut left = vec![false; end];
        trace.phis.iter().for_each(|phi| left[phi.left.index()] = true);
        Walk {
            trace,
            end,
            loop_start: start.unwrap_or(end),
            has_loop: start.is_some(),
            folded: folded_addresses(trace),
            left,
            handling: vec![Handling::Dead; end],
            last: vec![0; end],
            weight: vec![0; end],
            carried: vec![false; end],
        }
    }

    fn frequency(&self, inst: usize) -> u32 {
        if inst > self.loop_start { LOOP_WEIGHT } else { 1 }
    }

    /// The end of the trace reads what its snapshot and its phis name.
    fn end(&mut self) {
        let at = position(self.end, USE);
        match self.trace.end {
            End::Loop(snapshot) if !self.has_loop => self.snapshot(snapshot, at),
            End::Link(_, snapshot) | End::Leave(snapshot) => self.snapshot(snapshot, at),
            End::Loop(_) | End::Return => {}
        }
        if self.has_loop {
            for phi in &self.trace.phis {
                self.read(phi.right, at, LOOP_WEIGHT);
                self.read(phi.left, at, 0);
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
        self.folded[i] || self.trace.insts[i].op.result() == Some(Type::Cond)
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
            let weight = self.weight[i] + self.frequency(i);
            if let Some(left) = same_as[i]
                && let Some(u) = unit[left]
            {
                unit[i] = Some(u);
                units[u as usize].weight += weight;
                continue;
            }
            let inst = self.trace.insts[i];
            let start = if inherited(&i) { 0 } else { position(i, DEFINE) };
            let end = if self.carried[i] { position(self.end, LATE) } else { self.last[i] };
            let vector = matches!(inst.op.result(), Some(Type::Float | Type::Single));
            unit[i] = Some(units.len() as u32);
            units.push(Unit { first: i, start, end, weight, vector });
        }
        (units, unit)
    }

    /// The left that a phi's right shares its home with.
    fn coalesced(&self) -> Vec<Option<usize>> {
        let mut same_as = vec![None; self.end];
        if !self.has_loop {
            return same_as;
        }
        let back_edge = position(self.end, USE);
        // A left that is also a right is needed at the back edge itself; its own read there, as a left, does not count.
        let mut last = self.last.clone();
        for phi in &self.trace.phis {
            last[phi.left.index()] = 0;
        }
        self.reads_in_loop(&mut last);
        for phi in &self.trace.phis {
            if !phi.right.is_constant() && self.trace.phis.iter().any(|other| other.left == phi.right) {
                last[phi.right.index()] = back_edge;
            }
        }
        for phi in &self.trace.phis {
            let (left, right) = (phi.left.index(), phi.right);
            if right.is_constant() || right.index() <= self.loop_start || same_as[right.index()].is_some() {
                continue;
            }
            if last[left] <= position(right.index(), USE) {
                same_as[right.index()] = Some(left);
            }
        }
        same_as
    }

    /// The last reads of values before the back edge.
    fn reads_in_loop(&self, last: &mut [u32]) {
        let mut reads = Reads { walk: self, last };
        for i in self.loop_start..self.end {
            let inst = self.trace.insts[i];
            if self.handling[i] != Handling::Emitted {
                continue;
            }
            reads.read(inst.a, position(i, USE));
            reads.read(inst.b, position(i, USE));
            if let (Some(id), Some(within)) = (inst.snapshot, snapshot_use(inst.op)) {
                let snapshot = self.trace.snapshot(id);
                for &(_, value) in &snapshot.slots {
                    reads.read(value, position(i, within));
                }
                if let ExitKind::PassOn(value) = snapshot.kind {
                    reads.read(value, position(i, within));
                }
            }
        }
    }
}

struct Reads<'a, 'b> {
    walk: &'a Walk<'a>,
    last: &'b mut [u32],
}

impl Reads<'_, '_> {
    fn read(&mut self, value: Ref, at: u32) {
        if value.is_none() || value.is_constant() {
            return;
        }
        let i = value.index();
        if self.walk.handling[i] == Handling::Deferred {
            let inst = self.walk.trace.insts[i];
            self.read(inst.a, at);
            self.read(inst.b, at);
        } else {
            self.last[i] = self.last[i].max(at);
        }
    }
}

/// The largest displacement that an address takes from each of the instructions it is made of.
const MAX_OFFSET: u32 = 1 << 29;

/// Addresses that are nothing but operands of loads and stores and fit an addressing mode.
fn folded_addresses(trace: &Trace) -> Vec<bool> {
    let mut folded: Vec<bool> = trace.insts.iter().map(|inst| foldable(trace, inst)).collect();
    let keep = |value: Ref, folded: &mut Vec<bool>| {
        if !value.is_none() && !value.is_constant() {
            folded[value.index()] = false;
        }
    };
    let mut seen = vec![false; trace.snapshots.len()];
    for inst in &trace.insts {
        match inst.op {
            Op::Common(op) if op.access().is_some_and(|(_, offset)| offset <= MAX_OFFSET) => {}
            _ => keep(inst.a, &mut folded),
        }
        keep(inst.b, &mut folded);
        if let Some(id) = inst.snapshot {
            seen[id.index()] = true;
        }
    }
    if let End::Loop(id) | End::Link(_, id) | End::Leave(id) = trace.end {
        seen[id.index()] = true;
    }
    for (snapshot, _) in trace.snapshots.iter().zip(seen).filter(|(_, seen)| *seen) {
        snapshot.slots.iter().for_each(|&(_, value)| keep(value, &mut folded));
        if let ExitKind::PassOn(value) = snapshot.kind {
            keep(value, &mut folded);
        }
    }
    for phi in &trace.phis {
        keep(phi.left, &mut folded);
        keep(phi.right, &mut folded);
    }
    folded
}

fn foldable(trace: &Trace, inst: &Inst) -> bool {
    match inst.op {
        Op::SlotAddress(slot) => slot <= MAX_OFFSET / 8,
        Op::Common(region::Op::Element { stride, offset }) if offset <= MAX_OFFSET && !inst.a.is_constant() => {
            match trace.word(inst.b) {
                Some(index) => index.checked_mul(i64::from(stride)).is_some_and(|at| at.unsigned_abs() < 1 << 29),
                None => matches!(stride, 1 | 2 | 4 | 8),
            }
        }
        _ => false,
    }
}
