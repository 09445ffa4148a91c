//! How fast a picture filled, and in which tier, from the program's start until now.

use serde::Serialize;

use crate::explain::Tier;

/// Stretches of time that are kept; where there would be more, two become one. A graph has about so many points.
const MOST: usize = 240;
/// The length of the first ones, in seconds: between two looks at a program that has just begun.
const FIRST: f64 = 0.005;
/// Seconds behind the present from which "pixels a second" comes.
const LATELY: f64 = 0.5;

#[derive(Debug)]
pub struct Timeline {
    stretch: f64,
    parts: Vec<Part>,
    /// Until when it is known what ran, and what changed.
    end: f64,
    looked: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    pixels: f64,
    /// By tier.
    seconds: [f64; 4],
}

/// A point of the graph.
#[derive(Clone, Copy, PartialEq, Serialize, Debug)]
pub struct Point {
    pub pixels_per_second: f64,
    /// That in which most of the time went.
    pub tier: Tier,
}

impl Timeline {
    pub fn new() -> Timeline {
        Timeline { stretch: FIRST, parts: Vec::new(), end: 0.0, looked: 0.0 }
    }

    /// The program has been in this tier until `to`.
    pub fn runs(&mut self, to: f64, tier: Tier) {
        let from = self.end;
        self.end = from.max(to);
        self.spread(from, to, |part, seconds| part.seconds[tier as usize] += seconds);
    }

    /// So many pixels have changed until `to`, since this was said last.
    pub fn changed(&mut self, to: f64, pixels: u64) {
        let from = self.looked;
        self.looked = from.max(to);
        self.spread(from, to, |part, seconds| part.pixels += pixels as f64 * seconds / (to - from));
    }

    /// Adds to each part in between what belongs to so many seconds of it.
    fn spread(&mut self, from: f64, to: f64, add: impl Fn(&mut Part, f64)) {
        while to >= self.stretch * MOST as f64 {
            self.halve();
        }
        let mut at = from;
        while at < to {
            let index = (at / self.stretch) as usize;
            // Rounding may make a border its own successor.
            let next = (self.stretch * (index + 1) as f64).min(to).max(at.next_up());
            if self.parts.len() <= index {
                self.parts.resize(index + 1, Part::default());
            }
            add(&mut self.parts[index], next - at);
            at = next;
        }
    }

    fn halve(&mut self) {
        let sum = |pair: &[Part]| {
            let mut sum = pair[0];
            for part in &pair[1..] {
                sum.pixels += part.pixels;
                sum.seconds.iter_mut().zip(part.seconds).for_each(|(all, more)| *all += more);
            }
            sum
        };
        self.parts = self.parts.chunks(2).map(sum).collect();
        self.stretch *= 2.0;
    }

    pub fn stretch(&self) -> f64 {
        self.stretch
    }

    /// Until the last look at what changed.
    pub fn points(&self) -> Vec<Point> {
        let starts = (0..).map(|i| f64::from(i) * self.stretch);
        let known = self.parts.iter().zip(starts).filter(|(_, start)| *start < self.looked);
        let point = |(part, start): (&Part, f64)| {
            let tiers = Tier::ALL.into_iter().zip(part.seconds);
            let (tier, _) = tiers.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((Tier::Interpreted, 0.0));
            Point { pixels_per_second: part.pixels / self.stretch.min(self.looked - start), tier }
        };
        known.map(point).collect()
    }

    /// Of the last half second before the last look at what changed, or of all if that is less.
    pub fn pixels_per_second(&self) -> f64 {
        let last = (self.looked / self.stretch).ceil() as usize;
        let count = ((LATELY / self.stretch).ceil() as usize).clamp(1, last.max(1));
        let first = last - count.min(last);
        let pixels: f64 = self.parts.iter().take(last).skip(first).map(|part| part.pixels).sum();
        let seconds = self.looked - self.stretch * first as f64;
        if seconds > 0.0 { pixels / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_and_time_go_to_where_they_belong() {
        let mut timeline = Timeline::new();
        timeline.runs(0.01, Tier::Interpreted);
        timeline.changed(0.01, 100);
        timeline.runs(0.016, Tier::Parallel);
        timeline.runs(0.02, Tier::Parallel);
        timeline.changed(0.02, 1000);
        timeline.runs(0.02, Tier::Whole);
        let tiers: Vec<Tier> = timeline.points().iter().map(|point| point.tier).collect();
        assert_eq!(tiers, [Tier::Interpreted, Tier::Interpreted, Tier::Parallel, Tier::Parallel]);
        let rates: Vec<f64> = timeline.points().iter().map(|point| point.pixels_per_second.round()).collect();
        assert_eq!(rates, [10_000.0, 10_000.0, 100_000.0, 100_000.0]);
        assert_eq!(timeline.pixels_per_second().round(), 55_000.0);
    }

    #[test]
    fn it_stays_short_and_loses_nothing() {
        let mut timeline = Timeline::new();
        for i in 1..=100_000u32 {
            timeline.runs(f64::from(i) * 0.0137, Tier::Traces);
            timeline.changed(f64::from(i) * 0.0137, 3);
            assert!(timeline.parts.len() <= MOST);
        }
        let pixels: f64 = timeline.parts.iter().map(|part| part.pixels).sum();
        assert_eq!(pixels.round(), 300_000.0);
        assert!(timeline.parts.len() >= MOST / 2);
        assert!((timeline.pixels_per_second() - 3.0 / 0.0137).abs() < 1.0);
    }
}
