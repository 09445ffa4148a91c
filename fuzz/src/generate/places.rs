//! What of the variables in scope an expression may read, and a statement write.

use super::{Frozen, Generator, Known};
use crate::tree::*;

/// A place of the wanted type, as expression and as place.
pub(super) struct Found {
    pub expr: Expr,
    pub place: Place,
}

impl Generator {
    /// Places of a type that may be read: variables, their fields, elements at indexes in range.
    pub(super) fn readable(&mut self, ty: &Type) -> Option<Expr> {
        let vars: Vec<Known> = self.scope.clone();
        self.search(ty, &vars, &|_, _| true).map(|found| found.expr)
    }

    /// A place of a type that may be assigned.
    pub(super) fn writable(&mut self, ty: &Type) -> Option<Found> {
        let vars: Vec<Known> =
            self.scope.iter().filter(|k| k.mutable && !k.reserved && k.frozen != Frozen::All).cloned().collect();
        let plain = self.plain(ty);
        // While an array is viewed only its plain elements, or fields of them, may be written; a `fixed` array is never
        // replaced.
        self.search(ty, &vars, &|known, steps| {
            let through_element = steps.iter().any(|s| matches!(s, Step::Index(_)));
            match known.frozen {
                Frozen::No => known.length.is_none() || !steps.is_empty(),
                Frozen::Shape => plain && through_element,
                Frozen::All => false,
            }
        })
    }

    /// One of the places of this type in these variables.
    fn search(&mut self, ty: &Type, vars: &[Known], fits: &dyn Fn(&Known, &[Step]) -> bool) -> Option<Found> {
        let mut found = Vec::new();
        for known in vars {
            let place = Place { root: known.var, steps: Vec::new() };
            let start = Found { expr: Expr::Var(known.var), place };
            self.places(ty, known, &known.ty, start, 0, fits, &mut found);
        }
        if found.is_empty() {
            return None;
        }
        // Recent variables are the likelier ones.
        let at = found.len() - 1 - self.choices.below(found.len());
        Some(found.swap_remove(at))
    }

    #[allow(clippy::too_many_arguments, reason = "a recursion over types with all it needs")]
    fn places(
        &mut self,
        wanted: &Type,
        known: &Known,
        ty: &Type,
        at: Found,
        depth: usize,
        fits: &dyn Fn(&Known, &[Step]) -> bool,
        found: &mut Vec<Found>,
    ) {
        if depth < 3 {
            match ty {
                Type::Struct(number) => {
                    for (i, field) in self.program.structs[*number].fields.clone().iter().enumerate() {
                        let mut steps = at.place.steps.clone();
                        steps.push(Step::Field(i));
                        let next = Found {
                            expr: Expr::Field(Box::new(at.expr.clone()), i),
                            place: Place { root: at.place.root, steps },
                        };
                        self.places(wanted, known, field, next, depth + 1, fits, found);
                    }
                }
                Type::Array(element) | Type::Slice(element) if at.place.steps.is_empty() => {
                    if let Some(index) = self.index_of(known) {
                        let mut steps = at.place.steps.clone();
                        steps.push(Step::Index(index.clone()));
                        let next = Found {
                            expr: Expr::Index(Box::new(at.expr.clone()), Box::new(index)),
                            place: Place { root: at.place.root, steps },
                        };
                        self.places(wanted, known, element, next, depth + 1, fits, found);
                    }
                }
                _ => {}
            }
        }
        if ty == wanted && fits(known, &at.place.steps) {
            found.push(at);
        }
    }

    /// An index of this array that is in range, as far as one is known.
    pub(super) fn index_of(&mut self, array: &Known) -> Option<Expr> {
        let own: Vec<Var> = self
            .scope
            .iter()
            .filter(|k| k.indexes == Some(array.var) || array.length.zip(k.below).is_some_and(|(n, b)| b <= n))
            .map(|k| k.var)
            .collect();
        if !own.is_empty() && self.choices.chance(75) {
            return Some(Expr::Var(*self.choices.pick(&own)));
        }
        if self.style.faults && self.choices.chance(6) {
            return Some(self.expr(&INT, 2));
        }
        let Some(n) = array.length.filter(|&n| n > 0) else {
            return own.first().map(|var| Expr::Var(*var));
        };
        let literal = |value: usize| Expr::Int { value: value as i128, kind: IntKind::I64, bare: true };
        if self.choices.chance(50) {
            return Some(literal(self.choices.below(n)));
        }
        let vars: Vec<Var> = self.scope.iter().filter(|k| k.ty == INT).map(|k| k.var).collect();
        if vars.is_empty() {
            return Some(literal(self.choices.below(n)));
        }
        let var = Box::new(Expr::Var(*self.choices.pick(&vars)));
        if n.is_power_of_two() {
            // Also where the variable is far out of range or negative.
            return Some(Expr::Binary(Binary::And, var, Box::new(literal(n - 1))));
        }
        let unsigned = Type::Int(IntKind::U64);
        let n = Expr::Int { value: n as i128, kind: IntKind::U64, bare: true };
        Some(Expr::Binary(Binary::Rem, Box::new(Expr::Cast(var, unsigned)), Box::new(n)))
    }
}

/// An index that [`Generator::index_of`] has made, as an `int`: a remainder is a `u64`.
pub(super) fn as_int(index: Expr) -> Expr {
    match index {
        Expr::Binary(Binary::Rem, ..) => Expr::Cast(Box::new(index), INT),
        index => index,
    }
}
