//! What going in and out of native code costs, in nanoseconds.
//!
//!     cargo bench -p scaly-asm --bench native
//!
//! Each figure is a difference: the same code with and without the thing, run in turn a thousand times, the least of each
//! kind taken, for whatever disturbs a run makes it longer. `whole` rows go the way of a running program, through the
//! trace compiler's books; the others end at the backend.

#[path = "../tests/common/mod.rs"]
mod common;

use std::fmt::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use common::{assemble, first_exit, frame, with_backend};
use scaly_asm::{Options, X64};
use scaly_interp::dump::parse;
use scaly_interp::interpreter::{self, State, World, probe, run_with_tier};
use scaly_interp::program::{FunctionId, LoopId, Pc, Program};
use scaly_interp::tier::{Goes, Position, Tier};
use scaly_tracer::backend::Backend;
use scaly_tracer::log::Log;
use scaly_tracer::manager::Tracing;
use scaly_tracer::parameters::Parameters;
use scaly_tracer::trace::{ExitId, Trace, TraceId};

const SAMPLES: usize = 1000;
/// Entries, or iterations of a native loop, in a sample: some ten microseconds.
const ENTRIES: usize = 200;
const ITERATIONS: u64 = 4000;

/// Seconds of the shortest of many runs of each, run in turn.
fn shortest<const N: usize>(mut sides: [&mut dyn FnMut(); N]) -> [f64; N] {
    let mut best = [f64::INFINITY; N];
    for _ in 0..SAMPLES {
        for (side, best) in sides.iter_mut().zip(&mut best) {
            let start = Instant::now();
            side();
            *best = best.min(start.elapsed().as_secs_f64());
        }
    }
    best
}

fn row(what: &str, nanoseconds: f64, goal: Option<f64>) {
    let goal = goal
        .map_or(String::new(), |goal| format!("  goal {goal:.0}{}", if nanoseconds < goal { "" } else { ", missed" }));
    println!("{what:<64} {nanoseconds:7.2} ns{goal}");
}

fn trace(text: &str) -> Trace {
    let trace: Trace = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    if let Err(error) = trace.verify() {
        panic!("{error}\n{text}");
    }
    trace
}

/// `2 = v1, 3 = v2, …`: values of slots, as a snapshot lists them.
fn listed(count: usize) -> String {
    let each: Vec<String> = (0..count).map(|i| format!("{} = v{}", i + 2, i + 1)).collect();
    each.join(", ")
}

/// A trace that reads slots and leaves.
fn leaves(count: usize, kind: &str) -> Trace {
    let mut text = String::from("loop0 root\nk0: i64 = 0\nv0: i64 = slot 0 @1\n");
    for i in 1..=count {
        let _ = writeln!(text, "v{i}: i64 = slot {} @1", i + 1);
    }
    let c = count + 1;
    if kind == "resume" {
        let _ = writeln!(text, "v{c}: bool = eq v0, k0 @1\nguard v{c} true -> snap0 @1");
    }
    let _ = writeln!(
        text,
        "end {}\nsnap0 {kind} @1 ({})",
        if kind == "resume" { "return" } else { "leave snap0" },
        listed(count)
    );
    trace(&text)
}

fn exits() {
    for count in [0, 4, 16] {
        with_backend(Options::default(), |backend, state, at| {
            let [generic, compiled] = [TraceId(0), TraceId(1)];
            assemble(backend, generic, &leaves(count, "resume"));
            assemble(backend, compiled, &leaves(count, "leave"));
            frame(at)[0] = 1;
            let state = std::cell::RefCell::new(state);
            let enter = |id| {
                for _ in 0..ENTRIES {
                    backend.enter(id, &mut state.borrow_mut(), at);
                }
            };
            let [out, back] = shortest([&mut || enter(generic), &mut || enter(compiled)]);
            let each = |seconds: f64| seconds / ENTRIES as f64 * 1e9;
            row(&format!("enter and leave where a loop ends, {count} slots"), each(back), None);
            row(&format!("exit: what a guard's costs more than that, {count} slots"), each(out - back), Some(50.0));
        });
    }
}

/// A program whose only loop leaves native code by a guard when slot 1 has come to 0, or ends when slot 0 has.
fn looping(count: usize) -> Arc<Program> {
    let mut text = String::from("main start\nfunction start(params 0, results 1, frame 40)\n  loop0 open @top..@out\n");
    text += "  Const s0, 1\ntop: AddImm s0, s0, -1\n  AddImm s1, s1, -1\n";
    for i in 0..count {
        let _ = writeln!(text, "  AddImm s{0}, s{0}, 1", i + 2);
    }
    text += "  JEqImm s1, 0 -> @back\n  JEqImm s0, 0 -> @out\nback: Loop loop0 -> @top\nout: Return1 s0\n";
    Arc::new(parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}")))
}

fn tracing(program: &Arc<Program>, parameters: Parameters) -> Rc<Tracing<X64>> {
    let own = program.clone();
    let make = move |_: &Parameters| X64::new(own.clone(), Options::default()).ok();
    Rc::new(Tracing::new(program.clone(), Box::new(make), parameters, Rc::new(Log::none())))
}

/// Never records a side trace.
fn without_sides() -> Parameters {
    Parameters { hot: 1, hot_exit: 1_000_000_000, ..Parameters::eager() }
}

fn whole_exits() {
    for count in [0, 4, 16] {
        let program = looping(count);
        let tier = tracing(&program, without_sides());
        let body = |state: &mut State, at: Position| {
            tier.begin(state);
            let (header, id) = (at.at(Pc(1), 0), LoopId(0));
            frame(at)[..2].copy_from_slice(&[5, 100]);
            tier.hot_loop(state, id, header);
            let state = std::cell::RefCell::new(state);
            let enter = |first: u64, to: Pc| {
                for _ in 0..ENTRIES {
                    frame(at)[..2].copy_from_slice(&[1, first]);
                    match tier.hot_loop(&mut state.borrow_mut(), id, header) {
                        Goes::On(at) => assert_eq!(at.pc(), to),
                        Goes::Stopped => unreachable!(),
                    }
                }
            };
            let back_edge = Pc(count as u32 + 5);
            let out = Pc(back_edge.0 + 1);
            let [out, back] = shortest([&mut || enter(1, back_edge), &mut || enter(100, out)]);
            let each = |seconds: f64| seconds / ENTRIES as f64 * 1e9;
            row(&format!("whole: enter, leave where the loop ends, {count} slots"), each(back), None);
            row(
                &format!("whole: exit, what a guard's costs more than that, {count} slots"),
                each(out - back),
                Some(50.0),
            );
        };
        probe(program.clone(), World::standard(Vec::new()), interpreter::Options::default(), body).unwrap();
    }
}

/// A loop that counts slot 0 down, and does something else in each iteration, which is given as lines of a trace:
/// `v0` is what is left, `snap2` resumes at the header. Some additions beside it give each iteration a length of its own;
/// a loop of two instructions has moods.
fn counting(body: &str, epochs: u32, snapshots: &str) -> Trace {
    let (mut sums, mut next, mut phis) = (String::new(), String::new(), String::new());
    for i in 0..4 {
        let _ = writeln!(sums, "v1{i}: i64 = slot {} @1", i + 1);
        let _ = writeln!(next, "v2{i}: i64 = add v1{i}, k1 @1\nv3{i}: i64 = add v2{i}, k1 @1");
        let _ = writeln!(phis, "phi v1{i}, v3{i}");
    }
    let epochs = if epochs > 0 { format!("epochs {epochs}\n") } else { String::new() };
    trace(&format!(
        "loop0 root
k0: i64 = 0
k1: i64 = -1
k2: i64 = {inner}
v0: i64 = slot 0 @1
{sums}loop @1
v1: bool = ne v0, k0 @1
guard v1 true -> snap0 @1
{body}{next}v2: i64 = add v0, k1 @1
phi v0, v2
{phis}{epochs}end loop snap1
snap0 leave @3 (0 = v0)
snap1 resume @1 (0 = v2)
snap2 resume @1 (0 = v0)
{snapshots}",
        inner = first_exit(TraceId(10)).0,
    ))
}

const POLL: &str = "poll -> snap2 @1\n";
const ROOM: &str = "v3: i64 = slot.address 100 @1
v4: i64 = stack.limit @1
v5: bool = le_u v3, v4 @1
guard v5 true -> snap2 @1
";
const TREE: &str = "v3: i64 = call.tree trace10 20 @1
v4: bool = eq v3, k2 @1
guard v4 true -> snap3 @1
";
const CALL: &str = "v3: i64 = slot.address 0 @1
store.slot 18, v3 @1
store.slot 19, k0 @1
store.slot 20, v0 @1
call.function function1 20 -> snap2 @1
v4: i64 = slot 20 epoch 1 @1
";

/// Nanoseconds of an iteration more in one trace than in another.
fn difference(backend: &X64, state: &mut State, at: Position, with: TraceId, without: TraceId) -> f64 {
    let state = std::cell::RefCell::new(state);
    let run = |id| {
        frame(at)[0] = ITERATIONS;
        backend.enter(id, &mut state.borrow_mut(), at);
    };
    let [with, without] = shortest([&mut || run(with), &mut || run(without)]);
    (with - without) / ITERATIONS as f64 * 1e9
}

fn in_loops() {
    with_backend(Options::default(), |backend, state, at| {
        let inner = trace("loop0 root\nv0: i64 = slot 0 @1\nend leave snap0\nsnap0 leave @3 (0 = v0)\n");
        let callee = trace("function1 root\nv0: i64 = slot 0 @4\nstore.slot 0, v0 @4\nend return\n");
        assemble(backend, TraceId(10), &inner);
        assemble(backend, TraceId(11), &callee);
        backend.publish(FunctionId(1), Some(TraceId(11)));
        assemble(backend, TraceId(0), &counting("", 0, ""));
        let rows = [
            ("poll", POLL, 0, ""),
            ("stack check of an inlined call", ROOM, 0, ""),
            ("call of an inner tree that leaves at once", TREE, 1, "snap3 pass v3 @1 ()\n"),
            ("call of a function that returns its argument", CALL, 1, ""),
        ];
        for (i, (what, body, epochs, snapshots)) in rows.into_iter().enumerate() {
            let id = TraceId(1 + i as u32);
            assemble(backend, id, &counting(body, epochs, snapshots));
            row(what, difference(backend, state, at, id, TraceId(0)), None);
        }
    });
}

/// A loop of variables that are each one more in the next iteration, and of a guard that holds always or never.
fn guarded(count: usize, holds: bool) -> Trace {
    let mut text = format!(
        "loop0 root\nk0: i64 = 0\nk1: i64 = -1\nk2: i64 = 1\nk3: i64 = {}\n",
        if holds { i64::MIN } else { i64::MAX }
    );
    let values = |prefix: &str| (0..=count).map(|i| format!("{i} = v{prefix}{i}")).collect::<Vec<_>>().join(", ");
    for i in 0..=count {
        let _ = writeln!(text, "v1{i}: i64 = slot {i} @1");
    }
    text += "loop @1\nv1: bool = ne v10, k0 @1\nguard v1 true -> snap0 @1\nv2: bool = lt_s v10, k3 @1\nguard v2 false -> snap2 @1\n";
    for i in 0..=count {
        let _ = writeln!(text, "v2{i}: i64 = add v1{i}, {} @1", if i == 0 { "k1" } else { "k2" });
    }
    for i in 0..=count {
        let _ = writeln!(text, "phi v1{i}, v2{i}");
    }
    let (now, next) = (values("1"), values("2"));
    let _ = writeln!(text, "end loop snap1\nsnap0 leave @3 ({now})\nsnap1 resume @1 ({next})\nsnap2 resume @1 ({now})");
    trace(&text)
}

/// What the loop does behind the guard, as a side trace.
fn side(count: usize, exit: ExitId) -> Trace {
    let mut text = format!("{exit} side\nk0: i64 = -1\nk1: i64 = 1\n");
    for i in 0..=count {
        let _ = writeln!(text, "v1{i}: i64 = inherit {i} @1");
    }
    for i in 0..=count {
        let _ = writeln!(text, "v2{i}: i64 = add v1{i}, {} @1", if i == 0 { "k0" } else { "k1" });
    }
    let next: Vec<String> = (0..=count).map(|i| format!("{i} = v2{i}")).collect();
    let _ = writeln!(text, "end link trace0 snap0\nsnap0 resume @1 ({})", next.join(", "));
    trace(&text)
}

fn side_traces() {
    for count in [1, 4, 8] {
        with_backend(Options::default(), |backend, state, at| {
            let [through, within, side_trace] = [TraceId(0), TraceId(1), TraceId(2)];
            assemble(backend, through, &guarded(count, false));
            assemble(backend, within, &guarded(count, true));
            let exit = ExitId(first_exit(through).0 + 2);
            assemble(backend, side_trace, &side(count, exit));
            backend.link(exit, side_trace);
            let more = difference(backend, state, at, through, within);
            row(&format!("way through a side trace and back, {count} variables"), more, Some(5.0));
        });
    }
}

/// `fib(30)`, and what `fib(2)` does.
fn fib(n: u32) -> Arc<Program> {
    let text = format!(
        "main start
function fib(params 1, results 1, frame 9)
  JGtSImm s0, 1 -> @more
  Return1 s0
more: AddImm s4, s0, -1
  Call s4, fib
  AddImm s7, s0, -2
  Call s7, fib
  Add s4, s4, s7
  Return1 s4
function start(params 0, results 1, frame 9)
  Const s4, {n}
  Call s4, fib
  Const s4, 0
  Return1 s4
"
    );
    Arc::new(parse(&text).unwrap_or_else(|error| panic!("{error}")))
}

fn calls() {
    let (few, many) = (fib(2), fib(25));
    const CALLS: f64 = 242_785.0 - 3.0;
    let run = |program: &Arc<Program>, native: bool| {
        let world = World::standard(Vec::new());
        let options = interpreter::Options::default();
        let ran = if native {
            let tier = tracing(program, Parameters::default());
            run_with_tier(program.clone(), world, options, |state| {
                tier.begin(state);
                tier
            })
        } else {
            interpreter::run(program.clone(), world, options)
        };
        ran.unwrap();
    };
    for native in [true, false] {
        let [many, few] = shortest([&mut || run(&many, native), &mut || run(&few, native)]);
        let what =
            if native { "whole: a call of fib, native, inlined in part" } else { "whole: the same in the interpreter" };
        row(what, (many - few) / CALLS * 1e9, None);
    }
}

fn main() {
    exits();
    whole_exits();
    in_loops();
    side_traces();
    calls();
}
