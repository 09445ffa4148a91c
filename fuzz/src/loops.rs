//! The verdicts on a program's loops against the dependence oracle, and the regions against their verifier.

use std::sync::Arc;

use scaly_interp::interpreter::{Ended, Options};
use scaly_interp::oracle;
use scaly_interp::program::{LoopId, Program};
use scaly_runtime::memory::{MemoryOptions, RegionMode};
use scaly_tracer::explain::Judge;
use scaly_tracer::independence::{Verdict as Judgement, covers};
use scaly_tracer::parameters::Parameters;
use scaly_tracer::region::Region;

use crate::check::{Expected, Verdict, shape};
use crate::program::{self, Caught};

/// No loop that is called independent has a conflict; every region verifies and reads back from its text; the program
/// under the oracle does what is expected.
pub fn judged(text: &str, expected: &Expected) -> Verdict {
    match program::compile("fuzz.scaly", text) {
        Ok(compiled) => judged_image(&compiled.program, expected),
        // Other modes say so.
        Err(_) => Verdict::Pass,
    }
}

fn judged_image(image: &Arc<Program>, expected: &Expected) -> Verdict {
    // Sums of floats in order are no obstacle, however cheap their terms are.
    let mut judge = Judge::new(image, Parameters { dear: 0, ..Parameters::default() });
    let verdicts: Vec<(Option<Region>, Judgement)> = (0..image.loops.len() as u32)
        .map(|id| {
            let (region, verdict) = judge.judge(LoopId(id));
            (region.ok(), verdict)
        })
        .collect();
    for (id, (region, _)) in verdicts.iter().enumerate() {
        let Some(region) = region else { continue };
        if let Err(error) = region.verify() {
            return Verdict::fail(
                format!("invalid region: {}", shape(&error.to_string())),
                format!("loop{id}: {error}"),
            );
        }
        match region.to_string().parse::<Region>() {
            Ok(again) if again == *region => {}
            Ok(_) => return Verdict::fail("a region reads back as another one", region.to_string()),
            Err(error) => return Verdict::fail("a region does not read back", error.to_string()),
        }
    }
    let caught = match Caught::new("") {
        Ok(caught) => caught,
        Err(error) => return Verdict::fail("no file for output", error.to_string()),
    };
    let options = Options {
        memory: MemoryOptions { mode: RegionMode::Reuse, limit: Some(program::MEMORY) },
        stack_slots: Some(1 << 20),
    };
    let watcher = |id: LoopId, frame: &mut oracle::Frame<'_>| match &verdicts[id.0 as usize] {
        (Some(region), Judgement::Independent(found)) => covers(image, region, found, frame),
        _ => true,
    };
    let report = match oracle::run(image.clone(), caught.world(&[]), options, watcher) {
        Ok(report) => report,
        Err(error) => return Verdict::fail("the oracle cannot run it", error.to_string()),
    };
    for (id, (seen, (_, verdict))) in report.loops.iter().zip(&verdicts).enumerate() {
        let Judgement::Independent(found) = verdict else { continue };
        let known: Vec<u16> = found.known_slots().collect();
        if let Some(obstacle) = seen.obstacle(|slot| known.contains(&slot)) {
            let span = image.loops[id].span;
            return Verdict::fail(
                "a loop that is called independent is not",
                format!("loop{id} at byte {}..{}: {obstacle:?}\n{found:?}", span.start, span.end),
            );
        }
    }
    let failed = matches!(report.ended, Ended::Error(_));
    match caught.output() {
        Ok(output) if output == expected.output.as_bytes() && failed == expected.fault.is_some() => Verdict::Pass,
        Ok(output) => Verdict::fail("the result differs under the oracle", String::from_utf8_lossy(&output)),
        Err(error) => Verdict::fail("no output", error.to_string()),
    }
}
