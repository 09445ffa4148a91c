//! What has been computed on the way to an instruction, so that it is not computed again.
//!
//! A block that is entered on one way only knows what was known there; a loop's header knows what was known before the
//! loop, loads apart; a join begins anew. So a value that is found stands in a block that dominates its reader. Without
//! this, an element that is tested and then used would be two loads, of which nobody could tell that they are the same.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::region::{Op, Value};

/// An operation with its operands.
type Key = (Op, Vec<Value>);

/// What one block has computed so far, and what it was entered with.
#[derive(Debug, Default)]
pub struct Scope {
    parent: Option<Rc<Scope>>,
    pure: FxHashMap<Key, Vec<Value>>,
    loads: FxHashMap<Key, Vec<Value>>,
    conditions: FxHashMap<Value, bool>,
    /// Something was stored since the block was entered: the parents' loads may be old.
    stored: bool,
}

impl Scope {
    pub fn inside(parent: Option<Rc<Scope>>) -> Scope {
        Scope { parent, ..Scope::default() }
    }

    fn chain(&self) -> impl Iterator<Item = &Scope> {
        std::iter::successors(Some(self), |scope| scope.parent.as_deref())
    }

    pub fn pure(&self, key: &Key) -> Option<&Vec<Value>> {
        self.chain().find_map(|scope| scope.pure.get(key))
    }

    pub fn load(&self, key: &Key) -> Option<&Vec<Value>> {
        for scope in self.chain() {
            if let Some(found) = scope.loads.get(key) {
                return Some(found);
            }
            if scope.stored {
                return None;
            }
        }
        None
    }

    /// The condition's value on every way here.
    pub fn condition(&self, cond: Value) -> Option<bool> {
        self.chain().find_map(|scope| scope.conditions.get(&cond).copied())
    }

    pub fn add_pure(&mut self, key: Key, results: Vec<Value>) {
        self.pure.insert(key, results);
    }

    pub fn add_load(&mut self, key: Key, results: Vec<Value>) {
        self.loads.insert(key, results);
    }

    pub fn add_condition(&mut self, cond: Value, holds: bool) {
        self.conditions.insert(cond, holds);
    }

    /// Memory may have changed.
    pub fn forget_loads(&mut self) {
        self.loads.clear();
        self.stored = true;
    }
}
