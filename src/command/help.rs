//! What `--help` and `--version` print.

use scaly_tracer::parameters::Parameters;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Topic {
    Scaly,
    Check,
    Dump,
    Explain,
    /// `--jit help`
    Parameters,
}

pub fn text(topic: Topic) -> String {
    match topic {
        Topic::Scaly => SCALY.into(),
        Topic::Check => CHECK.into(),
        Topic::Dump => DUMP.into(),
        Topic::Explain => EXPLAIN.into(),
        Topic::Parameters => parameters(),
    }
}

/// The table of the trace compiler's parameters.
fn parameters() -> String {
    let mut text = PARAMETERS.to_string();
    for row in Parameters::TABLE {
        let (name, prod, dev) = (row.name, row.default, row.dev);
        text += &format!("  {name:<20} {prod:>6} {dev:>6}  {}, {} to {}\n", row.unit, row.least, row.most);
        text += &format!("      {}\n      [{}]\n", row.meaning, row.measured);
    }
    text
}

pub fn version(verbose: bool) -> String {
    let mut text = concat!("scaly ", env!("CARGO_PKG_VERSION"), "\n").to_string();
    if verbose {
        text += &format!("target: {} {}\n", std::env::consts::ARCH, std::env::consts::OS);
        text += "tiers: 0 (bytecode interpreter), 1 (native traces), 2 (whole loops, LLVM), 2p (on all cores)\n";
    }
    text
}

const SCALY: &str = "\
Runs Scaly programs.

Usage:
  scaly [OPTIONS] FILE.scaly [ARGS…]    run a program; ARGS are the program's
  scaly [OPTIONS] -e PROGRAM [ARGS…]    run a text, and print its last value
  scaly [OPTIONS] - [ARGS…]             run the program on standard input
  scaly check [--strict] FILE.scaly     report errors and broken promises
  scaly dump [--all] FILE.scaly         print the bytecode with its source lines
  scaly explain FILE.scaly [ARGS…]      run a program, and say of its loops how they ran and what to change;
                                        with --static judge them without a run

Options:
  --oracle               run, recording what each iteration of each loop reads and writes,
                         then report which loops had independent iterations, and of others what is
                         handed on: also sums, and the lengths of arrays that each appends to
  --regions=guard|pool   guard: every memory region in a mapping of its own, for finding errors
                         in Scaly itself; pool is the default
  --copies               copy values where they could be viewed or moved, for finding errors
                         in Scaly itself
  --jit NAME=VALUE,…     set parameters of the trace compiler; --jit help lists them, --jit off turns it off
  --preset dev|prod      the values they begin with: dev compiles sooner, for short runs; prod is the default
  --trace-log[=WORDS]    tell what the trace compiler does, a line an event, on standard error; WORDS, with
                         commas between them: text:FILE or json:FILE to write a file, ir and asm to show
                         each trace and its machine code
  --live                 serve a page on this machine while the program runs: its Image as it fills, how many
                         pixels a second, and in which tier; the address comes on standard error
  --stats[=json]         tell at the end, on standard error, what ran natively, what did not, and why
  --observe WORDS        let profilers and debuggers see native code: perf-map, jitdump (with source lines, in
                         $JITDUMPDIR or here), gdb; commas between them
  --threads N            how many threads a parallel loop may use; by default one for each core that is free
  --memory-limit SIZE    end with an error rather than use more memory for data: 512M, 4G
  --stack-limit SLOTS    how many 64-bit slots the frames of nested calls may take; 8M is the default
  --color WHEN           color messages: auto (on a terminal), always, never
  -V, --version          print the version; with --verbose what this build consists of
  -h, --help             print this

Exit status: what the program returns, 0 at its end, 1 on an error, 2 on misuse of this command.
";

const PARAMETERS: &str = "\
Parameters of the trace compiler: scaly --jit NAME=VALUE,… FILE.scaly

Values by default (--preset prod) and under --preset dev; what is counted, from where to where; what
it means; what was found around the value, and by which benchmark.

  name                   prod    dev
";

const CHECK: &str = "\
Checks a program without running it.

Usage: scaly check [--strict] FILE.scaly

  --strict   a `function` that does more than compute a value (it prints, or changes what it is
             given) is an error instead of a warning

Exit status: 0 if the program can run, 1 if it has errors, 2 on misuse of this command.
";

const DUMP: &str = "\
Prints the bytecode that a program becomes, with its source lines.

Usage: scaly dump [--all] FILE.scaly

  --all   library routines and generated ones (copying, printing … of a type) too
";

const EXPLAIN: &str = "\
Runs a program, and says what became of its loops.

Usage:
  scaly explain [--json] [OPTIONS] FILE.scaly [ARGS…]
  scaly explain --static FILE.scaly

The report stands on standard error, behind what the program has written there, since standard
output is the program's; a program that ends with an error has one too. Under the source line of
each loop that ran, the hottest first, stand its iterations, its share of the time, and how far it
got: interpreted, native traces, compiled whole, or on all cores; which checks that needs when the
loop starts, and what is gathered over its iterations; or which line keeps it serial, and what to
change. OPTIONS are those of a run; scaly --help lists them.

  --json     the same as one line of JSON, the last one of standard error
  --static   judge every loop without running anything, on standard output: whether all paths of
             an iteration could be followed, and whether its iterations are independent

Exit status: what the program returns; 1 on an error, 2 on misuse of this command.
";
