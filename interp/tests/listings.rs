//! Whole programs as listings: each says in its first line what it prints.

mod common;

use common::{run_listing, run_program};
use scaly_interp::dump::parse;
use scaly_interp::interpreter::{Ended, Options};
use scaly_interp::program::{FunctionId, LoopId};

#[test]
fn all_listings_print_what_they_say() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/listings");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let expected = text.lines().next().and_then(|line| line.strip_prefix("; prints: ")).unwrap();
        let (finished, output) = run_listing(&text);
        assert_eq!(finished.ended, Ended::Status(0), "{}", path.display());
        assert_eq!(output, expected, "{}", path.display());
        count += 1;
    }
    assert!(count >= 4);
}

#[test]
fn loops_and_calls_are_counted() {
    let listing = include_str!("listings/mandelbrot.listing");
    let program = parse(listing).unwrap();
    let (finished, _) = run_program(program.into(), "", Options::default());
    // One trip is not a back edge; the escape loop's sum is what the program prints.
    assert_eq!(finished.loops[LoopId(0).0 as usize], 399);
    assert_eq!(finished.loops[1], 400 * 399);
    assert_eq!(finished.loops[2], 7_030_556);
    let (finished, _) = run_listing(include_str!("listings/fib.listing"));
    assert_eq!(finished.calls[FunctionId(0).0 as usize], 7_049_155);
}

/// Would overflow a native stack if an opcode's function really called the next one's.
#[test]
fn the_native_stack_does_not_grow_with_instructions() {
    let runs = std::thread::Builder::new().stack_size(256 << 10).spawn(|| {
        let listing = "
main start
function start(params 0, results 1, frame 8)
loop counted s1..3 @top..@out
Const s3, 20000000
Const s1, 0
ForPrepS s1..3, s3 -> @out
top:
Const s4, 1
ConstF64 s5, 1.5
FloorF64 s5, s5
LeS s6, s4, s1
JIf s6 -> @on
Nop
on:
ForLoop s1..3, loop0 -> @top
out: Const s0, 7
Return1 s0";
        run_listing(listing).0.ended
    });
    assert_eq!(runs.unwrap().join().unwrap(), Ended::Status(7));
}
