//! Tests of the ownership pass.

mod build;
mod summaries;
