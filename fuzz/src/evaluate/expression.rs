//! Expressions: operands from left to right, calls with their effects where they stand.

use std::rc::Rc;

use super::{Flow, Frame, MAX_SIZE, MAX_TEXT, Model, Refused, Result, Stop, arithmetic, broken};
use crate::tree::*;
use crate::value::{Closure, Value, wrap};
use crate::visit;

impl Model<'_> {
    pub(super) fn int(&mut self, frame: &mut Frame, expr: &Expr) -> Result<i128> {
        match self.value(frame, expr)? {
            Value::Int(value, _) => Ok(value),
            _ => broken("an integer is wanted"),
        }
    }

    pub(super) fn truth(&mut self, frame: &mut Frame, expr: &Expr) -> Result<bool> {
        match self.value(frame, expr)? {
            Value::Bool(value) => Ok(value),
            _ => broken("a bool is wanted"),
        }
    }

    pub(super) fn value(&mut self, frame: &mut Frame, expr: &Expr) -> Result<Value> {
        self.step()?;
        let value = self.unlimited(frame, expr)?;
        // Texts that grow by themselves double at every step.
        match &value {
            Value::Text(text) if text.len() > MAX_TEXT => Err(Stop::Refused(Refused::TooMuch)),
            Value::Array(items) if value.size() > MAX_SIZE || items.len() > MAX_SIZE => {
                Err(Stop::Refused(Refused::TooMuch))
            }
            _ => Ok(value),
        }
    }

    fn unlimited(&mut self, frame: &mut Frame, expr: &Expr) -> Result<Value> {
        Ok(match expr {
            Expr::Int { value, kind, .. } => Value::Int(wrap(*value, *kind), *kind),
            Expr::F64(value) => Value::F64(*value),
            Expr::F32 { value, .. } => Value::F32(*value),
            Expr::Bool(value) => Value::Bool(*value),
            Expr::Char(value) => Value::Char(*value),
            Expr::Text(text) => Value::Text(text.as_str().into()),
            Expr::Var(_) | Expr::Field(..) | Expr::Index(..) => match self.place(frame, expr)? {
                Some(location) => {
                    let value = self.at(&location)?.clone();
                    self.steps = self.steps.saturating_sub(value.size() as u64);
                    value
                }
                None => return self.part(frame, expr),
            },
            Expr::Const(number) => match self.constants.get(*number) {
                Some(value) => value.clone(),
                None => return broken("constant"),
            },
            Expr::Unary(op, operand) => {
                let value = self.value(frame, operand)?;
                arithmetic::unary(*op, &value)?
            }
            Expr::Binary(Binary::Both, a, b) => Value::Bool(self.truth(frame, a)? && self.truth(frame, b)?),
            Expr::Binary(Binary::Either, a, b) => Value::Bool(self.truth(frame, a)? || self.truth(frame, b)?),
            Expr::Binary(op, a, b) => {
                let (a, b) = (self.value(frame, a)?, self.value(frame, b)?);
                arithmetic::binary(*op, &a, &b)?
            }
            Expr::Cast(operand, ty) => {
                let value = self.value(frame, operand)?;
                arithmetic::cast(&value, ty)?
            }
            Expr::If(condition, then, otherwise) => {
                let side = if self.truth(frame, condition)? { then } else { otherwise };
                self.value(frame, side)?
            }
            Expr::Choose(subject, arms) => {
                let subject = self.value(frame, subject)?;
                for (pattern, value) in arms {
                    if let Some(bindings) = matches(&subject, pattern) {
                        for (var, bound) in bindings {
                            self.bind(frame, var, bound)?;
                        }
                        return self.value(frame, value);
                    }
                }
                return broken("no arm");
            }
            Expr::Is(subject, pattern) => {
                let subject = self.value(frame, subject)?;
                Value::Bool(matches(&subject, pattern).is_some())
            }
            Expr::Call(number, args) => match self.call(frame, *number, args)? {
                Some(value) => value,
                None => return broken("a value is wanted"),
            },
            Expr::Library(which, args) => self.library(frame, *which, args)?,
            Expr::Struct(number, args) => Value::Struct(*number, self.values(frame, args)?),
            Expr::Union(number, which, args) => Value::Union(*number, *which, self.values(frame, args)?),
            Expr::Some(value) => Value::Option(Some(Box::new(self.value(frame, value)?))),
            Expr::None => Value::Option(None),
            Expr::Array(items) => Value::Array(self.values(frame, items)?),
            Expr::Filled(_, length, value) => {
                let length = self.int(frame, length)?;
                let value = self.value(frame, value)?;
                if length < 0 {
                    return Err(scaly_interp::machine::Fault::NegativeLength.into());
                }
                if length > 5_000 {
                    return Err(Stop::Refused(Refused::TooMuch));
                }
                Value::Array(vec![value; length as usize])
            }
            Expr::EmptyMap(..) => Value::Map(Vec::new()),
            Expr::Map(array, var, body) => {
                let mut result = Vec::new();
                for item in self.subject(frame, array)? {
                    self.bind(frame, *var, item)?;
                    result.push(self.value(frame, body)?);
                }
                Value::Array(result)
            }
            Expr::Filter(array, var, body) => {
                let mut result = Vec::new();
                for item in self.subject(frame, array)? {
                    self.bind(frame, *var, item.clone())?;
                    if self.truth(frame, body)? {
                        result.push(item);
                    }
                }
                Value::Array(result)
            }
            Expr::Fold(array, start, accumulator, var, body) => {
                let items = self.subject(frame, array)?;
                let mut result = self.value(frame, start)?;
                for item in items {
                    self.bind(frame, *accumulator, result)?;
                    self.bind(frame, *var, item)?;
                    result = self.value(frame, body)?;
                }
                result
            }
            Expr::Lambda(params, body) => {
                let captured = self.captured(frame, body)?;
                let params = params.iter().map(|(var, _)| *var).collect();
                Value::Lambda(Rc::new(Closure::Lambda { params, body: (**body).clone(), captured }))
            }
            Expr::Routine(number) => Value::Lambda(Rc::new(Closure::Routine(*number))),
            Expr::Apply(function, args) => {
                let Value::Lambda(closure) = self.value(frame, function)? else { return broken("a function") };
                return self.apply(frame, &closure, args);
            }
            Expr::Format(parts, tail) => {
                let mut text = String::new();
                for (before, value) in parts {
                    text += before;
                    text += &self.value(frame, value)?.show();
                }
                Value::Text((text + tail).into())
            }
        })
    }

    /// The variables that a lambda's body names, as they are now.
    fn captured(&mut self, frame: &Frame, body: &Expr) -> Result<Vec<(Var, Value)>> {
        let mut captured = Vec::new();
        let mut left = vec![body.clone()];
        while let Some(mut expr) = left.pop() {
            if let Expr::Var(var) = expr
                && let Some(location) = frame.variables.get(&var)
            {
                captured.push((var, self.at(location)?.clone()));
            }
            left.extend(visit::children(&mut expr).into_iter().map(|child| child.clone()));
        }
        Ok(captured)
    }

    fn apply(&mut self, frame: &mut Frame, closure: &Closure, args: &[Expr]) -> Result<Value> {
        match closure {
            Closure::Routine(number) => match self.call(frame, *number, args)? {
                Some(value) => Ok(value),
                None => broken("a value is wanted"),
            },
            Closure::Lambda { params, body, captured } => {
                let args = self.values(frame, args)?;
                if args.len() != params.len() {
                    return broken("arguments");
                }
                self.deeper()?;
                let (mut inner, height) = (Frame::default(), self.cells.len());
                for (var, value) in captured.iter().cloned().chain(params.iter().copied().zip(args)) {
                    self.bind(&mut inner, var, value)?;
                }
                let value = self.value(&mut inner, body)?;
                self.depth -= 1;
                self.cells.truncate(height);
                Ok(value)
            }
        }
    }

    fn subject(&mut self, frame: &mut Frame, array: &Expr) -> Result<Vec<Value>> {
        let value = self.value(frame, array)?;
        self.items(&value)
    }

    pub(super) fn values(&mut self, frame: &mut Frame, exprs: &[Expr]) -> Result<Vec<Value>> {
        exprs.iter().map(|e| self.value(frame, e)).collect()
    }

    /// Field or element of a value that is no place.
    fn part(&mut self, frame: &mut Frame, expr: &Expr) -> Result<Value> {
        match expr {
            Expr::Field(owner, i) => match self.value(frame, owner)? {
                Value::Struct(_, fields) => match fields.get(*i) {
                    Some(field) => Ok(field.clone()),
                    None => broken("field"),
                },
                _ => broken("field of what has none"),
            },
            Expr::Index(array, index) => {
                let array = self.value(frame, array)?;
                let index = self.value(frame, index)?;
                self.cells.push(array);
                let cell = self.cells.len() - 1;
                let found = self.element(super::Location { cell, path: Vec::new() }, &index);
                let value = found.and_then(|location| self.at(&location).cloned());
                self.cells.truncate(cell);
                value
            }
            _ => broken("part"),
        }
    }
}

/// The bindings if the value is of the pattern's variant.
pub(super) fn matches(value: &Value, pattern: &Pattern) -> Option<Vec<(Var, Value)>> {
    match (value, pattern) {
        (Value::Option(Some(value)), Pattern::Some(var)) => Some(vec![(*var, (**value).clone())]),
        (Value::Option(None), Pattern::None) => Some(Vec::new()),
        (Value::Union(_, which, payload), Pattern::Variant(_, wanted, vars)) if which == wanted => {
            Some(vars.iter().copied().zip(payload.iter().cloned()).collect())
        }
        _ => None,
    }
}

impl Flow {
    /// What a loop with this label makes of it: whether it goes on, or how it ends.
    pub(super) fn of_loop(self, label: Option<u32>) -> Result<(), Flow> {
        match self {
            Flow::On | Flow::Continue(None) => Ok(()),
            Flow::Continue(Some(l)) if label == Some(l) => Ok(()),
            Flow::Break(None) => Err(Flow::On),
            Flow::Break(Some(l)) if label == Some(l) => Err(Flow::On),
            other => Err(other),
        }
    }
}
