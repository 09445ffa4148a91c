//! Text of values, at the end of a byte array that grows.

use std::fmt::Write;

use scaly_runtime::memory::{self, MemoryError};

use super::slots::Slots;
use crate::interpreter::{Outcome, State};
use crate::machine::Fault;

/// Text of a number: on the host's stack, since none is longer.
const SHORT: usize = 512;

/// Where short texts are made before they are copied.
pub(super) struct Text {
    /// Grows beyond [`SHORT`] for quoted texts only.
    bytes: Vec<u8>,
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl Text {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}

fn made(state: &mut State, make: impl FnOnce(&mut Text)) -> Text {
    // The state keeps one buffer, so that printing a number allocates nothing.
    let mut text = Text { bytes: std::mem::take(&mut state.scratch) };
    text.bytes.clear();
    text.bytes.reserve(SHORT);
    make(&mut text);
    text
}

pub(super) fn to_string(state: &mut State, s: Slots, make: impl FnOnce(&mut Text)) -> Outcome {
    let text = made(state, make);
    let outcome = s.set_bytes(state, s.region(0), &text.bytes);
    state.scratch = text.bytes;
    outcome
}

pub(super) fn append_with(state: &mut State, s: Slots, make: impl FnOnce(&mut Text)) -> Outcome {
    let text = made(state, make);
    let outcome = append(state, s, &text.bytes);
    state.scratch = text.bytes;
    outcome
}

/// To the builder in slots 1 and 2 of the region in slot 0; the result is the builder in slots 0 and 1. The bytes are
/// not the builder's own: an argument that is was copied by lowering, as in-place arguments with one root are.
#[inline]
pub(super) fn append(state: &mut State, s: Slots, bytes: &[u8]) -> Outcome {
    let (region, base, length) = (s.region(0), s.pointer(1), s.word(2) as usize);
    if bytes.is_empty() {
        return s.set_pair(base, length);
    }
    let Some(needed) = length.checked_add(bytes.len()) else {
        return state.refused(MemoryError::TooLarge { requested: u64::MAX });
    };
    // SAFETY: the builder's block is of this region; the grown one has the room.
    unsafe {
        match memory::grow(region, base, length as u64, needed as u64) {
            Ok(block) => {
                block.as_ptr().add(length).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
                s.set_pair(block.as_ptr(), needed)
            }
            Err(error) => state.refused(error),
        }
    }
}

/// The same for the character in slot 3; one of a byte for which there is room is stored at once.
#[inline]
pub(super) fn append_char(state: &mut State, s: Slots) -> Outcome {
    let (base, length, value) = (s.pointer(1), s.word(2) as usize, s.word(3));
    // SAFETY: the builder's block, if it has one.
    if (0..0x80).contains(&value) && (length as u64) < unsafe { memory::capacity(base) } {
        // SAFETY: there is room for it.
        unsafe { base.add(length).write(value as u8) };
        return s.set_pair(base, length + 1);
    }
    append_with(state, s, |text| char(text, value))
}

pub(super) fn int(text: &mut Text, value: i64) {
    if value < 0 {
        text.push(b"-");
    }
    uint(text, value.unsigned_abs());
}

pub(super) fn uint(text: &mut Text, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    text.push(&digits[at..]);
}

/// `{}` and `{:e}` both give the shortest digits that read back; what differs from Rust is when there is an exponent,
/// and that there always is a point.
macro_rules! shortest {
    ($name:ident, $float:ty) => {
        pub(super) fn $name(text: &mut Text, value: $float) {
            if value.is_nan() {
                return text.push(b"nan");
            }
            let size = value.abs();
            let start = text.bytes.len();
            let plain = size == 0.0 || size.is_infinite() || (1e-5..1e16).contains(&size);
            // Writing to a vector cannot fail.
            let _ = if plain { write!(text, "{value}") } else { write!(text, "{value:e}") };
            if size.is_finite() && !text.bytes[start..].contains(&b'.') {
                let exponent = text.bytes[start..].iter().position(|&b| b == b'e').map(|at| start + at);
                let end = exponent.unwrap_or(text.bytes.len());
                text.bytes.splice(end..end, *b".0");
            }
        }
    };
}

shortest!(float, f64);
shortest!(single, f32);

pub(super) fn bool(text: &mut Text, value: i64) {
    text.push(if value != 0 { b"true" } else { b"false" });
}

fn character(value: i64) -> char {
    u32::try_from(value).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

pub(super) fn char(text: &mut Text, value: i64) {
    text.push(character(value).encode_utf8(&mut [0; 4]).as_bytes());
}

pub(super) fn radix(state: &mut State, s: Slots) -> Outcome {
    let (mut rest, base, upper) = (s.word(3) as u64, s.word(4).clamp(2, 16) as u64, s.word(5) != 0);
    let letters = if upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    let mut digits = [0; 64];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = letters[(rest % base) as usize];
        rest /= base;
        if rest == 0 {
            break;
        }
    }
    append(state, s, &digits[at..])
}

pub(super) fn pad(state: &mut State, s: Slots) -> Outcome {
    let (start, width, align) = (s.word(3) as usize, s.word(4), s.word(5));
    let fill = if align == 3 { '0' } else { character(s.word(6)) };
    let text = s.bytes(1).get(start..).unwrap_or(&[]).to_vec();
    let count = String::from_utf8_lossy(&text).chars().count() as i64;
    let Some(room) = width.checked_sub(count).filter(|&room| room > 0) else {
        return s.set_pair(s.pointer(1), s.word(2) as usize);
    };
    let (left, sign) = match align {
        0 => (0, 0),
        1 => (room, 0),
        2 => (room / 2, 0),
        _ => (room, usize::from(text.first() == Some(&b'-'))),
    };
    // What was there is written again behind the filling.
    s.set(2, start as i64);
    append_with(state, s, |out| {
        out.push(&text[..sign]);
        (0..left).for_each(|_| char(out, i64::from(u32::from(fill))));
        out.push(&text[sign..]);
        (left..room).for_each(|_| char(out, i64::from(u32::from(fill))));
    })
}

/// Rust rounds the exact value, half to even.
pub(super) fn fixed(state: &mut State, s: Slots) -> Outcome {
    let (value, digits) = (s.float(3), s.word(4));
    if !(0..=100).contains(&digits) {
        return state.fault(Fault::Message, format!("{digits} digits: 0 to 100 are possible"));
    }
    append_with(state, s, |text| {
        if value.is_nan() {
            return text.push(b"nan");
        }
        // Writing to a vector cannot fail.
        let _ = write!(text, "{value:.*}", digits as usize);
    })
}

pub(super) fn quoted(text: &mut Text, bytes: &[u8]) {
    text.push(b"\"");
    let mut done = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let escape = match byte {
            b'"' => &b"\\\""[..],
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..0x20 => b"",
            _ => continue,
        };
        text.push(&bytes[done..at]);
        text.push(escape);
        if escape.is_empty() {
            // Writing to a vector cannot fail.
            let _ = write!(text, "\\u{byte:04x}");
        }
        done = at + 1;
    }
    text.push(&bytes[done..]);
    text.push(b"\"");
}

pub(super) fn quoted_char(text: &mut Text, value: i64) {
    quoted(text, character(value).encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(make: impl FnOnce(&mut Text)) -> String {
        let mut text = Text { bytes: Vec::new() };
        make(&mut text);
        String::from_utf8(text.bytes).unwrap()
    }

    #[test]
    fn floats_read_back_and_look_like_floats() {
        for (value, expected) in [
            (2.0, "2.0"),
            (0.1, "0.1"),
            (-0.0, "-0.0"),
            (1e15, "1000000000000000.0"),
            (1e16, "1.0e16"),
            (1.5e300, "1.5e300"),
            (1e-5, "0.00001"),
            (1e-7, "1.0e-7"),
            (-1.25e-9, "-1.25e-9"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (-f64::NAN, "nan"),
            (5e-324, "5.0e-324"),
        ] {
            assert_eq!(of(|text| float(text, value)), expected);
            if !value.is_nan() {
                assert_eq!(expected.parse::<f64>().unwrap().to_bits(), value.to_bits());
            }
        }
        assert_eq!(of(|text| single(text, 0.1)), "0.1");
        assert_eq!(of(|text| single(text, 16_777_216.0)), "16777216.0");
        assert_eq!(of(|text| single(text, 1e-5)), "0.00001");
    }

    #[test]
    fn integers_have_all_their_digits() {
        assert_eq!(of(|text| int(text, i64::MIN)), "-9223372036854775808");
        assert_eq!(of(|text| int(text, 0)), "0");
        assert_eq!(of(|text| uint(text, u64::MAX)), "18446744073709551615");
    }

    #[test]
    fn quoted_is_json() {
        assert_eq!(of(|text| quoted(text, "a\"\\\n\u{1f}ß".as_bytes())), "\"a\\\"\\\\\\n\\u001fß\"");
        assert_eq!(of(|text| quoted_char(text, 0x1F600)), "\"😀\"");
    }

    #[test]
    fn fixed_rounds_half_to_even() {
        for (value, digits, expected) in
            [(0.125, 2, "0.12"), (0.375, 2, "0.38"), (2.5, 0, "2"), (0.5, 0, "0"), (1.005, 2, "1.00")]
        {
            assert_eq!(format!("{value:.digits$}"), expected);
        }
    }
}
