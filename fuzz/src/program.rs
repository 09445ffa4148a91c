//! Compiles and runs programs inside of this process; what they write is caught in a file.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use scaly::diagnostic::Diagnostic;
use scaly::engine::{self, Compiled};
use scaly::source::SourceFile;
use scaly_interp::interpreter::{self, Ended, World};
use scaly_interp::machine::Fault;
use scaly_interp::program::Program;
use scaly_runtime::console::{Input, Output};
use scaly_runtime::memory::{MemoryOptions, RegionMode};

/// Bytes that the regions of a program under test may hold.
pub const MEMORY: u64 = 256 << 20;

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

/// The world of a program under test: its input is given, its output caught.
pub struct Caught {
    files: Files,
}

/// Files without names, for output and input.
struct Files {
    output: File,
    input: File,
}

/// Those that no run uses now: to make two takes as long as a short run.
static SPARE: Mutex<Vec<Files>> = Mutex::new(Vec::new());

impl Files {
    fn take() -> io::Result<Files> {
        let spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut files = match spare {
            Some(files) => files,
            None => Files { output: scratch()?, input: scratch()? },
        };
        for file in [&mut files.output, &mut files.input] {
            file.rewind()?;
            file.set_len(0)?;
        }
        Ok(files)
    }
}

impl Caught {
    pub fn new(stdin: &str) -> io::Result<Caught> {
        let mut files = Files::take()?;
        files.input.write_all(stdin.as_bytes())?;
        files.input.rewind()?;
        Ok(Caught { files })
    }

    pub fn world(&self, arguments: &[String]) -> World {
        World {
            output: Output::new(self.files.output.as_raw_fd()),
            input: Input::new(self.files.input.as_raw_fd()),
            arguments: arguments.to_vec(),
        }
    }

    /// What was written.
    pub fn output(mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.files.output.rewind()?;
        self.files.output.read_to_end(&mut bytes)?;
        SPARE.lock().unwrap_or_else(PoisonError::into_inner).push(self.files);
        Ok(bytes)
    }
}

/// Runs an image. An error is one of the host: an image that does not verify, a file that cannot be made.
pub fn run(program: &Arc<Program>, guard: bool, arguments: &[String], stdin: &str) -> Result<Run, String> {
    let caught = Caught::new(stdin).map_err(|e| e.to_string())?;
    let mode = if guard { RegionMode::Guard } else { RegionMode::Reuse };
    let options =
        interpreter::Options { memory: MemoryOptions { mode, limit: Some(MEMORY) }, stack_slots: Some(1 << 20) };
    let finished = interpreter::run(program.clone(), caught.world(arguments), options).map_err(|e| e.to_string())?;
    let end = match finished.ended {
        Ended::Status(status) => End::Status(status),
        Ended::Error(error) => {
            End::Error { fault: error.fault, message: error.message, place: error.span.map(|s| s.start) }
        }
    };
    Ok(Run { output: caught.output().map_err(|e| e.to_string())?, end })
}

/// A file without a name.
fn scratch() -> io::Result<File> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let shared = PathBuf::from("/dev/shm");
    let folder = if shared.is_dir() { shared } else { std::env::temp_dir() };
    let path = folder.join(format!("scaly-fuzz-{}-{number}", std::process::id()));
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}
