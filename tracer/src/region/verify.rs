//! Whether a region keeps the promises in this module's header.

use std::fmt;

use super::{BlockId, Def, Dominators, ExitKind, Inst, InstId, Op, Region, Terminator, Type, Value, Whole};

/// What is broken, and in which block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifyError {
    pub block: BlockId,
    pub message: String,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.block, self.message)
    }
}

impl std::error::Error for VerifyError {}

struct Verifier<'a> {
    region: &'a Region,
    dominators: Dominators,
    block: BlockId,
    /// Position of each instruction in its block.
    position: Vec<usize>,
}

type Result = std::result::Result<(), VerifyError>;

impl Verifier<'_> {
    fn error(&self, message: impl Into<String>) -> Result {
        Err(VerifyError { block: self.block, message: message.into() })
    }

    fn ensure(&self, holds: bool, message: impl FnOnce() -> String) -> Result {
        if holds { Ok(()) } else { self.error(message()) }
    }

    /// A value read at this position of the block is defined on every path to it.
    fn usable(&self, value: Value, at: usize) -> Result {
        let Some(data) = self.region.values.get(value.index()) else {
            return self.error(format!("{value} does not exist"));
        };
        let (home, before) = match data.def {
            Def::Param(block, _) => (block, true),
            Def::Result(inst, _) => (self.region.inst(inst).block, self.position[inst.index()] < at),
        };
        let defined = if home == self.block { before } else { self.dominators.dominates(home, self.block) };
        self.ensure(defined, || format!("{value} is read where it may not be defined"))
    }

    fn typed(&self, value: Value, ty: Type, what: &str) -> Result {
        let found = self.region.ty(value);
        self.ensure(found == ty, || format!("{what} {value} is {}, not {}", found.name(), ty.name()))
    }

    fn inst(&self, id: InstId, at: usize) -> Result {
        let inst = self.region.inst(id);
        self.ensure(inst.block == self.block, || format!("an instruction of {} stands here", inst.block))?;
        for (i, &result) in inst.results.iter().enumerate() {
            let def = self.region.values.get(result.index()).map(|v| v.def);
            self.ensure(def == Some(Def::Result(id, i as u32)), || format!("{result} is not this instruction's"))?;
        }
        for &arg in &inst.args {
            self.usable(arg, at)?;
        }
        self.kept(inst, at)?;
        let name = inst.op.name();
        if let Some((args, result)) = inst.op.shape() {
            self.ensure(args.len() == inst.args.len(), || format!("{name} takes {} operands", args.len()))?;
            for (&arg, &ty) in inst.args.iter().zip(args) {
                self.typed(arg, ty, &format!("{name}'s operand"))?;
            }
            self.ensure(inst.results.len() == usize::from(result.is_some()), || format!("{name}'s results"))?;
            if let Some(ty) = result {
                self.typed(inst.results[0], ty, &format!("{name}'s result"))?;
            }
        }
        match inst.op {
            Op::Reread(ty) => {
                self.ensure(inst.args.len() == 1 && inst.results.len() == 1, || format!("{name} takes one operand"))?;
                self.typed(inst.results[0], ty, "the result")?;
            }
            Op::Runtime(routine) => {
                let row = routine.signature();
                let right =
                    (inst.args.len(), inst.results.len()) == (row.param_slots() as usize, row.result_slots() as usize);
                self.ensure(right, || format!("{}'s slots", row.name))?;
            }
            Op::Const(_) | Op::ConstF64(_) | Op::ConstF32(_) => {
                self.ensure(self.block == Region::ENTRY, || "a constant outside of the entry".into())?
            }
            _ => {}
        }
        let effects = self.block == Region::ENTRY && inst.op.effects() != super::Effects::Pure;
        self.ensure(!effects, || "an effect in the entry".into())
    }

    fn kept(&self, inst: &Inst, at: usize) -> Result {
        let leaves = matches!(inst.op, Op::Guard(_) | Op::Runtime(_) | Op::Call(_) | Op::CallAny(_));
        self.ensure(leaves || inst.kept.is_empty(), || format!("{} keeps slots", inst.op.name()))?;
        for kept in &inst.kept {
            self.usable(kept.value, at)?;
            self.ensure(self.region.ty(kept.value) != Type::Cond, || "a condition in a slot".into())?;
            let mut chain = Some(self.region.block(self.block).chain);
            while chain.is_some_and(|c| c != kept.chain) {
                chain = chain.and_then(|c| self.region.chains[c.index()].caller).map(|(caller, _)| caller);
            }
            self.ensure(chain.is_some(), || format!("{} has not called this", kept.chain))?;
        }
        Ok(())
    }

    fn end(&self) -> Result {
        let region = self.region;
        let block = region.block(self.block);
        for value in block.end.uses() {
            self.usable(value, usize::MAX)?;
        }
        if let Terminator::Branch(cond, ..) = block.end {
            self.typed(cond, Type::Cond, "the condition")?;
        }
        if let Terminator::Exit(exit, args) = &block.end {
            let Some(exit) = region.exits.get(exit.index()) else { return self.error(format!("{exit} is missing")) };
            self.ensure(exit.slots.len() == args.len(), || "as many values as the exit has slots".into())?;
            let leaves_loop = matches!(exit.kind, ExitKind::Done | ExitKind::Leave);
            self.ensure(!(leaves_loop && region.whole == Whole::Function), || "a function has no such exit".into())?;
        }
        for edge in block.end.edges() {
            let target = region.block(edge.to);
            self.ensure(target.params.len() == edge.args.len(), || format!("arguments of {}", edge.to))?;
            for (&arg, param) in edge.args.iter().zip(&target.params) {
                self.typed(arg, region.ty(param.value), "the argument")?;
            }
            if edge.to <= self.block {
                let header = region.cycles.iter().position(|c| c.header == edge.to);
                self.ensure(header.is_some(), || format!("an edge back to {}, which is no header", edge.to))?;
                self.ensure(self.dominators.dominates(edge.to, self.block), || {
                    format!("an edge back to {}, which does not dominate it", edge.to)
                })?;
            }
        }
        Ok(())
    }

    fn block(&self) -> Result {
        let region = self.region;
        let block = region.block(self.block);
        self.ensure(block.chain.index() < region.chains.len(), || format!("{} is missing", block.chain))?;
        self.ensure(self.dominators.reached(self.block), || "no path leads here".into())?;
        if let Some(cycle) = block.cycle {
            self.ensure(cycle.index() < region.cycles.len(), || format!("{cycle} is missing"))?;
        }
        for (i, param) in block.params.iter().enumerate() {
            let def = region.values.get(param.value.index()).map(|v| v.def);
            let own = Some(Def::Param(self.block, i as u32));
            self.ensure(def == own, || format!("{} is not this parameter", param.value))?;
            self.ensure(region.ty(param.value) != Type::Cond, || "a condition in a slot".into())?;
        }
        for (at, &inst) in block.insts.iter().enumerate() {
            self.inst(inst, at)?;
        }
        self.end()
    }
}

impl Region {
    /// Checks everything that the other passes rely on.
    pub fn verify(&self) -> Result {
        let mut position = vec![usize::MAX; self.insts.len()];
        for (i, block) in self.blocks.iter().enumerate() {
            if let Some(edge) = block.end.edges().find(|e| e.to.index() >= self.blocks.len()) {
                let message = format!("{} is missing", edge.to);
                return Err(VerifyError { block: BlockId(i as u32), message });
            }
            for (i, inst) in block.insts.iter().enumerate() {
                position[inst.index()] = i;
            }
        }
        let dominators = Dominators::of(self);
        let mut verifier = Verifier { region: self, dominators, block: Region::ENTRY, position };
        let root = self.whole == Whole::Function || !self.cycles.is_empty();
        if self.blocks.len() < 2 || !root || self.chains.is_empty() {
            return verifier.error("a region has an entry, a header and a cycle");
        }
        for (i, cycle) in self.cycles.iter().enumerate() {
            let known = cycle.header.index() < self.blocks.len() && cycle.parent.is_none_or(|p| p.index() < i);
            verifier.ensure(known, || format!("cycle{i}"))?;
            let copy = cycle.id == self.cycles[0].id && cycle.chain == self.cycles[0].chain;
            let lies = self.whole == Whole::Function || cycle.parent.is_some() == (i > 0) || copy;
            verifier.ensure(lies, || format!("cycle{i} lies in cycle0 or is a copy of it"))?;
        }
        for i in 0..self.blocks.len() {
            verifier.block = BlockId(i as u32);
            verifier.block()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOP: &str = "\
chain0 = function0
cycle0 = loop0 chain0 block1 open
exit0 = leave @9 ()
block0 chain0 @3 (v0: i64 = 0):
  v1: i64 = const 10 @3
  jump block1(v0) @3
block1 chain0 @3 cycle0 (v2: i64 = 0):
  v3: bool = lt_s v2, v1 @3
  branch v3, block2(), block3() @3
block2 chain0 @4 cycle0 ():
  v4: i64 = add v2, v2 @4
  jump block1(v4) @5
block3 chain0 @9 ():
  exit exit0 () @3
";

    fn broken(from: &str, to: &str) -> String {
        assert!(LOOP.contains(from));
        let region: Region = LOOP.replace(from, to).parse().unwrap();
        region.verify().unwrap_err().to_string()
    }

    #[test]
    fn a_good_region_passes() {
        assert_eq!(LOOP.parse::<Region>().unwrap().verify(), Ok(()));
    }

    #[test]
    fn a_function_has_returns_and_its_loops_lie_where_they_like() {
        let function = format!("of function\n{LOOP}");
        let error = function.parse::<Region>().unwrap().verify().unwrap_err();
        assert_eq!(error.to_string(), "block3: a function has no such exit");
        let function = function.replace("leave @9", "return @9");
        assert_eq!(function.parse::<Region>().unwrap().verify(), Ok(()));
        assert!(function.parse::<Region>().unwrap().root().is_none());
        let without = function.replace("cycle0 = loop0 chain0 block1 open\n", "").replace(" cycle0", "");
        assert_eq!(
            without.parse::<Region>().unwrap().verify().unwrap_err().to_string(),
            "block2: an edge back to block1, which is no header"
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(broken("lt_s v2, v1", "lt_s v4, v1"), "block1: v4 is read where it may not be defined");
        assert_eq!(broken("jump block1(v4)", "jump block1()"), "block2: arguments of block1");
        assert_eq!(broken("branch v3,", "branch v2,"), "block1: the condition v2 is i64, not bool");
        assert_eq!(broken("add v2, v2", "add v2"), "block2: add takes 2 operands");
        assert_eq!(broken("exit exit0 ()", "exit exit0 (v2)"), "block3: as many values as the exit has slots");
        assert_eq!(broken("block2(), block3()", "block3(), block3()"), "block2: no path leads here");
        let later = broken("  v4: i64", "  guard v3 OutOfMemory keep (chain0 1 v4) @4\n  v4: i64");
        assert_eq!(later, "block2: v4 is read where it may not be defined");
        let other = broken("  v4: i64", "  guard v3 OutOfMemory keep (chain1 1 v2) @4\n  v4: i64");
        assert_eq!(other, "block2: chain1 has not called this");
        let back = broken("jump block1(v4) @5", "jump block2() @5");
        assert_eq!(back, "block2: an edge back to block2, which is no header");
    }
}
