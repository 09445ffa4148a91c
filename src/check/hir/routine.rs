//! Routine instances and what is known of them.

use std::ops::BitOrAssign;

use super::{Expr, LocalId, TypeId, Types};
use crate::source::Span;

/// One instance of a function, procedure, operator, lambda, initializer, or the main program.
#[derive(Clone, Debug)]
pub struct Routine {
    /// As messages and call traces spell it: `fib`, `V.+`, `Array[int].push`, `main`, `lambda`.
    pub name: String,
    pub kind: RoutineKind,
    /// In order; `this` is the first of a method. Of an [`RoutineKind::Init`], `this` is none of them but a local that
    /// starts as zero; the routine gives it back.
    pub params: Vec<LocalId>,
    pub result: TypeId,
    pub locals: Vec<Local>,
    pub body: Body,
    /// What a lambda takes from around it: a local of the routine it stands in, and the local that it is inside.
    pub captures: Vec<Capture>,
    pub span: Span,
    /// Part of the library.
    pub library: bool,
    /// Filled in by the ownership pass, in the order of `params`; until then (and for intrinsics from their table).
    pub summary: Summary,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoutineKind {
    Function,
    Procedure,
    Operator,
    Init,
    Deinit,
    Lambda,
    Main,
}

#[derive(Clone, Debug)]
pub enum Body {
    /// Its value is the result; a result type of `void` drops it.
    Code(Box<Expr>),
    /// Implemented by lowering or the runtime under this name: `Array.push`; the type arguments are those of the type
    /// the routine stands in, then its own.
    Intrinsic { name: String, arguments: Vec<TypeId> },
}

#[derive(Clone, Copy, Debug)]
pub struct Capture {
    pub outer: LocalId,
    pub inner: LocalId,
}

#[derive(Clone, Debug)]
pub struct Local {
    pub name: String,
    pub ty: TypeId,
    pub kind: LocalKind,
    pub span: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LocalKind {
    Param,
    /// A parameter whose argument is given up to the routine, in the region of the result: see `ownership::taken`.
    Taken,
    /// `let`
    Let,
    /// `var`, `mutable`
    Var,
    /// A `for`, `choose`, `while let` binding, or a capture: a value that can't be written.
    Binding,
    /// Made by the checker, invisible to the user.
    Temporary,
}

/// What a call can do, per parameter and as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    pub params: Vec<ParamSummary>,
    pub effects: Effects,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParamSummary {
    pub reads: bool,
    /// Plain elements are written (through an array or slice).
    pub writes: bool,
    /// Fields are set, or it is assigned.
    pub changes: bool,
    /// Resized, owned content replaced, or its variant changed.
    pub reshapes: bool,
    /// Its storage may be seen through the result: a `Slice` that views it.
    pub viewed_by_result: bool,
    /// Where its own slots change, not what lies behind them.
    pub changed: Fields,
}

/// Some fields of a struct, or all of a value of whatever type.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Fields(u64);

impl Fields {
    pub const NONE: Fields = Fields(0);
    pub const ALL: Fields = Fields(u64::MAX);

    /// One field. Those beyond the sixty-third are not told apart from all.
    pub fn one(field: u32) -> Fields {
        if field < u64::BITS - 1 { Fields(1 << field) } else { Fields::ALL }
    }

    pub fn has(self, field: u32) -> bool {
        self.0 & Fields::one(field).0 != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn contains(self, other: Fields) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOrAssign for Fields {
    fn bitor_assign(&mut self, other: Fields) {
        self.0 |= other.0;
    }
}

impl ParamSummary {
    /// Whether the parameter comes back to the caller: passed in place. A slice never is (its elements are the caller's),
    /// nor is what only has plain elements written (they lie behind the pointer that was passed).
    pub fn in_place(&self, types: &Types, ty: TypeId) -> bool {
        (self.changes || self.reshapes) && !matches!(types.get(ty), super::Type::Slice(_))
    }
}

/// Effects beyond the parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Prints, reads or writes files, asks the time, ends the program.
    pub io: bool,
    /// May park its fiber.
    pub blocks: bool,
}
