//! Programs that are right: the language tests, the examples, the library.

use std::path::{Path, PathBuf};

use super::checked;

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
