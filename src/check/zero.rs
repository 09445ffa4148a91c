//! What a variable without a value holds.
//!
//! Numbers, `false`, "", empty arrays, `None`, and structs without inits of such. A field's default stands in for its zero;
//! where it is not all zero bits, the value is built field by field.

use super::Checker;
use super::hir::{Expr, ExprKind, StructId, Type, TypeId, Types};
use crate::diagnostic::Diagnostic;
use crate::lower::MOST_SLOTS;
use crate::source::Span;
use crate::syntax::ast::DefineKind;

/// What a variable of a struct begins with.
#[derive(Clone, Copy, Debug)]
pub enum Beginning {
    None,
    Zero,
    Parts,
}

impl<'a> Checker<'a> {
    /// Whether zero bits are the value that a variable of the type begins with.
    pub fn zero_bits(&mut self, ty: TypeId) -> bool {
        let span = Span::default();
        self.default_of(ty, span).is_some_and(|e| matches!(e.kind, ExprKind::Zero))
    }

    /// The value that a variable of the type begins with, if there is one.
    pub fn default_of(&mut self, ty: TypeId, span: Span) -> Option<Expr> {
        let zero = Some(Expr::new(ExprKind::Zero, ty, span));
        match self.out.types.get(ty) {
            Type::Bool
            | Type::Char
            | Type::Int(_)
            | Type::F32
            | Type::F64
            | Type::String
            | Type::Array(_)
            | Type::Vector(_) => zero,
            Type::Error => Some(self.failed(span)),
            Type::Union(_) => {
                let (_, shape) = self.option(ty)?;
                if shape.none == 0 { zero } else { Some(self.none(ty, span)) }
            }
            Type::Struct(id) => match self.beginnings.get(&ty) {
                Some(Beginning::None) => None,
                Some(Beginning::Zero) => zero,
                Some(Beginning::Parts) | None => {
                    let id = *id;
                    let value = self.default_of_struct(id, ty, span);
                    let beginning = match &value {
                        None => Beginning::None,
                        Some(value) if matches!(value.kind, ExprKind::Zero) => Beginning::Zero,
                        Some(_) => Beginning::Parts,
                    };
                    self.beginnings.insert(ty, beginning);
                    value
                }
            },
            Type::Void | Type::Never | Type::Slice(_) | Type::Function { .. } => None,
        }
    }

    fn default_of_struct(&mut self, id: StructId, ty: TypeId, span: Span) -> Option<Expr> {
        let decl = self.struct_decls[id.0 as usize]?;
        if !self.decls.ty(decl).inits.is_empty() {
            return None;
        }
        let DefineKind::Struct { fields, .. } = &self.decls.ty(decl).define.kind else { return None };
        let types: Vec<TypeId> = self.out.types.structure(id).fields.iter().map(|f| f.ty).collect();
        let args = self.out.types.structure(id).arguments.clone();
        let ctx = self.type_context(decl, &args);
        let beside = || fields.iter().map(|f| (f.name.symbol, f.name.span)).collect();
        let mut values = Vec::new();
        for (field, part) in fields.iter().zip(types) {
            let value = match &field.default {
                Some(default) => self.default_elsewhere(default, part, ctx.clone(), beside()),
                None => self.default_of(part, span)?,
            };
            if value.ty == Types::ERROR || !is_zero(&value) && self.too_many_parts(ty, span) {
                return Some(self.failed(span));
            }
            values.push(value);
        }
        if values.iter().all(is_zero) {
            return Some(Expr::new(ExprKind::Zero, ty, span));
        }
        Some(Expr::new(ExprKind::Struct(values), ty, span))
    }

    /// Reports a struct that cannot be made part by part.
    pub fn too_many_parts(&mut self, ty: TypeId, span: Span) -> bool {
        let many = self.out.types.slots(ty) > MOST_SLOTS.into();
        let again = many && !self.defaults.is_empty() && std::mem::replace(&mut self.default_failed, true);
        if many && !again {
            let message = format!("a value of `{}` needs more than {MOST_SLOTS} slots", self.type_name(ty));
            let diagnostic = Diagnostic::error(span, message).label("more than fits in a frame");
            self.report(diagnostic.help("put large values into an Array"));
        }
        many
    }

    /// Reports a variable of a type without a zero.
    pub fn no_zero(&mut self, ty: TypeId, span: Span, name: &str) {
        let text = self.type_name(ty);
        let mut diagnostic = Diagnostic::error(span, format!("`{name}` needs a value: `{text}` has no zero"));
        diagnostic.label = match self.out.types.get(ty) {
            Type::Struct(id) => match self.struct_decls[id.0 as usize] {
                Some(decl) if !self.decls.ty(decl).inits.is_empty() => "it is made by its `init` only".into(),
                _ => match self.part_without_zero(ty) {
                    Some((field, part)) => format!("its field `{field}`, a `{part}`, has none"),
                    None => "no value to begin with".into(),
                },
            },
            Type::Union(_) => "no variant to begin with".into(),
            Type::Slice(_) => "a view of something".into(),
            _ => "no value to begin with".into(),
        };
        let value = match self.out.types.get(ty) {
            Type::Struct(_) => format!("{text}(…)"),
            _ => "…".into(),
        };
        self.report(diagnostic.help(format!("write `var {name}: {text} = {value}`")));
    }

    fn part_without_zero(&mut self, ty: TypeId) -> Option<(String, String)> {
        let &Type::Struct(id) = self.out.types.get(ty) else { return None };
        for field in self.out.types.structure(id).fields.clone() {
            if self.default_of(field.ty, field.span).is_none() {
                let part = self.type_name(field.ty);
                return Some((field.name, part));
            }
        }
        None
    }
}

fn is_zero(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Zero | ExprKind::Int(0) | ExprKind::Bool(false) | ExprKind::Char('\0') => true,
        ExprKind::Float(x) => x.to_bits() == 0,
        ExprKind::Text(text) => text.is_empty(),
        ExprKind::Elements(items) => items.is_empty(),
        ExprKind::Variant { variant: 0, payload } => payload.is_empty(),
        ExprKind::Struct(fields) => fields.iter().all(is_zero),
        _ => e.ty == Types::ERROR,
    }
}
