//! The command itself: every way to call it wrong, and what it does with pipes, disks and statuses.

mod common;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Outcome, finish, scaly};
use scaly_tracer::log::Abort;
use scaly_tracer::parameters::Parameters;

/// A folder of this test's own, gone at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("scaly-command-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary folder");
        Scratch(path)
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a temporary file");
        path.display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn call(arguments: &[&str], stdin: &str) -> Outcome {
    let mut command = scaly();
    command.args(arguments);
    finish(command, stdin).expect("the command ends")
}

/// One complaint of one line (and one of help), a status, nothing on standard output.
fn refused(arguments: &[&str], status: i32, message: &str) {
    let got = call(arguments, "");
    assert_eq!(got.status, Some(status), "{arguments:?}: {}", got.error);
    assert_eq!(got.output, "", "{arguments:?}");
    let first = got.error.lines().next().unwrap_or_default();
    assert!(first.contains(message), "{arguments:?}: {first:?} lacks {message:?}");
    assert!(got.error.lines().count() <= 2, "{arguments:?}: {}", got.error);
}

#[test]
fn misuse_is_one_line_and_status_2() {
    refused(&[], 2, "which program?");
    refused(&["--nonsense", "x.scaly"], 2, "unknown option '--nonsense'");
    refused(&["-q"], 2, "unknown option '-q'");
    refused(&["-e"], 2, "a program is missing");
    refused(&["check"], 2, "which program?");
    refused(&["explain"], 2, "which program?");
    refused(
        &["explain", "--static", "x.scaly", "7"],
        2,
        "'scaly explain --static' takes one file; '7' is one too many",
    );
    refused(&["explain", "--static", "--json", "x.scaly"], 2, "--json belongs to 'scaly explain' of a run");
    refused(&["explain", "--static", "--jit=off", "x.scaly"], 2, "--jit belongs to running a program");
    refused(&["explain", "--jsno", "x.scaly"], 2, "unknown option '--jsno'");
    refused(&["explain", "--strict", "x.scaly"], 2, "belongs to 'scaly check'");
    refused(&["--json", "x.scaly"], 2, "--json belongs to 'scaly explain', not to running a program");
    refused(&["dump", "x.scaly", "y.scaly"], 2, "one too many");
    refused(&["--regions=maybe", "x.scaly"], 2, "none of pool, guard");
    refused(&["--memory-limit", "lots", "x.scaly"], 2, "is no size");
    refused(&["--strict", "x.scaly"], 2, "belongs to 'scaly check'");
}

#[test]
fn misuse_of_the_options_about_native_code() {
    for (arguments, message) in [
        (&["--jit"][..], "--jit: a value is missing"),
        (&["--jit", "x.scaly"], "there is no parameter 'x.scaly'"),
        (&["--jit=hto=1", "x.scaly"], "there is no parameter 'hto'"),
        (&["--jit=hot", "x.scaly"], "'hot' is not of the form NAME=VALUE"),
        (&["--jit=hot=", "x.scaly"], "hot: '' is no number"),
        (&["--jit=hot=-1", "x.scaly"], "hot: '-1' is no number"),
        (&["--jit=hot=0", "x.scaly"], "hot: 0 is out of range, 1 to 1000000000 (back edges)"),
        (&["--jit=hot=1,hot=1", "x.scaly"], "hot is set twice"),
        (&["--jit=hot=1", "--jit=off", "x.scaly"], "'off' goes with nothing else"),
        (&["--preset=fast", "x.scaly"], "'fast' is none of dev, prod"),
        (&["--preset=dev", "--preset=dev", "x.scaly"], "--preset: given twice"),
        (&["--trace-log=json:", "x.scaly"], "a file is missing: json:FILE"),
        (&["--trace-log=out.json", "x.scaly"], "'out.json' is none of"),
        (&["--trace-log", "--trace-log=ir", "x.scaly"], "--trace-log: given twice"),
        (&["--stats=xml", "x.scaly"], "'xml' is not known"),
        (&["--stats", "--oracle", "x.scaly"], "--stats belongs to an ordinary run"),
        (&["check", "--jit=off", "x.scaly"], "--jit belongs to running a program"),
        (&["--trace-log", "dump", "x.scaly"], "--trace-log belongs to running a program"),
    ] {
        refused(arguments, 2, message);
    }
    assert!(call(&["--jit=hto=1", "x.scaly"], "").error.ends_with("help: did you mean 'hot'?\n"));
}

#[test]
fn programs_that_cannot_be_read_are_one_line_and_status_1() {
    let scratch = Scratch::new("unreadable");
    refused(&["explain", "no/such/file.scaly"], 1, "cannot read no/such/file.scaly: No such file or directory");
    refused(&["explain", "--static", "no/such/file.scaly"], 1, "cannot read no/such/file.scaly");
    refused(&["no/such/file.scaly"], 1, "cannot read no/such/file.scaly: No such file or directory");
    refused(&[&scratch.0.display().to_string()], 1, "is a directory");
    refused(&[&scratch.file("empty.scaly", "")], 1, "is empty");
    refused(&[&scratch.file("blank.scaly", " \n\t\n")], 1, "is empty");
    refused(
        &[&scratch.file("latin1.scaly", b"print 1\nprint \"caf\xe9\"\n")],
        1,
        ":2: not valid UTF-8: byte 0xE9 at offset 18",
    );
    refused(&["-"], 1, "<stdin> is empty");
    let program = scratch.file("program.scaly", "1");
    refused(&["run", &program], 1, "cannot read run: No such file or directory");
    assert!(call(&["run", &program], "").error.ends_with(&format!("  help: write `scaly {program}`\n")));
    assert!(!call(&["run", "no/such/file.scaly"], "").error.contains("help"));
}

#[test]
fn a_file_without_permission() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new("permission");
    let path = scratch.file("secret.scaly", "print 1\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("permissions");
    // Root reads everything; the message is tested where the test does not run as root.
    if fs::read(&path).is_err() {
        refused(&[&path], 1, "Permission denied");
    }
}

#[test]
fn the_evaluated_text_prints_its_last_value() {
    for (program, output) in [
        ("1", "1\n"),
        ("-7", "-7\n"),
        ("-7 + 1", "-6\n"),
        ("let x 20\nx + 22", "42\n"),
        ("\"a\" + \"b\"", "ab\n"),
        ("[1, 2]", "[1,2]\n"),
        ("print 3", "3\n"),
        ("let x 1", ""),
    ] {
        let got = call(&["-e", program], "");
        assert_eq!((got.status, got.output.as_str(), got.error.as_str()), (Some(0), output, ""), "{program}");
    }
}

#[test]
fn a_program_file_prints_nothing_by_itself() {
    let scratch = Scratch::new("silent");
    let got = call(&[&scratch.file("silent.scaly", "let x 1 + 1\nlet y x\n")], "");
    assert_eq!((got.status, got.output, got.error), (Some(0), String::new(), String::new()));
}

#[test]
fn standard_input_is_a_program() {
    let got = call(&["-"], "print(6 * 7)\n");
    assert_eq!((got.status, got.output.as_str()), (Some(0), "42\n"), "{}", got.error);
}

#[test]
fn arguments_behind_the_program_are_the_programs() {
    let scratch = Scratch::new("arguments");
    let path = scratch.file("args.scaly", "for a in Args.all(): print a\n");
    let got = call(&[&path, "--help", "-e", "x y"], "");
    assert_eq!((got.status, got.output.as_str()), (Some(0), "--help\n-e\nx y\n"), "{}", got.error);
}

#[test]
fn the_exit_status_is_the_programs() {
    for (program, status) in [("return 3", 3), ("exit(7)", 7), ("return 0", 0), ("let x [1][1]", 1), ("let x y", 1)] {
        assert_eq!(call(&["-e", program], "").status, Some(status), "{program}");
    }
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let mut command = scaly();
    command.args(["-e", "for i in 10000000: print i"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
    let mut pipe = child.stdout.take().expect("a pipe");
    let mut some = [0; 16];
    pipe.read_exact(&mut some).expect("a few lines");
    drop(pipe);
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.code().is_some(), "killed by a signal: {:?}", output.status);
}

#[test]
fn a_full_disk_is_an_error() {
    for arguments in [&["-e", "print 1"][..], &["--help"], &["--version"]] {
        let full = File::options().write(true).open("/dev/full").expect("/dev/full");
        let mut command = scaly();
        let output = command.args(arguments).stdout(full).stderr(Stdio::piped()).output().expect("the command ends");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains("No space left on device"), "{arguments:?}: {error}");
    }
}

#[test]
fn help_and_version() {
    let help = call(&["--help"], "");
    assert_eq!(help.status, Some(0));
    assert!(help.output.contains("Usage:") && help.output.contains("--regions"));
    assert!(help.output.lines().all(|line| line.len() <= 110), "lines a terminal shows whole");
    for command in ["check", "dump", "explain"] {
        assert!(call(&[command, "--help"], "").output.contains(&format!("scaly {command}")), "{command}");
    }
    assert_eq!(call(&["--version"], "").output, concat!("scaly ", env!("CARGO_PKG_VERSION"), "\n"));
    assert!(call(&["--version", "--verbose"], "").output.contains("tiers"));
}

#[test]
fn the_readme_shows_what_the_commands_print() {
    let readme = fs::read_to_string(common::root().join("README.md")).expect("the readme");
    let blocks = readme.split("```\n").filter(|block| block.starts_with("$ scaly "));
    let calls: Vec<(&str, &str)> =
        blocks.flat_map(|block| block.split("$ scaly ").skip(1)).filter_map(|call| call.split_once('\n')).collect();
    assert_eq!(calls.len(), 2);
    for (words, shown) in calls {
        let got = call(&words.split(' ').collect::<Vec<_>>(), "");
        assert_eq!(got.output.trim_end(), shown.trim_end(), "scaly {words}");
    }
}

#[test]
fn every_parameter_is_listed() {
    let got = call(&["--jit", "help"], "");
    assert_eq!((got.status, got.error.as_str()), (Some(0), ""));
    for row in Parameters::TABLE {
        let line = got.output.lines().find(|line| line.split_whitespace().next() == Some(row.name));
        assert!(line.is_some_and(|line| line.contains(&row.default.to_string())), "{}", row.name);
    }
    assert!(got.output.lines().all(|line| line.len() <= 110), "lines a terminal shows whole");
}

#[test]
fn the_manual_of_the_log_knows_every_reason() {
    let manual = fs::read_to_string(common::root().join("docs/trace-log.md")).expect("the manual");
    for reason in Abort::ALL {
        assert!(manual.contains(&format!("| `{}` | {} |", reason.name(), reason.text())), "{reason:?}");
    }
}

#[test]
fn the_manual_of_the_log_knows_every_figure() {
    let manual = fs::read_to_string(common::root().join("docs/trace-log.md")).expect("the manual");
    let program = "var a = Array[int](100)\nfor i in 100: a[i] = i\nvar x = 1\nfor i in 100: set x: x * 3 % 7\nprint x";
    let got = call(&["--stats=json", "--jit=llvm=2", "--threads=2", "-e", program], "");
    let json: serde_json::Value = serde_json::from_str(got.error.lines().last().unwrap_or_default()).expect("JSON");
    let every = json["hottest"].as_array().expect("a list").iter().flat_map(|each| each.as_object().expect("a loop"));
    // `v` and `event` are in every line.
    let keys = json.as_object().expect("an object").iter().chain(every).map(|(key, _)| key.as_str());
    for key in keys.filter(|key| !["v", "event"].contains(key)) {
        assert!(manual.contains(&format!("`{key}`")) || manual.contains(&format!("\"{key}\"")), "{key}");
    }
    for row in Parameters::TABLE.iter().filter(|row| ["llvm", "chunk", "steal"].contains(&row.name)) {
        assert!(manual.contains(&format!("`{}`", row.name)), "{}", row.name);
    }
}

#[test]
fn a_trace_log_changes_nothing_but_the_log() {
    let scratch = Scratch::new("log");
    let program = scratch.file("sum.scaly", "var s 0\nfor i in 1000: set s: s + i\nprint s\n");
    let file = scratch.0.join("log.json").display().to_string();
    for options in [&["--trace-log"][..], &["--trace-log=ir,asm"], &["--jit=off", "--trace-log"], &["--preset=dev"]] {
        let got = call(&[options, &[&program]].concat(), "");
        assert_eq!((got.status, got.output.as_str()), (Some(0), "499500\n"), "{options:?}: {}", got.error);
        assert!(options[0] != "--preset=dev" || got.error.is_empty(), "{}", got.error);
        assert!(options[0] != "--jit=off" || got.error.is_empty(), "{}", got.error);
    }
    let got = call(&[&format!("--trace-log=json:{file}"), &program], "");
    assert_eq!((got.output.as_str(), got.error.as_str()), ("499500\n", ""));
    let log = fs::read_to_string(&file).expect("a log");
    assert!(log.starts_with("{\"v\":1,\"event\":\"header\",\"scaly\":"), "{log}");
    let text = format!("--trace-log=text:{file}");
    assert_eq!(call(&[&text, &program], "").error, "");
    assert!(!fs::read_to_string(&file).expect("a log").contains("header"), "a log replaces the one before");
}

/// Where the system gives no timer nothing is compiled whole, which is said once: of a loop, and of recursion without one.
#[test]
fn without_a_timer_programs_stay_in_traces() {
    let programs = [
        ("loop -e:2", "var s = 0\nfor i in 3000000: s = s + i % 7\nprint s\n", "8999994\n"),
        (
            "function -e:1 in fib",
            "function fib(n: int) returns int: if n < 2: n else fib(n - 1) + fib(n - 2)\nprint fib(27)\n",
            "196418\n",
        ),
    ];
    for (what, text, output) in programs {
        let mut command = Command::new("prlimit");
        command.args([
            "--sigpending=0",
            env!("CARGO_BIN_EXE_scaly"),
            "--trace-log",
            "--jit",
            "hot=2,hot_function=2",
            "-e",
            text,
        ]);
        let got = common::finish(command, "").expect("prlimit runs");
        assert_eq!((got.status, got.output.as_str()), (Some(0), output), "{}", got.error);
        let said: Vec<&str> = got.error.lines().filter(|line| line.contains("no timer")).collect();
        assert!(matches!(said[..], [line] if line.contains(&format!("refused {what}"))), "{what}: {said:?}");
    }
}

#[test]
fn a_trace_log_that_cannot_be_written() {
    let scratch = Scratch::new("unwritable");
    let program = scratch.file("loud.scaly", "print \"runs\"\n");
    let folder = scratch.0.display().to_string();
    refused(&[&format!("--trace-log=json:{folder}"), &program], 1, "Is a directory");
    refused(&[&format!("--trace-log=text:{folder}/no/log"), &program], 1, "No such file or directory");
    refused(&[&format!("--trace-log=text:{program}"), &program], 2, "that file is the program");
    assert_eq!(fs::read_to_string(&program).expect("the program"), "print \"runs\"\n");
    let got = call(&["--trace-log=json:/dev/full", &program], "");
    assert_eq!((got.status, got.output.as_str()), (Some(0), "runs\n"));
    assert_eq!(got.error, "scaly: the trace log /dev/full ends here: No space left on device\n");
}

/// Has a trace and a side trace.
const LOUD: &str = "var s 0\nfor i in 2000 { if i % 2 = 0: set s: s + i }\nprint s\n";

#[test]
fn a_trace_log_on_a_full_disk_or_a_closed_pipe() {
    let full = || File::options().write(true).open("/dev/full").expect("/dev/full");
    let closed = || {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        writer
    };
    for options in [&["--trace-log"][..], &["--trace-log=ir,asm", "--stats"], &["--trace-log", "--jit=hot=1"]] {
        for stderr in [Stdio::from(full()), Stdio::from(closed())] {
            let mut command = scaly();
            let command = command.args(options).args(["-e", LOUD]).stdin(Stdio::null()).stderr(stderr);
            let output = command.output().expect("the command ends");
            assert_eq!(output.status.code(), Some(0), "{options:?}: {:?}", output.status);
            assert_eq!(String::from_utf8_lossy(&output.stdout), "999000\n", "{options:?}");
        }
    }
    // In the middle: whoever reads has seen enough.
    let mut command = scaly();
    command.args(["--trace-log=ir", "--jit=hot=1,hot_exit=1", "-e", LOUD]).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
    let mut pipe = child.stderr.take().expect("a pipe");
    let mut some = [0; 16];
    pipe.read_exact(&mut some).expect("a part of the log");
    drop(pipe);
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stdout).as_ref()), (Some(0), "999000\n"));
}

#[test]
fn statistics_stand_at_the_end() {
    let program = "var s 0\nfor i in 1000: set s: s + i\nlet a [s][1]";
    let got = call(&["--stats", "-e", program], "");
    assert_eq!(got.status, Some(1));
    let (error, figures) = got.error.split_once("[stats]").expect("statistics");
    assert!(error.contains("index 1 is out of range") && figures.contains(" -e:2 | for i in 1000"), "{}", got.error);
    let interpreted = call(&["--stats", "--jit=off", "-e", program], "").error;
    assert!(interpreted.contains(" 0.00 % native (0 native, 999 interpreted)"), "{interpreted}");
    // In the warm-up nothing would be counted if nobody asked.
    let warming = call(&["--stats", "--jit=warmup=1000000000", "-e", program], "").error;
    assert!(warming.contains(" 0.00 % native (0 native, 999 interpreted)"), "{warming}");
    let json = call(&["--stats=json", "-e", "print 1"], "");
    assert!(json.error.starts_with("{\"v\":1,\"event\":\"statistics\",") && json.error.lines().count() == 1);
    assert_eq!(json.output, "1\n");
}

/// What compiles is made late where nobody asks what it did: no statistics, no log. Memory that is shared and executable is
/// that of native code.
#[test]
fn runs_that_nobody_follows_are_native_too_where_something_is_hot() {
    let scratch = Scratch::new("native");
    let program = "function turns(n: int) returns int {\n    var sum = 0\n    for i in n\n        sum += i * i % 7\n    sum\n}\n\
        print(turns(Args.get(0, 0)) > 0)\nprint(File.read(\"/proc/self/maps\").contains(\" r-xs \"))\n";
    let file = scratch.file("turns.scaly", program);
    let native = |options: &[&str], trips: &str| {
        let got = call(&[options, &[&file, trips]].concat(), "");
        assert_eq!((got.status, got.error.as_str()), (Some(0), ""));
        got.output.ends_with("true\ntrue\n")
    };
    assert!(native(&["--jit=hot=10"], "100") && native(&[], "20000000"));
    assert!(!native(&["--jit=hot=10"], "5") && !native(&[], "5") && !native(&["--jit=off"], "20000000"));
}

#[test]
fn check_reports_and_runs_nothing() {
    let scratch = Scratch::new("check");
    let good = call(&["check", &scratch.file("good.scaly", "print 1\n")], "");
    assert_eq!((good.status, good.output.as_str(), good.error.as_str()), (Some(0), "", ""));
    let bad = call(&["check", &scratch.file("bad.scaly", "let x: int \"one\"\nlet y: bool 2\n")], "");
    assert_eq!(bad.status, Some(1));
    assert_eq!(bad.error.matches("error: ").count(), 2, "{}", bad.error);
}

#[test]
fn a_promise_that_is_broken_is_a_warning_and_strictly_an_error() {
    let scratch = Scratch::new("strict");
    let path =
        scratch.file("loud.scaly", "function loud(x: int) returns int {\n    print x\n    x\n}\nprint loud(1)\n");
    let lax = call(&["check", &path], "");
    assert_eq!(lax.status, Some(0));
    assert!(lax.error.starts_with("warning: "), "{}", lax.error);
    let strict = call(&["check", "--strict", &path], "");
    assert_eq!(strict.status, Some(1));
    assert!(strict.error.starts_with("error: "), "{}", strict.error);
    assert_eq!(call(&[&path], "").error, "", "running is silent about it");
}

#[test]
fn a_dump_shows_source_lines() {
    let scratch = Scratch::new("dump");
    let path = scratch.file("sum.scaly", "var s 0\nfor i in 10: set s: s + i\nprint s\n");
    let got = call(&["dump", &path], "");
    assert_eq!(got.status, Some(0), "{}", got.error);
    assert!(got.output.contains("ForLoop") && got.output.contains("for i in 10: set s: s + i"), "{}", got.output);
}

#[test]
fn memory_and_stack_end_with_an_error() {
    let grow = "var a Array[int]()\nrepeat: a.push(1)";
    let got = call(&["--memory-limit=16M", "-e", grow], "");
    assert_eq!(got.status, Some(1));
    assert!(got.error.contains("out of memory"), "{}", got.error);
    let deep = "function f(n: int) returns int: f(n + 1) + 1\nprint f(0)";
    let got = call(&["-e", deep], "");
    assert_eq!(got.status, Some(1));
    assert!(got.error.contains("stack"), "{}", got.error);
    assert!(got.error.lines().count() < 40, "a shortened call trace:\n{}", got.error);
}

/// Each part of a loop would need memory at the same time.
#[test]
fn what_fits_into_limited_memory_on_one_core_fits_on_several() {
    let program = "function work(i: int) returns int {
    var values = Array[int](300000, i)
    for k in values.length()
        values[k] = values[k] * 31 + k
    values[i]
}
var out = Array[int](40)
for i in out.length()
    out[i] = work(i)
print out.sum()";
    for options in [&["--jit", "off"][..], &["--jit", "llvm=2,chunk=1", "--threads", "16"]] {
        let options = [options, &["--memory-limit=6M", "-e", program]].concat();
        let got = call(&options, "");
        assert_eq!((got.status, got.output.as_str()), (Some(0), "24960\n"), "{}", got.error);
    }
}

/// What a routine takes and does not give back is freed, on each way; and so is what is left behind by an argument.
#[test]
fn what_is_given_up_and_not_used_is_freed() {
    let program = "function numbers(n: int) returns Array[int] {
    var all Array[int]()
    for i in n: all.push(i)
    all
}
function tail(a: Array[int], b: Array[int], c: bool) returns Array[int]: if c: a else b
function ways(a: Array[int], b: Array[int], c: bool) returns Array[int] {
    return if c: a else b
}
function inside(a: Array[int], b: Array[int], c: bool) returns Array[Array[int]]: [a, if c: [1] else b]
var k Array[int]()
var kk Array[Array[int]]()
for i in 10000 {
    set k: tail(numbers(100), numbers(100), i % 2 = 0)
    set k: ways(numbers(100), numbers(100), i % 2 = 0)
    set kk: inside(numbers(100), numbers(100), i % 2 = 0)
    set k: tail(numbers(100), if i % 3 = 0 { continue } else numbers(3), true)
}
println(k.length() + kk.length())";
    for options in [&["--jit", "off"][..], &["--jit", "llvm=2"]] {
        let got = call(&[options, &["--memory-limit=4M", "-e", program]].concat(), "");
        assert_eq!((got.status, got.output.as_str()), (Some(0), "102\n"), "{}", got.error);
    }
}

#[test]
fn colors_only_when_asked_for() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scaly"));
    command.args(["--color=always", "-e", "let x y"]);
    assert!(finish(command, "").expect("the command ends").error.contains('\u{1b}'));
    assert!(!call(&["-e", "let x y"], "").error.contains('\u{1b}'));
}

#[test]
fn nothing_is_lost_on_an_error() {
    let got = call(&["-e", "print 1\nlet a [1]\nlet i 3\nprint a[i]"], "");
    assert_eq!((got.status, got.output.as_str()), (Some(1), "1\n"), "what was printed before the error is there");
}

#[test]
fn a_long_program_runs_like_a_short_one() {
    let folder = Scratch::new("long");
    let routine = |n: u32| format!("function f{n}(a: int) returns String: format(\"{{}} {{}}\", a, {n})\n");
    let mut text: String = (0..12_000).map(routine).collect();
    text.push_str("println(f0(1), f11999(2))\n");
    let got = call(&[&folder.file("long.scaly", &text)], "");
    assert_eq!((got.status, got.output.as_str(), got.error.as_str()), (Some(0), "1 0 2 11999\n", ""));
    text.push_str("println(f12000(1))\n");
    let got = call(&[&folder.file("wrong.scaly", &text)], "");
    assert_eq!((got.status, got.output.as_str()), (Some(1), ""));
    assert!(got.error.contains("f12000") && got.error.contains("wrong.scaly:12002:9"), "{}", got.error);
}

/// A loop that never ends is told of when it goes on in other code, not when it has ended.
#[test]
fn the_log_tells_of_code_when_it_is_entered() {
    let program = "var x = 1\nwhile x >= 0: set x: (x * 31 + 7) % 1009";
    let mut command = scaly();
    command.args(["--jit", "llvm=2", "--trace-log", "-e", program]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let error = BufReader::new(child.stderr.take().unwrap());
    let (found, wait) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let line = error.lines().map_while(Result::ok).find(|line| line.starts_with("[trace] switched loop "));
        let _ = found.send(line);
    });
    let said = wait.recv_timeout(Duration::from_secs(60));
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    assert_eq!(said.ok().flatten().as_deref(), Some("[trace] switched loop -e:2: sequential from here on"));
}

#[test]
fn profilers_see_loops_that_were_compiled_whole() {
    let program = "var s = 0\nfor i in 3000\n    s += i * i % 7\nprint s";
    let mut command = scaly();
    command.args(["--jit", "llvm=2,hot=1", "--observe", "perf-map", "-e", program]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let map = PathBuf::from(format!("/tmp/perf-{}.map", child.id()));
    assert!(child.wait_with_output().unwrap().status.success());
    let lines = fs::read_to_string(&map).unwrap();
    fs::remove_file(&map).unwrap();
    assert!(lines.lines().any(|line| line.contains(" scaly whole loop ") && line.ends_with(" -e:3")), "{lines}");
}

/// What a program of this text prints, or the first line of what is said of it.
fn told(text: &str) -> String {
    let got = call(&["-"], text);
    let line = if got.error.is_empty() { got.output.lines().next() } else { got.error.lines().next() };
    line.unwrap_or_default().to_string()
}

#[test]
fn chains_are_no_nesting() {
    let links = 10_000;
    let chain = |first: &str, link: &str| format!("{first}{}", link.repeat(links));
    let otherwise: String = (0..links).map(|i| format!(" else if n = {}: {i}", i + 10)).collect();
    for (program, said) in [
        (format!("println({})", chain("1", " + 1")), "10001"),
        (format!("let n = 3\nprintln({})", chain("n", " * 2 + n")), "60003"),
        (format!("let s = \"a\"\nlet t = {}\nprintln(t.length())", chain("s", " + s")), "10001"),
        (format!("let b = true\nprintln({})", chain("b", " and b")), "true"),
        (format!("let b = true\nif {}: println(1)", chain("b", " and b or not b")), "1"),
        (format!("println({})", chain("\" a\"", ".trim()")), "a"),
        (
            format!(
                "define P(n: int) {{ function next(this) returns P: P(n + 1) }}\nlet p = P(0)\nprintln({}.n)",
                chain("p", ".next")
            ),
            "10000",
        ),
        (format!("let n = 1\nprintln(if n = 2: 3{otherwise} else 5)"), "5"),
        (format!("var t = 0\nfor i in 1000: t += {}\nprintln(t)", chain("i", " + i")), "4995499500"),
        (chain("1", " + 1") + " + \"a\"", "error: `+` is not defined for `int` and `String`"),
        (chain("1", " + 1") + " + )", "error: expected an expression, found `)`"),
        (format!("println({})", chain("1", &" + 1".repeat(10))), "error: this is nested too deeply"),
        (format!("println({}1{})", "(".repeat(links), ")".repeat(links)), "error: this is nested too deeply"),
    ] {
        assert_eq!(told(&program), said, "{}", &program[..60]);
    }
}

#[test]
fn types_lie_in_one_another() {
    let nested = |types: usize| {
        let defines: String = (1..types).map(|i| format!("define T{i}(x: T{})\n", i - 1)).collect();
        let last = types - 1;
        format!("define T0(n: int)\n{defines}var t: T{last}\nlet u = t\nprintln(t = u, t.to_string().length())\n")
    };
    assert_eq!(told(&nested(20_000)), "true 448891");
    let got = call(&["-"], &nested(40_000));
    assert!(got.error.starts_with("error: `T25000` nests too deeply: more than 25000 types lie in one another\n"));
    assert_eq!(got.error.matches("error: ").count(), 1);
}

/// What each iteration appends as often is handed on in the array's length only, however often the array would have grown.
#[test]
fn the_oracle_tells_what_iterations_hand_on() {
    let text = "var out: Array[int]
var sum = 0
for i in 300 ; appends
    out.push(i * 2)
for i in 300 ; sums
    sum += out[i]
for i in 300 ; own
    out[i] = i
for i in 300 { ; reads another one's
    out.push(i)
    sum = max(sum, out[out.length() / 2 + 150])
}
print(out.length(), sum)
";
    let got = call(&["--oracle", "-e", text], "");
    assert_eq!((got.status, got.output.as_str()), (Some(0), "600 89700\n"), "{}", got.error);
    let told: Vec<&str> = got.error.lines().filter_map(|line| line.split_once(" in 1 run: ")).map(|(_, t)| t).collect();
    let expected = [
        "'out' is carried from line 4 to line 4",
        "'sum' is carried from line 6 to line 6",
        "free",
        "iterations meet in memory from line 10 to line 11",
    ];
    assert_eq!(told, expected, "{}", got.error);
    // Where memory is limited no room is made: then it moves.
    let got = call(&["--memory-limit", "64M", "--oracle", "-e", text], "");
    assert!(got.error.contains(": iterations meet in memory from line 4 to line 4\n"), "{}", got.error);
}
