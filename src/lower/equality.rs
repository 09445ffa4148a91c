//! Equality by content.

use scaly_interp::bytecode::{Instruction, Opcode};
use scaly_interp::program::LoopKind;
use scaly_interp::routine::Routine;

use super::body::Body;
use super::code::{Code, Label};
use super::copying::generated;
use super::frame::Slot;
use super::layout::FieldPlace;
use super::places::Place;
use super::regions::Want;
use super::{Heading, Key, Lowering};
use crate::check::hir::{Expr, RoutineId, Type, TypeId, Types};

/// Structs of up to so many slots are compared in place.
const INLINE_SLOTS: u32 = 4;

impl<'h> Body<'_, 'h> {
    /// Jumps if the equality of two values is `sense`.
    pub fn branch_equal_slots(&mut self, ty: TypeId, a: Slot, b: Slot, sense: bool, target: Label) {
        match self.types().get(ty) {
            Type::Void | Type::Never | Type::Error => {
                if sense {
                    self.code.jump(target);
                }
            }
            Type::F64 => {
                let op = if sense { Opcode::JEqF64 } else { Opcode::JNeF64 };
                self.code.branch(op, a, b, target, 0);
            }
            Type::F32 => {
                let op = if sense { Opcode::JEqF32 } else { Opcode::JNeF32 };
                self.code.branch(op, a, b, target, 0);
            }
            Type::Bool | Type::Char | Type::Int(_) => {
                let op = if sense { Opcode::JEq } else { Opcode::JNe };
                self.code.branch(op, a, b, target, 0);
            }
            Type::Struct(_) if self.slots(ty) <= INLINE_SLOTS && self.own_equality(ty).is_none() => {
                let layout = self.layout(ty);
                let different = self.code.label();
                let unequal = if sense { different } else { target };
                for field in &layout.fields {
                    self.branch_equal_slots(field.ty, a.plus(field.slot), b.plus(field.slot), false, unequal);
                }
                if sense {
                    self.code.jump(target);
                }
                self.code.place(different);
            }
            _ => {
                let equal = self.equal_slots(ty, a, b);
                let op = if sense { Opcode::JIf } else { Opcode::JIfNot };
                self.code.branch(op, equal, Slot(0), target, 0);
            }
        }
    }

    /// Whether values of the type are compared by a routine.
    fn is_compared_by_call(&mut self, ty: TypeId) -> bool {
        match self.types().get(ty) {
            Type::Struct(_) => self.slots(ty) > INLINE_SLOTS || self.own_equality(ty).is_some(),
            Type::String | Type::Union(_) | Type::Array(_) | Type::Vector(_) | Type::Slice(_) => true,
            _ => false,
        }
    }

    fn equal_frame(&mut self, ty: TypeId) -> Slot {
        let slots = self.slots(ty);
        if ty == Types::STRING { self.code.frame.take(4) } else { self.call_frame(slots * 2) }
    }

    fn call_equal(&mut self, ty: TypeId, base: Slot) {
        if ty == Types::STRING {
            return self.code.runtime(base, Routine::StringEqual);
        }
        let key = self.own_equality(ty).map_or(Key::Equal(ty), Key::Routine);
        let function = self.m.function(key);
        self.code.call(base, function);
    }

    /// The `operator =` of a type. One that changes what it compares is called where the program says so, not for parts:
    /// it has another calling convention.
    fn own_equality(&mut self, ty: TypeId) -> Option<RoutineId> {
        let routine = *self.hir.equals.get(&ty)?;
        let signature = self.m.signature(routine);
        signature.params.iter().all(|p| p.back.is_none() && p.region.is_none()).then_some(routine)
    }

    /// As [`Body::equal_slots`], with the values evaluated where the routine that compares them wants them.
    pub fn equal_called(&mut self, left: &'h Expr, right: &'h Expr) -> Option<Slot> {
        if !self.is_compared_by_call(left.ty) {
            return None;
        }
        let slots = self.slots(left.ty);
        let base = self.equal_frame(left.ty);
        self.into(left, base, Want::Borrow);
        self.into(right, base.plus(slots), Want::Borrow);
        self.call_equal(left.ty, base);
        Some(base)
    }

    /// 1 if two values are equal, else 0.
    pub fn equal_slots(&mut self, ty: TypeId, a: Slot, b: Slot) -> Slot {
        match self.types().get(ty) {
            _ if self.is_compared_by_call(ty) => {
                let slots = self.slots(ty);
                let base = self.equal_frame(ty);
                self.code.copy(base, a, slots);
                self.code.copy(base.plus(slots), b, slots);
                self.call_equal(ty, base);
                base
            }
            Type::Function { .. } => {
                let span = self.code.span;
                self.m.internal(span, "equality of functions");
                Slot(0)
            }
            _ => {
                let to = self.code.frame.take(1);
                let (no, end) = (self.code.label(), self.code.label());
                self.branch_equal_slots(ty, a, b, false, no);
                self.code.constant(to, 1);
                self.code.jump(end);
                self.code.place(no);
                self.code.constant(to, 0);
                self.code.place(end);
                to
            }
        }
    }
}

/// (a, b) -> (bool) of a struct, union or array.
pub(super) fn equal_function(m: &mut Lowering<'_>, ty: TypeId) -> (Heading, Code) {
    let slots = m.layout(ty).slots;
    let name = format!("= of {}", m.hir.types.name(ty));
    generated(m, name, slots * 2, 1, |body| {
        let (a, b) = (Slot(0), Slot(0).plus(slots));
        let no = body.code.label();
        let layout = body.layout(ty);
        match body.types().get(ty) {
            Type::Struct(_) => {
                for field in &layout.fields {
                    let mark = body.code.frame.mark();
                    body.branch_equal_slots(field.ty, a.plus(field.slot), b.plus(field.slot), false, no);
                    body.code.frame.reset(mark);
                }
            }
            Type::Union(_) => {
                body.code.branch(Opcode::JNe, a, b, no, 0);
                let yes = body.code.label();
                for (i, fields) in layout.variants.iter().enumerate() {
                    if fields.is_empty() {
                        continue;
                    }
                    let next = body.code.label();
                    body.code.branch(Opcode::JNeImm, a, Slot(0), next, i as u32);
                    for field in fields.iter() {
                        let mark = body.code.frame.mark();
                        let (x, y) = (body.payload(a, field), body.payload(b, field));
                        body.branch_equal_slots(field.ty, x, y, false, no);
                        body.code.frame.reset(mark);
                    }
                    body.code.jump(yes);
                    body.code.place(next);
                }
                body.code.place(yes);
            }
            _ => equal_elements(body, ty, a, b, no),
        }
        let result = body.code.frame.take(1);
        body.code.constant(result, 1);
        body.code.give_back(result, 1);
        body.code.place(no);
        body.code.constant(result, 0);
        body.code.give_back(result, 1);
    })
}

fn equal_elements(body: &mut Body<'_, '_>, ty: TypeId, a: Slot, b: Slot, no: Label) {
    body.code.branch(Opcode::JNe, a.plus(1), b.plus(1), no, 0);
    let Some(element) = body.types().element(ty) else { return };
    let layout = body.layout(element);
    if is_bits(body.types(), element) {
        let base = body.code.frame.take(3);
        body.code.copy(base, a, 1);
        body.code.copy(base.plus(1), b, 1);
        body.code.imm(Opcode::MulImm, base.plus(2), a.plus(1), i64::from(layout.stride()));
        body.code.runtime(base, Routine::MemoryEqual);
        body.code.branch(Opcode::JIfNot, base, Slot(0), no, 0);
        return;
    }
    body.each_element(a.plus(1), |body, counter| {
        let (x, y) = (body.element(a, counter, element), body.element(b, counter, element));
        body.branch_equal_slots(element, x, y, false, no);
    });
}

/// Equal values of the type have equal bits, and the other way round.
fn is_bits(types: &Types, ty: TypeId) -> bool {
    matches!(types.get(ty), Type::Bool | Type::Char | Type::Int(_))
}

impl Body<'_, '_> {
    /// A payload field of a union in slots, in slots.
    pub fn payload(&mut self, union: Slot, field: &FieldPlace) -> Slot {
        let place = self.payload_place(Place::Slots(union), field);
        let layout = self.layout(field.ty);
        self.loaded(place, &layout)
    }

    /// An element of an array whose index is known to be in range, in slots.
    pub fn element(&mut self, array: Slot, index: Slot, ty: TypeId) -> Slot {
        let address = self.element_address(array, index, ty);
        let layout = self.layout(ty);
        self.loaded(Place::Memory { address, offset: 0 }, &layout)
    }

    pub fn element_address(&mut self, array: Slot, index: Slot, ty: TypeId) -> Slot {
        let stride = self.layout(ty).stride();
        let address = self.code.frame.take(1);
        let raw = Opcode::ElemAddrRaw;
        self.code.emit(Instruction::with(raw, address.0, array.0, index.0, stride, 0));
        address
    }

    /// A loop over the numbers below what a slot holds.
    pub fn each_element(&mut self, length: Slot, each: impl FnOnce(&mut Self, Slot)) {
        if self.code.is_dead() {
            return;
        }
        let mark = self.code.frame.mark();
        let counter = self.code.frame.take(2);
        let end = self.code.label();
        self.code.constant(counter, 0);
        self.code.branch(Opcode::ForPrepS, counter, length, end, 0);
        let span = self.code.span;
        let (draft, header) = self.code.begin_loop(LoopKind::Counted { counter: counter.0 }, span);
        each(self, counter);
        self.code.end_loop(draft, header, Some(counter));
        self.code.place(end);
        self.code.frame.reset(mark);
    }
}
