//! Events in words, one a line.

use std::fmt;

use super::resolved::{At, From, Resolved};

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl fmt::Display for From<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.at)?;
        if let (Some(exit), Some(of)) = (self.exit, self.of) {
            write!(f, " from exit{exit} of trace{of}")?;
        }
        // The main program is where one looks first.
        if self.at.function != "main" { write!(f, " in {}", self.at.function) } else { Ok(()) }
    }
}

impl From<'_> {
    /// What its threshold counts.
    fn unit(&self) -> &'static str {
        match self.kind {
            "loop" => "back edges",
            "function" => "calls",
            _ => "exits",
        }
    }
}

/// A reason with what to do about it.
struct Words<'a>(&'a str, Option<&'a str>);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)?;
        self.1.map_or(Ok(()), |help| write!(f, " ({help})"))
    }
}

impl fmt::Display for Resolved<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Resolved::Hot { start, count } => write!(f, "hot {start} after {count} {}", start.unit()),
            Resolved::ExitHot { exit, of, at, count } => {
                write!(f, "exit-hot exit{exit} of trace{of} at {at} after {count} exits")
            }
            Resolved::Record { start, attempt: 1 } => write!(f, "record {start}"),
            Resolved::Record { start, attempt } => write!(f, "record {start}, attempt {attempt}"),
            Resolved::Abort { start, at, text, help, retry, .. } => {
                write!(f, "abort {start}: at {at}: {}; again after {retry} {}", Words(text, help), start.unit())
            }
            Resolved::Blacklisted { start, attempts, text, help, retry, .. } => write!(
                f,
                "blacklisted {start} for {retry} {} after {attempts} attempts: {}",
                start.unit(),
                Words(text, help)
            ),
            Resolved::Compiled { trace, start, before, after, exits, bytes, microseconds } => write!(
                f,
                "compiled trace{trace} {start}: {before} -> {after} instructions, {exits} exits, {bytes} bytes, {microseconds} µs"
            ),
            Resolved::Link { exit, of, at, to } => write!(f, "link exit{exit} of trace{of} at {at} to trace{to}"),
            Resolved::SideTrace { trace, tree, exit, at, end, count } => {
                let end = match end {
                    "loop" => "back to its loop",
                    "leaves" => "out of its loop",
                    _ => "to the return",
                };
                write!(
                    f,
                    "side-trace trace{trace} of the tree trace{tree}, its number {count}, from exit{exit} at {at} {end}"
                )
            }
            Resolved::Specialized { trace, start, values, number } => {
                write!(f, "specialized trace{trace} {start}: for {values}, number {number}")
            }
            Resolved::TreeStable { tree, start, traces } => {
                write!(f, "tree-stable trace{tree} {start}: {traces} {}", if traces == 1 { "trace" } else { "traces" })
            }
            Resolved::Rests { start, milliseconds, times } => write!(
                f,
                "rests {start}: it comes round {times:.1} times as often in the interpreter, which runs all for {milliseconds} ms"
            ),
            Resolved::Dropped { trace, start, why } => {
                let why = match why {
                    "room" => "others need its memory",
                    "seldom" => "its path is seldom taken",
                    "tree" => "the tree that it builds on was dropped",
                    _ => "a better one took its place",
                };
                write!(f, "dropped trace{trace} {start}: {why}")
            }
            Resolved::Memory { state: "full", used } => write!(
                f,
                "memory: the code memory is full, {} bytes are in use; the least useful traces are dropped (raise code_memory)",
                used.unwrap_or(0)
            ),
            Resolved::Memory { .. } => {
                write!(f, "memory: the system gives no memory for machine code; the program stays in the interpreter")
            }
            Resolved::Region { start, blocks, instructions, calls, predictable, divisors } => {
                write!(f, "region {start}: {blocks} blocks, {instructions} instructions, {calls} calls inlined")?;
                match predictable {
                    0 => {}
                    1 => write!(f, ", 1 branch predictable")?,
                    n => write!(f, ", {n} branches predictable")?,
                }
                match divisors {
                    0 => Ok(()),
                    1 => write!(f, ", 1 divisor known"),
                    n => write!(f, ", {n} divisors known"),
                }
            }
            Resolved::Variant { start, kind, lines, bytes, microseconds } => {
                write!(f, "variant {start}: {kind}, {lines} lines, {bytes} bytes, {microseconds} µs beside the program")
            }
            Resolved::Switched { start, kind } => write!(f, "switched {start}: {kind} from here on"),
            Resolved::Refused { start, what, reason, help, at } => {
                write!(f, "refused {start}: not {what}: at {at}: {}", Words(reason, help))
            }
            Resolved::Ir { trace, text } => listing(f, "ir", trace, text),
            Resolved::Asm { trace, text } => listing(f, "asm", trace, text),
        }
    }
}

fn listing(f: &mut fmt::Formatter<'_>, what: &str, trace: u32, text: &str) -> fmt::Result {
    write!(f, "{what} trace{trace}")?;
    text.trim_end().lines().try_for_each(|line| write!(f, "\n    {line}"))
}
