//! The thread that asks native code to leave, tied to the native code that it asks.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::ptr;
use std::rc::Rc;
use std::time::Duration;

use scaly_runtime::ticker::Ticker;
use scaly_tracer::backend::Backend;
use scaly_tracer::manager::Tracing;

pub struct Samples<B: Backend> {
    /// Before what owns its flag.
    ticker: RefCell<Option<Ticker>>,
    tracing: Rc<Tracing<B>>,
}

impl<B: Backend> Samples<B> {
    pub fn of(tracing: Rc<Tracing<B>>) -> Samples<B> {
        Samples { ticker: RefCell::default(), tracing }
    }

    pub fn tracing(&self) -> &Rc<Tracing<B>> {
        &self.tracing
    }

    pub fn running(&self) -> bool {
        self.ticker.borrow().is_some()
    }

    /// From now on native code is asked to leave every so often.
    pub fn start(&self, period: Duration) {
        if let Some(poll) = self.tracing.prepare() {
            // SAFETY: the flag belongs to the backend of the traces, which this owns longer than the ticker.
            *self.ticker.borrow_mut() = unsafe { Ticker::start(ptr::from_ref(poll), period) };
        }
    }

    /// A sample has been taken.
    pub fn taken(&self) {
        if let Some(ticker) = &*self.ticker.borrow() {
            ticker.wake();
        }
    }
}
