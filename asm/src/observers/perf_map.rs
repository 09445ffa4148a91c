//! `perf-PID.map`: a line a piece of code, address and size in hexadecimal and a name.
//!
//! Source: `tools/perf/Documentation/jit-interface.txt` of Linux. perf reads the file when it reports, and only if it
//! belongs to the user of the process. Code that is gone stays in the file: most reports are made after the process's
//! end, and want it.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Code, Error, plain};

#[derive(Debug)]
pub(super) struct PerfMap {
    path: PathBuf,
    file: File,
}

impl PerfMap {
    pub(super) fn create(directory: &Path) -> Result<PerfMap, Error> {
        let path = directory.join(format!("perf-{}.map", std::process::id()));
        let file = super::create(&path)?;
        Ok(PerfMap::of(path, file))
    }

    pub(super) fn of(path: PathBuf, file: File) -> PerfMap {
        PerfMap { path, file }
    }

    /// Written at once and whole, so that the file is good whenever the process ends.
    pub(super) fn add(&mut self, code: &Code<'_>) -> Result<(), Error> {
        let line = format!("{:x} {:x} {}\n", code.address, code.bytes.len(), plain(code.name));
        self.file.write_all(line.as_bytes()).map_err(|source| Error { path: self.path.clone(), source })
    }
}
