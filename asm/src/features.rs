//! What the processor has beyond SSE2.

/// Extensions that code may use.
///
/// The processor is asked when the first instruction is emitted that depends on the answer, which most programs do not
/// have: under a hypervisor each `cpuid` is a trap, and the standard library does a dozen of them, 50 to 70 µs in all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Features {
    /// Those of the processor that this runs on.
    #[default]
    Detected,
    /// What every x86-64 has.
    Baseline,
}

impl Features {
    pub fn sse41(self) -> bool {
        self == Features::Detected && is_x86_feature_detected!("sse4.1")
    }

    pub fn popcnt(self) -> bool {
        self == Features::Detected && is_x86_feature_detected!("popcnt")
    }

    pub fn lzcnt(self) -> bool {
        self == Features::Detected && is_x86_feature_detected!("lzcnt")
    }

    pub fn bmi1(self) -> bool {
        self == Features::Detected && is_x86_feature_detected!("bmi1")
    }
}
