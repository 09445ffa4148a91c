//! What the programmer calls things, and where in the source they stand.

use std::ops::Range;

use scaly_interp::program::{LoopId, Pc, Program};
use scaly_interp::routine::Routine;

use crate::region::{BlockId, Def, Inst, Region, Value};

/// What has no name in the source.
pub const NAMELESS: &str = "a temporary value";

/// What a routine that reaches the world outside is called in a program, in quotes.
pub fn routine(routine: Routine) -> String {
    let name = match routine {
        Routine::ConsolePrint => "print",
        Routine::ConsoleError => "Console.error",
        Routine::ConsoleHasLine | Routine::ConsoleTakeLine => "Console.read_line",
        Routine::FileRead => "File.read",
        Routine::FileReadBytes => "File.read_bytes",
        Routine::FileWrite => "File.write",
        Routine::FileAppend => "File.append",
        Routine::FileExists => "File.exists",
        Routine::FileDelete => "File.delete",
        Routine::ImageWritePng => "Image.save",
        Routine::TimeNow => "Time.now",
        Routine::TimeClock => "Time.clock",
        Routine::TimeSleep => "Time.sleep",
        Routine::Exit => "exit",
        other => other.name(),
    };
    format!("`{name}`")
}

pub struct Names<'a> {
    pub program: &'a Program,
    pub region: &'a Region,
    pub id: LoopId,
}

impl Names<'_> {
    /// The variable in a slot of the region's function, in quotes.
    pub fn slot(&self, slot: u16) -> String {
        match self.variable(slot) {
            Some((name, _)) if !name.is_empty() => format!("`{name}`"),
            _ => NAMELESS.into(),
        }
    }

    /// The same, as it is written, and all its slots: before others the one that is there when the loop begins.
    pub fn variable(&self, slot: u16) -> Option<(&str, Range<u16>)> {
        let l = &self.program.loops[self.id.0 as usize];
        let function = self.program.function(l.function);
        let held = || function.variables.iter().filter(|v| v.slots.contains(&slot));
        let variable = held()
            .find(|v| v.code.contains(&l.code.start))
            .or_else(|| held().find(|v| v.code.start < l.code.end && v.code.end > l.code.start))
            .map(|v| (v.name.as_str(), v.slots.clone()));
        let param =
            || function.params.iter().find(|p| p.slots.contains(&slot)).map(|p| (p.name.as_str(), p.slots.clone()));
        variable.or_else(param)
    }

    /// A value that enters the loop in a slot, or is a parameter of a block.
    pub fn value(&self, value: Value) -> String {
        match self.region.values[value.index()].def {
            Def::Param(block, position) if self.region.block(block).chain.index() == 0 => {
                self.slot(self.region.block(block).params[position as usize].slot)
            }
            _ => NAMELESS.into(),
        }
    }

    /// The instruction in what the programmer wrote that an instruction of the region belongs to: a call, where it stands
    /// in the library.
    pub fn place(&self, block: BlockId, pc: Pc) -> Pc {
        let mut chain = &self.region.chains[self.region.block(block).chain.index()];
        let mut pc = pc;
        while let Some((caller, call)) = chain.caller {
            if !self.program.function(chain.function).library {
                break;
            }
            chain = &self.region.chains[caller.index()];
            pc = call;
        }
        pc
    }

    /// The routine of the library that the programmer called, in whose code a block is.
    pub fn called(&self, block: BlockId) -> Option<&str> {
        let mut chain = &self.region.chains[self.region.block(block).chain.index()];
        let mut called = None;
        while let Some((caller, _)) = chain.caller {
            let function = self.program.function(chain.function);
            if !function.library {
                break;
            }
            called = Some(function.name.as_str());
            chain = &self.region.chains[caller.index()];
        }
        called
    }

    pub fn inst(&self, inst: &Inst) -> Pc {
        self.place(inst.block, inst.pc)
    }

    /// The instruction at which a block was left, in what the programmer wrote.
    pub fn end(&self, block: BlockId) -> Pc {
        self.place(block, self.region.block(block).end_pc)
    }
}
