//! The runtime routines: what programs need that is not written in Scaly.
//!
//! One table, [`Routine`], names each with its arguments, results and effects. It drives lowering, listings, the
//! verifier, the walker's independence analysis and the dependence oracle alike, so a row must tell the whole truth.
//! Arguments lie in slots from the `Runtime` instruction's `a` in the order of the row; results come back from the same
//! slot on. No routine calls back into Scaly code.
//!
//! Rejected: one opcode for each. A routine costs a call anyway, and 250 opcodes are enough for one `match`.

mod block;
mod builder;
mod outside;
mod run;
mod slots;
mod string;
mod table;

pub use run::Entry;
pub(crate) use run::call;
pub use string::{compare as compare_texts, hash as hash_text};
pub use table::Routine;

/// What an argument or result is, and how many slots it takes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// An integer, bool or character: one slot.
    Word,
    /// An f64.
    Float,
    /// An f32.
    Single,
    /// The handle of a region.
    Region,
    /// The address of a block or of something inside of one; 0 is none.
    Pointer,
    /// Pointer and length in bytes of text or of a byte array: two slots.
    Bytes,
    /// Pointer and length in elements, whose stride is another argument: two slots.
    Array,
}

impl Kind {
    pub const fn slots(self) -> u16 {
        match self {
            Kind::Word | Kind::Float | Kind::Single | Kind::Region | Kind::Pointer => 1,
            Kind::Bytes | Kind::Array => 2,
        }
    }
}

/// An argument or a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Value {
    pub name: &'static str,
    pub kind: Kind,
}

/// Which memory an argument stands for. Slots are counted from the first argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    /// The slot of the address.
    pub pointer: u16,
    /// The slot of the count.
    pub count: u16,
    /// The slot that the count is multiplied by, if any: the stride of elements; else the count is of bytes.
    pub stride: Option<u16>,
}

/// One thing that a routine does beside computing results from its argument slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Loads from this memory.
    Reads(Extent),
    /// Stores to this memory.
    Writes(Extent),
    /// Stores to the block of this array or text behind its length, where there is room; else moves it to a larger block
    /// and frees the old one. The result is the block that holds it now.
    Appends { pointer: u16, count: u16 },
    /// The result is a new block of the region in this slot, that nothing else points to.
    Allocates { region: u16 },
    /// The block at the address in this slot goes back to its region; a null pointer or a constant is left alone.
    Frees { pointer: u16 },
    /// Makes a region, within the innermost one.
    EntersRegion,
    /// Frees all blocks of the region in this slot.
    ResetsRegion { region: u16 },
    /// Frees all blocks of the region in this slot and ends it.
    ExitsRegion { region: u16 },
    /// Changes something outside of the program: output, files.
    Output,
    /// Reads something outside of the program that may change: input, files, clocks.
    Input,
    /// May wait for something outside of the program.
    Blocks,
    /// May end the program with an error (running out of memory apart, which every allocation may).
    Faults,
    /// Does not come back.
    Stops,
}

/// A row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signature {
    pub name: &'static str,
    pub params: &'static [Value],
    pub results: &'static [Value],
    pub effects: &'static [Effect],
}

impl Signature {
    pub fn param_slots(&self) -> u16 {
        slots(self.params)
    }

    pub fn result_slots(&self) -> u16 {
        slots(self.results)
    }

    /// Slots from the instruction's `a` that are read or written.
    pub fn slots(&self) -> u16 {
        self.param_slots().max(self.result_slots())
    }

    /// Results depend on the argument slots only, and nothing else happens.
    pub fn pure(&self) -> bool {
        self.effects.is_empty()
    }

    /// Touches the world outside of the program's memory.
    pub fn external(&self) -> bool {
        self.effects.iter().any(|e| matches!(e, Effect::Output | Effect::Input | Effect::Blocks | Effect::Stops))
    }

    /// All that it does outside is to end the program with an error.
    pub fn only_fails(&self) -> bool {
        let outside = |e: &Effect| matches!(e, Effect::Output | Effect::Input | Effect::Blocks);
        self.may_fault() && self.effects.contains(&Effect::Stops) && !self.effects.iter().any(outside)
    }

    pub fn may_fault(&self) -> bool {
        self.effects.contains(&Effect::Faults)
    }
}

/// Slots of values that follow one another.
pub const fn slots(values: &[Value]) -> u16 {
    let (mut i, mut sum) = (0, 0);
    while i < values.len() {
        sum += values[i].kind.slots();
        i += 1;
    }
    sum
}

/// The slot of a parameter by its name; a name that is not there stops the compilation of the table.
const fn slot_of(params: &[Value], name: &str) -> u16 {
    let (mut i, mut slot) = (0, 0);
    while i < params.len() {
        if same(params[i].name.as_bytes(), name.as_bytes()) {
            return slot;
        }
        slot += params[i].kind.slots();
        i += 1;
    }
    panic!("no parameter of this name")
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_follow_the_row() {
        let signature = Routine::ArrayGrow.signature();
        assert_eq!((signature.param_slots(), signature.result_slots()), (5, 1));
        let Effect::Allocates { region } = signature.effects[0] else { panic!("{:?}", signature.effects) };
        assert_eq!(region, 0);
        let concat = Routine::StringConcat.signature();
        assert!(concat.effects.contains(&Effect::Reads(Extent { pointer: 3, count: 4, stride: None })));
    }

    #[test]
    fn names_are_found_again() {
        for &routine in Routine::ALL {
            assert_eq!(Routine::by_name(routine.name()), Some(routine));
            assert_eq!(Routine::from_number(routine as u32), Some(routine));
        }
        assert_eq!(Routine::from_number(Routine::ALL.len() as u32), None);
    }

    #[test]
    fn what_allocates_is_not_pure() {
        assert!(Routine::StringCompare.signature().effects.iter().all(|e| matches!(e, Effect::Reads(_))));
        assert!(Routine::ArgsLength.signature().pure());
    }
}
