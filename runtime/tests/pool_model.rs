//! The pool's sleep protocol under loom, which tries all interleavings that the memory model allows: no announced work
//! stays while everybody sleeps. A lost wake-up shows as a deadlock.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::thread;

/// What the protocol stands on, by loom.
mod sync {
    pub use loom::sync::Mutex;
    pub use loom::sync::atomic::{AtomicU64, Ordering};

    use loom::sync::Condvar;

    pub struct Parker {
        token: Mutex<bool>,
        changed: Condvar,
    }

    impl Parker {
        pub fn new() -> Parker {
            Parker { token: Mutex::new(false), changed: Condvar::new() }
        }

        pub fn park(&self) {
            let mut token = self.token.lock().unwrap();
            while !*token {
                token = self.changed.wait(token).unwrap();
            }
            *token = false;
        }

        pub fn unpark(&self) {
            *self.token.lock().unwrap() = true;
            self.changed.notify_one();
        }
    }
}

#[allow(dead_code)]
#[path = "../src/pool/sleep.rs"]
mod sleep;

use sleep::Sleep;

/// Work is a relaxed count, so that it is seen only where the protocol orders it.
struct Model {
    sleep: Sleep,
    work: AtomicUsize,
    left: AtomicUsize,
}

impl Model {
    fn new(helpers: usize, work: usize) -> Arc<Model> {
        let sleep = Sleep::new(helpers);
        for _ in 0..helpers {
            assert!(sleep.claim().is_some());
        }
        Arc::new(Model { sleep, work: AtomicUsize::new(0), left: AtomicUsize::new(work) })
    }

    fn offer(&self) {
        self.work.fetch_add(1, Relaxed);
        if let Some(helper) = self.sleep.announce() {
            self.sleep.unpark(helper);
        }
    }

    fn take(&self) -> bool {
        let mut seen = self.work.load(Relaxed);
        while seen > 0 {
            match self.work.compare_exchange(seen, seen - 1, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    fn helper(&self, me: usize) {
        loop {
            let epoch = self.sleep.epoch();
            if self.left.load(Relaxed) == 0 {
                return;
            }
            if !self.take() {
                self.sleep.sleep(me, epoch);
                continue;
            }
            if self.sleep.found()
                && self.work.load(Relaxed) > 0
                && let Some(next) = self.sleep.claim()
            {
                self.sleep.unpark(next);
            }
            if self.left.fetch_sub(1, Relaxed) == 1 {
                self.sleep.wake_all(|_| true);
                return;
            }
            self.sleep.search();
        }
    }
}

fn check(helpers: usize, producers: usize, each: usize, preemptions: Option<usize>) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.check(move || {
        let model = Model::new(helpers, producers * each);
        let helping: Vec<_> = (0..helpers)
            .map(|me| {
                let model = Arc::clone(&model);
                thread::spawn(move || model.helper(me))
            })
            .collect();
        let producing: Vec<_> = (1..producers)
            .map(|_| {
                let model = Arc::clone(&model);
                thread::spawn(move || (0..each).for_each(|_| model.offer()))
            })
            .collect();
        (0..each).for_each(|_| model.offer());
        for thread in helping.into_iter().chain(producing) {
            thread.join().unwrap();
        }
        assert_eq!(model.work.load(Relaxed), 0);
    });
}

#[test]
fn one_helper_finds_everything() {
    check(1, 1, 2, None);
}

#[test]
fn one_helper_hears_two_producers() {
    check(1, 2, 1, Some(3));
}

#[test]
fn two_helpers_share_what_comes() {
    check(2, 1, 1, Some(2));
}
