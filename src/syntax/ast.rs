//! The syntax tree: what the parser makes of a text, before any name is resolved.
//!
//! A boxed tree that owns everything; names and string contents are [`Symbol`]s. Three things that only names can
//! decide are left open on purpose, so that parsing needs no other file:
//!
//! - **`head[…]`** is [`ExprKind::Index`], whether `head` turns out to be a value or a generic type or routine. The
//!   arguments are expressions; [`Expr::to_type`] reads one as a type.
//! - **`place = e`** as a statement is [`StmtKind::Assign`] with [`AssignOp::Equals`]. Where the statement's value is
//!   the result of a routine, lambda or value block it compares instead: [`Assign::comparison`] gives that reading.
//! - **`define A B`** is [`DefineKind::Alias`], whether `B` is a type or a constant.
//!
//! What the language has but this version does not run (`throws`/`try`, `trait`/`implement`, `package`/`use`/`module`,
//! `extern`, `instruction`, the marks `$ # ^p !`) is parsed into its nodes and *reported by the parser*; who walks the
//! tree need not report it again. Pointers (`&x`, `*p`, `pointer[T]`, `sizeof`, `alignof`) are ordinary nodes, for the
//! checker to judge. Where something was reported and no better node exists stands an `Error` node.
//!
//! Every node has the span of its own text; a parenthesized expression's span includes the parentheses, which leave
//! no node otherwise.

use crate::source::Span;

use super::symbol::{Interner, Symbol};

/// A name at a place.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    pub symbol: Symbol,
    pub span: Span,
}

/// One source file: declarations and statements, interleaved as written.
#[derive(Clone, Debug)]
pub struct File {
    pub body: Body,
}

/// One statement or `{ … }`: the body of a routine, loop, arm or lambda, a block, or a whole file. A region either
/// way. Its value is that of the last statement, if that is an expression.
#[derive(Clone, Debug)]
pub struct Body {
    pub stmts: Vec<Stmt>,
    /// With the braces, where there are some.
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Stmt {
    pub kind: StmtKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum StmtKind {
    /// An expression, `if`, `match`, `choose`, `try` and `{ … }` included.
    Expr(Expr),
    /// `let x e`, `let x: T e`, `var x e`, `var x: T`, `mutable x e`, each with an optional `=` before the value.
    Let(Box<Let>),
    /// `set place: e`, `place = e`, `place += e`.
    Assign(Box<Assign>),
    /// `while c: body`.
    While(Box<While>),
    /// `while let x e: body`.
    WhileLet(Box<WhileLet>),
    /// `for i in e: body`.
    For(Box<For>),
    /// `repeat: body`.
    Repeat(Box<Repeat>),
    /// `break`, `break loop name`.
    Break(Option<Name>),
    /// `continue`, `continue loop name`.
    Continue(Option<Name>),
    /// `return`, `return e`.
    Return(Option<Box<Expr>>),
    /// `throw e`, and `throw` alone in an arm of `try`. Reported by the parser.
    Throw(Option<Box<Expr>>),
    /// `define …`.
    Define(Box<Define>),
    /// `function …`, `procedure …`, `operator …`; in a type also `init …`, `deinit …`.
    Routine(Box<Routine>),
    /// `trait T { … }`. Reported by the parser.
    Trait(Box<Trait>),
    /// `implement T for U { … }`, `implement U { … }`. Reported by the parser.
    Implement(Box<Implement>),
    /// `module m`. Reported by the parser.
    Module(Name),
    /// `package name 1.2.3`. Reported by the parser.
    Package(Name),
    /// `use a.b.C`. Reported by the parser.
    Use(Vec<Name>),
    /// Something that was reported.
    Error,
}

/// `let x: T = e`.
#[derive(Clone, Debug)]
pub struct Let {
    /// `var` or `mutable`; else `let`.
    pub mutable: bool,
    /// `_` discards.
    pub name: Name,
    pub ty: Option<Type>,
    /// Missing only in `var x: T`.
    pub value: Option<Expr>,
}

/// `set place: e`, `place = e`, `place += e`.
#[derive(Clone, Debug)]
pub struct Assign {
    /// With [`AssignOp::Equals`] of the form of a place (name, member, index or `*p`); with the other operators any
    /// expression.
    pub place: Expr,
    pub op: AssignOp,
    /// Of `set`, `:`, `=` or `+=`: the word or sign that assigns.
    pub op_span: Span,
    pub value: Expr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssignOp {
    /// `set place: e`: assigns in every position.
    Set,
    /// `place = e`: assigns, or compares where the value is a result ([`Assign::comparison`]).
    Equals,
    /// `place += e` and `set place += e`.
    Compound(BinaryOp),
}

impl Assign {
    /// What `place = e` means where it does not assign: the row of operands with `=` in its usual precedence, so
    /// `a = b and c` gives `(a = b) and c`.
    pub fn comparison(&self) -> Expr {
        fn insert(place: &Expr, op_span: Span, value: &Expr) -> Expr {
            let span = place.span.to(value.span);
            match &value.kind {
                // A parenthesized operand begins before its leftmost part and is not taken apart.
                ExprKind::Binary(b) if !b.op.binds_tighter_than_equality() && b.left.span.start == value.span.start => {
                    let left = insert(place, op_span, &b.left);
                    let kind = ExprKind::Binary(Box::new(Binary {
                        op: b.op,
                        op_span: b.op_span,
                        left,
                        right: b.right.clone(),
                    }));
                    Expr { kind, span }
                }
                ExprKind::Range(r) if r.low.span.start == value.span.start => {
                    let low = insert(place, op_span, &r.low);
                    let kind = ExprKind::Range(Box::new(Range { low, high: r.high.clone(), closed: r.closed }));
                    Expr { kind, span }
                }
                _ => Expr {
                    kind: ExprKind::Binary(Box::new(Binary {
                        op: BinaryOp::Equal,
                        op_span,
                        left: place.clone(),
                        right: value.clone(),
                    })),
                    span,
                },
            }
        }
        insert(&self.place, self.op_span, &self.value)
    }
}

/// `while c: body`.
#[derive(Clone, Debug)]
pub struct While {
    pub condition: Expr,
    pub label: Option<Name>,
    pub body: Body,
}

/// `while let x e: body`: until the value is null.
#[derive(Clone, Debug)]
pub struct WhileLet {
    pub name: Name,
    pub ty: Option<Type>,
    pub value: Expr,
    pub label: Option<Name>,
    pub body: Body,
}

/// `for i in e: body`, `for i in e: label rows { … }`.
#[derive(Clone, Debug)]
pub struct For {
    /// `_` discards.
    pub name: Name,
    /// `for i: T in e`.
    pub ty: Option<Type>,
    pub iterable: Expr,
    pub label: Option<Name>,
    pub body: Body,
}

/// `repeat: body`.
#[derive(Clone, Debug)]
pub struct Repeat {
    pub label: Option<Name>,
    pub body: Body,
}

/// `define name[T] …`.
#[derive(Clone, Debug)]
pub struct Define {
    pub name: Name,
    pub generics: Vec<Name>,
    pub private: bool,
    pub kind: DefineKind,
}

#[derive(Clone, Debug)]
pub enum DefineKind {
    /// `define P(x: int) { … }`, `define P { x: int, … }`, `define P { var x: int … }`: all fields in their order,
    /// wherever they were written.
    Struct { fields: Vec<Field>, members: Vec<Stmt> },
    /// `define U union(A: T, B) { … }`.
    Union { variants: Vec<Variant>, members: Vec<Stmt> },
    /// `define N { … }` without a field.
    Namespace { members: Vec<Stmt> },
    /// `define Array[T] intrinsic { … }`, library only: a type whose representation is built in.
    Intrinsic { members: Vec<Stmt> },
    /// `define N: int 5`, `define N int 5`, `define N 5`.
    Constant { ty: Option<Type>, value: Expr },
    /// `define Num int`; also `define A B` where `B` is a constant's name.
    Alias { target: Type },
    /// Something that was reported.
    Error,
}

impl DefineKind {
    /// The routines and definitions in the braces: statements of the kinds [`StmtKind::Routine`],
    /// [`StmtKind::Define`] and [`StmtKind::Error`] only.
    pub fn members(&self) -> &[Stmt] {
        match self {
            DefineKind::Struct { members, .. }
            | DefineKind::Union { members, .. }
            | DefineKind::Namespace { members }
            | DefineKind::Intrinsic { members } => members,
            DefineKind::Constant { .. } | DefineKind::Alias { .. } | DefineKind::Error => &[],
        }
    }
}

/// `x: T`, `x: T (default)`, `private x: T`, `var x: T`, `var x: T default`.
#[derive(Clone, Debug)]
pub struct Field {
    pub name: Name,
    pub private: bool,
    pub ty: Type,
    pub default: Option<Expr>,
    pub span: Span,
}

/// `A`, `A: T`, `A(T)`, `A(f: T, …)`, `A { f: T, … }`.
#[derive(Clone, Debug)]
pub struct Variant {
    pub name: Name,
    pub payload: Payload,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum Payload {
    /// `A`
    None,
    /// `A: T`, `A(T)`
    Type(Type),
    /// `A { f: T, … }`, `A(f: T, …)`
    Fields(Vec<Field>),
}

/// `function name[T](a: T) returns R throws E body` and its kin.
#[derive(Clone, Debug)]
pub struct Routine {
    pub kind: RoutineKind,
    /// Of an operator its sign: `+`, `[]`, `[]=`, `()`; `init` and `deinit` of these.
    pub name: Name,
    pub private: bool,
    pub generics: Vec<Name>,
    /// `this` is a parameter like any other, without a type.
    pub params: Vec<Param>,
    pub returns: Option<Type>,
    /// Reported by the parser.
    pub throws: Option<Type>,
    pub body: RoutineBody,
    /// From the first word to the last token before the body: what a message about the routine marks.
    pub head_span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutineKind {
    Function,
    Procedure,
    Operator,
    Init,
    Deinit,
}

#[derive(Clone, Debug)]
pub enum RoutineBody {
    Code(Body),
    /// `function f(…) returns T intrinsic`, library only: the lowering knows it by name.
    Intrinsic,
    /// `function f(…) returns T extern`. Reported by the parser.
    Extern,
    /// No body, in a `trait`.
    Missing,
}

/// `a: T`, `b: int (5)`, `this`.
#[derive(Clone, Debug)]
pub struct Param {
    pub name: Name,
    pub ty: Option<Type>,
    pub default: Option<Expr>,
    pub span: Span,
}

/// `trait T[U] { … }`.
#[derive(Clone, Debug)]
pub struct Trait {
    pub name: Name,
    pub generics: Vec<Name>,
    /// `extends A, B`
    pub extends: Vec<Type>,
    pub members: Vec<Stmt>,
}

/// `implement T for U { … }`.
#[derive(Clone, Debug)]
pub struct Implement {
    /// Missing in `implement U { … }`.
    pub trait_: Option<Type>,
    pub target: Type,
    pub members: Vec<Stmt>,
}

#[derive(Clone, Debug)]
pub struct Type {
    pub kind: TypeKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum TypeKind {
    /// `int`, `a.b.C`, `Array[T]`, `ref[T]`, `pointer[void]`.
    Named { path: Vec<Name>, args: Vec<Type> },
    /// `T?`
    Optional(Box<Type>),
    /// `function(int, f64) returns int`
    Function { params: Vec<Type>, returns: Option<Box<Type>> },
    /// `T$`, `T#`, `T^p`, `T!`. Reported by the parser.
    Marked { ty: Box<Type>, mark: Mark },
    /// Something that was reported.
    Error,
}

/// `$`, `#`, `^p`, `!` after a type or call head. Reported by the parser.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    pub kind: MarkKind,
    pub span: Span,
}

#[derive(Clone, Copy, Debug)]
pub enum MarkKind {
    /// `$`: the block's region.
    Local,
    /// `#`: the caller's region.
    Caller,
    /// `^p`: the region of `p`.
    Of(Name),
    /// `!`: the region of the thrown value.
    Thrown,
}

#[derive(Clone, Debug)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum ExprKind {
    /// `42`, `0xFF`. A minus sign before it is [`PrefixOp::Minus`]; what fits which type is the checker's.
    Int(u64),
    /// `3.14`: its text without `_`, so that it can be read as the type its context asks for. Rust's `parse` reads it.
    Float(Symbol),
    Bool(bool),
    Null,
    /// The text that the literal stands for, escapes resolved.
    Str(Symbol),
    Char(char),
    /// A variable, routine, type or variant; `this` too.
    Name(Symbol),
    /// `e.name`: member, method without arguments, `Union.Variant`, `Namespace.member`.
    Member(Box<Expr>, Name),
    /// `head[a, b]`: element or type arguments.
    Index(Box<Index>),
    /// `f(x)`, `f x`, `a.m(x)`, `T(args)`, `T[U](args)`, `U.V(x)`.
    Call(Box<Call>),
    /// `[1, 2]`
    Array(Vec<Expr>),
    /// `-e`, `+e`, `~e`, `*e`, `&e`, `not e`
    Prefix(PrefixOp, Box<Expr>),
    Binary(Box<Binary>),
    /// `e as T`
    As(Box<As>),
    /// `e is V`, `e is U.V`, `e is null`
    Is(Box<Is>),
    /// `a..b`, `a..=b`
    Range(Box<Range>),
    /// `if c: a else b`
    If(Box<If>),
    /// `match e: case a case b: x else y`
    Match(Box<Match>),
    /// `choose e: when V(p): x else y`
    Choose(Box<Choose>),
    /// `try let x f(): when V(p): … else …`. Reported by the parser.
    Try(Box<Try>),
    /// `{ … }`
    Block(Box<Body>),
    /// `\x y: e`, `\x: int { … }`
    Lambda(Box<Lambda>),
    /// `sizeof T`
    SizeOf(Box<Type>),
    /// `alignof T`
    AlignOf(Box<Type>),
    /// `e?`: the type `T?` in the brackets of a generic, as in `Array[int?](n)`.
    Optional(Box<Expr>),
    /// `function(int) returns int` in the brackets of a generic.
    Type(Box<Type>),
    /// `T$`, `T#`, `T^p`, `f!` before a call. Reported by the parser.
    Marked(Box<Expr>, Box<Mark>),
    /// Something that was reported.
    Error,
}

/// `head[a, b]`.
#[derive(Clone, Debug)]
pub struct Index {
    pub head: Expr,
    /// At least one.
    pub args: Vec<Expr>,
}

/// `callee(args)` or `callee arg`.
#[derive(Clone, Debug)]
pub struct Call {
    pub callee: Expr,
    pub args: Vec<Arg>,
}

impl Call {
    /// Whether a call of the span `span` was written `f x`, without parentheses.
    pub fn is_juxtaposed(&self, span: Span) -> bool {
        self.args.last().is_some_and(|last| last.value.span.end == span.end)
    }
}

/// `x`, `name: x`.
#[derive(Clone, Debug)]
pub struct Arg {
    pub name: Option<Name>,
    pub value: Expr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixOp {
    /// `-`
    Minus,
    /// `+`
    Plus,
    /// `~`
    Complement,
    /// `*`
    Deref,
    /// `&`
    AddressOf,
    /// `not`
    Not,
}

impl PrefixOp {
    pub fn text(self) -> &'static str {
        match self {
            PrefixOp::Minus => "-",
            PrefixOp::Plus => "+",
            PrefixOp::Complement => "~",
            PrefixOp::Deref => "*",
            PrefixOp::AddressOf => "&",
            PrefixOp::Not => "not",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Binary {
    pub op: BinaryOp,
    pub op_span: Span,
    pub left: Expr,
    pub right: Expr,
}

/// An infix operator. Spellings that mean the same are one: `=` and `==`, `<>` and `!=`, `^` and `xor`, `&&` and `and`,
/// `||` and `or`. `/` and `div`, `%` and `mod` are one on integers, but not on floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    Multiply,
    Divide,
    Remainder,
    Div,
    Mod,
    Add,
    Subtract,
    ShiftLeft,
    ShiftRight,
    Less,
    Greater,
    LessEqual,
    GreaterEqual,
    Equal,
    NotEqual,
    BitAnd,
    BitXor,
    BitOr,
    /// Short circuit.
    And,
    /// Short circuit.
    Or,
}

impl BinaryOp {
    /// The canonical spelling, which is also the name of the operator routine.
    pub fn text(self) -> &'static str {
        match self {
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::Remainder => "%",
            BinaryOp::Div => "div",
            BinaryOp::Mod => "mod",
            BinaryOp::Add => "+",
            BinaryOp::Subtract => "-",
            BinaryOp::ShiftLeft => "<<",
            BinaryOp::ShiftRight => ">>",
            BinaryOp::Less => "<",
            BinaryOp::Greater => ">",
            BinaryOp::LessEqual => "<=",
            BinaryOp::GreaterEqual => ">=",
            BinaryOp::Equal => "=",
            BinaryOp::NotEqual => "<>",
            BinaryOp::BitAnd => "&",
            BinaryOp::BitXor => "^",
            BinaryOp::BitOr => "|",
            BinaryOp::And => "and",
            BinaryOp::Or => "or",
        }
    }

    /// The rows of the operator table: a higher one binds tighter. `not` stands between 4 and 6, ranges at 0; `is`
    /// shares 14 with the comparisons.
    pub fn precedence(self) -> u8 {
        match self {
            BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Remainder | BinaryOp::Div | BinaryOp::Mod => 20,
            BinaryOp::Add | BinaryOp::Subtract => 18,
            BinaryOp::ShiftLeft | BinaryOp::ShiftRight => 16,
            BinaryOp::Less | BinaryOp::Greater | BinaryOp::LessEqual | BinaryOp::GreaterEqual => 14,
            BinaryOp::Equal | BinaryOp::NotEqual => 12,
            BinaryOp::BitAnd => 10,
            BinaryOp::BitXor => 8,
            BinaryOp::BitOr => 6,
            BinaryOp::And => 4,
            BinaryOp::Or => 2,
        }
    }

    fn binds_tighter_than_equality(self) -> bool {
        self.precedence() > BinaryOp::Equal.precedence()
    }
}

/// `e as T`.
#[derive(Clone, Debug)]
pub struct As {
    pub value: Expr,
    pub ty: Type,
}

/// `e is V`.
#[derive(Clone, Debug)]
pub struct Is {
    pub value: Expr,
    /// The variant, `V` or `U.V`; empty for `null`.
    pub variant: Vec<Name>,
}

/// `low..high`, `low..=high`.
#[derive(Clone, Debug)]
pub struct Range {
    pub low: Expr,
    pub high: Expr,
    /// `..=`
    pub closed: bool,
}

#[derive(Clone, Debug)]
pub struct If {
    pub condition: Expr,
    pub then: Body,
    pub otherwise: Option<Body>,
}

#[derive(Clone, Debug)]
pub struct Match {
    pub subject: Expr,
    pub arms: Vec<MatchArm>,
    pub otherwise: Option<Body>,
}

/// `case a case b: body`.
#[derive(Clone, Debug)]
pub struct MatchArm {
    /// At least one.
    pub values: Vec<Expr>,
    pub body: Body,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Choose {
    pub subject: Expr,
    pub arms: Vec<WhenArm>,
    pub otherwise: Option<Body>,
}

/// `when V(p, q): body`, `when x: V: body`, `when V: body`.
#[derive(Clone, Debug)]
pub struct WhenArm {
    /// `V` or `U.V`.
    pub variant: Vec<Name>,
    pub binding: WhenBinding,
    pub body: Body,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum WhenBinding {
    /// `when V`
    None,
    /// `when x: V`: the whole payload.
    Whole(Name),
    /// `when V(p, q)`: the payload, or the fields of an inline one, by position; `_` discards. At least one.
    Fields(Vec<Name>),
}

/// `try e: arms`, `try let x e: arms`.
#[derive(Clone, Debug)]
pub struct Try {
    /// Of `try let` and `try var`; the value is in `value`.
    pub binding: Option<TryBinding>,
    pub value: Expr,
    pub arms: Vec<WhenArm>,
    pub otherwise: Option<Body>,
}

#[derive(Clone, Debug)]
pub struct TryBinding {
    pub mutable: bool,
    pub name: Name,
    pub ty: Option<Type>,
}

/// `\x y: e`.
#[derive(Clone, Debug)]
pub struct Lambda {
    /// Without defaults; types are optional. `_` discards.
    pub params: Vec<Param>,
    pub body: Body,
}

impl Expr {
    /// Reads what was parsed as an expression as a type, as the brackets of a generic need it. `None` where it is
    /// none: then it is an index.
    pub fn to_type(&self) -> Option<Type> {
        let kind = match &self.kind {
            ExprKind::Name(symbol) => {
                TypeKind::Named { path: vec![Name { symbol: *symbol, span: self.span }], args: Vec::new() }
            }
            ExprKind::Member(head, name) => match head.to_type()?.kind {
                TypeKind::Named { mut path, args } if args.is_empty() => {
                    path.push(*name);
                    TypeKind::Named { path, args }
                }
                _ => return None,
            },
            ExprKind::Index(index) => match index.head.to_type()?.kind {
                TypeKind::Named { path, args } if args.is_empty() => {
                    TypeKind::Named { path, args: index.args.iter().map(Expr::to_type).collect::<Option<_>>()? }
                }
                _ => return None,
            },
            ExprKind::Optional(inner) => TypeKind::Optional(Box::new(inner.to_type()?)),
            ExprKind::Type(ty) => return Some((**ty).clone()),
            ExprKind::Marked(inner, mark) => TypeKind::Marked { ty: Box::new(inner.to_type()?), mark: **mark },
            ExprKind::Error => TypeKind::Error,
            _ => return None,
        };
        Some(Type { kind, span: self.span })
    }

    /// Whether the expression has the form of something that can be assigned: a name, a member, an element, `*p`.
    pub fn is_place(&self) -> bool {
        matches!(
            &self.kind,
            ExprKind::Name(_) | ExprKind::Member(..) | ExprKind::Index(_) | ExprKind::Prefix(PrefixOp::Deref, _)
        )
    }
}

impl Name {
    pub fn text(self, interner: &Interner) -> &str {
        interner.text(self.symbol)
    }
}
