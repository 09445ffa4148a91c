//! When each byte of memory and each slot was last touched.

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

/// A slot of the stack: the value in it.
#[derive(Clone, Copy, Default)]
pub(super) struct SlotValue {
    /// When it was computed; moves keep it.
    pub made: Time,
    /// Index on the stack of the slot that held it when the iteration of the last move began, else its own.
    pub home: u32,
    pub maker: Pc,
}
