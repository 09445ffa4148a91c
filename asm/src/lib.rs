//! Native code for traces: registers, x86-64 emission, code memory, exits and linking, listings.

pub mod listing;
pub mod memory;
pub mod observers;
