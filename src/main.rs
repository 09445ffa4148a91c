//! The `scaly` command.
#![deny(unsafe_code)]

fn main() {}
