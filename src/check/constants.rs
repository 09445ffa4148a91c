//! Constants: evaluated while checking where they can be, else once before the main program.

use rustc_hash::FxHashSet;

use super::Checker;
use super::declarations::{ConstantId, ConstantState};
use super::fold::fold;
use super::hir::{self, Body, Expr, ExprKind, Global, GlobalId, RoutineId, RoutineKind, Types};
use super::ownership::walk::{children, children_mut};
use super::scope::Frame;
use super::types::Context;
use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// Constants that need one another in a chain longer than this would exhaust the checker's stack.
const MAX_DEPTH: u32 = 150;

impl<'a> Checker<'a> {
    /// The value of a constant, named at a place.
    pub fn constant(&mut self, id: ConstantId, span: Span) -> Expr {
        if matches!(self.decls.constant(id).state, ConstantState::Unknown) {
            if self.constant_depth >= MAX_DEPTH {
                self.report(
                    Diagnostic::error(span, "constants of constants nest too deeply")
                        .label("needs too many others first")
                        .help("define the first ones of the chain before those that need them"),
                );
                return self.failed(span);
            }
            self.decls.constant_mut(id).state = ConstantState::Running;
            self.constant_depth += 1;
            let state = self.evaluate(id);
            self.constant_depth -= 1;
            self.decls.constant_mut(id).state = state;
        }
        match &self.decls.constant(id).state {
            ConstantState::Literal(value, ty) => Expr::new(value.to_kind(), *ty, span),
            ConstantState::Global(global, ty) => Expr::new(ExprKind::Global(*global), *ty, span),
            ConstantState::Error | ConstantState::Unknown => self.failed(span),
            ConstantState::Running => {
                let name = self.text(self.decls.constant(id).name);
                let at = self.decls.constant(id).span;
                self.report(
                    Diagnostic::error(at, format!("the constant `{name}` is defined by itself"))
                        .label("its value is needed for its value")
                        .secondary(span, "needed here"),
                );
                self.failed(span)
            }
        }
    }

    fn evaluate(&mut self, id: ConstantId) -> ConstantState {
        let decl = self.decls.constant(id);
        let (name, at, declared, value_ast) = (decl.name, decl.span, decl.ty, decl.value);
        let (space, generics, library) = (decl.space, decl.outer.clone(), decl.library);
        let routine = self.new_routine(hir::Routine {
            name: self.text(name).to_string(),
            kind: RoutineKind::Function,
            params: Vec::new(),
            result: Types::ERROR,
            locals: Vec::new(),
            body: Body::Code(Box::new(Expr::new(ExprKind::Void, Types::VOID, at))),
            captures: Vec::new(),
            span: at,
            library,
            summary: hir::Summary::default(),
        });
        self.frames.push(Frame::new(routine, RoutineKind::Function, None));
        let base = self.scopes.hide();
        let (prelude, origin) = (self.prelude.take(), self.origin.take());
        let value = self.within(Context { space, generics }, |c| match declared {
            Some(ty) => {
                let ty_id = c.resolve(ty);
                let value = c.expr_as(value_ast, ty_id, Some((ty.span, "declared here")));
                if ty_id == Types::ERROR { c.failed(value_ast.span) } else { value }
            }
            None => c.value(value_ast, None),
        });
        self.prelude = prelude;
        self.origin = origin;
        self.scopes.show(base);
        let ty = value.ty;
        match ty {
            Types::ERROR => {
                self.frames.pop();
                return ConstantState::Error;
            }
            Types::VOID | Types::NEVER => {
                self.frames.pop();
                if ty == Types::VOID {
                    self.no_value(&value);
                } else {
                    self.report(Diagnostic::error(value.span, "a constant needs a value").label("this gives none"));
                }
                return ConstantState::Error;
            }
            _ => {}
        }
        if let Some(folded) = fold(&value, &self.out.types) {
            self.frames.pop();
            if routine.0 as usize + 1 == self.out.routines.len() {
                self.out.routines.pop();
            }
            return ConstantState::Literal(folded, ty);
        }
        self.finish_routine(routine, Vec::new(), value);
        self.out.routines[routine.0 as usize].result = ty;
        self.out.globals.push(Global { name: self.text(name).to_string(), ty, initializer: routine, span: at });
        ConstantState::Global(GlobalId(self.out.globals.len() as u32 - 1), ty)
    }

    /// Puts the constants into an order in which each is evaluated before who needs it, also through routines.
    pub fn order_globals(&mut self) {
        let n = self.out.globals.len();
        if n == 0 {
            return;
        }
        let needs: Vec<Vec<GlobalId>> = (0..n).map(|i| self.needed(self.out.globals[i].initializer)).collect();
        let mut order: Vec<usize> = Vec::with_capacity(n);
        let mut state = vec![0u8; n];
        for start in 0..n {
            let mut path = vec![(start, 0)];
            while let Some(&mut (at, ref mut next)) = path.last_mut() {
                if state[at] == 2 {
                    path.pop();
                    continue;
                }
                state[at] = 1;
                match needs[at].get(*next) {
                    Some(needed) => {
                        *next += 1;
                        let needed = needed.0 as usize;
                        match state[needed] {
                            0 => path.push((needed, 0)),
                            1 => {
                                let global = &self.out.globals[needed];
                                let message = format!("the constant `{}` is defined by itself", global.name);
                                let diagnostic = Diagnostic::error(global.span, message)
                                    .label("a routine that its value calls needs it");
                                self.report(diagnostic);
                            }
                            _ => {}
                        }
                    }
                    None => {
                        state[at] = 2;
                        order.push(at);
                        path.pop();
                    }
                }
            }
        }
        if order.windows(2).all(|w| w[0] < w[1]) {
            return;
        }
        let mut place = vec![GlobalId(0); n];
        let mut old: Vec<Option<Global>> = std::mem::take(&mut self.out.globals).into_iter().map(Some).collect();
        for (new, &at) in order.iter().enumerate() {
            place[at] = GlobalId(new as u32);
            self.out.globals.extend(old[at].take());
        }
        for routine in &mut self.out.routines {
            if let Body::Code(body) = &mut routine.body {
                renumber(body, &place);
            }
        }
    }

    /// The globals that running a routine may read.
    fn needed(&self, start: RoutineId) -> Vec<GlobalId> {
        let mut seen = FxHashSet::default();
        let mut open = vec![start];
        let mut globals = Vec::new();
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            if let Body::Code(body) = &self.out.routine(id).body {
                let mut parts = vec![&**body];
                while let Some(e) = parts.pop() {
                    match &e.kind {
                        ExprKind::Global(g) => globals.push(*g),
                        ExprKind::Call { routine, .. }
                        | ExprKind::RoutineValue(routine)
                        | ExprKind::Lambda { routine, .. } => open.push(*routine),
                        _ => {}
                    }
                    children(e, &mut |part| parts.push(part));
                }
            }
        }
        globals.sort();
        globals.dedup();
        globals
    }
}

fn renumber(e: &mut Expr, place: &[GlobalId]) {
    if let ExprKind::Global(g) = &mut e.kind {
        *g = place[g.0 as usize];
    }
    children_mut(e, &mut |part| renumber(part, place));
}
