//! What each routine does by itself, and the edges that its calls make.

use super::graph::{Edge, Graph};
use super::{EffectNode, Flags, IO, Node, Summaries, fields, is_function, written};
use crate::check::hir::{Body, Expr, ExprKind, Fields, LocalId, Program, RoutineId, ShowPart, TypeId, Types};
use crate::check::ownership::place::Root;
use crate::check::ownership::views::Views;
use crate::check::ownership::walk::children;
use crate::source::Span;

/// Notes what one routine does.
pub(super) struct Collect<'a> {
    views: Views<'a>,
    id: RoutineId,
    /// By local: one more than its index among parameters and captures.
    index: Vec<u32>,
    found: Vec<(Node, Flags, Span)>,
    changed: Vec<(Node, Fields)>,
    own: u8,
    own_cause: Option<Span>,
    graph: &'a mut Graph,
    depth: u32,
}

impl<'a> Collect<'a> {
    pub(super) fn routine(program: &Program, summaries: &mut Summaries, graph: &mut Graph, id: RoutineId) {
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
            changed: Vec::new(),
            own: 0,
            own_cause: None,
            graph,
            depth: 0,
        };
        collect.visit(body);
        // A function that is the result is kept.
        collect.keep(body);
        let Collect { found, changed, own, own_cause, .. } = collect;
        for (node, flags, span) in found {
            summaries.flags[node as usize] |= flags;
            summaries.blame(node, flags, span);
        }
        for (node, fields) in changed {
            summaries.changed[node as usize] |= fields;
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
            ExprKind::Equal { left, right, .. } => {
                self.visit(left);
                self.visit(right);
                self.compare(left.ty, e.span);
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
        // Reported where the body is looked at; the elements are not touched.
        if self.views.is_slice(place.ty) {
            return;
        }
        for target in self.views.of(place, self.depth) {
            if let Root::Local(l) = target.root {
                self.found(l, written(types, &target, place.ty), span);
                self.changed.extend(self.node(l).map(|node| (node, fields(&target))));
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

    /// Parts with an `operator =` are compared by it.
    fn compare(&mut self, ty: TypeId, span: Span) {
        let program = self.views.program;
        if program.equals.is_empty() {
            return;
        }
        for part in program.types.parts(ty) {
            if let Some(&callee) = program.equals.get(&part) {
                self.graph.effect_edge(callee.0, self.id.0, span);
            }
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
            for place in self.views.of(argument, self.depth) {
                if let Root::Local(l) = place.root
                    && let Some(to) = self.node(l)
                {
                    let whole = place.steps.is_empty() && !place.open;
                    let fields = (!whole).then(|| fields(&place));
                    self.graph.edge(from, Edge::Flow { to, element: place.indexed(), fields, span });
                }
            }
        }
    }

    /// What the callee does with a function that it is given, the caller does.
    fn function_argument(&mut self, from: Node, argument: &Expr) {
        match argument.kind {
            ExprKind::Lambda { routine, .. } | ExprKind::RoutineValue(routine) => {
                self.graph.edge(from, Edge::Effect { from: routine.0, to: self.id.0, span: argument.span });
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
                self.graph.edge(from, Edge::Effect { from: ty, to: self.id.0, span: argument.span });
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
                self.graph.edge(base + i as u32, Edge::Effect { from, to: ty, span: e.span });
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
                        self.graph.edge(base + (made.params.len() + i) as u32, Edge::Effect { from, to, span: e.span });
                    }
                }
            }
        }
    }
}
