//! Which way branches nearly always go, as far as the exits of traces tell, and by what is divided.
//!
//! The root trace of a short loop knows how many iterations it has made ([`super::paths`]), and each of its exits how often
//! it was taken meanwhile. An exit that gets hot is followed by a side trace, and counts no more: what it has counted until
//! then is kept ([`Trees::keep_share`]). What traces of several loops, or in several calls, say of a branch is added up.

use rustc_hash::{FxHashMap, FxHashSet};
use scaly_interp::program::{Pc, Program};

use super::trees::{Iterations, Trees};
use crate::trace::{ExitId, ExitKind};
use crate::walker::Flow;

/// A branch nearly always goes one way if one pass in so many goes the other. LLVM takes it for predictable from there on.
const SELDOM: u64 = 100;
/// Passes that say something.
const ENOUGH: u64 = 1000;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Profile {
    /// By branch that nearly always goes one way: whether it jumps.
    branches: FxHashMap<Pc, bool>,
    /// By instruction that divides: the divisor that traces have been made for, if there is but one.
    divisors: FxHashMap<Pc, i64>,
}

impl Profile {
    /// Whether a branch nearly always jumps; none if it does not nearly always do the same, as far as is known.
    pub fn jumps(&self, branch: Pc) -> Option<bool> {
        self.branches.get(&branch).copied()
    }

    /// By what an instruction divides, as far as is known.
    pub fn divisor(&self, division: Pc) -> Option<i64> {
        self.divisors.get(&division).copied()
    }
}

impl FromIterator<(Pc, bool)> for Profile {
    fn from_iter<I: IntoIterator<Item = (Pc, bool)>>(branches: I) -> Profile {
        Profile { branches: branches.into_iter().collect(), divisors: FxHashMap::default() }
    }
}

impl FromIterator<(Pc, i64)> for Profile {
    /// An instruction that stands there with several divisors has none.
    fn from_iter<I: IntoIterator<Item = (Pc, i64)>>(divisors: I) -> Profile {
        let (mut found, mut several) = (FxHashMap::default(), FxHashSet::default());
        for (pc, divisor) in divisors {
            if *found.entry(pc).or_insert(divisor) != divisor {
                several.insert(pc);
            }
        }
        found.retain(|pc, _| !several.contains(pc));
        Profile { branches: FxHashMap::default(), divisors: found }
    }
}

/// Times that an exit was taken, and iterations in which that could have been.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Share {
    taken: u64,
    of: u64,
}

impl Share {
    /// Of a tree that has made all these iterations; if it has made more, it is not known how many.
    fn of(since: Option<(Iterations, u32)>, all: Iterations) -> Share {
        Share { taken: since.map_or(0, |(_, again)| u64::from(again) + 1), of: all.made }
    }
}

/// Passes of a branch.
#[derive(Default)]
struct Passes {
    jump: u64,
    fall: u64,
}

impl Passes {
    /// Whether nearly all jump; none if neither nearly all nor nearly none do.
    fn jumps(&self) -> Option<bool> {
        let (all, less) = (self.jump + self.fall, self.jump.min(self.fall));
        (all >= ENOUGH && less * SELDOM <= all).then_some(self.jump > self.fall)
    }
}

impl Trees {
    /// Keeps how often an exit was taken before a side trace begins there.
    pub fn keep_share(&mut self, id: ExitId) {
        let all = self.trace(self.exit_of(id).trace).iterations;
        let data = self.exit(id);
        data.share = Some(Share::of(data.since, all));
    }

    /// Which way the branches of a program nearly always go, and by what it divides.
    pub fn profile(&self, program: &Program) -> Profile {
        let (mut passes, mut unknown) = (FxHashMap::<Pc, Passes>::default(), FxHashSet::default());
        for data in self.exits() {
            let Some(branch) = data.guard.filter(|_| data.snapshot.kind == ExitKind::Resume) else { continue };
            let Flow { jumps: Some(target), falls: true } = Flow::of(program.code[branch.0 as usize]) else { continue };
            // The interpreter goes on at the other side.
            let (other, next) = (data.snapshot.pc.0, branch.0 + 1);
            if target == next || other != target && other != next {
                continue;
            }
            let trace = self.trace(data.trace);
            if trace.tree == data.trace && !trace.counters.is_empty() {
                let Share { taken, of } = data.share.unwrap_or_else(|| Share::of(data.since, trace.iterations));
                let (jump, fall) = if other == target { (taken, of) } else { (of, taken) };
                let passes = passes.entry(branch).or_default();
                passes.jump += jump;
                passes.fall += fall;
            } else if data.count >= data.threshold || data.aborts > 0 {
                unknown.insert(branch);
            }
        }
        let known = passes.into_iter().filter(|(branch, _)| !unknown.contains(branch));
        let branches = known.filter_map(|(branch, passes)| Some((branch, passes.jumps()?))).collect();
        Profile { branches, ..self.divisors().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pass_in_a_hundred_is_seldom() {
        let jumps = |jump, fall| Passes { jump, fall }.jumps();
        assert_eq!((jumps(9900, 100), jumps(9900, 101)), (Some(true), None));
        assert_eq!((jumps(10, 990), jumps(10, 989)), (Some(false), None), "of fewer passes nothing is known");
        assert_eq!((jumps(0, 0), jumps(0, 1000), jumps(5000, 5000)), (None, Some(false), None));
    }

    #[test]
    fn an_exit_is_taken_once_more_than_since_it_was_first() {
        let all = Iterations { made: 5000, unknown: 3 };
        assert_eq!(Share::of(None, all), Share { taken: 0, of: 5000 });
        assert_eq!(Share::of(Some((Iterations::default(), 9)), all), Share { taken: 10, of: 5000 });
    }
}
