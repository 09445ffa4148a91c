//! The interpreter: runs a program inside a fiber.
//!
//! A run is a [`Task`] of the scheduler of `scaly-runtime`: it *returns* to the scheduler when it has to wait, with all
//! of its state in its frames, so that a waiting fiber holds no native stack.

mod dispatch;
mod error;
mod native;
mod state;

use std::sync::Arc;

use scaly_runtime::console::OutputError;
use scaly_runtime::fiber::{Operation, Scheduler, SchedulerOptions, Step, Task, Worker};
use scaly_runtime::memory::{MemoryOptions, PageSource};
use scaly_runtime::vm_stack::VmStack;

use crate::machine::Fault;
use crate::program::{FunctionId, LoopId, Pc, Program};
use crate::verify::VerifyError;
use dispatch::{Left, OUTSIDE, Position};
pub(crate) use error::index_message;
pub use error::{RuntimeError, TRACE_INNER, TRACE_OUTER, TraceLine};
pub use native::{
    NAN_F32, NAN_F64, float_compare, float_op, float_to_int, float_unary_op, int_bytes, int_compare, int_op,
    int_unary_op, single_compare, single_op, single_unary_op,
};
pub(crate) use state::Outcome;
pub use state::{HOT, State, World};

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

/// A run that ended, and what it counted.
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
    crate::verify::verify(&program)?;
    let source = PageSource::new(options.memory);
    let mut sizes = SchedulerOptions::default();
    if let Some(slots) = options.stack_slots {
        sizes.vm_slots = usize::try_from(slots).unwrap_or(usize::MAX);
    }
    // Dropped after the task: regions give their memory back to the worker's pool.
    let mut scheduler = Scheduler::new(&source, sizes);
    let mut task = Run::Ready(program, world);
    scheduler.run(&mut task)?;
    match task {
        Run::Ended(result) => result.map(|finished| Finished { peak_memory: source.peak(), ..*finished }),
        Run::Ready(..) | Run::Running(_) => unreachable!("the scheduler returns when its main task is done"),
    }
}

/// The task of a run.
enum Run {
    /// The first turn tells which worker it is.
    Ready(Arc<Program>, World),
    Running(Box<Running>),
    Ended(Result<Box<Finished>, RunError>),
}

impl Task for Run {
    fn resume(&mut self, worker: &Worker) -> Step {
        // What is left here if a turn panics.
        let nothing = Run::Ended(Ok(Box::new(Finished::nothing())));
        let mut running = match std::mem::replace(self, nothing) {
            Run::Ready(program, world) => match Running::start(program, world, worker) {
                Ok(running) => Box::new(running),
                Err(error) => {
                    *self = Run::Ended(Err(error));
                    return Step::Done(1);
                }
            },
            Run::Running(running) => running,
            Run::Ended(result) => {
                *self = Run::Ended(result);
                return Step::Done(1);
            }
        };
        match running.resume() {
            Stop::Park(operation) => {
                *self = Run::Running(running);
                Step::Park(operation)
            }
            Stop::Ended(ended) => {
                let finished = running.finish(ended, worker);
                let status = finished.ended.status();
                *self = Run::Ended(Ok(Box::new(finished)));
                Step::Done(status)
            }
        }
    }
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

struct Running {
    state: State,
    stack: VmStack,
    position: Position,
}

/// Why [`Running::resume`] came back.
enum Stop {
    Ended(Ended),
    Park(Operation),
}

impl Running {
    /// At the program's first instruction. The program is verified.
    fn start(program: Arc<Program>, world: World, worker: &Worker) -> Result<Running, RunError> {
        let stack = worker.take_vm_stack()?;
        let main = program.function(program.main);
        let position = Position { pc: Pc(main.code.start), base: stack.base().as_ptr().wrapping_add(2) };
        if stack.slots() < 2 + main.frame_slots as usize {
            return Err(RunError::NoRoom { slots: stack.slots() });
        }
        // SAFETY: the header's two slots are on the stack.
        unsafe {
            stack.base().write(0);
            stack.base().add(1).write(OUTSIDE);
        }
        // SAFETY: the worker's pool lives as long as its scheduler, which outlives the task, and is its thread's alone.
        let mut state = unsafe { State::new(program, worker.pool(), world) };
        state.limit = stack.limit().as_ptr();
        Ok(Running { state, stack, position })
    }

    fn resume(&mut self) -> Stop {
        // SAFETY: the position is the program's first or where it stopped; the frames are on this stack.
        let left = unsafe { dispatch::run(&mut self.state, self.position) };
        let position = self.state.stopped.take().unwrap_or(self.position);
        self.position = position;
        match left {
            Left::Returned => {
                // SAFETY: the main function has one result slot.
                let status = unsafe { *position.base } as i32;
                Stop::Ended(self.flushed(Ended::Status(status)))
            }
            Left::Exit => {
                let status = self.state.pending.status;
                Stop::Ended(self.flushed(Ended::Status(status)))
            }
            Left::Fault => {
                // SAFETY: the run stopped at this position.
                let error = unsafe { RuntimeError::read(&mut self.state, position) };
                Stop::Ended(self.flushed(Ended::Error(Box::new(error))))
            }
            Left::Park => match self.state.pending.operation.take() {
                Some(operation) => Stop::Park(operation),
                None => unreachable!("a routine that parks leaves what it waits for"),
            },
        }
    }

    /// Flushes output, so that it precedes what is said about an error. A closed pipe ends the program quietly.
    fn flushed(&mut self, ended: Ended) -> Ended {
        match (self.state.world.output.flush(), ended) {
            (Err(error @ OutputError::Failed { .. }), Ended::Status(_)) => {
                self.state.pending.fault = Some((Fault::InputOutput, Some(error.to_string())));
                // SAFETY: the run stopped at this position, its frames are as they were.
                let error = unsafe { RuntimeError::read(&mut self.state, self.position) };
                Ended::Error(Box::new(error))
            }
            (_, ended) => ended,
        }
    }

    fn finish(self, ended: Ended, worker: &Worker) -> Finished {
        let program = &self.state.program;
        let loops = (0..program.loops.len()).map(|i| self.state.loop_count(LoopId(i as u32))).collect();
        let calls = (0..program.functions.len()).map(|i| self.state.call_count(FunctionId(i as u32))).collect();
        worker.give_vm_stack(self.stack);
        Finished { ended, loops, calls, peak_memory: 0 }
    }
}
