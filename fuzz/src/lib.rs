//! Program generator and oracles: typed random programs, their meaning by a model, and what must hold of them.
#![deny(unsafe_code)]

pub mod choice;
pub mod evaluate;
pub mod generate;
pub mod print;
pub mod tree;
pub mod value;
