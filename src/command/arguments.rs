//! Reading the command line.
//!
//! Options stand before the program; everything behind it is the program's own, whatever it looks like. `lexopt` splits
//! the words: a parser that builds a table of options at every start costs more than the rest of the start does.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use lexopt::prelude::*;
use scaly_runtime::pool::MOST_THREADS;
use scaly_tracer::log::Form;

use super::help::Topic;
use super::input::Source;
use super::native::NativeWords;
use crate::engine::RunOptions;

#[derive(Debug)]
pub struct Arguments {
    pub action: Action,
    /// Missing with `--help` and `--version`, and where it was forgotten.
    pub source: Option<Source>,
    pub program_arguments: Vec<OsString>,
    pub options: CommandOptions,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    Run,
    /// Run, and record what each iteration of each loop reads and writes.
    Oracle,
    Check,
    Dump {
        /// Library and generated routines too.
        all: bool,
    },
    /// Run, and say what became of each loop.
    Explain(Form),
    /// `explain --static`: judge each loop without running it.
    ExplainStatic,
    Help(Topic),
    Version {
        verbose: bool,
    },
}

#[derive(Debug, Default)]
pub struct CommandOptions {
    /// `check --strict`
    pub strict: bool,
    /// Values are copied where they could be viewed or moved.
    pub copies: bool,
    pub color: Color,
    /// `--stats`
    pub stats: Option<Form>,
    /// `--live`
    pub live: bool,
    pub run: RunOptions,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    Always,
    Never,
}

/// What is wrong with the command line.
#[derive(Debug)]
pub enum Misuse {
    NoProgram,
    UnknownOption {
        option: String,
        near: Option<&'static str>,
    },
    /// An option's value is missing or not understood.
    Value {
        option: &'static str,
        problem: String,
    },
    /// A parameter of `--jit` is not one, or its value.
    Parameter {
        problem: String,
        near: Option<&'static str>,
    },
    /// An option that the chosen command has no use for.
    Misplaced {
        option: &'static str,
        command: &'static str,
        belongs: &'static str,
    },
    Surplus {
        command: &'static str,
        argument: String,
    },
    Other(String),
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misuse::NoProgram => write!(f, "which program? name a file, or '-' for standard input"),
            Misuse::UnknownOption { option, .. } => write!(f, "unknown option '{option}'"),
            Misuse::Value { option, problem } => write!(f, "{option}: {problem}"),
            Misuse::Parameter { problem, .. } => write!(f, "--jit: {problem}"),
            Misuse::Misplaced { option, command, belongs } => {
                write!(f, "{option} belongs to {belongs}, not to {command}")
            }
            Misuse::Surplus { command, argument } => {
                write!(f, "'scaly {command}' takes one file; '{argument}' is one too many")
            }
            Misuse::Other(text) => f.write_str(text),
        }
    }
}

impl Misuse {
    pub fn help(&self) -> Option<String> {
        match self {
            Misuse::NoProgram => {
                Some("scaly FILE.scaly runs a program, scaly -e 'print 1' a text, scaly --help tells more".into())
            }
            Misuse::UnknownOption { near: Some(near), .. } | Misuse::Parameter { near: Some(near), .. } => {
                Some(format!("did you mean '{near}'?"))
            }
            Misuse::UnknownOption { near: None, .. } => {
                Some("scaly --help lists the options; those of the program stand behind its file".into())
            }
            Misuse::Parameter { near: None, .. } => Some("scaly --jit help lists the parameters".into()),
            Misuse::Surplus { command: "explain --static", .. } => {
                Some("nothing runs with --static; without it, what stands behind the file is the program's".into())
            }
            _ => None,
        }
    }
}

const OPTIONS: &[&str] = &[
    "--all",
    "--color",
    "--copies",
    "--evaluate",
    "--help",
    "--jit",
    "--json",
    "--live",
    "--memory-limit",
    "--observe",
    "--oracle",
    "--preset",
    "--regions",
    "--stack-limit",
    "--static",
    "--stats",
    "--strict",
    "--threads",
    "--trace-log",
    "--verbose",
    "--version",
];

/// What the words before the program asked for, before it is known whether they fit together.
#[derive(Default)]
struct Words {
    command: Option<&'static str>,
    all: bool,
    strict: bool,
    statically: bool,
    json: bool,
    oracle: bool,
    live: bool,
    verbose: bool,
    help: bool,
    version: bool,
    evaluate: Option<String>,
    native: NativeWords,
}

pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Arguments, Misuse> {
    let mut parser = lexopt::Parser::from_args(words);
    let mut seen = Words::default();
    let mut options = CommandOptions::default();
    let mut positional: Vec<OsString> = Vec::new();
    while let Some(word) = parser.next().map_err(other)? {
        match word {
            Short('e') | Long("evaluate") => {
                // The next argument whatever it begins with: `scaly -e -7`.
                let text = match parser.optional_value() {
                    Some(value) => value,
                    None => parser.raw_args().map_err(other)?.next().ok_or_else(|| Misuse::Value {
                        option: "-e",
                        problem: "a program is missing behind it".into(),
                    })?,
                };
                seen.evaluate = Some(utf8("-e", text)?);
                break;
            }
            Short('h') | Long("help") => seen.help = true,
            Short('V') | Long("version") => seen.version = true,
            Short('v') | Long("verbose") => seen.verbose = true,
            Long("all") => seen.all = true,
            Long("strict") => seen.strict = true,
            Long("static") => seen.statically = true,
            Long("json") => seen.json = true,
            Long("oracle") => seen.oracle = true,
            Long("live") => seen.live = true,
            Long("copies") => options.copies = true,
            Long("color") => options.color = color(value("--color", &mut parser)?)?,
            Long("regions") => options.run.guard_regions = regions(value("--regions", &mut parser)?)?,
            Long("memory-limit") => {
                options.run.memory_limit = Some(size("--memory-limit", &value("--memory-limit", &mut parser)?)?);
            }
            Long("stack-limit") => {
                options.run.stack_slots = Some(size("--stack-limit", &value("--stack-limit", &mut parser)?)?);
            }
            Long("threads") => options.run.threads = Some(threads(&value("--threads", &mut parser)?)?),
            Long("jit") => seen.native.jit(&value("--jit", &mut parser)?)?,
            Long("preset") => seen.native.preset(&value("--preset", &mut parser)?)?,
            Long("trace-log") => seen.native.trace_log(optional("--trace-log", &mut parser)?.as_deref())?,
            Long("observe") => seen.native.observe(&value("--observe", &mut parser)?)?,
            Long("stats") => seen.native.stats(optional("--stats", &mut parser)?.as_deref())?,
            Value(word) if seen.command.is_none() && command(&word).is_some() => seen.command = command(&word),
            Value(word) => {
                positional.push(word);
                break;
            }
            Short(letter) => return Err(unknown(format!("-{letter}"))),
            Long(name) => return Err(unknown(format!("--{name}"))),
        }
    }
    let rest: Vec<OsString> = parser.raw_args().map_err(other)?.collect();
    let source = match (seen.evaluate.take(), positional.pop()) {
        (Some(text), _) => Some(Source::Text(text)),
        (None, Some(word)) if word == "-" => Some(Source::StandardInput),
        (None, Some(word)) => Some(Source::File(PathBuf::from(word))),
        (None, None) => None,
    };
    let (action, rest) = finish(&seen, rest, &mut options)?;
    options.live = seen.live;
    let explained = matches!(action, Action::Explain(_));
    seen.native.counted = explained;
    let native = seen.native.finish()?;
    (options.run.jit, options.run.trace_log) = (native.jit, native.log);
    options.run.observers = native.observers;
    (options.stats, options.run.statistics) = (native.stats, native.stats.is_some() || explained);
    Ok(Arguments { action, source, program_arguments: rest, options })
}

/// Decides the action, and takes the options that stand behind the file of a command other than running.
fn finish(seen: &Words, rest: Vec<OsString>, options: &mut CommandOptions) -> Result<(Action, Vec<OsString>), Misuse> {
    let Some(command) = seen.command else {
        for (given, option, belongs) in [
            (seen.all, "--all", "'scaly dump'"),
            (seen.strict, "--strict", "'scaly check'"),
            (seen.statically, "--static", "'scaly explain'"),
            (seen.json, "--json", "'scaly explain'"),
            (seen.verbose && !seen.version, "--verbose", "'scaly --version'"),
        ] {
            if given {
                return Err(Misuse::Misplaced { option, command: "running a program", belongs });
            }
        }
        let action = if seen.help {
            Action::Help(Topic::Scaly)
        } else if seen.native.help {
            Action::Help(Topic::Parameters)
        } else if seen.version {
            Action::Version { verbose: seen.verbose }
        } else if seen.oracle {
            if let Some(option) = seen.native.given.or(seen.live.then_some("--live")) {
                return Err(Misuse::Misplaced { option, command: "'--oracle'", belongs: "an ordinary run" });
            }
            Action::Oracle
        } else {
            Action::Run
        };
        return Ok((action, rest));
    };
    let (mut all, mut strict, mut statically, mut help) = (seen.all, seen.strict, seen.statically, seen.help);
    // The program runs, and what stands behind it is its own; alone, `--static` is what was forgotten before it.
    let runs = command == "explain" && !statically && !help && rest != ["--static"];
    let (rest, own) = if runs { (Vec::new(), rest) } else { (rest, Vec::new()) };
    for word in rest {
        match word.to_str() {
            Some("--all") => all = true,
            Some("--strict") => strict = true,
            Some("--static") => statically = true,
            Some("--help" | "-h") => help = true,
            Some(option) if option.starts_with('-') && option != "-" => return Err(unknown(option.into())),
            _ => {
                let command = if command == "explain" { "explain --static" } else { command };
                return Err(Misuse::Surplus { command, argument: word.to_string_lossy().into_owned() });
            }
        }
    }
    let native =
        (seen.native.given.is_some() && !runs, seen.native.given.unwrap_or_default(), "run", "running a program");
    for (given, option, owner, belongs) in [
        native,
        (all, "--all", "dump", "'scaly dump'"),
        (strict, "--strict", "check", "'scaly check'"),
        (statically, "--static", "explain", "'scaly explain'"),
        (seen.json, "--json", if statically { "" } else { "explain" }, "'scaly explain' of a run"),
        (seen.oracle, "--oracle", "run", "running a program"),
        (seen.live, "--live", "run", "running a program"),
        (seen.verbose, "--verbose", "version", "'scaly --version'"),
    ] {
        if given && command != owner {
            let command = match command {
                "check" => "'scaly check'",
                "dump" => "'scaly dump'",
                _ if statically => "'scaly explain --static'",
                _ => "'scaly explain'",
            };
            return Err(Misuse::Misplaced { option, command, belongs });
        }
    }
    options.strict = strict;
    let action = match command {
        "check" if help => Action::Help(Topic::Check),
        "dump" if help => Action::Help(Topic::Dump),
        _ if help => Action::Help(Topic::Explain),
        "check" => Action::Check,
        "dump" => Action::Dump { all },
        _ if statically => Action::ExplainStatic,
        _ => Action::Explain(if seen.json { Form::Json } else { Form::Text }),
    };
    Ok((action, own))
}

fn command(word: &OsString) -> Option<&'static str> {
    ["check", "dump", "explain"].into_iter().find(|&command| word == command)
}

fn unknown(option: String) -> Misuse {
    let near = near(&option, OPTIONS.iter().copied());
    Misuse::UnknownOption { option, near }
}

/// The known word that was probably meant.
pub fn near(word: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    known
        .map(|known| (strsim::damerau_levenshtein(known, word), known))
        .min()
        .filter(|&(distance, _)| distance <= 2 && word.len() > 1 + distance)
        .map(|(_, known)| known)
}

fn other(error: lexopt::Error) -> Misuse {
    match error {
        lexopt::Error::UnexpectedValue { option, .. } => Misuse::Other(format!("{option} takes no value")),
        error => Misuse::Other(error.to_string()),
    }
}

fn utf8(option: &'static str, text: OsString) -> Result<String, Misuse> {
    text.into_string().map_err(|_| Misuse::Value { option, problem: "not valid UTF-8".into() })
}

fn value(option: &'static str, parser: &mut lexopt::Parser) -> Result<String, Misuse> {
    let value = parser.value().map_err(|_| Misuse::Value { option, problem: "a value is missing".into() })?;
    utf8(option, value)
}

/// A value that can only stand behind `=`.
fn optional(option: &'static str, parser: &mut lexopt::Parser) -> Result<Option<String>, Misuse> {
    parser.optional_value().map(|value| utf8(option, value)).transpose()
}

fn color(word: String) -> Result<Color, Misuse> {
    match word.as_str() {
        "auto" => Ok(Color::Auto),
        "always" => Ok(Color::Always),
        "never" => Ok(Color::Never),
        _ => Err(Misuse::Value { option: "--color", problem: format!("'{word}' is none of auto, always, never") }),
    }
}

fn regions(word: String) -> Result<bool, Misuse> {
    match word.as_str() {
        "pool" => Ok(false),
        "guard" => Ok(true),
        _ => Err(Misuse::Value { option: "--regions", problem: format!("'{word}' is none of pool, guard") }),
    }
}

/// A positive number with an optional `K`, `M` or `G` (powers of 1024).
fn size(option: &'static str, word: &str) -> Result<u64, Misuse> {
    let (digits, shift) = match word.as_bytes().last() {
        Some(b'k' | b'K') => (&word[..word.len() - 1], 10),
        Some(b'm' | b'M') => (&word[..word.len() - 1], 20),
        Some(b'g' | b'G') => (&word[..word.len() - 1], 30),
        _ => (word, 0),
    };
    let number = digits.parse::<u64>().ok().filter(|&n| n > 0).and_then(|n| n.checked_mul(1 << shift));
    number.ok_or_else(|| Misuse::Value {
        option,
        problem: format!("'{word}' is no size; write a positive number, with K, M or G behind it if you like"),
    })
}

fn threads(word: &str) -> Result<usize, Misuse> {
    let number = word.parse().ok().filter(|n| (1..=MOST_THREADS).contains(n));
    number.ok_or_else(|| Misuse::Value {
        option: "--threads",
        problem: format!("'{word}' is no number of threads; it is a number from 1 to {MOST_THREADS}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Arguments, String> {
        parse(words.iter().map(OsString::from)).map_err(|misuse| misuse.to_string())
    }

    #[test]
    fn what_stands_behind_the_file_is_the_programs() {
        let got = read(&["--regions=guard", "a.scaly", "--help", "-e", "x"]).unwrap();
        assert_eq!(got.action, Action::Run);
        assert!(got.options.run.guard_regions);
        assert_eq!(got.program_arguments, ["--help", "-e", "x"]);
    }

    #[test]
    fn evaluate_takes_the_next_argument_whatever_it_begins_with() {
        for words in [&["-e", "-7"][..], &["--evaluate", "-7"], &["-e=-7"]] {
            let got = read(words).unwrap();
            assert!(matches!(got.source, Some(Source::Text(text)) if text == "-7"), "{words:?}");
        }
        assert_eq!(read(&["-e"]).unwrap_err(), "-e: a program is missing behind it");
    }

    #[test]
    fn a_command_takes_one_file_and_its_own_options_on_either_side() {
        assert_eq!(read(&["dump", "a.scaly", "--all"]).unwrap().action, Action::Dump { all: true });
        for words in [["explain", "--static", "a.scaly"], ["explain", "a.scaly", "--static"]] {
            assert_eq!(read(&words).unwrap().action, Action::ExplainStatic);
        }
        assert!(read(&["check", "--strict", "a.scaly"]).unwrap().options.strict);
        assert_eq!(read(&["check", "a", "b"]).unwrap_err(), "'scaly check' takes one file; 'b' is one too many");
        assert_eq!(
            read(&["dump", "--strict", "a"]).unwrap_err(),
            "--strict belongs to 'scaly check', not to 'scaly dump'"
        );
    }

    #[test]
    fn a_run_is_explained_with_the_programs_arguments() {
        let got = read(&["explain", "--json", "--threads", "2", "--jit", "hot=3", "a.scaly", "--help", "7"]).unwrap();
        assert_eq!((got.action, got.options.run.statistics), (Action::Explain(Form::Json), true));
        assert_eq!(got.program_arguments, ["--help", "7"]);
        assert_eq!(got.options.run.jit.unwrap().count, 1, "iterations of native code are counted");
        assert_eq!(read(&["explain", "a", "--static", "b"]).unwrap().program_arguments, ["--static", "b"]);
        let wrong = |words: &[&str]| read(words).unwrap_err();
        assert_eq!(
            wrong(&["explain", "--static", "a", "b"]),
            "'scaly explain --static' takes one file; 'b' is one too many"
        );
        assert_eq!(
            wrong(&["explain", "--static", "--json", "a"]),
            "--json belongs to 'scaly explain' of a run, not to 'scaly explain --static'"
        );
        assert!(wrong(&["explain", "--static", "--stats", "a"]).starts_with("--stats belongs to running a program"));
        assert_eq!(wrong(&["--json", "a"]), "--json belongs to 'scaly explain', not to running a program");
        assert_eq!(
            wrong(&["explain", "--oracle", "a"]),
            "--oracle belongs to running a program, not to 'scaly explain'"
        );
    }

    #[test]
    fn a_file_may_be_named_like_a_command() {
        let got = read(&["./check"]).unwrap();
        assert_eq!(got.action, Action::Run);
        assert!(matches!(got.source, Some(Source::File(path)) if path.as_os_str() == "./check"));
    }

    #[test]
    fn unknown_options_are_refused_with_the_nearest_one() {
        let misuse = parse([OsString::from("--reginos=guard"), OsString::from("a")]).unwrap_err();
        assert_eq!(misuse.to_string(), "unknown option '--reginos'");
        assert_eq!(misuse.help().unwrap(), "did you mean '--regions'?");
        assert_eq!(read(&["-x", "a"]).unwrap_err(), "unknown option '-x'");
        assert_eq!(
            read(&["--strict", "a"]).unwrap_err(),
            "--strict belongs to 'scaly check', not to running a program"
        );
    }

    #[test]
    fn only_an_ordinary_run_has_a_page() {
        for words in [&["--live", "a"][..], &["--live", "--stats", "-e", "a"], &["--threads=2", "--live", "-"]] {
            let got = read(words).unwrap();
            assert_eq!((got.action, got.options.live), (Action::Run, true), "{words:?}");
        }
        assert!(!read(&["a", "--live"]).unwrap().options.live, "it is the program's");
        let wrong = |words: &[&str]| read(words).unwrap_err();
        assert_eq!(wrong(&["check", "--live", "a"]), "--live belongs to running a program, not to 'scaly check'");
        assert_eq!(wrong(&["--live", "dump", "a"]), "--live belongs to running a program, not to 'scaly dump'");
        assert_eq!(wrong(&["explain", "--live", "a"]), "--live belongs to running a program, not to 'scaly explain'");
        assert_eq!(wrong(&["--oracle", "--live", "a"]), "--live belongs to an ordinary run, not to '--oracle'");
        assert_eq!(wrong(&["--live=1", "a"]), "--live takes no value");
    }

    #[test]
    fn threads_are_a_number() {
        assert_eq!(read(&["--threads", "16", "a"]).unwrap().options.run.threads, Some(16));
        for bad in ["0", "x", "-1", "1025", "", "1.5"] {
            assert!(read(&["--threads", bad, "a"]).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(read(&["--memory-limit", "64M", "a"]).unwrap().options.run.memory_limit, Some(64 << 20));
        for bad in ["0", "x", "-1", "99999999999G", ""] {
            assert!(read(&["--memory-limit", bad, "a"]).is_err(), "{bad}");
        }
    }
}
