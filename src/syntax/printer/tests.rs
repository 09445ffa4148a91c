//! parse ∘ print is the identity: on random trees, and on every program of the repository.

use proptest::prelude::*;

use super::print;
use crate::source::{FileId, Span};
use crate::syntax::ast::*;
use crate::syntax::{Interner, parse};

/// A tree's structure: its debug form without the spans, and without what the parser cannot know before names are.
fn structure(file: &File) -> String {
    let shown = format!("{file:?}");
    let mut result = String::with_capacity(shown.len());
    let mut rest = shown.as_str();
    while let Some(at) = rest.find("Span {") {
        result.push_str(&rest[..at]);
        let end = rest[at..].find('}').map_or(rest.len(), |i| at + i + 1);
        rest = &rest[end..];
    }
    result + rest
}

fn reparsed(text: &str, interner: &mut Interner) -> File {
    let parsed = parse(FileId(0), text, interner, true);
    assert!(parsed.diagnostics.is_empty(), "{:?}\n{text}", parsed.diagnostics[0]);
    parsed.file
}

fn check(file: &File, interner: &mut Interner) {
    let text = print(file, interner);
    let again = reparsed(&text, interner);
    assert_eq!(structure(file), structure(&again), "\n{text}");
    assert_eq!(print(&again, interner), text);
}

#[test]
fn programs_print_and_parse_back() {
    for (path, text) in crate::syntax::parser::tests::all_programs() {
        let mut interner = Interner::new();
        let parsed = parse(FileId(0), &text, &mut interner, true);
        if parsed.diagnostics.is_empty() {
            println!("{path}");
            check(&parsed.file, &mut interner);
        }
    }
}

#[test]
fn canonical_text() {
    let source = "\
define P: (x: int, y: f64 (1.0)) {
  function 'set'(v: int): set x: v
  operator ==(o: P) returns bool: x = o.x }
define N: int 5
println \"a\"
let a 1 + (2 * 3) - (4 - 5)
if a == 1 && not (b = 2): f x else if c: g() else
  { h() }
for i in 0..n: label rows break loop rows
choose e: when Some(x): x when y: None: 1 else { 2 }
xs.map(\\x: x * 2).each(\\x { println x : y })
x = (-a).b
(x = y)";
    let expected = "\
define P(x: int, y: f64 (1.0)) {
    function set(v: int) {
        set x: v
    }
    operator =(o: P) returns bool {
        x = o.x
    }
}
define N: int 5
println(\"a\")
let a = 1 + 2 * 3 - (4 - 5)
if a = 1 and not b = 2 {
    f(x)
} else if c {
    g()
} else {
    h()
}
for i in 0..n: label rows {
    break loop rows
}
choose e {
    when Some(x) {
        x
    }
    when y: None {
        1
    }
    else {
        2
    }
}
xs.map(\\x: x * 2).each(\\x {
    println(x)
    y
})
x = (-a).b
(x = y)
";
    let mut interner = Interner::new();
    let file = reparsed(source, &mut interner);
    assert_eq!(print(&file, &interner), expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_trees_print_and_parse_back(tape in proptest::collection::vec(any::<u8>(), 0..800)) {
        let mut interner = Interner::new();
        let file = {
            let mut builder = Builder { tape: &tape, interner: &mut interner, depth: 0 };
            File { body: builder.body(4, Builder::stmt) }
        };
        check(&file, &mut interner);
    }
}

const PIECES: &[&str] = &[
    "a",
    "b",
    "int",
    "Array",
    "Some",
    "None",
    "'x y'",
    "_",
    "1",
    "2.5",
    "\"s\"",
    "`c`",
    "true",
    "null",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    "{",
    "}",
    ",",
    ":",
    ".",
    "..",
    "..=",
    "?",
    "\\",
    "\n",
    "\n",
    "\n",
    "+",
    "-",
    "*",
    "=",
    "<",
    "&",
    "^",
    "+=",
    "and",
    "not",
    "as",
    "is",
    "let",
    "var",
    "set",
    "if",
    "else",
    "while",
    "for",
    "in",
    "repeat",
    "label",
    "break",
    "loop",
    "return",
    "match",
    "case",
    "choose",
    "when",
    "define",
    "union",
    "function",
    "operator",
    "init",
    "returns",
    "private",
    "sizeof",
    "!",
    "#",
    "$",
    "//",
    ";",
    "xor",
    "throw",
    "try",
    "extern",
    "intrinsic",
    "elif",
    "->",
    "++",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]
    /// What is accepted at all prints and parses back, and nothing panics.
    #[test]
    fn token_soup(pieces in proptest::collection::vec((0..PIECES.len(), any::<bool>()), 0..20)) {
        let text: String =
            pieces.iter().map(|&(i, blank)| format!("{}{}", PIECES[i], if blank { " " } else { "" })).collect();
        let mut interner = Interner::new();
        let parsed = parse(FileId(0), &text, &mut interner, true);
        if parsed.diagnostics.is_empty() {
            check(&parsed.file, &mut interner);
        }
    }
}

/// Makes a tree of a tape of choices; behind its end every choice is the simplest one, so that shorter tapes give
/// smaller trees.
struct Builder<'a> {
    tape: &'a [u8],
    interner: &'a mut Interner,
    depth: u32,
}

const SPAN: Span = Span { file: FileId(0), start: 0, end: 0 };

const NAMES: &[&str] = &["a", "b", "count", "x1", "_", "größe", "set", "any text", "while", "and", "Point", "int"];
const VARIANTS: &[&str] = &["Some", "None"];
const BINARY: &[BinaryOp] = &[
    BinaryOp::Add,
    BinaryOp::Subtract,
    BinaryOp::Multiply,
    BinaryOp::Divide,
    BinaryOp::Remainder,
    BinaryOp::Div,
    BinaryOp::Mod,
    BinaryOp::ShiftLeft,
    BinaryOp::ShiftRight,
    BinaryOp::Less,
    BinaryOp::Greater,
    BinaryOp::LessEqual,
    BinaryOp::GreaterEqual,
    BinaryOp::Equal,
    BinaryOp::NotEqual,
    BinaryOp::BitAnd,
    BinaryOp::BitXor,
    BinaryOp::BitOr,
    BinaryOp::And,
    BinaryOp::Or,
];

impl Builder<'_> {
    fn pick(&mut self, count: usize) -> usize {
        match self.tape.split_first() {
            Some((&first, rest)) => {
                self.tape = rest;
                first as usize % count
            }
            None => 0,
        }
    }

    fn flip(&mut self) -> bool {
        self.pick(2) == 1
    }

    fn symbol(&mut self, names: &[&str]) -> crate::syntax::Symbol {
        let name = names[self.pick(names.len())];
        self.interner.intern(name)
    }

    fn name(&mut self) -> Name {
        Name { symbol: self.symbol(NAMES), span: SPAN }
    }

    fn many<T>(&mut self, most: usize, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.pick(most + 1);
        (0..count).map(|_| item(self)).collect()
    }

    fn maybe<T>(&mut self, item: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flip().then(|| item(self))
    }

    fn body(&mut self, most: usize, item: impl FnMut(&mut Self) -> Stmt) -> Body {
        self.depth += 1;
        let stmts = if self.depth > 8 { Vec::new() } else { self.many(most, item) };
        self.depth -= 1;
        Body { stmts, span: SPAN }
    }

    fn block(&mut self) -> Body {
        self.body(3, Self::stmt)
    }

    fn stmt(&mut self) -> Stmt {
        let kind = match self.pick(15) {
            0..=2 => StmtKind::Expr(self.expr()),
            3 => {
                let mutable = self.flip();
                let ty = self.maybe(Self::ty);
                let value = if mutable && ty.is_some() { self.maybe(Self::expr) } else { Some(self.expr()) };
                StmtKind::Let(Box::new(Let { mutable, name: self.name(), ty, value }))
            }
            4 => {
                let op = match self.pick(3) {
                    0 => AssignOp::Set,
                    1 => AssignOp::Equals,
                    _ => AssignOp::Compound(
                        [BinaryOp::Add, BinaryOp::Remainder, BinaryOp::BitXor, BinaryOp::ShiftLeft][self.pick(4)],
                    ),
                };
                let place = self.place();
                StmtKind::Assign(Box::new(Assign { place, op, op_span: SPAN, value: self.expr() }))
            }
            5 => {
                let (condition, label) = (self.expr(), self.maybe(Self::name));
                StmtKind::While(Box::new(While { condition, label, body: self.block() }))
            }
            6 => {
                let (name, ty, value) = (self.name(), self.maybe(Self::ty), self.expr());
                let label = self.maybe(Self::name);
                StmtKind::WhileLet(Box::new(WhileLet { name, ty, value, label, body: self.block() }))
            }
            7 => {
                let (name, ty, iterable) = (self.name(), self.maybe(Self::ty), self.expr());
                let label = self.maybe(Self::name);
                StmtKind::For(Box::new(For { name, ty, iterable, label, body: self.block() }))
            }
            8 => {
                let label = self.maybe(Self::name);
                StmtKind::Repeat(Box::new(Repeat { label, body: self.block() }))
            }
            9 => StmtKind::Break(self.maybe(Self::name)),
            10 => StmtKind::Continue(self.maybe(Self::name)),
            11 => StmtKind::Return(self.maybe(|b| Box::new(b.expr()))),
            12 | 13 => StmtKind::Define(Box::new(self.define())),
            _ => {
                let kind = [RoutineKind::Function, RoutineKind::Procedure, RoutineKind::Operator][self.pick(3)];
                StmtKind::Routine(Box::new(self.routine(kind)))
            }
        };
        Stmt { kind, span: SPAN }
    }

    fn define(&mut self) -> Define {
        let name = self.name();
        let generics = self.many(2, Self::name);
        let private = self.flip();
        self.depth += 1;
        let kind = match self.pick(6) {
            0 => DefineKind::Struct { fields: self.many(3, Self::field), members: self.members() },
            1 => {
                let mut variants = self.many(3, Self::variant);
                if variants.is_empty() {
                    variants.push(Variant { name: self.name(), payload: Payload::None, span: SPAN });
                }
                DefineKind::Union { variants, members: self.members() }
            }
            2 => DefineKind::Namespace { members: self.members() },
            3 => DefineKind::Intrinsic { members: self.members() },
            4 => DefineKind::Constant { ty: self.maybe(Self::ty), value: self.expr() },
            _ => DefineKind::Alias { target: self.ty() },
        };
        self.depth -= 1;
        Define { name, generics, private, kind }
    }

    fn members(&mut self) -> Vec<Stmt> {
        if self.depth > 8 {
            return Vec::new();
        }
        self.many(2, |b| {
            let kind = match b.pick(6) {
                0 => StmtKind::Define(Box::new(b.define())),
                1 => StmtKind::Routine(Box::new(b.routine(RoutineKind::Init))),
                2 => StmtKind::Routine(Box::new(b.routine(RoutineKind::Deinit))),
                3 => StmtKind::Routine(Box::new(b.routine(RoutineKind::Operator))),
                _ => StmtKind::Routine(Box::new(b.routine(RoutineKind::Function))),
            };
            Stmt { kind, span: SPAN }
        })
    }

    fn field(&mut self) -> Field {
        let (name, private, ty) = (self.name(), self.flip(), self.ty());
        Field { name, private, ty, default: self.maybe(Self::expr), span: SPAN }
    }

    fn variant(&mut self) -> Variant {
        let payload = match self.pick(3) {
            0 => Payload::None,
            1 => Payload::Type(self.ty()),
            _ => Payload::Fields(vec![self.field(), self.field()]),
        };
        Variant { name: self.name(), payload, span: SPAN }
    }

    fn routine(&mut self, kind: RoutineKind) -> Routine {
        let name = match kind {
            RoutineKind::Init => Name { symbol: self.interner.intern("init"), span: SPAN },
            RoutineKind::Deinit => Name { symbol: self.interner.intern("deinit"), span: SPAN },
            RoutineKind::Operator => {
                let signs = ["+", "-", "=", "<>", "[]", "[]=", "()", "div", "and", "~", "<<"];
                Name { symbol: self.symbol(&signs), span: SPAN }
            }
            _ => self.name(),
        };
        let private = self.flip();
        let generics = self.many(2, Self::name);
        let params = self.many(3, Self::param);
        let returns = self.maybe(Self::ty);
        let body = if self.pick(5) == 4 { RoutineBody::Intrinsic } else { RoutineBody::Code(self.block()) };
        Routine { kind, name, private, generics, params, returns, throws: None, body, head_span: SPAN }
    }

    fn param(&mut self) -> Param {
        let name = self.name();
        let ty = self.maybe(Self::ty);
        let default = if ty.is_some() { self.maybe(Self::expr) } else { None };
        Param { name, ty, default, span: SPAN }
    }

    fn path(&mut self) -> Vec<Name> {
        let mut path = vec![self.name()];
        path.extend(self.many(1, Self::name));
        path
    }

    fn ty(&mut self) -> Type {
        self.depth += 1;
        let choice = if self.depth > 8 { 0 } else { self.pick(6) };
        let kind = match choice {
            0..=2 => TypeKind::Named { path: self.path(), args: Vec::new() },
            3 => TypeKind::Named { path: self.path(), args: self.many(2, Self::ty) },
            4 => TypeKind::Optional(Box::new(self.ty())),
            _ => TypeKind::Function { params: self.many(2, Self::ty), returns: self.maybe(|b| Box::new(b.ty())) },
        };
        self.depth -= 1;
        Type { kind, span: SPAN }
    }

    fn place(&mut self) -> Expr {
        let kind = match self.pick(4) {
            0 => ExprKind::Name(self.symbol(NAMES)),
            1 => ExprKind::Member(Box::new(self.expr()), self.name()),
            2 => self.index(),
            _ => ExprKind::Prefix(PrefixOp::Deref, Box::new(self.expr())),
        };
        Expr { kind, span: SPAN }
    }

    fn index(&mut self) -> ExprKind {
        let head = self.expr();
        let mut args = vec![self.index_arg()];
        args.extend(self.many(1, Self::index_arg));
        ExprKind::Index(Box::new(Index { head, args }))
    }

    fn index_arg(&mut self) -> Expr {
        match self.pick(4) {
            0..=1 => self.expr(),
            2 => {
                let inner = self.expr();
                Expr { kind: ExprKind::Optional(Box::new(inner)), span: SPAN }
            }
            _ => {
                let params = self.many(2, Self::ty);
                let returns = self.maybe(|b| Box::new(b.ty()));
                let ty = Type { kind: TypeKind::Function { params, returns }, span: SPAN };
                Expr { kind: ExprKind::Type(Box::new(ty)), span: SPAN }
            }
        }
    }

    fn expr(&mut self) -> Expr {
        self.depth += 1;
        let choice = if self.depth > 8 { self.pick(7) } else { self.pick(24) };
        let kind = match choice {
            0 => ExprKind::Name(self.symbol(NAMES)),
            1 => ExprKind::Int([0, 42, u64::MAX][self.pick(3)]),
            2 => ExprKind::Float(self.symbol(&["1.5", "2.0e-7", "1e9"])),
            3 => ExprKind::Bool(self.flip()),
            4 => ExprKind::Null,
            5 => ExprKind::Str(self.symbol(&["", "a \"b\" \\ \n", "é{}\u{7}", "`"])),
            6 => ExprKind::Char(['a', '`', '\\', '\n', '😀'][self.pick(5)]),
            7 => ExprKind::Member(Box::new(self.expr()), self.name()),
            8 => self.index(),
            9 | 10 => {
                let callee = self.expr();
                let args = self.many(3, |b| Arg { name: b.maybe(Self::name), value: b.expr() });
                ExprKind::Call(Box::new(Call { callee, args }))
            }
            11 => ExprKind::Array(self.many(3, Self::expr)),
            12 => {
                let ops = [
                    PrefixOp::Minus,
                    PrefixOp::Not,
                    PrefixOp::Plus,
                    PrefixOp::Complement,
                    PrefixOp::Deref,
                    PrefixOp::AddressOf,
                ];
                ExprKind::Prefix(ops[self.pick(6)], Box::new(self.expr()))
            }
            13..=15 => {
                let op = BINARY[self.pick(BINARY.len())];
                let (left, right) = (self.expr(), self.expr());
                ExprKind::Binary(Box::new(Binary { op, op_span: SPAN, left, right }))
            }
            16 => ExprKind::As(Box::new(As { value: self.expr(), ty: self.ty() })),
            17 => {
                let value = self.expr();
                let variant = if self.flip() { self.path() } else { Vec::new() };
                ExprKind::Is(Box::new(Is { value, variant }))
            }
            18 => {
                let (low, high, closed) = (self.expr(), self.expr(), self.flip());
                ExprKind::Range(Box::new(Range { low, high, closed }))
            }
            19 => ExprKind::If(Box::new(If {
                condition: self.expr(),
                then: self.block(),
                otherwise: self.maybe(Self::block),
            })),
            20 => {
                let subject = self.expr();
                let mut arms = vec![self.match_arm()];
                arms.extend(self.many(2, Self::match_arm));
                ExprKind::Match(Box::new(Match { subject, arms, otherwise: self.maybe(Self::block) }))
            }
            21 => {
                let subject = self.expr();
                let mut arms = vec![self.when_arm()];
                arms.extend(self.many(2, Self::when_arm));
                ExprKind::Choose(Box::new(Choose { subject, arms, otherwise: self.maybe(Self::block) }))
            }
            22 => {
                let params =
                    self.many(3, |b| Param { name: b.name(), ty: b.maybe(Self::ty), default: None, span: SPAN });
                ExprKind::Lambda(Box::new(Lambda { params, body: self.block() }))
            }
            _ => match self.pick(3) {
                0 => ExprKind::Block(Box::new(self.block())),
                1 => ExprKind::SizeOf(Box::new(self.ty())),
                _ => ExprKind::AlignOf(Box::new(self.ty())),
            },
        };
        self.depth -= 1;
        Expr { kind, span: SPAN }
    }

    fn match_arm(&mut self) -> MatchArm {
        let mut values = vec![self.expr()];
        values.extend(self.many(1, Self::expr));
        MatchArm { values, body: self.block(), span: SPAN }
    }

    fn when_arm(&mut self) -> WhenArm {
        let variant = Name { symbol: self.symbol(VARIANTS), span: SPAN };
        let mut path = self.many(1, Self::name);
        path.push(variant);
        let binding = match self.pick(3) {
            0 => WhenBinding::None,
            // A name that is nowhere a variant's, else `V` in `when x: V` would be the body.
            1 => WhenBinding::Whole(Name { symbol: self.symbol(&["p", "q"]), span: SPAN }),
            _ => WhenBinding::Fields(vec![self.name(), self.name()]),
        };
        WhenArm { variant: path, binding, body: self.block(), span: SPAN }
    }
}
