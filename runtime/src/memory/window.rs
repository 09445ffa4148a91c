//! A block that another thread looks at while the program writes it.
//!
//! The program knows nothing of it: its stores are the usual ones, in whatever tier. What is seen is a value that each
//! word has or had, of no common moment; that is enough to show it, and for nothing else.
//!
//! A window is closed before the memory of its block is used for anything else, unmapped or moved, and closing waits
//! for whoever is looking. So what is looked at is always mapped, and always the block's. Only large blocks have
//! windows ([`super::alloc_shown`]), since those alone always end in a call: the short ways of compiled code know small
//! ones only.

use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, PoisonError};

/// What is done with the contents of a block for the last time.
type Last = Box<dyn Fn(&[AtomicU32]) + Send + Sync>;

pub struct Window {
    contents: Mutex<Option<Contents>>,
    last: Last,
}

struct Contents {
    base: NonNull<AtomicU32>,
    words: usize,
}

// SAFETY: an address; who follows it holds the window's lock, under which the block is not given back.
unsafe impl Send for Contents {}

impl Window {
    /// A window without a block so far. `last` gets the contents when the block ends, on the thread that ends it.
    pub fn new(last: impl Fn(&[AtomicU32]) + Send + Sync + 'static) -> Window {
        Window { contents: Mutex::new(None), last: Box::new(last) }
    }

    /// Looks at the block; none if there is none any more. The block stays for as long as this takes.
    pub fn look<R>(&self, body: impl FnOnce(&[AtomicU32]) -> R) -> Option<R> {
        let contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        contents.as_ref().map(|contents| body(contents.words()))
    }

    /// Opens it onto a block. What is given back belongs into the block's link, and from there to [`Window::close`].
    ///
    /// # Safety
    /// There are `bytes` bytes at `base`, a multiple of 4, which stay mapped until the window is closed.
    pub(super) unsafe fn open(self: Arc<Window>, base: NonNull<u8>, bytes: usize) -> *const Window {
        let contents = Contents { base: base.cast(), words: bytes / size_of::<AtomicU32>() };
        *self.contents.lock().unwrap_or_else(PoisonError::into_inner) = Some(contents);
        Arc::into_raw(self)
    }

    /// Ends it, if there is one: its block is about to be given back.
    ///
    /// # Safety
    /// It is null or of [`Window::open`], and not closed; its block is still as it was.
    pub(super) unsafe fn close(window: *const Window) {
        if window.is_null() {
            return;
        }
        // SAFETY: by the caller's promise.
        let window = unsafe { Arc::from_raw(window) };
        let mut contents = window.contents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(contents) = contents.take() {
            (window.last)(contents.words());
        }
    }
}

impl Contents {
    /// The program's own stores are plain ones of other instructions, mostly of compiled code: a word is an aligned part
    /// of an `f32` or of nothing, which this machine stores and loads as a whole.
    fn words(&self) -> &[AtomicU32] {
        // SAFETY: mapped and aligned as long as the window is open, by the promise of `open`, and nobody closes it under
        // the lock that the caller holds.
        unsafe { slice::from_raw_parts(self.base.as_ptr(), self.words) }
    }
}
