//! The blocks of a loop with one way out.

use rustc_hash::{FxHashMap, FxHashSet};
use scaly_interp::bytecode::Opcode;
use scaly_interp::machine::Fault;
use scaly_tracer::region::{BlockId, CycleId, Dominators, Effects, Inst, InstId, Op, Region, Type, Value};

/// The blocks of a loop from which it goes round again, and its ways out.
#[derive(Clone)]
pub struct Body {
    pub cycle: CycleId,
    pub header: BlockId,
    /// In order, the header first.
    pub blocks: Vec<BlockId>,
    pub latches: Vec<BlockId>,
    /// The only way out: a block, and which of its edges.
    pub exit: (BlockId, usize),
    pub target: BlockId,
}

impl Body {
    /// Of a loop with all loops in it.
    pub fn of(region: &Region, cycle: CycleId) -> Option<Body> {
        let header = region.cycle(cycle).header;
        let preds = region.predecessors();
        let inside = |id: BlockId| region.within(region.block(id).cycle, cycle);
        let from = |id: BlockId| preds[id.index()].iter().map(|&(from, _)| from);
        let latches: Vec<BlockId> = from(header).filter(|&id| inside(id)).collect();
        let mut found: FxHashSet<BlockId> = FxHashSet::from_iter([header]);
        let mut todo = latches.clone();
        while let Some(id) = todo.pop() {
            if found.insert(id) {
                todo.extend(from(id));
            }
        }
        let mut blocks: Vec<BlockId> = found.iter().copied().collect();
        blocks.sort_unstable();
        let mut exits = blocks.iter().flat_map(|&id| {
            let leaving = region.block(id).end.edges().enumerate().filter(|(_, edge)| !found.contains(&edge.to));
            leaving.map(move |(n, edge)| ((id, n), edge.to))
        });
        let (Some((exit, target)), None) = (exits.next(), exits.next()) else { return None };
        drop(exits);
        (blocks.iter().all(|&id| inside(id)) && !latches.is_empty()).then_some(Body {
            cycle,
            header,
            blocks,
            latches,
            exit,
            target,
        })
    }

    pub fn has(&self, block: BlockId) -> bool {
        self.blocks.binary_search(&block).is_ok()
    }

    pub fn insts<'r>(&'r self, region: &'r Region) -> impl Iterator<Item = (InstId, &'r Inst)> {
        let ids = self.blocks.iter().flat_map(|&id| region.block(id).insts.iter().copied());
        ids.map(|id| (id, region.inst(id)))
    }

    /// Whether it can change no pair of pointer and length in memory.
    pub fn keeps_pairs(&self, region: &Region, opcode: impl Fn(&Inst) -> Option<Opcode>) -> bool {
        self.insts(region).all(|(_, inst)| match inst.op.effects() {
            Effects::Call => false,
            Effects::Store => opcode(inst).is_some_and(|op| op != Opcode::StoreWords),
            Effects::Pure | Effects::Load | Effects::Guard => true,
        })
    }

    /// Whether iterations hand a float on that they change, or what they store.
    pub fn carries_floats_or_stores(&self, region: &Region) -> bool {
        let back = |n: usize| {
            let edges = self.latches.iter().flat_map(|&latch| region.block(latch).end.edges());
            edges.filter(|edge| edge.to == self.header).map(move |edge| edge.args[n])
        };
        let is_stored = |value: Value| {
            self.insts(region).any(|(_, inst)| inst.op.effects() == Effects::Store && inst.args.get(1) == Some(&value))
        };
        region.block(self.header).params.iter().enumerate().any(|(n, param)| match region.ty(param.value) {
            Type::Float | Type::Single => back(n).any(|value| value != param.value),
            _ => back(n).any(is_stored),
        })
    }

    /// Whether indexes are checked on one of two ways that both go round, while all stores are made on both, and there are some.
    pub fn checks_on_one_way(&self, region: &Region) -> bool {
        let dominators = Dominators::of(region);
        let always = |inst: &Inst| self.latches.iter().all(|&latch| dominators.dominates(inst.block, latch));
        let (mut checked, mut stored) = (false, false);
        for (_, inst) in self.insts(region) {
            match (inst.op.effects(), always(inst)) {
                (Effects::Call, _) | (Effects::Store, false) => return false,
                (Effects::Store, true) => stored = true,
                (Effects::Guard, false) if inst.op != Op::Guard(Fault::IndexOutOfRange) => return false,
                (Effects::Guard, false) => checked = true,
                _ => {}
            }
        }
        checked && stored
    }

    /// Puts others for values where they are read outside of the loop.
    pub fn replace_outside(&self, region: &mut Region, others: &FxHashMap<Value, Value>) {
        for block in (0..region.blocks.len() as u32).map(BlockId).filter(|&block| !self.has(block)) {
            region.change_reads(block, |value| *value = others.get(value).copied().unwrap_or(*value));
        }
    }

    /// What it defines and others read.
    pub fn outputs(&self, region: &Region) -> Vec<Value> {
        let mut outputs = Vec::new();
        let mut note = |value: Value| {
            if self.has(region.def_block(value)) && !outputs.contains(&value) {
                outputs.push(value);
            }
        };
        for (i, block) in region.blocks.iter().enumerate() {
            if self.has(BlockId(i as u32)) {
                continue;
            }
            for &id in &block.insts {
                let inst = region.inst(id);
                inst.args.iter().copied().chain(inst.kept.iter().map(|kept| kept.value)).for_each(&mut note);
            }
            block.end.uses().for_each(&mut note);
        }
        outputs
    }

    /// The same, where what is behind the loop is come to from there only; none if it is not, and something is read.
    pub fn outputs_to_one_place(&self, region: &Region) -> Option<Vec<Value>> {
        let outputs = self.outputs(region);
        let ways = region.predecessors()[self.target.index()].len();
        (outputs.is_empty() || ways == 1 && self.target > self.header).then_some(outputs)
    }
}
