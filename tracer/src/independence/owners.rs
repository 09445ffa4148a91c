//! Which memory each address of a region leads to, by ownership.
//!
//! Every value owns its memory alone, so a block is named by the way to it: from a variable, through the cells of the
//! blocks on the way that hold the pointers. Two ways that differ in a cell lead to different blocks. What is allocated in
//! an iteration belongs to it; what is loaded from such memory is what was stored there.
//!
//! Slots are followed exactly, the contents of new memory as one set; sets grow until nothing changes, and a way that
//! becomes too long is cut to *somewhere below*.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use scaly_interp::machine::{IntMemory, IntOp};
use scaly_interp::routine::{Effect, Kind};

use super::forms::{Assumption, Forms};
use super::poly::Poly;
use crate::effects::{Place, Source, Summaries, copies};
use crate::parameters::Parameters;
use crate::region::{BlockId, Def, Inst, Op, Region, Value};

/// A block of memory, by number in [`Owners`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Owner(pub u32);

/// Offset in bytes in a block; none if nothing is known of it.
pub type Offset = Option<Poly>;

/// Where in a block a pointer lies.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Cell {
    pub offset: Offset,
    /// As in [`Address`].
    pub stride: u32,
}

/// The way to a block.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Way {
    /// What a value from before the loop points to.
    Live(Value),
    /// Made in this iteration by the instruction with this result.
    Fresh(Value),
    Text,
    Global,
    /// What the pointer in a cell of another block points to.
    Child(Owner, Cell),
    /// Anything that is reached through pointers in a block.
    Below(Owner),
    Unknown,
}

/// An address: a block and where in it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Address {
    pub owner: Owner,
    pub offset: Offset,
    /// The strides of the elements on the way, as a greatest common divisor.
    pub stride: u32,
    /// What the offset's form assumes.
    pub assumes: BTreeSet<Assumption>,
}

impl Address {
    fn new(owner: Owner, offset: Offset) -> Address {
        Address { owner, offset, stride: 0, assumes: BTreeSet::new() }
    }

    /// The block's beginning.
    fn start(owner: Owner) -> Address {
        Address::new(owner, Some(Poly::default()))
    }

    /// Anywhere in the block.
    fn anywhere(owner: Owner) -> Address {
        Address::new(owner, None)
    }
}

/// A small sorted set.
#[derive(Clone, Default)]
struct Addresses(Vec<Address>);

impl Addresses {
    fn one(address: Address) -> Addresses {
        Addresses(vec![address])
    }

    fn has(&self, address: &Address) -> bool {
        self.0.binary_search(address).is_ok()
    }

    /// True if it was not there.
    fn add(&mut self, address: Address) -> bool {
        let place = self.0.binary_search(&address);
        if let Err(at) = place {
            self.0.insert(at, address);
        }
        place.is_err()
    }

    /// The position and the address in a block, if there is one.
    fn in_block(&self, owner: Owner) -> Option<(usize, &Address)> {
        self.0.iter().enumerate().find(|(_, address)| address.owner == owner)
    }
}

impl FromIterator<Address> for Addresses {
    fn from_iter<I: IntoIterator<Item = Address>>(items: I) -> Addresses {
        let mut addresses = Addresses::default();
        for address in items {
            addresses.add(address);
        }
        addresses
    }
}

pub struct Owners {
    ways: Vec<Way>,
    number: FxHashMap<Way, Owner>,
    of: Vec<Addresses>,
    /// What was stored into new memory, by its owner.
    contents: FxHashMap<Owner, Addresses>,
    steps: u32,
    grew: bool,
}

/// More addresses of one value than this are cut to owners.
const MANY: usize = 8;

/// Sets that still grow after so many rounds are given up: nothing is known of any address then. It takes more pointers
/// stored through one another than programs have.
const ROUNDS: u32 = 200;

pub fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Owners {
    pub fn of(forms: &mut Forms<'_>, summaries: &Summaries, parameters: &Parameters) -> Owners {
        let region = forms.region;
        let mut owners = Owners {
            ways: Vec::new(),
            number: FxHashMap::default(),
            of: vec![Addresses::default(); region.values.len()],
            contents: FxHashMap::default(),
            steps: parameters.address_steps,
            grew: true,
        };
        for param in &region.block(Region::ENTRY).params {
            let owner = owners.owner(Way::Live(param.value));
            owners.add(param.value, Address::start(owner));
        }
        let mut rounds = 0;
        while std::mem::take(&mut owners.grew) {
            rounds += 1;
            if rounds > ROUNDS {
                owners.give_up(region);
                break;
            }
            for (i, block) in region.blocks.iter().enumerate() {
                for (position, param) in block.params.iter().enumerate().filter(|_| i > 0) {
                    owners.parameter(forms, BlockId(i as u32), position, param.value);
                }
                for &inst in &block.insts {
                    owners.inst(forms, summaries, region.inst(inst), rounds);
                }
            }
        }
        owners
    }

    fn give_up(&mut self, region: &Region) {
        let unknown = self.unknown();
        for inst in &region.insts {
            for result in &inst.results {
                self.of[result.index()] = Addresses::one(unknown.clone());
            }
        }
        for param in region.blocks.iter().flat_map(|block| &block.params) {
            self.of[param.value.index()] = Addresses::one(unknown.clone());
        }
    }

    pub fn way(&self, owner: Owner) -> &Way {
        &self.ways[owner.0 as usize]
    }

    pub fn addresses(&self, value: Value) -> impl Iterator<Item = &Address> {
        self.of[value.index()].0.iter()
    }

    fn owner(&mut self, way: Way) -> Owner {
        if let Some(&owner) = self.number.get(&way) {
            return owner;
        }
        let owner = Owner(self.ways.len() as u32);
        self.ways.push(way.clone());
        self.number.insert(way, owner);
        owner
    }

    /// The block at the beginning of a way.
    pub fn root(&self, mut owner: Owner) -> Owner {
        while let Way::Child(parent, _) | Way::Below(parent) = self.way(owner) {
            owner = *parent;
        }
        owner
    }

    /// From the root to the block: the cells on the way, and whether it ends somewhere below the last of them.
    pub fn cells(&self, mut owner: Owner) -> (Vec<&Cell>, bool) {
        let mut cells = Vec::new();
        let mut below = false;
        loop {
            match self.way(owner) {
                Way::Child(parent, cell) => {
                    cells.push(cell);
                    owner = *parent;
                }
                Way::Below(parent) => {
                    cells.clear();
                    below = true;
                    owner = *parent;
                }
                _ => break,
            }
        }
        cells.reverse();
        (cells, below)
    }

    /// Whether only the iteration that made it knows a block.
    pub fn is_private(&self, owner: Owner) -> bool {
        matches!(self.way(self.root(owner)), Way::Fresh(_))
    }

    fn add(&mut self, value: Value, address: Address) {
        if self.covered(value, &address) {
            return;
        }
        let set = &mut self.of[value.index()];
        // Where the same block is known at several offsets, the offset is not known.
        match set.in_block(address.owner) {
            Some((at, old)) => {
                let stride = gcd(old.stride, address.stride);
                let merged = Address { stride, ..Address::anywhere(old.owner) };
                if *old == merged {
                    return;
                }
                set.0.remove(at);
                set.add(merged);
            }
            None => _ = set.add(address),
        }
        self.grew = true;
        if self.of[value.index()].0.len() > MANY {
            self.cut(value);
        }
    }

    /// Whether an address is known, or stands for one that was cut: adding it again would never end.
    fn covered(&self, value: Value, address: &Address) -> bool {
        let set = &self.of[value.index()];
        if set.has(address) {
            return true;
        }
        let below = match self.way(address.owner) {
            Way::Below(_) => Some(address.owner),
            Way::Child(..) => self.number.get(&Way::Below(self.root(address.owner))).copied(),
            _ => None,
        };
        below.is_some_and(|below| set.in_block(below).is_some())
    }

    /// Too many: what is below one root becomes one address.
    fn cut(&mut self, value: Value) {
        let old = std::mem::take(&mut self.of[value.index()]);
        let mut cut = Addresses::default();
        for address in old.0 {
            let (owner, stride) = match self.way(address.owner) {
                Way::Child(..) => {
                    let root = self.root(address.owner);
                    (self.owner(Way::Below(root)), 0)
                }
                Way::Below(_) => (address.owner, 0),
                _ => (address.owner, address.stride),
            };
            cut.add(Address { stride, ..Address::anywhere(owner) });
        }
        self.of[value.index()] = cut;
    }

    fn parameter(&mut self, forms: &Forms<'_>, block: BlockId, position: usize, value: Value) {
        for arg in forms.arguments(block, position) {
            // Most are known from the round before.
            let from = self.of[arg.value.index()].0.iter();
            let new: Vec<Address> = from.filter(|address| !self.covered(value, address)).cloned().collect();
            new.into_iter().for_each(|address| self.add(value, address));
        }
    }

    /// The address further by a value times a stride, and a constant.
    fn shifted(&self, forms: &mut Forms<'_>, from: &Address, by: Value, times: u32, plus: u32) -> Option<Address> {
        let form = forms.form(by);
        let offset = form.poly.scale(times.into())?.plus(plus.into())?.add(from.offset.as_ref()?)?;
        let assumes = from.assumes.union(&form.assumes).cloned().collect();
        Some(Address { owner: from.owner, offset: Some(offset), stride: 0, assumes })
    }

    /// What a pointer loaded from an address leads to.
    fn loaded(&mut self, from: &Address, plus: u32) -> Vec<Address> {
        let way = self.way(from.owner).clone();
        let block = |owner| Address::start(owner);
        match way {
            Way::Text => Vec::new(),
            Way::Unknown => vec![Address::anywhere(from.owner)],
            Way::Below(_) => {
                let mut all = vec![Address::anywhere(from.owner)];
                all.extend(self.stored_below(from.owner));
                all
            }
            _ => {
                let depth = self.cells(from.owner).0.len() as u32;
                let child = if depth >= self.steps {
                    Way::Below(self.root(from.owner))
                } else {
                    // Private memory is one thing: what was stored anywhere in it.
                    let private = self.is_private(from.owner);
                    let offset = from.offset.as_ref().filter(|_| !private).and_then(|o| o.plus(plus.into()));
                    Way::Child(from.owner, Cell { offset, stride: from.stride })
                };
                let mut all = vec![block(self.owner(child))];
                all.extend(self.stored_below(from.owner));
                all
            }
        }
    }

    fn stored_below(&self, owner: Owner) -> Vec<Address> {
        self.contents.get(&self.root(owner)).map(|set| set.0.clone()).unwrap_or_default()
    }

    /// Notes that pointers were stored in new memory.
    fn store(&mut self, to: Value, values: &Addresses) {
        let targets: Vec<Owner> = self.of[to.index()].0.iter().map(|a| a.owner).collect();
        for target in targets {
            if !self.is_private(target) {
                continue;
            }
            let root = self.root(target);
            for value in &values.0 {
                // Its own memory it knows already.
                if self.root(value.owner) == root {
                    continue;
                }
                let value = Address { stride: value.stride, ..Address::anywhere(value.owner) };
                self.grew |= self.contents.entry(root).or_default().add(value);
            }
        }
    }

    fn inst(&mut self, forms: &mut Forms<'_>, summaries: &Summaries, inst: &Inst, round: u32) {
        let set = |owners: &Self, v: Value| owners.of[v.index()].0.clone();
        match inst.op {
            Op::Text(_) | Op::Global(_) => {
                let (way, offset) = match inst.op {
                    Op::Global(offset) => (Way::Global, offset),
                    _ => (Way::Text, 0),
                };
                let owner = self.owner(way);
                let offset = Some(Poly::constant(offset.into()));
                self.add(inst.results[0], Address::new(owner, offset));
            }
            Op::Element { stride, offset } => {
                for address in set(self, inst.args[0]) {
                    let shifted = self.shifted(forms, &address, inst.args[1], stride, offset);
                    let shifted = shifted.unwrap_or(Address::anywhere(address.owner));
                    let stride = gcd(address.stride, stride);
                    self.add(inst.results[0], Address { stride, ..shifted });
                }
            }
            Op::Int(op @ (IntOp::Add | IntOp::Sub)) => {
                let (a, b) = (inst.args[0], inst.args[1]);
                for (pointer, number) in [(a, b), (b, a)] {
                    for address in set(self, pointer) {
                        let shifted = match op {
                            IntOp::Add => self.shifted(forms, &address, number, 1, 0),
                            _ => None,
                        };
                        let shifted = shifted.unwrap_or(Address::anywhere(address.owner));
                        self.add(inst.results[0], Address { stride: 1, ..shifted });
                    }
                }
            }
            Op::LoadPointer(plus) => {
                for address in set(self, inst.args[0]) {
                    for loaded in self.loaded(&address, plus) {
                        // A way that turns in a circle is followed a few times, then cut.
                        let loaded = if round > self.steps + 4 { self.anywhere(loaded) } else { loaded };
                        self.add(inst.results[0], loaded);
                    }
                }
            }
            Op::StoreInt(IntMemory::I64, _) => {
                let values = Addresses(set(self, inst.args[1]));
                self.store(inst.args[0], &values);
            }
            Op::Runtime(routine) => {
                let row = routine.signature();
                let mut results = Vec::new();
                for effect in row.effects {
                    match *effect {
                        Effect::Allocates { .. } => {
                            let owner = self.owner(Way::Fresh(inst.results[0]));
                            results.push(Address::start(owner));
                        }
                        Effect::Appends { pointer, .. } => results.extend(set(self, inst.args[pointer as usize])),
                        _ => {}
                    }
                }
                let mut slot = 0;
                for result in row.results {
                    if matches!(result.kind, Kind::Pointer | Kind::Bytes | Kind::Array) {
                        for address in &results {
                            self.add(inst.results[slot], address.clone());
                        }
                    }
                    slot += usize::from(result.kind.slots());
                }
                let constant = |slot: u16| forms.region.constant(inst.args[usize::from(slot)]);
                for (from, to) in copies(routine, constant) {
                    let mut moved = Vec::new();
                    for address in set(self, inst.args[from as usize]) {
                        let unknown = Address { stride: address.stride, ..Address::anywhere(address.owner) };
                        moved.extend(self.loaded(&unknown, 0));
                    }
                    let to = match to {
                        Some(to) => inst.args[to as usize],
                        None => inst.results[0],
                    };
                    self.store(to, &moved.into_iter().collect());
                }
            }
            Op::Call(_) | Op::CallAny(_) => {
                let Some((summary, params)) = summaries.callee(inst) else { return };
                for (&result, places) in inst.results.iter().zip(&summary.results) {
                    for place in places.iter() {
                        for address in self.translate(params, place, result) {
                            self.add(result, address);
                        }
                    }
                }
                for &(target, value) in &summary.stores {
                    let Source::Param(slot) = target.source else { continue };
                    let Some(&to) = params.get(usize::from(slot)) else { continue };
                    let values: Addresses = self.translate(params, value, to).into_iter().collect();
                    self.store(to, &values);
                }
            }
            _ => {}
        }
    }

    /// The way cut to somewhere below its root.
    fn anywhere(&mut self, address: Address) -> Address {
        match self.way(address.owner) {
            Way::Child(..) => {
                let root = self.root(address.owner);
                Address::anywhere(self.owner(Way::Below(root)))
            }
            _ => Address { stride: address.stride, ..Address::anywhere(address.owner) },
        }
    }

    /// The addresses for a place of a callee's summary. `made` names what it made itself. A slot beyond the arguments
    /// belongs to a function that cannot be the callee.
    pub fn translate(&mut self, params: &[Value], place: Place, made: Value) -> Vec<Address> {
        let anywhere = |owner| Address::anywhere(owner);
        let mut bases = Vec::new();
        match place.source {
            Source::Param(slot) => {
                let Some(param) = params.get(usize::from(slot)) else { return Vec::new() };
                bases.extend(self.of[param.index()].0.iter().map(|a| a.owner));
            }
            Source::Fresh { .. } => bases.push(self.owner(Way::Fresh(made))),
            Source::Text => bases.push(self.owner(Way::Text)),
            Source::Global => bases.push(self.owner(Way::Global)),
        }
        let mut all = Vec::new();
        for owner in bases {
            if !place.below {
                all.push(anywhere(owner));
                continue;
            }
            let way = match self.way(owner) {
                Way::Text => continue,
                Way::Unknown | Way::Below(_) => None,
                _ => Some(Way::Below(owner)),
            };
            let owner = way.map_or(owner, |way| self.owner(way));
            all.push(anywhere(owner));
            all.extend(self.stored_below(owner));
        }
        all
    }

    /// An address of which nothing is known.
    pub fn unknown(&mut self) -> Address {
        Address::anywhere(self.owner(Way::Unknown))
    }

    /// Whether a value without addresses is null: made of constants alone. What is behind null is never accessed.
    pub fn is_null(&self, forms: &Forms<'_>, value: Value) -> bool {
        let region = forms.region;
        let mut seen = BTreeSet::new();
        let mut todo = vec![value];
        while let Some(value) = todo.pop() {
            if !seen.insert(value) {
                continue;
            }
            match region.values[value.index()].def {
                Def::Param(Region::ENTRY, _) => return false,
                Def::Param(block, position) => {
                    todo.extend(forms.arguments(block, position as usize).into_iter().map(|arg| arg.value));
                }
                Def::Result(inst, _) => {
                    let inst = region.inst(inst);
                    match inst.op {
                        Op::Const(_) => {}
                        Op::Element { .. } | Op::LoadPointer(_) => todo.push(inst.args[0]),
                        Op::Text(_) => {}
                        _ => return false,
                    }
                }
            }
        }
        true
    }

    /// Whether everything that private memory leads to is private as well.
    pub fn clean(&self, owner: Owner) -> bool {
        self.contents
            .get(&self.root(owner))
            .is_none_or(|set| set.0.iter().all(|a| self.is_private(a.owner) || *self.way(a.owner) == Way::Text))
    }

    /// The variable that a way begins at, for messages.
    pub fn root_value(&self, owner: Owner) -> Option<Value> {
        match self.way(self.root(owner)) {
            Way::Live(value) => Some(*value),
            _ => None,
        }
    }
}
