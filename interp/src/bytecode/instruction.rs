//! The fixed-size instruction.
//!
//! ```text
//!   0      2      4      6      8          12         16
//!   +------+------+------+------+----------+----------+
//!   |  op  |  a   |  b   |  c   |    x     |    y     |
//!   +------+------+------+------+----------+----------+
//!                               |       imm (i64)     |
//! ```
//!
//! `a`, `b`, `c` are slots relative to the frame's base; `x` and `y` are what the opcode's row in the table says, or
//! together one 64-bit immediate. Sixteen bytes instead of eight let a struct's field in an array (`bodies[i].x`), a
//! compare with a constant and a branch, and every constant be one instruction: dispatches are what an interpreter
//! pays for, not the bytes it reads.

use super::Opcode;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C, align(16))]
pub struct Instruction {
    pub op: Opcode,
    pub a: u16,
    pub b: u16,
    pub c: u16,
    pub x: u32,
    pub y: u32,
}

const _: () = assert!(size_of::<Instruction>() == 16);

impl Instruction {
    pub const fn new(op: Opcode, a: u16, b: u16, c: u16) -> Self {
        Instruction { op, a, b, c, x: 0, y: 0 }
    }

    /// With `x` and `y` apart.
    pub const fn with(op: Opcode, a: u16, b: u16, c: u16, x: u32, y: u32) -> Self {
        Instruction { op, a, b, c, x, y }
    }

    /// With one 64-bit immediate in place of `x` and `y`.
    pub const fn wide(op: Opcode, a: u16, b: u16, c: u16, imm: i64) -> Self {
        Instruction { op, a, b, c, x: imm as u32, y: (imm >> 32) as u32 }
    }

    #[inline(always)]
    pub const fn imm(self) -> i64 {
        (self.x as u64 | (self.y as u64) << 32) as i64
    }

    /// Of `LoadWords`: whether a word may be a pointer.
    #[inline(always)]
    pub const fn may_point(self, word: u16) -> bool {
        self.c >> (if word < 15 { word } else { 15 }) & 1 != 0
    }

    /// `y` as the signed 32-bit immediate of the compare-with-constant branches.
    #[inline(always)]
    pub const fn short(self) -> i64 {
        self.y as i32 as i64
    }
}
