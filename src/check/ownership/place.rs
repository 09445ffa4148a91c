//! Where a value lies: the root of a place and the way from there.
//!
//! A place is a root (a variable, a constant, a temporary) and steps from it. Two places of one root overlap unless their
//! ways part at different fields: what a field holds is its own. Elements are never told apart by index.

use smallvec::SmallVec;

use crate::check::hir::{GlobalId, LocalId, Routine, Type, TypeId, Types};
use crate::source::Span;

/// The left end of a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Root {
    Local(LocalId),
    Global(GlobalId),
    /// A value without a name, alive to the end of the block at this depth.
    Temporary {
        depth: u32,
        span: Span,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Field(u32),
    Index,
    Payload { variant: u32, field: u32 },
    AnyPayload,
}

/// A place that an expression names, or whose storage its value shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub root: Root,
    pub steps: SmallVec<[Step; 2]>,
    /// Passes a boxed payload: what it names lies in memory, not in the root's own slots.
    pub boxed: bool,
    /// Lies somewhere below the steps: what a cursor shows.
    pub open: bool,
}

/// Most often one: a value that shows several comes from a branch.
pub type Places = SmallVec<[Place; 1]>;

impl Place {
    pub fn of(root: Root) -> Self {
        Place { root, steps: SmallVec::new(), boxed: false, open: false }
    }

    pub fn push(&mut self, step: Step, boxed: bool) {
        if !self.open {
            self.steps.push(step);
        }
        self.boxed |= boxed;
    }

    pub fn step(mut self, step: Step, boxed: bool) -> Self {
        self.push(step, boxed);
        self
    }

    pub fn local(&self) -> Option<LocalId> {
        match self.root {
            Root::Local(l) => Some(l),
            Root::Global(_) | Root::Temporary { .. } => None,
        }
    }

    /// Passes an element.
    pub fn indexed(&self) -> bool {
        self.steps.contains(&Step::Index)
    }

    /// Lies in memory behind the root's slots, where copies of the slots see changes.
    pub fn in_memory(&self) -> bool {
        self.boxed || self.indexed()
    }

    pub fn overlaps(&self, other: &Place) -> bool {
        if self.root != other.root || matches!(self.root, Root::Temporary { .. }) {
            return false;
        }
        !self.steps.iter().zip(&other.steps).any(|(a, b)| match (*a, *b) {
            (Step::Field(a), Step::Field(b)) => a != b,
            (Step::Payload { variant, field }, Step::Payload { variant: v, field: f }) => variant == v && field != f,
            _ => false,
        })
    }

    /// As the user would write it, as far as names go: `scene.spheres[…].center`.
    pub fn describe(&self, types: &Types, routine: &Routine) -> String {
        let (mut text, mut ty) = match self.root {
            Root::Local(l) => {
                let local = &routine.locals[l.0 as usize];
                let name = if local.name.is_empty() { "a temporary value" } else { &local.name };
                (name.to_string(), Some(local.ty))
            }
            Root::Global(_) => ("the constant".to_string(), None),
            Root::Temporary { .. } => ("a temporary value".to_string(), None),
        };
        for step in &self.steps {
            let field = ty.and_then(|ty| part(types, ty, *step));
            match (step, &field) {
                (Step::Index, _) => text.push_str("[…]"),
                (_, Some((name, _))) => {
                    text.push('.');
                    text.push_str(name);
                }
                (Step::AnyPayload, _) => text.push_str(".value"),
                (_, None) => {}
            }
            ty = field.map(|(_, ty)| ty);
        }
        text
    }
}

/// The name and type of what a step leads to.
fn part(types: &Types, ty: TypeId, step: Step) -> Option<(String, TypeId)> {
    match (step, types.get(ty)) {
        (Step::Index, _) => Some((String::new(), types.element(ty)?)),
        (Step::Field(i), Type::Struct(s)) => types.structure(*s).fields.get(i as usize).map(|f| (f.name.clone(), f.ty)),
        (Step::Payload { variant, field }, Type::Union(u)) => {
            types.union(*u).variants.get(variant as usize)?.payload.get(field as usize).map(|f| (f.name.clone(), f.ty))
        }
        (Step::AnyPayload, Type::Union(u)) => {
            types.union(*u).variants.iter().find_map(|v| v.payload.first()).map(|f| ("value".into(), f.ty))
        }
        _ => None,
    }
}
