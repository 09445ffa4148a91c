//! Runs every program under `tests/lang` in every tier configuration. See `tests/README.md`.

mod common;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::expectation::Expectation;
use common::{CONFIGURATIONS, Configuration, Tier, root, run, trials};
use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = trials(&root().join("tests/lang"), CONFIGURATIONS, check);
    let everything = arguments.filter.is_none() && arguments.skip.is_empty() && !arguments.list;
    let conclusion = libtest_mimic::run(&arguments, trials);
    let (native, hot) = (NATIVE.load(Ordering::Relaxed), HOT.load(Ordering::Relaxed));
    if everything && native * 5 < hot * 4 {
        eprintln!("only {native} of {hot} loops have run natively where all are recorded at once");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

/// Loops that could have run natively in [`Tier::Native`], and those that did. A reason why not is an excuse for one loop;
/// where most have one, something is wrong.
static HOT: AtomicUsize = AtomicUsize::new(0);
static NATIVE: AtomicUsize = AtomicUsize::new(0);

fn check(path: &Path, configuration: Configuration) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|e| e.to_string())?;
    let expected = Expectation::parse(&text)?;
    let got = run(path, configuration, &expected.arguments, &expected.stdin)?;
    expected.compare(&got)?;
    if !expected.errors.is_empty() {
        return Ok(());
    }
    if let (Tier::Native, Some(statistics)) = (configuration.tier, &got.statistics) {
        HOT.fetch_add(statistics.loops.iter().filter(|each| each.hot()).count(), Ordering::Relaxed);
        NATIVE.fetch_add(statistics.loops.iter().filter(|each| each.has_run_natively()).count(), Ordering::Relaxed);
    }
    configuration.check(&got)
}
