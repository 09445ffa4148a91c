//! Where a loop appends to arrays of its frame.

#![allow(unsafe_code)]

use std::collections::BTreeSet;

use scaly_interp::program::{Pc, Program};
use scaly_interp::room::Array;
use scaly_interp::tier::Position;

pub struct Rooms {
    /// The instructions that look for room.
    pub looks: BTreeSet<Pc>,
    arrays: Vec<Array>,
}

impl Rooms {
    pub fn of(program: &Program, looks: BTreeSet<Pc>) -> Rooms {
        Rooms { arrays: looks.iter().filter_map(|&pc| Array::at(program, pc)).collect(), looks }
    }

    /// Makes room for so many bytes in the array whose block is in a slot, if there is memory for it.
    pub fn make(&self, at: Position, slot: u16, bytes: u64) {
        let Some(array) = self.arrays.iter().find(|array| array.block == slot) else { return };
        // SAFETY: the frame is one of the loop's function, whose array this is.
        unsafe { array.make_room(at.base(), bytes) };
    }
}
