//! What a name means: the head of an expression, before it is known whether it is called, indexed or read.

use std::rc::Rc;

use super::Checker;
use super::declarations::{Builtin, ConstantId, Other, RoutineDeclId, SpaceId, TypeDeclId};
use super::hir::{Expr, ExprKind, LocalId, Type, TypeId, Types};
use super::scope::Bound;
use super::types::TypeName;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::Symbol;
use crate::syntax::ast::{self, DefineKind, Payload};

/// What stands in front of a call, an index or a member.
#[derive(Debug)]
pub enum Head {
    Value(Expr),
    Routines(Overloads),
    /// `copy`, `to_string`: methods of every value.
    Universal(Universal, Expr),
    Type(TypeId),
    /// A generic type without its arguments.
    Generic(TypeDeclId),
    Namespace(TypeDeclId),
    Variant {
        union: TypeDeclId,
        variant: u32,
        /// The instance, where it was written.
        ty: Option<TypeId>,
    },
    Builtin(Builtin),
    /// Reported.
    Failed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Universal {
    Copy,
    ToString,
}

/// Routines of one name.
#[derive(Debug)]
pub struct Overloads {
    pub name: Symbol,
    /// With the distance of the space: nearer ones go before.
    pub routines: Vec<(RoutineDeclId, u8)>,
    /// The receiver, of those that have `this`.
    pub this: Option<Expr>,
    /// Type arguments of the type they stand in.
    pub owner: Option<Rc<[TypeId]>>,
    /// Type arguments in brackets.
    pub explicit: Vec<TypeId>,
    pub span: Span,
}

impl<'a> Checker<'a> {
    /// What an expression means as the head of something.
    pub fn head(&mut self, e: &'a ast::Expr, hint: Option<TypeId>) -> Head {
        match &e.kind {
            ast::ExprKind::Name(symbol) => self.name(*symbol, e.span, hint),
            ast::ExprKind::Member(base, name) => {
                let base_head = self.head(base, None);
                self.member(base_head, base, *name, e.span)
            }
            ast::ExprKind::Index(index) => self.index_head(index, e.span),
            _ => self.some_value(e, hint),
        }
    }

    fn some_value(&mut self, e: &'a ast::Expr, hint: Option<TypeId>) -> Head {
        let value = self.expr(e, hint);
        if value.ty == Types::ERROR { Head::Failed } else { Head::Value(value) }
    }

    /// What a name means here.
    pub fn name(&mut self, symbol: Symbol, span: Span, hint: Option<TypeId>) -> Head {
        if let Some(value) = self.local_value(symbol, span) {
            return Head::Value(value);
        }
        let mut found =
            Overloads { name: symbol, routines: Vec::new(), this: None, owner: None, explicit: Vec::new(), span };
        let mut level = 0;
        let mut at = Some(self.ctx.space);
        while let Some(id) = at {
            let space = self.decls.space(id);
            at = space.parent;
            let owner = space.owner;
            let entry = space.names.get(&symbol);
            if let Some(other) = entry.and_then(|e| e.other) {
                if found.routines.is_empty() {
                    return self.other(other, span);
                }
                break;
            }
            let routines = entry.map(|e| e.routines.as_slice()).unwrap_or_default();
            if !routines.is_empty() {
                found.routines.extend(routines.iter().map(|&r| (r, level)));
                level = level.saturating_add(1);
            }
            if let Some(owner) = owner {
                let named = !routines.is_empty();
                if let Some(head) = self.own_member(owner, symbol, named, span, &mut found) {
                    return head;
                }
            }
            if (id == self.file_space || id == self.library_space)
                && found.routines.is_empty()
                && let Some(head) = self.bare_variant(symbol, id == self.library_space, hint, span)
            {
                return head;
            }
        }
        if !found.routines.is_empty() {
            return Head::Routines(found);
        }
        if let Some(name) = self.find_type(symbol) {
            return self.type_head(name);
        }
        self.unknown_name(symbol, span);
        Head::Failed
    }

    /// A variable, or what stands for one.
    fn local_value(&mut self, symbol: Symbol, span: Span) -> Option<Expr> {
        let binding = self.scopes.get(symbol)?;
        Some(match binding.bound {
            Bound::Local(local) => {
                let local = self.captured(binding, local);
                self.local_expr(local, span)
            }
            Bound::Alias(alias) => self.alias(alias, span),
        })
    }

    pub fn local_expr(&mut self, local: LocalId, span: Span) -> Expr {
        let ty = self.frame().locals[local.0 as usize].ty;
        Expr::new(ExprKind::Local(local), ty, span)
    }

    /// `this`, where there is one.
    pub fn this(&mut self, span: Span) -> Option<Expr> {
        self.local_value(self.known.this, span)
    }

    /// A field or method of the type whose members are being looked at, through `this`.
    fn own_member(
        &mut self,
        owner: TypeDeclId,
        symbol: Symbol,
        routines: bool,
        span: Span,
        found: &mut Overloads,
    ) -> Option<Head> {
        let field = match &self.decls.ty(owner).define.kind {
            DefineKind::Struct { fields, .. } => fields.iter().position(|f| f.name.symbol == symbol),
            _ => None,
        };
        if field.is_none() && !routines {
            return None;
        }
        let args: Rc<[TypeId]> = self.own_arguments(owner);
        if routines && found.owner.is_none() {
            found.owner = Some(args.clone());
        }
        let this = self.this(span)?;
        if this.ty == Types::ERROR {
            return Some(Head::Failed);
        }
        let own = self.declaration(this.ty).is_some_and(|(decl, _)| decl == owner);
        if !own {
            return None;
        }
        match field {
            Some(field) if found.routines.is_empty() => Some(Head::Value(self.field(this, field as u32, span))),
            _ => {
                found.this.get_or_insert(this);
                None
            }
        }
    }

    /// The types of a type's parameters inside of one of its routines.
    fn own_arguments(&self, owner: TypeDeclId) -> Rc<[TypeId]> {
        let generics = &self.decls.ty(owner).define.generics;
        if generics.is_empty() {
            return self.no_types.clone();
        }
        let bound = |name: Symbol| self.ctx.generics.iter().rev().find(|(n, _)| *n == name).map(|(_, ty)| *ty);
        generics.iter().map(|g| bound(g.symbol).unwrap_or(Types::ERROR)).collect()
    }

    fn other(&mut self, other: Other, span: Span) -> Head {
        match other {
            Other::Builtin(builtin) => Head::Builtin(builtin),
            Other::Constant(constant) => self.constant_head(constant, span),
            Other::Type(decl) => self.type_head(TypeName::Declared(decl)),
        }
    }

    fn constant_head(&mut self, constant: ConstantId, span: Span) -> Head {
        let value = self.constant(constant, span);
        if value.ty == Types::ERROR { Head::Failed } else { Head::Value(value) }
    }

    fn type_head(&mut self, name: TypeName) -> Head {
        match name {
            TypeName::Is(Types::ERROR) => Head::Failed,
            TypeName::Is(ty) => Head::Type(ty),
            TypeName::Declared(decl) => {
                let declared = self.decls.ty(decl);
                if declared.is_namespace() {
                    return Head::Namespace(decl);
                }
                if !declared.define.generics.is_empty() {
                    return Head::Generic(decl);
                }
                // A namespace keeps being one under another name.
                if let DefineKind::Alias { target } = &declared.define.kind
                    && let ast::TypeKind::Named { path, args } = &target.kind
                    && args.is_empty()
                    && path.len() == 1
                    && path[0].symbol != declared.name
                    && let Some(TypeName::Declared(inner)) = self.find_type(path[0].symbol)
                    && (self.decls.ty(inner).is_namespace() || !self.decls.ty(inner).define.generics.is_empty())
                {
                    return self.type_head(TypeName::Declared(inner));
                }
                match self.apply(decl, &[], declared.span) {
                    Types::ERROR => Head::Failed,
                    ty => Head::Type(ty),
                }
            }
        }
    }

    fn bare_variant(&mut self, symbol: Symbol, library: bool, hint: Option<TypeId>, span: Span) -> Option<Head> {
        let table = if library { &self.decls.library_variants } else { &self.decls.variants };
        let list = table.get(&symbol)?;
        if let &[(union, variant)] = list.as_slice() {
            return Some(Head::Variant { union, variant, ty: None });
        }
        if let Some((decl, _)) = hint.and_then(|ty| self.declaration(ty))
            && let Some(&(union, variant)) = list.iter().find(|(union, _)| *union == decl)
        {
            return Some(Head::Variant { union, variant, ty: None });
        }
        let name = self.text(symbol);
        let ways: Vec<String> =
            list.iter().map(|(union, _)| format!("`{}.{name}`", self.text(self.decls.ty(*union).name))).collect();
        let mut diagnostic = Diagnostic::error(span, format!("`{name}` is a variant of several unions"))
            .label("which one is meant?")
            .help(format!("write {}", ways.join(" or ")));
        for (union, _) in list.clone() {
            diagnostic = self.defined_here(diagnostic, self.decls.ty(union).span);
        }
        self.report(diagnostic);
        Some(Head::Failed)
    }

    /// The value of a head that is not called.
    pub fn head_value(&mut self, head: Head, span: Span, hint: Option<TypeId>) -> Expr {
        match head {
            Head::Value(e) => e,
            Head::Failed => self.failed(span),
            Head::Routines(overloads) => self.routine_value(overloads, span, hint),
            Head::Universal(which, e) => self.universal(which, e, span),
            Head::Variant { union, variant, ty } => self.bare_variant_value(union, variant, ty, span, hint),
            Head::Builtin(builtin) => {
                let name = match builtin {
                    Builtin::Print => self.short_source(span).unwrap_or("print"),
                    Builtin::Format => "format",
                    Builtin::Hash => "hash",
                };
                self.report(
                    Diagnostic::error(span, format!("`{name}` is not called here"))
                        .label("a routine, not a value")
                        .help(format!("write `{name}(…)`, or a lambda: `\\x: {name}(x)`")),
                );
                self.failed(span)
            }
            Head::Type(ty) => {
                let name = self.type_name(ty);
                let help = match self.out.types.get(ty) {
                    Type::Struct(_) | Type::Array(_) | Type::Vector(_) => format!("to make one, write `{name}(…)`"),
                    _ => format!("a `{name}` is declared by `let x: {name} …`"),
                };
                self.type_as_value(&name, span, help)
            }
            Head::Generic(decl) => {
                let name = self.text(self.decls.ty(decl).name);
                self.type_as_value(name, span, format!("to make one, write `{name}[…](…)`"))
            }
            Head::Namespace(decl) => {
                let name = self.text(self.decls.ty(decl).name);
                self.type_as_value(name, span, format!("its members are written `{name}.member`"))
            }
        }
    }

    fn type_as_value(&mut self, name: &str, span: Span, help: String) -> Expr {
        self.report(
            Diagnostic::error(span, format!("`{name}` is a type, not a value"))
                .label("a value is expected here")
                .help(help),
        );
        self.failed(span)
    }

    fn bare_variant_value(
        &mut self,
        union: TypeDeclId,
        variant: u32,
        ty: Option<TypeId>,
        span: Span,
        hint: Option<TypeId>,
    ) -> Expr {
        let DefineKind::Union { variants, .. } = &self.decls.ty(union).define.kind else { return self.failed(span) };
        let declared = &variants[variant as usize];
        if !matches!(declared.payload, Payload::None) {
            let name = self.text(declared.name.symbol);
            let diagnostic = Diagnostic::error(span, format!("the variant `{name}` has a payload"))
                .label("its payload is missing")
                .help(format!("write `{name}(…)`"));
            let diagnostic = self.defined_here(diagnostic, declared.span);
            self.report(diagnostic);
            return self.failed(span);
        }
        self.construct_variant(union, variant, ty, Vec::new(), span, hint)
    }

    /// A routine as a value.
    fn routine_value(&mut self, overloads: Overloads, span: Span, hint: Option<TypeId>) -> Expr {
        let nearest: Vec<RoutineDeclId> = overloads.routines.iter().map(|(r, _)| *r).collect();
        let mut methods = false;
        for &id in &nearest {
            methods |= self.has_this(id);
        }
        let name = self.text(overloads.name);
        if methods {
            // A method without parentheses is called.
            return self.call_overloads(overloads, Vec::new(), span, hint);
        }
        let expected = hint.and_then(|ty| match self.out.types.get(ty) {
            Type::Function { params, result } => Some((params.clone(), *result)),
            _ => None,
        });
        let mut fitting = Vec::new();
        for &(id, level) in &overloads.routines {
            let generics = self.decls.routine(id).routine.generics.len();
            let owner = overloads.owner.clone().unwrap_or_else(|| self.no_types.clone());
            let owner = if self.decls.routine(id).owner.is_some() { owner } else { self.no_types.clone() };
            let args: Rc<[TypeId]> = if overloads.explicit.len() == generics {
                owner.iter().chain(&overloads.explicit).copied().collect()
            } else if let Some((params, result)) = &expected {
                match self.infer_value(id, &owner, params, *result) {
                    Some(args) => args,
                    None => continue,
                }
            } else {
                continue;
            };
            let signature = self.signature(id, &args);
            let fits = match &expected {
                Some((params, result)) => *signature.params == **params && signature.result == *result,
                None => true,
            };
            if fits {
                fitting.push((level, id, args, signature));
            }
        }
        fitting.sort_by_key(|(level, ..)| *level);
        if let [(level, id, args, signature), rest @ ..] = fitting.as_slice()
            && rest.first().is_none_or(|(l, ..)| l > level)
        {
            let ty = self.function_type(signature.params.as_ref().into(), signature.result);
            if ty == Types::ERROR {
                return self.failed(span);
            }
            let routine = self.instance(*id, args, span);
            return Expr::new(ExprKind::RoutineValue(routine), ty, span);
        }
        let diagnostic = match (&expected, hint) {
            (Some(_), Some(ty)) => {
                let message = format!("`{name}` is no `{}`", self.type_name(ty));
                let at = self.decls.routine(nearest[0]).routine.head_span;
                let diagnostic = Diagnostic::error(span, message).label("its parameters or result are others");
                self.defined_here(diagnostic, at)
            }
            _ if nearest.len() > 1 && fitting.len() > 1 => {
                Diagnostic::error(span, format!("there are several routines `{name}`"))
                    .label("which one is meant?")
                    .help("give the type that is expected, as in `let f: function(int) returns int …`")
            }
            _ => Diagnostic::error(span, format!("`{name}` is generic"))
                .label("its types are not known here")
                .help(format!("write them in brackets: `{name}[…]`, or call it: `{name}(…)`")),
        };
        self.report(diagnostic);
        self.failed(span)
    }

    /// Something with this name that is no type, and where it was defined.
    pub fn value_named(&self, symbol: Symbol) -> Option<(Symbol, Span)> {
        let mut at = Some(self.ctx.space);
        while let Some(id) = at {
            let space = self.decls.space(id);
            if let Some(entry) = space.names.get(&symbol)
                && !space.library
            {
                if let Some(&r) = entry.routines.first() {
                    return Some((symbol, self.decls.routine(r).routine.head_span));
                }
                if let Some(Other::Constant(c)) = entry.other {
                    return Some((symbol, self.decls.constant(c).span));
                }
            }
            at = space.parent;
        }
        None
    }

    fn unknown_name(&mut self, symbol: Symbol, span: Span) {
        let name = self.text(symbol);
        if symbol == self.known.this {
            let message = "there is no `this` here";
            self.report(
                Diagnostic::error(span, message).label("this routine stands in no type, or gets no value of it"),
            );
            return;
        }
        if let Some(&(_, at)) = self.beside.iter().find(|(name, _)| *name == symbol) {
            let help = "leave out the default: pass the value, or let a routine with fewer parameters pass it";
            let diagnostic = Diagnostic::error(span, format!("a default cannot name `{name}`"));
            self.report(diagnostic.label("it is not known here").secondary(at, "declared beside it").help(help));
            return;
        }
        if let Some((at, top)) = self.hidden_variable(symbol) {
            let in_main = self.frames.first().is_some_and(|f| f.kind == super::hir::RoutineKind::Main);
            let diagnostic = if top && in_main {
                let when = if span.start < at.start { "before" } else { "in" };
                Diagnostic::error(span, format!("`{name}` is used {when} its declaration"))
                    .label("not known yet")
                    .secondary(at, "declared here")
            } else {
                // Once for each routine: it is one mistake.
                if !self.hidden.insert((self.frames.last().map(|f| f.routine), symbol)) {
                    return;
                }
                let whose = if top { "the main program" } else { "the routine around" };
                Diagnostic::error(span, format!("`{name}` is a variable of {whose}"))
                    .label("not visible in a routine")
                    .secondary(at, "declared here")
                    .help(format!(
                        "pass it as a parameter; if it never changes, declare it with `define {name} …` instead"
                    ))
            };
            self.report(diagnostic);
            return;
        }
        let habit = match name {
            "self" => Some("write `this`"),
            "nil" | "NULL" | "nullptr" | "none" | "undefined" | "nothing" => Some("write `null`"),
            "True" => Some("write `true`"),
            "False" => Some("write `false`"),
            "echo" | "puts" | "printf" | "console" | "System" | "cout" | "fmt" => Some("to print, write `println(…)`"),
            "len" | "size" | "sizeof" | "count" => Some("write `x.length()`"),
            "str" | "string" | "toString" => Some("write `x.to_string()`"),
            "range" => Some("write `for i in 0..n`, or `for i in n`"),
            "elif" | "elsif" | "elseif" => Some("write `else if`"),
            "def" | "func" | "fn" | "fun" | "sub" => Some("a routine is written `function name(…) returns T { … }`"),
            "const" | "val" => Some("write `let x …`, or `define X …` for a constant"),
            "class" | "struct" => Some("a type is written `define Name(x: int)`"),
            "switch" => Some("write `match x { case 1: … else … }`"),
            "import" | "include" | "require" => Some("the library needs no import"),
            "foreach" | "do" => Some("write `for x in list { … }` or `while c { … }`"),
            "math" | "Math" => Some("its routines need no prefix: `sqrt(x)`"),
            _ => None,
        };
        let near = self.near(symbol, self.visible_names());
        let mut diagnostic = Diagnostic::error(span, format!("unknown name `{name}`")).label("not declared");
        if let Some(habit) = habit {
            diagnostic = diagnostic.help(habit);
        } else if self.source(span).starts_with('\'') {
            diagnostic = diagnostic.help(format!("text stands in double quotes: `\"{name}\"`"));
        } else if let Some(other) = near {
            diagnostic = diagnostic.help(format!("did you mean `{other}`?"));
        } else if self.assigned == Some(span) {
            diagnostic = diagnostic.help(format!("a variable is declared by `var {name} = …`"));
        }
        self.report(diagnostic);
    }

    /// A variable of a block around, or of the main program, that is not visible; whether it is of the main program.
    fn hidden_variable(&self, symbol: Symbol) -> Option<(Span, bool)> {
        let mut at = Some(self.ctx.space);
        while let Some(id) = at {
            let space = self.decls.space(id);
            if let Some((_, span)) = space.variables.iter().find(|(name, _)| *name == symbol) {
                return Some((*span, id == self.file_space));
            }
            at = space.parent;
        }
        None
    }

    fn visible_names(&self) -> Vec<Symbol> {
        let mut names: Vec<Symbol> = self.scopes.visible().collect();
        let mut at = Some(self.ctx.space);
        while let Some(id) = at {
            let space = self.decls.space(id);
            names.extend(space.names.keys());
            if let Some(owner) = space.owner
                && let DefineKind::Struct { fields, .. } = &self.decls.ty(owner).define.kind
            {
                names.extend(fields.iter().map(|f| f.name.symbol));
            }
            at = space.parent;
        }
        names.extend(self.decls.variants.keys());
        names.extend(self.known.primitives.keys());
        names
    }

    /// Whether private members of a type can be named here.
    pub fn inside(&self, owner: TypeDeclId) -> bool {
        let members = self.decls.ty(owner).members;
        let mut at: Option<SpaceId> = Some(self.ctx.space);
        while let Some(id) = at {
            if id == members {
                return true;
            }
            at = self.decls.space(id).parent;
        }
        false
    }
}
