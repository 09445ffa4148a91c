//! Program generator and oracles: typed random programs, their meaning by a model, and what must hold of them.
#![deny(unsafe_code)]

pub mod check;
pub mod choice;
pub mod evaluate;
pub mod garbage;
pub mod generate;
pub mod print;
pub mod reduce;
pub mod tree;
pub mod value;
pub mod visit;
