//! Scaly: a self-scaling runtime for the Scaly language.
//!
//! The way of a program: [`syntax`] turns text into a syntax tree, `check` into a typed tree, `lower` into
//! bytecode for `scaly-interp`; [`engine`] puts them together, [`command`] is what a user sees.
#![deny(unsafe_code)]

pub use scaly_interp::source;
pub mod check;
pub mod command;
pub mod diagnostic;
pub mod engine;
pub mod explain;
pub mod live;
pub mod lower;
pub mod syntax;
