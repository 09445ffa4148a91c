//! Places: variables, fields, elements and payloads, read and written where they lie.

use scaly_interp::bytecode::{Instruction, Opcode};
use scaly_interp::machine::Fault;

use super::body::Body;
use super::frame::Slot;
use super::layout::{Access, FieldPlace, Layout, Pointers};
use super::regions::Want;
use crate::check::hir::{Expr, ExprKind, Type, TypeId};

/// Where a value lies.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// In slots of the frame.
    Slots(Slot),
    /// At an address.
    Memory { address: Slot, offset: u32 },
    /// In an element whose index has not been checked yet.
    Element { array: Slot, index: Slot, stride: u32, offset: u32 },
}

impl Place {
    pub fn field(self, field: &FieldPlace) -> Place {
        match self {
            Place::Slots(slot) => Place::Slots(slot.plus(field.slot)),
            Place::Memory { address, offset } => Place::Memory { address, offset: offset.saturating_add(field.offset) },
            Place::Element { array, index, stride, offset } => {
                Place::Element { array, index, stride, offset: offset.saturating_add(field.offset) }
            }
        }
    }
}

impl<'h> Body<'_, 'h> {
    /// Resolves a place; an expression that is none is evaluated.
    pub fn place(&mut self, e: &'h Expr) -> Place {
        let outer = self.at(e.span);
        let place = self.place_of(e);
        self.code.span = outer;
        place
    }

    fn place_of(&mut self, e: &'h Expr) -> Place {
        match &e.kind {
            ExprKind::Local(local) => Place::Slots(self.local(*local).slot),
            ExprKind::Global(global) => {
                let address = self.code.frame.take(1);
                let offset = self.m.globals[global.0 as usize];
                self.code.emit(Instruction::with(Opcode::Global, address.0, 0, 0, offset, 0));
                Place::Memory { address, offset: 0 }
            }
            ExprKind::Move(place) | ExprKind::AsSlice(place) => self.place(place),
            ExprKind::Field { base, field } => {
                let place = self.place(base);
                let layout = self.layout(base.ty);
                match layout.fields.get(*field as usize) {
                    Some(field) => place.field(field),
                    None => {
                        self.m.internal(e.span, "there is no such field");
                        place
                    }
                }
            }
            ExprKind::Payload { base, variant, field, checked } => {
                let place = self.place(base);
                let place = if *checked {
                    let place = self.addressed(place);
                    let layout = self.layout(base.ty);
                    self.check_variant(place, base.ty, &layout, |i| i == *variant as usize);
                    place
                } else {
                    place
                };
                let layout = self.layout(base.ty);
                match layout.variants.get(*variant as usize).and_then(|v| v.get(*field as usize)) {
                    Some(field) => self.payload_place(place, field),
                    None => {
                        self.m.internal(e.span, "there is no such payload");
                        place
                    }
                }
            }
            ExprKind::AnyPayload { base } => {
                let place = self.place(base);
                let place = self.addressed(place);
                let layout = self.layout(base.ty);
                self.check_variant(place, base.ty, &layout, |i| !layout.variants[i].is_empty());
                match layout.variants.iter().find_map(|v| v.first()) {
                    Some(field) => self.payload_place(place, field),
                    None => place,
                }
            }
            ExprKind::Index { base, index } if !matches!(self.types().get(base.ty), Type::String) => {
                let (array, index) = self.array_and_index(base, index);
                let stride = self.layout(e.ty).stride();
                Place::Element { array, index, stride, offset: 0 }
            }
            _ => Place::Slots(self.any(e, Want::Borrow)),
        }
    }

    /// The payload of a union that is known to have it.
    pub fn payload_place(&mut self, union: Place, field: &FieldPlace) -> Place {
        let place = union.field(field);
        if !field.boxed {
            return place;
        }
        let address = match place {
            Place::Slots(slot) => slot,
            _ => {
                let address = self.code.frame.take(1);
                self.load_scalar(place, Access::Words(1, Pointers::FIRST), address);
                address
            }
        };
        Place::Memory { address, offset: 0 }
    }

    /// Ends with an error unless the union's variant is one of those.
    fn check_variant(&mut self, union: Place, ty: TypeId, layout: &Layout, allowed: impl Fn(usize) -> bool) {
        if (0..layout.variants.len()).all(&allowed) {
            return;
        }
        let tag = self.tag(union);
        let fine = self.code.label();
        for i in (0..layout.variants.len()).filter(|&i| allowed(i)) {
            self.code.branch(Opcode::JEqImm, tag, Slot(0), fine, i as u32);
        }
        let optional = self.types().option_payload(ty).is_some();
        self.code.fault(if optional { Fault::Null } else { Fault::WrongVariant });
        self.code.place(fine);
    }

    /// The slot of a union's tag.
    pub fn tag(&mut self, union: Place) -> Slot {
        match union {
            Place::Slots(slot) => slot,
            _ => {
                let tag = self.code.frame.take(1);
                self.load_scalar(union, Access::I64, tag);
                tag
            }
        }
    }

    /// An element by its address, its index checked: for what is accessed more than once.
    pub fn addressed(&mut self, place: Place) -> Place {
        let Place::Element { array, index, stride, offset } = place else { return place };
        let address = self.code.frame.take(1);
        self.code.emit(Instruction::with(Opcode::ElemAddr, address.0, array.0, index.0, stride, offset));
        Place::Memory { address, offset: 0 }
    }

    fn load_scalar(&mut self, place: Place, access: Access, to: Slot) {
        match place {
            Place::Slots(slot) => self.code.copy(to, slot, 1),
            Place::Memory { address, offset } => {
                let op = match access {
                    Access::I8 => Opcode::LoadI8,
                    Access::U8 => Opcode::LoadU8,
                    Access::I16 => Opcode::LoadI16,
                    Access::U16 => Opcode::LoadU16,
                    Access::I32 => Opcode::LoadI32,
                    Access::U32 => Opcode::LoadU32,
                    Access::I64 => Opcode::LoadI64,
                    Access::F32 => Opcode::LoadF32,
                    Access::F64 => Opcode::LoadF64,
                    Access::Words(n, pointers) => return self.load_words(to, address, offset, n, pointers),
                };
                self.code.emit(Instruction::with(op, to.0, address.0, 0, offset, 0));
            }
            Place::Element { array, index, stride, offset } => {
                let op = match access {
                    Access::I8 => Opcode::LoadElemI8,
                    Access::U8 => Opcode::LoadElemU8,
                    Access::I16 => Opcode::LoadElemI16,
                    Access::U16 => Opcode::LoadElemU16,
                    Access::I32 => Opcode::LoadElemI32,
                    Access::U32 => Opcode::LoadElemU32,
                    Access::I64 => Opcode::LoadElemI64,
                    Access::F32 => Opcode::LoadElemF32,
                    Access::F64 => Opcode::LoadElemF64,
                    Access::Words(2, Pointers::FIRST) => Opcode::LoadElemPair,
                    Access::Words(n, pointers) => {
                        let Place::Memory { address, offset } = self.addressed(place) else { return };
                        return self.load_words(to, address, offset, n, pointers);
                    }
                };
                self.code.emit(Instruction::with(op, to.0, array.0, index.0, stride, offset));
            }
        }
    }

    fn store_scalar(&mut self, place: Place, access: Access, from: Slot) {
        match place {
            Place::Slots(slot) => self.code.copy(slot, from, 1),
            Place::Memory { address, offset } => {
                let op = match access {
                    Access::I8 | Access::U8 => Opcode::StoreI8,
                    Access::I16 | Access::U16 => Opcode::StoreI16,
                    Access::I32 | Access::U32 => Opcode::StoreI32,
                    Access::I64 => Opcode::StoreI64,
                    Access::F32 => Opcode::StoreF32,
                    Access::F64 => Opcode::StoreF64,
                    Access::Words(n, _) => return self.store_words(address, offset, from, n),
                };
                self.code.emit(Instruction::with(op, address.0, 0, from.0, offset, 0));
            }
            Place::Element { array, index, stride, offset } => {
                let op = match access {
                    Access::I8 | Access::U8 => Opcode::StoreElemI8,
                    Access::I16 | Access::U16 => Opcode::StoreElemI16,
                    Access::I32 | Access::U32 => Opcode::StoreElemI32,
                    Access::I64 => Opcode::StoreElemI64,
                    Access::F32 => Opcode::StoreElemF32,
                    Access::F64 => Opcode::StoreElemF64,
                    Access::Words(n, _) => {
                        let Place::Memory { address, offset } = self.addressed(place) else { return };
                        return self.store_words(address, offset, from, n);
                    }
                };
                self.code.emit(Instruction::with(op, array.0, index.0, from.0, stride, offset));
            }
        }
    }

    /// Loads the value, its own slots only: what it owns stays where it is.
    pub fn load(&mut self, place: Place, layout: &Layout, to: Slot) {
        if let Place::Slots(slot) = place {
            return self.code.copy(to, slot, layout.slots);
        }
        if layout.runs.is_empty() {
            // Nothing to load, but the index is checked all the same.
            self.addressed(place);
            return;
        }
        let place = if layout.runs.len() > 1 { self.addressed(place) } else { place };
        for run in &layout.runs {
            let field = FieldPlace { ty: TypeId(0), slot: run.slot, offset: run.offset, boxed: false };
            self.load_scalar(place.field(&field), run.access, to.plus(run.slot));
        }
    }

    pub fn store(&mut self, place: Place, layout: &Layout, from: Slot) {
        if let Place::Slots(slot) = place {
            return self.code.copy(slot, from, layout.slots);
        }
        if layout.runs.is_empty() {
            self.addressed(place);
            return;
        }
        let place = if layout.runs.len() > 1 { self.addressed(place) } else { place };
        for run in &layout.runs {
            let field = FieldPlace { ty: TypeId(0), slot: run.slot, offset: run.offset, boxed: false };
            self.store_scalar(place.field(&field), run.access, from.plus(run.slot));
        }
    }

    /// The slots of what lies at a place: its own if it is in the frame, else loaded.
    pub fn loaded(&mut self, place: Place, layout: &Layout) -> Slot {
        match place {
            Place::Slots(slot) => slot,
            _ => {
                let slot = self.code.frame.take(layout.slots);
                self.load(place, layout, slot);
                slot
            }
        }
    }

    /// Writes zeros where the value lies.
    pub fn clear(&mut self, place: Place, layout: &Layout) {
        match place {
            Place::Slots(slot) => self.code.zero(slot, layout.slots),
            _ => {
                let mark = self.code.frame.mark();
                let zero = self.code.frame.take(layout.slots);
                self.code.zero(zero, layout.slots);
                self.store(place, layout, zero);
                self.code.frame.reset(mark);
            }
        }
    }

    /// Pointer and length of an array, and an index of it.
    pub fn array_and_index(&mut self, base: &'h Expr, index: &'h Expr) -> (Slot, Slot) {
        let array = self.held(base, &[index]);
        let index = match self.indexes.pop_front() {
            Some(index) => index,
            None => self.any(index, Want::Borrow),
        };
        (array, index)
    }

    /// Evaluates the indexes of a place, from left to right: a later [`Body::place`] takes them from there.
    pub fn evaluate_indexes(&mut self, e: &'h Expr) -> Vec<Slot> {
        let mut found = Vec::new();
        self.indexes_of(e, &mut found);
        found
    }

    fn indexes_of(&mut self, e: &'h Expr, found: &mut Vec<Slot>) {
        match &e.kind {
            ExprKind::Field { base, .. }
            | ExprKind::Payload { base, .. }
            | ExprKind::AnyPayload { base }
            | ExprKind::AsSlice(base)
            | ExprKind::Move(base) => self.indexes_of(base, found),
            ExprKind::Index { base, index } => {
                self.indexes_of(base, found);
                let slot = self.any(index, Want::Borrow);
                found.push(slot);
            }
            _ => {}
        }
    }

    /// Both operands of an operation, evaluated from left to right. The slots of the left one stay what they are: where
    /// the right one would change them, ownership has put a copy.
    pub fn operands(&mut self, left: &'h Expr, right: &'h Expr) -> (Slot, Slot) {
        let a = self.held(left, &[right]);
        (a, self.any(right, Want::Borrow))
    }
}
