//! How long a program is known to take.
//!
//! By the trips that the `for`s that it is in have left, and how long trips took. What surrounds native code that calls is not
//! seen from inside. Rejected: the shortest time that was ever known, since rows of a picture differ; and to tell by less than
//! [`TRIPS`], for the first ones are slow.

use std::time::Duration;

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

/// A loop that the program was seen in.
#[derive(Debug)]
struct Seen {
    /// At first, and when that was.
    standing: Standing,
    since: Duration,
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

    /// What a program takes in all that has taken so long: by the outermost loop that tells, or as long again where it is
    /// in none. Time that is spent on traces is apart, for the trips do not take it.
    pub fn all(&mut self, time: Duration, standings: Vec<Standing>) -> Duration {
        let goes_on =
            |old: &Seen| standings.iter().all(|new| !new.is_of(&old.standing) || new.left <= old.standing.left);
        self.seen.retain(|old| old.last + FORGOTTEN >= time && goes_on(old));
        let mut left = Duration::ZERO;
        for new in standings {
            match self.seen.iter_mut().find(|old| new.is_of(&old.standing)) {
                Some(old) => {
                    old.last = time;
                    left = left.max(old.takes(new.left, time, left, self.most));
                }
                None => self.seen.push(Seen { standing: new, since: time, last: time }),
            }
        }
        if self.seen.is_empty() { time * 2 } else { time + left }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn standing(id: u32, left: u64) -> Standing {
        Standing::of(9, id, left)
    }

    #[test]
    fn trips_that_were_seen_tell_of_those_that_are_left() {
        let mut foresight = Foresight::new(1000);
        assert_eq!(foresight.all(MS, vec![standing(0, 1000)]), MS);
        assert_eq!(foresight.all(MS * 11 / 10, vec![standing(0, 990)]), MS * 11 / 10, "too few");
        assert_eq!(foresight.all(2 * MS, vec![standing(0, 900)]), 11 * MS);
        // Seen from code that native code has called, it is not over; after a while it is.
        assert_eq!(foresight.all(5 * MS / 2, Vec::new()), 5 * MS / 2);
        assert_eq!(foresight.all(4 * MS, Vec::new()), 8 * MS);
    }

    #[test]
    fn an_outer_loop_takes_as_many_of_its_first_trip() {
        let mut foresight = Foresight::new(1000);
        foresight.all(MS, vec![standing(1, 100), standing(0, 9)]);
        // Half of the inner one is left, a millisecond, so a trip takes 2 and 9 follow.
        assert_eq!(foresight.all(2 * MS, vec![standing(1, 50), standing(0, 9)]), (2 + 1 + 18) * MS);
    }

    #[test]
    fn a_trip_of_which_nothing_tells_takes_as_long_again() {
        let mut foresight = Foresight::new(1000);
        foresight.all(MS, vec![standing(0, 3)]);
        assert_eq!(foresight.all(MS * 3 / 2, vec![standing(0, 3)]), MS * 3 / 2, "it may be short");
        let all = (2..=5).map(|n| foresight.all(n * MS, vec![standing(0, 3)])).last();
        assert_eq!(all, Some((5 + 4 + 3 * 8) * MS));
    }

    #[test]
    fn no_loop_is_taken_to_last_too_long() {
        let mut foresight = Foresight::new(16);
        foresight.all(MS, vec![standing(0, 1_000_000)]);
        assert_eq!(foresight.all(2 * MS, vec![standing(0, 999_900)]), 18 * MS);
    }

    #[test]
    fn a_loop_that_begins_anew_is_another_one() {
        let mut foresight = Foresight::new(1000);
        foresight.all(MS, vec![standing(0, 100)]);
        assert_eq!(foresight.all(2 * MS, vec![standing(0, 200)]), 2 * MS);
        assert_eq!(foresight.all(3 * MS, vec![standing(0, 100)]), 4 * MS);
    }
}
