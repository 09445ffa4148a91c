//! Which parts of the code memory are free: best fit, by offset and by size, neighbours joined.
//!
//! Best fit, because the part that was never used is the largest and so goes last: memory is committed only when no
//! hole is big enough.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Blocks begin at and are multiples of this many bytes, a line of the instruction cache: a short loop across two lines
/// took 1.3 times as long in half of its runs (sum, in `bench/never_worse.py`), one that begins with a line in none.
pub const GRAIN: usize = 64;

/// Free space of one range that begins at 0. All sizes are bytes.
#[derive(Debug)]
pub(super) struct Blocks {
    /// Offset to size. No two touch.
    free: BTreeMap<usize, usize>,
    /// The same as (size, offset).
    by_size: BTreeSet<(usize, usize)>,
    used: usize,
}

impl Blocks {
    /// All of `bytes`, a multiple of [`GRAIN`], is free.
    pub(super) fn new(bytes: usize) -> Blocks {
        let mut blocks = Blocks { free: BTreeMap::new(), by_size: BTreeSet::new(), used: 0 };
        blocks.insert(0, bytes);
        blocks
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Takes the smallest free part that is big enough, the lowest of several; nothing of it is rounded off but to
    /// [`GRAIN`].
    pub(super) fn reserve(&mut self, bytes: usize) -> Option<Range<usize>> {
        let bytes = bytes.max(1).checked_next_multiple_of(GRAIN)?;
        let &(size, at) = self.by_size.range((bytes, 0)..).next()?;
        self.remove(at, size);
        if size > bytes {
            self.insert(at + bytes, size - bytes);
        }
        self.used += bytes;
        Some(at..at + bytes)
    }

    /// Frees what `reserve` gave.
    pub(super) fn free(&mut self, block: Range<usize>) {
        let (mut at, mut bytes) = (block.start, block.len());
        self.used -= bytes;
        if let Some((&before, &size)) = self.free.range(..at).next_back() {
            debug_assert!(before + size <= at, "freed twice");
            if before + size == at {
                self.remove(before, size);
                at = before;
                bytes += size;
            }
        }
        if let Some((&behind, &size)) = self.free.range(at..).next() {
            debug_assert!(behind >= block.end, "freed twice");
            if behind == block.end {
                self.remove(behind, size);
                bytes += size;
            }
        }
        self.insert(at, bytes);
    }

    fn insert(&mut self, at: usize, bytes: usize) {
        self.free.insert(at, bytes);
        self.by_size.insert((bytes, at));
    }

    fn remove(&mut self, at: usize, bytes: usize) {
        self.free.remove(&at);
        self.by_size.remove(&(bytes, at));
    }

    /// The free parts in ascending order.
    #[cfg(test)]
    pub(super) fn holes(&self) -> Vec<Range<usize>> {
        assert_eq!(self.free.len(), self.by_size.len());
        self.free.iter().map(|(&at, &bytes)| at..at + bytes).collect()
    }
}
