//! The interpreter's machine: real values in real slots.
//!
//! A `Copy` struct of two words, so that after inlining it lives in registers; the frame's base behind a reference was
//! measured a fifth slower.

use super::state::Tables;
use crate::machine::{
    Fault, FloatCompare, FloatOp, FloatUnary, IntCompare, IntKind, IntMemory, IntOp, IntUnary, Machine,
};

/// The bits that a program sees of any NaN.
pub const NAN_F64: u64 = 0x7ff8_0000_0000_0000;
/// The same of an f32.
pub const NAN_F32: u32 = 0x7fc0_0000;

#[derive(Clone, Copy)]
pub struct Native {
    pub(crate) base: *mut u64,
    pub(crate) tables: *const Tables,
}

impl Native {
    /// One without a frame, before the first instruction.
    pub fn nowhere() -> Native {
        Native { base: std::ptr::null_mut(), tables: std::ptr::null() }
    }

    #[inline(always)]
    fn slot(self, slot: u16) -> *mut u64 {
        self.base.wrapping_add(slot as usize)
    }
}

/// Copies slots between ranges that may overlap. Volatile reads keep the optimizer from calling `memmove`, for which the
/// caller would have to save its registers. Most moves are of two or three slots.
///
/// # Safety
/// Both ranges are slots of the stack.
#[inline(always)]
pub(crate) unsafe fn move_slots(to: *mut u64, from: *const u64, count: usize) {
    // SAFETY: by the caller's promise.
    unsafe {
        if count == 1 {
            *to = *from;
        } else if count == 2 {
            let (a, b) = (*from, *from.add(1));
            *to = a;
            *to.add(1) = b;
        } else if count == 3 {
            let (a, b, c) = (*from, *from.add(1), *from.add(2));
            *to = a;
            *to.add(1) = b;
            *to.add(2) = c;
        } else if to.cast_const() <= from {
            for i in 0..count {
                *to.add(i) = from.add(i).read_volatile();
            }
        } else {
            for i in (0..count).rev() {
                *to.add(i) = from.add(i).read_volatile();
            }
        }
    }
}

/// What a two's complement machine does, on 64 bits. Total: a division by zero, which `step` never asks for, gives 0.
#[inline(always)]
pub fn int_op(op: IntOp, a: i64, b: i64) -> i64 {
    let (ua, ub) = (a as u64, b as u64);
    match op {
        IntOp::Add => a.wrapping_add(b),
        IntOp::Sub => a.wrapping_sub(b),
        IntOp::Mul => a.wrapping_mul(b),
        IntOp::DivS if b == 0 => 0,
        IntOp::DivS => a.wrapping_div(b),
        IntOp::DivU => ua.checked_div(ub).unwrap_or(0) as i64,
        IntOp::RemS if b == 0 => 0,
        IntOp::RemS => a.wrapping_rem(b),
        IntOp::RemU => ua.checked_rem(ub).unwrap_or(0) as i64,
        IntOp::And => a & b,
        IntOp::Or => a | b,
        IntOp::Xor => a ^ b,
        IntOp::Shl => a.wrapping_shl(b as u32),
        IntOp::ShrS => a.wrapping_shr(b as u32),
        IntOp::ShrU => ua.wrapping_shr(b as u32) as i64,
        IntOp::MinS => a.min(b),
        IntOp::MaxS => a.max(b),
        IntOp::MinU => ua.min(ub) as i64,
        IntOp::MaxU => ua.max(ub) as i64,
        IntOp::MulHighU => ((u128::from(ua) * u128::from(ub)) >> 64) as i64,
    }
}

#[inline(always)]
pub fn int_unary_op(op: IntUnary, a: i64) -> i64 {
    match op {
        IntUnary::Neg => a.wrapping_neg(),
        IntUnary::Not => !a,
        IntUnary::AbsS => a.wrapping_abs(),
        IntUnary::PopCount => i64::from(a.count_ones()),
        IntUnary::LeadingZeros => i64::from(a.leading_zeros()),
        IntUnary::TrailingZeros => i64::from(a.trailing_zeros()),
        IntUnary::Wrap(kind) => match kind {
            IntKind::I8 => i64::from(a as i8),
            IntKind::I16 => i64::from(a as i16),
            IntKind::I32 => i64::from(a as i32),
            IntKind::U8 => i64::from(a as u8),
            IntKind::U16 => i64::from(a as u16),
            IntKind::U32 => i64::from(a as u32),
            IntKind::I64 | IntKind::U64 => a,
        },
    }
}

#[inline(always)]
pub fn int_compare(op: IntCompare, a: i64, b: i64) -> bool {
    match op {
        IntCompare::Eq => a == b,
        IntCompare::Ne => a != b,
        IntCompare::LtS => a < b,
        IntCompare::LeS => a <= b,
        IntCompare::LtU => (a as u64) < b as u64,
        IntCompare::LeU => a as u64 <= b as u64,
    }
}

macro_rules! float_ops {
    ($op:ident, $unary:ident, $compare:ident, $integral:ident, $float:ty) => {
        /// What `choose` makes of a number and its integral part; a number without a fraction, infinity and NaN stay.
        /// Without SSE 4.1 the standard library's `floor` is a call, for which all registers would be saved.
        #[inline(always)]
        fn $integral(a: $float, choose: impl FnOnce($float, $float) -> $float) -> $float {
            if a.abs() < 1.0 / <$float>::EPSILON { choose(a, a as i64 as $float).copysign(a) } else { a }
        }

        #[inline(always)]
        pub fn $op(op: FloatOp, a: $float, b: $float) -> $float {
            match op {
                FloatOp::Add => a + b,
                FloatOp::Sub => a - b,
                FloatOp::Mul => a * b,
                FloatOp::Div => a / b,
                FloatOp::Min => {
                    if b < a {
                        b
                    } else {
                        a
                    }
                }
                FloatOp::Max => {
                    if a < b {
                        b
                    } else {
                        a
                    }
                }
            }
        }

        #[inline(always)]
        pub fn $unary(op: FloatUnary, a: $float) -> $float {
            match op {
                FloatUnary::Neg => -a,
                FloatUnary::Abs => a.abs(),
                FloatUnary::Sqrt => a.sqrt(),
                FloatUnary::Floor => $integral(a, |a, t| if a < t { t - 1.0 } else { t }),
                FloatUnary::Ceil => $integral(a, |a, t| if t < a { t + 1.0 } else { t }),
                FloatUnary::Trunc => $integral(a, |_, t| t),
                FloatUnary::Round => {
                    $integral(a, |a, t| if (a - t).abs() >= 0.5 { t + (1.0 as $float).copysign(a) } else { t })
                }
            }
        }

        #[inline(always)]
        pub fn $compare(op: FloatCompare, a: $float, b: $float) -> bool {
            match op {
                FloatCompare::Eq => a == b,
                FloatCompare::Ne => a != b,
                FloatCompare::Lt => a < b,
                FloatCompare::Le => a <= b,
            }
        }
    };
}

float_ops!(float_op, float_unary_op, float_compare, float_integral, f64);
float_ops!(single_op, single_unary_op, single_compare, single_integral, f32);

/// Truncates, saturating; NaN gives 0: what Rust's `as` does.
#[inline(always)]
pub fn float_to_int(kind: IntKind, a: f64) -> i64 {
    match kind {
        IntKind::I8 => i64::from(a as i8),
        IntKind::I16 => i64::from(a as i16),
        IntKind::I32 => i64::from(a as i32),
        IntKind::I64 => a as i64,
        IntKind::U8 => i64::from(a as u8),
        IntKind::U16 => i64::from(a as u16),
        IntKind::U32 => i64::from(a as u32),
        IntKind::U64 => a as u64 as i64,
    }
}

/// Reads an integer of a kind at any address.
///
/// # Safety
/// The bytes at `address` belong to the program.
#[inline(always)]
pub(crate) unsafe fn load_int(kind: IntMemory, address: u64) -> i64 {
    let p = std::ptr::with_exposed_provenance::<u8>(address as usize);
    // SAFETY: by the caller's promise; alignment is not asked for.
    unsafe {
        match kind {
            IntMemory::I8 => i64::from(p.cast::<i8>().read()),
            IntMemory::U8 => i64::from(p.read()),
            IntMemory::I16 => i64::from(p.cast::<i16>().read_unaligned()),
            IntMemory::U16 => i64::from(p.cast::<u16>().read_unaligned()),
            IntMemory::I32 => i64::from(p.cast::<i32>().read_unaligned()),
            IntMemory::U32 => i64::from(p.cast::<u32>().read_unaligned()),
            IntMemory::I64 => p.cast::<i64>().read_unaligned(),
        }
    }
}

/// Bytes of a kind in memory.
pub const fn int_bytes(kind: IntMemory) -> u32 {
    match kind {
        IntMemory::I8 | IntMemory::U8 => 1,
        IntMemory::I16 | IntMemory::U16 => 2,
        IntMemory::I32 | IntMemory::U32 => 4,
        IntMemory::I64 => 8,
    }
}

#[inline(always)]
fn place<T>(address: i64, offset: u32) -> *mut T {
    std::ptr::with_exposed_provenance_mut(address.wrapping_add(i64::from(offset)) as usize)
}

// Slots and addresses are trusted: the verifier has looked at the slots, and lowering makes addresses only from blocks
// and checked indices. That is the promise behind each block below.
impl Machine for Native {
    type Word = i64;
    type Float = f64;
    type Single = f32;
    type Cond = bool;

    #[inline(always)]
    fn word(&mut self, slot: u16) -> i64 {
        // SAFETY: the slot is in the frame.
        unsafe { self.slot(slot).cast::<i64>().read() }
    }

    #[inline(always)]
    fn length(&mut self, slot: u16) -> i64 {
        // SAFETY: the pair is in the frame. (A slot's number cannot wrap here, which saves an instruction.)
        unsafe { self.slot(slot).add(1).cast::<i64>().read() }
    }

    #[inline(always)]
    fn float(&mut self, slot: u16) -> f64 {
        // SAFETY: the slot is in the frame.
        unsafe { self.slot(slot).cast::<f64>().read() }
    }

    #[inline(always)]
    fn single(&mut self, slot: u16) -> f32 {
        // SAFETY: the slot is in the frame.
        f32::from_bits(unsafe { self.slot(slot).read() } as u32)
    }

    #[inline(always)]
    fn set_word(&mut self, slot: u16, value: i64) {
        // SAFETY: the slot is in the frame.
        unsafe { self.slot(slot).cast::<i64>().write(value) }
    }

    #[inline(always)]
    fn set_float(&mut self, slot: u16, value: f64) {
        // SAFETY: the slot is in the frame.
        unsafe { self.slot(slot).cast::<f64>().write(value) }
    }

    #[inline(always)]
    fn set_single(&mut self, slot: u16, value: f32) {
        // SAFETY: the slot is in the frame.
        unsafe { self.slot(slot).write(u64::from(value.to_bits())) }
    }

    #[inline(always)]
    fn move_slots(&mut self, to: u16, from: u16, count: u32) {
        // SAFETY: the slots are in the frame.
        unsafe { move_slots(self.slot(to), self.slot(from), count as usize) }
    }

    #[inline(always)]
    fn const_word(&mut self, value: i64) -> i64 {
        value
    }

    #[inline(always)]
    fn const_float(&mut self, bits: u64) -> f64 {
        f64::from_bits(bits)
    }

    #[inline(always)]
    fn const_single(&mut self, bits: u32) -> f32 {
        f32::from_bits(bits)
    }

    #[inline(always)]
    fn text(&mut self, id: u32) -> (i64, i64) {
        // SAFETY: the tables live as long as the run; the verifier has seen that there is such a text.
        unsafe { (*self.tables).text(id) }
    }

    #[inline(always)]
    fn global(&mut self, offset: u32) -> i64 {
        // SAFETY: the tables live as long as the run.
        unsafe { (*self.tables).global(offset) }
    }

    #[inline(always)]
    fn int(&mut self, op: IntOp, a: i64, b: i64) -> i64 {
        int_op(op, a, b)
    }

    #[inline(always)]
    fn int_unary(&mut self, op: IntUnary, a: i64) -> i64 {
        int_unary_op(op, a)
    }

    #[inline(always)]
    fn compare(&mut self, op: IntCompare, a: i64, b: i64) -> bool {
        int_compare(op, a, b)
    }

    #[inline(always)]
    fn float_op(&mut self, op: FloatOp, a: f64, b: f64) -> f64 {
        float_op(op, a, b)
    }

    #[inline(always)]
    fn float_unary(&mut self, op: FloatUnary, a: f64) -> f64 {
        float_unary_op(op, a)
    }

    #[inline(always)]
    fn float_compare(&mut self, op: FloatCompare, a: f64, b: f64) -> bool {
        float_compare(op, a, b)
    }

    #[inline(always)]
    fn single_op(&mut self, op: FloatOp, a: f32, b: f32) -> f32 {
        single_op(op, a, b)
    }

    #[inline(always)]
    fn single_unary(&mut self, op: FloatUnary, a: f32) -> f32 {
        single_unary_op(op, a)
    }

    #[inline(always)]
    fn single_compare(&mut self, op: FloatCompare, a: f32, b: f32) -> bool {
        single_compare(op, a, b)
    }

    #[inline(always)]
    fn cond_word(&mut self, cond: bool) -> i64 {
        i64::from(cond)
    }

    #[inline(always)]
    fn not(&mut self, cond: bool) -> bool {
        !cond
    }

    #[inline(always)]
    fn int_to_float(&mut self, signed: bool, a: i64) -> f64 {
        if signed { a as f64 } else { a as u64 as f64 }
    }

    #[inline(always)]
    fn int_to_single(&mut self, signed: bool, a: i64) -> f32 {
        if signed { a as f32 } else { a as u64 as f32 }
    }

    #[inline(always)]
    fn single_to_float(&mut self, a: f32) -> f64 {
        f64::from(a)
    }

    #[inline(always)]
    fn float_to_single(&mut self, a: f64) -> f32 {
        a as f32
    }

    #[inline(always)]
    fn float_to_int(&mut self, kind: IntKind, a: f64) -> i64 {
        float_to_int(kind, a)
    }

    #[inline(always)]
    fn float_bits(&mut self, a: f64) -> i64 {
        (if a.is_nan() { NAN_F64 } else { a.to_bits() }) as i64
    }

    #[inline(always)]
    fn single_bits(&mut self, a: f32) -> i64 {
        i64::from(if a.is_nan() { NAN_F32 } else { a.to_bits() })
    }

    #[inline(always)]
    fn bits_float(&mut self, a: i64) -> f64 {
        f64::from_bits(a as u64)
    }

    #[inline(always)]
    fn bits_single(&mut self, a: i64) -> f32 {
        f32::from_bits(a as u32)
    }

    #[inline(always)]
    fn element(&mut self, base: i64, index: i64, stride: u32, offset: u32) -> i64 {
        base.wrapping_add(index.wrapping_mul(i64::from(stride))).wrapping_add(i64::from(offset))
    }

    #[inline(always)]
    fn load_int(&mut self, kind: IntMemory, address: i64, offset: u32) -> i64 {
        // SAFETY: the address is of the program's memory.
        unsafe { load_int(kind, address.wrapping_add(i64::from(offset)) as u64) }
    }

    #[inline(always)]
    fn load_float(&mut self, address: i64, offset: u32) -> f64 {
        // SAFETY: the address is of the program's memory.
        unsafe { place::<f64>(address, offset).read_unaligned() }
    }

    #[inline(always)]
    fn load_single(&mut self, address: i64, offset: u32) -> f32 {
        // SAFETY: the address is of the program's memory.
        unsafe { place::<f32>(address, offset).read_unaligned() }
    }

    #[inline(always)]
    fn store_int(&mut self, kind: IntMemory, address: i64, offset: u32, value: i64) {
        // SAFETY: the address is of the program's memory.
        unsafe {
            match kind {
                IntMemory::I8 | IntMemory::U8 => place::<u8>(address, offset).write(value as u8),
                IntMemory::I16 | IntMemory::U16 => place::<u16>(address, offset).write_unaligned(value as u16),
                IntMemory::I32 | IntMemory::U32 => place::<u32>(address, offset).write_unaligned(value as u32),
                IntMemory::I64 => place::<i64>(address, offset).write_unaligned(value),
            }
        }
    }

    #[inline(always)]
    fn store_float(&mut self, address: i64, offset: u32, value: f64) {
        // SAFETY: the address is of the program's memory.
        unsafe { place::<f64>(address, offset).write_unaligned(value) }
    }

    #[inline(always)]
    fn store_single(&mut self, address: i64, offset: u32, value: f32) {
        // SAFETY: the address is of the program's memory.
        unsafe { place::<f32>(address, offset).write_unaligned(value) }
    }

    #[inline(always)]
    fn capacity(&mut self, base: i64) -> i64 {
        // SAFETY: the address is 0 or a block's base.
        unsafe { scaly_runtime::memory::capacity(place::<u8>(base, 0)) as i64 }
    }

    #[inline(always)]
    fn check(&mut self, cond: bool, _: Fault) -> bool {
        cond
    }

    #[inline(always)]
    fn decide(&mut self, cond: bool) -> bool {
        cond
    }
}
