//! Code memory that is not to be had: the program goes on in the interpreter with the same result, and that is said once.

mod common;

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;

use common::{Outcome, finish, root, statistics};
use scaly::engine;
use scaly::source::SourceFile;
use scaly_asm::X64;
use scaly_interp::interpreter::{Options, State, World, run_with_tier};
use scaly_interp::program::{FunctionId, LoopId, Program};
use scaly_interp::tier::Position;
use scaly_runtime::console::{Input, Output};
use scaly_tracer::backend::{Assembled, Backend, Job, Left, Refusal};
use scaly_tracer::log::{Abort, Form, Log, Request};
use scaly_tracer::manager::Tracing;
use scaly_tracer::parameters::Parameters;
use scaly_tracer::trace::{ExitId, TraceId};

/// Three loops that get hot, a function, and what they print.
const PROGRAM: &str = "
function twice(n: int) returns int: n * 2
var a = Array[int](500)
for i in 500: a[i] = twice(i)
var sum = 0
for x in a: sum += x
for i in 500
    if a[i] % 3 = 0: sum += 1
print sum
";
const PRINTED: &str = "249667\n";

fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("memory");
    fs::create_dir_all(&folder).expect("the folder for test files");
    folder.join(name)
}

/// Runs the program with as many KiB of addresses.
fn limited(kib: u32, options: &str) -> Outcome {
    let mut command = Command::new("sh");
    let call = format!("ulimit -v {kib} && exec \"$0\" --trace-log --stats=json {options} -e \"$1\"");
    command.args(["-c", &call, env!("CARGO_BIN_EXE_scaly"), PROGRAM]).current_dir(root());
    let mut outcome = finish(command, "").expect("the command ends");
    outcome.statistics = statistics::take(&mut outcome.error);
    outcome
}

#[test]
fn a_system_that_refuses_the_mapping() {
    let refused = "[trace] memory: the system gives no memory for machine code; the program stays in the interpreter\n";
    for hot in [1, 56] {
        let got = limited(1_500_000, &format!("--jit hot={hot},code_memory=1048576"));
        assert_eq!((got.status, got.output.as_str()), (Some(0), PRINTED), "{}", got.error);
        assert_eq!(got.error, refused, "said once, and nothing is recorded");
        let statistics = got.statistics.expect("statistics");
        assert_eq!((statistics.number("code_memory_refused"), statistics.traces()), (1, 0));
    }
    // With less it is there.
    let got = limited(1_500_000, "--jit hot=56");
    assert_eq!((got.status, got.output.as_str()), (Some(0), PRINTED), "{}", got.error);
    assert!(got.error.contains("compiled") && !got.error.contains("memory"), "{}", got.error);
}

/// A backend that gets no more memory after some traces.
struct Refusing {
    inner: X64,
    left: std::cell::Cell<u32>,
}

impl Backend for Refusing {
    fn assemble(&self, job: Job<'_>) -> Result<Assembled, Refusal> {
        match self.left.get() {
            0 => Err(Refusal::NoMemory),
            left => {
                self.left.set(left - 1);
                self.inner.assemble(job)
            }
        }
    }

    fn link(&self, exit: ExitId, to: TraceId) {
        self.inner.link(exit, to);
    }

    fn unlink(&self, exit: ExitId) {
        self.inner.unlink(exit);
    }

    fn publish(&self, function: FunctionId, trace: Option<TraceId>) {
        self.inner.publish(function, trace);
    }

    fn free(&self, id: TraceId) {
        self.inner.free(id);
    }

    fn used(&self) -> usize {
        self.inner.used()
    }

    fn bytes(&self, id: TraceId) -> usize {
        self.inner.bytes(id)
    }

    fn iterations(&self, id: LoopId) -> u64 {
        self.inner.iterations(id)
    }

    fn enter(&self, id: TraceId, state: &mut State, at: Position) -> Left {
        self.inner.enter(id, state, at)
    }

    fn listing(&self, id: TraceId) -> String {
        self.inner.listing(id)
    }
}

/// What the program prints and the log says where `traces` traces get memory.
fn refused_after(traces: u32) -> (String, String) {
    let file = SourceFile::new("refused.scaly", PROGRAM, false);
    let compiled = engine::compile(file, engine::Options::default()).expect("a program");
    let (log, printed) = (scratch(&format!("refused{traces}.log")), scratch(&format!("refused{traces}.out")));
    let request = Request { form: Form::Text, file: Some(log.clone()), ir: false, asm: false };
    let parameters = Parameters { hot: 3, hot_function: 3, ..Parameters::eager() };
    let program: Arc<Program> = compiled.program.clone();
    let opened = Log::open(&request, program.clone(), compiled.sources.clone(), Some(&parameters)).expect("a log");
    let make = {
        let program = program.clone();
        move |_: &Parameters| {
            let inner = X64::new(program.clone(), scaly_asm::Options::default()).ok()?;
            Some(Refusing { inner, left: traces.into() })
        }
    };
    let tracing = Rc::new(Tracing::new(program.clone(), Box::new(make), parameters, Rc::new(opened)));
    let (output, nothing) = (File::create(&printed).expect("a file"), File::open("/dev/null").expect("/dev/null"));
    let world = World {
        output: Output::new(output.as_raw_fd()),
        input: Input::new(nothing.as_raw_fd()),
        arguments: Vec::new(),
    };
    run_with_tier(program, world, Options::default(), |state| {
        tracing.begin(state);
        tracing
    })
    .expect("a run");
    (fs::read_to_string(printed).expect("what it printed"), fs::read_to_string(log).expect("a log"))
}

#[test]
fn a_system_that_refuses_memory_in_the_middle() {
    for traces in 0..4 {
        let (printed, log) = refused_after(traces);
        assert_eq!(printed, PRINTED, "{log}");
        assert_eq!(log.matches(" compiled ").count(), traces as usize, "{log}");
        assert_eq!(log.matches("] memory: the system gives no memory").count(), 1, "{log}");
        let abort = format!(": {} (look for limits", Abort::CodeMemoryRefused.text());
        assert!(log.lines().any(|line| line.starts_with("[trace] abort ") && line.contains(&abort)), "{log}");
    }
}
