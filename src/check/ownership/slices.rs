//! Rule 5: types that a `Slice` must not be part of: fields, elements, payloads, constants.

use rustc_hash::FxHashSet;

use super::walk::children;
use crate::check::hir::{Body, Expr, Program, Type, TypeId, Types};
use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Span};

pub fn check(program: &Program, found: &mut Vec<Diagnostic>) {
    let own: FxHashSet<FileId> = program.routines.iter().filter(|r| !r.library).map(|r| r.span.file).collect();
    let types = &program.types;
    let holding = holding(types);
    if holding.contains(&true) {
        let mut told = FxHashSet::default();
        fields(program, &holding, &own, found);
        for routine in program.routines.iter().filter(|r| !r.library) {
            let mut report = |ty: TypeId, span: Span| {
                // Of an `Array` and a `Slice` of it, once.
                let what = match types.get(ty) {
                    Type::Array(element) | Type::Slice(element) => *element,
                    _ => ty,
                };
                if holding[ty.0 as usize] && !of_user(types, ty, &own) && told.insert(what) {
                    found.push(
                        Diagnostic::error(
                            span,
                            format!("a `Slice` cannot be stored, here in a value of type `{}`", types.name(ty)),
                        )
                        .label("holds a view")
                        .help("keep the elements in an `Array`: `.copy()`"),
                    );
                }
            };
            for local in &routine.locals {
                report(local.ty, local.span);
            }
            if let Body::Code(body) = &routine.body {
                expressions(body, &mut report);
            }
        }
    }
    for global in &program.globals {
        if matches!(types.get(global.ty), Type::Slice(_)) || holding[global.ty.0 as usize] {
            found.push(
                Diagnostic::error(global.span, format!("a `Slice` cannot be a constant, as `{}` is", global.name))
                    .label("a view must not be stored")
                    .help("keep the elements in an `Array`: `.copy()`"),
            );
        }
    }
}

fn expressions(e: &Expr, report: &mut dyn FnMut(TypeId, Span)) {
    report(e.ty, e.span);
    children(e, &mut |part| expressions(part, report));
}

/// Fields and payloads that the program itself declares as slices.
fn fields(program: &Program, holding: &[bool], own: &FxHashSet<FileId>, found: &mut Vec<Diagnostic>) {
    let types = &program.types;
    let mut told = FxHashSet::default();
    for id in (0..types.len() as u32).map(TypeId) {
        let all: Vec<_> = match types.get(id) {
            Type::Struct(s) => types.structure(*s).fields.iter().collect(),
            Type::Union(u) => types.union(*u).variants.iter().flat_map(|v| &v.payload).collect(),
            _ => continue,
        };
        for field in all {
            let slice = matches!(types.get(field.ty), Type::Slice(_)) || holding[field.ty.0 as usize];
            if slice && of_user(types, id, own) && told.insert(field.span) {
                found.push(
                    Diagnostic::error(field.span, "a `Slice` cannot be a field or a payload")
                        .label(format!("`{}`", types.name(field.ty)))
                        .help("keep an `Array`, or pass the slice as a parameter"),
                );
            }
        }
    }
}

/// Whether the type is a struct or union of the program itself.
fn of_user(types: &Types, ty: TypeId, own: &FxHashSet<FileId>) -> bool {
    match types.get(ty) {
        Type::Struct(s) => own.contains(&types.structure(*s).span.file),
        Type::Union(u) => own.contains(&types.union(*u).span.file),
        _ => false,
    }
}

/// Types that contain a slice other than themselves: a fixpoint, since types may contain themselves.
pub fn holding(types: &Types) -> Vec<bool> {
    let mut holding = vec![false; types.len()];
    let is = |holding: &[bool], ty: TypeId| holding[ty.0 as usize] || matches!(types.get(ty), Type::Slice(_));
    if !(0..types.len() as u32).any(|id| is(&holding, TypeId(id))) {
        return holding;
    }
    loop {
        let mut grown = false;
        for id in (0..types.len() as u32).map(TypeId) {
            let holds = match types.get(id) {
                Type::Array(t) | Type::Vector(t) | Type::Slice(t) => is(&holding, *t),
                Type::Struct(s) => types.structure(*s).fields.iter().any(|f| is(&holding, f.ty)),
                Type::Union(u) => types.union(*u).variants.iter().flat_map(|v| &v.payload).any(|f| is(&holding, f.ty)),
                _ => false,
            };
            grown |= holds && !holding[id.0 as usize];
            holding[id.0 as usize] |= holds;
        }
        if !grown {
            return holding;
        }
    }
}
