//! The capacities that small blocks come in.
//!
//! Multiples of 16 up to 128, then four steps to each doubling, up to [`MAX_SMALL`]: a block is at most a fifth larger
//! than asked for (beyond 128 bytes), and there are few enough classes that a region's lists fit in 320 bytes.

/// The largest capacity that is cut from chunks, in bytes; anything larger is a large block with a span of its own.
pub const MAX_SMALL: u64 = 32 * 1024;

/// The largest block, in bytes, that compiled code cuts or takes from a list itself, and zeroes by so many stores. In traces
/// flat from 48 to 512 in bench/programs/trees and expressions with llvm=0; with 16 they take 1.2 to 1.4 times as long.
pub const MAX_INLINED: u64 = 128;

/// Number of size classes.
pub const CLASSES: usize = 40;

/// Index of a size class, `0..CLASSES`, by rising capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SizeClass(u32);

const CAPACITIES: [u32; CLASSES] = {
    let mut table = [0; CLASSES];
    let mut i = 0;
    while i < CLASSES {
        table[i] = if i < 8 {
            16 * (i as u32 + 1)
        } else {
            let (octave, step) = ((i as u32 - 8) / 4, (i as u32 - 8) % 4);
            (128 << octave) + (32 << octave) * (step + 1)
        };
        i += 1;
    }
    table
};

const _: () = assert!(CAPACITIES[CLASSES - 1] as u64 == MAX_SMALL);

impl SizeClass {
    /// The smallest class that holds `bytes`, which is at most [`MAX_SMALL`]; 0 bytes take the smallest.
    #[inline(always)]
    pub fn of(bytes: u64) -> SizeClass {
        debug_assert!(bytes <= MAX_SMALL);
        let last = bytes.saturating_sub(1);
        if last < 128 {
            return SizeClass((last >> 4) as u32);
        }
        let log = last.ilog2();
        SizeClass(8 + (log - 7) * 4 + ((last >> (log - 2)) & 3) as u32)
    }

    /// Capacity in bytes, a multiple of 16.
    #[inline(always)]
    pub fn capacity(self) -> u64 {
        u64::from(CAPACITIES[self.index()])
    }

    /// As an index below [`CLASSES`].
    #[inline(always)]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_gets_the_smallest_class_that_holds_it() {
        for bytes in 0..=MAX_SMALL {
            let class = SizeClass::of(bytes);
            assert!(class.index() < CLASSES, "{bytes}");
            assert!(class.capacity() >= bytes, "{bytes}");
            assert_eq!(class.capacity() % 16, 0);
            if class.index() > 0 {
                assert!(u64::from(CAPACITIES[class.index() - 1]) < bytes, "{bytes}");
            }
            assert_eq!(SizeClass::of(class.capacity()), class);
        }
    }
}
