//! Scaly: a self-scaling runtime for the Scaly language.
//!
//! The way of a program: [`syntax`] turns text into a syntax tree, `check` into a typed tree, `lower` into
//! bytecode for `scaly-interp`.
#![deny(unsafe_code)]

pub use scaly_interp::source;
pub mod check;
pub mod diagnostic;
pub mod lower;
pub mod syntax;
