//! Every program under `tests/scaling`, divided as small as can be among three threads and among sixteen: which loops must
//! run on all cores and which must not, and for which reason; the result is the interpreter's. See `tests/README.md`.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use common::expectation::Expectation;
use common::{Configuration, Outcome, Tier, root, run, trials};
use libtest_mimic::Arguments;

const INTERPRETER: Configuration =
    Configuration { name: "interpreter", options: &["--jit", "off"], tier: Tier::Interpreter };

const CONFIGURATIONS: &[Configuration] = &[
    Configuration { name: "by three", options: &["--jit", "llvm=2,chunk=1", "--threads", "3"], tier: Tier::Parallel },
    Configuration {
        name: "by sixteen",
        options: &["--jit", "llvm=2,chunk=1", "--threads", "16"],
        tier: Tier::Parallel,
    },
];

/// Header words beside those of the language tests.
const WORDS: &[&str] = &["parallel", "serial", "alone", "each"];

/// A loop, by a text that its first line contains, and what must be of it.
enum Check {
    Parallel(String),
    /// For a reason that contains a text.
    Serial(String, String),
    /// Independent, but what is checked when it starts does not hold.
    Alone(String),
}

struct Program {
    expected: Expectation,
    checks: Vec<Check>,
    /// Arguments, each of a run of its own.
    each: Vec<String>,
}

impl Program {
    fn read(path: &Path) -> Result<Program, String> {
        let text = fs::read_to_string(path).map_err(|e| e.to_string())?;
        let expected = Expectation::parse_beside(&text, WORDS)?;
        let (mut checks, mut each) = (Vec::new(), Vec::new());
        for line in text.lines().map_while(|line| line.strip_prefix("; ")) {
            let Some((word, value)) = line.split_once(": ") else { continue };
            match word {
                "parallel" => checks.push(Check::Parallel(value.into())),
                "serial" => {
                    let (source, reason) = value.split_once(" => ").ok_or(format!("{value:?} lacks a reason"))?;
                    checks.push(Check::Serial(source.into(), reason.into()));
                }
                "alone" => checks.push(Check::Alone(value.into())),
                "each" => each.extend(value.split_whitespace().map(String::from)),
                _ => {}
            }
        }
        if checks.is_empty() {
            return Err("there is nothing to check".into());
        }
        Ok(Program { expected, checks, each })
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = trials(&root().join("tests/scaling"), CONFIGURATIONS, test);
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn test(path: &Path, configuration: Configuration) -> Result<(), String> {
    let program = Program::read(path)?;
    if program.each.is_empty() {
        let got = run(path, configuration, &[], "")?;
        program.expected.compare(&got)?;
        configuration.check(&got)?;
        return program.checks.iter().try_for_each(|check| check.passes(&got));
    }
    // An error in whatever iteration: what the interpreter says of it, once and again, since chunks race.
    let mut last = None;
    for argument in &program.each {
        let arguments = [argument.clone()];
        let expected = run(path, INTERPRETER, &arguments, "")?;
        for _ in 0..3 {
            let got = run(path, configuration, &arguments, "")?;
            let parts = |outcome: &Outcome| (outcome.status, outcome.output.clone(), outcome.error.clone());
            if parts(&got) != parts(&expected) {
                return Err(format!("with {argument}: {:?}\nexpected: {:?}", parts(&got), parts(&expected)));
            }
            last = Some(got);
        }
    }
    // The last one comes far enough for everything that is checked.
    last.iter().try_for_each(|got| program.checks.iter().try_for_each(|check| check.passes(got)))
}

impl Check {
    fn passes(&self, got: &Outcome) -> Result<(), String> {
        let statistics = got.statistics.as_ref().ok_or_else(|| format!("no statistics:\n{}", got.error))?;
        let (Check::Parallel(source) | Check::Serial(source, _) | Check::Alone(source)) = self;
        let places: BTreeSet<&str> =
            statistics.loops.iter().filter(|each| each.name.contains(source)).map(|each| each.name.as_str()).collect();
        if places.len() != 1 {
            return Err(format!("{source:?} is the text of these loops: {places:?}"));
        }
        for each in statistics.loops.iter().filter(|each| each.name.contains(source)) {
            let right = match self {
                Check::Parallel(_) => each.parallel_entries > 0,
                Check::Serial(_, reason) => {
                    let says = |(what, text): &(String, String)| what == "parallel" && text.contains(reason);
                    each.parallel_entries == 0 && each.region.is_some() && each.refused.iter().any(says)
                }
                Check::Alone(_) => each.parallel_entries == 0 && each.failed_checks > 0,
            };
            if !right {
                return Err(format!("{each:?}"));
            }
        }
        Ok(())
    }
}
