//! Intrinsics of numbers: one opcode each.

use scaly_interp::bytecode::Opcode;

use super::Intrinsic;
use crate::check::hir::{TypeId, Types};
use crate::lower::body::Body;
use crate::lower::frame::Slot;
use crate::lower::regions::Want;

/// The opcode that an intrinsic of one number is.
pub fn number_opcode(name: &str, operand: TypeId) -> Option<Opcode> {
    let single = operand == Types::F32;
    Some(match name {
        "sqrt" if single => Opcode::SqrtF32,
        "sqrt" => Opcode::SqrtF64,
        "floor" => Opcode::FloorF64,
        "ceil" => Opcode::CeilF64,
        "trunc" => Opcode::TruncF64,
        "abs" if single => Opcode::AbsF32,
        "abs" => Opcode::AbsF64,
        "bits" if single => Opcode::BitsF32,
        "bits" => Opcode::BitsF64,
        "f64.from_bits" => Opcode::FromBitsF64,
        "f32.from_bits" => Opcode::FromBitsF32,
        "popcount" => Opcode::PopCount,
        "clz" => Opcode::LeadingZeros,
        _ => return None,
    })
}

impl<'h> Body<'_, 'h> {
    pub(super) fn number_intrinsic(&mut self, name: &str, call: &Intrinsic<'h>) -> Option<Slot> {
        let [operand] = call.arguments else { return None };
        match name {
            "hash" => return Some(self.hash(operand)),
            "copy" => {
                let own = Want::Own(self.target(call.want));
                return Some(self.copied(operand, call.e.ty, own));
            }
            _ => {}
        }
        let op = number_opcode(name, operand.ty)?;
        let from = self.any(operand, Want::Borrow);
        let to = call.to.unwrap_or_else(|| self.code.frame.take(1));
        self.code.op2(op, to, from);
        Some(to)
    }
}
