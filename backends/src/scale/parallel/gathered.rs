//! Arrays that a loop only appends to, now and then: parts of it append to arrays of their own, and these are put behind the
//! program's in the order of the iterations.
//!
//! That is done every so many bytes: then the parts' arrays are still in the caches, and the same memory serves the next.

#![allow(unsafe_code)]

use scaly_interp::program::Pc;
use scaly_interp::room::{Array, Part};
use scaly_runtime::memory::MemoryError;
use scaly_tracer::independence::Gathered;

/// All that a loop gathers.
pub struct Arrays(Vec<(Array, Pc)>);

/// What iterations in a row have appended, by array.
pub enum Appended {
    /// The first ones, to the program's: a block's address and a number of elements.
    Whole(Vec<(u64, u64)>),
    /// To their own.
    Parts(Vec<Vec<Part>>),
}

/// There is no memory for it at this instruction.
pub struct NoRoom {
    pub at: Pc,
    pub error: MemoryError,
}

impl Arrays {
    pub fn of(found: &[Gathered]) -> Arrays {
        Arrays(found.iter().map(|gathered| (gathered.array, gathered.at)).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Slots of the handles of their regions.
    pub fn handles(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().map(|(array, _)| array.handle)
    }

    /// As they are in the program's frame.
    pub fn whole(&self, slot: impl Fn(u16) -> u64) -> Appended {
        Appended::Whole(self.0.iter().map(|(array, _)| (slot(array.block), slot(array.length))).collect())
    }

    /// What no iterations have appended.
    pub fn parts(&self) -> Appended {
        Appended::Parts(vec![Vec::new(); self.0.len()])
    }

    /// Slots of a frame, and what they hold behind these iterations, which is what they hold before the next ones.
    pub fn slots<'a>(&'a self, appended: &'a Appended) -> impl Iterator<Item = (u16, u64)> + 'a {
        self.0.iter().enumerate().flat_map(|(at, (array, _))| {
            let (block, length) = match appended {
                Appended::Whole(all) => all[at],
                Appended::Parts(_) => (0, 0),
            };
            [(array.block, block), (array.length, length)]
        })
    }

    /// Notes what the next iterations have appended, by their frame.
    pub fn take(&self, slot: impl Fn(u16) -> u64, appended: &mut Appended) {
        for (at, (array, _)) in self.0.iter().enumerate() {
            let (block, length) = (slot(array.block), slot(array.length));
            match appended {
                Appended::Whole(all) => all[at] = (block, length),
                Appended::Parts(_) if block == 0 => {}
                Appended::Parts(parts) => parts[at].push(Part { block, length, region: slot(array.handle) }),
            }
        }
    }

    /// Puts what later iterations have appended behind the program's.
    ///
    /// # Safety
    /// It was taken from frames in which the arrays' regions were annexes of the program's. These have not been joined, and
    /// no thread uses them.
    pub unsafe fn append(&self, whole: &mut Appended, later: &Appended) -> Result<(), NoRoom> {
        let (Appended::Whole(all), Appended::Parts(parts)) = (whole, later) else { return Ok(()) };
        for ((now, parts), (array, at)) in all.iter_mut().zip(parts).zip(&self.0) {
            // SAFETY: by the caller's promise.
            unsafe { array.append(now, parts) }.map_err(|error| NoRoom { at: *at, error })?;
        }
        Ok(())
    }

    /// What the program's hold.
    pub fn bytes(&self, whole: &Appended) -> u64 {
        let Appended::Whole(all) = whole else { return 0 };
        all.iter().zip(&self.0).map(|((_, length), (array, _))| length * u64::from(array.stride)).sum()
    }
}
