//! Room for what a loop appends to arrays, made when it is entered: then where each element goes is known before.

#![allow(unsafe_code)]

use std::collections::BTreeSet;

use scaly_interp::bytecode::Opcode;
use scaly_interp::program::{Pc, Program};
use scaly_interp::tier::Position;
use scaly_runtime::memory;

/// An array of the loop's frame.
struct Array {
    /// The slot of its block, the one of its length, and that of its region's handle.
    block: u16,
    length: u16,
    handle: u16,
    stride: u32,
}

pub struct Rooms {
    /// The instructions that look for room.
    pub looks: BTreeSet<Pc>,
    arrays: Vec<Array>,
}

/// For how many bytes a block has room.
pub fn capacity(block: u64) -> u64 {
    // SAFETY: what is looked for room in is an array's block, or none.
    unsafe { memory::capacity(std::ptr::with_exposed_provenance(block as usize)) }
}

impl Rooms {
    pub fn of(program: &Program, looks: BTreeSet<Pc>) -> Rooms {
        let array = |pc: &Pc| {
            let ins = program.code[pc.0 as usize];
            let array = Array { block: ins.a, length: ins.b, handle: ins.c, stride: ins.y };
            (ins.op == Opcode::JRoom).then_some(array)
        };
        Rooms { arrays: looks.iter().filter_map(array).collect(), looks }
    }

    /// Makes room for so many bytes in the array whose block is in a slot, if there is memory for it.
    pub fn make(&self, at: Position, slot: u16, bytes: u64) {
        let Some(array) = self.arrays.iter().find(|array| array.block == slot) else { return };
        let place = |slot: u16| at.base().wrapping_add(usize::from(slot));
        // SAFETY: the frame is one of the loop's function, whose array this is, in the region with this handle.
        unsafe {
            let (block, length) = (place(slot).read(), place(array.length).read());
            if bytes <= capacity(block) {
                return;
            }
            let region = std::ptr::with_exposed_provenance_mut(place(array.handle).read() as usize);
            let base = std::ptr::with_exposed_provenance_mut(block as usize);
            if let Ok(block) = memory::grow(region, base, length * u64::from(array.stride), bytes) {
                place(slot).write(block.as_ptr().expose_provenance() as u64);
            }
        }
    }
}
