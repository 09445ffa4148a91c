//! Random arithmetic gives the same value in the constant folder, in the interpreter and in a model with wide integers.

use proptest::prelude::*;

use super::build::*;
use super::main_of;
use super::running::output;
use crate::check::hir::*;

/// An expression over literals of one type.
#[derive(Clone, Debug)]
enum Tree {
    Leaf(i128),
    Neg(Box<Tree>),
    Not(Box<Tree>),
    Op(BinaryOp, Box<Tree>, Box<Tree>),
}

const KINDS: [(TypeId, u32, bool); 8] = [
    (Types::I8, 8, true),
    (Types::I16, 16, true),
    (Types::I32, 32, true),
    (Types::I64, 64, true),
    (Types::U8, 8, false),
    (Types::U16, 16, false),
    (Types::U32, 32, false),
    (Types::U64, 64, false),
];

const OPS: [BinaryOp; 10] = [
    BinaryOp::Add,
    BinaryOp::Sub,
    BinaryOp::Mul,
    BinaryOp::Div,
    BinaryOp::Rem,
    BinaryOp::Shl,
    BinaryOp::Shr,
    BinaryOp::And,
    BinaryOp::Or,
    BinaryOp::Xor,
];

fn wrapped(value: i128, bits: u32, signed: bool) -> i128 {
    let low = value & ((1 << bits) - 1);
    if signed && low >> (bits - 1) == 1 { low - (1 << bits) } else { low }
}

/// The value by the rules of the language, without any limit in between; `None` if a divisor is zero.
fn model(tree: &Tree, bits: u32, signed: bool) -> Option<i128> {
    let value = match tree {
        Tree::Leaf(value) => *value,
        Tree::Neg(a) => -model(a, bits, signed)?,
        Tree::Not(a) => !model(a, bits, signed)?,
        Tree::Op(op, a, b) => {
            let (a, b) = (model(a, bits, signed)?, model(b, bits, signed)?);
            let count = b.rem_euclid(i128::from(bits)) as u32;
            match op {
                BinaryOp::Add => a + b,
                BinaryOp::Sub => a - b,
                BinaryOp::Mul => wrapped(a, 64, true).wrapping_mul(wrapped(b, 64, true)),
                BinaryOp::Div => a.checked_div(b)?,
                BinaryOp::Rem => a.checked_rem(b)?,
                BinaryOp::Shl => wrapped(a, 64, true) << count,
                BinaryOp::Shr => a >> count,
                BinaryOp::And => a & b,
                BinaryOp::Or => a | b,
                BinaryOp::Xor => a ^ b,
                BinaryOp::Concat => return None,
            }
        }
    };
    Some(wrapped(value, bits, signed))
}

fn tree(bits: u32, signed: bool) -> impl Strategy<Value = Tree> {
    let interesting = prop_oneof![any::<i64>().prop_map(i128::from), (-3i128..70), Just(i128::from(i64::MIN))];
    let leaf = interesting.prop_map(move |v| Tree::Leaf(wrapped(v, bits, signed)));
    leaf.prop_recursive(5, 24, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| Tree::Neg(Box::new(a))),
            inner.clone().prop_map(|a| Tree::Not(Box::new(a))),
            (0..OPS.len(), inner.clone(), inner).prop_map(|(op, a, b)| Tree::Op(OPS[op], Box::new(a), Box::new(b))),
        ]
    })
}

/// The tree with literals as they are, or, where `hides` says so, in variables, which hides them from the folder.
fn expression(tree: &Tree, ty: TypeId, hidden: &mut Vec<Expr>, hides: fn(i128) -> bool) -> Expr {
    match tree {
        Tree::Leaf(value) => {
            let literal = e(ExprKind::Int(*value as i64), ty);
            if !hides(*value) {
                return literal;
            }
            hidden.push(literal);
            local(hidden.len() as u32 - 1, ty)
        }
        Tree::Neg(a) => unary(UnaryOp::Neg, expression(a, ty, hidden, hides)),
        Tree::Not(a) => unary(UnaryOp::Not, expression(a, ty, hidden, hides)),
        Tree::Op(op, a, b) => {
            let a = expression(a, ty, hidden, hides);
            binary(*op, a, expression(b, ty, hidden, hides))
        }
    }
}

fn unary(op: UnaryOp, operand: Expr) -> Expr {
    let ty = operand.ty;
    e(ExprKind::Unary { op, operand: Box::new(operand) }, ty)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn integers(((ty, bits, signed), tree) in (0..KINDS.len()).prop_flat_map(|k| {
        let (ty, bits, signed) = KINDS[k];
        tree(bits, signed).prop_map(move |t| ((ty, bits, signed), t))
    })) {
        let Some(expected) = model(&tree, bits, signed) else { return Ok(()) };
        let mut variables = Vec::new();
        let folded = expression(&tree, ty, &mut variables, |_| false);
        let run = expression(&tree, ty, &mut variables, |_| true);
        let mixed = expression(&tree, ty, &mut variables, |v| v & 1 == 0);
        let locals = vec![(LocalKind::Var, ty); variables.len()];
        let mut parts: Vec<_> = variables.into_iter().enumerate().map(|(i, v)| bind(i as u32, v)).collect();
        parts.extend([print(folded), print(run), print(mixed)]);
        let text = output(Types::default(), vec![main_of(parts, &locals)]);
        prop_assert_eq!(text, format!("{expected}\n{expected}\n{expected}\n"));
    }
}
