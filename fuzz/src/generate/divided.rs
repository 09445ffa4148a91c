//! Loops for several threads that other forms do not make: over tables whose elements own storage, built in regions that
//! the threads share; and searches of which only the place is used.
//!
//! Nothing reads an element back into a variable but its length, or a text could double in each iteration.

use super::{Around, Frozen, Generator};
use crate::tree::*;

impl Generator {
    /// Declares a table of elements that own something, if such a type comes up.
    pub(super) fn owned_table(&mut self, body: &mut Block) {
        let element = match self.choices.below(4) {
            0 => Type::Text,
            1 => Type::array(self.scalar_type()),
            _ => self.member_type(),
        };
        if self.plain(&element) || !self.copies(&element) {
            return;
        }
        let n = self.choices.within(3, 24);
        let mut known = self.declare(Type::array(element.clone()), true);
        known.length = Some(n as usize);
        known.frozen = Frozen::All;
        let (length, filling) = (self.int(n), self.arg(&element, 4));
        body.push(Statement::Let {
            var: known.var,
            ty: known.ty.clone(),
            mutable: true,
            annotated: true,
            value: Some(Expr::Filled(element, Box::new(length), Box::new(filling))),
        });
        self.owned.push(known.clone());
        self.scope.push(known);
    }

    /// Whether a value can be copied from a variable into an element.
    fn copies(&self, ty: &Type) -> bool {
        !matches!(ty, Type::Lambda(..) | Type::Slice(_) | Type::Builder | Type::Map(..))
    }

    /// A loop over such a table.
    pub(super) fn owned_loop(&mut self, body: &mut Block) {
        if self.owned.is_empty() {
            return;
        }
        let table = self.choices.pick(&self.owned.clone()).clone();
        let Some(element) = table.ty.element().cloned() else { return };
        let mut index = self.declare(INT, false);
        (index.below, index.reserved) = (table.length, true);
        let var = index.var;
        let sums: Vec<Var> =
            self.scope.iter().filter(|k| k.ty == INT && k.mutable && !k.reserved).map(|k| k.var).collect();
        self.loops.push(Around { label: None, continues: true, counter: Some(var) });
        let inner = self.scoped(|g| {
            g.scope.push(index);
            let mut inner = Vec::new();
            if g.choices.chance(50) {
                let ty = if g.choices.chance(50) { element.clone() } else { g.member_type() };
                let own = g.declare_with(ty, false);
                inner.push(own);
            }
            let place = Place { root: table.var, steps: vec![Step::Index(Expr::Var(var))] };
            let value = if g.choices.chance(15) {
                // Of another iteration.
                let other = Binary::Rem;
                let (by, n) = (g.choices.within(1, 3), table.length.unwrap_or(1) as i64);
                let sum = Expr::Binary(Binary::Add, Box::new(Expr::Var(var)), Box::new(g.int(by)));
                let at = Expr::Binary(other, Box::new(sum), Box::new(g.int(n)));
                Expr::Index(Box::new(Expr::Var(table.var)), Box::new(at))
            } else {
                g.arg(&element, 1)
            };
            let assign = Statement::Assign { place, value, spelling: Spelling::Equals };
            if g.choices.chance(30) {
                let condition = g.phase();
                inner.push(Statement::If(condition, vec![assign], Vec::new()));
            } else {
                inner.push(assign);
            }
            if element == Type::Text && !sums.is_empty() && g.choices.chance(50) {
                let text = Expr::Index(Box::new(Expr::Var(table.var)), Box::new(Expr::Var(var)));
                let place = Place { root: *g.choices.pick(&sums), steps: Vec::new() };
                let value = Expr::Library(Library::Length, vec![text]);
                inner.push(Statement::Update { place, op: Binary::Add, value });
            }
            if g.choices.chance(20) {
                g.late_error(&mut inner);
            }
            inner
        });
        self.loops.pop();
        body.push(Statement::Range {
            var,
            kind: IntKind::I64,
            low: None,
            high: Expr::Library(Library::Length, vec![Expr::Var(table.var)]),
            closed: false,
            body: inner,
            label: None,
        });
    }

    /// Looks for the largest or least element, in a block of its own: only where it was is used behind that, and how often
    /// one was found, or none.
    pub(super) fn place_of_extreme(&mut self, body: &mut Block) {
        let numbers = |ty: &Type| matches!(ty, Type::Int(_) | Type::F64 | Type::F32);
        let arrays: Vec<_> =
            self.scope.iter().filter(|k| k.length.is_some() && k.ty.element().is_some_and(numbers)).cloned().collect();
        let places: Vec<Var> =
            self.scope.iter().filter(|k| k.ty == INT && k.mutable && !k.reserved).map(|k| k.var).collect();
        if arrays.is_empty() || places.is_empty() {
            return;
        }
        let array = self.choices.pick(&arrays).clone();
        let place = *self.choices.pick(&places);
        let Some(element) = array.ty.element().cloned() else { return };
        let (extreme, i) = (self.fresh(), self.fresh());
        let read = |at| Expr::Index(Box::new(Expr::Var(array.var)), Box::new(at));
        let set = |root, value| Statement::Assign {
            place: Place { root, steps: Vec::new() },
            value,
            spelling: Spelling::Equals,
        };
        let first = self.int(0);
        let better = *self.choices.pick(&[Binary::Lt, Binary::Gt, Binary::Le, Binary::Ge]);
        let condition = Expr::Binary(better, Box::new(read(Expr::Var(i))), Box::new(Expr::Var(extreme)));
        let mut sides = [vec![set(extreme, read(Expr::Var(i))), set(place, Expr::Var(i))], Vec::new()];
        let others: Vec<Var> = places.into_iter().filter(|&other| other != place).collect();
        if !others.is_empty() && self.choices.chance(40) {
            let count = Place { root: *self.choices.pick(&others), steps: Vec::new() };
            let side = usize::from(self.choices.chance(50));
            let value = self.int(1);
            sides[side].push(Statement::Update { place: count, op: Binary::Add, value });
        }
        let [found, otherwise] = sides;
        let block = vec![
            Statement::Let { var: extreme, ty: element, mutable: true, annotated: false, value: Some(read(first)) },
            Statement::Range {
                var: i,
                kind: IntKind::I64,
                low: None,
                high: Expr::Library(Library::Length, vec![Expr::Var(array.var)]),
                closed: false,
                body: vec![Statement::If(condition, found, otherwise)],
                label: None,
            },
        ];
        body.push(Statement::If(Expr::Bool(true), block, Vec::new()));
    }
}
