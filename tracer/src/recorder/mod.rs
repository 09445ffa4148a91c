//! Records the path that a hot loop or function takes.
//!
//! The recorder is a machine (`machine`): the program runs on it as on the interpreter, and each operation leaves an
//! instruction of the trace. Control is here: what an instruction's [`Next`] means for the trace.
//!
//! - Calls are followed and their frames tracked (`frames`). A recursive or large callee becomes a call between native
//!   entries, run unrecorded; what may wait is always followed, since native code never calls it.
//! - Routines become calls of themselves; their results are loaded from the slots.
//! - At the header of an inner loop that has a tree, the tree is called, and run right there. Without a tree the loop's
//!   iterations are followed as they come, up to a limit: a loop that rarely iterates never gets a tree.
//! - The recording ends at the header of its root, where the path leaves the loop, or where the function returns.

mod facts;
mod forced;
mod frames;
mod machine;

use std::rc::Rc;

pub use facts::Facts;
use forced::Forced;
use frames::{Activation, Frames};
use rustc_hash::FxHashMap;
use scaly_interp::bytecode::Instruction;
use scaly_interp::interpreter::{Native, State};
use scaly_interp::machine::{IntCompare, Machine, Next};
use scaly_interp::program::{Class, FunctionId, LoopId, Pc};
use scaly_interp::record::{self, After, Before};
use scaly_interp::routine::Routine;
use scaly_interp::tier::{Goes, Position};

use crate::log::Abort;
use crate::optimize::Builder;
use crate::region::{Op as Common, Type};
use crate::trace::{Const, End, ExitId, ExitKind, Op, Ref, Root, Slot, Snapshot, SnapshotId, TraceId};
use crate::walker::SlotSet;

/// What a tree grows from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Place {
    Loop(LoopId),
    Function(FunctionId),
}

/// What the recorder asks of the compiled trees.
pub trait Trees {
    /// The tree of a loop.
    fn tree_of(&self, id: LoopId) -> Option<TraceId>;

    /// A back edge is taken under the recording.
    fn back_edge(&self, id: LoopId);

    /// Runs it.
    fn run(&self, state: &mut State, tree: TraceId, at: Position) -> Ran;

    /// Runs what is not recorded: others may be meanwhile.
    fn apart(&self, run: &mut dyn FnMut() -> bool) -> bool;
}

/// How a tree that the recorder ran came back.
#[derive(Clone, Copy, Debug)]
pub enum Ran {
    /// Its loop has ended; the interpreter would go on here.
    Done(ExitId, Position),
    /// In any other way.
    Else(Goes),
}

/// Bounds of a recording.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Instructions of the trace.
    pub instructions: usize,
    /// Calls inlined into one another.
    pub depth: usize,
    /// Instructions of the bytecode of a callee.
    pub size: u32,
    /// Branches of a callee.
    pub branches: usize,
    /// Back edges of inner loops without a tree.
    pub unrolled: u32,
    /// Instructions of the bytecode of inner loops that make always as many trips, all of them: up to so many are
    /// followed, tree or not.
    pub unrolled_size: u64,
    /// Side traces in a row for one function each, where a value is called.
    pub callees: u32,
    /// Count back edges.
    pub count: bool,
    /// Exits without a reason stand before guards, drawn by this seed; 0: none do.
    pub forced: u64,
}

/// What is recorded.
#[derive(Clone, Debug)]
pub struct Task {
    pub root: Root,
    /// Of the tree.
    pub place: Place,
    /// The root trace of the tree: where a side trace links to.
    pub tree: TraceId,
    /// Of a side trace: the exit's snapshot, and the types of the values in it.
    pub parent: Option<(Snapshot, Vec<Type>)>,
    /// Of a side trace of an exit that passes on what a called tree returned: the exit to go on behind.
    pub passed: Option<ExitId>,
    /// Of a side trace of an entry guard: it becomes a loop of its own, for what that guard does not hold for.
    pub specialization: bool,
    /// Values that do not change in the loop may be fixed at its entry.
    pub fix: bool,
    /// Of a side trace: how many in a row begin at the same instruction, itself too.
    pub ways: u32,
}

impl Task {
    /// Whether it becomes a loop of its own.
    fn is_loop(&self) -> bool {
        matches!(self.root, Root::Loop(_)) || self.specialization
    }
}

/// The trace as it grows.
pub struct Recording {
    builder: Builder,
    frames: Frames,
    facts: Rc<Facts>,
    task: Task,
    bounds: Bounds,
    /// The instruction that is recorded.
    pc: Pc,
    ins: Instruction,
    /// Where it began.
    header: Pc,
    /// The root's back edge has been taken.
    closing: bool,
    /// Exits without a reason, and whether this instruction may still have one: none of its guards has been recorded.
    forced: Forced,
    may_force: bool,
    unrolled: u32,
    /// Of a loop: the slots of the root's frame that it writes.
    written: Option<SlotSet>,
    /// What is known of values: whether they are the same in all iterations.
    invariants: FxHashMap<Ref, bool>,
    /// How it ended.
    result: Option<Result<End, Abort>>,
}

/// A finished recording.
pub struct Recorded {
    pub result: Result<Builder, Abort>,
    /// Where it ended.
    pub pc: Pc,
    pub goes: Goes,
}

/// Records from a position on.
pub fn record(
    state: &mut State,
    at: Position,
    facts: Rc<Facts>,
    task: Task,
    bounds: Bounds,
    trees: &dyn Trees,
) -> Recorded {
    let mut recorder =
        Recorder { native: Native::nowhere(), on: Recording::start(facts, task, bounds, at.pc()), trees };
    let goes = record::record(state, at, &mut recorder);
    let Recording { mut builder, result, pc, .. } = recorder.on;
    let result = match result {
        Some(Ok(end)) => {
            builder.trace.end = end;
            Ok(builder)
        }
        Some(Err(abort)) => Err(abort),
        None => Err(Abort::ProgramEnded),
    };
    Recorded { result, pc, goes }
}

impl Recording {
    fn start(facts: Rc<Facts>, task: Task, bounds: Bounds, pc: Pc) -> Recording {
        let function = match task.place {
            Place::Loop(id) => facts.program.loops[id.0 as usize].function,
            Place::Function(id) => id,
        };
        let mut activations = vec![Activation { function, base: 0, return_pc: pc }];
        let inlined = task.parent.as_ref().map_or(&[][..], |(snapshot, _)| &snapshot.frames);
        for (i, frame) in inlined.iter().enumerate() {
            // A frame's function is the one that its own code goes on in.
            let inside = inlined.get(i + 1).map_or(pc, |f| f.return_pc);
            let function = facts.function_at(inside);
            activations.push(Activation { function, base: frame.base, return_pc: frame.return_pc });
        }
        let (written, constants) = match task.place {
            Place::Loop(id) => (task.is_loop().then(|| facts.written(id)), facts.constants(id)),
            Place::Function(_) => (None, Vec::new()),
        };
        let mut recording = Recording {
            builder: Builder::new(task.root),
            frames: Frames::new(activations, constants),
            facts,
            task,
            bounds,
            pc,
            header: pc,
            ins: Instruction::new(scaly_interp::bytecode::Opcode::Nop, 0, 0, 0),
            closing: false,
            forced: Forced::new(bounds.forced),
            may_force: false,
            unrolled: 0,
            written,
            invariants: FxHashMap::default(),
            result: None,
        };
        recording.inherit();
        recording
    }

    /// The values of the parent's snapshot.
    fn inherit(&mut self) {
        let Some((parent, types)) = self.task.parent.clone() else { return };
        if let (ExitKind::PassOn(_), Some(passed)) = (parent.kind, self.task.passed) {
            let ty = Type::Word;
            let code = self.builder.emit(Op::Inherit { index: 0, ty }, Ref::NONE, Ref::NONE, self.pc);
            self.expect_exit(code, passed, parent.pc);
            return;
        }
        for (index, (&(slot, _), ty)) in parent.slots.iter().zip(types).enumerate() {
            let value = self.builder.emit(Op::Inherit { index: index as u32, ty }, Ref::NONE, Ref::NONE, self.pc);
            self.frames.write(slot, value);
        }
    }

    /// Leaves unless a tree that was called left by this exit. Memory is exact.
    fn expect_exit(&mut self, code: Ref, exit: ExitId, header: Pc) {
        let wanted = self.builder.constant(Const::Word(i64::from(exit.0)));
        let same = self.emit(Common::Compare(IntCompare::Eq), code, wanted);
        let at = self.frames.headers();
        self.builder.guard(same, true, header, |b| {
            b.snapshot(Snapshot { kind: ExitKind::PassOn(code), pc: header, frames: at, slots: vec![(0, code)] })
        });
    }

    /// Whether a value is the same in all iterations of the root's loop, and known before the first.
    fn invariant(&mut self, r: Ref) -> bool {
        let Some(written) = &self.written else { return false };
        if r.is_constant() || r.is_none() {
            return true;
        }
        if let Some(&known) = self.invariants.get(&r) {
            return known;
        }
        let inst = *self.builder.trace.inst(r);
        let same = match inst.op {
            Op::Slot { slot, epoch: 0, .. } => {
                let root = self.facts.program.function(self.frames.activations[0].function);
                slot < u32::from(root.frame_slots) && !written.has(slot as u16)
            }
            Op::StackLimit | Op::SlotAddress(_) => true,
            Op::Common(op) if op.effects() == crate::region::Effects::Pure => {
                self.invariant(inst.a) && self.invariant(inst.b)
            }
            _ => false,
        };
        self.invariants.insert(r, same);
        same
    }

    /// The snapshot of the header, before anything has happened.
    fn entry_snapshot(&mut self) -> SnapshotId {
        let header = self.header;
        let builder = &mut self.builder;
        *builder.trace.entry.get_or_insert_with(|| {
            let (kind, frames, slots) = (ExitKind::Resume, Vec::new(), Vec::new());
            builder.trace.snapshots.push(Snapshot { kind, pc: header, frames, slots });
            SnapshotId(builder.trace.snapshots.len() as u32 - 1)
        })
    }

    fn root_loop(&self) -> Option<LoopId> {
        match self.task.place {
            Place::Loop(id) => Some(id),
            Place::Function(_) => None,
        }
    }

    /// Whether going on at `pc` in the innermost frame is outside of the root's loop.
    fn leaves_loop(&self, pc: Pc) -> bool {
        self.frames.depth() == 0 && self.root_loop().is_some_and(|id| !self.facts.contains(id, pc))
    }

    fn end(&mut self, end: End) {
        self.result.get_or_insert(Ok(end));
    }

    fn abort(&mut self, abort: Abort) {
        self.result.get_or_insert(Err(abort));
    }

    /// Ends at the root's header.
    fn close(&mut self, pc: Pc) {
        let snapshot = self.frames.snapshot(&mut self.builder, &self.facts, ExitKind::Resume, pc);
        let snapshot = self.builder.snapshot(snapshot);
        if self.task.is_loop() {
            self.builder.trace.carried = self.frames.carried();
            self.end(End::Loop(snapshot));
        } else {
            self.end(End::Link(self.task.tree, snapshot));
        }
    }

    /// Ends where the path leaves the loop.
    fn leave(&mut self, pc: Pc) {
        if self.task.is_loop() {
            return self.abort(Abort::LeftLoop);
        }
        let snapshot = self.frames.snapshot(&mut self.builder, &self.facts, ExitKind::Leave, pc);
        let snapshot = self.builder.snapshot(snapshot);
        self.end(End::Leave(snapshot));
    }

    /// The loop that begins at an instruction and is not being recorded; the outermost.
    fn inner_loop(&self, pc: Pc) -> Option<LoopId> {
        self.facts.headers(pc).into_iter().find(|&id| match self.root_loop() {
            Some(root) if self.frames.depth() == 0 => !self.facts.within(root, id),
            _ => true,
        })
    }

    /// Whether all iterations of an inner loop are followed.
    fn is_unrolled(&self, id: LoopId) -> bool {
        self.facts.straight(id).is_some_and(|size| size <= self.bounds.unrolled_size)
    }

    /// Results of something that was called are in the slots.
    fn results(&mut self, first: Slot, count: u32) {
        let epoch = self.next_epoch();
        (first..first + count).for_each(|slot| self.frames.written_by_call(slot, epoch));
    }

    fn next_epoch(&mut self) -> u32 {
        self.builder.trace.epochs += 1;
        self.builder.trace.epochs
    }

    fn state_here(&mut self, kind: ExitKind) -> SnapshotId {
        let snapshot = self.frames.snapshot(&mut self.builder, &self.facts, kind, self.pc);
        self.builder.snapshot(snapshot)
    }

    fn call(&mut self, function: FunctionId, frame: u16) -> After {
        let callee = self.facts.program.function(function);
        let (size, class) = (callee.code.len() as u32, callee.class());
        let frame_slots = callee.frame_slots;
        let base = self.frames.base() + Slot::from(frame);
        let recursive = self.frames.activations.iter().any(|a| a.function == function);
        let real = recursive
            || self.frames.depth() >= self.bounds.depth
            || size > self.bounds.size
            || self.facts.branches(function) > self.bounds.branches;
        if !real || self.facts.may_wait(function) {
            if real && self.frames.depth() >= 4 * self.bounds.depth {
                self.abort(Abort::RecursionWaits);
                return After::End;
            }
            self.check_stack(base + Slot::from(frame_slots));
            self.frames.enter(function, base, Pc(self.pc.0 + 1));
            return After::Follow;
        }
        self.call_natively(Op::CallFunction { function, slot: base }, Ref::NONE, class)
    }

    /// Emits the call of a function of a class.
    fn call_natively(&mut self, op: Op, callee: Ref, class: Class) -> After {
        let (Op::CallFunction { slot: base, .. } | Op::CallValue { slot: base, .. }) = op else {
            unreachable!("{op:?} calls no function")
        };
        let pc = self.pc;
        self.frames.store(&mut self.builder, base, u32::from(class.param_slots()), pc);
        self.frames.flush_headers(&mut self.builder, pc);
        let caller = self.frames.base();
        self.frames.store_header(&mut self.builder, base, caller, Pc(pc.0 + 1), pc);
        let snapshot = self.state_here(ExitKind::Resume);
        self.builder.emit_with(op, callee, Ref::NONE, pc, snapshot);
        self.frames.forget_from(base - 2);
        self.results(base, u32::from(class.result_slots()));
        After::Through
    }

    /// Leaves before a call if its frame does not fit.
    fn check_stack(&mut self, end: Slot) {
        let address = self.builder.emit(Op::SlotAddress(end), Ref::NONE, Ref::NONE, self.pc);
        let limit = self.builder.emit(Op::StackLimit, Ref::NONE, Ref::NONE, self.pc);
        let fits = self.emit(Common::Compare(IntCompare::LeU), address, limit);
        self.guard(fits, true, self.pc);
    }

    fn call_indirect(&mut self, id: FunctionId, value: u16, frame: u16) -> After {
        let base = self.frames.base();
        let pc = self.pc;
        let (callee, environment) = (base + Slot::from(value), base + Slot::from(value) + 1);
        let known = self.frames.read(&mut self.builder, callee, Type::Word, pc);
        let wanted = self.builder.constant(Const::Word(i64::from(id.0)));
        let same = self.emit(Common::Compare(IntCompare::Eq), known, wanted);
        self.guard(same, true, pc);
        let environment = self.frames.read_any(&mut self.builder, environment, pc);
        self.frames.write(base + Slot::from(frame), environment);
        self.call(id, frame)
    }

    /// Whether the function that is called here is mostly none of those that there are traces for.
    fn calls_many(&self, id: FunctionId) -> bool {
        let class = self.facts.program.function(id).class();
        self.task.ways > self.bounds.callees && self.pc == self.header && !self.facts.any_may_wait(class)
    }

    /// Calls whatever function a value is.
    fn call_value(&mut self, id: FunctionId, value: u16, frame: u16) -> After {
        let class = self.facts.program.function(id).class();
        let base = self.frames.base();
        let pc = self.pc;
        let (callee, environment) = (base + Slot::from(value), base + Slot::from(value) + 1);
        let callee = self.frames.read(&mut self.builder, callee, Type::Word, pc);
        let environment = self.frames.read_any(&mut self.builder, environment, pc);
        self.frames.write(base + Slot::from(frame), environment);
        self.call_natively(Op::CallValue { class, slot: base + Slot::from(frame) }, callee, class)
    }

    fn give_back(&mut self, from: u16, count: u16) -> After {
        let base = self.frames.base();
        let pc = self.pc;
        if self.frames.depth() > 0 {
            self.frames.copy(&mut self.builder, base, base + Slot::from(from), u32::from(count), pc);
            self.frames.forget_from(base + Slot::from(count));
            self.frames.activations.pop();
            return After::Follow;
        }
        if self.root_loop().is_some() {
            self.leave(pc);
            return After::End;
        }
        let first = base + Slot::from(from);
        let values: Vec<Ref> =
            (0..u32::from(count)).map(|i| self.frames.read_any(&mut self.builder, first + i, pc)).collect();
        for (slot, value) in values.into_iter().enumerate() {
            self.builder.emit(Op::StoreSlot(slot as Slot), value, Ref::NONE, pc);
        }
        self.end(End::Return);
        After::End
    }

    fn routine(&mut self, number: u32, frame: u16) -> After {
        let Some(routine) = Routine::from_number(number) else { return After::Follow };
        let row = routine.signature();
        let first = self.frames.base() + Slot::from(frame);
        let pc = self.pc;
        let snapshot = self.state_here(ExitKind::Outcome);
        self.frames.store(&mut self.builder, first, u32::from(row.param_slots()), pc);
        self.builder.emit_with(Op::Routine { routine, slot: first }, Ref::NONE, Ref::NONE, pc, snapshot);
        self.results(first, u32::from(row.result_slots()));
        After::Follow
    }
}

/// A recording and the program that runs under it.
pub struct Recorder<'a> {
    native: Native,
    on: Recording,
    trees: &'a dyn Trees,
}

impl Recorder<'_> {
    /// Calls the tree of an inner loop, and runs it.
    fn call_tree(&mut self, state: &mut State, id: LoopId, tree: TraceId, at: Position) -> Before {
        let on = &mut self.on;
        let (base, pc) = (on.frames.base(), at.pc());
        on.frames.flush(&mut on.builder, &on.facts, pc);
        let code = on.builder.emit(Op::CallTree { tree, slot: base }, Ref::NONE, Ref::NONE, pc);
        match self.trees.run(state, tree, at) {
            Ran::Done(exit, to) => {
                on.expect_exit(code, exit, pc);
                let epoch = on.next_epoch();
                for slot in on.facts.written(id).iter() {
                    on.frames.written_by_call(base + Slot::from(slot), epoch);
                }
                Before::Went(Goes::On(to))
            }
            Ran::Else(goes) => {
                on.abort(Abort::InnerLoopLeftEarly);
                Before::Left(goes)
            }
        }
    }
}

impl record::Recorder for Recorder<'_> {
    fn attach(&mut self, native: Native) {
        self.native = native;
    }

    fn before(&mut self, state: &mut State, at: Position, ins: Instruction) -> Before {
        let on = &mut self.on;
        (on.pc, on.ins, on.may_force) = (at.pc(), ins, true);
        if on.closing {
            on.close(at.pc());
            return Before::End;
        }
        if on.leaves_loop(at.pc()) {
            on.leave(at.pc());
        } else if on.builder.trace.insts.len() > on.bounds.instructions {
            on.abort(Abort::TraceTooLong);
        }
        if on.result.is_some() {
            return Before::End;
        }
        let inner = on.inner_loop(at.pc()).filter(|&id| !on.is_unrolled(id));
        let inner = inner.and_then(|id| Some((id, self.trees.tree_of(id)?)));
        match inner {
            Some((id, tree)) => self.call_tree(state, id, tree, at),
            None => Before::Run,
        }
    }

    fn after(&mut self, _: &mut State, at: Position, _: Instruction, next: Next) -> After {
        let on = &mut self.on;
        match next {
            Next::Seq | Next::Jump(_) => After::Follow,
            Next::Loop { id, .. } => {
                self.trees.back_edge(LoopId(id));
                if on.bounds.count {
                    on.builder.emit(Op::Count(LoopId(id)), Ref::NONE, Ref::NONE, at.pc());
                }
                if on.frames.depth() == 0 && on.root_loop() == Some(LoopId(id)) {
                    on.closing = true;
                } else if !on.is_unrolled(LoopId(id)) {
                    on.unrolled += 1;
                    if on.unrolled > on.bounds.unrolled {
                        on.abort(Abort::InnerLoopWithoutTree);
                    }
                }
                After::Follow
            }
            Next::Call { function, frame } => on.call(FunctionId(function), frame),
            Next::CallIndirect { value, frame } => {
                let id = FunctionId(self.native.word(value) as u32);
                if on.calls_many(id) { on.call_value(id, value, frame) } else { on.call_indirect(id, value, frame) }
            }
            Next::Return { from, count } => on.give_back(from, count),
            Next::Runtime { routine, frame } => on.routine(routine, frame),
            Next::Fault(_) => {
                on.abort(Abort::ProgramEnded);
                After::Follow
            }
        }
    }

    fn through(&mut self, state: &mut State, run: impl FnOnce(&mut State) -> bool) -> bool {
        let mut run = Some(run);
        self.trees.apart(&mut || run.take().is_some_and(|run| run(state)))
    }

    fn stopped(&mut self) {
        self.on.abort(Abort::ProgramEnded);
    }
}
