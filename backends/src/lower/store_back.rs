//! A store on one of two ways, to an element that was loaded before, becomes a store on both: on the other way what was
//! loaded is stored back.
//!
//! `if x < best[i] { best[i] = x }` is a minimum then, which LLVM makes of vectors; a store that depends on a condition
//! becomes one under a mask, which takes several times as long (a step of Floyd and Warshall's algorithm 3.6 times). It is
//! done in inner loops that call nothing, where the index is computed from counters: elsewhere there are no vectors to win.
//!
//! Nobody sees it. The element may be stored to on some way of the iteration, so no other iteration that runs at the same
//! time reads it or writes it, and it does not lie in memory that cannot be written.
//!
//! ```text
//!        load                  load
//!       /    \                /    \
//!   store     │    ──►    value    loaded
//!       \    /                \    /
//!       behind                store
//!                               │
//!                             behind
//! ```

use rustc_hash::FxHashMap;
use scaly_tracer::region::{
    Block, BlockId, CycleId, Def, Edge, Effects, Op, Param, Region, Terminator, Value, ValueData,
};

/// Stands for new blocks, which have no place yet.
const NEW: u32 = 1 << 30;

/// Instructions from an index down to counters that are looked through.
const DEEP: u32 = 8;

/// Makes such stores of a region unconditional.
pub fn apply(region: &mut Region) {
    let preds = region.predecessors();
    // By the block behind which it stands.
    let mut added: FxHashMap<BlockId, Block> = FxHashMap::default();
    let quiet: Vec<bool> = (0..region.cycles.len() as u32).map(|id| is_quiet(region, CycleId(id))).collect();
    for id in (0..region.blocks.len() as u32).map(BlockId) {
        let [(from, position)] = preds[id.index()][..] else { continue };
        if region.block(id).cycle.is_some_and(|cycle| quiet[cycle.index()])
            && let Some(found) = Conditional::of(region, from, position, id)
        {
            let new = BlockId(NEW + added.len() as u32);
            let block = found.rewritten(region, new);
            added.insert(id, block);
        }
    }
    if !added.is_empty() {
        place(region, added);
        debug_assert_eq!(region.verify(), Ok(()));
    }
}

/// Whether a loop contains no other one and calls nothing.
pub(super) fn is_quiet(region: &Region, cycle: CycleId) -> bool {
    let blocks = region.blocks.iter().filter(|block| block.cycle == Some(cycle));
    let mut insts = blocks.flat_map(|block| &block.insts).map(|&id| region.inst(id));
    region.cycles.iter().all(|other| other.parent != Some(cycle))
        && insts.all(|inst| inst.op.effects() != Effects::Call)
}

struct Conditional {
    /// Where it is decided, and which of its edges goes past the store.
    from: BlockId,
    past: usize,
    /// The block with the store, and where in it that stands.
    id: BlockId,
    at: usize,
    /// As it was computed for the load.
    address: Value,
    loaded: Value,
}

impl Conditional {
    fn of(region: &Region, from: BlockId, position: usize, id: BlockId) -> Option<Conditional> {
        let (before, block) = (region.block(from), region.block(id));
        let Terminator::Branch(_, yes, no) = &before.end else { return None };
        let past = 1 - position;
        let other = if past == 0 { yes } else { no };
        let Terminator::Jump(behind) = &block.end else { return None };
        if !block.params.is_empty()
            || behind.to != other.to
            || (block.cycle, block.chain) != (before.cycle, before.chain)
        {
            return None;
        }
        let insts = || block.insts.iter().map(|&id| region.inst(id));
        let at = insts().position(|inst| inst.op.effects() == Effects::Store)?;
        // Behind it nothing may happen, nor be seen.
        if insts().skip(at + 1).any(|inst| inst.op.effects() != Effects::Pure) {
            return None;
        }
        let store = region.inst(block.insts[at]);
        let load = load_of(store.op)?;
        let address = store.args[0];
        let Op::Element { .. } = region.def_inst(address)?.op else { return None };
        if !counted(region, region.def_inst(address)?.args[1], block.cycle, DEEP) {
            return None;
        }
        let mut loaded = None;
        for inst in before.insts.iter().map(|&id| region.inst(id)) {
            match inst.op.effects() {
                Effects::Store => loaded = None,
                Effects::Load if inst.op == load && same(region, inst.args[0], address) => {
                    loaded = inst.results.first().map(|&value| (inst.args[0], value));
                }
                _ => {}
            }
        }
        let (address, loaded) = loaded?;
        Some(Conditional { from, past, id, at, address, loaded })
    }

    /// The new block with the store; the ways to it are changed.
    fn rewritten(self, region: &mut Region, new: BlockId) -> Block {
        let Conditional { from, past, id, at, address, loaded } = self;
        let store = region.blocks[id.index()].insts.remove(at);
        let value = region.inst(store).args[1];
        let mut params = Vec::new();
        let mut param = |region: &mut Region, like: Value, slot: u16| {
            let value = Value(region.values.len() as u32);
            region.values.push(ValueData { ty: region.ty(like), def: Def::Param(new, params.len() as u32) });
            params.push(Param { value, slot });
            value
        };
        let stored = param(region, value, 0);
        let Terminator::Jump(behind) = region.block(id).end.clone() else { unreachable!("it was looked at") };
        let target: Vec<Param> = region.block(behind.to).params.clone();
        let other = region.block(from).end.edges().nth(past).map(|edge| edge.args.clone()).unwrap_or_default();
        let (mut here, mut there, mut on) = (vec![value], vec![loaded], Vec::new());
        for (n, (&a, &b)) in behind.args.iter().zip(&other).enumerate() {
            if a == b {
                on.push(a);
            } else {
                here.push(a);
                there.push(b);
                on.push(param(region, a, target[n].slot));
            }
        }
        let inst = &mut region.insts[store.index()];
        (inst.args, inst.block) = (vec![address, stored], new);
        region.blocks[id.index()].end = Terminator::Jump(Edge { to: new, args: here });
        if let Some(edge) = region.blocks[from.index()].end.edges_mut().nth(past) {
            *edge = Edge { to: new, args: there };
        }
        let block = region.block(id);
        Block { params, insts: vec![store], end: Terminator::Jump(Edge { to: behind.to, args: on }), ..block.clone() }
    }
}

/// What loads what it stores.
fn load_of(store: Op) -> Option<Op> {
    Some(match store {
        Op::StoreInt(memory, offset) => Op::LoadInt(memory, offset),
        Op::StoreFloat(offset) => Op::LoadFloat(offset),
        Op::StoreSingle(offset) => Op::LoadSingle(offset),
        _ => return None,
    })
}

/// Whether two values are computed alike.
pub(super) fn same(region: &Region, a: Value, b: Value) -> bool {
    if a == b {
        return true;
    }
    let (Some(a), Some(b)) = (region.def_inst(a), region.def_inst(b)) else { return false };
    let computed = matches!(a.op, Op::Int(_) | Op::IntUnary(_) | Op::Element { .. } | Op::Const(_));
    let alike = a.op == b.op && a.args.len() == b.args.len();
    computed && alike && a.args.iter().zip(&b.args).all(|(&a, &b)| same(region, a, b))
}

/// Whether an index is computed, in this loop, from counters and from what is there before it.
fn counted(region: &Region, index: Value, cycle: Option<CycleId>, deep: u32) -> bool {
    let Some(inst) = region.def_inst(index).filter(|inst| region.block(inst.block).cycle == cycle) else { return true };
    let computed = matches!(inst.op, Op::Int(_) | Op::IntUnary(_) | Op::Const(_));
    computed && deep > 0 && inst.args.iter().all(|&arg| counted(region, arg, cycle, deep - 1))
}

/// Each new block stands behind the one that it belongs to.
fn place(region: &mut Region, mut added: FxHashMap<BlockId, Block>) {
    let mut places: FxHashMap<BlockId, BlockId> = FxHashMap::default();
    let mut blocks: Vec<Block> = Vec::new();
    for (i, block) in std::mem::take(&mut region.blocks).into_iter().enumerate() {
        places.insert(BlockId(i as u32), BlockId(blocks.len() as u32));
        let behind = added.remove(&BlockId(i as u32));
        let new = block.end.edges().map(|edge| edge.to).find(|to| to.0 >= NEW);
        blocks.push(block);
        if let (Some(behind), Some(new)) = (behind, new) {
            places.insert(new, BlockId(blocks.len() as u32));
            blocks.push(behind);
        }
    }
    region.place(blocks, &places);
}

#[cfg(test)]
mod tests {
    use super::super::testing::{region_of_loop, stores};
    use super::*;

    /// Whether the store of `for x { BODY }` is made on both ways; an array of integers is in slots 0 and 1, x in slot 8.
    fn both_ways(body: &str) -> bool {
        let mut region = region_of_loop(body);
        let before = region.clone();
        apply(&mut region);
        assert_eq!(region.verify(), Ok(()));
        assert_eq!(stores(&region), stores(&before));
        assert_eq!(region == before, region.blocks.len() == before.blocks.len());
        region != before
    }

    #[test]
    fn what_was_loaded_is_stored_back() {
        let load = "LoadElemI64 s12, s0..2, s8, *8, +0\n";
        let store = "StoreElemI64 s0..2, s8, s4, *8, +0\n";
        let ways = format!("{load}JLeS s12, s4 -> @skip\n");
        assert!(both_ways(&format!("{ways}{store}")));
        // Something else goes on as well.
        assert!(both_ways(&format!("Const s14, 3\n{ways}Const s14, 4\n{store}")));
        // Another element, one that was not loaded, or stored since, or of which nobody knows which it is.
        assert!(!both_ways(&format!("{ways}StoreElemI64 s0..2, s4, s4, *8, +0")));
        assert!(!both_ways(&format!("JLeS s8, s4 -> @skip\n{store}")));
        assert!(!both_ways(&format!("{load}StoreElemI64 s0..2, s4, s4, *8, +0\nJLeS s12, s4 -> @skip\n{store}")));
        assert!(!both_ways(&format!("{load}{ways}{store}").replace("s8, *8", "s12, *8")));
        // Of another width.
        assert!(!both_ways(&format!("{ways}{}", store.replace("I64", "I32"))));
        // Behind it something happens, or may end the program.
        assert!(!both_ways(&format!("{ways}{store}StoreElemI64 s0..2, s4, s4, *8, +0")));
        assert!(!both_ways(&format!("{ways}{store}LoadElemI64 s13, s0..2, s4, *8, +0")));
        // A call in the loop.
        assert!(!both_ways(&format!("Runtime s20, ConsolePrint\n{ways}{store}")));
    }
}
