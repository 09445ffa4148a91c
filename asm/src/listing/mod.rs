//! Machine code as text, an instruction a line, with the reader's landmarks: source lines, IR, exits, names.
//!
//! ```text
//!   ; line 3: for i in 0..n
//! L0:
//!   ; v8 = add v3, v4
//!   0010  add     rax, rdx
//!   0013  cmp     rax, rsi
//!   0016  jl      L0
//!   0018  jmp     exit4
//!   ; constants
//!   0020  .quad   0x3ff0000000000000
//! ```
//!
//! Offsets instead of addresses, so that the text of a trace is the same in every run. A disassembler says where an
//! instruction leads to and how it is spelled; what is printed around it is the same for all of them. One for another
//! architecture is another file and an arm of [`Architecture`].

#[cfg(feature = "aarch64-listing")]
mod aarch64;
#[cfg(test)]
mod tests;
mod x86_64;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::ops::Range;

/// Whose instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Architecture {
    X86_64,
    #[cfg(feature = "aarch64-listing")]
    Aarch64,
}

/// A line of text before what comes from the code at an offset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// In bytes from the first instruction.
    pub offset: usize,
    pub text: String,
}

/// What is known of code that is to be printed.
#[derive(Clone, Debug)]
pub struct Listing<'a> {
    pub architecture: Architecture,
    pub code: &'a [u8],
    /// Where the code is executed.
    pub address: u64,
    /// The offsets that hold data, in ascending order.
    pub data: &'a [Range<usize>],
    /// In ascending order of their offsets.
    pub notes: &'a [Note],
    /// Names of addresses in this code and elsewhere: routines, exits, other traces.
    pub names: &'a BTreeMap<u64, String>,
}

/// What a disassembler answers.
struct Decoded {
    /// Where the instruction jumps to, calls or reads, if it says so itself.
    target: Option<u64>,
    /// The mnemonic in a column of [`MNEMONIC`] characters, then the operands.
    text: String,
}

/// Width of the column of mnemonics.
const MNEMONIC: usize = 8;

type Resolve<'a> = dyn Fn(u64) -> Option<String> + 'a;

impl Listing<'_> {
    /// The text, each line ended.
    pub fn text(&self) -> String {
        let labels = self.labels();
        let name = |address: u64| -> Option<String> {
            self.names.get(&address).cloned().or_else(|| Some(format!("L{}", labels.get(&address)?)))
        };
        let mut text = String::new();
        let mut notes = self.notes.iter().peekable();
        self.each_piece(&name, |offset, piece| {
            while let Some(note) = notes.next_if(|note| note.offset <= offset) {
                writeln!(text, "  ; {}", note.text).unwrap(); // a String takes everything
            }
            if let Some(name) = name(self.address + offset as u64) {
                writeln!(text, "{name}:").unwrap();
            }
            writeln!(text, "  {offset:04x}  {}", piece.text).unwrap();
        });
        for note in notes {
            writeln!(text, "  ; {}", note.text).unwrap();
        }
        text
    }

    /// The places in this code that it refers to itself and that have no name, numbered as they lie.
    fn labels(&self) -> BTreeMap<u64, usize> {
        let (mut starts, mut targets) = (BTreeSet::new(), BTreeSet::new());
        self.each_piece(&|_| None, |offset, piece| {
            starts.insert(self.address + offset as u64);
            targets.extend(piece.target);
        });
        let local = targets.intersection(&starts).filter(|address| !self.names.contains_key(address));
        local.enumerate().map(|(number, &address)| (address, number)).collect()
    }

    /// Instructions and data in order.
    fn each_piece(&self, name: &Resolve<'_>, mut piece: impl FnMut(usize, Decoded)) {
        let mut at = 0;
        for data in self.data.iter().cloned().chain(std::iter::once(self.code.len()..self.code.len())) {
            let code = &self.code[at..data.start];
            let instructions = |offset: usize, decoded| piece(at + offset, decoded);
            match self.architecture {
                Architecture::X86_64 => x86_64::decode(code, self.address + at as u64, name, instructions),
                #[cfg(feature = "aarch64-listing")]
                Architecture::Aarch64 => aarch64::decode(code, self.address + at as u64, name, instructions),
            }
            let mut offset = data.start;
            for bytes in self.code[data.clone()].chunks(8) {
                piece(offset, constant(bytes));
                offset += bytes.len();
            }
            at = data.end;
        }
    }
}

fn constant(bytes: &[u8]) -> Decoded {
    let text = match <[u8; 8]>::try_from(bytes) {
        Ok(quad) => format!("{:MNEMONIC$}{:#018x}", ".quad", u64::from_le_bytes(quad)),
        Err(_) => {
            let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:#04x}")).collect();
            format!("{:MNEMONIC$}{}", ".byte", bytes.join(", "))
        }
    };
    Decoded { target: None, text }
}
