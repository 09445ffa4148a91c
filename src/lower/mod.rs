//! Lowering: from the typed tree to bytecode.
//!
//! Starts at the main program and lowers what it reaches, once each: routine instances, lambdas, and the routines that
//! types need (copying, freeing, equality, hashing, printing), which are generated on demand. Everything is one forward
//! walk over each tree; registers are slots of the frame, locals keep theirs for their scope.
//!
//! - [`layout`]: values in slots and in memory; [`signature`]: the calling convention;
//! - [`code`], [`frame`]: one function while it is written;
//! - [`body`]: the state of a routine's lowering; [`regions`]: which region owns what, scopes and their ends;
//! - `expressions`, `operators`, `conditions`, `places`, `assignments`, `loops`, `choices`, `calls`, `lambdas`: the tree;
//! - `inlining`: small routines in their callers; `invariants`: what an innermost loop need not repeat;
//! - `copying`, `equality`, `hashing`, `showing`: what types need; `intrinsics`: what the library is made of.
//!
//! A tree that breaks the contract of [`hir`](crate::check::hir) ends in a diagnostic that says so, never in a panic.

mod analysis;
mod assignments;
mod body;
mod calls;
mod choices;
mod code;
mod conditions;
mod copying;
mod entry;
mod equality;
mod expressions;
mod frame;
mod hashing;
mod inlining;
mod intrinsics;
mod invariants;
mod lambdas;
mod layout;
mod loops;
mod operators;
mod places;
mod regions;
mod showing;
mod signature;

use std::rc::Rc;

use rustc_hash::FxHashMap;
use scaly_interp::program::{Function, FunctionId, Param, Program};

use crate::check::hir::{self, RoutineId, TypeId};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use code::Code;
pub(crate) use frame::MOST_SLOTS;
use layout::{Layout, Layouts};
use signature::Signature;

/// The bytecode of a checked program, which satisfies the invariants of [`Program`].
///
/// Errors are limits of the machine (a frame of more than 65,000 slots) and trees that checking should not have let
/// pass, each with its place.
pub fn lower(program: &hir::Program) -> Result<Program, Vec<Diagnostic>> {
    let mut lowering = Lowering::new(program);
    lowering.run();
    if lowering.errors.is_empty() { Ok(lowering.out) } else { Err(lowering.errors) }
}

/// Bytes of the largest value.
const MOST_BYTES: u32 = 1 << 28;

/// What a function of the output is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Key {
    /// Evaluates the globals, runs the main program.
    Entry,
    Routine(RoutineId),
    /// A routine as a lambda.
    Thunk(RoutineId),
    /// Deep copy of an environment: (environment, region) -> (environment).
    CopyEnvironment(RoutineId),
    /// Frees an environment: (environment, region).
    FreeEnvironment(RoutineId),
    /// Deep copy: (value, region) -> (value).
    Copy(TypeId),
    /// Gives the storage of a value back: (value, region).
    Free(TypeId),
    /// (a, b) -> (bool).
    Equal(TypeId),
    /// (value) -> (hash).
    Hash(TypeId),
    /// Appends what print shows: (builder, value, region) -> (builder).
    Show(TypeId),
}

/// The whole program while it is lowered.
struct Lowering<'h> {
    hir: &'h hir::Program,
    layouts: Layouts<'h>,
    out: Program,
    errors: Vec<Diagnostic>,
    ids: FxHashMap<Key, FunctionId>,
    /// In the order of their ids; those from `out.functions.len()` on are still to be lowered.
    keys: Vec<Key>,
    /// By routine.
    signatures: Vec<Option<Rc<Signature>>>,
    texts: FxHashMap<Rc<str>, u32>,
    /// Offsets of the globals in their area.
    globals: Vec<u32>,
    /// Empty, of the function before: most would grow four times.
    spare: Code,
    /// A type too large for memory has been reported.
    large: bool,
    /// By routine: what is known of it as a candidate for inlining.
    inlining: Vec<Option<inlining::Inlining>>,
}

/// What a finished function is called and takes.
struct Heading {
    name: String,
    params: Vec<Param>,
    param_slots: u32,
    result_slots: u32,
    span: Span,
    library: bool,
}

impl<'h> Lowering<'h> {
    fn new(hir: &'h hir::Program) -> Self {
        let mut layouts = Layouts::new(&hir.types);
        let mut globals = Vec::with_capacity(hir.globals.len());
        let mut end = 0u32;
        for global in &hir.globals {
            let layout = layouts.get(global.ty);
            let offset = end.next_multiple_of(layout.align.max(1));
            globals.push(offset);
            end = offset + layout.size;
        }
        let out = Program { global_bytes: end.next_multiple_of(8), ..Program::default() };
        Lowering {
            hir,
            layouts,
            out,
            errors: Vec::new(),
            ids: FxHashMap::default(),
            keys: Vec::new(),
            signatures: vec![None; hir.routines.len()],
            texts: FxHashMap::default(),
            globals,
            spare: Code::default(),
            large: false,
            inlining: vec![None; hir.routines.len()],
        }
    }

    fn run(&mut self) {
        self.out.main = self.function(Key::Entry);
        while let Some(&key) = self.keys.get(self.out.functions.len()) {
            self.lower_function(key);
        }
    }

    /// The id of a function, which will be lowered if it has not been.
    fn function(&mut self, key: Key) -> FunctionId {
        let keys = &mut self.keys;
        *self.ids.entry(key).or_insert_with(|| {
            keys.push(key);
            FunctionId(keys.len() as u32 - 1)
        })
    }

    fn layout(&mut self, ty: TypeId) -> Rc<Layout> {
        let layout = self.layouts.get(ty);
        if layout.size > MOST_BYTES {
            self.report_large(ty);
        }
        layout
    }

    fn report_large(&mut self, ty: TypeId) {
        // Types that hold it are larger still.
        if std::mem::replace(&mut self.large, true) {
            return;
        }
        let types = &self.hir.types;
        let span = match types.get(ty) {
            hir::Type::Struct(id) => types.structure(*id).span,
            hir::Type::Union(id) => types.union(*id).span,
            _ => Span::default(),
        };
        let message = format!("a value of `{}` takes more than {} MiB", types.name(ty), MOST_BYTES >> 20);
        self.errors.push(Diagnostic::error(span, message).help("put large values into an Array"));
    }

    fn signature(&mut self, id: RoutineId) -> Rc<Signature> {
        if let Some(known) = &self.signatures[id.0 as usize] {
            return known.clone();
        }
        let signature = Rc::new(Signature::of_routine(self.hir, &mut self.layouts, self.hir.routine(id)));
        self.signatures[id.0 as usize] = Some(signature.clone());
        signature
    }

    fn text(&mut self, text: &Rc<str>) -> u32 {
        if let Some(&id) = self.texts.get(text) {
            return id;
        }
        let id = self.out.texts.len() as u32;
        self.out.texts.push(text.as_ref().into());
        self.texts.insert(text.clone(), id);
        id
    }

    fn error(&mut self, span: Span, message: impl Into<String>) {
        self.errors.push(Diagnostic::error(span, message));
    }

    /// An error that checking should have reported.
    fn internal(&mut self, span: Span, message: impl std::fmt::Display) {
        let help = "this is an error in Scaly itself; please report it with the program";
        self.errors.push(Diagnostic::error(span, format!("the compiler can't go on: {message}")).help(help));
    }

    fn lower_function(&mut self, key: Key) {
        let id = FunctionId(self.out.functions.len() as u32);
        let (heading, code) = match key {
            Key::Entry => entry::entry(self),
            Key::Routine(routine) => body::routine(self, routine),
            Key::Thunk(routine) => lambdas::thunk(self, routine),
            Key::CopyEnvironment(routine) => lambdas::copy_environment(self, routine),
            Key::FreeEnvironment(routine) => lambdas::free_environment(self, routine),
            Key::Copy(ty) => copying::copy_function(self, ty),
            Key::Free(ty) => copying::free_function(self, ty),
            Key::Equal(ty) => equality::equal_function(self, ty),
            Key::Hash(ty) => hashing::hash_function(self, ty),
            Key::Show(ty) => showing::show_function(self, ty),
        };
        self.add(id, heading, code);
    }

    fn add(&mut self, id: FunctionId, heading: Heading, code: Code) {
        let finished = code.finish(&mut self.out, id);
        self.spare = finished.emptied;
        // What is made for a type has no place that a program could change: one that uses it mostly has.
        if finished.frame.overflowed() && (!heading.library || self.errors.is_empty()) {
            let most = frame::MOST_SLOTS;
            let message = format!("`{}` needs more than {most} slots for its variables", heading.name);
            let place = finished.overflow.unwrap_or(heading.span);
            let found = Diagnostic::error(place, message).label("more than fits in a frame");
            self.errors.push(found.help("put large values into an Array"));
        }
        let clamp = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
        self.out.functions.push(Function {
            name: heading.name,
            code: finished.code,
            frame_slots: finished.frame.slots(),
            param_slots: clamp(heading.param_slots),
            result_slots: clamp(heading.result_slots),
            params: heading.params,
            variables: finished.variables,
            inlined: finished.inlined,
            span: heading.span,
            library: heading.library,
        });
    }
}

#[cfg(test)]
mod tests;
