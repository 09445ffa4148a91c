//! Type arguments from arguments: what a parameter's type says about the types that are passed for it.

use std::rc::Rc;

use super::Checker;
use super::calls::{Argument, Candidate, Target};
use super::declarations::{Param, RoutineDeclId};
use super::hir::{Type, TypeId, Types};
use super::overloads::Slot;
use super::types::{Context, TypeName};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::Symbol;
use crate::syntax::ast::{self, DefineKind, TypeKind};

impl<'a> Checker<'a> {
    /// Finds the type arguments: from arguments with a type of their own, from the expected result, from literals, from
    /// lambdas.
    pub fn infer(
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
        if candidate.vars.iter().filter(|(other, _)| other == name).count() > 1 {
            // Declared twice, which has been reported.
            return false;
        }
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
        let function = matches!(pattern.kind, ast::TypeKind::Function { .. });
        let wrong = match self.out.types.get(ty) {
            Type::Error | Type::Never => false,
            Type::Function { .. } => false,
            // A type with type arguments is none of those that have none.
            _ => function || self.source(pattern.span).ends_with(']') && (self.is_plain(ty)),
        };
        if wrong {
            let (expected, found) = (self.source(pattern.span), self.type_name(ty));
            let mut diagnostic = Diagnostic::error(span, format!("expected `{expected}`, found `{found}`"))
                .label(format!("a `{found}`"));
            if function {
                diagnostic = diagnostic.help("write a lambda: `\\x: …`, or the name of a routine");
            }
            self.report(diagnostic);
        }
        wrong
    }

    fn is_plain(&self, ty: TypeId) -> bool {
        self.is_number(ty) || matches!(ty, Types::BOOL | Types::CHAR | Types::STRING)
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

    /// Learns from a value of type `actual` for a parameter of type `pattern`.
    pub fn learn(&mut self, candidate: &mut Candidate<'a>, pattern: &ast::Type, actual: TypeId) {
        if matches!(actual, Types::ERROR | Types::NEVER | Types::VOID) {
            return;
        }
        match &pattern.kind {
            TypeKind::Named { path, args } => {
                if let ([name], []) = (path.as_slice(), args.as_slice())
                    && let Some((_, bound)) = candidate.vars.iter_mut().rev().find(|(v, _)| *v == name.symbol)
                {
                    match *bound {
                        None => *bound = Some(actual),
                        // int and f64 meet as f64, and T meets T? as T?.
                        Some(Types::I64) if actual == Types::F64 => *bound = Some(actual),
                        Some(known) => {
                            if self.option(actual).is_some_and(|(payload, _)| payload == known) {
                                let slot = candidate.vars.iter_mut().rev().find(|(v, _)| *v == name.symbol);
                                if let Some((_, bound)) = slot {
                                    *bound = Some(actual);
                                }
                            }
                        }
                    }
                    return;
                }
                if args.is_empty() {
                    return;
                }
                let Some(decl) = self.pattern_decl(candidate, path) else { return };
                if let DefineKind::Alias { target } = &self.decls.ty(decl).define.kind {
                    let target = substitute(target, &self.decls.ty(decl).define.generics, args);
                    return self.learn(candidate, &target, actual);
                }
                if let Some((actual_decl, actual_args)) = self.declaration(actual) {
                    let name = self.decls.ty(decl).name;
                    let as_slice = name == self.known.slice
                        && self.decls.ty(decl).library
                        && self.out.types.element(actual).is_some();
                    if actual_decl == decl || as_slice {
                        for (pattern, &actual) in args.iter().zip(actual_args.iter()) {
                            self.learn(candidate, pattern, actual);
                        }
                        return;
                    }
                }
                // A T for `Option[T]`.
                if self.option_shapes.contains_key(&decl) {
                    self.learn(candidate, &args[0], actual);
                }
            }
            TypeKind::Optional(inner) => {
                let actual = self.option(actual).map_or(actual, |(payload, _)| payload);
                self.learn(candidate, inner, actual);
            }
            TypeKind::Function { params, returns } => {
                let Type::Function { params: actual_params, result } = self.out.types.get(actual) else { return };
                let (actual_params, result) = (actual_params.clone(), *result);
                for (pattern, &actual) in params.iter().zip(actual_params.iter()) {
                    self.learn(candidate, pattern, actual);
                }
                if let Some(returns) = returns {
                    self.learn(candidate, returns, result);
                }
            }
            TypeKind::Marked { .. } | TypeKind::Error => {}
        }
    }

    fn pattern_decl(
        &mut self,
        candidate: &Candidate<'a>,
        path: &[ast::Name],
    ) -> Option<super::declarations::TypeDeclId> {
        let ctx = Context { space: candidate.space, generics: candidate.outer.clone() };
        let first = path[0].symbol;
        let found = self.within(ctx, |c| c.find_type(first));
        match found {
            Some(TypeName::Declared(decl)) if path.len() == 1 => Some(decl),
            Some(TypeName::Declared(mut decl)) => {
                for name in &path[1..] {
                    let members = self.decls.ty(decl).members;
                    match self.decls.space(members).names.get(&name.symbol)?.other? {
                        super::declarations::Other::Type(inner) => decl = inner,
                        _ => return None,
                    }
                }
                Some(decl)
            }
            _ => None,
        }
    }

    /// Whether a type names a type parameter that is not known yet.
    fn open(&self, candidate: &Candidate<'a>, ty: &ast::Type) -> bool {
        match &ty.kind {
            TypeKind::Named { path, args } => {
                (path.len() == 1 && candidate.vars.iter().any(|(v, bound)| *v == path[0].symbol && bound.is_none()))
                    || args.iter().any(|a| self.open(candidate, a))
            }
            TypeKind::Optional(inner) => self.open(candidate, inner),
            TypeKind::Function { params, returns } => {
                params.iter().any(|p| self.open(candidate, p))
                    || returns.as_ref().is_some_and(|r| self.open(candidate, r))
            }
            TypeKind::Marked { .. } | TypeKind::Error => false,
        }
    }

    /// The type of a parameter, if all type parameters in it are known.
    pub fn known_type(&mut self, candidate: &Candidate<'a>, ty: &ast::Type) -> Option<TypeId> {
        if self.open(candidate, ty) {
            return None;
        }
        let generics = if candidate.vars.is_empty() {
            candidate.outer.clone()
        } else {
            let vars = candidate.vars.iter().filter_map(|(name, bound)| Some((*name, (*bound)?)));
            candidate.outer.iter().copied().chain(vars).collect()
        };
        let ctx = Context { space: candidate.space, generics };
        Some(self.within(ctx, |c| c.resolve(ty)))
    }

    /// What a function-typed parameter tells a lambda: the types of its parameters, as far as they are known, and of
    /// its result.
    pub fn known_function(
        &mut self,
        candidate: &Candidate<'a>,
        ty: &ast::Type,
    ) -> Option<(Vec<Option<TypeId>>, Option<TypeId>)> {
        match &ty.kind {
            TypeKind::Function { params, returns } => {
                let known = params.iter().map(|p| self.known_type(candidate, p)).collect();
                let result = match returns {
                    Some(returns) => self.known_type(candidate, returns),
                    None => Some(Types::VOID),
                };
                Some((known, result))
            }
            TypeKind::Optional(inner) => self.known_function(candidate, inner),
            _ => None,
        }
    }

    /// Type arguments with which a routine is a function of the given type.
    pub fn infer_value(
        &mut self,
        id: RoutineDeclId,
        owner: &Rc<[TypeId]>,
        params: &[TypeId],
        result: TypeId,
    ) -> Option<Rc<[TypeId]>> {
        let decl = self.decls.routine(id);
        let routine = decl.routine;
        if routine.generics.is_empty() {
            return Some(owner.clone());
        }
        let (space, outer) = (decl.space, decl.outer.clone());
        let own = decl.owner.map(|o| self.decls.ty(o).define.generics.as_slice()).unwrap_or_default();
        let vars: Vec<(Symbol, Option<TypeId>)> = own
            .iter()
            .zip(owner.iter())
            .map(|(g, &ty)| (g.symbol, Some(ty)))
            .chain(routine.generics.iter().map(|g| (g.symbol, None)))
            .collect();
        let declared = self.decls.params(id, self.known.this);
        let mut candidate = Candidate {
            target: super::calls::Target::Routine(id),
            level: 0,
            params: declared.clone(),
            vars,
            space,
            outer,
            has_this: false,
        };
        for (param, &ty) in declared.iter().zip(params) {
            self.learn(&mut candidate, param.ty?, ty);
        }
        if let Some(returns) = &routine.returns {
            self.learn(&mut candidate, returns, result);
        }
        candidate.vars.iter().map(|(_, bound)| *bound).collect()
    }
}

/// The target of a generic alias with its arguments in place.
fn substitute(ty: &ast::Type, generics: &[ast::Name], args: &[ast::Type]) -> ast::Type {
    let again = |t: &ast::Type| substitute(t, generics, args);
    let kind = match &ty.kind {
        TypeKind::Named { path, args: inner } => {
            if let ([name], []) = (path.as_slice(), inner.as_slice())
                && let Some(at) = generics.iter().position(|g| g.symbol == name.symbol)
                && let Some(arg) = args.get(at)
            {
                return arg.clone();
            }
            TypeKind::Named { path: path.clone(), args: inner.iter().map(again).collect() }
        }
        TypeKind::Optional(inner) => TypeKind::Optional(Box::new(again(inner))),
        TypeKind::Function { params, returns } => TypeKind::Function {
            params: params.iter().map(again).collect(),
            returns: returns.as_ref().map(|r| Box::new(again(r))),
        },
        other => other.clone(),
    };
    ast::Type { kind, span: ty.span }
}
