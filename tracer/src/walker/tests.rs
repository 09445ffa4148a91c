use super::*;
use scaly_interp::dump::parse;

fn walk(text: &str) -> Result<String, String> {
    let program = parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let region = Walker::new(&program, Parameters::default()).walk(LoopId(0)).map_err(|open| open.to_string())?;
    region.verify().unwrap_or_else(|error| panic!("{error}\n{region}"));
    let text = region.to_string();
    assert_eq!(text.parse::<Region>().unwrap_or_else(|error| panic!("{error}\n{text}")), region);
    Ok(text)
}

/// `for i in 0..n set a[i]: b[i] + 1.0`
const MAP: &str = "
main f
function f(params 5, results 1, frame 12)
  Const s5, 0
  ForPrepS s5..7, s4 -> @out
loop counted s5..7 @top..@out
top: LoadElemF64 s7, s2..4, s5, *8, +0
  ConstF64 s8, 1.0
  AddF64 s7, s7, s8
  StoreElemF64 s0..2, s5, s7, *8, +0
  ForLoop s5..7, loop0 -> @top
out: Const s0, 0
  Return1 s0
";

#[test]
fn a_counted_loop() {
    assert_eq!(
        walk(MAP).unwrap(),
        "\
chain0 = function0
cycle0 = loop0 chain0 block1 counted 5
exit0 = done @7 ()
block0 chain0 @2 (v0: i64 = 0, v1: i64 = 1, v2: i64 = 2, v3: i64 = 3, v4: i64 = 5, v5: i64 = 6):
  v6: f64 = f64.const 0x3ff0000000000000 @3
  v7: i64 = const 0 @6
  v8: i64 = const 1 @6
  jump block1(v4, v5) @2
block1 chain0 @2 cycle0 (v9: i64 = 5, v10: i64 = 6):
  v11: bool = lt_u v9, v3 @2
  guard v11 IndexOutOfRange @2
  v12: i64 = element v2, v9 * 8 + 0 @2
  v13: f64 = load.f64 v12 + 0 @2
  v14: f64 = f64.add v13, v6 @4
  v15: bool = lt_u v9, v1 @5
  guard v15 IndexOutOfRange @5
  v16: i64 = element v0, v9 * 8 + 0 @5
  store.f64 v16 + 0, v14 @5
  v17: bool = ne v10, v7 @6
  branch v17, block2(), block3() @6
block2 chain0 @6 cycle0 ():
  v18: i64 = sub v10, v8 @6
  v19: i64 = add v9, v8 @6
  jump block1(v19, v18) @6
block3 chain0 @6 cycle0 ():
  exit exit0 () @6
"
    );
}

/// A callee that returns from two places, called in the loop; its result is summed.
const CALL: &str = "
main f
function f(params 1, results 1, frame 12)
  Const s1, 0
  Const s2, 0
  ForPrepS s2..4, s0 -> @out
loop counted s2..4 @top..@out
top: Move s6, s2
  Call s6, g
  Add s1, s1, s6
  ForLoop s2..4, loop0 -> @top
out: Return1 s1
function g(params 1, results 1, frame 4)
  JLtSImm s0, 10 -> @small
  Const s1, 7
  Return1 s1
small: Return1 s0
";

#[test]
fn a_call_is_walked_in_place() {
    let text = walk(CALL).unwrap();
    assert!(text.contains("chain1 = function1 in chain0 @4\n"), "{text}");
    let join = text.lines().find(|l| l.starts_with("block") && l.contains("= 6)")).unwrap();
    assert!(join.contains("chain0 @5 cycle0"), "{text}");
    assert!(text.contains("exit0 = done @7 (1)"), "{text}");
}

#[test]
fn recursion_stays_a_call() {
    let text = walk(&CALL.replace("Const s1, 7", "Call s2, g")).unwrap();
    assert!(text.contains(" = call function1 ("), "{text}");
    assert!(text.contains("chain1 = function1 in chain0 @4\n"), "{text}");
}

/// A function value that is known where it is called.
#[test]
fn a_known_function_value_is_walked() {
    let known = CALL.replace(
        "top: Move s6, s2\n  Call s6, g",
        "top: Move s7, s2\n  FunctionId s10, g\n  CallIndirect s6, s10..12, class65538",
    );
    let text = walk(&known.replace("function g(params 1", "function g(params 2").replace("s0, 10", "s1, 10")).unwrap();
    assert!(text.contains("chain1 = function1"), "{text}");
}

/// One that is not known may be any whose id is taken: the only one is walked, of several the call stays.
#[test]
fn an_unknown_function_value_stays_a_call() {
    let unknown =
        CALL.replace("top: Move s6, s2\n  Call s6, g", "top: Move s7, s2\n  CallIndirect s6, s0..2, class65538");
    let unknown = unknown.replace("function g(params 1", "function g(params 2").replace("s0, 10", "s1, 10");
    let taking = |ids: &str| {
        format!(
            "{unknown}function h(params 2, results 1, frame 4)\n  Return1 s0\nfunction t(params 0, results 0, frame 4)\n{ids}  Return\n"
        )
    };
    let one = walk(&taking("  FunctionId s1, g\n")).unwrap();
    assert!(one.contains("chain1 = function1"), "{one}");
    let two = walk(&taking("  FunctionId s1, g\n  FunctionId s1, h\n")).unwrap();
    assert!(two.contains(": i64 = call_any class65538 (v0, v6, v7)"), "{two}");
}

/// An inner loop with a float accumulator, a `break`, and a slot that only one path writes.
const NEST: &str = "
main f
function f(params 3, results 1, frame 12)
  Const s3, 0
  ForPrepS s3..5, s2 -> @out
loop counted s3..5 @outer..@out
outer: ConstF64 s8, 0
  Const s5, 0
  ForPrepS s5..7, s2 -> @done
loop counted s5..7 @inner..@done in loop0
inner: LoadElemF64 s7, s0..2, s5, *8, +0
  JLtF64 s7, s8 -> @done
  AddF64 s8, s8, s7
  ForLoop s5..7, loop1 -> @inner
done: StoreElemF64 s0..2, s3, s8, *8, +0
  ForLoop s3..5, loop0 -> @outer
out: Const s0, 0
  Return1 s0
";

#[test]
fn nested_loops_stay_loops() {
    let text = walk(NEST).unwrap();
    assert!(text.contains("cycle1 = loop1 chain0 block3 counted 5 in cycle0\n"), "{text}");
    let header = text.lines().find(|l| l.starts_with("block3")).unwrap();
    assert!(header.contains("f64 = 8"), "{text}");
}

/// What is set before all loops is known in each of them that does not write it, where all ways to it say the same.
#[test]
fn constants_before_a_loop() {
    let program = |between: &str, inside: &str| {
        format!(
            "
main f
function f(params 3, results 1, frame 12)
  ConstF64 s8, 4.0
  ConstF32 s9, 0.5
  Const s10, 7
{between}
next: Const s3, 0
  ForPrepS s3..5, s2 -> @out
loop counted s3..5 @outer..@out
outer: Const s5, 0
  ForPrepS s5..7, s2 -> @done
loop counted s5..7 @inner..@done in loop0
inner: LoadElemF64 s7, s0..2, s5, *8, +0
  DivF64 s7, s7, s8
  MulF32 s11, s11, s9
  Add s6, s6, s10
  StoreElemF64 s0..2, s5, s7, *8, +0
  ForLoop s5..7, loop1 -> @inner
done: Nop
{inside}
  ForLoop s3..5, loop0 -> @outer
out: Const s0, 0
  Return1 s0
"
        )
    };
    let known = |between: &str, inside: &str| {
        let program = parse(&program(between, inside)).unwrap();
        let region = Walker::new(&program, Parameters::default()).walk(LoopId(1)).unwrap();
        let text = region.to_string();
        ["f64.const 0x4010000000000000", "f32.const 0x3f000000", "const 7"].map(|constant| text.contains(constant))
    };
    assert_eq!(known("", ""), [true; 3]);
    assert_eq!(known("", "  ConstF64 s8, 4.0"), [true; 3]);
    assert_eq!(known("", "  ConstF64 s8, 3.0"), [false, true, true]);
    assert_eq!(known("  JEq s2, s3 -> @next\n  ConstF32 s9, 0.25", ""), [true, false, true]);
    assert_eq!(known("", "  AddImm s10, s10, 1"), [true, true, false]);
}

/// What all calls set to the same constant right before is one in the loops of a function that is no value and does not write it.
#[test]
fn parameters_that_are_always_the_same() {
    let known = |calls: &str, inside: &str| {
        let program = format!(
            "
main f
function f(params 0, results 1, frame 20)
{calls}
last: Return1 s0
function g(params 2, results 1, frame 8)
  Const s2, 0
  ForPrepS s2..4, s0 -> @out
loop counted s2..4 @top..@out
top: Add s5, s5, s1
{inside}
  ForLoop s2..4, loop0 -> @top
out: Return1 s5
"
        );
        let program = parse(&program).unwrap_or_else(|error| panic!("{error}{program}"));
        Walker::new(&program, Parameters::default()).walk(LoopId(0)).unwrap().to_string().contains("const 77")
    };
    let call = "  Const s4, 100\n  Const s5, 77\n  Call s4, g";
    assert!(known(call, ""));
    assert!(known(&format!("{call}\n{call}\n  Const s9, 77\n  Move s5, s9\n  Call s4, g"), ""));
    assert!(!known(&format!("{call}\n{}", call.replace("77", "78")), ""));
    assert!(!known(&format!("{call}\n  FunctionId s1, g"), ""));
    assert!(!known(&format!("  JEq s0, s1 -> @last\n{call}\n  Call s4, g"), ""), "the call before wrote it");
    assert!(!known("  Const s5, 77\n  JEq s0, s1 -> @call\n  Const s5, 78\ncall: Const s4, 9\n  Call s4, g", ""));
    assert!(!known(call, "  AddImm s1, s1, 1"));
}

/// What is too large with its calls inlined is walked again with calls.
#[test]
fn large_callees_stay_calls() {
    let body = "  AddImm s0, s0, 1\n  Add s1, s0, s1\n".repeat(250);
    let program = CALL.replace("  Add s1, s1, s6\n", &"  Add s1, s1, s6\n  Move s6, s2\n  Call s6, g\n".repeat(6));
    let program = program.replace("  Const s1, 7\n", &body);
    let text = walk(&program).unwrap();
    assert_eq!(text.matches(" = call function1 (").count(), 7, "{text}");
    let huge = MAP.replace("  AddF64 s7, s7, s8\n", &"  AddF64 s7, s7, s8\n".repeat(3000));
    assert!(walk(&huge).unwrap_err().contains("TooLarge"));
}

/// A condition that is made a word and tested later is the condition itself.
#[test]
fn conditions_in_slots_are_seen_through() {
    let program = MAP.replace("top: ", "top: LtS s9, s5, s4\n  NotBool s9, s9\n  JIf s9 -> @skip\n");
    let program = program.replace("  ForLoop", "skip: ForLoop");
    let text = walk(&program).unwrap();
    assert!(text.contains("not v"), "{text}");
    assert!(!text.contains("word v"), "{text}");
}

/// A `while` loop: the counter is a parameter of the header, and its value behind the loop is the exit's.
#[test]
fn an_open_loop_leaves_by_its_condition() {
    let text = walk(
        "
main f
function f(params 2, results 1, frame 8)
  Const s2, 0
loop open @top..@out
top: JLeS s1, s2 -> @out
  StoreI64 s0, s2, +0
  AddImm s2, s2, 1
  Loop loop0 -> @top
out: Return1 s2
",
    )
    .unwrap();
    assert!(text.contains("exit0 = leave @5 (2)"), "{text}");
    assert!(text.contains("cycle0 = loop0 chain0 block1 open"), "{text}");
}

/// A slot that holds a word on two of three ways and a float where they meet: each of the two rereads it for itself.
#[test]
fn bits_are_reread_on_each_way() {
    let text = walk(
        "
main f
function f(params 2, results 1, frame 12)
  Const s3, 0
  ConstF64 s8, 0.0
  ForPrepS s3..5, s1 -> @out
loop counted s3..5 @top..@out
top: LoadI64 s5, s0, +0
  AddImm s6, s5, 1
  StoreI64 s0, s6, +8
  Move s7, s5
  JEqImm s3, 4 -> @other
  JEqImm s3, 3 -> @join
  ConstF64 s7, 1.0
  Jump -> @join
other: StoreI64 s0, s3, +16
join: AddF64 s8, s8, s7
  ForLoop s3..5, loop0 -> @top
out: Move s0, s8
  Return1 s0
",
    )
    .unwrap();
    assert_eq!(text.matches("reread").count(), 2, "{text}");
}

/// Regions for machine code: a guard keeps its instruction's operands, a call what is read from it on, in all frames.
#[test]
fn guards_and_calls_keep_what_the_interpreter_needs() {
    let keeping = |text: &str| {
        let program = parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let mut walker = Walker::new(&program, Parameters::default()).keeping();
        let region = walker.walk(LoopId(0)).unwrap();
        region.verify().unwrap_or_else(|error| panic!("{error}\n{region}"));
        let text = region.to_string();
        assert_eq!(text.parse::<Region>().unwrap_or_else(|error| panic!("{error}\n{text}")), region);
        text
    };
    let map = keeping(MAP);
    assert!(map.contains("IndexOutOfRange keep (chain0 2 v2, chain0 3 v3, chain0 5 v"), "{map}");
    // g calls itself behind a test: its caller's sum and counter are kept, and its own argument.
    let call = keeping(&CALL.replace("Const s1, 7", "Move s3, s0\n  Call s3, g\n  Move s1, s0"));
    let line = call.lines().find(|l| l.contains("call function1")).unwrap();
    let kept: Vec<_> = line.split("keep (").nth(1).unwrap().split([',', ')']).map(|k| k.trim()).collect();
    for slot in ["chain0 1 ", "chain0 2 ", "chain0 3 ", "chain1 0 ", "chain1 3 "] {
        assert!(kept.iter().any(|k| k.starts_with(slot)), "{slot}: {call}");
    }
    assert!(!walk(MAP).unwrap().contains("keep"));
}

fn walk_function(text: &str, function: u32, recursion_depth: u32) -> String {
    let program = parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let parameters = Parameters { recursion_depth, ..Parameters::default() };
    let mut walker = Walker::new(&program, parameters).keeping();
    let region = walker.walk_function(FunctionId(function)).unwrap_or_else(|open| panic!("{open}\n{text}"));
    region.verify().unwrap_or_else(|error| panic!("{error}\n{region}"));
    let text = region.to_string();
    assert_eq!(text.parse::<Region>().unwrap_or_else(|error| panic!("{error}\n{text}")), region);
    text
}

/// From the entry to the returns: the call of itself stays one, and keeps what is read behind it.
#[test]
fn a_function_that_calls_itself() {
    let program = "
main f
function f(params 1, results 1, frame 8)
  JLtSImm s0, 2 -> @small
  AddImm s4, s0, -1
  Call s4, f
  Add s0, s0, s4
small: Return1 s0
";
    assert_eq!(
        walk_function(program, 0, 0),
        "\
of function
chain0 = function0
exit0 = return @4 (0)
block0 chain0 @0 (v0: i64 = 0):
  v1: i64 = const 2 @0
  v2: i64 = const -1 @1
  jump block1() @0
block1 chain0 @0 ():
  v3: bool = lt_s v0, v1 @0
  branch v3, block3(v0), block2() @0
block2 chain0 @1 ():
  v4: i64 = add v0, v2 @1
  v5: i64 = call function0 (v4) keep (chain0 0 v0, chain0 4 v4) @2
  v6: i64 = add v0, v5 @3
  jump block3(v6) @3
block3 chain0 @4 (v7: i64 = 0):
  exit exit0 (v7) @4
"
    );
    // Walked in place twice.
    let text = walk_function(program, 0, 2);
    assert!(text.contains("chain2 = function0 in chain1 @2\n") && !text.contains("chain3"), "{text}");
    assert_eq!(text.matches(" = call function0 (").count(), 1, "{text}");
}

/// The loops of a function are cycles of its region, several of them outermost; small callees are walked in place.
#[test]
fn the_loops_of_a_function() {
    let twice = CALL.replace("out: Return1 s1", "out: Const s2, 0\n  ForPrepS s2..4, s0 -> @last\nloop counted s2..4 @again..@last\nagain: Add s1, s1, s2\n  ForLoop s2..4, loop1 -> @again\nlast: Return1 s1");
    let text = walk_function(&twice, 0, 0);
    assert!(text.contains("cycle0 = loop0 chain0") && text.contains("cycle1 = loop1 chain0"), "{text}");
    assert!(!text.contains(" in cycle") && text.contains("chain1 = function1 in chain0"), "{text}");
    assert!(text.contains("= return @") && !text.contains("= done"), "{text}");
}

/// A function that is endless has no way out but those that end the program.
#[test]
fn a_function_that_never_returns() {
    let text = walk_function(
        "
main f
function f(params 1, results 0, frame 4)
loop open @top..@out
top: AddImm s0, s0, 1
  Loop loop0 -> @top
out: Return
",
        0,
        0,
    );
    assert!(!text.contains("exit0"), "{text}");
}
