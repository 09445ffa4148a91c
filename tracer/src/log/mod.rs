//! The trace log: what the trace compiler did, an event a line, in words or as JSON.
//!
//! An event says what happened to which loop, function or exit; the log resolves these to lines of the source. Where
//! nobody asked for a log there is none, and an event costs one test of a pointer: it is made only if it is wanted.
//!
//! A log that cannot be written is no reason for a program to end: that is said once on standard error, and the log falls
//! silent.

mod abort;
mod event;
mod output;
mod report;
mod resolved;
mod statistics;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use scaly_interp::program::Program;
use scaly_interp::source::SourceMap;
use serde::Serialize;

pub use abort::{Abort, Concern};
pub use event::{CodeMemory, Compiled, Dropped, Event, SideEnd, Start, Variant};
pub use output::OpenError;
use output::Output;
pub use report::{Compile, HotLoop, Iterations, Report, Unscaled, WholeFunction};
pub use resolved::{At, From, SCHEMA};
use resolved::{Resolved, Resolver};
pub use statistics::{Made, Place, Region, RegionRuns, Standing, Statistics, TraceKind};

use crate::now::Now;
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

#[derive(Debug, Default)]
struct Inner {
    statistics: Arc<Mutex<Statistics>>,
    writer: Option<Writer>,
    now: Option<Arc<Now>>,
}

/// What another thread may ask of a run while it lasts.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    /// As far as they come from events.
    pub statistics: Arc<Mutex<Statistics>>,
    pub now: Arc<Now>,
}

#[derive(Debug)]
struct Writer {
    request: Request,
    output: Output,
    program: Arc<Program>,
    sources: Arc<SourceMap>,
    opened: Instant,
}

/// A line of the JSON form.
#[derive(Serialize)]
struct Line<T> {
    v: u32,
    #[serde(flatten)]
    event: T,
    /// Since the log was opened.
    at_us: u64,
}

/// The first line of the JSON form.
#[derive(Serialize)]
struct Header<'a> {
    event: &'static str,
    scaly: &'static str,
    program: &'a str,
    /// None where nothing is compiled.
    parameters: Option<BTreeMap<&'static str, u32>>,
}

impl Log {
    /// Nothing is noted.
    pub fn none() -> Log {
        Log(None)
    }

    /// Figures only.
    pub fn statistics_only() -> Log {
        Log(Some(Box::new(Inner::default())))
    }

    /// Creates the file, if there is to be one. Without parameters nothing is compiled.
    pub fn open(
        request: &Request,
        program: Arc<Program>,
        sources: Arc<SourceMap>,
        parameters: Option<&Parameters>,
    ) -> Result<Log, OpenError> {
        let output = Output::open(request.file.as_deref())?;
        let writer = Writer { request: request.clone(), output, program, sources, opened: Instant::now() };
        if request.form == Form::Json {
            writer.header(parameters);
        }
        Ok(Log(Some(Box::new(Inner { writer: Some(writer), ..Inner::default() }))))
    }

    /// The same log, whose figures others may read as they come.
    pub fn followed(self, follower: &Follower) -> Log {
        let inner = self.0.map_or_else(Inner::default, |inner| *inner);
        let Follower { statistics, now } = follower.clone();
        Log(Some(Box::new(Inner { statistics, now: Some(now), ..inner })))
    }

    /// Where it is said what the program is doing, if somebody follows it.
    #[inline]
    pub fn now(&self) -> Option<&Arc<Now>> {
        self.0.as_ref()?.now.as_ref()
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
            let annotated = writer.annotated(text());
            writer.write(&Resolved::Ir { trace: trace.0, text: &annotated });
        }
    }

    /// Writes the machine code of a trace, if that was asked for.
    #[inline]
    pub fn asm(&self, trace: TraceId, text: impl FnOnce() -> String) {
        if let Some(writer) = self.writer().filter(|w| w.request.asm) {
            let annotated = writer.annotated(text());
            writer.write(&Resolved::Asm { trace: trace.0, text: &annotated });
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
        let mut statistics = self.statistics.lock().unwrap_or_else(PoisonError::into_inner);
        let said = statistics.said(event);
        statistics.note(event);
        drop(statistics);
        if let Some(writer) = self.writer.as_ref().filter(|_| !said) {
            writer.write(&writer.resolver().resolve(event));
        }
    }
}

impl Writer {
    fn header(&self, parameters: Option<&Parameters>) {
        let main = self.program.function(self.program.main);
        let program = self.sources.get(main.span.file).map_or("?", |file| file.name.as_str());
        let parameters = parameters.map(|set| set.values().collect());
        self.json(Header { event: "header", scaly: env!("CARGO_PKG_VERSION"), program, parameters });
    }

    fn write(&self, event: &Resolved<'_>) {
        match self.request.form {
            Form::Text => self.output.write(&format!("[trace] {event}\n")),
            Form::Json => self.json(event),
        }
    }

    /// In words with the lines of the source before what comes from them, as JSON as it is.
    fn annotated(&self, text: String) -> String {
        match self.request.form {
            Form::Text => self.resolver().annotate(&text),
            Form::Json => text,
        }
    }

    fn resolver(&self) -> Resolver<'_> {
        Resolver { program: &self.program, sources: &self.sources }
    }

    fn json(&self, event: impl Serialize) {
        let at_us = self.opened.elapsed().as_micros() as u64;
        // Serializing plain data with keys of text does not fail.
        if let Ok(mut line) = serde_json::to_string(&Line { v: SCHEMA, event, at_us }) {
            line.push('\n');
            self.output.write(&line);
        }
    }
}
