//! Whole programs: text, checked, analyzed.

use super::build::marks;
use crate::check::hir::{Body, Program};
use crate::check::ownership::analyze;
use crate::check::{Library, Options, check};
use crate::diagnostic::Severity;
use crate::source::{SourceFile, SourceMap};
use crate::syntax::{self, Interner, Names};

/// Checks and analyzes; the messages as `line:column: text`, or all of them rendered.
pub fn analyzed(text: &str, strict: bool, rendered: bool) -> (Option<Program>, Vec<String>) {
    let mut sources = SourceMap::default();
    let mut interner = Interner::new();
    let mut names = Names::new(&mut interner);
    let library = Library::parse(crate::check::Extent::WHOLE, &mut sources, &mut interner, &mut names);
    let file = sources.add(SourceFile::new("test.scaly", text, false));
    let parsed = syntax::parse_with(file, text, &mut interner, &mut names, false);
    let checked = check(&sources, &library, &parsed.file, &mut interner, Options::default());
    let mut found = parsed.diagnostics;
    found.extend(checked.diagnostics);
    let mut program = checked.program;
    if let Some(program) = &mut program {
        found.extend(analyze(program, strict));
    }
    let text = |d: &crate::diagnostic::Diagnostic| {
        if rendered {
            return d.render(&sources, false);
        }
        let (line, column) = sources.file(d.span.file).line_column(d.span.start);
        format!("{line}:{column}: {}", d.message)
    };
    let messages = found.iter().filter(|d| strict || rendered || d.severity == Severity::Error).map(text).collect();
    (program, messages)
}

/// What the pass decided in the first routine of that name.
fn decided(text: &str, routine: &str) -> Vec<String> {
    let (program, messages) = analyzed(text, false, false);
    assert!(messages.is_empty(), "{messages:?}");
    let program = program.expect("no messages, so there is a program");
    let routine = program.routines.iter().find(|r| r.name == routine).expect("the routine is used");
    match &routine.body {
        Body::Code(body) => marks(body),
        Body::Intrinsic { .. } => Vec::new(),
    }
}

/// Everything that the tests and examples hold passes through without a panic; for looking at messages by eye.
#[test]
#[ignore = "prints what is found in the file that SCALY_FILE names"]
fn look() {
    let file = std::env::var("SCALY_FILE").expect("a file");
    let text = std::fs::read_to_string(&file).expect("readable");
    let (_, messages) = analyzed(&text, std::env::var("STRICT").is_ok(), true);
    for message in messages {
        println!("{message}");
    }
}

#[test]
fn the_library_keeps_the_rules() {
    let text = "var m = HashMap[String, Array[int]]()\nm.set(\"a\", [1])\nfor e in m: println(e)\nvar l = List[String]()\n\
                l.push(\"x\")\nprintln(l.pop(), l.pop_front(), l.get(0))\nvar s = HashSet[int]()\nprintln(s.add(1))\n\
                println([3, 1].sort(), \"a b\".split(), [1].map(\\x: x + 1), format(\"{:.2}\", 1.5))";
    let (_, messages) = analyzed(&text.replace("[3, 1].sort(), ", ""), false, false);
    assert!(messages.is_empty(), "{messages:?}");
}

/// The results of `push`ing routines are built where they go: the list dies when it is returned.
#[test]
fn a_returned_local_is_moved() {
    let text = "function squares(n: int) returns Array[int] {\n    var list: Array[int]\n    for i in n\n        list.push(i)\n\
                    list\n}\nprintln(squares(3))";
    assert_eq!(decided(text, "squares"), ["own 1", "move"]);
}

#[test]
fn a_walk_through_a_list_copies_nothing() {
    let text = "define Node(value: int, next: Node?)\nfunction sum(list: Node?) returns int {\n    var cur = list\n    \
                var total = 0\n    while let n cur {\n        total += n.value\n        set cur: n.next\n    }\n    total\n}\n\
                println(sum(Node(1, null)))";
    assert_eq!(decided(text, "sum")[0], "view 1");
}

#[test]
fn sorting_and_finding_copy_nothing() {
    let text = "var names = [\"b\", \"a\"]\nnames.sort()\nprintln(names.contains(\"a\"), names.index_of(\"b\"))";
    let (program, messages) = analyzed(text, false, false);
    assert!(messages.is_empty(), "{messages:?}");
    for routine in &program.expect("no messages").routines {
        if let (true, Body::Code(body)) = (routine.library, &routine.body) {
            let marks = marks(body);
            assert!(!marks.iter().any(|m| m == "copy"), "{}: {marks:?}", routine.name);
        }
    }
}

#[test]
fn promises_are_checked() {
    let text = "define P(x: int) {\n    function step(): x += 1\n}\nfunction shout(n: int): println(n)\n\
                function fill(list: Slice[int]): list[0] = 1\nfunction quiet(list: Array[int]) returns Array[int]: \
                list.map(\\x: x + 1)\nfunction loud(list: Array[int]) returns Array[int]: list.map(\\x { println(x): x })\n\
                var p = P(1)\np.step()\nshout(2)\nvar list = [1]\nfill(list)\nprintln(quiet(list), loud(list))";
    let (_, messages) = analyzed(text, true, false);
    assert_eq!(
        messages,
        [
            "2:22: the function `P.step` changes its parameter `this`",
            "4:25: the function `shout` does input or output",
            "7:62: the function `loud` does input or output",
        ]
    );
    assert_eq!(analyzed(text, false, false).1, [""; 0]);
}

/// A variable that is assigned before it is read again is dead until then.
#[test]
fn buffers_are_swapped_without_a_copy() {
    let text = "function run(n: int) returns Array[int] {\n    var u = [1]\n    var v = [2]\n    for i in n {\n        \
                let t = u\n        set u: v\n        set v: t\n    }\n    u\n}\nprintln(run(3))";
    assert_eq!(decided(text, "run"), ["own 1", "own 2", "own 4", "move", "move", "move", "move"]);
}

/// What waits for its consumer must find its place as it was.
#[test]
fn nothing_is_moved_from_under_an_operand() {
    let text = "function f(n: int) returns int {\n    var s = [n]\n    var all: Array[Array[int]]\n    \
                s.length() + first(s, { all.push(s): all.clear(): 1 })\n}\n\
                function first(a: Array[int], n: int) returns int: a[0] + n\nprintln(f(1))";
    assert_eq!(decided(text, "f"), ["own 1", "own 2"]);
}

/// A name for a cursor's slots would move along with it.
#[test]
fn what_a_cursor_stood_at_is_kept() {
    let text = "define T union(Leaf, Fork { left: T, right: T })\nfunction f(t: T) returns int {\n    var cur = t\n    let old = \
                cur\n    choose old {\n        when Fork(l, r): set cur: l\n        when Leaf {}\n    }\n    if old is Leaf: 1 \
                else 0\n}\nprintln(f(T.Leaf))";
    assert_eq!(decided(text, "f")[..2], ["view 1", "own 2"]);
    let text = "define N(list: Array[int], next: N?)\nprocedure f(n: N) {\n    var cur = n\n    for x in cur.list {\n        \
                println(x)\n        set cur: cur.next.value\n    }\n}\nf(N([1], null))";
    assert_eq!(analyzed(text, false, false).1, ["6:9: `cur` cannot be assigned while it is viewed"]);
}
