//! Linear scan: homes for all values, in the order in which they begin.
//!
//! A value takes the register of an operand that ends where it begins, so that two-operand instructions need no move;
//! an inherited one stays where the parent had it. Where no register is left, what costs least to keep in memory for its
//! length is spilled, back to its beginning: its home never changes.

use scaly_interp::machine::{FloatOp, IntOp};
use scaly_tracer::region::Op as Common;
use scaly_tracer::trace::{Inst, Op, Ref, Trace};

use super::lifetimes::{Clobber, Lifetimes, Unit, at_hand};
use super::{Files, Home, Left, Source};

/// What a life is longer than it is when costs are compared, in positions: of lives that are all short the reads alone
/// decide. LLVM adds 25 instructions as well.
const LENGTH_BIAS: u32 = 100;

/// Homes by instruction, and how many spill slots there are.
pub fn scan(trace: &Trace, lifetimes: &Lifetimes, inherited: &[Left], files: &Files) -> (Vec<Option<Home>>, u32) {
    let mut scan = Scan {
        trace,
        lifetimes,
        inherited,
        files,
        homes: vec![None; lifetimes.units.len()],
        active: Vec::new(),
        free: [bits(&files.general), bits(&files.vector)],
        clobbers: Clobbers::of(lifetimes),
    };
    for unit in 0..lifetimes.units.len() {
        scan.place(unit);
    }
    let spills = scan.spill_slots();
    let home = |(unit, inst): (&Option<u32>, &Inst)| match unit {
        Some(unit) => scan.homes[*unit as usize],
        None => at_hand(inst.op),
    };
    let homes = lifetimes.unit.iter().zip(&trace.insts).map(home).collect();
    (homes, spills)
}

fn bits(registers: &[u8]) -> u16 {
    registers.iter().fold(0, |bits, r| bits | 1 << r)
}

struct Scan<'a> {
    trace: &'a Trace,
    lifetimes: &'a Lifetimes,
    inherited: &'a [Left],
    files: &'a Files,
    /// By unit; none of those in memory until they have slots.
    homes: Vec<Option<Home>>,
    /// Units in registers.
    active: Vec<usize>,
    /// General and vector registers, by bit.
    free: [u16; 2],
    clobbers: Clobbers,
}

impl Scan<'_> {
    fn place(&mut self, unit: usize) {
        let this = self.lifetimes.units[unit];
        if this.once && this.slot.is_some() {
            // A load that its only reader does itself.
            return;
        }
        self.expire(this.start);
        let file = usize::from(this.vector);
        let allowed = self.allowed(&this);
        let free = self.free[file] & allowed;
        if free != 0 {
            let register = self.choose(&this, free);
            self.take(unit, register);
        } else if let Some(victim) = self.cheapest(file, allowed)
            && cost(&self.lifetimes.units[victim]) < cost(&this)
        {
            let register = self.drop_home(victim);
            self.take(unit, register);
        }
    }

    fn expire(&mut self, start: u32) {
        let (homes, free, units) = (&self.homes, &mut self.free, &self.lifetimes.units);
        self.active.retain(|&unit| {
            let lives = units[unit].end > start;
            if !lives && let Some((file, register)) = register(homes[unit]) {
                free[file] |= 1 << register;
            }
            lives
        });
    }

    /// The registers that survive what happens in a life.
    fn allowed(&self, unit: &Unit) -> u16 {
        let survivors = if unit.vector { 0 } else { self.files.general_saved };
        match self.clobbers.within(unit.start, unit.end) {
            None => u16::MAX,
            Some(Clobber::Call) => survivors,
            Some(Clobber::All) => 0,
        }
    }

    fn choose(&self, unit: &Unit, free: u16) -> u8 {
        if let Some(hint) = self.hint(unit, free) {
            return hint;
        }
        let others = free & !self.second_operand(unit);
        let free = if others != 0 { others } else { free };
        let order = if unit.vector { &self.files.vector } else { &self.files.general };
        match order.iter().find(|&&r| free & 1 << r != 0) {
            Some(&register) => register,
            None => unreachable!("free registers are those of the files"),
        }
    }

    fn hint(&self, unit: &Unit, free: u16) -> Option<u8> {
        let inst = self.trace.inst(Ref::instruction(unit.first));
        if let Op::Inherit { index, .. } = inst.op {
            let Some(Left { at: Source::Home(home), .. }) = self.inherited.get(index as usize) else { return None };
            let (file, register) = register(Some(*home))?;
            return (file == usize::from(unit.vector) && free & 1 << register != 0).then_some(register);
        }
        let (first, second) = operands(inst);
        [Some(first), commutes(inst.op).then_some(second)].into_iter().flatten().find_map(|operand| {
            let (file, register) = self.register_of(operand)?;
            (file == usize::from(unit.vector) && free & 1 << register != 0).then_some(register)
        })
    }

    /// The register, by bit, that must not be overwritten before it is read, so that another one saves moves.
    fn second_operand(&self, unit: &Unit) -> u16 {
        let inst = self.trace.inst(Ref::instruction(unit.first));
        match self.register_of(operands(inst).1) {
            Some((file, register)) if file == usize::from(unit.vector) => 1 << register,
            _ => 0,
        }
    }

    fn register_of(&self, value: Ref) -> Option<(usize, u8)> {
        if value.is_none() || value.is_constant() {
            return None;
        }
        register(self.lifetimes.unit[value.index()].and_then(|u| self.homes[u as usize]))
    }

    fn take(&mut self, unit: usize, register: u8) {
        let vector = self.lifetimes.units[unit].vector;
        self.homes[unit] = Some(if vector { Home::Vector(register) } else { Home::General(register) });
        self.free[usize::from(vector)] &= !(1 << register);
        self.active.push(unit);
    }

    /// The unit in one of these registers that costs least in memory.
    fn cheapest(&self, file: usize, allowed: u16) -> Option<usize> {
        let in_reach = self.active.iter().copied().filter(|&unit| {
            register(self.homes[unit]).is_some_and(|(f, register)| f == file && allowed & 1 << register != 0)
        });
        in_reach.min_by_key(|&unit| cost(&self.lifetimes.units[unit]))
    }

    fn drop_home(&mut self, unit: usize) -> u8 {
        self.active.retain(|&other| other != unit);
        match register(self.homes[unit].take()) {
            Some((file, register)) => {
                self.free[file] |= 1 << register;
                register
            }
            None => unreachable!("a unit that is active has a register"),
        }
    }

    /// Gives a spill slot to each unit without a register. Inherited ones keep theirs.
    fn spill_slots(&mut self) -> u32 {
        let mut slots = Slots::default();
        for (i, unit) in self.lifetimes.units.iter().enumerate() {
            if self.homes[i].is_some() {
                continue;
            }
            if let Some(slot) = unit.slot {
                self.homes[i] = Some(Home::Slot(slot));
                continue;
            }
            let inst = self.trace.inst(Ref::instruction(unit.first));
            let wanted = match inst.op {
                Op::Inherit { index, .. } => match self.inherited.get(index as usize) {
                    Some(Left { at: Source::Home(Home::Spill(slot)), .. }) => Some(*slot),
                    _ => None,
                },
                _ => None,
            };
            self.homes[i] = Some(Home::Spill(slots.take(unit, wanted)));
        }
        slots.busy_until.len() as u32
    }
}

/// The operand that is overwritten by a two-operand instruction, and the other.
fn operands(inst: &Inst) -> (Ref, Ref) {
    match inst.op {
        Op::Common(Common::Float(FloatOp::Min | FloatOp::Max) | Common::Single(FloatOp::Min | FloatOp::Max)) => {
            (inst.b, inst.a)
        }
        _ => (inst.a, inst.b),
    }
}

/// Whether the operands may be exchanged, or the second is not needed any more when the result is written.
fn commutes(op: Op) -> bool {
    let Op::Common(op) = op else { return false };
    match op {
        Common::Int(op) => !matches!(op, IntOp::Sub),
        Common::Float(op) | Common::Single(op) => matches!(op, FloatOp::Add | FloatOp::Mul),
        _ => true,
    }
}

fn register(home: Option<Home>) -> Option<(usize, u8)> {
    match home? {
        Home::General(register) => Some((0, register)),
        Home::Vector(register) => Some((1, register)),
        Home::Spill(_) | Home::Slot(_) | Home::SlotAddress(_) | Home::StackLimit => None,
    }
}

/// Of a life in memory, by length.
fn cost(unit: &Unit) -> u64 {
    (u64::from(unit.weight) << 20) / u64::from(unit.end - unit.start + LENGTH_BIAS)
}

/// Until which position each spill slot is taken.
#[derive(Default)]
struct Slots {
    busy_until: Vec<u32>,
}

impl Slots {
    fn take(&mut self, unit: &Unit, wanted: Option<u32>) -> u32 {
        let fits = |slot: usize, busy: &[u32]| busy.get(slot).is_none_or(|&until| until <= unit.start);
        let slot = match wanted.map(|slot| slot as usize) {
            Some(slot) if fits(slot, &self.busy_until) => slot,
            _ => (0..).find(|&slot| fits(slot, &self.busy_until)).unwrap_or(0),
        };
        if slot >= self.busy_until.len() {
            self.busy_until.resize(slot + 1, 0);
        }
        self.busy_until[slot] = unit.end;
        slot as u32
    }
}

/// How many clobbers of a kind precede a position.
struct Clobbers {
    calls: Vec<u32>,
    all: Vec<u32>,
}

impl Clobbers {
    fn of(lifetimes: &Lifetimes) -> Clobbers {
        let of = |kind| lifetimes.clobbers.iter().filter(move |c| c.1 == kind).map(|c| c.0).collect();
        Clobbers { calls: of(Clobber::Call), all: of(Clobber::All) }
    }

    /// The worst between two positions.
    fn within(&self, start: u32, end: u32) -> Option<Clobber> {
        let any = |of: &[u32]| of.get(of.partition_point(|&at| at <= start)).is_some_and(|&at| at < end);
        if any(&self.all) {
            Some(Clobber::All)
        } else if any(&self.calls) {
            Some(Clobber::Call)
        } else {
            None
        }
    }
}
