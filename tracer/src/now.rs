//! What a program is doing at this moment, for another thread that shows it.
//!
//! Single words, each stored by the program and read by whoever likes; they say nothing of one another's moment.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use scaly_interp::program::LoopId;

use crate::manager::Running;

#[derive(Debug)]
pub struct Now {
    running: AtomicU8,
    /// The loop that was compiled whole and entered last: its number, and above it the threads that it asked for.
    whole: AtomicU64,
    /// The innermost loop at the last sample.
    sampled: AtomicU32,
}

/// Who runs, and which loop as far as that is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doing {
    Interpreting,
    /// Native traces.
    Native(Option<LoopId>),
    /// A loop that was compiled whole.
    Whole(LoopId),
    /// The same on several cores: so many threads.
    Parallel(LoopId, u32),
}

const NONE: u32 = u32::MAX;

impl Default for Now {
    fn default() -> Now {
        Now {
            running: AtomicU8::new(Running::Interpreter as u8),
            whole: AtomicU64::new(u64::from(NONE)),
            sampled: AtomicU32::new(NONE),
        }
    }
}

impl Now {
    pub fn runs(&self, running: Running) {
        self.running.store(running as u8, Ordering::Relaxed);
    }

    /// A loop compiled whole goes on by so many threads.
    pub fn enters(&self, id: LoopId, threads: usize) {
        self.whole.store((threads as u64) << 32 | u64::from(id.0), Ordering::Relaxed);
    }

    /// The program was found in this loop.
    pub fn sampled(&self, id: LoopId) {
        self.sampled.store(id.0, Ordering::Relaxed);
    }

    pub fn doing(&self) -> Doing {
        let running = self.running.load(Ordering::Relaxed);
        if running == Running::Native as u8 {
            let id = self.sampled.load(Ordering::Relaxed);
            return Doing::Native((id != NONE).then_some(LoopId(id)));
        }
        let whole = self.whole.load(Ordering::Relaxed);
        let (id, threads) = (whole as u32, (whole >> 32) as u32);
        match threads {
            _ if running != Running::Region as u8 || id == NONE => Doing::Interpreting,
            0 | 1 => Doing::Whole(LoopId(id)),
            threads => Doing::Parallel(LoopId(id), threads),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_last_counts() {
        let now = Now::default();
        assert_eq!(now.doing(), Doing::Interpreting);
        now.runs(Running::Native);
        assert_eq!(now.doing(), Doing::Native(None));
        now.sampled(LoopId(3));
        assert_eq!(now.doing(), Doing::Native(Some(LoopId(3))));
        now.enters(LoopId(5), 1);
        now.runs(Running::Region);
        assert_eq!(now.doing(), Doing::Whole(LoopId(5)));
        now.enters(LoopId(5), 64);
        assert_eq!(now.doing(), Doing::Parallel(LoopId(5), 64));
        now.runs(Running::Recording);
        assert_eq!(now.doing(), Doing::Interpreting);
    }
}
