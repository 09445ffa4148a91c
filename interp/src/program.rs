//! The program image: what the front end hands to the tiers.

use std::ops::Range;

use crate::bytecode::Instruction;
use crate::source::Span;

macro_rules! index {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
        pub struct $name(pub u32);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

index!(
    /// A function of a [`Program`].
    FunctionId, "function"
);
index!(
    /// A loop of a [`Program`].
    LoopId, "loop"
);
index!(
    /// An instruction of a [`Program`], by its index in `code`.
    Pc, "@"
);

/// Everything that runs.
///
/// Invariants: the instructions of a function are contiguous, so are those of a loop (from its header to behind its last
/// back edge), loops nest properly, and a branch backwards is the back edge of a loop in the table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    pub code: Vec<Instruction>,
    /// Where each instruction comes from; as long as `code`.
    pub spans: Vec<Span>,
    pub functions: Vec<Function>,
    pub loops: Vec<Loop>,
    /// The string constants, by the number in `Text` instructions.
    pub texts: Vec<Box<str>>,
    /// Bytes of the area that `Global` instructions address; zero at the start.
    pub global_bytes: u32,
    /// The function that runs the program; no parameters, one result slot (the exit status).
    pub main: FunctionId,
}

/// A routine instance, lambda, or routine that lowering generated (copying, printing … of a type).
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    pub name: String,
    pub code: Range<u32>,
    /// Slots of the frame, calls included: the deepest `Frame` operand's header, arguments and results fit.
    pub frame_slots: u16,
    /// Slots that the caller fills, from slot 0.
    pub param_slots: u16,
    /// Slots that come back, from slot 0: the result, then what in-place parameters became.
    pub result_slots: u16,
    pub params: Vec<Param>,
    /// Names of slots, for messages and verdicts; those of fields, `p.x`, before that of the variable.
    pub variables: Vec<Variable>,
    /// Calls whose code lies in this function, outer ones before those in them; for call traces.
    pub inlined: Vec<Inlined>,
    pub span: Span,
    /// Made by lowering or part of the library: left out of call traces and listings by default.
    pub library: bool,
}

index!(
    /// What functions have in common that one call of an id may call: how many slots they take and give, and whether they
    /// are function values, whose first parameter is an environment, or what an environment names for itself.
    Class,
    "class"
);

impl Class {
    const VALUE: u32 = 1 << 31;
    const RESULTS: u32 = 16;

    pub fn new(param_slots: u16, result_slots: u16, value: bool) -> Class {
        let value = if value { Class::VALUE } else { 0 };
        Class(u32::from(param_slots) | u32::from(result_slots & 0x7fff) << Class::RESULTS | value)
    }

    pub fn param_slots(self) -> u16 {
        self.0 as u16
    }

    pub fn result_slots(self) -> u16 {
        (self.0 >> Class::RESULTS) as u16 & 0x7fff
    }
}

impl Function {
    pub fn class(&self) -> Class {
        let value = self.params.first().is_some_and(|param| param.kind == ParamKind::Environment);
        Class::new(self.param_slots, self.result_slots, value)
    }
}

/// A parameter as it lies in the frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    pub name: String,
    pub slots: Range<u16>,
    pub kind: ParamKind,
    /// Of an array or slice: bytes from one element to the next, which lie where its first slot points to, as many as its
    /// second one says; else 0.
    pub stride: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParamKind {
    /// Behaves like a copy; its memory is only read.
    Value,
    /// What may have changed of it comes back in the results, from this result slot on.
    InPlace { result: u16 },
    /// A view whose elements may be written.
    View,
    /// The hidden region of the result or of an in-place parameter.
    Region,
    /// A function value: it may look at what is seen in a view, too.
    Function,
    /// The environment of a lambda.
    Environment,
}

/// A variable of the source, for messages.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    pub name: String,
    pub slots: Range<u16>,
    /// Where it is in scope.
    pub code: Range<u32>,
}

/// A call of a user's routine that lowering wrote out in its caller.
#[derive(Clone, Debug, PartialEq)]
pub struct Inlined {
    /// The routine.
    pub name: String,
    pub code: Range<u32>,
    /// The place of the call.
    pub call: Span,
}

/// A loop of the source, or of a generated routine.
#[derive(Clone, Debug, PartialEq)]
pub struct Loop {
    pub function: FunctionId,
    /// From the header to behind the last back edge.
    pub code: Range<u32>,
    pub kind: LoopKind,
    /// The loop's statement, up to its body.
    pub span: Span,
    /// The loop around it in the same function.
    pub parent: Option<LoopId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoopKind {
    /// `for` over integers or by index: `ForPrep…` stands right before the header, `ForLoop` is the back edge; `counter`
    /// is the slot of its value, `counter + 1` that of the remaining trips. Nothing else writes the two.
    Counted { counter: u16 },
    /// `while`, `repeat` and the like.
    Open,
}

impl Program {
    /// The function that an instruction belongs to.
    pub fn function_at(&self, pc: Pc) -> Option<FunctionId> {
        let after = self.functions.partition_point(|f| f.code.start <= pc.0);
        let id = after.checked_sub(1)?;
        self.functions[id].code.contains(&pc.0).then_some(FunctionId(id as u32))
    }

    pub fn function(&self, id: FunctionId) -> &Function {
        &self.functions[id.0 as usize]
    }

    pub fn span(&self, pc: Pc) -> Span {
        self.spans[pc.0 as usize]
    }
}
