//! Sums and products of floats: rounding makes each one needed by the next, but not what is added. Terms may be computed in
//! any order and kept, and are added behind the iterations in the program's order. That pays where they are dear.

use std::collections::BTreeSet;

use scaly_interp::machine::FloatOp;
use scaly_interp::program::Pc;

use super::{Analysis, Combine, Web};
use crate::independence::uses::Use;
use crate::region::{BlockId, ChainId, Def, Inst, InstId, Op, Region, Value};

/// An instruction that accumulates in the order of the iterations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Update {
    pub pc: Pc,
    pub op: FloatOp,
    /// The operand that is the term.
    pub term: usize,
}

impl Update {
    /// Whether its term counts with the other sign, among all updates of the variable.
    pub fn is_negated(self, among: &[Update]) -> bool {
        self.op == FloatOp::Sub && among.iter().any(|other| other.op == FloatOp::Add)
    }

    /// The instruction, in any region of the same loop that was not changed yet; none if it is not there just once.
    pub fn of(self, region: &Region) -> Option<InstId> {
        let is = |inst: &Inst| {
            let op = matches!(inst.op, Op::Float(op) | Op::Single(op) if op == self.op);
            op && inst.pc == self.pc && region.block(inst.block).chain == ChainId(0)
        };
        let mut found = (0..region.insts.len() as u32).map(InstId).filter(|&id| is(region.inst(id)));
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }
}

/// By what all updates of one variable accumulate. Of a sum some may take away what is added with the other sign: that is
/// the same, to the bit.
fn common(updates: &[Update]) -> Option<FloatOp> {
    let first = updates.first()?.op;
    let all = |ops: &[FloatOp]| updates.iter().all(|update| ops.contains(&update.op));
    let sum = || all(&[FloatOp::Add, FloatOp::Sub]).then_some(FloatOp::Add);
    if all(&[first]) { Some(first) } else { sum() }
}

/// Whether a float operation with the accumulated value as this operand accumulates a sum, or a product.
pub fn accumulates(op: FloatOp, operand: usize, product: bool) -> bool {
    match op {
        FloatOp::Add => !product,
        FloatOp::Sub => !product && operand == 0,
        FloatOp::Mul => product,
        FloatOp::Div => product && operand == 0,
        FloatOp::Min | FloatOp::Max => false,
    }
}

/// How often a block of an inner loop counts, for each loop that it lies in, and an instruction that calls something.
const INNER: u32 = 8;
const CALL: u32 = 20;

impl Analysis<'_, '_> {
    /// What a web accumulates by and where, if its terms may be computed in any order.
    pub(super) fn in_order(&self, web: &Web) -> Option<(Combine, Vec<Update>)> {
        let plain = web.combines.is_empty() && web.wraps.is_empty() && web.compares.is_empty();
        if web.reader.is_some() || !web.foreign.is_empty() || !plain || !self.separate(web) {
            return None;
        }
        let mut updates = Vec::new();
        for &id in &web.updates {
            let inst = self.region.inst(id);
            let (Op::Float(op) | Op::Single(op)) = inst.op else { return None };
            let term = inst.args.iter().position(|arg| !web.values.contains(arg))?;
            let update = Update { pc: inst.pc, op, term };
            // Once in each iteration at most, and with nothing that takes it back.
            let own = self.region.block(inst.block).cycle == Some(Region::ROOT);
            if !own || update.of(self.region) != Some(id) || self.comes_back(web, id) {
                return None;
            }
            updates.push(update);
        }
        let op = common(&updates)?;
        let dear = self.weight() >= u64::from(self.dear).saturating_mul(updates.len() as u64);
        dear.then_some((Combine::InOrder(op), updates))
    }

    /// Instructions of an iteration, those of inner loops and calls counted more than once.
    fn weight(&self) -> u64 {
        let region = self.region;
        let weigh = |inst: &Inst| {
            let cycles = std::iter::successors(region.block(inst.block).cycle, |&cycle| region.cycle(cycle).parent);
            let inner = (cycles.count() as u32).saturating_sub(1);
            u64::from(INNER).saturating_pow(inner) * u64::from(if inst.op.is_call() { CALL } else { 1 })
        };
        let outside = |inst: &&Inst| inst.block != Region::ENTRY;
        region.insts.iter().filter(outside).fold(0, |sum: u64, inst| sum.saturating_add(weigh(inst)))
    }

    /// Whether something behind an update reads a value from before it.
    fn comes_back(&self, web: &Web, update: InstId) -> bool {
        let region = self.region;
        let block = region.inst(update).block;
        let behind = self.behind(block);
        let place = |id: InstId| region.block(block).insts.iter().position(|&other| other == id);
        let here = place(update);
        let later = |id: InstId| behind.contains(&region.inst(id).block) || place(id) > here;
        let before = |value: Value| match region.values[value.index()].def {
            Def::Param(of, _) => !behind.contains(&of),
            Def::Result(id, _) => id != update && !later(id),
        };
        web.values.iter().filter(|&&value| before(value)).any(|&value| {
            self.uses.get(value).iter().any(|&at| match at {
                Use::Inst(id) => later(id),
                Use::Branch(from) | Use::Param { from, .. } | Use::Exit { from, .. } => {
                    from == block || behind.contains(&from)
                }
            })
        })
    }

    /// The blocks that an iteration may come to after this one.
    fn behind(&self, block: BlockId) -> BTreeSet<BlockId> {
        let mut behind = BTreeSet::new();
        let mut todo = vec![block];
        while let Some(from) = todo.pop() {
            let next = self.region.block(from).end.edges().map(|edge| edge.to).filter(|&to| to > from);
            todo.extend(next.filter(|&to| behind.insert(to)));
        }
        behind
    }
}
