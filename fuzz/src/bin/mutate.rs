//! Changes the meaning of each opcode in turn, and says which language test notices.
//!
//!     cargo run --release -p scaly-fuzz --bin mutate [-- --opcode NAME] [--tests tests/lang] [--jobs 2]
//!
//! A program whose result differs from that of the unchanged image kills the mutation: so the tests must pass before.
//! Each mutation runs in a process of its own, with little memory and time: a crash or an endless loop is noticed, too.
//! Exit status 1 if a mutation survives.
#![deny(unsafe_code)]

#[path = "../../../tests/common/expectation.rs"]
#[allow(dead_code, reason = "of the expectation only what the program is given is used")]
mod expectation;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use expectation::Expectation;
use scaly_fuzz::mutation::{Mutation, mutated, mutations, opcodes};
use scaly_fuzz::program::{compile, run};
use scaly_interp::bytecode::Opcode;

/// What the expectation compares; not used here.
struct Outcome {
    status: Option<i32>,
    output: String,
    error: String,
}

/// Longer than any language test takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let result = match std::env::args().nth(1).as_deref() {
        Some("--child") => child(&std::env::args().skip(2).collect::<Vec<_>>()).map(|()| true),
        _ => parent(),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("mutate: {error}");
            ExitCode::from(2)
        }
    }
}

/// One job: an opcode, one of its mutations, and the programs that have the opcode.
struct Job {
    opcode: Opcode,
    which: usize,
    mutation: Mutation,
    programs: Vec<PathBuf>,
}

enum Fate {
    Killed {
        by: PathBuf,
        how: String,
    },
    Survived,
    /// No image with it verifies.
    Invalid,
}

fn parent() -> Result<bool, Failure> {
    let mut only = None;
    let mut folder = PathBuf::from("tests/lang");
    let mut jobs = 2;
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        use lexopt::prelude::*;
        match argument {
            Long("opcode") => only = Some(parser.value()?.string()?),
            Long("tests") => folder = parser.value()?.into(),
            Long("jobs") => jobs = parser.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    let folder = folder.canonicalize()?;
    let mut having: Vec<Vec<(usize, PathBuf)>> = vec![Vec::new(); Opcode::ALL.len()];
    for path in programs(&folder) {
        let text = std::fs::read_to_string(&path)?;
        // Programs that must not compile are of no use here.
        let Ok(compiled) = compile(&path.display().to_string(), &text) else { continue };
        for (number, found) in opcodes(&compiled.program).into_iter().enumerate() {
            if found {
                having[number].push((compiled.program.code.len(), path.clone()));
            }
        }
    }
    let mut queue = Vec::new();
    let mut absent = Vec::new();
    for &opcode in Opcode::ALL.iter().rev() {
        if only.as_deref().is_some_and(|only| only != opcode.name()) {
            continue;
        }
        let programs = &mut having[opcode as usize];
        if programs.is_empty() {
            absent.push(opcode.name());
            continue;
        }
        programs.sort();
        for (which, mutation) in mutations(opcode).into_iter().enumerate().rev() {
            let programs = programs.iter().map(|(_, path)| path.clone()).collect();
            queue.push(Job { opcode, which, mutation, programs });
        }
    }
    let queue = Mutex::new(queue);
    let (send, results) = mpsc::channel();
    let mut survivors = 0;
    let mut killed = 0;
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            let (queue, send) = (&queue, send.clone());
            scope.spawn(move || {
                loop {
                    let job = queue.lock().ok().and_then(|mut queue| queue.pop());
                    let Some(job) = job else { return };
                    let fate = fate(&job);
                    if send.send((job, fate)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        for (job, fate) in results {
            let name = format!("{} {}", job.opcode.name(), job.mutation);
            match fate {
                Ok(Fate::Killed { by, how }) => {
                    killed += 1;
                    println!("{name:<44} {:<10} {}", how, by.display());
                }
                Ok(Fate::Survived) => {
                    survivors += 1;
                    println!("{name:<44} SURVIVED   {} programs", job.programs.len());
                }
                Ok(Fate::Invalid) => println!("{name:<44} no valid program"),
                Err(error) => println!("{name:<44} {error}"),
            }
        }
    });
    absent.reverse();
    println!("\n{killed} noticed, {survivors} not; opcodes that no program has: {}", absent.join(" "));
    Ok(survivors == 0)
}

fn programs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(programs(&path));
        } else if path.extension().is_some_and(|e| e == "scaly") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Runs a job in processes of its own until a program notices.
fn fate(job: &Job) -> Result<Fate, Failure> {
    // The shell's limit is the only way to one without unsafe code.
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 4000000; exec \"$0\" \"$@\""]);
    command.arg(std::env::current_exe()?).arg("--child").arg(job.opcode.name()).arg(job.which.to_string());
    command.args(&job.programs);
    // A changed program may write where it should not.
    let room = std::env::temp_dir().join(format!("scaly-mutate-{}", std::process::id()));
    std::fs::create_dir_all(&room)?;
    command.current_dir(room);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = command.spawn()?;
    let (send, lines) = mpsc::channel();
    let Some(output) = process.stdout.take() else { return Err("no output".into()) };
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    let fate = watch(&mut process, &lines, job);
    let _ = process.kill();
    process.wait()?;
    drop(lines);
    let _ = reader.join();
    fate
}

fn watch(process: &mut Child, lines: &mpsc::Receiver<String>, job: &Job) -> Result<Fate, Failure> {
    let mut current = None;
    let mut valid = false;
    loop {
        match lines.recv_timeout(LIMIT) {
            Ok(line) => match line.split_once(' ') {
                Some(("start", number)) => {
                    current = number.parse::<usize>().ok().and_then(|n| job.programs.get(n)).cloned();
                    valid = true;
                }
                Some(("differs", _)) => {
                    let by = current.take().ok_or("a result without a program")?;
                    return Ok(Fate::Killed { by, how: "differs".to_string() });
                }
                _ if line == "done" => return Ok(if valid { Fate::Survived } else { Fate::Invalid }),
                _ => {}
            },
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let by = current.take().ok_or("the unchanged program hangs")?;
                return Ok(Fate::Killed { by, how: "hangs".to_string() });
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                process.wait()?;
                let by = current.take().ok_or("the unchanged program crashes")?;
                return Ok(Fate::Killed { by, how: "crashes".to_string() });
            }
        }
    }
}

/// In the process of its own: says before each changed program that it starts, and when its result differs.
fn child(arguments: &[String]) -> Result<(), Failure> {
    let [opcode, which, paths @ ..] = arguments else { return Err("arguments".into()) };
    let opcode = Opcode::by_name(opcode).ok_or("no such opcode")?;
    let mutation = *mutations(opcode).get(which.parse::<usize>()?).ok_or("no such mutation")?;
    let mut out = std::io::stdout();
    for (number, path) in paths.iter().enumerate() {
        let text = std::fs::read_to_string(path)?;
        let expected = Expectation::parse(&text)?;
        let Ok(compiled) = compile(path, &text) else { continue };
        let Some(changed) = mutated(&compiled.program, opcode, mutation) else { continue };
        if scaly_interp::verify::verify(&changed).is_err() {
            continue;
        }
        let before = run(&compiled.program, false, &expected.arguments, &expected.stdin)?;
        writeln!(out, "start {number}")?;
        out.flush()?;
        let after = run(&Arc::new(changed), false, &expected.arguments, &expected.stdin);
        if after.as_ref() != Ok(&before) {
            writeln!(out, "differs {number}")?;
            return Ok(());
        }
    }
    writeln!(out, "done")?;
    Ok(())
}
