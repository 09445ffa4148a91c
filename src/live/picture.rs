//! A picture as it was last looked at, and when each of its lines has changed.

use std::sync::atomic::{AtomicU32, Ordering};

/// Pixels that are looked at of one picture at most, a full screen of 1920 by 1080: 25 MB, and 3 to 5 ms of a core to
/// look at all of them, up to 10 if all have changed, 20 to 45 for the first time (`looks` in bench/). Of a larger one
/// every second, third … of every second, third … line.
pub const MOST: usize = 1920 * 1080;

/// What a browser draws at most, either way.
const LONGEST: usize = 8192;

/// Words of a pixel: red, green, blue.
pub const PIXEL: usize = 3;

/// The size of a picture, and what is looked at of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    pub width: usize,
    pub height: usize,
    /// From one pixel to the next, and from one line to the next.
    pub step: usize,
    pub columns: usize,
    pub rows: usize,
}

impl Shape {
    pub fn of(width: usize, height: usize) -> Shape {
        let mut shape = Shape { width, height, step: 1, columns: width, rows: height };
        while shape.columns.max(shape.rows) > LONGEST || shape.pixels() > MOST {
            shape.step += 1 + shape.step / 8;
            (shape.columns, shape.rows) = (width.div_ceil(shape.step), height.div_ceil(shape.step));
        }
        shape
    }

    /// Those that are looked at.
    pub fn pixels(self) -> usize {
        self.columns.saturating_mul(self.rows)
    }

    /// For how many pixels so many stand that were looked at.
    fn stands_for(self, seen: usize) -> u64 {
        let all = self.width as u64 * self.height as u64;
        if seen == self.pixels() { all } else { (seen as u64 * (self.step * self.step) as u64).min(all) }
    }
}

#[derive(Debug)]
pub struct Frame {
    shape: Shape,
    /// The words of each pixel.
    seen: Vec<[u32; PIXEL]>,
    /// By line: the version in which it changed.
    changed: Vec<u32>,
    pub version: u32,
}

impl Frame {
    /// Black, as a picture begins.
    pub fn new(shape: Shape) -> Frame {
        Frame { shape, seen: vec![[0; PIXEL]; shape.pixels()], changed: vec![0; shape.rows], version: 0 }
    }

    /// Takes in what the pixels are now, which is `version` where they differ; gives how many do. One of whose colours
    /// some are not written yet differs twice.
    pub fn look(&mut self, words: &[AtomicU32], version: u32) -> u64 {
        let Shape { width, step, columns, .. } = self.shape;
        let mut all = 0;
        let lines = self.seen.chunks_exact_mut(columns).zip(&mut self.changed);
        for (row, (seen, changed)) in lines.enumerate() {
            let start = row * step * width * PIXEL;
            let line = words.get(start..).unwrap_or_default();
            let mut count = 0;
            for (pixel, seen) in line.as_chunks().0.iter().step_by(step).zip(seen) {
                let now = pixel.each_ref().map(|word: &AtomicU32| word.load(Ordering::Relaxed));
                if now != *seen {
                    *seen = now;
                    count += 1;
                }
            }
            if count > 0 {
                *changed = version;
                self.version = version;
                all += count;
            }
        }
        self.shape.stands_for(all)
    }

    /// The lines that have changed after a version: that of the picture, then the number of each line and its colours,
    /// four bytes each.
    pub fn since(&self, version: u32) -> Vec<u8> {
        let mut bytes = self.version.to_le_bytes().to_vec();
        let lines = self.seen.chunks_exact(self.shape.columns).zip(&self.changed).enumerate();
        for (row, (pixels, _)) in lines.filter(|(_, (_, changed))| **changed > version) {
            bytes.extend((row as u32).to_le_bytes());
            let start = bytes.len();
            bytes.resize(start + 4 * pixels.len(), u8::MAX);
            for (color, pixel) in bytes[start..].chunks_exact_mut(4).zip(pixels) {
                color[..PIXEL].copy_from_slice(&pixel.map(level));
            }
        }
        bytes
    }
}

/// As `Image.save` writes it.
fn level(word: u32) -> u8 {
    (f32::from_bits(word) * 255.0 + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(pixels: &[f32]) -> Vec<AtomicU32> {
        pixels.iter().map(|value| AtomicU32::new(value.to_bits())).collect()
    }

    #[test]
    fn large_pictures_are_looked_at_in_steps() {
        let sizes = |shape: Shape| (shape.step, shape.columns, shape.rows);
        assert_eq!(sizes(Shape::of(1920, 1080)), (1, 1920, 1080));
        assert_eq!(sizes(Shape::of(3840, 2160)), (2, 1920, 1080));
        assert_eq!(sizes(Shape::of(1921, 1080)), (2, 961, 540));
        for (width, height) in [(1 << 30, 1), (1, 1 << 30), (1 << 20, 1 << 20), (9000, 3)] {
            let shape = Shape::of(width, height);
            assert!(shape.pixels() <= MOST && shape.columns.max(shape.rows) <= LONGEST, "{shape:?}");
            assert!((shape.columns - 1) * shape.step < width && (shape.rows - 1) * shape.step < height, "{shape:?}");
        }
    }

    #[test]
    fn lines_that_changed_are_given_since_a_version() {
        let mut pixels = vec![0.0; 4 * 3 * 3];
        let mut frame = Frame::new(Shape::of(4, 3));
        assert_eq!(frame.look(&words(&pixels), 1), 0);
        assert_eq!(frame.since(0), [0, 0, 0, 0]);
        // The second pixel of the last line.
        pixels[27..30].copy_from_slice(&[1.0, 0.5, f32::NAN]);
        assert_eq!(frame.look(&words(&pixels), 2), 1);
        let last = [2, 0, 0, 0, 0, 0, 0, 255, 255, 128, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255];
        assert_eq!(frame.since(0), [&[2, 0, 0, 0][..], &last].concat());
        assert_eq!(frame.since(2), [2, 0, 0, 0]);
        pixels[0] = -3.0;
        assert_eq!(frame.look(&words(&pixels), 3), 1);
        assert_eq!(frame.since(2).len(), 4 + 4 + 16);
        assert_eq!(frame.since(1).len(), 4 + 2 * (4 + 16));
    }

    #[test]
    fn what_was_looked_at_stands_for_the_rest() {
        let (width, height) = (3840, 2161);
        let mut frame = Frame::new(Shape::of(width, height));
        let pixels: Vec<AtomicU32> = (0..width * height * 3).map(|_| AtomicU32::new(1.0f32.to_bits())).collect();
        assert_eq!(frame.look(&pixels, 1), (width * height) as u64);
        pixels[0].store(0, Ordering::Relaxed);
        pixels[3].store(0, Ordering::Relaxed);
        assert_eq!(frame.look(&pixels, 2), (frame.shape.step * frame.shape.step) as u64);
        // Fewer words than the shape says are no reason to fail.
        assert_eq!(frame.look(&pixels[..5], 3), 0);
    }
}
