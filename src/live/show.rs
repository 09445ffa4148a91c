//! What there is to see of a run, kept up to date by one thread and asked for by others.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use scaly_interp::bytecode::{Instruction, Opcode};
use scaly_interp::program::Program;
use scaly_interp::routine::Routine;
use scaly_runtime::os;
use scaly_tracer::log::{Follower, Statistics};
use scaly_tracer::now::Doing;
use serde::Serialize;

use super::guests::Guests;
use super::loops::{LoopLine, Loops, tier_of};
use super::pictures::Pictures;
use super::request::Asked;
use super::timeline::{Point, Timeline};
use crate::engine::Compiled;
use crate::explain::Tier;

/// Version of the state's JSON.
const SCHEMA: u32 = 1;

/// From one time that it is asked what runs to the next: a fiftieth of the time so far, within these. A program that
/// has just begun goes through all tiers in a tenth of a second. To ask takes 20 µs, 0.1 % of a core in the long run.
const OFTEN: Duration = Duration::from_millis(5);
const SELDOM: Duration = Duration::from_millis(20);
const SHARE: u32 = 50;
/// How many times longer than a look at the pictures takes, in processor time, the pause behind it is: 3 % of one core.
/// But for very large pictures, or when they are looked at first: one that changes five times a second still moves.
const REST: u32 = 30;
const LONGEST_REST: Duration = Duration::from_millis(200);

const PAGE: &str = include_str!("page.html");
/// What stands in it for the number of the page.
const NUMBER: &str = "{{page}}";

pub struct Show {
    pub pictures: Arc<Pictures>,
    pub follower: Follower,
    pub guests: Guests,
    name: String,
    /// Whether the program has a place where it makes an Image.
    has_pictures: bool,
    begun: Instant,
    progress: Mutex<Progress>,
    pages: AtomicU64,
    /// Somebody has asked for the state.
    asked: AtomicBool,
    /// No more looks are wanted.
    over: Mutex<bool>,
    ends: Condvar,
}

struct Progress {
    timeline: Timeline,
    loops: Loops,
    doing: Doing,
    /// Seconds from the start until the last look.
    now: f64,
    pixels: u64,
    ended: Option<End>,
}

/// How the program ended.
#[derive(Clone, Serialize, Debug)]
pub struct End {
    pub status: i32,
    pub error: Option<String>,
}

/// What a page is told; `docs/live.md` describes it.
#[derive(Serialize)]
struct State<'a> {
    v: u32,
    program: &'a str,
    seconds: f64,
    /// By whom, and on how many threads, the program is run at the moment.
    tier: Tier,
    threads: u32,
    /// The line that runs, as far as that is known.
    line: Option<u32>,
    has_pictures: bool,
    pictures: u64,
    picture: Option<PictureState>,
    pixels: u64,
    pixels_per_second: f64,
    /// Seconds of a point of the timeline, and the points.
    stretch: f64,
    timeline: Vec<Point>,
    loops: Vec<LoopLine>,
    ended: Option<End>,
}

#[derive(Serialize)]
struct PictureState {
    id: u64,
    width: usize,
    height: usize,
    step: usize,
    columns: usize,
    rows: usize,
    version: u32,
}

/// The body of an answer, and what it is.
pub struct Answer {
    pub kind: &'static str,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(text: &str) -> Answer {
        Answer { kind: "text/plain; charset=utf-8", body: text.into() }
    }
}

impl Show {
    pub fn new(name: String, compiled: &Compiled) -> Show {
        Show {
            pictures: Arc::default(),
            follower: Follower::default(),
            guests: Guests::default(),
            name,
            has_pictures: has_pictures(&compiled.program),
            begun: Instant::now(),
            progress: Mutex::new(Progress {
                timeline: Timeline::new(),
                loops: Loops::new(compiled.program.clone(), compiled.sources.clone()),
                doing: Doing::Interpreting,
                now: 0.0,
                pixels: 0,
                ended: None,
            }),
            pages: AtomicU64::new(0),
            asked: AtomicBool::new(false),
            over: Mutex::new(false),
            ends: Condvar::new(),
        }
    }

    pub fn has_pictures(&self) -> bool {
        self.has_pictures
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn statistics(&self) -> Statistics {
        self.follower.statistics.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks from time to time, until that is over.
    pub fn watch(&self) {
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Duration::ZERO;
        while !*over {
            self.follow(self.follower.now.doing());
            if self.begun.elapsed() >= due {
                let before = os::thread_time();
                self.look();
                let cost = os::thread_time().saturating_sub(before);
                due = self.begun.elapsed() + (cost * REST).clamp(SELDOM, LONGEST_REST);
            }
            self.judge();
            let pause = (self.begun.elapsed() / SHARE).clamp(OFTEN, SELDOM);
            (over, _) = self.ends.wait_timeout(over, pause).unwrap_or_else(PoisonError::into_inner);
        }
        self.judge();
    }

    /// Finds out what keeps loops from more, once somebody wants to know: less than 10 ms for the raytracer's
    /// (`scaly explain --static` against `scaly check`), once for each.
    fn judge(&self) {
        if self.asked.load(Ordering::Relaxed) {
            self.progress().loops.judge();
        }
    }

    /// The program has ended: who watches is to stop.
    pub fn stop(&self) {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ends.notify_all();
    }

    /// Takes in what runs.
    fn follow(&self, doing: Doing) {
        let statistics = self.follower.statistics.lock().unwrap_or_else(PoisonError::into_inner);
        let mut progress = self.progress();
        let now = self.begun.elapsed().as_secs_f64();
        let seconds = now - progress.now;
        progress.loops.follow(&statistics, now);
        drop(statistics);
        progress.loops.found(doing, now, seconds);
        progress.timeline.runs(now, tier_of(doing));
        (progress.doing, progress.now) = (doing, now);
    }

    /// Takes in what has changed.
    fn look(&self) {
        let changed = self.pictures.look();
        let mut progress = self.progress();
        progress.timeline.changed(self.begun.elapsed().as_secs_f64(), changed);
        progress.pixels += changed;
    }

    /// The program has ended, and nobody watches any more: there is a last look.
    pub fn end(&self, end: End) {
        let before = self.progress().doing;
        self.follow(before);
        self.look();
        self.progress().ended = Some(end);
    }

    pub fn answer(&self, asked: Asked) -> Answer {
        match asked {
            Asked::Page => {
                let number = self.pages.fetch_add(1, Ordering::Relaxed) + 1;
                self.guests.asks(number);
                Answer { kind: "text/html; charset=utf-8", body: PAGE.replace(NUMBER, &number.to_string()).into() }
            }
            Asked::State { page } => {
                self.guests.asks(page);
                self.asked.store(true, Ordering::Relaxed);
                // Serializing plain data with keys of text does not fail.
                Answer { kind: "application/json", body: serde_json::to_vec(&self.state()).unwrap_or_default() }
            }
            Asked::Picture { id, after } => {
                let picture = self.pictures.shown().filter(|picture| picture.id == id);
                let body = picture.map(|picture| picture.since(after)).unwrap_or_default();
                Answer { kind: "application/octet-stream", body }
            }
            Asked::Seen { .. } => Answer::text(""),
        }
    }

    /// The answer has been sent.
    pub fn answered(&self, asked: Asked) {
        if let Asked::Seen { page } = asked {
            self.guests.sees(page);
        }
    }

    fn state(&self) -> State<'_> {
        let statistics = self.statistics();
        let progress = self.progress();
        let now = progress.now;
        // Behind the lock of what says that it has ended, so that it is the last one then.
        let picture = self.pictures.shown().map(|picture| {
            let shape = picture.shape();
            PictureState {
                id: picture.id,
                width: shape.width,
                height: shape.height,
                step: shape.step,
                columns: shape.columns,
                rows: shape.rows,
                version: picture.version(),
            }
        });
        State {
            v: SCHEMA,
            program: &self.name,
            seconds: now,
            tier: tier_of(progress.doing),
            threads: if let Doing::Parallel(_, threads) = progress.doing { threads } else { 1 },
            line: progress.loops.line_of(progress.doing),
            has_pictures: self.has_pictures,
            pictures: self.pictures.made(),
            picture,
            pixels: progress.pixels,
            pixels_per_second: progress.timeline.pixels_per_second(),
            stretch: progress.timeline.stretch(),
            timeline: progress.timeline.points(),
            loops: progress.loops.lines(&statistics, now),
            ended: progress.ended.clone(),
        }
    }
}

/// Whether a program can make an Image at all.
fn has_pictures(program: &Program) -> bool {
    let makes = |inst: &Instruction| Routine::from_number(inst.x) == Some(Routine::PictureNew);
    program.code.iter().any(|inst| inst.op == Opcode::Runtime && makes(inst))
}
