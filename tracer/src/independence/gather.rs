//! Arrays to which iterations append, now and then, and of which they ask nothing else: where an element goes depends on how
//! many came before, but no iteration looks there. Parts of the loop append to arrays of their own, that begin empty, and
//! these are put behind the program's in the order of the iterations.
//!
//! Lengths are only counted up, and say nothing but where elements go: that all of them begin at another number changes
//! where all elements are by as much, and nothing else.

use std::collections::BTreeSet;

use scaly_interp::machine::IntOp;
use scaly_interp::program::Pc;
use scaly_interp::room::Array;
use scaly_interp::routine::{Effect, Routine};

use super::names::Names;
use super::uses::{Use, Uses};
use crate::region::{ChainId, Def, Effects, ExitId, ExitKind, Inst, InstId, Op, Region, Value};

/// An array that iterations only append to; a text that is built is one of bytes.
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
    /// Routines that append to it, or make room.
    routines: BTreeSet<InstId>,
    own: BTreeSet<InstId>,
}

struct Search<'a> {
    region: &'a Region,
    uses: &'a Uses,
    /// Slots.
    block: u16,
    length: u16,
}

/// Those of a loop.
pub fn of(names: &Names<'_>, uses: &Uses) -> Gathering {
    let (program, region) = (names.program, names.region);
    let mut found = Gathering::default();
    let Some(root) = region.root() else { return found };
    let params = &region.block(root.header).params;
    for block in params {
        // An array's length stands behind its block.
        let Some(length) = params.iter().find(|length| block.slot.checked_add(1) == Some(length.slot)) else {
            continue;
        };
        let search = Search { region, uses, block: block.slot, length: length.slot };
        let Some(webs) = search.run(block.value, length.value) else { continue };
        let looks = |inst: &Inst| Array::at(program, inst.pc).filter(|_| inst.op == Op::Capacity);
        let built = |inst: &Inst| {
            let array = |handle| Array { block: block.slot, length: length.slot, handle, stride: 1 };
            matches!(inst.op, Op::Runtime(routine) if routine != Routine::ArrayGrow)
                .then(|| search.slot(inst.args[0]).map(array))
                .flatten()
        };
        let own: Vec<&Inst> = webs.own.iter().map(|&id| region.inst(id)).collect();
        let arrays = own.iter().filter_map(|inst| Some((looks(inst).or_else(|| built(inst))?, inst.pc)));
        let Some((array, at)) = arrays.clone().next() else { continue };
        let inside = own.iter().all(|inst| region.block(inst.block).chain == ChainId(0));
        let same = (array.block, array.length) == (block.slot, length.slot);
        if inside && same && arrays.clone().all(|(other, _)| other == array) {
            found.params.extend([block.value, length.value]);
            found.own.extend(webs.own);
            found.arrays.push(Gathered { array, at, name: names.slot(block.slot) });
        }
    }
    found
}

/// Operands of a routine that appends: the array's block, its length, and one that is a length before that.
fn appends(routine: Routine) -> Option<(usize, usize, Option<usize>)> {
    let found = routine.signature().effects.iter().find_map(|effect| match *effect {
        Effect::Appends { pointer, count } => Some((usize::from(pointer), usize::from(count))),
        _ => None,
    });
    match routine {
        Routine::ArrayGrow => Some((1, 2, None)),
        // It moves what it has written last.
        Routine::BuilderPad => found.map(|(block, length)| (block, length, Some(length + 1))),
        _ => found.map(|(block, length)| (block, length, None)),
    }
}

impl Search<'_> {
    /// What is done to the array, if it is only appended to.
    fn run(&self, block: Value, length: Value) -> Option<Webs> {
        let mut webs = Webs::default();
        let closed = self.block(block, &mut webs) && self.length(length, &mut webs);
        let come = self.comes_from(&webs.blocks, block) && self.comes_from(&webs.lengths, length);
        let elements = std::mem::take(&mut webs.elements);
        let only = elements.into_iter().all(|id| self.element(id, &mut webs));
        let routines = webs.routines.iter().all(|&id| self.routine(id, &webs));
        webs.own.extend(&webs.routines);
        (closed && come && only && routines).then_some(webs)
    }

    /// The slot of a value that is the same in all iterations.
    fn slot(&self, value: Value) -> Option<u16> {
        match self.region.values[value.index()].def {
            Def::Param(Region::ENTRY, position) => {
                Some(self.region.block(Region::ENTRY).params[position as usize].slot)
            }
            _ => None,
        }
    }

    fn block(&self, value: Value, webs: &mut Webs) -> bool {
        if !webs.blocks.insert(value) {
            return true;
        }
        self.uses.get(value).iter().all(|&at| match at {
            Use::Param { param, .. } => self.block(param, webs),
            Use::Exit { exit, slot, .. } => self.leaves(slot == self.block, exit),
            Use::Branch(_) => false,
            Use::Inst(id) => {
                let inst = self.region.inst(id);
                match inst.op {
                    Op::Capacity => {
                        webs.own.insert(id);
                        true
                    }
                    Op::Element { .. } => {
                        webs.elements.insert(id);
                        is_only(inst, value, 0)
                    }
                    Op::Runtime(_) => self.appended(id, webs),
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
            Use::Exit { exit, slot, .. } => self.leaves(slot == self.length, exit),
            Use::Branch(_) => false,
            Use::Inst(id) => {
                let inst = self.region.inst(id);
                match inst.op {
                    Op::Element { .. } => {
                        webs.elements.insert(id);
                        is_only(inst, value, 1)
                    }
                    Op::Runtime(_) => self.appended(id, webs),
                    Op::Int(IntOp::Add) => {
                        let one = inst.args.iter().any(|&arg| self.region.constant(arg) == Some(1));
                        one && self.length(inst.results[0], webs)
                    }
                    _ => false,
                }
            }
        })
    }

    /// Follows what a routine gives.
    fn appended(&self, id: InstId, webs: &mut Webs) -> bool {
        if !webs.routines.insert(id) {
            return true;
        }
        let inst = self.region.inst(id);
        match (inst.op, &inst.results[..]) {
            (Op::Runtime(Routine::ArrayGrow), &[block]) => self.block(block, webs),
            (_, &[block, length]) => self.block(block, webs) && self.length(length, webs),
            _ => false,
        }
    }

    /// Whether a routine appends to the array, and does nothing else with it.
    fn routine(&self, id: InstId, webs: &Webs) -> bool {
        let inst = self.region.inst(id);
        let Op::Runtime(routine) = inst.op else { return false };
        let Some((block, length, before)) = appends(routine) else { return false };
        inst.args.iter().enumerate().all(|(at, arg)| {
            let (is_block, is_length) = (webs.blocks.contains(arg), webs.lengths.contains(arg));
            is_block == (at == block) && is_length == (at == length || before == Some(at))
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
