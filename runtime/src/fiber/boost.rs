//! The switch by Boost's context, for processors that corosensei doesn't know.

use std::cell::Cell;

use ::context::stack::Stack;
use ::context::{Context, Transfer};

use super::stack::NativeStack;
use super::switch::{Body, Resumed, Suspend, Switch};

/// What is passed along a switch back to who resumed.
const SUSPENDED: usize = 0;
const FINISHED: usize = 1;

pub struct Boost {
    /// Where to go on; `None` while running and when finished.
    context: Option<Context>,
    /// Until the first resume.
    body: Option<Body>,
    stack: NativeStack,
}

struct Suspender {
    /// Whoever resumed; `None` only during a switch.
    resumer: Cell<Option<Context>>,
}

impl Suspend for Suspender {
    fn suspend(&self) {
        if let Some(resumer) = self.resumer.take() {
            // SAFETY: the context is that of the resumer, which waits in its own resume.
            let transfer = unsafe { resumer.resume(SUSPENDED) };
            self.resumer.set(Some(transfer.context));
        }
    }
}

extern "C" fn start(transfer: Transfer) -> ! {
    let suspender = Suspender { resumer: Cell::new(Some(transfer.context)) };
    {
        // SAFETY: the first resume passes the address of the body, which waits there for us to take it.
        let body = unsafe { (*(transfer.data as *mut Option<Body>)).take() };
        if let Some(body) = body {
            // It does not panic: `Fiber::new` catches.
            body(&suspender);
        }
    }
    if let Some(resumer) = suspender.resumer.take() {
        // SAFETY: as in `suspend`.
        unsafe { resumer.resume(FINISHED) };
    }
    // A finished fiber is not resumed.
    std::process::abort()
}

impl Switch for Boost {
    fn new(stack: NativeStack, body: Body) -> Boost {
        // SAFETY: the bounds are those of the stack, which lives as long as the context.
        let context = unsafe {
            let bounds = Stack::new(stack.top().as_ptr().cast(), stack.limit().as_ptr().cast());
            Context::new(&bounds, start)
        };
        Boost { context: Some(context), body: Some(body), stack }
    }

    fn resume(&mut self) -> Resumed {
        let Some(context) = self.context.take() else { return Resumed::Finished };
        // SAFETY: the context is suspended or unstarted; the body stays in place during the switch, and only the start
        // reads the address.
        let transfer = unsafe { context.resume((&raw mut self.body) as usize) };
        if transfer.data == FINISHED {
            return Resumed::Finished;
        }
        self.context = Some(transfer.context);
        Resumed::Suspended
    }

    fn into_stack(self) -> NativeStack {
        self.stack
    }
}
