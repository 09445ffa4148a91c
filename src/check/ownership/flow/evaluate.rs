//! The walk: each kind of expression as events, in the order of evaluation.

use super::{Bit, Escape, Event, Flow, HolderKind, Limit, Mode, Write, Writer, node, tail, variable};
use crate::check::hir::{Expr, ExprKind, LocalKind, LoopTag, ShowPart};
use crate::check::ownership::place::Step;

impl Flow<'_> {
    pub(super) fn eval(&mut self, e: &Expr, mode: Mode) {
        match &e.kind {
            ExprKind::Void
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Bool(_)
            | ExprKind::Char(_)
            | ExprKind::Text(_)
            | ExprKind::Zero
            | ExprKind::Global(_)
            | ExprKind::Nothing => {}
            ExprKind::Local(_)
            | ExprKind::Field { .. }
            | ExprKind::Index { .. }
            | ExprKind::Payload { .. }
            | ExprKind::AnyPayload { .. } => {
                self.place(e);
                if mode == Mode::Store
                    && self.types().owns(e.ty)
                    && let Some(local) = variable(e)
                    && !self.borrowed.contains(&local)
                    && let Some(bit) = self.bit(local)
                {
                    self.events.push(Event::Store(node(e), bit));
                    // An operand that waits must not see the place empty.
                    for place in self.views.of(e, self.depth) {
                        let writer = Writer::Move(node(e));
                        self.writes.push(Write { place, reshapes: false, in_memory: false, writer, span: e.span });
                    }
                }
            }
            ExprKind::AsSlice(x) => self.eval(x, Mode::Borrow),
            ExprKind::Move(x)
            | ExprKind::Copy(x)
            | ExprKind::Not(x)
            | ExprKind::Convert(x)
            | ExprKind::Drop(x)
            | ExprKind::Unary { operand: x, .. }
            | ExprKind::Is { operand: x, .. } => self.eval(x, Mode::Borrow),
            ExprKind::Binary { left, right, .. }
            | ExprKind::Compare { left, right, .. }
            | ExprKind::Equal { left, right, .. } => self.operands([&**left, &**right].into_iter(), Mode::Borrow),
            ExprKind::And(left, right) | ExprKind::Or(left, right) => {
                self.eval(left, Mode::Borrow);
                let from = self.current;
                self.branch(from, |flow| flow.eval(right, Mode::Borrow), None::<fn(&mut Self)>);
            }
            ExprKind::Struct(parts) | ExprKind::Elements(parts) | ExprKind::Variant { payload: parts, .. } => {
                self.operands(parts.iter(), Mode::Store)
            }
            ExprKind::Lambda { routine, direct } => {
                for capture in &self.views.program.routine(*routine).captures {
                    self.use_local(capture.outer);
                }
                // An argument of a constructor is stored: it must not view.
                let kept = mode == Mode::Store;
                if kept {
                    self.kept.insert(node(e));
                }
                self.access.function_value(*routine, Some(*direct && !kept), e.span, &mut self.report);
            }
            ExprKind::RoutineValue(routine) => {
                self.access.function_value(*routine, None, e.span, &mut self.report);
            }
            ExprKind::Show(parts) | ExprKind::Print { parts, .. } => {
                let values = parts.iter().filter_map(|part| match part {
                    ShowPart::Literal(_) => None,
                    ShowPart::Value(e, _) => Some(e),
                });
                self.operands(values, Mode::Borrow);
            }
            ExprKind::Call { routine, arguments } => self.call(*routine, arguments, e.span),
            ExprKind::CallValue { callee, arguments } => {
                for argument in arguments {
                    self.access.function_argument(None, argument, &mut self.report);
                }
                self.operands(std::iter::once(&**callee).chain(arguments), Mode::Borrow)
            }
            ExprKind::Block(body) => {
                self.depth += 1;
                let count = body.len();
                for (i, part) in body.iter().enumerate() {
                    self.eval(part, if i + 1 == count { mode } else { Mode::Borrow });
                }
                self.depth -= 1;
                if let Some(last) = body.last()
                    && self.views.is_slice(last.ty)
                {
                    self.escape(e, Limit::Depth(self.depth));
                }
            }
            ExprKind::If { condition, then, otherwise } => {
                self.eval(condition, Mode::Borrow);
                let from = self.current;
                self.branch(
                    from,
                    |flow| flow.body(then, mode),
                    otherwise.as_deref().map(|e| move |flow: &mut Self| flow.body(e, mode)),
                );
            }
            ExprKind::Match { subject: _, value, arms, otherwise } => {
                self.eval(value, Mode::Borrow);
                let end = self.label();
                for arm in arms {
                    let from = self.writes.len();
                    for value in &arm.values {
                        self.eval(value, Mode::Borrow);
                    }
                    self.disturbed(value, from, None);
                    let test = self.current;
                    let body = self.open();
                    self.edge(test, body);
                    self.body(&arm.body, mode);
                    self.leave(Some(end));
                    let next = self.current;
                    self.edge(test, next);
                }
                if let Some(e) = otherwise {
                    self.body(e, mode);
                }
                self.arrive(end);
            }
            ExprKind::Choose { subject, arms, otherwise } => {
                self.eval(subject, Mode::Borrow);
                let shown = self.views.of(subject, self.depth);
                let test = self.current;
                let end = self.label();
                for arm in arms {
                    let body = self.open();
                    self.edge(test, body);
                    self.depth += 1;
                    for (field, binding) in arm.bindings.iter().enumerate() {
                        if let Some(local) = binding {
                            let places = self.views.payload(&shown, subject.ty, arm.variant, field as u32);
                            self.bind(*local, places);
                        }
                    }
                    self.depth -= 1;
                    self.body(&arm.body, mode);
                    let from = self.current;
                    self.edge(from, end);
                }
                let rest = self.open();
                self.edge(test, rest);
                match otherwise {
                    Some(e) => self.body(e, mode),
                    // Every variant has an arm.
                    None if !arms.is_empty() => {
                        self.blocks[test as usize].next.retain(|&b| b != rest);
                    }
                    None => {}
                }
                self.arrive(end);
            }
            ExprKind::ForRange { tag, lo, hi, body, .. } => {
                self.operands([&**lo, &**hi].into_iter(), Mode::Borrow);
                self.repeat(*tag, true, |_| {}, |flow| flow.body(body, Mode::Borrow));
            }
            ExprKind::ForEach { tag, variable, collection, body } => {
                self.eval(collection, Mode::Borrow);
                let mut places = self.views.of(collection, self.depth);
                let walked = places.iter().cloned().chain(self.cursor_slots(collection)).collect();
                let subject = self.hold(HolderKind::Subject, None, walked, collection.span);
                self.events.push(Event::Declare(subject));
                places.iter_mut().for_each(|place| place.push(Step::Index, false));
                self.repeat(
                    *tag,
                    true,
                    |flow| flow.use_bit(subject),
                    |flow| {
                        flow.depth += 1;
                        flow.bind(*variable, places);
                        flow.depth -= 1;
                        flow.body(body, Mode::Borrow);
                    },
                );
            }
            ExprKind::While { tag, condition, body } => {
                let subject = self.walked(body).map(|collection| {
                    let mut places = self.views.of(collection, self.depth);
                    places.extend(self.cursor_slots(collection));
                    let subject = self.hold(HolderKind::Subject, None, places, collection.span);
                    self.events.push(Event::Declare(subject));
                    subject
                });
                self.repeat(
                    *tag,
                    true,
                    |flow| {
                        flow.eval(condition, Mode::Borrow);
                        if let Some(subject) = subject {
                            flow.use_bit(subject);
                        }
                    },
                    |flow| flow.body(body, Mode::Borrow),
                );
            }
            ExprKind::WhileLet { tag, variable, value, body } => self.repeat(
                *tag,
                true,
                |flow| {
                    flow.depth += 1;
                    flow.eval(value, Mode::Borrow);
                    let shown = flow.views.of(value, flow.depth);
                    let places = flow.views.payload(&shown, value.ty, 1, 0);
                    flow.bind(*variable, places);
                    flow.depth -= 1;
                },
                |flow| flow.body(body, Mode::Borrow),
            ),
            ExprKind::Repeat { tag, body } => self.repeat(*tag, false, |_| {}, |flow| flow.body(body, Mode::Borrow)),
            ExprKind::Break(tag) => {
                let exit = self.loops.iter().rev().find(|l| l.0 == *tag).map(|l| l.2);
                self.leave(exit);
            }
            ExprKind::Continue(tag) => {
                let head = self.loops.iter().rev().find(|l| l.0 == *tag).map(|l| l.1);
                self.leave(head);
            }
            ExprKind::Return(value) => {
                if let Some(value) = value {
                    self.eval(value, Mode::Store);
                    if self.views.is_slice(self.views.routine.result) {
                        self.escape(value, Limit::Caller);
                    }
                }
                self.leave(None);
            }
            ExprKind::Let { local, value, .. } => self.declare(*local, value),
            ExprKind::Assign { place, value } => {
                let cursor = matches!(place.kind, ExprKind::Local(l) if self.cursors.contains(&l));
                self.eval(value, if cursor { Mode::Borrow } else { Mode::Store });
                if cursor {
                    if let Some(slots) = self.views.slots(place) {
                        self.write(slots, false, false, Writer::Assignment, e.span);
                    }
                    return;
                }
                let from = self.writes.len();
                let whole = self.assigned(place);
                if whole.is_none() {
                    self.place(place);
                }
                self.disturbed(value, from, None);
                match whole {
                    // What it had before is not needed any more.
                    Some(bit) => self.events.push(Event::Declare(bit)),
                    None => self.use_root(place),
                }
                self.assign(place, e.span);
            }
            ExprKind::Modify { place, operand, value, old, new } => {
                self.eval(value, Mode::Borrow);
                let from = self.writes.len();
                self.place(place);
                self.borrowed.extend([*operand, *old]);
                self.eval(new, Mode::Store);
                self.disturbed(value, from, None);
                self.use_root(place);
                self.assign(place, e.span);
            }
        }
    }

    /// The bit of a variable of its own that is assigned as a whole.
    fn assigned(&self, place: &Expr) -> Option<Bit> {
        let ExprKind::Local(local) = place.kind else { return None };
        self.bit(local).filter(|&bit| self.holders[bit as usize].kind == HolderKind::Owner)
    }

    /// What a loop walks by positions: its body takes the position, advances, and declares the loop's variable.
    fn walked<'e>(&self, body: &'e Expr) -> Option<&'e Expr> {
        let ExprKind::Block(parts) = &body.kind else { return None };
        let [_, step, element, ..] = parts.as_slice() else { return None };
        match (&step.kind, &element.kind) {
            (ExprKind::Assign { value, .. }, ExprKind::Let { local, .. })
                if self.views.routine.locals[local.0 as usize].kind == LocalKind::Binding =>
            {
                let ExprKind::Call { arguments, .. } = &value.kind else { return None };
                arguments.first()
            }
            _ => None,
        }
    }

    /// The body of an arm or a loop: a region, whether it is a block or not.
    pub(super) fn body(&mut self, e: &Expr, mode: Mode) {
        self.depth += 1;
        self.eval(e, mode);
        self.depth -= 1;
        if self.views.is_slice(e.ty) {
            let places = self.views.of(e, self.depth + 1);
            self.escapes.push(Escape { places, limit: Limit::Depth(self.depth), span: tail(e).span });
        }
    }

    pub(super) fn branch(
        &mut self,
        from: u32,
        then: impl FnOnce(&mut Self),
        otherwise: Option<impl FnOnce(&mut Self)>,
    ) {
        let block = self.open();
        self.edge(from, block);
        then(self);
        let end = self.label();
        self.leave(Some(end));
        let rest = self.current;
        self.edge(from, rest);
        if let Some(otherwise) = otherwise {
            otherwise(self);
        }
        self.arrive(end);
    }

    /// A loop: `head` before each iteration, after which it may end if `ends`, then `body`.
    pub(super) fn repeat(
        &mut self,
        tag: LoopTag,
        ends: bool,
        head: impl FnOnce(&mut Self),
        body: impl FnOnce(&mut Self),
    ) {
        let before = self.current;
        let start = self.open();
        self.edge(before, start);
        let exit = self.label();
        self.loops.push((tag, start, exit));
        head(self);
        if ends {
            let from = self.current;
            self.edge(from, exit);
            let next = self.open();
            self.edge(from, next);
        }
        body(self);
        let last = self.current;
        self.edge(last, start);
        self.loops.pop();
        let after = self.open();
        self.edge(exit, after);
    }

    /// A place that is read: its variable and its indexes are used.
    pub(super) fn place(&mut self, e: &Expr) {
        match &e.kind {
            ExprKind::Local(l) => self.use_local(*l),
            ExprKind::Field { base, .. } | ExprKind::Payload { base, .. } | ExprKind::AnyPayload { base } => {
                self.place(base)
            }
            ExprKind::Index { base, index } => {
                self.place(base);
                let from = self.writes.len();
                self.eval(index, Mode::Borrow);
                if self.writes.len() > from {
                    self.index_disturbs(base, from);
                }
            }
            ExprKind::AsSlice(x) => self.place(x),
            _ => self.eval(e, Mode::Borrow),
        }
    }
}
