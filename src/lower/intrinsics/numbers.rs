//! Intrinsics of numbers: one opcode each.

use scaly_interp::bytecode::Opcode;

use super::Intrinsic;
use crate::check::hir::Types;
use crate::lower::body::Body;
use crate::lower::frame::Slot;
use crate::lower::regions::Want;

impl<'h> Body<'_, 'h> {
    pub(super) fn number_intrinsic(&mut self, name: &str, call: &Intrinsic<'h>) -> Option<Slot> {
        let [operand] = call.arguments else { return None };
        let op = match name {
            "sqrt" if operand.ty == Types::F32 => Opcode::SqrtF32,
            "sqrt" => Opcode::SqrtF64,
            "floor" => Opcode::FloorF64,
            "ceil" => Opcode::CeilF64,
            "trunc" => Opcode::TruncF64,
            "abs" if operand.ty == Types::F32 => Opcode::AbsF32,
            "abs" => Opcode::AbsF64,
            "bits" if operand.ty == Types::F32 => Opcode::BitsF32,
            "bits" => Opcode::BitsF64,
            "f64.from_bits" => Opcode::FromBitsF64,
            "f32.from_bits" => Opcode::FromBitsF32,
            "popcount" => Opcode::PopCount,
            "clz" => Opcode::LeadingZeros,
            "hash" => return Some(self.hash(operand)),
            "copy" => {
                let want = match call.want {
                    Want::Borrow => Want::Own(self.here()),
                    own => own,
                };
                return Some(self.copied(operand, call.e.ty, want));
            }
            _ => return None,
        };
        let from = self.any(operand, Want::Borrow);
        let to = call.to.unwrap_or_else(|| self.code.frame.take(1));
        self.code.op2(op, to, from);
        Some(to)
    }
}
