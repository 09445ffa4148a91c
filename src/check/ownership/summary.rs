//! Summaries: what every routine does with its parameters, and its effects.
//!
//! One walk over each body notes what it does by itself and, for each argument of a call that lies in a parameter, an
//! edge from the callee's parameter to the caller's. A worklist then carries flags along the edges until nothing
//! changes: each parameter's flags only grow, so the work is linear in the edges times the number of flags, recursion
//! included.
//!
//! # Function values
//!
//! A call of a parameter of function type does what the argument does: it is resolved at each call (`CALLED`), so that
//! `xs.map(f)` has the effects of `f` and no others. Any other function value may be each one of its type that the
//! program makes anywhere: an effect node for each function type collects them. Parameters of function values are
//! passed by value; that no function value changes its parameters is checked where it is made (`access`).

use std::ops::{BitOr, BitOrAssign};

use super::intrinsics;
use super::place::{Place, Root, Step};
use super::views::Views;
use super::walk::children;
use crate::check::hir::{
    Body, Effects, Expr, ExprKind, LocalId, ParamSummary, Program, RoutineId, ShowPart, Summary, Type, TypeId, Types,
};
use crate::source::Span;

/// What happens to a parameter, a bit each.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Flags(u8);

impl Flags {
    pub const NONE: Flags = Flags(0);
    pub const READS: Flags = Flags(1);
    /// Plain elements are written.
    pub const WRITES: Flags = Flags(2);
    /// Elements that own storage are replaced, or resized.
    pub const REPLACES: Flags = Flags(4);
    /// Plain fields are set, or it is assigned.
    pub const CHANGES: Flags = Flags(8);
    /// Resized, owned fields replaced, or its variant changed.
    pub const RESHAPES: Flags = Flags(16);
    pub const VIEWED: Flags = Flags(32);
    /// Of function type, and called.
    pub const CALLED: Flags = Flags(64);
    /// Of function type, and stored or returned.
    pub const ESCAPES: Flags = Flags(128);

    /// Needs a place that can be written.
    pub const ANY_WRITE: Flags = Flags(2 | 4 | 8 | 16);

    pub fn has(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }

    pub fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    fn minus(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }

    fn and(self, other: Flags) -> Flags {
        Flags(self.0 & other.0)
    }

    /// What the owner of an element suffers when its element suffers `self`.
    pub fn of_element(self) -> Flags {
        let mut out = self.and(Flags::READS | Flags::WRITES | Flags::REPLACES | Flags::VIEWED);
        if self.has(Flags::CHANGES) {
            out |= Flags::WRITES;
        }
        if self.has(Flags::RESHAPES) {
            out |= Flags::REPLACES;
        }
        out
    }
}

impl BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}

/// A parameter, or a capture, of a routine.
type Node = u32;

/// A routine's own effects, or those of all function values of a type.
type EffectNode = u32;

#[derive(Clone, Copy)]
enum Edge {
    /// What happens to the parameter happens to that one, in the caller.
    Flow { to: Node, element: bool, span: Span },
    /// Calling or keeping the parameter calls or keeps that one.
    Function { to: Node },
    /// Calling the parameter has effects.
    Effect { from: EffectNode, to: EffectNode },
}

/// Where a parameter is written, for messages.
#[derive(Clone, Copy, Default)]
pub struct Causes {
    pub write: Option<Span>,
    /// Sets a field or reshapes, other than an element: what a `function` promises not to do.
    pub change: Option<Span>,
}

/// All summaries of a program, with more detail than lowering needs.
pub struct Summaries {
    /// Where a routine's nodes begin: its parameters, then its captures.
    base: Vec<Node>,
    flags: Vec<Flags>,
    causes: Vec<Causes>,
    /// Effects of routines, then of function types: bit 0 input and output, bit 1 blocking.
    effects: Vec<u8>,
    /// Where a routine's first effect comes from.
    effect_causes: Vec<Option<Span>>,
}

const IO: u8 = 1;
const BLOCKS: u8 = 2;

impl Summaries {
    pub fn parameter(&self, routine: RoutineId, index: usize) -> Flags {
        self.flags[self.base[routine.0 as usize] as usize + index]
    }

    pub fn viewed(&self, routine: RoutineId, index: usize) -> bool {
        self.parameter(routine, index).has(Flags::VIEWED)
    }

    pub fn causes(&self, routine: RoutineId, index: usize) -> Causes {
        self.causes[self.base[routine.0 as usize] as usize + index]
    }

    /// Whether the routine does input or output, apart from what functions that it is given do.
    pub fn io(&self, routine: RoutineId) -> Option<Span> {
        (self.effects[routine.0 as usize] & IO != 0).then(|| self.effect_causes[routine.0 as usize]).flatten()
    }

    /// Computes everything and fills in [`Summary`] of each routine.
    pub fn compute(program: &mut Program) -> Summaries {
        let mut base = Vec::with_capacity(program.routines.len() + 1);
        let mut nodes = 0;
        for routine in &program.routines {
            base.push(nodes);
            nodes += (routine.params.len() + routine.captures.len()) as u32;
        }
        base.push(nodes);
        let mut summaries = Summaries {
            base,
            flags: vec![Flags::NONE; nodes as usize],
            causes: vec![Causes::default(); nodes as usize],
            effects: vec![0; program.routines.len() + program.types.len()],
            effect_causes: vec![None; program.routines.len() + program.types.len()],
        };
        summaries.intrinsics(program);
        summaries.results(program);
        let mut graph = Graph::new(&summaries);
        for id in 0..program.routines.len() as u32 {
            Collect::routine(program, &mut summaries, &mut graph, RoutineId(id));
        }
        graph.propagate(&mut summaries);
        summaries.publish(program);
        summaries
    }

    fn intrinsics(&mut self, program: &Program) {
        for (id, routine) in program.routines.iter().enumerate() {
            if let Body::Intrinsic { name, .. } = &routine.body {
                let Effects { io, blocks } = intrinsics::effects(name);
                self.effects[id] = if io { IO } else { 0 } | if blocks { BLOCKS } else { 0 };
                for (i, &param) in routine.params.iter().enumerate() {
                    let mut flags = intrinsics::parameter(name, i);
                    if !is_function(&program.types, routine.locals[param.0 as usize].ty) {
                        flags = flags.minus(Flags::ESCAPES | Flags::CALLED);
                    }
                    self.flags[self.base[id] as usize + i] |= flags;
                }
            }
        }
    }

    /// Which parameters the results of routines that give slices view. Few do, so plain iteration is enough.
    fn results(&mut self, program: &Program) {
        let giving: Vec<RoutineId> = (0..program.routines.len() as u32)
            .map(RoutineId)
            .filter(|&id| {
                let routine = program.routine(id);
                matches!(routine.body, Body::Code(_)) && matches!(program.types.get(routine.result), Type::Slice(_))
            })
            .collect();
        loop {
            let mut changed = false;
            for &id in &giving {
                let routine = program.routine(id);
                let Body::Code(body) = &routine.body else { continue };
                let mut views = Views::new(program, self, id);
                let mut places = Vec::new();
                results(body, &mut views, 0, &mut places);
                places.extend(views.of(body, 0));
                for place in places {
                    let Some(index) = place.local().and_then(|l| routine.params.iter().position(|&p| p == l)) else {
                        continue;
                    };
                    let node = self.base[id.0 as usize] as usize + index;
                    if !self.flags[node].has(Flags::VIEWED) {
                        self.flags[node] |= Flags::VIEWED;
                        changed = true;
                    }
                }
            }
            if !changed {
                break;
            }
        }
    }

    fn publish(&self, program: &mut Program) {
        let count = program.routines.len();
        for id in 0..count {
            let params: Vec<ParamSummary> = (0..program.routines[id].params.len())
                .map(|i| {
                    let flags = self.parameter(RoutineId(id as u32), i);
                    ParamSummary {
                        reads: flags.has(Flags::READS),
                        writes: flags.has(Flags::WRITES),
                        changes: flags.has(Flags::CHANGES),
                        reshapes: flags.has(Flags::REPLACES | Flags::RESHAPES),
                        viewed_by_result: flags.has(Flags::VIEWED),
                    }
                })
                .collect();
            // Whoever asks about the routine alone must reckon with every function that it may be given.
            let mut effects = self.effects[id];
            for (i, &param) in program.routines[id].params.iter().enumerate() {
                if self.parameter(RoutineId(id as u32), i).has(Flags::CALLED) {
                    let ty = program.routines[id].locals[param.0 as usize].ty;
                    effects |= self.effects[count + ty.0 as usize];
                }
            }
            program.routines[id].summary =
                Summary { params, effects: Effects { io: effects & IO != 0, blocks: effects & BLOCKS != 0 } };
        }
    }
}

fn is_function(types: &Types, ty: TypeId) -> bool {
    matches!(types.get(ty), Type::Function { .. })
}

/// The places that returned slices show; notes declarations on the way. Bindings and a `let` of a place are taken for
/// views of the place: where they turn out to be copies, returning a slice of them is an error.
fn results(e: &Expr, views: &mut Views, depth: u32, out: &mut Vec<Place>) {
    match &e.kind {
        ExprKind::Let { local, value, .. } => {
            results(value, views, depth, out);
            if value.is_place() || views.is_slice(value.ty) {
                let places = views.of(value, depth);
                views.show(*local, places);
            }
        }
        ExprKind::Choose { subject, arms, otherwise } => {
            results(subject, views, depth, out);
            let shown = views.of(subject, depth);
            for arm in arms {
                for (field, binding) in arm.bindings.iter().enumerate() {
                    if let Some(local) = binding {
                        let places = views.payload(&shown, subject.ty, arm.variant, field as u32);
                        views.show(*local, places);
                    }
                }
                results(&arm.body, views, depth, out);
            }
            if let Some(e) = otherwise {
                results(e, views, depth, out);
            }
        }
        ExprKind::ForEach { variable, collection: shown, body, .. }
        | ExprKind::WhileLet { variable, value: shown, body, .. } => {
            results(shown, views, depth, out);
            let mut places = views.of(shown, depth);
            let step = match e.kind {
                ExprKind::ForEach { .. } => Step::Index,
                _ => Step::Payload { variant: 1, field: 0 },
            };
            places.iter_mut().for_each(|place| place.push(step, false));
            views.show(*variable, places);
            results(body, views, depth, out);
        }
        ExprKind::Return(Some(value)) => {
            results(value, views, depth, out);
            out.extend(views.of(value, depth));
        }
        _ => children(e, &mut |part| results(part, views, depth, out)),
    }
}

/// Edges by the node they leave.
struct Graph {
    edges: Vec<(Edge, u32)>,
    first: Vec<u32>,
    effect_edges: Vec<(EffectNode, Span, u32)>,
    first_effect: Vec<u32>,
}

const NO_EDGE: u32 = u32::MAX;

impl Graph {
    fn new(summaries: &Summaries) -> Graph {
        Graph {
            edges: Vec::new(),
            first: vec![NO_EDGE; summaries.flags.len()],
            effect_edges: Vec::new(),
            first_effect: vec![NO_EDGE; summaries.effects.len()],
        }
    }

    fn edge(&mut self, from: Node, edge: Edge) {
        let first = &mut self.first[from as usize];
        self.edges.push((edge, *first));
        *first = (self.edges.len() - 1) as u32;
    }

    fn effect_edge(&mut self, from: EffectNode, to: EffectNode, span: Span) {
        let first = &mut self.first_effect[from as usize];
        self.effect_edges.push((to, span, *first));
        *first = (self.effect_edges.len() - 1) as u32;
    }

    fn propagate(mut self, summaries: &mut Summaries) {
        let mut work: Vec<Node> = (0..self.first.len() as u32).filter(|&n| self.first[n as usize] != NO_EDGE).collect();
        while let Some(node) = work.pop() {
            let flags = summaries.flags[node as usize];
            let mut next = self.first[node as usize];
            while next != NO_EDGE {
                let (edge, after) = self.edges[next as usize];
                let (to, add, span) = match edge {
                    Edge::Flow { to, element, span } => {
                        let flags = if element { flags.of_element() } else { flags };
                        (to, flags.minus(Flags::VIEWED | Flags::CALLED | Flags::ESCAPES), Some(span))
                    }
                    Edge::Function { to } => (to, flags.and(Flags::CALLED | Flags::ESCAPES), None),
                    Edge::Effect { .. } => {
                        next = after;
                        continue;
                    }
                };
                let old = summaries.flags[to as usize];
                if !old.contains(add) {
                    summaries.flags[to as usize] |= add;
                    if let Some(span) = span {
                        summaries.blame(to, add, span);
                    }
                    work.push(to);
                }
                next = after;
            }
        }
        // Every call of a function value is known now.
        for node in 0..self.first.len() {
            if summaries.flags[node].has(Flags::CALLED) {
                let mut next = self.first[node];
                while next != NO_EDGE {
                    let (edge, after) = self.edges[next as usize];
                    if let Edge::Effect { from, to } = edge {
                        self.effect_edge(from, to, Span::default());
                    }
                    next = after;
                }
            }
        }
        let mut work: Vec<EffectNode> =
            (0..summaries.effects.len() as u32).filter(|&n| summaries.effects[n as usize] != 0).collect();
        while let Some(node) = work.pop() {
            let effects = summaries.effects[node as usize];
            let mut next = self.first_effect[node as usize];
            while next != NO_EDGE {
                let (to, span, after) = self.effect_edges[next as usize];
                if summaries.effects[to as usize] | effects != summaries.effects[to as usize] {
                    summaries.effects[to as usize] |= effects;
                    summaries.effect_causes[to as usize].get_or_insert(span);
                    work.push(to);
                }
                next = after;
            }
        }
    }
}

impl Summaries {
    fn blame(&mut self, node: Node, flags: Flags, span: Span) {
        let causes = &mut self.causes[node as usize];
        if flags.has(Flags::ANY_WRITE) {
            causes.write.get_or_insert(span);
        }
        if flags.has(Flags::CHANGES | Flags::RESHAPES) {
            causes.change.get_or_insert(span);
        }
    }
}

/// What an assignment through `place` to a value of type `ty` does to the root.
pub fn written(types: &Types, place: &Place, ty: TypeId) -> Flags {
    match (place.indexed(), types.owns(ty)) {
        (true, false) => Flags::WRITES,
        (true, true) => Flags::REPLACES,
        (false, false) => Flags::CHANGES,
        (false, true) => Flags::RESHAPES,
    }
}

/// Notes what one routine does.
struct Collect<'a> {
    views: Views<'a>,
    id: RoutineId,
    /// By local: one more than its index among parameters and captures.
    index: Vec<u32>,
    found: Vec<(Node, Flags, Span)>,
    own: u8,
    own_cause: Option<Span>,
    graph: &'a mut Graph,
    depth: u32,
}

impl<'a> Collect<'a> {
    fn routine(program: &Program, summaries: &mut Summaries, graph: &mut Graph, id: RoutineId) {
        let routine = program.routine(id);
        let Body::Code(body) = &routine.body else { return };
        let mut index = vec![0; routine.locals.len()];
        let ours = routine.params.iter().copied().chain(routine.captures.iter().map(|c| c.inner));
        for (i, local) in ours.enumerate() {
            index[local.0 as usize] = i as u32 + 1;
        }
        let mut collect = Collect {
            views: Views::new(program, summaries, id),
            id,
            index,
            found: Vec::new(),
            own: 0,
            own_cause: None,
            graph,
            depth: 0,
        };
        collect.visit(body);
        // A function that is the result is kept.
        collect.keep(body);
        let Collect { found, own, own_cause, .. } = collect;
        for (node, flags, span) in found {
            summaries.flags[node as usize] |= flags;
            summaries.blame(node, flags, span);
        }
        summaries.effects[id.0 as usize] |= own;
        if let Some(span) = own_cause {
            summaries.effect_causes[id.0 as usize].get_or_insert(span);
        }
    }

    fn types(&self) -> &'a Types {
        &self.views.program.types
    }

    fn node(&self, local: LocalId) -> Option<Node> {
        let index = self.index[local.0 as usize];
        (index > 0).then(|| self.views.summaries.base[self.id.0 as usize] + index - 1)
    }

    fn found(&mut self, local: LocalId, flags: Flags, span: Span) {
        if let Some(node) = self.node(local) {
            self.found.push((node, flags, span));
        }
    }

    fn type_node(&self, ty: TypeId) -> EffectNode {
        (self.views.program.routines.len() + ty.0 as usize) as u32
    }

    fn visit(&mut self, e: &Expr) {
        match &e.kind {
            ExprKind::Local(l) => self.found(*l, Flags::READS, e.span),
            ExprKind::Let { local, value, .. } => {
                self.visit(value);
                self.keep(value);
                self.views.declare(*local, value, self.depth);
            }
            ExprKind::Assign { place, value } => {
                self.visit(value);
                self.keep(value);
                self.place(place);
                self.assign(place, e.span);
            }
            ExprKind::Modify { place, value, new, .. } => {
                self.visit(value);
                self.visit(place);
                self.visit(new);
                self.assign(place, e.span);
            }
            ExprKind::Return(Some(value)) => {
                self.visit(value);
                self.keep(value);
            }
            ExprKind::Struct(parts) | ExprKind::Elements(parts) | ExprKind::Variant { payload: parts, .. } => {
                for part in parts {
                    self.visit(part);
                    self.keep(part);
                }
            }
            ExprKind::Print { parts, .. } => {
                self.own |= IO;
                self.own_cause.get_or_insert(e.span);
                for part in parts {
                    if let ShowPart::Value(e, _) = part {
                        self.visit(e);
                    }
                }
            }
            ExprKind::Call { routine, arguments } => {
                arguments.iter().for_each(|argument| self.visit(argument));
                self.call(*routine, arguments, e.span);
            }
            ExprKind::CallValue { callee, arguments } => {
                self.visit(callee);
                arguments.iter().for_each(|argument| self.visit(argument));
                self.call_value(callee, arguments, e.span);
            }
            ExprKind::Lambda { routine, direct } => self.function_value(*routine, *direct, e),
            ExprKind::RoutineValue(routine) => self.function_value(*routine, true, e),
            _ => children(e, &mut |part| self.visit(part)),
        }
    }

    /// The parts of an assigned place: all but the variable itself are read.
    fn place(&mut self, place: &Expr) {
        match &place.kind {
            ExprKind::Local(_) => {}
            _ => self.visit(place),
        }
    }

    fn assign(&mut self, place: &Expr, span: Span) {
        let types = self.types();
        for target in self.views.of(place, self.depth) {
            if let Root::Local(l) = target.root {
                self.found(l, written(types, &target, place.ty), span);
            }
        }
    }

    /// A parameter of function type that is stored or returned.
    fn keep(&mut self, e: &Expr) {
        if let ExprKind::Local(l) = e.kind
            && is_function(self.types(), e.ty)
        {
            self.found(l, Flags::ESCAPES, e.span);
        }
        match &e.kind {
            ExprKind::Block(body) => {
                if let Some(last) = body.last() {
                    self.keep(last);
                }
            }
            ExprKind::If { then, otherwise, .. } => {
                self.keep(then);
                if let Some(e) = otherwise {
                    self.keep(e);
                }
            }
            ExprKind::Match { arms, otherwise, .. } => {
                arms.iter().for_each(|arm| self.keep(&arm.body));
                if let Some(e) = otherwise {
                    self.keep(e);
                }
            }
            ExprKind::Choose { arms, otherwise, .. } => {
                arms.iter().for_each(|arm| self.keep(&arm.body));
                if let Some(e) = otherwise {
                    self.keep(e);
                }
            }
            _ => {}
        }
    }

    fn call(&mut self, callee: RoutineId, arguments: &[Expr], span: Span) {
        self.graph.effect_edge(callee.0, self.id.0, span);
        let base = self.views.summaries.base[callee.0 as usize];
        for (i, argument) in arguments.iter().enumerate() {
            let from = base + i as u32;
            if is_function(self.types(), argument.ty) {
                self.function_argument(from, argument);
                continue;
            }
            if !argument.is_place() && !self.views.is_slice(argument.ty) {
                continue;
            }
            for Place { root, steps, .. } in self.views.of(argument, self.depth) {
                if let Root::Local(l) = root
                    && let Some(to) = self.node(l)
                {
                    self.graph.edge(from, Edge::Flow { to, element: steps.contains(&Step::Index), span });
                }
            }
        }
    }

    /// What the callee does with a function that it is given, the caller does.
    fn function_argument(&mut self, from: Node, argument: &Expr) {
        match argument.kind {
            ExprKind::Lambda { routine, .. } | ExprKind::RoutineValue(routine) => {
                self.graph.edge(from, Edge::Effect { from: routine.0, to: self.id.0 });
                for capture in &self.views.program.routine(routine).captures {
                    if is_function(self.types(), self.views.ty(capture.outer))
                        && let Some(to) = self.node(capture.outer)
                    {
                        self.graph.edge(from, Edge::Function { to });
                    }
                }
            }
            ExprKind::Local(l) if self.node(l).is_some() => {
                if let Some(to) = self.node(l) {
                    self.graph.edge(from, Edge::Function { to });
                }
            }
            _ => {
                let ty = self.type_node(argument.ty);
                self.graph.edge(from, Edge::Effect { from: ty, to: self.id.0 });
                self.keep(argument);
            }
        }
    }

    fn call_value(&mut self, callee: &Expr, arguments: &[Expr], span: Span) {
        match callee.kind {
            ExprKind::Local(l) if self.node(l).is_some() => self.found(l, Flags::CALLED, span),
            ExprKind::Lambda { routine, .. } | ExprKind::RoutineValue(routine) => {
                self.graph.effect_edge(routine.0, self.id.0, span)
            }
            _ => self.graph.effect_edge(self.type_node(callee.ty), self.id.0, span),
        }
        for argument in arguments {
            if is_function(self.types(), argument.ty) {
                // Whatever is called may call or keep it.
                self.graph.effect_edge(self.type_node(argument.ty), self.id.0, span);
                self.keep(argument);
            }
        }
    }

    /// A function value is made.
    fn function_value(&mut self, routine: RoutineId, direct: bool, e: &Expr) {
        let program = self.views.program;
        let made = program.routine(routine);
        let ty = self.type_node(e.ty);
        self.graph.effect_edge(routine.0, ty, e.span);
        let base = self.views.summaries.base[routine.0 as usize];
        let inner = made.params.iter().copied().chain(made.captures.iter().map(|c| c.inner));
        for (i, local) in inner.enumerate() {
            let inner_type = made.locals[local.0 as usize].ty;
            if is_function(&program.types, inner_type) {
                let from = self.type_node(inner_type);
                self.graph.edge(base + i as u32, Edge::Effect { from, to: ty });
            }
        }
        for (i, capture) in made.captures.iter().enumerate() {
            self.found(capture.outer, Flags::READS, e.span);
            if is_function(&program.types, self.views.ty(capture.outer)) {
                match self.node(capture.outer) {
                    Some(to) => {
                        self.graph.edge(base + (made.params.len() + i) as u32, Edge::Function { to });
                        if !direct {
                            self.found(capture.outer, Flags::ESCAPES, e.span);
                        }
                    }
                    None => {
                        let from = self.type_node(self.views.ty(capture.outer));
                        let to = self.id.0;
                        self.graph.edge(base + (made.params.len() + i) as u32, Edge::Effect { from, to });
                    }
                }
            }
        }
    }
}
