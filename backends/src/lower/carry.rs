//! A load of what the iteration before stored becomes a value that is handed on.
//!
//! In `p[i] = (p[i - 1] + p[i + 1]) / 2.0` each iteration waits for the store of the one before: a store is loaded again
//! after some five cycles, as long as two additions. LLVM hands such values on only where a loop has no way out but one,
//! and a check of an index is another. It is done in inner loops that call nothing. The first iteration loads:
//!
//! ```text
//! header(…)                     header(…, last, first)
//!    …                             …
//!  x = load p[i - 1]               branch first ──► x0 = load p[i - 1]
//!    …                                │              │
//!  store p[i], y                      ▼              ▼
//!    …                             x = last        x = x0
//!  jump header(…)                    …
//!                                  store p[i], y
//!                                    …
//!                                  jump header(…, y, 0)
//! ```
//!
//! So nothing is loaded that was not loaded before. Addresses are compared as polynomials in what does not change in the
//! loop and what its header takes, modulo 2^64, which is how they are computed: no step of a proof is about a range.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use scaly_interp::machine::{IntCompare, IntMemory, IntOp};
use scaly_tracer::region::{
    Block, BlockId, CycleId, Def, Dominators, Edge, Effects, Inst, InstId, Op, Param, Region, Terminator, Type, Value,
    ValueData,
};

use super::store_back;

/// Loads of one loop: each needs registers.
const MOST: usize = 4;
/// Terms of an address, and instructions from it down that are looked through.
const MOST_TERMS: usize = 16;
const DEEP: u32 = 12;
/// Stands for the new blocks, which have no place yet.
const LOADS: BlockId = BlockId(1 << 30);
const JOINS: BlockId = BlockId(1 << 31);

/// Hands on what can be in all inner loops; `root`: in the loop that the region is of, too.
pub fn apply(region: &mut Region, root: bool) {
    let first = u32::from(region.root().is_some() && !root);
    for cycle in (first..region.cycles.len() as u32).map(CycleId) {
        if !store_back::is_quiet(region, cycle) {
            continue;
        }
        let mut done = Vec::new();
        while done.len() < MOST
            && let Some(carried) = Carried::of(region, cycle, &done)
        {
            done.push(carried.load);
            carried.hand_on(region);
            debug_assert_eq!(region.verify(), Ok(()));
        }
    }
}

/// A sum of products of values, each with a factor.
type Polynomial = BTreeMap<Vec<Value>, i64>;

fn constant(c: i64) -> Polynomial {
    BTreeMap::from([(Vec::new(), c)])
}

fn sum(mut a: Polynomial, b: &Polynomial, factor: i64) -> Option<Polynomial> {
    for (term, &by) in b {
        let at = a.entry(term.clone()).or_insert(0);
        *at = at.wrapping_add(by.wrapping_mul(factor));
    }
    a.retain(|_, by| *by != 0);
    (a.len() <= MOST_TERMS).then_some(a)
}

fn product(a: &Polynomial, b: &Polynomial) -> Option<Polynomial> {
    let mut all = Polynomial::new();
    for (left, &by) in a {
        let times = |(right, &other): (&Vec<Value>, &i64)| {
            let mut term = [&left[..], &right[..]].concat();
            term.sort_unstable();
            (term, by.wrapping_mul(other))
        };
        all = sum(all, &b.iter().map(times).collect(), 1)?;
    }
    Some(all)
}

/// What a is above b, if that is always the same.
fn distance(a: &Polynomial, b: &Polynomial) -> Option<i64> {
    let apart = sum(a.clone(), b, -1)?;
    match apart.len() {
        0 => Some(0),
        1 => apart.get(&Vec::new()).copied(),
        _ => None,
    }
}

/// The iteration that an address is of: any, or the one behind it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Now,
    Next,
}

/// A loop with one edge back.
struct Loop<'r> {
    region: &'r Region,
    cycle: CycleId,
    header: BlockId,
    latch: BlockId,
    /// What that brings.
    back: &'r [Value],
    /// What comes from outside.
    entries: Vec<(BlockId, usize)>,
}

impl<'r> Loop<'r> {
    fn of(region: &'r Region, cycle: CycleId) -> Option<Loop<'r>> {
        let header = region.cycle(cycle).header;
        let inside = |&(from, _): &(BlockId, usize)| region.block(from).cycle == Some(cycle);
        let (back, entries): (Vec<_>, Vec<_>) = region.predecessors()[header.index()].iter().copied().partition(inside);
        let [(latch, position)] = back[..] else { return None };
        let back = &region.block(latch).end.edges().nth(position)?.args;
        Some(Loop { region, cycle, header, latch, back, entries })
    }

    fn polynomial(&self, value: Value, when: When, deep: u32) -> Option<Polynomial> {
        let region = self.region;
        if let Some(c) = region.constant(value) {
            return Some(constant(c));
        }
        let itself = || Some(BTreeMap::from([(vec![value], 1)]));
        if region.block(region.def_block(value)).cycle != Some(self.cycle) {
            return itself();
        }
        let deep = deep.checked_sub(1)?;
        let of = |value: Value| self.polynomial(value, when, deep);
        let inst = match region.values[value.index()].def {
            Def::Param(block, n) if block == self.header && when == When::Next => {
                return self.polynomial(self.back[n as usize], When::Now, deep);
            }
            Def::Param(..) => return if when == When::Now { itself() } else { None },
            Def::Result(inst, _) => region.inst(inst),
        };
        match (inst.op, &inst.args[..]) {
            (Op::Int(IntOp::Add), &[a, b]) => sum(of(a)?, &of(b)?, 1),
            (Op::Int(IntOp::Sub), &[a, b]) => sum(of(a)?, &of(b)?, -1),
            (Op::Int(IntOp::Mul), &[a, b]) => product(&of(a)?, &of(b)?),
            (Op::Element { stride, offset }, &[base, index]) => {
                let index = product(&of(index)?, &constant(stride.into()))?;
                sum(sum(of(base)?, &index, 1)?, &constant(offset.into()), 1)
            }
            _ if when == When::Now => itself(),
            _ => None,
        }
    }

    /// Where an access goes.
    fn address(&self, access: &Access, when: When) -> Option<Polynomial> {
        sum(self.polynomial(access.address, when, DEEP)?, &constant(access.offset.into()), 1)
    }
}

/// A load or store in the loop.
struct Access {
    inst: InstId,
    block: BlockId,
    /// In its block.
    at: usize,
    address: Value,
    offset: u32,
    bytes: i64,
}

impl Access {
    fn of(inst: &Inst) -> Option<(u32, i64)> {
        Some(match inst.op {
            Op::LoadFloat(offset) | Op::StoreFloat(offset) | Op::LoadPointer(offset) => (offset, 8),
            Op::LoadSingle(offset) | Op::StoreSingle(offset) => (offset, 4),
            Op::LoadInt(memory, offset) | Op::StoreInt(memory, offset) => {
                let bytes = match memory {
                    IntMemory::I8 | IntMemory::U8 => 1,
                    IntMemory::I16 | IntMemory::U16 => 2,
                    IntMemory::I32 | IntMemory::U32 => 4,
                    IntMemory::I64 => 8,
                };
                (offset, bytes)
            }
            _ => return None,
        })
    }

    /// Within an iteration: blocks stand behind those that lead to them.
    fn comes_before(&self, other: &Access) -> bool {
        (self.block, self.at) < (other.block, other.at)
    }
}

/// What a store hands on to a load of the next iteration.
struct Carried {
    load: InstId,
    block: BlockId,
    at: usize,
    stored: Value,
    header: BlockId,
    latch: BlockId,
    entries: Vec<(BlockId, usize)>,
}

impl Carried {
    fn of(region: &Region, cycle: CycleId, done: &[InstId]) -> Option<Carried> {
        let around = Loop::of(region, cycle)?;
        let (mut loads, mut stores) = (Vec::new(), Vec::new());
        for block in (0..region.blocks.len() as u32).map(BlockId).filter(|&id| region.block(id).cycle == Some(cycle)) {
            for (at, &inst) in region.block(block).insts.iter().enumerate() {
                let list = match region.inst(inst).op.effects() {
                    Effects::Store => &mut stores,
                    Effects::Load if !done.contains(&inst) => &mut loads,
                    _ => continue,
                };
                match Access::of(region.inst(inst)) {
                    Some((offset, bytes)) => {
                        let address = region.inst(inst).args[0];
                        list.push(Access { inst, block, at, address, offset, bytes });
                    }
                    // Of an array's room.
                    None if region.inst(inst).op == Op::Capacity => {}
                    None => return None,
                }
            }
        }
        if loads.is_empty() || stores.is_empty() {
            return None;
        }
        let dominators = Dominators::of(region);
        let mut pairs = stores.iter().flat_map(|store| loads.iter().map(move |load| (store, load)));
        let (store, load) = pairs.find(|&(store, load)| {
            dominators.dominates(store.block, around.latch)
                && is_same_kind(region.inst(load.inst).op, region.inst(store.inst).op)
                && around.hands_on(store, load, &stores).is_some()
        })?;
        let stored = region.inst(store.inst).args[1];
        let (header, latch, entries) = (around.header, around.latch, around.entries);
        Some(Carried { load: load.inst, block: load.block, at: load.at, stored, header, latch, entries })
    }

    fn hand_on(self, region: &mut Region) {
        let Carried { load, block, at, stored, header, latch, entries } = self;
        let loaded = region.inst(load).results[0];
        let ty = region.ty(loaded);
        let zero = match ty {
            Type::Float => Op::ConstF64(0),
            Type::Single => Op::ConstF32(0),
            _ => Op::Const(0),
        };
        let nothing = at_entry(region, zero, ty);
        let (no, yes) = (at_entry(region, Op::Const(0), Type::Word), at_entry(region, Op::Const(1), Type::Word));
        let last = add_param(region, header, ty);
        let first = add_param(region, header, Type::Word);
        for (from, position) in entries {
            if let Some(edge) = region.blocks[from.index()].end.edges_mut().nth(position) {
                edge.args.extend([nothing, yes]);
            }
        }
        // Read behind the load, what it loads is what the blocks are joined with.
        let joined = Value(region.values.len() as u32);
        region.values.push(ValueData { ty, def: Def::Param(JOINS, 0) });
        replace(region, loaded, joined);
        let stored = if stored == loaded { joined } else { stored };
        for edge in region.blocks[latch.index()].end.edges_mut().filter(|edge| edge.to == header) {
            edge.args.extend([stored, no]);
        }
        let pc = region.inst(load).pc;
        let is_first = add_inst(region, Op::Compare(IntCompare::Ne), vec![first, no], Type::Cond, block);
        region.insts[is_first.index()].pc = pc;
        let cond = region.inst(is_first).results[0];
        let whole = region.block(block).clone();
        let behind = whole.insts[at + 1..].to_vec();
        let here = &mut region.blocks[block.index()];
        here.insts.truncate(at);
        here.insts.push(is_first);
        let way = |to: BlockId, args: Vec<Value>| Edge { to, args };
        here.end = Terminator::Branch(cond, way(LOADS, Vec::new()), way(JOINS, vec![last]));
        let loads = Block {
            params: Vec::new(),
            insts: vec![load],
            end: Terminator::Jump(way(JOINS, vec![loaded])),
            pc,
            ..whole.clone()
        };
        let joins = Block { params: vec![Param { value: joined, slot: 0 }], insts: behind, pc, ..whole };
        let mut places: FxHashMap<BlockId, BlockId> = FxHashMap::default();
        let mut blocks = Vec::new();
        for (i, old) in std::mem::take(&mut region.blocks).into_iter().enumerate() {
            places.insert(BlockId(i as u32), BlockId(blocks.len() as u32));
            blocks.push(old);
            if i == block.index() {
                places.insert(LOADS, BlockId(blocks.len() as u32));
                places.insert(JOINS, BlockId(blocks.len() as u32 + 1));
                blocks.extend([loads.clone(), joins.clone()]);
            }
        }
        region.place(blocks, &places);
    }
}

impl Loop<'_> {
    /// Whether what a load reads is always what the store of the iteration before has written.
    fn hands_on(&self, store: &Access, load: &Access, stores: &[Access]) -> Option<()> {
        let stored = self.address(store, When::Now)?;
        let apart = |access: &Access, when: When| -> Option<bool> {
            let apart = distance(&self.address(access, when)?, &stored)?;
            Some(apart >= store.bytes || apart <= -access.bytes)
        };
        let same = distance(&self.address(load, When::Next)?, &stored)? == 0;
        // The store of the next iteration writes elsewhere, or behind the load.
        let by_itself = apart(store, When::Next)?
            || distance(&self.address(store, When::Next)?, &stored)? == 0 && load.comes_before(store);
        let mut others = stores.iter().filter(|other| other.inst != store.inst);
        let by_others =
            others.all(|other| apart(other, When::Now).unwrap_or(false) && apart(other, When::Next).unwrap_or(false));
        (same && by_itself && by_others).then_some(())
    }
}

/// Whether a load reads what a store writes as it is.
fn is_same_kind(load: Op, store: Op) -> bool {
    matches!(
        (load, store),
        (Op::LoadFloat(_), Op::StoreFloat(_))
            | (Op::LoadSingle(_), Op::StoreSingle(_))
            | (Op::LoadInt(IntMemory::I64, _), Op::StoreInt(IntMemory::I64, _))
    )
}

fn at_entry(region: &mut Region, op: Op, ty: Type) -> Value {
    let found = region.block(Region::ENTRY).insts.iter().map(|&id| region.inst(id)).find(|inst| inst.op == op);
    if let Some(inst) = found {
        return inst.results[0];
    }
    let id = add_inst(region, op, Vec::new(), ty, Region::ENTRY);
    region.blocks[Region::ENTRY.index()].insts.push(id);
    region.inst(id).results[0]
}

/// An instruction that stands nowhere yet.
fn add_inst(region: &mut Region, op: Op, args: Vec<Value>, ty: Type, block: BlockId) -> InstId {
    let (id, value) = (InstId(region.insts.len() as u32), Value(region.values.len() as u32));
    region.values.push(ValueData { ty, def: Def::Result(id, 0) });
    let pc = region.block(block).pc;
    region.insts.push(Inst { op, args, results: vec![value], pc, block, kept: Vec::new() });
    id
}

fn add_param(region: &mut Region, block: BlockId, ty: Type) -> Value {
    let value = Value(region.values.len() as u32);
    let params = &mut region.blocks[block.index()].params;
    region.values.push(ValueData { ty, def: Def::Param(block, params.len() as u32) });
    params.push(Param { value, slot: 0 });
    value
}

/// Puts another value for one wherever it is read.
fn replace(region: &mut Region, old: Value, new: Value) {
    for block in (0..region.blocks.len() as u32).map(BlockId) {
        region.change_reads(block, |value| {
            if *value == old {
                *value = new;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::region_of_loop;
    use super::*;

    /// How many loads are handed on in `for x { BODY }`. Arrays of numbers are in slots 0 and 1, 2 and 3; x is in slot 8, what
    /// does not change in slots 4 to 7.
    fn handed_on(body: &str) -> usize {
        let mut region = region_of_loop(&body.replace('/', "\n"));
        let (before, mut inside) = (region.clone(), region.clone());
        apply(&mut inside, false);
        assert_eq!(inside, before, "the loop that the region is of");
        apply(&mut region, true);
        assert_eq!(region.verify(), Ok(()));
        let params = |region: &Region| region.block(region.cycles[0].header).params.len();
        let handed_on = (params(&region) - params(&before)) / 2;
        assert_eq!(region.blocks.len(), before.blocks.len() + 2 * handed_on);
        handed_on
    }

    #[test]
    fn what_the_iteration_before_stored_is_handed_on() {
        let add = "AddF64 s12, s12, s12 /";
        let next = "AddImm s10, s8, 1 / StoreElemF64 s0..2, s10, s12, *8, +0";
        let this = "LoadElemF64 s12, s0..2, s8, *8, +0 /";
        assert_eq!(handed_on(&format!("{this}{add}{next}")), 1);
        // The last but one, another array, what this iteration stores, another width.
        assert_eq!(handed_on(&format!("{this}{add}{next}").replace("s8, 1", "s8, 2")), 0);
        assert_eq!(
            handed_on(&format!("{this}{add}{next}").replace("Load", "Nop / Load").replace("s0..2, s8", "s2..4, s8")),
            0
        );
        assert_eq!(handed_on(&format!("{this}{add}{next}").replace("s8, 1", "s8, 0")), 0);
        assert_eq!(handed_on(&format!("{this}{next}").replace("F64", "I32").replace("*8", "*4")), 0);
        assert_eq!(handed_on(&format!("{this}{next}").replace("F64", "F32").replace("*8", "*4")), 1);
        assert_eq!(handed_on(&format!("{this}{next}").replace("F64", "I64")), 1);
        // The same computed in another way: (x + s5) * s6 + s7 and x * s6 + s5 * s6 + s7 + s6.
        let load = "Add s10, s8, s5 / Mul s10, s10, s6 / Add s10, s10, s7 / LoadElemF64 s12, s0..2, s10, *8, +0 /";
        let store = "Mul s11, s8, s6 / Mul s13, s6, s5 / Add s11, s11, s13 / Add s11, s11, s7 / Add s11, s6, s11 /
            StoreElemF64 s0..2, s11, s12, *8, +0";
        assert_eq!(handed_on(&format!("{load}{add}{store}")), 0, "nobody knows that s6 is not 0");
        assert_eq!(handed_on(&format!("{load}{add}{store}").replace("s6", "s9")), 0, "the trips that are left vary");
        let [load, store] = [load, store]
            .map(|text| text.replace("s10, s10, s6", "s10, s10, s4").replace("s11, s8, s6", "s11, s8, s4"));
        assert_eq!(handed_on(&format!("Const s4, 24 / {load}{add}{store}").replace("s6", "s4")), 1);
    }

    #[test]
    fn a_place_that_all_iterations_change_is_handed_on_if_it_is_loaded_first() {
        let load = "LoadElemF64 s12, s0..2, s5, *8, +0 /";
        let store = "StoreElemF64 s0..2, s5, s12, *8, +0 /";
        let add = "AddF64 s12, s12, s12 /";
        assert_eq!(handed_on(&format!("{load}{add}{store}Nop")), 1);
        assert_eq!(handed_on(&format!("{store}{load}Nop")), 0);
        // Two of them; places that may be the same; a store on one way only.
        let other = |text: &str| text.replace("s12", "s13").replace("+0", "+8");
        let two = format!("{load}{}{add}{store}{}Nop", other(load), other(store));
        assert_eq!(handed_on(&two), 2);
        assert_eq!(handed_on(&two.replace("s5, s13", "s6, s13").replace("s13, s0..2, s5", "s13, s0..2, s6")), 0);
        assert_eq!(handed_on(&two.replace("*8, +8", "*8, +4")), 0, "they overlap");
        assert_eq!(handed_on(&format!("{load}JLtS s8, s6 -> @next / {add}{store}Nop")), 0);
        assert_eq!(
            handed_on(&format!("JLtS s8, s6 -> @behind / {load}AddF64 s15, s15, s12 / behind: Nop / {store}Nop")),
            1
        );
        assert_eq!(handed_on(&format!("{load}Runtime s20, ConsolePrint / {add}{store}Nop")), 0);
    }
}
