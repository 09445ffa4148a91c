//! The `scaly` command.
#![deny(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    scaly::command::main(std::env::args_os().skip(1))
}
