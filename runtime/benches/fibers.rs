//! What turns of the scheduler cost, in nanoseconds: `cargo bench -p scaly-runtime --bench fibers`.

use std::time::{Duration, Instant};

use scaly_runtime::console::Output;
use scaly_runtime::fiber::{Operation, Scheduler, SchedulerOptions, Step, Task, Worker};
use scaly_runtime::memory::{MemoryOptions, PageSource};
use scaly_runtime::vm_stack::{DEFAULT_SLOTS, VmStack, VmStackPool};

struct Act<F>(F);

impl<F: FnMut(&Worker) -> Step> Task for Act<F> {
    fn resume(&mut self, worker: &Worker) -> Step {
        (self.0)(worker)
    }
}

fn time(name: &str, count: u32, mut body: impl FnMut()) {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        body();
        best = best.min(begun.elapsed());
    }
    println!("{name:<52} {:>10.1} ns", best.as_nanos() as f64 / f64::from(count));
}

fn main() {
    let source = PageSource::new(MemoryOptions::default());
    let mut scheduler = Scheduler::new(&source, SchedulerOptions::default());
    let mut run = |task: &mut dyn Task| assert_eq!(scheduler.run(task).ok(), Some(0));
    let count = 1_000_000;
    let turns = |left: &mut u32, then: Step| {
        *left -= 1;
        if *left == 0 { Step::Done(0) } else { then }
    };
    time("a whole run of a task that is done at once", 100_000, || {
        for _ in 0..100_000 {
            run(&mut Act(|_: &Worker| Step::Done(0)));
        }
    });
    time("a turn that yields", count, || {
        let mut left = count;
        run(&mut Act(|_: &Worker| turns(&mut left, Step::Yield)));
    });
    time("a turn that parks for no time", count / 10, || {
        let mut left = count / 10;
        run(&mut Act(|_: &Worker| turns(&mut left, Step::Park(Operation::Sleep(Duration::ZERO)))));
    });
    time("switched away and back", count, || {
        run(&mut Act(|worker: &Worker| {
            for _ in 0..count {
                worker.suspend();
            }
            Step::Done(0)
        }));
    });
    time("another fiber spawned and done", count, || {
        let mut left = count;
        run(&mut Act(|worker: &Worker| {
            worker.spawn(Box::new(Act(|_: &Worker| Step::Done(0))));
            turns(&mut left, Step::Yield)
        }));
    });
    let mut pool = VmStackPool::new(DEFAULT_SLOTS);
    time("a VM stack taken, touched, given back", 10_000, || {
        for _ in 0..10_000 {
            let stack = pool.take().expect("address space");
            // SAFETY: the first slot.
            unsafe { stack.base().write(1) };
            pool.give(stack);
        }
    });
    time("a VM stack mapped, touched, unmapped", 10_000, || {
        for _ in 0..10_000 {
            let stack = VmStack::new(DEFAULT_SLOTS).expect("address space");
            // SAFETY: the first slot.
            unsafe { stack.base().write(1) };
        }
    });
    let null = std::fs::OpenOptions::new().write(true).open("/dev/null").expect("/dev/null");
    let mut output = Output::new(std::os::fd::AsRawFd::as_raw_fd(&null));
    time("a line of 20 bytes printed", count, || {
        for _ in 0..count {
            output.write(b"a line of 20 bytes.\n").expect("written");
        }
    });
}
