//! Tools that look at a running process are told what its code is: perf by a map and by a jitdump, GDB by its interface.
//!
//! | observer | symbols | source lines | code that replaced other code at an address |
//! |---|---|---|---|
//! | perf map | yes | no | wrong: the file knows no time |
//! | jitdump | yes, and the instructions | yes | right: its records have times |
//! | GDB | yes | yes | right: it is told when code goes |
//!
//! None of them is worth a failure: one that cannot write says so once, in what the call returns, and is silent from
//! then on.

mod dwarf;
mod elf;
mod gdb;
mod jitdump;
mod perf_map;
#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use gdb::Gdb;
use jitdump::Jitdump;
use perf_map::PerfMap;

/// Which observers there are; by default none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// The directory of `perf-PID.map`; perf looks in [`PERF_MAP_DIRECTORY`].
    pub perf_map: Option<PathBuf>,
    /// The directory of `jit-PID.dump`, see [`jitdump_directory`]. `perf inject` writes its own files beside it.
    pub jitdump: Option<PathBuf>,
    /// Whether a GDB that is or comes to be attached sees the code.
    pub gdb: bool,
}

/// Where perf looks for maps.
pub const PERF_MAP_DIRECTORY: &str = "/tmp";

/// Where a jitdump goes if nobody says otherwise: `$JITDUMPDIR`, which perf's own agents follow too, or the current
/// directory.
pub fn jitdump_directory() -> PathBuf {
    std::env::var_os("JITDUMPDIR").filter(|name| !name.is_empty()).unwrap_or_else(|| ".".into()).into()
}

/// What there is to know of a piece of code.
#[derive(Clone, Copy, Debug)]
pub struct Code<'a> {
    /// Where it is executed.
    pub address: u64,
    pub bytes: &'a [u8],
    pub name: &'a str,
    /// In ascending order of their offsets.
    pub lines: &'a [Line<'a>],
}

/// What comes from an offset on, up to the next such, is of this line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line<'a> {
    /// In bytes from the code's beginning.
    pub offset: usize,
    pub file: &'a str,
    /// Counted from 1.
    pub line: u32,
}

/// An observer that there is none of any more.
#[derive(Debug, thiserror::Error)]
#[error("{} is not written: {source}", path.display())]
pub struct Error {
    /// The file that could not be made or written.
    pub path: PathBuf,
    pub source: io::Error,
}

/// All observers of a process.
#[derive(Debug, Default)]
pub struct Observers {
    perf_map: Option<PerfMap>,
    jitdump: Option<Jitdump>,
    gdb: Option<Gdb>,
}

impl Observers {
    /// Makes the files, and says which cannot be made.
    pub fn open(options: &Options) -> (Observers, Vec<Error>) {
        let mut errors = Vec::new();
        let perf_map = options.perf_map.as_deref().map(PerfMap::create);
        let jitdump = options.jitdump.as_deref().map(Jitdump::create);
        let observers = Observers {
            perf_map: perf_map.and_then(|made| made.map_err(|error| errors.push(error)).ok()),
            jitdump: jitdump.and_then(|made| made.map_err(|error| errors.push(error)).ok()),
            gdb: options.gdb.then(Gdb::default),
        };
        (observers, errors)
    }

    /// Whether anybody wants to know, so that a caller need not gather lines for nobody.
    pub fn any(&self) -> bool {
        self.perf_map.is_some() || self.jitdump.is_some() || self.gdb.is_some()
    }

    /// Tells of code that is about to be entered for the first time. Returns the observers that were lost by it.
    pub fn add(&mut self, code: &Code<'_>) -> Vec<Error> {
        let mut errors = Vec::new();
        if let Some(error) = self.perf_map.as_mut().and_then(|map| map.add(code).err()) {
            self.perf_map = None;
            errors.push(error);
        }
        if let Some(error) = self.jitdump.as_mut().and_then(|dump| dump.add(code).err()) {
            self.jitdump = None;
            errors.push(error);
        }
        if let Some(gdb) = &mut self.gdb {
            gdb.add(code);
        }
        errors
    }

    /// Tells that the code at an address is no more.
    pub fn remove(&mut self, address: u64) {
        if let Some(gdb) = &mut self.gdb {
            gdb.remove(address);
        }
    }
}

/// A new file with a name that can be guessed, possibly in a directory of everybody's: no link is followed.
fn create(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true).mode(0o644).custom_flags(libc::O_NOFOLLOW);
    options.open(path).map_err(|source| Error { path: path.to_owned(), source })
}

/// A name as the tools can read it back: on one line, no zero in it.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
