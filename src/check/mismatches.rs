//! What is said about a call whose arguments fit no routine.

use super::Checker;
use super::calls::{Argument, Candidate, Target};
use super::declarations::Param;
use super::overloads::{Mismatch, Score, Slot};
use super::types::count;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast;

impl<'a> Checker<'a> {
    pub fn target_name(&self, target: Target) -> &'a str {
        self.text(match target {
            Target::Routine(id) => {
                let decl = self.decls.routine(id);
                match decl.owner {
                    Some(owner) if decl.routine.kind == ast::RoutineKind::Init => self.decls.ty(owner).name,
                    _ => decl.name,
                }
            }
            Target::Struct(decl) => self.decls.ty(decl).name,
            Target::Variant(decl, variant) => match &self.decls.ty(decl).define.kind {
                ast::DefineKind::Union { variants, .. } => variants[variant as usize].name.symbol,
                _ => self.decls.ty(decl).name,
            },
        })
    }

    pub fn target_span(&self, target: Target) -> Span {
        match target {
            Target::Routine(id) => self.decls.routine(id).routine.head_span,
            Target::Struct(decl) => self.decls.ty(decl).span,
            Target::Variant(decl, variant) => match &self.decls.ty(decl).define.kind {
                ast::DefineKind::Union { variants, .. } => variants[variant as usize].span,
                _ => self.decls.ty(decl).span,
            },
        }
    }

    pub fn wrong_number(
        &mut self,
        candidate: &Candidate<'a>,
        args: &[Argument<'a>],
        mismatch: Mismatch,
        span: Span,
        name_span: Span,
    ) {
        let name = self.target_name(candidate.target);
        let noun = if matches!(candidate.target, Target::Struct(_)) { "field" } else { "parameter" };
        let params = &candidate.params;
        let diagnostic = match mismatch {
            Mismatch::TooMany(i) => {
                let message = format!(
                    "`{name}` takes {}, not {}",
                    if params.is_empty() { "no arguments".into() } else { count(params.len(), "argument") },
                    args.len()
                );
                Diagnostic::error(args[i].span, message).label("one too many")
            }
            Mismatch::Missing(p) => {
                let missing: Vec<String> = params[p..]
                    .iter()
                    .filter(|q| q.default.is_none() && !args.iter().any(|a| a.name.is_some_and(|n| n.symbol == q.name)))
                    .skip(args.iter().filter(|a| a.name.is_none()).count().saturating_sub(p))
                    .map(|q| self.source_of_param(q))
                    .collect();
                let message = match missing.as_slice() {
                    [one] => format!("the argument `{one}` of `{name}` is missing"),
                    _ => format!(
                        "`{name}` takes {}, not {}",
                        count(params.len(), "argument"),
                        if args.is_empty() { "none".to_string() } else { args.len().to_string() }
                    ),
                };
                let list = missing.iter().map(|m| format!("`{m}`")).collect::<Vec<_>>().join(", ");
                Diagnostic::error(span, message).label(format!("expected also {list}"))
            }
            Mismatch::Unknown(i) => {
                let Some(given) = args[i].name else { return };
                let near = self.near(given.symbol, params.iter().map(|p| p.name));
                let message = format!("`{name}` has no {noun} `{}`", self.text(given.symbol));
                Diagnostic::error(given.span, message).label(format!("unknown {noun}")).help_near(near)
            }
            Mismatch::Twice(i) => {
                let Some(given) = args[i].name else { return };
                let message = format!("the argument `{}` is given twice", self.text(given.symbol));
                Diagnostic::error(given.span, message).label("again")
            }
        };
        let _ = name_span;
        let diagnostic = self.defined_here(diagnostic, self.target_span(candidate.target));
        self.report(diagnostic);
    }

    pub fn source_of_param(&self, param: &Param<'a>) -> String {
        match param.ty {
            Some(ty) => format!("{}: {}", self.text(param.name), self.source(ty.span)),
            None => self.text(param.name).to_string(),
        }
    }

    pub fn none_by_number(&mut self, candidates: &[Candidate<'a>], args: &[Argument<'a>], span: Span, name_span: Span) {
        let name = self.target_name(candidates[0].target);
        let message = format!("no `{name}` takes {}", count(args.len(), "argument"));
        let list: Vec<&Candidate<'a>> = candidates.iter().collect();
        let diagnostic = Diagnostic::error(span, message).label("wrong number of arguments");
        let _ = name_span;
        let diagnostic = self.list_candidates(diagnostic, &list);
        self.report(diagnostic);
    }

    pub fn none_by_type(
        &mut self,
        fitting: &[(Candidate<'a>, Vec<Slot>)],
        args: &[Argument<'a>],
        span: Span,
        name_span: Span,
    ) {
        let name = self.target_name(fitting[0].0.target);
        let types: Vec<String> = args
            .iter()
            .map(|a| match (&a.done, a.ast.map(|e| &e.kind)) {
                (Some(value), _) => self.type_name(value.ty),
                (None, Some(ast::ExprKind::Null)) => "null".into(),
                (None, Some(ast::ExprKind::Lambda(_))) => "a lambda".into(),
                (None, _) => self.short_source(a.span).unwrap_or("a literal").to_string(),
            })
            .collect();
        let message = format!("no `{name}` takes ({})", types.join(", "));
        let diagnostic = Diagnostic::error(name_span, message).label("no overload fits");
        let _ = span;
        let level = fitting.iter().map(|(c, _)| c.level).min().unwrap_or(0);
        let list: Vec<&Candidate<'a>> = fitting.iter().map(|(c, _)| c).filter(|c| c.level == level).collect();
        let diagnostic = self.list_candidates(diagnostic, &list);
        let diagnostic = match args {
            [Argument { done: Some(value), .. }] if self.int_kind(value.ty).is_some() => {
                let floats = list.iter().any(|c| {
                    let ty = c.params.first().and_then(|p| p.ty);
                    ty.is_some_and(|ty| matches!(self.source(ty.span), "f64" | "double"))
                });
                if floats { self.help_convert(diagnostic, value.span, "f64") } else { diagnostic }
            }
            _ => diagnostic,
        };
        self.report(diagnostic);
    }

    pub fn ambiguous(
        &mut self,
        fitting: &[(Candidate<'a>, Vec<Slot>)],
        scored: &[(Score, usize)],
        span: Span,
        name_span: Span,
    ) {
        let name = self.target_name(fitting[0].0.target);
        let best = scored[0].0;
        let list: Vec<&Candidate<'a>> =
            scored.iter().filter(|(s, _)| *s == best).map(|(_, at)| &fitting[*at].0).collect();
        let _ = span;
        if let [first, second, ..] = list.as_slice()
            && first.params.len() == second.params.len()
            && first.params.iter().zip(second.params.iter()).all(|(a, b)| {
                let text = |p: &Param<'a>| p.ty.map(|ty| self.source(ty.span));
                text(a) == text(b)
            })
        {
            // The same message as of routines that nobody calls.
            let (earlier, later) = (self.target_span(first.target), self.target_span(second.target));
            self.report(
                Diagnostic::error(later, format!("`{name}` is defined twice with the same parameters"))
                    .label("defined again")
                    .secondary(earlier, "first defined here"),
            );
            return;
        }
        let diagnostic = Diagnostic::error(name_span, format!("several `{name}` fit equally well"))
            .label("which one is meant?")
            .help("make the types of the arguments plain, as in `x as u8`");
        let diagnostic = self.list_candidates(diagnostic, &list);
        self.report(diagnostic);
    }

    pub fn list_candidates(&self, mut diagnostic: Diagnostic, candidates: &[&Candidate<'a>]) -> Diagnostic {
        for candidate in candidates.iter().take(6) {
            let span = self.target_span(candidate.target);
            if self.sources.file(span.file).library {
                let params: Vec<String> = candidate.params.iter().map(|p| self.source_of_param(p)).collect();
                let name = self.target_name(candidate.target);
                diagnostic = diagnostic.help(format!("there is `{name}({})`", params.join(", ")));
            } else {
                diagnostic = diagnostic.secondary(span, "one that there is");
            }
        }
        diagnostic
    }
}
