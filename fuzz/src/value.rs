//! Values of the model: arithmetic on wide integers, text of values as `print` shows it.
//!
//! Written from the language's page and not from the runtime: a difference is the point.

use std::fmt::Display;
use std::rc::Rc;

use crate::print::{bits, escaped, variant_name};
use crate::tree::{Expr, IntKind, Var};

#[derive(Clone, Debug)]
pub enum Value {
    Int(i128, IntKind),
    F64(f64),
    F32(f32),
    Bool(bool),
    Char(char),
    Text(Rc<str>),
    Array(Vec<Value>),
    Option(Option<Box<Value>>),
    /// In the order of insertion.
    Map(Vec<(Value, Value)>),
    Struct(usize, Vec<Value>),
    Union(usize, usize, Vec<Value>),
    View(View),
    Lambda(Rc<Closure>),
}

/// A function value: a routine, or parameters, a body, and what it captured.
#[derive(Clone, Debug)]
pub enum Closure {
    Routine(usize),
    Lambda { params: Vec<Var>, body: Expr, captured: Vec<(Var, Value)> },
}

/// Elements `low` to before `low + length` of the array at a path in a cell.
#[derive(Clone, Debug)]
pub struct View {
    pub cell: usize,
    pub path: Vec<usize>,
    pub low: usize,
    pub length: usize,
}

impl Value {
    /// Equality of the language: by content, floats as IEEE compares them.
    pub fn equals(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Int(a, _), Value::Int(b, _)) => a == b,
            (Value::F64(a), Value::F64(b)) => a == b,
            (Value::F32(a), Value::F32(b)) => a == b,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Char(a), Value::Char(b)) => a == b,
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Array(a), Value::Array(b)) => all_equal(a, b),
            (Value::Option(None), Value::Option(None)) => true,
            (Value::Option(Some(a)), Value::Option(Some(b))) => a.equals(b),
            (Value::Struct(_, a), Value::Struct(_, b)) => all_equal(a, b),
            (Value::Union(_, v, a), Value::Union(_, w, b)) => v == w && all_equal(a, b),
            _ => false,
        }
    }

    /// How much of the model's memory it takes, roughly.
    pub fn size(&self) -> usize {
        match self {
            Value::Text(text) => 1 + text.len() / 4,
            Value::Array(items) | Value::Struct(_, items) | Value::Union(_, _, items) => {
                1 + items.iter().map(Value::size).sum::<usize>()
            }
            Value::Option(Some(value)) => 1 + value.size(),
            Value::Map(entries) => 1 + entries.iter().map(|(k, v)| k.size() + v.size()).sum::<usize>(),
            _ => 1,
        }
    }

    /// As `print` shows it.
    pub fn show(&self) -> String {
        let mut text = String::new();
        self.show_in(&mut text, false);
        text
    }

    fn show_in(&self, out: &mut String, inside: bool) {
        match self {
            Value::Int(value, _) => *out += &value.to_string(),
            Value::F64(value) => *out += &float_text(*value),
            Value::F32(value) => *out += &float_text(*value),
            Value::Bool(value) => *out += &value.to_string(),
            Value::Char(value) if inside => {
                *out += &format!("\"{}\"", escaped(&value.to_string()));
            }
            Value::Char(value) => out.push(*value),
            Value::Text(text) if inside => *out += &format!("\"{}\"", escaped(text)),
            Value::Text(text) => *out += text,
            Value::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.show_in(out, true);
                }
                out.push(']');
            }
            Value::Option(None) => *out += "{\"_type\":\"Option\",\"_variant\":\"None\"}",
            Value::Option(Some(value)) => {
                *out += "{\"_type\":\"Option\",\"_variant\":\"Some\",\"value\":";
                value.show_in(out, true);
                out.push('}');
            }
            Value::Struct(number, fields) => {
                *out += &format!("{{\"_type\":\"S{number}\"");
                for (i, field) in fields.iter().enumerate() {
                    *out += &format!(",\"f{i}\":");
                    field.show_in(out, true);
                }
                out.push('}');
            }
            Value::Union(number, which, payload) => {
                *out += &format!("{{\"_type\":\"U{number}\",\"_variant\":\"{}\"", variant_name(*number, *which));
                for (i, field) in payload.iter().enumerate() {
                    *out += &if payload.len() == 1 { ",\"value\":".to_string() } else { format!(",\"p{i}\":") };
                    field.show_in(out, true);
                }
                out.push('}');
            }
            Value::Map(_) | Value::View(_) | Value::Lambda(_) => *out += "?",
        }
    }
}

fn all_equal(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.equals(b))
}

/// What the two float types share.
pub trait Float: Copy + Display + std::fmt::LowerExp {
    fn wide(self) -> f64;
}

impl Float for f64 {
    fn wide(self) -> f64 {
        self
    }
}

impl Float for f32 {
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

/// The shortest digits that read back, with a point; an exponent below 10^-5 and from 10^16 on.
pub fn float_text<F: Float>(value: F) -> String {
    let wide = value.wide();
    if wide.is_nan() {
        return "nan".to_string();
    }
    if wide.is_infinite() {
        return if wide > 0.0 { "inf" } else { "-inf" }.to_string();
    }
    // 1e-5 as an f32 widens to a little less.
    let least = if size_of::<F>() == 4 { f64::from(1e-5f32) } else { 1e-5 };
    let most = if size_of::<F>() == 4 { f64::from(1e16f32) } else { 1e16 };
    if wide == 0.0 || (wide.abs() >= least && wide.abs() < most) {
        let text = value.to_string();
        return if text.contains('.') { text } else { text + ".0" };
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0e{exponent}"),
        _ => text,
    }
}

/// The value of an integer type that is equal modulo its width.
pub fn wrap(value: i128, kind: IntKind) -> i128 {
    let width = bits(kind);
    let low = value & ((1 << width) - 1);
    let signed = matches!(kind, IntKind::I8 | IntKind::I16 | IntKind::I32 | IntKind::I64);
    if signed && low >> (width - 1) == 1 { low - (1 << width) } else { low }
}

/// Least and greatest value of an integer type.
pub fn bounds(kind: IntKind) -> (i128, i128) {
    let width = bits(kind);
    match kind {
        IntKind::I8 | IntKind::I16 | IntKind::I32 | IntKind::I64 => (-(1 << (width - 1)), (1 << (width - 1)) - 1),
        _ => (0, (1 << width) - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_as_the_language_prints_them() {
        for (value, text) in [
            (1.0, "1.0"),
            (1.0e15, "1000000000000000.0"),
            (1.0e16, "1.0e16"),
            (1.5e300, "1.5e300"),
            (0.00001, "0.00001"),
            (0.000001, "1.0e-6"),
            (-0.0, "-0.0"),
        ] {
            assert_eq!(float_text(value), text);
        }
        assert_eq!(float_text(0.1f32), "0.1");
    }

    #[test]
    fn integers_wrap() {
        assert_eq!(wrap(200, IntKind::I8), -56);
        assert_eq!(wrap(-1, IntKind::U8), 255);
        assert_eq!(wrap(i128::from(i64::MAX) + 1, IntKind::I64), i128::from(i64::MIN));
        assert_eq!(wrap(-1, IntKind::U64), (1 << 64) - 1);
    }
}
