//! Reads a trace's text form.
//!
//! The numbers of values need not be their positions: a text written by hand may leave some out. The place of an
//! instruction that has none is that of the one before. Whether the result makes sense is the verifier's business.

use std::collections::HashMap;
use std::str::FromStr;

use scaly_interp::program::{Class, FunctionId, LoopId, Pc};
use scaly_interp::routine::Routine;

use super::{
    Const, End, ExitId, ExitKind, Frame, Inst, Op, Phi, Ref, Root, Slot, SlotState, Snapshot, SnapshotId, Trace,
    TraceId,
};
use crate::region;
pub use crate::region::ParseError;
use crate::region::Type;
use crate::region::parse::{Line, Result};

struct Parser {
    trace: Trace,
    names: HashMap<u32, Ref>,
    pc: Pc,
}

fn numbered(token: &str, prefix: &str) -> bool {
    token.strip_prefix(prefix).is_some_and(|n| n.parse::<u32>().is_ok())
}

impl Parser {
    fn value(&self, line: &mut Line<'_>) -> Result<Ref> {
        if numbered(line.peek(), "k") {
            return Ok(Ref::constant(line.index("k")? as usize));
        }
        let name = line.index("v")?;
        match self.names.get(&name) {
            Some(&r) => Ok(r),
            None => line.error(format!("v{name} is not defined")),
        }
    }

    fn constant(&mut self, line: &mut Line<'_>) -> Result<()> {
        let number = line.index("k")? as usize;
        if number != self.trace.constants.len() {
            return line.error(format!("k{} is next", self.trace.constants.len()));
        }
        line.expect(":")?;
        let ty = line.ty()?;
        line.expect("=")?;
        let constant = match ty {
            Type::Word => Const::Word(line.number()?),
            Type::Float => Const::Float(line.hex()?),
            Type::Single => Const::Single(line.hex()? as u32),
            Type::Cond => Const::Cond(line.number()?),
        };
        self.trace.constants.push(constant);
        Ok(())
    }

    fn inst(&mut self, line: &mut Line<'_>) -> Result<()> {
        let mut named = None;
        if numbered(line.peek(), "v") {
            let name = line.index("v")?;
            line.expect(":")?;
            named = Some((name, line.ty()?));
            line.expect("=")?;
        }
        let (op, a, b) = self.operation(line, named.map_or(Type::Word, |(_, ty)| ty))?;
        let snapshot = if line.eat("-") {
            line.expect(">")?;
            Some(SnapshotId(line.index("snap")?))
        } else {
            None
        };
        if line.peek() == "@" {
            self.pc = line.pc()?;
        }
        if op.result() != named.map(|(_, ty)| ty) {
            return line.error("the result's type is another");
        }
        if let Some((name, _)) = named
            && self.names.insert(name, Ref::instruction(self.trace.insts.len())).is_some()
        {
            return line.error(format!("v{name} is defined twice"));
        }
        self.trace.insts.push(Inst { op, a, b, snapshot, pc: self.pc });
        Ok(())
    }

    fn operation(&self, line: &mut Line<'_>, ty: Type) -> Result<(Op, Ref, Ref)> {
        let none = Ref::NONE;
        let name = line.next();
        Ok(match name {
            "slot" => {
                let slot = line.number()?;
                let epoch = if line.eat("epoch") { line.number()? } else { 0 };
                (Op::Slot { slot, ty, epoch }, none, none)
            }
            "store.slot" => {
                let slot = line.number()?;
                line.expect(",")?;
                (Op::StoreSlot(slot), self.value(line)?, none)
            }
            "slot.address" => (Op::SlotAddress(line.number()?), none, none),
            "stack.limit" => (Op::StackLimit, none, none),
            "inherit" => (Op::Inherit { index: line.number()?, ty }, none, none),
            "guard" => {
                let cond = self.value(line)?;
                (Op::Guard { expected: line.number()? }, cond, none)
            }
            "routine" => {
                let name = line.next();
                let Some(routine) = Routine::by_name(name) else {
                    return line.error(format!("`{name}` is not a runtime routine"));
                };
                (Op::Routine { routine, slot: line.number()? }, none, none)
            }
            "call.tree" => {
                let tree = TraceId(line.index("trace")?);
                (Op::CallTree { tree, slot: line.number()? }, none, none)
            }
            "call.function" => {
                let function = FunctionId(line.index("function")?);
                (Op::CallFunction { function, slot: line.number()? }, none, none)
            }
            "call.value" => {
                let class = Class(line.index("class")?);
                let slot = line.number()?;
                (Op::CallValue { class, slot }, self.value(line)?, none)
            }
            "poll" => (Op::Poll, none, none),
            "count" => (Op::Count(LoopId(line.index("loop")?)), none, none),
            "loop" => (Op::Loop, none, none),
            _ => {
                let Some(op) = region::Op::by_name(name) else {
                    return line.error(format!("`{name}` is not an operation"));
                };
                let (op, a, b) = self.common(line, op)?;
                (Op::Common(op), a, b)
            }
        })
    }

    fn common(&self, line: &mut Line<'_>, op: region::Op) -> Result<(region::Op, Ref, Ref)> {
        use region::Op as Common;
        let a = self.value(line)?;
        Ok(match op {
            Common::Element { .. } => {
                line.expect(",")?;
                let b = self.value(line)?;
                line.expect("*")?;
                let stride = line.number()?;
                line.expect("+")?;
                (Common::Element { stride, offset: line.number()? }, a, b)
            }
            Common::LoadInt(..) | Common::LoadPointer(_) | Common::LoadFloat(_) | Common::LoadSingle(_) => {
                line.expect("+")?;
                (op.with_offset(line.number()?), a, Ref::NONE)
            }
            Common::StoreInt(..) | Common::StoreFloat(_) | Common::StoreSingle(_) => {
                line.expect("+")?;
                let op = op.with_offset(line.number()?);
                line.expect(",")?;
                (op, a, self.value(line)?)
            }
            op => (op, a, if line.eat(",") { self.value(line)? } else { Ref::NONE }),
        })
    }

    fn phi(&mut self, line: &mut Line<'_>) -> Result<()> {
        let left = self.value(line)?;
        line.expect(",")?;
        let right = self.value(line)?;
        self.trace.phis.push(Phi { left, right });
        Ok(())
    }

    fn carried(&mut self, line: &mut Line<'_>) -> Result<()> {
        while !line.peek().is_empty() {
            if !self.trace.carried.is_empty() {
                line.expect(",")?;
            }
            let slot = line.number()?;
            line.expect("=")?;
            let state = if line.eat("memory") {
                SlotState::Memory(line.number()?)
            } else {
                SlotState::Value(self.value(line)?)
            };
            self.trace.carried.push((slot, state));
        }
        Ok(())
    }

    fn entry(&mut self, line: &mut Line<'_>) -> Result<()> {
        self.trace.entry = Some(SnapshotId(line.index("snap")?));
        Ok(())
    }

    fn epochs(&mut self, line: &mut Line<'_>) -> Result<()> {
        self.trace.epochs = line.number()?;
        Ok(())
    }

    fn end(&mut self, line: &mut Line<'_>) -> Result<()> {
        self.trace.end = match line.next() {
            "loop" => End::Loop(SnapshotId(line.index("snap")?)),
            "link" => {
                let trace = TraceId(line.index("trace")?);
                End::Link(trace, SnapshotId(line.index("snap")?))
            }
            "leave" => End::Leave(SnapshotId(line.index("snap")?)),
            "return" => End::Return,
            other => return line.error(format!("`{other}` is no end")),
        };
        Ok(())
    }

    fn snapshot(&mut self, line: &mut Line<'_>) -> Result<()> {
        let number = line.index("snap")? as usize;
        if number != self.trace.snapshots.len() {
            return line.error(format!("snap{} is next", self.trace.snapshots.len()));
        }
        let kind = match line.next() {
            "resume" => ExitKind::Resume,
            "leave" => ExitKind::Leave,
            "outcome" => ExitKind::Outcome,
            "pass" => ExitKind::PassOn(self.value(line)?),
            other => return line.error(format!("`{other}` is not a kind of exit")),
        };
        let pc = line.pc()?;
        let mut frames = Vec::new();
        if line.eat("in") {
            loop {
                frames.push(Frame { base: line.number()?, return_pc: line.pc()? });
                if !line.eat(",") {
                    break;
                }
            }
        }
        let slots = line.list(|line| {
            let slot: Slot = line.number()?;
            line.expect("=")?;
            Ok((slot, self.value(line)?))
        })?;
        self.trace.snapshots.push(Snapshot { kind, pc, frames, slots });
        Ok(())
    }
}

impl Parser {
    fn line(&mut self, line: &mut Line<'_>) -> Result<()> {
        let token = line.peek();
        if numbered(token, "k") {
            return self.constant(line);
        }
        if numbered(token, "snap") {
            return self.snapshot(line);
        }
        let parse = match token {
            "phi" => Self::phi,
            "carried" => Self::carried,
            "entry" => Self::entry,
            "epochs" => Self::epochs,
            "end" => Self::end,
            _ => return self.inst(line),
        };
        line.next();
        parse(self, line)
    }
}

fn root(line: &mut Line<'_>) -> Result<Root> {
    let token = line.peek();
    let root = if numbered(token, "loop") {
        Root::Loop(LoopId(line.index("loop")?))
    } else if numbered(token, "function") {
        Root::Function(FunctionId(line.index("function")?))
    } else {
        Root::Side(ExitId(line.index("exit")?))
    };
    line.expect(if matches!(root, Root::Side(_)) { "side" } else { "root" })?;
    Ok(root)
}

impl FromStr for Trace {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Trace> {
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let mut lines = lines.by_ref().map(|(i, rest)| Line { rest, number: i + 1 });
        let Some(mut first) = lines.next() else { return Line { rest: "", number: 1 }.error("a trace has a root") };
        let mut parser = Parser { trace: Trace::new(root(&mut first)?), names: HashMap::new(), pc: Pc(0) };
        for mut line in lines {
            parser.line(&mut line)?;
            if !line.peek().is_empty() {
                return line.error(format!("`{}` is too much", line.peek()));
            }
        }
        Ok(parser.trace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = "\
loop3 root
k0: i64 = -10
k1: f64 = 0x3ff0000000000000
k2: f32 = 0x3f800000
k3: bool = true
v0: i64 = slot 4 @2
v1: i64 = slot 5 epoch 1 @2
store.slot 20, v0 @2
v3: i64 = element v1, v0 * 8 + 0 @3
v4: f64 = load.f64 v3 + 8 @3
store.f64 v3 + 16, k1 @3
v6: bool = lt_s v0, k0 @3
guard v6 true -> snap0 @3
routine StringHash 20 -> snap1 @4
v9: i64 = call.tree trace2 0 @5
call.function function1 30 -> snap0 @5
v11: f64 = reread.f64 v0 @5
v12: i64 = slot.address 9 @5
count loop3 @6
loop @6
poll -> snap0 @6
v16: i64 = add v0, k0 @7
phi v0, v16
carried 4 = v16, 5 = memory 1
epochs 1
end loop snap0
snap0 resume @3 (4 = v0)
snap1 outcome @4 in 30 @7, 40 @9 (4 = v0, 5 = k1)
snap2 pass v9 @6 ()
";

    #[test]
    fn what_is_printed_reads_back() {
        let trace: Trace = ALL.parse().unwrap();
        assert_eq!(trace.to_string(), ALL);
        assert_eq!(trace.verify(), Ok(()));
    }

    #[test]
    fn names_need_not_be_positions() {
        let trace: Trace = "exit2 side\nv7: f32 = inherit 0 @5\nv9: i64 = f32.bits v7\nend return\n".parse().unwrap();
        let expected = "exit2 side\nv0: f32 = inherit 0 @5\nv1: i64 = f32.bits v0 @5\nend return\n";
        assert_eq!(trace.to_string(), expected);
    }

    #[test]
    fn errors_name_the_line() {
        let error = |from: &str, to: &str| ALL.replace(from, to).parse::<Trace>().unwrap_err().to_string();
        assert_eq!(error("reread.f64", "reread.f65"), "line 17: `reread.f65` is not an operation");
        assert_eq!(error("v16: i64 = add", "v12: i64 = add"), "line 22: v12 is defined twice");
        assert_eq!(error("phi v0, v16", "phi v0, v17"), "line 23: v17 is not defined");
        assert_eq!(error("v11: f64", "v11: i64"), "line 17: the result's type is another");
    }
}
