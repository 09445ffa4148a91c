//! Operators on the model's values: integers as wide ones that are wrapped, floats as the host has them.

use scaly_interp::machine::Fault;

use super::{Result, broken};
use crate::print::bits;
use crate::tree::{Binary, IntKind, Type, Unary};
use crate::value::{Value, bounds, wrap};

pub(super) fn binary(op: Binary, a: &Value, b: &Value) -> Result<Value> {
    match (a, b) {
        (Value::Int(a, kind), Value::Int(b, _)) => integers(op, *a, *b, *kind),
        (Value::F64(x), Value::F64(y)) => floats(op, *x, *y, Value::F64),
        (Value::F32(x), Value::F32(y)) => floats(op, *x, *y, Value::F32),
        (Value::Char(x), Value::Char(y)) if ordering(op, x.partial_cmp(y)).is_some() => {
            Ok(Value::Bool(ordering(op, x.partial_cmp(y)).unwrap_or(false)))
        }
        (Value::Text(x), Value::Text(y)) if op == Binary::Add => Ok(Value::Text(format!("{x}{y}").into())),
        (Value::Bool(x), Value::Bool(y)) => match op {
            Binary::And => Ok(Value::Bool(x & y)),
            Binary::Or => Ok(Value::Bool(x | y)),
            Binary::Xor => Ok(Value::Bool(x ^ y)),
            Binary::Eq => Ok(Value::Bool(x == y)),
            Binary::Ne => Ok(Value::Bool(x != y)),
            _ => broken("operator of bools"),
        },
        (a, b) => match op {
            Binary::Eq => Ok(Value::Bool(a.equals(b))),
            Binary::Ne => Ok(Value::Bool(!a.equals(b))),
            _ => broken("operator"),
        },
    }
}

fn ordering(op: Binary, order: Option<std::cmp::Ordering>) -> Option<bool> {
    use std::cmp::Ordering::*;
    Some(match op {
        Binary::Lt => order == Some(Less),
        Binary::Le => matches!(order, Some(Less | Equal)),
        Binary::Gt => order == Some(Greater),
        Binary::Ge => matches!(order, Some(Greater | Equal)),
        Binary::Eq => order == Some(Equal),
        Binary::Ne => order != Some(Equal),
        _ => return None,
    })
}

fn integers(op: Binary, a: i128, b: i128, kind: IntKind) -> Result<Value> {
    if let Some(holds) = ordering(op, a.partial_cmp(&b)) {
        return Ok(Value::Bool(holds));
    }
    let count = (b & i128::from(bits(kind) - 1)) as u32;
    let exact = match op {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        // The low bits of a product do not depend on what is above them.
        Binary::Mul => a.wrapping_mul(b),
        Binary::Div | Binary::Rem if b == 0 => return Err(Fault::DivisionByZero.into()),
        Binary::Div => a / b,
        Binary::Rem => a % b,
        Binary::Shl => wrap(a, IntKind::U64) << count,
        Binary::Shr => a >> count,
        Binary::And => a & b,
        Binary::Or => a | b,
        Binary::Xor => a ^ b,
        Binary::Min => a.min(b),
        Binary::Max => a.max(b),
        _ => return broken("operator of integers"),
    };
    Ok(Value::Int(wrap(exact, kind), kind))
}

fn floats<F>(op: Binary, x: F, y: F, make: fn(F) -> Value) -> Result<Value>
where
    F: PartialOrd
        + Copy
        + std::ops::Add<Output = F>
        + std::ops::Sub<Output = F>
        + std::ops::Mul<Output = F>
        + std::ops::Div<Output = F>,
{
    if let Some(holds) = ordering(op, x.partial_cmp(&y)) {
        return Ok(Value::Bool(holds));
    }
    Ok(make(match op {
        Binary::Add => x + y,
        Binary::Sub => x - y,
        Binary::Mul => x * y,
        Binary::Div => x / y,
        Binary::Min => {
            if y < x {
                y
            } else {
                x
            }
        }
        Binary::Max => {
            if x < y {
                y
            } else {
                x
            }
        }
        _ => return broken("operator of floats"),
    }))
}

pub(super) fn unary(op: Unary, value: &Value) -> Result<Value> {
    Ok(match (op, value) {
        (Unary::Neg, Value::Int(a, kind)) => Value::Int(wrap(-a, *kind), *kind),
        (Unary::Complement, Value::Int(a, kind)) => Value::Int(wrap(!a, *kind), *kind),
        (Unary::Abs, Value::Int(a, kind)) => Value::Int(wrap(a.abs(), *kind), *kind),
        (Unary::PopCount, Value::Int(a, kind)) => {
            let low = a & ((1 << bits(*kind)) - 1);
            Value::Int(i128::from(low.count_ones()), IntKind::I64)
        }
        (Unary::LeadingZeros, Value::Int(a, kind)) => {
            let low = a & ((1 << bits(*kind)) - 1);
            Value::Int(i128::from(low.leading_zeros() - (128 - bits(*kind))), IntKind::I64)
        }
        (Unary::Not, Value::Bool(a)) => Value::Bool(!a),
        (Unary::Neg, Value::F64(x)) => Value::F64(-x),
        (Unary::Abs, Value::F64(x)) => Value::F64(x.abs()),
        (Unary::Sqrt, Value::F64(x)) => Value::F64(x.sqrt()),
        (Unary::Floor, Value::F64(x)) => Value::F64(x.floor()),
        (Unary::Ceil, Value::F64(x)) => Value::F64(x.ceil()),
        (Unary::Trunc, Value::F64(x)) => Value::F64(x.trunc()),
        (Unary::Round, Value::F64(x)) => Value::F64(x.round()),
        (Unary::Bits, Value::F64(x)) => {
            let canonical = if x.is_nan() { 0x7ff8_0000_0000_0000 } else { x.to_bits() };
            Value::Int(i128::from(canonical), IntKind::U64)
        }
        (Unary::Neg, Value::F32(x)) => Value::F32(-x),
        (Unary::Abs, Value::F32(x)) => Value::F32(x.abs()),
        (Unary::Sqrt, Value::F32(x)) => Value::F32(x.sqrt()),
        (Unary::Floor, Value::F32(x)) => Value::F32(x.floor()),
        (Unary::Ceil, Value::F32(x)) => Value::F32(x.ceil()),
        (Unary::Trunc, Value::F32(x)) => Value::F32(x.trunc()),
        (Unary::Round, Value::F32(x)) => Value::F32(x.round()),
        (Unary::Bits, Value::F32(x)) => {
            let canonical = if x.is_nan() { 0x7fc0_0000 } else { x.to_bits() };
            Value::Int(i128::from(canonical), IntKind::U32)
        }
        _ => return broken("operator of one"),
    })
}

/// Direct conversions: one rounding, float to integer saturates.
pub(super) fn cast(value: &Value, ty: &Type) -> Result<Value> {
    Ok(match (value, ty) {
        (Value::Int(a, _), Type::Int(kind)) => Value::Int(wrap(*a, *kind), *kind),
        // i128 to a float rounds once.
        (Value::Int(a, _), Type::F64) => Value::F64(*a as f64),
        (Value::Int(a, _), Type::F32) => Value::F32(*a as f32),
        (Value::F64(x), Type::Int(kind)) => Value::Int(saturated(*x, *kind), *kind),
        (Value::F32(x), Type::Int(kind)) => Value::Int(saturated(f64::from(*x), *kind), *kind),
        (Value::F64(x), Type::F32) => Value::F32(*x as f32),
        (Value::F32(x), Type::F64) => Value::F64(f64::from(*x)),
        (Value::F64(x), Type::F64) => Value::F64(*x),
        (Value::F32(x), Type::F32) => Value::F32(*x),
        (Value::Char(c), Type::Int(kind)) => Value::Int(wrap(i128::from(u32::from(*c)), *kind), *kind),
        _ => return broken("conversion"),
    })
}

fn saturated(x: f64, kind: IntKind) -> i128 {
    let (low, high) = bounds(kind);
    (x as i128).clamp(low, high)
}
