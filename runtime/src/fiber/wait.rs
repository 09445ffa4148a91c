//! What parked fibers wait for: timers and descriptors, in one system call that uses no CPU.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

/// What a task parks for. The operation itself is the task's to do when it is resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A span of time.
    Sleep(Duration),
    /// A read of the descriptor will not block (there are bytes, it has ended, or it fails).
    Readable(RawFd),
    /// A write to the descriptor will not block.
    Writable(RawFd),
}

impl Operation {
    /// A sleep of that many seconds: nothing for negatives and NaN, without end for what no clock can count.
    pub fn sleep(seconds: f64) -> Operation {
        let seconds = if seconds > 0.0 { seconds } else { 0.0 };
        Operation::Sleep(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }
}

/// How to look who need not wait any more.
pub(super) enum Look {
    Once,
    /// Until there is somebody, or this descriptor is readable.
    Wait(Option<RawFd>),
}

/// Fibers by what they wait for. `K` names a fiber.
pub(super) struct Waiting<K> {
    /// Earliest first, in the order of parking among equals.
    timers: BinaryHeap<Reverse<(Instant, u64, K)>>,
    parked: u64,
    descriptors: Vec<libc::pollfd>,
    /// The fiber of each descriptor.
    owners: Vec<K>,
    /// Sleeping for ever.
    lost: usize,
}

impl<K: Copy + Ord> Waiting<K> {
    pub(super) fn new() -> Waiting<K> {
        Waiting { timers: BinaryHeap::new(), parked: 0, descriptors: Vec::new(), owners: Vec::new(), lost: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.timers.is_empty() && self.descriptors.is_empty() && self.lost == 0
    }

    pub(super) fn park(&mut self, fiber: K, operation: Operation) {
        let (fd, events) = match operation {
            Operation::Sleep(span) => {
                match Instant::now().checked_add(span) {
                    Some(end) => self.timers.push(Reverse((end, self.parked, fiber))),
                    None => self.lost += 1,
                }
                self.parked += 1;
                return;
            }
            Operation::Readable(fd) => (fd, libc::POLLIN),
            Operation::Writable(fd) => (fd, libc::POLLOUT),
        };
        self.descriptors.push(libc::pollfd { fd, events, revents: 0 });
        self.owners.push(fiber);
    }

    /// Hands to `wake` whoever need not wait any more: descriptors in the order of parking, then timers by their
    /// time. Whether the descriptor of the look is readable.
    pub(super) fn collect(&mut self, look: Look, mut wake: impl FnMut(K)) -> bool {
        let (block, bell) = match look {
            Look::Once => (false, None),
            Look::Wait(bell) => (true, bell),
        };
        let mut rung = false;
        if block || !self.descriptors.is_empty() {
            let timeout = if !block {
                Some(Duration::ZERO)
            } else {
                self.timers.peek().map(|Reverse((end, ..))| end.saturating_duration_since(Instant::now()))
            };
            self.descriptors.extend(bell.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }));
            self.poll(timeout);
            rung = bell.and_then(|_| self.descriptors.pop()).is_some_and(|bell| bell.revents != 0);
            let mut at = 0;
            let owners = &mut self.owners;
            self.descriptors.retain(|descriptor| {
                let ready = descriptor.revents != 0;
                if ready {
                    wake(owners.remove(at));
                } else {
                    at += 1;
                }
                !ready
            });
        }
        if self.timers.is_empty() {
            return rung;
        }
        let now = Instant::now();
        while let Some(&Reverse((end, _, fiber))) = self.timers.peek() {
            if end > now {
                break;
            }
            self.timers.pop();
            wake(fiber);
        }
        rung
    }

    fn poll(&mut self, timeout: Option<Duration>) {
        for descriptor in &mut self.descriptors {
            descriptor.revents = 0;
        }
        let count = self.descriptors.len() as libc::nfds_t;
        #[cfg(target_os = "linux")]
        {
            let timeout = timeout.map(|span| libc::timespec {
                tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(span.subsec_nanos()),
            });
            let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
            // SAFETY: the vector's descriptors are live, the timeout too. Interrupted or refused, nobody is ready:
            // the caller comes again.
            unsafe { libc::ppoll(self.descriptors.as_mut_ptr(), count, timeout, std::ptr::null()) };
        }
        #[cfg(not(target_os = "linux"))]
        {
            let millis =
                timeout.map_or(-1, |span| i32::try_from(span.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX));
            // SAFETY: as above.
            unsafe { libc::poll(self.descriptors.as_mut_ptr(), count, millis) };
        }
    }
}
