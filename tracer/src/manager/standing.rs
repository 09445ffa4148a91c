//! How far the `for`s that a program is in have come: their frames count the trips, whoever runs them.

use scaly_interp::program::{LoopId, Program};
use scaly_interp::tier::{self, Loops, Position};

use super::sizes::{Size, Sizes};

/// Where the program is when it is looked at.
#[derive(Clone, Copy)]
pub struct Here<'a> {
    pub program: &'a Program,
    pub loops: &'a Loops,
    pub sizes: &'a Sizes,
    pub at: Position,
    /// Activations in which loops are looked for, the innermost included.
    pub depth: u32,
    /// How many traces have been made.
    pub traces: u32,
}

/// A `for` in a frame, and the trips that it has left.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Standing {
    frame: usize,
    pub id: LoopId,
    pub left: u64,
    /// Where it is known.
    pub size: Option<Size>,
}

impl Standing {
    #[cfg(test)]
    pub fn of(frame: usize, id: u32, left: u64) -> Standing {
        Standing { frame, id: LoopId(id), left, size: None }
    }

    /// Of the same loop in the same frame.
    pub fn is_of(&self, before: &Standing) -> bool {
        (self.frame, self.id) == (before.frame, before.id)
    }
}

impl Here<'_> {
    /// The `for`s that the program is in, the innermost first.
    pub fn standings(&self) -> Vec<Standing> {
        let Here { program, loops, sizes, at, depth, .. } = *self;
        let mut found = Vec::new();
        for (at, pc) in tier::activations(at).take(depth as usize) {
            found.extend(loops.around(program, pc).filter_map(|id| {
                let (frame, left) = (at.base() as usize, tier::trips_left(program, id, at)?);
                Some(Standing { frame, id, left, size: sizes.of(program, id) })
            }));
        }
        found
    }
}

/// What came of the `for`s that the program was in.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Progress {
    /// None has come round.
    Still,
    /// The outermost that has, and its trips: those inside of it may have begun anew.
    Took(LoopId, u64),
    /// One of them has ended.
    Ended,
}

impl Progress {
    pub fn between(before: &[Standing], now: &[Standing]) -> Progress {
        for old in before.iter().rev() {
            match now.iter().find(|new| new.is_of(old)) {
                Some(new) if new.left == old.left => {}
                Some(new) if new.left < old.left => {
                    return Progress::Took(old.id, old.left - new.left);
                }
                _ => return Progress::Ended,
            }
        }
        Progress::Still
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_loop_that_came_round_tells() {
        let standing = Standing::of;
        let before = [standing(9, 2, 5), standing(8, 1, 100), standing(8, 0, 1000)];
        let progress = |now: &[Standing]| Progress::between(&before, now);
        let took = |id, trips| Progress::Took(LoopId(id), trips);
        // What is inside of it may run anew.
        assert_eq!(progress(&[standing(9, 2, 4), standing(8, 1, 95), standing(8, 0, 1000)]), took(1, 5));
        assert_eq!(progress(&[standing(9, 2, 3), standing(8, 1, 100), standing(8, 0, 1000)]), took(2, 2));
        assert_eq!(progress(&before), Progress::Still);
        assert_eq!(progress(&[standing(8, 1, 200), standing(8, 0, 1000)]), Progress::Ended);
        // Its frame has gone.
        assert_eq!(progress(&[standing(7, 0, 900)]), Progress::Ended);
    }
}
