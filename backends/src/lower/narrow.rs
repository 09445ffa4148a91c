//! What is computed in 32 bits because no result needs more.
//!
//! The language's `int` has 64 bits, and what is computed from bytes seldom needs more than 16; a vector holds twice as
//! many lanes of 32 bits, and multiplying, taking absolute values and converting to floats is one instruction only there.
//! LLVM narrows what ends in a narrow store, but not what is compared, divided or shifted on its way.
//!
//! A value may be there twice, as `%v` and as `%v.n`, the same number; each is written only where something uses it.

use scaly_interp::machine::{IntKind, IntMemory, IntOp, IntUnary};
use scaly_tracer::optimize::range::Range;
use scaly_tracer::region::{Inst, Op, Region, Type, Value};

/// Which values of a region are used in 32 bits, in 64, and computed so.
#[derive(Debug)]
pub struct Narrow {
    ranges: Vec<Range>,
    except: Option<Value>,
    /// By value: it comes in 32 bits.
    born: Vec<bool>,
    /// By value: something uses it so.
    narrow: Vec<bool>,
    /// By value: something uses all 64 bits.
    wide: Vec<bool>,
}

impl Narrow {
    /// `except`: stays as it is.
    pub fn of(region: &Region, except: Option<Value>) -> Narrow {
        let count = region.values.len();
        let mut narrow = Narrow {
            ranges: ranges(region),
            except,
            born: vec![false; count],
            narrow: vec![false; count],
            wide: vec![false; count],
        };
        let insts = || region.blocks.iter().flat_map(|block| &block.insts).map(|&id| region.inst(id));
        for inst in insts() {
            if let &[result] = &inst.results[..] {
                narrow.born[result.index()] = narrow.bears(region, inst);
            }
        }
        for inst in insts() {
            let uses = narrow.reads(inst);
            for (n, &arg) in inst.args.iter().enumerate() {
                let address = n == 0 && matches!(inst.op, Op::StoreInt(..));
                let uses = if uses && !address { &mut narrow.narrow } else { &mut narrow.wide };
                uses[arg.index()] = true;
            }
            inst.kept.iter().for_each(|kept| narrow.wide[kept.value.index()] = true);
        }
        for block in &region.blocks {
            block.end.uses().for_each(|value| narrow.wide[value.index()] = true);
        }
        narrow
    }

    fn small(&self, value: Value) -> bool {
        self.ranges[value.index()].fits(IntKind::I32)
    }

    /// Operands fit, and at least one comes so.
    fn fit(&self, args: &[Value]) -> bool {
        args.iter().all(|&arg| self.small(arg)) && args.iter().any(|&arg| self.born[arg.index()])
    }

    fn bears(&self, region: &Region, inst: &Inst) -> bool {
        let Some(&result) = inst.results.first() else { return false };
        if region.ty(result) != Type::Word || !self.small(result) {
            return false;
        }
        match inst.op {
            Op::LoadInt(..) => true,
            Op::Int(op) => {
                let constant = region.constant(inst.args[1]);
                let simple = match op {
                    IntOp::Add | IntOp::Sub | IntOp::Mul | IntOp::And | IntOp::Or | IntOp::Xor => true,
                    IntOp::MinS | IntOp::MaxS => true,
                    IntOp::Shl | IntOp::ShrS => constant.is_some_and(|count| (0..32).contains(&count)),
                    IntOp::DivS | IntOp::RemS => constant.is_some_and(|divisor| divisor > 0),
                    _ => false,
                };
                simple && self.fit(&inst.args)
            }
            Op::IntUnary(IntUnary::Neg | IntUnary::AbsS | IntUnary::Wrap(_)) => self.fit(&inst.args),
            _ => false,
        }
    }

    /// Whether it reads its operands in 32 bits; of a store the value.
    pub fn reads(&self, inst: &Inst) -> bool {
        match inst.op {
            _ if self.except.is_some() && inst.results.first().copied() == self.except => false,
            Op::Int(_) | Op::IntUnary(_) => self.computes(inst),
            Op::Compare(_) | Op::IntToFloat(true) | Op::IntToSingle(true) => self.fit(&inst.args),
            Op::StoreInt(kind, _) => kind != IntMemory::I64 && self.fit(&inst.args[1..]),
            _ => false,
        }
    }

    /// Whether a value is used in 32 bits, and in 64.
    pub fn uses(&self, value: Value) -> (bool, bool) {
        let narrow = self.narrow[value.index()];
        (narrow, self.wide[value.index()] || !narrow)
    }

    /// Whether a value that fits is no less than 0.
    pub fn natural(&self, value: Value) -> bool {
        self.ranges[value.index()].low >= 0
    }

    /// Whether an operation is done in 32 bits.
    pub fn computes(&self, inst: &Inst) -> bool {
        inst.results.first().is_some_and(|result| self.born[result.index()])
    }
}

/// Between what bounds words lie. Blocks come in an order in which what goes around a loop comes later than its header:
/// of that nothing is known.
fn ranges(region: &Region) -> Vec<Range> {
    let mut ranges = vec![Range::ALL; region.values.len()];
    let mut given: Vec<Vec<Option<Range>>> = region.blocks.iter().map(|block| vec![None; block.params.len()]).collect();
    let mut preds = vec![0; region.blocks.len()];
    for block in &region.blocks {
        block.end.edges().for_each(|edge| preds[edge.to.index()] += 1);
    }
    let mut seen = vec![0; region.blocks.len()];
    for (i, block) in region.blocks.iter().enumerate() {
        if seen[i] == preds[i] {
            for (param, range) in block.params.iter().zip(&given[i]) {
                ranges[param.value.index()] = range.unwrap_or(Range::ALL);
            }
        }
        for &id in &block.insts {
            let inst = region.inst(id);
            if let &[result] = &inst.results[..]
                && region.ty(result) == Type::Word
            {
                ranges[result.index()] = Range::of_op(inst.op, |n| ranges[inst.args[n].index()]);
            }
        }
        for edge in block.end.edges().filter(|edge| edge.to.index() > i) {
            seen[edge.to.index()] += 1;
            for (slot, &arg) in given[edge.to.index()].iter_mut().zip(&edge.args) {
                let range = ranges[arg.index()];
                *slot = Some(slot.map_or(range, |old| old.or(range)));
            }
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use scaly_interp::dump::parse;
    use scaly_interp::program::FunctionId;
    use scaly_tracer::parameters::Parameters;
    use scaly_tracer::walker::Walker;

    use super::*;

    /// Whether what a function makes of an element of this kind by one operation is computed in 32 bits.
    fn is_narrow(load: &str, operation: &str) -> bool {
        let text = format!(
            "main f\nfunction f(params 3, results 1, frame 12)\n  {load} s3, s0..2, s2, *4, +0\n  {operation}\n  Return1 s3\n"
        );
        let parameters = Parameters::default();
        let program = parse(&text).unwrap();
        let region = Walker::new(&program, parameters).keeping().walk_function(FunctionId(0)).unwrap();
        let narrow = Narrow::of(&region, None);
        let mut computed = region.insts.iter().filter(|inst| matches!(inst.op, Op::Int(_) | Op::IntUnary(_)));
        let only = computed.next().unwrap();
        assert!(computed.next().is_none());
        narrow.computes(only)
    }

    #[test]
    fn what_fits_is_computed_in_32_bits() {
        for load in ["LoadElemU8", "LoadElemI8", "LoadElemI16"] {
            assert!(is_narrow(load, "Mul s3, s3, s3"), "{load}");
        }
        assert!(is_narrow("LoadElemU16", "MulImm s3, s3, 32768"));
        assert!(is_narrow("LoadElemI32", "DivSImm s3, s3, 7"));
    }

    #[test]
    fn what_may_not_fit_is_not() {
        for load in ["LoadElemU16", "LoadElemI32", "LoadElemU32", "LoadElemI64"] {
            assert!(!is_narrow(load, "Mul s3, s3, s3"), "{load}");
        }
        assert!(!is_narrow("LoadElemU16", "MulImm s3, s3, 32769"));
        assert!(!is_narrow("LoadElemI32", "AddImm s3, s3, 1"));
        assert!(!is_narrow("LoadElemU8", "Add s3, s3, s0"));
        assert!(!is_narrow("LoadElemU32", "DivSImm s3, s3, 1"));
    }
}
