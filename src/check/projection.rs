//! `c[k]` of types whose `operator []` names a place: `operator [](k: K) returns V: entries[present(k)].value`.
//!
//! Such an element is that place, with `c` and `k` put in: it can be read, assigned, and changed like any other. The
//! operator's body is checked anew for each use, with `this` and the parameters bound to what stands for them.
//!
//! What is put in may be evaluated more than once, so it must be plain: variables, fields, elements at plain indexes.
//! Anything else is kept in a temporary before the statement; where there is no statement to put it before (a condition),
//! the operator is called like a routine, and gives a value.

use std::rc::Rc;

use super::Checker;
use super::calls::Argument;
use super::declarations::{Other, RoutineDeclId};
use super::hir::{BinaryOp, Expr, ExprKind, TypeId, Types};
use super::names::Overloads;
use super::ownership::walk::children_mut;
use super::scope::Bound;
use crate::source::Span;
use crate::syntax::Symbol;
use crate::syntax::ast::{self, RoutineBody, StmtKind};

/// What stands for `this` or a parameter: an index into the checker's list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AliasId(u32);

impl<'a> Checker<'a> {
    /// The place that an `operator []` names, if its body is one of `this`, and there is no `operator []=`.
    pub fn projection_body(&self, id: RoutineDeclId) -> Option<&'a ast::Expr> {
        let decl = self.decls.routine(id);
        let owner = self.decls.ty(decl.owner?);
        if self.decls.space(owner.members).names.contains_key(&self.known.index_set) {
            return None;
        }
        self.place_of_this(id)
    }

    /// The body of a routine, if it is one place of `this`.
    pub fn place_of_this(&self, id: RoutineDeclId) -> Option<&'a ast::Expr> {
        let decl = self.decls.routine(id);
        let owner = self.decls.ty(decl.owner?);
        let RoutineBody::Code(body) = &decl.routine.body else { return None };
        let [ast::Stmt { kind: StmtKind::Expr(e), .. }] = body.stmts.as_slice() else { return None };
        let ast::DefineKind::Struct { fields, .. } = &owner.define.kind else { return None };
        let mut root = e;
        loop {
            match &root.kind {
                ast::ExprKind::Member(base, _) => root = base,
                ast::ExprKind::Index(index) => root = &index.head,
                ast::ExprKind::Name(name) => {
                    let param = decl.routine.params.iter().any(|p| p.name.symbol == *name);
                    let of_this = *name == self.known.this || !param && fields.iter().any(|f| f.name.symbol == *name);
                    let whole = *name == self.known.this && std::ptr::eq(root, e);
                    return (of_this && !whole).then_some(e);
                }
                _ => return None,
            }
        }
    }

    /// `base[given]` as the place that the operator names.
    pub fn project(
        &mut self,
        base: Expr,
        id: RoutineDeclId,
        owner: Rc<[TypeId]>,
        body: &'a ast::Expr,
        given: Vec<Argument<'a>>,
        span: Span,
    ) -> Option<Expr> {
        let signature = self.signature(id, &owner);
        let params = self.decls.params(id, self.known.this);
        let mut given = given;
        let fits = given.len() == params.len() && given.iter().all(|g| g.name.is_none());
        if fits {
            for (arg, &ty) in given.iter_mut().zip(&signature.params) {
                let Some(ast) = arg.ast else { continue };
                let value = self.expr_as(ast, ty, None);
                if value.ty == Types::ERROR {
                    return None;
                }
                arg.done = Some(value);
            }
        }
        let call = |c: &mut Self, this: Expr, given: Vec<Argument<'a>>| {
            let overloads = Overloads {
                name: c.known.index,
                routines: vec![(id, 0)],
                this: Some(this),
                owner: Some(owner.clone()),
                explicit: Vec::new(),
                span,
            };
            Some(c.call_overloads(overloads, given, span, None))
        };
        if !fits || !self.can_be_stable(&base) {
            return call(self, base, given);
        }
        // The body is checked like any call: what stands for a parameter may be looked at more than once.
        let plain = self.prelude.is_some() || given.iter().all(|arg| arg.done.as_ref().is_none_or(is_plain));
        if !plain {
            return call(self, base, given);
        }
        let this = self.stable(base)?;
        let mut bound = vec![(self.known.this, this)];
        for (arg, param) in given.into_iter().zip(params.iter()) {
            let Some(value) = arg.done else { continue };
            let value = if is_plain(&value) {
                value
            } else {
                let (local, first) = self.hold(value);
                self.prelude.get_or_insert_default().push(first);
                self.local_expr(local, span)
            };
            bound.push((param.name, value));
        }
        let ctx = self.routine_context(id, &owner);
        let base = self.scopes.hide();
        let mark = self.scopes.open();
        let frame = self.frames.len() as u32 - 1;
        let first = self.aliases.len();
        for (symbol, value) in bound {
            self.aliases.push(value);
            let alias = Bound::Alias(AliasId(self.aliases.len() as u32 - 1));
            self.scopes.bind(symbol, frame, alias, span);
        }
        let place = self.within(ctx, |c| c.expr(body, None));
        self.aliases.truncate(first);
        self.scopes.close(mark);
        self.scopes.show(base);
        if place.ty == Types::ERROR {
            return None;
        }
        let mut place = self.coerce(place, signature.result, None);
        place.span = span;
        self.taken_in(&mut place, span);
        Some(place)
    }

    /// What the library wrote and became a part of the user's code: errors in it happen where the user wrote.
    pub fn taken_in(&self, e: &mut Expr, span: Span) {
        if self.sources.file(span.file).library {
            return;
        }
        if self.sources.file(e.span.file).library {
            e.span = span;
        }
        children_mut(e, &mut |part| self.taken_in(part, span));
    }

    /// What an alias stands for, once more. One that is not plain is used once, by construction.
    pub fn alias(&mut self, id: AliasId, span: Span) -> Expr {
        let at = id.0 as usize;
        let again = self.duplicate(&self.aliases[at]);
        match again {
            Some(mut e) => {
                e.span = span;
                e
            }
            None => {
                let used = Expr::new(ExprKind::Void, Types::ERROR, span);
                std::mem::replace(&mut self.aliases[at], used)
            }
        }
    }

    fn can_be_stable(&self, base: &Expr) -> bool {
        is_plain(base) || self.prelude.is_some()
    }

    /// A place with the same meaning that can be evaluated twice: indexes that are not plain, and values that are no
    /// places, are kept before the statement.
    pub fn stable(&mut self, e: Expr) -> Option<Expr> {
        if is_plain(&e) {
            return Some(e);
        }
        self.prelude.as_ref()?;
        let Expr { kind, ty, span } = e;
        let kind = match kind {
            ExprKind::Field { base, field } => ExprKind::Field { base: Box::new(self.stable(*base)?), field },
            ExprKind::Payload { base, variant, field, checked } => {
                ExprKind::Payload { base: Box::new(self.stable(*base)?), variant, field, checked }
            }
            ExprKind::AnyPayload { base } => ExprKind::AnyPayload { base: Box::new(self.stable(*base)?) },
            ExprKind::AsSlice(base) => ExprKind::AsSlice(Box::new(self.stable(*base)?)),
            ExprKind::Index { base, index } => {
                let base = self.stable(*base)?;
                let index = if is_plain(&index) {
                    *index
                } else {
                    let (local, first) = self.hold(*index);
                    self.prelude.get_or_insert_default().push(first);
                    self.local_expr(local, span)
                };
                ExprKind::Index { base: Box::new(base), index: Box::new(index) }
            }
            kind => {
                let (local, first) = self.hold(Expr { kind, ty, span });
                self.prelude.get_or_insert_default().push(first);
                ExprKind::Local(local)
            }
        };
        Some(Expr { kind, ty, span })
    }

    /// A plain expression once more.
    pub fn duplicate(&self, e: &Expr) -> Option<Expr> {
        let again = |e: &Expr| self.duplicate(e).map(Box::new);
        let kind = match &e.kind {
            ExprKind::Local(l) => ExprKind::Local(*l),
            ExprKind::Global(g) => ExprKind::Global(*g),
            ExprKind::Int(n) => ExprKind::Int(*n),
            ExprKind::Float(x) => ExprKind::Float(*x),
            ExprKind::Bool(b) => ExprKind::Bool(*b),
            ExprKind::Char(c) => ExprKind::Char(*c),
            ExprKind::Text(t) => ExprKind::Text(t.clone()),
            ExprKind::Zero => ExprKind::Zero,
            ExprKind::Field { base, field } => ExprKind::Field { base: again(base)?, field: *field },
            ExprKind::Payload { base, variant, field, checked } => {
                ExprKind::Payload { base: again(base)?, variant: *variant, field: *field, checked: *checked }
            }
            ExprKind::AnyPayload { base } => ExprKind::AnyPayload { base: again(base)? },
            ExprKind::AsSlice(base) => ExprKind::AsSlice(again(base)?),
            ExprKind::Index { base, index } => ExprKind::Index { base: again(base)?, index: again(index)? },
            ExprKind::Convert(inner) => ExprKind::Convert(again(inner)?),
            ExprKind::Unary { op, operand } => ExprKind::Unary { op: *op, operand: again(operand)? },
            ExprKind::Binary { op, left, right } if *op != BinaryOp::Concat => {
                ExprKind::Binary { op: *op, left: again(left)?, right: again(right)? }
            }
            ExprKind::Struct(fields) => {
                ExprKind::Struct(fields.iter().map(|f| self.duplicate(f)).collect::<Option<Vec<_>>>()?)
            }
            ExprKind::Variant { variant, payload } => ExprKind::Variant {
                variant: *variant,
                payload: payload.iter().map(|f| self.duplicate(f)).collect::<Option<Vec<_>>>()?,
            },
            _ => return None,
        };
        Some(Expr::new(kind, e.ty, e.span))
    }

    /// A type that the library declares under this name.
    pub fn library_type(&self, name: Symbol) -> Option<super::declarations::TypeDeclId> {
        match self.decls.space(self.library_space).names.get(&name)?.other? {
            Other::Type(decl) => Some(decl),
            _ => None,
        }
    }
}

/// Whether an expression can be evaluated twice with the same result and no effect: what [`Checker::duplicate`] copies.
pub fn is_plain(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Local(_)
        | ExprKind::Global(_)
        | ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Bool(_)
        | ExprKind::Char(_)
        | ExprKind::Text(_)
        | ExprKind::Zero => true,
        ExprKind::Field { base, .. } | ExprKind::Payload { base, .. } | ExprKind::AnyPayload { base } => is_plain(base),
        ExprKind::AsSlice(e) | ExprKind::Convert(e) | ExprKind::Unary { operand: e, .. } => is_plain(e),
        ExprKind::Index { base, index } => is_plain(base) && is_plain(index),
        ExprKind::Binary { op, left, right } => *op != BinaryOp::Concat && is_plain(left) && is_plain(right),
        ExprKind::Struct(parts) | ExprKind::Variant { payload: parts, .. } => parts.iter().all(is_plain),
        _ => false,
    }
}
