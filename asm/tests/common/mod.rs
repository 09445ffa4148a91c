//! Traces built by hand and run on frames.
#![allow(dead_code)]

pub mod model;
pub mod operations;

use std::sync::Arc;

use scaly_asm::{Options, X64};
use scaly_interp::dump::parse;
use scaly_interp::interpreter::{self, State, World, probe};
use scaly_interp::program::{LoopId, Pc, Program};
use scaly_interp::tier::Position;
use scaly_tracer::backend::{Backend, Job, Left};
use scaly_tracer::region::{self, Type};
use scaly_tracer::trace::{
    Const, End, ExitId, ExitKind, Frame, Inst, Op, Phi, Ref, Root, Slot, Snapshot, SnapshotId, Trace, TraceId,
};

/// Of the frames that traces run on.
pub const SLOTS: usize = 700;

/// A program with a loop, which nothing runs.
pub fn program() -> Arc<Program> {
    let listing = "main start
function start(params 0, results 1, frame 700)
  loop0 open @1..@4
  0: Const s0, 0
  1: AddImm s0, s0, 1
  2: JGeSImm s0, 1000 -> @4
  3: Loop loop0 -> @1
  4: Const s0, 0
  5: Return1 s0
function callee(params 1, results 1, frame 40)
  6: Return1 s0
";
    Arc::new(parse(listing).unwrap_or_else(|error| panic!("{error}")))
}

/// Runs `body` with a backend, a state and the position of a frame.
pub fn with_backend<R>(options: Options, body: impl FnOnce(&X64, &mut State, Position) -> R) -> R {
    with_limits(options, interpreter::Options::default(), body)
}

pub fn with_limits<R>(
    options: Options,
    limits: interpreter::Options,
    body: impl FnOnce(&X64, &mut State, Position) -> R,
) -> R {
    let program = program();
    let backend = X64::new(program.clone(), options).unwrap();
    let world = World::standard(Vec::new());
    let result = probe(program, world, limits, |state, at| body(&backend, state, at));
    result.unwrap().unwrap()
}

pub fn frame(at: Position) -> &'static mut [u64] {
    // SAFETY: the main program's frame has as many slots; nothing else uses it while a test looks.
    unsafe { std::slice::from_raw_parts_mut(at.base(), SLOTS) }
}

/// The exits of a trace begin at 16 plus a hundred times its number.
pub fn first_exit(id: TraceId) -> ExitId {
    ExitId(16 + 100 * id.0)
}

pub fn assemble(backend: &X64, id: TraceId, trace: &Trace) {
    backend.assemble(Job { id, trace, first_exit: first_exit(id), returns: &[] }).unwrap();
}

/// Assembles a root, enters it, and gives the exit, as the number of the snapshot.
pub fn run(backend: &X64, id: TraceId, trace: &Trace, state: &mut State, at: Position) -> u32 {
    assemble(backend, id, trace);
    match backend.enter(id, state, at) {
        Left::Exit { exit, root, .. } => {
            assert_eq!(root.base(), at.base());
            exit.0 - first_exit(id).0
        }
        left => panic!("{left:?}"),
    }
}

/// Builds traces.
pub struct Make {
    pub trace: Trace,
}

impl Make {
    pub fn new(root: Root) -> Make {
        Make { trace: Trace::new(root) }
    }

    pub fn root() -> Make {
        Make::new(Root::Loop(LoopId(0)))
    }

    pub fn word(&mut self, value: i64) -> Ref {
        self.constant(Const::Word(value))
    }

    pub fn constant(&mut self, value: Const) -> Ref {
        self.trace.constants.push(value);
        Ref::constant(self.trace.constants.len() - 1)
    }

    pub fn push(&mut self, op: Op, a: Ref, b: Ref) -> Ref {
        self.push_with(op, a, b, None)
    }

    pub fn push_with(&mut self, op: Op, a: Ref, b: Ref, snapshot: Option<SnapshotId>) -> Ref {
        self.trace.insts.push(Inst { op, a, b, snapshot, pc: Pc(0) });
        Ref::instruction(self.trace.insts.len() - 1)
    }

    pub fn common(&mut self, op: region::Op, a: Ref, b: Ref) -> Ref {
        self.push(Op::Common(op), a, b)
    }

    pub fn slot(&mut self, slot: Slot, ty: Type) -> Ref {
        self.push(Op::Slot { slot, ty, epoch: 0 }, Ref::NONE, Ref::NONE)
    }

    pub fn guard(&mut self, cond: Ref, expected: bool, snapshot: SnapshotId) {
        self.push_with(Op::Guard { expected }, cond, Ref::NONE, Some(snapshot));
    }

    pub fn snapshot(&mut self, kind: ExitKind, slots: &[(Slot, Ref)]) -> SnapshotId {
        self.snapshot_in(kind, slots, Vec::new())
    }

    pub fn snapshot_in(&mut self, kind: ExitKind, slots: &[(Slot, Ref)], frames: Vec<Frame>) -> SnapshotId {
        self.trace.snapshots.push(Snapshot { kind, pc: Pc(1), frames, slots: slots.to_vec() });
        SnapshotId(self.trace.snapshots.len() as u32 - 1)
    }

    pub fn phi(&mut self, left: Ref, right: Ref) {
        self.trace.phis.push(Phi { left, right });
    }

    pub fn end(mut self, end: End) -> Trace {
        self.trace.end = end;
        self.trace
    }
}
