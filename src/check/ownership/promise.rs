//! What a `function` promises: to read its arguments and give a value. Writing elements is allowed.

use super::summary::{Flags, Summaries};
use crate::check::hir::{Body, Program, RoutineId, RoutineKind};
use crate::diagnostic::{Diagnostic, Severity};

/// Reports functions that do more than they promise: warnings, errors if `strict`. `main` promises nothing.
pub fn check(program: &Program, summaries: &Summaries, strict: bool, found: &mut Vec<Diagnostic>) {
    for (n, routine) in program.routines.iter().enumerate() {
        let promises = routine.kind == RoutineKind::Function && !routine.library && routine.name != "main";
        if !promises || !matches!(routine.body, Body::Code(_)) {
            continue;
        }
        let id = RoutineId(n as u32);
        let name = &routine.name;
        let mut add = |diagnostic: Diagnostic| {
            let severity = if strict { Severity::Error } else { Severity::Warning };
            found.push(
                Diagnostic { severity, ..diagnostic }
                    .help("declare it as a `procedure`, which may do this".to_string()),
            );
        };
        if let Some(cause) = summaries.io(id) {
            add(Diagnostic::error(cause, format!("the function `{name}` does input or output"))
                .label("here")
                .secondary(routine.span, "a `function` promises to give a value and nothing else"));
        }
        for (i, param) in routine.params.iter().enumerate() {
            let changes = summaries.parameter(id, i).has(Flags::CHANGES | Flags::RESHAPES);
            if let (true, Some(cause)) = (changes, summaries.causes(id, i).change) {
                let param = &routine.locals[param.0 as usize].name;
                add(Diagnostic::error(cause, format!("the function `{name}` changes its parameter `{param}`"))
                    .label("here")
                    .secondary(routine.span, "a `function` promises to leave its parameters as they are"));
            }
        }
    }
}
