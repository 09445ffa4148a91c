//! What the intrinsics of `docs/intrinsics.md` do with their parameters, by name.
//!
//! The default is the harmless majority: every parameter is read, there is no effect.

use super::summary::Flags;
use crate::check::hir::Effects;

/// What an intrinsic does with parameter `index` (`this` is 0 of a method).
pub fn parameter(name: &str, index: usize) -> Flags {
    let this = index == 0;
    match name {
        "Array.push" | "Array.insert" if !this => Flags::READS | Flags::ESCAPES,
        "Array.init" | "Vector.init" => Flags::READS | Flags::ESCAPES,
        "Array.push" | "Array.insert" | "Array.take" | "Array.truncate" | "Array.reserve" | "Array.append" if this => {
            Flags::READS | Flags::RESHAPES
        }
        // Exchanged elements keep their storage: a write, whatever they own.
        "Slice.swap" if this => Flags::READS | Flags::WRITES,
        "Slice.slice" if this => Flags::READS | Flags::VIEWED,
        _ if this && name.starts_with("StringBuilder.append") => Flags::READS | Flags::RESHAPES,
        _ => Flags::READS,
    }
}

/// What an intrinsic does beyond its parameters.
pub fn effects(name: &str) -> Effects {
    let io = ["Console.", "File.", "Args.", "Env.", "Time.", "Directory.", "Path."].iter().any(|p| name.starts_with(p))
        || matches!(name, "Image.write_png" | "exit");
    let blocks = name.starts_with("File.")
        || matches!(name, "Console.has_line" | "Console.take_line" | "Time.sleep" | "Image.write_png");
    Effects { io, blocks }
}
