//! The opcodes of the region IR: name, operands, effects.
//!
//! They mirror the methods of `Machine`, without slots: what a method returns is a value.

use scaly_interp::machine::{
    Fault, FloatCompare, FloatOp, FloatUnary, IntCompare, IntKind, IntMemory, IntOp, IntUnary,
};
use scaly_interp::program::{Class, FunctionId};
use scaly_interp::routine::Routine;

use super::Type;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Op {
    /// A constant word.
    Const(i64),
    /// The bits of an f64.
    ConstF64(u64),
    ConstF32(u32),
    /// Address of a string constant of the program.
    Text(u32),
    /// Address of a byte of the program's globals.
    Global(u32),
    Int(IntOp),
    IntUnary(IntUnary),
    Compare(IntCompare),
    Float(FloatOp),
    FloatUnary(FloatUnary),
    FloatCompare(FloatCompare),
    Single(FloatOp),
    SingleUnary(FloatUnary),
    SingleCompare(FloatCompare),
    /// 1 or 0.
    CondWord,
    Not,
    /// Signed or not.
    IntToFloat(bool),
    IntToSingle(bool),
    SingleToFloat,
    FloatToSingle,
    FloatToInt(IntKind),
    FloatBits,
    SingleBits,
    BitsFloat,
    BitsSingle,
    /// The same 64 bits of a slot, read as this type.
    Reread(Type),
    /// first + second * stride + offset
    Element {
        stride: u32,
        offset: u32,
    },
    LoadInt(IntMemory, u32),
    /// A word that may be a pointer, or a number where another variant of a union lies.
    LoadPointer(u32),
    LoadFloat(u32),
    LoadSingle(u32),
    /// Value (second) to the address (first) + offset.
    StoreInt(IntMemory, u32),
    StoreFloat(u32),
    StoreSingle(u32),
    /// Capacity in bytes of the block at an address; 0 at address 0.
    Capacity,
    /// Ends the program with the fault if the condition is false.
    Guard(Fault),
    Runtime(Routine),
    /// A call that is not inlined: arguments are the callee's parameter slots, results its result slots.
    Call(FunctionId),
    /// A call of a function value that may be any of the class whose id the program takes. Arguments are the function's id,
    /// then the callee's parameter slots, the environment first.
    CallAny(Class),
}

/// What an instruction may do beside giving values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effects {
    Pure,
    Load,
    Store,
    Guard,
    /// As the routine's row, or the callee's summary says.
    Call,
}

const fn int_name(op: IntOp) -> &'static str {
    match op {
        IntOp::Add => "add",
        IntOp::Sub => "sub",
        IntOp::Mul => "mul",
        IntOp::DivS => "div_s",
        IntOp::DivU => "div_u",
        IntOp::RemS => "rem_s",
        IntOp::RemU => "rem_u",
        IntOp::And => "and",
        IntOp::Or => "or",
        IntOp::Xor => "xor",
        IntOp::Shl => "shl",
        IntOp::ShrS => "shr_s",
        IntOp::ShrU => "shr_u",
        IntOp::MinS => "min_s",
        IntOp::MaxS => "max_s",
        IntOp::MinU => "min_u",
        IntOp::MaxU => "max_u",
        IntOp::MulHighU => "mul_high_u",
    }
}

const INT_OPS: [IntOp; 18] = [
    IntOp::Add,
    IntOp::Sub,
    IntOp::Mul,
    IntOp::DivS,
    IntOp::DivU,
    IntOp::RemS,
    IntOp::RemU,
    IntOp::And,
    IntOp::Or,
    IntOp::Xor,
    IntOp::Shl,
    IntOp::ShrS,
    IntOp::ShrU,
    IntOp::MinS,
    IntOp::MaxS,
    IntOp::MinU,
    IntOp::MaxU,
    IntOp::MulHighU,
];

const fn kind_name(kind: IntKind) -> &'static str {
    match kind {
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

const fn compare_name(op: IntCompare) -> &'static str {
    match op {
        IntCompare::Eq => "eq",
        IntCompare::Ne => "ne",
        IntCompare::LtS => "lt_s",
        IntCompare::LeS => "le_s",
        IntCompare::LtU => "lt_u",
        IntCompare::LeU => "le_u",
    }
}

const COMPARES: [IntCompare; 6] =
    [IntCompare::Eq, IntCompare::Ne, IntCompare::LtS, IntCompare::LeS, IntCompare::LtU, IntCompare::LeU];

const fn float_name(op: FloatOp) -> &'static str {
    match op {
        FloatOp::Add => "add",
        FloatOp::Sub => "sub",
        FloatOp::Mul => "mul",
        FloatOp::Div => "div",
        FloatOp::Min => "min",
        FloatOp::Max => "max",
    }
}

const FLOAT_OPS: [FloatOp; 6] = [FloatOp::Add, FloatOp::Sub, FloatOp::Mul, FloatOp::Div, FloatOp::Min, FloatOp::Max];

const fn float_unary_name(op: FloatUnary) -> &'static str {
    match op {
        FloatUnary::Neg => "neg",
        FloatUnary::Abs => "abs",
        FloatUnary::Sqrt => "sqrt",
        FloatUnary::Floor => "floor",
        FloatUnary::Ceil => "ceil",
        FloatUnary::Trunc => "trunc",
        FloatUnary::Round => "round",
    }
}

const FLOAT_UNARIES: [FloatUnary; 7] = [
    FloatUnary::Neg,
    FloatUnary::Abs,
    FloatUnary::Sqrt,
    FloatUnary::Floor,
    FloatUnary::Ceil,
    FloatUnary::Trunc,
    FloatUnary::Round,
];

const fn float_compare_name(op: FloatCompare) -> &'static str {
    match op {
        FloatCompare::Eq => "eq",
        FloatCompare::Ne => "ne",
        FloatCompare::Lt => "lt",
        FloatCompare::Le => "le",
    }
}

const FLOAT_COMPARES: [FloatCompare; 4] = [FloatCompare::Eq, FloatCompare::Ne, FloatCompare::Lt, FloatCompare::Le];

const fn memory_name(kind: IntMemory) -> &'static str {
    match kind {
        IntMemory::I8 => "i8",
        IntMemory::U8 => "u8",
        IntMemory::I16 => "i16",
        IntMemory::U16 => "u16",
        IntMemory::I32 => "i32",
        IntMemory::U32 => "u32",
        IntMemory::I64 => "i64",
    }
}

const MEMORIES: [IntMemory; 7] =
    [IntMemory::I8, IntMemory::U8, IntMemory::I16, IntMemory::U16, IntMemory::I32, IntMemory::U32, IntMemory::I64];

/// Bytes that a load or store of this kind touches.
pub const fn memory_width(kind: IntMemory) -> u32 {
    match kind {
        IntMemory::I8 | IntMemory::U8 => 1,
        IntMemory::I16 | IntMemory::U16 => 2,
        IntMemory::I32 | IntMemory::U32 => 4,
        IntMemory::I64 => 8,
    }
}

impl Op {
    /// The opcode's name; operands that are not values are printed beside it.
    pub fn name(self) -> String {
        match self {
            Op::Const(_) => "const".into(),
            Op::ConstF64(_) => "f64.const".into(),
            Op::ConstF32(_) => "f32.const".into(),
            Op::Text(_) => "text".into(),
            Op::Global(_) => "global".into(),
            Op::Int(op) => int_name(op).into(),
            Op::IntUnary(op) => match op {
                IntUnary::Neg => "neg".into(),
                IntUnary::Not => "invert".into(),
                IntUnary::AbsS => "abs_s".into(),
                IntUnary::PopCount => "popcount".into(),
                IntUnary::LeadingZeros => "clz".into(),
                IntUnary::TrailingZeros => "ctz".into(),
                IntUnary::Wrap(kind) => format!("wrap.{}", kind_name(kind)),
            },
            Op::Compare(op) => compare_name(op).into(),
            Op::Float(op) => format!("f64.{}", float_name(op)),
            Op::FloatUnary(op) => format!("f64.{}", float_unary_name(op)),
            Op::FloatCompare(op) => format!("f64.{}", float_compare_name(op)),
            Op::Single(op) => format!("f32.{}", float_name(op)),
            Op::SingleUnary(op) => format!("f32.{}", float_unary_name(op)),
            Op::SingleCompare(op) => format!("f32.{}", float_compare_name(op)),
            Op::CondWord => "word".into(),
            Op::Not => "not".into(),
            Op::IntToFloat(signed) => if signed { "f64.from_s" } else { "f64.from_u" }.into(),
            Op::IntToSingle(signed) => if signed { "f32.from_s" } else { "f32.from_u" }.into(),
            Op::SingleToFloat => "f64.from_f32".into(),
            Op::FloatToSingle => "f32.from_f64".into(),
            Op::FloatToInt(kind) => format!("{}.from_f64", kind_name(kind)),
            Op::FloatBits => "f64.bits".into(),
            Op::SingleBits => "f32.bits".into(),
            Op::BitsFloat => "f64.from_bits".into(),
            Op::BitsSingle => "f32.from_bits".into(),
            Op::Reread(ty) => format!("reread.{}", ty.name()),
            Op::Element { .. } => "element".into(),
            Op::LoadInt(kind, _) => format!("load.{}", memory_name(kind)),
            Op::LoadPointer(_) => "load.pointer".into(),
            Op::LoadFloat(_) => "load.f64".into(),
            Op::LoadSingle(_) => "load.f32".into(),
            Op::StoreInt(kind, _) => format!("store.{}", memory_name(kind)),
            Op::StoreFloat(_) => "store.f64".into(),
            Op::StoreSingle(_) => "store.f32".into(),
            Op::Capacity => "capacity".into(),
            Op::Guard(_) => "guard".into(),
            Op::Runtime(_) => "runtime".into(),
            Op::Call(_) => "call".into(),
            Op::CallAny(_) => "call_any".into(),
        }
    }

    /// The opcode of a name whose other operands are zero, or first of their kind; the parser fills them in.
    pub fn by_name(name: &str) -> Option<Op> {
        let fixed = [
            Op::Const(0),
            Op::ConstF64(0),
            Op::ConstF32(0),
            Op::Text(0),
            Op::Global(0),
            Op::IntUnary(IntUnary::Neg),
            Op::IntUnary(IntUnary::Not),
            Op::IntUnary(IntUnary::AbsS),
            Op::IntUnary(IntUnary::PopCount),
            Op::IntUnary(IntUnary::LeadingZeros),
            Op::IntUnary(IntUnary::TrailingZeros),
            Op::CondWord,
            Op::Not,
            Op::IntToFloat(true),
            Op::IntToFloat(false),
            Op::IntToSingle(true),
            Op::IntToSingle(false),
            Op::SingleToFloat,
            Op::FloatToSingle,
            Op::FloatBits,
            Op::SingleBits,
            Op::BitsFloat,
            Op::BitsSingle,
            Op::Element { stride: 0, offset: 0 },
            Op::LoadPointer(0),
            Op::LoadFloat(0),
            Op::LoadSingle(0),
            Op::StoreFloat(0),
            Op::StoreSingle(0),
            Op::Capacity,
            Op::Guard(Fault::IndexOutOfRange),
            Op::Runtime(Routine::ALL[0]),
            Op::Call(FunctionId(0)),
            Op::CallAny(Class(0)),
        ];
        fixed
            .into_iter()
            .chain(INT_OPS.map(Op::Int))
            .chain(IntKind::ALL.map(|k| Op::IntUnary(IntUnary::Wrap(k))))
            .chain(IntKind::ALL.map(Op::FloatToInt))
            .chain(COMPARES.map(Op::Compare))
            .chain(FLOAT_OPS.map(Op::Float))
            .chain(FLOAT_OPS.map(Op::Single))
            .chain(FLOAT_UNARIES.map(Op::FloatUnary))
            .chain(FLOAT_UNARIES.map(Op::SingleUnary))
            .chain(FLOAT_COMPARES.map(Op::FloatCompare))
            .chain(FLOAT_COMPARES.map(Op::SingleCompare))
            .chain(MEMORIES.map(|k| Op::LoadInt(k, 0)))
            .chain(MEMORIES.map(|k| Op::StoreInt(k, 0)))
            .chain(Type::ALL.map(Op::Reread))
            .find(|op| op.name() == name)
    }

    pub fn effects(self) -> Effects {
        match self {
            Op::LoadInt(..) | Op::LoadPointer(_) | Op::LoadFloat(_) | Op::LoadSingle(_) | Op::Capacity => Effects::Load,
            Op::StoreInt(..) | Op::StoreFloat(_) | Op::StoreSingle(_) => Effects::Store,
            Op::Guard(_) => Effects::Guard,
            Op::Runtime(_) | Op::Call(_) | Op::CallAny(_) => Effects::Call,
            _ => Effects::Pure,
        }
    }

    /// Whether it calls something.
    pub fn is_call(self) -> bool {
        self.effects() == Effects::Call
    }

    /// Types of the operands and of the result; none for calls, which take and give slots of any type.
    pub fn shape(self) -> Option<(&'static [Type], Option<Type>)> {
        use Type::{Cond, Float, Single, Word};
        const WORDS: &[Type] = &[Word, Word];
        const FLOATS: &[Type] = &[Float, Float];
        const SINGLES: &[Type] = &[Single, Single];
        Some(match self {
            Op::Const(_) | Op::Text(_) | Op::Global(_) => (&[], Some(Word)),
            Op::ConstF64(_) => (&[], Some(Float)),
            Op::ConstF32(_) => (&[], Some(Single)),
            Op::Int(_) | Op::Element { .. } => (WORDS, Some(Word)),
            Op::IntUnary(_) | Op::LoadInt(..) | Op::LoadPointer(_) | Op::Capacity => (&[Word], Some(Word)),
            Op::Compare(_) => (WORDS, Some(Cond)),
            Op::Float(_) => (FLOATS, Some(Float)),
            Op::FloatUnary(_) => (&[Float], Some(Float)),
            Op::FloatCompare(_) => (FLOATS, Some(Cond)),
            Op::Single(_) => (SINGLES, Some(Single)),
            Op::SingleUnary(_) => (&[Single], Some(Single)),
            Op::SingleCompare(_) => (SINGLES, Some(Cond)),
            Op::CondWord => (&[Cond], Some(Word)),
            Op::Not => (&[Cond], Some(Cond)),
            Op::IntToFloat(_) | Op::BitsFloat | Op::LoadFloat(_) => (&[Word], Some(Float)),
            Op::IntToSingle(_) | Op::BitsSingle | Op::LoadSingle(_) => (&[Word], Some(Single)),
            Op::SingleToFloat => (&[Single], Some(Float)),
            Op::FloatToSingle => (&[Float], Some(Single)),
            Op::FloatToInt(_) | Op::FloatBits => (&[Float], Some(Word)),
            Op::SingleBits => (&[Single], Some(Word)),
            Op::StoreInt(..) => (WORDS, None),
            Op::StoreFloat(_) => (&[Word, Float], None),
            Op::StoreSingle(_) => (&[Word, Single], None),
            Op::Guard(_) => (&[Cond], None),
            Op::Reread(_) | Op::Runtime(_) | Op::Call(_) | Op::CallAny(_) => return None,
        })
    }

    /// Bytes that a load or store touches, and its offset from the address.
    pub fn access(self) -> Option<(u32, u32)> {
        match self {
            Op::LoadInt(kind, offset) | Op::StoreInt(kind, offset) => Some((memory_width(kind), offset)),
            Op::LoadPointer(offset) | Op::LoadFloat(offset) | Op::StoreFloat(offset) => Some((8, offset)),
            Op::LoadSingle(offset) | Op::StoreSingle(offset) => Some((4, offset)),
            _ => None,
        }
    }

    /// The same load or store at another offset.
    pub fn with_offset(self, offset: u32) -> Op {
        match self {
            Op::LoadInt(kind, _) => Op::LoadInt(kind, offset),
            Op::LoadPointer(_) => Op::LoadPointer(offset),
            Op::LoadFloat(_) => Op::LoadFloat(offset),
            Op::LoadSingle(_) => Op::LoadSingle(offset),
            Op::StoreInt(kind, _) => Op::StoreInt(kind, offset),
            Op::StoreFloat(_) => Op::StoreFloat(offset),
            Op::StoreSingle(_) => Op::StoreSingle(offset),
            op => op,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_found_again() {
        for name in ["add", "wrap.i8", "f64.lt", "f32.neg", "u32.from_f64", "load.u16", "reread.f32", "guard", "clz"] {
            assert_eq!(Op::by_name(name).map(Op::name).as_deref(), Some(name));
        }
        assert_eq!(Op::by_name("f64.frobnicate"), None);
    }
}
