//! Recursive functions that a run has compiled whole: whether other threads took calls of them, and if not, why.

use std::fmt;

use scaly_tracer::log::{At, Unscaled, Variant, WholeFunction};
use serde::Serialize;

use super::place;
use super::run::{Because, Tier, refused};
use crate::engine::Compiled;

#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct ExplainedFunction<'a> {
    #[serde(flatten)]
    pub at: At<'a>,
    /// As `scaly dump` numbers it.
    pub id: u32,
    pub source: &'a str,
    pub tier: Tier,
    /// Why it did not get further.
    pub because: Vec<Because<'a>>,
}

impl<'a> ExplainedFunction<'a> {
    /// `threads`: how many were allowed, if that was said.
    pub fn new(each: &WholeFunction<'a>, threads: Option<usize>) -> ExplainedFunction<'a> {
        let parallel = Variant::Parallel.name();
        let tier = if each.region == parallel { Tier::Parallel } else { Tier::Whole };
        let serial = |why: &&Unscaled<'a>| why.what == parallel;
        let mut because: Vec<Because<'a>> =
            each.refused.iter().filter(serial).map(|why| refused(why, Tier::Parallel)).collect();
        if tier == Tier::Whole && because.is_empty() {
            let (reason, help) = match threads {
                Some(1) => ("one thread was asked for", Some("leave --threads out, or raise it".into())),
                _ => ("its calls were too short for several cores", None),
            };
            because.push(Because { not: Tier::Parallel, reason: reason.into(), help, at: None });
        }
        let id = each.place.id.unwrap_or_default();
        ExplainedFunction { at: each.place.at, id, source: each.source, tier, because }
    }

    pub fn write(&self, f: &mut fmt::Formatter<'_>, compiled: &Compiled) -> fmt::Result {
        let program = &compiled.program;
        let file = compiled.sources.file(program.functions[self.id as usize].span.file);
        writeln!(f, "\n{:5} | {}", self.at.line, file.line_text(self.at.line).trim_end())?;
        writeln!(f, "      = {}: a recursive function", self.tier.words())?;
        for Because { reason, help, at, .. } in &self.because {
            let same = |at: &&At<'_>| (at.file, at.line) != (self.at.file, self.at.line);
            let place = at.as_ref().filter(same).map_or(String::new(), |at| place(file, at));
            writeln!(f, "        not on all cores: {place}{reason}")?;
            if let Some(help) = help {
                writeln!(f, "        help: {help}")?;
            }
        }
        Ok(())
    }
}
