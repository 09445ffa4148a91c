//! What is tested with a seed, in a child that says which one it is at.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::check::{self, Expected, Failure, Verdict};
use crate::choice::Choices;
use crate::evaluate::Limits;
use crate::generate::{Sample, Style, sample};
use crate::print::print;
use crate::traces::{self, Stage, Tally};
use crate::{evaluate, garbage, generate, loops};

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
    pub fn native(self) -> bool {
        matches!(self, Mode::Traces | Mode::Whole)
    }
}

/// Seeds between two reports of what was counted.
const BATCH: u64 = 64;

fn style(mode: Mode, seed: u64) -> Style {
    Style {
        // What is compiled whole is loops, and takes long.
        loops: seed.is_multiple_of(if mode == Mode::Whole { 2 } else { 4 }),
        faults: seed.is_multiple_of(3),
        hot: mode.native() && !seed.is_multiple_of(5),
    }
}

/// What the model may do for a program.
pub fn limits(mode: Mode) -> Limits {
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
pub fn disturbed(seed: u64, corpus: &[PathBuf]) -> String {
    let mut choices = Choices::seeded(seed ^ 0x5EED_0000_0000);
    let text = if !corpus.is_empty() && choices.chance(60) {
        std::fs::read_to_string(choices.pick(corpus)).unwrap_or_default()
    } else {
        print(&generate::program(Choices::seeded(seed), style(Mode::Text, seed)))
    };
    garbage::mutate(&text, &mut choices)
}

pub fn expected(sample: &evaluate::Outcome) -> Expected {
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
