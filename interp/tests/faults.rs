//! Each way for a program to end with an error: message, place, call trace.

mod common;

use common::{error, main_of, run_listing, run_program, status};
use scaly_interp::dump::parse;
use scaly_interp::interpreter::{Ended, Options, RuntimeError, TraceLine};
use scaly_interp::machine::Fault;
use scaly_interp::program::Pc;
use scaly_runtime::memory::MemoryOptions;

fn error_of(listing: &str) -> RuntimeError {
    match run_listing(listing).0.ended {
        Ended::Error(error) => *error,
        Ended::Status(status) => panic!("status {status}"),
    }
}

#[test]
fn messages_have_the_numbers() {
    let array = "Runtime s1, RegionEnter\nMove s2, s1\nConst s3, 5\nConst s4, 8\nRuntime s2, ArrayNew\n";
    for (body, fault, message) in [
        (
            "Const s5, 7\nLoadElemI64 s0, s2..4, s5, *8, +0",
            Fault::IndexOutOfRange,
            "index 7 is out of range for length 5",
        ),
        (
            "Const s5, -1\nStoreElemF64 s2..4, s5, s5, *8, +0",
            Fault::IndexOutOfRange,
            "index -1 is out of range for length 5",
        ),
        ("Const s5, 5\nElemAddr s0, s2..4, s5, *8, +0", Fault::IndexOutOfRange, "index 5 is out of range for length 5"),
        (
            "Const s5, 5\nLoadElemPair s6..8, s2..4, s5, *8, +0",
            Fault::IndexOutOfRange,
            "index 5 is out of range for length 5",
        ),
        ("Const s5, 6\nCheckIndex s5, s3", Fault::IndexOutOfRange, "index 6 is out of range for length 5"),
        ("Const s5, 0\nDivS s0, s3, s5", Fault::DivisionByZero, "division by zero"),
        ("Const s5, 0\nRemU s0, s3, s5", Fault::DivisionByZero, "division by zero"),
        ("Move s5, s1\nConst s6, -3\nConst s7, 8\nRuntime s5, ArrayNew", Fault::NegativeLength, "negative length -3"),
        (
            "Move s5, s1\nConst s6, 0x7fffffffffffffff\nConst s7, 8\nRuntime s5, ArrayNew",
            Fault::OutOfMemory,
            "out of memory: 18446744073709551615 bytes are more than can be addressed",
        ),
        (
            "Const s5, 3\nConst s6, 9\nConst s7, 5\nRuntime s5, CheckSlice",
            Fault::IndexOutOfRange,
            "slice 3..9 is out of range for length 5",
        ),
        ("Fault Null", Fault::Null, "the value is null"),
        ("Fault WrongVariant", Fault::WrongVariant, "the value is of another variant"),
    ] {
        let error = error(&format!("{array}{body}\nReturn1 s0"));
        assert_eq!((error.fault, error.message.as_str()), (fault, message), "{body}");
        assert!(error.trace.is_empty());
    }
}

#[test]
fn routines_fail_with_their_own_words() {
    let with_texts = |body: &str| {
        format!(
            "main start\ntext0 \"/nonexistent/data.txt\"\ntext1 \"größe\"\ntext2 \"it broke\"\n\
             function start(params 0, results 1, frame 64)\nRuntime s1, RegionEnter\n{body}\nReturn1 s0\n"
        )
    };
    for (body, fault, message) in [
        (
            "Move s2, s1\nText s3..5, text0\nRuntime s2, FileRead",
            Fault::InputOutput,
            "cannot read /nonexistent/data.txt: No such file or directory",
        ),
        (
            "Text s3..5, text0\nText s5..7, text1\nRuntime s3, FileWrite",
            Fault::InputOutput,
            "cannot write /nonexistent/data.txt: No such file or directory",
        ),
        (
            "Move s2, s1\nText s3..5, text1\nConst s5, 0\nConst s6, 3\nRuntime s2, StringSlice",
            Fault::StringCut,
            "byte 3 is inside a character",
        ),
        (
            "Move s2, s1\nText s3..5, text1\nConst s5, 4\nConst s6, 9\nRuntime s2, StringSlice",
            Fault::IndexOutOfRange,
            "slice 4..9 is out of range for length 7",
        ),
        (
            "Text s2..4, text1\nConst s4, 7\nRuntime s2, StringCharAt",
            Fault::IndexOutOfRange,
            "index 7 is out of range for length 7",
        ),
        ("Text s2..4, text2\nRuntime s2, Fail", Fault::Message, "it broke"),
        (
            "Move s2, s1\nConst s3, 2\nRuntime s2, ArgsAt",
            Fault::IndexOutOfRange,
            "index 2 is out of range for length 2",
        ),
    ] {
        let error = error_of(&with_texts(body));
        assert_eq!((error.fault, error.message.as_str()), (fault, message), "{body}");
    }
}

/// Functions f (library) below g (the user's) below main: the place is in g, the trace has main's call only.
#[test]
fn the_place_is_the_users() {
    let error = error_of(
        "main start
function f(params 0, results 0, frame 4) library {1:0..9}
  Fault KeyAbsent {1:5..6}
function g(params 0, results 0, frame 8) {0:0..9}
  Nop {0:10..11}
  Call s2, f {0:20..21}
  Return {0:30..31}
function start(params 0, results 1, frame 8) {0:0..9}
  Call s2, g {0:40..41}
  Return1 s0 {0:50..51}
",
    );
    assert_eq!(error.pc, Pc(0));
    assert_eq!(error.span.map(|span| (span.file.0, span.start)), Some((0, 20)));
    let [TraceLine::Call { name, span, .. }] = &error.trace[..] else { panic!("{:?}", error.trace) };
    assert_eq!((name.as_str(), span.start), ("start", 40));
}

/// Exhaustion comes where the frames no longer fit, and its trace is short.
#[test]
fn endless_recursion_is_an_error() {
    let listing = "
main start
function down(params 1, results 1, frame 5)
  AddImm s4, s0, 1
  Call s4, down
  Return1 s4
function start(params 0, results 1, frame 8)
  Const s2, 0
  Call s2, down
  Return1 s2
";
    let options = Options { stack_slots: Some(1_000_000), ..Options::default() };
    let (finished, _) = run_program(parse(listing).unwrap().into(), "", options);
    let Ended::Error(error) = finished.ended else { panic!("{:?}", finished.ended) };
    assert_eq!(error.fault, Fault::StackExhausted);
    // Frames overlap by one slot: each begins four above its caller's. main's begins at 2, the first one's at 4.
    let depth = (1_000_000 - 5 - 4) / 4 + 1;
    assert_eq!(finished.calls[0], depth);
    assert_eq!(error.trace.len(), 16);
    assert_eq!(error.trace[10], TraceLine::Skipped(depth - 1 + 1 - 15));
    assert!(matches!(&error.trace[15], TraceLine::Call { name, .. } if name == "start"));
}

#[test]
fn memory_has_a_limit() {
    let listing = main_of(
        "loop open @again..@end
Runtime s1, RegionEnter
again: Move s2, s1
Const s3, 100000
Const s4, 8
Runtime s2, ArrayNew
Loop loop0 -> @again
",
    );
    let memory = MemoryOptions { limit: Some(10 << 20), ..MemoryOptions::default() };
    let options = Options { memory, ..Options::default() };
    let (finished, _) = run_program(parse(&listing).unwrap().into(), "", options);
    let Ended::Error(error) = finished.ended else { panic!("{:?}", finished.ended) };
    assert_eq!(error.fault, Fault::OutOfMemory);
    assert!(error.message.starts_with("out of memory: "), "{}", error.message);
}

#[test]
fn exit_ends_with_its_status() {
    assert_eq!(status("Const s3, 42\nRuntime s3, Exit"), 42);
}
