//! What parallel loops cost and gain: `cargo bench -p scaly-runtime --bench pool`.
//!
//! The machine may be shared, so minima and ratios of interleaved rounds are reported.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use scaly_runtime::pool::{Chunk, Plan, Pool, PoolOptions, Status};

fn pool(threads: usize) -> Pool {
    Pool::new(PoolOptions { threads: Some(threads), ..PoolOptions::default() })
}

/// Some 20 ns: each step waits for the one before.
#[inline]
fn iteration(before: u64, i: u64) -> u64 {
    (0..16).fold(before ^ i, |x, _| x.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(7))
}

fn compute(lo: u64, hi: u64) {
    black_box((lo..hi).fold(0, iteration));
}

fn body(chunk: &Chunk) -> Status {
    compute(chunk.lo, chunk.hi);
    Status::Done
}

fn sequential(trips: u64) {
    compute(black_box(0), black_box(trips));
}

fn timed(run: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    run();
    begun.elapsed()
}

/// The least, the median and the share of rounds that a helper had a part in.
struct Figures {
    least: f64,
    median: f64,
    helped: f64,
}

/// In nanoseconds; `between` runs before each round.
fn rounds(pool: &Pool, count: usize, between: impl Fn(), run: impl Fn()) -> Figures {
    let mut helped = 0;
    let mut times: Vec<_> = (0..count)
        .map(|_| {
            between();
            let before = pool.counts().steals;
            let time = timed(&run).as_nanos() as f64;
            helped += usize::from(pool.counts().steals > before);
            time
        })
        .collect();
    times.sort_by(f64::total_cmp);
    Figures { least: times[0], median: times[count / 2], helped: helped as f64 / count as f64 }
}

fn print(name: &str, figures: &Figures) {
    let Figures { least, median, helped } = figures;
    println!("{name:<52} {least:>10.0} ns, median {median:>9.0}, helped {:>3.0} %", helped * 100.0);
}

fn costs(pool: &Pool) {
    let empty = |_: &Chunk| Status::Done;
    let run = |plan: Plan| move || _ = black_box(pool.run(&plan, &empty));
    let asleep = || thread::sleep(Duration::from_millis(1));
    print("an empty loop alone", &rounds(pool, 20_000, || (), run(Plan::new(1000).width(1))));
    print("an empty loop, helpers awake", &rounds(pool, 20_000, || (), run(Plan::new(1000))));
    print("an empty loop, helpers asleep", &rounds(pool, 500, asleep, run(Plan::new(1000))));
    print("as before, but known to be short", &rounds(pool, 500, asleep, run(Plan::new(1000).expect(1.0))));
}

/// Two iterations that wait for one another: how long until a helper has begun.
fn starts(pool: &Pool) {
    let met = AtomicU64::new(0);
    let meet = |_: &Chunk| {
        met.fetch_add(1, Ordering::AcqRel);
        while met.load(Ordering::Acquire) < 2 {
            std::hint::spin_loop();
        }
        Status::Done
    };
    let run = || {
        met.store(0, Ordering::Relaxed);
        pool.run(&Plan::new(2), &meet);
    };
    print("two threads meet, the helper awake", &rounds(pool, 20_000, || (), run));
    let asleep = || thread::sleep(Duration::from_millis(1));
    print("two threads meet, the helper asleep", &rounds(pool, 500, asleep, run));
}

/// From which length on the parallel loop is the faster one.
fn break_even(pool: &Pool) {
    println!("{:<20} {:>12} {:>12} {:>12} {:>12}", "trips of 20 ns", "sequential", "awake", "asleep", "asleep, told");
    for trips in [30, 60, 100, 200, 400, 800, 1600, 3200] {
        let warm = || ();
        let asleep = || thread::sleep(Duration::from_micros(500));
        let alone = rounds(pool, 2000, warm, || sequential(trips)).median;
        let run = |plan: Plan| move || _ = black_box(pool.run(&plan, &body));
        let awake = rounds(pool, 2000, warm, run(Plan::new(trips))).median;
        // The same pause before, so that caches and clocks are as cold.
        let cold = rounds(pool, 200, asleep, || sequential(trips)).median;
        let woken = rounds(pool, 200, asleep, run(Plan::new(trips))).median;
        let told = rounds(pool, 200, asleep, run(Plan::new(trips).expect(20.0))).median;
        println!("{trips:<20} {alone:>9.0} ns {:>12.2} {:>12.2} {:>12.2}", awake / alone, woken / cold, told / cold);
    }
}

/// Ratios of interleaved rounds; two plain threads with half each show what the machine has to give.
fn speed_up(name: &str, threads: usize, trips: u64, count: usize) {
    let (one, many) = (pool(1), pool(threads));
    let halves = || {
        thread::scope(|scope| {
            scope.spawn(|| sequential(trips / 2));
            sequential(trips / 2);
        });
    };
    let mut all: [Vec<f64>; 4] = Default::default();
    for _ in 0..count {
        let times = [
            timed(|| sequential(trips)),
            timed(|| _ = one.run(&Plan::new(trips), &body)),
            timed(|| _ = many.run(&Plan::new(trips), &body)),
            timed(halves),
        ];
        for (all, time) in all.iter_mut().zip(times) {
            all.push(time.as_nanos() as f64);
        }
    }
    let [alone, one, many, halves] = all.map(|mut times| {
        times.sort_by(f64::total_cmp);
        (times[0], times[count / 2])
    });
    println!("{name} ({:.3} ms, {threads} threads)", alone.0 / 1e6);
    for (what, times) in [("a pool of one thread", one), ("the pool", many), ("two plain threads", halves)] {
        let (least, median) = (alone.0 / times.0, alone.1 / times.1);
        println!("    {what:<24} {least:>6.3} times as fast, medians {median:.3}");
    }
}

fn main() {
    let two = pool(2);
    costs(&two);
    starts(&two);
    break_even(&two);
    speed_up("100 us of computing", 2, 5_000, 1000);
    speed_up("1 ms of computing", 2, 50_000, 300);
    speed_up("30 ms of computing", 2, 1_500_000, 40);
    speed_up("30 ms on more threads than cores", 16, 1_500_000, 40);
    let load = Pool::new(PoolOptions::default());
    print("the width asked for", &rounds(&load, 20_000, || (), || _ = black_box(load.width())));
    let sampled = rounds(&load, 20, || thread::sleep(Duration::from_millis(210)), || _ = black_box(load.width()));
    print("the width sampled", &sampled);
}
