//! `c[k]` of types whose `operator []` names a place: `operator [](k: K) returns V: entries[present(k)].value`.
//!
//! Such an element is that place, with `c` and `k` put in: it can be read, assigned, and changed like any other. The
//! operator's body is checked anew for each use, with `this` and the parameters bound to what stands for them.
//!
//! What is put in is evaluated once, in the order in which it is written, the same as with an array's element: an argument
//! stands where the body names it, if it does so once and nothing comes in between; else it is kept in a temporary before
//! the statement. `c` may be named several times: its own indexes are evaluated by the first of them, and a `c` that is no
//! place is kept in a block around the element, which is no place then either.

use std::rc::Rc;

use super::Checker;
use super::assign::after;
use super::calls::Argument;
use super::declarations::{Other, RoutineDeclId};
use super::hir::{BinaryOp, Expr, ExprKind, LocalId, TypeId, Types};
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
            for (arg, &ty) in given.iter_mut().zip(signature.params.iter()) {
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
        if !fits {
            return call(self, base, given);
        }
        let done: Vec<Option<Expr>> = given.iter_mut().map(|arg| arg.done.take()).collect();
        let costly: Vec<bool> = done.iter().map(|e| e.as_ref().is_some_and(|e| !is_plain(e))).collect();
        let names: Vec<Symbol> = params.iter().map(|p| p.name).collect();
        let in_place = !costly.contains(&true) || named_in_order(body, &names, &costly);
        if !in_place && self.prelude.is_none() {
            for (arg, value) in given.iter_mut().zip(done) {
                arg.done = value;
            }
            return call(self, base, given);
        }
        // What is kept around the element, and the indexes that its first part evaluates.
        let (mut around, mut indexes) = (None, Vec::new());
        let this = if is_plain(&base) {
            base
        } else if self.prelude.is_some() && is_stored(&base) {
            self.split(base, &mut indexes)
        } else {
            let (local, first) = self.hold(base);
            around = Some(first);
            self.local_expr(local, span)
        };
        let depth = chain(&this);
        let mut late = Vec::new();
        let mut bound = vec![(self.known.this, this)];
        for ((value, name), costly) in done.into_iter().zip(names).zip(costly) {
            let Some(value) = value else { continue };
            let value = if costly && !in_place {
                let (local, set) = self.set_later(value);
                late.extend(set);
                self.local_expr(local, span)
            } else {
                value
            };
            bound.push((name, value));
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
        self.put_first(&mut place, depth, late);
        for (local, index) in indexes {
            self.plant(&mut place, local, index);
        }
        self.taken_in(&mut place, span);
        Some(match around {
            Some(first) => after(vec![first], place),
            None => place,
        })
    }

    /// A local for a value, declared before the statement, and what sets it; where it can only be set at once, it is.
    fn set_later(&mut self, value: Expr) -> (LocalId, Option<Expr>) {
        let (ty, span) = (value.ty, value.span);
        if !self.zero_bits(ty) {
            let (local, first) = self.hold(value);
            self.prelude.get_or_insert_default().push(first);
            return (local, None);
        }
        let (local, first) = self.hold(Expr::new(ExprKind::Zero, ty, span));
        self.prelude.get_or_insert_default().push(first);
        let place = Box::new(Expr::new(ExprKind::Local(local), ty, span));
        let set = ExprKind::Assign { place, value: Box::new(value) };
        (local, Some(Expr::new(set, Types::VOID, span)))
    }

    /// Lets the first index that the operator's body has evaluate something before; `depth` is how many parts of the
    /// place are not the body's.
    fn put_first(&mut self, place: &mut Expr, depth: usize, mut list: Vec<Expr>) {
        if list.is_empty() {
            return;
        }
        let own = chain(place).saturating_sub(depth);
        let mut at = place;
        let mut found = None;
        for _ in 0..own {
            at = match &mut at.kind {
                ExprKind::Index { base, index } => {
                    found = Some(index);
                    base
                }
                ExprKind::Field { base, .. }
                | ExprKind::Payload { base, .. }
                | ExprKind::AnyPayload { base }
                | ExprKind::AsSlice(base)
                | ExprKind::Convert(base) => base,
                _ => break,
            };
        }
        match found {
            Some(index) => {
                let (ty, span) = (index.ty, index.span);
                let old = std::mem::replace(&mut **index, Expr::new(ExprKind::Void, ty, span));
                **index = after(list, old);
            }
            None => self.prelude.get_or_insert_default().append(&mut list),
        }
    }

    /// The same place with locals for the indexes that are not plain. The locals are declared before the statement.
    fn split(&mut self, e: Expr, indexes: &mut Vec<(LocalId, Expr)>) -> Expr {
        if is_plain(&e) {
            return e;
        }
        let Expr { kind, ty, span } = e;
        let kind = match kind {
            ExprKind::Field { base, field } => ExprKind::Field { base: Box::new(self.split(*base, indexes)), field },
            ExprKind::Payload { base, variant, field, checked } => {
                ExprKind::Payload { base: Box::new(self.split(*base, indexes)), variant, field, checked }
            }
            ExprKind::AnyPayload { base } => ExprKind::AnyPayload { base: Box::new(self.split(*base, indexes)) },
            ExprKind::AsSlice(base) => ExprKind::AsSlice(Box::new(self.split(*base, indexes))),
            ExprKind::Index { base, index } => {
                let base = Box::new(self.split(*base, indexes));
                if is_plain(&index) {
                    ExprKind::Index { base, index }
                } else {
                    let (ty, at) = (index.ty, index.span);
                    let (local, set) = self.set_later(*index);
                    indexes.extend(set.map(|set| (local, set)));
                    ExprKind::Index { base, index: Box::new(Expr::new(ExprKind::Local(local), ty, at)) }
                }
            }
            kind => kind,
        };
        Expr { kind, ty, span }
    }

    /// Lets the leftmost index that is this local set it.
    fn plant(&mut self, place: &mut Expr, local: LocalId, set: Expr) {
        let mut at = place;
        loop {
            at = match &mut at.kind {
                ExprKind::Index { index: found, .. } if matches!(found.kind, ExprKind::Local(l) if l == local) => {
                    let read = Expr::new(ExprKind::Local(local), found.ty, found.span);
                    **found = after(vec![set], read);
                    return;
                }
                ExprKind::Index { base, .. }
                | ExprKind::Field { base, .. }
                | ExprKind::Payload { base, .. }
                | ExprKind::AnyPayload { base }
                | ExprKind::AsSlice(base)
                | ExprKind::Convert(base) => base,
                // No place of `c` after all: then it is early.
                _ => return self.prelude.get_or_insert_default().push(set),
            }
        }
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

/// How many parts a place is put together of, its variable apart.
fn chain(e: &Expr) -> usize {
    let (mut at, mut length) = (e, 0);
    while let ExprKind::Index { base, .. }
    | ExprKind::Field { base, .. }
    | ExprKind::Payload { base, .. }
    | ExprKind::AnyPayload { base }
    | ExprKind::AsSlice(base)
    | ExprKind::Convert(base) = &at.kind
    {
        at = base;
        length += 1;
    }
    length
}

/// Whether a place is a variable or a part of one.
fn is_stored(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Local(_) | ExprKind::Global(_) => true,
        ExprKind::Field { base, .. }
        | ExprKind::Payload { base, .. }
        | ExprKind::AnyPayload { base }
        | ExprKind::AsSlice(base)
        | ExprKind::Index { base, .. } => is_stored(base),
        _ => false,
    }
}

/// Whether a body evaluates the arguments for its parameters in their order, and those that cost something once.
fn named_in_order(body: &ast::Expr, names: &[Symbol], costly: &[bool]) -> bool {
    let mut found = Vec::new();
    if !named(body, names, &mut found) {
        return false;
    }
    let once = |i: usize| found.iter().filter(|&&f| f == i).count() == 1;
    let mut first: Vec<usize> = Vec::new();
    for &i in &found {
        if !first.contains(&i) {
            first.push(i);
        }
    }
    first.is_sorted() && (0..costly.len()).all(|i| !costly[i] || once(i))
}

/// The parameters that an expression names, in the order in which it evaluates them; false if that depends on something.
fn named(e: &ast::Expr, names: &[Symbol], found: &mut Vec<usize>) -> bool {
    use ast::ExprKind;
    match &e.kind {
        ExprKind::Name(name) => {
            found.extend(names.iter().position(|n| n == name));
            true
        }
        ExprKind::Member(base, _) => named(base, names, found),
        ExprKind::Index(index) => named(&index.head, names, found) && index.args.iter().all(|a| named(a, names, found)),
        ExprKind::Call(call) => {
            named(&call.callee, names, found)
                && call.args.iter().all(|a| a.name.is_none() && named(&a.value, names, found))
        }
        ExprKind::Prefix(_, e) => named(e, names, found),
        ExprKind::As(a) => named(&a.value, names, found),
        ExprKind::Binary(b) if !matches!(b.op, ast::BinaryOp::And | ast::BinaryOp::Or) => {
            named(&b.left, names, found) && named(&b.right, names, found)
        }
        ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Bool(_) | ExprKind::Str(_) | ExprKind::Char(_) => true,
        _ => false,
    }
}
