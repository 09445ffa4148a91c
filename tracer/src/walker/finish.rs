//! From what the walker built to a region: types settled, what nobody reads dropped, everything numbered in order.
//!
//! In this order: empty blocks vanish; a parameter that is the same on every way becomes that value; instructions and
//! parameters without a reader go (a loop's slot that is only passed along would look like one that is carried); slots
//! get the type of their readers, and bits are reread where two types meet; what is left is renumbered.

use super::builder::{Builder, NOWHERE};
use crate::region::{
    Block, BlockId, Def, Edge, Effects, ExitId, Inst, InstId, Op, Param, Region, Terminator, Type, Value, ValueData,
    Whole,
};

pub fn finish(mut b: Builder, whole: Whole) -> Region {
    skip_empty(&mut b);
    let reached = reached(&b);
    forward(&mut b, &reached);
    sweep(&mut b, &reached);
    settle_types(&mut b, &reached);
    number(b, &reached, whole)
}

/// Edges through blocks that do nothing lead to where these jump.
fn skip_empty(b: &mut Builder) {
    let headers: Vec<BlockId> = b.cycles.iter().map(|c| c.header).collect();
    let through = |b: &Builder, id: BlockId| -> Option<Edge> {
        let block = b.blocks.get(id.index())?;
        let empty = id != Region::ENTRY && block.params.is_empty() && block.insts.is_empty();
        match &block.end {
            Terminator::Jump(edge) if empty && !headers.contains(&id) => Some(edge.clone()),
            _ => None,
        }
    };
    // Later blocks first, so that a chain of empty ones is skipped at once; back edges lead to headers, which stay.
    for i in (0..b.blocks.len()).rev() {
        let mut end = std::mem::replace(&mut b.blocks[i].end, Terminator::Exit(ExitId(0), Vec::new()));
        for edge in end.edges_mut() {
            while let Some(next) = through(b, edge.to) {
                *edge = next;
            }
        }
        b.blocks[i].end = end;
    }
}

fn reached(b: &Builder) -> Vec<bool> {
    let mut reached = vec![false; b.blocks.len()];
    let mut todo = vec![Region::ENTRY];
    while let Some(block) = todo.pop() {
        if block != NOWHERE && !std::mem::replace(&mut reached[block.index()], true) {
            todo.extend(b.blocks[block.index()].end.edges().map(|e| e.to));
        }
    }
    reached
}

/// For each reached block's parameter position, the arguments that come in.
fn incoming(b: &Builder, reached: &[bool]) -> Vec<Vec<(BlockId, usize)>> {
    let mut preds = vec![Vec::new(); b.blocks.len()];
    for (i, block) in b.blocks.iter().enumerate().filter(|&(i, _)| reached[i]) {
        for (n, edge) in block.end.edges().enumerate() {
            preds[edge.to.index()].push((BlockId(i as u32), n));
        }
    }
    preds
}

fn argument(b: &Builder, (from, edge): (BlockId, usize), position: usize) -> Option<Value> {
    b.blocks[from.index()].end.edges().nth(edge).and_then(|e| e.args.get(position).copied())
}

/// A parameter whose arguments are all one value, or itself, is that value.
fn forward(b: &mut Builder, reached: &[bool]) {
    let preds = incoming(b, reached);
    let mut is: Vec<Value> = (0..b.values.len() as u32).map(Value).collect();
    fn find(is: &[Value], mut v: Value) -> Value {
        while is[v.index()] != v {
            v = is[v.index()];
        }
        v
    }
    loop {
        let mut changed = false;
        for i in (1..b.blocks.len()).filter(|&i| reached[i]) {
            for (position, param) in b.blocks[i].params.iter().enumerate() {
                if is[param.value.index()] != param.value {
                    continue;
                }
                let mut one = None;
                let mut several = false;
                for &pred in &preds[i] {
                    let Some(arg) = argument(b, pred, position) else { continue };
                    let arg = find(&is, arg);
                    if arg != param.value {
                        several |= one.is_some_and(|o| o != arg);
                        one = Some(arg);
                    }
                }
                if let (Some(value), false) = (one, several)
                    && compatible(b.values[param.value.index()].ty, b.values[value.index()].ty)
                {
                    is[param.value.index()] = value;
                    let ty = b.values[param.value.index()].ty;
                    let draft = &mut b.values[value.index()];
                    draft.ty = draft.ty.or(ty);
                    changed = true;
                }
            }
        }
        if !changed {
            break;
        }
    }
    for inst in &mut b.insts {
        for arg in inst.args.iter_mut().chain(inst.kept.iter_mut().map(|k| &mut k.value)) {
            *arg = find(&is, *arg);
        }
    }
    for block in &mut b.blocks {
        rename(&mut block.end, |v| find(&is, v));
    }
    for i in (1..b.blocks.len()).filter(|&i| reached[i]) {
        let keep: Vec<bool> = b.blocks[i].params.iter().map(|p| is[p.value.index()] == p.value).collect();
        drop_params(b, i, &preds[i], &keep);
    }
}

/// Two types that one value may have: a slot of no type yet takes any.
fn compatible(a: Option<Type>, b: Option<Type>) -> bool {
    a.is_none() || b.is_none() || a == b
}

fn rename(end: &mut Terminator, f: impl Fn(Value) -> Value) {
    match end {
        Terminator::Jump(_) => {}
        Terminator::Branch(cond, ..) => *cond = f(*cond),
        Terminator::Exit(_, args) => args.iter_mut().for_each(|v| *v = f(*v)),
    }
    for edge in end.edges_mut() {
        edge.args.iter_mut().for_each(|v| *v = f(*v));
    }
}

fn drop_params(b: &mut Builder, block: usize, preds: &[(BlockId, usize)], keep: &[bool]) {
    if keep.iter().all(|&k| k) {
        return;
    }
    let mut kept = keep.iter();
    b.blocks[block].params.retain(|_| *kept.next().unwrap_or(&true));
    for &(from, edge) in preds {
        if let Some(edge) = b.blocks[from.index()].end.edges_mut().nth(edge) {
            let mut kept = keep.iter();
            edge.args.retain(|_| *kept.next().unwrap_or(&true));
        }
    }
}

/// Drops parameters and pure instructions that nothing reads.
fn sweep(b: &mut Builder, reached: &[bool]) {
    let preds = incoming(b, reached);
    let mut live = vec![false; b.values.len()];
    let mut todo: Vec<Value> = Vec::new();
    for (_, block) in b.blocks.iter().enumerate().filter(|&(i, _)| reached[i]) {
        match &block.end {
            Terminator::Jump(_) => {}
            Terminator::Branch(cond, ..) => todo.push(*cond),
            Terminator::Exit(_, args) => todo.extend(args),
        }
        for &inst in &block.insts {
            let inst = &b.insts[inst.index()];
            if !droppable(inst) {
                todo.extend(&inst.args);
                todo.extend(inst.kept.iter().map(|k| k.value));
            }
        }
    }
    // Positions move while parameters are dropped, so they are taken from the blocks as they stand.
    let mut position = vec![None; b.values.len()];
    for (i, block) in b.blocks.iter().enumerate() {
        for (n, param) in block.params.iter().enumerate() {
            position[param.value.index()] = Some((i, n));
        }
    }
    while let Some(value) = todo.pop() {
        if std::mem::replace(&mut live[value.index()], true) {
            continue;
        }
        match (b.values[value.index()].def, position[value.index()]) {
            (Def::Result(inst, _), _) => todo.extend(&b.insts[inst.index()].args),
            (Def::Param(..), Some((block, n))) => {
                todo.extend(preds[block].iter().filter_map(|&pred| argument(b, pred, n)));
            }
            (Def::Param(..), None) => {}
        }
    }
    for i in (0..b.blocks.len()).filter(|&i| reached[i]) {
        let keep: Vec<bool> = b.blocks[i].params.iter().map(|p| live[p.value.index()]).collect();
        drop_params(b, i, &preds[i], &keep);
        let insts = &b.insts;
        b.blocks[i].insts.retain(|&inst| {
            let inst = &insts[inst.index()];
            !droppable(inst) || inst.results.iter().any(|v| live[v.index()])
        });
    }
    // Types that meet later may ask for a constant again: one that is gone is made anew.
    b.constants.retain(|_, value| live[value.index()]);
}

/// A load that nobody reads stays: what an iteration touches is then the same here and in the interpreter, whose
/// dependence oracle checks the verdicts.
fn droppable(inst: &Inst) -> bool {
    inst.op.effects() == Effects::Pure
}

/// Gives every slot's value a type and rereads bits where an argument has another than its parameter.
fn settle_types(b: &mut Builder, reached: &[bool]) {
    let edges: Vec<(Value, Value)> = b
        .blocks
        .iter()
        .enumerate()
        .filter(|&(i, _)| reached[i])
        .flat_map(|(_, block)| block.end.edges())
        .flat_map(|e| b.blocks[e.to.index()].params.iter().map(|p| p.value).zip(e.args.iter().copied()))
        .collect();
    loop {
        let mut changed = false;
        for &(param, arg) in &edges {
            let (p, a) = (b.values[param.index()].ty, b.values[arg.index()].ty);
            match (p, a) {
                (Some(_), None) => b.values[arg.index()].ty = p,
                (None, Some(_)) => b.values[param.index()].ty = a,
                _ => continue,
            }
            changed = true;
        }
        if !changed {
            break;
        }
    }
    for value in &mut b.values {
        value.ty.get_or_insert(Type::Word);
    }
    for i in (0..b.blocks.len()).filter(|&i| reached[i]) {
        // What another block reread is not known in this one.
        b.open_scope(None, false);
        let mut end = std::mem::replace(&mut b.blocks[i].end, Terminator::Exit(ExitId(0), Vec::new()));
        for edge in end.edges_mut() {
            for (n, arg) in edge.args.iter_mut().enumerate() {
                let ty = b.values[b.blocks[edge.to.index()].params[n].value.index()].ty;
                if b.values[arg.index()].ty != ty
                    && let Some(ty) = ty
                {
                    *arg = reread(b, BlockId(i as u32), *arg, ty);
                }
            }
        }
        b.blocks[i].end = end;
    }
}

fn reread(b: &mut Builder, block: BlockId, value: Value, ty: Type) -> Value {
    let zero = b.constant_of(value) == Some(0);
    match ty {
        Type::Float if zero => return b.constant(Op::ConstF64(0), ty),
        Type::Single if zero => return b.constant(Op::ConstF32(0), ty),
        _ => {}
    }
    b.block = block;
    b.begin(b.blocks[block.index()].end_pc);
    b.emit(Op::Reread(ty), &[value], &[Some(ty)])[0]
}

/// Numbers blocks, instructions, values and exits as they stand.
fn number(b: Builder, reached: &[bool], whole: Whole) -> Region {
    let mut block_to = vec![NOWHERE; b.blocks.len()];
    let kept = block_to.iter_mut().zip(reached).filter(|&(_, &reached)| reached);
    kept.enumerate().for_each(|(next, (to, _))| *to = BlockId(next as u32));
    let mut values = Vec::new();
    let mut value_to: Vec<Option<Value>> = vec![None; b.values.len()];
    let mut insts = Vec::new();
    let mut blocks: Vec<Block> = Vec::new();
    let mut exits = Vec::new();
    let mut exit_to = vec![None; b.exits.len()];
    for (_, old) in b.blocks.iter().enumerate().filter(|&(i, _)| reached[i]) {
        let id = BlockId(blocks.len() as u32);
        let mut block = Block { params: Vec::new(), insts: Vec::new(), ..old.clone() };
        let mut fresh = |old: Value, def: Def| {
            let value = Value(values.len() as u32);
            let ty = b.values[old.index()].ty.unwrap_or(Type::Word);
            values.push(ValueData { ty, def });
            value_to[old.index()] = Some(value);
            value
        };
        for (i, param) in old.params.iter().enumerate() {
            let value = fresh(param.value, Def::Param(id, i as u32));
            block.params.push(Param { value, slot: param.slot });
        }
        for &inst in &old.insts {
            let from = &b.insts[inst.index()];
            let to = InstId(insts.len() as u32);
            let results = from.results.iter().enumerate().map(|(i, &v)| fresh(v, Def::Result(to, i as u32))).collect();
            insts.push(Inst { results, block: id, ..from.clone() });
            block.insts.push(to);
        }
        if let Terminator::Exit(exit, _) = &mut block.end {
            let to = exit_to[exit.index()].get_or_insert_with(|| {
                exits.push(b.exits[exit.index()].clone());
                ExitId(exits.len() as u32 - 1)
            });
            *exit = *to;
        }
        blocks.push(block);
    }
    // Every value that is read stands in a reached block: its definition dominates the reader.
    let rename_value = |v: Value| value_to[v.index()].unwrap_or(v);
    for inst in &mut insts {
        inst.args.iter_mut().for_each(|v| *v = rename_value(*v));
        inst.kept.iter_mut().for_each(|k| k.value = rename_value(k.value));
    }
    for block in &mut blocks {
        rename(&mut block.end, rename_value);
        for edge in block.end.edges_mut() {
            edge.to = block_to[edge.to.index()];
        }
    }
    let mut chains = b.chains;
    let mut cycles = b.cycles;
    // A header that no path reaches belongs to a loop that is never entered.
    let mut cycle_to = vec![None; cycles.len()];
    let mut kept = Vec::new();
    for (i, cycle) in cycles.drain(..).enumerate() {
        if reached[cycle.header.index()] {
            cycle_to[i] = Some(crate::region::CycleId(kept.len() as u32));
            kept.push(cycle);
        }
    }
    for cycle in &mut kept {
        cycle.header = block_to[cycle.header.index()];
        cycle.parent = cycle.parent.and_then(|p| cycle_to[p.index()]);
    }
    for block in &mut blocks {
        block.cycle = block.cycle.and_then(|c| cycle_to[c.index()]);
    }
    keep_chains(&mut chains, &mut blocks, &mut kept, &mut insts);
    Region { whole, chains, cycles: kept, exits, blocks, insts, values }
}

/// Drops chains of calls that left no block behind.
fn keep_chains(
    chains: &mut Vec<crate::region::Chain>,
    blocks: &mut [Block],
    cycles: &mut [crate::region::Cycle],
    insts: &mut [Inst],
) {
    use crate::region::ChainId;
    let mut used = vec![false; chains.len()];
    used[0] = true;
    for block in blocks.iter() {
        let mut at = Some(block.chain);
        while let Some(chain) = at.filter(|c| !used[c.index()]) {
            used[chain.index()] = true;
            at = chains[chain.index()].caller.map(|(caller, _)| caller);
        }
    }
    let mut to = vec![ChainId(0); chains.len()];
    let left = to.iter_mut().zip(&used).filter(|&(_, &used)| used);
    left.enumerate().for_each(|(next, (to, _))| *to = ChainId(next as u32));
    let mut keep = used.iter();
    chains.retain(|_| *keep.next().unwrap_or(&true));
    for chain in chains.iter_mut() {
        if let Some((caller, _)) = &mut chain.caller {
            *caller = to[caller.index()];
        }
    }
    for block in blocks {
        block.chain = to[block.chain.index()];
    }
    for kept in insts.iter_mut().flat_map(|inst| &mut inst.kept) {
        kept.chain = to[kept.chain.index()];
    }
    for cycle in cycles {
        cycle.chain = to[cycle.chain.index()];
    }
}
