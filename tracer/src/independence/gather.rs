//! Arrays to which iterations append, now and then, and of which they ask nothing else: where an element goes depends on how
//! many came before, but no iteration looks there. Parts of the loop append to arrays of their own, that begin empty, and
//! these are put behind the program's in the order of the iterations.
//!
//! Lengths are only counted up, and say nothing but where elements go: that all of them begin at another number changes
//! where all elements are by as much, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use scaly_interp::machine::IntOp;
use scaly_interp::program::Pc;
use scaly_interp::room::Array;
use scaly_interp::routine::Routine;

use super::names::Names;
use super::uses::{Use, Uses};
use crate::region::{ChainId, Def, Effects, ExitId, ExitKind, Inst, InstId, Op, Region, Value};

/// An array that iterations only append to.
#[derive(Clone, PartialEq, Debug)]
pub struct Gathered {
    pub array: Array,
    /// An instruction that appends.
    pub at: Pc,
    pub name: String,
}

/// All of them, and what is done to them.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Gathering {
    pub arrays: Vec<Gathered>,
    /// Their blocks and lengths at the header.
    pub params: BTreeSet<Value>,
    /// What is done to the array of the part of the loop.
    pub own: BTreeSet<InstId>,
}

/// Values that are an array's block, and those that are its length.
#[derive(Default)]
struct Webs {
    blocks: BTreeSet<Value>,
    lengths: BTreeSet<Value>,
    elements: BTreeSet<InstId>,
    own: BTreeSet<InstId>,
}

struct Search<'a> {
    region: &'a Region,
    uses: &'a Uses,
    array: Array,
}

/// Those of a loop.
pub fn of(names: &Names<'_>, uses: &Uses) -> Gathering {
    let (program, region) = (names.program, names.region);
    let mut found = Gathering::default();
    let Some(root) = region.root() else { return found };
    let mut arrays: BTreeMap<u16, (Array, Pc)> = BTreeMap::new();
    for inst in region.insts.iter().filter(|inst| inst.op == Op::Capacity) {
        if region.block(inst.block).chain == ChainId(0)
            && let Some(array) = Array::at(program, inst.pc)
        {
            arrays.entry(array.block).or_insert((array, inst.pc));
        }
    }
    let params = &region.block(root.header).params;
    let param = |slot: u16| params.iter().find(|param| param.slot == slot).map(|param| param.value);
    for (array, at) in arrays.into_values() {
        let (Some(block), Some(length)) = (param(array.block), param(array.length)) else { continue };
        let search = Search { region, uses, array };
        if let Some(own) = search.run(block, length) {
            found.params.extend([block, length]);
            found.own.extend(own);
            found.arrays.push(Gathered { array, at, name: names.slot(array.block) });
        }
    }
    found
}

impl Search<'_> {
    /// What is done to the array, if it is only appended to.
    fn run(&self, block: Value, length: Value) -> Option<BTreeSet<InstId>> {
        let mut webs = Webs::default();
        let closed = self.block(block, &mut webs) && self.length(length, &mut webs);
        let come = self.comes_from(&webs.blocks, block) && self.comes_from(&webs.lengths, length);
        let elements = std::mem::take(&mut webs.elements);
        let only = elements.into_iter().all(|id| self.element(id, &mut webs));
        (closed && come && only).then_some(webs.own)
    }

    fn block(&self, value: Value, webs: &mut Webs) -> bool {
        if !webs.blocks.insert(value) {
            return true;
        }
        self.uses.get(value).iter().all(|&at| match at {
            Use::Param { param, .. } => self.block(param, webs),
            Use::Exit { exit, slot, .. } => self.leaves(slot == self.array.block, exit),
            Use::Branch(_) => false,
            Use::Inst(id) => {
                let inst = self.region.inst(id);
                match inst.op {
                    Op::Capacity => {
                        webs.own.insert(id);
                        true
                    }
                    Op::Element { .. } if is_only(inst, value, 0) => {
                        webs.elements.insert(id);
                        true
                    }
                    Op::Runtime(Routine::ArrayGrow) if is_only(inst, value, 1) => {
                        webs.own.insert(id);
                        inst.results.first().is_some_and(|&grown| self.block(grown, webs))
                    }
                    _ => false,
                }
            }
        })
    }

    fn length(&self, value: Value, webs: &mut Webs) -> bool {
        if !webs.lengths.insert(value) {
            return true;
        }
        self.uses.get(value).iter().all(|&at| match at {
            Use::Param { param, .. } => self.length(param, webs),
            Use::Exit { exit, slot, .. } => self.leaves(slot == self.array.length, exit),
            Use::Branch(_) => false,
            Use::Inst(id) => {
                let inst = self.region.inst(id);
                match inst.op {
                    Op::Element { .. } if is_only(inst, value, 1) => {
                        webs.elements.insert(id);
                        true
                    }
                    Op::Runtime(Routine::ArrayGrow) => is_only(inst, value, 2) && webs.own.contains(&id),
                    Op::Int(IntOp::Add) => {
                        let one = inst.args.iter().any(|&arg| self.region.constant(arg) == Some(1));
                        one && inst.args.contains(&value) && self.length(inst.results[0], webs)
                    }
                    _ => false,
                }
            }
        })
    }

    fn leaves(&self, own: bool, exit: ExitId) -> bool {
        own && matches!(self.region.exit(exit).kind, ExitKind::Done | ExitKind::Leave)
    }

    /// Whether all values come from one another, and the first from before the loop.
    fn comes_from(&self, web: &BTreeSet<Value>, start: Value) -> bool {
        let preds = self.region.predecessors();
        web.iter().all(|&value| {
            let Def::Param(block, position) = self.region.values[value.index()].def else { return true };
            preds[block.index()].iter().all(|&(from, edge)| {
                let edge = self.region.block(from).end.edges().nth(edge);
                let arg = edge.and_then(|edge| edge.args.get(position as usize));
                let before = value == start && from < block;
                before || arg.is_some_and(|arg| web.contains(arg))
            })
        })
    }

    /// Whether an address of an element is only stored to, or is how much room it takes.
    fn element(&self, id: InstId, webs: &mut Webs) -> bool {
        let inst = self.region.inst(id);
        let address = inst.results[0];
        let mut used = self.uses.get(address).iter().map(|&at| match at {
            Use::Inst(id) => Some(id),
            _ => None,
        });
        if self.region.constant(inst.args[0]) == Some(0) {
            let compares = |id: InstId| {
                let compare = self.region.inst(id);
                let own = |&arg: &Value| match self.region.values[arg.index()].def {
                    Def::Result(id, _) => self.region.inst(id).op == Op::Capacity && webs.own.contains(&id),
                    Def::Param(..) => false,
                };
                matches!(compare.op, Op::Compare(_)) && compare.args.iter().any(own)
            };
            return used.all(|id| id.is_some_and(compares));
        }
        if !webs.blocks.contains(&inst.args[0]) || !webs.lengths.contains(&inst.args[1]) {
            return false;
        }
        used.all(|id| {
            let Some(id) = id else { return false };
            let inst = self.region.inst(id);
            let stores = inst.op.effects() == Effects::Store && is_only(inst, address, 0);
            webs.own.insert(id);
            stores
        })
    }
}

/// Whether a value is this operand of an instruction, and no other.
fn is_only(inst: &Inst, value: Value, operand: usize) -> bool {
    inst.args.iter().enumerate().all(|(at, &arg)| (arg == value) == (at == operand))
}
