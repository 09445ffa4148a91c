//! The interpreter: runs a program inside a fiber.
//!
//! A run is a [`Task`] of the scheduler of `scaly-runtime`: it *returns* to the scheduler when it has to wait, with all
//! of its state in its frames, so that a waiting fiber holds no native stack.

mod counting;
mod dispatch;
mod error;
mod fiber;
mod helper;
mod native;
mod state;

use std::rc::Rc;
use std::sync::Arc;

use scaly_runtime::memory::MemoryOptions;

use crate::program::Program;
use crate::tier::Tier;
use crate::verify::VerifyError;
pub use dispatch::Position;
pub(crate) use dispatch::{
    Flow, LAST_KNOWN, Left, NESTED, OUTSIDE, continue_at, count_back_edge, count_call, fault, follow, position,
    resume_stopped, stop, stopped,
};
pub(crate) use error::index_message;
pub use error::{RuntimeError, TRACE_INNER, TRACE_OUTER, TraceLine};
pub(crate) use fiber::{Driver, run_with};
pub use helper::Helper;
pub use native::{
    NAN_F32, NAN_F64, Native, float_compare, float_op, float_to_int, float_unary_op, int_bytes, int_compare, int_op,
    int_unary_op, single_compare, single_op, single_unary_op,
};
pub(crate) use state::Outcome;
pub use state::{HOT, MakeTier, Screen, State, World};

/// How a run ended.
#[derive(Clone, PartialEq, Debug)]
pub enum Ended {
    /// The main program returned, or `exit` was called, with this status.
    Status(i32),
    /// A runtime error; the status is 1.
    Error(Box<RuntimeError>),
}

/// Limits of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    pub memory: MemoryOptions,
    /// Slots that the frames of nested calls may take.
    pub stack_slots: Option<u64>,
}

/// Why a program could not be run at all.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("invalid program: {0}")]
    Invalid(#[from] VerifyError),
    #[error(transparent)]
    Fiber(#[from] scaly_runtime::fiber::FiberError),
    #[error(transparent)]
    Stack(#[from] scaly_runtime::vm_stack::VmStackError),
    #[error("a stack of {slots} slots is too small for the main program")]
    NoRoom { slots: usize },
}

/// A run that ended, and what it counted while it did: [`State::count_never`] and [`State::count_some`] see less.
#[derive(Clone, PartialEq, Debug)]
pub struct Finished {
    pub ended: Ended,
    /// By loop: how often its back edges were taken.
    pub loops: Vec<u64>,
    /// By function: how often it was called.
    pub calls: Vec<u64>,
    /// The most bytes that regions held at any moment, caches included.
    pub peak_memory: u64,
}

/// Runs a program in a fiber of its own scheduler until it ends. Output is flushed.
pub fn run(program: Arc<Program>, world: World, options: Options) -> Result<Finished, RunError> {
    run_prepared(program, world, options, |_| {})
}

/// The same with something done to the state before the first instruction.
pub fn run_prepared(
    program: Arc<Program>,
    world: World,
    options: Options,
    prepare: impl FnOnce(&mut State),
) -> Result<Finished, RunError> {
    fiber::run_with(program, world, options, &mut fiber::Plain(Some(prepare)))
}

/// The same with a tier of native code.
pub fn run_with_tier(
    program: Arc<Program>,
    world: World,
    options: Options,
    tier: impl FnOnce(&mut State) -> Rc<dyn Tier>,
) -> Result<Finished, RunError> {
    run_prepared(program, world, options, |state| {
        let tier = tier(state);
        state.tier = Some(tier);
    })
}

/// The same with a tier that is made when something is hot, in a run whose counters are set before the first instruction.
pub fn run_with_late_tier(
    program: Arc<Program>,
    world: World,
    options: Options,
    prepare: impl FnOnce(&mut State),
    make: MakeTier,
) -> Result<Finished, RunError> {
    run_prepared(program, world, options, |state| {
        prepare(state);
        state.make_tier = Some(make);
    })
}

/// Hands out the state of a run that stands at the program's first instruction, and executes nothing: for tests of what
/// works on states and frames.
pub fn probe<R>(
    program: Arc<Program>,
    world: World,
    options: Options,
    body: impl FnOnce(&mut State, Position) -> R,
) -> Result<Option<R>, RunError> {
    let mut probe = fiber::Probe::new(body);
    fiber::run_with(program, world, options, &mut probe)?;
    Ok(probe.result())
}

impl Ended {
    /// The exit status of the process.
    pub fn status(&self) -> i32 {
        match self {
            Ended::Status(status) => *status,
            Ended::Error(_) => 1,
        }
    }
}

impl Finished {
    fn nothing() -> Finished {
        Finished { ended: Ended::Status(1), loops: Vec::new(), calls: Vec::new(), peak_memory: 0 }
    }
}
