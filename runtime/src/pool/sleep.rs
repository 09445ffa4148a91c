//! Who of the helpers is idle, who sleeps, and whom new work wakes.
//!
//! All of it is one word, changed by read-modify-writes only, so that its changes have one order that everybody agrees
//! on:
//!
//! ```text
//!   63            32 31         16 15          0
//!  +----------------+-------------+-------------+
//!  |     epoch      |  searching  |   asleep    |
//!  +----------------+-------------+-------------+
//! ```
//!
//! The epoch counts announcements of work. *Searching* are the helpers that look for work or spin; *asleep* are those
//! that wait to be woken, among them those whose threads were not started yet: the first wake-up starts the thread.
//!
//! **No wake-up is lost.** Work is put where a search finds it, and then announced. A helper reads the epoch, searches,
//! and may fall asleep only if the epoch is still the same. Take an announcement and a helper's falling asleep; both
//! change the word, so one comes first.
//! - *The announcement first*: either it came before the helper read the epoch, which acquires what the announcement
//!   released, so the search saw the work (or somebody else took it); or the epoch is another, and it searches again.
//! - *The sleep first*: the announcement sees it counted. It wakes one, unless another is searching; that one has not
//!   fallen asleep yet, and the first case holds for it.
//!
//! That one searcher may be relied on by several announcements. So the last searcher that found work looks whether
//! there is more, and wakes the next ([`Sleep::found`]). Wake-ups are chained by this, too: each woken helper wakes
//! another while there is work, so that starting many is quick.
//!
//! Nothing depends on this but speed: whoever put work out takes back what nobody took.

use std::sync::PoisonError;

use crossbeam_utils::CachePadded;

use super::sync::{AtomicU64, Mutex, Ordering, Parker};

const ASLEEP: u64 = 1;
const SEARCHING: u64 = 1 << 16;
const EPOCH: u64 = 1 << 32;
/// The most helpers that the word can count.
pub(super) const MOST: usize = u16::MAX as usize;

fn asleep(word: u64) -> u64 {
    word & 0xffff
}

fn searching(word: u64) -> u64 {
    word >> 16 & 0xffff
}

/// The number of announcements at some moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Epoch(u64);

/// Who would take work that is offered now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hunger {
    pub(super) searching: usize,
    /// They have to be woken.
    pub(super) asleep: usize,
}

/// Helpers are numbered from 0.
pub(super) struct Sleep {
    word: CachePadded<AtomicU64>,
    /// Those asleep. It changes together with their number in the word, but for the moment within the lock.
    sleepers: Mutex<Vec<usize>>,
    parkers: Box<[CachePadded<Parker>]>,
}

impl Sleep {
    /// All of them asleep.
    pub(super) fn new(helpers: usize) -> Sleep {
        assert!(helpers <= MOST);
        Sleep {
            word: CachePadded::new(AtomicU64::new(helpers as u64 * ASLEEP)),
            sleepers: Mutex::new((0..helpers).rev().collect()),
            parkers: (0..helpers).map(|_| CachePadded::new(Parker::new())).collect(),
        }
    }

    fn sleepers(&self) -> impl std::ops::DerefMut<Target = Vec<usize>> + '_ {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A hint, asked between chunks; so it orders nothing.
    #[inline]
    pub(super) fn hunger(&self) -> Hunger {
        let word = self.word.load(Ordering::Relaxed);
        Hunger { searching: searching(word) as usize, asleep: asleep(word) as usize }
    }

    /// To be read before a search; what was announced before is seen by it.
    pub(super) fn epoch(&self) -> Epoch {
        Epoch(self.word.load(Ordering::Acquire) / EPOCH)
    }

    /// Whether something was announced since. Relaxed: whoever sees it calls [`Sleep::epoch`] before it searches.
    #[inline]
    pub(super) fn is_news(&self, epoch: Epoch) -> bool {
        self.word.load(Ordering::Relaxed) / EPOCH != epoch.0
    }

    /// Says that there is work, and returns a helper to be roused, if nobody would find it otherwise.
    #[must_use]
    pub(super) fn announce(&self) -> Option<usize> {
        // Release: the work was put out before. Acquire isn't needed for the counts, which are in the word itself.
        let word = self.word.fetch_add(EPOCH, Ordering::Release);
        (searching(word) == 0 && asleep(word) > 0).then(|| self.claim()).flatten()
    }

    /// Takes one that is asleep, which counts as searching from now on; the caller has to start its thread or
    /// [`Sleep::unpark`] it.
    #[must_use]
    pub(super) fn claim(&self) -> Option<usize> {
        let mut sleepers = self.sleepers();
        let helper = sleepers.pop()?;
        // Relaxed here and in the counts below: the list is ordered by its lock, and the counts publish nothing.
        self.word.fetch_add(SEARCHING - ASLEEP, Ordering::Relaxed);
        Some(helper)
    }

    pub(super) fn unpark(&self, helper: usize) {
        self.parkers[helper].unpark();
    }

    /// A helper begins to search.
    pub(super) fn search(&self) {
        self.word.fetch_add(SEARCHING, Ordering::Relaxed);
    }

    /// A helper found something and searches no longer. True if it was the last one and others sleep: then it has to
    /// look whether there is more work, and [`Sleep::claim`] a helper for it.
    ///
    /// Acquire: an announcement that relied on this helper came before, and its work must be seen by that look.
    #[must_use]
    pub(super) fn found(&self) -> bool {
        let word = self.word.fetch_sub(SEARCHING, Ordering::Acquire);
        searching(word) == 1 && asleep(word) > 0
    }

    /// A helper that found nothing since `epoch` sleeps until it is claimed and unparked. False, and no sleep, if
    /// something was announced in the meantime. It searches before and after.
    pub(super) fn sleep(&self, helper: usize, epoch: Epoch) -> bool {
        let mut sleepers = self.sleepers();
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word / EPOCH != epoch.0 {
                return false;
            }
            // Relaxed is enough: what matters is only where this change stands among the others of the word.
            let next = word - SEARCHING + ASLEEP;
            match self.word.compare_exchange_weak(word, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
        sleepers.push(helper);
        drop(sleepers);
        // Nobody unparks a helper that it didn't claim, so one token is one claim.
        self.parkers[helper].park();
        true
    }

    /// The claimed `helper` and those asleep that `stay` refuses are never there again: their threads can't be started.
    pub(super) fn retire(&self, helper: usize, stay: impl Fn(usize) -> bool) {
        let mut sleepers = self.sleepers();
        let before = sleepers.len();
        sleepers.retain(|&other| other != helper && stay(other));
        let gone = (before - sleepers.len()) as u64;
        self.word.fetch_sub(SEARCHING + gone * ASLEEP, Ordering::Relaxed);
    }

    /// Wakes all that sleep, and makes those that search look again. `started` tells whose thread exists.
    pub(super) fn wake_all(&self, started: impl Fn(usize) -> bool) {
        // Release: what they are to see when they look was written before.
        self.word.fetch_add(EPOCH, Ordering::Release);
        while let Some(helper) = self.claim() {
            if started(helper) {
                self.unpark(helper);
            }
        }
    }
}
