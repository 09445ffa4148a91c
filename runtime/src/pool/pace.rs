//! How long the next chunk is, and whether a range is worth being split.
//!
//! A chunk should take 20 µs: long enough that what happens between chunks (a clock read, a look at who is hungry) costs
//! nothing (some 60 ns, a third of a percent), short enough that nobody waits long for a share. Sizes start small and grow
//! by what was measured.
//!
//! A part that is split off begins 1.3 µs later where somebody is awake, and a loop of 4 µs is the shortest that gains; to
//! call a sleeper costs 2 to 9 µs, and 20 to 55 µs pass until it has begun (`benches/pool.rs`, in a virtual machine). A
//! loop of 64 µs told its cost is as fast either way.

use std::sync::atomic::{AtomicU64, Ordering};

use super::job::{Pieces, Plan};
use super::sleep::Hunger;

/// A chunk may grow to this at once, in nanoseconds: so an empty loop of 1,000 iterations has 4 chunks, not 8.
const SHORT_NS: f64 = 1_000.0;

/// What one loop asks for, and learned so far.
pub(super) struct Policy {
    align: u64,
    first: u64,
    /// Set by tests.
    fixed: Option<u64>,
    pieces: Pieces,
    /// Nanoseconds for an iteration as last measured by anybody, or as the caller expects; the bits of an f64, zero if
    /// unknown. Relaxed, since it is a guess.
    ns: AtomicU64,
}

impl Policy {
    pub(super) fn new(plan: &Plan, fixed: Option<u64>) -> Policy {
        let expected = plan.ns_per_trip.filter(|ns| ns.is_finite() && *ns > 0.0).unwrap_or(0.0);
        let align = plan.align.max(1);
        Policy { align, first: plan.first % align, fixed, pieces: plan.pieces, ns: AtomicU64::new(expected.to_bits()) }
    }

    fn ns(&self) -> Option<f64> {
        let ns = f64::from_bits(self.ns.load(Ordering::Relaxed));
        (ns > 0.0).then_some(ns)
    }

    /// The first border that is not below `at`.
    pub(super) fn border(&self, at: u64) -> u64 {
        match at.checked_sub(self.first) {
            None => self.first,
            Some(past) => {
                past.checked_next_multiple_of(self.align).and_then(|n| n.checked_add(self.first)).unwrap_or(u64::MAX)
            }
        }
    }

    /// Where to split: near `at`, on a border strictly within; `None` if there is none or the parts are too short.
    pub(super) fn split(&self, lo: u64, hi: u64, at: u64, hunger: Hunger) -> Option<u64> {
        let least = match (self.fixed, hunger) {
            (Some(_), _) => 0.0,
            (None, Hunger { searching: 0, asleep: 1.. }) => f64::from(self.pieces.asleep_ns),
            (None, _) => f64::from(self.pieces.awake_ns),
        };
        let middle = self.border(at);
        let within = lo < middle && middle < hi;
        let enough = |ns| (middle - lo).min(hi - middle) as f64 * ns >= least;
        // An unknown iteration may be a long one.
        (within && self.ns().is_none_or(enough)).then_some(middle)
    }

    /// An iteration may be a long chunk by itself.
    pub(super) fn is_slow(&self) -> bool {
        self.ns().is_none_or(|ns| ns > f64::from(self.pieces.chunk_ns))
    }
}

/// The pace of one worker in one loop.
#[derive(Default)]
pub(super) struct Pace {
    /// Iterations of the last chunk, and what it took in nanoseconds.
    last: Option<(u64, f64)>,
}

impl Pace {
    /// The end of the next chunk of `lo..hi`, which isn't empty.
    pub(super) fn next(&self, policy: &Policy, lo: u64, hi: u64) -> u64 {
        let left = hi - lo;
        let size = match (policy.fixed, self.last) {
            (Some(fixed), _) => fixed.max(1),
            (None, Some((trips, ns))) => {
                let ns = ns.max(1.0);
                let Pieces { chunk_ns, growth, awake_ns, .. } = policy.pieces;
                let factor = (f64::from(chunk_ns) / ns).min(f64::from(growth).max(SHORT_NS / ns));
                // Somebody may want half of what is left; but what is hardly worth it goes at once.
                let short = policy.ns().map_or(1.0, |ns| f64::from(awake_ns) / ns);
                let most = (left as f64 / 2.0).max(short);
                ((trips as f64 * factor).min(most)) as u64
            }
            // What was expected may be far off, too.
            (None, None) => policy.ns().map_or(1, |ns| (SHORT_NS / ns).min(left as f64 / 2.0) as u64),
        };
        // A u64 from an f64 saturates, and the sum may.
        policy.border(lo.saturating_add(size.max(1))).min(hi)
    }

    /// Whether [`Pace::ran`] wants to know.
    pub(super) fn is_measured(policy: &Policy) -> bool {
        policy.fixed.is_none()
    }

    pub(super) fn ran(&mut self, policy: &Policy, trips: u64, ns: f64) {
        self.last = Some((trips, ns));
        policy.ns.store((ns.max(1.0) / trips as f64).to_bits(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `0..trips` at a constant pace, and returns the borders.
    fn borders(plan: &Plan, fixed: Option<u64>, ns: f64) -> Vec<u64> {
        let policy = Policy::new(plan, fixed);
        let mut pace = Pace::default();
        let mut borders = vec![0];
        let mut lo = 0;
        while lo < plan.trips {
            let hi = pace.next(&policy, lo, plan.trips);
            assert!(lo < hi && hi <= plan.trips);
            pace.ran(&policy, hi - lo, ns * (hi - lo) as f64);
            borders.push(hi);
            lo = hi;
        }
        borders
    }

    #[test]
    fn chunks_grow_to_their_time_and_shrink_at_the_end() {
        let borders = borders(&Plan::new(1_000_000), None, 10.0);
        let sizes: Vec<_> = borders.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(sizes[..4], [1, 100, 400, 1600]);
        assert!(sizes.iter().all(|&size| size <= 2000));
        assert!(sizes.last().unwrap() * 10 <= 1000, "{sizes:?}");
    }

    #[test]
    fn a_known_cost_starts_larger_and_a_huge_one_at_one() {
        assert_eq!(borders(&Plan::new(1_000_000).expect(10.0), None, 10.0)[1], 100);
        assert_eq!(borders(&Plan::new(5).expect(1e9), None, 1e9), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn fixed_chunks_keep_to_borders() {
        assert_eq!(borders(&Plan::new(7), Some(3), 1.0), [0, 3, 6, 7]);
        assert_eq!(borders(&Plan::new(20).align(8, 3), Some(1), 1.0), [0, 3, 11, 19, 20]);
    }

    #[test]
    fn the_last_numbers_do_not_overflow() {
        let policy = Policy::new(&Plan::new(u64::MAX).align(8, 5), Some(u64::MAX));
        assert_eq!(Pace::default().next(&policy, u64::MAX - 1, u64::MAX), u64::MAX);
        assert_eq!(policy.border(u64::MAX), u64::MAX);
    }

    #[test]
    fn what_is_too_short_stays_whole() {
        let awake = Hunger { searching: 1, asleep: 3 };
        let asleep = Hunger { searching: 0, asleep: 3 };
        let policy = Policy::new(&Plan::new(100).expect(32.0), None);
        assert_eq!(policy.split(0, 100, 50, awake), Some(50));
        assert_eq!(policy.split(0, 100, 50, asleep), None);
        assert_eq!(policy.split(0, 60, 30, awake), None);
        assert_eq!(Policy::new(&Plan::new(2), None).split(0, 2, 1, asleep), Some(1));
        assert_eq!(Policy::new(&Plan::new(8).align(8, 0), None).split(0, 8, 4, awake), None);
    }
}
