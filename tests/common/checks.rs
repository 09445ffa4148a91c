//! Checks on the trace log, from the header comment of a trace test. `tests/README.md` describes them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::root;

/// Header words that belong to this.
pub const WORDS: &[&str] = &["program", "options", "native", "check", "check-not", "loop", "code", "count"];

#[derive(Debug, Default)]
pub struct Checks {
    /// Another program than the one that this is the header of, from the root of the repository.
    pub program: Option<PathBuf>,
    /// Options of the command.
    pub options: Vec<String>,
    /// Least share of native iterations, in percent.
    pub native: Option<f64>,
    checks: Vec<Check>,
}

#[derive(Debug)]
enum Check {
    /// A line behind the one that was found before.
    Line(Pattern),
    /// No line from the one that was found before to the one that is found next, or to the end.
    Not(Pattern),
    /// What follows counts in the first trace of the loop at this line of the source.
    Loop(u32),
    /// What follows counts in its machine code, as far as it comes from lines of the source with this text.
    Code(String),
    /// So many of the instructions that were chosen.
    Count(usize, Pattern),
}

impl Checks {
    pub fn parse(text: &str) -> Result<Checks, String> {
        let header = |line: &str| Some(PathBuf::from(line.strip_prefix("; program: ")?));
        let program = text.lines().map_while(|line| line.starts_with(';').then_some(line)).find_map(header);
        match &program {
            None => Checks::of(text, text, None),
            Some(path) => {
                let other = fs::read_to_string(root().join(path)).map_err(|e| format!("{}: {e}", path.display()))?;
                Checks::of(text, &other, program)
            }
        }
    }

    fn of(text: &str, source: &str, program: Option<PathBuf>) -> Result<Checks, String> {
        let mut checks = Checks { program, ..Checks::default() };
        for line in text.lines().map_while(|line| line.strip_prefix(';')) {
            let Some((word, value)) = line.trim_start().split_once(": ") else { continue };
            let number = |text: &str| text.parse::<u32>().map_err(|_| format!("{word}: {text:?} is no number"));
            match word {
                "options" => checks.options.extend(value.split_whitespace().map(str::to_string)),
                "native" => checks.native = Some(f64::from(number(value)?)),
                "check" => checks.checks.push(Check::Line(Pattern::parse(&lines_for(source, value)?)?)),
                "check-not" => checks.checks.push(Check::Not(Pattern::parse(&lines_for(source, value)?)?)),
                "loop" => checks.checks.push(Check::Loop(line_of(source, value)?)),
                "code" => checks.checks.push(Check::Code(value.to_string())),
                "count" => {
                    let (count, pattern) = value.split_once(' ').ok_or(format!("count: {value:?} lacks a pattern"))?;
                    checks.checks.push(Check::Count(number(count)? as usize, Pattern::parse(pattern)?));
                }
                _ => {}
            }
        }
        Ok(checks)
    }

    /// Whether some check looks for this text.
    pub fn mention(&self, text: &str) -> bool {
        self.checks.iter().any(|check| matches!(check, Check::Line(pattern) if pattern.text.contains(text)))
    }

    /// Whether they need machine code in the log.
    pub fn code(&self) -> bool {
        self.checks.iter().any(|check| matches!(check, Check::Code(_)))
    }

    pub fn compare(&self, log: &str) -> Result<(), String> {
        let log = Log::parse(log);
        let mut names = Names::new();
        // The first line that has not been passed.
        let mut at = 0;
        let mut refused: Vec<&Pattern> = Vec::new();
        let (mut line, mut body) = (0, Vec::new());
        for check in &self.checks {
            match check {
                Check::Not(pattern) => refused.push(pattern),
                Check::Line(pattern) => {
                    let found = log.lines[at..].iter().position(|line| pattern.find(line, &mut names));
                    let found =
                        found.ok_or_else(|| format!("check: nothing behind line {at} matches {:?}", pattern.text))?;
                    none_matches(&log.lines[at..at + found], &refused, &names)?;
                    refused.clear();
                    at += found + 1;
                }
                Check::Loop(number) => (line, body) = (*number, log.loop_part(*number)?),
                Check::Code(source) => body = log.loop_code(line, source)?,
                Check::Count(wanted, pattern) => {
                    let found = body.iter().filter(|line| pattern.find(line, &mut names.clone()));
                    let lines: Vec<&&str> = found.collect();
                    if lines.len() != *wanted {
                        return Err(format!(
                            "count: {} instead of {wanted} {:?}: {lines:#?}",
                            lines.len(),
                            pattern.text
                        ));
                    }
                }
            }
        }
        none_matches(&log.lines[at..], &refused, &names)
    }
}

/// The number of the first line of the program that has a text.
fn line_of(program: &str, text: &str) -> Result<u32, String> {
    let found = program.lines().position(|line| !line.starts_with(';') && line.contains(text));
    found.map(|at| at as u32 + 1).ok_or(format!("no line of the program has {text:?}"))
}

/// With the numbers of the lines for `[[text]]`.
fn lines_for(program: &str, pattern: &str) -> Result<String, String> {
    let Some((before, rest)) = pattern.split_once("[[") else { return Ok(pattern.to_string()) };
    let (text, behind) = rest.split_once("]]").ok_or(format!("a ]] is missing in {pattern:?}"))?;
    Ok(format!("{before}{}{}", line_of(program, text)?, lines_for(program, behind)?))
}

fn none_matches(lines: &[&str], refused: &[&Pattern], names: &Names) -> Result<(), String> {
    for line in lines {
        if let Some(pattern) = refused.iter().find(|pattern| pattern.find(line, &mut names.clone())) {
            return Err(format!("check-not: {:?} matches {line:?}", pattern.text));
        }
    }
    Ok(())
}

/// A log in words, with IR.
struct Log<'a> {
    lines: Vec<&'a str>,
}

impl<'a> Log<'a> {
    fn parse(text: &'a str) -> Log<'a> {
        Log { lines: text.lines().collect() }
    }

    /// The listing of the first root trace of the loop at a line, `ir` or `asm`.
    fn listing(&self, what: &str, line: u32) -> Result<&[&'a str], String> {
        let place = format!(".scaly:{line}");
        let compiled = |text: &&str| {
            let (trace, rest) = text.strip_prefix("[trace] compiled ")?.split_once(" loop ")?;
            let (before, after) = rest.split_once(&place)?;
            (!before.contains(' ') && after.starts_with([' ', ':'])).then(|| trace.to_string())
        };
        let trace = self.lines.iter().find_map(compiled).ok_or(format!("loop: the one at line {line} has no trace"))?;
        let heading = format!("[trace] {what} {trace}");
        let start = self.lines.iter().position(|text| *text == heading).ok_or(format!("no {what} of {trace}"))?;
        let listing = &self.lines[start + 1..];
        Ok(&listing[..listing.iter().position(|text| !text.starts_with(' ')).unwrap_or(listing.len())])
    }

    /// The instructions between the marker and the back edge.
    fn loop_part(&self, line: u32) -> Result<Vec<&'a str>, String> {
        let listing = self.listing("ir", line)?;
        let find = |word: &str| listing.iter().position(|text| text.trim_start().starts_with(word));
        let marker = find("loop @").ok_or("loop: it has no marker")?;
        let end = find("end ").ok_or("loop: it has no end")?;
        let instruction = |text: &&&str| !text.trim_start().starts_with(';');
        Ok(listing[marker + 1..end].iter().filter(instruction).copied().collect())
    }

    /// The machine instructions from there to the first exit that come from lines with this text.
    fn loop_code(&self, line: u32, source: &str) -> Result<Vec<&'a str>, String> {
        let listing = self.listing("asm", line)?;
        let mut lines = listing.iter().map(|text| text.trim_start()).skip_while(|text| !text.starts_with("; loop @"));
        let (mut inside, mut found) = (false, Vec::new());
        for text in lines.by_ref().take_while(|text| !text.starts_with("exit")) {
            match text.strip_prefix("; ") {
                Some(comment) => inside = comment.split_once(" | ").map_or(inside, |(_, code)| code.contains(source)),
                None if inside && !text.ends_with(':') => found.push(text),
                None => {}
            }
        }
        if found.is_empty() { Err(format!("code: nothing comes from {source:?}")) } else { Ok(found) }
    }
}

type Names = BTreeMap<String, String>;

/// A text that a line contains. `{}` stands for any text, `{name}` for a word: any at first, the same one later.
#[derive(Debug)]
struct Pattern {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Any,
    Name(String),
}

impl Pattern {
    fn parse(text: &str) -> Result<Pattern, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, behind) = behind.split_once('}').ok_or(format!("a }} is missing in {text:?}"))?;
            pieces.push(Piece::Text(before.to_string()));
            pieces.push(if name.is_empty() { Piece::Any } else { Piece::Name(name.to_string()) });
            rest = behind;
        }
        pieces.push(Piece::Text(rest.to_string()));
        Ok(Pattern { text: text.to_string(), pieces })
    }

    /// Whether a line contains it; its new names are bound then.
    fn find(&self, line: &str, names: &mut Names) -> bool {
        let found = line.char_indices().find_map(|(at, _)| begins(&self.pieces, &line[at..], names));
        found.map(|bound| *names = bound).is_some()
    }
}

/// The names if the text begins so.
fn begins(pieces: &[Piece], text: &str, names: &Names) -> Option<Names> {
    match pieces {
        [] => Some(names.clone()),
        [Piece::Text(piece), rest @ ..] => begins(rest, text.strip_prefix(piece.as_str())?, names),
        [Piece::Any, rest @ ..] => {
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.into_iter().find_map(|at| begins(rest, &text[at..], names))
        }
        [Piece::Name(name), rest @ ..] => {
            let (word, behind) = text.split_at(text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len()));
            let mut names = names.clone();
            let known = names.entry(name.clone()).or_insert_with(|| word.to_string());
            if word.is_empty() || known != word { None } else { begins(rest, behind, &names) }
        }
    }
}
