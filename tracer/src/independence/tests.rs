//! Verdicts on bytecode written as text.

use scaly_interp::dump::parse;
use scaly_interp::program::LoopId;

use super::{Verdict, holds};
use crate::explain::{Judge, LoopReport};
use crate::parameters::Parameters;

/// The verdict on a loop in a few words.
fn verdict_of(text: &str, id: u32) -> String {
    let text = text.replace("main f", "main run") + "\nfunction run(params 0, results 1, frame 4)\n  Return1 s0\n";
    let program = parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    scaly_interp::verify::verify(&program).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
    let report: LoopReport = Judge::new(&program, Parameters::default()).report(LoopId(id));
    let verdict = if report.verdict.is_independent() { "independent" } else { "serial" };
    let notes: Vec<String> = report.notes(&program).into_iter().map(|n| n.text).collect();
    format!("{verdict}: {}", notes.join("; "))
}

fn verdict(text: &str) -> String {
    verdict_of(text, 0)
}

/// A loop `for i in 0..n` in s10, remaining trips in s11, over parameters a (s0), b (s2), n (s4), x (s5); temporaries
/// from s12. `a` is changed in place, `b` is a value.
fn for_loop(body: &str) -> String {
    with_params("inplace 0", "value", body, "")
}

fn with_params(a: &str, b: &str, body: &str, behind: &str) -> String {
    format!(
        "
main f
function f(params 7, results 2, frame 40)
  param a s0..2 {a}
  param b s2..4 {b}
  param n s4 value
  param x s5 value
  param w s6 value
  variable a s0..2 @start..@end
  variable b s2..4 @start..@end
  variable n s4 @start..@end
  variable x s5 @start..@end
  variable w s6 @start..@end
  variable sum s8 @start..@end
  variable total s9 @start..@end
  variable i s10 @top..@out
start: Const s10, 0
  ForPrepS s10..12, s4 -> @out
loop counted s10..12 @top..@out
top: Nop
{body}
next: ForLoop s10..12, loop0 -> @top
out: Nop
{behind}
  ReturnN s0..2
"
    )
}

#[test]
fn a_map_over_elements() {
    let text = for_loop(
        "LoadElemF64 s12, s2..4, s10, *8, +0
  AddF64 s12, s12, s12
  StoreElemF64 s0..2, s10, s12, *8, +0",
    );
    assert_eq!(verdict(&text), "independent: ");
}

/// An index that wraps: `a[i * k]` for an unknown k may come back to the same element.
#[test]
fn a_stride_that_is_not_known_is_checked() {
    let text = for_loop(
        "Mul s12, s10, s6
  StoreElemF64 s0..2, s12, s5, *8, +0",
    );
    assert_eq!(verdict(&text), "independent: checked when it starts: w >= 1");
}

#[test]
fn a_row_and_a_column() {
    // for x in 0..w set a[i * w + x]: x
    let body = "Const s14, 0
  ForPrepS s14..16, s6 -> @next
loop counted s14..16 @inner..@next in loop0
inner: Mul s12, s10, s6
  Add s12, s12, s14
  StoreElemF64 s0..2, s12, s5, *8, +0
  ForLoop s14..16, loop1 -> @inner";
    let text = for_loop(body);
    let found = verdict(&text);
    assert!(found.starts_with("independent: "), "{found}");
    let inner = verdict_of(&text, 1);
    assert!(inner.starts_with("independent: "), "{inner}");
}

/// `for x in 0..w set a[i * w + SHIFT + x]: a[i * w + x]`
fn shifted(shift: &str) -> String {
    verdict(&for_loop(&format!(
        "Const s14, 0
  ForPrepS s14..16, s6 -> @next
loop counted s14..16 @inner..@next in loop0
inner: Mul s12, s10, s6
  Add s12, s12, s14
  LoadElemF64 s16, s0..2, s12, *8, +0
  {shift}
  StoreElemF64 s0..2, s12, s16, *8, +0
  ForLoop s14..16, loop1 -> @inner"
    )))
}

#[test]
fn a_shift_stays_within_a_row_or_leads_behind_all() {
    let ranges =
        "bytes 0..8 * w + 8 * w * the number of iterations and 8 * x..8 * x + 8 * w + 8 * w * the number of iterations";
    let checks = format!("0 >= x and x >= 0, or w >= 0 and {ranges} of `a` do not overlap");
    assert_eq!(shifted("Add s12, s12, s5"), format!("independent: checked when it starts: {checks}"));
}

#[test]
fn no_row_is_wider_than_itself() {
    for shift in [1, 1000] {
        let found = shifted(&format!("AddImm s12, s12, {shift}"));
        assert_eq!(found, "serial: an iteration reads elements of `a` that others write");
    }
}

/// `set a[i + SHIFT]: a[i]`
#[test]
fn few_steps_further_there_are_others() {
    let by = |shift: i64| {
        verdict(&for_loop(&format!(
            "LoadElemF64 s12, s0..2, s10, *8, +0
  AddImm s13, s10, {shift}
  StoreElemF64 s0..2, s13, s12, *8, +0"
        )))
    };
    assert_eq!(by(3), "serial: an iteration reads elements of `a` that others write");
    assert_eq!(by(100), "independent: checked when it starts: 99 >= the number of iterations");
    assert_eq!(by(-100), by(100));
}

#[test]
fn everything_to_one_place() {
    let text = for_loop("Const s12, 0\n  StoreElemF64 s0..2, s12, s5, *8, +0");
    assert_eq!(verdict(&text), "serial: every iteration stores to the same place of `a`");
}

/// `set a[b[i]]: x`
#[test]
fn an_index_from_data() {
    let text = for_loop(
        "LoadElemI64 s12, s2..4, s10, *8, +0
  StoreElemF64 s0..2, s12, s5, *8, +0",
    );
    assert_eq!(
        verdict(&text),
        "serial: which element of `a` is stored depends on data, so two iterations may store to one"
    );
}

/// `set a[i]: a[i + 1]`
#[test]
fn a_neighbour() {
    let text = for_loop(
        "AddImm s12, s10, 1
  LoadElemF64 s12, s0..2, s12, *8, +0
  StoreElemF64 s0..2, s10, s12, *8, +0",
    );
    assert_eq!(verdict(&text), "serial: an iteration reads elements of `a` that others write");
}

/// Two slices may overlap: an entry check. Arrays of different parameters do not.
#[test]
fn overlapping_slices_are_checked() {
    let body = "LoadElemF64 s12, s2..4, s10, *8, +0
  StoreElemF64 s0..2, s10, s12, *8, +0";
    assert_eq!(
        verdict(&with_params("view", "view", body, "")),
        "independent: checked when it starts: the memory of `a` and `b` does not overlap"
    );
    assert_eq!(verdict(&with_params("inplace 0", "value", body, "")), "independent: ");
}

/// Slices whose elements own memory: no test at the start can tell.
#[test]
fn slices_of_arrays_may_overlap() {
    let body = "ElemAddr s12, s0..2, s10, *16, +0
  LoadWords s12, s12, &1, +0
  ElemAddr s13, s2..4, s10, *16, +0
  LoadWords s13, s13, &1, +0
  LoadF64 s13, s13, +0
  StoreF64 s12, s13, +0";
    let unsure = "serial: `a` and `b` may be the same memory";
    assert_eq!(verdict(&with_params("view", "view", body, "")), unsure);
    assert_eq!(verdict(&with_params("inplace 0", "value", body, "")), "independent: ");
    // Two arrays of one value, whose elements are written: a slice would be a parameter of its own.
    let one = with_params("view", "view", body, "").replace("  param b s2..4 view\n", "");
    assert_eq!(verdict(&one), unsure);
    assert_eq!(verdict(&one.replace("param a s0..2 view", "param a s0..4 view")), "independent: ");
}

/// `to[i] = f(i)`, where f is a lambda that captured an array or a number.
#[test]
fn a_lambda_may_look_at_what_a_slice_shows() {
    let body = "LoadWords s14..16, s3, &1, +16
  LoadElemF64 s12, s14..16, s10, *8, +0
  StoreElemF64 s0..2, s10, s12, *8, +0";
    let unsure = "serial: `a` and `b` may be the same memory";
    assert_eq!(verdict(&with_params("view", "function", body, "")), unsure);
    assert_eq!(verdict(&with_params("view", "value", body, "")), "independent: ");
    // Where it is kept is nothing that is shown.
    let number = "LoadF64 s12, s3, +16\n  StoreElemF64 s0..2, s10, s12, *8, +0";
    assert_eq!(verdict(&with_params("view", "function", number, "")), "independent: ");
}

#[test]
fn a_sum_of_integers_is_a_reduction() {
    let body = "LoadElemI64 s12, s2..4, s10, *8, +0
  Add s8, s8, s12";
    let text = with_params("value", "value", body, "Move s0, s8");
    assert_eq!(verdict(&text), "independent: `sum` is a reduction: sum");
    // Only on some paths, and of a narrow type.
    let body = "LoadElemI64 s12, s2..4, s10, *8, +0
  JLtSImm s12, 5 -> @next
  Add s8, s8, s12
  WrapI32 s8, s8";
    let text = with_params("value", "value", body, "Move s0, s8");
    assert_eq!(verdict(&text), "independent: `sum` is a reduction: sum");
}

#[test]
fn a_sum_of_floats_is_not() {
    let body = "LoadElemF64 s12, s2..4, s10, *8, +0
  AddF64 s8, s8, s12";
    let text = with_params("value", "value", body, "Move s0, s8");
    assert_eq!(
        verdict(&text),
        "serial: `sum` is a sum of floats, whose rounding depends on the order of the additions"
    );
}

#[test]
fn a_reduction_read_halfway() {
    let body = "LoadElemI64 s12, s2..4, s10, *8, +0
  Add s8, s8, s12
  StoreElemI64 s0..2, s10, s8, *8, +0";
    let text = with_params("inplace 0", "value", body, "Move s0, s8");
    assert_eq!(verdict(&text), "serial: `sum` accumulates, but is read before the loop ends");
}

#[test]
fn two_ways_to_accumulate() {
    let body = "Add s8, s8, s10
  Mul s8, s8, s10";
    let text = with_params("value", "value", body, "Move s0, s8");
    assert_eq!(verdict(&text), "serial: `sum` accumulates in different ways whose order matters");
    // sum = sum + sum is no sum of parts.
    let text = with_params("value", "value", "Add s8, s8, s8", "Move s0, s8");
    assert!(verdict(&text).starts_with("serial"));
    // An iteration that starts over is none either.
    let body = "Add s8, s8, s10
  JLtSImm s10, 5 -> @next
  Const s8, 0";
    assert!(verdict(&with_params("value", "value", body, "Move s0, s8")).starts_with("serial"));
}

/// `if a[i] < least { set least: a[i]; set at: i }`
#[test]
fn the_first_smallest_with_its_index() {
    let body = "LoadElemF64 s12, s2..4, s10, *8, +0
  JNotLtF64 s12, s8 -> @next
  Move s8, s12
  Move s9, s10";
    let text = with_params("value", "value", body, "MoveN s0..2, s8..10");
    assert_eq!(verdict(&text), "independent: `sum` is a reduction: first smallest, with 1 value");
    // Not strict: the last one would win.
    let last = text.replace("JNotLtF64 s12, s8", "JNotLeF64 s12, s8");
    assert!(verdict(&last).starts_with("serial"), "{}", verdict(&last));
    // With integers, written as a test that skips.
    let ints = text.replace("JNotLtF64 s12, s8", "JLeS s8, s12").replace("LoadElemF64", "LoadElemI64");
    assert_eq!(verdict(&ints), "independent: `sum` is a reduction: first smallest, with 1 value");
    // Where it is replaced, something else is done: as often as all iterations in turn find a smaller one.
    let told = "serial: where a better `sum` is found, more is done than to keep what belongs to it";
    let stores = text.replace("  Move s9, s10", "  Move s9, s10\n  StoreElemI64 s0..2, s10, s10, *8, +0");
    assert_eq!(verdict(&stores.replace("param a s0..2 value", "param a s0..2 inplace 0")), told);
    let counts = text.replace("  Move s9, s10", "  AddImm s9, s9, 1");
    assert_eq!(verdict(&counts), told);
    let read = text.replace("  JNotLtF64", "  StoreElemI64 s0..2, s10, s9, *8, +0\n  JNotLtF64");
    assert!(verdict(&read).starts_with("serial"));
}

/// A scalar that is live after the loop.
#[test]
fn the_last_value_is_copied_out() {
    let body = "LoadElemI64 s9, s2..4, s10, *8, +0";
    let text = with_params("value", "value", body, "Move s0, s9");
    assert_eq!(verdict(&text), "independent: `total` keeps the value of the last iteration");
    // Set on some paths only.
    let body = "LoadElemI64 s12, s2..4, s10, *8, +0
  JLtSImm s12, 5 -> @next
  Move s9, s12";
    let text = with_params("value", "value", body, "Move s0, s9");
    assert_eq!(verdict(&text), "serial: `total` is set on some paths only, and its last value is used behind the loop");
    // Written before it is read: private.
    let body = "LoadElemI64 s9, s2..4, s10, *8, +0
  StoreElemI64 s0..2, s10, s9, *8, +0";
    assert_eq!(verdict(&for_loop(body)), "independent: ");
}

#[test]
fn a_carried_scalar() {
    let body = "StoreElemI64 s0..2, s10, s8, *8, +0
  LoadElemI64 s8, s2..4, s10, *8, +0";
    assert_eq!(verdict(&for_loop(body)), "serial: each iteration needs `sum` from the one before");
}

/// A second counter follows from the number of the iteration.
#[test]
fn counters_in_step() {
    let body = "StoreElemI64 s0..2, s8, s10, *8, +0
  AddImm s8, s8, 2";
    assert_eq!(verdict(&for_loop(body)), "independent: ");
    // By nothing known: it may stand still.
    let body = "StoreElemI64 s0..2, s8, s10, *8, +0
  Add s8, s8, s6";
    let found = verdict(&for_loop(body));
    assert!(found.contains("w >= 1"), "{found}");
}

#[test]
fn ways_out_of_the_loop() {
    let body = "LoadElemI64 s12, s2..4, s10, *8, +0
  JEqImm s12, 7 -> @out";
    assert_eq!(verdict(&for_loop(body)), "serial: it may end before its last iteration");
    let body = "LoadElemI64 s12, s2..4, s10, *8, +0
  JNeImm s12, 7 -> @next
  ReturnN s0..2";
    assert_eq!(verdict(&for_loop(body)), "serial: it may return from inside of the loop");
    // An error is no way out.
    let body = "LoadElemI64 s12, s2..4, s10, *8, +0
  JNeImm s12, 7 -> @next
  Fault AssertionFailed";
    assert_eq!(verdict(&for_loop(body)), "independent: ");
}

/// A path that hardly ever runs prints.
#[test]
fn effects_on_a_cold_path() {
    let body = "JNeImm s10, 1000 -> @next
  Const s14, 0
  Const s15, 0
  Runtime s14, ConsolePrint";
    assert_eq!(verdict(&for_loop(body)), "serial: `print` writes to the world outside, in the order of the iterations");
    let waits = body.replace("ConsolePrint", "FileExists");
    assert_eq!(
        verdict(&for_loop(&waits)),
        "serial: `File.exists` reads from the world outside, in the order of the iterations"
    );
    let sleeps = body.replace("ConsolePrint", "TimeSleep");
    assert_eq!(verdict(&for_loop(&sleeps)), "serial: `Time.sleep` may wait for something outside");
}

/// `push` on an array of the loop around: carried. On one that is new in each iteration: private.
#[test]
fn pushing() {
    let push = |pair: &str, pointer: &str, length: &str, region: &str| {
        format!(
            "JRoom {pointer}, {length}, {region}, *8 -> @room
  Move s20, {region}
  Move s21, {pointer}
  Move s22, {length}
  Const s23, 8
  Const s24, 1
  Runtime s20, ArrayGrow
  Move {pointer}, s20
room: ElemAddrRaw s20, {pointer}, {length}, *8, +0
  StoreI64 s20, s10, +0
  AddImm {length}, {length}, 1
  ; {pair}"
        )
    };
    // Room is made before the loop, where each iteration appends as often.
    let outer = with_params("inplace 0", "value", &push("a", "s0", "s1", "s6"), "");
    assert_eq!(verdict(&outer), "independent: checked when it starts: there is memory for what is appended to `a`");
    let grows = "serial: `a` grows: where an element goes depends on how many came before";
    // Now and then: parts of the loop append to their own, if none of them looks at what is there.
    let some = format!("JEqImm s5, 0 -> @next\n  {}", push("a", "s0", "s1", "s6"));
    let gathered = "independent: `a` is gathered: what parts of the loop append is put in order behind them";
    assert_eq!(verdict(&with_params("inplace 0", "value", &some, "")), gathered);
    for look in ["StoreElemI64 s2..4, s10, s1, *8, +0", "LoadElemI64 s8, s0..2, s5, *8, +0", "AddImm s1, s1, 2"] {
        let looks = format!("JEqImm s5, 0 -> @next\n  {look}\n  {}", push("a", "s0", "s1", "s6"));
        let found = verdict(&with_params("inplace 0", "value", &looks, ""));
        assert!(found.contains(grows.strip_prefix("serial: ").unwrap()), "{look}: {found}");
    }
    // What is read must have been there.
    let old = format!("{}\n  LoadElemI64 s12, s0..2, s10, *8, +0\n  Move s8, s12", push("a", "s0", "s1", "s6"));
    let found = verdict(&with_params("inplace 0", "value", &old, ""));
    assert!(
        found
            .starts_with("independent: checked when it starts: bytes 0..8 * the number of iterations + 8 and 8 * a.le"),
        "{found}"
    );
    let own = format!(
        "Const s30, 0\n  Const s31, 0\n  {}\n  LoadI64 s12, s30, +0\n  StoreElemI64 s0..2, s10, s12, *8, +0",
        push("own", "s30", "s31", "s6")
    );
    assert_eq!(verdict(&for_loop(&own)), "independent: ");
}

/// `set lines[i]: text of i`: the new string is the element's own, the old one goes back.
#[test]
fn storage_owned_by_elements() {
    let body = "Move s14, s6
  Move s15, s10
  Runtime s14, IntToString
  ElemAddr s16, s0..2, s10, *16, +0
  LoadWords s18, s16, &1, +0
  Move s17, s6
  StoreWords s16, s14..16, +0
  Runtime s17, Free";
    assert_eq!(verdict(&for_loop(body)), "independent: ");
    // The same text for all: every iteration frees what the one before has stored.
    let one = body.replace("s0..2, s10, *16", "s0..2, s5, *16");
    assert!(
        verdict(&for_loop(&one)).starts_with("serial: every iteration stores to the same place"),
        "{}",
        verdict(&for_loop(&one))
    );
}

/// Rows of an array of arrays: `set a[i][j]: x` for all j.
#[test]
fn rows_of_their_own() {
    let body = "ElemAddr s12, s0..2, s10, *16, +0
  LoadWords s14..16, s12, &1, +0
  Const s16, 0
  ForPrepS s16..18, s15 -> @next
loop counted s16..18 @inner..@next in loop0
inner: StoreElemF64 s14..16, s16, s5, *8, +0
  ForLoop s16..18, loop1 -> @inner";
    assert_eq!(verdict(&for_loop(body)), "independent: ");
    // All of them into the row number x.
    let one = body.replace("s0..2, s10, *16", "s0..2, s5, *16");
    assert!(verdict(&for_loop(&one)).starts_with("serial: "), "{}", verdict(&for_loop(&one)));
    // A column: `set a[j][i]: x`.
    let column = "Const s16, 0
  ForPrepS s16..18, s1 -> @next
loop counted s16..18 @inner..@next in loop0
inner: ElemAddr s12, s0..2, s16, *16, +0
  LoadWords s14..16, s12, &1, +0
  StoreElemF64 s14..16, s10, s5, *8, +0
  ForLoop s16..18, loop1 -> @inner";
    assert_eq!(verdict(&for_loop(column)), "independent: ");
}

/// Rows change places: what an iteration finds in its row may be another's.
#[test]
fn storage_that_moves() {
    let body = "ElemAddr s12, s0..2, s10, *16, +0
  ElemAddr s13, s2..4, s5, *16, +0
  LoadWords s14..16, s13, &1, +0
  StoreWords s12, s14..16, +0
  LoadWords s14, s12, &1, +0
  StoreF64 s14, s5, +0";
    let found = verdict(&for_loop(body));
    assert!(found.contains("storage moves between elements of `a`"), "{found}");
}

/// Fields of a struct in an array: positions of all are read, each writes its own speed.
#[test]
fn different_fields_do_not_meet() {
    let body = "Const s16, 0
  ForPrepS s16..18, s4 -> @next
loop counted s16..18 @inner..@next in loop0
inner: LoadElemF64 s12, s0..2, s16, *16, +0
  LoadElemF64 s13, s0..2, s10, *16, +8
  AddF64 s12, s12, s13
  StoreElemF64 s0..2, s10, s12, *16, +8
  ForLoop s16..18, loop1 -> @inner";
    assert_eq!(verdict(&for_loop(body)), "independent: ");
    let same = body.replace("s16, *16, +0", "s16, *16, +8");
    assert!(verdict(&for_loop(&same)).starts_with("serial: "), "{}", verdict(&for_loop(&same)));
}

/// A callee that is not walked in place counts with all that it does.
#[test]
fn a_callee_with_a_hidden_effect() {
    let program = |effect: &str| {
        let f = for_loop("Move s20, s0\n  Move s21, s10\n  Call s20, g\n  StoreElemF64 s0..2, s10, s20, *8, +0");
        format!(
            "{f}
function g(params 2, results 1, frame 12)
  JLeSImm s1, 0 -> @done
  AddImm s7, s1, -1
  Move s6, s0
  Call s6, g
{effect}
done: ConstF64 s2, 1.0
  Return1 s2
"
        )
    };
    let found = verdict(&program(""));
    assert_eq!(found, "independent: ");
    assert!(verdict(&program("  StoreF64 s0, s2, +0")).starts_with("serial: "));
    let found = verdict(&program("  LoadF64 s3, s0, +0"));
    assert_eq!(found, "serial: an iteration reads elements of `a` that others write");
    let found = verdict(&program("  Const s6, 0\n  Const s7, 0\n  Runtime s6, ConsolePrint"));
    assert!(found.starts_with("serial: `g` writes to the world outside, in the order of the iterations"), "{found}");
    let unknown = "  FunctionId s3, h\n  FunctionId s3, k\n  LoadWords s9, s0, &1, +0\n  Move s7, s0\n  CallIndirect s6, s9..11, class65538";
    let functions = "function h(params 2, results 1, frame 4)\n  Return1 s0\nfunction k(params 2, results 1, frame 4)\n  STORE\n  Return1 s0\n";
    let harmless = format!("{}{}", program(unknown), functions.replace("STORE", "Nop"));
    assert!(verdict(&harmless).starts_with("serial: an iteration reads elements of `a`"), "{}", verdict(&harmless));
    let storing = format!("{}{}", program(unknown), functions.replace("STORE", "StoreF64 s1, s0, +8"));
    assert!(verdict(&storing).starts_with("serial: which element of `a` is stored"), "{}", verdict(&storing));
}

/// A `while` with a counter, a limit that may be computed, and what goes wrong.
#[test]
fn a_while_loop() {
    let text = |test: &str, step: &str| {
        format!(
            "
main f
function f(params 4, results 1, frame 40)
  param a s0..2 inplace 0
  param n s2 value
  param x s3 value
  variable a s0..2 @start..@end
  variable n s2 @start..@end
start: Const s4, 0
loop open @top..@out
top: {test} -> @out
  StoreElemF64 s0..2, s4, s3, *8, +0
  {step}
  Loop loop0 -> @top
out: Const s4, 0
  Return1 s4
"
        )
    };
    assert_eq!(verdict(&text("JLeS s2, s4", "AddImm s4, s4, 1")), "independent: ");
    let found = verdict(&text("JLeS s2, s4", "AddImm s4, s4, 3"));
    assert_eq!(found, "independent: ");
    let found = verdict(&text("JLtS s2, s4", "AddImm s4, s4, 1"));
    assert_eq!(found, "independent: ");
    assert_eq!(verdict(&text("JLtSImm s4, 0", "AddImm s4, s4, -1")), "independent: ");
    assert_eq!(verdict(&text("JLeS s4, s2", "AddImm s4, s4, -3")), "independent: ");
    // It goes away from where it would end.
    let found = verdict(&text("JLtSImm s4, 0", "AddImm s4, s4, 1"));
    assert!(found.starts_with("serial: "), "{found}");
    let found = verdict(&text("JLeS s2, s4", "AddImm s4, s4, -1"));
    assert!(found.starts_with("serial: "), "{found}");
    let found = verdict(&text("JLeS s2, s4", "AddImm s4, s4, 1\n  AddImm s2, s2, -1"));
    assert!(found.starts_with("serial: its condition depends on what the loop computes"), "{found}");
    let found = verdict(&text("JEq s2, s4", "Add s4, s4, s4"));
    assert!(found.starts_with("serial: "), "{found}");
    // Another way out.
    let found = verdict(&text("JLeS s2, s4", "AddImm s4, s4, 1\n  JEqImm s3, 9 -> @out"));
    assert_eq!(found, "serial: it may end before its last iteration");
}

/// What is checked so that the counter of a `while` never goes over the top or below the bottom.
#[test]
fn the_counter_of_a_while_does_not_wrap() {
    let checks = |start: &str, test: &str, step: &str| {
        let text = format!(
            "
main f
function f(params 4, results 1, frame 40)
  param a s0..2 inplace 0
  param n s2 value
  param m s3 value
start: Const s5, 0
  {start}
loop open @top..@out
top: {test} -> @out
  Xor s5, s5, s4
  {step}
  Loop loop0 -> @top
out: Return1 s5

function run(params 0, results 1, frame 4)
  Return1 s0
"
        );
        let program = parse(&text.replace("main f", "main run")).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let mut judge = Judge::new(&program, Parameters::default());
        let (region, verdict) = judge.judge(LoopId(0));
        let Verdict::Independent(found) = verdict else { panic!("{verdict:?}") };
        move |n: i64, m: i64| {
            let slots = [1 << 20, 1 << 40, n as u64, m as u64, m as u64, 0];
            holds(region.as_ref().unwrap(), &found.checks, |slot| slots[usize::from(slot)], |_| u64::MAX)
        }
    };
    // One at a time it ends at the limit, whatever that is.
    let up = checks("Const s4, 0", "JLeS s2, s4", "AddImm s4, s4, 1");
    assert!(up(i64::MAX, 0));
    let strides = checks("Const s4, 0", "JLeS s2, s4", "AddImm s4, s4, 3");
    assert!(strides(i64::MAX - 2, 0) && !strides(i64::MAX - 1, 0));
    let inclusive = checks("Const s4, 0", "JLtS s2, s4", "AddImm s4, s4, 1");
    assert!(inclusive(i64::MAX - 1, 0) && !inclusive(i64::MAX, 0));
    let down = checks("Move s4, s3", "JLeS s4, s2", "AddImm s4, s4, -3");
    assert!(down(i64::MIN + 2, 9) && !down(i64::MIN + 1, 9));
    // At 0 an unsigned one would go on from the top.
    let unsigned = checks("Move s4, s3", "JLtU s4, s2", "AddImm s4, s4, -1");
    assert!(unsigned(1, 9) && !unsigned(0, 9) && !unsigned(-1, 9));
}

/// Two arrays made before the loop are two; a slice of one is checked against it.
#[test]
fn memory_made_before_the_loop() {
    let text = |second: &str| {
        format!(
            "
main f
function f(params 2, results 1, frame 40)
  Move s10, s0
  Move s11, s1
  Const s12, 8
  Runtime s10, ArrayNew
  MoveN s2..4, s10..12
  {second}
  Const s6, 0
  ForPrepS s6..8, s1 -> @out
loop counted s6..8 @top..@out
top: LoadElemF64 s12, s4..6, s6, *8, +0
  StoreElemF64 s2..4, s6, s12, *8, +0
  ForLoop s6..8, loop0 -> @top
out: Return1 s6
"
        )
    };
    let two = "Move s10, s0\n  Move s11, s1\n  Const s12, 8\n  Runtime s10, ArrayNew\n  MoveN s4..6, s10..12";
    assert_eq!(verdict(&text(two)), "independent: ");
    let slice = "ElemAddrRaw s4, s2, s1, *8, +0\n  Move s5, s1";
    assert_eq!(
        verdict(&text(slice)),
        "independent: checked when it starts: the memory of a value and a value does not overlap"
    );
}

/// `i32` arithmetic: the index fits, or the check fails.
#[test]
fn narrow_indices_are_checked() {
    let body = "MulImm s12, s10, 2
  WrapI32 s12, s12
  StoreElemF64 s0..2, s12, s5, *8, +0";
    let found = verdict(&for_loop(body));
    assert_eq!(found, "independent: checked when it starts: 0 and 2 * the number of iterations fit i32");
    // Of something from memory nothing is known.
    let body = "LoadElemI64 s12, s2..4, s10, *8, +0
  Add s12, s12, s10
  WrapI32 s12, s12
  StoreElemF64 s0..2, s12, s5, *8, +0";
    assert!(verdict(&for_loop(body)).starts_with("serial: which element of `a`"));
}

/// `if a[i] = 7 set found: true`
#[test]
fn a_flag() {
    let body = "LoadElemI64 s12, s2..4, s10, *8, +0
  JNeImm s12, 7 -> @next
  Const s8, 1";
    let text = with_params("value", "value", body, "Move s0, s8");
    assert_eq!(verdict(&text), "independent: `sum` is a reduction: set to the same value by any iteration");
    let twice = text.replace(
        "JNeImm s12, 7 -> @next\n  Const s8, 1",
        "JNeImm s12, 7 -> @next\n  Const s8, 1\n  JNeImm s5, 7 -> @next\n  Const s8, 2",
    );
    assert!(verdict(&twice).starts_with("serial"), "{}", verdict(&twice));
    let read = text
        .replace("  JNeImm", "  StoreElemI64 s0..2, s10, s8, *8, +0\n  JNeImm")
        .replace("param a s0..2 value", "param a s0..2 inplace 0");
    assert_eq!(verdict(&read), "serial: each iteration needs `sum` from the one before");
}

/// `let t a, set a: b, set b: t`
#[test]
fn variables_that_exchange_their_values() {
    let body = "Move s12, s8
  Move s8, s5
  Move s5, s12";
    let text = with_params("value", "value", body, "Move s0, s8");
    assert!(verdict(&text).starts_with("serial"), "{}", verdict(&text));
}

/// A slot that runs through all rows: `for y in n, for x in w { set a[k]: x, set k: k + 1 }`
#[test]
fn a_running_index() {
    let body = "Const s14, 0
  ForPrepS s14..16, s6 -> @next
loop counted s14..16 @inner..@next in loop0
inner: StoreElemF64 s0..2, s8, s5, *8, +0
  AddImm s8, s8, 1
  ForLoop s14..16, loop1 -> @inner";
    let text = for_loop(body);
    let found = verdict(&text);
    assert!(found.starts_with("independent: checked when it starts: "), "{found}");
    // Some iterations of the inner loop do not count.
    let some = text
        .replace("  AddImm s8", "  JLtSImm s14, 3 -> @skip\n  AddImm s8")
        .replace("  ForLoop s14", "skip: ForLoop s14");
    assert!(verdict(&some).starts_with("serial: "), "{}", verdict(&some));
    // The inner loop may end early.
    let early = text.replace("  ForLoop s14", "  JEqImm s14, 3 -> @next\n  ForLoop s14");
    assert!(verdict(&early).starts_with("serial: "), "{}", verdict(&early));
}

/// `a[i] = a[i] * G` where `a` is a slice and `G` a constant of the program.
#[test]
fn globals_are_no_slices() {
    let body = "LoadElemF64 s12, s0..2, s10, *8, +0
  Global s13, +0
  LoadF64 s14, s13, +8
  MulF64 s12, s12, s14
  StoreElemF64 s0..2, s10, s12, *8, +0";
    let owned = "Global s13, +0
  LoadWords s14..16, s13, &1, +0
  LoadElemF64 s12, s14..16, s10, *8, +0
  StoreElemF64 s0..2, s10, s12, *8, +0";
    let unsure = "serial: `a` and the program's globals may be the same memory";
    for body in [body, owned] {
        let text = with_params("view", "view", body, "").replace("main f", "main f\nglobals 16");
        assert_eq!(verdict(&text), "independent: ");
        // Somebody writes a global, or what it owns.
        for write in ["StoreF64 s0, s1, +8", "LoadWords s0, s0, &1, +0\n  StoreF64 s0, s1, +8"] {
            let other = format!("function g(params 0, results 0, frame 4)\n  Global s0, +0\n  {write}\n  Return\n");
            assert_eq!(verdict(&format!("{text}\n{other}")), unsure);
        }
        // Somebody writes through a slice, and is given a global.
        let written = "function g(params 2, results 0, frame 4)
  param s s0..2 view
  Const s2, 0
  StoreElemF64 s0..2, s2, s2, *8, +0
  Return
function h(params 0, results 0, frame 8)
  Global s4, +0
  Const s5, 2
  Call s4, g
  Return
";
        assert_eq!(verdict(&format!("{text}\n{written}")), unsure);
        assert_eq!(verdict(&format!("{text}\n{}", written.replace("Call s4, g", "Nop"))), "independent: ");
    }
}

/// The main function sets the globals; if loops run in it, they may run meanwhile.
#[test]
fn globals_are_set_outside_of_loops() {
    let text = |set: &str, again: &str| {
        format!(
            "
main start
globals 16
function f(params 3, results 0, frame 20)
  param a s0..2 view
  param n s2 value
  Const s10, 0
  ForPrepS s10..12, s2 -> @out
loop counted s10..12 @top..@out
top: Global s13, +0
  LoadF64 s14, s13, +8
  StoreElemF64 s0..2, s10, s14, *8, +0
  ForLoop s10..12, loop0 -> @top
out: Return
function start(params 0, results 1, frame 20)
  Global s1, +0
  {set}
  Const s2, 0
  Const s3, 0
  Const s4, 0
again: Call s2, f
{again}
  Const s0, 0
  Return1 s0
"
        )
    };
    let judged = |text: &str| {
        let program = parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        Judge::new(&program, Parameters::default()).report(LoopId(0)).verdict.is_independent()
    };
    let set = "ConstF64 s2, 1.0\n  StoreF64 s1, s2, +8";
    assert!(judged(&text(set, "")));
    assert!(!judged(&text(set, "  loop open @again..@done\n  Loop loop1 -> @again\ndone: Nop")));
}
