//! What code reads of the run that it is part of, and where it says where it left.

use std::ffi::c_void;
use std::mem::offset_of;
use std::ptr;

use scaly_interp::interpreter::State;

use crate::terms::Kept;

/// Lies where a run has entered code; code is given its address.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Run {
    /// Behind the last slot of the stack of frames.
    pub slots_limit: *mut u64,
    /// Lowest address of the native stack that frames may reach.
    pub native_limit: usize,
    /// For routines and for calls of what is not in the module; code that only computes does not read it, nor what follows.
    pub state: *mut State,
    /// Its stack of regions.
    pub regions: *mut u8,
    /// Written by the function that leaves: its frame.
    pub left: *mut u64,
    /// Where the counter of a `while` ends, if that comes before what its condition says.
    pub limit: i64,
    /// Where code that can be begun again goes back to: [`crate::restart`].
    pub way_back: usize,
    /// Who runs it, where calls may be taken by other threads: a `crate::scale::fork::Worker`.
    pub worker: *const c_void,
    /// By number, of sums whose order matters.
    pub terms: *mut Kept,
}

impl Run {
    /// One that nothing runs in.
    pub const NOWHERE: Run = Run {
        slots_limit: ptr::null_mut(),
        native_limit: usize::MAX,
        state: ptr::null_mut(),
        regions: ptr::null_mut(),
        left: ptr::null_mut(),
        limit: 0,
        way_back: 0,
        worker: ptr::null(),
        terms: ptr::null_mut(),
    };
}

pub const SLOTS_LIMIT: usize = offset_of!(Run, slots_limit);
pub const NATIVE_LIMIT: usize = offset_of!(Run, native_limit);
pub const STATE: usize = offset_of!(Run, state);
pub const REGIONS: usize = offset_of!(Run, regions);
pub const LEFT: usize = offset_of!(Run, left);
pub const LIMIT: usize = offset_of!(Run, limit);
pub const WAY_BACK: usize = offset_of!(Run, way_back);
pub const TERMS: usize = offset_of!(Run, terms);
