//! The system calls for memory, behind a few functions.
//!
//! All lengths are bytes and multiples of [`PAGE`]; all memory handed out is zero.

use std::io;
use std::ptr::{self, NonNull};
use std::time::Duration;

/// Granularity of mappings, in bytes. A system with larger pages only wastes the difference.
pub const PAGE: usize = 4096;

/// Bytes of a huge page.
pub const HUGE_PAGE: usize = 2 << 20;

/// `bytes` rounded up to whole pages, or `None` if that leaves the address space.
pub fn round_to_pages(bytes: usize) -> Option<usize> {
    let rounded = bytes.checked_add(PAGE - 1)? & !(PAGE - 1);
    (rounded <= isize::MAX as usize).then_some(rounded)
}

fn map_with(bytes: usize, protection: i32, extra: i32) -> io::Result<NonNull<u8>> {
    // SAFETY: an anonymous private mapping at an address of the kernel's choice touches nothing that exists.
    let address = unsafe {
        libc::mmap(ptr::null_mut(), bytes, protection, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | extra, -1, 0)
    };
    if address == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(address.cast()).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))
}

/// Maps readable and writable memory that the kernel accounts for, so that absurd sizes fail here and not at a touch.
pub fn map(bytes: usize) -> io::Result<NonNull<u8>> {
    map_with(bytes, libc::PROT_READ | libc::PROT_WRITE, 0)
}

/// Maps address space that is committed page by page as it is touched, and not accounted for before.
pub fn reserve(bytes: usize) -> io::Result<NonNull<u8>> {
    map_with(bytes, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_NORESERVE)
}

/// Maps memory at a multiple of `align`, a power of two and at least [`PAGE`]. Where the system's place has room for two, at
/// the upper one: systems give places downwards, so mappings one after another are neighbours. With the lower ones huge pages
/// come at twice their size, and caches take lines of theirs for one another: to sum `a[i][j]` over all i, of 641 arrays
/// in three of them, takes twice as long (on Zen, with these addresses in C as well).
pub fn map_aligned(bytes: usize, align: usize) -> io::Result<NonNull<u8>> {
    debug_assert!(align.is_power_of_two() && align >= PAGE);
    let whole = bytes.checked_add(align).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
    let base = map(whole)?;
    let skip = match base.as_ptr().align_offset(align) {
        0 => align,
        skip => skip,
    };
    // SAFETY: both cut-off parts lie inside the mapping made above, which nobody else knows.
    unsafe {
        unmap(base, skip);
        let aligned = base.add(skip);
        if align - skip > 0 {
            unmap(aligned.add(bytes), align - skip);
        }
        Ok(aligned)
    }
}

/// Returns memory to the system.
///
/// # Safety
/// `[base, base + bytes)` was mapped by this module, and nothing uses it any more.
pub unsafe fn unmap(base: NonNull<u8>, bytes: usize) {
    // SAFETY: by the caller's promise. A failure (out of map entries while splitting) leaves the memory mapped.
    unsafe {
        libc::munmap(base.as_ptr().cast(), bytes);
    }
}

/// Resizes a mapping, keeping the contents up to the smaller size; it may move.
///
/// # Safety
/// `[base, base + old)` is a whole mapping of [`map`], and no pointer into it is used after this succeeds.
pub unsafe fn remap(base: NonNull<u8>, old: usize, new: usize) -> io::Result<NonNull<u8>> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // SAFETY: by the caller's promise.
        let address = unsafe { libc::mremap(base.as_ptr().cast(), old, new, libc::MREMAP_MAYMOVE) };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        NonNull::new(address.cast()).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let fresh = map(new)?;
        // SAFETY: both mappings are at least `min(old, new)` long and distinct; the old one is the caller's to end.
        unsafe {
            ptr::copy_nonoverlapping(base.as_ptr(), fresh.as_ptr(), old.min(new));
            unmap(base, old);
        }
        Ok(fresh)
    }
}

/// As [`remap`], to a multiple of `align` if it must move, so that huge pages stay whole.
///
/// # Safety
/// As for [`remap`].
pub unsafe fn remap_aligned(base: NonNull<u8>, old: usize, new: usize, align: usize) -> io::Result<NonNull<u8>> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: by the caller's promise; the place that the mapping moves to was reserved for it.
    unsafe {
        if libc::mremap(base.as_ptr().cast(), old, new, 0) != libc::MAP_FAILED {
            return Ok(base);
        }
        let place = map_aligned(new, align)?;
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        if libc::mremap(base.as_ptr().cast(), old, new, flags, place.as_ptr()) == libc::MAP_FAILED {
            let error = io::Error::last_os_error();
            unmap(place, new);
            return Err(error);
        }
        Ok(place)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = align;
        // SAFETY: by the caller's promise.
        unsafe { remap(base, old, new) }
    }
}

/// Takes the memory back but keeps the addresses: every later touch faults.
///
/// # Safety
/// As for [`unmap`].
pub unsafe fn forbid(base: NonNull<u8>, bytes: usize) -> bool {
    // SAFETY: replaces only the caller's own mapping, by its promise.
    let address = unsafe {
        libc::mmap(
            base.as_ptr().cast(),
            bytes,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED,
            -1,
            0,
        )
    };
    address != libc::MAP_FAILED
}

/// Gives touched pages back; the range reads as zero afterwards and is committed again on touch.
///
/// # Safety
/// The range is whole pages of a mapping of this module, and its contents are no longer wanted.
pub unsafe fn discard(base: NonNull<u8>, bytes: usize) {
    // SAFETY: by the caller's promise. On private anonymous memory of Linux DONTNEED zeroes at once.
    unsafe {
        libc::madvise(base.as_ptr().cast(), bytes, libc::MADV_DONTNEED);
    }
}

/// Asks for huge pages; a system without them ignores it.
///
/// # Safety
/// The range belongs to a mapping of this module.
pub unsafe fn advise_huge(base: NonNull<u8>, bytes: usize) {
    #[cfg(target_os = "linux")]
    // SAFETY: by the caller's promise; the advice changes no contents.
    unsafe {
        libc::madvise(base.as_ptr().cast(), bytes, libc::MADV_HUGEPAGE);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (base, bytes);
}

/// Asks for small pages only, where a huge page would commit much more than is used.
///
/// # Safety
/// The range belongs to a mapping of this module.
pub unsafe fn advise_small(base: NonNull<u8>, bytes: usize) {
    #[cfg(target_os = "linux")]
    // SAFETY: by the caller's promise; the advice changes no contents.
    unsafe {
        libc::madvise(base.as_ptr().cast(), bytes, libc::MADV_NOHUGEPAGE);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (base, bytes);
}

/// Has this thread take a signal: whoever started the process may have blocked it.
pub fn take_signal(signal: libc::c_int) {
    // SAFETY: all calls are given a set of this function's.
    unsafe {
        let mut signals: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut signals);
        libc::sigaddset(&mut signals, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &signals, std::ptr::null_mut());
    }
}

/// Processor time that this thread has used; zero where the system doesn't say.
pub fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes the structure that it is given.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) } != 0;
    if failed { Duration::ZERO } else { Duration::new(time.tv_sec as u64, time.tv_nsec as u32) }
}

/// Bytes of memory that this process may hope for: the machine's, or its control group's if that is less. `None` if
/// the system doesn't say.
pub fn memory_total() -> Option<u64> {
    // SAFETY: asks for numbers.
    let (pages, page) = unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
    let machine = u64::try_from(pages).ok().zip(u64::try_from(page).ok()).map(|(pages, page)| pages * page);
    let groups = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    // A group without a limit says "max", or a number beyond any machine.
    let group = groups.iter().filter_map(|path| std::fs::read_to_string(path).ok()?.trim().parse().ok()).min();
    [machine, group].into_iter().flatten().min()
}

/// Whether so many bytes of address space are left, where the process has a limit (`ulimit -v`).
pub fn has_address_space(bytes: usize) -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a live structure.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) } == 0;
    if !known || limit.rlim_cur == libc::RLIM_INFINITY {
        return true;
    }
    let Ok(base) = reserve(bytes) else { return false };
    // SAFETY: just mapped, and nobody else knows it.
    unsafe { unmap(base, bytes) };
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_memory() {
        let total = memory_total().unwrap();
        assert!((64 << 20..1 << 50).contains(&total), "{total}");
    }

    #[test]
    fn mappings_move_with_their_contents() {
        // SAFETY: one mapping, used at its newest address only.
        unsafe {
            let mut base = map_aligned(HUGE_PAGE, HUGE_PAGE).unwrap();
            base.write(7);
            // Something behind it, so that it can't stay where it is.
            let neighbour = map_aligned(HUGE_PAGE, HUGE_PAGE).unwrap();
            let mut bytes = HUGE_PAGE;
            for _ in 0..4 {
                base = remap_aligned(base, bytes, 2 * bytes, HUGE_PAGE).unwrap();
                bytes *= 2;
                assert_eq!((base.read(), base.add(bytes - 1).read()), (7, 0));
            }
            base = remap(base, bytes, 2 * bytes).unwrap();
            assert_eq!((base.read(), base.add(2 * bytes - 1).read()), (7, 0));
            unmap(base, 2 * bytes);
            unmap(neighbour, HUGE_PAGE);
        }
        assert!(map(1 << 60).is_err());
        assert_eq!(round_to_pages(usize::MAX), None);
    }
}
