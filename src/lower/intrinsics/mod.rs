//! The routines without a body: what `docs/intrinsics.md` lists, by name.

mod arrays;
mod builders;
mod numbers;
mod strings;

use scaly_interp::bytecode::Opcode;
use scaly_interp::routine::Routine;

use super::body::Body;
use super::frame::Slot;
use super::regions::Want;
use crate::check::hir::{Expr, TypeId};

/// A call of an intrinsic.
#[derive(Clone, Copy)]
struct Intrinsic<'h> {
    e: &'h Expr,
    arguments: &'h [Expr],
    want: Want,
    /// Where the result may go if that saves a copy.
    to: Option<Slot>,
}

/// Those that are a runtime routine with the same arguments, behind the region of the result where it takes one.
const RUNTIME: &[(&str, Routine)] = &[
    ("Args.at", Routine::ArgsAt),
    ("Args.length", Routine::ArgsLength),
    ("Console.error", Routine::ConsoleError),
    ("Console.has_line", Routine::ConsoleHasLine),
    ("Console.print", Routine::ConsolePrint),
    ("Console.take_line", Routine::ConsoleTakeLine),
    ("Env.has", Routine::EnvHas),
    ("Env.value", Routine::EnvValue),
    ("File.append", Routine::FileAppend),
    ("File.delete", Routine::FileDelete),
    ("File.exists", Routine::FileExists),
    ("File.read", Routine::FileRead),
    ("File.read_bytes", Routine::FileReadBytes),
    ("File.write", Routine::FileWrite),
    ("File.write_bytes", Routine::FileWrite),
    ("Image.canvas", Routine::PictureNew),
    ("Image.write_png", Routine::ImageWritePng),
    ("String.+", Routine::StringConcat),
    ("String.[]", Routine::StringCharAt),
    ("String.compare", Routine::StringCompare),
    ("String.find_from", Routine::StringFind),
    ("String.from_utf8", Routine::StringFromUtf8),
    ("String.hash", Routine::StringHash),
    ("String.is_utf8", Routine::StringIsUtf8),
    ("String.parse_float", Routine::StringParseFloat),
    ("String.slice", Routine::StringSlice),
    ("Time.clock", Routine::TimeClock),
    ("Time.now", Routine::TimeNow),
    ("Time.sleep", Routine::TimeSleep),
    ("exit", Routine::Exit),
    ("exit_status", Routine::CheckStatus),
    ("fail", Routine::Fail),
];

/// What an intrinsic that can be a function value is.
pub enum Simple {
    Opcode(Opcode),
    Routine(Routine),
}

/// An intrinsic whose arguments need nothing but to be in slots.
pub fn simple(name: &str, first: Option<TypeId>) -> Option<Simple> {
    if let Ok(at) = RUNTIME.binary_search_by(|(known, _)| (*known).cmp(name)) {
        return Some(Simple::Routine(RUNTIME[at].1));
    }
    numbers::number_opcode(name, first?).map(Simple::Opcode)
}

impl<'h> Body<'_, 'h> {
    /// The slots of the result.
    pub fn intrinsic(&mut self, e: &'h Expr, name: &str, arguments: &'h [Expr], to: Option<Slot>, want: Want) -> Slot {
        if let Ok(at) = RUNTIME.binary_search_by(|(known, _)| (*known).cmp(name))
            && name != "String.[]"
        {
            return self.runtime_call(RUNTIME[at].1, arguments, want);
        }
        let call = Intrinsic { e, arguments, want, to };
        let found = self
            .number_intrinsic(name, &call)
            .or_else(|| self.array_intrinsic(name, &call))
            .or_else(|| self.string_intrinsic(name, &call))
            .or_else(|| self.builder_intrinsic(name, &call));
        found.unwrap_or_else(|| {
            let message = format!("the intrinsic `{name}` with {} arguments is unknown", arguments.len());
            self.m.internal(e.span, message);
            Slot(0)
        })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn runtime_names_are_sorted() {
        assert!(super::RUNTIME.windows(2).all(|w| w[0].0 < w[1].0));
    }
}
