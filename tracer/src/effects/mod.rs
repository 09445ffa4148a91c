//! What functions do to memory and to the world, and where the pointers in their slots come from.
//!
//! A call that is not walked in place counts with the summary of all of its callee's bytecode. Where a loop begins, the
//! same analysis tells which variables own different memory: by ownership, what comes from different parameters or
//! allocations never overlaps, views apart.

mod calls;
mod flow;
mod place;
mod recursion;
mod summary;
#[cfg(test)]
mod tests;
mod waits;

pub use calls::{Callee, Calls, taken};
pub use flow::{FunctionFlow, copies};
pub use place::{Place, Places, Source};
pub use recursion::recursive;
pub use summary::{External, Summaries, Summary};
pub use waits::waits;
