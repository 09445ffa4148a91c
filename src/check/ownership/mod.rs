//! Ownership: what the rules of values, views and parameters say about a typed program.
//!
//! Works on [`hir::Program`] after typing: summaries of all routines ([`summary`]), then one routine at a time its flow
//! of uses and writes ([`flow`]), the decisions over it ([`decide`]), and their way into the tree ([`apply`]).
//!
//! # What lowering may rely on
//!
//! **Summaries.** `Routine::summary` is complete: what a routine does not do with a parameter, no callee of it does
//! either. A `Slice` parameter with `reshapes` has owned elements replaced: they need the region of what it views.
//!
//! **Arguments.** What is passed for a parameter that is written (`writes`, `changes`, `reshapes`) is a place that may
//! be written, or a value of its own. Its indexes are evaluated in their turn with the other arguments; the place is
//! addressed, and its slots are read, *at the call*, when all arguments have been evaluated: in `s.push(s.pop().or(0))`
//! the inner call reshapes `s` first. No two such arguments lie in one another. Any other argument, and any operand,
//! may share the slots and storage of the place that it names: neither its right neighbours nor the call itself change
//! them, or it stands in a `Copy`. (That holds for plain variables too: `f(i, next(i))` copies `i`, if `next` changes
//! it.) For plain parameters that are changed this counts on copy-in, copy-out: the caller's slots change at the end.
//!
//! **Views.** Nothing of a place is written while a `Let` of it with `view` lives: it may be another name for the slots. Bindings
//! (`choose`, `for`, `while let`), cursors, a `Slice` and a lambda passed directly need slots of their own, read when they are
//! made: plain fields of the root may be assigned while they live; the storage behind the slots is neither given back
//! nor, but for slices, written. A view is never moved, nothing is freed for it.
//!
//! **Cursors.** A `var` whose `Let` is a `view` is a cursor: `Assign` to it copies slots, frees nothing and copies nothing
//! behind them. Its `Let` may have a value that is no place: then a temporary of the block.
//!
//! **Copies.** Every other `Let`, `Assign`, construction, `Return` and value of a body makes a value of its own, deep, unless a
//! `Move` stands around the place.
//!
//! **Moves.** The root of a `Move`d place is an owner (no view, no parameter but a taken one). It is neither read nor viewed until it is
//! declared or assigned anew: its storage may be taken over. A `var` that is moved out of is left empty, so that an
//! assignment finds nothing to free.
//!
//! **Taken parameters** are owners: their argument lies in the region of the result, and is nobody else's. What is not moved
//! of it is freed where the routine ends.
//!
//! **Assignments.** The value is complete before the old storage is given back: it may come from there. The place's
//! indexes are evaluated after the value.
//!
//! **Slices** that leave a block or a routine view neither locals nor temporaries of it.
//!
//! # What is not tracked
//!
//! Elements are not told apart by index, places of one root only by fields. A binding or view whose last use is over
//! does not count as alive, so `choose s: when Idle(n): set s: Running(n)` is fine.

mod access;
mod apply;
mod cursor;
mod decide;
mod flow;
mod intrinsics;
mod place;
mod promise;
mod report;
mod slices;
mod summary;
mod taken;
#[cfg(test)]
mod tests;
mod views;
pub(super) mod walk;

use rustc_hash::{FxHashMap, FxHashSet};

use super::hir::{self, Body, Expr, ExprKind, RoutineId, Type};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use decide::{Decisions, decide};
use flow::Flow;
use summary::Summaries;
use views::Views;

/// Fills in what the typed tree leaves to ownership, and reports what the rules forbid: errors, and as warnings (errors
/// if `strict`) the functions that are none. The program is not to be run if there are errors.
pub fn analyze(program: &mut hir::Program, strict: bool) -> Vec<Diagnostic> {
    analyze_with(program, strict, Choice::Best)
}

/// What is chosen where a value may be a view, a moved one or a copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Choice {
    #[default]
    Best,
    /// Copies wherever the language has values. Slower, and otherwise no different: what tests compare `Best` with.
    Copies,
}

/// As [`analyze`].
pub fn analyze_with(program: &mut hir::Program, strict: bool, choice: Choice) -> Vec<Diagnostic> {
    let mut summaries = Summaries::compute(program);
    if taken::variants(program, &summaries) {
        summaries = Summaries::compute(program);
    }
    let mut found = Vec::new();
    slices::check(program, &mut found);
    let mut inside = Vec::new();
    for id in (0..program.routines.len() as u32).map(RoutineId) {
        let (decisions, diagnostics) = routine(program, &summaries, id, choice);
        if program.routine(id).library {
            inside.extend(diagnostics.into_iter().map(|d| (id, d)));
        } else {
            found.extend(diagnostics);
        }
        apply::apply(&mut program.routines[id.0 as usize], decisions);
    }
    if !inside.is_empty() {
        let calls = calls_from_outside(program);
        let holding = slices::holding(&program.types);
        let mut told = FxHashSet::default();
        for (id, diagnostic) in inside {
            let (called, seen) = seen_from_outside(program, &calls, id, diagnostic);
            // What is made of views is told where it is called.
            if !holding[program.routine(called).result.0 as usize] && told.insert(seen.span) {
                found.push(seen);
            }
        }
    }
    promise::check(program, &summaries, strict, &mut found);
    let mut told = FxHashSet::default();
    found.retain(|d| told.insert((d.span, d.message.clone())));
    found.sort_by_key(|d| (d.span.file, d.span.start, d.span.end));
    found
}

fn routine(
    program: &hir::Program,
    summaries: &Summaries,
    id: RoutineId,
    choice: Choice,
) -> (Decisions, Vec<Diagnostic>) {
    let routine = program.routine(id);
    let Body::Code(body) = &routine.body else { return (Decisions::default(), Vec::new()) };
    let mut cursors = cursor::cursors(program, summaries, routine, body);
    loop {
        let mut flow = Flow::of(Views::new(program, summaries, id), cursors.clone());
        let decisions = decide(&mut flow);
        if decisions.disturbed_cursors.is_empty() {
            return match choice {
                Choice::Best => (decisions, flow.report.found),
                // What is wrong is wrong in both.
                Choice::Copies => (copies(program, summaries, id, body), flow.report.found),
            };
        }
        cursors.retain(|c| !decisions.disturbed_cursors.contains(c));
    }
}

/// Decisions without any view that need not be one.
fn copies(program: &hir::Program, summaries: &Summaries, id: RoutineId, body: &Expr) -> Decisions {
    let mut flow = Flow::of(Views::new(program, summaries, id), Vec::new());
    let mut decisions = decide(&mut flow);
    decisions.copy_all(&flow);
    arguments(program, summaries, body, &mut decisions);
    decisions
}

/// Copies every place that is an argument by value, but for what the result views and what looks at other places.
fn arguments(program: &hir::Program, summaries: &Summaries, e: &Expr, decisions: &mut Decisions) {
    if let ExprKind::Call { routine, arguments } = &e.kind {
        for (i, argument) in arguments.iter().enumerate() {
            let seen = summaries.parameter(*routine, i).has(summary::Flags::ANY_WRITE | summary::Flags::VIEWED);
            let looks = matches!(program.types.get(argument.ty), Type::Function { .. });
            if !seen && !looks && argument.is_place() && program.types.owns(argument.ty) {
                decisions.copies.insert(flow::node(argument));
            }
        }
    }
    walk::children(e, &mut |part| arguments(program, summaries, part, decisions));
}

/// For each routine of the library that the program reaches the call that first reaches it.
fn calls_from_outside(program: &hir::Program) -> FxHashMap<RoutineId, (RoutineId, Span)> {
    fn visit(e: &Expr, found: &mut dyn FnMut(RoutineId, Span)) {
        if let ExprKind::Call { routine, .. } | ExprKind::Lambda { routine, .. } | ExprKind::RoutineValue(routine) =
            e.kind
        {
            found(routine, e.span);
        }
        walk::children(e, &mut |part| visit(part, found));
    }
    let mut calls = FxHashMap::default();
    let ids = (0..program.routines.len() as u32).map(RoutineId);
    let mut work: Vec<RoutineId> = ids.filter(|&id| !program.routine(id).library).collect();
    let mut next = 0;
    while let Some(&id) = work.get(next) {
        next += 1;
        if let Body::Code(body) = &program.routine(id).body {
            visit(body, &mut |callee, span| {
                if program.routine(callee).library && !calls.contains_key(&callee) {
                    calls.insert(callee, (id, span));
                    work.push(callee);
                }
            });
        }
    }
    calls
}

/// An error in an instance of a library routine is the fault of the call that asks for the instance; also the routine
/// that is called there.
fn seen_from_outside(
    program: &hir::Program,
    calls: &FxHashMap<RoutineId, (RoutineId, Span)>,
    id: RoutineId,
    diagnostic: Diagnostic,
) -> (RoutineId, Diagnostic) {
    let mut at = id;
    while let Some(&(from, span)) = calls.get(&at) {
        if !program.routine(from).library {
            let name = &program.routine(at).name;
            let seen = Diagnostic::error(span, format!("`{name}` cannot be used like this: {}", diagnostic.message));
            return (at, seen.label("called here").secondary(diagnostic.span, diagnostic.label));
        }
        at = from;
    }
    (at, diagnostic)
}
