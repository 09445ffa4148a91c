//! Expressions: their values in slots.
//!
//! [`Body::any`] gives the slots in which a value lies, wherever that is convenient: a local's own, a call's result.
//! [`Body::into`] puts it into given slots. A value of one slot is written there last, after everything that the
//! expression reads has been read, so that `x = x + 1` needs no copy; a larger one may be written in pieces, which
//! assignments look out for.

use scaly_interp::bytecode::{Instruction, Opcode};

use super::analysis;
use super::body::Body;
use super::frame::Slot;
use super::loops::Constant;
use super::operators::known;
use super::places::Place;
use super::regions::{Region, Want};
use crate::check::hir::{BinaryOp, Expr, ExprKind, LocalId, Type, Types};

impl<'h> Body<'_, 'h> {
    /// The slots that hold the value. They may be a variable's: nothing may be written to them.
    pub fn any(&mut self, e: &'h Expr, want: Want) -> Slot {
        if self.code.is_dead() {
            return Slot(0);
        }
        let outer = self.at(e.span);
        let slot = self.any_here(e, want);
        self.code.span = outer;
        slot
    }

    fn any_here(&mut self, e: &'h Expr, want: Want) -> Slot {
        if let Some(slot) = self.invariant(e).or_else(|| self.constant_slot(e)) {
            return slot;
        }
        match &e.kind {
            ExprKind::Move(place) => self.moved(place, want, None),
            ExprKind::Local(_)
            | ExprKind::Field { .. }
            | ExprKind::Payload { .. }
            | ExprKind::AnyPayload { .. }
            | ExprKind::AsSlice(_) => {
                let layout = self.layout(e.ty);
                if layout.owns && want != Want::Borrow {
                    return self.fresh(e, want);
                }
                let place = self.place(e);
                self.loaded(place, &layout)
            }
            ExprKind::Call { routine, arguments } => self.call(e, *routine, arguments, None, want),
            ExprKind::CallValue { callee, arguments } => self.call_value(e, callee, arguments, want),
            ExprKind::Convert(operand) if known(self.types(), e).is_none() && self.keeps_bits(e, operand) => {
                self.any(operand, want)
            }
            ExprKind::Binary { op: BinaryOp::Concat, left, right } => self.concat(left, right, want),
            ExprKind::Show(parts) => self.show_text(parts, want),
            _ => self.fresh(e, want),
        }
    }

    /// The slot in which a constant waits during a loop.
    fn constant_slot(&self, e: &Expr) -> Option<Slot> {
        let may_be = matches!(
            e.kind,
            ExprKind::Int(_)
                | ExprKind::Float(_)
                | ExprKind::Bool(_)
                | ExprKind::Char(_)
                | ExprKind::Zero
                | ExprKind::Global(_)
                | ExprKind::Unary { .. }
                | ExprKind::Binary { .. }
                | ExprKind::Convert(_)
        );
        if !may_be || self.constants.is_empty() {
            return None;
        }
        self.constants.get(&Constant::of(self.types(), e)?).copied()
    }

    fn invariant(&self, e: &Expr) -> Option<Slot> {
        if self.invariants.is_empty() { None } else { self.invariants.get(&std::ptr::from_ref(e)).copied() }
    }

    fn fresh(&mut self, e: &'h Expr, want: Want) -> Slot {
        let slot = self.take(e.ty);
        let mark = self.code.frame.mark();
        self.into(e, slot, want);
        self.code.frame.reset(mark);
        slot
    }

    /// Puts the value into slots. What it takes of the frame besides is given back.
    pub fn into(&mut self, e: &'h Expr, to: Slot, want: Want) {
        if self.code.is_dead() {
            return;
        }
        let outer = self.at(e.span);
        let mark = self.code.frame.mark();
        self.write_into(e, to, want);
        self.code.frame.reset(mark);
        self.code.span = outer;
    }

    fn write_into(&mut self, e: &'h Expr, to: Slot, want: Want) {
        if let Some(slot) = self.invariant(e) {
            return self.code.copy(to, slot, 1);
        }
        // What only some ways move is freed on the others: it is left empty where it is moved.
        let ways = matches!(e.kind, ExprKind::If { .. } | ExprKind::Match { .. } | ExprKind::Choose { .. });
        let returning = self.returning;
        self.returning = returning && !ways;
        match &e.kind {
            ExprKind::Void | ExprKind::Nothing => {}
            ExprKind::Int(value) => self.code.constant(to, *value),
            ExprKind::Float(value) => self.float(e, *value, to),
            ExprKind::Bool(value) => self.code.constant(to, i64::from(*value)),
            ExprKind::Char(value) => self.code.constant(to, i64::from(u32::from(*value))),
            ExprKind::Text(text) => self.text(text, to),
            ExprKind::Zero => {
                let slots = self.slots(e.ty);
                self.code.zero(to, slots);
            }
            ExprKind::Local(_)
            | ExprKind::Global(_)
            | ExprKind::Field { .. }
            | ExprKind::Payload { .. }
            | ExprKind::AnyPayload { .. }
            | ExprKind::AsSlice(_) => self.place_into(e, to, want),
            ExprKind::Index { base, index } => {
                if matches!(self.types().get(base.ty), Type::String) {
                    self.string_at(e, base, index, to);
                } else {
                    self.place_into(e, to, want);
                }
            }
            ExprKind::Copy(operand) => {
                let own = Want::Own(self.target(want));
                self.into(operand, to, own);
            }
            ExprKind::Move(place) => {
                let slot = self.moved(place, want, Some(to));
                let slots = self.slots(e.ty);
                self.code.copy(to, slot, slots);
            }
            ExprKind::Unary { op, operand } => self.unary(e, *op, operand, to),
            ExprKind::Binary { op, left, right } => self.binary(e, *op, left, right, to, want),
            ExprKind::Compare { .. } | ExprKind::Equal { .. } | ExprKind::Not(_) | ExprKind::Is { .. } => {
                self.condition_value(e, to);
            }
            ExprKind::And(..) | ExprKind::Or(..) => self.condition_value(e, to),
            ExprKind::Convert(operand) => self.convert(e, operand, to),
            ExprKind::Struct(fields) => self.structure(e, fields, to, want),
            ExprKind::Variant { variant, payload } => self.variant(e, *variant, payload, to, want),
            ExprKind::Elements(elements) => self.elements(e, elements, to, want),
            ExprKind::Lambda { routine, direct } => self.lambda(*routine, *direct, to, want),
            ExprKind::RoutineValue(routine) => self.routine_value(*routine, to),
            ExprKind::Show(parts) => {
                let text = self.show_text(parts, want);
                self.code.copy(to, text, 2);
            }
            ExprKind::Call { routine, arguments } => {
                let slot = self.call(e, *routine, arguments, Some(to), want);
                let slots = self.slots(e.ty);
                self.code.copy(to, slot, slots);
            }
            ExprKind::CallValue { callee, arguments } => {
                let slot = self.call_value(e, callee, arguments, want);
                let slots = self.slots(e.ty);
                self.code.copy(to, slot, slots);
            }
            ExprKind::Block(parts) => self.block_into(parts, to, want),
            ExprKind::If { condition, then, otherwise } => {
                let (no, end) = (self.code.label(), self.code.label());
                self.branch(condition, false, no);
                self.into(then, to, want);
                if let Some(otherwise) = otherwise {
                    self.code.jump(end);
                    self.code.place(no);
                    self.into(otherwise, to, want);
                } else {
                    self.code.place(no);
                }
                self.code.place(end);
            }
            ExprKind::Match { subject, value, arms, otherwise } => {
                self.matching(*subject, value, arms, otherwise.as_deref(), &mut |b, arm| b.into(arm, to, want));
            }
            ExprKind::Choose { subject, arms, otherwise } => {
                self.choose(subject, arms, otherwise.as_deref(), &mut |b, arm| b.into(arm, to, want));
            }
            ExprKind::Print { .. }
            | ExprKind::ForRange { .. }
            | ExprKind::ForEach { .. }
            | ExprKind::While { .. }
            | ExprKind::WhileLet { .. }
            | ExprKind::Repeat { .. }
            | ExprKind::Break(_)
            | ExprKind::Continue(_)
            | ExprKind::Return(_)
            | ExprKind::Let { .. }
            | ExprKind::Assign { .. }
            | ExprKind::Modify { .. }
            | ExprKind::Drop(_) => self.effect(e),
        }
        self.returning = returning;
    }

    fn block_into(&mut self, parts: &'h [Expr], to: Slot, want: Want) {
        let Some((last, first)) = parts.split_last() else { return };
        let outside = self.here();
        let scope = self.open_scope();
        for part in first {
            self.effect(part);
        }
        // A temporary made in the block, or a part of one of its variables, would end with it.
        let want = match want {
            Want::Borrow if self.owns(last.ty) => {
                let outer = analysis::root(last).is_some_and(|l| self.declared_outside(l, scope));
                if outer { Want::Borrow } else { Want::Own(outside) }
            }
            _ => want,
        };
        self.into(last, to, want);
        self.close_scope(scope);
    }

    /// Evaluates for the effects only.
    pub fn effect(&mut self, e: &'h Expr) {
        if self.code.is_dead() {
            return;
        }
        let outer = self.at(e.span);
        let mark = self.code.frame.mark();
        let mut declared = false;
        match &e.kind {
            ExprKind::Void
            | ExprKind::Nothing
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Bool(_)
            | ExprKind::Char(_)
            | ExprKind::Text(_)
            | ExprKind::Zero
            | ExprKind::Local(_)
            | ExprKind::Global(_) => {}
            ExprKind::Block(parts) => {
                let scope = self.open_scope();
                for part in parts {
                    self.effect(part);
                }
                self.close_scope(scope);
            }
            ExprKind::If { condition, then, otherwise: None } if self.way_out(then).is_some() => {
                if let Some(target) = self.way_out(then) {
                    self.branch(condition, true, target);
                }
            }
            ExprKind::If { condition, then, otherwise } => {
                let (no, end) = (self.code.label(), self.code.label());
                self.branch(condition, false, no);
                self.code.frame.reset(mark);
                self.effect(then);
                if let Some(otherwise) = otherwise {
                    self.code.jump(end);
                    self.code.place(no);
                    self.effect(otherwise);
                } else {
                    self.code.place(no);
                }
                self.code.place(end);
            }
            ExprKind::Match { subject, value, arms, otherwise } => {
                self.matching(*subject, value, arms, otherwise.as_deref(), &mut |b, arm| b.effect(arm));
            }
            ExprKind::Choose { subject, arms, otherwise } => {
                self.choose(subject, arms, otherwise.as_deref(), &mut |b, arm| b.effect(arm));
            }
            ExprKind::Print { parts, newline, stream } => self.print(parts, *newline, *stream),
            ExprKind::ForRange { tag, variable, lo, hi, inclusive, body } => {
                self.for_range(e, *tag, *variable, lo, hi, *inclusive, body);
            }
            ExprKind::ForEach { tag, variable, collection, body } => {
                self.for_each(e, *tag, *variable, collection, body);
            }
            ExprKind::While { tag, condition, body } => self.while_loop(e, *tag, Some(condition), body),
            ExprKind::Repeat { tag, body } => self.while_loop(e, *tag, None, body),
            ExprKind::WhileLet { tag, variable, value, body } => self.while_let(e, *tag, *variable, value, body),
            ExprKind::Break(tag) => self.leave_loop(*tag, false),
            ExprKind::Continue(tag) => self.leave_loop(*tag, true),
            ExprKind::Return(Some(value)) => self.tail(value),
            ExprKind::Return(None) => self.give_back(None),
            ExprKind::Let { local, value, view } => {
                self.declare(*local, value, *view);
                declared = true;
            }
            ExprKind::Assign { place, value } => self.assign(place, value),
            ExprKind::Modify { place, operand, value, old, new } => self.modify(place, *operand, value, *old, new),
            ExprKind::Drop(value) => self.effect(value),
            ExprKind::And(left, right) | ExprKind::Or(left, right) => {
                let end = self.code.label();
                self.branch(left, matches!(e.kind, ExprKind::Or(..)), end);
                self.effect(right);
                self.code.place(end);
            }
            _ => {
                self.any(e, Want::Borrow);
            }
        }
        if !declared {
            self.code.frame.reset(mark);
        }
        self.code.span = outer;
    }

    /// The value of a place in the given slots.
    fn place_into(&mut self, e: &'h Expr, to: Slot, want: Want) {
        let layout = self.layout(e.ty);
        let place = self.place(e);
        match want {
            Want::Own(region) if layout.owns => {
                let from = self.loaded(place, &layout);
                self.copy_slots(e.ty, to, from, region);
            }
            _ => self.load(place, &layout, to),
        }
    }

    /// The value of a place that dies: its storage goes over where it may.
    fn moved(&mut self, place: &'h Expr, want: Want, to: Option<Slot>) -> Slot {
        let layout = self.layout(place.ty);
        let take = |body: &mut Self| to.unwrap_or_else(|| body.code.frame.take(layout.slots));
        let (Want::Own(region), true) = (want, layout.owns) else {
            let place = self.place(place);
            return match (place, to) {
                (Place::Slots(slot), _) => slot,
                (place, _) => {
                    let to = take(self);
                    self.load(place, &layout, to);
                    to
                }
            };
        };
        let root = analysis::root(place).map(|l| (l, self.local(l)));
        let may_move = root.is_some_and(|(_, v)| v.region == region);
        if !may_move {
            // A temporary was built here, not there.
            let to = take(self);
            self.place_into(place, to, want);
            return to;
        }
        let whole = is_whole(place);
        let (local, variable) = root.unwrap_or_else(|| unreachable!("`may_move` has a root"));
        // A variable may be assigned anew, and must have nothing to give back then.
        let emptied = variable.escaping || variable.mutable;
        if whole && (!emptied || self.returning) {
            if variable.escaping {
                self.moved_out.push(local);
            }
            return variable.slot;
        }
        let at = self.place(place);
        let at = self.addressed(at);
        let to = take(self);
        self.load(at, &layout, to);
        // What is left behind must not be freed along with its owner.
        if emptied {
            self.clear(at, &layout);
        }
        to
    }

    pub fn text(&mut self, text: &std::rc::Rc<str>, to: Slot) {
        if text.is_empty() {
            return self.code.zero(to, 2);
        }
        let id = self.m.text(text);
        self.code.emit(Instruction::with(Opcode::Text, to.0, 0, 0, id, 0));
    }

    fn float(&mut self, e: &Expr, value: f64, to: Slot) {
        if e.ty == Types::F32 {
            let bits = (value as f32).to_bits();
            self.code.emit(Instruction::with(Opcode::ConstF32, to.0, 0, 0, bits, 0));
        } else {
            self.code.emit(Instruction::wide(Opcode::ConstF64, to.0, 0, 0, value.to_bits() as i64));
        }
    }

    fn structure(&mut self, e: &'h Expr, fields: &'h [Expr], to: Slot, want: Want) {
        let layout = self.layout(e.ty);
        let want = self.inner_want(want);
        for (value, field) in fields.iter().zip(&layout.fields) {
            self.into(value, to.plus(field.slot), want);
        }
    }

    /// What becomes of a part of a value that is built.
    fn inner_want(&self, want: Want) -> Want {
        // A struct that is only looked at may consist of views, as long as nothing changes them meanwhile; parts that
        // come later may. Only what owns nothing is surely safe, so the parts are kept, in the region of temporaries.
        match want {
            Want::Borrow => Want::Own(self.here()),
            own => own,
        }
    }

    fn variant(&mut self, e: &'h Expr, variant: u32, payload: &'h [Expr], to: Slot, want: Want) {
        let layout = self.layout(e.ty);
        let Some(fields) = layout.variants.get(variant as usize) else {
            return self.m.internal(e.span, "there is no such variant");
        };
        let want = self.inner_want(want);
        let mut end = 1;
        for (value, field) in payload.iter().zip(fields.iter()) {
            let at = to.plus(field.slot);
            if field.boxed {
                let region = self.target(want);
                self.boxed(value, at, region);
                end = field.slot + 1;
            } else {
                self.into(value, at, want);
                end = field.slot + self.slots(field.ty);
            }
        }
        if variant == 0 && end == 1 {
            return self.code.zero(to, layout.slots);
        }
        // What the payload leaves of the slots is zero, so that a union's words are determined by its value.
        self.code.zero(to.plus(end), layout.slots.saturating_sub(end));
        self.code.constant(to, i64::from(variant));
    }

    /// Puts a value into a block of its own.
    fn boxed(&mut self, value: &'h Expr, to: Slot, region: Region) {
        let layout = self.layout(value.ty);
        let slot = self.any(value, Want::Own(region));
        let block = self.allocate(region, layout.size);
        self.store(Place::Memory { address: block, offset: 0 }, &layout, slot);
        self.code.copy(to, block, 1);
    }

    /// A zeroed block of a constant size.
    pub fn allocate(&mut self, region: Region, bytes: u32) -> Slot {
        let base = self.code.frame.take(2);
        let handle = self.handle(region);
        self.code.copy(base, handle, 1);
        self.code.constant(base.plus(1), i64::from(bytes));
        self.code.runtime(base, scaly_interp::routine::Routine::Alloc);
        base
    }

    fn elements(&mut self, e: &'h Expr, elements: &'h [Expr], to: Slot, want: Want) {
        if elements.is_empty() {
            return self.code.zero(to, 2);
        }
        let region = self.target(want);
        let Some(element) = self.types().element(e.ty) else {
            return self.m.internal(e.span, "elements of what is no array");
        };
        let layout = self.layout(element);
        let bytes = u64::from(layout.stride()) * elements.len() as u64;
        let Ok(bytes) = u32::try_from(bytes) else {
            return self.m.error(e.span, "an array literal of more than 4 GiB");
        };
        let block = self.allocate(region, bytes);
        let mark = self.code.frame.mark();
        for (i, value) in elements.iter().enumerate() {
            let slot = self.any(value, Want::Own(region));
            let offset = i as u32 * layout.stride();
            self.store(Place::Memory { address: block, offset }, &layout, slot);
            self.code.frame.reset(mark);
        }
        self.code.copy(to, block, 1);
        self.code.constant(to.plus(1), elements.len() as i64);
    }

    /// `let` and `var`.
    fn declare(&mut self, id: LocalId, value: &'h Expr, view: bool) {
        let Some(routine) = self.routine else { return };
        let local = &routine.locals[id.0 as usize];
        let layout = self.layout(local.ty);
        let mutable = matches!(local.kind, crate::check::hir::LocalKind::Var | crate::check::hir::LocalKind::Temporary);
        if value.is_place() && (view || !layout.owns) && !mutable {
            // The name of a place whose slots stay what they are costs nothing.
            let fixed = view || analysis::root(value).is_none_or(|l| !self.local(l).mutable);
            let region = self.region_of(value);
            let place = self.place(value);
            if let (Place::Slots(slot), true) = (place, fixed) {
                return self.bind(routine, id, slot, region, false);
            }
            let slot = self.loaded_new(place, &layout);
            return self.bind(routine, id, slot, region, false);
        }
        let slot = self.code.frame.take(layout.slots);
        let mark = self.code.frame.mark();
        if view {
            let region = self.region_of(value);
            self.into(value, slot, Want::Borrow);
            self.code.frame.reset(mark);
            return self.bind(routine, id, slot, region, false);
        }
        let escaping = layout.owns && self.escapes.get(id.0 as usize) == Some(&true);
        let region = match self.returned.region {
            Some(region) if escaping => region,
            // What a slice views decides about its region.
            _ if matches!(self.types().get(local.ty), Type::Slice(_)) => self.region_of(value),
            _ => self.here(),
        };
        let slot = if self.gives_new_slots(value) {
            // What a call gives stays where it came back.
            self.code.frame.reset(u32::from(slot.0));
            self.any(value, Want::Own(region))
        } else {
            self.into(value, slot, Want::Own(region));
            self.code.frame.reset(mark);
            slot
        };
        self.bind(routine, id, slot, region, true);
        if escaping && self.returned.region.is_some() {
            self.locals[id.0 as usize].escaping = true;
            self.note_escaping(id);
        }
    }

    /// Whether [`Body::any`] gives slots that nobody else has.
    fn gives_new_slots(&mut self, e: &Expr) -> bool {
        match &e.kind {
            ExprKind::Call { routine, arguments } => {
                let callee = self.hir.routine(*routine);
                analysis::intrinsic(callee).is_none()
                    && self.operator(callee, arguments).is_none()
                    && self.m.inlining(*routine) == super::inlining::Inlining::Never
            }
            ExprKind::CallValue { .. } => true,
            _ => false,
        }
    }

    fn loaded_new(&mut self, place: Place, layout: &super::layout::Layout) -> Slot {
        let slot = self.code.frame.take(layout.slots);
        self.load(place, layout, slot);
        slot
    }
}

/// Whether a place is a variable itself, not a part of it.
fn is_whole(place: &Expr) -> bool {
    match &place.kind {
        ExprKind::Local(_) => true,
        ExprKind::Move(place) | ExprKind::AsSlice(place) => is_whole(place),
        _ => false,
    }
}
