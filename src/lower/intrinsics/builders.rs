//! Intrinsics of `StringBuilder`, whose one field is an array of bytes.

use scaly_interp::routine::Routine;

use super::Intrinsic;
use crate::check::hir::Expr;
use crate::lower::body::Body;
use crate::lower::frame::Slot;
use crate::lower::places::Place;
use crate::lower::regions::{Region, Want};

impl<'h> Body<'_, 'h> {
    pub(super) fn builder_intrinsic(&mut self, name: &str, call: &Intrinsic<'h>) -> Option<Slot> {
        let routine = match (name.strip_prefix("StringBuilder.")?, call.arguments) {
            ("to_string", [this]) => {
                let bytes = self.any(this, Want::Borrow);
                let to = self.code.frame.take(2);
                let region = self.target(call.want);
                self.copy_elements(to, bytes, 1, region);
                return Some(to);
            }
            ("append", [_, value]) if self.appended_by(value.ty, false).is_some() => {
                self.appended_by(value.ty, false)?
            }
            ("append", [this, value]) => {
                let region = self.region_of(this);
                let slot = self.any(value, Want::Borrow);
                let (place, builder) = self.changed_place(this);
                self.show_slots(value.ty, slot, builder, region, false);
                self.store_changed(this, place, builder);
                return Some(Slot(0));
            }
            ("append_text", [_, _]) => Routine::BuilderText,
            ("append_char", [_, _]) => Routine::BuilderChar,
            ("append_int", [_, _]) => Routine::BuilderInt,
            ("append_uint", [_, _]) => Routine::BuilderUint,
            ("append_float", [_, _]) => Routine::BuilderFloat,
            ("append_float32", [_, _]) => Routine::BuilderSingle,
            ("append_fixed", [_, _, _]) => Routine::BuilderFixed,
            ("append_quoted", [_, _]) => Routine::BuilderQuoted,
            _ => return None,
        };
        let (this, values) = call.arguments.split_first()?;
        let region = self.region_of(this);
        let base = self.code.frame.take(u32::from(routine.signature().slots()));
        let mut at = base.plus(3);
        for value in values {
            self.into(value, at, Want::Borrow);
            at = at.plus(self.slots(value.ty));
        }
        let (place, builder) = self.changed_place(this);
        self.append(routine, base, builder, region);
        self.store_changed(this, place, builder);
        Some(Slot(0))
    }

    /// Calls a builder's routine whose values lie behind its first three arguments already.
    pub fn append(&mut self, routine: Routine, base: Slot, builder: Slot, region: Region) {
        let handle = self.handle(region);
        self.code.copy(base, handle, 1);
        self.code.copy(base.plus(1), builder, 2);
        self.code.runtime(base, routine);
        self.code.copy(builder, base, 2);
    }

    /// A place that an intrinsic changes: where it is, and its slots, which may be written.
    pub(super) fn changed_place(&mut self, e: &'h Expr) -> (Place, Slot) {
        let layout = self.layout(e.ty);
        if !e.is_place() {
            let here = self.here();
            let slot = self.any(e, Want::Own(here));
            return (Place::Slots(slot), slot);
        }
        let place = self.place(e);
        let place = self.addressed(place);
        let slot = self.loaded(place, &layout);
        (place, slot)
    }

    pub(super) fn store_changed(&mut self, e: &'h Expr, place: Place, slot: Slot) {
        if !matches!(place, Place::Slots(_)) {
            let layout = self.layout(e.ty);
            self.store(place, &layout, slot);
        }
    }
}
