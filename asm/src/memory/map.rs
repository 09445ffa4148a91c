//! One file in memory, mapped twice.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, FromRawFd};
use std::ptr::{self, NonNull};

use super::{Error, Step};

/// Granularity of the views, in bytes. A system with larger pages only wastes the difference.
pub(super) const PAGE: usize = 4096;

/// Two views of the same bytes. They end with this.
#[derive(Debug)]
pub(super) struct DualMap {
    file: File,
    writable: View,
    executable: View,
}

impl DualMap {
    /// Views of `bytes` bytes, a positive multiple of [`PAGE`], of which none is committed.
    pub(super) fn new(bytes: usize, refuse: Option<Step>) -> Result<DualMap, Error> {
        let file = step(Step::Create, refuse, create)?;
        step(Step::Size, refuse, || resize(&file, bytes))?;
        let read_write = libc::PROT_READ | libc::PROT_WRITE;
        let read_execute = libc::PROT_READ | libc::PROT_EXEC;
        let writable = step(Step::MapWritable, refuse, || View::new(&file, bytes, read_write))?;
        let executable = step(Step::MapExecutable, refuse, || View::new(&file, bytes, read_execute))?;
        Ok(DualMap { file, writable, executable })
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

    /// By which `/proc/self/maps` names the file.
    #[cfg(test)]
    pub(super) fn inode(&self) -> u64 {
        std::os::unix::fs::MetadataExt::ino(&self.file.metadata().unwrap())
    }

    /// Gets memory for a part of the views, whole pages. Without this a touch would raise SIGBUS where there is none.
    pub(super) fn commit(&self, part: Range<usize>) -> io::Result<()> {
        // SAFETY: concerns only the file, which is ours; the part lies within its size.
        let failed = unsafe {
            libc::posix_fallocate(self.file.as_raw_fd(), part.start as libc::off_t, part.len() as libc::off_t)
        };
        if failed == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(failed)) }
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

/// An empty file that has no name.
#[cfg(all(any(target_os = "linux", target_os = "android"), target_arch = "x86_64"))]
fn create() -> io::Result<File> {
    // A system can be set up to give out only files that `execve` does not run, which these need not be; kernels before
    // 6.3 do not know the flag.
    const NOEXEC_SEAL: libc::c_uint = 8;
    let open = |flags: libc::c_uint| {
        // SAFETY: the name is a C string, the flags ask for a new descriptor only.
        unsafe { libc::memfd_create(c"scaly-code".as_ptr(), flags) }
    };
    let mut descriptor = open(libc::MFD_CLOEXEC | NOEXEC_SEAL);
    if descriptor < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL) {
        descriptor = open(libc::MFD_CLOEXEC);
    }
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that was just made and that nobody else knows.
    Ok(unsafe { File::from_raw_fd(descriptor) })
}

#[cfg(not(all(any(target_os = "linux", target_os = "android"), target_arch = "x86_64")))]
fn create() -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

fn resize(file: &File, bytes: usize) -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is written to a local.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit) } == 0;
    // The call itself would end the process with SIGXFSZ.
    if known && limit.rlim_cur < bytes as libc::rlim_t {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    file.set_len(bytes as u64)
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

impl View {
    fn new(file: &File, bytes: usize, protection: libc::c_int) -> io::Result<View> {
        // SAFETY: a mapping at an address of the kernel's choice touches nothing that exists.
        let base = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        Ok(View { base, bytes })
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this size. Code that is executed past the end of the memory, and pointers into it,
        // were the caller's to prevent.
        unsafe {
            libc::munmap(self.base.as_ptr().cast(), self.bytes);
        }
    }
}
