//! GDB is told of code through a list that it knows by name, and a function on which it has a breakpoint.
//!
//! Source: "JIT Compilation Interface" of GDB's manual, which fixes the names and layouts below. A GDB that attaches later
//! walks the list. The list is the process's, so it has a lock; each [`Gdb`] knows what it has put there.
//!
//! An LLVM linked into the same file defines the same two names. It may come as a shared library: GDB follows the list
//! of every file of a process.

use std::collections::HashMap;
use std::ptr;
use std::sync::{Mutex, PoisonError};

use super::{Code, dwarf, elf, plain};

#[repr(C)]
struct Entry {
    next: *mut Entry,
    previous: *mut Entry,
    image: *const u8,
    bytes: u64,
}

#[repr(C)]
pub struct Descriptor {
    version: u32,
    action: u32,
    relevant: *mut Entry,
    first: *mut Entry,
}

const NONE: u32 = 0;
const REGISTER: u32 = 1;
const UNREGISTER: u32 = 2;

/// Whoever touches the list holds this.
static LIST: Mutex<()> = Mutex::new(());

/// The list.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static mut __jit_debug_descriptor: Descriptor =
    Descriptor { version: 1, action: NONE, relevant: ptr::null_mut(), first: ptr::null_mut() };

/// GDB stops here, reads the descriptor, and goes on.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn __jit_debug_register_code() {
    // SAFETY: no instruction; to the compiler it may read all memory, so that the descriptor is written before.
    unsafe { std::arch::asm!("", options(nostack, preserves_flags)) };
}

/// What is registered, by address.
#[derive(Debug, Default)]
pub(super) struct Gdb {
    entries: HashMap<u64, Registered>,
}

/// A symbol file in the list; dropping it takes it out.
#[derive(Debug)]
struct Registered {
    entry: *mut Entry,
    _image: Box<[u8]>,
}

// SAFETY: the entry is only touched under the lock of the list.
unsafe impl Send for Registered {}
// SAFETY: as above; `&Registered` gives nothing.
unsafe impl Sync for Registered {}

impl Gdb {
    /// Instead of what was at this address, if anything was.
    pub(super) fn add(&mut self, code: &Code<'_>) {
        self.remove(code.address);
        let debug = dwarf::sections(code);
        let image = elf::image(code.address, code.bytes.len() as u64, &plain(code.name), debug);
        self.entries.insert(code.address, Registered::new(image.into()));
    }

    pub(super) fn remove(&mut self, address: u64) {
        self.entries.remove(&address);
    }
}

impl Registered {
    fn new(image: Box<[u8]>) -> Registered {
        let _held = LIST.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: under the lock the descriptor and the entries in the list are ours alone; an entry is in the list only
        // while the `Registered` that made it lives.
        unsafe {
            let descriptor = &raw mut __jit_debug_descriptor;
            let first = (*descriptor).first;
            let (image_at, bytes) = (image.as_ptr(), image.len() as u64);
            let entry = Box::new(Entry { next: first, previous: ptr::null_mut(), image: image_at, bytes });
            let entry = Box::into_raw(entry);
            if !first.is_null() {
                (*first).previous = entry;
            }
            (*descriptor).first = entry;
            announce(REGISTER, entry);
            Registered { entry, _image: image }
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let _held = LIST.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: as in `new`; the entry came from a box, and nobody has it once it is out of the list.
        unsafe {
            let Entry { next, previous, .. } = *self.entry;
            if previous.is_null() {
                __jit_debug_descriptor.first = next;
            } else {
                (*previous).next = next;
            }
            if !next.is_null() {
                (*next).previous = previous;
            }
            announce(UNREGISTER, self.entry);
            drop(Box::from_raw(self.entry));
        }
    }
}

/// # Safety
/// The lock is held, the entry lives.
unsafe fn announce(action: u32, entry: *mut Entry) {
    // SAFETY: by the caller's promise.
    unsafe {
        let descriptor = &raw mut __jit_debug_descriptor;
        (*descriptor).action = action;
        (*descriptor).relevant = entry;
        __jit_debug_register_code();
        (*descriptor).action = NONE;
        (*descriptor).relevant = ptr::null_mut();
    }
}

/// The images in the list.
#[cfg(test)]
pub(super) fn images() -> Vec<Vec<u8>> {
    let _held = LIST.lock().unwrap_or_else(PoisonError::into_inner);
    let mut images = Vec::new();
    // SAFETY: under the lock all entries of the list live, and their images with them.
    unsafe {
        let mut entry = __jit_debug_descriptor.first;
        while !entry.is_null() {
            images.push(std::slice::from_raw_parts((*entry).image, (*entry).bytes as usize).to_vec());
            entry = (*entry).next;
        }
    }
    images
}
