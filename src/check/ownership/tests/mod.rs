//! Tests of the ownership pass.

mod build;
mod decisions;
mod programs;
mod summaries;
