//! `choose` and `match`.

use scaly_interp::bytecode::Opcode;

use super::analysis;
use super::body::Body;
use super::frame::Slot;
use super::operators::{int_kind, known_int};
use super::regions::Want;
use crate::check::hir::{ChooseArm, Expr, LocalId, MatchArm};

impl<'h> Body<'_, 'h> {
    /// Lowers each arm with `arm`, control joining behind.
    pub fn choose(
        &mut self,
        subject: &'h Expr,
        arms: &'h [ChooseArm],
        otherwise: Option<&'h Expr>,
        arm: &mut dyn FnMut(&mut Self, &'h Expr),
    ) {
        let Some(routine) = self.routine else { return };
        let layout = self.layout(subject.ty);
        let region = self.region_of(subject);
        let mutable = analysis::root(subject).is_some_and(|l| self.local(l).mutable);
        let place = self.place(subject);
        let place = self.addressed(place);
        let tag = self.tag(place);
        let end = self.code.label();
        let mark = self.code.frame.mark();
        for (i, choice) in arms.iter().enumerate() {
            let next = self.code.label();
            let last = i + 1 == arms.len() && otherwise.is_none();
            if !last {
                self.code.branch(Opcode::JNeImm, tag, Slot(0), next, choice.variant);
            }
            let names = self.code.names();
            if let Some(fields) = layout.variants.get(choice.variant as usize) {
                for (binding, field) in choice.bindings.iter().zip(fields.iter()) {
                    let Some(local) = *binding else { continue };
                    let payload = self.payload_place(place, field);
                    let inner = self.layout(field.ty);
                    let slot = self.binding(payload, &inner, mutable);
                    self.bind(routine, local, slot, region, false);
                }
            }
            arm(self, &choice.body);
            self.code.end_names(names);
            self.code.frame.reset(mark);
            if !last {
                self.code.jump(end);
            }
            self.code.place(next);
        }
        if let Some(otherwise) = otherwise {
            arm(self, otherwise);
        }
        self.code.place(end);
    }

    pub fn matching(
        &mut self,
        subject: LocalId,
        value: &'h Expr,
        arms: &'h [MatchArm],
        otherwise: Option<&'h Expr>,
        arm: &mut dyn FnMut(&mut Self, &'h Expr),
    ) {
        let slot = self.any(value, Want::Borrow);
        self.name_temporary(subject, slot);
        let integer = int_kind(self.types(), value.ty).is_some();
        let end = self.code.label();
        let mark = self.code.frame.mark();
        for choice in arms {
            let (body, next) = (self.code.label(), self.code.label());
            for (i, value) in choice.values.iter().enumerate() {
                let last = i + 1 == choice.values.len();
                let (sense, target) = if last { (false, next) } else { (true, body) };
                self.at(value.span);
                let constant = known_int(self.types(), value).and_then(|v| i32::try_from(v).ok());
                if let (true, Some(constant)) = (integer, constant) {
                    let op = if sense { Opcode::JEqImm } else { Opcode::JNeImm };
                    self.code.branch(op, slot, Slot(0), target, constant as u32);
                } else {
                    let other = self.any(value, Want::Borrow);
                    self.branch_equal_slots(value.ty, slot, other, sense, target);
                }
                self.code.frame.reset(mark);
            }
            self.code.place(body);
            arm(self, &choice.body);
            self.code.frame.reset(mark);
            self.code.jump(end);
            self.code.place(next);
        }
        if let Some(otherwise) = otherwise {
            arm(self, otherwise);
        }
        self.code.place(end);
    }
}
