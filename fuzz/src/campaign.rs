//! Runs seeds in processes of their own, several at once.
//!
//! A program under test can take its process down, or never end: so seeds run in a child that says which one it is at.
//! The next child starts behind a seed that crashed or hung.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader};
use std::ops::Range;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::driver::Mode;
use crate::small;
use crate::traces::{Stage, Tally};

/// Longer than any sample takes on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(10);

/// Seeds that a child tests: some seconds, beside which its start does not count.
const BLOCK: u64 = 1024;

/// What to run.
#[derive(Clone, Debug)]
pub struct Campaign {
    pub mode: Mode,
    pub seeds: std::ops::Range<u64>,
    pub time: Option<Duration>,
    /// Where small failing programs are written.
    pub keep: PathBuf,
    /// How many of each kind of failure are made small.
    pub each: u64,
    /// Processes that test at once, at least one.
    pub jobs: usize,
    /// Programs that almost-programs are made of, beside generated ones.
    pub corpus: Vec<PathBuf>,
}

impl Campaign {
    fn is_over(&self, start: Instant) -> bool {
        self.time.is_some_and(|time| start.elapsed() >= time)
    }
}

/// This program with little memory.
pub fn limited(arguments: &[&str]) -> io::Result<Command> {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 6000000; exec \"$0\" \"$@\""]);
    command.arg(std::env::current_exe()?).args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
    Ok(command)
}

/// What a campaign came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// The kinds of failures, how often each came, and the first seed.
    pub failures: BTreeMap<String, (u64, u64)>,
    /// Whether native code ran where it was to be tested.
    pub idle: bool,
}

impl Report {
    pub fn passed(&self) -> bool {
        self.failures.is_empty() && !self.idle
    }
}

/// What jobs share.
struct Shared<'a> {
    campaign: &'a Campaign,
    start: Instant,
    /// Those that no job has taken.
    seeds: Mutex<Range<u64>>,
    noted: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    failures: BTreeMap<String, (u64, u64)>,
    tally: Tally,
    tested: u64,
    /// What making programs small takes is no time of the test.
    reducing: Duration,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a campaign.
pub fn run(campaign: &Campaign) -> io::Result<Report> {
    let shared =
        Shared { campaign, start: Instant::now(), seeds: Mutex::new(campaign.seeds.clone()), noted: Mutex::default() };
    thread::scope(|scope| {
        let shared = &shared;
        let jobs: Vec<_> = (0..campaign.jobs).map(|job| scope.spawn(move || shared.work(job))).collect();
        jobs.into_iter().try_for_each(|job| job.join().unwrap_or_else(|_| Err(io::Error::other("a job panicked"))))
    })?;
    let elapsed = shared.start.elapsed();
    let noted = shared.noted.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("{} seeds, {:.0} s, {} at once", noted.tested, elapsed.as_secs_f64(), campaign.jobs);
    if campaign.mode.native() {
        let tested = elapsed.saturating_sub(noted.reducing / campaign.jobs as u32);
        println!("{}", noted.tally.report(tested.as_secs_f64()));
    }
    Ok(Report { failures: noted.failures, idle: campaign.mode.native() && !noted.tally.enters() })
}

impl Shared<'_> {
    /// Tests blocks of seeds until there are none or the time is over.
    fn work(&self, job: usize) -> io::Result<()> {
        while !self.campaign.is_over(self.start) {
            let mut seeds = {
                let mut left = lock(&self.seeds);
                let first = left.start;
                left.start = left.end.min(first.saturating_add(BLOCK));
                first..left.start
            };
            if seeds.is_empty() {
                break;
            }
            while !seeds.is_empty() && !self.campaign.is_over(self.start) {
                seeds.start = self.child(job, seeds.clone())?;
            }
        }
        Ok(())
    }

    /// Tests seeds in a child; gives the first that is still to be tested.
    fn child(&self, job: usize, seeds: Range<u64>) -> io::Result<u64> {
        let (first, end) = (seeds.start.to_string(), seeds.end.to_string());
        let mut command = limited(&["--child", self.campaign.mode.name(), &first, &end])?;
        let mut process = command.args(&self.campaign.corpus).stdout(Stdio::piped()).spawn()?;
        let (send, lines) = mpsc::channel();
        let output = process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let (mut at, mut interpreting) = (seeds.start, false);
        let next = loop {
            if self.campaign.is_over(self.start) {
                break seeds.end;
            }
            match lines.recv_timeout(LIMIT) {
                Ok(line) => match line.split_once(' ') {
                    Some(("seed", number)) => {
                        (at, interpreting) = (number.parse().unwrap_or(at), false);
                        lock(&self.noted).tested += 1;
                    }
                    Some(("stage", name)) => interpreting = name == Stage::Interpreting.name(),
                    Some(("tally", counts)) => lock(&self.noted).tally.read(counts),
                    Some(("fail", kind)) => self.failed(job, at, kind)?,
                    _ => break seeds.end,
                },
                Err(mpsc::RecvTimeoutError::Timeout) if interpreting => {
                    lock(&self.noted).tally.add("endless", 1);
                    break at + 1;
                }
                Err(error) => {
                    let kind = if error == mpsc::RecvTimeoutError::Timeout { "hangs" } else { "crashes" };
                    self.failed(job, at, kind)?;
                    break at + 1;
                }
            }
        };
        let _ = process.kill();
        process.wait()?;
        Ok(next)
    }

    /// Notes a failure, and writes a small program for it.
    fn failed(&self, job: usize, seed: u64, kind: &str) -> io::Result<()> {
        let count = {
            let mut noted = lock(&self.noted);
            let entry = noted.failures.entry(kind.to_string()).or_insert((0, seed));
            *entry = (entry.0 + 1, entry.1.min(seed));
            entry.0
        };
        if count <= self.campaign.each {
            println!("seed {seed}: {kind}");
            let start = Instant::now();
            let path = small::minimize(self.campaign, job, seed, kind)?;
            println!("seed {seed}: {}", path.display());
            lock(&self.noted).reducing += start.elapsed();
        }
        Ok(())
    }
}
