//! Native code for traces: registers, x86-64 emission, code memory, exits and linking, listings.
//!
//! [`X64`] is the backend of the trace compiler on x86-64. [`allocate`] gives each value of a trace a home, [`emit`]
//! makes the code, [`memory`] holds it. How native code is entered and left is in [`emit`] and [`enter`].

#![allow(clippy::useless_conversion, reason = "dynasm! converts register numbers to what they are")]

mod allocate;
mod annotate;
mod context;
mod emit;
mod enter;
mod exits;
mod features;
mod inline;
pub mod listing;
pub mod memory;
pub mod observers;
mod options;
mod watch;
mod x64;

pub use features::Features;
pub use options::Options;
pub use watch::Watch;
pub use x64::X64;
