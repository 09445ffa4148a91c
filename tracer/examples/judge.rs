//! Judges the loops of a listing: `cargo run --example judge FILE [regions]`.

use scaly_interp::program::LoopId;
use scaly_tracer::explain::{Judge, judge};
use scaly_tracer::parameters::Parameters;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("a listing's file is missing")?;
    let program = scaly_interp::dump::parse(&std::fs::read_to_string(file)?)?;
    if std::env::args().nth(2).is_some() {
        let mut judge = Judge::new(&program, Parameters::default());
        for id in (0..program.loops.len() as u32).map(LoopId) {
            match judge.judge(id).0 {
                Ok(region) => println!("; {id}\n{region}"),
                Err(open) => println!("; {open}"),
            }
        }
    }
    for report in judge(&program) {
        println!("{} in {}: {}", report.id, program.function(report.function).name, report.headline());
        for note in report.notes(&program) {
            println!("  {}", note.text);
        }
    }
    Ok(())
}
