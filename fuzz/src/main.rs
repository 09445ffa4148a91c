//! Random programs against what must hold of them.
//!
//!     cargo run --release -p scaly-fuzz -- --mode run --count 10000
//!
//! `--mode parse|text|run|loops|traces|whole`, `--seed N` (the first one), `--count N`, `--seconds N`, `--keep FOLDER` for the
//! small programs that fail, `--each N` (1) of them for each kind of failure, `--jobs N` (as many as there are cores)
//! processes at once, `--show MODE N` prints the program of a seed and what it must print. Exit status 1 if something failed.
#![deny(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use scaly_fuzz::campaign::{self, Campaign};
use scaly_fuzz::driver::{self, Mode};
use scaly_fuzz::print::print;

type Failure = Box<dyn std::error::Error>;

/// Bytes of stack for the model, which nests as deep as the program that it runs.
const STACK: usize = 256 << 20;

/// A fifth of a campaign's time is glibc's allocator; the command has one of its own, for its one program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let acting = std::thread::Builder::new().stack_size(STACK).spawn(|| act().map_err(|e| e.to_string()));
    match acting.map_err(|e| e.to_string()).and_then(|acting| acting.join().unwrap_or(Err("it panicked".to_string()))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("scaly-fuzz: {error}");
            ExitCode::from(2)
        }
    }
}

fn mode(name: &str) -> Result<Mode, Failure> {
    Mode::by_name(name).ok_or_else(|| format!("there is no mode {name}").into())
}

fn act() -> Result<bool, Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [word, name, first, end, corpus @ ..] if word == "--child" => {
            let corpus: Vec<PathBuf> = corpus.iter().map(PathBuf::from).collect();
            driver::child(mode(name)?, first.parse()?, end.parse()?, &corpus)?;
            return Ok(true);
        }
        [word, name, file] if word == "--one" => {
            driver::one(mode(name)?, file.as_ref())?;
            return Ok(true);
        }
        [word, name, seed] if word == "--show" => {
            let sample = driver::generated(mode(name)?, seed.parse()?).ok_or("this seed gives no program")?;
            println!("{}\n; {:?}", print(&sample.tree), sample.expected.fault);
            for line in sample.expected.output.lines() {
                println!("; | {line}");
            }
            return Ok(true);
        }
        _ => {}
    }
    let mut campaign = Campaign {
        mode: Mode::Run,
        seeds: 0..u64::MAX,
        time: None,
        keep: PathBuf::from("tests/lang/bugs"),
        each: 1,
        jobs: std::thread::available_parallelism()?.get(),
        corpus: Vec::new(),
    };
    let (mut first, mut count) = (0, None);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        use lexopt::prelude::*;
        match argument {
            Long("mode") => campaign.mode = mode(&parser.value()?.string()?)?,
            Long("seed") => first = parser.value()?.parse()?,
            Long("count") => count = Some(parser.value()?.parse::<u64>()?),
            Long("seconds") => campaign.time = Some(Duration::from_secs(parser.value()?.parse()?)),
            Long("each") => campaign.each = parser.value()?.parse()?,
            Long("jobs") => campaign.jobs = parser.value()?.parse_with(at_least_one)?,
            Long("keep") => campaign.keep = parser.value()?.into(),
            other => return Err(other.unexpected().into()),
        }
    }
    let count = count.unwrap_or(if campaign.time.is_some() { u64::MAX / 2 } else { 1000 });
    campaign.seeds = first..first.saturating_add(count);
    if campaign.mode == Mode::Text {
        campaign.corpus = programs("tests/lang".as_ref());
        campaign.corpus.extend(programs("examples".as_ref()));
    }
    let report = campaign::run(&campaign)?;
    for (kind, (count, seed)) in &report.failures {
        println!("{count:>8} times from seed {seed}: {kind}");
    }
    if report.idle {
        println!("native code was hardly entered");
    }
    Ok(report.passed())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("{text} is no number of jobs: write 1 or more")),
        Ok(jobs) => Ok(jobs),
    }
}

fn programs(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(programs(&path));
        } else if path.extension().is_some_and(|e| e == "scaly") {
            found.push(path);
        }
    }
    found.sort();
    found
}
