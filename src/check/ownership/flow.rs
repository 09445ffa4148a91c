//! The flow of one routine: what lives, what is written, in the order of evaluation.
//!
//! One walk over the body makes a graph of blocks of events: a local that matters is used or declared, a place is
//! written, a place could be moved. Locals that matter own storage or view some; each is a **holder** and has a bit.
//! A use of a view uses what it views too, so that an owner lives as long as its views.
//!
//! What needs no graph is decided on the way: whether the operands of one operation disturb one another (all that is
//! evaluated between an operand and its consumer lies between them in the walk), and whether a place can be written.

use rustc_hash::FxHashSet;

use super::access::Access;
use super::place::{Place, Root, Step};
use super::report::Report;
use super::summary::{Flags, written};
use super::views::Views;
use crate::check::hir::{Body, Expr, ExprKind, LocalId, LocalKind, LoopTag, RoutineId, ShowPart, Type, TypeId, Types};
use crate::source::Span;

/// An expression of the tree that is being walked, by its address: the tree is not changed before all is decided.
pub type Node = usize;

pub fn node(e: &Expr) -> Node {
    std::ptr::from_ref(e) as usize
}

pub type Bit = u32;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HolderKind {
    /// Has storage of its own.
    Owner,
    /// Has the caller's storage.
    Param,
    /// `let` of a place: a view, or a copy if the place changes while it lives.
    Candidate,
    /// A `Slice`: a view in any case.
    Slice,
    /// `for`, `choose`, `while let`: a view that behaves like a value.
    Binding,
    /// What a `for` walks.
    Subject,
    /// A `var` that is only ever moved to a part of itself.
    Cursor,
}

pub struct Holder {
    pub kind: HolderKind,
    pub local: Option<LocalId>,
    /// What it views.
    pub places: Vec<Place>,
    /// Itself and the holders that it views.
    uses: Vec<Bit>,
    pub span: Span,
}

pub enum Event {
    Use(Bit),
    Declare(Bit),
    /// By number.
    Write(u32),
    /// The place at the node is stored; its root is the bit's.
    Store(Node, Bit),
}

/// Who writes.
#[derive(Clone, Copy, Debug)]
pub enum Writer {
    Assignment,
    Call { routine: RoutineId, argument: usize },
}

pub struct Write {
    pub place: Place,
    /// Storage that it owned may be given back.
    pub reshapes: bool,
    /// Of memory behind slots: copies of the slots see it.
    pub in_memory: bool,
    pub writer: Writer,
    pub span: Span,
}

#[derive(Default)]
pub struct Block {
    pub start: u32,
    pub end: u32,
    pub next: Vec<u32>,
}

/// How far a view may flow outward.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Out of the block at this depth.
    Depth(u32),
    /// To the caller.
    Caller,
}

pub struct Escape {
    pub places: Vec<Place>,
    pub limit: Limit,
    pub span: Span,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Read, and used up at once or held until its consumer runs.
    Borrow,
    /// Kept by its consumer.
    Store,
}

pub struct Flow<'p> {
    pub views: Views<'p>,
    pub access: Access<'p>,
    pub report: Report,
    pub holders: Vec<Holder>,
    pub events: Vec<Event>,
    pub writes: Vec<Write>,
    pub blocks: Vec<Block>,
    pub escapes: Vec<Escape>,
    /// Operands that need a value of their own.
    pub copies: FxHashSet<Node>,
    /// By local: one more than its bit.
    bits: Vec<u32>,
    /// By local: the depth of the block that it is declared in.
    pub depths: Vec<u32>,
    /// Of `Modify`: they share storage with the place.
    borrowed: Vec<LocalId>,
    cursors: Vec<LocalId>,
    /// Head and exit of the loops around.
    loops: Vec<(LoopTag, u32, u32)>,
    /// The open block.
    current: u32,
    depth: u32,
}

impl<'p> Flow<'p> {
    /// Walks the body of `id`; `cursors` are the variables to be taken for cursors.
    pub fn of(views: Views<'p>, cursors: Vec<LocalId>) -> Flow<'p> {
        let routine = views.routine;
        let access = Access::new(views.program, views.summaries, routine);
        let mut flow = Flow {
            access,
            report: Report::default(),
            holders: Vec::new(),
            events: Vec::new(),
            writes: Vec::new(),
            blocks: vec![Block::default()],
            escapes: Vec::new(),
            copies: FxHashSet::default(),
            bits: vec![0; routine.locals.len()],
            depths: vec![0; routine.locals.len()],
            borrowed: Vec::new(),
            cursors,
            loops: Vec::new(),
            current: 0,
            depth: 0,
            views,
        };
        for &param in routine.params.iter().chain(routine.captures.iter().map(|c| &c.inner)) {
            if flow.matters(flow.views.ty(param)) {
                flow.hold(HolderKind::Param, Some(param), Vec::new(), flow.local_span(param));
            }
        }
        // What an initializer makes has no declaration.
        for (i, local) in routine.locals.iter().enumerate() {
            let id = LocalId(i as u32);
            if flow.bits[i] == 0
                && flow.types().owns(local.ty)
                && matches!(local.kind, LocalKind::Var | LocalKind::Temporary | LocalKind::Let)
            {
                flow.hold(HolderKind::Owner, Some(id), Vec::new(), local.span);
            }
        }
        if let Body::Code(body) = &routine.body {
            flow.eval(body, Mode::Store);
            if flow.views.is_slice(routine.result) {
                flow.escape(body, Limit::Caller);
            }
        }
        flow.close();
        flow
    }

    pub fn types(&self) -> &'p Types {
        &self.views.program.types
    }

    fn local_span(&self, local: LocalId) -> Span {
        self.views.routine.locals[local.0 as usize].span
    }

    /// Whether values of the type own storage or view some.
    fn matters(&self, ty: TypeId) -> bool {
        self.types().owns(ty) || self.views.is_slice(ty)
    }

    pub fn bit(&self, local: LocalId) -> Option<Bit> {
        self.bits[local.0 as usize].checked_sub(1)
    }

    fn hold(&mut self, kind: HolderKind, local: Option<LocalId>, places: Vec<Place>, span: Span) -> Bit {
        let known = local.and_then(|l| self.bit(l));
        let bit = known.unwrap_or(self.holders.len() as u32);
        let mut uses = vec![bit];
        for place in &places {
            if let Some(parent) = place.local().and_then(|l| self.bit(l)) {
                for &used in &self.holders[parent as usize].uses {
                    if !uses.contains(&used) {
                        uses.push(used);
                    }
                }
            }
        }
        let holder = Holder { kind, local, places, uses, span };
        match known {
            Some(_) => self.holders[bit as usize] = holder,
            None => {
                if let Some(l) = local {
                    self.bits[l.0 as usize] = bit + 1;
                }
                self.holders.push(holder);
            }
        }
        bit
    }

    fn use_bit(&mut self, bit: Bit) {
        for i in 0..self.holders[bit as usize].uses.len() {
            let used = self.holders[bit as usize].uses[i];
            self.events.push(Event::Use(used));
        }
    }

    fn use_local(&mut self, local: LocalId) {
        if let Some(bit) = self.bit(local) {
            self.use_bit(bit);
        }
    }

    // Blocks. Each is a run of events; one is open at a time.

    fn close(&mut self) {
        self.blocks[self.current as usize].end = self.events.len() as u32;
    }

    /// Ends the open block and opens a new one, without an edge between them.
    fn open(&mut self) -> u32 {
        self.close();
        let start = self.events.len() as u32;
        self.blocks.push(Block { start, end: start, next: Vec::new() });
        self.current = (self.blocks.len() - 1) as u32;
        self.current
    }

    fn edge(&mut self, from: u32, to: u32) {
        self.blocks[from as usize].next.push(to);
    }

    /// A block without events that others go to before it is reached in the walk.
    fn label(&mut self) -> u32 {
        let end = self.events.len() as u32;
        self.blocks.push(Block { start: end, end, next: Vec::new() });
        (self.blocks.len() - 1) as u32
    }

    /// Goes on at a label.
    fn arrive(&mut self, label: u32) {
        let before = self.current;
        let next = self.open();
        self.edge(before, label);
        self.edge(label, next);
    }

    /// Control goes elsewhere; what follows is not reached from here.
    fn leave(&mut self, to: Option<u32>) {
        let from = self.current;
        if let Some(to) = to {
            self.edge(from, to);
        }
        self.open();
    }

    // Expressions.

    fn eval(&mut self, e: &Expr, mode: Mode) {
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
            | ExprKind::Equal { left, right, .. } => self.operands([&**left, &**right], Mode::Borrow),
            ExprKind::And(left, right) | ExprKind::Or(left, right) => {
                self.eval(left, Mode::Borrow);
                let from = self.current;
                self.branch(from, |flow| flow.eval(right, Mode::Borrow), None::<fn(&mut Self)>);
            }
            ExprKind::Struct(parts) | ExprKind::Elements(parts) | ExprKind::Variant { payload: parts, .. } => {
                self.operands(parts, Mode::Store)
            }
            ExprKind::Lambda { routine, direct } => {
                for capture in &self.views.program.routine(*routine).captures {
                    self.use_local(capture.outer);
                }
                self.access.function_value(*routine, Some(*direct), e.span, &mut self.report);
            }
            ExprKind::RoutineValue(routine) => {
                self.access.function_value(*routine, None, e.span, &mut self.report);
            }
            ExprKind::Show(parts) | ExprKind::Print { parts, .. } => {
                let values: Vec<&Expr> = parts
                    .iter()
                    .filter_map(|part| match part {
                        ShowPart::Literal(_) => None,
                        ShowPart::Value(e, _) => Some(e),
                    })
                    .collect();
                self.operands(values, Mode::Borrow);
            }
            ExprKind::Call { routine, arguments } => self.call(*routine, arguments, e.span),
            ExprKind::CallValue { callee, arguments } => {
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
                self.operands([&**lo, &**hi], Mode::Borrow);
                self.repeat(*tag, true, |_| {}, |flow| flow.body(body, Mode::Borrow));
            }
            ExprKind::ForEach { tag, variable, collection, body } => {
                self.eval(collection, Mode::Borrow);
                let mut places = self.views.of(collection, self.depth);
                let subject = self.hold(HolderKind::Subject, None, places.clone(), collection.span);
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
                self.repeat(*tag, true, |flow| flow.eval(condition, Mode::Borrow), |flow| flow.body(body, Mode::Borrow))
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
                    return;
                }
                let from = self.writes.len();
                self.target(place);
                self.disturbed(value, from, None);
                self.assign(place, e.span);
            }
            ExprKind::Modify { place, operand, value, old, new } => {
                self.eval(value, Mode::Borrow);
                let from = self.writes.len();
                self.target(place);
                self.borrowed.extend([*operand, *old]);
                self.eval(new, Mode::Store);
                self.disturbed(value, from, None);
                self.assign(place, e.span);
            }
        }
    }

    /// The body of an arm or a loop: a region, whether it is a block or not.
    fn body(&mut self, e: &Expr, mode: Mode) {
        self.depth += 1;
        self.eval(e, mode);
        self.depth -= 1;
        if self.views.is_slice(e.ty) {
            let places = self.views.of(e, self.depth + 1);
            self.escapes.push(Escape { places, limit: Limit::Depth(self.depth), span: tail(e).span });
        }
    }

    fn branch(&mut self, from: u32, then: impl FnOnce(&mut Self), otherwise: Option<impl FnOnce(&mut Self)>) {
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
    fn repeat(&mut self, tag: LoopTag, ends: bool, head: impl FnOnce(&mut Self), body: impl FnOnce(&mut Self)) {
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
    fn place(&mut self, e: &Expr) {
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

    /// A place that is going to be written: its indexes are used, and its variable, whose old value is given back.
    fn target(&mut self, e: &Expr) {
        self.place(e);
    }

    fn assign(&mut self, place: &Expr, span: Span) {
        let reshapes = self.types().owns(place.ty);
        if self.views.is_slice(place.ty) {
            self.report.slice_assigned(span);
        }
        for target in self.views.of(place, self.depth) {
            let flags = written(self.types(), &target, place.ty);
            self.access.written(&target, place, flags, Writer::Assignment, span, &mut self.report);
            self.write(target, reshapes, false, Writer::Assignment, span);
        }
    }

    /// Notes a write. `behind`: of what lies in memory behind the place's slots.
    fn write(&mut self, place: Place, reshapes: bool, behind: bool, writer: Writer, span: Span) {
        let in_memory = behind || place.in_memory();
        // Of a plain variable there are no views.
        let seen = place.local().is_some_and(|l| self.bit(l).is_some());
        self.writes.push(Write { place, reshapes, in_memory, writer, span });
        if seen {
            self.events.push(Event::Write((self.writes.len() - 1) as u32));
        }
    }

    fn bind(&mut self, local: LocalId, places: Vec<Place>) {
        self.depths[local.0 as usize] = self.depth;
        if self.matters(self.views.ty(local)) {
            let bit = self.hold(HolderKind::Binding, Some(local), places, self.local_span(local));
            self.events.push(Event::Declare(bit));
        }
    }

    fn declare(&mut self, local: LocalId, value: &Expr) {
        self.depths[local.0 as usize] = self.depth;
        let ty = self.views.ty(local);
        let span = self.local_span(local);
        if self.views.is_slice(ty) {
            self.eval(value, Mode::Borrow);
            self.views.declare(local, value, self.depth);
            let places = self.views.of(value, self.depth);
            let bit = self.hold(HolderKind::Slice, Some(local), places, span);
            self.events.push(Event::Declare(bit));
            return;
        }
        if !self.types().owns(ty) {
            self.eval(value, Mode::Borrow);
            return;
        }
        let cursor = self.cursors.contains(&local);
        let kind = self.views.routine.locals[local.0 as usize].kind;
        if cursor {
            self.eval(value, Mode::Borrow);
            let mut places = self.views.of(value, self.depth);
            for place in &mut places {
                place.open = true;
                place.boxed = true;
            }
            let bit = self.hold(HolderKind::Cursor, Some(local), places.clone(), span);
            self.views.show(local, places);
            self.events.push(Event::Declare(bit));
            return;
        }
        // A place that dies here is moved, and what is not moved may be viewed.
        self.eval(value, Mode::Store);
        let rooted = variable(value).is_some() || matches!(value.kind, ExprKind::Global(_));
        let bit = if kind != LocalKind::Var && value.is_place() && rooted {
            let places = self.views.of(value, self.depth);
            self.hold(HolderKind::Candidate, Some(local), places, span)
        } else {
            self.hold(HolderKind::Owner, Some(local), Vec::new(), span)
        };
        self.events.push(Event::Declare(bit));
    }

    /// Evaluates what one operation consumes together.
    fn operands<'e>(&mut self, operands: impl IntoIterator<Item = &'e Expr>, mode: Mode) {
        let start = self.writes.len();
        let mut done: Vec<(&Expr, usize)> = Vec::new();
        for operand in operands {
            self.eval(operand, mode);
            done.push((operand, self.writes.len()));
        }
        if self.writes.len() > start {
            for (operand, from) in done {
                self.disturbed(operand, from, None);
            }
        }
    }

    fn call(&mut self, callee: RoutineId, arguments: &[Expr], span: Span) {
        let stores = matches!(self.views.program.routine(callee).body, Body::Intrinsic { .. });
        let start = self.writes.len();
        let mut after = Vec::with_capacity(arguments.len());
        for (i, argument) in arguments.iter().enumerate() {
            let flags = self.views.summaries.parameter(callee, i);
            let slice = self.views.is_slice(argument.ty);
            self.access.function_argument(callee, flags, argument, &mut self.report);
            if flags.has(Flags::ANY_WRITE) && !slice && argument.is_place() && !self.is_borrowed(argument) {
                self.target(argument);
            } else {
                let keeps = stores && !flags.has(Flags::ANY_WRITE);
                self.eval(argument, if keeps { Mode::Store } else { Mode::Borrow });
            }
            after.push(self.writes.len());
        }
        let own = self.writes.len();
        // Which argument each of the call's own writes belongs to.
        let mut owners: Vec<usize> = Vec::new();
        let mut late: Vec<(Place, usize)> = Vec::new();
        for (i, argument) in arguments.iter().enumerate() {
            let flags = self.views.summaries.parameter(callee, i);
            if !flags.has(Flags::ANY_WRITE) {
                continue;
            }
            let writer = Writer::Call { routine: callee, argument: i };
            let places = self.views.of(argument, self.depth);
            let slice = self.views.is_slice(argument.ty);
            if !slice && (!argument.is_place() || self.is_borrowed(argument)) {
                // A value: what it shares with places is copied, so that the callee changes what is nobody else's.
                if places.iter().any(|place| !matches!(place.root, Root::Temporary { .. })) {
                    self.copies.insert(node(argument));
                }
                continue;
            }
            for place in places {
                self.access.written(&place, argument, flags, writer, span, &mut self.report);
                let reshapes = flags.has(Flags::RESHAPES | Flags::REPLACES);
                // Only elements of it.
                let inside = !flags.has(Flags::RESHAPES | Flags::CHANGES);
                let place = if inside { place.step(Step::Index, true) } else { place };
                if slice || self.types().owns(argument.ty) {
                    owners.push(i);
                    self.write(place, reshapes, true, writer, argument.span);
                } else {
                    // Plain slots come back when the callee is done: nobody sees them change before.
                    late.push((place, i));
                }
            }
        }
        if self.writes.len() > start {
            for (i, argument) in arguments.iter().enumerate() {
                let flags = self.views.summaries.parameter(callee, i);
                let in_place = flags.has(Flags::ANY_WRITE)
                    && !self.views.is_slice(argument.ty)
                    && argument.is_place()
                    && !self.is_borrowed(argument);
                if !in_place {
                    self.disturbed(argument, after[i], Some((own, &owners, i)));
                }
            }
        }
        self.two_in_place(callee, arguments, own, &owners, &late);
        for (place, i) in late {
            let writer = Writer::Call { routine: callee, argument: i };
            self.write(place, false, false, writer, arguments[i].span);
        }
    }

    /// Two arguments of one call that are written and lie in one another.
    fn two_in_place(
        &mut self,
        callee: RoutineId,
        arguments: &[Expr],
        own: usize,
        owners: &[usize],
        late: &[(Place, usize)],
    ) {
        let all: Vec<(&Place, usize)> = self.writes[own..]
            .iter()
            .map(|w| &w.place)
            .zip(owners.iter().copied())
            .chain(late.iter().map(|(place, i)| (place, *i)))
            .collect();
        for (n, &(first, i)) in all.iter().enumerate() {
            for &(second, j) in &all[n + 1..] {
                let slices = self.views.is_slice(arguments[i].ty) && self.views.is_slice(arguments[j].ty);
                if i != j && !slices && first.overlaps(second) {
                    let name = first.describe(self.types(), self.views.routine);
                    let callee = &self.views.program.routine(callee).name;
                    self.report.two_in_place(callee, &name, arguments[i].span, arguments[j].span);
                    return;
                }
            }
        }
    }

    /// The places, and what the views among their variables show.
    fn shown(&self, mut all: Vec<Place>) -> Vec<Place> {
        let mut next = 0;
        while let Some(place) = all.get(next) {
            if let Some(bit) = place.local().and_then(|l| self.bit(l)) {
                let steps = place.steps.clone();
                for parent in &self.holders[bit as usize].places {
                    let mut shown = parent.clone();
                    steps.iter().for_each(|&step| shown.push(step, false));
                    all.push(shown);
                }
            }
            next += 1;
        }
        all
    }

    /// Whether the argument is a temporary that shares its storage with the place of a `Modify`.
    fn is_borrowed(&self, argument: &Expr) -> bool {
        variable(argument).is_some_and(|l| self.borrowed.contains(&l))
    }

    /// Looks at what has been written since `from`, while the operand waited for its consumer; `call` names where a
    /// call's own writes begin, whose they are, and the operand's number.
    fn disturbed(&mut self, operand: &Expr, from: usize, call: Option<(usize, &[usize], usize)>) {
        if self.writes.len() == from {
            return;
        }
        let view = self.views.is_slice(operand.ty);
        let function = matches!(operand.kind, ExprKind::Lambda { .. });
        // Only slices of plain elements may see one another's writes.
        let plain = !self.types().element(operand.ty).is_some_and(|element| self.types().owns(element));
        let mut copy = false;
        for place in self.shown(self.views.of(operand, self.depth)) {
            for (n, write) in self.writes[from..].iter().enumerate() {
                let own = call.and_then(|(own, owners, _)| owners.get((from + n).checked_sub(own)?).copied());
                let mine = own.is_some() && own == call.map(|c| c.2);
                if mine || !place.overlaps(&write.place) {
                    continue;
                }
                if !view && !function {
                    copy = true;
                } else if write.reshapes || view && !plain {
                    let name = write.place.describe(self.types(), self.views.routine);
                    self.report.view_and_reshape(&name, operand.span, write.span, function);
                    return;
                }
            }
        }
        if copy {
            self.copies.insert(node(operand));
        }
    }

    /// The index of an element changes what the element lies in.
    fn index_disturbs(&mut self, base: &Expr, from: usize) {
        for place in self.shown(self.views.of(base, self.depth)) {
            if let Some(write) = self.writes[from..].iter().find(|w| w.reshapes && place.overlaps(&w.place)) {
                let name = place.describe(self.types(), self.views.routine);
                self.report.index_disturbs(&name, base.span, write.span);
                return;
            }
        }
    }

    /// A slice leaves a block or the routine.
    fn escape(&mut self, e: &Expr, limit: Limit) {
        let places = self.views.of(e, self.depth);
        self.escapes.push(Escape { places, limit, span: tail(e).span });
    }
}

/// The last expression of a block, where the value comes from.
fn tail(e: &Expr) -> &Expr {
    match &e.kind {
        ExprKind::Block(body) => body.last().map_or(e, tail),
        _ => e,
    }
}

/// The variable that a place lies in, where no slice stands between.
pub fn variable(e: &Expr) -> Option<LocalId> {
    match &e.kind {
        ExprKind::Local(l) => Some(*l),
        ExprKind::Field { base, .. }
        | ExprKind::Index { base, .. }
        | ExprKind::Payload { base, .. }
        | ExprKind::AnyPayload { base } => variable(base),
        _ => None,
    }
}

/// Whether the type can contain itself.
pub fn may_recur(types: &Types, ty: TypeId) -> bool {
    matches!(types.get(ty), Type::Struct(_) | Type::Union(_)) && types.owns(ty)
}
