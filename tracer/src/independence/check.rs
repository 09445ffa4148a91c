//! Entry checks: what is tested when a loop starts, because it depends on values that are known only then.
//!
//! A check is a statement about polynomials over values that do not change in the loop. Whoever evaluates it uses
//! integers that do not overflow, and takes an overflow, or a division by zero in an invariant, for a check that fails.
//! If one fails, the sequential variant runs.

use std::collections::BTreeSet;

use super::forms::{Form, Forms, Kind};
use super::poly::{Atom, Poly};
use crate::region::{CycleId, Region, Value};

/// Bytes from one address up to another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Bytes {
    /// The address that the offsets count from.
    pub base: Value,
    pub from: Poly,
    /// Exclusive.
    pub to: Poly,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum EntryCheck {
    /// Not negative.
    AtLeastZero(Poly),
    /// Between the smallest and largest value of an integer type: low, high.
    Fits(Poly, Poly, Kind),
    /// The two ranges of bytes do not overlap.
    Apart(Bytes, Bytes),
    /// The block at an address has room for so many bytes. Who enters the loop may make it first.
    Room { base: Value, bytes: Poly },
    /// All of one kind hold, or all of the other.
    Either(BTreeSet<EntryCheck>, BTreeSet<EntryCheck>),
}

/// Checks gathered by a proof, and whether it failed for good.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Proof {
    pub checks: BTreeSet<EntryCheck>,
}

/// Whether a polynomial is known not to be negative: its constants and remaining trips are.
fn sign(poly: &Poly) -> Option<bool> {
    if let Some(c) = poly.as_constant() {
        return Some(c >= 0);
    }
    let natural = poly.terms().all(|(atoms, c)| c >= 0 && atoms.iter().all(|a| matches!(a, Atom::Trips(_))));
    natural.then_some(true)
}

impl Proof {
    /// Requires poly >= 0. False if that never holds.
    pub fn at_least_zero(&mut self, poly: Poly) -> bool {
        match sign(&poly) {
            Some(known) => known,
            None => {
                self.checks.insert(EntryCheck::AtLeastZero(poly));
                true
            }
        }
    }

    pub fn fits(&mut self, low: Poly, high: Poly, kind: Kind) -> bool {
        let (min, max) = kind.range();
        match (low.as_constant(), high.as_constant()) {
            (Some(low), Some(high)) => min <= low && high <= max,
            _ => {
                self.checks.insert(EntryCheck::Fits(low, high, kind));
                true
            }
        }
    }

    /// What it takes that one of two proofs holds.
    pub fn either(a: Proof, b: Proof) -> Proof {
        let own = |of: &Proof, other: &Proof| of.checks.difference(&other.checks).cloned().collect::<BTreeSet<_>>();
        let (only_a, only_b) = (own(&a, &b), own(&b, &a));
        let mut both = Proof { checks: a.checks.intersection(&b.checks).cloned().collect() };
        if !only_a.is_empty() && !only_b.is_empty() {
            both.checks.insert(EntryCheck::Either(only_a, only_b));
        }
        both
    }

    pub fn apart(&mut self, a: Bytes, b: Bytes) -> bool {
        let (a, b) = if a <= b { (a, b) } else { (b, a) };
        self.checks.insert(EntryCheck::Apart(a, b));
        true
    }

    /// Requires room for what is appended to an array, the last of it ending `bytes` behind its base; none if that cannot be
    /// tested.
    pub fn room(&mut self, forms: &Forms<'_>, base: Value, bytes: &Form) -> Option<()> {
        for assumed in &bytes.assumes {
            self.assume(forms, &assumed.poly, assumed.kind)?;
        }
        let (low, high) = self.extremes(forms, &bytes.poly)?;
        self.fits(low, high.clone(), Kind(3)).then_some(())?;
        self.checks.insert(EntryCheck::Room { base, bytes: high });
        Some(())
    }

    /// Smallest and largest value of a polynomial over the whole loop, in terms of what does not change in it.
    pub fn extremes(&mut self, forms: &Forms<'_>, poly: &Poly) -> Option<(Poly, Poly)> {
        let (mut low, mut high) = (poly.clone(), poly.clone());
        // Innermost counters first: their last value may depend on outer ones.
        for i in (0..forms.region.cycles.len()).rev() {
            let atom = Atom::Iter(CycleId(i as u32));
            low = self.replace(forms, &low, atom, i, false)?;
            high = self.replace(forms, &high, atom, i, true)?;
        }
        let known = |p: &Poly| {
            p.atoms().all(|a| match a {
                Atom::Value(v) => forms.is_invariant(v),
                Atom::Trips(_) => true,
                Atom::Iter(_) => false,
            })
        };
        (known(&low) && known(&high)).then_some((low, high))
    }

    /// A polynomial with one counter at its first or last value.
    fn replace(&mut self, forms: &Forms<'_>, poly: &Poly, atom: Atom, cycle: usize, high: bool) -> Option<Poly> {
        let (by, rest) = poly.split(atom)?;
        if by.is_zero() {
            return Some(rest);
        }
        let up = match by.as_constant() {
            Some(c) => c >= 0,
            None => {
                let fixed = by.atoms().all(|a| match a {
                    Atom::Value(v) => forms.is_invariant(v),
                    Atom::Trips(_) => true,
                    Atom::Iter(_) => false,
                });
                // Rows are walked up, or down.
                let (far, up) = by.away()?;
                if !fixed || !self.at_least_zero(far) {
                    return None;
                }
                up
            }
        };
        if up != high {
            return Some(rest);
        }
        let trip = forms.trips[cycle].as_ref().ok()?;
        for assumed in &trip.assumes {
            self.assume(forms, &assumed.poly, assumed.kind)?;
        }
        rest.add(&by.mul(&trip.last)?)
    }

    /// Requires that a polynomial fits a type everywhere in the loop; none if that cannot be tested or never holds.
    pub fn assume(&mut self, forms: &Forms<'_>, poly: &Poly, kind: Kind) -> Option<()> {
        if *poly == Poly::atom(Atom::Iter(Region::ROOT)) && kind == Kind(3) {
            return Some(());
        }
        let (low, high) = self.extremes(forms, poly)?;
        self.fits(low, high, kind).then_some(())
    }
}
