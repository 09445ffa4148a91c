//! What is done beside the program before a loop can be compiled, step by step, for each loop of bench/programs: what it
//! calls is summed up and its iterations are judged, its paths are followed, and it is lowered.
//!
//!     cargo run --release -p scaly-bench --bin analysis [ROUNDS]
//!
//! Each loop alone, as if it were the first; in microseconds, the least of the rounds. Under valgrind, with one round:
//! `valgrind --tool=callgrind --toggle-collect='*beside_the_program*'` counts the instructions of all of them together.

use std::fs;
use std::path::Path;
use std::time::Instant;

use scaly::engine::{self, Options};
use scaly::source::SourceFile;
use scaly_backends::lower::{Addresses, Context, lower};
use scaly_interp::program::{LoopId, Program};
use scaly_tracer::effects;
use scaly_tracer::explain::Judge;
use scaly_tracer::manager::Profile;
use scaly_tracer::parameters::Parameters;
use scaly_tracer::walker::Walker;

const STEPS: usize = 4;

/// Microseconds by step.
#[inline(never)]
fn beside_the_program(program: &Program, addresses: &Addresses, id: LoopId) -> [f64; STEPS] {
    let parameters = Parameters::default();
    let mut last = Instant::now();
    let mut took = || std::mem::replace(&mut last, Instant::now()).elapsed().as_secs_f64() * 1e6;
    let waits = effects::waits(program);
    let waiting = took();
    let _ = Judge::new(program, parameters).judge(id);
    let judging = took();
    let region = Walker::new(program, parameters).keeping().walk(id);
    let following = took();
    if let Ok(region) = region {
        let _ = lower(
            &region,
            Context { program, addresses, waits: &waits, parameters, profile: &Profile::default() },
            "loop",
        );
    }
    [waiting, judging, following, took()]
}

fn main() {
    let rounds: u32 = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(10);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs");
    let mut paths: Vec<_> = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    println!("{:>6} {:>6} {:>6} {:>6}  loop", "waits", "judge", "walk", "lower");
    let (mut totals, mut loops) = ([0.0; STEPS], 0);
    for path in paths {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let name = path.file_name().unwrap_or_default().display().to_string();
        let Ok(compiled) = engine::compile(SourceFile::new(name, text, false), Options::default()) else { continue };
        let program = &compiled.program;
        let addresses = Addresses { texts: vec![0; program.texts.len()], globals: 0 };
        for id in (0..program.loops.len() as u32).map(LoopId) {
            let span = program.loops[id.0 as usize].span;
            if compiled.sources.file(span.file).library {
                continue;
            }
            let mut least = [f64::INFINITY; STEPS];
            for _ in 0..rounds {
                let took = beside_the_program(program, &addresses, id);
                least.iter_mut().zip(took).for_each(|(least, took)| *least = least.min(took));
            }
            totals.iter_mut().zip(least).for_each(|(total, took)| *total += took);
            loops += 1;
            let cells: Vec<String> = least.iter().map(|us| format!("{us:>6.0}")).collect();
            println!("{}  {}", cells.join(" "), compiled.sources.place(span));
        }
    }
    let cells: Vec<String> = totals.iter().map(|us| format!("{:>6.0}", us / f64::from(loops.max(1)))).collect();
    println!("{}  on average, {loops} loops", cells.join(" "));
}
