//! What one operation consumes together: operands and arguments must not disturb one another.

use super::{Flow, Mode, Writer, node, variable};
use crate::check::hir::{Body, Expr, ExprKind, RoutineId};
use crate::check::ownership::place::{Place, Places, Root, Step};
use crate::check::ownership::summary::Flags;
use crate::source::Span;

impl Flow<'_> {
    /// Evaluates what one operation consumes together.
    pub(super) fn operands<'e>(&mut self, operands: impl Iterator<Item = &'e Expr> + Clone, mode: Mode) {
        let start = self.writes.len();
        let first = self.waiting.len();
        for operand in operands.clone() {
            self.eval(operand, mode);
            self.waiting.push(self.writes.len());
        }
        if self.writes.len() > start {
            for (i, operand) in operands.enumerate() {
                self.disturbed(operand, self.waiting[first + i], None);
            }
        }
        self.waiting.truncate(first);
    }

    pub(super) fn call(&mut self, callee: RoutineId, arguments: &[Expr], span: Span) {
        let stores = matches!(self.views.program.routine(callee).body, Body::Intrinsic { .. });
        let start = self.writes.len();
        let mut after = Vec::with_capacity(arguments.len());
        for (i, argument) in arguments.iter().enumerate() {
            let flags = self.views.summaries.parameter(callee, i);
            let slice = self.views.is_slice(argument.ty);
            self.access.function_argument(Some((callee, flags)), argument, &mut self.report);
            if flags.has(Flags::ANY_WRITE) && !slice && argument.is_place() && !self.is_borrowed(argument) {
                self.place(argument);
            } else {
                let keeps = stores && !flags.has(Flags::ANY_WRITE);
                self.eval(argument, if keeps { Mode::Store } else { Mode::Borrow });
            }
            after.push(self.writes.len());
        }
        for (i, argument) in arguments.iter().enumerate() {
            if self.views.summaries.parameter(callee, i).has(Flags::ANY_WRITE) {
                self.use_root(argument);
            }
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
    pub(super) fn two_in_place(
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
    pub(super) fn shown(&self, mut all: Places) -> Places {
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
    pub(super) fn is_borrowed(&self, argument: &Expr) -> bool {
        variable(argument).is_some_and(|l| self.borrowed.contains(&l))
    }

    /// Looks at what has been written since `from`, while the operand waited for its consumer; `call` names where a
    /// call's own writes begin, whose they are, and the operand's number.
    pub(super) fn disturbed(&mut self, operand: &Expr, from: usize, call: Option<(usize, &[usize], usize)>) {
        if self.writes.len() == from {
            return;
        }
        let view = self.views.is_slice(operand.ty);
        let function = matches!(operand.kind, ExprKind::Lambda { .. });
        // Only slices of plain elements may see one another's writes.
        let plain = !self.types().element(operand.ty).is_some_and(|element| self.types().owns(element));
        let mut copy = false;
        let mut places = self.views.of(operand, self.depth);
        places.extend(self.cursor_slots(operand));
        for place in self.shown(places) {
            for (n, write) in self.writes[from..].iter().enumerate() {
                let own = call.and_then(|(own, owners, _)| owners.get((from + n).checked_sub(own)?).copied());
                let mine = own.is_some() && own == call.map(|c| c.2);
                if mine || !place.overlaps(&write.place) {
                    continue;
                }
                if let Writer::Move(node) = write.writer {
                    self.unmovable.insert(node);
                } else if !view && !function {
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
    pub(super) fn index_disturbs(&mut self, base: &Expr, from: usize) {
        for place in self.shown(self.views.of(base, self.depth)) {
            for write in self.writes[from..].iter().filter(|w| place.overlaps(&w.place)) {
                if let Writer::Move(node) = write.writer {
                    self.unmovable.insert(node);
                } else if write.reshapes {
                    let name = place.describe(self.types(), self.views.routine);
                    self.report.index_disturbs(&name, base.span, write.span);
                    return;
                }
            }
        }
    }
}
