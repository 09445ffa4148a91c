//! Statements.

use scaly_interp::machine::Fault;

use super::expression::matches;
use super::{Flow, Frame, MAX_OUTPUT, MAX_SIZE, MAX_TEXT, Model, Refused, Result, Stop, arithmetic, broken, in_range};
use crate::tree::*;
use crate::value::Value;

/// Runs one iteration; leaves the loop's evaluation where the body does.
macro_rules! iterate {
    ($model:expr, $frame:expr, $body:expr, $label:expr) => {
        if let Err(flow) = $model.block($frame, $body)?.of_loop($label) {
            return Ok(flow);
        }
    };
}

impl Model<'_> {
    pub(super) fn block(&mut self, frame: &mut Frame, block: &Block) -> Result<Flow> {
        for statement in block {
            match self.statement(frame, statement)? {
                Flow::On => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::On)
    }

    fn assign(&mut self, frame: &mut Frame, place: &Place, value: Value) -> Result<()> {
        if value.size() > MAX_SIZE {
            return Err(Stop::Refused(Refused::TooMuch));
        }
        let location = self.locate(frame, place)?;
        *self.at_mut(&location)? = value;
        Ok(())
    }

    fn array(&mut self, frame: &mut Frame, place: &Place) -> Result<&mut Vec<Value>> {
        let location = self.locate(frame, place)?;
        match self.at_mut(&location)? {
            Value::Array(items) if items.len() < MAX_SIZE => Ok(items),
            Value::Array(_) => Err(Stop::Refused(Refused::TooMuch)),
            _ => broken("an array is wanted"),
        }
    }

    fn map(&mut self, frame: &mut Frame, place: &Place) -> Result<&mut Vec<(Value, Value)>> {
        let location = self.locate(frame, place)?;
        match self.at_mut(&location)? {
            Value::Map(entries) => Ok(entries),
            _ => broken("a map is wanted"),
        }
    }

    /// Counts the fuel variable of a loop down; false if there is none left.
    fn burn(&mut self, frame: &mut Frame, fuel: Var) -> Result<bool> {
        let location = self.variable(frame, fuel)?;
        match self.at_mut(&location)? {
            Value::Int(left, _) if *left > 0 => {
                *left -= 1;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn statement(&mut self, frame: &mut Frame, statement: &Statement) -> Result<Flow> {
        self.step()?;
        match statement {
            Statement::Let { var, value, ty, .. } => {
                let value = match value {
                    Some(value) => self.value(frame, value)?,
                    None => self.zero(ty)?,
                };
                self.bind(frame, *var, value)?;
            }
            Statement::Assign { place, value, .. } => {
                let value = self.value(frame, value)?;
                self.assign(frame, place, value)?;
            }
            Statement::Update { place, op, value } => {
                let value = self.value(frame, value)?;
                let location = self.locate(frame, place)?;
                let old = self.at(&location)?.clone();
                let new = arithmetic::binary(*op, &old, &value)?;
                if new.size() > MAX_SIZE {
                    return Err(Stop::Refused(Refused::TooMuch));
                }
                *self.at_mut(&location)? = new;
            }
            Statement::If(condition, then, otherwise) => {
                let side = if self.truth(frame, condition)? { then } else { otherwise };
                return self.block(frame, side);
            }
            Statement::While { fuel, most, condition, body, label } => {
                self.bind(frame, *fuel, Value::Int(i128::from(*most), IntKind::I64))?;
                loop {
                    // Fuel is read first, then the condition, then fuel is taken.
                    let location = self.variable(frame, *fuel)?;
                    if !matches!(self.at(&location)?, Value::Int(left, _) if *left > 0)
                        || !self.truth(frame, condition)?
                    {
                        break;
                    }
                    self.burn(frame, *fuel)?;
                    iterate!(self, frame, body, *label);
                }
            }
            Statement::Counted { var, end, step, body } => loop {
                let end = self.int(frame, end)?;
                let now = self.int(frame, &Expr::Var(*var))?;
                if (*step >= 0 && now >= end) || (*step < 0 && now <= end) {
                    break;
                }
                match self.block(frame, body)? {
                    Flow::On => {}
                    Flow::Break(None) => break,
                    // It would not count.
                    Flow::Continue(None) => return broken("continue of a counted while"),
                    flow => return Ok(flow),
                }
                let location = self.variable(frame, *var)?;
                let next =
                    arithmetic::binary(Binary::Add, self.at(&location)?, &Value::Int(i128::from(*step), IntKind::I64))?;
                *self.at_mut(&location)? = next;
            },
            Statement::Repeat { fuel, most, body, label } => {
                self.bind(frame, *fuel, Value::Int(i128::from(*most), IntKind::I64))?;
                while self.burn(frame, *fuel)? {
                    iterate!(self, frame, body, *label);
                }
            }
            Statement::Range { var, kind, low, high, closed, body, label } => {
                let low = match low {
                    Some(low) => self.int(frame, low)?,
                    None => 0,
                };
                let high = self.int(frame, high)? + i128::from(*closed);
                let mut i = low;
                while i < high {
                    self.step()?;
                    self.bind(frame, *var, Value::Int(i, *kind))?;
                    iterate!(self, frame, body, *label);
                    i += 1;
                }
            }
            Statement::Each { var, value, of, body, label } => {
                return self.each(frame, *var, *value, of, body, *label);
            }
            Statement::Break(label) => return Ok(Flow::Break(*label)),
            Statement::Continue(label) => return Ok(Flow::Continue(*label)),
            Statement::Return(value) => {
                let value = match value {
                    Some(value) => Some(self.value(frame, value)?),
                    None => None,
                };
                return Ok(Flow::Return(value));
            }
            Statement::Print(values) => {
                let values = self.values(frame, values)?;
                let text: Vec<String> = values.iter().map(Value::show).collect();
                self.output += &text.join(" ");
                self.output.push('\n');
                if self.output.len() > MAX_OUTPUT {
                    return Err(Stop::Refused(Refused::TooMuch));
                }
            }
            Statement::Call(call) => match call {
                Expr::Call(number, args) => drop(self.call(frame, *number, args)?),
                _ => return broken("call"),
            },
            Statement::Choose(subject, arms, otherwise) => {
                let subject = self.value(frame, subject)?;
                for (pattern, body) in arms {
                    if let Some(bindings) = matches(&subject, pattern) {
                        for (var, bound) in bindings {
                            self.bind(frame, var, bound)?;
                        }
                        return self.block(frame, body);
                    }
                }
                if let Some(body) = otherwise {
                    return self.block(frame, body);
                }
                return broken("no arm");
            }
            Statement::Match(subject, cases, otherwise) => {
                let subject = self.value(frame, subject)?;
                for (values, body) in cases {
                    for value in values {
                        if self.value(frame, value)?.equals(&subject) {
                            return self.block(frame, body);
                        }
                    }
                }
                return self.block(frame, otherwise);
            }
            Statement::Push(place, value) => {
                let value = self.value(frame, value)?;
                self.array(frame, place)?.push(value);
            }
            Statement::Pop(var, place) => {
                let value = self.array(frame, place)?.pop();
                self.bind(frame, *var, Value::Option(value.map(Box::new)))?;
            }
            Statement::Insert(place, index, value) => {
                let (index, value) = (self.value(frame, index)?, self.value(frame, value)?);
                let items = self.array(frame, place)?;
                let i = in_range(&index, items.len() + 1)?;
                items.insert(i, value);
            }
            Statement::Remove(var, place, index) => {
                let index = self.value(frame, index)?;
                let items = self.array(frame, place)?;
                let i = in_range(&index, items.len())?;
                let value = items.remove(i);
                self.bind(frame, *var, value)?;
            }
            Statement::Clear(place) => {
                let location = self.locate(frame, place)?;
                match self.at_mut(&location)? {
                    Value::Array(items) => items.clear(),
                    Value::Map(entries) => entries.clear(),
                    _ => return broken("clear"),
                }
            }
            Statement::Swap(place, i, j) => {
                let (i, j) = (self.value(frame, i)?, self.value(frame, j)?);
                let location = self.locate(frame, place)?;
                let (a, b) = (self.element(location.clone(), &i)?, self.element(location, &j)?);
                let (x, y) = (self.at(&a)?.clone(), self.at(&b)?.clone());
                *self.at_mut(&a)? = y;
                *self.at_mut(&b)? = x;
            }
            Statement::Sort(place) => {
                let items = self.array(frame, place)?;
                items.sort_by(|a, b| match (a, b) {
                    (Value::Int(a, _), Value::Int(b, _)) => a.cmp(b),
                    _ => std::cmp::Ordering::Equal,
                });
            }
            Statement::Reverse(place) => self.array(frame, place)?.reverse(),
            Statement::MapSet(place, key, value) => {
                let (key, value) = (self.value(frame, key)?, self.value(frame, value)?);
                let entries = self.map(frame, place)?;
                match entries.iter_mut().find(|(k, _)| k.equals(&key)) {
                    Some(entry) => entry.1 = value,
                    None => entries.push((key, value)),
                }
            }
            Statement::Append(place, value) => {
                let shown = self.value(frame, value)?.show();
                let location = self.locate(frame, place)?;
                match self.at_mut(&location)? {
                    Value::Text(text) if text.len() + shown.len() <= MAX_TEXT => {
                        *text = format!("{text}{shown}").into();
                    }
                    Value::Text(_) => return Err(Stop::Refused(Refused::TooMuch)),
                    _ => return broken("append"),
                }
            }
            Statement::MapRemove(var, place, key) => {
                let key = self.value(frame, key)?;
                let entries = self.map(frame, place)?;
                let at = entries.iter().position(|(k, _)| k.equals(&key));
                if let Some(at) = at {
                    entries.remove(at);
                }
                self.bind(frame, *var, Value::Bool(at.is_some()))?;
            }
            Statement::Block(body) => return self.block(frame, body),
            Statement::Exit(_) => return Err(Stop::Exit),
            Statement::ReadLine(var) => {
                let line = INPUT.get(self.lines).map(|line| Box::new(Value::Text((*line).into())));
                self.lines += 1;
                self.bind(frame, *var, Value::Option(line))?;
            }
        }
        Ok(Flow::On)
    }

    fn each(
        &mut self,
        frame: &mut Frame,
        var: Var,
        value: Option<Var>,
        of: &Expr,
        body: &Block,
        label: Option<u32>,
    ) -> Result<Flow> {
        let subject = match self.place(frame, of)? {
            Some(location) => Ok(location),
            None => Err(self.value(frame, of)?),
        };
        match (&subject, value) {
            // The subject is viewed: what the body writes into it is seen.
            (Ok(location), None) if matches!(self.at(location)?, Value::Array(_) | Value::View(_)) => {
                let length = {
                    let array = self.at(location)?.clone();
                    self.items(&array)?.len()
                };
                for i in 0..length {
                    self.step()?;
                    let index = Value::Int(i as i128, IntKind::I64);
                    let element = match self.element(location.clone(), &index) {
                        Ok(element) => element,
                        Err(Stop::Fault(Fault::IndexOutOfRange)) => return broken("reshaped subject"),
                        Err(stop) => return Err(stop),
                    };
                    let item = self.at(&element)?.clone();
                    self.bind(frame, var, item)?;
                    iterate!(self, frame, body, label);
                }
                return Ok(Flow::On);
            }
            _ => {}
        }
        let subject = match subject {
            Ok(location) => self.at(&location)?.clone(),
            Err(value) => value,
        };
        let items: Vec<(Value, Option<Value>)> = match subject {
            Value::Text(text) => text.chars().map(|c| (Value::Char(c), None)).collect(),
            Value::Map(entries) => entries.into_iter().map(|(k, v)| (k, Some(v))).collect(),
            other => self.items(&other)?.into_iter().map(|item| (item, None)).collect(),
        };
        for (item, second) in items {
            self.step()?;
            self.bind(frame, var, item)?;
            if let (Some(var), Some(second)) = (value, second) {
                self.bind(frame, var, second)?;
            }
            iterate!(self, frame, body, label);
        }
        Ok(Flow::On)
    }

    fn zero(&self, ty: &Type) -> Result<Value> {
        Ok(match ty {
            Type::Int(kind) => Value::Int(0, *kind),
            Type::F64 => Value::F64(0.0),
            Type::F32 => Value::F32(0.0),
            Type::Bool => Value::Bool(false),
            Type::Text | Type::Builder => Value::Text("".into()),
            Type::Array(_) => Value::Array(Vec::new()),
            Type::Option(_) => Value::Option(None),
            Type::Map(..) => Value::Map(Vec::new()),
            Type::Struct(number) => {
                let fields: Result<Vec<Value>> =
                    self.program.structs[*number].fields.iter().map(|ty| self.zero(ty)).collect();
                Value::Struct(*number, fields?)
            }
            Type::Char | Type::Union(_) | Type::Slice(_) | Type::Lambda(..) => return broken("no zero"),
        })
    }
}
