//! Constant folding: the value of an expression of literals, computed as the program would.
//!
//! Integers wrap to their width, `/` truncates, MIN / -1 is MIN, shifts take the count modulo the width, floats are IEEE in
//! their own precision. What would be a runtime error is not folded: it happens when the program runs.

use std::rc::Rc;

use super::hir::{BinaryOp, CompareOp, Expr, ExprKind, IntKind, Type, TypeId, Types, UnaryOp};

/// The value of a constant.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Of any integer type, its bits extended by its own sign.
    Int(i64),
    /// Of an `f64` or `f32`, exact in f64.
    Float(f64),
    Bool(bool),
    Char(char),
    Text(Rc<str>),
}

impl Value {
    pub fn to_kind(&self) -> ExprKind {
        match self {
            Value::Int(n) => ExprKind::Int(*n),
            Value::Float(x) => ExprKind::Float(*x),
            Value::Bool(b) => ExprKind::Bool(*b),
            Value::Char(c) => ExprKind::Char(*c),
            Value::Text(text) => ExprKind::Text(text.clone()),
        }
    }
}

/// Bits of an integer type.
pub fn width(kind: IntKind) -> u32 {
    match kind {
        IntKind::I8 | IntKind::U8 => 8,
        IntKind::I16 | IntKind::U16 => 16,
        IntKind::I32 | IntKind::U32 => 32,
        IntKind::I64 | IntKind::U64 => 64,
    }
}

pub fn is_signed(kind: IntKind) -> bool {
    matches!(kind, IntKind::I8 | IntKind::I16 | IntKind::I32 | IntKind::I64)
}

/// The low bits of `x`, extended by the sign of the type.
pub fn wrap(x: i64, kind: IntKind) -> i64 {
    match kind {
        IntKind::I8 => i64::from(x as i8),
        IntKind::I16 => i64::from(x as i16),
        IntKind::I32 => i64::from(x as i32),
        IntKind::U8 => i64::from(x as u8),
        IntKind::U16 => i64::from(x as u16),
        IntKind::U32 => i64::from(x as u32),
        IntKind::I64 | IntKind::U64 => x,
    }
}

/// The value of an expression, if it consists of literals and cannot fail.
pub fn fold(e: &Expr, types: &Types) -> Option<Value> {
    let inner = |e: &Expr| fold(e, types);
    Some(match &e.kind {
        ExprKind::Int(n) => Value::Int(*n),
        ExprKind::Float(x) => Value::Float(*x),
        ExprKind::Bool(b) => Value::Bool(*b),
        ExprKind::Char(c) => Value::Char(*c),
        ExprKind::Text(text) => Value::Text(text.clone()),
        ExprKind::Zero => zero(e.ty, types)?,
        ExprKind::Block(list) => match list.as_slice() {
            [only] => inner(only)?,
            _ => return None,
        },
        ExprKind::Not(operand) => match inner(operand)? {
            Value::Bool(b) => Value::Bool(!b),
            _ => return None,
        },
        ExprKind::And(left, right) => match inner(left)? {
            Value::Bool(false) => Value::Bool(false),
            Value::Bool(true) => inner(right)?,
            _ => return None,
        },
        ExprKind::Or(left, right) => match inner(left)? {
            Value::Bool(true) => Value::Bool(true),
            Value::Bool(false) => inner(right)?,
            _ => return None,
        },
        ExprKind::If { condition, then, otherwise: Some(otherwise) } => match inner(condition)? {
            Value::Bool(true) => inner(then)?,
            Value::Bool(false) => inner(otherwise)?,
            _ => return None,
        },
        ExprKind::Unary { op, operand } => unary(*op, &inner(operand)?, types.get(e.ty))?,
        ExprKind::Binary { op, left, right } => binary(*op, &inner(left)?, &inner(right)?, types.get(e.ty))?,
        ExprKind::Compare { op, left, right } => {
            Value::Bool(compare(*op, &inner(left)?, &inner(right)?, types.get(left.ty))?)
        }
        ExprKind::Equal { left, right, negate } => Value::Bool((inner(left)? == inner(right)?) != *negate),
        ExprKind::Convert(operand) => convert(&inner(operand)?, types.get(operand.ty), types.get(e.ty))?,
        _ => return None,
    })
}

fn zero(ty: TypeId, types: &Types) -> Option<Value> {
    Some(match types.get(ty) {
        Type::Int(_) => Value::Int(0),
        Type::F32 | Type::F64 => Value::Float(0.0),
        Type::Bool => Value::Bool(false),
        Type::Char => Value::Char('\0'),
        Type::String => Value::Text(Rc::from("")),
        _ => return None,
    })
}

fn unary(op: UnaryOp, operand: &Value, ty: &Type) -> Option<Value> {
    Some(match (op, operand, ty) {
        (UnaryOp::Neg, Value::Int(n), Type::Int(kind)) => Value::Int(wrap(n.wrapping_neg(), *kind)),
        (UnaryOp::Not, Value::Int(n), Type::Int(kind)) => Value::Int(wrap(!n, *kind)),
        (UnaryOp::Neg, Value::Float(x), _) => Value::Float(-x),
        _ => return None,
    })
}

/// An integer operation of a kind; none where it is a runtime error.
pub fn int_binary(op: BinaryOp, a: i64, b: i64, kind: IntKind) -> Option<i64> {
    let count = (b as u32) & (width(kind) - 1);
    let raw = match op {
        BinaryOp::Add => a.wrapping_add(b),
        BinaryOp::Sub => a.wrapping_sub(b),
        BinaryOp::Mul => a.wrapping_mul(b),
        BinaryOp::Div | BinaryOp::Rem if b == 0 => return None,
        BinaryOp::Div if is_signed(kind) => a.wrapping_div(b),
        BinaryOp::Div => (a as u64 / b as u64) as i64,
        BinaryOp::Rem if is_signed(kind) => a.wrapping_rem(b),
        BinaryOp::Rem => (a as u64 % b as u64) as i64,
        BinaryOp::Shl => a.wrapping_shl(count),
        BinaryOp::Shr if is_signed(kind) => a.wrapping_shr(count),
        BinaryOp::Shr => (a as u64).wrapping_shr(count) as i64,
        BinaryOp::And => a & b,
        BinaryOp::Or => a | b,
        BinaryOp::Xor => a ^ b,
        BinaryOp::Concat => return None,
    };
    Some(wrap(raw, kind))
}

fn float_binary(op: BinaryOp, a: f64, b: f64, single: bool) -> Option<f64> {
    if single {
        let (a, b) = (a as f32, b as f32);
        return Some(f64::from(match op {
            BinaryOp::Add => a + b,
            BinaryOp::Sub => a - b,
            BinaryOp::Mul => a * b,
            BinaryOp::Div => a / b,
            _ => return None,
        }));
    }
    Some(match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div => a / b,
        _ => return None,
    })
}

fn binary(op: BinaryOp, a: &Value, b: &Value, ty: &Type) -> Option<Value> {
    Some(match (a, b, ty) {
        (Value::Int(a), Value::Int(b), Type::Int(kind)) => Value::Int(int_binary(op, *a, *b, *kind)?),
        (Value::Float(a), Value::Float(b), Type::F64) => Value::Float(float_binary(op, *a, *b, false)?),
        (Value::Float(a), Value::Float(b), Type::F32) => Value::Float(float_binary(op, *a, *b, true)?),
        (Value::Bool(a), Value::Bool(b), _) => Value::Bool(match op {
            BinaryOp::And => a & b,
            BinaryOp::Or => a | b,
            BinaryOp::Xor => a ^ b,
            _ => return None,
        }),
        (Value::Text(a), Value::Text(b), _) if op == BinaryOp::Concat => Value::Text(Rc::from(format!("{a}{b}"))),
        _ => return None,
    })
}

fn compare(op: CompareOp, a: &Value, b: &Value, ty: &Type) -> Option<bool> {
    let order = match (a, b) {
        (Value::Int(a), Value::Int(b)) => match ty {
            Type::Int(kind) if !is_signed(*kind) => Some((*a as u64).cmp(&(*b as u64))),
            _ => Some(a.cmp(b)),
        },
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Char(a), Value::Char(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        _ => return None,
    };
    let Some(order) = order else { return Some(false) };
    Some(match op {
        CompareOp::Lt => order.is_lt(),
        CompareOp::Gt => order.is_gt(),
        CompareOp::Le => order.is_le(),
        CompareOp::Ge => order.is_ge(),
    })
}

fn convert(value: &Value, from: &Type, to: &Type) -> Option<Value> {
    let unsigned = matches!(from, Type::Int(IntKind::U64));
    Some(match (value, to) {
        (Value::Int(n), Type::Int(kind)) => Value::Int(wrap(*n, *kind)),
        (Value::Int(n), Type::F64) => Value::Float(if unsigned { *n as u64 as f64 } else { *n as f64 }),
        (Value::Int(n), Type::F32) => Value::Float(f64::from(if unsigned { *n as u64 as f32 } else { *n as f32 })),
        (Value::Float(x), Type::F64) => Value::Float(*x),
        (Value::Float(x), Type::F32) => Value::Float(f64::from(*x as f32)),
        (Value::Float(x), Type::Int(kind)) => Value::Int(match kind {
            IntKind::I8 => i64::from(*x as i8),
            IntKind::I16 => i64::from(*x as i16),
            IntKind::I32 => i64::from(*x as i32),
            IntKind::I64 => *x as i64,
            IntKind::U8 => i64::from(*x as u8),
            IntKind::U16 => i64::from(*x as u16),
            IntKind::U32 => i64::from(*x as u32),
            IntKind::U64 => *x as u64 as i64,
        }),
        (Value::Bool(b), Type::Int(_)) => Value::Int(i64::from(*b)),
        (Value::Char(c), Type::Int(kind)) => Value::Int(wrap(i64::from(u32::from(*c)), *kind)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_wrap_to_their_width() {
        assert_eq!(int_binary(BinaryOp::Add, 250, 10, IntKind::U8), Some(4));
        assert_eq!(int_binary(BinaryOp::Div, i64::MIN, -1, IntKind::I64), Some(i64::MIN));
        assert_eq!(int_binary(BinaryOp::Div, -128, -1, IntKind::I8), Some(-128));
        assert_eq!(int_binary(BinaryOp::Rem, -7, 2, IntKind::I64), Some(-1));
        assert_eq!(int_binary(BinaryOp::Shl, 1, 65, IntKind::I64), Some(2));
        assert_eq!(int_binary(BinaryOp::Shr, -8, 1, IntKind::I8), Some(-4));
        assert_eq!(int_binary(BinaryOp::Shr, -1, 63, IntKind::U64), Some(1));
        assert_eq!(int_binary(BinaryOp::Div, 1, 0, IntKind::I64), None);
    }

    #[test]
    fn conversions_go_straight_to_their_target() {
        let single = Type::F32;
        let to = |value: Value, from: Type, to: Type| convert(&value, &from, &to);
        let int = |kind| Type::Int(kind);
        assert_eq!(to(Value::Float(300.0), Type::F64, int(IntKind::U8)), Some(Value::Int(255)));
        assert_eq!(to(Value::Float(f64::NAN), Type::F64, int(IntKind::I64)), Some(Value::Int(0)));
        assert_eq!(to(Value::Int(-1), int(IntKind::U64), Type::F64), Some(Value::Float(18446744073709551615.0)));
        // Through f64 it would round twice.
        let n = (1 << 60) + (1 << 36) + 1;
        assert_eq!(to(Value::Int(n), int(IntKind::I64), single), Some(Value::Float(f64::from(n as f32))));
    }
}
