//! Types that are walked by positions: `begin`, `advance`, `element`.
//!
//! `for x in c: body` over such a type becomes
//! `var q = c.begin(); while q >= 0 { let p = q; set q: c.advance(p); let x = c.element(p); body }`. Advancing before the
//! body makes `continue` plain; the collection does not change while it is walked.

use std::rc::Rc;

use super::Checker;
use super::declarations::RoutineDeclId;
use super::hir::{CompareOp, Expr, ExprKind, LocalId, LocalKind, TypeId, Types, Walk};
use super::overloads::is_constant;
use crate::source::Span;
use crate::syntax::Symbol;
use crate::syntax::ast;

impl<'a> Checker<'a> {
    /// Whether a type has the three methods.
    pub fn walks(&mut self, ty: TypeId) -> bool {
        [(self.known.begin, 0), (self.known.advance, 1), (self.known.element, 1)]
            .into_iter()
            .all(|(name, params)| self.walk_method(ty, name, params).is_some())
    }

    fn walk_method(&mut self, ty: TypeId, name: Symbol, params: usize) -> Option<(RoutineDeclId, Rc<[TypeId]>)> {
        let (routines, owner, through) = self.find_methods(ty, name)?;
        if through.is_some() {
            return None;
        }
        for routine in routines {
            if self.decls.routine(routine).routine.generics.is_empty()
                && self.decls.params(routine, self.known.this).len() == params
            {
                let signature = self.signature(routine, &owner);
                let positions = signature.params.iter().all(|&p| p == Types::I64);
                let result = name == self.known.element || signature.result == Types::I64;
                if positions && result && signature.result != Types::VOID {
                    return Some((routine, owner));
                }
            }
        }
        None
    }

    fn walk_call(&mut self, name: Symbol, this: Expr, position: Option<Expr>, span: Span) -> Expr {
        let params = usize::from(position.is_some());
        match self.walk_method(this.ty, name, params) {
            Some((routine, owner)) => self.emit_call(routine, &owner, Some(this), position.into_iter().collect(), span),
            None => self.failed(span),
        }
    }

    pub fn for_walk(&mut self, f: &'a ast::For, value: Expr, declared: Option<(TypeId, Span)>, span: Span) -> Expr {
        let at = value.span;
        let mut list = Vec::new();
        let collection = match self.duplicate(&value) {
            Some(plain) if value.is_place() => plain,
            _ => {
                let ty = value.ty;
                let local = self.local(String::new(), ty, LocalKind::Let, at);
                list.push(Expr::new(ExprKind::Let { local, value: Box::new(value), view: false }, Types::VOID, at));
                Expr::new(ExprKind::Local(local), ty, at)
            }
        };
        let again = |c: &Self| c.duplicate(&collection).unwrap_or_else(|| c.failed(at));
        let position = |local: LocalId| Expr::new(ExprKind::Local(local), Types::I64, at);
        let this = again(self);
        let begin = self.walk_call(self.known.begin, this, None, at);
        let next = self.temporary(Types::I64, at);
        list.push(Expr::new(ExprKind::Let { local: next, value: Box::new(begin), view: false }, Types::VOID, at));
        let now = self.temporary(Types::I64, at);
        let this = again(self);
        let advance = self.walk_call(self.known.advance, this, Some(position(now)), at);
        let this = again(self);
        let element = self.element_at(this, position(now), at);
        if let Some((ty, at)) = declared
            && ty != element.ty
            && ty != Types::ERROR
            && element.ty != Types::ERROR
        {
            let (expected, found) = (self.type_name(ty), self.type_name(element.ty));
            self.report(
                crate::diagnostic::Diagnostic::error(
                    at,
                    format!("the loop variable is a `{found}`, not a `{expected}`"),
                )
                .label("another type"),
            );
        }
        let (tag, variable, body) = self.for_body(f, element.ty);
        if element.ty == Types::ERROR {
            return self.failed(span);
        }
        let void = |kind| Expr::new(kind, Types::VOID, at);
        let steps = vec![
            void(ExprKind::Let { local: now, value: Box::new(position(next)), view: false }),
            void(ExprKind::Assign { place: Box::new(position(next)), value: Box::new(advance) }),
            void(ExprKind::Let { local: variable, value: Box::new(element), view: false }),
            Expr { ty: Types::VOID, ..body },
        ];
        let condition = ExprKind::Compare {
            op: CompareOp::Ge,
            left: Box::new(position(next)),
            right: Box::new(Expr::new(ExprKind::Int(0), Types::I64, at)),
        };
        let walk = ExprKind::While {
            tag,
            condition: Box::new(Expr::new(condition, Types::BOOL, at)),
            body: Box::new(Expr::new(ExprKind::Block(steps), Types::VOID, span)),
        };
        list.push(Expr::new(walk, Types::VOID, span));
        Expr::new(ExprKind::Block(list), Types::VOID, span)
    }

    /// `c.element(p)`: the place that its body names, where it is one.
    fn element_at(&mut self, this: Expr, position: Expr, span: Span) -> Expr {
        let Some((routine, owner)) = self.walk_method(this.ty, self.known.element, 1) else { return self.failed(span) };
        if let Some(body) = self.place_of_this(routine)
            && !is_constant(&this)
        {
            let given = vec![super::calls::Argument::done(position)];
            return match self.project(this, routine, owner, body, given, span) {
                Some(e) => e,
                None => self.failed(span),
            };
        }
        self.emit_call(routine, &owner, Some(this), vec![position], span)
    }

    /// Notes how values of a type are walked, so that they can be shown.
    pub fn note_walk(&mut self, ty: TypeId, span: Span) {
        if self.out.walks.contains_key(&ty) {
            return;
        }
        let mut ids = Vec::new();
        for (name, params) in [(self.known.begin, 0), (self.known.advance, 1), (self.known.element, 1)] {
            let Some((routine, owner)) = self.walk_method(ty, name, params) else { return };
            let result = self.signature(routine, &owner).result;
            ids.push((self.instance(routine, &owner, span), result));
        }
        if let [(begin, _), (advance, _), (element, item)] = ids[..] {
            self.out.walks.insert(ty, Walk { begin, advance, element, item });
        }
    }
}
