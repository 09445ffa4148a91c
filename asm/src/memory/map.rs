//! The same memory at two places.
//!
//! It is shared memory without a name, mapped once by the usual call and once more by `mremap` with an old size of 0,
//! which leaves the old mapping as it is. The first view is executable from the start and the second gives that up to
//! become writable, because hardened systems refuse the opposite (systemd's `MemoryDenyWriteExecute`, `PR_SET_MDWE`).
//!
//! Rejected: a file of `memfd_create`, which can be mapped twice without a trick. perf takes it for a library, looks for
//! symbols in `memfd:…` and not in its map (dotnet/runtime#97765); this memory it takes for a JIT's.

use std::io;
use std::ops::Range;
use std::ptr::{self, NonNull};

use super::{Error, Step};

/// Granularity of the views, in bytes. A system with larger pages only wastes the difference.
pub(super) const PAGE: usize = 4096;

/// Two views of the same bytes. They end with this.
#[derive(Debug)]
pub(super) struct DualMap {
    executable: View,
    writable: View,
}

impl DualMap {
    /// Views of `bytes` bytes, a positive multiple of [`PAGE`], of which none is committed.
    pub(super) fn new(bytes: usize, refuse: Option<Step>) -> Result<DualMap, Error> {
        let executable = step(Step::MapExecutable, refuse, || View::executable(bytes))?;
        let writable = step(Step::MapWritable, refuse, || executable.writable())?;
        Ok(DualMap { executable, writable })
    }

    pub(super) fn bytes(&self) -> usize {
        self.executable.bytes
    }

    pub(super) fn writable(&self) -> NonNull<u8> {
        self.writable.base
    }

    /// The address of the executable view.
    pub(super) fn executable(&self) -> usize {
        self.executable.base.as_ptr() as usize
    }

    /// Gets memory for a part of the views, whole pages. Without this a touch would raise SIGBUS where there is none; so
    /// it does on kernels before 5.14, which cannot be asked.
    pub(super) fn commit(&self, part: Range<usize>) -> io::Result<()> {
        let address = self.writable.base.as_ptr().wrapping_add(part.start).cast();
        // SAFETY: a part of the writable view, of which nothing but its being there changes.
        let failed = unsafe { libc::madvise(address, part.len(), libc::MADV_POPULATE_WRITE) } != 0;
        let error = io::Error::last_os_error();
        if failed && error.raw_os_error() != Some(libc::EINVAL) { Err(error) } else { Ok(()) }
    }
}

/// What a refusal for tests looks like.
pub(super) fn injected() -> io::Error {
    io::Error::from_raw_os_error(libc::EPERM)
}

fn step<T>(step: Step, refuse: Option<Step>, run: impl FnOnce() -> io::Result<T>) -> Result<T, Error> {
    let result = if refuse == Some(step) { Err(injected()) } else { run() };
    result.map_err(|source| Error::Refused { step, source })
}

#[derive(Debug)]
struct View {
    base: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a view is a range of addresses that it owns alone; what is done there is up to whoever takes the pointer.
unsafe impl Send for View {}
// SAFETY: as above; `&View` gives nothing but the address.
unsafe impl Sync for View {}

#[cfg(all(any(target_os = "linux", target_os = "android"), target_arch = "x86_64"))]
impl View {
    /// Memory that is executed and read.
    fn executable(bytes: usize) -> io::Result<View> {
        let protection = libc::PROT_READ | libc::PROT_EXEC;
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a mapping at an address of the kernel's choice touches nothing that exists.
        let base = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) };
        View::mapped(base, bytes)
    }

    /// The same memory, read and written.
    fn writable(&self) -> io::Result<View> {
        // SAFETY: as above; the mapping that is named stays, as its size is given as 0.
        let base = unsafe { libc::mremap(self.base.as_ptr().cast(), 0, self.bytes, libc::MREMAP_MAYMOVE) };
        let view = View::mapped(base, self.bytes)?;
        // SAFETY: of the new mapping, which only `view` knows.
        let refused = unsafe { libc::mprotect(base, self.bytes, libc::PROT_READ | libc::PROT_WRITE) } != 0;
        if refused { Err(io::Error::last_os_error()) } else { Ok(view) }
    }

    fn mapped(base: *mut libc::c_void, bytes: usize) -> io::Result<View> {
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        Ok(View { base, bytes })
    }
}

/// Until somebody says how to map, and in `memory::synchronize` how to run what was just written.
#[cfg(not(all(any(target_os = "linux", target_os = "android"), target_arch = "x86_64")))]
impl View {
    fn executable(_bytes: usize) -> io::Result<View> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn writable(&self) -> io::Result<View> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: mapped with this size. Code that is executed past the end of the memory, and pointers into it, were the
        // caller's to prevent.
        unsafe {
            libc::munmap(self.base.as_ptr().cast(), self.bytes);
        }
    }
}
