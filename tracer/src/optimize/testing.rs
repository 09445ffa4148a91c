//! Text in, text out: a recorded trace is read, emitted through a builder as the recorder would, and finished.

use scaly_interp::program::Pc;

use super::{Builder, Finished, Liveness, finish};
use crate::trace::{End, ExitKind, Op, Ref, SlotState, SnapshotId, Trace};

/// Every slot may be read.
pub struct AllLive;

impl Liveness for AllLive {
    fn live(&self, _: Pc, _: u16) -> bool {
        true
    }
}

/// Only these slots may be read.
pub struct OnlyLive(pub &'static [u16]);

impl Liveness for OnlyLive {
    fn live(&self, _: Pc, slot: u16) -> bool {
        self.0.contains(&slot)
    }
}

struct Replay<'a> {
    from: &'a Trace,
    builder: Builder,
    /// What each instruction has become.
    now: Vec<Ref>,
}

impl Replay<'_> {
    fn value(&mut self, r: Ref) -> Ref {
        match self.from.constants.get(r.index()) {
            Some(&constant) if r.is_constant() => self.builder.constant(constant),
            _ if r.is_none() => r,
            _ => self.now[r.index()],
        }
    }

    fn snapshot(&mut self, id: SnapshotId) -> SnapshotId {
        let mut snapshot = self.from.snapshot(id).clone();
        if let ExitKind::PassOn(exit) = &mut snapshot.kind {
            *exit = self.value(*exit);
        }
        for (_, value) in &mut snapshot.slots {
            *value = self.value(*value);
        }
        self.builder.snapshot(snapshot)
    }

    fn inst(&mut self, at: usize) {
        let inst = self.from.insts[at];
        let (a, b) = (self.value(inst.a), self.value(inst.b));
        let snapshot = inst.snapshot.map(|id| self.snapshot(id));
        let now = match (inst.op, snapshot) {
            (Op::Guard { expected }, Some(id)) => {
                self.builder.guard(a, expected, inst.pc, |_| id);
                Ref::NONE
            }
            (op, Some(id)) => self.builder.emit_with(op, a, b, inst.pc, id),
            (op, None) => self.builder.emit(op, a, b, inst.pc),
        };
        self.now.push(now);
    }
}

/// As the recorder would emit the trace.
pub fn record(trace: &Trace) -> Builder {
    assert_eq!(trace.verify(), Ok(()), "{trace}");
    let mut replay = Replay { from: trace, builder: Builder::new(trace.root), now: Vec::new() };
    for at in 0..trace.insts.len() {
        replay.inst(at);
    }
    replay.builder.trace.end = match trace.end {
        End::Loop(id) => End::Loop(replay.snapshot(id)),
        End::Link(to, id) => End::Link(to, replay.snapshot(id)),
        End::Leave(id) => End::Leave(replay.snapshot(id)),
        End::Return => End::Return,
    };
    for &(slot, state) in &trace.carried {
        let state = match state {
            SlotState::Value(value) => SlotState::Value(replay.value(value)),
            SlotState::Memory(epoch) => SlotState::Memory(epoch),
        };
        replay.builder.trace.carried.push((slot, state));
    }
    replay.builder.trace.epochs = trace.epochs;
    replay.builder
}

pub fn parsed(text: &str) -> Trace {
    text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"))
}

pub fn finished(text: &str, live: &dyn Liveness, hoist: bool) -> Finished {
    finish(record(&parsed(text)), live, hoist)
}

/// What a recorded trace becomes when all slots are live and no check is hoisted.
pub fn optimized(text: &str) -> Trace {
    finished(text, &AllLive, false).trace
}

/// The lines of a text without what indents them.
fn lines(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect()
}

/// That a trace prints as this text.
#[track_caller]
pub fn assert_text(actual: &Trace, expected: &str) {
    let (actual, expected) = (actual.to_string(), lines(expected));
    assert!(actual == expected, "found\n{actual}\nexpected\n{expected}");
}
