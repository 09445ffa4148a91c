//! The pages that look at a program, so that its end waits until they have seen it.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A page that has not asked for so long is gone. One in the foreground asks every 100 ms, one in the background every
/// second, as browsers have it.
const GONE: Duration = Duration::from_millis(1500);
/// How long the end of a program waits for pages at most. One that is there needs 0.2 s.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pages that are waited for.
const MOST: usize = 64;

#[derive(Default)]
pub struct Guests {
    pages: Mutex<Vec<Page>>,
    changed: Condvar,
}

struct Page {
    number: u64,
    asked: Instant,
    /// It has shown how the program ended.
    seen: bool,
}

impl Guests {
    pub fn asks(&self, number: u64) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        match pages.iter_mut().find(|page| page.number == number) {
            Some(page) => page.asked = Instant::now(),
            None => {
                pages.retain(|page| page.asked.elapsed() < GONE);
                if pages.len() < MOST {
                    pages.push(Page { number, asked: Instant::now(), seen: false });
                }
            }
        }
    }

    pub fn sees(&self, number: u64) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.iter_mut().filter(|page| page.number == number).for_each(|page| page.seen = true);
        self.changed.notify_all();
    }

    /// Waits until all that are there have seen the end, or no longer than is reasonable.
    pub fn leave(&self) {
        let begun = Instant::now();
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let due = |page: &Page| (!page.seen).then(|| GONE.saturating_sub(page.asked.elapsed()));
            let wait = pages.iter().filter_map(due).max().unwrap_or_default();
            let wait = wait.min(PATIENCE.saturating_sub(begun.elapsed()));
            if wait.is_zero() {
                return;
            }
            (pages, _) = self.changed.wait_timeout(pages, wait).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_waits_for_pages_that_are_there() {
        let guests = Guests::default();
        let took = || {
            let begun = Instant::now();
            guests.leave();
            begun.elapsed()
        };
        assert!(took() < Duration::from_millis(500), "nobody is there");
        guests.asks(1);
        guests.asks(2);
        guests.sees(2);
        let waited = took();
        assert!(waited >= Duration::from_millis(1000) && waited < Duration::from_secs(8), "{waited:?}");
        assert!(took() < Duration::from_millis(500), "it is gone");
        guests.asks(1);
        guests.sees(1);
        assert!(took() < Duration::from_millis(500), "it has seen it");
    }

    #[test]
    fn pages_without_end_are_not_counted() {
        let guests = Guests::default();
        (0..10_000).for_each(|number| guests.asks(number));
        assert_eq!(guests.pages.lock().unwrap().len(), MOST);
    }
}
