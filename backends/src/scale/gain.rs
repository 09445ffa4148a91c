//! Whether several cores do a loop sooner than one.
//!
//! What an iteration costs on one core is measured on the first ones of each run. That may mislead, as others may cost
//! more: where several runs in a row seem to take longer than they would on one core, one is made on one core, whole, and
//! decides. If it was faster the loop stays there, until so many runs later that the machine may be another one.

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
    /// How many that are when a trial went badly.
    later: u32,
}

impl Gain {
    pub fn new(parameters: &Parameters) -> Gain {
        let Parameters { doubtful: patience, alone: later, .. } = *parameters;
        Gain { doubtful: 0, iterations: 0, nanoseconds: 0.0, patience, alone: 0, later }
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
            self.alone = self.later;
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
    fn a_loop_that_is_slower_on_several_cores_goes_back_and_is_tried_again_much_later() {
        let mut gain = gain();
        doubtful(&mut gain, DOUBTFUL);
        assert_eq!(gain.next(), Next::Trial);
        assert!(gain.tried(10, 85.0));
        for _ in 0..LATER {
            assert_eq!(gain.next(), Next::Alone);
        }
        assert_eq!(gain.next(), Next::Divided);
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
