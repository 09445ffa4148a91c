//! Parallel loops as their callers see them: every iteration once, the lowest end wins, results in order, no thread too
//! many and none that spins for nothing.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Barrier, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::task::{Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use scaly_runtime::pool::{Chunk, InOrder, Parking, PerWorker, Plan, Pool, PoolOptions, Status};

/// Tests of time or of CPU use are alone in the process, others share it.
static ALONE: RwLock<()> = RwLock::new(());

fn beside() -> RwLockReadGuard<'static, ()> {
    ALONE.read().unwrap_or_else(PoisonError::into_inner)
}

fn alone() -> RwLockWriteGuard<'static, ()> {
    ALONE.write().unwrap_or_else(PoisonError::into_inner)
}

fn pool(threads: usize) -> Pool {
    Pool::new(PoolOptions { threads: Some(threads), ..PoolOptions::default() })
}

fn forced(threads: usize, chunk: u64, seed: u64) -> Pool {
    Pool::new(PoolOptions { threads: Some(threads), chunk: Some(chunk), seed: Some(seed), ..PoolOptions::default() })
}

fn any_options() -> impl Strategy<Value = PoolOptions> {
    (prop_oneof![1..5_usize, Just(16)], prop::option::of(1..20_u64), prop::option::of(any::<u64>())).prop_map(
        |(threads, chunk, seed)| PoolOptions { threads: Some(threads), chunk, seed, ..PoolOptions::default() },
    )
}

/// A plan and its iterations.
fn any_plan() -> impl Strategy<Value = (Plan, u64)> {
    let trips = prop_oneof![0..10_u64, 0..300_u64, 0..20_000_u64];
    let expected = prop::option::of(prop_oneof![0.1..100.0, 1e3..1e9]);
    (trips, 1..70_u64, 0..100_u64, expected, prop::option::of(1..6_usize)).prop_map(
        |(trips, align, first, expected, width)| {
            let mut plan = Plan::new(trips);
            if align < 50 {
                plan = plan.align(align, first);
            }
            if let Some(ns) = expected {
                plan = plan.expect(ns);
            }
            (width.map_or(plan, |width| plan.width(width)), trips)
        },
    )
}

/// Computes for about a microsecond.
fn work() {
    std::hint::black_box((0..300_u64).fold(1, |x: u64, i| std::hint::black_box(x.wrapping_mul(31) ^ i)));
}

fn counters(trips: u64) -> Vec<AtomicU8> {
    (0..trips).map(|_| AtomicU8::new(0)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_iteration_runs_once_within_borders(
        options in any_options(), trips in prop_oneof![0..10_u64, 0..20_000_u64], align in 1..65_u64, first in 0..100_u64,
        loops in 1..4,
    ) {
        let _beside = beside();
        let pool = Pool::new(options);
        for _ in 0..loops {
            let ran = counters(trips);
            let bad = AtomicBool::new(false);
            let body = |chunk: &Chunk| {
                let is_border = |at: u64| at == 0 || at == trips || at % align == first % align;
                let fine = chunk.lo < chunk.hi && chunk.hi <= trips && chunk.worker < pool.workers();
                if !(fine && is_border(chunk.lo) && is_border(chunk.hi)) {
                    bad.store(true, Relaxed);
                }
                for i in chunk.lo..chunk.hi {
                    ran[i as usize].fetch_add(1, Relaxed);
                }
                Status::Done
            };
            prop_assert_eq!(pool.run(&Plan::new(trips).align(align, first), &body), Status::Done);
            prop_assert!(!bad.into_inner());
            prop_assert!(ran.iter().all(|count| count.load(Relaxed) == 1));
        }
    }

    #[test]
    fn results_combine_in_order(options in any_options(), (plan, trips) in any_plan()) {
        let _beside = beside();
        let pool = Pool::new(options);
        let lists = InOrder::new(&pool);
        let body = |chunk: &Chunk| {
            lists.with(chunk, Vec::new, |list| list.extend(chunk.lo..chunk.hi));
            Status::Done
        };
        pool.run(&plan, &body);
        let all: Vec<u64> = lists.into_ordered().into_iter().flat_map(|(lo, hi, list)| {
            assert_eq!(list.len() as u64, hi - lo);
            list
        }).collect();
        prop_assert_eq!(all, (0..trips).collect::<Vec<_>>());
    }

    #[test]
    fn the_lowest_end_wins(
        options in any_options(), trips in 1..5_000_u64, ends in prop::collection::btree_set(0..5_000_u64, 0..12),
    ) {
        let _beside = beside();
        let pool = Pool::new(options);
        let ran = counters(trips);
        let body = |chunk: &Chunk| {
            for i in chunk.lo..chunk.hi {
                if !chunk.wants(i) {
                    break;
                }
                ran[i as usize].fetch_add(1, Relaxed);
                if ends.contains(&i) {
                    return Status::Stopped(i);
                }
            }
            Status::Done
        };
        let expected = ends.iter().copied().find(|&end| end < trips);
        let status = pool.run(&Plan::new(trips), &body);
        prop_assert_eq!(status, expected.map_or(Status::Done, Status::Stopped));
        let below = expected.map_or(trips, |end| end + 1) as usize;
        prop_assert!(ran[..below].iter().all(|count| count.load(Relaxed) == 1));
        prop_assert!(ran.iter().all(|count| count.load(Relaxed) <= 1));
    }

    #[test]
    fn nested_loops_run_whole(options in any_options(), outer in 0..20_u64, middle in 0..10_u64, inner in 0..30_u64) {
        let _beside = beside();
        let pool = Pool::new(options);
        let total = AtomicU64::new(0);
        let innermost = |chunk: &Chunk| {
            total.fetch_add(chunk.hi - chunk.lo, Relaxed);
            Status::Done
        };
        let inside = |chunk: &Chunk| {
            for _ in chunk.lo..chunk.hi {
                pool.run(&Plan::new(inner), &innermost);
            }
            Status::Done
        };
        let outside = |chunk: &Chunk| {
            for _ in chunk.lo..chunk.hi {
                pool.run(&Plan::new(middle), &inside);
            }
            Status::Done
        };
        prop_assert_eq!(pool.run(&Plan::new(outer), &outside), Status::Done);
        prop_assert_eq!(total.into_inner(), outer * middle * inner);
    }

    #[test]
    fn any_plan_is_run_whole(options in any_options(), (plan, trips) in any_plan(), micros in any::<bool>()) {
        let _beside = beside();
        let pool = Pool::new(options);
        let total = AtomicU64::new(0);
        let states = PerWorker::new(&pool);
        let body = |chunk: &Chunk| {
            states.with(chunk, || 0_u64, |own| *own += chunk.hi - chunk.lo);
            if micros && chunk.hi - chunk.lo < 100 {
                work();
            }
            total.fetch_add(chunk.hi - chunk.lo, Relaxed);
            Status::Done
        };
        pool.run(&plan, &body);
        prop_assert_eq!(states.into_values().sum::<u64>(), trips);
        prop_assert_eq!(total.into_inner(), trips);
    }
}

#[test]
fn a_chunk_that_follows_continues_its_worker() {
    let _beside = beside();
    let pool = forced(3, 2, 5);
    let ends: Vec<_> = (0..3).map(|_| AtomicU64::new(u64::MAX)).collect();
    let followed = AtomicU64::new(0);
    let body = |chunk: &Chunk| {
        let before = ends[chunk.worker].swap(chunk.hi, Relaxed);
        if chunk.follows {
            assert_eq!(before, chunk.lo);
            followed.fetch_add(1, Relaxed);
        }
        Status::Done
    };
    pool.run(&Plan::new(1000), &body);
    // 500 chunks; each split costs one at most.
    assert!(followed.into_inner() > 100);
}

#[test]
fn ten_thousand_short_loops() {
    let _beside = beside();
    for threads in [2, 3, 16] {
        let pool = pool(threads);
        let total = AtomicU64::new(0);
        let body = |chunk: &Chunk| {
            total.fetch_add(chunk.hi - chunk.lo, Relaxed);
            Status::Done
        };
        for i in 0..10_000 {
            pool.run(&Plan::new(1 + i % 40), &body);
        }
        assert_eq!(total.into_inner(), (0..10_000).map(|i| 1 + i % 40).sum::<u64>());
    }
}

#[test]
fn a_loop_is_shared() {
    let _beside = beside();
    for threads in [2, 16, 64] {
        let pool = pool(threads);
        // All threads are in the loop at once, or this never ends.
        let barrier = Barrier::new(threads);
        let body = |chunk: &Chunk| {
            for _ in chunk.lo..chunk.hi {
                barrier.wait();
            }
            Status::Done
        };
        assert_eq!(pool.run(&Plan::new(threads as u64), &body), Status::Done);
        assert_eq!(pool.counts().started, threads - 1);
    }
}

#[test]
fn the_owner_takes_part_again() {
    let _beside = beside();
    let pool = pool(2);
    // The helper gets the upper half; the owner is done at once, and only its share of the rest can free the helper.
    let helped = AtomicUsize::new(0);
    let owner_again = AtomicBool::new(false);
    let body = |chunk: &Chunk| {
        for i in chunk.lo..chunk.hi {
            if i < 50 {
                continue;
            }
            if chunk.worker == 0 {
                owner_again.store(true, Relaxed);
            } else {
                helped.fetch_add(1, Relaxed);
                let begun = Instant::now();
                while helped.load(Relaxed) > 2 && !owner_again.load(Relaxed) && begun.elapsed().as_secs() < 10 {
                    thread::yield_now();
                }
                thread::sleep(Duration::from_micros(200));
            }
        }
        Status::Done
    };
    for _ in 0..20 {
        helped.store(0, Relaxed);
        owner_again.store(false, Relaxed);
        pool.run(&Plan::new(100), &body);
        assert!(helped.load(Relaxed) < 50, "the owner only waited");
    }
}

#[test]
fn no_thread_before_it_is_needed() {
    let _beside = beside();
    let pool = pool(4);
    let body = |_: &Chunk| Status::Done;
    pool.run(&Plan::new(0), &body);
    pool.run(&Plan::new(1), &body);
    pool.run(&Plan::new(100).expect(3.0), &body);
    pool.run(&Plan::new(1_000_000).width(1), &body);
    assert_eq!(pool.counts().started, 0);
}

#[test]
fn several_callers_at_once() {
    let _beside = beside();
    for threads in [1, 2, 5] {
        let pool = forced(threads, 3, 9);
        thread::scope(|scope| {
            // More than the pool has places for.
            for caller in 0..24_u64 {
                let pool = &pool;
                scope.spawn(move || {
                    for round in 0..30 {
                        let trips = 100 + caller * 7 + round;
                        let sum = AtomicU64::new(0);
                        let body = |chunk: &Chunk| {
                            sum.fetch_add((chunk.lo..chunk.hi).sum(), Relaxed);
                            if chunk.lo.is_multiple_of(5) {
                                work();
                            }
                            Status::Done
                        };
                        assert_eq!(pool.run(&Plan::new(trips), &body), Status::Done);
                        assert_eq!(sum.into_inner(), trips * (trips - 1) / 2);
                    }
                });
            }
        });
    }
}

#[test]
fn a_panic_goes_on_in_the_caller() {
    let _beside = beside();
    for threads in [1, 2, 8] {
        let pool = forced(threads, 1, 3);
        let running = AtomicUsize::new(0);
        let body = |chunk: &Chunk| {
            running.fetch_add(1, Relaxed);
            work();
            running.fetch_sub(1, Relaxed);
            // No message on the terminal.
            if chunk.lo == 70 {
                std::panic::resume_unwind(Box::new("seventy"));
            }
            Status::Done
        };
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pool.run(&Plan::new(500), &body)));
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"seventy"));
        assert_eq!(running.load(Relaxed), 0);
        // And the pool is as before.
        assert_eq!(pool.run(&Plan::new(60), &body), Status::Done);
    }
}

#[test]
fn a_long_chunk_sees_the_bound() {
    let _beside = beside();
    let pool = pool(2);
    let waiting = AtomicBool::new(false);
    // The upper iteration runs until the lower one ends the loop.
    let body = |chunk: &Chunk| {
        if chunk.lo == 1 {
            waiting.store(true, Relaxed);
            while chunk.wants(1) {
                thread::yield_now();
            }
            return Status::Done;
        }
        while !waiting.load(Relaxed) {
            thread::yield_now();
        }
        Status::Stopped(0)
    };
    assert_eq!(pool.run(&Plan::new(2), &body), Status::Stopped(0));
}

#[test]
fn refused_threads_are_done_without() {
    let _beside = beside();
    static STARTED: AtomicU32 = AtomicU32::new(0);
    fn none(_: thread::Builder, _: Box<dyn FnOnce() + Send>) -> io::Result<thread::JoinHandle<()>> {
        Err(io::Error::from_raw_os_error(libc::EAGAIN))
    }
    fn two(builder: thread::Builder, body: Box<dyn FnOnce() + Send>) -> io::Result<thread::JoinHandle<()>> {
        if STARTED.fetch_add(1, Relaxed) < 2 { builder.spawn(body) } else { none(builder, body) }
    }
    let spawns: [(scaly_runtime::pool::Spawn, usize); 2] = [(none, 0), (two, 2)];
    for (spawn, most) in spawns {
        let pool = Pool::new(PoolOptions { threads: Some(8), spawn, ..PoolOptions::default() });
        for _ in 0..20 {
            let total = AtomicU64::new(0);
            let body = |chunk: &Chunk| {
                for _ in chunk.lo..chunk.hi {
                    work();
                }
                total.fetch_add(chunk.hi - chunk.lo, Relaxed);
                Status::Done
            };
            assert_eq!(pool.run(&Plan::new(2_000), &body), Status::Done);
            assert_eq!(total.into_inner(), 2_000);
        }
        assert!(pool.counts().started <= most);
        if most == 0 {
            let refused = pool.take_refused().unwrap();
            assert_eq!((refused.threads, refused.wanted, refused.error.raw_os_error()), (1, 8, Some(libc::EAGAIN)));
            assert!(pool.take_refused().is_none());
        } else if pool.counts().started == most {
            assert!(pool.take_refused().is_none_or(|refused| refused.threads <= 3));
        }
    }
}

fn cpu_time() -> Duration {
    // SAFETY: a zeroed rusage is one, and it is live while it is filled.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

#[test]
fn an_idle_pool_uses_no_cpu() {
    let _alone = alone();
    for threads in [2, 16, 64] {
        let pool = pool(threads);
        let body = |chunk: &Chunk| {
            for _ in chunk.lo..chunk.hi {
                work();
            }
            Status::Done
        };
        for _ in 0..10 {
            pool.run(&Plan::new(20_000), &body);
        }
        assert!(pool.counts().started > 0);
        thread::sleep(Duration::from_millis(20));
        let before = cpu_time();
        thread::sleep(Duration::from_millis(200));
        let used = cpu_time() - before;
        assert!(used < Duration::from_millis(10), "{used:?} with {threads} threads");
    }
}

#[test]
fn an_exit_does_not_wait_for_helpers() {
    const CHILD: &str = "SCALY_POOL_TEST_CHILD";
    let body = |chunk: &Chunk| {
        for _ in chunk.lo..chunk.hi {
            work();
        }
        Status::Done
    };
    if std::env::var_os(CHILD).is_some() {
        Pool::of_process(|| PoolOptions { threads: Some(8), ..PoolOptions::default() }).run(&Plan::new(10_000), &body);
        std::process::exit(42);
    }
    let _beside = beside();
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "an_exit_does_not_wait_for_helpers"]).env(CHILD, "1");
    let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert_eq!(status.code(), Some(42));
            return;
        }
        if begun.elapsed().as_secs() > 30 {
            child.kill().unwrap();
            panic!("the child hangs");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_fiber_may_park_instead() {
    let _beside = beside();
    #[derive(Default)]
    struct Bell {
        rung: Mutex<bool>,
        changed: Condvar,
    }
    impl Bell {
        fn rung(&self) -> MutexGuard<'_, bool> {
            self.rung.lock().unwrap()
        }
    }
    impl Wake for Bell {
        fn wake(self: std::sync::Arc<Bell>) {
            *self.rung() = true;
            self.changed.notify_one();
        }
    }
    struct Parks(std::sync::Arc<Bell>, AtomicUsize);
    impl Parking for Parks {
        fn waker(&self) -> Waker {
            Waker::from(std::sync::Arc::clone(&self.0))
        }
        fn park(&self) {
            self.1.fetch_add(1, Relaxed);
            let mut rung = self.0.rung();
            while !*rung {
                rung = self.0.changed.wait(rung).unwrap();
            }
            *rung = false;
        }
    }
    let pool = pool(3);
    let parks = Parks(std::sync::Arc::default(), AtomicUsize::new(0));
    let barrier = Barrier::new(3);
    let body = |chunk: &Chunk| {
        for _ in chunk.lo..chunk.hi {
            barrier.wait();
            if chunk.worker > 0 {
                thread::sleep(Duration::from_millis(10));
            }
        }
        Status::Done
    };
    for _ in 0..30 {
        assert_eq!(pool.run_parking(&Plan::new(3), &body, &parks), Status::Done);
    }
    // Not each time: beside busy neighbours a few yields may be the whole wait.
    assert!(parks.1.load(Relaxed) > 0);
}

#[test]
fn deep_nesting_needs_no_more_stack_than_its_own() {
    let _beside = beside();
    fn go(pool: &Pool, depth: u32, leaves: &AtomicU64) {
        if depth == 0 {
            leaves.fetch_add(1, Relaxed);
            return;
        }
        let body = |chunk: &Chunk| {
            for _ in chunk.lo..chunk.hi {
                go(pool, depth - 1, leaves);
            }
            Status::Done
        };
        pool.run(&Plan::new(2), &body);
    }
    for threads in [2, 4, 16] {
        let pool = Pool::new(PoolOptions {
            threads: Some(threads),
            seed: Some(1),
            stack: 256 << 10,
            ..PoolOptions::default()
        });
        let leaves = AtomicU64::new(0);
        go(&pool, 14, &leaves);
        assert_eq!(leaves.into_inner(), 1 << 14);
    }
}
