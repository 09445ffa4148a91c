//! Routines and calls of them.

use super::{Frozen, Generator, Known};
use crate::tree::*;

impl Generator {
    /// A routine that calls at most those before it, and itself on a smaller number.
    pub(super) fn routine(&mut self) {
        let number = self.program.routines.len();
        let method_of = (!self.program.structs.is_empty() && self.choices.chance(30))
            .then(|| self.choices.below(self.program.structs.len()));
        let recursive = method_of.is_none() && self.choices.chance(25);
        let procedure = self.choices.chance(45);
        let mut params = Vec::new();
        if let Some(owner) = method_of {
            let passing = if procedure { Passing::InPlace } else { Passing::Value };
            params.push(Param { var: self.fresh(), ty: Type::Struct(owner), passing });
        }
        if recursive {
            params.push(Param { var: self.fresh(), ty: INT, passing: Passing::Value });
        }
        for _ in 0..self.choices.below(4) {
            let param = self.param(procedure);
            params.push(param);
        }
        let result = if procedure && self.choices.chance(40) { None } else { Some(self.value_type(0)) };
        let mut routine = Routine { params, result, body: Vec::new(), procedure, method_of, operator: None };
        self.program.routines.push(routine.clone());
        self.recursive.push(recursive);

        let outer = std::mem::take(&mut self.scope);
        let loops = std::mem::take(&mut self.loops);
        self.enter(&routine.params);
        self.result = Some(routine.result.clone());
        self.budget = 2 + self.choices.below(10);
        let mut body = Vec::new();
        if recursive {
            let depth = routine.params[method_of.iter().count()].var;
            let condition = Expr::Binary(Binary::Le, Box::new(Expr::Var(depth)), Box::new(self.int(0)));
            let base = routine.result.clone().map(|ty| self.arg(&ty, 3));
            body.push(Statement::If(condition, vec![Statement::Return(base)], Vec::new()));
            self.current = Some(number);
        }
        if !routine.procedure && self.choices.chance(40) {
            // One expression.
        } else {
            self.write_params(&routine.params, &mut body);
            self.statements(&mut body, 1);
        }
        if let Some(ty) = &routine.result {
            let value = self.arg(ty, 1);
            body.push(Statement::Return(Some(value)));
        }
        self.current = None;
        self.result = None;
        self.scope = outer;
        self.loops = loops;
        routine.body = body;
        self.program.routines[number] = routine;
        if method_of.is_some() && self.choices.chance(30) {
            self.operator(method_of);
        }
    }

    /// `operator +` of a struct, field by field where fields are numbers.
    fn operator(&mut self, owner: Option<usize>) {
        let Some(owner) = owner else { return };
        if self.program.routines.iter().any(|r| r.method_of == Some(owner) && r.operator.is_some()) {
            return;
        }
        let ty = Type::Struct(owner);
        let params = [(); 2].map(|()| Param { var: self.fresh(), ty: ty.clone(), passing: Passing::Value }).to_vec();
        let fields = self.program.structs[owner].fields.clone();
        let of = |which: usize, i: usize| Expr::Field(Box::new(Expr::Var(params[which].var)), i);
        let fields = fields
            .iter()
            .enumerate()
            .map(|(i, field)| match field {
                Type::Int(_) | Type::F64 | Type::F32 | Type::Text => {
                    Expr::Binary(Binary::Add, Box::new(of(0, i)), Box::new(of(1, i)))
                }
                _ => of(i % 2, i),
            })
            .collect();
        let op = *self.choices.pick(&[Binary::Add, Binary::Sub, Binary::Mul]);
        self.program.routines.push(Routine {
            params,
            result: Some(ty),
            body: vec![Statement::Return(Some(Expr::Struct(owner, fields)))],
            procedure: false,
            method_of: Some(owner),
            operator: Some(op),
        });
        self.recursive.push(false);
    }

    fn param(&mut self, procedure: bool) -> Param {
        let var = self.fresh();
        if self.choices.chance(25) {
            let element = self.scalar_type();
            let written = procedure && self.choices.chance(60);
            let passing = if written { Passing::WrittenView } else { Passing::View };
            return Param { var, ty: Type::Slice(Box::new(element)), passing };
        }
        if self.style.hot && self.choices.chance(10) {
            return Param { var, ty: self.lambda_type(), passing: Passing::Value };
        }
        let ty = self.variable_type();
        let passing = if procedure && self.choices.chance(40) { Passing::InPlace } else { Passing::Value };
        Param { var, ty, passing }
    }

    /// Makes true what the parameters' passing says: each one passed in place is changed.
    pub(super) fn write_params(&mut self, params: &[Param], body: &mut Block) {
        for param in params {
            match param.passing {
                Passing::InPlace => {
                    if let Type::Map(key, value) = &param.ty {
                        let (key, value) = (self.expr(key, 2), self.expr(value, 2));
                        body.push(Statement::MapSet(Place { root: param.var, steps: Vec::new() }, key, value));
                        continue;
                    }
                    let value = self.arg(&param.ty, 2);
                    let place = Place { root: param.var, steps: Vec::new() };
                    let assign = Statement::Assign { place, value, spelling: Spelling::Set };
                    if self.choices.chance(40) {
                        let condition = self.expr(&Type::Bool, 2);
                        body.push(Statement::If(condition, vec![assign], Vec::new()));
                    } else {
                        body.push(assign);
                    }
                }
                Passing::WrittenView => {
                    let Some(element) = param.ty.element().cloned() else { continue };
                    let mut index = self.declare(INT, false);
                    index.indexes = Some(param.var);
                    index.reserved = true;
                    let var = index.var;
                    let value = self.scoped(|g| {
                        g.scope.push(index);
                        g.arg(&element, 2)
                    });
                    let place = Place { root: param.var, steps: vec![Step::Index(Expr::Var(var))] };
                    body.push(Statement::Range {
                        var,
                        kind: IntKind::I64,
                        low: None,
                        high: Expr::Library(Library::Length, vec![Expr::Var(param.var)]),
                        closed: false,
                        body: vec![Statement::Assign { place, value, spelling: Spelling::Equals }],
                        label: None,
                    });
                }
                Passing::Value | Passing::View => {}
            }
        }
    }

    /// Whether a call has an effect beyond its result.
    pub(super) fn effectful(&self, number: usize) -> bool {
        let routine = &self.program.routines[number];
        routine.procedure || routine.params.iter().any(|p| matches!(p.passing, Passing::InPlace | Passing::WrittenView))
    }

    /// A call of a pure routine with a result of this type.
    pub(super) fn call(&mut self, ty: &Type, depth: usize) -> Option<Expr> {
        let candidates: Vec<usize> = (0..self.program.routines.len())
            .filter(|&r| self.program.routines[r].result.as_ref() == Some(ty) && !self.effectful(r))
            .filter(|&r| self.finished(r))
            .collect();
        if candidates.is_empty() {
            return None;
        }
        let number = *self.choices.pick(&candidates);
        self.call_of(number, depth)
    }

    /// It is complete, or the one that may call itself.
    pub(super) fn finished(&self, number: usize) -> bool {
        !self.program.routines[number].body.is_empty() || self.current == Some(number)
    }

    /// A call of this routine, if there are arguments for it.
    pub(super) fn call_of(&mut self, number: usize, depth: usize) -> Option<Expr> {
        let routine = self.program.routines[number].clone();
        let bounded = if self.recursive[number] { Some(routine.method_of.iter().count()) } else { None };
        let mut used: Vec<Var> = Vec::new();
        let mut args = Vec::new();
        for (at, param) in routine.params.iter().enumerate() {
            if Some(at) == bounded {
                let arg = if self.current == Some(number) {
                    let own = routine.params[at].var;
                    Expr::Binary(Binary::Sub, Box::new(Expr::Var(own)), Box::new(self.int(1)))
                } else {
                    let n = self.recursion_depth(number);
                    self.int(n)
                };
                args.push(arg);
                continue;
            }
            let arg = match param.passing {
                Passing::Value if at == 0 && routine.method_of.is_some() => match self.readable(&param.ty) {
                    Some(place) => place,
                    None => self.literal(&param.ty),
                },
                // One made right here would view what it captures.
                Passing::Value if matches!(param.ty, Type::Lambda(..)) => match self.readable(&param.ty) {
                    Some(known) => known,
                    None => self.literal(&param.ty),
                },
                Passing::Value => self.arg(&param.ty, depth + 2),
                Passing::InPlace => {
                    let found = self.writable(&param.ty)?;
                    if used.contains(&found.place.root) {
                        return None;
                    }
                    used.push(found.place.root);
                    found.expr
                }
                Passing::View | Passing::WrittenView => {
                    let written = param.passing == Passing::WrittenView;
                    let element = param.ty.element()?.clone();
                    let candidates: Vec<Known> = self
                        .scope
                        .iter()
                        .filter(|k| k.ty.element() == Some(&element) && !used.contains(&k.var))
                        .filter(|k| !written || (k.mutable && k.frozen != Frozen::All))
                        .cloned()
                        .collect();
                    if candidates.is_empty() {
                        if written {
                            return None;
                        }
                        args.push(self.literal(&param.ty));
                        continue;
                    }
                    let known = self.choices.pick(&candidates).clone();
                    // Views of plain elements may overlap one another, but not what is passed in place.
                    if routine.params.iter().any(|p| p.passing == Passing::InPlace) {
                        used.push(known.var);
                    }
                    let whole = Expr::Var(known.var);
                    match known.length {
                        Some(n) if self.choices.chance(40) => {
                            let low = self.choices.below(n + 1);
                            let high = low + self.choices.below(n + 1 - low);
                            let (low, high) = (self.int(low as i64), self.int(high as i64));
                            Expr::Library(Library::View, vec![whole, low, high])
                        }
                        _ => whole,
                    }
                }
            };
            args.push(arg);
        }
        Some(Expr::Call(number, args))
    }
}
