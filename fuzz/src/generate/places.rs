//! What of the variables in scope an expression may read, and a statement write.

use super::{Frozen, Generator, Known};
use crate::tree::*;

/// A place of the wanted type, as expression and as place.
pub(super) struct Found {
    pub expr: Expr,
    pub place: Place,
}

/// A step to a place that has not been chosen yet: what it is indexed with is made when it is.
#[derive(Clone, Copy)]
enum Towards {
    Field(usize),
    Element,
}

/// A place of the wanted type: which of the variables, and the way from there.
struct Candidate {
    variable: usize,
    towards: Vec<Towards>,
}

/// Where a way has come to.
#[derive(Clone, Copy)]
struct Here<'a> {
    variable: usize,
    known: &'a Known,
    ty: &'a Type,
}

/// How deep an expression is taken to lie that is any index: there are few places without one, so that deeper ones would
/// be made without end.
const WILD: usize = 4;

/// The longest way.
const STEPS: usize = 3;

impl Generator {
    /// Places of a type that may be read: variables, their fields, elements at indexes in range.
    pub(super) fn readable(&mut self, ty: &Type) -> Option<Expr> {
        self.search(ty, |_| true, |_, _| true).map(|found| found.expr)
    }

    /// A place of a type that may be assigned.
    pub(super) fn writable(&mut self, ty: &Type) -> Option<Found> {
        let plain = self.plain(ty);
        // While an array is viewed only its plain elements, or fields of them, may be written; a `fixed` array is never
        // replaced.
        self.search(
            ty,
            |known| known.mutable && !known.reserved && known.frozen != Frozen::All,
            |known, towards| {
                let through_element = towards.iter().any(|step| matches!(step, Towards::Element));
                match known.frozen {
                    Frozen::No => known.length.is_none() || !towards.is_empty(),
                    Frozen::Shape => plain && through_element,
                    Frozen::All => false,
                }
            },
        )
    }

    /// One of the places of this type in these variables.
    fn search(
        &mut self,
        wanted: &Type,
        of: impl Fn(&Known) -> bool,
        fits: impl Fn(&Known, &[Towards]) -> bool,
    ) -> Option<Found> {
        let wild = self.wild();
        let mut found = Vec::new();
        for (variable, known) in self.scope.iter().enumerate().filter(|(_, known)| of(known)) {
            let here = Here { variable, known, ty: &known.ty };
            self.places(wanted, here, &mut Vec::new(), wild, &fits, &mut found);
        }
        if found.is_empty() {
            return None;
        }
        // Recent variables are the likelier ones.
        let at = found.len() - 1 - self.choices.below(found.len());
        let Candidate { variable, towards } = found.swap_remove(at);
        let known = self.scope[variable].clone();
        let mut expr = Expr::Var(known.var);
        let mut steps = Vec::new();
        for step in towards {
            match step {
                Towards::Field(i) => {
                    expr = Expr::Field(Box::new(expr), i);
                    steps.push(Step::Field(i));
                }
                Towards::Element => {
                    let index = if wild { self.expr(&INT, WILD) } else { self.index_of(&known)? };
                    expr = Expr::Index(Box::new(expr), Box::new(index.clone()));
                    steps.push(Step::Index(index));
                }
            }
        }
        Some(Found { expr, place: Place { root: known.var, steps } })
    }

    fn places(
        &self,
        wanted: &Type,
        here: Here<'_>,
        towards: &mut Vec<Towards>,
        wild: bool,
        fits: &impl Fn(&Known, &[Towards]) -> bool,
        found: &mut Vec<Candidate>,
    ) {
        let mut go = |towards: &mut Vec<Towards>, step, ty| {
            towards.push(step);
            self.places(wanted, Here { ty, ..here }, towards, wild, fits, found);
            towards.pop();
        };
        match here.ty {
            _ if towards.len() == STEPS => {}
            Type::Struct(number) => {
                let fields = self.program.structs[*number].fields.iter().enumerate();
                fields.for_each(|(i, field)| go(towards, Towards::Field(i), field));
            }
            Type::Array(element) | Type::Slice(element)
                if towards.is_empty() && (wild || self.is_indexed(here.known)) =>
            {
                go(towards, Towards::Element, element);
            }
            _ => {}
        }
        if here.ty == wanted && fits(here.known, towards) {
            found.push(Candidate { variable: here.variable, towards: towards.clone() });
        }
    }

    /// Whether an index may be any number.
    fn wild(&mut self) -> bool {
        self.style.faults && self.choices.chance(6)
    }

    /// Variables that are indexes of this array.
    fn indexes<'a>(&'a self, array: &Known) -> impl Iterator<Item = Var> + use<'a> {
        let (var, length) = (array.var, array.length);
        let is_one = move |k: &&Known| k.indexes == Some(var) || length.zip(k.below).is_some_and(|(n, b)| b <= n);
        self.scope.iter().filter(is_one).map(|k| k.var)
    }

    /// Whether an index is known that is in range.
    fn is_indexed(&self, array: &Known) -> bool {
        array.length.is_some_and(|n| n > 0) || self.indexes(array).next().is_some()
    }

    /// An index of this array that is in range, as far as one is known.
    pub(super) fn index_of(&mut self, array: &Known) -> Option<Expr> {
        let own: Vec<Var> = self.indexes(array).collect();
        if !own.is_empty() && self.choices.chance(75) {
            return Some(Expr::Var(*self.choices.pick(&own)));
        }
        if self.wild() {
            return Some(self.expr(&INT, WILD));
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
