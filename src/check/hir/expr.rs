//! Typed expressions. Statements are expressions of type `void` or `never`.

use std::rc::Rc;

use super::{GlobalId, LocalId, LoopTag, RoutineId, TypeId};
use crate::source::Span;

#[derive(Clone, Debug)]
pub struct Expr {
    pub kind: ExprKind,
    pub ty: TypeId,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum ExprKind {
    /// No value.
    Void,
    /// An integer of `ty`, its value's bits extended by its sign.
    Int(i64),
    /// An `f64`, or an `f32` (already rounded, exact in f64).
    Float(f64),
    Bool(bool),
    Char(char),
    Text(Rc<str>),
    /// The zero value of `ty`.
    Zero,

    // Places.
    Local(LocalId),
    Global(GlobalId),
    /// Field of a struct.
    Field {
        base: Box<Expr>,
        field: u32,
    },
    /// Element of an Array, Vector or Slice; the index is of any integer type. A byte of a String (no place then).
    Index {
        base: Box<Expr>,
        index: Box<Expr>,
    },
    /// Field of the payload of a union known to be `variant` where `checked` is false (inside a `choose` arm), else a
    /// runtime error on another variant.
    Payload {
        base: Box<Expr>,
        variant: u32,
        field: u32,
        checked: bool,
    },
    /// `u.value` of a union all of whose payloads have one type: a runtime error on a variant without a payload.
    AnyPayload {
        base: Box<Expr>,
    },
    /// A place that dies here; written by the ownership pass around places that are stored, passed or returned. A hint:
    /// where the destination lies in another region the value is copied all the same.
    Move(Box<Expr>),
    /// A value of its own, made here, of an operand whose place may change before the operand is consumed
    /// (`f(s, shorten(s))`); written by the ownership pass. Lives to the end of the block, as a temporary. Operands
    /// without it are not changed by their right neighbours, nor by the call itself: their slots may be shared.
    Copy(Box<Expr>),

    // Operations. Operands of arithmetic and order have one primitive type; shifts count by any integer.
    Unary {
        op: UnaryOp,
        operand: Box<Expr>,
    },
    Binary {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// Order of numbers, characters and strings.
    Compare {
        op: CompareOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// By content, of any one type.
    Equal {
        left: Box<Expr>,
        right: Box<Expr>,
        negate: bool,
    },
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    /// Between numbers, `char` and `bool` to integers: `as`, and what converts silently.
    Convert(Box<Expr>),
    /// An Array or Vector seen as a Slice.
    AsSlice(Box<Expr>),
    /// Is the union the variant?
    Is {
        operand: Box<Expr>,
        variant: u32,
    },

    // Construction.
    /// All fields in order.
    Struct(Vec<Expr>),
    /// All payload fields in order. Also `null` and a `T` that became a `T?`.
    Variant {
        variant: u32,
        payload: Vec<Expr>,
    },
    /// An Array, or a Vector.
    Elements(Vec<Expr>),
    /// The routine's captures are copied from the locals around; `direct`: passed directly as an argument, so it may view.
    Lambda {
        routine: RoutineId,
        direct: bool,
    },
    /// A routine as a function value.
    RoutineValue(RoutineId),
    /// Literal and shown parts in one `String`: `to_string`, `format`.
    Show(Vec<ShowPart>),

    // Calls. Arguments in the order of the parameters, defaults filled in; evaluated from left to right.
    Call {
        routine: RoutineId,
        arguments: Vec<Expr>,
    },
    CallValue {
        callee: Box<Expr>,
        arguments: Vec<Expr>,
    },
    /// `print`, `println`, `Console.print`, `Console.error`: no value.
    Print {
        parts: Vec<ShowPart>,
        newline: bool,
        stream: Stream,
    },

    // Control.
    /// A region; its value is the last expression's.
    Block(Vec<Expr>),
    /// Without an `else` of type `void`.
    If {
        condition: Box<Expr>,
        then: Box<Expr>,
        otherwise: Option<Box<Expr>>,
    },
    /// The first arm one of whose values equals the subject; `subject` is bound before.
    Match {
        subject: LocalId,
        value: Box<Expr>,
        arms: Vec<MatchArm>,
        otherwise: Option<Box<Expr>>,
    },
    /// By variant. Bindings are the payload's fields.
    Choose {
        subject: Box<Expr>,
        arms: Vec<ChooseArm>,
        otherwise: Option<Box<Expr>>,
    },
    /// Of an integer type; `hi` is evaluated once, after `lo`.
    ForRange {
        tag: LoopTag,
        variable: LocalId,
        lo: Box<Expr>,
        hi: Box<Expr>,
        inclusive: bool,
        body: Box<Expr>,
    },
    /// Over an Array, Vector, Slice (elements) or String (characters).
    ForEach {
        tag: LoopTag,
        variable: LocalId,
        collection: Box<Expr>,
        body: Box<Expr>,
    },
    While {
        tag: LoopTag,
        condition: Box<Expr>,
        body: Box<Expr>,
    },
    /// Until the optional is `None`; the variable is its payload.
    WhileLet {
        tag: LoopTag,
        variable: LocalId,
        value: Box<Expr>,
        body: Box<Expr>,
    },
    Repeat {
        tag: LoopTag,
        body: Box<Expr>,
    },
    Break(LoopTag),
    Continue(LoopTag),
    Return(Option<Box<Expr>>),

    // Statements.
    /// `let`, `var`; `view` is set by the ownership pass where nothing changes the root while it lives, else it owns.
    Let {
        local: LocalId,
        value: Box<Expr>,
        view: bool,
    },
    Assign {
        place: Box<Expr>,
        value: Box<Expr>,
    },
    /// `place += e` and its kin: the value first, then the place once. `old` is bound to what the place holds; `new` is
    /// evaluated over `old` and `operand` and stored. Both are temporaries.
    Modify {
        place: Box<Expr>,
        operand: LocalId,
        value: Box<Expr>,
        old: LocalId,
        new: Box<Expr>,
    },
    /// The value is dropped.
    Drop(Box<Expr>),
    /// Declared names that lowering has nothing to do for, kept for `check`: no effect.
    Nothing,
}

#[derive(Clone, Debug)]
pub struct MatchArm {
    pub values: Vec<Expr>,
    pub body: Expr,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct ChooseArm {
    pub variant: u32,
    /// One for each payload field that is named in the arm, `None` for `_`; or empty.
    pub bindings: Vec<Option<LocalId>>,
    pub body: Expr,
    pub span: Span,
}

/// A part of what is shown.
#[derive(Clone, Debug)]
pub enum ShowPart {
    Literal(Rc<str>),
    Value(Expr, ShowFormat),
}

/// `{}`, `{:.3}`, `{:>8}`, `{:<8.2}`, `{:04}`, `{:x}` …
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ShowFormat {
    pub precision: Option<u32>,
    pub width: u32,
    pub align: Align,
    /// Pad with zeros behind the sign.
    pub zero: bool,
    pub radix: Radix,
    pub fill: Option<char>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Align {
    /// Numbers right, others left.
    #[default]
    Natural,
    Left,
    Right,
    Center,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Radix {
    #[default]
    Decimal,
    Hex,
    HexUpper,
    Binary,
    Octal,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stream {
    Output,
    Error,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnaryOp {
    Neg,
    /// `~`, of an integer
    Not,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Shl,
    Shr,
    /// Also of bools, both sides evaluated.
    And,
    Or,
    Xor,
    /// Of Strings.
    Concat,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompareOp {
    Lt,
    Gt,
    Le,
    Ge,
}

impl Expr {
    pub fn new(kind: ExprKind, ty: TypeId, span: Span) -> Self {
        Expr { kind, ty, span }
    }

    /// Whether the expression names storage: a variable, or a field, element or payload of something.
    pub fn is_place(&self) -> bool {
        match &self.kind {
            ExprKind::Local(_) | ExprKind::Global(_) => true,
            ExprKind::Field { base, .. } | ExprKind::Payload { base, .. } | ExprKind::AnyPayload { base } => {
                base.is_place()
            }
            // An element of a slice that a call gave is a place too: it lies in what the slice views.
            ExprKind::Index { base, .. } => {
                base.is_place() || matches!(base.kind, ExprKind::AsSlice(_) | ExprKind::Call { .. })
            }
            ExprKind::AsSlice(base) | ExprKind::Move(base) => base.is_place(),
            _ => false,
        }
    }
}
