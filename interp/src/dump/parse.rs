//! A listing as a program.

use std::collections::HashMap;
use std::ops::Range;

use super::lexer::{Token, tokens};
use super::print::is_numbered;
use crate::bytecode::{Instruction, Opcode, Role};
use crate::machine::{Fault, IntKind};
use crate::program::{Function, FunctionId, Inlined, Loop, LoopId, LoopKind, Param, ParamKind, Program, Variable};
use crate::routine::Routine;
use crate::source::{FileId, Span};

/// What is wrong with a listing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ParseError {
    /// Counted from 1.
    pub line: u32,
    pub message: String,
}

/// Reads a listing back. Whether the program makes sense is for [`crate::verify`] to say.
pub fn parse(text: &str) -> Result<Program, ParseError> {
    let mut reader = Reader::default();
    let mut number = 0;
    for line in text.lines() {
        number += 1;
        reader.number = number;
        reader.line(line).map_err(|message| ParseError { line: number, message })?;
    }
    reader.finish().map_err(|(line, message)| ParseError { line, message })
}

/// Where a name is used whose meaning is known only at the end.
struct Later {
    line: u32,
    /// Of the instruction in the program's code.
    pc: u32,
    role: Role,
    name: String,
}

/// A loop's or variable's range, in labels.
struct Labels {
    line: u32,
    start: String,
    end: String,
}

#[derive(Default)]
struct Reader {
    program: Program,
    number: u32,
    main: Option<(u32, String)>,
    span: Span,
    /// Of the function being read.
    labels: HashMap<String, u32>,
    targets: Vec<Later>,
    variables: Vec<Labels>,
    inlined: Vec<Labels>,
    loops: Vec<(LoopId, Labels)>,
    /// Function names, resolved when all functions are known.
    calls: Vec<Later>,
    known_loops: Vec<Option<Loop>>,
}

type Reading<T> = Result<T, String>;

impl Reader {
    fn line(&mut self, line: &str) -> Reading<()> {
        let tokens = tokens(line)?;
        let mut line = Line { tokens: &tokens };
        match line.tokens {
            [] => return Ok(()),
            [Token::Word(w), Token::Word(_) | Token::Quoted(_), Token::Mark("("), ..] if w == "function" => {
                line.skip(1);
                self.function(&mut line)?;
            }
            [Token::Word(w), Token::Word(_) | Token::Quoted(_)] if w == "main" => {
                line.skip(1);
                self.main = Some((self.number, line.name("function")?));
            }
            [Token::Word(w), Token::Number(_)] if w == "globals" => {
                line.skip(1);
                self.program.global_bytes = line.number("bytes")?;
            }
            [Token::Word(w), Token::Quoted(text)] if numbered(w, "text").is_some() => {
                if numbered(w, "text") != Some(self.program.texts.len() as u32) {
                    return Err(format!("expected text{}", self.program.texts.len()));
                }
                self.program.texts.push(text.clone().into_boxed_str());
                line.skip(2);
            }
            _ if self.program.functions.is_empty() => {
                return Err("expected `main`, `globals`, `text0 \"…\"` or `function name(…)`".to_string());
            }
            [Token::Word(w), Token::Word(_) | Token::Quoted(_), Token::Word(_), ..] if w == "param" => {
                line.skip(1);
                self.param(&mut line)?;
            }
            [Token::Word(w), Token::Word(_) | Token::Quoted(_), Token::Word(_), ..] if w == "variable" => {
                line.skip(1);
                self.variable(&mut line)?;
            }
            [Token::Word(w), Token::Word(_) | Token::Quoted(_), Token::Mark("@"), ..] if w == "inlined" => {
                line.skip(1);
                let name = line.name("a routine's name")?;
                let labels = self.range(&mut line)?;
                let call = line.span()?.unwrap_or_default();
                self.inlined.push(labels);
                self.current().inlined.push(Inlined { name, code: 0..0, call });
            }
            [Token::Word(w), Token::Word(kind), ..]
                if (w == "loop" || numbered(w, "loop").is_some()) && (kind == "open" || kind == "counted") =>
            {
                self.one_loop(&mut line)?;
            }
            _ => self.instruction(&mut line)?,
        }
        match line.tokens.first() {
            None => Ok(()),
            Some(token) => Err(format!("unexpected {token}")),
        }
    }

    fn function(&mut self, line: &mut Line) -> Reading<()> {
        self.end_function().map_err(|(_, message)| message)?;
        let name = line.name("a function's name")?;
        line.mark("(")?;
        line.word("params")?;
        let param_slots = line.number("a number of slots")?;
        line.mark(",")?;
        line.word("results")?;
        let result_slots = line.number("a number of slots")?;
        line.mark(",")?;
        line.word("frame")?;
        let frame_slots = line.number("a number of slots")?;
        line.mark(")")?;
        let library = line.take_word("library");
        let span = line.span()?.unwrap_or_default();
        let start = self.program.code.len() as u32;
        self.span = Span::default();
        self.program.functions.push(Function {
            name,
            code: start..start,
            frame_slots,
            param_slots,
            result_slots,
            params: Vec::new(),
            variables: Vec::new(),
            inlined: Vec::new(),
            span,
            library,
        });
        Ok(())
    }

    fn current(&mut self) -> &mut Function {
        self.program.functions.last_mut().expect("lines of a function are read only behind its head")
    }

    fn param(&mut self, line: &mut Line) -> Reading<()> {
        let name = line.name("a parameter's name")?;
        let slots = line.slots()?;
        let kind = match line.name("a parameter's kind")?.as_str() {
            "value" => ParamKind::Value,
            "inplace" => ParamKind::InPlace { result: line.number("a result slot")? },
            "view" => ParamKind::View,
            "region" => ParamKind::Region,
            "function" => ParamKind::Function,
            "environment" => ParamKind::Environment,
            other => return Err(format!("`{other}` is none of value, inplace, view, region, function, environment")),
        };
        let stride = if line.mark("*").is_ok() { line.number("a stride")? } else { 0 };
        self.current().params.push(Param { name, slots, kind, stride });
        Ok(())
    }

    fn variable(&mut self, line: &mut Line) -> Reading<()> {
        let name = line.name("a variable's name")?;
        let slots = line.slots()?;
        let labels = self.range(line)?;
        self.variables.push(labels);
        self.current().variables.push(Variable { name, slots, code: 0..0 });
        Ok(())
    }

    fn one_loop(&mut self, line: &mut Line) -> Reading<()> {
        let word = line.name("loop")?;
        let id = numbered(&word, "loop").unwrap_or(self.known_loops.len() as u32);
        let kind = match line.name("a loop's kind")?.as_str() {
            "open" => LoopKind::Open,
            _ => LoopKind::Counted { counter: line.slots()?.start },
        };
        let labels = self.range(line)?;
        let parent = if line.take_word("in") {
            let name = line.name("a loop")?;
            Some(LoopId(numbered(&name, "loop").ok_or_else(|| format!("`{name}` is not a loop's number"))?))
        } else {
            None
        };
        let span = line.span()?.unwrap_or_default();
        let function = FunctionId(self.program.functions.len() as u32 - 1);
        if id as usize >= self.known_loops.len() {
            if id > 1 << 24 {
                return Err(format!("loop{id} is too high a number"));
            }
            self.known_loops.resize(id as usize + 1, None);
        }
        let known = &mut self.known_loops[id as usize];
        if known.is_some() {
            return Err(format!("loop{id} is there already"));
        }
        *known = Some(Loop { function, code: 0..0, kind, span, parent });
        self.loops.push((LoopId(id), labels));
        Ok(())
    }

    /// `@3..@9`
    fn range(&mut self, line: &mut Line) -> Reading<Labels> {
        let start = line.label()?;
        line.mark("..")?;
        let end = line.label()?;
        Ok(Labels { line: self.number, start, end })
    }

    fn instruction(&mut self, line: &mut Line) -> Reading<()> {
        let pc = self.program.code.len() as u32;
        if let [Token::Word(label) | Token::Number(label), Token::Mark(":"), ..] = line.tokens {
            if label == "end" || self.labels.insert(label.clone(), pc).is_some() {
                return Err(format!("label `{label}` is taken"));
            }
            line.skip(2);
            // A label may stand on a line of its own.
            if line.tokens.is_empty() {
                return Ok(());
            }
        }
        let name = line.name("an opcode")?;
        let op = Opcode::by_name(&name).ok_or_else(|| format!("no opcode is called `{name}`"))?;
        let mut ins = Instruction::new(op, 0, 0, 0);
        let mut operands = Operands { first: true, many: None };
        let roles = op.operands();
        for (role, field) in [(roles.a, &mut ins.a), (roles.b, &mut ins.b), (roles.c, &mut ins.c)] {
            if role != Role::No {
                operands.next(line)?;
                *field = if role == Role::Pointers { line.pointers()? } else { operands.slots(line, role)? };
            }
        }
        for (role, is_x) in [(roles.x, true), (roles.y, false)] {
            let value = match role {
                Role::No | Role::Target => continue,
                Role::Slots => operands.many.unwrap_or_default(),
                Role::Wide | Role::Real => {
                    if is_x {
                        operands.next(line)?;
                        let wide = line.wide(role)?;
                        (ins.x, ins.y) = (wide as u32, (wide >> 32) as u32);
                    }
                    continue;
                }
                Role::Function => {
                    operands.next(line)?;
                    let name = line.name("a function")?;
                    self.calls.push(Later { line: self.number, pc, role, name });
                    continue;
                }
                role => {
                    operands.next(line)?;
                    line.operand(role)?
                }
            };
            *(if is_x { &mut ins.x } else { &mut ins.y }) = value;
        }
        if roles.x == Role::Target {
            line.mark("->")?;
            let name = line.label()?;
            self.targets.push(Later { line: self.number, pc, role: Role::Target, name });
        }
        if let Some(span) = line.span()? {
            self.span = span;
        }
        self.program.code.push(ins);
        self.program.spans.push(self.span);
        Ok(())
    }

    /// Resolves what refers to the labels of the function that ends here.
    fn end_function(&mut self) -> Result<(), (u32, String)> {
        let end = self.program.code.len() as u32;
        let Some(function) = self.program.functions.last_mut() else { return Ok(()) };
        function.code.end = end;
        let labels = std::mem::take(&mut self.labels);
        let find = |line: u32, name: &str| match labels.get(name) {
            Some(&pc) => Ok(pc),
            // The index behind the last instruction ends ranges.
            None if name == "end" || name.parse() == Ok(end) => Ok(end),
            None => Err((line, format!("no instruction of {} has the label `{name}`", function.name))),
        };
        for (variable, range) in function.variables.iter_mut().zip(std::mem::take(&mut self.variables)) {
            variable.code = find(range.line, &range.start)?..find(range.line, &range.end)?;
        }
        for (inlined, range) in function.inlined.iter_mut().zip(std::mem::take(&mut self.inlined)) {
            inlined.code = find(range.line, &range.start)?..find(range.line, &range.end)?;
        }
        for (id, range) in std::mem::take(&mut self.loops) {
            let code = find(range.line, &range.start)?..find(range.line, &range.end)?;
            if let Some(known) = &mut self.known_loops[id.0 as usize] {
                known.code = code;
            }
        }
        for target in std::mem::take(&mut self.targets) {
            self.program.code[target.pc as usize].x = find(target.line, &target.name)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Program, (u32, String)> {
        let end = self.number;
        self.end_function()?;
        let mut names: HashMap<&str, Option<u32>> = HashMap::new();
        for (id, function) in self.program.functions.iter().enumerate() {
            names.entry(&function.name).and_modify(|known| *known = None).or_insert(Some(id as u32));
        }
        let find = |line: u32, name: &str| match names.get(name) {
            Some(Some(id)) if !is_numbered(name) => Ok(*id),
            Some(None) => Err((line, format!("several functions are called `{name}`: write function and its number"))),
            _ => numbered(name, "function")
                .filter(|&id| (id as usize) < self.program.functions.len())
                .ok_or_else(|| (line, format!("no function is called `{name}`"))),
        };
        for call in &self.calls {
            debug_assert_eq!(call.role, Role::Function);
            self.program.code[call.pc as usize].x = find(call.line, &call.name)?;
        }
        let Some((line, main)) = &self.main else {
            return Err((end, "there is no `main`".to_string()));
        };
        self.program.main = FunctionId(find(*line, main)?);
        for (id, known) in self.known_loops.into_iter().enumerate() {
            let known = known.ok_or_else(|| (end, format!("loop{id} is missing")))?;
            self.program.loops.push(known);
        }
        Ok(self.program)
    }
}

/// The operands of one instruction as they are read.
struct Operands {
    first: bool,
    /// How many slots the `UseN` or `DefN` has.
    many: Option<u32>,
}

impl Operands {
    fn next(&mut self, line: &mut Line) -> Reading<()> {
        if !std::mem::replace(&mut self.first, false) {
            line.mark(",")?;
        }
        Ok(())
    }

    fn slots(&mut self, line: &mut Line, role: Role) -> Reading<u16> {
        let slots = line.slots()?;
        let count = u32::from(slots.end - slots.start);
        match role {
            Role::UseN | Role::DefN if self.many.replace(count).is_some_and(|many| many != count) => {
                return Err("the two ranges of slots differ in length".to_string());
            }
            Role::Use2 | Role::Def2 | Role::Count2 if count != 2 => {
                return Err(format!("two slots are needed here, like s{0}..{1}", slots.start, slots.start + 2));
            }
            Role::Use | Role::Def | Role::Frame if count != 1 => {
                return Err(format!("one slot is needed here, like s{}", slots.start));
            }
            _ => {}
        }
        Ok(slots.start)
    }
}

/// What is left of a line.
struct Line<'a> {
    tokens: &'a [Token],
}

impl Line<'_> {
    fn skip(&mut self, count: usize) {
        self.tokens = &self.tokens[count..];
    }

    fn expected<T>(&self, what: &str) -> Reading<T> {
        match self.tokens.first() {
            Some(token) => Err(format!("expected {what}, not {token}")),
            None => Err(format!("expected {what} at the end of the line")),
        }
    }

    fn mark(&mut self, mark: &str) -> Reading<()> {
        match self.tokens.first() {
            Some(Token::Mark(found)) if *found == mark => {
                self.skip(1);
                Ok(())
            }
            _ => self.expected(&format!("`{mark}`")),
        }
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.first(), Some(Token::Word(w)) if w == word);
        if found {
            self.skip(1);
        }
        found
    }

    fn word(&mut self, word: &str) -> Reading<()> {
        if self.take_word(word) { Ok(()) } else { self.expected(&format!("`{word}`")) }
    }

    fn name(&mut self, what: &str) -> Reading<String> {
        match self.tokens.first() {
            Some(Token::Word(name) | Token::Quoted(name)) => {
                self.skip(1);
                Ok(name.clone())
            }
            _ => self.expected(what),
        }
    }

    fn number<T: std::str::FromStr>(&mut self, what: &str) -> Reading<T> {
        match self.tokens.first() {
            Some(Token::Number(digits)) => {
                let value = digits.replace('_', "").parse().map_err(|_| format!("`{digits}` does not fit here"))?;
                self.skip(1);
                Ok(value)
            }
            _ => self.expected(what),
        }
    }

    /// `s3` or `s3..5`
    fn slots(&mut self) -> Reading<Range<u16>> {
        let Some(Token::Word(word)) = self.tokens.first() else { return self.expected("a slot") };
        let Some(start) = numbered(word, "s") else { return self.expected("a slot like `s3`") };
        let start = u16::try_from(start).map_err(|_| format!("no frame has a slot {start}"))?;
        self.skip(1);
        let end = if self.mark("..").is_ok() { self.number("a slot's number")? } else { start.saturating_add(1) };
        if end < start {
            return Err(format!("s{start}..{end} ends before it starts"));
        }
        Ok(start..end)
    }

    /// `@12`, `@end`
    fn label(&mut self) -> Reading<String> {
        self.mark("@")?;
        match self.tokens.first() {
            Some(Token::Number(label) | Token::Word(label)) => {
                self.skip(1);
                Ok(label.clone())
            }
            _ => self.expected("a label"),
        }
    }

    /// `{0:10..20}`
    fn span(&mut self) -> Reading<Option<Span>> {
        if self.mark("{").is_err() {
            return Ok(None);
        }
        let file = FileId(self.number("a file's number")?);
        self.mark(":")?;
        let start = self.number("a byte's number")?;
        self.mark("..")?;
        let end = self.number("a byte's number")?;
        self.mark("}")?;
        Ok(Some(Span { file, start, end }))
    }

    /// A 64-bit constant.
    fn wide(&mut self, role: Role) -> Reading<i64> {
        let Some(Token::Number(text) | Token::Word(text)) = self.tokens.first() else {
            return self.expected("a constant");
        };
        let digits = text.replace('_', "");
        let value = match (digits.strip_prefix("0x"), role) {
            (Some(hex), _) => u64::from_str_radix(hex, 16).ok().map(|bits| bits as i64),
            (None, Role::Real) => digits.parse::<f64>().ok().map(|value| value.to_bits() as i64),
            (None, _) => digits.parse().or_else(|_| digits.parse::<u64>().map(|value| value as i64)).ok(),
        };
        let Some(value) = value else { return self.expected("a constant") };
        self.skip(1);
        Ok(value)
    }

    fn pointers(&mut self) -> Reading<u16> {
        self.mark("&")?;
        self.number("which words may be pointers")
    }

    /// An operand in `x` or `y` alone.
    fn operand(&mut self, role: Role) -> Reading<u32> {
        match role {
            Role::Stride => {
                self.mark("*")?;
                self.number("a stride")
            }
            Role::Offset => {
                self.mark("+")?;
                self.number("an offset")
            }
            Role::Short => self.number::<i32>("a constant").map(|value| value as u32),
            Role::Single => {
                let Some(Token::Number(text) | Token::Word(text)) = self.tokens.first() else {
                    return self.expected("a constant");
                };
                let value = match text.strip_prefix("0x") {
                    Some(hex) => u32::from_str_radix(hex, 16).ok(),
                    None => text.parse::<f32>().ok().map(f32::to_bits),
                };
                let Some(value) = value else { return self.expected("an f32") };
                self.skip(1);
                Ok(value)
            }
            Role::Loop => self.named("a loop", |name| numbered(name, "loop")),
            Role::Text => self.named("a text", |name| numbered(name, "text")),
            Role::Class => self.named("a class", |name| numbered(name, "class")),
            Role::Routine => self.named("a routine", |name| {
                Routine::by_name(name).map(|r| r as u32).or_else(|| numbered(name, "routine"))
            }),
            Role::Kind => self.named("an integer type", |name| {
                let kind = IntKind::ALL.into_iter().find(|kind| kind.name() == name);
                kind.map(|kind| kind as u32).or_else(|| numbered(name, "kind"))
            }),
            Role::Fault => self.named("a fault", |name| {
                let fault = Fault::ALL.into_iter().find(|fault| format!("{fault:?}") == name);
                fault.map(|fault| fault as u32).or_else(|| numbered(name, "fault"))
            }),
            _ => self.expected("another operand"),
        }
    }

    fn named(&mut self, what: &str, find: impl Fn(&str) -> Option<u32>) -> Reading<u32> {
        let name = self.name(what)?;
        find(&name).ok_or_else(|| format!("`{name}` is not {what}"))
    }
}

/// The number behind a prefix: 3 of `loop3`.
fn numbered(word: &str, prefix: &str) -> Option<u32> {
    let digits = word.strip_prefix(prefix)?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}
