//! What can be chosen when a backend is made.

use crate::allocate::Files;
use crate::features::Features;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Bytes of code that there may be at once.
    pub code_bytes: usize,
    /// Spill slots that a native frame may have.
    pub spills: u32,
    /// Some of the registers, in some order, drawn anew for each trace with this seed: what is rare otherwise, like
    /// spilled operands, happens all the time. For the fuzzer.
    pub registers: Option<u64>,
    /// Polls, and guards whose exit goes on in front of them, leave now and then without a reason, drawn with this seed.
    /// For the fuzzer.
    pub forced_exits: Option<u64>,
    pub features: Features,
    /// Keep what listings say between the lines.
    pub listings: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            // As in the table of parameters.
            code_bytes: 32 << 20,
            spills: 256,
            registers: None,
            forced_exits: None,
            features: Features::default(),
            listings: false,
        }
    }
}

/// Those that calls of C clobber come first: the others may be all that a value can have.
const GENERAL: [u8; 9] = [6, 7, 8, 9, 10, 11, 12, 13, 14];
const GENERAL_SAVED: u16 = 1 << 12 | 1 << 13 | 1 << 14;
const VECTOR: [u8; 14] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];

impl Files {
    pub fn all() -> Files {
        Files { general: GENERAL.to_vec(), vector: VECTOR.to_vec(), general_saved: GENERAL_SAVED }
    }

    /// Some of them, shuffled.
    pub fn drawn(random: &mut Random) -> Files {
        let mut files = Files::all();
        for file in [&mut files.general, &mut files.vector] {
            for i in (1..file.len()).rev() {
                file.swap(i, random.below(i + 1));
            }
            file.truncate(random.below(file.len() + 1));
        }
        files
    }
}

/// xorshift64*.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }
}
