//! Instructions whose operand is a register or memory, as homes happen to be.
//!
//! dynasm fixes an operand's form, the size of a displacement included, when this crate is compiled. What is known only
//! when a trace is compiled is encoded here: prefix, REX, opcode, ModRM, SIB, in the shortest form.
//!
//! ```text
//! [66 | F2 | F3]  [REX 0100 W R X B]  [0F [3A]]  opcode  ModRM mod:2 reg:3 rm:3  [SIB]  [displacement]  [immediate]
//! ```

use dynasmrt::x64::X64Relocation;
use dynasmrt::{DynasmApi, VecAssembler};

pub type Assembler = VecAssembler<X64Relocation>;

pub const RAX: u8 = 0;
pub const RCX: u8 = 1;
pub const RDX: u8 = 2;
pub const RBX: u8 = 3;
pub const RSP: u8 = 4;
pub const RBP: u8 = 5;
pub const RSI: u8 = 6;
pub const RDI: u8 = 7;
pub const R15: u8 = 15;
pub const XMM14: u8 = 14;
pub const XMM15: u8 = 15;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Map {
    One,
    /// 0F
    Two,
    /// 0F 3A
    ThreeA,
}

/// An instruction without its operands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Form {
    prefix: u8,
    map: Map,
    opcode: u8,
    /// REX.W
    wide: bool,
    /// The register is of one byte: from `spl` on it needs a REX.
    byte: bool,
}

const fn form(prefix: u8, map: Map, opcode: u8) -> Form {
    Form { prefix, map, opcode, wide: false, byte: false }
}

const fn one(opcode: u8) -> Form {
    form(0, Map::One, opcode)
}

const fn two(prefix: u8, opcode: u8) -> Form {
    form(prefix, Map::Two, opcode)
}

impl Form {
    pub const fn wide(self) -> Form {
        Form { wide: true, ..self }
    }

    const fn byte(self) -> Form {
        Form { byte: true, ..self }
    }

    /// Of 32 bits.
    pub const fn narrow(self) -> Form {
        Form { wide: false, ..self }
    }

    pub const fn opcode(self) -> u8 {
        self.opcode
    }

    /// The operation of group 1 whose result is in the r/m operand.
    pub const fn to_memory(self) -> Form {
        Form { opcode: self.opcode - 2, ..self }
    }

    /// Of the same family, `by` opcodes on: the condition of `cmovcc` and `setcc`.
    pub const fn plus(self, by: u8) -> Form {
        Form { opcode: self.opcode + by, ..self }
    }
}

pub const ADD: Form = one(0x03).wide();
pub const OR: Form = one(0x0b).wide();
pub const AND: Form = one(0x23).wide();
pub const SUB: Form = one(0x2b).wide();
pub const XOR: Form = one(0x33).wide();
pub const CMP: Form = one(0x3b).wide();
pub const TEST: Form = one(0x85).wide();
pub const MOV: Form = one(0x8b).wide();
pub const MOV32: Form = one(0x8b);
pub const LEA: Form = one(0x8d).wide();
pub const STORE8: Form = one(0x88).byte();
pub const STORE16: Form = form(0x66, Map::One, 0x89);
pub const STORE32: Form = one(0x89);
pub const STORE64: Form = one(0x89).wide();
pub const MOVSXD: Form = one(0x63).wide();
/// Group 3 by its `reg` field: 2 not, 3 neg, 4 mul, 6 div, 7 idiv.
pub const GROUP3: Form = one(0xf7).wide();
/// Shifts by its `reg` field: 4 shl, 5 shr, 7 sar.
pub const SHIFT_CL: Form = one(0xd3).wide();
pub const SHIFT_IMM: Form = one(0xc1).wide();
pub const IMUL: Form = two(0, 0xaf).wide();
pub const IMUL_IMM: Form = one(0x69).wide();
pub const IMUL_IMM8: Form = one(0x6b).wide();
pub const GROUP1_IMM: Form = one(0x81).wide();
pub const GROUP1_IMM8: Form = one(0x83).wide();
pub const MOV_IMM: Form = one(0xc7).wide();
pub const STORE8_IMM: Form = one(0xc6);
pub const STORE16_IMM: Form = form(0x66, Map::One, 0xc7);
pub const STORE32_IMM: Form = one(0xc7);
pub const GROUP5: Form = one(0xff).wide();
pub const MOVZX8: Form = two(0, 0xb6).byte();
pub const MOVZX16: Form = two(0, 0xb7);
pub const MOVSX8: Form = two(0, 0xbe).wide().byte();
pub const MOVSX16: Form = two(0, 0xbf).wide();
pub const CMOV: Form = two(0, 0x40).wide();
pub const SETCC: Form = two(0, 0x90).byte();
pub const POPCNT: Form = two(0xf3, 0xb8).wide();
pub const TZCNT: Form = two(0xf3, 0xbc).wide();
pub const LZCNT: Form = two(0xf3, 0xbd).wide();
pub const BSF: Form = two(0, 0xbc).wide();
pub const BSR: Form = two(0, 0xbd).wide();

pub const MOVSD_LOAD: Form = two(0xf2, 0x10);
pub const MOVSS_LOAD: Form = two(0xf3, 0x10);
pub const MOVSD_STORE: Form = two(0xf2, 0x11);
pub const MOVSS_STORE: Form = two(0xf3, 0x11);
pub const MOVUPS_STORE: Form = two(0, 0x11);
pub const MOVAPS: Form = two(0, 0x28);
/// General register or memory to vector register.
pub const MOVQ_TO: Form = two(0x66, 0x6e).wide();
pub const MOVD_TO: Form = two(0x66, 0x6e);
/// Vector register (`reg`) to general register or memory.
pub const MOVQ_FROM: Form = two(0x66, 0x7e).wide();
pub const MOVD_FROM: Form = two(0x66, 0x7e);
/// The signs of both halves to a general register.
pub const MOVMSK: Form = two(0x66, 0x50);
pub const MOVMSK_SINGLE: Form = two(0, 0x50);
pub const SQRT: Form = two(0xf2, 0x51);
pub const ADDF: Form = two(0xf2, 0x58);
pub const MULF: Form = two(0xf2, 0x59);
pub const SUBF: Form = two(0xf2, 0x5c);
pub const MINF: Form = two(0xf2, 0x5d);
pub const DIVF: Form = two(0xf2, 0x5e);
pub const MAXF: Form = two(0xf2, 0x5f);
/// A double made of a single.
pub const CVTSS2SD: Form = two(0xf3, 0x5a);
pub const CVTSD2SS: Form = two(0xf2, 0x5a);
pub const CVTSI2SD: Form = two(0xf2, 0x2a).wide();
pub const CVTSI2SS: Form = two(0xf3, 0x2a).wide();
pub const CVTTSD2SI: Form = two(0xf2, 0x2c).wide();
pub const CVTTSS2SI: Form = two(0xf3, 0x2c).wide();
pub const UCOMISD: Form = two(0x66, 0x2e);
pub const UCOMISS: Form = two(0, 0x2e);
pub const ANDPS: Form = two(0, 0x54);
pub const ORPS: Form = two(0, 0x56);
pub const XORPS: Form = two(0, 0x57);
pub const ROUNDSS: Form = form(0x66, Map::ThreeA, 0x0a);
pub const ROUNDSD: Form = form(0x66, Map::ThreeA, 0x0b);

impl Form {
    /// The scalar operation on singles instead of that on doubles.
    pub const fn single(self) -> Form {
        Form { prefix: 0xf3, ..self }
    }
}

/// Condition codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Code {
    Below = 0x2,
    AboveEqual = 0x3,
    Equal = 0x4,
    NotEqual = 0x5,
    BelowEqual = 0x6,
    Above = 0x7,
    Sign = 0x8,
    NotSign = 0x9,
    Parity = 0xa,
    NoParity = 0xb,
    Less = 0xc,
    GreaterEqual = 0xd,
    LessEqual = 0xe,
    Greater = 0xf,
}

impl Code {
    pub fn negated(self) -> Code {
        match self {
            Code::Below => Code::AboveEqual,
            Code::AboveEqual => Code::Below,
            Code::Equal => Code::NotEqual,
            Code::NotEqual => Code::Equal,
            Code::BelowEqual => Code::Above,
            Code::Above => Code::BelowEqual,
            Code::Sign => Code::NotSign,
            Code::NotSign => Code::Sign,
            Code::Parity => Code::NoParity,
            Code::NoParity => Code::Parity,
            Code::Less => Code::GreaterEqual,
            Code::GreaterEqual => Code::Less,
            Code::LessEqual => Code::Greater,
            Code::Greater => Code::LessEqual,
        }
    }

    /// What holds of (b, a) if this does of (a, b).
    pub fn swapped(self) -> Code {
        match self {
            Code::Below => Code::Above,
            Code::Above => Code::Below,
            Code::AboveEqual => Code::BelowEqual,
            Code::BelowEqual => Code::AboveEqual,
            Code::Less => Code::Greater,
            Code::Greater => Code::Less,
            Code::LessEqual => Code::GreaterEqual,
            Code::GreaterEqual => Code::LessEqual,
            same => same,
        }
    }
}

/// base + index << shift + displacement
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Address {
    pub base: u8,
    pub index: Option<(u8, u8)>,
    pub displacement: i32,
}

impl Address {
    pub const fn of(base: u8, displacement: i32) -> Address {
        Address { base, index: None, displacement }
    }
}

/// What the r/m field names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rm {
    Register(u8),
    Memory(Address),
    /// A constant behind the code, by number.
    Pool(u32),
}

/// A field that holds the distance to a constant from the instruction's end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolUse {
    pub field: usize,
    pub end: usize,
    pub number: u32,
}

/// Writes an instruction up to its immediate, of `immediate` bytes, which the caller pushes.
pub fn encode(ops: &mut Assembler, form: Form, reg: u8, rm: Rm, immediate: usize) -> Option<PoolUse> {
    if form.prefix != 0 {
        ops.push(form.prefix);
    }
    let (base, index) = match rm {
        Rm::Register(r) => (r, 0),
        Rm::Memory(at) => (at.base, at.index.map_or(0, |(index, _)| index)),
        Rm::Pool(_) => (0, 0),
    };
    let rex = u8::from(form.wide) << 3 | (reg >> 3) << 2 | (index >> 3) << 1 | base >> 3;
    // Which of the two is the byte register depends on the instruction; an empty REX too many does no harm.
    let byte = form.byte && (reg >= 4 || matches!(rm, Rm::Register(r) if r >= 4));
    if rex != 0 || byte {
        ops.push(0x40 | rex);
    }
    match form.map {
        Map::One => {}
        Map::Two => ops.push(0x0f),
        Map::ThreeA => ops.extend(&[0x0f, 0x3a]),
    }
    ops.push(form.opcode);
    let field = (reg & 7) << 3;
    match rm {
        Rm::Register(r) => ops.push(0xc0 | field | r & 7),
        Rm::Memory(at) => memory(ops, field, at),
        Rm::Pool(number) => {
            ops.push(field | 5);
            let at = ops.offset().0;
            ops.push_i32(0);
            return Some(PoolUse { field: at, end: at + 4 + immediate, number });
        }
    }
    None
}

fn memory(ops: &mut Assembler, field: u8, at: Address) {
    let short = i8::try_from(at.displacement).ok();
    // Without a displacement, a base of rbp or r13 would mean something else.
    let size = match short {
        Some(0) if at.base & 7 != RBP => 0,
        Some(_) => 0x40,
        None => 0x80,
    };
    match at.index {
        Some((index, shift)) => {
            debug_assert_ne!(index, RSP, "rsp is no index");
            ops.extend(&[size | field | 4, shift << 6 | (index & 7) << 3 | at.base & 7]);
        }
        None if at.base & 7 == RSP => ops.extend(&[size | field | 4, 0x20 | RSP]),
        None => ops.push(size | field | at.base & 7),
    }
    match (size, short) {
        (0, _) => {}
        (0x40, Some(short)) => ops.push_i8(short),
        _ => ops.push_i32(at.displacement),
    }
}
