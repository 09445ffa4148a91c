//! Whether several cores do a loop sooner than one.
//!
//! A loop is made in stretches: a run, or a part of a long one. What an iteration costs on one core is measured on the first
//! ones of each run. That may mislead, as others may cost more: where several stretches in a row seem to take longer than
//! they would on one core, one is made on one core and another one on all. If it was faster than those before it and than the
//! one behind it, twice in a row, so that iterations that cost more and more, less and less or now and then do not mislead, the
//! loop stays there for some stretches: for a few at first, since a neighbour on the machine who takes a core for some
//! milliseconds looks the same, and for more each time that it turns out so again.

use scaly_tracer::parameters::Parameters;

/// How the next stretch is to be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    Divided,
    /// On one core, measured.
    Trial,
    Alone,
}

#[derive(Debug)]
pub struct Gain {
    /// Doubtful stretches in a row, their iterations and nanoseconds.
    doubtful: u32,
    iterations: u64,
    nanoseconds: f64,
    /// How many it takes until a trial: more each time that a trial went well.
    patience: u32,
    /// Nanoseconds of an iteration in a trial that is to be compared yet.
    trial: Option<f64>,
    /// Trials in a row in which one core was faster.
    slower: u32,
    /// Stretches that are made on one core yet.
    alone: u32,
    /// How many that are when a trial goes badly, and how many they may become.
    later: u32,
    latest: u32,
    /// Stretches on several cores that were faster, since the last trial that went badly.
    faster: u32,
}

/// By how much the stretches on one core grow from trial to trial, and with what share of the most they begin. As many that
/// were faster show that the reason has gone.
const GROWTH: u32 = 4;
const FIRST: u32 = 64;
/// As many trials decide; and one in which iterations took less than such a part of what they take on several cores says that
/// they differ, not that several cores are so slow.
const TRIALS: u32 = 2;
const OTHERS: f64 = 4.0;

impl Gain {
    pub fn new(parameters: &Parameters) -> Gain {
        let Parameters { doubtful: patience, alone: latest, .. } = *parameters;
        let later = latest.div_ceil(FIRST);
        Gain {
            doubtful: 0,
            iterations: 0,
            nanoseconds: 0.0,
            patience,
            trial: None,
            slower: 0,
            alone: 0,
            later,
            latest,
            faster: 0,
        }
    }

    pub fn next(&mut self) -> Next {
        if self.alone > 0 {
            self.alone -= 1;
            return Next::Alone;
        }
        if self.doubtful >= self.patience && self.trial.is_none() { Next::Trial } else { Next::Divided }
    }

    /// A stretch on several cores took so many nanoseconds, and would have taken so many on one, as far as is known. Whether
    /// the loop is run on one core now.
    pub fn divided(&mut self, iterations: u64, took: f64, expected: f64) -> bool {
        let each = took / iterations.max(1) as f64;
        if let Some(alone) = self.trial.take() {
            let divided = each.min(self.nanoseconds / self.iterations.max(1) as f64);
            let slower = (divided / OTHERS..=divided).contains(&alone);
            self.slower = if slower { self.slower + 1 } else { 0 };
            if slower && self.slower < TRIALS {
                (self.iterations, self.nanoseconds) = (iterations, took);
                return false;
            }
            self.decided(slower);
            return slower;
        }
        if took < expected {
            self.forget();
            self.faster = self.faster.saturating_add(1);
        } else {
            self.doubtful += 1;
            self.iterations += iterations;
            self.nanoseconds += took;
        }
        false
    }

    /// What the trial took.
    pub fn tried(&mut self, iterations: u64, took: f64) {
        self.trial = Some(took / iterations.max(1) as f64);
    }

    fn decided(&mut self, slower: bool) {
        self.forget();
        if !slower {
            self.patience = self.patience.saturating_mul(2);
            return;
        }
        if self.faster >= FIRST {
            self.later = self.latest.div_ceil(FIRST);
        }
        self.alone = self.later;
        (self.later, self.faster) = (self.later.saturating_mul(GROWTH).min(self.latest), 0);
    }

    fn forget(&mut self) {
        (self.doubtful, self.iterations, self.nanoseconds, self.slower) = (0, 0, 0.0, 0);
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

    /// Of 100 iterations.
    fn divided(gain: &mut Gain, took: f64) -> bool {
        assert_eq!(gain.next(), Next::Divided);
        gain.divided(100, took, 800.0)
    }

    fn doubtful(gain: &mut Gain, stretches: u32) {
        assert!((0..stretches).all(|_| !divided(gain, 900.0)));
    }

    /// A trial, and what is behind it; whether the loop is run on one core now.
    fn trial(gain: &mut Gain, iterations: u64, took: f64, behind: f64) -> bool {
        assert_eq!(gain.next(), Next::Trial);
        gain.tried(iterations, took);
        divided(gain, behind)
    }

    #[test]
    fn a_loop_that_is_slower_on_several_cores_goes_back_and_is_tried_again_later_and_later() {
        let mut gain = gain();
        let mut goes_back = |faster: u32| {
            assert!((0..faster).all(|_| !divided(&mut gain, 500.0)));
            doubtful(&mut gain, DOUBTFUL);
            assert!(!trial(&mut gain, 10, 85.0, 900.0), "it may be by chance");
            assert!(trial(&mut gain, 10, 85.0, 900.0));
            (0..).take_while(|_| gain.next() == Next::Alone).count()
        };
        let runs = [goes_back(0), goes_back(1), goes_back(0), goes_back(0), goes_back(0), goes_back(FIRST)];
        assert_eq!(runs, [16, 64, 256, 1024, 1024, 16]);
    }

    #[test]
    fn a_stretch_that_is_faster_ends_the_doubt() {
        let mut gain = gain();
        doubtful(&mut gain, DOUBTFUL - 1);
        divided(&mut gain, 500.0);
        doubtful(&mut gain, DOUBTFUL);
        assert_eq!(gain.next(), Next::Trial);
    }

    #[test]
    fn where_the_first_iterations_are_cheap_the_trial_says_so_and_comes_less_often() {
        let mut gain = gain();
        doubtful(&mut gain, DOUBTFUL);
        assert!(!trial(&mut gain, 100, 1700.0, 900.0));
        doubtful(&mut gain, 2 * DOUBTFUL);
        assert_eq!(gain.next(), Next::Trial);
    }

    #[test]
    fn iterations_that_cost_less_and_less_do_not_mislead() {
        let mut gain = gain();
        doubtful(&mut gain, DOUBTFUL);
        assert!(!trial(&mut gain, 100, 850.0, 450.0), "the one behind was faster");
        assert_eq!(gain.next(), Next::Divided);
    }

    #[test]
    fn a_few_dear_iterations_do_not_mislead() {
        let mut gain = gain();
        doubtful(&mut gain, DOUBTFUL);
        assert!(!trial(&mut gain, 100, 2.0, 900.0), "what is on all cores must be something else");
        doubtful(&mut gain, 2 * DOUBTFUL);
        assert!(!trial(&mut gain, 100, 700.0, 900.0));
        assert!(!trial(&mut gain, 100, 1000.0, 900.0), "once is by chance");
        assert_eq!(gain.next(), Next::Divided);
    }
}
