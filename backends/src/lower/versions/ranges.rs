//! Indexes that grow or shrink by the same in each iteration: if the first and the last one lie within the array, all do.
//!
//! An index is `first + k * step` in iteration k, modulo 2^64. With `k <= last`, steps and iterations so few that
//! `last * step` does not wrap, and `first` and `first + last * step` below a length that is no negative number, all indexes
//! between are below it, too. Of indexes that differ by small constants only the least and the largest are tested. A step
//! that is the same in all iterations but no constant, a row's width, is tested to be no larger than others.

use rustc_hash::FxHashMap;
use scaly_interp::machine::{Fault, IntCompare, IntOp};
use scaly_tracer::region::{Def, Inst, InstId, Op, Terminator, Type, Value};

use super::{Version, unroll};

/// The largest step, and the most iterations: their product is far from wrapping.
const STEP: i64 = 1 << 20;
const TRIPS: i64 = 1 << 40;
/// What a counter is compared with lies so far from the ends that no step goes beyond them.
const FAR: i64 = 1 << 62;
/// Iterations behind the first of a loop that is too short for tests.
const SHORT: i64 = 2;

/// `base + offset + k * step` in iteration k.
#[derive(Clone, Copy)]
struct Affine {
    /// Of the first iteration; none: 0.
    base: Option<Value>,
    offset: i64,
    step: Step,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    By(i64),
    /// So far up, or down, if this is from 0 to [`STEP`], which is tested before the loop.
    Width {
        width: Value,
        down: bool,
    },
}

impl Step {
    /// What does not change.
    const NONE: Step = Step::By(0);

    /// The number that it is known to be.
    fn known(self) -> Option<i64> {
        match self {
            Step::By(step) => Some(step),
            Step::Width { .. } => None,
        }
    }
}

/// Which indexes are tested.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ranges {
    None,
    /// Those that grow or shrink by one at most.
    ByOne,
    /// Also such that go further in an iteration.
    Wider,
}

/// Checks that differ by constants: the indexes `base + offset + d + k * step` with d from `least` to `most` lie below a
/// length. The offset may lie anywhere, the constants near it.
struct Group {
    length: Value,
    first: Affine,
    least: i64,
    most: i64,
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
        let (x, y) = ((self.first(x), x.step.known()?), (self.first(y), y.step.known()?));
        let guarded = self.old.block(exit).insts.iter().any(|&id| matches!(self.old.inst(id).op, Op::Guard(_)));
        // Tested before anything else is done, or behind it.
        let behind = i64::from(exit != self.body.header || guarded);
        let last = match op {
            // The trips that are left.
            IntCompare::Ne if x.1 == -1 && y.1 == 0 && self.region.constant(y.0) == Some(0) => x.0,
            IntCompare::LtS | IntCompare::LeS | IntCompare::LtU | IntCompare::LeU => {
                let (from, to, step) = match (x.1, y.1) {
                    (1..=STEP, 0) => (x.0, y.0, x.1),
                    (0, down) if (-STEP..0).contains(&down) && matches!(op, IntCompare::LtS | IntCompare::LeS) => {
                        (y.0, x.0, -down)
                    }
                    _ => return None,
                };
                self.require(op, x.0, y.0);
                let far = self.constant(if x.1 == 0 { -FAR } else { FAR });
                match (op, x.1) {
                    (_, 0) => self.require(IntCompare::LtS, far, to),
                    (IntCompare::LtS | IntCompare::LeS, _) => self.require(IntCompare::LtS, to, far),
                    _ => self.require(IntCompare::LtU, to, far),
                }
                let (high, low) = if x.1 == 0 { (from, to) } else { (to, from) };
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

    /// Tests the first and the last index of each check that changes by steps.
    pub fn ranges(&mut self, last: Value) -> Ranges {
        let mut groups: Vec<Group> = Vec::new();
        let mut affine = FxHashMap::default();
        let checks: Vec<InstId> = self.body.insts(self.old).map(|(id, _)| id).collect();
        for id in checks {
            let inst = self.old.inst(id);
            if inst.op == Op::Guard(Fault::IndexOutOfRange)
                && !self.tested.contains(&id)
                && let Some((index, length)) = self.index(inst.args[0], &mut affine)
            {
                self.tested.insert(id);
                if !groups.iter_mut().any(|group| group.takes(index, length)) {
                    groups.push(Group { length, first: index, least: 0, most: 0 });
                }
            }
        }
        groups.iter().for_each(|group| self.within(group, last));
        let by_one = |group: &Group| matches!(group.first.step, Step::By(-1..=1));
        match &groups[..] {
            [] => Ranges::None,
            groups if groups.iter().all(by_one) => Ranges::ByOne,
            _ => Ranges::Wider,
        }
    }

    /// The index that a check compares, and the length.
    fn index(&mut self, cond: Value, affine: &mut FxHashMap<Value, Affine>) -> Option<(Affine, Value)> {
        let compare = self.old.def_inst(cond)?;
        let Op::Compare(IntCompare::LtU) = compare.op else { return None };
        let index = self.affine(compare.args[0], affine)?;
        let length = self.known(compare.args[1])?;
        index.step.known().is_none_or(|step| (-STEP..=STEP).contains(&step)).then_some((index, length))
    }

    /// Tests the first and the last index of the least and the largest offset.
    fn within(&mut self, group: &Group, last: Value) {
        let &Group { length, first, least, most } = group;
        let step = first.step;
        let zero = self.constant(0);
        self.require(IntCompare::LeS, zero, length);
        let [least, most] = [least, most].map(|d| Affine { offset: first.offset.wrapping_add(d), ..first });
        let (least, most) = (self.first(least), self.first(most));
        self.require(IntCompare::LtU, least, length);
        self.require(IntCompare::LtU, most, length);
        let (size, down) = match step {
            Step::By(0) => return,
            Step::By(step) => (self.constant(step.abs()), step < 0),
            Step::Width { width, down } => {
                let largest = self.constant(STEP);
                self.require(IntCompare::LeU, width, largest);
                (width, down)
            }
        };
        let way = self.int(IntOp::Mul, last, size);
        if down {
            self.require(IntCompare::LeU, way, least);
        } else {
            let end = self.int(IntOp::Add, most, way);
            self.require(IntCompare::LtU, end, length);
        }
    }

    /// What it is in the first iteration.
    fn first(&mut self, affine: Affine) -> Value {
        match affine.base {
            None => self.constant(affine.offset),
            Some(base) if affine.offset == 0 => base,
            Some(base) => {
                let offset = self.constant(affine.offset);
                self.int(IntOp::Add, base, offset)
            }
        }
    }

    /// A value that changes by the same in each iteration, or not at all.
    fn affine(&mut self, value: Value, there: &mut FxHashMap<Value, Affine>) -> Option<Affine> {
        if let Some(&affine) = there.get(&value) {
            return Some(affine);
        }
        let affine = match self.old.values[value.index()].def {
            Def::Param(block, position) if block == self.body.header && !self.known.contains_key(&value) => {
                let step = self.step(value, position as usize)?;
                Affine { base: Some(self.tests[0].params[position as usize].value), offset: 0, step }
            }
            Def::Result(inst, _) if self.body.has(self.old.inst(inst).block) => {
                let inst = self.old.inst(inst);
                match inst.op {
                    Op::Int(op @ (IntOp::Add | IntOp::Sub | IntOp::Mul | IntOp::Shl)) => {
                        let (a, b) = (self.affine(inst.args[0], there)?, self.affine(inst.args[1], there)?);
                        self.combined(op, a, b)?
                    }
                    _ => Affine { base: Some(self.known(value)?), offset: 0, step: Step::NONE },
                }
            }
            _ => match self.old.constant(value) {
                Some(word) => Affine { base: None, offset: word, step: Step::NONE },
                None => Affine { base: Some(self.known(value)?), offset: 0, step: Step::NONE },
            },
        };
        there.insert(value, affine);
        Some(affine)
    }

    /// What an operation makes of two of them.
    fn combined(&mut self, op: IntOp, a: Affine, b: Affine) -> Option<Affine> {
        let constant = |x: Affine| if x.base.is_none() && x.step == Step::NONE { Some(x.offset) } else { None };
        match op {
            IntOp::Add | IntOp::Sub => {
                let (offset, step) = if op == IntOp::Add {
                    (a.offset.wrapping_add(b.offset), self.sum(a.step, b.step)?)
                } else {
                    let back = self.times(b.step, -1)?;
                    (a.offset.wrapping_sub(b.offset), self.sum(a.step, back)?)
                };
                let base = match (a.base, b.base) {
                    (base, None) => base,
                    (None, base) if op == IntOp::Add => base,
                    (a, Some(b)) => {
                        let a = a.unwrap_or_else(|| self.constant(0));
                        Some(self.int(op, a, b))
                    }
                };
                Some(Affine { base, offset, step })
            }
            IntOp::Mul | IntOp::Shl => {
                let (x, by) = match (constant(a), constant(b), op) {
                    (_, Some(by), IntOp::Mul) => (a, by),
                    (Some(by), None, IntOp::Mul) => (b, by),
                    (_, Some(by), _) if (0..=20).contains(&by) => (a, 1 << by),
                    _ if a.step == Step::NONE && b.step == Step::NONE => {
                        let (a, b) = (self.first(a), self.first(b));
                        return Some(Affine { base: Some(self.int(op, a, b)), offset: 0, step: Step::NONE });
                    }
                    _ if op == IntOp::Mul => return self.by_widths(a, b),
                    _ => return None,
                };
                let factor = self.constant(by);
                let base = x.base.map(|base| self.int(IntOp::Mul, base, factor));
                Some(Affine { base, offset: x.offset.wrapping_mul(by), step: self.times(x.step, by)? })
            }
            _ => None,
        }
    }

    /// A row times its width.
    fn by_widths(&mut self, a: Affine, b: Affine) -> Option<Affine> {
        let (row, width) = match (a.step, b.step) {
            (Step::By(rows), Step::NONE) => (rows, self.first(b)),
            (Step::NONE, Step::By(rows)) => (rows, self.first(a)),
            _ => return None,
        };
        let (a, b) = (self.first(a), self.first(b));
        let step = self.times(Step::Width { width, down: false }, row)?;
        Some(Affine { base: Some(self.int(IntOp::Mul, a, b)), offset: 0, step })
    }

    /// One step and another.
    fn sum(&mut self, a: Step, b: Step) -> Option<Step> {
        Some(match (a, b) {
            (Step::By(a), Step::By(b)) => Step::By(a.checked_add(b)?),
            (step, Step::NONE) | (Step::NONE, step) => step,
            (Step::Width { width, down }, Step::By(by)) | (Step::By(by), Step::Width { width, down }) => {
                let by = if down { by.checked_neg()? } else { by };
                let by = self.constant(by);
                Step::Width { width: self.int(IntOp::Add, width, by), down }
            }
            (Step::Width { width, down }, Step::Width { width: other, down: back }) => {
                let op = if down == back { IntOp::Add } else { IntOp::Sub };
                Step::Width { width: self.int(op, width, other), down }
            }
        })
    }

    /// So many steps, down if that is negative.
    fn times(&mut self, step: Step, by: i64) -> Option<Step> {
        Some(match step {
            Step::By(step) => Step::By(step.checked_mul(by)?),
            Step::Width { width, down } => {
                let many = self.constant(by.checked_abs()?);
                Step::Width { width: self.int(IntOp::Mul, width, many), down: down != (by < 0) }
            }
        })
    }

    /// What each iteration adds to a parameter of the header.
    fn step(&mut self, param: Value, position: usize) -> Option<Step> {
        let next: Vec<Value> = self.back(position).collect();
        let mut steps = next.into_iter().map(|value| {
            let inst = self.old.def_inst(value)?;
            let (by, down) = match inst.op {
                Op::Int(IntOp::Add) if inst.args[0] == param => (inst.args[1], false),
                Op::Int(IntOp::Add) if inst.args[1] == param => (inst.args[0], false),
                Op::Int(IntOp::Sub) if inst.args[0] == param => (inst.args[1], true),
                _ => return None,
            };
            match self.old.constant(by) {
                Some(by) if down => Some(Step::By(by.checked_neg()?)),
                Some(by) => Some(Step::By(by)),
                None => Some(Step::Width { width: self.known(by)?, down }),
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

    fn constant(&mut self, word: i64) -> Value {
        unroll::constant(&mut self.region, word)
    }

    /// What an instruction at the end of the tests gives.
    fn made(&mut self, op: Op, args: &[Value]) -> Value {
        let key = (op, args.to_vec());
        if let Some(there) = self.numbered.get(&key) {
            return there[0];
        }
        let id = self.push(op, args);
        self.append(id);
        let result = self.region.insts[id.index()].results[0];
        self.numbered.insert(key, vec![result]);
        result
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

impl Group {
    /// Takes a check in that differs from the others by a constant so small that nothing wraps between them.
    fn takes(&mut self, index: Affine, length: Value) -> bool {
        let first = self.first;
        let distance = index.offset.wrapping_sub(first.offset);
        let fits = (self.length, first.base, first.step) == (length, index.base, index.step)
            && (-STEP..=STEP).contains(&distance);
        if fits {
            self.least = self.least.min(distance);
            self.most = self.most.max(distance);
        }
        fits
    }
}
