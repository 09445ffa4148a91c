//! Whether a loop's root goes the common way.
//!
//! What is recorded is the path of one iteration, and that may be a rare one, or one that is taken at the beginning only.
//! Then most iterations leave the root and go through a side trace: up to twice the time of the other way round, for as
//! long as the traces live. So native iterations are counted, by slots that advance by the same amount each time. An exit
//! that gets hot while few iterations are made between is the way of most: the tree is dropped, and the loop recorded
//! anew.

use scaly_interp::interpreter::State;
use scaly_interp::tier::{self, Position};

use super::Tracing;
use super::trees::{COUNTERS, Made};
use crate::backend::{Backend, Left};
use crate::log::Dropped;
use crate::trace::{ExitId, TraceId};

/// Exits that say something about the iterations between them. Of two equal ways each is the common one.
const ENOUGH: u32 = 4;
/// Side traces of a tree that may be dropped with it.
const FEW: u32 = 2;

/// What the counters of a loop are when its tree is entered.
#[derive(Default)]
pub struct Before {
    values: [u64; COUNTERS],
    counted: bool,
}

impl Before {
    #[inline]
    pub fn read(&mut self, counters: &[(u16, i64)], at: Position) {
        self.counted = !counters.is_empty();
        for (to, &(slot, _)) in self.values.iter_mut().zip(counters) {
            *to = tier::word(at, slot);
        }
    }
}

impl<B: Backend> Tracing<B> {
    /// Counts the iterations that a tree has made on the frame at `at`, where they are counted.
    #[inline]
    pub(super) fn count_iterations(&self, tree: TraceId, before: &Before, at: Position, left: &Left) {
        let &Left::Exit { exit, root, via } = left else { return };
        if !before.counted {
            return;
        }
        let mut trees = self.trees.borrow_mut();
        let data = trees.exit(exit);
        let (trace, made) = (data.trace, data.made);
        let made = match made {
            // Of a tree that was called by this one, or in another activation.
            _ if trees.trace(trace).tree != tree || root.base() != at.base() || via.is_some() => None,
            Made::None => Some(0),
            Made::By(counter) => {
                let (slot, by) = trees.trace(tree).counters[counter];
                let advance = tier::word(at, slot).wrapping_sub(before.values[counter]) as i64;
                Some(advance.wrapping_div(by).unsigned_abs())
            }
            Made::Unknown => None,
        };
        trees.count_iterations(tree, exit, made);
    }

    /// Whether an exit that has got hot is the way of most iterations. Then the loop's tree has been dropped, to be
    /// recorded anew from its next iteration on.
    pub(super) fn is_common(&self, state: &mut State, exit: ExitId) -> bool {
        let tree = {
            let mut trees = self.trees.borrow_mut();
            let data = trees.exit(exit);
            let (trace, entry, since) = (data.trace, data.entry, data.since);
            let (tree, all) = (trees.trace(trace).tree, trees.trace(trace).iterations);
            // An entry guard is about what does not change: another loop for other values is grown from it.
            let Some((then, taken)) = since.filter(|_| tree == trace && !entry) else { return false };
            let few = all.unknown == then.unknown && all.made - then.made < u64::from(taken) * 3 / 4;
            if taken < ENOUGH || !few {
                return false;
            }
            tree
        };
        // More would be lost with what has been built on it.
        if self.trees.borrow().with_callers(tree).len() > 1 || self.trees.borrow().trace(tree).sides > FEW {
            return false;
        }
        let place = self.trees.borrow().trace(tree).place;
        if self.places.borrow().get(place).anew >= self.parameters.record_anew {
            return false;
        }
        self.places.borrow_mut().get_mut(place).anew += 1;
        self.record_anew(state, tree, Dropped::Seldom);
        true
    }
}
