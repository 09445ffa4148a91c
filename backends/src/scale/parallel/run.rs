//! One run of a loop on all cores.

use std::ptr;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};

use scaly_interp::interpreter::State;
use scaly_interp::tier::{self, Goes, Position};
use scaly_runtime::pool::Status;

use super::gathered::NoRoom;
use super::own::{Annexed, HELPER_STACK, RESERVE, Regions, Stack};
use super::reductions::Partial;
use super::{Begin, HEADER, Helpers, Parallel, Until};
use crate::interrupt::Cutoff;
use crate::lower::Leave;
use crate::native::{Computed, Native, Part, Wanted};

/// A chunk's private frames that an error ended, and how.
pub struct Ended {
    lo: u64,
    stack: Stack,
    annexed: Option<Annexed>,
    /// Slots from the loop's frame to the one in which the interpreter goes on.
    at: usize,
    leave: Leave,
}

/// What a counter is so many iterations later; one of a narrow type has been checked not to wrap.
fn after(now: u64, by: i64, iterations: u64) -> u64 {
    now.wrapping_add((by as u64).wrapping_mul(iterations))
}

/// One run of a loop.
pub struct Run<'a> {
    pub parallel: &'a Parallel,
    pub native: &'a Native,
    /// As at the loop's header, with its header before it.
    pub frame: Vec<u64>,
    /// Of the reductions.
    pub initial: Vec<u64>,
    /// Of the lowest chunk that an error ended.
    pub ended: Mutex<Option<Ended>>,
    /// The frame that the last iteration left.
    pub last: Mutex<Option<Vec<u64>>>,
    pub begin: Begin,
    /// Slots that frames may take from the loop's on: as many as on the program's own stack.
    pub slots: usize,
    pub caller: Caller,
    /// From where on no iteration is wanted.
    pub cutoff: Cutoff,
    pub regions: Regions,
    /// Helpers that run no chunk; none where code does not allocate.
    pub annexed: Option<Mutex<Vec<Annexed>>>,
    /// Where helpers are kept from run to run.
    pub helpers: &'a Helpers,
}

/// The thread that runs the program.
pub struct Caller {
    thread: ThreadId,
    native_limit: usize,
}

impl Caller {
    pub fn of(state: &State) -> Caller {
        Caller { thread: thread::current().id(), native_limit: state.native_limit() }
    }
}

impl Run<'_> {
    /// Has a worker run some iterations, and adds to a partial result.
    pub fn chunk(&self, worker: usize, lo: u64, hi: u64, partial: &mut Partial) -> Status {
        let parallel = self.parallel;
        let stack = self.parallel.stacks.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(mut stack) = stack else { unreachable!("there is a stack for each worker") };
        let mut annexed = self.annexed.as_ref().map(|all| {
            let one = all.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(one) = one else { unreachable!("there is a helper for each worker") };
            one
        });
        let start = stack.start();
        // SAFETY: the stack has room for the loop's frame and its header.
        let frame = unsafe {
            ptr::copy_nonoverlapping(self.frame.as_ptr(), start, self.frame.len());
            start.add(HEADER)
        };
        // SAFETY: all slots that are named are in the loop's frame, which nobody else knows.
        let read = |slot: u16| unsafe { frame.add(usize::from(slot)).read() };
        // SAFETY: as above.
        let write = |slot: u16, word: u64| unsafe { frame.add(usize::from(slot)).write(word) };
        for (counter, by) in parallel.counters.iter().zip(&self.begin.by) {
            write(counter.slot, after(read(counter.slot), *by, lo));
        }
        let limit = match &parallel.until {
            Until::Trips(trips) => {
                write(*trips, hi - lo - 1);
                None
            }
            Until::Limit(_) if hi == self.begin.trips => None,
            Until::Limit(condition) => {
                let (counter, by) = (&parallel.counters[0], self.begin.by[0]);
                // The chunk's own frame stands `lo` iterations further already.
                let end = after(read(counter.slot), by, hi - lo) as i64;
                let inclusive = i64::from(!condition.strict) * if condition.down { 1 } else { -1 };
                Some(end.wrapping_add(inclusive).wrapping_add(condition.shift))
            }
        };
        for (at, word) in parallel.reductions.slots().zip(parallel.reductions.identities(partial.words())) {
            write(at, word);
        }
        parallel.arrays.slots(&partial.appended).for_each(|(slot, word)| write(slot, word));
        if let Some(annexed) = &annexed {
            self.regions.handles(annexed).for_each(|(slot, handle)| write(slot, handle));
        }
        // SAFETY: iterations are independent: nobody stores what this chunk loads, or uses what it stores. The limits are
        // those of this stack and of this thread.
        let computed = unsafe {
            let helper = annexed.as_mut().map(|annexed| &mut annexed.helper);
            let wanted = Some(Wanted { cutoff: &self.cutoff, worker, at: lo });
            let part = Part { limit, helper, wanted, terms: partial.terms() };
            self.native.compute(frame.add(self.slots), self.native_limit(), frame, part)
        };
        if computed == Some(Computed::Unwanted) {
            // Regions that it was in are left at the join; each step of code leaves those that there are whole.
            self.put_back(stack, annexed);
            return Status::Done;
        }
        let Some(Computed::Left { leave, frame: at }) = computed else { unreachable!("there was room for the frame") };
        let done = at == frame && matches!(leave, Leave::Goes { pc, .. } if pc == parallel.end);
        if !done {
            let at = (at as usize - frame as usize) / 8;
            let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            let own = Ended { lo, stack, annexed, at, leave };
            let other = if ended.as_ref().is_none_or(|other| lo < other.lo) { ended.replace(own) } else { Some(own) };
            drop(ended);
            if let Some(Ended { stack, annexed, .. }) = other {
                self.put_back(stack, annexed);
            }
            self.cutoff.end_above(lo);
            return Status::Stopped(lo);
        }
        parallel.reductions.combine(partial, read, &self.initial);
        parallel.arrays.take(read, &mut partial.appended);
        if hi == self.begin.trips {
            // SAFETY: the loop's frame is on the stack.
            let frame = unsafe { std::slice::from_raw_parts(start, self.frame.len()) }.to_vec();
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(frame);
        }
        self.put_back(stack, annexed);
        Status::Done
    }

    fn put_back(&self, stack: Stack, annexed: Option<Annexed>) {
        self.parallel.stacks.lock().unwrap_or_else(PoisonError::into_inner).push(stack);
        if let (Some(all), Some(annexed)) = (&self.annexed, annexed) {
            all.lock().unwrap_or_else(PoisonError::into_inner).push(annexed);
        }
    }

    /// What helpers have made becomes the program's.
    fn join(&mut self) {
        let Some(all) = self.annexed.take() else { return };
        for Annexed { mut helper, .. } in all.into_inner().unwrap_or_else(PoisonError::into_inner) {
            // SAFETY: no chunk runs any more; what is in regions of the helper alone belongs to iterations that have ended.
            unsafe { helper.join() };
            self.helpers.put(helper);
        }
    }

    fn native_limit(&self) -> usize {
        if thread::current().id() == self.caller.thread {
            return self.caller.native_limit;
        }
        let here = 0u8;
        // Little of a helper's stack is in use where it runs chunks.
        (&raw const here as usize) - (HELPER_STACK - RESERVE)
    }

    /// All iterations are done: what the loop leaves in its frame, and where the interpreter goes on.
    pub fn finish(mut self, at: Position, all: &Partial) -> Goes {
        self.join();
        let last = self.last.into_inner().unwrap_or_else(PoisonError::into_inner).unwrap_or_default();
        let parallel = self.parallel;
        let reduced = parallel.reductions.finish(all, &self.initial);
        let write = |slot: u16, word: u64| {
            // SAFETY: the frame is one of the loop's function, and this one of its slots.
            unsafe { at.base().add(usize::from(slot)).write(word) }
        };
        for &slot in &parallel.left {
            write(slot, last[HEADER + usize::from(slot)]);
        }
        for (slot, &word) in parallel.reductions.slots().zip(&reduced) {
            write(slot, word);
        }
        parallel.arrays.slots(&all.appended).for_each(|(slot, word)| write(slot, word));
        Goes::On(at.at(parallel.end, 0))
    }

    /// There is no memory for what was gathered.
    pub fn fail(mut self, state: &mut State, at: Position, NoRoom { at: pc, error }: NoRoom) -> Goes {
        self.join();
        tier::out_of_memory(state, at.at(pc, 0), error)
    }

    /// An error ended the loop: the frame of the lowest chunk that had one is the program's.
    pub fn resume(mut self, state: &mut State, at: Position) -> Goes {
        self.join();
        let ended = self.ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        let Some(Ended { mut stack, annexed, at: inner, leave, .. }) = ended else {
            unreachable!("a run that did not end has a chunk that says why")
        };
        if let Some(Annexed { helper, .. }) = annexed {
            // SAFETY: no chunk runs any more. The frames hold handles of the helper's regions, which end with the program.
            unsafe { helper.become_of(state) };
        }
        let private = stack.start().wrapping_add(HEADER);
        // The headers of the frames above the loop's hold addresses of their callers.
        let mut frame = inner;
        while frame > 0 {
            // SAFETY: each frame has its header before it, all in the stack that the chunk ran on.
            let caller = unsafe {
                let place = private.add(frame - HEADER);
                let caller = (*place as usize - private as usize) / 8;
                *place = at.base() as u64 + 8 * caller as u64;
                caller
            };
            frame = caller;
        }
        let slots = (inner + INNERMOST).min(self.slots);
        // SAFETY: the program's stack has as many slots from the loop's frame on as the chunk's had.
        unsafe { ptr::copy_nonoverlapping(private, at.base(), slots) };
        match leave {
            Leave::Goes { pc, .. } => Goes::On(at.at(pc, inner as u32)),
            // The interpreter must not go on behind the call: other iterations have been made already.
            Leave::NoRoomToCall { pc, .. } => {
                state.exhaust_stack(at.at(pc, inner as u32));
                Goes::On(at.at(pc, inner as u32))
            }
            Leave::Routine { pc, .. } => tier::stopped_in_routine(state, at.at(pc, inner as u32)),
            _ => unreachable!("a chunk leaves by an error or at its end"),
        }
    }
}

/// Most slots of a frame.
const INNERMOST: usize = u16::MAX as usize + 1;
