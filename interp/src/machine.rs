//! What an instruction may ask of whoever executes it.
//!
//! `step` is written over this trait. The interpreter computes with real values, the recorder computes and writes trace
//! IR beside it, the walker only builds IR. An opcode makes all its checks before its first effect and decides at most
//! once, behind the checks and before any effect; control is only in its result.

/// Integer operations on 64-bit words.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IntOp {
    Add,
    Sub,
    Mul,
    /// The divisor has been checked against zero.
    DivS,
    DivU,
    RemS,
    RemU,
    And,
    Or,
    Xor,
    Shl,
    ShrS,
    ShrU,
    MinS,
    MaxS,
    MinU,
    MaxU,
    MulHighU,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IntUnary {
    Neg,
    Not,
    AbsS,
    PopCount,
    LeadingZeros,
    TrailingZeros,
    Wrap(IntKind),
}

/// Width and signedness of an integer type; the number is what `F64ToInt` carries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum IntKind {
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
}

impl IntKind {
    pub const ALL: [IntKind; 8] =
        [IntKind::I8, IntKind::I16, IntKind::I32, IntKind::I64, IntKind::U8, IntKind::U16, IntKind::U32, IntKind::U64];

    /// As the language spells the type.
    pub fn name(self) -> &'static str {
        match self {
            IntKind::I8 => "i8",
            IntKind::I16 => "i16",
            IntKind::I32 => "i32",
            IntKind::I64 => "i64",
            IntKind::U8 => "u8",
            IntKind::U16 => "u16",
            IntKind::U32 => "u32",
            IntKind::U64 => "u64",
        }
    }

    #[inline(always)]
    pub fn from_number(number: u32) -> Option<IntKind> {
        Self::ALL.get(number as usize).copied()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IntCompare {
    Eq,
    Ne,
    LtS,
    LeS,
    LtU,
    LeU,
}

impl IntCompare {
    /// The comparison of the same operands that holds where this one does not.
    pub fn negated<T>(self, a: T, b: T) -> (IntCompare, T, T) {
        match self {
            IntCompare::Eq => (IntCompare::Ne, a, b),
            IntCompare::Ne => (IntCompare::Eq, a, b),
            IntCompare::LtS => (IntCompare::LeS, b, a),
            IntCompare::LeS => (IntCompare::LtS, b, a),
            IntCompare::LtU => (IntCompare::LeU, b, a),
            IntCompare::LeU => (IntCompare::LtU, b, a),
        }
    }
}

/// Operations on f64 and f32 alike.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FloatOp {
    Add,
    Sub,
    Mul,
    Div,
    /// if b < a: b else a
    Min,
    /// if a < b: b else a
    Max,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FloatUnary {
    Neg,
    Abs,
    Sqrt,
    Floor,
    Ceil,
    Trunc,
    Round,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FloatCompare {
    Eq,
    Ne,
    Lt,
    Le,
}

/// What lies in memory at an address, for integer loads and stores.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IntMemory {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
}

/// Why a program ends with an error of its own. The numbers in a message (index, length) are read from the operands of
/// the instruction that faulted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Fault {
    IndexOutOfRange,
    DivisionByZero,
    StackExhausted,
    OutOfMemory,
    NegativeLength,
    /// `u.value` of a variant without one, or a payload of another variant.
    WrongVariant,
    KeyAbsent,
    /// A string cut inside a character, or outside of the string.
    StringCut,
    AssertionFailed,
    /// `unwrap` of nothing, `pop` of an empty array, and the like; the text is given to the routine that faults.
    Message,
    /// A file or stream could not be read or written; the routine that faults gives the text.
    InputOutput,
    /// `x.value` of an optional that is null.
    Null,
}

impl Fault {
    pub const ALL: [Fault; 12] = [
        Fault::IndexOutOfRange,
        Fault::DivisionByZero,
        Fault::StackExhausted,
        Fault::OutOfMemory,
        Fault::NegativeLength,
        Fault::WrongVariant,
        Fault::KeyAbsent,
        Fault::StringCut,
        Fault::AssertionFailed,
        Fault::Message,
        Fault::InputOutput,
        Fault::Null,
    ];

    pub fn from_number(number: u32) -> Option<Fault> {
        Self::ALL.get(number as usize).copied()
    }
}

/// Where execution goes on after an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// The next instruction.
    Seq,
    /// The instruction with this index.
    Jump(u32),
    /// The same, over the back edge of a loop: counted.
    Loop { target: u32, id: u32 },
    /// A call; the callee's frame begins at the caller's slot `frame`.
    Call { function: u32, frame: u16 },
    /// A call of the function value in slots `value`, `value + 1`.
    CallIndirect { value: u16, frame: u16 },
    /// `count` slots from `from` are the results.
    Return { from: u16, count: u16 },
    /// A runtime routine; arguments and results at slot `frame`.
    Runtime { routine: u32, frame: u16 },
    /// The program ends with an error.
    Fault(Fault),
}

/// Gives meaning to values. Every method is total.
pub trait Machine {
    /// A 64-bit word: integers of all widths, bools, characters, addresses.
    type Word: Copy;
    /// An f64.
    type Float: Copy;
    /// An f32.
    type Single: Copy;
    /// A condition.
    type Cond: Copy;

    fn word(&mut self, slot: u16) -> Self::Word;
    /// The length of the pair at a slot: what is in the slot behind it.
    #[inline(always)]
    fn length(&mut self, slot: u16) -> Self::Word {
        self.word(slot + 1)
    }
    fn float(&mut self, slot: u16) -> Self::Float;
    fn single(&mut self, slot: u16) -> Self::Single;
    fn set_word(&mut self, slot: u16, value: Self::Word);
    fn set_float(&mut self, slot: u16, value: Self::Float);
    fn set_single(&mut self, slot: u16, value: Self::Single);
    /// Copies `count` slots of unknown types; the ranges may overlap.
    fn move_slots(&mut self, to: u16, from: u16, count: u32);

    fn const_word(&mut self, value: i64) -> Self::Word;
    fn const_float(&mut self, bits: u64) -> Self::Float;
    fn const_single(&mut self, bits: u32) -> Self::Single;
    /// Address and length of a string constant.
    fn text(&mut self, id: u32) -> (Self::Word, Self::Word);
    /// Address of a byte of the program's globals.
    fn global(&mut self, offset: u32) -> Self::Word;

    fn int(&mut self, op: IntOp, a: Self::Word, b: Self::Word) -> Self::Word;
    fn int_unary(&mut self, op: IntUnary, a: Self::Word) -> Self::Word;
    fn compare(&mut self, op: IntCompare, a: Self::Word, b: Self::Word) -> Self::Cond;
    fn float_op(&mut self, op: FloatOp, a: Self::Float, b: Self::Float) -> Self::Float;
    fn float_unary(&mut self, op: FloatUnary, a: Self::Float) -> Self::Float;
    fn float_compare(&mut self, op: FloatCompare, a: Self::Float, b: Self::Float) -> Self::Cond;
    fn single_op(&mut self, op: FloatOp, a: Self::Single, b: Self::Single) -> Self::Single;
    fn single_unary(&mut self, op: FloatUnary, a: Self::Single) -> Self::Single;
    fn single_compare(&mut self, op: FloatCompare, a: Self::Single, b: Self::Single) -> Self::Cond;
    /// 1 or 0.
    fn cond_word(&mut self, cond: Self::Cond) -> Self::Word;
    fn not(&mut self, cond: Self::Cond) -> Self::Cond;

    fn int_to_float(&mut self, signed: bool, a: Self::Word) -> Self::Float;
    fn int_to_single(&mut self, signed: bool, a: Self::Word) -> Self::Single;
    fn single_to_float(&mut self, a: Self::Single) -> Self::Float;
    fn float_to_single(&mut self, a: Self::Float) -> Self::Single;
    fn float_to_int(&mut self, kind: IntKind, a: Self::Float) -> Self::Word;
    fn float_bits(&mut self, a: Self::Float) -> Self::Word;
    fn single_bits(&mut self, a: Self::Single) -> Self::Word;
    fn bits_float(&mut self, a: Self::Word) -> Self::Float;
    fn bits_single(&mut self, a: Self::Word) -> Self::Single;

    /// base + index * stride + offset.
    fn element(&mut self, base: Self::Word, index: Self::Word, stride: u32, offset: u32) -> Self::Word;
    fn load_int(&mut self, kind: IntMemory, address: Self::Word, offset: u32) -> Self::Word;
    /// A word that may be a pointer; what `load_int` loads is none.
    fn load_pointer(&mut self, address: Self::Word, offset: u32) -> Self::Word {
        self.load_int(IntMemory::I64, address, offset)
    }
    fn load_float(&mut self, address: Self::Word, offset: u32) -> Self::Float;
    fn load_single(&mut self, address: Self::Word, offset: u32) -> Self::Single;
    fn store_int(&mut self, kind: IntMemory, address: Self::Word, offset: u32, value: Self::Word);
    fn store_float(&mut self, address: Self::Word, offset: u32, value: Self::Float);
    fn store_single(&mut self, address: Self::Word, offset: u32, value: Self::Single);
    /// Capacity in bytes of the block at an address; 0 at address 0.
    fn capacity(&mut self, base: Self::Word) -> Self::Word;

    /// False if the instruction must end with this fault. The recorder and the walker emit a guard and go on.
    fn check(&mut self, cond: Self::Cond, fault: Fault) -> bool;
    /// Which way a branch goes. The interpreter answers with the truth, the recorder too and emits a guard, the walker
    /// with the side that it is told.
    fn decide(&mut self, cond: Self::Cond) -> bool;
}
