//! Which of the loops that the program is in is compiled, and when.

use scaly_interp::interpreter::State;
use scaly_interp::program::{FunctionId, LoopId};
use scaly_tracer::backend::Backend;
use scaly_tracer::parameters::Parameters;
use scaly_tracer::recorder::Place;

use super::Scaling;
use super::chain::Running;
use super::stages::{LoopState, Stage};

/// Part of a loop's time that is worth leaving it in traces, so that it goes on all cores.
const WORTH: u32 = 4;

/// Periods until the next sample where there is nothing to decide, when so many have passed.
fn rare(passed: u32, parameters: &Parameters) -> u32 {
    (passed / parameters.quiet).clamp(1, parameters.rarest)
}

/// Nanoseconds of a run of a loop, if each trip of the loop that it was seen in has one run of it; none if that one does not
/// count its trips. `depth`: of loops that are looked at.
fn run_time(loops: &[LoopState], id: LoopId, depth: u32) -> Option<f64> {
    let slot = &loops[id.0 as usize];
    let around = slot.around.filter(|_| depth > 0)?;
    let outer = &loops[around.0 as usize];
    let trip = match outer.trip() {
        Some(trip) => trip.as_nanos() as f64,
        // All its runs were shorter than the time from one sample to the next.
        None if outer.trips > 0 => run_time(loops, around, depth - 1)? / outer.trips as f64,
        None => return None,
    };
    Some(trip * f64::from(slot.samples) / f64::from(outer.samples.max(1)))
}

impl<B: Backend + 'static> Scaling<B> {
    /// Makes samples as rare as is fit after one that did, or did not, find something to decide. In so many microseconds
    /// there may be something again.
    pub(super) fn pace(&self, news: bool, again: u64) {
        let again = u32::try_from(again / u64::from(self.parameters.sample.max(1)) + 1).unwrap_or(u32::MAX);
        let rare = if news { 1 } else { rare(self.periods.get(), &self.parameters).min(again) };
        if self.rare.replace(rare) != rare {
            self.traces.set_period(self.period() * rare);
        }
    }

    /// Chooses what to compile of the loops that the program is in, the innermost first; whether there is anything that
    /// repays, or after how many microseconds there may be. `recursive`: the function that the program is in several times.
    pub(super) fn choose(&self, state: &State, chain: &[Running], recursive: Option<FunctionId>) -> (bool, u64) {
        const NEVER: u64 = u64::MAX;
        let now = self.samples.get();
        let Parameters { sampled, turning, long_inside, .. } = self.parameters;
        let turning = |slot: &LoopState| slot.samples >= sampled && slot.passed.saturating_add(turning) >= now;
        let (mut unknown, mut candidates) = (Vec::new(), Vec::new());
        // In a long trip, behind which they go on all cores: meanwhile what is inside of them is compiled.
        let mut later = Vec::new();
        // Where the loops around it stay in traces, it is entered from the interpreter each time: only a long one pays.
        let mut alone = false;
        // Something inside of it is compiled, for one core.
        let mut inside = false;
        {
            let loops = self.loops.borrow();
            for &Running { id, .. } in chain.iter().rev() {
                let slot = &loops[id.0 as usize];
                let function = self.program.loops[id.0 as usize].function;
                let better = || self.may_begin_again(function, recursive == Some(function));
                match slot.stage {
                    Stage::Counting | Stage::Walked(_) if slot.recurs && better() => {}
                    Stage::Ready(_) if slot.left => {}
                    // It is on its way, and what it contains with it; what is around may go on all cores yet.
                    Stage::Building(_) | Stage::Ready(_) | Stage::Analyzing => {
                        if slot.scales() || unknown.is_empty() && candidates.is_empty() && later.is_empty() {
                            return (true, NEVER);
                        }
                        inside = true;
                        break;
                    }
                    Stage::Refused => alone |= turning(slot),
                    Stage::Walked(_) if slot.scales() && slot.samples >= sampled && !turning(slot) => later.push(id),
                    _ if alone && slot.trips < u64::from(long_inside) => {}
                    _ if !turning(slot) || slot.inside.is_some_and(|id| loops[id.0 as usize].scales()) => {}
                    Stage::Counting => unknown.push(id),
                    Stage::Walked(_) => candidates.push(id),
                }
            }
        }
        if inside && unknown.is_empty() && candidates.is_empty() {
            candidates = later;
        }
        self.look_inside(&mut unknown, &mut candidates);
        if let Some(most) = unknown.iter().map(|&id| self.remaining(chain, id)).max() {
            // If the outermost does not pay, none does; a recursive function around them may.
            let least = self.least(0, false);
            if most >= least {
                self.analyze(state, unknown.into_iter().map(Place::Loop).collect(), most);
                return (true, NEVER);
            }
            return (inside, least - most);
        }
        let scales = |id: &&LoopId| {
            let loops = self.loops.borrow();
            loops[id.0 as usize].scales() && self.has_long_runs(&loops, **id)
        };
        let first = candidates.first().filter(|_| !inside);
        let Some(&id) = candidates.iter().find(scales).or(first) else {
            return (inside, NEVER);
        };
        let parallel = scales(&&id);
        let remaining = self.remaining(chain, id);
        let mut missing = 0;
        self.build_if(Place::Loop(id), |lines| {
            missing = self.least(lines, parallel).saturating_sub(remaining);
            missing == 0
        });
        let mut loops = self.loops.borrow_mut();
        if parallel {
            let around = chain.iter().map(|running| running.id).skip_while(|&inner| inner != id).skip(1);
            around.for_each(|outer| loops[outer.0 as usize].inside = Some(id));
        }
        // Else the whole function may repay: each of its activations has but a part of the loop's trips.
        (!matches!(loops[id.0 as usize].stage, Stage::Walked(_)), if missing > 0 { missing } else { NEVER })
    }

    /// Leaves loops to independent ones inside that take much of their time, in functions that they call too: code for one
    /// core of all would take these away. Of some nothing is known yet.
    fn look_inside(&self, unknown: &mut Vec<LoopId>, candidates: &mut Vec<LoopId>) {
        let mut loops = self.loops.borrow_mut();
        let outer: Vec<LoopId> = unknown.iter().chain(&*candidates).copied().collect();
        for id in outer {
            if loops[id.0 as usize].scales() {
                continue;
            }
            for inner in self.inside(&loops, id) {
                let slot = &loops[inner.0 as usize];
                if slot.scales() {
                    loops[id.0 as usize].inside = Some(inner);
                    candidates.retain(|&other| other != id);
                } else if matches!(slot.stage, Stage::Counting) && !unknown.contains(&inner) {
                    unknown.push(inner);
                }
            }
        }
    }

    /// Loops that were seen inside of one, in a part of its samples that is worth while, and whose runs are long.
    fn inside(&self, loops: &[LoopState], outer: LoopId) -> Vec<LoopId> {
        let around = |id: &LoopId| loops[id.0 as usize].around;
        let lies = |id: LoopId| {
            std::iter::successors(around(&id), around).take(self.parameters.sample_depth as usize).any(|id| id == outer)
        };
        let worth = |id: &LoopId| loops[id.0 as usize].samples.saturating_mul(WORTH) >= loops[outer.0 as usize].samples;
        let found = (0..loops.len() as u32).map(LoopId).filter(worth);
        found.filter(|&id| id != outer && lies(id) && self.has_long_runs(loops, id)).collect()
    }

    /// Whether loops that go on all cores take much of a loop's time.
    pub(super) fn is_left_to_inside(&self, id: LoopId) -> bool {
        let loops = self.loops.borrow();
        self.inside(&loops, id).iter().any(|inner| loops[inner.0 as usize].scales())
    }

    /// Whether a run of a loop is long enough to be divided, as far as that is known.
    fn has_long_runs(&self, loops: &[LoopState], id: LoopId) -> bool {
        let time = run_time(loops, id, self.parameters.sample_depth);
        time.is_none_or(|time| time >= f64::from(self.parameters.divided))
    }

    /// Compiles what has been walked, if that pays for so many lines.
    pub(super) fn build_if(&self, of: Place, pays: impl FnOnce(usize) -> bool) {
        let stage = match self.take_stage(of) {
            Stage::Walked(prepared) if pays(prepared.lowered.lines) => self.build(of, *prepared),
            stage => stage,
        };
        self.set_stage(of, stage);
    }

    /// What has LLVM loaded while the paths of what takes so many microseconds yet are followed, if it does not matter much
    /// should that come to nothing.
    pub(super) fn load_early(&self, remaining: u64) -> Option<Box<dyn FnOnce() + Send>> {
        let Parameters { load_early, llvm_loading, .. } = self.parameters;
        let pays = remaining >= u64::from(load_early) * u64::from(llvm_loading);
        let compiler = if pays { self.compiler() } else { None };
        compiler.map(|compiler| Box::new(compiler.loader()) as Box<_>)
    }

    /// Microseconds in which compiling so many lines of a module repays. What can be run on all cores must take longer: what it
    /// has left is known worse than it gains.
    pub(super) fn least(&self, lines: usize, parallel: bool) -> u64 {
        let Parameters { repay, repay_parallel, llvm_loading, llvm_region, llvm_line, .. } = self.parameters;
        let loading = if self.compiler.get().is_some() { 0 } else { u64::from(llvm_loading) };
        let cost = loading + u64::from(llvm_region) + u64::from(llvm_line) * lines as u64;
        cost.saturating_mul(if parallel { repay_parallel } else { repay }.into())
    }

    /// Microseconds that a loop will take yet: by the trips that it and the loops around it have left, or as long as it has
    /// taken so far where one of these does not count them.
    pub(super) fn remaining(&self, chain: &[Running], id: LoopId) -> u64 {
        let Parameters { few_samples, foresight, sample, .. } = self.parameters;
        let loops = self.loops.borrow();
        let slot = |running: &Running| &loops[running.id.0 as usize];
        let so_far = loops[id.0 as usize].periods.saturating_mul(u64::from(sample));
        let known = chain.iter().skip_while(|running| running.id != id).all(|running| slot(running).run.is_some());
        // What is around takes no less than what is inside.
        let left = |inside: u64, slot: &LoopState| inside.max(slot.remaining(inside, few_samples, foresight));
        let by_trips = chain.iter().map(slot).fold(0, left);
        by_trips.max(if known { 0 } else { so_far })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn runs_take_their_part_of_the_trips_around() {
        let mut loops: Vec<LoopState> = (0..3).map(|_| LoopState::new()).collect();
        assert_eq!(run_time(&loops, LoopId(2), 16), None, "it is in none");
        // 10 trips of the outermost in 10 ms; the one inside makes 1000 trips in each of them, of which half is in the third.
        for (ms, trips) in [(0, 100), (10, 90)] {
            loops[0].sampled(Duration::from_millis(ms), trips, false, 2);
        }
        (loops[1].around, loops[2].around) = (Some(LoopId(0)), Some(LoopId(1)));
        loops.iter_mut().zip([4, 4, 2]).for_each(|(slot, samples)| slot.samples = samples);
        assert_eq!(run_time(&loops, LoopId(2), 16), None, "the one around counts no trips");
        loops[1].trips = 1000;
        assert_eq!(run_time(&loops, LoopId(1), 16), Some(1e6));
        assert_eq!(run_time(&loops, LoopId(2), 16), Some(500.0));
    }

    #[test]
    fn samples_that_decide_nothing_are_few() {
        let parameters = Parameters { quiet: 2, rarest: 32, ..Parameters::default() };
        let times: Vec<u32> = std::iter::successors(Some(1), |&now| Some(now + rare(now, &parameters)))
            .take_while(|&t| t <= 600)
            .collect();
        assert!(times.iter().filter(|&&t| t <= 25).count() <= 9, "{times:?}");
        // None comes later than half of the time before it, nor than the rarest.
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= (pair[0] / 2).clamp(1, 32)), "{times:?}");
    }
}
