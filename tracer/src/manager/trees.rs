//! Compiled traces and their exits.

use rustc_hash::FxHashMap;
use scaly_interp::program::Pc;
use scaly_interp::tier::Position;

use super::paths::Before;
use super::profile::Share;
use super::values;
use crate::backend::Left;
use crate::backend::code::FIRST_EXIT;
use crate::optimize::Finished;
use crate::recorder::{Place, Task};
use crate::region::Type;
use crate::trace::{ExitId, ExitKind, Op, Root, Slot, Snapshot, SnapshotId, Trace, TraceId};

/// Most counters of a loop that are looked at.
pub const COUNTERS: usize = 4;
/// Instructions of a loop's trace up to which its iterations are counted: in a longer one another way costs little.
const SHORT: usize = 100;

/// Grows with each run of a tree that is left early, and shrinks twice as much with each other one: it gets large where two
/// thirds of them are. By one third programs that are native but for their last ways are interpreted.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Early(u32);

impl Early {
    /// Without it hash_map_churn of tests/lang takes 1.2 times as long.
    const LARGE: u32 = 8;

    fn count(&mut self, early: bool) {
        self.0 = if early { (self.0 + 1).min(Early::LARGE) } else { self.0.saturating_sub(2) };
    }

    /// Whether it is large; then not again before some more runs.
    fn take(&mut self) -> bool {
        let large = self.0 == Early::LARGE;
        if large {
            self.0 /= 2;
        }
        large
    }
}

/// Whether to enter the tree of a loop takes longer than to interpret what is left of it, as far as its frame tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rests {
    /// Instructions of an iteration, of the longest trace that was made for it; more than any limit where it calls.
    length: u64,
    /// Entries one behind another that were not worth it.
    short: u32,
}

impl Rests {
    /// Back edges.
    const FIRST: u32 = 16;
    const LONGEST: u32 = 4096;

    fn of(trace: &Trace) -> Rests {
        let calls = |op| matches!(op, Op::CallTree { .. } | Op::CallFunction { .. } | Op::CallValue { .. });
        let calls = trace.insts.iter().any(|inst| calls(inst.op));
        let length = trace.insts.len() - trace.loop_start().unwrap_or(0);
        Rests { length: if calls { u64::MAX } else { length as u64 }, short: 0 }
    }

    fn grow(&mut self, side: &Trace) {
        *self = Rests { length: self.length.max(Rests::of(side).length), short: 0 };
    }

    /// For how many back edges it is left alone, each time twice as many, where no more than so many instructions are left;
    /// none where it is to be entered.
    fn rest(&mut self, left: u64, instructions: u32) -> Option<u32> {
        if left.saturating_add(1).saturating_mul(self.length) > u64::from(instructions) {
            self.short = 0;
            return None;
        }
        let rest = Rests::FIRST << self.short;
        self.short += u32::from(rest < Rests::LONGEST);
        Some(rest)
    }
}

#[derive(Clone, Debug)]
pub struct TraceData {
    /// What its tree grows from.
    pub place: Place,
    /// The tree's root trace; itself for a root.
    pub tree: TraceId,
    /// Of a root: the side traces of its tree.
    pub sides: u32,
    /// Of a root: the loops of its tree, itself too, for any values; and those for one value of each that they fix.
    pub specializations: u32,
    pub fixes: u32,
    /// What it takes divisors to be, by the instruction that divides.
    pub divisors: Vec<(Pc, i64)>,
    /// Of a root: runs from the interpreter or a recording.
    pub runs: u64,
    /// Of a root: entries by the interpreter since the tree last grew, and its uses since room was last made.
    pub quiet: u32,
    /// Of a root: its runs that were short and came to an exit of a way that it does not have.
    pub early: Early,
    /// Of the root of a loop.
    pub rests: Rests,
    pub uses: u64,
    /// Of a side trace: how many in a row begin at the same instruction, itself too.
    pub ways: u32,
    /// Of a side trace: where it begins.
    pub begins: Option<Pc>,
    /// The trees that it calls.
    pub calls: Vec<TraceId>,
    /// Nothing leads there any more.
    pub dropped: bool,
    /// Of the root of a short loop: some slots of its frame that advance by a constant in each iteration, and by which.
    pub counters: Vec<(u16, i64)>,
    pub iterations: Iterations,
}

/// Native iterations of a loop.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Iterations {
    pub made: u64,
    /// Runs of native code of which it is not known how many they made.
    pub unknown: u64,
}

#[derive(Clone, Debug)]
pub struct ExitData {
    pub trace: TraceId,
    pub snapshot: Snapshot,
    /// Of the snapshot's innermost frame.
    pub base: Slot,
    /// Of the snapshot's values.
    pub types: Vec<Type>,
    /// Times it was taken since the threshold was set.
    pub count: u32,
    pub threshold: u32,
    /// Recordings from it that came to nothing.
    pub aborts: u32,
    /// An entry guard of a loop leaves by it.
    pub entry: bool,
    /// A check that was moved before the loop leaves by it.
    pub hoisted: bool,
    pub made: Made,
    /// What iterations its tree had made when it was taken first, and how often it was taken since.
    pub since: Option<(Iterations, u32)>,
    /// Before a side trace began here.
    pub share: Option<Share>,
    /// The instruction of the bytecode that decides whether it is taken.
    pub guard: Option<Pc>,
}

/// How many iterations of a loop were made when its tree is left here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Made {
    /// It leaves in the first one.
    None,
    /// As this counter of the loop says, by its position.
    By(usize),
    Unknown,
}

#[derive(Debug, Default)]
pub struct Trees {
    traces: Vec<TraceData>,
    exits: Vec<ExitData>,
    /// The ways out of a tree's loop: the exit that stands for all that lead to this instruction.
    leaves: FxHashMap<(TraceId, Pc), ExitId>,
}

impl Trees {
    pub fn next_id(&self) -> TraceId {
        TraceId(self.traces.len() as u32)
    }

    pub fn next_exit(&self) -> ExitId {
        ExitId(FIRST_EXIT + self.exits.len() as u32)
    }

    #[inline]
    pub fn trace(&self, id: TraceId) -> &TraceData {
        &self.traces[id.index()]
    }

    /// What divisors traces were made for, by the instruction that divides.
    pub fn divisors(&self) -> impl Iterator<Item = (Pc, i64)> {
        self.traces.iter().flat_map(|trace| trace.divisors.iter().copied())
    }

    pub fn exits(&self) -> &[ExitData] {
        &self.exits
    }

    #[inline]
    pub fn exit(&mut self, id: ExitId) -> &mut ExitData {
        &mut self.exits[(id.0 - FIRST_EXIT) as usize]
    }

    #[inline]
    pub fn exit_of(&self, id: ExitId) -> &ExitData {
        &self.exits[(id.0 - FIRST_EXIT) as usize]
    }

    /// Of the next side trace of an exit: how many in a row will begin at the same instruction.
    pub fn ways(&self, exit: ExitId) -> u32 {
        let exit = self.exit_of(exit);
        let of = self.trace(exit.trace);
        if of.begins == Some(exit.snapshot.pc) { of.ways + 1 } else { 1 }
    }

    /// For each snapshot of the next trace, the exit that it returns.
    pub fn returns(&self, trace: &Trace, task: &Task) -> Vec<ExitId> {
        let (first, tree) = (self.next_exit(), self.tree_of(task));
        let own = |i: usize| ExitId(first.0 + i as u32);
        let standing = |i: usize, snapshot: &Snapshot| {
            if snapshot.kind != ExitKind::Leave {
                return own(i);
            }
            let same = |s: &Snapshot| s.kind == ExitKind::Leave && s.pc == snapshot.pc;
            let earlier = trace.snapshots.iter().position(same).unwrap_or(i);
            self.leaves.get(&(tree, snapshot.pc)).copied().unwrap_or(own(earlier))
        };
        trace.snapshots.iter().enumerate().map(|(i, snapshot)| standing(i, snapshot)).collect()
    }

    /// The root trace of a task's tree.
    fn tree_of(&self, task: &Task) -> TraceId {
        if matches!(task.root, Root::Side(_)) { task.tree } else { self.next_id() }
    }

    /// Adds a trace with the next id, and its exits.
    pub fn add(&mut self, finished: &Finished, task: &Task, fixes: bool, threshold: u32) {
        let Finished { trace, hoisted, counters } = finished;
        let (id, tree, first) = (self.next_id(), self.tree_of(task), self.next_exit());
        let called = trace.insts.iter().filter_map(|inst| match inst.op {
            Op::CallTree { tree, .. } => Some(tree),
            _ => None,
        });
        self.traces.push(TraceData {
            place: task.place,
            tree,
            sides: 0,
            specializations: u32::from(!fixes),
            fixes: u32::from(fixes),
            divisors: if fixes { values::fixed(trace).collect() } else { Vec::new() },
            runs: 0,
            quiet: 0,
            early: Early::default(),
            rests: Rests::of(trace),
            uses: 1,
            ways: task.ways,
            begins: task.parent.as_ref().map(|(snapshot, _)| snapshot.pc),
            calls: called.collect(),
            dropped: false,
            iterations: Iterations::default(),
            counters: counters.iter().copied().take(if trace.insts.len() <= SHORT { COUNTERS } else { 0 }).collect(),
        });
        self.traces[tree.index()].quiet = 0;
        self.traces[tree.index()].early = Early::default();
        if tree != id {
            self.traces[tree.index()].sides += 1;
            self.traces[tree.index()].rests.grow(trace);
            self.traces[tree.index()].specializations += u32::from(task.specialization && !fixes);
            self.traces[tree.index()].fixes += u32::from(task.specialization && fixes);
        }
        for (i, snapshot) in trace.snapshots.iter().enumerate() {
            if snapshot.kind == ExitKind::Leave {
                self.leaves.entry((tree, snapshot.pc)).or_insert(ExitId(first.0 + i as u32));
            }
        }
        let entry = trace.entry.map(SnapshotId::index);
        let made = made(trace, &self.trace(tree).counters);
        let guards = guards(trace);
        self.exits.extend(trace.snapshots.iter().enumerate().map(|(i, snapshot)| ExitData {
            trace: id,
            entry: entry == Some(i),
            hoisted: hoisted.iter().any(|id| id.index() == i),
            made: made[i],
            since: None,
            share: None,
            guard: guards[i],
            base: snapshot.base(),
            snapshot: snapshot.clone(),
            types: snapshot.slots.iter().map(|&(_, r)| trace.ty(r).unwrap_or(Type::Word)).collect(),
            count: 0,
            threshold,
            aborts: 0,
        }));
    }

    /// Whether a tree may have one more specialization.
    pub fn may_specialize(&self, tree: TraceId, limit: u32) -> bool {
        self.trace(tree).specializations < limit
    }

    /// Counts an exit; true if it is hot now.
    #[inline]
    pub fn count_exit(&mut self, id: ExitId) -> bool {
        let data = self.exit(id);
        data.count += 1;
        data.count >= data.threshold
    }

    /// Asks about an exit again after as many more.
    pub fn delay_exit(&mut self, id: ExitId, count: u32) {
        let data = self.exit(id);
        data.count = data.threshold.saturating_sub(count);
    }

    /// Leaves an exit alone for a long time.
    pub fn rest_exit(&mut self, id: ExitId, factor: u32) {
        let data = self.exit(id);
        data.count = 0;
        data.threshold = data.threshold.saturating_mul(factor);
    }

    /// Counts an entry of a tree by the interpreter, and says how many there were since it last grew; `before` is for the
    /// iterations that it makes.
    #[inline]
    pub fn count_entry(&mut self, tree: TraceId, at: Position, before: &mut Before) -> u32 {
        let data = &mut self.traces[tree.index()];
        data.runs += 1;
        data.uses += 1;
        data.quiet = data.quiet.saturating_add(1);
        before.read(&data.counters, at);
        data.quiet
    }

    /// Counts a run of a tree in a recording.
    pub fn count_run(&mut self, tree: TraceId) {
        self.traces[tree.index()].runs += 1;
    }

    /// Runs of all trees that a loop has had, by loop.
    pub fn runs(&self, loops: usize) -> Vec<u64> {
        let mut runs = vec![0; loops];
        for data in &self.traces {
            if let Place::Loop(id) = data.place {
                runs[id.0 as usize] += data.runs;
            }
        }
        runs
    }

    /// Counts a run of a tree.
    pub fn count_stretch(&mut self, tree: TraceId, long: bool, left: &Left) {
        let early = match *left {
            Left::Exit { exit, .. } => self.exit(exit).snapshot.kind == ExitKind::Resume,
            Left::Returned | Left::Abandoned => false,
        };
        self.traces[tree.index()].early.count(early && !long);
    }

    /// Whether a tree is left again and again soon after it was entered, by ways that it does not have: see
    /// [`Early::take`].
    #[inline]
    pub fn is_left_early(&mut self, tree: TraceId) -> bool {
        self.traces[tree.index()].early.take()
    }

    /// For how many back edges the tree of a loop is to rest that has so many trips left: see [`Rests::rest`].
    #[inline]
    pub fn rests(&mut self, tree: TraceId, left: u64, short: u32) -> Option<u32> {
        self.traces[tree.index()].rests.rest(left, short)
    }

    /// Counts iterations that a tree has made until one of its exits was taken; none: it is not known how many.
    pub fn count_iterations(&mut self, tree: TraceId, exit: ExitId, made: Option<u64>) {
        let all = &mut self.traces[tree.index()].iterations;
        let Some(made) = made else {
            all.unknown += 1;
            return;
        };
        all.made = all.made.saturating_add(made);
        let all = *all;
        let since = &mut self.exit(exit).since;
        *since = Some(since.map_or((all, 0), |(then, taken)| (then, taken + 1)));
    }

    /// The traces of a tree that are not dropped.
    pub fn of_tree(&self, tree: TraceId) -> Vec<TraceId> {
        let all = (0..self.traces.len() as u32).map(TraceId);
        all.filter(|&id| self.trace(id).tree == tree && !self.trace(id).dropped).collect()
    }

    /// A tree and those that call it, directly or through others.
    pub fn with_callers(&self, tree: TraceId) -> Vec<TraceId> {
        let mut found = vec![tree];
        let mut at = 0;
        while let Some(&called) = found.get(at) {
            for data in self.traces.iter().filter(|data| !data.dropped && data.calls.contains(&called)) {
                if !found.contains(&data.tree) {
                    found.push(data.tree);
                }
            }
            at += 1;
        }
        found
    }

    /// The tree that was used least since room was last made, callers' uses counted as its own; none of `kept`.
    pub fn least_useful(&self, kept: &[TraceId]) -> Option<TraceId> {
        let roots = (0..self.traces.len() as u32).map(TraceId).filter(|&id| {
            let data = self.trace(id);
            data.tree == id && !data.dropped
        });
        let uses = |id: TraceId| self.with_callers(id).iter().map(|&tree| self.trace(tree).uses).sum::<u64>();
        roots.filter(|&id| self.with_callers(id).iter().all(|tree| !kept.contains(tree))).min_by_key(|&id| uses(id))
    }

    /// Old uses count for less and less.
    pub fn fade(&mut self) {
        self.traces.iter_mut().for_each(|data| data.uses /= 2);
    }

    /// Marks a trace as dropped.
    pub fn drop_trace(&mut self, id: TraceId) -> Place {
        let data = &mut self.traces[id.index()];
        data.dropped = true;
        data.place
    }

    /// Forgets what only a trace with code needs to be known of its exits.
    pub fn forget_exits(&mut self, id: TraceId) {
        for data in self.exits.iter_mut().filter(|data| data.trace == id) {
            (data.types, data.snapshot.slots, data.snapshot.frames) = (Vec::new(), Vec::new(), Vec::new());
        }
    }
}

/// By exit of a trace: how many iterations were made, by the counters of its tree.
fn made(trace: &Trace, counters: &[(u16, i64)]) -> Vec<Made> {
    let first = &trace.insts[..trace.loop_start().unwrap_or(0)];
    let mut in_first = vec![false; trace.snapshots.len()];
    first.iter().filter_map(|inst| inst.snapshot).for_each(|id| in_first[id.index()] = true);
    trace.insts[first.len()..].iter().filter_map(|inst| inst.snapshot).for_each(|id| in_first[id.index()] = false);
    let of = |(at, snapshot): (usize, &Snapshot)| {
        if in_first[at] {
            return Made::None;
        }
        // A slot that is not written there is one that nobody reads.
        let written =
            |&(slot, _): &(u16, i64)| snapshot.slots.binary_search_by_key(&Slot::from(slot), |entry| entry.0).is_ok();
        counters.iter().position(written).map_or(Made::Unknown, Made::By)
    };
    trace.snapshots.iter().enumerate().map(of).collect()
}

/// By exit of a trace: what decides whether it is taken.
fn guards(trace: &Trace) -> Vec<Option<Pc>> {
    let mut guards = vec![None; trace.snapshots.len()];
    for inst in trace.insts.iter().filter(|inst| matches!(inst.op, Op::Guard { .. })) {
        if let Some(id) = inst.snapshot {
            guards[id.index()] = Some(inst.pc);
        }
    }
    guards
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a tree counts as left early at some time, of whose runs every so many is.
    fn is_large(runs: impl Iterator<Item = bool>) -> bool {
        let mut early = Early::default();
        runs.into_iter().any(|run| {
            early.count(run);
            early.take()
        })
    }

    #[test]
    fn a_tree_is_left_early_if_two_thirds_of_its_runs_are() {
        assert!(is_large((0..8).map(|_| true)) && !is_large((0..7).map(|_| true)));
        assert!(is_large((0..100).map(|i| i % 4 > 0)));
        assert!(!is_large((0..100).map(|i| i % 2 > 0)));
    }

    #[test]
    fn what_is_short_rests_longer_and_longer() {
        let mut rests = Rests { length: 20, short: 0 };
        assert_eq!(rests.rest(2, 60), Some(16), "three iterations");
        assert_eq!((rests.rest(0, 60), rests.rest(2, 60), rests.rest(3, 60)), (Some(32), Some(64), None));
        assert_eq!(rests.rest(2, 60), Some(16), "anew");
        assert_eq!((0..100).filter_map(|_| rests.rest(1, 60)).last(), Some(Rests::LONGEST));
        assert_eq!(rests.rest(0, 0), None);
    }

    #[test]
    fn it_is_asked_again_after_some_more_runs() {
        let mut early = Early::default();
        (0..20).for_each(|_| early.count(true));
        assert!(early.take() && !early.take());
        (0..4).for_each(|_| early.count(true));
        assert!(early.take());
    }
}
