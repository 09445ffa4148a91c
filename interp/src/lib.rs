//! The interpreter: bytecode, program image, and the loop that runs them.
