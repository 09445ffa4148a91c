//! Calls of routines, of function values, and of the runtime.

use scaly_interp::bytecode::{Instruction, Opcode};
use scaly_interp::program::Class;
use scaly_interp::routine::{Kind, Routine};

use super::Key;
use super::analysis;
use super::body::Body;
use super::frame::Slot;
use super::places::Place;
use super::regions::{Region, Want};
use super::signature::{Back, ParamPlace, Signature};
use crate::check::hir::{Expr, RoutineId, Type};

/// How an argument gets into the callee's frame.
enum Argument {
    /// Evaluated there.
    Direct,
    /// Evaluated already.
    Ready(Slot),
    /// Loaded from its place as late as possible, and stored back.
    InPlace(Place),
}

impl<'h> Body<'_, 'h> {
    /// The slots of the result of a call.
    pub fn call(&mut self, e: &'h Expr, id: RoutineId, arguments: &'h [Expr], to: Option<Slot>, want: Want) -> Slot {
        let routine = self.hir.routine(id);
        if let Some(name) = analysis::intrinsic(routine) {
            return self.intrinsic(e, name, arguments, to, want);
        }
        if let Some(slot) = self.inline(id, arguments, to, want) {
            return slot;
        }
        let signature = self.m.signature(id);
        if arguments.len() != signature.params.len() {
            self.m.internal(e.span, format!("a call of `{}` with {} arguments", routine.name, arguments.len()));
            return Slot(0);
        }
        let sources = self.sources(&signature, arguments, want);
        let base = self.call_frame(signature.slots());
        for (i, (place, argument)) in signature.params.iter().zip(arguments).enumerate() {
            let at = base.plus(place.slot);
            match sources[i] {
                Argument::Direct => {
                    let want = self.argument_want(place, want);
                    self.into(argument, at, want);
                }
                Argument::Ready(slot) => self.code.copy(at, slot, place.slots),
                Argument::InPlace(_) => {}
            }
        }
        for (place, source) in signature.params.iter().zip(&sources) {
            if let Argument::InPlace(from) = *source {
                let layout = self.layout(place.ty);
                self.load(from, &layout, base.plus(place.slot));
            }
        }
        if let Some(slot) = signature.region {
            let region = self.target(want);
            self.region_argument(region, base.plus(slot));
        }
        for (place, argument) in signature.params.iter().zip(arguments) {
            if let Some(slot) = place.region {
                let region = self.region_of(argument);
                self.region_argument(region, base.plus(slot));
            }
        }
        let function = self.m.function(Key::Routine(id));
        self.code.call(base, function);
        for (place, source) in signature.params.iter().zip(&sources) {
            if let (Argument::InPlace(to), Some(back)) = (source, &place.back) {
                self.store_back(*to, back, base);
            }
        }
        self.code.frame.reset(u32::from(base.0) + signature.result);
        base
    }

    /// Stores what came back of a parameter.
    fn store_back(&mut self, to: Place, back: &Back, base: Slot) {
        let mut from = base.plus(back.result);
        if let Place::Slots(slot) = to {
            for &(first, count) in &back.ranges {
                self.code.copy(slot.plus(first), from, count);
                from = from.plus(count);
            }
            return;
        }
        let to = if back.parts.len() > 1 { self.addressed(to) } else { to };
        for part in &back.parts {
            let layout = self.layout(part.ty);
            self.store(to.field(part), &layout, from);
            from = from.plus(layout.slots);
        }
    }

    fn region_argument(&mut self, region: Region, to: Slot) {
        let handle = self.handle(region);
        self.code.copy(to, handle, 1);
    }

    /// Evaluates what can't wait until the callee's frame stands.
    fn sources(&mut self, signature: &Signature, arguments: &'h [Expr], want: Want) -> Vec<Argument> {
        let in_place = |i: usize| signature.params[i].late && arguments[i].is_place();
        let mut fixed = Vec::with_capacity(arguments.len());
        for (i, argument) in arguments.iter().enumerate() {
            fixed.push(if in_place(i) { self.frame_place(argument) } else { None });
        }
        let far = |i: usize| in_place(i) && fixed[i].is_none();
        let in_order = (0..arguments.len()).any(|i| {
            let others_quiet = || arguments.iter().enumerate().all(|(k, a)| k == i || analysis::quiet(self.hir, a));
            far(i) && !(analysis::is_simple_place(&arguments[i]) && others_quiet())
        });
        let mut sources = Vec::with_capacity(arguments.len());
        let mut indexes = Vec::new();
        for (i, argument) in arguments.iter().enumerate() {
            sources.push(match fixed[i] {
                Some(slot) => Argument::InPlace(Place::Slots(slot)),
                None if far(i) => {
                    if in_order && analysis::root(argument).is_some() {
                        indexes.push((i, self.evaluate_indexes(argument)));
                    }
                    Argument::Direct
                }
                None if in_order => {
                    let want = self.argument_want(&signature.params[i], want);
                    let slot = self.take(argument.ty);
                    self.into(argument, slot, want);
                    Argument::Ready(slot)
                }
                None => Argument::Direct,
            });
        }
        let mut indexes = indexes.into_iter().peekable();
        for (i, argument) in arguments.iter().enumerate().filter(|(i, _)| far(*i)) {
            let known = indexes.next_if(|(at, _)| *at == i).map_or(Vec::new(), |(_, found)| found);
            let outer = std::mem::replace(&mut self.indexes, known.into());
            let place = self.place(argument);
            self.indexes = outer;
            sources[i] = Argument::InPlace(self.addressed(place));
        }
        sources
    }

    /// An argument is a view of the caller's value; a temporary that the callee changes is its own. What it takes lies
    /// where the result is wanted.
    fn argument_want(&self, param: &ParamPlace, result: Want) -> Want {
        match (param.taken, &param.back) {
            (true, _) => Want::Own(self.target(result)),
            (false, Some(_)) => Want::Own(self.here()),
            (false, None) => Want::Borrow,
        }
    }

    /// Calls a routine with arguments that lie in slots, none of them passed in place.
    pub fn call_slots(&mut self, id: RoutineId, arguments: &[Slot], region: Region) -> Slot {
        let signature = self.m.signature(id);
        let base = self.call_frame(signature.slots());
        for (place, &from) in signature.params.iter().zip(arguments) {
            self.code.copy(base.plus(place.slot), from, place.slots);
        }
        if let Some(slot) = signature.region {
            self.region_argument(region, base.plus(slot));
        }
        let function = self.m.function(Key::Routine(id));
        self.code.call(base, function);
        self.code.frame.reset(u32::from(base.0) + signature.result);
        base
    }

    pub fn call_value(&mut self, e: &'h Expr, callee: &'h Expr, arguments: &'h [Expr], want: Want) -> Slot {
        let Type::Function { params, result } = self.types().get(callee.ty) else {
            self.m.internal(e.span, "a call of what is no function");
            return Slot(0);
        };
        let signature = Signature::of_value(&mut self.m.layouts, params, *result);
        if arguments.len() != signature.params.len() {
            self.m.internal(e.span, "a call of a function value with another number of arguments");
            return Slot(0);
        }
        let next: Vec<_> = arguments.iter().collect();
        let value = self.held(callee, &next);
        let base = self.call_frame(signature.slots().max(1));
        for (place, argument) in signature.params.iter().zip(arguments) {
            self.into(argument, base.plus(place.slot), Want::Borrow);
        }
        if let Some(slot) = signature.region {
            let region = self.target(want);
            self.region_argument(region, base.plus(slot));
        }
        let class = Class::new(signature.param_slots as u16, signature.result_slots as u16, true);
        self.code.emit(Instruction::with(Opcode::CallIndirect, base.0, value.0, 0, class.0, 0));
        self.code.frame.reset(u32::from(base.0) + signature.result);
        base
    }

    /// Calls a runtime routine with these arguments, behind the region of the result where it takes one. The results
    /// begin in the slot that comes back.
    pub fn runtime_call(&mut self, routine: Routine, arguments: &'h [Expr], want: Want) -> Slot {
        let signature = routine.signature();
        let base = self.code.frame.take(u32::from(signature.slots()));
        let mut at = base;
        if signature.params.first().is_some_and(|p| p.kind == Kind::Region) {
            let region = self.target(want);
            self.region_argument(region, base);
            at = at.plus(1);
        }
        for argument in arguments {
            self.into(argument, at, Want::Borrow);
            at = at.plus(self.slots(argument.ty));
        }
        if u32::from(at.0) != u32::from(base.0) + u32::from(signature.param_slots()) {
            let span = self.code.span;
            self.m.internal(span, format!("the arguments of `{}` do not fit", routine.name()));
        }
        self.code.runtime(base, routine);
        self.code.frame.reset(u32::from(base.0) + u32::from(signature.result_slots()));
        base
    }
}
