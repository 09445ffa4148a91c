//! Walks over trees, for reducing them.

use crate::tree::*;

/// Every block of a program, outer ones first.
pub fn blocks(program: &mut Program, visit: &mut dyn FnMut(&mut Block)) {
    for routine in &mut program.routines {
        block(&mut routine.body, visit);
    }
    block(&mut program.main, visit);
}

fn block(body: &mut Block, visit: &mut dyn FnMut(&mut Block)) {
    visit(body);
    for statement in body {
        for inner in bodies(statement) {
            block(inner, visit);
        }
    }
}

/// The blocks directly inside a statement.
pub fn bodies(statement: &mut Statement) -> Vec<&mut Block> {
    match statement {
        Statement::If(_, then, otherwise) => vec![then, otherwise],
        Statement::While { body, .. }
        | Statement::Counted { body, .. }
        | Statement::Repeat { body, .. }
        | Statement::Range { body, .. }
        | Statement::Each { body, .. }
        | Statement::Block(body) => vec![body],
        Statement::Choose(_, arms, otherwise) => arms.iter_mut().map(|(_, body)| body).chain(otherwise).collect(),
        Statement::Match(_, cases, otherwise) => cases.iter_mut().map(|(_, body)| body).chain([otherwise]).collect(),
        _ => Vec::new(),
    }
}

/// Every expression of a program, outer ones first.
pub fn expressions(program: &mut Program, visit: &mut dyn FnMut(&mut Expr)) {
    blocks(program, &mut |body| {
        for statement in body {
            for expr in own(statement) {
                expression(expr, visit);
            }
        }
    });
}

fn expression(expr: &mut Expr, visit: &mut dyn FnMut(&mut Expr)) {
    visit(expr);
    for inner in children(expr) {
        expression(inner, visit);
    }
}

/// The expressions directly in a statement.
fn own(statement: &mut Statement) -> Vec<&mut Expr> {
    fn of_place(place: &mut Place) -> impl Iterator<Item = &mut Expr> {
        place.steps.iter_mut().filter_map(|step| match step {
            Step::Field(_) => None,
            Step::Index(index) => Some(index),
        })
    }
    match statement {
        Statement::Let { value, .. } => value.iter_mut().collect(),
        Statement::Assign { place, value, .. }
        | Statement::Update { place, value, .. }
        | Statement::Push(place, value)
        | Statement::Append(place, value)
        | Statement::Remove(_, place, value)
        | Statement::MapRemove(_, place, value) => of_place(place).chain([value]).collect(),
        Statement::Insert(place, a, b) | Statement::Swap(place, a, b) | Statement::MapSet(place, a, b) => {
            of_place(place).chain([a, b]).collect()
        }
        Statement::Pop(_, place) | Statement::Clear(place) | Statement::Sort(place) | Statement::Reverse(place) => {
            of_place(place).collect()
        }
        Statement::If(condition, ..) | Statement::While { condition, .. } => vec![condition],
        Statement::Counted { end, .. } => vec![end],
        Statement::Range { low, high, .. } => low.iter_mut().chain([high]).collect(),
        Statement::Each { of, .. } => vec![of],
        Statement::Return(value) => value.iter_mut().collect(),
        Statement::Print(values) => values.iter_mut().collect(),
        Statement::Call(call) => vec![call],
        Statement::Choose(subject, ..) => vec![subject],
        Statement::Match(subject, cases, _) => {
            [subject].into_iter().chain(cases.iter_mut().flat_map(|(values, _)| values)).collect()
        }
        Statement::Exit(_) | Statement::ReadLine(_) => Vec::new(),
        Statement::Repeat { .. } | Statement::Break(_) | Statement::Continue(_) | Statement::Block(_) => Vec::new(),
    }
}

/// The expressions directly inside another.
pub fn children(expr: &mut Expr) -> Vec<&mut Expr> {
    match expr {
        Expr::Unary(_, a) | Expr::Cast(a, _) | Expr::Is(a, _) | Expr::Field(a, _) | Expr::Some(a) => vec![a],
        Expr::Binary(_, a, b)
        | Expr::Index(a, b)
        | Expr::Filled(_, a, b)
        | Expr::Map(a, _, b)
        | Expr::Filter(a, _, b) => {
            vec![a, b]
        }
        Expr::Lambda(_, body) => vec![body],
        Expr::Apply(function, args) => [&mut **function].into_iter().chain(args).collect(),
        Expr::If(a, b, c) | Expr::Fold(a, b, _, _, c) => vec![a, b, c],
        Expr::Choose(subject, arms) => {
            [&mut **subject].into_iter().chain(arms.iter_mut().map(|(_, value)| value)).collect()
        }
        Expr::Call(_, args)
        | Expr::Library(_, args)
        | Expr::Struct(_, args)
        | Expr::Union(_, _, args)
        | Expr::Array(args) => args.iter_mut().collect(),
        Expr::Format(parts, _) => parts.iter_mut().map(|(_, value)| value).collect(),
        Expr::Int { .. }
        | Expr::F64(_)
        | Expr::F32 { .. }
        | Expr::Bool(_)
        | Expr::Char(_)
        | Expr::Text(_)
        | Expr::Var(_)
        | Expr::Const(_)
        | Expr::None
        | Expr::Routine(_)
        | Expr::EmptyMap(..) => Vec::new(),
    }
}
