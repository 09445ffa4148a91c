//! The arguments of a chosen routine, in the order of its parameters: converted, and defaults filled in.

use std::rc::Rc;

use super::Checker;
use super::calls::{Argument, Candidate, Target};
use super::convert::Why;
use super::declarations::{Declarations, Param, RoutineDeclId, TypeDeclId};
use super::hir::{Expr, ExprKind, LocalKind, RoutineKind, Type, TypeId, Types};
use super::overloads::{Slot, is_constant};
use super::projection::is_plain;
use super::scope::Frame;
use super::types::Context;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::Symbol;
use crate::syntax::ast::{self, DefineKind, Payload};

/// Defaults are written out where they are needed, and those that they need in them.
const MAX_DEFAULTS: u32 = 10_000;

/// Defaults that need one another in a chain longer than this would exhaust the checker's stack.
const MAX_DEFAULT_DEPTH: usize = 150;

impl<'a> Checker<'a> {
    pub fn apply_candidate(
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
        let types: Rc<[TypeId]> = match candidate.vars.as_slice() {
            [] => self.no_types.clone(),
            vars => vars.iter().filter_map(|(_, bound)| *bound).collect(),
        };
        if types.contains(&Types::ERROR) {
            self.check_loosely(&mut args);
            return self.failed(span);
        }
        let Some((param_types, result)) = self.target_types(candidate.target, &types, span) else {
            self.check_loosely(&mut args);
            return self.failed(span);
        };
        if matches!(candidate.target, Target::Struct(_)) && self.too_many_parts(result, span) {
            return self.failed(span);
        }
        // An argument may be given in another order than that of the parameters; it is evaluated in its own.
        let mut values: Vec<Option<Expr>> = Vec::with_capacity(params.len());
        values.resize_with(params.len(), || None);
        let mut written: Vec<(usize, usize)> = slots
            .iter()
            .enumerate()
            .filter_map(|(p, s)| if let Slot::Argument(i) = s { Some((*i, p)) } else { None })
            .collect();
        let reordered = !written.is_sorted();
        written.sort_unstable();
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
        let values = values.into_iter().enumerate();
        let arguments = values
            .map(|(p, value)| value.unwrap_or_else(|| self.default_value(&params[p], param_types[p], &candidate, span)))
            .collect();
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

    pub fn param_note(&self, param: &Param<'a>) -> Why {
        let visible = !self.sources.file(param.span.file).library;
        visible.then_some((param.span, "expected by this parameter"))
    }

    /// An argument for a parameter whose type is known.
    pub fn argument(&mut self, ast: &'a ast::Expr, ty: TypeId, why: Why) -> Expr {
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
    pub fn coerce_argument(&mut self, value: Expr, ty: TypeId, target: Target, why: Why) -> Expr {
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
    pub fn target_types(&mut self, target: Target, types: &Rc<[TypeId]>, span: Span) -> Option<(Rc<[TypeId]>, TypeId)> {
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

    /// A default argument, in the place where it was written.
    pub fn default_value(&mut self, param: &Param<'a>, ty: TypeId, candidate: &Candidate<'a>, span: Span) -> Expr {
        let Some(default) = param.default else { return self.failed(param.span) };
        let vars = candidate.vars.iter().filter_map(|(name, bound)| Some((*name, (*bound)?)));
        let generics = candidate.outer.iter().copied().chain(vars).collect();
        let ctx = Context { space: candidate.space, generics };
        let names = candidate.params.iter().map(|p| (p.name, p.span)).collect();
        let mut value = self.default_elsewhere(default, ty, ctx, names);
        self.taken_in(&mut value, span);
        value
    }

    /// A default, which sees nothing of the routine that it becomes a part of, nor the parameters or fields beside it.
    pub fn default_elsewhere(
        &mut self,
        e: &'a ast::Expr,
        ty: TypeId,
        ctx: Context,
        beside: Vec<(Symbol, Span)>,
    ) -> Expr {
        if self.reports_endless(e.span) {
            return self.failed(e.span);
        }
        self.defaults.push(e.span);
        let base = self.scopes.hide();
        let outer = std::mem::replace(&mut self.beside, beside);
        let value = self.within(ctx, |c| c.expr_as(e, ty, None));
        self.beside = outer;
        self.scopes.show(base);
        self.defaults.pop();
        value
    }

    /// Reports a default that needs itself, or too many others.
    fn reports_endless(&mut self, span: Span) -> bool {
        if self.defaults.is_empty() {
            self.default_count = 0;
        }
        self.default_count += 1;
        let diagnostic = if self.defaults.contains(&span) {
            Diagnostic::error(span, "this default needs itself").label("without end")
        } else if self.defaults.len() >= MAX_DEFAULT_DEPTH {
            Diagnostic::error(span, "defaults of defaults nest too deeply").label("needed by too many others")
        } else if self.default_count > MAX_DEFAULTS {
            let outermost = self.defaults.first().copied().unwrap_or(span);
            Diagnostic::error(outermost, format!("this default needs more than {MAX_DEFAULTS} others"))
                .label("each written out in its place")
                .help("compute it in a routine, and call that here")
        } else {
            return false;
        };
        if !std::mem::replace(&mut self.default_failed, true) {
            self.report(diagnostic);
        }
        true
    }

    /// Checks the defaults of the program, needed or not, but those whose type is one that type parameters tell.
    pub fn check_defaults(&mut self) {
        for id in (0..self.decls.routines.len() as u32).map(RoutineDeclId) {
            let decl = self.decls.routine(id);
            if decl.library || decl.routine.params.iter().all(|p| p.default.is_none()) {
                continue;
            }
            let owner = decl.owner.map_or(0, |o| self.decls.ty(o).define.generics.len());
            let args = vec![Types::ERROR; owner + decl.routine.generics.len()];
            let params = self.decls.params(id, self.known.this);
            self.check_defaults_of(&params, self.routine_context(id, &args));
        }
        for id in (0..self.decls.types.len() as u32).map(TypeDeclId) {
            let decl = self.decls.ty(id);
            let lists: Vec<&'a [ast::Field]> = match &decl.define.kind {
                _ if decl.library => continue,
                DefineKind::Struct { fields, .. } => vec![fields],
                DefineKind::Union { variants, .. } => variants
                    .iter()
                    .filter_map(|v| if let Payload::Fields(f) = &v.payload { Some(&**f) } else { None })
                    .collect(),
                _ => continue,
            };
            let args = vec![Types::ERROR; decl.define.generics.len()];
            for fields in lists {
                self.check_defaults_of(&Declarations::field_params(fields), self.type_context(id, &args));
            }
        }
    }

    fn check_defaults_of(&mut self, params: &[Param<'a>], ctx: Context) {
        for param in params {
            let (Some(ty), Some(default)) = (param.ty, param.default) else { continue };
            let ty = self.within(ctx.clone(), |c| c.resolve(ty));
            if ty == Types::ERROR {
                continue;
            }
            let names = params.iter().map(|p| (p.name, p.span)).collect();
            self.frames.push(Frame::new(self.out.main, RoutineKind::Function, None));
            self.default_elsewhere(default, ty, ctx.clone(), names);
            self.frames.pop();
        }
    }
}
