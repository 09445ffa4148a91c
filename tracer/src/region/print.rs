//! The text form of a region. The parser reads it back.
//!
//! ```text
//! chain0 = function1
//! cycle0 = loop0 chain0 block1 counted 2
//! exit0 = done @9 (4)
//! block0 chain0 @3 (v0: i64 = 0, v1: i64 = 2):
//!   v2: i64 = const 1 @3
//!   jump block1(v1) @3
//! block1 chain0 @3 cycle0 (v3: i64 = 2):
//!   v4: i64 = element v0, v3 * 8 + 0 @3
//!   v5: f64 = load.f64 v4 + 8 @3
//!   guard v6 IndexOutOfRange @4
//!   branch v7, block2(v5), block3() @5
//! ```
//!
//! The region of a function begins with the line `of function`.
//!
//! A parameter's `= 2` is its slot; `@3` is the instruction of the bytecode. What an instruction keeps stands before that:
//! `guard v6 IndexOutOfRange keep (chain0 3 v5)`.

use std::fmt;

use scaly_interp::program::LoopKind;

use super::{Block, Edge, ExitKind, Inst, Kept, Op, Region, Terminator, Value, Whole};

/// Items with commas between them.
struct List<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, item) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{item}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.to, List(&self.args))
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.chain, self.slot, self.value)
    }
}

impl fmt::Display for ExitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitKind::Done => f.write_str("done"),
            ExitKind::Leave => f.write_str("leave"),
            ExitKind::Return => f.write_str("return"),
            ExitKind::Fault(fault) => write!(f, "fault {fault:?}"),
            ExitKind::Stop => f.write_str("stop"),
        }
    }
}

impl Region {
    fn fmt_values(&self, f: &mut fmt::Formatter<'_>, values: &[Value]) -> fmt::Result {
        for (i, &value) in values.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{value}: {}", self.ty(value).name())?;
        }
        Ok(())
    }

    fn fmt_inst(&self, f: &mut fmt::Formatter<'_>, inst: &Inst) -> fmt::Result {
        f.write_str("  ")?;
        if !inst.results.is_empty() {
            self.fmt_values(f, &inst.results)?;
            f.write_str(" = ")?;
        }
        f.write_str(&inst.op.name())?;
        let args = &inst.args;
        match inst.op {
            Op::Const(c) => write!(f, " {c}")?,
            Op::ConstF64(bits) => write!(f, " {bits:#x}")?,
            Op::ConstF32(bits) => write!(f, " {bits:#x}")?,
            Op::Text(n) | Op::Global(n) => write!(f, " {n}")?,
            Op::Element { stride, offset } => write!(f, " {}, {} * {stride} + {offset}", args[0], args[1])?,
            Op::LoadInt(_, offset) | Op::LoadPointer(offset) | Op::LoadFloat(offset) | Op::LoadSingle(offset) => {
                write!(f, " {} + {offset}", args[0])?
            }
            Op::StoreInt(_, offset) | Op::StoreFloat(offset) | Op::StoreSingle(offset) => {
                write!(f, " {} + {offset}, {}", args[0], args[1])?
            }
            Op::Guard(fault) => write!(f, " {} {fault:?}", args[0])?,
            Op::Runtime(routine) => write!(f, " {} ({})", routine.name(), List(args))?,
            Op::Call(function) => write!(f, " {function} ({})", List(args))?,
            Op::CallAny(class) => write!(f, " {class} ({})", List(args))?,
            _ => write!(f, " {}", List(args))?,
        }
        if !inst.kept.is_empty() {
            write!(f, " keep ({})", List(&inst.kept))?;
        }
        writeln!(f, " {}", inst.pc)
    }

    fn fmt_block(&self, f: &mut fmt::Formatter<'_>, block: &Block) -> fmt::Result {
        write!(f, "{} {}", block.chain, block.pc)?;
        if let Some(cycle) = block.cycle {
            write!(f, " {cycle}")?;
        }
        f.write_str(" (")?;
        for (i, param) in block.params.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{}: {} = {}", param.value, self.ty(param.value).name(), param.slot)?;
        }
        writeln!(f, "):")?;
        for &inst in &block.insts {
            self.fmt_inst(f, self.inst(inst))?;
        }
        match &block.end {
            Terminator::Jump(edge) => write!(f, "  jump {edge}")?,
            Terminator::Branch(cond, yes, no) => write!(f, "  branch {cond}, {yes}, {no}")?,
            Terminator::Exit(exit, args) => write!(f, "  exit {exit} ({})", List(args))?,
        }
        writeln!(f, " {}", block.end_pc)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.whole == Whole::Function {
            writeln!(f, "of function")?;
        }
        for (i, chain) in self.chains.iter().enumerate() {
            write!(f, "chain{i} = {}", chain.function)?;
            if let Some((caller, pc)) = chain.caller {
                write!(f, " in {caller} {pc}")?;
            }
            writeln!(f)?;
        }
        for (i, cycle) in self.cycles.iter().enumerate() {
            write!(f, "cycle{i} = {} {} {}", cycle.id, cycle.chain, cycle.header)?;
            match cycle.kind {
                LoopKind::Counted { counter } => write!(f, " counted {counter}")?,
                LoopKind::Open => f.write_str(" open")?,
            }
            if let Some(parent) = cycle.parent {
                write!(f, " in {parent}")?;
            }
            writeln!(f)?;
        }
        for (i, exit) in self.exits.iter().enumerate() {
            writeln!(f, "exit{i} = {} {} ({})", exit.kind, exit.pc, List(&exit.slots))?;
        }
        for (i, block) in self.blocks.iter().enumerate() {
            write!(f, "block{i} ")?;
            self.fmt_block(f, block)?;
        }
        Ok(())
    }
}
