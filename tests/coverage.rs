//! Which program pins which sentence of `docs/language.md`.
//!
//! Every list item and table row of the reference, but those under *Not yet*, must be quoted by a `; covers:` line of a
//! language test, and every quote must stand in the reference to the letter (white space apart). The table is
//! `tests/coverage.md`; `SCALY_UPDATE=1 cargo test --test coverage` writes it anew.

mod common;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use common::expectation::Expectation;
use common::{programs, root};

struct Sentence {
    section: String,
    text: String,
    programs: Vec<String>,
}

/// White space folded, marks of emphasis gone.
fn plain(text: &str) -> String {
    text.replace("**", "").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn sentences(reference: &str) -> Vec<Sentence> {
    let mut section = String::new();
    let mut found: Vec<Sentence> = Vec::new();
    let mut open = false;
    for line in reference.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title.to_string();
            open = false;
        } else if section == "Not yet" {
            continue;
        } else if let Some(item) = line.strip_prefix("- ") {
            found.push(Sentence { section: section.clone(), text: item.to_string(), programs: Vec::new() });
            open = true;
        } else if line.starts_with("| ") && !line.starts_with("| tightest") {
            let text = line.trim_matches('|').to_string();
            found.push(Sentence { section: section.clone(), text, programs: Vec::new() });
            open = false;
        } else if open && line.starts_with("  ") {
            if let Some(last) = found.last_mut() {
                last.text.push(' ');
                last.text.push_str(line.trim());
            }
        } else {
            open = false;
        }
    }
    for sentence in &mut found {
        sentence.text = plain(&sentence.text);
    }
    found
}

#[test]
fn every_sentence_is_pinned() {
    let reference = fs::read_to_string(root().join("docs/language.md")).expect("the reference is there");
    let mut sentences = sentences(&reference);
    assert!(sentences.len() > 80, "the reference was not understood: {} sentences", sentences.len());
    let mut strangers = BTreeMap::new();
    for path in programs(&root().join("tests/lang")) {
        let text = fs::read_to_string(&path).expect("a program that was just found");
        let name = path.strip_prefix(root().join("tests/lang")).unwrap_or(&path).display().to_string();
        let expected = Expectation::parse(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        for quote in expected.covers {
            let quote = plain(&quote);
            let mut pinned = false;
            for sentence in &mut sentences {
                if sentence.text.contains(quote.trim_end_matches('.')) && !quote.is_empty() {
                    pinned = true;
                    if !sentence.programs.contains(&name) {
                        sentence.programs.push(name.clone());
                    }
                }
            }
            if !pinned {
                strangers.insert(name.clone(), quote);
            }
        }
    }
    assert!(strangers.is_empty(), "quotes that are not in docs/language.md: {strangers:#?}");

    let mut table = String::from(
        "# Which test pins which sentence of the reference\n\nWritten by `SCALY_UPDATE=1 cargo test --test coverage`.\n",
    );
    let mut section = "";
    for sentence in &sentences {
        if sentence.section != section {
            section = &sentence.section;
            let _ = write!(table, "\n## {section}\n\n| sentence | programs |\n|---|---|\n");
        }
        let _ = writeln!(table, "| {} | {} |", sentence.text.replace('|', "\\|"), sentence.programs.join(" "));
    }
    let path = root().join("tests/coverage.md");
    if std::env::var_os("SCALY_UPDATE").is_some() {
        fs::write(&path, &table).expect("the table can be written");
    }
    let open: Vec<&str> = sentences.iter().filter(|s| s.programs.is_empty()).map(|s| s.text.as_str()).collect();
    assert!(open.is_empty(), "{} sentences that no program pins:\n- {}", open.len(), open.join("\n- "));
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(there == table, "tests/coverage.md is old: run SCALY_UPDATE=1 cargo test --test coverage");
}
