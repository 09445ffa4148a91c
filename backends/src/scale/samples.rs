//! The timer that asks native code to leave, tied to the native code that it asks.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::ptr;
use std::rc::Rc;
use std::time::Duration;

use scaly_runtime::ticker::Ticker;
use scaly_tracer::backend::Backend;
use scaly_tracer::manager::Tracing;

pub struct Samples<B: Backend> {
    /// Before what owns its flag.
    ticker: RefCell<Option<Ticker>>,
    /// It has been started, or refused.
    tried: Cell<bool>,
    tracing: Rc<Tracing<B>>,
}

impl<B: Backend> Samples<B> {
    pub fn of(tracing: Rc<Tracing<B>>) -> Samples<B> {
        Samples { ticker: RefCell::default(), tried: Cell::new(false), tracing }
    }

    pub fn tracing(&self) -> &Rc<Tracing<B>> {
        &self.tracing
    }

    /// Whether there is, or can be, no other ticker.
    pub fn tried(&self) -> bool {
        self.tried.get()
    }

    /// From now on native code is asked to leave every so often; false where the system gives no timer for that.
    pub fn start(&self, period: Duration) -> bool {
        self.tried.set(true);
        // Without native code there is nobody to ask, and the log says so.
        let Some(poll) = self.tracing.prepare() else { return true };
        // SAFETY: the flag belongs to the backend of the traces, which this owns longer than the ticker.
        let ticker = unsafe { Ticker::start(ptr::from_ref(poll), period) };
        let started = ticker.is_some();
        *self.ticker.borrow_mut() = ticker;
        started
    }

    /// Native code is left alone from now on.
    pub fn stop(&self) {
        self.ticker.take();
    }

    /// From one sample to the next, from now on.
    pub fn set_period(&self, period: Duration) {
        if let Some(ticker) = &*self.ticker.borrow() {
            ticker.set_period(period);
        }
    }

    /// A sample has been taken.
    pub fn taken(&self) {
        if let Some(ticker) = &*self.ticker.borrow() {
            ticker.wake();
        }
    }
}
