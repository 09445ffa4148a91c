//! Functions that call one another in native code, where there is no state: results, and the frames that are left behind.
#![allow(unsafe_code)]

mod common;

use common::compiler;
use scaly_backends::lower::{Addresses, Context, Leave, Needs, lower};
use scaly_backends::{Computed, Level, Native, Part};
use scaly_interp::dump::parse;
use scaly_interp::program::{FunctionId, LoopId, Pc, Program};
use scaly_interp::routine::hash_text;
use scaly_tracer::manager::Profile;
use scaly_tracer::parameters::Parameters;
use scaly_tracer::region::Region;
use scaly_tracer::walker::{Root, Walker};

/// `sum(n, table) = if n < 1: 0 else table[n - 10] + sum(n - 1, table) + n`, and a loop that calls it.
const PROGRAM: &str = "
main f
function f(params 3, results 1, frame 20)
  Const s3, 0
  ForPrepS s3..5, s0 -> @out
loop counted s3..5 @top..@out
top: Move s8, s0
  Move s9, s1
  Move s10, s2
  Call s8, sum
  ForLoop s3..5, loop0 -> @top
out: Return1 s3
function sum(params 3, results 1, frame 12)
  JLtSImm s0, 1 -> @none
  AddImm s4, s0, -10
  LoadElemI64 s3, s1..3, s4, *8, +0
  AddImm s6, s0, -1
  Move s7, s1
  Move s8, s2
  Call s6, sum
  Add s3, s3, s6
  Add s3, s3, s0
  Return1 s3
none: Const s3, 0
  Return1 s3
";

const LOOP: Root = Root::Loop(LoopId(0));
const SUM: Root = Root::Function(FunctionId(1));
const LOAD: Pc = Pc(10);
const CALL: Pc = Pc(14);
/// From a frame of `sum` to that of its callee.
const STEP: usize = 6;
const FRAME: usize = 12;
/// Not enough native stack for anything, and more than there is.
const ALL: usize = 0;
const NONE: usize = usize::MAX;

fn region(program: &Program, root: Root, recursion_depth: u32) -> Region {
    let parameters = Parameters { recursion_depth, ..Parameters::default() };
    let mut walker = Walker::new(program, parameters).keeping();
    let region = match root {
        Root::Loop(id) => walker.walk(id),
        Root::Function(id) => walker.walk_function(id),
    };
    region.unwrap_or_else(|open| panic!("{open}"))
}

fn native(root: Root, recursion_depth: u32, level: Level, waits: bool) -> Native {
    let program = parse(PROGRAM).unwrap();
    let context = Context {
        program: &program,
        addresses: &Addresses::default(),
        waits: &[false, waits],
        parameters: scaly_tracer::parameters::Parameters::default(),
        profile: &Profile::default(),
    };
    compiler(level).compile(&region(&program, root, recursion_depth), context).unwrap()
}

/// A stack of its own; `sum` of n, of a table of these elements, ends so. The frame of the root begins at slot 2.
struct Run {
    stack: Vec<u64>,
    table: Vec<i64>,
}

impl Run {
    fn new(n: u64, elements: i64) -> Run {
        let table: Vec<i64> = (0..elements).map(|i| i * 1000 + 7).collect();
        let mut stack = vec![0x5555_5555; 1000];
        stack[2..5].copy_from_slice(&[n, table.as_ptr() as u64, table.len() as u64]);
        Run { stack, table }
    }

    fn frame(&self, level: usize) -> &[u64] {
        &self.stack[2 + level * STEP..]
    }

    fn compute(&mut self, native: &Native, slots: usize, native_limit: usize) -> Computed {
        assert_eq!(native.needs(), Needs::Nothing);
        let base = self.stack.as_mut_ptr();
        // SAFETY: the frame has the function's parameters, all slots up to the limit are the stack's own.
        unsafe { native.compute(base.wrapping_add(slots), native_limit, base.wrapping_add(2), Part::default()) }
            .unwrap()
    }

    /// The run left in the activation at this level, at this instruction.
    fn left(&self, computed: Computed, level: usize, pc: Pc) {
        let Computed::Left { leave: Leave::Goes { pc: found, .. } | Leave::NoRoomToCall { pc: found, .. }, frame } =
            computed
        else {
            panic!("{computed:?}")
        };
        assert_eq!((found, frame.cast_const()), (pc, self.frame(level).as_ptr()));
    }

    /// The frames up to a level are as the interpreter leaves them in what is read later: n, what was loaded, and the
    /// header of the next.
    fn exact(&self, n: u64, level: usize) {
        for at in 0..level {
            let (frame, n) = (self.frame(at), n - at as u64);
            assert_eq!([frame[0], frame[3]], [n, self.table[n as usize - 10] as u64], "level {at}");
            let caller = frame.as_ptr() as u64;
            assert_eq!(frame[STEP - 2..STEP], [caller, u64::from(CALL.0) + 1], "level {at}");
        }
    }
}

fn each(mut body: impl FnMut(&Native, usize)) {
    for level in [Level::None, Level::Quick, Level::Best] {
        for depth in [0, 2] {
            body(&native(SUM, depth, level, false), depth as usize);
        }
    }
}

#[test]
fn results_come_back() {
    each(|native, _| {
        let mut run = Run::new(0, 0);
        assert!(matches!(run.compute(native, 900, ALL), Computed::Left { leave: Leave::Returned { .. }, .. }));
        assert_eq!(run.stack[2], 0);
    });
}

/// The guard fails in the activation for 9, 30 calls further in.
#[test]
fn a_guard_that_fails_leaves_all_frames() {
    each(|native, _| {
        let mut run = Run::new(39, 50);
        let computed = run.compute(native, 900, ALL);
        run.left(computed, 30, LOAD);
        run.exact(39, 30);
        let last = run.frame(30);
        assert_eq!(last[1..3], [run.table.as_ptr() as u64, 50]);
        assert_eq!(last[4] as i64, -1);
    });
}

/// The frames of `sum` that are one native call have no room any more: the caller leaves at the call, with its arguments.
#[test]
fn a_refused_call_leaves_all_frames() {
    each(|native, depth| {
        for slots in 2 + 20 * STEP..2 + 24 * STEP {
            let mut run = Run::new(59, 50);
            let computed = run.compute(native, slots, ALL);
            let frames = (1 + depth) * STEP;
            let entered = (slots - 2 - depth * STEP - FRAME) / frames;
            let level = (entered + 1) * (1 + depth) - 1;
            run.left(computed, level, CALL);
            run.exact(59, level);
            let (n, table, length) = (59 - level as u64, run.table.as_ptr() as u64, 50);
            let frame = run.frame(level);
            assert_eq!([frame[0], frame[3]], [n, run.table[n as usize - 10] as u64]);
            assert_eq!(frame[STEP..STEP + 3], [n - 1, table, length]);
            // Nothing was written behind the arguments.
            assert_eq!(frame[STEP + 3], 0x5555_5555);
        }
    });
}

#[test]
fn without_room_nothing_is_done() {
    each(|native, depth| {
        let mut run = Run::new(39, 50);
        let before = run.stack.clone();
        assert_eq!(run.compute(native, 2 + depth * STEP + FRAME - 1, ALL), Computed::NoRoom);
        assert_eq!(run.stack, before);
        // The native stack has no room: the first call is not made.
        let computed = run.compute(native, 900, NONE);
        run.left(computed, depth, CALL);
        run.exact(39, depth);
    });
}

/// From a loop, whose frame is the caller's.
#[test]
fn a_loop_and_its_callees_leave_together() {
    let native = native(LOOP, 2, Level::Quick, false);
    let mut run = Run::new(39, 50);
    // The loop's hidden counter and its variable.
    run.stack[5..7].copy_from_slice(&[0, 38]);
    let root = run.stack.as_ptr() as u64 + 16;
    let Computed::Left { leave: Leave::Goes { pc: LOAD, .. }, frame } = run.compute(&native, 900, ALL) else {
        panic!()
    };
    // In the frame of f: the call's instruction is the sixth.
    assert_eq!(run.stack[8..10], [root, 6]);
    assert_eq!(frame as u64, root + 8 * (8 + 30 * STEP as u64));
    run.stack.drain(..8);
    // Headers name addresses, which have not moved.
    for level in 0..30 {
        // A guard ends the program: of the functions that are inlined around it only the headers are read.
        if level < 28 {
            assert_eq!(run.frame(level)[0], 39 - level as u64);
        }
        assert_eq!(run.frame(level)[STEP - 2], root + 8 * (8 + STEP * level) as u64);
    }
}

/// What may wait, or is not in the module, needs a state.
#[test]
fn only_what_is_known_to_compute_computes() {
    let native = native(LOOP, 2, Level::Quick, true);
    assert!(matches!(native.needs(), Needs::Program(_)));
    let mut slots = vec![0u64; 100];
    let base = slots.as_mut_ptr();
    // SAFETY: it does not run.
    assert_eq!(unsafe { native.compute(base.wrapping_add(100), ALL, base, Part::default()) }, None);
}

/// The call is direct: nothing of the host's is called.
#[test]
fn calls_are_direct() {
    let program = parse(PROGRAM).unwrap();
    let context = Context {
        program: &program,
        addresses: &Addresses::default(),
        waits: &[false, false],
        parameters: scaly_tracer::parameters::Parameters::default(),
        profile: &Profile::default(),
    };
    let lowered = lower(&region(&program, LOOP, 2), context, "r").unwrap();
    assert!(lowered.module.contains("= call { i32, i64 } @r.function1(ptr %run, ptr %"), "{}", lowered.module);
    assert!(lowered.module.contains("define internal { i32, i64 } @r.function1("), "{}", lowered.module);
    assert!(!lowered.module.contains("call i32 @scaly_call"), "{}", lowered.module);
}

/// What only reads texts needs no state; texts without bytes lie anywhere.
#[test]
fn texts_are_compared_and_hashed_without_a_state() {
    let program = parse(
        "
main f
function f(params 4, results 1, frame 20)
  MoveN s4..8, s0..4
  Runtime s4, StringEqual
  MoveN s8..12, s0..4
  Runtime s8, StringCompare
  MoveN s12..14, s0..2
  Runtime s12, StringHash
  MulImm s8, s8, 16
  Add s4, s4, s8
  Add s4, s4, s12
  Return1 s4
",
    )
    .unwrap();
    let context = Context {
        program: &program,
        addresses: &Addresses::default(),
        waits: &[false],
        parameters: scaly_tracer::parameters::Parameters::default(),
        profile: &Profile::default(),
    };
    let native = compiler(Level::Best).compile(&region(&program, Root::Function(FunctionId(0)), 0), context).unwrap();
    assert_eq!(native.needs(), Needs::Nothing);
    let texts: [&[u8]; 6] = [b"", b"a", b"ab", b"b", b"abcdefghijklmnopq", b"abcdefghijklmnopr"];
    for a in texts {
        for b in texts {
            let mut stack = vec![0u64; 100];
            let address = |text: &[u8]| if text.is_empty() { 3 } else { text.as_ptr() as u64 };
            stack[2..6].copy_from_slice(&[address(a), a.len() as u64, address(b), b.len() as u64]);
            let base = stack.as_mut_ptr();
            // SAFETY: the frame has the function's parameters, all slots up to the limit are the stack's own.
            let done = unsafe { native.compute(base.wrapping_add(100), NONE, base.wrapping_add(2), Part::default()) };
            assert!(matches!(done, Some(Computed::Left { leave: Leave::Returned { .. }, .. })), "{done:?}");
            let expected = i64::from(a == b) + 16 * (a.cmp(b) as i64);
            assert_eq!(stack[2], hash_text(a).wrapping_add(expected as u64), "{a:?} {b:?}");
        }
    }
}
