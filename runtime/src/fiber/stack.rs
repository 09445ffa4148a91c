//! Native stacks: reserved large, committed on touch, ended by a guard page.

use std::ptr::NonNull;

use crate::os::{self, PAGE};

/// Bytes of a native stack unless asked otherwise. Only address space: the few fibers that run commit what they touch.
pub const DEFAULT_STACK: usize = 256 << 20;

/// Bytes that an idle stack keeps committed: faulting them in again would cost 35 us.
const KEEP: usize = 64 << 10;

/// A native stack that grows downwards to a guard page.
#[derive(Debug)]
pub struct NativeStack {
    mapping: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping belongs to this value alone and is not bound to a thread.
unsafe impl Send for NativeStack {}

impl NativeStack {
    /// Reserves a stack of at least `bytes` bytes besides its guard page. Fails if the address space is not to be had.
    pub fn new(bytes: usize) -> std::io::Result<NativeStack> {
        let whole = os::round_to_pages(bytes.max(16 * PAGE)).and_then(|bytes| bytes.checked_add(PAGE));
        let whole = whole.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::OutOfMemory))?;
        let mapping = os::reserve(whole)?;
        let stack = NativeStack { mapping, bytes: whole };
        // SAFETY: the range was just mapped; its lowest page is not used for anything else.
        unsafe {
            os::advise_small(mapping, whole);
            if !os::forbid(mapping, PAGE) {
                return Err(std::io::Error::last_os_error());
            }
        }
        Ok(stack)
    }

    /// The highest address, where it begins: a multiple of the page size.
    pub fn top(&self) -> NonNull<u8> {
        // SAFETY: the end of the mapping.
        unsafe { self.mapping.add(self.bytes) }
    }

    /// The lowest address, that of the guard page.
    pub fn guard(&self) -> NonNull<u8> {
        self.mapping
    }

    /// The lowest address that may be used.
    pub fn limit(&self) -> NonNull<u8> {
        // SAFETY: behind the guard page, inside the mapping.
        unsafe { self.mapping.add(PAGE) }
    }

    /// Gives the pages back that a deep recursion touched.
    pub fn trim(&mut self) {
        let low = self.bytes.saturating_sub(KEEP);
        if low > PAGE {
            // SAFETY: nothing runs on a stack that is borrowed mutably; the range is whole pages of it.
            unsafe { os::discard(self.limit(), low - PAGE) };
        }
    }
}

impl Drop for NativeStack {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and what runs on it holds the stack.
        unsafe { os::unmap(self.mapping, self.bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trimmed_stack_keeps_its_top_and_reads_zero_below() {
        let mut stack = NativeStack::new(1 << 20).unwrap();
        // SAFETY: within the stack, on which nothing runs.
        unsafe {
            let (high, low) = (stack.top().sub(1), stack.limit());
            high.write(1);
            low.write(1);
            stack.trim();
            assert_eq!((high.read(), low.read()), (1, 0));
        }
        assert_eq!(stack.limit().as_ptr() as usize - stack.guard().as_ptr() as usize, PAGE);
        assert!(NativeStack::new(usize::MAX).is_err());
    }
}
