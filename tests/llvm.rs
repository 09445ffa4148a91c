//! Every program under `tests/lang`, `tests/llvm` and `examples`, its hot loops and functions compiled by LLVM: output,
//! status and error are those of the interpreter alone. A loop is compiled at its second iteration, at once, and entered
//! in the middle of its run; a function at its second call.

mod common;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use common::expectation::Expectation;
use common::{programs, root};
use scaly::engine::{self, Compiled, Options};
use scaly::source::SourceFile;
use scaly_backends::lower::{Addresses, Context};
use scaly_backends::{Compiler, Left, Level, Native};
use scaly_interp::interpreter::{self, Ended, State, World};
use scaly_interp::program::{FunctionId, LoopId, Program};
use scaly_interp::tier::{self, Goes, NativeCall, Position, Tier};
use scaly_runtime::console::{Input, Output};
use scaly_runtime::memory::{MemoryOptions, RegionMode};
use scaly_tracer::effects;
use scaly_tracer::manager::Profile;
use scaly_tracer::parameters::Parameters;
use scaly_tracer::walker::{Root, Walker};

/// What all programs together came to.
#[derive(Default)]
struct Totals {
    compiled: Cell<usize>,
    /// Of loops, and of functions.
    entries: [Cell<usize>; 2],
    refused: RefCell<BTreeMap<String, usize>>,
    code_bytes: Cell<usize>,
    us: Cell<u64>,
}

fn add(cell: &Cell<usize>, n: usize) {
    cell.set(cell.get() + n);
}

/// Compiles what is hot, and waits for it.
struct Llvm {
    program: Arc<Program>,
    compiler: Rc<Compiler>,
    waits: Vec<bool>,
    natives: RefCell<HashMap<Root, Option<Rc<Native>>>>,
    totals: Rc<Totals>,
}

impl Llvm {
    fn new(program: Arc<Program>, compiler: Rc<Compiler>, totals: Rc<Totals>, state: &mut State) -> Llvm {
        for id in 0..program.loops.len() {
            state.set_loop_counter(LoopId(id as u32), 2);
        }
        for id in 0..program.functions.len() {
            state.set_function_counter(FunctionId(id as u32), 2);
        }
        Llvm { waits: effects::waits(&program), program, compiler, natives: RefCell::default(), totals }
    }

    fn native(&self, state: &State, root: Root) -> Option<Rc<Native>> {
        if let Some(known) = self.natives.borrow().get(&root) {
            return known.clone();
        }
        let made = match self.compile(state, root) {
            Ok(native) => {
                add(&self.totals.compiled, 1);
                add(&self.totals.code_bytes, native.costs().code_bytes);
                let costs = native.costs();
                let us = costs.lowering_us + costs.parse_us + costs.passes_us + costs.codegen_us + costs.link_us;
                self.totals.us.set(self.totals.us.get() + us);
                Some(Rc::new(native))
            }
            Err(reason) => {
                *self.totals.refused.borrow_mut().entry(reason).or_default() += 1;
                None
            }
        };
        self.natives.borrow_mut().insert(root, made.clone());
        made
    }

    fn compile(&self, state: &State, root: Root) -> Result<Native, String> {
        if std::env::var("SCALY_LLVM_ONLY").is_ok_and(|only| only != root.to_string()) {
            return Err("not asked for".into());
        }
        let mut walker = Walker::new(&self.program, Parameters::default()).keeping();
        let walked = match root {
            Root::Loop(id) => walker.walk(id),
            Root::Function(id) => walker.walk_function(id),
        };
        let region = walked.map_err(|open| open.text())?;
        if let Err(error) = region.verify() {
            panic!("{error}\n{region}");
        }
        if std::env::var_os("SCALY_LLVM_ONLY").is_some() {
            eprintln!("{region}");
        }
        let addresses = Addresses::of(state);
        let context = Context {
            program: &self.program,
            addresses: &addresses,
            waits: &self.waits,
            parameters: scaly_tracer::parameters::Parameters::default(),
            profile: &Profile::default(),
        };
        let native = self.compiler.compile(&region, context).map_err(|error| format!("{error}"))?;
        if verbose() {
            let size = region.insts.len();
            eprintln!("  {root} of {}: {size} instructions, {:?}", region.chains[0].function, native.costs());
        }
        if std::env::var_os("SCALY_LLVM_ONLY").is_some() {
            eprintln!("{}\n{}", native.code().after, native.code().assembly);
        }
        Ok(native)
    }
}

impl Llvm {
    fn enter(&self, state: &mut State, root: Root, at: Position) -> Goes {
        let Some(native) = self.native(state, root) else { return Goes::On(at) };
        match native.enter(state, at) {
            Left::NoRoom => Goes::On(at),
            Left::By(_, goes) => {
                add(&self.totals.entries[usize::from(matches!(root, Root::Function(_)))], 1);
                goes
            }
        }
    }
}

impl Tier for Llvm {
    fn hot_loop(&self, state: &mut State, id: LoopId, at: Position) -> Goes {
        state.set_loop_counter(id, 2);
        self.enter(state, Root::Loop(id), at)
    }

    fn hot_function(&self, state: &mut State, id: FunctionId, at: Position) -> Goes {
        state.set_function_counter(id, 1);
        self.enter(state, Root::Function(id), at)
    }

    fn finish_call(&self, state: &mut State, call: NativeCall) -> bool {
        tier::mark_nested(call.frame);
        tier::run_nested(state, call.frame, Goes::On(call.frame))
    }
}

/// What a run left behind.
#[derive(Debug, PartialEq)]
struct Outcome {
    ended: Ended,
    output: String,
}

struct Setting<'a> {
    arguments: &'a [String],
    stdin: &'a str,
    guard: bool,
    stack_slots: Option<u64>,
}

fn run(
    compiled: &Compiled,
    setting: &Setting<'_>,
    tier: Option<(Rc<Compiler>, Rc<Totals>)>,
) -> Result<Outcome, String> {
    let text = |error: std::io::Error| error.to_string();
    let folder = std::env::temp_dir().join(format!("scaly-llvm-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(text)?;
    // SAFETY: no other thread of this process reads or writes its environment now: the compiling thread waits.
    unsafe { std::env::set_var("SCALY_TEST_FOLDER", &folder) };
    let scratch = std::env::temp_dir().join(format!("scaly-llvm-{}.out", std::process::id()));
    let out = File::options().create(true).truncate(true).read(true).write(true).open(&scratch).map_err(text)?;
    let given = scratch.with_extension("in");
    fs::write(&given, setting.stdin).map_err(text)?;
    let input = File::open(&given).map_err(text)?;
    let world = World {
        output: Output::new(out.as_raw_fd()),
        input: Input::new(input.as_raw_fd()),
        arguments: setting.arguments.to_vec(),
    };
    let mode = if setting.guard { RegionMode::Guard } else { RegionMode::Reuse };
    let options =
        interpreter::Options { memory: MemoryOptions { mode, limit: Some(2 << 30) }, stack_slots: setting.stack_slots };
    let program = compiled.program.clone();
    let finished = match tier {
        None => interpreter::run(program, world, options),
        Some((compiler, totals)) => interpreter::run_with_tier(program.clone(), world, options, |state| {
            Rc::new(Llvm::new(program, compiler, totals, state))
        }),
    };
    let ended = finished.map_err(|error| error.to_string())?.ended;
    let mut out = out;
    out.seek(SeekFrom::Start(0)).map_err(text)?;
    let output = fs::read(&scratch).map_err(text)?;
    let _ = (fs::remove_dir_all(&folder), fs::remove_file(&scratch), fs::remove_file(&given));
    Ok(Outcome { ended, output: String::from_utf8_lossy(&output).into_owned() })
}

/// Small sizes; some write a file where they are told to.
fn example_arguments(name: &str) -> Vec<String> {
    let picture = || std::env::temp_dir().join(format!("scaly-llvm-{}.png", std::process::id())).display().to_string();
    match name {
        "mandelbrot" => vec!["60".into(), "50".into(), picture()],
        "raytracer" => vec!["40".into(), "30".into(), picture()],
        "nbody" => vec!["1000".into()],
        "spectral_norm" => vec!["60".into()],
        "sieve" => vec!["5000".into()],
        "nqueens" => vec!["6".into()],
        "matmul" => vec!["30".into()],
        _ => Vec::new(),
    }
}

fn check(path: &Path, compiler: &Rc<Compiler>, totals: &Rc<Totals>) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|e| e.to_string())?;
    let name = path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let (arguments, stdin) = if path.starts_with(root().join("examples")) {
        (example_arguments(&name), String::new())
    } else {
        let expected = Expectation::parse(&text)?;
        if !expected.errors.is_empty() {
            return Ok(());
        }
        (expected.arguments, expected.stdin)
    };
    let file = SourceFile::new(path.display().to_string(), text, false);
    let compiled = engine::compile(file, Options::default()).map_err(|_| "it does not compile".to_string())?;
    let settings = [(false, None), (true, None)].into_iter();
    // Where the stack ends elsewhere: frames that native code refuses together and that fit one by one.
    let ours = path.starts_with(root().join("tests/llvm"));
    let small = SMALL_STACKS.iter().filter(|_| ours).map(|&slots| (false, Some(slots)));
    for (guard, stack_slots) in settings.chain(small) {
        let setting = Setting { arguments: &arguments, stdin: &stdin, guard, stack_slots };
        let start = Instant::now();
        let expected = match run(&compiled, &setting, None) {
            // Too small for the main program.
            Err(_) if stack_slots.is_some() => continue,
            expected => expected?,
        };
        let middle = Instant::now();
        let got = run(&compiled, &setting, Some((compiler.clone(), totals.clone())))?;
        if verbose() {
            let (alone, with) = (middle - start, middle.elapsed());
            eprintln!("  {} ms, with LLVM {} ms", alone.as_millis(), with.as_millis());
        }
        if got != expected {
            return Err(format!(
                "regions guarded: {guard}, slots: {stack_slots:?}\ngot {got:#?}\nexpected {expected:#?}"
            ));
        }
    }
    Ok(())
}

/// Slots that the stack has in further runs of the programs that are about calls.
const SMALL_STACKS: [u64; 9] = [90, 130, 210, 283, 360, 441, 700, 1103, 2311];

/// Whether each program is named, with its times.
fn verbose() -> bool {
    std::env::var_os("SCALY_LLVM_VERBOSE").is_some()
}

fn main() -> ExitCode {
    let filters: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    if std::env::args().any(|a| a == "--list") {
        return ExitCode::SUCCESS;
    }
    std::env::set_current_dir(root()).expect("the project's folder");
    let totals = Rc::new(Totals::default());
    let mut compiler = Compiler::new().expect("a thread");
    if let Ok("none") = std::env::var("SCALY_LLVM_LEVEL").as_deref() {
        compiler.level = Level::None;
    } else if let Ok("best") = std::env::var("SCALY_LLVM_LEVEL").as_deref() {
        compiler.level = Level::Best;
    }
    compiler.texts = std::env::var_os("SCALY_LLVM_ONLY").is_some();
    let compiler = Rc::new(compiler);
    let mut paths: Vec<PathBuf> = programs(&root().join("tests/lang"));
    paths.extend(programs(&root().join("tests/llvm")));
    paths.extend(programs(&root().join("examples")));
    // Others, those that the fuzzer makes (`scaly-fuzz --show traces N`) among them.
    if let Some(folder) = std::env::var_os("SCALY_LLVM_PROGRAMS") {
        paths = programs(Path::new(&folder));
    }
    paths.retain(|path| filters.is_empty() || filters.iter().any(|f| path.display().to_string().contains(f.as_str())));
    let mut failed = 0;
    for path in &paths {
        if verbose() {
            eprintln!("{}", path.display());
        }
        if let Err(why) = check(path, &compiler, &totals) {
            failed += 1;
            eprintln!("FAILED {}: {why}", path.display());
        }
    }
    let compiled = totals.compiled.get();
    let refused: usize = totals.refused.borrow().values().sum();
    println!(
        "{} programs, {failed} differ; {compiled} loops and functions compiled ({} bytes, {} ms), entered {} and {} times; {refused} refused",
        paths.len(),
        totals.code_bytes.get(),
        totals.us.get() / 1000,
        totals.entries[0].get(),
        totals.entries[1].get(),
    );
    for (reason, count) in totals.refused.borrow().iter() {
        println!("  {count} refused: {reason}");
    }
    // A refusal is an excuse for one loop; where many have one, something is wrong.
    let idle = totals.entries.iter().any(|entries| entries.get() == 0);
    if failed > 0 || (filters.is_empty() && (idle || refused * 20 > compiled)) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
