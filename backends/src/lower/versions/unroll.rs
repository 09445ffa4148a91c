//! A loop in which those inside stand written out, where they make few iterations and always the same.
//!
//! `for dy in 5 { for dx in 5 { sum += a[(y + dy) * w + x + dx] * kernel[dy * 5 + dx] } }` becomes 25 sums, and the loop
//! over x an inner one, whose checks of indices can be made before it and which can be vectorized. The iterations are
//! followed with what is constant in them: a loop is written out if it is decided after each whether there is another.
//!
//! Where the checks cannot be made before, the loop is written out with them and instead of the other form: what several
//! iterations inside compute is then computed once, and ways that depend on their counters are gone. LLVM does not do it
//! by itself to loops with ways out.

use rustc_hash::FxHashMap;
use scaly_interp::interpreter::{int_compare, int_op, int_unary_op};
use scaly_interp::machine::IntOp;
use scaly_tracer::region::{
    Block, BlockId, Cycle, CycleId, Def, Edge, Effects, Inst, InstId, Kept, Op, Param, Region, Terminator, Type, Value,
    ValueData,
};

use super::Body;

/// Instructions and blocks that are written at most, and instructions that are followed for it.
const LARGEST: usize = 600;
const FOLLOWED: usize = 4 * LARGEST;
/// Iterations of one loop.
const LONGEST: usize = 16;

/// A region that has a second form of a loop, and comes to that one only.
pub struct Unrolled {
    pub region: Region,
    /// The second form; its blocks are the last ones of the region, in order, from the block with this number on.
    pub cycle: CycleId,
    first: usize,
    /// What stands there for the values of the loop, as it is at the end of an iteration.
    pub copies: FxHashMap<Value, Value>,
}

/// The loop with all loops inside written out; none if there are none, some make too many iterations, or its way out stands
/// in one of them: what is read behind the loop would be that of the iteration in which it is taken.
pub fn of(old: &Region, body: &Body) -> Option<Unrolled> {
    let outer = body.cycle;
    let nested = old.cycles.iter().any(|cycle| cycle.parent == Some(outer));
    if !nested || old.block(body.exit.0).cycle != Some(outer) {
        return None;
    }
    let cycle = CycleId(old.cycles.len() as u32);
    let mut writing = Writing {
        old,
        body,
        cycle,
        region: old.clone(),
        copies: FxHashMap::default(),
        conditions: FxHashMap::default(),
        pending: FxHashMap::default(),
        numbered: FxHashMap::default(),
        current: Region::ENTRY,
        made: 0,
        followed: 0,
    };
    let header = body.header;
    let second = writing.block(header, true);
    writing.region.cycles.push(Cycle { header: second, ..*old.cycle(outer) });
    writing.iteration(outer)?;
    let Writing { mut region, copies, .. } = writing;
    for (i, block) in region.blocks.iter_mut().enumerate().take(old.blocks.len()) {
        if !body.has(BlockId(i as u32)) {
            block.end.edges_mut().filter(|edge| edge.to == header).for_each(|edge| edge.to = second);
        }
    }
    Some(Unrolled { region, cycle, first: old.blocks.len(), copies })
}

/// The region with this form of a loop only.
pub fn instead(old: &Region, body: &Body) -> Option<Region> {
    Some(of(old, body)?.only(body))
}

impl Unrolled {
    /// The region without the first form.
    fn only(self, body: &Body) -> Region {
        let Unrolled { mut region, cycle, first, copies } = self;
        body.replace_outside(&mut region, &copies);
        let second = region.cycles.pop();
        region.cycles[body.cycle.index()].header = second.map_or(body.header, |cycle| cycle.header);
        // What lies in it is gone.
        let gone = |id: CycleId| id != body.cycle && region.within(Some(id), body.cycle);
        let kept: Vec<CycleId> = (0..region.cycles.len() as u32).map(CycleId).filter(|&id| !gone(id)).collect();
        let numbers: FxHashMap<CycleId, CycleId> =
            kept.iter().enumerate().map(|(n, &id)| (id, CycleId(n as u32))).chain([(cycle, body.cycle)]).collect();
        let renumbered = |id: Option<CycleId>| id.and_then(|id| numbers.get(&id).copied());
        region.cycles = kept
            .iter()
            .map(|&id| region.cycle(id))
            .map(|cycle| Cycle { parent: renumbered(cycle.parent), ..*cycle })
            .collect();
        let mut places = FxHashMap::default();
        let mut placed: Vec<Block> = Vec::new();
        let mut blocks: Vec<Option<Block>> = std::mem::take(&mut region.blocks).into_iter().map(Some).collect();
        let forms = first..blocks.len();
        for i in 0..first {
            let id = BlockId(i as u32);
            let next = if id == body.header {
                forms.clone()
            } else if body.has(id) {
                0..0
            } else {
                i..i + 1
            };
            for i in next {
                places.insert(BlockId(i as u32), BlockId(placed.len() as u32));
                placed.extend(blocks[i].take().map(|block| Block { cycle: renumbered(block.cycle), ..block }));
            }
        }
        region.place(placed, &places);
        region.forget_unplaced();
        debug_assert_eq!(region.verify(), Ok(()));
        region
    }
}

struct Writing<'a> {
    old: &'a Region,
    body: &'a Body,
    cycle: CycleId,
    region: Region,
    copies: FxHashMap<Value, Value>,
    /// Conditions of the region that are known.
    conditions: FxHashMap<Value, bool>,
    /// By block of the old region that is still to be written: edges to it, by block and position.
    pending: FxHashMap<BlockId, Vec<(BlockId, usize)>>,
    /// What the current block computes.
    numbered: FxHashMap<(Op, Vec<Value>), Value>,
    /// The block that is being written.
    current: BlockId,
    made: usize,
    followed: usize,
}

impl Writing<'_> {
    fn of(&self, value: Value) -> Value {
        self.copies.get(&value).copied().unwrap_or(value)
    }

    fn define(&mut self, like: Value, def: Def) -> Value {
        let value = Value(self.region.values.len() as u32);
        self.region.values.push(ValueData { ty: self.old.ty(like), def });
        self.copies.insert(like, value);
        value
    }

    /// Begins a copy of a block; `params`: with parameters, not with what the only edge brings.
    fn block(&mut self, like: BlockId, params: bool) -> BlockId {
        let id = BlockId(self.region.blocks.len() as u32);
        let block = self.old.block(like);
        let given: &[Param] = if params { &block.params } else { &[] };
        let params = given
            .iter()
            .enumerate()
            .map(|(n, param)| Param { value: self.define(param.value, Def::Param(id, n as u32)), ..*param })
            .collect();
        self.region.blocks.push(Block { cycle: Some(self.cycle), params, insts: Vec::new(), ..block.clone() });
        self.numbered.clear();
        self.current = id;
        self.made += 1;
        id
    }

    /// Begins the copy of a block to which edges have been written.
    fn open(&mut self, id: BlockId) {
        let Some(edges) = self.pending.remove(&id) else { return };
        if let [(from, position)] = edges[..] {
            let Some(edge) = self.region.blocks[from.index()].end.edges_mut().nth(position) else { return };
            for (param, value) in self.old.block(id).params.iter().zip(std::mem::take(&mut edge.args)) {
                self.copies.insert(param.value, value);
            }
            let goes_on = from == self.current
                && matches!(self.region.block(from).end, Terminator::Jump(_))
                && self.region.block(from).chain == self.old.block(id).chain;
            if goes_on {
                return;
            }
        }
        let block = self.block(id, edges.len() > 1);
        for (from, position) in edges {
            let mut edges = self.region.blocks[from.index()].end.edges_mut();
            edges.nth(position).into_iter().for_each(|edge| edge.to = block);
        }
    }

    /// Writes an iteration of a cycle whose header has been begun.
    fn iteration(&mut self, cycle: CycleId) -> Option<()> {
        let old = self.old;
        let header = old.cycle(cycle).header;
        self.contents(header)?;
        for i in header.index() + 1..old.blocks.len() {
            let id = BlockId(i as u32);
            if !self.pending.contains_key(&id) {
                continue;
            }
            match old.block(id).cycle {
                Some(inner) if inner == cycle => {
                    self.open(id);
                    self.contents(id)?;
                }
                Some(inner) if old.cycle(inner).header == id && old.cycle(inner).parent == Some(cycle) => {
                    self.iterations(inner)?;
                }
                _ => {}
            }
        }
        Some(())
    }

    /// All iterations of a cycle.
    fn iterations(&mut self, cycle: CycleId) -> Option<()> {
        let header = self.old.cycle(cycle).header;
        for _ in 0..LONGEST {
            let before = self.ways_out(cycle);
            self.open(header);
            self.iteration(cycle)?;
            match (self.pending.contains_key(&header), self.ways_out(cycle) > before) {
                (true, false) => {}
                (false, true) => return Some(()),
                _ => return None,
            }
        }
        None
    }

    /// Edges that have been written to what is not in a cycle.
    fn ways_out(&self, cycle: CycleId) -> usize {
        let old = self.old;
        let outside = self.pending.iter().filter(|(id, _)| !old.within(old.block(**id).cycle, cycle));
        outside.map(|(_, edges)| edges.len()).sum()
    }

    /// Writes what is in a block.
    fn contents(&mut self, id: BlockId) -> Option<()> {
        let block = self.old.block(id);
        self.followed += block.insts.len() + 1;
        if self.followed > FOLLOWED {
            return None;
        }
        block.insts.iter().try_for_each(|&inst| self.inst(self.old.inst(inst)))?;
        let end = match &block.end {
            Terminator::Exit(..) => return None,
            Terminator::Jump(edge) => Terminator::Jump(self.edge(edge)),
            Terminator::Branch(cond, yes, no) => match self.conditions.get(&self.of(*cond)) {
                Some(true) => Terminator::Jump(self.edge(yes)),
                Some(false) => Terminator::Jump(self.edge(no)),
                None => Terminator::Branch(self.of(*cond), self.edge(yes), self.edge(no)),
            },
        };
        let header = self.body.header;
        let second = self.region.cycles[self.cycle.index()..].first().map(|cycle| cycle.header);
        let current = self.current;
        let block = &mut self.region.blocks[current.index()];
        block.end = end;
        block.end_pc = self.old.block(id).end_pc;
        for (position, edge) in block.end.edges_mut().enumerate() {
            if edge.to == header {
                edge.to = second?;
            } else if self.body.has(edge.to) {
                self.pending.entry(edge.to).or_default().push((current, position));
            }
        }
        Some(())
    }

    fn edge(&self, edge: &Edge) -> Edge {
        Edge { to: edge.to, args: edge.args.iter().map(|&value| self.of(value)).collect() }
    }

    /// Writes an instruction, if it is not computed now.
    fn inst(&mut self, inst: &Inst) -> Option<()> {
        let args: Vec<Value> = inst.args.iter().map(|&value| self.of(value)).collect();
        if let Op::Guard(_) = inst.op
            && let Some(&holds) = self.conditions.get(&args[0])
        {
            return holds.then_some(());
        }
        if let Some(word) = self.word(inst.op, &args) {
            let constant = constant(&mut self.region, word);
            self.copies.insert(inst.results[0], constant);
            return Some(());
        }
        let numbered = inst.op.effects() == Effects::Pure && inst.results.len() == 1;
        let there = self.same(inst.op, &args).or_else(|| self.numbered.get(&(inst.op, args.clone())).copied());
        if numbered && let Some(there) = there {
            self.copies.insert(inst.results[0], there);
            return Some(());
        }
        let known = self.condition(inst.op, &args);
        self.made += usize::from(known.is_none());
        if self.made > LARGEST {
            return None;
        }
        let id = InstId(self.region.insts.len() as u32);
        let kept = inst.kept.iter().map(|kept| Kept { value: self.of(kept.value), ..*kept }).collect();
        self.region.insts.push(Inst { args, kept, results: Vec::new(), block: self.current, ..inst.clone() });
        let results: Vec<Value> =
            (0..inst.results.len()).map(|n| self.define(inst.results[n], Def::Result(id, n as u32))).collect();
        if let Some(known) = known {
            self.conditions.insert(results[0], known);
        }
        let made = &mut self.region.insts[id.index()];
        made.results = results;
        if numbered {
            self.numbered.insert((made.op, made.args.clone()), made.results[0]);
        }
        self.region.blocks[self.current.index()].insts.push(id);
        Some(())
    }

    /// The operand that an operation gives.
    fn same(&self, op: Op, args: &[Value]) -> Option<Value> {
        let (a, b) = (*args.first()?, *args.get(1)?);
        match (op, self.region.constant(a), self.region.constant(b)) {
            (Op::Int(IntOp::Add), Some(0), _) | (Op::Int(IntOp::Mul), Some(1), _) => Some(b),
            (Op::Int(IntOp::Add | IntOp::Sub), _, Some(0)) | (Op::Int(IntOp::Mul), _, Some(1)) => Some(a),
            (Op::Int(IntOp::Mul), Some(0), _) => Some(a),
            (Op::Int(IntOp::Mul), _, Some(0)) => Some(b),
            _ => None,
        }
    }

    /// What a word is, if that is known.
    fn word(&self, op: Op, args: &[Value]) -> Option<i64> {
        let constant = |n: usize| self.region.constant(args[n]);
        match op {
            Op::Int(op) => Some(int_op(op, constant(0)?, constant(1)?)),
            Op::IntUnary(op) => Some(int_unary_op(op, constant(0)?)),
            Op::CondWord => self.conditions.get(&args[0]).map(|&known| i64::from(known)),
            _ => None,
        }
    }

    fn condition(&self, op: Op, args: &[Value]) -> Option<bool> {
        let constant = |n: usize| self.region.constant(args[n]);
        match op {
            Op::Compare(op) => Some(int_compare(op, constant(0)?, constant(1)?)),
            Op::Not => self.conditions.get(&args[0]).map(|known| !known),
            _ => None,
        }
    }
}

/// A constant, which stands in the entry.
pub fn constant(region: &mut Region, word: i64) -> Value {
    let entry = region.block(Region::ENTRY).insts.iter().map(|&id| region.inst(id));
    if let Some(there) = entry.into_iter().find(|inst| inst.op == Op::Const(word)) {
        return there.results[0];
    }
    let id = InstId(region.insts.len() as u32);
    let value = Value(region.values.len() as u32);
    region.values.push(ValueData { ty: Type::Word, def: Def::Result(id, 0) });
    let pc = region.block(Region::ENTRY).pc;
    region.insts.push(Inst {
        op: Op::Const(word),
        args: Vec::new(),
        results: vec![value],
        pc,
        block: Region::ENTRY,
        kept: Vec::new(),
    });
    region.blocks[Region::ENTRY.index()].insts.push(id);
    value
}
