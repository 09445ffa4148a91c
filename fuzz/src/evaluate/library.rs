//! Library routines as the model knows them.

use std::rc::Rc;

use scaly_interp::machine::Fault;

use super::{Frame, Model, Result, arithmetic, broken};
use crate::tree::*;
use crate::value::Value;

impl Model<'_> {
    pub(super) fn library(&mut self, frame: &mut Frame, which: Library, args: &[Expr]) -> Result<Value> {
        let Some((first, rest)) = args.split_first() else { return broken("library") };
        // Reading through a place does not copy it.
        let receiver = match self.place(frame, first)? {
            Some(location) => self.at(&location)?.clone(),
            None => self.value(frame, first)?,
        };
        let mut values = Vec::new();
        for arg in rest {
            values.push(self.value(frame, arg)?);
        }
        let int = |i: usize| Value::Int(i as i128, IntKind::I64);
        Ok(match (which, &receiver, &values[..]) {
            (Library::Length, Value::Text(text), []) => int(text.len()),
            (Library::Length, Value::Map(entries), []) => int(entries.len()),
            (Library::Length, receiver, []) => int(self.items(receiver)?.len()),
            (Library::GetOr, receiver, [key, other]) => match self.get(receiver, key)? {
                Some(value) => value,
                None => other.clone(),
            },
            (Library::Get, receiver, [key]) => Value::Option(self.get(receiver, key)?.map(Box::new)),
            (Library::Contains, Value::Map(entries), [key]) => Value::Bool(entries.iter().any(|(k, _)| k.equals(key))),
            (Library::Contains, Value::Text(text), [Value::Text(part)]) => Value::Bool(text.contains(&**part)),
            (Library::Contains, receiver, [value]) => {
                Value::Bool(self.items(receiver)?.iter().any(|item| item.equals(value)))
            }
            (Library::IndexOf, receiver, [value]) => {
                let at = self.items(receiver)?.iter().position(|item| item.equals(value));
                Value::Option(at.map(|i| Box::new(int(i))))
            }
            (Library::Sum, receiver, []) => {
                let items = self.items(receiver)?;
                let Some((head, tail)) = items.split_first() else { return broken("sum of nothing") };
                let mut sum = head.clone();
                for item in tail {
                    sum = arithmetic::binary(Binary::Add, &sum, item)?;
                }
                sum
            }
            (Library::Min | Library::Max, receiver, []) => {
                let mut best: Option<Value> = None;
                for item in self.items(receiver)? {
                    let better = match &best {
                        None => true,
                        Some(best) => {
                            let (a, b) = if which == Library::Min { (&item, best) } else { (best, &item) };
                            matches!(arithmetic::binary(Binary::Lt, a, b)?, Value::Bool(true))
                        }
                    };
                    if better {
                        best = Some(item);
                    }
                }
                Value::Option(best.map(Box::new))
            }
            (Library::Or, Value::Option(value), [other]) => match value {
                Some(value) => (**value).clone(),
                None => other.clone(),
            },
            (Library::ToString, receiver, []) => Value::Text(receiver.show().into()),
            (Library::StartsWith, Value::Text(text), [Value::Text(part)]) => Value::Bool(text.starts_with(&**part)),
            (Library::Cut, Value::Text(text), [Value::Int(low, _), Value::Int(high, _)]) => {
                let range = usize::try_from(*low).ok().zip(usize::try_from(*high).ok());
                match range.and_then(|(low, high)| text.get(low..high)) {
                    Some(part) => Value::Text(part.into()),
                    None => return Err(Fault::StringCut.into()),
                }
            }
            (Library::Repeat, Value::Text(text), [Value::Int(n, _)]) => {
                if *n > 100 {
                    return Err(super::Stop::Refused(super::Refused::TooMuch));
                }
                Value::Text(text.repeat((*n).max(0) as usize).into())
            }
            (Library::Split, Value::Text(text), [Value::Text(separator)]) => {
                let parts: Vec<Value> = if separator.is_empty() {
                    text.chars().map(|c| Value::Text(Rc::from(c.to_string()))).collect()
                } else {
                    text.split(&**separator).map(|part| Value::Text(part.into())).collect()
                };
                Value::Array(parts)
            }
            (Library::Join, receiver, [Value::Text(separator)]) => {
                let items: Vec<String> = self.items(receiver)?.iter().map(Value::show).collect();
                Value::Text(items.join(separator).into())
            }
            (Library::Keys, Value::Map(entries), []) => {
                Value::Array(entries.iter().map(|(key, _)| key.clone()).collect())
            }
            (Library::Values, Value::Map(entries), []) => {
                Value::Array(entries.iter().map(|(_, value)| value.clone()).collect())
            }
            (Library::Copy, receiver, []) => Value::Array(self.items(receiver)?),
            _ => return broken("library"),
        })
    }

    fn get(&self, receiver: &Value, key: &Value) -> Result<Option<Value>> {
        match (receiver, key) {
            (Value::Map(entries), key) => {
                Ok(entries.iter().find(|(k, _)| k.equals(key)).map(|(_, value)| value.clone()))
            }
            (receiver, Value::Int(i, _)) => {
                let items = self.items(receiver)?;
                Ok(usize::try_from(*i).ok().and_then(|i| items.get(i).cloned()))
            }
            _ => broken("get"),
        }
    }
}
