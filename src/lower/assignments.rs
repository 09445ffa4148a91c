//! Assignments: the value first, then the place, then what was there goes back to its region.

use super::analysis;
use super::body::Body;
use super::frame::Slot;
use super::operators::known_int;
use super::regions::{Region, Want};
use crate::check::hir::{BinaryOp, Expr, ExprKind, IntKind, LocalId, Type};

impl<'h> Body<'_, 'h> {
    /// The slots of a place that lies in the frame, found without writing code.
    pub fn frame_place(&mut self, e: &'h Expr) -> Option<Slot> {
        match &e.kind {
            ExprKind::Local(local) => Some(self.local(*local).slot),
            ExprKind::Move(place) => self.frame_place(place),
            ExprKind::Field { base, field } => {
                let slot = self.frame_place(base)?;
                let layout = self.layout(base.ty);
                Some(slot.plus(layout.fields.get(*field as usize)?.slot))
            }
            ExprKind::Payload { base, variant, field, checked: false } => {
                let slot = self.frame_place(base)?;
                let layout = self.layout(base.ty);
                let field = layout.variants.get(*variant as usize)?.get(*field as usize)?;
                (!field.boxed).then(|| slot.plus(field.slot))
            }
            _ => None,
        }
    }

    pub fn assign(&mut self, place: &'h Expr, value: &'h Expr) {
        let layout = self.layout(place.ty);
        let root = analysis::root(place);
        let fixed = self.frame_place(place);
        if !layout.owns {
            if let Some(slot) = fixed {
                let in_pieces = layout.slots > 1 && root.is_none_or(|l| analysis::needs(value, l));
                if !in_pieces {
                    return self.into(value, slot, Want::Borrow);
                }
                let from = self.any(value, Want::Borrow);
                return self.code.copy(slot, from, layout.slots);
            }
            let from = self.held(value, &[place]);
            let to = self.place(place);
            self.at(place.span);
            return self.store(to, &layout, from);
        }
        if let ExprKind::Local(local) = place.kind
            && !self.local(local).owned
        {
            // A cursor moves on.
            let from = match value.kind {
                ExprKind::Block(_) | ExprKind::If { .. } => {
                    let from = self.code.frame.take(layout.slots);
                    self.part_into(value, from);
                    from
                }
                _ => self.any(value, Want::Borrow),
            };
            return self.code.copy(self.local(local).slot, from, layout.slots);
        }
        let region = self.region_of(place);
        let from = self.any(value, Want::Own(region));
        self.replace(place, fixed, from, region);
    }

    /// Puts what is a part of a cursor, or nothing, into slots. Nothing is copied, whatever blocks it stands in: it lies
    /// where the cursor's value lies. See `check::ownership::cursor`.
    fn part_into(&mut self, e: &'h Expr, to: Slot) {
        match &e.kind {
            ExprKind::Block(parts) => {
                let Some((last, first)) = parts.split_last() else { return };
                let scope = self.open_scope();
                first.iter().for_each(|part| self.effect(part));
                self.part_into(last, to);
                self.close_scope(scope);
            }
            ExprKind::If { condition, then, otherwise: Some(otherwise) } => {
                let (no, end) = (self.code.label(), self.code.label());
                self.branch(condition, false, no);
                self.part_into(then, to);
                self.code.jump(end);
                self.code.place(no);
                self.part_into(otherwise, to);
                self.code.place(end);
            }
            _ => self.into(e, to, Want::Borrow),
        }
    }

    /// Puts a complete value of the place's region into the place and gives back what was there.
    fn replace(&mut self, place: &'h Expr, fixed: Option<Slot>, from: Slot, region: Region) {
        let layout = self.layout(place.ty);
        match fixed {
            Some(slot) if slot == from => {}
            Some(slot) => {
                self.free_slots(place.ty, slot, region);
                self.code.copy(slot, from, layout.slots);
            }
            None => {
                let to = self.place(place);
                let to = self.addressed(to);
                let old = self.loaded(to, &layout);
                self.free_slots(place.ty, old, region);
                self.store(to, &layout, from);
            }
        }
    }

    /// `place += value` and its kin.
    pub fn modify(&mut self, place: &'h Expr, operand: LocalId, value: &'h Expr, old: LocalId, new: &'h Expr) {
        let layout = self.layout(place.ty);
        if let Some(by) = self.known_change(operand, value, old, new) {
            return self.modify_by(place, by);
        }
        let operand_slot = self.held(value, &[place]);
        self.name_temporary(operand, operand_slot);
        let region = self.region_of(place);
        if let Some(slot) = self.frame_place(place) {
            self.name_temporary(old, slot);
            if layout.slots == 1 && !layout.owns {
                return self.into(new, slot, Want::Borrow);
            }
            let from = self.any(new, Want::Own(region));
            if layout.owns {
                return self.replace(place, Some(slot), from, region);
            }
            return self.code.copy(slot, from, layout.slots);
        }
        let at = self.place(place);
        let scalar = layout.scalar().is_some();
        let at = if scalar { at } else { self.addressed(at) };
        let before = self.loaded(at, &layout);
        self.name_temporary(old, before);
        let from = self.any(new, Want::Own(region));
        if layout.owns && from != before {
            self.free_slots(place.ty, before, region);
        }
        self.store(at, &layout, from);
    }

    /// The operation of `place += 1` and its kin: on integers, with a known operand.
    fn known_change(&self, operand: LocalId, value: &Expr, old: LocalId, new: &Expr) -> Option<Change> {
        let ExprKind::Binary { op, left, right } = &new.kind else { return None };
        let is = |e: &Expr, local| matches!(e.kind, ExprKind::Local(l) if l == local);
        let Type::Int(kind) = *self.types().get(new.ty) else { return None };
        let value = known_int(self.types(), value)?;
        let fits = is(left, old) && is(right, operand) && *op != BinaryOp::Concat;
        let divides = !matches!(op, BinaryOp::Div | BinaryOp::Rem) || value != 0;
        (fits && divides).then_some(Change { op: *op, kind, value })
    }

    fn modify_by(&mut self, place: &'h Expr, by: Change) {
        if let Some(slot) = self.frame_place(place) {
            self.slot_with_constant(by.op, by.kind, slot, by.value, slot);
            return;
        }
        let layout = self.layout(place.ty);
        let at = self.place(place);
        let value = self.code.frame.take(1);
        self.load(at, &layout, value);
        self.slot_with_constant(by.op, by.kind, value, by.value, value);
        self.store(at, &layout, value);
    }

    /// A local of the checker's that stands for slots as they are.
    pub fn name_temporary(&mut self, local: LocalId, slot: Slot) {
        let scope = self.current_scope();
        let variable = &mut self.locals[local.0 as usize];
        variable.slot = slot;
        variable.mutable = false;
        variable.owned = false;
        variable.region = Region::Foreign;
        variable.scope = scope;
    }
}

/// An integer operation with a constant.
#[derive(Clone, Copy)]
struct Change {
    op: BinaryOp,
    kind: IntKind,
    value: i64,
}
