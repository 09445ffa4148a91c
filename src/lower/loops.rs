//! Loops: counted by one instruction at their end, or open with a condition at their header.
//!
//! A counted loop's variable is the counter itself. Numbers that a loop names are set once, before the outermost loop
//! around them: an interpreter pays for an instruction, not for a slot.

use rustc_hash::FxHashMap;
use scaly_interp::bytecode::{Instruction, Opcode};
use scaly_interp::program::LoopKind;
use scaly_interp::routine::Routine;

use super::analysis;
use super::body::{Body, LoopState};
use super::code::Label;
use super::frame::Slot;
use super::inlining::Inlining;
use super::operators::{Known, known};
use super::places::Place;
use super::regions::{Region, Want};
use crate::check::hir::{Body as Tree, Expr, ExprKind, GlobalId, IntKind, LocalId, LoopTag, RoutineId, Type, Types};
use crate::source::Span;

/// A value that is the same in every iteration, by its bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Constant {
    F64(u64),
    F32(u32),
    Int(i64),
    Global(GlobalId),
}

/// How many constants wait in slots during a loop.
const MOST_CONSTANTS: usize = 24;

/// What is found in a loop.
#[derive(Default)]
struct Found {
    constants: Vec<Constant>,
    /// Inlined routines that have been looked at; those that call one another come back to themselves.
    routines: Vec<RoutineId>,
}

impl Found {
    fn note(&mut self, constant: Constant) {
        if !self.constants.contains(&constant) {
            self.constants.push(constant);
        }
    }
}

impl Constant {
    pub fn of(types: &Types, e: &Expr) -> Option<Constant> {
        if let ExprKind::Global(global) = e.kind {
            let scalar = matches!(types.get(e.ty), Type::Bool | Type::Char | Type::Int(_) | Type::F32 | Type::F64);
            return scalar.then_some(Constant::Global(global));
        }
        match known(types, e)? {
            Known::Float(v) if e.ty == Types::F32 => Some(Constant::F32((v as f32).to_bits())),
            Known::Float(v) if e.ty == Types::F64 => Some(Constant::F64(v.to_bits())),
            Known::Float(_) => None,
            Known::Int(v) => Some(Constant::Int(v)),
        }
    }
}

/// The parts of a loop statement that stay the same from kind to kind.
struct Open {
    tag: LoopTag,
    scope: super::regions::ScopeId,
    next: Label,
    end: Label,
}

impl<'h> Body<'_, 'h> {
    fn open_loop(&mut self, tag: LoopTag) -> Open {
        let scope = self.open_scope();
        let (next, end) = (self.code.label(), self.code.label());
        self.loops.push(LoopState { tag, scope, next, end });
        Open { tag, scope, next, end }
    }

    fn close_loop(&mut self, open: Open) {
        debug_assert_eq!(self.loops.last().map(|l| l.tag), Some(open.tag));
        self.loops.pop();
        self.code.place(open.end);
        self.close_scope(open.scope);
    }

    /// The body of a loop, in the loop's own scope, up to the end of the iteration.
    fn iteration(&mut self, open: &Open, body: &'h Expr) {
        match &body.kind {
            ExprKind::Block(parts) => parts.iter().for_each(|part| self.effect(part)),
            _ => self.effect(body),
        }
        self.free_escaping_of(open.scope);
        self.code.place(open.next);
        self.reset_scope(open.scope);
    }

    /// Sets the constants of a loop before it, if it is the outermost; gives what holds otherwise.
    fn hoist(&mut self, e: &'h Expr) -> FxHashMap<Constant, Slot> {
        let outer = self.constants.clone();
        if !self.loops.is_empty() {
            return outer;
        }
        let mut found = Found::default();
        self.find_constants(e, &mut found);
        for constant in found.constants {
            let slot = self.code.frame.take(1);
            match constant {
                Constant::F64(bits) => self.code.emit(Instruction::wide(Opcode::ConstF64, slot.0, 0, 0, bits as i64)),
                Constant::F32(bits) => self.code.emit(Instruction::with(Opcode::ConstF32, slot.0, 0, 0, bits, 0)),
                Constant::Int(value) => self.code.constant(slot, value),
                Constant::Global(global) => {
                    let layout = self.layout(self.hir.global(global).ty);
                    let mark = self.code.frame.mark();
                    let address = self.code.frame.take(1);
                    let offset = self.m.globals[global.0 as usize];
                    self.code.emit(Instruction::with(Opcode::Global, address.0, 0, 0, offset, 0));
                    self.load(Place::Memory { address, offset: 0 }, &layout, slot);
                    self.code.frame.reset(mark);
                }
            }
            self.constants.insert(constant, slot);
        }
        outer
    }

    fn find_constants(&mut self, e: &'h Expr, found: &mut Found) {
        if found.constants.len() >= MOST_CONSTANTS {
            return;
        }
        match &e.kind {
            // An integer is an operand of most instructions; only elements want theirs in slots.
            ExprKind::Index { base, index } => {
                self.note_int(index, found);
                self.find_constants(base, found);
                return self.find_constants(index, found);
            }
            ExprKind::Assign { place, value } if !matches!(place.kind, ExprKind::Local(_)) => {
                self.note_int(value, found);
            }
            _ => {}
        }
        if let ExprKind::Call { routine, .. } = &e.kind
            && self.m.inlining(*routine) != Inlining::Never
            && let Tree::Code(body) = &self.hir.routine(*routine).body
            && !found.routines.contains(routine)
        {
            found.routines.push(*routine);
            self.find_constants(body, found);
        }
        match Constant::of(self.types(), e) {
            Some(Constant::Int(_)) => {}
            Some(constant) => found.note(constant),
            None => analysis::parts(e, &mut |part| self.find_constants(part, found)),
        }
    }

    fn note_int(&self, e: &Expr, found: &mut Found) {
        if let Some(constant @ Constant::Int(_)) = Constant::of(self.types(), e) {
            found.note(constant);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of the statement")]
    pub fn for_range(
        &mut self,
        e: &'h Expr,
        tag: LoopTag,
        variable: LocalId,
        lo: &'h Expr,
        hi: &'h Expr,
        inclusive: bool,
        body: &'h Expr,
    ) {
        let Some(routine) = self.routine else { return };
        let outer = self.hoist(e);
        let open = self.open_loop(tag);
        let counter = self.code.frame.take(2);
        self.into(lo, counter, Want::Borrow);
        let end = self.any(hi, Want::Borrow);
        let unsigned = matches!(self.types().get(lo.ty), Type::Int(IntKind::U64));
        let prepare = match (inclusive, unsigned) {
            (false, false) => Opcode::ForPrepS,
            (false, true) => Opcode::ForPrepU,
            (true, false) => Opcode::ForPrepInclS,
            (true, true) => Opcode::ForPrepInclU,
        };
        self.hoist_invariants(&[body], &[variable]);
        let span = header_span(e, body);
        self.code.span = span;
        self.code.branch(prepare, counter, end, open.end, 0);
        if !self.code.is_dead() {
            let (draft, header) = self.code.begin_loop(LoopKind::Counted { counter: counter.0 }, span);
            self.bind(routine, variable, counter, Region::Foreign, false);
            self.iteration(&open, body);
            self.code.span = span;
            self.code.end_loop(draft, header, Some(counter));
        }
        self.close_loop(open);
        self.constants = outer;
    }

    pub fn for_each(&mut self, e: &'h Expr, tag: LoopTag, variable: LocalId, collection: &'h Expr, body: &'h Expr) {
        let Some(routine) = self.routine else { return };
        let outer = self.hoist(e);
        let subject = self.any(collection, Want::Borrow);
        let region = self.region_of(collection);
        if matches!(self.types().get(collection.ty), Type::String) {
            self.for_characters(e, tag, variable, subject, body);
            self.constants = outer;
            return;
        }
        let open = self.open_loop(tag);
        let layout = self.layout(routine.locals[variable.0 as usize].ty);
        let counter = self.code.frame.take(2);
        self.code.constant(counter, 0);
        self.hoist_invariants(&[body], &[variable]);
        let span = header_span(e, body);
        self.code.span = span;
        self.code.branch(Opcode::ForPrepS, counter, subject.plus(1), open.end, 0);
        if !self.code.is_dead() {
            let (draft, header) = self.code.begin_loop(LoopKind::Counted { counter: counter.0 }, span);
            let element = self.code.frame.take(layout.slots);
            let stride = layout.stride();
            if layout.scalar().is_some() {
                self.load(Place::Element { array: subject, index: counter, stride, offset: 0 }, &layout, element);
            } else {
                // The count of trips keeps the index in range.
                let address = self.code.frame.take(1);
                let raw = Opcode::ElemAddrRaw;
                self.code.emit(Instruction::with(raw, address.0, subject.0, counter.0, stride, 0));
                self.load(Place::Memory { address, offset: 0 }, &layout, element);
            }
            self.bind(routine, variable, element, region, false);
            self.iteration(&open, body);
            self.code.span = span;
            self.code.end_loop(draft, header, Some(counter));
        }
        self.close_loop(open);
        self.constants = outer;
    }

    /// The characters of a string, from one byte position to the next.
    fn for_characters(&mut self, e: &'h Expr, tag: LoopTag, variable: LocalId, text: Slot, body: &'h Expr) {
        let Some(routine) = self.routine else { return };
        let open = self.open_loop(tag);
        let span = header_span(e, body);
        self.code.span = span;
        let position = self.code.frame.take(1);
        let character = self.code.frame.take(1);
        self.code.constant(position, 0);
        if !self.code.is_dead() {
            let (draft, header) = self.code.begin_loop(LoopKind::Open, span);
            self.code.branch(Opcode::JLeS, text.plus(1), position, open.end, 0);
            // One byte is most often a character.
            let ready = self.code.label();
            self.code.emit(Instruction::with(Opcode::LoadElemU8, character.0, text.0, position.0, 1, 0));
            self.code.imm(Opcode::AddImm, position, position, 1);
            self.code.branch(Opcode::JLtSImm, character, Slot(0), ready, 128);
            let mark = self.code.frame.mark();
            let base = self.code.frame.take(3);
            self.code.copy(base, text, 2);
            self.code.imm(Opcode::AddImm, base.plus(2), position, -1);
            self.code.runtime(base, Routine::StringCharAt);
            self.code.copy(character, base, 1);
            self.code.copy(position, base.plus(1), 1);
            self.code.frame.reset(mark);
            self.code.place(ready);
            self.bind(routine, variable, character, Region::Foreign, false);
            self.iteration(&open, body);
            self.code.span = span;
            self.code.end_loop(draft, header, None);
        }
        self.close_loop(open);
    }

    /// `while`, and without a condition `repeat`.
    pub fn while_loop(&mut self, e: &'h Expr, tag: LoopTag, condition: Option<&'h Expr>, body: &'h Expr) {
        let outer = self.hoist(e);
        let open = self.open_loop(tag);
        match condition {
            Some(condition) => self.hoist_invariants(&[condition, body], &[]),
            None => self.hoist_invariants(&[body], &[]),
        }
        let span = header_span(e, body);
        self.code.span = span;
        if !self.code.is_dead() {
            let (draft, header) = self.code.begin_loop(LoopKind::Open, span);
            if let Some(condition) = condition {
                self.branch(condition, false, open.end);
            }
            self.iteration(&open, body);
            self.code.span = span;
            self.code.end_loop(draft, header, None);
        }
        self.close_loop(open);
        self.constants = outer;
    }

    pub fn while_let(&mut self, e: &'h Expr, tag: LoopTag, variable: LocalId, value: &'h Expr, body: &'h Expr) {
        let Some(routine) = self.routine else { return };
        let outer = self.hoist(e);
        let open = self.open_loop(tag);
        let span = header_span(e, body);
        self.code.span = span;
        if !self.code.is_dead() {
            let (draft, header) = self.code.begin_loop(LoopKind::Open, span);
            let layout = self.layout(value.ty);
            let region = self.region_of(value);
            let place = self.place(value);
            let place = self.addressed(place);
            let tag_slot = self.tag(place);
            self.code.branch(Opcode::JEqImm, tag_slot, Slot(0), open.end, 0);
            let mutable = analysis::root(value).is_some_and(|l| self.local(l).mutable);
            if let Some(field) = layout.variants.get(1).and_then(|v| v.first()).copied() {
                let payload = self.payload_place(place, &field);
                let inner = self.layout(field.ty);
                let slot = self.binding(payload, &inner, mutable);
                self.bind(routine, variable, slot, region, false);
            } else {
                self.m.internal(value.span, "`while let` of what is not optional");
            }
            self.iteration(&open, body);
            self.code.span = span;
            self.code.end_loop(draft, header, None);
        }
        self.close_loop(open);
        self.constants = outer;
    }

    /// The slots of a binding: those of the place, unless they may be written meanwhile.
    pub fn binding(&mut self, place: Place, layout: &super::layout::Layout, mutable: bool) -> Slot {
        match place {
            Place::Slots(slot) if !mutable => slot,
            _ => {
                let slot = self.code.frame.take(layout.slots);
                self.load(place, layout, slot);
                slot
            }
        }
    }

    /// Where a statement goes that is nothing but a `break` or `continue`, if nothing ends on the way.
    pub fn way_out(&self, e: &Expr) -> Option<Label> {
        let (tag, goes_on) = match &e.kind {
            ExprKind::Break(tag) => (tag, false),
            ExprKind::Continue(tag) => (tag, true),
            ExprKind::Block(parts) => match &parts[..] {
                [only] => return self.way_out(only),
                _ => return None,
            },
            _ => return None,
        };
        let target = self.loops.iter().rev().find(|l| l.tag == *tag)?;
        let direct = self.current_scope() == Some(target.scope) && !self.has_escaping(target.scope);
        direct.then_some(if goes_on { target.next } else { target.end })
    }

    /// `break` and `continue`.
    pub fn leave_loop(&mut self, tag: LoopTag, goes_on: bool) {
        let Some(target) = self.loops.iter().rev().find(|l| l.tag == tag).copied() else {
            let span = self.code.span;
            return self.m.internal(span, "a `break` or `continue` without its loop");
        };
        self.leave_to(Some(target.scope), !goes_on);
        self.free_escaping_of(target.scope);
        self.code.jump(if goes_on { target.next } else { target.end });
    }
}

/// The loop's statement without its body.
fn header_span(e: &Expr, body: &Expr) -> Span {
    if e.span.file == body.span.file && e.span.start < body.span.start {
        Span { end: body.span.start.min(e.span.end), ..e.span }
    } else {
        e.span
    }
}
