//! Where regions get their memory from: a process-wide source, and a pool for each worker in front of it.
//!
//! The source owns the arenas, counts what the process holds against its limit, and is behind a lock; a pool keeps a
//! bounded number of spans at hand, so that regions that come and go take no lock.

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::arena::{self, ARENA, Arenas, ORDERS, span_bytes};
use super::error::MemoryError;
use super::guard::Quarantine;
use super::mappings::{Fit, Mappings};
use crate::os::{self, HUGE_PAGE, PAGE};

/// Bytes of free spans that a pool keeps for itself. Without any, a region with one block costs 35 ns instead of 11.
const POOL_KEEP: usize = 2 << 20;
/// Mappings from this size on, in bytes, are whole huge pages. Where the system gives them, a fresh array of 1 MiB costs
/// 0.09 ms instead of 0.59, one of 160 MiB 16 ms instead of 109.
const HUGE_FROM: usize = 1 << 20;
/// The first arenas are committed by small pages, so that a small program stays small; the others come as huge pages: a
/// recursion a million deep with a block in each frame 300 -> 100 ns a frame.
const SMALL_ARENAS: usize = 2;
/// Whole arenas that the source keeps mapped: faulting a huge page in costs 70 us, so a program that comes and goes
/// over the edge of one arena shouldn't pay that each time.
const ARENAS_KEEP: usize = 4;

/// How storage is handed out and taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RegionMode {
    /// Freed storage is used again as soon as possible.
    #[default]
    Reuse,
    /// `--regions=guard`: nothing is used again. Freed blocks are filled with [`super::POISON`]; ended regions and
    /// large blocks become inaccessible, so that a use after free ends in a fault.
    Guard,
}

/// Settings of the process's memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryOptions {
    pub mode: RegionMode,
    /// The most bytes that regions may hold together (`--memory-limit`); counted when taken from the system, so caches
    /// count too, but they are emptied before a request is refused.
    pub limit: Option<u64>,
}

/// The memory of a process, shared by its workers.
pub struct PageSource {
    mode: RegionMode,
    limit: u64,
    held: AtomicU64,
    peak: AtomicU64,
    shared: Mutex<Shared>,
}

struct Shared {
    arenas: Arenas,
    /// All arenas, by age.
    mapped: Vec<NonNull<u8>>,
    /// How many of them are whole.
    whole: usize,
    quarantine: Quarantine,
}

// SAFETY: the addresses are of arenas that belong to the source alone.
unsafe impl Send for Shared {}

impl PageSource {
    pub fn new(options: MemoryOptions) -> Arc<PageSource> {
        Arc::new(PageSource {
            mode: options.mode,
            limit: options.limit.unwrap_or(u64::MAX),
            held: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            shared: Mutex::new(Shared {
                arenas: Arenas::new(),
                mapped: Vec::new(),
                whole: 0,
                quarantine: Quarantine::default(),
            }),
        })
    }

    pub fn mode(&self) -> RegionMode {
        self.mode
    }

    /// Whether there is a limit on what may be held.
    pub fn limited(&self) -> bool {
        self.limit != u64::MAX
    }

    /// Bytes taken from the system at this moment, caches included.
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// The most bytes that were held at any moment.
    pub fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn charge(&self, bytes: usize) -> Result<(), MemoryError> {
        let requested = bytes as u64;
        let fits = |held: u64| held.checked_add(requested).filter(|&sum| sum <= self.limit);
        match self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(before) => {
                self.peak.fetch_max(before + requested, Ordering::Relaxed);
                Ok(())
            }
            Err(_) => Err(MemoryError::Limit { requested, limit: self.limit }),
        }
    }

    fn discharge(&self, bytes: usize) {
        self.held.fetch_sub(bytes as u64, Ordering::Relaxed);
    }

    fn take(&self, order: usize) -> Result<NonNull<u8>, MemoryError> {
        let mut shared = self.shared();
        if let Some(span) = shared.take(order) {
            return Ok(span);
        }
        self.charge(ARENA)?;
        let Ok(arena) = arena::map_arena(shared.mapped.len() >= SMALL_ARENAS) else {
            self.discharge(ARENA);
            return Err(MemoryError::OutOfMemory { requested: span_bytes(order) as u64 });
        };
        // SAFETY: freshly mapped for this.
        unsafe { shared.arenas.attach(arena) };
        shared.mapped.push(arena);
        shared.whole += 1;
        shared.take(order).ok_or(MemoryError::OutOfMemory { requested: span_bytes(order) as u64 })
    }

    /// # Safety
    /// As for [`Arenas::give`].
    unsafe fn give(&self, span: NonNull<u8>, order: usize) {
        let mut shared = self.shared();
        // SAFETY: by the caller's promise.
        if let Some(arena) = unsafe { shared.arenas.give(span, order) } {
            shared.whole += 1;
            if shared.whole > ARENAS_KEEP {
                // SAFETY: the arena is whole, and the lock is held since that was found.
                unsafe { self.drop_arena(&mut shared, arena) };
            }
        }
    }

    unsafe fn drop_arena(&self, shared: &mut Shared, arena: NonNull<u8>) {
        // SAFETY: the caller says that the arena is whole, so nothing points into it but the lists it leaves.
        unsafe {
            shared.arenas.detach(arena);
            os::unmap(arena, ARENA);
        }
        shared.mapped.retain(|&other| other != arena);
        shared.whole -= 1;
        self.discharge(ARENA);
    }

    /// # Safety
    /// The mapping was charged, and nothing uses it any more.
    unsafe fn unmap(&self, base: NonNull<u8>, bytes: usize) {
        // SAFETY: by the caller's promise.
        unsafe { os::unmap(base, bytes) };
        self.discharge(bytes);
    }

    fn trim(&self) {
        let mut shared = self.shared();
        let whole: Vec<_> = shared.mapped.iter().copied().filter(|&arena| shared.arenas.is_whole(arena)).collect();
        for arena in whole {
            // SAFETY: just found to be whole, under the lock.
            unsafe { self.drop_arena(&mut shared, arena) };
        }
    }
}

impl Shared {
    fn take(&mut self, order: usize) -> Option<NonNull<u8>> {
        let (span, was_whole) = self.arenas.take(order)?;
        self.whole -= usize::from(was_whole);
        Some(span)
    }
}

impl Drop for PageSource {
    fn drop(&mut self) {
        let shared = self.shared.get_mut().unwrap_or_else(PoisonError::into_inner);
        for arena in shared.mapped.drain(..) {
            // SAFETY: pools hold the source alive and regions their pool, so no span is in use any more.
            unsafe { os::unmap(arena, ARENA) };
        }
    }
}

struct QuickSpan {
    next: *mut QuickSpan,
}

/// A worker's own supply of memory.
pub struct PagePool {
    source: Arc<PageSource>,
    quick: [*mut QuickSpan; ORDERS],
    quick_bytes: usize,
    mappings: Mappings,
}

/// What is known of memory that is handed out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Contents {
    Zero,
    Anything,
}

// SAFETY: the mappings and the spans in the lists belong to this pool alone.
unsafe impl Send for PagePool {}

impl PagePool {
    pub fn new(source: &Arc<PageSource>) -> PagePool {
        PagePool {
            source: Arc::clone(source),
            quick: [ptr::null_mut(); ORDERS],
            quick_bytes: 0,
            mappings: Mappings::default(),
        }
    }

    pub fn source(&self) -> &Arc<PageSource> {
        &self.source
    }

    #[inline]
    pub fn mode(&self) -> RegionMode {
        self.source.mode
    }

    /// A span of [`span_bytes`]`(order)` bytes, aligned to its size; the contents are anything.
    pub(crate) fn take(&mut self, order: usize) -> Result<NonNull<u8>, MemoryError> {
        let head = self.quick[order];
        if let Some(span) = NonNull::new(head) {
            // SAFETY: spans in the list are ours and hold their link.
            self.quick[order] = unsafe { (*head).next };
            self.quick_bytes -= span_bytes(order);
            return Ok(span.cast());
        }
        self.source.take(order).or_else(|_| {
            self.trim();
            self.source.take(order)
        })
    }

    /// Takes back a span.
    ///
    /// # Safety
    /// It came from [`PagePool::take`] of a pool of the same source, with this order, and nothing uses it any more.
    pub(crate) unsafe fn give(&mut self, span: NonNull<u8>, order: usize) {
        let bytes = span_bytes(order);
        if self.quick_bytes + bytes > POOL_KEEP {
            // SAFETY: by the caller's promise.
            return unsafe { self.source.give(span, order) };
        }
        let link = span.as_ptr().cast::<QuickSpan>();
        // SAFETY: the span is the pool's now, at least 512 bytes and aligned to its size.
        unsafe { link.write(QuickSpan { next: self.quick[order] }) };
        self.quick[order] = link;
        self.quick_bytes += bytes;
    }

    /// A mapping of at least `bytes`, a multiple of [`PAGE`], with its length.
    pub(super) fn map(&mut self, bytes: usize, fit: Fit) -> Result<(NonNull<u8>, usize, Contents), MemoryError> {
        debug_assert_eq!(bytes % PAGE, 0);
        if let Some((base, held)) = self.mappings.take(bytes, fit) {
            return Ok((base, held, Contents::Anything));
        }
        if bytes >= HUGE_FROM {
            // What rounding adds may be too much where the request itself is not.
            let rounded = bytes.next_multiple_of(HUGE_PAGE);
            if let Ok(base) = self.map_fresh(rounded, bytes, || os::map_aligned(rounded, HUGE_PAGE)) {
                // SAFETY: just mapped.
                unsafe { os::advise_huge(base, rounded) };
                return Ok((base, rounded, Contents::Zero));
            }
        }
        let base = self.map_fresh(bytes, bytes, || os::map(bytes))?;
        Ok((base, bytes, Contents::Zero))
    }

    fn map_fresh(
        &mut self,
        bytes: usize,
        requested: usize,
        map: impl Fn() -> std::io::Result<NonNull<u8>>,
    ) -> Result<NonNull<u8>, MemoryError> {
        self.charge(bytes)?;
        let mapped = map().or_else(|_| {
            self.trim();
            map()
        });
        mapped.map_err(|_| {
            self.source.discharge(bytes);
            MemoryError::OutOfMemory { requested: requested as u64 }
        })
    }

    /// Whether [`PagePool::map`] would be served from what is kept.
    pub(super) fn keeps(&self, bytes: usize, fit: Fit) -> bool {
        self.mappings.find(bytes, fit).is_some()
    }

    /// Takes a mapping back. In guard mode its addresses stay forbidden for long, else it may be kept for later.
    ///
    /// # Safety
    /// It is of [`PagePool::map`] of a pool of the same source, of this length, and nothing uses it any more.
    pub(super) unsafe fn unmap(&mut self, base: NonNull<u8>, bytes: usize) {
        let source = &self.source;
        match source.mode {
            // SAFETY: what was put among the mappings is the pool's, and unused by the caller's promise.
            RegionMode::Reuse => self.mappings.put(base, bytes, |base, bytes| unsafe { source.unmap(base, bytes) }),
            RegionMode::Guard => {
                // SAFETY: by the caller's promise.
                unsafe { source.shared().quarantine.put(base, bytes) };
                source.discharge(bytes);
            }
        }
    }

    /// Resizes a mapping to at least `new` bytes, a multiple of [`PAGE`], and says how many; what is added is zero.
    ///
    /// # Safety
    /// As for [`PagePool::unmap`] if it succeeds; on an error the mapping is unchanged.
    pub(super) unsafe fn remap(
        &mut self,
        base: NonNull<u8>,
        old: usize,
        new: usize,
    ) -> Result<(NonNull<u8>, usize), MemoryError> {
        debug_assert!(new > old && new.is_multiple_of(PAGE));
        if new >= HUGE_FROM {
            let rounded = new.next_multiple_of(HUGE_PAGE);
            if self.charge(rounded - old).is_ok() {
                // SAFETY: by the caller's promise; the advice is for the mapping at its new place.
                unsafe {
                    if let Ok(base) = os::remap_aligned(base, old, rounded, HUGE_PAGE) {
                        os::advise_huge(base, rounded);
                        return Ok((base, rounded));
                    }
                }
                self.source.discharge(rounded - old);
            }
        }
        self.charge(new - old)?;
        // SAFETY: by the caller's promise.
        let moved = unsafe { os::remap(base, old, new) };
        moved.map(|base| (base, new)).map_err(|_| {
            self.source.discharge(new - old);
            MemoryError::OutOfMemory { requested: new as u64 }
        })
    }

    fn charge(&mut self, bytes: usize) -> Result<(), MemoryError> {
        self.source.charge(bytes).or_else(|_| {
            self.trim();
            self.source.charge(bytes)
        })
    }

    /// Gives everything back that is only kept at hand.
    pub fn trim(&mut self) {
        self.drain();
        self.source.trim();
    }

    fn drain(&mut self) {
        let source = &self.source;
        // SAFETY: the mappings kept are the pool's own.
        self.mappings.drain(|base, bytes| unsafe { source.unmap(base, bytes) });
        for order in 0..ORDERS {
            while let Some(span) = NonNull::new(self.quick[order]) {
                // SAFETY: spans in the list are ours, of this order, and hold their link.
                unsafe {
                    self.quick[order] = span.as_ref().next;
                    self.source.give(span.cast(), order);
                }
            }
        }
        self.quick_bytes = 0;
    }
}

impl Drop for PagePool {
    fn drop(&mut self) {
        self.drain();
    }
}
