//! Finds out which file of the library needs which, so that a start reads only what its program can reach; and links the
//! command so that a start relocates nothing.
//!
//! A file is *mentioned* by the names it declares at its top level, by its variants, and, of blocks that add members to
//! primitive types, by these members: such values need no name of a type to exist. It needs what its own text mentions.
//! The tables go to `library_tables.rs`; `src/check/library.rs` has the use of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

#[path = "src/check/words.rs"]
mod words;

use words::{Word, words};

/// Types that exist without being named.
const PRIMITIVES: &[&str] =
    &["bool", "char", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64", "int", "uint"];

/// Files that every program needs: the checker knows `Option` by itself.
const ALWAYS: &[&str] = &["option"];

/// What signs stand for: the literals make values of these types.
const SIGNS: &[(&str, Word)] =
    &[("string", Word::Text), ("string", Word::Char), ("array", Word::Bracket), ("range", Word::Dots)];

fn main() {
    without_relocations();
    let folder = Path::new("src/stdlib");
    println!("cargo::rerun-if-changed=src/stdlib");
    println!("cargo::rerun-if-changed=src/check/words.rs");
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("the library is there")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".scaly").map(String::from))
        .collect();
    names.sort();
    assert!(names.len() <= 64, "a set of files is one word");
    let texts: Vec<String> = names
        .iter()
        .map(|n| fs::read_to_string(folder.join(format!("{n}.scaly"))).expect("a file just listed"))
        .collect();
    let index = |name: &str| names.iter().position(|n| n == name).expect("a file of the library");

    // Which files a word or sign leads to, directly.
    let mut by_word: BTreeMap<&str, u64> = BTreeMap::new();
    for (file, text) in texts.iter().enumerate() {
        for word in declared(text) {
            *by_word.entry(word).or_default() |= 1 << file;
        }
    }
    let mut by_sign: BTreeMap<Word, u64> = BTreeMap::new();
    for (name, sign) in SIGNS {
        *by_sign.entry(*sign).or_default() |= 1 << index(name);
    }
    let mentioned = |text: &str| {
        words(text).fold(0, |set, word| {
            set | match word {
                Word::Name(name) => by_word.get(name).copied().unwrap_or(0),
                sign => by_sign.get(&sign).copied().unwrap_or(0),
            }
        })
    };
    // All that a file leads to, itself included.
    let mut needs: Vec<u64> = texts.iter().enumerate().map(|(file, text)| mentioned(text) | 1 << file).collect();
    loop {
        let wider: Vec<u64> = needs.iter().map(|&files| reach(files, &needs)).collect();
        if wider == needs {
            break;
        }
        needs = wider;
    }

    let mut out = String::from("/// Name and text of each file.\npub const FILES: &[(&str, &str)] = &[\n");
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    for name in &names {
        let _ = writeln!(out, "    ({name:?}, include_str!({:?})),", format!("{root}/src/stdlib/{name}.scaly"));
    }
    out += "];\n/// Sets of files, bit by bit, that a name leads to; sorted.\npub const NAMES: &[(&str, u64)] = &[\n";
    for (word, files) in &by_word {
        let _ = writeln!(out, "    ({word:?}, {:#x}),", reach(*files, &needs));
    }
    out += "];\n/// The same for signs.\npub const SIGNS: &[(Word, u64)] = &[\n";
    for (sign, files) in &by_sign {
        let _ = writeln!(out, "    (Word::{sign:?}, {:#x}),", reach(*files, &needs));
    }
    let always = ALWAYS.iter().fold(0, |set, name| set | 1 << index(name));
    let _ = writeln!(out, "];\n/// What every program needs.\npub const ALWAYS: u64 = {:#x};", reach(always, &needs));
    let target = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("library_tables.rs");
    fs::write(target, out).expect("the tables can be written");
}

/// The command lies at a fixed address: relocating its tables is a sixth of what a start does. Libraries, heap, stacks
/// and native code still lie at random ones.
fn without_relocations() {
    let target = |what| env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    if target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo::rustc-link-arg-bin=scaly=-no-pie");
    }
}

fn reach(files: u64, needs: &[u64]) -> u64 {
    (0..needs.len()).filter(|file| files >> file & 1 == 1).fold(files, |set, file| set | needs[file])
}

/// The names that mention a file.
fn declared(text: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let mut primitive = false;
    for line in text.lines() {
        let outer = !line.starts_with([' ', '}', ')']);
        let mut rest = words(line).filter_map(|word| match word {
            Word::Name(name) => Some(name),
            _ => None,
        });
        match (rest.next(), rest.next()) {
            (Some("define"), Some(name)) if outer => {
                primitive = PRIMITIVES.contains(&name);
                if !primitive {
                    found.insert(name);
                }
                // `union(None, Some: T)`: capitalized words on the line are variants, or types it mentions anyway.
                if line.contains("union") {
                    found.extend(rest.filter(|word| word.starts_with(char::is_uppercase) && word.len() > 1));
                }
            }
            (Some("function" | "procedure"), Some(name)) if outer => {
                found.insert(name);
            }
            (Some("function" | "procedure"), Some(name)) if primitive => {
                found.insert(name);
            }
            _ => {}
        }
    }
    found
}
