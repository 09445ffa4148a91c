//! Where the parts meet: source text to program image to result.

/// How a program is compiled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Print the last value of the program, as `-e` does.
    pub echo: bool,
    /// A `function` that breaks its promise is an error.
    pub strict: bool,
}

/// How a program is run.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunOptions {
    /// Every memory region in a mapping of its own, freed storage poisoned.
    pub guard_regions: bool,
    /// Bytes that regions may hold altogether.
    pub memory_limit: Option<u64>,
    /// 64-bit slots that the frames of nested calls may take.
    pub stack_slots: Option<u64>,
}
