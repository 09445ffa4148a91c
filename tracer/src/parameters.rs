//! Every limit and threshold of the tracer, in one table.
//!
//! `--jit NAME=VALUE,…` sets rows of it, `--preset` chooses between its two columns of values, `--jit help` prints it. Each
//! row says what its benchmark found.

/// A row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameter {
    pub name: &'static str,
    pub unit: &'static str,
    pub default: u32,
    /// Under `--preset dev`.
    pub dev: u32,
    pub least: u32,
    pub most: u32,
    pub meaning: &'static str,
    /// What was found around the value, and by which benchmark.
    pub measured: &'static str,
}

/// A set of values to begin with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Preset {
    /// For programs while they are written: short runs. What gets warm is compiled sooner, in less memory, and less work
    /// goes into a trace than pays off within a second.
    Dev,
    /// The defaults.
    #[default]
    Prod,
}

/// Why parameters could not be set.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParameterError {
    #[error("there is no parameter '{name}'")]
    Unknown { name: String },
    #[error("'{text}' is not of the form NAME=VALUE")]
    Malformed { text: String },
    #[error("{name}: '{value}' is no number")]
    NoNumber { name: &'static str, value: String },
    #[error("{name}: {value} is out of range, {least} to {most} ({unit})")]
    OutOfRange { name: &'static str, value: String, least: u32, most: u32, unit: &'static str },
}

macro_rules! parameters {
    ($($name:ident: $unit:literal = $default:literal, dev $dev:literal, $least:literal to $most:literal, $meaning:literal,
       $measured:expr;)*) => {
        /// The values in force.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct Parameters {
            $(#[doc = $meaning] pub $name: u32,)*
        }

        impl Parameters {
            pub const TABLE: &[Parameter] = &[$(Parameter {
                name: stringify!($name),
                unit: $unit,
                default: $default,
                dev: $dev,
                least: $least,
                most: $most,
                meaning: $meaning,
                measured: $measured,
            },)*];

            pub fn preset(preset: Preset) -> Parameters {
                match preset {
                    Preset::Prod => Parameters { $($name: $default,)* },
                    Preset::Dev => Parameters { $($name: $dev,)* },
                }
            }

            fn field(&mut self, name: &str) -> Option<&mut u32> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }

            /// Names and values in the order of the table.
            pub fn values(&self) -> impl Iterator<Item = (&'static str, u32)> + '_ {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }
    };
}

parameters! {
    hot: "back edges" = 56, dev 20, 1 to 1_000_000_000,
        "Back edges of a loop until it is recorded.",
        "flat from 10 to 500: bench/parameters.py";
    hot_function: "calls" = 112, dev 40, 1 to 1_000_000_000,
        "Calls of a function until it is recorded.",
        "flat from 20 to 1000: bench/parameters.py";
    hot_exit: "exits" = 10, dev 4, 1 to 1_000_000_000,
        "Times an exit is taken until a side trace is recorded from it.",
        "flat from 4 to 100: bench/parameters.py";
    warmup: "microseconds" = 300, dev 300, 0 to 1_000_000_000,
        "Processor time until anything is recorded; 0 where hot, hot_function or hot_exit is given.",
        "flat from 0 to 1000, with 2000 50 ms take 1.05 times as long: bench/parameters.py";
    stride: "back edges" = 512, dev 512, 1 to 1_000_000,
        "Back edges and calls from one that is counted to the next, until there is a trace.",
        "counting takes 1.2 % of 0.2 s with 1, 2.2 % with 64, 0.4 % from 512 on: bench/counters.py";
    effort: "percent" = 10, dev 10, 1 to 100,
        "Most that traces may take of the time known; 100 where hot, hot_function or hot_exit is given.",
        "10 ms take up to 1.2 times as long as interpreted with 14, 1.03 with 10: bench/short.py";
    hot_backoff: "times" = 2, dev 2, 2 to 64,
        "What each aborted recording multiplies the threshold of its place by, about.",
        "flat from 2 to 16: bench/parameters.py";
    attempts: "recordings" = 6, dev 6, 1 to 1000,
        "Aborted recordings of a place until it is blacklisted.",
        "flat from 2 to 30: bench/parameters.py";
    blacklist: "times" = 64, dev 64, 2 to 1_000_000,
        "What being blacklisted multiplies the threshold of a place by, each time.",
        "flat from 4 to 4096: bench/parameters.py";
    max_trace: "instructions" = 4000, dev 2000, 1 to 1_000_000,
        "Instructions of the IR recorded for one trace.",
        "flat from 500 to 20000; with 250 one program takes 2.5 times as long: bench/parameters.py";
    max_exits: "exits" = 500, dev 500, 1 to 65_535,
        "Exits of one trace.",
        "flat from 100 to 4000; with 50 one program takes 3 times as long: bench/parameters.py";
    max_side_traces: "traces" = 100, dev 100, 0 to 10_000,
        "Side traces of one tree.",
        "flat from 20 to 1000; with 5 one program takes 6 times as long: bench/parameters.py";
    inline_depth: "calls" = 12, dev 12, 0 to 100,
        "Calls inlined into one another in a trace; deeper ones are native calls.",
        "flat from 1 to 40: bench/parameters.py";
    inline_size: "instructions" = 600, dev 600, 0 to 1_000_000,
        "Largest callee, in bytecode, that is inlined in a trace.",
        "flat from 20 to 4000: bench/parameters.py";
    side_branches: "branches" = 1, dev 1, 0 to 1_000_000,
        "Branches of a callee up to which a side trace inlines it; others are called.",
        "with 6 or 1000000 noise takes 1.3 times as long: bench/parameters.py; 4 times in longer runs by traces";
    callees: "functions" = 4, dev 4, 0 to 1_000_000,
        "Functions with traces of their own where a value is called that is many; all others are called by id.",
        "flat from 0 to 8, with 16 handlers takes 1.1 times as long, with 100 twice: bench/parameters.py";
    specializations: "traces" = 4, dev 2, 0 to 100,
        "Traces of one loop that each fix values which do not change in it; 0: none.",
        "flat from 0 to 20: bench/parameters.py";
    fixed_divisors: "traces" = 2, dev 1, 0 to 100,
        "Further ones for one value each of a divisor that does not change in the loop.",
        "with 0 a loop that only divides takes 1.3 times as long, by powers of two 2 times";
    spills: "values" = 256, dev 256, 0 to 4096,
        "Values that a trace may keep outside of registers.",
        "flat from 8 to 1024: bench/parameters.py";
    record_anew: "times" = 2, dev 2, 0 to 1000,
        "Times that a loop is recorded anew because most of its iterations go another way.",
        "with 0 loops that change their way take 1.6 times as long; flat to 10: bench/parameters.py";
    unroll: "iterations" = 8, dev 4, 0 to 1000,
        "Iterations of inner loops without a trace that are followed in the trace around them.",
        "flat from 0 to 60: bench/parameters.py";
    unroll_size: "instructions" = 1000, dev 1000, 0 to 1_000_000,
        "All trips of a straight inner loop with constant ends that are followed in the loop around it.",
        "with 0 convolution takes 4 times as long by traces; short runs are flat: bench/parameters.py";
    hoist: "switch" = 1, dev 1, 0 to 1,
        "1: the first iteration is peeled off, which takes what does not change out of the loop.",
        "no difference in short runs: bench/parameters.py";
    bouncing: "microseconds" = 20_000, dev 20_000, 0 to 1_000_000_000,
        "Time with short stretches of native code until it is measured against the interpreter; 0: never.",
        "with 0 one program takes 2.2 times as long, with 5000 0.9, with 80000 1.3: bench/parameters.py";
    short_entry: "instructions" = 60, dev 60, 0 to 1_000_000,
        "Instructions left in a loop up to which its trace is not entered; 0 where hot or the like is given.",
        "with 0 one test takes 1.3 times as long; flat from 30 to 100, with 250 1.04: bench/parameters.py";
    stable: "iterations" = 1000, dev 1000, 1 to 1_000_000_000,
        "Iterations of a tree without a new trace until it counts as stable.",
        "flat from 100 to 10000: bench/parameters.py";
    code_memory: "KiB" = 32_768, dev 8_192, 0 to 1_048_576,
        "Machine code of all traces; when full, the least useful trees are dropped.",
        "flat from 64 to 262144: bench/parameters.py";
    llvm: "choice" = 1, dev 1, 0 to 2,
        "1: loops that take time are compiled whole by LLVM; 0: none; 2: all, at once and waited for, for tests.",
        "bench/scaling.py";
    sample: "microseconds" = 2000, dev 2000, 100 to 1_000_000,
        "Processor time from one look at which loops the program is in to the next.",
        "with 500 programs take 1.1 times as long; flat to 10000: bench/parameters.py";
    quiet: "part" = 2, dev 2, 1 to 1_000_000,
        "Where a sample finds nothing to decide the next one comes after this part of the time that has passed.",
        "50 ms take 1.08 to 1.13 times traces only with 16, 1.03 to 1.07 with 2 or 1: never_worse.py";
    rarest: "times" = 32, dev 32, 1 to 1_000_000,
        "How much rarer than at first samples get.",
        "flat from 1 to 256: bench/parameters.py";
    undecided: "samples" = 3, dev 3, 1 to 1_000_000,
        "Samples of a loop that is neither chosen nor given up until it is nothing to decide.",
        "50 ms take 1.07 to 1.08 times traces only with 8 or 128; with 2 as with 3: never_worse.py";
    sampled: "samples" = 3, dev 3, 1 to 1_000_000,
        "Samples of a loop or recursive function until its paths are followed.",
        "flat from 1 to 12: bench/parameters.py";
    few_samples: "samples" = 2, dev 2, 1 to 1_000_000,
        "Samples of a run that do not tell yet how long it will take.",
        "flat from 1 to 8: bench/parameters.py; with 1 a sieve of 50 ms is followed in vain: never_worse.py";
    foresight: "times" = 16, dev 16, 1 to 1_000_000,
        "How many times as long as a loop has been seen it may last by the trips that it has left.",
        "with 8 mandelbrot is compiled 5 ms later, with 1000000 sieves of 50 ms take up to 2 times as long";
    turning: "samples" = 3, dev 3, 1 to 1_000_000,
        "Samples since a loop came round until it counts as one that cannot be entered soon.",
        "flat from 1 to 24: bench/parameters.py";
    sample_depth: "calls" = 16, dev 16, 1 to 1000,
        "Activations in which a sample looks for loops, the innermost included.",
        "flat from 1 to 64: bench/parameters.py";
    long_inside: "iterations" = 2000, dev 2000, 0 to 1_000_000_000,
        "Iterations left from which a loop is compiled whole although that around it stays in traces.",
        "flat from 0 to 20000: bench/parameters.py";
    repay: "times" = 5, dev 5, 0 to 1000,
        "How many times as long as compiling takes what is compiled whole must take yet.",
        "with 0 programs take 1.2 times as long, with 2 1.1 times, with 20 fib 1.4: bench/parameters.py";
    repay_parallel: "times" = 6, dev 6, 0 to 1000,
        "The same for what can be run on all cores.",
        "with 4 a mandelbrot of 50 ms takes 1.4 times the processor time of traces only: never_worse.py";
    llvm_loading: "microseconds" = 6000, dev 6000, 0 to 10_000_000,
        "What loading LLVM takes, as reckoned before.",
        "with 0 one program takes 2.1 times as long, with 36000 another 1.4 times: bench/parameters.py";
    load_early: "times" = 20, dev 20, 0 to 1_000_000,
        "How many times as long as loading LLVM a loop must take yet for that to begin before the order.",
        "with 10 a mandelbrot of 50 ms takes 1.15 times the time of traces only on one core: never_worse.py";
    llvm_region: "microseconds" = 6000, dev 6000, 0 to 10_000_000,
        "What LLVM takes for a region of any size, as reckoned before.",
        "with 0 and with 3000 one program takes 1.8 times as long; flat to 12000: bench/parameters.py";
    llvm_line: "microseconds" = 30, dev 30, 0 to 1_000_000,
        "What it takes for each line that it is given for it, as reckoned before.",
        "28 a line behind 5 ms, half of all modules within 19 %: bench/llvm_costs.py";
    entries: "runs" = 256, dev 256, 1 to 1_000_000_000,
        "Runs of a loop that was compiled whole until it is asked whether they are too short; then twice as many.",
        "flat from 32 to 2048: bench/parameters.py";
    short_run: "nanoseconds" = 2000, dev 2000, 0 to 1_000_000_000,
        "What these must take on average for the loop not to go back to traces.",
        "flat from 0 to 20000: bench/parameters.py";
    pilot: "nanoseconds" = 10_000, dev 10_000, 0 to 1_000_000_000,
        "Time on one core at the start of a run to measure an iteration in; none where one is known to be longer.",
        "nothing beyond the noise of a busy machine, a fifth, from 0 to 160000: bench/parameters.py";
    divided: "nanoseconds" = 40_000, dev 40_000, 0 to 1_000_000_000,
        "What the rest of a run must take on one core for it to go on on all.",
        "nothing beyond the noise of a busy machine, a fifth, from 0 to 640000: bench/parameters.py";
    short_runs: "runs" = 16, dev 16, 1 to 1_000_000_000,
        "Shorter runs in a row until a loop counts as too short for several cores.",
        "flat from 2 to 128: bench/parameters.py";
    doubtful: "runs" = 4, dev 4, 1 to 1_000_000_000,
        "Runs or stretches of long ones in a row that seem slower on several cores until one core makes one.",
        "flat from 1 to 16: bench/parameters.py";
    alone: "runs" = 1024, dev 1024, 1 to 1_000_000_000,
        "Most of these on one core, where that is faster again and again, until several do one; first a 64th.",
        "nothing beyond the noise of a busy machine, a fifth, from 64 to 16384: bench/parameters.py";
    stretch: "microseconds" = 50_000, dev 50_000, 0 to 1_000_000_000,
        "What a stretch of a long run takes, behind which it is looked whether several cores were faster.",
        "1.00 in the mean with one stretch, 0.99 with 1000, itself 1.00: bench/parameters.py";
    chunk_time: "nanoseconds" = 20_000, dev 20_000, 1 to 1_000_000_000,
        "What a piece of a parallel loop should take; in between, a worker looks whether others want a part.",
        "nothing beyond the noise of a busy machine, a fifth, from 2000 to 1000000: bench/parameters.py";
    chunk_growth: "times" = 4, dev 4, 1 to 1000,
        "How much longer than the one before such a piece may be.",
        "nothing beyond the noise of a busy machine, a fifth, from 2 to 16: bench/parameters.py";
    split_awake: "nanoseconds" = 1000, dev 1000, 0 to 1_000_000_000,
        "What the shorter part of a split must take where a worker is awake to take the other.",
        "a part begins 1.3 us later, a loop of 4 us is the shortest that gains: pool.rs in runtime/benches";
    split_asleep: "nanoseconds" = 25_000, dev 25_000, 0 to 1_000_000_000,
        "The same where a worker has to be woken.",
        "waking one takes 20 to 55 us, and a loop of 64 us is as fast either way: pool.rs in runtime/benches";
    dear: "instructions" = 40, dev 40, 0 to 1_000_000_000,
        "Of an iteration, for each term of a sum whose order matters that may be added up behind the iterations.",
        "two threads take 0.74 of one's time with 39, 1.0 with 23; keeping costs up to 9 %: bench/in_order.py";
    term: "picoseconds" = 2000, dev 2000, 0 to 1_000_000_000,
        "What it takes to keep and to add such a term.",
        "two threads take one's time where a term takes 3.5 ns, 0.85 where 4.6: bench/in_order.py";
    byte: "picoseconds" = 400, dev 400, 0 to 1_000_000_000,
        "What it takes to put a byte that a part of a loop has appended behind others.",
        "with 8 an iteration, two threads take 1.24 of one's time at 4 ns, 0.93 at 7: bench/in_order.py";
    terms: "words" = 131_072, dev 131_072, 1 to 1_000_000_000,
        "Most terms of such sums of a loop, or words that it appends, that are kept at the same time, about.",
        "flat from 32768 to 524288; with 1024 two threads take 1.5 times as long: bench/in_order.py";
    chunk: "iterations" = 0, dev 0, 0 to 1_000_000_000,
        "Iterations of each piece of a parallel loop, for tests; 0: as it fits.", "for tests";
    steal: "seed" = 0, dev 0, 0 to 4_294_967_295,
        "Parallel loops are divided at random, for tests; 0: not.", "for tests";
    count: "switch" = 0, dev 0, 0 to 1,
        "1: all iterations are counted, by native code too; --stats turns it on.",
        "1 costs 5 %: bench/parameters.py";
    random_registers: "seed" = 0, dev 0, 0 to 4_294_967_295,
        "Registers are chosen at random, for tests; 0: not.", "for tests";
    forced_exits: "seed" = 0, dev 0, 0 to 4_294_967_295,
        "Polls and guards leave at random without a reason, for tests; 0: not.", "for tests";
    region_instructions: "instructions" = 2000, dev 2000, 1 to 1_000_000,
        "Largest region that counts as closed.",
        "from 250 on all loops close: verdicts in bench/";
    region_depth: "calls" = 12, dev 12, 0 to 100,
        "Calls inlined into one another in a region.",
        "from 2 on all loops close: verdicts in bench/";
    region_inline: "instructions" = 600, dev 600, 0 to 1_000_000,
        "Largest callee, in bytecode, that is inlined in a region.",
        "from 60 on no verdict changes: verdicts in bench/";
    region_inline_small: "instructions" = 60, dev 60, 0 to 1_000_000,
        "The same at the second attempt, when the first region became too large.",
        "from 0 to 300 no verdict changes: verdicts in bench/";
    recursion_depth: "calls" = 2, dev 2, 0 to 10,
        "Calls of itself inlined into one another in a function's region.",
        "fib(40) in seconds, 0 to 3: 1.04, 0.79, 0.67, 0.52; gcc -O2 with a stack check 0.65";
    recursion_size: "instructions" = 30, dev 30, 0 to 1_000_000,
        "Largest function, in bytecode, that is inlined in itself.",
        "with 0 fib takes 1.6 times as long; from 15 to 120 flat: bench/parameters.py";
    restart_depth: "calls" = 3, dev 3, 0 to 10,
        "The same where the function only loads and computes, so that it can be begun again.",
        "fib(39), 0 to 4: 1.8, 1.1, 0.9, 1, 1.0 times as long: bench/parameters.py";
    fork_depth: "calls" = 8, dev 8, 0 to 48,
        "Calls so near to a recursion's root offer theirs to other threads, until some were measured.",
        "from 2 to 16 not told from noise: bench/parameters.py";
    fork_least: "ns" = 5000, dev 5000, 1 to 1_000_000_000,
        "Calls that are offered should take longer in the mean, or fewer are.",
        "with 50000 fib(39) takes 1.3 times as long; from 500 on flat: bench/parameters.py";
    fork_most: "ns" = 40000, dev 40000, 1 to 1_000_000_000,
        "Calls that are offered should take less in the mean, or more are.",
        "with 400000 fib(39) takes 1.1 times as long; from 10000 on flat: bench/parameters.py";
    module_functions: "functions" = 32, dev 32, 0 to 10_000,
        "Functions that are compiled together with a region that calls them.",
        "with 0 raytracer takes 1.2 times as long; from 1 to 128 flat: bench/parameters.py";
    module_instructions: "instructions" = 8000, dev 8000, 1 to 1_000_000,
        "Instructions of a region and of the functions compiled with it.",
        "with 250 raytracer takes 1.1 to 1.3 times as long; to 32000 flat: bench/parameters.py";
    address_steps: "steps" = 6, dev 6, 0 to 100,
        "Pointers followed from a variable before a place is only known as below it.",
        "from 3 on no verdict changes: verdicts in bench/";
    polynomial_terms: "terms" = 24, dev 24, 1 to 1000,
        "Terms of an index before it counts as unknown.",
        "from 4 on no verdict changes: verdicts in bench/";
}

impl Parameter {
    pub fn of(name: &str) -> Option<&'static Parameter> {
        Parameters::TABLE.iter().find(|row| row.name == name)
    }

    /// The value that a text stands for.
    fn read(&self, text: &str) -> Result<u32, ParameterError> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ParameterError::NoNumber { name: self.name, value: text.into() });
        }
        // Digits that are no `u32` are too many of them.
        let value = text.parse().ok().filter(|value| (self.least..=self.most).contains(value));
        value.ok_or_else(|| ParameterError::OutOfRange {
            name: self.name,
            value: text.into(),
            least: self.least,
            most: self.most,
            unit: self.unit,
        })
    }
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters::preset(Preset::Prod)
    }
}

/// Thresholds: whoever gives one wants what gets hot to be recorded then, not when it is cheap.
const THRESHOLDS: [&str; 3] = ["hot", "hot_function", "hot_exit"];

impl Parameters {
    /// The defaults, with what gets hot recorded at once.
    pub fn eager() -> Parameters {
        Parameters { warmup: 0, effort: 100, bouncing: 0, short_entry: 0, ..Parameters::default() }
    }

    /// Sets the parameters that others determine, unless they are given themselves.
    pub fn follow(&mut self, given: &[&str]) {
        if !given.iter().any(|name| THRESHOLDS.contains(name)) {
            return;
        }
        if !given.contains(&"warmup") {
            self.warmup = 0;
        }
        if !given.contains(&"effort") {
            self.effort = 100;
        }
        if !given.contains(&"bouncing") {
            self.bouncing = 0;
        }
        if !given.contains(&"short_entry") {
            self.short_entry = 0;
        }
    }

    /// Sets one parameter from a text `NAME=VALUE`, and says which.
    pub fn set(&mut self, text: &str) -> Result<&'static Parameter, ParameterError> {
        let Some((name, value)) = text.split_once('=') else {
            return Err(match Parameter::of(text) {
                None if !text.is_empty() => ParameterError::Unknown { name: text.into() },
                _ => ParameterError::Malformed { text: text.into() },
            });
        };
        match (Parameter::of(name), self.field(name)) {
            (Some(row), Some(field)) => {
                *field = row.read(value)?;
                Ok(row)
            }
            _ if name.is_empty() => Err(ParameterError::Malformed { text: text.into() }),
            _ => Err(ParameterError::Unknown { name: name.into() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let mut parameters = Parameters::default();
        let message = parameters.set(text).expect_err(text).to_string();
        assert_eq!(parameters, Parameters::default(), "{text} is refused and has an effect");
        message
    }

    #[test]
    fn the_table_keeps_its_own_bounds() {
        let (mut prod, mut dev) = (Parameters::default(), Parameters::default());
        for row in Parameters::TABLE {
            assert_eq!(prod.set(&format!("{}={}", row.name, row.default)), Ok(row));
            assert_eq!(dev.set(&format!("{}={}", row.name, row.dev)), Ok(row));
            assert!(row.meaning.ends_with('.') && !row.measured.is_empty(), "{}", row.name);
            let alike = Parameters::TABLE.iter().filter(|other| other.name == row.name).count();
            assert_eq!(alike, 1, "{}", row.name);
        }
        assert_eq!(prod, Parameters::preset(Preset::Prod));
        assert_eq!(dev, Parameters::preset(Preset::Dev));
    }

    #[test]
    fn parameters_are_set_by_name() {
        let mut parameters = Parameters::default();
        assert_eq!(parameters.set("hot=1").map(|row| row.name), Ok("hot"));
        assert_eq!(parameters.set("forced_exits=4294967295").map(|row| row.name), Ok("forced_exits"));
        assert_eq!((parameters.hot, parameters.forced_exits), (1, u32::MAX));
        assert_eq!(parameters.values().find(|&(name, _)| name == "hot"), Some(("hot", 1)));
    }

    #[test]
    fn thresholds_that_are_given_hold_at_once() {
        let mut parameters = Parameters::default();
        parameters.follow(&["stable"]);
        assert_eq!(parameters, Parameters::default());
        parameters.follow(&["effort", "hot_exit"]);
        assert_eq!(parameters, Parameters { warmup: 0, bouncing: 0, short_entry: 0, ..Parameters::default() });
        parameters.follow(&["hot"]);
        assert_eq!((parameters.warmup, parameters.effort, parameters.bouncing), (0, 100, 0));
    }

    #[test]
    fn what_is_no_parameter_is_refused() {
        assert_eq!(refused("warm=1"), "there is no parameter 'warm'");
        assert_eq!(refused("warm"), "there is no parameter 'warm'");
        assert_eq!(refused("hot"), "'hot' is not of the form NAME=VALUE");
        assert_eq!(refused(""), "'' is not of the form NAME=VALUE");
        assert_eq!(refused("=1"), "'=1' is not of the form NAME=VALUE");
        for value in ["", "x", "-1", "+1", "1.5", "0x10", " 1", "1 ", "1=2", "١"] {
            assert_eq!(refused(&format!("hot={value}")), format!("hot: '{value}' is no number"));
        }
        assert_eq!(refused("hoist=2"), "hoist: 2 is out of range, 0 to 1 (switch)");
        for value in ["0", "1000000001", "4294967296", "99999999999999999999999"] {
            assert_eq!(
                refused(&format!("hot={value}")),
                format!("hot: {value} is out of range, 1 to 1000000000 (back edges)")
            );
        }
    }
}
