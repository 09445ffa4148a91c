//! What native code reaches through r15: the run's limits, the tables, and how it left.
//!
//! ```text
//! ┌─────────┬──────────────────────────┬─────────────────────┐
//! │ Context │ entries, one a function  │ counts, one a loop  │
//! └─────────┴──────────────────────────┴─────────────────────┘
//! r15       ENTRIES                    counts_offset
//! ```
//!
//! The tables lie behind the fields at fixed distances, so that a native call and a counted back edge are one
//! instruction.

use std::cell::{RefCell, UnsafeCell};
use std::mem::offset_of;
use std::ptr;
use std::sync::atomic::AtomicU32;

use scaly_interp::interpreter::State;

use crate::exits::Exits;

/// An operand of 16 bytes, which SSE wants aligned; scalar operations look at its lowest 4 or 8.
#[repr(C, align(16))]
pub struct Operand([u64; 2]);

impl Operand {
    const fn of(bits: u64) -> Operand {
        Operand([bits, 0])
    }
}

// What code names most comes first: a displacement below 128 is one byte.
#[repr(C, align(16))]
pub struct Context {
    pub state: *mut State,
    pub slots_limit: *mut u64,
    pub native_limit: usize,
    /// By trace: where a tree is called.
    pub trees: *const usize,
    /// The frame of the root of the tree that left last.
    pub exit_root: *mut u64,
    /// The exit that did not expect what a tree inside of it left by, or 0. Set to 0 by each exit that
    /// does not pass on.
    pub via: u32,
    /// Not 0: native code leaves at its next poll.
    pub poll: AtomicU32,
    /// Polls and guards until one leaves without a reason, where that is asked for.
    pub countdown: u32,
    pub random: u32,
    /// What is fixed of the state's stack of regions.
    pub regions: *mut u8,
    pub exits: *const RefCell<Exits>,
    pub sign_f64: Operand,
    pub magnitude_f64: Operand,
    pub sign_f32: Operand,
    pub magnitude_f32: Operand,
    /// The largest number below a half.
    pub nearly_half_f64: Operand,
    pub nearly_half_f32: Operand,
}

pub const SIGN_F64: i32 = offset_of!(Context, sign_f64) as i32;
pub const MAGNITUDE_F64: i32 = offset_of!(Context, magnitude_f64) as i32;
pub const SIGN_F32: i32 = offset_of!(Context, sign_f32) as i32;
pub const MAGNITUDE_F32: i32 = offset_of!(Context, magnitude_f32) as i32;
pub const NEARLY_HALF_F64: i32 = offset_of!(Context, nearly_half_f64) as i32;
pub const NEARLY_HALF_F32: i32 = offset_of!(Context, nearly_half_f32) as i32;
pub const STATE: i32 = offset_of!(Context, state) as i32;
pub const SLOTS_LIMIT: i32 = offset_of!(Context, slots_limit) as i32;
pub const NATIVE_LIMIT: i32 = offset_of!(Context, native_limit) as i32;
pub const REGIONS: i32 = offset_of!(Context, regions) as i32;
pub const TREES: i32 = offset_of!(Context, trees) as i32;
pub const EXIT_ROOT: i32 = offset_of!(Context, exit_root) as i32;
pub const VIA: i32 = offset_of!(Context, via) as i32;
pub const POLL: i32 = offset_of!(Context, poll) as i32;
pub const COUNTDOWN: i32 = offset_of!(Context, countdown) as i32;
pub const RANDOM: i32 = offset_of!(Context, random) as i32;
pub const ENTRIES: i32 = size_of::<Context>() as i32;

const UNIT: usize = 16;

/// The context and its tables, at a fixed address.
pub struct Shared {
    memory: Box<[UnsafeCell<u128>]>,
    functions: usize,
    loops: usize,
}

impl Shared {
    pub fn new(functions: usize, loops: usize, exits: *const RefCell<Exits>) -> Shared {
        let bytes = size_of::<Context>() + 8 * (functions + loops);
        let memory = (0..bytes.div_ceil(UNIT)).map(|_| UnsafeCell::new(0u128)).collect();
        let shared = Shared { memory, functions, loops };
        let context = Context {
            state: ptr::null_mut(),
            slots_limit: ptr::null_mut(),
            native_limit: 0,
            trees: ptr::null(),
            exit_root: ptr::null_mut(),
            via: 0,
            poll: AtomicU32::new(0),
            countdown: 0,
            random: 1,
            regions: ptr::null_mut(),
            exits,
            sign_f64: Operand::of(1 << 63),
            magnitude_f64: Operand::of(i64::MAX as u64),
            sign_f32: Operand::of(1 << 31),
            magnitude_f32: Operand::of(i32::MAX as u64),
            nearly_half_f64: Operand::of(0x3fdf_ffff_ffff_ffff),
            nearly_half_f32: Operand::of(0x3eff_ffff),
        };
        // SAFETY: the memory is large enough for it and aligned to 16.
        unsafe { shared.context().write(context) };
        shared
    }

    pub fn context(&self) -> *mut Context {
        UnsafeCell::raw_get(self.memory.as_ptr()).cast()
    }

    /// Where native calls of a function go.
    pub fn set_entry(&self, function: usize, address: usize) {
        assert!(function < self.functions);
        // SAFETY: in the table; nobody keeps a reference into the memory.
        unsafe { self.table().add(function).write(address as u64) };
    }

    pub fn count(&self, index: usize) -> u64 {
        assert!(index < self.loops);
        // SAFETY: as above.
        unsafe { self.table().add(self.functions + index).read() }
    }

    pub fn entry_offset(function: u32) -> i32 {
        ENTRIES + 8 * function as i32
    }

    pub fn count_offset(&self, index: u32) -> i32 {
        ENTRIES + 8 * (self.functions as i32 + index as i32)
    }

    fn table(&self) -> *mut u64 {
        self.context().wrapping_add(1).cast()
    }
}
