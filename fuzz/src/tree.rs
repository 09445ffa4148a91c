//! The programs that the generator makes, as a tree: what is printed as Scaly text, evaluated by the model, and reduced.
//!
//! It is a small language of its own and no copy of the front end's tree: what the two disagree on is a bug in one of
//! them. Every variable has a number of its own in the whole program, so that no rule of scopes is needed to read a tree.

pub use scaly_interp::machine::IntKind;

/// A variable, parameter or binding; unique in a program.
pub type Var = u32;

#[derive(Clone, PartialEq, Debug)]
pub enum Type {
    Int(IntKind),
    F64,
    F32,
    Bool,
    Char,
    Text,
    Array(Box<Type>),
    Option(Box<Type>),
    Map(Box<Type>, Box<Type>),
    Struct(usize),
    Union(usize),
    /// Of parameters only.
    Slice(Box<Type>),
    /// Of variables and parameters: a function value.
    Lambda(Vec<Type>, Box<Type>),
    /// Of variables only: a `StringBuilder`.
    Builder,
}

pub const INT: Type = Type::Int(IntKind::I64);

impl Type {
    pub fn array(element: Type) -> Type {
        Type::Array(Box::new(element))
    }

    /// The element type of an array or slice.
    pub fn element(&self) -> Option<&Type> {
        match self {
            Type::Array(element) | Type::Slice(element) => Some(element),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Shl,
    Shr,
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
    And,
    Xor,
    Or,
    /// `and`, short circuit.
    Both,
    /// `or`, short circuit.
    Either,
    Min,
    Max,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unary {
    Neg,
    Complement,
    Not,
    Abs,
    Sqrt,
    Floor,
    Ceil,
    Trunc,
    Round,
    /// The bits of a float.
    Bits,
    PopCount,
    LeadingZeros,
}

/// Library routines; the first argument is the receiver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Library {
    Length,
    /// `a.get(i).or(d)` of an array, `m.get(k).or(d)` of a map.
    GetOr,
    Get,
    Contains,
    Sum,
    Or,
    ToString,
    StartsWith,
    /// `s.slice(i, j)` of a string.
    Cut,
    IndexOf,
    Keys,
    Values,
    /// `a.slice(i, j)`: a view, as an argument only.
    View,
    Min,
    Max,
    Copy,
    Repeat,
    Split,
    Join,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Expr {
    /// `bare`: the context gives the type.
    Int {
        value: i128,
        kind: IntKind,
        bare: bool,
    },
    F64(f64),
    F32 {
        value: f32,
        bare: bool,
    },
    Bool(bool),
    Char(char),
    Text(String),
    Var(Var),
    Const(usize),
    Unary(Unary, Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    Cast(Box<Expr>, Type),
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    Choose(Box<Expr>, Vec<(Pattern, Expr)>),
    Is(Box<Expr>, Pattern),
    Call(usize, Vec<Expr>),
    Library(Library, Vec<Expr>),
    Field(Box<Expr>, usize),
    Index(Box<Expr>, Box<Expr>),
    Struct(usize, Vec<Expr>),
    Union(usize, usize, Vec<Expr>),
    Some(Box<Expr>),
    /// Where the context gives the type.
    None,
    Array(Vec<Expr>),
    /// `Array[T](n, value)`
    Filled(Type, Box<Expr>, Box<Expr>),
    EmptyMap(Type, Type),
    /// `a.map(\v: e)`
    Map(Box<Expr>, Var, Box<Expr>),
    Filter(Box<Expr>, Var, Box<Expr>),
    /// `a.fold(start, \accumulator v: e)`
    Fold(Box<Expr>, Box<Expr>, Var, Var, Box<Expr>),
    /// `\v1 v2: e`, a function value where the context gives the type.
    Lambda(Vec<(Var, Type)>, Box<Expr>),
    /// A routine as a value.
    Routine(usize),
    /// A function value called.
    Apply(Box<Expr>, Vec<Expr>),
    /// `format("…{}…", …)`: what stands before each value, the values, what stands behind.
    Format(Vec<(String, Expr)>, String),
}

/// What an arm of `choose` accepts, with the bindings of the payload; the variables count even where they are not used.
#[derive(Clone, PartialEq, Debug)]
pub enum Pattern {
    Some(Var),
    None,
    /// Union, variant, bindings.
    Variant(usize, usize, Vec<Var>),
}

/// `a.f[i].g`: variable, then steps.
#[derive(Clone, PartialEq, Debug)]
pub struct Place {
    pub root: Var,
    pub steps: Vec<Step>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    /// Field of a struct.
    Field(usize),
    /// Element of an array, value of a map.
    Index(Expr),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spelling {
    /// `set p: e`
    Set,
    /// `p = e`
    Equals,
}

pub type Block = Vec<Statement>;

#[derive(Clone, PartialEq, Debug)]
pub enum Statement {
    Let {
        var: Var,
        ty: Type,
        mutable: bool,
        annotated: bool,
        value: Option<Expr>,
    },
    Assign {
        place: Place,
        value: Expr,
        spelling: Spelling,
    },
    /// `p += e`
    Update {
        place: Place,
        op: Binary,
        value: Expr,
    },
    If(Expr, Block, Block),
    /// `while fuel > 0 and condition { fuel -= 1 … }`; `most` is what fuel begins with.
    While {
        fuel: Var,
        most: i64,
        condition: Expr,
        body: Block,
        label: Option<u32>,
    },
    /// A while with a counter of its own: `while v < end { … v += step }`, with `>` where the step is negative; `v` is
    /// declared before.
    Counted {
        var: Var,
        end: Expr,
        step: i64,
        body: Block,
    },
    /// `repeat { if fuel <= 0: break fuel -= 1 … }`
    Repeat {
        fuel: Var,
        most: i64,
        body: Block,
        label: Option<u32>,
    },
    Range {
        var: Var,
        kind: IntKind,
        low: Option<Expr>,
        high: Expr,
        closed: bool,
        body: Block,
        label: Option<u32>,
    },
    /// Over the values of an array, slice, string; of a map with `var.key`, `var.value` as two bindings.
    Each {
        var: Var,
        value: Option<Var>,
        of: Expr,
        body: Block,
        label: Option<u32>,
    },
    Break(Option<u32>),
    Continue(Option<u32>),
    Return(Option<Expr>),
    Print(Vec<Expr>),
    Call(Expr),
    Choose(Expr, Vec<(Pattern, Block)>, Option<Block>),
    Match(Expr, Vec<(Vec<Expr>, Block)>, Block),
    Push(Place, Expr),
    /// `let v: T? = p.pop()`
    Pop(Var, Place),
    Insert(Place, Expr, Expr),
    /// `let v = p.remove(i)`
    Remove(Var, Place, Expr),
    Clear(Place),
    Swap(Place, Expr, Expr),
    Sort(Place),
    Reverse(Place),
    MapSet(Place, Expr, Expr),
    /// `b.append(e)`
    Append(Place, Expr),
    /// `let v = m.remove(k)`
    MapRemove(Var, Place, Expr),
    Block(Block),
    /// `exit(n)`
    Exit(u8),
    /// `let v: String? = Console.read_line()`
    ReadLine(Var),
}

/// The lines that a program can read.
pub const INPUT: &[&str] = &["one", "", "22", "x y", "-3", "end"];

#[derive(Clone, PartialEq, Debug)]
pub struct Struct {
    pub fields: Vec<Type>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Union {
    pub variants: Vec<Vec<Type>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passing {
    /// Read only.
    Value,
    /// Changed by the body; the argument is a place.
    InPlace,
    /// A slice whose elements are read.
    View,
    /// A slice whose elements are written.
    WrittenView,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Param {
    pub var: Var,
    pub ty: Type,
    pub passing: Passing,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Routine {
    pub params: Vec<Param>,
    pub result: Option<Type>,
    pub body: Block,
    pub procedure: bool,
    /// Of this struct: the first parameter is `this`.
    pub method_of: Option<usize>,
    /// An operator of the struct: its sign.
    pub operator: Option<Binary>,
}

impl Routine {
    /// That belongs to nothing.
    pub fn free(params: Vec<Param>, result: Option<Type>, body: Block, procedure: bool) -> Routine {
        Routine { params, result, body, procedure, method_of: None, operator: None }
    }
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Program {
    pub structs: Vec<Struct>,
    pub unions: Vec<Union>,
    pub constants: Vec<(Type, Expr)>,
    pub routines: Vec<Routine>,
    pub main: Block,
}
