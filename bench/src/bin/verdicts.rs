//! What the limits of the static analysis are worth: loops of all language tests, examples and benchmarks that close, and
//! that are independent, by value of each limit.
//!
//!     cargo run --release -p scaly-bench --bin verdicts [NAME[=VALUE,…]…]
//!
//! The time is that of judging all loops, the least of three.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use scaly::engine::{self, Options};
use scaly::source::SourceFile;
use scaly_interp::program::{LoopId, Program};
use scaly_tracer::explain::Judge;
use scaly_tracer::parameters::{Parameter, Parameters};

const VALUES: &[(&str, &[u32])] = &[
    ("region_instructions", &[250, 500, 1000, 4000, 16_000]),
    ("region_depth", &[2, 4, 6, 8, 24]),
    ("region_inline", &[20, 60, 150, 300, 1200, 5000]),
    ("region_inline_small", &[0, 20, 120, 300]),
    ("address_steps", &[1, 2, 3, 4, 10, 20]),
    ("polynomial_terms", &[2, 4, 8, 12, 48, 100]),
];

fn programs(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() {
            programs(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "scaly") {
            found.push(path);
        }
    }
}

fn compiled() -> Vec<Arc<Program>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut paths = Vec::new();
    for folder in ["tests/lang", "examples", "bench/programs"] {
        programs(&root.join(folder), &mut paths);
    }
    paths.sort();
    let compile = |path: &PathBuf| {
        let text = fs::read_to_string(path).ok()?;
        let name = path.display().to_string();
        Some(engine::compile(SourceFile::new(name, text, false), Options::default()).ok()?.program)
    };
    paths.iter().filter_map(compile).collect()
}

fn row(name: &str, value: u32, parameters: Parameters, programs: &[Arc<Program>]) {
    let (mut closed, mut independent, mut least) = (0, 0, f64::INFINITY);
    for _ in 0..3 {
        let start = Instant::now();
        (closed, independent) = (0, 0);
        for program in programs {
            let mut judge = Judge::new(program, parameters);
            for id in 0..program.loops.len() as u32 {
                let (region, verdict) = judge.judge(LoopId(id));
                closed += u32::from(region.is_ok());
                independent += u32::from(verdict.is_independent());
            }
        }
        least = least.min(start.elapsed().as_secs_f64());
    }
    println!("{name:<20} {value:>6} {closed:>7} {independent:>12} {:>9.0}", least * 1000.0);
}

fn main() {
    let programs = compiled();
    let loops: usize = programs.iter().map(|program| program.loops.len()).sum();
    println!("{} programs, {loops} loops", programs.len());
    println!("{:<20} {:>6} {:>7} {:>12} {:>9}", "limit", "value", "closed", "independent", "ms");
    row("default", 0, Parameters::default(), &programs);
    let asked: Vec<String> = std::env::args().skip(1).collect();
    for &(name, values) in VALUES {
        let given = asked.iter().find(|word| word.split('=').next() == Some(name));
        if !asked.is_empty() && given.is_none() {
            continue;
        }
        let chosen: Vec<u32> = match given.and_then(|word| word.split_once('=')) {
            Some((_, list)) => list.split(',').filter_map(|value| value.parse().ok()).collect(),
            None => values.to_vec(),
        };
        for value in chosen {
            let mut parameters = Parameters::default();
            match parameters.set(&format!("{name}={value}")) {
                Ok(Parameter { name, .. }) => row(name, value, parameters, &programs),
                Err(error) => eprintln!("{error}"),
            }
        }
    }
}
