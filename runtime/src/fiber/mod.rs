//! Fibers: pieces of work that wait without a thread, and the stacks that they run on.
//!
//! A Scaly fiber is a [`Task`]: its state is in its VM stack, and it waits *by return*: the interpreter's loop hands an
//! [`Operation`] to the [`Scheduler`], which takes the native stack back at once. Only a task that is switched away in
//! the middle of native code keeps its native stack; that is [`Worker::suspend`].
//!
//! [`Fiber`] is the switch itself: a Rust closure on a native stack of its own. corosensei does it where it knows the
//! processor (2 ns a switch), Boost's context elsewhere or with the feature `portable-fibers` (59 ns); both are tested.

#[cfg(any(
    test,
    feature = "portable-fibers",
    not(any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "x86",
        target_arch = "arm",
        target_arch = "riscv64",
        target_arch = "loongarch64"
    ))
))]
mod boost;
#[cfg(all(
    not(feature = "portable-fibers"),
    any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "x86",
        target_arch = "arm",
        target_arch = "riscv64",
        target_arch = "loongarch64"
    )
))]
mod corosensei;
mod join;
mod scheduler;
mod stack;
mod switch;
mod wait;

#[cfg(any(
    feature = "portable-fibers",
    not(any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "x86",
        target_arch = "arm",
        target_arch = "riscv64",
        target_arch = "loongarch64"
    ))
))]
use boost::Boost as Default;
#[cfg(all(
    not(feature = "portable-fibers"),
    any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "x86",
        target_arch = "arm",
        target_arch = "riscv64",
        target_arch = "loongarch64"
    )
))]
use corosensei::Corosensei as Default;

pub use scheduler::{FiberError, Scheduler, SchedulerOptions, Step, Task, Worker};
pub use stack::{DEFAULT_STACK, NativeStack};
pub use switch::{Resumed, Suspend};
pub use wait::Operation;

/// A closure on a native stack, by the switch that this build uses.
pub type Fiber = switch::Fiber<Default>;
