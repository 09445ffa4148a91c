//! Code memory: blocks of machine code that are written at one address and executed at another.
//!
//! The same memory is mapped twice, readable and writable, and readable and executable. Code is written through the
//! first view at any time, also while other threads execute what lies beside it in the second. An address is always one
//! of the executable view; that there is another view is known only here.
//!
//! # Invariants
//!
//! - No page is writable and executable in the same mapping, ever.
//! - Any two addresses are less than 2 GiB apart, so a `rel32` reaches all code from all code: the limit is reserved as
//!   one piece at the start. What is not used costs addresses, no memory; memory is asked for in steps of up to
//!   [`COMMIT_STEP`], so that a system that has none says so in a [`Result`] and not with a signal at a touch.
//! - A field is patched by one aligned store of four bytes: who executes the instruction sees the old target or the new.
//! - What is in a [`Block`] stays until [`CodeMemory::free`] takes it. Whether a thread may still be in there only the
//!   caller knows.
//!
//! A child made by `fork` without `exec` shares the memory with its parent; it must not write there.
//!
//! Rejected: one mapping whose protection is changed for each write (dynasm's `alter`): other threads fault meanwhile,
//! and each change is two system calls.

mod blocks;
mod map;
#[cfg(test)]
mod tests;

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use blocks::Blocks;
pub use blocks::GRAIN;
use map::{DualMap, PAGE};

/// Memory is committed in steps of at most this many bytes. Measured: a block of 512 bytes of new memory costs 4 µs in
/// steps of one page, 2.4 in steps of 16, where the pages themselves are what is left, and no less in larger ones. The
/// first steps double what there is: 16 pages at once are 60 µs, and the code of a short program fits in two.
pub const COMMIT_STEP: usize = 64 << 10;
const FIRST_STEP: usize = 2 * PAGE;

/// No limit is above this many bytes: what a `rel32` reaches in either direction.
pub const MAX_LIMIT: usize = (1 << 31) - PAGE;

/// What the system can refuse.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Address space whose contents may be executed.
    MapExecutable,
    /// The same memory at a second place, to write there.
    MapWritable,
    /// Memory for code.
    Commit,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Step::MapExecutable => "mapping executable memory",
            Step::MapWritable => "mapping it writable a second time",
            Step::Commit => "committing memory",
        })
    }
}

/// Why there is no memory for code.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The limit is reached, or what is free is in pieces that are too small. Sizes are bytes.
    #[error("no room for {wanted} bytes of code, {used} of {limit} are in use")]
    NoRoom { wanted: usize, used: usize, limit: usize },
    #[error("no code memory, the system refuses {step}: {source}")]
    Refused { step: Step, source: io::Error },
}

/// A piece of code memory that belongs to whoever has this.
///
/// It is neither copied nor given back by itself: dropping it leaves the code where it is until the memory's end.
#[derive(PartialEq, Eq, Debug)]
#[must_use]
pub struct Block {
    address: usize,
    bytes: usize,
}

impl Block {
    /// Where its code is executed; a multiple of [`GRAIN`].
    pub fn address(&self) -> usize {
        self.address
    }

    /// A multiple of [`GRAIN`].
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn range(&self) -> Range<usize> {
        self.address..self.address + self.bytes
    }
}

/// All code of a process, up to a limit.
#[derive(Debug)]
pub struct CodeMemory {
    map: DualMap,
    blocks: Blocks,
    committed: usize,
    refuse: Option<Step>,
}

impl CodeMemory {
    /// Memory for at most `limit` bytes, rounded up to pages and down to [`MAX_LIMIT`].
    pub fn new(limit: usize) -> Result<CodeMemory, Error> {
        CodeMemory::with_refusal(limit, None)
    }

    /// As [`CodeMemory::new`] on a system that refuses a step, for tests of what then happens.
    pub fn with_refusal(limit: usize, refuse: Option<Step>) -> Result<CodeMemory, Error> {
        let limit = limit.clamp(1, MAX_LIMIT).next_multiple_of(PAGE);
        Ok(CodeMemory { map: DualMap::new(limit, refuse)?, blocks: Blocks::new(limit), committed: 0, refuse })
    }

    /// Bytes of code that there may be at once.
    pub fn limit(&self) -> usize {
        self.map.bytes()
    }

    /// Bytes in blocks.
    pub fn used(&self) -> usize {
        self.blocks.used()
    }

    /// All addresses that code can have.
    pub fn range(&self) -> Range<usize> {
        let base = self.map.executable();
        base..base + self.map.bytes()
    }

    /// Takes a block of at least `bytes` bytes. Its contents are unspecified.
    pub fn reserve(&mut self, bytes: usize) -> Result<Block, Error> {
        let full = Error::NoRoom { wanted: bytes, used: self.used(), limit: self.limit() };
        let Some(taken) = self.blocks.reserve(bytes) else { return Err(full) };
        if let Err(source) = self.commit(taken.end) {
            self.blocks.free(taken);
            return Err(Error::Refused { step: Step::Commit, source });
        }
        Ok(Block { address: self.map.executable() + taken.start, bytes: taken.len() })
    }

    /// Gives a block back. No thread executes it and nothing leads there any more; that is the caller's promise to keep.
    pub fn free(&mut self, block: Block) {
        let at = self.offset(block.address, block.bytes);
        // Whoever comes here in spite of the promise stops instead of running half of something else.
        self.bytes_mut(at, block.bytes).fill(TRAP);
        self.blocks.free(at..at + block.bytes);
    }

    /// Writes code that is to be executed at `address`, inside of one block.
    ///
    /// # Panics
    /// If that is not all in this memory.
    pub fn write(&mut self, address: usize, code: &[u8]) {
        let at = self.offset(address, code.len());
        self.bytes_mut(at, code.len()).copy_from_slice(code);
        synchronize(address..address + code.len());
    }

    /// A copy of `bytes` bytes of code from `address` on, both ends rounded outward to 4 on the way.
    pub fn read(&self, address: usize, bytes: usize) -> Vec<u8> {
        let at = self.offset(address, bytes);
        let first = at & !3;
        let words = (at + bytes).div_ceil(4) - first / 4;
        let mut copy = Vec::with_capacity(words * 4);
        for word in 0..words {
            copy.extend(self.word(first + 4 * word).load(Ordering::Relaxed).to_ne_bytes());
        }
        copy.drain(..at - first);
        copy.truncate(bytes);
        copy
    }

    /// Makes the jump or call whose `rel32` lies at `field` go to `target`. Other threads may execute it meanwhile: they
    /// go to the old target or the new one, and find there what was written before this call.
    ///
    /// # Panics
    /// If the field is not on a multiple of 4, or one of the two is not in this memory.
    pub fn patch_rel32(&self, field: usize, target: usize) {
        assert!(field.is_multiple_of(4), "a field that no single store can patch");
        let at = self.offset(field, 4);
        self.offset(target, 0);
        let distance = target as i64 - (field as i64 + 4);
        let distance = i32::try_from(distance).expect("the limit keeps all code within reach");
        self.word(at).store(distance as u32, Ordering::Release);
        synchronize(field..field + 4);
    }

    fn commit(&mut self, end: usize) -> io::Result<()> {
        if end <= self.committed {
            return Ok(());
        }
        if self.refuse == Some(Step::Commit) {
            return Err(map::injected());
        }
        let step = self.committed.clamp(FIRST_STEP, COMMIT_STEP);
        let end = end.next_multiple_of(PAGE).max(self.committed + step).min(self.limit());
        self.map.commit(self.committed..end)?;
        self.committed = end;
        Ok(())
    }

    /// How far from the beginning an address lies.
    fn offset(&self, address: usize, bytes: usize) -> usize {
        let at = address.wrapping_sub(self.map.executable());
        let inside = at <= self.committed && bytes <= self.committed - at;
        assert!(inside, "{address:#x} and {bytes} bytes on are not in the code memory");
        at
    }

    fn bytes_mut(&mut self, at: usize, bytes: usize) -> &mut [u8] {
        debug_assert!(at + bytes <= self.committed);
        // SAFETY: committed bytes of the writable view, which lives as long as `self`. Nobody else has a reference into
        // it: `&mut self` excludes `read` and `patch_rel32`, and those keep none.
        unsafe { std::slice::from_raw_parts_mut(self.map.writable().add(at).as_ptr(), bytes) }
    }

    fn word(&self, at: usize) -> &AtomicU32 {
        debug_assert!(at.is_multiple_of(4) && at + 4 <= self.committed);
        // SAFETY: four committed bytes of the writable view, aligned because the view is on a page. Under `&self` they are
        // only accessed as this atomic word.
        unsafe { AtomicU32::from_ptr(self.map.writable().add(at).as_ptr().cast()) }
    }
}

/// What unused code memory is filled with.
#[cfg(target_arch = "x86_64")]
const TRAP: u8 = 0xcc;
/// A word of zeros is `udf` on aarch64.
#[cfg(not(target_arch = "x86_64"))]
const TRAP: u8 = 0;

/// Makes instructions that were just written through the other view visible to whoever comes to execute them.
///
/// x86-64 keeps instruction caches coherent by physical address, so nothing is due. On another architecture this cleans
/// the data cache and drops the instruction cache for the range, and has the cores that run our threads synchronize
/// (aarch64: `dc cvau`, `dsb`, `ic ivau`, `dsb`, then `membarrier` with `SYNC_CORE`). Nobody else knows; until it is
/// written, nothing is mapped there.
#[inline]
fn synchronize(_code: Range<usize>) {}
