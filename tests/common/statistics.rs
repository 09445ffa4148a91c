//! What `--stats=json` says at the end of a run: which tier ran what.

use serde_json::Value;

/// A loop that ran.
#[derive(Debug)]
pub struct Loop {
    /// As the log spells it: `FILE:LINE`, the routine, the line itself.
    pub name: String,
    /// Back edges.
    pub interpreted: u64,
    pub native: u64,
    /// Of the interpreted ones, those that ran under a recording.
    pub recorded: u64,
    /// Entries of its trace.
    pub entries: u64,
    pub standing: String,
    /// Why it has no trace, where one was tried.
    pub reason: Option<String>,
    /// What it ran in when it was compiled whole: `sequential` or `parallel`.
    pub region: Option<String>,
    /// Entries on all cores, and those at which a check did not hold.
    pub parallel_entries: u64,
    pub failed_checks: u64,
    /// What it was refused, `sequential` or `parallel`, and why.
    pub refused: Vec<(String, String)>,
}

#[derive(Debug)]
pub struct Statistics {
    pub loops: Vec<Loop>,
    json: Value,
}

/// The option that asks for them.
pub const OPTION: &str = "--stats=json";

/// Takes the statistics off the end of standard error. There are none if the program did not run.
pub fn take(error: &mut String) -> Option<Statistics> {
    let start = error.rfind("{\"v\":1,\"event\":\"statistics\",")?;
    let json: Value = serde_json::from_str(error[start..].trim_end()).ok()?;
    error.truncate(start);
    let loops = json["hottest"].as_array()?.iter().map(Loop::of).collect();
    Some(Statistics { loops, json })
}

fn refusal(json: &Value) -> (String, String) {
    let text = |key: &str| json[key].as_str().unwrap_or_default().to_string();
    (text("what"), text("reason"))
}

impl Loop {
    fn of(json: &Value) -> Loop {
        let text = |key: &str| json[key].as_str().unwrap_or_default();
        let number = |key: &str| json[key].as_u64().unwrap_or_default();
        Loop {
            name: format!("{}:{} in {} | {}", text("file"), number("line"), text("function"), text("source")),
            interpreted: number("interpreted"),
            native: number("native"),
            recorded: number("recorded"),
            entries: number("entries"),
            standing: text("standing").to_string(),
            reason: json["reason"].as_str().map(str::to_string),
            region: json["region"].as_str().map(str::to_string),
            parallel_entries: number("parallel_entries"),
            failed_checks: number("failed_checks"),
            refused: json["refused"].as_array().into_iter().flatten().map(refusal).collect(),
        }
    }

    pub fn has_run_natively(&self) -> bool {
        self.native > 0 || self.entries > 0
    }

    /// Whether it could have, if it is recorded at its first back edge: before the second one it has a trace, or a reason
    /// to have none. What runs while another trace is recorded is in that one.
    pub fn hot(&self) -> bool {
        self.interpreted - self.recorded >= 2 || self.has_run_natively()
    }

    /// What is wrong with it where every loop is recorded at its first back edge.
    fn stays_behind(&self) -> Option<String> {
        (self.hot() && !self.has_run_natively() && self.reason.is_none()).then(|| {
            let (name, count, standing) = (&self.name, self.interpreted, &self.standing);
            format!("loop {name}: no native code and no reason in {count} iterations ({standing})")
        })
    }
}

impl Statistics {
    pub fn number(&self, key: &str) -> u64 {
        self.json[key].as_u64().unwrap_or_default()
    }

    /// Traces made.
    pub fn traces(&self) -> u64 {
        self.json["traces"].as_object().map_or(0, |kinds| kinds.values().filter_map(Value::as_u64).sum())
    }

    /// Percent of all iterations that were native.
    pub fn native_percent(&self) -> f64 {
        self.json["iterations"]["native_percent"].as_f64().unwrap_or_default()
    }

    /// Back edges of all loops.
    pub fn iterations(&self) -> u64 {
        self.loops.iter().map(|each| each.interpreted + each.native).sum()
    }

    /// That no native code ran.
    pub fn interpreted_only(&self) -> Result<(), String> {
        let native = self.loops.iter().filter(|each| each.native > 0).map(|each| &each.name);
        let native: Vec<&String> = native.collect();
        if native.is_empty() && self.traces() + self.number("entries") + self.number("code_bytes") == 0 {
            return Ok(());
        }
        Err(format!("native code in the interpreter's configuration: {native:?} {}", self.json))
    }

    /// That every loop of four or more iterations was compiled whole and has run so, or says why not; and if it is to run on
    /// all cores, the same of that.
    pub fn whole_everywhere(&self, parallel: bool) -> Result<(), String> {
        // Where there is no LLVM, nothing is tested.
        let reason = |why: &str| !why.contains("LLVM is not to be had");
        let says = |each: &Loop, what: &str| each.refused.iter().any(|(refused, why)| refused == what && reason(why));
        let wrong = |each: &&Loop| {
            let whole = each.region.is_some() || says(each, "sequential");
            let divided = each.parallel_entries > 0 || says(each, "sequential") || says(each, "parallel");
            each.interpreted - each.recorded >= 3 && !(whole && (divided || !parallel))
        };
        let wrong: Vec<String> = self.loops.iter().filter(wrong).map(|each| format!("{each:?}")).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }

    /// That every loop of three or more iterations has run natively, or says why not.
    pub fn native_everywhere(&self) -> Result<(), String> {
        let wrong: Vec<String> = self.loops.iter().filter_map(Loop::stays_behind).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }
}
