//! Dropping trees: for room in the code memory, or because something better takes their place.
//!
//! Nothing leads to a dropped tree any more: its place counts again, its function is interpreted, and the trees that call
//! it are dropped with it. Its code stays while native code runs, since an activation on the native stack may go on in
//! it; a parked fiber has none. So it is given back when the outermost run of native code has come back.

use super::{Tracing, start_of};
use crate::backend::Backend;
use crate::log::{Dropped, Event};
use crate::recorder::{Place, Task};
use crate::trace::{Op, Trace, TraceId};

impl<B: Backend> Tracing<B> {
    /// Drops what is used least, until a quarter of the code memory is free or nothing is left; but not the tree of this
    /// trace, nor what it calls.
    pub(super) fn make_room(&self, backend: &B, trace: &Trace, task: &Task) {
        let called = trace.insts.iter().filter_map(|inst| match inst.op {
            Op::CallTree { tree, .. } => Some(tree),
            _ => None,
        });
        let kept: Vec<TraceId> = called.chain([task.tree]).collect();
        let wanted = self.parameters.code_memory as usize * 1024 / 4 * 3;
        // Where native code is running, what is dropped is given back only later.
        while backend.used() - self.pending_bytes(backend) > wanted {
            let Some(tree) = self.trees.borrow().least_useful(&kept) else { break };
            self.drop_tree(tree, Dropped::Room);
            self.settle();
        }
        self.trees.borrow_mut().fade();
    }

    fn pending_bytes(&self, backend: &B) -> usize {
        self.leftover.borrow().iter().map(|&id| backend.bytes(id)).sum()
    }

    /// Drops a tree and those that call it.
    pub(super) fn drop_tree(&self, tree: TraceId, why: Dropped) {
        let dropped = self.trees.borrow().with_callers(tree);
        for one in dropped {
            let why = if one == tree { why } else { Dropped::Tree };
            let traces = self.trees.borrow().of_tree(one);
            for id in traces {
                let place = self.trees.borrow_mut().drop_trace(id);
                self.log.event(|| Event::Dropped { trace: id, start: start_of(place), why });
                self.leftover.borrow_mut().push(id);
            }
            let place = self.trees.borrow().trace(one).place;
            self.unplace(place);
        }
    }

    /// A place has no tree any more. Its counter still asks at each pass, and begins anew there.
    fn unplace(&self, place: Place) {
        let mut places = self.places.borrow_mut();
        let data = places.get_mut(place);
        (data.tree, data.dropped) = (None, true);
        drop(places);
        if let (Place::Function(id), Some(backend)) = (place, self.backend()) {
            backend.publish(id, None);
        }
    }

    /// Gives the code of dropped traces back, if no native code is running.
    pub(super) fn settle(&self) {
        if self.depth.get() > 0 || self.leftover.borrow().is_empty() {
            return;
        }
        let Some(backend) = self.backend() else { return };
        for id in self.leftover.take() {
            backend.free(id);
            self.trees.borrow_mut().forget_exits(id);
        }
    }
}
