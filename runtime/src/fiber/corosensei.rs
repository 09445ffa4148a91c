//! The switch by corosensei.

use ::corosensei::stack::{Stack, StackPointer};
use ::corosensei::{Coroutine, CoroutineResult, Yielder};

use super::stack::NativeStack;
use super::switch::{Body, Resumed, Suspend, Switch};

// SAFETY: the mapping ends in a guard page, is larger than corosensei's minimum, and both ends are page-aligned.
unsafe impl Stack for NativeStack {
    fn base(&self) -> StackPointer {
        self.top().addr()
    }

    fn limit(&self) -> StackPointer {
        self.guard().addr()
    }
}

impl Suspend for Yielder<(), ()> {
    fn suspend(&self) {
        Yielder::suspend(self, ());
    }
}

pub struct Corosensei {
    /// `None` only after its stack was taken.
    coroutine: Option<Coroutine<(), (), (), NativeStack>>,
}

impl Switch for Corosensei {
    fn new(stack: NativeStack, body: Body) -> Corosensei {
        let coroutine = Coroutine::with_stack(stack, move |yielder: &Yielder<(), ()>, ()| body(yielder));
        Corosensei { coroutine: Some(coroutine) }
    }

    fn resume(&mut self) -> Resumed {
        match self.coroutine.as_mut().map(|coroutine| coroutine.resume(())) {
            Some(CoroutineResult::Yield(())) => Resumed::Suspended,
            Some(CoroutineResult::Return(())) | None => Resumed::Finished,
        }
    }

    fn into_stack(mut self) -> NativeStack {
        // A value of this type has its coroutine until this, its last method.
        let mut coroutine = self.coroutine.take().expect("taken once");
        abandon(&mut coroutine);
        coroutine.into_stack()
    }
}

impl Drop for Corosensei {
    fn drop(&mut self) {
        if let Some(coroutine) = &mut self.coroutine {
            abandon(coroutine);
        }
    }
}

fn abandon(coroutine: &mut Coroutine<(), (), (), NativeStack>) {
    if !coroutine.started() {
        // Only drops the closure.
        coroutine.force_unwind();
    } else if !coroutine.done() {
        // SAFETY: what is on the stack is leaked, by contract. Nothing outside points into it: closures get only the
        // suspender, whose borrow ends with them.
        unsafe { coroutine.force_reset() };
    }
}
