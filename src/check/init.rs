//! Initializers: `this` starts as zero, defaults are set, the body sets the rest, `this` is given back.

use rustc_hash::FxHashSet;

use super::Checker;
use super::declarations::RoutineDeclId;
use super::hir::{Expr, ExprKind, LocalId, Type, TypeId, Types};
use super::statements::Want;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast::{self, DefineKind};

impl<'a> Checker<'a> {
    pub fn init_body(&mut self, id: RoutineDeclId, body: &'a ast::Body, this: LocalId, ty: TypeId) -> Expr {
        let span = body.span;
        let mut list = Vec::new();
        let mut set = FxHashSet::default();
        let decl = self.decls.routine(id);
        let (owner, head) = (decl.owner, decl.routine.head_span);
        let fields: &'a [ast::Field] = match owner.map(|o| &self.decls.ty(o).define.kind) {
            Some(DefineKind::Struct { fields, .. }) => fields,
            _ => &[],
        };
        if let (Some(owner), &Type::Struct(structure)) = (owner, self.out.types.get(ty)) {
            let args = self.out.types.structure(structure).arguments.clone();
            let types: Vec<TypeId> = self.out.types.structure(structure).fields.iter().map(|f| f.ty).collect();
            let ctx = self.type_context(owner, &args);
            let beside = || fields.iter().map(|f| (f.name.symbol, f.name.span)).collect();
            for (i, (field, field_ty)) in fields.iter().zip(types).enumerate() {
                let Some(default) = &field.default else { continue };
                set.insert(i as u32);
                let value = self.default_elsewhere(default, field_ty, ctx.clone(), beside());
                if value.ty == Types::ERROR {
                    continue;
                }
                let base = Expr::new(ExprKind::Local(this), ty, span);
                let place = Box::new(self.field(base, i as u32, span));
                list.push(Expr::new(ExprKind::Assign { place, value: Box::new(value) }, Types::VOID, span));
            }
        }
        let checked = self.body(body, Want::Nothing);
        let left = checked.ty == Types::NEVER;
        if checked.ty != Types::ERROR {
            let mut paths = Paths { this, missing: Vec::new(), all: fields.len() as u32 };
            let end = paths.walk(&checked, Some(set));
            let mut missing = paths.missing;
            if let Some(end) = end {
                missing.extend((0..fields.len() as u32).filter(|f| !end.contains(f)).map(|f| (f, head)));
            }
            missing.sort();
            missing.dedup_by_key(|(field, _)| *field);
            for (field, at) in missing {
                let name = self.text(fields[field as usize].name.symbol);
                let message = format!("this `init` does not set the field `{name}`");
                let label = if at == head { "not set on every way to its end" } else { "leaves before it is set" };
                self.report(
                    Diagnostic::error(at, message)
                        .label(label)
                        .secondary(fields[field as usize].span, "has no default")
                        .help(format!("write `set {name}: …` in it")),
                );
            }
        }
        list.push(checked);
        if left {
            return Expr::new(ExprKind::Block(list), Types::NEVER, span);
        }
        list.push(Expr::new(ExprKind::Local(this), ty, span));
        Expr::new(ExprKind::Block(list), ty, span)
    }
}

/// Which fields are set on every way through a body. None is a way that ends before.
struct Paths {
    this: LocalId,
    /// Fields that are not set at a `return`.
    missing: Vec<(u32, Span)>,
    all: u32,
}

type Set = Option<FxHashSet<u32>>;

impl Paths {
    fn walk(&mut self, e: &Expr, set: Set) -> Set {
        let set = set?;
        match &e.kind {
            ExprKind::Block(list) => {
                let mut state = Some(set);
                for e in list {
                    state = self.walk(e, state);
                }
                state
            }
            ExprKind::Assign { place, value } => {
                let mut state = self.walk(value, Some(set))?;
                match &place.kind {
                    ExprKind::Field { base, field } if self.is_this(base) => {
                        state.insert(*field);
                    }
                    _ if self.is_this(place) => state.extend(0..self.all),
                    _ => {}
                }
                Some(state)
            }
            ExprKind::If { condition, then, otherwise } => {
                let state = self.walk(condition, Some(set));
                let a = self.walk(then, state.clone());
                let b = match otherwise {
                    Some(otherwise) => self.walk(otherwise, state),
                    None => state,
                };
                both(a, b)
            }
            ExprKind::Match { value, arms, otherwise, .. } => {
                let state = self.walk(value, Some(set));
                let mut result = match otherwise {
                    Some(otherwise) => self.walk(otherwise, state.clone()),
                    None => state.clone(),
                };
                for arm in arms {
                    let end = self.walk(&arm.body, state.clone());
                    result = both(result, end);
                }
                result
            }
            ExprKind::Choose { subject, arms, otherwise } => {
                let state = self.walk(subject, Some(set));
                let mut result = match otherwise {
                    Some(otherwise) => self.walk(otherwise, state.clone()),
                    None => None,
                };
                for arm in arms {
                    let end = self.walk(&arm.body, state.clone());
                    result = both(result, end);
                }
                result
            }
            ExprKind::Return(_) => {
                self.missing.extend((0..self.all).filter(|f| !set.contains(f)).map(|f| (f, e.span)));
                None
            }
            ExprKind::Let { value, .. } | ExprKind::Drop(value) => self.walk(value, Some(set)),
            ExprKind::Repeat { body, .. } => {
                // What the first round sets before any `break` is not followed up: only plain sequences count.
                self.walk(body, Some(set.clone()));
                if e.ty == Types::NEVER { None } else { Some(set) }
            }
            ExprKind::While { body, .. }
            | ExprKind::WhileLet { body, .. }
            | ExprKind::ForRange { body, .. }
            | ExprKind::ForEach { body, .. } => {
                self.walk(body, Some(set.clone()));
                Some(set)
            }
            _ if e.ty == Types::NEVER => None,
            _ => Some(set),
        }
    }

    fn is_this(&self, e: &Expr) -> bool {
        matches!(e.kind, ExprKind::Local(l) if l == self.this)
    }
}

fn both(a: Set, b: Set) -> Set {
    match (a, b) {
        (None, other) | (other, None) => other,
        (Some(a), Some(b)) => Some(a.intersection(&b).copied().collect()),
    }
}
