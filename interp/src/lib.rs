//! The interpreter: bytecode, program image, and the loop that runs them.
//!
//! An instruction's meaning is written once, over [`machine::Machine`]; the interpreter, and later the recorder and
//! the walker, are machines.

pub mod bytecode;
pub mod dump;
pub mod interpreter;
pub mod machine;
pub mod oracle;
pub mod program;
pub mod record;
pub mod room;
pub mod routine;
pub mod source;
pub mod step;
pub mod tier;
pub mod trips;
pub mod verify;
