//! Why a request for memory was refused.

use thiserror::Error;

/// A refused request. The program's memory is unchanged by it; sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MemoryError {
    /// The system has no more memory to give.
    #[error("out of memory: the system refused {requested} bytes")]
    OutOfMemory { requested: u64 },
    /// The process would hold more than its `--memory-limit`.
    #[error("out of memory: {requested} bytes more would exceed the limit of {limit} bytes")]
    Limit { requested: u64, limit: u64 },
    /// No machine can address this much: a length computed wrongly, most of the time.
    #[error("out of memory: {requested} bytes are more than can be addressed")]
    TooLarge { requested: u64 },
}
