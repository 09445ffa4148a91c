//! What memory a pointer in a function may point into, by where the pointer came from.

use std::fmt;

/// Where a pointer came from, seen from inside of one function.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Source {
    /// The caller put it into this parameter slot.
    Param(u16),
    /// Made by the allocation or call at this instruction, as its result slot of this number.
    Fresh { pc: u32, result: u16 },
    /// A string constant.
    Text,
    /// The program's globals.
    Global,
}

/// A block of memory, or all that is owned by one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Place {
    pub source: Source,
    /// Not the block itself, but something that is reached through a pointer in it.
    pub below: bool,
}

impl Place {
    pub fn of(source: Source) -> Place {
        Place { source, below: false }
    }

    pub fn below(self) -> Place {
        Place { below: true, ..self }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source {
            Source::Param(slot) => write!(f, "param{slot}")?,
            Source::Fresh { pc: u32::MAX, result } => write!(f, "new{result}")?,
            Source::Fresh { pc, result } => write!(f, "new{result}@{pc}")?,
            Source::Text => write!(f, "text")?,
            Source::Global => write!(f, "global")?,
        }
        if self.below { f.write_str(".*") } else { Ok(()) }
    }
}

/// A small sorted set of places.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Places(Vec<Place>);

impl Places {
    pub fn one(place: Place) -> Places {
        Places(vec![place])
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = Place> + '_ {
        self.0.iter().copied()
    }

    pub fn has(&self, place: Place) -> bool {
        self.0.binary_search(&place).is_ok()
    }

    /// True if it was not there.
    pub fn add(&mut self, place: Place) -> bool {
        match self.0.binary_search(&place) {
            Ok(_) => false,
            Err(at) => {
                self.0.insert(at, place);
                true
            }
        }
    }

    /// True if the set grew.
    pub fn unite(&mut self, other: &Places) -> bool {
        let mut grew = false;
        for place in other.iter() {
            grew |= self.add(place);
        }
        grew
    }
}

impl FromIterator<Place> for Places {
    fn from_iter<I: IntoIterator<Item = Place>>(items: I) -> Places {
        let mut places = Places::default();
        for place in items {
            places.add(place);
        }
        places
    }
}

impl fmt::Display for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, place) in self.0.iter().enumerate() {
            let space = if i > 0 { " " } else { "" };
            write!(f, "{space}{place}")?;
        }
        Ok(())
    }
}
