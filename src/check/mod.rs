//! Checking: from the syntax tree to the typed tree.
//!
//! [`check`] collects what a file and the library declare, then checks the main program, every routine of the file, and
//! every library routine and generic instance that these call, each once. Types, overloads and names are decided while
//! the tree is built, in one walk with the expected type going down and the actual one coming up.
//!
//! - [`declarations`] what is declared where, [`scope`] what is local, [`types`] what types mean;
//! - [`instances`] routines with concrete types, and the list of those whose bodies are still to check;
//! - `names`, `members`, `calls`, `overloads`, `infer`, `arguments`, `construct`: what a name, member or call means;
//! - `operators`, `literals`, `convert`, `fold`: values; `statements`, `loops`, `choices`, `lambdas`: the rest;
//! - [`messages`] near names and wording.
//!
//! What could not be typed has been reported and has the type `Error`, which agrees with everything: one mistake gives one
//! message.

mod arguments;
mod assign;
mod calls;
mod choices;
mod constants;
mod construct;
mod convert;
mod declarations;
mod equality;
pub mod fold;
mod format;
pub mod hir;
mod infer;
mod init;
mod instances;
mod iteration;
mod keys;
mod known;
mod lambdas;
mod library;
mod literals;
mod loops;
mod members;
mod messages;
mod mismatches;
mod names;
mod operators;
mod overloads;
pub mod ownership;
mod projection;
mod scope;
mod statements;
#[cfg(test)]
mod tests;
mod this;
mod types;
mod words;
mod zero;

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{SourceMap, Span};
use crate::syntax::{Interner, MAX_HEIGHT, Symbol, ast};
use declarations::{Builtin, Declarations, Other, SpaceId, TypeDeclId};
use hir::{RoutineId, TypeId, Types};
use known::Known;
use types::{Context, OptionShape};

pub use library::{Extent, Library};

/// How a program is checked.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Print the value of the last statement, as `-e` does.
    pub echo: bool,
    /// How many types may lie in one another: what is behind recurses over them.
    pub max_height: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options { echo: false, max_height: MAX_HEIGHT }
    }
}

/// What [`check`] makes of a file.
#[derive(Debug)]
pub struct Checked {
    /// Missing if there are errors.
    pub program: Option<hir::Program>,
    /// In the order of their places.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether a type was refused only because it is higher than allowed.
    pub too_high: bool,
}

/// Checks a file against the library. Syntax errors have been reported: their places are passed over in silence.
pub fn check(
    sources: &SourceMap,
    library: &Library,
    file: &ast::File,
    interner: &mut Interner,
    options: Options,
) -> Checked {
    let known = Known::new(interner);
    let mut checker = Checker::new(sources, interner, known, options);
    checker.declare(library, file);
    checker.program(file);
    let mut diagnostics = checker.diagnostics;
    diagnostics.sort_by_key(|d| (sources.file(d.span.file).library, d.span.file, d.span.start, d.span.end));
    let failed = diagnostics.iter().any(|d| d.severity == Severity::Error);
    Checked { program: (!failed).then_some(checker.out), diagnostics, too_high: checker.too_high }
}

/// Everything that is known while one program is checked.
pub(crate) struct Checker<'a> {
    sources: &'a SourceMap,
    interner: &'a Interner,
    known: Known,
    options: Options,
    decls: Declarations<'a>,
    out: hir::Program,
    diagnostics: Vec<Diagnostic>,
    reported: FxHashSet<(Span, u64)>,
    /// Where something could not be typed, the first time.
    failure: std::cell::Cell<Option<Span>>,

    file_space: SpaceId,
    library_space: SpaceId,
    library_option: Option<TypeDeclId>,
    own_option: Option<TypeDeclId>,
    option_shapes: FxHashMap<TypeDeclId, OptionShape>,
    /// Declarations that add members to primitive types.
    intrinsic_types: FxHashMap<TypeId, TypeDeclId>,
    no_types: Rc<[TypeId]>,

    /// Where names are looked up now.
    ctx: Context,
    type_instances: FxHashMap<(TypeDeclId, Rc<[TypeId]>), TypeId>,
    /// Declaration of each struct and union instance; none of a struct that is an inline payload.
    struct_decls: Vec<Option<TypeDeclId>>,
    union_decls: Vec<TypeDeclId>,
    unfinished: Vec<(TypeDeclId, Rc<[TypeId]>, TypeId)>,
    /// How many types lie in one another in those that are finished, themselves included.
    heights: FxHashMap<TypeId, u32>,
    too_high: bool,
    finishing: bool,
    alias_depth: u32,
    constant_depth: u32,
    /// Of structs, once it is known.
    beginnings: FxHashMap<TypeId, zero::Beginning>,
    payload_structs: FxHashMap<(hir::UnionId, u32), TypeId>,
    /// Types whose values are compared somewhere.
    compared: FxHashSet<TypeId>,
    /// Types that are keys somewhere, and whether they can be.
    keys: FxHashMap<TypeId, bool>,
    /// Keys among the fields of types that are not finished.
    unchecked_keys: Vec<(TypeId, Span)>,

    instances: FxHashMap<(declarations::RoutineDeclId, Rc<[TypeId]>), instances::Instance>,
    /// Routines of the compiler for one type: `copy`, `hash`.
    intrinsics: FxHashMap<(&'static str, TypeId), RoutineId>,
    queue: Vec<instances::Pending>,
    origins: Vec<messages::Origin>,
    /// Why the routine that is being checked exists, if it is a generic instance or part of the library.
    origin: Option<messages::OriginId>,

    scopes: scope::Scopes,
    frames: Vec<scope::Frame>,
    aliases: Vec<hir::Expr>,
    /// Statements that must run before the one that is being checked; none where nothing can be put before it.
    prelude: Option<Vec<hir::Expr>>,
    /// Parameters or fields beside the one whose default is being checked.
    beside: Vec<(Symbol, Span)>,
    /// Defaults that are being checked, each needed by the one before, and how many were since the first.
    defaults: Vec<Span>,
    default_count: u32,
    /// One that needs too much has been reported: what needs it mostly is as bad.
    default_failed: bool,
    /// Variables of which a routine has been told that it cannot name them.
    hidden: FxHashSet<(Option<RoutineId>, Symbol)>,
    /// The place of the assignment that is being checked, where it may be meant as a declaration.
    assigned: Option<Span>,
}

impl<'a> Checker<'a> {
    fn new(sources: &'a SourceMap, interner: &'a Interner, known: Known, options: Options) -> Self {
        let mut decls = Declarations::default();
        let library_space = decls.new_space(None, None, true);
        let file_space = decls.new_space(Some(library_space), None, false);
        let no_types: Rc<[TypeId]> = Rc::from([]);
        Checker {
            sources,
            interner,
            known,
            options,
            decls,
            out: hir::Program::default(),
            diagnostics: Vec::new(),
            reported: FxHashSet::default(),
            failure: std::cell::Cell::new(None),
            file_space,
            library_space,
            library_option: None,
            own_option: None,
            option_shapes: FxHashMap::default(),
            intrinsic_types: FxHashMap::default(),
            no_types: no_types.clone(),
            ctx: Context { space: file_space, generics: Rc::from([]) },
            type_instances: FxHashMap::default(),
            struct_decls: Vec::new(),
            union_decls: Vec::new(),
            unfinished: Vec::new(),
            heights: FxHashMap::default(),
            too_high: false,
            finishing: false,
            alias_depth: 0,
            constant_depth: 0,
            beginnings: FxHashMap::default(),
            payload_structs: FxHashMap::default(),
            compared: FxHashSet::default(),
            keys: FxHashMap::default(),
            unchecked_keys: Vec::new(),
            instances: FxHashMap::default(),
            intrinsics: FxHashMap::default(),
            queue: Vec::new(),
            origins: Vec::new(),
            origin: None,
            scopes: scope::Scopes::new(interner.len()),
            frames: Vec::new(),
            aliases: Vec::new(),
            prelude: None,
            beside: Vec::new(),
            defaults: Vec::new(),
            default_count: 0,
            default_failed: false,
            hidden: FxHashSet::default(),
            assigned: None,
        }
    }

    fn text(&self, symbol: Symbol) -> &'a str {
        self.interner.text(symbol)
    }

    fn declare(&mut self, library: &'a Library, file: &'a ast::File) {
        let none: types::Generics = Rc::from([]);
        for part in &library.files {
            self.decls.collect(&part.body.stmts, self.library_space, &none);
        }
        for (name, builtin) in [
            (self.known.print, Builtin::Print),
            (self.known.println, Builtin::Print),
            (self.known.format, Builtin::Format),
            (self.known.hash, Builtin::Hash),
        ] {
            let names = &mut self.decls.spaces[self.library_space.0 as usize].names;
            names.entry(name).or_default().other.get_or_insert(Other::Builtin(builtin));
        }
        self.decls.collect(&file.body.stmts, self.file_space, &none);
        self.find_options();
        for decl in (0..self.decls.types.len() as u32).map(TypeDeclId) {
            let declared = self.decls.ty(decl);
            if declared.library
                && matches!(declared.define.kind, ast::DefineKind::Intrinsic { .. })
                && let Some(&ty) = self.known.primitives.get(&declared.name)
            {
                self.intrinsic_types.insert(ty, decl);
            }
        }
        self.report_declarations();
    }

    /// Finds out which `Option` is meant by `T?`.
    fn find_options(&mut self) {
        for (space, own) in [(self.library_space, false), (self.file_space, true)] {
            let entry = self.decls.space(space).names.get(&self.known.option);
            let Some(Other::Type(decl)) = entry.and_then(|e| e.other) else { continue };
            let define = self.decls.ty(decl).define;
            let ast::DefineKind::Union { variants, .. } = &define.kind else { continue };
            let shape = match variants.as_slice() {
                [a, b] => match (&a.payload, &b.payload) {
                    (ast::Payload::None, ast::Payload::Type(_)) => OptionShape { none: 0, some: 1 },
                    (ast::Payload::Type(_), ast::Payload::None) => OptionShape { none: 1, some: 0 },
                    _ => continue,
                },
                _ => continue,
            };
            if define.generics.len() == 1 {
                self.option_shapes.insert(decl, shape);
                if own {
                    self.own_option = Some(decl);
                } else {
                    self.library_option = Some(decl);
                }
            }
        }
    }

    /// The main program, everything that it needs, and every routine of the file.
    fn program(&mut self, file: &'a ast::File) {
        self.out.main = RoutineId(0);
        self.main_program(file);
        self.check_declared();
        self.work();
        self.check_uncalled();
        self.order_globals();
        // What failed is left out of the program: without a message it would vanish in silence. It is no mistake of the
        // program, but one of the checker, or a part of the library that was not read.
        if self.diagnostics.is_empty()
            && let Some(span) = self.failure.get()
        {
            self.report(Diagnostic::error(span, "the checker could not understand this").label("a bug of the checker"));
        }
    }

    /// An expression that could not be typed; the reason has been reported.
    fn failed(&self, span: Span) -> hir::Expr {
        self.failure.set(self.failure.get().or(Some(span)));
        hir::Expr::new(hir::ExprKind::Void, Types::ERROR, span)
    }
}
