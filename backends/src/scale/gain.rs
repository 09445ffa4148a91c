//! Whether several cores do a loop sooner than one.
//!
//! What an iteration costs on one core is measured on the first ones of each run. That may mislead, as others may cost
//! more: where several runs in a row seem to take longer than they would on one core, one is made on one core, whole, and
//! decides. If it was faster the loop stays there for some runs: for a few at first, since a neighbour on the machine who
//! takes a core for some milliseconds looks the same, and for more each time that it turns out so again.

use scaly_tracer::parameters::Parameters;

/// How the next run is to be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    Divided,
    /// On one core, measured.
    Trial,
    Alone,
}

#[derive(Debug)]
pub struct Gain {
    /// Doubtful runs in a row, their iterations and nanoseconds.
    doubtful: u32,
    iterations: u64,
    nanoseconds: f64,
    /// How many it takes until a trial: more each time that a trial went well.
    patience: u32,
    /// Runs that are made on one core yet.
    alone: u32,
    /// How many that are when a trial goes badly, and how many they may become.
    later: u32,
    latest: u32,
    /// Runs on several cores that were faster, since the last trial that went badly.
    faster: u32,
}

/// By how much the runs on one core grow from trial to trial, and with what share of the most they begin. As many that
/// were faster show that the reason has gone.
const GROWTH: u32 = 4;
const FIRST: u32 = 64;

impl Gain {
    pub fn new(parameters: &Parameters) -> Gain {
        let Parameters { doubtful: patience, alone: latest, .. } = *parameters;
        let later = latest.div_ceil(FIRST);
        Gain { doubtful: 0, iterations: 0, nanoseconds: 0.0, patience, alone: 0, later, latest, faster: 0 }
    }

    pub fn next(&mut self) -> Next {
        if self.alone > 0 {
            self.alone -= 1;
            return Next::Alone;
        }
        if self.doubtful >= self.patience { Next::Trial } else { Next::Divided }
    }

    /// A run on several cores took so many nanoseconds, and would have taken so many on one.
    pub fn divided(&mut self, iterations: u64, took: f64, expected: f64) {
        if took < expected {
            (self.doubtful, self.iterations, self.nanoseconds) = (0, 0, 0.0);
            self.faster = self.faster.saturating_add(1);
        } else {
            self.doubtful += 1;
            self.iterations += iterations;
            self.nanoseconds += took;
        }
    }

    /// What the trial took; whether the loop is run on one core now.
    pub fn tried(&mut self, iterations: u64, took: f64) -> bool {
        let divided = self.nanoseconds / self.iterations.max(1) as f64;
        let slower = took / iterations.max(1) as f64 <= divided;
        (self.doubtful, self.iterations, self.nanoseconds) = (0, 0, 0.0);
        if slower {
            if self.faster >= FIRST {
                self.later = self.latest.div_ceil(FIRST);
            }
            self.alone = self.later;
            (self.later, self.faster) = (self.later.saturating_mul(GROWTH).min(self.latest), 0);
        } else {
            self.patience = self.patience.saturating_mul(2);
        }
        slower
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOUBTFUL: u32 = 4;
    const LATER: u32 = 1024;

    fn gain() -> Gain {
        Gain::new(&Parameters { doubtful: DOUBTFUL, alone: LATER, ..Parameters::default() })
    }

    fn doubtful(gain: &mut Gain, runs: u32) {
        for _ in 0..runs {
            assert_eq!(gain.next(), Next::Divided);
            gain.divided(100, 900.0, 800.0);
        }
    }

    #[test]
    fn a_loop_that_is_slower_on_several_cores_goes_back_and_is_tried_again_later_and_later() {
        let mut gain = gain();
        let mut goes_back = |faster: u32| {
            (0..faster).for_each(|_| gain.divided(100, 500.0, 800.0));
            doubtful(&mut gain, DOUBTFUL);
            assert_eq!(gain.next(), Next::Trial);
            assert!(gain.tried(10, 85.0));
            (0..).take_while(|_| gain.next() == Next::Alone).count()
        };
        let runs = [goes_back(0), goes_back(1), goes_back(0), goes_back(0), goes_back(0), goes_back(FIRST)];
        assert_eq!(runs, [16, 64, 256, 1024, 1024, 16]);
    }

    #[test]
    fn a_run_that_is_faster_ends_the_doubt() {
        let mut gain = gain();
        doubtful(&mut gain, DOUBTFUL - 1);
        gain.divided(100, 500.0, 800.0);
        doubtful(&mut gain, DOUBTFUL);
        assert_eq!(gain.next(), Next::Trial);
    }

    #[test]
    fn where_the_first_iterations_are_cheap_the_trial_says_so_and_comes_less_often() {
        let mut gain = gain();
        doubtful(&mut gain, DOUBTFUL);
        assert_eq!(gain.next(), Next::Trial);
        assert!(!gain.tried(100, 1700.0));
        doubtful(&mut gain, 2 * DOUBTFUL);
        assert_eq!(gain.next(), Next::Trial);
    }
}
