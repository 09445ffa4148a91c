//! Programs as text: listings for people, and tests that are written as text.
//!
//! ```text
//! main run                                          ; the function that runs the program
//! globals 16                                        ; bytes
//! text0 "hello\n"
//!
//! function fib(params 1, results 1, frame 9) {0:4..60}
//!   param n s0 value
//!   variable n s0 @0..@7
//!   loop0 counted s4..6 @3..@7 in loop1 {0:10..20}
//!   0: JGtSImm s0, 1 -> @2
//!   1: Return1 s0
//!   2: …
//! ```
//!
//! - Functions are numbered as they stand. An operand names a function by its name where only one has it, else as
//!   `function3`; names that are not identifiers stand in quotes.
//! - `s4` is a slot, `s4..6` are slots 4 and 5. `*24` is a stride (of a parameter: that of an array or slice), `+8` an offset, `-> @12` where a branch goes.
//! - What precedes an instruction's colon is its label: the printed one is its index in the program's code, a written one
//!   may be any number or name that is unique in its function, or missing. `@12` is the instruction with that label;
//!   `@end` is behind the function's last one.
//! - `{file:start..end}` is a span; it holds for the instructions that follow, up to the next one.
//! - A loop's line may leave the number out where the order of the lines is that of the numbers, and `in` is optional.
//! - `library` behind a function's parentheses marks it as such. `;` starts a comment.
//!
//! What [`Printer`] writes with all functions and spans, [`parse`] reads back as the same program.

mod lexer;
mod parse;
mod print;
#[cfg(test)]
mod tests;

pub use parse::{ParseError, parse};
pub use print::Printer;
