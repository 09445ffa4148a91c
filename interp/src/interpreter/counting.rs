//! Which back edges and calls are counted.
//!
//! To count each of them takes 5 % of the time of tight loops, in vain as long as nothing may be compiled, or nothing
//! gets hot. So a run with a tier begins with some of them ([`State::count_some`]): a register counts down, at all back
//! edges and calls alike, and where it comes to its end, as many as were passed since the last time are counted for the
//! loop or function at hand. How many are passed varies, so that no loop keeps step with it. As soon as there is
//! something to be entered, all are counted ([`State::count_always`]).
//!
//! Rejected: to count all, and nothing at times, by signals of a timer. One that rings within a millisecond takes 30 us
//! under a hypervisor, and those of the processor's time ring every 4 ms.

use std::time::{Duration, Instant};

use super::state::{HOT, State};
use crate::program::FunctionId;

/// What is counted of back edges and calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Counts {
    Nothing,
    /// Those of a loop or function, as far as can be told from some.
    Some,
    All,
}

/// The first look is about here, and each next one where so many parts of all back edges and calls so far have come again.
const FIRST: u32 = 32;
const SHARE: u32 = 16;
/// One part of so many of the ticks is left out at each call of a routine, for that may take long: a loop that does is looked
/// at before it has made a hundred trips.
pub(super) const SOONER: u32 = 16;

#[derive(Debug)]
pub(super) struct Counting {
    /// Back edges and calls until one is looked at, the last time that the interpreter stopped.
    pub ticks: u32,
    /// What that began with.
    passed: u32,
    /// How many were passed in all.
    so_far: u32,
    /// Numbers the looks.
    looks: u32,
    /// About how many are passed at most.
    stride: u32,
    /// When it began, and how long nobody is to be asked, until that is over.
    warmup: Option<(Instant, Duration)>,
}

impl Default for Counting {
    fn default() -> Counting {
        Counting { ticks: 1, passed: 0, so_far: 0, looks: 0, stride: 1, warmup: None }
    }
}

impl Counting {
    /// How many the next look stands for: a share of all so far, and half of that more or less. 11 has no divisor in common
    /// with powers of two, so that each number in between comes once in a round.
    fn begin(&mut self) {
        self.so_far = self.so_far.saturating_add(self.passed);
        let stride = (FIRST + self.so_far / SHARE).min(self.stride);
        let range = (stride / 2 + 1).next_power_of_two();
        self.looks = self.looks.wrapping_add(11);
        self.passed = stride - range / 2 + (self.looks & (range - 1));
        self.ticks = self.passed;
    }

    /// Takes what was passed from a counter; whether that comes to its end.
    fn look(&mut self, counter: &mut u32) -> bool {
        *counter = counter.saturating_sub(self.passed);
        self.begin();
        *counter == 0
    }
}

impl State {
    /// Nothing is counted, and nothing gets hot.
    pub fn count_never(&mut self) {
        self.handlers.count(Counts::Nothing);
    }

    /// Everything is, from now on: what a run does by itself.
    pub fn count_always(&mut self) {
        self.handlers.count(Counts::All);
    }

    /// Looks at one of `stride` back edges and calls, and asks nobody before the warm-up is over.
    pub fn count_some(&mut self, stride: u32, warmup: Duration) {
        self.handlers.count(if stride > 1 { Counts::Some } else { Counts::All });
        self.counting = Counting { stride, warmup: Some((Instant::now(), warmup)), ..Counting::default() };
        self.counting.begin();
    }

    /// A back edge of this loop is looked at; true if its hook is due.
    pub(super) fn look_at_loop(&mut self, id: u32) -> bool {
        self.counting.look(&mut self.loops[id as usize])
    }

    /// The same for a call of a function.
    pub(super) fn look_at_function(&mut self, id: FunctionId) -> bool {
        self.counting.look(&mut self.entries[id.0 as usize].counter)
    }

    /// What a counter that was set to `count` is set to in the warm-up: to look at the clock takes as long as the back edges
    /// of a short loop. More would be too many when the warm-up is over.
    pub(super) fn later(&self, count: u32) -> u32 {
        count.max(4 * HOT).max(self.counting.so_far / SHARE)
    }

    /// A counter has come to its end: whether the tier is to be asked.
    #[inline]
    pub(super) fn found_hot(&mut self) -> bool {
        let Some((began, warmup)) = self.counting.warmup else { return true };
        let over = began.elapsed() >= warmup;
        if over {
            self.counting.warmup = None;
        }
        over
    }
}
