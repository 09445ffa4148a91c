//! Runs seeds in a process of their own, and makes what fails there small.
//!
//! A program under test can take this process down, or never end: so seeds run in a child that says which one it is at.
//! The parent starts the next child behind a seed that crashed or hung.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::check::{self, Expected, Failure, Verdict};
use crate::choice::Choices;
use crate::evaluate::Limits;
use crate::generate::{Sample, Style, sample};
use crate::print::print;
use crate::traces::{self, Stage, Tally};
use crate::tree::Program;
use crate::{evaluate, garbage, generate, loops, reduce};

/// What is tested with each seed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Programs parse, and print as the same tree.
    Parse,
    /// Almost-programs do not disturb the front end.
    Text,
    /// Programs do what the model says.
    Run,
    /// Verdicts on loops agree with the dependence oracle.
    Loops,
    /// Native traces do what the interpreter does.
    Traces,
    /// The same, and so do loops that are compiled whole: LLVM takes twenty times as long for a program as all else.
    Whole,
}

impl Mode {
    pub fn by_name(name: &str) -> Option<Mode> {
        [Mode::Parse, Mode::Text, Mode::Run, Mode::Loops, Mode::Traces, Mode::Whole]
            .into_iter()
            .find(|m| m.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Mode::Parse => "parse",
            Mode::Text => "text",
            Mode::Run => "run",
            Mode::Loops => "loops",
            Mode::Traces => "traces",
            Mode::Whole => "whole",
        }
    }

    /// Whether the compiled code is tested, against the interpreter.
    fn native(self) -> bool {
        matches!(self, Mode::Traces | Mode::Whole)
    }
}

/// Longer than any sample takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(10);

/// How often a failing sample is tried in a smaller form.
const TRIES: usize = 3000;

/// Seeds between two reports of what was counted.
const BATCH: u64 = 64;

/// What to run.
#[derive(Clone, Debug)]
pub struct Campaign {
    pub mode: Mode,
    pub seeds: std::ops::Range<u64>,
    pub time: Option<Duration>,
    /// Where small failing programs are written.
    pub keep: PathBuf,
    /// How many of each kind of failure are made small.
    pub each: u64,
    /// Programs that almost-programs are made of, beside generated ones.
    pub corpus: Vec<PathBuf>,
}

fn style(mode: Mode, seed: u64) -> Style {
    Style {
        loops: seed.is_multiple_of(4),
        faults: seed.is_multiple_of(3),
        hot: mode.native() && !seed.is_multiple_of(5),
    }
}

/// What the model may do for a program.
fn limits(mode: Mode) -> Limits {
    match mode {
        // Only to know that it ends soon: the interpreter says how.
        Mode::Traces | Mode::Whole => Limits { steps: 20_000, depth: 700, exhausts: true },
        _ => generate::LIMITS,
    }
}

/// The program of a seed, if the model accepts it.
pub fn generated(mode: Mode, seed: u64) -> Option<Sample> {
    sample(Choices::seeded(seed), style(mode, seed), limits(mode)).ok()
}

/// The text that a seed tests in text mode.
fn disturbed(seed: u64, corpus: &[PathBuf]) -> String {
    let mut choices = Choices::seeded(seed ^ 0x5EED_0000_0000);
    let text = if !corpus.is_empty() && choices.chance(60) {
        std::fs::read_to_string(choices.pick(corpus)).unwrap_or_default()
    } else {
        print(&generate::program(Choices::seeded(seed), style(Mode::Text, seed)))
    };
    garbage::mutate(&text, &mut choices)
}

fn expected(sample: &evaluate::Outcome) -> Expected {
    Expected { output: sample.output.clone(), fault: sample.fault }
}

/// In the child: tests one seed after the other, and says so.
pub fn child(mode: Mode, first: u64, end: u64, corpus: &[PathBuf]) -> io::Result<()> {
    let mut out = io::stdout();
    let mut tally = Tally::default();
    for seed in first..end {
        if mode.native() && seed.is_multiple_of(BATCH) {
            writeln!(out, "tally {tally}")?;
            tally = Tally::default();
        }
        writeln!(out, "seed {seed}")?;
        out.flush()?;
        let verdict =
            check::guarded(|| match mode {
                Mode::Text => check::survives_checking(&disturbed(seed, corpus)),
                Mode::Parse => generated(mode, seed).map_or(Verdict::Pass, |s| check::parses(&print(&s.tree))),
                Mode::Run => generated(mode, seed)
                    .map_or(Verdict::Pass, |s| check::runs(&print(&s.tree), &expected(&s.expected))),
                Mode::Loops => generated(mode, seed)
                    .map_or(Verdict::Pass, |s| loops::judged(&print(&s.tree), &expected(&s.expected))),
                Mode::Traces | Mode::Whole => {
                    let start = traces::processor_time();
                    let sample = generated(mode, seed);
                    tally.time("making", start);
                    let mut stage = |stage: Stage| drop(writeln!(out, "stage {}", stage.name()).and(out.flush()));
                    sample.map_or(Verdict::Pass, |s| {
                        traces::agree(&print(&s.tree), seed, mode == Mode::Whole, &mut tally, &mut stage)
                    })
                }
            });
        if let Verdict::Fail(Failure { kind, .. }) = verdict {
            writeln!(out, "fail {kind}")?;
            out.flush()?;
        }
    }
    writeln!(out, "tally {tally}\ndone")
}

/// In a child of its own: tests one file against the expectation beside it, and tells all.
pub fn one(mode: Mode, file: &Path) -> io::Result<()> {
    let text = std::fs::read_to_string(file)?;
    let wanted = std::fs::read_to_string(file.with_extension("expected")).unwrap_or_default();
    let verdict = check::guarded(|| match mode {
        Mode::Text => check::survives_checking(&text),
        Mode::Parse => check::parses(&text),
        Mode::Run | Mode::Loops => {
            let (fault, output) = wanted.split_once('\n').unwrap_or(("", ""));
            let fault = scaly_interp::machine::Fault::ALL.into_iter().find(|f| format!("{f:?}") == fault);
            let expected = Expected { output: output.to_string(), fault };
            if mode == Mode::Run { check::runs(&text, &expected) } else { loops::judged(&text, &expected) }
        }
        Mode::Traces | Mode::Whole => {
            let seed = wanted.trim().parse().unwrap_or(0);
            traces::agree(&text, seed, mode == Mode::Whole, &mut Tally::default(), &mut |_| {})
        }
    });
    match verdict {
        Verdict::Pass => println!("pass"),
        Verdict::Fail(failure) => println!("fail {}\n{}", failure.kind, failure.detail),
    }
    Ok(())
}

/// This program with little memory.
fn limited(arguments: &[&str]) -> io::Result<Command> {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 6000000; exec \"$0\" \"$@\""]);
    command.arg(std::env::current_exe()?).args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
    Ok(command)
}

/// What a campaign came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// The kinds of failures, how often each came, and the first seed.
    pub failures: BTreeMap<String, (u64, u64)>,
    /// Whether native code ran where it was to be tested.
    pub idle: bool,
}

impl Report {
    pub fn passed(&self) -> bool {
        self.failures.is_empty() && !self.idle
    }
}

/// Runs a campaign.
pub fn run(campaign: &Campaign) -> io::Result<Report> {
    let start = Instant::now();
    // What making programs small takes is no time of the test.
    let mut reducing = Duration::ZERO;
    let mut failures = BTreeMap::new();
    let mut tally = Tally::default();
    let mut seed = campaign.seeds.start;
    let mut tested = 0;
    while seed < campaign.seeds.end && campaign.time.is_none_or(|t| start.elapsed() < t) {
        let (first, end) = (seed.to_string(), campaign.seeds.end.to_string());
        let mut command = limited(&["--child", campaign.mode.name(), &first, &end])?;
        let mut process = command.args(&campaign.corpus).stdout(Stdio::piped()).spawn()?;
        let (send, lines) = mpsc::channel();
        let output = process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let (mut at, mut interpreting) = (seed, false);
        loop {
            if campaign.time.is_some_and(|t| start.elapsed() >= t) {
                seed = campaign.seeds.end;
                break;
            }
            match lines.recv_timeout(LIMIT) {
                Ok(line) => match line.split_once(' ') {
                    Some(("seed", number)) => {
                        (at, interpreting) = (number.parse().unwrap_or(at), false);
                        tested += 1;
                    }
                    Some(("stage", name)) => interpreting = name == Stage::Interpreting.name(),
                    Some(("tally", counts)) => tally.read(counts),
                    Some(("fail", kind)) => reducing += failed(campaign, &mut failures, at, kind)?,
                    _ => {
                        seed = campaign.seeds.end;
                        break;
                    }
                },
                Err(mpsc::RecvTimeoutError::Timeout) if interpreting => {
                    tally.add("endless", 1);
                    seed = at + 1;
                    break;
                }
                Err(error) => {
                    let kind = if error == mpsc::RecvTimeoutError::Timeout { "hangs" } else { "crashes" };
                    reducing += failed(campaign, &mut failures, at, kind)?;
                    seed = at + 1;
                    break;
                }
            }
        }
        let _ = process.kill();
        process.wait()?;
    }
    println!("{} seeds, {:.0} s", tested, start.elapsed().as_secs_f64());
    if campaign.mode.native() {
        println!("{}", tally.report((start.elapsed() - reducing).as_secs_f64()));
    }
    Ok(Report { failures, idle: !tally.enters() })
}

/// Notes a failure, and writes a small program for it; gives the time that took.
fn failed(
    campaign: &Campaign,
    failures: &mut BTreeMap<String, (u64, u64)>,
    seed: u64,
    kind: &str,
) -> io::Result<Duration> {
    let start = Instant::now();
    let entry = failures.entry(kind.to_string()).or_insert((0, seed));
    entry.0 += 1;
    if entry.0 <= campaign.each {
        println!("seed {seed}: {kind}");
        let path = minimize(campaign, seed, kind)?;
        println!("  {}", path.display());
    }
    Ok(start.elapsed())
}

/// Writes the smallest form of a seed's failure that is found.
fn minimize(campaign: &Campaign, seed: u64, kind: &str) -> io::Result<PathBuf> {
    std::fs::create_dir_all(&campaign.keep)?;
    let trial = std::env::temp_dir().join(format!("scaly-fuzz-{}.scaly", std::process::id()));
    let path = campaign.keep.join(format!("{}_{seed}.scaly", campaign.mode.name()));
    let mode = campaign.mode;
    // A hang takes long to be seen.
    let tries = if kind == "hangs" { 100 } else { TRIES };
    let (text, wanted) = if mode == Mode::Text {
        let text = reduce::reduce_text(&disturbed(seed, &campaign.corpus), tries, &mut |text| {
            verdict(mode, &trial, text, &Wanted::Nothing).is_ok_and(|(found, _)| found == kind)
        });
        (text, Wanted::Nothing)
    } else {
        let Some(sample) = generated(mode, seed) else { return Ok(path) };
        let small = reduce::reduce(&sample.tree, tries, &mut |tree| {
            let Some((text, wanted)) = described(mode, seed, tree) else { return false };
            verdict(mode, &trial, &text, &wanted).is_ok_and(|(found, _)| found == kind)
        });
        described(mode, seed, &small).unwrap_or_else(|| (print(&small), Wanted::Nothing))
    };
    let (_, detail) = verdict(mode, &trial, &text, &wanted)?;
    for line in text.lines().take(40) {
        println!("    {line}");
    }
    for line in detail.lines().take(20) {
        println!("  > {line}");
    }
    let mut header = format!("; Found by the fuzzer with seed {seed}: {}.\n", kind.replace(':', ","));
    match &wanted {
        Wanted::Nothing => {}
        Wanted::Outcome(expected) => header += &output_lines(&expected.output),
        Wanted::Agreement(seed) => header += &traces::header(&text, *seed, mode == Mode::Whole),
    }
    std::fs::write(&path, header + "\n" + &text)?;
    Ok(path)
}

/// What a text is tested against.
enum Wanted {
    Nothing,
    Outcome(Expected),
    /// Of all ways to run it that come of this seed.
    Agreement(u64),
}

impl Wanted {
    /// As it stands in the file beside the program.
    fn text(&self) -> String {
        match self {
            Wanted::Nothing => String::new(),
            Wanted::Outcome(expected) => {
                let fault = expected.fault.map_or("-".to_string(), |f| format!("{f:?}"));
                format!("{fault}\n{}", expected.output)
            }
            Wanted::Agreement(seed) => seed.to_string(),
        }
    }
}

fn described(mode: Mode, seed: u64, tree: &Program) -> Option<(String, Wanted)> {
    let outcome = evaluate::evaluate(tree, limits(mode)).ok()?;
    let wanted = if mode.native() { Wanted::Agreement(seed) } else { Wanted::Outcome(expected(&outcome)) };
    Some((print(tree), wanted))
}

/// Output in the header comment of a language test.
pub fn output_lines(output: &str) -> String {
    let lines: String = output.lines().map(|line| format!("; | {line}\n")).collect();
    if lines.is_empty() { lines } else { format!("; output:\n{lines}") }
}

/// What a child says of a text: the kind of its failure, empty if it passes, and details.
fn verdict(mode: Mode, file: &Path, text: &str, wanted: &Wanted) -> io::Result<(String, String)> {
    std::fs::write(file, text)?;
    std::fs::write(file.with_extension("expected"), wanted.text())?;
    let file = file.display().to_string();
    let mut process = limited(&["--one", mode.name(), &file])?.stdout(Stdio::piped()).spawn()?;
    let output = process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let (send, done) = mpsc::channel();
    std::thread::spawn(move || {
        let text = io::read_to_string(output).unwrap_or_default();
        let _ = send.send(text);
    });
    let text = done.recv_timeout(LIMIT);
    let _ = process.kill();
    process.wait()?;
    Ok(match text {
        Err(_) => ("hangs".to_string(), String::new()),
        Ok(text) => match text.split_once('\n') {
            Some((line, detail)) if line.starts_with("fail ") => (line[5..].to_string(), detail.to_string()),
            Some(("pass", _)) => (String::new(), String::new()),
            _ => ("crashes".to_string(), text),
        },
    })
}
