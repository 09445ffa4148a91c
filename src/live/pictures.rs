//! The pictures of a program, and which of them is shown.
//!
//! Shown is the one that was written last, and still the same one where several are. A picture that ends is looked at
//! once more by the thread that ends it, so that what it had become is not lost.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use scaly_interp::interpreter::Screen;
use scaly_runtime::memory::Window;

use super::picture::{Frame, MOST, Shape};

/// Pixels that are looked at of all pictures: two full screens, 50 MB. Of more pictures, those written last.
const MOST_TOGETHER: usize = 2 * MOST;
/// Pictures that are looked at: to ask one that has ended takes 25 ns (`looks` in bench/).
pub const MOST_PICTURES: usize = 256;
/// Pictures that come and go faster than this, one after the other, and are not shown, are not looked at when they end:
/// copying a full screen takes the program 10 ms, as long as filling it with a colour does.
const ENDS: Duration = Duration::from_millis(25);

#[derive(Default)]
pub struct Pictures {
    inner: Mutex<Inner>,
    common: Arc<Common>,
}

#[derive(Default)]
struct Inner {
    /// By age.
    all: Vec<Arc<Picture>>,
    shown: Option<Arc<Picture>>,
    made: u64,
}

/// What all pictures share.
struct Common {
    begun: Instant,
    version: AtomicU32,
    /// Microseconds from the beginning until a picture that ended was looked at.
    ended: AtomicU64,
}

impl Default for Common {
    fn default() -> Common {
        Common { begun: Instant::now(), version: AtomicU32::new(0), ended: AtomicU64::new(0) }
    }
}

pub struct Picture {
    pub id: u64,
    film: Arc<Film>,
    window: Arc<Window>,
}

/// What is known of a picture, beside its window. Locked under that one's lock, and alone, never the other way round.
struct Film {
    shape: Shape,
    /// None before anybody looked.
    frame: Mutex<Option<Frame>>,
    /// Pixels that changed since it was last asked for.
    changed: AtomicU64,
    shown: AtomicBool,
    ended: AtomicBool,
    /// There were too many.
    forgotten: AtomicBool,
    made: Instant,
    common: Arc<Common>,
}

impl Screen for Pictures {
    fn picture(&self, width: usize, height: usize) -> Option<Arc<Window>> {
        let film = Arc::new(Film {
            shape: Shape::of(width, height),
            frame: Mutex::new(None),
            changed: AtomicU64::new(0),
            shown: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            forgotten: AtomicBool::new(false),
            made: Instant::now(),
            common: self.common.clone(),
        });
        let last = film.clone();
        let window = Arc::new(Window::new(move |words| last.ends(words)));
        let mut inner = self.inner();
        inner.made += 1;
        let picture = Arc::new(Picture { id: inner.made, film, window: window.clone() });
        inner.all.push(picture.clone());
        if inner.shown.is_none() {
            inner.show(picture);
        }
        inner.forget();
        Some(window)
    }
}

impl Pictures {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at all of them, and decides which is shown. Gives how many pixels have changed since the last time.
    pub fn look(&self) -> u64 {
        let all = self.inner().all.clone();
        let mut total = 0;
        let mut best: Option<(u64, &Arc<Picture>)> = None;
        for picture in &all {
            picture.window.look(|words| picture.film.look(words));
            let changed = picture.film.changed.swap(0, Ordering::Relaxed);
            total += changed;
            // One that is shown stays so as long as it changes; of others, the newest of those that changed most.
            let weight = if picture.film.shown() { u64::MAX } else { changed };
            if changed > 0 && best.is_none_or(|(most, _)| weight >= most) {
                best = Some((weight, picture));
            }
        }
        let mut inner = self.inner();
        if let Some((_, picture)) = best {
            inner.show(picture.clone());
        }
        inner.all.retain(|picture| picture.film.shown() || !picture.film.ended.load(Ordering::Relaxed));
        total
    }

    pub fn shown(&self) -> Option<Arc<Picture>> {
        self.inner().shown.clone()
    }

    /// How many the program has made.
    pub fn made(&self) -> u64 {
        self.inner().made
    }
}

impl Inner {
    fn show(&mut self, picture: Arc<Picture>) {
        if let Some(before) = &self.shown {
            before.film.shown.store(false, Ordering::Relaxed);
        }
        picture.film.shown.store(true, Ordering::Relaxed);
        self.shown = Some(picture);
    }

    /// Makes room where there are too many: those that have ended go first, then those that were written longest ago.
    fn forget(&mut self) {
        let pixels = |all: &[Arc<Picture>]| all.iter().map(|picture| picture.film.shape.pixels()).sum::<usize>();
        while self.all.len() > MOST_PICTURES || pixels(&self.all) > MOST_TOGETHER {
            let Some((_new, old)) = self.all.split_last() else { return };
            let others = old.iter().enumerate().filter(|(_, picture)| !picture.film.shown());
            let age = |(_, picture): &(usize, &Arc<Picture>)| {
                let film = &picture.film;
                (!film.ended.load(Ordering::Relaxed), film.frame().as_ref().map_or(0, |frame| frame.version))
            };
            let Some((at, _)) = others.min_by_key(age) else { return };
            self.all.remove(at).film.forgotten.store(true, Ordering::Relaxed);
        }
    }
}

impl Picture {
    pub fn shape(&self) -> Shape {
        self.film.shape
    }

    pub fn version(&self) -> u32 {
        self.film.frame().as_ref().map_or(0, |frame| frame.version)
    }

    /// As [`Frame::since`].
    pub fn since(&self, version: u32) -> Vec<u8> {
        self.film.frame().get_or_insert_with(|| Frame::new(self.film.shape)).since(version)
    }
}

impl Film {
    fn frame(&self) -> MutexGuard<'_, Option<Frame>> {
        self.frame.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shown(&self) -> bool {
        self.shown.load(Ordering::Relaxed)
    }

    fn look(&self, words: &[AtomicU32]) {
        let version = self.common.version.fetch_add(1, Ordering::Relaxed) + 1;
        let changed = self.frame().get_or_insert_with(|| Frame::new(self.shape)).look(words, version);
        self.changed.fetch_add(changed, Ordering::Relaxed);
    }

    fn ends(&self, words: &[AtomicU32]) {
        let now = self.common.begun.elapsed();
        let before = Duration::from_micros(self.common.ended.load(Ordering::Relaxed));
        let fleeting = self.made.elapsed() < ENDS && now.saturating_sub(before) < ENDS && !before.is_zero();
        if self.shown() || !fleeting && !self.forgotten.load(Ordering::Relaxed) {
            self.look(words);
            let micros = self.common.begun.elapsed().as_micros() as u64;
            self.common.ended.store(micros.max(1), Ordering::Relaxed);
        }
        self.ended.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(pictures: &Pictures) -> Vec<u64> {
        pictures.inner().all.iter().map(|picture| picture.id).collect()
    }

    #[test]
    fn of_many_pictures_the_shown_and_the_new_ones_are_followed() {
        let pictures = Pictures::default();
        for _ in 0..2000 {
            pictures.picture(3, 2);
        }
        let ids = followed(&pictures);
        assert_eq!((ids.len(), ids[0], ids[1]), (MOST_PICTURES, 1, 2000 - 254));
        assert_eq!((pictures.made(), pictures.shown().map(|picture| picture.id)), (2000, Some(1)));
    }

    #[test]
    fn of_large_pictures_there_are_fewer() {
        let pictures = Pictures::default();
        (0..5).for_each(|_| drop(pictures.picture(1920, 1080)));
        assert_eq!(followed(&pictures), [1, 5]);
    }
}
