//! From what was found about a loop or function to its code.

use std::rc::Rc;
use std::sync::mpsc::TryRecvError;

use scaly_interp::interpreter::State;
use scaly_interp::program::{LoopId, Pc};
use scaly_tracer::backend::Backend;
use scaly_tracer::log::{Event, RegionRuns, Variant};
use scaly_tracer::recorder::Place;

use super::analysis::{self, Analysis, Prepared, Why};
use super::parallel::Parallel;
use super::{Choice, PERIOD, Scaling, start};
use crate::compiler::Building;
use crate::library::Error;
use crate::lower::Needs;
use crate::native::Native;

pub enum Stage {
    Counting,
    /// Another thread follows its paths.
    Analyzing,
    /// Waiting until it is chosen, and has taken as long as compiling it will.
    Walked(Box<Prepared>),
    Building(Box<Building>),
    Ready(Rc<Native>),
    Refused,
}

pub struct LoopState {
    pub stage: Stage,
    /// Where the program goes on when a `for` has made all its trips, if nothing else leads there.
    pub end: Option<Pc>,
    /// If its iterations are independent.
    pub parallel: Option<Rc<Parallel>>,
    pub samples: u32,
    /// Those of them in which no loop was inside of it.
    pub innermost: u64,
    /// The most trips that a sample found it to have yet, of a `for`.
    pub trips: u64,
    /// Of the run that it is in, as far as samples know it: the first one, and the trips that were left then.
    pub run: Option<(u32, u64)>,
    /// Microseconds that it will take yet, by the trips that are left.
    pub remaining: u64,
    /// The sample at the time of its last pass.
    pub passed: u32,
    /// An independent loop inside of it that was chosen instead.
    pub inside: Option<LoopId>,
    pub switched: bool,
    /// Why it stays on one core has been told.
    pub told: bool,
    pub runs: RegionRuns,
    /// Its counter was set so that the next pass comes here: the passes that it would have taken.
    pub due: Option<u32>,
}

impl LoopState {
    pub fn new() -> LoopState {
        LoopState {
            stage: Stage::Counting,
            end: None,
            parallel: None,
            samples: 0,
            innermost: 0,
            trips: 0,
            run: None,
            remaining: 0,
            passed: 0,
            inside: None,
            switched: false,
            told: false,
            runs: RegionRuns::default(),
            due: None,
        }
    }

    /// A sample found it with so many trips left.
    pub fn sampled(&mut self, now: u32, trips: u64) {
        self.trips = self.trips.max(trips);
        let (first, before) = match self.run {
            Some((first, before)) if trips <= before && self.samples > 1 => (first, before),
            _ => *self.run.insert((now, trips)),
        };
        let took = u64::from(now - first) * PERIOD.as_micros() as u64;
        self.remaining = took.saturating_mul(trips).checked_div(before - trips).unwrap_or(0);
    }

    /// Whether it is, or will be, run on all cores.
    pub fn scales(&self) -> bool {
        self.parallel.as_ref().is_some_and(|parallel| !parallel.too_short())
            && matches!(self.stage, Stage::Walked(_) | Stage::Building(_) | Stage::Ready(_))
    }
}

impl<B: Backend + 'static> Scaling<B> {
    /// Has their paths followed, on another thread if there is one.
    pub(super) fn analyze(&self, state: &State, all: Vec<Place>) {
        all.iter().for_each(|&of| self.set_stage(of, Stage::Analyzing));
        let (program, parameters, parallel) = (self.program.clone(), self.parameters, self.options.pool.is_some());
        match analysis::begin(program, self.addresses(state), parameters, all, parallel) {
            Ok(results) => self.analyses.borrow_mut().push(results),
            Err(all) => self.analyze_here(state, &all),
        }
    }

    pub(super) fn analyze_here(&self, state: &State, all: &[Place]) {
        let (addresses, parallel) = (self.addresses(state), self.options.pool.is_some());
        analysis::of(&self.program, &addresses, self.parameters, all, parallel, |analysis| {
            self.analyzed(analysis);
            true
        });
    }

    pub(super) fn take_analyses(&self) {
        let mut arrived = Vec::new();
        self.analyses.borrow_mut().retain(|results| {
            loop {
                match results.try_recv() {
                    Ok(analysis) => arrived.push(analysis),
                    Err(TryRecvError::Empty) => return true,
                    Err(TryRecvError::Disconnected) => return false,
                }
            }
        });
        arrived.into_iter().for_each(|analysis| self.analyzed(analysis));
    }

    /// Takes in what was found out about a loop or function.
    pub(super) fn analyzed(&self, Analysis { of, prepared, parallel }: Analysis) {
        if let Place::Loop(id) = of {
            match parallel {
                Some(Ok(parallel)) => self.loops.borrow_mut()[id.0 as usize].parallel = Some(Rc::new(parallel)),
                Some(Err(why)) => self.refuse(of, Variant::Parallel, &why),
                None => {}
            }
            self.loops.borrow_mut()[id.0 as usize].end = prepared.as_ref().ok().and_then(|prepared| prepared.end);
        }
        let stage = self.walked(of, prepared);
        self.set_stage(of, stage);
    }

    pub(super) fn walked(&self, of: Place, prepared: Result<Box<Prepared>, Why>) -> Stage {
        let why = match prepared {
            Err(why) => why,
            Ok(prepared) => {
                let Prepared { blocks, instructions, calls, .. } = *prepared;
                self.log.event(|| Event::Region { start: start(of), blocks, instructions, calls });
                let needs = prepared.lowered.interface.needs;
                if self.options.choice == Choice::Forced || needs != Needs::Program {
                    return Stage::Walked(prepared);
                }
                let text = "it calls what is not compiled with it: traces do that sooner so far";
                Why::new(text, self.first(of))
            }
        };
        self.refuse(of, Variant::Sequential, &why);
        Stage::Refused
    }

    pub(super) fn build(&self, of: Place, prepared: Prepared) -> Stage {
        match self.compiler() {
            Some(compiler) => Stage::Building(Box::new(compiler.submit(prepared.lowered, prepared.lowering_us))),
            None => {
                self.refuse(of, Variant::Sequential, &Why::new("there is no thread to compile it", self.first(of)));
                Stage::Refused
            }
        }
    }

    /// What has been built becomes what is entered.
    pub(super) fn settle(&self, of: Place) {
        let stage = match self.take_stage(of) {
            Stage::Building(mut building) => match building.poll() {
                Some(built) => self.built(of, built),
                None => Stage::Building(building),
            },
            stage => stage,
        };
        self.set_stage(of, stage);
    }

    pub(super) fn built(&self, of: Place, built: Result<Native, Error>) -> Stage {
        match built {
            Ok(mut native) => {
                if let Place::Loop(id) = of {
                    native.counts(&self.program, id);
                }
                let costs = native.costs();
                let microseconds =
                    costs.lowering_us + costs.parse_us + costs.passes_us + costs.codegen_us + costs.link_us;
                let (bytes, microseconds) = (costs.code_bytes as u32, u32::try_from(microseconds).unwrap_or(u32::MAX));
                let kind = Variant::Sequential;
                self.log.event(|| Event::Variant { start: start(of), kind, bytes, microseconds });
                self.tracing().retire(of);
                Stage::Ready(Rc::new(native))
            }
            Err(error) => {
                self.refuse(of, Variant::Sequential, &Why::new(error.to_string(), self.first(of)));
                if !matches!(error, Error::Refused(_)) {
                    // Nothing else will fare better: nothing is looked for any more, and this is said once.
                    self.traces.stop();
                }
                Stage::Refused
            }
        }
    }

    /// Compiles it and waits for it.
    pub(super) fn force(&self, state: &State, of: Place) {
        self.analyze_here(state, &[of]);
        let stage = match self.take_stage(of) {
            Stage::Walked(prepared) => match self.build(of, *prepared) {
                Stage::Building(building) => self.built(of, building.wait()),
                stage => stage,
            },
            stage => stage,
        };
        self.set_stage(of, stage);
    }

    pub(super) fn set_stage(&self, of: Place, stage: Stage) {
        match of {
            Place::Loop(id) => self.loops.borrow_mut()[id.0 as usize].stage = stage,
            Place::Function(id) => self.functions.borrow_mut().get_mut(id).stage = stage,
        }
    }

    /// Takes the stage out.
    pub(super) fn take_stage(&self, of: Place) -> Stage {
        match of {
            Place::Loop(id) => std::mem::replace(&mut self.loops.borrow_mut()[id.0 as usize].stage, Stage::Refused),
            Place::Function(id) => {
                std::mem::replace(&mut self.functions.borrow_mut().get_mut(id).stage, Stage::Refused)
            }
        }
    }
}
