//! The task that a run is, in a fiber of the scheduler of `scaly-runtime`.

use std::ptr::NonNull;
use std::sync::Arc;

use scaly_runtime::console::OutputError;
use scaly_runtime::fiber::{Operation, Scheduler, SchedulerOptions, Step, Task, Worker};
use scaly_runtime::memory::PageSource;
use scaly_runtime::vm_stack::VmStack;

use super::dispatch::{self, Left, OUTSIDE, Position};
use super::error::RuntimeError;
use super::state::{State, World};
use super::{Ended, Finished, Options, RunError};
use crate::machine::Fault;
use crate::program::{FunctionId, LoopId, Pc, Program};

/// Who executes the instructions of a run.
pub(crate) trait Driver {
    /// Runs until something else than running is due.
    ///
    /// # Safety
    /// As for [`dispatch::run`].
    unsafe fn drive(&mut self, state: &mut State, from: Position) -> Left;
}

/// The interpreter itself, with what is done to its state before the first instruction.
pub(super) struct Plain<F>(pub Option<F>);

impl<F: FnOnce(&mut State)> Driver for Plain<F> {
    unsafe fn drive(&mut self, state: &mut State, from: Position) -> Left {
        if let Some(prepare) = self.0.take() {
            prepare(state);
        }
        // SAFETY: by the caller's promise.
        unsafe { dispatch::run(state, from) }
    }
}

/// Hands out the state and the first position of a run that executes nothing.
pub(super) struct Probe<F, R> {
    body: Option<F>,
    result: Option<R>,
}

impl<F: FnOnce(&mut State, Position) -> R, R> Probe<F, R> {
    pub(super) fn new(body: F) -> Self {
        Probe { body: Some(body), result: None }
    }

    pub(super) fn result(self) -> Option<R> {
        self.result
    }
}

impl<F: FnOnce(&mut State, Position) -> R, R> Driver for Probe<F, R> {
    unsafe fn drive(&mut self, state: &mut State, from: Position) -> Left {
        self.result = self.body.take().map(|body| body(state, from));
        Left::Exit
    }
}

/// Runs a program in a fiber of its own scheduler until it ends. Output is flushed.
pub(crate) fn run_with<D: Driver>(
    program: Arc<Program>,
    world: World,
    options: Options,
    driver: &mut D,
) -> Result<Finished, RunError> {
    crate::verify::verify(&program)?;
    let source = PageSource::new(options.memory);
    let mut sizes = SchedulerOptions::default();
    if let Some(slots) = options.stack_slots {
        sizes.vm_slots = usize::try_from(slots).unwrap_or(usize::MAX);
    }
    // Dropped after the task: regions give their memory back to the worker's pool.
    let mut scheduler = Scheduler::new(&source, sizes);
    let mut task = Run { stage: Stage::Ready(program, world), driver };
    scheduler.run(&mut task)?;
    match task.stage {
        Stage::Ended(result) => result.map(|finished| Finished { peak_memory: source.peak(), ..*finished }),
        Stage::Ready(..) | Stage::Running(_) => unreachable!("the scheduler returns when its main task is done"),
    }
}

/// The task of a run.
struct Run<'a, D> {
    stage: Stage,
    driver: &'a mut D,
}

enum Stage {
    /// The first turn tells which worker it is.
    Ready(Arc<Program>, World),
    Running(Box<Running>),
    Ended(Result<Box<Finished>, RunError>),
}

impl<D: Driver> Task for Run<'_, D> {
    fn resume(&mut self, worker: &Worker) -> Step {
        // What is left here if a turn panics.
        let nothing = Stage::Ended(Ok(Box::new(Finished::nothing())));
        let mut running = match std::mem::replace(&mut self.stage, nothing) {
            Stage::Ready(program, world) => match Running::start(program, world, worker) {
                Ok(running) => Box::new(running),
                Err(error) => {
                    self.stage = Stage::Ended(Err(error));
                    return Step::Done(1);
                }
            },
            Stage::Running(running) => running,
            Stage::Ended(result) => {
                self.stage = Stage::Ended(result);
                return Step::Done(1);
            }
        };
        running.state.native_limit = worker.native_limit();
        running.state.worker = Some(NonNull::from(worker));
        match running.resume(self.driver) {
            Stop::Park(operation) => {
                self.stage = Stage::Running(running);
                Step::Park(operation)
            }
            Stop::Ended(ended) => {
                let finished = running.finish(ended, worker);
                let status = finished.ended.status();
                self.stage = Stage::Ended(Ok(Box::new(finished)));
                Step::Done(status)
            }
        }
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

    fn resume(&mut self, driver: &mut impl Driver) -> Stop {
        // SAFETY: the position is the program's first or where it stopped; the frames are on this stack.
        let left = unsafe { driver.drive(&mut self.state, self.position) };
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
