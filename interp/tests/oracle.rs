//! The dependence oracle on loops of which one knows what they do.

mod common;

use std::os::fd::AsRawFd;
use std::sync::Arc;

use common::scratch_file;
use scaly_interp::dump::parse;
use scaly_interp::interpreter::{Ended, Options, World};
use scaly_interp::oracle::{ConflictKind, Frame, Place, Report, Seen, run};
use scaly_interp::program::LoopId;
use scaly_interp::room::Array;
use scaly_runtime::console::{Input, Output};

fn report_with(listing: &str, watcher: impl FnMut(LoopId, &mut Frame<'_>) -> bool) -> Report {
    let program = parse(listing).unwrap_or_else(|error| panic!("{error}\n{listing}"));
    let (output, input) = (scratch_file(), scratch_file());
    let world =
        World { output: Output::new(output.as_raw_fd()), input: Input::new(input.as_raw_fd()), arguments: Vec::new() };
    let report = run(Arc::new(program), world, Options::default(), watcher).unwrap();
    assert_eq!(report.ended, Ended::Status(0), "{listing}");
    report
}

fn report(listing: &str) -> Report {
    report_with(listing, |_, _| true)
}

/// A loop over 0..10 with the array of 100 words in s10..12 and a loop region in s1; the body is of slots 20 and up.
fn body(lines: &str) -> Seen {
    body_with(lines, |_, _| true)
}

fn body_with(lines: &str, watcher: impl FnMut(LoopId, &mut Frame<'_>) -> bool) -> Seen {
    let listing = format!(
        "main start
text0 \"a\"
function start(params 0, results 1, frame 64)
loop counted s4..6 @top..@out
Runtime s1, RegionEnter
Runtime s2, RegionEnter
Move s10, s1
Const s11, 100
Const s12, 8
Runtime s10, ArrayNew
Const s20, 0
Const s21, 0
Const s4, 0
Const s6, 10
ForPrepS s4..6, s6 -> @out
top:
Runtime s2, RegionReset
{lines}
ForLoop s4..6, loop0 -> @top
out:
Const s0, 0
Return1 s0
"
    );
    report_with(&listing, watcher).loops.remove(0)
}

#[track_caller]
fn free(lines: &str) {
    let seen = body(lines);
    assert_eq!((seen.runs, seen.iterations, seen.longest), (1, 10, 10));
    assert!(seen.free(), "{lines}\n{seen:?}");
}

#[track_caller]
fn memory(lines: &str, kind: ConflictKind) {
    let seen = body(lines);
    let conflict = seen.memory.unwrap_or_else(|| panic!("no conflict\n{lines}"));
    assert_eq!(conflict.kind, kind, "{conflict}");
    assert!(seen.carried.is_empty(), "{:?}", seen.carried);
}

#[track_caller]
fn carried(lines: &str, slots: &[u16]) {
    let seen = body(lines);
    assert_eq!(seen.carried.keys().copied().collect::<Vec<_>>(), slots, "{:?}", seen.carried);
    assert!(seen.free_but(|slot| slots.contains(&slot)));
    assert!(!seen.free());
}

#[test]
fn own_elements_are_free() {
    free("StoreElemI64 s10..12, s4, s4, *8, +0");
    free("LoadElemI64 s22, s10..12, s4, *8, +0\nAddImm s22, s22, 1\nStoreElemI64 s10..12, s4, s22, *8, +0");
    // Halves of one word.
    free(
        "ShrUImm s22, s4, 1\nAndImm s23, s4, 1\nMulImm s23, s23, 4\nElemAddr s24, s10..12, s22, *8, +0\nAdd s24, s24, s23\nStoreI32 s24, s4, +0\nLoadI32 s24, s24, +0",
    );
    // All read one element that nobody writes.
    free("Const s22, 50\nLoadElemI64 s23, s10..12, s22, *8, +0\nStoreElemI64 s10..12, s4, s23, *8, +0");
}

#[test]
fn shared_elements_conflict() {
    let first = "Const s22, 50\n";
    memory(&format!("{first}StoreElemI64 s10..12, s22, s4, *8, +0"), ConflictKind::WriteAfterWrite);
    // Each reads what the one before wrote.
    memory(
        "LoadElemI64 s23, s10..12, s4, *8, +0\nAddImm s22, s4, 1\nStoreElemI64 s10..12, s22, s23, *8, +0",
        ConflictKind::ReadAfterWrite,
    );
    // Each overwrites what the one before read.
    memory(
        "AddImm s22, s4, 1\nLoadElemI64 s23, s10..12, s22, *8, +0\nStoreElemI64 s10..12, s4, s23, *8, +0",
        ConflictKind::WriteAfterRead,
    );
    // All read, and the last one writes behind its own reading.
    let last =
        "LoadElemI64 s23, s10..12, s22, *8, +0\nJNeImm s4, 9 -> @on\nStoreElemI64 s10..12, s22, s4, *8, +0\non: Nop";
    memory(&format!("{first}{last}"), ConflictKind::WriteAfterRead);
    // Part of a word.
    memory(
        "LoadElemI64 s23, s10..12, s4, *8, +0\nAddImm s22, s4, 1\nStoreElemI8 s10..12, s22, s23, *8, +7",
        ConflictKind::ReadAfterWrite,
    );
}

#[test]
fn memory_of_an_iteration_is_its_own() {
    let scratch = "Move s22, s2\nConst s23, 4\nConst s24, 8\nRuntime s22, ArrayNew\nConst s25, 1\n";
    free(&format!(
        "{scratch}StoreElemI64 s22..24, s25, s4, *8, +0\nLoadElemI64 s26, s22..24, s25, *8, +0\nStoreElemI64 s10..12, s4, s26, *8, +0"
    ));
    // Freed storage comes again.
    free(&format!("{scratch}StoreElemI64 s22..24, s25, s4, *8, +0\nMove s28, s2\nMove s29, s22\nRuntime s28, Free"));
    // Strings that are built in an outer region and stored in elements of their own.
    free(
        "Move s22, s1\nMove s23, s4\nRuntime s22, IntToString\nStoreElemI64 s10..12, s4, s22, *16, +0\nMulImm s24, s4, 2\nStoreElemI64 s10..12, s24, s23, *8, +0",
    );
}

#[test]
fn values_in_slots_are_carried() {
    carried("Add s20, s20, s4", &[20]);
    carried("Move s22, s20\nAdd s22, s22, s4\nMove s20, s22", &[20]);
    carried("Move s22, s20\nAdd s22, s22, s4\nMove s20, s22\nAdd s21, s21, s20", &[20, 21]);
    // The previous iteration's value.
    carried("Add s23, s20, s4\nMove s20, s4\nAddImm s20, s20, 0\nStoreElemI64 s10..12, s4, s23, *8, +0", &[20]);
    // Written before it is read.
    free("Add s20, s4, s4\nAdd s21, s20, s20");
    // Read only.
    free("Add s22, s20, s4");
    // Copied and never looked at.
    free("MoveN s22..24, s20..22\nMoveN s20..22, s22..24\nConst s20, 3\nConst s25, 4\nMove s21, s25");
    // Its counter is a loop's own.
    free("Move s22, s4\nAddImm s23, s22, 1\nAdd s23, s23, s4");
}

/// A slot carries what is moved into it, whatever that is and however old.
#[test]
fn copies_are_carried() {
    // The counter of the iteration before.
    carried("AddImm s22, s20, 1\nMove s20, s4", &[20]);
    // A value from before the loop: all but the first iteration see it.
    carried("AddImm s22, s20, 1\nMove s20, s21", &[20]);
    // On one path only.
    carried("AddImm s22, s20, 1\nJNeImm s4, 3 -> @on\nMove s20, s21\non: Nop", &[20]);
    // Of a slot that is carried itself: an induction does not excuse its copy.
    carried("AddImm s22, s21, 1\nMove s21, s20\nAddImm s20, s20, 1", &[20, 21]);
    // Hand over hand.
    carried("AddImm s23, s22, 1\nMove s22, s21\nMove s21, s20\nMove s20, s4", &[20, 21, 22]);
    // There and back within an iteration.
    carried("Move s22, s20\nMove s20, s21\nMove s21, s22\nAdd s23, s20, s20", &[20, 21]);
    // The copy of this iteration is used in this iteration.
    free("Move s20, s4\nAddImm s22, s20, 1\nMove s20, s21\nAdd s22, s22, s20");
    // A copy that nobody looks at.
    free("Move s20, s4\nMove s22, s20");
}

/// What is set in an inner loop and used in the next iteration of the outer one, or of the inner one.
#[test]
fn copies_are_carried_by_the_loop_that_they_cross() {
    let nest = |inner: &str, before: &str, after: &str| {
        let listing = format!(
            "main start
function start(params 0, results 1, frame 40)
  loop counted s4..6 @top..@out
  loop counted s14..16 @each..@done in loop0
  Const s6, 5
  Const s20, 0
  Const s21, 0
  Const s4, 0
  ForPrepS s4..6, s6 -> @out
top:
  {before}
  Const s14, 0
  ForPrepS s14..16, s6 -> @done
each:
  {inner}
  ForLoop s14..16, loop1 -> @each
done:
  {after}
  ForLoop s4..6, loop0 -> @top
out:
  Const s0, 0
  Return1 s0
"
        );
        let loops = report(&listing).loops;
        let carried = |at: usize| loops[at].carried.keys().copied().collect::<Vec<_>>();
        (carried(0), carried(1))
    };
    // The inner counter, for the outer loop.
    assert_eq!(nest("Move s20, s14", "AddImm s22, s20, 1", "Nop"), (vec![20], vec![]));
    // The outer counter: the inner loop's next iteration gets it, and the outer loop's first inner one.
    assert_eq!(nest("AddImm s22, s20, 1\nMove s20, s4", "Nop", "Nop"), (vec![20], vec![20]));
    // Set anew before the inner loop.
    assert_eq!(nest("AddImm s22, s20, 1\nMove s20, s4", "Move s20, s6", "Nop"), (vec![], vec![20]));
    // The inner loop leaves its last value to the same outer iteration.
    assert_eq!(nest("Move s20, s14", "Nop", "AddImm s22, s20, 1"), (vec![], vec![]));
    // It lay in s20 while the inner loop went on, and in s21 while the outer one did.
    assert_eq!(nest("Move s20, s14", "AddImm s22, s21, 1", "Move s21, s20"), (vec![21], vec![]));
    // The same slot in two runs of the inner loop: each run sets it before it uses it.
    assert_eq!(nest("AddImm s22, s20, 1\nMove s20, s14", "Const s20, 0", "Nop"), (vec![], vec![20]));
}

#[test]
fn input_and_output_order_iterations() {
    let seen = body("Text s22..24, text0\nRuntime s22, ConsolePrint");
    assert!(seen.external.is_some() && !seen.free());
    assert!(seen.memory.is_none() && seen.carried.is_empty());
}

#[test]
fn appending_is_writing_behind_the_end() {
    // One builder for all: its length is carried, and it is grown.
    let seen = body(
        "Move s22, s1\nMove s23, s20\nMove s24, s21\nMove s25, s4\nRuntime s22, BuilderInt\nMove s20, s22\nMove s21, s23",
    );
    assert_eq!(seen.carried.keys().copied().collect::<Vec<_>>(), [20, 21]);
    // One for each.
    free(
        "Move s22, s2\nConst s23, 0\nConst s24, 0\nMove s25, s4\nRuntime s22, BuilderInt\nLoadU8 s25, s22, +0\nStoreElemI64 s10..12, s4, s25, *8, +0",
    );
}

/// Appends s4 to an array of words.
const PUSH: &str = "JRoom s20, s21, s1, *8 -> @room
Move s30, s1
MoveN s31..33, s20..22
Const s33, 8
Const s34, 1
Runtime s30, ArrayGrow
Move s20, s30
room:
ElemAddrRaw s35, s20, s21, *8, +0
StoreI64 s35, s4, +0
AddImm s21, s21, 1
";

const APPENDED_TO: Array = Array { block: 20, length: 21, handle: 1, stride: 8 };

/// With room from the start only the length is carried, and elements are as those of any other array.
#[test]
fn room_that_is_made_before_a_loop() {
    let moved = body(PUSH);
    assert_eq!(moved.carried.keys().copied().collect::<Vec<_>>(), [20, 21]);
    assert!(moved.memory.is_some(), "it moves what other iterations have appended");

    let roomy = |lines: &str, elements: u64| {
        let seen = body_with(&format!("{PUSH}{lines}"), |_, frame| {
            frame.make_room(APPENDED_TO, elements * 8);
            frame.capacity(frame.slot(20)) >= elements * 8
        });
        assert_eq!(seen.runs, 1);
        seen
    };
    let length_only = |seen: &Seen| seen.carried.keys().copied().eq([21]) && seen.free_but(|slot| slot == 21);
    assert!(length_only(&roomy("", 10)));
    let last = "AddImm s36, s21, -1\nLoadElemI64 s37, s20..22, s36, *8, +0\nStoreElemI64 s20..22, s36, s37, *8, +0";
    assert!(length_only(&roomy(last, 10)));
    let kind = |lines: &str| roomy(lines, 10).memory.map(|conflict| conflict.kind);
    // What an iteration in the middle has appended, and the first one.
    assert_eq!(kind("ShrUImm s36, s21, 1\nLoadElemI64 s37, s20..22, s36, *8, +0"), Some(ConflictKind::ReadAfterWrite));
    assert_eq!(kind("Const s36, 0\nStoreElemI64 s20..22, s36, s4, *8, +0"), Some(ConflictKind::WriteAfterWrite));
    // It has to grow once more.
    assert!(!length_only(&roomy("", 5)));
}

/// Room that is made for an inner loop is made in an iteration of the outer one.
#[test]
fn room_that_is_made_within_a_loop() {
    let nest = |before: &str| {
        let listing = format!(
            "main start
function start(params 0, results 1, frame 64)
  loop counted s14..16 @top..@out
  loop counted s4..6 @each..@done in loop0
  Runtime s1, RegionEnter
  Const s20, 0
  Const s21, 0
  Const s6, 5
  Const s14, 0
  ForPrepS s14..16, s6 -> @out
top:
  {before}
  Const s4, 0
  ForPrepS s4..6, s6 -> @done
each:
  {PUSH}
  ForLoop s4..6, loop1 -> @each
done:
  ForLoop s14..16, loop0 -> @top
out:
  Const s0, 0
  Return1 s0
"
        );
        let report = report_with(&listing, |id, frame| {
            if id == LoopId(1) {
                frame.make_room(APPENDED_TO, (frame.slot(21) + 5) * 8);
            }
            true
        });
        assert!(report.loops[1].free_but(|slot| slot == 21), "{:?}", report.loops[1]);
        report.loops[0].clone()
    };
    let shared = nest("Nop");
    assert_eq!(shared.carried.keys().copied().collect::<Vec<_>>(), [20, 21]);
    assert!(shared.memory.is_some(), "what is appended lies in a block of another iteration");
    let own = nest("Const s20, 0\nConst s21, 0");
    assert!(own.free(), "{own:?}");
    // The block is handed on, though nothing that was in it is.
    let emptied = nest("Const s21, 0");
    assert!(emptied.carried.keys().copied().eq([20]) && emptied.memory.is_some(), "{emptied:?}");
}

/// The sum of the rows of a matrix: the outer loop is free, each inner one carries its sum.
#[test]
fn nests_are_judged_loop_by_loop() {
    let listing = "main start
function row(params 3, results 1, frame 12)
  param m s0..2 view
  param y s2 value
  loop counted s3..5 @top..@out
  Const s6, 0
  Const s5, 10
  Const s3, 0
  ForPrepS s3..5, s5 -> @out
top:
  MulImm s7, s2, 10
  Add s7, s7, s3
  LoadElemI64 s7, s0..2, s7, *8, +0
  Add s6, s6, s7
  ForLoop s3..5, loop0 -> @top
out:
  Return1 s6
function start(params 0, results 1, frame 40)
  loop counted s4..6 @top..@out
  loop counted s14..16 @fill..@filled in loop1
  Runtime s1, RegionEnter
  Move s10, s1
  Const s11, 100
  Const s12, 8
  Runtime s10, ArrayNew
  Move s12, s1
  Const s13, 10
  Const s14, 8
  Runtime s12, ArrayNew
  Const s6, 10
  Const s4, 0
  ForPrepS s4..6, s6 -> @out
top:
  Const s14, 0
  ForPrepS s14..16, s6 -> @filled
fill:
  MulImm s20, s4, 10
  Add s20, s20, s14
  StoreElemI64 s10..12, s20, s14, *8, +0
  ForLoop s14..16, loop2 -> @fill
filled:
  MoveN s30..32, s10..12
  Move s32, s4
  Call s30, row
  StoreElemI64 s12..14, s4, s30, *8, +0
  ForLoop s4..6, loop1 -> @top
out:
  Const s0, 0
  Return1 s0
";
    let report = report(listing);
    assert_eq!(report.loops[0].carried.keys().copied().collect::<Vec<_>>(), [6]);
    assert_eq!((report.loops[0].runs, report.loops[0].iterations), (10, 100));
    assert!(report.loops[1].free(), "{:?}", report.loops[1]);
    assert!(report.loops[2].free(), "{:?}", report.loops[2]);
    assert_eq!((report.loops[2].runs, report.loops[2].left_early), (10, 0));
}

/// A value goes through a callee: `s20 = add(s20, i)`.
#[test]
fn arguments_carry() {
    let listing = "main start
function add(params 2, results 1, frame 3)
  Add s2, s0, s1
  Return1 s2
function start(params 0, results 1, frame 40)
  loop counted s4..6 @top..@out
  Const s20, 0
  Const s6, 10
  Const s4, 0
  ForPrepS s4..6, s6 -> @out
top:
  Move s30, s20
  Move s31, s4
  Call s30, add
  Move s20, s30
  JEqImm s4, 7 -> @out
  ForLoop s4..6, loop0 -> @top
out:
  Const s0, 0
  Return1 s0
";
    let seen = report(listing).loops.remove(0);
    assert_eq!(seen.carried.keys().copied().collect::<Vec<_>>(), [20]);
    let conflict = seen.carried[&20];
    assert_eq!((conflict.kind, conflict.place, conflict.iteration), (ConflictKind::ReadAfterWrite, Place::Slot(20), 1));
    assert_eq!((seen.iterations, seen.left_early), (8, 1));
}

/// An open loop inside of another, with one header: `while` directly in `repeat`.
#[test]
fn open_loops_may_share_a_header() {
    let listing = "main start
function start(params 0, results 1, frame 40)
  loop open @top..@end
  loop open @top..@inner_end in loop0
  Const s1, 0
  Const s2, 0
top:
  JGeSImm s1, 3 -> @done
  AddImm s1, s1, 1
  Loop loop1 -> @top
inner_end:
done:
  Const s1, 0
  AddImm s2, s2, 1
  JGeSImm s2, 4 -> @out
  Loop loop0 -> @top
end:
out:
  Const s0, 0
  Return1 s0
";
    let listing = listing
        .replace("inner_end:\ndone:\n", "done:\n")
        .replace("@inner_end", "@done")
        .replace("end:\nout:", "out:")
        .replace("@end", "@out");
    let report = report(&listing);
    assert_eq!((report.loops[0].runs, report.loops[0].iterations), (1, 4));
    // The last test of the condition is an iteration that comes to nothing.
    assert_eq!((report.loops[1].runs, report.loops[1].iterations), (4, 16));
    assert_eq!(report.loops[1].carried.keys().copied().collect::<Vec<_>>(), [1]);
    assert!(report.loops[0].carried.contains_key(&2));
}

/// The watcher puts runs apart: those with an even first value.
#[test]
fn refused_runs_are_kept_apart() {
    let listing = "main start
function work(params 1, results 0, frame 10)
  loop counted s1..3 @top..@out
  Const s4, 0
  Const s3, 8
  Move s1, s0
  ForPrepS s1..3, s3 -> @out
top:
  Add s4, s4, s1
  ForLoop s1..3, loop0 -> @top
out:
  Return
function start(params 0, results 1, frame 20)
  Const s10, 2
  Call s10, work
  Const s10, 3
  Call s10, work
  Const s10, 7
  Call s10, work
  Const s0, 0
  Return1 s0
";
    let report = report_with(listing, |_, frame| frame.slot(1) % 2 == 0);
    assert_eq!((report.loops[0].runs, report.loops[0].iterations), (1, 6));
    assert_eq!((report.refused[0].runs, report.refused[0].iterations, report.refused[0].longest), (2, 6, 5));
}
