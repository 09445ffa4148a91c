//! How long a program is known to take.
//!
//! By the trips that the `for`s that it is in have left, and how long trips took. What surrounds native code that calls is not
//! seen from inside. Rejected: the shortest time that was ever known, since rows of a picture differ; and to tell by less than
//! [`TRIPS`], for the first ones are slow.

use std::time::Duration;

use super::sizes::Size;
use super::standing::Standing;

/// Trips of a loop that tell how long one takes, or the time in which fewer do. The programs of bench/parameters.py take the
/// same with 2 and 128, and with 200 us; with 5 ms 1.03 times as long.
const TRIPS: u64 = 16;
const LONG_TRIPS: Duration = Duration::from_millis(1);
/// A loop that was not seen for so long is over.
const FORGOTTEN: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub struct Foresight {
    /// No loop is taken to last so many times as long as it has been seen.
    most: u32,
    seen: Vec<Seen>,
}

/// What is known of a program.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Known {
    /// What it takes in all: by the outermost loop that tells, or as long again where it is in none.
    pub all: Duration,
    /// Of the outermost loop whose size is known.
    pub nest: Option<Nest>,
}

/// A loop, with those in it and all that it calls.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Nest {
    pub size: Size,
    /// What it has left, by its trips.
    pub trips: u64,
    pub takes: Duration,
}

/// A loop that the program was seen in.
#[derive(Debug)]
struct Seen {
    /// At first, and when that was.
    standing: Standing,
    since: Duration,
    /// Trips left at the last look, and when that was.
    left: u64,
    last: Duration,
}

impl Seen {
    /// What it takes yet as far as is known, with so many trips left, of which what runs inside takes so much. All trips
    /// are taken to be like those that were seen, or the first one if that has not ended; one of which nothing inside tells
    /// takes as long again. But it is not taken to last more than `most` times as long: in a sieve each trip is shorter than
    /// the one before.
    fn takes(&self, left: u64, now: Duration, inside: Duration, most: u32) -> Duration {
        let (trips, took) = (self.standing.left - left, now.saturating_sub(self.since));
        if took < LONG_TRIPS && (trips < TRIPS && trips > 0 || trips == 0 && inside.is_zero()) {
            return Duration::ZERO;
        }
        let rest = match trips {
            0 if inside.is_zero() => took,
            0 => inside,
            _ => Duration::ZERO,
        };
        let trip = (took + rest).as_secs_f64() / trips.max(1) as f64;
        rest + Duration::from_secs_f64((trip * left as f64).min((took * most).as_secs_f64()))
    }
}

impl Foresight {
    pub fn new(most: u32) -> Foresight {
        Foresight { most, seen: Vec::new() }
    }

    /// What is known of a program that has taken so long. Time that is spent on traces is apart, for the trips do not take
    /// it.
    pub fn look(&mut self, time: Duration, standings: Vec<Standing>) -> Known {
        let goes_on = |old: &Seen| standings.iter().all(|new| !new.is_of(&old.standing) || new.left <= old.left);
        self.seen.retain(|old| old.last + FORGOTTEN >= time && goes_on(old));
        self.forget_earlier_runs(&standings);
        let (mut left, mut nest) = (Duration::ZERO, None);
        for new in standings {
            match self.seen.iter_mut().find(|old| new.is_of(&old.standing)) {
                Some(old) => {
                    (old.left, old.last) = (new.left, time);
                    left = left.max(old.takes(new.left, time, left, self.most));
                    // Few trips tell where each is made of many of a loop inside.
                    let trips = old.standing.left - new.left;
                    if let Some(size) = new.size.filter(|_| trips >= TRIPS || nest.is_some() && trips > 0) {
                        nest = Some(Nest { size, trips: new.left, takes: left });
                    }
                }
                None => self.seen.push(Seen { standing: new, since: time, left: new.left, last: time }),
            }
        }
        Known { all: if self.seen.is_empty() { time * 2 } else { time + left }, nest }
    }

    /// Forgets the loops within one that has come round since: these are other runs of them, even where they have less left.
    fn forget_earlier_runs(&mut self, standings: &[Standing]) {
        let came_round = |new: &Standing| self.seen.iter().any(|old| new.is_of(&old.standing) && new.left < old.left);
        let Some(outermost) = standings.iter().rposition(came_round) else { return };
        let within = &standings[..outermost];
        self.seen.retain(|old| !within.iter().any(|new| new.is_of(&old.standing)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn standing(id: u32, left: u64) -> Standing {
        Standing::of(9, id, left)
    }

    fn known(id: u32, left: u64, size: Size) -> Standing {
        let mut known = standing(id, left);
        known.size = Some(size);
        known
    }

    #[test]
    fn trips_that_were_seen_tell_of_those_that_are_left() {
        let mut foresight = Foresight::new(1000);
        assert_eq!(foresight.look(MS, vec![standing(0, 1000)]).all, MS);
        assert_eq!(foresight.look(MS * 11 / 10, vec![standing(0, 990)]).all, MS * 11 / 10, "too few");
        assert_eq!(foresight.look(2 * MS, vec![standing(0, 900)]).all, 11 * MS);
        // Seen from code that native code has called, it is not over; after a while it is.
        assert_eq!(foresight.look(5 * MS / 2, Vec::new()).all, 5 * MS / 2);
        assert_eq!(foresight.look(4 * MS, Vec::new()).all, 8 * MS);
    }

    #[test]
    fn an_outer_loop_takes_as_many_of_its_first_trip() {
        let mut foresight = Foresight::new(1000);
        foresight.look(MS, vec![standing(1, 100), standing(0, 9)]);
        // Half of the inner one is left, a millisecond, so a trip takes 2 and 9 follow.
        assert_eq!(foresight.look(2 * MS, vec![standing(1, 50), standing(0, 9)]).all, (2 + 1 + 18) * MS);
    }

    #[test]
    fn a_trip_of_which_nothing_tells_takes_as_long_again() {
        let mut foresight = Foresight::new(1000);
        foresight.look(MS, vec![standing(0, 3)]);
        assert_eq!(foresight.look(MS * 3 / 2, vec![standing(0, 3)]).all, MS * 3 / 2, "it may be short");
        let all = (2..=5).map(|n| foresight.look(n * MS, vec![standing(0, 3)]).all).last();
        assert_eq!(all, Some((5 + 4 + 3 * 8) * MS));
    }

    #[test]
    fn no_loop_is_taken_to_last_too_long() {
        let mut foresight = Foresight::new(16);
        foresight.look(MS, vec![standing(0, 1_000_000)]);
        assert_eq!(foresight.look(2 * MS, vec![standing(0, 999_900)]).all, 18 * MS);
    }

    #[test]
    fn a_loop_that_begins_anew_is_another_one() {
        let mut foresight = Foresight::new(1000);
        foresight.look(MS, vec![standing(0, 100)]);
        assert_eq!(foresight.look(2 * MS, vec![standing(0, 200)]).all, 2 * MS);
        assert_eq!(foresight.look(3 * MS, vec![standing(0, 100)]).all, 4 * MS);
    }

    #[test]
    fn a_loop_with_more_left_than_at_the_last_look_is_another_one() {
        let mut foresight = Foresight::new(1000);
        foresight.look(MS, vec![standing(0, 1000)]);
        foresight.look(2 * MS, vec![standing(0, 100)]);
        assert_eq!(foresight.look(3 * MS, vec![standing(0, 500)]).all, 3 * MS);
    }

    #[test]
    fn loops_within_one_that_came_round_are_other_runs() {
        let mut foresight = Foresight::new(1000);
        let mut nest = |n: u32, inner, outer| {
            let size = Size { instructions: 10, flat: true };
            foresight.look(n * MS, vec![known(1, inner, size), standing(0, outer)]).nest
        };
        nest(1, 1000, 100);
        assert_eq!(nest(2, 900, 100).map(|nest| nest.takes), Some(9 * MS));
        assert_eq!(nest(3, 800, 99), None, "it has less left than before, but has begun anew");
    }

    #[test]
    fn a_loop_of_few_trips_is_known_by_those_inside() {
        let mut foresight = Foresight::new(1000);
        let size = Size { instructions: 10, flat: true };
        let mut look =
            |n: u32, inner, outer| foresight.look(n * MS, vec![known(1, inner, size), known(0, outer, size)]).nest;
        look(1, 1000, 9);
        assert_eq!(look(2, 500, 9), Some(Nest { size, trips: 500, takes: MS }), "it has made none");
        // Another run of the one inside begins.
        assert_eq!(look(3, 1000, 8), None);
        assert_eq!(look(4, 500, 8), Some(Nest { size, trips: 8, takes: 3 * 8 * MS }));
    }

    #[test]
    fn what_loops_of_known_size_take_is_known_by_trips() {
        let size = Size { instructions: 10, flat: true };
        let mut foresight = Foresight::new(1000);
        let mut look = |n: u32, of: [(u32, u64); 2]| {
            foresight.look(n * MS, vec![known(of[0].0, of[0].1, size), standing(of[1].0, of[1].1)]).nest
        };
        look(1, [(1, 1000), (0, 9)]);
        assert_eq!(look(2, [(1, 990), (0, 9)]), None, "too few, though they took long");
        assert_eq!(
            look(3, [(1, 900), (0, 9)]),
            Some(Nest { size, trips: 900, takes: 18 * MS }),
            "not what is around it"
        );
    }
}
