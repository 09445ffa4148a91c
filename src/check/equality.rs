//! Equality by content, and `is`: which variant a union is.

use std::rc::Rc;

use super::Checker;
use super::declarations::RoutineDeclId;
use super::hir::{Expr, ExprKind, Type, TypeId, Types};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast::{self, BinaryOp};

impl<'a> Checker<'a> {
    pub fn equality(&mut self, op: BinaryOp, op_span: Span, l: Expr, r: Expr, span: Span) -> Expr {
        let (l, r) = self.promote(l, r);
        let joined = match (self.out.types.element(l.ty), self.out.types.element(r.ty)) {
            (Some(a), Some(b)) if a == b && l.ty != r.ty => Some(self.out.types.intern(Type::Slice(a))),
            _ => self.join(l.ty, r.ty),
        };
        let Some(ty) = joined else { return self.no_operator(op, op_span, &l, &r, span) };
        if self.reports_incomparable(ty, op_span) {
            return self.failed(span);
        }
        let l = self.coerce(l, ty, None);
        let r = self.coerce(r, ty, None);
        self.note_equals(ty, span);
        let negate = op == BinaryOp::NotEqual;
        // Against a variant without a payload the tag is enough.
        let (l, r) = match (bare_variant(&l), bare_variant(&r)) {
            (_, Some(variant)) => return is_variant(l, variant, negate, span),
            (Some(variant), None) => return is_variant(r, variant, negate, span),
            (None, None) => (l, r),
        };
        Expr::new(ExprKind::Equal { left: Box::new(l), right: Box::new(r), negate }, Types::BOOL, span)
    }

    /// Reports a type whose values have no equality.
    pub fn reports_incomparable(&mut self, ty: TypeId, op_span: Span) -> bool {
        let Some(part) = self.incomparable(ty) else { return false };
        let name = self.type_name(ty);
        let part_name = self.type_name(part);
        let message = if part == ty {
            format!("values of type `{name}` cannot be compared")
        } else {
            format!("values of type `{name}` cannot be compared: there is a `{part_name}` in them")
        };
        self.report(Diagnostic::error(op_span, message).label("functions have no equality"));
        true
    }

    /// The part of a type that has no equality.
    pub fn incomparable(&self, ty: TypeId) -> Option<TypeId> {
        self.out.types.parts(ty).into_iter().find(|&part| matches!(self.out.types.get(part), Type::Function { .. }))
    }

    /// Makes sure that the parts of a type with an `operator =` are compared by it.
    fn note_equals(&mut self, ty: TypeId, span: Span) {
        if !self.compared.insert(ty) {
            return;
        }
        for part in self.out.types.parts(ty) {
            if self.out.equals.contains_key(&part) {
                continue;
            }
            if let Some((id, owner)) = self.own_equality(part) {
                let routine = self.instance(id, &owner, span);
                self.out.equals.insert(part, routine);
            }
        }
    }

    /// The `operator =` of a struct or union by which its values are compared, and its type arguments.
    pub fn own_equality(&mut self, ty: TypeId) -> Option<(RoutineDeclId, Rc<[TypeId]>)> {
        let symbol = self.interner.find(BinaryOp::Equal.text())?;
        if !self.is_composite(ty) {
            return None;
        }
        let (routines, owner, _) = self.find_methods(ty, symbol)?;
        let fits = |c: &mut Self, id| {
            let signature = c.signature(id, &owner);
            *signature.params == [ty] && signature.result == Types::BOOL
        };
        let id = routines.into_iter().find(|&id| fits(self, id))?;
        Some((id, owner))
    }

    /// `e is V`, `e is null`.
    pub fn is(&mut self, is: &'a ast::Is, span: Span) -> Expr {
        let value = self.value(&is.value, None);
        if value.ty == Types::ERROR || value.ty == Types::NEVER {
            return value;
        }
        let variant = match is.variant.as_slice() {
            [] => match self.option(value.ty) {
                Some((_, shape)) => Some(shape.none),
                None => {
                    let name = self.type_name(value.ty);
                    self.report(
                        Diagnostic::error(span, format!("a `{name}` is never null"))
                            .label("only optional values can be null")
                            .help(format!("declare it as `{name}?` if it may be missing")),
                    );
                    None
                }
            },
            path => self.variant_of(value.ty, path),
        };
        let Some(variant) = variant else { return self.failed(span) };
        Expr::new(ExprKind::Is { operand: Box::new(value), variant }, Types::BOOL, span)
    }

    /// The variant of a union that is named by `V` or `U.V`.
    pub fn variant_of(&mut self, ty: TypeId, path: &[ast::Name]) -> Option<u32> {
        let name = *path.last()?;
        let text = self.text(name.symbol);
        let &Type::Union(id) = self.out.types.get(ty) else {
            let found = self.type_name(ty);
            self.report(
                Diagnostic::error(name.span, format!("a `{found}` has no variants"))
                    .label(format!("`{text}` is no variant of it")),
            );
            return None;
        };
        if let [union, _] = path
            && let Some(super::types::TypeName::Declared(decl)) = self.find_type(union.symbol)
            && decl != self.union_decls[id.0 as usize]
            && !matches!(self.decls.ty(decl).define.kind, ast::DefineKind::Alias { .. })
        {
            let found = self.type_name(ty);
            self.report(
                Diagnostic::error(union.span, format!("this is a `{found}`, not a `{}`", self.text(union.symbol)))
                    .label("another union"),
            );
            return None;
        }
        let decl = self.union_decls[id.0 as usize];
        let ast::DefineKind::Union { variants, .. } = &self.decls.ty(decl).define.kind else { return None };
        if let Some(at) = variants.iter().position(|v| v.name.symbol == name.symbol) {
            return Some(at as u32);
        }
        let near = self.near(name.symbol, variants.iter().map(|v| v.name.symbol));
        let union = self.type_name(ty);
        let all = variants.iter().map(|v| format!("`{}`", self.text(v.name.symbol))).collect::<Vec<_>>().join(", ");
        let mut diagnostic =
            Diagnostic::error(name.span, format!("`{union}` has no variant `{text}`")).label("unknown variant");
        diagnostic = match near {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(format!("its variants are {all}")),
        };
        let diagnostic = self.defined_here(diagnostic, self.decls.ty(decl).span);
        self.report(diagnostic);
        None
    }
}

/// The variant that an expression is, if it has no payload.
fn bare_variant(e: &Expr) -> Option<u32> {
    match &e.kind {
        ExprKind::Variant { variant, payload } if payload.is_empty() => Some(*variant),
        _ => None,
    }
}

fn is_variant(operand: Expr, variant: u32, negate: bool, span: Span) -> Expr {
    let is = Expr::new(ExprKind::Is { operand: Box::new(operand), variant }, Types::BOOL, span);
    if negate { Expr::new(ExprKind::Not(Box::new(is)), Types::BOOL, span) } else { is }
}
