//! Why a recording came to nothing.

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Abort {
    /// More instructions than the limit.
    TraceTooLong,
    InnerLoopWithoutTree,
    InnerLoopLeftEarly,
    /// An error, an end, or something to wait for.
    ProgramEnded,
    /// Before the back edge.
    LeftLoop,
    /// What may wait cannot be called from native code, only followed.
    RecursionWaits,
}
