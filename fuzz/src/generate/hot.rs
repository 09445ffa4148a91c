//! Programs for a trace compiler: loops that iterate often, and whose paths change late.
//!
//! The main program declares variables of many types, then runs nests of loops over them. What such a loop consists of is
//! what traces have to get right: inner loops of no, one, few or many iterations, also by the counter around them; loops
//! left early, by labels, by `return`; variables that swap their values from one iteration to the next; conditions that
//! hold for a while; flags that change between two runs of an inner loop; variants and function values that come in
//! patterns; indices at the edges of arrays; errors in a late iteration; more variables than there are registers.

use super::places::as_int;
use super::{Around, Frozen, Generator, Known};
use crate::tree::*;
use crate::value::{bounds, wrap};

fn both(op: Binary, a: Expr, b: Expr) -> Expr {
    Expr::Binary(op, Box::new(a), Box::new(b))
}

fn whole(known: &Known) -> Place {
    Place { root: known.var, steps: Vec::new() }
}

impl Generator {
    pub(super) fn hot_main(&mut self, body: &mut Block) {
        if self.style.loops {
            for _ in 0..1 + self.choices.below(2) {
                match self.choices.weighted(&[(3, 0), (3, 1), (2, 3), (2, 4), (4, 2)]) {
                    0 => self.two_names(body),
                    3 => self.slices_sample(body),
                    4 => self.windows_sample(body),
                    1 => self.sum_sample(body),
                    _ => self.gathered_sample(body),
                }
            }
            // What else there is takes as long.
            if self.choices.chance(60) {
                return;
            }
        }
        self.hot_state(body);
        for _ in 0..1 + self.choices.below(3) {
            self.budget = 6 + self.choices.below(24);
            self.hot_loop(body, 0);
            self.owned_loop(body);
            if self.choices.chance(25) {
                self.place_of_extreme(body);
            }
        }
    }

    /// What the loops work on.
    fn hot_state(&mut self, body: &mut Block) {
        let scalars = if self.choices.chance(12) { self.choices.within(15, 28) } else { self.choices.within(2, 6) };
        for _ in 0..scalars {
            let ty = self.scalar_type();
            let statement = self.declare_with(ty, true);
            body.push(statement);
        }
        for _ in 0..1 + self.choices.below(3) {
            self.hot_array(body);
        }
        if self.choices.chance(40) {
            let element = self.scalar_type();
            let known = self.declare(Type::array(element), true);
            body.push(Statement::Let {
                var: known.var,
                ty: known.ty.clone(),
                mutable: true,
                annotated: true,
                value: None,
            });
            self.scope.push(known);
        }
        if self.choices.chance(20) {
            // Four rows of four.
            let element = self.scalar_type();
            let mut known = self.declare(Type::array(Type::array(element.clone())), true);
            known.length = Some(4);
            let row = Expr::Filled(element.clone(), Box::new(self.int(4)), Box::new(self.arg(&element, 4)));
            let four = Box::new(self.int(4));
            body.push(Statement::Let {
                var: known.var,
                ty: known.ty.clone(),
                mutable: true,
                annotated: true,
                value: Some(Expr::Filled(Type::array(element), four, Box::new(row))),
            });
            self.scope.push(known);
        }
        if self.choices.chance(30) {
            self.owned_table(body);
        }
        for number in 0..self.program.unions.len() {
            let statement = self.declare_with(Type::Union(number), true);
            body.push(statement);
        }
        if self.choices.chance(40) {
            let ty = Type::Option(Box::new(self.scalar_type()));
            let statement = self.declare_with(ty, true);
            body.push(statement);
        }
        for number in 0..self.program.structs.len() {
            if self.choices.chance(60) {
                let statement = self.declare_with(Type::Struct(number), true);
                body.push(statement);
            }
        }
        if self.choices.chance(25) {
            let ty = self.lambda_type();
            let statement = self.declare_with(ty, true);
            body.push(statement);
        }
        if self.choices.chance(25) {
            let mut known = self.declare(Type::Builder, true);
            known.reserved = true;
            body.push(Statement::Let {
                var: known.var,
                ty: Type::Builder,
                mutable: true,
                annotated: false,
                value: None,
            });
            self.scope.push(known);
        }
    }

    /// An array of a length that stays, with different values everywhere.
    fn hot_array(&mut self, body: &mut Block) {
        let element = match self.choices.weighted(&[(5, 0), (3, 1), (2, 2), (4, 3), (2, 4)]) {
            0 => INT,
            1 => Type::F64,
            2 => Type::F32,
            3 => self.scalar_type(),
            _ => {
                let plain: Vec<usize> =
                    (0..self.program.structs.len()).filter(|&s| self.plain(&Type::Struct(s))).collect();
                if plain.is_empty() { INT } else { Type::Struct(*self.choices.pick(&plain)) }
            }
        };
        let n = *self.choices.pick(&[16, 8, 4, 5, 12, 1, 32]);
        let mut known = self.declare(Type::array(element.clone()), true);
        known.length = Some(n);
        let zero = self.arg(&element, 4);
        let length = self.int(n as i64);
        body.push(Statement::Let {
            var: known.var,
            ty: known.ty.clone(),
            mutable: true,
            annotated: true,
            value: Some(Expr::Filled(element.clone(), Box::new(length), Box::new(zero))),
        });
        if matches!(element, Type::Int(_) | Type::F64 | Type::F32) {
            let i = self.fresh();
            let by = self.choices.within(-3, 40);
            let product = both(Binary::Mul, Expr::Var(i), self.int(by));
            let value = if element == INT { product } else { Expr::Cast(Box::new(product), element) };
            let place = Place { root: known.var, steps: vec![Step::Index(Expr::Var(i))] };
            body.push(Statement::Range {
                var: i,
                kind: IntKind::I64,
                low: None,
                high: Expr::Library(Library::Length, vec![Expr::Var(known.var)]),
                closed: false,
                body: vec![Statement::Assign { place, value, spelling: Spelling::Equals }],
                label: None,
            });
        }
        self.scope.push(known);
    }

    pub(super) fn lambda_type(&mut self) -> Type {
        let types = [INT, INT, Type::F64, Type::Int(IntKind::U8), Type::Bool];
        let params = (0..1 + self.choices.below(2)).map(|_| self.choices.pick(&types).clone()).collect();
        Type::Lambda(params, Box::new(self.choices.pick(&types).clone()))
    }

    /// A function value that captures only what is plain.
    pub(super) fn lambda(&mut self, params: &[Type], result: &Type, captures: bool) -> Expr {
        let outer = self.scope.clone();
        if captures {
            let plain: Vec<bool> = self.scope.iter().map(|k| self.plain(&k.ty)).collect();
            let mut keep = plain.iter();
            self.scope.retain(|_| *keep.next().unwrap_or(&false));
        } else {
            self.scope.clear();
        }
        let mut vars = Vec::new();
        for ty in params {
            let mut known = self.declare(ty.clone(), false);
            known.reserved = true;
            vars.push((known.var, ty.clone()));
            self.scope.push(known);
        }
        let body = self.expr(result, 2);
        self.scope = outer;
        Expr::Lambda(vars, Box::new(body))
    }

    /// A call of a function value in scope that gives this type.
    pub(super) fn applied(&mut self, ty: &Type, depth: usize) -> Option<Expr> {
        let candidates: Vec<Known> = self
            .scope
            .iter()
            .filter(|k| matches!(&k.ty, Type::Lambda(_, result) if **result == *ty))
            .cloned()
            .collect();
        if candidates.is_empty() {
            return None;
        }
        let known = self.choices.pick(&candidates).clone();
        let Type::Lambda(params, _) = &known.ty else { return None };
        let args = params.iter().map(|ty| self.arg(ty, depth + 2)).collect();
        Some(Expr::Apply(Box::new(Expr::Var(known.var)), args))
    }

    /// A loop; the deeper it lies, the fewer iterations it makes.
    pub(super) fn hot_loop(&mut self, body: &mut Block, depth: usize) {
        let label = self.label();
        let outer = self.loops.len() + 2 * usize::from(self.result.is_some());
        let most = match outer {
            0 => self.choices.within(4, 40),
            1 => *self.choices.pick(&[4, 3, 2, 1, 0, 8, 12]),
            2 => *self.choices.pick(&[3, 2, 1, 0, 5]),
            _ => *self.choices.pick(&[2, 1, 0, 3]),
        };
        match self.choices.weighted(&[(8, 0), (3, 1), (3, 2), (2, 3), (2, 4)]) {
            0 => self.hot_range(body, depth, label, most),
            1 => {
                // A while loop with a counter of its own.
                let mut counter = self.declare(INT, true);
                counter.reserved = true;
                let mut step = self.choices.within(1, 3);
                let mut start = self.choices.within(-2, 2);
                if self.choices.chance(35) {
                    (step, start) = (-step, most * step);
                }
                let value = Some(self.int(start));
                body.push(Statement::Let { var: counter.var, ty: INT, mutable: true, annotated: false, value });
                let var = counter.var;
                self.scope.push(counter);
                let end = if step < 0 { self.int(0) } else { self.hot_bound(most * step) };
                let around = Around { label: None, continues: false, counter: Some(var) };
                let inner = self.hot_body(around, None, depth);
                body.push(Statement::Counted { var, end, step, body: inner });
            }
            kind @ (2 | 3) => {
                let mut fuel = self.declare(INT, false);
                fuel.reserved = true;
                let var = fuel.var;
                self.scope.push(fuel);
                let condition = if self.choices.chance(50) { self.phase() } else { self.expr(&Type::Bool, 2) };
                let around = Around { label, continues: true, counter: Some(var) };
                let inner = self.hot_body(around, None, depth);
                body.push(if kind == 2 {
                    Statement::While { fuel: var, most, condition, body: inner, label }
                } else {
                    Statement::Repeat { fuel: var, most, body: inner, label }
                });
            }
            _ => self.each(body, depth),
        }
    }

    fn hot_range(&mut self, body: &mut Block, depth: usize, label: Option<u32>, most: i64) {
        let arrays: Vec<Known> = self
            .scope
            .iter()
            .filter(|k| matches!(k.ty, Type::Array(_) | Type::Slice(_)))
            .filter(|k| k.length.is_none_or(|n| n as i64 <= 2 * most + 2))
            .cloned()
            .collect();
        if !arrays.is_empty() && self.choices.chance(35) {
            let array = self.choices.pick(&arrays).clone();
            let mut index = self.declare(INT, false);
            index.indexes = Some(array.var);
            index.below = array.length;
            index.reserved = true;
            let var = index.var;
            let around = Around { label, continues: true, counter: Some(var) };
            let length = Expr::Library(Library::Length, vec![Expr::Var(array.var)]);
            let low = self.choices.chance(40).then(|| self.int(1));
            let inner = self.frozen(Some(array.var), Frozen::Shape, |g| g.hot_body(around, Some(index), depth));
            body.push(Statement::Range {
                var,
                kind: IntKind::I64,
                low,
                high: length,
                closed: false,
                body: inner,
                label,
            });
            return;
        }
        let kind = if self.choices.chance(15) { self.int_kind() } else { IntKind::I64 };
        let mut index = self.declare(Type::Int(kind), false);
        index.reserved = true;
        if self.choices.chance(4) {
            return self.last_range(body, depth, label, index, kind, most);
        }
        let (low, high) = if kind != IntKind::I64 {
            (self.choices.chance(30).then(|| self.int(1)), self.int(most))
        } else {
            let low = match self.choices.below(4) {
                0 | 1 => None,
                2 => Some(self.choices.within(-3, 3)).map(|low| self.int(low)),
                _ => self.counter(),
            };
            if low.is_none() {
                index.below = Some(most as usize);
            }
            let high = self.hot_bound(most);
            if !matches!(high, Expr::Int { .. }) {
                index.below = None;
            }
            (low, high)
        };
        let closed = low.is_some() && self.choices.chance(30);
        let var = index.var;
        let around = Around { label, continues: true, counter: Some(var) };
        let inner = self.hot_body(around, Some(index), depth);
        body.push(Statement::Range { var, kind, low, high, closed, body: inner, label });
    }

    /// Up to the greatest value of a type, or from the least.
    fn last_range(
        &mut self,
        body: &mut Block,
        depth: usize,
        label: Option<u32>,
        index: Known,
        kind: IntKind,
        most: i64,
    ) {
        let (least, greatest) = bounds(kind);
        let var = index.var;
        // From the least value up to almost any other is far.
        let around = Around { label, continues: true, counter: None };
        let inner = self.hot_body(around, Some(index), depth);
        // The bounds are written as an `int` that is cast.
        let value = |value: i128| Expr::Int { value: wrap(value, IntKind::I64), kind: IntKind::I64, bare: true };
        let most = i128::from(most);
        let (low, high, closed) = match self.choices.below(3) {
            0 => (greatest - most, greatest, false),
            1 => (greatest - most, greatest, true),
            _ => (least, least + most, self.choices.chance(50)),
        };
        let (low, high) = (Some(value(low)), value(high));
        body.push(Statement::Range { var, kind, low, high, closed, body: inner, label });
    }

    /// Where a loop ends: a number, or something that is different each time.
    fn hot_bound(&mut self, most: i64) -> Expr {
        let ints: Vec<Var> = self.scope.iter().filter(|k| k.ty == INT).map(|k| k.var).collect();
        if ints.is_empty() || self.choices.chance(45) {
            return self.int(most);
        }
        let var = match self.counter() {
            Some(counter) if self.choices.chance(60) => counter,
            _ => Expr::Var(*self.choices.pick(&ints)),
        };
        match self.choices.below(5) {
            0 => both(Binary::And, var, self.int(3)),
            1 => {
                let m = self.choices.within(2, 5);
                both(Binary::Rem, var, self.int(m))
            }
            2 => both(Binary::Sub, self.int(most), both(Binary::And, var, self.int(7))),
            3 => both(Binary::Min, var, self.int(most)),
            _ => {
                let condition = self.phase();
                let (few, many) = (self.choices.within(0, 2), most);
                Expr::If(Box::new(condition), Box::new(self.int(few)), Box::new(self.int(many)))
            }
        }
    }

    fn hot_body(&mut self, around: Around, index: Option<Known>, depth: usize) -> Block {
        let outer = self.loops.len();
        self.loops.push(around);
        let body = self.scoped(|g| {
            g.scope.extend(index);
            let mut body = Vec::new();
            // Flags and bounds that an inner loop finds unchanged while it runs.
            let mut knobs = Vec::new();
            if outer == 0 && g.choices.chance(40) {
                knobs = g.turn_knobs(&mut body);
            }
            for _ in 0..1 + g.choices.below(4) {
                if g.budget == 0 {
                    break;
                }
                g.budget -= 1;
                g.hot_statement(&mut body, depth + 1);
            }
            let nests = match outer {
                0 => 65,
                1 => 40,
                _ => 10,
            };
            if depth < 6 && g.choices.chance(nests) {
                g.hot_loop(&mut body, depth + 1);
                if g.choices.chance(50) {
                    g.hot_statement(&mut body, depth + 1);
                }
            }
            for known in &mut g.scope {
                if knobs.contains(&known.var) {
                    known.reserved = false;
                }
            }
            body
        });
        self.loops.pop();
        body
    }

    /// Assigns variables that nothing else in the loop assigns.
    fn turn_knobs(&mut self, body: &mut Block) -> Vec<Var> {
        let candidates: Vec<Known> = self
            .scope
            .iter()
            .filter(|k| k.mutable && !k.reserved && k.frozen == Frozen::No)
            .filter(|k| matches!(k.ty, Type::Int(_) | Type::Bool | Type::F64 | Type::Lambda(..) | Type::Union(_)))
            .cloned()
            .collect();
        let mut turned = Vec::new();
        for _ in 0..1 + self.choices.below(2) {
            if candidates.is_empty() {
                break;
            }
            let known = self.choices.pick(&candidates).clone();
            if turned.contains(&known.var) {
                continue;
            }
            let value = match &known.ty {
                Type::Bool => self.phase(),
                ty if *ty == INT && self.choices.chance(50) => {
                    let by = self.choices.within(2, 9);
                    let counter = self.counter().unwrap_or(Expr::Var(known.var));
                    both(Binary::Div, counter, self.int(by))
                }
                ty => {
                    let condition = self.phase();
                    let (a, b) = (self.changed(&known, ty), self.changed(&known, ty));
                    let place = whole(&known);
                    let set = |value| Statement::Assign { place: place.clone(), value, spelling: Spelling::Set };
                    body.push(Statement::If(condition, vec![set(a)], vec![set(b)]));
                    turned.push(known.var);
                    continue;
                }
            };
            body.push(Statement::Assign { place: whole(&known), value, spelling: Spelling::Equals });
            turned.push(known.var);
        }
        for known in &mut self.scope {
            if turned.contains(&known.var) {
                known.reserved = true;
            }
        }
        turned
    }

    /// A value for a variable.
    fn changed(&mut self, known: &Known, ty: &Type) -> Expr {
        match ty {
            Type::Int(_) | Type::F64 | Type::F32 if self.choices.chance(50) => self.literal(ty),
            Type::Lambda(params, result) => self.lambda(params, result, true),
            Type::Union(number) => {
                let which = self.variant_of(*number, 0);
                let payload = self.program.unions[*number].variants[which].clone();
                Expr::Union(*number, which, payload.iter().map(|p| self.arg(p, 3)).collect())
            }
            Type::Option(value) if self.choices.chance(60) => Expr::Some(Box::new(self.expr(value, 3))),
            Type::Option(_) => Expr::None,
            _ => {
                debug_assert_eq!(known.ty, *ty);
                self.expr(ty, 2)
            }
        }
    }

    /// The counter of a loop around, mostly of the innermost.
    fn counter(&mut self) -> Option<Expr> {
        let counters: Vec<Var> = self
            .loops
            .iter()
            .rev()
            .filter_map(|around| around.counter)
            .filter(|var| self.scope.iter().any(|k| k.var == *var && k.ty == INT))
            .collect();
        if counters.is_empty() {
            return None;
        }
        let at = if self.choices.chance(65) { 0 } else { self.choices.below(counters.len()) };
        Some(Expr::Var(counters[at]))
    }

    /// A counter, or another integer.
    fn running(&mut self) -> Expr {
        match self.counter() {
            Some(counter) if self.choices.chance(75) => counter,
            _ => self.readable(&INT).unwrap_or_else(|| self.int(3)),
        }
    }

    /// A condition that changes with the iterations, in one of the ways that traces notice.
    pub(super) fn phase(&mut self) -> Expr {
        let i = self.running();
        let k = *self.choices.pick(&[3, 1, 2, 4, 5, 7, 9, 12, 20, 33]);
        let k = self.int(k);
        match self.choices.below(8) {
            0 => both(Binary::Lt, i, k),
            1 => both(Binary::Gt, i, k),
            2 => both(Binary::Eq, i, k),
            3 => {
                let (m, r) = (self.choices.within(2, 5), self.choices.within(0, 2));
                both(Binary::Eq, both(Binary::Rem, i, self.int(m)), self.int(r))
            }
            4 => {
                let mask = *self.choices.pick(&[1, 2, 4, 3]);
                both(Binary::Ne, both(Binary::And, i, self.int(mask)), self.int(0))
            }
            5 => self.readable(&Type::Bool).unwrap_or(Expr::Bool(true)),
            6 => match self.readable(&INT) {
                Some(other) => both(Binary::Ge, i, other),
                None => both(Binary::Ge, i, k),
            },
            _ => self.expr(&Type::Bool, 2),
        }
    }

    /// One statement of those that traces get wrong.
    pub(super) fn hot_statement(&mut self, body: &mut Block, depth: usize) {
        let deep = depth >= 6;
        let nested = |weight: usize| if deep { 0 } else { weight };
        match self.choices.weighted(&[
            (5, 0),
            (4, 1),
            (4, 2),
            (nested(6), 3),
            (7, 4),
            (nested(2), 5),
            (4, 6),
            (2, 7),
            (2, 8),
            (2, 9),
            (3, 10),
            (2, 11),
            (nested(4), 12),
            (1, 13),
            (3, 14),
            (2, 15),
            (1, 16),
        ]) {
            0 => self.update(body),
            1 => self.assignment(body),
            2 => self.rotate(body),
            3 => {
                let condition = self.phase();
                let then = self.hot_side(depth);
                let otherwise = if self.choices.chance(50) { self.hot_side(depth) } else { Vec::new() };
                body.push(Statement::If(condition, then, otherwise));
            }
            4 => self.array_access(body),
            5 => self.hot_loop(body, depth),
            6 => self.variants(body, depth),
            7 => self.leave_when(body),
            8 => self.texts(body),
            9 => self.late_error(body),
            10 => self.call_statement(body),
            11 => self.collection(body),
            12 => self.statement(body, depth),
            13 => self.pressure(body),
            14 => self.guarded(body),
            15 => self.matrix_access(body),
            _ => self.world(body),
        }
    }

    /// An element behind a test of its index.
    fn guarded(&mut self, body: &mut Block) {
        let arrays: Vec<Known> = self
            .scope
            .iter()
            .filter(|k| k.mutable && k.frozen != Frozen::All && k.ty.element().is_some_and(|e| self.plain(e)))
            .cloned()
            .collect();
        if arrays.is_empty() {
            return self.update(body);
        }
        let array = self.choices.pick(&arrays).clone();
        let Some(element) = array.ty.element().cloned() else { return };
        let (i, offset, scale) = (self.running(), self.choices.within(-3, 3), self.choices.within(1, 3));
        let index = match self.choices.below(4) {
            0 => i,
            1 => both(Binary::Add, i, self.int(offset)),
            2 => both(Binary::Mul, i, self.int(scale)),
            _ => both(Binary::Add, both(Binary::Mul, i, self.int(scale)), self.running()),
        };
        let length = Expr::Library(Library::Length, vec![Expr::Var(array.var)]);
        let place = Place { root: array.var, steps: vec![Step::Index(index.clone())] };
        let below = both(Binary::Lt, index.clone(), length.clone());
        let value = self.arg(&element, 3);
        let assign = Statement::Assign { place, value, spelling: Spelling::Equals };
        let leaves = self.loops.last().is_some();
        if leaves && self.choices.chance(40) {
            let above = both(Binary::Ge, index.clone(), length);
            let outside = both(Binary::Either, above, both(Binary::Lt, index, self.int(0)));
            body.push(Statement::If(outside, vec![Statement::Break(None)], Vec::new()));
            body.push(assign);
        } else {
            let inside = both(Binary::Both, both(Binary::Ge, index, self.int(0)), below);
            body.push(Statement::If(inside, vec![assign], Vec::new()));
        }
    }

    /// Reads and writes of a table of tables.
    fn matrix_access(&mut self, body: &mut Block) {
        let tables: Vec<Known> = self
            .scope
            .iter()
            .filter(|k| k.mutable && k.frozen == Frozen::No && k.length.is_some())
            .filter(|k| k.ty.element().and_then(Type::element).is_some_and(|e| self.plain(e)))
            .cloned()
            .collect();
        let Some(table) = tables.first().cloned() else { return self.array_access(body) };
        let Some(element) = table.ty.element().and_then(Type::element).cloned() else { return };
        let row_of = |g: &mut Self| {
            let i = g.running();
            if g.style.faults && g.choices.chance(10) { i } else { both(Binary::And, i, g.int(3)) }
        };
        let place = |g: &mut Self| (row_of(g), row_of(g));
        let (row, column) = place(self);
        let read = |(row, column)| {
            let row = Expr::Index(Box::new(Expr::Var(table.var)), Box::new(row));
            Expr::Index(Box::new(row), Box::new(column))
        };
        let value = if self.choices.chance(50) { read(place(self)) } else { self.arg(&element, 3) };
        let place = Place { root: table.var, steps: vec![Step::Index(row), Step::Index(column)] };
        let number = matches!(element, Type::Int(_) | Type::F64 | Type::F32);
        body.push(if number && self.choices.chance(50) {
            Statement::Update { place, op: *self.choices.pick(&[Binary::Add, Binary::Sub, Binary::Mul]), value }
        } else {
            Statement::Assign { place, value, spelling: Spelling::Equals }
        });
    }

    /// What goes on outside: a line is read, a value printed, the program ends.
    fn world(&mut self, body: &mut Block) {
        let statement = match self.choices.below(5) {
            0 | 1 => {
                let known = self.declare(Type::Option(Box::new(Type::Text)), false);
                let statement = Statement::ReadLine(known.var);
                self.scope.push(known);
                return body.push(statement);
            }
            2 => Statement::Exit(self.choices.below(4) as u8),
            _ => {
                let ty = self.scalar_type();
                Statement::Print(vec![self.readable(&ty).unwrap_or(Expr::Bool(true))])
            }
        };
        let condition = self.phase();
        body.push(Statement::If(condition, vec![statement], Vec::new()));
    }

    fn hot_side(&mut self, depth: usize) -> Block {
        self.scoped(|g| {
            let mut body = Vec::new();
            for _ in 0..1 + g.choices.below(2) {
                if g.budget == 0 {
                    break;
                }
                g.budget -= 1;
                g.hot_statement(&mut body, depth + 1);
            }
            body
        })
    }

    /// Variables that may be assigned as a whole.
    fn assignable(&self, fits: impl Fn(&Type) -> bool) -> Vec<Known> {
        self.scope
            .iter()
            .filter(|k| k.mutable && !k.reserved && k.frozen == Frozen::No && k.length.is_none())
            .filter(|k| fits(&k.ty))
            .cloned()
            .collect()
    }

    /// Two to four variables exchange their values.
    fn rotate(&mut self, body: &mut Block) {
        let all = self.assignable(|ty| !matches!(ty, Type::Map(..) | Type::Builder | Type::Slice(_)));
        if all.is_empty() {
            return;
        }
        let ty = self.choices.pick(&all).ty.clone();
        let mut alike: Vec<Known> = all.into_iter().filter(|k| k.ty == ty).collect();
        let most = 2 + self.choices.below(3);
        while alike.len() > most {
            alike.remove(self.choices.below(alike.len()));
        }
        let [first, rest @ ..] = &alike[..] else { return };
        if rest.is_empty() {
            return self.update(body);
        }
        let kept = self.declare(ty.clone(), false);
        let value = Some(Expr::Var(first.var));
        body.push(Statement::Let { var: kept.var, ty: ty.clone(), mutable: false, annotated: false, value });
        let (mut to, spelling) = (first, *self.choices.pick(&[Spelling::Set, Spelling::Equals]));
        for from in rest {
            let mut value = Expr::Var(from.var);
            if matches!(ty, Type::Int(_) | Type::F64 | Type::F32) && self.choices.chance(30) {
                value = both(Binary::Add, value, Expr::Var(to.var));
            }
            body.push(Statement::Assign { place: whole(to), value, spelling });
            to = from;
        }
        body.push(Statement::Assign { place: whole(to), value: Expr::Var(kept.var), spelling });
    }

    /// An index made of counters: in range, or at the edge of it.
    fn hot_index(&mut self, array: &Known) -> Option<Expr> {
        let n = array.length;
        let i = self.running();
        if let Some(n) = n.filter(|&n| n > 0 && !self.choices.chance(if self.style.faults { 15 } else { 1 })) {
            let (scale, offset) = (self.choices.within(1, 5), self.choices.within(-3, 3));
            let j = self.running();
            let index = match self.choices.below(6) {
                0 => return self.index_of(array),
                1 => both(Binary::Add, i, self.int(offset)),
                2 => both(Binary::Mul, i, self.int(scale)),
                3 => both(Binary::Add, both(Binary::Mul, i, self.int(scale)), j),
                4 => both(Binary::Sub, self.int(n as i64 - 1), i),
                _ => i,
            };
            if n.is_power_of_two() {
                return Some(both(Binary::And, index, self.int(n as i64 - 1)));
            }
            let divisor = Expr::Int { value: n as i128, kind: IntKind::U64, bare: true };
            return Some(both(Binary::Rem, Expr::Cast(Box::new(index), Type::Int(IntKind::U64)), divisor));
        }
        let known = self.index_of(array);
        if !self.style.faults || self.choices.chance(60) {
            return known;
        }
        let offset = self.choices.within(-2, 3);
        Some(match (self.choices.below(4), known) {
            (0, Some(known)) => both(Binary::Add, as_int(known), self.int(offset)),
            (1, _) => both(Binary::Sub, self.int(n.unwrap_or(3) as i64 - 1), i),
            (2, _) => both(Binary::Add, i, self.int(offset)),
            _ => i,
        })
    }

    /// Reads and writes of elements.
    fn array_access(&mut self, body: &mut Block) {
        let arrays: Vec<Known> =
            self.scope.iter().filter(|k| k.ty.element().is_some_and(|e| self.plain(e))).cloned().collect();
        if arrays.is_empty() {
            return self.update(body);
        }
        let array = self.choices.pick(&arrays).clone();
        let Some(element) = array.ty.element().cloned() else { return };
        let Some(index) = self.hot_index(&array) else { return self.update(body) };
        let read = |index| Expr::Index(Box::new(Expr::Var(array.var)), Box::new(index));
        let number = matches!(element, Type::Int(_) | Type::F64 | Type::F32);
        if array.mutable && array.frozen != Frozen::All && self.choices.chance(65) {
            let place = Place { root: array.var, steps: vec![Step::Index(index)] };
            let spelling = *self.choices.pick(&[Spelling::Set, Spelling::Equals]);
            match self.choices.below(4) {
                0 if number => {
                    let op = *self.choices.pick(&[Binary::Add, Binary::Mul, Binary::Sub]);
                    let value = self.arg(&element, 3);
                    body.push(Statement::Update { place, op, value });
                }
                1 if number => {
                    // Of the neighbours.
                    let (Some(a), Some(b)) = (self.hot_index(&array), self.hot_index(&array)) else { return };
                    let value = both(*self.choices.pick(&[Binary::Add, Binary::Sub]), read(a), read(b));
                    body.push(Statement::Assign { place, value, spelling });
                }
                _ => {
                    let value = self.arg(&element, 2);
                    body.push(Statement::Assign { place, value, spelling });
                }
            }
            return;
        }
        // Into a variable of the type, or one that is new.
        let targets = self.assignable(|ty| *ty == element);
        if targets.is_empty() {
            let known = self.declare(element.clone(), false);
            let value = Some(read(index));
            body.push(Statement::Let { var: known.var, ty: element, mutable: false, annotated: false, value });
            self.scope.push(known);
            return;
        }
        let target = self.choices.pick(&targets).clone();
        if number && self.choices.chance(60) {
            let op = *self.choices.pick(&[Binary::Add, Binary::Sub, Binary::Mul]);
            body.push(Statement::Update { place: whole(&target), op, value: read(index) });
        } else {
            body.push(Statement::Assign { place: whole(&target), value: read(index), spelling: Spelling::Equals });
        }
    }

    /// An option, union or function value changes with the iterations, and is looked at.
    fn variants(&mut self, body: &mut Block, depth: usize) {
        let all = self.assignable(|ty| matches!(ty, Type::Option(_) | Type::Union(_) | Type::Lambda(..)));
        if all.is_empty() {
            return self.update(body);
        }
        let known = self.choices.pick(&all).clone();
        let ty = known.ty.clone();
        if self.choices.chance(65) {
            let condition = self.phase();
            let place = whole(&known);
            let set = |value| Statement::Assign { place: place.clone(), value, spelling: Spelling::Set };
            let then = vec![set(self.changed(&known, &ty))];
            let otherwise = if self.choices.chance(60) { vec![set(self.changed(&known, &ty))] } else { Vec::new() };
            body.push(Statement::If(condition, then, otherwise));
        }
        if depth < 6 && !matches!(ty, Type::Lambda(..)) && self.choices.chance(70) {
            self.choose_statement(body, depth);
        } else {
            self.update(body);
        }
    }

    /// `break`, `continue` or `return` in some iteration.
    fn leave_when(&mut self, body: &mut Block) {
        let condition = self.phase();
        if let Some(statement) = self.leaving() {
            body.push(Statement::If(condition, vec![statement], Vec::new()));
        }
    }

    fn texts(&mut self, body: &mut Block) {
        let builders: Vec<Known> = self.scope.iter().filter(|k| k.ty == Type::Builder).cloned().collect();
        if !builders.is_empty() && self.choices.chance(60) {
            let builder = self.choices.pick(&builders).clone();
            let ty = if self.choices.chance(40) { Type::Text } else { self.scalar_type() };
            let value = self.readable(&ty).unwrap_or_else(|| self.literal(&ty));
            body.push(Statement::Append(whole(&builder), value));
            return;
        }
        let texts = self.assignable(|ty| *ty == Type::Text);
        if texts.is_empty() {
            return self.update(body);
        }
        let text = self.choices.pick(&texts).clone();
        let ty = self.scalar_type();
        let value = self.readable(&ty).unwrap_or_else(|| self.literal(&ty));
        let value = Expr::Library(Library::ToString, vec![value]);
        body.push(if self.choices.chance(50) {
            Statement::Update { place: whole(&text), op: Binary::Add, value }
        } else {
            Statement::Assign { place: whole(&text), value, spelling: Spelling::Set }
        });
        let length = Expr::Library(Library::Length, vec![Expr::Var(text.var)]);
        let clear =
            Statement::Assign { place: whole(&text), value: Expr::Text(String::new()), spelling: Spelling::Equals };
        body.push(Statement::If(both(Binary::Gt, length, self.int(40)), vec![clear], Vec::new()));
    }

    /// What may go wrong in one iteration only.
    pub(super) fn late_error(&mut self, body: &mut Block) {
        if !self.style.faults || self.choices.chance(50) {
            return self.array_access(body);
        }
        let targets = self.assignable(|ty| matches!(ty, Type::Int(_)));
        if targets.is_empty() {
            return self.array_access(body);
        }
        let target = self.choices.pick(&targets).clone();
        let (i, k) = (self.running(), self.choices.within(2, 14));
        let mut divisor = both(Binary::Sub, i, self.int(k));
        if target.ty != INT {
            divisor = Expr::Cast(Box::new(divisor), target.ty.clone());
        }
        let value = self.expr(&target.ty, 3);
        let op = *self.choices.pick(&[Binary::Div, Binary::Rem]);
        let value = both(op, value, divisor);
        body.push(Statement::Assign { place: whole(&target), value, spelling: Spelling::Set });
    }

    /// Everything in scope is used at once.
    fn pressure(&mut self, body: &mut Block) {
        let targets = self.assignable(|ty| matches!(ty, Type::Int(_) | Type::F64 | Type::F32));
        for target in targets {
            let op = *self.choices.pick(&[Binary::Add, Binary::Sub, Binary::Mul]);
            let value = self.readable(&target.ty).unwrap_or_else(|| self.literal(&target.ty));
            body.push(Statement::Update { place: whole(&target), op, value });
        }
    }
}
