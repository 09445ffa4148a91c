//! Room for what a loop appends to an array, made when it is entered by who knows how much that will be: then where each
//! element goes is known before.

use scaly_runtime::memory;

use crate::bytecode::Opcode;
use crate::program::{Pc, Program};

/// An array of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Array {
    /// The slot of its block, the one of its length, and that of its region's handle.
    pub block: u16,
    pub length: u16,
    pub handle: u16,
    pub stride: u32,
}

/// For how many bytes a block has room.
pub fn capacity(block: u64) -> u64 {
    // SAFETY: what is looked for room in is an array's block, or none.
    unsafe { memory::capacity(std::ptr::with_exposed_provenance(block as usize)) }
}

impl Array {
    /// The array that an instruction looks for room in, if that is what it does.
    pub fn at(program: &Program, pc: Pc) -> Option<Array> {
        let ins = program.code[pc.0 as usize];
        (ins.op == Opcode::JRoom).then_some(Array { block: ins.a, length: ins.b, handle: ins.c, stride: ins.y })
    }

    /// Makes room for so many bytes, if there is memory for it. The old block is freed if the array moves.
    ///
    /// # Safety
    /// At `base` is a frame of the function that the array is of; its slots hold the array and its region.
    pub unsafe fn make_room(self, base: *mut u64, bytes: u64) {
        let place = |slot: u16| base.wrapping_add(usize::from(slot));
        // SAFETY: by the caller's promise.
        unsafe {
            let (block, length) = (place(self.block).read(), place(self.length).read());
            if bytes <= capacity(block) {
                return;
            }
            let region = std::ptr::with_exposed_provenance_mut(place(self.handle).read() as usize);
            let old = std::ptr::with_exposed_provenance_mut(block as usize);
            if let Ok(block) = memory::grow(region, old, length * u64::from(self.stride), bytes) {
                place(self.block).write(block.as_ptr().expose_provenance() as u64);
            }
        }
    }
}
