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
    let places = Places { saved, native, base, context };
    // SAFETY: the places are those of this exit.
    let value = |&(_, left): &(Slot, Left)| unsafe { places.read(left) };
    if exit.slots.iter().any(|(_, left)| matches!(left.at, Source::Home(Home::Slot(_)))) {
        // What is written may be read.
        let values: Vec<u64> = exit.slots.iter().map(value).collect();
        for (&(slot, _), value) in exit.slots.iter().zip(values) {
            // SAFETY: the slot is in the frames of the root.
            unsafe { base.add(slot as usize).write(value) };
        }
    } else {
        for entry in &exit.slots {
            // SAFETY: as above.
            unsafe { base.add(entry.0 as usize).write(value(entry)) };
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
