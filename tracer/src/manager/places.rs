//! Loops and functions: how hot each must be, and its tree.

use scaly_interp::program::{FunctionId, LoopId, Program};

use crate::parameters::Parameters;
use crate::recorder::Place;
use crate::trace::TraceId;

/// A loop that is hot in its last iteration is asked again within so many passes, and as often as its threshold holds them.
const FEW: u32 = 8;

/// What is known of a loop or function.
#[derive(Clone, Copy, Debug)]
pub struct PlaceData {
    /// Its root trace.
    pub tree: Option<TraceId>,
    /// What its counter begins with.
    pub threshold: u32,
    /// Recordings that came to nothing.
    pub aborts: u32,
    /// Checks of indices may be moved before the loop: they have not failed there.
    pub hoist: bool,
    /// Times that it was hot in its last iteration and not recorded for that.
    pub late: u32,
    /// Its tree was dropped: it counts anew before it is recorded again.
    pub dropped: bool,
    /// Times it was recorded anew because most iterations went another way.
    pub anew: u32,
    /// Back edges of the loop that were recorded: for statistics.
    pub recorded: u64,
    /// It is among those that wait.
    pub waits: bool,
}

#[derive(Debug)]
pub struct Places {
    loops: Vec<PlaceData>,
    functions: Vec<PlaceData>,
    /// A recording is under way.
    pub recording: bool,
    /// Those that were hot when nothing might be recorded, not long ago.
    waiting: Vec<Place>,
    /// For thresholds that don't meet the same iteration of a pattern again and again.
    random: u64,
}

impl Places {
    pub fn new(program: &Program, parameters: &Parameters) -> Places {
        let data = |threshold| PlaceData {
            tree: None,
            threshold,
            aborts: 0,
            hoist: parameters.hoist != 0,
            late: 0,
            dropped: false,
            anew: 0,
            recorded: 0,
            waits: false,
        };
        Places {
            loops: vec![data(parameters.hot); program.loops.len()],
            functions: vec![data(parameters.hot_function); program.functions.len()],
            recording: false,
            waiting: Vec::new(),
            random: 0x9e37_79b9_7f4a_7c15,
        }
    }

    #[inline]
    pub fn get(&self, place: Place) -> &PlaceData {
        match place {
            Place::Loop(id) => &self.loops[id.0 as usize],
            Place::Function(id) => &self.functions[id.0 as usize],
        }
    }

    pub fn get_mut(&mut self, place: Place) -> &mut PlaceData {
        match place {
            Place::Loop(id) => &mut self.loops[id.0 as usize],
            Place::Function(id) => &mut self.functions[id.0 as usize],
        }
    }

    /// All that have traces.
    pub fn with_trees(&self) -> impl Iterator<Item = Place> + use<'_> {
        let loops = self.loops.iter().enumerate().map(|(i, data)| (Place::Loop(LoopId(i as u32)), data));
        let functions =
            self.functions.iter().enumerate().map(|(i, data)| (Place::Function(FunctionId(i as u32)), data));
        loops.chain(functions).filter(|(_, data)| data.tree.is_some()).map(|(place, _)| place)
    }

    /// One is hot, and nothing may be recorded.
    pub fn wait(&mut self, place: Place) {
        if !std::mem::replace(&mut self.get_mut(place).waits, true) {
            self.waiting.push(place);
        }
    }

    /// Those that wait; they do not any more.
    pub fn take_waiting(&mut self) -> Vec<Place> {
        let waiting = std::mem::take(&mut self.waiting);
        waiting.iter().for_each(|&place| self.get_mut(place).waits = false);
        waiting
    }

    /// The threshold after one more abort: a multiple, a little randomized; each `attempts` aborts a long rest.
    pub fn later(&mut self, threshold: u32, aborts: u32, parameters: &Parameters) -> u32 {
        let longest = 1 << 30;
        let rest = (aborts + 1).is_multiple_of(parameters.attempts);
        let factor = if rest { parameters.blacklist } else { parameters.hot_backoff };
        let next = threshold.saturating_mul(factor).min(longest);
        next + self.below(next / 8 + 2)
    }

    /// A few more passes, to be asked in another iteration; none where that was tried too often.
    pub fn soon(&mut self, place: Place) -> Option<u32> {
        let data = self.get_mut(place);
        data.late += 1;
        if data.late > data.threshold / FEW {
            data.late = 0;
            return None;
        }
        let limit = data.threshold.min(FEW);
        Some(1 + self.below(limit))
    }

    fn below(&mut self, limit: u32) -> u32 {
        // Marsaglia's xorshift.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % u64::from(limit)) as u32
    }
}
