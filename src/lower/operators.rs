//! Arithmetic and conversions, and what of them is known while compiling.

use scaly_interp::bytecode::{Instruction, Opcode};
use scaly_interp::routine::Routine;

use super::body::Body;
use super::frame::Slot;
use super::regions::Want;
use crate::check::fold::{self, is_signed, width};
use crate::check::hir::{BinaryOp, Expr, ExprKind, IntKind, Type, TypeId, Types, UnaryOp};

/// A number known while compiling.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Known {
    Int(i64),
    Float(f64),
}

/// How deep folding looks.
const DEPTH: u32 = 8;

pub fn int_kind(types: &Types, ty: TypeId) -> Option<IntKind> {
    match *types.get(ty) {
        Type::Int(kind) => Some(kind),
        Type::Char => Some(IntKind::U32),
        Type::Bool => Some(IntKind::U8),
        _ => None,
    }
}

/// The value of an expression of literals, the same bits that running it gives.
pub fn known(types: &Types, e: &Expr) -> Option<Known> {
    known_within(types, e, DEPTH)
}

pub fn known_int(types: &Types, e: &Expr) -> Option<i64> {
    match known(types, e)? {
        Known::Int(value) => Some(value),
        Known::Float(_) => None,
    }
}

fn known_within(types: &Types, e: &Expr, depth: u32) -> Option<Known> {
    let depth = depth.checked_sub(1)?;
    match &e.kind {
        ExprKind::Int(value) => Some(Known::Int(*value)),
        ExprKind::Bool(value) => Some(Known::Int(i64::from(*value))),
        ExprKind::Char(value) => Some(Known::Int(i64::from(u32::from(*value)))),
        ExprKind::Float(value) => Some(Known::Float(*value)),
        ExprKind::Zero => match types.get(e.ty) {
            Type::Bool | Type::Char | Type::Int(_) => Some(Known::Int(0)),
            Type::F32 | Type::F64 => Some(Known::Float(0.0)),
            _ => None,
        },
        ExprKind::Unary { op, operand } => match (op, known_within(types, operand, depth)?) {
            (UnaryOp::Neg, Known::Int(v)) => Some(Known::Int(fold::wrap(v.wrapping_neg(), int_kind(types, e.ty)?))),
            (UnaryOp::Not, Known::Int(v)) => Some(Known::Int(fold::wrap(!v, int_kind(types, e.ty)?))),
            (UnaryOp::Neg, Known::Float(v)) => float(-v),
            _ => None,
        },
        ExprKind::Binary { op, left, right } => {
            let left = known_within(types, left, depth)?;
            let right = known_within(types, right, depth)?;
            match (left, right) {
                (Known::Int(a), Known::Int(b)) => fold::int_binary(*op, a, b, int_kind(types, e.ty)?).map(Known::Int),
                (Known::Float(a), Known::Float(b)) if e.ty == Types::F32 => {
                    fold_f32(*op, a as f32, b as f32).and_then(|v| float(f64::from(v)))
                }
                (Known::Float(a), Known::Float(b)) => fold_f64(*op, a, b).and_then(float),
                _ => None,
            }
        }
        ExprKind::Convert(operand) => {
            let from = int_kind(types, operand.ty);
            match (known_within(types, operand, depth)?, int_kind(types, e.ty)) {
                (Known::Int(v), Some(kind)) => Some(Known::Int(fold::wrap(v, kind))),
                (Known::Int(v), None) if from == Some(IntKind::U64) => match e.ty {
                    Types::F32 => float(f64::from(v as u64 as f32)),
                    _ => float(v as u64 as f64),
                },
                (Known::Int(v), None) => match e.ty {
                    Types::F32 => float(f64::from(v as f32)),
                    _ => float(v as f64),
                },
                (Known::Float(v), None) if e.ty == Types::F32 => float(f64::from(v as f32)),
                (Known::Float(v), None) => float(v),
                _ => None,
            }
        }
        _ => None,
    }
}

/// A NaN is left to the machine.
fn float(value: f64) -> Option<Known> {
    (!value.is_nan()).then_some(Known::Float(value))
}

fn fold_f64(op: BinaryOp, a: f64, b: f64) -> Option<f64> {
    match op {
        BinaryOp::Add => Some(a + b),
        BinaryOp::Sub => Some(a - b),
        BinaryOp::Mul => Some(a * b),
        BinaryOp::Div => Some(a / b),
        _ => None,
    }
}

fn fold_f32(op: BinaryOp, a: f32, b: f32) -> Option<f32> {
    match op {
        BinaryOp::Add => Some(a + b),
        BinaryOp::Sub => Some(a - b),
        BinaryOp::Mul => Some(a * b),
        BinaryOp::Div => Some(a / b),
        _ => None,
    }
}

impl<'h> Body<'_, 'h> {
    /// Brings a result of 64-bit arithmetic into the range of its type.
    pub fn wrap(&mut self, kind: IntKind, slot: Slot) {
        self.wrap_to(kind, slot, slot);
    }

    fn wrap_to(&mut self, kind: IntKind, to: Slot, from: Slot) {
        let op = match kind {
            IntKind::I8 => Opcode::WrapI8,
            IntKind::I16 => Opcode::WrapI16,
            IntKind::I32 => Opcode::WrapI32,
            IntKind::U8 => Opcode::WrapU8,
            IntKind::U16 => Opcode::WrapU16,
            IntKind::U32 => Opcode::WrapU32,
            IntKind::I64 | IntKind::U64 => return self.code.copy(to, from, 1),
        };
        self.code.op2(op, to, from);
    }

    /// Writes a known number.
    fn known_into(&mut self, value: Known, ty: TypeId, to: Slot) {
        match value {
            Known::Int(value) => self.code.constant(to, value),
            Known::Float(value) if ty == Types::F32 => {
                let bits = (value as f32).to_bits();
                self.code.emit(Instruction::with(Opcode::ConstF32, to.0, 0, 0, bits, 0));
            }
            Known::Float(value) => {
                self.code.emit(Instruction::wide(Opcode::ConstF64, to.0, 0, 0, value.to_bits() as i64));
            }
        }
    }

    pub fn unary(&mut self, e: &'h Expr, op: UnaryOp, operand: &'h Expr, to: Slot) {
        if let Some(value) = known(self.types(), e) {
            return self.known_into(value, e.ty, to);
        }
        let from = self.any(operand, Want::Borrow);
        match (op, int_kind(self.types(), e.ty)) {
            (UnaryOp::Neg, Some(kind)) => {
                self.code.op2(Opcode::Neg, to, from);
                if width(kind) < 64 {
                    self.wrap(kind, to);
                }
            }
            (UnaryOp::Not, Some(kind)) => {
                self.code.op2(Opcode::Not, to, from);
                if !is_signed(kind) && width(kind) < 64 {
                    self.wrap(kind, to);
                }
            }
            (UnaryOp::Neg, None) if e.ty == Types::F32 => self.code.op2(Opcode::NegF32, to, from),
            (UnaryOp::Neg, None) if e.ty == Types::F64 => self.code.op2(Opcode::NegF64, to, from),
            _ => self.m.internal(e.span, "an operator on a type without it"),
        }
    }

    pub fn binary(&mut self, e: &'h Expr, op: BinaryOp, left: &'h Expr, right: &'h Expr, to: Slot, want: Want) {
        if let Some(value) = known(self.types(), e) {
            return self.known_into(value, e.ty, to);
        }
        if op == BinaryOp::Concat {
            let text = self.concat(left, right, want);
            return self.code.copy(to, text, 2);
        }
        let Some(kind) = int_kind(self.types(), e.ty) else {
            let (a, b) = self.operands(left, right);
            let single = e.ty == Types::F32;
            let opcode = match op {
                BinaryOp::Add if single => Opcode::AddF32,
                BinaryOp::Sub if single => Opcode::SubF32,
                BinaryOp::Mul if single => Opcode::MulF32,
                BinaryOp::Div if single => Opcode::DivF32,
                BinaryOp::Add => Opcode::AddF64,
                BinaryOp::Sub => Opcode::SubF64,
                BinaryOp::Mul => Opcode::MulF64,
                BinaryOp::Div => Opcode::DivF64,
                _ => return self.m.internal(e.span, "an operator on a type without it"),
            };
            return self.code.op(opcode, to, a, b);
        };
        if let Some(value) = known_int(self.types(), right)
            && self.with_constant(op, kind, left, value, to)
        {
            return;
        }
        let commutes = matches!(op, BinaryOp::Add | BinaryOp::Mul | BinaryOp::And | BinaryOp::Or | BinaryOp::Xor);
        if commutes
            && let Some(value) = known_int(self.types(), left)
            && self.with_constant(op, kind, right, value, to)
        {
            return;
        }
        let (a, mut b) = self.operands(left, right);
        let wide = width(kind) == 64;
        if matches!(op, BinaryOp::Shl | BinaryOp::Shr) && !wide {
            let count = self.code.frame.take(1);
            self.code.imm(Opcode::AndImm, count, b, i64::from(width(kind) - 1));
            b = count;
        }
        let unsigned = kind == IntKind::U64;
        let opcode = match op {
            BinaryOp::Add => Opcode::Add,
            BinaryOp::Sub => Opcode::Sub,
            BinaryOp::Mul => Opcode::Mul,
            BinaryOp::Div if unsigned => Opcode::DivU,
            BinaryOp::Div => Opcode::DivS,
            BinaryOp::Rem if unsigned => Opcode::RemU,
            BinaryOp::Rem => Opcode::RemS,
            BinaryOp::Shl => Opcode::Shl,
            BinaryOp::Shr if is_signed(kind) => Opcode::ShrS,
            BinaryOp::Shr => Opcode::ShrU,
            BinaryOp::And => Opcode::And,
            BinaryOp::Or => Opcode::Or,
            BinaryOp::Xor | BinaryOp::Concat => Opcode::Xor,
        };
        self.code.op(opcode, to, a, b);
        self.wrap_after(op, kind, to);
    }

    /// `left op constant` by one instruction, where there is one.
    fn with_constant(&mut self, op: BinaryOp, kind: IntKind, left: &'h Expr, value: i64, to: Slot) -> bool {
        if matches!(op, BinaryOp::Concat) || matches!(op, BinaryOp::Div | BinaryOp::Rem) && value == 0 {
            return false;
        }
        let from = self.any(left, Want::Borrow);
        self.slot_with_constant(op, kind, from, value, to)
    }

    /// The same of a value in a slot.
    pub fn slot_with_constant(&mut self, op: BinaryOp, kind: IntKind, from: Slot, value: i64, to: Slot) -> bool {
        let unsigned = kind == IntKind::U64;
        let mut operand = value;
        let opcode = match op {
            BinaryOp::Add => Opcode::AddImm,
            BinaryOp::Sub => {
                operand = value.wrapping_neg();
                Opcode::AddImm
            }
            BinaryOp::Mul => Opcode::MulImm,
            BinaryOp::Div | BinaryOp::Rem if value == 0 => return false,
            BinaryOp::Div if unsigned => Opcode::DivUImm,
            BinaryOp::Div => Opcode::DivSImm,
            BinaryOp::Rem if unsigned => Opcode::RemUImm,
            BinaryOp::Rem => Opcode::RemSImm,
            BinaryOp::And => Opcode::AndImm,
            BinaryOp::Or => Opcode::OrImm,
            BinaryOp::Xor => Opcode::XorImm,
            BinaryOp::Shl | BinaryOp::Shr => {
                operand = value & i64::from(width(kind) - 1);
                match op {
                    BinaryOp::Shl => Opcode::ShlImm,
                    _ if is_signed(kind) => Opcode::ShrSImm,
                    _ => Opcode::ShrUImm,
                }
            }
            BinaryOp::Concat => return false,
        };
        self.code.imm(opcode, to, from, operand);
        self.wrap_after(op, kind, to);
        true
    }

    /// The operations whose 64-bit result may lie outside of a narrower type.
    fn wrap_after(&mut self, op: BinaryOp, kind: IntKind, to: Slot) {
        let leaves = match op {
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Shl => true,
            // The least value divided by -1.
            BinaryOp::Div => is_signed(kind),
            _ => false,
        };
        if leaves && width(kind) < 64 {
            self.wrap(kind, to);
        }
    }

    /// Both strings in one; the slots of the result.
    pub fn concat(&mut self, left: &'h Expr, right: &'h Expr, want: Want) -> Slot {
        let region = self.target(want);
        let base = self.code.frame.take(5);
        self.into(left, base.plus(1), Want::Borrow);
        self.into(right, base.plus(3), Want::Borrow);
        let handle = self.handle(region);
        self.code.copy(base, handle, 1);
        self.code.runtime(base, Routine::StringConcat);
        self.code.frame.reset(u32::from(base.0) + 2);
        base
    }

    /// Whether a conversion leaves the bits of a slot as they are.
    pub fn keeps_bits(&self, e: &Expr, operand: &Expr) -> bool {
        match (int_kind(self.types(), operand.ty), int_kind(self.types(), e.ty)) {
            (Some(source), Some(target)) => {
                width(target) == 64
                    || (width(source) < width(target) && (is_signed(target) || !is_signed(source)))
                    || source == target
            }
            (None, None) => operand.ty == e.ty,
            _ => false,
        }
    }

    pub fn convert(&mut self, e: &'h Expr, operand: &'h Expr, to: Slot) {
        if let Some(value) = known(self.types(), e) {
            return self.known_into(value, e.ty, to);
        }
        if self.keeps_bits(e, operand) {
            return self.into(operand, to, Want::Borrow);
        }
        let from = self.any(operand, Want::Borrow);
        let (source, target) = (int_kind(self.types(), operand.ty), int_kind(self.types(), e.ty));
        match (source, target) {
            (Some(_), Some(target)) => self.wrap_to(target, to, from),
            (Some(source), None) => {
                let op = match (e.ty, source == IntKind::U64) {
                    (Types::F32, true) => Opcode::U64ToF32,
                    (Types::F32, false) => Opcode::I64ToF32,
                    (_, true) => Opcode::U64ToF64,
                    (_, false) => Opcode::I64ToF64,
                };
                self.code.op2(op, to, from);
            }
            (None, Some(target)) => {
                let mut from = from;
                if operand.ty == Types::F32 {
                    let wide = self.code.frame.take(1);
                    self.code.op2(Opcode::F32ToF64, wide, from);
                    from = wide;
                }
                self.code.emit(Instruction::with(Opcode::F64ToInt, to.0, from.0, 0, target as u32, 0));
            }
            (None, None) => match (operand.ty, e.ty) {
                (Types::F32, Types::F64) => self.code.op2(Opcode::F32ToF64, to, from),
                (Types::F64, Types::F32) => self.code.op2(Opcode::F64ToF32, to, from),
                _ => self.m.internal(e.span, "a conversion that there is none of"),
            },
        }
    }
}
