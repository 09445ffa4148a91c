//! The flow of one routine: what lives, what is written, in the order of evaluation.
//!
//! One walk over the body makes a graph of blocks of events: a local that matters is used or declared, a place is
//! written, a place could be moved. Locals that matter own storage or view some; each is a **holder** and has a bit.
//! A use of a view uses what it views too, so that an owner lives as long as its views.
//!
//! What needs no graph is decided on the way: whether the operands of one operation disturb one another (all that is
//! evaluated between an operand and its consumer lies between them in the walk), and whether a place can be written.

mod evaluate;
mod operands;

use rustc_hash::FxHashSet;

use super::access::Access;
use super::place::{Place, Places, Root};
use super::report::Report;
use super::summary::written;
use super::views::Views;
use crate::check::hir::{Body, Expr, ExprKind, LocalId, LocalKind, LoopTag, RoutineId, Type, TypeId, Types};
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
    pub places: Places,
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
    /// No write, but the place may be empty afterwards, if the value at the node is moved.
    Move(Node),
    Call {
        routine: RoutineId,
        argument: usize,
    },
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
    pub places: Places,
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
    /// Values that must not be moved: an operand that waits shares their storage.
    pub unmovable: FxHashSet<Node>,
    /// Lambdas that are stored.
    pub kept: FxHashSet<Node>,
    /// By local: one more than its bit.
    bits: Vec<u32>,
    /// By local: the depth of the block that it is declared in.
    pub depths: Vec<u32>,
    /// Of each operand that waits for its consumer: how many writes there were when it had been evaluated.
    waiting: Vec<usize>,
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
            unmovable: FxHashSet::default(),
            kept: FxHashSet::default(),
            bits: vec![0; routine.locals.len()],
            depths: vec![0; routine.locals.len()],
            waiting: Vec::new(),
            borrowed: Vec::new(),
            cursors,
            loops: Vec::new(),
            current: 0,
            depth: 0,
            views,
        };
        for &param in routine.params.iter().chain(routine.captures.iter().map(|c| &c.inner)) {
            if flow.matters(flow.views.ty(param)) {
                let taken = flow.views.routine.locals[param.0 as usize].kind == LocalKind::Taken;
                let kind = if taken { HolderKind::Owner } else { HolderKind::Param };
                flow.hold(kind, Some(param), Places::new(), flow.local_span(param));
            }
        }
        // What an initializer makes has no declaration.
        for (i, local) in routine.locals.iter().enumerate() {
            let id = LocalId(i as u32);
            if flow.bits[i] == 0
                && flow.types().owns(local.ty)
                && matches!(local.kind, LocalKind::Var | LocalKind::Temporary | LocalKind::Let)
            {
                flow.hold(HolderKind::Owner, Some(id), Places::new(), local.span);
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

    fn hold(&mut self, kind: HolderKind, local: Option<LocalId>, places: Places, span: Span) -> Bit {
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

    /// A place is addressed now, whatever has been evaluated since it was first looked at.
    fn use_root(&mut self, place: &Expr) {
        if let Some(local) = variable(place) {
            self.use_local(local);
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

    fn assign(&mut self, place: &Expr, span: Span) {
        let reshapes = self.types().owns(place.ty);
        if self.views.is_slice(place.ty) {
            self.report.slice_assigned(span);
            return;
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

    fn bind(&mut self, local: LocalId, places: Places) {
        self.depths[local.0 as usize] = self.depth;
        self.access.bind(local, &places);
        if self.matters(self.views.ty(local)) {
            let bit = self.hold(HolderKind::Binding, Some(local), places, self.local_span(local));
            self.events.push(Event::Declare(bit));
        }
    }

    pub fn is_cursor(&self, local: LocalId) -> bool {
        self.cursors.contains(&local)
    }

    /// The slots of a cursor that the place lies in: they change when the cursor moves.
    pub(super) fn cursor_slots(&self, place: &Expr) -> Option<Place> {
        let local = variable(place).filter(|l| self.cursors.contains(l))?;
        self.views.slots(place).filter(|place| place.root == Root::Local(local) && !place.in_memory())
    }

    fn declare(&mut self, local: LocalId, value: &Expr) {
        self.depths[local.0 as usize] = self.depth;
        let ty = self.views.ty(local);
        let span = self.local_span(local);
        if self.views.is_slice(ty) {
            let declared = &self.views.routine.locals[local.0 as usize];
            if declared.kind == LocalKind::Var {
                self.report.slice_variable(&declared.name, span);
            }
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
            let mut places = self.views.of(value, self.depth);
            places.extend(self.cursor_slots(value));
            self.hold(HolderKind::Candidate, Some(local), places, span)
        } else {
            self.hold(HolderKind::Owner, Some(local), Places::new(), span)
        };
        self.events.push(Event::Declare(bit));
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
