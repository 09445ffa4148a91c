//! Parallel loops when things go wrong around them, or come in masses: the program has its result, or the interpreter's
//! error, and nothing hangs or uses the processor for nothing. A run that is not over after two minutes fails.

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::Duration;

use common::{Outcome, finish, root, scaly, statistics};

/// What a program prints, with what it was refused.
fn run(options: &[&str], program: &str, arguments: &[&str], refuse: Option<String>) -> Outcome {
    let mut command = scaly();
    command.args(options).arg(statistics::OPTION).args(["-e", program]).args(arguments);
    if let Some(refuse) = refuse {
        command.env("LD_PRELOAD", refusing()).env("SCALY_TEST_REFUSE", refuse);
    }
    let mut outcome = finish(command, "").expect("a run that ends");
    outcome.statistics = statistics::take(&mut outcome.error);
    outcome
}

/// The library that is loaded before a program and refuses what the system gives.
fn refusing() -> &'static PathBuf {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("refuse-{}.so", std::process::id()));
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&file).arg(root().join("tests/kill/refuse.c")).arg("-ldl");
        assert!(compiler.status().expect("a C compiler").success());
        file
    })
}

/// Two parallel loops and a serial one, entered some hundred times.
const PROGRAM: &str = "
let n = 3000
var a = Array[int](n)
for k in 200
    for i in n ; filled
        a[i] = a[i] * 3 + (i ^ k)
var x = 1
for i in n ; carried
    set x: x * 31 % 1009 + a[i] % 7
var s = 0
for i in n ; summed
    s += a[i]
print(x, s)
";

/// Everything at once, and as a user has it.
const WAYS: &[&[&str]] =
    &[&["--jit", "llvm=2,chunk=1", "--threads", "4"], &["--jit", "llvm=2", "--threads", "16"], &["--threads", "4"]];

fn interpreted(program: &str, arguments: &[&str]) -> Outcome {
    run(&["--jit", "off"], program, arguments, None)
}

/// Whether a loop, by its text, ran on all cores, and why not.
fn parallel(outcome: &Outcome, source: &str) -> (bool, String) {
    let loops = &outcome.statistics.as_ref().unwrap_or_else(|| panic!("no statistics: {}", outcome.error)).loops;
    let found = loops.iter().find(|each| each.name.contains(source)).expect("a loop with this text");
    (found.parallel_entries > 0, format!("{:?}", found.refused))
}

#[test]
fn code_memory_is_exhausted_with_llvm() {
    let expected = interpreted(PROGRAM, &[]).output;
    for granted in 0..4 {
        for &options in WAYS {
            let got = run(options, PROGRAM, &[], Some(format!("protect:{granted}")));
            assert_eq!((got.status, got.output.as_str(), got.error.as_str()), (Some(0), expected.as_str(), ""));
            let (_, why) = parallel(&got, "; summed");
            // The last of the loops to be compiled. At default settings the program is too short.
            if options[1].starts_with("llvm=2") {
                assert!(granted == 3 || why.contains("Cannot allocate memory"), "{granted}: {why}");
            }
        }
    }
    let (divided, why) = parallel(&run(WAYS[0], PROGRAM, &[], Some("protect:100".into())), "; summed");
    assert!(divided, "{why}");
}

#[test]
fn threads_are_refused() {
    let expected = interpreted(PROGRAM, &[]).output;
    // The first one compiles where all are compiled at once, the others help.
    for granted in [0, 1, 2, 3, 100] {
        for &options in WAYS {
            let got = run(options, PROGRAM, &[], Some(format!("threads:{granted}")));
            assert_eq!((got.status, got.output.as_str(), got.error.as_str()), (Some(0), expected.as_str(), ""));
            if options == WAYS[0] {
                let told = format!("{:?}", got.statistics.as_ref().map(|all| &all.loops));
                match granted {
                    0 => assert!(told.contains("there is no thread to compile it"), "{told}"),
                    1 => assert!(told.contains("the system gives only 1 of 4 threads"), "{told}"),
                    100 => assert!(!told.contains("the system gives only"), "{told}"),
                    // Not every helper is needed.
                    _ => {}
                }
            }
        }
    }
}

/// In iteration k of n, in a call, while others take longer.
const FAILS: &str = "
function value(i: int, k: int) returns int {
    var x = i
    for j in i * 7 % 50: set x: x * 31 % 1009
    if i >= k: 100 / (i % 7 * (k - i) * 0) else x
}
let k = Args.get(0, 0)
let n = 3000
var a = Array[int](n)
var s = 0
for i in n { ; failing
    a[i] = value(i, k)
    s += a[i]
}
print(s, a[n - 1])
";

#[test]
fn an_error_in_any_iteration() {
    // A random number generator of two lines; the runs of each day differ.
    let day = std::time::UNIX_EPOCH.elapsed().expect("a clock").as_secs() / 86_400;
    let mut state = day | 1;
    for round in 0..24 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let k = if round == 0 { 3000 } else { (state >> 33) % 3000 };
        let argument = k.to_string();
        let expected = interpreted(FAILS, &[&argument]);
        for threads in ["3", "16"] {
            let jit = if round % 2 == 0 { "llvm=2,chunk=1" } else { "llvm=2" };
            let got = run(&["--jit", jit, "--threads", threads], FAILS, &[&argument], None);
            let parts = |outcome: &Outcome| (outcome.status, outcome.output.clone(), outcome.error.clone());
            assert_eq!(parts(&got), parts(&expected), "iteration {k} by {threads}, day {day}");
            assert!(k < 2 || parallel(&got, "; failing").0, "iteration {k}: {:?}", parallel(&got, "; failing"));
        }
    }
}

#[test]
fn ten_thousand_short_loops() {
    // The loop around them asks the world outside, so it is none of LLVM's.
    let program = "
        var a = Array[int](64)
        for k in 10000 {
            if File.exists(\"\")
                print k
            for i in a.length() ; short
                a[i] += i ^ k
        }
        print(a.sum(), a[63])";
    let expected = interpreted(program, &[]).output;
    for options in [&["--jit", "llvm=2,chunk=8", "--threads", "3"], &["--jit", "llvm=2", "--threads", "16"]] {
        let got = run(options, program, &[], None);
        assert_eq!((got.status, &got.output, got.error.as_str()), (Some(0), &expected, ""), "{options:?}");
        let loops = got.statistics.expect("statistics").loops;
        let short = loops.iter().find(|each| each.name.contains("; short")).expect("the loop");
        assert!(short.parallel_entries > 9_000, "{short:?}");
    }
}

/// Where memory is limited no room is made before a loop that appends: it is left wherever there is none, and goes on.
#[test]
fn appending_where_memory_is_limited() {
    let program = "
        function filled(n: int) returns Array[int] {
            var out: Array[int]
            for i in n ; appends
                out.push(i * i % 1009)
            out
        }
        var sum = 0
        for k in 20 {
            if File.exists(\"\")
                print k
            sum += filled(50 * k).sum()
        }
        print sum";
    let expected = interpreted(program, &[]).output;
    for options in [
        &["--memory-limit", "64M", "--jit", "llvm=2,chunk=1", "--threads", "3"][..],
        &["--memory-limit", "64M", "--jit", "llvm=2", "--threads", "1"],
    ] {
        let got = run(options, program, &[], None);
        assert_eq!((got.status, &got.output, got.error.as_str()), (Some(0), &expected, ""), "{options:?}");
        let loops = got.statistics.expect("statistics").loops;
        let appends = loops.iter().find(|each| each.name.contains("; appends")).expect("the loop");
        assert!(appends.region.is_some() && appends.native > 5_000, "{appends:?}");
    }
}

#[test]
fn parallel_within_parallel() {
    // A nest of independent loops, and one in each call of a recursion in one.
    let program = "
        function sum(depth: int, n: int) returns int {
            var s = 0
            for i in n ; inside
                s += i * depth % 7
            if depth = 0: s else s + sum(depth - 1, n) + sum(depth - 1, n / 2)
        }
        var a = Array[int](40 * 50 * 60)
        for z in 40 ; outermost
            for y in 50
                for x in 60
                    a[(z * 50 + y) * 60 + x] = x * y + z
        var b = Array[int](50)
        for i in 50 ; recursive
            b[i] = sum(6, i + 20)
        print(a.sum(), b.sum())";
    let expected = interpreted(program, &[]).output;
    for &options in WAYS {
        let got = run(options, program, &[], None);
        assert_eq!((got.status, &got.output, got.error.as_str()), (Some(0), &expected, ""), "{options:?}");
        if options[1].starts_with("llvm=2") {
            for source in ["; outermost", "; recursive"] {
                let (divided, why) = parallel(&got, source);
                assert!(divided, "{options:?}: {source}: {why}");
            }
        }
    }
}

/// Hundredths of a second that a process has used.
fn ticks(id: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).expect("a process");
    // Behind the name, which may have blanks.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    fields[11].parse::<u64>().expect("a number") + fields[12].parse::<u64>().expect("a number")
}

#[test]
fn an_idle_program_uses_no_time() {
    let program = format!("{PROGRAM}\nConsole.error(\"idle\")\nTime.sleep(60.0)");
    // With no more threads than cores those who have nothing to do look for it a while.
    let few: &[&str] = &["--jit", "llvm=2", "--threads", "2"];
    for &options in WAYS.iter().chain([&few]) {
        let mut command = scaly();
        command.args(options).args(["-e", &program]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command");
        let error = BufReader::new(child.stderr.take().expect("standard error"));
        let said = error.lines().next();
        // Who waits for work looks for it a moment longer.
        sleep(Duration::from_millis(200));
        let before = ticks(child.id());
        sleep(Duration::from_secs(1));
        let used = ticks(child.id()) - before;
        child.kill().expect("a process");
        child.wait().expect("a process");
        assert_eq!(said.and_then(Result::ok).as_deref(), Some("idle"), "{options:?}");
        assert!(used <= 1, "{used} hundredths of a second with {options:?}");
    }
}

/// A call is refused where the interpreter refuses it, whatever is in place in compiled code: iterations are neither skipped
/// nor made again.
#[test]
fn stacks_end_at_the_same_call_on_several_cores() {
    let program = "function g(n: int) returns int: if n < 1: 0 else 1 + g(n - 1)
var out = Array[int](500)
var sum = 0
for i in 500 { ; deep
    out[i] = g(if i = 100: Args.get(0, 425) else 5)
    sum += out[i]
}
var j = 0
while j < 500 { ; again
    out[j] = out[j] + g(if j = 300: Args.get(0, 425) else 5)
    j += 1
}
print(sum, out[100], out[300], out[499])";
    let mut ends = [0, 0];
    for limit in 2975..3000 {
        let limit = format!("--stack-limit={limit}");
        let expected = run(&["--jit", "off", &limit], program, &["424"], None);
        ends[usize::from(expected.status == Some(0))] += 1;
        let got = run(&[WAYS[0], &[&limit]].concat(), program, &["424"], None);
        let parts = |outcome: &Outcome| (outcome.status, outcome.output.clone(), outcome.error.clone());
        assert_eq!(parts(&got), parts(&expected), "{limit}");
        assert!(parallel(&got, "; deep").0 && (got.status != Some(0) || parallel(&got, "; again").0), "{limit}");
    }
    assert!(ends[0] > 0 && ends[1] > 0, "some stacks suffice and some do not: {ends:?}");
}

/// Whoever starts a program may have blocked all signals.
#[test]
fn later_iterations_are_ended_although_signals_are_blocked() {
    let program = root().join("tests/scaling/errors/others_never_end.scaly");
    let mut command = Command::new("env");
    command.args(["--block-signal", env!("CARGO_BIN_EXE_scaly")]).args(WAYS[0]).arg(program).arg("12");
    let got = finish(command, "").expect("a run that ends");
    assert!(got.status == Some(1) && got.error.contains("division by zero"), "{}", got.error);
}

/// The same, and what tells that something is hot is a signal.
#[test]
fn loops_get_hot_although_signals_are_blocked() {
    let program = "var s = 0
for i in 20000000: s += i ^ s
print(s)";
    let mut command = Command::new("env");
    command.args(["--block-signal", env!("CARGO_BIN_EXE_scaly"), "--trace-log", "-e", program]);
    let got = finish(command, "").expect("a run that ends");
    assert!(got.status == Some(0) && got.error.contains("[trace] compiled trace0 loop"), "{}", got.error);
}

/// LLVM ends the process where it gets no memory: it is not asked where there is little.
#[test]
fn little_address_space_is_left_to_the_program() {
    let program = "function fib(n: int) returns int: if n < 2: n else fib(n - 1) + fib(n - 2)
var a = Array[int](1000)
for i in a.length(): a[i] = fib(i % 16)
print(a.sum(), fib(20))";
    for kilobytes in [400_000, 430_000, 460_000, 500_000, 600_000, 800_000, 1_200_000] {
        let mut command = Command::new("sh");
        let script = format!("ulimit -v {kilobytes}; exec \"$@\"");
        command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_scaly")]).args(WAYS[0]).args(["-e", program]);
        let got = finish(command, "").expect("a run that ends");
        assert_eq!((got.status, got.output.as_str()), (Some(0), "98985 6765\n"), "{kilobytes}: {}", got.error);
    }
}

/// A call that another thread has taken ends its stack where it would end here.
#[test]
fn stacks_end_at_the_same_call_whoever_makes_it() {
    // Some calls in, the thread that goes on makes the long first call; another one takes the second, which is deep.
    let program = "function f(n: int, k: int) returns int {
    if n > 93
        return f(n - 1, k) + f(0, 0)
    if n > 90
        return f(28, 0) + f(0, k)
    if n > 1
        return f(n - 1, 0) + f(n - 2, 0)
    if k > 0
        return f(0, k - 1) + 1
    n
}
print(f(99, 400))
print(f(99, 401))
print(f(99, 402))";
    let mut ends = [0, 0];
    for limit in (3260..3380).step_by(3) {
        let limit = format!("--stack-limit={limit}");
        let expected = run(&["--jit", "off", &limit], program, &[], None);
        ends[usize::from(expected.status == Some(0))] += 1;
        let got = run(&["--jit", "llvm=2", "--threads", "4", &limit], program, &[], None);
        let parts = |outcome: &Outcome| (outcome.status, outcome.output.clone(), outcome.error.clone());
        assert_eq!(parts(&got), parts(&expected), "{limit}");
    }
    assert!(ends[0] > 0 && ends[1] > 0, "some stacks suffice and some do not: {ends:?}");
}
