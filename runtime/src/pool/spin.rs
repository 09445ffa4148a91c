//! Waiting awake for a while before sleeping, for as long as it pays.
//!
//! To be woken takes some 20 to 55 us (`benches/pool.rs`), so whoever is likely to be needed within that time should stay awake. The time is
//! adapted: a sleep that turned out to be shorter than the longest spin restores it, a longer one halves it. So a
//! program whose loops follow one another closely finds its helpers awake, and another one pays next to nothing.

use std::cell::Cell;
use std::hint::spin_loop;
use std::thread::yield_now;
use std::time::{Duration, Instant};

/// The longest spin: about what it saves.
const LONGEST: Duration = Duration::from_micros(50);
/// What remains of it for those who are never needed soon: the time in which a caller usually starts its next loop.
const SHORTEST: Duration = Duration::from_micros(2);
/// From here on each turn yields, so that whoever needs the core gets it; on a free core a yield costs 0.3 us.
const POLITE: Duration = Duration::from_micros(5);
/// Turns between looks at the clock.
const TURNS: u32 = 8;
/// With more threads than cores nobody spins; a few yields let those run who have the work.
const CROWDED_TURNS: u32 = 4;

pub(super) struct Spin {
    crowded: bool,
    budget: Cell<Duration>,
}

impl Spin {
    pub(super) fn new(crowded: bool) -> Spin {
        Spin { crowded, budget: Cell::new(LONGEST) }
    }

    /// Whether it came true before the time was over.
    pub(super) fn until(&self, is_ready: impl Fn() -> bool) -> bool {
        if self.crowded {
            return (0..CROWDED_TURNS).any(|_| {
                yield_now();
                is_ready()
            });
        }
        let begun = Instant::now();
        let mut spent = Duration::ZERO;
        while spent < self.budget.get() {
            for _ in 0..TURNS {
                if is_ready() {
                    return true;
                }
                spin_loop();
            }
            if spent > POLITE {
                yield_now();
            }
            spent = begun.elapsed();
        }
        false
    }

    /// It slept so long after a spin.
    pub(super) fn slept(&self, time: Duration) {
        let budget = if time < LONGEST { LONGEST } else { (self.budget.get() / 2).max(SHORTEST) };
        self.budget.set(budget);
    }
}
