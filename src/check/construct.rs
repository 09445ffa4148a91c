//! Values made by naming their type or variant: `P(1, 2)`, `Array[int](n)`, `Some(5)`.

use std::rc::Rc;

use super::Checker;
use super::calls::{Argument, Candidate, Target};
use super::declarations::{Declarations, Param, TypeDeclId};
use super::hir::{Expr, ExprKind, Type, TypeId, Types};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast::{DefineKind, Payload};

impl<'a> Checker<'a> {
    /// `T(args)`.
    pub fn construct(&mut self, ty: TypeId, args: Vec<Argument<'a>>, span: Span, hint: Option<TypeId>) -> Expr {
        let Some((decl, types)) = self.declaration(ty) else { return self.no_constructor(ty, args, span) };
        if self.decls.ty(decl).inits.is_empty() && !matches!(self.out.types.get(ty), Type::Struct(_)) {
            return self.no_constructor(ty, args, span);
        }
        if let (&(Type::Array(element) | Type::Vector(element)), [arg]) = (self.out.types.get(ty), args.as_slice())
            && arg.name.is_none()
        {
            return self.construct_zeros(ty, element, decl, types, args, span, hint);
        }
        self.construct_with(decl, Some(types), args, span, hint)
    }

    /// `T(args)` of a generic type whose arguments are to be found.
    pub fn construct_generic(
        &mut self,
        decl: TypeDeclId,
        args: Vec<Argument<'a>>,
        span: Span,
        hint: Option<TypeId>,
    ) -> Expr {
        match &self.decls.ty(decl).define.kind {
            DefineKind::Union { variants, .. } => {
                let name = self.text(self.decls.ty(decl).name);
                let first = variants.first().map_or("", |v| self.text(v.name.symbol));
                self.report(
                    Diagnostic::error(span, format!("`{name}` is a union: a value is made by one of its variants"))
                        .label("which variant?")
                        .help(format!("write `{name}.{first}`, for example")),
                );
                self.failed(span)
            }
            DefineKind::Alias { .. } => {
                let name = self.text(self.decls.ty(decl).name);
                self.report(
                    Diagnostic::error(span, format!("`{name}` needs type arguments"))
                        .label(format!("write `{name}[…](…)`")),
                );
                self.failed(span)
            }
            _ => self.construct_with(decl, None, args, span, hint),
        }
    }

    fn construct_with(
        &mut self,
        decl: TypeDeclId,
        types: Option<Rc<[TypeId]>>,
        args: Vec<Argument<'a>>,
        span: Span,
        hint: Option<TypeId>,
    ) -> Expr {
        let declared = self.decls.ty(decl);
        let name_span = Span { end: (span.start + self.name_length(span)).min(span.end), ..span };
        if declared.inits.is_empty() {
            let DefineKind::Struct { fields, .. } = &declared.define.kind else { return self.failed(span) };
            let params = Declarations::field_params(fields);
            if !self.inside(decl)
                && let Some(private) = params.iter().position(|p| p.private)
                && args.len() > private
                && args.iter().all(|a| a.name.is_none())
            {
                let name = self.text(self.decls.ty(decl).name);
                let field = self.text(params[private].name);
                let diagnostic = Diagnostic::error(args[private].span, format!("`{field}` of `{name}` is private"))
                    .label(format!("only routines of `{name}` can give it a value"));
                let diagnostic = self.defined_here(diagnostic, params[private].span);
                self.report(diagnostic);
            }
            let candidate = self.type_candidate(decl, Target::Struct(decl), params, types);
            return self.select(vec![candidate], None, args, span, name_span, hint);
        }
        if let Some(deinit) = declared.deinit {
            let _ = deinit;
        }
        let mut candidates = Vec::new();
        for id in declared.inits.clone() {
            let params = self.decls.params(id, self.known.this);
            let mut candidate = self.type_candidate(decl, Target::Routine(id), params, types.clone());
            candidate.space = self.decls.routine(id).space;
            candidates.push(candidate);
        }
        self.select(candidates, None, args, span, name_span, hint)
    }

    /// How long the name is with which a construction begins.
    fn name_length(&self, span: Span) -> u32 {
        let text = self.source(span);
        text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').unwrap_or(text.len()) as u32
    }

    fn type_candidate(
        &self,
        decl: TypeDeclId,
        target: Target,
        params: Rc<[Param<'a>]>,
        types: Option<Rc<[TypeId]>>,
    ) -> Candidate<'a> {
        let declared = self.decls.ty(decl);
        let vars = declared
            .define
            .generics
            .iter()
            .enumerate()
            .map(|(i, g)| (g.symbol, types.as_ref().and_then(|t| t.get(i)).copied()))
            .collect();
        Candidate {
            target,
            level: 0,
            params,
            vars,
            space: declared.members,
            outer: declared.outer.clone(),
            has_this: false,
        }
    }

    /// `Array[T](n)`: n zeros, or n values that T has by default.
    #[allow(clippy::too_many_arguments)]
    fn construct_zeros(
        &mut self,
        ty: TypeId,
        element: TypeId,
        decl: TypeDeclId,
        types: Rc<[TypeId]>,
        mut args: Vec<Argument<'a>>,
        span: Span,
        hint: Option<TypeId>,
    ) -> Expr {
        if self.zero_bits(element) {
            return self.construct_with(decl, Some(types), args, span, hint);
        }
        match self.default_of(element, span) {
            Some(value) => {
                args.push(Argument::done(value));
                self.construct_with(decl, Some(types), args, span, hint)
            }
            None => {
                let (name, of) = (self.type_name(ty), self.type_name(element));
                let n = self.short_source(args[0].span).unwrap_or("n");
                self.report(
                    Diagnostic::error(span, format!("`{of}` has no zero to fill the elements with"))
                        .label("a value is needed")
                        .help(format!("write `{name}({n}, value)`, or begin with `{name}()` and `push`")),
                );
                self.failed(span)
            }
        }
    }

    fn no_constructor(&mut self, ty: TypeId, args: Vec<Argument<'a>>, span: Span) -> Expr {
        let name = self.type_name(ty);
        let diagnostic = match (self.out.types.get(ty), args.as_slice()) {
            (Type::Int(_) | Type::F32 | Type::F64 | Type::Char | Type::Bool, [arg]) => {
                let value = self.short_source(arg.span).unwrap_or("x");
                let value = if arg.ast.is_some_and(is_row) { format!("({value})") } else { value.to_string() };
                Diagnostic::error(span, format!("`{name}` is not called to convert"))
                    .label("a conversion is written with `as`")
                    .help(format!("write `{value} as {name}`"))
            }
            (Type::String, [arg]) => {
                let value = self.short_source(arg.span).unwrap_or("x");
                Diagnostic::error(span, "`String` is not called to convert")
                    .label("values become text by `to_string()`")
                    .help(format!("write `{value}.to_string()`"))
            }
            (Type::Union(u), _) => {
                let first = self.out.types.union(*u).variants.first().map_or("", |v| v.name.as_str()).to_string();
                Diagnostic::error(span, format!("`{name}` is a union: a value is made by one of its variants"))
                    .label("which variant?")
                    .help(format!("write `{name}.{first}`, for example"))
            }
            (Type::Slice(element), _) => {
                let of = self.type_name(*element);
                Diagnostic::error(span, "a slice is a view of elements that lie elsewhere")
                    .label("cannot be made alone")
                    .help(format!("make an array: `Array[{of}](…)`"))
            }
            _ => Diagnostic::error(span, format!("no value of `{name}` can be made like this"))
                .label("it has no constructor"),
        };
        self.report(diagnostic);
        self.failed(span)
    }

    /// `V(args)`, `U.V(args)`, `V`.
    pub fn construct_variant(
        &mut self,
        union: TypeDeclId,
        variant: u32,
        ty: Option<TypeId>,
        args: Vec<Argument<'a>>,
        span: Span,
        hint: Option<TypeId>,
    ) -> Expr {
        let declared = self.decls.ty(union);
        let DefineKind::Union { variants, .. } = &declared.define.kind else { return self.failed(span) };
        let case = &variants[variant as usize];
        let params: Rc<[Param<'a>]> = match &case.payload {
            Payload::None => Rc::from([]),
            Payload::Type(ty) => Rc::from([Param {
                name: self.known.value,
                ty: Some(ty),
                default: None,
                span: case.span,
                private: false,
            }]),
            Payload::Fields(fields) => Declarations::field_params(fields),
        };
        let types = ty.and_then(|ty| self.declaration(ty)).map(|(_, args)| args);
        // A variant of another union is expected where its own is the payload of an optional.
        let candidate = self.type_candidate(union, Target::Variant(union, variant), params, types);
        self.select(vec![candidate], None, args, span, span, hint)
    }

    /// A value that became optional.
    pub fn some(&mut self, value: Expr, option: TypeId) -> Expr {
        let span = value.span;
        let variant = self.option(option).map_or(1, |(_, shape)| shape.some);
        Expr::new(ExprKind::Variant { variant, payload: vec![value] }, option, span)
    }

    pub fn none(&mut self, option: TypeId, span: Span) -> Expr {
        let variant = self.option(option).map_or(0, |(_, shape)| shape.none);
        Expr::new(ExprKind::Variant { variant, payload: Vec::new() }, option, span)
    }

    /// `a..b` as a value.
    pub fn range_value(&mut self, low: Expr, high: Expr, closed: bool, span: Span) -> Expr {
        let ty = low.ty;
        let Some(decl) = self.library_type(self.known.range) else { return self.failed(span) };
        let range = self.apply(decl, &[ty], span);
        if range == Types::ERROR {
            return self.failed(span);
        }
        let closed = Expr::new(ExprKind::Bool(closed), Types::BOOL, span);
        Expr::new(ExprKind::Struct(vec![low, high, closed]), range, span)
    }

    /// The element type of a `Range` of the library.
    pub fn range_of(&self, ty: TypeId) -> Option<TypeId> {
        let &Type::Struct(id) = self.out.types.get(ty) else { return None };
        let decl = self.struct_decls[id.0 as usize]?;
        let declared = self.decls.ty(decl);
        (declared.library && declared.name == self.known.range).then(|| self.out.types.structure(id).arguments[0])
    }
}

/// Whether an expression is a row of operands, which needs parentheses before `as`.
pub fn is_row(e: &crate::syntax::ast::Expr) -> bool {
    use crate::syntax::ast::ExprKind;
    matches!(
        e.kind,
        ExprKind::Binary(_)
            | ExprKind::Is(_)
            | ExprKind::Range(_)
            | ExprKind::If(_)
            | ExprKind::Match(_)
            | ExprKind::Choose(_)
            | ExprKind::Lambda(_)
    )
}
