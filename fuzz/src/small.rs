//! Makes what fails small, and writes it as a language test.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;

use crate::campaign::{Campaign, LIMIT, limited};
use crate::check::Expected;
use crate::driver::{Mode, disturbed, expected, generated, limits};
use crate::print::print;
use crate::tree::Program;
use crate::{evaluate, reduce, traces};

/// How often a failing sample is tried in a smaller form.
const TRIES: usize = 3000;

/// Writes the smallest form of a seed's failure that is found, and tells of it. `job`: no other with this number runs.
pub fn minimize(campaign: &Campaign, job: usize, seed: u64, kind: &str) -> io::Result<PathBuf> {
    std::fs::create_dir_all(&campaign.keep)?;
    let trial = std::env::temp_dir().join(format!("scaly-fuzz-{}-{job}.scaly", std::process::id()));
    let path = campaign.keep.join(format!("{}_{seed}.scaly", campaign.mode.name()));
    let mode = campaign.mode;
    // A hang takes long to be seen.
    let tries = if kind == "hangs" { 100 } else { TRIES };
    let (text, wanted) = if mode == Mode::Text {
        let text = reduce::reduce_text(&disturbed(seed, &campaign.corpus), tries, &mut |text| {
            verdict(mode, &trial, text, &Wanted::Nothing).is_ok_and(|(found, _)| found == kind)
        });
        (text, Wanted::Nothing)
    } else {
        let Some(sample) = generated(mode, seed) else { return Ok(path) };
        let small = reduce::reduce(&sample.tree, tries, &mut |tree| {
            let Some((text, wanted)) = described(mode, seed, tree) else { return false };
            verdict(mode, &trial, &text, &wanted).is_ok_and(|(found, _)| found == kind)
        });
        described(mode, seed, &small).unwrap_or_else(|| (print(&small), Wanted::Nothing))
    };
    let (_, detail) = verdict(mode, &trial, &text, &wanted)?;
    let shown: String = text.lines().take(40).map(|line| format!("    {line}\n")).collect();
    let said: String = detail.lines().take(20).map(|line| format!("  > {line}\n")).collect();
    // In one piece: other jobs tell, too.
    print!("seed {seed}, small:\n{shown}{said}");
    let mut header = format!("; Found by the fuzzer with seed {seed}: {}.\n", kind.replace(':', ","));
    match &wanted {
        Wanted::Nothing => {}
        Wanted::Outcome(expected) => header += &output_lines(&expected.output),
        Wanted::Agreement(seed) => header += &traces::header(&text, *seed, mode == Mode::Whole),
    }
    std::fs::write(&path, header + "\n" + &text)?;
    Ok(path)
}

/// What a text is tested against.
enum Wanted {
    Nothing,
    Outcome(Expected),
    /// Of all ways to run it that come of this seed.
    Agreement(u64),
}

impl Wanted {
    /// As it stands in the file beside the program.
    fn text(&self) -> String {
        match self {
            Wanted::Nothing => String::new(),
            Wanted::Outcome(expected) => {
                let fault = expected.fault.map_or("-".to_string(), |f| format!("{f:?}"));
                format!("{fault}\n{}", expected.output)
            }
            Wanted::Agreement(seed) => seed.to_string(),
        }
    }
}

fn described(mode: Mode, seed: u64, tree: &Program) -> Option<(String, Wanted)> {
    let outcome = evaluate::evaluate(tree, limits(mode)).ok()?;
    let wanted = if mode.native() { Wanted::Agreement(seed) } else { Wanted::Outcome(expected(&outcome)) };
    Some((print(tree), wanted))
}

/// Output in the header comment of a language test.
pub fn output_lines(output: &str) -> String {
    let lines: String = output.lines().map(|line| format!("; | {line}\n")).collect();
    if lines.is_empty() { lines } else { format!("; output:\n{lines}") }
}

/// What a child says of a text: the kind of its failure, empty if it passes, and details.
fn verdict(mode: Mode, file: &Path, text: &str, wanted: &Wanted) -> io::Result<(String, String)> {
    std::fs::write(file, text)?;
    std::fs::write(file.with_extension("expected"), wanted.text())?;
    let file = file.display().to_string();
    let mut process = limited(&["--one", mode.name(), &file])?.stdout(Stdio::piped()).spawn()?;
    let output = process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let (send, done) = mpsc::channel();
    std::thread::spawn(move || {
        let text = io::read_to_string(output).unwrap_or_default();
        let _ = send.send(text);
    });
    let text = done.recv_timeout(LIMIT);
    let _ = process.kill();
    process.wait()?;
    Ok(match text {
        Err(_) => ("hangs".to_string(), String::new()),
        Ok(text) => match text.split_once('\n') {
            Some((line, detail)) if line.starts_with("fail ") => (line[5..].to_string(), detail.to_string()),
            Some(("pass", _)) => (String::new(), String::new()),
            _ => ("crashes".to_string(), text),
        },
    })
}
