//! Which routines of a type have `this` without declaring it.
//!
//! In a type, a routine that names a field, `this`, or a sibling that has `this` is a method. Only free names count: a
//! parameter or local of the same name hides the field. Siblings may name one another, hence the fixpoint.

use std::rc::Rc;

use rustc_hash::FxHashSet;

use super::Checker;
use super::declarations::{RoutineDeclId, TypeDeclId};
use crate::syntax::Symbol;
use crate::syntax::ast::*;

impl<'a> Checker<'a> {
    pub fn has_this(&mut self, id: RoutineDeclId) -> bool {
        let decl = self.decls.routine(id);
        let Some(owner) = decl.owner else { return false };
        let routine = decl.routine;
        if routine.params.iter().any(|p| p.name.symbol == self.known.this) {
            return true;
        }
        match routine.kind {
            RoutineKind::Init | RoutineKind::Deinit => return true,
            RoutineKind::Operator => return !self.decls.ty(owner).is_namespace(),
            RoutineKind::Function | RoutineKind::Procedure => {}
        }
        if !matches!(routine.body, RoutineBody::Code(_)) || self.decls.ty(owner).is_namespace() {
            return false;
        }
        self.methods(owner).contains(&id)
    }

    /// The routines of a type that have `this` without saying so.
    fn methods(&mut self, owner: TypeDeclId) -> Rc<FxHashSet<RoutineDeclId>> {
        if let Some(methods) = &self.decls.ty(owner).methods {
            return methods.clone();
        }
        let declared = self.decls.ty(owner);
        let fields: FxHashSet<Symbol> = match &declared.define.kind {
            DefineKind::Struct { fields, .. } => fields.iter().map(|f| f.name.symbol).collect(),
            _ => FxHashSet::default(),
        };
        let mut sibling_methods = FxHashSet::default();
        let mut open = Vec::new();
        let mut methods = FxHashSet::default();
        let space = self.decls.space(declared.members);
        for (&name, entry) in &space.names {
            for &id in &entry.routines {
                let routine = self.decls.routine(id).routine;
                if routine.kind == RoutineKind::Operator
                    || routine.params.iter().any(|p| p.name.symbol == self.known.this)
                {
                    sibling_methods.insert(name);
                } else if let RoutineBody::Code(body) = &routine.body {
                    let mut scan = FreeNames { bound: Vec::new(), free: FxHashSet::default() };
                    scan.bound.extend(routine.params.iter().map(|p| p.name.symbol));
                    scan.body(body);
                    if scan.free.contains(&self.known.this) || scan.free.iter().any(|n| fields.contains(n)) {
                        methods.insert(id);
                        sibling_methods.insert(name);
                    } else {
                        open.push((id, name, scan.free));
                    }
                }
            }
        }
        loop {
            let before = open.len();
            open.retain(|(id, name, free)| {
                let method = free.iter().any(|n| sibling_methods.contains(n));
                if method {
                    methods.insert(*id);
                    sibling_methods.insert(*name);
                }
                !method
            });
            if open.len() == before {
                break;
            }
        }
        let methods = Rc::new(methods);
        self.decls.ty_mut(owner).methods = Some(methods.clone());
        methods
    }
}

/// Collects the names that a body uses without binding them.
struct FreeNames {
    bound: Vec<Symbol>,
    free: FxHashSet<Symbol>,
}

impl FreeNames {
    fn name(&mut self, symbol: Symbol) {
        if !self.bound.contains(&symbol) {
            self.free.insert(symbol);
        }
    }

    fn scoped(&mut self, names: impl IntoIterator<Item = Symbol>, f: impl FnOnce(&mut Self)) {
        let mark = self.bound.len();
        self.bound.extend(names);
        f(self);
        self.bound.truncate(mark);
    }

    fn body(&mut self, body: &Body) {
        self.scoped([], |s| {
            for stmt in &body.stmts {
                match &stmt.kind {
                    StmtKind::Routine(routine) => s.bound.push(routine.name.symbol),
                    StmtKind::Define(define) => s.bound.push(define.name.symbol),
                    _ => {}
                }
            }
            for stmt in &body.stmts {
                s.stmt(stmt);
            }
        });
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Expr(e) => self.expr(e),
            StmtKind::Let(l) => {
                if let Some(value) = &l.value {
                    self.expr(value);
                }
                self.bound.push(l.name.symbol);
            }
            StmtKind::Assign(a) => {
                self.expr(&a.place);
                self.expr(&a.value);
            }
            StmtKind::While(w) => {
                self.expr(&w.condition);
                self.body(&w.body);
            }
            StmtKind::WhileLet(w) => {
                self.expr(&w.value);
                self.scoped([w.name.symbol], |s| s.body(&w.body));
            }
            StmtKind::For(f) => {
                self.expr(&f.iterable);
                self.scoped([f.name.symbol], |s| s.body(&f.body));
            }
            StmtKind::Repeat(r) => self.body(&r.body),
            StmtKind::Return(Some(e)) | StmtKind::Throw(Some(e)) => self.expr(e),
            _ => {}
        }
    }

    fn arms(&mut self, arms: &[WhenArm], otherwise: &Option<Body>) {
        for arm in arms {
            let names: Vec<Symbol> = match &arm.binding {
                WhenBinding::None => Vec::new(),
                WhenBinding::Whole(name) => vec![name.symbol],
                WhenBinding::Fields(names) => names.iter().map(|n| n.symbol).collect(),
            };
            self.scoped(names, |s| s.body(&arm.body));
        }
        if let Some(body) = otherwise {
            self.body(body);
        }
    }

    fn expr(&mut self, e: &Expr) {
        match &e.kind {
            ExprKind::Name(symbol) => self.name(*symbol),
            ExprKind::Member(base, _) => self.expr(base),
            ExprKind::Index(index) => {
                self.expr(&index.head);
                index.args.iter().for_each(|a| self.expr(a));
            }
            ExprKind::Call(call) => {
                self.expr(&call.callee);
                call.args.iter().for_each(|a| self.expr(&a.value));
            }
            ExprKind::Array(items) => items.iter().for_each(|i| self.expr(i)),
            ExprKind::Prefix(_, e) | ExprKind::Optional(e) | ExprKind::Marked(e, _) => self.expr(e),
            ExprKind::Binary(b) => {
                self.expr(&b.left);
                self.expr(&b.right);
            }
            ExprKind::As(a) => self.expr(&a.value),
            ExprKind::Is(i) => self.expr(&i.value),
            ExprKind::Range(r) => {
                self.expr(&r.low);
                self.expr(&r.high);
            }
            ExprKind::If(i) => {
                self.expr(&i.condition);
                self.body(&i.then);
                if let Some(body) = &i.otherwise {
                    self.body(body);
                }
            }
            ExprKind::Match(m) => {
                self.expr(&m.subject);
                for arm in &m.arms {
                    arm.values.iter().for_each(|v| self.expr(v));
                    self.body(&arm.body);
                }
                if let Some(body) = &m.otherwise {
                    self.body(body);
                }
            }
            ExprKind::Choose(c) => {
                self.expr(&c.subject);
                self.arms(&c.arms, &c.otherwise);
            }
            ExprKind::Try(t) => {
                self.expr(&t.value);
                self.arms(&t.arms, &t.otherwise);
            }
            ExprKind::Block(body) => self.body(body),
            ExprKind::Lambda(l) => self.scoped(l.params.iter().map(|p| p.name.symbol), |s| s.body(&l.body)),
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Bool(_)
            | ExprKind::Null
            | ExprKind::Str(_)
            | ExprKind::Char(_)
            | ExprKind::SizeOf(_)
            | ExprKind::AlignOf(_)
            | ExprKind::Type(_)
            | ExprKind::Error => {}
        }
    }
}
