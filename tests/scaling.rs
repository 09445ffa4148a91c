//! Every program under `tests/scaling`, divided as small as can be among three threads and among sixteen: which loops must
//! run on all cores and which must not, and for which reason; the result is the interpreter's. For each reason that can be
//! helped there is a pair of programs, of which the second one does as the first one is told. See `tests/README.md`.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use common::expectation::Expectation;
use common::{Configuration, Outcome, Tier, finish, programs, root, run, scaly, trials};
use libtest_mimic::{Arguments, Failed, Trial};
use scaly_interp::program::Pc;
use scaly_tracer::independence::{Reason, Refusal};
use serde_json::Value;

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
const WORDS: &[&str] = &["parallel", "serial", "advice", "alone", "each"];

/// A loop, by a text that its first line contains, and what must be of it.
enum Check {
    Parallel(String),
    /// For a reason that contains a text.
    Serial(String, String),
    /// For this reason, and this is what `scaly explain` tells to change.
    Advised {
        source: String,
        reason: String,
        advice: String,
    },
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
                "advice" => match checks.pop() {
                    Some(Check::Serial(source, reason)) => {
                        checks.push(Check::Advised { source, reason, advice: value.into() });
                    }
                    _ => return Err("advice without a loop that is serial before it".into()),
                },
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
    let mut trials = trials(&root().join("tests/scaling"), CONFIGURATIONS, test);
    trials.push(Trial::test("every reason that can be helped has its pair", || every_reason().map_err(Failed::from)));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn test(path: &Path, configuration: Configuration) -> Result<(), String> {
    let program = Program::read(path)?;
    if program.each.is_empty() {
        if program.checks.iter().any(|check| matches!(check, Check::Advised { .. })) {
            explained(path, configuration, &program)?;
        }
        let got = run(path, configuration, &[], &program.expected.stdin)?;
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
        let (Check::Parallel(source) | Check::Serial(source, _) | Check::Alone(source)) = self else { return Ok(()) };
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
                Check::Advised { .. } => true,
            };
            if !right {
                return Err(format!("{each:?}"));
            }
        }
        Ok(())
    }
}

/// What is told of the loops that can be helped.
fn explained(path: &Path, configuration: Configuration, program: &Program) -> Result<(), String> {
    let mut command = scaly();
    command.args(["explain", "--json"]).args(configuration.options).arg(path.strip_prefix(root()).unwrap_or(path));
    let got = finish(command, &program.expected.stdin)?;
    let told: Value = serde_json::from_str(got.error.lines().last().unwrap_or_default()).map_err(|e| e.to_string())?;
    for check in &program.checks {
        let Check::Advised { source, reason, advice } = check else { continue };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let loops: Vec<&Value> = told["loops"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|each| each["tier"] != "parallel" && text(&each["source"]).contains(source))
            .collect();
        let &[found] = &loops[..] else {
            return Err(format!("{source:?} is the text of {} loops: {told:#}", loops.len()));
        };
        let mut because = found["because"].as_array().into_iter().flatten().filter(|why| why["not"] == "parallel");
        // The first reason is what to look at first.
        let first = because.next().map(|why| (text(&why["reason"]), text(&why["help"])));
        if first.as_ref() != Some(&(reason.clone(), advice.clone())) {
            return Err(format!("{source:?} is told {first:?}, not {reason:?} and {advice:?}"));
        }
    }
    Ok(())
}

/// A reason with advice that nobody has followed is not one.
fn every_reason() -> Result<(), String> {
    let mut followed = Vec::new();
    for path in programs(&root().join("tests/scaling/pairs")) {
        if path.ends_with("before.scaly") {
            let (before, after) = (Program::read(&path)?, Program::read(&path.with_file_name("after.scaly"))?);
            let free = after.checks.iter().filter(|check| matches!(check, Check::Parallel(_))).count();
            if before.expected.output != after.expected.output || free != before.checks.len() {
                return Err(format!("{}: the other one does something else", path.display()));
            }
            followed.extend(before.checks);
        }
    }
    const NAME: &str = "NAME";
    for refusal in Reason::all(NAME).map(|reason| Refusal::new(reason, Pc(0))) {
        let (text, Some(help)) = (refusal.text(), refusal.help()) else { continue };
        // The same but for names.
        let like = |pattern: &str, said: &str| {
            let mut rest = Some(said);
            pattern.split(NAME).for_each(|part| rest = rest.and_then(|rest| rest.split_once(part)).map(|(_, to)| to));
            rest.is_some()
        };
        let found = followed.iter().any(|check| match check {
            Check::Advised { reason, advice, .. } => like(&text, reason) && like(&help, advice),
            _ => false,
        });
        if !found {
            return Err(format!("nobody follows {help:?} where {text:?}"));
        }
    }
    Ok(())
}
