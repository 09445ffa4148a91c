//! Runs every program under `tests/trace` and checks its trace log. See `tests/README.md`.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use common::checks::{Checks, WORDS};
use common::expectation::Expectation;
use common::{finish, programs, root, scaly, statistics};
use libtest_mimic::{Arguments, Failed, Trial};
use scaly_tracer::log::Abort;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = root().join("tests/trace");
    let mut trials = vec![Trial::test("every reason of an abort has its test", || every_abort().map_err(Failed::from))];
    for path in programs(&folder) {
        let name = path.strip_prefix(&folder).unwrap_or(&path).with_extension("").display().to_string();
        trials.push(Trial::test(name.clone(), move || check(&path, &name).map_err(Failed::from)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn parse(path: &Path) -> Result<(Expectation, Checks), String> {
    let text = fs::read_to_string(path).map_err(|e| e.to_string())?;
    Ok((Expectation::parse_beside(&text, WORDS)?, Checks::parse(&text)?))
}

fn check(path: &Path, name: &str) -> Result<(), String> {
    let (expected, checks) = parse(path)?;
    let log = log_file(name)?;
    let mut command = scaly();
    let code = if checks.code() { ",asm" } else { "" };
    // What is recorded depends on counts only, not on how long things take.
    // What traces may take is bounded only where a program says so.
    if !checks.options.iter().any(|option| option.contains("warmup=")) {
        command.args(["--jit", "warmup=0,effort=100"]);
    }
    command.args(&checks.options).arg(format!("--trace-log=text:{},ir{code}", log.display()));
    if checks.native.is_some() {
        command.arg(statistics::OPTION);
    }
    command.arg(checks.program.as_deref().unwrap_or(path.strip_prefix(root()).unwrap_or(path)));
    command.args(&expected.arguments);
    let mut got = finish(command, &expected.stdin)?;
    let statistics = statistics::take(&mut got.error);
    expected.compare(&got)?;
    if let Some(least) = checks.native {
        let statistics = statistics.ok_or("no statistics")?;
        let share = statistics.native_percent();
        if share < least {
            return Err(format!("{share} % of the iterations are native, not {least}: {:#?}", statistics.loops));
        }
    }
    let text = fs::read_to_string(&log).map_err(|e| e.to_string())?;
    checks.compare(&text).map_err(|wrong| format!("{wrong}\nin {}", log.display()))
}

/// Where the log of a test lies, for whoever looks why it failed.
fn log_file(name: &str) -> Result<PathBuf, String> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("trace").join(name).with_extension("log");
    fs::create_dir_all(path.parent().unwrap_or(&path)).map_err(|e| e.to_string())?;
    Ok(path)
}

/// No program can bring these about; `tests/memory.rs` can.
const ELSEWHERE: &[Abort] = &[Abort::CodeMemoryRefused];

/// A reason that nothing can bring about is not one.
fn every_abort() -> Result<(), String> {
    for reason in Abort::ALL.iter().filter(|reason| !ELSEWHERE.contains(reason)) {
        let path = root().join("tests/trace/aborts").join(reason.name()).with_extension("scaly");
        let (_, checks) = parse(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        if !checks.mention(reason.text()) {
            return Err(format!("{} does not check for {:?}", path.display(), reason.text()));
        }
    }
    Ok(())
}
