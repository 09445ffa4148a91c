//! Where a part of a `while` ends: what its counter is compared with is the nearer of its own limit and the run's.

use scaly_tracer::independence::Condition;
use scaly_tracer::region::{ChainId, Op, Region, Terminator, Value};

#[derive(Clone, Debug)]
pub struct Limit {
    /// What the comparison gives.
    pub compared: Value,
    /// Of the comparison.
    pub operand: usize,
    signed: bool,
    down: bool,
}

impl Limit {
    /// Finds the condition in another region of the same loop.
    pub fn of(region: &Region, condition: &Condition) -> Option<Limit> {
        let tests = region.blocks.iter().filter_map(|block| {
            let own = block.cycle == Some(Region::ROOT) && block.chain == ChainId(0);
            match block.end {
                Terminator::Branch(compared, ..) if own && block.end_pc == condition.pc => Some(compared),
                _ => None,
            }
        });
        let tests: Vec<Value> = tests.collect();
        let &[compared] = &tests[..] else { return None };
        let mut compared = compared;
        loop {
            let inst = region.def_inst(compared)?;
            match inst.op {
                Op::Not => compared = inst.args[0],
                Op::Compare(_) => break,
                _ => return None,
            }
        }
        Some(Limit { compared, operand: condition.operand, signed: condition.signed, down: condition.down })
    }

    /// What is never nearer.
    pub fn none(&self) -> i64 {
        match (self.signed, self.down) {
            (true, false) => i64::MAX,
            (true, true) => i64::MIN,
            (false, false) => u64::MAX as i64,
            (false, true) => 0,
        }
    }

    /// The function of LLVM's that gives the nearer one.
    pub fn nearer(&self) -> &'static str {
        match (self.signed, self.down) {
            (true, false) => "llvm.smin.i64",
            (true, true) => "llvm.smax.i64",
            (false, false) => "llvm.umin.i64",
            (false, true) => "llvm.umax.i64",
        }
    }
}
