//! Function values: a routine's id and the address of its environment, or 0.
//!
//! ```text
//! environment   word 0: id of the routine that copies it   word 1: id of the one that frees it   captures as slots …
//! ```
//!
//! Who copies or frees a function value knows nothing of its captures, so it calls what the environment names. A lambda
//! that is passed directly holds views of what it captures: its environment lies in the block's region and nobody frees it.

use scaly_interp::bytecode::{Instruction, Opcode};
use scaly_interp::program::{Class, Param, ParamKind};
use scaly_interp::routine::Kind;

use super::body::{Body, Returned};
use super::code::Code;
use super::copying::generated;
use super::frame::Slot;
use super::intrinsics::{Simple, simple};
use super::layout::Pointers;
use super::regions::{Region, Want};
use super::signature::Signature;
use super::{Heading, Key, Lowering, analysis};
use crate::check::hir::{Capture, Routine, RoutineId, TypeId};
use crate::diagnostic::Diagnostic;

/// Bytes before the first capture.
pub const HEADER: u32 = 16;

fn captured(routine: &Routine, capture: &Capture) -> TypeId {
    routine.locals[capture.inner.0 as usize].ty
}

impl<'h> Body<'_, 'h> {
    pub fn lambda(&mut self, id: RoutineId, direct: bool, to: Slot, want: Want) {
        let routine = self.hir.routine(id);
        let function = self.m.function(Key::Routine(id));
        if routine.captures.is_empty() {
            self.code.emit(Instruction::with(Opcode::FunctionId, to.0, 0, 0, function.0, 0));
            return self.code.constant(to.plus(1), 0);
        }
        let region = self.target(want);
        let mut slots = 0u32;
        for capture in &routine.captures {
            slots += self.slots(captured(routine, capture));
        }
        let block = self.allocate(region, HEADER + 8 * slots);
        let header = self.code.frame.take(2);
        let copier = self.m.function(Key::CopyEnvironment(id));
        let freer = self.m.function(Key::FreeEnvironment(id));
        self.code.emit(Instruction::with(Opcode::FunctionId, header.0, 0, 0, copier.0, 0));
        self.code.emit(Instruction::with(Opcode::FunctionId, header.plus(1).0, 0, 0, freer.0, 0));
        self.store_words(block, 0, header, 2);
        let mut offset = HEADER;
        for capture in &routine.captures {
            let ty = captured(routine, capture);
            let layout = self.layout(ty);
            let mark = self.code.frame.mark();
            let mut slot = self.local(capture.outer).slot;
            if layout.owns && !direct {
                let copy = self.code.frame.take(layout.slots);
                self.copy_slots(ty, copy, slot, region);
                slot = copy;
            }
            self.store_words(block, offset, slot, layout.slots);
            self.code.frame.reset(mark);
            offset += 8 * layout.slots;
        }
        self.code.emit(Instruction::with(Opcode::FunctionId, to.0, 0, 0, function.0, 0));
        self.code.copy(to.plus(1), block, 1);
    }

    pub fn routine_value(&mut self, id: RoutineId, to: Slot) {
        let routine = self.hir.routine(id);
        if let Some(name) = analysis::intrinsic(routine)
            && simple_intrinsic(routine, name).is_none()
        {
            let span = self.code.span;
            let message = format!("`{name}` is built in and no function value");
            self.m.errors.push(Diagnostic::error(span, message).help("write a lambda that calls it"));
            return;
        }
        let function = self.m.function(Key::Thunk(id));
        self.code.emit(Instruction::with(Opcode::FunctionId, to.0, 0, 0, function.0, 0));
        self.code.constant(to.plus(1), 0);
    }
}

fn simple_intrinsic(routine: &Routine, name: &str) -> Option<Simple> {
    simple(name, routine.params.first().map(|p| routine.locals[p.0 as usize].ty))
}

/// A routine with an environment that it does not use. What the routine changes of its arguments are copies.
pub(super) fn thunk(m: &mut Lowering<'_>, id: RoutineId) -> (Heading, Code) {
    let routine = m.hir.routine(id);
    let inner = m.signature(id);
    let params: Vec<_> = inner.params.iter().map(|p| p.ty).collect();
    let outer = Signature::of_value(&mut m.layouts, &params, routine.result);
    let mut body = Body::new(m, routine.span);
    body.code.frame.take(outer.slots());
    let result_region = outer.region.map(|r| Region::Param(Slot(0).plus(r)));
    body.returned = Returned { slots: inner.result, region: result_region, ..Returned::default() };
    if let Some(simple) = analysis::intrinsic(routine).and_then(|name| simple_intrinsic(routine, name)) {
        let result = match simple {
            Simple::Opcode(op) => {
                body.code.op2(op, Slot(0), Slot(1));
                Slot(0)
            }
            Simple::Routine(called) => {
                let row = called.signature();
                let base = body.code.frame.take(u32::from(row.slots()));
                let mut at = base;
                if let (Some(region), Some(slot)) = (row.params.first(), outer.region)
                    && region.kind == Kind::Region
                {
                    body.code.copy(base, Slot(0).plus(slot), 1);
                    at = at.plus(1);
                }
                let arguments = outer.param_slots - 1 - u32::from(outer.region.is_some());
                body.code.copy(at, Slot(1), arguments);
                body.code.runtime(base, called);
                base
            }
        };
        body.code.give_back(result, inner.result);
        return (thunk_heading(routine, &outer, inner.result), body.code);
    }
    let scope = body.open_scope();
    let here = body.here();
    let base = body.call_frame(inner.slots());
    for (from, to) in outer.params.iter().zip(&inner.params) {
        let (from, at) = (Slot(0).plus(from.slot), base.plus(to.slot));
        if to.back.is_some() {
            body.copy_slots(to.ty, at, from, here);
        } else {
            body.code.copy(at, from, to.slots);
        }
    }
    if let (Some(region), Some(slot)) = (result_region, inner.region) {
        let handle = body.handle(region);
        body.code.copy(base.plus(slot), handle, 1);
    }
    for place in &inner.params {
        if let Some(slot) = place.region {
            let handle = body.handle(here);
            body.code.copy(base.plus(slot), handle, 1);
        }
    }
    let function = body.m.function(Key::Routine(id));
    body.code.call(base, function);
    body.leave_to(None, false);
    body.code.give_back(base, inner.result);
    body.close_scope(scope);
    body.settle_regions();
    (thunk_heading(routine, &outer, inner.result), body.code)
}

fn thunk_heading(routine: &Routine, outer: &Signature, result_slots: u32) -> Heading {
    let mut named = vec![Param { name: String::new(), slots: 0..1, kind: ParamKind::Environment, stride: 0 }];
    for (place, local) in outer.params.iter().zip(&routine.params) {
        let first = Slot(0).plus(place.slot);
        named.push(Param {
            name: routine.locals[local.0 as usize].name.clone(),
            slots: first.0..first.plus(place.slots).0,
            kind: ParamKind::Value,
            stride: 0,
        });
    }
    if let Some(region) = outer.region {
        let first = Slot(0).plus(region);
        named.push(Param { name: String::new(), slots: first.0..first.plus(1).0, kind: ParamKind::Region, stride: 0 });
    }
    Heading {
        name: routine.name.clone(),
        params: named,
        param_slots: outer.param_slots,
        result_slots,
        span: routine.span,
        library: true,
    }
}

/// Calls the routine that the environment of the function value names in one of its first words, and that gives so many
/// slots.
fn call_environment(body: &mut Body<'_, '_>, value: Slot, offset: u32, results: u16, region: Region) -> Slot {
    let pair = body.code.frame.take(2);
    body.load_words(pair, value.plus(1), offset, 1, Pointers::NONE);
    body.code.copy(pair.plus(1), value.plus(1), 1);
    let handle = body.handle(region);
    let base = body.call_frame(2);
    body.code.copy(base.plus(1), handle, 1);
    let class = Class::new(2, results, false);
    body.code.emit(Instruction::with(Opcode::CallIndirect, base.0, pair.0, 0, class.0, 0));
    base
}

pub(super) fn copy_value(body: &mut Body<'_, '_>, value: Slot, region: Region) {
    let none = body.code.label();
    body.code.branch(Opcode::JEqImm, value.plus(1), Slot(0), none, 0);
    let copy = call_environment(body, value, 0, 1, region);
    body.code.copy(value.plus(1), copy, 1);
    body.code.place(none);
}

pub(super) fn free_value(body: &mut Body<'_, '_>, value: Slot, region: Region) {
    let none = body.code.label();
    body.code.branch(Opcode::JEqImm, value.plus(1), Slot(0), none, 0);
    call_environment(body, value, 8, 0, region);
    body.code.place(none);
}

/// (environment, region) -> (environment)
pub(super) fn copy_environment(m: &mut Lowering<'_>, id: RoutineId) -> (Heading, Code) {
    let routine = m.hir.routine(id);
    generated(m, "copy of a lambda".into(), 2, 1, |body| {
        let (old, region) = (Slot(0), Region::Param(Slot(1)));
        let (mut slots, mut pointers) = (2u32, Pointers::NONE);
        for capture in &routine.captures {
            let layout = body.layout(captured(routine, capture));
            pointers = pointers.with(layout.pointers, slots);
            slots += layout.slots;
        }
        let words = body.code.frame.take(slots);
        body.load_words(words, old, 0, slots, pointers);
        let mut at = words.plus(2);
        for capture in &routine.captures {
            let ty = captured(routine, capture);
            body.copy_slots(ty, at, at, region);
            at = at.plus(body.slots(ty));
        }
        let block = body.allocate(region, 8 * slots);
        body.store_words(block, 0, words, slots);
        body.code.copy(old, block, 1);
    })
}

/// (environment, region)
pub(super) fn free_environment(m: &mut Lowering<'_>, id: RoutineId) -> (Heading, Code) {
    let routine = m.hir.routine(id);
    generated(m, "end of a lambda".into(), 2, 0, |body| {
        let (old, region) = (Slot(0), Region::Param(Slot(1)));
        let mut offset = HEADER;
        for capture in &routine.captures {
            let ty = captured(routine, capture);
            let layout = body.layout(ty);
            if layout.owns {
                let mark = body.code.frame.mark();
                let slot = body.code.frame.take(layout.slots);
                body.load_words(slot, old, offset, layout.slots, layout.pointers);
                body.free_slots(ty, slot, region);
                body.code.frame.reset(mark);
            }
            offset += 8 * layout.slots;
        }
        body.free_block(old, region);
    })
}
