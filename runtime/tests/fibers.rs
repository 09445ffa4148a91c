//! Parallel loops beside fibers that sleep, or run loops of their own: all come to their end, whoever waits for what, and
//! while all sleep nothing uses the processor.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::thread;
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
        assert_eq!(worker.run_loop(&pool, &Plan::new(1000), &body), Status::Done);
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

/// Waits on another thread for what a scheduler's thread has to do meanwhile.
fn await_on_helper(done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(20), "nobody else had a turn");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A loop of two iterations, of which the caller runs the one, and the other takes until it `may_end`.
fn run_until(worker: &Worker, pool: &Pool, may_end: &(dyn Fn() -> bool + Sync)) -> Status {
    let both = Barrier::new(2);
    let body = |chunk: &Chunk| {
        for _ in chunk.lo..chunk.hi {
            both.wait();
            if chunk.worker > 0 {
                await_on_helper(may_end);
            }
        }
        Status::Done
    };
    worker.run_loop(pool, &Plan::new(2).expect(1e9), &body)
}

fn in_fibers(main: impl FnMut(&Worker) -> Step) -> i32 {
    let source = PageSource::new(MemoryOptions::default());
    Scheduler::new(&source, SchedulerOptions::default()).run(&mut Act(main)).unwrap()
}

fn pool(threads: usize) -> Pool {
    Pool::new(PoolOptions { threads: Some(threads), ..PoolOptions::default() })
}

#[test]
fn others_have_turns_while_a_loop_is_joined() {
    let pool = pool(2);
    // Sleeping ones, which the thread waits for, and one that is always ready.
    for sleeps in [true, false] {
        let counted: &'static AtomicU32 = Box::leak(Box::default());
        let status = in_fibers(|worker| {
            for i in 0..FIBERS {
                let mut turns = 0;
                worker.spawn(Box::new(Act(move |_: &Worker| {
                    turns += 1;
                    match turns {
                        3 => {
                            counted.fetch_add(1, Relaxed);
                            Step::Done(0)
                        }
                        _ if sleeps => Step::Park(Operation::Sleep(Duration::from_millis(u64::from(i % 7)))),
                        _ => Step::Yield,
                    }
                })));
            }
            let joined = run_until(worker, &pool, &|| counted.load(Relaxed) == FIBERS);
            assert_eq!(joined, Status::Done);
            Step::Done(3)
        });
        assert_eq!(status, 3);
    }
}

#[test]
fn fibers_join_loops_at_the_same_time() {
    // Each loop ends when all have begun.
    const LOOPS: u32 = 5;
    let pool: &'static Pool = Box::leak(Box::new(pool(LOOPS as usize + 2)));
    let begun: &'static AtomicU32 = Box::leak(Box::default());
    let ended = Rc::new(Cell::new(0));
    let mut started = false;
    let status = in_fibers(|worker| {
        if !started {
            started = true;
            for _ in 0..LOOPS {
                let ended = Rc::clone(&ended);
                worker.spawn(Box::new(Act(move |worker: &Worker| {
                    begun.fetch_add(1, Relaxed);
                    let status = run_until(worker, pool, &|| begun.load(Relaxed) == LOOPS);
                    assert_eq!(status, Status::Done);
                    // The thread is in no loop: one within another would be no piece of this one.
                    let total = AtomicU64::new(0);
                    let body = |chunk: &Chunk| {
                        total.fetch_add((chunk.lo..chunk.hi).sum(), Relaxed);
                        Status::Done
                    };
                    assert_eq!(worker.run_loop(pool, &Plan::new(1000), &body), Status::Done);
                    assert_eq!(total.into_inner(), 499_500);
                    ended.set(ended.get() + 1);
                    Step::Done(0)
                })));
            }
        }
        if ended.get() == LOOPS { Step::Done(4) } else { Step::Park(Operation::Sleep(Duration::from_millis(1))) }
    });
    assert_eq!(status, 4);
}

#[test]
fn a_loop_that_is_joined_outlives_the_main_task() {
    let pool: &'static Pool = Box::leak(Box::new(pool(2)));
    let main_is_done: &'static AtomicBool = Box::leak(Box::default());
    let helped: &'static AtomicBool = Box::leak(Box::default());
    let (begun, went_on) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
    let (begins, goes_on) = (Rc::clone(&begun), Rc::clone(&went_on));
    let mut task = Some(Act(move |worker: &Worker| {
        begins.set(true);
        run_until(worker, pool, &|| {
            let done = main_is_done.load(Relaxed);
            helped.store(done, Relaxed);
            done
        });
        goes_on.set(true);
        Step::Done(0)
    }));
    let status = in_fibers(|worker| {
        if let Some(task) = task.take() {
            worker.spawn(Box::new(task));
        }
        if !begun.get() {
            return Step::Yield;
        }
        main_is_done.store(true, Relaxed);
        Step::Done(5)
    });
    // Its helper came to its end; what is behind the loop is dropped with all that is left.
    assert_eq!((status, helped.load(Relaxed), went_on.get()), (5, true, false));
}
