//! Why a loop is serial: the reasons, in words a programmer can act on.
//!
//! This text is the user interface. Each reason says what stands in the way and what to change; the place of the
//! offending line is beside it.

use std::collections::BTreeSet;

use scaly_interp::program::Pc;

use crate::walker::Open;

/// Why iterations cannot run in any order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reason {
    /// Not every path could be followed.
    Open(Open),
    /// There is no trip count when the loop starts.
    NotCounted(NotCounted),
    /// It may end before its last iteration.
    Leaves {
        returns: bool,
    },
    /// An iteration reads what an earlier one left in this variable.
    Carried {
        variable: String,
    },
    /// The first best one so far is looked for, and finding one decides about more than what is kept of it.
    DecidesMore {
        variable: String,
    },
    /// Set on some paths only, and read behind the loop.
    SometimesSet {
        variable: String,
    },
    /// Rounding depends on the order of additions.
    FloatSum {
        variable: String,
    },
    /// It accumulates, but is read before the loop ends.
    ReadHalfway {
        variable: String,
    },
    /// It accumulates in two ways that do not commute.
    MixedReduction {
        variable: String,
    },
    /// Where an element goes depends on how many came before.
    Grows {
        variable: String,
        by: Growth,
        /// The instructions that look for room.
        rooms: BTreeSet<Pc>,
    },
    /// Every iteration stores at the same place.
    SamePlace {
        variable: String,
    },
    /// Where it stores is not a sum of counters.
    UnknownIndex {
        variable: String,
    },
    /// The places that different iterations store to may be the same.
    OverlappingStores {
        variable: String,
    },
    /// An iteration loads what another one stores.
    Neighbour {
        variable: String,
    },
    /// Two variables may name the same memory, and no test at the start can tell.
    MayOverlap {
        variable: String,
        other: String,
        /// One of them is a slice.
        sliced: bool,
    },
    /// Where a pointer leads is not known.
    UnknownMemory,
    /// Storage moves from one element to another.
    Moves {
        variable: String,
    },
    Prints {
        by: String,
    },
    Reads {
        by: String,
    },
    Waits {
        by: String,
    },
}

/// What a variable that grows gathers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Growth {
    /// Elements of an array.
    Elements,
    /// Text: a `StringBuilder`, or a `String` that is made longer.
    Text,
    /// What a map, a set or a list of the library holds.
    Entries,
}

impl Growth {
    /// By the library's routine that was called, if it was one.
    pub fn of(routine: Option<&str>) -> Growth {
        match routine.and_then(|name| name.split(['[', '.']).next()) {
            Some("HashMap" | "HashSet" | "List") => Growth::Entries,
            Some("StringBuilder" | "String") => Growth::Text,
            _ => Growth::Elements,
        }
    }
}

impl Reason {
    /// One of each that is about the loop itself, of variables of these names: for tests that want all of them.
    pub fn all(variable: &str) -> impl Iterator<Item = Reason> {
        std::iter::successors(Some(Reason::NotCounted(NotCounted::NoCounter)), move |before| before.next(variable))
    }

    /// The compiler sees to it that none is forgotten.
    fn next(&self, variable: &str) -> Option<Reason> {
        let (variable, rooms) = (variable.to_string(), BTreeSet::new());
        Some(match self {
            Reason::NotCounted(NotCounted::NoCounter) => Reason::NotCounted(NotCounted::LimitVaries),
            Reason::NotCounted(NotCounted::LimitVaries) => Reason::NotCounted(NotCounted::TestedLate),
            Reason::NotCounted(NotCounted::TestedLate) => Reason::Leaves { returns: false },
            Reason::Leaves { returns: false } => Reason::Leaves { returns: true },
            Reason::Leaves { returns: true } => Reason::Carried { variable },
            Reason::Carried { .. } => Reason::DecidesMore { variable },
            Reason::DecidesMore { .. } => Reason::SometimesSet { variable },
            Reason::SometimesSet { .. } => Reason::FloatSum { variable },
            Reason::FloatSum { .. } => Reason::ReadHalfway { variable },
            Reason::ReadHalfway { .. } => Reason::MixedReduction { variable },
            Reason::MixedReduction { .. } => Reason::Grows { variable, by: Growth::Elements, rooms },
            Reason::Grows { by: Growth::Elements, .. } => Reason::Grows { variable, by: Growth::Text, rooms },
            Reason::Grows { by: Growth::Text, .. } => Reason::Grows { variable, by: Growth::Entries, rooms },
            Reason::Grows { by: Growth::Entries, .. } => Reason::SamePlace { variable },
            Reason::SamePlace { .. } => Reason::UnknownIndex { variable },
            Reason::UnknownIndex { .. } => Reason::OverlappingStores { variable },
            Reason::OverlappingStores { .. } => Reason::Neighbour { variable },
            Reason::Neighbour { .. } => Reason::MayOverlap { other: variable.clone(), variable, sliced: true },
            Reason::MayOverlap { sliced: true, .. } => {
                Reason::MayOverlap { other: variable.clone(), variable, sliced: false }
            }
            Reason::MayOverlap { sliced: false, .. } => Reason::UnknownMemory,
            Reason::UnknownMemory => Reason::Moves { variable },
            Reason::Moves { .. } => Reason::Prints { by: variable },
            Reason::Prints { .. } => Reason::Reads { by: variable },
            Reason::Reads { .. } => Reason::Waits { by: variable },
            Reason::Waits { .. } | Reason::Open(_) => return None,
        })
    }
}

/// Why there is no trip count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotCounted {
    NoCounter,
    LimitVaries,
    TestedLate,
}

/// A reason and the instruction that it is about, in the source the programmer wrote.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub reason: Reason,
    pub pc: Pc,
}

impl Refusal {
    pub fn new(reason: Reason, pc: Pc) -> Refusal {
        Refusal { reason, pc }
    }

    /// The reason's name, as a log spells it.
    pub fn name(&self) -> &'static str {
        match &self.reason {
            Reason::Open(_) => "open",
            Reason::NotCounted(_) => "not-counted",
            Reason::Leaves { .. } => "leaves",
            Reason::Carried { .. } => "carried",
            Reason::DecidesMore { .. } => "decides-more",
            Reason::SometimesSet { .. } => "sometimes-set",
            Reason::FloatSum { .. } => "float-sum",
            Reason::ReadHalfway { .. } => "read-halfway",
            Reason::MixedReduction { .. } => "mixed-reduction",
            Reason::Grows { .. } => "grows",
            Reason::SamePlace { .. } => "same-place",
            Reason::UnknownIndex { .. } => "unknown-index",
            Reason::OverlappingStores { .. } => "overlapping-stores",
            Reason::Neighbour { .. } => "neighbour",
            Reason::MayOverlap { .. } => "may-overlap",
            Reason::UnknownMemory => "unknown-memory",
            Reason::Moves { .. } => "moves",
            Reason::Prints { .. } => "prints",
            Reason::Reads { .. } => "reads",
            Reason::Waits { .. } => "waits",
        }
    }

    /// The variable that it is about.
    pub fn variable(&self) -> Option<String> {
        match &self.reason {
            Reason::Carried { variable }
            | Reason::DecidesMore { variable }
            | Reason::SometimesSet { variable }
            | Reason::FloatSum { variable }
            | Reason::ReadHalfway { variable }
            | Reason::MixedReduction { variable }
            | Reason::Grows { variable, .. }
            | Reason::SamePlace { variable }
            | Reason::UnknownIndex { variable }
            | Reason::OverlappingStores { variable }
            | Reason::Neighbour { variable }
            | Reason::MayOverlap { variable, .. }
            | Reason::Moves { variable } => Some(variable.clone()),
            _ => None,
        }
    }

    /// About which elements of an array are stored and loaded.
    pub fn about_elements(&self) -> bool {
        matches!(
            self.reason,
            Reason::SamePlace { .. }
                | Reason::UnknownIndex { .. }
                | Reason::OverlappingStores { .. }
                | Reason::Neighbour { .. }
        )
    }

    /// Whether the loop touches the world outside of the program, so that no analysis could free it.
    pub fn external(&self) -> bool {
        matches!(self.reason, Reason::Prints { .. } | Reason::Reads { .. } | Reason::Waits { .. })
    }

    /// What stands in the way.
    pub fn text(&self) -> String {
        match &self.reason {
            Reason::Open(open) => open.text(),
            Reason::NotCounted(why) => match why {
                NotCounted::NoCounter => "the number of iterations is not known when the loop starts".into(),
                NotCounted::LimitVaries => "its condition depends on what the loop computes".into(),
                NotCounted::TestedLate => "its condition is tested after the body has begun".into(),
            },
            Reason::Leaves { returns: true } => "it may return from inside of the loop".into(),
            Reason::Leaves { returns: false } => "it may end before its last iteration".into(),
            Reason::Carried { variable } => format!("each iteration needs {variable} from the one before"),
            Reason::DecidesMore { variable } => {
                format!("where a better {variable} is found, more is done than to keep what belongs to it")
            }
            Reason::SometimesSet { variable } => {
                format!("{variable} is set on some paths only, and its last value is used behind the loop")
            }
            Reason::FloatSum { variable } => {
                format!("{variable} is a sum of floats, whose rounding depends on the order of the additions")
            }
            Reason::ReadHalfway { variable } => format!("{variable} accumulates, but is read before the loop ends"),
            Reason::MixedReduction { variable } => {
                format!("{variable} accumulates in different ways whose order matters")
            }
            Reason::Grows { variable, by: Growth::Elements | Growth::Entries, .. } => {
                format!("{variable} grows: where an element goes depends on how many came before")
            }
            Reason::Grows { variable, by: Growth::Text, .. } => {
                format!("{variable} grows: where a text goes depends on those before it")
            }
            Reason::SamePlace { variable } => format!("every iteration stores to the same place of {variable}"),
            Reason::UnknownIndex { variable } => {
                format!("which element of {variable} is stored depends on data, so two iterations may store to one")
            }
            Reason::OverlappingStores { variable } => {
                format!("different iterations may store to the same element of {variable}")
            }
            Reason::Neighbour { variable } => format!("an iteration reads elements of {variable} that others write"),
            Reason::MayOverlap { variable, other, sliced: false } if variable == other => {
                format!("what one iteration writes in {variable} another may read")
            }
            Reason::MayOverlap { variable, other, .. } => {
                format!("{variable} and {other} may be the same memory")
            }
            Reason::UnknownMemory => "it is not known which memory is written here".into(),
            Reason::Moves { variable } => format!("storage moves between elements of {variable}"),
            Reason::Prints { by } => format!("{by} writes to the world outside, in the order of the iterations"),
            Reason::Reads { by } => format!("{by} reads from the world outside, in the order of the iterations"),
            Reason::Waits { by } => format!("{by} may wait for something outside"),
        }
    }

    /// What to change.
    pub fn help(&self) -> Option<String> {
        Some(match &self.reason {
            Reason::Open(_) | Reason::UnknownMemory | Reason::MayOverlap { sliced: false, .. } => return None,
            Reason::NotCounted(_) => "use `for i in 0..n` where the number of iterations is known".into(),
            Reason::Leaves { .. } => {
                "let every iteration run and remember what was found, or split the search from the work".into()
            }
            Reason::Carried { variable } => {
                format!("compute {variable} from the loop's counter, or declare it in the loop")
            }
            Reason::DecidesMore { variable } => {
                format!("keep the place of {variable} in the loop, and do the rest behind it")
            }
            Reason::SometimesSet { variable } => format!("set {variable} on every path, or store it by index"),
            Reason::FloatSum { .. } => {
                "store the terms in an array and use its `sum()`, which has a fixed order".into()
            }
            Reason::ReadHalfway { variable } => format!("read {variable} behind the loop only"),
            Reason::MixedReduction { variable } => format!("use one operation for {variable}, or two variables"),
            Reason::Grows { variable, by: Growth::Elements, .. } => {
                format!("make {variable} as long as needed before the loop and store by index")
            }
            Reason::Grows { variable, by: Growth::Text, .. } => {
                format!(
                    "store the text of each iteration in an array by index, and `join` them to {variable} behind the \
                     loop"
                )
            }
            Reason::Grows { variable, by: Growth::Entries, .. } => {
                format!("store what goes into {variable} in arrays by index, and fill it behind the loop")
            }
            Reason::SamePlace { .. } => "store to an element of its own for each iteration".into(),
            Reason::UnknownIndex { .. } | Reason::OverlappingStores { .. } => {
                "index with the loop's counter, or with `y * width + x` for a row and a column".into()
            }
            Reason::Neighbour { variable } => format!("read from a copy of {variable}, and write to the other"),
            Reason::MayOverlap { .. } => "pass arrays instead of slices, or copy one of them before the loop".into(),
            Reason::Moves { .. } => "store new values instead of moving old ones".into(),
            Reason::Prints { .. } => "collect the text in an array by index and print it behind the loop".into(),
            Reason::Reads { .. } => "read everything before the loop".into(),
            Reason::Waits { .. } => "wait before the loop, or behind it".into(),
        })
    }
}
