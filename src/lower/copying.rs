//! Deep copies, and giving storage back.
//!
//! A type that owns nothing is copied with its slots. Strings and arrays of such elements take one runtime routine; for
//! every other type that owns storage two routines are generated, which walk its parts.

use scaly_interp::bytecode::Opcode;
use scaly_interp::routine::Routine;

use super::body::Body;
use super::code::Code;
use super::frame::Slot;
use super::layout::FieldPlace;
use super::places::Place;
use super::regions::Region;
use super::{Heading, Key, Lowering, lambdas};
use crate::check::hir::{self, Type, TypeId};
use crate::source::Span;

/// A routine made by lowering: its parameters are slots, and it ends with what `write` gives back.
pub(super) fn generated<'h>(
    m: &mut Lowering<'h>,
    name: String,
    param_slots: u32,
    result_slots: u32,
    write: impl FnOnce(&mut Body<'_, 'h>),
) -> (Heading, Code) {
    let span = m.hir.routines.get(m.hir.main.0 as usize).map_or(Span::default(), |r| r.span);
    let span = Span { end: span.start, ..span };
    let mut body = Body::new(m, span);
    body.code.frame.take(param_slots.max(result_slots));
    write(&mut body);
    body.code.give_back(Slot(0), result_slots);
    body.settle_regions();
    let heading = Heading { name, params: Vec::new(), param_slots, result_slots, span, library: true };
    (heading, body.code)
}

impl Body<'_, '_> {
    /// Sets slots aside for a callee's frame, its header before them.
    pub fn call_frame(&mut self, slots: u32) -> Slot {
        self.code.frame.take(2);
        self.code.frame.take(slots)
    }

    /// Copies a value with all that it owns into a region.
    pub fn copy_slots(&mut self, ty: TypeId, to: Slot, from: Slot, region: Region) {
        let layout = self.layout(ty);
        if !layout.owns {
            return self.code.copy(to, from, layout.slots);
        }
        let mark = self.code.frame.mark();
        match self.types().get(ty) {
            Type::String => self.copy_elements(to, from, 1, region),
            Type::Array(element) | Type::Vector(element) if !self.owns(*element) => {
                let stride = self.layout(*element).stride();
                self.copy_elements(to, from, stride, region);
            }
            _ => {
                let handle = self.handle(region);
                let base = self.call_frame(layout.slots + 1);
                self.code.copy(base, from, layout.slots);
                self.code.copy(base.plus(layout.slots), handle, 1);
                let function = self.m.function(Key::Copy(ty));
                self.code.call(base, function);
                self.code.copy(to, base, layout.slots);
            }
        }
        self.code.frame.reset(mark);
    }

    pub fn copy_elements(&mut self, to: Slot, from: Slot, stride: u32, region: Region) {
        let handle = self.handle(region);
        let base = self.code.frame.take(4);
        self.code.copy(base, handle, 1);
        self.code.copy(base.plus(1), from, 2);
        self.code.constant(base.plus(3), i64::from(stride));
        self.code.runtime(base, Routine::ArrayCopy);
        self.code.copy(to, base, 2);
    }

    /// Gives back all that a value owns.
    pub fn free_slots(&mut self, ty: TypeId, slot: Slot, region: Region) {
        let layout = self.layout(ty);
        if !layout.owns {
            return;
        }
        let mark = self.code.frame.mark();
        match self.types().get(ty) {
            Type::String => self.free_block(slot, region),
            Type::Array(element) | Type::Vector(element) if !self.owns(*element) => self.free_block(slot, region),
            _ => {
                let handle = self.handle(region);
                let base = self.call_frame(layout.slots + 1);
                self.code.copy(base, slot, layout.slots);
                self.code.copy(base.plus(layout.slots), handle, 1);
                let function = self.m.function(Key::Free(ty));
                self.code.call(base, function);
            }
        }
        self.code.frame.reset(mark);
    }

    pub fn free_block(&mut self, block: Slot, region: Region) {
        let handle = self.handle(region);
        let base = self.code.frame.take(2);
        self.code.copy(base, handle, 1);
        self.code.copy(base.plus(1), block, 1);
        self.code.runtime(base, Routine::Free);
    }
}

/// (value, region) -> (value)
pub(super) fn copy_function(m: &mut Lowering<'_>, ty: TypeId) -> (Heading, Code) {
    let slots = m.layout(ty).slots;
    let name = format!("copy of {}", m.hir.types.name(ty));
    generated(m, name, slots + 1, slots, |body| {
        let value = Slot(0);
        let region = Region::Param(value.plus(slots));
        let layout = body.layout(ty);
        match body.types().get(ty) {
            Type::Struct(_) if body.is_picture(ty) => copy_picture(body, value, region),
            Type::Struct(_) => {
                for field in &layout.fields {
                    let slot = value.plus(field.slot);
                    body.copy_slots(field.ty, slot, slot, region);
                }
            }
            Type::Union(_) => {
                each_owning_payload(body, ty, |body, field| copy_payload(body, field, region));
            }
            Type::Function { .. } => lambdas::copy_value(body, value, region),
            Type::Array(element) | Type::Vector(element) => {
                let element = *element;
                let stride = body.layout(element).stride();
                let base = body.code.frame.take(3);
                let handle = body.handle(region);
                body.code.copy(base, handle, 1);
                body.code.copy(base.plus(1), value.plus(1), 1);
                body.code.constant(base.plus(2), i64::from(stride));
                body.code.runtime(base, Routine::ArrayNew);
                body.each_element(value.plus(1), |body, counter| {
                    let layout = body.layout(element);
                    let from = body.element(value, counter, element);
                    body.copy_slots(element, from, from, region);
                    let address = body.element_address(base, counter, element);
                    body.store(Place::Memory { address, offset: 0 }, &layout, from);
                });
                body.code.copy(value, base, 1);
            }
            _ => {}
        }
    })
}

impl Body<'_, '_> {
    /// Whether it is the library's `Image`.
    fn is_picture(&self, ty: TypeId) -> bool {
        let init = |routine: &hir::Routine| routine.library && routine.result == ty && routine.name == "Image.init";
        self.types().name(ty) == "Image" && self.m.hir.routines.iter().any(init)
    }
}

/// An `Image`, of width, height and pixels, so that whoever watches pictures sees the copy too.
fn copy_picture(body: &mut Body<'_, '_>, value: Slot, region: Region) {
    const PIXEL: i64 = 12;
    let (size, pixels) = (value, value.plus(2));
    let handle = body.handle(region);
    let base = body.code.frame.take(6);
    body.code.copy(base, handle, 1);
    body.code.copy(base.plus(1), pixels, 2);
    body.code.constant(base.plus(3), PIXEL);
    body.code.copy(base.plus(4), size, 2);
    body.code.runtime(base, Routine::PictureCopy);
    body.code.copy(pixels, base, 2);
}

/// (value, region)
pub(super) fn free_function(m: &mut Lowering<'_>, ty: TypeId) -> (Heading, Code) {
    let slots = m.layout(ty).slots;
    let name = format!("end of {}", m.hir.types.name(ty));
    generated(m, name, slots + 1, 0, |body| {
        let value = Slot(0);
        let region = Region::Param(value.plus(slots));
        let layout = body.layout(ty);
        match body.types().get(ty) {
            Type::Struct(_) => {
                for field in &layout.fields {
                    body.free_slots(field.ty, value.plus(field.slot), region);
                }
            }
            Type::Union(_) => {
                each_owning_payload(body, ty, |body, field| {
                    // What has been moved away is zero: the first variant, with a box that is none.
                    let none = body.code.label();
                    if field.boxed {
                        body.code.branch(Opcode::JEqImm, value.plus(field.slot), Slot(0), none, 0);
                    }
                    let slot = body.payload(value, field);
                    body.free_slots(field.ty, slot, region);
                    if field.boxed {
                        body.free_block(value.plus(field.slot), region);
                    }
                    body.code.place(none);
                });
            }
            Type::Function { .. } => lambdas::free_value(body, value, region),
            Type::Array(element) | Type::Vector(element) => {
                let element = *element;
                body.each_element(value.plus(1), |body, counter| {
                    let slot = body.element(value, counter, element);
                    body.free_slots(element, slot, region);
                });
                body.free_block(value, region);
            }
            _ => {}
        }
    })
}

/// Writes `each` for the owning payload fields of the union in slot 0, behind a test of its variant.
fn each_owning_payload(body: &mut Body<'_, '_>, ty: TypeId, mut each: impl FnMut(&mut Body<'_, '_>, &FieldPlace)) {
    let layout = body.layout(ty);
    let end = body.code.label();
    for (i, fields) in layout.variants.iter().enumerate() {
        let owning = |body: &mut Body<'_, '_>, f: &FieldPlace| f.boxed || body.owns(f.ty);
        if !fields.iter().any(|f| owning(body, f)) {
            continue;
        }
        let next = body.code.label();
        body.code.branch(Opcode::JNeImm, Slot(0), Slot(0), next, i as u32);
        for field in fields.iter() {
            if owning(body, field) {
                let mark = body.code.frame.mark();
                each(body, field);
                body.code.frame.reset(mark);
            }
        }
        body.code.jump(end);
        body.code.place(next);
    }
    body.code.place(end);
}

fn copy_payload(body: &mut Body<'_, '_>, field: &FieldPlace, region: Region) {
    let slot = Slot(0).plus(field.slot);
    if !field.boxed {
        return body.copy_slots(field.ty, slot, slot, region);
    }
    let layout = body.layout(field.ty);
    let value = body.payload(Slot(0), field);
    body.copy_slots(field.ty, value, value, region);
    let block = body.allocate(region, layout.size);
    body.store(Place::Memory { address: block, offset: 0 }, &layout, value);
    body.code.copy(slot, block, 1);
}
