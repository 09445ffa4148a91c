//! Intrinsics of `Array`, `Vector` and `Slice`.

use scaly_interp::bytecode::{Instruction, Opcode};
use scaly_interp::routine::Routine;

use super::Intrinsic;
use crate::check::hir::{Expr, TypeId};
use crate::lower::analysis;
use crate::lower::body::Body;
use crate::lower::frame::Slot;
use crate::lower::layout::Pointers;
use crate::lower::places::Place;
use crate::lower::regions::{Region, Want};

/// Slots up to which elements are exchanged by loads and stores. Compiled code takes half of the time of a call with 16, a
/// third with 4; the interpreter, which runs only what is not hot, 2.4 and 1.5 times as long.
const SWAPPED: u32 = 16;

impl<'h> Body<'_, 'h> {
    pub(super) fn array_intrinsic(&mut self, name: &str, call: &Intrinsic<'h>) -> Option<Slot> {
        let (_, method) = name.split_once('.').filter(|(ty, _)| matches!(*ty, "Array" | "Vector" | "Slice"))?;
        match (method, call.arguments) {
            ("init", []) => {
                let to = call.to.unwrap_or_else(|| self.code.frame.take(2));
                self.code.zero(to, 2);
                Some(to)
            }
            ("init", [length]) => {
                let element = self.types().element(call.e.ty)?;
                let region = self.target(call.want);
                Some(self.new_array(length, element, region))
            }
            ("init", [length, value]) => {
                let element = self.types().element(call.e.ty)?;
                let region = self.target(call.want);
                Some(self.filled_array(length, value, element, region))
            }
            ("length", [array]) => Some(self.length(array)),
            ("blank", [array]) => {
                let element = self.types().element(call.e.ty)?;
                let region = self.target(call.want);
                let length = self.length(array);
                Some(self.blank_array(length, element, region))
            }
            ("[]", [array, index]) => {
                let (array, index) = self.array_and_index(array, index);
                let layout = self.layout(call.e.ty);
                let place = Place::Element { array, index, stride: layout.stride(), offset: 0 };
                let slot = self.loaded(place, &layout);
                if let (Want::Own(region), true) = (call.want, layout.owns) {
                    self.copy_slots(call.e.ty, slot, slot, region);
                }
                Some(slot)
            }
            ("push", [array, value]) => self.push(array, value),
            ("insert", [array, index, value]) => self.insert(array, index, value),
            ("take", [array, index]) => self.take_element(array, index, call),
            ("truncate", [array, length]) => self.truncate(array, length),
            ("reserve", [array, length]) => self.reserve(array, length),
            ("append", [array, items]) => self.append_items(array, items),
            ("slice", [array, start, end]) => self.slice(array, start, end),
            ("swap", [array, i, j]) => self.swap(array, i, j),
            _ => None,
        }
    }

    /// The length of an array or string, without its pointer where that saves something.
    pub(super) fn length(&mut self, array: &'h Expr) -> Slot {
        if !array.is_place() {
            return self.any(array, Want::Borrow).plus(1);
        }
        match self.place(array) {
            Place::Slots(slot) => slot.plus(1),
            place => {
                let Place::Memory { address, offset } = self.addressed(place) else { return Slot(0) };
                let length = self.code.frame.take(1);
                self.load_words(length, address, offset + 8, 1, Pointers::NONE);
                length
            }
        }
    }

    fn element_of(&mut self, array: &Expr) -> Option<(TypeId, u32)> {
        let element = self.types().element(array.ty)?;
        Some((element, self.layout(element).stride()))
    }

    fn new_array(&mut self, length: &'h Expr, element: TypeId, region: Region) -> Slot {
        let slot = self.code.frame.take(1);
        self.into(length, slot, Want::Borrow);
        self.blank_array(slot, element, region)
    }

    /// So many elements, all of their words zero.
    fn blank_array(&mut self, length: Slot, element: TypeId, region: Region) -> Slot {
        let stride = self.layout(element).stride();
        let base = self.code.frame.take(3);
        let handle = self.handle(region);
        self.code.copy(base, handle, 1);
        self.code.copy(base.plus(1), length, 1);
        self.code.constant(base.plus(2), i64::from(stride));
        self.code.runtime(base, Routine::ArrayNew);
        base
    }

    fn filled_array(&mut self, length: &'h Expr, value: &'h Expr, element: TypeId, region: Region) -> Slot {
        let layout = self.layout(element);
        let length = self.held(length, &[value]);
        let value = self.any(value, if layout.owns { Want::Own(region) } else { Want::Borrow });
        let base = self.code.frame.take(3);
        let handle = self.handle(region);
        self.code.copy(base, handle, 1);
        self.code.copy(base.plus(1), length, 1);
        self.code.constant(base.plus(2), i64::from(layout.stride()));
        self.code.runtime(base, Routine::ArrayNew);
        let empty = self.code.label();
        self.code.branch(Opcode::JEqImm, base.plus(1), Slot(0), empty, 0);
        self.store(Place::Memory { address: base, offset: 0 }, &layout, value);
        if layout.owns {
            // Element 0 took the value; the others get copies.
            let rest = self.code.frame.take(1);
            self.code.imm(Opcode::AddImm, rest, base.plus(1), -1);
            self.each_element(rest, |body, counter| {
                let copy = body.code.frame.take(layout.slots);
                body.copy_slots(element, copy, value, region);
                let address = body.code.frame.take(1);
                let (raw, stride) = (Opcode::ElemAddrRaw, layout.stride());
                body.code.emit(Instruction::with(raw, address.0, base.0, counter.0, stride, stride));
                body.store(Place::Memory { address, offset: 0 }, &layout, copy);
            });
        } else {
            let all = self.code.frame.take(3);
            self.code.copy(all, base, 2);
            self.code.constant(all.plus(2), i64::from(layout.stride()));
            self.code.runtime(all, Routine::ArrayRepeat);
        }
        self.code.place(empty);
        base
    }

    /// Resolves the array that is changed after its other arguments; its own indexes come before them.
    fn with_array(
        &mut self,
        array: &'h Expr,
        values: impl FnOnce(&mut Self) -> Slot,
        change: impl FnOnce(&mut Self, Slot, Slot),
    ) {
        let indexes =
            if array.is_place() && analysis::root(array).is_some() { self.evaluate_indexes(array) } else { Vec::new() };
        let value = values(self);
        let outer = std::mem::replace(&mut self.indexes, indexes.into());
        let (place, pair) = self.changed_place(array);
        self.indexes = outer;
        change(self, pair, value);
        self.store_changed(array, place, pair);
    }

    /// Makes room for `extra` elements more.
    fn grow(&mut self, pair: Slot, stride: u32, extra: Slot, region: Region) {
        let mark = self.code.frame.mark();
        let base = self.code.frame.take(5);
        let handle = self.handle(region);
        self.code.copy(base, handle, 1);
        self.code.copy(base.plus(1), pair, 2);
        self.code.constant(base.plus(3), i64::from(stride));
        self.code.copy(base.plus(4), extra, 1);
        self.code.runtime(base, Routine::ArrayGrow);
        self.code.copy(pair, base, 1);
        self.code.frame.reset(mark);
    }

    fn grow_by_one(&mut self, pair: Slot, stride: u32, region: Region) {
        let room = self.code.label();
        let handle = self.handle(region);
        self.code.branch_with_room(pair, handle, stride, room);
        let mark = self.code.frame.mark();
        let base = self.code.frame.take(5);
        self.code.copy(base, handle, 1);
        self.code.copy(base.plus(1), pair, 2);
        self.code.constant(base.plus(3), i64::from(stride));
        self.code.constant(base.plus(4), 1);
        self.code.runtime(base, Routine::ArrayGrow);
        self.code.copy(pair, base, 1);
        self.code.frame.reset(mark);
        self.code.place(room);
    }

    fn push(&mut self, array: &'h Expr, value: &'h Expr) -> Option<Slot> {
        let (element, stride) = self.element_of(array)?;
        let region = self.region_of(array);
        let layout = self.layout(element);
        self.with_array(
            array,
            |body| body.any(value, Want::Own(region)),
            |body, pair, value| {
                body.grow_by_one(pair, stride, region);
                let address = body.code.frame.take(1);
                let raw = Opcode::ElemAddrRaw;
                body.code.emit(Instruction::with(raw, address.0, pair.0, pair.plus(1).0, stride, 0));
                body.store(Place::Memory { address, offset: 0 }, &layout, value);
                body.code.imm(Opcode::AddImm, pair.plus(1), pair.plus(1), 1);
            },
        );
        Some(Slot(0))
    }

    fn insert(&mut self, array: &'h Expr, index: &'h Expr, value: &'h Expr) -> Option<Slot> {
        let (element, stride) = self.element_of(array)?;
        let region = self.region_of(array);
        let layout = self.layout(element);
        let at = self.code.frame.take(1 + layout.slots);
        self.with_array(
            array,
            |body| {
                body.into(index, at, Want::Borrow);
                body.into(value, at.plus(1), Want::Own(region));
                at
            },
            |body, pair, at| {
                let base = body.code.frame.take(2);
                body.code.copy(base, at, 1);
                body.code.copy(base.plus(1), pair.plus(1), 1);
                body.code.runtime(base, Routine::CheckInsert);
                body.grow_by_one(pair, stride, region);
                let from = body.code.frame.take(1);
                let raw = Opcode::ElemAddrRaw;
                body.code.emit(Instruction::with(raw, from.0, pair.0, at.0, stride, 0));
                let base = body.code.frame.take(3);
                body.code.imm(Opcode::AddImm, base, from, i64::from(stride));
                body.code.copy(base.plus(1), from, 1);
                body.code.op(Opcode::Sub, base.plus(2), pair.plus(1), at);
                body.code.imm(Opcode::MulImm, base.plus(2), base.plus(2), i64::from(stride));
                body.code.runtime(base, Routine::MemoryMove);
                body.store(Place::Memory { address: from, offset: 0 }, &layout, at.plus(1));
                body.code.imm(Opcode::AddImm, pair.plus(1), pair.plus(1), 1);
            },
        );
        Some(Slot(0))
    }

    fn take_element(&mut self, array: &'h Expr, index: &'h Expr, call: &Intrinsic<'h>) -> Option<Slot> {
        let (element, stride) = self.element_of(array)?;
        let region = self.region_of(array);
        let layout = self.layout(element);
        let taken = self.code.frame.take(layout.slots);
        self.with_array(
            array,
            |body| body.any(index, Want::Borrow),
            |body, pair, index| {
                let address = body.code.frame.take(1);
                body.code.emit(Instruction::with(Opcode::ElemAddr, address.0, pair.0, index.0, stride, 0));
                body.load(Place::Memory { address, offset: 0 }, &layout, taken);
                let last = body.code.label();
                body.code.imm(Opcode::AddImm, pair.plus(1), pair.plus(1), -1);
                body.code.branch(Opcode::JEq, index, pair.plus(1), last, 0);
                let base = body.code.frame.take(3);
                body.code.copy(base, address, 1);
                body.code.imm(Opcode::AddImm, base.plus(1), address, i64::from(stride));
                body.code.op(Opcode::Sub, base.plus(2), pair.plus(1), index);
                body.code.imm(Opcode::MulImm, base.plus(2), base.plus(2), i64::from(stride));
                body.code.runtime(base, Routine::MemoryMove);
                body.code.place(last);
            },
        );
        if layout.owns {
            // What was the array's lies in its region; who wants it elsewhere gets it there.
            let target = self.target(call.want);
            if target != region {
                let copy = self.code.frame.take(layout.slots);
                self.copy_slots(element, copy, taken, target);
                self.free_slots(element, taken, region);
                return Some(copy);
            }
        }
        Some(taken)
    }

    fn truncate(&mut self, array: &'h Expr, length: &'h Expr) -> Option<Slot> {
        let (element, stride) = self.element_of(array)?;
        let region = self.region_of(array);
        let layout = self.layout(element);
        let length_slot = self.code.frame.take(1);
        self.with_array(
            array,
            |body| {
                body.into(length, length_slot, Want::Borrow);
                length_slot
            },
            |body, pair, length| {
                body.code.runtime(length, Routine::CheckLength);
                let end = body.code.label();
                body.code.branch(Opcode::JLeS, pair.plus(1), length, end, 0);
                if layout.owns {
                    let count = body.code.frame.take(1);
                    body.code.op(Opcode::Sub, count, pair.plus(1), length);
                    let from = body.code.frame.take(1);
                    let raw = Opcode::ElemAddrRaw;
                    body.code.emit(Instruction::with(raw, from.0, pair.0, length.0, stride, 0));
                    body.each_element(count, |body, counter| {
                        let slot = body.element(from, counter, element);
                        body.free_slots(element, slot, region);
                    });
                }
                body.code.copy(pair.plus(1), length, 1);
                body.code.place(end);
            },
        );
        Some(Slot(0))
    }

    fn reserve(&mut self, array: &'h Expr, length: &'h Expr) -> Option<Slot> {
        let (_, stride) = self.element_of(array)?;
        let region = self.region_of(array);
        self.with_array(
            array,
            |body| body.any(length, Want::Borrow),
            |body, pair, length| {
                let end = body.code.label();
                body.code.branch(Opcode::JLeS, length, pair.plus(1), end, 0);
                let extra = body.code.frame.take(1);
                body.code.op(Opcode::Sub, extra, length, pair.plus(1));
                body.grow(pair, stride, extra, region);
                body.code.place(end);
            },
        );
        Some(Slot(0))
    }

    fn append_items(&mut self, array: &'h Expr, items: &'h Expr) -> Option<Slot> {
        let (element, stride) = self.element_of(array)?;
        let region = self.region_of(array);
        let layout = self.layout(element);
        self.with_array(
            array,
            |body| body.any(items, Want::Borrow),
            |body, pair, items| {
                let end = body.code.label();
                body.code.branch(Opcode::JEqImm, items.plus(1), Slot(0), end, 0);
                body.grow(pair, stride, items.plus(1), region);
                let to = body.code.frame.take(1);
                let raw = Opcode::ElemAddrRaw;
                body.code.emit(Instruction::with(raw, to.0, pair.0, pair.plus(1).0, stride, 0));
                if layout.owns {
                    body.each_element(items.plus(1), |body, counter| {
                        let from = body.element(items, counter, element);
                        let copy = body.code.frame.take(layout.slots);
                        body.copy_slots(element, copy, from, region);
                        let address = body.element_address(to, counter, element);
                        body.store(Place::Memory { address, offset: 0 }, &layout, copy);
                    });
                } else {
                    let base = body.code.frame.take(3);
                    body.code.copy(base, to, 1);
                    body.code.copy(base.plus(1), items, 1);
                    body.code.imm(Opcode::MulImm, base.plus(2), items.plus(1), i64::from(stride));
                    body.code.runtime(base, Routine::MemoryMove);
                }
                body.code.op(Opcode::Add, pair.plus(1), pair.plus(1), items.plus(1));
                body.code.place(end);
            },
        );
        Some(Slot(0))
    }

    fn slice(&mut self, array: &'h Expr, start: &'h Expr, end: &'h Expr) -> Option<Slot> {
        let (_, stride) = self.element_of(array)?;
        let pair = self.any(array, Want::Borrow);
        let to = self.code.frame.take(2);
        let base = self.code.frame.take(3);
        self.into(start, base, Want::Borrow);
        self.into(end, base.plus(1), Want::Borrow);
        self.code.copy(base.plus(2), pair.plus(1), 1);
        self.code.runtime(base, Routine::CheckSlice);
        let raw = Opcode::ElemAddrRaw;
        self.code.emit(Instruction::with(raw, to.0, pair.0, base.0, stride, 0));
        self.code.op(Opcode::Sub, to.plus(1), base.plus(1), base);
        Some(to)
    }

    fn swap(&mut self, array: &'h Expr, i: &'h Expr, j: &'h Expr) -> Option<Slot> {
        let (element, stride) = self.element_of(array)?;
        let layout = self.layout(element);
        let pair = self.any(array, Want::Borrow);
        let (i, j) = self.operands(i, j);
        if layout.scalar().is_some() || (!layout.owns && layout.slots <= SWAPPED) {
            let mut first = Place::Element { array: pair, index: i, stride, offset: 0 };
            let mut second = Place::Element { array: pair, index: j, stride, offset: 0 };
            if layout.scalar().is_none() {
                (first, second) = (self.addressed(first), self.addressed(second));
            }
            let (x, y) = (self.loaded(first, &layout), self.loaded(second, &layout));
            self.store(first, &layout, y);
            self.store(second, &layout, x);
        } else {
            let base = self.code.frame.take(3);
            self.code.emit(Instruction::with(Opcode::ElemAddr, base.0, pair.0, i.0, stride, 0));
            self.code.emit(Instruction::with(Opcode::ElemAddr, base.plus(1).0, pair.0, j.0, stride, 0));
            self.code.constant(base.plus(2), i64::from(stride));
            self.code.runtime(base, Routine::MemorySwap);
        }
        Some(Slot(0))
    }
}

impl<'h> Body<'_, 'h> {
    /// `x.copy()`: a slice gives an array.
    pub(super) fn copied(&mut self, e: &'h Expr, ty: TypeId, want: Want) -> Slot {
        let from = self.any(e, Want::Borrow);
        let slots = self.slots(ty);
        let to = self.code.frame.take(slots);
        let region = self.target(want);
        self.copy_slots(ty, to, from, region);
        to
    }
}
