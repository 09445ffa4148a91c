//! Checking: from the syntax tree to the typed tree.

pub mod hir;
pub mod ownership;
