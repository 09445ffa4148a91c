//! Spans of memory cut from arenas of two mebibytes by halving (a binary buddy allocator).
//!
//! Regions need chunks from 512 bytes (a million frames deep, a chunk each) to 256 KiB. Mapping each by itself would
//! cost a microsecond and run out of map entries; pools by size alone never give back what a phase of the program
//! needed of another size. Buddies merge, so an arena whose spans are all back is whole again and can be unmapped.
//!
//! ```text
//! arena, aligned to its size
//! ┌────────────────────────────┬──────────┬──────────────┬───────────┬── … ──┐
//! │ ArenaHeader, a byte a unit │ order 4  │ order 5      │ order 6   │       │   spans of a fresh arena
//! └────────────────────────────┴──────────┴──────────────┴───────────┴── … ──┘
//! 0                            8 KiB      16 KiB         32 KiB      64 KiB  2 MiB
//! ```
//!
//! Invariants: a free span's first unit holds `FREE | order` and its first 16 bytes link it into its order's list;
//! every other unit's byte is 0. Two free buddies of one order do not exist.

use std::ptr::{self, NonNull};

use crate::os;

/// Bytes of the smallest span.
pub const UNIT: usize = 512;
/// Number of span sizes: 512 bytes, 1 KiB … 256 KiB. The two larger ones exist inside, while merging.
pub const ORDERS: usize = 10;
/// Bytes of an arena: a huge page.
pub const ARENA: usize = os::HUGE_PAGE;

const ALL_ORDERS: usize = 12;
const UNITS: usize = ARENA / UNIT;
const HEADER_ORDER: usize = 4;
const FREE: u8 = 0x80;

/// Bytes of a span of the given order.
pub const fn span_bytes(order: usize) -> usize {
    UNIT << order
}

/// The smallest order whose spans hold `bytes`, or `None` above the largest.
pub fn order_for(bytes: usize) -> Option<usize> {
    let units = bytes.div_ceil(UNIT).max(1);
    let order = units.next_power_of_two().trailing_zeros() as usize;
    (order < ORDERS).then_some(order)
}

#[repr(C)]
struct ArenaHeader {
    /// Units in spans that are handed out.
    used: usize,
    states: [u8; UNITS],
}

const _: () = assert!(size_of::<ArenaHeader>() <= span_bytes(HEADER_ORDER));
const _: () = assert!(span_bytes(ALL_ORDERS) == ARENA);

#[repr(C)]
struct FreeSpan {
    next: *mut FreeSpan,
    previous: *mut FreeSpan,
}

/// The free spans of all arenas, by order. Who owns it maps and unmaps the arenas.
pub struct Arenas {
    free: [*mut FreeSpan; ALL_ORDERS],
}

// SAFETY: the pointers lead only into arenas, which belong to this value alone; the spans handed out are no part of it.
unsafe impl Send for Arenas {}

impl Arenas {
    pub const fn new() -> Arenas {
        Arenas { free: [ptr::null_mut(); ALL_ORDERS] }
    }

    /// A span of the order, uninitialized, and whether its arena was whole before; `None` if another arena must be
    /// added first.
    pub fn take(&mut self, order: usize) -> Option<(NonNull<u8>, bool)> {
        let mut found = (order..ALL_ORDERS).find(|&o| !self.free[o].is_null())?;
        let span = self.free[found];
        // SAFETY: what a list holds is a free span of that order; halves split off lie inside it.
        unsafe {
            self.unlink(span, found);
            while found > order {
                found -= 1;
                self.link(span.cast::<u8>().add(span_bytes(found)).cast(), found);
            }
            let header = header_of(span.cast());
            let was_whole = (*header).used == 0;
            (*header).used += 1 << order;
            NonNull::new(span.cast()).map(|span| (span, was_whole))
        }
    }

    /// Takes a span back. If its arena is whole again, that is returned: detached with [`Arenas::detach`] it may be
    /// unmapped, otherwise it stays in use.
    ///
    /// # Safety
    /// `span` came from [`Arenas::take`] of this value with the same order, and nothing uses it any more.
    pub unsafe fn give(&mut self, span: NonNull<u8>, order: usize) -> Option<NonNull<u8>> {
        // SAFETY: the span lies in an arena of ours; a buddy is touched only if its state says that it is free.
        unsafe {
            let header = header_of(span.as_ptr());
            (*header).used -= 1 << order;
            let mut unit = (span.as_ptr() as usize % ARENA) / UNIT;
            let mut order = order;
            while order + 1 < ALL_ORDERS {
                let buddy = unit ^ (1 << order);
                if (*header).states[buddy] != FREE | order as u8 {
                    break;
                }
                self.unlink(header.cast::<u8>().add(buddy * UNIT).cast(), order);
                unit &= !(1 << order);
                order += 1;
            }
            self.link(header.cast::<u8>().add(unit * UNIT).cast(), order);
            if (*header).used == 0 { NonNull::new(header.cast()) } else { None }
        }
    }

    /// Adds an arena whose spans are all free.
    ///
    /// # Safety
    /// `arena` is [`ARENA`] bytes, zero, aligned to [`ARENA`], from [`os::map_aligned`], owned by nobody else.
    pub unsafe fn attach(&mut self, arena: NonNull<u8>) {
        for order in HEADER_ORDER..ALL_ORDERS {
            // SAFETY: behind the header a fresh arena falls into one span of each order, at that span's own size.
            unsafe { self.link(arena.add(span_bytes(order)).as_ptr().cast(), order) };
        }
    }

    /// Forgets an arena that [`Arenas::give`] reported as whole.
    ///
    /// # Safety
    /// No span of it was taken since.
    pub unsafe fn detach(&mut self, arena: NonNull<u8>) {
        for order in HEADER_ORDER..ALL_ORDERS {
            // SAFETY: in a whole arena all buddies have merged, so it falls into the spans that `attach` made.
            unsafe { self.unlink(arena.add(span_bytes(order)).as_ptr().cast(), order) };
        }
    }

    /// Whether no span of the arena, one of ours, is handed out.
    pub fn is_whole(&self, arena: NonNull<u8>) -> bool {
        // SAFETY: arenas stay mapped while they are attached here.
        unsafe { (*header_of(arena.as_ptr())).used == 0 }
    }

    unsafe fn link(&mut self, span: *mut FreeSpan, order: usize) {
        let next = self.free[order];
        // SAFETY: the caller hands over a span of this order in an arena of ours that nobody uses.
        unsafe {
            *state_of(span) = FREE | order as u8;
            span.write(FreeSpan { next, previous: ptr::null_mut() });
            if !next.is_null() {
                (*next).previous = span;
            }
        }
        self.free[order] = span;
    }

    unsafe fn unlink(&mut self, span: *mut FreeSpan, order: usize) {
        // SAFETY: the caller names a span that is in this order's list, so its links and theirs are valid.
        unsafe {
            debug_assert_eq!(*state_of(span), FREE | order as u8);
            *state_of(span) = 0;
            let FreeSpan { next, previous } = span.read();
            if previous.is_null() {
                self.free[order] = next;
            } else {
                (*previous).next = next;
            }
            if !next.is_null() {
                (*next).previous = previous;
            }
        }
    }
}

fn header_of(span: *mut u8) -> *mut ArenaHeader {
    span.wrapping_sub(span as usize % ARENA).cast()
}

unsafe fn state_of(span: *mut FreeSpan) -> *mut u8 {
    let unit = (span as usize % ARENA) / UNIT;
    // SAFETY: the caller names a span inside an arena, whose header has a byte for each of its units.
    unsafe { (&raw mut (*header_of(span.cast())).states).cast::<u8>().add(unit) }
}

/// Maps a fresh arena for [`Arenas::attach`], as one huge page if the system has them.
pub fn map_arena(huge: bool) -> std::io::Result<NonNull<u8>> {
    let arena = os::map_aligned(ARENA, ARENA)?;
    if huge {
        // SAFETY: just mapped.
        unsafe { os::advise_huge(arena, ARENA) };
    }
    Ok(arena)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_do_not_overlap_and_an_arena_becomes_whole_again() {
        let mut arenas = Arenas::new();
        let arena = map_arena(false).unwrap();
        // SAFETY: a fresh arena; every span goes back once, with its order.
        unsafe {
            arenas.attach(arena);
            let mut taken = Vec::new();
            let mut order = 0;
            let mut failures = 0;
            while failures < ORDERS {
                match arenas.take(order) {
                    Some((span, was_whole)) => {
                        assert_eq!(was_whole, taken.is_empty());
                        failures = 0;
                        taken.push((span, order));
                    }
                    None => failures += 1,
                }
                order = (order + 7) % ORDERS;
            }
            let total: usize = taken.iter().map(|&(_, order)| span_bytes(order)).sum();
            assert_eq!(total, ARENA - span_bytes(HEADER_ORDER));
            let mut ends: Vec<_> = taken.iter().map(|&(s, o)| (s.as_ptr() as usize, span_bytes(o))).collect();
            ends.sort_unstable();
            assert!(ends.windows(2).all(|w| w[0].0 + w[0].1 <= w[1].0));
            assert!(ends.iter().all(|&(at, bytes)| at % bytes == 0));
            let middle = taken.len() / 2;
            taken.rotate_left(middle);
            let last = taken.pop().unwrap();
            for (span, order) in taken {
                assert_eq!(arenas.give(span, order), None);
            }
            assert_eq!(arenas.give(last.0, last.1), Some(arena));
            arenas.detach(arena);
            assert!(arenas.free.iter().all(|list| list.is_null()));
            os::unmap(arena, ARENA);
        }
    }

    #[test]
    fn orders() {
        assert_eq!(order_for(0), Some(0));
        assert_eq!(order_for(512), Some(0));
        assert_eq!(order_for(513), Some(1));
        assert_eq!(order_for(256 * 1024), Some(9));
        assert_eq!(order_for(256 * 1024 + 1), None);
    }
}
