//! The calling convention.
//!
//! ```text
//! arguments   [environment]  parameters, flattened, in order  [region of the result]  [region of a parameter] …
//! results     the result, flattened   what changed of each in-place parameter, in order
//! ```
//!
//! - A lambda has its environment in slot 0; a routine that is used as a value is called through a lambda.
//! - Of a struct that comes back only those fields do whose slots may have changed (`ParamSummary::changed`): a method that
//!   counts what it looks at in five arrays gives back a word. None may do, where only what lies behind them changes.
//! - The result's region is there if values of its type own storage: the result is built in it.
//! - A parameter that comes back (`ParamSummary::in_place`) and owns storage has a region, so has a slice whose owned
//!   elements are replaced. Regions of parameters follow in the order of the parameters.
//! - Arguments that are passed by value are only read: they are views of what the caller has. Those that are taken are
//!   owned, and lie in the region of the result.

use crate::check::hir::{Fields, LocalKind, ParamSummary, Program, Routine, RoutineKind, Type, TypeId};

use super::layout::{FieldPlace, Layouts};

/// A parameter: `slot` from the first slot of the callee's frame.
#[derive(Clone, Debug)]
pub struct ParamPlace {
    pub ty: TypeId,
    pub slot: u32,
    pub slots: u32,
    pub back: Option<Back>,
    /// Its elements are written, if nothing else: its slots are read at the call, for what other arguments do to the place
    /// is to be seen.
    pub late: bool,
    /// The slot of its region.
    pub region: Option<u32>,
    /// It is the callee's own, in the region of the result.
    pub taken: bool,
}

/// What comes back of a parameter.
#[derive(Clone, Debug)]
pub struct Back {
    /// Among the results.
    pub result: u32,
    /// In order: fields, or all of it.
    pub parts: Box<[FieldPlace]>,
    /// Their slots from its first one, and how many: those of neighbours are together.
    pub ranges: Box<[(u32, u32)]>,
}

impl Back {
    fn of(layouts: &mut Layouts<'_>, ty: TypeId, changed: Fields, result: u32) -> Back {
        let layout = layouts.get(ty);
        let all = FieldPlace { ty, slot: 0, offset: 0, boxed: false };
        let parts: Box<[FieldPlace]> = if changed == Fields::ALL || layout.fields.is_empty() {
            [all].into()
        } else {
            (0..).zip(&layout.fields).filter(|(field, _)| changed.has(*field)).map(|(_, place)| *place).collect()
        };
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for part in &parts {
            let slots = layouts.get(part.ty).slots;
            match ranges.last_mut() {
                Some((first, count)) if first.saturating_add(*count) == part.slot => {
                    *count = count.saturating_add(slots)
                }
                _ => ranges.push((part.slot, slots)),
            }
        }
        Back { result, parts, ranges: ranges.into() }
    }

    /// How many slots.
    pub fn slots(&self) -> u32 {
        self.ranges.iter().fold(0, |sum, &(_, count)| sum.saturating_add(count))
    }
}

/// What is known of a parameter before it has a place.
struct Passed {
    ty: TypeId,
    /// Fields that come back, where it is passed in place.
    in_place: Option<Fields>,
    region: bool,
    late: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Signature {
    pub environment: bool,
    pub params: Vec<ParamPlace>,
    /// Slots of the result proper.
    pub result: u32,
    /// The slot of the result's region.
    pub region: Option<u32>,
    pub param_slots: u32,
    /// Slots of everything that comes back.
    pub result_slots: u32,
}

impl Signature {
    /// Slots that the caller sets aside from the start of the callee's frame.
    pub fn slots(&self) -> u32 {
        self.param_slots.max(self.result_slots)
    }

    pub fn of_routine(program: &Program, layouts: &mut Layouts<'_>, routine: &Routine) -> Signature {
        let lambda = routine.kind == RoutineKind::Lambda;
        let types = &program.types;
        let params = routine.params.iter().enumerate().map(|(i, local)| {
            let ty = routine.locals[local.0 as usize].ty;
            // What is called through a value has no names for its arguments' places: it changes copies.
            let summary = routine.summary.params.get(i).filter(|_| !lambda);
            let changed = |s: &ParamSummary| s.in_place(types, ty).then_some(s.changed);
            let in_place = summary.and_then(changed);
            let region = match types.get(ty) {
                Type::Slice(element) => summary.is_some_and(|s| s.reshapes || s.changes) && layouts.get(*element).owns,
                _ => in_place.is_some() && layouts.get(ty).owns,
            };
            let writes = !matches!(types.get(ty), Type::Slice(_)) && summary.is_some_and(|s| s.writes);
            Passed { ty, in_place, region, late: in_place.is_some() || writes }
        });
        let params: Vec<_> = params.collect();
        let mut signature = Signature::new(layouts, lambda, params.into_iter(), routine.result);
        for (place, local) in signature.params.iter_mut().zip(&routine.params) {
            place.taken = routine.locals[local.0 as usize].kind == LocalKind::Taken;
        }
        signature
    }

    /// Of a call through a value.
    pub fn of_value(layouts: &mut Layouts<'_>, params: &[TypeId], result: TypeId) -> Signature {
        let passed = |&ty: &TypeId| Passed { ty, in_place: None, region: false, late: false };
        Signature::new(layouts, true, params.iter().map(passed), result)
    }

    fn new(
        layouts: &mut Layouts<'_>,
        environment: bool,
        params: impl Iterator<Item = Passed>,
        result: TypeId,
    ) -> Signature {
        let returned = layouts.get(result);
        let mut next = u32::from(environment);
        let mut results = returned.slots;
        let mut places = Vec::new();
        let mut regions = Vec::new();
        for (i, Passed { ty, in_place, region, late }) in params.enumerate() {
            let slots = layouts.get(ty).slots;
            let back = in_place.map(|changed| Back::of(layouts, ty, changed, results));
            results = results.saturating_add(back.as_ref().map_or(0, Back::slots));
            places.push(ParamPlace { ty, slot: next, slots, back, late, region: None, taken: false });
            next = next.saturating_add(slots);
            if region {
                regions.push(i);
            }
        }
        let mut hidden = || {
            next = next.saturating_add(1);
            Some(next - 1)
        };
        let region = if returned.owns { hidden() } else { None };
        for i in regions {
            places[i].region = hidden();
        }
        Signature {
            environment,
            params: places,
            result: returned.slots,
            region,
            param_slots: next,
            result_slots: results,
        }
    }
}
