//! Stores to one element that end all ways of a branch become one behind them.
//!
//! `if x > 0.0 { y[i] = a } else { y[i] = b }` is `y[i] = if x > 0.0: a else b` then, which LLVM makes of vectors: with a store
//! on each way it leaves the branch as it is. Between such a store and the place where the ways meet nothing happens that
//! anybody sees.
//!
//! ```text
//!     /      \               /      \
//!  store y  store z   ──►   y        z
//!     \      /               \      /
//!      behind               store (y or z)
//!                            behind
//! ```

use scaly_tracer::region::{
    BlockId, Def, Dominators, Effects, Inst, InstId, Op, Param, Region, Terminator, Value, ValueData,
};

use super::store_back;

/// Instructions of an address that are computed anew behind.
const MOST: usize = 16;

/// Moves all such stores of a region.
pub fn apply(region: &mut Region) {
    // What was moved may end a way of a branch around.
    while let Some(sunk) = find(region) {
        sunk.moved(region);
        debug_assert_eq!(region.verify(), Ok(()));
    }
}

fn find(region: &Region) -> Option<Sunk> {
    let preds = region.predecessors();
    let mut dominators = None;
    let headers: Vec<BlockId> = region.cycles.iter().map(|cycle| cycle.header).collect();
    let blocks = (0..region.blocks.len() as u32).map(BlockId);
    blocks.filter(|id| preds[id.index()].len() > 1 && !headers.contains(id)).find_map(|behind| {
        let mut stores = Vec::new();
        for &(from, _) in &preds[behind.index()] {
            let (way, meet) = (region.block(from), region.block(behind));
            if !matches!(way.end, Terminator::Jump(_)) || (way.cycle, way.chain) != (meet.cycle, meet.chain) {
                return None;
            }
            stores.push((from, last_store(region, from)?));
        }
        let (first, rest) = stores.split_first()?;
        let (op, address) = (region.inst(first.1).op, region.inst(first.1).args[0]);
        let alike = |&(_, id): &(BlockId, InstId)| {
            region.inst(id).op == op && store_back::same(region, region.inst(id).args[0], address)
        };
        if !rest.iter().all(alike) {
            return None;
        }
        let dominators = dominators.get_or_insert_with(|| Dominators::of(region));
        let mut made = Vec::new();
        is_computed(region, dominators, behind, address, &mut made)?;
        Some(Sunk { behind, stores, made })
    })
}

/// The last effect of a block, if it is a store.
fn last_store(region: &Region, block: BlockId) -> Option<InstId> {
    let mut insts = region.block(block).insts.iter().rev();
    let last = *insts.find(|&&id| region.inst(id).op.effects() != Effects::Pure)?;
    matches!(region.inst(last).op, Op::StoreInt(..) | Op::StoreFloat(_) | Op::StoreSingle(_)).then_some(last)
}

/// Notes what a value is computed by, operands first, where it is not there in a block.
fn is_computed(
    region: &Region,
    dominators: &Dominators,
    block: BlockId,
    value: Value,
    made: &mut Vec<InstId>,
) -> Option<()> {
    if dominators.dominates(region.def_block(value), block) {
        return Some(());
    }
    let Def::Result(id, _) = region.values[value.index()].def else { return None };
    let inst = region.inst(id);
    if inst.op.effects() != Effects::Pure || made.len() == MOST {
        return None;
    }
    inst.args.iter().try_for_each(|&arg| is_computed(region, dominators, block, arg, made))?;
    if !made.contains(&id) {
        made.push(id);
    }
    Some(())
}

struct Sunk {
    behind: BlockId,
    /// By way.
    stores: Vec<(BlockId, InstId)>,
    /// What the address is computed by.
    made: Vec<InstId>,
}

impl Sunk {
    fn moved(self, region: &mut Region) {
        let Sunk { behind, stores, made } = self;
        let (_, first) = stores[0];
        let values: Vec<Value> = stores.iter().map(|&(_, id)| region.inst(id).args[1]).collect();
        let stored = Value(region.values.len() as u32);
        let params = &mut region.blocks[behind.index()].params;
        let ty = region.values[values[0].index()].ty;
        region.values.push(ValueData { ty, def: Def::Param(behind, params.len() as u32) });
        params.push(Param { value: stored, slot: 0 });
        for (&(from, store), &value) in stores.iter().zip(&values) {
            let way = &mut region.blocks[from.index()];
            way.insts.retain(|&id| id != store);
            way.end.edges_mut().for_each(|edge| edge.args.push(value));
        }
        let mut address = region.inst(first).args[0];
        let mut moved = Vec::new();
        let mut again: Vec<(Value, Value)> = Vec::new();
        let of = |again: &[(Value, Value)], value: Value| {
            again.iter().find(|(old, _)| *old == value).map_or(value, |&(_, new)| new)
        };
        for id in made {
            let old = region.inst(id).clone();
            let (new, result) = (InstId(region.insts.len() as u32), Value(region.values.len() as u32));
            region.values.push(ValueData { ty: region.ty(old.results[0]), def: Def::Result(new, 0) });
            let args = old.args.iter().map(|&arg| of(&again, arg)).collect();
            again.push((old.results[0], result));
            region.insts.push(Inst { args, results: vec![result], block: behind, ..old });
            moved.push(new);
        }
        address = of(&again, address);
        let store = &mut region.insts[first.index()];
        (store.args, store.block) = (vec![address, stored], behind);
        moved.push(first);
        region.blocks[behind.index()].insts.splice(0..0, moved);
        for &(_, gone) in &stores[1..] {
            // Nothing reads it, and it stands nowhere.
            region.insts[gone.index()].block = behind;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{region_of_loop, stores};
    use super::*;

    /// How many stores are less in `for x { if x < s5 { YES } else { NO } }`; an array of floats is in slots 0 and 1, x in slot
    /// 8.
    fn fewer(yes: &str, no: &str) -> usize {
        let body = format!("JLtS s8, s5 -> @yes/{no}/  Jump -> @both/yes: Nop/{yes}/both: Nop");
        let mut region = region_of_loop(&body.replace('/', "\n"));
        let before = stores(&region);
        apply(&mut region);
        assert_eq!(region.verify(), Ok(()));
        before - stores(&region)
    }

    #[test]
    fn stores_to_one_element_are_one_behind() {
        let store = "  StoreElemF64 s0..2, s8, s12, *8, +0";
        let other = "  StoreElemF64 s0..2, s8, s13, *8, +0";
        assert_eq!(fewer(store, other), 1);
        assert_eq!(fewer(&format!("  AddF64 s12, s13, s13/{store}/  Const s14, 3"), other), 1);
        // The index is computed on each way.
        let ahead = |store: &str| format!("  AddImm s11, s8, 1/{}", store.replace("s8", "s11"));
        assert_eq!(fewer(&ahead(store), &ahead(other)), 1);
        // Another element, another width, one way without, something behind.
        assert_eq!(fewer(&ahead(store), other), 0);
        assert_eq!(fewer(&store.replace("F64", "I32"), other), 0);
        assert_eq!(fewer(store, "  Nop"), 0);
        assert_eq!(fewer(store, &format!("{other}/  LoadElemF64 s12, s0..2, s6, *8, +0")), 0);
        assert_eq!(fewer(store, &format!("{other}/  Runtime s20, ConsolePrint")), 0);
        assert_eq!(fewer(&format!("{store}/{store}"), &format!("{store}/{other}")), 2);
        // Three ways that meet in one place, and a branch on one of two.
        let inner = format!("  JLtS s8, s6 -> @inner/{store}/  Jump -> @both/inner: Nop/{other}");
        assert_eq!(fewer(&inner, other), 2);
        let inner = format!("  JLtS s8, s6 -> @inner/{store}/  Jump -> @meet/inner: Nop/{other}/meet: Const s14, 3");
        assert_eq!(fewer(&inner, other), 2);
    }
}
