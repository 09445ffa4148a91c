//! Verdicts on the loops of all language tests, examples and benchmarks against the dependence oracle.
//!
//! No loop that is called independent has a conflict in a run that passes its entry checks. Loops that the oracle finds
//! free and that are called serial are counted by their reason, and listed with `SCALY_LIST=1`:
//! `SCALY_LIST=1 cargo test --test independence -- --nocapture`. The targets: four fifths of the loops without I/O close,
//! at most a fifth of the free ones is called serial.

mod common;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;

use common::expectation::Expectation;
use common::{programs, root};
use scaly::engine::{self, Compiled};
use scaly::source::SourceFile;
use scaly_interp::interpreter::{Options, World};
use scaly_interp::oracle;
use scaly_interp::program::LoopId;
use scaly_runtime::console::{Input, Output};
use scaly_tracer::explain::Judge;
use scaly_tracer::independence::{Verdict, holds};
use scaly_tracer::parameters::Parameters;
use scaly_tracer::region::Region;

#[derive(Default, Debug)]
struct Tally {
    programs: u32,
    loops: u32,
    without_io: u32,
    closed: u32,
    /// Ran at least three iterations and were free.
    free: u32,
    independent: u32,
    /// Independent, but a run failed an entry check.
    failed_check: u32,
    serial: BTreeMap<&'static str, u32>,
    listed: Vec<String>,
}

impl Tally {
    fn add(&mut self, name: &str, compiled: &Compiled, arguments: Vec<String>) {
        let program = &compiled.program;
        let mut judge = Judge::new(program, Parameters::default());
        let ids = (0..program.loops.len() as u32).map(LoopId);
        let judged: Vec<(Option<Region>, Verdict)> = ids
            .map(|id| {
                let (region, verdict) = judge.judge(id);
                (region.ok(), verdict)
            })
            .collect();
        for region in judged.iter().filter_map(|(region, _)| region.as_ref()) {
            assert_eq!(region.verify(), Ok(()), "{name}\n{region}");
        }
        let nothing = File::options().read(true).write(true).open("/dev/null").unwrap();
        let world =
            World { output: Output::new(nothing.as_raw_fd()), input: Input::new(nothing.as_raw_fd()), arguments };
        let report =
            oracle::run(program.clone(), world, Options::default(), |id, frame| match &judged[id.0 as usize] {
                (Some(region), Verdict::Independent(found)) => {
                    holds(region, &found.checks, |slot| frame.slot(slot), |block| frame.capacity(block))
                }
                _ => true,
            });
        let report = match report {
            Ok(report) => report,
            Err(error) => panic!("{name}: {error}"),
        };
        self.programs += 1;
        for (i, (region, verdict)) in judged.iter().enumerate() {
            let span = program.loops[i].span;
            // The library's loops are judged where they are used as well.
            if compiled.sources.file(span.file).library {
                continue;
            }
            let place = compiled.sources.place(span);
            let (seen, refused) = (&report.loops[i], &report.refused[i]);
            let external = matches!(verdict, Verdict::Serial(all) if all.iter().any(|r| r.external()));
            self.loops += 1;
            self.without_io += u32::from(!external);
            self.closed += u32::from(!external && region.is_some());
            let free = |s: &oracle::Seen| s.free() && s.left_early == 0;
            match verdict {
                Verdict::Independent(found) => {
                    let known: Vec<u16> = found.known_slots().collect();
                    let obstacle = seen.obstacle(|slot| known.contains(&slot));
                    assert_eq!(obstacle, None, "{name} {place} is called independent: {found:?}");
                    if seen.longest.max(refused.longest) >= 3 {
                        self.free += 1;
                        self.independent += 1;
                        if refused.runs > 0 && free(refused) {
                            self.failed_check += 1;
                            self.listed.push(format!("{place} failed a check of {:?}", found.checks));
                        }
                    }
                }
                Verdict::Serial(refusals) if seen.longest >= 3 && free(seen) => {
                    self.free += 1;
                    *self.serial.entry(refusals[0].name()).or_default() += 1;
                    let reasons: Vec<String> = refusals.iter().map(|r| r.text()).collect();
                    self.listed.push(format!("{place} {}: {}", refusals[0].name(), reasons.join("; ")));
                }
                Verdict::Serial(_) => {}
            }
        }
    }
}

fn compile(path: &Path, text: &str) -> Option<Compiled> {
    let name = path.strip_prefix(root()).unwrap_or(path).display().to_string();
    engine::compile(SourceFile::new(name, text, false), engine::Options::default()).ok()
}

#[test]
fn no_verdict_against_the_oracle() {
    let mut tally = Tally::default();
    for path in programs(&root().join("tests/lang")) {
        let text = fs::read_to_string(&path).unwrap();
        let Ok(expected) = Expectation::parse(&text) else { continue };
        // What reads standard input waits for nothing here.
        let Some(compiled) = compile(&path, &text).filter(|_| expected.stdin.is_empty()) else { continue };
        tally.add(&path.display().to_string(), &compiled, expected.arguments);
    }
    let scratch = std::env::temp_dir().join(format!("scaly-independence-{}.png", std::process::id()));
    let image = scratch.display().to_string();
    for (name, arguments) in [
        ("mandelbrot", vec!["24", "20", &image]),
        ("matmul", vec!["12"]),
        ("nbody", vec!["10"]),
        ("nqueens", vec!["5"]),
        ("raytracer", vec!["24", "18", &image]),
        ("report", vec![]),
        ("sieve", vec!["500"]),
        ("spectral_norm", vec!["12"]),
        ("wordcount", vec![]),
    ] {
        let path = root().join("examples").join(name).with_extension("scaly");
        let text = fs::read_to_string(&path).unwrap();
        let Some(compiled) = compile(&path, &text) else { panic!("{name} does not compile") };
        tally.add(name, &compiled, arguments.into_iter().map(str::to_string).collect());
    }
    let _ = fs::remove_file(scratch);
    if std::env::var("SCALY_LIST").is_ok() {
        tally.listed.iter().for_each(|line| println!("{line}"));
    }
    tally.listed.clear();
    println!("{tally:#?}");
    assert!(tally.closed * 5 >= tally.without_io * 4, "{tally:?}");
    assert!((tally.free - tally.independent) * 5 <= tally.free, "{tally:?}");
}
