//! How much of the machine others use, so that a loop asks for no more than is left.
//!
//! Read from `/proc/stat`, for the processors that this process may use, less what the process used itself. The load
//! average would be one number, but it looks back a minute and counts ourselves. A sample costs 60 us for two
//! processors and is taken at the start of a loop, at most five times a second: 0.03 % of the time.

use std::fs;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(200);
/// A loop never asks for fewer: beside a busy neighbour two threads get 1.33 of two processors, one thread one.
const LEAST: usize = 2;

/// Threads to ask for, of `threads`, when `neighbours` of `processors` are busy with others' work. Never less than
/// half: the system shares processors fairly, so those who ask for nothing get nothing.
fn width(threads: usize, processors: usize, neighbours: f64) -> usize {
    let left = processors.saturating_sub(neighbours.round() as usize);
    left.max(threads.div_ceil(2)).max(LEAST).min(threads)
}

pub(super) struct Load {
    threads: usize,
    /// By their numbers.
    processors: Vec<usize>,
    begun: Instant,
    /// Microseconds from the beginning to the next sample.
    due: AtomicU64,
    width: AtomicUsize,
    last: Mutex<Sample>,
}

#[derive(Clone, Copy)]
struct Sample {
    at: Instant,
    /// Time that the processors were busy.
    busy: Duration,
    /// Time that this process used.
    own: Duration,
    /// Processors that others used, up to now.
    neighbours: f64,
}

impl Load {
    /// `None` where the system doesn't say.
    pub(super) fn new(threads: usize, processors: Vec<usize>) -> Option<Load> {
        let now = Instant::now();
        let last = Sample { at: now, busy: busy(&processors)?, own: own()?, neighbours: 0.0 };
        Some(Load {
            threads,
            processors,
            begun: now,
            due: AtomicU64::new(EVERY.as_micros() as u64),
            width: AtomicUsize::new(threads),
            last: Mutex::new(last),
        })
    }

    /// Threads that a loop should ask for now.
    pub(super) fn width(&self, now: Instant) -> usize {
        let micros = |time: Duration| time.as_micros() as u64;
        let at = micros(now.saturating_duration_since(self.begun));
        let due = self.due.load(Ordering::Relaxed);
        // Relaxed: the winner of the exchange samples, everybody else may use an older figure.
        if at >= due && self.due.compare_exchange(due, at + micros(EVERY), Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.sample(now);
        }
        self.width.load(Ordering::Relaxed)
    }

    fn sample(&self, now: Instant) {
        let (Some(busy), Some(own)) = (busy(&self.processors), own()) else { return };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let others = busy.saturating_sub(last.busy).saturating_sub(own.saturating_sub(last.own));
        let neighbours = others.as_secs_f64() / now.saturating_duration_since(last.at).as_secs_f64().max(1e-3);
        // Half of what was known, so that one burst doesn't change the width, but a second does.
        let neighbours = (last.neighbours + neighbours) / 2.0;
        *last = Sample { at: now, busy, own, neighbours };
        self.width.store(width(self.threads, self.processors.len(), neighbours), Ordering::Relaxed);
    }
}

fn busy(processors: &[usize]) -> Option<Duration> {
    // SAFETY: asks for a number.
    let ticks = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).ok().filter(|&ticks| ticks > 0)?;
    let busy = busy_ticks(&fs::read_to_string("/proc/stat").ok()?, processors);
    Some(Duration::from_millis(busy * 1000 / ticks))
}

/// Lines "cpuN user nice system idle iowait irq softirq steal guest guest_nice"; guests are counted in user and nice.
fn busy_ticks(stat: &str, processors: &[usize]) -> u64 {
    let line = |line: &str| -> Option<u64> {
        let mut fields = line.strip_prefix("cpu")?.split_whitespace();
        let processor: usize = fields.next()?.parse().ok()?;
        processors.contains(&processor).then_some(())?;
        let busy = [true, true, true, false, false, true, true, true];
        Some(fields.zip(busy).filter(|&(_, busy)| busy).filter_map(|(ticks, _)| ticks.parse::<u64>().ok()).sum())
    };
    stat.lines().filter_map(line).sum()
}

fn own() -> Option<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a live timespec.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) } != 0;
    (!failed).then(|| Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_get_their_processors_but_not_more_than_half() {
        assert_eq!(width(64, 64, 0.2), 64);
        assert_eq!(width(64, 64, 20.3), 44);
        assert_eq!(width(64, 64, 64.0), 32);
        assert_eq!(width(4, 4, 1.0), 3);
        assert_eq!(width(4, 4, 3.9), 2);
        assert_eq!(width(2, 2, 2.0), 2);
        assert_eq!(width(1, 8, 8.0), 1);
        // A quota of 3 on 8 processors, 4 of them busy: there is room.
        assert_eq!(width(3, 8, 4.0), 3);
    }

    #[test]
    fn only_busy_time_of_our_processors_counts() {
        let stat = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 1 2 3 1000 500 4 5 6 100 100\ncpu1 7 7 7 7 7 7 7 7 0 0\n\
                    cpu10 10 0 0 1 0 0 0 0 0 0\nintr 1 2 3\n";
        assert_eq!(busy_ticks(stat, &[0, 10]), 31);
        assert_eq!(busy_ticks("", &[0]), 0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_sample_is_taken_only_when_it_is_due() {
        let load = Load::new(4, super::super::cores::affinity()).unwrap();
        let first = load.last.lock().unwrap().at;
        assert_eq!(load.width(first), 4);
        assert_eq!(load.last.lock().unwrap().at, first);
        let later = first + EVERY * 2;
        assert!((2..=4).contains(&load.width(later)));
        assert_eq!(load.last.lock().unwrap().at, later);
    }
}
