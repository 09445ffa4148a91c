//! When each byte of memory and each slot was last touched.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::program::Pc;

/// Advances when a loop is entered and when an iteration begins; 0 is before all loops.
pub(super) type Time = u64;

/// A byte of memory.
#[derive(Clone, Copy, Default)]
pub(super) struct Byte {
    pub written: Time,
    /// The last read since it was written.
    pub read: Time,
    /// By depth of the active loops at `read`: whether an iteration before that one's had read it too. A bit is good
    /// as long as that loop is active, that is, if `read` is not before the loop's entry.
    pub read_before: u64,
    pub writer: Pc,
    pub reader: Pc,
}

const PAGE: u64 = 256;

type Page = [Byte; PAGE as usize];

/// Of all memory that was touched while a loop was active.
#[derive(Default)]
pub(super) struct Memory {
    pages: Vec<Box<Page>>,
    /// By address / [`PAGE`]: the page's place.
    places: FxHashMap<u64, usize>,
    /// Address / [`PAGE`] and place of the page touched last.
    last: Option<(u64, usize)>,
}

impl Memory {
    /// The bytes of a range, in pieces of one page, with the address of each piece.
    pub fn range(&mut self, address: u64, bytes: u64, mut visit: impl FnMut(u64, &mut [Byte])) {
        let end = address.wrapping_add(bytes);
        let mut at = address;
        while at < end {
            let stop = end.min((at / PAGE + 1) * PAGE);
            let page = self.page(at / PAGE);
            visit(at, &mut page[(at % PAGE) as usize..][..(stop - at) as usize]);
            at = stop;
        }
    }

    fn page(&mut self, number: u64) -> &mut Page {
        let place = match self.last {
            Some((last, place)) if last == number => place,
            _ => *self.places.entry(number).or_insert_with(|| {
                self.pages.push(Box::new([Byte::default(); PAGE as usize]));
                self.pages.len() - 1
            }),
        };
        self.last = Some((number, place));
        &mut self.pages[place]
    }
}

/// A slot of the stack: the value in it, and the slots that have carried it there.
#[derive(Clone, Default)]
pub(super) struct SlotValue {
    /// When it was put here, computed or moved.
    pub placed: Time,
    /// What computed it; moves keep it.
    pub maker: Pc,
    /// Where it lay when an iteration of an active loop ended; none for most values.
    pub carriers: Option<Rc<[Carrier]>>,
}

/// A slot that held a value from one iteration into another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Carrier {
    /// Index on the stack.
    pub slot: u32,
    pub placed: Time,
    /// By depth of the loops that were active when the value was moved on: whether an iteration had ended meanwhile. A
    /// bit is good as long as that loop is active, that is, if `placed` is not before the loop's entry.
    pub across: u64,
}
