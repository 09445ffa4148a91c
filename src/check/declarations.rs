//! What is declared where: types, routines, constants and variants, in nested spaces of names.
//!
//! A *space* is what one file, one type or namespace, or one block with declarations in it declares. Collecting reads
//! no bodies and resolves no types; that happens when a declaration is first used, so the library costs little more than
//! its names. References into the syntax trees live as long as the trees (`'a`).

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::hir::TypeId;
use super::types::Generics;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::Symbol;
use crate::syntax::ast::{self, DefineKind, RoutineBody, RoutineKind, StmtKind};

macro_rules! index {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub struct $name(pub u32);
    )*};
}

index! {
    /// A space of names.
    SpaceId
    /// A declared type, namespace or alias.
    TypeDeclId
    /// A declared routine.
    RoutineDeclId
    /// A declared constant.
    ConstantId
}

/// What one name means in one space.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    pub routines: Vec<RoutineDeclId>,
    pub other: Option<Other>,
}

#[derive(Clone, Copy, Debug)]
pub enum Other {
    Type(TypeDeclId),
    Constant(ConstantId),
    Builtin(Builtin),
}

/// Routines that the checker expands itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Builtin {
    Print,
    Format,
    Hash,
}

#[derive(Debug)]
pub struct Space {
    pub parent: Option<SpaceId>,
    pub names: FxHashMap<Symbol, Entry>,
    /// The type whose members these are.
    pub owner: Option<TypeDeclId>,
    pub library: bool,
    /// Variables of the block whose declarations these are: its routines cannot name them.
    pub variables: Vec<(Symbol, Span)>,
}

#[derive(Debug)]
pub struct TypeDecl<'a> {
    pub name: Symbol,
    pub span: Span,
    pub define: &'a ast::Define,
    /// What its braces declare.
    pub members: SpaceId,
    pub inits: Vec<RoutineDeclId>,
    pub deinit: Option<Span>,
    pub library: bool,
    /// Type parameters of a generic routine around it.
    pub outer: Generics,
    /// Fields or payloads name types that are being resolved right now: guards aliases against cycles.
    pub resolving: bool,
    /// Names of the routines that have `this`, once it is known which.
    pub methods: Option<Rc<rustc_hash::FxHashSet<RoutineDeclId>>>,
}

impl TypeDecl<'_> {
    pub fn is_namespace(&self) -> bool {
        matches!(self.define.kind, DefineKind::Namespace { .. })
    }
}

#[derive(Debug)]
pub struct RoutineDecl<'a> {
    pub name: Symbol,
    pub routine: &'a ast::Routine,
    pub space: SpaceId,
    pub owner: Option<TypeDeclId>,
    pub library: bool,
    /// Type parameters of a generic routine around it.
    pub outer: Generics,
    pub params: Option<Rc<[Param<'a>]>>,
    /// Of a routine without type parameters, when it has been asked for.
    pub instance: Option<super::instances::Instance>,
}

/// A parameter, or a field that is one of the constructor.
#[derive(Clone, Copy, Debug)]
pub struct Param<'a> {
    pub name: Symbol,
    /// Missing where the parser or the collector has reported it.
    pub ty: Option<&'a ast::Type>,
    pub default: Option<&'a ast::Expr>,
    pub span: Span,
    pub private: bool,
}

#[derive(Debug)]
pub struct ConstantDecl<'a> {
    pub name: Symbol,
    pub span: Span,
    pub ty: Option<&'a ast::Type>,
    pub value: &'a ast::Expr,
    pub space: SpaceId,
    pub library: bool,
    pub outer: Generics,
    pub state: ConstantState,
}

#[derive(Clone, Debug)]
pub enum ConstantState {
    Unknown,
    /// It is being evaluated: whoever asks now needs itself.
    Running,
    Literal(super::fold::Value, TypeId),
    Global(super::hir::GlobalId, TypeId),
    Error,
}

#[derive(Debug, Default)]
pub struct Declarations<'a> {
    pub spaces: Vec<Space>,
    pub types: Vec<TypeDecl<'a>>,
    pub routines: Vec<RoutineDecl<'a>>,
    pub constants: Vec<ConstantDecl<'a>>,
    /// Variants that may be named without their union: the program's, then the library's.
    pub variants: FxHashMap<Symbol, Vec<(TypeDeclId, u32)>>,
    pub library_variants: FxHashMap<Symbol, Vec<(TypeDeclId, u32)>>,
    /// Names declared twice in one space: the later place, the earlier one.
    pub doubles: Vec<(Symbol, Span, Span)>,
    /// Statements that are no declarations, but stand among members.
    pub strays: Vec<Span>,
}

impl<'a> Declarations<'a> {
    pub fn space(&self, id: SpaceId) -> &Space {
        &self.spaces[id.0 as usize]
    }

    pub fn ty(&self, id: TypeDeclId) -> &TypeDecl<'a> {
        &self.types[id.0 as usize]
    }

    pub fn ty_mut(&mut self, id: TypeDeclId) -> &mut TypeDecl<'a> {
        &mut self.types[id.0 as usize]
    }

    pub fn routine(&self, id: RoutineDeclId) -> &RoutineDecl<'a> {
        &self.routines[id.0 as usize]
    }

    pub fn routine_mut(&mut self, id: RoutineDeclId) -> &mut RoutineDecl<'a> {
        &mut self.routines[id.0 as usize]
    }

    pub fn constant(&self, id: ConstantId) -> &ConstantDecl<'a> {
        &self.constants[id.0 as usize]
    }

    pub fn constant_mut(&mut self, id: ConstantId) -> &mut ConstantDecl<'a> {
        &mut self.constants[id.0 as usize]
    }

    pub fn new_space(&mut self, parent: Option<SpaceId>, owner: Option<TypeDeclId>, library: bool) -> SpaceId {
        self.spaces.push(Space { parent, names: FxHashMap::default(), owner, library, variables: Vec::new() });
        SpaceId(self.spaces.len() as u32 - 1)
    }

    /// Whether a statement declares something.
    pub fn declares(stmt: &ast::Stmt) -> bool {
        matches!(stmt.kind, StmtKind::Define(_) | StmtKind::Routine(_))
    }

    /// Adds the declarations among the statements to a space.
    pub fn collect(&mut self, stmts: &'a [ast::Stmt], space: SpaceId, outer: &Generics) {
        for stmt in stmts {
            match &stmt.kind {
                StmtKind::Define(define) => self.define(define, space, outer),
                StmtKind::Routine(routine) => self.add_routine(routine, space, None, outer),
                StmtKind::Let(l) => self.spaces[space.0 as usize].variables.push((l.name.symbol, l.name.span)),
                _ => {}
            }
        }
    }

    fn define(&mut self, define: &'a ast::Define, space: SpaceId, outer: &Generics) {
        let library = self.space(space).library;
        let other = match &define.kind {
            DefineKind::Error => return,
            DefineKind::Constant { ty, value } => {
                self.constants.push(ConstantDecl {
                    name: define.name.symbol,
                    span: define.name.span,
                    ty: ty.as_ref(),
                    value,
                    space,
                    library,
                    outer: outer.clone(),
                    state: ConstantState::Unknown,
                });
                Other::Constant(ConstantId(self.constants.len() as u32 - 1))
            }
            kind => {
                let id = TypeDeclId(self.types.len() as u32);
                let owner = if matches!(kind, DefineKind::Alias { .. }) { None } else { Some(id) };
                let members = self.new_space(Some(space), owner, library);
                self.types.push(TypeDecl {
                    name: define.name.symbol,
                    span: define.name.span,
                    define,
                    members,
                    inits: Vec::new(),
                    deinit: None,
                    library,
                    outer: outer.clone(),
                    resolving: false,
                    methods: None,
                });
                if let DefineKind::Union { variants, .. } = kind {
                    let table = if library { &mut self.library_variants } else { &mut self.variants };
                    for (i, variant) in variants.iter().enumerate() {
                        table.entry(variant.name.symbol).or_default().push((id, i as u32));
                    }
                }
                for stmt in kind.members() {
                    match &stmt.kind {
                        StmtKind::Define(inner) => self.define(inner, members, outer),
                        StmtKind::Routine(routine) => self.add_routine(routine, members, Some(id), outer),
                        StmtKind::Error => {}
                        _ => self.strays.push(stmt.span),
                    }
                }
                Other::Type(id)
            }
        };
        self.enter(space, define.name, other);
    }

    fn enter(&mut self, space: SpaceId, name: ast::Name, other: Other) {
        let entry = self.spaces[space.0 as usize].names.entry(name.symbol).or_default();
        let earlier = match (entry.other, entry.routines.first()) {
            (Some(Other::Type(t)), _) => Some(self.types[t.0 as usize].span),
            (Some(Other::Constant(c)), _) => Some(self.constants[c.0 as usize].span),
            (_, Some(&r)) => Some(self.routines[r.0 as usize].routine.name.span),
            (Some(Other::Builtin(_)) | None, None) => None,
        };
        match earlier {
            Some(earlier) => self.doubles.push((name.symbol, name.span, earlier)),
            None => entry.other = Some(other),
        }
    }

    fn add_routine(&mut self, routine: &'a ast::Routine, space: SpaceId, owner: Option<TypeDeclId>, outer: &Generics) {
        if matches!(routine.body, RoutineBody::Extern) {
            return;
        }
        let id = RoutineDeclId(self.routines.len() as u32);
        let library = self.space(space).library;
        self.routines.push(RoutineDecl {
            name: routine.name.symbol,
            routine,
            space,
            owner,
            library,
            outer: outer.clone(),
            params: None,
            instance: None,
        });
        match (routine.kind, owner) {
            (RoutineKind::Init, Some(owner)) => return self.ty_mut(owner).inits.push(id),
            (RoutineKind::Deinit, Some(owner)) => {
                self.ty_mut(owner).deinit = Some(routine.head_span);
                return;
            }
            _ => {}
        }
        let entry = self.spaces[space.0 as usize].names.entry(routine.name.symbol).or_default();
        let earlier = match entry.other {
            Some(Other::Type(t)) => Some(self.types[t.0 as usize].span),
            Some(Other::Constant(c)) => Some(self.constants[c.0 as usize].span),
            Some(Other::Builtin(_)) | None => None,
        };
        entry.routines.push(id);
        if let Some(earlier) = earlier {
            self.doubles.push((routine.name.symbol, routine.name.span, earlier));
        }
    }

    /// The parameters of a routine but `this`.
    pub fn params(&mut self, id: RoutineDeclId, this: Symbol) -> Rc<[Param<'a>]> {
        if let Some(params) = &self.routine(id).params {
            return params.clone();
        }
        let routine = self.routine(id).routine;
        let params: Rc<[Param<'a>]> = routine
            .params
            .iter()
            .filter(|p| p.name.symbol != this)
            .map(|p| Param {
                name: p.name.symbol,
                ty: p.ty.as_ref(),
                default: p.default.as_ref(),
                span: p.span,
                private: false,
            })
            .collect();
        self.routine_mut(id).params = Some(params.clone());
        params
    }

    /// A field list as parameters of the constructor.
    pub fn field_params(fields: &'a [ast::Field]) -> Rc<[Param<'a>]> {
        fields
            .iter()
            .map(|f| Param {
                name: f.name.symbol,
                ty: Some(&f.ty),
                default: f.default.as_ref(),
                span: f.span,
                private: f.private,
            })
            .collect()
    }
}

impl<'a> super::Checker<'a> {
    /// Reports what is wrong with the declarations themselves.
    pub fn report_declarations(&mut self) {
        self.report_doubles(0);
        for span in std::mem::take(&mut self.decls.strays) {
            self.report(
                Diagnostic::error(span, "a statement stands among the members of a type")
                    .label("only fields, routines and definitions can stand here"),
            );
        }
        for at in 0..self.decls.types.len() {
            let declared = &self.decls.types[at];
            if let (Some(span), false) = (declared.deinit, declared.library) {
                self.report(
                    Diagnostic::error(span, "`deinit` is not supported yet")
                        .label("what it would do at the end of a value's life")
                        .help("storage is given back by itself; leave it out"),
                );
            }
            if !self.decls.types[at].library {
                self.report_fields(TypeDeclId(at as u32));
                self.report_twice(self.decls.types[at].define.generics.iter().map(|&n| (n, "type parameter")));
            }
        }
        for at in 0..self.decls.routines.len() {
            if !self.decls.routines[at].library {
                self.report_twice(self.decls.routines[at].routine.generics.iter().map(|&n| (n, "type parameter")));
            }
        }
    }

    pub fn report_doubles(&mut self, from: usize) {
        for (name, later, earlier) in self.decls.doubles.split_off(from) {
            let name = self.text(name);
            self.report(
                Diagnostic::error(later, format!("`{name}` is defined twice"))
                    .label("defined again")
                    .secondary(earlier, "first defined here"),
            );
        }
    }

    /// Reports fields and variants of one name.
    fn report_fields(&mut self, id: TypeDeclId) {
        match &self.decls.ty(id).define.kind {
            DefineKind::Struct { fields, .. } => self.report_twice(fields.iter().map(|f| (f.name, "field"))),
            DefineKind::Union { variants, .. } => self.report_twice(variants.iter().map(|v| (v.name, "variant"))),
            _ => {}
        }
    }

    /// Reports the second of two names that are the same.
    fn report_twice(&mut self, list: impl Iterator<Item = (ast::Name, &'static str)>) {
        let mut names: FxHashMap<Symbol, Span> = FxHashMap::default();
        for (name, noun) in list {
            let Some(&earlier) = names.get(&name.symbol) else {
                names.insert(name.symbol, name.span);
                continue;
            };
            let text = self.text(name.symbol);
            self.report(
                Diagnostic::error(name.span, format!("the {noun} `{text}` is declared twice"))
                    .label("declared again")
                    .secondary(earlier, "first declared here"),
            );
        }
    }
}
