//! What the test binaries share: finding programs, running the command, reading expectations.
#![allow(dead_code, reason = "each test binary uses its part")]

pub mod checks;
pub mod expectation;
pub mod statistics;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use statistics::Statistics;

/// One way to run a program: a name and the options that bring it about.
#[derive(Clone, Copy, Debug)]
pub struct Configuration {
    pub name: &'static str,
    pub options: &'static [&'static str],
    pub tier: Tier,
}

/// What must have run, as the statistics of the run show. They make native code count, so most configurations do without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tier {
    /// Not asked.
    Any,
    /// No native code.
    Interpreter,
    /// Native code in every loop of three or more iterations, or a reason why not.
    Native,
    /// Every such loop compiled whole, or a reason why not.
    Whole,
    /// The same, and on all cores, or a reason why not.
    Parallel,
}

/// Every language test runs in each of these.
pub const CONFIGURATIONS: &[Configuration] = &[
    Configuration { name: "interpreter", options: &["--jit", "off"], tier: Tier::Interpreter },
    Configuration { name: "default", options: &[], tier: Tier::Any },
    // Everything is recorded at once.
    Configuration { name: "traces", options: &["--jit", "hot=1,hot_exit=1"], tier: Tier::Native },
    // Limits so small that recordings abort, trees stay small, and calls are real ones.
    Configuration {
        name: "tiny",
        options: &["--jit", "hot=2,hot_function=2,hot_exit=2,max_trace=120,max_side_traces=3,inline_depth=1,unroll=1"],
        tier: Tier::Any,
    },
    Configuration {
        name: "registers",
        options: &["--jit", "hot=1,hot_function=1,hot_exit=1,random_registers=7,forced_exits=3", "--regions=guard"],
        tier: Tier::Any,
    },
    // Every loop is compiled whole when its header is passed for the second time.
    Configuration { name: "whole", options: &["--jit", "llvm=2", "--threads", "1"], tier: Tier::Whole },
    // Independent ones run on all cores, cut as small as can be, or at random by many.
    Configuration { name: "stealing", options: &["--jit", "llvm=2,chunk=1", "--threads", "3"], tier: Tier::Parallel },
    Configuration {
        name: "stealing by many",
        options: &["--jit", "llvm=2,chunk=3,steal=7,stretch=0,hot=1,hot_exit=1", "--threads", "16", "--regions=guard"],
        tier: Tier::Any,
    },
    // Views and moves are a matter of speed only.
    Configuration {
        name: "copies",
        options: &["--regions=guard", "--copies", "--jit", "hot=2,hot_function=3,hot_exit=1"],
        tier: Tier::Any,
    },
];

/// Longer than any test takes on a busy machine; a test that hits it hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// What a run of the command left behind.
#[derive(Debug)]
pub struct Outcome {
    pub status: Option<i32>,
    pub output: String,
    pub error: String,
    /// Where they were asked for and the program ran.
    pub statistics: Option<Statistics>,
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn scaly() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scaly"));
    command.current_dir(root()).env_remove("NO_COLOR");
    // An ordinary build lays the library beside the command; that of the tests lies beside them.
    if let Some(library) = std::env::current_exe().ok().and_then(|test| Some(test.parent()?.join("libscaly_llvm.so"))) {
        command.env(scaly_backends::VARIABLE, library);
    }
    command
}

/// All programs below a folder, in the order of their names.
pub fn programs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "scaly") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A trial for each program below a folder and each configuration.
pub fn trials(
    folder: &Path,
    configurations: &[Configuration],
    check: fn(&Path, Configuration) -> Result<(), String>,
) -> Vec<Trial> {
    let mut trials = Vec::new();
    for path in programs(folder) {
        let name = path.strip_prefix(folder).unwrap_or(&path).with_extension("").display().to_string();
        for &configuration in configurations {
            let path = path.clone();
            trials.push(Trial::test(format!("{name} [{}]", configuration.name), move || {
                check(&path, configuration).map_err(Failed::from)
            }));
        }
    }
    trials
}

impl Configuration {
    /// That a program has run on the tier that it was to run on.
    pub fn check(&self, outcome: &Outcome) -> Result<(), String> {
        match (self.tier, &outcome.statistics) {
            (Tier::Any, _) => Ok(()),
            (_, None) => Err(format!("no statistics on standard error:\n{}", outcome.error)),
            (Tier::Interpreter, Some(statistics)) => statistics.interpreted_only(),
            (Tier::Native, Some(statistics)) => statistics.native_everywhere(),
            (Tier::Whole, Some(statistics)) => statistics.whole_everywhere(false),
            (Tier::Parallel, Some(statistics)) => statistics.whole_everywhere(true),
        }
    }
}

/// Runs a program in a configuration.
pub fn run(path: &Path, configuration: Configuration, arguments: &[String], stdin: &str) -> Result<Outcome, String> {
    let mut command = scaly();
    command.args(configuration.options);
    if configuration.tier != Tier::Any {
        command.arg(statistics::OPTION);
    }
    command.arg(path.strip_prefix(root()).unwrap_or(path)).args(arguments);
    let folder = Folder::new()?;
    command.env("SCALY_TEST_FOLDER", &folder.0);
    let mut outcome = finish(command, stdin)?;
    outcome.statistics = statistics::take(&mut outcome.error);
    Ok(outcome)
}

/// An empty folder of one run's own; a program finds its name in `SCALY_TEST_FOLDER`.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Folder, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("scaly-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        Ok(Folder(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs a command to its end, or kills it at the limit.
pub fn finish(mut command: Command, stdin: &str) -> Result<Outcome, String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| e.to_string())?;
    let mut input = child.stdin.take().ok_or("no standard input")?;
    let stdin = stdin.to_string();
    // A program that reads nothing closes the pipe; that is no error of the test.
    let writer = std::thread::spawn(move || drop(input.write_all(stdin.as_bytes())));
    let id = child.id();
    let (done, finished) = std::sync::mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        let start = Instant::now();
        let hung = finished.recv_timeout(LIMIT).is_err() && start.elapsed() >= LIMIT;
        if hung {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
        }
        hung
    });
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    drop(done);
    let _ = writer.join();
    if watchdog.join().unwrap_or(false) {
        return Err(format!("still running after {} s", LIMIT.as_secs()));
    }
    Ok(Outcome {
        status: output.status.code(),
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        error: String::from_utf8_lossy(&output.stderr).into_owned(),
        statistics: None,
    })
}
