//! The one table of opcodes: name and operands.
//!
//! A row reads `Name a b c x y`, each operand by its [`Role`]. Integers of every width live in 64-bit slots, extended by
//! their own sign, so one 64-bit operation serves all widths, followed by a `Wrap…` where the type is narrower.
//! Signedness matters for division, remainder, right shift and order only. Pairs (`Use2`, `Def2`) are an array, slice or
//! string: pointer, then length.

/// What an operand field of an instruction means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Not used; zero.
    No,
    /// A slot that is read.
    Use,
    /// Two slots from here, read: pointer and length.
    Use2,
    /// `x` slots from here, read.
    UseN,
    /// A slot that is written.
    Def,
    /// Two slots from here, written.
    Def2,
    /// `x` slots from here, written.
    DefN,
    /// Two slots from here, read and written: a counted loop's value and remaining trips.
    Count2,
    /// The slot where a callee's frame begins: its arguments stand here, its results come back here.
    Frame,
    /// Index of the instruction to go on at, from the start of the program's code.
    Target,
    /// A loop of the program's loop table.
    Loop,
    /// A function of the program.
    Function,
    /// A [`Class`](crate::program::Class) of functions by number.
    Class,
    /// A runtime routine.
    Routine,
    /// A string constant of the program.
    Text,
    /// Which of `x` words may be pointers: bit i of word i, bit 15 of all from there on.
    Pointers,
    /// How many slots.
    Slots,
    /// Bytes from one array element to the next.
    Stride,
    /// Bytes from an address.
    Offset,
    /// A signed 32-bit constant.
    Short,
    /// `x` and `y` together: a 64-bit integer.
    Wide,
    /// `x` and `y` together: the bits of an f64.
    Real,
    /// `x`: the bits of an f32.
    Single,
    /// An [`IntKind`](crate::machine::IntKind) by number.
    Kind,
    /// A [`Fault`](crate::machine::Fault) by number.
    Fault,
}

/// The roles of the five operand fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Operands {
    pub a: Role,
    pub b: Role,
    pub c: Role,
    pub x: Role,
    pub y: Role,
}

macro_rules! opcodes {
    ($($(#[$doc:meta])* $name:ident $a:ident $b:ident $c:ident $x:ident $y:ident;)*) => {
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u16)]
        pub enum Opcode { $($(#[$doc])* $name,)* }

        impl Opcode {
            pub const ALL: &[Opcode] = &[$(Opcode::$name,)*];
            const NAMES: &[&str] = &[$(stringify!($name),)*];
            const OPERANDS: &[Operands] = &[$(Operands { a: Role::$a, b: Role::$b, c: Role::$c, x: Role::$x, y: Role::$y },)*];
        }
    };
}

impl Opcode {
    /// The name as listings spell it.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    pub fn operands(self) -> Operands {
        Self::OPERANDS[self as usize]
    }

    pub fn by_name(name: &str) -> Option<Opcode> {
        Self::NAMES.iter().position(|&n| n == name).map(|i| Self::ALL[i])
    }
}

opcodes! {
    // Slots and constants.
    Nop No No No No No;
    /// a = b
    Move Def Use No No No;
    /// x slots from a = x slots from b; the ranges may overlap
    MoveN DefN UseN No Slots No;
    /// a = the 64-bit immediate
    Const Def No No Wide Wide;
    ConstF64 Def No No Real Real;
    ConstF32 Def No No Single No;
    /// x slots from a = 0
    Zero DefN No No Slots No;
    /// a, a+1 = address and length of string constant x
    Text Def2 No No Text No;
    /// a = address of the program's globals + x bytes
    Global Def No No Offset No;

    // Integers: a = b op c, on 64 bits, wrapping.
    Add Def Use Use No No;
    Sub Def Use Use No No;
    Mul Def Use Use No No;
    /// Truncating; c = 0 is a fault; MIN / -1 is MIN.
    DivS Def Use Use No No;
    DivU Def Use Use No No;
    /// Takes the dividend's sign; c = 0 is a fault; MIN % -1 is 0.
    RemS Def Use Use No No;
    RemU Def Use Use No No;
    And Def Use Use No No;
    Or Def Use Use No No;
    Xor Def Use Use No No;
    /// Shift counts are taken modulo 64; narrower types mask the count first.
    Shl Def Use Use No No;
    ShrS Def Use Use No No;
    ShrU Def Use Use No No;
    MinS Def Use Use No No;
    MaxS Def Use Use No No;
    MinU Def Use Use No No;
    MaxU Def Use Use No No;
    /// The upper 64 bits of the unsigned product.
    MulHighU Def Use Use No No;
    // a = b op imm.
    AddImm Def Use No Wide Wide;
    MulImm Def Use No Wide Wide;
    AndImm Def Use No Wide Wide;
    OrImm Def Use No Wide Wide;
    XorImm Def Use No Wide Wide;
    ShlImm Def Use No Wide Wide;
    ShrSImm Def Use No Wide Wide;
    ShrUImm Def Use No Wide Wide;
    /// The immediate is not zero.
    DivSImm Def Use No Wide Wide;
    DivUImm Def Use No Wide Wide;
    RemSImm Def Use No Wide Wide;
    RemUImm Def Use No Wide Wide;
    // a = op b.
    Neg Def Use No No No;
    Not Def Use No No No;
    AbsS Def Use No No No;
    PopCount Def Use No No No;
    /// Of the 64-bit value; 64 for zero.
    LeadingZeros Def Use No No No;
    TrailingZeros Def Use No No No;
    WrapI8 Def Use No No No;
    WrapI16 Def Use No No No;
    WrapI32 Def Use No No No;
    WrapU8 Def Use No No No;
    WrapU16 Def Use No No No;
    WrapU32 Def Use No No No;

    // Comparisons: a = 1 or 0.
    Eq Def Use Use No No;
    Ne Def Use Use No No;
    LtS Def Use Use No No;
    LeS Def Use Use No No;
    LtU Def Use Use No No;
    LeU Def Use Use No No;
    EqImm Def Use No Wide Wide;
    NeImm Def Use No Wide Wide;
    LtSImm Def Use No Wide Wide;
    LeSImm Def Use No Wide Wide;
    GtSImm Def Use No Wide Wide;
    GeSImm Def Use No Wide Wide;
    /// a = not b, for a bool
    NotBool Def Use No No No;
    EqF64 Def Use Use No No;
    NeF64 Def Use Use No No;
    LtF64 Def Use Use No No;
    LeF64 Def Use Use No No;
    EqF32 Def Use Use No No;
    NeF32 Def Use Use No No;
    LtF32 Def Use Use No No;
    LeF32 Def Use Use No No;

    // Floats: a = b op c; IEEE, round to nearest even.
    AddF64 Def Use Use No No;
    SubF64 Def Use Use No No;
    MulF64 Def Use Use No No;
    DivF64 Def Use Use No No;
    /// if c < b: c else b
    MinF64 Def Use Use No No;
    /// if b < c: c else b
    MaxF64 Def Use Use No No;
    NegF64 Def Use No No No;
    AbsF64 Def Use No No No;
    SqrtF64 Def Use No No No;
    FloorF64 Def Use No No No;
    CeilF64 Def Use No No No;
    TruncF64 Def Use No No No;
    /// Half away from zero.
    RoundF64 Def Use No No No;
    AddF32 Def Use Use No No;
    SubF32 Def Use Use No No;
    MulF32 Def Use Use No No;
    DivF32 Def Use Use No No;
    MinF32 Def Use Use No No;
    MaxF32 Def Use Use No No;
    NegF32 Def Use No No No;
    AbsF32 Def Use No No No;
    SqrtF32 Def Use No No No;

    // Conversions; directly to the target, one rounding.
    I64ToF64 Def Use No No No;
    U64ToF64 Def Use No No No;
    I64ToF32 Def Use No No No;
    U64ToF32 Def Use No No No;
    F32ToF64 Def Use No No No;
    F64ToF32 Def Use No No No;
    /// Truncates, saturates at the bounds of the kind in x; NaN gives 0. An f32 goes through F32ToF64.
    F64ToInt Def Use No Kind No;
    /// The bits, of a NaN the canonical one (0x7ff8_0000_0000_0000).
    BitsF64 Def Use No No No;
    BitsF32 Def Use No No No;
    FromBitsF64 Def Use No No No;
    FromBitsF32 Def Use No No No;

    // Control. A branch to an earlier instruction is always `Loop` or `ForLoop`.
    Jump No No No Target No;
    JIf Use No No Target No;
    JIfNot Use No No Target No;
    JEq Use Use No Target No;
    JNe Use Use No Target No;
    JLtS Use Use No Target No;
    JLeS Use Use No Target No;
    JLtU Use Use No Target No;
    JLeU Use Use No Target No;
    JEqImm Use No No Target Short;
    JNeImm Use No No Target Short;
    JLtSImm Use No No Target Short;
    JLeSImm Use No No Target Short;
    JGtSImm Use No No Target Short;
    JGeSImm Use No No Target Short;
    JEqF64 Use Use No Target No;
    JNeF64 Use Use No Target No;
    JLtF64 Use Use No Target No;
    JLeF64 Use Use No Target No;
    /// Not the same as `JLeF64` with its operands swapped: a NaN jumps.
    JNotLtF64 Use Use No Target No;
    JNotLeF64 Use Use No Target No;
    JEqF32 Use Use No Target No;
    JNeF32 Use Use No Target No;
    JLtF32 Use Use No Target No;
    JLeF32 Use Use No Target No;
    JNotLtF32 Use Use No Target No;
    JNotLeF32 Use Use No Target No;
    /// Back edge of loop y to its header x; counted.
    Loop No No No Target Loop;
    /// a = first value, b = end (exclusive). Without any trip jumps to x; else a+1 = trips after the first.
    ForPrepS Count2 Use No Target No;
    ForPrepU Count2 Use No Target No;
    /// The same with a closed end; the count is of trips *after* the first, so that all 2^64 values fit.
    ForPrepInclS Count2 Use No Target No;
    ForPrepInclU Count2 Use No Target No;
    /// While a+1 is not 0: a+1 -= 1, a += 1, back to x, the body of loop y; counted. Else goes on behind.
    ForLoop Count2 No No Target Loop;
    /// Jumps to x if the block at address a has room for (b + 1) elements of y bytes: the fast path of `push`.
    /// c is the handle of its region, for whoever makes room before.
    JRoom Use Use Use Target Stride;

    // Calls. The two slots before the callee's frame (a-2, a-1) are its header: caller's base, return pc.
    Call Frame No No Function No;
    /// b, b+1 = id of a function of class x and environment; the environment becomes the callee's slot 0, arguments begin in
    /// slot 1.
    CallIndirect Frame Use2 No Class No;
    Return No No No No No;
    /// The callee's slot 0 = b
    Return1 No Use No No No;
    /// The callee's slots 0 to x = x slots from b
    ReturnN No UseN No Slots No;
    /// Arguments and results in slots from a, as the routine's row says.
    Runtime Frame No No Routine No;
    /// Ends the program with fault x.
    Fault No No No Fault No;
    /// a = the id of function x as a word, for function values.
    FunctionId Def No No Function No;

    // Memory. Checked element access: b = array pair, c = index, x = stride, y = offset of the field in the element.
    LoadElemI8 Def Use2 Use Stride Offset;
    LoadElemU8 Def Use2 Use Stride Offset;
    LoadElemI16 Def Use2 Use Stride Offset;
    LoadElemU16 Def Use2 Use Stride Offset;
    LoadElemI32 Def Use2 Use Stride Offset;
    LoadElemU32 Def Use2 Use Stride Offset;
    LoadElemI64 Def Use2 Use Stride Offset;
    LoadElemF32 Def Use2 Use Stride Offset;
    LoadElemF64 Def Use2 Use Stride Offset;
    /// The array, slice or string that is element c.
    LoadElemPair Def2 Use2 Use Stride Offset;
    // a = array pair, b = index, c = value.
    StoreElemI8 Use2 Use Use Stride Offset;
    StoreElemI16 Use2 Use Use Stride Offset;
    StoreElemI32 Use2 Use Use Stride Offset;
    StoreElemI64 Use2 Use Use Stride Offset;
    StoreElemF32 Use2 Use Use Stride Offset;
    StoreElemF64 Use2 Use Use Stride Offset;
    /// a = address of element c of array b, checked.
    ElemAddr Def Use2 Use Stride Offset;
    /// a = b + c * stride + offset, of an address b, unchecked: behind `JRoom`, and where a loop holds the index in range.
    ElemAddrRaw Def Use Use Stride Offset;
    /// Index a is below length b, or a fault.
    CheckIndex Use Use No No No;
    /// a = value at address b + x
    LoadI8 Def Use No Offset No;
    LoadU8 Def Use No Offset No;
    LoadI16 Def Use No Offset No;
    LoadU16 Def Use No Offset No;
    LoadI32 Def Use No Offset No;
    LoadU32 Def Use No Offset No;
    LoadI64 Def Use No Offset No;
    LoadF32 Def Use No Offset No;
    LoadF64 Def Use No Offset No;
    /// The array, slice or string at address b + x.
    LoadPair Def2 Use No Offset No;
    /// x slots from a = the words at address b + y, of which c may be pointers: unions, structs, boxes. What `LoadI64` loads
    /// is never one.
    LoadWords DefN Use Pointers Slots Offset;
    /// value c to address a + x
    StoreI8 Use No Use Offset No;
    StoreI16 Use No Use Offset No;
    StoreI32 Use No Use Offset No;
    StoreI64 Use No Use Offset No;
    StoreF32 Use No Use Offset No;
    StoreF64 Use No Use Offset No;
    /// the words at address a + y = x slots from c
    StoreWords Use No UseN Slots Offset;
}
