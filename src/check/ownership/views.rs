//! What the value of an expression shows: the places whose storage it shares.
//!
//! A place shows itself, a `Slice` the elements it views, a lambda what it views of the locals around. Values that
//! are built where they are used (results of calls, new structs) show nothing but themselves.

use rustc_hash::FxHashMap;

use super::place::{Place, Places, Root, Step};
use super::summary::Summaries;
use crate::check::hir::{Expr, ExprKind, LocalId, Program, Routine, RoutineId, Type, TypeId, Types};

/// The views of one routine, found on the way through its body.
pub struct Views<'p> {
    pub program: &'p Program,
    pub summaries: &'p Summaries,
    pub routine: &'p Routine,
    /// What each local shows that was declared as a `Slice`, and each cursor.
    shown: FxHashMap<LocalId, Places>,
}

impl<'p> Views<'p> {
    pub fn new(program: &'p Program, summaries: &'p Summaries, id: RoutineId) -> Self {
        Views { program, summaries, routine: program.routine(id), shown: FxHashMap::default() }
    }

    pub fn is_slice(&self, ty: TypeId) -> bool {
        matches!(self.program.types.get(ty), Type::Slice(_))
    }

    pub fn ty(&self, local: LocalId) -> TypeId {
        self.routine.locals[local.0 as usize].ty
    }

    /// Notes that `local` shows these places for as long as it lives.
    pub fn show(&mut self, local: LocalId, places: Places) {
        self.shown.insert(local, places);
    }

    /// Takes note of a declaration: what a slice views.
    pub fn declare(&mut self, local: LocalId, value: &Expr, depth: u32) {
        if self.is_slice(self.ty(local)) {
            let places = self.of(value, depth);
            self.show(local, places);
        }
    }

    /// What a payload's binding shows of a subject that shows `subject`.
    pub fn payload(&self, subject: &[Place], union: TypeId, variant: u32, field: u32) -> Places {
        let step = Step::Payload { variant, field };
        let boxed = self.boxed(union, variant, field);
        subject.iter().map(|place| place.clone().step(step, boxed)).collect()
    }

    /// The place itself, whatever its variable shows. An unboxed payload lies in the slots of its union.
    pub fn slots(&self, e: &Expr) -> Option<Place> {
        let (base, step, boxed) = match &e.kind {
            ExprKind::Local(l) => return Some(Place::of(Root::Local(*l))),
            ExprKind::Field { base, field } => (base, Step::Field(*field), false),
            ExprKind::Index { base, .. } => (base, Step::Index, false),
            ExprKind::Payload { base, variant, field, .. } => {
                (base, Step::Payload { variant: *variant, field: *field }, self.boxed(base.ty, *variant, *field))
            }
            ExprKind::AnyPayload { base } => (base, Step::AnyPayload, false),
            _ => return None,
        };
        self.slots(base).map(|place| place.step(step, boxed))
    }

    /// The places that the value of `e`, evaluated in a block at `depth`, shows.
    pub fn of(&self, e: &Expr, depth: u32) -> Places {
        let mut places = Places::new();
        self.collect(e, depth, &mut places);
        places
    }

    fn collect(&self, e: &Expr, depth: u32, out: &mut Places) {
        let step = |base: &Expr, step: Step, boxed: bool, out: &mut Places| {
            let from = out.len();
            self.collect(base, depth, out);
            for place in &mut out[from..] {
                place.push(step, boxed);
            }
        };
        match &e.kind {
            ExprKind::Local(l) => match self.shown.get(l) {
                Some(places) => out.extend(places.iter().cloned()),
                None => out.push(Place::of(Root::Local(*l))),
            },
            ExprKind::Global(g) => out.push(Place::of(Root::Global(*g))),
            ExprKind::Field { base, field } => step(base, Step::Field(*field), false, out),
            ExprKind::Index { base, .. } => step(base, Step::Index, false, out),
            ExprKind::Payload { base, variant, field, .. } => step(
                base,
                Step::Payload { variant: *variant, field: *field },
                self.boxed(base.ty, *variant, *field),
                out,
            ),
            ExprKind::AnyPayload { base } => step(base, Step::AnyPayload, true, out),
            ExprKind::Move(x) | ExprKind::AsSlice(x) => self.collect(x, depth, out),
            ExprKind::Block(body) => {
                if let Some(last) = body.last() {
                    self.collect(last, depth + 1, out);
                }
            }
            ExprKind::If { then, otherwise, .. } => {
                self.collect(then, depth + 1, out);
                if let Some(e) = otherwise {
                    self.collect(e, depth + 1, out);
                }
            }
            ExprKind::Match { arms, otherwise, .. } => {
                arms.iter().for_each(|arm| self.collect(&arm.body, depth + 1, out));
                if let Some(e) = otherwise {
                    self.collect(e, depth + 1, out);
                }
            }
            ExprKind::Choose { arms, otherwise, .. } => {
                arms.iter().for_each(|arm| self.collect(&arm.body, depth + 1, out));
                if let Some(e) = otherwise {
                    self.collect(e, depth + 1, out);
                }
            }
            ExprKind::Call { routine, arguments } if self.is_slice(e.ty) => {
                for (i, argument) in arguments.iter().enumerate() {
                    if self.summaries.viewed(*routine, i) {
                        self.collect(argument, depth, out);
                    }
                }
            }
            ExprKind::CallValue { callee, arguments } if self.is_slice(e.ty) => {
                self.collect(callee, depth, out);
                let storage = |ty| self.is_slice(ty) || self.program.types.owns(ty);
                for argument in arguments.iter().filter(|argument| storage(argument.ty)) {
                    self.collect(argument, depth, out);
                }
            }
            ExprKind::Lambda { routine, direct: true } => {
                for capture in &self.program.routine(*routine).captures {
                    match self.shown.get(&capture.outer) {
                        Some(places) => out.extend(places.iter().cloned()),
                        None => out.push(Place::of(Root::Local(capture.outer))),
                    }
                }
            }
            // No value comes from where control does not come from.
            _ if e.ty == Types::NEVER => {}
            _ => out.push(Place::of(Root::Temporary { depth, span: e.span })),
        }
    }

    fn boxed(&self, union: TypeId, variant: u32, field: u32) -> bool {
        let Type::Union(u) = *self.program.types.get(union) else { return true };
        let variant = self.program.types.union(u).variants.get(variant as usize);
        variant.and_then(|v| v.payload.get(field as usize)).is_none_or(|f| f.boxed)
    }
}
