//! What the active loops have done, and the decision whether an access conflicts.

use std::rc::Rc;

use super::report::{Conflict, ConflictKind, Place, Seen};
use super::shadow::{Carrier, Memory, SlotValue, Time};
use crate::program::{LoopId, LoopKind, Pc, Program};

/// A run of a loop that goes on.
struct Active {
    id: LoopId,
    /// Index on the stack of its frame's slot 0.
    base: usize,
    entered: Time,
    /// When the current iteration began.
    current: Time,
    iteration: u64,
    accepted: bool,
}

/// Loops of which depth is known by a bit; those further in are judged without that bit.
const DEPTHS: usize = 64;

pub(super) struct Log {
    now: Time,
    active: Vec<Active>,
    memory: Memory,
    slots: Vec<SlotValue>,
    pub loops: Vec<Seen>,
    pub refused: Vec<Seen>,
    /// By instruction: the innermost loop around it.
    inner: Vec<Option<LoopId>>,
    /// By instruction: slots of its function's frame.
    frames: Vec<u16>,
    pc: Pc,
    /// Index on the stack of the current frame's slot 0.
    pub base: usize,
}

impl Log {
    pub fn new(program: &Program) -> Log {
        let mut inner = vec![None; program.code.len()];
        let mut order: Vec<_> = (0..program.loops.len()).collect();
        // Outer ones first, so that inner ones overwrite them.
        order.sort_by_key(|&i| std::cmp::Reverse(program.loops[i].code.len()));
        for i in order {
            inner[program.loops[i].code.start as usize..program.loops[i].code.end as usize]
                .fill(Some(LoopId(i as u32)));
        }
        let mut frames = vec![0; program.code.len()];
        for function in &program.functions {
            frames[function.code.start as usize..function.code.end as usize].fill(function.frame_slots);
        }
        Log {
            now: 0,
            active: Vec::new(),
            memory: Memory::default(),
            slots: Vec::new(),
            loops: vec![Seen::default(); program.loops.len()],
            refused: vec![Seen::default(); program.loops.len()],
            inner,
            frames,
            pc: Pc(0),
            base: 0,
        }
    }

    /// The instruction and frame that what follows is of.
    #[inline]
    pub fn at(&mut self, pc: Pc, base: usize) {
        self.pc = pc;
        self.base = base;
        let end = base + self.frame_slots() as usize;
        if end > self.slots.len() {
            self.slots.resize(end.next_power_of_two(), SlotValue::default());
        }
    }

    pub fn frame_slots(&self) -> u16 {
        self.frames[self.pc.0 as usize]
    }

    fn tick(&mut self) -> Time {
        self.now += 1;
        self.now
    }

    fn seen(&mut self, at: usize) -> &mut Seen {
        let active = &self.active[at];
        let of = if active.accepted { &mut self.loops } else { &mut self.refused };
        &mut of[active.id.0 as usize]
    }

    /// The innermost active loop of the current frame.
    fn innermost(&self) -> Option<LoopId> {
        self.active.last().filter(|active| active.base == self.base).map(|active| active.id)
    }

    /// Whether the loops around the instruction at `pc` are not those that are active.
    #[inline]
    pub fn must_follow(&self, pc: Pc) -> bool {
        self.inner[pc.0 as usize] != self.innermost()
    }

    /// Leaves and enters loops until the active ones are those around `pc`. `counted_out` is the loop whose count has
    /// just ended. The watcher is asked for each that is entered.
    pub fn follow(
        &mut self,
        program: &Program,
        pc: Pc,
        counted_out: Option<LoopId>,
        mut accepts: impl FnMut(&mut Log, LoopId) -> bool,
    ) {
        let mut chain = Vec::new();
        let mut next = self.inner[pc.0 as usize];
        while let Some(id) = next {
            chain.push(id);
            next = program.loops[id.0 as usize].parent;
        }
        while let Some(id) = self.innermost() {
            if chain.contains(&id) {
                break;
            }
            self.leave(program, counted_out == Some(id));
        }
        let known = chain.iter().position(|&id| Some(id) == self.innermost()).unwrap_or(chain.len());
        for &id in chain[..known].iter().rev() {
            let accepted = accepts(self, id);
            self.enter(id, accepted);
        }
    }

    fn enter(&mut self, id: LoopId, accepted: bool) {
        let (entered, current) = (self.tick(), self.tick());
        self.active.push(Active { id, base: self.base, entered, current, iteration: 0, accepted });
        let seen = self.seen(self.active.len() - 1);
        seen.runs += 1;
        seen.iterations += 1;
        seen.longest = seen.longest.max(1);
    }

    fn leave(&mut self, program: &Program, counted_out: bool) {
        let Some(active) = self.active.last() else { return };
        let counted = matches!(program.loops[active.id.0 as usize].kind, LoopKind::Counted { .. });
        if counted && !counted_out {
            self.seen(self.active.len() - 1).left_early += 1;
        }
        self.active.pop();
    }

    /// The back edge of a loop was taken.
    pub fn iterate(&mut self, program: &Program, id: LoopId) {
        while self.innermost().is_some_and(|inner| inner != id) {
            self.leave(program, false);
        }
        if self.innermost().is_none() {
            return;
        }
        let now = self.tick();
        let Some(active) = self.active.last_mut() else { return };
        active.current = now;
        active.iteration += 1;
        let count = active.iteration + 1;
        let seen = self.seen(self.active.len() - 1);
        seen.iterations += 1;
        seen.longest = seen.longest.max(count);
        if let LoopKind::Counted { counter } = program.loops[id.0 as usize].kind {
            // Its new value is of the iteration that begins: each knows its number.
            self.set_slot(counter);
            self.set_slot(counter + 1);
        }
    }

    /// The current frame returns: its loops end.
    pub fn leave_frame(&mut self, program: &Program) {
        while self.innermost().is_some() {
            self.leave(program, false);
        }
    }

    /// A value in a slot is used: an operand of anything but a move.
    #[inline]
    pub fn use_slot(&mut self, slot: u16) {
        let index = self.base + slot as usize;
        let value = &self.slots[index];
        let (Some(first), Some(last)) = (self.active.first(), self.active.last()) else { return };
        // Put here in the innermost loop's current iteration, or before the outermost loop: the common cases.
        if value.carriers.is_none() && (value.placed >= last.current || value.placed < first.entered) {
            return;
        }
        let value = value.clone();
        let held = held(&self.active, &value, index);
        for carrier in value.carriers.iter().flat_map(|carriers| carriers.iter()).chain([&held]) {
            self.carry(carrier, value.maker);
        }
    }

    /// A value that a slot carried is used.
    fn carry(&mut self, carrier: &Carrier, maker: Pc) {
        for at in 0..self.active.len().min(DEPTHS) {
            let active = &self.active[at];
            let home = carrier.slot as usize;
            if carrier.across >> at & 1 == 0 || carrier.placed < active.entered || home < active.base {
                continue;
            }
            let slot = (home - active.base) as u16;
            let conflict = Conflict {
                kind: ConflictKind::ReadAfterWrite,
                place: Place::Slot(slot),
                earlier: maker,
                later: self.pc,
                iteration: active.iteration,
            };
            self.seen(at).carry(slot, conflict);
        }
    }

    /// A slot gets a new value.
    #[inline]
    pub fn set_slot(&mut self, slot: u16) {
        let index = self.base + slot as usize;
        self.slots[index] = SlotValue { placed: self.now, maker: self.pc, carriers: None };
    }

    /// Slots get the values of others, by index on the stack; the ranges may overlap.
    pub fn move_slots(&mut self, to: usize, from: usize, count: usize) {
        if to <= from {
            (0..count).for_each(|k| self.move_slot(to + k, from + k));
        } else {
            (0..count).rev().for_each(|k| self.move_slot(to + k, from + k));
        }
    }

    fn move_slot(&mut self, to: usize, from: usize) {
        let mut value = self.slots[from].clone();
        let stale = self.active.last().is_some_and(|last| value.placed < last.current);
        if stale || value.carriers.is_some() {
            let held = held(&self.active, &value, from);
            value.carriers = carriers(&self.active, value.carriers, held);
        }
        value.placed = self.now;
        self.slots[to] = value;
    }

    pub fn load(&mut self, address: u64, bytes: u64) {
        if self.active.is_empty() {
            return;
        }
        let (now, pc, active) = (self.now, self.pc, &self.active);
        let (outermost, innermost) = (active[0].entered, active[active.len() - 1].current);
        let mut found = Vec::new();
        self.memory.range(address, bytes, |piece, cells| {
            for (k, cell) in cells.iter_mut().enumerate() {
                if outermost <= cell.written && cell.written < innermost {
                    let kind = ConflictKind::ReadAfterWrite;
                    for (at, each) in active.iter().enumerate() {
                        if each.entered <= cell.written && cell.written < each.current {
                            found.push((at, kind, piece + k as u64, cell.writer));
                        }
                    }
                }
                if cell.read < innermost {
                    cell.read_before = earlier_readers(active, cell.read, cell.read_before);
                    cell.read = now;
                    cell.reader = pc;
                }
            }
        });
        self.conflicts(found);
    }

    pub fn store(&mut self, address: u64, bytes: u64) {
        if self.active.is_empty() {
            return;
        }
        let (now, pc, active) = (self.now, self.pc, &self.active);
        let outermost = active[0].entered;
        let mut found = Vec::new();
        self.memory.range(address, bytes, |piece, cells| {
            for (k, cell) in cells.iter_mut().enumerate() {
                if outermost <= cell.written {
                    for (at, each) in active.iter().enumerate() {
                        if each.entered <= cell.written && cell.written < each.current {
                            found.push((at, ConflictKind::WriteAfterWrite, piece + k as u64, cell.writer));
                        }
                    }
                }
                if outermost <= cell.read {
                    let before = earlier_readers(active, cell.read, cell.read_before);
                    for at in 0..active.len().min(DEPTHS) {
                        if before >> at & 1 == 1 {
                            found.push((at, ConflictKind::WriteAfterRead, piece + k as u64, cell.reader));
                        }
                    }
                }
                cell.written = now;
                cell.writer = pc;
                cell.read = 0;
                cell.read_before = 0;
            }
        });
        self.conflicts(found);
    }

    /// A new block: what was at its addresses is another's. Its zeros are this iteration's.
    pub fn allocate(&mut self, address: u64, bytes: u64) {
        if self.active.is_empty() || address == 0 {
            return;
        }
        let (now, pc) = (self.now, self.pc);
        self.memory.range(address, bytes, |_, cells| {
            for cell in cells {
                (cell.written, cell.writer, cell.read, cell.read_before) = (now, pc, 0, 0);
            }
        });
    }

    /// The world outside is touched.
    pub fn external(&mut self) {
        let pc = self.pc;
        for at in 0..self.active.len() {
            self.seen(at).external.get_or_insert(pc);
        }
    }

    fn conflicts(&mut self, found: Vec<(usize, ConflictKind, u64, Pc)>) {
        let later = self.pc;
        // Bytes of one access are one conflict of each loop.
        let mut counted = [false; DEPTHS];
        for (at, kind, address, earlier) in found {
            if at < DEPTHS && std::mem::replace(&mut counted[at], true) {
                continue;
            }
            let iteration = self.active[at].iteration;
            let conflict = Conflict { kind, place: Place::Memory(address), earlier, later, iteration };
            self.seen(at).conflict(conflict);
        }
    }
}

/// By depth: whether an iteration before the current one read a byte since it was written, where it was last read at
/// `read` and `before` says the same as of then.
fn earlier_readers(active: &[Active], read: Time, before: u64) -> u64 {
    let mut bits = 0;
    for (at, each) in active.iter().enumerate().take(DEPTHS) {
        if read < each.entered {
            break;
        }
        if before >> at & 1 == 1 || read < each.current {
            bits |= 1 << at;
        }
    }
    bits
}

/// Where a value has been since it was put into the slot that it is in.
fn held(active: &[Active], value: &SlotValue, index: usize) -> Carrier {
    let mut across = 0;
    for (at, each) in active.iter().enumerate().take(DEPTHS) {
        if each.entered <= value.placed && value.placed < each.current {
            across |= 1 << at;
        }
    }
    Carrier { slot: index as u32, placed: value.placed, across }
}

/// What has carried a value, with one more; what is of loops that have ended is left out.
fn carriers(active: &[Active], old: Option<Rc<[Carrier]>>, held: Carrier) -> Option<Rc<[Carrier]>> {
    let good = |carrier: &Carrier| {
        let entered = active.iter().take(DEPTHS).take_while(|each| each.entered <= carrier.placed).count();
        carrier.across & low_bits(entered)
    };
    let mut all: Vec<Carrier> = Vec::new();
    for carrier in old.iter().flat_map(|old| old.iter()).chain([&held]) {
        let across = good(carrier);
        match all.iter_mut().find(|known| known.slot == carrier.slot) {
            Some(known) => {
                known.across |= across;
                known.placed = known.placed.max(carrier.placed);
            }
            None if across != 0 => all.push(Carrier { across, ..*carrier }),
            None => {}
        }
    }
    match old {
        _ if all.is_empty() => None,
        Some(old) if *old == all[..] => Some(old),
        _ => Some(all.into()),
    }
}

/// The lowest `count` bits.
fn low_bits(count: usize) -> u64 {
    if count >= 64 { u64::MAX } else { (1 << count) - 1 }
}
