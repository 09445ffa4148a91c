use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use scaly_interp::bytecode::{Instruction, Opcode};
use scaly_interp::interpreter::{Ended, Finished};
use scaly_interp::program::{Function, FunctionId, Loop, LoopId, LoopKind, Pc, Program};
use scaly_interp::source::{SourceFile, SourceMap, Span};
use serde_json::Value;

use super::*;
use crate::trace::ExitId;

const TEXT: &str = "var s 0\nrepeat {\n    set s: s + \"\\\"\".length()\n}\nfunction f() {}\n";

/// A loop in `main` on line 2, whose body is on line 3, and a function on line 5.
fn program() -> (Arc<Program>, Arc<SourceMap>) {
    let mut sources = SourceMap::default();
    let file = sources.add(SourceFile::new("dir/a \"b\".scaly", TEXT, false));
    let span = |part: &str| {
        let start = TEXT.find(part).unwrap() as u32;
        Span::new(file, start, start + part.len() as u32)
    };
    let function = |name: &str, code, span| Function {
        name: name.into(),
        code,
        frame_slots: 1,
        param_slots: 0,
        result_slots: 0,
        params: Vec::new(),
        variables: Vec::new(),
        inlined: Vec::new(),
        span,
        library: false,
    };
    let program = Program {
        code: vec![Instruction::new(Opcode::Nop, 0, 0, 0); 3],
        spans: vec![span("repeat"), span("set s"), span("function")],
        functions: vec![function("main", 0..2, span("var")), function("f", 2..3, span("function"))],
        loops: vec![Loop {
            function: FunctionId(0),
            code: 0..2,
            kind: LoopKind::Open,
            span: span("repeat"),
            parent: None,
        }],
        ..Program::default()
    };
    (Arc::new(program), Arc::new(sources))
}

const LOOP: Start = Start::Loop(LoopId(0));
const SIDE: Start = Start::Side { exit: ExitId(7), of: TraceId(3), at: Pc(1) };

fn compiled(start: Start) -> Event<'static> {
    let trace = TraceId(3);
    Event::Compiled(Compiled { trace, start, before: 80, after: 45, exits: 5, bytes: 312, microseconds: 210 })
}

/// One of each.
fn events() -> Vec<Event<'static>> {
    let (exit, of, at) = (ExitId(7), TraceId(3), Pc(1));
    let (trace, tree) = (TraceId(4), TraceId(3));
    vec![
        Event::Hot { start: LOOP, count: 56 },
        Event::Record { start: LOOP, attempt: 1 },
        Event::Abort { start: LOOP, reason: Abort::TraceTooLong, at, retry: 112 },
        Event::Record { start: LOOP, attempt: 2 },
        Event::Blacklisted {
            start: Start::Function(FunctionId(1)),
            attempts: 6,
            reason: Abort::RecursionWaits,
            retry: 7168,
        },
        compiled(LOOP),
        Event::ExitHot { exit, of, at, count: 10 },
        compiled(SIDE),
        Event::Link { exit, of, at, to: trace },
        Event::SideTrace { trace, tree, exit, at, end: SideEnd::Leaves, count: 1 },
        Event::Specialized { trace, start: LOOP, values: "n = 3", number: 2 },
        Event::TreeStable { tree, start: LOOP, traces: 2 },
        Event::Dropped { trace: tree, start: LOOP, why: Dropped::Room },
        Event::Rests { start: LOOP, milliseconds: 20, times: 9.5 },
        Event::Memory(CodeMemory::Full { used: 1 << 20 }),
        Event::Memory(CodeMemory::Refused),
        Event::Memory(CodeMemory::Full { used: 1 << 20 }),
        Event::Memory(CodeMemory::Refused),
        Event::Region {
            start: Start::Loop(LoopId(0)),
            blocks: 4,
            instructions: 31,
            calls: 2,
            predictable: 1,
            divisors: 2,
        },
        Event::Variant {
            start: Start::Loop(LoopId(0)),
            kind: Variant::Sequential,
            lines: 230,
            bytes: 1184,
            microseconds: 9120,
        },
        Event::Switched { start: Start::Loop(LoopId(0)), kind: Variant::Parallel },
        Event::Refused { start: Start::Loop(LoopId(0)), what: Variant::Parallel, reason: "no", help: Some("do"), at },
        Event::Refused { start: Start::Loop(LoopId(0)), what: Variant::Sequential, reason: "it waits", help: None, at },
    ]
}

struct File(PathBuf);

impl File {
    fn new(name: &str) -> File {
        File(std::env::temp_dir().join(format!("scaly-log-{}-{name}", std::process::id())))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The lines of a log with these events, and what they came to.
fn log(form: Form, ir: bool, events: &[Event<'_>]) -> (String, Statistics) {
    let file = File::new(&format!("{form:?}-{ir}-{}", events.len()));
    let (program, sources) = program();
    let request = Request { form, file: Some(file.0.clone()), ir, asm: false };
    let log = Log::open(&request, program, sources, Some(&Parameters::default())).unwrap();
    events.iter().for_each(|&event| log.event(|| event));
    log.ir(TraceId(3), || "v0: i64 = slot 4 @0\nguard v1 true -> snap0 @0\nv2: i64 = add v0, k0 @1\n".into());
    log.asm(TraceId(3), || panic!("nobody asked for it"));
    (fs::read_to_string(&file.0).unwrap(), log.statistics().unwrap())
}

#[test]
fn an_event_is_a_line_in_words() {
    let (text, _) = log(Form::Text, false, &events());
    let name = "dir/a \"b\".scaly";
    let expected = format!(
        "\
[trace] hot loop {name}:2 after 56 back edges
[trace] record loop {name}:2
[trace] abort loop {name}:2: at {name}:3: one pass takes more instructions than a trace may have (move a part of it into \
a function of its own, or raise max_trace); again after 112 back edges
[trace] record loop {name}:2, attempt 2
[trace] blacklisted function {name}:5 in f for 7168 calls after 6 attempts: a recursive call may wait for input or \
output, so it cannot be a native call (take input and output out of the recursive function)
[trace] compiled trace3 loop {name}:2: 80 -> 45 instructions, 5 exits, 312 bytes, 210 µs
[trace] exit-hot exit7 of trace3 at {name}:3 after 10 exits
[trace] compiled trace3 side {name}:3 from exit7 of trace3: 80 -> 45 instructions, 5 exits, 312 bytes, 210 µs
[trace] link exit7 of trace3 at {name}:3 to trace4
[trace] side-trace trace4 of the tree trace3, its number 1, from exit7 at {name}:3 out of its loop
[trace] specialized trace4 loop {name}:2: for n = 3, number 2
[trace] tree-stable trace3 loop {name}:2: 2 traces
[trace] dropped trace3 loop {name}:2: others need its memory
[trace] rests loop {name}:2: it comes round 9.5 times as often in the interpreter, which runs all for 20 ms
[trace] memory: the code memory is full, 1048576 bytes are in use; the least useful traces are dropped (raise code_memory)
[trace] memory: the system gives no memory for machine code; the program stays in the interpreter
[trace] region loop {name}:2: 4 blocks, 31 instructions, 2 calls inlined, 1 branch predictable, 2 divisors known
[trace] variant loop {name}:2: sequential, 230 lines, 1184 bytes, 9120 µs beside the program
[trace] switched loop {name}:2: parallel from here on
[trace] refused loop {name}:2: not parallel: at {name}:3: no (do)
[trace] refused loop {name}:2: not sequential: at {name}:3: it waits
"
    );
    assert_eq!(text, expected);
}

#[test]
fn the_ir_stands_under_its_source_lines() {
    let (text, _) = log(Form::Text, true, &[]);
    let expected = "\
[trace] ir trace3
    ; dir/a \"b\".scaly:2 | repeat {
    v0: i64 = slot 4 @0
    guard v1 true -> snap0 @0
    ; dir/a \"b\".scaly:3 | set s: s + \"\\\"\".length()
    v2: i64 = add v0, k0 @1
";
    assert_eq!(text, expected);
}

#[test]
fn every_json_line_has_version_event_and_time() {
    let (text, _) = log(Form::Json, true, &events());
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(lines.iter().all(|line| line["v"] == SCHEMA && line["at_us"].is_u64()));
    let names: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    let expected = [
        "header",
        "hot",
        "record",
        "abort",
        "record",
        "blacklisted",
        "compiled",
        "exit-hot",
        "compiled",
        "link",
        "side-trace",
        "specialized",
        "tree-stable",
        "dropped",
        "rests",
        "memory",
        "memory",
        "region",
        "variant",
        "switched",
        "refused",
        "refused",
        "ir",
    ];
    assert_eq!(names, expected);
    let manual = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/trace-log.md")).unwrap();
    for (name, line) in names.iter().zip(&lines) {
        let row = manual.lines().filter(|row| row.starts_with("| ")).filter(|row| row.contains(&format!("`{name}`")));
        let rows: Vec<&str> = row.collect();
        assert!(!rows.is_empty(), "the manual lacks {name}");
        let fields = line.as_object().unwrap().keys().filter(|key| !["v", "event", "at_us"].contains(&key.as_str()));
        for field in fields {
            let known = rows.iter().any(|row| row.contains(&format!("`{field}`")));
            assert!(known, "the manual lacks {field} of {name}");
        }
    }
    assert!(text.starts_with("{\"v\":1,\"event\":\"header\","), "{text}");
    assert_eq!(lines[0]["program"], "dir/a \"b\".scaly");
    assert_eq!(lines[0]["parameters"]["hot"], 56);
    assert!(text.contains(
        "{\"v\":1,\"event\":\"compiled\",\"trace\":3,\"start\":{\"kind\":\"side\",\"exit\":7,\"of\":3,\
         \"file\":\"dir/a \\\"b\\\".scaly\",\"line\":3,\"function\":\"main\"},\"before\":80,"
    ));
    assert_eq!(lines[3]["reason"], "trace-too-long");
}

#[test]
fn without_a_log_no_event_is_made() {
    Log::none().event(|| panic!("made"));
    assert_eq!(Log::none().statistics(), None);
    Log::statistics_only().ir(TraceId(0), || panic!("made"));
}

#[test]
fn a_log_that_cannot_be_opened_says_why() {
    let (program, sources) = program();
    let file = Some(std::env::temp_dir());
    let request = Request { file, ..Request::default() };
    let error = Log::open(&request, program, sources, Some(&Parameters::default())).unwrap_err();
    assert!(error.to_string().ends_with(": Is a directory"), "{error}");
}

#[test]
fn a_full_disk_ends_the_log_only() {
    let (program, sources) = program();
    let request = Request { file: Some("/dev/full".into()), ..Request::default() };
    let log = Log::open(&request, program, sources, Some(&Parameters::default())).unwrap();
    events().into_iter().for_each(|event| log.event(|| event));
    assert_eq!(log.statistics().unwrap().traces.len(), 2, "statistics go on");
}

#[test]
fn a_place_stands_as_its_last_event_left_it() {
    let standing = |events: &[Event<'_>]| {
        let mut statistics = Statistics::default();
        events.iter().for_each(|event| statistics.note(event));
        statistics.loops[&LoopId(0)].standing()
    };
    let hot = Event::Hot { start: LOOP, count: 56 };
    let abort = Event::Abort { start: LOOP, reason: Abort::LeftLoop, at: Pc(0), retry: 1 };
    let blacklisted = Event::Blacklisted { start: LOOP, attempts: 6, reason: Abort::LeftLoop, retry: 1 };
    let dropped = Event::Dropped { trace: TraceId(3), start: LOOP, why: Dropped::Room };
    assert_eq!(standing(&[hot]), Standing::Tried);
    assert_eq!(standing(&[hot, abort]), Standing::Tried);
    assert_eq!(standing(&[hot, compiled(LOOP), compiled(SIDE)]), Standing::Native);
    assert_eq!(standing(&[hot, abort, blacklisted]), Standing::Blacklisted);
    assert_eq!(standing(&[blacklisted, compiled(LOOP)]), Standing::Native);
    assert_eq!(standing(&[compiled(LOOP), abort]), Standing::Native);
    assert_eq!(standing(&[compiled(LOOP), dropped]), Standing::Dropped);
    assert_eq!(standing(&[compiled(LOOP), compiled(LOOP), dropped]), Standing::Native);
}

#[test]
fn the_report_adds_both_parts() {
    let (program, sources) = program();
    let (_, mut statistics) = log(Form::Text, false, &events()[..12]);
    statistics.full = 2;
    (statistics.native, statistics.entries, statistics.exits, statistics.code_bytes) = (vec![1_999_977], 4, 5, 1234);
    let finished = Finished { ended: Ended::Status(0), loops: vec![23], calls: vec![1, 0], peak_memory: 1 << 20 };
    let report = Report::new(&program, &sources, &statistics, &finished);
    let expected = "\
[stats] loops       1: 1 native
[stats] functions   1: 1 blacklisted
[stats] iterations  2,000,000: 99.99 % native (1,999,977 native, 23 interpreted)
[stats]                  2,000,000  99.99 % native      loop dir/a \"b\".scaly:2 | repeat {
[stats] traces      2: 1 loop, 1 side; dropped 0, stable trees 1
[stats] recordings  2, aborted 1: 1 trace-too-long
[stats] compiling   420 µs, 210 µs in the median, 210 µs the longest
[stats] native code 1,234 bytes; code memory full: 2
[stats] entered     4, left by an exit 5
[stats] data        1,048,576 bytes at most
";
    assert_eq!(report.to_string(), expected);
    let json: Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!(json["iterations"]["native_percent"], 99.99);
    assert_eq!(json["hottest"][0]["line"], 2);
    assert_eq!(json["aborts"]["trace-too-long"], 1);
}

#[test]
fn the_median_of_compile_times() {
    let (program, sources) = program();
    let finished = Finished { ended: Ended::Status(0), loops: Vec::new(), calls: Vec::new(), peak_memory: 0 };
    for (times, median) in [(&[][..], 0), (&[7], 7), (&[9, 1], 5), (&[3, 1, 2], 2), (&[u32::MAX, u32::MAX], u32::MAX)] {
        let made = |&microseconds: &u32| Made { kind: TraceKind::Loop, bytes: 1, microseconds };
        let statistics = Statistics { traces: times.iter().map(made).collect(), ..Statistics::default() };
        assert_eq!(Report::new(&program, &sources, &statistics, &finished).compile.median_us, median, "{times:?}");
    }
}

#[test]
fn generated_loops_have_no_line_of_their_own() {
    let (mut program, sources) = program();
    Arc::get_mut(&mut program).unwrap().functions[0].library = true;
    let finished = Finished { ended: Ended::Status(0), loops: vec![1], calls: Vec::new(), peak_memory: 0 };
    let statistics = Statistics::default();
    assert_eq!(Report::new(&program, &sources, &statistics, &finished).hottest[0].source, "");
}

#[test]
fn the_report_of_an_interpreted_run() {
    let (program, sources) = program();
    let finished = Finished { ended: Ended::Status(0), loops: vec![23], calls: vec![1, 0], peak_memory: 0 };
    let statistics = Statistics::default();
    let text = Report::new(&program, &sources, &statistics, &finished).to_string();
    assert!(text.contains("loops       1: 1 cold\n") && text.contains("23: 0.00 % native"), "{text}");
    let nothing = Finished { loops: vec![0], ..finished };
    let report = Report::new(&program, &sources, &statistics, &nothing);
    assert!(report.hottest.is_empty() && report.iterations.native_percent == 100.0);
}

#[test]
fn reasons_have_names_of_their_own_and_words() {
    for (i, reason) in Abort::ALL.iter().enumerate() {
        assert!(Abort::ALL[..i].iter().all(|other| other.name() != reason.name()), "{reason:?}");
        let worth_saying = !matches!(reason.concern(), Concern::Nobody);
        assert_eq!(reason.help().is_some(), worth_saying, "{reason:?}: help where somebody can do something");
    }
    for row in Abort::ALL.iter().filter(|reason| reason.concern() == Concern::Parameters) {
        let named = crate::parameters::Parameters::TABLE.iter().any(|p| row.help().unwrap().contains(p.name));
        assert!(named, "{row:?} names no parameter");
    }
}
