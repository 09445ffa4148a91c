//! Routines that call themselves or one another, and routines around loops.

use super::{Frozen, Generator, Known};
use crate::tree::*;

fn both(op: Binary, a: Expr, b: Expr) -> Expr {
    Expr::Binary(op, Box::new(a), Box::new(b))
}

/// What a routine is made of while its body is.
struct Draft {
    number: usize,
    depth: Var,
    params: Vec<Param>,
    result: Type,
}

/// A routine that calls itself.
struct Own<'a> {
    number: usize,
    depth: Var,
    params: &'a [Param],
    result: &'a Type,
}

impl Own<'_> {
    /// Whether its results can be added.
    fn counts(&self) -> bool {
        matches!(self.result, Type::Int(_) | Type::F64 | Type::F32)
    }
}

impl Generator {
    pub(super) fn hot_routines(&mut self) {
        for _ in 0..self.choices.below(3) {
            match self.choices.weighted(&[(3, 0), (3, 1), (3, 2), (3, 3)]) {
                0 => self.family(1),
                1 => self.family(2),
                2 => self.branching(),
                _ => self.loop_routine(),
            }
        }
    }

    /// Routines that call one another: one itself, or two in turn.
    fn family(&mut self, size: usize) {
        let result = match self.choices.weighted(&[(4, 0), (3, 1), (2, 2)]) {
            0 => INT,
            1 => self.scalar_type(),
            _ => self.value_type(1),
        };
        let mut types = Vec::new();
        for _ in 0..self.choices.below(3) {
            types.push(match self.choices.weighted(&[(4, 0), (2, 1), (2, 2), (1, 3)]) {
                0 => (self.scalar_type(), Passing::Value),
                1 => (Type::Slice(Box::new(self.scalar_type())), Passing::WrittenView),
                2 => (self.value_type(0), Passing::InPlace),
                _ => (self.lambda_type(), Passing::Value),
            });
        }
        // A changed parameter is one in every member, since each hands it on.
        let procedure = types.iter().any(|(_, passing)| *passing != Passing::Value);
        let mut members = Vec::new();
        for _ in 0..size {
            let depth = self.fresh();
            let mut params = vec![Param { var: depth, ty: INT, passing: Passing::Value }];
            for (ty, passing) in &types {
                params.push(Param { var: self.fresh(), ty: ty.clone(), passing: *passing });
            }
            let draft = Routine::free(params.clone(), Some(result.clone()), Vec::new(), procedure);
            let number = self.add_routine(draft, true);
            self.linear.push(number);
            members.push(Draft { number, depth, params, result: result.clone() });
        }
        for at in 0..size {
            let next = members[(at + 1) % size].number;
            let body = self.member(&members[at], next);
            self.program.routines[members[at].number].body = body;
        }
    }

    fn member(&mut self, draft: &Draft, next: usize) -> Block {
        let outer = std::mem::take(&mut self.scope);
        let loops = std::mem::take(&mut self.loops);
        self.enter(&draft.params);
        self.result = Some(Some(draft.result.clone()));
        self.budget = 1 + self.choices.below(5);
        let mut body = Vec::new();
        let bottom = self.choices.within(0, 2);
        let condition = both(Binary::Le, Expr::Var(draft.depth), self.int(bottom));
        let base = self.arg(&draft.result, 3);
        body.push(Statement::If(condition, vec![Statement::Return(Some(base))], Vec::new()));
        self.write_params(&draft.params, &mut body);
        for _ in 0..self.choices.below(3) {
            self.hot_statement(&mut body, 3);
        }
        let number = matches!(draft.result, Type::Int(_) | Type::F64 | Type::F32);
        let call = |g: &mut Self, by: i64, number: usize| {
            let args = draft.params.iter().enumerate().map(|(at, param)| match param.passing {
                Passing::Value if at == 0 => both(Binary::Sub, Expr::Var(draft.depth), g.int(by)),
                Passing::Value if matches!(param.ty, Type::Lambda(..)) => Expr::Var(param.var),
                Passing::Value => g.arg(&param.ty, 3),
                _ => Expr::Var(param.var),
            });
            Expr::Call(number, args.collect())
        };
        // The result of the call is kept: what is live over it has to survive.
        let first = call(self, 1, next);
        let mut kept = self.declare(draft.result.clone(), true);
        kept.reserved = true;
        let ty = draft.result.clone();
        body.push(Statement::Let { var: kept.var, ty, mutable: false, annotated: false, value: Some(first) });
        kept.mutable = false;
        let kept_var = kept.var;
        self.scope.push(kept);
        let value = match self.choices.below(4) {
            0 => Expr::Var(kept_var),
            1 if number => {
                self.linear.clear();
                // Twice, as fib does.
                let number = if self.choices.chance(50) { draft.number } else { next };
                let again = call(self, 2, number);
                both(*self.choices.pick(&[Binary::Add, Binary::Sub]), Expr::Var(kept_var), again)
            }
            _ if number => {
                let other = self.readable(&draft.result).unwrap_or_else(|| self.literal(&draft.result));
                both(*self.choices.pick(&[Binary::Sub, Binary::Add, Binary::Mul]), Expr::Var(kept_var), other)
            }
            _ => Expr::Var(kept_var),
        };
        body.push(Statement::Return(Some(value)));
        self.result = None;
        self.scope = outer;
        self.loops = loops;
        body
    }

    /// A routine that calls itself several times, mostly without needing one result for another call, and changes nothing.
    fn branching(&mut self) {
        let number = self.program.routines.len();
        let result = if self.choices.chance(80) { self.scalar_type() } else { self.value_type(0) };
        let depth = self.fresh();
        let mut params = vec![Param { var: depth, ty: INT, passing: Passing::Value }];
        for _ in 0..self.choices.below(7) {
            let (ty, passing) = match self.choices.below(5) {
                0 => (Type::Slice(Box::new(self.scalar_type())), Passing::View),
                _ => (self.scalar_type(), Passing::Value),
            };
            params.push(Param { var: self.fresh(), ty, passing });
        }
        let routine = Routine {
            params: params.clone(),
            result: Some(result.clone()),
            body: Vec::new(),
            procedure: false,
            method_of: None,
            operator: None,
        };
        self.program.routines.push(routine);
        self.recursive.push(true);
        self.branching.push(number);
        let outer = std::mem::take(&mut self.scope);
        let loops = std::mem::take(&mut self.loops);
        self.enter(&params);
        self.result = Some(Some(result.clone()));
        self.budget = 1 + self.choices.below(3);
        let mut body = Vec::new();
        let bottom = self.choices.within(0, 2);
        let condition = both(Binary::Le, Expr::Var(depth), self.int(bottom));
        let base = self.arg(&result, 3);
        body.push(Statement::If(condition, vec![Statement::Return(Some(base))], Vec::new()));
        let own = Own { number, depth, params: &params, result: &result };
        let value =
            if self.choices.chance(50) { self.own_calls(&own, &mut body) } else { self.own_loop(&own, &mut body) };
        body.push(Statement::Return(Some(value)));
        self.result = None;
        self.scope = outer;
        self.loops = loops;
        self.program.routines[number].body = body;
    }

    /// Several calls of itself, one after the other; what comes of them.
    fn own_calls(&mut self, own: &Own<'_>, body: &mut Block) -> Expr {
        let mut results = Vec::new();
        for _ in 0..2 + self.choices.below(2) {
            self.perhaps_a_variable(body);
            results.push(Expr::Var(self.own_call(own, 1, body)));
        }
        let last = results.pop().unwrap_or_else(|| self.literal(own.result));
        if own.counts() {
            let op = *self.choices.pick(&[Binary::Add, Binary::Sub]);
            results.into_iter().fold(last, |value, other| both(op, value, other))
        } else {
            last
        }
    }

    /// Calls of itself in a loop, perhaps not in each iteration; what comes of them.
    fn own_loop(&mut self, own: &Own<'_>, body: &mut Block) -> Expr {
        let mut total = self.declare(own.result.clone(), true);
        total.reserved = true;
        let (total_var, ty) = (total.var, own.result.clone());
        let value = Some(self.arg(&ty, 2));
        body.push(Statement::Let { var: total_var, ty, mutable: true, annotated: true, value });
        self.scope.push(total);
        let scope = self.scope.len();
        let mut counter = self.declare(INT, false);
        counter.reserved = true;
        let var = counter.var;
        self.scope.push(counter);
        let mut inside = Vec::new();
        self.perhaps_a_variable(&mut inside);
        if self.choices.chance(40) {
            let condition = self.arg(&Type::Bool, 3);
            let way = match self.choices.below(3) {
                0 => Statement::Break(None),
                1 => Statement::Return(Some(self.arg(own.result, 2))),
                _ => Statement::Continue(None),
            };
            inside.push(Statement::If(condition, vec![way], Vec::new()));
        }
        let place = Place { root: total_var, steps: Vec::new() };
        for _ in 0..1 + self.choices.below(2) {
            let result = Expr::Var(self.own_call(own, 2, &mut inside));
            let assign = |value| Statement::Assign { place: place.clone(), value, spelling: Spelling::Equals };
            inside.push(match self.choices.below(3) {
                0 if own.counts() => {
                    let condition = both(Binary::Lt, Expr::Var(total_var), result.clone());
                    Statement::If(condition, vec![assign(result)], Vec::new())
                }
                1 | 2 if own.counts() => Statement::Update { place: place.clone(), op: Binary::Add, value: result },
                _ => assign(result),
            });
        }
        self.scope.truncate(scope);
        let high = self.choices.within(0, 4);
        let high = self.int(high);
        body.push(Statement::Range {
            var,
            kind: IntKind::I64,
            low: None,
            high,
            closed: false,
            body: inside,
            label: None,
        });
        Expr::Var(total_var)
    }

    fn perhaps_a_variable(&mut self, body: &mut Block) {
        if self.choices.chance(40) {
            let ty = self.scalar_type();
            let statement = self.declare_with(ty, false);
            body.push(statement);
        }
    }

    /// A call of itself, at least so much less deep; the variable that has its result.
    fn own_call(&mut self, own: &Own<'_>, least: i64, body: &mut Block) -> Var {
        let by = self.choices.within(least, 3);
        let mut args = vec![both(Binary::Sub, Expr::Var(own.depth), self.int(by))];
        for param in &own.params[1..] {
            args.push(if param.passing == Passing::View { Expr::Var(param.var) } else { self.arg(&param.ty, 3) });
        }
        let mut kept = self.declare(own.result.clone(), false);
        kept.reserved = true;
        let (var, ty) = (kept.var, own.result.clone());
        let value = Some(Expr::Call(own.number, args));
        body.push(Statement::Let { var, ty, mutable: false, annotated: false, value });
        self.scope.push(kept);
        var
    }

    /// A routine that is mostly a loop over what it is given.
    fn loop_routine(&mut self) {
        let number = self.program.routines.len();
        let mut params = Vec::new();
        for _ in 0..1 + self.choices.below(3) {
            let var = self.fresh();
            let (ty, passing) = match self.choices.below(5) {
                0 | 1 => (Type::Slice(Box::new(self.scalar_type())), Passing::WrittenView),
                2 => (Type::Slice(Box::new(self.scalar_type())), Passing::View),
                3 => (INT, Passing::Value),
                _ => (self.value_type(0), Passing::InPlace),
            };
            params.push(Param { var, ty, passing });
        }
        let result = if self.choices.chance(70) { Some(self.scalar_type()) } else { None };
        let mut routine =
            Routine { params, result, body: Vec::new(), procedure: true, method_of: None, operator: None };
        self.program.routines.push(routine.clone());
        self.recursive.push(false);
        let outer = std::mem::take(&mut self.scope);
        let loops = std::mem::take(&mut self.loops);
        self.enter(&routine.params);
        self.result = Some(routine.result.clone());
        self.budget = 3 + self.choices.below(8);
        let mut body = Vec::new();
        for _ in 0..1 + self.choices.below(3) {
            let ty = self.scalar_type();
            let statement = self.declare_with(ty, true);
            body.push(statement);
        }
        self.write_params(&routine.params, &mut body);
        self.hot_loop(&mut body, 1);
        if let Some(ty) = &routine.result {
            let value = self.arg(ty, 1);
            body.push(Statement::Return(Some(value)));
        }
        self.result = None;
        self.scope = outer;
        self.loops = loops;
        routine.body = body;
        self.program.routines[number] = routine;
    }

    /// Brings parameters into scope.
    pub(super) fn enter(&mut self, params: &[Param]) {
        for param in params {
            self.scope.push(Known {
                var: param.var,
                ty: param.ty.clone(),
                mutable: matches!(param.passing, Passing::InPlace | Passing::WrittenView),
                frozen: if param.passing == Passing::WrittenView { Frozen::Shape } else { Frozen::No },
                length: None,
                below: None,
                indexes: None,
                reserved: matches!(param.passing, Passing::Value | Passing::View),
            });
        }
    }

    /// How deep a recursion is begun: mostly so that it ends, or so that a small stack does.
    pub(super) fn recursion_depth(&mut self, number: usize) -> i64 {
        if !self.style.hot {
            return self.choices.within(0, 5);
        }
        // Depths multiply where such calls are nested, or in loops.
        let nested = self.result.is_some() || self.loops.len() > 1;
        if self.branching.contains(&number) {
            return self.choices.within(0, 11);
        }
        match self.choices.weighted(&[(12, 0), (2, 1), (if nested { 0 } else { 1 }, 2)]) {
            0 => self.choices.within(0, 9),
            1 => self.choices.within(10, 60),
            // What calls itself twice would take forever, and longer than the model can tell.
            _ if !self.linear.contains(&number) => self.choices.within(10, 200),
            _ => *self.choices.pick(&[100, 400, 900, 5_000, 30_000]),
        }
    }
}
