//! Regions as text, compiled and run on a frame.
#![allow(dead_code)]

use std::sync::Arc;

use scaly_backends::lower::{Addresses, Context};
use scaly_backends::{Compiler, Left, Level, Native};
use scaly_interp::dump::parse;
use scaly_interp::interpreter::{self, Options, State, World};
use scaly_interp::program::Program;
use scaly_interp::tier::Position;
use scaly_tracer::manager::Profile;
use scaly_tracer::region::Region;

/// Slots of the frame that regions run on.
pub const SLOTS: usize = 64;

pub fn program() -> Arc<Program> {
    let listing = "main f
function f(params 0, results 1, frame 64)
  0: Const s0, 0
loop open @top..@out
top: JGeSImm s0, 1000 -> @out
  AddImm s0, s0, 1
  Loop loop0 -> @top
out: Return1 s0
";
    let listing = listing.replace("  0: ", "  ");
    Arc::new(parse(&listing).unwrap_or_else(|error| panic!("{error}")))
}

pub fn compiler(level: Level) -> Compiler {
    let mut compiler = Compiler::new().unwrap();
    compiler.level = level;
    compiler
}

pub fn region(text: &str) -> Region {
    let region: Region = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    region.verify().unwrap_or_else(|error| panic!("{error}\n{text}"));
    region
}

pub fn compile(compiler: &Compiler, text: &str) -> Native {
    let program = program();
    let addresses = Addresses::default();
    let waits = vec![false; program.functions.len()];
    let context = Context {
        program: &program,
        addresses: &addresses,
        waits: &waits,
        parameters: scaly_tracer::parameters::Parameters::default(),
        profile: &Profile::default(),
    };
    compiler.compile(&region(text), context).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A state that stands at the first instruction of the program, and its frame.
pub fn with_frame<R>(body: impl FnOnce(&mut State, Position) -> R) -> R {
    let world = World::standard(Vec::new());
    interpreter::probe(program(), world, Options::default(), body).unwrap().unwrap()
}

pub fn frame(at: Position) -> &'static mut [u64] {
    // SAFETY: the main program's frame has as many slots; nothing else uses it while a test looks.
    unsafe { std::slice::from_raw_parts_mut(at.base(), SLOTS) }
}

/// Runs a region whose only way is this instruction, in the region's frame.
pub fn enter(native: &Native, state: &mut State, at: Position, pc: u32) {
    match native.enter(state, at) {
        Left::By(scaly_backends::lower::Leave::Goes { pc: found, base: 0 }, _) => assert_eq!(found.0, pc),
        left => panic!("{left:?}"),
    }
}
