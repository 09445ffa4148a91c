//! Statements, and the bodies they make.

use super::expression::{bared, self_typed};
use super::places::as_int;
use super::{Around, Frozen, Generator, Known};
use crate::tree::*;

impl Generator {
    /// Statements until the budget is spent or chance ends them.
    pub(super) fn statements(&mut self, body: &mut Block, depth: usize) {
        let most = if depth == 0 { 40 } else { 1 + self.choices.below(4) };
        for _ in 0..most {
            if self.budget == 0 {
                break;
            }
            self.budget -= 1;
            self.statement(body, depth);
            let leaves =
                matches!(body.last(), Some(Statement::Return(_) | Statement::Break(_) | Statement::Continue(_)));
            if leaves {
                break;
            }
        }
    }

    /// A body of its own scope.
    pub(super) fn body(&mut self, depth: usize) -> Block {
        self.scoped(|g| {
            let mut body = Vec::new();
            g.statements(&mut body, depth + 1);
            body
        })
    }

    fn looped(&mut self, label: Option<u32>, continues: bool, depth: usize) -> Block {
        self.loops.push(Around { label, continues, counter: None });
        let body = self.body(depth);
        self.loops.pop();
        body
    }

    pub(super) fn declaration(&mut self) -> Statement {
        let ty = self.variable_type();
        let mutable = self.choices.chance(70);
        self.declare_with(ty, mutable)
    }

    pub(super) fn declare_with(&mut self, ty: Type, mutable: bool) -> Statement {
        let mut known = self.declare(ty.clone(), mutable);
        let value = match &ty {
            // Arrays that nothing reshapes are what loops index.
            Type::Array(element) if self.choices.chance(50) => {
                let n = *self.choices.pick(&[8, 4, 16, 5, 1, 12, 32]);
                known.length = Some(n);
                let value = self.arg(element, 3);
                Some(Expr::Filled((**element).clone(), Box::new(self.int(n as i64)), Box::new(value)))
            }
            ty if mutable && self.has_zero(ty) && self.choices.chance(25) => None,
            ty => {
                let value = self.expr(ty, 1);
                Some(if self.choices.chance(40) { bared(value) } else { value })
            }
        };
        let annotated = value.as_ref().is_none_or(|v| !self_typed(v)) || self.choices.chance(40);
        let var = known.var;
        self.scope.push(known);
        Statement::Let { var, ty, mutable, annotated, value }
    }

    pub(super) fn statement(&mut self, body: &mut Block, depth: usize) {
        if self.style.hot && self.choices.chance(35) {
            return self.hot_statement(body, depth);
        }
        let deep = depth >= 4;
        let nested = |weight: usize| if deep { 0 } else { weight };
        match self.choices.weighted(&[
            (6, 0),
            (8, 1),
            (5, 2),
            (nested(6), 3),
            (nested(6), 4),
            (nested(2), 5),
            (nested(2), 6),
            (nested(4), 7),
            (nested(3), 8),
            (nested(2), 9),
            (4, 10),
            (3, 11),
            (2, 12),
            (1, 13),
            (2, 14),
            (4, 15),
        ]) {
            0 => {
                let statement = self.declaration();
                body.push(statement);
            }
            1 => self.assignment(body),
            2 => self.update(body),
            3 => {
                let condition = self.expr(&Type::Bool, 1);
                let then = self.body(depth);
                let otherwise = if self.choices.chance(40) { self.body(depth) } else { Vec::new() };
                body.push(Statement::If(condition, then, otherwise));
            }
            4 => self.range(body, depth),
            5 => {
                let mut fuel = self.declare(INT, false);
                fuel.reserved = true;
                let var = fuel.var;
                self.scope.push(fuel);
                let label = self.label();
                let condition = self.expr(&Type::Bool, 2);
                let inner = self.looped(label, true, depth);
                body.push(Statement::While { fuel: var, most: 8, condition, body: inner, label });
            }
            6 => {
                let mut fuel = self.declare(INT, false);
                fuel.reserved = true;
                let var = fuel.var;
                self.scope.push(fuel);
                let label = self.label();
                let inner = self.looped(label, true, depth);
                body.push(Statement::Repeat { fuel: var, most: 8, body: inner, label });
            }
            7 => self.each(body, depth),
            8 => self.choose_statement(body, depth),
            9 => {
                let ty = match self.choices.below(3) {
                    0 => Type::Text,
                    1 => Type::Int(self.int_kind()),
                    _ => INT,
                };
                let subject = self.expr(&ty, 2);
                let mut seen = Vec::new();
                let mut cases = Vec::new();
                for _ in 0..1 + self.choices.below(3) {
                    let mut values: Vec<Expr> = (0..1 + self.choices.below(2)).map(|_| self.literal(&ty)).collect();
                    values.retain(|value| {
                        let new = !seen.contains(value);
                        seen.extend(new.then(|| value.clone()));
                        new
                    });
                    let inner = self.body(depth);
                    if !values.is_empty() {
                        cases.push((values, inner));
                    }
                }
                let otherwise = self.body(depth);
                body.push(Statement::Match(subject, cases, otherwise));
            }
            10 => self.collection(body),
            11 => self.call_statement(body),
            12 => self.leave(body),
            13 => {
                let inner = self.body(depth);
                body.push(Statement::Block(inner));
            }
            14 => {
                let ty = self.value_type(0);
                let values = (0..1 + self.choices.below(2)).map(|_| self.expr(&ty, 2)).collect::<Vec<_>>();
                if values.iter().all(self_typed) {
                    body.push(Statement::Print(values));
                }
            }
            _ => self.assignment(body),
        }
    }

    pub(super) fn label(&mut self) -> Option<u32> {
        self.choices.chance(20).then(|| self.fresh())
    }

    pub(super) fn assignment(&mut self, body: &mut Block) {
        let ty = self.assignable_type();
        let Some(found) = self.writable(&ty) else { return };
        let value = self.arg(&ty, 1);
        let spelling = *self.choices.pick(&[Spelling::Set, Spelling::Equals]);
        body.push(Statement::Assign { place: found.place, value, spelling });
    }

    /// The type of some variable, field or element in scope.
    fn assignable_type(&mut self) -> Type {
        let types: Vec<Type> = self.scope.iter().filter(|k| k.mutable && !k.reserved).map(|k| k.ty.clone()).collect();
        if types.is_empty() {
            return INT;
        }
        let mut ty = self.choices.pick(&types).clone();
        for _ in 0..3 {
            if !self.choices.chance(50) {
                break;
            }
            ty = match ty {
                Type::Array(element) | Type::Slice(element) => *element,
                Type::Struct(number) => self.choices.pick(&self.program.structs[number].fields).clone(),
                other => other,
            };
        }
        if matches!(ty, Type::Slice(_)) { ty.element().cloned().unwrap_or(INT) } else { ty }
    }

    pub(super) fn update(&mut self, body: &mut Block) {
        use Binary::*;
        let mut ty = self.assignable_type();
        if !matches!(ty, Type::Int(_) | Type::F64 | Type::F32 | Type::Text) {
            ty = INT;
        }
        let Some(found) = self.writable(&ty) else { return };
        let op = match &ty {
            Type::Int(_) => *self.choices.pick(&[Add, Sub, Mul, And, Or]),
            Type::Text => Add,
            _ => *self.choices.pick(&[Add, Sub, Mul, Div]),
        };
        let value = self.arg(&ty, 2);
        body.push(Statement::Update { place: found.place, op, value });
    }

    fn range(&mut self, body: &mut Block, depth: usize) {
        let label = self.label();
        // Over the indexes of an array.
        let arrays: Vec<Known> =
            self.scope.iter().filter(|k| matches!(k.ty, Type::Array(_) | Type::Slice(_))).cloned().collect();
        if !arrays.is_empty() && self.choices.chance(60) {
            let array = self.choices.pick(&arrays).clone();
            let mut index = self.declare(INT, false);
            index.indexes = Some(array.var);
            index.below = array.length;
            index.reserved = true;
            let var = index.var;
            let inner = self.frozen(Some(array.var), Frozen::Shape, |g| {
                g.scope.push(index);
                g.looped(label, true, depth)
            });
            let high = Expr::Library(Library::Length, vec![Expr::Var(array.var)]);
            let low = self.choices.chance(30).then(|| self.int(0));
            body.push(Statement::Range { var, kind: IntKind::I64, low, high, closed: false, body: inner, label });
            return;
        }
        let kind = if self.choices.chance(25) { self.int_kind() } else { IntKind::I64 };
        let signed = crate::value::bounds(kind).0 < 0;
        let low = self.choices.chance(40).then(|| self.choices.within(if signed { -4 } else { 0 }, 4));
        let closed = low.is_some() && self.choices.chance(30);
        let high = self.choices.within(0, 9);
        let mut index = self.declare(Type::Int(kind), false);
        index.reserved = true;
        if kind == IntKind::I64 && low.unwrap_or(0) >= 0 {
            index.below = Some(high as usize + usize::from(closed));
        }
        let var = index.var;
        let inner = self.scoped(|g| {
            g.scope.push(index);
            g.looped(label, true, depth)
        });
        let low = low.map(|low| self.int(low));
        let high = self.int(high);
        body.push(Statement::Range { var, kind, low, high, closed, body: inner, label });
    }

    pub(super) fn each(&mut self, body: &mut Block, depth: usize) {
        let label = self.label();
        let subjects: Vec<Known> = self
            .scope
            .iter()
            .filter(|k| matches!(k.ty, Type::Array(_) | Type::Slice(_) | Type::Map(..) | Type::Text))
            .cloned()
            .collect();
        if subjects.is_empty() {
            return;
        }
        let subject = self.choices.pick(&subjects).clone();
        let (item, second, how) = match &subject.ty {
            Type::Array(element) | Type::Slice(element) => ((**element).clone(), None, Frozen::Shape),
            Type::Map(key, value) => ((**key).clone(), Some((**value).clone()), Frozen::All),
            _ => (Type::Char, None, Frozen::All),
        };
        let mut bindings = Vec::new();
        for ty in [Some(item), second].into_iter().flatten() {
            let mut known = self.declare(ty, false);
            known.reserved = true;
            bindings.push(known);
        }
        let var = bindings[0].var;
        let value = bindings.get(1).map(|k| k.var);
        let inner = self.frozen(Some(subject.var), how, |g| {
            g.scope.extend(bindings);
            g.looped(label, true, depth)
        });
        body.push(Statement::Each { var, value, of: Expr::Var(subject.var), body: inner, label });
    }

    pub(super) fn choose_statement(&mut self, body: &mut Block, depth: usize) {
        let subjects: Vec<Known> =
            self.scope.iter().filter(|k| matches!(k.ty, Type::Option(_) | Type::Union(_))).cloned().collect();
        if subjects.is_empty() {
            return;
        }
        let subject = self.choices.pick(&subjects).clone();
        let mut arms = Vec::new();
        for (pattern, bindings) in self.patterns(&subject.ty) {
            let arm = self.frozen(Some(subject.var), Frozen::All, |g| {
                g.scope.extend(bindings);
                g.body(depth)
            });
            arms.push((pattern, arm));
        }
        let otherwise = (arms.len() > 1 && self.choices.chance(25)).then(|| arms.pop().map(|(_, body)| body));
        // An arm's bindings are not in scope of `else`: a body of its own.
        let otherwise = otherwise.map(|_| self.body(depth));
        body.push(Statement::Choose(Expr::Var(subject.var), arms, otherwise));
    }

    pub(super) fn collection(&mut self, body: &mut Block) {
        let candidates: Vec<Known> = self
            .scope
            .iter()
            .filter(|k| k.mutable && !k.reserved && k.frozen == Frozen::No)
            .filter(|k| matches!(k.ty, Type::Array(_) | Type::Map(..)))
            .cloned()
            .collect();
        if candidates.is_empty() {
            return;
        }
        let known = self.choices.pick(&candidates).clone();
        let place = Place { root: known.var, steps: Vec::new() };
        match &known.ty {
            Type::Map(key, value) => match self.choices.weighted(&[(6, 0), (2, 1), (1, 2)]) {
                0 => {
                    let (key, value) = (self.arg(key, 2), self.arg(value, 2));
                    body.push(Statement::MapSet(place, key, value));
                }
                1 => {
                    let key = self.arg(key, 2);
                    let removed = self.declare(Type::Bool, false);
                    body.push(Statement::MapRemove(removed.var, place, key));
                    self.scope.push(removed);
                }
                _ => body.push(Statement::Clear(place)),
            },
            Type::Array(element) if known.length.is_some() => {
                // `swap` takes an `int` where `[…]` takes any integer.
                let [i, j] = [(); 2].map(|()| self.index_of(&known).map(as_int));
                match (self.choices.below(3), i, j) {
                    (0, Some(i), Some(j)) => body.push(Statement::Swap(place, i, j)),
                    (1, ..) if matches!(**element, Type::Int(_)) => body.push(Statement::Sort(place)),
                    _ => body.push(Statement::Reverse(place)),
                }
            }
            Type::Array(element) => match self.choices.weighted(&[(6, 0), (2, 1), (1, 2), (1, 3), (1, 4)]) {
                0 => {
                    let value = self.arg(element, 2);
                    body.push(Statement::Push(place, value));
                }
                1 => {
                    let popped = self.declare(Type::Option(element.clone()), false);
                    body.push(Statement::Pop(popped.var, place));
                    if !matches!(**element, Type::Option(_)) {
                        self.scope.push(popped);
                    }
                }
                2 => {
                    let value = self.arg(element, 2);
                    let zero = self.int(0);
                    body.push(Statement::Insert(place, zero, value));
                }
                3 => body.push(Statement::Clear(place)),
                _ if self.style.faults => {
                    let index = self.int(1);
                    let removed = self.declare((**element).clone(), false);
                    body.push(Statement::Remove(removed.var, place, index));
                    self.scope.push(removed);
                }
                _ => body.push(Statement::Reverse(place)),
            },
            _ => {}
        }
    }

    pub(super) fn call_statement(&mut self, body: &mut Block) {
        let candidates: Vec<usize> =
            (0..self.program.routines.len()).filter(|&r| self.effectful(r) && self.finished(r)).collect();
        if candidates.is_empty() {
            return self.assignment(body);
        }
        let number = *self.choices.pick(&candidates);
        let Some(call) = self.call_of(number, 1) else { return };
        match self.program.routines[number].result.clone() {
            None => body.push(Statement::Call(call)),
            Some(ty) => {
                // What stands before the call is read before it, what stands behind after it.
                let value = match &ty {
                    Type::Int(_) | Type::F64 | Type::F32 if self.choices.chance(50) => {
                        let before = self.readable(&ty).unwrap_or_else(|| self.literal(&ty));
                        let behind = self.readable(&ty).unwrap_or_else(|| self.literal(&ty));
                        let sum = Expr::Binary(Binary::Sub, Box::new(before), Box::new(call));
                        Expr::Binary(Binary::Sub, Box::new(sum), Box::new(behind))
                    }
                    _ => call,
                };
                let known = self.declare(ty.clone(), true);
                let annotated = self.choices.chance(50);
                body.push(Statement::Let { var: known.var, ty, mutable: true, annotated, value: Some(value) });
                self.scope.push(known);
            }
        }
    }

    /// `break`, `continue` or `return`, behind a condition.
    fn leave(&mut self, body: &mut Block) {
        let condition = self.expr(&Type::Bool, 2);
        if let Some(statement) = self.leaving() {
            body.push(Statement::If(condition, vec![statement], Vec::new()));
        }
    }

    /// A statement that leaves a loop, or the routine.
    pub(super) fn leaving(&mut self) -> Option<Statement> {
        Some(match (self.loops.is_empty(), self.choices.below(3)) {
            (false, 0 | 1) => {
                let around = *self.choices.pick(&self.loops.clone());
                let innermost = self.loops.last().copied();
                let (target, label) = match around.label {
                    Some(label) => (Some(around), Some(label)),
                    None => (innermost, None),
                };
                if target.is_some_and(|a| a.continues) && self.choices.chance(50) {
                    Statement::Continue(label)
                } else {
                    Statement::Break(label)
                }
            }
            _ => match self.result.clone() {
                Some(Some(ty)) => Statement::Return(Some(self.arg(&ty, 2))),
                Some(None) => Statement::Return(None),
                None => return None,
            },
        })
    }
}
