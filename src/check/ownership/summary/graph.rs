//! Flags and effects carried along the edges between routines until nothing changes.

use super::{EffectNode, Flags, Node, Summaries};
use crate::check::hir::Fields;
use crate::source::Span;

#[derive(Clone, Copy)]
pub(super) enum Edge {
    /// What happens to the parameter happens to that one, in the caller: to these fields of it, or to the same ones if it is
    /// all of it.
    Flow { to: Node, element: bool, fields: Option<Fields>, span: Span },
    /// Calling or keeping the parameter calls or keeps that one.
    Function { to: Node },
    /// Calling the parameter has effects.
    Effect { from: EffectNode, to: EffectNode, span: Span },
}

/// Edges by the node they leave.
pub(super) struct Graph {
    edges: Vec<(Edge, u32)>,
    first: Vec<u32>,
    effect_edges: Vec<(EffectNode, Span, u32)>,
    first_effect: Vec<u32>,
}

const NO_EDGE: u32 = u32::MAX;

impl Graph {
    pub(super) fn new(summaries: &Summaries) -> Graph {
        Graph {
            edges: Vec::new(),
            first: vec![NO_EDGE; summaries.flags.len()],
            effect_edges: Vec::new(),
            first_effect: vec![NO_EDGE; summaries.effects.len()],
        }
    }

    pub(super) fn edge(&mut self, from: Node, edge: Edge) {
        let first = &mut self.first[from as usize];
        self.edges.push((edge, *first));
        *first = (self.edges.len() - 1) as u32;
    }

    pub(super) fn effect_edge(&mut self, from: EffectNode, to: EffectNode, span: Span) {
        let first = &mut self.first_effect[from as usize];
        self.effect_edges.push((to, span, *first));
        *first = (self.effect_edges.len() - 1) as u32;
    }

    pub(super) fn propagate(mut self, summaries: &mut Summaries) {
        let mut work: Vec<Node> = (0..self.first.len() as u32).filter(|&n| self.first[n as usize] != NO_EDGE).collect();
        while let Some(node) = work.pop() {
            let flags = summaries.flags[node as usize];
            let mut next = self.first[node as usize];
            while next != NO_EDGE {
                let (edge, after) = self.edges[next as usize];
                let changed = summaries.changed[node as usize];
                let (to, add, changed, span) = match edge {
                    Edge::Flow { to, element, fields, span } => {
                        let flags = if element { flags.of_element() } else { flags };
                        let changed = fields.filter(|_| !changed.is_empty()).unwrap_or(changed);
                        (to, flags.minus(Flags::VIEWED | Flags::CALLED | Flags::ESCAPES), changed, Some(span))
                    }
                    Edge::Function { to } => (to, flags.and(Flags::CALLED | Flags::ESCAPES), Fields::NONE, None),
                    Edge::Effect { .. } => {
                        next = after;
                        continue;
                    }
                };
                let (old, before) = (summaries.flags[to as usize], summaries.changed[to as usize]);
                if !old.contains(add) || !before.contains(changed) {
                    summaries.flags[to as usize] |= add;
                    summaries.changed[to as usize] |= changed;
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
                    if let Edge::Effect { from, to, span } = edge {
                        self.effect_edge(from, to, span);
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
