//! `scaly explain`: what it says of the loops of a run, in words and as JSON, however the run ends.

mod common;

use common::{Outcome, finish, scaly};
use serde_json::Value;

/// Every loop is compiled whole at its second pass, and divided as small as can be.
const FORCED: &[&str] = &["explain", "--jit", "llvm=2,chunk=1", "--threads", "3"];

fn explain(options: &[&str], program: &str) -> Outcome {
    let mut command = scaly();
    command.args(options).args(["-e", program]);
    finish(command, "").expect("the command ends")
}

/// The lines under the source line that contains a text.
fn under<'a>(report: &'a str, source: &str) -> Vec<&'a str> {
    let line = |line: &&str| line.contains(" | ") && line.contains(source);
    let rest = report.lines().skip_while(|each| !line(each)).skip(1);
    rest.take_while(|line| !line.is_empty()).map(str::trim).collect()
}

#[test]
fn a_parallel_loop_with_its_checks_and_reductions() {
    let program = "procedure add(from: Slice[int], to: Slice[int]) returns int {
    var sum = 0
    for i in to.length() {
        to[i] = from[i] + 1
        sum += from[i]
    }
    sum
}
let a = Array[int](100, 2)
var b = Array[int](100)
print(add(a, b))";
    let got = explain(FORCED, program);
    assert_eq!((got.status, got.output.as_str()), (Some(0), "200\n"), "{}", got.error);
    let lines = under(&got.error, "for i in to.length()");
    assert!(
        lines[0].starts_with("= on all cores: 99 iterations, ") && lines[0].contains("% of the time, "),
        "{lines:?}"
    );
    assert!(!lines[0].contains("about"), "its time is measured: {lines:?}");
    assert_eq!(lines[1], "checked when it starts: the memory of `from` and `to` does not overlap", "{}", got.error);
    assert!(lines.contains(&"`sum` is a reduction: sum"), "{lines:?}");
    assert!(!got.error.contains("serial: "), "{}", got.error);
}

#[test]
fn recursive_functions_whose_calls_are_taken_by_others_and_why_those_of_others_are_not() {
    let program = "function fib(n: int) returns int: if n < 2: n else fib(n - 1) + fib(n - 2)
function ackermann(m: int, n: int) returns int {
    if m = 0
        return n + 1
    if n = 0
        return ackermann(m - 1, 1)
    ackermann(m - 1, ackermann(m, n - 1))
}
function counted(n: int) returns int {
    var sum = 0
    for i in n: sum += counted(i) + counted(n - 1 - i)
    sum + 1
}
procedure write(values: Slice[int], n: int) returns int {
    if n = 0
        return 0
    values[n] = n
    write(values, n - 1) + write(values, n - 1)
}
define List union(End, Link { value: int, rest: List })
function list(n: int) returns List: if n = 0: List.End else List.Link(n, list(n - 1))
var values = Array[int](20)
print(fib(12))
print(ackermann(2, 3))
print(counted(5))
print(write(values.slice(0, 20), 9))
print(list(30) is End)";
    let got = explain(FORCED, program);
    assert_eq!(got.output, "144\n9\n243\n0\nfalse\n", "{}", got.error);
    for name in ["fib", "counted"] {
        let lines = under(&got.error, &format!("function {name}("));
        assert_eq!(lines, ["= on all cores: a recursive function"], "{}", got.error);
    }
    for (name, why) in [
        (
            "function ackermann",
            "not on all cores: line 7 `ackermann(m - 1, ackermann(m, n - 1))`: no two of its calls of itself go without \
             each other's results",
        ),
        ("procedure write", "not on all cores: line 17 `values[n] = n`: it writes memory"),
        ("function list", "not on all cores: it allocates or changes memory"),
    ] {
        let lines = under(&got.error, &format!("{name}("));
        assert_eq!(lines, ["= compiled whole, on one core: a recursive function", why], "{}", got.error);
    }
    let got = explain(&["explain", "--jit", "llvm=2", "--threads", "1"], program);
    let lines = under(&got.error, "function fib");
    assert_eq!(lines[1..], ["not on all cores: one thread was asked for", "help: leave --threads out, or raise it"]);
    let got = explain(&["explain", "--json", "--jit", "llvm=2", "--threads", "3"], program);
    let json: Value = serde_json::from_str(got.error.lines().last().unwrap_or_default()).expect("one line of JSON");
    let fib = &json["functions"][0];
    assert_eq!((fib["function"].as_str(), fib["tier"].as_str()), (Some("fib"), Some("parallel")), "{json}");
}

#[test]
fn a_check_that_does_not_hold() {
    let program = "procedure shift(from: Slice[int], to: Slice[int]) {
    for i in to.length()
        to[i] = from[i] + 1
}
var a = Array[int](50)
shift(a.slice(0, 49), a.slice(1, 50))
print(a[49])";
    let got = explain(FORCED, program);
    assert_eq!(got.output, "49\n");
    let lines = under(&got.error, "for i in to.length()");
    assert!(lines[0].starts_with("= compiled whole, on one core: 48 iterations, "), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("a check did not hold at 1 of 1 ")), "{lines:?}");
}

#[test]
fn the_common_reasons_with_their_lines_and_what_to_change() {
    for (body, reason, help) in [
        ("set x: x * 31 % 1009", "each iteration needs `x` from the one before", "declare it in the loop"),
        ("set f: f + 0.5", "`f` is a sum of floats", "use its `sum()`"),
        ("if i = 40: print i", "writes to the world outside", "print it behind the loop"),
        ("if i = 40: break", "it may end before its last iteration", "let every iteration run"),
        (
            "if i > 0: a[i] = a[i - 1]",
            "an iteration reads elements of `a` that others write",
            "read from a copy of `a`",
        ),
        ("a[a[i] % 3] = i", "depends on data", "index with the loop's counter"),
        ("if i % 3 = 0: found.push(found.length())", "`found` grows", "store by index"),
        ("if i = 40: set x: i", "`x` is set on some paths only", "on every path"),
    ] {
        let program = format!(
            "var x = 1\nvar f = 0.0\nvar a = Array[int](100)\nvar found: Array[int]\nfor i in 100 {{\n    {body}\n}}\nprint(x, f, a[1], found.length())"
        );
        let got = explain(FORCED, &program);
        assert_eq!(got.status, Some(0), "{body}: {}", got.error);
        let lines = under(&got.error, "for i in 100");
        let at = lines.iter().position(|line| line.starts_with("serial: ") && line.contains(reason));
        let at = at.unwrap_or_else(|| panic!("{body}: {lines:#?}"));
        assert!(lines[at + 1].starts_with("help: ") && lines[at + 1].contains(help), "{body}: {lines:#?}");
        // A way out of the loop is about no line but its own.
        let placed = lines[at].contains(&format!("line 6 `{body}`: "));
        assert!(placed || reason.contains("may end"), "{body}: {lines:#?}");
        let whole =
            lines[0].starts_with("= compiled whole") || lines.iter().any(|l| l.starts_with("not compiled whole"));
        assert!(whole, "{body}: {lines:#?}");
    }
}

/// Rows that were moved from one array to the other. Passing arrays instead of slices would be of no use here.
#[test]
fn where_nothing_can_be_changed_there_is_no_advice() {
    let program = "var a = Array[Array[int]](40, Array[int](10, 3))
var b: Array[Array[int]]
for i in 40: b.push(a.pop().value)
for i in 40: a.push(Array[int](10, i))
for y in 40 ; copied
    for x in 10: b[y][x] = a[y][x] + 1
print b[39][9]";
    let got = explain(FORCED, program);
    assert_eq!(got.output, "40\n", "{}", got.error);
    let lines = under(&got.error, "; copied");
    let told: Vec<_> = lines[1..].iter().map(|line| line.split(": ").next()).collect();
    assert!(lines[1].ends_with("`b` and `a` may be the same memory") && told == [Some("serial")], "{lines:?}");
}

#[test]
fn json_is_the_last_line() {
    let program =
        "var a = Array[int](100)\nfor i in 100: a[i] = i\nvar x = 1\nfor i in 50: set x: x * 3 % 7\nprint(a[7], x)";
    // Back edges: one less.
    let got = explain(&[&["explain", "--json"], &FORCED[1..]].concat(), program);
    assert_eq!(got.status, Some(0), "{}", got.error);
    let json: Value = serde_json::from_str(got.error.lines().last().unwrap_or_default()).expect("JSON");
    assert_eq!((json["v"].as_u64(), json["event"].as_str()), (Some(1), Some("explanation")));
    assert!(json["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{json}");
    let of = |line: u64| json["loops"].as_array().and_then(|all| all.iter().find(|each| each["line"] == line)).unwrap();
    let (free, serial) = (of(2), of(4));
    assert_eq!((free["tier"].as_str(), free["independent"].as_bool()), (Some("parallel"), Some(true)));
    assert_eq!(free["iterations"].as_u64(), Some(99), "{free}");
    assert_eq!(serial["iterations"].as_u64(), Some(49), "{serial}");
    assert_eq!(free["because"].as_array().map(Vec::len), Some(0), "{free}");
    assert_eq!((serial["tier"].as_str(), serial["independent"].as_bool()), (Some("whole"), Some(false)));
    let why = &serial["because"][0];
    assert_eq!((why["not"].as_str(), why["line"].as_u64()), (Some("parallel"), Some(4)));
    assert!(why["reason"].as_str().is_some_and(|text| text.contains("`x`")) && why["help"].is_string(), "{why}");
}

#[test]
fn a_program_that_fails_has_its_report_too() {
    let program = "var a = Array[int](60)\nfor i in 100: a[i] = i\nprint(a[0])";
    for options in [&["explain"][..], FORCED] {
        let got = explain(options, program);
        assert_eq!((got.status, got.output.as_str()), (Some(1), ""), "{}", got.error);
        let (error, report) = got.error.split_once("a run of ").expect("a report");
        assert!(error.starts_with("error: index 60 is out of range"), "{error}");
        assert!(!under(report, "for i in 100").is_empty(), "{report}");
    }
    let json = explain(&["explain", "--json"], program).error;
    assert!(serde_json::from_str::<Value>(json.lines().last().unwrap_or_default()).is_ok(), "{json}");
}

#[test]
fn the_programs_status_output_and_arguments_are_its_own() {
    let got = explain(&["explain"], "print \"out\"\nreturn 7");
    assert_eq!((got.status, got.output.as_str(), got.error.as_str()), (Some(7), "out\n", "no loop has run\n"));
    let mut command = scaly();
    command.args(["explain", "-e", "for a in Args.all(): print a", "--static", "--json"]);
    let got = finish(command, "").expect("the command ends");
    assert_eq!((got.status, got.output.as_str()), (Some(0), "--static\n--json\n"), "{}", got.error);
}

#[test]
fn without_native_code_it_says_what_is_known() {
    let got = explain(&["explain", "--jit", "off"], "var s = 0\nfor i in 10: set s: s + i\nprint s");
    let lines = under(&got.error, "for i in 10");
    assert_eq!(lines[0], "= interpreted: 9 iterations", "{}", got.error);
    assert!(got.error.ends_with("\n1 loop: 1 interpreted\n"), "{}", got.error);
}

#[test]
fn one_thread_is_a_reason() {
    let program = "var a = Array[int](100)\nfor i in 100: a[i] = i\nprint(a[7])";
    let got = explain(&["explain", "--jit", "llvm=2", "--threads", "1"], program);
    let lines = under(&got.error, "for i in 100");
    assert!(lines[0].starts_with("= compiled whole, on one core: "), "{lines:?}");
    assert_eq!(
        lines[1..3],
        ["its iterations are independent", "not on all cores: one thread was asked for"],
        "{lines:?}"
    );
}

#[test]
fn fields_are_named() {
    let program = "define Inner(count: int)
define Acc(total: f64, values: Array[f64], inner: Inner) {
    procedure add(this, n: int) {
        for i in n: total = total * 0.5 + i
    }
    procedure fill(this, n: int) {
        for k in n: if k > 0: values.push(values[0] + k * 0.5)
    }
}
var a = Acc(0.0, Array[f64](1), Inner(0))
a.add(100)
a.fill(100)
for j in 100 { a.inner.count = (a.inner.count * 3 + j) % 1003 }
print(a.inner.count)";
    let got = explain(FORCED, program);
    assert_eq!(got.status, Some(0), "{}", got.error);
    for (source, reason, help) in [
        (
            "for i in n",
            "serial: each iteration needs `this.total` from the one before",
            "help: compute `this.total` from the loop's counter, or declare it in the loop",
        ),
        (
            "for k in n",
            "serial: `this.values` grows: where an element goes depends on how many came before",
            "help: make `this.values` as long as needed before the loop and store by index",
        ),
        (
            "for j in 100",
            "serial: each iteration needs `a.inner.count` from the one before",
            "help: compute `a.inner.count` from the loop's counter, or declare it in the loop",
        ),
    ] {
        assert_eq!(under(&got.error, source)[1..], [reason, help], "{}", got.error);
    }
}

#[test]
fn what_grows_has_an_advice_that_fits_it() {
    let program = "var out = StringBuilder()
for a in 100: if out.length() < 50: out.append(a)
var s = \"\"
for b in 100: s += \"x\"
var m HashMap[int, int]()
for c in 100: m.set(c * 7, c)
var e HashSet[int]()
for d in 100: e.add(d)
var l List[int]()
for f in 100: l.push(f)
print(out.to_string().length(), s.length(), m.length(), e.length(), l.length())";
    let got = explain(&["explain", "--jit", "llvm=2"], program);
    assert_eq!(got.status, Some(0), "{}", got.error);
    for (source, name) in [("for a in", "out"), ("for b in", "s")] {
        let help = format!(
            "help: store the text of each iteration in an array by index, and `join` them to `{name}` behind the loop"
        );
        let lines = under(&got.error, source);
        assert!(lines[1].ends_with("grows: where a text goes depends on those before it"), "{}", got.error);
        assert_eq!(lines[2], help, "{}", got.error);
    }
    for (source, name) in [("for c in", "m"), ("for d in", "e"), ("for f in", "l")] {
        let help = format!("help: store what goes into `{name}` in arrays by index, and fill it behind the loop");
        let lines = under(&got.error, source);
        assert!(lines.contains(&help.as_str()), "{}", got.error);
    }
}

/// It is no reason that an array grows which could be gathered.
#[test]
fn only_what_stands_in_the_way_is_a_reason() {
    let program = "var some: Array[int]
for i in 100 {
    if i % 3 = 0: some.push(i)
    if i = 33: print(i)
}
print(some.length())";
    let got = explain(FORCED, program);
    let reason =
        "serial: line 4 `if i = 33: print(i)`: `print` writes to the world outside, in the order of the iterations";
    let help = "help: collect the text in an array by index and print it behind the loop";
    assert_eq!(under(&got.error, "for i in 100")[1..], [reason, help], "{}", got.error);
}

#[test]
fn a_part_of_another_loop_says_why_it_is_no_more() {
    let program = "var last = Array[f64](100)
for i in 100 {
    var x = 0.0
    for j in 100
        x = x * 0.5 + i * j
    last[i] = x
}
print(last[1])";
    let got = explain(FORCED, program);
    let lines = under(&got.error, "for j in 100");
    let reason = "serial: line 5 `x = x * 0.5 + i * j`: each iteration needs `x` from the one before";
    assert_eq!(lines[1..], ["and the rest as a part of the loop in line 2", reason], "{}", got.error);
}

#[test]
fn a_check_of_parts_of_one_array_names_it() {
    let program = "procedure fold(cells: Slice[f64], n: int, k: int) {
    for i in n: cells[i] = cells[i + k] * 0.5
}
var a = Array[f64](100)
fold(a, 40, 50)
fold(a, 40, 5)
print(a[3])";
    let got = explain(FORCED, program);
    let lines = under(&got.error, "for i in n");
    let check = "checked when it starts: bytes 0..8 * the number of iterations + 8 and 8 * k..8 * k + 8 * the number \
                 of iterations + 8 of `cells` do not overlap";
    assert_eq!(lines[1..], [check, "a check did not hold at 1 of 2 starts; they ran on one core"], "{}", got.error);
}
