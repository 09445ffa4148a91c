//! The header comment of a language test.

use super::Outcome;

#[derive(Debug, Default)]
pub struct Expectation {
    pub output: String,
    pub status: Option<i32>,
    pub errors: Vec<ExpectedError>,
    pub runtime_error: Option<String>,
    pub stderr: Vec<String>,
    pub arguments: Vec<String>,
    pub stdin: String,
    pub covers: Vec<String>,
}

#[derive(Debug, Default)]
pub struct ExpectedError {
    /// `line:column: message`
    pub place_and_message: String,
    pub help: Vec<String>,
}

impl Expectation {
    pub fn parse(text: &str) -> Result<Expectation, String> {
        Expectation::parse_beside(text, &[])
    }

    /// The same where further header words are somebody else's.
    pub fn parse_beside(text: &str, others: &[&str]) -> Result<Expectation, String> {
        let mut expected = Expectation::default();
        let mut in_output = false;
        for line in text.lines() {
            let Some(comment) = line.strip_prefix(';') else { break };
            if in_output {
                if let Some(line) = comment.strip_prefix(" |") {
                    expected.output += line.strip_prefix(' ').unwrap_or(line);
                    expected.output.push('\n');
                    continue;
                }
                in_output = false;
            }
            let comment = comment.trim_start();
            let Some((word, value)) = comment.split_once(':') else { continue };
            let value = value.strip_prefix(' ').unwrap_or(value);
            match word {
                "output" if value.is_empty() => in_output = true,
                "status" => {
                    expected.status = Some(value.parse().map_err(|_| format!("status {value:?} is no number"))?)
                }
                "error" => {
                    expected.errors.push(ExpectedError { place_and_message: value.to_string(), help: Vec::new() })
                }
                "help" => {
                    let error = expected.errors.last_mut().ok_or("help without an error before it")?;
                    error.help.push(value.to_string());
                }
                "runtime-error" => expected.runtime_error = Some(value.to_string()),
                "stderr" => expected.stderr.push(value.to_string()),
                "args" => expected.arguments = split(value),
                "stdin" => {
                    expected.stdin += value;
                    expected.stdin.push('\n');
                }
                "covers" => expected.covers.push(value.to_string()),
                word if others.contains(&word) => {}
                // Prose may contain a colon; a header word is one lower-case word.
                word if !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '-') => {
                    return Err(format!("unknown header word {word:?}"));
                }
                _ => {}
            }
        }
        Ok(expected)
    }

    pub fn compare(&self, got: &Outcome) -> Result<(), String> {
        let mut wrong = Vec::new();
        if got.output != self.output {
            wrong.push(format!("output:\n{}\nexpected:\n{}", indent(&got.output), indent(&self.output)));
        }
        let failing = !self.errors.is_empty() || self.runtime_error.is_some();
        let status = self.status.unwrap_or(i32::from(failing));
        if got.status != Some(status) {
            wrong.push(format!("status {:?}, expected {status}", got.status));
        }
        if !self.errors.is_empty() {
            let (errors, helps) = diagnostics(&got.error);
            let wanted: Vec<&str> = self.errors.iter().map(|e| e.place_and_message.as_str()).collect();
            if errors != wanted {
                wrong.push(format!("errors:\n{}\nexpected:\n{}", errors.join("\n"), wanted.join("\n")));
            }
            for help in self.errors.iter().flat_map(|e| &e.help) {
                if !helps.iter().any(|h| h == help) {
                    wrong.push(format!("no help {help:?} among {helps:?}"));
                }
            }
        } else if let Some(error) = &self.runtime_error {
            let (errors, _) = diagnostics(&got.error);
            let lines: Vec<String> = errors.iter().map(|e| without_column(e)).collect();
            if lines != [error.as_str()] {
                wrong.push(format!("runtime error:\n{}\nexpected:\n{error}", lines.join("\n")));
            }
        } else {
            let wanted: String = self.stderr.iter().map(|l| format!("{l}\n")).collect();
            if got.error != wanted {
                wrong.push(format!("standard error:\n{}\nexpected:\n{}", indent(&got.error), indent(&wanted)));
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        if !got.error.is_empty() {
            wrong.push(format!("standard error was:\n{}", indent(&got.error)));
        }
        Err(wrong.join("\n"))
    }
}

/// The `line:column: message` of each rendered error, and all lines of help.
fn diagnostics(text: &str) -> (Vec<String>, Vec<String>) {
    let mut errors = Vec::new();
    let mut helps = Vec::new();
    let mut message: Option<&str> = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("error: ") {
            message = Some(rest);
        } else if let Some((_, place)) = line.split_once("--> ") {
            if let Some(message) = message.take() {
                let mut parts = place.trim().rsplitn(3, ':');
                let (column, line) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
                errors.push(format!("{line}:{column}: {message}"));
            }
        } else if let Some((_, help)) = line.split_once("= help: ") {
            helps.push(help.to_string());
        }
    }
    (errors, helps)
}

/// `3:7: message` as `3: message`.
fn without_column(error: &str) -> String {
    let mut parts = error.splitn(3, ':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(line), Some(_), Some(message)) => format!("{line}:{message}"),
        _ => error.to_string(),
    }
}

/// Words split at blanks; double quotes hold a word together.
fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  | {line}\n")).collect()
}
