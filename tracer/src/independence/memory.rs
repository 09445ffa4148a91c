//! Conditions 3 and 4: what different iterations store and load never overlaps.
//!
//! Every store is compared with every access, for two different iterations. They are apart if their blocks are: by
//! ownership, because the ways to them differ in a cell that differs in every iteration, or because an entry check
//! compares the ranges of bytes. Or if their offsets are: by a residue (another field of the element), by a stride that
//! the spread of the other counters does not reach, or again by ranges.

use std::collections::BTreeSet;

use scaly_interp::program::{Function, ParamKind};

use super::access::{Access, Accesses, Extent, Stored};
use super::check::{Bytes, EntryCheck, Proof};
use super::forms::{Forms, Kind, Trip};
use super::names::Names;
use super::owners::{Cell, Owner, Owners, Way, gcd};
use super::poly::{Atom, Poly};
use super::refusal::{Reason, Refusal};
use super::uses::Uses;
use crate::effects::{FunctionFlow, Place, Places, Source};
use crate::region::{CycleId, Region, Value};

/// What comparing two extents in one block came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Apart,
    /// Every iteration goes to the same bytes.
    SamePlace,
    /// Depends on data.
    Unknown,
    Overlap,
}

/// How the memory of two variables relates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Relation {
    /// They belong to the tree of one variable.
    Same,
    Distinct,
    Unsure,
}

/// Where the pointers in the slots of the region's function come from when the loop begins.
pub struct Origins<'a> {
    pub region: &'a Region,
    pub flow: &'a FunctionFlow,
    /// The slots' places at the loop's header.
    pub frame: &'a [Places],
}

impl Origins<'_> {
    /// What a value from before the loop points to.
    fn of(&self, value: Value) -> Places {
        let Some((block, position)) = Uses::block_of(self.region, value) else { return Places::default() };
        let slot = self.region.block(block).params[position].slot;
        self.frame.get(usize::from(slot)).cloned().unwrap_or_default()
    }
}

/// Parameters that look at what a lambda captured.
const LAMBDAS: [ParamKind; 2] = [ParamKind::Function, ParamKind::Environment];

/// Steps that one range begins behind another at least for it to be tested whether the loop makes no more: there is little to
/// divide in fewer.
const FAR: i128 = 4;

/// An offset without the counter of the region's loop, and how many bytes are accessed there.
struct Part<'w> {
    rest: Poly,
    width: &'w Poly,
}

pub struct Memory<'a, 'b> {
    pub forms: &'b Forms<'a>,
    pub owners: &'b Owners,
    pub names: &'b Names<'a>,
    pub origins: &'b Origins<'b>,
    pub function: &'b Function,
    pub trip: &'b Trip,
    /// No loop writes what is a global's, see [`Summaries::constant_globals`](crate::effects::Summaries).
    pub constant_globals: bool,
    pub proof: Proof,
    /// Numbers of the accesses that are apart from a store by where they go, not by whose memory it is: what their offsets
    /// assume must hold, and only theirs.
    pub by_offset: BTreeSet<usize>,
    /// The same by what their indices span: what that assumes must hold.
    pub by_span: BTreeSet<usize>,
}

impl Memory<'_, '_> {
    /// Compares everything; the first conflicts of each kind.
    pub fn prove(&mut self, accesses: &Accesses) -> Vec<Refusal> {
        let mut refusals: Vec<Refusal> = Vec::new();
        let mut refuse = |refusal: Refusal| {
            if !refusals.contains(&refusal) {
                refusals.push(refusal);
            }
        };
        for (i, write) in accesses.all.iter().enumerate().filter(|(_, a)| a.write) {
            for (k, other) in accesses.all.iter().enumerate() {
                // Two stores are compared once.
                if other.write && k < i {
                    continue;
                }
                let Some(refusal) = self.conflict(write, other, i == k) else {
                    if self.relation(write.owner, other.owner) != Relation::Distinct {
                        self.by_offset.extend([i, k]);
                    }
                    continue;
                };
                if self.spans_apart(write, other) {
                    for (number, access) in [(i, write), (k, other)] {
                        let by = if access.span.is_some() { &mut self.by_span } else { &mut self.by_offset };
                        by.insert(number);
                    }
                    continue;
                }
                refuse(refusal);
            }
        }
        for stored in &accesses.stored {
            if let Some(refusal) = self.moves(stored, accesses) {
                refuse(refusal);
            }
        }
        // What is wrong with the stores themselves says more than what reads them.
        refusals.sort_by_key(|r| match r.reason {
            Reason::SamePlace { .. } => 0,
            Reason::UnknownIndex { .. } | Reason::OverlappingStores { .. } => 1,
            Reason::Neighbour { .. } => 3,
            _ => 2,
        });
        refusals
    }

    /// Whether what two accesses in one block may touch, in two different iterations, never overlaps, where the index of one
    /// of them at least depends on data.
    fn spans_apart(&mut self, a: &Access, b: &Access) -> bool {
        if a.span.is_none() && b.span.is_none() || self.relation(a.owner, b.owner) != Relation::Same {
            return false;
        }
        let spread = |access: &Access| Access {
            extent: access.span.as_ref().map_or(&access.extent, |span| &span.extent).clone(),
            ..access.clone()
        };
        self.along(&spread(a), &spread(b)) == Outcome::Apart
    }

    fn name(&self, owner: Owner) -> String {
        match self.owners.root_value(owner) {
            Some(value) => self.names.value(value),
            None => "the program's globals".into(),
        }
    }

    fn conflict(&mut self, write: &Access, other: &Access, itself: bool) -> Option<Refusal> {
        let unknown = |a: &Access| *self.owners.way(self.owners.root(a.owner)) == Way::Unknown;
        for access in [write, other] {
            if unknown(access) {
                return Some(Refusal::new(Reason::UnknownMemory, access.pc));
            }
        }
        let outcome = match self.relation(write.owner, other.owner) {
            Relation::Distinct => return None,
            Relation::Same => self.along(write, other),
            Relation::Unsure => {
                if self.ranges_apart(write, other) {
                    return None;
                }
                let (variable, other_name) = (self.name(write.owner), self.name(other.owner));
                let owners = [write.owner, other.owner];
                let given = |kinds: &[ParamKind]| owners.iter().any(|&owner| self.given(owner, kinds));
                let sliced = given(&[ParamKind::View]) && !given(&LAMBDAS);
                let reason = Reason::MayOverlap { variable, other: other_name, sliced };
                return Some(Refusal::new(reason, write.pc));
            }
        };
        let variable = self.name(write.owner);
        let reason = match outcome {
            Outcome::Apart => return None,
            Outcome::SamePlace if other.write => Reason::SamePlace { variable },
            Outcome::Unknown if itself || other.write => Reason::UnknownIndex { variable },
            Outcome::Overlap if other.write => Reason::OverlappingStores { variable },
            _ => Reason::Neighbour { variable },
        };
        let pc = if other.write { write.pc } else { other.pc };
        Some(Refusal::new(reason, pc))
    }

    /// Where a block comes from, seen from the function at the loop's beginning.
    fn places(&self, owner: Owner) -> Places {
        let root = self.owners.root(owner);
        let places = match self.owners.way(root) {
            Way::Live(value) => self.origins.of(*value),
            Way::Global => Places::one(Place::of(Source::Global)),
            _ => Places::default(),
        };
        if root == owner { places } else { self.origins.flow.reached(&places) }
    }

    /// Whether a block may be of what the caller gave in a parameter of one of these kinds.
    fn given(&self, owner: Owner, kinds: &[ParamKind]) -> bool {
        self.places(owner).iter().any(|place| self.kind(place.source).is_some_and(|kind| kinds.contains(&kind)))
    }

    /// A lambda may look at what it captured; where it keeps that is its own.
    fn is_view(&self, place: Place) -> bool {
        let kind = self.kind(place.source);
        kind == Some(ParamKind::View) || place.below && kind.is_some_and(|kind| LAMBDAS.contains(&kind))
    }

    /// How the memory of two blocks relates.
    fn relation(&self, a: Owner, b: Owner) -> Relation {
        if self.owners.root(a) == self.owners.root(b) {
            return Relation::Same;
        }
        let (p, q) = (self.places(a), self.places(b));
        let meet = |x: Place, y: Place| {
            let constant = x.source == Source::Text || y.source == Source::Text;
            let view = x.source != y.source && self.may_meet(x, y);
            !constant && (view || x == y)
        };
        let overlap = p.iter().any(|x| q.iter().any(|y| meet(x, y)));
        if overlap { Relation::Unsure } else { Relation::Distinct }
    }

    fn may_meet(&self, x: Place, y: Place) -> bool {
        x.source == y.source || self.may_share(x, y) || self.may_share(y, x)
    }

    /// Whether the first is a slice that the caller gave, or what a lambda looks at, and the second may be what it is a
    /// slice of. A parameter by value behaves like a copy: if what is written through a slice could be seen in it, the
    /// caller has made one. Of a function value it has not: what a lambda looks at is seen as it is now.
    fn may_share(&self, view: Place, other: Place) -> bool {
        let apart = match other.source {
            Source::Fresh { .. } | Source::Text => true,
            Source::Global => self.constant_globals,
            source => self.kind(source).is_some_and(|kind| match kind {
                ParamKind::Value | ParamKind::Region => true,
                ParamKind::Function | ParamKind::Environment => !other.below,
                ParamKind::InPlace { .. } | ParamKind::View => false,
            }),
        };
        self.is_view(view) && !apart && !self.parts_of_one(view.source, other.source)
    }

    /// Whether two slots belong to one parameter: a value's parts own different memory, since a slice is part of nothing.
    fn parts_of_one(&self, a: Source, b: Source) -> bool {
        let row = |source| {
            let Source::Param(slot) = source else { return None };
            self.function.params.iter().position(|p| p.slots.contains(&slot))
        };
        a != b && row(a).is_some() && row(a) == row(b)
    }

    /// A slot without a row may be anything, like a slice.
    fn kind(&self, source: Source) -> Option<ParamKind> {
        let Source::Param(slot) = source else { return None };
        let param = self.function.params.iter().find(|p| p.slots.contains(&slot));
        Some(param.map_or(ParamKind::View, |p| p.kind))
    }

    /// Of blocks of two variables, by an entry check of the bytes that the loop touches in each.
    fn ranges_apart(&mut self, a: &Access, b: &Access) -> bool {
        let flat = |access: &Access| self.owners.root(access.owner) == access.owner;
        if !flat(a) || !flat(b) {
            return false;
        }
        let mut proof = self.proof.clone();
        let (Some(x), Some(y)) = (self.bytes(a, &mut proof), self.bytes(b, &mut proof)) else { return false };
        let apart = proof.apart(x, y);
        if apart {
            self.proof = proof;
        }
        apart
    }

    /// The bytes that an access touches over the whole loop.
    fn bytes(&self, access: &Access, proof: &mut Proof) -> Option<Bytes> {
        let base = self.owners.root_value(access.owner)?;
        if let Some(length) = &access.within {
            return Some(Bytes { base, from: Poly::default(), to: length.clone() });
        }
        let (offset, width) = (access.extent.offset.as_ref()?, access.extent.width.as_ref()?);
        let (from, last) = proof.extremes(self.forms, offset)?;
        let (_, width) = proof.extremes(self.forms, width)?;
        Some(Bytes { base, from, to: last.add(&width)? })
    }

    /// Two accesses in one tree: cell by cell on the ways to their blocks, then in the block.
    fn along(&mut self, a: &Access, b: &Access) -> Outcome {
        let owners = self.owners;
        let first = || Some(self.forms.region.block(Region::ENTRY).params.first()?.value);
        let Some(base) = owners.root_value(a.owner).or_else(first) else { return Outcome::Unknown };
        let ((cells_a, below_a), (cells_b, below_b)) = (owners.cells(a.owner), owners.cells(b.owner));
        let mut worst = None;
        for (x, y) in cells_a.iter().zip(&cells_b) {
            match self.apart(base, &cell_extent(x), &cell_extent(y)) {
                Outcome::Apart => return Outcome::Apart,
                other => worst = worst.or(Some(other)),
            }
        }
        // A block has one depth in its tree.
        let deeper = |len: usize, below: bool, than: usize| if below { true } else { len > than };
        let (len_a, len_b) = (cells_a.len(), cells_b.len());
        let may_meet = match (below_a, below_b) {
            (false, false) => len_a == len_b,
            (true, true) => true,
            (true, false) => deeper(len_b, false, len_a),
            (false, true) => deeper(len_a, false, len_b),
        };
        if !may_meet {
            return Outcome::Apart;
        }
        if below_a || below_b {
            return worst.unwrap_or(Outcome::Unknown);
        }
        match self.apart(base, &a.extent, &b.extent) {
            Outcome::Apart => Outcome::Apart,
            // Where the block itself may be another one each time, the cell is to blame.
            other => match worst {
                Some(Outcome::Unknown) => Outcome::Unknown,
                _ => other,
            },
        }
    }

    /// Whether two extents of one block, in two different iterations, never overlap. `base`: the variable that they are of.
    fn apart(&mut self, base: Value, a: &Extent, b: &Extent) -> Outcome {
        if by_residue(a, b) {
            return Outcome::Apart;
        }
        let (Some(x), Some(y)) = (&a.offset, &b.offset) else { return Outcome::Unknown };
        let (Some(width_x), Some(width_y)) = (&a.width, &b.width) else { return Outcome::Unknown };
        let mut proof = self.proof.clone();
        let element = gcd(a.stride, b.stride);
        let outcome = self.compare(base, (x, width_x), (y, width_y), element.into(), &mut proof);
        if outcome == Some(Outcome::Apart) {
            self.proof = proof;
        }
        outcome.unwrap_or(Outcome::Unknown)
    }

    /// `element` is the stride of the elements that both offsets are made of.
    fn compare(
        &self,
        base: Value,
        (x, width_x): (&Poly, &Poly),
        (y, width_y): (&Poly, &Poly),
        element: i128,
        proof: &mut Proof,
    ) -> Option<Outcome> {
        let root = Atom::Iter(Region::ROOT);
        let ((by_x, rest_x), (by_y, rest_y)) = (x.split(root)?, y.split(root)?);
        if by_x != by_y || by_x.is_zero() {
            return self.ranges(base, (x, width_x), (y, width_y), proof);
        }
        let (x, y) = (Part { rest: rest_x, width: width_x }, Part { rest: rest_y, width: width_y });
        let before = proof.clone();
        let alike = self.begin_alike(&x, &y, proof);
        let outcome = if alike { self.spread(&by_x, &x, &y, None, element, proof) } else { None };
        if outcome == Some(Outcome::Apart) {
            return outcome;
        }
        // As in `j * width + i`, where i is the loop's counter: what the inner counter adds is a multiple of something
        // that all of the rest does not reach.
        for row in self.coefficients(&x.rest).into_iter().chain(self.coefficients(&y.rest)) {
            let (of_row, of_step) = (row.as_constant(), by_x.as_constant());
            if of_row.is_some_and(|row| of_step.is_none_or(|step| row.abs() <= step.abs())) {
                continue;
            }
            let mut attempt = before.clone();
            let (Some(in_x), Some(in_y)) = (self.without(&x, &row), self.without(&y, &row)) else { continue };
            if self.begin_alike(&in_x, &in_y, &attempt)
                && self.spread(&by_x, &in_x, &in_y, Some(&row), element, &mut attempt) == Some(Outcome::Apart)
            {
                // Nor does anything wrap.
                let (low_x, high_x) = attempt.extremes(self.forms, &x.rest)?;
                let (low_y, high_y) = attempt.extremes(self.forms, &y.rest)?;
                let reach = by_x.mul(&self.trip.last)?;
                for far in [high_x.sub(&low_y)?, high_y.sub(&low_x)?] {
                    if !attempt.fits(Poly::default(), far.add(&reach)?, Kind(3)) {
                        return Some(Outcome::Overlap);
                    }
                }
                *proof = attempt;
                return Some(Outcome::Apart);
            }
        }
        // One may go along all that it touches behind the other.
        let mut ranges = before.clone();
        let whole = |part: &Part<'_>| part.rest.add(&by_x.mul(&Poly::atom(root))?);
        let behind = self.ranges(base, (&whole(&x)?, width_x), (&whole(&y)?, width_y), &mut ranges);
        let outcome = if alike && behind != Some(Outcome::Apart) { outcome } else { behind };
        // Or both lie in what one step of the counter goes along, as in `i * width + shift + k`.
        let mut steps = before;
        let within = !alike
            && !self.by_element(&by_x, element)
            && self.spread(&by_x, &x, &y, None, element, &mut steps) == Some(Outcome::Apart);
        match (outcome, within) {
            (Some(Outcome::Apart), true) => *proof = Proof::either(steps, ranges),
            (Some(Outcome::Apart), false) => *proof = ranges,
            (_, true) => *proof = steps,
            (outcome, false) => return outcome,
        }
        Some(Outcome::Apart)
    }

    /// Whether each iteration goes at most one element further than the one before.
    fn by_element(&self, by: &Poly, element: i128) -> bool {
        let stride = by.away().and_then(|(by, _)| by.mul(&self.trip.step)?.as_constant());
        stride.is_some_and(|stride| stride <= element)
    }

    /// What the counters of inner cycles are multiplied by in an offset.
    fn coefficients(&self, offset: &Poly) -> Vec<Poly> {
        let cycles = (1..self.forms.region.cycles.len() as u32).map(|c| Atom::Iter(CycleId(c)));
        cycles.filter_map(|atom| Some(offset.split(atom)?.0)).filter(|by| !by.is_zero()).collect()
    }

    /// An offset without the counters that are multiplied by this.
    fn without<'w>(&self, part: &Part<'w>, row: &Poly) -> Option<Part<'w>> {
        let mut rest = part.rest.clone();
        for cycle in 1..self.forms.region.cycles.len() as u32 {
            let (by, other) = rest.split(Atom::Iter(CycleId(cycle)))?;
            if by == *row {
                rest = other;
            }
        }
        Some(Part { rest, width: part.width })
    }

    /// Whether two offsets begin at the same place but for a constant.
    fn begin_alike(&self, x: &Part<'_>, y: &Part<'_>, proof: &Proof) -> bool {
        let mut attempt = proof.clone();
        let mut low = |part: &Part<'_>| Some(attempt.extremes(self.forms, &part.rest)?.0);
        let (Some(x), Some(y)) = (low(x), low(y)) else { return false };
        x.sub(&y).is_some_and(|shift| shift.as_constant().is_some())
    }

    /// Whether each step of the counter goes further than the rest of both offsets is spread; and within a row, if the
    /// offsets also have multiples of one.
    fn spread(
        &self,
        by: &Poly,
        x: &Part<'_>,
        y: &Part<'_>,
        row: Option<&Poly>,
        element: i128,
        proof: &mut Proof,
    ) -> Option<Outcome> {
        let (low_x, high_x) = proof.extremes(self.forms, &x.rest)?;
        let (low_y, high_y) = proof.extremes(self.forms, &y.rest)?;
        let ((_, wide_x), (_, wide_y)) = (proof.extremes(self.forms, x.width)?, proof.extremes(self.forms, y.width)?);
        let (next_element, (by, _)) = (self.by_element(by, element), by.away()?);
        let stride = by.mul(&self.trip.step)?;
        let spread_x = high_x.add(&wide_x)?.sub(&low_y)?;
        let spread_y = high_y.add(&wide_y)?.sub(&low_x)?;
        // One element further each time, and how far the inner counters go is not known: the check would hold for loops
        // of an iteration or two only.
        if next_element && (spread_x.as_constant().is_none() || spread_y.as_constant().is_none()) {
            return Some(Outcome::Overlap);
        }
        for spread in [&spread_x, &spread_y] {
            if !proof.at_least_zero(stride.sub(spread)?) {
                return Some(Outcome::Overlap);
            }
        }
        // Nothing wraps: the farthest two accesses are less than half of all addresses apart.
        for spread in [&spread_x, &spread_y] {
            let farthest = by.mul(&self.trip.last)?.add(spread)?;
            let in_row = row.is_none_or(|row| row.sub(&farthest).is_some_and(|left| proof.at_least_zero(left)));
            if !in_row || !proof.fits(Poly::default(), farthest, Kind(3)) {
                return Some(Outcome::Overlap);
            }
        }
        self.trip_holds(proof)?;
        Some(Outcome::Apart)
    }

    fn trip_holds(&self, proof: &mut Proof) -> Option<()> {
        for assumed in &self.trip.assumes {
            proof.assume(self.forms, &assumed.poly, assumed.kind)?;
        }
        Some(())
    }

    /// By everything that each of them touches over the whole loop.
    fn ranges(
        &self,
        base: Value,
        (x, width_x): (&Poly, &Poly),
        (y, width_y): (&Poly, &Poly),
        proof: &mut Proof,
    ) -> Option<Outcome> {
        let root = Atom::Iter(Region::ROOT);
        let (by_x, by_y) = (x.split(root)?.0, y.split(root)?.0);
        let fixed = by_x.is_zero() && by_y.is_zero();
        let (low_x, high_x) = proof.extremes(self.forms, x)?;
        let (low_y, high_y) = proof.extremes(self.forms, y)?;
        let ((_, wide_x), (_, wide_y)) = (proof.extremes(self.forms, width_x)?, proof.extremes(self.forms, width_y)?);
        let (end_x, end_y) = (high_x.add(&wide_x)?, high_y.add(&wide_y)?);
        let gaps = [low_y.sub(&end_x)?, low_x.sub(&end_y)?];
        // Where offsets do not wrap; an offset within a block never comes near.
        for (low, end) in [(&low_x, &end_x), (&low_y, &end_y)] {
            if !proof.fits(low.clone(), end.clone(), Kind(3)) {
                return Some(Outcome::Unknown);
            }
        }
        if gaps.iter().any(|gap| gap.as_constant().is_some_and(|c| c >= 0)) {
            return Some(Outcome::Apart);
        }
        if fixed && gaps.iter().all(|gap| gap.as_constant().is_some()) {
            return Some(Outcome::SamePlace);
        }
        if let Some(shift) = low_x.sub(&low_y)?.as_constant() {
            // They begin together, or one begins within few steps of the other: no test would ever pass.
            let far = |by: &Poly| by.as_constant().is_some_and(|by| by.abs().saturating_mul(FAR) <= shift.abs());
            if shift == 0 || !far(&by_x) || !far(&by_y) {
                return Some(Outcome::Overlap);
            }
            let gap = if shift < 0 { low_y.sub(&end_x)? } else { low_x.sub(&end_y)? };
            return proof.at_least_zero(gap).then_some(Outcome::Apart);
        }
        let bytes = |from: Poly, to: Poly| Bytes { base, from, to };
        proof.apart(bytes(low_x, end_x), bytes(low_y, end_y)).then_some(Outcome::Apart)
    }

    /// A pointer stored where other iterations may find it must be new, or what was there.
    fn moves(&self, stored: &Stored, accesses: &Accesses) -> Option<Refusal> {
        let owners = self.owners;
        let beyond = accesses.all.iter().filter_map(|a| self.follows(a.owner, stored)).max();
        let beyond = beyond?;
        let harmless = stored.values.iter().all(|value| match owners.way(value.owner) {
            Way::Text => true,
            // What new memory leads to is of no interest if nobody goes on from there.
            _ if owners.is_private(value.owner) => !beyond || owners.clean(value.owner),
            Way::Child(parent, cell) => {
                *parent == stored.owner && cell.offset == stored.extent.offset && cell.offset.is_some()
            }
            _ => false,
        });
        if harmless {
            return None;
        }
        let variable = self.name(stored.owner);
        Some(Refusal::new(Reason::Moves { variable }, stored.pc))
    }

    /// Whether the way to a block may go through the cell that something is stored in; and if it does, whether it goes on
    /// through the block that the cell leads to.
    fn follows(&self, mut owner: Owner, stored: &Stored) -> Option<bool> {
        let mut beyond = false;
        loop {
            match self.owners.way(owner) {
                Way::Child(parent, cell) => {
                    let same_field = !by_residue(&cell_extent(cell), &stored.extent);
                    if same_field && self.may_be_one_block(*parent, stored.owner) {
                        return Some(beyond);
                    }
                    owner = *parent;
                    beyond = true;
                }
                Way::Below(parent) => {
                    if self.related(*parent, stored.owner) {
                        return Some(true);
                    }
                    owner = *parent;
                    beyond = true;
                }
                _ => return None,
            }
        }
    }

    /// Whether a block may be what another one leads to.
    fn related(&self, from: Owner, to: Owner) -> bool {
        if self.owners.root(from) == self.owners.root(to) {
            return true;
        }
        let mut reached = self.places(from);
        reached.unite(&self.origins.flow.reached(&reached));
        let targets = self.places(to);
        reached.iter().any(|x| targets.iter().any(|y| self.may_meet(x, y)))
    }

    fn may_be_one_block(&self, a: Owner, b: Owner) -> bool {
        match self.relation(a, b) {
            Relation::Distinct => false,
            Relation::Same => {
                let ((cells_a, below_a), (cells_b, below_b)) = (self.owners.cells(a), self.owners.cells(b));
                below_a || below_b || cells_a.len() == cells_b.len()
            }
            Relation::Unsure => true,
        }
    }
}

/// Different fields of elements of one stride.
fn by_residue(a: &Extent, b: &Extent) -> bool {
    let stride = gcd(a.stride, b.stride);
    residues_differ(a, b, stride)
}

fn cell_extent(cell: &Cell) -> Extent {
    Extent { offset: cell.offset.clone(), width: Some(Poly::constant(8)), stride: cell.stride }
}

fn residues_differ(a: &Extent, b: &Extent, stride: u32) -> bool {
    let m = i128::from(stride);
    let part = |extent: &Extent| -> Option<(i128, i128)> {
        let (offset, width) = (extent.offset.as_ref()?, extent.width.as_ref()?.as_constant()?);
        let multiple = offset.terms().all(|(atoms, c)| atoms.is_empty() || c % m == 0);
        let at = offset.constant_term().rem_euclid(m);
        (multiple && width >= 0 && at + width <= m).then_some((at, at + width))
    };
    if stride == 0 {
        return false;
    }
    match (part(a), part(b)) {
        (Some((from_a, to_a)), Some((from_b, to_b))) => to_a <= from_b || to_b <= from_a,
        _ => false,
    }
}

/// Whether a check only says that addresses do not wrap, which holds for everything that fits in memory.
pub fn is_formality(check: &EntryCheck) -> bool {
    matches!(check, EntryCheck::Fits(_, _, kind) if *kind == Kind(3))
}
