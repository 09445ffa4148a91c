//! The switch between native stacks, whoever does it.
//!
//! A closure's panic ends its fiber and goes on in whoever resumed it; it never crosses the switch itself. A fiber
//! that is dropped while suspended is *abandoned*: its stack is released without unwinding, and what the closure owned
//! is leaked. Code of ours on such stacks owns nothing of the host's.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use super::stack::NativeStack;

/// What a fiber did when it was resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumed {
    /// It switched away and may be resumed.
    Suspended,
    /// Its closure returned.
    Finished,
}

/// What a closure gets to switch away with.
pub trait Suspend {
    /// Returns to whoever resumed the fiber; comes back when it is resumed again.
    fn suspend(&self);
}

pub(super) type Body = Box<dyn FnOnce(&dyn Suspend)>;

/// A way to switch stacks.
pub trait Switch: Sized {
    /// Prepares `body`, which does not panic, to run on the stack.
    fn new(stack: NativeStack, body: Body) -> Self;
    /// Switches to it; it has not finished yet.
    fn resume(&mut self) -> Resumed;
    /// The stack, whether finished or not: what is on it is forgotten.
    fn into_stack(self) -> NativeStack;
}

type Panic = Rc<Cell<Option<Box<dyn Any + Send>>>>;

/// A closure on a native stack of its own.
pub struct Fiber<S: Switch> {
    switch: S,
    finished: bool,
    panic: Panic,
}

impl<S: Switch> Fiber<S> {
    /// A fiber that runs `body` when it is first resumed.
    pub fn new(stack: NativeStack, body: impl FnOnce(&dyn Suspend) + 'static) -> Fiber<S> {
        let panic = Panic::default();
        let thrown = Rc::clone(&panic);
        let body = move |suspend: &dyn Suspend| {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| body(suspend))) {
                thrown.set(Some(payload));
            }
        };
        Fiber { switch: S::new(stack, Box::new(body)), finished: false, panic }
    }

    /// Runs the fiber until it suspends or finishes. A finished one stays finished. Goes on with the closure's panic.
    pub fn resume(&mut self) -> Resumed {
        if self.finished {
            return Resumed::Finished;
        }
        let resumed = self.switch.resume();
        if resumed == Resumed::Finished {
            self.finished = true;
            if let Some(payload) = self.panic.take() {
                resume_unwind(payload);
            }
        }
        resumed
    }

    /// The fiber's stack, for another one. If the fiber has not finished it is abandoned.
    pub fn into_stack(self) -> NativeStack {
        self.switch.into_stack()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::super::boost::Boost;
    use super::*;

    fn stack() -> NativeStack {
        NativeStack::new(1 << 20).unwrap()
    }

    fn takes_turns<S: Switch>() {
        let log = Rc::new(RefCell::new(Vec::new()));
        let inner = Rc::clone(&log);
        let mut fiber = Fiber::<S>::new(stack(), move |suspend| {
            for i in 0..3 {
                inner.borrow_mut().push(i);
                suspend.suspend();
            }
        });
        for expected in 1..=3 {
            assert_eq!(fiber.resume(), Resumed::Suspended);
            assert_eq!(log.borrow().len(), expected);
        }
        assert_eq!(fiber.resume(), Resumed::Finished);
        assert_eq!(fiber.resume(), Resumed::Finished);
        assert_eq!(*log.borrow(), [0, 1, 2]);
        assert_eq!(Rc::strong_count(&log), 1);
        // The stack serves the next one, floating-point state and alignment included.
        let sum = Rc::new(Cell::new(0.0));
        let inner = Rc::clone(&sum);
        let mut second = Fiber::<S>::new(fiber.into_stack(), move |suspend| {
            let terms = [0.5f64; 16];
            suspend.suspend();
            inner.set(std::hint::black_box(terms).iter().sum());
        });
        second.resume();
        assert_eq!(second.resume(), Resumed::Finished);
        assert_eq!(sum.get(), 8.0);
    }

    fn panics_go_to_who_resumed<S: Switch>() {
        let mut fiber = Fiber::<S>::new(stack(), |suspend| {
            suspend.suspend();
            panic!("from the fiber");
        });
        assert_eq!(fiber.resume(), Resumed::Suspended);
        let payload = catch_unwind(AssertUnwindSafe(|| fiber.resume())).unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"from the fiber"));
        assert_eq!(fiber.resume(), Resumed::Finished);
    }

    fn abandoned_and_unstarted_ones_end_quietly<S: Switch>() {
        for resumes in 0..2 {
            for keep_stack in [false, true] {
                let mut fiber = Fiber::<S>::new(stack(), |suspend| suspend.suspend());
                for _ in 0..resumes {
                    fiber.resume();
                }
                if keep_stack {
                    fiber.into_stack();
                }
            }
        }
    }

    fn deep_recursion_uses_the_reserved_stack<S: Switch>() {
        fn deep(n: u64) -> u64 {
            let local = std::hint::black_box([n; 8]);
            if n == 0 { 0 } else { deep(n - 1) + local[3] - (n - 1) }
        }
        let result = Rc::new(Cell::new(0));
        let inner = Rc::clone(&result);
        let stack = NativeStack::new(200 << 20).unwrap();
        let mut fiber = Fiber::<S>::new(stack, move |_| inner.set(deep(200_000)));
        assert_eq!(fiber.resume(), Resumed::Finished);
        assert_eq!(result.get(), 200_000);
    }

    macro_rules! under_both {
        ($($name:ident)*) => {
            mod boost { $( #[test] fn $name() { super::$name::<super::Boost>(); } )* }
            mod default { $( #[test] fn $name() { super::$name::<super::super::super::Default>(); } )* }
        };
    }
    under_both! {
        takes_turns panics_go_to_who_resumed abandoned_and_unstarted_ones_end_quietly
        deep_recursion_uses_the_reserved_stack
    }
}
