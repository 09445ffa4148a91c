//! Runs a listing under the dependence oracle and prints what it saw of each loop: `cargo run --release --example
//! oracle FILE`.

use std::sync::Arc;

use scaly_interp::interpreter::{Options, World};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("a listing's file is missing")?;
    let program = Arc::new(scaly_interp::dump::parse(&std::fs::read_to_string(file)?)?);
    let start = std::time::Instant::now();
    let report = scaly_interp::oracle::run(program, World::standard(Vec::new()), Options::default(), |_, _| true)?;
    println!();
    for (number, seen) in report.loops.iter().enumerate() {
        let slots: Vec<_> = seen.carried.keys().map(|slot| format!("s{slot}")).collect();
        print!("loop{number}: {} runs, {} iterations, carries [{}]", seen.runs, seen.iterations, slots.join(" "));
        match seen.memory {
            Some(conflict) => println!(", {} conflicts, first: {conflict}", seen.memory_conflicts),
            None => println!(),
        }
    }
    eprintln!("{:.3} s", start.elapsed().as_secs_f64());
    Ok(())
}
