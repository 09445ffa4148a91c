//! What the tests of passes over regions share.

use scaly_interp::dump::parse;
use scaly_interp::program::LoopId;
use scaly_tracer::parameters::Parameters;
use scaly_tracer::region::{Effects, Region};
use scaly_tracer::walker::Walker;

/// The region of `for x { BODY }` in a function of eight slots of parameters: x is in slot 8, the trips are in slot 4. Behind
/// the body the labels `skip` and `next`.
pub fn region_of_loop(body: &str) -> Region {
    let text = format!(
        "
main f
function f(params 8, results 1, frame 40)
  Const s8, 0
  ForPrepS s8..10, s4 -> @out
loop counted s8..10 @top..@out
top: {body}
skip: Nop
next: ForLoop s8..10, loop0 -> @top
out: Return1 s4
"
    );
    let program = parse(&text).unwrap_or_else(|error| panic!("{error}{text}"));
    Walker::new(&program, Parameters::default()).keeping().walk(LoopId(0)).unwrap()
}

pub fn stores(region: &Region) -> usize {
    let insts = region.blocks.iter().flat_map(|block| &block.insts).map(|&id| region.inst(id));
    insts.filter(|inst| inst.op.effects() == Effects::Store).count()
}
