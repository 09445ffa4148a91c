//! The `scaly` command.
#![deny(unsafe_code)]

use std::process::ExitCode;

use scaly_runtime::heap::Heap;

#[global_allocator]
static ALLOCATOR: Heap = Heap;

fn main() -> ExitCode {
    scaly::command::main(std::env::args_os().skip(1))
}
