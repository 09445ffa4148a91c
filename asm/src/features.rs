//! What the processor has beyond SSE2.

/// Extensions that code may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Features {
    pub sse41: bool,
    pub popcnt: bool,
    pub lzcnt: bool,
    pub bmi1: bool,
}

impl Features {
    /// Of the processor that this runs on.
    pub fn detected() -> Features {
        Features {
            sse41: is_x86_feature_detected!("sse4.1"),
            popcnt: is_x86_feature_detected!("popcnt"),
            lzcnt: is_x86_feature_detected!("lzcnt"),
            bmi1: is_x86_feature_detected!("bmi1"),
        }
    }

    /// What every x86-64 has.
    pub const BASELINE: Features = Features { sse41: false, popcnt: false, lzcnt: false, bmi1: false };
}
