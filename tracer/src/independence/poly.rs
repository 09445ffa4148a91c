//! Polynomials over the values of a region: what an index or an address is in terms of the loops' counters.
//!
//! Coefficients are exact (i128, refused on overflow): a polynomial stands for a mathematical integer. That a 64-bit
//! value equals it modulo 2^64 follows from how it was computed; that it *is* it needs a range.

use std::collections::BTreeMap;
use std::fmt;

use crate::region::{CycleId, Value};

/// An unknown of a polynomial.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Atom {
    /// A value as it is, read as a signed number.
    Value(Value),
    /// How far the counter of a cycle is from where it started: 0, step, 2 * step, …
    Iter(CycleId),
    /// The remaining trips at the region's entry: a value read as an unsigned number.
    Trips(Value),
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Atom::Value(v) => write!(f, "{v}"),
            Atom::Iter(c) => write!(f, "i{}", c.0),
            Atom::Trips(v) => write!(f, "trips {v}"),
        }
    }
}

type Monomial = Vec<Atom>;

/// A sum of products of atoms; no term is zero.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Poly {
    terms: BTreeMap<Monomial, i128>,
}

impl Poly {
    pub fn constant(c: i128) -> Poly {
        let mut poly = Poly::default();
        if c != 0 {
            poly.terms.insert(Vec::new(), c);
        }
        poly
    }

    pub fn atom(atom: Atom) -> Poly {
        Poly { terms: BTreeMap::from([(vec![atom], 1)]) }
    }

    /// Without the sign that all of its terms have, and whether that is plus; with mixed signs it is taken as it is.
    pub fn away(&self) -> Option<(Poly, bool)> {
        let negative = !self.is_zero() && self.terms().all(|(_, c)| c < 0);
        Some(if negative { (self.scale(-1)?, false) } else { (self.clone(), true) })
    }

    /// Its value if it has no atoms.
    pub fn as_constant(&self) -> Option<i128> {
        match self.terms.len() {
            0 => Some(0),
            1 => self.terms.get(&Vec::new()).copied(),
            _ => None,
        }
    }

    /// The term without atoms.
    pub fn constant_term(&self) -> i128 {
        self.terms.get(&Vec::new()).copied().unwrap_or(0)
    }

    pub fn is_zero(&self) -> bool {
        self.terms.is_empty()
    }

    /// A constant, or one atom alone.
    pub fn is_simple(&self) -> bool {
        match self.terms.iter().next() {
            None => true,
            Some((monomial, &c)) => self.terms.len() == 1 && (monomial.is_empty() || (monomial.len() == 1 && c == 1)),
        }
    }

    pub fn size(&self) -> usize {
        self.terms.len()
    }

    pub fn terms(&self) -> impl Iterator<Item = (&[Atom], i128)> {
        self.terms.iter().map(|(m, &c)| (m.as_slice(), c))
    }

    pub fn atoms(&self) -> impl Iterator<Item = Atom> + '_ {
        self.terms.keys().flatten().copied()
    }

    fn add_term(&mut self, monomial: Monomial, c: i128) -> Option<()> {
        let sum = self.terms.get(&monomial).copied().unwrap_or(0).checked_add(c)?;
        if sum == 0 {
            self.terms.remove(&monomial);
        } else {
            self.terms.insert(monomial, sum);
        }
        Some(())
    }

    pub fn add(&self, other: &Poly) -> Option<Poly> {
        let mut sum = self.clone();
        for (monomial, &c) in &other.terms {
            sum.add_term(monomial.clone(), c)?;
        }
        Some(sum)
    }

    pub fn sub(&self, other: &Poly) -> Option<Poly> {
        self.add(&other.scale(-1)?)
    }

    pub fn scale(&self, by: i128) -> Option<Poly> {
        self.mul(&Poly::constant(by))
    }

    pub fn plus(&self, c: i128) -> Option<Poly> {
        self.add(&Poly::constant(c))
    }

    pub fn mul(&self, other: &Poly) -> Option<Poly> {
        let mut product = Poly::default();
        for (a, &x) in &self.terms {
            for (b, &y) in &other.terms {
                let mut monomial = a.clone();
                monomial.extend(b);
                monomial.sort_unstable();
                product.add_term(monomial, x.checked_mul(y)?)?;
            }
        }
        Some(product)
    }

    /// As coefficient * atom + rest, if the atom occurs at most to the first power.
    pub fn split(&self, atom: Atom) -> Option<(Poly, Poly)> {
        let (mut coefficient, mut rest) = (Poly::default(), Poly::default());
        for (monomial, &c) in &self.terms {
            match monomial.iter().filter(|&&a| a == atom).count() {
                0 => rest.terms.insert(monomial.clone(), c),
                1 => {
                    let other: Monomial = monomial.iter().copied().filter(|&a| a != atom).collect();
                    coefficient.terms.insert(other, c)
                }
                _ => return None,
            };
        }
        Some((coefficient, rest))
    }

    /// Its value where every atom has one; none if it overflows.
    pub fn evaluate(&self, mut value: impl FnMut(Atom) -> i128) -> Option<i128> {
        let mut sum: i128 = 0;
        for (monomial, &c) in &self.terms {
            let mut product = c;
            for &atom in monomial {
                product = product.checked_mul(value(atom))?;
            }
            sum = sum.checked_add(product)?;
        }
        Some(sum)
    }

    /// The positive terms and the negative ones with their signs changed, without the greatest common divisor of those
    /// with atoms: the first is at least the second exactly where the polynomial, of integers, is not negative.
    pub fn sides(&self) -> (Poly, Poly) {
        fn gcd(a: u128, b: u128) -> u128 {
            if b == 0 { a } else { gcd(b, a % b) }
        }
        let named = self.terms.iter().filter(|(m, _)| !m.is_empty());
        let divisor = named.fold(0, |g, (_, c)| gcd(g, c.unsigned_abs())).max(1) as i128;
        let side = |sign: i128| {
            let divided = self.terms.iter().map(|(m, c)| (m.clone(), c.div_euclid(divisor)));
            let terms = divided.filter(|(_, c)| c.signum() == sign).map(|(m, c)| (m, c.saturating_mul(sign)));
            Poly { terms: terms.collect() }
        };
        (side(1), side(-1))
    }

    /// In words, with a name for each atom.
    pub fn describe(&self, mut name: impl FnMut(Atom) -> String) -> String {
        let mut text = String::new();
        // Products before the constant, as people write.
        let ordered = self.terms.iter().filter(|(m, _)| !m.is_empty()).chain(self.terms.get_key_value(&Vec::new()));
        for (monomial, &c) in ordered {
            let sign = if c < 0 { "-" } else { "+" };
            if !text.is_empty() {
                text.push_str(&format!(" {sign} "));
            } else if c < 0 {
                text.push('-');
            }
            let size = c.unsigned_abs();
            let mut factors: Vec<String> = monomial.iter().map(|&a| name(a)).collect();
            if size != 1 || monomial.is_empty() {
                factors.insert(0, size.to_string());
            }
            text.push_str(&factors.join(" * "));
        }
        if text.is_empty() { "0".into() } else { text }
    }
}

impl fmt::Display for Poly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe(|a| a.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_products() {
        let (w, i) = (Poly::atom(Atom::Value(Value(1))), Poly::atom(Atom::Iter(CycleId(0))));
        let index = w.mul(&i).unwrap().add(&w).unwrap().plus(-3).unwrap();
        assert_eq!(index.to_string(), "v1 + v1 * i0 - 3");
        let (by_i, rest) = index.split(Atom::Iter(CycleId(0))).unwrap();
        assert_eq!((by_i.to_string(), rest.to_string()), ("v1".into(), "v1 - 3".into()));
        assert!(index.sub(&index).unwrap().is_zero());
        assert_eq!(index.evaluate(|_| 5), Some(27));
        assert_eq!(Poly::constant(i128::MAX).plus(1), None);
        assert_eq!(i.mul(&i).unwrap().split(Atom::Iter(CycleId(0))), None);
    }
}
