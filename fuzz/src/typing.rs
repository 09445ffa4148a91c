//! Types of a tree, so that reducing one keeps it well typed: a literal of another type may still compile, and mean
//! something else.

use std::collections::HashMap;

use crate::tree::*;
use crate::visit;

/// The types of all variables; loops, patterns and lambdas tell those of their bindings.
pub struct Typing<'a> {
    program: &'a Program,
    vars: HashMap<Var, Type>,
}

/// Whether every expression has the type that its place wants.
pub fn well_typed(program: &Program) -> bool {
    let mut typing = Typing { program, vars: HashMap::new() };
    for routine in &program.routines {
        for param in &routine.params {
            typing.vars.insert(param.var, param.ty.clone());
        }
    }
    program.constants.iter().all(|(ty, value)| typing.is(value, ty))
        && program.routines.iter().all(|r| typing.block(&r.body, Some(&r.result)).is_some())
        && typing.block(&program.main, None).is_some()
}

/// The type of the `which`th expression of [`visit::expressions`], where it has one by itself.
pub fn type_at(program: &Program, which: usize) -> Option<Type> {
    let mut typing = Typing { program, vars: HashMap::new() };
    for routine in &program.routines {
        for param in &routine.params {
            typing.vars.insert(param.var, param.ty.clone());
        }
        typing.block(&routine.body, Some(&routine.result))?;
    }
    typing.block(&program.main, None)?;
    let mut found = None;
    let mut at = 0;
    visit::expressions(&mut program.clone(), &mut |expr| {
        if at == which {
            found = typing.of(expr);
        }
        at += 1;
    });
    found
}

type Body<'r> = Option<&'r Option<Type>>;

impl Typing<'_> {
    fn block(&mut self, block: &Block, result: Body) -> Option<()> {
        block.iter().try_for_each(|statement| self.statement(statement, result))
    }

    fn want(&mut self, expr: &Expr, ty: &Type) -> Option<()> {
        self.is(expr, ty).then_some(())
    }

    /// Whether an expression may stand where this type is wanted.
    fn is(&mut self, expr: &Expr, ty: &Type) -> bool {
        match (expr, ty) {
            (Expr::None, Type::Option(_)) => true,
            (Expr::Some(value), Type::Option(inner)) => self.is(value, inner),
            (Expr::Array(items), Type::Array(element) | Type::Slice(element)) => {
                items.iter().all(|item| self.is(item, element))
            }
            (Expr::If(condition, a, b), ty) => self.is(condition, &Type::Bool) && self.is(a, ty) && self.is(b, ty),
            (expr, Type::Slice(element)) => self.of(expr).is_some_and(|found| found.element() == Some(element)),
            (expr, ty) => self.of(expr).as_ref() == Some(ty),
        }
    }

    fn place(&mut self, place: &Place) -> Option<Type> {
        let mut ty = self.vars.get(&place.root)?.clone();
        for step in &place.steps {
            ty = match (step, ty) {
                (Step::Field(i), Type::Struct(number)) => self.program.structs.get(number)?.fields.get(*i)?.clone(),
                (Step::Index(index), Type::Array(element) | Type::Slice(element)) => {
                    matches!(self.of(index)?, Type::Int(_)).then_some(())?;
                    *element
                }
                (Step::Index(index), Type::Map(key, value)) => {
                    self.want(index, &key)?;
                    *value
                }
                _ => return None,
            };
        }
        Some(ty)
    }

    fn pattern(&mut self, pattern: &Pattern, ty: &Type) -> Option<()> {
        match (pattern, ty) {
            (Pattern::Some(var), Type::Option(value)) => {
                self.vars.insert(*var, (**value).clone());
            }
            (Pattern::None, Type::Option(_)) => {}
            (Pattern::Variant(union, which, vars), Type::Union(number)) if union == number => {
                let payload = self.program.unions.get(*number)?.variants.get(*which)?;
                (vars.len() == payload.len()).then_some(())?;
                self.vars.extend(vars.iter().copied().zip(payload.iter().cloned()));
            }
            _ => return None,
        }
        Some(())
    }

    fn statement(&mut self, statement: &Statement, result: Body) -> Option<()> {
        match statement {
            Statement::Let { var, ty, value, .. } => {
                if let Some(value) = value {
                    self.want(value, ty)?;
                }
                self.vars.insert(*var, ty.clone());
            }
            Statement::Assign { place, value, .. } => {
                let ty = self.place(place)?;
                self.want(value, &ty)?;
            }
            Statement::Update { place, op, value } => {
                let ty = self.place(place)?;
                self.want(value, &ty)?;
                (self.binary(*op, &ty)? == ty).then_some(())?;
            }
            Statement::If(condition, then, otherwise) => {
                self.want(condition, &Type::Bool)?;
                self.block(then, result)?;
                self.block(otherwise, result)?;
            }
            Statement::While { fuel, condition, body, .. } => {
                self.vars.insert(*fuel, INT);
                self.want(condition, &Type::Bool)?;
                self.block(body, result)?;
            }
            Statement::Counted { var, end, body, .. } => {
                self.want(&Expr::Var(*var), &INT)?;
                self.want(end, &INT)?;
                self.block(body, result)?;
            }
            Statement::Repeat { fuel, body, .. } => {
                self.vars.insert(*fuel, INT);
                self.block(body, result)?;
            }
            Statement::Range { var, kind, low, high, body, .. } => {
                for end in low.iter().chain([high]) {
                    self.want(end, &INT)?;
                }
                self.vars.insert(*var, Type::Int(*kind));
                self.block(body, result)?;
            }
            Statement::Each { var, value, of, body, .. } => {
                let (first, second) = match self.of(of)? {
                    Type::Array(element) | Type::Slice(element) => (*element, None),
                    Type::Text => (Type::Char, None),
                    Type::Map(key, value) => (*key, Some(*value)),
                    _ => return None,
                };
                (second.is_some() == value.is_some()).then_some(())?;
                self.vars.insert(*var, first);
                self.vars.extend(value.zip(second));
                self.block(body, result)?;
            }
            Statement::Break(_) | Statement::Continue(_) => {}
            Statement::Return(value) => match (result?, value) {
                (Some(ty), Some(value)) => self.want(value, ty)?,
                (None, None) => {}
                _ => return None,
            },
            Statement::Print(values) => {
                for value in values {
                    self.of(value)?;
                }
            }
            Statement::Call(call) => {
                let Expr::Call(number, args) = call else { return None };
                self.args(*number, args)?;
            }
            Statement::Choose(subject, arms, otherwise) => {
                let ty = self.of(subject)?;
                for (pattern, body) in arms {
                    self.pattern(pattern, &ty)?;
                    self.block(body, result)?;
                }
                if let Some(body) = otherwise {
                    self.block(body, result)?;
                }
            }
            Statement::Match(subject, cases, otherwise) => {
                let ty = self.of(subject)?;
                let mut seen = Vec::new();
                for (values, body) in cases {
                    for value in values {
                        self.want(value, &ty)?;
                        // Two cases of one value are an error.
                        if seen.contains(&value) {
                            return None;
                        }
                        seen.push(value);
                    }
                    self.block(body, result)?;
                }
                self.block(otherwise, result)?;
            }
            Statement::Push(place, value) => {
                let element = self.place(place)?.element()?.clone();
                self.want(value, &element)?;
            }
            Statement::Pop(var, place) => {
                let element = self.place(place)?.element()?.clone();
                self.vars.insert(*var, Type::Option(Box::new(element)));
            }
            Statement::Insert(place, index, value) => {
                let element = self.place(place)?.element()?.clone();
                self.want(index, &INT)?;
                self.want(value, &element)?;
            }
            Statement::Remove(var, place, index) => {
                let element = self.place(place)?.element()?.clone();
                self.want(index, &INT)?;
                self.vars.insert(*var, element);
            }
            Statement::Swap(place, i, j) => {
                self.place(place)?.element()?;
                for index in [i, j] {
                    matches!(self.of(index)?, Type::Int(_)).then_some(())?;
                }
            }
            Statement::Clear(place) | Statement::Sort(place) | Statement::Reverse(place) => drop(self.place(place)?),
            Statement::MapSet(place, key, value) => {
                let Type::Map(k, v) = self.place(place)? else { return None };
                self.want(key, &k)?;
                self.want(value, &v)?;
            }
            Statement::Append(place, value) => {
                (self.place(place)? == Type::Builder).then_some(())?;
                self.of(value)?;
            }
            Statement::MapRemove(var, place, key) => {
                let Type::Map(k, _) = self.place(place)? else { return None };
                self.want(key, &k)?;
                self.vars.insert(*var, Type::Bool);
            }
            Statement::Block(body) => self.block(body, result)?,
            Statement::Exit(_) => {}
            Statement::ReadLine(var) => drop(self.vars.insert(*var, Type::Option(Box::new(Type::Text)))),
        }
        Some(())
    }

    fn args(&mut self, number: usize, args: &[Expr]) -> Option<()> {
        let routine = self.program.routines.get(number)?;
        (args.len() == routine.params.len()).then_some(())?;
        routine.params.iter().zip(args).try_for_each(|(param, arg)| self.want(arg, &param.ty))
    }

    fn binary(&self, op: Binary, ty: &Type) -> Option<Type> {
        use Binary::*;
        let number = matches!(ty, Type::Int(_) | Type::F64 | Type::F32);
        let fits = match op {
            Add => number || *ty == Type::Text,
            Sub | Mul | Div | Min | Max => number,
            Rem | Shl | Shr => matches!(ty, Type::Int(_)),
            And | Or | Xor => matches!(ty, Type::Int(_) | Type::Bool),
            Lt | Le | Gt | Ge => number || *ty == Type::Char,
            Eq | Ne => !matches!(ty, Type::Map(..) | Type::Slice(_) | Type::Lambda(..) | Type::Builder),
            Both | Either => *ty == Type::Bool,
        };
        let gives = match op {
            Lt | Le | Gt | Ge | Eq | Ne => Type::Bool,
            _ => ty.clone(),
        };
        fits.then_some(gives)
    }

    /// The type of an expression that has one by itself.
    fn of(&mut self, expr: &Expr) -> Option<Type> {
        Some(match expr {
            Expr::Int { kind, .. } => Type::Int(*kind),
            Expr::F64(_) => Type::F64,
            Expr::F32 { .. } => Type::F32,
            Expr::Bool(_) => Type::Bool,
            Expr::Char(_) => Type::Char,
            Expr::Text(_) => Type::Text,
            Expr::Var(var) => self.vars.get(var)?.clone(),
            Expr::Const(number) => self.program.constants.get(*number)?.0.clone(),
            Expr::Unary(op, a) => {
                let ty = self.of(a)?;
                match (op, &ty) {
                    (Unary::Not, Type::Bool) => ty,
                    (Unary::Bits, Type::F64) => Type::Int(IntKind::U64),
                    (Unary::Bits, Type::F32) => Type::Int(IntKind::U32),
                    (Unary::PopCount | Unary::LeadingZeros, Type::Int(_)) => INT,
                    (Unary::Neg | Unary::Abs, Type::Int(_) | Type::F64 | Type::F32) => ty,
                    (Unary::Complement, Type::Int(_)) => ty,
                    (Unary::Sqrt | Unary::Floor | Unary::Ceil | Unary::Trunc | Unary::Round, Type::F64 | Type::F32) => {
                        ty
                    }
                    _ => return None,
                }
            }
            Expr::Binary(op, a, b) => {
                let ty = self.of(a).or_else(|| self.of(b))?;
                self.want(a, &ty)?;
                self.want(b, &ty)?;
                self.binary(*op, &ty)?
            }
            Expr::Cast(a, ty) => {
                let from = self.of(a)?;
                let number = |ty: &Type| matches!(ty, Type::Int(_) | Type::F64 | Type::F32);
                let fits = number(ty) && (number(&from) || (from == Type::Char && matches!(ty, Type::Int(_))));
                fits.then_some(ty.clone())?
            }
            Expr::If(condition, a, b) => {
                self.want(condition, &Type::Bool)?;
                let ty = self.of(a).or_else(|| self.of(b))?;
                self.want(a, &ty)?;
                self.want(b, &ty)?;
                ty
            }
            Expr::Choose(subject, arms) => {
                let subject = self.of(subject)?;
                let mut ty = None;
                for (pattern, value) in arms {
                    self.pattern(pattern, &subject)?;
                    let found = self.of(value)?;
                    (*ty.get_or_insert_with(|| found.clone()) == found).then_some(())?;
                }
                ty?
            }
            Expr::Is(subject, pattern) => {
                let ty = self.of(subject)?;
                self.pattern(pattern, &ty)?;
                Type::Bool
            }
            Expr::Call(number, args) => {
                self.args(*number, args)?;
                self.program.routines[*number].result.clone()?
            }
            Expr::Library(which, args) => self.library(*which, args)?,
            Expr::Field(owner, i) => {
                let Type::Struct(number) = self.of(owner)? else { return None };
                self.program.structs.get(number)?.fields.get(*i)?.clone()
            }
            Expr::Index(array, index) => match self.of(array)? {
                Type::Array(element) | Type::Slice(element) => {
                    matches!(self.of(index)?, Type::Int(_)).then_some(*element)?
                }
                Type::Map(key, value) => {
                    self.want(index, &key)?;
                    *value
                }
                _ => return None,
            },
            Expr::Struct(number, args) => {
                let fields = &self.program.structs.get(*number)?.fields;
                (fields.len() == args.len() && fields.iter().zip(args).all(|(ty, arg)| self.is(arg, ty)))
                    .then_some(Type::Struct(*number))?
            }
            Expr::Union(number, which, args) => {
                let payload = self.program.unions.get(*number)?.variants.get(*which)?;
                (payload.len() == args.len() && payload.iter().zip(args).all(|(ty, arg)| self.is(arg, ty)))
                    .then_some(Type::Union(*number))?
            }
            Expr::Some(value) => Type::Option(Box::new(self.of(value)?)),
            Expr::None => return None,
            Expr::Array(items) => {
                let ty = items.iter().find_map(|item| self.of(item))?;
                items.iter().all(|item| self.is(item, &ty)).then_some(Type::array(ty))?
            }
            Expr::Filled(ty, length, value) => {
                self.want(length, &INT)?;
                self.want(value, ty)?;
                Type::array(ty.clone())
            }
            Expr::EmptyMap(key, value) => Type::Map(Box::new(key.clone()), Box::new(value.clone())),
            Expr::Map(array, var, body) => {
                let element = self.of(array)?.element()?.clone();
                self.vars.insert(*var, element);
                Type::array(self.of(body)?)
            }
            Expr::Filter(array, var, body) => {
                let element = self.of(array)?.element()?.clone();
                self.vars.insert(*var, element.clone());
                self.want(body, &Type::Bool)?;
                Type::array(element)
            }
            Expr::Fold(array, start, accumulator, var, body) => {
                let element = self.of(array)?.element()?.clone();
                let ty = self.of(start)?;
                self.vars.insert(*accumulator, ty.clone());
                self.vars.insert(*var, element);
                self.want(body, &ty)?;
                ty
            }
            Expr::Lambda(params, body) => {
                self.vars.extend(params.iter().cloned());
                Type::Lambda(params.iter().map(|(_, ty)| ty.clone()).collect(), Box::new(self.of(body)?))
            }
            Expr::Routine(number) => {
                let routine = self.program.routines.get(*number)?;
                let params = routine.params.iter().map(|p| p.ty.clone()).collect();
                Type::Lambda(params, Box::new(routine.result.clone()?))
            }
            Expr::Apply(function, args) => {
                let Type::Lambda(params, result) = self.of(function)? else { return None };
                (params.len() == args.len()).then_some(())?;
                params.iter().zip(args).try_for_each(|(ty, arg)| self.want(arg, ty))?;
                *result
            }
            Expr::Format(parts, _) => {
                for (_, value) in parts {
                    self.of(value)?;
                }
                Type::Text
            }
        })
    }

    fn library(&mut self, which: Library, args: &[Expr]) -> Option<Type> {
        let (receiver, rest) = args.split_first()?;
        let receiver = self.of(receiver)?;
        let wants = |this: &mut Self, types: &[&Type]| {
            (types.len() == rest.len() && rest.iter().zip(types).all(|(arg, ty)| this.is(arg, ty))).then_some(())
        };
        let option = |ty: &Type| Type::Option(Box::new(ty.clone()));
        Some(match (which, &receiver) {
            (Library::Length, Type::Array(_) | Type::Slice(_) | Type::Text | Type::Map(..)) => INT,
            (Library::GetOr, Type::Array(element) | Type::Slice(element)) => {
                wants(self, &[&INT, element])?;
                (**element).clone()
            }
            (Library::GetOr, Type::Map(key, value)) => {
                wants(self, &[key, value])?;
                (**value).clone()
            }
            (Library::Get, Type::Array(element) | Type::Slice(element)) => {
                wants(self, &[&INT])?;
                option(element)
            }
            (Library::Get, Type::Map(key, value)) => {
                wants(self, &[key])?;
                option(value)
            }
            (Library::Contains, Type::Map(key, _)) => wants(self, &[key]).map(|()| Type::Bool)?,
            (Library::Contains | Library::StartsWith, Type::Text) => {
                wants(self, &[&Type::Text]).map(|()| Type::Bool)?
            }
            (Library::Contains, Type::Array(element)) => wants(self, &[element]).map(|()| Type::Bool)?,
            (Library::Sum, Type::Array(element) | Type::Slice(element)) => (**element).clone(),
            (Library::Min | Library::Max, Type::Array(element) | Type::Slice(element)) => option(element),
            (Library::Or, Type::Option(value)) => {
                wants(self, &[value])?;
                (**value).clone()
            }
            (Library::ToString, _) => Type::Text,
            (Library::Cut, Type::Text) => wants(self, &[&INT, &INT]).map(|()| Type::Text)?,
            (Library::Repeat, Type::Text) => wants(self, &[&INT]).map(|()| Type::Text)?,
            (Library::View, Type::Array(_) | Type::Slice(_)) => {
                wants(self, &[&INT, &INT]).map(|()| receiver.clone())?
            }
            (Library::IndexOf, Type::Array(element)) => wants(self, &[element]).map(|()| option(&INT))?,
            (Library::Keys, Type::Map(key, _)) => Type::array((**key).clone()),
            (Library::Values, Type::Map(_, value)) => Type::array((**value).clone()),
            (Library::Copy, Type::Array(_)) => receiver.clone(),
            (Library::Split, Type::Text) => wants(self, &[&Type::Text]).map(|()| Type::array(Type::Text))?,
            (Library::Join, Type::Array(_)) => wants(self, &[&Type::Text]).map(|()| Type::Text)?,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Choices;
    use crate::generate::{Style, program};
    use crate::print::print;

    #[test]
    fn what_is_generated_is_well_typed() {
        for seed in 0..500 {
            let tree = program(
                Choices::seeded(seed),
                Style { loops: seed % 4 == 0, faults: seed % 3 == 0, hot: seed % 5 == 1 },
            );
            assert!(well_typed(&tree), "seed {seed}\n{}", print(&tree));
        }
    }
}
