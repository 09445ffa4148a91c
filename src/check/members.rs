//! Members and elements: `a.b`, `T.b`, `a[i]`, `T[U]`.

use std::rc::Rc;

use super::Checker;
use super::calls::Argument;
use super::declarations::{Other, RoutineDeclId, TypeDeclId};
use super::hir::{Expr, ExprKind, Type, TypeId, Types};
use super::names::{Head, Overloads, Universal};
use super::types::count;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::Symbol;
use crate::syntax::ast::{self, DefineKind};

/// Methods of one name, the type arguments of their type, and the slice type through which they are seen.
type Methods = (Vec<RoutineDeclId>, Rc<[TypeId]>, Option<TypeId>);

impl<'a> Checker<'a> {
    pub fn member(&mut self, base: Head, base_ast: &'a ast::Expr, name: ast::Name, span: Span) -> Head {
        match base {
            Head::Failed => Head::Failed,
            Head::Value(value) => self.value_member(value, name, span),
            Head::Type(ty) => self.type_member(ty, name, span),
            Head::Generic(decl) => self.static_member(decl, None, None, name, span),
            Head::Namespace(decl) => self.static_member(decl, Some(self.no_types.clone()), None, name, span),
            head @ (Head::Routines(_) | Head::Universal(..) | Head::Variant { .. } | Head::Builtin(_)) => {
                let value = self.head_value(head, base_ast.span, None);
                if value.ty == Types::ERROR {
                    return Head::Failed;
                }
                self.value_member(value, name, span)
            }
        }
    }

    /// `v.name`.
    pub fn value_member(&mut self, value: Expr, name: ast::Name, span: Span) -> Head {
        if value.ty == Types::ERROR {
            return Head::Failed;
        }
        if let Some(field) = self.struct_field(value.ty, name.symbol) {
            return self.checked_field(value, field, name, span);
        }
        if let Some(found) = self.find_methods(value.ty, name.symbol) {
            let (routines, args, through) = found;
            let this = match through {
                Some(slice) => Expr::new(ExprKind::AsSlice(Box::new(value)), slice, span),
                None => value,
            };
            return Head::Routines(Overloads {
                name: name.symbol,
                routines: routines.into_iter().map(|r| (r, 0)).collect(),
                this: Some(this),
                owner: Some(args),
                explicit: Vec::new(),
                span: name.span,
            });
        }
        if name.symbol == self.known.copy {
            return Head::Universal(Universal::Copy, value);
        }
        if name.symbol == self.known.to_string {
            return Head::Universal(Universal::ToString, value);
        }
        if name.symbol == self.known.value
            && let Some(head) = self.any_payload(&value, name, span)
        {
            return match head {
                Some(ty) => Head::Value(Expr::new(ExprKind::AnyPayload { base: Box::new(value) }, ty, span)),
                None => Head::Failed,
            };
        }
        self.unknown_member(&value, name);
        Head::Failed
    }

    fn struct_field(&self, ty: TypeId, name: Symbol) -> Option<u32> {
        let &Type::Struct(id) = self.out.types.get(ty) else { return None };
        if let Some(decl) = self.struct_decls[id.0 as usize] {
            let DefineKind::Struct { fields, .. } = &self.decls.ty(decl).define.kind else { return None };
            return fields.iter().position(|f| f.name.symbol == name).map(|i| i as u32);
        }
        let text = self.text(name);
        self.out.types.structure(id).fields.iter().position(|f| f.name == text).map(|i| i as u32)
    }

    fn checked_field(&mut self, value: Expr, field: u32, name: ast::Name, span: Span) -> Head {
        if let &Type::Struct(id) = self.out.types.get(value.ty)
            && self.out.types.structure(id).fields[field as usize].private
            && let Some(decl) = self.struct_decls[id.0 as usize]
            && !self.inside(decl)
        {
            let of = self.type_name(value.ty);
            let message = format!("`{}` of `{of}` is private", self.text(name.symbol));
            let at = self.out.types.structure(id).fields[field as usize].span;
            let diagnostic = Diagnostic::error(name.span, message).label(format!("only routines of `{of}` see it"));
            let diagnostic = self.defined_here(diagnostic, at);
            self.report(diagnostic);
        }
        let value = self.field(value, field, span);
        if value.ty == Types::ERROR { Head::Failed } else { Head::Value(value) }
    }

    pub fn field(&self, base: Expr, field: u32, span: Span) -> Expr {
        let ty = match self.out.types.get(base.ty) {
            Type::Struct(id) => self.out.types.structure(*id).fields[field as usize].ty,
            _ => Types::ERROR,
        };
        Expr::new(ExprKind::Field { base: Box::new(base), field }, ty, span)
    }

    /// The methods of a type by name, its type arguments, and the slice type through which they are seen: what an Array
    /// or Vector lacks is looked up in Slice.
    pub fn find_methods(&mut self, ty: TypeId, name: Symbol) -> Option<Methods> {
        let (decl, args) = self.declaration(ty)?;
        if let Some(methods) = self.methods_named(decl, name) {
            return Some((methods, args, None));
        }
        if let &(Type::Array(element) | Type::Vector(element)) = self.out.types.get(ty) {
            let slice = self.out.types.intern(Type::Slice(element));
            let (decl, args) = self.declaration(slice)?;
            return Some((self.methods_named(decl, name)?, args, Some(slice)));
        }
        None
    }

    fn methods_named(&mut self, decl: TypeDeclId, name: Symbol) -> Option<Vec<RoutineDeclId>> {
        let members = self.decls.ty(decl).members;
        let routines = self.decls.space(members).names.get(&name)?.routines.clone();
        let routines: Vec<RoutineDeclId> = routines.into_iter().filter(|&r| self.has_this(r)).collect();
        (!routines.is_empty()).then_some(routines)
    }

    /// The type of `u.value`; an inner `None` has been reported.
    fn any_payload(&mut self, value: &Expr, name: ast::Name, span: Span) -> Option<Option<TypeId>> {
        let &Type::Union(id) = self.out.types.get(value.ty) else { return None };
        let union = self.out.types.union(id);
        let mut common = None;
        for variant in &union.variants {
            let other = match variant.payload.as_slice() {
                [] => continue,
                [field] if !variant.inline => field.ty,
                _ => Types::VOID,
            };
            if other == Types::ERROR {
                return Some(None);
            }
            if other == Types::VOID || common.is_some_and(|c| c != other) {
                let of = self.type_name(value.ty);
                self.report(
                    Diagnostic::error(name.span, format!("the payloads of `{of}` have different types"))
                        .label("`.value` needs one type for all")
                        .help(format!("use `choose {} {{ when … }}`", self.short_source(value.span).unwrap_or("x"))),
                );
                return Some(None);
            }
            common = Some(other);
        }
        let _ = span;
        common.map(Some)
    }

    fn unknown_member(&mut self, value: &Expr, name: ast::Name) {
        let text = self.text(name.symbol);
        let of = self.type_name(value.ty);
        if value.ty == Types::VOID {
            let message = "this gives no value";
            self.report(Diagnostic::error(value.span, message).label(format!("nothing that could have `{text}`")));
            return;
        }
        let mut diagnostic = Diagnostic::error(name.span, format!("`{of}` has no member `{text}`"));
        if let Some((payload, _)) = self.option(value.ty)
            && self.has_member(payload, name.symbol)
        {
            let inner = self.type_name(payload);
            self.report(
                diagnostic
                    .label(format!("its payload, a `{inner}`, has one"))
                    .help("get it with `choose`, `.or(…)`, or `.value` if there must be one"),
            );
            return;
        }
        diagnostic = diagnostic.label("unknown member");
        let members = self.members_of(value.ty);
        let array = self.out.types.element(value.ty).is_some();
        let habit = match text {
            "len" | "size" | "count" | "Length" | "Count" => Some("length"),
            "append" | "add" | "push_back" | "Add" if array => Some("push"),
            "toString" | "str" | "string" | "to_str" => Some("to_string"),
            "substring" | "substr" => Some("slice"),
            "indexOf" | "index" => Some("find"),
            "upper" | "toUpperCase" => Some("to_upper"),
            "lower" | "toLowerCase" => Some("to_lower"),
            "strip" => Some("trim"),
            "unwrap" | "expect" | "get" if self.option(value.ty).is_some() => Some("value"),
            "unwrap_or" | "or_else" | "getOrElse" => Some("or"),
            "includes" | "has" | "contains_key" | "containsKey" => Some("contains"),
            "clone" => Some("copy"),
            _ => None,
        };
        let habit = habit.filter(|h| *h == "value" || members.iter().any(|m| self.text(*m) == *h));
        let near = self.near(name.symbol, members);
        let free = self.decls.space(self.file_space).names.get(&name.symbol);
        let is_free = free.is_some_and(|e| !e.routines.is_empty());
        if let Some(owner) = self.static_routine(value.ty, name.symbol) {
            diagnostic =
                diagnostic.label("a routine of the type, without `this`").help(format!("write `{owner}.{text}(…)`"));
        } else if let Some(habit) = habit {
            diagnostic = diagnostic.help(format!("write `{habit}`"));
        } else if let Some(near) = near.filter(|_| self.grows_instead(value.ty, name.symbol).is_none()) {
            diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
        } else if let Some(element) = self.grows_instead(value.ty, name.symbol) {
            diagnostic = diagnostic.help(format!("its length is fixed; what grows is an `Array[{element}]`"));
        } else if is_free {
            diagnostic = diagnostic.help(format!("`{text}` is a routine of its own: write `{text}(…)`"));
        }
        self.report(diagnostic);
    }

    /// The element type of a Slice or Vector, if an Array would have the method.
    fn grows_instead(&self, ty: TypeId, name: Symbol) -> Option<String> {
        let &(Type::Slice(element) | Type::Vector(element)) = self.out.types.get(ty) else { return None };
        let members = self.decls.ty(self.library_type(self.known.array)?).members;
        let entry = self.decls.space(members).names.get(&name)?;
        (!entry.routines.is_empty()).then(|| self.type_name(element))
    }

    /// The name of a type that has a static routine of this name.
    fn static_routine(&self, ty: TypeId, name: Symbol) -> Option<&'a str> {
        let (decl, _) = self.declaration(ty)?;
        let declared = self.decls.ty(decl);
        let entry = self.decls.space(declared.members).names.get(&name)?;
        (!entry.routines.is_empty()).then(|| self.text(declared.name))
    }

    fn has_member(&mut self, ty: TypeId, name: Symbol) -> bool {
        self.struct_field(ty, name).is_some() || self.find_methods(ty, name).is_some()
    }

    fn members_of(&self, ty: TypeId) -> Vec<Symbol> {
        let mut names = vec![self.known.copy, self.known.to_string];
        let mut types = vec![ty];
        if let &(Type::Array(element) | Type::Vector(element)) = self.out.types.get(ty)
            && let Some((_, id)) = self.slice_of(element)
        {
            types.push(id);
        }
        for ty in types {
            let Some((decl, _)) = self.declaration(ty) else { continue };
            let declared = self.decls.ty(decl);
            let inside = self.inside(decl);
            if let DefineKind::Struct { fields, .. } = &declared.define.kind {
                names.extend(fields.iter().filter(|f| inside || !f.private).map(|f| f.name.symbol));
            }
            let members = self.decls.space(declared.members);
            names.extend(
                members
                    .names
                    .iter()
                    .filter(|(_, e)| e.routines.iter().any(|r| inside || !self.decls.routine(*r).routine.private))
                    .map(|(&n, _)| n),
            );
        }
        names
    }

    fn slice_of(&self, element: TypeId) -> Option<(TypeId, TypeId)> {
        // The slice type may not have been needed yet; then its members are not needed for a suggestion either.
        (0..self.out.types.len() as u32)
            .map(TypeId)
            .find(|&id| *self.out.types.get(id) == Type::Slice(element))
            .map(|id| (element, id))
    }

    /// `T.name` of a type with its arguments.
    fn type_member(&mut self, ty: TypeId, name: ast::Name, span: Span) -> Head {
        match self.declaration(ty) {
            Some((decl, args)) => self.static_member(decl, Some(args), Some(ty), name, span),
            None => {
                let message = format!("`{}` has no member `{}`", self.type_name(ty), self.text(name.symbol));
                self.report(Diagnostic::error(name.span, message).label("unknown member"));
                Head::Failed
            }
        }
    }

    /// A static routine, variant, constant or inner type.
    fn static_member(
        &mut self,
        decl: TypeDeclId,
        args: Option<Rc<[TypeId]>>,
        ty: Option<TypeId>,
        name: ast::Name,
        span: Span,
    ) -> Head {
        let declared = self.decls.ty(decl);
        let (define, members) = (declared.define, declared.members);
        if let DefineKind::Alias { target } = &define.kind {
            // Only a generic alias gets here; its members are those of its target.
            if let ast::TypeKind::Named { path, .. } = &target.kind
                && let Some(super::types::TypeName::Declared(inner)) = self.find_type(path[0].symbol)
                && inner != decl
            {
                return self.static_member(inner, None, None, name, span);
            }
        }
        if let DefineKind::Union { variants, .. } = &define.kind
            && let Some(variant) = variants.iter().position(|v| v.name.symbol == name.symbol)
        {
            return Head::Variant { union: decl, variant: variant as u32, ty };
        }
        if let Some(entry) = self.decls.space(members).names.get(&name.symbol) {
            let entry = entry.clone();
            match entry.other {
                Some(Other::Type(inner)) => {
                    if self.decls.ty(inner).is_namespace() {
                        return Head::Namespace(inner);
                    }
                    if !self.decls.ty(inner).define.generics.is_empty() {
                        return Head::Generic(inner);
                    }
                    return match self.apply(inner, &[], span) {
                        Types::ERROR => Head::Failed,
                        ty => Head::Type(ty),
                    };
                }
                Some(Other::Constant(constant)) => {
                    let value = self.constant(constant, span);
                    return if value.ty == Types::ERROR { Head::Failed } else { Head::Value(value) };
                }
                Some(Other::Builtin(_)) | None => {}
            }
            let is_static: Vec<_> = entry.routines.iter().copied().filter(|&r| !self.has_this(r)).collect();
            if !is_static.is_empty() {
                return Head::Routines(Overloads {
                    name: name.symbol,
                    routines: is_static.into_iter().map(|r| (r, 0)).collect(),
                    this: None,
                    owner: args,
                    explicit: Vec::new(),
                    span: name.span,
                });
            }
            let (of, text) = (self.text(define.name.symbol), self.text(name.symbol));
            let at = self.decls.routine(entry.routines[0]).routine.head_span;
            let diagnostic = Diagnostic::error(name.span, format!("`{of}.{text}` needs a value of `{of}`"))
                .label("a method, called on the type")
                .help(format!("call it on a value: `x.{text}(…)`"));
            let diagnostic = self.defined_here(diagnostic, at);
            self.report(diagnostic);
            return Head::Failed;
        }
        let (of, text) = (self.text(define.name.symbol), self.text(name.symbol));
        let mut names: Vec<Symbol> = self.decls.space(members).names.keys().copied().collect();
        let kind = match &define.kind {
            DefineKind::Union { variants, .. } => {
                names.extend(variants.iter().map(|v| v.name.symbol));
                "variant or routine"
            }
            _ => "member",
        };
        let near = self.near(name.symbol, names);
        let mut diagnostic =
            Diagnostic::error(name.span, format!("`{of}` has no {kind} `{text}`")).label("unknown name");
        if let DefineKind::Struct { fields, .. } = &define.kind
            && fields.iter().any(|f| f.name.symbol == name.symbol)
        {
            diagnostic = Diagnostic::error(name.span, format!("`{of}.{text}` needs a value of `{of}`"))
                .label("a field, asked of the type")
                .help(format!("ask a value for it: `x.{text}`"));
        }
        diagnostic = match (near, &define.kind) {
            (None, DefineKind::Union { variants, .. }) if variants.len() <= 8 => {
                let all: Vec<String> = variants.iter().map(|v| format!("`{}`", self.text(v.name.symbol))).collect();
                diagnostic.help(format!("its variants are {}", all.join(", ")))
            }
            (near, _) => diagnostic.help_near(near),
        };
        let diagnostic = self.defined_here(diagnostic, self.decls.ty(decl).span);
        self.report(diagnostic);
        Head::Failed
    }

    /// `head[args]`: type arguments where the head is a generic type or routine, else an element.
    pub fn index_head(&mut self, index: &'a ast::Index, span: Span) -> Head {
        let head = self.head(&index.head, None);
        match head {
            Head::Failed => Head::Failed,
            Head::Generic(decl) => match self.type_arguments(&index.args) {
                Some(args) => match self.apply(decl, &args, span) {
                    Types::ERROR => Head::Failed,
                    ty => Head::Type(ty),
                },
                None => Head::Failed,
            },
            Head::Routines(mut overloads) if self.takes_types(&overloads) => match self.type_arguments(&index.args) {
                Some(args) => {
                    overloads.explicit = args;
                    Head::Routines(overloads)
                }
                None => Head::Failed,
            },
            Head::Type(_) | Head::Namespace(_) | Head::Builtin(_) | Head::Variant { .. } => {
                let name = self.short_source(index.head.span).unwrap_or("this");
                self.report(
                    Diagnostic::error(span, format!("`{name}` takes no type arguments")).label("remove the brackets"),
                );
                Head::Failed
            }
            head => {
                let base = self.head_value(head, index.head.span, None);
                match self.element(base, &index.args, span) {
                    Some(e) if e.ty != Types::ERROR => Head::Value(e),
                    _ => Head::Failed,
                }
            }
        }
    }

    fn takes_types(&self, overloads: &Overloads) -> bool {
        overloads.routines.iter().any(|(r, _)| !self.decls.routine(*r).routine.generics.is_empty())
    }

    fn type_arguments(&mut self, args: &'a [ast::Expr]) -> Option<Vec<TypeId>> {
        let mut types = Vec::new();
        for arg in args {
            let Some(ty) = arg.to_type() else {
                self.report(Diagnostic::error(arg.span, "a type is expected here").label("not a type"));
                return None;
            };
            types.push(self.resolve(&ty));
        }
        (!types.contains(&Types::ERROR)).then_some(types)
    }

    /// `base[args]`.
    pub fn element(&mut self, base: Expr, args: &'a [ast::Expr], span: Span) -> Option<Expr> {
        if base.ty == Types::ERROR {
            return None;
        }
        if let Some(element) = self.out.types.element(base.ty) {
            let [arg] = args else {
                self.report(
                    Diagnostic::error(span, format!("one index is expected, not {}", args.len()))
                        .label("too many indexes")
                        .help("rows of rows are indexed one after the other: `a[i][j]`"),
                );
                return None;
            };
            let index = self.index(arg)?;
            return Some(Expr::new(ExprKind::Index { base: Box::new(base), index: Box::new(index) }, element, span));
        }
        if let Some((routines, owner, _)) = self.find_methods(base.ty, self.known.index) {
            return self.element_by_operator(base, routines, owner, args, span);
        }
        let of = self.type_name(base.ty);
        let mut diagnostic = Diagnostic::error(span, format!("`{of}` has no elements")).label("cannot be indexed");
        if let Some((payload, _)) = self.option(base.ty)
            && (self.out.types.element(payload).is_some() || self.find_methods(payload, self.known.index).is_some())
        {
            diagnostic = diagnostic.help("get the payload first: with `choose`, `.or(…)` or `.value`");
        }
        self.report(diagnostic);
        None
    }

    /// An index: of any integer type.
    fn index(&mut self, arg: &'a ast::Expr) -> Option<Expr> {
        let index = self.value(arg, None);
        if index.ty == Types::ERROR || index.ty == Types::NEVER || self.int_kind(index.ty).is_some() {
            return Some(index);
        }
        let found = self.type_name(index.ty);
        let mut diagnostic = Diagnostic::error(arg.span, format!("an index is an integer, not a `{found}`"))
            .label("expected an integer");
        if let ast::ExprKind::Range(range) = &arg.kind {
            let (low, high) = (self.short_source(range.low.span), self.short_source(range.high.span));
            diagnostic = diagnostic.help(format!("write `.slice({}, {})`", low.unwrap_or("a"), high.unwrap_or("b")));
        } else if self.is_float(index.ty) {
            diagnostic = self.help_convert(diagnostic, arg.span, "int");
        }
        self.report(diagnostic);
        None
    }

    fn element_by_operator(
        &mut self,
        base: Expr,
        routines: Vec<RoutineDeclId>,
        owner: Rc<[TypeId]>,
        args: &'a [ast::Expr],
        span: Span,
    ) -> Option<Expr> {
        let given: Vec<Argument<'a>> = match (args, routines.as_slice()) {
            ([arg], &[routine]) if self.takes_an_index(routine) => {
                let index = self.index(arg)?;
                vec![Argument::done(if matches!(index.ty, Types::I64 | Types::ERROR | Types::NEVER) {
                    index
                } else {
                    Expr::new(ExprKind::Convert(Box::new(index)), Types::I64, arg.span)
                })]
            }
            _ => args.iter().map(Argument::of).collect(),
        };
        if let [routine] = routines.as_slice()
            && let Some(body) = self.projection_body(*routine)
        {
            return self.project(base, *routine, owner, body, given, span);
        }
        let overloads = Overloads {
            name: self.known.index,
            routines: routines.into_iter().map(|r| (r, 0)).collect(),
            this: Some(base),
            owner: Some(owner),
            explicit: Vec::new(),
            span,
        };
        Some(self.call_overloads(overloads, given, span, None))
    }

    /// Whether it is an operator of the library whose parameter is written as `int`: a key is of any type, an index of
    /// any integer type.
    fn takes_an_index(&mut self, id: RoutineDeclId) -> bool {
        let params = self.decls.params(id, self.known.this);
        let int = |ty: &ast::Type| {
            let ast::TypeKind::Named { path, args } = &ty.kind else { return false };
            matches!(path.as_slice(), [name] if self.known.primitives.get(&name.symbol) == Some(&Types::I64))
                && args.is_empty()
        };
        self.decls.routine(id).library && matches!(&*params, [param] if param.ty.is_some_and(int))
    }

    /// `copy`, `to_string`.
    pub fn universal(&mut self, which: Universal, value: Expr, span: Span) -> Expr {
        match which {
            Universal::ToString => self.show_value(value, span),
            Universal::Copy => {
                let from = value.ty;
                let ty = match *self.out.types.get(from) {
                    Type::Slice(element) => self.out.types.intern(Type::Array(element)),
                    _ => from,
                };
                let routine = self.intrinsic("copy", [from], ty, span);
                Expr::new(ExprKind::Call { routine, arguments: vec![value] }, ty, span)
            }
        }
    }

    /// Reports arguments of what takes none.
    pub fn no_arguments(&mut self, args: &[ast::Arg], name: &str) -> bool {
        if let Some(first) = args.first() {
            let message = format!("`{name}` takes no arguments, but gets {}", count(args.len(), "argument"));
            self.report(Diagnostic::error(first.value.span, message).label("remove this"));
        }
        args.is_empty()
    }
}
