//! Types as written to types as meant: names, aliases, generic instances, optionals.
//!
//! An instance of a struct or union enters the tables before its fields are resolved, so it may name itself. Fields are
//! resolved from a list, not by recursion; when the list is empty, the payloads through which a type contains itself are
//! marked as boxed, and structs that contain themselves without one are reported.

use std::rc::Rc;

use super::Checker;
use super::declarations::{Other, SpaceId, TypeDeclId};
use super::hir::{self, IntKind, Type, TypeId, Types};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::Symbol;
use crate::syntax::ast::{self, DefineKind, Payload, TypeKind};

/// What type parameters stand for.
pub type Generics = Rc<[(Symbol, TypeId)]>;

/// Where names are looked up.
#[derive(Clone, Debug)]
pub struct Context {
    pub space: SpaceId,
    pub generics: Generics,
}

/// What a name in a type means.
#[derive(Clone, Copy, Debug)]
pub enum TypeName {
    Is(TypeId),
    Declared(TypeDeclId),
}

/// Which variants of a union make it an optional.
#[derive(Clone, Copy, Debug)]
pub struct OptionShape {
    pub none: u32,
    pub some: u32,
}

/// Nested generic instances beyond this are taken for an endless expansion.
const MAX_TYPE_DEPTH: u32 = 60;

/// Names of types double with each alias that names another one twice; messages and call traces have them in full.
const MAX_TYPE_NAMES: u32 = 1000;

impl<'a> Checker<'a> {
    pub fn type_name(&self, ty: TypeId) -> String {
        self.out.types.name(ty)
    }

    /// What a name means as a type, from the current context.
    pub fn find_type(&self, name: Symbol) -> Option<TypeName> {
        if let Some((_, ty)) = self.ctx.generics.iter().rev().find(|(symbol, _)| *symbol == name) {
            return Some(TypeName::Is(*ty));
        }
        let mut at = Some(self.ctx.space);
        let mut primitive = false;
        while let Some(id) = at {
            let space = self.decls.space(id);
            if space.library && !primitive {
                primitive = true;
                if let Some(&ty) = self.known.primitives.get(&name) {
                    return Some(TypeName::Is(ty));
                }
            }
            if let Some(Other::Type(decl)) = space.names.get(&name).and_then(|e| e.other) {
                return Some(TypeName::Declared(decl));
            }
            at = space.parent;
        }
        None
    }

    pub fn resolve(&mut self, ty: &ast::Type) -> TypeId {
        match &ty.kind {
            TypeKind::Error | TypeKind::Marked { .. } => Types::ERROR,
            TypeKind::Optional(inner) => {
                let inner = self.resolve(inner);
                self.optional(inner, ty.span)
            }
            TypeKind::Function { params, returns } => {
                let params: Box<[TypeId]> = params.iter().map(|p| self.resolve(p)).collect();
                let result = returns.as_ref().map_or(Types::VOID, |r| self.resolve(r));
                if self.too_large(&[&params, &[result][..]].concat(), ty.span) {
                    return Types::ERROR;
                }
                self.function_type(params, result)
            }
            TypeKind::Named { path, args } => self.resolve_named(path, args, ty.span),
        }
    }

    pub fn function_type(&mut self, params: Box<[TypeId]>, result: TypeId) -> TypeId {
        if result == Types::ERROR || params.contains(&Types::ERROR) {
            return Types::ERROR;
        }
        self.out.types.intern(Type::Function { params, result })
    }

    fn resolve_named(&mut self, path: &[ast::Name], args: &[ast::Type], span: Span) -> TypeId {
        let first = path[0];
        let Some(found) = self.find_type(first.symbol) else {
            self.unknown_type(first, path.len() > 1);
            return Types::ERROR;
        };
        let mut decl = match found {
            TypeName::Is(ty) => {
                if path.len() > 1 {
                    let message = format!("`{}` contains no types", self.text(first.symbol));
                    self.report(Diagnostic::error(path[1].span, message).label("no type of this name"));
                    return Types::ERROR;
                }
                if !args.is_empty() && ty != Types::ERROR {
                    let message = format!("`{}` takes no type arguments", self.text(first.symbol));
                    self.report(Diagnostic::error(span, message).label("remove the brackets"));
                }
                return ty;
            }
            TypeName::Declared(decl) => decl,
        };
        for name in &path[1..] {
            let members = self.decls.ty(decl).members;
            match self.decls.space(members).names.get(&name.symbol).and_then(|e| e.other) {
                Some(Other::Type(inner)) => decl = inner,
                _ => {
                    let outer = self.text(self.decls.ty(decl).name).to_string();
                    let message = format!("`{outer}` has no type `{}`", self.text(name.symbol));
                    let near = self.near(name.symbol, self.types_of(members));
                    self.report(Diagnostic::error(name.span, message).label("unknown type").help_near(near));
                    return Types::ERROR;
                }
            }
        }
        let args: Vec<TypeId> = args.iter().map(|a| self.resolve(a)).collect();
        self.apply(decl, &args, span)
    }

    /// A declared type with its arguments, which may be too few or many.
    pub fn apply(&mut self, decl: TypeDeclId, args: &[TypeId], span: Span) -> TypeId {
        let define = self.decls.ty(decl).define;
        let expected = define.generics.len();
        if args.len() != expected {
            let name = self.text(define.name.symbol).to_string();
            let place = self.decls.ty(decl).span;
            let parameters = define.generics.iter().map(|g| self.text(g.symbol)).collect::<Vec<_>>().join(", ");
            let diagnostic = if expected == 0 {
                Diagnostic::error(span, format!("`{name}` takes no type arguments")).label("remove the brackets")
            } else if args.is_empty() {
                Diagnostic::error(span, format!("`{name}` needs type arguments"))
                    .label(format!("write `{name}[{parameters}]` with types"))
            } else {
                let message = format!("`{name}` takes {}, not {}", count(expected, "type argument"), args.len());
                Diagnostic::error(span, message).label(format!("expected `{name}[{parameters}]`"))
            };
            self.report(self.defined_here(diagnostic, place));
            return Types::ERROR;
        }
        if args.contains(&Types::ERROR) && !matches!(define.kind, DefineKind::Alias { .. }) {
            return Types::ERROR;
        }
        if args.contains(&Types::VOID) {
            self.report(Diagnostic::error(span, "`void` cannot be a type argument").label("there are no values of it"));
            return Types::ERROR;
        }
        if self.unfit_key(decl, args, span) {
            return Types::ERROR;
        }
        self.instantiate(decl, self.arguments_of(args), span)
    }

    /// The one list of no types, or a new one.
    fn arguments_of(&self, args: &[TypeId]) -> Rc<[TypeId]> {
        if args.is_empty() { self.no_types.clone() } else { args.into() }
    }

    fn instantiate(&mut self, decl: TypeDeclId, args: Rc<[TypeId]>, span: Span) -> TypeId {
        let key = (decl, args);
        if let Some(&ty) = self.type_instances.get(&key) {
            return ty;
        }
        let (decl, args) = key;
        if self.too_large(&args, span) {
            return Types::ERROR;
        }
        let declared = self.decls.ty(decl);
        let define = declared.define;
        let at = declared.span;
        let name = self.text(define.name.symbol);
        let ty = match &define.kind {
            DefineKind::Namespace { .. } => {
                let message = format!("`{name}` is a namespace, not a type");
                let diagnostic = Diagnostic::error(span, message).label("it has no fields");
                self.report(self.defined_here(diagnostic, at));
                return Types::ERROR;
            }
            DefineKind::Struct { .. } => {
                let def =
                    hir::Struct { name: name.to_string(), arguments: args.to_vec(), fields: Vec::new(), span: at };
                self.struct_decls.push(Some(decl));
                self.out.types.add_struct(def).1
            }
            DefineKind::Union { .. } => {
                let def =
                    hir::Union { name: name.to_string(), arguments: args.to_vec(), variants: Vec::new(), span: at };
                self.union_decls.push(decl);
                let ty = self.out.types.add_union(def).1;
                if let Some(OptionShape { none: 0, some: 1 }) = self.option_shapes.get(&decl) {
                    self.out.types.set_option(args[0], ty);
                }
                ty
            }
            DefineKind::Intrinsic { .. } => {
                let symbol = define.name.symbol;
                match args.first() {
                    Some(&element) if symbol == self.known.array => self.out.types.intern(Type::Array(element)),
                    Some(&element) if symbol == self.known.vector => self.out.types.intern(Type::Vector(element)),
                    Some(&element) if symbol == self.known.slice => self.out.types.intern(Type::Slice(element)),
                    _ => self.known.primitives.get(&symbol).copied().unwrap_or(Types::ERROR),
                }
            }
            DefineKind::Alias { target } => self.alias_target(decl, target, &args, span),
            DefineKind::Constant { .. } | DefineKind::Error => return Types::ERROR,
        };
        self.type_instances.insert((decl, args.clone()), ty);
        if matches!(define.kind, DefineKind::Struct { .. } | DefineKind::Union { .. }) {
            self.unfinished.push((decl, args, ty));
            if !self.finishing {
                self.finish_types();
            }
        }
        ty
    }

    fn alias_target(&mut self, decl: TypeDeclId, target: &'a ast::Type, args: &Rc<[TypeId]>, span: Span) -> TypeId {
        if self.decls.ty(decl).resolving {
            let message = format!("the alias `{}` stands for itself", self.text(self.decls.ty(decl).name));
            self.report(Diagnostic::error(self.decls.ty(decl).span, message).label("defined by itself"));
            return Types::ERROR;
        }
        if self.alias_depth > 200 {
            self.report(Diagnostic::error(span, "aliases of aliases nest too deeply"));
            return Types::ERROR;
        }
        self.alias_depth += 1;
        self.decls.ty_mut(decl).resolving = true;
        let ctx = self.type_context(decl, args);
        let ty = self.within(ctx, |c| c.resolve(target));
        self.decls.ty_mut(decl).resolving = false;
        self.alias_depth -= 1;
        ty
    }

    /// Reports a type that is too large with these arguments.
    fn too_large(&mut self, args: &[TypeId], span: Span) -> bool {
        let written = self.out.types.written_with(args);
        let diagnostic = if written.depth > MAX_TYPE_DEPTH {
            Diagnostic::error(span, "this generic type needs ever larger instances of itself")
                .label("grows without end")
        } else if written.names > MAX_TYPE_NAMES {
            Diagnostic::error(span, format!("written out, this type has more than {MAX_TYPE_NAMES} names"))
                .label("larger with each of its arguments")
                .help("define a struct with such a field in place of an alias")
        } else {
            return false;
        };
        self.report(diagnostic);
        true
    }

    /// Where the members of a type instance are looked up.
    pub fn type_context(&self, decl: TypeDeclId, args: &[TypeId]) -> Context {
        let declared = self.decls.ty(decl);
        let own = declared.define.generics.iter().map(|g| g.symbol).zip(args.iter().copied());
        let generics =
            if args.is_empty() { declared.outer.clone() } else { declared.outer.iter().copied().chain(own).collect() };
        Context { space: declared.members, generics }
    }

    /// Runs something with names looked up elsewhere.
    pub fn within<R>(&mut self, ctx: Context, f: impl FnOnce(&mut Self) -> R) -> R {
        let outer = std::mem::replace(&mut self.ctx, ctx);
        let result = f(self);
        self.ctx = outer;
        result
    }

    /// Resolves the fields of the new instances, and of those that they need.
    fn finish_types(&mut self) {
        self.finishing = true;
        let mut done = Vec::new();
        while let Some((decl, args, ty)) = self.unfinished.pop() {
            let ctx = self.type_context(decl, &args);
            let define = self.decls.ty(decl).define;
            self.within(ctx, |c| match (&define.kind, c.out.types.get(ty)) {
                (DefineKind::Struct { fields, .. }, &Type::Struct(id)) => {
                    let fields = c.fields(fields);
                    c.out.types.struct_mut(id).fields = fields;
                }
                (DefineKind::Union { variants, .. }, &Type::Union(id)) => {
                    let variants = variants
                        .iter()
                        .map(|v| {
                            let (payload, inline) = match &v.payload {
                                Payload::None => (Vec::new(), false),
                                Payload::Type(ty) => {
                                    let field = hir::Field {
                                        name: "value".into(),
                                        ty: c.stored_type(ty),
                                        private: false,
                                        boxed: false,
                                        span: v.span,
                                    };
                                    (vec![field], false)
                                }
                                Payload::Fields(fields) => (c.fields(fields), true),
                            };
                            hir::Variant { name: c.text(v.name.symbol).to_string(), payload, inline }
                        })
                        .collect();
                    c.out.types.union_mut(id).variants = variants;
                }
                _ => {}
            });
            done.push(ty);
        }
        self.finishing = false;
        self.box_payloads(&done);
        self.reject_endless(&done);
        self.reject_high(&done);
        self.check_keys();
    }

    fn fields(&mut self, fields: &'a [ast::Field]) -> Vec<hir::Field> {
        fields
            .iter()
            .map(|f| hir::Field {
                name: self.text(f.name.symbol).to_string(),
                ty: self.stored_type(&f.ty),
                private: f.private,
                boxed: false,
                span: f.span,
            })
            .collect()
    }

    fn stored_type(&mut self, ty: &ast::Type) -> TypeId {
        let id = self.resolve(ty);
        if id == Types::VOID {
            self.report(Diagnostic::error(ty.span, "nothing can be of type `void`").label("there are no values of it"));
            return Types::ERROR;
        }
        id
    }

    /// What lies in values of a type itself, not behind an address: fields and payloads.
    fn contained(&self, ty: TypeId, f: &mut dyn FnMut(TypeId)) {
        let types = &self.out.types;
        match types.get(ty) {
            Type::Struct(s) => types.structure(*s).fields.iter().for_each(|field| f(field.ty)),
            Type::Union(u) => types.union(*u).variants.iter().flat_map(|v| &v.payload).for_each(|field| f(field.ty)),
            _ => {}
        }
    }

    pub fn is_composite(&self, ty: TypeId) -> bool {
        matches!(self.out.types.get(ty), Type::Struct(_) | Type::Union(_))
    }

    /// Marks the payloads through which a union contains itself.
    fn box_payloads(&mut self, new: &[TypeId]) {
        for &ty in new {
            let &Type::Union(id) = self.out.types.get(ty) else { continue };
            for v in 0..self.out.types.union(id).variants.len() {
                for p in 0..self.out.types.union(id).variants[v].payload.len() {
                    let payload = self.out.types.union(id).variants[v].payload[p].ty;
                    if self.is_composite(payload) && self.reaches(payload, ty) {
                        self.out.types.union_mut(id).variants[v].payload[p].boxed = true;
                    }
                }
            }
        }
    }

    fn reaches(&self, from: TypeId, to: TypeId) -> bool {
        let mut seen = rustc_hash::FxHashSet::default();
        let mut open = vec![from];
        while let Some(ty) = open.pop() {
            if ty == to {
                return true;
            }
            if seen.insert(ty) {
                self.contained(ty, &mut |inner| {
                    if self.is_composite(inner) {
                        open.push(inner);
                    }
                });
            }
        }
        false
    }

    /// Reports structs that contain themselves with nothing optional between: they have no end.
    fn reject_endless(&mut self, new: &[TypeId]) {
        let mut finished = rustc_hash::FxHashSet::default();
        for &start in new {
            let mut path: Vec<(TypeId, usize)> = vec![(start, 0)];
            let mut on_path = rustc_hash::FxHashSet::from_iter([start]);
            while let Some(&mut (ty, ref mut next)) = path.last_mut() {
                let field = match self.out.types.get(ty) {
                    Type::Struct(s) if !finished.contains(&ty) => self.out.types.structure(*s).fields.get(*next),
                    _ => None,
                };
                let Some(field) = field else {
                    finished.insert(ty);
                    on_path.remove(&ty);
                    path.pop();
                    continue;
                };
                let index = *next;
                *next += 1;
                let inner = field.ty;
                if !on_path.contains(&inner) {
                    let known = finished.contains(&inner) || self.heights.contains_key(&inner);
                    if matches!(self.out.types.get(inner), Type::Struct(_)) && !known {
                        path.push((inner, 0));
                        on_path.insert(inner);
                    }
                    continue;
                }
                let (span, field_name) = (field.span, field.name.clone());
                let name = self.type_name(inner);
                let message = format!("`{name}` would contain itself without end");
                self.report(
                    Diagnostic::error(span, message)
                        .label(format!("every `{name}` would hold another one here"))
                        .help(format!("make it optional: `{field_name}: {name}?`, or an `Array[{name}]`")),
                );
                if let &Type::Struct(s) = self.out.types.get(ty) {
                    self.out.types.struct_mut(s).fields[index].ty = Types::ERROR;
                }
            }
        }
    }

    /// Reports types in which more types lie in one another than may be.
    fn reject_high(&mut self, new: &[TypeId]) {
        for &start in new {
            let mut path = Vec::new();
            self.enter(start, &mut path);
            while let Some((ty, inside, height)) = path.last_mut() {
                if let Some(inner) = inside.pop() {
                    match self.heights.get(&inner) {
                        Some(&known) => *height = (*height).max(known + 1),
                        None => self.enter(inner, &mut path),
                    }
                    continue;
                }
                let (ty, height) = (*ty, *height);
                path.pop();
                self.heights.insert(ty, height);
                if let Some((_, _, outer)) = path.last_mut() {
                    *outer = (*outer).max(height + 1);
                }
                if height > self.options.max_height {
                    self.too_high(ty);
                }
            }
        }
    }

    /// Puts a type on a path, with those that lie in it. What is on the path already is behind an address.
    fn enter(&mut self, ty: TypeId, path: &mut Vec<(TypeId, Vec<TypeId>, u32)>) {
        if self.heights.insert(ty, 0).is_some() {
            return;
        }
        let mut inside = Vec::new();
        self.contained(ty, &mut |inner| {
            if self.is_composite(inner) {
                inside.push(inner);
            }
        });
        path.push((ty, inside, 1));
    }

    fn too_high(&mut self, ty: TypeId) {
        self.heights.insert(ty, 0);
        let name = self.type_name(ty);
        let span = match *self.out.types.get(ty) {
            Type::Struct(id) => {
                let structure = self.out.types.struct_mut(id);
                structure.fields.iter_mut().for_each(|field| field.ty = Types::ERROR);
                structure.span
            }
            Type::Union(id) => {
                let union = self.out.types.union_mut(id);
                union.variants.iter_mut().flat_map(|v| &mut v.payload).for_each(|field| field.ty = Types::ERROR);
                union.span
            }
            _ => return,
        };
        // One is told of: the same is true of all that hold it.
        if std::mem::replace(&mut self.too_high, true) {
            return;
        }
        let most = self.options.max_height;
        let message = format!("`{name}` nests too deeply: more than {most} types lie in one another");
        self.report(
            Diagnostic::error(span, message)
                .label("holds one of them too many")
                .help("let one of them hold an `Array` of the next, which lies behind an address"),
        );
    }

    /// `payload?`, by the `Option` that is visible here.
    pub fn optional(&mut self, payload: TypeId, span: Span) -> TypeId {
        if payload == Types::ERROR {
            return Types::ERROR;
        }
        let library = self.decls.space(self.ctx.space).library;
        let own = if library { None } else { self.own_option };
        let Some(decl) = own.or(self.library_option) else { return Types::ERROR };
        self.instantiate(decl, Rc::from([payload]), span)
    }

    /// Payload and variants of an optional.
    pub fn option(&self, ty: TypeId) -> Option<(TypeId, OptionShape)> {
        let &Type::Union(id) = self.out.types.get(ty) else { return None };
        let shape = *self.option_shapes.get(&self.union_decls[id.0 as usize])?;
        Some((self.out.types.union(id).arguments[0], shape))
    }

    /// The declaration that a type is an instance of, with its arguments.
    pub fn declaration(&self, ty: TypeId) -> Option<(TypeDeclId, Rc<[TypeId]>)> {
        let types = &self.out.types;
        match types.get(ty) {
            Type::Struct(s) => {
                Some((self.struct_decls[s.0 as usize]?, self.arguments_of(&types.structure(*s).arguments)))
            }
            Type::Union(u) => Some((self.union_decls[u.0 as usize], self.arguments_of(&types.union(*u).arguments))),
            Type::Array(t) => Some((self.library_type(self.known.array)?, Rc::from([*t]))),
            Type::Vector(t) => Some((self.library_type(self.known.vector)?, Rc::from([*t]))),
            Type::Slice(t) => Some((self.library_type(self.known.slice)?, Rc::from([*t]))),
            Type::Void | Type::Never | Type::Error | Type::Function { .. } => None,
            _ => Some((*self.intrinsic_types.get(&ty)?, self.no_types.clone())),
        }
    }

    pub fn is_number(&self, ty: TypeId) -> bool {
        matches!(self.out.types.get(ty), Type::Int(_) | Type::F32 | Type::F64)
    }

    pub fn is_float(&self, ty: TypeId) -> bool {
        ty == Types::F64 || ty == Types::F32
    }

    pub fn int_kind(&self, ty: TypeId) -> Option<IntKind> {
        match self.out.types.get(ty) {
            Type::Int(kind) => Some(*kind),
            _ => None,
        }
    }

    fn unknown_type(&mut self, name: ast::Name, head: bool) {
        let text = self.text(name.symbol).to_string();
        let mut diagnostic = Diagnostic::error(name.span, format!("unknown type `{text}`"));
        if name.symbol == self.known.reference || name.symbol == self.known.pointer {
            diagnostic = Diagnostic::error(name.span, format!("`{text}[T]` is not supported yet"))
                .label("references and pointers come with a later version");
            self.report(diagnostic);
            return;
        }
        if let Some((outer, at)) = self.parameter_around(name.symbol) {
            let diagnostic = Diagnostic::error(name.span, format!("`{text}` is a type parameter of `{outer}`"))
                .label("not visible in a type inside of it")
                .secondary(at, "declared here")
                .help(format!("give the inner type a parameter of its own: `define Inner[{text}](…)`"));
            self.report(diagnostic);
            return;
        }
        if let Some((_, span)) = self.value_named(name.symbol) {
            diagnostic = Diagnostic::error(name.span, format!("`{text}` is no type")).secondary(span, "defined here");
        }
        let habit = match text.as_str() {
            "Int" | "integer" | "Integer" | "long" | "isize" | "i128" => Some("int"),
            "usize" | "unsigned" => Some("u64"),
            "str" | "string" | "Str" => Some("String"),
            "boolean" | "Bool" | "Boolean" => Some("bool"),
            "Float" | "Double" | "number" => Some("f64"),
            "byte" | "Byte" => Some("u8"),
            "short" => Some("i16"),
            "rune" | "Char" => Some("char"),
            "Vec" | "list" | "array" => Some("Array"),
            "Map" | "dict" | "Dict" | "map" | "Dictionary" => Some("HashMap"),
            "Set" => Some("HashSet"),
            _ => None,
        };
        let near = match habit {
            Some(habit) => Some(habit.to_string()),
            None => self.near(name.symbol, self.visible_types()),
        };
        let label = if head { "unknown type or namespace" } else { "no type of this name" };
        self.report(diagnostic.label(label).help_near(near));
    }

    /// The generic type around the current context that has a type parameter of this name.
    fn parameter_around(&self, name: Symbol) -> Option<(&str, Span)> {
        let mut at = Some(self.ctx.space);
        while let Some(id) = at {
            let space = self.decls.space(id);
            if let Some(owner) = space.owner
                && let declared = self.decls.ty(owner)
                && let Some(generic) = declared.define.generics.iter().find(|g| g.symbol == name)
            {
                return Some((self.text(declared.name), generic.span));
            }
            at = space.parent;
        }
        None
    }

    fn visible_types(&self) -> Vec<Symbol> {
        let mut names: Vec<Symbol> = self.known.primitives.keys().copied().collect();
        names.extend(self.ctx.generics.iter().map(|(name, _)| *name));
        let mut at = Some(self.ctx.space);
        while let Some(id) = at {
            names.extend(self.types_of(id));
            at = self.decls.space(id).parent;
        }
        names
    }

    pub fn types_of(&self, space: SpaceId) -> Vec<Symbol> {
        let names = &self.decls.space(space).names;
        names.iter().filter(|(_, e)| matches!(e.other, Some(Other::Type(_)))).map(|(&n, _)| n).collect()
    }
}

/// `1 argument`, `2 arguments`.
pub fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("{n} {noun}") } else { format!("{n} {noun}s") }
}
