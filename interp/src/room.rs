//! Room for what a loop appends to an array, made when it is entered by who knows how much that will be: then where each
//! element goes is known before.

use scaly_runtime::memory::{self, MemoryError};

use crate::bytecode::Opcode;
use crate::program::{Pc, Program};

/// An array of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Array {
    /// The slot of its block, the one of its length, and that of its region's handle.
    pub block: u16,
    pub length: u16,
    pub handle: u16,
    pub stride: u32,
}

/// An array that a part of a loop has made for itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// The block's address.
    pub block: u64,
    /// Elements.
    pub length: u64,
    /// The region's handle.
    pub region: u64,
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

    /// Puts what parts of a loop have made behind an array, of which this is the block's address and the number of elements,
    /// and frees the parts' blocks.
    ///
    /// # Safety
    /// The array, and the parts, are of these elements, and in one region or its annexes, which no thread uses. Nobody else
    /// knows the parts.
    pub unsafe fn append(self, to: &mut (u64, u64), parts: &[Part]) -> Result<(), MemoryError> {
        let stride = u64::from(self.stride);
        let pointer = |block: u64| std::ptr::with_exposed_provenance_mut::<u8>(block as usize);
        let region = |part: &Part| std::ptr::with_exposed_provenance_mut::<memory::Region>(part.region as usize);
        let more: u64 = parts.iter().map(|part| part.length).sum();
        let Some(first) = parts.first() else { return Ok(()) };
        let (block, length) = to;
        // SAFETY: by the caller's promise; what is copied is behind what the array holds, where there is room for it.
        unsafe {
            let grown = memory::grow(region(first), pointer(*block), *length * stride, (*length + more) * stride)?;
            *block = grown.as_ptr().expose_provenance() as u64;
            for part in parts {
                let behind = grown.as_ptr().add((*length * stride) as usize);
                behind.copy_from_nonoverlapping(pointer(part.block), (part.length * stride) as usize);
                *length += part.length;
            }
            // The newest first.
            parts.iter().rev().for_each(|part| memory::free(region(part), pointer(part.block)));
        }
        Ok(())
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
