//! Who reads each value of a region.

use crate::region::{BlockId, Def, ExitId, InstId, Region, Terminator, Value};

/// One place where a value is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// Operand of an instruction.
    Inst(InstId),
    /// Decides the branch of a block.
    Branch(BlockId),
    /// Becomes this parameter on the edge with this number out of a block.
    Param { from: BlockId, edge: usize, param: Value },
    /// Handed out of the region in a slot.
    Exit { from: BlockId, exit: ExitId, slot: u16 },
}

pub struct Uses(Vec<Vec<Use>>);

impl Uses {
    pub fn of(region: &Region) -> Uses {
        let mut uses = vec![Vec::new(); region.values.len()];
        for (i, block) in region.blocks.iter().enumerate() {
            let from = BlockId(i as u32);
            for &id in &block.insts {
                for &arg in &region.inst(id).args {
                    uses[arg.index()].push(Use::Inst(id));
                }
            }
            match &block.end {
                Terminator::Branch(cond, ..) => uses[cond.index()].push(Use::Branch(from)),
                Terminator::Exit(exit, args) => {
                    for (&arg, &slot) in args.iter().zip(&region.exit(*exit).slots) {
                        uses[arg.index()].push(Use::Exit { from, exit: *exit, slot });
                    }
                }
                Terminator::Jump(_) => {}
            }
            for (edge, to) in block.end.edges().enumerate() {
                for (&arg, param) in to.args.iter().zip(&region.block(to.to).params) {
                    uses[arg.index()].push(Use::Param { from, edge, param: param.value });
                }
            }
        }
        Uses(uses)
    }

    pub fn get(&self, value: Value) -> &[Use] {
        &self.0[value.index()]
    }

    /// The block that a parameter belongs to.
    pub fn block_of(region: &Region, param: Value) -> Option<(BlockId, usize)> {
        match region.values[param.index()].def {
            Def::Param(block, position) => Some((block, position as usize)),
            Def::Result(..) => None,
        }
    }
}
