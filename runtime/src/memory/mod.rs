//! Regions of memory: bump allocation, size-class lists for what is overwritten, everything gone at the end.
//!
//! A Scaly value lies wholly in the region of the variable that owns it, and nobody else has it. So a region needs
//! neither collector nor counts: blocks are cut from its chunks by moving a pointer; a block that is overwritten,
//! removed or outgrown goes to a list of its size class and is the next one handed out there; at the region's reset or
//! end all of it goes at once.
//!
//! ```text
//! base - 16   capacity in bytes, u64      0: a constant, never freed
//! base - 8    reserved, u64               guard mode: FREED once freed
//! base        contents                    a multiple of 16
//! ```
//!
//! **A bound on memory.** Within a region there are never more blocks of a class than were live in it at once, since
//! a free block of the class is always taken before a new one is cut; so a region holds at most the sum, over the 40
//! classes, of each class's peak, whatever lengths come in whatever order and however often. Large blocks (more than
//! [`MAX_SMALL`] bytes) have memory of their own and leave the region when they are freed. What a worker keeps for later
//! is bounded too: 2 MiB of spans, 64 MiB of mappings, and the process 8 MiB of whole arenas.
//!
//! **Errors.** A request that can't be met returns a [`MemoryError`] and changes nothing. Nothing here aborts.

mod arena;
mod error;
mod guard;
mod large;
mod mappings;
#[cfg(test)]
mod model;
mod pages;
mod region;
mod size_class;
mod stack;
#[cfg(test)]
mod tests;
mod window;

pub use error::MemoryError;
pub use guard::{FRESH, POISON};
pub use pages::{MemoryOptions, PagePool, PageSource, RegionMode};
pub use region::{BLOCK_HEADER, BlockHeader, Region, alloc, alloc_shown, alloc_zeroed, capacity, free, grow, reset};
pub use size_class::{CLASSES, MAX_INLINED, MAX_SMALL, SizeClass};
pub use stack::RegionStack;
pub use window::Window;
