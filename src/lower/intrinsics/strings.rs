//! Intrinsics of strings that are no runtime routine of their own.

use scaly_interp::bytecode::{Instruction, Opcode};
use scaly_interp::routine::Routine;

use super::Intrinsic;
use crate::check::hir::{Expr, ExprKind, Types};
use crate::lower::body::Body;
use crate::lower::frame::Slot;
use crate::lower::regions::Want;

impl<'h> Body<'_, 'h> {
    pub(super) fn string_intrinsic(&mut self, name: &str, call: &Intrinsic<'h>) -> Option<Slot> {
        match (name, call.arguments) {
            ("String.length", [text]) => {
                if let ExprKind::Text(text) = &text.kind {
                    let to = call.to.unwrap_or_else(|| self.code.frame.take(1));
                    self.code.constant(to, text.len() as i64);
                    return Some(to);
                }
                Some(self.length(text))
            }
            ("String.byte", [text, index]) => {
                let (text, index) = self.array_and_index(text, index);
                let to = call.to.unwrap_or_else(|| self.code.frame.take(1));
                self.code.emit(Instruction::with(Opcode::LoadElemU8, to.0, text.0, index.0, 1, 0));
                Some(to)
            }
            ("String.bytes", [text]) => {
                let text = self.any(text, Want::Borrow);
                let to = self.code.frame.take(2);
                let region = self.target(call.want);
                self.copy_elements(to, text, 1, region);
                Some(to)
            }
            ("String.[]", [text, index]) => {
                let to = self.code.frame.take(1);
                self.string_at(call.e, text, index, to);
                Some(to)
            }
            _ => None,
        }
    }

    /// The character of a string that starts at a byte, or that byte.
    pub fn string_at(&mut self, e: &'h Expr, text: &'h Expr, index: &'h Expr, to: Slot) {
        let (text, index) = self.operands(text, index);
        if e.ty == Types::U8 {
            return self.code.emit(Instruction::with(Opcode::LoadElemU8, to.0, text.0, index.0, 1, 0));
        }
        // One byte is most often a character. The result may be asked for where an operand lies.
        let ready = self.code.label();
        let apart = to != text && to != text.plus(1) && to != index;
        let character = if apart { to } else { self.code.frame.take(1) };
        self.code.emit(Instruction::with(Opcode::LoadElemU8, character.0, text.0, index.0, 1, 0));
        self.code.branch(Opcode::JLtSImm, character, Slot(0), ready, 128);
        let base = self.code.frame.take(3);
        self.code.copy(base, text, 2);
        self.code.copy(base.plus(2), index, 1);
        self.code.runtime(base, Routine::StringCharAt);
        self.code.copy(character, base, 1);
        self.code.place(ready);
        self.code.copy(to, character, 1);
    }
}
