//! Reads a region's text form.
//!
//! Names may come in any order, so instructions name values and blocks that stand further down; what a name stands for
//! is the number in it. Whether the result makes sense is the verifier's business.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use scaly_interp::machine::Fault;
use scaly_interp::program::{Class, FunctionId, LoopId, LoopKind, Pc};
use scaly_interp::routine::Routine;

use super::{
    Block, BlockId, Chain, ChainId, Cycle, CycleId, Def, Edge, Exit, ExitId, ExitKind, Inst, InstId, Kept, Op, Param,
    Region, Terminator, Type, Value, ValueData, Whole,
};

/// What is wrong with a text, and in which of its lines, counted from 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    pub line: usize,
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for ParseError {}

/// The words and marks of one line; traces are read with it too.
pub(crate) struct Line<'a> {
    pub rest: &'a str,
    pub number: usize,
}

pub(crate) type Result<T> = std::result::Result<T, ParseError>;

impl<'a> Line<'a> {
    pub fn error<T>(&self, message: impl Into<String>) -> Result<T> {
        Err(ParseError { line: self.number, message: message.into() })
    }

    /// The next word (letters, digits, `_`, `.`, and a leading `-`) or mark; empty at the end.
    pub fn peek(&self) -> &'a str {
        let text = self.rest.trim_start();
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let skip = usize::from(text.starts_with('-'));
        let length = text[skip..].find(|c| !word(c)).unwrap_or(text.len() - skip) + skip;
        &text[..length.max(text.chars().next().map_or(0, char::len_utf8))]
    }

    pub fn next(&mut self) -> &'a str {
        let token = self.peek();
        self.rest = &self.rest.trim_start()[token.len()..];
        token
    }

    pub fn eat(&mut self, token: &str) -> bool {
        let found = self.peek() == token;
        if found {
            self.next();
        }
        found
    }

    pub fn expect(&mut self, token: &str) -> Result<()> {
        if self.eat(token) { Ok(()) } else { self.error(format!("expected `{token}`, found `{}`", self.peek())) }
    }

    pub fn number<T: FromStr>(&mut self) -> Result<T> {
        let token = self.next();
        token.parse().or_else(|_| self.error(format!("expected a number, found `{token}`")))
    }

    pub fn hex(&mut self) -> Result<u64> {
        let token = self.next();
        let digits = token.strip_prefix("0x").unwrap_or("");
        u64::from_str_radix(digits, 16).or_else(|_| self.error(format!("expected bits, found `{token}`")))
    }

    /// The number of a name like `block3`.
    pub fn index(&mut self, prefix: &str) -> Result<u32> {
        let token = self.next();
        match token.strip_prefix(prefix).and_then(|n| n.parse().ok()) {
            Some(n) => Ok(n),
            None => self.error(format!("expected a name like `{prefix}0`, found `{token}`")),
        }
    }

    pub fn pc(&mut self) -> Result<Pc> {
        self.expect("@")?;
        Ok(Pc(self.number()?))
    }

    pub fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.expect("(")?;
        let mut items = Vec::new();
        while !self.eat(")") {
            if !items.is_empty() {
                self.expect(",")?;
            }
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn value(&mut self) -> Result<Value> {
        Ok(Value(self.index(Value::PREFIX)?))
    }

    pub fn ty(&mut self) -> Result<Type> {
        let token = self.next();
        match Type::ALL.into_iter().find(|t| t.name() == token) {
            Some(ty) => Ok(ty),
            None => self.error(format!("`{token}` is not a type")),
        }
    }

    fn fault(&mut self) -> Result<Fault> {
        let token = self.next();
        match Fault::ALL.into_iter().find(|f| format!("{f:?}") == token) {
            Some(fault) => Ok(fault),
            None => self.error(format!("`{token}` is not a fault")),
        }
    }

    fn kept(&mut self) -> Result<Kept> {
        let chain = ChainId(self.index(ChainId::PREFIX)?);
        Ok(Kept { chain, slot: self.number()?, value: self.value()? })
    }

    fn edge(&mut self) -> Result<Edge> {
        let to = BlockId(self.index(BlockId::PREFIX)?);
        Ok(Edge { to, args: self.list(Self::value)? })
    }
}

#[derive(Default)]
struct Parser {
    function: bool,
    chains: Vec<Chain>,
    cycles: Vec<Cycle>,
    exits: Vec<Exit>,
    blocks: Vec<Block>,
    insts: Vec<Inst>,
    values: BTreeMap<Value, ValueData>,
    /// The last block has its terminator.
    ended: bool,
}

impl Parser {
    fn define(&mut self, line: &Line<'_>, value: Value, ty: Type, def: Def) -> Result<()> {
        if self.values.insert(value, ValueData { ty, def }).is_some() {
            return line.error(format!("{value} is defined twice"));
        }
        Ok(())
    }

    fn chain(&mut self, line: &mut Line<'_>) -> Result<()> {
        line.expect("=")?;
        let function = FunctionId(line.index("function")?);
        let caller = if line.eat("in") { Some((ChainId(line.index(ChainId::PREFIX)?), line.pc()?)) } else { None };
        self.chains.push(Chain { function, caller });
        Ok(())
    }

    fn cycle(&mut self, line: &mut Line<'_>) -> Result<()> {
        line.expect("=")?;
        let id = LoopId(line.index("loop")?);
        let chain = ChainId(line.index(ChainId::PREFIX)?);
        let header = BlockId(line.index(BlockId::PREFIX)?);
        let kind = if line.eat("counted") {
            LoopKind::Counted { counter: line.number()? }
        } else {
            line.expect("open")?;
            LoopKind::Open
        };
        let parent = if line.eat("in") { Some(CycleId(line.index(CycleId::PREFIX)?)) } else { None };
        self.cycles.push(Cycle { id, chain, header, parent, kind });
        Ok(())
    }

    fn exit(&mut self, line: &mut Line<'_>) -> Result<()> {
        line.expect("=")?;
        let kind = match line.next() {
            "done" => ExitKind::Done,
            "leave" => ExitKind::Leave,
            "return" => ExitKind::Return,
            "stop" => ExitKind::Stop,
            "fault" => ExitKind::Fault(line.fault()?),
            other => return line.error(format!("`{other}` is not a kind of exit")),
        };
        let pc = line.pc()?;
        let slots = line.list(Line::number)?;
        self.exits.push(Exit { kind, pc, slots });
        Ok(())
    }

    fn block(&mut self, line: &mut Line<'_>) -> Result<()> {
        let id = BlockId(self.blocks.len() as u32);
        let chain = ChainId(line.index(ChainId::PREFIX)?);
        let pc = line.pc()?;
        let cycle = if line.peek() == "(" { None } else { Some(CycleId(line.index(CycleId::PREFIX)?)) };
        let params = line.list(|line| {
            let value = line.value()?;
            line.expect(":")?;
            let ty = line.ty()?;
            line.expect("=")?;
            Ok((value, ty, line.number()?))
        })?;
        line.expect(":")?;
        let mut block = Block {
            chain,
            pc,
            cycle,
            params: Vec::new(),
            insts: Vec::new(),
            end: Terminator::Exit(ExitId(0), Vec::new()),
            end_pc: pc,
        };
        for (i, (value, ty, slot)) in params.into_iter().enumerate() {
            self.define(line, value, ty, Def::Param(id, i as u32))?;
            block.params.push(Param { value, slot });
        }
        self.blocks.push(block);
        self.ended = false;
        Ok(())
    }

    /// An instruction or terminator.
    fn body(&mut self, line: &mut Line<'_>) -> Result<()> {
        if self.blocks.is_empty() || self.ended {
            return line.error("an instruction outside of a block");
        }
        let end = match line.peek() {
            "jump" => {
                line.next();
                Some(Terminator::Jump(line.edge()?))
            }
            "branch" => {
                line.next();
                let cond = line.value()?;
                line.expect(",")?;
                let yes = line.edge()?;
                line.expect(",")?;
                Some(Terminator::Branch(cond, yes, line.edge()?))
            }
            "exit" => {
                line.next();
                let exit = ExitId(line.index(ExitId::PREFIX)?);
                Some(Terminator::Exit(exit, line.list(Line::value)?))
            }
            _ => None,
        };
        let Some(end) = end else { return self.inst(line) };
        let pc = line.pc()?;
        self.ended = true;
        if let Some(block) = self.blocks.last_mut() {
            block.end = end;
            block.end_pc = pc;
        }
        Ok(())
    }

    fn inst(&mut self, line: &mut Line<'_>) -> Result<()> {
        let mut typed = Vec::new();
        if line.peek().strip_prefix(Value::PREFIX).is_some_and(|n| n.parse::<u32>().is_ok()) {
            loop {
                let value = line.value()?;
                line.expect(":")?;
                typed.push((value, line.ty()?));
                if !line.eat(",") {
                    break;
                }
            }
            line.expect("=")?;
        }
        let (op, args) = operation(line)?;
        let kept = if line.eat("keep") { line.list(Line::kept)? } else { Vec::new() };
        let pc = line.pc()?;
        let block = BlockId(self.blocks.len() as u32 - 1);
        let id = InstId(self.insts.len() as u32);
        for (i, &(value, ty)) in typed.iter().enumerate() {
            self.define(line, value, ty, Def::Result(id, i as u32))?;
        }
        let results = typed.into_iter().map(|(value, _)| value).collect();
        self.insts.push(Inst { op, args, results, pc, block, kept });
        self.blocks[block.index()].insts.push(id);
        Ok(())
    }
}

fn operation(line: &mut Line<'_>) -> Result<(Op, Vec<Value>)> {
    let name = line.next();
    let Some(op) = Op::by_name(name) else { return line.error(format!("`{name}` is not an operation")) };
    let mut args = Vec::new();
    let op = match op {
        Op::Const(_) => Op::Const(line.number()?),
        Op::ConstF64(_) => Op::ConstF64(line.hex()?),
        Op::ConstF32(_) => Op::ConstF32(line.hex()? as u32),
        Op::Text(_) => Op::Text(line.number()?),
        Op::Global(_) => Op::Global(line.number()?),
        Op::Element { .. } => {
            args.push(line.value()?);
            line.expect(",")?;
            args.push(line.value()?);
            line.expect("*")?;
            let stride = line.number()?;
            line.expect("+")?;
            Op::Element { stride, offset: line.number()? }
        }
        Op::LoadInt(..) | Op::LoadPointer(_) | Op::LoadFloat(_) | Op::LoadSingle(_) => {
            args.push(line.value()?);
            line.expect("+")?;
            op.with_offset(line.number()?)
        }
        Op::StoreInt(..) | Op::StoreFloat(_) | Op::StoreSingle(_) => {
            args.push(line.value()?);
            line.expect("+")?;
            let op = op.with_offset(line.number()?);
            line.expect(",")?;
            args.push(line.value()?);
            op
        }
        Op::Guard(_) => {
            args.push(line.value()?);
            Op::Guard(line.fault()?)
        }
        Op::Runtime(_) => {
            let name = line.next();
            let Some(routine) = Routine::by_name(name) else {
                return line.error(format!("`{name}` is not a runtime routine"));
            };
            args = line.list(Line::value)?;
            Op::Runtime(routine)
        }
        Op::Call(_) => {
            let function = FunctionId(line.index("function")?);
            args = line.list(Line::value)?;
            Op::Call(function)
        }
        Op::CallAny(_) => {
            let class = Class(line.index("class")?);
            args = line.list(Line::value)?;
            Op::CallAny(class)
        }
        op => {
            while line.peek() != "@" {
                if !args.is_empty() {
                    line.expect(",")?;
                }
                args.push(line.value()?);
            }
            op
        }
    };
    Ok((op, args))
}

/// The number of a table's row must be its position.
fn row(line: &mut Line<'_>, prefix: &str, position: usize) -> Result<bool> {
    let is_row = line.peek().strip_prefix(prefix).is_some_and(|n| n.parse::<u32>().is_ok());
    if is_row && line.index(prefix)? as usize != position {
        return line.error(format!("{prefix}{position} is next"));
    }
    Ok(is_row)
}

impl FromStr for Region {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Region> {
        let mut p = Parser::default();
        for (i, rest) in text.lines().enumerate() {
            let mut line = Line { rest, number: i + 1 };
            if rest.trim().is_empty() {
                continue;
            }
            if p.chains.is_empty() && line.eat("of") {
                line.expect("function")?;
                p.function = true;
            } else if row(&mut line, ChainId::PREFIX, p.chains.len())? {
                p.chain(&mut line)?;
            } else if row(&mut line, CycleId::PREFIX, p.cycles.len())? {
                p.cycle(&mut line)?;
            } else if row(&mut line, ExitId::PREFIX, p.exits.len())? {
                p.exit(&mut line)?;
            } else if row(&mut line, BlockId::PREFIX, p.blocks.len())? {
                p.block(&mut line)?;
            } else {
                p.body(&mut line)?;
            }
            if !line.peek().is_empty() {
                return line.error(format!("`{}` is too much", line.peek()));
            }
        }
        let last = Line { rest: "", number: text.lines().count() };
        if !p.ended {
            return last.error("the last block has no end");
        }
        for (i, value) in p.values.keys().enumerate() {
            if value.index() != i {
                return last.error(format!("v{i} is not defined"));
            }
        }
        Ok(Region {
            whole: if p.function { Whole::Function } else { Whole::Loop },
            chains: p.chains,
            cycles: p.cycles,
            exits: p.exits,
            blocks: p.blocks,
            insts: p.insts,
            values: p.values.into_values().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "\
chain0 = function1
cycle0 = loop0 chain0 block1 counted 2
exit0 = done @9 (4)
block0 chain0 @3 (v0: i64 = 0, v1: i64 = 1, v2: i64 = 2, v3: i64 = 3, v4: f64 = 4):
  v5: i64 = const 0 @3
  v6: i64 = const 1 @3
  v7: f64 = f64.const 0x3ff0000000000000 @3
  jump block1(v2, v3, v4) @3
block1 chain0 @3 cycle0 (v8: i64 = 2, v9: i64 = 3, v10: f64 = 4):
  v11: bool = lt_u v8, v1 @3
  guard v11 IndexOutOfRange keep (chain0 2 v8, chain0 1 v1) @3
  v12: i64 = element v0, v8 * 24 + 0 @3
  v13: f64 = load.f64 v12 + 16 @3
  v14: f64 = f64.add v10, v13 @4
  store.f64 v12 + 16, v14 @5
  v15: i64, v16: i64 = runtime FloatToString (v0, v14) @6
  v17: i64 = call function3 () @7
  v18: bool = ne v9, v5 @8
  branch v18, block2(), block3() @8
block2 chain0 @8 cycle0 ():
  v19: i64 = sub v9, v6 @8
  v20: i64 = add v8, v6 @8
  jump block1(v20, v19, v14) @8
block3 chain0 @9 ():
  exit exit0 (v14) @8
";

    #[test]
    fn what_is_printed_reads_back() {
        let region: Region = SUM.parse().unwrap();
        assert_eq!(region.to_string(), SUM);
        assert_eq!(region.verify(), Ok(()));
    }

    #[test]
    fn errors_name_the_line() {
        let bad = SUM.replace("f64.add", "f64.addd");
        assert_eq!(bad.parse::<Region>().unwrap_err().to_string(), "line 14: `f64.addd` is not an operation");
        let twice = SUM.replace("v20: i64", "v19: i64");
        assert_eq!(twice.parse::<Region>().unwrap_err().to_string(), "line 22: v19 is defined twice");
    }
}
