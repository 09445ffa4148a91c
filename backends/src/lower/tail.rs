//! Calls of itself with which a function that gives up ends: it goes back to its beginning instead.
//!
//! What is added to the result of such a call before it is returned is added beforehand, to a sum that goes along and is
//! added to what is returned in the end: integers are added in any order. The frame advances as if the call were made, so
//! that there is no room where the interpreter finds none.
//!
//! Only where nothing is left behind, for else the frames of the calls that were not made would be missed: see `restart`.

use std::fmt::Write;

use rustc_hash::FxHashMap;
use scaly_interp::machine::IntOp;
use scaly_tracer::region::{Block, BlockId, Effects, ExitKind, Inst, InstId, Op, Region, Terminator, Type, Value};

use super::callees::{Callees, Passed};
use super::{Lowering, Refusal, Role, line};

/// Blocks that are followed from a call to where its results are returned.
const FOLLOWED: usize = 16;

/// How a block ends with a call of the function itself.
#[derive(PartialEq, Eq, Debug)]
pub struct Tail {
    call: InstId,
    /// What else the block does.
    rest: Vec<InstId>,
    /// What is added to its result.
    addends: Vec<Value>,
}

/// The ends of a function, by block.
#[derive(Debug, Default)]
pub struct Tails {
    by_block: FxHashMap<BlockId, Tail>,
    /// A sum goes along.
    pub sums: bool,
    /// The ways back to the beginning that have been written.
    ways: Vec<Way>,
}

#[derive(Debug)]
struct Way {
    from: String,
    /// The frame first.
    arguments: Vec<String>,
    sum: String,
}

impl Tails {
    /// Of a function of the module.
    pub fn of(region: &Region, callees: &Callees, index: usize) -> Tails {
        let callee = &callees.functions[index];
        let Some(results) = callee.results.as_ref().filter(|_| callees.restart) else { return Tails::default() };
        let own = Op::Call(region.chains[0].function);
        let ending = region.ending();
        let mut tails = Tails::default();
        for (i, block) in region.blocks.iter().enumerate().filter(|&(i, _)| !ending[i]) {
            let Some(tail) = Tail::of(region, block, own) else { continue };
            if tail.addends.is_empty() || results[..] == [Passed::Word] {
                tails.sums |= !tail.addends.is_empty();
                tails.by_block.insert(BlockId(i as u32), tail);
            }
        }
        tails
    }

    /// Whether none has been written.
    pub fn is_empty(&self) -> bool {
        self.ways.is_empty()
    }
}

impl Tail {
    fn of(region: &Region, block: &Block, own: Op) -> Option<Tail> {
        let at = block.insts.iter().rposition(|&id| region.inst(id).op.is_call())?;
        let call = block.insts[at];
        if region.inst(call).op != own {
            return None;
        }
        let mut followed = Followed::new(region.inst(call));
        let mut rest = block.insts[..at].to_vec();
        for &id in &block.insts[at + 1..] {
            let inst = region.inst(id);
            match inst.args.iter().any(|&arg| followed.depends(arg)) {
                true => followed.add(region, inst)?,
                false if inst.op.effects() == Effects::Store => return None,
                false => rest.push(id),
            }
        }
        let mut end = &block.end;
        for _ in 0..FOLLOWED {
            match end {
                Terminator::Exit(exit, values) if region.exit(*exit).kind == ExitKind::Return => {
                    return (*values == followed.results).then_some(Tail { call, rest, addends: followed.addends });
                }
                Terminator::Jump(edge) => {
                    let next = region.block(edge.to);
                    followed.pass(next, &edge.args)?;
                    for &id in &next.insts {
                        let inst = region.inst(id);
                        match inst.op {
                            Op::Const(_) => {}
                            _ => followed.add(region, inst)?,
                        }
                    }
                    end = &next.end;
                }
                _ => return None,
            }
        }
        None
    }
}

/// What has become of the results of a call.
struct Followed {
    results: Vec<Value>,
    /// All that they have been.
    were: Vec<Value>,
    addends: Vec<Value>,
    /// What parameters of blocks behind the call are.
    known: FxHashMap<Value, Value>,
}

impl Followed {
    fn new(call: &Inst) -> Followed {
        let results = call.results.clone();
        Followed { were: results.to_vec(), results: results.to_vec(), addends: Vec::new(), known: FxHashMap::default() }
    }

    fn depends(&self, value: Value) -> bool {
        self.were.contains(&value)
    }

    /// An addition of something else to the only result.
    fn add(&mut self, region: &Region, inst: &Inst) -> Option<()> {
        let (&[result], &[sum]) = (&self.results[..], &inst.results[..]) else { return None };
        let (Op::Int(IntOp::Add), &[a, b]) = (inst.op, &inst.args[..]) else { return None };
        let other = match (a == result, b == result) {
            (true, false) => b,
            (false, true) => a,
            _ => return None,
        };
        let other = self.known.get(&other).copied().unwrap_or(other);
        if self.depends(other) || region.ty(other) != Type::Word {
            return None;
        }
        self.addends.push(other);
        self.were.push(sum);
        self.results = vec![sum];
        Some(())
    }

    /// Goes on in a block that is given these arguments.
    fn pass(&mut self, next: &Block, arguments: &[Value]) -> Option<()> {
        let mut results = vec![None; self.results.len()];
        for (param, &argument) in next.params.iter().zip(arguments) {
            match self.results.iter().position(|&result| result == argument) {
                Some(i) if results[i].is_none() => results[i] = Some(param.value),
                None if !self.depends(argument) => {
                    let known = self.known.get(&argument).copied().unwrap_or(argument);
                    self.known.insert(param.value, known);
                }
                _ => return None,
            }
        }
        self.results = results.into_iter().collect::<Option<Vec<_>>>()?;
        self.were.extend(&self.results);
        Some(())
    }
}

impl Lowering<'_> {
    /// Writes a block that ends with a call of the function itself, if it is one.
    pub fn tail(&mut self, id: BlockId) -> Result<bool, Refusal> {
        let Role::Callee(index) = self.role else { return Ok(false) };
        let Some(tail) = self.tails.by_block.remove(&id) else { return Ok(false) };
        let chain = self.region.block(id).chain;
        for &inst in &tail.rest {
            self.inst(chain, self.region.inst(inst))?;
        }
        let call = self.region.inst(tail.call);
        let frame = self.call_frame(chain, call)?;
        let mut arguments = vec![self.frame_address(frame)];
        for &(slot, passed) in &self.callees.functions[index].params {
            let value = call.args[usize::from(slot)];
            match passed {
                Passed::InFrame => self.store_slot(frame, slot, value),
                _ => arguments.push(self.pass(value, passed)),
            }
        }
        let mut sum = "%sum".to_string();
        for &addend in &tail.addends {
            let (word, next) = (self.operand(addend), self.temporary());
            line!(self, "{next} = add i64 {sum}, {word}");
            sum = next;
        }
        line!(self, "br label %again");
        self.tails.ways.push(Way { from: self.label.clone(), arguments, sum });
        Ok(true)
    }

    /// What is returned, with the sum that goes along.
    pub fn with_sum(&mut self, word: String) -> String {
        if !self.tails.sums {
            return word;
        }
        let whole = self.temporary();
        line!(self, "{whole} = add i64 %sum, {word}");
        whole
    }

    /// The block to which ways back lead, behind the head of a function whose parameters, the frame first, have these types and names.
    pub fn write_again(&self, params: &[(&str, String)], module: &mut String) {
        module.push_str("again:\n");
        let mut phi = |name: &str, ty: &str, first: &str, of: &dyn Fn(&Way) -> &str| {
            let _ = write!(module, "  {name} = phi {ty} [ {first}, %entry ]");
            for way in &self.tails.ways {
                let _ = write!(module, ", [ {}, %{} ]", of(way), way.from);
            }
            module.push('\n');
        };
        for (i, (ty, name)) in params.iter().enumerate() {
            phi(name, ty, &format!("{name}.in"), &|way| &way.arguments[i]);
        }
        if self.tails.sums {
            phi("%sum", "i64", "0", &|way| &way.sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use scaly_interp::dump::parse;
    use scaly_interp::program::FunctionId;
    use scaly_tracer::parameters::Parameters;
    use scaly_tracer::walker::Walker;

    use super::super::{Addresses, Context};
    use super::*;

    /// The ends of a function of two ints that ends so, behind a test of the first: the addends of each.
    fn ends(body: &str, recursion_depth: u32) -> Vec<usize> {
        let text = format!(
            "main f\nfunction f(params 2, results 1, frame 24)\n  JLtSImm s0, 1 -> @none\n{body}none: Return1 s1\n"
        );
        let program = parse(&text).unwrap();
        let parameters = Parameters { recursion_depth, ..Parameters::default() };
        let region = Walker::new(&program, parameters).keeping().walk_function(FunctionId(0)).unwrap();
        let context = Context { program: &program, addresses: &Addresses::default(), waits: &[false], parameters };
        let mut callees = Callees::of(&region, context, "r").unwrap();
        callees.restart = true;
        let tails = Tails::of(&callees.functions[0].region, &callees, 0);
        let mut ends: Vec<(BlockId, usize)> =
            tails.by_block.iter().map(|(&block, tail)| (block, tail.addends.len())).collect();
        ends.sort_unstable();
        assert_eq!(tails.sums, ends.iter().any(|&(_, addends)| addends > 0));
        ends.into_iter().map(|(_, addends)| addends).collect()
    }

    const CALL: &str = "  AddImm s6, s0, -1\n  Move s7, s1\n  Call s6, f\n";

    #[test]
    fn what_is_returned_as_it_is() {
        assert_eq!(ends(&format!("{CALL}  Return1 s6\n"), 0), [0]);
        assert_eq!(ends(&format!("{CALL}  Move s1, s6\n  Jump -> @none\n"), 0), [0]);
    }

    #[test]
    fn what_is_added_to() {
        assert_eq!(ends(&format!("{CALL}  Add s6, s6, s0\n  Add s6, s1, s6\n  Return1 s6\n"), 0), [2]);
        assert_eq!(ends(&format!("{CALL}  MulImm s5, s1, 3\n  Add s6, s6, s5\n  Return1 s6\n"), 0), [1]);
    }

    /// What is called in place adds what is behind it, too.
    #[test]
    fn what_is_added_to_in_several_calls() {
        assert_eq!(ends(&format!("{CALL}  Add s6, s6, s0\n  Return1 s6\n"), 2), [3]);
    }

    #[test]
    fn of_two_calls_the_last() {
        let two = format!("{CALL}  Move s3, s6\n{CALL}  Add s6, s3, s6\n  Return1 s6\n");
        assert_eq!(ends(&two, 0), [1]);
        let first = format!("{CALL}  Move s3, s6\n{CALL}  Return1 s3\n");
        assert_eq!(ends(&first, 0), [0usize; 0]);
    }

    #[test]
    fn what_is_more_than_added_to() {
        for more in ["Sub s6, s0, s6", "Add s6, s6, s6", "Mul s6, s6, s0", "Move s6, s0"] {
            assert_eq!(ends(&format!("{CALL}  {more}\n  Return1 s6\n"), 0), [0usize; 0], "{more}");
        }
        assert_eq!(ends(&format!("{CALL}  JLtSImm s6, 3 -> @none\n  Return1 s6\n"), 0), [0usize; 0]);
    }
}
