//! Proves the rules: those of integers and conditions for all values of 8 bits, those of floats for values that matter.
//!
//! Words of 8 bits behave as those of 64 if the kinds of integers shrink with them: i32 has 4 bits, i8 one.

use scaly_interp::machine::{FloatCompare, FloatOp, IntCompare, IntKind, IntOp, IntUnary};

use super::constant;
use super::rules::{LETTERS, RULED, Rule, Term, commutes, kind_bits, op, rule, rules, term};
use crate::region::{Op, Type};
use crate::trace::Const;

/// The laws of wraps, which are code: what a narrower or equal wrap drops needs no wrap inside, and a mask is a wrap.
fn wraps() -> Vec<Rule> {
    let mut all = Vec::new();
    let (x, y, c) = (term!(x), term!(y), term!(c));
    let apply = |op, terms: &[Term]| Term::Op(op, terms.to_vec().leak());
    let mut add = |left: Term, right: Term| {
        let law = format!("{left:?} => {right:?}").leak();
        all.push(Rule { left, right, conditions: &[], law });
    };
    for outer in IntKind::ALL {
        let wrap = |kind, x| apply(Op::IntUnary(IntUnary::Wrap(kind)), &[x]);
        for inner in IntKind::ALL.into_iter().filter(|&inner| kind_bits(inner) >= kind_bits(outer)) {
            add(wrap(outer, wrap(inner, x)), wrap(outer, x));
            for op in [op!(add), op!(and), op!(mul), op!(or), op!(sub), op!(xor)] {
                // It is in range already.
                if op == op!(and) && outer == inner && outer.name().starts_with('u') {
                    continue;
                }
                add(wrap(outer, apply(op, &[wrap(inner, x), y])), wrap(outer, apply(op, &[x, y])));
                add(wrap(outer, apply(op, &[y, wrap(inner, x)])), wrap(outer, apply(op, &[y, x])));
            }
            for op in [op!(neg), op!(invert)] {
                add(wrap(outer, apply(op, &[wrap(inner, x)])), wrap(outer, apply(op, &[x])));
            }
        }
        if outer.name().starts_with('u') {
            let mask = apply(op!(and), &[c, wrap(outer, term!((-1)))]);
            add(apply(op!(and), &[wrap(outer, x), c]), apply(op!(and), &[x, mask]));
        }
    }
    all
}

/// All rules there are.
pub fn all_rules() -> Vec<Rule> {
    RULED.iter().flat_map(|&(op, _)| rules(op)).copied().chain(wraps()).collect()
}

/// The values of one letter, for all of which a term is evaluated at once.
const LANES: usize = 256;
type Lanes = [u8; LANES];

/// Extends the low bits by their own sign, or by zeros.
fn wrapped(a: u8, bits: u32, signed: bool) -> u8 {
    let up = 8 - bits;
    if signed { ((a << up) as i8 >> up) as u8 } else { a << up >> up }
}

fn int(op: IntOp, a: u8, b: u8) -> u8 {
    let (sa, sb) = (a as i8, b as i8);
    match op {
        IntOp::Add => a.wrapping_add(b),
        IntOp::Sub => a.wrapping_sub(b),
        IntOp::Mul => a.wrapping_mul(b),
        IntOp::DivS if b == 0 => 0,
        IntOp::DivS => sa.wrapping_div(sb) as u8,
        IntOp::DivU => a.checked_div(b).unwrap_or(0),
        IntOp::RemS if b == 0 => 0,
        IntOp::RemS => sa.wrapping_rem(sb) as u8,
        IntOp::RemU => a.checked_rem(b).unwrap_or(0),
        IntOp::And => a & b,
        IntOp::Or => a | b,
        IntOp::Xor => a ^ b,
        IntOp::Shl => a.wrapping_shl(b.into()),
        IntOp::ShrS => sa.wrapping_shr(b.into()) as u8,
        IntOp::ShrU => a.wrapping_shr(b.into()),
        IntOp::MinS => sa.min(sb) as u8,
        IntOp::MaxS => sa.max(sb) as u8,
        IntOp::MinU => a.min(b),
        IntOp::MaxU => a.max(b),
        IntOp::MulHighU => ((u16::from(a) * u16::from(b)) >> 8) as u8,
    }
}

fn unary(op: IntUnary, a: u8) -> u8 {
    match op {
        IntUnary::Neg => a.wrapping_neg(),
        IntUnary::Not => !a,
        IntUnary::AbsS => (a as i8).wrapping_abs() as u8,
        IntUnary::PopCount => a.count_ones() as u8,
        IntUnary::LeadingZeros => a.leading_zeros() as u8,
        IntUnary::TrailingZeros => a.trailing_zeros() as u8,
        IntUnary::Wrap(kind) => wrapped(a, kind_bits(kind) / 8, kind.name().starts_with('i')),
    }
}

fn compare(op: IntCompare, a: u8, b: u8) -> bool {
    let (sa, sb) = (a as i8, b as i8);
    match op {
        IntCompare::Eq => a == b,
        IntCompare::Ne => a != b,
        IntCompare::LtS => sa < sb,
        IntCompare::LeS => sa <= sb,
        IntCompare::LtU => a < b,
        IntCompare::LeU => a <= b,
    }
}

fn zip(a: &Lanes, b: &Lanes, f: impl Fn(u8, u8) -> u8) -> Lanes {
    let mut lanes = [0; LANES];
    lanes.iter_mut().zip(a.iter().zip(b)).for_each(|(lane, (&a, &b))| *lane = f(a, b));
    lanes
}

/// A term for each lane; conditions are 0 and 1.
fn evaluate(term: &Term, letters: &[Lanes]) -> Lanes {
    let (op, terms) = match term {
        Term::Any(letter) | Term::AnyConst(letter) => return letters[*letter],
        Term::Const(Const::Word(value)) => return [*value as u8; LANES],
        Term::Const(Const::Cond(value)) => return [u8::from(*value); LANES],
        Term::Const(_) => panic!("a float among integers"),
        Term::Width(less) => return [8 - *less as u8; LANES],
        Term::NonNegative(letter) => return letters[*letter].map(|a| u8::from(a < 128)),
        Term::Op(op, terms) => (*op, terms),
    };
    let a = evaluate(&terms[0], letters);
    let b = terms.get(1).map(|term| evaluate(term, letters));
    match (op, b) {
        (Op::Int(op), Some(b)) => zip(&a, &b, |a, b| int(op, a, b)),
        (Op::Compare(op), Some(b)) => zip(&a, &b, |a, b| u8::from(compare(op, a, b))),
        (Op::IntUnary(op), None) => a.map(|a| unary(op, a)),
        (Op::CondWord, None) => a,
        (Op::Not, None) => a.map(|a| a ^ 1),
        _ => panic!("{op:?} among integers"),
    }
}

/// The letters of a term.
fn letters(term: &Term, into: &mut Vec<usize>) {
    match term {
        Term::Any(letter) | Term::AnyConst(letter) if !into.contains(letter) => into.push(*letter),
        Term::Op(_, terms) => terms.iter().for_each(|term| letters(term, into)),
        _ => {}
    }
}

fn any_float(term: &Term) -> bool {
    match term {
        Term::Const(Const::Float(_) | Const::Single(_)) => true,
        Term::Op(op, terms) => {
            let (operands, result) = op.shape().unwrap();
            let float = |ty: &Type| matches!(ty, Type::Float | Type::Single);
            operands.iter().any(float) || result.as_ref().is_some_and(float) || terms.iter().any(any_float)
        }
        _ => false,
    }
}

/// Whether a rule of integers holds for all values of its letters; else those for which it does not.
fn refuted(rule: &Rule) -> Option<String> {
    let mut used = Vec::new();
    letters(&rule.left, &mut used);
    // The first letter takes all its values at once, the others one after the other.
    let condition = |letter: usize| Term::Any(letter) == term!(p);
    let count = |letter: usize| if condition(letter) { 2usize } else { 256 };
    let rounds: usize = used[1..].iter().map(|&letter| count(letter)).product();
    let mut values = [[0u8; LANES]; LETTERS];
    values[used[0]] = std::array::from_fn(|i| (i % count(used[0])) as u8);
    for round in 0..rounds {
        let mut rest = round;
        for &letter in &used[1..] {
            values[letter] = [(rest % count(letter)) as u8; LANES];
            rest /= count(letter);
        }
        let applies: Vec<Lanes> = rule.conditions.iter().map(|c| evaluate(c, &values)).collect();
        if (0..LANES).all(|i| applies.iter().any(|c| c[i] == 0)) {
            continue;
        }
        let (left, right) = (evaluate(&rule.left, &values), evaluate(&rule.right, &values));
        let wrong = (0..LANES).find(|&i| left[i] != right[i] && applies.iter().all(|c| c[i] == 1));
        if let Some(i) = wrong {
            let values = used
                .iter()
                .map(|&letter| format!("{} = {}", ["c", "d", "p", "x", "y", "z"][letter], values[letter][i]));
            return Some(values.collect::<Vec<_>>().join(", "));
        }
    }
    None
}

#[test]
fn laws_of_integers_hold_for_all_values() {
    for rule in all_rules() {
        if !any_float(&rule.left) {
            assert_eq!(refuted(&rule), None, "{}", rule.law);
        }
    }
}

#[test]
fn a_wrong_law_is_refuted() {
    assert_eq!(refuted(&rule!((add x 1) => x)).as_deref(), Some("x = 0"));
    assert!(refuted(&rule!((div_s x c) => (shr_s x (ctz c)) if [(eq (popcount c) 1) (lt_s 0 c)])).is_some());
    assert!(refuted(&rule!((rem_s x c) => (and x (sub c 1)) if [(eq (popcount c) 1) (lt_s 0 c)])).is_some());
    assert!(refuted(&rule!((shr_u (shl x c) c) => x)).is_some());
    assert!(refuted(&rule!((eq (word p) 1) => (not p))).is_some());
    assert!(refuted_float(&rule!((f64_sub x x) => f64_zero)).is_some());
    assert!(refuted_float(&rule!((f64_div x c) => (f64_mul x (f64_div f64_one c)))).is_some());
    assert!(refuted_float(&rule!((f64_min x y) => (f64_min y x))).is_some());
}

/// Bits of floats at the edges of what there is, and some between.
fn floats() -> Vec<f64> {
    let edges = [
        0.0,
        1.0,
        2.0,
        3.0,
        0.5,
        1.5,
        0.1,
        f64::MIN_POSITIVE,
        f64::MIN_POSITIVE / 4.0,
        f64::from_bits(1),
        f64::MAX,
        f64::INFINITY,
        f64::EPSILON,
        9_007_199_254_740_993.0,
        1e300,
        1e-300,
        f64::from_bits(2045 << 52),
        f64::from_bits(1 << 52),
        f64::from(f32::MAX),
        f64::from(f32::MIN_POSITIVE),
    ];
    edges.into_iter().flat_map(|x| [x, -x]).chain([f64::NAN]).collect()
}

fn same_but_nan_bits(a: Const, b: Const) -> bool {
    match (a, b) {
        (Const::Float(a), Const::Float(b)) => a == b || f64::from_bits(a).is_nan() && f64::from_bits(b).is_nan(),
        (Const::Single(a), Const::Single(b)) => a == b || f32::from_bits(a).is_nan() && f32::from_bits(b).is_nan(),
        _ => a == b,
    }
}

fn real(term: &Term, letters: &[Option<Const>]) -> Const {
    match term {
        Term::Any(letter) | Term::AnyConst(letter) => letters[*letter].unwrap(),
        Term::Const(value) => *value,
        Term::Width(less) => Const::Word(64 - less),
        Term::NonNegative(_) => panic!("a range among floats"),
        Term::Op(op, terms) => {
            let b = terms.get(1).map(|term| real(term, letters));
            constant::value(*op, real(&terms[0], letters), b).unwrap_or_else(|| panic!("{op:?}"))
        }
    }
}

/// The type of each letter, from the operand that it is.
fn types(term: &Term, ty: Option<Type>, into: &mut [Option<Type>]) {
    match term {
        Term::Any(letter) | Term::AnyConst(letter) => into[*letter] = ty,
        Term::Op(op, terms) => {
            let (operands, _) = op.shape().unwrap();
            terms.iter().zip(operands).for_each(|(term, &ty)| types(term, Some(ty), into));
        }
        _ => {}
    }
}

/// What each letter of a rule is of.
pub fn letter_types(rule: &Rule) -> [Option<Type>; LETTERS] {
    let mut kinds = [None; LETTERS];
    types(&rule.left, None, &mut kinds);
    kinds
}

fn samples(ty: Type) -> Vec<Const> {
    match ty {
        Type::Float => floats().into_iter().map(|x| Const::Float(x.to_bits())).collect(),
        Type::Single => floats().into_iter().map(|x| Const::Single((x as f32).to_bits())).collect(),
        Type::Cond => vec![Const::Cond(false), Const::Cond(true)],
        Type::Word => [0, 1, -1, i64::MIN, i64::MAX, 1 << 53, (1 << 53) + 1, -12345].map(Const::Word).to_vec(),
    }
}

fn refuted_float(rule: &Rule) -> Option<Vec<Option<Const>>> {
    let kinds = letter_types(rule);
    let mut used = Vec::new();
    letters(&rule.left, &mut used);
    let mut tuples = vec![vec![None; LETTERS]];
    for &letter in &used {
        let samples = samples(kinds[letter].unwrap());
        tuples = tuples.iter().flat_map(|t| samples.iter().map(move |&s| with(t, letter, s))).collect();
    }
    tuples.into_iter().find(|values| {
        rule.conditions.iter().all(|c| real(c, values) == Const::Cond(true))
            && !same_but_nan_bits(real(&rule.left, values), real(&rule.right, values))
    })
}

fn with(values: &[Option<Const>], letter: usize, value: Const) -> Vec<Option<Const>> {
    let mut values = values.to_vec();
    values[letter] = Some(value);
    values
}

#[test]
fn laws_of_floats_hold_for_values_that_matter() {
    for rule in all_rules() {
        if any_float(&rule.left) {
            assert_eq!(refuted_float(&rule), None, "{}", rule.law);
        }
    }
}

/// What is exchanged may be: for floats up to NaN bits.
#[test]
fn what_commutes_does() {
    let exchanged = |op| Rule {
        left: Term::Op(op, const { &[term!(x), term!(y)] }),
        right: Term::Op(op, const { &[term!(y), term!(x)] }),
        conditions: &[],
        law: "exchanged",
    };
    for op in [op!(add), op!(mul), op!(and), op!(or), op!(xor), op!(min_s), op!(max_u), op!(mul_high_u), op!(eq)] {
        assert!(commutes(op));
        assert_eq!(refuted(&exchanged(op)), None);
    }
    for op in [op!(f64_add), op!(f64_mul), op!(f64_eq), op!(f64_ne), op!(f32_add), op!(f32_mul)] {
        assert!(commutes(op));
        assert_eq!(refuted_float(&exchanged(op)), None);
    }
    assert!(!commutes(op!(sub)) && !commutes(op!(lt_s)) && !commutes(op!(f64_min)));
}

#[test]
fn the_table_is_sorted() {
    assert!(RULED.is_sorted_by_key(|&(_, name)| name));
    for &(op, name) in RULED {
        assert!(rules(op).iter().all(|rule| matches!(rule.left, Term::Op(of, _) if of == op)), "{name}");
    }
}
