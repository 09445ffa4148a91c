//! Programs that are right: the language tests, the examples, the library.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::checked;
use crate::check::declarations::RoutineDeclId;
use crate::check::hir::{TypeId, Types};
use crate::check::known::Known;
use crate::check::{Checker, Extent, Library, Options, check};
use crate::source::{SourceFile, SourceMap};
use crate::syntax::{self, Interner, Names};

fn programs(folder: &Path, list: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            programs(&path, list);
        } else if path.extension().is_some_and(|e| e == "scaly") {
            list.push(path);
        }
    }
}

/// Every program that is expected to run passes.
#[test]
fn programs_of_the_repository() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut list = Vec::new();
    for folder in ["tests/lang", "examples", "bench/programs"] {
        programs(&root.join(folder), &mut list);
    }
    list.sort();
    assert!(list.len() > 100);
    let mut failed = 0;
    for path in list {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        if text.lines().take_while(|l| l.starts_with(';')).any(|l| l.starts_with("; error")) {
            continue;
        }
        let (_, messages) = checked(&text);
        if !messages.is_empty() {
            failed += 1;
            println!("{}\n{}", path.display(), messages.join("\n"));
        }
    }
    assert_eq!(failed, 0);
}

/// Every routine of the library that is not generic passes, called or not, and the generic ones for two types.
#[test]
fn the_library() {
    let mut sources = SourceMap::default();
    let mut interner = Interner::new();
    let mut names = Names::new(&mut interner);
    let library = Library::parse(Extent::WHOLE, &mut sources, &mut interner, &mut names);
    let file = sources.add(SourceFile::new("test.scaly", "", false));
    let parsed = syntax::parse_with(file, "", &mut interner, &mut names, false);
    let known = Known::new(&mut interner);
    let mut checker = Checker::new(&sources, &interner, known, Options::default());
    checker.declare(&library, &parsed.file);
    let mut checked = 0;
    for id in (0..checker.decls.routines.len() as u32).map(RoutineDeclId) {
        let decl = checker.decls.routine(id);
        let name = checker.text(decl.name).to_string();
        let own = decl.routine.generics.len();
        let owner = decl.owner.map_or(0, |o| checker.decls.ty(o).define.generics.len());
        let span = decl.routine.head_span;
        let decl_owner = decl.owner.map(|o| checker.text(checker.decls.ty(o).name));
        for ty in [Types::I64, Types::STRING] {
            // Sums, signs and absolute values are those of numbers.
            let numbers = matches!(name.as_str(), "abs" | "sign" | "sum");
            let range = decl_owner == Some("Range");
            if ty == Types::STRING && (numbers || range || own + owner == 0) {
                continue;
            }
            let args: Rc<[TypeId]> = vec![ty; own + owner].into();
            checker.instance(id, &args, span);
            checked += 1;
        }
    }
    checker.work();
    let messages: Vec<String> = checker.diagnostics.iter().map(|d| d.render(&sources, false)).collect();
    assert!(messages.is_empty(), "{}", messages.join("\n"));
    assert!(checked > 200, "{checked}");
}

/// Programs with words exchanged, doubled and left out: wrong in all ways, and never a panic. `MUTATIONS` sets how many
/// of each program.
#[test]
fn mutated_programs() {
    let rounds = std::env::var("MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut list = Vec::new();
    for folder in ["tests/lang", "examples"] {
        programs(&root.join(folder), &mut list);
    }
    list.sort();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n.max(1) as u64) as usize
    };
    let mut sources = SourceMap::default();
    let mut interner = Interner::new();
    let mut names = Names::new(&mut interner);
    let library = Library::parse(Extent::WHOLE, &mut sources, &mut interner, &mut names);
    let mut checked = 0;
    for path in list {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for _ in 0..rounds {
            let mut words: Vec<&str> = text.split_inclusive(|c: char| !c.is_alphanumeric()).collect();
            for _ in 0..=random(3) {
                let (a, b) = (random(words.len()), random(words.len()));
                match random(4) {
                    0 => words.swap(a, b),
                    1 => words[a] = words[b],
                    2 => words.insert(a, words[b]),
                    _ => drop(words.remove(a)),
                }
                if words.is_empty() {
                    break;
                }
            }
            let text = words.concat();
            let file = sources.add(SourceFile::new("test.scaly", text.as_str(), false));
            let mut names = names.clone();
            let parsed = syntax::parse_with(file, &text, &mut interner, &mut names, false);
            if !parsed.diagnostics.is_empty() && random(4) > 0 {
                continue;
            }
            if std::env::var_os("SHOW").is_some() {
                std::fs::write("/tmp/mutated.scaly", &text).unwrap();
            }
            let result = check(&sources, &library, &parsed.file, &mut interner, Options::default());
            for d in &result.diagnostics {
                d.render(&sources, false);
            }
            checked += 1;
        }
    }
    assert!(checked > 50, "{checked}");
}
