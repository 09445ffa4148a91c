//! Loading a program's text.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::source::SourceFile;

/// Where the program comes from.
#[derive(Debug)]
pub enum Source {
    File(PathBuf),
    StandardInput,
    /// `-e`
    Text(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path) => write!(f, "{}", path.display()),
            Source::StandardInput => f.write_str("<stdin>"),
            Source::Text(_) => f.write_str("-e"),
        }
    }
}

/// Why a program's text could not be had.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    #[error("cannot read {path}: {reason}")]
    Unreadable { path: String, reason: String },
    #[error("{path} is a directory; name a file in it")]
    Directory { path: String },
    #[error("{path}:{line}: not valid UTF-8: byte 0x{byte:02X} at offset {offset}")]
    NotUtf8 { path: String, line: usize, byte: u8, offset: usize },
    #[error("{path} is empty: there is nothing to run")]
    Empty { path: String },
    #[error("{path} has {bytes} bytes; a program has at most {}", LARGEST)]
    TooLarge { path: String, bytes: u64 },
}

/// Places in a program are 32-bit offsets; a quarter of that leaves room for the library's.
const LARGEST: u64 = 1 << 30;

pub fn load(source: &Source) -> Result<SourceFile, InputError> {
    let (name, bytes) = match source {
        Source::Text(text) => return Ok(SourceFile::new(source.to_string(), text.clone(), false)),
        Source::StandardInput => {
            let mut bytes = Vec::new();
            io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes).map_err(|e| unreadable("<stdin>", &e))?;
            (source.to_string(), bytes)
        }
        Source::File(path) => (source.to_string(), read(path)?),
    };
    if bytes.len() as u64 > LARGEST {
        return Err(InputError::TooLarge { path: name, bytes: bytes.len() as u64 });
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let line = bytes[..offset].iter().filter(|&&b| b == b'\n').count() + 1;
        InputError::NotUtf8 { path: name.clone(), line, byte: bytes[offset], offset }
    })?;
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        return Err(InputError::Empty { path: name });
    }
    Ok(SourceFile::new(name, text, false))
}

fn read(path: &Path) -> Result<Vec<u8>, InputError> {
    let name = path.display().to_string();
    let metadata = fs::metadata(path).map_err(|e| unreadable(&name, &e))?;
    if metadata.is_dir() {
        return Err(InputError::Directory { path: name });
    }
    if metadata.len() > LARGEST {
        return Err(InputError::TooLarge { path: name, bytes: metadata.len() });
    }
    fs::read(path).map_err(|e| unreadable(&name, &e))
}

/// Whether two paths lead to the same existing file.
pub fn same(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

fn unreadable(path: &str, error: &io::Error) -> InputError {
    InputError::Unreadable { path: path.to_string(), reason: reason(error) }
}

/// The system's words for an error, without the number that Rust puts behind them.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_string(),
        None => text,
    }
}
