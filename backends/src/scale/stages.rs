//! From what was found about a loop or function to its code.

use std::rc::Rc;
use std::sync::mpsc::TryRecvError;
use std::time::Duration;

use scaly_interp::bytecode::Opcode;
use scaly_interp::interpreter::State;
use scaly_interp::program::{LoopId, Pc};
use scaly_interp::trips;
use scaly_tracer::backend::Backend;
use scaly_tracer::log::{Event, RegionRuns, Variant};
use scaly_tracer::recorder::Place;

use super::analysis::{self, Analysis, Known, Prepared, Why};
use super::parallel::Parallel;
use super::{Choice, Scaling, start};
use crate::compiler::{Building, has_room};
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
    /// Periods of processor time that they stand for.
    pub periods: u64,
    /// Those of them in which no loop was inside of it.
    pub innermost: u64,
    /// The most trips that a sample found it to have yet, of a `for`.
    pub trips: u64,
    /// Of a `for`: the run that it is in, as far as samples know it.
    pub run: Option<Run>,
    /// Microseconds that it will take yet, by the trips that are left, and by how long those took that were made.
    remaining: u64,
    /// The sample at the time of its last pass.
    pub passed: u32,
    /// Its function was seen to run below it: it calls itself in the loop.
    pub recurs: bool,
    /// An independent loop inside of it that was chosen instead.
    pub inside: Option<LoopId>,
    /// The loop that it was last seen in, of a caller too.
    pub around: Option<LoopId>,
    pub switched: bool,
    /// Why it stays on one core has been told.
    pub told: bool,
    /// What was to be checked did not hold when it was last entered: it is left to loops inside, which go on all cores.
    pub left: bool,
    pub runs: RegionRuns,
    /// How many there were, and how long they had taken, when it was last asked whether they are too short.
    pub asked: (u64, u64),
    /// Its counter was set so that the next pass comes here: the passes that it would have taken.
    pub due: Option<u32>,
}

/// A run of a loop: the program's processor time, without what was spent on traces, and the trips left, at the first sample
/// in it and at the last one.
pub struct Run {
    first: (Duration, u64),
    last: (Duration, u64),
    samples: u32,
}

/// Microseconds for the trips that are left, as they were made from one moment to another.
fn left(from: (Duration, u64), to: (Duration, u64)) -> Option<u64> {
    let took = to.0.saturating_sub(from.0).as_micros() as u64;
    took.saturating_mul(to.1).checked_div(from.1 - to.1)
}

impl Stage {
    fn is_building(&self) -> bool {
        matches!(self, Stage::Building(_))
    }
}

impl LoopState {
    pub fn new() -> LoopState {
        LoopState {
            stage: Stage::Counting,
            end: None,
            parallel: None,
            samples: 0,
            periods: 0,
            innermost: 0,
            trips: 0,
            run: None,
            remaining: 0,
            passed: 0,
            recurs: false,
            inside: None,
            around: None,
            switched: false,
            told: false,
            left: false,
            runs: RegionRuns::default(),
            asked: (0, 0),
            due: None,
        }
    }

    /// A sample found it with so many trips left, when the program had had so much processor time for itself; whether it has
    /// come round since the last one. Where a loop around it has, this is another run of it. `few` samples of a run are too
    /// few to tell how long it will take.
    pub fn sampled(&mut self, now: Duration, trips: u64, around: bool, few: u32) -> bool {
        self.trips = self.trips.max(trips);
        let here = (now, trips);
        let last = self.run.as_ref().map(|run| run.last.1);
        match &mut self.run {
            Some(run) if trips <= run.last.1 && !around => {
                let (whole, lately) = (left(run.first, here), left(run.last, here));
                run.samples += 1;
                run.last = here;
                // The first trips may be the longest ones, or the shortest; a long one among many short ones says little.
                let known = if run.samples > few { whole } else { None };
                self.remaining = known.map_or(0, |whole| lately.unwrap_or(whole).min(4 * whole));
            }
            run => {
                *run = Some(Run { first: here, last: here, samples: 1 });
                self.remaining = 0;
            }
        }
        around || last != Some(trips)
    }

    /// What a trip takes, if the run that it is in has made one.
    pub fn trip(&self) -> Option<Duration> {
        let run = self.run.as_ref()?;
        let trips = u32::try_from(run.first.1 - run.last.1).ok()?;
        run.last.0.saturating_sub(run.first.0).checked_div(trips)
    }

    /// The same, or how long it was seen in one that has not ended.
    pub fn long_trip(&self) -> Option<Duration> {
        let Run { first, last, .. } = self.run.as_ref()?;
        self.trip().or(Some(last.0.saturating_sub(first.0)))
    }

    /// Whether its runs take less than so many nanoseconds in the mean: asked after so many, then after twice as many and so
    /// on, of those since it was last asked. The first ones may have been disturbed.
    pub fn runs_are_short(&mut self, tried: u64, least: u64) -> bool {
        let RegionRuns { entries, nanoseconds, .. } = self.runs;
        if !entries.is_multiple_of(tried) || !(entries / tried).is_power_of_two() {
            return false;
        }
        let (before, until) = std::mem::replace(&mut self.asked, (entries, nanoseconds));
        nanoseconds - until < (entries - before) * least
    }

    /// Microseconds that it will take yet, where what runs inside of it will take so many. As long as it is in the trip in
    /// which it was first found, the others are taken to be like this one. It is not taken to last more than `foresight`
    /// times as long as it has been seen: in a sieve each trip is shorter than the one before.
    pub fn remaining(&self, inside: u64, few: u32, foresight: u32) -> u64 {
        let Some(run) = &self.run else { return 0 };
        let seen = run.last.0.saturating_sub(run.first.0).as_micros() as u64;
        let by_inside = if inside > 0 && run.samples > few && run.first.1 == run.last.1 {
            seen.saturating_add(inside).saturating_mul(run.last.1).saturating_add(inside)
        } else {
            0
        };
        self.remaining.max(by_inside).min(seen.saturating_mul(foresight.into()))
    }

    /// Whether it is, or will be, run on all cores.
    pub fn scales(&self) -> bool {
        !self.left
            && self.parallel.as_ref().is_some_and(|parallel| !parallel.too_short())
            && matches!(self.stage, Stage::Walked(_) | Stage::Building(_) | Stage::Ready(_))
    }
}

impl<B: Backend + 'static> Scaling<B> {
    /// Has their paths followed, on another thread if there is one. They take so many microseconds yet.
    pub(super) fn analyze(&self, state: &State, all: Vec<Place>, remaining: u64) {
        if !has_room() {
            for of in all {
                self.refuse(of, Variant::Sequential, &Why::new("there is too little address space", self.first(of)));
                self.set_stage(of, Stage::Refused);
            }
            return;
        }
        all.iter().for_each(|&of| self.set_stage(of, Stage::Analyzing));
        match analysis::begin(self.known(state), all, self.traces.bell(), self.load_early(remaining)) {
            Ok(results) => self.analyses.borrow_mut().push(results),
            Err(all) => self.analyze_here(state, &all),
        }
    }

    fn known(&self, state: &State) -> Known {
        Known {
            program: self.program.clone(),
            addresses: self.addresses(state),
            parameters: self.parameters,
            profile: self.tracing().profile(),
            parallel: self.options.pool.is_some(),
        }
    }

    pub(super) fn analyze_here(&self, state: &State, all: &[Place]) {
        analysis::of(&self.known(state), all, |analysis| {
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
    pub(super) fn analyzed(&self, Analysis { of, prepared, parallel, serial }: Analysis) {
        if let (Some(why), true) = (&serial, self.options.pool.is_some()) {
            self.refuse(of, Variant::Parallel, why);
        }
        if let Place::Loop(id) = of {
            match parallel {
                Some(Ok(_)) if self.is_tiny(id) => {
                    let why = Why::new("its runs are too short for several cores", self.header(id));
                    self.refuse(of, Variant::Parallel, &why);
                }
                Some(Ok(parallel)) => self.loops.borrow_mut()[id.0 as usize].parallel = Some(Rc::new(parallel)),
                Some(Err(why)) => self.refuse(of, Variant::Parallel, &why),
                None => {}
            }
            self.loops.borrow_mut()[id.0 as usize].end = prepared.as_ref().ok().and_then(|prepared| prepared.end);
        }
        let stage = self.walked(of, prepared);
        self.set_stage(of, stage);
    }

    /// Whether no run of a loop takes as long as one that is divided.
    fn is_tiny(&self, id: LoopId) -> bool {
        // A nanosecond an instruction is slow.
        let most = trips::instructions(&self.program, id).filter(|_| self.options.choice != Choice::Forced);
        most.is_some_and(|most| most < self.parameters.divided.into())
    }

    pub(super) fn walked(&self, of: Place, prepared: Result<Box<Prepared>, Why>) -> Stage {
        let why = match prepared {
            Err(why) => why,
            Ok(prepared) => {
                let Prepared { blocks, instructions, calls, predictable, divisors, .. } = *prepared;
                let start = start(of);
                self.log.event(|| Event::Region { start, blocks, instructions, calls, predictable, divisors });
                let needs = prepared.lowered.interface.needs;
                let Needs::Program(at) = needs else { return Stage::Walked(prepared) };
                if self.options.choice == Choice::Forced {
                    return Stage::Walked(prepared);
                }
                let outside = self.program.code[at.0 as usize].op == Opcode::Runtime;
                let what = if outside { "touches the world outside" } else { "calls what is not compiled with it" };
                Why::new(format!("it {what}: traces do that sooner so far"), at)
            }
        };
        self.refuse(of, Variant::Sequential, &why);
        Stage::Refused
    }

    pub(super) fn build(&self, of: Place, mut prepared: Prepared) -> Stage {
        if let (Place::Function(id), Some(lowered)) = (of, prepared.leaving.take()) {
            let other = Prepared { lowered: *lowered, leaving: None, ..prepared };
            self.functions.borrow_mut().leaving(id, other);
        }
        match self.compiler() {
            Some(compiler) => Stage::Building(Box::new(compiler.submit(prepared.lowered, prepared.lowering_us))),
            None => {
                self.refuse(of, Variant::Sequential, &Why::new("there is no thread to compile it", self.first(of)));
                Stage::Refused
            }
        }
    }

    /// What has been built becomes what is entered.
    #[inline]
    pub(super) fn settle(&self, of: Place) {
        let building = match of {
            Place::Loop(id) => self.loops.borrow()[id.0 as usize].stage.is_building(),
            Place::Function(id) => self.functions.borrow().get(id).is_some_and(|function| function.stage.is_building()),
        };
        if building {
            self.poll(of);
        }
    }

    #[cold]
    fn poll(&self, of: Place) {
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
                let microseconds = u32::try_from(microseconds).unwrap_or(u32::MAX);
                let (lines, bytes) = (costs.lines as u32, costs.code_bytes as u32);
                let kind = Variant::Sequential;
                self.log.event(|| Event::Variant { start: start(of), kind, lines, bytes, microseconds });
                if let Some(observer) = &self.options.observer {
                    observer(of, self.first(of), &native);
                }
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
        self.build_and_wait(of);
    }

    /// Compiles what has been walked and waits for it.
    pub(super) fn build_and_wait(&self, of: Place) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_are_short_but_for_the_first_ones_are_short() {
        let mut state = LoopState::new();
        let mut after = |entries: u64, nanoseconds: u64| {
            state.runs = RegionRuns { entries, nanoseconds, ..RegionRuns::default() };
            state.runs_are_short(256, 2000)
        };
        // A neighbour took the core for some milliseconds.
        assert!(!after(255, 76_500) && !after(256, 5_000_000));
        assert!(!after(257, 5_000_300) && !after(511, 5_076_500));
        assert!(after(512, 5_076_800));
        // Asked of 1024 to 2047 runs, then.
        assert!(!after(768, 5_100_000) && !after(1024, 50_000_000) && after(2048, 50_300_000));
    }

    /// What is left after samples at these milliseconds, of which each says the trips left and whether a loop around came
    /// round.
    fn remaining(samples: &[(u64, u64, bool)]) -> u64 {
        let mut state = LoopState::new();
        for &(now, trips, around) in samples {
            state.sampled(Duration::from_millis(now), trips, around, 2);
        }
        state.remaining(0, 2, 100)
    }

    #[test]
    fn trips_tell_no_more_than_so_many_times_what_was_seen() {
        assert_eq!(remaining(&[(2, 1_000_000, false), (4, 999_990, false), (6, 999_900, false)]), 400_000);
    }

    #[test]
    fn a_run_takes_as_long_as_its_trips_took() {
        assert_eq!(remaining(&[(2, 1000, false), (4, 900, false), (6, 800, false)]), 16_000);
        // It has not come round lately.
        assert_eq!(remaining(&[(2, 10, false), (4, 9, false), (6, 9, false)]), 36_000);
    }

    #[test]
    fn nothing_is_known_of_a_run_that_has_just_begun() {
        assert_eq!(remaining(&[(2, 1000, false), (4, 999, false)]), 0);
    }

    #[test]
    fn trips_of_another_run_say_nothing() {
        // The loop around comes round each time: 999 are left by chance.
        assert_eq!(remaining(&[(2, 1000, true), (4, 999, true), (6, 998, true), (8, 997, true)]), 0);
        assert_eq!(remaining(&[(2, 500, false), (4, 400, false), (6, 1000, false)]), 0);
    }

    #[test]
    fn where_the_first_trips_are_the_longest_the_latest_tell() {
        assert_eq!(remaining(&[(2, 1000, false), (4, 999, false), (6, 500, false)]), 2_004);
    }

    #[test]
    fn where_the_first_trips_are_the_shortest_the_latest_tell_but_for_outliers() {
        assert_eq!(remaining(&[(2, 1000, false), (4, 500, false), (6, 400, false)]), 8_000);
        assert_eq!(remaining(&[(2, 1000, false), (4, 500, false), (6, 499, false)]), 4 * 3_984);
    }

    #[test]
    fn a_trip_that_is_not_over_tells_by_what_is_inside() {
        let mut state = LoopState::new();
        let mut sampled = |now| state.sampled(Duration::from_millis(now), 10, false, 2);
        assert!(sampled(2) && !sampled(4));
        assert_eq!(state.remaining(5_000, 2, 100), 0, "too few samples");
        state.sampled(Duration::from_millis(6), 10, false, 2);
        assert_eq!(state.remaining(0, 2, 100), 0, "nothing is known of what is inside");
        // Of this trip 4 ms have been seen and 5 ms are left; ten more follow.
        assert_eq!(state.remaining(5_000, 2, 100), 95_000);
        // Another trip has begun: the trips tell by themselves.
        state.sampled(Duration::from_millis(10), 9, false, 2);
        assert_eq!(state.remaining(5_000, 2, 100), 4_000 * 9);
    }

    #[test]
    fn it_tells_whether_it_has_come_round() {
        let mut state = LoopState::new();
        let mut sampled = |now, trips| state.sampled(Duration::from_millis(now), trips, false, 2);
        assert!(sampled(2, 10) && !sampled(4, 10) && sampled(6, 9));
        assert!(state.sampled(Duration::from_millis(8), 9, true, 2));
    }
}
