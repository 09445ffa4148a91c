//! Dominators of a region's blocks.
//!
//! Blocks stand in an order in which every edge but those to cycle headers leads forwards, so one pass in that order
//! (Cooper, Harvey, Kennedy: *A Simple, Fast Dominance Algorithm*) is enough: a back edge comes from a block that its
//! target dominates and changes nothing.

use super::{BlockId, Region};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dominators {
    /// For each block, the next one that dominates it; the entry's is itself; none for a block that no path reaches.
    parent: Vec<Option<BlockId>>,
}

impl Dominators {
    pub fn of(region: &Region) -> Dominators {
        let mut parent: Vec<Option<BlockId>> = vec![None; region.blocks.len()];
        let preds = region.predecessors();
        if let Some(entry) = parent.first_mut() {
            *entry = Some(Region::ENTRY);
        }
        for i in 1..region.blocks.len() {
            let mut common: Option<BlockId> = None;
            for &(pred, _) in &preds[i] {
                if pred.index() >= i || parent[pred.index()].is_none() {
                    continue;
                }
                common = Some(match common {
                    None => pred,
                    Some(other) => meet(&parent, other, pred),
                });
            }
            parent[i] = common;
        }
        Dominators { parent }
    }

    /// Whether every path from the entry to `b` goes through `a`.
    pub fn dominates(&self, a: BlockId, mut b: BlockId) -> bool {
        while b > a {
            match self.parent[b.index()] {
                Some(up) if up < b => b = up,
                _ => return false,
            }
        }
        a == b
    }

    pub fn reached(&self, block: BlockId) -> bool {
        self.parent[block.index()].is_some()
    }
}

/// The nearest block that dominates both.
fn meet(parent: &[Option<BlockId>], mut a: BlockId, mut b: BlockId) -> BlockId {
    while a != b {
        let later = if a > b { &mut a } else { &mut b };
        match parent[later.index()] {
            Some(up) if up < *later => *later = up,
            _ => return Region::ENTRY,
        }
    }
    a
}
