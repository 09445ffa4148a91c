//! Program generator and oracles: typed random programs, their meaning by a model, and what must hold of them.
#![deny(unsafe_code)]

pub mod campaign;
pub mod check;
pub mod choice;
pub mod driver;
pub mod evaluate;
pub mod garbage;
pub mod generate;
pub mod loops;
pub mod mutation;
pub mod print;
pub mod program;
pub mod reduce;
pub mod small;
pub mod traces;
pub mod tree;
pub mod typing;
pub mod value;
pub mod visit;
