//! Programs from listings, and what they print.
#![allow(dead_code)]

use std::io::{Read, Seek};
use std::os::fd::AsRawFd;
use std::sync::Arc;

use scaly_interp::dump::parse;
use scaly_interp::interpreter::{Ended, Finished, Options, RuntimeError, World, run};
use scaly_interp::program::Program;
use scaly_runtime::console::{Input, Output};

/// A file that nobody else sees.
pub fn scratch_file() -> std::fs::File {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("scaly-interp-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    let file = std::fs::OpenOptions::new().create_new(true).read(true).write(true).open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file
}

pub fn run_program(program: Arc<Program>, input: &str, options: Options) -> (Finished, String) {
    let output = scratch_file();
    let mut typed = scratch_file();
    std::io::Write::write_all(&mut typed, input.as_bytes()).unwrap();
    typed.rewind().unwrap();
    let world = World {
        output: Output::new(output.as_raw_fd()),
        input: Input::new(typed.as_raw_fd()),
        arguments: vec!["one".to_string(), "zwei".to_string()],
    };
    let finished = run(program, world, options).unwrap();
    (finished, contents(output))
}

pub fn contents(mut file: std::fs::File) -> String {
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

pub fn run_listing(listing: &str) -> (Finished, String) {
    let program = parse(listing).unwrap_or_else(|error| panic!("{error}\n{listing}"));
    run_program(Arc::new(program), "", Options::default())
}

/// Of a program that is one function with 64 slots and ends with the status.
pub fn status(body: &str) -> i32 {
    match run_listing(&main_of(body)).0.ended {
        Ended::Status(status) => status,
        Ended::Error(error) => panic!("{error} at {}\n{body}", error.pc),
    }
}

pub fn error(body: &str) -> RuntimeError {
    match run_listing(&main_of(body)).0.ended {
        Ended::Status(status) => panic!("no error but status {status}\n{body}"),
        Ended::Error(error) => *error,
    }
}

/// A main function of a body; a body that begins with `text` or holds functions brings its own.
pub fn main_of(body: &str) -> String {
    format!("main start\nfunction start(params 0, results 1, frame 64)\n{body}\n")
}
