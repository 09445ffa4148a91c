//! Recursive functions that take the program's time, where no loop does that compiling would repay: each call from the
//! interpreter enters the code, and what that calls is code as well.
//!
//! What runs in traces when the code is ready is a call of the function, with others below it. At the next sample it is
//! in the interpreter, all the way down, and whatever those activations call from there on enters the code.

use std::rc::Rc;

use rustc_hash::FxHashMap;
use scaly_interp::interpreter::State;
use scaly_interp::program::{FunctionId, Program};
use scaly_interp::tier::{self, Goes, Position};
use scaly_tracer::backend::Backend;
use scaly_tracer::effects;
use scaly_tracer::log::{Event, Variant};
use scaly_tracer::recorder::Place;

use super::analysis::{Prepared, Why};
use super::fork::{Entry, Recursion};
use super::stages::Stage;
use super::{Choice, Scaling, start};
use crate::interrupt;
use crate::lower::Lowered;
use crate::native::Left;

/// Those of which anything is known.
#[derive(Default)]
pub struct Functions(FxHashMap<FunctionId, FunctionState>);

pub struct FunctionState {
    pub stage: Stage,
    samples: u32,
    /// Periods of processor time that they stand for.
    periods: u64,
    switched: bool,
    /// Of code that gives up instead of leaving: what is learned from its calls, and what is compiled if it does.
    recursion: Option<Rc<Recursion>>,
    leaving: Option<Box<Prepared>>,
}

impl Functions {
    pub fn get(&self, id: FunctionId) -> Option<&FunctionState> {
        self.0.get(&id)
    }

    pub fn get_mut(&mut self, id: FunctionId) -> &mut FunctionState {
        let new = || FunctionState {
            stage: Stage::Counting,
            samples: 0,
            periods: 0,
            switched: false,
            recursion: None,
            leaving: None,
        };
        self.0.entry(id).or_insert_with(new)
    }

    /// What is compiled if the code of a function gives up.
    pub fn leaving(&mut self, id: FunctionId, prepared: Prepared) {
        self.get_mut(id).leaving = Some(Box::new(prepared));
    }

    /// The recursive ones are compiled at their first calls.
    pub fn force(&mut self, program: &Program, state: &mut State) {
        for id in effects::recursive(program) {
            self.get_mut(id);
            state.set_function_counter(id, 2);
        }
    }
}

/// Whether its calls can be taken by other threads.
fn forks(lowered: &Lowered) -> bool {
    lowered.interface.restart.is_some_and(|restart| restart.forks)
}

impl<B: Backend + 'static> Scaling<B> {
    /// A sample that no loop is chosen by, in this recursive function, after so many periods; whether there is anything to
    /// decide soon, or after how many microseconds.
    pub(super) fn sampled_function(&self, state: &mut State, id: FunctionId, periods: u32) -> (bool, u64) {
        const NOTHING: (bool, u64) = (false, u64::MAX);
        let of = Place::Function(id);
        self.settle(of);
        let (samples, so_far, walked) = {
            let mut functions = self.functions.borrow_mut();
            let function = functions.get_mut(id);
            function.samples += u32::from(periods > 0);
            function.periods += u64::from(periods);
            let so_far = function.periods.saturating_mul(self.parameters.sample.into());
            match &function.stage {
                Stage::Ready(_) => {
                    state.set_function_counter(id, 1);
                    return NOTHING;
                }
                Stage::Refused => return NOTHING,
                Stage::Analyzing | Stage::Building(_) => return (true, 0),
                Stage::Counting => (function.samples, so_far, None),
                Stage::Walked(prepared) => {
                    (function.samples, so_far, Some((prepared.lowered.lines, forks(&prepared.lowered))))
                }
            }
        };
        // It will take as long as it has taken so far, for all that is known.
        let (lines, parallel) = walked.unwrap_or_default();
        let least = self.least(lines, parallel);
        match walked {
            None if samples >= self.parameters.sampled && so_far >= least => self.analyze(state, vec![of], so_far),
            None => {}
            Some(_) => self.build_if(of, |_| so_far >= least),
        }
        (samples < self.parameters.undecided, least.saturating_sub(so_far))
    }

    /// Whether a function can be begun again, for all that is known; `sampled`: it is the one that is recursive here. Then
    /// all its activations together are compiled better than a loop in which it calls itself.
    pub(super) fn may_begin_again(&self, id: FunctionId, sampled: bool) -> bool {
        match self.functions.borrow().get(id).map(|function| &function.stage) {
            None | Some(Stage::Counting) => sampled,
            Some(Stage::Analyzing | Stage::Building(_) | Stage::Ready(_)) => true,
            Some(Stage::Walked(prepared)) => prepared.lowered.interface.restart.is_some(),
            Some(Stage::Refused) => false,
        }
    }

    pub(super) fn has_function(&self, id: FunctionId) -> bool {
        matches!(self.functions.borrow().get(id), Some(FunctionState { stage: Stage::Ready(_), .. }))
    }

    /// Enters what was compiled, if it was; the frame stands at the function's first instruction.
    pub(super) fn enter_function(&self, state: &mut State, id: FunctionId, at: Position) -> Option<Goes> {
        let counting = matches!(self.functions.borrow().get(id)?.stage, Stage::Counting);
        if counting && self.options.choice == Choice::Forced {
            self.force(state, Place::Function(id));
        }
        let (native, recursion, first) = {
            let mut functions = self.functions.borrow_mut();
            let FunctionState { stage: Stage::Ready(native), switched, recursion, .. } = functions.get_mut(id) else {
                return None;
            };
            if let (None, Some(restart)) = (&recursion, native.restart()) {
                *recursion = Some(Rc::new(Recursion::new(native, restart, self.parameters)));
            }
            (Rc::clone(native), recursion.clone(), !std::mem::replace(switched, true))
        };
        state.set_function_counter(id, 1);
        if first && native.has_room(state, at) {
            let (start, kind) = (start(Place::Function(id)), Variant::Sequential);
            self.log.event(|| Event::Switched { start, kind });
        }
        if let Some(recursion) = recursion {
            return if native.has_room(state, at) { self.enter_recursion(state, id, at, &recursion) } else { None };
        }
        match self.tracing().apart(|| native.enter(state, at)) {
            Left::NoRoom => None,
            Left::By(_, goes) => Some(goes),
        }
    }

    /// Enters code that gives up where it cannot go on; then nothing was done, and other code is made.
    fn enter_recursion(
        &self,
        state: &mut State,
        id: FunctionId,
        at: Position,
        recursion: &Rc<Recursion>,
    ) -> Option<Goes> {
        let of = Place::Function(id);
        let pool = self.options.pool.as_ref().filter(|_| interrupt::is_possible()).map(|pool| pool());
        let entry = Entry { pool, stacks: &self.stacks, forced: self.options.choice == Choice::Forced };
        let tell = || {
            if recursion.is_news() {
                self.log.event(|| Event::Switched { start: start(of), kind: Variant::Parallel });
            }
        };
        let returned = self.tracing().apart(|| recursion.enter(state, at, &entry, tell));
        self.tell_refused_threads(of);
        if let Some(pc) = returned {
            return Some(tier::returned(state, at.at(pc, 0)));
        }
        let text = "a call came to an error or to the end of a stack; it is made again, by code that stops there";
        self.refuse(of, Variant::Parallel, &Why::new(text, self.first(of)));
        let mut functions = self.functions.borrow_mut();
        let function = functions.get_mut(id);
        (function.recursion, function.switched) = (None, false);
        function.stage = function.leaving.take().map_or(Stage::Refused, Stage::Walked);
        drop(functions);
        if self.options.choice == Choice::Forced {
            self.build_and_wait(of);
            return self.enter_function(state, id, at);
        }
        None
    }
}
