//! Compiles and runs programs inside of this process; what they write is caught in a file.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use scaly::diagnostic::Diagnostic;
use scaly::engine::{self, Compiled};
use scaly::source::SourceFile;
use scaly_interp::interpreter::{self, Ended, World};
use scaly_interp::machine::Fault;
use scaly_interp::program::Program;
use scaly_runtime::console::{Input, Output};
use scaly_runtime::memory::{MemoryOptions, RegionMode};

/// Bytes that the regions of a program under test may hold.
const MEMORY: u64 = 256 << 20;

/// What a run did.
#[derive(Clone, PartialEq, Debug)]
pub struct Run {
    pub output: Vec<u8>,
    pub end: End,
}

#[derive(Clone, PartialEq, Debug)]
pub enum End {
    Status(i32),
    /// The kind of error, its message, and the byte of the program where it happened.
    Error {
        fault: Fault,
        message: String,
        place: Option<u32>,
    },
}

/// The program's image, or why there is none.
pub fn compile(name: &str, text: &str) -> Result<Compiled, Box<engine::Failure>> {
    engine::compile(SourceFile::new(name, text, false), engine::Options::default())
}

/// Diagnostics as a person sees them.
pub fn rendered(sources: &scaly::source::SourceMap, diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|d| d.render(sources, false)).collect::<Vec<_>>().join("\n")
}

/// Runs an image. An error is one of the host: an image that does not verify, a file that cannot be made.
pub fn run(program: &Arc<Program>, guard: bool, arguments: &[String], stdin: &str) -> Result<Run, String> {
    let mut output = scratch().map_err(|e| e.to_string())?;
    let mut input = scratch().map_err(|e| e.to_string())?;
    std::io::Write::write_all(&mut input, stdin.as_bytes()).map_err(|e| e.to_string())?;
    input.rewind().map_err(|e| e.to_string())?;
    let world = World {
        output: Output::new(output.as_raw_fd()),
        input: Input::new(input.as_raw_fd()),
        arguments: arguments.to_vec(),
    };
    let mode = if guard { RegionMode::Guard } else { RegionMode::Reuse };
    let options =
        interpreter::Options { memory: MemoryOptions { mode, limit: Some(MEMORY) }, stack_slots: Some(1 << 20) };
    let finished = interpreter::run(program.clone(), world, options).map_err(|e| e.to_string())?;
    output.rewind().map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    output.read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    let end = match finished.ended {
        Ended::Status(status) => End::Status(status),
        Ended::Error(error) => {
            End::Error { fault: error.fault, message: error.message, place: error.span.map(|s| s.start) }
        }
    };
    Ok(Run { output: bytes, end })
}

/// A file without a name.
fn scratch() -> std::io::Result<File> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let shared = PathBuf::from("/dev/shm");
    let folder = if shared.is_dir() { shared } else { std::env::temp_dir() };
    let path = folder.join(format!("scaly-fuzz-{}-{number}", std::process::id()));
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}
