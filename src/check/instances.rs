//! Routine instances: signatures, the list of bodies still to check, and the main program.
//!
//! An instance is a declared routine with types for the parameters of its type and its own. Asking for one gives its id at
//! once; its body is checked later from a list, so that neither recursion in the program nor a long chain of calls is one
//! in the checker.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Checker;
use super::declarations::{Declarations, Other, RoutineDeclId, SpaceId, TypeDeclId};
use super::hir::{self, Body, Expr, ExprKind, LocalKind, RoutineId, RoutineKind, TypeId, Types};
use super::messages::{Origin, OriginId};
use super::scope::Frame;
use super::statements::Want;
use super::types::Context;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::Symbol;
use crate::syntax::ast::{self, StmtKind};

#[derive(Clone, Debug)]
pub struct Instance {
    pub signature: Rc<Signature>,
    /// Missing while nobody calls it.
    pub routine: Option<RoutineId>,
}

#[derive(Debug)]
pub struct Signature {
    /// Type of `this`, of a method; not of an initializer, which makes it.
    pub this: Option<TypeId>,
    /// Without `this`.
    pub params: Rc<[TypeId]>,
    pub result: TypeId,
}

#[derive(Debug)]
pub struct Pending {
    decl: RoutineDeclId,
    args: Rc<[TypeId]>,
    routine: RoutineId,
    origin: Option<OriginId>,
}

/// Generic instances that ask for new ones in a chain longer than this do so without end.
const MAX_CHAIN: usize = 100;

impl<'a> Checker<'a> {
    /// Where the names of a routine instance are looked up.
    pub fn routine_context(&self, id: RoutineDeclId, args: &[TypeId]) -> Context {
        let decl = self.decls.routine(id);
        if args.is_empty() {
            return Context { space: decl.space, generics: decl.outer.clone() };
        }
        let owner = decl.owner.map(|o| self.decls.ty(o).define.generics.as_slice()).unwrap_or_default();
        let names = owner.iter().chain(&decl.routine.generics).map(|g| g.symbol);
        let generics = decl.outer.iter().copied().chain(names.zip(args.iter().copied())).collect();
        Context { space: decl.space, generics }
    }

    fn find_instance(&self, id: RoutineDeclId, args: &Rc<[TypeId]>) -> Option<&Instance> {
        if args.is_empty() { self.decls.routine(id).instance.as_ref() } else { self.instances.get(&(id, args.clone())) }
    }

    fn set_instance(&mut self, id: RoutineDeclId, args: &Rc<[TypeId]>, instance: Instance) {
        if args.is_empty() {
            self.decls.routine_mut(id).instance = Some(instance);
        } else {
            self.instances.insert((id, args.clone()), instance);
        }
    }

    pub fn signature(&mut self, id: RoutineDeclId, args: &Rc<[TypeId]>) -> Rc<Signature> {
        if let Some(instance) = self.find_instance(id, args) {
            return instance.signature.clone();
        }
        let decl = self.decls.routine(id);
        let routine = decl.routine;
        let owner = decl.owner;
        let params = self.decls.params(id, self.known.this);
        let this = match owner {
            Some(owner) if self.has_this(id) => {
                let n = self.decls.ty(owner).define.generics.len();
                Some(self.apply(owner, &args[..n.min(args.len())], routine.head_span))
            }
            _ => None,
        };
        let ctx = self.routine_context(id, args);
        let (params, result) = self.within(ctx, |c| {
            let params = params.iter().map(|p| c.param_type(p.ty, p.span)).collect();
            (params, routine.returns.as_ref().map_or(Types::VOID, |r| c.resolve(r)))
        });
        let signature = Rc::new(match routine.kind {
            ast::RoutineKind::Init => Signature { this: None, params, result: this.unwrap_or(Types::ERROR) },
            _ => Signature { this, params, result },
        });
        self.set_instance(id, args, Instance { signature: signature.clone(), routine: None });
        signature
    }

    fn param_type(&mut self, ty: Option<&ast::Type>, span: Span) -> TypeId {
        let Some(ty) = ty else {
            let name = self.source(span);
            self.report(
                Diagnostic::error(span, format!("the parameter `{name}` has no type"))
                    .label("expected `name: type`")
                    .help(format!("write `{name}: int`, or whatever it is")),
            );
            return Types::ERROR;
        };
        let id = self.resolve(ty);
        if id == Types::VOID {
            self.report(Diagnostic::error(ty.span, "nothing can be of type `void`").label("there are no values of it"));
            return Types::ERROR;
        }
        id
    }

    /// The routine of an instance. `args` are the types of the owner's parameters, then of its own.
    pub fn instance(&mut self, id: RoutineDeclId, args: &Rc<[TypeId]>, call: Span) -> RoutineId {
        let signature = self.signature(id, args);
        if let Some(&Instance { routine: Some(routine), .. }) = self.find_instance(id, args) {
            return routine;
        }
        let decl = self.decls.routine(id);
        let (ast, library, owner) = (decl.routine, decl.library, decl.owner);
        let name = self.routine_name(id, args);
        let body = match ast.body {
            ast::RoutineBody::Intrinsic => {
                let plain = match owner {
                    Some(owner) => format!("{}.{}", self.text(self.decls.ty(owner).name), self.text(ast.name.symbol)),
                    None => self.text(ast.name.symbol).to_string(),
                };
                Body::Intrinsic { name: plain, arguments: args.to_vec() }
            }
            _ => Body::Code(Box::new(Expr::new(ExprKind::Void, Types::VOID, ast.head_span))),
        };
        let intrinsic = matches!(body, Body::Intrinsic { .. });
        let routine = self.new_routine(hir::Routine {
            name: name.clone(),
            kind: match ast.kind {
                ast::RoutineKind::Function => RoutineKind::Function,
                ast::RoutineKind::Procedure => RoutineKind::Procedure,
                ast::RoutineKind::Operator => RoutineKind::Operator,
                ast::RoutineKind::Init => RoutineKind::Init,
                ast::RoutineKind::Deinit => RoutineKind::Deinit,
            },
            params: Vec::new(),
            result: signature.result,
            locals: Vec::new(),
            body,
            captures: Vec::new(),
            span: ast.head_span,
            library,
            summary: hir::Summary::default(),
        });
        self.set_instance(id, args, Instance { signature: signature.clone(), routine: Some(routine) });
        if intrinsic {
            let types = signature.this.into_iter().chain(signature.params.iter().copied());
            let out = &mut self.out.routines[routine.0 as usize];
            for (i, ty) in types.enumerate() {
                out.locals.push(hir::Local { name: String::new(), ty, kind: LocalKind::Param, span: ast.head_span });
                out.params.push(hir::LocalId(i as u32));
            }
            return routine;
        }
        let mut origin = None;
        if !args.is_empty() || library {
            self.origins.push(Origin { name, call, parent: self.origin });
            origin = Some(OriginId(self.origins.len() as u32 - 1));
            if !args.is_empty() && self.chain(origin) > MAX_CHAIN {
                self.report(
                    Diagnostic::error(ast.head_span, "this generic routine needs ever new instances of itself")
                        .label("each instance calls one with a larger type"),
                );
                return routine;
            }
        }
        self.queue.push(Pending { decl: id, args: args.clone(), routine, origin });
        routine
    }

    /// How many generic instances led to this one.
    fn chain(&self, mut origin: Option<OriginId>) -> usize {
        let mut n = 0;
        while let Some(id) = origin {
            let at = &self.origins[id.0 as usize];
            n += usize::from(at.name.contains('['));
            origin = at.parent;
        }
        n
    }

    pub fn new_routine(&mut self, routine: hir::Routine) -> RoutineId {
        self.out.routines.push(routine);
        RoutineId(self.out.routines.len() as u32 - 1)
    }

    /// As messages and call traces spell an instance: `V.+`, `Array[int].push`, `largest[Point]`.
    fn routine_name(&self, id: RoutineDeclId, args: &[TypeId]) -> String {
        let decl = self.decls.routine(id);
        let list = |args: &[TypeId]| {
            let names = args.iter().map(|&a| self.type_name(a)).collect::<Vec<_>>().join(", ");
            if names.is_empty() { names } else { format!("[{names}]") }
        };
        let name = self.text(decl.name);
        match decl.owner {
            Some(owner) => {
                let (of_owner, own) = args.split_at(self.decls.ty(owner).define.generics.len().min(args.len()));
                format!("{}{}.{name}{}", self.text(self.decls.ty(owner).name), list(of_owner), list(own))
            }
            None => format!("{name}{}", list(args)),
        }
    }

    /// Checks the bodies on the list, and those that they put there.
    pub fn work(&mut self) {
        let mut at = 0;
        while at < self.queue.len() {
            let Pending { decl, args, routine, origin } = &self.queue[at];
            let (decl, args, routine, origin) = (*decl, args.clone(), *routine, *origin);
            self.origin = origin;
            self.routine_body(decl, &args, routine);
            self.origin = None;
            at += 1;
        }
        self.queue.clear();
    }

    fn routine_body(&mut self, id: RoutineDeclId, args: &Rc<[TypeId]>, routine: RoutineId) {
        let signature = self.signature(id, args);
        let ast = self.decls.routine(id).routine;
        let kind = self.out.routine(routine).kind;
        let ctx = self.routine_context(id, args);
        let base = self.scopes.hide();
        self.frames.push(Frame::new(routine, kind, Some(signature.result)));
        let mark = self.scopes.open();
        let mut params = Vec::new();
        let this_span = ast.params.iter().find(|p| p.name.symbol == self.known.this).map_or(ast.head_span, |p| p.span);
        let this = ast::Name { symbol: self.known.this, span: this_span };
        let mut made = None;
        if let Some(ty) = signature.this {
            params.push(self.bind(this, ty, LocalKind::Param));
        } else if kind == RoutineKind::Init {
            made = Some(self.bind(this, signature.result, LocalKind::Var));
        }
        let mut types = signature.params.iter();
        let this_name = self.known.this;
        for param in ast.params.iter().filter(|p| p.name.symbol != this_name) {
            let ty = types.next().copied().unwrap_or(Types::ERROR);
            params.push(self.bind(param.name, ty, LocalKind::Param));
        }
        let body = self.within(ctx, |c| {
            let ast::RoutineBody::Code(body) = &ast.body else { return c.failed(ast.head_span) };
            match made {
                Some(this) => c.init_body(id, body, this, signature.result),
                None => c.result_body(body, signature.result, ast),
            }
        });
        self.scopes.close(mark);
        self.scopes.show(base);
        self.finish_routine(routine, params, body);
    }

    /// Takes the frame on top and gives it to the routine.
    pub fn finish_routine(&mut self, routine: RoutineId, params: Vec<hir::LocalId>, body: Expr) {
        let Some(frame) = self.frames.pop() else { return };
        let out = &mut self.out.routines[routine.0 as usize];
        out.params = params;
        out.locals = frame.locals;
        out.captures = frame.captures;
        out.body = Body::Code(Box::new(body));
    }

    /// A body whose value is the routine's result.
    fn result_body(&mut self, body: &'a ast::Body, result: TypeId, ast: &'a ast::Routine) -> Expr {
        if result == Types::VOID {
            return self.body(body, Want::Nothing);
        }
        let checked = self.body(body, Want::Value(Some(result)));
        if checked.ty == Types::VOID {
            self.no_result(&checked, body, result, ast);
            return self.failed(body.span);
        }
        let expected = ast.returns.as_ref().map(|r| (r.span, "the result is declared here"));
        self.coerce(checked, result, expected)
    }

    fn no_result(&mut self, checked: &Expr, body: &ast::Body, result: TypeId, ast: &ast::Routine) {
        if result == Types::ERROR {
            return;
        }
        let name = self.text(ast.name.symbol).to_string();
        let ty = self.type_name(result);
        let message = format!("`{name}` must give a value of type `{ty}`, but its end gives none");
        let last = match &checked.kind {
            ExprKind::Block(list) => list.last(),
            _ => Some(checked),
        };
        let mut diagnostic = match (last, body.stmts.last()) {
            (Some(e), Some(stmt)) => {
                let label = match (&e.kind, &stmt.kind) {
                    (ExprKind::If { otherwise: None, .. }, _) => "an `if` without `else` gives no value",
                    (ExprKind::Match { otherwise: None, .. }, _) => "a `match` without `else` gives no value",
                    (ExprKind::Let { .. }, _) => "a declaration gives no value",
                    (_, StmtKind::Assign(_)) => "an assignment gives no value",
                    (_, StmtKind::While(_) | StmtKind::WhileLet(_) | StmtKind::For(_) | StmtKind::Repeat(_)) => {
                        "a loop gives no value"
                    }
                    _ => "this gives no value",
                };
                Diagnostic::error(stmt.span, message).label(label)
            }
            _ => Diagnostic::error(body.span, message).label("an empty body"),
        };
        if let Some(returns) = &ast.returns {
            diagnostic = diagnostic.secondary(returns.span, "the result is declared here");
        }
        self.report(diagnostic.help("end the body with an expression, or with `return` and a value"));
    }

    /// The statements of the file as a routine of their own, or a call of `main`.
    pub fn main_program(&mut self, file: &'a ast::File) {
        let span = file.body.span;
        let routine = self.new_routine(hir::Routine {
            name: "main".into(),
            kind: RoutineKind::Main,
            params: Vec::new(),
            result: Types::I64,
            locals: Vec::new(),
            body: Body::Code(Box::new(Expr::new(ExprKind::Void, Types::VOID, span))),
            captures: Vec::new(),
            span,
            library: false,
            summary: hir::Summary::default(),
        });
        self.frames.push(Frame::new(routine, RoutineKind::Main, Some(Types::I64)));
        let statements = file.body.stmts.iter().any(|s| !Declarations::declares(s));
        let body = if statements {
            let mark = self.scopes.open();
            let body = self.top_level_body(&file.body);
            self.scopes.close(mark);
            body
        } else {
            self.call_main(span)
        };
        self.finish_routine(routine, Vec::new(), body);
    }

    fn call_main(&mut self, span: Span) -> Expr {
        let entry = self.decls.space(self.file_space).names.get(&self.known.main);
        let Some(&id) = entry.and_then(|e| e.routines.first()) else {
            return Expr::new(ExprKind::Block(vec![zero_status(span)]), Types::I64, span);
        };
        let ast = self.decls.routine(id).routine;
        if let Some(param) = ast.params.first() {
            self.report(
                Diagnostic::error(param.span, "`main` takes no parameters")
                    .label("nothing is passed here")
                    .help("the program's arguments are in `Args`: `Args.get(0, 100)`"),
            );
            return self.failed(span);
        }
        if let Some(generic) = ast.generics.first() {
            self.report(Diagnostic::error(generic.span, "`main` takes no type parameters"));
            return self.failed(span);
        }
        let none = self.no_types.clone();
        let signature = self.signature(id, &none);
        let routine = self.instance(id, &none, ast.head_span);
        let call = Expr::new(ExprKind::Call { routine, arguments: Vec::new() }, signature.result, ast.name.span);
        let list = match signature.result {
            Types::VOID => vec![call, zero_status(span)],
            Types::I64 => vec![self.exit_status(call)],
            ty if self.int_kind(ty).is_some() => {
                let status = Expr::new(ExprKind::Convert(Box::new(call)), Types::I64, ast.name.span);
                vec![self.exit_status(status)]
            }
            Types::ERROR => return self.failed(span),
            ty => {
                let at = ast.returns.as_ref().map_or(ast.head_span, |r| r.span);
                let message = format!("`main` gives the exit status, an `int`, not `{}`", self.type_name(ty));
                self.report(Diagnostic::error(at, message).label("expected `int` or nothing"));
                return self.failed(span);
            }
        };
        Expr::new(ExprKind::Block(list), Types::I64, span)
    }

    /// What the main program returns: an error when it runs unless the system takes it as a status.
    pub fn exit_status(&mut self, value: Expr) -> Expr {
        if value.ty != Types::I64 || matches!(value.kind, ExprKind::Int(0..=255)) {
            return value;
        }
        let span = value.span;
        let routine = self.intrinsic("exit_status", [Types::I64], Types::I64, span);
        Expr::new(ExprKind::Call { routine, arguments: vec![value] }, Types::I64, span)
    }

    /// Asks for every routine of the file, so that each is checked though nobody calls it.
    pub fn check_declared(&mut self) {
        self.work();
        for space in (0..self.decls.spaces.len() as u32).map(SpaceId) {
            if !self.decls.space(space).library {
                self.check_space(space);
            }
        }
        self.work();
    }

    /// Checks what a space declares, called or not. Of what is generic only the names, with unknown types.
    pub fn check_space(&mut self, space: SpaceId) {
        let mut routines: Vec<(RoutineDeclId, bool)> =
            self.decls.space(space).names.values().flat_map(|e| with_others(&e.routines)).collect();
        if let Some(owner) = self.decls.space(space).owner {
            routines.extend(with_others(&self.decls.ty(owner).inits));
        }
        let mut others: Vec<Other> = self.decls.space(space).names.values().filter_map(|e| e.other).collect();
        others.sort_by_key(|o| match o {
            Other::Type(t) => (0, t.0),
            Other::Constant(c) => (1, c.0),
            Other::Builtin(_) => (2, 0),
        });
        for other in others {
            match other {
                Other::Type(ty) => self.check_type(ty),
                Other::Constant(constant) => {
                    self.constant(constant, self.decls.constant(constant).span);
                }
                Other::Builtin(_) => {}
            }
        }
        routines.sort();
        let mut known: FxHashMap<(Symbol, Rc<[TypeId]>), Span> = FxHashMap::default();
        for (id, others) in routines {
            let decl = self.decls.routine(id);
            let generics =
                decl.routine.generics.len() + decl.owner.map_or(0, |o| self.decls.ty(o).define.generics.len());
            let span = decl.routine.head_span;
            if generics == 0 {
                let (name, none) = (decl.name, self.no_types.clone());
                self.instance(id, &none, span);
                let params = self.signature(id, &none).params.clone();
                if !others || params.contains(&Types::ERROR) {
                    continue;
                }
                if let Some(&earlier) = known.get(&(name, params.clone())) {
                    let name = self.text(name);
                    self.report(
                        Diagnostic::error(span, format!("`{name}` is defined twice with the same parameters"))
                            .label("defined again")
                            .secondary(earlier, "first defined here"),
                    );
                } else {
                    known.insert((name, params), span);
                }
            }
        }
    }

    /// Checks the names in generic routines of the file that nobody calls, with unknown types, and defaults. What that
    /// makes is thrown away.
    pub fn check_uncalled(&mut self) {
        let called: FxHashSet<RoutineDeclId> =
            self.instances.iter().filter(|(_, i)| i.routine.is_some()).map(|((id, _), _)| *id).collect();
        let (routines, globals) = (self.out.routines.len(), self.out.globals.len());
        // With unknown types much is unknown that is no mistake.
        let failure = self.failure.get();
        for id in (0..self.decls.routines.len() as u32).map(RoutineDeclId) {
            let decl = self.decls.routine(id);
            let owner = decl.owner.map_or(0, |o| self.decls.ty(o).define.generics.len());
            let n = owner + decl.routine.generics.len();
            if n == 0 || decl.library || called.contains(&id) || !matches!(decl.routine.body, ast::RoutineBody::Code(_))
            {
                continue;
            }
            let args: Rc<[TypeId]> = vec![Types::ERROR; n].into();
            let routine = self.instance(id, &args, decl.routine.head_span);
            self.routine_body(id, &args, routine);
            self.queue.clear();
        }
        self.check_defaults();
        self.queue.clear();
        self.out.routines.truncate(routines);
        self.out.globals.truncate(globals);
        self.failure.set(failure);
        let made = |id: RoutineId| (id.0 as usize) < routines;
        self.out.walks.retain(|_, w| made(w.begin) && made(w.advance) && made(w.element));
    }

    /// Resolves the fields of a type without parameters, and the targets of aliases.
    fn check_type(&mut self, id: TypeDeclId) {
        let decl = self.decls.ty(id);
        if decl.define.generics.is_empty() && !decl.is_namespace() {
            self.apply(id, &[], decl.span);
        }
    }
}

/// Routines of one name, each with whether it is not the only one.
fn with_others(routines: &[RoutineDeclId]) -> impl Iterator<Item = (RoutineDeclId, bool)> {
    routines.iter().map(|&id| (id, routines.len() > 1))
}

/// Exit status 0.
pub fn zero_status(span: Span) -> Expr {
    Expr::new(ExprKind::Int(0), Types::I64, span)
}
