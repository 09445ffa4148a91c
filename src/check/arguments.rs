//! The arguments of a chosen routine, in the order of its parameters: converted, and defaults filled in.

use std::rc::Rc;

use super::Checker;
use super::calls::{Argument, Candidate, Target};
use super::convert::Why;
use super::declarations::Param;
use super::hir::{Expr, ExprKind, LocalKind, Type, TypeId, Types};
use super::overloads::{Slot, is_constant};
use super::projection::is_plain;
use super::types::Context;
use crate::source::Span;
use crate::syntax::Symbol;
use crate::syntax::ast;

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
        let base = self.scopes.hide();
        let outer = std::mem::replace(&mut self.beside, beside);
        let value = self.within(ctx, |c| c.expr_as(e, ty, None));
        self.beside = outer;
        self.scopes.show(base);
        value
    }
}
