//! Why a recording came to nothing: the reasons, in words.
//!
//! This text is the user interface. A reason says what stood in the way, [`Abort::help`] what to do about it, and
//! [`Abort::concern`] whether anybody has to: most aborts pass by themselves.

/// Whom a reason concerns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Concern {
    /// Nobody: the next recording takes another course.
    Nobody,
    /// Who wrote the program: it can be written so that it runs natively.
    Program,
    /// Who chose the parameters: one of them is the limit.
    Parameters,
    /// Who runs the machine.
    Machine,
}

macro_rules! aborts {
    ($($(#[$doc:meta])* $reason:ident: $name:literal, $concern:ident, $text:literal, $help:expr;)*) => {
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub enum Abort {
            $($(#[$doc])* $reason,)*
        }

        impl Abort {
            pub const ALL: &[Abort] = &[$(Abort::$reason,)*];

            /// The reason's name, as JSON lines and statistics spell it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Abort::$reason => $name,)*
                }
            }

            /// What stood in the way.
            pub fn text(self) -> &'static str {
                match self {
                    $(Abort::$reason => $text,)*
                }
            }

            /// What to do about it, where there is something.
            pub fn help(self) -> Option<&'static str> {
                match self {
                    $(Abort::$reason => $help,)*
                }
            }

            pub fn concern(self) -> Concern {
                match self {
                    $(Abort::$reason => Concern::$concern,)*
                }
            }
        }
    };
}

aborts! {
    /// `max_trace`
    TraceTooLong: "trace-too-long", Parameters, "one pass takes more instructions than a trace may have",
        Some("move a part of it into a function of its own, or raise max_trace");
    /// `max_exits`
    TooManyExits: "too-many-exits", Parameters, "the path has more decisions than a trace may have exits",
        Some("move a part of it into a function of its own, or raise max_exits");
    /// `max_side_traces`
    TooManySideTraces: "too-many-side-traces", Parameters, "its tree has as many side traces as it may",
        Some("the loop takes very many paths; raise max_side_traces if they are worth it");
    /// `spills`
    TooManyValues: "too-many-values", Parameters, "more values are alive at once than native code keeps",
        Some("raise spills, or do the work in smaller functions");
    InnerLoopWithoutTree: "inner-loop-without-trace", Nobody, "an inner loop has no trace yet; it comes first",
        None;
    /// By an exit that is not the end of the loop.
    InnerLoopLeftEarly: "inner-loop-left-early", Nobody, "an inner loop was left in the middle, on its way to a trace of that path",
        None;
    LeftLoop: "left-loop", Nobody, "the loop ended before it came round; the recording began in its last iteration",
        None;
    TreeDropped: "tree-dropped", Nobody, "a tree that it belongs to or calls was dropped while it was recorded",
        None;
    ProgramEnded: "program-ended", Nobody, "the program ended or failed while it was recorded",
        None;
    /// Neither inlined, as it is recursive or too deep, nor a native call.
    RecursionWaits: "recursion-waits", Program, "a recursive call may wait for input or output, so it cannot be a native call",
        Some("take input and output out of the recursive function");
    CodeMemoryFull: "code-memory-full", Parameters, "the code memory is full, and nothing in it could be dropped",
        Some("raise code_memory");
    CodeMemoryRefused: "code-memory-refused", Machine, "the system gives no memory for machine code",
        Some("look for limits on memory or on executable mappings (ulimit -v, containers, SELinux)");
}
