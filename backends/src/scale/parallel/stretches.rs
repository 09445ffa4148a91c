//! How long the stretches of a run are.

use crate::scale::gain::Next;

/// Iterations for each worker that a stretch has at least: at its end they wait for one another, half an iteration in the
/// mean, which so is a five-hundredth of the time.
const LEAST: u64 = 256;
/// A trial is so many times shorter than another stretch, and may have as many times fewer iterations than these for a worker.
const TRIAL: f64 = 4.0;
const FEWER: u64 = 16;

pub struct Stretches {
    nanoseconds: f64,
    workers: u64,
    /// Iterations, for each worker.
    least: u64,
    /// Nanoseconds of an iteration on one core, as last measured.
    cost: f64,
    /// How much longer than the first: twice as long as the one before while several cores are faster.
    times: f64,
}

impl Stretches {
    /// `cost`: what an iteration takes on one core, in nanoseconds. `forced`: they may be of any length.
    pub fn new(microseconds: u32, workers: usize, cost: f64, forced: bool) -> Stretches {
        let (nanoseconds, least) = (f64::from(microseconds) * 1e3, if forced { 1 } else { LEAST });
        Stretches { nanoseconds, workers: workers as u64, least, cost, times: 1.0 }
    }

    /// The end of the stretch that begins with this iteration. One that would leave less than itself is the last.
    pub fn end(&self, from: u64, trips: u64, how: Next) -> u64 {
        let workers = self.workers_of(how);
        let (shorter, fewer) = if how == Next::Trial { (TRIAL, FEWER) } else { (1.0, 1) };
        let iterations = self.nanoseconds * self.times / shorter / self.cost.max(1e-3) * workers as f64;
        let iterations = (iterations as u64).max(self.least.div_ceil(fewer).saturating_mul(workers));
        if trips - from < iterations.saturating_mul(2) { trips } else { from + iterations }
    }

    /// What one took. `doubtful`: several cores did not seem to be faster.
    pub fn made(&mut self, how: Next, iterations: u64, took: f64, doubtful: bool) {
        self.cost = took * self.workers_of(how) as f64 / iterations.max(1) as f64;
        self.times = if how == Next::Divided && !doubtful { self.times * 2.0 } else { 1.0 };
    }

    fn workers_of(&self, how: Next) -> u64 {
        if how == Next::Divided { self.workers } else { 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ends of the stretches of a loop whose iterations take so many nanoseconds on one core.
    fn ends(mut stretches: Stretches, trips: u64, cost: f64, doubtful: bool) -> Vec<u64> {
        let (mut ends, mut done) = (Vec::new(), 0);
        while done < trips {
            let end = stretches.end(done, trips, Next::Divided);
            stretches.made(Next::Divided, end - done, (end - done) as f64 * cost / 2.0, doubtful);
            ends.push(end);
            done = end;
        }
        ends
    }

    #[test]
    fn they_grow_while_several_cores_are_faster() {
        let new = || Stretches::new(1000, 2, 1000.0, false);
        assert_eq!(ends(new(), 30_000, 1000.0, false), [2000, 6000, 14_000, 30_000]);
        assert_eq!(ends(new(), 9000, 1000.0, true), [2000, 4000, 6000, 9000]);
        assert_eq!(ends(new(), 3999, 1000.0, false), [3999]);
    }

    #[test]
    fn few_long_iterations_are_not_parted() {
        assert_eq!(ends(Stretches::new(1000, 16, 1e9, false), 8191, 1e9, true), [8191]);
        assert_eq!(ends(Stretches::new(1000, 2, 1e9, true), 6, 1e9, true), [2, 4, 6]);
        assert!(ends(Stretches::new(1, 2, 0.0, false), u64::MAX, 1e-9, false).len() < 64);
    }

    #[test]
    fn a_trial_is_short_and_of_one_worker() {
        let stretches = Stretches::new(10_000, 16, 1000.0, false);
        assert_eq!(stretches.end(5, 1_000_000, Next::Trial), 5 + 2500);
        assert_eq!(stretches.end(5, 1_000_000, Next::Alone), 5 + 10_000);
        let long = Stretches::new(10_000, 16, 1e9, false);
        assert_eq!(long.end(5, 1_000_000, Next::Trial), 5 + LEAST / FEWER);
    }
}
