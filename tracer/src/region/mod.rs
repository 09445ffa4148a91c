//! The region IR: all paths of one loop's iteration, or of one function from its entry to its returns, as a graph of blocks
//! with parameters, in SSA form.
//!
//! Independence, and later LLVM, lanes and kernels, read this one IR; none looks at the syntax tree. Opcodes mirror the
//! methods of `Machine`, so that what an instruction of the bytecode means is still written once.
//!
//! Rejected: stitching recorded traces together. It copies the tail after every `if`, and a path that never ran is
//! missing, so nothing could be proven on it.
//!
//! # Invariants
//!
//! - `block0` is the entry: its parameters are the live slots at the loop's header, or the function's parameters that are
//!   read; its instructions are the constants. It jumps to the header, which has parameters only for slots that the loop
//!   writes, or to the function's first block.
//! - There is one block for each (inline chain, bytecode block) reached; a call that is inlined or a decision that emits
//!   on one side cuts a block in two. Blocks stand in an order in which each comes after those that dominate it.
//! - `cycle0` of a loop's region is that loop. Every other cycle is a loop inside of it, of the same function or of an
//!   inlined one, or where the region is lowered, a copy of it. The outermost cycles of a function's region lie in none.
//!   A branch to an earlier block goes to the header of a cycle.
//! - A guard ends the program with its fault if its condition is false. An instruction behind a guard is not moved
//!   before it.
//! - A guard or a call may keep what the frames hold if the interpreter goes on at its instruction of the bytecode: a
//!   guard the operands, of which the interpreter makes the same error, a call all that is read from there on. Proofs do
//!   without.
//! - A parameter is a slot of its block's chain; a call's results are slots from the call's frame on.

mod dominators;
mod op;
pub(crate) mod parse;
mod print;
mod verify;

use std::fmt;

pub use dominators::Dominators;
pub use op::{Effects, Op};
pub use parse::ParseError;
use rustc_hash::FxHashMap;
use scaly_interp::machine::Fault;
use scaly_interp::program::{FunctionId, LoopId, LoopKind, Pc};
pub use verify::VerifyError;

macro_rules! index {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub struct $name(pub u32);

        impl $name {
            /// What its name in the text form begins with.
            pub const PREFIX: &str = $prefix;

            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

index!(
    /// An SSA value.
    Value, "v"
);
index!(
    /// A block of a region.
    BlockId, "block"
);
index!(
    /// An instruction of a region.
    InstId, "inst"
);
index!(
    /// An activation: the region's function, or one inlined at a call.
    ChainId, "chain"
);
index!(
    /// A loop of a region: of its own function or of an inlined one.
    CycleId, "cycle"
);
index!(
    /// A way out of the region.
    ExitId, "exit"
);

/// What a value is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Type {
    /// A word: integers of all widths, extended by their own sign, bools, characters, addresses.
    Word,
    Float,
    Single,
    /// A condition.
    Cond,
}

impl Type {
    pub const ALL: [Type; 4] = [Type::Word, Type::Float, Type::Single, Type::Cond];

    pub fn name(self) -> &'static str {
        match self {
            Type::Word => "i64",
            Type::Float => "f64",
            Type::Single => "f32",
            Type::Cond => "bool",
        }
    }
}

/// Where a value comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Def {
    /// Parameter of a block, by position.
    Param(BlockId, u32),
    /// Result of an instruction, by position.
    Result(InstId, u32),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ValueData {
    pub ty: Type,
    pub def: Def,
}

/// What a slot holds where the interpreter goes on at an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kept {
    /// The block's chain or one that it was called from.
    pub chain: ChainId,
    pub slot: u16,
    pub value: Value,
}

/// An instruction. Its chain is that of its block.
#[derive(Clone, PartialEq, Debug)]
pub struct Inst {
    pub op: Op,
    pub args: Vec<Value>,
    pub results: Vec<Value>,
    /// The instruction of the bytecode that it comes from.
    pub pc: Pc,
    pub block: BlockId,
    /// Of guards and calls, where the walker was asked for it.
    pub kept: Vec<Kept>,
}

/// A block's parameter and the slot of its chain's frame that it stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Param {
    pub value: Value,
    pub slot: u16,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Edge {
    pub to: BlockId,
    /// As many as the target has parameters.
    pub args: Vec<Value>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Terminator {
    Jump(Edge),
    /// To the first if the condition holds, else to the second.
    Branch(Value, Edge, Edge),
    /// Out of the region, with the values of the exit's slots.
    Exit(ExitId, Vec<Value>),
}

impl Terminator {
    pub fn edges(&self) -> impl Iterator<Item = &Edge> {
        let (a, b) = match self {
            Terminator::Jump(e) => (Some(e), None),
            Terminator::Branch(_, yes, no) => (Some(yes), Some(no)),
            Terminator::Exit(..) => (None, None),
        };
        a.into_iter().chain(b)
    }

    pub fn edges_mut(&mut self) -> impl Iterator<Item = &mut Edge> {
        let (a, b) = match self {
            Terminator::Jump(e) => (Some(e), None),
            Terminator::Branch(_, yes, no) => (Some(yes), Some(no)),
            Terminator::Exit(..) => (None, None),
        };
        a.into_iter().chain(b)
    }

    /// Every value that it reads.
    pub fn uses(&self) -> impl Iterator<Item = Value> {
        let (cond, args): (Option<Value>, &[Value]) = match self {
            Terminator::Jump(_) => (None, &[]),
            Terminator::Branch(cond, ..) => (Some(*cond), &[]),
            Terminator::Exit(_, args) => (None, args),
        };
        cond.into_iter().chain(args.iter().copied()).chain(self.edges().flat_map(|e| e.args.iter().copied()))
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct Block {
    pub chain: ChainId,
    /// The first instruction of the bytecode that it stands for.
    pub pc: Pc,
    /// The innermost cycle that it belongs to; none for the entry.
    pub cycle: Option<CycleId>,
    pub params: Vec<Param>,
    pub insts: Vec<InstId>,
    pub end: Terminator,
    /// The instruction of the bytecode that decided the terminator.
    pub end_pc: Pc,
}

/// An activation of a function in the region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chain {
    pub function: FunctionId,
    /// The activation that calls, and the call; none for the region's own.
    pub caller: Option<(ChainId, Pc)>,
}

/// A loop in the region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cycle {
    pub id: LoopId,
    pub chain: ChainId,
    pub header: BlockId,
    pub parent: Option<CycleId>,
    pub kind: LoopKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ExitKind {
    /// The counted loop has made all its trips.
    Done,
    /// Any other way out of the loop within its function: the condition of a `while`, `break`.
    Leave,
    /// Out of the region's function.
    Return,
    /// The program ends with an error.
    Fault(Fault),
    /// The program ends in a routine that does not come back.
    Stop,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Exit {
    pub kind: ExitKind,
    /// Where the interpreter goes on; for the kinds that end the program, the instruction that ends it.
    pub pc: Pc,
    /// The slots of chain0's frame that the exit gives values for: those that the loop writes and something reads later;
    /// of `Return` the results.
    pub slots: Vec<u16>,
}

/// What a region holds all paths of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Whole {
    /// One iteration of a loop, `cycle0`.
    Loop,
    /// One call of a function, that of `chain0`.
    Function,
}

/// All paths of one iteration of a loop, or of one call of a function.
#[derive(Clone, PartialEq, Debug)]
pub struct Region {
    pub whole: Whole,
    pub chains: Vec<Chain>,
    pub cycles: Vec<Cycle>,
    pub exits: Vec<Exit>,
    pub blocks: Vec<Block>,
    pub insts: Vec<Inst>,
    pub values: Vec<ValueData>,
}

impl Region {
    pub const ENTRY: BlockId = BlockId(0);
    /// The cycle that the region of a loop is of.
    pub const ROOT: CycleId = CycleId(0);

    pub fn block(&self, id: BlockId) -> &Block {
        &self.blocks[id.index()]
    }

    pub fn inst(&self, id: InstId) -> &Inst {
        &self.insts[id.index()]
    }

    /// Changes every value that a block reads: its instructions, its end, and what it hands to the blocks behind.
    pub fn change_reads(&mut self, id: BlockId, mut change: impl FnMut(&mut Value)) {
        let Region { blocks, insts, .. } = self;
        let block = &mut blocks[id.index()];
        for inst in block.insts.iter().map(|inst| inst.index()) {
            insts[inst].args.iter_mut().for_each(&mut change);
            insts[inst].kept.iter_mut().for_each(|kept| change(&mut kept.value));
        }
        match &mut block.end {
            Terminator::Branch(condition, ..) => change(condition),
            Terminator::Exit(_, values) => values.iter_mut().for_each(&mut change),
            Terminator::Jump(_) => {}
        }
        block.end.edges_mut().for_each(|edge| edge.args.iter_mut().for_each(&mut change));
    }

    pub fn cycle(&self, id: CycleId) -> &Cycle {
        &self.cycles[id.index()]
    }

    pub fn exit(&self, id: ExitId) -> &Exit {
        &self.exits[id.index()]
    }

    pub fn ty(&self, value: Value) -> Type {
        self.values[value.index()].ty
    }

    /// The instruction that computes a value; none for a parameter.
    pub fn def_inst(&self, value: Value) -> Option<&Inst> {
        match self.values[value.index()].def {
            Def::Result(inst, _) => Some(self.inst(inst)),
            Def::Param(..) => None,
        }
    }

    /// The block that a value is defined in.
    pub fn def_block(&self, value: Value) -> BlockId {
        match self.values[value.index()].def {
            Def::Result(inst, _) => self.inst(inst).block,
            Def::Param(block, _) => block,
        }
    }

    /// The value of a constant word.
    pub fn constant(&self, value: Value) -> Option<i64> {
        match self.def_inst(value)?.op {
            Op::Const(c) => Some(c),
            _ => None,
        }
    }

    /// The loop that the region is of; none if it is of a function.
    pub fn root(&self) -> Option<&Cycle> {
        match self.whole {
            Whole::Loop => self.cycles.first(),
            Whole::Function => None,
        }
    }

    /// Instructions, constants and terminators apart.
    pub fn size(&self) -> usize {
        self.insts.iter().filter(|i| i.block != Self::ENTRY).count()
    }

    /// Whether a cycle is `outer` or lies in it.
    pub fn within(&self, mut cycle: Option<CycleId>, outer: CycleId) -> bool {
        while let Some(id) = cycle {
            if id == outer {
                return true;
            }
            cycle = self.cycle(id).parent;
        }
        false
    }

    /// By block: whether every way from it ends the program, without going round a loop.
    pub fn ending(&self) -> Vec<bool> {
        let mut ending = vec![false; self.blocks.len()];
        for (i, block) in self.blocks.iter().enumerate().rev() {
            ending[i] = match &block.end {
                Terminator::Exit(exit, _) => matches!(self.exit(*exit).kind, ExitKind::Fault(_) | ExitKind::Stop),
                end => end.edges().all(|edge| edge.to.index() > i && ending[edge.to.index()]),
            };
        }
        ending
    }

    /// Gives it other blocks. Edges and cycles still name old places, or such as stood for new blocks.
    pub fn place(&mut self, mut blocks: Vec<Block>, places: &FxHashMap<BlockId, BlockId>) {
        let place = |id: &mut BlockId| *id = places.get(id).copied().unwrap_or(*id);
        blocks.iter_mut().flat_map(|block| block.end.edges_mut()).for_each(|edge| place(&mut edge.to));
        self.cycles.iter_mut().for_each(|cycle| place(&mut cycle.header));
        for (i, block) in blocks.iter().enumerate() {
            let id = BlockId(i as u32);
            for (n, param) in block.params.iter().enumerate() {
                self.values[param.value.index()].def = Def::Param(id, n as u32);
            }
            block.insts.iter().for_each(|inst| self.insts[inst.index()].block = id);
        }
        self.blocks = blocks;
    }

    /// Takes out instructions that are in no block any more. What they and parameters that are gone defined, nothing reads.
    pub fn forget_unplaced(&mut self) {
        for data in &mut self.values {
            data.def = Def::Param(Region::ENTRY, 0);
        }
        let mut placed = Vec::new();
        for (i, block) in self.blocks.iter_mut().enumerate() {
            for (n, param) in block.params.iter().enumerate() {
                self.values[param.value.index()].def = Def::Param(BlockId(i as u32), n as u32);
            }
            for id in &mut block.insts {
                let inst = self.insts[id.index()].clone();
                *id = InstId(placed.len() as u32);
                for (n, result) in inst.results.iter().enumerate() {
                    self.values[result.index()].def = Def::Result(*id, n as u32);
                }
                placed.push(inst);
            }
        }
        self.insts = placed;
    }

    /// For each block, the blocks and edge positions that lead to it.
    pub fn predecessors(&self) -> Vec<Vec<(BlockId, usize)>> {
        let mut preds = vec![Vec::new(); self.blocks.len()];
        for (i, block) in self.blocks.iter().enumerate() {
            for (n, edge) in block.end.edges().enumerate() {
                preds[edge.to.index()].push((BlockId(i as u32), n));
            }
        }
        preds
    }

    /// Calls in the chain from the region's function to a block's, outermost first: call instruction and callee.
    pub fn calls_to(&self, mut chain: ChainId) -> Vec<(Pc, FunctionId)> {
        let mut calls = Vec::new();
        while let Some((caller, pc)) = self.chains[chain.index()].caller {
            calls.push((pc, self.chains[chain.index()].function));
            chain = caller;
        }
        calls.reverse();
        calls
    }
}
