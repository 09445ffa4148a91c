//! The world outside of the program: console, files, arguments, clocks.
//!
//! Waiting for a line or a span of time parks the fiber. Files are read and written while the worker waits: there is one.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use scaly_runtime::console::OutputError;
use scaly_runtime::fiber::Operation;

use super::slots::Slots;
use super::string::invalid_utf8;
use crate::interpreter::{Outcome, State, index_message};
use crate::machine::Fault;

/// A closed pipe ends the program quietly.
fn written(state: &mut State, result: Result<(), OutputError>) -> Outcome {
    match result {
        Ok(()) => Outcome::Done,
        Err(OutputError::Closed) => {
            state.pending.status = 0;
            Outcome::Exit
        }
        Err(error @ OutputError::Failed { .. }) => state.fault(Fault::InputOutput, error.to_string()),
    }
}

pub(super) fn print(state: &mut State, s: Slots) -> Outcome {
    match state.world.output.write(s.bytes(0)) {
        Ok(()) => Outcome::Done,
        result => written(state, result),
    }
}

pub(super) fn print_error(state: &mut State, s: Slots) -> Outcome {
    let mut line = s.bytes(0).to_vec();
    line.push(b'\n');
    state.world.output.write_error(&line);
    Outcome::Done
}

/// Reads until a line, or the end, is there; waits by parking.
fn line_is_there(state: &mut State) -> Result<(), Outcome> {
    while state.world.input.needs_more() {
        if !std::mem::replace(&mut state.input_ready, true) {
            let result = state.world.output.flush();
            match written(state, result) {
                Outcome::Done => {}
                outcome => return Err(outcome),
            }
            state.pending.operation = Some(Operation::Readable(state.world.input.descriptor()));
            return Err(Outcome::Wait);
        }
        state.input_ready = false;
        if let Err(error) = state.world.input.fill() {
            return Err(state.fault(Fault::InputOutput, error.to_string()));
        }
    }
    Ok(())
}

pub(super) fn has_line(state: &mut State, s: Slots) -> Outcome {
    if let Err(outcome) = line_is_there(state) {
        return outcome;
    }
    match state.world.input.has_line() {
        Ok(more) => s.set(0, i64::from(more)),
        Err(error) => state.fault(Fault::InputOutput, error.to_string()),
    }
}

pub(super) fn take_line(state: &mut State, s: Slots) -> Outcome {
    if let Err(outcome) = line_is_there(state) {
        return outcome;
    }
    match state.world.input.take_line() {
        Ok(line) => s.set_bytes(state, s.region(0), line.as_bytes()),
        Err(error) => state.fault(Fault::InputOutput, error.to_string()),
    }
}

/// The path that a text in a slot names.
pub(super) fn path<'a>(s: Slots, slot: usize) -> Cow<'a, Path> {
    Cow::Borrowed(Path::new(OsStr::from_bytes(s.bytes(slot))))
}

/// `cannot read NAME: REASON`, with the system's words alone.
fn failed(state: &mut State, what: &str, s: Slots, slot: usize, error: &io::Error) -> Outcome {
    let reason = error.to_string();
    let reason = reason.split(" (os error").next().unwrap_or(&reason);
    let message = format!("cannot {what} {}: {reason}", s.text(slot));
    state.fault(Fault::InputOutput, message)
}

pub(super) fn file_read(state: &mut State, s: Slots) -> Outcome {
    match fs::read(path(s, 1)) {
        Ok(bytes) => match std::str::from_utf8(&bytes) {
            Ok(_) => s.set_bytes(state, s.region(0), &bytes),
            Err(error) => {
                let message = format!("{}: {}", s.text(1), invalid_utf8(error));
                state.fault(Fault::InputOutput, message)
            }
        },
        Err(error) => failed(state, "read", s, 1, &error),
    }
}

pub(super) fn file_read_bytes(state: &mut State, s: Slots) -> Outcome {
    match fs::read(path(s, 1)) {
        Ok(bytes) => s.set_bytes(state, s.region(0), &bytes),
        Err(error) => failed(state, "read", s, 1, &error),
    }
}

pub(super) fn file_write(state: &mut State, s: Slots, append: bool) -> Outcome {
    let result = if append {
        OpenOptions::new().append(true).create(true).open(path(s, 0)).and_then(|mut file| file.write_all(s.bytes(2)))
    } else {
        fs::write(path(s, 0), s.bytes(2))
    };
    match result {
        Ok(()) => Outcome::Done,
        Err(error) => failed(state, "write", s, 0, &error),
    }
}

pub(super) fn file_delete(state: &mut State, s: Slots) -> Outcome {
    match fs::remove_file(path(s, 0)) {
        Ok(()) => Outcome::Done,
        Err(error) => failed(state, "delete", s, 0, &error),
    }
}

pub(super) fn image_write_png(state: &mut State, s: Slots) -> Outcome {
    let (width, height, rgb) = (s.word(2), s.word(3), s.bytes(4));
    match write_png(&path(s, 0), width, height, rgb) {
        Ok(()) => Outcome::Done,
        Err(error) => failed(state, "write", s, 0, &error),
    }
}

fn write_png(path: &Path, width: i64, height: i64, rgb: &[u8]) -> io::Result<()> {
    let invalid = |message: String| io::Error::new(io::ErrorKind::InvalidInput, message);
    let size = |n: i64| u32::try_from(n).ok().filter(|&n| n > 0 && n <= i32::MAX as u32);
    let (Some(w), Some(h)) = (size(width), size(height)) else {
        return Err(invalid(format!("an image of {width} x {height} pixels cannot be saved")));
    };
    let bytes = u64::from(w) * u64::from(h) * 3;
    if rgb.len() as u64 != bytes {
        return Err(invalid(format!("{width} x {height} pixels take {bytes} bytes, not {}", rgb.len())));
    }
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(path)?), w, h);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let encoded = |error: png::EncodingError| match error {
        png::EncodingError::IoError(error) => error,
        other => invalid(other.to_string()),
    };
    let mut writer = encoder.write_header().map_err(encoded)?;
    writer.write_image_data(rgb).map_err(encoded)?;
    writer.finish().map_err(encoded)
}

pub(super) fn args_at(state: &mut State, s: Slots) -> Outcome {
    let index = s.word(1);
    let arguments = std::mem::take(&mut state.world.arguments);
    let outcome = match usize::try_from(index).ok().and_then(|i| arguments.get(i)) {
        Some(text) => s.set_bytes(state, s.region(0), text.as_bytes()),
        None => state.fault(Fault::IndexOutOfRange, index_message(index, arguments.len() as i64)),
    };
    state.world.arguments = arguments;
    outcome
}

/// The environment's variable that a text in a slot names.
pub(super) fn variable(s: Slots, slot: usize) -> Option<String> {
    let name = s.bytes(slot);
    // The system's calls reject these by panicking.
    if name.is_empty() || name.contains(&b'=') || name.contains(&0) {
        return None;
    }
    std::env::var_os(OsStr::from_bytes(name)).map(|value| value.to_string_lossy().into_owned())
}

pub(super) fn env_value(state: &mut State, s: Slots) -> Outcome {
    let value = variable(s, 1).unwrap_or_default();
    s.set_bytes(state, s.region(0), value.as_bytes())
}

pub(super) fn now() -> f64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    }
}

pub(super) fn clock() -> f64 {
    /// What the clock counts from: the first time that it was asked for.
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_secs_f64()
}

pub(super) fn sleep(state: &mut State, s: Slots) -> Outcome {
    state.pending.operation = Some(Operation::sleep(s.float(0)));
    Outcome::Park
}

pub(super) fn exit(state: &mut State, s: Slots) -> Outcome {
    match u8::try_from(s.word(0)) {
        Ok(status) => {
            state.pending.status = status.into();
            Outcome::Exit
        }
        Err(_) => no_status(state, s.word(0)),
    }
}

pub(super) fn check_status(state: &mut State, s: Slots) -> Outcome {
    if u8::try_from(s.word(0)).is_ok() { Outcome::Done } else { no_status(state, s.word(0)) }
}

/// The system would keep the lowest byte only: 256 would be a success.
fn no_status(state: &mut State, status: i64) -> Outcome {
    state.fault(Fault::Message, format!("{status} is no exit status: give one from 0 to 255"))
}

pub(super) fn fail(state: &mut State, s: Slots) -> Outcome {
    let message = s.text(0).into_owned();
    state.fault(Fault::Message, message)
}
