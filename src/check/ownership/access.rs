//! Which places can be written: rules 3 and 6, captures, and what function values may do.

use rustc_hash::FxHashMap;

use super::flow::Writer;
use super::place::{Place, Root};
use super::report::Report;
use super::summary::{Flags, Summaries};
use crate::check::hir::{Expr, ExprKind, LocalId, LocalKind, Program, Routine, RoutineId, RoutineKind, Type, TypeId};
use crate::diagnostic::Diagnostic;
use crate::source::Span;

pub struct Access<'p> {
    program: &'p Program,
    summaries: &'p Summaries,
    routine: &'p Routine,
    /// What each binding is taken from.
    bound: FxHashMap<LocalId, Place>,
}

impl<'p> Access<'p> {
    pub fn new(program: &'p Program, summaries: &'p Summaries, routine: &'p Routine) -> Self {
        Access { program, summaries, routine, bound: FxHashMap::default() }
    }

    /// A binding takes its value from one of these places.
    pub fn bind(&mut self, local: LocalId, places: &[Place]) {
        if let [place, ..] = places
            && !matches!(place.root, Root::Temporary { .. })
        {
            self.bound.insert(local, place.clone());
        }
    }

    /// A place is written: the root must allow it. `e` is the assigned place, or the argument.
    pub fn written(&self, place: &Place, e: &Expr, flags: Flags, writer: Writer, span: Span, report: &mut Report) {
        let local = match place.root {
            Root::Local(local) => local,
            Root::Global(g) => {
                let global = self.program.global(g);
                let message = self.message(&format!("the constant `{}`", global.name), writer, "cannot be changed");
                report.add(
                    self.detail(Diagnostic::error(e.span, message).label("a constant"), writer, flags)
                        .secondary(global.span, "defined here")
                        .help("keep a changed copy in a `var`"),
                );
                return;
            }
            Root::Temporary { .. } => return,
        };
        let declared = &self.routine.locals[local.0 as usize];
        let captured = self.routine.captures.iter().any(|c| c.inner == local);
        if !captured
            && matches!(declared.kind, LocalKind::Param | LocalKind::Taken | LocalKind::Var | LocalKind::Temporary)
        {
            return;
        }
        let name = &declared.name;
        let viewed = self.is_slice(declared.ty) || e_is_view(self, e);
        let through = place.describe(&self.program.types, self.routine);
        let diagnostic = match declared.kind {
            _ if captured => {
                let what = format!("`{name}`, which the lambda captures,");
                Diagnostic::error(span, self.message(&what, writer, "cannot be changed"))
                    .label("captures are read-only")
                    .secondary(declared.span, "declared here")
                    .help("use a loop instead of the lambda, or make the value a result")
            }
            LocalKind::Let if viewed && !self.is_slice(declared.ty) => {
                Diagnostic::error(e.span, self.message("a view of a `let`", writer, "cannot be written"))
                    .label(format!("a view of `{name}`"))
                    .secondary(declared.span, "a `let`: declared here")
                    .help(format!("declare it with `var`: `var {name} …`"))
            }
            LocalKind::Let => {
                let what = if place.steps.is_empty() { format!("`{name}`") } else { format!("`{through}`") };
                let verb = if place.steps.is_empty() { "is a `let` and" } else { "lies in a `let` and" };
                Diagnostic::error(e.span, self.message(&what, writer, &format!("{verb} cannot be changed")))
                    .label(if place.steps.is_empty() { "a `let`".to_string() } else { format!("`{name}` is a `let`") })
                    .secondary(declared.span, "declared here")
                    .help(format!("declare it with `var`: `var {name} …`"))
            }
            LocalKind::Binding => {
                let from = self.bound.get(&local).map(|place| place.describe(&self.program.types, self.routine));
                let wrong = match &from {
                    Some(from) => format!("is a value taken from `{from}` and cannot be changed"),
                    None => "is a value and cannot be changed".to_string(),
                };
                let help = match &from {
                    Some(from) if from.ends_with("[…]") => {
                        let (list, at) = (from.trim_end_matches("[…]"), from.replace('…', "i"));
                        format!("walk the indexes, `for i in {list}.length()`, and write to `{at}`")
                    }
                    Some(from) => format!("write to `{from}` itself"),
                    None => format!("change a copy: `var changed = {name}`"),
                };
                Diagnostic::error(e.span, self.message(&format!("`{name}`"), writer, &wrong))
                    .label("a value, not a place")
                    .secondary(declared.span, "bound here")
                    .help(help)
            }
            LocalKind::Param | LocalKind::Taken | LocalKind::Var | LocalKind::Temporary => return,
        };
        report.add(self.detail(diagnostic, writer, flags));
    }

    /// Who wants to write, before what is wrong.
    fn message(&self, what: &str, writer: Writer, wrong: &str) -> String {
        match writer {
            Writer::Assignment | Writer::Move(_) => format!("{what} {wrong}"),
            Writer::Call { routine, .. } => {
                format!("`{}` changes its argument, but {what} {wrong}", self.program.routine(routine).name)
            }
        }
    }

    /// Shows where the callee writes its parameter, if the user can see it.
    fn detail(&self, diagnostic: Diagnostic, writer: Writer, flags: Flags) -> Diagnostic {
        let Writer::Call { routine, argument } = writer else { return diagnostic };
        let callee = self.program.routine(routine);
        if callee.library {
            return diagnostic;
        }
        let causes = self.summaries.causes(routine, argument);
        let cause =
            if flags.has(Flags::CHANGES | Flags::RESHAPES) { causes.change.or(causes.write) } else { causes.write };
        let Some(cause) = cause else { return diagnostic };
        let param = &callee.locals[callee.params[argument].0 as usize].name;
        diagnostic.secondary(cause, format!("`{}` changes `{param}` here", callee.name))
    }

    /// A function value is made of `routine`; `direct` tells of a lambda whether it is passed on at once.
    pub fn function_value(&self, routine: RoutineId, direct: Option<bool>, span: Span, report: &mut Report) {
        let made = self.program.routine(routine);
        for (i, param) in made.params.iter().enumerate() {
            if self.summaries.parameter(routine, i).has(Flags::ANY_WRITE) {
                let name = &made.locals[param.0 as usize].name;
                let cause = self.summaries.causes(routine, i).write;
                let lambda = made.kind == RoutineKind::Lambda;
                let mut diagnostic = if lambda {
                    Diagnostic::error(cause.unwrap_or(span), format!("a lambda cannot change its parameter `{name}`"))
                        .label("changed here")
                        .help(format!("it gets its arguments as values; change a copy: `var changed = {name}`"))
                } else {
                    Diagnostic::error(
                        span,
                        format!("`{}` changes its parameter `{name}` and cannot be used as a value", made.name),
                    )
                    .label("a function value gets its arguments as values")
                    .help(format!("wrap it: `\\x {{ var changed = x: {}(changed): changed }}`", made.name))
                };
                if let (false, Some(cause), false) = (lambda, cause, made.library) {
                    diagnostic = diagnostic.secondary(cause, "changed here");
                }
                report.add(diagnostic);
            }
        }
        if direct == Some(false)
            && let Some(slice) = self.captured_slice(routine)
        {
            let local = &self.routine.locals[slice.0 as usize];
            report.add(
                Diagnostic::error(span, format!("a lambda that is kept cannot capture the `Slice` `{}`", local.name))
                    .label("kept longer than the view may live")
                    .secondary(local.span, "declared here")
                    .help(format!("capture a copy: `let c: {}.copy()`", local.name)),
            );
        }
    }

    /// A lambda that views is passed: the callee must not keep it.
    /// What a function value does is not known: it may keep it.
    pub fn function_argument(&self, callee: Option<(RoutineId, Flags)>, argument: &Expr, report: &mut Report) {
        if let ExprKind::Lambda { routine, direct: true } = argument.kind
            && callee.is_none_or(|(_, flags)| flags.has(Flags::ESCAPES))
            && let Some(slice) = self.captured_slice(routine)
        {
            let local = &self.routine.locals[slice.0 as usize];
            let who = match callee {
                Some((callee, _)) => format!("`{}` keeps", self.program.routine(callee).name),
                None => "the called function may keep".to_string(),
            };
            let message = format!("{who} this lambda, which captures the `Slice` `{}`", local.name);
            report.add(
                Diagnostic::error(argument.span, message)
                    .label("kept longer than the view may live")
                    .secondary(local.span, "declared here")
                    .help(format!("capture a copy: `let c: {}.copy()`", local.name)),
            );
        }
    }

    /// A captured slice, of the routine around.
    fn captured_slice(&self, lambda: RoutineId) -> Option<LocalId> {
        let captures = &self.program.routine(lambda).captures;
        captures.iter().map(|c| c.outer).find(|l| self.is_slice(self.routine.locals[l.0 as usize].ty))
    }

    fn is_slice(&self, ty: TypeId) -> bool {
        matches!(self.program.types.get(ty), Type::Slice(_))
    }
}

/// Whether a written place, or an argument, is reached through a view.
fn e_is_view(access: &Access, e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Index { base, .. } | ExprKind::Field { base, .. } => e_is_view(access, base),
        ExprKind::AsSlice(_) => false,
        _ => access.is_slice(e.ty),
    }
}
