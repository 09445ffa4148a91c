//! What is known of the exits of compiled traces, and how an exit without code of its own writes the frames.

use std::cell::RefCell;
use std::ops::Range;

use scaly_tracer::region::Type;
use scaly_tracer::trace::{Const, ExitId, Slot, Snapshot, TraceId};

use crate::allocate::{Home, Left, Source};
use crate::context::Context;

/// An exit of a compiled trace.
#[derive(Debug)]
pub struct Exit {
    pub trace: TraceId,
    /// Values by slot, as the snapshot lists them.
    pub slots: Vec<(Slot, Left)>,
    /// The same as plain copies, where they are such.
    pub copies: Option<Copies>,
    /// Of inlined calls: the frame, its caller's frame, where the caller goes on.
    pub frames: Vec<(Slot, Slot, u64)>,
    /// The value that is passed on, of an exit that does.
    pub passed: Option<Left>,
    /// The field of the jump that leads to a side trace, and where it leads without one.
    pub field: usize,
    pub default: usize,
}

/// By exit.
#[derive(Debug, Default)]
pub struct Exits {
    exits: Vec<Option<Box<Exit>>>,
}

impl Exits {
    pub fn get(&self, id: ExitId) -> Option<&Exit> {
        self.exits.get(id.index())?.as_deref()
    }

    pub fn set(&mut self, id: ExitId, exit: Exit) {
        if id.index() >= self.exits.len() {
            self.exits.resize_with(id.index() + 1, || None);
        }
        self.exits[id.index()] = Some(Box::new(exit));
    }

    /// Those of a trace, whose exits are in this range.
    pub fn of(&self, range: Range<u32>) -> impl Iterator<Item = (ExitId, &Exit)> {
        range.filter_map(|id| Some((ExitId(id), self.get(ExitId(id))?)))
    }

    pub fn forget(&mut self, range: Range<u32>) {
        for exit in self.exits.iter_mut().take(range.end as usize).skip(range.start as usize) {
            *exit = None;
        }
    }
}

impl Exit {
    /// What a side trace inherits, by index.
    pub fn inherited(&self) -> Vec<Left> {
        match self.passed {
            Some(passed) => vec![passed],
            None => self.slots.iter().map(|&(_, left)| left).collect(),
        }
    }
}

/// The headers that a snapshot's frames need: frame, caller's frame, return pc.
pub fn headers(snapshot: &Snapshot) -> Vec<(Slot, Slot, u64)> {
    let mut caller = 0;
    let frames = snapshot.frames.iter().map(|frame| {
        let header = (frame.base, caller, u64::from(frame.return_pc.0));
        caller = frame.base;
        header
    });
    frames.collect()
}

/// The registers at an exit, as the common exit stores them.
#[repr(C)]
pub struct Saved {
    pub vector: [u64; 16],
    pub general: [u64; 16],
}

/// Bytes that a register's place is from the beginning of [`Saved`].
pub const SAVED_GENERAL: i32 = 128;
pub const SAVED_BYTES: i32 = size_of::<Saved>() as i32;

/// Writes the frames as the exit's snapshot says; gives the exit back. Called by the common exit.
///
/// # Safety
/// The registers are those at the exit, `native` is its rbp, `base` the frame of the root.
pub unsafe extern "C" fn restore(
    id: u32,
    saved: *const Saved,
    native: *const u64,
    base: *mut u64,
    context: *mut Context,
) -> u32 {
    // SAFETY: the context lives as long as the code that uses it, and so do the exits. No borrow of these is held while
    // native code runs.
    let exits: &RefCell<Exits> = unsafe { &*(*context).exits };
    let exits = exits.borrow();
    let exit = exits.get(ExitId(id)).expect("code knows only exits of its trace");
    // SAFETY: the places are those of this exit; the slots are in the frames of the root.
    unsafe {
        match &exit.copies {
            Some(copies) => copies.make(saved, native, base),
            None => restore_each(exit, &Places { saved, native, base, context }),
        }
    }
    for &(frame, caller, back) in &exit.frames {
        // SAFETY: as above; each frame has its header before it.
        unsafe {
            let frame = base.add(frame as usize);
            frame.sub(2).write(base.add(caller as usize) as u64);
            frame.sub(1).write(back);
        }
    }
    // SAFETY: the context is live.
    unsafe {
        (*context).exit_root = base;
        (*context).via = 0;
    }
    id
}

/// # Safety
/// As for [`restore`].
unsafe fn restore_each(exit: &Exit, places: &Places) {
    // What is written may be read: all is read first.
    // SAFETY: by the caller's promise.
    let values: Vec<u64> = exit.slots.iter().map(|&(_, left)| unsafe { places.read(left) }).collect();
    for (&(slot, _), value) in exit.slots.iter().zip(values) {
        // SAFETY: as above.
        unsafe { places.base.add(slot as usize).write(value) };
    }
}

/// Copies of values to slots without a decision for each: an exit costs a nanosecond a slot.
#[derive(Debug)]
pub struct Copies {
    copies: Vec<Move>,
    constants: Vec<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Move {
    slot: Slot,
    /// Words from the place that `from` names.
    offset: i32,
    /// 0: [`Saved`], 1: the native frame, 2: the constants, 3: the frame of the root.
    from: u8,
    /// 32 where only the low half counts, or 0.
    cut: u8,
}

impl Copies {
    /// None where a slot is read that is written too, or values are made.
    pub fn of(slots: &[(Slot, Left)]) -> Option<Copies> {
        let (mut copies, mut constants) = (Vec::with_capacity(slots.len()), Vec::new());
        for &(slot, left) in slots {
            let (from, offset) = match left.at {
                Source::Home(Home::Vector(register)) => (0, i32::from(register)),
                Source::Home(Home::General(register)) => (0, SAVED_GENERAL / 8 + i32::from(register)),
                Source::Home(Home::Spill(number)) => (1, -(number as i32) - 1),
                Source::Home(Home::Slot(read)) if read == slot => continue,
                Source::Home(Home::Slot(read)) if slots.iter().all(|&(written, _)| written != read) => (3, read as i32),
                Source::Home(Home::Slot(_) | Home::SlotAddress(_) | Home::StackLimit) => return None,
                Source::Constant(constant) => {
                    constants.push(constant_bits(constant));
                    (2, constants.len() as i32 - 1)
                }
            };
            let cut = if left.ty == Type::Single { 32 } else { 0 };
            copies.push(Move { slot, offset, from, cut });
        }
        Some(Copies { copies, constants })
    }

    /// # Safety
    /// As for [`restore`].
    unsafe fn make(&self, saved: *const Saved, native: *const u64, base: *mut u64) {
        let places = [saved.cast::<u64>(), native, self.constants.as_ptr(), base.cast_const()];
        for copy in &self.copies {
            // SAFETY: by the caller's promise; a constant's place is in the list.
            unsafe {
                let bits = places[usize::from(copy.from & 3)].offset(copy.offset as isize).read();
                base.add(copy.slot as usize).write(bits << copy.cut >> copy.cut);
            }
        }
    }
}

/// Where the values of an exit are.
struct Places {
    saved: *const Saved,
    native: *const u64,
    base: *mut u64,
    context: *const Context,
}

impl Places {
    /// What a slot holds that holds this value.
    ///
    /// # Safety
    /// The places are those of the exit that the value is of.
    unsafe fn read(&self, left: Left) -> u64 {
        let bits = match left.at {
            // SAFETY: by the caller's promise.
            Source::Home(home) => unsafe {
                match home {
                    Home::General(register) => (*self.saved).general[register as usize],
                    Home::Vector(register) => (*self.saved).vector[register as usize],
                    Home::Spill(number) => self.native.sub(number as usize + 1).read(),
                    Home::Slot(slot) => self.base.add(slot as usize).read(),
                    Home::SlotAddress(slot) => self.base.add(slot as usize) as u64,
                    Home::StackLimit => (*self.context).slots_limit as u64,
                }
            },
            Source::Constant(constant) => constant_bits(constant),
        };
        if left.ty == Type::Single { u64::from(bits as u32) } else { bits }
    }
}

pub fn constant_bits(constant: Const) -> u64 {
    match constant {
        Const::Word(value) => value as u64,
        Const::Float(bits) => bits,
        Const::Single(bits) => u64::from(bits),
        Const::Cond(value) => u64::from(value),
    }
}
