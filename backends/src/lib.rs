//! From regions to machine code by LLVM, and the way into that code and back.
//!
//! ```text
//! Walker::keeping(loop or function) -> Region      tracer
//! lower::lower          -> Lowered     LLVM's text form, and what the numbers mean that code returns
//! Compiler::compile     -> Native      a thread with the library that links LLVM
//! Native::enter         -> Left        runs it on a frame
//! ```
//!
//! The command is not linked to LLVM: [`Library`] is opened by name when the first loop is worth it, and a machine without
//! it runs on in the tier below.

#![deny(unsafe_code)]

mod abi;
mod compiler;
mod host;
mod interrupt;
mod library;
pub mod lower;
mod native;
mod restart;
mod run;
pub mod scale;
mod terms;

pub use compiler::{Answered, Building, Compiler, Level, Order, Pending, Uncompiled};
pub use host::end_process;
pub use library::{Code, Costs, Error, VARIABLE};
pub use native::{Computed, Left, Native, Part};
pub use run::Run;
