//! Summaries: what every routine does with its parameters, and its effects.
//!
//! One walk over each body notes what it does by itself and, for each argument of a call that lies in a parameter, an
//! edge from the callee's parameter to the caller's. A worklist then carries flags along the edges until nothing
//! changes: each parameter's flags only grow, so the work is linear in the edges times the number of flags, recursion
//! included.
//!
//! # Function values
//!
//! A call of a parameter of function type does what the argument does: it is resolved at each call (`CALLED`), so that
//! `xs.map(f)` has the effects of `f` and no others. Any other function value may be each one of its type that the
//! program makes anywhere: an effect node for each function type collects them. Parameters of function values are
//! passed by value; that no function value changes its parameters is checked where it is made (`access`).

mod collect;
mod graph;
mod results;

use std::ops::{BitOr, BitOrAssign};

use collect::Collect;
use graph::Graph;
use results::results;

use super::intrinsics;
use super::place::{Place, Places, Step};
use super::views::Views;
use crate::check::hir::{Body, Effects, Fields, ParamSummary, Program, RoutineId, Summary, Type, TypeId, Types};
use crate::source::Span;

/// What happens to a parameter, a bit each.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Flags(u8);

impl Flags {
    pub const NONE: Flags = Flags(0);
    pub const READS: Flags = Flags(1);
    /// Plain elements are written.
    pub const WRITES: Flags = Flags(2);
    /// Elements that own storage are replaced, or resized.
    pub const REPLACES: Flags = Flags(4);
    /// Plain fields are set, or it is assigned.
    pub const CHANGES: Flags = Flags(8);
    /// Resized, owned fields replaced, or its variant changed.
    pub const RESHAPES: Flags = Flags(16);
    pub const VIEWED: Flags = Flags(32);
    /// Of function type, and called.
    pub const CALLED: Flags = Flags(64);
    /// Of function type, and stored or returned.
    pub const ESCAPES: Flags = Flags(128);

    /// Needs a place that can be written.
    pub const ANY_WRITE: Flags = Flags(2 | 4 | 8 | 16);

    pub fn has(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }

    pub fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    fn minus(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }

    fn and(self, other: Flags) -> Flags {
        Flags(self.0 & other.0)
    }

    /// What the owner of an element suffers when its element suffers `self`.
    pub fn of_element(self) -> Flags {
        let mut out = self.and(Flags::READS | Flags::WRITES | Flags::REPLACES | Flags::VIEWED);
        if self.has(Flags::CHANGES) {
            out |= Flags::WRITES;
        }
        if self.has(Flags::RESHAPES) {
            out |= Flags::REPLACES;
        }
        out
    }
}

impl BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}

/// A parameter, or a capture, of a routine.
type Node = u32;

/// A routine's own effects, or those of all function values of a type.
type EffectNode = u32;

/// Where a parameter is written, for messages.
#[derive(Clone, Copy, Default)]
pub struct Causes {
    pub write: Option<Span>,
    /// Sets a field or reshapes, other than an element: what a `function` promises not to do.
    pub change: Option<Span>,
}

/// All summaries of a program, with more detail than lowering needs.
pub struct Summaries {
    /// Where a routine's nodes begin: its parameters, then its captures.
    base: Vec<Node>,
    flags: Vec<Flags>,
    /// Where slots of parameters change.
    changed: Vec<Fields>,
    causes: Vec<Causes>,
    /// Effects of routines, then of function types: bit 0 input and output, bit 1 blocking.
    effects: Vec<u8>,
    /// Where a routine's first effect comes from.
    effect_causes: Vec<Option<Span>>,
}

const IO: u8 = 1;
const BLOCKS: u8 = 2;

impl Summaries {
    pub fn parameter(&self, routine: RoutineId, index: usize) -> Flags {
        self.flags[self.base[routine.0 as usize] as usize + index]
    }

    pub fn viewed(&self, routine: RoutineId, index: usize) -> bool {
        self.parameter(routine, index).has(Flags::VIEWED)
    }

    pub fn causes(&self, routine: RoutineId, index: usize) -> Causes {
        self.causes[self.base[routine.0 as usize] as usize + index]
    }

    /// Whether the routine does input or output, apart from what functions that it is given do.
    pub fn io(&self, routine: RoutineId) -> Option<Span> {
        (self.effects[routine.0 as usize] & IO != 0).then(|| self.effect_causes[routine.0 as usize]).flatten()
    }

    /// Computes everything and fills in [`Summary`] of each routine.
    pub fn compute(program: &mut Program) -> Summaries {
        let mut base = Vec::with_capacity(program.routines.len() + 1);
        let mut nodes = 0;
        for routine in &program.routines {
            base.push(nodes);
            nodes += (routine.params.len() + routine.captures.len()) as u32;
        }
        base.push(nodes);
        let mut summaries = Summaries {
            base,
            flags: vec![Flags::NONE; nodes as usize],
            changed: vec![Fields::NONE; nodes as usize],
            causes: vec![Causes::default(); nodes as usize],
            effects: vec![0; program.routines.len() + program.types.len()],
            effect_causes: vec![None; program.routines.len() + program.types.len()],
        };
        summaries.intrinsics(program);
        summaries.results(program);
        let mut graph = Graph::new(&summaries);
        for id in 0..program.routines.len() as u32 {
            Collect::routine(program, &mut summaries, &mut graph, RoutineId(id));
        }
        graph.propagate(&mut summaries);
        summaries.publish(program);
        summaries
    }

    fn intrinsics(&mut self, program: &Program) {
        for (id, routine) in program.routines.iter().enumerate() {
            if let Body::Intrinsic { name, .. } = &routine.body {
                let Effects { io, blocks } = intrinsics::effects(name);
                self.effects[id] = if io { IO } else { 0 } | if blocks { BLOCKS } else { 0 };
                for (i, &param) in routine.params.iter().enumerate() {
                    let mut flags = intrinsics::parameter(name, i);
                    if !is_function(&program.types, routine.locals[param.0 as usize].ty) {
                        flags = flags.minus(Flags::ESCAPES | Flags::CALLED);
                    }
                    let node = self.base[id] as usize + i;
                    self.flags[node] |= flags;
                    if flags.has(Flags::CHANGES | Flags::RESHAPES) {
                        self.changed[node] = Fields::ALL;
                    }
                }
            }
        }
    }

    /// Which parameters the results of routines that give slices view. Few do, so plain iteration is enough.
    fn results(&mut self, program: &Program) {
        let giving: Vec<RoutineId> = (0..program.routines.len() as u32)
            .map(RoutineId)
            .filter(|&id| {
                let routine = program.routine(id);
                matches!(routine.body, Body::Code(_)) && matches!(program.types.get(routine.result), Type::Slice(_))
            })
            .collect();
        loop {
            let mut changed = false;
            for &id in &giving {
                let routine = program.routine(id);
                let Body::Code(body) = &routine.body else { continue };
                let mut views = Views::new(program, self, id);
                let mut places = Places::new();
                results(body, &mut views, 0, &mut places);
                places.extend(views.of(body, 0));
                for place in places {
                    let Some(index) = place.local().and_then(|l| routine.params.iter().position(|&p| p == l)) else {
                        continue;
                    };
                    let node = self.base[id.0 as usize] as usize + index;
                    if !self.flags[node].has(Flags::VIEWED) {
                        self.flags[node] |= Flags::VIEWED;
                        changed = true;
                    }
                }
            }
            if !changed {
                break;
            }
        }
    }

    fn publish(&self, program: &mut Program) {
        let count = program.routines.len();
        for id in 0..count {
            let params: Vec<ParamSummary> = (0..program.routines[id].params.len())
                .map(|i| {
                    let flags = self.parameter(RoutineId(id as u32), i);
                    ParamSummary {
                        reads: flags.has(Flags::READS),
                        writes: flags.has(Flags::WRITES),
                        changes: flags.has(Flags::CHANGES),
                        reshapes: flags.has(Flags::REPLACES | Flags::RESHAPES),
                        viewed_by_result: flags.has(Flags::VIEWED),
                        changed: self.changed[self.base[id] as usize + i],
                    }
                })
                .collect();
            // Whoever asks about the routine alone must reckon with every function that it may be given.
            let mut effects = self.effects[id];
            for (i, &param) in program.routines[id].params.iter().enumerate() {
                if self.parameter(RoutineId(id as u32), i).has(Flags::CALLED) {
                    let ty = program.routines[id].locals[param.0 as usize].ty;
                    effects |= self.effects[count + ty.0 as usize];
                }
            }
            program.routines[id].summary =
                Summary { params, effects: Effects { io: effects & IO != 0, blocks: effects & BLOCKS != 0 } };
        }
    }
}

fn is_function(types: &Types, ty: TypeId) -> bool {
    matches!(types.get(ty), Type::Function { .. })
}

impl Summaries {
    fn blame(&mut self, node: Node, flags: Flags, span: Span) {
        let causes = &mut self.causes[node as usize];
        if flags.has(Flags::ANY_WRITE) {
            causes.write.get_or_insert(span);
        }
        if flags.has(Flags::CHANGES | Flags::RESHAPES) {
            causes.change.get_or_insert(span);
        }
    }
}

/// Which fields of the root an expression that names `place` is about, if it may change its slots.
fn fields(place: &Place) -> Fields {
    match place.steps.first() {
        _ if place.indexed() => Fields::NONE,
        Some(Step::Field(field)) => Fields::one(*field),
        _ => Fields::ALL,
    }
}

/// What an assignment through `place` to a value of type `ty` does to the root.
pub fn written(types: &Types, place: &Place, ty: TypeId) -> Flags {
    match (place.indexed(), types.owns(ty)) {
        (true, false) => Flags::WRITES,
        (true, true) => Flags::REPLACES,
        (false, false) => Flags::CHANGES,
        (false, true) => Flags::RESHAPES,
    }
}
