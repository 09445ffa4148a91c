//! The lowering of one routine: its state, its parameters, and how it returns.

use std::rc::Rc;

use scaly_interp::bytecode::{Instruction, Opcode};
use scaly_interp::program::{Param, ParamKind};

use super::analysis;
use super::code::{Code, Label};
use super::frame::Slot;
use super::layout::{Layout, Pointers};
use super::regions::{Region, ScopeId, Scopes, Want};
use super::signature::Signature;
use super::{Heading, Lowering};
use crate::check::hir::{
    self, Expr, ExprKind, LocalId, LocalKind, LoopTag, RoutineId, RoutineKind, Type, TypeId, Types,
};
use crate::source::{FileId, Span};

/// A local of the routine.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    pub ty: TypeId,
    pub slot: Slot,
    /// The region of its storage, or of what it views.
    pub region: Region,
    /// Its slots may be written after they are set.
    pub mutable: bool,
    /// It owns its storage; else it is a view of somebody's.
    pub owned: bool,
    /// Lies in the region of the result (see `regions`).
    pub escaping: bool,
    /// The scope that it was declared in; parameters have none.
    pub scope: Option<ScopeId>,
}

/// A loop around the code that is being written.
#[derive(Clone, Copy)]
pub struct LoopState {
    pub tag: LoopTag,
    pub scope: ScopeId,
    pub next: Label,
    pub end: Label,
}

/// What comes back from the routine.
#[derive(Default)]
pub struct Returned {
    pub slots: u32,
    pub region: Option<Region>,
    /// Parameters that come back: slot and count.
    pub in_place: Vec<(Slot, u32)>,
    /// Of an init: `this`, which is the result.
    pub this: Option<LocalId>,
}

pub struct Body<'m, 'h> {
    pub m: &'m mut Lowering<'h>,
    pub hir: &'h hir::Program,
    pub code: Code,
    pub locals: Vec<Variable>,
    pub(super) scopes: Scopes,
    pub loops: Vec<LoopState>,
    pub returned: Returned,
    /// Locals of the result that are part of the value being returned.
    pub moved_out: Vec<LocalId>,
    /// Indexes that have been evaluated before the place that they belong to.
    pub indexes: std::collections::VecDeque<Slot>,
    pub returning: bool,
    pub routine: Option<&'h hir::Routine>,
    /// Locals that lie in the region of the result.
    pub escapes: Vec<bool>,
    /// Of an inlined routine: where its value goes.
    pub inlined: Option<super::inlining::Inlined>,
    /// The routines that are being lowered in one another.
    pub inlining: Vec<RoutineId>,
    pub inlined_nodes: u32,
    /// Slots of what was computed before the loop that it stands in.
    pub invariants: rustc_hash::FxHashMap<*const Expr, Slot>,
    /// Slots of constants that are set before the outermost loop around, by kind and bits.
    pub constants: rustc_hash::FxHashMap<super::loops::Constant, Slot>,
}

impl<'m, 'h> Body<'m, 'h> {
    pub fn new(m: &'m mut Lowering<'h>, span: crate::source::Span) -> Self {
        let hir = m.hir;
        let mut code = std::mem::take(&mut m.spare);
        code.span = span;
        Body {
            m,
            hir,
            code,
            locals: Vec::new(),
            scopes: Scopes::default(),
            loops: Vec::new(),
            returned: Returned::default(),
            moved_out: Vec::new(),
            indexes: std::collections::VecDeque::new(),
            returning: false,
            routine: None,
            escapes: Vec::new(),
            inlined: None,
            inlining: Vec::new(),
            inlined_nodes: 0,
            invariants: rustc_hash::FxHashMap::default(),
            constants: rustc_hash::FxHashMap::default(),
        }
    }

    /// Instructions come from here now; gives the place before. What checking took over from another file, a library
    /// routine that names a place, belongs to the place where it stands.
    pub fn at(&mut self, span: Span) -> Span {
        let outer = self.code.span;
        if span.file == outer.file {
            self.code.span = span;
        }
        outer
    }

    pub fn types(&self) -> &'h Types {
        &self.hir.types
    }

    pub fn layout(&mut self, ty: TypeId) -> Rc<Layout> {
        self.m.layout(ty)
    }

    pub fn slots(&mut self, ty: TypeId) -> u32 {
        self.m.layout(ty).slots
    }

    pub fn owns(&mut self, ty: TypeId) -> bool {
        self.m.layout(ty).owns
    }

    pub fn take(&mut self, ty: TypeId) -> Slot {
        let slots = self.slots(ty);
        self.code.frame.take(slots)
    }

    pub fn local(&self, id: LocalId) -> Variable {
        self.locals[id.0 as usize]
    }

    /// Gives a local its slots; it is in scope from here.
    pub fn bind(&mut self, routine: &hir::Routine, id: LocalId, slot: Slot, region: Region, owned: bool) {
        let local = &routine.locals[id.0 as usize];
        let slots = self.slots(local.ty);
        if !matches!(local.kind, LocalKind::Temporary | LocalKind::Param | LocalKind::Taken) && self.inlined_names() {
            if !routine.library {
                self.name_fields(&local.name, local.ty, slot, routine.span.file, 2);
            }
            self.code.name(&local.name, slot, slots);
        }
        let mutable = matches!(local.kind, LocalKind::Var | LocalKind::Temporary);
        let scope = self.current_scope();
        self.locals[id.0 as usize] = Variable { ty: local.ty, slot, region, mutable, owned, escaping: false, scope };
    }

    /// Notes the names of the fields of a struct that the program defines, `p.x`, and of those in them; no deeper ones,
    /// whose names would get as long as the types are high.
    fn name_fields(&mut self, name: &str, ty: TypeId, slot: Slot, file: FileId, levels: u32) {
        let hir = self.hir;
        let &Type::Struct(id) = hir.types.get(ty) else { return };
        let structure = hir.types.structure(id);
        let layout = self.layout(ty);
        if levels == 0 || structure.span.file != file {
            return;
        }
        for (field, place) in structure.fields.iter().zip(&layout.fields) {
            let (name, slot) = (format!("{name}.{}", field.name), slot.plus(place.slot));
            let slots = self.slots(place.ty);
            self.name_fields(&name, place.ty, slot, file, levels - 1);
            self.code.name(&name, slot, slots);
        }
    }

    /// Lowers an expression in a position from which the routine returns its value.
    pub fn tail(&mut self, e: &'h Expr) {
        if self.code.is_dead() {
            return;
        }
        let outer = self.at(e.span);
        match &e.kind {
            ExprKind::Block(parts) => {
                let scope = self.open_scope();
                if let Some((last, first)) = parts.split_last() {
                    for part in first {
                        self.effect(part);
                    }
                    self.tail(last);
                } else {
                    self.give_back(None);
                }
                self.close_scope(scope);
            }
            ExprKind::If { condition, then, otherwise: Some(otherwise) } => {
                let no = self.code.label();
                self.branch(condition, false, no);
                self.tail(then);
                self.code.place(no);
                self.tail(otherwise);
            }
            ExprKind::Choose { subject, arms, otherwise } => {
                self.choose(subject, arms, otherwise.as_deref(), &mut |body, arm| body.tail(arm));
            }
            ExprKind::Match { subject, value, arms, otherwise } => {
                self.matching(*subject, value, arms, otherwise.as_deref(), &mut |body, arm| body.tail(arm));
            }
            _ if self.returned.slots == 0 || self.slots(e.ty) == 0 => {
                self.effect(e);
                self.code.span = outer;
                self.give_back(None);
            }
            _ => self.give_back(Some(e)),
        }
        // An `if` without `else`, or a `choose` whose arms give nothing.
        self.give_back(None);
        self.code.span = outer;
    }

    /// Returns, with the value of an expression.
    pub fn give_back(&mut self, value: Option<&'h Expr>) {
        if self.code.is_dead() {
            return;
        }
        if let Some(inlined) = self.inlined {
            return self.give_back_inlined(value, inlined);
        }
        let mark = self.code.frame.mark();
        let own = self.returned.region.map_or(Want::Borrow, Want::Own);
        // What a value that is given up for this one has moved is still there to be freed.
        let outer_moves = std::mem::take(&mut self.moved_out);
        let outer_returning = std::mem::replace(&mut self.returning, true);
        let in_place = std::mem::take(&mut self.returned.in_place);
        let slots = self.returned.slots;
        let changed: u32 = in_place.iter().map(|&(_, n)| n).sum();
        let adjacent = in_place.windows(2).all(|w| w[0].0.plus(w[0].1) == w[1].0);
        let from = if slots == 0 {
            if let Some(value) = value {
                self.effect(value);
            }
            None
        } else if in_place.is_empty() {
            Some(self.result_value(value, None, own))
        } else {
            let all = self.code.frame.take(slots + changed);
            Some(self.result_value(value, Some(all), own))
        };
        self.returning = outer_returning;
        // What comes back of the parameters is what they are after the value has been computed.
        let from = match from {
            None if adjacent => in_place.first().map_or(Slot(0), |p| p.0),
            Some(from) if in_place.is_empty() => from,
            from => {
                let all = from.unwrap_or_else(|| self.code.frame.take(changed));
                let mut to = all.plus(slots);
                for &(slot, count) in &in_place {
                    self.code.copy(to, slot, count);
                    to = to.plus(count);
                }
                all
            }
        };
        self.leave_to(None, false);
        self.code.give_back(from, slots + changed);
        self.moved_out = outer_moves;
        self.returned.in_place = in_place;
        self.code.frame.reset(mark);
    }

    fn give_back_inlined(&mut self, value: Option<&'h Expr>, inlined: super::inlining::Inlined) {
        let outer_moves = std::mem::take(&mut self.moved_out);
        let outer_returning = std::mem::replace(&mut self.returning, true);
        if self.returned.slots == 0 {
            if let Some(value) = value {
                self.effect(value);
            }
        } else {
            let own = self.returned.region.map_or(Want::Borrow, Want::Own);
            self.result_value(value, Some(inlined.to), own);
        }
        self.returning = outer_returning;
        if !self.code.is_dead() {
            self.leave_inlined(inlined);
        }
        self.moved_out = outer_moves;
    }

    /// Whether variables are noted by name: those of inlined routines are not.
    fn inlined_names(&self) -> bool {
        self.inlining.len() <= 1
    }

    fn result_value(&mut self, value: Option<&'h Expr>, to: Option<Slot>, own: Want) -> Slot {
        match value {
            Some(value) => {
                let value = self.dying(value);
                match to {
                    Some(to) => {
                        self.into(value, to, own);
                        to
                    }
                    None => self.any(value, own),
                }
            }
            None => {
                let this = self.returned.this.map(|l| {
                    self.moved_out.push(l);
                    self.local(l).slot
                });
                match (this, to) {
                    (Some(this), None) => this,
                    (Some(this), Some(to)) => {
                        self.code.copy(to, this, self.returned.slots);
                        to
                    }
                    (None, to) => {
                        // Only where checking let a path without a value pass.
                        let slots = self.returned.slots;
                        let to = to.unwrap_or_else(|| self.code.frame.take(slots));
                        self.code.zero(to, slots);
                        to
                    }
                }
            }
        }
    }

    /// Notes that a local of the result is what is returned, whether or not the tree says that it is moved.
    fn dying(&mut self, value: &'h Expr) -> &'h Expr {
        let place = if let ExprKind::Move(place) = &value.kind { place } else { value };
        if let ExprKind::Local(local) = place.kind
            && self.local(local).escaping
        {
            self.moved_out.push(local);
        }
        value
    }
}

/// The locals of a routine before any is bound.
pub(super) fn unbound(routine: &hir::Routine) -> Vec<Variable> {
    let unbound = |l: &hir::Local| Variable {
        ty: l.ty,
        slot: Slot(0),
        region: Region::Foreign,
        mutable: false,
        owned: false,
        escaping: false,
        scope: None,
    };
    routine.locals.iter().map(unbound).collect()
}

/// Lowers a routine instance.
pub(super) fn routine(m: &mut Lowering<'_>, id: RoutineId) -> (Heading, Code) {
    let routine = m.hir.routine(id);
    let signature = m.signature(id);
    let signature = &*signature;
    let mut body = Body::new(m, routine.span);
    body.locals = unbound(routine);
    body.routine = Some(routine);
    body.inlining.push(id);
    body.code.frame.take(signature.param_slots);
    let heading = body.parameters(routine, signature);
    match &routine.body {
        hir::Body::Code(code) => {
            let scope = body.open_scope();
            body.changed_copies(routine);
            body.taken(routine);
            body.captures(routine);
            if body.returned.region.is_some() {
                body.escapes = analysis::escaping(routine, code);
            }
            body.this_of_init(routine);
            body.tail(code);
            body.close_scope(scope);
            body.settle_regions();
        }
        hir::Body::Intrinsic { name, .. } => {
            let message = format!("the intrinsic `{name}` is lowered as a routine of its own");
            body.m.internal(routine.span, message);
        }
    }
    (heading, body.code)
}

impl<'h> Body<'_, 'h> {
    fn parameters(&mut self, routine: &'h hir::Routine, signature: &Signature) -> Heading {
        let mut params = Vec::new();
        let range = |slot: u32, n: u32| Slot(0).plus(slot).0..Slot(0).plus(slot + n).0;
        if signature.environment {
            params.push(Param { name: String::new(), slots: 0..1, kind: ParamKind::Environment, stride: 0 });
        }
        let clamp = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
        let mut in_place = Vec::new();
        for (i, (&local, place)) in routine.params.iter().zip(&signature.params).enumerate() {
            let slot = Slot(0).plus(place.slot);
            let region = place.region.map_or(Region::Foreign, |r| Region::Param(Slot(0).plus(r)));
            self.bind(routine, local, slot, region, place.back.is_some());
            if let Some(back) = &place.back {
                in_place.extend(back.ranges.iter().map(|&(first, count)| (slot.plus(first), count)));
                self.locals[local.0 as usize].mutable = true;
            }
            let writes = routine.summary.params.get(i).is_some_and(|s| s.writes);
            let kind = match (&place.back, self.types().get(place.ty)) {
                (Some(back), _) => ParamKind::InPlace { result: clamp(back.result) },
                (None, Type::Slice(_)) => ParamKind::View,
                (None, _) if writes => ParamKind::View,
                (None, Type::Function { .. }) => ParamKind::Function,
                (None, _) => ParamKind::Value,
            };
            let name = routine.locals[local.0 as usize].name.clone();
            if !routine.library {
                self.name_fields(&name, place.ty, slot, routine.span.file, 2);
            }
            let stride = match *self.types().get(place.ty) {
                Type::Array(element) | Type::Slice(element) => self.layout(element).stride(),
                _ => 0,
            };
            params.push(Param { name, slots: range(place.slot, place.slots), kind, stride });
        }
        let regions = signature.region.into_iter().chain(signature.params.iter().filter_map(|p| p.region));
        for slot in regions {
            params.push(Param { name: String::new(), slots: range(slot, 1), kind: ParamKind::Region, stride: 0 });
        }
        self.returned = Returned {
            slots: signature.result,
            region: signature.region.map(|r| Region::Param(Slot(0).plus(r))),
            in_place,
            this: None,
        };
        Heading {
            name: routine.name.clone(),
            params,
            param_slots: signature.param_slots,
            result_slots: signature.result_slots,
            span: routine.span,
            library: routine.library,
        }
    }

    /// A lambda changes copies of what it is given.
    fn changed_copies(&mut self, routine: &'h hir::Routine) {
        if routine.kind != RoutineKind::Lambda {
            return;
        }
        for (i, &local) in routine.params.iter().enumerate() {
            let ty = routine.locals[local.0 as usize].ty;
            let changed = routine.summary.params.get(i).is_some_and(|s| s.in_place(&self.hir.types, ty));
            if !changed {
                continue;
            }
            let slot = self.local(local).slot;
            let region = self.here();
            self.copy_slots(ty, slot, slot, region);
            let scope = self.current_scope();
            let variable = &mut self.locals[local.0 as usize];
            (variable.region, variable.mutable, variable.owned, variable.scope) = (region, true, true, scope);
        }
    }

    /// What the routine takes is like locals of the result.
    fn taken(&mut self, routine: &'h hir::Routine) {
        let Some(region) = self.returned.region else { return };
        for &local in &routine.params {
            if routine.locals[local.0 as usize].kind != LocalKind::Taken {
                continue;
            }
            let scope = self.current_scope();
            let variable = &mut self.locals[local.0 as usize];
            (variable.region, variable.owned, variable.escaping, variable.scope) = (region, true, true, scope);
            self.note_escaping(local);
        }
    }

    /// Loads what a lambda captured.
    fn captures(&mut self, routine: &'h hir::Routine) {
        let first = self.code.frame.take(0);
        let (mut count, mut pointers) = (0, Pointers::NONE);
        for capture in &routine.captures {
            let ty = routine.locals[capture.inner.0 as usize].ty;
            let slot = self.take(ty);
            let layout = self.layout(ty);
            pointers = pointers.with(layout.pointers, count);
            count += layout.slots;
            self.bind(routine, capture.inner, slot, Region::Foreign, false);
            self.locals[capture.inner.0 as usize].mutable = false;
        }
        if count > 0 {
            self.load_words(first, Slot(0), super::lambdas::HEADER, count, pointers);
        }
    }

    pub fn this_of_init(&mut self, routine: &'h hir::Routine) {
        if routine.kind != RoutineKind::Init {
            return;
        }
        let is_this = |i: &usize| routine.locals[*i].name == "this" && !routine.params.contains(&LocalId(*i as u32));
        let Some(index) = (0..routine.locals.len()).find(is_this) else { return };
        let this = LocalId(index as u32);
        let slots = self.returned.slots;
        let slot = self.code.frame.take(slots);
        let region = self.returned.region.unwrap_or(self.here());
        self.bind(routine, this, slot, region, true);
        self.locals[index].mutable = true;
        self.locals[index].escaping = self.returned.region.is_some();
        if self.locals[index].escaping {
            self.note_escaping(this);
        }
        self.code.zero(slot, slots);
        self.returned.this = Some(this);
    }

    pub fn load_words(&mut self, to: Slot, address: Slot, offset: u32, count: u32, pointers: Pointers) {
        match count {
            0 => {}
            1 if pointers == Pointers::NONE => {
                self.code.emit(Instruction::with(Opcode::LoadI64, to.0, address.0, 0, offset, 0));
            }
            2 if pointers == Pointers::FIRST => {
                self.code.emit(Instruction::with(Opcode::LoadPair, to.0, address.0, 0, offset, 0));
            }
            _ => {
                let pointers = pointers.operand();
                self.code.emit(Instruction::with(Opcode::LoadWords, to.0, address.0, pointers, count, offset));
            }
        }
    }

    pub fn store_words(&mut self, address: Slot, offset: u32, from: Slot, count: u32) {
        match count {
            0 => {}
            1 => self.code.emit(Instruction::with(Opcode::StoreI64, address.0, 0, from.0, offset, 0)),
            _ => self.code.emit(Instruction::with(Opcode::StoreWords, address.0, 0, from.0, count, offset)),
        }
    }
}
