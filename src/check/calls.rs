//! Calls: of routines, methods, constructors, variants, function values, and of what is expanded here.

use std::rc::Rc;

use super::Checker;
use super::declarations::{Builtin, Param, RoutineDeclId, TypeDeclId};
use super::hir::{self, Body, Expr, ExprKind, LocalId, LocalKind, RoutineId, RoutineKind, Type, TypeId, Types};
use super::names::{Head, Overloads};
use super::types::{Generics, count};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast;

/// An argument: as written, or an expression that was checked already.
#[derive(Debug)]
pub struct Argument<'a> {
    pub name: Option<ast::Name>,
    pub ast: Option<&'a ast::Expr>,
    pub done: Option<Expr>,
    pub span: Span,
}

impl<'a> Argument<'a> {
    pub fn of(ast: &'a ast::Expr) -> Self {
        Argument { name: None, ast: Some(ast), done: None, span: ast.span }
    }

    pub fn done(e: Expr) -> Self {
        Argument { name: None, ast: None, span: e.span, done: Some(e) }
    }
}

/// What can be called, with the types that are known of it.
#[derive(Debug)]
pub struct Candidate<'a> {
    pub target: Target,
    /// Nearer spaces go before.
    pub level: u8,
    pub params: Rc<[Param<'a>]>,
    /// What type parameters stand for, as far as is known: those of the owner, then its own.
    pub vars: Vec<(crate::syntax::Symbol, Option<TypeId>)>,
    /// Where the types of the parameters are looked up.
    pub space: super::declarations::SpaceId,
    pub outer: Generics,
    pub has_this: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    Routine(RoutineDeclId),
    Struct(TypeDeclId),
    Variant(TypeDeclId, u32),
}

impl<'a> Checker<'a> {
    pub fn call(&mut self, call: &'a ast::Call, span: Span, hint: Option<TypeId>) -> Expr {
        let head = self.head(&call.callee, None);
        match head {
            Head::Failed => {
                // What is wrong with the arguments is told too, where that does not depend on the callee.
                for arg in &call.args {
                    if !self.flexible(&arg.value) && !matches!(arg.value.kind, ast::ExprKind::Lambda(_)) {
                        self.expr(&arg.value, None);
                    }
                }
                self.failed(span)
            }
            Head::Builtin(Builtin::Print) => self.print(&call.args, call.callee.span, span),
            Head::Builtin(Builtin::Format) => self.format(&call.args, span),
            Head::Builtin(Builtin::Hash) => self.hash(&call.args, span),
            Head::Universal(which, value) => {
                let name = self.short_source(call.callee.span).unwrap_or("this");
                if self.no_arguments(&call.args, name) { self.universal(which, value, span) } else { self.failed(span) }
            }
            Head::Routines(overloads) => self.call_overloads(overloads, arguments(&call.args), span, hint),
            Head::Type(ty) => self.construct(ty, arguments(&call.args), span, hint),
            Head::Generic(decl) => self.construct_generic(decl, arguments(&call.args), span, hint),
            Head::Namespace(decl) => {
                let name = self.text(self.decls.ty(decl).name);
                self.report(
                    Diagnostic::error(call.callee.span, format!("`{name}` has no fields: nothing can be made of it"))
                        .label("a namespace"),
                );
                self.failed(span)
            }
            Head::Variant { union, variant, ty } => {
                self.construct_variant(union, variant, ty, arguments(&call.args), span, hint)
            }
            Head::Value(callee) if callee.ty == Types::ERROR => self.failed(span),
            Head::Value(callee) => self.call_value(callee, call, span),
        }
    }

    fn call_value(&mut self, callee: Expr, call: &'a ast::Call, span: Span) -> Expr {
        let (params, result) = match self.out.types.get(callee.ty) {
            Type::Function { params, result } => (params.clone(), *result),
            _ => {
                if let Some((routines, owner, _)) = self.find_methods(callee.ty, self.known.call) {
                    let overloads = Overloads {
                        name: self.known.call,
                        routines: routines.into_iter().map(|r| (r, 0)).collect(),
                        span: callee.span,
                        this: Some(callee),
                        owner: Some(owner),
                        explicit: Vec::new(),
                    };
                    return self.call_overloads(overloads, arguments(&call.args), span, None);
                }
                return self.not_callable(callee, call, span);
            }
        };
        if params.len() != call.args.len() {
            let message = format!(
                "this function takes {}, not {}",
                count(params.len(), "argument"),
                count(call.args.len(), "argument")
            );
            let ty = self.type_name(callee.ty);
            self.report(Diagnostic::error(span, message).label(format!("its type is `{ty}`")));
            return self.failed(span);
        }
        if let Some(name) = call.args.iter().find_map(|a| a.name) {
            self.report(
                Diagnostic::error(name.span, "the parameters of a function value have no names")
                    .label("write the arguments in order"),
            );
        }
        let arguments = call.args.iter().zip(params.iter()).map(|(a, &ty)| self.expr_as(&a.value, ty, None)).collect();
        Expr::new(ExprKind::CallValue { callee: Box::new(callee), arguments }, result, span)
    }

    fn not_callable(&mut self, callee: Expr, call: &'a ast::Call, span: Span) -> Expr {
        let ty = self.type_name(callee.ty);
        let name = self.short_source(call.callee.span).unwrap_or("this");
        if callee.ty == Types::VOID {
            let message = "this gives no value that could be called";
            self.report(Diagnostic::error(callee.span, message).label("no value"));
            return self.failed(span);
        }
        let mut diagnostic = Diagnostic::error(call.callee.span, format!("`{name}` is a `{ty}` and cannot be called"))
            .label("not a routine");
        if call.is_juxtaposed(span) {
            diagnostic = Diagnostic::error(call.callee.span.to(span), format!("`{name}` is a `{ty}`, not a routine"))
                .label("a value beside a value")
                .help("an operator or a line break is missing between the two");
        } else if let (Some(_), [arg]) = (self.out.types.element(callee.ty), call.args.as_slice()) {
            let index = self.short_source(arg.value.span).unwrap_or("i");
            diagnostic = diagnostic.help(format!("an element is written `{name}[{index}]`"));
        } else if let [arg] = call.args.as_slice()
            && self.is_number(callee.ty)
        {
            let factor = self.short_source(arg.value.span).unwrap_or("x");
            diagnostic = diagnostic.help(format!("to multiply, write `{name} * ({factor})`"));
        }
        self.report(diagnostic);
        self.failed(span)
    }

    /// A call of the best of several routines.
    pub fn call_overloads(
        &mut self,
        overloads: Overloads,
        args: Vec<Argument<'a>>,
        span: Span,
        hint: Option<TypeId>,
    ) -> Expr {
        let Overloads { name, routines, this, owner, explicit, span: name_span } = overloads;
        let mut candidates = Vec::with_capacity(routines.len());
        let mut without_this = None;
        let mut wrong_types = None;
        for &(id, level) in &routines {
            let has_this = self.has_this(id);
            if has_this && this.is_none() {
                without_this = Some(id);
                continue;
            }
            let decl = self.decls.routine(id);
            let own = &decl.routine.generics;
            if !explicit.is_empty() && own.len() != explicit.len() {
                wrong_types = Some(id);
                continue;
            }
            let mut vars = Vec::new();
            if let Some(o) = decl.owner {
                let generics = &self.decls.ty(o).define.generics;
                vars.extend(
                    generics
                        .iter()
                        .enumerate()
                        .map(|(i, g)| (g.symbol, owner.as_ref().and_then(|args| args.get(i)).copied())),
                );
            }
            vars.extend(own.iter().enumerate().map(|(i, g)| (g.symbol, explicit.get(i).copied())));
            let (space, outer) = (decl.space, decl.outer.clone());
            let params = self.decls.params(id, self.known.this);
            candidates.push(Candidate { target: Target::Routine(id), level, params, vars, space, outer, has_this });
        }
        if candidates.is_empty() {
            let text = self.text(name);
            if let Some(id) = without_this {
                let at = self.decls.routine(id).routine.head_span;
                let diagnostic = Diagnostic::error(name_span, format!("`{text}` needs a value to be called on"))
                    .label("there is no `this` here");
                let diagnostic = self.defined_here(diagnostic, at);
                self.report(diagnostic);
            } else if let Some(id) = wrong_types {
                let n = self.decls.routine(id).routine.generics.len();
                let message = format!("`{text}` takes {}, not {}", count(n, "type argument"), explicit.len());
                let at = self.decls.routine(id).routine.head_span;
                let diagnostic = Diagnostic::error(name_span, message).label("wrong number of types");
                let diagnostic = self.defined_here(diagnostic, at);
                self.report(diagnostic);
            }
            return self.failed(span);
        }
        self.select(candidates, this, args, span, name_span, hint)
    }

    /// The call of a chosen routine, its arguments in the order of the parameters.
    pub fn emit_call(
        &mut self,
        id: RoutineDeclId,
        types: &Rc<[TypeId]>,
        this: Option<Expr>,
        arguments: Vec<Expr>,
        span: Span,
    ) -> Expr {
        let signature = self.signature(id, types);
        let decl = self.decls.routine(id);
        let (library, name, owner, private) = (decl.library, decl.name, decl.owner, decl.routine.private);
        if private
            && let Some(owner) = owner
            && !self.inside(owner)
        {
            let (text, of) = (self.text(name), self.text(self.decls.ty(owner).name));
            let diagnostic = Diagnostic::error(span, format!("`{text}` of `{of}` is private"))
                .label(format!("only routines of `{of}` can call it"));
            let diagnostic = self.defined_here(diagnostic, self.decls.routine(id).routine.head_span);
            self.report(diagnostic);
        }
        if library
            && owner.is_some_and(|o| self.decls.ty(o).name == self.known.string_builder)
            && let Some(&[ty]) = types.get(..1).map(|t| <&[TypeId; 1]>::try_from(t).unwrap_or(&[Types::VOID]))
        {
            self.printable(ty, span);
        }
        let routine = self.instance(id, types, span);
        let mut all = arguments;
        if let (Some(this), Some(ty)) = (this, signature.this) {
            all.insert(0, self.coerce(this, ty, None));
        }
        let mut result = signature.result;
        if library && owner.is_none() && (name == self.known.fail || name == self.known.exit) {
            result = Types::NEVER;
        }
        Expr::new(ExprKind::Call { routine, arguments: all }, result, span)
    }

    /// A routine that only the compiler knows, with one parameter.
    pub fn intrinsic(&mut self, name: &'static str, arguments: [TypeId; 1], result: TypeId, span: Span) -> RoutineId {
        let locals: Vec<hir::Local> =
            arguments.iter().map(|&ty| hir::Local { name: String::new(), ty, kind: LocalKind::Param, span }).collect();
        let key = (name, arguments[0]);
        if let Some(&known) = self.intrinsics.get(&key) {
            return known;
        }
        let routine = self.new_routine(hir::Routine {
            name: name.into(),
            kind: RoutineKind::Function,
            params: (0..locals.len() as u32).map(LocalId).collect(),
            result,
            locals,
            body: Body::Intrinsic { name: name.into(), arguments: arguments.to_vec() },
            captures: Vec::new(),
            span,
            library: true,
            summary: hir::Summary::default(),
        });
        self.intrinsics.insert(key, routine);
        routine
    }
}

/// The arguments of a call.
pub fn arguments(args: &[ast::Arg]) -> Vec<Argument<'_>> {
    args.iter().map(|a| Argument { name: a.name, ast: Some(&a.value), done: None, span: a.value.span }).collect()
}
