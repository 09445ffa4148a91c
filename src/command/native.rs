//! The options about native code: `--jit`, `--preset`, `--trace-log`, `--stats`, `--observe`.

use std::path::PathBuf;

use scaly_asm::observers;
use scaly_tracer::log::{Form, Request};
use scaly_tracer::parameters::{ParameterError, Parameters, Preset};

use super::arguments::{Misuse, near};

/// What was given of them, in whatever order.
#[derive(Debug, Default)]
pub struct NativeWords {
    preset: Option<Preset>,
    /// Texts `NAME=VALUE`, and their names.
    settings: Vec<(String, &'static str)>,
    off: bool,
    pub help: bool,
    /// Iterations are to be counted, with or without `--stats`.
    pub counted: bool,
    log: Option<Request>,
    stats: Option<Form>,
    observers: Option<observers::Options>,
    /// The first of the options.
    pub given: Option<&'static str>,
}

/// What they come to.
#[derive(Debug)]
pub struct NativeOptions {
    pub jit: Option<Parameters>,
    pub log: Option<Request>,
    pub stats: Option<Form>,
    pub observers: observers::Options,
}

impl NativeWords {
    pub fn jit(&mut self, text: &str) -> Result<(), Misuse> {
        self.given.get_or_insert("--jit");
        for word in text.split(',') {
            match word {
                "off" => self.off = true,
                "help" => self.help = true,
                setting => self.set(setting)?,
            }
        }
        // Whether it is `--jit off,hot=1` or `--jit off --jit hot=1`.
        if (self.off || self.help) && (!self.settings.is_empty() || self.off == self.help) {
            let word = if self.off { "off" } else { "help" };
            return Err(wrong("--jit", format!("'{word}' goes with nothing else")));
        }
        Ok(())
    }

    fn set(&mut self, text: &str) -> Result<(), Misuse> {
        let row = Parameters::default().set(text).map_err(parameter)?;
        if self.settings.iter().any(|&(_, name)| name == row.name) {
            return Err(wrong("--jit", format!("{} is set twice", row.name)));
        }
        self.settings.push((text.into(), row.name));
        Ok(())
    }

    pub fn preset(&mut self, word: &str) -> Result<(), Misuse> {
        self.given.get_or_insert("--preset");
        let preset = match word {
            "dev" => Preset::Dev,
            "prod" => Preset::Prod,
            _ => return Err(wrong("--preset", format!("'{word}' is none of dev, prod"))),
        };
        once("--preset", &mut self.preset, preset)
    }

    pub fn trace_log(&mut self, words: Option<&str>) -> Result<(), Misuse> {
        self.given.get_or_insert("--trace-log");
        once("--trace-log", &mut self.log, words.map_or(Ok(Request::default()), request)?)
    }

    pub fn stats(&mut self, word: Option<&str>) -> Result<(), Misuse> {
        self.given.get_or_insert("--stats");
        let form = match word {
            None => Form::Text,
            Some("json") => Form::Json,
            Some(word) => {
                return Err(wrong("--stats", format!("'{word}' is not known; it is --stats or --stats=json")));
            }
        };
        once("--stats", &mut self.stats, form)
    }

    pub fn observe(&mut self, words: &str) -> Result<(), Misuse> {
        let option = "--observe";
        self.given.get_or_insert(option);
        let mut options = observers::Options::default();
        for word in words.split(',') {
            let twice = match word {
                "perf-map" => options.perf_map.replace(observers::PERF_MAP_DIRECTORY.into()).is_some(),
                "jitdump" => options.jitdump.replace(observers::jitdump_directory()).is_some(),
                "gdb" => std::mem::replace(&mut options.gdb, true),
                _ => return Err(wrong(option, format!("'{word}' is none of perf-map, jitdump, gdb"))),
            };
            if twice {
                return Err(wrong(option, format!("'{word}' is given twice")));
            }
        }
        once(option, &mut self.observers, options)
    }

    pub fn finish(self) -> Result<NativeOptions, Misuse> {
        let mut parameters = Parameters::preset(self.preset.unwrap_or_default());
        for (text, _) in &self.settings {
            parameters.set(text).map_err(parameter)?;
        }
        let given: Vec<&str> = self.settings.iter().map(|&(_, name)| name).collect();
        parameters.follow(&given);
        // A share of native iterations needs both parts.
        if self.stats.is_some() || self.counted {
            parameters.count = 1;
        }
        Ok(NativeOptions {
            jit: (!self.off).then_some(parameters),
            log: self.log,
            stats: self.stats,
            observers: self.observers.unwrap_or_default(),
        })
    }
}

/// The words behind `--trace-log=`.
fn request(words: &str) -> Result<Request, Misuse> {
    let option = "--trace-log";
    let mut request = Request::default();
    for word in words.split(',') {
        let (name, file) = word.split_once(':').map_or((word, None), |(name, file)| (name, Some(file)));
        let twice = match (name, file) {
            ("ir", None) => std::mem::replace(&mut request.ir, true),
            ("asm", None) => std::mem::replace(&mut request.asm, true),
            ("json" | "text", None | Some("")) => {
                return Err(wrong(option, format!("a file is missing: {name}:FILE")));
            }
            ("json" | "text", Some(file)) => {
                request.form = if name == "json" { Form::Json } else { Form::Text };
                request.file.replace(PathBuf::from(file)).is_some()
            }
            _ => {
                let problem = match word {
                    "" => "a word is missing: text:FILE, json:FILE, ir, asm".into(),
                    _ => format!("'{word}' is none of text:FILE, json:FILE, ir, asm"),
                };
                return Err(wrong(option, problem));
            }
        };
        if twice {
            let problem = match file {
                Some(_) => "there is one file for the log, not two".into(),
                None => format!("'{name}' is given twice"),
            };
            return Err(wrong(option, problem));
        }
    }
    Ok(request)
}

fn once<T>(option: &'static str, place: &mut Option<T>, value: T) -> Result<(), Misuse> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(wrong(option, "given twice".into())),
    }
}

fn wrong(option: &'static str, problem: String) -> Misuse {
    Misuse::Value { option, problem }
}

fn parameter(error: ParameterError) -> Misuse {
    let near = match &error {
        ParameterError::Unknown { name } => near(name, Parameters::TABLE.iter().map(|row| row.name)),
        _ => None,
    };
    Misuse::Parameter { problem: error.to_string(), near }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[(&str, Option<&str>)]) -> Result<NativeOptions, String> {
        let mut seen = NativeWords::default();
        for &(option, value) in words {
            let result = match option {
                "--jit" => seen.jit(value.unwrap()),
                "--preset" => seen.preset(value.unwrap()),
                "--trace-log" => seen.trace_log(value),
                "--observe" => seen.observe(value.unwrap()),
                _ => seen.stats(value),
            };
            result.map_err(|misuse| misuse.to_string())?;
        }
        seen.finish().map_err(|misuse| misuse.to_string())
    }

    fn jit(text: &str) -> Result<Option<Parameters>, String> {
        Ok(read(&[("--jit", Some(text))])?.jit)
    }

    fn log(words: &str) -> Result<Request, String> {
        Ok(read(&[("--trace-log", Some(words))])?.log.unwrap())
    }

    #[test]
    fn parameters_stand_above_presets_wherever_they_stand() {
        let dev = Parameters::preset(Preset::Dev);
        let expected =
            Some(Parameters { hot: 3, hoist: 0, warmup: 0, effort: 100, bouncing: 0, short_entry: 0, ..dev });
        for words in [
            &[("--preset", Some("dev")), ("--jit", Some("hot=3,hoist=0"))][..],
            &[("--jit", Some("hot=3")), ("--preset", Some("dev")), ("--jit", Some("hoist=0"))],
        ] {
            assert_eq!(read(words).unwrap().jit, expected);
        }
        assert_eq!(read(&[]).unwrap().jit, Some(Parameters::default()));
        assert_eq!(jit("off"), Ok(None));
    }

    #[test]
    fn statistics_count_native_iterations() {
        let got = read(&[("--stats", None), ("--jit", Some("count=0"))]).unwrap();
        assert_eq!((got.jit.unwrap().count, got.stats), (1, Some(Form::Text)));
        assert_eq!(read(&[("--stats", Some("json"))]).unwrap().stats, Some(Form::Json));
    }

    #[test]
    fn parameters_that_make_no_sense() {
        assert_eq!(jit("hot=1,hot=2").unwrap_err(), "--jit: hot is set twice");
        assert_eq!(jit("off,hot=2").unwrap_err(), "--jit: 'off' goes with nothing else");
        assert_eq!(jit("hot=2,help").unwrap_err(), "--jit: 'help' goes with nothing else");
        assert_eq!(jit("off,help").unwrap_err(), "--jit: 'off' goes with nothing else");
        let apart = read(&[("--jit", Some("off")), ("--jit", Some("hot=2"))]);
        assert_eq!(apart.unwrap_err(), "--jit: 'off' goes with nothing else");
        assert_eq!(jit("hto=2").unwrap_err(), "--jit: there is no parameter 'hto'");
        for bad in ["", ",", "hot=1,", "hot", "="] {
            assert!(jit(bad).unwrap_err().ends_with("is not of the form NAME=VALUE"), "{bad}");
        }
    }

    #[test]
    fn unknown_parameters_come_with_the_nearest_one() {
        let help = |name: &str| NativeWords::default().jit(name).unwrap_err().help().unwrap();
        assert_eq!(help("hot_exits=1"), "did you mean 'hot_exit'?");
        assert_eq!(help("hto=1"), "did you mean 'hot'?");
        assert_eq!(help("max_trcae"), "did you mean 'max_trace'?");
        assert_eq!(help("brightness=1"), "scaly --jit help lists the parameters");
    }

    #[test]
    fn logs() {
        let asked = Request { ir: true, asm: true, ..Request::default() };
        assert_eq!(log("asm,ir"), Ok(asked.clone()));
        assert_eq!(log("json:a b:c,ir,asm"), Ok(Request { form: Form::Json, file: Some("a b:c".into()), ..asked }));
        assert_eq!(read(&[("--trace-log", None)]).unwrap().log, Some(Request::default()));
        for (words, problem) in [
            ("", "a word is missing: text:FILE, json:FILE, ir, asm"),
            ("ir,", "a word is missing: text:FILE, json:FILE, ir, asm"),
            ("json", "a file is missing: json:FILE"),
            ("json:", "a file is missing: json:FILE"),
            ("text:,ir", "a file is missing: text:FILE"),
            ("out.json", "'out.json' is none of text:FILE, json:FILE, ir, asm"),
            ("ir:out", "'ir:out' is none of text:FILE, json:FILE, ir, asm"),
            ("ir,ir", "'ir' is given twice"),
            ("json:a,text:b", "there is one file for the log, not two"),
        ] {
            assert_eq!(log(words).unwrap_err(), format!("--trace-log: {problem}"), "{words}");
        }
    }

    #[test]
    fn observers_are_named() {
        let got = read(&[("--observe", Some("perf-map,gdb"))]).unwrap().observers;
        assert_eq!((got.perf_map.as_deref(), got.jitdump, got.gdb), (Some("/tmp".as_ref()), None, true));
        assert!(read(&[("--observe", Some("jitdump"))]).unwrap().observers.jitdump.is_some());
        for (words, problem) in [
            ("", "'' is none of perf-map, jitdump, gdb"),
            ("perf", "'perf' is none of perf-map, jitdump, gdb"),
            ("gdb,gdb", "'gdb' is given twice"),
        ] {
            assert_eq!(read(&[("--observe", Some(words))]).unwrap_err(), format!("--observe: {problem}"), "{words}");
        }
    }

    #[test]
    fn what_is_said_once_is_not_said_twice() {
        for (option, value) in [("--preset", Some("dev")), ("--trace-log", None), ("--stats", None)] {
            assert_eq!(read(&[(option, value), (option, value)]).unwrap_err(), format!("{option}: given twice"));
        }
        assert_eq!(read(&[("--preset", Some("fast"))]).unwrap_err(), "--preset: 'fast' is none of dev, prod");
        assert!(read(&[("--stats", Some("xml"))]).unwrap_err().starts_with("--stats: 'xml' is not known"));
    }
}
