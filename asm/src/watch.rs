//! Tells observers of each trace: its name, and the source lines that its instructions come from; and of what was compiled
//! whole, with its first line.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use scaly_interp::program::{Pc, Program};
use scaly_interp::source::SourceMap;
use scaly_tracer::trace::{Root, Trace, TraceId};

use crate::observers::{Code, Error, Line, Observers};

/// The observers of a process, and what they are told in the words of.
#[derive(Debug)]
pub struct Watch {
    observers: RefCell<Observers>,
    /// Where code lies that is no trace's.
    whole: RefCell<Vec<Range<*const u8>>>,
    program: Arc<Program>,
    sources: Arc<SourceMap>,
    /// Called once for each observer that is lost.
    lost: fn(&Error),
}

impl Watch {
    pub fn new(observers: Observers, program: Arc<Program>, sources: Arc<SourceMap>, lost: fn(&Error)) -> Watch {
        Watch { observers: RefCell::new(observers), whole: RefCell::default(), program, sources, lost }
    }

    /// `marks`: from which offset on the code is that of which instruction of the trace, ascending.
    pub(crate) fn add(&self, id: TraceId, trace: &Trace, address: usize, bytes: &[u8], marks: &[(u32, u32)]) {
        let lines: Vec<Line<'_>> = marks
            .iter()
            .map(|&(offset, index)| {
                let place = self.sources.place(self.program.span(trace.insts[index as usize].pc));
                Line { offset: offset as usize, file: place.file, line: place.line }
            })
            .collect();
        let kind = match trace.root {
            Root::Loop(_) => "loop",
            Root::Function(_) => "function",
            Root::Side(_) => "side",
        };
        let name = match lines.first() {
            Some(first) => format!("scaly {id} {kind} {}:{}", first.file, first.line),
            None => format!("scaly {id} {kind}"),
        };
        let code = Code { address: address as u64, bytes, name: &name, lines: &lines };
        self.observers.borrow_mut().add(&code).iter().for_each(self.lost);
    }

    /// Tells of code that was compiled elsewhere, as one piece: the loop or function at this instruction, and what it calls.
    /// What was there before it is no more.
    pub fn whole(&self, kind: &str, pc: Pc, code: &[u8]) {
        let addresses = code.as_ptr_range();
        self.whole.borrow_mut().retain(|there| {
            let stays = there.end <= addresses.start || addresses.end <= there.start;
            if !stays {
                self.remove(there.start as usize);
            }
            stays
        });
        let place = self.sources.place(self.program.span(pc));
        let lines = [Line { offset: 0, file: place.file, line: place.line }];
        let name = format!("scaly whole {kind} {}:{}", place.file, place.line);
        let told = Code { address: addresses.start as u64, bytes: code, name: &name, lines: &lines };
        self.observers.borrow_mut().add(&told).iter().for_each(self.lost);
        self.whole.borrow_mut().push(addresses);
    }

    pub(crate) fn remove(&self, address: usize) {
        self.observers.borrow_mut().remove(address as u64);
    }
}
