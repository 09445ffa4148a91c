//! What is counted once there is native code.

use std::rc::Rc;
use std::sync::Arc;

use scaly_asm::{Options, X64};
use scaly_interp::dump::parse;
use scaly_interp::interpreter::{self, World, run_with_tier};
use scaly_interp::program::LoopId;
use scaly_tracer::log::{Log, Statistics};
use scaly_tracer::manager::Tracing;
use scaly_tracer::parameters::Parameters;

/// A loop of 50 trips that is run 20,000 times.
const PROGRAM: &str = "
main f
function f(params 0, results 1, frame 40)
  Const s8, 20000
  Const s9, 50
  Const s3, 0
  Const s4, 0
  ForPrepS s4..6, s8 -> @out
loop counted s4..6 @outer..@out
outer: Const s6, 0
  ForPrepS s6..8, s9 -> @next
loop counted s6..8 @inner..@next in loop0
inner: Add s3, s3, s6
  ForLoop s6..8, loop1 -> @inner
next: ForLoop s4..6, loop0 -> @outer
out: Const s0, 0
  Return1 s0
";

/// Before there is a trace, some back edges are counted. Were that so behind it, too, the interpreter would seldom come to
/// know where it begins.
#[test]
fn a_trace_is_entered_whenever_its_loop_begins() {
    let program = Arc::new(parse(PROGRAM).unwrap_or_else(|error| panic!("{error}")));
    let own = program.clone();
    let make = move |_: &Parameters| X64::new(own.clone(), Options::default()).ok();
    let parameters = Parameters { warmup: 1, ..Parameters::eager() };
    let tracing = Rc::new(Tracing::new(program.clone(), Box::new(make), parameters, Rc::new(Log::none())));
    let tier = tracing.clone();
    run_with_tier(program, World::standard(Vec::new()), interpreter::Options::default(), |state| {
        tier.begin(state);
        // The loop around is left to the interpreter.
        state.set_loop_counter(LoopId(0), u32::MAX);
        tier
    })
    .unwrap_or_else(|error| panic!("{error}"));
    let mut statistics = Statistics::default();
    tracing.count_into(&mut statistics);
    assert!(statistics.entries > 19_000, "it was entered {} times", statistics.entries);
}
