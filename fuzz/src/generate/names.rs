//! One array under two names: a routine of two slices, called with parts of one array, loads through one name what it
//! stores through the other.
//!
//! Indices that are the same number are written in different ways: a constant factor of the counter, a counter of its
//! own that takes larger steps, the counter added to itself. Each is used several times, so that there is something to
//! be taken for what was there before.

use super::loops::{at, both, element, whole};
use super::sums::{range, set};
use super::{Generator, Known};
use crate::tree::*;

/// Elements of an array, and what the greatest index is below: counters, factors and offsets have room.
const LENGTH: usize = 64;
const TRIPS: i64 = 14;

/// What the routine's loop works on.
struct Names {
    slices: [Known; 2],
    sum: Known,
    counter: Var,
    /// Takes this step in each iteration.
    further: Var,
    step: i64,
}

impl Generator {
    /// Such a routine, and calls of it.
    pub(super) fn two_names(&mut self, body: &mut Block) {
        let of = match self.choices.below(6) {
            0..=2 => INT,
            3 => Type::F64,
            _ => self.choices.pick(&[Type::F32, Type::Int(IntKind::I32), Type::Int(IntKind::U8)]).clone(),
        };
        let number = self.routine_of_names(&of);
        let mut arrays = Vec::new();
        for _ in 0..1 + usize::from(self.choices.chance(40)) {
            let array = self.filled(of.clone(), LENGTH, body);
            let i = self.fresh();
            let by = self.choices.within(1, 5);
            let value = both(Binary::Mul, Expr::Var(i), self.int(by));
            let value = if of == INT { value } else { Expr::Cast(Box::new(value), of.clone()) };
            body.push(range(i, self.int(LENGTH as i64), vec![set(element(&array, Expr::Var(i)), value)]));
            arrays.push(array);
        }
        // Rows of a table are arrays, too.
        if self.choices.chance(20) {
            let mut rows = self.declare(Type::array(arrays[0].ty.clone()), true);
            rows.length = Some(2);
            let (two, value) = (Box::new(self.int(2)), Box::new(Expr::Var(arrays[0].var)));
            let value = Some(Expr::Filled(arrays[0].ty.clone(), two, value));
            body.push(Statement::Let { var: rows.var, ty: rows.ty.clone(), mutable: true, annotated: true, value });
            self.scope.push(rows.clone());
            arrays.push(rows);
        }
        let total = self.declare(of.clone(), true);
        let value = Some(self.literal(&of));
        body.push(Statement::Let { var: total.var, ty: of.clone(), mutable: true, annotated: true, value });
        for _ in 0..1 + self.choices.below(2) {
            let call = self.call_of_names(number, &arrays, &of);
            let place = whole(&total);
            let mut calls = vec![Statement::Update { place, op: Binary::Add, value: call }];
            if self.choices.chance(60) {
                let (again, times) = (self.fresh(), self.choices.within(2, 6));
                calls = vec![range(again, self.int(times), calls)];
            }
            body.append(&mut calls);
        }
        self.scope.push(total);
        self.scope.extend(arrays.into_iter().filter(|array| array.ty.element() == Some(&of)));
    }

    /// With one array twice, mostly: all of it, or from another place on.
    fn call_of_names(&mut self, number: usize, arrays: &[Known], of: &Type) -> Expr {
        let first = self.choices.pick(arrays).clone();
        let second = if self.choices.chance(20) { self.choices.pick(arrays).clone() } else { first.clone() };
        let row = if self.choices.chance(50) { 1 } else { 0 };
        let mut args = [first, second].map(|array| {
            let whole = Expr::Var(array.var);
            if array.ty.element() != Some(of) {
                return Expr::Index(Box::new(whole), Box::new(self.int(row)));
            }
            if !self.choices.chance(30) {
                return whole;
            }
            let low = self.choices.within(0, 4);
            Expr::Library(Library::View, vec![whole, self.int(low), self.int(LENGTH as i64)])
        });
        let trips = if self.style.faults && self.choices.chance(20) { 40 } else { self.choices.within(5, TRIPS) };
        let [first, second] = &mut args;
        Expr::Call(number, vec![first.clone(), second.clone(), self.int(trips)])
    }

    /// `(a: Slice[…], b: Slice[…], n: int)`, which gives a sum of what it read.
    fn routine_of_names(&mut self, of: &Type) -> usize {
        let outer = std::mem::take(&mut self.scope);
        let slices = [(); 2].map(|()| self.declare(Type::Slice(Box::new(of.clone())), true));
        let trips = self.fresh();
        let names = Names {
            slices,
            sum: self.declare(of.clone(), true),
            counter: self.fresh(),
            further: self.fresh(),
            step: self.choices.within(1, 4),
        };
        let (start, zero) = (self.choices.within(0, 2), self.literal(of));
        let variable = |var, ty: &Type, value| Statement::Let {
            var,
            ty: ty.clone(),
            mutable: true,
            annotated: true,
            value: Some(value),
        };
        let mut body = vec![variable(names.sum.var, of, zero), variable(names.further, &INT, self.int(start))];
        let mut inner = Vec::new();
        let written = self.loop_of_names(&names, of, &mut inner);
        let (place, step) = (Place { root: names.further, steps: Vec::new() }, self.int(names.step));
        inner.push(Statement::Update { place, op: Binary::Add, value: step });
        if self.choices.chance(75) {
            body.push(range(names.counter, Expr::Var(trips), inner));
        } else {
            body.push(variable(names.counter, &INT, self.int(0)));
            body.push(Statement::Counted { var: names.counter, end: Expr::Var(trips), step: 1, body: inner });
        }
        body.push(Statement::Return(Some(Expr::Var(names.sum.var))));
        self.scope = outer;
        let passing = |written| if written { Passing::WrittenView } else { Passing::View };
        let mut params: Vec<Param> = names
            .slices
            .iter()
            .zip(written)
            .map(|(slice, written)| Param { var: slice.var, ty: slice.ty.clone(), passing: passing(written) })
            .collect();
        params.push(Param { var: trips, ty: INT, passing: Passing::Value });
        let procedure = self.choices.chance(50);
        self.add_routine(Routine::free(params, Some(of.clone()), body, procedure), false)
    }

    /// Loads and stores; which of the slices are written.
    fn loop_of_names(&mut self, names: &Names, of: &Type, body: &mut Block) -> [bool; 2] {
        let indices: Vec<Expr> = (0..2 + self.choices.below(2)).map(|_| self.index_of_names(names)).collect();
        let reading = self.choices.below(2);
        let mut written = [false; 2];
        // What is loaded before a store and behind it is the same element, by its name.
        let again = self.choices.pick(&indices).clone();
        self.load(names, reading, again.clone(), of, body);
        for _ in 0..1 + self.choices.below(3) {
            let which = if self.choices.chance(75) { 1 - reading } else { reading };
            let index = self.choices.pick(&indices).clone();
            if self.choices.chance(25) {
                self.load(names, which, index, of, body);
                continue;
            }
            written[which] = true;
            let value = match self.choices.below(3) {
                0 => Expr::Var(names.sum.var),
                _ if *of == INT => Expr::Var(names.counter),
                _ => Expr::Cast(Box::new(Expr::Var(names.counter)), of.clone()),
            };
            let place = element(&names.slices[which], index);
            let store = if self.choices.chance(25) {
                Statement::Update { place, op: Binary::Add, value }
            } else {
                set(place, value)
            };
            if self.choices.chance(20) {
                let (bit, zero) = (self.int(1), self.int(0));
                let odd = both(Binary::Ne, both(Binary::And, Expr::Var(names.counter), bit), zero);
                body.push(Statement::If(odd, vec![store], Vec::new()));
            } else {
                body.push(store);
            }
        }
        self.load(names, reading, again, of, body);
        if !written.contains(&true) {
            written[1 - reading] = true;
            let index = self.choices.pick(&indices).clone();
            body.push(set(element(&names.slices[1 - reading], index), Expr::Var(names.sum.var)));
        }
        written
    }

    /// Adds an element to the sum.
    fn load(&mut self, names: &Names, which: usize, index: Expr, of: &Type, body: &mut Block) {
        let value = at(&names.slices[which], index);
        let op = *self.choices.pick(&[Binary::Add, Binary::Sub]);
        body.push(if *of == INT && self.choices.chance(30) {
            // So that its place in the row matters.
            let three = self.int(3);
            set(whole(&names.sum), both(op, both(Binary::Mul, Expr::Var(names.sum.var), three), value))
        } else {
            Statement::Update { place: whole(&names.sum), op, value }
        });
    }

    /// Below [`LENGTH`] less the most that a slice leaves out.
    fn index_of_names(&mut self, names: &Names) -> Expr {
        let i = || Expr::Var(names.counter);
        let index = match self.choices.below(6) {
            0 => i(),
            1 | 2 => both(Binary::Mul, i(), self.int(names.step)),
            3 => both(Binary::Add, i(), i()),
            4 if self.choices.chance(50) => both(Binary::Mul, self.int(2), i()),
            4 => both(Binary::Shl, i(), self.int(1)),
            _ => Expr::Var(names.further),
        };
        match self.choices.within(0, 4) {
            offset @ 1..=2 => both(Binary::Add, index, self.int(offset)),
            _ => index,
        }
    }
}
