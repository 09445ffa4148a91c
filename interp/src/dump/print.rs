//! A program as a listing.

use std::collections::HashMap;
use std::fmt::{self, Display, Write};
use std::ops::Range;

use super::lexer::is_word;
use crate::bytecode::{Instruction, Role};
use crate::machine::{Fault, IntKind};
use crate::program::{Class, Function, FunctionId, LoopId, LoopKind, ParamKind, Pc, Program};
use crate::routine::Routine;
use crate::source::{SourceMap, Span};

/// Writes listings; choose what with the builder methods, then `Display` it.
pub struct Printer<'a> {
    program: &'a Program,
    sources: Option<&'a SourceMap>,
    spans: bool,
    library: bool,
    /// How many functions have each name.
    names: HashMap<&'a str, u32>,
}

impl<'a> Printer<'a> {
    /// All functions, no spans, no source lines.
    pub fn new(program: &'a Program) -> Self {
        let mut names = HashMap::new();
        for function in &program.functions {
            *names.entry(function.name.as_str()).or_insert(0) += 1;
        }
        Printer { program, sources: None, spans: false, library: true, names }
    }

    /// With the source lines as comments.
    pub fn sources(mut self, sources: &'a SourceMap) -> Self {
        self.sources = Some(sources);
        self
    }

    /// With the spans, so that the text reads back as the same program.
    pub fn spans(mut self, spans: bool) -> Self {
        self.spans = spans;
        self
    }

    /// Whether to show the functions of the library; a text without them does not read back.
    pub fn library(mut self, library: bool) -> Self {
        self.library = library;
        self
    }

    /// One function with its loops.
    pub fn function(&self, id: FunctionId, out: &mut dyn Write) -> fmt::Result {
        let function = self.program.function(id);
        write!(out, "function {}(params {}, ", Name(&function.name), function.param_slots)?;
        write!(out, "results {}, frame {})", function.result_slots, function.frame_slots)?;
        if function.library {
            out.write_str(" library")?;
        }
        self.span(out, function.span)?;
        out.write_char('\n')?;
        self.head(id, function, out)?;
        let mut span = Span::default();
        let mut line = None;
        for pc in function.code.clone() {
            let here = self.program.spans.get(pc as usize).copied().unwrap_or_default();
            self.source_line(out, here, &mut line)?;
            write!(out, "{pc:5}: ")?;
            self.instruction(Pc(pc), out)?;
            if here != span {
                self.span(out, here)?;
                span = here;
            }
            out.write_char('\n')?;
        }
        Ok(())
    }

    /// Parameters, variables and loops.
    fn head(&self, id: FunctionId, function: &Function, out: &mut dyn Write) -> fmt::Result {
        for param in &function.params {
            write!(out, "  param {} {} ", Name(&param.name), Slots(param.slots.clone()))?;
            match param.kind {
                ParamKind::Value => write!(out, "value")?,
                ParamKind::InPlace { result } => write!(out, "inplace {result}")?,
                ParamKind::View => write!(out, "view")?,
                ParamKind::Region => write!(out, "region")?,
                ParamKind::Function => write!(out, "function")?,
                ParamKind::Environment => write!(out, "environment")?,
            }
            match param.stride {
                0 => out.write_char('\n')?,
                stride => writeln!(out, " *{stride}")?,
            }
        }
        for variable in &function.variables {
            write!(out, "  variable {} {} ", Name(&variable.name), Slots(variable.slots.clone()))?;
            writeln!(out, "@{}..@{}", variable.code.start, variable.code.end)?;
        }
        for inlined in &function.inlined {
            write!(out, "  inlined {} ", Name(&inlined.name))?;
            write!(out, "@{}..@{}", inlined.code.start, inlined.code.end)?;
            self.span(out, inlined.call)?;
            out.write_char('\n')?;
        }
        for (number, each) in self.program.loops.iter().enumerate().filter(|(_, l)| l.function == id) {
            write!(out, "  {} ", LoopId(number as u32))?;
            match each.kind {
                LoopKind::Counted { counter } => write!(out, "counted {}", Slots(counter..counter + 2))?,
                LoopKind::Open => write!(out, "open")?,
            }
            write!(out, " @{}..@{}", each.code.start, each.code.end)?;
            if let Some(parent) = each.parent {
                write!(out, " in {parent}")?;
            }
            self.span(out, each.span)?;
            out.write_char('\n')?;
        }
        Ok(())
    }

    /// One instruction, without its label and source.
    pub fn instruction(&self, pc: Pc, out: &mut dyn Write) -> fmt::Result {
        let ins = self.program.code[pc.0 as usize];
        write!(out, "{}", ins.op.name())?;
        let roles = ins.op.operands();
        let mut separator = " ";
        for (role, value) in [(roles.a, ins.a), (roles.b, ins.b), (roles.c, ins.c)] {
            let text = match role {
                Role::Use | Role::Def | Role::Frame => format!("s{value}"),
                Role::Use2 | Role::Def2 | Role::Count2 => Slots(value..value.saturating_add(2)).to_string(),
                Role::UseN | Role::DefN => Slots(value..value.saturating_add(ins.x as u16)).to_string(),
                Role::Pointers => format!("&{value}"),
                _ => continue,
            };
            write!(out, "{separator}{text}")?;
            separator = ", ";
        }
        let mut target = None;
        for (role, value) in [(roles.x, ins.x), (roles.y, ins.y)] {
            let text = match role {
                Role::Target => {
                    target = Some(value);
                    continue;
                }
                Role::Loop => LoopId(value).to_string(),
                Role::Function => self.function_name(value),
                Role::Class => Class(value).to_string(),
                Role::Routine => {
                    Routine::from_number(value).map_or(format!("routine{value}"), |r| r.name().to_string())
                }
                Role::Text => format!("text{value}"),
                Role::Stride => format!("*{value}"),
                Role::Offset => format!("+{value}"),
                Role::Short => (value as i32).to_string(),
                Role::Single => real(f32::from_bits(value), || format!("0x{value:08x}")),
                Role::Kind => IntKind::from_number(value).map_or(format!("kind{value}"), |k| k.name().to_string()),
                Role::Fault => Fault::from_number(value).map_or(format!("fault{value}"), |f| format!("{f:?}")),
                // The pair is one operand.
                Role::Wide | Role::Real => continue,
                _ => continue,
            };
            write!(out, "{separator}{text}")?;
            separator = ", ";
        }
        match roles.x {
            Role::Wide => write!(out, "{separator}{}", ins.imm())?,
            Role::Real => {
                let bits = ins.imm() as u64;
                write!(out, "{separator}{}", real(f64::from_bits(bits), || format!("0x{bits:016x}")))?;
            }
            _ => {}
        }
        if let Some(target) = target {
            write!(out, " -> @{target}")?;
        }
        self.comment(ins, out)
    }

    /// What a text constant says.
    fn comment(&self, ins: Instruction, out: &mut dyn Write) -> fmt::Result {
        if ins.op.operands().x != Role::Text || self.spans {
            return Ok(());
        }
        let Some(text) = self.program.texts.get(ins.x as usize) else { return Ok(()) };
        let mut shown: String = text.chars().take(40).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        write!(out, " ; {shown:?}")
    }

    fn function_name(&self, id: u32) -> String {
        match self.program.functions.get(id as usize) {
            Some(f) if self.names.get(f.name.as_str()) == Some(&1) && !is_numbered(&f.name) => {
                Name(&f.name).to_string()
            }
            _ => FunctionId(id).to_string(),
        }
    }

    fn span(&self, out: &mut dyn Write, span: Span) -> fmt::Result {
        if self.spans && span != Span::default() {
            write!(out, " {{{}:{}..{}}}", span.file.0, span.start, span.end)?;
        }
        Ok(())
    }

    fn source_line(&self, out: &mut dyn Write, span: Span, last: &mut Option<(u32, u32)>) -> fmt::Result {
        let Some(sources) = self.sources else { return Ok(()) };
        let Some(file) = sources.get(span.file) else { return Ok(()) };
        let line = file.line_column(span.start).0;
        if *last == Some((span.file.0, line)) {
            return Ok(());
        }
        *last = Some((span.file.0, line));
        writeln!(out, "       ; {line} | {}", file.line_text(line).trim_start())
    }
}

impl Display for Printer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "main {}", self.function_name(self.program.main.0))?;
        if self.program.global_bytes > 0 {
            writeln!(f, "globals {}", self.program.global_bytes)?;
        }
        for (number, text) in self.program.texts.iter().enumerate() {
            writeln!(f, "text{number} {text:?}")?;
        }
        for (number, function) in self.program.functions.iter().enumerate() {
            if self.library || !function.library {
                f.write_char('\n')?;
                self.function(FunctionId(number as u32), f)?;
            }
        }
        Ok(())
    }
}

/// A name, in quotes where it is not an identifier.
struct Name<'a>(&'a str);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_word(self.0) { f.write_str(self.0) } else { write!(f, "{:?}", self.0) }
    }
}

struct Slots(Range<u16>);

impl Display for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { start, end } = self.0;
        if end == start.wrapping_add(1) { write!(f, "s{start}") } else { write!(f, "s{start}..{end}") }
    }
}

/// Whether a function's name could be taken for its number.
pub(super) fn is_numbered(name: &str) -> bool {
    name.strip_prefix("function").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// A float that reads back with the same bits: in decimal, or as its bits where that says more.
fn real<F: Into<f64> + Copy + fmt::Debug>(value: F, bits: impl Fn() -> String) -> String {
    let wide: f64 = value.into();
    if wide.is_nan() { bits() } else { format!("{value:?}") }
}
