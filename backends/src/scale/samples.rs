//! The timer that asks native code to leave, tied to the native code that it asks.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use scaly_runtime::ticker::Ticker;
use scaly_tracer::backend::Backend;
use scaly_tracer::manager::Tracing;

/// With which other threads ask native code to leave, because they have something for it.
#[derive(Clone, Default)]
pub struct Bell(Arc<Wire>);

#[derive(Default)]
struct Wire {
    /// None before there is native code, and from when it goes on.
    flag: Mutex<Option<Flag>>,
    rung: AtomicBool,
}

/// What native code looks at; live as long as it is in the wire.
struct Flag(*const AtomicU32);

// SAFETY: it points to an atomic.
unsafe impl Send for Flag {}

impl Bell {
    pub fn ring(&self) {
        self.0.rung.store(true, Ordering::Release);
        if let Some(Flag(flag)) = &*self.0.flag.lock().unwrap_or_else(PoisonError::into_inner) {
            // SAFETY: it is taken out, under the lock, before what it belongs to goes.
            unsafe { (**flag).store(1, Ordering::Relaxed) }
        }
    }

    fn connect(&self, flag: Option<Flag>) {
        *self.0.flag.lock().unwrap_or_else(PoisonError::into_inner) = flag;
    }
}

pub struct Samples<B: Backend> {
    /// Before what owns its flag.
    ticker: RefCell<Option<Ticker>>,
    /// It has been started, or refused.
    tried: Cell<bool>,
    bell: Bell,
    tracing: Rc<Tracing<B>>,
}

impl<B: Backend> Drop for Samples<B> {
    fn drop(&mut self) {
        self.bell.connect(None);
    }
}

impl<B: Backend> Samples<B> {
    pub fn of(tracing: Rc<Tracing<B>>) -> Samples<B> {
        Samples { ticker: RefCell::default(), tried: Cell::new(false), bell: Bell::default(), tracing }
    }

    pub fn tracing(&self) -> &Rc<Tracing<B>> {
        &self.tracing
    }

    /// Whether there is, or can be, no other ticker.
    #[inline]
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
        if started {
            self.bell.connect(Some(Flag(ptr::from_ref(poll))));
        }
        *self.ticker.borrow_mut() = ticker;
        started
    }

    /// Native code is left alone from now on.
    pub fn stop(&self) {
        self.bell.connect(None);
        self.ticker.take();
    }

    /// For threads that have something to hand over.
    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Whether the bell was rung since this was last asked.
    pub fn rung(&self) -> bool {
        self.bell.0.rung.swap(false, Ordering::Acquire)
    }

    #[inline]
    pub fn has_rung(&self) -> bool {
        self.bell.0.rung.load(Ordering::Relaxed)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bell_asks_native_code_as_long_as_there_is_some() {
        let (bell, flag) = (Bell::default(), AtomicU32::new(0));
        let ring = || std::thread::scope(|scope| scope.spawn(|| bell.ring()).join().unwrap());
        ring();
        assert!(bell.0.rung.swap(false, Ordering::Acquire), "without native code it is rung too");
        bell.connect(Some(Flag(&raw const flag)));
        ring();
        assert_eq!(flag.swap(0, Ordering::Relaxed), 1);
        bell.connect(None);
        ring();
        assert_eq!(flag.load(Ordering::Relaxed), 0);
    }
}
