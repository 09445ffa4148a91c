//! The command itself: every way to call it wrong, and what it does with pipes, disks and statuses.

mod common;

use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use common::{Outcome, finish, scaly};

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
    refused(&["explain", "x.scaly"], 2, "needs '--static'");
    refused(&["dump", "x.scaly", "y.scaly"], 2, "one too many");
    refused(&["--regions=maybe", "x.scaly"], 2, "none of pool, guard");
    refused(&["--memory-limit", "lots", "x.scaly"], 2, "is no size");
    refused(&["--strict", "x.scaly"], 2, "belongs to 'scaly check'");
}

#[test]
fn programs_that_cannot_be_read_are_one_line_and_status_1() {
    let scratch = Scratch::new("unreadable");
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
