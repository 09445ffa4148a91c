//! Exits without a reason, for tests: in front of guards, chosen at random, a poll is recorded.
//!
//! Where a guard leaves to is mostly the other side of its branch, so the guard itself cannot be made to fail. The poll
//! leaves to the instruction that the guard belongs to, before any of its effects: the interpreter decides again.

/// Which guards get a poll.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Forced {
    random: u64,
    /// So many of 4.
    often: u64,
}

impl Forced {
    /// By a seed; 0: none. Some recordings have many and some none: polls keep values alive that guards do not.
    pub fn new(seed: u64) -> Forced {
        let mut forced = Forced { random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), often: 0 };
        forced.often = [0, 1, 2, 4][(forced.next() % 4) as usize];
        forced
    }

    /// xorshift64*: of zero it gives nothing but zeros.
    fn next(&mut self) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32
    }

    /// Whether the next guard gets one.
    pub fn draw(&mut self) -> bool {
        self.often != 0 && self.next() % 4 < self.often
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64) -> usize {
        let mut forced = Forced::new(seed);
        (0..1000).filter(|_| forced.draw()).count()
    }

    #[test]
    fn without_a_seed_there_are_none() {
        assert_eq!(drawn(0), 0);
    }

    #[test]
    fn seeds_give_none_some_and_all() {
        let found: Vec<usize> = (1..100).map(drawn).collect();
        for range in [0..1, 200..300, 450..550, 1000..1001] {
            assert!(found.iter().any(|n| range.contains(n)), "{range:?} {found:?}");
        }
    }
}
