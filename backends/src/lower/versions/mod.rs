//! A second version of an innermost loop, for while what it loads of arrays in memory does not change.
//!
//! In `b[y][x] = a[y][x] + a[y - 1][x]` the rows are the same for all x, but each iteration loads them behind a check of its
//! own, and LLVM moves nothing before a check that may fail. So the checks that do not change in the loop are made before
//! it, each with what is loaded behind it, as the first iteration would: where all hold, a copy of the loop runs without
//! these checks and loads; where one does not, the loop itself, which fails where it should. That a row stays what it is
//! follows from what the loop does not do: it calls nothing, and it stores numbers only, never a pair of pointer and length.
//!
//! In the copy the indexes themselves need no check either, where the first and the last one lie within the row: see
//! `ranges`. That alone is worth a copy where a float is carried from iteration to iteration, or what is stored (`carry`),
//! where a check stands on one of two ways, or where an index goes further than by one: LLVM then takes no check out of the
//! loop by itself.
//!
//! Where the loops inside a loop make few iterations, always the same, they are written out in the copy of that one, if no
//! check is left in it then: see `unroll`. The loop itself keeps them. If one is left, there is no copy, and they are
//! written out in the loop, unless one of them has versions of its own.
//!
//! Nothing is loaded before the loop that the first iteration might not come to: what is moved stands where every iteration
//! comes by, or alike on each of the ways that one may take, before any way out of the loop and behind no test of a union's
//! variant.
//!
//! ```text
//! before ──► tests ──► … ──► copy ◄─┐
//!              │              ├─────┘
//!              ▼              ▼
//!            loop ◄─┐ ─────► behind
//!              └────┘
//! ```

mod body;
mod ranges;
mod unroll;

use body::Body;
use ranges::Ranges;
use rustc_hash::{FxHashMap, FxHashSet};
use scaly_interp::bytecode::Opcode;
use scaly_interp::machine::Fault;
use scaly_interp::program::Program;
use scaly_tracer::region::{
    Block, BlockId, Cycle, CycleId, Def, Dominators, Edge, Effects, Inst, InstId, Kept, Op, Param, Region, Terminator,
    Type, Value, ValueData,
};

/// The region with second versions of its loops, and small loops written out in others; none if no loop would gain.
/// `root`: in the loop that it is of, too.
pub fn of(region: &Region, program: &Program, root: bool) -> Option<Region> {
    let mut changed: Option<Region> = None;
    let mut cycle = CycleId(u32::from(region.root().is_some() && !root));
    // Outer cycles come before those inside, which are gone when they have been written out.
    while let now = changed.as_ref().unwrap_or(region)
        && cycle.index() < now.cycles.len()
    {
        let mut around = std::iter::successors(Some(cycle), |&id| now.cycle(id).parent);
        let next = if around.any(|id| has_versions(now, id)) {
            None
        } else if is_innermost(now, cycle) {
            Version::of_inner(now, program, cycle)
        } else {
            Version::of_outer(now, program, cycle).or_else(|| written_out(now, program, cycle))
        };
        changed = next.or(changed);
        cycle.0 += 1;
    }
    changed
}

/// The loop with those inside written out, if none of them gains from a version of its own.
fn written_out(region: &Region, program: &Program, cycle: CycleId) -> Option<Region> {
    let written = unroll::instead(region, &Body::of(region, cycle)?)?;
    let mut inside =
        (0..region.cycles.len() as u32).map(CycleId).filter(|&id| id != cycle && region.within(Some(id), cycle));
    if inside.any(|id| is_innermost(region, id) && Version::of_inner(region, program, id).is_some()) {
        return None;
    }
    Some(Version::of_inner(&written, program, cycle).unwrap_or(written))
}

fn is_innermost(region: &Region, cycle: CycleId) -> bool {
    region.cycles.iter().all(|other| other.parent != Some(cycle))
}

/// Whether there are two forms of a loop.
fn has_versions(region: &Region, cycle: CycleId) -> bool {
    let Cycle { id, chain, .. } = *region.cycle(cycle);
    region.cycles.iter().filter(|other| (other.id, other.chain) == (id, chain)).count() > 1
}

/// A version in the making.
struct Version<'a> {
    old: &'a Region,
    program: &'a Program,
    /// What is copied.
    body: Body,
    /// What runs where a test fails: the same, or where loops in it are written out for the copy, the loop as it was.
    plain: Body,
    /// In this case, what stands there for the loop's values.
    unrolled: Option<FxHashMap<Value, Value>>,
    dominators: Dominators,
    region: Region,
    /// The blocks with the tests, of which the last one is written; their ids are set when all are placed.
    tests: Vec<Block>,
    /// What values of the loop are there.
    known: FxHashMap<Value, Value>,
    /// Checks that have been made.
    tested: FxHashSet<InstId>,
    /// Loads that have been made.
    loaded: FxHashSet<InstId>,
    /// What the tests compute, load and compare.
    numbered: FxHashMap<(Op, Vec<Value>), Vec<Value>>,
    branched: FxHashSet<(Value, bool)>,
}

/// Stands for blocks that have no place yet: the test with this number, or the copy of a block.
const TEST: u32 = 1 << 30;
const COPY: u32 = 1 << 31;

impl<'a> Version<'a> {
    /// Of a loop without others inside.
    fn of_inner(old: &Region, program: &Program, cycle: CycleId) -> Option<Region> {
        let body = Body::of(old, cycle)?;
        let opcode = |inst: &Inst| program.code.get(inst.pc.0 as usize).map(|ins| ins.op);
        let pairs = body.insts(old).any(|(_, inst)| opcode(inst).is_some_and(is_pair));
        if !body.keeps_pairs(old, opcode) {
            return None;
        }
        let outputs = body.outputs_to_one_place(old)?;
        let any = body.carries_floats_or_stores(old) || body.checks_on_one_way(old);
        let mut version = Version::begun(old, program, body.clone(), body, None);
        let ranges = version.tests();
        let gains = match ranges {
            _ if pairs => !version.loaded.is_empty(),
            Ranges::None => false,
            Ranges::ByOne => any,
            Ranges::Wider => true,
        };
        gains.then(|| version.finish(&outputs))
    }

    /// Of a loop whose inner ones can be written out, if no check is left then.
    fn of_outer(now: &Region, program: &Program, cycle: CycleId) -> Option<Region> {
        let plain = Body::of(now, cycle)?;
        let opcode = |inst: &Inst| program.code.get(inst.pc.0 as usize).map(|ins| ins.op);
        if !plain.keeps_pairs(now, opcode) {
            return None;
        }
        let outputs = plain.outputs_to_one_place(now)?;
        let unroll::Unrolled { region, cycle, copies, .. } = unroll::of(now, &plain)?;
        let body = Body::of(&region, cycle)?;
        let mut version = Version::begun(&region, program, body, plain, Some(copies));
        version.region.cycles.truncate(now.cycles.len());
        version.tests();
        let checked = |(id, inst): (InstId, &Inst)| !matches!(inst.op, Op::Guard(_)) || version.tested.contains(&id);
        let checked = version.body.insts(&region).all(checked);
        checked.then(|| version.finish(&outputs))
    }

    fn begun(
        old: &'a Region,
        program: &'a Program,
        body: Body,
        plain: Body,
        unrolled: Option<FxHashMap<Value, Value>>,
    ) -> Version<'a> {
        let mut version = Version {
            old,
            program,
            body,
            plain,
            unrolled,
            dominators: Dominators::of(old),
            region: old.clone(),
            tests: Vec::new(),
            known: FxHashMap::default(),
            tested: FxHashSet::default(),
            loaded: FxHashSet::default(),
            numbered: FxHashMap::default(),
            branched: FxHashSet::default(),
        };
        version.begin();
        version
    }

    /// Makes all tests; those of indices that go by steps.
    fn tests(&mut self) -> Ranges {
        let trips = self.trips();
        self.test();
        trips.map_or(Ranges::None, |trips| self.ranges(trips))
    }

    fn value(&mut self, like: Value, def: Def) -> Value {
        self.define(self.region.ty(like), def)
    }

    fn define(&mut self, ty: Type, def: Def) -> Value {
        let value = Value(self.region.values.len() as u32);
        self.region.values.push(ValueData { ty, def });
        value
    }

    /// Makes an instruction like that one, in a block that is placed later.
    fn inst(&mut self, like: &Inst, map: &FxHashMap<Value, Value>) -> (InstId, Vec<Value>) {
        let id = InstId(self.region.insts.len() as u32);
        let of = |value: &Value| map.get(value).copied().unwrap_or(*value);
        let args = like.args.iter().map(of).collect();
        let kept = like.kept.iter().map(|kept| Kept { value: of(&kept.value), ..*kept }).collect();
        self.region.insts.push(Inst { args, kept, results: Vec::new(), ..like.clone() });
        let results: Vec<Value> =
            (0..like.results.len()).map(|n| self.value(like.results[n], Def::Result(id, n as u32))).collect();
        self.region.insts[id.index()].results = results.clone();
        (id, results)
    }

    fn params(&mut self, like: &[Param], block: BlockId) -> Vec<Param> {
        let made = like.iter().enumerate();
        made.map(|(n, param)| Param { value: self.value(param.value, Def::Param(block, n as u32)), ..*param }).collect()
    }

    /// Makes the tests and loads of the first iteration that are those of all.
    fn test(&mut self) {
        // What lies behind what is loaded on several ways, when the last of these has been seen.
        loop {
            let made = (self.tested.len(), self.loaded.len());
            self.pass();
            if made == (self.tested.len(), self.loaded.len()) {
                return;
            }
        }
    }

    fn pass(&mut self) {
        let old = self.old;
        let mut on_ways = FxHashMap::default();
        for block in self.body.blocks.clone() {
            let always = self.always(block);
            if !always {
                let guards = old.block(block).insts.iter().map(|&id| old.inst(id).op);
                // A way on which a variant was tested ends here, and nothing behind it is sure.
                if block == self.body.exit.0
                    || guards.into_iter().any(|op| matches!(op, Op::Guard(fault) if !plain(fault)))
                {
                    return;
                }
            }
            for &id in &old.block(block).insts {
                if !always {
                    self.on_one_way(id, &mut on_ways);
                } else if !self.at(id) {
                    return;
                }
            }
            if block == self.body.exit.0 && !self.goes_on(block) {
                return;
            }
        }
    }

    /// Notes a test or load by what it tests or loads; makes it if all ways have it.
    fn on_one_way(&mut self, id: InstId, on_ways: &mut FxHashMap<(Op, Value), Vec<InstId>>) {
        let inst = self.old.inst(id);
        let of = match inst.op {
            Op::Guard(Fault::IndexOutOfRange) if !self.tested.contains(&id) => self.known(inst.args[0]),
            Op::LoadPointer(_) | Op::LoadInt(..)
                if !self.loaded.contains(&id) && self.opcode(inst).is_some_and(is_pair) =>
            {
                self.address(inst.args[0])
            }
            _ => None,
        };
        let Some(of) = of else { return };
        let same = on_ways.entry((inst.op, of)).or_default();
        same.push(id);
        if !self.on_all_ways(same) {
            return;
        }
        if matches!(inst.op, Op::Guard(_)) {
            self.branch(of, true);
            self.tested.extend(&*same);
            return;
        }
        let results = self.before(inst, &FxHashMap::from_iter([(inst.args[0], of)]));
        for &id in &*same {
            self.known.extend(self.old.inst(id).results.iter().copied().zip(results.iter().copied()));
        }
        self.loaded.extend(&*same);
    }

    /// Whether each iteration that does not end the loop before comes by one of these, whichever way it goes.
    fn on_all_ways(&self, insts: &[InstId]) -> bool {
        let (old, exit) = (self.old, self.body.exit.0);
        let on: Vec<BlockId> = insts.iter().map(|&id| old.inst(id).block).collect();
        let behind = on.iter().all(|&block| self.dominators.dominates(exit, block));
        let mut todo = vec![if behind { exit } else { self.body.header }];
        let mut seen: FxHashSet<BlockId> = todo.iter().copied().collect();
        while let Some(id) = todo.pop() {
            if on.contains(&id) {
                continue;
            }
            if self.body.latches.contains(&id) || id == exit && !behind {
                return false;
            }
            let further = old.block(id).end.edges().map(|edge| edge.to);
            todo.extend(further.filter(|&to| self.body.has(to) && seen.insert(to)));
        }
        true
    }

    /// The first block of tests, with the header's parameters: those that stay what they are, are known.
    fn begin(&mut self) {
        let (old, header) = (self.old, self.body.header);
        let first = old.block(header);
        let params = self.params(&first.params, BlockId(TEST));
        let parent = old.cycle(self.body.cycle).parent;
        self.tests.push(Block { cycle: parent, params, insts: Vec::new(), ..first.clone() });
        for (n, param) in first.params.iter().enumerate() {
            if self.back(n).all(|value| value == param.value) {
                self.known.insert(param.value, self.tests[0].params[n].value);
            }
        }
    }

    /// What edges back bring as a parameter of the header.
    fn back(&self, position: usize) -> impl Iterator<Item = Value> {
        let (old, header) = (self.old, self.body.header);
        let edges = self.body.latches.iter().flat_map(move |&latch| old.block(latch).end.edges());
        edges.filter(move |edge| edge.to == header).map(move |edge| edge.args[position])
    }

    /// Whether every iteration that goes round comes by.
    fn always(&self, block: BlockId) -> bool {
        self.body.latches.iter().all(|&latch| self.dominators.dominates(block, latch))
    }

    /// Tests or loads what the instruction does, if that can be done before; false if nothing behind it can.
    fn at(&mut self, id: InstId) -> bool {
        let old = self.old;
        let inst = old.inst(id);
        match inst.op {
            Op::Guard(Fault::IndexOutOfRange) => {
                if let Some(cond) = self.known(inst.args[0]) {
                    self.branch(cond, true);
                    self.tested.insert(id);
                }
                true
            }
            Op::Guard(fault) => plain(fault),
            Op::LoadPointer(_) | Op::LoadInt(..) if self.opcode(inst).is_some_and(is_pair) => {
                if let Some(address) = self.address(inst.args[0]) {
                    let map = FxHashMap::from_iter([(inst.args[0], address)]);
                    self.emit(inst, &map);
                    self.loaded.insert(id);
                }
                true
            }
            _ => true,
        }
    }

    fn opcode(&self, inst: &Inst) -> Option<Opcode> {
        self.program.code.get(inst.pc.0 as usize).map(|ins| ins.op)
    }

    /// Goes on behind the test of the way out, as the first iteration does.
    fn goes_on(&mut self, block: BlockId) -> bool {
        let Terminator::Branch(cond, ..) = self.old.block(block).end else { return false };
        let mut first = self.known.clone();
        let params = &self.old.block(self.body.header).params;
        first.extend(params.iter().zip(&self.tests[0].params).map(|(old, new)| (old.value, new.value)));
        let Some(cond) = self.computed(cond, &mut first) else { return false };
        self.branch(cond, self.body.exit.1 == 1);
        true
    }

    /// Ends the last block of tests: to a further one if the condition is that.
    fn branch(&mut self, cond: Value, on: bool) {
        if !self.branched.insert((cond, on)) {
            return;
        }
        let args: Vec<Value> = self.tests[0].params.iter().map(|param| param.value).collect();
        let next = BlockId(TEST + self.tests.len() as u32);
        let (further, back) = (Edge { to: next, args: Vec::new() }, Edge { to: self.plain.header, args });
        let (yes, no) = if on { (further, back) } else { (back, further) };
        let Some(last) = self.tests.last_mut() else { return };
        let fresh = Block { params: Vec::new(), insts: Vec::new(), ..last.clone() };
        last.end = Terminator::Branch(cond, yes, no);
        self.tests.push(fresh);
    }

    /// An instruction at the end of the tests.
    fn emit(&mut self, like: &Inst, map: &FxHashMap<Value, Value>) -> Vec<Value> {
        let results = self.before(like, map);
        self.known.extend(like.results.iter().copied().zip(results.iter().copied()));
        results
    }

    /// An instruction at the end of the tests, if there is none that gives the same; they store nothing.
    fn before(&mut self, like: &Inst, map: &FxHashMap<Value, Value>) -> Vec<Value> {
        let args = like.args.iter().map(|value| map.get(value).copied().unwrap_or(*value)).collect();
        let key = (like.op, args);
        if let Some(there) = self.numbered.get(&key) {
            return there.clone();
        }
        let (id, results) = self.inst(like, map);
        self.append(id);
        self.numbered.insert(key, results.clone());
        results
    }

    /// Puts an instruction at the end of the tests.
    fn append(&mut self, id: InstId) {
        if let Some(last) = self.tests.last_mut() {
            last.insts.push(id);
        }
    }

    /// A value that is the same in all iterations.
    fn known(&mut self, value: Value) -> Option<Value> {
        let mut known = std::mem::take(&mut self.known);
        let found = self.computed(value, &mut known);
        self.known = known;
        found
    }

    /// A value computed before the loop, of those that are there.
    fn computed(&mut self, value: Value, there: &mut FxHashMap<Value, Value>) -> Option<Value> {
        if let Some(&known) = there.get(&value) {
            return Some(known);
        }
        let old = self.old;
        if !self.body.has(old.def_block(value)) {
            return Some(value);
        }
        let inst = old.def_inst(value)?;
        if inst.op.effects() != Effects::Pure || matches!(inst.op, Op::Element { .. }) {
            return None;
        }
        for &arg in &inst.args {
            let computed = self.computed(arg, there)?;
            there.insert(arg, computed);
        }
        let results = self.before(inst, there);
        there.extend(inst.results.iter().copied().zip(results.iter().copied()));
        results.first().copied()
    }

    /// An address that is the same in all iterations: of an element, its check has been made.
    fn address(&mut self, value: Value) -> Option<Value> {
        let old = self.old;
        if !self.body.has(old.def_block(value)) || self.known.contains_key(&value) {
            return self.known(value);
        }
        let inst = old.def_inst(value)?;
        let Op::Element { .. } = inst.op else { return None };
        // The check of this instruction of the bytecode, that it has compared this index.
        let own = |&&id: &&InstId| {
            let guard = old.inst(id);
            let compared = |value: Value| old.def_inst(value).and_then(|compare| compare.args.first());
            guard.pc == inst.pc && matches!(guard.op, Op::Guard(_)) && compared(guard.args[0]) == inst.args.get(1)
        };
        let guard = old.block(inst.block).insts.iter().find(own)?;
        if !self.tested.contains(guard) {
            return None;
        }
        let (base, index) = (self.known(inst.args[0])?, self.known(inst.args[1])?);
        let map = FxHashMap::from_iter([(inst.args[0], base), (inst.args[1], index)]);
        self.emit(inst, &map).first().copied()
    }

    /// Copies the loop and gives all blocks their places.
    fn finish(mut self, outputs: &[Value]) -> Region {
        let (old, header) = (self.old, self.body.header);
        let args: Vec<Value> = self.tests[0].params.iter().map(|param| param.value).collect();
        if let Some(last) = self.tests.last_mut() {
            last.end = Terminator::Jump(Edge { to: BlockId(COPY + header.0), args });
        }
        let mut map = std::mem::take(&mut self.known);
        let cycle = CycleId(self.region.cycles.len() as u32);
        self.region.cycles.push(Cycle { header: BlockId(COPY + header.0), ..*old.cycle(self.body.cycle) });
        let mut copies = Vec::new();
        for &id in &self.body.blocks.clone() {
            let block = old.block(id);
            let params = self.params(&block.params, BlockId(COPY + id.0));
            map.extend(block.params.iter().zip(&params).map(|(old, new)| (old.value, new.value)));
            let mut insts = Vec::new();
            for &id in &block.insts {
                let inst = old.inst(id);
                if self.tested.contains(&id) || self.loaded.contains(&id) {
                    continue;
                }
                let (copy, results) = self.inst(inst, &map);
                map.extend(inst.results.iter().copied().zip(results));
                insts.push(copy);
            }
            copies.push((id, Block { cycle: Some(cycle), params, insts, ..block.clone() }));
        }
        // Each value has been copied by now, those that come round too.
        let of = |value: Value| map.get(&value).copied().unwrap_or(value);
        for (id, block) in &mut copies {
            let exit = self.body.exit;
            match &mut block.end {
                Terminator::Branch(cond, ..) => *cond = of(*cond),
                Terminator::Exit(_, values) => values.iter_mut().for_each(|value| *value = of(*value)),
                Terminator::Jump(_) => {}
            }
            for (n, edge) in block.end.edges_mut().enumerate() {
                edge.args.iter_mut().for_each(|arg| *arg = of(*arg));
                if (*id, n) == exit {
                    let there = |value: &Value| match &self.unrolled {
                        Some(copies) => of(copies.get(value).copied().unwrap_or(*value)),
                        None => of(*value),
                    };
                    edge.args.extend(outputs.iter().map(there));
                } else {
                    edge.to = BlockId(COPY + edge.to.0);
                }
            }
        }
        self.meet(outputs);
        self.place(copies)
    }

    /// What the loop defines comes behind it from either version.
    fn meet(&mut self, outputs: &[Value]) {
        let (old, target) = (self.old, self.plain.target);
        let first = old.block(target).params.len() as u32;
        let mut met = FxHashMap::default();
        for (n, &output) in outputs.iter().enumerate() {
            let value = self.value(output, Def::Param(target, first + n as u32));
            self.region.blocks[target.index()].params.push(Param { value, slot: 0 });
            met.insert(output, value);
        }
        if let Some(edge) = self.region.blocks[self.plain.exit.0.index()].end.edges_mut().nth(self.plain.exit.1) {
            edge.args.extend(outputs);
        }
        self.plain.replace_outside(&mut self.region, &met);
    }

    /// Tests and copy stand before the loop.
    fn place(self, copies: Vec<(BlockId, Block)>) -> Region {
        let Version { mut region, tests, body, plain, unrolled, .. } = self;
        let mut places: FxHashMap<BlockId, BlockId> = FxHashMap::default();
        let mut blocks: Vec<Block> = Vec::new();
        let mut copies = Some((tests, copies));
        for (i, mut block) in std::mem::take(&mut region.blocks).into_iter().enumerate() {
            let id = BlockId(i as u32);
            if id == plain.header
                && let Some((tests, copies)) = copies.take()
            {
                for (n, test) in tests.into_iter().enumerate() {
                    places.insert(BlockId(TEST + n as u32), BlockId(blocks.len() as u32));
                    blocks.push(test);
                }
                for (id, copy) in copies {
                    places.insert(BlockId(COPY + id.0), BlockId(blocks.len() as u32));
                    blocks.push(copy);
                }
            }
            if unrolled.is_some() && body.has(id) {
                // It was there to be copied.
                continue;
            }
            if !body.has(id) {
                // Who comes to the loop comes to the tests.
                block.end.edges_mut().filter(|edge| edge.to == body.header).for_each(|edge| edge.to = BlockId(TEST));
            }
            places.insert(id, BlockId(blocks.len() as u32));
            blocks.push(block);
        }
        region.place(blocks, &places);
        region.forget_unplaced();
        debug_assert_eq!(region.verify(), Ok(()));
        region
    }
}

fn is_pair(op: Opcode) -> bool {
    matches!(op, Opcode::LoadPair | Opcode::LoadElemPair)
}

/// A check that says nothing of what lies in memory.
fn plain(fault: Fault) -> bool {
    matches!(fault, Fault::IndexOutOfRange | Fault::DivisionByZero)
}

#[cfg(test)]
mod tests {
    use scaly_interp::dump::parse;
    use scaly_interp::program::LoopId;
    use scaly_tracer::parameters::Parameters;
    use scaly_tracer::walker::Walker;

    use super::*;

    /// `for y { for x { BODY } }` on an array of arrays in slots 0 and 1; x is in slot 12, a number in slot 3.
    fn nest(body: &str) -> String {
        format!(
            "
main f
function f(params 4, results 1, frame 40)
  Const s6, 0
  ForPrepS s6..8, s1 -> @out
loop counted s6..8 @outer..@out
outer: Const s12, 0
  ForPrepS s12..14, s2 -> @next
loop counted s12..14 @inner..@next in loop0
inner: {body}
  ForLoop s12..14, loop1 -> @inner
next: ForLoop s6..8, loop0 -> @outer
out: Return1 s3
"
        )
    }

    /// Loads of pairs in each inner loop of the versions, the copies first; none if there is but one.
    fn loads(text: &str) -> Option<Vec<usize>> {
        counted(text, |op| matches!(op, Op::LoadPointer(_)))
    }

    /// The same of checks.
    fn checks(text: &str) -> Option<Vec<usize>> {
        counted(text, |op| matches!(op, Op::Guard(_)))
    }

    fn counted(text: &str, of: impl Fn(Op) -> bool) -> Option<Vec<usize>> {
        let program = parse(text).unwrap();
        let walker = Walker::new(&program, Parameters::default());
        let region = walker.keeping().walk(LoopId(0)).unwrap();
        let region = super::of(&region, &program, false)?;
        assert_eq!(region.verify(), Ok(()));
        let mut loops: Vec<(BlockId, usize)> = (1..region.cycles.len() as u32)
            .map(|cycle| {
                let inside = region.insts.iter().filter(|inst| {
                    let block = region.block(inst.block);
                    let live = block.insts.iter().any(|&id| std::ptr::eq(region.inst(id), *inst));
                    live && block.cycle == Some(CycleId(cycle)) && of(inst.op)
                });
                (region.cycle(CycleId(cycle)).header, inside.count())
            })
            .collect();
        loops.sort_unstable();
        Some(loops.into_iter().map(|(_, loads)| loads).collect())
    }

    const ROW: &str = "LoadElemPair s14..16, s0..2, s6, *16, +0\n";

    #[test]
    fn rows_of_one_index_are_loaded_before_the_loop() {
        assert_eq!(loads(&nest(&format!("{ROW}LoadElemI64 s3, s14..16, s12, *8, +0"))), Some(vec![0, 1]));
        // Behind a check that changes, too.
        let one = format!("{ROW}LoadElemI64 s3, s14..16, s12, *8, +0\n");
        let two = one.clone() + &one.replace("s14..16", "s16..18").replace("s6", "s2");
        assert_eq!(loads(&nest(&two)), Some(vec![0, 2]));
        // What comes after the loop comes from either.
        assert!(loads(&nest(&format!("{ROW}LoadElemI64 s3, s14..16, s12, *8, +0")).replace("s3\n", "s15\n")).is_some());
    }

    #[test]
    fn rows_of_the_loops_own_index_are_not() {
        assert_eq!(
            loads(&nest("LoadElemPair s14..16, s0..2, s12, *16, +0\nLoadElemI64 s3, s14..16, s6, *8, +0")),
            None
        );
    }

    #[test]
    fn what_may_change_is_loaded_each_time() {
        for change in [
            // A pair is stored.
            "StoreWords s14, s0..2, +0",
            "Runtime s20, ConsolePrint",
        ] {
            assert_eq!(loads(&nest(&format!("{ROW}{change}"))), None, "{change}");
        }
        // Only numbers are.
        assert_eq!(loads(&nest(&format!("{ROW}StoreElemI64 s14..16, s12, s3, *8, +0"))), Some(vec![0, 1]));
    }

    #[test]
    fn nothing_is_loaded_that_the_first_iteration_may_not_come_to() {
        // On one way only, and behind a test of a variant.
        assert_eq!(loads(&nest(&format!("JEqImm s3, 0 -> @skip\n{ROW}skip: Nop"))), None);
        assert_eq!(loads(&nest(&format!("JEqImm s3, 0 -> @fine\nFault WrongVariant\nfine: {ROW}"))), None);
        // Of elements whose check changes: the length is not the array's.
        let cut = "Move s14, s0\nMove s15, s12\nLoadElemPair s16..18, s14..16, s6, *16, +0";
        assert_eq!(loads(&nest(cut)), None);
        // Behind both ways.
        let both = format!("JEqImm s3, 0 -> @skip\nAddImm s3, s3, 1\nskip: {ROW}");
        assert_eq!(loads(&nest(&both)), Some(vec![0, 1]));
    }

    #[test]
    fn rows_that_both_ways_load_are_loaded_before_the_loop() {
        let ways = |one: &str, other: &str| {
            loads(&nest(&format!(
                "JEqImm s3, 0 -> @other\n{one}Jump -> @behind\nother: {other}behind: AddImm s3, s3, 1"
            )))
        };
        assert_eq!(ways(ROW, ROW), Some(vec![0, 2]));
        assert_eq!(ways(&ROW.replace("s14..16", "s16..18"), ROW), Some(vec![0, 2]));
        assert_eq!(ways(ROW, &format!("AddImm s3, s3, 7\n{ROW}")), Some(vec![0, 2]));
        // Of another array, of another row, and behind a test of a variant.
        assert_eq!(ways(ROW, &ROW.replace("s0..2", "s1..3")), None);
        assert_eq!(ways(ROW, &ROW.replace("s6", "s2")), None);
        assert_eq!(ways(ROW, &format!("JEqImm s3, 5 -> @fine\nFault WrongVariant\nfine: {ROW}")), None);
    }

    #[test]
    fn a_way_out_in_the_middle_ends_it() {
        assert_eq!(loads(&nest(&format!("JEqImm s3, 0 -> @next\n{ROW}"))), None);
    }

    /// Of the two checks of an iteration only the row's is left where the index does not go by steps.
    #[test]
    fn indexes_that_go_by_steps_need_no_check() {
        let of = |index: &str| checks(&nest(&format!("{ROW}{index}\nLoadElemI64 s3, s14..16, s20, *8, +0")));
        assert_eq!(of("Move s20, s12"), Some(vec![0, 2]));
        assert_eq!(of("Sub s20, s2, s12"), Some(vec![0, 2]));
        assert_eq!(of("Const s21, 3\nMul s20, s12, s21\nAdd s20, s20, s6"), Some(vec![0, 2]));
        // Rows of a width that is the same in all iterations, up, down, and askew.
        assert_eq!(of("Mul s20, s12, s2\nAdd s20, s20, s6"), Some(vec![0, 2]));
        assert_eq!(of("Sub s21, s2, s12\nMul s20, s21, s6"), Some(vec![0, 2]));
        assert_eq!(of("Mul s20, s12, s2\nSub s20, s20, s12"), Some(vec![0, 2]));
        // As far as it goes, or what it is, is not known before.
        assert_eq!(of("Mul s20, s12, s12"), Some(vec![1, 2]));
        assert_eq!(of("Mul s20, s12, s3"), Some(vec![1, 2]));
        assert_eq!(of("And s20, s12, s2"), Some(vec![1, 2]));
        assert_eq!(of("Move s20, s3"), Some(vec![1, 2]));
        assert_eq!(of("Const s21, 2\nShl s20, s21, s12"), Some(vec![1, 2]));
        assert_eq!(of("Const s21, 1048577\nMul s20, s12, s21"), Some(vec![1, 2]));
    }

    /// LLVM sees by itself that indexes in a row are within.
    #[test]
    fn a_check_of_every_other_element_is_worth_a_version() {
        let of = |index: &str| {
            checks(&nest(&format!(
                "{index}\nLoadElemI64 s21, s0..2, s20, *8, +0\nStoreElemI64 s0..2, s20, s21, *8, +0"
            )))
        };
        assert_eq!(of("Add s20, s12, s6"), None);
        assert_eq!(of("Sub s20, s6, s12"), None);
        assert_eq!(of("Add s20, s12, s12"), Some(vec![0, 1]));
        assert_eq!(of("Mul s20, s12, s2"), Some(vec![0, 1]));
    }

    #[test]
    fn small_loops_with_checks_are_written_out_in_their_place() {
        let load = "And s20, s6, s12\nLoadElemI64 s21, s0..2, s20, *8, +0\nAdd s3, s3, s21";
        let three = "Const s22, 3\nForPrepS s12..14, s22";
        // An index that nobody can test before.
        assert_eq!(written_out(three, load), Some((3, 3)));
        assert_eq!(written_out(three, &format!("JEqImm s12, 1 -> @skip\n{load}\nskip: Nop")), Some((2, 2)));
    }

    /// `for y { for x in 3 { BODY } }`; y is in slot 6, x in slot 12. Loads and checks in the last form of the loop over y.
    fn written_out(trips: &str, body: &str) -> Option<(usize, usize)> {
        let text = nest(body).replace("ForPrepS s12..14, s2", trips);
        let program = parse(&text).unwrap();
        let walker = Walker::new(&program, Parameters::default());
        let region = walker.keeping().walk(LoopId(0)).unwrap();
        assert_eq!(super::of(&region, &program, false), None, "the loop that the region is of is left alone");
        let region = super::of(&region, &program, true)?;
        assert_eq!(region.verify(), Ok(()));
        let copy = Some(CycleId(region.cycles.len() as u32 - 1));
        let blocks = region.blocks.iter().filter(|block| block.cycle == copy);
        let insts: Vec<Op> = blocks.flat_map(|block| &block.insts).map(|&id| region.inst(id).op).collect();
        let count = |of: fn(&Op) -> bool| insts.iter().filter(|op| of(op)).count();
        Some((count(|op| matches!(op, Op::LoadInt(..))), count(|op| matches!(op, Op::Guard(_)))))
    }

    #[test]
    fn small_loops_are_written_out() {
        let load = "Add s20, s6, s12\nLoadElemI64 s21, s0..2, s20, *8, +0\nAdd s3, s3, s21";
        let three = "Const s22, 3\nForPrepS s12..14, s22";
        assert_eq!(written_out(three, load), Some((3, 0)));
        assert_eq!(written_out(&three.replace("3", "16"), load), Some((16, 0)));
        // Ways that depend on the counter are decided, and what is computed twice is computed once.
        assert_eq!(written_out(three, &format!("JEqImm s12, 1 -> @skip\n{load}\nskip: Nop")), Some((2, 0)));
        // Too many iterations, or nobody knows how many.
        assert_eq!(written_out(&three.replace("3", "17"), load), None);
        assert_eq!(written_out("ForPrepS s12..14, s2", load), None);
        // A way out of the loop inside.
        assert_eq!(written_out(three, &format!("JEqImm s3, 7 -> @next\n{load}")), None);
    }
}
