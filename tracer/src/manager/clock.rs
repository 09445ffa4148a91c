//! Where a run's time goes, for statistics.
//!
//! One tier runs at a time on a worker, so one moment, when it last changed, is enough.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::now::Now;

/// Who runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Running {
    Interpreter,
    Native,
    /// The program, under a recording.
    Recording,
    /// Optimizing and assembling.
    Compiler,
    /// Loops compiled whole.
    Region,
}

/// Seconds by who ran.
#[derive(Clone, Copy, PartialEq, Debug, Default, serde::Serialize)]
pub struct Spent {
    pub interpreter_s: f64,
    pub native_s: f64,
    pub recording_s: f64,
    pub compiler_s: f64,
    pub region_s: f64,
}

/// Counts only if it was started: reading the time costs as much as a short run of native code.
#[derive(Debug)]
pub struct Clock {
    now: Cell<Option<(Running, Instant)>>,
    spent: Cell<[Duration; 5]>,
    /// Who follows it.
    shown: Option<Arc<Now>>,
}

impl Clock {
    pub fn new(shown: Option<Arc<Now>>) -> Clock {
        Clock { now: Cell::new(None), spent: Cell::default(), shown }
    }

    /// Whether somebody follows it, so that it should be started.
    pub fn followed(&self) -> bool {
        self.shown.is_some()
    }

    /// From now on the interpreter runs.
    pub fn start(&self) {
        self.now.set(Some((Running::Interpreter, Instant::now())));
    }

    /// From now on another runs. Returns who ran until now, to be restored.
    #[inline]
    pub fn switch(&self, to: Running) -> Running {
        match self.now.get() {
            Some((from, since)) => self.count(from, since, to),
            None => to,
        }
    }

    #[cold]
    fn count(&self, from: Running, since: Instant, to: Running) -> Running {
        let now = Instant::now();
        let mut spent = self.spent.get();
        spent[from as usize] += now - since;
        self.spent.set(spent);
        self.now.set(Some((to, now)));
        if let Some(shown) = &self.shown {
            shown.runs(to);
        }
        from
    }

    /// None if it was not started.
    pub fn spent(&self) -> Option<Spent> {
        let (running, _) = self.now.get()?;
        self.switch(running);
        let [interpreter_s, native_s, recording_s, compiler_s, region_s] =
            self.spent.get().map(|spent| spent.as_secs_f64());
        Some(Spent { interpreter_s, native_s, recording_s, compiler_s, region_s })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_to_who_runs() {
        let clock = Clock::new(None);
        assert_eq!((clock.switch(Running::Native), clock.spent()), (Running::Native, None));
        clock.start();
        assert_eq!(clock.switch(Running::Native), Running::Interpreter);
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(clock.switch(Running::Interpreter), Running::Native);
        let spent = clock.spent().unwrap();
        assert!(spent.native_s >= 0.02 && spent.recording_s == 0.0, "{spent:?}");
    }
}
