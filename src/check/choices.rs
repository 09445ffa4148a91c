//! `if`, `match`, `choose`: what their arms give.

use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;

use super::Checker;
use super::fold::{Value, fold, is_signed};
use super::hir::{self, ChooseArm, Expr, ExprKind, LocalId, LocalKind, MatchArm, Type, TypeId, Types};
use super::statements::Want;
use super::types::count;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast::{self, WhenBinding};

impl<'a> Checker<'a> {
    /// Checks the arms of a choice and brings what they give to one type. Arms of literals only take the type of the
    /// others, so they are checked last.
    fn arms<T: Copy>(
        &mut self,
        arms: &[(T, &'a ast::Body)],
        want: Want,
        mut check: impl FnMut(&mut Self, T, &'a ast::Body, Want) -> Expr,
    ) -> (Vec<Expr>, TypeId) {
        let Want::Value(hint) = want else {
            let list: Vec<Expr> = arms.iter().map(|&(key, body)| check(self, key, body, Want::Nothing)).collect();
            let never = !list.is_empty() && list.iter().all(|e| e.ty == Types::NEVER);
            return (list, if never { Types::NEVER } else { Types::VOID });
        };
        let mut list: Vec<Option<Expr>> = Vec::with_capacity(arms.len());
        list.resize_with(arms.len(), || None);
        let mut joined: Option<TypeId> = None;
        let mut first: Option<Span> = None;
        let mut conflict = None;
        for flexible in [false, true] {
            for (i, &(key, body)) in arms.iter().enumerate() {
                if self.leaning_body(body) != flexible {
                    continue;
                }
                let expected = hint.or(joined);
                let e = check(self, key, body, Want::Value(expected));
                if e.ty != Types::NEVER && e.ty != Types::ERROR {
                    match joined {
                        None => {
                            joined = Some(e.ty);
                            first = Some(tail(&e));
                        }
                        Some(known) => match self.join(known, e.ty) {
                            Some(ty) => joined = Some(ty),
                            None => conflict = conflict.or(Some((tail(&e), e.ty, known))),
                        },
                    }
                }
                list[i] = Some(e);
            }
        }
        let list: Vec<Expr> = list.into_iter().flatten().collect();
        if list.iter().any(|e| e.ty == Types::ERROR) {
            return (list, Types::ERROR);
        }
        let Some(mut joined) = joined else { return (list, Types::NEVER) };
        if let Some((span, ty, known)) = conflict {
            match hint {
                // Who asked for the type says what is wrong.
                Some(hint) if hint != Types::VOID => joined = hint,
                _ if ty == Types::VOID || known == Types::VOID => {
                    // Without a value there is nothing to agree on; who wants one will say so.
                    return (list, Types::VOID);
                }
                _ => {
                    // The earlier branch first, in whatever order they were checked.
                    let swapped = first.is_some_and(|first| span.start < first.start);
                    let (span, first) = if swapped { (first.unwrap_or(span), Some(span)) } else { (span, first) };
                    let (known, ty) = if swapped { (ty, known) } else { (known, ty) };
                    let (a, b) = (self.type_name(known), self.type_name(ty));
                    let mut diagnostic =
                        Diagnostic::error(span, format!("the branches give different types: `{a}` and `{b}`"))
                            .label(format!("a `{b}`"));
                    if let Some(first) = first {
                        diagnostic = diagnostic.secondary(first, format!("a `{a}`"));
                    }
                    if self.is_number(known) && self.is_number(ty) {
                        diagnostic = self.help_convert(diagnostic, span, &a);
                    }
                    self.report(diagnostic);
                    return (list, Types::ERROR);
                }
            }
        }
        let list: Vec<Expr> = list.into_iter().map(|e| self.coerce(e, joined, None)).collect();
        let ty = if list.iter().any(|e| e.ty == Types::ERROR) { Types::ERROR } else { joined };
        (list, ty)
    }

    pub fn if_(&mut self, i: &'a ast::If, span: Span, want: Want) -> Expr {
        let condition = self.condition(&i.condition);
        let Some(otherwise) = &i.otherwise else {
            // Where a value is wanted this is an error, which is told there.
            let then = self.body(&i.then, want);
            if condition.ty == Types::ERROR {
                return self.failed(span);
            }
            let kind = ExprKind::If { condition: Box::new(condition), then: Box::new(then), otherwise: None };
            return Expr::new(kind, Types::VOID, span);
        };
        let (list, ty) = self.arms(&[((), &i.then), ((), otherwise)], want, |c, (), body, want| c.body(body, want));
        if condition.ty == Types::ERROR || ty == Types::ERROR {
            return self.failed(span);
        }
        let mut list = list.into_iter();
        let (Some(then), Some(otherwise)) = (list.next(), list.next()) else { return self.failed(span) };
        let kind =
            ExprKind::If { condition: Box::new(condition), then: Box::new(then), otherwise: Some(Box::new(otherwise)) };
        Expr::new(kind, ty, span)
    }

    pub fn match_(&mut self, m: &'a ast::Match, span: Span, want: Want) -> Expr {
        let value = self.value(&m.subject, None);
        let failed = value.ty == Types::ERROR;
        let subject = self.temporary(value.ty, value.span);
        let mut values = Vec::new();
        let mut seen = FxHashMap::default();
        let mut wrong = failed;
        for arm in &m.arms {
            let mut cases = Vec::new();
            for case in &arm.values {
                let case_value = self.alone(|c| c.value(case, Some(value.ty)));
                let case_value = match (case_value.ty, value.ty) {
                    (Types::I64, Types::F64) => {
                        let at = case_value.span;
                        Expr::new(ExprKind::Convert(Box::new(case_value)), Types::F64, at)
                    }
                    _ => self.coerce(case_value, value.ty, Some((value.span, "compared with this"))),
                };
                wrong |= case_value.ty == Types::ERROR;
                self.handled_twice(&mut seen, &case_value, case.span);
                cases.push(case_value);
            }
            values.push(cases);
        }
        let mut bodies: Vec<((), &'a ast::Body)> = m.arms.iter().map(|a| ((), &a.body)).collect();
        if let Some(otherwise) = &m.otherwise {
            bodies.push(((), otherwise));
        }
        let (mut list, mut ty) = self.arms(&bodies, want, |c, (), body, want| c.body(body, want));
        if wrong || ty == Types::ERROR {
            return self.failed(span);
        }
        let otherwise = if m.otherwise.is_some() { list.pop().map(Box::new) } else { None };
        if otherwise.is_none() {
            ty = Types::VOID;
        }
        let arms = list
            .into_iter()
            .zip(values)
            .zip(&m.arms)
            .map(|((body, values), arm)| MatchArm { values, body, span: arm.span })
            .collect();
        Expr::new(ExprKind::Match { subject, value: Box::new(value), arms, otherwise }, ty, span)
    }

    /// Reports a case whose value an earlier one has too; `seen` has the values that are known while checking, as texts
    /// that are the same for values that are equal.
    fn handled_twice(&mut self, seen: &mut FxHashMap<String, Span>, case: &Expr, at: Span) {
        let Some(value) = fold(case, &self.out.types) else { return };
        let text = match &value {
            Value::Int(n) if matches!(self.int_kind(case.ty), Some(kind) if !is_signed(kind)) => {
                (*n as u64).to_string()
            }
            Value::Int(n) => n.to_string(),
            // Both zeros are equal, and no NaN is.
            Value::Float(x) if x.is_nan() => return,
            Value::Float(x) => format!("{:?}", x + 0.0),
            Value::Bool(b) => b.to_string(),
            Value::Char(c) => format!("`{}`", c.escape_debug()),
            Value::Text(text) => format!("{text:?}"),
        };
        match seen.entry(text) {
            Entry::Occupied(earlier) => {
                let message = format!("the value {} is handled twice", in_backticks(earlier.key()));
                let diagnostic =
                    Diagnostic::error(at, message).label("never gets here").secondary(*earlier.get(), "handled here");
                self.report(diagnostic);
            }
            Entry::Vacant(place) => {
                place.insert(at);
            }
        }
    }

    pub fn choose(&mut self, c: &'a ast::Choose, span: Span, want: Want) -> Expr {
        let subject = self.value(&c.subject, None);
        let union = match self.out.types.get(subject.ty) {
            Type::Union(id) => Some(*id),
            Type::Error | Type::Never => None,
            _ => {
                let found = self.type_name(subject.ty);
                self.report(
                    Diagnostic::error(subject.span, format!("`choose` needs a union, not a `{found}`"))
                        .label("has no variants")
                        .help("to compare values, use `match … case … else`"),
                );
                None
            }
        };
        let mut chosen: Vec<Option<u32>> = Vec::with_capacity(c.arms.len());
        let mut seen: Vec<Option<Span>> = Vec::new();
        if let Some(id) = union {
            seen.resize(self.out.types.union(id).variants.len(), None);
        }
        for arm in &c.arms {
            let variant = union.and_then(|_| self.variant_of(subject.ty, &arm.variant));
            if let (Some(v), Some(name)) = (variant, arm.variant.last()) {
                match seen[v as usize] {
                    Some(earlier) => {
                        let text = self.text(name.symbol);
                        self.report(
                            Diagnostic::error(name.span, format!("the variant `{text}` is handled twice"))
                                .label("never gets here")
                                .secondary(earlier, "handled here"),
                        );
                    }
                    None => seen[v as usize] = Some(name.span),
                }
            }
            chosen.push(variant);
        }
        let unknown = union.is_some() && chosen.contains(&None);
        if let (Some(id), None, false) = (union, &c.otherwise, unknown) {
            self.exhaustive(id, &seen, span, subject.span);
        }
        let mut bodies: Vec<(Option<usize>, &'a ast::Body)> =
            c.arms.iter().enumerate().map(|(i, a)| (Some(i), &a.body)).collect();
        if let Some(otherwise) = &c.otherwise {
            bodies.push((None, otherwise));
        }
        let mut bindings: Vec<Vec<Option<LocalId>>> = vec![Vec::new(); c.arms.len()];
        let ty = subject.ty;
        let (mut list, result) = self.arms(&bodies, want, |checker, arm, body, want| match arm {
            None => checker.body(body, want),
            Some(i) => {
                let mark = checker.scopes.open();
                let (names, first) = checker.arm_bindings(&c.arms[i], ty, chosen[i]);
                let mut body = checker.body(body, want);
                checker.scopes.close(mark);
                if let (Some(first), ExprKind::Block(list)) = (first, &mut body.kind) {
                    list.insert(0, first);
                }
                bindings[i] = names;
                body
            }
        });
        if union.is_none() || unknown || result == Types::ERROR {
            return self.failed(span);
        }
        let otherwise = if c.otherwise.is_some() { list.pop().map(Box::new) } else { None };
        let arms = list
            .into_iter()
            .zip(bindings)
            .zip(chosen)
            .zip(&c.arms)
            .filter_map(|(((body, bindings), variant), arm)| {
                Some(ChooseArm { variant: variant?, bindings, body, span: arm.span })
            })
            .collect();
        Expr::new(ExprKind::Choose { subject: Box::new(subject), arms, otherwise }, result, span)
    }

    fn exhaustive(&mut self, id: hir::UnionId, seen: &[Option<Span>], span: Span, subject: Span) {
        let missing: Vec<String> = self
            .out
            .types
            .union(id)
            .variants
            .iter()
            .zip(seen)
            .filter(|(_, seen)| seen.is_none())
            .map(|(v, _)| format!("`{}`", v.name))
            .collect();
        if missing.is_empty() {
            return;
        }
        let (noun, verb) = if missing.len() == 1 { ("variant", "is") } else { ("variants", "are") };
        let shown = if missing.len() > 4 {
            format!("{} and {} more", missing[..3].join(", "), missing.len() - 3)
        } else {
            missing.join(", ")
        };
        let _ = span;
        self.report(
            Diagnostic::error(subject, format!("the {noun} {shown} {verb} not handled"))
                .label("not every value finds an arm")
                .help(format!("add `when {}`, or an `else`", missing[0].trim_matches('`'))),
        );
    }

    /// The locals of an arm: one for each payload field, and what makes the whole payload of an inline one.
    fn arm_bindings(
        &mut self,
        arm: &'a ast::WhenArm,
        ty: TypeId,
        variant: Option<u32>,
    ) -> (Vec<Option<LocalId>>, Option<Expr>) {
        let (id, variant) = match (self.out.types.get(ty), variant) {
            (Type::Union(id), Some(variant)) => (*id, variant),
            _ => {
                // Nothing is known of the payload: the names exist all the same.
                let names = match &arm.binding {
                    WhenBinding::None => &[],
                    WhenBinding::Whole(name) => std::slice::from_ref(name),
                    WhenBinding::Fields(names) => names.as_slice(),
                };
                for &name in names {
                    self.bind(name, Types::ERROR, LocalKind::Binding);
                }
                return (Vec::new(), None);
            }
        };
        let case = &self.out.types.union(id).variants[variant as usize];
        let (name, inline) = (case.name.clone(), case.inline);
        let fields: Vec<TypeId> = case.payload.iter().map(|f| f.ty).collect();
        match &arm.binding {
            WhenBinding::None => (Vec::new(), None),
            WhenBinding::Fields(names) => {
                if names.len() != fields.len() {
                    let last = names.last().map_or(arm.span, |n| n.span);
                    let at = names.first().map_or(arm.span, |n| n.span.to(last));
                    let mut diagnostic = if fields.is_empty() {
                        Diagnostic::error(at, format!("the variant `{name}` has no payload")).label("nothing to name")
                    } else {
                        let message =
                            format!("`{name}` has {}, not {}", count(fields.len(), "payload field"), names.len());
                        Diagnostic::error(at, message).label("another number of names")
                    };
                    if fields.len() == 1 && !inline && names.len() > 1 {
                        diagnostic =
                            diagnostic.help(format!("name the payload, then its fields: `when x: {name}`, `x.field`"));
                    } else if fields.len() > names.len() {
                        diagnostic = diagnostic.help("`_` stands for a field that is not needed");
                    }
                    self.report(diagnostic);
                }
                let mut locals = Vec::new();
                for (i, &name) in names.iter().enumerate() {
                    let ty = fields.get(i).copied().unwrap_or(Types::ERROR);
                    let discard = name.symbol == self.known.discard;
                    let local = (!discard).then(|| self.bind(name, ty, LocalKind::Binding));
                    if i < fields.len() {
                        locals.push(local);
                    }
                }
                (locals, None)
            }
            &WhenBinding::Whole(whole) => {
                if let ([field], false) = (fields.as_slice(), inline) {
                    let discard = whole.symbol == self.known.discard;
                    let local = (!discard).then(|| self.bind(whole, *field, LocalKind::Binding));
                    return (vec![local], None);
                }
                if fields.is_empty() {
                    let text = self.text(whole.symbol);
                    self.report(
                        Diagnostic::error(whole.span, format!("the variant `{name}` has no payload"))
                            .label(format!("nothing that could be `{text}`"))
                            .help(format!("write `when {name}`")),
                    );
                    self.bind(whole, Types::ERROR, LocalKind::Binding);
                    return (Vec::new(), None);
                }
                let made = self.payload_struct(id, variant);
                let mut locals = Vec::new();
                let mut parts = Vec::new();
                for &field in &fields {
                    let local = self.local(String::new(), field, LocalKind::Binding, whole.span);
                    locals.push(Some(local));
                    parts.push(Expr::new(ExprKind::Local(local), field, whole.span));
                }
                let local = self.bind(whole, made, LocalKind::Binding);
                let value = Box::new(Expr::new(ExprKind::Struct(parts), made, whole.span));
                let first = Expr::new(ExprKind::Let { local, value, view: false }, Types::VOID, whole.span);
                (locals, Some(first))
            }
        }
    }

    /// The struct that an inline payload is, when it is named as a whole.
    fn payload_struct(&mut self, id: hir::UnionId, variant: u32) -> TypeId {
        if let Some(&ty) = self.payload_structs.get(&(id, variant)) {
            return ty;
        }
        let union = self.out.types.union(id);
        let case = &union.variants[variant as usize];
        let fields = case.payload.iter().map(|f| hir::Field { boxed: false, ..f.clone() }).collect();
        let def = hir::Struct { name: case.name.clone(), arguments: Vec::new(), fields, span: union.span };
        self.struct_decls.push(None);
        let ty = self.out.types.add_struct(def).1;
        self.payload_structs.insert((id, variant), ty);
        ty
    }
}

/// What a body ends with.
fn tail(e: &Expr) -> Span {
    match &e.kind {
        ExprKind::Block(list) => list.last().map_or(e.span, tail),
        _ => e.span,
    }
}

/// A value as a message names it; a character has its backticks.
fn in_backticks(value: &str) -> String {
    if value.starts_with('`') { value.to_string() } else { format!("`{value}`") }
}
