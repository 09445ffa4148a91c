use std::rc::Rc;

use scaly_interp::dump::parse;
use scaly_interp::program::FunctionId;

use super::*;
use crate::parameters::Parameters;
use crate::walker::Walker;

fn summary(text: &str, function: u32) -> String {
    let program = parse(text).unwrap_or_else(|error| panic!("{error}"));
    let mut walker = Walker::new(&program, Parameters::default());
    let mut summaries = Summaries::default();
    summaries.add(&Calls::of_program(&program), &[FunctionId(function)], |id| Rc::clone(&walker.code(id)));
    let s = summaries.get(FunctionId(function));
    let results: Vec<String> = s.results.iter().map(|r| format!("[{r}]")).collect();
    let stores: Vec<String> = s.stores.iter().map(|(to, v)| format!("{to} <- {v}")).collect();
    format!(
        "reads [{}] writes [{}] results {} stores [{}]{}",
        s.reads,
        s.writes,
        results.join(" "),
        stores.join(", "),
        if s.external() { " external" } else { "" },
    )
}

#[test]
fn parameters_and_what_they_own() {
    let text = "
main f
function f(params 4, results 1, frame 12)
  ElemAddr s4, s0..2, s2, *16, +0
  LoadWords s4, s4, &1, +0
  LoadF64 s5, s4, +0
  StoreF64 s3, s5, +8
  Return1 s4
";
    assert_eq!(summary(text, 0), "reads [param0 param0.*] writes [param3] results [param0.*] stores []");
}

#[test]
fn what_is_new_stays_inside() {
    let text = "
main f
function f(params 3, results 2, frame 12)
  Move s4, s0
  Const s5, 10
  Const s6, 8
  Runtime s4, ArrayNew
  StoreI64 s4, s1, +0
  StoreI64 s2, s4, +0
  ReturnN s4..6
";
    assert_eq!(summary(text, 0), "reads [] writes [param2] results [new0] [] stores [param2 <- new65535]");
}

#[test]
fn a_caller_has_its_callees_effects() {
    let text = "
main f
function f(params 2, results 1, frame 12)
  Move s5, s1
  Call s5, g
  Move s7, s5
  Return1 s5
function g(params 1, results 1, frame 12)
  LoadWords s1, s0, &1, +0
  StoreI32 s1, s0, +0
  JEqImm s1, 0 -> @stop
  Move s5, s1
  Call s5, g
  Return1 s5
stop: Const s6, 4
  Runtime s6, IntToString
  Runtime s6, ConsolePrint
  Return1 s1
";
    let g = summary(text, 1);
    assert!(g.starts_with("reads [param0 param0.*] writes [param0.*] results [param0.*]"), "{g}");
    assert!(g.ends_with(" external"), "{g}");
    let f = summary(text, 0);
    assert!(f.starts_with("reads [param1 param1.*] writes [param1.*] results [param1.*]"), "{f}");
}

/// A function value may be any function whose id is taken, and no other.
#[test]
fn a_function_value_has_the_effects_of_all_taken() {
    let text = "
main f
function f(params 3, results 1, frame 12)
  Move s6, s2
  CallIndirect s5, s0..2, class65538
  Return1 s5
function g(params 2, results 1, frame 12)
  LoadWords s2, s1, &1, +0
  Return1 s2
function h(params 2, results 1, frame 12)
  StoreI32 s1, s0, +0
  Return1 s0
function k(params 0, results 0, frame 12)
  FunctionId s1, g
  Return
";
    assert_eq!(summary(text, 0), "reads [param2] writes [] results [param2.*] stores []");
    let both = text.replace("  Return\n", "  FunctionId s1, h\n  Return\n");
    assert_eq!(summary(&both, 0), "reads [param2] writes [param2] results [param1 param2.*] stores []");
}

const GLOBALS: &str = "
main f
globals 8
function f(params 0, results 0, frame 12)
  Global s5, +0
  Call s5, g
  Return
function g(params 1, results 0, frame 12)
  StoreI64 s0, s0, +0
  Return
function h(params 1, results 0, frame 12)
  Call s5, k
  Return
function k(params 0, results 0, frame 12)
  Return
function l(params 1, results 0, frame 12)
  FunctionId s1, g
  CallIndirect s5, s1..3, class1
  Return
";

/// In the order in which they are summed up.
#[test]
fn what_is_called_is_reached_and_comes_before() {
    let program = parse(GLOBALS).unwrap_or_else(|error| panic!("{error}"));
    let calls = Calls::of_program(&program);
    let reached = |roots: &[u32], known: u32| {
        let roots: Vec<FunctionId> = roots.iter().copied().map(FunctionId).collect();
        let found = calls.reached(&roots, |id| id.0 == known);
        found.into_iter().map(|id| id.0).collect::<Vec<u32>>()
    };
    assert_eq!(reached(&[2], 9), [3, 2]);
    assert_eq!(reached(&[2, 0], 3), [2, 1, 0]);
    assert_eq!(reached(&[4], 9), [1, 4]);
}

/// The main function may write globals where it has no loop; what another does there counts for who called it with one.
#[test]
fn globals_are_constant_where_only_main_writes_them() {
    let constant = |text: &str| {
        let program = parse(text).unwrap_or_else(|error| panic!("{error}"));
        let mut walker = Walker::new(&program, Parameters::default());
        let mut summaries = Summaries::default();
        summaries.add_globals(&Calls::of_program(&program), |id| Rc::clone(&walker.code(id)));
        summaries.constant_globals()
    };
    assert!(constant(GLOBALS));
    assert!(!constant(&GLOBALS.replace("  Call s5, k", "  Global s5, +0\n  Call s5, g")));
    assert!(!constant(&GLOBALS.replace("  FunctionId s1, g", "  FunctionId s1, g\n  Global s2, +0")));
}
