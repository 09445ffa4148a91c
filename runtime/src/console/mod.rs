//! Standard output, error and input of the program.
//!
//! One [`Output`] and one [`Input`] a process, owned by the worker that runs the program: prints go to a buffer in the
//! program's order and leave it in large writes.

mod input;
mod output;

pub use input::{Input, InputError};
pub use output::{Output, OutputError};
