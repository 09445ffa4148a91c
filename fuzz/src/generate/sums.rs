//! Loops that are independent but for sums and products of floats: terms are kept, and added in the program's order.
//!
//! Terms are of very different sizes, factors all around 1, so that another order shows in the result. One loop has some
//! of these ingredients: a total changed always, now and then, on both sides of a condition, twice; what takes it back; a
//! path seldom taken that reads it; an inner loop that computes the term, or adds to it; beside it integer reductions,
//! the largest so far, what is copied out, elements written; and what ends the loop early, an error too.

use super::loops::{at, both, element, whole};
use super::{Generator, Known};
use crate::tree::*;

/// A loop of more iterations reads the same elements again and again.
const LONG: usize = 100;

/// What the loops of a sample work on.
struct Sums {
    /// Numbers of very different sizes, others around 1, integers; and where each iteration may write.
    terms: Known,
    factors: Known,
    ints: Known,
    out: Known,
    /// Iterations.
    length: usize,
    /// What accumulates, and whether that is a product.
    totals: Vec<(Known, bool)>,
    count: Known,
    best: Known,
    last: Known,
}

/// Where an iteration is.
struct Here {
    index: Expr,
    /// Where it reads.
    from: Expr,
    /// The element of the terms, if the loop is one over these.
    item: Option<Expr>,
    /// `continue` does not skip a counter's step.
    continues: bool,
}

fn number(value: f64, ty: &Type) -> Expr {
    match ty {
        Type::F32 => Expr::F32 { value: value as f32, bare: false },
        _ => Expr::F64(value),
    }
}

fn cast(value: Expr, from: &Type, to: &Type) -> Expr {
    if from == to { value } else { Expr::Cast(Box::new(value), to.clone()) }
}

/// `for var in high`
pub(super) fn range(var: Var, high: Expr, body: Block) -> Statement {
    Statement::Range { var, kind: IntKind::I64, low: None, high, closed: false, body, label: None }
}

pub(super) fn set(place: Place, value: Expr) -> Statement {
    Statement::Assign { place, value, spelling: Spelling::Equals }
}

impl Generator {
    /// One or two loops with all they work on, in the main program or in a routine that is called for them.
    pub(super) fn sum_sample(&mut self, body: &mut Block) {
        // Long ones fill the room for terms more than once; of what they read there is less.
        let length = self.choices.weighted(&[(3, 24), (3, 40), (1, 70), (3, 400)]);
        let read = if length > LONG { 32 } else { length };
        let ty = if self.choices.chance(20) { Type::F32 } else { Type::F64 };
        let arrays = [(ty.clone(), read), (ty, read), (INT, read), (Type::F64, length)];
        let arrays = arrays.map(|(ty, length)| self.filled(ty, length, body));
        self.fill_terms(&arrays, read, body);
        if self.choices.chance(75) {
            let sums = self.totals(arrays, length, body);
            for _ in 0..1 + usize::from(self.choices.chance(25)) {
                self.sum_loop(&sums, body);
            }
            let totals = sums.totals.into_iter().map(|(total, _)| total);
            self.scope.extend(totals.chain([sums.count, sums.best, sums.last, sums.out]));
            return;
        }
        let outer = std::mem::take(&mut self.scope);
        let params = arrays.clone().map(|array| {
            let ty = Type::Slice(Box::new(array.ty.element().cloned().unwrap_or(INT)));
            self.declare(ty, true)
        });
        let passing = [Passing::View, Passing::View, Passing::View, Passing::WrittenView];
        let inside = params.iter().zip(passing);
        let params_of =
            inside.map(|(known, passing)| Param { var: known.var, ty: known.ty.clone(), passing }).collect();
        let mut inner = Vec::new();
        // So that it is written whatever else there is.
        inner.push(set(element(&params[3], self.int(0)), Expr::F64(0.25)));
        let sums = self.totals(params, length, &mut inner);
        self.sum_loop(&sums, &mut inner);
        for known in sums.totals.iter().map(|(total, _)| total).chain([&sums.count, &sums.best, &sums.last]) {
            self.show(known, &mut inner);
        }
        self.scope = outer;
        self.called_with(&arrays, params_of, inner, body);
        self.scope.push(arrays[3].clone());
    }

    /// A procedure that is called with these arrays, one to three times.
    pub(super) fn called_with(&mut self, arrays: &[Known], params: Vec<Param>, inner: Block, body: &mut Block) {
        let number = self.add_routine(Routine::free(params, None, inner, true), false);
        for _ in 0..1 + self.choices.below(3) {
            body.push(Statement::Call(Expr::Call(number, arrays.iter().map(|array| Expr::Var(array.var)).collect())));
        }
    }

    /// A new array of a length that stays.
    pub(super) fn filled(&mut self, of: Type, length: usize, body: &mut Block) -> Known {
        let mut known = self.declare(Type::array(of.clone()), true);
        known.length = Some(length);
        let zero = if of == INT { self.int(0) } else { self.literal(&of) };
        let value = Some(Expr::Filled(of, Box::new(self.int(length as i64)), Box::new(zero)));
        body.push(Statement::Let { var: known.var, ty: known.ty.clone(), mutable: true, annotated: true, value });
        known
    }

    /// Terms of different sizes, factors around 1.
    fn fill_terms(&mut self, arrays: &[Known; 4], length: usize, body: &mut Block) {
        let i = self.fresh();
        let i_th = || Expr::Var(i);
        let mut rest = |by: &[i64], of: &[i64]| {
            let (by, of) = (*self.choices.pick(by), *self.choices.pick(of));
            both(Binary::Rem, both(Binary::Mul, i_th(), self.int(by)), self.int(of))
        };
        let float = arrays[0].ty.element().cloned().unwrap_or(Type::F64);
        let scaled = |value: Expr, by: f64| both(Binary::Mul, cast(value, &INT, &float), number(by, &float));
        let (small, near, whole) = (rest(&[7, 1, 5], &[11, 13]), rest(&[3, 1, 5], &[7]), rest(&[5, 3], &[17, 9]));
        let (first, second) = (rest(&[1], &[3, 4, 5]), rest(&[1], &[5, 2, 7]));
        let large = *self.choices.pick(&[1.0e16, 1.0e8, 3.0e5]);
        let is = |value: Expr, n: Expr| both(Binary::Eq, value, n);
        let negative =
            Expr::If(Box::new(is(second, self.int(1))), Box::new(number(-large, &float)), Box::new(scaled(small, 0.1)));
        let term = Expr::If(Box::new(is(first, self.int(0))), Box::new(number(large, &float)), Box::new(negative));
        let factor = both(Binary::Add, scaled(near, 0.19), number(0.5, &float));
        let less = self.int(4);
        body.push(range(
            i,
            self.int(length as i64),
            vec![
                set(element(&arrays[0], i_th()), term),
                set(element(&arrays[1], i_th()), factor),
                set(element(&arrays[2], i_th()), both(Binary::Sub, whole, less)),
            ],
        ));
    }

    /// Declares what accumulates.
    fn totals(&mut self, [terms, factors, ints, out]: [Known; 4], length: usize, body: &mut Block) -> Sums {
        let mut variable = |g: &mut Self, ty: Type, value: Expr| {
            let known = g.declare(ty.clone(), true);
            body.push(Statement::Let { var: known.var, ty, mutable: true, annotated: true, value: Some(value) });
            known
        };
        let totals = (0..1 + self.choices.below(3)).map(|_| {
            let ty = if self.choices.chance(25) { Type::F32 } else { Type::F64 };
            let product = self.choices.chance(30);
            let start = if product { &[1.0, 1.1, 3.0e5] } else { &[0.1, 0.0, 1.0e16] };
            let start = number(*self.choices.pick(start), &ty);
            (variable(self, ty, start), product)
        });
        let totals = totals.collect();
        let [count, last] = [(); 2].map(|()| {
            let zero = self.int(0);
            variable(self, INT, zero)
        });
        let best = if self.choices.chance(50) { (INT, self.int(-9)) } else { (Type::F64, Expr::F64(-1.0)) };
        let best = variable(self, best.0, best.1);
        Sums { terms, factors, ints, out, length, totals, count, best, last }
    }

    fn sum_loop(&mut self, sums: &Sums, body: &mut Block) {
        let var = self.fresh();
        let n = sums.length as i64;
        let index = Expr::Var(var);
        let from = if sums.length > LONG { both(Binary::And, index.clone(), self.int(31)) } else { index.clone() };
        let mut here = Here { index, from, item: None, continues: true };
        let start = |value: Expr| Statement::Let { var, ty: INT, mutable: true, annotated: false, value: Some(value) };
        let mut made = match self.choices.weighted(&[(6, 0), (2, 1), (2, 2), (2, 3)]) {
            0 => {
                let inner = self.sum_body(sums, &here);
                let low = self.choices.chance(30).then(|| self.int(1));
                // Perhaps a bound that is not known before.
                let high = if self.choices.chance(30) {
                    Expr::Library(Library::Length, vec![Expr::Var(sums.out.var)])
                } else {
                    self.int(n)
                };
                vec![Statement::Range { var, kind: IntKind::I64, low, high, closed: false, body: inner, label: None }]
            }
            1 => {
                here.continues = false;
                let step = self.choices.within(1, 3);
                let inner = self.sum_body(sums, &here);
                vec![start(self.int(0)), Statement::Counted { var, end: self.int(n), step, body: inner }]
            }
            2 => {
                here.continues = false;
                let step = -self.choices.within(1, 2);
                let inner = self.sum_body(sums, &here);
                vec![start(self.int(n - 1)), Statement::Counted { var, end: self.int(-1), step, body: inner }]
            }
            _ => {
                here.continues = false;
                let item = self.fresh();
                here.item = Some(Expr::Var(item));
                let mut inner = self.sum_body(sums, &here);
                let (place, one) = (Place { root: var, steps: Vec::new() }, self.int(1));
                inner.push(Statement::Update { place, op: Binary::Add, value: one });
                let of = Expr::Var(sums.terms.var);
                vec![start(self.int(0)), Statement::Each { var: item, value: None, of, body: inner, label: None }]
            }
        };
        if self.choices.chance(20) {
            let (again, times) = (self.fresh(), self.choices.within(2, 3));
            made = vec![range(again, self.int(times), made)];
        }
        body.append(&mut made);
    }

    fn sum_body(&mut self, sums: &Sums, here: &Here) -> Block {
        let mut body = Vec::new();
        // One that has nothing but terms shows how these are kept.
        let first = self.choices.below(sums.totals.len());
        match self.choices.weighted(&[(3, 0), (3, 1), (1, 2), (3, 3)]) {
            0 => body.push(self.total_update(sums, here, first)),
            2 => self.taken_back(sums, here, first, &mut body),
            1 => {
                let (condition, update) = (self.now_and_then(sums, here), self.total_update(sums, here, first));
                body.push(Statement::If(condition, vec![update], Vec::new()));
            }
            _ => self.sum_ingredient(sums, here, &mut body),
        }
        for _ in 0..self.choices.weighted(&[(3, 0), (3, 1), (2, 2), (2, 3)]) {
            self.sum_ingredient(sums, here, &mut body);
        }
        body
    }

    fn sum_ingredient(&mut self, sums: &Sums, here: &Here, body: &mut Block) {
        let which = self.choices.below(sums.totals.len());
        let (total, _) = &sums.totals[which];
        let bare = |condition, then| Statement::If(condition, then, Vec::new());
        match self.choices.weighted(&[
            (4, 0),
            (4, 1),
            (3, 2),
            (4, 3),
            (2, 4),
            (3, 5),
            (2, 6),
            (3, 7),
            (2, 8),
            (1, 9),
            (2, 10),
            (2, 11),
        ]) {
            0 => body.push(self.total_update(sums, here, which)),
            1 => {
                let (condition, update) = (self.now_and_then(sums, here), self.total_update(sums, here, which));
                body.push(bare(condition, vec![update]));
            }
            2 => {
                let other = self.choices.below(sums.totals.len());
                let condition = self.now_and_then(sums, here);
                let sides = [which, other].map(|total| vec![self.total_update(sums, here, total)]);
                let [then, otherwise] = sides;
                body.push(Statement::If(condition, then, otherwise));
            }
            3 => self.taken_back(sums, here, which, body),
            4 => {
                // Read on a path seldom taken.
                let condition = self.seldom(sums, here);
                let read = if self.choices.chance(40) {
                    Statement::Print(vec![Expr::Var(total.var), here.index.clone()])
                } else {
                    let to = if self.choices.chance(50) { here.index.clone() } else { self.int(3) };
                    set(element(&sums.out, to), cast(Expr::Var(total.var), &total.ty, &Type::F64))
                };
                body.push(bare(condition, vec![read]));
            }
            5 => {
                // An inner loop, which computes the term or accumulates itself.
                let (j, m) = (self.fresh(), self.choices.within(0, 4));
                if self.choices.chance(35) {
                    let inner = vec![self.total_update(sums, here, which)];
                    return body.push(range(j, self.int(m), inner));
                }
                let x = self.declare(total.ty.clone(), true);
                let value = Some(self.term(sums, here, &total.ty, false));
                let ty = total.ty.clone();
                body.push(Statement::Let { var: x.var, ty: ty.clone(), mutable: true, annotated: true, value });
                let three_quarters = both(Binary::Mul, Expr::Var(x.var), number(0.75, &ty));
                let next = both(Binary::Add, three_quarters, cast(Expr::Var(j), &INT, &ty));
                body.push(range(j, self.int(m), vec![set(whole(&x), next)]));
                let op = *self.choices.pick(&[Binary::Add, Binary::Sub]);
                body.push(Statement::Update { place: whole(total), op, value: Expr::Var(x.var) });
            }
            6 => {
                let op = *self.choices.pick(&[Binary::Add, Binary::Xor, Binary::Mul]);
                let value = at(&sums.ints, here.from.clone());
                let update = Statement::Update { place: whole(&sums.count), op, value };
                body.push(if self.choices.chance(40) {
                    bare(self.now_and_then(sums, here), vec![update])
                } else {
                    update
                });
            }
            7 => {
                let (best, from) =
                    (Expr::Var(sums.best.var), if sums.best.ty == INT { &sums.ints } else { &sums.terms });
                let value = at(from, here.from.clone());
                let value = cast(value, from.ty.element().unwrap_or(&INT), &sums.best.ty);
                if self.choices.chance(50) {
                    let op = *self.choices.pick(&[Binary::Max, Binary::Min]);
                    return body.push(set(whole(&sums.best), both(op, best, value)));
                }
                let better = both(*self.choices.pick(&[Binary::Gt, Binary::Lt, Binary::Ge]), value.clone(), best);
                let found = vec![set(whole(&sums.best), value), set(whole(&sums.last), here.index.clone())];
                body.push(bare(better, found));
            }
            8 => {
                let ty = Type::F64;
                let write = set(element(&sums.out, here.index.clone()), self.term(sums, here, &ty, false));
                let copied = set(whole(&sums.last), at(&sums.ints, here.from.clone()));
                body.push(if self.choices.chance(60) { write } else { copied });
            }
            9 => {
                let condition = self.seldom(sums, here);
                let leave = if here.continues && self.choices.chance(60) {
                    Statement::Continue(None)
                } else {
                    Statement::Break(None)
                };
                body.push(bare(condition, vec![leave]));
            }
            10 => {
                // Several terms of one iteration.
                for _ in 0..2 + self.choices.below(2) {
                    body.push(self.total_update(sums, here, which));
                }
            }
            _ if self.style.faults => self.sum_error(sums, here, body),
            _ => body.push(self.total_update(sums, here, which)),
        }
    }

    /// What an update has added is taken back, or what was there before is used.
    fn taken_back(&mut self, sums: &Sums, here: &Here, which: usize, body: &mut Block) {
        let (total, _) = &sums.totals[which];
        let before = self.fresh();
        let value = Some(Expr::Var(total.var));
        let kept = Statement::Let { var: before, ty: total.ty.clone(), mutable: false, annotated: false, value };
        let (update, condition) = (self.total_update(sums, here, which), self.now_and_then(sums, here));
        body.extend([kept, update]);
        let back = if self.choices.chance(80) {
            set(whole(total), Expr::Var(before))
        } else {
            set(element(&sums.out, here.index.clone()), cast(Expr::Var(before), &total.ty, &Type::F64))
        };
        body.push(Statement::If(condition, vec![back], Vec::new()));
    }

    /// An error in a late iteration.
    fn sum_error(&mut self, sums: &Sums, here: &Here, body: &mut Block) {
        let late = self.choices.within(1, 7);
        if self.choices.chance(50) {
            let behind = both(Binary::Sub, here.index.clone(), self.int(sums.length as i64 - late));
            let value = both(*self.choices.pick(&[Binary::Div, Binary::Rem]), self.int(7), behind);
            return body.push(set(whole(&sums.last), value));
        }
        let index = both(Binary::Add, here.index.clone(), self.int(late));
        if self.choices.chance(50) {
            body.push(set(element(&sums.out, index), Expr::F64(1.5)));
        } else {
            let (total, product) = self.choices.pick(&sums.totals);
            let from = if *product { &sums.factors } else { &sums.terms };
            let value = cast(at(from, index), from.ty.element().unwrap_or(&Type::F64), &total.ty);
            let op = if *product { Binary::Mul } else { Binary::Add };
            body.push(Statement::Update { place: whole(total), op, value });
        }
    }

    /// Adds a term to a total, or multiplies it by one.
    fn total_update(&mut self, sums: &Sums, here: &Here, which: usize) -> Statement {
        let (total, product) = &sums.totals[which];
        // Another operation than that of the other updates, if only now and then.
        let product = *product != self.choices.chance(4);
        let inverse = self.choices.chance(if sums.totals.len() > 1 { 20 } else { 30 });
        let op = match (product, inverse) {
            (false, false) => Binary::Add,
            (false, true) => Binary::Sub,
            (true, false) => Binary::Mul,
            (true, true) => Binary::Div,
        };
        let term = self.term(sums, here, &total.ty, product);
        let own = Expr::Var(total.var);
        match self.choices.below(5) {
            0 => set(whole(total), both(op, own, term)),
            1 if !inverse => set(whole(total), both(op, term, own)),
            // Once more what it was, as often as not: the value of an `if` is the total itself.
            2 if self.choices.chance(30) => {
                let condition = self.now_and_then(sums, here);
                let changed = both(op, own.clone(), term);
                set(whole(total), Expr::If(Box::new(condition), Box::new(changed), Box::new(own)))
            }
            _ => Statement::Update { place: whole(total), op, value: term },
        }
    }

    fn term(&mut self, sums: &Sums, here: &Here, ty: &Type, factor: bool) -> Expr {
        let from = if factor { &sums.factors } else { &sums.terms };
        let of = from.ty.element().cloned().unwrap_or(Type::F64);
        let element = match &here.item {
            Some(item) if !factor && self.choices.chance(70) => item.clone(),
            _ => at(from, here.from.clone()),
        };
        let read = cast(element, &of, ty);
        match self.choices.below(7) {
            0 | 1 => read,
            2 => both(Binary::Mul, read, number(1.1, ty)),
            3 => {
                let condition = self.now_and_then(sums, here);
                let other = both(Binary::Mul, read.clone(), number(0.7, ty));
                Expr::If(Box::new(condition), Box::new(read), Box::new(other))
            }
            4 => {
                let root = Expr::Unary(Unary::Sqrt, Box::new(Expr::Unary(Unary::Abs, Box::new(read))));
                both(Binary::Add, root, number(0.3, ty))
            }
            5 if !factor => cast(at(&sums.ints, here.from.clone()), &INT, ty),
            _ => {
                let i = cast(here.index.clone(), &INT, ty);
                let near = both(Binary::Div, i, number(if factor { sums.length as f64 } else { 7.0 }, ty));
                both(Binary::Add, near, number(0.6, ty))
            }
        }
    }

    /// True in some iterations.
    fn now_and_then(&mut self, sums: &Sums, here: &Here) -> Expr {
        let i = here.index.clone();
        match self.choices.below(5) {
            0 => {
                let m = self.choices.within(2, 5);
                let r = self.choices.within(0, 1);
                both(Binary::Eq, both(Binary::Rem, i, self.int(m)), self.int(r))
            }
            1 => {
                let k = self.choices.within(0, sums.length as i64);
                both(Binary::Lt, i, self.int(k))
            }
            2 => both(Binary::Gt, at(&sums.ints, here.from.clone()), self.int(2)),
            3 => {
                let ty = sums.terms.ty.element().cloned().unwrap_or(Type::F64);
                both(Binary::Lt, at(&sums.terms, here.from.clone()), number(0.5, &ty))
            }
            _ => self.seldom(sums, here),
        }
    }

    /// True in one iteration, or in none.
    fn seldom(&mut self, sums: &Sums, here: &Here) -> Expr {
        let k = self.choices.within(0, sums.length as i64 + 3);
        both(Binary::Eq, here.index.clone(), self.int(k))
    }
}
