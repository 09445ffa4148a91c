//! Runs every program under `tests/lang` in every tier configuration. See `tests/README.md`.

mod common;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use common::expectation::Expectation;
use common::{CONFIGURATIONS, Configuration, programs, root, run};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = root().join("tests/lang");
    let mut trials = Vec::new();
    for path in programs(&folder) {
        let name = path.strip_prefix(&folder).unwrap_or(&path).with_extension("").display().to_string();
        for &configuration in CONFIGURATIONS {
            let path = path.clone();
            trials.push(Trial::test(format!("{name} [{}]", configuration.name), move || {
                check(&path, configuration).map_err(Failed::from)
            }));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn check(path: &Path, configuration: Configuration) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|e| e.to_string())?;
    let expected = Expectation::parse(&text)?;
    let got = run(path, configuration, &expected.arguments, &expected.stdin)?;
    expected.compare(&got)?;
    // A program with errors does not run.
    if expected.errors.is_empty() { configuration.check(&got) } else { Ok(()) }
}
