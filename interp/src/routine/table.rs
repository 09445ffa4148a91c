//! The table of runtime routines.
//!
//! A row reads `Name(argument: Kind, …) -> (result: Kind, …) [effect] [effect] …;`. Effects name arguments: `reads text`
//! (a `Bytes`), `reads array by stride` (elements), `reads from for bytes` (an address and a count); `writes` likewise;
//! `appends builder`, `allocates region`, `frees block`.

use super::Kind::{Array, Bytes, Float, Pointer, Region, Single, Word};
use super::run::{Entry, entry};
use super::{Effect, Extent, Signature, Value, slot_of};

macro_rules! effect {
    ($params:ident reads $p:ident) => {
        Effect::Reads(effect!($params extent $p))
    };
    ($params:ident reads $p:ident by $stride:ident) => {
        Effect::Reads(effect!($params extent $p by $stride))
    };
    ($params:ident reads $p:ident for $count:ident by $stride:ident) => {
        Effect::Reads(Extent {
            pointer: slot_of($params, stringify!($p)),
            count: slot_of($params, stringify!($count)),
            stride: Some(slot_of($params, stringify!($stride))),
        })
    };
    ($params:ident reads $p:ident for $count:ident) => {
        Effect::Reads(effect!($params extent $p for $count))
    };
    ($params:ident writes $p:ident) => {
        Effect::Writes(effect!($params extent $p))
    };
    ($params:ident writes $p:ident by $stride:ident) => {
        Effect::Writes(effect!($params extent $p by $stride))
    };
    ($params:ident writes $p:ident for $count:ident) => {
        Effect::Writes(effect!($params extent $p for $count))
    };
    ($params:ident extent $p:ident) => {
        Extent { pointer: slot_of($params, stringify!($p)), count: slot_of($params, stringify!($p)) + 1, stride: None }
    };
    ($params:ident extent $p:ident by $stride:ident) => {
        Extent {
            pointer: slot_of($params, stringify!($p)),
            count: slot_of($params, stringify!($p)) + 1,
            stride: Some(slot_of($params, stringify!($stride))),
        }
    };
    ($params:ident extent $p:ident for $count:ident) => {
        Extent {
            pointer: slot_of($params, stringify!($p)),
            count: slot_of($params, stringify!($count)),
            stride: None,
        }
    };
    ($params:ident appends $p:ident) => {
        Effect::Appends {
            pointer: slot_of($params, stringify!($p)),
            count: slot_of($params, stringify!($p)) + 1,
        }
    };
    ($params:ident allocates $p:ident) => {
        Effect::Allocates { region: slot_of($params, stringify!($p)) }
    };
    ($params:ident frees $p:ident) => {
        Effect::Frees { pointer: slot_of($params, stringify!($p)) }
    };
    ($params:ident resets $p:ident) => {
        Effect::ResetsRegion { region: slot_of($params, stringify!($p)) }
    };
    ($params:ident exits $p:ident) => {
        Effect::ExitsRegion { region: slot_of($params, stringify!($p)) }
    };
    ($params:ident enters) => {
        Effect::EntersRegion
    };
    ($params:ident output) => {
        Effect::Output
    };
    ($params:ident input) => {
        Effect::Input
    };
    ($params:ident blocks) => {
        Effect::Blocks
    };
    ($params:ident faults) => {
        Effect::Faults
    };
    ($params:ident stops) => {
        Effect::Stops
    };
}

macro_rules! routines {
    ($($(#[$doc:meta])* $name:ident($($p:ident: $pk:ident),*) -> ($($r:ident: $rk:ident),*) $([$($effect:tt)+])*;)*) => {
        /// A runtime routine; the number is operand `x` of `Runtime`.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u16)]
        pub enum Routine { $($(#[$doc])* $name,)* }

        impl Routine {
            pub const ALL: &[Routine] = &[$(Routine::$name,)*];
            const ENTRIES: &[Entry] = &[$(entry::<{ Routine::$name as u16 }>,)*];
            const SIGNATURES: &[Signature] = &[$({
                const PARAMS: &[Value] = &[$(Value { name: stringify!($p), kind: $pk }),*];
                const RESULTS: &[Value] = &[$(Value { name: stringify!($r), kind: $rk }),*];
                const EFFECTS: &[Effect] = &[$(effect!(PARAMS $($effect)+)),*];
                Signature { name: stringify!($name), params: PARAMS, results: RESULTS, effects: EFFECTS }
            },)*];
        }
    };
}

impl Routine {
    pub fn signature(self) -> &'static Signature {
        &Self::SIGNATURES[self as usize]
    }

    /// Where native code calls it.
    pub fn entry(self) -> Entry {
        Self::ENTRIES[self as usize]
    }

    /// The name as listings spell it.
    pub fn name(self) -> &'static str {
        self.signature().name
    }

    pub fn by_name(name: &str) -> Option<Routine> {
        Self::SIGNATURES.iter().position(|s| s.name == name).map(|i| Self::ALL[i])
    }

    /// The routine of a `Runtime` instruction's operand.
    pub fn from_number(number: u32) -> Option<Routine> {
        Self::ALL.get(number as usize).copied()
    }
}

routines! {
    // Regions and blocks. A block's contents are zero where the row says so, else anything.
    RegionEnter() -> (region: Region) [enters];
    RegionReset(region: Region) -> () [resets region];
    RegionExit(region: Region) -> () [exits region];
    /// Zeroed; 0 bytes give 0.
    Alloc(region: Region, bytes: Word) -> (block: Pointer) [allocates region];
    /// To the size-class lists of its region; nothing for 0 and for constants.
    Free(region: Region, block: Pointer) -> () [frees block];
    /// Zeroed. Faults `NegativeLength`.
    ArrayNew(region: Region, length: Word, stride: Word) -> (array: Array) [allocates region] [faults];
    /// A block with room for at least length + extra elements, amortized by doubling; the length elements are moved
    /// there and the old block is freed. What is behind them may be anything.
    ArrayGrow(region: Region, block: Pointer, length: Word, stride: Word, extra: Word) -> (block: Pointer)
        [allocates region] [reads block for length by stride] [frees block] [faults];
    /// The same elements in a new block of exactly this length.
    ArrayCopy(region: Region, array: Array, stride: Word) -> (array: Array) [allocates region] [reads array by stride];
    /// The pixels of a picture: width * height zeroed elements of 12 bytes, which the world may show. Faults as `ArrayNew`.
    PictureNew(region: Region, width: Word, height: Word) -> (array: Array) [allocates region] [faults];
    /// The same as `ArrayCopy` for the pixels of a picture.
    PictureCopy(region: Region, array: Array, stride: Word, width: Word, height: Word) -> (array: Array)
        [allocates region] [reads array by stride];
    /// Copies element 0 to all others.
    ArrayRepeat(array: Array, stride: Word) -> () [reads array by stride] [writes array by stride];
    /// The ranges may overlap.
    MemoryMove(to: Pointer, from: Pointer, bytes: Word) -> () [reads from for bytes] [writes to for bytes];
    MemoryZero(to: Pointer, bytes: Word) -> () [writes to for bytes];
    MemoryEqual(a: Pointer, b: Pointer, bytes: Word) -> (equal: Word) [reads a for bytes] [reads b for bytes];
    /// Exchanges `bytes` bytes; the ranges are the same or do not overlap.
    MemorySwap(a: Pointer, b: Pointer, bytes: Word) -> ()
        [reads a for bytes] [reads b for bytes] [writes a for bytes] [writes b for bytes];
    /// Faults with `slice 3..9 is out of range for length 5` unless 0 <= start <= end <= length.
    CheckSlice(start: Word, end: Word, length: Word) -> () [faults];
    /// Faults with `negative length -3`.
    CheckLength(length: Word) -> () [faults];
    /// Faults with `index 7 is out of range for length 5` unless 0 <= index <= length.
    CheckInsert(index: Word, length: Word) -> () [faults];
    /// Faults with `256 is no exit status: …` unless 0 <= status <= 255.
    CheckStatus(status: Word) -> (status: Word) [faults];

    // Strings: UTF-8 bytes.
    StringConcat(region: Region, a: Bytes, b: Bytes) -> (text: Bytes) [allocates region] [reads a] [reads b];
    StringEqual(a: Bytes, b: Bytes) -> (equal: Word) [reads a] [reads b];
    /// -1, 0, 1 by bytes.
    StringCompare(a: Bytes, b: Bytes) -> (order: Word) [reads a] [reads b];
    /// XXH3, 64 bits.
    StringHash(text: Bytes) -> (hash: Word) [reads text];
    /// A copy. Faults as `CheckSlice`, or with `byte 3 is inside a character`.
    StringSlice(region: Region, text: Bytes, start: Word, end: Word) -> (text: Bytes)
        [allocates region] [reads text] [faults];
    /// The character that starts at a byte, and the byte behind it. Faults on the index, or inside a character.
    StringCharAt(text: Bytes, index: Word) -> (char: Word, next: Word) [reads text] [faults];
    /// The first byte at or after start where part begins, or -1.
    StringFind(text: Bytes, part: Bytes, start: Word) -> (index: Word) [reads text] [reads part];
    /// The whole text as a decimal number, correctly rounded; NaN if it is none.
    StringParseFloat(text: Bytes) -> (value: Float) [reads text];
    StringIsUtf8(bytes: Bytes) -> (valid: Word) [reads bytes];
    /// A copy. Faults with `invalid UTF-8 at byte 3`.
    StringFromUtf8(region: Region, bytes: Bytes) -> (text: Bytes) [allocates region] [reads bytes] [faults];

    // Text of one value.
    IntToString(region: Region, value: Word) -> (text: Bytes) [allocates region];
    UintToString(region: Region, value: Word) -> (text: Bytes) [allocates region];
    FloatToString(region: Region, value: Float) -> (text: Bytes) [allocates region];
    SingleToString(region: Region, value: Single) -> (text: Bytes) [allocates region];
    CharToString(region: Region, value: Word) -> (text: Bytes) [allocates region];
    BoolToString(region: Region, value: Word) -> (text: Bytes) [allocates region];

    // Builders: a byte array in a region that grows at its end.
    BuilderText(region: Region, builder: Bytes, text: Bytes) -> (builder: Bytes)
        [appends builder] [allocates region] [reads text];
    BuilderChar(region: Region, builder: Bytes, value: Word) -> (builder: Bytes) [appends builder] [allocates region];
    BuilderInt(region: Region, builder: Bytes, value: Word) -> (builder: Bytes) [appends builder] [allocates region];
    BuilderUint(region: Region, builder: Bytes, value: Word) -> (builder: Bytes) [appends builder] [allocates region];
    /// Shortest digits that read back, always with a point or exponent: `2.0`, `1.0e300`, `inf`, `nan`.
    BuilderFloat(region: Region, builder: Bytes, value: Float) -> (builder: Bytes) [appends builder] [allocates region];
    BuilderSingle(region: Region, builder: Bytes, value: Single) -> (builder: Bytes)
        [appends builder] [allocates region];
    BuilderBool(region: Region, builder: Bytes, value: Word) -> (builder: Bytes) [appends builder] [allocates region];
    /// Exactly that many decimals, half to even on the exact value. Faults if digits is not in 0..=100.
    BuilderFixed(region: Region, builder: Bytes, value: Float, digits: Word) -> (builder: Bytes)
        [appends builder] [allocates region] [faults];
    /// The digits of an unsigned number in base 2 to 16, large letters if `upper`.
    BuilderRadix(region: Region, builder: Bytes, value: Word, base: Word, upper: Word) -> (builder: Bytes)
        [appends builder] [allocates region];
    /// Fills what stands from byte `start` on up to `width` characters. `align`: 0 left, 1 right, 2 centered, 3 with
    /// zeros behind the sign.
    BuilderPad(region: Region, builder: Bytes, start: Word, width: Word, align: Word, fill: Word) -> (builder: Bytes)
        [appends builder] [allocates region] [reads builder] [writes builder];
    /// In `"…"` with JSON escapes.
    BuilderQuoted(region: Region, builder: Bytes, text: Bytes) -> (builder: Bytes)
        [appends builder] [allocates region] [reads text];
    BuilderQuotedChar(region: Region, builder: Bytes, value: Word) -> (builder: Bytes)
        [appends builder] [allocates region];

    // The world outside.
    /// To standard output, buffered.
    ConsolePrint(text: Bytes) -> () [reads text] [output];
    /// To standard error, with a newline.
    ConsoleError(text: Bytes) -> () [reads text] [output];
    ConsoleHasLine() -> (more: Word) [input] [blocks];
    ConsoleTakeLine(region: Region) -> (line: Bytes) [allocates region] [input] [blocks];
    /// Faults with `cannot read NAME: REASON`.
    FileRead(region: Region, path: Bytes) -> (text: Bytes) [allocates region] [reads path] [input] [blocks] [faults];
    FileReadBytes(region: Region, path: Bytes) -> (bytes: Bytes)
        [allocates region] [reads path] [input] [blocks] [faults];
    /// Text or bytes. Faults with `cannot write NAME: REASON`.
    FileWrite(path: Bytes, bytes: Bytes) -> () [reads path] [reads bytes] [output] [blocks] [faults];
    FileAppend(path: Bytes, bytes: Bytes) -> () [reads path] [reads bytes] [output] [blocks] [faults];
    FileExists(path: Bytes) -> (exists: Word) [reads path] [input] [blocks];
    FileDelete(path: Bytes) -> () [reads path] [output] [blocks] [faults];
    /// 8-bit RGB, 3 * width * height bytes.
    ImageWritePng(path: Bytes, width: Word, height: Word, rgb: Bytes) -> ()
        [reads path] [reads rgb] [output] [blocks] [faults];
    ArgsLength() -> (length: Word);
    ArgsAt(region: Region, index: Word) -> (text: Bytes) [allocates region] [faults];
    EnvHas(name: Bytes) -> (present: Word) [reads name];
    /// Empty if absent.
    EnvValue(region: Region, name: Bytes) -> (value: Bytes) [allocates region] [reads name];
    /// Seconds since 1970.
    TimeNow() -> (seconds: Float) [input];
    /// Seconds of a monotonic clock.
    TimeClock() -> (seconds: Float) [input];
    TimeSleep(seconds: Float) -> () [blocks];
    /// Ends the program with this status; faults like `CheckStatus`.
    Exit(status: Word) -> () [output] [faults] [stops];
    /// A runtime error with this message.
    Fail(message: Bytes) -> () [reads message] [faults] [stops];
}
