//! Indexes that grow or shrink by the same in each iteration: if the first and the last one lie within the array, all do.
//!
//! An index is `first + k * step` in iteration k, modulo 2^64. With `k <= last`, steps and iterations so few that
//! `last * step` does not wrap, and `first` and `first + last * step` below a length that is no negative number, all indexes
//! between are below it, too.

use rustc_hash::FxHashMap;
use scaly_interp::machine::{Fault, IntCompare, IntOp};
use scaly_tracer::region::{Def, Inst, InstId, Op, Region, Terminator, Type, Value};

use super::Version;

/// The largest step, and the most iterations: their product is far from wrapping.
const STEP: i64 = 1 << 20;
const TRIPS: i64 = 1 << 40;
/// What a counter is compared with lies so far from the ends that no step goes beyond them.
const FAR: i64 = 1 << 62;
/// Iterations behind the first of a loop that is too short for tests.
const SHORT: i64 = 2;

/// Of the first iteration, and what each one adds.
#[derive(Clone, Copy)]
struct Affine {
    first: Value,
    step: i64,
}

impl Version<'_> {
    /// Tests that there are enough iterations; the number of the last one, the first being 0, or a number above it.
    pub fn trips(&mut self) -> Option<Value> {
        let (exit, way) = self.body.exit;
        let Terminator::Branch(mut cond, ..) = self.old.block(exit).end else { return None };
        if !self.always(exit) {
            return None;
        }
        let mut goes_on = way == 1;
        let (op, x, y) = loop {
            let inst = self.old.def_inst(cond)?;
            match inst.op {
                Op::Not => (cond, goes_on) = (inst.args[0], !goes_on),
                Op::Compare(op) if goes_on => break (op, inst.args[0], inst.args[1]),
                Op::Compare(op) => break op.negated(inst.args[0], inst.args[1]),
                _ => return None,
            }
        };
        let mut affine = FxHashMap::default();
        let (x, y) = (self.affine(x, &mut affine)?, self.affine(y, &mut affine)?);
        let guarded = self.old.block(exit).insts.iter().any(|&id| matches!(self.old.inst(id).op, Op::Guard(_)));
        // Tested before anything else is done, or behind it.
        let behind = i64::from(exit != self.body.header || guarded);
        let last = match op {
            // The trips that are left.
            IntCompare::Ne if x.step == -1 && y.step == 0 && self.region.constant(y.first) == Some(0) => x.first,
            IntCompare::LtS | IntCompare::LeS | IntCompare::LtU | IntCompare::LeU => {
                let (from, to, step) = match (x.step, y.step) {
                    (1..=STEP, 0) => (x, y, x.step),
                    (0, down) if (-STEP..0).contains(&down) && matches!(op, IntCompare::LtS | IntCompare::LeS) => {
                        (y, x, -down)
                    }
                    _ => return None,
                };
                self.require(op, x.first, y.first);
                let far = self.constant(if x.step == 0 { -FAR } else { FAR });
                match (op, x.step) {
                    (_, 0) => self.require(IntCompare::LtS, far, to.first),
                    (IntCompare::LtS | IntCompare::LeS, _) => self.require(IntCompare::LtS, to.first, far),
                    _ => self.require(IntCompare::LtU, to.first, far),
                }
                let (high, low) = if x.step == 0 { (from.first, to.first) } else { (to.first, from.first) };
                let mut last = self.int(IntOp::Sub, high, low);
                if matches!(op, IntCompare::LtS | IntCompare::LtU) {
                    let one = self.constant(1);
                    last = self.int(IntOp::Sub, last, one);
                }
                if step != 1 {
                    let step = self.constant(step);
                    last = self.int(IntOp::DivU, last, step);
                }
                let behind = self.constant(behind);
                self.int(IntOp::Add, last, behind)
            }
            _ => return None,
        };
        let (short, most) = (self.constant(SHORT), self.constant(TRIPS));
        self.require(IntCompare::LtU, short, last);
        self.require(IntCompare::LtU, last, most);
        Some(last)
    }

    /// Tests the first and the last index of each check that changes by steps; whether there is one.
    pub fn ranges(&mut self, last: Value) -> bool {
        let mut found = false;
        let mut affine = FxHashMap::default();
        let checks: Vec<InstId> = self.body.insts(self.old).map(|(id, _)| id).collect();
        for id in checks {
            let inst = self.old.inst(id);
            if inst.op == Op::Guard(Fault::IndexOutOfRange) && !self.tested.contains(&id) {
                let within = self.within(inst.args[0], last, &mut affine);
                if within.is_some() {
                    self.tested.insert(id);
                    found = true;
                }
            }
        }
        found
    }

    fn within(&mut self, cond: Value, last: Value, affine: &mut FxHashMap<Value, Affine>) -> Option<()> {
        let compare = self.old.def_inst(cond)?;
        let Op::Compare(IntCompare::LtU) = compare.op else { return None };
        let Affine { first, step } = self.affine(compare.args[0], affine)?;
        let length = self.known(compare.args[1])?;
        if !(-STEP..=STEP).contains(&step) {
            return None;
        }
        let zero = self.constant(0);
        self.require(IntCompare::LeS, zero, length);
        self.require(IntCompare::LtU, first, length);
        let size = self.constant(step.abs());
        let way = self.int(IntOp::Mul, last, size);
        if step < 0 {
            self.require(IntCompare::LeU, way, first);
        } else {
            let end = self.int(IntOp::Add, first, way);
            self.require(IntCompare::LtU, end, length);
        }
        Some(())
    }

    /// A value that changes by the same in each iteration, or not at all.
    fn affine(&mut self, value: Value, there: &mut FxHashMap<Value, Affine>) -> Option<Affine> {
        if let Some(&affine) = there.get(&value) {
            return Some(affine);
        }
        let affine = match self.old.values[value.index()].def {
            Def::Param(block, position) if block == self.body.header && !self.known.contains_key(&value) => {
                let step = self.step(value, position as usize)?;
                Affine { first: self.tests[0].params[position as usize].value, step }
            }
            Def::Result(inst, _) if self.body.has(self.old.inst(inst).block) => {
                let inst = self.old.inst(inst);
                let Op::Int(op @ (IntOp::Add | IntOp::Sub | IntOp::Mul | IntOp::Shl)) = inst.op else {
                    return Some(Affine { first: self.known(value)?, step: 0 });
                };
                let (a, b) = (self.affine(inst.args[0], there)?, self.affine(inst.args[1], there)?);
                let step = match op {
                    IntOp::Add => a.step.checked_add(b.step)?,
                    IntOp::Sub => a.step.checked_sub(b.step)?,
                    _ if a.step == 0 && b.step == 0 => 0,
                    IntOp::Shl => {
                        let by = self.old.constant(inst.args[1]).filter(|by| (0..=20).contains(by))?;
                        a.step.checked_mul(1 << by)?
                    }
                    _ => match (self.old.constant(inst.args[0]), self.old.constant(inst.args[1])) {
                        (Some(by), _) => b.step.checked_mul(by)?,
                        (_, Some(by)) => a.step.checked_mul(by)?,
                        _ => return None,
                    },
                };
                Affine { first: self.int(op, a.first, b.first), step }
            }
            _ => Affine { first: self.known(value)?, step: 0 },
        };
        there.insert(value, affine);
        Some(affine)
    }

    /// What each iteration adds to a parameter of the header.
    fn step(&self, param: Value, position: usize) -> Option<i64> {
        let mut steps = self.back(position).map(|value| {
            let inst = self.old.def_inst(value)?;
            match inst.op {
                Op::Int(IntOp::Add) if inst.args[0] == param => self.old.constant(inst.args[1]),
                Op::Int(IntOp::Add) if inst.args[1] == param => self.old.constant(inst.args[0]),
                Op::Int(IntOp::Sub) if inst.args[0] == param => self.old.constant(inst.args[1])?.checked_neg(),
                _ => None,
            }
        });
        let step = steps.next()??;
        steps.all(|other| other == Some(step)).then_some(step)
    }

    /// Goes on where the comparison holds.
    fn require(&mut self, op: IntCompare, a: Value, b: Value) {
        let cond = self.made(Op::Compare(op), &[a, b]);
        self.branch(cond, true);
    }

    fn int(&mut self, op: IntOp, a: Value, b: Value) -> Value {
        self.made(Op::Int(op), &[a, b])
    }

    /// A constant stands in the entry.
    fn constant(&mut self, word: i64) -> Value {
        let entry = self.region.block(Region::ENTRY).insts.iter().map(|&id| self.region.inst(id));
        if let Some(there) = entry.into_iter().find(|inst| inst.op == Op::Const(word)) {
            return there.results[0];
        }
        let id = self.push(Op::Const(word), &[]);
        self.region.blocks[Region::ENTRY.index()].insts.push(id);
        self.region.insts[id.index()].block = Region::ENTRY;
        self.region.insts[id.index()].results[0]
    }

    /// What an instruction at the end of the tests gives.
    fn made(&mut self, op: Op, args: &[Value]) -> Value {
        let id = self.push(op, args);
        self.append(id);
        self.region.insts[id.index()].results[0]
    }

    /// An instruction with one result, in a block that is placed later.
    fn push(&mut self, op: Op, args: &[Value]) -> InstId {
        let id = InstId(self.region.insts.len() as u32);
        let ty = op.shape().and_then(|(_, result)| result).unwrap_or(Type::Word);
        let result = self.define(ty, Def::Result(id, 0));
        let header = self.old.block(self.body.header);
        self.region.insts.push(Inst {
            op,
            args: args.to_vec(),
            results: vec![result],
            pc: header.pc,
            block: self.body.header,
            kept: Vec::new(),
        });
        id
    }
}
