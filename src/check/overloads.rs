//! Which of several routines a call means, and its arguments in the order of the parameters.
//!
//! First by number and names of the arguments, then by their types, then by literals: a literal prefers the type it has
//! alone. A generic routine loses against one that is not. Arguments whose type depends on the parameter (literals,
//! lambdas) are checked after the choice, all others before, once.

use std::rc::Rc;

use super::Checker;
use super::calls::{Argument, Candidate, Target};
use super::convert::Why;
use super::declarations::Param;
use super::hir::{Expr, ExprKind, LocalKind, Type, TypeId, Types};
use super::projection::is_plain;
use super::types::{Context, count};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast::{self, PrefixOp};

/// Where a parameter's value comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slot {
    Argument(usize),
    Default,
}

/// Why the arguments do not fit the parameters by number and name.
enum Mismatch {
    TooMany(usize),
    Missing(usize),
    Unknown(usize),
    Twice(usize),
}

/// How badly a candidate fits: less is better.
type Score = (u8, u32, u32, u32);

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
    fn deferred(&self, arg: &Argument<'a>) -> bool {
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
    fn check_loosely(&mut self, args: &mut [Argument<'a>]) {
        for arg in args {
            if arg.done.is_none()
                && !self.deferred(arg)
                && let Some(ast) = arg.ast
            {
                arg.done = Some(self.expr(ast, None));
            }
        }
    }

    fn apply_candidate(
        &mut self,
        mut candidate: Candidate<'a>,
        slots: Vec<Slot>,
        this: Option<Expr>,
        mut args: Vec<Argument<'a>>,
        span: Span,
        hint: Option<TypeId>,
    ) -> Expr {
        let params = candidate.params.clone();
        if candidate.vars.iter().any(|(_, bound)| bound.is_none())
            && !self.infer(&mut candidate, &params, &slots, &mut args, span, hint)
        {
            return self.failed(span);
        }
        let types: Rc<[TypeId]> = candidate.vars.iter().filter_map(|(_, bound)| *bound).collect();
        if types.contains(&Types::ERROR) {
            self.check_loosely(&mut args);
            return self.failed(span);
        }
        let Some((param_types, result)) = self.target_types(candidate.target, &types, span) else {
            self.check_loosely(&mut args);
            return self.failed(span);
        };
        // An argument may be given in another order than that of the parameters; it is evaluated in its own.
        let order: Vec<usize> =
            slots.iter().filter_map(|s| if let Slot::Argument(i) = s { Some(*i) } else { None }).collect();
        let reordered = order.windows(2).any(|w| w[0] > w[1]);
        let mut values: Vec<Option<Expr>> = Vec::with_capacity(params.len());
        values.resize_with(params.len(), || None);
        let mut written: Vec<(usize, usize)> = slots
            .iter()
            .enumerate()
            .filter_map(|(p, s)| if let Slot::Argument(i) = s { Some((*i, p)) } else { None })
            .collect();
        written.sort();
        let mut before = Vec::new();
        let mut failed = false;
        for (i, p) in written {
            let ty = param_types[p];
            let why: Why = self.param_note(&params[p]);
            let mut value = match (args[i].done.take(), args[i].ast) {
                (Some(value), _) => self.coerce_argument(value, ty, candidate.target, why),
                (None, Some(ast)) => self.argument(ast, ty, why),
                (None, None) => self.failed(span),
            };
            failed |= value.ty == Types::ERROR;
            // A plain place stays one: it may be passed in place.
            let place = value.is_place() && is_plain(&value);
            if reordered && value.ty != Types::ERROR && !is_constant(&value) && !place {
                let (ty, at) = (value.ty, value.span);
                let local = self.local(String::new(), ty, LocalKind::Temporary, at);
                before.push(Expr::new(ExprKind::Let { local, value: Box::new(value), view: false }, Types::VOID, at));
                value = Expr::new(ExprKind::Local(local), ty, at);
            }
            values[p] = Some(value);
        }
        if failed {
            return Expr::new(ExprKind::Void, if result == Types::VOID { Types::VOID } else { Types::ERROR }, span);
        }
        let mut arguments = Vec::with_capacity(params.len());
        for (p, value) in values.into_iter().enumerate() {
            match value {
                Some(value) => arguments.push(value),
                None => {
                    let value = self.default_value(&params[p], param_types[p], &candidate, span);
                    arguments.push(value);
                }
            }
        }
        let made = match candidate.target {
            Target::Routine(id) => {
                let this = if candidate.has_this { this } else { None };
                self.emit_call(id, &types, this, arguments, span)
            }
            Target::Struct(_) => Expr::new(ExprKind::Struct(arguments), result, span),
            Target::Variant(_, variant) => Expr::new(ExprKind::Variant { variant, payload: arguments }, result, span),
        };
        if before.is_empty() {
            return made;
        }
        let ty = made.ty;
        before.push(made);
        Expr::new(ExprKind::Block(before), ty, span)
    }

    fn param_note(&self, param: &Param<'a>) -> Why {
        let visible = !self.sources.file(param.span.file).library;
        visible.then_some((param.span, "expected by this parameter"))
    }

    /// An argument for a parameter whose type is known.
    fn argument(&mut self, ast: &'a ast::Expr, ty: TypeId, why: Why) -> Expr {
        if let ast::ExprKind::Lambda(lambda) = &ast.kind {
            let inner = self.option(ty).map_or(ty, |(payload, _)| payload);
            if let Type::Function { params, result } = self.out.types.get(inner) {
                let params = params.iter().map(|&p| Some(p)).collect();
                let result = *result;
                let value = self.lambda(lambda, ast.span, params, Some(result), true);
                return self.coerce(value, ty, why);
            }
        }
        self.expr_as(ast, ty, why)
    }

    /// An int for a generic parameter that became f64 is promoted, as an operand would be.
    fn coerce_argument(&mut self, value: Expr, ty: TypeId, target: Target, why: Why) -> Expr {
        if let Target::Routine(id) = target
            && value.ty == Types::I64
            && ty == Types::F64
            && !self.decls.routine(id).routine.generics.is_empty()
        {
            let span = value.span;
            return Expr::new(ExprKind::Convert(Box::new(value)), Types::F64, span);
        }
        self.coerce(value, ty, why)
    }

    /// Types of the parameters and of the result of what is called.
    fn target_types(&mut self, target: Target, types: &Rc<[TypeId]>, span: Span) -> Option<(Vec<TypeId>, TypeId)> {
        match target {
            Target::Routine(id) => {
                let signature = self.signature(id, types);
                Some((signature.params.clone(), signature.result))
            }
            Target::Struct(decl) => {
                let ty = self.apply(decl, types, span);
                let &Type::Struct(id) = self.out.types.get(ty) else { return None };
                Some((self.out.types.structure(id).fields.iter().map(|f| f.ty).collect(), ty))
            }
            Target::Variant(decl, variant) => {
                let ty = self.apply(decl, types, span);
                let &Type::Union(id) = self.out.types.get(ty) else { return None };
                let payload = &self.out.types.union(id).variants[variant as usize].payload;
                Some((payload.iter().map(|f| f.ty).collect(), ty))
            }
        }
    }

    /// Finds the type arguments: from arguments with a type of their own, from the expected result, from literals, from
    /// lambdas.
    fn infer(
        &mut self,
        candidate: &mut Candidate<'a>,
        params: &Rc<[Param<'a>]>,
        slots: &[Slot],
        args: &mut [Argument<'a>],
        span: Span,
        hint: Option<TypeId>,
    ) -> bool {
        let given: Vec<(usize, usize)> = slots
            .iter()
            .enumerate()
            .filter_map(|(p, s)| if let Slot::Argument(i) = s { Some((p, *i)) } else { None })
            .collect();
        // A literal for a type that is not written may widen it: 2 beside 1.5 is a float.
        let unknown: Vec<bool> = given
            .iter()
            .map(|&(p, _)| params[p].ty.is_some_and(|ty| self.known_type(candidate, ty).is_none()))
            .collect();
        let open = |c: &Candidate<'a>| c.vars.iter().any(|(_, bound)| bound.is_none());
        for leaning in [false, true] {
            for &(p, i) in &given {
                let leans = args[i].done.is_none() && args[i].ast.is_some_and(|e| self.leans(e));
                if leans == leaning && !self.learn_argument(candidate, params, p, i, args) {
                    return false;
                }
            }
            if let (false, true, Some(hint)) = (leaning, open(candidate), hint) {
                self.learn_result(candidate, hint);
            }
        }
        for lambdas in [false, true] {
            for (&(p, i), &unknown) in given.iter().zip(&unknown) {
                let (Some(pattern), Some(ast)) = (params[p].ty, args[i].ast) else { continue };
                if args[i].done.is_some() || !unknown {
                    continue;
                }
                match (&ast.kind, lambdas) {
                    (ast::ExprKind::Lambda(lambda), true) => {
                        let Some((types, result)) = self.known_function(candidate, pattern) else { continue };
                        let value = self.lambda(lambda, ast.span, types, result, true);
                        if value.ty == Types::ERROR {
                            return false;
                        }
                        let ty = value.ty;
                        args[i].done = Some(value);
                        self.learn(candidate, pattern, ty);
                    }
                    (ast::ExprKind::Lambda(_), false) | (_, true) => {}
                    (ast::ExprKind::Null, false) => {}
                    (_, false) => {
                        if matches!(&ast.kind, ast::ExprKind::Array(items) if items.is_empty()) {
                            continue;
                        }
                        let expected = self.known_type(candidate, pattern);
                        let value = self.value(ast, expected);
                        if value.ty == Types::ERROR {
                            return false;
                        }
                        let ty = value.ty;
                        if self.no_function(pattern, ty, ast.span) {
                            return false;
                        }
                        self.learn(candidate, pattern, ty);
                        // Other literals may widen it still: it is checked again for the type that was found.
                    }
                }
            }
        }
        let Some((name, _)) = candidate.vars.iter().find(|(_, bound)| bound.is_none()) else { return true };
        let (variable, callee) = (self.text(*name), self.target_name(candidate.target));
        let all = candidate.vars.iter().map(|(v, _)| self.text(*v)).collect::<Vec<_>>().join(", ");
        let help = if callee == "None" {
            "declare it: `var x: int? = null`".to_string()
        } else {
            format!("write it in brackets: `{callee}[{all}](…)`, or declare the type of the result")
        };
        self.report(
            Diagnostic::error(span, format!("the type `{variable}` of `{callee}` is not known"))
                .label("nothing here tells it")
                .help(help),
        );
        false
    }

    /// Checks an argument that has a type of its own, and learns from it.
    fn learn_argument(
        &mut self,
        candidate: &mut Candidate<'a>,
        params: &[Param<'a>],
        p: usize,
        i: usize,
        args: &mut [Argument<'a>],
    ) -> bool {
        let Some(pattern) = params[p].ty else { return true };
        if let Some(ast) = args[i].ast
            && args[i].done.is_none()
            && !self.deferred(&args[i])
        {
            let expected = self.known_type(candidate, pattern);
            let value = self.value(ast, expected);
            args[i].done = Some(value);
        }
        let Some(value) = &args[i].done else { return true };
        let ty = value.ty;
        if ty == Types::ERROR {
            self.check_loosely(args);
            return false;
        }
        if self.no_function(pattern, ty, args[i].span) {
            return false;
        }
        self.learn(candidate, pattern, ty);
        true
    }

    /// Reports a value that is passed where a function is expected.
    fn no_function(&mut self, pattern: &ast::Type, ty: TypeId, span: Span) -> bool {
        let wrong = matches!(pattern.kind, ast::TypeKind::Function { .. })
            && !matches!(self.out.types.get(ty), Type::Function { .. } | Type::Error | Type::Never);
        if wrong {
            let (expected, found) = (self.source(pattern.span), self.type_name(ty));
            let diagnostic = Diagnostic::error(span, format!("expected `{expected}`, found `{found}`"))
                .label(format!("a `{found}`"))
                .help("write a lambda: `\\x: …`, or the name of a routine");
            self.report(diagnostic);
        }
        wrong
    }

    /// Learns from the type that is expected of the result.
    fn learn_result(&mut self, candidate: &mut Candidate<'a>, hint: TypeId) {
        match candidate.target {
            Target::Routine(id) => {
                if let Some(returns) = &self.decls.routine(id).routine.returns {
                    let before = candidate.vars.clone();
                    self.learn(candidate, returns, hint);
                    for (now, (_, known)) in candidate.vars.iter_mut().zip(before) {
                        if known.is_some() {
                            now.1 = known;
                        }
                    }
                    return;
                }
                if self.decls.routine(id).routine.kind == ast::RoutineKind::Init
                    && let Some(owner) = self.decls.routine(id).owner
                {
                    self.learn_instance(candidate, owner, hint);
                }
            }
            Target::Struct(decl) | Target::Variant(decl, _) => self.learn_instance(candidate, decl, hint),
        }
    }

    fn learn_instance(&mut self, candidate: &mut Candidate<'a>, decl: super::declarations::TypeDeclId, hint: TypeId) {
        let mut hint = hint;
        if let Some((payload, _)) = self.option(hint)
            && self.declaration(hint).is_none_or(|(d, _)| d != decl)
        {
            hint = payload;
        }
        if let Some((actual, args)) = self.declaration(hint)
            && actual == decl
        {
            for ((_, bound), &ty) in candidate.vars.iter_mut().zip(args.iter()) {
                bound.get_or_insert(ty);
            }
        }
    }

    /// A default argument, in the place where it was written.
    fn default_value(&mut self, param: &Param<'a>, ty: TypeId, candidate: &Candidate<'a>, span: Span) -> Expr {
        let Some(default) = param.default else { return self.failed(param.span) };
        let vars = candidate.vars.iter().filter_map(|(name, bound)| Some((*name, (*bound)?)));
        let generics = candidate.outer.iter().copied().chain(vars).collect();
        let ctx = Context { space: candidate.space, generics };
        let mut value = self.expr_elsewhere(default, ty, ctx);
        self.taken_in(&mut value, span);
        value
    }

    /// An expression that sees nothing of the routine that it becomes a part of.
    pub fn expr_elsewhere(&mut self, e: &'a ast::Expr, ty: TypeId, ctx: Context) -> Expr {
        let base = self.scopes.hide();
        let value = self.within(ctx, |c| c.expr_as(e, ty, None));
        self.scopes.show(base);
        value
    }

    pub fn target_name(&self, target: Target) -> &'a str {
        self.text(match target {
            Target::Routine(id) => {
                let decl = self.decls.routine(id);
                match decl.owner {
                    Some(owner) if decl.routine.kind == ast::RoutineKind::Init => self.decls.ty(owner).name,
                    _ => decl.name,
                }
            }
            Target::Struct(decl) => self.decls.ty(decl).name,
            Target::Variant(decl, variant) => match &self.decls.ty(decl).define.kind {
                ast::DefineKind::Union { variants, .. } => variants[variant as usize].name.symbol,
                _ => self.decls.ty(decl).name,
            },
        })
    }

    fn target_span(&self, target: Target) -> Span {
        match target {
            Target::Routine(id) => self.decls.routine(id).routine.head_span,
            Target::Struct(decl) => self.decls.ty(decl).span,
            Target::Variant(decl, variant) => match &self.decls.ty(decl).define.kind {
                ast::DefineKind::Union { variants, .. } => variants[variant as usize].span,
                _ => self.decls.ty(decl).span,
            },
        }
    }

    fn wrong_number(
        &mut self,
        candidate: &Candidate<'a>,
        args: &[Argument<'a>],
        mismatch: Mismatch,
        span: Span,
        name_span: Span,
    ) {
        let name = self.target_name(candidate.target);
        let noun = if matches!(candidate.target, Target::Struct(_)) { "field" } else { "parameter" };
        let params = &candidate.params;
        let diagnostic = match mismatch {
            Mismatch::TooMany(i) => {
                let message = format!(
                    "`{name}` takes {}, not {}",
                    if params.is_empty() { "no arguments".into() } else { count(params.len(), "argument") },
                    args.len()
                );
                Diagnostic::error(args[i].span, message).label("one too many")
            }
            Mismatch::Missing(p) => {
                let missing: Vec<String> = params[p..]
                    .iter()
                    .filter(|q| q.default.is_none() && !args.iter().any(|a| a.name.is_some_and(|n| n.symbol == q.name)))
                    .skip(args.iter().filter(|a| a.name.is_none()).count().saturating_sub(p))
                    .map(|q| self.source_of_param(q))
                    .collect();
                let message = match missing.as_slice() {
                    [one] => format!("the argument `{one}` of `{name}` is missing"),
                    _ => format!(
                        "`{name}` takes {}, not {}",
                        count(params.len(), "argument"),
                        if args.is_empty() { "none".to_string() } else { args.len().to_string() }
                    ),
                };
                let list = missing.iter().map(|m| format!("`{m}`")).collect::<Vec<_>>().join(", ");
                Diagnostic::error(span, message).label(format!("expected also {list}"))
            }
            Mismatch::Unknown(i) => {
                let Some(given) = args[i].name else { return };
                let near = self.near(given.symbol, params.iter().map(|p| p.name));
                let message = format!("`{name}` has no {noun} `{}`", self.text(given.symbol));
                Diagnostic::error(given.span, message).label(format!("unknown {noun}")).help_near(near)
            }
            Mismatch::Twice(i) => {
                let Some(given) = args[i].name else { return };
                let message = format!("the argument `{}` is given twice", self.text(given.symbol));
                Diagnostic::error(given.span, message).label("again")
            }
        };
        let _ = name_span;
        let diagnostic = self.defined_here(diagnostic, self.target_span(candidate.target));
        self.report(diagnostic);
    }

    fn source_of_param(&self, param: &Param<'a>) -> String {
        match param.ty {
            Some(ty) => format!("{}: {}", self.text(param.name), self.source(ty.span)),
            None => self.text(param.name).to_string(),
        }
    }

    fn none_by_number(&mut self, candidates: &[Candidate<'a>], args: &[Argument<'a>], span: Span, name_span: Span) {
        let name = self.target_name(candidates[0].target);
        let message = format!("no `{name}` takes {}", count(args.len(), "argument"));
        let list: Vec<&Candidate<'a>> = candidates.iter().collect();
        let diagnostic = Diagnostic::error(span, message).label("wrong number of arguments");
        let _ = name_span;
        let diagnostic = self.list_candidates(diagnostic, &list);
        self.report(diagnostic);
    }

    fn none_by_type(
        &mut self,
        fitting: &[(Candidate<'a>, Vec<Slot>)],
        args: &[Argument<'a>],
        span: Span,
        name_span: Span,
    ) {
        let name = self.target_name(fitting[0].0.target);
        let types: Vec<String> = args
            .iter()
            .map(|a| match (&a.done, a.ast.map(|e| &e.kind)) {
                (Some(value), _) => self.type_name(value.ty),
                (None, Some(ast::ExprKind::Null)) => "null".into(),
                (None, Some(ast::ExprKind::Lambda(_))) => "a lambda".into(),
                (None, _) => self.short_source(a.span).unwrap_or("a literal").to_string(),
            })
            .collect();
        let message = format!("no `{name}` takes ({})", types.join(", "));
        let diagnostic = Diagnostic::error(name_span, message).label("no overload fits");
        let _ = span;
        let level = fitting.iter().map(|(c, _)| c.level).min().unwrap_or(0);
        let list: Vec<&Candidate<'a>> = fitting.iter().map(|(c, _)| c).filter(|c| c.level == level).collect();
        let diagnostic = self.list_candidates(diagnostic, &list);
        let diagnostic = match args {
            [Argument { done: Some(value), .. }] if self.int_kind(value.ty).is_some() => {
                let floats = list.iter().any(|c| {
                    let ty = c.params.first().and_then(|p| p.ty);
                    ty.is_some_and(|ty| matches!(self.source(ty.span), "f64" | "double"))
                });
                if floats { self.help_convert(diagnostic, value.span, "f64") } else { diagnostic }
            }
            _ => diagnostic,
        };
        self.report(diagnostic);
    }

    fn ambiguous(
        &mut self,
        fitting: &[(Candidate<'a>, Vec<Slot>)],
        scored: &[(Score, usize)],
        span: Span,
        name_span: Span,
    ) {
        let name = self.target_name(fitting[0].0.target);
        let best = scored[0].0;
        let list: Vec<&Candidate<'a>> =
            scored.iter().filter(|(s, _)| *s == best).map(|(_, at)| &fitting[*at].0).collect();
        let _ = span;
        let diagnostic = Diagnostic::error(name_span, format!("several `{name}` fit equally well"))
            .label("which one is meant?")
            .help("make the types of the arguments plain, as in `x as u8`");
        let diagnostic = self.list_candidates(diagnostic, &list);
        self.report(diagnostic);
    }

    fn list_candidates(&self, mut diagnostic: Diagnostic, candidates: &[&Candidate<'a>]) -> Diagnostic {
        for candidate in candidates.iter().take(6) {
            let span = self.target_span(candidate.target);
            if self.sources.file(span.file).library {
                let params: Vec<String> = candidate.params.iter().map(|p| self.source_of_param(p)).collect();
                let name = self.target_name(candidate.target);
                diagnostic = diagnostic.help(format!("there is `{name}({})`", params.join(", ")));
            } else {
                diagnostic = diagnostic.secondary(span, "one that there is");
            }
        }
        diagnostic
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
    let mut result = Vec::with_capacity(params.len());
    for (p, slot) in slots.into_iter().enumerate() {
        result.push(match slot {
            Some(slot) => slot,
            None if params[p].default.is_some() => Slot::Default,
            None => return Err(Mismatch::Missing(p)),
        });
    }
    Ok(result)
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
