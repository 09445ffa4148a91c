//! What the chunks of a loop leave for its caller: a state for each worker, results in the order of iterations.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_utils::CachePadded;

use super::Pool;
use super::job::Chunk;

struct Slot<T> {
    used: AtomicBool,
    value: UnsafeCell<Option<T>>,
}

/// A value for each worker of a loop, made by its first chunk there.
pub struct PerWorker<T> {
    slots: Box<[CachePadded<Slot<T>>]>,
}

// SAFETY: a value is used by one thread at a time, which `used` checks, and sent between them.
unsafe impl<T: Send> Sync for PerWorker<T> {}

impl<T> PerWorker<T> {
    pub fn new(pool: &Pool) -> PerWorker<T> {
        let slot = |_| CachePadded::new(Slot { used: AtomicBool::new(false), value: UnsafeCell::new(None) });
        PerWorker { slots: (0..pool.workers()).map(slot).collect() }
    }

    /// The value of the chunk's worker, made if it is its first.
    ///
    /// # Panics
    /// If the worker's value is in use: within `then`, or for chunks of another loop.
    pub fn with<R>(&self, chunk: &Chunk, make: impl FnOnce() -> T, then: impl FnOnce(&mut T) -> R) -> R {
        struct Release<'a>(&'a AtomicBool);
        impl Drop for Release<'_> {
            fn drop(&mut self) {
                self.0.store(false, Ordering::Release);
            }
        }
        let slot = &self.slots[chunk.worker];
        // Acquire and the release above: two threads may have the same number one after the other, in different loops.
        assert!(!slot.used.swap(true, Ordering::Acquire), "the state of worker {} is in use", chunk.worker);
        let _release = Release(&slot.used);
        // SAFETY: whoever has set `used` is the only one here.
        let value = unsafe { &mut *slot.value.get() };
        then(value.get_or_insert_with(make))
    }

    /// The values that were made, by worker.
    pub fn into_values(self) -> impl Iterator<Item = T> {
        self.slots.into_iter().filter_map(|slot| CachePadded::into_inner(slot).value.into_inner())
    }
}

/// Partial results of ranges of iterations.
pub struct InOrder<T> {
    ranges: PerWorker<Vec<(u64, u64, T)>>,
}

impl<T> InOrder<T> {
    pub fn new(pool: &Pool) -> InOrder<T> {
        InOrder { ranges: PerWorker::new(pool) }
    }

    /// The partial result that the chunk adds to: that of the chunk it follows, or a new one.
    pub fn with<R>(&self, chunk: &Chunk, make: impl FnOnce() -> T, then: impl FnOnce(&mut T) -> R) -> R {
        self.ranges.with(chunk, Vec::new, |ranges| {
            match ranges.last_mut() {
                Some((_, hi, _)) if chunk.follows && *hi == chunk.lo => *hi = chunk.hi,
                _ => ranges.push((chunk.lo, chunk.hi, make())),
            }
            // Just found or pushed.
            then(&mut ranges.last_mut().expect("a range").2)
        })
    }

    /// All (first iteration, end, result), in the order of iterations.
    pub fn into_ordered(self) -> Vec<(u64, u64, T)> {
        let mut all: Vec<_> = self.ranges.into_values().flatten().collect();
        all.sort_by_key(|&(lo, ..)| lo);
        all
    }
}
