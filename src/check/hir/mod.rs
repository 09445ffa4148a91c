//! The typed tree ("HIR"): what checking hands to lowering.
//!
//! Everything is resolved and concrete: each routine here is one *instance* (generics are gone), each expression has a
//! type, each name is a [`LocalId`], [`RoutineId`] or [`GlobalId`], each implicit thing (conversions, `this`, default
//! arguments, operators, `m[k]` of a map) is spelled out. Checking types an instance and builds its tree; the ownership
//! pass (`check/ownership`) then fills in the summaries, decides views and moves, and reports what the rules of values
//! forbid; lowering trusts both.
//!
//! Rejected: one generic tree instantiated by lowering (every pass would need substitution), and a tree for places apart
//! from the one for values (a place is a value as soon as it is read; [`Expr::is_place`] is enough).

mod expr;
mod returned;
mod routine;
mod types;

pub use expr::*;
pub use routine::*;
pub use types::*;

use rustc_hash::FxHashMap;

use crate::source::Span;

/// A checked program.
#[derive(Debug, Default)]
pub struct Program {
    pub types: Types,
    pub routines: Vec<Routine>,
    pub globals: Vec<Global>,
    /// How values that are walked by positions (`HashMap`, `List` …) are walked: of each such type that is shown somewhere.
    pub walks: FxHashMap<TypeId, Walk>,
    /// The `operator =` of each type that has one and is a part of something that is compared somewhere.
    pub equals: FxHashMap<TypeId, RoutineId>,
    /// Runs the statements of the file, or calls `main`; no parameters, gives the exit status as an `int`.
    pub main: RoutineId,
}

/// A `define` constant that is not a literal: evaluated once before the main program starts, in order, then never written.
/// Constants with a literal value are replaced by it while checking.
#[derive(Debug)]
pub struct Global {
    pub name: String,
    pub ty: TypeId,
    /// Has no parameters and gives the value.
    pub initializer: RoutineId,
    pub span: Span,
}

/// The routines that walk a collection: `begin(this)` and `advance(this, p)` give a position, negative at the end,
/// `element(this, p)` what lies there, of type `item`. They show as `[a,b]`.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    pub begin: RoutineId,
    pub advance: RoutineId,
    pub element: RoutineId,
    pub item: TypeId,
}

impl Program {
    pub fn routine(&self, id: RoutineId) -> &Routine {
        &self.routines[id.0 as usize]
    }

    pub fn global(&self, id: GlobalId) -> &Global {
        &self.globals[id.0 as usize]
    }
}

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
        pub struct $name(pub u32);
    };
}

index!(
    /// A routine instance of a [`Program`].
    RoutineId
);
index!(
    /// A constant of a [`Program`].
    GlobalId
);
index!(
    /// A parameter, variable or binding of one [`Routine`].
    LocalId
);
index!(
    /// A loop of one [`Routine`], for `break` and `continue`.
    LoopTag
);
index!(
    /// A type of [`Types`]; equal types have equal ids.
    TypeId
);
index!(
    /// A struct instance of [`Types`].
    StructId
);
index!(
    /// A union instance of [`Types`].
    UnionId
);
