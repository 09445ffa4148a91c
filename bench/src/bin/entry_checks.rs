//! What it costs to evaluate a loop's entry checks, one by one: those of two slices that must not overlap, of a row and a
//! column, and of whatever else is checked in bench/programs.
//!
//!     cargo run --release -p scaly-bench --bin entry_checks
//!
//! In nanoseconds, the least of some rounds.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use scaly::engine::{self, Options};
use scaly::source::SourceFile;
use scaly_interp::program::LoopId;
use scaly_tracer::explain::{Judge, check_in_words};
use scaly_tracer::independence::{Verdict, holds, is_formality};
use scaly_tracer::parameters::Parameters;

const COUNT: u32 = 20_000;

/// The least of some rounds.
fn nanoseconds(run: impl Fn()) -> f64 {
    let round = || {
        let start = Instant::now();
        (0..COUNT).for_each(|_| run());
        start.elapsed().as_nanos() as f64 / f64::from(COUNT)
    };
    (0..30).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let paths = ["tests/scaling/parallel", "bench/programs"].into_iter().flat_map(|folder| {
        let mut found: Vec<_> = fs::read_dir(root.join(folder)).into_iter().flatten().flatten().collect();
        found.sort_by_key(fs::DirEntry::path);
        found
    });
    println!("{:>8}  {:>6}  loop, check", "ns", "checks");
    for entry in paths {
        let Ok(text) = fs::read_to_string(entry.path()) else { continue };
        let name = entry.file_name().display().to_string();
        let Ok(compiled) = engine::compile(SourceFile::new(name, text, false), Options::default()) else { continue };
        let program = &compiled.program;
        let mut judge = Judge::new(program, Parameters::default());
        for id in (0..program.loops.len() as u32).map(LoopId) {
            let span = program.loops[id.0 as usize].span;
            if compiled.sources.file(span.file).library {
                continue;
            }
            let (Ok(region), Verdict::Independent(found)) = judge.judge(id) else { continue };
            if found.checks.is_empty() {
                continue;
            }
            // Slots that make numbers of a usual size.
            let slot = |slot: u16| black_box(u64::from(slot) * 1000 + 100);
            let all = nanoseconds(|| {
                _ = black_box(found.checks.iter().filter(|c| holds(&region, [*c], slot, |_| u64::MAX)).count())
            });
            println!("{all:>8.0}  {:>6}  {}", found.checks.len(), compiled.sources.place(span));
            for check in found.checks.iter().filter(|check| !is_formality(check)) {
                let one = nanoseconds(|| _ = black_box(holds(&region, [check], slot, |_| u64::MAX)));
                println!("{one:>8.0}          {}", check_in_words(program, id, &region, check));
            }
        }
    }
}
