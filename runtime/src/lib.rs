//! What every tier stands on: memory regions, fibers and their stacks, the pool of parallel loops, system calls.
//!
//! Nothing here knows of bytecode or traces; everything unsafe about raw memory is meant to end in this crate.

pub mod console;
pub mod fiber;
pub mod heap;
pub mod memory;
pub mod os;
pub mod pool;
pub mod ticker;
pub mod vm_stack;
