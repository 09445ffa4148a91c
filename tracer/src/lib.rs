//! Regions of hot loops: the walker, the region IR, and what is proven on it.
//!
//! The [`walker`] follows all bytecode that one iteration of a loop can reach, without executing it, and builds the
//! loop's [`region`]. What [`independence`] proves about a region holds on every path, run or not. [`explain`] says it in
//! words.
#![deny(unsafe_code)]

pub mod backend;
pub mod effects;
pub mod explain;
pub mod independence;
pub mod log;
pub mod manager;
pub mod now;
pub mod optimize;
pub mod parameters;
pub mod recorder;
pub mod region;
pub mod trace;
pub mod walker;
