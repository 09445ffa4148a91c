//! Strings: UTF-8 bytes, which nobody changes once they are made.

use super::block::slice_fault;
use super::slots::Slots;
use crate::interpreter::{Outcome, State, index_message};
use crate::machine::Fault;

/// XXH3 (64 bits, seed 0): the same on every machine, and fast for short texts.
pub fn hash(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

/// -1, 0, 1 by bytes.
#[inline]
pub fn compare(a: &[u8], b: &[u8]) -> i64 {
    a.cmp(b) as i64
}

/// Whether a character starts at the byte, or the text ends there.
fn is_boundary(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_none_or(|byte| byte & 0xC0 != 0x80)
}

fn inside(state: &mut State, at: i64) -> Outcome {
    state.fault(Fault::StringCut, format!("byte {at} is inside a character"))
}

pub(super) fn slice(state: &mut State, s: Slots) -> Outcome {
    let (bytes, start, end) = (s.bytes(1), s.word(3), s.word(4));
    let length = bytes.len() as i64;
    if !(0 <= start && start <= end && end <= length) {
        return slice_fault(state, start, end, length);
    }
    for at in [start, end] {
        if !is_boundary(bytes, at as usize) {
            return inside(state, at);
        }
    }
    s.set_bytes(state, s.region(0), &bytes[start as usize..end as usize])
}

pub(super) fn char_at(state: &mut State, s: Slots) -> Outcome {
    let (bytes, index) = (s.bytes(0), s.word(2));
    let Some(&lead) = usize::try_from(index).ok().and_then(|at| bytes.get(at)) else {
        let message = index_message(index, bytes.len() as i64);
        return state.fault(Fault::IndexOutOfRange, message);
    };
    let at = index as usize;
    let (count, first) = match lead {
        0x00..0x80 => (1, lead),
        0x80..0xC0 => return inside(state, index),
        0xC0..0xE0 => (2, lead & 0x1F),
        0xE0..0xF0 => (3, lead & 0x0F),
        0xF0.. => (4, lead & 0x07),
    };
    let mut code = i64::from(first);
    for k in 1..count {
        code = code << 6 | i64::from(bytes.get(at + k).map_or(0, |byte| byte & 0x3F));
    }
    s.set(0, code);
    s.set(1, index + count as i64)
}

/// The first byte at or after `start` where `part` begins, or -1. Both are UTF-8, so a part begins where a character
/// does.
pub fn find(bytes: &[u8], part: &[u8], start: i64) -> i64 {
    let start = usize::try_from(start).unwrap_or(0);
    if start > bytes.len() || part.len() > bytes.len() - start {
        return -1;
    }
    let [first, rest @ ..] = part else { return start as i64 };
    let last = bytes.len() - part.len();
    let mut at = start;
    while at <= last {
        match bytes[at..=last].iter().position(|byte| byte == first) {
            None => return -1,
            Some(skipped) => at += skipped,
        }
        if bytes[at + 1..].starts_with(rest) {
            return at as i64;
        }
        at += 1;
    }
    -1
}

/// NaN unless the whole text is a decimal number, `inf` or `-inf`.
pub fn parse_float(bytes: &[u8]) -> f64 {
    let number = bytes.iter().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    if !number && bytes != b"inf" && bytes != b"-inf" {
        return f64::NAN;
    }
    std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

pub(super) fn invalid_utf8(error: std::str::Utf8Error) -> String {
    format!("invalid UTF-8 at byte {}", error.valid_up_to())
}

pub(super) fn from_utf8(state: &mut State, s: Slots) -> Outcome {
    let bytes = s.bytes(1);
    match std::str::from_utf8(bytes) {
        Ok(_) => s.set_bytes(state, s.region(0), bytes),
        Err(error) => state.fault(Fault::StringCut, invalid_utf8(error)),
    }
}
