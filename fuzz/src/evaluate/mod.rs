//! The model: evaluates a tree directly, so that what a program must print is known before anything of ours compiles it.
//!
//! Every variable lives in a cell of its own; an in-place parameter is another name for its argument's place, a view
//! names an array's place and a part of it. Where the language copies, values are cloned.

mod arithmetic;
mod expression;
mod library;
mod statement;

use std::collections::HashMap;

use scaly_interp::machine::Fault;

use crate::tree::*;
use crate::value::{Value, View};

/// What a program does.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    pub output: String,
    /// The runtime error that ends it.
    pub fault: Option<Fault>,
}

/// Why a tree is no program to test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// Runs for too long, nests too deep, or builds too much.
    TooMuch,
    /// Names what does not exist, as reduced trees may.
    Broken(&'static str),
}

/// What the model does before it refuses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    pub steps: u64,
    /// Calls in one another; the host's stack has to hold them.
    pub depth: usize,
    /// Whether deeper calls count as an error of the program, and not as too much.
    pub exhausts: bool,
}

/// Runs a tree within limits.
pub fn evaluate(program: &Program, limits: Limits) -> Result<Outcome, Refused> {
    let mut model = Model {
        program,
        constants: Vec::new(),
        cells: Vec::new(),
        output: String::new(),
        steps: limits.steps,
        depth: 0,
        lines: 0,
        limits,
    };
    let mut frame = Frame::default();
    for (_, value) in &program.constants {
        match model.value(&mut frame, value) {
            Ok(value) => model.constants.push(value),
            Err(_) => return Err(Refused::Broken("a constant")),
        }
    }
    let fault = match model.block(&mut frame, &program.main) {
        Ok(_) | Err(Stop::Exit) => None,
        Err(Stop::Fault(fault)) => Some(fault),
        Err(Stop::Refused(refused)) => return Err(refused),
    };
    Ok(Outcome { output: model.output, fault })
}

const MAX_OUTPUT: usize = 200_000;
const MAX_SIZE: usize = 20_000;
const MAX_TEXT: usize = 4_000;

#[derive(Debug)]
pub(crate) enum Stop {
    Fault(Fault),
    Exit,
    Refused(Refused),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::Fault(fault)
    }
}

fn broken<T>(what: &'static str) -> Result<T, Stop> {
    Err(Stop::Refused(Refused::Broken(what)))
}

type Result<T, E = Stop> = std::result::Result<T, E>;

/// Where a value is: a cell, then the way into it.
#[derive(Clone, Debug)]
struct Location {
    cell: usize,
    path: Vec<usize>,
}

#[derive(Default)]
struct Frame {
    variables: HashMap<Var, Location>,
}

/// How a statement ends.
enum Flow {
    On,
    Break(Option<u32>),
    Continue(Option<u32>),
    Return(Option<Value>),
}

struct Model<'a> {
    program: &'a Program,
    constants: Vec<Value>,
    cells: Vec<Value>,
    output: String,
    steps: u64,
    depth: usize,
    /// Lines of input that were read.
    lines: usize,
    limits: Limits,
}

impl<'a> Model<'a> {
    fn step(&mut self) -> Result<()> {
        match self.steps.checked_sub(1) {
            Some(steps) => {
                self.steps = steps;
                Ok(())
            }
            None => Err(Stop::Refused(Refused::TooMuch)),
        }
    }

    /// One call more around what is evaluated.
    fn deeper(&mut self) -> Result<()> {
        self.depth += 1;
        match self.limits.depth {
            most if self.depth <= most => Ok(()),
            _ if self.limits.exhausts => Err(Fault::StackExhausted.into()),
            _ => Err(Stop::Refused(Refused::TooMuch)),
        }
    }

    /// Binds a variable to a value of its own. A loop's iterations use one cell.
    fn bind(&mut self, frame: &mut Frame, var: Var, value: Value) -> Result<()> {
        if value.size() > MAX_SIZE {
            return Err(Stop::Refused(Refused::TooMuch));
        }
        match frame.variables.get(&var) {
            Some(location) => self.cells[location.cell] = value,
            None => {
                self.cells.push(value);
                frame.variables.insert(var, Location { cell: self.cells.len() - 1, path: Vec::new() });
            }
        }
        Ok(())
    }

    fn at(&self, location: &Location) -> Result<&Value> {
        let mut value = self.cells.get(location.cell).ok_or(Stop::Refused(Refused::Broken("cell")))?;
        for &i in &location.path {
            let inner = match value {
                Value::Array(items) | Value::Struct(_, items) => items.get(i),
                Value::Map(entries) => entries.get(i).map(|(_, v)| v),
                _ => None,
            };
            value = inner.ok_or(Stop::Refused(Refused::Broken("path")))?;
        }
        Ok(value)
    }

    fn at_mut(&mut self, location: &Location) -> Result<&mut Value> {
        let mut value = self.cells.get_mut(location.cell).ok_or(Stop::Refused(Refused::Broken("cell")))?;
        for &i in &location.path {
            let inner = match value {
                Value::Array(items) | Value::Struct(_, items) => items.get_mut(i),
                Value::Map(entries) => entries.get_mut(i).map(|(_, v)| v),
                _ => None,
            };
            value = inner.ok_or(Stop::Refused(Refused::Broken("path")))?;
        }
        Ok(value)
    }

    fn variable(&self, frame: &Frame, var: Var) -> Result<Location> {
        frame.variables.get(&var).cloned().ok_or(Stop::Refused(Refused::Broken("variable")))
    }

    /// Element `index` of what is at a location, in range or a fault.
    fn element(&self, location: Location, index: &Value) -> Result<Location> {
        match self.at(&location)? {
            Value::Array(items) => {
                let i = in_range(index, items.len())?;
                Ok(location.then(i))
            }
            Value::View(View { cell, path, low, length }) => {
                let i = in_range(index, *length)?;
                Ok(Location { cell: *cell, path: path.clone() }.then(low + i))
            }
            Value::Map(entries) => match entries.iter().position(|(key, _)| key.equals(index)) {
                Some(i) => Ok(location.then(i)),
                None => Err(Fault::KeyAbsent.into()),
            },
            _ => broken("element of what has none"),
        }
    }

    fn locate(&mut self, frame: &mut Frame, place: &Place) -> Result<Location> {
        let mut location = self.variable(frame, place.root)?;
        for step in &place.steps {
            match step {
                Step::Field(i) => location.path.push(*i),
                Step::Index(index) => {
                    let index = self.value(frame, index)?;
                    location = self.element(location, &index)?;
                }
            }
        }
        Ok(location)
    }

    /// The location of an expression that is a place.
    fn place(&mut self, frame: &mut Frame, expr: &Expr) -> Result<Option<Location>> {
        match expr {
            Expr::Var(var) => self.variable(frame, *var).map(Some),
            Expr::Field(owner, i) => Ok(self.place(frame, owner)?.map(|location| location.then(*i))),
            Expr::Index(array, index) => match self.place(frame, array)? {
                Some(location) => {
                    let index = self.value(frame, index)?;
                    self.element(location, &index).map(Some)
                }
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// The elements of an array or of what a view shows.
    fn items(&self, value: &Value) -> Result<Vec<Value>> {
        match value {
            Value::Array(items) => Ok(items.clone()),
            Value::View(View { cell, path, low, length }) => {
                match self.at(&Location { cell: *cell, path: path.clone() })? {
                    Value::Array(items) => Ok(items[*low..low + length].to_vec()),
                    _ => broken("view of no array"),
                }
            }
            _ => broken("items of what has none"),
        }
    }

    fn call(&mut self, frame: &mut Frame, number: usize, args: &[Expr]) -> Result<Option<Value>> {
        self.step()?;
        let program = self.program;
        let Some(routine) = program.routines.get(number) else { return broken("routine") };
        if args.len() != routine.params.len() {
            return broken("arguments");
        }
        self.deeper()?;
        let mut inner = Frame::default();
        let mut values = Vec::new();
        for (param, arg) in routine.params.iter().zip(args) {
            match param.passing {
                Passing::Value => values.push((param.var, self.value(frame, arg)?)),
                Passing::InPlace => match self.place(frame, arg)? {
                    Some(location) => {
                        inner.variables.insert(param.var, location);
                    }
                    None => values.push((param.var, self.value(frame, arg)?)),
                },
                Passing::View | Passing::WrittenView => values.push((param.var, self.view(frame, arg)?)),
            }
        }
        let height = self.cells.len();
        for (var, value) in values {
            self.bind(&mut inner, var, value)?;
        }
        let flow = self.block(&mut inner, &routine.body)?;
        self.depth -= 1;
        self.cells.truncate(height);
        match flow {
            Flow::Return(value) => Ok(value),
            Flow::On if routine.result.is_none() => Ok(None),
            _ => broken("no result"),
        }
    }

    /// An argument as a view: of a place, of a part of it, or of a temporary.
    fn view(&mut self, frame: &mut Frame, arg: &Expr) -> Result<Value> {
        if let Expr::Library(Library::View, args) = arg {
            let [of, low, high] = &args[..] else { return broken("view") };
            let Value::View(whole) = self.view(frame, of)? else { return broken("view") };
            let (low, high) = (self.int(frame, low)?, self.int(frame, high)?);
            if low < 0 || high < low || high > whole.length as i128 {
                return Err(Fault::IndexOutOfRange.into());
            }
            let (low, high) = (low as usize, high as usize);
            return Ok(Value::View(View { low: whole.low + low, length: high - low, ..whole }));
        }
        let location = match self.place(frame, arg)? {
            Some(location) => location,
            None => {
                let value = self.value(frame, arg)?;
                self.cells.push(value);
                Location { cell: self.cells.len() - 1, path: Vec::new() }
            }
        };
        match self.at(&location)? {
            Value::Array(items) => {
                let length = items.len();
                Ok(Value::View(View { cell: location.cell, path: location.path, low: 0, length }))
            }
            Value::View(view) => Ok(Value::View(view.clone())),
            _ => broken("view of no array"),
        }
    }
}

impl Location {
    fn then(mut self, i: usize) -> Location {
        self.path.push(i);
        self
    }
}

fn in_range(index: &Value, length: usize) -> Result<usize> {
    match index {
        Value::Int(i, _) if *i >= 0 && *i < length as i128 => Ok(*i as usize),
        Value::Int(..) => Err(Fault::IndexOutOfRange.into()),
        _ => broken("index"),
    }
}
