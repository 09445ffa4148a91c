//! LLVM behind a small C interface: text of a module in, address of machine code out.
//!
//! A shared library of its own, because a process that is linked to LLVM starts 18 ms later even if it never calls it.
//! `scaly-backends` opens it when a loop is worth it, on the thread that compiles. It knows nothing of Scaly: modules come
//! as LLVM's own text, which costs some 100 µs a loop to read and lets everything that makes them be safe code that is
//! tested without LLVM.
//!
//! Rejected: inkwell. It has no ORC, and of what is left little is used.
//!
//! All functions of a session are called by one thread. The library is never closed.

#![deny(unsafe_code)]

#[path = "../../src/abi.rs"]
pub mod abi;
mod exit;
mod exports;
mod llvm;
