//! Messages: programs that are wrong, and what is said about them.
//!
//! Each file in `messages/` holds cases: a title behind `==`, the program, and behind `--` a line for each message:
//! line and column, message, label, and behind `|` each advice. `BLESS=1` writes what is said now.

use std::path::Path;

use super::said;

fn cases(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/check/tests/messages").join(format!("{name}.txt"));
    let text = std::fs::read_to_string(&path).unwrap();
    let bless = std::env::var_os("BLESS").is_some();
    let mut blessed = String::new();
    let mut wrong = Vec::new();
    for case in text.split("\n== ").flat_map(|c| c.strip_prefix("== ").or(Some(c))).filter(|c| !c.trim().is_empty()) {
        let (title, rest) = case.split_once('\n').unwrap();
        let (program, expected) = rest.split_once("\n--").unwrap_or((rest.trim_end(), ""));
        let (program, expected) = (program.trim_end(), expected.trim());
        let found = said(&format!("{program}\n")).join("\n");
        if found != expected {
            wrong.push(format!("{title}:\n{program}\nexpected:\n{expected}\nfound:\n{found}\n"));
        }
        blessed.push_str(&format!("== {title}\n{program}\n--\n{found}\n\n"));
    }
    if bless {
        std::fs::write(&path, format!("{}\n", blessed.trim_end())).unwrap();
    } else {
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

macro_rules! topics {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            cases(stringify!($name));
        }
    )*};
}

topics! {
    calls choices conversions definitions generics lambdas loops members names operators statements unsupported
}
