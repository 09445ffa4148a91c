//! Calls of routines from bytecode.

use super::slots::Slots;
use super::{Routine, block, builder, outside, string};
use crate::interpreter::{Outcome, State};

/// Runs a routine on the slots from `first` on.
///
/// # Safety
/// There is a routine of this number, and its arguments are in the slots as its row says. Regions are of this state.
#[inline(never)]
pub(crate) unsafe fn call(state: &mut State, routine: u32, first: *mut u64) -> Outcome {
    // SAFETY: the verifier has seen that the number is a routine's; the slots are the caller's promise.
    let (routine, s) = unsafe { (std::mem::transmute::<u16, Routine>(routine as u16), Slots::new(first)) };
    run(state, routine, s)
}

/// A routine for native code: runs on the slots from `first` on, and gives [`ROUTINE_DONE`](crate::tier::ROUTINE_DONE) or an
/// outcome that the state keeps.
pub type Entry = unsafe extern "C" fn(state: *mut State, first: *mut u64) -> u8;

/// The entry of a routine that is known: without a choice, and with no more of a frame than it needs itself.
///
/// # Safety
/// The slots hold the arguments of the routine's row; the state is the one that runs.
pub(super) unsafe extern "C" fn entry<const ROUTINE: u16>(state: *mut State, first: *mut u64) -> u8 {
    // SAFETY: by the caller's promise.
    let (state, s) = unsafe { (&mut *state, Slots::new(first)) };
    let outcome = run(state, Routine::ALL[ROUTINE as usize], s);
    if outcome != Outcome::Done {
        state.outcome = outcome;
    }
    outcome as u8
}

#[inline(always)]
fn run(state: &mut State, routine: Routine, s: Slots) -> Outcome {
    use Routine as R;
    match routine {
        R::RegionEnter => block::region_enter(state, s),
        R::RegionReset => block::region_reset(s),
        R::RegionExit => block::region_exit(state, s),
        R::Alloc => block::alloc(state, s),
        R::Free => block::free(s),
        R::ArrayNew => block::array_new(state, s),
        R::ArrayGrow => block::array_grow(state, s),
        R::ArrayCopy => block::array_copy(state, s),
        R::PictureNew => block::picture_new(state, s),
        R::PictureCopy => block::picture_copy(state, s),
        R::ArrayRepeat => block::array_repeat(s),
        R::MemoryMove => block::memory_move(s),
        R::MemoryZero => block::memory_zero(s),
        R::MemoryEqual => block::memory_equal(s),
        R::MemorySwap => block::memory_swap(s),
        R::CheckSlice => block::check_slice(state, s),
        R::CheckLength => block::check_length(state, s),
        R::CheckInsert => block::check_insert(state, s),
        R::CheckStatus => outside::check_status(state, s),

        R::StringConcat => s.set_joined(state, s.region(0), [s.bytes(1), s.bytes(3)]),
        R::StringEqual => s.set(0, i64::from(s.bytes(0) == s.bytes(2))),
        R::StringCompare => s.set(0, string::compare(s.bytes(0), s.bytes(2))),
        R::StringHash => s.set(0, string::hash(s.bytes(0)) as i64),
        R::StringSlice => string::slice(state, s),
        R::StringCharAt => string::char_at(state, s),
        R::StringFind => s.set(0, string::find(s.bytes(0), s.bytes(2), s.word(4))),
        R::StringParseFloat => s.set_float(0, string::parse_float(s.bytes(0))),
        R::StringIsUtf8 => s.set(0, i64::from(std::str::from_utf8(s.bytes(0)).is_ok())),
        R::StringFromUtf8 => string::from_utf8(state, s),

        R::IntToString => builder::to_string(state, s, |text| builder::int(text, s.word(1))),
        R::UintToString => builder::to_string(state, s, |text| builder::uint(text, s.word(1) as u64)),
        R::FloatToString => builder::to_string(state, s, |text| builder::float(text, s.float(1))),
        R::SingleToString => builder::to_string(state, s, |text| builder::single(text, s.single(1))),
        R::CharToString => builder::to_string(state, s, |text| builder::char(text, s.word(1))),
        R::BoolToString => builder::to_string(state, s, |text| builder::bool(text, s.word(1))),

        R::BuilderText => builder::append(state, s, s.bytes(3)),
        R::BuilderChar => builder::append_char(state, s),
        R::BuilderInt => builder::append_with(state, s, |text| builder::int(text, s.word(3))),
        R::BuilderUint => builder::append_with(state, s, |text| builder::uint(text, s.word(3) as u64)),
        R::BuilderFloat => builder::append_with(state, s, |text| builder::float(text, s.float(3))),
        R::BuilderSingle => builder::append_with(state, s, |text| builder::single(text, s.single(3))),
        R::BuilderBool => builder::append_with(state, s, |text| builder::bool(text, s.word(3))),
        R::BuilderFixed => builder::fixed(state, s),
        R::BuilderRadix => builder::radix(state, s),
        R::BuilderPad => builder::pad(state, s),
        R::BuilderQuoted => builder::append_with(state, s, |text| builder::quoted(text, s.bytes(3))),
        R::BuilderQuotedChar => builder::append_with(state, s, |text| builder::quoted_char(text, s.word(3))),

        R::ConsolePrint => outside::print(state, s),
        R::ConsoleError => outside::print_error(state, s),
        R::ConsoleHasLine => outside::has_line(state, s),
        R::ConsoleTakeLine => outside::take_line(state, s),
        R::FileRead => outside::file_read(state, s),
        R::FileReadBytes => outside::file_read_bytes(state, s),
        R::FileWrite => outside::file_write(state, s, false),
        R::FileAppend => outside::file_write(state, s, true),
        R::FileExists => s.set(0, i64::from(outside::path(s, 0).exists())),
        R::FileDelete => outside::file_delete(state, s),
        R::ImageWritePng => outside::image_write_png(state, s),
        R::ArgsLength => s.set(0, state.world.arguments.len() as i64),
        R::ArgsAt => outside::args_at(state, s),
        R::EnvHas => s.set(0, i64::from(outside::variable(s, 0).is_some())),
        R::EnvValue => outside::env_value(state, s),
        R::TimeNow => s.set_float(0, outside::now()),
        R::TimeClock => s.set_float(0, outside::clock()),
        R::TimeSleep => outside::sleep(state, s),
        R::Exit => outside::exit(state, s),
        R::Fail => outside::fail(state, s),
    }
}
