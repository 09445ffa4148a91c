//! Loops that append to arrays, now and then: what parts of them append is put in order behind them.
//!
//! One loop has some of these ingredients: a value pushed always, now and then, on one side or the other, in an inner loop,
//! to up to three arrays of whatever types and to a text that is built; a value with a name, moved; an array made in the
//! iteration; beside it a sum, a float sum in order, elements written, the last value; and what ends the loop early, an
//! error too. Now and then an iteration looks at an array, or takes from it, which then has to be right as well.

use super::loops::{at, both, element, whole};
use super::sums::{range, set};
use super::{Generator, Known};
use crate::tree::*;

/// What the loops of a sample work on.
struct Lists {
    ints: Known,
    out: Known,
    length: usize,
    lists: Vec<Known>,
    builder: Option<Known>,
    count: Known,
    total: Known,
    last: Known,
}

/// Where an iteration is.
struct Here {
    index: Var,
    /// `continue` does not skip a counter's step.
    continues: bool,
}

/// A loop of more iterations reads the same elements again and again.
const READ: usize = 32;

impl Generator {
    /// Some loops with all they work on, in the main program or in a routine that is called for them.
    pub(super) fn gathered_sample(&mut self, body: &mut Block) {
        let length = self.choices.weighted(&[(4, 24), (3, 40), (2, 90), (1, 300)]);
        let ints = self.filled(INT, READ, body);
        let i = self.fresh();
        let (by, of) = (self.choices.within(1, 9), *self.choices.pick(&[7, 11, 17]));
        let value = both(Binary::Rem, both(Binary::Mul, Expr::Var(i), self.int(by)), self.int(of));
        let (high, value) = (self.int(READ as i64), both(Binary::Sub, value, self.int(4)));
        body.push(range(i, high, vec![set(element(&ints, Expr::Var(i)), value)]));
        let out = self.filled(INT, length, body);
        let mut lists = Vec::new();
        for _ in 0..1 + self.choices.below(3) {
            let of = match self.choices.below(6) {
                0 | 1 => INT,
                2 => Type::Text,
                3 => self.scalar_type(),
                _ => self.value_type(0),
            };
            let ty = Type::array(of);
            let known = self.declare(ty.clone(), true);
            // Perhaps there are elements already.
            let value = self.choices.chance(35).then(|| self.alone(&[], |g| g.expr(&ty, 2)));
            body.push(Statement::Let { var: known.var, ty, mutable: true, annotated: true, value });
            lists.push(known);
        }
        let builder = self.choices.chance(40).then(|| {
            let known = self.declare(Type::Builder, true);
            let (var, ty) = (known.var, Type::Builder);
            body.push(Statement::Let { var, ty, mutable: true, annotated: false, value: None });
            known
        });
        let mut variable = |g: &mut Self, ty: Type, value: Expr| {
            let known = g.declare(ty.clone(), true);
            body.push(Statement::Let { var: known.var, ty, mutable: true, annotated: true, value: Some(value) });
            known
        };
        let [count, last] = [(); 2].map(|()| {
            let zero = self.int(0);
            variable(self, INT, zero)
        });
        let total = variable(self, Type::F64, Expr::F64(0.1));
        let mut all = Lists { ints, out, length, lists, builder, count, total, last };
        if self.choices.chance(70) {
            for _ in 0..1 + self.choices.below(3) {
                self.gathered_loop(&all, body);
                if self.choices.chance(25) {
                    let list = self.choices.pick(&all.lists).clone();
                    body.push(match self.choices.below(3) {
                        0 => Statement::Clear(whole(&list)),
                        1 => Statement::Print(vec![Expr::Library(Library::Length, vec![Expr::Var(list.var)])]),
                        _ => Statement::Print(vec![Expr::Var(list.var)]),
                    });
                }
            }
        } else {
            self.gathered_routine(&mut all, body);
        }
        self.scope.extend([all.ints, all.out, all.count, all.total, all.last]);
        self.scope.extend(all.builder.map(|known| Known { reserved: true, ..known }));
        self.scope.extend(all.lists);
    }

    /// The loop is a routine's, which changes arrays of its caller; called several times.
    fn gathered_routine(&mut self, all: &mut Lists, body: &mut Block) {
        let outer = std::mem::take(&mut self.scope);
        let arrays: Vec<Known> = [&all.ints, &all.out].into_iter().chain(&all.lists).cloned().collect();
        let params: Vec<Known> = arrays.iter().map(|array| self.declare(array.ty.clone(), true)).collect();
        let passed = |at: usize| if at == 0 { Passing::Value } else { Passing::InPlace };
        let params_of = params.iter().enumerate();
        let params_of =
            params_of.map(|(at, known)| Param { var: known.var, ty: known.ty.clone(), passing: passed(at) }).collect();
        let mut inner = Vec::new();
        // So that each is changed whatever else there is.
        inner.push(set(element(&params[1], self.int(0)), self.int(3)));
        for known in &params[2..] {
            inner.push(Statement::If(Expr::Bool(false), vec![Statement::Clear(whole(known))], Vec::new()));
        }
        let mut variable = |g: &mut Self, ty: Type, value: Expr| {
            let known = g.declare(ty.clone(), true);
            inner.push(Statement::Let { var: known.var, ty, mutable: true, annotated: true, value: Some(value) });
            known
        };
        let [count, last] = [(); 2].map(|()| {
            let zero = self.int(0);
            variable(self, INT, zero)
        });
        let total = variable(self, Type::F64, Expr::F64(0.1));
        let inside = Lists {
            ints: params[0].clone(),
            out: params[1].clone(),
            length: all.length,
            lists: params[2..].to_vec(),
            builder: None,
            count,
            total,
            last,
        };
        self.gathered_loop(&inside, &mut inner);
        for known in [&inside.count, &inside.total, &inside.last] {
            self.show(known, &mut inner);
        }
        self.scope = outer;
        self.called_with(&arrays, params_of, inner, body);
    }

    /// Makes something that sees nothing but these.
    fn alone<T>(&mut self, known: &[Known], make: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.scope, known.to_vec());
        let made = make(self);
        self.scope = outer;
        made
    }

    fn gathered_loop(&mut self, all: &Lists, body: &mut Block) {
        let var = self.fresh();
        let n = all.length as i64;
        let mut here = Here { index: var, continues: true };
        let start = |value: Expr| Statement::Let { var, ty: INT, mutable: true, annotated: false, value: Some(value) };
        match self.choices.weighted(&[(6, 0), (2, 1), (2, 2), (2, 3)]) {
            0 => {
                let inner = self.gathered_body(all, &here);
                let low = self.choices.chance(30).then(|| self.int(1));
                let high = if self.choices.chance(30) {
                    Expr::Library(Library::Length, vec![Expr::Var(all.out.var)])
                } else {
                    self.int(n)
                };
                body.push(Statement::Range {
                    var,
                    kind: IntKind::I64,
                    low,
                    high,
                    closed: false,
                    body: inner,
                    label: None,
                });
            }
            way @ (1 | 2) => {
                here.continues = false;
                let step = self.choices.within(1, 3);
                let inner = self.gathered_body(all, &here);
                let (first, end, step) = if way == 1 { (0, n, step) } else { (n - 1, -1, -step) };
                body.push(start(self.int(first)));
                body.push(Statement::Counted { var, end: self.int(end), step, body: inner });
            }
            _ => {
                // Over the values, of which several may be the same: nothing is written by index.
                let inner = self.gathered_body(&Lists { length: READ, ..self.less(all) }, &here);
                body.push(Statement::Each { var, value: None, of: Expr::Var(all.ints.var), body: inner, label: None });
            }
        }
    }

    /// The same, of which nothing is written by index.
    fn less(&self, all: &Lists) -> Lists {
        Lists {
            ints: all.ints.clone(),
            out: Known { length: None, ..all.out.clone() },
            length: all.length,
            lists: all.lists.clone(),
            builder: all.builder.clone(),
            count: all.count.clone(),
            total: all.total.clone(),
            last: all.last.clone(),
        }
    }

    fn gathered_body(&mut self, all: &Lists, here: &Here) -> Block {
        let mut body = Vec::new();
        let (condition, push) = (self.at_times(all, here), self.pushed(all, here, here.index));
        body.push(Statement::If(condition, push, Vec::new()));
        for _ in 0..self.choices.weighted(&[(3, 0), (3, 1), (2, 2), (2, 3)]) {
            self.gathered_ingredient(all, here, &mut body);
        }
        if self.choices.chance(30) {
            body.rotate_left(1);
        }
        body
    }

    fn gathered_ingredient(&mut self, all: &Lists, here: &Here, body: &mut Block) {
        let bare = |condition, then| Statement::If(condition, then, Vec::new());
        let index = || Expr::Var(here.index);
        match self.choices.weighted(&[
            (3, 0),
            (4, 1),
            (4, 2),
            (4, 3),
            (3, 4),
            (2, 5),
            (2, 6),
            (2, 7),
            (1, 8),
            (1, 9),
            (1, 10),
            (2, 11),
        ]) {
            0 => body.extend(self.pushed(all, here, here.index)),
            1 => {
                let condition = self.at_times(all, here);
                let (then, otherwise) = (self.pushed(all, here, here.index), self.pushed(all, here, here.index));
                body.push(Statement::If(condition, then, otherwise));
            }
            2 => {
                // An inner loop.
                let j = self.fresh();
                let high = if self.choices.chance(50) {
                    let m = self.choices.within(0, 4);
                    self.int(m)
                } else {
                    both(Binary::And, index(), self.int(3))
                };
                let mut inner = self.pushed(all, here, j);
                if self.choices.chance(50) {
                    let even = both(Binary::And, both(Binary::Add, Expr::Var(j), index()), self.int(1));
                    inner = vec![bare(both(Binary::Eq, even, self.int(0)), inner)];
                }
                body.push(range(j, high, inner));
            }
            3 => {
                let (condition, push) = (self.at_times(all, here), self.pushed(all, here, here.index));
                body.push(bare(condition, push));
            }
            4 => {
                let value = both(Binary::Add, self.int_at(all, here), index());
                body.push(Statement::Update { place: whole(&all.count), op: Binary::Add, value });
            }
            5 => {
                let value = both(Binary::Mul, Expr::Cast(Box::new(index()), Type::F64), Expr::F64(1.0e7 / 3.0));
                let update = Statement::Update { place: whole(&all.total), op: Binary::Add, value };
                let condition = self.at_times(all, here);
                body.push(if self.choices.chance(50) { update } else { bare(condition, vec![update]) });
            }
            6 if all.out.length.is_some() => {
                let value = both(Binary::Mul, self.int_at(all, here), index());
                body.push(set(element(&all.out, index()), value));
            }
            7 => body.push(set(whole(&all.last), both(Binary::Xor, index(), self.int(5)))),
            8 => {
                let condition = self.once(all, here);
                let leave = if here.continues && self.choices.chance(60) {
                    Statement::Continue(None)
                } else {
                    Statement::Break(None)
                };
                body.push(bare(condition, vec![leave]));
            }
            9 => self.looked_at(all, here, body),
            10 if self.style.faults => {
                let behind = all.length as i64 - self.choices.within(1, 7);
                let behind = both(Binary::Sub, index(), self.int(behind));
                body.push(set(whole(&all.last), both(Binary::Div, self.int(7), behind)));
            }
            _ => {
                // An array made in the iteration, and put into another one by its elements.
                let list = self.choices.pick(&all.lists).clone();
                let made = self.declare(list.ty.clone(), true);
                let ty = list.ty.clone();
                body.push(Statement::Let { var: made.var, ty, mutable: true, annotated: true, value: None });
                let j = self.fresh();
                let value = self.value_of(all, here, &list, j);
                let high = both(Binary::And, index(), self.int(3));
                body.push(range(j, high, vec![Statement::Push(whole(&made), value)]));
                let item = self.fresh();
                let push = Statement::Push(whole(&list), Expr::Var(item));
                body.push(Statement::Each {
                    var: item,
                    value: None,
                    of: Expr::Var(made.var),
                    body: vec![push],
                    label: None,
                });
            }
        }
    }

    /// An iteration looks at an array, or takes from it.
    fn looked_at(&mut self, all: &Lists, here: &Here, body: &mut Block) {
        let list = self.choices.pick(&all.lists).clone();
        let condition = self.once(all, here);
        let length = Expr::Library(Library::Length, vec![Expr::Var(list.var)]);
        let effect = match self.choices.below(5) {
            0 => set(whole(&all.last), length),
            1 => Statement::Print(vec![length, Expr::Var(list.var)]),
            2 => Statement::Clear(whole(&list)),
            3 => Statement::Pop(self.fresh(), whole(&list)),
            _ => {
                let some = both(Binary::Gt, length, self.int(0));
                return body.push(Statement::If(
                    some,
                    vec![Statement::Print(vec![at(&list, self.int(0))])],
                    Vec::new(),
                ));
            }
        };
        body.push(Statement::If(condition, vec![effect], Vec::new()));
    }

    /// A value is appended to one of the arrays, or to the text.
    fn pushed(&mut self, all: &Lists, here: &Here, j: Var) -> Block {
        if let Some(builder) = &all.builder
            && self.choices.chance(35)
        {
            let ty = if self.choices.chance(40) { Type::Text } else { self.scalar_type() };
            let value = self.some_value(all, here, &ty, j);
            return vec![Statement::Append(whole(builder), value)];
        }
        let list = self.choices.pick(&all.lists).clone();
        let value = self.value_of(all, here, &list, j);
        if self.choices.chance(70) {
            return vec![Statement::Push(whole(&list), value)];
        }
        let ty = list.ty.element().cloned().unwrap_or(INT);
        let named = self.declare(ty.clone(), true);
        vec![
            Statement::Let { var: named.var, ty, mutable: true, annotated: true, value: Some(value) },
            Statement::Push(whole(&list), Expr::Var(named.var)),
        ]
    }

    fn value_of(&mut self, all: &Lists, here: &Here, list: &Known, j: Var) -> Expr {
        let ty = list.ty.element().cloned().unwrap_or(INT);
        self.some_value(all, here, &ty, j)
    }

    /// Different in each iteration, as far as is simple.
    fn some_value(&mut self, all: &Lists, here: &Here, ty: &Type, j: Var) -> Expr {
        let i = Expr::Var(j);
        match ty {
            Type::Int(kind) => {
                let value = match self.choices.below(3) {
                    0 => i,
                    1 => both(Binary::Add, both(Binary::Mul, i, self.int(10)), Expr::Var(here.index)),
                    _ => both(Binary::Add, self.int_at(all, here), i),
                };
                if *kind == IntKind::I64 { value } else { Expr::Cast(Box::new(value), ty.clone()) }
            }
            Type::F64 | Type::F32 => Expr::Cast(Box::new(i), ty.clone()),
            Type::Bool => both(Binary::Eq, both(Binary::And, i, self.int(1)), self.int(0)),
            Type::Text if self.choices.chance(40) => Expr::Library(Library::ToString, vec![i]),
            Type::Text => {
                Expr::Format(vec![("a ".to_string(), Expr::Var(here.index)), (" b".to_string(), i)], String::new())
            }
            _ => {
                let counter = |var| Known { var, ..self.scope_entry() };
                let seen = [counter(here.index), counter(j), all.ints.clone()];
                self.alone(&seen, |g| g.expr(ty, 2))
            }
        }
    }

    fn scope_entry(&self) -> Known {
        Known {
            var: 0,
            ty: INT,
            mutable: false,
            frozen: super::Frozen::All,
            length: None,
            below: None,
            indexes: None,
            reserved: true,
        }
    }

    fn int_at(&mut self, all: &Lists, here: &Here) -> Expr {
        at(&all.ints, both(Binary::And, Expr::Var(here.index), self.int(READ as i64 - 1)))
    }

    /// True in some iterations.
    fn at_times(&mut self, all: &Lists, here: &Here) -> Expr {
        let i = Expr::Var(here.index);
        match self.choices.below(5) {
            0 | 1 => {
                let (m, r) = (self.choices.within(2, 5), self.choices.within(0, 1));
                both(Binary::Eq, both(Binary::Rem, i, self.int(m)), self.int(r))
            }
            2 => {
                let k = self.choices.within(0, all.length as i64);
                let op = *self.choices.pick(&[Binary::Lt, Binary::Gt]);
                both(op, i, self.int(k))
            }
            3 => both(Binary::Gt, self.int_at(all, here), self.int(2)),
            _ => self.once(all, here),
        }
    }

    /// True in one iteration, or in none.
    fn once(&mut self, all: &Lists, here: &Here) -> Expr {
        let k = self.choices.within(0, all.length as i64 + 3);
        both(Binary::Eq, Expr::Var(here.index), self.int(k))
    }
}
