//! Where the log goes, and what happens if it can't.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A log that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the trace log to {}: {}", path.display(), words(error))]
pub struct OpenError {
    pub path: PathBuf,
    pub error: io::Error,
}

/// A file or standard error, until the first failure.
#[derive(Debug)]
pub struct Output(Mutex<Option<Target>>);

#[derive(Debug)]
enum Target {
    StandardError,
    File(File, PathBuf),
}

impl Output {
    pub fn open(path: Option<&Path>) -> Result<Output, OpenError> {
        let target = match path {
            None => Target::StandardError,
            Some(path) => match File::create(path) {
                Ok(file) => Target::File(file, path.to_path_buf()),
                Err(error) => return Err(OpenError { path: path.to_path_buf(), error }),
            },
        };
        Ok(Output(Mutex::new(Some(target))))
    }

    /// Writes whole lines, at once: what was written before a crash is there. A failure is said once, where that can
    /// still be done, and ends the log, not the program.
    pub fn write(&self, text: &str) {
        let mut target = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = match &mut *target {
            None => false,
            Some(Target::StandardError) => io::stderr().write_all(text.as_bytes()).is_err(),
            Some(Target::File(file, path)) => match file.write_all(text.as_bytes()) {
                Ok(()) => false,
                Err(error) => {
                    let text = format!("scaly: the trace log {} ends here: {}\n", path.display(), words(&error));
                    // Where standard error is closed, nobody is left to tell.
                    let _ = io::stderr().write_all(text.as_bytes());
                    true
                }
            },
        };
        if failed {
            *target = None;
        }
    }
}

/// The system's words for an error, without the number that Rust puts behind them.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_string(),
        None => text,
    }
}
