//! Parameters that are given up to the routine.
//!
//! What a parameter is given stays the caller's, so a routine that makes it part of its result copies it; where that is a
//! routine like `add(a, b)`, which chooses between `Sum(a, b)` and what is simpler, each level of a recursion would copy all
//! that the levels below have made. What a call gives, though, is nobody else's. Where such a temporary is an argument for
//! a parameter that may become part of the result, a variant of the routine is called: its parameter is [`Taken`], an
//! owner like a local of the result. The argument is made in the region of the result; what is not moved there in the end is
//! freed.
//!
//! [`Taken`]: LocalKind::Taken

use rustc_hash::{FxHashMap, FxHashSet};

use super::slices;
use super::summary::{Flags, Summaries};
use super::walk::{children, children_mut};
use crate::check::hir::{self, Body, Expr, ExprKind, LocalId, LocalKind, Program, RoutineId, RoutineKind};

/// Makes variants of routines and lets calls go to them. The summaries are those of the program before; whether it has been
/// changed.
pub fn variants(program: &mut Program, summaries: &Summaries) -> bool {
    let holding = slices::holding(&program.types);
    let ids = (0..program.routines.len() as u32).map(RoutineId);
    let given: Vec<Vec<bool>> = ids.map(|id| given(program, summaries, id, &holding)).collect();
    if given.iter().all(|params| !params.contains(&true)) {
        return false;
    }
    let mut variants = Variants { given, known: FxHashMap::default(), made: Vec::new() };
    for i in 0..program.routines.len() {
        let Body::Code(body) = &mut program.routines[i].body else { continue };
        let nothing = Expr { kind: ExprKind::Nothing, ty: body.ty, span: body.span };
        let mut code = std::mem::replace(&mut **body, nothing);
        variants.visit(program, &mut code);
        program.routines[i].body = Body::Code(Box::new(code));
    }
    for (of, taken) in &variants.made {
        let routine = variant(program.routine(*of), taken);
        program.routines.push(routine);
    }
    !variants.made.is_empty()
}

struct Variants {
    /// By routine and parameter: it may become part of the result.
    given: Vec<Vec<bool>>,
    known: FxHashMap<(RoutineId, Vec<bool>), RoutineId>,
    made: Vec<(RoutineId, Vec<bool>)>,
}

impl Variants {
    fn visit(&mut self, program: &Program, e: &mut Expr) {
        if let ExprKind::Call { routine, arguments } = &mut e.kind {
            let given = &self.given[routine.0 as usize];
            let taken: Vec<bool> =
                given.iter().zip(&*arguments).map(|(&given, argument)| given && temporary(program, argument)).collect();
            // What has been made for the result would be left behind by an argument that leaves.
            if taken.contains(&true) && !arguments.iter().any(leaves) {
                let next = RoutineId((program.routines.len() + self.made.len()) as u32);
                let key = (*routine, taken);
                *routine = match self.known.get(&key) {
                    Some(&variant) => variant,
                    None => {
                        self.made.push(key.clone());
                        self.known.insert(key, next);
                        next
                    }
                };
            }
        }
        children_mut(e, &mut |part| self.visit(program, part));
    }
}

/// Which parameters of a routine may become part of its result, as a whole, and are not changed before.
fn given(program: &Program, summaries: &Summaries, id: RoutineId, holding: &[bool]) -> Vec<bool> {
    let routine = program.routine(id);
    let types = &program.types;
    let mut given = vec![false; routine.params.len()];
    let fits = matches!(
        routine.kind,
        RoutineKind::Function | RoutineKind::Procedure | RoutineKind::Operator | RoutineKind::Init
    );
    let Body::Code(body) = &routine.body else { return given };
    let result = routine.result;
    if !fits || !types.owns(result) || holding[result.0 as usize] {
        return given;
    }
    for (i, &param) in routine.params.iter().enumerate() {
        let ty = routine.locals[param.0 as usize].ty;
        given[i] = types.owns(ty)
            && !holding[ty.0 as usize]
            && !summaries.parameter(id, i).has(Flags::ANY_WRITE | Flags::VIEWED);
    }
    // Only then is the body looked at: nearly every routine is done with here.
    if given.contains(&true) {
        let (captured, returned) = (has_lambda(body), parts_of_result(routine, body));
        for (given, param) in given.iter_mut().zip(&routine.params) {
            *given &= !captured && returned.contains(param);
        }
    }
    given
}

/// The locals that may become part of what a routine gives back: at its end, or by way of others.
fn parts_of_result(routine: &hir::Routine, body: &Expr) -> FxHashSet<LocalId> {
    let mut found = FxHashSet::default();
    body.given_back(&mut found);
    // What an initializer makes.
    if routine.kind == RoutineKind::Init {
        let made = (0..routine.locals.len() as u32).map(LocalId);
        found.extend(made.filter(|local| routine.locals[local.0 as usize].name == "this"));
    }
    loop {
        let before = found.len();
        stored(body, &mut found);
        if found.len() == before {
            return found;
        }
    }
}

/// Adds what is returned, or stored in one of those found.
fn stored(e: &Expr, found: &mut FxHashSet<LocalId>) {
    match &e.kind {
        ExprKind::Return(Some(value)) => value.given_back(found),
        ExprKind::Let { local, value, .. } if found.contains(local) => value.given_back(found),
        ExprKind::Assign { place, value } if root(place).is_some_and(|local| found.contains(&local)) => {
            value.given_back(found);
        }
        _ => {}
    }
    children(e, &mut |part| stored(part, found));
}

/// The local that a place without indexes is, or lies in.
fn root(place: &Expr) -> Option<LocalId> {
    match &place.kind {
        ExprKind::Local(local) => Some(*local),
        ExprKind::Field { base, .. } | ExprKind::Payload { base, .. } => root(base),
        _ => None,
    }
}

/// Whether evaluating it may leave what is around it.
fn leaves(e: &Expr) -> bool {
    let mut found = matches!(e.kind, ExprKind::Return(_) | ExprKind::Break(_) | ExprKind::Continue(_));
    children(e, &mut |part| found = found || leaves(part));
    found
}

fn has_lambda(e: &Expr) -> bool {
    let mut found = matches!(e.kind, ExprKind::Lambda { .. });
    children(e, &mut |part| found = found || has_lambda(part));
    found
}

/// Whether a value that owns storage is nobody else's.
fn temporary(program: &Program, e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Call { .. } | ExprKind::CallValue { .. } => true,
        ExprKind::Variant { payload: items, .. } | ExprKind::Struct(items) | ExprKind::Elements(items) => {
            let own = |item: &Expr| !program.types.owns(item.ty) || temporary(program, item);
            items.iter().all(own)
        }
        _ => false,
    }
}

/// The routine once more, with these parameters taken.
fn variant(routine: &hir::Routine, taken: &[bool]) -> hir::Routine {
    let mut made = routine.clone();
    let taken: FxHashSet<LocalId> =
        made.params.iter().zip(taken).filter(|&(_, &taken)| taken).map(|(&param, _)| param).collect();
    for param in taken {
        made.locals[param.0 as usize].kind = LocalKind::Taken;
    }
    made
}
