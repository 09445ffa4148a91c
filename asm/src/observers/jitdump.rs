//! `jit-PID.dump`: the code itself, its names and source lines, each record with its time.
//!
//! Source: `tools/perf/Documentation/jitdump-specification.txt` of Linux, version 1. In use:
//!
//! ```text
//! perf record -k 1 -o perf.data scaly …        the clock of the records is CLOCK_MONOTONIC
//! perf inject --jit -i perf.data -o jit.data   makes an ELF file of each piece of code
//! perf report -i jit.data
//! ```

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};

use super::{Code, Error, Line, elf, plain};

/// "JiTD", in the order of bytes of whoever writes.
pub(super) const MAGIC: u32 = 0x4a69_5444;
pub(super) const VERSION: u32 = 1;
pub(super) const HEADER_BYTES: usize = 40;
pub(super) const PREFIX_BYTES: usize = 16;

/// The kinds of records.
pub(super) const CODE_LOAD: u32 = 0;
pub(super) const CODE_DEBUG_INFO: u32 = 2;
pub(super) const CODE_CLOSE: u32 = 3;

#[derive(Debug)]
pub(super) struct Jitdump {
    path: PathBuf,
    file: File,
    /// Keeps the page by which perf learns of the file.
    _marker: Marker,
    /// Of the next code.
    index: u64,
}

impl Jitdump {
    pub(super) fn create(directory: &Path) -> Result<Jitdump, Error> {
        let path = directory.join(format!("jit-{}.dump", std::process::id()));
        let mut file = super::create(&path)?;
        let marker = file.write_all(&header()).and_then(|()| Marker::new(&file));
        let _marker = marker.map_err(|source| Error { path: path.clone(), source })?;
        Ok(Jitdump { path, file, _marker, index: 0 })
    }

    /// The lines come before the code that they are of; both are written at once.
    pub(super) fn add(&mut self, code: &Code<'_>) -> Result<(), Error> {
        let mut records = Vec::new();
        if !code.lines.is_empty() {
            let mut lines = Vec::new();
            lines.extend(code.address.to_ne_bytes());
            lines.extend((code.lines.len() as u64 + 1).to_ne_bytes());
            // perf ends its line table at the last entry, so the last line needs one more where it ends.
            let end = code.lines.last().map(|line| Line { offset: code.bytes.len(), ..*line });
            for line in code.lines.iter().chain(&end) {
                lines.extend((code.address + line.offset as u64).to_ne_bytes());
                lines.extend(line.line.to_ne_bytes());
                lines.extend(0u32.to_ne_bytes());
                lines.extend(plain(line.file).bytes());
                lines.push(0);
            }
            record(&mut records, CODE_DEBUG_INFO, &lines);
        }
        let mut load = Vec::new();
        load.extend(std::process::id().to_ne_bytes());
        load.extend(thread().to_ne_bytes());
        load.extend(code.address.to_ne_bytes());
        load.extend(code.address.to_ne_bytes());
        load.extend((code.bytes.len() as u64).to_ne_bytes());
        load.extend(self.index.to_ne_bytes());
        load.extend(plain(code.name).bytes());
        load.push(0);
        load.extend(code.bytes);
        record(&mut records, CODE_LOAD, &load);
        self.index += 1;
        self.file.write_all(&records).map_err(|source| Error { path: self.path.clone(), source })
    }
}

impl Drop for Jitdump {
    fn drop(&mut self) {
        let mut close = Vec::new();
        record(&mut close, CODE_CLOSE, &[]);
        // The end of the file says the same.
        let _ = self.file.write_all(&close);
    }
}

fn header() -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    for word in [MAGIC, VERSION, HEADER_BYTES as u32, elf::MACHINE.into(), 0, std::process::id()] {
        header.extend(word.to_ne_bytes());
    }
    header.extend(now().to_ne_bytes());
    header.extend(0u64.to_ne_bytes());
    header
}

fn record(records: &mut Vec<u8>, kind: u32, payload: &[u8]) {
    records.extend(kind.to_ne_bytes());
    records.extend(((PREFIX_BYTES + payload.len()) as u32).to_ne_bytes());
    records.extend(now().to_ne_bytes());
    records.extend(payload);
}

/// Nanoseconds of CLOCK_MONOTONIC.
fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time is written to a local; the clock exists everywhere.
    unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time);
    }
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// As the kernel numbers threads.
fn thread() -> u32 {
    // SAFETY: a system call without arguments that always succeeds.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}

/// An executable page of the file. perf records such mappings, and so finds the file by its name; nobody executes it.
#[derive(Debug)]
struct Marker(NonNull<libc::c_void>);

// SAFETY: an address that only `drop` uses.
unsafe impl Send for Marker {}
// SAFETY: as above.
unsafe impl Sync for Marker {}

impl Marker {
    const BYTES: usize = 4096;

    fn new(file: &File) -> io::Result<Marker> {
        let protection = libc::PROT_READ | libc::PROT_EXEC;
        // SAFETY: a mapping at an address of the kernel's choice touches nothing that exists.
        let page =
            unsafe { libc::mmap(ptr::null_mut(), Marker::BYTES, protection, libc::MAP_PRIVATE, file.as_raw_fd(), 0) };
        if page == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        NonNull::new(page).map(Marker).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }
}

impl Drop for Marker {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, and nobody has the address.
        unsafe {
            libc::munmap(self.0.as_ptr(), Marker::BYTES);
        }
    }
}
