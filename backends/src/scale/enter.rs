//! The way into a loop that was compiled, on one core or on all.

use std::time::Instant;

use scaly_interp::interpreter::State;
use scaly_interp::program::LoopId;
use scaly_interp::tier::{Goes, Position};
use scaly_tracer::backend::Backend;
use scaly_tracer::log::{Event, Variant};
use scaly_tracer::parameters::Parameters;
use scaly_tracer::recorder::Place;

use super::analysis::Why;
use super::parallel::{Alone, Cores, Parallel, Turn};
use super::stages::Stage;
use super::{Choice, Scaling, start};
use crate::native::Left;

impl<B: Backend + 'static> Scaling<B> {
    /// Enters what was compiled, if it was; the frame stands at the loop's header.
    pub(super) fn enter(&self, state: &mut State, id: LoopId, at: Position) -> Option<Goes> {
        let (native, parallel, end, first) = {
            let mut loops = self.loops.borrow_mut();
            let slot = &mut loops[id.0 as usize];
            let Stage::Ready(native) = &slot.stage else { return None };
            if let (Some(parallel), Some(trip)) = (&slot.parallel, slot.long_trip()) {
                parallel.expect(trip);
            }
            (native.clone(), slot.parallel.clone(), slot.end, !std::mem::replace(&mut slot.switched, true))
        };
        state.set_loop_counter(id, 1);
        let (began_at, trips) = (Instant::now(), native.trips(at));
        let forced = self.options.choice == Choice::Forced;
        let of = Place::Loop(id);
        let tell = |turn: Turn| match turn {
            Turn::Parallel { first } => {
                if first {
                    self.log.event(|| Event::Switched { start: start(of), kind: Variant::Parallel });
                }
                if let (Some(now), Some(pool)) = (self.log.now(), &self.options.pool) {
                    now.enters(id, pool().width());
                }
            }
            Turn::Back => {
                let text = "several cores took longer than one; it goes on on one for a while";
                self.refuse(of, Variant::Parallel, &Why::new(text, self.header(id)));
            }
        };
        if let Some(now) = self.log.now() {
            now.enters(id, 1);
        }
        if let Some(parallel) = parallel.as_ref().filter(|_| !self.options.limited) {
            parallel.make_room(at);
        }
        let divided = match (&parallel, &self.options.pool) {
            (Some(parallel), Some(pool)) => {
                let cores = Cores { pool: pool(), helpers: &self.helpers, limited: self.options.limited };
                self.tracing().apart(|| parallel.run(&native, state, at, cores, forced, tell))
            }
            _ => Err(Alone::Short),
        };
        let (whole, failed) = (divided.is_ok(), matches!(divided, Err(Alone::Check(_))));
        if whole {
            self.tell_refused_threads(of);
        }
        if let (Some(parallel), Err(alone)) = (&parallel, &divided) {
            self.stays_alone(id, parallel, alone);
        }
        let left = failed && !forced && self.is_left_to_inside(id);
        let entered = match divided {
            Ok(goes) => Some(goes),
            Err(_) if left => None,
            Err(_) => {
                if first && native.has_room(state, at) {
                    self.log.event(|| Event::Switched { start: start(of), kind: Variant::Sequential });
                }
                match self.tracing().apart(|| native.enter(state, at)) {
                    Left::NoRoom => None,
                    Left::By(_, goes) => Some(goes),
                }
            }
        };
        let mut loops = self.loops.borrow_mut();
        let slot = &mut loops[id.0 as usize];
        slot.left = left;
        let runs = &mut slot.runs;
        runs.entries += u64::from(entered.is_some());
        runs.parallel += u64::from(whole);
        runs.failed_checks += u64::from(failed);
        runs.left += u64::from(left);
        let took = began_at.elapsed();
        runs.nanoseconds += took.as_nanos() as u64;
        self.apart.set(self.apart.get() + took);
        // Left in the middle, it has what is left in its frame.
        let done = matches!(entered, Some(Goes::On(to)) if to.base() == at.base() && Some(to.pc()) == end);
        runs.iterations += if done { trips } else { trips.saturating_sub(native.trips(at)) };
        let Parameters { entries: tried, short_run: least, .. } = self.parameters;
        let short = slot.runs_are_short(tried.into(), least.into()) && !forced;
        if short {
            // Traces enter one another without leaving native code.
            slot.stage = Stage::Refused;
            drop(loops);
            let why = Why::new("its runs are too short for the way into it and out; back to traces", self.header(id));
            self.refuse(of, Variant::Sequential, &why);
        }
        entered
    }

    /// Says once that there are fewer threads than were asked for.
    pub(super) fn tell_refused_threads(&self, of: Place) {
        if let Some(refused) = self.options.pool.as_ref().and_then(|pool| pool().take_refused()) {
            let text = format!("the system gives {refused}");
            self.refuse(of, Variant::Parallel, &Why::new(text, self.first(of)));
        }
    }

    /// Says once why an independent loop runs on one core; that it is short only when it stays so.
    pub(super) fn stays_alone(&self, id: LoopId, parallel: &Parallel, alone: &Alone<'_>) {
        let lasting = self.options.choice == Choice::Forced || parallel.too_short();
        if matches!(alone, Alone::Slower)
            || matches!(alone, Alone::Short) && !lasting
            || self.loops.borrow()[id.0 as usize].told
        {
            return;
        }
        self.loops.borrow_mut()[id.0 as usize].told = true;
        let text = match alone {
            Alone::Slower | Alone::Short => "its runs are too short for several cores".into(),
            Alone::Check(check) => format!("what is checked when it starts does not hold: {check}"),
            Alone::Other(text) => (*text).into(),
        };
        self.refuse(Place::Loop(id), Variant::Parallel, &Why::new(text, self.header(id)));
    }
}
