//! Native traces against the interpreter: the same program under both, with parameters drawn at random.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use scaly::engine::{self, Compiled, RunOptions};
use scaly_interp::interpreter::{Ended, Finished, RuntimeError, TraceLine};
use scaly_interp::machine::Fault;
use scaly_tracer::log::{Statistics, TraceKind, Variant};
use scaly_tracer::parameters::Parameters;

use crate::check::{Verdict, difference, shape};
use crate::choice::Choices;
use crate::program::{self, Caught};
use crate::small::output_lines;
use crate::tree::INPUT;

/// Microseconds that this thread has run.
pub fn processor_time() -> u64 {
    scaly_runtime::os::thread_time().as_micros() as u64
}

/// How a program is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    pub jit: Option<Parameters>,
    pub guard: bool,
    pub stack_slots: u64,
    /// Of parallel loops.
    pub threads: usize,
}

impl Settings {
    /// The interpreter's for a seed.
    pub fn interpreted(seed: u64) -> Settings {
        let mut choices = Choices::seeded(seed ^ 0x57AC_0000_0000);
        let stack_slots = match choices.weighted(&[(6, 0), (1, 1), (1, 2)]) {
            0 => *choices.pick(&[1 << 16, 1 << 19]),
            1 => choices.within(150, 800) as u64,
            _ => choices.within(800, 5000) as u64,
        };
        Settings { jit: None, guard: choices.chance(10), stack_slots, threads: 1 }
    }

    /// With traces; with loops compiled whole, too, if `whole`.
    pub fn traced(seed: u64, whole: bool) -> Settings {
        let mut choices = Choices::seeded(seed ^ 0x7ACE_0000_0000);
        let mut p = Parameters::eager();
        let hot = *choices.pick(&[1, 1, 2, 3]);
        p.hot = hot;
        p.hot_function = *choices.pick(&[hot, hot, 1, 2, 5, 1_000_000]);
        p.hot_exit = *choices.pick(&[hot, 1, 2, 4, 10]);
        p.hot_backoff = 2;
        // What aborts is tried again soon.
        p.attempts = *choices.pick(&[6, 1, 20]);
        p.blacklist = *choices.pick(&[2, 64]);
        p.code_memory = *choices.pick(&[512, 512, 512, 256, 64, 16, 4]);
        let mut may = |field: &mut u32, values: &[u32]| {
            if choices.chance(20) {
                *field = *choices.pick(values);
            }
        };
        may(&mut p.max_trace, &[300, 60, 120, 1000, 20]);
        may(&mut p.max_exits, &[30, 10, 100]);
        may(&mut p.max_side_traces, &[0, 1, 3, 10]);
        may(&mut p.callees, &[0, 0, 1, 2]);
        may(&mut p.inline_depth, &[0, 1, 2, 4]);
        may(&mut p.inline_size, &[0, 5, 20, 60]);
        may(&mut p.specializations, &[0, 1, 2, 8]);
        may(&mut p.fixed_divisors, &[0, 1, 5]);
        may(&mut p.spills, &[4, 0, 8, 32]);
        may(&mut p.unroll, &[0, 1, 2, 4, 40]);
        may(&mut p.hoist, &[0]);
        may(&mut p.stable, &[1, 10]);
        may(&mut p.count, &[1]);
        let seed = choices.within(1, 1 << 30) as u32;
        may_seed(&mut choices, &mut p.random_registers, seed);
        may_seed(&mut choices, &mut p.forced_exits, seed ^ 0x55);
        p.llvm = if whole { 2 } else { 0 };
        p.chunk = *choices.pick(&[1, 1, 3, 0, 300]);
        p.steal = if choices.chance(50) { seed } else { 0 };
        p.stretch = *choices.pick(&[0, 0, 20, p.stretch]);
        let threads = *choices.pick(&[3, 1, 2, 16]);
        // Sums of floats are added up behind the iterations, a few terms at a time.
        p.dear = *choices.pick(&[0, 0, 0, 4, 50]);
        p.term = *choices.pick(&[2000, 0]);
        p.terms = *choices.pick(&[131_072, 131_072, 131_072, 1, 2, 7, 100]);
        Settings { jit: Some(p), guard: choices.chance(30), stack_slots: Settings::interpreted(0).stack_slots, threads }
    }
}

fn may_seed(choices: &mut Choices, field: &mut u32, seed: u32) {
    if choices.chance(35) {
        *field = seed;
    }
}

/// As options of the command.
impl Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.jit {
            None => write!(f, "--jit off")?,
            Some(parameters) => {
                let usual = Parameters::eager();
                let changed: Vec<String> = parameters
                    .values()
                    .zip(usual.values())
                    .filter(|(own, usual)| own != usual)
                    .map(|((name, value), _)| format!("{name}={value}"))
                    .collect();
                write!(f, "--jit {}", changed.join(","))?;
            }
        }
        if self.guard {
            write!(f, " --regions=guard")?;
        }
        write!(f, " --threads {} --stack-limit {}", self.threads, self.stack_slots)
    }
}

/// What was counted over many programs, by name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally(pub BTreeMap<String, u64>);

impl Tally {
    pub fn add(&mut self, name: &str, count: u64) {
        *self.0.entry(name.to_string()).or_default() += count;
    }

    pub fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Adds the processor time since `start` to that of a phase; gives the time it is now.
    pub fn time(&mut self, phase: &str, start: u64) -> u64 {
        let now = processor_time();
        self.add(&format!("time:{phase}"), now - start);
        now
    }

    /// Takes in what [`Display`] made.
    pub fn read(&mut self, text: &str) {
        for word in text.split_whitespace() {
            if let Some((name, count)) = word.split_once('=')
                && let Ok(count) = count.parse()
            {
                self.add(name, count);
            }
        }
    }

    fn run(&mut self, statistics: &Statistics) {
        self.add("runs", 1);
        self.add("entered", u64::from(native(statistics)));
        self.add("entries", statistics.entries);
        self.add("recordings", statistics.recordings);
        self.add("dropped", statistics.dropped);
        self.add("whole", statistics.regions.iter().filter(|region| region.kind == Variant::Sequential).count() as u64);
        self.add("divided", statistics.runs.values().map(|runs| runs.parallel).sum());
        for made in &statistics.traces {
            self.add(made.kind.name(), 1);
        }
        for (reason, &count) in &statistics.aborts {
            self.add(&format!("abort:{}", reason.name()), count);
        }
    }

    /// The figures in words.
    pub fn report(&self, seconds: f64) -> String {
        let programs = self.get("programs").max(1);
        let processor: u64 = self.0.iter().filter(|(name, _)| name.starts_with("time:")).map(|(_, count)| count).sum();
        let share = |part: u64, of: u64| part as f64 * 100.0 / of.max(1) as f64;
        let mut lines = vec![
            format!(
                "{programs} programs, {:.0} a second in {seconds:.0} s, {:.0} a second of processor time; {} loop three times or more",
                programs as f64 / seconds,
                programs as f64 * 1e6 / processor.max(1) as f64,
                self.get("looping")
            ),
            format!(
                "{} runs with traces; native code was entered in {:.1} % of those of programs that loop, {:.1} % of all",
                self.get("runs"),
                share(self.get("looping-entered"), self.get("looping-runs")),
                share(self.get("entered"), self.get("runs")),
            ),
            format!(
                "{} entries; {} recordings made {} loops, {} functions, {} side traces; {} trees dropped",
                self.get("entries"),
                self.get("recordings"),
                self.get(TraceKind::Loop.name()),
                self.get(TraceKind::Function.name()),
                self.get(TraceKind::Side.name()),
                self.get("dropped"),
            ),
            format!(
                "{} loops compiled whole; {} runs of loops divided among threads",
                self.get("whole"),
                self.get("divided"),
            ),
            format!("processor time in microseconds: {}", self.named("time:")),
            format!("ended by errors: {}", self.named("error:")),
            format!("aborts: {}", self.named("abort:")),
        ];
        if self.get("endless") > 0 {
            lines.push(format!("{} programs did not end in the interpreter and were skipped", self.get("endless")));
        }
        if self.get("refused") > 0 {
            lines.push(format!("{} programs were refused by the front end", self.get("refused")));
        }
        lines.join("\n")
    }

    fn named(&self, prefix: &str) -> String {
        let mut found: Vec<(u64, &str)> =
            self.0.iter().filter_map(|(name, &count)| Some((count, name.strip_prefix(prefix)?))).collect();
        found.sort_by(|a, b| b.cmp(a));
        let words: Vec<String> = found.iter().map(|(count, name)| format!("{name} {count}")).collect();
        if words.is_empty() { "none".to_string() } else { words.join(", ") }
    }

    /// Whether native code was entered in most runs of programs that have something to compile.
    pub fn enters(&self) -> bool {
        self.get("looping-entered") * 10 >= self.get("looping-runs") * 8
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.0.iter().map(|(name, count)| format!("{name}={count}")).collect();
        f.write_str(&words.join(" "))
    }
}

/// Whether native code ran: traces, or loops compiled whole.
fn native(statistics: &Statistics) -> bool {
    statistics.entries > 0 || statistics.runs.values().any(|runs| runs.entries > 0)
}

/// How far a program has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// It is made and compiled.
    Making,
    /// The interpreter runs it. The model has, but counts calls where the interpreter counts slots: a program that calls
    /// itself twice, nests deeper here, and takes twice as long for each call more, has no end that anybody would see.
    Interpreting,
    /// So it has an end.
    Tracing,
}

impl Stage {
    pub fn name(self) -> &'static str {
        match self {
            Stage::Making => "making",
            Stage::Interpreting => "interpreting",
            Stage::Tracing => "tracing",
        }
    }
}

/// How a program ended, and what it wrote.
#[derive(Clone, PartialEq, Debug)]
pub struct Run {
    pub output: Vec<u8>,
    pub finished: Finished,
}

/// Runs a program; the error is one of the host.
pub fn run(compiled: &Compiled, settings: &Settings) -> Result<(Run, Option<Statistics>), String> {
    let caught = Caught::new(&(INPUT.join("\n") + "\n")).map_err(|e| e.to_string())?;
    let options = RunOptions {
        guard_regions: settings.guard,
        // Loops that allocate are not divided where there is a limit; the interpreter comes first, and has one.
        memory_limit: (settings.threads == 1).then_some(program::MEMORY),
        stack_slots: Some(settings.stack_slots),
        jit: settings.jit,
        // Loops are counted.
        statistics: true,
        threads: Some(settings.threads),
        ..RunOptions::default()
    };
    let ran = engine::run_in(compiled, caught.world(&[]), &options).map_err(|e| e.to_string())?;
    let output = caught.output().map_err(|e| e.to_string())?;
    Ok((Run { output, finished: ran.finished }, ran.statistics))
}

/// A program does the same with traces as without, whatever the parameters that come of the seed.
pub fn agree(text: &str, seed: u64, whole: bool, tally: &mut Tally, stage: &mut dyn FnMut(Stage)) -> Verdict {
    let start = processor_time();
    let compiled = program::compile("fuzz.scaly", text);
    let start = tally.time("compiling", start);
    let Ok(compiled) = compiled else {
        // Other modes say why.
        tally.add("refused", 1);
        return Verdict::Pass;
    };
    let plain = Settings::interpreted(seed);
    stage(Stage::Interpreting);
    // A stack that is too small for the main program.
    let Ok((expected, _)) = run(&compiled, &plain) else { return Verdict::Pass };
    stage(Stage::Tracing);
    let start = tally.time("interpreting", start);
    tally.add("programs", 1);
    let loops = expected.finished.loops.iter().any(|&count| count >= 3);
    tally.add("looping", u64::from(loops));
    if matches!(&expected.finished.ended, Ended::Error(error) if error.fault == Fault::OutOfMemory) {
        return Verdict::Pass;
    }
    if let Ended::Error(error) = &expected.finished.ended {
        tally.add(&format!("error:{:?}", error.fault), 1);
    }
    let settings = Settings { stack_slots: plain.stack_slots, ..Settings::traced(seed, whole) };
    let ran = run(&compiled, &settings);
    tally.time("tracing", start);
    let (got, statistics) = match ran {
        Ok((got, statistics)) => (got, statistics.unwrap_or_default()),
        Err(error) => return Verdict::fail(format!("cannot run: {}", shape(&error)), error),
    };
    tally.run(&statistics);
    if loops {
        tally.add("looping-runs", 1);
        tally.add("looping-entered", u64::from(native(&statistics)));
    }
    // A region in a mapping of its own takes whole pages, which count.
    let fault = |run: &Run| match &run.finished.ended {
        Ended::Error(error) => Some(error.fault),
        _ => None,
    };
    let full = settings.guard && fault(&got) == Some(Fault::OutOfMemory);
    if let Some((kind, detail)) = differ(&expected, &got).filter(|_| !full) {
        return Verdict::fail(kind, format!("{settings}\n{detail}"));
    }
    Verdict::Pass
}

/// The kind of difference, and what it is.
fn differ(expected: &Run, got: &Run) -> Option<(String, String)> {
    let output = || {
        let (wanted, got) = (String::from_utf8_lossy(&expected.output), String::from_utf8_lossy(&got.output));
        difference(&wanted, &got)
    };
    match (&expected.finished.ended, &got.finished.ended) {
        (Ended::Status(a), Ended::Status(b)) if a == b => {}
        (Ended::Error(a), Ended::Error(b)) if a.fault == b.fault => {
            if expected.output == got.output
                && (&a.message, a.span, a.function, places(a)) != (&b.message, b.span, b.function, places(b))
            {
                return Some(("the error differs".to_string(), format!("{b:?}\nexpected:\n{a:?}")));
            }
        }
        (Ended::Status(_), Ended::Error(error)) => {
            return Some((format!("fails: {:?}", error.fault), output() + &error.message));
        }
        (Ended::Error(error), Ended::Status(_)) => {
            return Some((format!("does not fail: {:?}", error.fault), output() + &error.message));
        }
        (a, b) => return Some(("ends otherwise".to_string(), format!("{b:?}\nexpected:\n{a:?}\n{}", output()))),
    }
    (expected.output != got.output).then(|| ("the output differs".to_string(), output()))
}

fn places(error: &RuntimeError) -> &[TraceLine] {
    &error.trace
}

/// What the interpreter makes of a program, as the header comment of a language test has it, and how it was run.
pub fn header(text: &str, seed: u64, whole: bool) -> String {
    let plain = Settings::interpreted(seed);
    let mut header = String::new();
    let settings = Settings { stack_slots: plain.stack_slots, ..Settings::traced(seed, whole) };
    header += &format!("; scaly {settings}\n");
    if text.contains("read_line") {
        header += &INPUT.iter().map(|line| format!("; stdin: {line}\n")).collect::<String>();
    }
    let Ok(compiled) = program::compile("fuzz.scaly", text) else { return header };
    let Ok((ran, _)) = run(&compiled, &plain) else { return header };
    header += &output_lines(&String::from_utf8_lossy(&ran.output));
    if let Ended::Status(status @ 1..) = &ran.finished.ended {
        header += &format!("; status: {status}\n");
    }
    if let Ended::Error(error) = &ran.finished.ended {
        // Above it stand what found it, the lines so far, this one, an empty one.
        let above = header.lines().count() + 3;
        let line = error.span.map_or(0, |s| above + text[..s.start as usize].matches('\n').count() + 1);
        header += &format!("; runtime-error: {line}: {}\n", error.message);
    }
    header
}
