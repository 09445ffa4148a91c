//! The dependence oracle: runs a program and says of every loop whether its iterations were free of one another.
//!
//! It is the check on what is *proven* about loops: a loop that was called independent may not have a conflict here.
//! Another [`Machine`](crate::machine::Machine) over the same `step` notes what each iteration of each active loop reads
//! and writes; routines' effects come from their table.
//!
//! **What is a conflict** between two iterations of one run of a loop:
//! - a byte of memory that one stores and another loads or stores, unless it was allocated in the later one (storage that
//!   a region hands out again is new);
//! - a value that one iteration leaves in a slot and a later one uses (*carried*). Moves are no use: a payload that is
//!   copied with its union and never looked at carries nothing. A counted loop's own counter does not count.
//! - I/O, in any iteration; not the end of the program by an error.
//!
//! Slots are reported by number, so that a verdict which calls some of them inductions or reductions is judged without
//! them ([`Seen::free_but`]). A slot that every iteration writes before it uses it is private and never reported.
//!
//! **Entry checks.** A watcher is asked when a loop is entered, with the frame at hand, and its `false` puts what that
//! run of the loop does apart: a verdict that holds only behind a check is judged on the runs that pass it. It may make
//! room for what the loop appends first ([`Frame::make_room`]): an array that grows meanwhile is read and moved, and its
//! elements are then all of the iteration in which that happened.
//!
//! **Time.** All is decided by comparing times. Time advances when a loop is entered and when an iteration begins; for an
//! active loop with entry S and current iteration C, what happened at t is of an earlier iteration if S <= t < C.
//! Nesting keeps S1 <= C1 <= S2 <= C2 …, so the common case is one or two compares whatever the depth.

mod log;
mod machine;
mod report;
mod run;
mod shadow;

pub use report::{Conflict, ConflictKind, Obstacle, Place, Report, Seen};
pub use run::{Frame, run};
