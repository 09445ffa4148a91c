//! Which of several routines a call means, and its arguments in the order of the parameters.
//!
//! First by number and names of the arguments, then by their types, then by literals: a literal prefers the type it has
//! alone. A generic routine loses against one that is not. Arguments whose type depends on the parameter (literals,
//! lambdas) are checked after the choice, all others before, once.

use super::Checker;
use super::calls::{Argument, Candidate};
use super::declarations::Param;
use super::hir::{Expr, ExprKind, Type, TypeId, Types};
use crate::source::Span;
use crate::syntax::ast::{self, PrefixOp};

/// Where a parameter's value comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    Argument(usize),
    Default,
}

/// Why the arguments do not fit the parameters by number and name.
pub enum Mismatch {
    TooMany(usize),
    Missing(usize),
    Unknown(usize),
    Twice(usize),
}

/// How badly a candidate fits: less is better.
pub type Score = (u8, u32, u32, u32);

impl<'a> Checker<'a> {
    pub fn select(
        &mut self,
        mut candidates: Vec<Candidate<'a>>,
        this: Option<Expr>,
        mut args: Vec<Argument<'a>>,
        span: Span,
        name_span: Span,
        hint: Option<TypeId>,
    ) -> Expr {
        if let [_] = candidates.as_slice()
            && let Some(candidate) = candidates.pop()
        {
            return match slots(&candidate.params, &args) {
                Ok(slots) => self.apply_candidate(candidate, slots, this, args, span, hint),
                Err(mismatch) => {
                    self.wrong_number(&candidate, &args, mismatch, span, name_span);
                    self.check_loosely(&mut args);
                    self.failed(span)
                }
            };
        }
        let mut fitting: Vec<(Candidate<'a>, Vec<Slot>)> = Vec::new();
        let mut others = Vec::new();
        for candidate in candidates {
            match slots(&candidate.params, &args) {
                Ok(slots) => fitting.push((candidate, slots)),
                Err(_) => others.push(candidate),
            }
        }
        if fitting.is_empty() {
            self.none_by_number(&others, &args, span, name_span);
            self.check_loosely(&mut args);
            return self.failed(span);
        }
        if fitting.len() > 1 {
            for i in 0..args.len() {
                if args[i].done.is_none() && !self.deferred(&args[i]) {
                    let expected = self.common_type(&fitting, i);
                    let Some(ast) = args[i].ast else { continue };
                    let value = self.value(ast, expected);
                    if value.ty == Types::ERROR {
                        self.check_loosely(&mut args);
                        return self.failed(span);
                    }
                    args[i].done = Some(value);
                }
            }
            let mut scored: Vec<(Score, usize)> = Vec::new();
            for (at, (candidate, slots)) in fitting.iter_mut().enumerate() {
                if let Some(score) = self.score(candidate, slots, &args) {
                    scored.push((score, at));
                }
            }
            scored.sort();
            match scored.as_slice() {
                [] => {
                    self.none_by_type(&fitting, &args, span, name_span);
                    self.check_loosely(&mut args);
                    return self.failed(span);
                }
                [(first, _), (second, _), ..] if first == second => {
                    self.ambiguous(&fitting, &scored, span, name_span);
                    return self.failed(span);
                }
                [(_, best), ..] => {
                    let (candidate, slots) = fitting.swap_remove(*best);
                    return self.apply_candidate(candidate, slots, this, args, span, hint);
                }
            }
        }
        match fitting.pop() {
            Some((candidate, slots)) => self.apply_candidate(candidate, slots, this, args, span, hint),
            None => self.failed(span),
        }
    }

    /// Whether an argument's type depends on the parameter.
    pub fn deferred(&self, arg: &Argument<'a>) -> bool {
        arg.ast.is_some_and(|e| matches!(e.kind, ast::ExprKind::Lambda(_)) || self.flexible(e))
    }

    /// The type that all candidates have for an argument, if it is one.
    fn common_type(&mut self, fitting: &[(Candidate<'a>, Vec<Slot>)], arg: usize) -> Option<TypeId> {
        let mut common = None;
        for (candidate, slots) in fitting {
            let param = slots.iter().position(|s| *s == Slot::Argument(arg))?;
            let ty = self.known_type(candidate, candidate.params[param].ty?)?;
            if common.is_some_and(|c| c != ty) {
                return None;
            }
            common = Some(ty);
        }
        common
    }

    fn score(&mut self, candidate: &mut Candidate<'a>, slots: &[Slot], args: &[Argument<'a>]) -> Option<Score> {
        let before = candidate.vars.clone();
        let mut generic = u32::from(before.iter().any(|(_, bound)| bound.is_none()));
        for (param, slot) in candidate.params.clone().iter().zip(slots) {
            if let (Slot::Argument(i), Some(ty)) = (slot, param.ty)
                && let Some(value) = &args[*i].done
            {
                self.learn(candidate, ty, value.ty);
            }
        }
        let mut typed = 0;
        let mut literal = 0;
        let mut fits = true;
        for (param, slot) in candidate.params.clone().iter().zip(slots) {
            let (Slot::Argument(i), Some(ty)) = (slot, param.ty) else { continue };
            let known = self.known_type(candidate, ty);
            match (&args[*i].done, args[*i].ast) {
                (Some(value), _) => match known {
                    Some(known) => match self.distance(value.ty, known) {
                        Some(d) => typed += d,
                        None => fits = false,
                    },
                    None => generic += 1,
                },
                (None, Some(ast)) => match known {
                    Some(known) => match self.literal_distance(ast, known) {
                        Some(d) => literal += d,
                        None => fits = false,
                    },
                    None => match (&ast.kind, &ty.kind) {
                        (ast::ExprKind::Lambda(l), ast::TypeKind::Function { params, .. }) => {
                            fits &= l.params.len() == params.len();
                        }
                        (ast::ExprKind::Lambda(_), _) => fits = false,
                        _ => {}
                    },
                },
                (None, None) => {}
            }
        }
        candidate.vars = before;
        fits.then_some((candidate.level, typed, literal, generic))
    }

    /// How far a value's type is from a parameter's; none if it does not convert.
    fn distance(&self, from: TypeId, to: TypeId) -> Option<u32> {
        if from == to || from == Types::NEVER || from == Types::ERROR || to == Types::ERROR {
            return Some(0);
        }
        if !self.converts(from, to) {
            return None;
        }
        Some(if self.option(to).is_some() { 2 } else { 1 })
    }

    /// The same for what takes its type from the context.
    fn literal_distance(&self, e: &ast::Expr, to: TypeId) -> Option<u32> {
        if let Some((payload, _)) = self.option(to) {
            return match e.kind {
                ast::ExprKind::Null => Some(0),
                _ => self.literal_distance(e, payload).map(|d| d + 4),
            };
        }
        match &e.kind {
            ast::ExprKind::Int(_) => match to {
                Types::I64 => Some(0),
                Types::F64 => Some(2),
                Types::F32 => Some(3),
                _ => self.int_kind(to).map(|_| 1),
            },
            ast::ExprKind::Float(_) => match to {
                Types::F64 => Some(0),
                Types::F32 => Some(1),
                _ => None,
            },
            ast::ExprKind::Prefix(PrefixOp::Minus | PrefixOp::Plus | PrefixOp::Complement, e) => {
                self.literal_distance(e, to)
            }
            ast::ExprKind::Binary(b) => {
                Some(self.literal_distance(&b.left, to)?.max(self.literal_distance(&b.right, to)?))
            }
            ast::ExprKind::If(i) => {
                let otherwise = i.otherwise.as_ref()?;
                Some(self.body_distance(&i.then, to)?.max(self.body_distance(otherwise, to)?))
            }
            ast::ExprKind::Block(body) => self.body_distance(body, to),
            ast::ExprKind::Array(items) => {
                let (element, extra) = match self.out.types.get(to) {
                    Type::Array(t) => (*t, 0),
                    Type::Vector(t) | Type::Slice(t) => (*t, 1),
                    _ => return None,
                };
                let mut worst = 0;
                for item in items {
                    if self.flexible(item) {
                        worst = worst.max(self.literal_distance(item, element)?);
                    }
                }
                Some(worst + extra)
            }
            ast::ExprKind::Lambda(l) => match self.out.types.get(to) {
                Type::Function { params, .. } if params.len() == l.params.len() => Some(0),
                _ => None,
            },
            ast::ExprKind::Null => None,
            _ => Some(0),
        }
    }

    /// The same for what a body gives.
    fn body_distance(&self, body: &ast::Body, to: TypeId) -> Option<u32> {
        match body.stmts.last().map(|s| &s.kind) {
            Some(ast::StmtKind::Expr(e)) => self.literal_distance(e, to),
            _ => Some(0),
        }
    }

    /// Checks the arguments of a call that has failed, for errors of their own.
    pub fn check_loosely(&mut self, args: &mut [Argument<'a>]) {
        for arg in args {
            if arg.done.is_none()
                && !self.deferred(arg)
                && let Some(ast) = arg.ast
            {
                arg.done = Some(self.expr(ast, None));
            }
        }
    }
}

/// Which argument goes to which parameter: by position, then by name.
fn slots(params: &[Param<'_>], args: &[Argument<'_>]) -> Result<Vec<Slot>, Mismatch> {
    let mut slots: Vec<Option<Slot>> = vec![None; params.len()];
    let mut next = 0;
    for (i, arg) in args.iter().enumerate() {
        let at = match arg.name {
            Some(name) => params.iter().position(|p| p.name == name.symbol).ok_or(Mismatch::Unknown(i))?,
            None => {
                let at = next;
                next += 1;
                if at >= params.len() {
                    return Err(Mismatch::TooMany(i));
                }
                at
            }
        };
        if slots[at].is_some() {
            return Err(if arg.name.is_some() { Mismatch::Twice(i) } else { Mismatch::TooMany(i) });
        }
        slots[at] = Some(Slot::Argument(i));
    }
    let filled = slots.into_iter().enumerate().map(|(p, slot)| match slot {
        Some(slot) => Ok(slot),
        None if params[p].default.is_some() => Ok(Slot::Default),
        None => Err(Mismatch::Missing(p)),
    });
    filled.collect()
}

/// Whether an expression has the same value wherever it is evaluated.
pub fn is_constant(e: &Expr) -> bool {
    matches!(
        e.kind,
        ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Bool(_)
            | ExprKind::Char(_)
            | ExprKind::Text(_)
            | ExprKind::Zero
            | ExprKind::Global(_)
            | ExprKind::RoutineValue(_)
    )
}
