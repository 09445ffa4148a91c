//! Loops over arrays, many of which only look independent.
//!
//! One loop is a head and some of these ingredients: elements written at an index that is the counter, an affine function of it, or
//! wraps; elements read at the same, a neighbouring or an unrelated index; a scalar that is private, read before it is
//! written, or alive behind the loop; a reduction that something reads on a path seldom taken; effects on such a path;
//! pushes, and what they appended read or overwritten, by the same iteration or another one; two slices that may be one
//! array.

use super::{Around, Generator, Known};
use crate::tree::*;

/// What a sample's loops work on.
struct Stage {
    /// Two integer arrays of one length, a power of two.
    a: Known,
    b: Known,
    length: usize,
    scalar: Known,
    sum: Known,
    list: Known,
    floats: Known,
}

pub(super) fn both(op: Binary, a: Expr, b: Expr) -> Expr {
    Expr::Binary(op, Box::new(a), Box::new(b))
}

pub(super) fn at(array: &Known, index: Expr) -> Expr {
    Expr::Index(Box::new(Expr::Var(array.var)), Box::new(index))
}

pub(super) fn element(array: &Known, index: Expr) -> Place {
    Place { root: array.var, steps: vec![Step::Index(index)] }
}

pub(super) fn whole(known: &Known) -> Place {
    Place { root: known.var, steps: Vec::new() }
}

impl Generator {
    /// A loop with all it works on, in front of it what it needs, behind it what it left.
    pub(super) fn loop_sample(&mut self, body: &mut Block) {
        let length = *self.choices.pick(&[16, 8, 32]);
        let stage = Stage {
            a: self.stage(body, Type::array(INT), Some(length)),
            b: self.stage(body, Type::array(INT), Some(length)),
            length,
            scalar: self.stage(body, INT, None),
            sum: self.stage(body, INT, None),
            list: self.stage(body, Type::array(INT), None),
            floats: self.stage(body, Type::array(Type::F64), Some(length)),
        };
        // Different values everywhere, so that what is read from the wrong place shows.
        let i = self.fresh();
        let index = || Expr::Var(i);
        let three = self.int(3);
        body.push(Statement::Range {
            var: i,
            kind: IntKind::I64,
            low: None,
            high: self.int(length as i64),
            closed: false,
            body: vec![
                Statement::Assign {
                    place: element(&stage.a, index()),
                    value: both(Binary::Mul, index(), three),
                    spelling: Spelling::Set,
                },
                Statement::Assign {
                    place: element(&stage.b, index()),
                    value: both(Binary::Sub, Expr::Int { value: 100, kind: IntKind::I64, bare: true }, index()),
                    spelling: Spelling::Equals,
                },
            ],
            label: None,
        });
        if self.choices.chance(25) {
            self.slices(&stage, body);
        } else {
            self.one_loop(&stage, body);
        }
    }

    fn stage(&mut self, body: &mut Block, ty: Type, length: Option<usize>) -> Known {
        let mut known = self.declare(ty.clone(), true);
        known.length = length;
        let value = match (&ty, length) {
            (Type::Array(of), Some(n)) => {
                let zero = if **of == Type::F64 { Expr::F64(0.5) } else { self.int(0) };
                Some(Expr::Filled((**of).clone(), Box::new(self.int(n as i64)), Box::new(zero)))
            }
            _ => None,
        };
        body.push(Statement::Let { var: known.var, ty, mutable: true, annotated: true, value });
        self.scope.push(known.clone());
        known
    }

    fn one_loop(&mut self, stage: &Stage, body: &mut Block) {
        let nested = self.choices.chance(30);
        let mut i = self.declare(INT, false);
        i.reserved = true;
        if nested {
            // i * inner + j, where the two may overlap.
            let (outer, inner) = (4, stage.length / 4);
            let width = inner as i64 - i64::from(self.choices.chance(40));
            let mut j = self.declare(INT, false);
            j.reserved = true;
            let index = both(Binary::Add, both(Binary::Mul, Expr::Var(i.var), self.int(width)), Expr::Var(j.var));
            let ingredients = self.ingredients(stage, &index);
            let high = self.int(inner as i64);
            let row = Statement::Range {
                var: j.var,
                kind: IntKind::I64,
                low: None,
                high,
                closed: false,
                body: ingredients,
                label: None,
            };
            let high = self.int(outer);
            body.push(Statement::Range {
                var: i.var,
                kind: IntKind::I64,
                low: None,
                high,
                closed: false,
                body: vec![row],
                label: None,
            });
            return;
        }
        let index = Expr::Var(i.var);
        if self.choices.chance(25) {
            let step = self.choices.within(1, 3);
            let zero = self.int(0);
            body.push(Statement::Let { var: i.var, ty: INT, mutable: true, annotated: false, value: Some(zero) });
            self.loops.push(Around { label: None, continues: false, counter: None });
            let ingredients = self.ingredients(stage, &index);
            self.loops.pop();
            let end = self.int(stage.length as i64);
            body.push(Statement::Counted { var: i.var, end, step, body: ingredients });
            return;
        }
        self.loops.push(Around { label: None, continues: true, counter: None });
        let ingredients = self.ingredients(stage, &index);
        self.loops.pop();
        let low = self.choices.chance(40).then(|| self.int(1));
        let high = self.int(stage.length as i64);
        body.push(Statement::Range {
            var: i.var,
            kind: IntKind::I64,
            low,
            high,
            closed: false,
            body: ingredients,
            label: None,
        });
    }

    fn ingredients(&mut self, stage: &Stage, i: &Expr) -> Block {
        let mut body = Vec::new();
        for _ in 0..1 + self.choices.below(3) {
            self.ingredient(stage, i, &mut body);
        }
        body
    }

    /// An index made of the counter, always in range.
    fn wrapped(&mut self, stage: &Stage, i: &Expr) -> Expr {
        let mask = self.int(stage.length as i64 - 1);
        let small = self.choices.within(1, 5);
        match self.choices.below(6) {
            0 | 1 => i.clone(),
            2 => {
                let by = self.int(small);
                both(Binary::And, both(Binary::Add, i.clone(), by), mask)
            }
            3 => {
                let by = self.int(small);
                both(Binary::And, both(Binary::Mul, i.clone(), by), mask)
            }
            4 => {
                // Through a narrow type that wraps.
                let narrow = Type::Int(IntKind::U8);
                let by = Expr::Int { value: 24, kind: IntKind::U8, bare: true };
                let product = both(Binary::Mul, Expr::Cast(Box::new(i.clone()), narrow), by);
                both(Binary::And, Expr::Cast(Box::new(product), INT), mask)
            }
            _ => both(Binary::Sub, self.int(stage.length as i64 - 1), i.clone()),
        }
    }

    fn ingredient(&mut self, stage: &Stage, i: &Expr, body: &mut Block) {
        let spelling = *self.choices.pick(&[Spelling::Set, Spelling::Equals]);
        match self.choices.below(10) {
            0 | 1 => {
                let (to, from) = (self.wrapped(stage, i), self.wrapped(stage, i));
                let source = if self.choices.chance(40) { &stage.a } else { &stage.b };
                let one = self.int(1);
                let value = both(Binary::Add, at(source, from), one);
                body.push(Statement::Assign { place: element(&stage.a, to), value, spelling });
            }
            2 => {
                // A scalar: written first, or read first, or only sometimes written.
                let value = both(Binary::Mul, i.clone(), self.int(2));
                let write = Statement::Assign { place: whole(&stage.scalar), value, spelling };
                let to = self.wrapped(stage, i);
                let read =
                    Statement::Assign { place: element(&stage.b, to), value: Expr::Var(stage.scalar.var), spelling };
                match self.choices.below(3) {
                    0 => body.extend([write, read]),
                    1 => body.extend([read, write]),
                    _ => {
                        let condition = self.cold(i);
                        body.extend([Statement::If(condition, vec![write], Vec::new()), read]);
                    }
                }
            }
            3 => {
                // A reduction, which a cold path may read.
                let from = self.wrapped(stage, i);
                let op = *self.choices.pick(&[Binary::Add, Binary::Mul, Binary::Sub, Binary::Or]);
                body.push(Statement::Update { place: whole(&stage.sum), op, value: at(&stage.a, from) });
                if self.choices.chance(40) {
                    let condition = self.cold(i);
                    let to = self.wrapped(stage, i);
                    let write =
                        Statement::Assign { place: element(&stage.b, to), value: Expr::Var(stage.sum.var), spelling };
                    body.push(Statement::If(condition, vec![write], Vec::new()));
                }
            }
            4 => {
                let from = self.wrapped(stage, i);
                let op = *self.choices.pick(&[Binary::Min, Binary::Max]);
                let value = both(op, Expr::Var(stage.sum.var), at(&stage.a, from));
                body.push(Statement::Assign { place: whole(&stage.sum), value, spelling });
            }
            5 => {
                // An effect on a path seldom taken.
                let condition = self.cold(i);
                let effect = match self.choices.below(3) {
                    0 => Statement::Print(vec![Expr::Var(stage.sum.var), i.clone()]),
                    1 => Statement::Push(whole(&stage.list), i.clone()),
                    _ => {
                        let zero = self.int(0);
                        Statement::Assign { place: element(&stage.a, zero), value: i.clone(), spelling }
                    }
                };
                body.push(Statement::If(condition, vec![effect], Vec::new()));
            }
            6 => self.append(stage, i, body),
            7 => {
                let to = self.wrapped(stage, i);
                let value = Expr::Cast(Box::new(at(&stage.a, i.clone())), Type::F64);
                let op = *self.choices.pick(&[Binary::Add, Binary::Mul]);
                body.push(Statement::Update { place: element(&stage.floats, to), op, value });
            }
            8 if !self.loops.is_empty() => {
                let condition = self.cold(i);
                let around = self.loops[self.loops.len() - 1];
                let leave = if around.continues && self.choices.chance(60) {
                    Statement::Continue(None)
                } else {
                    Statement::Break(None)
                };
                body.push(Statement::If(condition, vec![leave], Vec::new()));
            }
            _ => {
                // The neighbour.
                let mask = self.int(stage.length as i64 - 1);
                let by = self.choices.within(-1, 1);
                let by = self.int(by);
                let neighbour = both(Binary::And, both(Binary::Add, i.clone(), by), mask);
                let value = both(Binary::Xor, at(&stage.a, neighbour), i.clone());
                let target = if self.choices.chance(50) { &stage.a } else { &stage.b };
                body.push(Statement::Assign { place: element(target, i.clone()), value, spelling });
            }
        }
    }

    /// A push, on all paths or on one, and perhaps something about the elements of the list.
    fn append(&mut self, stage: &Stage, i: &Expr, body: &mut Block) {
        let from = self.wrapped(stage, i);
        let value = if self.choices.chance(50) { i.clone() } else { at(&stage.a, from) };
        let push = |value| Statement::Push(whole(&stage.list), value);
        let way = self.choices.below(10);
        if way == 0 {
            let condition = self.cold(i);
            body.push(Statement::If(condition, vec![push(value)], Vec::new()));
            return;
        } else if way == 1 {
            let condition = self.cold(i);
            body.push(Statement::If(condition, vec![push(value)], vec![push(i.clone())]));
        } else {
            body.push(push(value));
        }
        if self.choices.chance(50) {
            return;
        }
        // The last element, one in the middle, the first, or that of the counter if there is one.
        let length = || Expr::Library(Library::Length, vec![Expr::Var(stage.list.var)]);
        let which = self.choices.below(5);
        let index = match which {
            0 | 1 => both(Binary::Sub, length(), self.int(1)),
            2 => both(Binary::Div, length(), self.int(2)),
            3 => self.int(0),
            _ => i.clone(),
        };
        let to = self.wrapped(stage, i);
        let spelling = *self.choices.pick(&[Spelling::Set, Spelling::Equals]);
        let effect = if self.choices.chance(60) {
            Statement::Assign { place: element(&stage.b, to), value: at(&stage.list, index.clone()), spelling }
        } else {
            let value = both(Binary::Xor, i.clone(), length());
            Statement::Assign { place: element(&stage.list, index.clone()), value, spelling }
        };
        if which < 4 {
            body.push(effect);
        } else {
            body.push(Statement::If(both(Binary::Lt, index, length()), vec![effect], Vec::new()));
        }
    }

    /// True in few iterations, or in none.
    fn cold(&mut self, i: &Expr) -> Expr {
        let n = self.choices.within(0, 40);
        let n = self.int(n);
        both(Binary::Eq, i.clone(), n)
    }

    /// A routine over two slices, called with slices of one or two arrays.
    fn slices(&mut self, stage: &Stage, body: &mut Block) {
        let ty = Type::Slice(Box::new(INT));
        let (u, v, i) = (self.fresh(), self.fresh(), self.fresh());
        let read = Expr::Index(Box::new(Expr::Var(u)), Box::new(Expr::Var(i)));
        let ten = self.int(10);
        let write = Statement::Assign {
            place: Place { root: v, steps: vec![Step::Index(Expr::Var(i))] },
            value: both(Binary::Add, read, ten),
            spelling: Spelling::Equals,
        };
        let length = |of: Var| Expr::Library(Library::Length, vec![Expr::Var(of)]);
        let loop_body = Statement::Range {
            var: i,
            kind: IntKind::I64,
            low: None,
            high: both(Binary::Min, length(u), length(v)),
            closed: false,
            body: vec![write],
            label: None,
        };
        let params = vec![
            Param { var: u, ty: ty.clone(), passing: Passing::View },
            Param { var: v, ty, passing: Passing::WrittenView },
        ];
        let procedure = self.choices.chance(50);
        let number = self.add_routine(Routine::free(params, None, vec![loop_body], procedure), false);
        for _ in 0..1 + self.choices.below(3) {
            let source = if self.choices.chance(50) { &stage.b } else { &stage.a };
            let args = [source, &stage.a]
                .map(|array| {
                    let low = self.choices.below(4) as i64;
                    let high = stage.length as i64 - self.choices.below(4) as i64;
                    let (low, high) = (self.int(low), self.int(high));
                    Expr::Library(Library::View, vec![Expr::Var(array.var), low, high])
                })
                .to_vec();
            body.push(Statement::Call(Expr::Call(number, args)));
        }
    }
}
