//! Small routines are lowered into their callers.
//!
//! An interpreter pays several instructions for a call, and more for arguments and results that are moved. A small
//! routine's body is lowered in the caller's frame instead, its parameters being other names for the slots of the
//! arguments.
//!
//! **Errors.** A call trace names each call: the function's table says which of its code is an inlined routine of the
//! user's. The library is left out of traces; its instructions get the place of the call.
//!
//! **Sharing.** The result may lie in slots of an argument (`function x(this): this.x`). Ownership takes what a call gives for
//! a value of its own, so who holds one while something else is evaluated asks for [`Body::held`].

use scaly_interp::bytecode::Opcode;

use std::collections::VecDeque;
use std::rc::Rc;

use super::analysis;
use super::body::{Body, Returned, Variable};
use super::code::Label;
use super::frame::Slot;
use super::regions::{Region, ScopeId, Want};
use super::signature::Signature;
use crate::check::hir::{self, Expr, ExprKind, IntKind, LocalId, LocalKind, RoutineId, RoutineKind, Type};
use crate::source::Span;

/// Nodes of the largest routine that is inlined.
const LARGEST: u32 = 72;
/// Nodes that are inlined into one routine altogether.
const MOST: u32 = 1200;
/// How deep inlined calls nest.
const DEPTH: usize = 6;

/// What is known of a routine as a candidate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inlining {
    Never,
    /// Nodes of the body, with those of what is inlined into it.
    Small {
        nodes: u32,
    },
}

/// Where an inlined routine's value goes, and where control goes on.
#[derive(Clone, Copy)]
pub struct Inlined {
    pub to: Slot,
    pub end: Label,
    pub until: Option<ScopeId>,
}

impl super::Lowering<'_> {
    /// Whether calls of the routine may be inlined.
    pub(super) fn inlining(&mut self, id: RoutineId) -> Inlining {
        if let Some(known) = self.inlining[id.0 as usize] {
            return known;
        }
        // Nor are those that call one another.
        self.inlining[id.0 as usize] = Some(Inlining::Never);
        let routine = self.hir.routine(id);
        let taken = |local: &LocalId| routine.locals[local.0 as usize].kind == LocalKind::Taken;
        let fits = !matches!(routine.kind, RoutineKind::Lambda | RoutineKind::Main | RoutineKind::Deinit)
            && !routine.params.iter().any(taken);
        let verdict = match &routine.body {
            hir::Body::Code(body) if fits => {
                let mut nodes = 0;
                match self.measure(id, body, &mut nodes) {
                    Some(()) => Inlining::Small { nodes },
                    None => Inlining::Never,
                }
            }
            _ => Inlining::Never,
        };
        self.inlining[id.0 as usize] = Some(verdict);
        verdict
    }

    /// Counts nodes; `None` if the body is too large or of a kind that stays a routine, or calls itself.
    fn measure(&mut self, id: RoutineId, e: &Expr, nodes: &mut u32) -> Option<()> {
        *nodes += 1;
        if *nodes > LARGEST {
            return None;
        }
        match &e.kind {
            ExprKind::ForRange { .. }
            | ExprKind::ForEach { .. }
            | ExprKind::While { .. }
            | ExprKind::WhileLet { .. }
            | ExprKind::Repeat { .. }
            | ExprKind::Lambda { .. }
            | ExprKind::Print { .. }
            | ExprKind::Show(_) => return None,
            ExprKind::Call { routine, .. } if *routine == id => return None,
            ExprKind::Call { routine, .. } => {
                if let Inlining::Small { nodes: inner } = self.inlining(*routine) {
                    *nodes += inner;
                }
            }
            _ => {}
        }
        let mut all = Some(());
        analysis::parts(e, &mut |part| {
            if all.is_some() {
                all = self.measure(id, part, nodes);
            }
        });
        all
    }
}

impl<'h> Body<'_, 'h> {
    /// Lowers a call by lowering the routine's body here, if that is to be done.
    pub fn inline(&mut self, id: RoutineId, arguments: &'h [Expr], to: Option<Slot>, want: Want) -> Option<Slot> {
        let routine = self.hir.routine(id);
        if let Some(op) = self.operator(routine, arguments) {
            let (a, b) = match arguments {
                [a] => (self.any(a, Want::Borrow), Slot(0)),
                [a, b, ..] => self.operands(a, b),
                [] => return None,
            };
            let to = to.unwrap_or_else(|| self.code.frame.take(1));
            self.code.op(op, to, a, b);
            return Some(to);
        }
        let mut call = self.enter_inlined(id, arguments)?;
        let routine = call.routine;
        let to = to.unwrap_or_else(|| self.code.frame.take(call.signature.result));
        let region = call.signature.region.map(|_| call.target(want));
        self.returned = Returned { slots: call.signature.result, region, ..Returned::default() };
        let simple = simple_value(call.body, false).filter(|_| routine.kind != RoutineKind::Init);
        let slot = if let Some(value) = simple {
            self.bind_inlined(&call);
            if self.layout(value.ty).slots == 0 {
                self.effect(value);
                to
            } else if analysis::root(value).is_some() && want == Want::Borrow {
                self.any(value, want)
            } else {
                self.into(value, to, want);
                to
            }
        } else {
            let until = self.current_scope();
            let end = self.code.label();
            let scope = self.open_scope();
            self.bind_inlined(&call);
            self.inlined = Some(Inlined { to, end, until });
            if region.is_some() {
                self.escapes = analysis::escaping(routine, call.body);
            }
            self.this_of_init(routine);
            self.tail(call.body);
            self.close_scope(scope);
            self.code.place(end);
            to
        };
        self.leave_call(&mut call);
        Some(slot)
    }

    /// Jumps by what a call gives, if its routine's body is a condition that can be written out here.
    pub fn inline_branch(&mut self, id: RoutineId, arguments: &'h [Expr], sense: bool, target: Label) -> bool {
        let hir::Body::Code(body) = &self.hir.routine(id).body else { return false };
        let Some(condition) = simple_value(body, true) else { return false };
        let Some(mut call) = self.enter_inlined(id, arguments) else { return false };
        self.bind_inlined(&call);
        self.branch(condition, sense, target);
        self.leave_call(&mut call);
        true
    }

    /// Evaluates the arguments of a call that is to be inlined; from here on names are those of the callee.
    fn enter_inlined(&mut self, id: RoutineId, arguments: &'h [Expr]) -> Option<InlinedCall<'h>> {
        let routine = self.hir.routine(id);
        let Inlining::Small { nodes } = self.m.inlining(id) else { return None };
        if self.inlined_nodes + nodes > MOST || self.inlining.len() >= DEPTH || self.inlining.contains(&id) {
            return None;
        }
        // The frame of a library routine has no lines in a trace.
        let in_library = self.inlining.first().is_some_and(|&r| self.hir.routine(r).library);
        if !routine.library && (in_library || self.code.fixed_span.is_some()) {
            return None;
        }
        let hir::Body::Code(body) = &routine.body else { return None };
        let signature = self.m.signature(id);
        if arguments.len() != signature.params.len() {
            return None;
        }
        let mut changed: Vec<LocalId> = Vec::new();
        for (argument, place) in arguments.iter().zip(&signature.params) {
            if place.late && argument.is_place() {
                self.frame_place(argument)?;
            }
            if place.back.is_some() && argument.is_place() {
                changed.extend(analysis::root(argument));
            }
        }
        self.inlined_nodes += nodes;
        let mut params = Vec::with_capacity(arguments.len());
        for (i, (argument, place)) in arguments.iter().zip(&signature.params).enumerate() {
            let region = if place.region.is_some() || matches!(self.types().get(place.ty), Type::Slice(_)) {
                self.region_of(argument)
            } else {
                Region::Foreign
            };
            let slot = if place.late {
                match self.frame_place(argument).filter(|_| argument.is_place()) {
                    Some(slot) => slot,
                    None => {
                        let slot = self.take(argument.ty);
                        let here = self.here();
                        self.into(argument, slot, Want::Own(here));
                        slot
                    }
                }
            } else if analysis::root(argument).is_some_and(|root| changed.contains(&root)) {
                // The caller's slots change at the call's end as far as the callee can see.
                let slot = self.take(argument.ty);
                self.into(argument, slot, Want::Borrow);
                slot
            } else {
                let rest: Vec<_> = arguments[i + 1..].iter().collect();
                self.held(argument, &rest)
            };
            params.push((slot, region));
        }
        let here = self.here();
        let call = InlinedCall {
            routine,
            body,
            signature,
            params,
            here,
            written: None,
            locals: std::mem::replace(&mut self.locals, super::body::unbound(routine)),
            outer: self.routine.replace(routine),
            escapes: std::mem::take(&mut self.escapes),
            returned: std::mem::take(&mut self.returned),
            moved_out: std::mem::take(&mut self.moved_out),
            returning: std::mem::replace(&mut self.returning, false),
            indexes: std::mem::take(&mut self.indexes),
            inlined: self.inlined.take(),
            fixed_span: self.code.fixed_span,
            span: self.code.span,
        };
        let place = self.code.span;
        self.code.span = body.span;
        if routine.library && self.code.fixed_span.is_none() {
            self.code.fixed_span = Some(place);
        }
        let written =
            (!routine.library && self.code.fixed_span.is_none()).then(|| self.code.begin_inlined(&routine.name, place));
        self.inlining.push(id);
        Some(InlinedCall { written, ..call })
    }

    /// Names are the caller's again.
    fn leave_call(&mut self, call: &mut InlinedCall<'h>) {
        if let Some(written) = call.written {
            self.code.end_inlined(written);
        }
        self.inlining.pop();
        self.locals = std::mem::take(&mut call.locals);
        self.routine = call.outer;
        self.escapes = std::mem::take(&mut call.escapes);
        self.returned = std::mem::take(&mut call.returned);
        self.moved_out = std::mem::take(&mut call.moved_out);
        self.returning = call.returning;
        self.indexes = std::mem::take(&mut call.indexes);
        self.inlined = call.inlined;
        self.code.fixed_span = call.fixed_span;
        self.code.span = call.span;
    }

    /// The opcode that does what a routine of the library says.
    pub fn operator(&self, routine: &hir::Routine, arguments: &[Expr]) -> Option<Opcode> {
        if !routine.library {
            return None;
        }
        let name = routine.name.split('[').next().unwrap_or_default();
        let same = arguments.iter().all(|a| a.ty == routine.result);
        match (name, arguments.len(), self.types().get(routine.result)) {
            _ if !same => None,
            ("min", 2, Type::F64) => Some(Opcode::MinF64),
            ("max", 2, Type::F64) => Some(Opcode::MaxF64),
            ("min", 2, Type::F32) => Some(Opcode::MinF32),
            ("max", 2, Type::F32) => Some(Opcode::MaxF32),
            ("min", 2, Type::Int(IntKind::U64)) => Some(Opcode::MinU),
            ("max", 2, Type::Int(IntKind::U64)) => Some(Opcode::MaxU),
            ("min", 2, Type::Int(_)) => Some(Opcode::MinS),
            ("max", 2, Type::Int(_)) => Some(Opcode::MaxS),
            ("abs", 1, Type::Int(IntKind::I64)) => Some(Opcode::AbsS),
            ("round", 1, Type::F64) => Some(Opcode::RoundF64),
            _ => None,
        }
    }

    fn bind_inlined(&mut self, call: &InlinedCall<'h>) {
        let params = call.routine.params.iter().zip(&call.signature.params).zip(&call.params);
        for ((&local, place), &(slot, region)) in params {
            self.bind(call.routine, local, slot, region, place.back.is_some());
            self.locals[local.0 as usize].mutable = place.back.is_some();
        }
    }

    /// A value that is held while others are evaluated: what may share slots with a variable is copied if they may
    /// change it.
    pub fn held(&mut self, e: &'h Expr, next: &[&'h Expr]) -> Slot {
        if !self.may_share(e) || next.iter().all(|e| analysis::quiet(self.hir, e)) {
            return self.any(e, Want::Borrow);
        }
        let slot = self.take(e.ty);
        let here = self.here();
        self.into(e, slot, Want::Own(here));
        slot
    }

    /// Whether what is no place may be given in the slots of one.
    fn may_share(&mut self, e: &Expr) -> bool {
        match &e.kind {
            ExprKind::Convert(operand) => analysis::root(operand).is_some() || self.may_share(operand),
            ExprKind::Call { routine, .. } => {
                let callee = self.hir.routine(*routine);
                match analysis::intrinsic(callee) {
                    Some(name) => name.ends_with(".length"),
                    None => self.m.inlining(*routine) != Inlining::Never,
                }
            }
            _ => false,
        }
    }

    /// The end of an inlined routine's path: its value is in place.
    pub fn leave_inlined(&mut self, inlined: Inlined) {
        self.leave_to(inlined.until, false);
        self.code.branch(Opcode::Jump, Slot(0), Slot(0), inlined.end, 0);
        self.code.kill();
    }
}

/// A call that is being inlined: what it is about, and the state of the caller.
struct InlinedCall<'h> {
    routine: &'h hir::Routine,
    body: &'h Expr,
    signature: Rc<Signature>,
    params: Vec<(Slot, Region)>,
    /// The caller's region of temporaries.
    here: Region,
    written: Option<usize>,
    locals: Vec<Variable>,
    outer: Option<&'h hir::Routine>,
    escapes: Vec<bool>,
    returned: Returned,
    moved_out: Vec<LocalId>,
    returning: bool,
    indexes: VecDeque<Slot>,
    inlined: Option<Inlined>,
    fixed_span: Option<Span>,
    span: Span,
}

impl InlinedCall<'_> {
    /// Where the result is built.
    fn target(&self, want: Want) -> Region {
        match want {
            Want::Borrow => self.here,
            Want::Own(region) => region,
        }
    }
}

/// The expression that a body consists of, if it is one without control flow; in a condition `and` and `or` are fine.
fn simple_value(body: &Expr, condition: bool) -> Option<&Expr> {
    match &body.kind {
        ExprKind::Block(parts) => match &parts[..] {
            [only] => simple_value(only, condition),
            _ => None,
        },
        ExprKind::And(..) | ExprKind::Or(..) if !condition => None,
        _ => is_plain(body).then_some(body),
    }
}

/// No way out, and no block, in the expression.
fn is_plain(e: &Expr) -> bool {
    let mut plain = !matches!(
        e.kind,
        ExprKind::Return(_)
            | ExprKind::Block(_)
            | ExprKind::If { .. }
            | ExprKind::Match { .. }
            | ExprKind::Choose { .. }
            | ExprKind::Let { .. }
    );
    analysis::parts(e, &mut |part| plain = plain && is_plain(part));
    plain
}
