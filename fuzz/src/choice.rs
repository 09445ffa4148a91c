//! Where the generator's decisions come from: a seed, or a recorded row of numbers.
//!
//! Every decision is a number below a bound, and 0 is always the simplest alternative. A row that has come to its end
//! goes on with zeros, so that any row of numbers is a program, a shorter or smaller row a simpler one: that is what
//! proptest shrinks.

/// A source of decisions.
#[derive(Clone, Debug)]
pub struct Choices {
    state: Option<u64>,
    row: Vec<u32>,
    at: usize,
}

impl Choices {
    /// Endless pseudo-random decisions.
    pub fn seeded(seed: u64) -> Choices {
        Choices { state: Some(seed), row: Vec::new(), at: 0 }
    }

    /// These decisions, then zeros.
    pub fn recorded(row: Vec<u32>) -> Choices {
        Choices { state: None, row, at: 0 }
    }

    fn next(&mut self) -> u32 {
        match &mut self.state {
            // SplitMix64: every seed gives a good sequence, also the small ones that people type.
            Some(state) => {
                *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let mut z = *state;
                z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                ((z ^ (z >> 31)) >> 32) as u32
            }
            None => {
                let value = self.row.get(self.at).copied().unwrap_or(0);
                self.at += 1;
                value
            }
        }
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.next() as usize % bound.max(1)
    }

    /// A number from `low` to `high`, both included.
    pub fn within(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as usize) as i64
    }

    /// True in `percent` of 100 cases; false is the simple case.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// One of these by weight.
    pub fn weighted<T: Copy>(&mut self, items: &[(usize, T)]) -> T {
        let total = items.iter().map(|(weight, _)| weight).sum();
        let mut at = self.below(total);
        for &(weight, item) in items {
            if at < weight {
                return item;
            }
            at -= weight;
        }
        items[0].1
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        u64::from(self.next()) << 32 | u64::from(self.next())
    }
}
