//! The algebra: laws by which an operation is replaced by a simpler one.
//!
//! A rule is its law, nothing else: the left side is what is matched, the right side what is computed instead. The same
//! text is what the tests prove, the laws of integers for all values of 8 bits, so no rule has code that could differ
//! from its law. Letters from `x` on stand for any value, from `c` on for any constant, `p` and `q` for any condition.
//! `W` is the width of a word and `V` that less one; operations on constants are folded, so the right side may compute
//! constants. Behind `if` stand conditions on the constants; `(nonneg x)` asks what is known of the value's range.
//! Operands of operations that commute match either way; constants have been moved to their right side before.
//!
//! NaN bits are invisible to programs (`f64.bits` gives the canonical ones), so a law of floats may change them:
//! `x * 1.0` is `x` though it would make a signaling NaN quiet. It may change nothing else: `x + 0.0` is not `x`, for
//! `-0.0`.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use scaly_interp::machine::{FloatCompare, FloatOp, IntCompare, IntKind, IntOp};

use crate::region::{Op, Type};
use crate::trace::Const;

/// Alphabetical by the operation; of an operation the first that matches is taken, so special ones stand before others.
const LAWS: &[&str] = &[
    "(abs_s (abs_s x)) => (abs_s x)",
    "(abs_s (neg x)) => (abs_s x)",
    "(add x 0) => x",
    "(add x (neg y)) => (sub x y)",
    "(add x (sub y x)) => y",
    "(add (add x c) d) => (add x (add c d))",
    "(add (sub c x) d) => (sub (add c d) x)",
    "(and x 0) => 0",
    "(and x -1) => x",
    "(and x x) => x",
    "(and x (and x y)) => (and x y)",
    "(and x (invert x)) => 0",
    "(and (and x c) d) => (and x (and c d))",
    "(div_s x 1) => x",
    "(div_s x -1) => (neg x)",
    "(div_s x c) => (shr_u x (ctz c)) if (nonneg x) (eq (popcount c) 1) (lt_s 0 c)",
    "(div_s x c) => (shr_s (add x (shr_u (shr_s x V) (sub W (ctz c)))) (ctz c)) if (eq (popcount c) 1) (lt_s 1 c)",
    "(div_u x c) => (shr_u x (ctz c)) if (eq (popcount c) 1)",
    "(eq x x) => true",
    "(eq (add x c) d) => (eq x (sub d c))",
    "(eq (invert x) c) => (eq x (invert c))",
    "(eq (neg x) c) => (eq x (neg c))",
    "(eq (sub c x) d) => (eq x (sub c d))",
    // What is left of the signed remainder by a power of two, compared with 0: the sign does not matter.
    "(eq (sub x (and (add x (shr_u (shr_s x V) d)) c)) 0) => (eq (and x (invert c)) 0) \
        if (eq (popcount (neg c)) 1) (eq (add (ctz c) d) W) (lt_u d W)",
    "(eq (sub x y) 0) => (eq x y)",
    "(eq (word p) 0) => (not p)",
    "(eq (word p) 1) => p",
    "(eq (xor x c) d) => (eq x (xor c d))",
    "(eq (xor x y) 0) => (eq x y)",
    "(f32.abs (f32.abs x)) => (f32.abs x)",
    "(f32.abs (f32.neg x)) => (f32.abs x)",
    "(f32.add x -0.0) => x",
    "(f32.add x (f32.neg y)) => (f32.sub x y)",
    "(f32.div x 1.0) => x",
    "(f32.from_f64 (f64.from_f32 x)) => x",
    "(f32.max x x) => x",
    "(f32.min x x) => x",
    "(f32.mul x 1.0) => x",
    "(f32.mul x -1.0) => (f32.neg x)",
    "(f32.neg (f32.neg x)) => x",
    "(f32.sub x 0.0) => x",
    "(f32.sub x (f32.neg y)) => (f32.add x y)",
    "(f64.abs (f64.abs x)) => (f64.abs x)",
    "(f64.abs (f64.neg x)) => (f64.abs x)",
    "(f64.add x -0.0) => x",
    "(f64.add x (f64.neg y)) => (f64.sub x y)",
    "(f64.ceil (f64.from_s x)) => (f64.from_s x)",
    // By a power of two whose reciprocal is exact: the mantissa is 0, neither exponent is of a subnormal.
    "(f64.div x c) => (f64.mul x (f64.div 1.0 c)) \
        if (eq (shl (f64.bits c) 12) 0) (lt_u (sub (and (shr_u (f64.bits c) 52) 2047) 1) 2045)",
    "(f64.floor (f64.from_s x)) => (f64.from_s x)",
    "(f64.max x x) => x",
    "(f64.min x x) => x",
    "(f64.mul x 1.0) => x",
    "(f64.mul x -1.0) => (f64.neg x)",
    "(f64.neg (f64.neg x)) => x",
    "(f64.round (f64.from_s x)) => (f64.from_s x)",
    "(f64.sub x 0.0) => x",
    "(f64.sub x (f64.neg y)) => (f64.add x y)",
    "(f64.trunc (f64.from_s x)) => (f64.from_s x)",
    "(invert (invert x)) => x",
    "(le_s x x) => true",
    "(le_u x x) => true",
    "(le_u x 0) => (eq x 0)",
    "(le_u 0 x) => true",
    "(lt_s x x) => false",
    "(lt_u x x) => false",
    "(lt_u x 0) => false",
    "(lt_u x 1) => (eq x 0)",
    "(lt_u 0 x) => (ne x 0)",
    "(max_s x x) => x",
    "(max_s (max_s x c) d) => (max_s x (max_s c d))",
    "(max_u x x) => x",
    "(min_s x x) => x",
    "(min_s (min_s x c) d) => (min_s x (min_s c d))",
    "(min_u x x) => x",
    "(mul x 0) => 0",
    "(mul x 1) => x",
    "(mul x -1) => (neg x)",
    "(mul x c) => (shl x (ctz c)) if (eq (popcount c) 1)",
    "(mul (mul x c) d) => (mul x (mul c d))",
    "(mul (neg x) c) => (mul x (neg c))",
    "(mul (shl x c) d) => (mul x (shl d c))",
    "(mul_high_u x 0) => 0",
    "(mul_high_u x 1) => 0",
    "(ne x x) => false",
    "(ne (add x c) d) => (ne x (sub d c))",
    "(ne (invert x) c) => (ne x (invert c))",
    "(ne (neg x) c) => (ne x (neg c))",
    "(ne (sub c x) d) => (ne x (sub c d))",
    "(ne (sub x (and (add x (shr_u (shr_s x V) d)) c)) 0) => (ne (and x (invert c)) 0) \
        if (eq (popcount (neg c)) 1) (eq (add (ctz c) d) W) (lt_u d W)",
    "(ne (sub x y) 0) => (ne x y)",
    "(ne (word p) 0) => p",
    "(ne (word p) 1) => (not p)",
    "(ne (xor x c) d) => (ne x (xor c d))",
    "(ne (xor x y) 0) => (ne x y)",
    "(neg (neg x)) => x",
    "(neg (sub x y)) => (sub y x)",
    "(not (eq x y)) => (ne x y)",
    "(not (f32.eq x y)) => (f32.ne x y)",
    "(not (f32.ne x y)) => (f32.eq x y)",
    "(not (f64.eq x y)) => (f64.ne x y)",
    "(not (f64.ne x y)) => (f64.eq x y)",
    "(not (le_s x y)) => (lt_s y x)",
    "(not (le_u x y)) => (lt_u y x)",
    "(not (lt_s x y)) => (le_s y x)",
    "(not (lt_u x y)) => (le_u y x)",
    "(not (ne x y)) => (eq x y)",
    "(not (not p)) => p",
    "(or x 0) => x",
    "(or x -1) => -1",
    "(or x x) => x",
    "(or x (or x y)) => (or x y)",
    "(or (or x c) d) => (or x (or c d))",
    "(rem_s x 1) => 0",
    "(rem_s x -1) => 0",
    "(rem_s x c) => (and x (sub c 1)) if (nonneg x) (eq (popcount c) 1) (lt_s 0 c)",
    "(rem_s x c) => (sub x (and (add x (shr_u (shr_s x V) (sub W (ctz c)))) (neg c))) \
        if (eq (popcount c) 1) (lt_s 1 c)",
    "(rem_u x c) => (and x (sub c 1)) if (eq (popcount c) 1)",
    "(shl x 0) => x",
    "(shl x c) => (shl x (and c V)) if (lt_u V c)",
    "(shl (shl x c) d) => (shl x (add c d)) if (lt_u c W) (lt_u d W) (lt_u (add c d) W)",
    "(shl (shl x c) d) => 0 if (lt_u c W) (lt_u d W) (lt_u V (add c d))",
    "(shl (shr_s x c) c) => (and x (shl -1 c))",
    "(shl (shr_u x c) c) => (and x (shl -1 c))",
    "(shr_s x 0) => x",
    "(shr_s x c) => (shr_s x (and c V)) if (lt_u V c)",
    "(shr_s (shr_s x c) d) => (shr_s x (min_u (add c d) V)) if (lt_u c W) (lt_u d W)",
    "(shr_u x 0) => x",
    "(shr_u x c) => (shr_u x (and c V)) if (lt_u V c)",
    "(shr_u (shl x c) c) => (and x (shr_u -1 c))",
    "(shr_u (shr_u x c) d) => (shr_u x (add c d)) if (lt_u c W) (lt_u d W) (lt_u (add c d) W)",
    "(shr_u (shr_u x c) d) => 0 if (lt_u c W) (lt_u d W) (lt_u V (add c d))",
    "(sub x c) => (add x (neg c))",
    "(sub x x) => 0",
    "(sub x (add x y)) => (neg y)",
    "(sub x (neg y)) => (add x y)",
    "(sub x (sub x y)) => y",
    "(sub 0 x) => (neg x)",
    "(sub c (add x d)) => (sub (sub c d) x)",
    "(sub c (sub d x)) => (add x (sub c d))",
    "(sub (add x y) x) => y",
    "(sub (add x c) (add x d)) => (sub c d)",
    "(sub (sub x y) x) => (neg y)",
    "(wrap.i64 x) => x",
    "(wrap.u64 x) => x",
    "(xor x 0) => x",
    "(xor x -1) => (invert x)",
    "(xor x x) => 0",
    "(xor x (xor x y)) => y",
    "(xor (word p) 1) => (word (not p))",
    "(xor (xor x c) d) => (xor x (xor c d))",
];

/// Bits of a kind in memory.
pub fn kind_bits(kind: IntKind) -> u32 {
    match kind {
        IntKind::I8 | IntKind::U8 => 8,
        IntKind::I16 | IntKind::U16 => 16,
        IntKind::I32 | IntKind::U32 => 32,
        IntKind::I64 | IntKind::U64 => 64,
    }
}

/// Laws that are the same for all kinds: what a narrower or equal wrap drops needs no wrap inside.
fn wrap_laws() -> Vec<String> {
    let mut laws = Vec::new();
    for outer in IntKind::ALL {
        for inner in IntKind::ALL.into_iter().filter(|&inner| kind_bits(inner) >= kind_bits(outer)) {
            let (outer, inner) = (outer.name(), inner.name());
            laws.push(format!("(wrap.{outer} (wrap.{inner} x)) => (wrap.{outer} x)"));
            for op in ["add", "and", "mul", "or", "sub", "xor"] {
                if op == "and" && outer == inner && outer.starts_with('u') {
                    // It is in range already.
                    continue;
                }
                laws.push(format!("(wrap.{outer} ({op} (wrap.{inner} x) y)) => (wrap.{outer} ({op} x y))"));
            }
            laws.push(format!("(wrap.{outer} (sub x (wrap.{inner} y))) => (wrap.{outer} (sub x y))"));
            laws.push(format!("(wrap.{outer} (neg (wrap.{inner} x))) => (wrap.{outer} (neg x))"));
        }
    }
    for kind in ["u8", "u16", "u32"] {
        laws.push(format!("(and (wrap.{kind} x) c) => (and x (and c (wrap.{kind} -1)))"));
    }
    laws
}

/// One side of a law, or a part of one.
#[derive(Clone, PartialEq, Debug)]
pub enum Term {
    /// Any value, by the number of its letter.
    Any(usize),
    /// Any constant.
    AnyConst(usize),
    Const(Const),
    /// The width of a word, less this.
    Width(i64),
    /// Whether a value is known not to be negative.
    NonNegative(usize),
    Op(Op, Vec<Term>),
}

#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    pub left: Term,
    pub right: Term,
    pub conditions: Vec<Term>,
}

/// Letters that may stand in a law.
pub const LETTERS: &str = "cdpqxyz";

/// Whether operands may be exchanged. NaN bits are not told apart.
pub fn commutes(op: Op) -> bool {
    match op {
        Op::Int(op) => matches!(
            op,
            IntOp::Add
                | IntOp::Mul
                | IntOp::And
                | IntOp::Or
                | IntOp::Xor
                | IntOp::MinS
                | IntOp::MaxS
                | IntOp::MinU
                | IntOp::MaxU
                | IntOp::MulHighU
        ),
        Op::Compare(op) => matches!(op, IntCompare::Eq | IntCompare::Ne),
        Op::Float(op) | Op::Single(op) => matches!(op, FloatOp::Add | FloatOp::Mul),
        Op::FloatCompare(op) | Op::SingleCompare(op) => matches!(op, FloatCompare::Eq | FloatCompare::Ne),
        _ => false,
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn token(&mut self) -> &'a str {
        let text = self.rest.trim_start();
        let end = match text.chars().next() {
            Some('(' | ')') => 1,
            _ => text.find([' ', '(', ')']).unwrap_or(text.len()),
        };
        let (token, rest) = text.split_at(end);
        self.rest = rest;
        token
    }

    fn term(&mut self, ty: Option<Type>) -> Term {
        let token = self.token();
        if token != "(" {
            return leaf(token, ty);
        }
        let name = self.token();
        if name == "nonneg" {
            let Term::Any(letter) = self.term(None) else { panic!("nonneg of something else than a letter") };
            assert_eq!(self.token(), ")");
            return Term::NonNegative(letter);
        }
        let op = Op::by_name(name).unwrap_or_else(|| panic!("`{name}` in a law"));
        let (operands, _) = op.shape().unwrap_or_else(|| panic!("`{name}` in a law"));
        let terms = operands.iter().map(|&ty| self.term(Some(ty))).collect();
        assert_eq!(self.token(), ")", "operands of `{name}`");
        Term::Op(op, terms)
    }
}

fn leaf(token: &str, ty: Option<Type>) -> Term {
    if let Some(letter) = LETTERS.find(token).filter(|_| token.len() == 1) {
        return if letter < 2 { Term::AnyConst(letter) } else { Term::Any(letter) };
    }
    match (token, ty) {
        ("W", _) => Term::Width(0),
        ("V", _) => Term::Width(1),
        ("true", _) => Term::Const(Const::Cond(true)),
        ("false", _) => Term::Const(Const::Cond(false)),
        (_, Some(Type::Float)) => Term::Const(Const::Float(token.parse::<f64>().expect("a float").to_bits())),
        (_, Some(Type::Single)) => Term::Const(Const::Single(token.parse::<f32>().expect("a float").to_bits())),
        _ => Term::Const(Const::Word(token.parse().expect("a number"))),
    }
}

/// Reads a law. It panics on one that is none: the table is ours.
pub fn parse(law: &str) -> Rule {
    let mut parser = Parser { rest: law };
    let left = parser.term(None);
    assert_eq!(parser.token(), "=>", "{law}");
    let Term::Op(op, _) = &left else { panic!("{law}") };
    let right = parser.term(op.shape().and_then(|(_, result)| result));
    let mut conditions = Vec::new();
    match parser.token() {
        "" => {}
        token => {
            assert_eq!(token, "if", "{law}");
            while !parser.rest.trim().is_empty() {
                conditions.push(parser.term(None));
            }
        }
    }
    Rule { left, right, conditions }
}

/// All laws as text.
pub fn laws() -> Vec<String> {
    LAWS.iter().map(|&law| law.to_string()).chain(wrap_laws()).collect()
}

/// How many of them are written out.
#[cfg(test)]
pub fn own_laws() -> usize {
    LAWS.len()
}

/// The rules for an operation, in the order of the table.
pub fn rules(op: Op) -> &'static [Rule] {
    static RULES: LazyLock<FxHashMap<Op, Vec<Rule>>> = LazyLock::new(|| {
        let mut rules: FxHashMap<Op, Vec<Rule>> = FxHashMap::default();
        for law in laws() {
            let rule = parse(&law);
            if let Term::Op(op, _) = rule.left {
                rules.entry(op).or_default().push(rule);
            }
        }
        rules
    });
    RULES.get(&op).map_or(&[], Vec::as_slice)
}
