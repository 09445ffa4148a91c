//! Runs a listing and says on standard error how long it took: `cargo run --release --example listing FILE [times]`.

use std::sync::Arc;
use std::time::Instant;

use scaly_interp::interpreter::{Ended, Options, World, run};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("a listing's file is missing")?;
    let times: u32 = arguments.next().map_or(Ok(1), |n| n.parse())?;
    let program = Arc::new(scaly_interp::dump::parse(&std::fs::read_to_string(file)?)?);
    let mut best = f64::INFINITY;
    for _ in 0..times {
        let start = Instant::now();
        let finished = run(program.clone(), World::standard(Vec::new()), Options::default())?;
        best = best.min(start.elapsed().as_secs_f64());
        println!();
        if let Ended::Error(error) = finished.ended {
            eprintln!("{}: {error}", error.pc);
        }
    }
    eprintln!("{best:.4} s");
    Ok(())
}
