//! Verdicts on the loops of all language tests, of programs that test loops on all cores, examples and benchmarks against
//! the dependence oracle.
//!
//! No loop that is called independent has a conflict in a run that passes its entry checks; there is room for what it
//! appends, made as a run on all cores makes it. Loops that the oracle finds
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
use scaly_tracer::independence::{EntryCheck, Verdict, covers, holds};
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
    /// Independent, and they append to arrays; had the room for that and passed the other checks.
    appending: u32,
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
        let mut roomless = Vec::new();
        let report =
            oracle::run(program.clone(), world, Options::default(), |id, frame| match &judged[id.0 as usize] {
                (Some(region), Verdict::Independent(found)) => {
                    let covered = covers(program, region, found, frame);
                    let rooms = found.checks.iter().filter(|check| matches!(check, EntryCheck::Room { .. }));
                    if !holds(region, rooms, |slot| frame.slot(slot), |block| frame.capacity(block)) {
                        roomless.push(id);
                    }
                    covered
                }
                _ => true,
            });
        assert_eq!(roomless, [], "{name}: there is memory for what these loops append");
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
                        self.appending += u32::from(!found.rooms.is_empty() && seen.longest >= 3);
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

    /// The programs of a folder of tests.
    fn add_folder(&mut self, folder: &str) {
        for path in programs(&root().join("tests").join(folder)) {
            let text = fs::read_to_string(&path).unwrap();
            let Ok(expected) = Expectation::parse_beside(&text, SCALING_WORDS) else { continue };
            // What reads standard input waits for nothing here.
            let Some(compiled) = compile(&path, &text).filter(|_| expected.stdin.is_empty()) else { continue };
            self.add(&path.display().to_string(), &compiled, expected.arguments);
        }
    }

    fn tell(&mut self, of: &str) {
        if std::env::var("SCALY_LIST").is_ok() {
            self.listed.iter().for_each(|line| println!("{line}"));
        }
        self.listed.clear();
        println!("{of}: {self:#?}");
    }
}

/// Header words of `tests/scaling.rs`.
const SCALING_WORDS: &[&str] = &["parallel", "serial", "advice", "alone", "each"];

fn compile(path: &Path, text: &str) -> Option<Compiled> {
    let name = path.strip_prefix(root()).unwrap_or(path).display().to_string();
    engine::compile(SourceFile::new(name, text, false), engine::Options::default()).ok()
}

#[test]
fn no_verdict_against_the_oracle() {
    let mut tally = Tally::default();
    tally.add_folder("lang");
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
    tally.tell("tests/lang, examples");
    assert!(tally.closed * 5 >= tally.without_io * 4, "{tally:?}");
    assert!((tally.free - tally.independent) * 5 <= tally.free, "{tally:?}");
    assert!(tally.appending > 0, "{tally:?}");
}

/// Of the programs whose loops run on all cores in tests, ends by errors within one included. Some are serial on purpose,
/// so there is no target.
#[test]
fn no_verdict_against_the_oracle_where_loops_are_divided() {
    let mut tally = Tally::default();
    for folder in ["errors", "pairs", "parallel", "serial", "spellings"] {
        tally.add_folder(&format!("scaling/{folder}"));
    }
    tally.tell("tests/scaling");
    assert!(tally.appending > 0, "{tally:?}");
}
