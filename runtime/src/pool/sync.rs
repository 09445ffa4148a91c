//! What the sleep protocol is built on, in one place, so that its model test can put loom's in their stead.

pub(super) use std::sync::Mutex;
pub(super) use std::sync::atomic::{AtomicU64, Ordering};

pub(super) use super::park::Parker;
