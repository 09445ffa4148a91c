//! What the active loops have done, and the decision whether an access conflicts.

use std::ops::Range;

use super::report::{Conflict, ConflictKind, Place, Seen};
use super::shadow::{Memory, SlotValue, Time};
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
    /// Slots of the counter, on the stack; empty if there is none.
    counter: Range<usize>,
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
        mut accepts: impl FnMut(LoopId) -> bool,
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
            let accepted = accepts(id);
            self.enter(program, id, accepted);
        }
    }

    fn enter(&mut self, program: &Program, id: LoopId, accepted: bool) {
        let counter = match program.loops[id.0 as usize].kind {
            LoopKind::Counted { counter } => self.base + counter as usize..self.base + counter as usize + 2,
            LoopKind::Open => 0..0,
        };
        let (entered, current) = (self.tick(), self.tick());
        self.active.push(Active { id, base: self.base, entered, current, iteration: 0, counter, accepted });
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
        let value = self.slots[index];
        // Of the innermost loop's current iteration, or from before the outermost loop: the common cases.
        let Some(last) = self.active.last() else { return };
        if value.made >= last.current || value.made < self.active[0].entered {
            return;
        }
        for at in 0..self.active.len() {
            let active = &self.active[at];
            let carried = active.entered <= value.made && value.made < active.current;
            let home = value.home as usize;
            if !carried || active.counter.contains(&home) || home < active.base {
                continue;
            }
            let slot = (home - active.base) as u16;
            let conflict = Conflict {
                kind: ConflictKind::ReadAfterWrite,
                place: Place::Slot(slot),
                earlier: value.maker,
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
        self.slots[index] = SlotValue { made: self.now, home: index as u32, maker: self.pc };
    }

    /// Slots get the values of others, by index on the stack; the ranges may overlap.
    pub fn move_slots(&mut self, to: usize, from: usize, count: usize) {
        self.slots.copy_within(from..from + count, to);
        let fresh = self.active.last().map_or(0, |active| active.current);
        for index in to..to + count {
            // A value of this iteration is at home here: the next iteration will find it here.
            if self.slots[index].made >= fresh {
                self.slots[index].home = index as u32;
            }
        }
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
