//! A parallel loop beside fibers that sleep: both come to their end, and while all sleep nothing uses the processor.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use scaly_runtime::fiber::{Operation, Scheduler, SchedulerOptions, Step, Task, Worker};
use scaly_runtime::memory::{MemoryOptions, PageSource};
use scaly_runtime::pool::{Chunk, Plan, Pool, PoolOptions, Status};

struct Act<F>(F);

impl<F: FnMut(&Worker) -> Step> Task for Act<F> {
    fn resume(&mut self, worker: &Worker) -> Step {
        (self.0)(worker)
    }
}

const FIBERS: u32 = 200;

fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a live timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn loops_while_fibers_sleep() {
    let begun = Instant::now();
    let source = PageSource::new(MemoryOptions::default());
    let mut scheduler = Scheduler::new(&source, SchedulerOptions::default());
    let pool = Pool::new(PoolOptions { threads: Some(3), ..PoolOptions::default() });
    let woken = Rc::new(Cell::new(0));
    // Each sleeps three times, of its own length.
    let sleeper = |i: u32| {
        let (woken, mut left) = (Rc::clone(&woken), 3);
        move |_: &Worker| {
            if left == 0 {
                woken.set(woken.get() + 1);
                return Step::Done(0);
            }
            left -= 1;
            Step::Park(Operation::Sleep(Duration::from_millis(u64::from(30 + i % 7))))
        }
    };
    let total = AtomicU64::new(0);
    let body = |chunk: &Chunk| {
        for i in chunk.lo..chunk.hi {
            std::hint::black_box((0..100).fold(i, |x, k| x ^ k));
            total.fetch_add(i, Relaxed);
        }
        Status::Done
    };
    let mut rounds = 0_u64;
    let mut slept = false;
    let mut main = Act(|worker: &Worker| {
        if rounds == 0 {
            (0..FIBERS).for_each(|i| worker.spawn(Box::new(Act(sleeper(i)))));
        }
        if !slept && rounds == 20 {
            slept = true;
            return Step::Park(Operation::Sleep(Duration::from_millis(10)));
        }
        if woken.get() == FIBERS {
            return Step::Done(7);
        }
        rounds += 1;
        assert_eq!(pool.run(&Plan::new(1000), &body), Status::Done);
        Step::Yield
    });
    assert_eq!(scheduler.run(&mut main).ok(), Some(7));
    assert_eq!(total.into_inner(), rounds * 499_500);
    assert!(rounds > 20, "the loops ran beside the sleepers: {rounds}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());

    // All of them asleep, and the helpers of the pool with nothing to do.
    let mut left = 2;
    let mut main = Act(|worker: &Worker| {
        left -= 1;
        if left == 0 {
            return Step::Done(0);
        }
        (0..FIBERS).for_each(|_| {
            let mut left = 2;
            worker.spawn(Box::new(Act(move |_: &Worker| {
                left -= 1;
                if left == 0 { Step::Done(0) } else { Step::Park(Operation::Sleep(Duration::from_millis(300))) }
            })));
        });
        Step::Park(Operation::Sleep(Duration::from_millis(400)))
    });
    let before = cpu_time();
    assert_eq!(scheduler.run(&mut main).ok(), Some(0));
    let used = cpu_time() - before;
    assert!(used < Duration::from_millis(30), "{used:?}");
}
