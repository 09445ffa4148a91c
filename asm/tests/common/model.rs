//! What a trace means: an evaluator that follows the trace IR's words and shares nothing with the emitter.

use std::collections::HashMap;

use scaly_interp::machine::IntMemory;
use scaly_tracer::backend::code;
use scaly_tracer::region::Type;
use scaly_tracer::trace::{Const, End, ExitKind, Inst, Op, Ref, Snapshot, SnapshotId, Trace, TraceId};

use super::first_exit;
use super::operations::evaluated as common;

/// Assembled traces and what leads where.
#[derive(Default)]
pub struct Model {
    pub traces: HashMap<TraceId, Trace>,
    /// Exits that go on in side traces.
    pub links: HashMap<u32, TraceId>,
    /// The trace that each function has.
    pub functions: HashMap<u32, TraceId>,
    pub counts: HashMap<u32, u64>,
    /// Instructions that may still be evaluated.
    pub fuel: u64,
}

/// How evaluation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended {
    /// The status.
    pub code: u32,
    /// The frame of the root that left, in slots from the first.
    pub root: usize,
    pub via: u32,
}

/// It takes too long.
#[derive(Debug)]
pub struct OutOfFuel;

/// One activation of a tree.
struct Activation<'a> {
    trace: &'a Trace,
    id: TraceId,
    values: Vec<u64>,
    base: usize,
}

impl Model {
    /// Runs a root on the frame at `base`.
    pub fn run(&mut self, root: TraceId, frame: &mut [u64], base: usize) -> Result<Ended, OutOfFuel> {
        let mut current = root;
        let mut inherited: Vec<u64> = Vec::new();
        loop {
            let trace = self.traces[&current].clone();
            let mut activation = Activation { trace: &trace, id: current, values: vec![0; trace.insts.len()], base };
            let (snapshot, passed) = match activation.run(self, frame, &inherited)? {
                Went::Ended(ended) => return Ok(ended),
                Went::Again => {
                    inherited.clear();
                    continue;
                }
                Went::Linked(to) => {
                    current = to;
                    inherited.clear();
                    continue;
                }
                Went::Exit(snapshot, passed) => (snapshot, passed),
            };
            let exit = first_exit(current).0 + snapshot.0;
            let snapshot = trace.snapshot(snapshot);
            if let Some(&side) = self.links.get(&exit) {
                inherited = match snapshot.kind {
                    ExitKind::PassOn(value) => vec![activation.value(value)],
                    _ => snapshot.slots.iter().map(|&(_, value)| activation.value(value)).collect(),
                };
                current = side;
                continue;
            }
            if let Some(inner) = passed {
                let via = if inner.via == 0 { exit } else { inner.via };
                return Ok(Ended { code: inner.code, root: inner.root, via });
            }
            activation.write(snapshot, frame);
            return Ok(Ended { code: exit, root: base, via: 0 });
        }
    }
}

enum Went {
    Exit(SnapshotId, Option<Ended>),
    Again,
    Linked(TraceId),
    Ended(Ended),
}

impl Activation<'_> {
    fn run(&mut self, model: &mut Model, frame: &mut [u64], inherited: &[u64]) -> Result<Went, OutOfFuel> {
        let mut i = 0;
        let mut inner = None;
        loop {
            if model.fuel == 0 {
                return Err(OutOfFuel);
            }
            model.fuel -= 1;
            let Some(inst) = self.trace.insts.get(i) else {
                match self.end(frame) {
                    Some(went) => return Ok(went),
                    None => {
                        i = self.trace.loop_start().unwrap();
                        continue;
                    }
                }
            };
            let leaves = match inst.op {
                Op::Inherit { index, .. } => {
                    self.values[i] = inherited[index as usize];
                    false
                }
                Op::Guard { expected } => (self.value(inst.a) != 0) != expected,
                Op::CallTree { tree, slot } => {
                    let ended = model.run(tree, frame, self.base + slot as usize)?;
                    if ended.code == code::ABANDONED {
                        return Ok(Went::Ended(ended));
                    }
                    self.values[i] = u64::from(ended.code);
                    inner = Some(ended);
                    false
                }
                Op::CallFunction { slot, .. } | Op::CallValue { slot, .. } => {
                    let base = self.base + slot as usize;
                    let id = match inst.op {
                        Op::CallFunction { function, .. } => function.0,
                        _ => self.value(inst.a) as u32,
                    };
                    let ended = match model.functions.get(&id) {
                        Some(&trace) => model.run(trace, frame, base)?,
                        None => Ended { code: code::INTERPRET, root: base, via: 0 },
                    };
                    if ended.code != code::RETURNED {
                        return Ok(Went::Ended(Ended { code: code::ABANDONED, root: 0, via: 0 }));
                    }
                    false
                }
                Op::Count(id) => {
                    *model.counts.entry(id.0).or_default() += 1;
                    false
                }
                _ => {
                    self.values[i] = self.compute(inst, frame);
                    false
                }
            };
            if leaves {
                let id = inst.snapshot.unwrap();
                let passed = matches!(self.trace.snapshot(id).kind, ExitKind::PassOn(_)).then_some(inner).flatten();
                return Ok(Went::Exit(id, passed));
            }
            i += 1;
        }
    }

    /// None: goes on at the loop's beginning.
    fn end(&mut self, frame: &mut [u64]) -> Option<Went> {
        Some(match self.trace.end {
            End::Loop(snapshot) => {
                if self.trace.loop_start().is_some() {
                    let rights: Vec<u64> = self.trace.phis.iter().map(|phi| self.value(phi.right)).collect();
                    for (phi, right) in self.trace.phis.iter().zip(rights) {
                        self.values[phi.left.index()] = right;
                    }
                    return None;
                }
                self.write(self.trace.snapshot(snapshot), frame);
                Went::Again
            }
            End::Link(to, snapshot) => {
                self.write(self.trace.snapshot(snapshot), frame);
                Went::Linked(to)
            }
            End::Leave(snapshot) => {
                self.write(self.trace.snapshot(snapshot), frame);
                Went::Ended(Ended { code: first_exit(self.id).0 + snapshot.0, root: self.base, via: 0 })
            }
            End::Return => Went::Ended(Ended { code: code::RETURNED, root: self.base, via: 0 }),
        })
    }

    fn value(&self, value: Ref) -> u64 {
        match self.trace.constant(value) {
            Some(Const::Word(value)) => value as u64,
            Some(Const::Float(bits)) => bits,
            Some(Const::Single(bits)) => u64::from(bits),
            Some(Const::Cond(value)) => u64::from(value),
            None => self.values[value.index()],
        }
    }

    fn write(&self, snapshot: &Snapshot, frame: &mut [u64]) {
        for &(slot, value) in &snapshot.slots {
            frame[self.base + slot as usize] = self.value(value);
        }
        let mut caller = self.base;
        for inlined in &snapshot.frames {
            let base = self.base + inlined.base as usize;
            frame[base - 2] = frame.as_ptr().wrapping_add(caller) as u64;
            frame[base - 1] = u64::from(inlined.return_pc.0);
            caller = base;
        }
    }

    fn compute(&self, inst: &Inst, frame: &mut [u64]) -> u64 {
        let op = match inst.op {
            Op::Common(op) => op,
            Op::Slot { slot, ty, .. } => {
                let bits = frame[self.base + slot as usize];
                return if ty == Type::Single { bits & 0xffff_ffff } else { bits };
            }
            Op::StoreSlot(slot) => {
                frame[self.base + slot as usize] = self.value(inst.a);
                return 0;
            }
            Op::SlotAddress(slot) => return frame.as_ptr().wrapping_add(self.base + slot as usize) as u64,
            Op::Poll | Op::Loop => return 0,
            op => unreachable!("{op:?}"),
        };
        let a = self.value(inst.a);
        let b = if inst.b.is_none() { 0 } else { self.value(inst.b) };
        common(op, a, b)
    }
}

pub const MEMORIES: [IntMemory; 7] =
    [IntMemory::I8, IntMemory::U8, IntMemory::I16, IntMemory::U16, IntMemory::I32, IntMemory::U32, IntMemory::I64];
