//! What it takes to look at the pictures of `--live`: at one of as many pixels as are looked at, of which none, all, or a
//! first time all have changed, and what a page is sent then; at many that have ended.
//!
//!     cargo run --release -p scaly-bench --bin looks
//!
//! The least and the most of some rounds.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use scaly::live::picture::{Frame, PIXEL, Shape};
use scaly::live::pictures::{MOST_PICTURES, Pictures};
use scaly_interp::interpreter::Screen;

const ROUNDS: u32 = 11;

fn milliseconds<T>(run: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    std::hint::black_box(run());
    start.elapsed().as_secs_f64() * 1e3
}

fn row(what: &str, unit: &str, figures: &[f64]) {
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let most = figures.iter().copied().fold(0.0, f64::max);
    println!("{least:>8.2} {most:>8.2} {unit}  {what}");
}

fn main() {
    let shape = Shape::of(1920, 1080);
    let words: Vec<AtomicU32> = (0..shape.pixels() * PIXEL).map(|_| AtomicU32::new(0)).collect();
    let (mut first, mut same, mut changed, mut sent) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let write = |word: u32| words.iter().for_each(|each| each.store(word, Ordering::Relaxed));
        let mut frame = Frame::new(shape);
        write(round);
        first.push(milliseconds(|| frame.look(&words, 1)));
        same.push(milliseconds(|| frame.look(&words, 2)));
        write(round + ROUNDS);
        changed.push(milliseconds(|| frame.look(&words, 3)));
        sent.push(milliseconds(|| frame.since(2)));
    }
    println!("{:>8} {:>8}", "least", "most");
    row("all pixels, a first time", "ms", &first);
    row("none of which has changed", "ms", &same);
    row("all of which have", "ms", &changed);
    row("and are made to be sent", "ms", &sent);
    let pictures = Pictures::default();
    (0..MOST_PICTURES).for_each(|_| drop(pictures.picture(1, 1)));
    let ended = (0..ROUNDS).map(|_| milliseconds(|| pictures.look()) * 1e6 / MOST_PICTURES as f64).collect::<Vec<_>>();
    row("for each picture that has ended", "ns", &ended);
}
